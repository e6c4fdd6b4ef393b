//! Introspection, RFC 7662 (IN), and seed 000's check_token (S0.5).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use edgemint::http::{Request, Response};
use edgemint::model::UnixTime;
use edgemint::server::Endpoint;
use edgemint::token::AccessToken;
use serde_json::{Value, json};
use support::tokens::{
    FORMS, altered, assert_inactive, assert_unavailable, call_rpc, facts, metadata, resigned,
    sealed, unsigned,
};
use support::{
    Fixture, Form, Outage, RESOURCE, Seen, Tokens, authenticated, authorization, basic,
    exchange_form, get, post, secret,
};

/// The two endpoints that tell about a token.
const BOTH: [Endpoint; 2] = [Endpoint::Introspect, Endpoint::CheckToken];

fn check(fixture: &Fixture, token: &str, scope: &str) -> Response {
    let form = Form::new(&[("token", token), ("scope", scope)]);
    fixture.send(Endpoint::CheckToken, &authenticated("web", &form))
}

/// Asks with a bearer token instead of a client's secret.
fn ask_as_bearer(fixture: &Fixture, bearer: &str, token: &str) -> Response {
    let request = Request {
        authorization: Some(format!("Bearer {bearer}")),
        ..post(&Form::new(&[("token", token)]))
    };
    fixture.send(Endpoint::Introspect, &request)
}

fn token_for_resource(fixture: &Fixture, id: &str) -> String {
    let form = authorization(id).with("resource", RESOURCE);
    let code = fixture.signed_in_browser().code(&form);
    Tokens::of(&fixture.token_as(id, &exchange_form(id, &code))).access
}

#[test]
fn in_1_a_caller_without_or_with_bad_credentials_learns_nothing() {
    let fixture = Fixture::new();
    let token = fixture.tokens().access;
    let form = Form::new(&[("token", &token)]);
    let with = |authorization: String| Request {
        authorization: Some(authorization),
        ..post(&form)
    };
    for endpoint in BOTH {
        for request in [
            post(&form),
            post(&form.clone().with("client_id", "web")),
            post(&form.clone().with("client_id", "spa")),
            post(
                &form
                    .clone()
                    .with("client_id", "nobody")
                    .with("client_secret", "x"),
            ),
            with(basic("web", "wrong")),
            with(basic("nobody", "wrong")),
            with(basic("web", &secret("other"))),
            with("Bearer nonsense".to_owned()),
            with("Digest x".to_owned()),
        ] {
            let answer = fixture.send(endpoint, &request);
            assert_eq!(answer.status, 401, "{request:?}");
            assert_eq!(answer.json().get("active"), None);
            assert!(!answer.body.contains("ada"));
        }
    }
}

#[test]
fn in_1_a_token_in_a_query_is_never_read() {
    let fixture = Fixture::new();
    let token = fixture.tokens().access;
    for endpoint in BOTH {
        let request = Request {
            authorization: Some(basic("web", &secret("web"))),
            ..get(&Form::new(&[("token", &token)]))
        };
        assert_eq!(fixture.send(endpoint, &request).status, 400);
    }
}

#[test]
fn in_1_a_dead_bearer_is_no_credential() {
    let fixture = Fixture::new();
    let bearer = fixture.tokens_of("spa").access;
    let token = fixture.tokens_of("spa").access;
    assert_eq!(
        ask_as_bearer(&fixture, &bearer, &token).json()["active"],
        true
    );
    assert_eq!(fixture.revoke_as("spa", &bearer).status, 200);
    let answer = ask_as_bearer(&fixture, &bearer, &token);
    assert_eq!(
        (answer.status, answer.label().as_str()),
        (401, "token_revoked")
    );
    assert!(
        answer
            .header("www-authenticate")
            .unwrap()
            .starts_with("Bearer ")
    );
}

#[test]
fn in_2_a_dead_token_is_inactive_and_that_is_all_that_is_said() {
    let fixture = Fixture::new();
    let other = Fixture::with(|config| config.issuer = "https://other.example".to_owned());
    let expired = sealed(
        &fixture,
        &AccessToken {
            expires_at: UnixTime(fixture.now()),
            ..facts(&fixture)
        },
    );
    let not_yet = sealed(
        &fixture,
        &AccessToken {
            issued_at: UnixTime(fixture.now() + 61),
            ..facts(&fixture)
        },
    );
    let revoked = fixture.tokens().access;
    assert_eq!(fixture.revoke(&revoked).status, 200);
    let dead = fixture.tokens().refresh().to_owned();
    assert_eq!(fixture.revoke(&dead).status, 200);
    for token in [
        "unknown",
        "a.b.c",
        "ema_",
        "ema_AAAA",
        "emr_AAAA",
        "emx_AAAA",
        "\u{e9}",
        &"x".repeat(20_000),
        &expired,
        &not_yet,
        &revoked,
        &dead,
        &Tokens::of(&other.client_credentials("web")).access,
        &Tokens::of(&other.client_credentials("jwt")).access,
    ] {
        assert_inactive(&fixture.introspect(token));
        assert_inactive(&check(&fixture, token, ""));
    }
}

