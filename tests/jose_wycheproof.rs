//! Wycheproof with ring below; with WebCrypto below it is `tests/browser/wycheproof.test.js`.
#![allow(clippy::print_stdout, reason = "tests")]

mod jose_support;
mod wycheproof_support;

use edgemint::jose::RingVerifier;
use jose_support::block_on;
use wycheproof_support::judge;

#[test]
fn wycheproof_json_web_signature() {
    agrees("json_web_signature_test.json");
}

#[test]
fn wycheproof_json_web_key() {
    agrees("json_web_key_test.json");
}

#[test]
fn wycheproof_ecdsa_p256_p1363() {
    agrees("ecdsa_secp256r1_sha256_p1363_test.json");
}

#[test]
fn wycheproof_ed25519() {
    agrees("ed25519_test.json");
}

#[test]
fn wycheproof_rsa_pkcs1_2048_sha256() {
    agrees("rsa_signature_2048_sha256_test.json");
}

#[test]
fn wycheproof_hmac_sha256() {
    agrees("hmac_sha256_test.json");
}

fn agrees(file: &str) {
    let judgement = block_on(judge(file, "ring", &RingVerifier));
    let (cases, excepted) = (judgement.cases, judgement.excepted);
    println!("{file}: {cases} cases, {excepted} exceptions");
    assert!(judgement.wrong.is_empty(), "{:#?}", judgement.wrong);
}
