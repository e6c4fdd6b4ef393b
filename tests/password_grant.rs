//! The password grant (RFC 6749 §4.3): for whom an administrator switched it on, and no more than it has to be.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use edgemint::http::{Request, Response};
use edgemint::model::{Client, GrantType};
use edgemint::server::Endpoint;
use serde_json::{Value, json};
use support::{
    Browser, Fixture, Form, PASSWORD, RESOURCE, Seen, Tokens, authenticated, basic, get,
};

const PROVIDERS: &str = "/api/v1/providers/oauth2/";

fn switch_on(client: &mut Client) {
    client.grant_types.push(GrantType::Password);
    client.danger_allow_password_grant = true;
}

/// A deployment in which `web` has the grant.
fn switched_on() -> Fixture {
    let fixture = Fixture::new();
    fixture.change_client("web", switch_on);
    fixture
}

fn asking(username: &str, password: &str) -> Form {
    Form::new(&[
        ("grant_type", "password"),
        ("username", username),
        ("password", password),
    ])
}

fn ask(fixture: &Fixture, username: &str, password: &str) -> Response {
    fixture.token_as("web", &asking(username, password))
}

fn granted(fixture: &Fixture) -> Tokens {
    Tokens::of(&ask(fixture, "ada", PASSWORD))
}

/// Asks from an address, as `web`.
fn ask_from(fixture: &Fixture, address: &str, form: &Form) -> Response {
    let request = Request {
        address: Some(address.to_owned()),
        ..authenticated("web", form)
    };
    fixture.send(Endpoint::Token, &request)
}

#[test]
fn s2_2_a_client_that_was_switched_to_it_gets_tokens_for_a_name_and_a_password() {
    let fixture = switched_on();
    let form = asking("ada", PASSWORD).with("scope", "openid read offline_access");
    let tokens = Tokens::of(&fixture.token_as("web", &form));
    // Nobody was asked for access that outlives a session, and there is none.
    assert_eq!(tokens.scope, "openid read");
    let told = fixture.introspect(&tokens.access).json();
    assert_eq!(
        (
            &told["active"],
            &told["username"],
            &told["client_id"],
            &told["aud"]
        ),
        (&json!(true), &json!("ada"), &json!("web"), &json!("web"))
    );
    let claims = tokens.claims();
    assert_eq!(
        (&claims["amr"], &claims["auth_time"]),
        (&json!(["pwd"]), &json!(fixture.now()))
    );
    assert_eq!((claims.get("sid"), claims.get("nonce")), (None, None));
    assert_eq!(fixture.userinfo(&tokens.access).status, 200);
    let again = fixture.refresh(tokens.refresh());
    assert_eq!(Tokens::of(&again).scope, "openid read");
}

#[test]
fn s2_2_nobody_has_it_without_the_long_name_a_secret_and_somebody_who_vouches() {
    let fixture = Fixture::new();
    type Change = fn(&mut Client);
    let without: [(&str, Change); 4] = [
        ("web", |client| client.grant_types.push(GrantType::Password)),
        ("other", |client| client.danger_allow_password_grant = true),
        ("spa", switch_on),
        ("jwt", |client| {
            switch_on(client);
            client.self_registered = true;
        }),
    ];
    for (id, change) in without {
        fixture.change_client(id, change);
        let response = fixture.token_as(id, &asking("ada", PASSWORD));
        let seen = (response.status, response.error());
        assert_eq!(seen, (400, "unsupported_grant_type".to_owned()), "{id}");
    }
    // And it is not said whether the password was right: nobody looked.
    let wrong = fixture.cost(|| drop(fixture.token_as("web", &asking("ada", "x"))));
    assert_eq!((wrong.directory, wrong.ledger), (0, 0));
}

#[test]
fn s2_2_the_client_is_authenticated_before_any_password_is_looked_at() {
    let fixture = switched_on();
    let request = Request {
        authorization: Some(basic("web", "wrong")),
        ..authenticated("web", &asking("ada", PASSWORD))
    };
    let response = fixture.send(Endpoint::Token, &request);
    assert_eq!(
        (response.status, response.error().as_str()),
        (401, "invalid_client")
    );
    let bare = fixture.post(Endpoint::Token, &asking("ada", PASSWORD));
    assert_eq!(bare.error(), "invalid_client");
    let bare = asking("ada", PASSWORD).with("client_id", "web");
    assert_eq!(
        fixture.post(Endpoint::Token, &bare).error(),
        "invalid_client"
    );
}

#[test]
fn s2_2_every_failure_has_one_answer_and_one_cost() {
    let fixture = switched_on();
    fixture.disable_account("bob");
    let long = "x".repeat(200);
    let tries = [
        ("nobody", PASSWORD),
        ("ada", "wrong"),
        ("ada", long.as_str()),
        ("bob", PASSWORD),
        ("no such name at all, for it has spaces", PASSWORD),
        ("ada\0", PASSWORD),
        (long.as_str(), PASSWORD),
    ];
    let mut answers = Vec::new();
    for (username, password) in tries {
        let before = fixture.memory().operations().ledger;
        let response = ask(&fixture, username, password);
        let cost = fixture.memory().operations().ledger - before;
        answers.push((
            response.status,
            response.headers,
            response.body,
            response.reason,
            cost,
        ));
    }
    let first = answers.first().unwrap().clone();
    assert_eq!(first.0, 400);
    assert!(first.2.contains("\"invalid_grant\""));
    assert!(answers.iter().all(|answer| *answer == first), "{answers:?}");
}

