//! Response types besides `code`, and response modes (S2.3): what is issued by the authorization
//! endpoint, to whom, and where in its answer.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use edgemint::http::Response;
use edgemint::jose::Algorithm;
use edgemint::model::{GrantType, RedirectUri, ResponseType};
use edgemint::server::Endpoint;
use serde_json::{Value, json};
use support::tokens::{metadata, online};
use support::{
    Browser, Fixture, Form, ISSUER, NONCE, Operations, Page, RESOURCE, STATE, Seen, Tokens,
    authorization, decoded, exchange_form, redirect_uri,
};

const CODE: &str = "code";
/// Those that issue a token without a code, with what they issue.
const TOKENS: [(&str, &[&str]); 6] = [
    ("id_token", &["id_token"]),
    ("token", &["access_token"]),
    ("id_token token", &["id_token", "access_token"]),
    ("code id_token", &[CODE, "id_token"]),
    ("code token", &[CODE, "access_token"]),
    ("code id_token token", &[CODE, "id_token", "access_token"]),
];
const ISSUED: [&str; 3] = [CODE, "id_token", "access_token"];

/// Switches everything on for a client.
fn switch_on(fixture: &Fixture, id: &str) {
    fixture.change_client(id, |client| {
        client.grant_types.push(GrantType::Implicit);
        client.response_types = ResponseType::ALL.to_vec();
        client.danger_allow_front_channel_access_tokens = true;
    });
}

fn switched_on() -> Fixture {
    let fixture = Fixture::new();
    for id in ["web", "post", "jwt", "spa"] {
        switch_on(&fixture, id);
    }
    fixture
}

fn asking(response_type: &str) -> Form {
    online("web").with("response_type", response_type)
}

/// The parameters of a form that a browser is to post to the client.
fn posted(page: &Page) -> Form {
    let response = &page.response;
    assert_eq!((response.status, response.location()), (200, None));
    assert_eq!(page.action(), redirect_uri("web"));
    page.hidden_fields()
}

/// The answer, wherever it is; and where.
fn answered(page: &Page) -> (&'static str, Form) {
    match page.response.location() {
        None => ("form_post", posted(page)),
        Some(location) => {
            assert!(location.starts_with(redirect_uri("web")), "{location}");
            let mode = if location.contains('#') {
                "fragment"
            } else {
                "query"
            };
            (mode, page.response.answer())
        }
    }
}

fn claims_of(answer: &Form) -> Value {
    decoded(answer.value("id_token").unwrap().split('.').nth(1).unwrap())
}

#[test]
fn s2_3_each_type_issues_what_it_names_and_nothing_else() {
    let fixture = switched_on();
    for browser in [fixture.signed_in_browser(), fixture.browser()] {
        for (response_type, issued) in TOKENS {
            let page = browser.allow(&asking(response_type));
            let (mode, answer) = answered(&page);
            assert_eq!(mode, "fragment", "{response_type}");
            for name in ISSUED {
                let there = answer.value(name).is_some();
                assert_eq!(there, issued.contains(&name), "{response_type} {name}");
            }
            assert_eq!(answer.value("state"), Some(STATE));
            assert_eq!(answer.value("iss"), Some(ISSUER));
            let bearer = issued.contains(&"access_token");
            assert_eq!(answer.value("token_type"), bearer.then_some("Bearer"));
            assert_eq!(answer.value("expires_in"), bearer.then_some("3600"));
            let scope = bearer.then_some("openid profile read");
            assert_eq!(answer.value("scope"), scope);
            assert_eq!(answer.value("refresh_token"), None);
        }
    }
}

