//! The directory in SQLite. What a verb promises is written at its arguments, in
//! `ports::directory`.

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use super::records::Records;
use super::sql::{Fault, Json, Sql};
use super::{migrations, outbox};
use crate::directory::keys::KeyChanged;
use crate::directory::record::Actor;
use crate::directory::rows::Rows as _;
use crate::directory::{self, Collection};
use crate::edge::seal_at_rest;
use crate::model::{Client, ClientId, Moment};
use crate::ports::directory::{
    AddKeys, ChangeKey, DirectoryAnswer, DirectoryVerb, KeptQuotas, KeySet, StoredKey,
};
use crate::ports::{At, Call};
use crate::token::{Keyring, Revocation, Snapshot};

/// Keys that are published in one go.
const MOST_PUBLICATIONS: u32 = 50;

/// Makes the tables. More shards than before take part from now on; fewer change nothing, since
/// subjects live there.
pub(super) fn open(sql: &Sql, keyring: &Keyring, shards: u16) -> Result<(), Fault> {
    let migrated = migrations::migrate(sql, migrations::DIRECTORY)?;
    let grown = sql.write(
        "UPDATE settings SET value = ?1 WHERE name = 'shards' AND value < ?1",
        (shards.max(1),),
    )?;
    let clock = Moment::default();
    let mut rows = Records { sql, clock };
    let unread = "SELECT 1 AS number FROM records WHERE words = '' LIMIT 1";
    if migrated && sql.number(unread, ())?.is_some() {
        index(&mut rows)?;
    }
    directory::seed(&mut rows)?;
    if grown {
        directory::tell_roles(&mut rows)?;
    }
    publish_all_under(sql, &keyring.newest_root())
}

/// Notes what records are found by that a migration wrote.
fn index(rows: &mut Records<'_>) -> Result<(), Fault> {
    for collection in [
        Collection::Scopes,
        Collection::Roles,
        Collection::Users,
        Collection::Providers,
    ] {
        for record in rows.all(collection)? {
            directory::index(rows, collection, &record)?;
        }
    }
    Ok(())
}

/// Publishes everything anew when another root seals than before: a copy under a root that is taken
/// off the list would be asked for at the directory by every isolate.
fn publish_all_under(sql: &Sql, root: &str) -> Result<(), Fault> {
    let other = sql.write(
        "INSERT INTO settings (name, value) VALUES ('sealed_under', ?)
         ON CONFLICT DO UPDATE SET value = excluded.value WHERE value <> excluded.value",
        (root,),
    )?;
    if other {
        sql.write(
            "INSERT INTO publications (key, version)
             SELECT ? || json_extract(record, '$.fields.client_id'), json_extract(record, '$.version')
             FROM records WHERE collection = ? ON CONFLICT DO NOTHING",
            (Snapshot::CLIENT, Collection::Providers),
        )?;
        let keys = keys(sql)?;
        if keys.version > 0 {
            publish(sql, Snapshot::PUBLIC_KEYS, keys.version)?;
        }
        let quotas = quotas(sql)?;
        if quotas.version > 0 {
            publish(sql, Snapshot::QUOTAS, quotas.version)?;
        }
    }
    Ok(())
}

/// Does one verb; answers whether what it wrote is to stay.
pub(super) fn apply(
    sql: &Sql,
    clock: Moment,
    call: Call<DirectoryVerb>,
) -> Result<(DirectoryAnswer, bool), Fault> {
    let at = call.at;
    let answer = match call.verb {
        DirectoryVerb::ReadKeys(_) => keys(sql).map(DirectoryAnswer::ReadKeys),
        DirectoryVerb::AddKeys(verb) => {
            add_keys(sql, clock, &verb, &at).map(DirectoryAnswer::AddKeys)
        }
        DirectoryVerb::ChangeKey(verb) => {
            change_key(sql, clock, &verb, &at).map(DirectoryAnswer::ChangeKey)
        }
        verb => {
            let done = directory::apply(&mut Records { sql, clock }, verb, &at)?;
            return done.ok_or(Fault::Refused("the directory has no such verb"));
        }
    };
    Ok((answer?, true))
}

