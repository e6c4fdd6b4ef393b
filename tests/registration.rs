//! Registration of clients (RFC 7591, CR-6 and CR-7), of accounts, and of the first administrator.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use edgemint::http::{Request, Response};
use edgemint::memory::Memory;
use edgemint::model::Secret;
use edgemint::server::{Endpoint, Server};
use serde_json::{Value, json};
use support::tokens::{account_post, api_token, assert_unavailable, json_post};
use support::{
    BOOTSTRAP, Fixture, Form, ISSUER, Outage, Seen, Tokens, authorization, basic, block_on, post,
};

fn register(fixture: &Fixture, token: Option<&str>, metadata: &Value) -> Response {
    fixture.send(Endpoint::Register, &json_post(token, &metadata.to_string()))
}

fn vouched(fixture: &Fixture, metadata: &Value) -> Response {
    register(fixture, Some(BOOTSTRAP), metadata)
}

/// Good metadata, with these members set.
fn with(members: &Value) -> Value {
    let mut metadata = json!({ "redirect_uris": ["https://new.example/cb"], "client_name": "New" });
    for (name, value) in members.as_object().unwrap() {
        metadata[name] = value.clone();
    }
    metadata
}

fn account(fixture: &Fixture, body: &Value) -> Response {
    let request = account_post(Some(BOOTSTRAP), &body.to_string());
    fixture.send(Endpoint::Records, &request)
}

fn new_account() -> Value {
    json!({
        "first_name": "Grace",
        "last_name": "Hopper",
        "username": "grace",
        "password": "a ship in port",
        "scopes": "read",
    })
}

/// The problem of a refused API request: code and field.
fn problem(answer: &Response) -> (u16, String, String) {
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json")
    );
    let body = answer.json();
    assert_eq!(body["status"], answer.status);
    assert!(body["detail"].is_string() && body["title"].is_string());
    let code = body["code"].as_str().unwrap().to_owned();
    let field = body["errors"][0]["loc"][1].as_str().unwrap_or_default();
    (answer.status, code, field.to_owned())
}

/// A deployment that nobody has used yet, for a local run.
fn fresh() -> (Fixture, Server<Memory>) {
    let fixture = Fixture::new();
    let mut config = fixture.server.config.clone();
    config.local_run = Some(Secret::new("local-run-secret-of-the-tests").digest());
    let server = Server::new(config, fixture.server.keyring.clone(), Memory::default());
    (fixture, server)
}

#[test]
fn cr_6_registration_is_closed_to_strangers_by_default() {
    let fixture = Fixture::new();
    let answer = register(&fixture, None, &with(&json!({})));
    assert_eq!((answer.status, answer.label().as_str()), (401, "no_token"));
    let weak = api_token(&fixture, "read");
    assert_eq!(
        register(&fixture, Some(&weak), &with(&json!({}))).status,
        403
    );
}

#[test]
fn cr_6_strangers_from_one_address_are_limited() {
    let open = Fixture::with(|config| config.danger_open_registration = true);
    let stranger = json_post(None, r#"{"redirect_uris": ["https://a.example/cb"]}"#);
    for _ in 0..20 {
        assert_eq!(open.send(Endpoint::Register, &stranger).status, 201);
    }
    let refused = open.send(Endpoint::Register, &stranger);
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("retry-after"), Some("3600"));
    let elsewhere = Request {
        address: Some("192.0.2.2".to_owned()),
        ..stranger.clone()
    };
    assert_eq!(open.send(Endpoint::Register, &elsewhere).status, 201);
    let vouched = json_post(Some(BOOTSTRAP), &stranger.body);
    assert_eq!(open.send(Endpoint::Register, &vouched).status, 201);
    open.later(3600);
    assert_eq!(open.send(Endpoint::Register, &stranger).status, 201);
}

#[test]
fn cr_6_a_bad_token_is_not_taken_for_none_where_registration_is_open() {
    let open = Fixture::with(|config| config.danger_open_registration = true);
    assert_eq!(register(&open, None, &with(&json!({}))).status, 201);
    assert_eq!(
        register(&open, Some("nonsense"), &with(&json!({}))).status,
        401
    );
}

