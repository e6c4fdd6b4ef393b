//! The device authorization grant (RFC 8628): a device is given what somebody agreed to elsewhere, once.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use edgemint::http::{Request, Response};
use edgemint::model::{GrantType, Scope};
use edgemint::server::Endpoint;
use serde_json::{Value, json};
use support::device::{
    Began, GRANT, assert_told, began, began_with, begin, decided, devices, poll, poll_form, typed,
};
use support::records::{App, FLOWS, made};
use support::{
    Fixture, Form, ISSUER, Operations, Outage, Page, RESOURCE, Seen, Tokens, authenticated,
    authorization, exchange_form,
};

#[test]
fn s4_6_a_device_gets_what_somebody_agreed_to() {
    let fixture = devices();
    for id in ["web", "native"] {
        let device = began(&fixture, id);
        assert_told(&poll(&fixture, id, &device), "authorization_pending");
        let browser = fixture.signed_in_browser();
        let page = decided(&browser, &device, "allow");
        assert!(page.response.body.contains("is connected"));
        let tokens = Tokens::of(&poll(&fixture, id, &device));
        assert_eq!(tokens.scope, "offline_access openid read");
        assert_eq!(tokens.claims()["sub"], "u_ada");
        assert!(fixture.is_active_for("web", &tokens.access) || id == "native");
        assert_eq!(fixture.userinfo(&tokens.access).status, 200);
        let newer = Tokens::of(&fixture.refresh_as(id, tokens.refresh()));
        assert_eq!(fixture.revoke_as(id, newer.refresh()).status, 200);
        assert_eq!(fixture.userinfo(&newer.access).status, 401);
    }
}

#[test]
fn rfc_8628_3_2_the_answer_names_both_codes_the_page_and_the_times() {
    let fixture = devices();
    let answer = begin(&fixture, "native", &Form::default());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let body = answer.json();
    assert_eq!(
        (&body["expires_in"], &body["interval"]),
        (&json!(600), &json!(5))
    );
    let page = format!("{ISSUER}/device");
    assert_eq!(body["verification_uri"], page);
    let code = body["user_code"].as_str().unwrap();
    assert_eq!(
        body["verification_uri_complete"],
        format!("{page}?user_code={code}")
    );
    let groups: Vec<&str> = code.split('-').collect();
    assert_eq!(
        groups.iter().map(|group| group.len()).collect::<Vec<_>>(),
        [4, 4]
    );
    assert!(
        groups
            .concat()
            .bytes()
            .all(|byte| b"BCDFGHJKLMNPQRSTVWXZ".contains(&byte))
    );
}

#[test]
fn rfc_8628_3_1_who_may_not_begin_is_told_why() {
    let fixture = devices();
    let scope = |scope: &str| Form::new(&[("scope", scope)]);
    for (id, form, status, error) in [
        ("spa", Form::default(), 400, "unauthorized_client"),
        ("native", scope("openid admin:token"), 400, "invalid_scope"),
        ("native", scope("\"").and("x", ""), 400, "invalid_scope"),
        (
            "native",
            scope("openid").and("scope", "read"),
            400,
            "invalid_request",
        ),
        (
            "native",
            Form::new(&[("resource", "https://nobody.example")]),
            400,
            "invalid_target",
        ),
    ] {
        let answer = begin(&fixture, id, &form);
        assert_eq!(
            (answer.status, answer.error()),
            (status, error.to_owned()),
            "{id}"
        );
    }
    let nobody = Form::new(&[("client_id", "web")]);
    for form in [
        nobody.clone(),
        nobody.with("client_secret", "wrong"),
        Form::default(),
    ] {
        let answer = fixture.post(Endpoint::DeviceAuthorization, &form);
        assert_eq!(
            (answer.status, answer.error()),
            (401, "invalid_client".to_owned())
        );
    }
}

#[test]
fn clients_that_prove_nothing_begin_so_often_from_one_address() {
    let fixture = devices();
    let one = || begin(&fixture, "native", &Form::default());
    for _ in 0..99 {
        assert_eq!(one().status, 200);
    }
    let refused = one();
    assert_eq!(refused.status, 429);
    assert!(refused.header("retry-after").is_some());
    let elsewhere = Request {
        address: Some("192.0.2.2".to_owned()),
        ..authenticated("native", &Form::default())
    };
    let elsewhere = fixture.send(Endpoint::DeviceAuthorization, &elsewhere);
    assert_eq!(elsewhere.status, 200, "{}", elsewhere.body);
    // Who proves who it is is counted nowhere.
    assert_eq!(begin(&fixture, "web", &Form::default()).status, 200);
    fixture.later(600);
    assert_eq!(one().status, 200);
}

