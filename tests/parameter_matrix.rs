//! Seed 002's validator matrix: each parameter of a good request emptied, made invalid, repeated and
//! oversized in turn, and the whole answer compared with what the RFCs say.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use edgemint::http::Response;
use edgemint::model::GrantType;
use edgemint::server::Endpoint;
use support::{
    Browser, CHALLENGE, Fixture, Form, ISSUER, PASSWORD, RESOURCE, STATE, Seen, authenticated,
    authorization, exchange_form, redirect_uri, refresh_form, secret,
};

/// A parameter, a good value, a bad one, and what is answered when it is empty, bad, twice there, and far
/// too long.
type Row = (&'static str, &'static str, &'static str, [&'static str; 4]);

/// Answers of the authorization endpoint. `code`: granted; `page …`: our own page with this status and
/// reason, because client or redirect URI are not proven (RFC 6749 §4.1.2.1); anything else is the error
/// in a redirect to the client. `stateless`: without `state`, as none was sent that could be returned.
///
/// An empty value is an absent one (RFC 6749 §3.1), so what is optional may be empty; a parameter that
/// is there twice makes the request invalid (ibid.), whatever it is for.
const AUTHORIZE: [Row; 20] = [
    (
        "client_id",
        "web",
        "nobody",
        [
            "page 400 missing_parameter",
            "page 400 unknown_client",
            "page 400 repeated_parameter",
            "page 400 unknown_client",
        ],
    ),
    (
        "redirect_uri",
        "https://web.example/cb",
        "https://evil.example/cb",
        [
            "page 400 missing_parameter",
            "page 400 unregistered_redirect_uri",
            "page 400 repeated_parameter",
            "page 400 unregistered_redirect_uri",
        ],
    ),
    (
        "response_type",
        "code",
        "invalid",
        [
            "invalid_request",
            "unsupported_response_type",
            "invalid_request",
            "unsupported_response_type",
        ],
    ),
    (
        "scope",
        "openid profile",
        "invalid",
        ["code", "invalid_scope", "invalid_request", "invalid_scope"],
    ),
    // What could not come back unchanged does not come back.
    (
        "state",
        STATE,
        "\r\n",
        [
            "code stateless",
            "invalid_request stateless",
            "invalid_request stateless",
            "invalid_request stateless",
        ],
    ),
    (
        "nonce",
        "n",
        "\0",
        [
            "code",
            "invalid_request",
            "invalid_request",
            "invalid_request",
        ],
    ),
    // RFC 7636 §4.4.1.
    (
        "code_challenge",
        CHALLENGE,
        "invalid",
        [
            "invalid_request",
            "invalid_request",
            "invalid_request",
            "invalid_request",
        ],
    ),
    // None is `plain` (RFC 7636 §4.3), which this client may not use.
    (
        "code_challenge_method",
        "S256",
        "invalid",
        [
            "invalid_request",
            "invalid_request",
            "invalid_request",
            "invalid_request",
        ],
    ),
    // RFC 8707 §2; a token is for one resource, so two are one too many.
    (
        "resource",
        RESOURCE,
        "https://evil.example",
        [
            "code",
            "invalid_target",
            "invalid_request",
            "invalid_target",
        ],
    ),
    (
        "response_mode",
        "query",
        "invalid",
        [
            "code",
            "invalid_request",
            "invalid_request",
            "invalid_request",
        ],
    ),
    (
        "prompt",
        "none",
        "invalid",
        [
            "code",
            "invalid_request",
            "invalid_request",
            "invalid_request",
        ],
    ),
    (
        "max_age",
        "600",
        "-1",
        [
            "code",
            "invalid_request",
            "invalid_request",
            "invalid_request",
        ],
    ),
    (
        "login_hint",
        "ada",
        "\0",
        [
            "code",
            "invalid_request",
            "invalid_request",
            "invalid_request",
        ],
    ),
    (
        "id_token_hint",
        "",
        "invalid",
        [
            "code",
            "invalid_request",
            "invalid_request",
            "invalid_request",
        ],
    ),
    (
        "claims",
        "{}",
        "invalid",
        [
            "code",
            "invalid_request",
            "invalid_request",
            "invalid_request",
        ],
    ),
    // OpenID Connect Core §3.1.2.1: what a server does not know of these does no harm.
    (
        "display",
        "page",
        "invalid",
        ["code", "code", "invalid_request", "code"],
    ),
    (
        "ui_locales",
        "en",
        "invalid",
        ["code", "code", "invalid_request", "code"],
    ),
    (
        "acr_values",
        "x",
        "invalid",
        ["code", "code", "invalid_request", "code"],
    ),
    // OpenID Connect Core §6: refused by name, whatever they hold.
    (
        "request",
        "",
        "invalid",
        [
            "code",
            "request_not_supported",
            "invalid_request",
            "request_not_supported",
        ],
    ),
    (
        "request_uri",
        "",
        "invalid",
        [
            "code",
            "request_uri_not_supported",
            "invalid_request",
            "request_uri_not_supported",
        ],
    ),
];

