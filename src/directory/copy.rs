//! Records on their way out of a deployment and into one: which come first, and what an import may
//! write. Ids stay as they are, because records refer to each other by them; versions and generations
//! are given anew, because shards and the feed may know a later one of something that was deleted here.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::people;
use super::records::{
    Actor, Answer, Audited, Fields, Record, Rows, administered, is_protected, write,
};
use super::schema::{Collection, Given};
use super::view::view;
use crate::model::Moment;
use crate::ports::At;

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

/// A part of the records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exported {
    /// They, private members included.
    pub records: Vec<(Collection, Record)>,
    /// Whether there are more.
    pub more: bool,
    /// How many there are of each kind now; only where there are no more.
    pub counts: Vec<(Collection, u64)>,
}

/// A record that is to be imported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Copied {
    /// The line it came in, for what is said of it.
    pub line: u64,
    /// Of which kind.
    pub collection: Collection,
    /// As it was where it was exported.
    pub record: Record,
}

/// What came of an import. Whatever it is but done, nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Imported {
    /// So many were written, and so many were there already. Also the answer to the same request
    /// repeated.
    Done(u64, u64),
    /// Records that cannot be here beside others.
    Conflicts(Vec<Conflict>),
    /// There would be more than there may be.
    Full,
    /// Nobody would administer any more.
    LastAdministrator,
}

/// Why a record cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// The line it came in.
    pub line: u64,
    /// Of which kind.
    pub collection: Collection,
    /// Which.
    pub id: u64,
    /// Another record has the same value of it, or this one has another one here; `id`, where the
    /// number cannot be one of ours.
    pub field: String,
}

/// The records that follow one, in the order in which they are imported.
///
/// # Errors
/// Those of the rows.
pub fn export<R: Rows>(
    rows: &R,
    after: Option<(Collection, u64)>,
    limit: u64,
) -> Answer<Exported, R> {
    let mut exported = Exported {
        records: Vec::new(),
        more: true,
        counts: Vec::new(),
    };
    let (mut left, mut bytes) = (limit, 0);
    let rest = ORDER
        .iter()
        .skip_while(|collection| after.is_some_and(|(last, _)| last != **collection));
    for collection in rest {
        let from = after.filter(|(last, _)| last == collection);
        let from = from.map_or(0, |(_, id)| id);
        for mut record in rows.after(*collection, from, left)? {
            record.fields.remove(IMPORTED);
            bytes += Value::Object(record.fields.clone()).to_string().len();
            exported.records.push((*collection, record));
            left = left.saturating_sub(1);
            if left == 0 || bytes > LARGEST_PAGE {
                return Ok(exported);
            }
        }
    }
    exported.more = false;
    for collection in ORDER {
        exported.counts.push((collection, rows.count(collection)?));
    }
    Ok(exported)
}

/// Writes records that were exported. One that is here already with the same version or a newer one
/// is passed over. What a record refers to and is not here counts as nothing, as it does where it was
/// deleted.
///
/// # Errors
/// Those of the rows; then nothing may stay of what was written.
pub fn import<R: Rows>(
    rows: &mut R,
    records: Vec<Copied>,
    actor: &Actor,
    at: &At,
) -> Answer<Imported, R> {
    let somebody = administered(rows)?;
    let mut before_us = Vec::new();
    for collection in ORDER {
        let here = |copied: &Copied| copied.collection == collection;
        if records.iter().any(here) {
            let lines = rows.audited(collection, &at.request)?;
            before_us.extend(lines.into_iter().map(|line| (collection, line.id)));
        }
    }
    let (mut imported, mut skipped) = (0, 0);
    let mut conflicts = Vec::new();
    for copied in records {
        let (collection, id) = (copied.collection.kept(), copied.record.id);
        let before = rows.find(collection, id)?;
        let known = before.as_ref().is_some_and(|before| {
            let version = before.number(IMPORTED).unwrap_or(before.version);
            version >= copied.record.version
        });
        let field = conflict(rows, collection, before.as_ref(), &copied.record, at)?;
        if is_protected(collection, &copied.record) {
            // Every deployment has it, and it is never another one.
            skipped += 1;
        } else if let Some(field) = field {
            conflicts.push(Conflict {
                line: copied.line,
                collection,
                id,
                field: field.to_owned(),
            });
        } else if before_us.contains(&(collection, id)) {
            imported += 1;
        } else if known {
            skipped += 1;
        } else if before.is_none() && rows.count(collection)? >= collection.most() {
            return Ok(Imported::Full);
        } else {
            put(rows, collection, before, copied.record, actor, at)?;
            imported += 1;
        }
    }
    Ok(if !conflicts.is_empty() {
        Imported::Conflicts(conflicts)
    } else if somebody && !administered(rows)? {
        Imported::LastAdministrator
    } else {
        Imported::Done(imported, skipped)
    })
}

