//! Records on their way out of a deployment and into one: which come first, and what an import may
//! write. Ids stay as they are, because records refer to each other by them; versions and generations
//! are given anew, because shards and the feed may know a later one of something that was deleted here.
//!
//! A copy is `{collection, id, version, fields}`, private fields included. What overrides quotas is
//! copied like a record of [`QUOTAS`], of which there is one.

use serde_json::{Value, json};

use super::list::Page;
use super::people;
use super::record::{Actor, Audited, Changed, Fields, Record};
use super::records::{administered, is_protected, write};
use super::rows::{Answer, Rows};
use super::schema::{Collection, Given};
use super::view::view;
use crate::message;
use crate::model::{Moment, Quotas};
use crate::ports::At;
use crate::ports::directory::KeptQuotas;
use crate::token::Revocation;

/// What is copied, in this order: whatever is referred to comes before what refers to it.
const ORDER: [Collection; 9] = [
    Collection::Scopes,
    Collection::Roles,
    Collection::Groups,
    Collection::Flows,
    Collection::Sources,
    Collection::PropertyMappings,
    Collection::Users,
    Collection::Providers,
    Collection::Applications,
];

/// Bytes of fields after which a page ends: an answer far below what an object may send.
const LARGEST_PAGE: usize = 1 << 20;
/// Milliseconds by which a number may be ahead of the clock that it follows. A number that is far
/// ahead would be the least of all that come after.
const AHEAD: u64 = 86_400_000;
/// The member with the version that a record had where it was exported.
const IMPORTED: &str = "_imported";
/// The member with the shard of a subject.
const SHARD: &str = "_shard";

/// What overrides quotas, among the collections.
pub const QUOTAS: &str = "quotas";

/// A copy of what overrides quotas, where anything does.
#[must_use]
pub fn of_quotas(kept: KeptQuotas) -> Option<Fields> {
    Some(Fields::from_iter([
        ("collection".to_owned(), Value::from(QUOTAS)),
        ("fields".to_owned(), Value::Object(kept.overrides?)),
        ("id".to_owned(), Value::from(kept.version)),
        ("version".to_owned(), Value::from(kept.version)),
    ]))
}

/// The first to be copied: nothing comes before what follows it and 0.
#[must_use]
pub fn first() -> (Collection, u64) {
    (Collection::Scopes, 0)
}

/// Copies of the records that follow one, in the order in which they are imported, at most so many. The
/// page's count is how many there are on it; where no more follow, it is 0 and the last member of the
/// results says how many there are of each kind.
///
/// # Errors
/// Those of the rows.
pub fn export<R: Rows>(rows: &R, (last, id): (Collection, u64), limit: u64) -> Answer<Page, R> {
    let mut page = Page {
        count: 0,
        results: Vec::new(),
    };
    let mut bytes = 0;
    let mut counts = Fields::new();
    let mut reached = false;
    for collection in ORDER {
        let word = json!(collection);
        let name = word.as_str().unwrap_or_default().to_owned();
        counts.insert(name, Value::from(rows.count(collection)?));
        reached |= collection == last;
        if !reached {
            continue;
        }
        let from = if collection == last { id } else { 0 };
        for mut record in rows.after(collection, from, limit - page.count)? {
            record.fields.remove(IMPORTED);
            let fields = Value::Object(record.fields);
            bytes += fields.to_string().len();
            page.count += 1;
            page.results.push(Fields::from_iter([
                ("collection".to_owned(), word.clone()),
                ("fields".to_owned(), fields),
                ("id".to_owned(), Value::from(record.id)),
                ("version".to_owned(), Value::from(record.version)),
            ]));
            if page.count == limit || bytes > LARGEST_PAGE {
                return Ok(page);
            }
        }
    }
    page.count = 0;
    page.results.push(counts);
    Ok(page)
}

