//! Providers, which are clients, and what belongs to them: applications, property mappings and flows
//! (rows S2.1, S3.3, S4.2 and S4.5).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use edgemint::http::{Request, Response};
use edgemint::server::Endpoint;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use support::{
    Browser, Fixture, Form, ISSUER, Seen as _, Tokens, VERIFIER, authorization, basic, post,
};

const PROVIDERS: &str = "/api/v1/providers/oauth2/";
const APPLICATIONS: &str = "/api/v1/applications/";
const MAPPINGS: &str = "/api/v1/property_mappings/";
const FLOWS: &str = "/api/v1/flows/";
const CALLBACK: &str = "https://app.example/cb";

fn made(fixture: &Fixture, path: &str, body: Value) -> Value {
    let answer = fixture.api("POST", path, &body);
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.json()
}

fn at(collection: &str, record: &Value) -> String {
    let key = &record["pk"];
    let key = key.as_str().map_or(key.to_string(), str::to_owned);
    format!("{collection}{key}/")
}

fn read(fixture: &Fixture, path: &str) -> Value {
    let answer = fixture.api("GET", path, &json!({}));
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.json()
}

fn patched(fixture: &Fixture, path: &str, body: Value) -> Value {
    let answer = fixture.api("PATCH", path, &body);
    assert_eq!(answer.status, 200, "{path} {body}: {}", answer.body);
    answer.json()
}

fn refused(answer: &Response, status: u16, field: &str) {
    assert_eq!(answer.status, status, "{field}: {}", answer.body);
    let problem = answer.json();
    assert!(problem[field].is_array(), "{field}: {problem}");
    assert_eq!(problem["errors"][0]["loc"][1], field, "{problem}");
}

fn user(fixture: &Fixture, username: &str) -> Value {
    read(fixture, &format!("/api/v1/users/?username={username}"))["results"][0].clone()
}

/// A provider, as its client uses it.
struct App<'a> {
    fixture: &'a Fixture,
    path: String,
    id: String,
    secret: String,
}

impl<'a> App<'a> {
    /// One for which an administrator has answered the consent question.
    fn new(fixture: &'a Fixture, more: Value) -> Self {
        let flow = "default-provider-authorization-implicit-consent";
        let flow = read(fixture, &format!("{FLOWS}?slug={flow}"))["results"][0]["pk"].clone();
        let mut body = json!({
            "name": "App", "redirect_uris": CALLBACK, "authorization_flow": flow,
            "scope": "openid profile email offline_access read",
        });
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let provider = made(fixture, PROVIDERS, body);
        let text = |field: &str| provider[field].as_str().unwrap_or_default().to_owned();
        Self {
            fixture,
            path: at(PROVIDERS, &provider),
            id: text("client_id"),
            secret: text("client_secret"),
        }
    }

    fn ask(&self, endpoint: Endpoint, form: &Form) -> Response {
        self.ask_by(endpoint, form, &self.secret)
    }

    fn ask_by(&self, endpoint: Endpoint, form: &Form, secret: &str) -> Response {
        let request = Request {
            authorization: Some(basic(&self.id, secret)),
            ..post(form)
        };
        self.fixture.send(endpoint, &request)
    }

    fn authorization(&self) -> Form {
        let form = authorization("web").with("client_id", &self.id);
        form.with("redirect_uri", CALLBACK)
            .with("scope", "openid profile email offline_access read")
    }

    fn code(&self, browser: &Browser<'_>) -> String {
        browser.code(&self.authorization())
    }

