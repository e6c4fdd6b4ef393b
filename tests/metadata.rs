//! Metadata, keys and the issuer (MD).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use edgemint::http::Request;
use edgemint::jose::Algorithm;
use edgemint::ports::directory::{AddKeys, JWKS_CACHE, LONGEST_SIGNED};
use edgemint::ports::{Directory, Keys};
use edgemint::server::Endpoint;
use serde_json::Value;
use support::tokens::{FORMS, json_post, kid, kids, metadata};
use support::{
    BOOTSTRAP, Fixture, Form, ISSUER, Outage, Seen, Tokens, authorization, block_on, decoded, get,
};

/// The four documents that say who we are.
const DOCUMENTS: [Endpoint; 4] = [
    Endpoint::OpenidConfiguration,
    Endpoint::AuthorizationServer,
    Endpoint::ProtectedResource,
    Endpoint::Jwks,
];

fn rotate(fixture: &Fixture) -> Value {
    let answer = fixture.send(Endpoint::RotateKeys, &json_post(Some(BOOTSTRAP), ""));
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

fn strings<'a>(metadata: &'a Value, name: &str) -> Vec<&'a str> {
    let values = metadata[name].as_array().unwrap().iter();
    values.map(|value| value.as_str().unwrap()).collect()
}

/// The `kid` of an ID token that is minted now.
fn signing_kid(fixture: &Fixture, id: &str) -> String {
    kid(fixture.tokens_of(id).id_token.as_deref().unwrap())
}

#[test]
fn md_1_the_issuer_is_the_same_in_metadata_tokens_and_answers() {
    let fixture = Fixture::new();
    for document in [Endpoint::OpenidConfiguration, Endpoint::AuthorizationServer] {
        assert_eq!(
            fixture.get(document, &Form::default()).json()["issuer"],
            ISSUER
        );
    }
    let resource = fixture
        .get(Endpoint::ProtectedResource, &Form::default())
        .json();
    assert_eq!(
        resource["authorization_servers"],
        serde_json::json!([ISSUER])
    );
    for form in FORMS {
        let page = fixture.signed_in_browser().allow(&authorization(form));
        assert_eq!(page.response.answer().value("iss"), Some(ISSUER));
        let tokens = Tokens::of(&fixture.exchange_as(form, &page.response.code()));
        assert_eq!(tokens.claims()["iss"], ISSUER);
        assert_eq!(
            fixture.introspect_as(form, &tokens.access).json()["iss"],
            ISSUER
        );
    }
    let jwt = fixture.tokens_of("jwt").access;
    assert_eq!(decoded(jwt.split('.').nth(1).unwrap())["iss"], ISSUER);
    let refused = fixture
        .browser()
        .authorize(&authorization("web").with("prompt", "none"));
    assert_eq!(refused.response.answer().value("iss"), Some(ISSUER));
}

#[test]
fn md_1_both_documents_agree() {
    let fixture = Fixture::new();
    let openid = fixture.get(Endpoint::OpenidConfiguration, &Form::default());
    let oauth = fixture.get(Endpoint::AuthorizationServer, &Form::default());
    assert_eq!(openid.json(), oauth.json());
}

#[test]
fn md_2_an_issuer_with_a_path_names_endpoints_below_it() {
    let fixture = Fixture::with(|config| config.issuer = "https://id.example/tenant".to_owned());
    let metadata = metadata(&fixture);
    assert_eq!(metadata["issuer"], "https://id.example/tenant");
    for (name, value) in metadata.as_object().unwrap() {
        if name.ends_with("_endpoint") || name == "jwks_uri" {
            let value = value.as_str().unwrap();
            assert!(
                value.starts_with("https://id.example/tenant/"),
                "{name}: {value}"
            );
        }
    }
    let resource = fixture
        .get(Endpoint::ProtectedResource, &Form::default())
        .json();
    assert_eq!(resource["resource"], "https://id.example/tenant/api/v1");
}

#[test]
fn md_3_nothing_of_a_request_reaches_the_documents() {
    let fixture = Fixture::new();
    let forged = Request {
        query: "issuer=https://evil.example".to_owned(),
        body: "issuer=https://evil.example".to_owned(),
        origin: Some("https://evil.example".to_owned()),
        cookie: Some("issuer=https://evil.example".to_owned()),
        authorization: Some("Bearer https://evil.example".to_owned()),
        fetch_site: Some("cross-site".to_owned()),
        address: Some("evil.example".to_owned()),
        ..get(&Form::default())
    };
    for document in DOCUMENTS {
        let plain = fixture.get(document, &Form::default());
        assert_eq!(fixture.send(document, &forged), plain);
    }
}

