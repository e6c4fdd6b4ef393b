//! Revocation, RFC 7009 (RV).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use edgemint::http::Request;
use edgemint::server::Endpoint;
use serde_json::json;
use support::tokens::{
    FORMS, altered, assert_inactive, assert_unavailable, call_rpc, resigned, unsigned,
};
use support::{Fixture, Form, Outage, Seen, Tokens, authenticated, basic, post};

#[test]
fn rv_1_another_clients_token_is_refused_and_stays_active() {
    let fixture = Fixture::new();
    for form in FORMS {
        let tokens = fixture.tokens_of(form);
        for token in [tokens.access.as_str(), tokens.refresh()] {
            for thief in ["other", "post", "spa"] {
                let answer = fixture.revoke_as(thief, token);
                assert_eq!(answer.status, 400);
                assert_eq!(answer.label(), "token_for_other_client");
            }
            let refused = call_rpc(
                &fixture,
                "revoke",
                Some("other"),
                &json!({ "token": token }),
            );
            assert_eq!(refused["error"], "invalid_request");
            assert!(fixture.is_active_for(form, token));
        }
    }
}

#[test]
fn rv_1_a_resource_server_may_look_at_a_token_and_not_end_it() {
    let fixture = Fixture::new();
    let form = support::authorization("web").with("resource", support::RESOURCE);
    let code = fixture.signed_in_browser().code(&form);
    let token = Tokens::of(&fixture.exchange(&code)).access;
    assert!(fixture.is_active_for("api", &token));
    assert_eq!(fixture.revoke_as("api", &token).status, 400);
    assert!(fixture.is_active(&token));
}

#[test]
fn rv_2_an_unknown_or_dead_token_is_as_good_as_revoked() {
    let fixture = Fixture::new();
    let jwt = fixture.tokens_of("jwt").access;
    let tokens = fixture.tokens();
    for token in [
        "unknown",
        "a.b.c",
        "ema_AAAA",
        &altered(&jwt, "exp", &json!(1)),
        &unsigned(&jwt),
        &resigned(&jwt, None),
        tokens.id_token.as_deref().unwrap(),
    ] {
        let answer = fixture.revoke(token);
        assert_eq!((answer.status, answer.body.as_str()), (200, ""), "{token}");
    }
    for token in [&tokens.access, tokens.refresh()] {
        assert_eq!(fixture.revoke(token).status, 200);
        assert_eq!(fixture.revoke(token).status, 200, "once more");
    }
    fixture.later(7200);
    assert_eq!(fixture.revoke(&tokens.access).status, 200, "expired");
}

#[test]
fn rv_2_a_rotated_out_refresh_token_ends_its_family() {
    let fixture = Fixture::new();
    let first = fixture.tokens();
    let second = Tokens::of(&fixture.refresh(first.refresh()));
    assert_eq!(fixture.revoke(first.refresh()).status, 200);
    assert_inactive(&fixture.introspect(&second.access));
    assert_eq!(fixture.refresh(second.refresh()).error(), "invalid_grant");
}

#[test]
fn rv_3_a_refresh_token_takes_every_access_token_of_its_grant_with_it() {
    let fixture = Fixture::new();
    for form in FORMS {
        let first = fixture.tokens_of(form);
        let second = Tokens::of(&fixture.refresh_as(form, first.refresh()));
        assert!(fixture.is_active_for(form, &first.access));
        assert_eq!(fixture.revoke_as(form, second.refresh()).status, 200);
        for token in [&first.access, &second.access] {
            assert_inactive(&fixture.introspect_as(form, token));
            assert_eq!(fixture.userinfo(token).status, 401);
        }
        assert_inactive(&fixture.introspect_as(form, second.refresh()));
        assert_eq!(
            fixture.refresh_as(form, second.refresh()).error(),
            "invalid_grant"
        );
    }
}

#[test]
fn rv_3_an_access_token_ends_alone() {
    let fixture = Fixture::new();
    for form in FORMS {
        let first = fixture.tokens_of(form);
        let second = Tokens::of(&fixture.refresh_as(form, first.refresh()));
        assert_eq!(fixture.revoke_as(form, &first.access).status, 200);
        assert_inactive(&fixture.introspect_as(form, &first.access));
        assert!(fixture.is_active_for(form, &second.access));
        assert!(fixture.is_active_for(form, second.refresh()));
    }
}

