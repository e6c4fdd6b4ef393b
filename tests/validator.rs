//! Bearer tokens at our own resources and through a service binding (RS).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use edgemint::http::Request;
use edgemint::model::{Secret, UnixTime};
use edgemint::server::Endpoint;
use edgemint::token::{AccessToken, Keyring};
use serde_json::json;
use support::tokens::{
    FORMS, altered, api_token, call_rpc, facts, get_with, json_post, metadata, resigned, sealed,
    signed_by_stranger, unsigned,
};
use support::{Fixture, Form, RESOURCE, Seen, Tokens, authorization, exchange_form, get, post};

#[test]
fn rs_1_a_token_in_the_query_is_ignored() {
    let fixture = Fixture::new();
    let token = fixture.tokens().access;
    let query = Form::new(&[("access_token", &token)]);
    let alone = fixture.get(Endpoint::Userinfo, &query);
    assert_eq!(alone.status, 401);
    assert_eq!(
        alone.header("www-authenticate"),
        Some("Bearer realm=\"edgemint\"")
    );
    let beside = Request {
        authorization: Some(format!("Bearer {token}")),
        ..get(&Form::new(&[("access_token", "nonsense")]))
    };
    assert_eq!(fixture.send(Endpoint::Userinfo, &beside).status, 200);
}

#[test]
fn rs_1_a_token_in_the_body_is_refused_with_and_without_one_in_the_header() {
    let fixture = Fixture::new();
    let token = fixture.tokens().access;
    for authorization in [None, Some(format!("Bearer {token}"))] {
        let request = Request {
            authorization,
            ..post(&Form::new(&[("access_token", &token)]))
        };
        let answer = fixture.send(Endpoint::Userinfo, &request);
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (400, "invalid_request")
        );
        assert_eq!(answer.label(), "several_credentials");
    }
}

#[test]
fn rs_2_any_case_of_the_scheme_is_accepted_and_nothing_else_panics() {
    let fixture = Fixture::new();
    let token = fixture.tokens().access;
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        let answer = fixture.send(Endpoint::Userinfo, &get_with(&format!("{scheme} {token}")));
        assert_eq!(answer.status, 200, "{scheme}");
    }
    for odd in [
        format!("Bearer  {token}"),
        format!("Bearer {token} "),
        format!("Bearer {token},x"),
        format!("Bearer {token}\u{0}"),
        format!("Bearer {token}é"),
        format!("Bearer {}", "a".repeat(100_000)),
        format!("Bearer {}", ".".repeat(1000)),
        "Bearer ..".to_owned(),
        "Bearer ema_".to_owned(),
        "Bearer".to_owned(),
        " ".to_owned(),
    ] {
        let answer = fixture.send(Endpoint::Userinfo, &get_with(&odd));
        assert_eq!(answer.status, 401, "{odd}");
    }
}

#[test]
fn rs_3_none_is_challenged_a_bad_one_invalid_and_a_weak_one_insufficient() {
    let fixture = Fixture::new();
    let weak = Tokens::of(&fixture.client_credentials("web")).access;
    let cases = [
        (get(&Form::default()), 401, None),
        (get_with("Bearer nonsense"), 401, Some("invalid_token")),
        (
            get_with(&format!("Bearer {weak}")),
            403,
            Some("insufficient_scope"),
        ),
    ];
    for (request, status, code) in cases {
        let answer = fixture.send(Endpoint::Userinfo, &request);
        assert_eq!(answer.status, status);
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.starts_with("Bearer realm=\"edgemint\""));
        match code {
            None => assert!(!challenge.contains("error")),
            Some(code) => assert!(challenge.contains(&format!("error=\"{code}\""))),
        }
    }
}

#[test]
fn rs_3_the_management_api_and_registration_challenge_alike() {
    let fixture = Fixture::new();
    let expired = sealed(
        &fixture,
        &AccessToken {
            audience: fixture.server.config.api_audience(),
            expires_at: UnixTime(fixture.now()),
            ..facts(&fixture)
        },
    );
    let other_audience = fixture.tokens().access;
    let weak = api_token(&fixture, "read");
    for endpoint in [
        Endpoint::Records,
        Endpoint::FirstRun,
        Endpoint::RotateKeys,
        Endpoint::Register,
    ] {
        let bare = fixture.send(endpoint, &json_post(None, "{}"));
        assert_eq!(bare.status, 401, "{endpoint:?}");
        assert_eq!(
            bare.header("www-authenticate"),
            Some("Bearer realm=\"edgemint\"")
        );
        for bad in ["nonsense", &expired, &other_audience] {
            let answer = fixture.send(endpoint, &json_post(Some(bad), "{}"));
            assert_eq!(answer.status, 401, "{endpoint:?}");
            let challenge = answer.header("www-authenticate").expect("a challenge");
            assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
        }
        let answer = fixture.send(endpoint, &json_post(Some(&weak), "{}"));
        assert_eq!(answer.status, 403, "{endpoint:?}");
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.contains("error=\"insufficient_scope\""));
    }
}