/// Writes copies, each with the `line` it came in: all, or none. One that is here already with the same
/// version or a newer one is passed over. What a record refers to and is not here counts as nothing, as
/// it does where it was deleted. What was done is `{imported, skipped, conflicts}`: how many were
/// written, and how many were here; or, if nothing was, which cannot be here, `{line, collection, id,
/// field}`: another record has that value of the field, or this one has another here; `id`, where the
/// number cannot be one of ours.
///
/// # Errors
/// Those of the rows; then nothing may stay of what was written.
pub fn import<R: Rows>(
    rows: &mut R,
    copies: Vec<Fields>,
    actor: &Actor,
    at: &At,
) -> Answer<(Changed, bool), R> {
    let somebody = administered(rows)?;
    let mut done = Vec::new();
    for collection in ORDER {
        let lines = rows.audited(collection, &at.request)?;
        done.extend(lines.into_iter().map(|line| (collection, line.id)));
    }
    let (mut imported, mut skipped) = (0, 0);
    let mut conflicts = Vec::new();
    for mut copy in copies {
        let (collection, record) = read(&mut copy);
        if is_of_quotas(&copy) {
            match put_quotas(rows, record, actor, at)? {
                Some(true) => imported += 1,
                Some(false) => skipped += 1,
                None => {
                    copy.insert("field".to_owned(), Value::from("id"));
                    conflicts.push(Value::Object(copy));
                }
            }
            continue;
        }
        let before = rows.find(collection, record.id)?;
        let known = before.as_ref().is_some_and(|before| {
            let version = before.number(IMPORTED).unwrap_or(before.version);
            version >= record.version
        });
        if is_protected(collection, &record) {
            // Every deployment has it, and it is never another one.
            skipped += 1;
        } else if let Some(field) = conflict(rows, collection, before.as_ref(), &record, at)? {
            copy.insert("field".to_owned(), Value::from(field));
            conflicts.push(Value::Object(copy));
        } else if done.contains(&(collection, record.id)) {
            imported += 1;
        } else if known {
            skipped += 1;
        } else if before.is_none() && rows.count(collection)? >= collection.most() {
            return Ok((Changed::Full, false));
        } else {
            put(rows, collection, before, record, actor, at)?;
            imported += 1;
        }
    }
    let stays = conflicts.is_empty();
    if !stays {
        (imported, skipped) = (0, 0);
    } else if somebody && !administered(rows)? {
        return Ok((Changed::LastAdministrator, false));
    }
    let told = Fields::from_iter([
        ("imported".to_owned(), Value::from(imported)),
        ("skipped".to_owned(), Value::from(skipped)),
        ("conflicts".to_owned(), Value::Array(conflicts)),
    ]);
    Ok((Changed::Done(told), stays))
}

/// Overrides quotas by a copy, unless what is here is as new: whether it did. `None` where it is no copy
/// of ours.
fn put_quotas<R: Rows>(
    rows: &mut R,
    copy: Record,
    actor: &Actor,
    at: &At,
) -> Answer<Option<bool>, R> {
    if !is_ours(&copy, at) || Quotas::read(&copy.fields).is_err() {
        return Ok(None);
    }
    if rows.changed_quotas(&at.request)? {
        return Ok(Some(true));
    }
    let before = rows.quotas()?;
    if before.imported.unwrap_or(before.version) >= copy.version {
        return Ok(Some(false));
    }
    let after = KeptQuotas {
        version: rows.next_number(Moment(at.now.0.max(copy.version)))?,
        overrides: Some(copy.fields),
        imported: Some(copy.version),
    };
    rows.put_quotas(&before, &after, actor.clone(), at)?;
    rows.revoke(Revocation::QuotasVersion(after.version))?;
    Ok(Some(true))
}

/// Whether its numbers can be ones of ours.
fn is_ours(copy: &Record, at: &At) -> bool {
    let latest = at.now.0.saturating_add(AHEAD);
    copy.id > 0 && copy.id <= latest && copy.version <= latest
}

