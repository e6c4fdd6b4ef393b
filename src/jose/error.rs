//! Why a token or key was refused.

use core::fmt;

/// Why a token, key or key set was refused. For us and our logs: peers learn less.
///
/// The printed form is stable: it is a metric label and the verdict in `tests/vectors/verdicts.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum JoseError {
    /// Longer than any token of ours may be.
    TokenTooLarge,
    /// Not three base64url segments (RFC 7515 §3.1).
    TokenMalformed,
    /// A segment or key member is not canonical base64url.
    Base64urlInvalid,
    /// Not JSON (RFC 8259), or not the kind of JSON value that belongs there.
    JsonInvalid,
    /// An object names a member twice.
    JsonDuplicateMember,
    /// Nested deeper than anything we exchange.
    JsonTooDeep,
    /// A header parameter is missing or of the wrong type.
    HeaderInvalid,
    /// `crit`, `b64` or `zip`: the token demands a rule we do not have.
    HeaderUnsupported,
    /// `alg` is not in our table, or not allowed here.
    AlgorithmUnsupported,
    /// The key is for another algorithm than the token names.
    AlgorithmMismatch,
    /// No key of the set fits the token.
    KeyUnknown,
    /// More than one key of the set fits the token.
    KeyAmbiguous,
    /// The key's type, curve or algorithm is not in our table.
    KeyUnsupported,
    /// The key is not for checking signatures (`use`, `key_ops`).
    KeyNotForSignatures,
    /// The key is malformed, off its curve or of small order.
    KeyInvalid,
    /// The key is too weak: RSA below 2048 bits or a degenerate exponent.
    KeyWeak,
    /// A private or symmetric key where only public ones belong.
    KeyPrivate,
    /// Not a JWK Set, or longer than any should be.
    KeySetInvalid,
    /// The signature does not fit.
    SignatureInvalid,
    /// `typ` is not what is expected here (RFC 8725 §3.11).
    TypMismatch,
    /// A registered claim has the wrong type or range; never taken for absent.
    ClaimInvalid,
    /// A claim that is required here is absent.
    ClaimMissing,
    /// `iss` is not the expected issuer.
    IssuerMismatch,
    /// `aud` names none of us.
    AudienceMismatch,
    /// `exp` has passed.
    Expired,
    /// `nbf` or `iat` lies in the future.
    NotYetValid,
    /// Older than the policy allows, by `iat`.
    TooOld,
    /// `nonce` is not the one sent.
    NonceMismatch,
    /// `azp` is not this client, or is missing beside other audiences.
    AuthorizedPartyMismatch,
    /// The user signed in longer ago than `max_age` allows.
    AuthenticationTooOld,
    /// `at_hash` is not that of the access token beside it.
    AccessTokenMismatch,
    /// The cryptographic backend failed or lacks the algorithm; says nothing about the token.
    BackendUnavailable,
}

impl JoseError {
    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TokenTooLarge => "token_too_large",
            Self::TokenMalformed => "token_malformed",
            Self::Base64urlInvalid => "base64url_invalid",
            Self::JsonInvalid => "json_invalid",
            Self::JsonDuplicateMember => "json_duplicate_member",
            Self::JsonTooDeep => "json_too_deep",
            Self::HeaderInvalid => "header_invalid",
            Self::HeaderUnsupported => "header_unsupported",
            Self::AlgorithmUnsupported => "algorithm_unsupported",
            Self::AlgorithmMismatch => "algorithm_mismatch",
            Self::KeyUnknown => "key_unknown",
            Self::KeyAmbiguous => "key_ambiguous",
            Self::KeyUnsupported => "key_unsupported",
            Self::KeyNotForSignatures => "key_not_for_signatures",
            Self::KeyInvalid => "key_invalid",
            Self::KeyWeak => "key_weak",
            Self::KeyPrivate => "key_private",
            Self::KeySetInvalid => "key_set_invalid",
            Self::SignatureInvalid => "signature_invalid",
            Self::TypMismatch => "typ_mismatch",
            Self::ClaimInvalid => "claim_invalid",
            Self::ClaimMissing => "claim_missing",
            Self::IssuerMismatch => "issuer_mismatch",
            Self::AudienceMismatch => "audience_mismatch",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::TooOld => "too_old",
            Self::NonceMismatch => "nonce_mismatch",
            Self::AuthorizedPartyMismatch => "authorized_party_mismatch",
            Self::AuthenticationTooOld => "authentication_too_old",
            Self::AccessTokenMismatch => "access_token_mismatch",
            Self::BackendUnavailable => "backend_unavailable",
        }
    }
}

impl fmt::Display for JoseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for JoseError {}
