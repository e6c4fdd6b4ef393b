//! Refresh tokens (RT): rotation that survives a lost answer and tells a thief.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::collections::BTreeSet;

use edgemint::http::Response;
use edgemint::jose::base64url;
use edgemint::model::{ClientId, GrantType, Scope, Seconds};
use edgemint::ports::Ledger;
use edgemint::ports::ledger::WithdrawConsent;
use edgemint::server::Endpoint;
use serde_json::json;
use support::{
    Fixture, Form, NOW, RESOURCE, Seen, Tokens, authorization, block_on, exchange_form, post,
    refresh_form, subject,
};

const DAY: u64 = 24 * 3600;

#[track_caller]
fn assert_refused(response: &Response, label: &str) {
    let seen = (response.status, response.error(), response.label());
    assert_eq!(seen, (400, "invalid_grant".to_owned(), label.to_owned()));
}

/// The next tokens of `web`.
#[track_caller]
fn next(fixture: &Fixture, tokens: &Tokens) -> Tokens {
    Tokens::of(&fixture.refresh(tokens.refresh()))
}

/// Tokens of `web` for exactly this scope, in a browser of `ada`.
fn tokens_for(fixture: &Fixture, scope: &str) -> Tokens {
    let form = authorization("web").with("scope", scope);
    let code = fixture.signed_in_browser().code(&form);
    Tokens::of(&fixture.exchange(&code))
}

#[test]
fn rt_1_a_refresh_token_is_for_its_client_and_trying_it_elsewhere_harms_nothing() {
    let fixture = Fixture::new();
    for (owner, thief) in [
        ("web", "other"),
        ("web", "spa"),
        ("spa", "web"),
        ("spa", "native"),
    ] {
        let tokens = fixture.tokens_of(owner);
        let response = fixture.refresh_as(thief, tokens.refresh());
        assert_refused(&response, "refresh_token_for_other_client");
        Tokens::of(&fixture.refresh_as(owner, tokens.refresh()));
    }
}

#[test]
fn rt_1_a_confidential_client_has_to_authenticate_to_refresh() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens();
    let form = refresh_form(tokens.refresh()).with("client_id", "web");
    let response = fixture.post(Endpoint::Token, &form);
    let seen = (response.status, response.error());
    assert_eq!(seen, (401, "invalid_client".to_owned()));
    next(&fixture, &tokens);
}

#[test]
fn rt_2_every_clients_refresh_token_is_rotated_and_none_is_bound_to_a_key_yet() {
    let fixture = Fixture::new();
    for id in ["spa", "native", "stranger", "web"] {
        let tokens = fixture.tokens_of(id);
        let newer = Tokens::of(&fixture.refresh_as(id, tokens.refresh()));
        let newest = Tokens::of(&fixture.refresh_as(id, newer.refresh()));
        let texts = [&tokens, &newer, &newest].map(|tokens| tokens.refresh());
        assert_eq!(BTreeSet::from(texts).len(), 3, "{id}");
        assert_refused(
            &fixture.refresh_as(id, tokens.refresh()),
            "refresh_token_reused",
        );
    }
    let metadata = fixture.get(Endpoint::AuthorizationServer, &Form::default());
    assert_eq!(
        metadata.json().get("dpop_signing_alg_values_supported"),
        None
    );
}

#[test]
fn rt_4_a_retry_is_told_to_the_log_and_nothing_else_is() {
    let fixture = Fixture::new();
    let first = fixture.tokens();
    assert_eq!(fixture.refresh(first.refresh()).event, None);
    assert_eq!(
        fixture.refresh(first.refresh()).event,
        Some("refresh_retried")
    );
}

#[test]
fn rt_3_a_token_that_was_rotated_out_ends_its_whole_family() {
    type Wait = fn(&Fixture, &Tokens) -> Tokens;
    let ways: [(Wait, &str); 3] = [
        (
            |fixture, tokens| next(fixture, &next(fixture, tokens)),
            "used",
        ),
        (
            |fixture, tokens| {
                let newer = next(fixture, tokens);
                fixture.later(31);
                newer
            },
            "late",
        ),
        (
            |fixture, tokens| {
                let newer = next(fixture, tokens);
                for _ in 0..3 {
                    next(fixture, tokens);
                }
                newer
            },
            "often",
        ),
    ];
    for (wait, way) in ways {
        let fixture = Fixture::new();
        let tokens = fixture.tokens();
        let newest = wait(&fixture, &tokens);
        assert!(fixture.is_active(&newest.access), "{way}");
        assert_refused(&fixture.refresh(tokens.refresh()), "refresh_token_reused");
        assert_refused(&fixture.refresh(newest.refresh()), "family_ended");
        for token in [&tokens.access, &newest.access, newest.refresh()] {
            assert!(!fixture.is_active(token), "{way}");
        }
        assert_refused(&fixture.refresh(tokens.refresh()), "family_ended");
    }
}

