//! What an OpenID Connect request may say besides (Core §3.1.2.1 and §5.5), and what comes of it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use serde_json::{Value, json};
use support::tokens::{metadata, online};
use support::{Fixture, Form, Seen, Tokens, authorization, exchange_form, subject};

const ACR: &str = "urn:edgemint:acr:password";

/// A request of `web` for `openid` alone, with these claims.
fn claiming(claims: &Value) -> Form {
    authorization("web")
        .with("scope", "openid")
        .with("claims", &claims.to_string())
}

fn tokens_with(fixture: &Fixture, form: &Form) -> Tokens {
    let id = form.value("client_id").unwrap();
    let code = fixture.signed_in_browser().code(form);
    Tokens::of(&fixture.token_as(id, &exchange_form(id, &code)))
}

fn error(fixture: &Fixture, form: &Form) -> String {
    fixture.signed_in_browser().authorize(form).response.error()
}

#[test]
fn acr_says_that_somebody_signed_in_by_password_and_a_refresh_repeats_it() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens();
    let claims = tokens.claims();
    assert_eq!(
        (&claims["acr"], &claims["amr"]),
        (&json!(ACR), &json!(["pwd"]))
    );
    let next = Tokens::of(&fixture.refresh(tokens.refresh()));
    assert_eq!(next.claims()["acr"], ACR);
    assert_eq!(metadata(&fixture)["acr_values_supported"], json!([ACR]));
}

#[test]
fn acr_values_are_a_wish_and_an_essential_acr_is_a_condition() {
    let fixture = Fixture::new();
    let wish = online("web").with("acr_values", "urn:x:fingerprint 2");
    assert_eq!(tokens_with(&fixture, &wish).claims()["acr"], ACR);
    let acr = |how: Value| claiming(&json!({"id_token": {"acr": how}}));
    for met in [
        json!(null),
        json!({"essential": true}),
        json!({"value": "urn:x:fingerprint"}),
        json!({"essential": true, "values": ["urn:x:fingerprint", ACR]}),
    ] {
        assert_eq!(tokens_with(&fixture, &acr(met)).claims()["acr"], ACR);
    }
    let unmet = acr(json!({"essential": true, "values": ["urn:x:fingerprint"]}));
    for form in [unmet.clone(), unmet.with("prompt", "none")] {
        assert_eq!(error(&fixture, &form), "unmet_authentication_requirements");
    }
}

#[test]
fn op_8_a_claim_that_is_asked_for_by_name_is_asked_for_by_its_scope() {
    let fixture = Fixture::new();
    for member in ["id_token", "userinfo"] {
        for how in [json!(null), json!({"essential": true})] {
            let form = claiming(&json!({member: {"name": how, "email": null}}));
            let tokens = tokens_with(&fixture, &form);
            assert_eq!(tokens.scope, "email openid profile");
            let told = fixture.userinfo(&tokens.access).json();
            assert_eq!(told["name"], "ada", "{member}");
            assert_eq!(tokens.claims()["name"], "ada", "{member}");
        }
    }
}

#[test]
fn ui_6_the_person_is_asked_about_a_claim_whichever_way_it_was_asked_for() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let plain = authorization("post").with("scope", "openid");
    browser.code(&plain);
    let claims = json!({"userinfo": {"email": null}});
    let form = plain.with("claims", &claims.to_string());
    let silent = browser.authorize(&form.clone().with("prompt", "none"));
    assert_eq!(silent.response.error(), "consent_required");
    let page = browser.authorize(&form);
    assert!(page.is_page_at("/consent"));
    assert!(page.response.body.contains("See your mail address"));
}

#[test]
fn a_claim_that_is_unknown_or_not_for_this_client_is_left_out() {
    let fixture = Fixture::new();
    let providers = "/api/v1/providers/oauth2/";
    let mapping = json!({
        "name": "login", "scope_name": "read", "claims": {"login": "{username}"},
    });
    let mapping = fixture.api("POST", "/api/v1/property_mappings/", &mapping);
    let path = format!("{providers}?client_id=web");
    let web = fixture.api("GET", &path, &json!(null)).json()["results"][0]["pk"].clone();
    let change = json!({
        "scope": "openid profile read", "property_mappings": [mapping.json()["pk"]],
    });
    let changed = fixture.api("PATCH", &format!("{providers}{web}/"), &change);
    assert_eq!(changed.status, 200, "{}", changed.body);
    let claims = json!({"id_token": {"email": {"essential": true}, "iban": null, "login": null}});
    let tokens = tokens_with(&fixture, &claiming(&claims));
    assert_eq!(tokens.scope, "openid read");
    assert_eq!(tokens.claims()["login"], "ada");
    for left_out in ["email", "iban"] {
        assert_eq!(tokens.claims().get(left_out), None);
    }
    let not_openid = authorization("web")
        .with("scope", "read")
        .with("claims", &json!({"userinfo": {"name": null}}).to_string());
    assert_eq!(tokens_with(&fixture, &not_openid).scope, "read");
}