/// Answers of the token endpoint: status and error of RFC 6749 §5.2.
const EXCHANGE: [Row; 5] = [
    (
        "grant_type",
        "authorization_code",
        "invalid",
        [
            "400 invalid_request",
            "400 unsupported_grant_type",
            "400 invalid_request",
            "400 unsupported_grant_type",
        ],
    ),
    // What is longer than anything that could be one is malformed, and not looked at.
    (
        "code",
        "",
        "invalid",
        [
            "400 invalid_request",
            "400 invalid_grant",
            "400 invalid_request",
            "400 invalid_request",
        ],
    ),
    // A client of OAuth 2.1 does not repeat it; one that does has to do it exactly.
    (
        "redirect_uri",
        "https://web.example/cb",
        "invalid",
        [
            "200",
            "400 invalid_grant",
            "400 invalid_request",
            "400 invalid_grant",
        ],
    ),
    // RFC 7636 §4.6.
    (
        "code_verifier",
        "",
        "invalid",
        [
            "400 invalid_grant",
            "400 invalid_grant",
            "400 invalid_request",
            "400 invalid_grant",
        ],
    ),
    // RFC 8707 §2.2.
    (
        "resource",
        "web",
        "https://evil.example",
        [
            "200",
            "400 invalid_target",
            "400 invalid_request",
            "400 invalid_target",
        ],
    ),
];

const REFRESH: [Row; 4] = [
    (
        "grant_type",
        "refresh_token",
        "invalid",
        [
            "400 invalid_request",
            "400 unsupported_grant_type",
            "400 invalid_request",
            "400 unsupported_grant_type",
        ],
    ),
    (
        "refresh_token",
        "",
        "invalid",
        [
            "400 invalid_request",
            "400 invalid_grant",
            "400 invalid_request",
            "400 invalid_request",
        ],
    ),
    (
        "scope",
        "openid",
        "invalid",
        [
            "200",
            "400 invalid_scope",
            "400 invalid_request",
            "400 invalid_scope",
        ],
    ),
    (
        "resource",
        "web",
        "https://evil.example",
        [
            "200",
            "400 invalid_target",
            "400 invalid_request",
            "400 invalid_target",
        ],
    ),
];

/// Of a client that authenticates by the body. Who it is not, is 401 and never 400, unless it is said twice or
/// longer than anything that is looked at.
const CLIENT_CREDENTIALS: [Row; 5] = [
    (
        "grant_type",
        "client_credentials",
        "invalid",
        [
            "400 invalid_request",
            "400 unsupported_grant_type",
            "400 invalid_request",
            "400 unsupported_grant_type",
        ],
    ),
    (
        "client_id",
        "post",
        "nobody",
        [
            "401 invalid_client",
            "401 invalid_client",
            "400 invalid_request",
            "400 invalid_request",
        ],
    ),
    (
        "client_secret",
        "",
        "invalid",
        [
            "401 invalid_client",
            "401 invalid_client",
            "400 invalid_request",
            "400 invalid_request",
        ],
    ),
    (
        "scope",
        "read",
        "invalid",
        [
            "200",
            "400 invalid_scope",
            "400 invalid_request",
            "400 invalid_scope",
        ],
    ),
    (
        "resource",
        "post",
        "https://evil.example",
        [
            "200",
            "400 invalid_target",
            "400 invalid_request",
            "400 invalid_target",
        ],
    ),
];

