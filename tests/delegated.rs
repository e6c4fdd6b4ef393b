//! Delegation at the gate: what a child is for, and how many there may be.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use edgemint::gate::delegate::LIFETIME;
use edgemint::http::Request;
use edgemint::model::Scope;
use edgemint::ports::tokens::{DEEPEST, MOST_DELEGATED};
use edgemint::server::Endpoint;
use support::gate::{bearing, fixture};
use support::tokens::{call_rpc, get_with};
use support::{Fixture, Form, Seen as _, Tokens, authorization, post};

/// The token that is delegated where a route asks so.
#[track_caller]
fn delegated(fixture: &Fixture, query: &str, shown: &str) -> String {
    let answer = fixture.gate(&bearing(query, shown));
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.header("x-auth-request-token").unwrap().to_owned()
}

/// Whether the gate takes it.
fn passes(fixture: &Fixture, token: &str) -> bool {
    fixture.gate(&bearing("", token)).status == 200
}

/// A question to the management API.
fn get_at(path: &str, token: &str) -> Request {
    Request {
        path: path.to_owned(),
        ..get_with(&format!("Bearer {token}"))
    }
}

#[test]
fn s1_4_what_is_delegated_from_an_access_token_is_for_what_that_is_for() {
    let fixture = fixture();
    let access = fixture
        .tokens_in(&fixture.signed_in_browser(), "web")
        .access;
    let notebook = delegated(&fixture, "service=web&notebook=true", &access);
    let svc = "service=web&delegate_to=web&delegate_scope=read";
    let internal = delegated(&fixture, svc, &access);
    let deep = delegated(&fixture, svc, &notebook);
    assert_ne!(deep, internal);
    for token in [access, notebook, internal, deep] {
        let status = |query: &str| fixture.gate(&bearing(query, &token)).status;
        assert_eq!(status("service=web"), 200);
        // Neither elsewhere behind the gate, nor for more of the kind, nor at our own API.
        assert_eq!(status("service=app"), 401);
        assert_eq!(status(""), 401);
        assert_eq!(status("notebook=true"), 401);
        let asked = fixture.send(Endpoint::Tokens, &get_at("/api/v1/token-info", &token));
        assert_eq!(asked.status, 401);
    }
}

#[test]
fn s1_4_a_notebook_that_asks_for_a_notebook_is_it_and_costs_nobody_anything() {
    let fixture = fixture();
    let shown = fixture.user_token("ada", "read write", None);
    let notebook = delegated(&fixture, "notebook=true", &shown);
    let internal = delegated(&fixture, "delegate_to=tap&delegate_scope=read", &notebook);
    assert!(passes(&fixture, &internal));
    let cost = fixture.cost(|| {
        for _ in 0..5 {
            assert_eq!(delegated(&fixture, "notebook=true", &notebook), notebook);
            // Nor is a service's token anything else by way of a notebook's route.
            assert_eq!(delegated(&fixture, "notebook=true", &internal), internal);
            let again = delegated(&fixture, "delegate_to=tap&delegate_scope=read", &internal);
            assert_eq!(again, internal);
        }
    });
    assert_eq!(cost.ledger, 0);
    let narrowed = delegated(&fixture, "delegate_to=tap", &internal);
    let answer = fixture.gate(&bearing("only_service=tap", &narrowed));
    assert_eq!(answer.header("x-auth-request-service"), Some("tap"));
}

#[test]
fn s1_4_a_token_is_delegated_from_one_to_the_next_sixteen_times() {
    let fixture = fixture();
    let mut token = fixture.user_token("ada", "read", None);
    for step in 0..DEEPEST {
        token = delegated(&fixture, &format!("delegate_to=s{step}"), &token);
    }
    let refused = fixture.gate(&bearing("delegate_to=more", &token));
    assert_eq!(refused.status, 403);
    assert_eq!(refused.header("x-error-status"), None);
    assert_eq!(refused.header("www-authenticate"), None);
    assert!(
        refused.body.contains("delegated_too_often"),
        "{}",
        refused.body
    );
    // It is of use all the same.
    assert_eq!(fixture.gate(&bearing("", &token)).status, 200);
}

#[test]
fn s1_4_somebody_has_a_thousand_delegated_tokens_and_hears_when_there_are_more() {
    let fixture = fixture();
    let token = fixture.user_token("ada", "read", None);
    let first = delegated(&fixture, "delegate_to=first", &token);
    fixture.later(60);
    for service in 1..MOST_DELEGATED {
        delegated(&fixture, &format!("delegate_to=s{service}"), &token);
    }
    let more = bearing("delegate_to=more", &token);
    let refused = fixture.gate(&more);
    assert_eq!(refused.status, 403);
    assert_eq!(refused.header("x-error-status"), Some("429"));
    let wait = (LIFETIME.0 - 60).to_string();
    assert_eq!(refused.header("retry-after"), Some(wait.as_str()));
    // What there is serves, and so do others.
    assert_eq!(delegated(&fixture, "delegate_to=first", &token), first);
    let other = fixture.user_token("bob", "read", None);
    delegated(&fixture, "delegate_to=more", &other);
    fixture.later(LIFETIME.0 - 60);
    assert_eq!(fixture.gate(&more).status, 200);
}

