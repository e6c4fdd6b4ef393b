//! What a resource has to check tokens with: signed and several introspections, its own key, and what was
//! revoked (S1, IN).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use edgemint::http::{Request, Response};
use edgemint::memory::Fault;
use edgemint::model::Shard;
use edgemint::server::Endpoint;
use edgemint::token::{AccessToken, FeedAnswer, ResourceKeys, Revocations};
use serde_json::{Value, json};
use support::decoded;
use support::records::{PROVIDERS, at, made, patched, read};
use support::tokens::{api_token, get_with, json_post, kids, raise_epoch, sealed};
use support::{
    BOOTSTRAP, Fixture, Form, RESOURCE, Seen, Tokens, authenticated, authorization, basic,
    exchange_form,
};

const SIGNED: &str = "application/token-introspection+jwt";

fn token_for_resource(fixture: &Fixture) -> String {
    let form = authorization("web").with("resource", RESOURCE);
    let code = fixture.signed_in_browser().code(&form);
    Tokens::of(&fixture.token_as("web", &exchange_form("web", &code))).access
}

fn ask_several(fixture: &Fixture, caller: &str, body: &str) -> Response {
    let request = Request {
        authorization: Some(basic(caller, &support::secret(caller))),
        ..json_post(None, body)
    };
    fixture.send(Endpoint::Introspect, &request)
}

fn accepting(fixture: &Fixture, accept: &str, token: &str) -> Response {
    let request = Request {
        accept: Some(accept.to_owned()),
        ..authenticated("api", &Form::new(&[("token", token)]))
    };
    fixture.send(Endpoint::Introspect, &request)
}

#[test]
fn several_tokens_are_introspected_in_one_question_and_in_their_order() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens();
    let asked = json!({ "tokens": [tokens.access, "nonsense", tokens.refresh()] });
    let told = ask_several(&fixture, "web", &asked.to_string());
    assert_eq!(told.status, 200, "{}", told.body);
    let told = told.json()["introspections"].clone();
    assert_eq!(told[0], fixture.introspect(&tokens.access).json());
    assert_eq!(told[1], json!({ "active": false }));
    assert_eq!(told[2], fixture.introspect(tokens.refresh()).json());
    assert_eq!(told.as_array().unwrap().len(), 3);
}

#[test]
fn several_tokens_tell_a_stranger_nothing() {
    let fixture = Fixture::new();
    let body = json!({ "tokens": [fixture.tokens().access] }).to_string();
    let told = ask_several(&fixture, "other", &body).json();
    assert_eq!(told["introspections"], json!([{ "active": false }]));
    let nobody = fixture.send(Endpoint::Introspect, &json_post(None, &body));
    assert_eq!(
        (nobody.status, nobody.error().as_str()),
        (401, "invalid_client")
    );
}

#[test]
fn a_question_about_several_is_one_list_of_texts() {
    let fixture = Fixture::new();
    let many: Vec<&str> = vec!["x"; 25];
    for body in [
        json!({}),
        json!({ "tokens": [] }),
        json!({ "tokens": many }),
        json!({ "tokens": ["x", 1] }),
        json!({ "tokens": "x" }),
        json!({ "tokens": ["x"], "more": 1 }),
        json!(["x"]),
    ] {
        let answer = ask_several(&fixture, "web", &body.to_string());
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (400, "invalid_request"),
            "{body}"
        );
    }
}