    fn exchange(&self, code: &str) -> Response {
        let form = Form::new(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ]);
        self.ask(Endpoint::Token, &form)
    }

    fn tokens(&self) -> Tokens {
        self.tokens_of("bob")
    }

    fn tokens_of(&self, username: &str) -> Tokens {
        Tokens::of(&self.exchange(&self.code(&self.fixture.browser_of(username))))
    }

    fn refresh(&self, token: &str) -> Response {
        let form = Form::new(&[("grant_type", "refresh_token"), ("refresh_token", token)]);
        self.ask(Endpoint::Token, &form)
    }

    fn is_active(&self, token: &str) -> bool {
        let answer = self.ask(Endpoint::Introspect, &Form::new(&[("token", token)]));
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()["active"].as_bool().unwrap()
    }

    /// Whether a secret proves who it is.
    fn opens(&self, secret: &str) -> bool {
        let form = Form::new(&[("token", "nothing")]);
        self.ask_by(Endpoint::Introspect, &form, secret).status == 200
    }

    fn patch(&self, body: Value) -> Value {
        patched(self.fixture, &self.path, body)
    }
}

#[test]
fn s4_2_a_provider_has_every_field_of_the_seed_and_of_the_other_clients() {
    let fixture = Fixture::new();
    let made = made(
        &fixture,
        PROVIDERS,
        json!({"name": "App", "redirect_uris": CALLBACK}),
    );
    for (field, value) in [
        ("name", json!("App")),
        ("authentication_flow", json!(null)),
        ("authorization_flow", json!(null)),
        ("invalidation_flow", json!(null)),
        ("property_mappings", json!([])),
        ("component", json!("ak-provider-oauth2-form")),
        ("assigned_application_slug", json!("")),
        ("assigned_application_name", json!("")),
        ("assigned_backchannel_application_slug", json!("")),
        ("verbose_name", json!("OAuth2/OpenID Provider")),
        (
            "meta_model_name",
            json!("authentik_providers_oauth2.oauth2provider"),
        ),
        ("client_type", json!("confidential")),
        ("access_code_validity", json!("minutes=1")),
        ("access_token_validity", json!("hours=1")),
        ("refresh_token_validity", json!("days=14")),
        ("include_claims_in_id_token", json!(true)),
        ("signing_key", json!(null)),
        ("redirect_uris", json!(CALLBACK)),
        ("sub_mode", json!("hashed_user_id")),
        ("issuer_mode", json!("global")),
        ("jwks_sources", json!([])),
        (
            "grant_types",
            json!(["authorization_code", "refresh_token"]),
        ),
        ("response_types", json!(["code"])),
        ("scope", json!("email openid profile")),
        ("owner", json!(null)),
        ("description", json!("")),
        ("enabled", json!(true)),
    ] {
        assert_eq!(made[field], value, "{field}");
    }
    assert!(made["client_secret"].as_str().unwrap().len() >= 43);
    let path = at(PROVIDERS, &made);
    let mut shown = read(&fixture, &path);
    assert!(shown.get("client_secret").is_none(), "shown once");
    let again = fixture.api("PUT", &path, &shown);
    assert_eq!((again.status, again.json()), (200, shown.clone()));
    let ada = user(&fixture, "ada")["pk"].clone();
    for (field, value) in [
        ("name", json!("Another")),
        ("owner", ada),
        ("description", json!("of the seed")),
        ("client_type", json!("public")),
        ("access_code_validity", json!("seconds=100")),
        ("access_token_validity", json!("Minutes = 2; seconds=3")),
        ("refresh_token_validity", json!("weeks=1")),
        ("include_claims_in_id_token", json!(false)),
        (
            "redirect_uris",
            json!("http://127.0.0.1/cb\ncom.example.app:/cb"),
        ),
        (
            "post_logout_redirect_uris",
            json!("https://app.example/bye"),
        ),
        ("sub_mode", json!("user_upn")),
        ("issuer_mode", json!("per_provider")),
        ("grant_types", json!(["authorization_code"])),
        ("response_types", json!([])),
        ("scope", json!("openid")),
        ("token_endpoint_auth_method", json!("client_secret_post")),
        ("client_uri", json!("https://app.example/")),
        ("default_resource", json!("https://api.example/")),
        ("resources", json!(["urn:a:b"])),
        ("serves", json!(["https://api.example/"])),
        ("access_token_format", json!("jwt")),
        ("id_token_signed_response_alg", json!("RS256")),
        ("enabled", json!(false)),
        ("danger_allow_management_scopes", json!(true)),
    ] {
        let now = patched(&fixture, &path, json!({field: value}));
        shown[field] = value;
        shown["redirect_uri_list"] = now["redirect_uri_list"].clone();
        assert_eq!(now, shown, "{field}");
        assert_eq!(read(&fixture, &path), shown);
    }
    assert_eq!(
        shown["redirect_uri_list"],
        json!(["http://127.0.0.1/cb", "com.example.app:/cb"])
    );
}