#[test]
fn s1_4_a_child_of_an_access_token_is_introspected_and_validated_where_that_is_for() {
    let fixture = fixture();
    fixture.change_client("api", |client| {
        client.serves = vec!["https://api.example/".to_owned(), "svc".to_owned()];
    });
    let there = "https://app.id.example/";
    fixture.change_client("web", |client| {
        client.default_resource = Some(there.to_owned());
    });
    let access = Tokens::of(&fixture.client_credentials("web")).access;
    let validate = |client: &str, token: &str| {
        let bearer = format!("Bearer {token}");
        let asked = serde_json::json!({ "authorization": bearer });
        call_rpc(&fixture, "validate", Some(client), &asked)
    };
    let svc = "delegate_to=svc&delegate_scope=read";
    let for_svc = delegated(&fixture, svc, &access);
    let for_anybody = delegated(&fixture, "notebook=true", &access);
    let deep = delegated(&fixture, svc, &for_anybody);
    for token in [&for_svc, &for_anybody, &deep] {
        assert!(!fixture.is_active_for("api", token));
        assert_eq!(validate("api", token)["error"], "invalid_token");
    }
    fixture.change_client("api", |client| client.serves.push(there.to_owned()));
    for token in [&for_svc, &for_anybody, &deep] {
        assert_eq!(fixture.introspect_as("api", token).json()["aud"], there);
        assert_eq!(validate("api", token)["aud"], there);
    }
}

#[test]
fn s1_4_what_is_for_one_resource_asks_about_itself_alone() {
    let fixture = fixture();
    fixture.change_client("web", |client| {
        client.scope = Scope::parse("openid read user:token").unwrap();
        client.danger_allow_management_scopes = true;
    });
    let browser = fixture.signed_in_browser();
    let form = authorization("web").with("scope", "openid user:token");
    let tokens = Tokens::of(&fixture.exchange_as("web", &browser.code(&form)));
    let child = delegated(&fixture, "service=web&notebook=true", &tokens.access);
    let mine = fixture.user_token("ada", "user:token", None);
    let about = |caller: &str, token: &str| {
        let request = Request {
            authorization: Some(format!("Bearer {caller}")),
            ..post(&Form::new(&[("token", token)]))
        };
        fixture.send(Endpoint::Introspect, &request).json()["active"] == true
    };
    assert!(about(&mine, &child));
    assert!(about(&child, &child));
    assert!(!about(&child, &mine));
}

#[test]
fn a_service_ends_what_was_delegated_to_it_and_the_history_says_who() {
    let fixture = fixture();
    let user = fixture.user_token("ada", "read user:token", None);
    let text = delegated(&fixture, "delegate_to=web", &user);
    let below = delegated(&fixture, "delegate_to=svc", &text);
    // Nobody else: it is another client's, as with any token.
    let foreign = fixture.revoke_as("api", &text);
    assert_eq!(foreign.status, 400);
    assert_eq!(foreign.json()["error"], "invalid_request");
    assert!(passes(&fixture, &text));
    for _ in 0..2 {
        assert_eq!(fixture.revoke_as("web", &text).status, 200);
        for token in [&text, &below] {
            assert!(!passes(&fixture, token));
        }
    }
    assert!(passes(&fixture, &user));
    let request = get_at("/api/v1/users/me/token-change-history", &user);
    let history = fixture.send(Endpoint::Tokens, &request).json();
    assert_eq!(history[0]["action"], "revoke");
    assert_eq!(history[0]["actor"], "bot-web");
    assert_eq!(history[0]["token"], history[1]["parent"]);
    // Over a binding, and by what else the client serves.
    fixture.change_client("api", |client| client.serves = vec!["tap".to_owned()]);
    let text = delegated(&fixture, "delegate_to=tap", &user);
    let asked = serde_json::json!({ "token": text });
    let refused = call_rpc(&fixture, "revoke", Some("web"), &asked);
    assert_eq!(refused["error"], "invalid_request");
    let done = call_rpc(&fixture, "revoke", Some("api"), &asked);
    assert_eq!(done["revoked"], true);
    assert!(!passes(&fixture, &text));
}

#[test]
fn no_client_ends_what_a_person_has_and_none_is_told_that_it_did() {
    let fixture = fixture();
    let user = fixture.user_token("ada", "read", None);
    let notebook = delegated(&fixture, "notebook=true", &user);
    for token in [&user, &notebook] {
        let refused = fixture.revoke_as("api", token);
        assert_eq!(refused.status, 400);
        assert_eq!(refused.json()["error"], "unsupported_token_type");
        let asked = serde_json::json!({ "token": token });
        let refused = call_rpc(&fixture, "revoke", Some("api"), &asked);
        assert_eq!(refused["error"], "unsupported_token_type");
        assert!(passes(&fixture, token));
    }
    // What is none is as good as revoked (RFC 7009 §2.2).
    assert_eq!(fixture.revoke_as("api", "emt_nonsense").status, 200);
}

#[test]
fn a_service_that_ends_tokens_in_a_loop_has_to_wait() {
    let fixture = fixture();
    let user = fixture.user_token("ada", "read", None);
    let mut answers = Vec::new();
    for _ in 0..1_000 {
        let text = delegated(&fixture, "delegate_to=web", &user);
        answers.push(fixture.revoke_as("web", &text).status);
    }
    let ended = answers.iter().filter(|status| **status == 200).count();
    assert_eq!(ended, 999);
    let text = delegated(&fixture, "delegate_to=web", &user);
    let refused = fixture.revoke_as("web", &text);
    assert_eq!(refused.status, 503);
    assert!(refused.header("retry-after").is_some());
    assert!(passes(&fixture, &text));
}
