//! Providers as their clients meet them: what they may do, what ends, and how a secret is rolled over
//! (rows S2.1, S3.1, S3.3 and S4.2).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use edgemint::server::Endpoint;
use serde_json::json;
use support::records::{App, CALLBACK, PROVIDERS, USERS, at, made, read, refused, user};
use support::{Fixture, Form, Seen as _, Tokens};

#[test]
fn s2_1_a_client_may_do_what_its_provider_says_and_no_more() {
    let fixture = Fixture::new();
    let app = App::new(&fixture, json!({}));
    let held = app.tokens();
    assert_eq!(held.scope, "email offline_access openid profile read");
    let browser = fixture.browser_of("bob");
    let credentials = Form::new(&[("grant_type", "client_credentials")]);
    assert_eq!(
        app.ask(Endpoint::Token, &credentials).error(),
        "unauthorized_client"
    );
    let elsewhere = app
        .authorization()
        .with("redirect_uri", "https://app.example/cb/");
    assert!(browser.authorize(&elsewhere).response.location().is_none());
    let form = app.authorization().with("response_type", "token");
    assert_eq!(
        browser.authorize(&form).response.error(),
        "unauthorized_client"
    );
    let form = app.authorization().with("scope", "openid write");
    let narrowed = browser.authorize(&form).response;
    assert!(narrowed.error() == "invalid_scope" || narrowed.location().is_some());
    // A loopback address has whichever port; nothing else has.
    app.patch(json!({"redirect_uris": ["http://127.0.0.1/cb", "https://app.example/cb"]}));
    let form = app
        .authorization()
        .with("redirect_uri", "http://127.0.0.1:4711/cb");
    assert!(browser.authorize(&form).response.location().is_some());
    let form = app
        .authorization()
        .with("redirect_uri", "https://app.example:444/cb");
    assert!(browser.authorize(&form).response.location().is_none());
}

#[test]
fn s4_2_less_than_before_ends_what_was_issued_and_more_does_not() {
    let fixture = Fixture::new();
    for (body, stays) in [
        (
            json!({"name": "Other", "description": "d", "access_token_validity": "hours=2"}),
            true,
        ),
        (
            json!({"scope": "openid profile email offline_access read write"}),
            true,
        ),
        (
            json!({"redirect_uris": [CALLBACK, "https://app.example/two"]}),
            true,
        ),
        (
            json!({"scope": "openid profile email offline_access"}),
            false,
        ),
        (json!({"grant_types": ["authorization_code"]}), false),
        (json!({"client_secret": "s".repeat(40)}), false),
        (json!({"enabled": false}), false),
    ] {
        let mut app = App::new(&fixture, json!({}));
        let held = app.tokens();
        let code = app.code(&fixture.browser_of("bob"));
        app.patch(body.clone());
        if body.get("client_secret").is_some() {
            assert!(!app.opens(&app.secret));
            app.secret = "s".repeat(40);
        }
        if body.get("enabled").is_some() {
            assert_eq!(app.refresh(held.refresh()).error(), "invalid_client");
            app.patch(json!({"enabled": true}));
        }
        assert_eq!(app.is_active(&held.access), stays, "{body}");
        assert_eq!(app.exchange(&code).status == 200, stays, "{body}");
        assert_eq!(app.refresh(held.refresh()).status == 200, stays, "{body}");
    }
}

#[test]
fn s4_2_a_deleted_client_leaves_nothing_to_one_of_the_same_id() {
    let fixture = Fixture::new();
    let body = json!({"client_id": "the-app", "client_secret": "s".repeat(40)});
    let mut app = App::new(&fixture, body.clone());
    app.secret = "s".repeat(40);
    let held = app.tokens();
    let code = app.code(&fixture.browser_of("bob"));
    assert_eq!(fixture.api("DELETE", &app.path, &json!({})).status, 204);
    assert_eq!(fixture.api("GET", &app.path, &json!({})).status, 404);
    assert_eq!(app.refresh(held.refresh()).error(), "invalid_client");
    let mut again = App::new(&fixture, body);
    again.secret = "s".repeat(40);
    assert!(!again.is_active(&held.access));
    assert_eq!(again.refresh(held.refresh()).error(), "invalid_grant");
    assert_eq!(again.exchange(&code).error(), "invalid_grant");
    assert!(
        again.is_active(&again.tokens().access),
        "it is not born dead"
    );
}