/// Of a client that takes people's passwords. Why one is refused nobody is told.
const PASSWORD_GRANT: [Row; 5] = [
    (
        "grant_type",
        "password",
        "invalid",
        [
            "400 invalid_request",
            "400 unsupported_grant_type",
            "400 invalid_request",
            "400 unsupported_grant_type",
        ],
    ),
    (
        "username",
        "ada",
        "nobody",
        [
            "400 invalid_request",
            "400 invalid_grant",
            "400 invalid_request",
            "400 invalid_grant",
        ],
    ),
    (
        "password",
        "",
        "invalid",
        [
            "400 invalid_request",
            "400 invalid_grant",
            "400 invalid_request",
            "400 invalid_grant",
        ],
    ),
    (
        "scope",
        "read",
        "invalid",
        [
            "200",
            "400 invalid_scope",
            "400 invalid_request",
            "400 invalid_scope",
        ],
    ),
    (
        "resource",
        "web",
        "https://evil.example",
        [
            "200",
            "400 invalid_target",
            "400 invalid_request",
            "400 invalid_target",
        ],
    ),
];

const BENDS: [&str; 4] = ["empty", "invalid", "repeated", "oversized"];

/// The request with this parameter bent, in the order of [`BENDS`].
fn bent(good: &Form, row: &Row) -> [Form; 4] {
    let (name, value, invalid, _) = *row;
    let here = good.value(name).unwrap_or(value).to_owned();
    let good = good.clone().with(name, &here);
    let set = |value: &str| good.clone().with(name, value);
    [
        set(""),
        set(invalid),
        good.clone().and(name, &here),
        set(&"x".repeat(10_000)),
    ]
}

/// What differs from the table, all of it at once.
fn differences(rows: &[Row], good: impl Fn() -> Form, answer: impl Fn(&Form) -> String) -> String {
    let mut found = String::new();
    for row in rows {
        for (index, bend) in BENDS.iter().enumerate() {
            let form = &bent(&good(), row)[index];
            let (seen, expected) = (answer(form), row.3[index]);
            if seen != expected {
                found += &format!("{} {bend}: {seen}, not {expected}\n", row.0);
            }
        }
    }
    found
}

/// The answer in the words of [`AUTHORIZE`], after everything about it that is always so was checked.
fn at_authorize(browser: &Browser<'_>, form: &Form) -> String {
    let response = browser.authorize(form).response;
    assert_eq!(response.header("cache-control"), Some("no-store"));
    assert_eq!(response.header("www-authenticate"), None);
    let Some(location) = response.location() else {
        assert_eq!(
            response.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        return format!("page {} {}", response.status, response.label());
    };
    assert_eq!(response.status, 303);
    let base = format!("{}?", redirect_uri("web"));
    assert!(location.starts_with(&base), "{location}");
    let answer = response.answer();
    // RFC 9207: in every answer, once, and what it answers for.
    assert_eq!(answer.value("iss"), Some(ISSUER));
    let (mut names, what) = match answer.value("error") {
        None => (vec!["code"], "code".to_owned()),
        Some(error) => {
            assert_described(answer.value("error_description").unwrap());
            (vec!["error", "error_description"], error.to_owned())
        }
    };
    let state = answer.value("state").map(str::to_owned);
    names.extend(state.is_some().then_some("state"));
    names.push("iss");
    assert_eq!(answer.names(), names, "{location}");
    match state {
        None => format!("{what} stateless"),
        Some(state) => {
            assert_eq!(state, STATE);
            what
        }
    }
}

/// The characters of RFC 6749 §4.1.2.1 and §5.2.
fn assert_described(description: &str) {
    let allowed = |byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5B | 0x5D..=0x7E);
    assert!(!description.is_empty() && description.bytes().all(allowed));
}