#[test]
fn rt_3_a_rotated_out_token_is_noticed_whatever_else_is_asked_for() {
    for (name, value) in [("scope", "write"), ("resource", "https://else.example")] {
        let fixture = Fixture::new();
        let tokens = fixture.tokens();
        let newest = next(&fixture, &next(&fixture, &tokens));
        let form = refresh_form(tokens.refresh()).with(name, value);
        let response = fixture.token_as("web", &form);
        assert_eq!(response.label(), "refresh_token_reused", "{name}");
        assert_refused(&fixture.refresh(newest.refresh()), "family_ended");
    }
}

#[test]
fn rt_3_another_family_of_the_same_person_lives_on() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let (one, other) = (
        fixture.tokens_in(&browser, "web"),
        fixture.tokens_in(&browser, "web"),
    );
    next(&fixture, &next(&fixture, &one));
    assert_refused(&fixture.refresh(one.refresh()), "refresh_token_reused");
    assert!(fixture.is_active(&other.access));
    next(&fixture, &other);
}

#[test]
fn rt_4_a_retry_in_good_time_gets_the_same_successor() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens();
    let newer = next(&fixture, &tokens);
    for _ in 0..3 {
        fixture.later(10);
        let again = next(&fixture, &tokens);
        assert_eq!(again.refresh, newer.refresh);
        assert_ne!(again.access, newer.access);
        assert!(fixture.is_active(&again.access) && fixture.is_active(&newer.access));
        assert_eq!(again.claims()["sub"], "u_ada");
    }
    next(&fixture, &newer);
}

#[test]
fn rt_4_a_retry_is_only_for_the_same_client() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens();
    let newer = next(&fixture, &tokens);
    let response = fixture.refresh_as("other", tokens.refresh());
    assert_refused(&response, "refresh_token_for_other_client");
    let form = refresh_form(tokens.refresh()).with("client_id", "web");
    assert_eq!(fixture.post(Endpoint::Token, &form).status, 401);
    next(&fixture, &newer);
}

#[test]
fn rt_4_a_retry_is_over_when_the_successor_was_used() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens();
    let newer = next(&fixture, &tokens);
    let newest = next(&fixture, &newer);
    assert_eq!(next(&fixture, &newer).refresh, newest.refresh);
    assert_refused(&fixture.refresh(tokens.refresh()), "refresh_token_reused");
}

#[test]
fn rt_4_a_repeated_request_is_answered_alike_and_is_no_retry() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens();
    let request = fixture.token_request("web", &refresh_form(tokens.refresh()));
    let once = || {
        let at = fixture.at_request("the-same-request");
        Tokens::of(&fixture.send_at(Endpoint::Token, &request, &at)).refresh
    };
    let first = once();
    for _ in 0..10 {
        assert_eq!(once(), first);
    }
    // So the three retries are still there.
    for _ in 0..3 {
        assert_eq!(next(&fixture, &tokens).refresh, first);
    }
    assert_refused(&fixture.refresh(tokens.refresh()), "refresh_token_reused");
    let at = fixture.at_request("the-same-request");
    assert_refused(
        &fixture.send_at(Endpoint::Token, &request, &at),
        "family_ended",
    );
}

#[test]
fn rt_5_of_many_refreshes_at_once_one_new_head_comes() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens();
    let answers: Vec<Response> = (0..20).map(|_| fixture.refresh(tokens.refresh())).collect();
    let heads: BTreeSet<String> = answers
        .iter()
        .filter(|answer| answer.status == 200)
        .map(|answer| Tokens::of(answer).refresh().to_owned())
        .collect();
    assert_eq!(heads.len(), 1);
    // Twenty are no lost answer: whoever they were, the family is dead.
    for head in heads {
        assert_refused(&fixture.refresh(&head), "family_ended");
    }
}