#[test]
fn rv_3_a_clients_own_token_can_be_revoked_in_either_form() {
    let fixture = Fixture::new();
    for form in FORMS {
        let token = Tokens::of(&fixture.client_credentials(form)).access;
        let next = Tokens::of(&fixture.client_credentials(form)).access;
        assert_eq!(fixture.revoke_as(form, &token).status, 200);
        assert_inactive(&fixture.introspect_as(form, &token));
        assert!(fixture.is_active_for(form, &next));
    }
}

#[test]
fn rv_3_a_binding_revokes_as_its_client_does() {
    let fixture = Fixture::new();
    for form in FORMS {
        let token = fixture.tokens_of(form).access;
        let told = call_rpc(&fixture, "revoke", Some(form), &json!({ "token": token }));
        assert_eq!(told, json!({ "revoked": true }));
        assert_inactive(&fixture.introspect_as(form, &token));
    }
}

#[test]
fn rv_4_what_could_not_be_stored_or_told_is_not_acknowledged() {
    let fixture = Fixture::new();
    for outage in [Outage::Ledger, Outage::Feed] {
        for form in FORMS {
            let tokens = fixture.tokens_of(form);
            fixture.memory().fail(outage);
            assert_unavailable(&fixture.revoke_as(form, &tokens.access));
            assert_unavailable(&fixture.revoke_as(form, tokens.refresh()));
            fixture.memory().restore();
        }
    }
}

#[test]
fn rv_4_a_revocation_that_was_repeated_after_an_outage_holds() {
    let fixture = Fixture::new();
    for outage in [Outage::Ledger, Outage::Feed] {
        let tokens = fixture.tokens();
        fixture.memory().fail(outage);
        assert_unavailable(&fixture.revoke(tokens.refresh()));
        fixture.memory().restore();
        assert_eq!(fixture.revoke(tokens.refresh()).status, 200);
        assert_inactive(&fixture.introspect(&tokens.access));
        assert_inactive(&fixture.introspect(tokens.refresh()));
    }
}

#[test]
fn rv_4_without_the_directory_nobody_is_told_that_the_client_is_unknown() {
    let fixture = Fixture::new();
    fixture.memory().fail(Outage::Directory);
    assert_unavailable(&fixture.revoke("x"));
}

#[test]
fn rv_5_a_confidential_client_has_to_authenticate() {
    let fixture = Fixture::new();
    let token = fixture.tokens().access;
    let form = Form::new(&[("token", &token)]);
    let wrong = Request {
        authorization: Some(basic("web", "wrong")),
        ..post(&form)
    };
    let bearer = Request {
        authorization: Some(format!("Bearer {token}")),
        ..post(&form)
    };
    for request in [
        post(&form),
        post(&form.clone().with("client_id", "web")),
        wrong,
        bearer,
    ] {
        let answer = fixture.send(Endpoint::Revoke, &request);
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (401, "invalid_client")
        );
    }
    assert!(fixture.is_active(&token));
}

#[test]
fn rv_5_a_public_client_ends_its_own_tokens_by_its_id() {
    let fixture = Fixture::new();
    for client in ["spa", "native"] {
        let tokens = fixture.tokens_of(client);
        let confidential = fixture.tokens();
        assert_eq!(fixture.revoke_as(client, &confidential.access).status, 400);
        assert_eq!(fixture.revoke_as(client, tokens.refresh()).status, 200);
        assert_eq!(fixture.userinfo(&tokens.access).label(), "token_revoked");
        assert!(fixture.is_active(&confidential.access));
    }
}

#[test]
fn rv_6_a_wrong_hint_saves_no_token() {
    let fixture = Fixture::new();
    for hint in ["access_token", "refresh_token", "id_token", "x", ""] {
        for form in FORMS {
            let tokens = fixture.tokens_of(form);
            for token in [tokens.access.as_str(), tokens.refresh()] {
                let request = Form::new(&[("token", token), ("token_type_hint", hint)]);
                let answer = fixture.send(Endpoint::Revoke, &authenticated(form, &request));
                assert_eq!(answer.status, 200);
                assert_inactive(&fixture.introspect_as(form, token));
            }
        }
    }
}

#[test]
fn a_code_is_no_token_and_revoking_it_spends_nothing() {
    let fixture = Fixture::new();
    let code = fixture.code();
    assert_eq!(fixture.revoke(&code).status, 200);
    assert_eq!(fixture.exchange(&code).status, 200);
}

#[test]
fn a_request_without_a_token_or_with_two_is_refused() {
    let fixture = Fixture::new();
    for form in [
        Form::default(),
        Form::new(&[("token", "a"), ("token", "b")]),
    ] {
        let answer = fixture.send(Endpoint::Revoke, &authenticated("web", &form));
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (400, "invalid_request")
        );
    }
}