#[test]
fn in_2_a_jwt_that_is_not_ours_or_not_valid_is_inactive() {
    let fixture = Fixture::new();
    let token = fixture.tokens_of("jwt").access;
    assert!(fixture.is_active_for("jwt", &token));
    for bad in [
        altered(&token, "scope", &json!("openid read write")),
        altered(&token, "edgemint", &Value::Null),
        unsigned(&token),
        resigned(&token, None),
    ] {
        assert_inactive(&fixture.introspect_as("jwt", &bad));
    }
    fixture.later(3600);
    assert_inactive(&fixture.introspect_as("jwt", &token));
}

#[test]
fn in_2_codes_id_tokens_sessions_and_pages_are_no_tokens() {
    let fixture = Fixture::new();
    for form in FORMS {
        let browser = fixture.signed_in_browser();
        let tokens = fixture.tokens_in(&browser, form);
        let code = browser.code(&authorization(form));
        let session = browser.cookie("edgemint-session").unwrap();
        let page = fixture.browser().authorize(&authorization(form));
        let pending = page.hidden_fields().value("request").unwrap().to_owned();
        for other in [tokens.id_token.clone().unwrap(), code, session, pending] {
            assert_inactive(&fixture.introspect_as(form, &other));
        }
    }
}

#[test]
fn in_3_a_token_not_meant_for_the_caller_is_inactive() {
    let fixture = Fixture::new();
    for form in FORMS {
        let tokens = fixture.tokens_of(form);
        for caller in ["other", "post", "api"] {
            assert_inactive(&fixture.introspect_as(caller, &tokens.access));
            assert_inactive(&fixture.introspect_as(caller, tokens.refresh()));
            let form = Form::new(&[("token", &tokens.access)]);
            let answer = fixture.send(Endpoint::CheckToken, &authenticated(caller, &form));
            assert_inactive(&answer);
            let form = Form::new(&[("token", tokens.refresh())]);
            let answer = fixture.send(Endpoint::CheckToken, &authenticated(caller, &form));
            assert_inactive(&answer);
            let arguments = json!({ "token": tokens.access });
            let told = call_rpc(&fixture, "introspect", Some(caller), &arguments);
            assert_eq!(told, json!({ "active": false }));
        }
    }
}

#[test]
fn in_3_a_resource_server_is_told_of_access_tokens_for_it_and_of_nothing_else() {
    let fixture = Fixture::new();
    for form in FORMS {
        let token = token_for_resource(&fixture, form);
        let told = fixture.introspect_as("api", &token).json();
        assert_eq!(
            (&told["active"], &told["aud"]),
            (&json!(true), &json!(RESOURCE))
        );
        assert_inactive(&fixture.introspect_as("other", &token));
    }
    let code = fixture
        .signed_in_browser()
        .code(&authorization("web").with("resource", RESOURCE));
    let tokens = Tokens::of(&fixture.exchange(&code));
    assert_inactive(&fixture.introspect_as("api", tokens.refresh()));
}

#[test]
fn in_3_a_bearer_is_told_of_tokens_of_its_own_client_and_person_only() {
    let fixture = Fixture::new();
    let ada = fixture.tokens_in(&fixture.browser_of("ada"), "web");
    let again = fixture.tokens_in(&fixture.browser_of("ada"), "web");
    let bob = fixture.tokens_in(&fixture.browser_of("bob"), "web");
    let elsewhere = fixture.tokens_in(&fixture.browser_of("ada"), "other");
    assert_eq!(
        ask_as_bearer(&fixture, &ada.access, &again.access).json()["active"],
        true
    );
    assert_eq!(
        ask_as_bearer(&fixture, &ada.access, again.refresh()).json()["active"],
        true
    );
    for token in [&bob.access, &elsewhere.access] {
        assert_inactive(&ask_as_bearer(&fixture, &ada.access, token));
    }
    assert_inactive(&ask_as_bearer(&fixture, &ada.access, bob.refresh()));
}

