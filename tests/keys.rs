//! The management API's keys: created, imported, rotated and retired, and every refusal. Imports of each
//! kind made by another library are in `tests/worker/keys.test.js`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use edgemint::http::{Request, Response};
use edgemint::jose::{PublicKey, base64url};
use edgemint::ports::directory::{JWKS_CACHE, LONGEST_SIGNED};
use edgemint::server::Endpoint;
use serde_json::{Value, json};
use support::tokens::{kid, kids};
use support::{Fixture, ISSUER, Outage, Seen as _};

const KEYS: &str = "/api/v1/keys/";

/// RFC 8037 Appendix A.1.
fn ed25519() -> Value {
    json!({
        "kty": "OKP", "crv": "Ed25519",
        "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    })
}

/// RFC 7517 Appendix A.2.
fn p256() -> Value {
    json!({
        "kty": "EC", "crv": "P-256",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        "d": "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE",
    })
}

/// The stranger's RSA key of `tests/vectors/keys.json`, as JWK: the numbers in the octet string of a
/// PKCS#8 (RFC 5958 §2, RFC 8017 §A.1.2).
fn rsa() -> Value {
    let file: Value = serde_json::from_str(include_str!("vectors/keys.json")).unwrap();
    let mut keys = file["keys"].as_array().unwrap().iter();
    let key = keys.find(|key| key["owner"] == "stranger" && key["alg"] == "RS256");
    let pkcs8 = base64url::decode(key.unwrap()["pkcs8"].as_str().unwrap()).unwrap();
    let outer = elements(&elements(&pkcs8)[0]);
    let numbers = elements(&elements(&outer[2])[0]);
    let mut jwk = json!({"kty": "RSA"});
    let names = ["n", "e", "d", "p", "q", "dp", "dq", "qi"];
    for (name, number) in names.iter().zip(&numbers[1..]) {
        let leading = number.iter().take_while(|octet| **octet == 0).count();
        jwk[*name] = json!(base64url::encode(&number[leading..]));
    }
    jwk
}

/// The contents of the DER elements that stand one after the other.
fn elements(der: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = der;
    let mut found = Vec::new();
    while let [_, length, after @ ..] = rest {
        let octets = usize::from(length.saturating_sub(0x80));
        let (long, after) = after.split_at(octets);
        let short = usize::from(*length);
        let long = long
            .iter()
            .fold(0, |all, octet| all << 8 | usize::from(*octet));
        let (content, next) = after.split_at(if octets == 0 { short } else { long });
        found.push(content.to_vec());
        rest = next;
    }
    found
}

fn all(fixture: &Fixture) -> Vec<Value> {
    let page = fixture.api("GET", KEYS, &json!({})).json();
    page["results"].as_array().unwrap().clone()
}

fn add(fixture: &Fixture, body: &Value) -> Value {
    let answer = fixture.api("POST", KEYS, body);
    assert_eq!(answer.status, 201, "{}", answer.body);
    let key = answer.json();
    let location = format!("{ISSUER}{}", path(&key));
    assert_eq!(answer.header("location"), Some(location.as_str()));
    key
}

fn path(key: &Value) -> String {
    format!("{KEYS}{}/", key["kid"].as_str().unwrap())
}

#[track_caller]
fn refused(answer: &Response, status: u16, code: &str) -> Value {
    assert_eq!(answer.status, status, "{}", answer.body);
    let json = "application/problem+json";
    assert_eq!(answer.header("content-type"), Some(json));
    assert_eq!(answer.json()["code"], code);
    answer.json()
}

fn signing_kid(fixture: &Fixture) -> String {
    kid(fixture.tokens_of("web").id_token.as_deref().unwrap())
}

#[test]
fn keys_are_listed_with_their_public_facts_only() {
    let fixture = Fixture::new();
    assert_eq!(
        all(&fixture),
        Vec::<Value>::new(),
        "none is made by looking"
    );
    signing_kid(&fixture);
    for key in all(&fixture) {
        let mut names: Vec<&String> = key.as_object().unwrap().keys().collect();
        names.sort();
        assert_eq!(
            names,
            [
                "alg",
                "kid",
                "name",
                "pk",
                "public_jwk",
                "published_until",
                "signs_from",
                "state",
                "use"
            ]
        );
        assert_eq!(key["name"], key["kid"]);
        assert_eq!(
            (&key["use"], &key["state"]),
            (&json!("sig"), &json!("signing"))
        );
        assert_eq!(key["signs_from"], "2027-01-15T08:00:00Z");
        assert_eq!(key["published_until"], Value::Null);
        let public = PublicKey::parse(key["public_jwk"].to_string().as_bytes()).unwrap();
        assert_eq!(public.thumbprint(), key["kid"].as_str().unwrap());
        assert_eq!(public.algorithm().name(), key["alg"].as_str().unwrap());
        for name in [&key["kid"], &key["pk"]] {
            let path = format!("{KEYS}{}/", name.as_str().unwrap());
            assert_eq!(fixture.api("GET", &path, &json!({})).json(), key);
        }
    }
}

#[test]
fn a_list_of_keys_is_paged_filtered_and_ordered() {
    let fixture = Fixture::new();
    signing_kid(&fixture);
    add(&fixture, &json!({"alg": "EdDSA"}));
    let list = |query: &str| fixture.api("GET", &format!("{KEYS}?{query}"), &json!({}));
    let found = |query: &str| list(query).json()["results"].as_array().unwrap().clone();
    let page = list("page=2&page_size=3").json();
    assert_eq!(page["pagination"]["count"], 4);
    assert_eq!(page["pagination"]["start_index"], 4);
    assert_eq!(found("alg=EdDSA").len(), 2);
    assert_eq!(found("alg=EdDSA&state=waiting").len(), 1);
    assert_eq!(found("search=rs25").len(), 1);
    assert_eq!(found("ordering=-alg")[0]["alg"], "RS256");
    assert_eq!(found("ordering=-signs_from")[0]["state"], "waiting");
    refused(&list("page=9"), 404, "no_such_record");
    for bad in ["colour=red", "ordering=public_jwk", "page=0"] {
        refused(&list(bad), 400, "unfit_field");
    }
}

#[test]
fn the_first_of_its_algorithm_signs_at_once_and_a_successor_waits_for_caches() {
    let fixture = Fixture::new();
    let first = add(&fixture, &json!({"alg": "EdDSA"}));
    assert_eq!(first["state"], "signing");
    assert_eq!(fixture.get(Endpoint::Jwks, &Default::default()).status, 200);
    let second = add(&fixture, &json!({"alg": "EdDSA", "private_jwk": null}));
    assert_eq!(second["state"], "waiting");
    assert_eq!(second["signs_from"], "2027-01-15T08:15:00Z");
    assert!(kids(&fixture).contains(&second["kid"].as_str().unwrap().to_owned()));
    fixture.change_client("web", |client| {
        client.signing = edgemint::jose::Algorithm::EdDsa;
    });
    assert_eq!(signing_kid(&fixture), first["kid"].as_str().unwrap());
    fixture.later(JWKS_CACHE.0);
    assert_eq!(signing_kid(&fixture), second["kid"].as_str().unwrap());
    let published = fixture.api("GET", &path(&first), &json!({})).json();
    assert_eq!(published["state"], "published");
    assert_eq!(published["published_until"], "2027-01-16T08:15:00Z");
    fixture.later(LONGEST_SIGNED.0);
    refused(
        &fixture.api("GET", &path(&first), &json!({})),
        404,
        "no_such_record",
    );
}

#[test]
fn an_imported_key_signs_what_its_public_half_verifies_and_no_answer_has_its_private_part() {
    for (alg, jwk) in [("EdDSA", ed25519()), ("ES256", p256()), ("RS256", rsa())] {
        let fixture = Fixture::new();
        fixture.change_client("jwt", |client| {
            client.signing = edgemint::jose::Algorithm::parse(alg).unwrap();
        });
        let secret = jwk["d"].as_str().unwrap();
        let body = json!({"alg": alg, "private_jwk": jwk});
        let answer = fixture.api("POST", KEYS, &body);
        assert!(!answer.body.contains(secret));
        let key = answer.json();
        for name in ["x", "y", "n", "e"] {
            assert_eq!(key["public_jwk"].get(name), jwk.get(name));
        }
        let tokens = fixture.tokens_of("jwt");
        assert_eq!(kid(&tokens.access), key["kid"].as_str().unwrap());
        assert!(fixture.is_active_for("jwt", &tokens.access));

        let again = fixture.api("POST", KEYS, &body);
        let detail = refused(&again, 409, "value_taken")["detail"].clone();
        assert_eq!(detail, "another record has this kid");
        let one = fixture.api("GET", &path(&key), &json!({}));
        let list = fixture.api("GET", KEYS, &json!({}));
        for text in [
            again.body,
            one.body,
            list.body,
            fixture.memory().everything_stored(),
        ] {
            assert!(!text.contains(secret));
        }
    }
}

#[test]
fn a_member_that_says_what_is_true_does_no_harm() {
    let fixture = Fixture::new();
    let mut jwk = ed25519();
    jwk["kid"] = json!("their own name");
    jwk["use"] = json!("sig");
    jwk["key_ops"] = json!(["sign"]);
    jwk["ext"] = json!(true);
    jwk["alg"] = json!("Ed25519"); // RFC 9864
    let key = add(&fixture, &json!({"alg": "EdDSA", "private_jwk": jwk}));
    assert_eq!(key["kid"], "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    assert_eq!(key["public_jwk"].get("key_ops"), None);
}

#[test]
fn a_key_that_is_none_for_its_algorithm_is_refused_and_the_field_named() {
    let fixture = Fixture::new();
    let with = |mut jwk: Value, name: &str, value: Value| {
        match value {
            Value::Null => jwk.as_object_mut().unwrap().remove(name),
            value => jwk.as_object_mut().unwrap().insert(name.to_owned(), value),
        };
        jwk
    };
    let other = base64url::encode([7; 32]);
    for (alg, jwk) in [
        ("ES256", ed25519()),
        ("RS256", ed25519()),
        ("EdDSA", p256()),
        ("EdDSA", json!("text")),
        ("EdDSA", json!({})),
        ("EdDSA", json!({"kty": "oct", "k": other})),
        ("EdDSA", with(ed25519(), "crv", json!("X25519"))),
        ("EdDSA", with(ed25519(), "crv", json!(1))),
        ("EdDSA", with(ed25519(), "crv", Value::Null)),
        ("EdDSA", with(ed25519(), "d", Value::Null)),
        ("EdDSA", with(ed25519(), "d", json!(7))),
        ("EdDSA", with(ed25519(), "d", json!("AAAA"))),
        ("EdDSA", with(ed25519(), "d", json!(other))),
        ("EdDSA", with(ed25519(), "x", Value::Null)),
        (
            "EdDSA",
            with(ed25519(), "x", json!(base64url::encode([0; 32]))),
        ),
        ("EdDSA", with(ed25519(), "x", p256()["x"].clone())),
        ("EdDSA", with(ed25519(), "y", json!(other))),
        ("EdDSA", with(ed25519(), "k", json!(other))),
        ("EdDSA", with(ed25519(), "x5c", json!([]))),
        ("EdDSA", with(ed25519(), "alg", json!("ES256"))),
        ("EdDSA", with(ed25519(), "alg", json!(1))),
        ("EdDSA", with(ed25519(), "use", json!("enc"))),
        ("EdDSA", with(ed25519(), "use", json!(1))),
        ("EdDSA", with(ed25519(), "key_ops", json!(["verify"]))),
        ("EdDSA", with(ed25519(), "key_ops", json!("sign"))),
        ("ES256", with(p256(), "alg", json!("P-256"))),
        ("RS256", with(rsa(), "crv", json!("P-256"))),
        (
            "RS256",
            with(rsa(), "n", json!(base64url::encode([0xff; 255]))),
        ),
        (
            "RS256",
            with(rsa(), "n", json!(base64url::encode([0xff; 513]))),
        ),
        ("RS256", with(rsa(), "e", json!("Aw"))),
        ("RS256", with(rsa(), "oth", json!([]))),
        ("RS256", with(rsa(), "qi", json!(""))),
        ("RS256", with(rsa(), "p", rsa()["q"].clone())),
        ("ES256", with(p256(), "d", json!(other))),
        ("ES256", with(p256(), "y", p256()["x"].clone())),
    ] {
        let answer = fixture.api("POST", KEYS, &json!({"alg": alg, "private_jwk": jwk}));
        let problem = refused(&answer, 400, "unfit_field");
        assert_eq!(problem["errors"][0]["loc"], json!(["body", "private_jwk"]));
        assert!(problem["private_jwk"].is_array(), "{jwk}");
    }
    for (body, field) in [
        (json!({}), "alg"),
        (json!({"alg": "HS256"}), "alg"),
        (json!({"alg": "none"}), "alg"),
        (json!({"alg": "eddsa"}), "alg"),
        (json!({"alg": 7}), "alg"),
        (json!({"alg": "EdDSA", "kid": "mine"}), "kid"),
    ] {
        let problem = refused(&fixture.api("POST", KEYS, &body), 400, "unfit_field");
        assert_eq!(
            problem["errors"][0]["loc"],
            json!(["body", field]),
            "{body}"
        );
    }
    assert_eq!(all(&fixture), Vec::<Value>::new());
}

#[test]
fn a_key_that_waits_is_retired_at_once_and_the_one_that_signs_signs_on() {
    let fixture = Fixture::new();
    let signs = signing_kid(&fixture);
    let waits = add(&fixture, &json!({"alg": "ES256"}));
    assert_eq!(fixture.api("DELETE", &path(&waits), &json!({})).status, 204);
    assert_eq!(kids(&fixture).len(), 3);
    assert!(!kids(&fixture).contains(&waits["kid"].as_str().unwrap().to_owned()));
    fixture.later(JWKS_CACHE.0 + 2 * LONGEST_SIGNED.0);
    assert_eq!(signing_kid(&fixture), signs);
    assert!(kids(&fixture).contains(&signs), "it has no successor again");
}

#[test]
fn the_key_that_signs_is_not_retired_and_the_refusal_says_what_to_do() {
    let fixture = Fixture::new();
    signing_kid(&fixture);
    add(&fixture, &json!({"alg": "EdDSA"}));
    for key in all(&fixture) {
        if key["state"] == "signing" {
            let answer = fixture.api("DELETE", &path(&key), &json!({}));
            let problem = refused(&answer, 409, "key_signs");
            assert!(problem["detail"].as_str().unwrap().contains("rotate first"));
        }
    }
    assert_eq!(all(&fixture).len(), 4);
}

#[test]
fn what_a_published_key_signed_is_refused_once_it_is_retired() {
    let fixture = Fixture::new();
    let old = fixture.tokens_of("jwt").access;
    let key = fixture.api("GET", &format!("{KEYS}{}/", kid(&old)), &json!({}));
    add(&fixture, &json!({"alg": key.json()["alg"]}));
    fixture.later(JWKS_CACHE.0);
    let again = fixture.tokens_of("jwt").access;
    assert_ne!(kid(&again), kid(&old));
    let pk = format!("{KEYS}{}/", key.json()["pk"].as_str().unwrap());
    assert_eq!(fixture.api("DELETE", &pk, &json!({})).status, 204);
    assert!(!fixture.is_active_for("jwt", &old));
    assert!(fixture.is_active_for("jwt", &again));
    assert!(!kids(&fixture).contains(&kid(&old)));
    refused(
        &fixture.api("DELETE", &pk, &json!({})),
        404,
        "no_such_record",
    );
}

#[test]
fn only_an_administrator_sees_or_changes_keys_and_only_by_the_methods_there_are() {
    let fixture = Fixture::new();
    signing_kid(&fixture);
    let one = path(&all(&fixture)[0]);
    let person = fixture.tokens_of("web").access;
    for (method, path) in [
        ("GET", KEYS),
        ("POST", KEYS),
        ("GET", &one),
        ("DELETE", &one),
    ] {
        for authorization in [
            None,
            Some("Bearer guess".to_owned()),
            Some(format!("Bearer {person}")),
        ] {
            let request = Request {
                method: method.to_owned(),
                path: path.to_owned(),
                authorization,
                ..Request::default()
            };
            assert_eq!(fixture.send(Endpoint::Records, &request).status, 401);
        }
    }
    for (method, path, allow) in [
        ("PUT", KEYS, "GET, HEAD, POST"),
        ("DELETE", KEYS, "GET, HEAD, POST"),
        ("POST", &one, "GET, HEAD, DELETE"),
        ("PATCH", &one, "GET, HEAD, DELETE"),
    ] {
        let answer = fixture.api(method, path, &json!({}));
        refused(&answer, 405, "method_not_allowed");
        assert_eq!(answer.header("allow"), Some(allow));
    }
    let bare = one.strip_suffix('/').unwrap();
    let upper = one.to_uppercase().replace("/API/V1/KEYS/", KEYS);
    for path in [
        bare,
        &format!("{one}/"),
        &format!("{one}x/"),
        &upper,
        "/api/v1/keys//",
    ] {
        refused(&fixture.api("GET", path, &json!({})), 404, "no_such_record");
    }
}

#[test]
fn there_is_a_limit_and_its_refusal_says_what_to_do() {
    let fixture = Fixture::new();
    let keys: Vec<Value> = (0..32)
        .map(|_| add(&fixture, &json!({"alg": "EdDSA"})))
        .collect();
    for body in [
        json!({"alg": "EdDSA"}),
        json!({"alg": "ES256", "private_jwk": p256()}),
    ] {
        let problem = refused(&fixture.api("POST", KEYS, &body), 409, "too_many_keys");
        assert!(
            problem["detail"]
                .as_str()
                .unwrap()
                .contains("retire one first")
        );
    }
    assert_eq!(
        fixture.api("DELETE", &path(&keys[9]), &json!({})).status,
        204
    );
    add(&fixture, &json!({"alg": "EdDSA"}));
}

#[test]
fn an_answer_that_was_lost_is_given_again() {
    let fixture = Fixture::new();
    signing_kid(&fixture);
    let create = fixture.api("POST", KEYS, &json!({"alg": "EdDSA"}));
    assert_eq!(create.status, 201);
    let request = Request {
        method: "DELETE".to_owned(),
        path: path(&create.json()),
        authorization: Some(format!("Bearer {}", support::BOOTSTRAP)),
        ..Request::default()
    };
    let at = fixture.at_request("retire");
    for _ in 0..2 {
        let answer = fixture.send_at(Endpoint::Records, &request, &at);
        assert_eq!(answer.status, 204, "{}", answer.body);
    }
}

#[test]
fn a_change_that_the_feed_was_not_told_is_not_acknowledged() {
    let fixture = Fixture::new();
    signing_kid(&fixture);
    let waits = add(&fixture, &json!({"alg": "EdDSA"}));
    for outage in [Outage::Feed, Outage::Directory] {
        fixture.memory().fail(outage);
        for (method, path) in [("POST", KEYS.to_owned()), ("DELETE", path(&waits))] {
            let answer = fixture.api(method, &path, &json!({"alg": "ES256"}));
            refused(&answer, 503, "unavailable");
        }
        fixture.memory().restore();
    }
}

#[test]
fn the_history_has_every_change_and_no_private_part() {
    let fixture = Fixture::new();
    let jwk = ed25519();
    let imported = add(&fixture, &json!({"alg": "EdDSA", "private_jwk": jwk}));
    let waits = add(&fixture, &json!({"alg": "EdDSA"}));
    fixture.api("DELETE", &path(&waits), &json!({}));
    let stored = fixture.memory().everything_stored();
    let history = stored.split("key_audit: ").nth(1).unwrap();
    for key in [imported, waits] {
        assert!(history.contains(key["kid"].as_str().unwrap()));
    }
    assert!(history.contains("<bootstrap>"));
    assert!(
        !history
            .split("last_number")
            .next()
            .unwrap()
            .contains("in memory")
    );
}
