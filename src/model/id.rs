//! Identifiers. Each is its own type, so that a session can never be passed for a grant.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::jose::base64url;

/// What is wrong with an identifier that came from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MalformedId;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $longest:expr, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// Accepts the text if its length and every character fit.
            ///
            /// # Errors
            /// [`MalformedId`] when it is empty, too long, or has another character.
            pub fn parse(text: &str) -> Result<Self, MalformedId> {
                if Self::fits(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(MalformedId)
                }
            }

            fn fits(text: &str) -> bool {
                !text.is_empty() && text.len() <= $longest && text.bytes().all($allowed)
            }

            /// The text, as it is on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                if Self::fits(&text) {
                    Ok(Self(text))
                } else {
                    Err(format!("malformed {}", stringify!($name)))
                }
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    };
}

id!(
    /// RFC 6749 §2.2. At most 60 characters, so that `bot-` and the id make a username; no
    /// character that Basic authentication, a log or a URL would have to escape.
    ClientId,
    60,
    |byte| base64url::is_digit(byte) || byte == b'.' || byte == b'~'
);
impl ClientId {
    /// What it is called where it acts for itself. `~` may stand in a client id and not in a username,
    /// nor may capitals: no two clients have one name, which the directory sees to.
    #[must_use]
    pub fn acts_as(&self) -> String {
        let folded = self.0.to_ascii_lowercase().replace('~', ".");
        format!("bot-{folded}")
    }
}

id!(
    /// Names a person for good: `u_` and 128 random bits. No client id begins with `u_`, so the
    /// `sub` of a person and of a client never meet (RFC 9700 §4.15.1).
    Subject,
    64,
    base64url::is_digit
);
id!(
    /// A grant and its refresh family. It is the id of the code that opened it.
    GrantId,
    32,
    base64url::is_digit
);
id!(
    /// A browser session; what OpenID Connect calls `sid`.
    SessionId,
    32,
    base64url::is_digit
);
id!(
    /// One sealed thing; what RFC 7519 calls `jti`.
    TokenId,
    32,
    base64url::is_digit
);
id!(
    /// One HTTP request. A store that sees the same id and verb twice answers as it did before.
    RequestId,
    64,
    base64url::is_digit
);
id!(
    /// A login name: 1–64 characters, lower case, so that two names never differ by case alone.
    /// `bot-` is reserved for services; who creates accounts refuses it.
    Username,
    64,
    |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.@+".contains(&byte)
);

id!(
    /// What a token is called by in lists, paths and histories: 128 bits in 22 characters. Whoever
    /// knows it has nothing; the token itself is said nowhere.
    TokenKey,
    22,
    base64url::is_digit
);

impl TokenKey {
    /// Characters of a key.
    pub const LENGTH: usize = 22;

    /// The key of something sealed: of an access token its `jti`'s, of a session its id's.
    #[must_use]
    pub fn of(id: &str) -> Self {
        Self(public_id(id))
    }

    /// Reads a key that somebody typed: of this length and no other.
    ///
    /// # Errors
    /// [`MalformedId`].
    pub fn parse_whole(text: &str) -> Result<Self, MalformedId> {
        Self::parse(text).and_then(|key| {
            if text.len() == Self::LENGTH {
                Ok(key)
            } else {
                Err(MalformedId)
            }
        })
    }
}

impl Subject {
    /// What every subject begins with, and no client id.
    pub const PREFIX: &'static str = "u_";
}

/// 192 random bits are 32 of the characters that it allows.
impl From<[u8; 24]> for TokenId {
    fn from(random: [u8; 24]) -> Self {
        Self(base64url::encode(random))
    }
}

/// A grant is named by the code that opens it.
impl From<TokenId> for GrantId {
    fn from(code: TokenId) -> Self {
        Self(code.0)
    }
}

/// What people call a session or a grant by: 128 bits of a digest. The id itself is sealed into
/// cookies and tokens and named to applications, and is nobody's to type.
#[must_use]
pub fn public_id(id: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, id.as_bytes());
    base64url::encode(digest.as_ref().get(..16).unwrap_or_default())
}

/// One of the ledger's objects. A subject's shard is chosen once and sealed into everything that
/// speaks of the subject, so that it is always known and never looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shard(pub u16);

/// Shards that there are at most.
pub const MOST_SHARDS: u16 = 256;

/// How many shards keep things that have no subject. Fixed for good: a nonce that was spent under
/// another count would be looked for in the wrong place and could be spent again.
const KEYED_SHARDS: u16 = 16;

impl Shard {
    /// All of them, where subjects are spread over so many.
    pub fn all(spread: u16) -> impl Iterator<Item = Self> {
        (0..spread.max(KEYED_SHARDS)).map(Self)
    }

    /// The shard of a thing without a subject, by the hash of its own key.
    #[must_use]
    pub fn of_key(key: &str) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, key.as_bytes());
        let first = digest.as_ref().first().copied().unwrap_or_default();
        Self(u16::from(first) % KEYED_SHARDS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_with_a_foreign_character_is_refused() {
        for text in ["", "a b", "a\n", "é", "a\0", &"x".repeat(61)] {
            assert!(ClientId::parse(text).is_err(), "{text:?}");
        }
        assert!(Username::parse("Upper").is_err());
        assert!(ClientId::parse("edgemint-demo").is_ok());
    }

    #[test]
    fn an_id_of_our_own_making_reads_back() {
        let id = TokenId::from([0xff; 24]);
        assert_eq!(TokenId::parse(id.as_str()), Ok(id.clone()));
        let grant = GrantId::from(id);
        assert_eq!(GrantId::parse(grant.as_str()), Ok(grant));
    }

    #[test]
    fn a_key_always_has_the_same_shard() {
        assert_eq!(Shard::of_key("a"), Shard::of_key("a"));
        assert!(Shard::of_key("b").0 < KEYED_SHARDS);
    }
}
