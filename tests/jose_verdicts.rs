//! One verdict everywhere: `vectors/verdicts.json` here with ring, and in `tests/browser` with
//! WebCrypto in Node, browsers and Workers.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod jose_support;

use edgemint::jose::{Algorithm, base64url};
use jose_support::verdict::verdict;
use jose_support::{AUDIENCE, ISSUER, NOW, Owner};
use serde_json::{Value, json};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/verdicts.json");
const CLIENT: &str = "spa";
const NONCE: &str = "n-0S6_WzA2Mj";
const ACCESS_TOKEN: &str = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";

#[test]
fn every_verdict_of_the_file_is_reached_natively() {
    let file: Value = serde_json::from_slice(&std::fs::read(FILE).unwrap()).unwrap();
    for case in file["cases"].as_array().unwrap() {
        let verdict = verdict(case, &file["key_sets"]);
        assert_eq!(case["verdict"], verdict, "{}", case["name"]);
    }
}

#[test]
#[ignore = "writes tests/vectors/verdicts.json anew, for when cases are added below"]
fn write_the_verdicts() {
    let mut file = Cases {
        issuer: Owner::new("issuer"),
        cases: Vec::new(),
    };
    file.signatures();
    file.forms();
    file.claims();
    file.keys();
    file.id_tokens();
    let document = json!({
        "about": "Made by tests/jose_verdicts.rs. Each case: call(token, key_sets[keys], expected) \
                  answers `accepted` or is refused with the code in `verdict`.",
        "key_sets": key_sets(&file.issuer),
        "cases": file.cases,
    });
    let text = serde_json::to_string_pretty(&document).unwrap();
    std::fs::write(FILE, text + "\n").unwrap();
}

struct Cases {
    issuer: Owner,
    cases: Vec<Value>,
}

impl Cases {
    fn signatures(&mut self) {
        let stranger = Owner::new("stranger");
        for algorithm in Algorithm::ALL {
            let name = algorithm.name();
            let token = self.issuer.token(algorithm, &access_claims(&json!({})));
            self.access(&format!("good {name}"), &token, "accepted");

            let (input, signature) = token.rsplit_once('.').unwrap();
            let with = |octets: &[u8]| format!("{input}.{}", base64url::encode(octets));
            let good = base64url::decode(signature).unwrap();
            let mut flipped = good.clone();
            flipped[5] ^= 1;
            let cases = [
                ("flipped bit", with(&flipped)),
                ("signature cut short", with(&good[..good.len() - 1])),
                ("signature with a tail", with(&[&good[..], &[0]].concat())),
                ("signature of zeros", with(&vec![0; good.len()])),
                ("signature of ones", with(&vec![0xff; good.len()])),
                ("no signature", with(&[])),
                ("changed payload", {
                    let other = access_claims(&json!({ "sub": "mallory" }));
                    let header = input.split('.').next().unwrap();
                    format!("{header}.{}.{signature}", base64url::encode(other))
                }),
                ("stranger's signature", {
                    let header = self.issuer.header(algorithm, "at+jwt");
                    stranger.craft(algorithm, &header, &access_claims(&json!({})))
                }),
            ];
            for (what, token) in cases {
                self.access(&format!("{name}, {what}"), &token, "signature_invalid");
            }
        }
        let (algorithm, claims) = (Algorithm::Es256, access_claims(&json!({})));
        let header = r#"{"alg":"ES256","kid":"issuer-EdDSA","typ":"at+jwt"}"#;
        let token = self.issuer.craft(algorithm, header, &claims);
        self.access("key of another algorithm", &token, "algorithm_mismatch");
        let header = r#"{"alg":"ES256","kid":"nobody","typ":"at+jwt"}"#;
        let token = self.issuer.craft(algorithm, header, &claims);
        self.access("unknown kid", &token, "key_unknown");
        let header = r#"{"alg":"ES256","typ":"at+jwt"}"#;
        let token = self.issuer.craft(algorithm, header, &claims);
        self.access("no kid, one key", &token, "accepted");
        self.access_with("two", "no kid, two keys", &token, "key_ambiguous");
    }

