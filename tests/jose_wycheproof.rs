//! Wycheproof against both halves of a verdict: the pure checks and ring.
//!
//! A case of an algorithm outside our table must be refused whatever it says. Every other
//! divergence is in `vectors/exceptions.json` with its reason, and a case there that stops diverging
//! fails too.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests"
)]

mod jose_support;

use std::collections::BTreeSet;

use edgemint::jose::{
    Algorithm, JoseError, KeySet, PublicKey, RingVerifier, UnverifiedJws, base64url,
};
use jose_support::{block_on, shared_vectors, verify};
use serde_json::{Value, json};

#[test]
fn wycheproof_json_web_signature() {
    judge("json_web_signature_test.json", |group, case| {
        let token = case["jws"].as_str().ok_or(JoseError::TokenMalformed)?;
        let key = PublicKey::parse(&key_of(group))?;
        verify(token, &key).map(drop)
    });
}

#[test]
fn wycheproof_json_web_key() {
    judge("json_web_key_test.json", |group, case| {
        let token = case["jws"].as_str().ok_or(JoseError::TokenMalformed)?;
        let keys = KeySet::parse(&key_of(group))?;
        let key = keys.select_for(&UnverifiedJws::parse(token)?)?.clone();
        verify(token, &key).map(drop)
    });
}

#[test]
fn wycheproof_ecdsa_p256_p1363() {
    judge("ecdsa_secp256r1_sha256_p1363_test.json", |group, case| {
        let point = hex(group["publicKey"]["uncompressed"].as_str().unwrap());
        let [x, y] = [&point[1..33], &point[33..]].map(base64url::encode);
        let jwk = json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y });
        raw(&jwk, Algorithm::Es256, case)
    });
}

#[test]
fn wycheproof_ed25519() {
    judge("ed25519_test.json", |group, case| {
        raw(&group["publicKeyJwk"], Algorithm::EdDsa, case)
    });
}

#[test]
fn wycheproof_rsa_pkcs1_2048_sha256() {
    judge("rsa_signature_2048_sha256_test.json", |group, case| {
        raw(&group["keyJwk"], Algorithm::Rs256, case)
    });
}

/// The public key, else the private or symmetric one, which we must then refuse.
fn key_of(group: &Value) -> Vec<u8> {
    let key = group.get("public").unwrap_or(&group["private"]);
    serde_json::to_vec(key).unwrap()
}

/// A primitive's case. A JWS signs printable text only, so the message goes to the backend itself;
/// the token beside it takes the signature through the checks in front of the backend.
fn raw(jwk: &Value, algorithm: Algorithm, case: &Value) -> Result<(), JoseError> {
    use edgemint::jose::Verifier as _;
    let mut jwk = jwk.clone();
    jwk["alg"] = algorithm.name().into();
    let key = PublicKey::parse(&serde_json::to_vec(&jwk).unwrap())?;
    let signature = hex(case["sig"].as_str().unwrap());
    let token = format!(
        "{}.AA.{}",
        base64url::encode(format!(r#"{{"alg":"{}"}}"#, algorithm.name())),
        base64url::encode(&signature)
    );
    block_on(UnverifiedJws::parse(&token)?.verify(&key, &AnySignature))?;
    let message = hex(case["msg"].as_str().unwrap());
    block_on(RingVerifier.verify(&key, &message, &signature))
}

/// A backend that likes every signature, to see what the checks in front of it refuse.
struct AnySignature;

impl edgemint::jose::Verifier for AnySignature {
    async fn verify(&self, _: &PublicKey, _: &[u8], _: &[u8]) -> Result<(), JoseError> {
        Ok(())
    }
}

fn judge(file: &str, verdict: impl Fn(&Value, &Value) -> Result<(), JoseError>) {
    let Some(folder) = shared_vectors("wycheproof") else {
        return;
    };
    let text = std::fs::read(folder.join(file)).unwrap();
    let suite: Value = serde_json::from_slice(&text).unwrap();
    let exceptions: Value = serde_json::from_str(include_str!("vectors/exceptions.json")).unwrap();
    let excepted: BTreeSet<u64> = exceptions["wycheproof"][file]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|exception| exception["cases"].as_array().unwrap())
        .map(|case| case.as_u64().unwrap())
        .collect();
    let (mut cases, mut wrong) = (0, Vec::new());
    for group in suite["testGroups"].as_array().unwrap() {
        for case in group["tests"].as_array().unwrap() {
            cases += 1;
            let verdict = verdict(group, case);
            let agrees = match case["result"].as_str().unwrap() {
                "valid" if is_in_the_table(group) => verdict.is_ok(),
                "valid" | "invalid" => verdict.is_err(),
                _ => true,
            };
            let id = case["tcId"].as_u64().unwrap();
            if agrees == excepted.contains(&id) {
                let comment = case["comment"].as_str().unwrap_or_default().to_owned();
                let group = group["comment"].as_str().unwrap_or_default().to_owned();
                wrong.push((id, group, comment, case["result"].clone(), verdict));
            }
        }
    }
    println!("{file}: {cases} cases, {} exceptions", excepted.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Whether every key of a JOSE group is for an algorithm of ours; the other suites are about one.
fn is_in_the_table(group: &Value) -> bool {
    let Some(key) = group.get("public").or(group.get("private")) else {
        return true;
    };
    let keys = key["keys"].as_array();
    keys.map_or(std::slice::from_ref(key), Vec::as_slice)
        .iter()
        .all(|key| Algorithm::parse(key["alg"].as_str().unwrap_or_default()).is_ok())
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().map(|c| c.to_digit(16).unwrap()).collect();
    let octets = digits.chunks_exact(2);
    octets
        .map(|pair| u8::try_from(pair[0] << 4 | pair[1]).unwrap())
        .collect()
}