#[test]
fn cr_6_a_stranger_gets_nothing_that_only_an_administrator_may_say() {
    let open = Fixture::with(|config| config.danger_open_registration = true);
    let metadata = with(&json!({
        "client_id": "web",
        "implicit_consent": true,
        "danger_allow_management_scopes": true,
        "access_token_format": "jwt",
        "access_token_lifetime": 86_400,
        "default_resource": "https://id.example/api/v1",
        "resources": ["https://id.example/api/v1"],
        "serves": ["https://api.example/v1"],
    }));
    let told = register(&open, None, &metadata).json();
    assert_ne!(told["client_id"], "web");
    assert_eq!(told["access_token_format"], "sealed");
    assert_eq!(told["access_token_lifetime"], 3600);
    assert_eq!(told["default_resource"], told["client_id"]);
    let id = told["client_id"].as_str().unwrap();
    let form = authorization("web")
        .with("client_id", id)
        .with("redirect_uri", "https://new.example/cb")
        .with("scope", "openid");
    let page = open.signed_in_browser().authorize(&form);
    assert!(page.is_page_at("/consent"), "people are asked");
    for scope in ["admin:token", "openid user:token", "admin:x"] {
        let answer = register(&open, None, &with(&json!({ "scope": scope })));
        assert_eq!(answer.error(), "invalid_client_metadata", "{scope}");
    }
}

#[test]
fn cr_6_a_strangers_refusals_stay_on_our_page_until_somebody_is_signed_in() {
    let fixture = Fixture::new();
    let bad = authorization("stranger").with("scope", "admin:token");
    let page = fixture.browser().authorize(&bad);
    assert_eq!(
        (page.response.status, page.response.location()),
        (400, None)
    );
    let page = fixture.signed_in_browser().authorize(&bad);
    assert_eq!(page.response.error(), "invalid_scope");
}

#[test]
fn cr_7_an_existing_client_cannot_be_registered_over() {
    let fixture = Fixture::new();
    for id in ["web", "u_ada", "a b", ""] {
        let answer = vouched(&fixture, &with(&json!({ "client_id": id })));
        assert_eq!(answer.error(), "invalid_client_metadata", "{id:?}");
    }
    assert_eq!(
        fixture.client_credentials("web").status,
        200,
        "its secret still works"
    );
}

#[test]
fn a_registered_client_works_with_the_secret_that_is_told_once() {
    let fixture = Fixture::new();
    let metadata = with(&json!({
        "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
        "scope": "openid profile read",
    }));
    let answer = vouched(&fixture, &metadata);
    assert_eq!(answer.status, 201);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let told = answer.json();
    assert_eq!(told["client_id_issued_at"], fixture.now());
    assert_eq!(told["client_secret_expires_at"], 0);
    assert_eq!(told["token_endpoint_auth_method"], "client_secret_basic");
    assert_eq!(told["response_types"], json!(["code"]));
    let (id, secret) = (
        told["client_id"].as_str().unwrap(),
        told["client_secret"].as_str().unwrap(),
    );
    assert!(secret.len() >= 43, "256 bits");
    let request = Request {
        authorization: Some(basic(id, secret)),
        ..post(&Form::new(&[("grant_type", "client_credentials")]))
    };
    let tokens = Tokens::of(&fixture.send(Endpoint::Token, &request));
    assert_eq!(tokens.scope, "read", "nothing of a person");
}

#[test]
fn defaults_are_those_of_rfc_7591() {
    let fixture = Fixture::new();
    let told = vouched(&fixture, &with(&json!({}))).json();
    assert_eq!(told["grant_types"], json!(["authorization_code"]));
    assert_eq!(told["token_endpoint_auth_method"], "client_secret_basic");
    assert_eq!(told["scope"], "email openid profile");
    assert_eq!(told["redirect_uris"], json!(["https://new.example/cb"]));
    let unnamed = json!({ "redirect_uris": ["https://new.example/cb"] });
    let told = vouched(&fixture, &unnamed).json();
    assert_eq!(told["client_name"], told["client_id"]);
}

#[test]
fn a_public_client_gets_no_secret_and_no_client_credentials() {
    let fixture = Fixture::new();
    let told = vouched(
        &fixture,
        &with(&json!({ "token_endpoint_auth_method": "none" })),
    )
    .json();
    assert_eq!(told.get("client_secret"), None);
    let metadata = with(&json!({
        "token_endpoint_auth_method": "none",
        "grant_types": ["client_credentials"],
    }));
    assert_eq!(
        vouched(&fixture, &metadata).error(),
        "invalid_client_metadata"
    );
}

