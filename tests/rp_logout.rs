//! OpenID Connect RP-Initiated Logout 1.0: the conformance suite's modules under their own names, and
//! what else an application may ask at `/oauth/logout`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use edgemint::http::{Request, Response};
use edgemint::server::Endpoint;
use serde_json::{Value, json};
use support::records::{App, FLOWS, made, patched, read, user_path};
use support::tokens::{altered, online, online_tokens, resigned, unsigned};
use support::{Browser, Fixture, Form, ISSUER, Page, Seen as _, Tokens, get, post};

const BYE: &str = "https://web.example/bye";
const STATE: &str = "a state/with+odd ~chars=";

/// Sends a browser to the endpoint, as an application does.
fn logout(browser: &Browser<'_>, form: &Form) -> Page {
    browser.open(&format!("/oauth/logout?{}", form.encode()))
}

/// Whether somebody is signed in, for `web`.
fn is_signed_in(browser: &Browser<'_>) -> bool {
    let silent = online("web").with("prompt", "none");
    let error = browser.copy().authorize(&silent).response.error();
    assert!(error.is_empty() || error == "login_required", "{error}");
    error.is_empty()
}

/// A good request of `web` for this browser's session.
fn good(fixture: &Fixture, browser: &Browser<'_>) -> Form {
    let hint = fixture.tokens_in(browser, "web").id_token.unwrap();
    Form::new(&[
        ("id_token_hint", &hint),
        ("post_logout_redirect_uri", BYE),
        ("state", STATE),
    ])
}

fn without(form: &Form, name: &str) -> Form {
    form.clone().with(name, "")
}

#[track_caller]
fn leads_nowhere(page: &Page) {
    assert_eq!(page.response.location(), None, "{:?}", page.response);
    let kind = page.response.header("content-type").unwrap();
    assert!(kind.starts_with("text/html"), "an error page or a question");
}

fn discovery(fixture: &Fixture) -> Value {
    fixture
        .get(Endpoint::OpenidConfiguration, &Form::default())
        .json()
}

#[test]
fn oidcc_rp_initiated_logout_discovery_endpoint_verification() {
    let fixture = Fixture::new();
    let endpoint = format!("{ISSUER}/oauth/logout");
    assert_eq!(discovery(&fixture)["end_session_endpoint"], endpoint);
}

#[test]
fn oidcc_rp_initiated_logout() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let bound = online_tokens(&fixture, &browser, "web");
    let free = fixture.tokens_in(&browser, "web");
    let page = logout(&browser, &good(&fixture, &browser));
    assert_eq!(page.response.status, 303);
    let encoded: String = form_urlencoded::byte_serialize(STATE.as_bytes()).collect();
    assert_eq!(
        page.response.location(),
        Some(format!("{BYE}?state={encoded}").as_str())
    );
    assert_eq!(browser.cookie("edgemint-session"), None);
    let silent = browser.authorize(&online("web").with("prompt", "none"));
    assert_eq!(silent.response.error(), "login_required");
    assert!(!fixture.is_active(&bound.access));
    assert_eq!(fixture.refresh(bound.refresh()).error(), "invalid_grant");
    assert!(fixture.is_active(&free.access), "offline_access survives");
}

#[test]
fn oidcc_rp_initiated_logout_bad_post_logout_redirect_uri() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let good = good(&fixture, &browser);
    for bad in [
        "https://evil.example/bye",
        "https://other.example/bye",
        "https://web.example/cb",
        "https://web.example/bye/",
        "https://web.example:8443/bye",
        "http://web.example/bye",
        "https://web.example/bye#x",
        "javascript:alert(1)",
        "/bye",
    ] {
        let page = logout(
            &browser,
            &good.clone().with("post_logout_redirect_uri", bad),
        );
        assert_eq!(page.response.status, 400, "{bad}");
        leads_nowhere(&page);
        assert!(is_signed_in(&browser), "{bad}");
    }
}

#[test]
fn oidcc_rp_initiated_logout_query_added_to_post_logout_redirect_uri() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let uri = format!("{BYE}?foo=bar");
    let form = good(&fixture, &browser).with("post_logout_redirect_uri", &uri);
    leads_nowhere(&logout(&browser, &form));
    assert!(is_signed_in(&browser));
}