#[test]
fn rs_4_a_token_ends_in_the_second_that_it_names() {
    let fixture = Fixture::new();
    for form in FORMS {
        let token = fixture.tokens_of(form).access;
        let fresh = fixture.now();
        fixture.later(3599);
        assert_eq!(fixture.userinfo(&token).status, 200);
        fixture.later(1);
        assert_eq!(fixture.now(), fresh + 3600);
        let answer = fixture.userinfo(&token);
        assert_eq!(answer.status, 401);
        assert_eq!(answer.label(), "token_expired");
    }
}

#[test]
fn rs_4_another_issuers_token_is_refused_in_either_form() {
    let fixture = Fixture::new();
    let other = Fixture::with(|config| config.issuer = "https://other.example".to_owned());
    for form in FORMS {
        let token = Tokens::of(&other.client_credentials(form)).access;
        assert!(other.is_active_for(form, &token));
        let answer = fixture.userinfo(&token);
        assert_eq!(
            (answer.status, answer.label().as_str()),
            (401, "token_unknown")
        );
    }
}

#[test]
fn rs_4_the_same_root_under_another_issuer_seals_nothing_of_ours() {
    let fixture = Fixture::new();
    let roots = [Secret::new("root secret of the tests, 32 bytes")];
    let other = Keyring::new("https://other.example", &roots).unwrap();
    let id = fixture.server.fresh_id().unwrap();
    let token = other.seal(&facts(&fixture), 1, id).unwrap();
    assert_eq!(fixture.userinfo(token.expose()).status, 401);
}

#[test]
fn rs_4_a_jwt_that_was_altered_unsigned_or_signed_by_others_is_refused() {
    let fixture = Fixture::new();
    let token = fixture.tokens_of("jwt").access;
    assert_eq!(fixture.userinfo(&token).status, 200);
    for bad in [
        altered(&token, "sub", &json!("u_bob")),
        altered(&token, "exp", &json!(fixture.now() + 1_000_000)),
        altered(&token, "edgemint", &json!({})),
        unsigned(&token),
        resigned(&token, None),
        format!("{token}A"),
        token[..token.len() - 2].to_owned(),
    ] {
        let answer = fixture.userinfo(&bad);
        assert_eq!(
            (answer.status, answer.label().as_str()),
            (401, "token_unknown")
        );
    }
}

#[test]
fn rs_4_no_flipped_character_of_a_sealed_token_is_accepted() {
    let fixture = Fixture::new();
    let token = fixture.tokens().access;
    for position in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
        let bad = String::from_utf8(bytes).unwrap();
        assert_eq!(fixture.userinfo(&bad).status, 401, "{position}");
    }
}

#[test]
fn rs_4_a_token_for_another_audience_opens_neither_the_api_nor_a_binding() {
    let fixture = Fixture::new();
    let own = fixture.tokens().access;
    let answer = fixture.send(Endpoint::Records, &json_post(Some(&own), "{}"));
    assert_eq!(
        (answer.status, answer.label().as_str()),
        (401, "token_for_other_audience")
    );

    let arguments = json!({ "authorization": format!("Bearer {own}") });
    let refused = call_rpc(&fixture, "validate", Some("api"), &arguments);
    assert_eq!(
        (&refused["error"], &refused["status"]),
        (&json!("invalid_token"), &json!(401))
    );
    let accepted = call_rpc(&fixture, "validate", Some("web"), &arguments);
    assert_eq!(
        (&accepted["active"], &accepted["sub"]),
        (&json!(true), &json!("u_ada"))
    );
}

#[test]
fn rs_4_a_resource_server_is_served_the_tokens_of_its_resource() {
    let fixture = Fixture::new();
    let form = authorization("web").with("resource", RESOURCE);
    let code = fixture.signed_in_browser().code(&form);
    let token = Tokens::of(&fixture.token_as("web", &exchange_form("web", &code))).access;
    let authorization = format!("Bearer {token}");
    let ask = |scopes: &str, satisfy: &str| {
        let arguments =
            json!({ "authorization": authorization, "scopes": scopes, "satisfy": satisfy });
        call_rpc(&fixture, "validate", Some("api"), &arguments)
    };
    assert_eq!(ask("read", "all")["aud"], RESOURCE);
    assert_eq!(ask("read write", "any")["active"], true);
    let refused = ask("read write", "all");
    assert_eq!(
        (&refused["error"], &refused["status"]),
        (&json!("insufficient_scope"), &json!(403))
    );
    assert!(
        refused["challenge"]
            .as_str()
            .unwrap()
            .contains("scope=\"read write\"")
    );
}

#[test]
fn rs_4_to_have_tokens_for_a_resource_is_not_to_be_it() {
    let fixture = Fixture::new();
    for id in ["web", "other"] {
        fixture.change_client(id, |client| {
            client.default_resource = Some(RESOURCE.to_owned());
        });
    }
    // `other` was given the token of a person for the resource, and shows it to `web`.
    let stolen =
        json!({ "authorization": format!("Bearer {}", fixture.tokens_of("other").access) });
    let answer = call_rpc(&fixture, "validate", Some("web"), &stolen);
    assert_eq!(answer["error"], "invalid_token", "{answer}");
    let answer = call_rpc(&fixture, "validate", Some("api"), &stolen);
    assert_eq!(answer["active"], true, "{answer}");
}

