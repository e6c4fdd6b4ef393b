//! The token endpoint and client authentication (TE).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use edgemint::http::{Request, Response};
use edgemint::model::GrantType;
use edgemint::server::Endpoint;
use serde_json::json;
use support::device::{began, decided, poll_form};
use support::{
    FORM, Fixture, Form, PASSWORD, Seen, Tokens, authenticated, authorization, basic,
    exchange_form, post, refresh_form, secret,
};

/// A token request that would succeed if its client were who it says.
fn client_credentials() -> Form {
    Form::new(&[("grant_type", "client_credentials")])
}

#[track_caller]
fn assert_invalid_client(response: &Response) {
    let seen = (response.status, response.error());
    assert_eq!(seen, (401, "invalid_client".to_owned()));
    assert!(response.json().get("access_token").is_none());
}

#[test]
fn te_1_a_body_of_another_content_type_is_400_and_never_500() {
    let fixture = Fixture::new();
    let good = authenticated("web", &client_credentials());
    assert_eq!(fixture.send(Endpoint::Token, &good).status, 200);
    for content_type in [
        None,
        Some(""),
        Some("application/json"),
        Some("text/plain"),
        Some("multipart/form-data; boundary=x"),
        Some("application/json, application/x-www-form-urlencoded"),
        Some("application/x-www-form-urlencodedx"),
        Some("\u{0}"),
    ] {
        for endpoint in [Endpoint::Token, Endpoint::Introspect, Endpoint::Revoke] {
            let request = Request {
                content_type: content_type.map(str::to_owned),
                ..good.clone()
            };
            let response = fixture.send(endpoint, &request);
            let seen = (response.status, response.error());
            assert_eq!(
                seen,
                (400, "invalid_request".to_owned()),
                "{content_type:?}"
            );
        }
    }
    let request = Request {
        content_type: Some(format!("{FORM};charset=UTF-8")),
        ..good.clone()
    };
    assert_eq!(fixture.send(Endpoint::Token, &request).status, 200);
    let request = Request {
        oversized: true,
        ..good
    };
    assert_eq!(fixture.send(Endpoint::Token, &request).status, 413);
}

#[test]
fn te_2_a_repeated_parameter_is_refused() {
    let fixture = Fixture::new();
    let code = fixture.code_for("post");
    let good = exchange_form("post", &code)
        .with("client_id", "post")
        .with("client_secret", &secret("post"));
    for name in good.names() {
        let again = good.value(&name).unwrap().to_owned();
        let response = fixture.post(Endpoint::Token, &good.clone().and(&name, &again));
        assert_eq!(response.status, 400, "{name}");
        assert_eq!(response.label(), "repeated_parameter", "{name}");
    }
    assert_eq!(fixture.post(Endpoint::Token, &good).status, 200);
}

#[test]
fn te_2_a_second_way_of_authentication_is_refused() {
    let fixture = Fixture::new();
    for (id, form) in [
        (
            "web",
            client_credentials().with("client_secret", &secret("web")),
        ),
        (
            "post",
            client_credentials().with("client_secret", &secret("post")),
        ),
        (
            "web",
            client_credentials().with("client_assertion", "a.b.c"),
        ),
    ] {
        let request = Request {
            authorization: Some(basic(id, &secret(id))),
            ..post(&form)
        };
        let response = fixture.send(Endpoint::Token, &request);
        assert!(matches!(response.status, 400 | 401), "{form:?}");
        assert!(response.json().get("access_token").is_none());
    }
}

#[test]
fn te_2_a_client_id_in_the_body_has_to_be_the_authenticated_one() {
    let fixture = Fixture::new();
    for (named, status) in [("web", 200), ("other", 400), ("WEB", 400), ("spa", 400)] {
        let form = client_credentials().with("client_id", named);
        let response = fixture.send(Endpoint::Token, &authenticated("web", &form));
        assert_eq!(response.status, status, "{named}");
    }
}

