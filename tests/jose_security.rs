//! The JOSE rows of the security checklist, JW-1 to JW-17.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod jose_support;

use std::collections::BTreeSet;

use edgemint::jose::{
    Algorithm, Hs256, JoseError, KeyMaterial, KeySet, PublicKey, RingVerifier, Signer, Unverified,
    UnverifiedJws, base64url, parse_strict_json,
};
use jose_support::{
    AUDIENCE, ISSUER, NOW, Owner, block_on, check, claims_with, policy, refusal, verify,
};
use ring::hmac;
use serde_json::json;

#[test]
fn jw_1_an_algorithm_outside_the_table_is_refused() {
    let issuer = Owner::new("issuer");
    for alg in [
        r#""none""#,
        r#""None""#,
        r#""noNE""#,
        r#""NONE""#,
        r#""HS256""#,
        r#""eddsa""#,
        r#""ES256 ""#,
        r#""RS512""#,
        r#""""#,
    ] {
        let header = format!(r#"{{"alg":{alg},"kid":"issuer-EdDSA","typ":"at+jwt"}}"#);
        let token = issuer.craft(Algorithm::EdDsa, &header, &claims_with(""));
        let reason = refusal(&issuer, &token);
        assert_eq!(reason, JoseError::AlgorithmUnsupported, "{alg}");
    }
    for alg in ["", r#""alg":null,"#, r#""alg":["EdDSA"],"#, r#""alg":1,"#] {
        let header = format!(r#"{{{alg}"kid":"issuer-EdDSA","typ":"at+jwt"}}"#);
        let token = issuer.craft(Algorithm::EdDsa, &header, &claims_with(""));
        assert_eq!(refusal(&issuer, &token), JoseError::HeaderInvalid, "{alg}");
    }
}

#[test]
fn jw_1_an_algorithm_that_the_policy_does_not_list_is_refused() {
    let issuer = Owner::new("issuer");
    let token = issuer.token(Algorithm::Rs256, &claims_with(""));
    let mut policy = policy();
    policy.algorithms = vec![Algorithm::EdDsa, Algorithm::Es256];
    let verdict = block_on(policy.verify(&token, &issuer.keys, &RingVerifier, NOW));
    assert_eq!(verdict.unwrap_err(), JoseError::AlgorithmUnsupported);
}

#[test]
fn jw_2_an_algorithm_that_does_not_fit_the_key_is_refused() {
    let issuer = Owner::new("issuer");
    for signed_with in Algorithm::ALL {
        for claimed in Algorithm::ALL.into_iter().filter(|a| *a != signed_with) {
            let kid = issuer.key(signed_with).kid;
            let header = format!(
                r#"{{"alg":"{}","kid":"{kid}","typ":"at+jwt"}}"#,
                claimed.name()
            );
            let token = issuer.craft(signed_with, &header, &claims_with(""));
            assert_eq!(refusal(&issuer, &token), JoseError::AlgorithmMismatch);
            let verdict = verify(&token, issuer.public(signed_with));
            assert_eq!(verdict.unwrap_err(), JoseError::AlgorithmMismatch);
        }
    }
}

#[test]
fn jw_2_a_key_of_another_curve_or_algorithm_is_not_taken() {
    let key = |text: &str| PublicKey::parse(text.as_bytes()).unwrap_err();
    let x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    let y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
    let ec = |more: &str| format!(r#"{{"kty":"EC","x":"{x}","y":"{y}",{more}}}"#);
    assert!(PublicKey::parse(ec(r#""crv":"P-256""#).as_bytes()).is_ok());
    assert_eq!(key(&ec(r#""crv":"P-384""#)), JoseError::KeyUnsupported);
    assert_eq!(key(&ec(r#""a":1"#)), JoseError::KeyUnsupported);
    let other = ec(r#""crv":"P-256","alg":"RS256""#);
    assert_eq!(key(&other), JoseError::KeyUnsupported);
    let encryption = ec(r#""crv":"P-256","use":"enc""#);
    assert_eq!(key(&encryption), JoseError::KeyNotForSignatures);
    let signing = ec(r#""crv":"P-256","key_ops":["sign"]"#);
    assert_eq!(key(&signing), JoseError::KeyNotForSignatures);
    let private = ec(r#""crv":"P-256","d":"AA""#);
    assert_eq!(key(&private), JoseError::KeyPrivate);
}

#[test]
fn jw_3_a_key_in_the_header_is_not_used() {
    let (issuer, stranger) = (Owner::new("issuer"), Owner::new("stranger"));
    let own = json!(stranger.public(Algorithm::EdDsa).to_members());
    for more in [
        format!(r#""jwk":{own}"#),
        r#""jku":"https://evil.example/jwks""#.to_owned(),
        r#""x5u":"https://evil.example/x5u""#.to_owned(),
        r#""x5c":["AA=="]"#.to_owned(),
    ] {
        let header = |kid: &str| format!(r#"{{"alg":"EdDSA",{kid}"typ":"at+jwt",{more}}}"#);
        let named = header(r#""kid":"issuer-EdDSA","#);
        let token = stranger.craft(Algorithm::EdDsa, &named, &claims_with(""));
        assert_eq!(refusal(&issuer, &token), JoseError::SignatureInvalid);
        let token = stranger.craft(Algorithm::EdDsa, &header(""), &claims_with(""));
        assert_eq!(refusal(&issuer, &token), JoseError::SignatureInvalid);
        let token = issuer.craft(Algorithm::EdDsa, &named, &claims_with(""));
        assert!(check(&issuer, &token).is_ok(), "ignored, not obeyed");
    }
}

#[test]
fn jw_4_a_kid_is_an_opaque_text_that_is_looked_up_exactly() {
    let issuer = Owner::new("issuer");
    for kid in [
        "../../../etc/passwd",
        "' OR 1=1 --",
        "issuer-EdDSA\\u0000",
        "ISSUER-EdDSA",
        "stranger-EdDSA",
        "",
        &"k".repeat(8192),
    ] {
        let header = format!(r#"{{"alg":"EdDSA","kid":"{kid}","typ":"at+jwt"}}"#);
        let token = issuer.craft(Algorithm::EdDsa, &header, &claims_with(""));
        assert_eq!(refusal(&issuer, &token), JoseError::KeyUnknown);
    }
    let huge = format!(r#"{{"alg":"EdDSA","kid":"{}"}}"#, "k".repeat(65_536));
    let token = issuer.craft(Algorithm::EdDsa, &huge, &claims_with(""));
    assert_eq!(refusal(&issuer, &token), JoseError::TokenTooLarge);
    let header = r#"{"alg":"EdDSA","kid":7}"#;
    let token = issuer.craft(Algorithm::EdDsa, header, &claims_with(""));
    assert_eq!(refusal(&issuer, &token), JoseError::HeaderInvalid);
}

#[test]
fn jw_4_without_a_kid_only_the_one_fitting_key_is_taken() {
    let issuer = Owner::new("issuer");
    let token = issuer.craft(
        Algorithm::Es256,
        r#"{"alg":"ES256","typ":"at+jwt"}"#,
        &claims_with(""),
    );
    assert!(check(&issuer, &token).is_ok());
    let stranger = Owner::new("stranger");
    let keys = issuer.keys.keys().iter().chain(stranger.keys.keys());
    let both: KeySet = keys.cloned().collect();
    let verdict = block_on(policy().verify(&token, &both, &RingVerifier, NOW));
    assert_eq!(verdict.unwrap_err(), JoseError::KeyAmbiguous);
}

#[test]
fn jw_5_crit_and_b64_are_refused() {
    let issuer = Owner::new("issuer");
    for more in [
        r#""crit":["exp"],"exp":1"#,
        r#""crit":[]"#,
        r#""crit":["b64"],"b64":false"#,
        r#""b64":false"#,
        r#""b64":true"#,
        r#""crit":null"#,
    ] {
        let header = format!(r#"{{"alg":"EdDSA","kid":"issuer-EdDSA","typ":"at+jwt",{more}}}"#);
        let token = issuer.craft(Algorithm::EdDsa, &header, &claims_with(""));
        assert_eq!(refusal(&issuer, &token), JoseError::HeaderUnsupported);
    }
}

#[test]
fn jw_6_anything_but_the_compact_form_is_refused() {
    let token = Owner::new("issuer").token(Algorithm::EdDsa, &claims_with(""));
    let parts: Vec<&str> = token.split('.').collect();
    let (header, payload, signature) = (parts[0], parts[1], parts[2]);
    let flattened =
        format!(r#"{{"protected":"{header}","payload":"{payload}","signature":"{signature}"}}"#);
    for text in [
        flattened,
        format!("{{{token}}}"),
        format!("{token}\n"),
        format!("Bearer {token}"),
        token.replacen('.', "..", 1),
        format!("{token}\u{200b}"),
    ] {
        assert!(UnverifiedJws::parse(&text).is_err(), "{text}");
    }
}

#[test]
fn jw_7_a_duplicate_header_or_claim_name_is_refused() {
    let issuer = Owner::new("issuer");
    let header = r#"{"alg":"EdDSA","alg":"EdDSA","kid":"issuer-EdDSA","typ":"at+jwt"}"#;
    let token = issuer.craft(Algorithm::EdDsa, header, &claims_with(""));
    assert_eq!(refusal(&issuer, &token), JoseError::JsonDuplicateMember);
    for more in [
        r#""iss":"https://issuer.example","#,
        r#""exp":1,"#,
        r#""address":{"a":1,"a":2},"#,
        r#""s":1,"\u0073":2,"#,
    ] {
        let token = issuer.token(Algorithm::EdDsa, &claims_with(more));
        assert_eq!(refusal(&issuer, &token), JoseError::JsonDuplicateMember);
    }
}

#[test]
fn jw_8_a_second_spelling_of_base64url_or_another_number_of_segments_is_refused() {
    let token = Owner::new("issuer").token(Algorithm::EdDsa, &claims_with(""));
    let parts: Vec<&str> = token.split('.').collect();
    let (header, payload, signature) = (parts[0], parts[1], parts[2]);
    // 64 octets are 86 characters, so the last carries four unused bits.
    let unused_bit = format!("{}{}", &signature[..85], {
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let place = alphabet.find(&signature[85..]).unwrap();
        &alphabet[place + 1..place + 2]
    });
    for text in [
        format!("{header}.{payload}.{signature}=="),
        format!("{header}.{payload}.{unused_bit}"),
        format!("{header}.{payload} .{signature}"),
        format!("{header}.{payload}.{}+", &signature[1..]),
        format!("{header}.{payload}.{}/", &signature[1..]),
    ] {
        let reason = UnverifiedJws::parse(&text).unwrap_err();
        assert_eq!(reason, JoseError::Base64urlInvalid, "{text}");
    }
    for text in [
        String::new(),
        header.to_owned(),
        format!("{header}.{payload}"),
        format!("{header}.{payload}.{signature}.AA"),
        format!("{header}.AA.AA.{payload}.{signature}"),
        format!(".{payload}.{signature}"),
    ] {
        let reason = UnverifiedJws::parse(&text).unwrap_err();
        assert_eq!(reason, JoseError::TokenMalformed, "{text}");
    }
}

#[test]
fn jw_9_an_ecdsa_signature_out_of_range_or_in_der_is_refused() {
    let issuer = Owner::new("issuer");
    let token = issuer.token(Algorithm::Es256, &claims_with(""));
    let (input, signature) = token.rsplit_once('.').unwrap();
    let good = base64url::decode(signature).unwrap();
    let order = base64url::decode("_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE").unwrap();
    let (r, s) = good.split_at(32);
    let zero = vec![0; 32];
    let mut der = vec![0x30, 0x44, 2, 0x20];
    der.extend_from_slice(r);
    der.extend([2, 0x20]);
    der.extend_from_slice(s);
    for bad in [
        [&zero[..], &zero].concat(),
        [r, &zero].concat(),
        [&zero, s].concat(),
        [r, &order].concat(),
        [&order, s].concat(),
        [r, &[0xff; 32]].concat(),
        der,
        good[..63].to_vec(),
        [&good[..], &[0]].concat(),
        Vec::new(),
    ] {
        let token = format!("{input}.{}", base64url::encode(bad));
        assert_eq!(refusal(&issuer, &token), JoseError::SignatureInvalid);
    }
}

#[test]
fn jw_10_unsound_keys_are_refused() {
    let refused = |material| PublicKey::new(None, material).unwrap_err();
    let issuer = Owner::new("issuer");
    let KeyMaterial::P256 { x, mut y } = issuer.public(Algorithm::Es256).material().clone() else {
        unreachable!()
    };
    y[31] ^= 1;
    let off_curve = KeyMaterial::P256 { x, y };
    assert_eq!(refused(off_curve), JoseError::KeyInvalid);

    let mut one = [0; 32];
    one[0] = 1;
    for low_order in [[0; 32], one, [0xff; 32]] {
        assert_eq!(
            refused(KeyMaterial::Ed25519(low_order)),
            JoseError::KeyInvalid
        );
    }

    let KeyMaterial::Rsa { n, e } = issuer.public(Algorithm::Rs256).material().clone() else {
        unreachable!()
    };
    let rsa = |n: &[u8], e: &[u8]| KeyMaterial::Rsa {
        n: n.to_vec(),
        e: e.to_vec(),
    };
    assert!(PublicKey::new(None, rsa(&n, &e)).is_ok());
    assert_eq!(refused(rsa(&n[128..], &e)), JoseError::KeyWeak);
    assert_eq!(refused(rsa(&n, &[1])), JoseError::KeyWeak);
    assert_eq!(refused(rsa(&n, &[1, 0, 0])), JoseError::KeyWeak);
    assert_eq!(refused(rsa(&n, &[])), JoseError::KeyInvalid);
    assert_eq!(refused(rsa(&n, &[0, 3])), JoseError::KeyInvalid);
    assert_eq!(
        refused(rsa(&[&[0], &n[..]].concat(), &e)),
        JoseError::KeyInvalid
    );
    let mut even = n.clone();
    even[255] &= 0xfe;
    assert_eq!(refused(rsa(&even, &e)), JoseError::KeyInvalid);
}

#[test]
fn jw_10_an_ed25519_signature_with_a_non_canonical_s_is_refused() {
    let issuer = Owner::new("issuer");
    let token = issuer.token(Algorithm::EdDsa, &claims_with(""));
    let (input, signature) = token.rsplit_once('.').unwrap();
    let mut signature = base64url::decode(signature).unwrap();
    // s + L, with L = 2^252 + 27742317777372353535851937790883648493, little-endian.
    let order: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0;
    for (octet, added) in signature[32..].iter_mut().zip(order) {
        let sum = u16::from(*octet) + u16::from(added) + carry;
        *octet = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    let token = format!("{input}.{}", base64url::encode(signature));
    assert_eq!(refusal(&issuer, &token), JoseError::SignatureInvalid);
}

#[test]
fn jw_11_no_hmac_secret_is_ever_a_verification_key() {
    let secret = r#"{"kty":"oct","alg":"HS256","k":"c2hvcnQ"}"#;
    let refusal = PublicKey::parse(secret.as_bytes()).unwrap_err();
    assert_eq!(refusal, JoseError::KeyPrivate);
    let set = format!(r#"{{"keys":[{secret}]}}"#);
    let refusal = KeySet::parse(set.as_bytes()).unwrap_err();
    assert_eq!(refusal, JoseError::KeyPrivate);
    assert!(Algorithm::ALL.iter().all(|a| !a.name().starts_with("HS")));
}

#[test]
fn jw_11_an_hmac_secret_that_is_shorter_than_the_hash_is_none() {
    // RFC 7518 §3.2. Each signs what it is asked about: only its length is wrong.
    let verdict = |length: usize| {
        let secret = vec![7; length];
        let input = format!(
            "{}.{}",
            base64url::encode(r#"{"alg":"HS256"}"#),
            base64url::encode("{}")
        );
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        let mac = base64url::encode(hmac::sign(&key, input.as_bytes()).as_ref());
        let token = Unverified::<Hs256>::parse(&format!("{input}.{mac}")).unwrap();
        let known: [&[u8]; 1] = [&secret];
        token.verify(known).map(|_| ())
    };
    for length in [0, 1, 16, 31] {
        assert_eq!(verdict(length), Err(JoseError::KeyUnknown), "{length}");
    }
    for length in [32, 33, 64] {
        assert_eq!(verdict(length), Ok(()), "{length}");
    }
}

#[test]
fn jw_12_a_registered_claim_of_the_wrong_type_is_refused_and_never_absent() {
    let issuer = Owner::new("issuer");
    let base = json!({ "iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 300, "iat": NOW });
    for (name, value) in [
        ("exp", r#""never""#),
        ("exp", "null"),
        ("exp", "-1"),
        ("exp", "-0.5"),
        ("exp", "1e300"),
        ("exp", "9007199254740992"),
        ("exp", "true"),
        ("exp", r#"["1"]"#),
        ("nbf", "null"),
        ("nbf", r#""0""#),
        ("iat", "{}"),
        ("iat", "false"),
        ("iss", r#"["https://issuer.example"]"#),
        ("iss", "null"),
        ("aud", "null"),
        ("aud", "7"),
        ("aud", r#"["https://api.example",7]"#),
        ("aud", r#"{"https://api.example":1}"#),
        ("sub", "1"),
        ("sub", "null"),
        ("jti", "[]"),
    ] {
        let mut claims = base.clone();
        claims[name] = serde_json::from_str(value).unwrap();
        let token = issuer.token(Algorithm::EdDsa, &claims.to_string());
        let reason = refusal(&issuer, &token);
        assert_eq!(reason, JoseError::ClaimInvalid, "{name}: {value}");
    }
    let token = issuer.token(Algorithm::EdDsa, r#"{"exp":1e400}"#);
    assert_eq!(refusal(&issuer, &token), JoseError::JsonInvalid);
    for name in ["iss", "aud", "exp"] {
        let mut claims = base.clone();
        claims.as_object_mut().unwrap().remove(name);
        let token = issuer.token(Algorithm::EdDsa, &claims.to_string());
        assert_eq!(refusal(&issuer, &token), JoseError::ClaimMissing, "{name}");
    }
}

#[test]
fn jw_13_ten_seconds_ahead_are_accepted_and_more_than_sixty_are_not() {
    let issuer = Owner::new("issuer");
    for leeway in [0, 10, 30, 60, 86_400] {
        let mut policy = policy();
        policy.leeway = leeway;
        for name in ["nbf", "iat"] {
            let verdict = |ahead: u64| {
                let mut claims =
                    json!({ "iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 300, "iat": NOW });
                claims[name] = (NOW + ahead).into();
                let token = issuer.token(Algorithm::EdDsa, &claims.to_string());
                block_on(policy.verify(&token, &issuer.keys, &RingVerifier, NOW)).map(drop)
            };
            assert_eq!(verdict(10), Ok(()), "{name} {leeway}");
            assert_eq!(verdict(61), Err(JoseError::NotYetValid), "{name} {leeway}");
        }
    }
}

#[test]
fn jw_14_an_encrypted_token_is_refused_because_it_has_five_segments() {
    let header = base64url::encode(r#"{"alg":"dir","enc":"A256GCM"}"#);
    let refusal = UnverifiedJws::parse(&format!("{header}..AAAA.AAAA.AAAA")).unwrap_err();
    assert_eq!(refusal, JoseError::TokenMalformed);
}

#[test]
fn jw_15_zip_is_refused_before_any_work() {
    let issuer = Owner::new("issuer");
    let header = r#"{"alg":"EdDSA","kid":"issuer-EdDSA","zip":"DEF"}"#;
    let token = issuer.craft(Algorithm::EdDsa, header, &claims_with(""));
    let refusal = UnverifiedJws::parse(&token).unwrap_err();
    assert_eq!(refusal, JoseError::HeaderUnsupported);
}

#[test]
fn jw_16_two_ecdsa_signatures_never_share_r() {
    let issuer = Owner::new("issuer");
    let key = issuer.key(Algorithm::Es256);
    let mut seen = BTreeSet::new();
    for round in 0..64 {
        let message = format!("message {}", round % 2);
        let signature = block_on(issuer.signer.sign(&key, message.as_bytes())).unwrap();
        assert!(seen.insert(signature[..32].to_vec()));
    }
}

#[test]
fn jw_17_hostile_json_is_refused_in_bounded_time_and_stack() {
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    assert_eq!(
        parse_strict_json(deep.as_bytes()),
        Err(JoseError::JsonTooDeep)
    );
    let unclosed = r#"{"a":"#.repeat(100_000);
    assert_eq!(
        parse_strict_json(unclosed.as_bytes()),
        Err(JoseError::JsonTooDeep)
    );
    let digits = "9".repeat(1_000_000);
    assert_eq!(
        parse_strict_json(digits.as_bytes()),
        Err(JoseError::JsonInvalid)
    );
    for text in [
        &b"\xef\xbb\xbf{}"[..],
        br#"{"a":"\ud800"}"#,
        br#"{"a":"\udc00\ud800"}"#,
        b"\"\xed\xa0\x80\"",
        b"{}\0",
    ] {
        assert_eq!(parse_strict_json(text), Err(JoseError::JsonInvalid));
    }
}