#[test]
fn oidcc_rp_initiated_logout_modified_id_token_hint() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let good = good(&fixture, &browser);
    let hint = good.value("id_token_hint").unwrap().to_owned();
    for bad in [
        unsigned(&hint),
        altered(&hint, "sub", &json!("u_bob")),
        altered(&hint, "aud", &json!("other")),
        altered(&hint, "aud", &json!(["web", "other"])),
        altered(&hint, "iss", &json!("https://evil.example")),
    ] {
        let page = logout(&browser, &good.clone().with("id_token_hint", &bad));
        leads_nowhere(&page);
        assert!(page.response.body.contains("Sign out?"));
        assert!(is_signed_in(&browser));
    }
}

#[test]
fn oidcc_rp_initiated_logout_bad_id_token_hint() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let good = good(&fixture, &browser);
    let hint = good.value("id_token_hint").unwrap().to_owned();
    let access = fixture.tokens_in(&browser, "jwt").access;
    for bad in [
        resigned(&hint, None),
        access,
        "nonsense".to_owned(),
        "a.b.c".to_owned(),
    ] {
        let page = logout(&browser, &good.clone().with("id_token_hint", &bad));
        leads_nowhere(&page);
        assert!(is_signed_in(&browser));
        // Also who says yes is led nowhere.
        let after = browser.copy().submit(&page, &[]);
        assert_eq!(
            (after.response.status, after.response.location()),
            (200, None)
        );
        let nobody = logout(
            &fixture.browser(),
            &good.clone().with("id_token_hint", &bad),
        );
        leads_nowhere(&nobody);
        browser.sign_in("ada");
    }
}

#[test]
fn oidcc_rp_initiated_logout_no_id_token_hint() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let bare = without(&good(&fixture, &browser), "id_token_hint");
    let nobodys = logout(&browser, &bare);
    assert_eq!(nobodys.response.status, 400, "a URI of nobody's");
    leads_nowhere(&nobodys);
    let named = bare.with("client_id", "web");
    let page = logout(&browser, &named);
    leads_nowhere(&page);
    assert!(
        is_signed_in(&browser),
        "a name is no proof: the person is asked"
    );
    assert!(page.response.body.contains("The web client"));
    let after = browser.submit(&page, &[]);
    assert!(after.response.location().unwrap().starts_with(BYE));
    assert!(!is_signed_in(&browser));
    let unasked = logout(&browser, &named);
    leads_nowhere(&unasked);
}

#[test]
fn oidcc_rp_initiated_logout_no_params() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let page = logout(&browser, &Form::default());
    leads_nowhere(&page);
    let after = browser.submit(&page, &[]);
    assert!(after.response.body.contains("You are signed out"));
    assert!(!is_signed_in(&browser));
}

#[test]
fn oidcc_rp_initiated_logout_no_post_logout_redirect_uri() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let form = without(&good(&fixture, &browser), "post_logout_redirect_uri");
    let page = logout(&browser, &form);
    leads_nowhere(&page);
    assert!(page.response.body.contains("You are signed out"));
    assert!(!is_signed_in(&browser));
}

#[test]
fn oidcc_rp_initiated_logout_no_state() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let form = without(&good(&fixture, &browser), "state");
    assert_eq!(logout(&browser, &form).response.location(), Some(BYE));
    assert!(!is_signed_in(&browser));
}

#[test]
fn oidcc_rp_initiated_logout_only_state() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let page = logout(&browser, &Form::new(&[("state", STATE)]));
    leads_nowhere(&page);
    let after = browser.submit(&page, &[]);
    assert_eq!(after.response.location(), None);
    assert!(!is_signed_in(&browser));
}

#[test]
fn a_request_by_post_is_one_by_get_although_the_session_cookie_is_not_with_it() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let form = good(&fixture, &browser);
    // `SameSite=Lax`: a post of another site has no cookie.
    let cross_site = Request {
        fetch_site: Some("cross-site".to_owned()),
        origin: Some("https://web.example".to_owned()),
        ..post(&form)
    };
    let sent_on = fixture.send(Endpoint::Logout, &cross_site);
    let location = sent_on.location().unwrap().to_owned();
    assert!(
        location.starts_with(&format!("{ISSUER}/oauth/logout?continue=")),
        "{location}"
    );
    assert!(!location.contains(form.value("id_token_hint").unwrap()));
    let page = browser.follow("/oauth/logout", sent_on);
    assert!(page.response.location().unwrap().starts_with(BYE));
    assert!(!is_signed_in(&browser));
}