#[test]
fn rfc_8628_3_5_who_asks_too_early_waits_five_seconds_longer_each_time() {
    let fixture = devices();
    let device = began(&fixture, "native");
    let told = |error: &str| assert_told(&poll(&fixture, "native", &device), error);
    told("authorization_pending");
    fixture.later(3);
    told("slow_down");
    fixture.later(5);
    told("slow_down");
    fixture.later(15);
    told("authorization_pending");
    fixture.later(8);
    told("slow_down");
    // Once somebody has agreed, nobody waits.
    let browser = fixture.signed_in_browser();
    decided(&browser, &device, "allow");
    Tokens::of(&poll(&fixture, "native", &device));
}

#[test]
fn rfc_8628_3_5_a_no_is_told() {
    let fixture = devices();
    let device = began(&fixture, "native");
    let browser = fixture.signed_in_browser();
    let page = decided(&browser, &device, "deny");
    assert!(page.response.body.contains("is not connected"));
    for _ in 0..2 {
        assert_told(&poll(&fixture, "native", &device), "access_denied");
    }
}

#[test]
fn rfc_8628_3_5_a_code_expires_answered_or_not() {
    let fixture = devices();
    let browser = fixture.signed_in_browser();
    let waiting = began(&fixture, "native");
    let agreed = began(&fixture, "native");
    decided(&browser, &agreed, "allow");
    fixture.later(600);
    for device in [&waiting, &agreed] {
        assert_told(&poll(&fixture, "native", device), "expired_token");
    }
    let page = typed(&browser, &waiting.user_code);
    assert_eq!(page.response.label(), "user_code_unknown");
}

#[test]
fn s4_6_of_many_polls_at_once_one_gets_tokens_and_keeps_them() {
    let fixture = devices();
    let device = began(&fixture, "web");
    decided(&fixture.signed_in_browser(), &device, "allow");
    let answers: Vec<Response> = (0..20).map(|_| poll(&fixture, "web", &device)).collect();
    let (given, refused): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(given.len(), 1);
    for answer in refused {
        assert_told(answer, "invalid_grant");
        assert_eq!(answer.label(), "device_code_spent");
    }
    let tokens = Tokens::of(given[0]);
    assert!(fixture.is_active(&tokens.access));
    Tokens::of(&fixture.refresh(tokens.refresh()));
}

#[test]
fn s4_6_a_request_that_is_repeated_gets_the_same_grant() {
    let fixture = devices();
    let device = began(&fixture, "web");
    decided(&fixture.signed_in_browser(), &device, "allow");
    let request = fixture.token_request("web", &poll_form(&device.device_code));
    let at = fixture.at();
    for _ in 0..2 {
        Tokens::of(&fixture.send_at(Endpoint::Token, &request, &at));
    }
}

#[test]
fn rfc_8628_3_4_only_the_client_that_began_may_ask() {
    let fixture = devices();
    let device = began(&fixture, "web");
    decided(&fixture.signed_in_browser(), &device, "allow");
    for id in ["other", "native"] {
        let answer = poll(&fixture, id, &device);
        assert_told(&answer, "invalid_grant");
        assert_eq!(answer.label(), "device_code_for_other_client");
    }
    Tokens::of(&poll(&fixture, "web", &device));
}

#[test]
fn te_10_a_client_that_lost_the_grant_since_it_began_is_unauthorized() {
    let fixture = devices();
    let waiting = began(&fixture, "web");
    let agreed = began(&fixture, "web");
    let browser = fixture.signed_in_browser();
    decided(&browser, &agreed, "allow");
    fixture.change_client("web", |client| {
        client.grant_types.retain(|it| *it != GrantType::DeviceCode);
    });
    for device in [&waiting, &agreed] {
        assert_told(&poll(&fixture, "web", device), "unauthorized_client");
    }
    // Nor is anybody asked on its behalf.
    let page = typed(&browser, &waiting.user_code);
    assert_eq!(page.response.label(), "user_code_unknown");
    fixture.change_client("web", |client| {
        client.grant_types.push(GrantType::DeviceCode);
    });
    Tokens::of(&poll(&fixture, "web", &agreed));
}

#[test]
fn ac_10_no_other_sealed_thing_is_a_device_code_and_it_is_no_other() {
    let fixture = devices();
    let device = began(&fixture, "web");
    let code = fixture.code();
    let tokens = fixture.tokens();
    for other in [
        code.as_str(),
        &tokens.access,
        tokens.refresh(),
        "emd_AAAA",
        "x",
    ] {
        let answer = fixture.token_as("web", &poll_form(other));
        assert_told(&answer, "invalid_grant");
        assert_eq!(answer.label(), "device_code_unknown");
    }
    assert_told(&fixture.exchange(&device.device_code), "invalid_grant");
    assert_told(&fixture.refresh(&device.device_code), "invalid_grant");
    assert!(!fixture.is_active(&device.device_code));
    let missing = fixture.token_as("web", &Form::new(&[("grant_type", GRANT)]));
    assert_told(&missing, "invalid_request");
}

