//! The rules by which records change: names are unique, what is referred to exists, somebody always
//! administers, and who must hear of a change is told before it is acknowledged.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::form::Form;
use super::list::{ListQuery, Page};
use super::schema::{Collection, Field, Given, Unfit};
use super::view::view;
use super::{clients, fitting, people, scopes};
use crate::model::{ClientId, Moment, RequestId, RoleFacts, Scope, Shard, SubjectFacts};
use crate::ports::At;
use crate::ports::directory::{Event, KeptQuotas};
use crate::token::Revocation;

/// How deep groups may lie in each other.
pub(super) const DEEPEST: usize = 16;
/// As many as there are: SQLite counts in 64 bits with a sign.
const ALL: u64 = 1 << 53;
/// What a user who may administer is linked to.
pub(super) const ADMINISTRATORS: (&str, u64) = ("administrators", 0);

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

/// What a record is found by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Index {
    /// What a search looks through: its texts, ASCII letters in lower case.
    pub words: String,
    /// Fields whose value no other record has.
    pub unique: Vec<(&'static str, String)>,
    /// What it refers to: a collection's path and a number.
    pub links: Vec<(&'static str, u64)>,
}

/// The rows, inside one transaction.
pub trait Rows {
    /// Why they cannot be read or written.
    type Fault;

    /// One record.
    fn find(&self, collection: Collection, id: u64) -> Result<Option<Record>, Self::Fault>;
    /// The record with this value of a unique field.
    fn holder(
        &self,
        collection: Collection,
        field: &str,
        value: &str,
    ) -> Result<Option<u64>, Self::Fault>;
    /// Those of a collection whose ids are above this one, by id; at most so many.
    fn after(&self, collection: Collection, id: u64, most: u64)
    -> Result<Vec<Record>, Self::Fault>;
    /// All of a collection, by id. Never of one that has no limit.
    fn all(&self, collection: Collection) -> Result<Vec<Record>, Self::Fault> {
        self.after(collection, 0, ALL)
    }
    /// How many there are.
    fn count(&self, collection: Collection) -> Result<u64, Self::Fault>;
    /// How many a question finds, and the ids of the page that it asks for.
    fn page(
        &self,
        collection: Collection,
        query: &ListQuery,
    ) -> Result<(u64, Vec<u64>), Self::Fault>;
    /// Whose scope field has this token, by id.
    fn holding(
        &self,
        collection: Collection,
        field: &str,
        token: &str,
    ) -> Result<Vec<u64>, Self::Fault>;
    /// What refers to this, in order; at most so many.
    fn links_to(
        &self,
        target: (&str, u64),
        most: usize,
    ) -> Result<Vec<(Collection, u64)>, Self::Fault>;
    /// A number that was never given before, not even by a database that was since restored to an
    /// earlier day: it is above `now`. Shards and the feed would take another thing of the same number
    /// for one that they know.
    fn next_number(&mut self, now: Moment) -> Result<u64, Self::Fault>;
    /// Where the next subject lives: every shard in turn.
    fn next_shard(&mut self) -> Result<Shard, Self::Fault>;
    /// Over how many shards subjects are spread.
    fn shards(&self) -> Result<u16, Self::Fault>;
    /// Writes one.
    fn put(
        &mut self,
        collection: Collection,
        record: &Record,
        index: &Index,
    ) -> Result<(), Self::Fault>;
    /// Takes one away.
    fn erase(&mut self, collection: Collection, id: u64) -> Result<(), Self::Fault>;
    /// Notes a change.
    fn audit(&mut self, line: Audited) -> Result<(), Self::Fault>;
    /// Notes what changes no record, unless this request did so already.
    fn audit_event(&mut self, event: &Event, actor: Actor, at: &At) -> Result<(), Self::Fault>;
    /// What this request did to the collection.
    fn audited(
        &self,
        collection: Collection,
        request: &RequestId,
    ) -> Result<Vec<Audited>, Self::Fault>;
    /// The newest lines first. A line has `pk`, `time` (milliseconds), `actor`, `address`, `request`,
    /// `collection`, `record`, `before` and `after`.
    fn history(&self, query: &ListQuery) -> Result<Page, Self::Fault>;
    /// Tells a subject's shard what it must know.
    fn tell_subject(&mut self, facts: &SubjectFacts) -> Result<(), Self::Fault>;
    /// Tells every shard what roles give.
    fn tell_roles(&mut self, roles: Vec<RoleFacts>) -> Result<(), Self::Fault>;
    /// Tells every shard that there is a scope no more.
    ///
    /// # Errors
    /// When the rows cannot be written.
    fn tell_no_scope(&mut self, scope: &str) -> Result<(), Self::Fault>;
    /// Puts a line into the feed.
    fn revoke(&mut self, line: Revocation) -> Result<(), Self::Fault>;
    /// What overrides quotas.
    fn quotas(&self) -> Result<KeptQuotas, Self::Fault>;
    /// Whether this request changed that.
    fn changed_quotas(&self, request: &RequestId) -> Result<bool, Self::Fault>;
    /// Writes that and has its copy in KV written anew, and notes who changed what into it.
    fn put_quotas(
        &mut self,
        before: &KeptQuotas,
        after: &KeptQuotas,
        actor: Actor,
        at: &At,
    ) -> Result<(), Self::Fault>;
    /// Has a client's copy in KV written anew, or taken away.
    fn publish_client(&mut self, client: &ClientId, version: u64) -> Result<(), Self::Fault>;
}

/// Every answer to a verb may be that rows could not be read.
pub type Answer<T, R> = Result<T, <R as Rows>::Fault>;

/// Changes a record. A refusal may come after something was written: who calls undoes it.
///
/// # Errors
/// Those of the rows; then nothing may stay of what was written.
pub fn apply<R: Rows>(
    rows: &mut R,
    collection: Collection,
    change: Change,
    actor: Actor,
    at: &At,
) -> Answer<Changed, R> {
    let kept = collection.kept();
    let asked = match &change {
        Change::Create(_) => None,
        Change::Set(id, _) | Change::Delete(id) => Some(*id),
    };
    if let Some(line) = repeated(rows, kept, asked, at)? {
        let done = match rows.find(kept, line.id)? {
            Some(record) => view(rows, collection, &record)?,
            None => line.before.or(line.after).unwrap_or_default(),
        };
        return Ok(Changed::Done(done));
    }
    let before = match asked {
        Some(id) => rows.find(kept, id)?,
        None if rows.count(kept)? >= kept.most() => return Ok(Changed::Full),
        None => None,
    };
    if asked.is_some() && before.is_none() {
        return Ok(Changed::Unknown);
    }
    if before
        .as_ref()
        .is_some_and(|record| is_protected(kept, record))
    {
        return Ok(Changed::Protected);
    }
    let mut after = match change {
        Change::Create(fields) => Some(Record {
            fields,
            ..Record::default()
        }),
        Change::Set(_, fields) => before.clone().map(|mut record| {
            record.fields.extend(fields);
            record
        }),
        Change::Delete(_) => None,
    };
    if let Some(after) = &mut after {
        if let Some(refused) = fit(rows, kept, before.as_ref(), after)? {
            return Ok(refused);
        }
        after.version = rows.next_number(at.now)?;
        if before.is_none() {
            after.id = after.version;
            // Nothing of an earlier client of this id is its own, nor does the end of that one end it.
            if kept == Collection::Providers {
                after.generation = after.version;
            }
        }
    }
    let somebody = administered(rows)?;
    let was = before.as_ref().map(|record| view(rows, collection, record));
    let was = was.transpose()?;
    let id = before
        .as_ref()
        .or(after.as_ref())
        .map_or(0, |record| record.id);
    write(rows, kept, before, after, at)?;
    if somebody && !administered(rows)? {
        return Ok(Changed::LastAdministrator);
    }
    let now = rows.find(kept, id)?;
    let now = now.map(|record| view(rows, collection, &record));
    let now = now.transpose()?;
    rows.audit(Audited {
        actor,
        request: at.request.clone(),
        collection: kept,
        id,
        before: was.clone(),
        after: now.clone(),
    })?;
    Ok(Changed::Done(now.or(was).unwrap_or_default()))
}

/// What this request did already, if it did this: made something, or changed that one.
pub(super) fn repeated<R: Rows>(
    rows: &R,
    collection: Collection,
    asked: Option<u64>,
    at: &At,
) -> Answer<Option<Audited>, R> {
    let mut lines = rows.audited(collection, &at.request)?.into_iter();
    Ok(lines.find(|line| match asked {
        None => line.before.is_none(),
        Some(id) => line.id == id && line.before.is_some(),
    }))
}

pub(super) fn administered<R: Rows>(rows: &R) -> Answer<bool, R> {
    Ok(!rows.links_to(ADMINISTRATORS, 1)?.is_empty())
}

/// Whether a record may neither be changed nor deleted.
pub(super) fn is_protected(collection: Collection, record: &Record) -> bool {
    match collection {
        Collection::Scopes => scopes::is_protected(record.text("value")),
        Collection::Flows => scopes::is_first_flow(record.text("slug")),
        _ => false,
    }
}

/// Why a record may not be as it is to be, if it may not. Names of others become their numbers.
fn fit<R: Rows>(
    rows: &R,
    collection: Collection,
    before: Option<&Record>,
    after: &mut Record,
) -> Answer<Option<Changed>, R> {
    let mut unfit = Vec::new();
    for field in collection.fields() {
        let Some(value) = after.fields.get(field.name).cloned() else {
            continue;
        };
        let was = before.and_then(|record| record.fields.get(field.name));
        if was == Some(&value) {
            continue;
        }
        let fixed = matches!(field.given, Given::Once | Given::Made);
        if was.is_some() && fixed {
            let rule = "cannot be changed: others refer to it";
            unfit.push(Unfit::new(field.name, rule));
        } else if field.unique {
            let value = value.as_str().unwrap_or_default();
            let holder = rows.holder(collection, field.name, value)?;
            if holder.is_some_and(|id| id != after.id) {
                return Ok(Some(Changed::Taken(field.name.to_owned())));
            }
        } else {
            match referred(rows, field, &value)? {
                Ok(Some(ids)) => {
                    after.fields.insert(field.name.to_owned(), ids);
                }
                Ok(None) => {}
                Err(rule) => unfit.push(Unfit::new(field.name, &rule)),
            }
        }
    }
    match collection {
        Collection::Groups
            if before.is_none_or(|before| before.number("parent") != after.number("parent")) =>
        {
            people::fit_group(rows, after, &mut unfit)?;
        }
        Collection::PropertyMappings => fitting::fit_mapping(after, &mut unfit),
        Collection::Flows => fitting::fit_flow(rows, before, after, &mut unfit)?,
        Collection::Applications => {
            if let Some(provider) = after.number("provider")
                && clients::application(rows, provider)?.is_some_and(|other| other.id != after.id)
            {
                return Ok(Some(Changed::Taken("provider".to_owned())));
            }
        }
        Collection::Sources => fitting::fit_keys(after, &mut unfit),
        Collection::Providers if before.is_none() && clients::name_is_taken(rows, after)? => {
            return Ok(Some(Changed::Taken("client_id".to_owned())));
        }
        Collection::Providers => {
            fitting::change_secrets(after, &mut unfit);
            fitting::fit(rows, before, after, &mut unfit)?;
        }
        _ => {}
    }
    Ok((!unfit.is_empty()).then_some(Changed::Unfit(unfit)))
}

/// Whether what a field refers to exists; names become numbers.
fn referred<R: Rows>(
    rows: &R,
    field: &Field,
    value: &Value,
) -> Answer<Result<Option<Value>, String>, R> {
    let there_is = |collection: Collection, id: &Value| {
        let found = id.as_u64().map(|id| rows.find(collection, id));
        Ok(matches!(found.transpose()?, Some(Some(_))))
    };
    match field.form {
        Form::Ref(collection) if !value.is_null() && !there_is(collection, value)? => {
            Ok(Err("names a record that does not exist".to_owned()))
        }
        Form::Refs(collection) => {
            for id in value.as_array().into_iter().flatten() {
                if !there_is(collection, id)? {
                    return Ok(Err("names a record that does not exist".to_owned()));
                }
            }
            Ok(Ok(None))
        }
        Form::Named(collection) => {
            let mut ids = Vec::new();
            for name in value.as_array().into_iter().flatten() {
                let id = match name.as_str() {
                    Some(name) => rows.holder(collection, "name", name)?,
                    None => name.as_u64(),
                };
                let Some(id) = id else {
                    return Ok(Err(format!("names what does not exist: {name}")));
                };
                if !ids.contains(&Value::from(id)) {
                    ids.push(Value::from(id));
                }
            }
            Ok(Ok(Some(Value::Array(ids))))
        }
        Form::Scope => {
            let scope = Scope::parse(value.as_str().unwrap_or_default()).unwrap_or_default();
            for token in scope.iter() {
                if rows.holder(Collection::Scopes, "value", token)?.is_none() {
                    return Ok(Err(format!("names a scope that does not exist: {token}")));
                }
            }
            Ok(Ok(None))
        }
        _ => Ok(Ok(None)),
    }
}

/// Writes a change that may be, and tells who must know.
pub(super) fn write<R: Rows>(
    rows: &mut R,
    collection: Collection,
    before: Option<Record>,
    after: Option<Record>,
    at: &At,
) -> Answer<(), R> {
    match (collection, before, after) {
        (_, None, None) => Ok(()),
        (Collection::Scopes, Some(before), None) => scopes::delete_scope(rows, &before, at),
        (Collection::Roles, before, Some(after)) => scopes::put_roles(rows, vec![(before, after)]),
        (Collection::Roles, Some(before), None) => scopes::delete_role(rows, &before, at),
        (Collection::Users, before, Some(after)) => {
            let held = before.as_ref().map(|before| people::held(rows, before));
            let held = held.transpose()?;
            people::put(rows, before.as_ref(), after, held)
        }
        (Collection::Users, Some(before), None) => people::delete(rows, before, at),
        (Collection::Groups, before, after) => people::put_group(rows, before, after, at),
        (Collection::Providers, before, Some(after)) => clients::put(rows, before.as_ref(), after),
        (Collection::Providers, Some(before), None) => clients::delete(rows, &before, at),
        (_, before, Some(after)) => {
            put(rows, collection, &after)?;
            clients::touch_of(rows, collection, before.as_ref(), &after, at)
        }
        (_, Some(before), None) => {
            unlink(rows, collection, before.id, at)?;
            rows.erase(collection, before.id)?;
            clients::touch_of(rows, collection, None, &before, at)
        }
    }
}

/// Writes a record and what it is found by.
///
/// # Errors
/// Those of the rows.
pub fn put<R: Rows>(rows: &mut R, collection: Collection, record: &Record) -> Answer<(), R> {
    let mut index = Index::default();
    for (name, value) in &record.fields {
        if let Some(text) = value.as_str().filter(|_| !name.starts_with('_')) {
            index.words.push_str(&text.to_ascii_lowercase());
            index.words.push('\n');
        }
    }
    for field in collection.fields() {
        let value = record.fields.get(field.name);
        if let Some(text) = value.and_then(Value::as_str)
            && field.unique
        {
            index.unique.push((field.name, text.to_owned()));
        }
        match (field.form, value) {
            (Form::Ref(to), Some(id)) => {
                index.links.extend(id.as_u64().map(|id| (to.path(), id)));
            }
            (Form::Refs(to) | Form::Named(to), Some(_)) => {
                let ids = record.numbers(field.name);
                index.links.extend(ids.map(|id| (to.path(), id)));
            }
            _ => {}
        }
    }
    if let Some(name) = clients::acts_as(collection, record) {
        // Two clients from before this was looked at stay as they are: the first has the name.
        let holder = rows.holder(collection, clients::ACTS_AS, &name)?;
        if holder.is_none_or(|holder| holder == record.id) {
            index.unique.push((clients::ACTS_AS, name));
        }
    }
    if collection == Collection::Users {
        index
            .unique
            .push(("subject", record.text("_subject").to_owned()));
        if people::administers(rows, record)? {
            index.links.push(ADMINISTRATORS);
        }
    }
    index.links.sort_unstable();
    index.links.dedup();
    rows.put(collection, record, &index)
}

/// Takes a record out of those that refer to it.
pub(super) fn unlink<R: Rows>(
    rows: &mut R,
    collection: Collection,
    id: u64,
    at: &At,
) -> Answer<(), R> {
    for (of, referring) in rows.links_to((collection.path(), id), usize::MAX)? {
        let Some(record) = rows.find(of, referring)? else {
            continue;
        };
        let mut changed = record.clone();
        for field in of.fields() {
            match (field.form, changed.fields.get_mut(field.name)) {
                (Form::Ref(to), Some(value)) if to == collection && value.as_u64() == Some(id) => {
                    *value = Value::Null;
                }
                (Form::Refs(to) | Form::Named(to), Some(Value::Array(ids))) if to == collection => {
                    ids.retain(|other| other.as_u64() != Some(id));
                }
                _ => {}
            }
        }
        changed.version = rows.next_number(at.now)?;
        write(rows, of, Some(record), Some(changed), at)?;
    }
    Ok(())
}