#[test]
fn md_4_every_advertised_grant_works_and_no_other_is_known() {
    let fixture = Fixture::new();
    let metadata = metadata(&fixture);
    let mut advertised = strings(&metadata, "grant_types_supported");
    advertised.sort_unstable();
    assert_eq!(
        advertised,
        [
            "authorization_code",
            "client_credentials",
            "implicit",
            "refresh_token",
            "urn:ietf:params:oauth:grant-type:device_code"
        ]
    );
    // That devices are granted is shown in `device.rs`, and what has no business here in `response_types.rs`.
    let tokens = fixture.tokens();
    assert_eq!(fixture.refresh(tokens.refresh()).status, 200);
    assert_eq!(fixture.client_credentials("web").status, 200);
    for other in [
        "password",
        "implicit",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "urn:ietf:params:oauth:grant-type:token-exchange",
        "AUTHORIZATION_CODE",
    ] {
        let form = Form::new(&[
            ("grant_type", other),
            ("username", "ada"),
            ("password", "x"),
        ]);
        assert_eq!(
            fixture.token_as("web", &form).error(),
            "unsupported_grant_type",
            "{other}"
        );
    }
}

#[test]
fn md_4_every_advertised_way_to_authenticate_works_and_no_other() {
    let fixture = Fixture::new();
    let metadata = metadata(&fixture);
    // The third is shown to work in `federation.rs`.
    let methods = [
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt",
        "none",
    ];
    assert_eq!(
        strings(&metadata, "token_endpoint_auth_methods_supported"),
        methods
    );
    assert_eq!(
        strings(&metadata, "revocation_endpoint_auth_methods_supported"),
        methods
    );
    for client in ["web", "post", "spa"] {
        let tokens = fixture.tokens_of(client);
        assert_eq!(fixture.revoke_as(client, &tokens.access).status, 200);
    }
    let confidential = &methods[..3];
    assert_eq!(
        strings(&metadata, "introspection_endpoint_auth_methods_supported"),
        confidential
    );
    for client in ["web", "post"] {
        assert!(fixture.is_active_for(client, &fixture.tokens_of(client).access));
    }
    let token = fixture.tokens_of("spa").access;
    assert_eq!(fixture.introspect_as("spa", &token).status, 401);
    let assertion = Form::new(&[
        ("grant_type", "client_credentials"),
        (
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        ),
        ("client_assertion", "a.b.c"),
        ("client_id", "web"),
    ]);
    assert_eq!(
        fixture.post(Endpoint::Token, &assertion).error(),
        "invalid_client"
    );
}

#[test]
fn md_4_every_advertised_algorithm_signs_and_no_other_can_be_registered() {
    let fixture = Fixture::new();
    let metadata = metadata(&fixture);
    for name in strings(&metadata, "id_token_signing_alg_values_supported") {
        let algorithm = Algorithm::parse(name).unwrap();
        fixture.change_client("web", |client| client.signing = algorithm);
        let token = fixture.tokens().id_token.unwrap();
        assert_eq!(decoded(token.split('.').next().unwrap())["alg"], name);
    }
    for other in ["none", "HS256", "PS256", "ES384", "es256"] {
        let body = serde_json::json!({
            "redirect_uris": ["https://new.example/cb"],
            "id_token_signed_response_alg": other,
        });
        let request = json_post(Some(BOOTSTRAP), &body.to_string());
        let answer = fixture.send(Endpoint::Register, &request);
        assert_eq!(answer.error(), "invalid_client_metadata", "{other}");
    }
}

#[test]
fn md_4_the_advertised_response_and_challenge_are_the_only_ones() {
    let fixture = Fixture::new();
    let metadata = metadata(&fixture);
    assert_eq!(
        strings(&metadata, "code_challenge_methods_supported"),
        ["S256"]
    );
    let browser = fixture.signed_in_browser();
    let error = |name: &str, value: &str| {
        let page = browser.authorize(&authorization("web").with(name, value));
        page.response.error()
    };
    assert_eq!(error("response_mode", "query"), "");
    // Those with tokens have to be switched on for a client; the others are on.
    for listed in strings(&metadata, "response_types_supported") {
        let expected = match listed {
            "code" | "none" => "",
            _ => "unauthorized_client",
        };
        assert_eq!(error("response_type", listed), expected, "{listed}");
    }
    for listed in strings(&metadata, "response_modes_supported") {
        assert_eq!(error("response_mode", listed), "", "{listed}");
    }
    for other in ["device", "code device", "CODE"] {
        assert_eq!(
            error("response_type", other),
            "unsupported_response_type",
            "{other}"
        );
    }
    for other in ["query.jwt", "web_message", "jwt"] {
        assert_eq!(error("response_mode", other), "invalid_request", "{other}");
    }
    assert_eq!(error("code_challenge_method", "plain"), "invalid_request");
}

