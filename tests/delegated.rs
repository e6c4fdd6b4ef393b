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