#[test]
fn s4_6_a_link_with_the_code_fills_it_in_and_decides_nothing() {
    let fixture = devices();
    let device = began(&fixture, "native");
    let browser = fixture.browser();
    // Nobody is signed in: that comes first, and leads back.
    let page = browser.open(device.complete.strip_prefix(ISSUER).unwrap());
    let page = browser.fill_in(&page, "ada");
    assert!(page.is_page_at("/device"));
    assert!(
        page.response
            .body
            .contains(&format!("value=\"{}\"", device.user_code))
    );
    assert!(!page.response.body.contains("decision"));
    assert_told(&poll(&fixture, "native", &device), "authorization_pending");
    let page = browser.submit(&page, &[("user_code", &device.user_code)]);
    for shown in [
        "The native client",
        &device.user_code,
        ">ada<",
        "in front of you",
    ] {
        assert!(page.response.body.contains(shown), "{shown}");
    }
    fixture.later(5);
    assert_told(&poll(&fixture, "native", &device), "authorization_pending");
    browser.submit(&page, &[("decision", "allow")]);
    Tokens::of(&poll(&fixture, "native", &device));
}

#[test]
fn rfc_8628_6_1_a_code_is_read_however_it_is_typed() {
    let fixture = devices();
    let browser = fixture.signed_in_browser();
    let device = began(&fixture, "native");
    let loose = device.user_code.to_ascii_lowercase().replace('-', " ");
    let page = typed(&browser, &loose);
    assert!(page.response.body.contains("The native client"));
}

#[test]
fn s4_6_unknown_used_and_malformed_codes_are_answered_alike() {
    let fixture = devices();
    let browser = fixture.signed_in_browser();
    let used = began(&fixture, "native");
    decided(&browser, &used, "allow");
    let said = |code: &str| {
        let page = typed(&browser, code);
        assert_eq!(page.response.label(), "user_code_unknown");
        (
            page.response.status,
            page.response.body.contains("No device waits"),
        )
    };
    for code in [used.user_code.as_str(), "BBBB-BBBB", "nonsense", ""] {
        assert_eq!(said(code), (400, true), "{code}");
    }
}

#[test]
fn s4_6_a_device_is_answered_once() {
    let fixture = devices();
    let device = began(&fixture, "native");
    let browser = fixture.signed_in_browser();
    let page = typed(&browser, &device.user_code);
    let other = fixture.browser_of("bob");
    let page_of_other = typed(&other, &device.user_code);
    browser.submit(&page, &[("decision", "deny")]);
    for (browser, page) in [(&browser, &page), (&other, &page_of_other)] {
        let late = browser.submit_only(page, &[("decision", "allow")]);
        assert_eq!(late.label(), "page_spent");
    }
    assert_told(&poll(&fixture, "native", &device), "access_denied");
}

#[test]
fn s4_6_what_is_granted_is_what_the_person_holds_and_was_shown() {
    let fixture = devices();
    let device = began_with(&fixture, "native", "openid read write");
    let bob = fixture.browser_of("bob");
    let page = typed(&bob, &device.user_code);
    let shows = |page: &Page, scope: &str| page.response.body.contains(&format!(">{scope}<"));
    assert!(shows(&page, "read") && !shows(&page, "write"));
    // What the client lost since the page was shown is shown before it is agreed to.
    let scope = |text: &'static str| {
        fixture.change_client("native", |client| {
            client.scope = Scope::parse(text).unwrap()
        });
    };
    scope("openid");
    let again = bob.submit(&page, &[("decision", "allow")]);
    assert!(again.is_page_at("/device") && !shows(&again, "read"));
    bob.submit(&again, &[("decision", "allow")]);
    // What it may have later is not added.
    scope("openid read write");
    let tokens = Tokens::of(&poll(&fixture, "native", &device));
    assert_eq!(tokens.scope, "openid");
}

#[test]
fn s4_6_a_client_that_wants_a_fresh_sign_in_gets_one() {
    let fixture = Fixture::new();
    let flow = json!({"name": "Own", "slug": "own", "designation": "authentication",
                      "max_session_age": "minutes=5"});
    let flow = made(&fixture, FLOWS, flow);
    let app = App::new(
        &fixture,
        json!({"authentication_flow": flow["pk"], "grant_types": [GRANT]}),
    );
    let browser = fixture.signed_in_browser();
    fixture.later(301);
    let device = Began::of(&app.ask(Endpoint::DeviceAuthorization, &Form::default()));
    let page = typed(&browser, &device.user_code);
    assert!(page.is_page_at("/login"));
    assert!(page.response.body.contains("confirm that it is you"));
    let page = browser.fill_in(&page, "ada");
    let page = browser.submit(&page, &[("user_code", &device.user_code)]);
    // The administrator answers for everybody, but not here.
    browser.submit(&page, &[("decision", "allow")]);
    Tokens::of(&app.ask(Endpoint::Token, &poll_form(&device.device_code)));
}

