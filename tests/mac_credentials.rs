//! MAC credentials (S3.6): who gets them, who is told the key, where a key identifier is no token, and what a bound
//! Worker is answered.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use edgemint::error::Reason;
use edgemint::http::Request;
use edgemint::server::Endpoint;
use edgemint::token::mac::MacAlgorithm::{HmacSha1 as SHA_1, HmacSha256 as SHA_256};
use edgemint::token::{AccessToken, MacToken};
use serde_json::{Value, json};
use support::gate::bearing;
use support::mac::{
    Credentials, Draft, INVALID, PASSES, Signing, assert_refused, body_hash, fixture, for_resource,
    own, signed, told,
};
use support::tokens::{api_token, call_rpc, facts, sealed};
use support::{Fixture, Form, RESOURCE, Seen, Tokens, authenticated, refresh_form};

#[test]
fn s3_6_opted_in_clients_get_credentials_and_others_bearer_tokens() {
    let fixture = fixture();
    let code = fixture.exchange(&fixture.code());
    let refresh = code.json()["refresh_token"].as_str().unwrap().to_owned();
    let refreshed = fixture.refresh(&refresh);
    let public = fixture.exchange_as("spa", &fixture.code_for("spa"));
    let mut keys = Vec::new();
    for answer in [code, refreshed, public, fixture.client_credentials("web")] {
        let credentials = Credentials::of(&fixture, &answer);
        assert!(credentials.id.starts_with("emm_"), "{}", credentials.id);
        assert_eq!(credentials.key.len(), 43);
        assert_eq!(credentials.algorithm, "hmac-sha-256");
        assert!(
            !keys.contains(&credentials.key),
            "every token has a key of its own"
        );
        keys.push(credentials.key);
    }
    for id in ["other", "jwt", "post"] {
        let answer = fixture.client_credentials(id).json();
        assert_eq!(answer["token_type"], "Bearer", "{id}");
        for absent in ["mac_key", "mac_algorithm"] {
            assert_eq!(answer.get(absent), None, "{id}");
        }
    }
    fixture.change_client("web", |client| {
        client.danger_issue_mac_tokens_with_hmac_sha_1 = true;
    });
    let old = own(&fixture);
    assert_eq!(old.algorithm, "hmac-sha-1");
    let now = Draft::One(fixture.now());
    let answer = fixture.gate(&signed("", &old.sign(&Signing::at(now, "n"))));
    assert_eq!(told(&answer), PASSES);
}

#[test]
fn s3_6_a_jwt_client_that_is_switched_on_gets_no_jwt() {
    let fixture = fixture();
    fixture.change_client("jwt", |client| client.danger_issue_mac_tokens = true);
    let answer = fixture.client_credentials("jwt").json();
    assert!(answer["access_token"].as_str().unwrap().starts_with("emm_"));
}