#[test]
fn what_does_not_fit_a_provider_is_refused_by_name_and_nothing_is_written() {
    let fixture = Fixture::new();
    let app = App::new(&fixture, json!({}));
    let before = read(&fixture, PROVIDERS);
    let authentication = read(&fixture, &format!("{FLOWS}?designation=authentication"));
    for (field, value) in [
        ("name", json!("")),
        ("name", json!("x".repeat(256))),
        ("client_type", json!("secret")),
        ("client_id", json!("another")),
        ("client_id", json!("")),
        ("client_id", json!("u_ada")),
        ("client_secret", json!("too short")),
        ("client_secret", json!("x".repeat(256))),
        ("client_secret", json!("é".repeat(32))),
        ("client_secret", json!(null)),
        ("access_code_validity", json!("minutes=11")),
        ("access_code_validity", json!("seconds=0")),
        ("access_token_validity", json!("minute=3")),
        ("access_token_validity", json!("hours=-1")),
        ("access_token_validity", json!("hours=25")),
        ("access_token_validity", json!("hours=1;hours=2")),
        ("access_token_validity", json!("3600")),
        ("access_token_validity", json!(3600)),
        ("access_token_validity", json!("")),
        ("refresh_token_validity", json!("days=91")),
        (
            "refresh_token_validity",
            json!("hours=99999999999999999999"),
        ),
        ("include_claims_in_id_token", json!("yes")),
        ("signing_key", json!("default")),
        ("redirect_uris", json!("https://app.example/.*")),
        ("redirect_uris", json!("^https://app.example/cb$")),
        ("redirect_uris", json!("https://app[.]example/cb")),
        ("redirect_uris", json!("**")),
        ("redirect_uris", json!("http://app.example/cb")),
        ("redirect_uris", json!("JavaScript:alert(1)")),
        ("redirect_uris", json!("https://app.example/cb#x")),
        ("redirect_uris", json!("https://user@app.example/cb")),
        ("redirect_uris", json!("https://app.example/cb?code=1")),
        (
            "redirect_uris",
            json!([{"matching_mode": "regex", "url": ".*"}]),
        ),
        ("redirect_uris", json!("")),
        ("redirect_uris", json!(vec![CALLBACK; 65])),
        ("sub_mode", json!("user_name")),
        ("issuer_mode", json!("mine")),
        ("grant_types", json!(["password"])),
        ("grant_types", json!("authorization_code")),
        ("grant_types", json!([])),
        ("grant_types", json!(["refresh_token"])),
        ("response_types", json!(["token"])),
        ("scope", json!("a  b")),
        ("scope", json!("openid nowhere")),
        ("owner", json!(99)),
        ("owner", json!("ada")),
        ("authorization_flow", json!("explicit")),
        (
            "authorization_flow",
            authentication["results"][0]["pk"].clone(),
        ),
        ("property_mappings", json!([99])),
        (
            "jwks_sources",
            json!(["00000000-0000-8000-8000-000000000001"]),
        ),
        ("client_uri", json!("http://app.example")),
        ("default_resource", json!("https://api.example/#a")),
        ("resources", json!(["api"])),
        ("access_token_format", json!("opaque")),
        ("id_token_signed_response_alg", json!("none")),
        ("id_token_signed_response_alg", json!("HS256")),
        ("token_endpoint_auth_method", json!("none")),
        ("self_registered_by", json!(true)),
        ("_secrets", json!([])),
        ("_add_secret", json!({"digest": "x"})),
        ("_drop_secret", json!("x")),
        ("_implicit_consent", json!(true)),
    ] {
        refused(
            &fixture.api("PATCH", &app.path, &json!({field: value})),
            400,
            field,
        );
        let mut body = json!({"name": "B", "redirect_uris": CALLBACK});
        body[field] = value;
        if field != "client_id" || body[field] != "another" {
            refused(&fixture.api("POST", PROVIDERS, &body), 400, field);
        }
    }
    let public = json!({"client_type": "public", "grant_types": ["client_credentials"]});
    refused(
        &fixture.api("PATCH", &app.path, &public),
        400,
        "grant_types",
    );
    let taken = json!({"name": "B", "redirect_uris": CALLBACK, "client_id": app.id});
    let taken = fixture.api("POST", PROVIDERS, &taken);
    assert_eq!(
        (taken.status, taken.body.contains("client_id")),
        (409, true)
    );
    assert_eq!(read(&fixture, PROVIDERS), before);
}

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
        "unsupported_response_type"
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