#[test]
fn s4_6_the_resource_of_the_request_is_the_audience() {
    let fixture = devices();
    let form = Form::new(&[("scope", "openid read"), ("resource", RESOURCE)]);
    let device = Began::of(&begin(&fixture, "web", &form));
    decided(&fixture.signed_in_browser(), &device, "allow");
    let other = poll_form(&device.device_code).with("resource", "web");
    assert_told(&fixture.token_as("web", &other), "invalid_target");
    let tokens = Tokens::of(&poll(&fixture, "web", &device));
    let seen = fixture.introspect_as("api", &tokens.access).json();
    assert_eq!(seen["aud"], RESOURCE);
}

#[test]
fn ac_8_no_storage_holds_a_usable_device_or_user_code() {
    let fixture = devices();
    let device = began(&fixture, "native");
    let browser = fixture.signed_in_browser();
    typed(&browser, &device.user_code);
    let stored = fixture.memory().everything_stored();
    assert!(!stored.contains(&device.device_code));
    assert!(!stored.contains(&device.user_code));
    assert!(!stored.contains(&device.user_code.replace('-', "")));
}

#[test]
fn te_16_what_cannot_be_asked_is_unavailable_and_nothing_is_lost() {
    let fixture = devices();
    let device = began(&fixture, "web");
    decided(&fixture.signed_in_browser(), &device, "allow");
    for outage in [Outage::Ledger, Outage::Feed] {
        fixture.memory().fail(outage);
        fixture.later(30);
        support::tokens::assert_unavailable(&poll(&fixture, "web", &device));
        support::tokens::assert_unavailable(&begin(&fixture, "web", &Form::default()));
        fixture.memory().restore();
    }
    Tokens::of(&poll(&fixture, "web", &device));
}

#[test]
fn s4_6_clients_are_registered_for_it_and_metadata_names_it() {
    let fixture = devices();
    let answer = fixture.register(&json!({
        "client_name": "TV", "grant_types": [GRANT, "refresh_token"],
        "token_endpoint_auth_method": "none",
    }));
    assert_eq!(answer.status, 201, "{}", answer.body);
    let tv = answer.json();
    assert_eq!(tv["grant_types"], json!([GRANT, "refresh_token"]));
    assert_eq!(tv["scope"], "email openid profile");
    let form = Form::new(&[("client_id", tv["client_id"].as_str().unwrap())]);
    assert_eq!(
        fixture.post(Endpoint::DeviceAuthorization, &form).status,
        200
    );
    let made = fixture.api(
        "POST",
        "/api/v1/providers/oauth2/",
        &json!({"name": "TV", "client_id": "tv", "client_type": "public",
                "grant_types": [GRANT, "refresh_token"], "scope": "openid"}),
    );
    assert_eq!(made.status, 201, "{}", made.body);
    let metadata: Value = fixture
        .get(Endpoint::OpenidConfiguration, &Form::default())
        .json();
    assert_eq!(
        metadata["device_authorization_endpoint"],
        format!("{ISSUER}/oauth/device_authorization")
    );
}

/// What an action costs besides questions to the feed.
fn cost(fixture: &Fixture, action: impl FnOnce()) -> Operations {
    Operations {
        feed: 0,
        ..fixture.cost(action)
    }
}

#[test]
fn a_poll_costs_one_ledger_call_and_the_last_two_and_codes_what_they_did() {
    let fixture = devices();
    let calls = |ledger: u32, kv_puts: u32| Operations {
        ledger,
        kv_puts,
        ..Operations::default()
    };
    let browser = fixture.signed_in_browser();
    fixture.tokens_in(&browser, "web");
    let device = began(&fixture, "web");
    let begins = cost(&fixture, || drop(began(&fixture, "web")));
    let pending = cost(&fixture, || drop(poll(&fixture, "web", &device)));
    decided(&browser, &device, "allow");
    let last = cost(&fixture, || {
        drop(Tokens::of(&poll(&fixture, "web", &device)))
    });
    assert_eq!(
        (begins, pending, last),
        (calls(1, 0), calls(1, 0), calls(2, 0))
    );
    let mut code = String::new();
    let authorize = cost(&fixture, || code = browser.code(&authorization("web")));
    let request = fixture.token_request("web", &exchange_form("web", &code));
    let exchange = cost(&fixture, || drop(fixture.send(Endpoint::Token, &request)));
    assert_eq!((authorize, exchange), (calls(0, 1), calls(1, 0)));
}
