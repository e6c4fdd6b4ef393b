//! Authorization codes (AC): spent once, by whom they were issued to, for what was agreed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::collections::BTreeSet;

use edgemint::http::Response;
use edgemint::jose::base64url;
use edgemint::model::ClientId;
use edgemint::ports::Ledger;
use edgemint::ports::ledger::WithdrawConsent;
use edgemint::server::Endpoint;
use support::{
    Fixture, Form, NONCE, NOW, RESOURCE, Seen, Tokens, authorization, block_on, exchange_form,
    refresh_form, subject,
};

#[track_caller]
fn assert_refused(response: &Response, error: &str, label: &str) {
    let seen = (response.status, response.error(), response.label());
    assert_eq!(seen, (400, error.to_owned(), label.to_owned()));
}

#[test]
fn ac_1_a_code_is_redeemed_once() {
    let fixture = Fixture::new();
    for id in ["web", "post", "spa"] {
        let code = fixture.code_for(id);
        assert_eq!(fixture.exchange_as(id, &code).status, 200);
        for _ in 0..3 {
            assert_refused(
                &fixture.exchange_as(id, &code),
                "invalid_grant",
                "code_replayed",
            );
        }
    }
}

#[test]
fn ac_6_a_code_from_before_a_consent_was_withdrawn_opens_nothing() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let code = browser.code(&authorization("web"));
    let bystander = browser.code(&authorization("other"));
    fixture.later(5);
    withdraw_consent(&fixture);
    assert_refused(&fixture.exchange(&code), "invalid_grant", "code_ended");
    fixture.later(50);
    assert_refused(&fixture.exchange(&code), "invalid_grant", "code_ended");
    Tokens::of(&fixture.exchange_as("other", &bystander));
    // What is agreed to afterwards counts at once.
    fixture.tokens_in(&browser, "web");
    withdraw_consent(&fixture);
    fixture.later(1);
    fixture.tokens_in(&browser, "web");
}

/// Takes back what `ada` agreed to for `web`.
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
fn ac_2_of_twenty_redemptions_one_gets_tokens() {
    let fixture = Fixture::new();
    let code = fixture.code();
    let answers: Vec<Response> = (0..20).map(|_| fixture.exchange(&code)).collect();
    let given = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(given, 1);
}

#[test]
fn ac_3_a_second_valid_redemption_revokes_what_the_first_got() {
    let fixture = Fixture::new();
    let code = fixture.code();
    let tokens = Tokens::of(&fixture.exchange(&code));
    let newer = Tokens::of(&fixture.refresh(tokens.refresh()));
    assert!(fixture.is_active(&tokens.access) && fixture.is_active(newer.refresh()));

    assert_refused(&fixture.exchange(&code), "invalid_grant", "code_replayed");
    for token in [&tokens.access, &newer.access, newer.refresh()] {
        assert!(!fixture.is_active(token));
    }
    assert_refused(
        &fixture.refresh(newer.refresh()),
        "invalid_grant",
        "family_ended",
    );
    assert_eq!(fixture.userinfo(&newer.access).status, 401);
}

#[test]
fn ac_4_a_replay_that_is_not_valid_revokes_nothing() {
    let fixture = Fixture::new();
    let code = fixture.code();
    let tokens = Tokens::of(&fixture.exchange(&code));
    let good = exchange_form("web", &code);
    for (client, form, error, label) in [
        (
            "web",
            good.clone().with("code_verifier", &"x".repeat(43)),
            "invalid_grant",
            "verifier_mismatch",
        ),
        (
            "web",
            good.clone().without("code_verifier"),
            "invalid_grant",
            "verifier_mismatch",
        ),
        (
            "other",
            good.clone(),
            "invalid_grant",
            "code_for_other_client",
        ),
        (
            "spa",
            good.clone(),
            "invalid_grant",
            "code_for_other_client",
        ),
        (
            "web",
            good.clone().with("redirect_uri", "https://evil.example/"),
            "invalid_grant",
            "code_for_other_redirect_uri",
        ),
        (
            "web",
            good.clone().with("resource", RESOURCE),
            "invalid_target",
            "unknown_resource",
        ),
        (
            "web",
            good.and("code", &code),
            "invalid_request",
            "repeated_parameter",
        ),
    ] {
        assert_refused(&fixture.token_as(client, &form), error, label);
        assert!(fixture.is_active(&tokens.access), "{label}");
    }
    Tokens::of(&fixture.refresh(tokens.refresh()));
}

#[test]
fn ac_4_a_replay_after_the_minute_is_refused_and_revokes_nothing() {
    let fixture = Fixture::new();
    let code = fixture.code();
    let tokens = Tokens::of(&fixture.exchange(&code));
    fixture.later(60);
    assert_refused(&fixture.exchange(&code), "invalid_grant", "code_expired");
    assert!(fixture.is_active(&tokens.access));
}

