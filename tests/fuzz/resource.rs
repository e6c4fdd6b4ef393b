//! What a resource reads by itself: the header of a request, an introspection, what was revoked.

use edgemint::http::Request;
use edgemint::jose::{KeySet, RingVerifier};
use edgemint::server::Endpoint;
use edgemint::token::{ResourceKeys, Revocations};
use edgemint::validator::{Known, Needed, Reading, Validator};
use serde_json::{Value, json};

use crate::bend::{bent, choice};
use crate::support::tokens::json_post;
use crate::support::{
    BOOTSTRAP, Fixture, Form, ISSUER, RESOURCE, Seen, Tokens, authorization, block_on,
    exchange_form, get,
};

struct Resource {
    fixture: Fixture,
    validator: Validator,
    keys: KeySet,
    /// Good headers.
    good: Vec<String>,
    introspection: String,
    feed: String,
}

thread_local! {
    static KNOWN: Resource = known();
}

fn known() -> Resource {
    let fixture = Fixture::new();
    let tokens = ["web", "jwt"].map(|client| {
        let form = authorization(client).with("resource", RESOURCE);
        let code = fixture.signed_in_browser().code(&form);
        Tokens::of(&fixture.token_as(client, &exchange_form(client, &code))).access
    });
    let body = json!({ "resource": RESOURCE }).to_string();
    let exported = fixture.send(Endpoint::ResourceKeys, &json_post(Some(BOOTSTRAP), &body));
    let exported = exported.json();
    let exported = ResourceKeys::from_json(exported.as_object().expect("keys"));
    let validator = Validator::new(ISSUER, RESOURCE).with_resource_keys(exported.expect("keys"));
    let jwks = fixture.send(Endpoint::Jwks, &get(&Form::default()));
    let request = Request {
        path: "/api/v1/revocations".to_owned(),
        authorization: Some(format!("Bearer {BOOTSTRAP}")),
        ..get(&Form::default())
    };
    Resource {
        validator: validator.expect("its own keys"),
        keys: KeySet::parse(jwks.body.as_bytes()).expect("keys"),
        introspection: fixture.introspect_as("api", &tokens[0]).body,
        feed: fixture.send(Endpoint::Revocations, &request).body,
        good: tokens.map(|token| format!("Bearer {token}")).to_vec(),
        fixture,
    }
}

/// Nothing is let in but what was issued for the resource.
pub(crate) fn run(data: &[u8]) {
    let Some((mode, rest)) = choice(data) else {
        return;
    };
    KNOWN.with(|known| match mode % 6 {
        0 => header(known, &String::from_utf8_lossy(rest)),
        1 | 2 => header(known, &bent(&known.good[mode % 6 - 1], rest)),
        3 => introspected(known, &bent(&known.introspection, rest)),
        4 => introspected(known, &String::from_utf8_lossy(rest)),
        _ => revoked(known, &bent(&known.feed, rest)),
    });
}

fn header(known: &Resource, text: &str) {
    let needed = Needed::default();
    let copies = Known {
        keys: Some(&known.keys),
        revocations: None,
    };
    let now = known.fixture.at().now;
    let verdict = known
        .validator
        .validate(Some(text), &needed, copies, &RingVerifier, now);
    let same = |good: &String| {
        text.get(..7)
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer "))
            && good[7..] == text[7..]
    };
    assert_eq!(
        block_on(verdict).is_ok(),
        known.good.iter().any(same),
        "{text}"
    );
}

fn introspected(known: &Resource, answer: &str) {
    let now = known.fixture.at().now;
    let verdict = known
        .validator
        .introspected(answer.as_bytes(), &Needed::default(), now);
    if verdict.is_ok() {
        let said: Value = serde_json::from_str(answer).expect("JSON");
        assert_eq!(said["active"], true, "{answer}");
        assert_eq!(
            (&said["aud"], &said["iss"]),
            (&json!(RESOURCE), &json!(ISSUER))
        );
        assert_eq!(said["token_type"], "Bearer", "{answer}");
        assert!(
            said["exp"].as_u64().expect("a time") > now.unix().0,
            "{answer}"
        );
    }
}

fn revoked(known: &Resource, answer: &str) {
    let mut copy = Revocations::default();
    let mut reading = Reading::begin(&copy, known.fixture.at().now);
    let Ok(more) = reading.take(answer.as_bytes()) else {
        return;
    };
    let said: Value = serde_json::from_str(answer).expect("JSON");
    assert_eq!(said["more"], more, "{answer}");
    assert_eq!(
        reading.since(),
        said["head"]
            .as_u64()
            .map(|head| format!("{}:{head}", said["feed"].as_str().expect("a name")))
            .as_deref()
    );
    assert!(!(more && reading.finish(&mut copy).is_ok()), "{answer}");
}