/// The answer in the words of [`EXCHANGE`], as [`at_authorize`].
fn at_token(response: &Response, by_header: bool) -> String {
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert_eq!(response.header("cache-control"), Some("no-store"));
    assert_eq!(response.header("pragma"), Some("no-cache"));
    assert_eq!(response.location(), None);
    let body = response.json();
    let challenged = response.header("www-authenticate").is_some();
    assert_eq!(challenged, response.status == 401 && by_header);
    if response.status == 200 {
        assert!(body["access_token"].is_string());
        return "200".to_owned();
    }
    assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
    assert_described(body["error_description"].as_str().unwrap());
    format!("{} {}", response.status, response.error())
}

#[test]
fn s2_8_every_parameter_of_an_authorization_request_is_answered_as_the_rfcs_say() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let good = || authorization("web");
    assert_eq!(at_authorize(&browser, &good()), "code");
    let found = differences(&AUTHORIZE, good, |form| at_authorize(&browser, form));
    assert!(found.is_empty(), "{found}");
}

#[test]
fn s2_8_a_posted_authorization_request_is_answered_as_one_by_get() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    for row in &AUTHORIZE {
        for form in bent(&authorization("web"), row) {
            let by_get = browser.authorize(&form).response;
            let by_post = browser.authorize_by_post(&form).response;
            let seen = |response: &Response| (response.status, response.label());
            assert_eq!(seen(&by_get), seen(&by_post), "{}", row.0);
        }
    }
}

#[test]
fn s2_8_every_parameter_of_a_code_exchange_is_answered_as_the_rfcs_say() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let good = || exchange_form("web", &browser.code(&authorization("web")));
    let found = differences(&EXCHANGE, good, |form| {
        at_token(&fixture.token_as("web", form), true)
    });
    assert!(found.is_empty(), "{found}");
}

#[test]
fn s2_8_every_parameter_of_a_refresh_is_answered_as_the_rfcs_say() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let good = || refresh_form(fixture.tokens_in(&browser, "web").refresh());
    let found = differences(&REFRESH, good, |form| {
        at_token(&fixture.token_as("web", form), true)
    });
    assert!(found.is_empty(), "{found}");
}

#[test]
fn s2_8_every_parameter_of_client_credentials_is_answered_as_the_rfcs_say() {
    let fixture = Fixture::new();
    let good = || {
        Form::new(&[
            ("grant_type", "client_credentials"),
            ("client_id", "post"),
            ("client_secret", &secret("post")),
        ])
    };
    let answer = |form: &Form| at_token(&fixture.post(Endpoint::Token, form), false);
    let found = differences(&CLIENT_CREDENTIALS, good, answer);
    assert!(found.is_empty(), "{found}");
    let wrong = fixture.send(Endpoint::Token, &authenticated("web", &good()));
    assert_eq!(
        at_token(&wrong, true),
        "400 invalid_request",
        "two ways at once"
    );
}

#[test]
fn s2_8_every_parameter_of_the_password_grant_is_answered_as_the_rfcs_say() {
    let fixture = Fixture::new();
    fixture.change_client("web", |client| {
        client.grant_types.push(GrantType::Password);
        client.danger_allow_password_grant = true;
    });
    let good = || {
        Form::new(&[
            ("grant_type", "password"),
            ("username", "ada"),
            ("password", PASSWORD),
        ])
    };
    let found = differences(&PASSWORD_GRANT, good, |form| {
        at_token(&fixture.token_as("web", form), true)
    });
    assert!(found.is_empty(), "{found}");
}