#[test]
fn s2_3_what_is_issued_works_as_what_the_token_endpoint_issues() {
    let fixture = switched_on();
    let browser = fixture.signed_in_browser();
    for id in ["web", "jwt"] {
        let form = online(id).with("response_type", "code id_token token");
        let answer = browser.allow(&form).response.answer();
        let access = answer.value("access_token").unwrap();
        assert!(fixture.is_active_for(id, access));
        let told = fixture.userinfo(access);
        assert_eq!(told.status, 200);
        assert_eq!(told.json()["sub"], claims_of(&answer)["sub"]);
        let code = answer.value(CODE).unwrap();
        let tokens = Tokens::of(&fixture.exchange_as(id, code));
        for name in ["iss", "sub", "aud", "auth_time", "nonce", "sid", "acr"] {
            assert_eq!(tokens.claims()[name], claims_of(&answer)[name], "{name}");
        }
        // Redeemed twice, a code takes with it what it gave, and not what came beside it.
        assert_eq!(fixture.exchange_as(id, code).error(), "invalid_grant");
        assert!(!fixture.is_active_for(id, &tokens.access));
        assert!(fixture.is_active_for(id, access));
    }
}

#[test]
fn s2_3_none_says_that_a_request_would_be_granted_and_gives_nothing() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let form = online("web").with("response_type", "none");
    let nothing = fixture.cost(|| {
        let answer = browser.authorize(&form).response.answer();
        assert_eq!(answer.names(), ["state", "iss"]);
    });
    assert_eq!((nothing.ledger, nothing.kv_puts), (0, 0));
    let silent = form.with("prompt", "none");
    let nobody = fixture.browser().authorize(&silent).response;
    assert_eq!(nobody.error(), "login_required");
    let asked = browser.authorize(&online("post").with("response_type", "none"));
    assert!(asked.is_page_at("/consent"));
}

#[test]
fn az_4_without_the_long_named_switch_no_answer_has_an_access_token() {
    let fixture = switched_on();
    let browser = fixture.signed_in_browser();
    fixture.change_client("web", |client| {
        client.danger_allow_front_channel_access_tokens = false;
    });
    for (response_type, issued) in TOKENS {
        let response = browser.allow(&asking(response_type)).response;
        let answer = response.answer();
        if issued.contains(&"access_token") {
            assert_eq!(response.error(), "unauthorized_client", "{response_type}");
            assert_eq!(response.label(), "response_type_not_allowed");
        } else {
            assert!(answer.value("id_token").is_some());
        }
        assert_eq!(answer.value("access_token"), None);
    }
}

#[test]
fn az_4_a_client_that_was_switched_to_nothing_gets_codes_alone() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    for (response_type, _) in TOKENS {
        for mode in ["", "query", "fragment"] {
            let form = asking(response_type).with("response_mode", mode);
            let answer = browser.authorize(&form).response;
            assert_eq!(answer.error(), "unauthorized_client", "{response_type}");
            for name in ISSUED {
                assert_eq!(answer.answer().value(name), None, "{response_type}");
            }
        }
    }
}

#[test]
fn s2_3_types_and_grants_that_a_client_does_not_have_are_refused_while_a_page_waits_too() {
    let fixture = switched_on();
    fixture.change_client("web", |client| {
        client
            .grant_types
            .retain(|grant| *grant != GrantType::Implicit);
    });
    let browser = fixture.signed_in_browser();
    let refused = browser.authorize(&asking("id_token")).response;
    assert_eq!(refused.error(), "unauthorized_client");
    assert_eq!(refused.label(), "grant_not_allowed");

    let form = online("post").with("response_type", "id_token token");
    let page = browser.authorize(&form);
    assert!(page.is_page_at("/consent"));
    fixture.change_client("post", |client| {
        client.response_types = vec![ResponseType::Code];
    });
    let refused = browser.decide(&page, "allow").response;
    assert_eq!(refused.error(), "unauthorized_client");
    assert!(refused.location().unwrap().contains('#'));
}