#[test]
fn s2_2_guesses_here_and_at_the_sign_in_page_are_counted_together() {
    let fixture = switched_on();
    for _ in 0..5 {
        assert_eq!(ask(&fixture, "ada", "wrong").error(), "invalid_grant");
        let browser = fixture.browser();
        let page = browser.open("/login");
        let page = browser.submit(&page, &[("username", "ada"), ("password", "wrong")]);
        assert_eq!(page.response.label(), "wrong_credentials");
    }
    // The right one, too, is not looked at any more.
    let response = ask(&fixture, "ada", PASSWORD);
    assert_eq!(
        (response.status, response.label().as_str()),
        (429, "too_many_failures")
    );
    let wait: u64 = response.header("retry-after").unwrap().parse().unwrap();
    // A name that nobody has is throttled alike, so that says nothing either.
    for _ in 0..10 {
        ask(&fixture, "nobody", "wrong");
    }
    assert_eq!(ask(&fixture, "nobody", "wrong").status, 429);
    assert_eq!(ask(&fixture, "bob", PASSWORD).status, 200);
    fixture.later(wait);
    assert_eq!(ask(&fixture, "ada", PASSWORD).status, 200);
}

#[test]
fn s2_2_guesses_from_one_address_are_counted_whoever_they_are_about() {
    let fixture = switched_on();
    for index in 0..100 {
        let form = asking(&format!("nobody{index}"), "wrong");
        assert_eq!(
            ask_from(&fixture, "192.0.2.1", &form).error(),
            "invalid_grant"
        );
    }
    let good = asking("ada", PASSWORD);
    assert_eq!(ask_from(&fixture, "192.0.2.1", &good).status, 429);
    assert_eq!(ask_from(&fixture, "192.0.2.2", &good).status, 200);
}

#[test]
fn s2_2_scopes_go_through_the_one_filter() {
    let fixture = switched_on();
    fixture.change_client("web", |client| {
        client.scope = client.scope.with("admin:token");
    });
    let scoped = |username: &str, scope: &str| {
        fixture.token_as("web", &asking(username, PASSWORD).with("scope", scope))
    };
    // What the person does not hold, and what administers us, is left out; what the client may not have, refused.
    assert_eq!(Tokens::of(&scoped("bob", "read write")).scope, "read");
    assert_eq!(Tokens::of(&scoped("ada", "read admin:token")).scope, "read");
    assert_eq!(scoped("ada", "read more").error(), "invalid_scope");
    assert_eq!(scoped("ada", "\"").error(), "invalid_scope");
    // What is wrong with the request costs no guess.
    let wrong = asking("ada", "wrong").with("scope", "more");
    assert_eq!(fixture.token_as("web", &wrong).error(), "invalid_scope");
    assert_eq!(
        Tokens::of(&ask(&fixture, "bob", PASSWORD)).scope,
        "email openid profile read"
    );
    let form = asking("ada", PASSWORD).with("resource", RESOURCE);
    let told = fixture
        .introspect(&Tokens::of(&fixture.token_as("web", &form)).access)
        .json();
    assert_eq!(told["aud"], RESOURCE);
}

#[test]
fn s2_2_a_refresh_token_is_for_who_has_that_grant() {
    let fixture = switched_on();
    fixture.change_client("web", |client| {
        client
            .grant_types
            .retain(|grant| *grant != GrantType::RefreshToken);
    });
    assert_eq!(granted(&fixture).refresh, None);
}

#[test]
fn s2_2_it_opens_no_session_and_outlives_those_that_are_signed_out() {
    let fixture = switched_on();
    let response = ask(&fixture, "ada", PASSWORD);
    assert_eq!(response.header("set-cookie"), None);
    let tokens = Tokens::of(&response);
    let browser = fixture.signed_in_browser();
    browser.sign_out();
    assert!(fixture.is_active(&tokens.access));
    assert_eq!(fixture.refresh(tokens.refresh()).status, 200);
}

/// Asks for what is ada's own, as a page of ours does.
fn own(browser: &Browser<'_>, method: &str, what: &str) -> Response {
    let request = |method: &str, path: String| Request {
        method: method.to_owned(),
        path,
        fetch_site: Some("same-origin".to_owned()),
        ..Request::default()
    };
    let login = browser.send(Endpoint::Users, request("GET", "/api/v1/login".to_owned()));
    let request = Request {
        csrf_token: login.json()["csrf"].as_str().map(str::to_owned),
        ..request(method, format!("/api/v1/users/me/{what}"))
    };
    browser.send(Endpoint::Users, request)
}