/// Takes the record out of a copy, but for what names it. One that is none has no id.
fn read(copy: &mut Fields) -> (Collection, Record) {
    let number = |name| copy.get(name).and_then(Value::as_u64).unwrap_or_default();
    let mut record = Record {
        id: number("id"),
        version: number("version"),
        ..Record::default()
    };
    let collection = copy.get("collection");
    let collection = collection.and_then(|word| message::read_value::<Collection>(word).ok());
    match copy.remove("fields") {
        Some(Value::Object(fields)) if collection.is_some() || is_of_quotas(copy) => {
            record.fields = fields;
        }
        _ => record.id = 0,
    }
    copy.remove("version");
    let collection = collection.map_or(Collection::Scopes, Collection::kept);
    (collection, record)
}

fn is_of_quotas(copy: &Fields) -> bool {
    copy.get("collection").is_some_and(|word| word == QUOTAS)
}

/// The field for which a record cannot be here.
fn conflict<R: Rows>(
    rows: &R,
    collection: Collection,
    before: Option<&Record>,
    record: &Record,
    at: &At,
) -> Answer<Option<&'static str>, R> {
    if !is_ours(record, at) {
        return Ok(Some("id"));
    }
    let taken = |name: &str, member: &str, fixed: bool| {
        let value = record.text(member);
        let other = before.is_some_and(|before| before.text(member) != value);
        let holder = rows.holder(collection, name, value)?;
        Ok((fixed && other) || holder.is_some_and(|holder| holder != record.id))
    };
    for field in collection.fields() {
        let fixed = matches!(field.given, Given::Once | Given::Made);
        if (field.unique || fixed) && taken(field.name, field.name, fixed)? {
            return Ok(Some(field.name));
        }
    }
    // What nobody could read as a person or as a client is none, either.
    Ok(match collection {
        Collection::Users if taken("subject", "_subject", true)? => Some("subject"),
        Collection::Users => people::facts(rows, record)?.is_none().then_some("username"),
        Collection::Providers
            if before.is_none() && super::clients::name_is_taken(rows, record)? =>
        {
            Some("client_id")
        }
        Collection::Providers => {
            let client = super::clients::client(rows, record)?;
            client.is_none().then_some("client_id")
        }
        _ => None,
    })
}

/// Writes one, and tells who must know.
fn put<R: Rows>(
    rows: &mut R,
    collection: Collection,
    mut before: Option<Record>,
    mut record: Record,
    actor: &Actor,
    at: &At,
) -> Answer<(), R> {
    let id = record.id;
    let mut was = None;
    let mut shard = record.number(SHARD);
    if let Some(before) = &before {
        was = Some(view(rows, collection, before)?);
        shard = before.number(SHARD);
        let held = before.number("_held").unwrap_or_default();
        record.fields.insert("_held".to_owned(), Value::from(held));
    }
    if collection == Collection::Users {
        // Where it was, if there is such a shard; else wherever the next one goes.
        let shards = u64::from(rows.shards()?);
        record.fields.remove(SHARD);
        if let Some(shard) = shard.filter(|shard| was.is_some() || *shard < shards) {
            record.fields.insert(SHARD.to_owned(), Value::from(shard));
        }
    } else {
        record.fields.remove("_held");
    }
    record
        .fields
        .insert(IMPORTED.to_owned(), Value::from(record.version));
    let highest = at.now.0.max(id).max(record.version);
    record.version = rows.next_number(Moment(highest))?;
    // Whatever somebody may have of one that was deleted here ended with it.
    record.generation = before
        .as_ref()
        .map_or(record.version, |before| before.generation);
    if before.is_none() && collection == Collection::Groups {
        // Members may be here before their group is.
        before = Some(Record {
            id,
            ..Record::default()
        });
    }
    write(rows, collection, before, Some(record), at)?;
    let now = rows.find(collection, id)?;
    let now = now.map(|record| view(rows, collection, &record));
    let after = now.transpose()?;
    rows.audit(Audited {
        actor: actor.clone(),
        request: at.request.clone(),
        collection,
        id,
        before: was,
        after,
    })
}