#[test]
fn s2_3_an_answer_is_in_the_mode_that_is_asked_for_on_success_and_error() {
    let fixture = switched_on();
    let browser = fixture.signed_in_browser();
    let fragments = TOKENS.map(|(response_type, _)| (response_type, "fragment"));
    let types = [(CODE, "query"), ("none", "query")];
    assert_eq!(types.len() + fragments.len(), ResponseType::ALL.len());
    for (response_type, default) in types.into_iter().chain(fragments) {
        for asked in ["", "query", "fragment", "form_post"] {
            let may = asked != "query" || default == "query";
            let expected = if asked.is_empty() || !may {
                default
            } else {
                asked
            };
            let good = asking(response_type).with("response_mode", asked);
            let (mode, answer) = answered(&browser.authorize(&good));
            assert_eq!(mode, expected, "{response_type} {asked}");
            let error = (!may).then_some("invalid_request");
            assert_eq!(answer.value("error"), error, "{response_type} {asked}");
            for wrong in [
                good.clone().with("scope", "openid admin:token"),
                good.clone().with("prompt", "none login"),
                good.clone().with("max_age", "x"),
                good.clone().with("claims", "x"),
                good.clone().and("nonce", "again"),
            ] {
                let page = browser.authorize(&wrong);
                let (mode, answer) = answered(&page);
                assert_eq!(mode, expected, "{response_type} {asked} {wrong:?}");
                assert!(answer.value("error").is_some());
                assert_eq!(answer.value("state"), Some(STATE));
                assert_eq!(answer.value("iss"), Some(ISSUER));
                assert!(page.response.reason.is_some(), "the log is told");
                for name in ISSUED {
                    assert_eq!(answer.value(name), None);
                }
            }
        }
    }
}

#[test]
fn s2_3_no_token_is_ever_in_a_query() {
    let fixture = switched_on();
    let silent = fixture.signed_in_browser();
    for browser in [silent, fixture.browser()] {
        for (response_type, issued) in TOKENS {
            for asked in [
                "",
                "query",
                "fragment",
                "form_post",
                "QUERY",
                "query fragment",
            ] {
                let form = asking(response_type).with("response_mode", asked);
                let page = browser.copy().allow(&form);
                let (mode, answer) = answered(&page);
                let given = answer.value("error").is_none();
                assert_eq!(given, ["", "fragment", "form_post"].contains(&asked));
                for name in ISSUED {
                    let there = answer.value(name).is_some();
                    assert_eq!(there, given && issued.contains(&name), "{response_type}");
                }
                assert_ne!(mode, "query", "{response_type} {asked}");
                let location = page.response.location().unwrap_or_default();
                let query = location.split('#').next().unwrap();
                assert!(!query.contains('?'), "{response_type} {asked}: {query}");
            }
        }
    }
}

#[test]
fn s2_3_a_refusal_on_a_page_is_told_in_the_mode_of_the_request() {
    let fixture = switched_on();
    for (mode, separator) in [("fragment", "#"), ("query", "&")] {
        let browser = fixture.signed_in_browser();
        let form = authorization("post").with("response_mode", mode);
        let page = browser.authorize(&form);
        let denied = browser.decide(&page, "deny").response;
        assert_eq!(denied.error(), "access_denied");
        let start = format!("{}{separator}error=", redirect_uri("post"));
        assert!(denied.location().unwrap().starts_with(&start));
    }
    let silent = asking("id_token")
        .with("prompt", "none")
        .with("response_mode", "form_post");
    let page = fixture.browser().authorize(&silent);
    assert_eq!(posted(&page).value("error"), Some("login_required"));
}

#[test]
fn az_12_a_mode_that_is_not_built_or_cannot_be_is_refused() {
    let fixture = switched_on();
    let browser = fixture.signed_in_browser();
    for mode in ["web_message", "jwt", "query.jwt", "x", "FORM_POST"] {
        let answer = browser
            .authorize(&asking("id_token").with("response_mode", mode))
            .response;
        assert_eq!(answer.error(), "invalid_request", "{mode}");
        assert!(answer.location().unwrap().contains('#'), "{mode}");
    }
    // No form is posted to what is no web server.
    let own = "com.example.app:/cb";
    fixture.change_client("web", |client| {
        client
            .redirect_uris
            .push(RedirectUri::register(own).unwrap());
    });
    let form = authorization("web")
        .with("redirect_uri", own)
        .with("response_mode", "form_post");
    let answer = browser.authorize(&form).response;
    assert_eq!(answer.error(), "invalid_request");
    assert!(answer.location().unwrap().starts_with(own));
}