#[test]
fn s3_6_a_key_identifier_is_no_bearer_token_anywhere() {
    let fixture = fixture();
    let form = Form::new(&[("grant_type", "client_credentials"), ("resource", RESOURCE)]);
    let person = Credentials::of(&fixture, &fixture.exchange(&fixture.code()));
    let machine = Credentials::of(&fixture, &fixture.token_as("web", &form));
    for credentials in [&person, &machine] {
        let id = credentials.id.as_str();
        for (query, service) in [("service=web", "web"), ("service=api", "api")] {
            let answer = fixture.gate(&bearing(query, id));
            assert_eq!(answer.reason, Some(Reason::TokenUnknown), "{service}");
            for (user, password) in [(id, ""), ("x", id)] {
                let basic = support::gate::basic(user, password);
                let answer = fixture.gate(&support::gate::with(query, &basic));
                assert_eq!(answer.reason, Some(Reason::TokenUnknown), "{service}");
            }
        }
        assert_eq!(fixture.userinfo(id).status, 401);
        for client in ["api", "web"] {
            let arguments = json!({"authorization": format!("Bearer {id}")});
            let verdict = call_rpc(&fixture, "validate", Some(client), &arguments);
            assert_eq!(
                (&verdict["error"], &verdict["status"]),
                (&json!("invalid_token"), &json!(401))
            );
        }
        let asks = Request {
            authorization: Some(format!("Bearer {id}")),
            ..support::post(&Form::new(&[("token", id)]))
        };
        for endpoint in [Endpoint::Introspect, Endpoint::CheckToken] {
            assert_eq!(fixture.send(endpoint, &asks).status, 401);
        }
        let checked = fixture.send(
            Endpoint::CheckToken,
            &authenticated("web", &Form::new(&[("token", id)])),
        );
        assert_eq!(checked.body, r#"{"active":false}"#);
        for endpoint in [Endpoint::Records, Endpoint::Tokens, Endpoint::Export] {
            let request = Request {
                path: "/api/v1/users/".to_owned(),
                ..bearing("", id)
            };
            let answer = fixture.send(endpoint, &request);
            assert!(
                matches!(answer.status, 401 | 403 | 404),
                "{endpoint:?} {answer:?}"
            );
        }
        // Under another prefix it is nothing at all, and neither is a bearer token under this one.
        let renamed = id.replacen("emm_", "ema_", 1);
        assert_eq!(
            fixture.gate(&bearing("service=web", &renamed)).reason,
            Some(Reason::TokenUnknown)
        );
    }
}

#[test]
fn s3_6_a_bearer_token_is_no_key_identifier() {
    let fixture = fixture();
    let bearer = sealed(&fixture, &facts(&fixture));
    for id in [
        bearer.clone(),
        bearer.replacen("ema_", "emm_", 1),
        "x".to_owned(),
    ] {
        let credentials = Credentials {
            id,
            ..own(&fixture)
        };
        let header = credentials.sign(&Signing::at(Draft::One(fixture.now()), "n"));
        assert_refused(&fixture.gate(&signed("", &header)), &Reason::TokenUnknown);
    }
}

#[test]
fn s3_6_a_signed_request_is_validated_for_a_bound_worker() {
    let fixture = fixture();
    let credentials = for_resource(&fixture);
    let sign = |nonce, body: Option<&'static [u8]>| {
        credentials.sign(&Signing {
            method: "POST",
            uri: "/v1/bills?y=1",
            host: "api.example",
            body,
            ..Signing::at(Draft::Zero(0), nonce)
        })
    };
    let ask = |client: &str, authorization: &str, scopes: &str, body_hash: Option<&str>| {
        let arguments = json!({
            "authorization": authorization, "scopes": scopes, "method": "post",
            // What a Worker is called by another one says nothing.
            "url": "https://any.example/v1/bills?y=1", "body_hash": body_hash,
        });
        call_rpc(&fixture, "validate_mac", Some(client), &arguments)
    };
    let header = sign("n", None);
    let foreign = ask("other", &header, "", None);
    assert_eq!(
        (&foreign["error"], &foreign["challenge"]),
        (&json!("invalid_token"), &json!(INVALID))
    );
    let little = ask("api", &header, "admin:token", None);
    assert_eq!(
        (&little["error"], &little["status"]),
        (&json!("insufficient_scope"), &json!(403))
    );
    assert!(
        little["challenge"]
            .as_str()
            .unwrap()
            .ends_with(", scope=\"admin:token\"")
    );
    let good = ask("api", &header, "read", None);
    assert_eq!(
        (&good["active"], &good["client_id"], &good["aud"]),
        (&json!(true), &json!("web"), &json!(RESOURCE))
    );
    assert_eq!(good.get("mac_key"), None);
    let again = ask("api", &header, "read", None);
    assert_eq!(
        again["challenge"],
        "MAC error=\"the nonce was used before\""
    );

    let body = b"{}".as_slice();
    let header = sign("b", Some(body));
    for hash in [
        None,
        Some("x"),
        Some(""),
        Some(&*body_hash("hmac-sha-1", body)),
    ] {
        let refused = ask("api", &header, "", hash);
        assert_eq!(
            (&refused["error"], &refused["status"]),
            (&json!("invalid_token"), &json!(401))
        );
    }
    let hash = body_hash("hmac-sha-256", body);
    assert_eq!(ask("api", &header, "", Some(&hash))["active"], true);
    let bare = call_rpc(&fixture, "validate_mac", None, &json!({}));
    assert_eq!(bare["error"], "invalid_client");
    let nothing = call_rpc(&fixture, "validate_mac", Some("api"), &json!({}));
    assert_eq!(
        (&nothing["error"], &nothing["status"]),
        (&json!("invalid_request"), &json!(400))
    );
}