#[test]
fn a_claim_that_the_id_token_is_asked_for_is_there_also_where_userinfo_tells_the_others() {
    let fixture = Fixture::new();
    fixture.change_client("web", |client| client.claims_in_userinfo_only = true);
    let claims = json!({"id_token": {"name": null}, "userinfo": {"given_name": null}});
    let told = tokens_with(&fixture, &claiming(&claims)).claims();
    assert_eq!(told["name"], "ada");
    assert_eq!(told.get("given_name"), None);
}

#[test]
fn claims_that_are_not_such_an_object_are_refused() {
    let fixture = Fixture::new();
    let long = format!("{{\"id_token\":{{\"{}\":null}}}}", "x".repeat(4096));
    for claims in ["x", "[]", "{\"id_token\":1}", "{\"a\":1,\"a\":1}", &long] {
        let form = online("web").with("claims", claims);
        assert_eq!(error(&fixture, &form), "invalid_request", "{claims}");
    }
}

#[test]
fn op_6_a_sub_that_is_wanted_is_the_one_that_is_answered_for() {
    let fixture = Fixture::new();
    let sub = fixture.tokens().claims()["sub"].clone();
    let wanting = |sub: &Value| claiming(&json!({"id_token": {"sub": {"value": sub}}}));
    let told = tokens_with(&fixture, &wanting(&sub)).claims();
    assert_eq!(told["sub"], sub);
    let browser = fixture.browser_of("bob");
    let page = browser.authorize(&wanting(&sub));
    assert!(page.is_page_at("/login"), "somebody else is signed in");
    let silent = browser.authorize(&wanting(&sub).with("prompt", "none"));
    assert_eq!(silent.response.error(), "login_required");
    let other = browser.fill_in(&page, "bob");
    assert_eq!(other.response.error(), "login_required");
    // A hint for one and a wish for another are no request.
    let hint = fixture.tokens().id_token.unwrap();
    let both = wanting(&json!(subject("bob"))).with("id_token_hint", &hint);
    assert_eq!(error(&fixture, &both), "invalid_request");
    let both = wanting(&sub).with("id_token_hint", &hint);
    assert_eq!(error(&fixture, &both), "");
}

#[test]
fn op_3_a_max_age_of_nothing_is_a_sign_in_of_this_request() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let form = online("web").with("max_age", "0");
    let page = browser.authorize(&form);
    assert!(page.is_page_at("/login"), "even in the same second");
    let after = browser.fill_in(&page, "ada");
    assert_eq!(fixture.exchange(&after.response.code()).status, 200);
    let silent = browser.authorize(&form.with("prompt", "none"));
    assert_eq!(silent.response.error(), "login_required");
}

#[test]
fn prompts_together_are_asked_one_after_the_other() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    browser.code(&authorization("post"));
    for prompt in ["login consent", "consent select_account"] {
        let page = browser.authorize(&authorization("post").with("prompt", prompt));
        assert!(page.is_page_at("/login"), "{prompt}");
        let page = browser.fill_in(&page, "ada");
        assert!(page.is_page_at("/consent"), "remembered, and asked again");
        let answer = browser.decide(&page, "allow").response;
        assert!(answer.code().starts_with("emc_"));
    }
}

#[test]
fn op_11_a_remembered_consent_without_offline_access_is_none_with_it() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    browser.code(&online("post"));
    let offline = authorization("post");
    let silent = browser.authorize(&offline.clone().with("prompt", "none"));
    assert_eq!(silent.response.error(), "consent_required");
    let page = browser.authorize(&offline);
    assert!(page.is_page_at("/consent"));
    let denied = browser.decide(&page, "deny").response;
    assert_eq!(denied.error(), "access_denied");
}

#[test]
fn az_11_what_is_not_supported_has_an_error_of_its_own() {
    let fixture = Fixture::new();
    for (name, value, expected) in [
        ("request", "e30.e30.", "request_not_supported"),
        (
            "request_uri",
            "https://web.example/r",
            "request_uri_not_supported",
        ),
        ("registration", "{}", "registration_not_supported"),
    ] {
        let form = online("web").with(name, value);
        assert_eq!(error(&fixture, &form), expected);
    }
}

#[test]
fn metadata_says_what_a_request_may_say() {
    let metadata = metadata(&Fixture::new());
    for (name, value) in [
        ("claims_parameter_supported", json!(true)),
        ("request_parameter_supported", json!(false)),
        ("request_uri_parameter_supported", json!(false)),
        ("claim_types_supported", json!(["normal"])),
        ("display_values_supported", json!(["page"])),
        ("ui_locales_supported", json!(["en"])),
        ("acr_values_supported", json!([ACR])),
        (
            "prompt_values_supported",
            json!(["none", "login", "consent", "select_account"]),
        ),
    ] {
        assert_eq!(metadata[name], value, "{name}");
    }
    let claims = metadata["claims_supported"].as_array().unwrap();
    assert!(
        ["acr", "c_hash"]
            .iter()
            .all(|name| claims.contains(&json!(name)))
    );
}