#[test]
fn az_12_a_form_is_posted_to_the_registered_uri_alone_with_every_value_as_text() {
    let fixture = switched_on();
    let browser = fixture.signed_in_browser();
    let odd = "\"><script>alert(1)</script>&amp;'";
    let page = browser.authorize(
        &asking("code id_token token")
            .with("response_mode", "form_post")
            .with("state", odd),
    );
    let form = posted(&page);
    assert_eq!(form.value("state"), Some(odd));
    assert_eq!(form.value("iss"), Some(ISSUER));
    assert_eq!(fixture.exchange(form.value(CODE).unwrap()).status, 200);
    let Response { body, .. } = &page.response;
    assert_eq!(body.matches("<form").count(), 1);
    assert_eq!(body.matches("<script").count(), 1, "and that is ours");
    let script = format!("<script src=\"{ISSUER}/oauth/form-post.js\" defer></script>");
    assert!(body.contains(&script));
    assert!(body.contains("<button"), "for who has no script");
    let policy = page.response.header("content-security-policy").unwrap();
    assert!(policy.contains(&format!("script-src {ISSUER}/oauth/form-post.js;")));
    assert!(policy.contains("form-action 'self' https:;"));
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"));
    assert!(policy.contains("frame-ancestors 'none'"));
    assert_eq!(page.response.header("cache-control"), Some("no-store"));
    assert_eq!(page.response.header("referrer-policy"), Some("no-referrer"));
}

#[test]
fn az_12_a_form_post_answers_a_sign_in_and_a_consent_too() {
    let fixture = switched_on();
    let form = authorization("post").with("response_mode", "form_post");
    let page = fixture.browser().allow(&form);
    assert_eq!(page.action(), redirect_uri("post"));
    let code = page.hidden_fields();
    let tokens = fixture.exchange_as("post", code.value(CODE).unwrap());
    assert_eq!(tokens.status, 200);
}

#[test]
fn op_10_c_hash_and_at_hash_are_of_what_comes_in_the_same_answer() {
    let fixture = switched_on();
    let browser = fixture.signed_in_browser();
    for algorithm in Algorithm::ALL {
        fixture.change_client("web", |client| client.signing = algorithm);
        for (response_type, issued) in TOKENS {
            if !issued.contains(&"id_token") {
                continue;
            }
            let answer = browser.allow(&asking(response_type)).response.answer();
            let claims = claims_of(&answer);
            for (hash, of) in [("at_hash", "access_token"), ("c_hash", CODE)] {
                let expected = answer.value(of).map(|text| algorithm.at_hash(text));
                assert_eq!(
                    claims.get(hash),
                    expected.map(Value::from).as_ref(),
                    "{response_type} {hash}"
                );
            }
            assert_eq!(claims["nonce"], NONCE);
        }
        // From the token endpoint, where no code comes along.
        assert_eq!(fixture.tokens().claims().get("c_hash"), None);
    }
}

#[test]
fn op_10_c_hash_is_the_one_of_openid_connects_example() {
    // OpenID Connect Core Appendix A.4 and A.6.
    let code = "Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk";
    let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
    assert_eq!(Algorithm::Rs256.at_hash(code), "LDktKdoQak3Pk0cnXxCltA");
    assert_eq!(Algorithm::Rs256.at_hash(token), "77QmUPtjPfzWtF2AnpK9RQ");
}