/// The field for which a record cannot be here.
fn conflict<R: Rows>(
    rows: &R,
    collection: Collection,
    before: Option<&Record>,
    record: &Record,
    at: &At,
) -> Answer<Option<&'static str>, R> {
    let latest = at.now.0.saturating_add(AHEAD);
    if record.id == 0 || record.id > latest || record.version > latest {
        return Ok(Some("id"));
    }
    let subject = (collection == Collection::Users).then_some(("subject", "_subject", Given::Made));
    let fields = collection.fields().iter();
    let fields = fields.filter(|field| field.unique || field.given == Given::Once);
    let fields = fields.map(|field| (field.name, field.name, field.given));
    for (name, member, given) in fields.chain(subject) {
        let value = record.text(member);
        let other = |before: &Record| before.text(member) != value;
        if matches!(given, Given::Once | Given::Made) && before.is_some_and(other) {
            return Ok(Some(name));
        }
        let holder = rows.holder(collection, name, value)?;
        if holder.is_some_and(|holder| holder != record.id) {
            return Ok(Some(name));
        }
    }
    // What nobody could read as a person or as a client.
    let unread = match collection {
        Collection::Users => people::facts(rows, record)?.is_none().then_some("username"),
        Collection::Providers => {
            let client = super::clients::client(rows, record)?;
            client.is_none().then_some("client_id")
        }
        _ => None,
    };
    Ok(unread)
}

/// Writes one, and tells who must know.
fn put<R: Rows>(
    rows: &mut R,
    collection: Collection,
    before: Option<Record>,
    mut record: Record,
    actor: &Actor,
    at: &At,
) -> Answer<(), R> {
    let highest = at.now.0.max(record.id).max(record.version);
    let version = rows.next_number(Moment(highest))?;
    let kept = before.as_ref();
    let was = kept.map(|before| view(rows, collection, before));
    let was = was.transpose()?;
    record.fields.remove(IMPORTED);
    record
        .fields
        .insert(IMPORTED.to_owned(), Value::from(record.version));
    if collection == Collection::Users {
        place(rows, kept, &mut record.fields)?;
    }
    record.version = version;
    // Whatever somebody may have of one that was deleted here ended with it.
    record.generation = kept.map_or(version, |before| before.generation);
    let id = record.id;
    let state = match collection {
        // Members may be here before their group is.
        Collection::Groups if before.is_none() => Some(Record {
            id,
            ..Record::default()
        }),
        _ => before,
    };
    write(rows, collection, state, Some(record), at)?;
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

/// Where a subject lives is for this deployment to say: here, where it was, if there is such a shard;
/// else wherever the next one goes.
fn place<R: Rows>(rows: &R, before: Option<&Record>, fields: &mut Fields) -> Answer<(), R> {
    for member in [SHARD, "_held"] {
        if let Some(before) = before {
            fields.remove(member);
            let kept = before.fields.get(member).cloned();
            fields.extend(kept.map(|kept| (member.to_owned(), kept)));
        }
    }
    let shards = u64::from(rows.shards()?);
    let shard = fields.get(SHARD).and_then(Value::as_u64);
    if before.is_none() && shard.is_none_or(|shard| shard >= shards) {
        fields.remove(SHARD);
    }
    Ok(())
}