#[test]
fn te_3_credentials_in_the_query_are_not_looked_at() {
    let fixture = Fixture::new();
    let credentials = client_credentials()
        .with("client_id", "post")
        .with("client_secret", &secret("post"));
    let request = Request {
        query: credentials.encode(),
        ..post(&client_credentials())
    };
    assert_invalid_client(&fixture.send(Endpoint::Token, &request));
    let request = Request {
        query: credentials.encode(),
        ..post(&Form::default())
    };
    assert_invalid_client(&fixture.send(Endpoint::Token, &request));
    assert_eq!(fixture.post(Endpoint::Token, &credentials).status, 200);
}

#[test]
fn te_4_failed_basic_is_challenged_and_every_failure_is_invalid_client() {
    let fixture = Fixture::new();
    for authorization in [
        basic("web", "wrong"),
        basic("nobody", "wrong"),
        basic("web", ""),
        "Basic !!!".to_owned(),
        "Basic".to_owned(),
        "Bearer abc".to_owned(),
        "Digest username=\"web\"".to_owned(),
        String::new(),
    ] {
        let request = Request {
            authorization: Some(authorization.clone()),
            ..post(&client_credentials())
        };
        for endpoint in [Endpoint::Token, Endpoint::Revoke] {
            let response = fixture.send(endpoint, &request);
            assert_invalid_client(&response);
            let challenge = response.header("www-authenticate").unwrap();
            assert!(challenge.starts_with("Basic realm=\""), "{authorization}");
        }
    }
    let form = client_credentials().with("client_id", "post");
    for form in [
        form.clone(),
        form.clone().with("client_secret", "wrong"),
        form.with("client_secret", &"x".repeat(1024)),
    ] {
        assert_invalid_client(&fixture.post(Endpoint::Token, &form));
    }
}

#[test]
fn te_5_a_secret_that_needs_encoding_works_when_it_is_encoded() {
    let fixture = Fixture::new();
    let secret = secret("web");
    assert!(secret.contains([':', '%', '+', ' ', 'é']));
    let request = authenticated("web", &client_credentials());
    assert_eq!(fixture.send(Endpoint::Token, &request).status, 200);
}

#[test]
fn te_6_a_client_may_authenticate_in_its_own_way_only() {
    let fixture = Fixture::new();
    let by_body = |id: &str| {
        post(
            &client_credentials()
                .with("client_id", id)
                .with("client_secret", &secret(id)),
        )
    };
    let by_basic = |id: &str| Request {
        authorization: Some(basic(id, &secret(id))),
        ..post(&client_credentials())
    };
    assert_eq!(fixture.send(Endpoint::Token, &by_basic("web")).status, 200);
    assert_eq!(fixture.send(Endpoint::Token, &by_body("post")).status, 200);
    assert_invalid_client(&fixture.send(Endpoint::Token, &by_body("web")));
    assert_invalid_client(&fixture.send(Endpoint::Token, &by_basic("post")));
    assert_invalid_client(&fixture.send(Endpoint::Token, &by_basic("spa")));
    assert_invalid_client(&fixture.send(Endpoint::Token, &by_body("spa")));
    // A header beside the right credentials does not make them right, and is not passed over.
    for fake in ["Bearer x", "Basic", "Basic Og==", "x", &basic("web", "x")] {
        let request = Request {
            authorization: Some(fake.to_owned()),
            ..by_body("post")
        };
        let response = fixture.send(Endpoint::Token, &request);
        assert!(matches!(response.status, 400 | 401), "{fake}");
    }
}

