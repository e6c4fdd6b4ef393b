//! Redirect URIs (RU): registered strictly, compared byte for byte, and nothing else is redirected to.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use edgemint::http::Response;
use edgemint::server::Endpoint;
use serde_json::{Value, json};
use support::{Fixture, Seen, Tokens, authorization, exchange_form, redirect_uri};

/// Registers a client with these members, as the administrator.
fn register(fixture: &Fixture, members: &[(&str, Value)]) -> Response {
    let mut metadata = json!({ "redirect_uris": ["https://new.example/cb"] });
    for (name, value) in members {
        metadata[*name] = value.clone();
    }
    fixture.register(&metadata)
}

/// The request is refused on a page of ours, and leads nowhere.
fn refused_locally(response: &Response, label: &str) {
    let seen = (response.status, response.location(), response.label());
    assert_eq!(seen, (400, None, label.to_owned()));
    assert_eq!(
        response.header("content-type"),
        Some("text/html; charset=utf-8")
    );
}

#[test]
fn ru_1_a_request_whose_uri_differs_in_one_byte_is_refused_and_not_redirected() {
    let fixture = Fixture::new();
    let uri = redirect_uri("web");
    let mut others: Vec<String> = [
        "https://web.example/cb/",
        "https://web.example:443/cb",
        "https://web.example/%63b",
        "https://web.example/cb?",
        "https://web.example/cb?x=1",
        "https://web.example/cb#",
        "https://web.example/./cb",
        "https://web.example//cb",
        "https://web.example/x/../cb",
        "https://web.example@evil.example/cb",
        "https://web.example.evil.example/cb",
        "http://web.example/cb",
    ]
    .map(str::to_owned)
    .to_vec();
    for (index, byte) in uri.bytes().enumerate() {
        for bit in 0..7 {
            let mut bent = uri.as_bytes().to_vec();
            bent[index] = byte ^ (1 << bit);
            others.push(String::from_utf8(bent).unwrap());
        }
        let mut shorter = uri.to_owned();
        shorter.remove(index);
        others.push(shorter);
        let mut longer = uri.to_owned();
        longer.insert(index, '.');
        others.push(longer);
    }
    for other in others {
        let form = authorization("web").with("redirect_uri", &other);
        let response = fixture.get(Endpoint::Authorize, &form);
        assert_eq!(response.status, 400, "{other:?}");
        assert_eq!(response.location(), None, "{other:?}");
    }
    let page = fixture.browser().authorize(&authorization("web"));
    assert!(page.is_page_at("/login"));
}

#[test]
fn ru_2_a_native_client_is_answered_at_the_port_it_names_and_nowhere_else() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let form = authorization("native").with("redirect_uri", "http://127.0.0.1:51004/cb");
    let answer = browser.allow(&form).response;
    assert!(
        answer
            .location()
            .unwrap()
            .starts_with("http://127.0.0.1:51004/cb?")
    );
    let exchange = exchange_form("native", &answer.code())
        .with("redirect_uri", "http://127.0.0.1:51004/cb")
        .with("client_id", "native");
    assert_eq!(fixture.post(Endpoint::Token, &exchange).status, 200);

    for other in [
        "http://localhost:51004/cb",
        "http://127.0.0.2:51004/cb",
        "http://[::1]:51004/cb",
        "http://127.0.0.1:51004/other",
        "http://127.0.0.1:51004/cb?x=1",
        "https://127.0.0.1:51004/cb",
        "http://127.0.0.1:51004@evil.example/cb",
    ] {
        let form = authorization("native").with("redirect_uri", other);
        let response = browser.authorize(&form).response;
        refused_locally(&response, "unregistered_redirect_uri");
    }
    let form = authorization("web").with("redirect_uri", "https://web.example:8443/cb");
    refused_locally(
        &browser.authorize(&form).response,
        "unregistered_redirect_uri",
    );
}