/// The claims of an ID token, and those of UserInfo.
fn told(app: &App<'_>, username: &str) -> (Value, Value) {
    let tokens = app.tokens_of(username);
    let userinfo = app.fixture.userinfo(&tokens.access);
    assert_eq!(userinfo.status, 200, "{}", userinfo.body);
    (tokens.claims(), userinfo.json())
}

#[test]
fn s4_2_the_six_subject_modes_are_exact_and_alike_in_id_token_and_userinfo() {
    let fixture = Fixture::new();
    let bob = user(&fixture, "bob");
    let path = at("/api/v1/users/", &bob);
    patched(
        &fixture,
        &path,
        json!({"email": "bob@example.org", "attributes": {"upn": "bob@corp"}}),
    );
    let number = bob["pk"].as_u64().unwrap();
    let hash = digest(&SHA256, format!("{number}-{ISSUER}").as_bytes());
    let hash: String = hash
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let app = App::new(&fixture, json!({}));
    let sub = |mode: &str| {
        app.patch(json!({"sub_mode": mode}));
        let (token, userinfo) = told(&app, "bob");
        assert_eq!(token["sub"], userinfo["sub"], "{mode}");
        token["sub"].clone()
    };
    for (mode, expected) in [
        ("hashed_user_id", hash.clone()),
        ("user_id", number.to_string()),
        ("user_uuid", bob["uuid"].as_str().unwrap().to_owned()),
        ("user_username", "bob".to_owned()),
        ("user_email", "bob@example.org".to_owned()),
        ("user_upn", "bob@corp".to_owned()),
        ("subject", bob["subject"].as_str().unwrap().to_owned()),
    ] {
        assert_eq!(sub(mode), expected, "{mode}");
    }
    for attributes in [json!({}), json!({"upn": 7})] {
        patched(&fixture, &path, json!({"attributes": attributes}));
        assert_eq!(
            sub("user_upn"),
            hash.as_str(),
            "without a upn it is the hash"
        );
    }
}