#[test]
fn an_id_token_from_the_authorization_endpoint_needs_a_nonce() {
    let fixture = switched_on();
    let browser = fixture.signed_in_browser();
    for (response_type, issued) in TOKENS {
        let answer = browser
            .allow(&asking(response_type).without("nonce"))
            .response;
        if issued.contains(&"id_token") {
            assert_eq!(answer.error(), "invalid_request", "{response_type}");
            assert_eq!(answer.label(), "missing_parameter");
        } else {
            assert_eq!(answer.error(), "", "{response_type}");
        }
    }
}

#[test]
fn an_id_token_needs_the_scope_that_asks_for_one() {
    let fixture = switched_on();
    let browser = fixture.signed_in_browser();
    for (response_type, issued) in TOKENS {
        let answer = browser
            .allow(&asking(response_type).with("scope", "read"))
            .response;
        let expected = if issued.contains(&"id_token") {
            "invalid_request"
        } else {
            ""
        };
        assert_eq!(answer.error(), expected, "{response_type}");
    }
}

#[test]
fn a_challenge_is_needed_for_a_code_and_for_nothing_else() {
    let fixture = switched_on();
    let browser = fixture.signed_in_browser();
    for (response_type, issued) in TOKENS {
        let form = asking(response_type).without("code_challenge");
        let answer = browser.allow(&form.without("code_challenge_method"));
        let expected = if issued.contains(&CODE) {
            "invalid_request"
        } else {
            ""
        };
        assert_eq!(answer.response.error(), expected, "{response_type}");
    }
}

#[test]
fn op_11_without_a_code_offline_access_is_not_asked_for() {
    let fixture = switched_on();
    let browser = fixture.signed_in_browser();
    let form = authorization("post").with("response_type", "id_token token");
    let page = browser.authorize(&form);
    assert!(page.is_page_at("/consent"));
    let offline = "Keep this access while you are away";
    assert!(!page.response.body.contains(offline));
    let answer = browser.decide(&page, "allow").response.answer();
    assert_eq!(answer.value("scope"), Some("openid profile read"));
    // Beside a code it is the code's alone.
    let form = authorization("web").with("response_type", "code token");
    let answer = browser.allow(&form).response.answer();
    assert_eq!(answer.value("scope"), Some("openid profile read"));
    let tokens = Tokens::of(&fixture.exchange(answer.value(CODE).unwrap()));
    assert_eq!(tokens.scope, "offline_access openid profile read");
    browser.sign_out();
    assert!(!fixture.is_active(answer.value("access_token").unwrap()));
    assert!(fixture.is_active(&tokens.access));
}

#[test]
fn what_the_authorization_endpoint_issued_ends_with_the_consent_and_the_account() {
    let fixture = switched_on();
    let access = |browser: &Browser<'_>| {
        let form = online("web").with("response_type", "token");
        let answer = browser.allow(&form).response.answer();
        answer.value("access_token").unwrap().to_owned()
    };
    let held = access(&fixture.browser_of("bob"));
    assert!(fixture.is_active(&held));
    fixture.disable_account("bob");
    assert!(!fixture.is_active(&held));
    let held = access(&fixture.signed_in_browser());
    assert_eq!(fixture.revoke(&held).status, 200);
    assert!(!fixture.is_active(&held));
}

#[test]
fn claims_that_are_told_by_userinfo_alone_are_told_to_who_cannot_ask_it() {
    let fixture = switched_on();
    fixture.change_client("web", |client| client.claims_in_userinfo_only = true);
    let browser = fixture.signed_in_browser();
    for (response_type, issued) in TOKENS {
        if issued.contains(&"id_token") {
            let answer = browser.allow(&asking(response_type)).response.answer();
            let told = claims_of(&answer).get("preferred_username").is_some();
            assert_eq!(told, response_type == "id_token", "{response_type}");
        }
    }
}