#[test]
fn what_is_sent_on_has_to_be_of_here_and_is_looked_at_anew() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let sent_on = fixture.send(Endpoint::Logout, &post(&good(&fixture, &browser)));
    let location = sent_on.location().unwrap().to_owned();
    fixture.change_client("web", |client| client.post_logout_redirect_uris.clear());
    let page = browser.follow("/oauth/logout", sent_on);
    leads_nowhere(&page);
    assert_eq!(page.response.status, 400);
    // The page for a person is no request of an application, nor the other way round.
    let asked = logout(&browser, &Form::default());
    let bound = asked.hidden_fields().value("request").unwrap().to_owned();
    for foreign in [bound.as_str(), "nonsense"] {
        let page = logout(&browser, &Form::new(&[("continue", foreign)]));
        assert_eq!(page.response.label(), "page_from_elsewhere");
    }
    let (_, sealed) = location.split_once("continue=").unwrap();
    let form = asked.hidden_fields().with("request", sealed);
    let posted = browser.send(Endpoint::Logout, post(&form));
    assert_eq!(posted.label(), "page_from_elsewhere");
    assert!(is_signed_in(&browser));
}

#[test]
fn the_question_is_answered_from_the_page_that_asked_it() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let page = logout(&browser, &Form::default());
    for form in [
        page.hidden_fields().with("csrf", "x"),
        page.hidden_fields().with("csrf", ""),
        page.hidden_fields().with("request", ""),
    ] {
        let answer = browser.send(Endpoint::Logout, post(&form));
        assert_eq!(answer.status, 400, "{}", answer.body);
        assert!(is_signed_in(&browser));
    }
}

#[test]
fn the_client_id_and_the_hint_have_to_agree() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let form = good(&fixture, &browser);
    let page = logout(&browser, &form.clone().with("client_id", "other"));
    leads_nowhere(&page);
    assert!(is_signed_in(&browser));
    let page = logout(&browser, &form.with("client_id", "web"));
    assert!(page.response.location().unwrap().starts_with(BYE));
}

#[test]
fn a_repeated_or_oversized_parameter_is_refused_and_others_are_passed_over() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let form = good(&fixture, &browser);
    let twice = form.clone().and("state", "x");
    assert_eq!(logout(&browser, &twice).response.status, 400);
    let long = form.clone().with("state", &"x".repeat(4097));
    assert_eq!(logout(&browser, &long).response.status, 400);
    assert!(is_signed_in(&browser));
    let more = form
        .with("logout_hint", "ada")
        .with("ui_locales", "de")
        .with("colour", "red");
    assert!(
        logout(&browser, &more)
            .response
            .location()
            .unwrap()
            .starts_with(BYE)
    );
}

#[test]
fn an_expired_hint_is_good_and_one_of_a_client_that_is_off_is_not() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let form = good(&fixture, &browser);
    fixture.later(3600);
    fixture.change_client("web", |client| client.enabled = false);
    let page = logout(&browser, &form);
    leads_nowhere(&page);
    assert_eq!(page.response.status, 200, "they can still sign out");
    fixture.change_client("web", |client| client.enabled = true);
    let page = logout(&browser, &form);
    assert!(page.response.location().unwrap().starts_with(BYE));
}

#[test]
fn an_outage_signs_nobody_out_halfway() {
    for outage in [support::Outage::Feed, support::Outage::Ledger] {
        let fixture = Fixture::new();
        let browser = fixture.signed_in_browser();
        let form = good(&fixture, &browser);
        fixture.memory().fail(outage);
        let page = logout(&browser, &form);
        if page.response.status != 503 {
            panic!("{outage:?}: {:?}", page.response);
        }
        assert_eq!(page.response.header("retry-after"), Some("1"));
        fixture.memory().restore();
        assert!(browser.cookie("edgemint-session").is_some());
        let page = logout(&browser, &form);
        assert!(
            page.response.location().unwrap().starts_with(BYE),
            "{outage:?}"
        );
    }
}