/// Whether the answer speaks of something that others must have heard of before it is given.
pub(super) fn settles(answer: &DirectoryAnswer) -> bool {
    match answer {
        DirectoryAnswer::CreateAccount(_)
        | DirectoryAnswer::ChangeAccount(_)
        | DirectoryAnswer::ReplaceClient(_)
        | DirectoryAnswer::AddKeys(_)
        | DirectoryAnswer::ChangeKey(_)
        | DirectoryAnswer::ChangeRecord(_)
        | DirectoryAnswer::ImportRecords(_)
        | DirectoryAnswer::ChangeQuotas(_) => true,
        DirectoryAnswer::FindAccount(_)
        | DirectoryAnswer::HasAccounts(_)
        | DirectoryAnswer::CreateClient(_)
        | DirectoryAnswer::FindClient(_)
        | DirectoryAnswer::ReadKeys(_)
        | DirectoryAnswer::ReadRecord(_)
        | DirectoryAnswer::ListRecords(_)
        | DirectoryAnswer::FindRecords(_)
        | DirectoryAnswer::ListAudit(_)
        | DirectoryAnswer::ExportRecords(_)
        | DirectoryAnswer::NoteEvent(())
        | DirectoryAnswer::ReadQuotas(_) => false,
    }
}

#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct State<T> {
    state: Json<T>,
}

/// What overrides quotas: one row among the settings, because there is only one.
pub(super) fn quotas(sql: &Sql) -> Result<KeptQuotas, Fault> {
    let row: Option<State<KeptQuotas>> = sql.row(
        "SELECT value AS state FROM settings WHERE name = 'quota_overrides'",
        (),
    )?;
    Ok(row.map(|row| row.state.0).unwrap_or_default())
}

fn keys(sql: &Sql) -> Result<KeySet, Fault> {
    let row: Option<State<KeySet>> = sql.row("SELECT state FROM key_set", ())?;
    Ok(row.map(|row| row.state.0).unwrap_or_default())
}

fn add_keys(sql: &Sql, clock: Moment, verb: &AddKeys, at: &At) -> Result<KeySet, Fault> {
    let before = keys(sql)?;
    let mut set = before.clone();
    set.add(verb, at.now.unix());
    replace_keys(sql, clock, &before, &set, verb.actor.as_ref(), at)?;
    Ok(set)
}

fn change_key(sql: &Sql, clock: Moment, verb: &ChangeKey, at: &At) -> Result<KeyChanged, Fault> {
    let statement = if verb.change.adds() {
        "SELECT json_extract(line, '$.after') AS state FROM audit
         WHERE collection = 'keys' AND request = ? AND json_extract(line, '$.before') IS NULL"
    } else {
        "SELECT json_extract(line, '$.before') AS state FROM audit
         WHERE collection = 'keys' AND request = ? AND json_extract(line, '$.after') IS NULL"
    };
    let rows: Vec<State<StoredKey>> = sql.rows(statement, (&at.request,))?;
    let done = rows.into_iter().map(|row| row.state.0).collect();
    if let Some(done) = verb.change.done_by(done) {
        return Ok(done);
    }
    let before = keys(sql)?;
    let mut set = before.clone();
    let changed = set.change(&verb.change, at.now.unix());
    replace_keys(sql, clock, &before, &set, Some(&verb.actor), at)?;
    Ok(changed)
}

/// Writes a set, notes what changed, and tells who must know if it is of another version.
fn replace_keys(
    sql: &Sql,
    clock: Moment,
    before: &KeySet,
    set: &KeySet,
    actor: Option<&Actor>,
    at: &At,
) -> Result<(), Fault> {
    if set != before {
        sql.write(
            "INSERT INTO key_set (only, state) VALUES (1, ?)
             ON CONFLICT DO UPDATE SET state = excluded.state",
            (Json(set),),
        )?;
    }
    for line in set.audit(before, actor) {
        // A key has no number: the line has that of the set in which it changed.
        sql.write(
            "INSERT INTO audit (time, request, collection, id, line) VALUES (?, ?, 'keys', ?, ?)",
            (clock, &at.request, set.version, Json(&line)),
        )?;
    }
    if set.version != before.version {
        publish(sql, Snapshot::PUBLIC_KEYS, set.version)?;
        outbox::revoke(sql, clock, &[Revocation::KeysVersion(set.version)])?;
    }
    Ok(())
}

