//! Wycheproof against both halves of a verdict: the pure checks and a backend, whichever.
//!
//! A case of an algorithm outside our table must be refused whatever it says. Every other
//! divergence is in `vectors/exceptions.json` with its reason, and a case there that stops diverging
//! fails too.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test support: a broken fixture should stop it"
)]

use std::collections::BTreeSet;
use std::io::Read as _;

use edgemint::jose::{Algorithm, JoseError, KeySet, PublicKey, UnverifiedJws, Verifier, base64url};
use ring::hmac;
use serde_json::{Value, json};

/// The suites, packed as they are in `tests/vectors/wycheproof`.
pub(crate) const SUITES: [(&str, &[u8]); 6] = [
    (
        "json_web_signature_test.json",
        include_bytes!("../vectors/wycheproof/json_web_signature_test.json.gz"),
    ),
    (
        "json_web_key_test.json",
        include_bytes!("../vectors/wycheproof/json_web_key_test.json.gz"),
    ),
    (
        "ecdsa_secp256r1_sha256_p1363_test.json",
        include_bytes!("../vectors/wycheproof/ecdsa_secp256r1_sha256_p1363_test.json.gz"),
    ),
    (
        "ed25519_test.json",
        include_bytes!("../vectors/wycheproof/ed25519_test.json.gz"),
    ),
    (
        "rsa_signature_2048_sha256_test.json",
        include_bytes!("../vectors/wycheproof/rsa_signature_2048_sha256_test.json.gz"),
    ),
    (
        "hmac_sha256_test.json",
        include_bytes!("../vectors/wycheproof/hmac_sha256_test.json.gz"),
    ),
];

/// What is wrong, a line for each case; and how many cases there were.
pub(crate) struct Judgement {
    pub(crate) cases: usize,
    pub(crate) excepted: usize,
    pub(crate) wrong: Vec<String>,
}

/// Puts every case of a suite to the checks in front of `verifier` and to `verifier` itself, which
/// `exceptions.json` calls `backend`.
pub(crate) async fn judge(file: &str, backend: &str, verifier: &impl Verifier) -> Judgement {
    let (_, packed) = SUITES.iter().find(|(name, _)| *name == file).unwrap();
    let mut text = Vec::new();
    let mut unpacked = flate2::read::GzDecoder::new(*packed);
    unpacked.read_to_end(&mut text).unwrap();
    let suite: Value = serde_json::from_slice(&text).unwrap();
    let excepted = exceptions(file, backend);
    let (mut cases, mut wrong, mut unseen) = (0, Vec::new(), excepted.clone());
    for group in suite["testGroups"].as_array().unwrap() {
        for case in group["tests"].as_array().unwrap() {
            cases += 1;
            let verdict = verdict(file, group, case, verifier).await;
            let agrees = match case["result"].as_str().unwrap() {
                // It says nothing about the token, so it is never the right answer.
                _ if verdict == Err(JoseError::BackendUnavailable) => false,
                "valid" if is_in_the_table(group) => verdict.is_ok(),
                "valid" | "invalid" => verdict.is_err(),
                _ => true,
            };
            let id = case["tcId"].as_u64().unwrap();
            unseen.remove(&id);
            if agrees == excepted.contains(&id) {
                let of = |text: &Value| text.as_str().unwrap_or_default().to_owned();
                let (group, comment) = (of(&group["comment"]), of(&case["comment"]));
                let said = case["result"].to_string();
                wrong.push(format!(
                    "{file} {id} ({group}: {comment}) is {said}, {backend} says {verdict:?}"
                ));
            }
        }
    }
    if suite["numberOfTests"] != cases {
        wrong.push(format!("{file} has {cases} cases"));
    }
    wrong.extend(unseen.iter().map(|id| format!("{file} has no case {id}")));
    Judgement {
        cases,
        excepted: excepted.len(),
        wrong,
    }
}

