//! What a shard knows of who ended what: a line for each end that somebody asked for by the API or on
//! a page of ours, committed with it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::At;
use crate::directory::record::Actor;

/// Under which name the history tells of an end, and who wanted it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Noted {
    /// Who.
    pub actor: Actor,
    /// Of what kind it is there: one of [`ENDED`].
    pub collection: String,
    /// What it is called there; never its value.
    pub record: String,
}

/// Every kind of thing whose ends are noted in shards.
pub const ENDED: [&str; 6] = [
    "authorization_codes",
    "access_tokens",
    "refresh_tokens",
    "sessions",
    "grants",
    "consents",
];

/// Lines of a shard's history, the newest first. Filters are those of the directory's
/// [`ListAudit`](super::directory::ListAudit).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListEnds {
    /// Fields and the values that they have to have.
    pub filters: Vec<(String, String)>,
    /// Lines at most.
    pub most: u64,
}

impl Noted {
    /// Something of a kind.
    #[must_use]
    pub fn new(actor: &Actor, collection: &str, record: impl ToString) -> Self {
        Self {
            actor: actor.clone(),
            collection: collection.to_owned(),
            record: record.to_string(),
        }
    }

    /// The line: what it was whose end this is, and whose. A shard adds `number`.
    #[must_use]
    pub fn line(self, before: &Value, at: &At) -> Map<String, Value> {
        let line = json!({
            "time": at.now,
            "request": at.request,
            "collection": self.collection,
            "record": self.record,
            "actor": self.actor.name,
            "address": self.actor.address,
            "before": before,
            "after": null,
        });
        match line {
            Value::Object(line) => line,
            _ => Map::new(),
        }
    }
}