#[test]
fn te_7_a_confidential_client_without_credentials_is_refused_on_every_grant() {
    let fixture = Fixture::new();
    fixture.change_client("web", |client| {
        let more = [GrantType::DeviceCode, GrantType::Password];
        client.grant_types.extend(more);
        client.danger_allow_password_grant = true;
    });
    let tokens = fixture.tokens();
    let code = fixture.code();
    let device = began(&fixture, "web");
    decided(&fixture.signed_in_browser(), &device, "allow");
    let password = [
        ("grant_type", "password"),
        ("username", "ada"),
        ("password", PASSWORD),
    ];
    let forms = [
        exchange_form("web", &code),
        refresh_form(tokens.refresh()),
        client_credentials(),
        poll_form(&device.device_code),
        Form::new(&password),
    ];
    // Every grant that the token endpoint knows.
    assert_eq!(forms.len(), GrantType::ALL.len() - 1);
    for form in forms {
        for form in [
            form.clone().with("client_id", "web"),
            form.clone()
                .with("client_id", "web")
                .with("client_secret", ""),
            form.clone(),
        ] {
            assert_invalid_client(&fixture.post(Endpoint::Token, &form));
        }
        let request = Request {
            authorization: Some(basic("web", "")),
            ..post(&form)
        };
        assert_invalid_client(&fixture.send(Endpoint::Token, &request));
        assert_eq!(fixture.token_as("web", &form).status, 200);
    }
}

#[test]
fn te_8_guesses_at_a_client_are_throttled_per_client_and_address() {
    let fixture = Fixture::new();
    let guess = |id: &str, address: &str| {
        let request = Request {
            authorization: Some(basic(id, "wrong")),
            address: Some(address.to_owned()),
            ..post(&client_credentials())
        };
        fixture.send(Endpoint::Token, &request)
    };
    for id in ["web", "nobody"] {
        for _ in 0..19 {
            assert_invalid_client(&guess(id, "192.0.2.7"));
        }
        let refused = guess(id, "192.0.2.7");
        assert_eq!(refused.status, 429, "{id}");
        assert_eq!(refused.header("retry-after"), Some("600"));
    }
    // Secrets of 256 bits are not guessed: who has the right one never asks the throttle.
    let cost = fixture.cost(|| {
        let right = Request {
            address: Some("192.0.2.7".to_owned()),
            ..authenticated("web", &client_credentials())
        };
        assert_eq!(fixture.send(Endpoint::Token, &right).status, 200);
    });
    assert_eq!(cost.ledger, 0);
    // Neither another address nor another client waits for it.
    assert_invalid_client(&guess("web", "192.0.2.8"));
    assert_invalid_client(&guess("other", "192.0.2.7"));
    fixture.later(600);
    assert_invalid_client(&guess("web", "192.0.2.7"));
}

#[test]
fn te_8_guesses_at_a_password_are_throttled_before_anything_is_hashed() {
    let fixture = Fixture::new();
    for name in ["ada", "nobody"] {
        let browser = fixture.browser();
        let page = browser.authorize(&authorization("web"));
        for _ in 0..10 {
            let fields = [("username", name), ("password", "wrong")];
            let response = browser.submit_only(&page, &fields);
            assert_eq!(response.status, 403);
            assert_eq!(response.label(), "wrong_credentials");
        }
        // Now the right one is refused, too, without being looked at.
        let fields = [("username", name), ("password", PASSWORD)];
        let directory = fixture.memory().operations().directory;
        let response = browser.submit_only(&page, &fields);
        assert_eq!((response.status, response.location()), (429, None));
        assert_eq!(response.header("retry-after"), Some("900"));
        assert_eq!(fixture.memory().operations().directory, directory);
        assert_eq!(browser.cookie("edgemint-session"), None);
    }
    fixture.later(900);
    fixture.signed_in_browser();
}

