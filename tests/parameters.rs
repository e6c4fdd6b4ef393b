//! Every parameter of a good request emptied, repeated, oversized and made invalid in turn: never a
//! failure of ours, never a redirect to somewhere that is not registered.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use edgemint::http::{Request, Response};
use edgemint::server::Endpoint;
use support::{
    Browser, Fixture, Form, ISSUER, PASSWORD, Seen, authenticated, authorization, exchange_form,
    get, redirect_uri, refresh_form, secret,
};

const CLIENTS: [&str; 7] = ["web", "other", "post", "jwt", "spa", "native", "stranger"];

/// Values that some parser somewhere trips over.
fn odd_values() -> Vec<String> {
    let mut values: Vec<String> = [
        "",
        " ",
        "\0",
        "\r\nSet-Cookie: a=b",
        "\t",
        "é",
        "\u{202e}",
        "\u{fffd}",
        "💣",
        "%",
        "%00",
        "%zz",
        "+",
        "&",
        "=",
        ";",
        "a&b=c",
        "\"",
        "\\",
        "'",
        "<script>alert(1)</script>",
        "{}",
        "[]",
        "null",
        "true",
        "-1",
        "0",
        "1e9",
        "18446744073709551616",
        "99999999999999999999999999",
        "../../etc/passwd",
        "javascript:alert(1)",
        "https://evil.example/",
        "//evil.example",
        "https://id.example",
        "emc_",
        "ema_AAAA",
        "emr_AAAA",
        "emp_AAAA",
        "a.b.c",
        "eyJhbGciOiJub25lIn0.e30.",
        "openid openid",
        "openid  profile",
        "code token",
        "S256",
        "none login",
        "u_ada",
    ]
    .map(str::to_owned)
    .to_vec();
    for length in [255, 256, 1024, 4096, 4097, 8193, 24_577, 100_000] {
        values.push("x".repeat(length));
        values.push("%41".repeat(length / 3));
    }
    values.push("a ".repeat(5000));
    values.push("é".repeat(3000));
    values
}

/// Every way to bend one parameter of a request, or to add one that it does not have.
fn bent(good: &Form, more: &[&str]) -> Vec<Form> {
    let mut names = good.names();
    names.extend(more.iter().map(|name| (*name).to_owned()));
    let mut forms = Vec::new();
    for name in names {
        forms.push(good.clone().without(&name));
        for value in odd_values() {
            forms.push(good.clone().with(&name, &value));
            forms.push(good.clone().and(&name, &value));
        }
    }
    forms
}

/// A well-formed answer that is no failure of ours and leads nowhere it should not.
#[track_caller]
fn assert_sound(response: &Response, clients: &[&str], form: &Form) {
    let status = response.status;
    assert!(
        matches!(status, 200 | 303 | 400 | 401 | 403 | 413 | 429),
        "{status} {form:?}"
    );
    for (name, value) in &response.headers {
        let plain = |byte: u8| (0x20..0x7F).contains(&byte);
        assert!(value.bytes().all(plain), "{name}: {value}");
    }
    if let Some(location) = response.location() {
        let ours = [
            "/login?request=",
            "/consent?request=",
            "/oauth/authorize?continue=",
            "/oauth/logout?continue=",
        ];
        let ours = ours.iter().any(|path| {
            location
                .strip_prefix(ISSUER)
                .is_some_and(|rest| rest.starts_with(path))
        });
        let registered = clients.iter().any(|id| {
            let rest = location.strip_prefix(redirect_uri(id));
            rest.is_some_and(|rest| rest.starts_with(['?', '&', '#']))
        });
        assert!(ours || registered, "{location}");
        assert_eq!(status, 303);
        return;
    }
    match response.header("content-type") {
        Some("application/json") => drop(response.json()),
        other => assert_eq!(other, Some("text/html; charset=utf-8")),
    }
    if status >= 400 {
        assert!(!response.label().is_empty());
    }
}

#[test]
fn no_bent_authorization_request_breaks_anything_or_leads_astray() {
    let fixture = Fixture::new();
    let signed_in = fixture.signed_in_browser();
    let anonymous = fixture.browser();
    let more = [
        "resource",
        "prompt",
        "max_age",
        "login_hint",
        "id_token_hint",
        "response_mode",
        "request",
        "request_uri",
        "continue",
        "display",
        "claims",
        "acr_values",
        "registration",
    ];
    for form in bent(&authorization("web"), &more) {
        for browser in [&signed_in, &anonymous] {
            let response = browser.send(Endpoint::Authorize, get(&form));
            assert_sound(&response, &["web", "other"], &form);
            let response = browser.send(Endpoint::Authorize, support::post(&form));
            assert_sound(&response, &["web", "other"], &form);
        }
    }
}