#[test]
fn md_4_what_is_said_to_be_unsupported_is_refused() {
    let fixture = Fixture::new();
    let metadata = metadata(&fixture);
    for name in ["request", "request_uri"] {
        let flag = format!("{name}_parameter_supported");
        assert_eq!(metadata[flag.as_str()], false, "{name}");
    }
    let browser = fixture.signed_in_browser();
    for (name, error) in [
        ("request", "request_not_supported"),
        ("request_uri", "request_uri_not_supported"),
        ("registration", "registration_not_supported"),
    ] {
        let page = browser.authorize(&authorization("web").with(name, "x"));
        assert_eq!(page.response.error(), error);
    }
}

#[test]
fn md_4_what_is_not_built_is_not_advertised() {
    let fixture = Fixture::new();
    let metadata = metadata(&fixture);
    for absent in [
        "pushed_authorization_request_endpoint",
        "backchannel_authentication_endpoint",
        "registration_endpoint",
        "request_object_signing_alg_values_supported",
        "dpop_signing_alg_values_supported",
        "authorization_signing_alg_values_supported",
        "userinfo_signing_alg_values_supported",
        "frontchannel_logout_supported",
        "check_session_iframe",
    ] {
        assert_eq!(metadata.get(absent), None, "{absent}");
    }
}

#[test]
fn md_4_registration_is_advertised_when_it_is_open() {
    let open = Fixture::with(|config| config.danger_open_registration = true);
    let endpoint = metadata(&open)["registration_endpoint"].clone();
    assert_eq!(endpoint, format!("{ISSUER}/oauth/register"));
    let body = r#"{"redirect_uris":["https://new.example/cb"]}"#;
    let answer = open.send(Endpoint::Register, &json_post(None, body));
    assert_eq!(answer.status, 201);
}

#[test]
fn md_4_every_advertised_prompt_and_scope_is_taken() {
    let fixture = Fixture::new();
    let metadata = metadata(&fixture);
    for prompt in strings(&metadata, "prompt_values_supported") {
        let form = authorization("web").with("prompt", prompt);
        let page = fixture.signed_in_browser().authorize(&form);
        assert_eq!(page.response.reason, None, "{prompt}");
    }
    let scopes = strings(&metadata, "scopes_supported").join(" ");
    let form = authorization("web").with("scope", &scopes);
    let code = fixture.signed_in_browser().code(&form);
    let tokens = Tokens::of(&fixture.exchange(&code));
    assert_eq!(tokens.scope, "email offline_access openid profile");
}

#[test]
fn md_4_every_claim_that_is_told_is_advertised() {
    let fixture = Fixture::new();
    let metadata = metadata(&fixture);
    let advertised = strings(&metadata, "claims_supported");
    let form = authorization("web").with("scope", "openid profile email");
    let code = fixture.signed_in_browser().code(&form);
    let tokens = Tokens::of(&fixture.exchange(&code));
    let told = [tokens.claims(), fixture.userinfo(&tokens.access).json()];
    for name in told
        .iter()
        .flat_map(|claims| claims.as_object().unwrap().keys())
    {
        assert!(advertised.contains(&name.as_str()), "{name}");
    }
    assert!(advertised.contains(&"email_verified"));
}

#[test]
fn md_5_the_key_set_has_public_members_only() {
    let fixture = Fixture::new();
    rotate(&fixture);
    let answer = fixture.get(Endpoint::Jwks, &Form::default());
    assert_eq!(answer.json()["keys"].as_array().unwrap().len(), 6);
    for key in answer.json()["keys"].as_array().unwrap() {
        for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            assert_eq!(key.get(private), None);
        }
        assert!(key["kid"].is_string() && key["alg"].is_string());
        assert_eq!(key["use"], "sig");
    }
}