#[test]
fn s3_6_the_key_is_told_to_the_resource_and_to_nobody_else() {
    let fixture = fixture();
    let credentials = for_resource(&fixture);
    let told = fixture.introspect_as("api", &credentials.id).json();
    assert_eq!(
        (&told["active"], &told["token_type"], &told["mac_algorithm"]),
        (&json!(true), &json!("mac"), &json!("hmac-sha-256"))
    );
    assert_eq!(told["mac_key"], json!(credentials.key));
    assert_eq!(told["iat"], json!(credentials.issued));
    // Its own client was told when it was issued.
    let own = fixture.introspect_as("web", &credentials.id).json();
    assert_eq!(
        (&own["token_type"], own.get("mac_key")),
        (&json!("mac"), None)
    );
    assert_eq!(
        fixture.introspect_as("other", &credentials.id).body,
        r#"{"active":false}"#
    );
    let bound = call_rpc(
        &fixture,
        "introspect",
        Some("api"),
        &json!({"token": credentials.id}),
    );
    assert_eq!(bound["mac_key"], json!(credentials.key));
    // Somebody of the same client and subject may ask by bearer, and has no use for a key.
    fixture.change_client("web", |client| client.danger_issue_mac_tokens = false);
    let bearer = Tokens::of(&fixture.client_credentials("web")).access;
    let asks = Request {
        authorization: Some(format!("Bearer {bearer}")),
        ..support::post(&Form::new(&[("token", &credentials.id)]))
    };
    let told = fixture.send(Endpoint::Introspect, &asks).json();
    assert_eq!(
        (&told["token_type"], told.get("mac_key")),
        (&json!("mac"), None)
    );
    // What can be shown to others has none either.
    let mut signed = authenticated("api", &Form::new(&[("token", &credentials.id)]));
    signed.accept = Some("application/token-introspection+jwt".to_owned());
    let answer = fixture.send(Endpoint::Introspect, &signed);
    let claims = support::decoded(answer.body.split('.').nth(1).unwrap());
    let told = &claims["token_introspection"];
    assert_eq!(
        (&told["token_type"], told.get("mac_key")),
        (&json!("mac"), None)
    );
}

#[test]
fn s3_6_the_key_follows_from_token_and_root_alone() {
    let fixture = fixture();
    let keyring = &fixture.server.keyring;
    let token = |algorithm| MacToken {
        algorithm,
        token: facts(&fixture),
    };
    let (text, key) = token(SHA_256).mint(keyring, 1, [7; 24]).unwrap();
    let (_, again) = MacToken::open(keyring, text.expose()).unwrap();
    assert_eq!(key.key.expose(), again.key.expose());
    for (epoch, id) in [(2, 7), (1, 8)] {
        let (_, other) = token(SHA_256).mint(keyring, epoch, [id; 24]).unwrap();
        assert_ne!(key.key.expose(), other.key.expose());
    }
    let (old, old_key) = token(SHA_1).mint(keyring, 1, [9; 24]).unwrap();
    assert_eq!(
        MacToken::open(keyring, old.expose()).unwrap().1.algorithm,
        SHA_1
    );
    assert_ne!(old_key.key.expose(), key.key.expose());
    let (root, newer) = (
        "root secret of the tests, 32 bytes",
        "a newer root secret of 32 bytes...",
    );
    let rotated = MacToken::open(&support::keyring(&[newer, root]), text.expose()).unwrap();
    assert_eq!(rotated.1.key.expose(), key.key.expose());
    assert!(MacToken::open(&support::keyring(&[newer]), text.expose()).is_err());
    let opened: Result<edgemint::token::Unsealed<AccessToken>, _> = keyring.unseal(text.expose());
    assert!(opened.is_err());
}