#[test]
fn no_bent_authorization_request_of_any_client_leads_to_another_clients_uri() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    for id in CLIENTS {
        for other in CLIENTS.into_iter().filter(|other| *other != id) {
            let form = authorization(id).with("redirect_uri", redirect_uri(other));
            let response = browser.authorize(&form).response;
            assert_eq!(
                (response.status, response.location()),
                (400, None),
                "{id} {other}"
            );
        }
    }
}

#[test]
fn no_bent_token_request_breaks_anything() {
    let fixture = Fixture::new();
    let more = [
        "client_id",
        "client_secret",
        "client_assertion",
        "client_assertion_type",
        "resource",
        "scope",
        "username",
        "password",
    ];
    let code = fixture.code();
    let tokens = fixture.tokens();
    for good in [
        exchange_form("web", &code),
        refresh_form(tokens.refresh()),
        Form::new(&[("grant_type", "client_credentials")]),
    ] {
        for form in bent(&good, &more) {
            let response = fixture.send(Endpoint::Token, &authenticated("web", &form));
            assert_sound(&response, &[], &form);
        }
    }
    let post = Form::new(&[
        ("grant_type", "client_credentials"),
        ("client_id", "post"),
        ("client_secret", &secret("post")),
    ]);
    for form in bent(&post, &[]) {
        let response = fixture.post(Endpoint::Token, &form);
        assert_sound(&response, &[], &form);
    }
}

#[test]
fn no_bent_request_to_the_other_endpoints_of_a_client_breaks_anything() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens();
    let good = Form::new(&[
        ("token", &tokens.access),
        ("token_type_hint", "access_token"),
    ]);
    for form in bent(&good, &["scope", "client_id", "client_secret"]) {
        for endpoint in [Endpoint::Introspect, Endpoint::CheckToken, Endpoint::Revoke] {
            let response = fixture.send(endpoint, &authenticated("web", &form));
            if response.status == 200 && response.body.is_empty() {
                continue;
            }
            assert_sound(&response, &[], &form);
        }
    }
}

#[test]
fn no_bent_page_breaks_anything() {
    let fixture = Fixture::new();
    let fields = [("username", "ada"), ("password", PASSWORD)];
    let send = |browser: &Browser<'_>, endpoint, form: &Form| {
        let request = Request {
            fetch_site: Some("same-origin".to_owned()),
            ..support::post(form)
        };
        assert_sound(&browser.send(endpoint, request), &["post"], form);
        assert_sound(&browser.send(endpoint, get(form)), &["post"], form);
    };
    let browser = fixture.browser();
    let page = browser.authorize(&authorization("post"));
    let mut good = page.hidden_fields();
    for (name, value) in fields {
        good = good.with(name, value);
    }
    for name in ["request", "csrf"] {
        for value in odd_values() {
            send(
                &browser.copy(),
                Endpoint::Login,
                &good.clone().with(name, &value),
            );
            send(
                &browser.copy(),
                Endpoint::Login,
                &good.clone().and(name, &value),
            );
        }
    }
    for value in odd_values().into_iter().step_by(12) {
        send(
            &browser.copy(),
            Endpoint::Login,
            &good.clone().with("username", &value),
        );
    }
    let page = browser.fill_in(&page, "ada");
    let good = page.hidden_fields().with("decision", "allow");
    for form in bent(&good, &[]) {
        if form != good {
            send(&browser.copy(), Endpoint::Consent, &form);
        }
    }
}

#[test]
fn no_header_that_a_client_can_send_breaks_anything() {
    let fixture = Fixture::new();
    let form = Form::new(&[("grant_type", "client_credentials")]);
    for value in odd_values() {
        for scheme in ["", "Basic ", "Bearer ", "basic", "DPoP "] {
            let request = Request {
                authorization: Some(format!("{scheme}{value}")),
                cookie: Some(format!("__Host-edgemint-session={value}; {value}; =;")),
                origin: Some(value.clone()),
                fetch_site: Some(value.clone()),
                ..support::post(&form)
            };
            for endpoint in [
                Endpoint::Token,
                Endpoint::Introspect,
                Endpoint::Revoke,
                Endpoint::Userinfo,
                Endpoint::Authorize,
                Endpoint::Login,
                Endpoint::Consent,
                Endpoint::Logout,
            ] {
                assert_sound(&fixture.send(endpoint, &request), &[], &form);
            }
        }
    }
}