    fn forms(&mut self) {
        let good = self
            .issuer
            .token(Algorithm::EdDsa, &access_claims(&json!({})));
        let (input, signature) = good.rsplit_once('.').unwrap();
        self.access("padding", &format!("{good}=="), "base64url_invalid");
        self.access(
            "trailing newline",
            &format!("{good}\n"),
            "base64url_invalid",
        );
        self.access("two segments", input, "token_malformed");
        let five = format!("AA.AA.{input}.{signature}");
        self.access("five segments", &five, "token_malformed");
        self.access("empty", "", "token_malformed");
        let headers = [
            (r#""alg":"none""#, "algorithm_unsupported"),
            (r#""alg":"eddsa""#, "algorithm_unsupported"),
            (r#""alg":"HS256""#, "algorithm_unsupported"),
            (r#""alg":["EdDSA"]"#, "header_invalid"),
            (r#""typ":"at+jwt""#, "json_duplicate_member"),
            (r#""alg":"EdDSA","kid":7"#, "header_invalid"),
            (r#""alg":"EdDSA","crit":["x"],"x":1"#, "header_unsupported"),
            (r#""alg":"EdDSA","crit":[]"#, "header_unsupported"),
            (r#""alg":"EdDSA","b64":false"#, "header_unsupported"),
            (r#""alg":"EdDSA","zip":"DEF""#, "header_unsupported"),
            (r#""alg":"EdDSA","alg":"EdDSA""#, "json_duplicate_member"),
            (r#""alg":"EdDSA","jku":"https://evil.example""#, "accepted"),
        ];
        for (header, verdict) in headers {
            let text = format!(r#"{{{header},"typ":"at+jwt"}}"#);
            let claims = access_claims(&json!({}));
            let token = self.issuer.craft(Algorithm::EdDsa, &text, &claims);
            self.access(&format!("header {header}"), &token, verdict);
        }
        let payloads = [
            ("a list", "[]".to_owned(), "json_invalid"),
            ("a byte-order mark", "\u{feff}{}".to_owned(), "json_invalid"),
            (
                "a lone surrogate",
                r#"{"a":"\ud800"}"#.to_owned(),
                "json_invalid",
            ),
            (
                "a huge number",
                r#"{"exp":1e400}"#.to_owned(),
                "json_invalid",
            ),
            ("a tail", "{}x".to_owned(), "json_invalid"),
            (
                "a name twice",
                r#"{"exp":1,"\u0065xp":2}"#.to_owned(),
                "json_duplicate_member",
            ),
            (
                "deep nesting",
                format!(r#"{{"a":{}{}}}"#, "[".repeat(999), "]".repeat(999)),
                "json_too_deep",
            ),
            (
                "too many octets",
                format!(r#"{{"a":"{}"}}"#, "a".repeat(20_000)),
                "token_too_large",
            ),
        ];
        for (what, payload, verdict) in payloads {
            let token = self.issuer.token(Algorithm::EdDsa, &payload);
            self.access(&format!("payload with {what}"), &token, verdict);
        }
    }

    fn claims(&mut self) {
        let cases = [
            (json!({ "exp": NOW }), "accepted"),
            (json!({ "exp": NOW - 10 }), "expired"),
            (json!({ "exp": NOW + 300, "nbf": NOW + 10 }), "accepted"),
            (json!({ "nbf": NOW + 61 }), "not_yet_valid"),
            (json!({ "iat": NOW + 61 }), "not_yet_valid"),
            (json!({ "exp": 1_800_000_000.75 }), "accepted"),
            (json!({ "exp": "never" }), "claim_invalid"),
            (json!({ "exp": -1 }), "claim_invalid"),
            (json!({ "exp": 1e300 }), "claim_invalid"),
            (json!({ "nbf": null, "iat": NOW }), "claim_invalid"),
            (json!({ "sub": 7 }), "claim_invalid"),
            (json!({ "iss": [ISSUER] }), "claim_invalid"),
            (json!({ "iss": format!("{ISSUER}/") }), "issuer_mismatch"),
            (
                json!({ "aud": "https://other.example" }),
                "audience_mismatch",
            ),
            (
                json!({ "aud": [AUDIENCE, "https://other.example"] }),
                "accepted",
            ),
            (json!({ "aud": [AUDIENCE, 7] }), "claim_invalid"),
            (json!({ "aud": [] }), "audience_mismatch"),
        ];
        for (change, verdict) in cases {
            let token = self.issuer.token(Algorithm::EdDsa, &access_claims(&change));
            self.access(&format!("claims {change}"), &token, verdict);
        }
        for name in ["iss", "aud", "exp"] {
            let mut claims: Value = serde_json::from_str(&access_claims(&json!({}))).unwrap();
            claims.as_object_mut().unwrap().remove(name);
            let token = self.issuer.token(Algorithm::EdDsa, &claims.to_string());
            self.access(&format!("without {name}"), &token, "claim_missing");
        }
        for (typ, verdict) in [
            ("application/AT+JWT", "accepted"),
            ("JWT", "typ_mismatch"),
            ("logout+jwt", "typ_mismatch"),
        ] {
            let header = self.issuer.header(Algorithm::EdDsa, typ);
            let claims = access_claims(&json!({}));
            let token = self.issuer.craft(Algorithm::EdDsa, &header, &claims);
            self.access(&format!("typ {typ}"), &token, verdict);
        }
    }

    fn keys(&mut self) {
        let claims = access_claims(&json!({}));
        for (algorithm, keys, what, verdict) in [
            (
                Algorithm::EdDsa,
                "private",
                "a private key in the set",
                "key_private",
            ),
            (
                Algorithm::EdDsa,
                "symmetric",
                "a symmetric key in the set",
                "key_private",
            ),
            (Algorithm::EdDsa, "not_a_set", "no set", "key_set_invalid"),
            (
                Algorithm::EdDsa,
                "low_order",
                "a key of small order",
                "key_unknown",
            ),
            (
                Algorithm::EdDsa,
                "no_point",
                "a key that is no point",
                "signature_invalid",
            ),
            (
                Algorithm::Es256,
                "off_curve",
                "a key off its curve",
                "key_unknown",
            ),
            (Algorithm::Rs256, "weak", "a weak key", "key_unknown"),
            (
                Algorithm::Es256,
                "encryption",
                "an encryption key",
                "key_unknown",
            ),
            (
                Algorithm::Es256,
                "strange_members",
                "members nobody knows",
                "accepted",
            ),
        ] {
            let token = self.issuer.token(algorithm, &claims);
            self.access_with(keys, what, &token, verdict);
        }
    }

    fn id_tokens(&mut self) {
        for algorithm in Algorithm::ALL {
            let at_hash = algorithm.at_hash(ACCESS_TOKEN);
            let token = self.id_token(algorithm, &json!({ "at_hash": at_hash }));
            let name = format!("ID token, {}, with at_hash", algorithm.name());
            let expected = json!({ "nonce": NONCE, "access_token": ACCESS_TOKEN });
            self.id(&name, &token, &expected, "accepted");
            let expected = json!({ "nonce": NONCE, "access_token": "other" });
            self.id(&name, &token, &expected, "access_token_mismatch");
        }
        let nonce = json!({ "nonce": NONCE });
        let max_age = json!({ "nonce": NONCE, "max_age": 60 });
        let access_token = json!({ "nonce": NONCE, "access_token": ACCESS_TOKEN });
        let old = json!({ "auth_time": NOW - 71 });
        let recent = json!({ "auth_time": NOW - 60 });
        let two = json!([CLIENT, "other"]);
        for (change, expected, verdict) in [
            (json!({}), &nonce, "accepted"),
            (json!({}), &json!({}), "nonce_mismatch"),
            (json!({}), &json!({ "nonce": "other" }), "nonce_mismatch"),
            (json!({ "nonce": 7 }), &nonce, "claim_invalid"),
            (json!({ "azp": CLIENT }), &nonce, "accepted"),
            (
                json!({ "azp": "other" }),
                &nonce,
                "authorized_party_mismatch",
            ),
            (json!({ "aud": two }), &nonce, "authorized_party_mismatch"),
            (json!({ "aud": two, "azp": CLIENT }), &nonce, "accepted"),
            (json!({ "aud": "other" }), &nonce, "audience_mismatch"),
            (json!({}), &max_age, "claim_missing"),
            (old, &max_age, "authentication_too_old"),
            (recent, &max_age, "accepted"),
            (json!({}), &access_token, "claim_missing"),
            (json!({ "sub": null }), &nonce, "claim_invalid"),
        ] {
            let token = self.id_token(Algorithm::EdDsa, &change);
            self.id(&format!("ID token {change}"), &token, expected, verdict);
        }
        let typed = self
            .issuer
            .token(Algorithm::EdDsa, &access_claims(&json!({})));
        self.id("an access token", &typed, &nonce, "typ_mismatch");
    }

    fn id_token(&self, algorithm: Algorithm, change: &Value) -> String {
        let mut claims = json!({ "sub": "alice", "aud": CLIENT, "nonce": NONCE });
        merge(&mut claims, change);
        let header = self.issuer.header(algorithm, "JWT");
        self.issuer
            .craft(algorithm, &header, &access_claims(&claims))
    }

    fn id(&mut self, name: &str, token: &str, expected: &Value, verdict: &str) {
        let mut all = json!({ "issuer": ISSUER, "client_id": CLIENT, "now": NOW });
        merge(&mut all, expected);
        self.case("verifyIdToken", "issuer", name, token, &all, verdict);
    }

    fn access(&mut self, name: &str, token: &str, verdict: &str) {
        self.access_with("issuer", name, token, verdict);
    }

    fn access_with(&mut self, keys: &str, name: &str, token: &str, verdict: &str) {
        let expected =
            json!({ "issuer": ISSUER, "audience": AUDIENCE, "typ": "at+jwt", "now": NOW });
        self.case("verifyJwt", keys, name, token, &expected, verdict);
    }

    fn case(
        &mut self,
        call: &str,
        keys: &str,
        name: &str,
        token: &str,
        expected: &Value,
        verdict: &str,
    ) {
        self.cases.push(json!({
            "name": name, "call": call, "token": token, "keys": keys,
            "expected": expected, "verdict": verdict,
        }));
    }
}

fn access_claims(change: &Value) -> String {
    let mut claims = json!({ "iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 300, "iat": NOW });
    merge(&mut claims, change);
    claims.to_string()
}

fn merge(base: &mut Value, change: &Value) {
    for (name, value) in change.as_object().unwrap() {
        base[name] = value.clone();
    }
}

fn key_sets(issuer: &Owner) -> Value {
    let good = json!(issuer.keys.to_members());
    let jwk = |algorithm| json!(issuer.public(algorithm).to_members());
    let one = |algorithm, change: Value| {
        let mut key = jwk(algorithm);
        merge(&mut key, &change);
        json!({ "keys": [key] })
    };
    let with = |more: Value| {
        let mut set = good.clone();
        set["keys"].as_array_mut().unwrap().push(more);
        set
    };
    let zeros = base64url::encode([0; 32]);
    // y = 2 is canonical and on no point of the curve.
    let mut no_point = [0; 32];
    no_point[0] = 2;
    let other = Owner::new("stranger");
    json!({
        "issuer": good,
        "two": with(json!(other.public(Algorithm::Es256).to_members())),
        "private": with(json!({ "kty": "OKP", "crv": "Ed25519", "x": zeros, "d": zeros })),
        "symmetric": with(json!({ "kty": "oct", "k": zeros })),
        "not_a_set": jwk(Algorithm::EdDsa),
        "low_order": one(Algorithm::EdDsa, json!({ "x": zeros })),
        "no_point": one(Algorithm::EdDsa, json!({ "x": base64url::encode(no_point) })),
        "off_curve": one(Algorithm::Es256, json!({ "y": zeros })),
        "weak": one(Algorithm::Rs256, json!({ "e": "AQ" })),
        "encryption": one(Algorithm::Es256, json!({ "use": "enc" })),
        "strange_members": one(
            Algorithm::Es256,
            json!({ "x5t": "AA", "key_ops": ["verify"], "ext": true, "nbf": 1 }),
        ),
    })
}
