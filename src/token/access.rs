//! Access tokens: one set of facts, two forms (sealed, or RFC 9068 `at+jwt`).
//!
//! What is sealed is ten lines instead of JSON: this is what validation reads most, and it costs a
//! third that way.
//!
//! ```text
//! sub ⏎ username ⏎ client ⏎ scope ⏎ audience ⏎ issued at ⏎ expires at ⏎ shard ⏎ [grant] ⏎ [session]
//! [⏎ generations, as JSON, if one is not 0 [⏎ [sub that the client is told] ⏎ [application] [⏎ mapped]]]
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::seal::{Kind, Sealable};
use crate::message;
use crate::model::{ClientId, GrantId, MOST_SHARDS, Scope, SessionId, Shard, UnixTime, Username};

/// `typ` of the JWT form, RFC 9068 §2.1.
pub const JWT_TYPE: &str = "at+jwt";

/// The last line of a token that is mapped.
const MAPPED: &str = "\nmapped";
/// Lines before the generations.
const LINES: usize = 10;

/// The generations a token was minted under. It dies when the feed names a higher one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Generations {
    /// Of the subject.
    #[serde(rename = "u", default, skip_serializing_if = "is_zero")]
    pub subject: u64,
    /// Of the client.
    #[serde(rename = "c", default, skip_serializing_if = "is_zero")]
    pub client: u64,
    /// Of the roles that gave it scopes.
    #[serde(rename = "r", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub roles: BTreeMap<String, u64>,
    /// Of its scopes, where one was ever raised.
    #[serde(rename = "s", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scopes: BTreeMap<String, u64>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Everything an access token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessToken {
    /// Our own name of a person, or the client's id when it acts for itself: what everything here is
    /// found by.
    pub sub: String,
    /// What its client is told as `sub`, where that is another name.
    pub told_as: Option<String>,
    /// The application whose issuer its client is told, where that is not the deployment's.
    pub application: Option<String>,
    /// Login name; `bot-` and the client's id when it acts for itself.
    pub username: Username,
    /// Whom it was issued to.
    pub client: ClientId,
    /// What it allows.
    pub scope: Scope,
    /// The one resource it is for.
    pub audience: String,
    /// Issued at.
    pub issued_at: UnixTime,
    /// Not valid from here on.
    pub expires_at: UnixTime,
    /// The grant it comes from; absent for client credentials.
    pub grant: Option<GrantId>,
    /// The session it dies with; absent when the grant is offline.
    pub session: Option<SessionId>,
    /// Where its subject's (or client's) ledger rows are.
    pub shard: Shard,
    /// What it was minted under.
    pub generations: Generations,
    /// Whether mappings of its client say something under its scope, so that introspection asks only of
    /// such a token what that is.
    pub mapped: bool,
}

impl AccessToken {
    /// `sub`, as everybody else is told it.
    #[must_use]
    pub fn told_sub(&self) -> &str {
        self.told_as.as_deref().unwrap_or(&self.sub)
    }
}

impl Sealable for AccessToken {
    const KIND: Kind = Kind::Access;

    fn write(&self) -> Option<Vec<u8>> {
        let scope = self.scope.to_string();
        let times = [self.issued_at.0.to_string(), self.expires_at.0.to_string()];
        let shard = self.shard.0.to_string();
        let lines: [&str; LINES] = [
            &self.sub,
            self.username.as_str(),
            self.client.as_str(),
            &scope,
            &self.audience,
            &times[0],
            &times[1],
            &shard,
            self.grant.as_ref().map_or("", GrantId::as_str),
            self.session.as_ref().map_or("", SessionId::as_str),
        ];
        let told = [&self.told_as, &self.application].map(|told| told.as_deref().unwrap_or(""));
        if lines.iter().chain(&told).any(|line| line.contains('\n')) {
            return None;
        }
        let mut plain = lines.join("\n").into_bytes();
        let differs = self.mapped || told.iter().any(|told| !told.is_empty());
        if differs || self.generations != Generations::default() {
            plain.push(b'\n');
            serde_json::to_writer(&mut plain, &self.generations).ok()?;
        }
        if differs {
            plain.extend(format!("\n{}\n{}", told[0], told[1]).into_bytes());
        }
        if self.mapped {
            plain.extend_from_slice(MAPPED.as_bytes());
        }
        Some(plain)
    }