#[test]
fn te_9_an_unknown_client_is_answered_as_a_wrong_secret_is() {
    let fixture = Fixture::new();
    fixture.change_client("other", |client| client.enabled = false);
    let ask = |id: &str, secret: &str| {
        let request = Request {
            authorization: Some(basic(id, secret)),
            ..post(&client_credentials())
        };
        let mut answer = None;
        let cost = fixture.cost(|| answer = Some(fixture.send(Endpoint::Token, &request)));
        let answer = answer.unwrap();
        (answer.status, answer.headers, answer.body, cost.ledger)
    };
    let wrong = ask("web", "wrong");
    assert_eq!(wrong.0, 401);
    assert_eq!(ask("nobody", "wrong"), wrong);
    assert_eq!(ask("other", "wrong"), wrong);
    assert_eq!(ask("other", &secret("other")), wrong);
    assert_eq!(ask("spa", "wrong"), wrong);
    let by_body = |id: &str| {
        let form = client_credentials()
            .with("client_id", id)
            .with("client_secret", "wrong");
        let answer = fixture.post(Endpoint::Token, &form);
        (answer.status, answer.headers, answer.body)
    };
    assert_eq!(by_body("nobody"), by_body("post"));
}

#[test]
fn te_10_an_unknown_grant_is_unsupported_and_one_that_is_not_the_clients_is_unauthorized() {
    let fixture = Fixture::new();
    for unknown in [
        "password",
        "implicit",
        "AUTHORIZATION_CODE",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "urn:ietf:params:oauth:grant-type:token-exchange",
        "x",
    ] {
        let form = Form::new(&[
            ("grant_type", unknown),
            ("username", "ada"),
            ("password", PASSWORD),
        ]);
        for id in ["web", "spa"] {
            let response = fixture.token_as(id, &form);
            let seen = (response.status, response.error());
            assert_eq!(
                seen,
                (400, "unsupported_grant_type".to_owned()),
                "{unknown}"
            );
        }
    }
    let code = fixture.code();
    fixture.change_client("native", |client| {
        client.grant_types.push(GrantType::DeviceCode);
    });
    let device = began(&fixture, "native");
    for (id, form) in [
        ("api", exchange_form("web", &code)),
        ("api", refresh_form("emr_x")),
        ("spa", client_credentials()),
        ("web", poll_form("emd_x")),
        ("web", poll_form(&device.device_code)),
    ] {
        let response = fixture.token_as(id, &form);
        let seen = (response.status, response.error());
        assert_eq!(seen, (400, "unauthorized_client".to_owned()));
    }
    let response = fixture.token_as("web", &Form::new(&[("grant_type", "")]));
    assert_eq!(response.error(), "invalid_request");
    let metadata = fixture.get(Endpoint::AuthorizationServer, &Form::default());
    let grants = [
        "authorization_code",
        "refresh_token",
        "client_credentials",
        "urn:ietf:params:oauth:grant-type:device_code",
        "implicit",
    ];
    assert_eq!(metadata.json()["grant_types_supported"], json!(grants));
}

#[test]
fn te_11_a_public_client_gets_no_token_for_itself() {
    let fixture = Fixture::new();
    let metadata = json!({
        "token_endpoint_auth_method": "none",
        "grant_types": ["client_credentials"],
    });
    assert_eq!(
        fixture.register(&metadata).error(),
        "invalid_client_metadata"
    );
    // Not even if its registration says so.
    fixture.change_client("spa", |client| {
        client.grant_types.push(GrantType::ClientCredentials);
    });
    let response = fixture.client_credentials("spa");
    let seen = (response.status, response.error());
    assert_eq!(seen, (400, "unauthorized_client".to_owned()));
}

#[test]
fn te_11_the_subject_of_a_client_is_never_that_of_a_person() {
    let fixture = Fixture::new();
    for id in ["u_ada", "u_", "u_x"] {
        let metadata = json!({ "client_id": id, "grant_types": ["client_credentials"] });
        let response = fixture.register(&metadata);
        assert_eq!(response.error(), "invalid_client_metadata", "{id}");
    }
    let tokens = Tokens::of(&fixture.client_credentials("web"));
    let seen = fixture.introspect(&tokens.access).json();
    assert_eq!(seen["sub"], "web");
    assert_eq!(seen["username"], "bot-web");
    assert!(support::subject("ada").as_str().starts_with("u_"));
}