#[test]
fn ru_3_and_4_and_8_and_9_an_unfit_redirect_uri_is_not_registered() {
    let fixture = Fixture::new();
    for unfit in [
        "https://a.example/cb#x",
        "https://a.example/cb#",
        "http://a.example/cb",
        "http://127.0.0.1.evil.example/cb",
        "https://user@a.example/cb",
        "https://a.example\\@evil.example/cb",
        "https://a.example/\tcb",
        "https://a.example/cb\n",
        "https://a.example/\u{0}",
        "https://a.example/%252e%252e/cb",
        "https://a.example/..;/cb",
        "https://ａ.example/cb",
        "https://а.example/cb",
        "https://a.example/cb?code=x",
        "https://a.example/cb?x=1&state=y",
        "https://a.example/cb?iss=z",
        "https://a.example/cb?error=e",
        "https://a.example/cb?response=r",
        "/cb",
        "",
        "*",
        "https://*.example/cb",
        "https://a.example/*",
    ] {
        let metadata = [("redirect_uris", json!(["https://a.example/ok", unfit]))];
        let response = register(&fixture, &metadata);
        if unfit.contains('*') && response.status == 201 {
            // A star is a letter like any other: it stands for itself, never for something else.
            let id = response.json()["client_id"].as_str().unwrap().to_owned();
            let form = authorization("web")
                .with("client_id", &id)
                .with("scope", "openid")
                .with("redirect_uri", &unfit.replace('*', "b"));
            refused_locally(
                &fixture.get(Endpoint::Authorize, &form),
                "unregistered_redirect_uri",
            );
            continue;
        }
        assert_eq!(response.status, 400, "{unfit:?}");
        assert_eq!(response.error(), "invalid_redirect_uri", "{unfit:?}");
    }
    for odd in [json!("https://a.example/cb"), json!([7]), json!({})] {
        let response = register(&fixture, &[("redirect_uris", odd)]);
        assert_eq!(response.status, 400);
    }
}

#[test]
fn ru_4_an_insecure_uri_is_refused_at_request_time_too() {
    let fixture = Fixture::new();
    let form = authorization("web").with("redirect_uri", "http://web.example/cb");
    refused_locally(
        &fixture.get(Endpoint::Authorize, &form),
        "unregistered_redirect_uri",
    );
}

#[test]
fn ru_5_a_scheme_that_runs_code_is_stored_nowhere() {
    let fixture = Fixture::new();
    for uri in [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "\u{1}javascript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "file:///etc/passwd",
        "blob:https://a.example/x",
        "about:blank",
    ] {
        for member in ["redirect_uris", "post_logout_redirect_uris"] {
            let response = register(&fixture, &[(member, json!([uri]))]);
            assert_eq!(response.error(), "invalid_redirect_uri", "{member} {uri:?}");
        }
        let response = register(&fixture, &[("client_uri", json!(uri))]);
        assert_eq!(response.error(), "invalid_client_metadata", "{uri:?}");
        // What is not understood is not stored either (RFC 7591 §2).
        for member in ["logo_uri", "policy_uri", "tos_uri", "jwks_uri"] {
            let response = register(&fixture, &[(member, json!(uri))]);
            assert_eq!(response.status, 201, "{member}");
            assert_eq!(response.json().get(member), None, "{member}");
            assert!(!fixture.memory().everything_stored().contains(uri));
        }
    }
}

#[test]
fn ru_6_an_unknown_client_or_uri_is_answered_on_a_page_and_never_by_a_redirect() {
    let fixture = Fixture::new();
    fixture.change_client("other", |client| client.enabled = false);
    let good = authorization("web");
    for (form, label) in [
        (good.clone().with("client_id", "nobody"), "unknown_client"),
        (good.clone().with("client_id", "a b\"<"), "unknown_client"),
        (
            good.clone().with("client_id", &"x".repeat(9000)),
            "unknown_client",
        ),
        (authorization("other"), "unknown_client"),
        (good.clone().without("client_id"), "missing_parameter"),
        (good.clone().and("client_id", "web"), "repeated_parameter"),
        (
            good.clone().with("redirect_uri", "https://evil.example/"),
            "unregistered_redirect_uri",
        ),
        (
            good.clone().and("redirect_uri", redirect_uri("web")),
            "repeated_parameter",
        ),
    ] {
        for form in [form.clone(), form.with("prompt", "none")] {
            for browser in [fixture.browser(), fixture.signed_in_browser()] {
                refused_locally(&browser.authorize(&form).response, label);
                refused_locally(&browser.authorize_by_post(&form).response, label);
            }
        }
    }
}

