//! Scope, RFC 6749 §3.3: a set of tokens, printed sorted.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// Tokens in one scope string. A consent page that lists more informs nobody.
const MOST_TOKENS: usize = 64;

/// Bytes in one scope token.
const LONGEST_TOKEN: usize = 255;

/// Scopes the protocol itself gives a meaning; anybody may be granted them.
pub const OPENID_CONNECT: [&str; 5] = ["openid", "profile", "email", "address", "phone"];

/// Asks for access that survives the session (OpenID Connect Core §11).
pub const OFFLINE_ACCESS: &str = "offline_access";

/// Administers the deployment.
pub const ADMIN: &str = "admin:token";

/// Reads the list of what was revoked: for resources that check tokens by themselves.
pub const REVOCATIONS: &str = "revocation:read";

/// Speaks for oneself at the management API.
pub const OWN: &str = "user:token";

/// A set of scope tokens.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "String")]
pub struct Scope(BTreeSet<String>);

/// The text is not a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MalformedScope;

impl Scope {
    /// Reads a space-separated list. The empty string is the empty set; order and repetition do
    /// not matter, everything else of RFC 6749 §3.3's grammar does.
    ///
    /// # Errors
    /// [`MalformedScope`] for another character, doubled spaces, or more than the limits.
    pub fn parse(text: &str) -> Result<Self, MalformedScope> {
        Self::of(text)
            .filter(|scope| scope.0.len() <= MOST_TOKENS)
            .ok_or(MalformedScope)
    }

    fn of(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::default());
        }
        let mut tokens = BTreeSet::new();
        for token in text.split(' ') {
            if token.is_empty() || token.len() > LONGEST_TOKEN || !token.bytes().all(nqchar) {
                return None;
            }
            tokens.insert(token.to_owned());
        }
        Some(Self(tokens))
    }

    /// Whether `token` is in the set.
    #[must_use]
    pub fn contains(&self, token: &str) -> bool {
        self.0.contains(token)
    }

    /// Whether every token is also in `other`.
    #[must_use]
    pub fn is_subset(&self, other: &Self) -> bool {
        self.0.is_subset(&other.0)
    }

    /// Whether it holds what is needed: all of it, or, of several, `any`. A token `service:*` holds
    /// every level of that service, and `*:*` of every service; neither reaches scopes that administer
    /// Edgemint.
    #[must_use]
    pub fn satisfies(&self, needed: &Self, any: bool) -> bool {
        let mut tokens = needed.0.iter();
        if any {
            needed.is_empty() || tokens.any(|token| self.holds(token))
        } else {
            tokens.all(|token| self.holds(token))
        }
    }

    fn holds(&self, token: &str) -> bool {
        if self.0.contains(token) {
            return true;
        }
        match token.rsplit_once(':') {
            Some((service, _)) if !is_management(token) => {
                self.0.contains(&format!("{service}:*")) || self.0.contains("*:*")
            }
            _ => false,
        }
    }

    /// Whether there is no token.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What both sets hold.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).cloned().collect())
    }

    /// What either set holds.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).cloned().collect())
    }

    /// The set with one token more.
    #[must_use]
    pub fn with(&self, token: &str) -> Self {
        let mut tokens = self.0.clone();
        tokens.insert(token.to_owned());
        Self(tokens)
    }

    /// The tokens for which `keep` answers yes.
    #[must_use]
    pub fn filter(&self, keep: impl Fn(&str) -> bool) -> Self {
        Self(self.0.iter().filter(|token| keep(token)).cloned().collect())
    }

    /// The tokens in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// Whether a scope token administers Edgemint itself.
#[must_use]
pub fn is_management(token: &str) -> bool {
    token.starts_with("admin:") || token == OWN
}

fn nqchar(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E)
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for token in &self.0 {
            if !first {
                f.write_str(" ")?;
            }
            f.write_str(token)?;
            first = false;
        }
        Ok(())
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What we stored: several roles together may give more than one request may name.
impl TryFrom<String> for Scope {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::of(&text).ok_or("malformed scope")
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_prints_sorted_and_without_repetition() {
        let scope = Scope::parse("write read write").unwrap();
        assert_eq!(scope.to_string(), "read write");
    }

    #[test]
    fn a_star_holds_every_level_of_its_service_and_nothing_that_administers() {
        let scope = |text| Scope::parse(text).unwrap();
        let holds = |held, needed| scope(held).satisfies(&scope(needed), false);
        assert!(holds("bill:read bill:write", "bill:read"));
        assert!(holds("bill:*", "bill:read bill:delete"));
        assert!(holds("*:*", "bill:read mail:*"));
        assert!(holds("a:b:*", "a:b:read"));
        for (held, needed) in [
            ("bill:read", "bill:write"),
            ("bill:read", "bill:*"),
            ("bill:*", "billing:read"),
            ("bill:*", "bill"),
            ("*:*", "plain"),
            ("a:*", "a:b:read"),
            ("*", "bill:read"),
            ("*:*", ADMIN),
            ("admin:*", ADMIN),
            ("user:*", OWN),
            ("*:*", "admin:keys"),
        ] {
            assert!(!holds(held, needed), "{held} for {needed}");
        }
    }

    #[test]
    fn of_several_one_is_enough_where_any_will_do() {
        let scope = |text| Scope::parse(text).unwrap();
        assert!(scope("a").satisfies(&scope("a b"), true));
        assert!(!scope("a").satisfies(&scope("a b"), false));
        assert!(!scope("c").satisfies(&scope("a b"), true));
        assert!(scope("").satisfies(&scope(""), true));
    }

    #[test]
    fn other_characters_and_doubled_spaces_are_refused() {
        for text in [
            " ", "a  b", " a", "a ", "a\tb", "a\"b", "a\\b", "é", "a\u{0}",
        ] {
            assert_eq!(Scope::parse(text), Err(MalformedScope), "{text:?}");
        }
    }

    #[test]
    fn a_scope_of_too_many_or_too_long_tokens_is_refused() {
        let many: Vec<String> = (0..=MOST_TOKENS).map(|n| n.to_string()).collect();
        assert!(Scope::parse(&many.join(" ")).is_err());
        let stored = Scope::try_from(many.join(" ")).unwrap();
        assert_eq!(stored.iter().count(), MOST_TOKENS + 1);
        assert!(Scope::parse(&"x".repeat(LONGEST_TOKEN + 1)).is_err());
    }
}
