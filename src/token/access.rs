//! Access tokens: one set of facts, two forms (sealed, or RFC 9068 `at+jwt`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::seal::{Kind, Sealable};
use crate::model::{ClientId, GrantId, Scope, SessionId, Shard, UnixTime, Username};

/// `typ` of the JWT form, RFC 9068 §2.1.
pub const JWT_TYPE: &str = "at+jwt";

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

/// Everything an access token says. Short names: it travels with every request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessToken {
    /// A person's subject, or the client's id when it acts for itself.
    pub sub: String,
    /// Login name; `bot-` and the client's id when it acts for itself.
    #[serde(rename = "u")]
    pub username: Username,
    /// Whom it was issued to.
    #[serde(rename = "c")]
    pub client: ClientId,
    /// What it allows.
    #[serde(rename = "s")]
    pub scope: Scope,
    /// The one resource it is for.
    #[serde(rename = "a")]
    pub audience: String,
    /// Issued at.
    #[serde(rename = "i")]
    pub issued_at: UnixTime,
    /// Not valid from here on.
    #[serde(rename = "x")]
    pub expires_at: UnixTime,
    /// The grant it comes from; absent for client credentials.
    #[serde(rename = "g", default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantId>,
    /// The session it dies with; absent when the grant is offline.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// Where its subject's (or client's) ledger rows are.
    #[serde(rename = "h")]
    pub shard: Shard,
    /// What it was minted under.
    #[serde(rename = "n", default)]
    pub generations: Generations,
}

impl Sealable for AccessToken {
    const KIND: Kind = Kind::Access;

    fn resource(&self) -> Option<&str> {
        Some(&self.audience)
    }
}
