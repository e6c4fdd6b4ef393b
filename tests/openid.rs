//! OpenID Connect (OP).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use edgemint::http::Request;
use edgemint::jose::Algorithm;
use edgemint::server::Endpoint;
use serde_json::{Value, json};
use support::tokens::{FORMS, altered, metadata, online, resigned, unsigned};
use support::{
    Fixture, Form, ISSUER, NONCE, PASSWORD, Seen, Tokens, authorization, exchange_form, post,
};

fn tokens_with(fixture: &Fixture, form: &Form) -> Tokens {
    let code = fixture.signed_in_browser().code(form);
    Tokens::of(&fixture.token_as("web", &exchange_form("web", &code)))
}

fn names(claims: &Value) -> Vec<String> {
    claims.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn op_1_an_id_token_has_the_claims_that_it_must_have() {
    let fixture = Fixture::new();
    for form in FORMS {
        let claims = fixture.tokens_of(form).claims();
        assert_eq!(claims["iss"], ISSUER);
        let sub = claims["sub"].as_str().unwrap();
        assert!(sub.is_ascii() && (1..=255).contains(&sub.len()));
        assert_eq!(claims["aud"], form, "one audience, and so no azp");
        assert_eq!(claims.get("azp"), None);
        assert_eq!(claims["iat"], fixture.now());
        assert_eq!(claims["exp"], fixture.now() + 600);
    }
}

#[test]
fn op_1_a_refreshed_id_token_repeats_the_sign_in_and_not_the_nonce() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens();
    let first = tokens.claims();
    fixture.later(1800);
    let next = Tokens::of(&fixture.refresh(tokens.refresh())).claims();
    for name in ["iss", "sub", "aud", "auth_time", "amr"] {
        assert_eq!(next[name], first[name], "{name}");
    }
    assert_eq!(next["iat"], fixture.now());
    assert_eq!(next.get("nonce"), None);
}

#[test]
fn op_1_without_openid_there_is_no_id_token() {
    let fixture = Fixture::new();
    let tokens = tokens_with(&fixture, &authorization("web").with("scope", "read"));
    assert_eq!(tokens.id_token, None);
}

#[test]
fn op_2_a_nonce_comes_back_unchanged_and_none_comes_of_none() {
    let fixture = Fixture::new();
    let long = "n".repeat(1024);
    for nonce in [NONCE, "é + %20 \"'<&>\\ 漢", &"x".repeat(64), &long] {
        let tokens = tokens_with(&fixture, &authorization("web").with("nonce", nonce));
        assert_eq!(tokens.claims()["nonce"], nonce);
    }
    let tokens = tokens_with(&fixture, &authorization("web").without("nonce"));
    assert_eq!(tokens.claims().get("nonce"), None);
}

#[test]
fn op_2_a_nonce_that_could_not_come_back_is_refused() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    for nonce in ["n".repeat(1025), "a\nb".to_owned()] {
        let page = browser.authorize(&authorization("web").with("nonce", &nonce));
        assert_eq!(page.response.error(), "invalid_request");
    }
}

#[test]
fn op_3_auth_time_is_when_the_person_signed_in() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let signed_in = fixture.now();
    fixture.later(100);
    let tokens = fixture.tokens_in(&browser, "web");
    assert_eq!(tokens.claims()["auth_time"], signed_in);
    assert_eq!(tokens.claims()["amr"], json!(["pwd"]));
}

#[test]
fn op_3_a_session_older_than_max_age_signs_in_again() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    fixture.later(100);
    let with = |max_age: &str| browser.authorize(&online("web").with("max_age", max_age));
    assert!(with("100").response.error().is_empty());
    let page = with("99");
    assert!(page.is_page_at("/login"));
    assert!(page.response.body.contains("confirm that it is you"));
    let after = browser.fill_in(&page, "ada");
    let tokens = Tokens::of(&fixture.exchange(&after.response.code()));
    assert_eq!(tokens.claims()["auth_time"], fixture.now());
}

#[test]
fn op_3_an_old_session_is_not_enough_for_a_silent_request() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    fixture.later(100);
    let silent = online("web").with("prompt", "none").with("max_age", "99");
    assert_eq!(
        browser.authorize(&silent).response.error(),
        "login_required"
    );
}

#[test]
fn op_3_a_max_age_that_is_no_number_is_refused() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    for max_age in ["-1", "+1", "1.5", "x", " 1", "99999999999999999999999"] {
        let page = browser.authorize(&online("web").with("max_age", max_age));
        assert_eq!(page.response.error(), "invalid_request", "{max_age}");
    }
}

#[test]
fn op_4_a_silent_request_without_a_session_needs_a_login() {
    let fixture = Fixture::new();
    let page = fixture
        .browser()
        .authorize(&online("web").with("prompt", "none"));
    assert_eq!(page.response.error(), "login_required");
    assert_eq!(page.response.answer().value("state"), Some(support::STATE));
}