#[test]
fn te_11_a_token_of_a_client_has_neither_openid_nor_offline_access_nor_a_refresh_token() {
    let fixture = Fixture::new();
    let tokens = Tokens::of(&fixture.client_credentials("web"));
    assert_eq!(tokens.scope, "read write");
    assert_eq!((tokens.refresh, tokens.id_token), (None, None));
    for scope in [
        "openid",
        "offline_access",
        "read openid",
        "admin:token",
        "unknown",
    ] {
        let response = fixture.token_as("web", &client_credentials().with("scope", scope));
        let seen = (response.status, response.error());
        assert_eq!(seen, (400, "invalid_scope".to_owned()), "{scope}");
    }
}

#[test]
fn te_12_a_token_answer_is_json_that_nobody_keeps_with_type_lifetime_and_scope() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens();
    let narrower = refresh_form(tokens.refresh()).with("scope", "read");
    let answers = [
        (
            fixture.exchange(&fixture.code()),
            "offline_access openid profile read",
        ),
        (fixture.token_as("web", &narrower), "read"),
        (fixture.client_credentials("web"), "read write"),
        (fixture.client_credentials("jwt"), "read write"),
    ];
    for (answer, scope) in answers {
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("pragma"), Some("no-cache"));
        let body = answer.json();
        assert_eq!(body["token_type"], "Bearer");
        assert_eq!(body["expires_in"], 3600);
        assert_eq!(body["scope"], scope);
        assert!(body["access_token"].is_string());
    }
    // A refusal is not kept either.
    let refused = fixture.exchange("x");
    assert_eq!(refused.header("cache-control"), Some("no-store"));
    assert_eq!(refused.header("content-type"), Some("application/json"));
}

#[test]
fn te_12_a_scope_that_the_person_does_not_hold_is_left_out_and_said() {
    let fixture = Fixture::new();
    let browser = fixture.browser_of("bob");
    let form = authorization("web").with("scope", "openid read write");
    let tokens = Tokens::of(&fixture.exchange(&browser.code(&form)));
    assert_eq!(tokens.scope, "openid read");
    assert_eq!(
        fixture.introspect(&tokens.access).json()["scope"],
        "openid read"
    );
}

#[test]
fn te_13_to_15_an_assertion_of_a_client_without_keys_is_refused_and_nobody_is_invited_to_symmetric_ones()
 {
    let fixture = Fixture::new();
    let assertion = [
        (
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        ),
        (
            "client_assertion",
            "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ3ZWIifQ.",
        ),
    ];
    for id in ["web", "post", "spa", "nobody"] {
        let mut form = client_credentials().with("client_id", id);
        for (name, value) in assertion {
            form = form.with(name, value);
        }
        for endpoint in [Endpoint::Token, Endpoint::Introspect, Endpoint::Revoke] {
            assert_invalid_client(&fixture.post(endpoint, &form));
        }
    }
    for method in ["private_key_jwt", "client_secret_jwt", "tls_client_auth"] {
        let metadata = json!({
            "token_endpoint_auth_method": method,
            "redirect_uris": ["https://a.example/cb"],
        });
        assert_eq!(
            fixture.register(&metadata).error(),
            "invalid_client_metadata"
        );
    }
    let metadata = fixture.get(Endpoint::AuthorizationServer, &Form::default());
    let methods = [
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt",
        "none",
    ];
    let announced = &metadata.json()["token_endpoint_auth_methods_supported"];
    assert_eq!(*announced, json!(methods));
}

#[test]
fn a_client_that_is_switched_off_gets_nothing_from_any_endpoint() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens();
    let code = fixture.code();
    fixture.change_client("web", |client| client.enabled = false);
    assert_invalid_client(&fixture.exchange(&code));
    assert_invalid_client(&fixture.refresh(tokens.refresh()));
    assert_invalid_client(&fixture.client_credentials("web"));
    assert_invalid_client(&fixture.introspect(&tokens.access));
    assert_invalid_client(&fixture.revoke(&tokens.access));
}