/// Marks a key of KV as out of date. What is written is read when it is written, so that several
/// changes make one write and an older one never follows a newer.
pub(super) fn publish(sql: &Sql, key: &str, version: u64) -> Result<(), Fault> {
    sql.write(
        "INSERT INTO publications (key, version) VALUES (?, ?)
         ON CONFLICT DO UPDATE SET version = excluded.version",
        (key, version),
    )?;
    Ok(())
}

/// Whether KV is behind on what the answer speaks of, or on anything else of its kind.
pub(super) fn publishes(sql: &Sql, answer: &DirectoryAnswer) -> Result<bool, Fault> {
    match answer {
        DirectoryAnswer::CreateClient(_)
        | DirectoryAnswer::ReplaceClient(_)
        | DirectoryAnswer::AddKeys(_)
        | DirectoryAnswer::ChangeKey(_)
        | DirectoryAnswer::ChangeRecord(_)
        | DirectoryAnswer::ImportRecords(_)
        | DirectoryAnswer::ChangeQuotas(_) => {
            let waiting: Option<IgnoredAny> = sql.row("SELECT 1 FROM publications LIMIT 1", ())?;
            Ok(waiting.is_some())
        }
        DirectoryAnswer::CreateAccount(_)
        | DirectoryAnswer::FindAccount(_)
        | DirectoryAnswer::ChangeAccount(_)
        | DirectoryAnswer::HasAccounts(_)
        | DirectoryAnswer::FindClient(_)
        | DirectoryAnswer::ReadKeys(_)
        | DirectoryAnswer::ReadRecord(_)
        | DirectoryAnswer::ListRecords(_)
        | DirectoryAnswer::FindRecords(_)
        | DirectoryAnswer::ListAudit(_)
        | DirectoryAnswer::ExportRecords(_)
        | DirectoryAnswer::NoteEvent(())
        | DirectoryAnswer::ReadQuotas(_) => Ok(false),
    }
}

/// What to write into KV: `[{key, version, value}]`, as JSON; no value where the key is to go.
pub(super) fn publications(sql: &Sql, keyring: &Keyring) -> Result<String, Fault> {
    #[derive(Deserialize)]
    struct Row {
        key: String,
        version: u64,
    }
    #[derive(Serialize)]
    struct Publication {
        key: String,
        version: u64,
        value: Option<String>,
    }
    let rows: Vec<Row> = sql.rows(
        "SELECT key, version FROM publications LIMIT ?",
        (MOST_PUBLICATIONS,),
    )?;
    let mut publications = Vec::new();
    for Row { key, version } in rows {
        let value = match key
            .strip_prefix(Snapshot::CLIENT)
            .and_then(|id| ClientId::parse(id).ok())
        {
            Some(id) => client(sql, &id)?
                .map(|client| serde_json::to_string(&client))
                .transpose()?,
            None if key == Snapshot::QUOTAS => Some(serde_json::to_string(&quotas(sql)?)?),
            None => Some(serde_json::to_string(&public(keys(sql)?))?),
        };
        let value = value
            .map(|state| {
                let key = key.clone();
                seal_at_rest(keyring, &Snapshot { key, state })
                    .ok_or(Fault::Shape("a snapshot does not seal"))
            })
            .transpose()?;
        publications.push(Publication {
            key,
            version,
            value,
        });
    }
    Ok(serde_json::to_string(&publications)?)
}

fn client(sql: &Sql, id: &ClientId) -> Result<Option<Client>, Fault> {
    let clock = Moment::default();
    directory::client(&Records { sql, clock }, id)
}

/// The set without any private part.
fn public(set: KeySet) -> KeySet {
    let keys = set.keys.iter().map(StoredKey::told).collect();
    KeySet {
        version: set.version,
        keys,
    }
}

/// Notes that KV has this version of the key.
pub(super) fn published(sql: &Sql, key: &str, version: u64) -> Result<(), Fault> {
    sql.write(
        "DELETE FROM publications WHERE key = ? AND version = ?",
        (key, version),
    )?;
    Ok(())
}
