//! The table of signature algorithms (RFC 7518 §3.1, RFC 8037 §3.1).
//!
//! No other file enumerates their names: metadata, parsing and both backends read this one.

use serde::{Deserialize, Serialize};

use super::JoseError;

/// A signature algorithm we sign and verify with. HMAC is not among them: a verifier of ours never
/// holds what could forge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum Algorithm {
    /// Ed25519.
    EdDsa,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256; OpenID Connect Core §15.1 demands it.
    Rs256,
}

/// The hash whose left half makes `at_hash` and `c_hash` (OpenID Connect Core §3.1.3.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HalfHash {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// Every row, the preferred first.
    pub const ALL: [Self; 3] = [Self::EdDsa, Self::Es256, Self::Rs256];

    /// The `alg` value.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }

    /// Reads an `alg` value. Names are case-sensitive (RFC 7515 §4.1.1).
    pub fn parse(name: &str) -> Result<Self, JoseError> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
            .ok_or(JoseError::AlgorithmUnsupported)
    }

    /// The `kty` of its keys.
    pub const fn kty(self) -> &'static str {
        match self {
            Self::EdDsa => "OKP",
            Self::Es256 => "EC",
            Self::Rs256 => "RSA",
        }
    }

    /// The `crv` of its keys.
    pub const fn crv(self) -> Option<&'static str> {
        match self {
            Self::EdDsa => Some("Ed25519"),
            Self::Es256 => Some("P-256"),
            Self::Rs256 => None,
        }
    }

    /// The length of every signature, where the algorithm alone fixes it; an RSA signature is as
    /// long as its modulus (RFC 8017 §8.2.2).
    pub const fn signature_length(self) -> Option<usize> {
        match self {
            Self::EdDsa | Self::Es256 => Some(64),
            Self::Rs256 => None,
        }
    }

    /// The hash for `at_hash`: the one inside the algorithm. Ed25519 has SHA-512 inside, which is
    /// what oauth4webapi and oidc-token-hash (openid-client, oidc-provider) compute for `EdDSA`.
    pub const fn half_hash(self) -> HalfHash {
        match self {
            Self::EdDsa => HalfHash::Sha512,
            Self::Es256 | Self::Rs256 => HalfHash::Sha256,
        }
    }
}

impl TryFrom<String> for Algorithm {
    type Error = JoseError;

    fn try_from(name: String) -> Result<Self, JoseError> {
        Self::parse(&name)
    }
}

impl From<Algorithm> for &'static str {
    fn from(algorithm: Algorithm) -> Self {
        algorithm.name()
    }
}

impl HalfHash {
    /// `at_hash` from a digest made elsewhere: the left half, base64url (OpenID Connect Core §3.1.3.6).
    pub fn of_digest(digest: &[u8]) -> String {
        let (left, _) = digest.split_at(digest.len() / 2);
        super::base64url::encode(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_reads_back_from_its_name() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::parse(algorithm.name()), Ok(algorithm));
        }
    }

    #[test]
    fn at_hash_is_the_left_half_of_the_algorithms_own_hash() {
        // OpenID Connect Core A.3 (RS256).
        let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
        assert_eq!(Algorithm::Rs256.at_hash(token), "77QmUPtjPfzWtF2AnpK9RQ");
        // SHA-512: 32 octets, 43 characters.
        assert_eq!(Algorithm::EdDsa.at_hash(token).len(), 43);
    }
}