#[test]
fn in_4_a_wrong_or_unknown_hint_hides_nothing() {
    let fixture = Fixture::new();
    for form in FORMS {
        let tokens = fixture.tokens_of(form);
        for token in [tokens.access.as_str(), tokens.refresh()] {
            for hint in ["access_token", "refresh_token", "id_token", "x", ""] {
                let form_ = Form::new(&[("token", token), ("token_type_hint", hint)]);
                let answer = fixture.send(Endpoint::Introspect, &authenticated(form, &form_));
                assert_eq!(answer.json()["active"], true, "{form} {hint}");
            }
        }
    }
}

#[test]
fn in_5_nobody_may_keep_an_answer_and_we_keep_none() {
    let fixture = Fixture::new();
    let token = fixture.tokens().access;
    let answer = fixture.introspect(&token);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.json()["active"], true);
    fixture.later(3599);
    assert!(fixture.is_active(&token));
    fixture.later(1);
    assert_inactive(&fixture.introspect(&token));
}

#[test]
fn in_6_one_callers_answer_is_never_anothers() {
    let fixture = Fixture::new();
    let token = token_for_resource(&fixture, "web");
    for _ in 0..3 {
        assert_eq!(fixture.introspect(&token).json()["active"], true);
        assert_inactive(&fixture.introspect_as("other", &token));
        assert_eq!(fixture.introspect_as("api", &token).json()["active"], true);
        assert_eq!(check(&fixture, &token, "read").json()["active"], true);
        assert_inactive(&check(&fixture, &token, "write"));
    }
}

#[test]
fn in_7_an_acknowledged_revocation_is_seen_within_the_published_bound() {
    let fixture = Fixture::new();
    assert_eq!(metadata(&fixture)["edgemint_revocation_max_age_ms"], 5000);
    for form in FORMS {
        let token = fixture.tokens_of(form).access;
        assert!(fixture.is_active_for(form, &token));
        assert_eq!(fixture.revoke_as(form, &token).status, 200);
        fixture.later(5);
        assert_inactive(&fixture.introspect_as(form, &token));
    }
}

#[test]
fn in_8_a_valid_signature_does_not_bring_a_revoked_jwt_back() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens_of("jwt");
    assert_eq!(fixture.revoke_as("jwt", tokens.refresh()).status, 200);
    assert_inactive(&fixture.introspect_as("jwt", &tokens.access));
    assert_eq!(fixture.userinfo(&tokens.access).label(), "token_revoked");
}

#[test]
fn in_8_no_token_is_bound_and_so_no_answer_names_a_key() {
    let fixture = Fixture::new();
    for form in FORMS {
        let token = fixture.tokens_of(form).access;
        assert_eq!(fixture.introspect_as(form, &token).json().get("cnf"), None);
    }
}

#[test]
fn in_9_a_known_and_an_unknown_token_cost_the_same_which_is_no_storage() {
    let fixture = Fixture::new();
    let known = fixture.tokens().access;
    let foreign = fixture.tokens_of("other").access;
    let expired = sealed(
        &fixture,
        &AccessToken {
            expires_at: UnixTime(fixture.now()),
            ..facts(&fixture)
        },
    );
    fixture.introspect(&known);
    for token in [known.as_str(), "ema_nonsense", &foreign, &expired] {
        let cost = fixture.cost(|| {
            fixture.introspect(token);
        });
        assert_eq!((cost.ledger, cost.directory, cost.kv_puts), (0, 0, 0));
    }
}

#[test]
fn in_9_a_caller_that_keeps_failing_is_told_to_wait() {
    let fixture = Fixture::new();
    let request = Request {
        authorization: Some(basic("web", "wrong")),
        ..post(&Form::new(&[("token", "x")]))
    };
    let answers: Vec<Response> = (0..25)
        .map(|_| fixture.send(Endpoint::Introspect, &request))
        .collect();
    assert_eq!(answers[0].status, 401);
    let last = answers.last().unwrap();
    assert_eq!(last.status, 429);
    assert!(last.header("retry-after").unwrap().parse::<u64>().unwrap() <= 600);
    assert!(
        fixture.is_active(&fixture.tokens().access),
        "the right secret still works"
    );
}