    fn read(plain: &[u8]) -> Option<Self> {
        let mut lines = std::str::from_utf8(plain).ok()?.split('\n');
        let mut read = Self {
            told_as: None,
            application: None,
            sub: lines.next()?.to_owned(),
            username: Username::parse(lines.next()?).ok()?,
            client: ClientId::parse(lines.next()?).ok()?,
            scope: Scope::parse(lines.next()?).ok()?,
            audience: lines.next()?.to_owned(),
            issued_at: UnixTime(lines.next()?.parse().ok()?),
            expires_at: UnixTime(lines.next()?.parse().ok()?),
            // One that is asked for comes to be, and who has a resource's key names any.
            shard: Shard(
                lines
                    .next()?
                    .parse()
                    .ok()
                    .filter(|shard| *shard < MOST_SHARDS)?,
            ),
            grant: given(lines.next()?, GrantId::parse)?,
            session: given(lines.next()?, SessionId::parse)?,
            generations: match lines.next() {
                Some(json) => message::read(json.as_bytes()).ok()?,
                None => Generations::default(),
            },
            mapped: false,
        };
        let mut told = || Some(lines.next()?.to_owned()).filter(|line| !line.is_empty());
        (read.told_as, read.application) = (told(), told());
        let last = lines.next();
        read.mapped = last.is_some();
        let known = last.is_none_or(|last| MAPPED.strip_prefix('\n') == Some(last));
        (known && lines.next().is_none()).then_some(read)
    }

    fn resource(&self) -> Option<&str> {
        Some(&self.audience)
    }
}

/// An empty line is nothing; another one has to parse.
fn given<T, E>(line: &str, parse: fn(&str) -> Result<T, E>) -> Option<Option<T>> {
    if line.is_empty() {
        return Some(None);
    }
    parse(line).ok().map(Some)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::token) fn token() -> AccessToken {
        AccessToken {
            sub: "u_1".to_owned(),
            told_as: None,
            application: None,
            username: Username::parse("ada").unwrap(),
            client: ClientId::parse("c").unwrap(),
            scope: Scope::parse("write read").unwrap(),
            audience: "https://api.example/".to_owned(),
            issued_at: UnixTime(1),
            expires_at: UnixTime(2),
            grant: None,
            session: None,
            shard: Shard(3),
            generations: Generations::default(),
            mapped: false,
        }
    }

    #[test]
    fn what_is_absent_stays_absent_and_what_is_there_comes_back() {
        let bare = token();
        let text = String::from_utf8(bare.write().unwrap()).unwrap();
        assert_eq!(
            text,
            "u_1\nada\nc\nread write\nhttps://api.example/\n1\n2\n3\n\n"
        );
        assert_eq!(AccessToken::read(text.as_bytes()), Some(bare.clone()));
        let full = AccessToken {
            grant: GrantId::parse("g").ok(),
            session: SessionId::parse("s").ok(),
            scope: Scope::default(),
            generations: Generations {
                subject: 4,
                roles: BTreeMap::from([("an \n odd name".to_owned(), 5)]),
                ..Generations::default()
            },
            ..bare
        };
        assert_eq!(
            AccessToken::read(&full.write().unwrap()),
            Some(full.clone())
        );
        for (told_as, application) in [
            (Some("7"), None),
            (None, Some("shop")),
            (Some("7"), Some("shop")),
        ] {
            let told = AccessToken {
                told_as: told_as.map(str::to_owned),
                application: application.map(str::to_owned),
                ..token()
            };
            assert_eq!(
                AccessToken::read(&told.write().unwrap()),
                Some(told.clone())
            );
            let mapped = AccessToken {
                mapped: true,
                ..told
            };
            assert_eq!(AccessToken::read(&mapped.write().unwrap()), Some(mapped));
        }
        let mapped = AccessToken {
            mapped: true,
            ..token()
        };
        assert_eq!(AccessToken::read(&mapped.write().unwrap()), Some(mapped));
    }

    #[test]
    fn a_line_too_few_or_one_that_does_not_parse_is_no_token() {
        let text = String::from_utf8(token().write().unwrap()).unwrap();
        for (at, _) in text.match_indices('\n') {
            assert_eq!(AccessToken::read(&text.as_bytes()[..at]), None);
        }
        for (line, bad) in [
            (1, ""),
            (2, "é"),
            (3, "a  b"),
            (5, "-1"),
            (6, "x"),
            (7, "70000"),
            (8, " "),
        ] {
            let mut lines: Vec<&str> = text.split('\n').collect();
            lines[line] = bad;
            assert_eq!(
                AccessToken::read(lines.join("\n").as_bytes()),
                None,
                "{line}"
            );
        }
        for more in [
            "\n[",
            "\n{}\n7\nshop\n",
            "\n{}\n7\nshop\nmapped\n",
            "\n\n7\nshop",
        ] {
            assert_eq!(AccessToken::read(format!("{text}{more}").as_bytes()), None);
        }
    }

    #[test]
    fn a_line_break_where_none_belongs_is_not_sealed() {
        let odd = AccessToken {
            audience: "https://api.example/\n".to_owned(),
            ..token()
        };
        assert_eq!(odd.write(), None);
        let odd = AccessToken {
            told_as: Some("7\n8".to_owned()),
            ..token()
        };
        assert_eq!(odd.write(), None);
    }
}