#[test]
fn op_4_a_silent_request_without_consent_needs_consent() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let silent = online("spa").with("prompt", "none");
    assert_eq!(
        browser.authorize(&silent).response.error(),
        "consent_required"
    );
    browser.code(&online("spa"));
    assert!(browser.authorize(&silent).response.error().is_empty());
    let more = authorization("spa").with("prompt", "none");
    assert_eq!(
        browser.authorize(&more).response.error(),
        "consent_required"
    );
}

#[test]
fn op_4_none_with_another_prompt_and_an_unknown_prompt_are_refused() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    for prompt in [
        "none login",
        "consent none",
        "none select_account",
        "create",
        "NONE",
    ] {
        let page = browser.authorize(&online("web").with("prompt", prompt));
        assert_eq!(page.response.error(), "invalid_request", "{prompt}");
    }
}

#[test]
fn op_5_a_demanded_login_happens_and_makes_auth_time_grow() {
    let fixture = Fixture::new();
    for prompt in ["login", "select_account", "login consent"] {
        let browser = fixture.signed_in_browser();
        let before = fixture.now();
        fixture.later(10);
        let page = browser.authorize(&online("web").with("prompt", prompt));
        assert!(page.is_page_at("/login"), "{prompt}");
        let mut after = browser.fill_in(&page, "ada");
        if after.is_page_at("/consent") {
            after = browser.decide(&after, "allow");
        }
        let tokens = Tokens::of(&fixture.exchange(&after.response.code()));
        assert_eq!(tokens.claims()["auth_time"], before + 10);
    }
}

#[test]
fn op_5_a_demanded_login_is_not_met_by_going_around_it() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let page = browser.authorize_by_post(&online("web").with("prompt", "login"));
    assert!(page.is_page_at("/login"));
    let again = browser.authorize(&online("web").with("prompt", "login"));
    assert!(again.is_page_at("/login"));
}

#[test]
fn op_5_a_demanded_consent_is_asked_for_also_where_it_is_implied_or_remembered() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    browser.code(&online("spa"));
    for client in ["web", "spa"] {
        let page = browser.authorize(&online(client).with("prompt", "consent"));
        assert!(page.is_page_at("/consent"), "{client}");
    }
}

#[test]
fn op_6_a_hint_for_the_person_who_is_there_changes_nothing() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let hint = fixture.tokens_in(&browser, "web").id_token.unwrap();
    fixture.later(86_000);
    let silent = online("web")
        .with("prompt", "none")
        .with("id_token_hint", &hint);
    assert!(
        browser.authorize(&silent).response.error().is_empty(),
        "also expired"
    );
}

#[test]
fn op_6_a_hint_for_another_person_never_goes_on_as_the_one_who_is_there() {
    let fixture = Fixture::new();
    let hint = fixture
        .tokens_in(&fixture.browser_of("bob"), "web")
        .id_token
        .unwrap();
    let browser = fixture.signed_in_browser();
    let form = online("web").with("id_token_hint", &hint);
    let silent = browser.authorize(&form.clone().with("prompt", "none"));
    assert_eq!(silent.response.error(), "login_required");
    let page = browser.authorize(&form);
    assert!(page.is_page_at("/login"));
    let wrong = browser.fill_in(&page, "ada");
    assert_eq!(wrong.response.error(), "login_required");
    let right = browser.fill_in(&browser.authorize(&form), "bob");
    let tokens = Tokens::of(&fixture.exchange(&right.response.code()));
    assert_eq!(tokens.claims()["sub"], "u_bob");
}

#[test]
fn op_6_a_hint_that_proves_nothing_is_refused() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let tokens = fixture.tokens_in(&browser, "web");
    let hint = tokens.id_token.clone().unwrap();
    let others = fixture.tokens_in(&browser, "other").id_token.unwrap();
    let access = fixture.tokens_in(&browser, "jwt").access;
    for bad in [
        altered(&hint, "sub", &json!("u_bob")),
        unsigned(&hint),
        resigned(&hint, None),
        others,
        access,
        tokens.access,
        "nonsense".to_owned(),
    ] {
        let page = browser.authorize(&online("web").with("id_token_hint", &bad));
        assert_eq!(page.response.error(), "invalid_request");
    }
}

#[test]
fn op_7_userinfo_wants_openid_by_get_and_by_post() {
    let fixture = Fixture::new();
    let without = tokens_with(
        &fixture,
        &authorization("web").with("scope", "profile read"),
    );
    let with = fixture.tokens();
    for method in ["GET", "POST"] {
        let ask = |token: &str| {
            let request = Request {
                method: method.to_owned(),
                authorization: Some(format!("Bearer {token}")),
                ..post(&Form::default())
            };
            fixture.send(Endpoint::Userinfo, &request)
        };
        let refused = ask(&without.access);
        assert_eq!(
            (refused.status, refused.error().as_str()),
            (403, "insufficient_scope")
        );
        let told = ask(&with.access);
        assert_eq!(told.status, 200);
        assert_eq!(told.json()["sub"], with.claims()["sub"]);
        assert_eq!(told.header("cache-control"), Some("no-store"));
    }
}

