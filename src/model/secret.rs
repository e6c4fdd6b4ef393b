//! What must not be read by accident: secrets, and the digests that are stored instead.

use std::fmt;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::jose::base64url;

/// A bearer string or a secret. It prints as `…`; only [`Secret::expose`] gives the text.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Takes the text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Every caller is a place where it can leak.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What may be stored of it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// The SHA-256 of a high-entropy secret, base64url. Ours have 192 bits and more, which a plain
/// digest keeps as well as a slow one would; passwords go through Argon2id instead.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Digest(String);

impl Digest {
    /// Digests the bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
        Self(base64url::encode(digest.as_ref()))
    }

    /// Whether `secret` is what was digested, in constant time.
    #[must_use]
    pub fn matches(&self, secret: &Secret) -> bool {
        equal(self.0.as_bytes(), secret.digest().0.as_bytes())
    }

    /// The text, for use as a key of a cache or a store.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Constant time, so that nobody has to remember that it must be.
impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        equal(self.0.as_bytes(), other.0.as_bytes())
    }
}

/// Compares in a time that depends on the lengths only, eight bytes at once: a token has hundreds.
#[must_use]
pub fn equal(left: &[u8], right: &[u8]) -> bool {
    let (left, left_rest) = left.as_chunks::<8>();
    let (right, right_rest) = right.as_chunks::<8>();
    let words = left.iter().zip(right);
    let words = words.fold(0, |differ, (left, right)| {
        differ | (u64::from_ne_bytes(*left) ^ u64::from_ne_bytes(*right))
    });
    let same = left.len() == right.len();
    bool::from(left_rest.ct_eq(right_rest) & words.ct_eq(&0)) && same
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print_itself() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "…");
    }

    #[test]
    fn a_digest_matches_its_secret_and_no_other() {
        let digest = Secret::new("one").digest();
        assert!(digest.matches(&Secret::new("one")));
        assert!(!digest.matches(&Secret::new("two")));
    }

    #[test]
    fn bytes_are_equal_when_every_one_is() {
        let text = "0123456789abcdefghij";
        for length in 0..text.len() {
            let equal = |left: &str, right: &str| equal(left.as_bytes(), right.as_bytes());
            let (left, right) = (&text[..length], text[..length].to_owned());
            assert!(equal(left, &right));
            assert!(!equal(left, &text[..=length]) && !equal(&text[..=length], left));
            for at in 0..length {
                let mut bent = right.clone();
                bent.replace_range(at..=at, "~");
                assert!(!equal(left, &bent), "{length} {at}");
            }
        }
    }
}