#[test]
fn rt_6_scope_may_narrow_one_access_token_and_never_widen() {
    let fixture = Fixture::new();
    let tokens = tokens_for(&fixture, "openid offline_access read write");
    let granted = "offline_access openid read write";
    assert_eq!(tokens.scope, granted);
    let ask = |token: &str, scope: &str| {
        fixture.token_as("web", &refresh_form(token).with("scope", scope))
    };
    for more in ["profile", "read profile", "admin:token", "unknown"] {
        let response = ask(tokens.refresh(), more);
        let seen = (response.status, response.error());
        assert_eq!(seen, (400, "invalid_scope".to_owned()), "{more}");
    }
    assert_eq!(ask(tokens.refresh(), "a  b").error(), "invalid_scope");
    let narrow = Tokens::of(&ask(tokens.refresh(), "read"));
    assert_eq!(narrow.scope, "read");
    assert_eq!(fixture.introspect(&narrow.access).json()["scope"], "read");
    let whole = next(&fixture, &narrow);
    assert_eq!(whole.scope, granted);
    assert_eq!(fixture.introspect(whole.refresh()).json()["scope"], granted);
}

#[test]
fn rt_6_what_the_person_or_the_client_lost_is_not_minted_again() {
    let fixture = Fixture::new();
    let tokens = tokens_for(&fixture, "openid email offline_access read write");
    fixture.change_account("ada", |account| {
        account.scope = Some(Scope::parse("read").unwrap());
    });
    let newer = next(&fixture, &tokens);
    assert_eq!(newer.scope, "email offline_access openid read");
    fixture.change_client("web", |client| {
        client.scope = Scope::parse("openid offline_access").unwrap();
    });
    let newest = next(&fixture, &newer);
    assert_eq!(newest.scope, "offline_access openid");
    fixture.change_client("web", |client| client.scope = Scope::parse("read").unwrap());
    let last = next(&fixture, &newest);
    assert_eq!((last.scope.as_str(), last.id_token), ("read", None));
}

#[test]
fn rt_7_a_refresh_is_for_the_resource_that_was_agreed_to() {
    let fixture = Fixture::new();
    let form = authorization("web").with("resource", RESOURCE);
    let code = fixture.signed_in_browser().code(&form);
    let tokens = Tokens::of(&fixture.exchange(&code));
    for other in [
        "https://else.example",
        "web",
        "https://id.example/api/v1",
        "%",
    ] {
        let form = refresh_form(tokens.refresh()).with("resource", other);
        let response = fixture.token_as("web", &form);
        let seen = (response.status, response.error());
        assert_eq!(seen, (400, "invalid_target".to_owned()), "{other}");
    }
    let form = refresh_form(tokens.refresh()).with("resource", RESOURCE);
    let newer = Tokens::of(&fixture.token_as("web", &form));
    for token in [&newer.access, &next(&fixture, &newer).access] {
        assert_eq!(fixture.introspect(token).json()["aud"], RESOURCE);
    }
}

#[test]
fn rt_7_a_resource_that_the_client_lost_drops_out_of_codes_and_families() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let form = authorization("web").with("resource", RESOURCE);
    let code = browser.code(&form);
    let tokens = Tokens::of(&fixture.exchange(&browser.code(&form)));
    let resources = std::mem::take(&mut support::client("web").resources);
    fixture.change_client("web", |client| client.resources.clear());
    for response in [fixture.refresh(tokens.refresh()), fixture.exchange(&code)] {
        let seen = (response.status, response.error());
        assert_eq!(seen, (400, "invalid_target".to_owned()));
    }
    // Nothing was spent on it: with the resource everything goes on.
    fixture.change_client("web", |client| client.resources = resources);
    assert_eq!(fixture.exchange(&code).status, 200);
    next(&fixture, &tokens);
}

#[test]
fn rt_8_rotation_never_extends_the_ninety_days() {
    let fixture = Fixture::new();
    let mut tokens = fixture.tokens();
    for _ in 0..9 {
        fixture.later(10 * DAY - 1);
        tokens = next(&fixture, &tokens);
    }
    fixture.later(8);
    tokens = next(&fixture, &tokens);
    assert_eq!(fixture.now(), NOW + 90 * DAY - 1);
    fixture.later(1);
    assert_refused(&fixture.refresh(tokens.refresh()), "family_ended");
    assert!(!fixture.is_active(tokens.refresh()));
}

#[test]
fn rt_8_a_family_that_lies_idle_for_two_weeks_has_ended() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens();
    fixture.later(14 * DAY - 1);
    let newer = next(&fixture, &tokens);
    assert!(fixture.is_active(newer.refresh()));
    fixture.later(14 * DAY);
    assert!(!fixture.is_active(newer.refresh()));
    assert_refused(&fixture.refresh(newer.refresh()), "family_ended");
}

#[test]
fn rt_8_without_offline_access_the_family_ends_with_the_session() {
    let fixture = Fixture::new();
    let tokens = tokens_for(&fixture, "openid read");
    fixture.later(DAY - 1);
    let newer = next(&fixture, &tokens);
    fixture.later(1);
    assert_refused(&fixture.refresh(newer.refresh()), "family_ended");
}