/// A client with an application of its own: `shop`.
fn shop(fixture: &Fixture, more: Value) -> App<'_> {
    let mut body = json!({"post_logout_redirect_uris": [BYE]});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let app = App::new(fixture, body);
    let provider = read(fixture, &app.path)["pk"].clone();
    let body = json!({"name": "Shop", "slug": "shop", "provider": provider});
    made(fixture, "/api/v1/applications/", body);
    app
}

fn tokens(app: &App<'_>, browser: &Browser<'_>) -> Tokens {
    Tokens::of(&app.exchange(&app.code(browser)))
}

/// Sends a browser to an application's own endpoint.
fn end_session(browser: &Browser<'_>, slug: &str, form: &Form) -> Response {
    let request = Request {
        path: format!("/application/o/{slug}/end-session/"),
        ..get(form)
    };
    browser.send(Endpoint::Logout, request)
}

#[test]
fn s4_6_a_hint_is_understood_in_every_mode_of_sub_and_issuer() {
    for sub_mode in [
        "subject",
        "hashed_user_id",
        "user_id",
        "user_uuid",
        "user_username",
        "user_email",
        "user_upn",
    ] {
        for issuer_mode in ["global", "per_provider"] {
            let fixture = Fixture::new();
            // Without these, both modes tell what others do.
            patched(
                &fixture,
                &user_path(&fixture, "bob"),
                json!({"email": "bob@example.org", "attributes": {"upn": "bob@corp"}}),
            );
            let app = shop(
                &fixture,
                json!({"sub_mode": sub_mode, "issuer_mode": issuer_mode}),
            );
            let browser = fixture.browser_of("bob");
            let tokens = tokens(&app, &browser);
            let told = match sub_mode {
                "user_username" => Some("bob"),
                "user_email" => Some("bob@example.org"),
                "user_upn" => Some("bob@corp"),
                _ => None,
            };
            if let Some(told) = told {
                assert_eq!(tokens.claims()["sub"], told);
            }
            let hint = tokens.id_token.unwrap();
            let form = Form::new(&[("id_token_hint", &hint), ("post_logout_redirect_uri", BYE)]);
            let page = logout(&browser, &form);
            assert_eq!(
                page.response.location(),
                Some(BYE),
                "{sub_mode} {issuer_mode}"
            );
            assert!(!is_signed_in(&browser));
        }
    }
}

#[test]
fn s4_6_an_application_that_is_an_issuer_ends_sessions_under_its_own_name() {
    let fixture = Fixture::new();
    let app = shop(&fixture, json!({"issuer_mode": "per_provider"}));
    let document = Request {
        method: "GET".to_owned(),
        path: "/application/o/shop/".to_owned(),
        ..Request::default()
    };
    let document = fixture.send(Endpoint::Application, &document).json();
    let endpoint = format!("{ISSUER}/application/o/shop/end-session/");
    assert_eq!(document["end_session_endpoint"], endpoint);
    let urls = read(&fixture, &format!("{}setup_urls/", app.path));
    assert_eq!(urls["logout"], endpoint);

    let browser = fixture.browser_of("bob");
    let hint = tokens(&app, &browser).id_token.unwrap();
    let form = Form::new(&[("id_token_hint", &hint), ("post_logout_redirect_uri", BYE)]);
    assert_eq!(end_session(&browser, "shop", &form).location(), Some(BYE));
    assert!(!is_signed_in(&browser));

    let browser = fixture.browser_of("bob");
    let asked = end_session(
        &browser,
        "shop",
        &Form::new(&[("post_logout_redirect_uri", BYE)]),
    );
    assert_eq!(
        asked.status, 200,
        "the path names the client, and the person is asked"
    );
    let page = Page {
        path: "/logout".to_owned(),
        response: asked,
    };
    assert_eq!(browser.submit(&page, &[]).response.location(), Some(BYE));
}

#[test]
fn s4_6_an_applications_own_path_is_for_its_own_client() {
    let fixture = Fixture::new();
    let app = shop(&fixture, json!({"issuer_mode": "per_provider"}));
    let browser = fixture.browser_of("bob");
    let other = fixture.tokens_in(&browser, "web").id_token.unwrap();
    let form = Form::new(&[("id_token_hint", &other)]);
    let asked = end_session(&browser, "shop", &form);
    assert_eq!((asked.status, asked.location()), (200, None));
    let named = end_session(&browser, "shop", &Form::new(&[("client_id", "web")]));
    assert_eq!(named.status, 400);
    for slug in ["other", "", "../shop"] {
        let nobody = end_session(&browser, slug, &Form::default());
        assert_eq!(nobody.status, 404, "{slug}");
    }
    app.patch(json!({"issuer_mode": "global"}));
    assert_eq!(end_session(&browser, "shop", &Form::default()).status, 404);
    assert!(is_signed_in(&browser));
}

