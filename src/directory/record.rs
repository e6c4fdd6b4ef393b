//! What a record is, and what is asked and answered of one.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::schema::{Collection, Unfit};
use crate::model::{RequestId, Scope};

/// The fields of a record, as they are answered or kept. A name that begins with `_` is never
/// answered.
pub type Fields = Map<String, Value>;

/// A record at rest.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Record {
    /// Never given twice, in no collection.
    pub id: u64,
    /// Raised with every change.
    pub version: u64,
    /// Raised when it gives less than before.
    pub generation: u64,
    /// All but the id.
    pub fields: Fields,
}

impl Record {
    /// A text field; empty if it is not there.
    #[must_use]
    pub fn text(&self, field: &str) -> &str {
        self.fields
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// A flag; no if it is not there.
    #[must_use]
    pub fn flag(&self, field: &str) -> bool {
        self.fields.get(field) == Some(&Value::Bool(true))
    }

    /// A number of ours.
    #[must_use]
    pub fn number(&self, field: &str) -> Option<u64> {
        self.fields.get(field).and_then(Value::as_u64)
    }

    /// A list; empty if it is not there.
    #[must_use]
    pub fn list(&self, field: &str) -> &[Value] {
        let list = self.fields.get(field).and_then(Value::as_array);
        list.map_or(&[], Vec::as_slice)
    }

    /// The numbers of a list.
    pub fn numbers(&self, field: &str) -> impl Iterator<Item = u64> {
        self.list(field).iter().filter_map(Value::as_u64)
    }

    /// A scope string.
    #[must_use]
    pub fn scope(&self, field: &str) -> Scope {
        Scope::parse(self.text(field)).unwrap_or_default()
    }
}

/// Who changes something, from where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// A username, or a name in angle brackets for who has none.
    pub name: String,
    /// The peer's address, if it is known.
    pub address: Option<String>,
}

/// What is done to a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// A new one.
    Create(Fields),
    /// Other fields, read as a replacement or as a patch.
    Set(u64, Fields),
    /// No more.
    Delete(u64),
}

/// What came of a change. Whatever it is but done, nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Changed {
    /// The record as it is now, or as it was before it went. Also the answer to the same request
    /// repeated.
    Done(Fields),
    /// There is no such record.
    Unknown,
    /// It belongs to the system.
    Protected,
    /// Another record has this value.
    Taken(String),
    /// Fields that do not fit the rest.
    Unfit(Vec<Unfit>),
    /// There are as many as there may be.
    Full,
    /// Nobody would administer any more.
    LastAdministrator,
}

/// A line of the history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Audited {
    /// Who.
    pub actor: Actor,
    /// In which request.
    pub request: RequestId,
    /// To what.
    pub collection: Collection,
    /// To which.
    pub id: u64,
    /// What it was; nothing when it is new.
    pub before: Option<Fields>,
    /// What it is; nothing when it is gone.
    pub after: Option<Fields>,
}