#[test]
fn metadata_that_cannot_be_kept_is_refused() {
    let fixture = Fixture::new();
    for (name, value) in [
        ("token_endpoint_auth_method", json!("private_key_jwt")),
        ("token_endpoint_auth_method", json!(7)),
        ("grant_types", json!(["password"])),
        ("grant_types", json!(["implicit"])),
        ("grant_types", json!([])),
        ("grant_types", json!("authorization_code")),
        ("response_types", json!(["token"])),
        ("response_types", json!(["code", "code id_token"])),
        ("scope", json!("a  b")),
        ("client_name", json!("x".repeat(121))),
        ("client_name", json!(["x"])),
        ("client_uri", json!("http://new.example")),
        ("client_uri", json!("javascript:alert(1)")),
        ("id_token_signed_response_alg", json!("none")),
        ("access_token_lifetime", json!(86_401)),
        ("access_token_lifetime", json!(0)),
        ("access_token_lifetime", json!(-1)),
        ("access_token_lifetime", json!("60")),
        ("access_token_format", json!("paseto")),
        ("default_resource", json!("not a uri")),
        ("resources", json!(["https://a.example/#fragment"])),
        ("implicit_consent", json!("yes")),
        ("redirect_uris", json!("https://new.example/cb")),
        ("redirect_uris", json!([7])),
    ] {
        let answer = vouched(&fixture, &with(&json!({ name: value })));
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (400, "invalid_client_metadata"),
            "{name} {value}"
        );
    }
}

#[test]
fn redirect_uris_that_cannot_be_trusted_are_refused() {
    let fixture = Fixture::new();
    let many: Vec<String> = (0..33)
        .map(|n| format!("https://new.example/{n}"))
        .collect();
    let answer = vouched(&fixture, &with(&json!({ "redirect_uris": many })));
    assert_eq!(answer.status, 400);
    for uris in [
        json!([]),
        json!(["http://new.example/cb"]),
        json!(["https://new.example/cb#x"]),
        json!(["javascript:alert(1)"]),
        json!(["https://new.example/*", "https://user@new.example/"]),
        json!(["/cb"]),
    ] {
        let answer = vouched(&fixture, &with(&json!({ "redirect_uris": uris })));
        assert_eq!(answer.error(), "invalid_redirect_uri", "{uris}");
        let leaving = with(&json!({ "post_logout_redirect_uris": uris }));
        let expected = if uris == json!([]) { 201 } else { 400 };
        assert_eq!(vouched(&fixture, &leaving).status, expected, "{uris}");
    }
}

#[test]
fn only_one_json_object_without_repeated_members_is_read() {
    let fixture = Fixture::new();
    for body in [
        "",
        "[]",
        "null",
        "{",
        r#"{"scope":"a","scope":"b"}"#,
        r#"{"redirect_uris":["https://new.example/cb"]} x"#,
    ] {
        let answer = fixture.send(Endpoint::Register, &json_post(Some(BOOTSTRAP), body));
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (400, "invalid_request"),
            "{body}"
        );
    }
    let form = Request {
        authorization: Some(format!("Bearer {BOOTSTRAP}")),
        ..post(&Form::new(&[("client_name", "x")]))
    };
    assert_eq!(
        fixture.send(Endpoint::Register, &form).label(),
        "wrong_content_type"
    );
    let large = Request {
        oversized: true,
        ..json_post(Some(BOOTSTRAP), "")
    };
    assert_eq!(fixture.send(Endpoint::Register, &large).status, 413);
}

#[test]
fn without_the_directory_nothing_is_registered() {
    let fixture = Fixture::new();
    fixture.memory().fail(Outage::Directory);
    assert_unavailable(&vouched(&fixture, &with(&json!({}))));
    assert_unavailable(&account(&fixture, &new_account()));
}

#[test]
fn s0_3_an_account_is_created_and_can_sign_in() {
    let fixture = Fixture::new();
    let answer = account(&fixture, &new_account());
    assert_eq!(answer.status, 201);
    let told = answer.json();
    let id = told["id"].as_u64().unwrap();
    let location = format!("{ISSUER}/api/v1/accounts/{id}/");
    assert_eq!(answer.location(), Some(location.as_str()));
    assert_eq!(told["username"], "grace");
    assert_eq!(
        (&told["is_active"], &told["scopes"][0]["value"]),
        (&json!(true), &json!("read"))
    );
    assert!(!answer.body.contains("ship") && !answer.body.contains("argon2"));
    let browser = fixture.browser();
    let page = browser.open("/login");
    let fields = [("username", "grace"), ("password", "a ship in port")];
    assert_eq!(browser.submit_only(&page, &fields).status, 303);
}

#[test]
fn s0_6_both_spellings_are_read_and_never_together() {
    let fixture = Fixture::new();
    let camel = json!({
        "firstName": "Grace", "lastName": "Hopper", "username": "grace", "password": "a ship in port",
    });
    let told = account(&fixture, &camel).json();
    assert_eq!(
        (&told["first_name"], &told["last_name"]),
        (&json!("Grace"), &json!("Hopper"))
    );
    let mut both = new_account();
    both["firstName"] = json!("Ada");
    let answer = account(&fixture, &both);
    assert_eq!(
        problem(&answer),
        (400, "unfit_field".to_owned(), "first_name".to_owned())
    );
}