#[test]
fn s4_2_mappings_add_claims_and_never_change_what_the_protocol_says() {
    let fixture = Fixture::new();
    let mapping = made(
        &fixture,
        MAPPINGS,
        json!({"name": "Staff", "scope_name": "read", "claims": {
            "mail": "{email}", "greeting": "Hello {name}, {username}!", "level": "{attributes.level}",
            "groups": "{attributes.groups}", "lost": "{attributes.lost}", "fixed": "yes",
            "preferred_username": "somebody", "constructor": "{attributes.__proto__}",
        }}),
    );
    let app = App::new(&fixture, json!({"property_mappings": [mapping["pk"]]}));
    let bob = at("/api/v1/users/", &user(&fixture, "bob"));
    let body = json!({
        "email": "bob@example.org", "name": "Bob Ōe",
        "attributes": {"level": 7, "groups": ["a", {"b": null}]},
    });
    patched(&fixture, &bob, body);
    let (token, userinfo) = told(&app, "bob");
    for told in [&token, &userinfo] {
        assert_eq!(told["mail"], "bob@example.org");
        assert_eq!(told["greeting"], "Hello Bob Ōe, bob!");
        assert_eq!(told["level"], 7, "an attribute keeps its kind");
        assert_eq!(told["groups"], json!(["a", {"b": null}]));
        assert_eq!(told["fixed"], "yes");
        assert_eq!(told["preferred_username"], "bob");
        assert!(told.get("lost").is_none() && told.get("constructor").is_none());
    }
    app.patch(json!({"include_claims_in_id_token": false}));
    let (token, userinfo) = told(&app, "bob");
    assert!(token.get("mail").is_none() && token.get("email").is_none());
    assert_eq!(
        (&userinfo["mail"], &userinfo["name"]),
        (&json!("bob@example.org"), &json!("Bob Ōe"))
    );
    // A mapping that changes or goes is followed at once.
    let path = at(MAPPINGS, &mapping);
    patched(&fixture, &path, json!({"claims": {"mail": "none"}}));
    assert_eq!(told(&app, "bob").1["mail"], "none");
    assert_eq!(fixture.api("DELETE", &path, &json!({})).status, 204);
    assert!(told(&app, "bob").1.get("mail").is_none());
    assert_eq!(read(&fixture, &app.path)["property_mappings"], json!([]));
}

#[test]
fn s4_2_a_mapping_says_nothing_that_is_the_protocols_and_runs_nothing() {
    let fixture = Fixture::new();
    for claim in [
        "iss", "sub", "aud", "exp", "iat", "nonce", "at_hash", "acr", "sid", "azp", "",
    ] {
        let body = json!({"name": "M", "scope_name": "read", "claims": {claim: "x"}});
        refused(&fixture.api("POST", MAPPINGS, &body), 400, "claims");
    }
    for template in [
        "{",
        "}",
        "{}",
        "{password}",
        "{user.email}",
        "{{name}}",
        "{attributes.}",
        "{name",
    ] {
        let body = json!({"name": "M", "scope_name": "read", "claims": {"x": template}});
        refused(&fixture.api("POST", MAPPINGS, &body), 400, "claims");
    }
    for (field, value) in [
        ("claims", json!({"x": 1})),
        ("claims", json!("return {}")),
        ("scope_name", json!("a b")),
        ("scope_name", json!("")),
        ("expression", json!("return {}")),
    ] {
        let mut body = json!({"name": "M", "scope_name": "read"});
        body[field] = value;
        refused(&fixture.api("POST", MAPPINGS, &body), 400, field);
    }
    assert_eq!(read(&fixture, MAPPINGS)["pagination"]["count"], 0);
}

#[test]
fn s4_2_a_flow_says_whether_people_are_asked() {
    let fixture = Fixture::new();
    let app = App::new(&fixture, json!({"authorization_flow": null}));
    let asked = || {
        let browser = fixture.browser_of("bob");
        browser
            .authorize(&app.authorization())
            .is_page_at("/consent")
    };
    assert!(asked());
    let flow = json!({"name": "Own", "slug": "own", "consent": "implicit"});
    let flow = made(&fixture, FLOWS, flow);
    app.patch(json!({"authorization_flow": flow["pk"]}));
    assert!(!asked());
    let path = at(FLOWS, &flow);
    patched(&fixture, &path, json!({"consent": "explicit"}));
    assert!(asked());
    patched(&fixture, &path, json!({"consent": "implicit"}));
    assert!(!asked());
    assert_eq!(fixture.api("DELETE", &path, &json!({})).status, 204);
    assert!(asked(), "without a flow they are asked");
    assert_eq!(read(&fixture, &app.path)["authorization_flow"], json!(null));
    for flow in read(&fixture, FLOWS)["results"].as_array().unwrap() {
        for method in ["PATCH", "DELETE"] {
            assert_eq!(
                fixture.api(method, &at(FLOWS, flow), &json!({})).status,
                403
            );
        }
    }
}

