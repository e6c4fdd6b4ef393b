//! The rules by which records change: names are unique, what others refer to stays, and who must
//! hear of a change is told before it is acknowledged.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::schema::{self, Collection, Unfit};
use crate::model::scope::{ADMIN, OFFLINE_ACCESS, OPENID_CONNECT};
use crate::model::{Moment, RequestId, RoleFacts, Scope};
use crate::ports::At;
use crate::token::Revocation;

/// Records of one collection. They are read whole for a list and for every check.
const MOST: usize = 1_000;

/// The fields of a record, as they are answered or kept.
pub type Fields = Map<String, Value>;

/// A record at rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Never given twice, in no collection.
    pub id: u64,
    /// Raised with every change.
    pub version: u64,
    /// Raised when it gives less than before.
    pub generation: u64,
    /// The request that made it.
    pub created_by: RequestId,
    /// The request that changed it last.
    pub changed_by: Option<RequestId>,
    /// All but the id.
    pub fields: Fields,
}

impl Record {
    fn new(id: u64, fields: Fields, created_by: &RequestId) -> Self {
        Self {
            id,
            version: 1,
            generation: 0,
            created_by: created_by.clone(),
            changed_by: None,
            fields,
        }
    }

    fn text(&self, field: &str) -> &str {
        self.fields
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    fn scope(&self) -> Scope {
        Scope::parse(self.text("scopes")).unwrap_or_default()
    }

    fn role(&self) -> RoleFacts {
        RoleFacts {
            role: self.id.to_string(),
            version: self.version,
            generation: self.generation,
            scope: self.scope(),
        }
    }
}

/// Who changes something, from where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// A username, or `<bootstrap>`.
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

/// What came of a change.
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

/// The rows, inside one transaction.
pub trait Rows {
    /// Why they cannot be read or written.
    type Fault;

