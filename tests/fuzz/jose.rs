//! Keys and signed tokens of others.

use edgemint::jose::{Algorithm, KeySet, PublicKey, RingVerifier, UnverifiedJws, base64url};
use serde_json::Value;

use crate::bend::{bent, choice};
use crate::jose_support::{AUDIENCE, ISSUER, NOW, Owner, block_on, check, claims_with, policy};

const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// A key that is read holds no secret, and is printed so that it is read alike.
pub(crate) fn jwk(data: &[u8]) {
    let Ok(key) = PublicKey::parse(data) else {
        return;
    };
    let read: Value = serde_json::from_slice(data).expect("JSON");
    assert!(PRIVATE.iter().all(|name| read.get(name).is_none()));
    assert!(["RSA", "EC", "OKP"].iter().any(|kty| read["kty"] == *kty));
    assert!(read.get("use").is_none_or(|purpose| purpose == "sig"));
    let printed = Value::Object(key.to_members()).to_string();
    assert_eq!(PublicKey::parse(printed.as_bytes()), Ok(key.clone()));
    let thumbprint = PublicKey::parse(key.thumbprint_input().as_bytes()).expect("a JWK");
    assert_eq!(thumbprint.material(), key.material());
}

/// A set that is read holds no secret anywhere, and selects by name and algorithm only.
pub(crate) fn jwks(data: &[u8]) {
    let Ok(set) = KeySet::parse(data) else {
        return;
    };
    let read: Value = serde_json::from_slice(data).expect("JSON");
    for entry in read["keys"].as_array().expect("keys") {
        assert!(PRIVATE.iter().all(|name| entry.get(name).is_none()));
    }
    let printed = Value::Object(set.to_members()).to_string();
    assert_eq!(KeySet::parse(printed.as_bytes()), Ok(set.clone()));
    for key in set.keys() {
        for algorithm in Algorithm::ALL {
            if let Ok(found) = set.select(key.kid(), algorithm) {
                assert_eq!(found.algorithm(), algorithm);
                assert!(key.kid().is_none() || found.kid() == key.kid());
            }
        }
    }
}

thread_local! {
    static ISSUED: (Owner, Vec<String>) = {
        let issuer = Owner::new("issuer");
        let payload = claims_with("");
        let tokens = Algorithm::ALL.map(|algorithm| issuer.token(algorithm, &payload));
        (issuer, tokens.to_vec())
    };
}

/// Nothing but what the issuer signed verifies; and of that, nothing that the policy does not ask
/// for.
pub(crate) fn jwt(data: &[u8]) {
    let Some((mode, rest)) = choice(data) else {
        return;
    };
    ISSUED.with(|(issuer, tokens)| match mode % 6 {
        0 => {
            let text = String::from_utf8_lossy(rest);
            assert_refused(issuer, tokens, &text);
        }
        which @ 1..=3 => assert_refused(issuer, tokens, &bent(&tokens[which - 1], rest)),
        // Header and payload of one's own, under a signature that was made for others.
        4 => {
            let text = String::from_utf8_lossy(rest);
            let (header, payload) = text.split_once('\n').unwrap_or((&text, "{}"));
            for token in tokens {
                let signature = token.rsplit_once('.').expect("a JWS").1;
                let [header, payload] = [header, payload].map(base64url::encode);
                assert_refused(issuer, tokens, &format!("{header}.{payload}.{signature}"));
            }
        }
        // An issuer that signs anything.
        _ => {
            let text = String::from_utf8_lossy(rest);
            let (header, payload) = text.split_once('\n').unwrap_or(("", &text));
            let algorithm = Algorithm::EdDsa;
            let ours = issuer.header(algorithm, "at+jwt");
            let header = if header.is_empty() { &ours } else { header };
            let token = issuer.craft(algorithm, header, payload);
            let Ok(claims) = check(issuer, &token) else {
                return;
            };
            assert_eq!(claims.issuer(), Some(ISSUER));
            assert!(claims.audience().iter().any(|name| name == AUDIENCE));
            assert!(claims.expires_at().is_some_and(|exp| NOW < exp + 10));
            assert!(claims.not_before().is_none_or(|nbf| nbf <= NOW + 10));
            assert!(claims.issued_at().is_none_or(|iat| iat <= NOW + 10));
            let read: Value = serde_json::from_str(header).expect("JSON");
            assert_eq!(read["alg"], "EdDSA");
            assert!(
                ["crit", "b64", "zip"]
                    .iter()
                    .all(|name| read.get(name).is_none())
            );
            let typ = read["typ"].as_str().expect("a type").to_ascii_lowercase();
            assert_eq!(typ.trim_start_matches("application/"), "at+jwt");
            let read: Value = serde_json::from_str(payload).expect("JSON");
            assert_eq!(read, Value::Object(claims.members().clone()));
        }
    });
}

fn assert_refused(issuer: &Owner, tokens: &[String], text: &str) {
    if tokens.iter().any(|token| token == text) {
        assert!(check(issuer, text).is_ok());
        return;
    }
    assert!(check(issuer, text).is_err(), "{text}");
    let verified = block_on(policy().authenticate(text, &issuer.keys, &RingVerifier));
    assert!(verified.is_err(), "{text}");
    // And with each key, whichever the token names.
    if let Ok(token) = UnverifiedJws::parse(text) {
        for key in issuer.keys.keys() {
            let verified = block_on(token.clone().verify(key, &RingVerifier));
            assert!(verified.is_err(), "{text}");
        }
    }
}