async fn verdict(
    file: &str,
    group: &Value,
    case: &Value,
    verifier: &impl Verifier,
) -> Result<(), JoseError> {
    match file {
        "json_web_signature_test.json" => {
            let key = PublicKey::parse(&key_of(group))?;
            let token = UnverifiedJws::parse(token_of(case)?)?;
            token.verify(&key, verifier).await.map(drop)
        }
        "json_web_key_test.json" => {
            let keys = KeySet::parse(&key_of(group))?;
            let token = UnverifiedJws::parse(token_of(case)?)?;
            let key = keys.select_for(&token)?;
            token.verify(key, verifier).await.map(drop)
        }
        "ecdsa_secp256r1_sha256_p1363_test.json" => {
            // Its JWKs drop leading zeros, which RFC 7518 §6.2.1.2 forbids and we refuse.
            let point = hex(&group["publicKey"]["uncompressed"]);
            let [x, y] = [&point[1..33], &point[33..]].map(base64url::encode);
            let jwk = json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y });
            raw(&jwk, Algorithm::Es256, case, verifier).await
        }
        "ed25519_test.json" => raw(&group["publicKeyJwk"], Algorithm::EdDsa, case, verifier).await,
        "rsa_signature_2048_sha256_test.json" => {
            raw(&group["keyJwk"], Algorithm::Rs256, case, verifier).await
        }
        "hmac_sha256_test.json" => tag(group, case),
        _ => panic!("nobody reads {file}"),
    }
}

/// The public key, else the private or symmetric one, which we must then refuse.
fn key_of(group: &Value) -> Vec<u8> {
    let key = group.get("public").unwrap_or(&group["private"]);
    serde_json::to_vec(key).unwrap()
}

fn token_of(case: &Value) -> Result<&str, JoseError> {
    case["jws"].as_str().ok_or(JoseError::TokenMalformed)
}

/// A primitive's case. A JWS signs printable text only, so the message goes to the backend itself;
/// the token beside it takes the signature through the checks in front of the backend.
async fn raw(
    jwk: &Value,
    algorithm: Algorithm,
    case: &Value,
    verifier: &impl Verifier,
) -> Result<(), JoseError> {
    let mut jwk = jwk.clone();
    jwk["alg"] = algorithm.name().into();
    let key = PublicKey::parse(&serde_json::to_vec(&jwk).unwrap())?;
    let signature = hex(&case["sig"]);
    let token = format!(
        "{}.AA.{}",
        base64url::encode(format!(r#"{{"alg":"{}"}}"#, algorithm.name())),
        base64url::encode(&signature)
    );
    UnverifiedJws::parse(&token)?
        .verify(&key, &AnySignature)
        .await?;
    verifier.verify(&key, &hex(&case["msg"]), &signature).await
}

/// A backend that likes every signature, to see what the checks in front of it refuse.
struct AnySignature;

impl Verifier for AnySignature {
    async fn verify(&self, _: &PublicKey, _: &[u8], _: &[u8]) -> Result<(), JoseError> {
        Ok(())
    }
}

/// Our tokens have no HMAC; ring's is under every seal, natively and in the Worker. It makes whole
/// tags only, so that a shorter one is compared with the beginning.
fn tag(group: &Value, case: &Value) -> Result<(), JoseError> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &hex(&case["key"]));
    let (message, tag) = (hex(&case["msg"]), hex(&case["tag"]));
    let length = usize::try_from(group["tagSize"].as_u64().unwrap() / 8).unwrap();
    let whole = hmac::sign(&key, &message);
    let fits = if length == whole.as_ref().len() {
        hmac::verify(&key, &message, &tag).is_ok()
    } else {
        whole.as_ref()[..length] == tag
    };
    if fits {
        Ok(())
    } else {
        Err(JoseError::SignatureInvalid)
    }
}

fn exceptions(file: &str, backend: &str) -> BTreeSet<u64> {
    let all: Value = serde_json::from_str(include_str!("../vectors/exceptions.json")).unwrap();
    let listed = all["wycheproof"][file].as_array().into_iter().flatten();
    let ours = listed.filter(|entry| match entry["backends"].as_array() {
        None => true,
        Some(backends) => backends.iter().any(|name| name == backend),
    });
    ours.flat_map(|entry| entry["cases"].as_array().unwrap())
        .map(|case| case.as_u64().unwrap())
        .collect()
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

fn hex(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap();
    let digits: Vec<u32> = text.chars().map(|c| c.to_digit(16).unwrap()).collect();
    let octets = digits.chunks_exact(2);
    octets
        .map(|pair| u8::try_from(pair[0] << 4 | pair[1]).unwrap())
        .collect()
}
