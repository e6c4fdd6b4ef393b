//! Browser clients and CORS (BA).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use edgemint::http::{Request, Response};
use edgemint::server::Endpoint;
use support::tokens::{get_with, json_post, online, online_tokens};
use support::{
    BOOTSTRAP, Fixture, Form, Seen, Tokens, authenticated, authorization, exchange_form, get, post,
    refresh_form,
};

/// A request as a page of another origin sends it.
fn cross_origin(request: Request) -> Request {
    Request {
        origin: Some("https://spa.example".to_owned()),
        fetch_site: Some("cross-site".to_owned()),
        ..request
    }
}

fn assert_readable(answer: &Response, name: &str) {
    assert_eq!(
        answer.header("access-control-allow-origin"),
        Some("*"),
        "{name}"
    );
    assert_eq!(
        answer.header("access-control-allow-credentials"),
        None,
        "{name}"
    );
    let exposed = answer.header("access-control-expose-headers").unwrap();
    for header in ["www-authenticate", "retry-after"] {
        assert!(exposed.contains(header), "{name}");
    }
}

#[test]
fn ba_1_what_a_page_may_call_answers_any_origin_also_when_it_refuses() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens_of("spa");
    let bearer = format!("Bearer {}", tokens.access);
    for (endpoint, good, bad) in [
        (Endpoint::OpenidConfiguration, get(&Form::default()), None),
        (Endpoint::AuthorizationServer, get(&Form::default()), None),
        (Endpoint::ProtectedResource, get(&Form::default()), None),
        (Endpoint::Jwks, get(&Form::default()), None),
        (
            Endpoint::Token,
            authenticated("spa", &refresh_form(tokens.refresh())),
            Some(post(&Form::default())),
        ),
        (
            Endpoint::Userinfo,
            get_with(&bearer),
            Some(get_with("Bearer x")),
        ),
        (
            Endpoint::Introspect,
            Request {
                authorization: Some(bearer.clone()),
                ..post(&Form::new(&[("token", "x")]))
            },
            Some(post(&Form::default())),
        ),
        (
            Endpoint::Revoke,
            authenticated("spa", &Form::new(&[("token", &tokens.access)])),
            Some(post(&Form::default())),
        ),
        (
            Endpoint::Register,
            json_post(
                Some(BOOTSTRAP),
                r#"{"redirect_uris":["https://a.example/cb"]}"#,
            ),
            Some(json_post(None, "{}")),
        ),
    ] {
        let answer = fixture.send(endpoint, &cross_origin(good));
        assert!(answer.status < 300, "{endpoint:?}: {}", answer.body);
        assert_readable(&answer, endpoint.word());
        if let Some(bad) = bad {
            let answer = fixture.send(endpoint, &cross_origin(bad));
            assert!(answer.status >= 400, "{endpoint:?}");
            assert_readable(&answer, endpoint.word());
        }
    }
}

#[test]
fn ba_1_what_a_cookie_has_a_say_in_is_readable_by_no_other_origin() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    for endpoint in [
        Endpoint::Authorize,
        Endpoint::Login,
        Endpoint::Consent,
        Endpoint::Logout,
        Endpoint::Records,
        Endpoint::FirstRun,
        Endpoint::RotateKeys,
    ] {
        for request in [get(&online("spa")), post(&online("spa"))] {
            let answer = browser.copy().send(endpoint, cross_origin(request));
            let cors = answer
                .headers
                .iter()
                .any(|(name, _)| name.starts_with("access-control"));
            assert!(!cors, "{endpoint:?}");
        }
    }
}

#[test]
fn ba_2_a_browser_client_needs_no_secret() {
    let fixture = Fixture::new();
    let answer = fixture.exchange_as("spa", &fixture.code_for("spa"));
    assert_eq!(answer.status, 200);
}

#[test]
fn ba_2_a_secret_of_a_client_that_has_none_proves_nothing() {
    let fixture = Fixture::new();
    let code = fixture.code_for("spa");
    let form = exchange_form("spa", &code).with("client_id", "spa");
    let in_body = post(&form.clone().with("client_secret", "anything"));
    let in_header = Request {
        authorization: Some(support::basic("spa", "")),
        ..post(&form)
    };
    for request in [in_body, in_header] {
        let answer = fixture.send(Endpoint::Token, &request);
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (401, "invalid_client")
        );
    }
    assert_eq!(
        fixture.send(Endpoint::Token, &post(&form)).status,
        200,
        "the code was not spent"
    );
}

#[test]
fn ba_2_a_browser_client_cannot_act_for_itself() {
    let fixture = Fixture::new();
    let answer = fixture.client_credentials("spa");
    assert_eq!(
        (answer.status, answer.error().as_str()),
        (400, "unauthorized_client")
    );
}

#[test]
fn ba_3_a_session_cookie_has_no_say_in_what_a_client_asks() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    for (endpoint, request) in [
        (
            Endpoint::Token,
            post(&Form::new(&[
                ("grant_type", "authorization_code"),
                ("client_id", "spa"),
            ])),
        ),
        (
            Endpoint::Token,
            post(&Form::new(&[
                ("grant_type", "refresh_token"),
                ("client_id", "spa"),
            ])),
        ),
        (Endpoint::Userinfo, get(&Form::default())),
        (Endpoint::Introspect, post(&Form::new(&[("token", "x")]))),
        (Endpoint::Revoke, post(&Form::new(&[("token", "x")]))),
        (Endpoint::Records, json_post(None, "{}")),
        (Endpoint::RotateKeys, json_post(None, "")),
        (Endpoint::Register, json_post(None, "{}")),
    ] {
        let without = fixture.send(endpoint, &request);
        let with = browser.copy().send(endpoint, request);
        assert!(with.status >= 400, "{endpoint:?}");
        assert_eq!(with, without, "{endpoint:?}");
    }
}

#[test]
fn ba_3_no_answer_to_a_client_sets_a_cookie() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let code = browser.code(&online("spa"));
    let answer = browser.send(
        Endpoint::Token,
        authenticated("spa", &exchange_form("spa", &code)),
    );
    assert_eq!(answer.status, 200);
    assert!(answer.all("set-cookie").is_empty());
}

#[test]
fn ba_4_logout_ends_the_refresh_tokens_of_browser_clients() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let tokens = online_tokens(&fixture, &browser, "spa");
    let next = Tokens::of(&fixture.refresh_as("spa", tokens.refresh()));
    browser.submit(&browser.open("/logout"), &[]);
    assert_eq!(
        fixture.refresh_as("spa", next.refresh()).error(),
        "invalid_grant"
    );
    assert_eq!(fixture.userinfo(&next.access).status, 401);
}

#[test]
fn ba_4_what_a_person_agreed_to_for_the_time_after_is_ended_by_the_client_itself() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let tokens = Tokens::of(&fixture.exchange_as("spa", &browser.code(&authorization("spa"))));
    browser.submit(&browser.open("/logout"), &[]);
    assert_eq!(fixture.userinfo(&tokens.access).status, 200);
    assert_eq!(fixture.revoke_as("spa", tokens.refresh()).status, 200);
    assert_eq!(
        fixture.refresh_as("spa", tokens.refresh()).error(),
        "invalid_grant"
    );
    assert_eq!(fixture.userinfo(&tokens.access).status, 401);
}
