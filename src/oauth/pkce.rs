//! Proof Key for Code Exchange, RFC 7636. Stricter than it: there is no code without a challenge, and
//! `plain` is for clients that were switched to it by a long name.

use crate::error::Reason;
use crate::jose::base64url;
use crate::model::secret::equal;

/// The one method that anybody is invited to, as metadata lists it.
pub const METHODS: [&str; 1] = ["S256"];

/// The challenge of an authorization request, by S256 whichever way it came: of a plain one the code has
/// the hash, so that there is one comparison, and no code says a verifier to who might open it.
///
/// # Errors
/// [`Reason::NoCodeChallenge`] without a challenge or method; [`Reason::MalformedParameter`] with a method
/// that the client may not use, and when it is not 43–128 unreserved characters (§4.2).
pub fn challenge(
    challenge: Option<&str>,
    method: Option<&str>,
    allow_plain: bool,
) -> Result<String, Reason> {
    let challenge = challenge.ok_or(Reason::NoCodeChallenge)?;
    let plain = match method {
        Some("S256") => false,
        // §4.3: no method means plain.
        Some("plain") | None if allow_plain => true,
        None => return Err(Reason::NoCodeChallenge),
        Some(_) => return Err(Reason::MalformedParameter("code_challenge_method")),
    };
    if !unreserved(challenge) {
        return Err(Reason::MalformedParameter("code_challenge"));
    }
    Ok(if plain {
        s256(challenge)
    } else {
        challenge.to_owned()
    })
}

/// Checks the verifier of a token request, in constant time.
///
/// # Errors
/// [`Reason::VerifierMismatch`], also when it is missing or malformed.
pub fn verify(verifier: Option<&str>, challenge: &str) -> Result<(), Reason> {
    let verifier = verifier.filter(|verifier| unreserved(verifier));
    let verifier = verifier.ok_or(Reason::VerifierMismatch)?;
    if equal(s256(verifier).as_bytes(), challenge.as_bytes()) {
        Ok(())
    } else {
        Err(Reason::VerifierMismatch)
    }
}

/// §4.6.
fn s256(verifier: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, verifier.as_bytes());
    base64url::encode(digest.as_ref())
}

fn unreserved(text: &str) -> bool {
    (43..=128).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 7636 Appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn pk_9_appendix_b_verifies_and_no_flipped_bit_does() {
        assert_eq!(verify(Some(VERIFIER), CHALLENGE), Ok(()));
        for (index, byte) in VERIFIER.bytes().enumerate() {
            for bit in 0..7 {
                let mut bent = VERIFIER.as_bytes().to_vec();
                bent[index] = byte ^ (1 << bit);
                let bent = String::from_utf8(bent).unwrap();
                assert_eq!(
                    verify(Some(&bent), CHALLENGE),
                    Err(Reason::VerifierMismatch)
                );
            }
        }
        for (index, byte) in CHALLENGE.bytes().enumerate() {
            let mut bent = CHALLENGE.as_bytes().to_vec();
            bent[index] = byte ^ 1;
            let bent = String::from_utf8(bent).unwrap();
            assert_eq!(verify(Some(VERIFIER), &bent), Err(Reason::VerifierMismatch));
        }
    }

    #[test]
    fn pk_3_only_s256_is_a_method() {
        assert_eq!(
            challenge(Some(CHALLENGE), Some("S256"), false),
            Ok(CHALLENGE.to_owned())
        );
        assert_eq!(
            challenge(Some(CHALLENGE), None, false),
            Err(Reason::NoCodeChallenge)
        );
        for method in ["s256", "S512", "plain", " S256"] {
            assert!(
                challenge(Some(CHALLENGE), Some(method), false).is_err(),
                "{method}"
            );
        }
    }

    #[test]
    fn pk_4_and_5_lengths_and_characters_are_bounded() {
        for bad in [
            "",
            &"a".repeat(42),
            &"a".repeat(129),
            &format!("{}+", "a".repeat(43)),
        ] {
            assert!(challenge(Some(bad), Some("S256"), false).is_err());
            assert!(challenge(Some(bad), Some("plain"), true).is_err());
            assert_eq!(verify(Some(bad), CHALLENGE), Err(Reason::VerifierMismatch));
        }
        assert_eq!(verify(None, CHALLENGE), Err(Reason::VerifierMismatch));
        assert!(challenge(Some(&"~".repeat(128)), Some("S256"), false).is_ok());
        // A verifier never meets no challenge.
        assert_eq!(verify(Some(VERIFIER), ""), Err(Reason::VerifierMismatch));
    }

    #[test]
    fn pk_5_a_verifier_of_another_length_or_alphabet_is_refused_though_its_digest_fits() {
        // SHA-256 of "a", from elsewhere: the digests below are by the same function as the check.
        let of_a = "ypeBEsobvcr6wjGzmiPcTaeG7_gUfE5yuYB3ha_uSLs";
        assert_eq!(s256("a"), of_a);
        assert_eq!(verify(Some("a"), of_a), Err(Reason::VerifierMismatch));
        let own = |verifier: &str| verify(Some(verifier), &s256(verifier));
        for length in [0, 42, 129] {
            let refused = own(&"a".repeat(length));
            assert_eq!(refused, Err(Reason::VerifierMismatch), "{length}");
        }
        for odd in ['+', '/', '=', '%', ' ', '\0', 'é'] {
            let verifier = format!("{}{odd}", "a".repeat(42));
            assert_eq!(own(&verifier), Err(Reason::VerifierMismatch), "{odd:?}");
        }
        for length in [43, 128] {
            assert_eq!(own(&"~".repeat(length)), Ok(()), "{length}");
        }
    }

    #[test]
    fn s2_4_a_plain_challenge_is_kept_as_its_hash_whose_verifier_is_itself() {
        for method in [Some("plain"), None] {
            let kept = challenge(Some(VERIFIER), method, true).unwrap();
            assert_eq!(kept, CHALLENGE);
            assert_eq!(verify(Some(VERIFIER), &kept), Ok(()));
        }
        // Who may use it may use S256 as well, and then the challenge is not the verifier.
        let kept = challenge(Some(CHALLENGE), Some("S256"), true).unwrap();
        assert!(verify(Some(CHALLENGE), &kept).is_err());
        assert!(challenge(Some(VERIFIER), Some("Plain"), true).is_err());
        assert_eq!(
            challenge(None, Some("plain"), true),
            Err(Reason::NoCodeChallenge)
        );
    }
}