#[test]
fn s4_2_a_flow_in_use_stays_what_it_is_for() {
    let fixture = Fixture::new();
    let flow = made(
        &fixture,
        FLOWS,
        json!({"name": "Own", "slug": "own", "consent": "implicit"}),
    );
    let app = App::new(&fixture, json!({"authorization_flow": flow["pk"]}));
    let path = at(FLOWS, &flow);
    refused(
        &fixture.api("PATCH", &path, &json!({"designation": "invalidation"})),
        400,
        "designation",
    );
    assert_eq!(read(&fixture, &path), flow);
    app.patch(json!({"authorization_flow": null}));
    patched(&fixture, &path, json!({"designation": "invalidation"}));
}

#[test]
fn s4_5_an_application_gives_a_provider_its_name_and_its_issuer() {
    let fixture = Fixture::new();
    let app = App::new(&fixture, json!({"issuer_mode": "per_provider"}));
    let urls = read(&fixture, &format!("{}setup_urls/", app.path));
    assert_eq!(
        (&urls["issuer"], &urls["jwks"]),
        (&json!(null), &json!(null))
    );
    let pk = read(&fixture, &app.path)["pk"].clone();
    let body = json!({"name": "Test", "slug": "test", "provider": pk});
    let application = made(&fixture, APPLICATIONS, body);
    let urls = read(&fixture, &format!("{}setup_urls/", app.path));
    assert_eq!(urls["issuer"], format!("{ISSUER}/application/o/test/"));
    let shown = read(&fixture, &app.path);
    assert_eq!(
        (
            &shown["assigned_application_slug"],
            &shown["assigned_application_name"]
        ),
        (&json!("test"), &json!("Test"))
    );
    app.patch(json!({"issuer_mode": "global"}));
    let urls = read(&fixture, &format!("{}setup_urls/", app.path));
    assert_eq!(
        urls,
        json!({
            "issuer": ISSUER,
            "authorize": format!("{ISSUER}/oauth/authorize"),
            "token": format!("{ISSUER}/oauth/token"),
            "user_info": format!("{ISSUER}/oauth/userinfo"),
            "provider_info": format!("{ISSUER}/.well-known/openid-configuration"),
            "logout": format!("{ISSUER}/logout"),
            "jwks": format!("{ISSUER}/.well-known/jwks.json"),
        })
    );
    let used = read(&fixture, &format!("{}used_by/", app.path));
    assert_eq!(
        (&used[0]["model_name"], &used[0]["pk"]),
        (&json!("application"), &application["pk"])
    );
    let path = at(APPLICATIONS, &application);
    for (body, status, field) in [
        (json!({"slug": "Not a slug"}), 400, "slug"),
        (json!({"slug": ""}), 400, "slug"),
        (json!({"slug": "x".repeat(51)}), 400, "slug"),
        (json!({"provider": 99}), 400, "provider"),
        (
            json!({"meta_launch_url": "javascript:alert(1)"}),
            400,
            "meta_launch_url",
        ),
        (json!({"policy": "x"}), 400, "policy"),
    ] {
        refused(&fixture.api("PATCH", &path, &body), status, field);
    }
    let second = json!({"name": "Two", "slug": "test"});
    assert_eq!(fixture.api("POST", APPLICATIONS, &second).status, 409);
    let second = json!({"name": "Two", "slug": "two", "provider": pk});
    let refused = fixture.api("POST", APPLICATIONS, &second);
    assert_eq!(
        refused.status, 409,
        "a provider is of one application: {}",
        refused.body
    );
    assert_eq!(
        patched(&fixture, &path, json!({"name": "Renamed"}))["provider"],
        pk
    );
    assert_eq!(fixture.api("DELETE", &app.path, &json!({})).status, 204);
    assert_eq!(read(&fixture, &path)["provider"], json!(null));
}