#[test]
fn ac_5_a_code_lives_for_a_minute_though_its_record_is_kept_longer() {
    let fixture = Fixture::new();
    let (code, late) = (fixture.code(), fixture.code());
    fixture.later(59);
    assert_eq!(fixture.exchange(&code).status, 200);
    fixture.later(1);
    assert_refused(&fixture.exchange(&late), "invalid_grant", "code_expired");
    assert_eq!(fixture.memory().code_records().len(), 2);
}

#[test]
fn ac_6_a_code_is_for_the_client_it_was_issued_to() {
    let fixture = Fixture::new();
    for (owner, thief) in [
        ("web", "other"),
        ("web", "spa"),
        ("spa", "web"),
        ("spa", "native"),
    ] {
        let code = fixture.code_for(owner);
        let form = exchange_form(owner, &code);
        let response = fixture.token_as(thief, &form);
        assert_refused(&response, "invalid_grant", "code_for_other_client");
        assert_eq!(fixture.token_as(owner, &form).status, 200);
    }
}

#[test]
fn ac_6_a_code_gives_what_was_agreed_whatever_the_token_request_says() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    fixture.later(100);
    let form = authorization("web")
        .with("scope", "openid read")
        .with("resource", RESOURCE);
    let code = browser.code(&form);
    let more = exchange_form("web", &code)
        .and("scope", "openid read write offline_access")
        .and("nonce", "another")
        .and("username", "bob");
    let tokens = Tokens::of(&fixture.token_as("web", &more));
    assert_eq!(tokens.scope, "openid read");
    let claims = tokens.claims();
    assert_eq!(claims["nonce"], NONCE);
    assert_eq!(claims["auth_time"], NOW);
    assert_eq!(claims["sub"], "u_ada");
    assert_eq!(claims["aud"], "web");
    let seen = fixture.introspect_as("api", &tokens.access).json();
    assert_eq!(seen["aud"], RESOURCE);
    assert_eq!(seen["sub"], "u_ada");
    assert_eq!(seen["scope"], "openid read");
}

#[test]
fn ac_6_a_code_ends_with_the_session_or_the_person_or_the_client_that_it_rests_on() {
    type Change = fn(&Fixture);
    let changes: [(Change, &str); 4] = [
        (|fixture| fixture.disable_account("ada"), "code_ended"),
        (
            |fixture| fixture.change_password("ada", "another password"),
            "code_ended",
        ),
        (
            |fixture| fixture.change_client("web", |client| client.generation += 1),
            "code_expired",
        ),
        (
            |fixture| fixture.change_client("web", |client| client.grant_types.clear()),
            "grant_not_allowed",
        ),
    ];
    for (change, label) in changes {
        let fixture = Fixture::new();
        let code = fixture.code();
        change(&fixture);
        let response = fixture.exchange(&code);
        assert_eq!((response.status, response.label().as_str()), (400, label));
    }
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let code = browser.code(&authorization("web"));
    let page = browser.open("/logout");
    assert_eq!(browser.submit(&page, &[]).response.status, 200);
    assert_refused(&fixture.exchange(&code), "invalid_grant", "code_ended");
}

#[test]
fn ac_7_a_code_has_192_random_bits_and_none_comes_twice() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let mut ids = BTreeSet::new();
    let mut ones = [0_u32; 8];
    for _ in 0..1000 {
        let code = browser.code(&authorization("web"));
        let bytes = base64url::decode(code.strip_prefix("emc_").unwrap()).unwrap();
        let id = bytes[10..34].to_vec();
        for byte in &id {
            for (bit, count) in ones.iter_mut().enumerate() {
                *count += u32::from(byte >> bit & 1);
            }
        }
        ids.insert(id);
    }
    assert_eq!(ids.len(), 1000);
    // 24,000 tosses each: eight standard deviations are 620.
    for count in ones {
        assert!(count.abs_diff(12_000) < 620, "{ones:?}");
    }
}

#[test]
fn ac_8_nothing_that_is_stored_is_a_usable_code() {
    let fixture = Fixture::new();
    let (code, spent) = (fixture.code(), fixture.code());
    let tokens = Tokens::of(&fixture.exchange(&spent));
    let stored = fixture.memory().everything_stored();
    for secret in [&code, &spent, &tokens.access, tokens.refresh()] {
        let body = secret.split_once('_').unwrap().1;
        assert!(!stored.contains(body));
        // Not its sealed part either: the id alone opens nothing.
        assert!(!stored.contains(&body[body.len() - 40..]));
    }
    let grant = fixture.memory().code_records()[0].grant.to_string();
    for guess in [grant.clone(), format!("emc_{grant}")] {
        assert_eq!(fixture.exchange(&guess).error(), "invalid_grant");
    }
}