/// Whether nothing of it works any more.
#[track_caller]
fn assert_over(fixture: &Fixture, tokens: &Tokens) {
    assert!(!fixture.is_active(&tokens.access));
    let response = fixture.refresh(tokens.refresh());
    assert_eq!(response.error(), "invalid_grant", "{}", response.body);
}

#[test]
fn s2_2_it_ends_with_the_password() {
    let fixture = switched_on();
    let tokens = granted(&fixture);
    fixture.change_password("ada", "another password entirely");
    assert_over(&fixture, &tokens);
    assert_eq!(ask(&fixture, "ada", PASSWORD).error(), "invalid_grant");
}

#[test]
fn s2_2_it_ends_with_the_account() {
    let fixture = switched_on();
    let tokens = granted(&fixture);
    fixture.disable_account("ada");
    assert_over(&fixture, &tokens);
}

#[test]
fn s2_2_it_ends_when_the_grant_is_taken_from_the_client() {
    let fixture = switched_on();
    let tokens = granted(&fixture);
    let found = fixture.api("GET", &format!("{PROVIDERS}?client_id=web"), &json!({}));
    let found = found.json()["results"][0].clone();
    assert_eq!(found["danger_allow_password_grant"], true);
    let path = format!("{PROVIDERS}{}/", found["pk"]);
    let grants = json!(["authorization_code", "refresh_token"]);
    let change = json!({"grant_types": grants, "danger_allow_password_grant": false});
    assert_eq!(fixture.api("PATCH", &path, &change).status, 200);
    assert_over(&fixture, &tokens);
    assert_eq!(
        ask(&fixture, "ada", PASSWORD).error(),
        "unsupported_grant_type"
    );
}

#[test]
fn s2_2_it_is_listed_for_its_person_and_ends_there_or_with_the_consent() {
    let fixture = switched_on();
    let browser = fixture.signed_in_browser();
    for end in ["grants", "consents"] {
        let tokens = granted(&fixture);
        let listed = own(&browser, "GET", "grants").json();
        let grant = &listed["results"][0];
        assert_eq!(
            (&grant["client_id"], &grant["session"]),
            (&json!("web"), &Value::Null)
        );
        let id = match end {
            "grants" => grant["id"].as_str().unwrap(),
            _ => "web",
        };
        assert_eq!(own(&browser, "DELETE", &format!("{end}/{id}")).status, 204);
        assert_over(&fixture, &tokens);
        fixture.later(1);
    }
    assert_eq!(ask(&fixture, "ada", PASSWORD).status, 200);
}

#[test]
fn s2_2_it_costs_what_signing_in_costs() {
    let fixture = switched_on();
    granted(&fixture);
    let cost = fixture.cost(|| drop(granted(&fixture)));
    assert_eq!((cost.directory, cost.kv_puts), (1, 0));
    // Two looks at the throttles of name and address each, and the grant.
    assert_eq!(cost.ledger, 5);
}

#[test]
fn s2_2_nobody_registers_it_for_themselves_and_nobody_is_invited_to_it() {
    let fixture = Fixture::with(|config| config.danger_open_registration = true);
    let danger = "danger_allow_password_grant";
    let metadata = json!({"grant_types": ["password"], "scope": "read", danger: true});
    let stranger = Request {
        method: "POST".to_owned(),
        body: metadata.to_string(),
        content_type: Some("application/json".to_owned()),
        address: Some("192.0.2.1".to_owned()),
        ..Request::default()
    };
    let response = fixture.send(Endpoint::Register, &stranger);
    assert_eq!(response.error(), "invalid_client_metadata");
    let with = |name: &str, value: Value| {
        let mut metadata = metadata.clone();
        metadata[name] = value;
        fixture.register(&metadata).status
    };
    assert_eq!(with(danger, json!(false)), 400);
    assert_eq!(with("token_endpoint_auth_method", json!("none")), 400);
    assert_eq!(with("client_id", json!("legacy")), 201);
    for endpoint in [Endpoint::AuthorizationServer, Endpoint::OpenidConfiguration] {
        let grants = fixture.send(endpoint, &get(&Form::default())).json();
        let grants = grants["grant_types_supported"].as_array().unwrap().clone();
        assert!(!grants.contains(&json!("password")));
    }
}

#[test]
fn s2_2_the_management_api_has_the_switch_and_demands_it() {
    let fixture = Fixture::new();
    let danger = "danger_allow_password_grant";
    let provider = |change: Value| {
        let mut fields = json!({
            "name": "Legacy", "client_id": "legacy", "grant_types": ["password"], "redirect_uris": "",
            "response_types": [], danger: true,
        });
        for (name, value) in change.as_object().unwrap() {
            fields[name] = value.clone();
        }
        fixture.api("POST", PROVIDERS, &fields)
    };
    for change in [json!({danger: false}), json!({"client_type": "public"})] {
        let refused = provider(change);
        assert_eq!(refused.status, 400, "{}", refused.body);
        assert!(
            refused.json().get("grant_types").is_some(),
            "{}",
            refused.body
        );
    }
    // Its tokens may be refreshed, as those of who signed in.
    let made = provider(json!({"grant_types": ["password", "refresh_token"]}));
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(made.json()[danger], true);
}