#[test]
fn rt_9_a_family_ends_with_the_person_the_password_the_consent_and_the_client() {
    type Change = fn(&Fixture);
    let changes: [(Change, &str); 5] = [
        (|fixture| fixture.disable_account("ada"), "family_ended"),
        (
            |fixture| fixture.change_password("ada", "another password"),
            "family_ended",
        ),
        (withdraw_consent, "family_ended"),
        (
            |fixture| fixture.change_client("web", |client| client.generation += 1),
            "family_ended",
        ),
        (
            |fixture| fixture.change_client("web", |client| client.enabled = false),
            "unknown_client",
        ),
    ];
    for (change, label) in changes {
        let fixture = Fixture::new();
        let tokens = fixture.tokens();
        let bystander = fixture.tokens_in(&fixture.browser_of("bob"), "other");
        change(&fixture);
        assert_eq!(fixture.refresh(tokens.refresh()).label(), label);
        Tokens::of(&fixture.refresh_as("other", bystander.refresh()));
    }
    // Neither does enabling the person again bring it back.
    let fixture = Fixture::new();
    let tokens = fixture.tokens();
    fixture.disable_account("ada");
    fixture.change_account("ada", |account| account.active = Some(true));
    assert_refused(&fixture.refresh(tokens.refresh()), "family_ended");
    assert!(!fixture.is_active(&tokens.access));
}

fn withdraw_consent(fixture: &Fixture) {
    let shard = fixture.memory().code_records()[0].shard;
    let withdraw = WithdrawConsent {
        subject: subject("ada"),
        client: ClientId::parse("web").unwrap(),
        actor: None,
    };
    block_on(fixture.memory().ledger(shard, &fixture.at(), withdraw)).unwrap();
}

#[test]
fn rt_9_signing_out_ends_what_is_bound_to_the_session_and_leaves_offline_access() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let offline = fixture.tokens_in(&browser, "web");
    let form = authorization("web").with("scope", "openid read");
    let bound = Tokens::of(&fixture.exchange(&browser.code(&form)));
    let page = browser.open("/logout");
    assert_eq!(browser.submit(&page, &[]).response.status, 200);
    assert_refused(&fixture.refresh(bound.refresh()), "family_ended");
    assert!(!fixture.is_active(&bound.access) && !fixture.is_active(bound.refresh()));
    assert!(fixture.is_active(&offline.access));
    next(&fixture, &offline);
}

#[test]
fn rt_9_a_client_that_lost_the_grant_may_not_refresh() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens();
    fixture.change_client("web", |client| {
        client
            .grant_types
            .retain(|grant| *grant != GrantType::RefreshToken);
    });
    assert_eq!(
        fixture.refresh(tokens.refresh()).error(),
        "unauthorized_client"
    );
    assert_eq!(fixture.tokens().refresh, None);
}

#[test]
fn rt_10_nothing_that_was_minted_before_a_revocation_outlives_it() {
    let fixture = Fixture::new();
    for revoke_newest in [false, true] {
        let tokens = fixture.tokens();
        let newer = next(&fixture, &tokens);
        let retried = next(&fixture, &tokens);
        // The one who revokes may not have had the newest answer yet.
        let known = if revoke_newest { &newer } else { &tokens };
        assert_eq!(fixture.revoke(known.refresh()).status, 200);
        for token in [
            &tokens.access,
            &newer.access,
            &retried.access,
            newer.refresh(),
        ] {
            assert!(!fixture.is_active(token));
        }
        for token in [&tokens, &newer] {
            assert_refused(&fixture.refresh(token.refresh()), "family_ended");
        }
    }
}

#[test]
fn rt_11_a_refresh_token_has_192_bits_that_nobody_can_derive_and_nothing_of_it_is_stored() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let mut ids = BTreeSet::new();
    let mut tokens = fixture.tokens_in(&browser, "web");
    for round in 0..200 {
        let text = tokens.refresh().to_owned();
        let bytes = base64url::decode(text.strip_prefix("emr_").unwrap()).unwrap();
        ids.insert(bytes[10..34].to_vec());
        assert!(!fixture.memory().everything_stored().contains(&text[44..]));
        tokens = if round % 2 == 0 {
            next(&fixture, &tokens)
        } else {
            fixture.tokens_in(&browser, "web")
        };
    }
    assert_eq!(ids.len(), 200);
    // Under other secrets the same family and generation has another token.
    let other = edgemint::token::Keyring::new(
        support::ISSUER,
        &[edgemint::model::Secret::new("y".repeat(32))],
    );
    let value = fixture
        .server
        .keyring
        .unseal::<edgemint::token::RefreshToken>(tokens.refresh())
        .unwrap();
    let epoch = value.epoch();
    let value = value.into_value();
    let ours = value.mint(&fixture.server.keyring, epoch).unwrap();
    let theirs = value.mint(&other.unwrap(), epoch).unwrap();
    assert_eq!(ours.expose(), tokens.refresh());
    let id = |text: &str| text[4..].chars().skip(14).take(32).collect::<String>();
    assert_ne!(id(ours.expose()), id(theirs.expose()));
    assert_eq!(fixture.refresh(theirs.expose()).error(), "invalid_grant");
}