#[test]
fn ac_9_a_request_that_is_refused_before_redemption_leaves_the_code_to_the_right_one() {
    let fixture = Fixture::new();
    let code = fixture.code();
    let good = exchange_form("web", &code);
    for wrong in [
        good.clone().with("resource", "https://else.example"),
        good.clone()
            .with("redirect_uri", "https://web.example/other"),
        good.clone().with("code_verifier", &"y".repeat(50)),
        good.clone().with("grant_type", "password"),
        good.clone().with("code", &code[..code.len() - 1]),
        good.clone().and("redirect_uri", "x"),
        good.clone().and("client_id", "other"),
    ] {
        assert_eq!(fixture.token_as("web", &wrong).status, 400, "{wrong:?}");
    }
    let anonymous = fixture.post(Endpoint::Token, &good.clone().with("client_id", "web"));
    assert_eq!(anonymous.status, 401);
    assert_eq!(fixture.token_as("web", &good).status, 200);
}

#[test]
fn ac_10_nothing_else_that_we_seal_is_accepted_as_a_code_nor_a_code_as_anything_else() {
    let fixture = Fixture::new();
    let browser = fixture.browser();
    let page = browser.authorize(&authorization("post"));
    let pending = page.hidden_fields().value("request").unwrap().to_owned();
    browser.fill_in(&page, "ada");
    let session = browser.cookie("edgemint-session").unwrap();
    let code = browser.code(&authorization("web"));
    let tokens = fixture.tokens();
    let things = [pending.as_str(), &session, &tokens.access, tokens.refresh()];
    for thing in things {
        let body = thing.split_once('_').unwrap().1;
        for guess in [thing.to_owned(), format!("emc_{body}")] {
            let response = fixture.exchange(&guess);
            assert_refused(&response, "invalid_grant", "code_unknown");
        }
    }
    let body = code.strip_prefix("emc_").unwrap();
    for guess in [code.clone(), format!("emr_{body}")] {
        assert_eq!(fixture.refresh(&guess).error(), "invalid_grant");
    }
    for guess in [code.clone(), format!("ema_{body}")] {
        assert!(!fixture.is_active(&guess));
        assert_eq!(fixture.userinfo(&guess).status, 401);
    }
    let other = fixture.browser();
    other.set_cookie("edgemint-session", &format!("ems_{body}"));
    assert!(other.authorize(&authorization("web")).is_page_at("/login"));
    let query = Form::new(&[("request", &format!("emp_{body}"))]).encode();
    assert_eq!(
        browser.open(&format!("/login?{query}")).response.status,
        400
    );
    // After all that the code is as good as new.
    assert_eq!(fixture.exchange(&code).status, 200);
}

#[test]
fn ac_10_a_code_of_another_deployment_is_none_of_ours() {
    let fixture = Fixture::new();
    let elsewhere = Fixture::with(|config| {
        config.issuer = "https://other-id.example".to_owned();
    });
    // The same secrets, another issuer.
    let code = elsewhere
        .server
        .keyring
        .seal(
            &fixture
                .server
                .keyring
                .unseal::<edgemint::token::AuthorizationCode>(&fixture.code())
                .unwrap()
                .into_value(),
            1,
            [7; 24],
        )
        .unwrap();
    let response = fixture.exchange(code.expose());
    assert_refused(&response, "invalid_grant", "code_unknown");
}

#[test]
fn a_code_whose_answer_was_lost_is_answered_alike_to_the_same_request() {
    let fixture = Fixture::new();
    let code = fixture.code();
    let request = fixture.token_request("web", &exchange_form("web", &code));
    let once = || {
        let at = fixture.at_request("the-same-request");
        Tokens::of(&fixture.send_at(Endpoint::Token, &request, &at))
    };
    let (first, second, third) = (once(), once(), once());
    assert_eq!(first.refresh, second.refresh);
    assert_eq!(second.refresh, third.refresh);
    assert_eq!(first.scope, second.scope);
    for tokens in [&first, &second, &third] {
        assert!(fixture.is_active(&tokens.access));
    }
    assert_eq!(first.claims()["sub"], second.claims()["sub"]);
    // Another request is another redemption.
    assert_refused(&fixture.exchange(&code), "invalid_grant", "code_replayed");
    assert!(!fixture.is_active(&second.access));
    let form = refresh_form(third.refresh());
    assert_eq!(fixture.token_as("web", &form).error(), "invalid_grant");
}