#[test]
fn a_claim_that_is_asked_for_by_name_is_told_by_the_id_token_of_the_authorization_endpoint() {
    let fixture = switched_on();
    fixture.change_client("web", |client| client.claims_in_userinfo_only = true);
    let browser = fixture.signed_in_browser();
    let name = json!({"id_token": {"name": null}}).to_string();
    for response_type in ["code id_token", "id_token token", "code id_token token"] {
        let ask = |form: Form| claims_of(&browser.allow(&form).response.answer());
        let plain = ask(asking(response_type));
        assert_eq!(plain.get("name"), None, "{response_type}");
        let named = ask(asking(response_type).with("claims", &name));
        assert_eq!(named["name"], "ada", "{response_type}");
        // And no other claim of the same scope.
        assert_eq!(named.get("preferred_username"), None, "{response_type}");
    }
}

#[test]
fn an_access_token_of_the_authorization_endpoint_is_for_the_resource_that_was_asked_for() {
    let fixture = switched_on();
    let browser = fixture.signed_in_browser();
    for id in ["web", "jwt"] {
        for (response_type, issued) in TOKENS {
            if !issued.contains(&"access_token") {
                continue;
            }
            let form = online(id).with("response_type", response_type);
            let aud = |form: &Form, reader: &str| {
                let answer = browser.allow(form).response.answer();
                let token = answer.value("access_token").unwrap();
                fixture.introspect_as(reader, token).json()["aud"].clone()
            };
            assert_eq!(aud(&form, id), id, "{response_type}");
            let form = form.with("resource", RESOURCE);
            assert_eq!(aud(&form, id), RESOURCE, "{response_type}");
            assert_eq!(aud(&form, "api"), RESOURCE, "{response_type}");
        }
    }
}

#[test]
fn an_access_token_costs_what_a_code_exchange_costs_and_an_id_token_nothing() {
    let fixture = switched_on();
    let browser = fixture.signed_in_browser();
    for id in ["web", "jwt"] {
        fixture.tokens_in(&browser, id);
        for (response_type, issued) in TOKENS {
            let form = online(id).with("response_type", response_type);
            let cost = fixture.cost(|| {
                assert_eq!(browser.authorize(&form).response.error(), "");
            });
            let expected = Operations {
                ledger: u32::from(issued.contains(&"access_token")),
                kv_puts: u32::from(issued.contains(&CODE)),
                feed: cost.feed,
                ..Operations::default()
            };
            assert_eq!(cost, expected, "{id} {response_type}");
        }
    }
}

#[test]
fn the_token_endpoint_knows_no_implicit_grant() {
    let fixture = switched_on();
    let form = exchange_form("web", &fixture.code()).with("grant_type", "implicit");
    let answer = fixture.token_as("web", &form);
    assert_eq!(answer.error(), "unsupported_grant_type");
}

#[test]
fn metadata_lists_every_type_and_mode_but_those_with_a_long_name() {
    let fixture = Fixture::new();
    let metadata = metadata(&fixture);
    let types = json!(["code", "none", "id_token", "code id_token"]);
    assert_eq!(metadata["response_types_supported"], types);
    let modes = json!(["query", "fragment", "form_post"]);
    assert_eq!(metadata["response_modes_supported"], modes);
    let grants = metadata["grant_types_supported"].as_array().unwrap();
    assert!(grants.contains(&json!("implicit")));
}