#[test]
fn rt_12_a_refreshed_id_token_tells_of_the_same_sign_in() {
    let fixture = Fixture::new();
    for id in ["web", "jwt", "spa"] {
        let browser = fixture.signed_in_browser();
        let signed_in = fixture.now();
        fixture.later(60);
        let tokens = fixture.tokens_in(&browser, id);
        fixture.later(1000);
        let newer = Tokens::of(&fixture.refresh_as(id, tokens.refresh()));
        let (first, second) = (tokens.claims(), newer.claims());
        for name in ["iss", "sub", "aud", "azp", "auth_time", "amr"] {
            assert_eq!(first.get(name), second.get(name), "{name}");
        }
        assert_eq!(second["auth_time"], signed_in);
        assert_eq!(second["iat"], fixture.now());
        assert_eq!(second["aud"], json!(id));
        // OpenID Connect Core §12.2: it should have none, and never another one.
        assert_eq!(second.get("nonce"), None);
    }
}

#[test]
fn a_refresh_token_that_is_none_is_refused_without_asking_the_ledger() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens();
    let body = tokens.refresh().strip_prefix("emr_").unwrap();
    let cost = fixture.cost(|| {
        for guess in [
            "x",
            "emr_",
            body,
            &tokens.access,
            &format!("ema_{body}"),
            &format!("emr_{body}A"),
            &"emr_".repeat(5000),
        ] {
            let response = fixture.refresh(guess);
            assert_eq!(response.status, 400);
        }
        let form = exchange_form("web", tokens.refresh());
        assert_eq!(fixture.token_as("web", &form).error(), "invalid_grant");
    });
    assert_eq!((cost.ledger, cost.directory), (0, 0));
    let anonymous = post(&refresh_form(tokens.refresh()));
    assert_eq!(fixture.send(Endpoint::Token, &anonymous).status, 401);
    next(&fixture, &tokens);
}

#[test]
fn s2_5_an_answer_says_how_long_its_refresh_token_is_good_for() {
    let fixture = Fixture::new();
    let offline = || tokens_for(&fixture, "openid offline_access");
    let told = |answer: &Response| {
        let json = answer.json();
        let seconds = json["refresh_token_expires_in"].as_u64().unwrap();
        let known = fixture.introspect(json["refresh_token"].as_str().unwrap());
        assert_eq!(known.json()["exp"], fixture.now() + seconds);
        seconds
    };
    let code = |scope: &str| {
        let form = authorization("web").with("scope", scope);
        let code = fixture.signed_in_browser().code(&form);
        fixture.exchange(&code)
    };
    assert_eq!(told(&code("openid offline_access")), 14 * DAY);
    // A client's own pause, and never behind the end of the family.
    fixture.change_client("web", |client| client.refresh_idle = Some(Seconds(DAY)));
    assert_eq!(told(&code("openid offline_access")), DAY);
    fixture.change_client("web", |client| client.refresh_idle = None);
    let mut tokens = offline();
    for _ in 0..8 {
        fixture.later(10 * DAY);
        let answer = fixture.refresh(tokens.refresh());
        told(&answer);
        tokens = Tokens::of(&answer);
    }
    // 80 of 90 days are over.
    let last = fixture.refresh(tokens.refresh());
    assert_eq!(told(&last), 10 * DAY);
    let tokens = Tokens::of(&last);
    fixture.later(10 * DAY);
    assert_refused(&fixture.refresh(tokens.refresh()), "family_ended");
    // When a session ends is not known here, and one that is bound to it ends with it.
    let bound = code("openid");
    assert!(bound.json().get("refresh_token").is_some());
    let again = fixture.refresh(bound.json()["refresh_token"].as_str().unwrap());
    for answer in [bound, again] {
        assert!(answer.json().get("refresh_token_expires_in").is_none());
    }
    // Where there is none, nothing is told of it.
    let answer = fixture.client_credentials("web");
    assert!(answer.json().get("refresh_token_expires_in").is_none());
}