#[test]
fn the_answer_has_the_members_of_rfc_7662_and_seed_000() {
    let fixture = Fixture::new();
    for form in FORMS {
        let tokens = fixture.tokens_of(form);
        let told = fixture.introspect_as(form, &tokens.access).json();
        assert_eq!(told["scope"], "offline_access openid profile read");
        assert_eq!(told["client_id"], form);
        assert_eq!(told["username"], "ada");
        assert_eq!(told["token_type"], "Bearer");
        assert_eq!(
            (&told["sub"], &told["aud"]),
            (&json!("u_ada"), &json!(form))
        );
        assert_eq!(told["iss"], support::ISSUER);
        assert_eq!(told["iat"], fixture.now());
        assert_eq!(told["exp"], fixture.now() + 3600);
        assert!(told["jti"].is_string());

        let told = fixture.introspect_as(form, tokens.refresh()).json();
        assert_eq!(
            (&told["active"], &told["sub"]),
            (&json!(true), &json!("u_ada"))
        );
        assert_eq!(told.get("token_type"), None, "it is no access token");
    }
}

#[test]
fn only_the_newest_refresh_token_of_a_family_is_active() {
    let fixture = Fixture::new();
    let first = fixture.tokens().refresh().to_owned();
    assert!(fixture.is_active(&first));
    let next = Tokens::of(&fixture.refresh(&first)).refresh().to_owned();
    assert_inactive(&fixture.introspect(&first));
    assert!(fixture.is_active(&next));
}

#[test]
fn s0_5_check_token_answers_in_the_words_of_the_seed() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens();
    assert_eq!(
        check(&fixture, &tokens.access, "").json(),
        json!({
            "active": true,
            "scope": "offline_access openid profile read",
            "username": "ada",
            "token_type": "access_token",
            "exp": fixture.now() + 3600,
            "iat": fixture.now(),
        })
    );
    let told = check(&fixture, tokens.refresh(), "").json();
    assert_eq!(
        (&told["active"], &told["token_type"]),
        (&json!(true), &json!("refresh_token"))
    );
}

#[test]
fn s0_5_a_token_that_lacks_a_required_scope_is_inactive() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens();
    for token in [tokens.access.as_str(), tokens.refresh()] {
        for (required, told) in [
            ("read", Some("read")),
            ("read openid", Some("openid read")),
            ("", Some("offline_access openid profile read")),
            ("write", None),
            ("read write", None),
            ("rea", None),
            ("READ", None),
        ] {
            let answer = check(&fixture, token, required);
            match told {
                Some(scope) => assert_eq!(answer.json()["scope"], scope, "{required}"),
                None => assert_inactive(&answer),
            }
        }
        for malformed in ["a  b", "a\"b", " "] {
            let answer = check(&fixture, token, malformed);
            assert_eq!(
                (answer.status, answer.error().as_str()),
                (400, "invalid_request")
            );
        }
    }
}

#[test]
fn without_the_feed_there_is_no_verdict_about_a_live_token() {
    let fixture = Fixture::new();
    for form in FORMS {
        let tokens = fixture.tokens_of(form);
        let ask = Form::new(&[("token", &tokens.access)]);
        fixture.memory().fail(Outage::Feed);
        for token in [tokens.access.as_str(), tokens.refresh()] {
            let ask = Form::new(&[("token", token)]);
            for endpoint in BOTH {
                assert_unavailable(&fixture.send(endpoint, &authenticated(form, &ask)));
            }
        }
        assert_unavailable(&fixture.userinfo(&tokens.access));
        assert_unavailable(&ask_as_bearer(&fixture, &tokens.access, "x"));
        let arguments = json!({
            "token": tokens.access,
            "authorization": format!("Bearer {}", tokens.access),
        });
        for verb in ["introspect", "validate"] {
            let told = call_rpc(&fixture, verb, Some(form), &arguments);
            let expected = json!({ "error": "unavailable", "status": 503, "challenge": null });
            assert_eq!(told, expected);
        }
        fixture.memory().restore();
        let answer = fixture.send(Endpoint::Introspect, &authenticated(form, &ask));
        assert_eq!(answer.json()["active"], true);
    }
}

#[test]
fn without_the_directory_an_unknown_caller_is_not_told_that_it_is_unknown() {
    let fixture = Fixture::new();
    fixture.memory().fail(Outage::Directory);
    for endpoint in BOTH {
        let form = Form::new(&[("token", "x")]);
        assert_unavailable(&fixture.send(endpoint, &authenticated("web", &form)));
    }
}

#[test]
fn without_the_ledger_a_refresh_token_has_no_verdict_and_an_access_token_has() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens();
    assert!(fixture.is_active(tokens.refresh()));
    fixture.memory().fail(Outage::Ledger);
    assert_unavailable(&fixture.introspect(tokens.refresh()));
    assert_unavailable(&check(&fixture, tokens.refresh(), ""));
    assert!(fixture.is_active(&tokens.access));
}