#[test]
fn an_account_that_cannot_be_kept_is_refused_by_field() {
    let fixture = Fixture::new();
    for (field, value) in [
        ("username", json!("bot-robot")),
        ("username", json!("Grace")),
        ("username", json!("")),
        ("username", json!("x".repeat(65))),
        ("username", json!(7)),
        ("username", Value::Null),
        ("password", json!("short")),
        ("password", json!("x".repeat(129))),
        ("password", Value::Null),
        ("first_name", json!("")),
        ("last_name", json!("x".repeat(256))),
        ("first_name", json!("a\u{7}b")),
        ("scopes", json!("a  b")),
        ("scopes", json!([["read"]])),
        ("roles", json!(["editor"])),
    ] {
        let mut body = new_account();
        body[field] = value.clone();
        let answer = account(&fixture, &body);
        let expected = (400, "unfit_field".to_owned(), field.to_owned());
        assert_eq!(problem(&answer), expected, "{field} {value}");
        assert!(answer.json()[field].is_array(), "a list by field, too");
    }
    let mut unknown = new_account();
    unknown["is_admin"] = json!(true);
    assert_eq!(problem(&account(&fixture, &unknown)).1, "unfit_field");
}

#[test]
fn a_username_is_taken_once() {
    let fixture = Fixture::new();
    assert_eq!(account(&fixture, &new_account()).status, 201);
    let again = account(&fixture, &new_account());
    assert_eq!(
        problem(&again),
        (409, "value_taken".to_owned(), String::new())
    );
}

#[test]
fn accounts_are_created_by_administrators_only() {
    let fixture = Fixture::new();
    let body = new_account().to_string();
    let ask = |token: Option<&str>| fixture.send(Endpoint::Records, &account_post(token, &body));
    assert_eq!(ask(None).status, 401);
    assert_eq!(ask(Some("nonsense")).status, 401);
    assert_eq!(ask(Some(&fixture.tokens().access)).status, 401);
    assert_eq!(
        ask(Some(&api_token(&fixture, "user:token read"))).status,
        403
    );
    assert_eq!(ask(Some(&BOOTSTRAP.to_uppercase())).status, 401);
    assert_eq!(ask(Some(&api_token(&fixture, "admin:token"))).status, 201);
}

#[test]
fn the_bootstrap_token_reads_nothing_of_a_person() {
    let fixture = Fixture::new();
    assert_eq!(fixture.userinfo(BOOTSTRAP).status, 401);
    assert!(!fixture.is_active(BOOTSTRAP));
    let none = Fixture::with(|config| config.bootstrap = None);
    assert_eq!(account(&none, &new_account()).status, 401);
}

#[test]
fn s0_7_the_first_administrator_is_made_once() {
    let (fixture, server) = fresh();
    let send = |token: &str, username: &str| {
        let body = json!({ "username": username, "password": "a ship in port" }).to_string();
        let request = json_post(Some(token), &body);
        block_on(server.answer(Endpoint::FirstRun, &request, &fixture.at()))
    };
    assert_eq!(send("wrong", "admin").status, 401);
    let first = send("local-run-secret-of-the-tests", "admin");
    assert_eq!(
        (first.status, first.json()["username"].as_str()),
        (201, Some("admin"))
    );
    for (token, username) in [
        ("local-run-secret-of-the-tests", "admin"),
        ("local-run-secret-of-the-tests", "second"),
        (BOOTSTRAP, "third"),
    ] {
        assert_eq!(problem(&send(token, username)).1, "not_first", "{username}");
    }
}

#[test]
fn s0_7_a_repeated_first_run_gets_its_first_answer() {
    let (fixture, server) = fresh();
    let body = json!({ "username": "admin", "password": "a ship in port" }).to_string();
    let request = json_post(Some(BOOTSTRAP), &body);
    let at = fixture.at();
    for _ in 0..2 {
        let answer = block_on(server.answer(Endpoint::FirstRun, &request, &at));
        assert_eq!(answer.status, 201, "{}", answer.body);
    }
}

#[test]
fn s0_7_the_local_runs_secret_opens_nothing_else() {
    let (fixture, server) = fresh();
    let secret = Some("local-run-secret-of-the-tests");
    for endpoint in [Endpoint::Records, Endpoint::RotateKeys, Endpoint::Register] {
        let request = json_post(secret, &new_account().to_string());
        let answer = block_on(server.answer(endpoint, &request, &fixture.at()));
        assert_eq!(answer.status, 401, "{endpoint:?}");
    }
}