#[test]
fn registration_switches_types_on_that_fit_the_grants_and_tokens_by_the_long_name_alone() {
    let fixture = Fixture::new();
    let both = json!(["authorization_code", "implicit"]);
    let danger = "danger_allow_front_channel_access_tokens";
    for (types, grants, allowed, status) in [
        (
            json!(["code", "none"]),
            json!(["authorization_code"]),
            false,
            201,
        ),
        (json!(["id_token"]), json!(["implicit"]), false, 201),
        (json!(["code id_token", "code"]), both.clone(), false, 201),
        (json!(["id_token code"]), both.clone(), false, 201),
        (
            json!(["token", "id_token token"]),
            json!(["implicit"]),
            true,
            201,
        ),
        (json!(["token"]), json!(["implicit"]), false, 400),
        (json!(["code id_token token"]), both.clone(), false, 400),
        (
            json!(["code id_token"]),
            json!(["authorization_code"]),
            true,
            400,
        ),
        (
            json!(["id_token"]),
            json!(["authorization_code"]),
            true,
            400,
        ),
        (json!(["code"]), both.clone(), true, 400),
        (json!([]), json!(["implicit"]), true, 400),
        (json!(["code", "password"]), both, true, 400),
    ] {
        let mut body = json!({
            "redirect_uris": ["https://new.example/cb"],
            "response_types": types, "grant_types": grants,
        });
        body[danger] = json!(allowed);
        let answer = fixture.register(&body);
        assert_eq!(answer.status, status, "{body} {}", answer.body);
        if status == 201 {
            let told = answer.json()["response_types"].as_array().unwrap().len();
            assert_eq!(told, types.as_array().unwrap().len());
        } else {
            assert_eq!(answer.error(), "invalid_client_metadata");
        }
    }
}

#[test]
fn a_stranger_may_have_id_tokens_and_no_access_token_by_the_address() {
    let fixture = Fixture::with(|config| config.danger_open_registration = true);
    let register = |types: &str| {
        let request = edgemint::http::Request {
            method: "POST".to_owned(),
            content_type: Some("application/json".to_owned()),
            address: Some("192.0.2.1".to_owned()),
            body: json!({
                "redirect_uris": ["https://new.example/cb"], "grant_types": ["implicit"],
                "response_types": [types], "token_endpoint_auth_method": "none",
                "danger_allow_front_channel_access_tokens": true,
            })
            .to_string(),
            ..edgemint::http::Request::default()
        };
        fixture.send(Endpoint::Register, &request).status
    };
    assert_eq!(register("id_token"), 201);
    assert_eq!(register("id_token token"), 400);
}

#[test]
fn the_management_api_switches_types_on_and_taking_one_away_ends_what_was_issued() {
    let fixture = Fixture::new();
    let path = "/api/v1/providers/oauth2/";
    let body = json!({
        "name": "Front", "client_id": "front", "redirect_uris": redirect_uri("web"),
        "grant_types": ["authorization_code", "implicit"], "scope": "openid read",
        "response_types": ["code", "id_token token"],
    });
    let refused = fixture.api("POST", path, &body);
    assert_eq!(refused.status, 400);
    let danger = "danger_allow_front_channel_access_tokens";
    assert!(
        refused.json()["response_types"][0]
            .as_str()
            .unwrap()
            .contains(danger)
    );
    let mut body = body;
    body[danger] = json!(true);
    let made = fixture.api("POST", path, &body);
    assert_eq!(made.status, 201, "{}", made.body);
    let own = format!("{path}{}/", made.json()["pk"]);

    let browser = fixture.signed_in_browser();
    let form = online("web")
        .with("client_id", "front")
        .with("scope", "openid read");
    let ask = |response_type: &str| {
        let form = form.clone().with("response_type", response_type);
        browser.allow(&form).response
    };
    let held = ask("id_token token").answer();
    let held = held.value("access_token").unwrap().to_owned();
    assert_eq!(fixture.userinfo(&held).status, 200);
    assert_eq!(ask("id_token").error(), "unauthorized_client");
    for unfit in [
        json!({"grant_types": ["authorization_code"]}),
        json!({"response_types": ["code"]}),
        json!({danger: false}),
        json!({"response_types": ["id_token code"]}),
    ] {
        assert_eq!(fixture.api("PATCH", &own, &unfit).status, 400, "{unfit}");
    }
    let less = json!({"response_types": ["code", "id_token"], danger: false});
    assert_eq!(fixture.api("PATCH", &own, &less).status, 200);
    assert_eq!(fixture.userinfo(&held).status, 401);
    assert_eq!(ask("id_token token").error(), "unauthorized_client");
    assert!(ask("id_token").answer().value("id_token").is_some());
}