#[test]
fn rs_5_nothing_but_an_access_token_is_taken_for_one() {
    let fixture = Fixture::new();
    for form in FORMS {
        let browser = fixture.signed_in_browser();
        let tokens = fixture.tokens_in(&browser, form);
        let code = browser.code(&authorization(form));
        let page = fixture.browser().authorize(&authorization(form));
        let pending = page.hidden_fields().value("request").unwrap().to_owned();
        let cookie = browser.cookie("edgemint-session").unwrap();
        let refresh = tokens.refresh().to_owned();
        for (kind, other) in [
            ("ID token", tokens.id_token.clone().unwrap()),
            ("refresh token", refresh),
            ("code", code),
            ("pending request", pending),
            ("session", cookie),
        ] {
            assert_eq!(fixture.userinfo(&other).label(), "token_unknown", "{kind}");
            let api = fixture.send(Endpoint::Records, &json_post(Some(&other), "{}"));
            assert_eq!(api.label(), "token_unknown", "{kind}");
            let arguments = json!({ "authorization": format!("Bearer {other}") });
            let rpc = call_rpc(&fixture, "validate", Some(form), &arguments);
            assert_eq!(rpc["error"], "invalid_token", "{kind}");
        }
    }
}

#[test]
fn rs_5_a_renamed_prefix_makes_no_access_token_of_another_kind() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let code = browser.code(&authorization("web"));
    let refresh = fixture.tokens().refresh().to_owned();
    for other in [code, refresh] {
        let renamed = format!("ema_{}", &other[4..]);
        assert_eq!(fixture.userinfo(&renamed).label(), "token_unknown");
    }
}

#[test]
fn rs_6_sender_constrained_tokens_are_not_built_and_nowhere_offered() {
    let fixture = Fixture::new();
    let metadata = metadata(&fixture);
    assert!(metadata.get("dpop_signing_alg_values_supported").is_none());
    assert!(
        metadata
            .get("tls_client_certificate_bound_access_tokens")
            .is_none()
    );
    let token = fixture.tokens().access;
    let answer = fixture.send(Endpoint::Userinfo, &get_with(&format!("DPoP {token}")));
    assert_eq!((answer.status, answer.label().as_str()), (401, "no_token"));
}

#[test]
fn rs_7_random_key_ids_cause_no_read_of_keys() {
    let fixture = Fixture::new();
    let token = fixture.tokens_of("jwt").access;
    assert_eq!(fixture.userinfo(&token).status, 200);
    let cost = fixture.cost(|| {
        for number in 0..200 {
            let bad = signed_by_stranger(&format!("kid-{number}"), "at+jwt", &json!({}));
            assert_eq!(fixture.userinfo(&bad).label(), "token_unknown");
        }
    });
    assert_eq!((cost.directory, cost.ledger), (0, 0));
}

#[test]
fn rs_8_no_challenge_echoes_what_was_sent() {
    let fixture = Fixture::new();
    for sent in [
        "canary",
        "canary.canary.canary",
        "canary\"",
        "canary\r\nx: y",
        "ema_canary",
    ] {
        let header = format!("Bearer {sent}");
        let endpoints = [Endpoint::Userinfo, Endpoint::Records, Endpoint::Introspect];
        for endpoint in endpoints {
            let request = Request {
                authorization: Some(header.clone()),
                ..post(&Form::new(&[("token", "x")]))
            };
            let answer = fixture.send(endpoint, &request);
            assert_eq!(answer.status, 401, "{endpoint:?} {sent}");
            assert!(
                !answer
                    .headers
                    .iter()
                    .any(|(_, value)| value.contains("canary")),
                "{endpoint:?}"
            );
            assert!(!answer.body.contains("canary"), "{endpoint:?}");
            let challenge = answer.header("www-authenticate").unwrap();
            assert!(challenge.bytes().all(|byte| (0x20..0x7F).contains(&byte)));
        }
    }
}

#[test]
fn rs_9_an_access_token_lives_an_hour_unless_an_administrator_says_otherwise() {
    let fixture = Fixture::new();
    assert_eq!(fixture.server.config.access_token_lifetime.0, 3600);
    let answer = fixture.exchange(&fixture.code());
    assert_eq!(answer.json()["expires_in"], 3600);
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    let told = fixture.introspect(&token).json();
    assert_eq!(
        told["exp"].as_u64().unwrap() - told["iat"].as_u64().unwrap(),
        3600
    );
}

#[test]
fn a_binding_without_a_client_is_refused_every_verb() {
    let fixture = Fixture::new();
    let token = fixture.tokens().access;
    let arguments = json!({ "token": token, "authorization": format!("Bearer {token}") });
    for client in [None, Some("nobody")] {
        for verb in ["introspect", "validate", "revoke"] {
            let answer = call_rpc(&fixture, verb, client, &arguments);
            assert_eq!(answer["error"], "invalid_client", "{verb}");
        }
    }
    assert!(fixture.is_active(&token));
}