#[test]
fn s3_6_it_is_switched_on_by_an_administrator_and_by_long_names() {
    let fixture = Fixture::with(|config| config.danger_open_registration = true);
    let (mac, sha_1) = (
        "danger_issue_mac_tokens",
        "danger_issue_mac_tokens_with_hmac_sha_1",
    );
    let grants = json!(["client_credentials"]);
    let metadata = |more: Value| {
        let mut metadata = json!({"grant_types": grants, "scope": "read", mac: true});
        for (name, value) in more.as_object().unwrap() {
            metadata[name] = value.clone();
        }
        fixture.register(&metadata)
    };
    for refused in [
        json!({"access_token_format": "jwt"}),
        json!({mac: false, sha_1: true}),
        json!({mac: "hmac-sha-256"}),
        json!({"grant_types": ["implicit"], "response_types": ["token"], "redirect_uris": ["https://a.example/"],
            "danger_allow_front_channel_access_tokens": true}),
    ] {
        let answer = metadata(refused.clone());
        assert_eq!(
            (answer.status, answer.error()),
            (400, "invalid_client_metadata".to_owned()),
            "{refused}"
        );
    }
    assert_eq!(
        metadata(json!({"client_id": "signs", sha_1: true})).status,
        201
    );

    let api = "/api/v1/providers/oauth2/";
    let found = fixture
        .api("GET", &format!("{api}?client_id=signs"), &json!({}))
        .json();
    let found = &found["results"][0];
    assert_eq!((&found[mac], &found[sha_1]), (&json!(true), &json!(true)));
    let path = format!("{api}{}/", found["pk"]);
    for (change, field) in [
        (json!({"access_token_format": "jwt"}), "access_token_format"),
        (json!({mac: false}), sha_1),
    ] {
        let refused = fixture.api("PATCH", &path, &change);
        assert_eq!(refused.status, 400, "{change}");
        assert!(refused.json().get(field).is_some(), "{}", refused.body);
    }
    assert_eq!(
        fixture.api("PATCH", &path, &json!({sha_1: false})).status,
        200
    );

    let stranger = Request {
        authorization: None,
        ..support::tokens::json_post(
            None,
            &json!({"redirect_uris": ["https://a.example/"], mac: true}).to_string(),
        )
    };
    let made = fixture.send(Endpoint::Register, &stranger);
    assert_eq!(made.status, 201, "{}", made.body);
    let id = made.json()["client_id"].as_str().unwrap().to_owned();
    let found = fixture
        .api("GET", &format!("{api}?client_id={id}"), &json!({}))
        .json();
    assert_eq!(found["results"][0][mac], false);
}

#[test]
fn s3_6_no_key_passes_through_a_browsers_address() {
    let fixture = fixture();
    fixture.change_client("web", |client| {
        client
            .grant_types
            .push(edgemint::model::GrantType::Implicit);
        client
            .response_types
            .push(edgemint::model::ResponseType::parse("token").unwrap());
        client.danger_allow_front_channel_access_tokens = true;
    });
    let browser = fixture.signed_in_browser();
    let form = support::authorization("web").with("response_type", "token");
    let page = browser.authorize(&form);
    let answer = &page.response;
    let location = answer.header("location").unwrap();
    assert!(location.contains("error=unauthorized_client"), "{location}");
    assert!(!location.contains("mac_key"), "{location}");
}

#[test]
fn s3_6_a_token_for_the_management_api_is_asked_for_as_a_bearer_token() {
    let fixture = fixture();
    let token = api_token(&fixture, "admin:token");
    let credentials = Credentials {
        id: token,
        key: "x".to_owned(),
        algorithm: "hmac-sha-256".to_owned(),
        issued: fixture.now(),
    };
    let header = credentials.sign(&Signing::at(Draft::Zero(0), "n"));
    let request = Request {
        path: "/api/v1/users/".to_owned(),
        authorization: Some(header),
        ..support::gate::asked("")
    };
    assert_eq!(fixture.send(Endpoint::Records, &request).status, 401);
}

#[test]
fn s3_6_a_refreshed_token_has_a_key_of_its_own_and_the_refresh_token_stays_what_it_was() {
    let fixture = fixture();
    let first = fixture.exchange(&fixture.code());
    let refresh = first.json()["refresh_token"].as_str().unwrap().to_owned();
    assert!(refresh.starts_with("emr_"));
    let second = fixture.token_as("web", &refresh_form(&refresh));
    let (first, second) = (
        Credentials::of(&fixture, &first),
        Credentials::of(&fixture, &second),
    );
    let swapped = Credentials {
        key: first.key.clone(),
        ..second.clone()
    };
    let header = swapped.sign(&Signing::at(Draft::Zero(0), "n"));
    assert_refused(&fixture.gate(&signed("", &header)), &Reason::MacMismatch);
    for credentials in [first, second] {
        let header = credentials.sign(&Signing::at(Draft::Zero(0), "n"));
        assert_eq!(fixture.gate(&signed("", &header)).status, 200);
    }
}
