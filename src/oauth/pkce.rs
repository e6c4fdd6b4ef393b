//! Proof Key for Code Exchange, RFC 7636. Stricter than it: `plain` is refused, because every
//! client that can be registered can do S256.

use crate::error::Reason;
use crate::jose::base64url;
use crate::model::secret::equal;

/// The one method, as metadata lists it.
pub const METHODS: [&str; 1] = ["S256"];

/// The challenge of an authorization request.
///
/// # Errors
/// [`Reason::NoCodeChallenge`] without a challenge or with another method;
/// [`Reason::MalformedParameter`] when it is not 43–128 unreserved characters (§4.2).
pub fn challenge(challenge: Option<&str>, method: Option<&str>) -> Result<String, Reason> {
    let challenge = challenge.ok_or(Reason::NoCodeChallenge)?;
    match method {
        Some("S256") => {}
        // §4.3: no method means plain.
        None => return Err(Reason::NoCodeChallenge),
        Some(_) => return Err(Reason::MalformedParameter("code_challenge_method")),
    }
    if !unreserved(challenge) {
        return Err(Reason::MalformedParameter("code_challenge"));
    }
    Ok(challenge.to_owned())
}

/// Checks the verifier of a token request, in constant time.
///
/// # Errors
/// [`Reason::VerifierMismatch`], also when it is missing or malformed.
pub fn verify(verifier: Option<&str>, challenge: &str) -> Result<(), Reason> {
    let verifier = verifier.filter(|verifier| unreserved(verifier));
    let verifier = verifier.ok_or(Reason::VerifierMismatch)?;
    let digest = ring::digest::digest(&ring::digest::SHA256, verifier.as_bytes());
    if equal(
        base64url::encode(digest.as_ref()).as_bytes(),
        challenge.as_bytes(),
    ) {
        Ok(())
    } else {
        Err(Reason::VerifierMismatch)
    }
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
            challenge(Some(CHALLENGE), Some("S256")),
            Ok(CHALLENGE.to_owned())
        );
        assert_eq!(
            challenge(Some(CHALLENGE), None),
            Err(Reason::NoCodeChallenge)
        );
        for method in ["s256", "S512", "plain", " S256"] {
            assert!(
                challenge(Some(CHALLENGE), Some(method)).is_err(),
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
            assert!(challenge(Some(bad), Some("S256")).is_err());
            assert_eq!(verify(Some(bad), CHALLENGE), Err(Reason::VerifierMismatch));
        }
        assert_eq!(verify(None, CHALLENGE), Err(Reason::VerifierMismatch));
        assert!(challenge(Some(&"~".repeat(128)), Some("S256")).is_ok());
    }
}