    /// All of a collection, by id.
    fn all(&self, collection: Collection) -> Result<Vec<Record>, Self::Fault>;
    /// A number that was never given before, not even by a database that was since restored to an
    /// earlier day: it is above `now`. Shards and the feed would take another thing of the same number
    /// for one that they know.
    fn next_number(&mut self, now: Moment) -> Result<u64, Self::Fault>;
    /// Writes one.
    fn put(&mut self, collection: Collection, record: &Record) -> Result<(), Self::Fault>;
    /// Takes one away.
    fn erase(&mut self, collection: Collection, id: u64) -> Result<(), Self::Fault>;
    /// Notes a change.
    fn audit(&mut self, line: Audited) -> Result<(), Self::Fault>;
    /// What this request did to the record, if it did anything.
    fn audited(
        &self,
        collection: Collection,
        id: u64,
        request: &RequestId,
    ) -> Result<Option<Audited>, Self::Fault>;
    /// Takes a scope from every account and client, and tells who must know.
    fn strip(&mut self, scope: &str) -> Result<(), Self::Fault>;
    /// Tells every shard what roles give.
    fn tell_roles(&mut self, roles: Vec<RoleFacts>) -> Result<(), Self::Fault>;
    /// Puts a line into the feed.
    fn revoke(&mut self, line: Revocation) -> Result<(), Self::Fault>;
}

/// Scopes that are there from the beginning and stay: the protocol's own, and those that the
/// management API asks for.
const SEEDED: [(&str, &str); 8] = [
    ("Sign-in", OPENID_CONNECT[0]),
    ("Profile", OPENID_CONNECT[1]),
    ("Mail address", OPENID_CONNECT[2]),
    ("Postal address", OPENID_CONNECT[3]),
    ("Telephone number", OPENID_CONNECT[4]),
    ("Access without being signed in", OFFLINE_ACCESS),
    ("Administration", ADMIN),
    ("Own account and tokens", "user:token"),
];

/// Whether a scope may neither be changed nor deleted.
fn is_protected(scope: &str) -> bool {
    SEEDED.iter().any(|(_, value)| *value == scope)
}

/// The fields of a scope.
#[must_use]
pub fn scope_fields(name: &str, value: &str) -> Fields {
    let fields = [("name", name), ("description", ""), ("value", value)];
    let named = fields.map(|(field, text)| (field.to_owned(), Value::from(text)));
    named.into_iter().collect()
}

/// Makes the scopes that every deployment has, where they are missing.
///
/// # Errors
/// Those of the rows.
pub fn seed<R: Rows>(rows: &mut R, request: &RequestId) -> Result<(), R::Fault> {
    let known = rows.all(Collection::Scopes)?;
    for (name, value) in SEEDED {
        if known.iter().any(|record| record.text("value") == value) {
            continue;
        }
        // The same in every deployment, whenever it began.
        let id = rows.next_number(Moment::default())?;
        let record = Record::new(id, scope_fields(name, value), request);
        rows.put(Collection::Scopes, &record)?;
    }
    Ok(())
}

/// Tells every shard what every role gives: there may be new shards.
///
/// # Errors
/// Those of the rows.
pub fn tell_roles<R: Rows>(rows: &mut R) -> Result<(), R::Fault> {
    let roles = rows.all(Collection::Roles)?;
    rows.tell_roles(roles.iter().map(Record::role).collect())
}

/// Changes a record.
///
/// # Errors
/// Those of the rows; then nothing may stay of what was written.
pub fn apply<R: Rows>(
    rows: &mut R,
    collection: Collection,
    change: Change,
    actor: Actor,
    at: &At,
) -> Result<Changed, R::Fault> {
    let records = rows.all(collection)?;
    let find = |id: u64| records.iter().find(|record| record.id == id);
    let (before, mut after) = match change {
        Change::Create(fields) => {
            let by_us = |record: &&Record| record.created_by == at.request;
            if let Some(record) = records.iter().find(by_us) {
                return Ok(Changed::Done(view(&rows.all(Collection::Scopes)?, record)));
            }
            if records.len() >= MOST {
                return Ok(Changed::Full);
            }
            // It gets its number when nothing speaks against it.
            (None, Some(Record::new(0, fields, &at.request)))
        }
        Change::Set(id, fields) => {
            let Some(record) = find(id) else {
                return Ok(Changed::Unknown);
            };
            if record.changed_by.as_ref() == Some(&at.request) {
                return Ok(Changed::Done(view(&rows.all(Collection::Scopes)?, record)));
            }
            let mut changed = record.clone();
            changed.changed_by = Some(at.request.clone());
            changed.fields.extend(fields);
            (Some(record.clone()), Some(changed))
        }
        Change::Delete(id) => match find(id) {
            Some(record) => (Some(record.clone()), None),
            None => {
                let line = rows.audited(collection, id, &at.request)?;
                let erased = line.filter(|line| line.after.is_none());
                let before = erased.and_then(|line| line.before);
                return Ok(before.map_or(Changed::Unknown, Changed::Done));
            }
        },
    };
    if let Some(refused) = refusal(rows, collection, &records, before.as_ref(), after.as_ref())? {
        return Ok(refused);
    }
    if let Some(after) = &mut after {
        after.version = rows.next_number(at.now)?;
        if before.is_none() {
            after.id = after.version;
        }
    }
    let id = after
        .as_ref()
        .or(before.as_ref())
        .map_or(0, |record| record.id);
    write(rows, collection, before.as_ref(), after.clone(), at)?;
    let scopes = rows.all(Collection::Scopes)?;
    let shown = |record: Option<&Record>| record.map(|record| view(&scopes, record));
    let (before, after) = (shown(before.as_ref()), shown(after.as_ref()));
    let done = after.clone().or_else(|| before.clone()).unwrap_or_default();
    rows.audit(Audited {
        actor,
        request: at.request.clone(),
        collection,
        id,
        before,
        after,
    })?;
    Ok(Changed::Done(done))
}

/// Why a change may not be, if it may not.
fn refusal<R: Rows>(
    rows: &R,
    collection: Collection,
    records: &[Record],
    before: Option<&Record>,
    after: Option<&Record>,
) -> Result<Option<Changed>, R::Fault> {
    if collection == Collection::Scopes
        && before.is_some_and(|record| is_protected(record.text("value")))
    {
        return Ok(Some(Changed::Protected));
    }
    let Some(after) = after else {
        return Ok(None);
    };
    for field in collection.fields() {
        let given = after.fields.get(field.name);
        if let Some(before) = before
            && field.given == schema::Given::Once
            && before.fields.get(field.name) != given
        {
            let rule = "cannot be changed: tokens carry it";
            return Ok(Some(Changed::Unfit(vec![Unfit::new(field.name, rule)])));
        }
        let same = |record: &&Record| {
            record.id != after.id && given.is_some() && record.fields.get(field.name) == given
        };
        if field.unique && records.iter().any(|record| same(&record)) {
            return Ok(Some(Changed::Taken(field.name.to_owned())));
        }
    }
    if collection == Collection::Roles {
        let unknown = unknown_scope(rows, &after.scope())?;
        return Ok(unknown.map(|unfit| Changed::Unfit(vec![unfit])));
    }
    Ok(None)
}

/// Why nobody can hold this scope, if one of it was never made.
fn unknown_scope<R: Rows>(rows: &R, scope: &Scope) -> Result<Option<Unfit>, R::Fault> {
    let known = rows.all(Collection::Scopes)?;
    let unknown = scope.filter(|token| known.iter().all(|record| record.text("value") != token));
    Ok(unknown.iter().next().map(|token| {
        let rule = format!("names a scope that does not exist: {token}");
        Unfit::new("scopes", &rule)
    }))
}

/// The roles of these names, by id, for somebody who is to hold them and this scope.
///
/// # Errors
/// Those of the rows; inside, what does not exist.
pub fn holdings<R: Rows>(
    rows: &R,
    scope: &Scope,
    names: &[String],
) -> Result<Result<BTreeMap<String, u64>, Unfit>, R::Fault> {
    if let Some(unfit) = unknown_scope(rows, scope)? {
        return Ok(Err(unfit));
    }
    let mut roles = BTreeMap::new();
    if names.is_empty() {
        return Ok(Ok(roles));
    }
    let known = rows.all(Collection::Roles)?;
    for name in names {
        let Some(role) = known.iter().find(|role| role.text("name") == name) else {
            return Ok(Err(Unfit::new("roles", "names a role that does not exist")));
        };
        roles.insert(role.id.to_string(), role.generation);
    }
    Ok(Ok(roles))
}

/// Writes a change that may be, and tells who must know.
fn write<R: Rows>(
    rows: &mut R,
    collection: Collection,
    before: Option<&Record>,
    after: Option<Record>,
    at: &At,
) -> Result<(), R::Fault> {
    match (collection, before, after) {
        (Collection::Scopes, _, Some(after)) => rows.put(collection, &after),
        (Collection::Scopes, Some(before), None) => delete_scope(rows, before, at),
        (Collection::Roles, _, Some(after)) => {
            let facts = put_role(rows, before, after)?;
            rows.tell_roles(vec![facts])
        }
        (Collection::Roles, Some(before), None) => delete_role(rows, before, at),
        (Collection::Scopes | Collection::Roles, None, None) => Ok(()),
    }
}

/// Takes a role away. Who still has it has nothing of it.
fn delete_role<R: Rows>(rows: &mut R, role: &Record, at: &At) -> Result<(), R::Fault> {
    rows.erase(Collection::Roles, role.id)?;
    let number = rows.next_number(at.now)?;
    rows.tell_roles(vec![RoleFacts {
        role: role.id.to_string(),
        version: number,
        generation: number,
        scope: Scope::default(),
    }])?;
    rows.revoke(Revocation::Role(role.id.to_string(), number))
}

/// Writes a role; answers what the shards are to be told. If it gives less than before, what was minted
/// under it ends.
fn put_role<R: Rows>(
    rows: &mut R,
    before: Option<&Record>,
    mut after: Record,
) -> Result<RoleFacts, R::Fault> {
    let less = before.is_some_and(|before| !before.scope().is_subset(&after.scope()));
    if less {
        after.generation = after.version;
    }
    rows.put(Collection::Roles, &after)?;
    if less {
        rows.revoke(Revocation::Role(after.id.to_string(), after.generation))?;
    }
    Ok(after.role())
}

/// Takes a scope away from whoever has it, and ends the tokens that carry it.
fn delete_scope<R: Rows>(rows: &mut R, scope: &Record, at: &At) -> Result<(), R::Fault> {
    let value = scope.text("value");
    rows.erase(Collection::Scopes, scope.id)?;
    let mut told = Vec::new();
    for role in rows.all(Collection::Roles)? {
        if !role.scope().contains(value) {
            continue;
        }
        let mut changed = role.clone();
        let left = role.scope().filter(|token| token != value);
        changed.version = rows.next_number(at.now)?;
        changed.changed_by = Some(at.request.clone());
        changed
            .fields
            .insert("scopes".to_owned(), Value::from(left.to_string()));
        told.push(put_role(rows, Some(&role), changed)?);
    }
    rows.tell_roles(told)?;
    rows.strip(value)?;
    let generation = rows.next_number(at.now)?;
    rows.revoke(Revocation::Scope(value.to_owned(), generation))
}

/// A record as it is answered: with its id, and with the scopes it names.
#[must_use]
pub fn view(scopes: &[Record], record: &Record) -> Fields {
    let mut fields = Fields::new();
    fields.insert("id".to_owned(), Value::from(record.id));
    fields.extend(record.fields.clone());
    if fields.contains_key("scopes") {
        let scope = record.scope();
        let named = scopes
            .iter()
            .filter(|known| scope.contains(known.text("value")))
            .map(|known| Value::Object(view(scopes, known)));
        fields.insert("scopes".to_owned(), Value::Array(named.collect()));
    }
    fields
}