#[test]
fn rfc_9701_who_accepts_it_gets_the_answer_signed_for_itself() {
    let fixture = Fixture::new();
    let token = token_for_resource(&fixture);
    for accept in [
        SIGNED,
        "application/json;q=0.5, APPLICATION/token-introspection+jwt",
    ] {
        let answer = accepting(&fixture, accept, &token);
        assert_eq!(answer.header("content-type"), Some(SIGNED));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let parts: Vec<&str> = answer.body.split('.').collect();
        let (header, claims) = (decoded(parts[0]), decoded(parts[1]));
        assert_eq!(header["typ"], "token-introspection+jwt");
        assert!(kids(&fixture).contains(&header["kid"].as_str().unwrap().to_owned()));
        assert_eq!(claims["aud"], "api");
        assert_eq!(claims["iss"], fixture.server.config.issuer);
        assert_eq!(claims["iat"], fixture.now());
        assert_eq!(
            claims["token_introspection"],
            fixture.introspect_as("api", &token).json()
        );
        // §5: so that it can never pass for another token.
        assert_eq!((claims.get("sub"), claims.get("exp")), (None, None));
    }
}

#[test]
fn rfc_9701_what_is_not_active_is_said_signed_too_and_others_get_json() {
    let fixture = Fixture::new();
    let answer = accepting(&fixture, SIGNED, "nonsense");
    let claims = decoded(answer.body.split('.').nth(1).unwrap());
    assert_eq!(claims["token_introspection"], json!({ "active": false }));
    let token = token_for_resource(&fixture);
    for accept in ["application/json", "*/*", "application/jwt", ""] {
        assert_eq!(
            accepting(&fixture, accept, &token).json()["active"],
            true,
            "{accept}"
        );
    }
}

#[test]
fn rfc_9701_a_signed_introspection_is_no_access_token() {
    let fixture = Fixture::new();
    let answer = accepting(&fixture, SIGNED, &token_for_resource(&fixture));
    assert!(!fixture.is_active(&answer.body));
    assert_eq!(fixture.userinfo(&answer.body).status, 401);
}

fn news(fixture: &Fixture, authorization: &str, since: Option<&str>) -> Response {
    let query = since.map(|since| Form::new(&[("since", since)]).encode());
    let request = Request {
        path: "/api/v1/revocations".to_owned(),
        query: query.unwrap_or_default(),
        ..get_with(authorization)
    };
    fixture.send(Endpoint::Revocations, &request)
}

fn learned(copy: &mut Revocations, news: &Response, fixture: &Fixture) -> bool {
    let answer: FeedAnswer = serde_json::from_str(&news.body).unwrap();
    copy.learn(answer, fixture.at().now)
}

#[test]
fn a_resource_learns_what_was_revoked_and_then_what_is_new() {
    let fixture = Fixture::new();
    let bearer = format!("Bearer {}", api_token(&fixture, "revocation:read"));
    let first = news(&fixture, &bearer, None);
    assert_eq!(first.status, 200, "{}", first.body);
    let mut copy = Revocations::default();
    assert!(learned(&mut copy, &first, &fixture));
    let token = token_for_resource(&fixture);
    let opened = fixture.server.keyring.open(&token).unwrap();
    assert!(!copy.ends_token(&opened.id, opened.epoch, &opened.token));
    assert_eq!(fixture.revoke(&token).status, 200);
    let next = first.json()["next"].as_str().unwrap().to_owned();
    let second = news(&fixture, &bearer, Some(&next));
    assert_eq!(second.json()["after"], first.json()["head"]);
    assert_eq!(second.json()["full"], false);
    assert!(learned(&mut copy, &second, &fixture));
    assert!(copy.ends_token(&opened.id, opened.epoch, &opened.token));
}

#[test]
fn only_who_may_learns_what_was_revoked() {
    let fixture = Fixture::new();
    let other = format!("Bearer {}", api_token(&fixture, "user:token"));
    let elsewhere = format!("Bearer {}", token_for_resource(&fixture));
    for (authorization, status) in [
        (other, 403),
        (elsewhere, 401),
        ("Basic eDp5".to_owned(), 401),
    ] {
        assert_eq!(
            news(&fixture, &authorization, None).status,
            status,
            "{authorization}"
        );
    }
    let administrator = format!("Bearer {BOOTSTRAP}");
    assert_eq!(news(&fixture, &administrator, None).status, 200);
    let long = format!("{}:1", "0".repeat(99));
    for since in ["", "x", "x:", "x:y", ":-1", "x:1:y", &long] {
        let answer = news(&fixture, &administrator, Some(since));
        assert_eq!(answer.status, 400, "{since}");
    }
    // Another feed, or a place that never was: all there is.
    assert_eq!(
        news(&fixture, &administrator, Some("other:5")).json()["full"],
        true
    );
}