#[test]
fn op_8_only_claims_that_a_scope_names_are_told() {
    let fixture = Fixture::new();
    let profile = ["given_name", "name", "preferred_username", "updated_at"];
    let cases: [(&str, &[&str]); 4] = [
        ("openid", &[]),
        ("openid read", &[]),
        ("openid email", &[]), // nobody has told us a mail address
        ("openid profile", &profile),
    ];
    for (scope, claims) in cases {
        let tokens = tokens_with(&fixture, &authorization("web").with("scope", scope));
        let told = names(&fixture.userinfo(&tokens.access).json());
        let expected: Vec<&str> = claims.iter().copied().chain(["sub"]).collect();
        assert_eq!(told.len(), expected.len(), "{scope}: {told:?}");
        assert!(
            expected
                .iter()
                .all(|name| told.iter().any(|told| told == name))
        );
        let protocol = [
            "iss",
            "sub",
            "aud",
            "exp",
            "iat",
            "auth_time",
            "acr",
            "amr",
            "nonce",
            "at_hash",
            "sid",
        ];
        for name in names(&tokens.claims()) {
            let named = protocol.contains(&name.as_str()) || claims.contains(&name.as_str());
            assert!(named, "{scope}: {name}");
        }
    }
}

#[test]
fn op_9_what_only_suggests_is_no_reason_to_refuse() {
    let fixture = Fixture::new();
    for (name, value) in [
        ("display", "page"),
        ("display", "telepathy"),
        ("ui_locales", "fr-CA fr en"),
        ("claims_locales", "xx"),
        ("acr_values", "urn:x 2 1"),
        ("login_hint", "ada@example.com"),
        ("claims", r#"{"id_token":{"auth_time":{"essential":true}}}"#),
        ("zzz", "unknown"),
    ] {
        let form = authorization("web").with(name, value);
        let tokens = tokens_with(&fixture, &form);
        assert!(tokens.claims()["auth_time"].is_u64(), "{name}");
    }
}

#[test]
fn op_9_a_login_hint_fills_the_form_in_as_text() {
    let fixture = Fixture::new();
    let hint = "\"><script>ada</script>";
    let page = fixture
        .browser()
        .authorize(&online("web").with("login_hint", hint));
    assert!(page.is_page_at("/login"));
    assert!(!page.response.body.contains("<script>"));
    assert!(page.response.body.contains("&quot;&gt;&lt;script&gt;ada"));
}

#[test]
fn op_10_at_hash_is_of_the_access_token_beside_it() {
    let fixture = Fixture::new();
    for algorithm in Algorithm::ALL {
        fixture.change_client("web", |client| client.signing = algorithm);
        let tokens = fixture.tokens();
        let right = algorithm.at_hash(&tokens.access);
        assert_eq!(tokens.claims()["at_hash"], right, "{algorithm:?}");
        let next = Tokens::of(&fixture.refresh(tokens.refresh()));
        assert_eq!(next.claims()["at_hash"], algorithm.at_hash(&next.access));
    }
}

#[test]
fn op_10_no_code_comes_with_an_id_token_of_the_token_endpoint_and_so_there_is_no_c_hash() {
    let fixture = Fixture::new();
    assert_eq!(fixture.tokens().claims().get("c_hash"), None);
}

#[test]
fn op_11_offline_access_is_given_to_nobody_who_did_not_agree() {
    let fixture = Fixture::new();
    for client in ["post", "spa", "native"] {
        let browser = fixture.signed_in_browser();
        let page = browser.authorize(&authorization(client));
        assert!(page.is_page_at("/consent"), "{client}");
        assert!(
            page.response
                .body
                .contains("Keep this access while you are away")
        );
        let denied = browser.decide(&page, "deny");
        assert_eq!(denied.response.error(), "access_denied");
        assert_eq!(denied.response.answer().value("code"), None);
    }
}

#[test]
fn op_11_offline_access_is_never_a_default() {
    let fixture = Fixture::new();
    let code = fixture
        .signed_in_browser()
        .code(&authorization("web").without("scope"));
    let tokens = Tokens::of(&fixture.exchange(&code));
    assert!(!tokens.scope.contains("offline_access"), "{}", tokens.scope);
}

#[test]
fn op_11_without_offline_access_the_refresh_token_dies_with_the_session() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let bound = Tokens::of(&fixture.exchange(&browser.code(&online("web"))));
    let free = fixture.tokens_in(&browser, "web");
    let page = browser.open("/logout");
    browser.submit(&page, &[]);
    assert_eq!(fixture.refresh(bound.refresh()).error(), "invalid_grant");
    assert_eq!(fixture.refresh(free.refresh()).status, 200);
}

#[test]
fn op_12_every_client_is_told_the_same_subject_and_no_other_kind_is_offered() {
    let fixture = Fixture::new();
    let metadata = metadata(&fixture);
    assert_eq!(metadata["subject_types_supported"], json!(["public"]));
    let one = fixture.tokens_of("web").claims()["sub"].clone();
    let other = fixture.tokens_of("other").claims()["sub"].clone();
    assert_eq!(one, other);
}

#[test]
fn everybodys_password_is_not_in_any_claim() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens();
    assert!(!tokens.claims().to_string().contains(PASSWORD));
    assert!(!fixture.userinfo(&tokens.access).body.contains("argon2"));
}
