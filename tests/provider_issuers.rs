//! Applications with an issuer of their own (row S4.2, `issuer_mode`): one name in discovery, in ID
//! tokens and in answers, and its hints are understood.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use edgemint::http::{Request, Response};
use edgemint::server::Endpoint;
use serde_json::json;
use support::records::{App, made, read};
use support::{Fixture, ISSUER, Seen as _, decoded};

const APPLICATIONS: &str = "/api/v1/applications/";

fn discovery(fixture: &Fixture, path: &str) -> Response {
    let request = Request {
        method: "GET".to_owned(),
        path: path.to_owned(),
        ..Request::default()
    };
    fixture.send(Endpoint::Application, &request)
}

/// A client that has the application `shop`.
fn shop(fixture: &Fixture) -> App<'_> {
    let app = App::new(fixture, json!({"issuer_mode": "per_provider"}));
    let provider = read(fixture, &app.path)["pk"].clone();
    let body = json!({"name": "Shop", "slug": "shop", "provider": provider});
    made(fixture, APPLICATIONS, body);
    app
}

#[test]
fn s4_2_an_application_is_an_issuer_of_one_name_everywhere() {
    let fixture = Fixture::new();
    let app = shop(&fixture);
    let own = format!("{ISSUER}/application/o/shop/");
    let path = "/application/o/shop/.well-known/openid-configuration";
    let document = discovery(&fixture, path).json();
    assert_eq!(document["issuer"], own);
    assert_eq!(document["jwks_uri"], format!("{own}jwks/"));
    assert_eq!(document, discovery(&fixture, "/application/o/shop/").json());
    let keys = discovery(&fixture, "/application/o/shop/jwks/").json();
    assert!(!keys["keys"].as_array().unwrap().is_empty());

    let browser = fixture.browser_of("bob");
    let page = browser.authorize(&app.authorization());
    let location = page.response.location().unwrap();
    let encoded: String = form_urlencoded::byte_serialize(own.as_bytes()).collect();
    assert!(location.contains(&format!("iss={encoded}")), "{location}");
    let tokens = app.tokens();
    assert_eq!(tokens.claims()["iss"], own);
    assert!(app.is_active(&tokens.access));
}

#[test]
fn s4_2_its_access_tokens_name_the_same_issuer_in_either_form() {
    let fixture = Fixture::new();
    let app = shop(&fixture);
    let own = format!("{ISSUER}/application/o/shop/");
    for format in ["sealed", "jwt"] {
        app.patch(json!({"issuer_mode": "per_provider", "access_token_format": format}));
        let tokens = app.tokens();
        assert_eq!(app.introspect(&tokens.access)["iss"], own, "{format}");
        assert_eq!(app.introspect(tokens.refresh())["iss"], own, "{format}");
        if format == "jwt" {
            let claims = decoded(tokens.access.split('.').nth(1).unwrap());
            assert_eq!(claims["iss"], own);
        }
        assert_eq!(fixture.userinfo(&tokens.access).status, 200);
        // What was issued before says what it said.
        app.patch(json!({"issuer_mode": "global"}));
        assert_eq!(app.introspect(&tokens.access)["iss"], own, "{format}");
        assert_eq!(app.introspect(tokens.refresh())["iss"], ISSUER);
        assert_eq!(app.introspect(&app.tokens().access)["iss"], ISSUER);
    }
}

#[test]
fn s4_2_a_jwt_of_an_issuer_that_is_none_of_ours_is_no_token() {
    let fixture = Fixture::new();
    let app = shop(&fixture);
    app.patch(json!({"access_token_format": "jwt"}));
    let token = app.tokens().access;
    for issuer in [
        "https://evil.example/application/o/shop/".to_owned(),
        format!("{ISSUER}/application/o/other/"),
        format!("{ISSUER}/application/o//"),
        format!("{ISSUER}/application/o/shop"),
        ISSUER.to_owned(),
    ] {
        let altered = support::tokens::altered(&token, "iss", &json!(issuer));
        assert!(!app.is_active(&altered), "{issuer}");
    }
    assert!(app.is_active(&token));
}

#[test]
fn s4_2_a_refusal_names_the_same_issuer() {
    let fixture = Fixture::new();
    let app = shop(&fixture);
    let silent = app.authorization().with("prompt", "none");
    let page = fixture.browser().authorize(&silent);
    let location = page.response.location().unwrap();
    assert!(location.contains("error=login_required"), "{location}");
    assert!(location.contains("application%2Fo%2Fshop%2F"), "{location}");
}

#[test]
fn s4_2_its_id_token_is_a_hint_to_whom_it_was_issued() {
    let fixture = Fixture::new();
    let app = shop(&fixture);
    let browser = fixture.browser_of("bob");
    let tokens = app.exchange(&app.code(&browser)).json();
    let hint = tokens["id_token"].as_str().unwrap();
    let hinted = |form: support::Form| form.with("id_token_hint", hint).with("prompt", "none");
    let answer = browser.authorize(&hinted(app.authorization())).response;
    assert!(
        answer.location().unwrap().contains("code="),
        "{}",
        answer.body
    );
    let other = fixture.browser_of("ada");
    let answer = other.authorize(&hinted(app.authorization())).response;
    assert_eq!(answer.error(), "login_required", "somebody else");
}

#[test]
fn s4_2_only_an_application_whose_client_says_so_is_an_issuer() {
    let fixture = Fixture::new();
    let app = shop(&fixture);
    for path in [
        "/application/o/",
        "/application/o/other/",
        "/application/o/shop",
        "/application/o/shop/x/",
        "/application/o/shop/jwks",
        "/application/o/../shop/",
    ] {
        assert_eq!(discovery(&fixture, path).status, 404, "{path}");
    }
    app.patch(json!({"issuer_mode": "global"}));
    assert_eq!(discovery(&fixture, "/application/o/shop/").status, 404);
    assert_eq!(app.tokens().claims()["iss"], ISSUER);
}

#[test]
fn s4_2_a_signing_key_that_is_named_signs() {
    let fixture = Fixture::new();
    let app = App::new(&fixture, json!({}));
    app.tokens();
    let keys = read(&fixture, "/api/v1/keys/")["results"].clone();
    for alg in ["RS256", "EdDSA", "ES256"] {
        let mut keys = keys.as_array().unwrap().iter();
        let key = keys.find(|key| key["alg"] == alg).unwrap();
        let shown = app.patch(json!({"signing_key": key["pk"]}));
        assert_eq!(shown["signing_key"], key["pk"]);
        assert_eq!(shown["id_token_signed_response_alg"], alg);
        let tokens = app.tokens();
        assert_eq!(
            support::tokens::kid(&tokens.id_token.unwrap()),
            key["kid"].as_str().unwrap()
        );
    }
    let rsa = &keys
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["alg"] == "RS256")
        .unwrap()["pk"];
    for body in [
        json!({"signing_key": "00000000-0000-8000-8000-000000000001"}),
        json!({"signing_key": "x"}),
        json!({"signing_key": 7}),
        json!({"signing_key": rsa, "id_token_signed_response_alg": "ES256"}),
    ] {
        support::records::refused(&fixture.api("PATCH", &app.path, &body), 400, "signing_key");
    }
    app.patch(json!({"signing_key": null}));
}
