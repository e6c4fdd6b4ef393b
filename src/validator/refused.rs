//! Why a resource refuses, and what it says: RFC 6750 §3.

use crate::model::Scope;
use crate::token::mac::{self, MacRefused};

/// What a client is told of every token that is not accepted, so that it learns no more than that.
pub const INVALID_TOKEN: &str = "the token is invalid, expired, revoked or for others";

/// Why a request is refused. What the peer learns is `error`, `status`, `challenge` and `scope`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// No token was presented.
    NoToken,
    /// Not an access token of the issuer.
    TokenUnknown,
    /// Signed with a key that is not in the copy of the issuer's; a newer copy may have it.
    KeyUnknown,
    /// It has expired.
    TokenExpired,
    /// It was revoked.
    TokenRevoked,
    /// It is for somebody else.
    OtherAudience,
    /// It does not allow what is asked for: this would be needed.
    InsufficientScope(Scope),
    /// The request is not signed as it has to be.
    Mac(MacRefused),
    /// That could not be found out, which is no verdict.
    Missing(Missing),
}

/// What the verdict would need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// The issuer's public keys, or a backend that can use them.
    Keys,
    /// The keys of the resource: the token is sealed, and there are none.
    ResourceKeys,
    /// Newer keys of the resource: the token says that it is of a later epoch than these.
    NewerResourceKeys,
    /// A copy of the revocations within its bound.
    Revocations,
}

impl Refused {
    /// The code: `unavailable` is no verdict about the token, the others are RFC 6750's.
    #[must_use]
    pub fn error(&self) -> &'static str {
        match self {
            Self::InsufficientScope(_) => "insufficient_scope",
            Self::Missing(_) => "unavailable",
            _ => "invalid_token",
        }
    }

    /// The status to answer with.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::InsufficientScope(_) => 403,
            Self::Missing(_) => 503,
            _ => 401,
        }
    }

    /// The value of `WWW-Authenticate`, if there is one to send. It never echoes the token.
    #[must_use]
    pub fn challenge(&self) -> Option<String> {
        match self {
            Self::NoToken => Some(challenge(None)),
            Self::InsufficientScope(scope) => {
                Some(challenge(Some((self.error(), "scope", &scope.to_string()))))
            }
            Self::Missing(_) => None,
            _ => Some(challenge(Some((
                self.error(),
                "error_description",
                INVALID_TOKEN,
            )))),
        }
    }

    /// The same for who signs requests by MAC.
    #[must_use]
    pub fn mac_challenge(&self) -> Option<String> {
        let scope = self.scope().map(Scope::to_string);
        let error = match self {
            Self::Missing(_) => return None,
            Self::NoToken => None,
            Self::InsufficientScope(_) => Some("the token lacks a scope"),
            Self::Mac(MacRefused::Replayed) => Some("the nonce was used before"),
            _ => Some(INVALID_TOKEN),
        };
        Some(mac::challenge(error, scope.as_deref()))
    }

    /// The scope that would be needed, where that is what lacks.
    #[must_use]
    pub fn scope(&self) -> Option<&Scope> {
        match self {
            Self::InsufficientScope(scope) => Some(scope),
            _ => None,
        }
    }

    /// A stable word for the log of whoever runs the resource; clients are not told.
    #[must_use]
    pub fn cause(&self) -> &'static str {
        match self {
            Self::NoToken => "no_token",
            Self::TokenUnknown => "token_unknown",
            Self::KeyUnknown => "key_unknown",
            Self::TokenExpired => "token_expired",
            Self::TokenRevoked => "token_revoked",
            Self::OtherAudience => "token_for_other_audience",
            Self::InsufficientScope(_) => "insufficient_scope",
            Self::Mac(MacRefused::Malformed) => "mac_malformed",
            Self::Mac(MacRefused::Mismatch) => "mac_mismatch",
            Self::Mac(MacRefused::OutOfTime) => "mac_out_of_time",
            Self::Mac(MacRefused::OtherBody) => "mac_for_other_body",
            Self::Mac(MacRefused::BodyUnknown) => "mac_body_unknown",
            Self::Mac(MacRefused::Replayed) => "mac_replayed",
            Self::Missing(Missing::Keys) => "no_keys",
            Self::Missing(Missing::ResourceKeys) => "no_resource_keys",
            Self::Missing(Missing::NewerResourceKeys) => "resource_keys_outdated",
            Self::Missing(Missing::Revocations) => "revocations_outdated",
        }
    }
}

impl From<MacRefused> for Refused {
    fn from(refused: MacRefused) -> Self {
        Self::Mac(refused)
    }
}

/// A bearer challenge: bare where no token was sent (RFC 6750 §3.1), else the code and one more
/// attribute. What is given has no character that would have to be escaped.
#[must_use]
pub fn challenge(said: Option<(&str, &str, &str)>) -> String {
    let realm = "Bearer realm=\"edgemint\"";
    match said {
        None => realm.to_owned(),
        Some((error, name, value)) => format!("{realm}, error=\"{error}\", {name}=\"{value}\""),
    }
}
