//! What the history says of tokens that are rows.

use serde_json::{Value, json};

use crate::directory::record::Actor;
use crate::model::{RequestId, TokenKey, UnixTime};
use crate::ports::ledger::Row;
use crate::ports::tokens::{INTERNAL, Owner, ReadTokenHistory, TokenRow};

/// A line of the history.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// When.
    pub time: UnixTime,
    /// Whose token.
    pub owner: Owner,
    /// In which request.
    pub request: Option<RequestId>,
    /// What is told of it.
    pub told: Row,
}

/// What a line says that was written for a change.
pub(crate) fn line(
    row: &TokenRow,
    before: Option<&TokenRow>,
    action: &str,
    by: &Actor,
    at: (UnixTime, Option<&RequestId>),
) -> Line {
    let scopes = |row: &TokenRow| json!(row.scopes.iter().collect::<Vec<_>>());
    let mut told = Row::new();
    for (name, value) in [
        ("token", json!(row.key)),
        ("username", json!(row.username)),
        ("token_type", json!(row.token_type)),
        ("token_name", json!(row.token_name)),
        ("parent", json!(row.parent)),
        ("scopes", scopes(row)),
        ("service", json!(row.service)),
        ("expires", json!(row.expires)),
        ("actor", json!(by.name)),
        ("action", json!(action)),
        ("ip_address", json!(by.address)),
        ("event_time", json!(at.0)),
    ] {
        told.insert(name.to_owned(), value);
    }
    if let Some(before) = before {
        if before.token_name != row.token_name {
            told.insert("old_token_name".to_owned(), json!(before.token_name));
        }
        if before.scopes != row.scopes {
            told.insert("old_scopes".to_owned(), scopes(before));
        }
        if before.expires != row.expires {
            told.insert("old_expires".to_owned(), json!(before.expires));
        }
    }
    Line {
        time: at.0,
        owner: row.owner(),
        request: at.1.cloned(),
        told,
    }
}

/// A line about a token that expired by itself.
pub(crate) fn expired(row: &TokenRow) -> Line {
    let by = nobody();
    line(
        row,
        None,
        "expire",
        &by,
        (row.expires.unwrap_or_default(), None),
    )
}

pub(super) fn nobody() -> Actor {
    Actor {
        name: INTERNAL.to_owned(),
        address: None,
    }
}

/// Whether a line is one of those that are asked for, wherever they begin.
#[must_use]
pub(crate) fn fits(line: &Line, verb: &ReadTokenHistory) -> bool {
    let told = |name: &str| line.told.get(name).and_then(Value::as_str);
    let parent = told("parent").filter(|_| !verb.alone);
    let key = verb.key.as_ref().map(TokenKey::as_str);
    let bits = told("ip_address").and_then(crate::model::address_bits);
    verb.owner.as_ref().is_none_or(|owner| line.owner == *owner)
        && verb
            .username
            .as_deref()
            .is_none_or(|name| told("username") == Some(name))
        && (key.is_none() || told("token") == key || parent == key)
        && verb
            .token_type
            .is_none_or(|kind| told("token_type") == Some(kind.as_str()))
        && verb
            .actor
            .as_deref()
            .is_none_or(|actor| told("actor") == Some(actor))
        && verb.since.is_none_or(|since| since <= line.time)
        && verb.until.is_none_or(|until| line.time <= until)
        && verb
            .addresses
            .as_ref()
            .is_none_or(|(first, last)| bits.is_some_and(|bits| *first <= bits && bits <= *last))
}