#[test]
fn s4_5_a_preview_is_what_the_client_would_be_told() {
    let fixture = Fixture::new();
    let mapping = json!({"name": "Staff", "scope_name": "read", "claims": {"login": "{username}"}});
    let mapping = made(&fixture, MAPPINGS, mapping);
    let app = App::new(&fixture, json!({"property_mappings": [mapping["pk"]]}));
    let bob = user(&fixture, "bob")["pk"].clone();
    let preview = read(
        &fixture,
        &format!("{}preview_user/?for_user={bob}", app.path),
    );
    let (_, userinfo) = told(&app, "bob");
    for claim in ["sub", "preferred_username", "given_name", "login"] {
        assert_eq!(preview["preview"][claim], userinfo[claim], "{claim}");
    }
    assert_eq!(
        (&preview["preview"]["iss"], &preview["preview"]["aud"]),
        (&json!(ISSUER), &json!(app.id))
    );
    for query in [
        "",
        "?for_user=",
        "?for_user=bob",
        "?for_user=-1",
        "?for_user=99",
    ] {
        let answer = fixture.api(
            "GET",
            &format!("{}preview_user/{query}", app.path),
            &json!({}),
        );
        refused(&answer, 400, "for_user");
    }
    let unknown = fixture.api(
        "GET",
        &format!("{PROVIDERS}99/preview_user/?for_user={bob}"),
        &json!({}),
    );
    assert_eq!(unknown.status, 404);
}

#[test]
fn s3_3_an_owner_who_goes_leaves_the_client() {
    let fixture = Fixture::new();
    let bob = user(&fixture, "bob");
    let app = App::new(&fixture, json!({"owner": bob["pk"]}));
    let held = app.tokens_of("ada");
    let path = at("/api/v1/users/", &bob);
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

#[test]
fn providers_are_filtered_and_ordered_by_what_they_say() {
    let fixture = Fixture::new();
    App::new(
        &fixture,
        json!({"name": "B 100%", "client_id": "two", "sub_mode": "user_id"}),
    );
    App::new(
        &fixture,
        json!({"name": "A_b", "client_id": "one", "enabled": false}),
    );
    let ids = |query: &str| -> Vec<String> {
        let page = read(&fixture, &format!("{PROVIDERS}?{query}"));
        let of = page["results"].as_array().unwrap().iter();
        of.map(|one| one["client_id"].as_str().unwrap().to_owned())
            .collect()
    };
    for (query, expected) in [
        ("search=100%25", vec!["two"]),
        ("search=a_b", vec!["one"]),
        ("client_id=one", vec!["one"]),
        ("sub_mode=user_id", vec!["two"]),
        ("enabled=false", vec!["one"]),
        ("search=app.example&ordering=name", vec!["one", "two"]),
        ("search=app.example&ordering=-client_id", vec!["two", "one"]),
        ("search=app.example&ordering=pk", vec!["two", "one"]),
        ("self_registered=true", vec!["stranger"]),
        ("access_token_validity=hours%3D9", vec![]),
    ] {
        assert_eq!(ids(query), expected, "{query}");
    }
    for bad in [
        "client_secret=x",
        "ordering=client_secret",
        "_secrets=x",
        "owner=ada",
        "enabled=maybe",
    ] {
        let answer = fixture.api("GET", &format!("{PROVIDERS}?{bad}"), &json!({}));
        refused(&answer, 400, bad.split('=').next().unwrap());
    }
}