#[test]
fn s4_2_a_secret_is_rolled_over_without_a_moment_in_which_none_works() {
    let fixture = Fixture::new();
    let app = App::new(&fixture, json!({}));
    let secrets = format!("{}secrets/", app.path);
    let held = app.tokens();
    let first = read(&fixture, &secrets)["secrets"][0].clone();
    assert_eq!(first["created"], "2027-01-15T08:00:00Z");
    let second = fixture.api("POST", &secrets, &json!({}));
    assert_eq!(second.status, 201);
    let second = second.json()["client_secret"].as_str().unwrap().to_owned();
    assert!(app.opens(&app.secret) && app.opens(&second));
    assert!(app.is_active(&held.access), "another secret ends nothing");
    let shown = read(&fixture, &secrets);
    assert_eq!(shown["secrets"].as_array().unwrap().len(), 2);
    assert!(!shown.to_string().contains(&second));
    let one = format!("{secrets}{}/", first["id"].as_str().unwrap());
    assert_eq!(fixture.api("DELETE", &one, &json!({})).status, 204);
    assert!(!app.opens(&app.secret) && app.opens(&second));
    let app = App {
        secret: second,
        ..app
    };
    assert!(
        !app.is_active(&held.access),
        "what the old one may have got ends"
    );
    assert_eq!(app.refresh(held.refresh()).error(), "invalid_grant");
    assert!(app.is_active(&app.tokens().access));
}

#[test]
fn s4_2_secrets_are_bounded_and_the_last_one_stays() {
    let fixture = Fixture::new();
    let app = App::new(&fixture, json!({}));
    let secrets = format!("{}secrets/", app.path);
    let only = read(&fixture, &secrets)["secrets"][0]["id"].clone();
    let one = |id: &str| format!("{secrets}{id}/");
    refused(
        &fixture.api("DELETE", &one(only.as_str().unwrap()), &json!({})),
        400,
        "secret",
    );
    refused(
        &fixture.api("DELETE", &one("unknown"), &json!({})),
        400,
        "secret",
    );
    for _ in 0..3 {
        assert_eq!(fixture.api("POST", &secrets, &json!({})).status, 201);
    }
    refused(&fixture.api("POST", &secrets, &json!({})), 400, "secret");
    assert!(app.opens(&app.secret));
    let public = made(
        &fixture,
        PROVIDERS,
        json!({"name": "P", "client_type": "public", "redirect_uris": CALLBACK}),
    );
    assert!(public.get("client_secret").is_none());
    let path = format!("{}secrets/", at(PROVIDERS, &public));
    refused(&fixture.api("POST", &path, &json!({})), 400, "secret");
    for (method, path, status) in [
        ("PUT", secrets.clone(), 405),
        ("GET", one("x"), 405),
        ("GET", format!("{}nothing/", app.path), 404),
        ("POST", format!("{}setup_urls/", app.path), 405),
        ("POST", format!("{}used_by/", app.path), 405),
        ("GET", format!("{PROVIDERS}99/secrets/"), 404),
        ("POST", format!("{PROVIDERS}99/secrets/"), 404),
        ("GET", format!("{PROVIDERS}99/setup_urls/"), 404),
        ("GET", "/api/v1/roles/1/secrets/".to_owned(), 404),
    ] {
        assert_eq!(
            fixture.api(method, &path, &json!({})).status,
            status,
            "{method} {path}"
        );
    }
}

#[test]
fn s3_3_an_owner_who_goes_leaves_the_client() {
    let fixture = Fixture::new();
    let bob = user(&fixture, "bob");
    let app = App::new(&fixture, json!({"owner": bob["pk"]}));
    let held = app.tokens_of("ada");
    let path = at(USERS, &bob);
    let used = read(&fixture, &format!("{path}used_by/"));
    assert_eq!(
        (&used[0]["model_name"], &used[0]["name"]),
        (&json!("oauth2provider"), &json!("App"))
    );
    let listed = read(&fixture, &format!("{PROVIDERS}?owner={}", bob["pk"]));
    assert_eq!(listed["pagination"]["count"], 1);
    assert_eq!(fixture.api("DELETE", &path, &json!({})).status, 204);
    assert_eq!(read(&fixture, &app.path)["owner"], json!(null));
    assert!(app.is_active(&held.access));
}

#[test]
fn s3_1_a_token_never_says_more_than_client_person_and_known_scopes_together() {
    let fixture = Fixture::new();
    let app = App::new(&fixture, json!({"scope": "openid read write"}));
    let asked = app.authorization().with("scope", "openid read write");
    let scope = |username: &str| {
        let code = fixture.browser_of(username).code(&asked);
        Tokens::of(&app.exchange(&code)).scope
    };
    assert_eq!(scope("ada"), "openid read write");
    assert_eq!(scope("bob"), "openid read", "bob holds no write");
    app.patch(json!({"scope": "openid write"}));
    let narrowed = fixture
        .browser_of("ada")
        .authorize(&asked.clone().with("scope", "openid write"));
    assert_eq!(
        Tokens::of(&app.exchange(&narrowed.response.code())).scope,
        "openid write"
    );
    let write = read(&fixture, "/api/v1/scopes/?value=write")["results"][0]["id"].clone();
    let path = format!("/api/v1/scopes/{write}/");
    assert_eq!(fixture.api("DELETE", &path, &json!({})).status, 204);
    assert_eq!(read(&fixture, &app.path)["scope"], "openid");
    refused(
        &fixture.api("PATCH", &app.path, &json!({"scope": "openid write"})),
        400,
        "scope",
    );
}