#[test]
fn ru_6_a_uri_that_is_taken_back_while_a_page_is_open_is_not_redirected_to() {
    for client in ["web", "post"] {
        let fixture = Fixture::new();
        let browser = fixture.browser();
        let mut page = browser.authorize(&authorization(client));
        if client == "post" {
            page = browser.fill_in(&page, "ada");
            assert!(page.is_page_at("/consent"));
        }
        fixture.change_client(client, |client| client.redirect_uris.clear());
        let fields = [
            ("username", "ada"),
            ("password", support::PASSWORD),
            ("decision", "allow"),
        ];
        let after = browser.submit(&page, &fields);
        refused_locally(&after.response, "unregistered_redirect_uri");
        assert_eq!(fixture.memory().code_records(), []);
    }
}

#[test]
fn ru_7_an_absent_uri_is_refused_where_more_than_one_is_possible_or_openid_is_asked_for() {
    let fixture = Fixture::new();
    let absent = authorization("web").without("redirect_uri");
    refused_locally(
        &fixture.get(Endpoint::Authorize, &absent),
        "missing_parameter",
    );
    let plain = absent.with("scope", "read");
    let browser = fixture.signed_in_browser();
    let answer = browser.authorize(&plain).response;
    assert!(
        answer
            .location()
            .unwrap()
            .starts_with("https://web.example/cb?")
    );

    fixture.change_client("web", |client| {
        let second = client.redirect_uris[0].clone();
        client.redirect_uris.push(second);
    });
    refused_locally(&browser.authorize(&plain).response, "missing_parameter");
    fixture.change_client("web", |client| client.redirect_uris.clear());
    refused_locally(&browser.authorize(&plain).response, "missing_parameter");
}

#[test]
fn ru_8_a_request_is_compared_as_it_was_sent_and_never_parsed_again() {
    let fixture = Fixture::new();
    for other in [
        "https://web.example/x/..;/cb",
        "https://web.example\\@evil.example/cb",
        "https://web.example/cb%00",
        "https://web.example/%2e/cb",
        "https:\\\\web.example\\cb",
        "https:///web.example/cb",
        " https://web.example/cb",
        "https://web.example/cb ",
        "https://web.example/c\tb",
        "https://ｗeb.example/cb",
        "https://web。example/cb",
    ] {
        let form = authorization("web").with("redirect_uri", other);
        let response = fixture.get(Endpoint::Authorize, &form);
        assert_eq!(
            (response.status, response.location()),
            (400, None),
            "{other:?}"
        );
    }
}

#[test]
fn ru_9_the_parameters_of_a_registered_uri_stay_and_ours_are_added_once() {
    let fixture = Fixture::new();
    let answer = fixture.signed_in_browser().allow(&authorization("post"));
    let location = answer.response.location().unwrap();
    assert!(location.starts_with("https://post.example/cb?tenant=1&code="));
    for name in ["code", "state", "iss"] {
        let names = answer.response.answer().names();
        assert_eq!(
            names.iter().filter(|known| *known == name).count(),
            1,
            "{name}"
        );
    }
}

#[test]
fn ru_10_a_token_request_that_names_another_uri_is_invalid_grant() {
    let fixture = Fixture::new();
    let code = fixture.code();
    let good = exchange_form("web", &code);
    for other in ["https://web.example/cb/", "https://evil.example/", "x"] {
        let response = fixture.token_as("web", &good.clone().with("redirect_uri", other));
        assert_eq!(
            (response.status, response.error().as_str()),
            (400, "invalid_grant")
        );
    }
    // OAuth 2.1 §10.2: its clients do not repeat it.
    let response = fixture.token_as("web", &good.without("redirect_uri"));
    Tokens::of(&response);
}