fn export(fixture: &Fixture, token: Option<&str>, body: &Value) -> Response {
    fixture.send(Endpoint::ResourceKeys, &json_post(token, &body.to_string()))
}

fn key_of(fixture: &Fixture, resource: &str) -> ResourceKeys {
    let answer = export(fixture, Some(BOOTSTRAP), &json!({ "resource": resource }));
    assert_eq!(answer.status, 200, "{}", answer.body);
    ResourceKeys::from_json(answer.json().as_object().unwrap()).unwrap()
}

#[test]
fn the_owner_of_a_resource_opens_its_tokens_and_no_others() {
    let fixture = Fixture::new();
    let keys = key_of(&fixture, RESOURCE);
    assert_eq!(keys.issuer(), fixture.server.config.issuer);
    let opened = keys.open(&token_for_resource(&fixture)).unwrap();
    assert_eq!(opened.token.audience, RESOURCE);
    assert!(keys.open(&fixture.tokens().access).is_err());
    let session = fixture.tokens();
    assert!(keys.open(session.refresh()).is_err());
}

#[test]
fn a_new_epoch_takes_the_key_of_a_resource_away() {
    let fixture = Fixture::new();
    let before = key_of(&fixture, RESOURCE);
    raise_epoch(&fixture);
    fixture.later(10);
    let token = token_for_resource(&fixture);
    assert!(before.open(&token).is_err());
    assert!(key_of(&fixture, RESOURCE).open(&token).is_ok());
}

#[test]
fn the_key_of_a_resource_is_for_administrators_with_a_token() {
    let fixture = Fixture::new();
    let asked = json!({ "resource": RESOURCE });
    assert_eq!(export(&fixture, None, &asked).status, 401);
    let other = api_token(&fixture, "user:token revocation:read");
    assert_eq!(export(&fixture, Some(&other), &asked).status, 403);
    let own = fixture.server.config.api_audience();
    for body in [
        json!({}),
        json!({ "resource": "" }),
        json!({ "resource": 1 }),
        json!({ "resource": "a\nb" }),
        json!({ "resource": own }),
        json!({ "resource": RESOURCE, "more": 1 }),
        json!({ "resource": "x".repeat(2049) }),
    ] {
        let answer = export(&fixture, Some(BOOTSTRAP), &body);
        assert_eq!(answer.status, 400, "{body}");
    }
}

/// Whoever has the key of a resource makes a token for it that says what they like.
#[test]
fn what_the_owner_of_a_resource_makes_up_tells_nothing_about_people() {
    let fixture = Fixture::new();
    let genuine = fixture
        .server
        .keyring
        .open(&fixture.tokens().access)
        .unwrap();
    let genuine = genuine.token.clone();
    let victim = fixture.tokens_in(&fixture.browser_of("bob"), "web").access;
    let victim = fixture.server.keyring.open(&victim).unwrap();
    let forged = [
        AccessToken {
            grant: None,
            ..genuine.clone()
        },
        AccessToken {
            sub: victim.token.sub.clone(),
            ..genuine.clone()
        },
        AccessToken {
            client: "other".to_owned().try_into().unwrap(),
            ..genuine.clone()
        },
        AccessToken {
            grant: Some("invented".to_owned().try_into().unwrap()),
            ..genuine.clone()
        },
    ];
    assert_eq!(fixture.userinfo(&sealed(&fixture, &genuine)).status, 200);
    for token in forged {
        let answer = fixture.userinfo(&sealed(&fixture, &token));
        assert_eq!(answer.status, 401, "{token:?}");
    }
    // A scope that nobody agreed to brings nothing.
    let code = fixture
        .signed_in_browser()
        .code(&authorization("web").with("scope", "openid"));
    let little = Tokens::of(&fixture.exchange(&code)).access;
    let little = fixture.server.keyring.open(&little).unwrap();
    let more = AccessToken {
        scope: genuine.scope.clone(),
        ..little.token.clone()
    };
    let told = fixture.userinfo(&sealed(&fixture, &more)).json();
    assert_eq!(told.as_object().unwrap().len(), 1, "{told}");
}

