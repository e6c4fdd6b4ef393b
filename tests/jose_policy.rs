//! What a policy, a key set and a signer accept and refuse.
#![allow(clippy::unwrap_used, reason = "tests")]

mod jose_support;

use edgemint::jose::{
    Algorithm, ExpectedTyp, JoseError, KeySet, Policy, RingSigner, RingVerifier, Signer,
    generate_pkcs8, jws,
};
use jose_support::{AUDIENCE, ISSUER, NOW, Owner, block_on, check, claims_with, policy, refusal};
use serde_json::json;

#[test]
fn a_token_of_every_algorithm_is_signed_and_accepted() {
    let issuer = Owner::new("issuer");
    for algorithm in Algorithm::ALL {
        let key = issuer.key(algorithm);
        let payload = claims_with("");
        let token = jws::sign(&key, "at+jwt", payload.as_bytes(), &issuer.signer);
        let claims = check(&issuer, &block_on(token).unwrap()).unwrap();
        assert_eq!(claims.issuer(), Some(ISSUER));
        assert_eq!(claims.audience(), [AUDIENCE]);
        assert_eq!(claims.expires_at(), Some(NOW + 300));
    }
}

#[test]
fn a_token_for_others_or_of_another_type_or_time_is_refused() {
    let issuer = Owner::new("issuer");
    let good = json!({ "iss": ISSUER, "aud": [AUDIENCE, "x"], "exp": NOW + 300, "iat": NOW });
    let verdict = |name: &str, value: serde_json::Value| {
        let mut claims = good.clone();
        claims[name] = value;
        let token = issuer.token(Algorithm::EdDsa, &claims.to_string());
        check(&issuer, &token).map(drop)
    };
    assert_eq!(verdict("sub", "alice".into()), Ok(()));
    assert_eq!(
        verdict("iss", "https://issuer.example/".into()),
        Err(JoseError::IssuerMismatch)
    );
    assert_eq!(
        verdict("aud", json!(["x"])),
        Err(JoseError::AudienceMismatch)
    );
    assert_eq!(verdict("aud", json!([])), Err(JoseError::AudienceMismatch));
    assert_eq!(verdict("exp", (NOW - 9).into()), Ok(()));
    assert_eq!(verdict("exp", (NOW - 10).into()), Err(JoseError::Expired));
    assert_eq!(verdict("exp", json!(1_800_000_300.5)), Ok(()));
    for typ in ["JWT", "logout+jwt", "dpop+jwt", ""] {
        let header = issuer.header(Algorithm::EdDsa, typ);
        let token = issuer.craft(Algorithm::EdDsa, &header, &good.to_string());
        assert_eq!(refusal(&issuer, &token), JoseError::TypMismatch, "{typ}");
    }
    let header = issuer.header(Algorithm::EdDsa, "application/AT+jwt");
    let token = issuer.craft(Algorithm::EdDsa, &header, &good.to_string());
    assert!(check(&issuer, &token).is_ok());
}

#[test]
fn a_plain_policy_takes_untyped_tokens_and_no_typed_ones() {
    let issuer = Owner::new("issuer");
    let policy = Policy::new(ISSUER, AUDIENCE, ExpectedTyp::Plain);
    let verdict = |header: &str| {
        let token = issuer.craft(Algorithm::EdDsa, header, &claims_with(""));
        block_on(policy.verify(&token, &issuer.keys, &RingVerifier, NOW)).map(drop)
    };
    assert_eq!(verdict(r#"{"alg":"EdDSA"}"#), Ok(()));
    assert_eq!(verdict(&issuer.header(Algorithm::EdDsa, "JWT")), Ok(()));
    let typed = issuer.header(Algorithm::EdDsa, "at+jwt");
    assert_eq!(verdict(&typed), Err(JoseError::TypMismatch));
}

#[test]
fn max_age_makes_iat_required_and_bounds_it() {
    let issuer = Owner::new("issuer");
    let mut policy = policy();
    policy.max_age = Some(60);
    let verdict = |now| {
        let token = issuer.token(Algorithm::EdDsa, &claims_with(""));
        block_on(policy.verify(&token, &issuer.keys, &RingVerifier, now)).map(drop)
    };
    assert_eq!(verdict(NOW + 70), Ok(()));
    assert_eq!(verdict(NOW + 71), Err(JoseError::TooOld));
}

#[test]
fn a_key_set_skips_what_it_cannot_use_and_refuses_what_is_malformed() {
    let issuer = Owner::new("issuer");
    let mut document = issuer.keys.to_members();
    let entries = document["keys"].as_array_mut().unwrap();
    entries.push(json!({ "kty": "AKP", "alg": "ML-DSA-44", "pub": "AA" }));
    entries.push(json!({ "kty": "RSA", "n": "AQAB", "e": "AQAB" }));
    let text = json!(document).to_string();
    let keys = KeySet::parse(text.as_bytes()).unwrap();
    assert_eq!(keys, issuer.keys);
    for text in ["{}", r#"{"keys":{}}"#, r#"{"keys":[7]}"#] {
        let refusal = KeySet::parse(text.as_bytes()).unwrap_err();
        assert_eq!(refusal, JoseError::KeySetInvalid);
    }
    let huge = format!(r#"{{"keys":[],"x":"{}"}}"#, "x".repeat(65_536));
    let refusal = KeySet::parse(huge.as_bytes()).unwrap_err();
    assert_eq!(refusal, JoseError::KeySetInvalid);
}

#[test]
fn a_private_key_signs_only_under_its_own_name() {
    let mut signer = RingSigner::new();
    let pkcs8 = generate_pkcs8(Algorithm::Es256).unwrap();
    let public = signer.insert("a", Algorithm::Es256, &pkcs8).unwrap();
    assert_eq!(public.kid(), Some("a"));
    let mut key = Owner::new("issuer").key(Algorithm::Es256);
    let verdict = block_on(signer.sign(&key, b""));
    assert_eq!(verdict, Err(JoseError::KeyUnknown));
    key.kid = "a".into();
    assert_eq!(signer.public_key(&key), Ok(public));
    let verdict = signer.insert("b", Algorithm::EdDsa, &pkcs8);
    assert_eq!(verdict, Err(JoseError::KeyInvalid));
    let pkcs8 = generate_pkcs8(Algorithm::EdDsa).unwrap();
    assert!(signer.insert("c", Algorithm::EdDsa, &pkcs8).is_ok());
    let verdict = generate_pkcs8(Algorithm::Rs256);
    assert_eq!(verdict, Err(JoseError::KeyUnsupported));
}
