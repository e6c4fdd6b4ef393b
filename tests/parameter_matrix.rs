//! Seed 002's validator matrix: each parameter of a good request emptied, made invalid, repeated and
//! oversized in turn, and the whole answer compared with what the RFCs say.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod matrix_support;
mod support;

use std::cell::Cell;
use std::collections::BTreeSet;

use edgemint::jose::base64url;
use edgemint::model::GrantType;
use edgemint::oauth::grant::{
    authorization_code, client_credentials, device_code, password, refresh_token,
};
use edgemint::oauth::{authorization_request, client_authentication, token as token_endpoint};
use edgemint::server::Endpoint;
use matrix_support::authorize::AUTHORIZE;
use matrix_support::token::{
    ASSERTION, CLIENT_CREDENTIALS, DEVICE_CODE, EXCHANGE, PASSWORD_GRANT, REFRESH,
};
use matrix_support::{at_authorize, at_token, bent, continued, differences, names, whole};
use ring::hmac;
use serde_json::json;
use support::device::{began_with, decided, devices, poll_form};
use support::records::{PROVIDERS, made};
use support::tokens::signed_by_stranger;
use support::{
    Browser, Fixture, Form, ISSUER, PASSWORD, authenticated, authorization, exchange_form,
    refresh_form, secret,
};

/// The good values that no table can know.
fn values(fixture: &Fixture, browser: &Browser<'_>) -> Form {
    let hint = fixture.tokens_in(browser, "web").id_token.unwrap();
    let claims = json!({"iss": "web", "aud": ISSUER, "client_id": "web", "response_type": "code"});
    let object = signed_by_stranger("web", "oauth-authz-req+jwt", &claims);
    Form::new(&[
        ("id_token_hint", &hint),
        ("request", &object),
        ("continue", &continued(browser, &authorization("web"))),
    ])
}

#[test]
fn s2_8_every_parameter_of_an_authorization_request_is_answered_as_the_rfcs_say() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let values = values(&fixture, &browser);
    let good = || authorization("web");
    let found = differences(&AUTHORIZE, &values, good, |form| {
        at_authorize(&browser, form)
    });
    assert!(found.is_empty(), "{found}");
}

#[test]
fn s2_8_a_posted_authorization_request_is_answered_as_one_by_get() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let values = values(&fixture, &browser);
    for row in &AUTHORIZE {
        let good = authorization("web");
        for (index, form) in bent(&good, &values, row).iter().enumerate() {
            // What is posted comes again by it, so a post has none of its own.
            let by_get = match (row.0, index) {
                ("continue", 2 | 4) => &good,
                _ => form,
            };
            let by_get = browser.authorize(by_get).response;
            let by_post = browser.authorize_by_post(form).response;
            assert_eq!(whole(&by_get), whole(&by_post), "{} {index}", row.0);
        }
    }
}

#[test]
fn s2_8_every_parameter_of_a_code_exchange_is_answered_as_the_rfcs_say() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let good = || exchange_form("web", &browser.code(&authorization("web")));
    let found = differences(&EXCHANGE, &Form::default(), good, |form| {
        at_token(&fixture.token_as("web", form), true)
    });
    assert!(found.is_empty(), "{found}");
}

#[test]
fn s2_8_every_parameter_of_a_refresh_is_answered_as_the_rfcs_say() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let good = || refresh_form(fixture.tokens_in(&browser, "web").refresh());
    let found = differences(&REFRESH, &Form::default(), good, |form| {
        at_token(&fixture.token_as("web", form), true)
    });
    assert!(found.is_empty(), "{found}");
}

#[test]
fn s2_8_every_parameter_of_a_device_code_is_answered_as_the_rfcs_say() {
    let fixture = devices();
    let browser = fixture.signed_in_browser();
    let good = || {
        let device = began_with(&fixture, "web", "openid profile offline_access read");
        decided(&browser, &device, "allow");
        poll_form(&device.device_code)
    };
    let found = differences(&DEVICE_CODE, &Form::default(), good, |form| {
        at_token(&fixture.token_as("web", form), true)
    });
    assert!(found.is_empty(), "{found}");
}