/// A shard that is asked for comes to be, and each client may end so many tokens in each.
#[test]
fn what_the_owner_of_a_resource_makes_up_reaches_no_shard_that_cannot_be() {
    let fixture = Fixture::new();
    let genuine = fixture
        .server
        .keyring
        .open(&token_for_resource(&fixture))
        .unwrap();
    let with = |shard| {
        let token = AccessToken {
            shard: Shard(shard),
            ..genuine.token.clone()
        };
        sealed(&fixture, &token)
    };
    assert!(fixture.is_active_for("api", &with(255)));
    for shard in [256, u16::MAX] {
        assert_eq!(fixture.userinfo(&with(shard)).status, 401, "{shard}");
        assert!(!fixture.is_active_for("api", &with(shard)), "{shard}");
    }
}

#[test]
fn a_resource_is_not_told_which_copies_are_old() {
    let fixture = Fixture::new();
    fixture.revoke(&token_for_resource(&fixture));
    let quotas = json!({ "default": { "api": { "a": 1 } } });
    let request = Request {
        method: "PUT".to_owned(),
        path: "/api/v1/quota-overrides".to_owned(),
        ..json_post(Some(BOOTSTRAP), &quotas.to_string())
    };
    assert_eq!(fixture.send(Endpoint::QuotaOverrides, &request).status, 200);
    let provider = made(
        &fixture,
        PROVIDERS,
        json!({"name": "Shop", "client_id": "shop", "grant_types": ["client_credentials"]}),
    );
    patched(
        &fixture,
        &at(PROVIDERS, &provider),
        json!({"name": "Shops"}),
    );
    let told = news(&fixture, &format!("Bearer {BOOTSTRAP}"), None).json();
    let lines = told["entries"].as_array().unwrap();
    assert!(lines.iter().any(|line| line.get("token").is_some()));
    for line in lines {
        for copy in [
            "client_version",
            "keys_version",
            "handle",
            "subject_version",
            "quotas_version",
            "token_version",
        ] {
            assert_eq!(line.get(copy), None, "{line}");
        }
    }
}

#[test]
fn in_3_somebody_elses_refresh_tokens_cost_a_caller_nobodys_work() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens();
    let refresh = vec![tokens.refresh(); 24];
    let before = fixture.memory().operations();
    let asked = json!({ "tokens": refresh }).to_string();
    let told = ask_several(&fixture, "other", &asked).json();
    assert_eq!(told["introspections"][23], json!({ "active": false }));
    assert_eq!(fixture.memory().operations().ledger, before.ledger);
}

#[test]
fn whatever_fails_on_the_way_a_key_that_is_told_is_in_the_history() {
    for others in 0..6 {
        for fault in [Fault::Unreached, Fault::AnswerLost] {
            let fixture = Fixture::new();
            fixture.memory().fail_after(others, fault);
            let asked = json!({ "resource": RESOURCE });
            let told = export(&fixture, Some(BOOTSTRAP), &asked).status == 200;
            fixture.memory().restore();
            let noted = read(&fixture, "/api/v1/audit/")
                .to_string()
                .contains(RESOURCE);
            assert!(noted || !told, "{fault:?} after {others}");
        }
    }
}