/// A client at which signing out leaves the session.
fn leaving(fixture: &Fixture) -> App<'_> {
    let flow = json!({"name": "Bye", "slug": "bye", "designation": "invalidation", "ends": "client", "title": "Leave the shop?"});
    let flow = made(fixture, FLOWS, flow);
    App::new(
        fixture,
        json!({"post_logout_redirect_uris": [BYE], "invalidation_flow": flow["pk"]}),
    )
}

/// Tokens of a client that die with the session.
fn bound(app: &App<'_>, browser: &Browser<'_>) -> Tokens {
    let form = app.authorization().with("scope", "openid read");
    Tokens::of(&app.exchange(&browser.code(&form)))
}

#[test]
fn s4_2_where_the_flow_says_so_signing_out_ends_what_the_client_has_of_the_session_alone() {
    let fixture = Fixture::new();
    let app = leaving(&fixture);
    let browser = fixture.browser_of("bob");
    let desk = fixture.browser_of("bob");
    let here = bound(&app, &browser);
    let free = tokens(&app, &browser);
    let elsewhere = bound(&app, &desk);
    let others = online_tokens(&fixture, &browser, "web");
    let code = browser.code(&app.authorization());
    fixture.later(1);
    let hint = here.id_token.clone().unwrap();
    let form = Form::new(&[("id_token_hint", &hint), ("post_logout_redirect_uri", BYE)]);
    assert_eq!(logout(&browser, &form).response.location(), Some(BYE));
    assert!(is_signed_in(&browser), "the session stays, and its cookie");
    assert!(!app.is_active(&here.access));
    assert_eq!(app.refresh(here.refresh()).error(), "invalid_grant");
    assert_eq!(app.exchange(&code).error(), "invalid_grant");
    assert!(app.is_active(&free.access), "offline_access survives");
    assert!(app.is_active(&elsewhere.access));
    assert!(fixture.is_active(&others.access));
    fixture.later(1);
    assert!(
        app.is_active(&bound(&app, &browser).access),
        "and they may come back"
    );
}

#[test]
fn s4_2_who_is_asked_is_told_what_ends() {
    let fixture = Fixture::new();
    let app = leaving(&fixture);
    let browser = fixture.browser_of("bob");
    let here = bound(&app, &browser);
    let page = logout(&browser, &Form::new(&[("client_id", &app.id)]));
    let text = &page.response.body;
    assert!(
        text.contains("Leave the shop?") && !text.contains("Sign out?"),
        "{text}"
    );
    assert!(text.contains("You stay signed in here"));
    let after = browser.submit(&page, &[]);
    assert!(
        after.response.body.contains("You are signed out of"),
        "{}",
        after.response.body
    );
    assert!(is_signed_in(&browser));
    assert!(!app.is_active(&here.access));
    // By themselves they sign out of everything.
    let page = browser.open("/logout");
    assert!(page.response.body.contains("Sign out?"));
    browser.submit(&page, &[]);
    assert!(!is_signed_in(&browser));
}

/// OpenID Connect RP-Initiated Logout §3: exactly; RFC 8252's exception is for redirect URIs.
#[test]
fn a_post_logout_uri_on_loopback_is_led_to_on_its_own_port_alone() {
    let fixture = Fixture::new();
    let app = shop(
        &fixture,
        json!({"post_logout_redirect_uris": ["http://127.0.0.1:4000/bye"]}),
    );
    let browser = fixture.signed_in_browser();
    let hint = tokens(&app, &browser).id_token.unwrap();
    let form = Form::new(&[("id_token_hint", &hint)]);
    for (uri, status) in [
        ("http://127.0.0.1:4001/bye", 400),
        ("http://127.0.0.1/bye", 400),
        ("http://127.0.0.1:4000/bye", 303),
    ] {
        let page = logout(
            &browser,
            &form.clone().with("post_logout_redirect_uri", uri),
        );
        assert_eq!(page.response.status, status, "{uri}");
    }
}