#[test]
fn s2_8_every_parameter_of_client_credentials_is_answered_as_the_rfcs_say() {
    let fixture = Fixture::new();
    let good = || {
        Form::new(&[
            ("grant_type", "client_credentials"),
            ("client_id", "post"),
            ("client_secret", &secret("post")),
        ])
    };
    let answer = |form: &Form| at_token(&fixture.post(Endpoint::Token, form), false);
    let found = differences(&CLIENT_CREDENTIALS, &Form::default(), good, answer);
    assert!(found.is_empty(), "{found}");
    let wrong = fixture.send(Endpoint::Token, &authenticated("web", &good()));
    assert_eq!(
        at_token(&wrong, true),
        "invalid_request: credentials were sent in more than one way"
    );
}

#[test]
fn s2_8_every_parameter_of_a_client_assertion_is_answered_as_the_rfcs_say() {
    let fixture = Fixture::new();
    let provider = json!({
        "name": "Signs", "client_id": "signs", "scope": "read",
        "grant_types": ["client_credentials"], "response_types": [], "redirect_uris": "",
        "token_endpoint_auth_method": "client_secret_jwt",
        "danger_keep_client_secret_readable": true,
    });
    let provider = made(&fixture, PROVIDERS, provider);
    let secret = provider["client_secret"].as_str().unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let shown = Cell::new(0);
    let good = || {
        shown.set(shown.get() + 1);
        let claims = json!({
            "iss": "signs", "sub": "signs", "aud": ISSUER, "exp": fixture.now() + 60,
            "jti": shown.get().to_string(),
        });
        let header = json!({"alg": "HS256"});
        let input = [header, claims].map(|part| base64url::encode(part.to_string()));
        let input = input.join(".");
        let mac = base64url::encode(hmac::sign(&key, input.as_bytes()).as_ref());
        Form::new(&[
            ("grant_type", "client_credentials"),
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
            ("client_assertion", &format!("{input}.{mac}")),
        ])
    };
    let values = Form::new(&[("client_secret", secret)]);
    let found = differences(&ASSERTION, &values, good, |form| {
        at_token(&fixture.post(Endpoint::Token, form), false)
    });
    assert!(found.is_empty(), "{found}");
}

#[test]
fn s2_8_every_parameter_of_the_password_grant_is_answered_as_the_rfcs_say() {
    let fixture = Fixture::new();
    fixture.change_client("web", |client| {
        client.grant_types.push(GrantType::Password);
        client.danger_allow_password_grant = true;
    });
    let good = || {
        Form::new(&[
            ("grant_type", "password"),
            ("username", "ada"),
            ("password", PASSWORD),
        ])
    };
    let found = differences(&PASSWORD_GRANT, &Form::default(), good, |form| {
        at_token(&fixture.token_as("web", form), true)
    });
    assert!(found.is_empty(), "{found}");
}

#[test]
fn s2_8_every_parameter_that_either_endpoint_reads_is_a_row() {
    let read = BTreeSet::from(authorization_request::PARAMETERS);
    assert_eq!(names(&[&AUTHORIZE]), read);
    let credentials = names(&[&CLIENT_CREDENTIALS, &ASSERTION]);
    for name in client_authentication::PARAMETERS {
        assert!(credentials.contains(name), "{name}");
    }
    let grants: [(&[_], &[_]); 5] = [
        (&EXCHANGE, &authorization_code::PARAMETERS),
        (&REFRESH, &refresh_token::PARAMETERS),
        (&DEVICE_CODE, &device_code::PARAMETERS),
        (&CLIENT_CREDENTIALS, &client_credentials::PARAMETERS),
        (&PASSWORD_GRANT, &password::PARAMETERS),
    ];
    let mut all = credentials;
    for (table, read) in grants {
        let rows = names(&[table]);
        for name in read.iter().chain(&["grant_type"]) {
            assert!(rows.contains(name), "{name}");
        }
        all.extend(rows);
    }
    assert_eq!(all, BTreeSet::from(token_endpoint::PARAMETERS));
}