#[test]
fn md_5_a_rotation_answers_with_public_facts_only() {
    let fixture = Fixture::new();
    let keys = rotate(&fixture);
    let keys = keys["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 6);
    for key in keys {
        let mut names: Vec<&String> = key.as_object().unwrap().keys().collect();
        names.sort();
        assert_eq!(names, ["algorithm", "kid", "published_until", "signs_from"]);
    }
}

#[test]
fn md_6_a_new_key_is_published_a_cache_period_before_its_first_use() {
    for id in FORMS {
        let fixture = Fixture::new();
        let old = signing_kid(&fixture, id);
        let answer = fixture.get(Endpoint::Jwks, &Form::default());
        // A minute less, for the copies that stand before a cache.
        let kept = format!("public, max-age={}", JWKS_CACHE.0 - 60);
        assert_eq!(answer.header("cache-control"), Some(kept.as_str()));
        let before = kids(&fixture);

        rotate(&fixture);
        let published = kids(&fixture);
        assert_eq!(published.len(), 6);
        assert!(before.iter().all(|kid| published.contains(kid)));
        fixture.later(JWKS_CACHE.0 - 1);
        assert_eq!(signing_kid(&fixture, id), old);
        fixture.later(1);
        let new = signing_kid(&fixture, id);
        assert_ne!(new, old);
        assert!(published.contains(&new), "every cache knows it by now");
    }
}

#[test]
fn md_6_an_old_key_stays_until_its_last_token_has_expired() {
    let fixture = Fixture::new();
    signing_kid(&fixture, "jwt");
    fixture.change_client("jwt", |client| {
        client.access_token_lifetime = LONGEST_SIGNED
    });
    rotate(&fixture);
    fixture.later(JWKS_CACHE.0 - 1);
    let token = fixture.tokens_of("jwt").access;
    let old = kid(&token);
    fixture.later(LONGEST_SIGNED.0 - 1);
    assert!(kids(&fixture).contains(&old));
    assert!(fixture.is_active_for("jwt", &token), "in its last second");
    fixture.later(2);
    assert!(!kids(&fixture).contains(&old));
    assert!(!fixture.is_active_for("jwt", &token));
    assert_eq!(kids(&fixture).len(), 3);
}

#[test]
fn md_6_however_often_keys_are_rotated_what_the_first_signed_stays_good() {
    let fixture = Fixture::new();
    let token = fixture.tokens_of("jwt").access;
    // More keys than somebody else's JWKS may have.
    while kids(&fixture).len() <= 100 {
        let key = block_on(fixture.memory().generate(Algorithm::EdDsa)).unwrap();
        let add = AddKeys {
            keys: vec![key],
            rotate: true,
            at_once: false,
            actor: None,
        };
        block_on(fixture.memory().directory(&fixture.at(), add)).unwrap();
    }
    assert!(fixture.is_active_for("jwt", &token));
}

#[test]
fn ops_5_after_a_leak_what_the_keys_of_before_signed_is_refused_at_once() {
    let fixture = Fixture::new();
    let leaked = fixture.tokens_of("jwt").access;
    let before = kids(&fixture);
    let request = json_post(Some(BOOTSTRAP), r#"{"at_once": true}"#);
    assert_eq!(fixture.send(Endpoint::RotateKeys, &request).status, 200);
    assert!(!fixture.is_active_for("jwt", &leaked));
    assert!(kids(&fixture).iter().all(|kid| !before.contains(kid)));
    let new = fixture.tokens_of("jwt").access;
    assert!(fixture.is_active_for("jwt", &new), "and signing goes on");
}

#[test]
fn ops_5_a_rotation_that_is_not_understood_rotates_nothing() {
    let fixture = Fixture::new();
    let before = kids(&fixture);
    for body in [r#"{"at_once": "yes"}"#, r#"{"now": true}"#, "[]", "{"] {
        let request = json_post(Some(BOOTSTRAP), body);
        assert_eq!(
            fixture.send(Endpoint::RotateKeys, &request).status,
            400,
            "{body}"
        );
    }
    assert_eq!(kids(&fixture), before);
}

#[test]
fn md_7_the_key_of_every_jwt_is_published_at_every_moment_of_a_rotation() {
    let fixture = Fixture::new();
    signing_kid(&fixture, "jwt");
    rotate(&fixture);
    for _ in 0..30 {
        let tokens = fixture.tokens_of("jwt");
        let published = kids(&fixture);
        assert!(published.contains(&kid(&tokens.access)));
        assert!(published.contains(&kid(tokens.id_token.as_deref().unwrap())));
        assert!(fixture.is_active_for("jwt", &tokens.access));
        fixture.later(3600);
    }
}

#[test]
fn md_7_the_key_set_is_told_while_the_feed_is_away() {
    let fixture = Fixture::new();
    let published = kids(&fixture);
    fixture.memory().fail(Outage::Feed);
    assert_eq!(kids(&fixture), published);
    fixture.memory().fail(Outage::Directory);
    assert_eq!(kids(&fixture), published);
}

#[test]
fn md_8_none_is_no_algorithm_anywhere() {
    let fixture = Fixture::new();
    for document in DOCUMENTS {
        let answer = fixture.get(document, &Form::default()).json();
        for (name, value) in answer.as_object().unwrap() {
            if name.contains("alg") {
                let values = value.as_array().unwrap();
                assert!(!values.contains(&Value::from("none")), "{name}");
            }
        }
    }
}

#[test]
fn documents_may_be_kept_and_read_by_anybody() {
    let fixture = Fixture::new();
    for document in DOCUMENTS {
        let answer = fixture.get(document, &Form::default());
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert!(
            answer
                .header("cache-control")
                .unwrap()
                .starts_with("public, max-age=")
        );
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    }
}
