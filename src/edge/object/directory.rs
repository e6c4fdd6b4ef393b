//! The directory in SQLite. What a verb promises is written at its arguments, in
//! `ports::directory`.

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use super::records::Records;
use super::sql::{Fault, Json, Sql};
use super::{migrations, outbox};
use crate::directory::keys::KeyChanged;
use crate::directory::records::{self, Actor, Rows as _};
use crate::directory::{Collection, list};
use crate::edge::seal_at_rest;
use crate::model::{Client, ClientId, Moment, RequestId, Shard, SubjectFacts};
use crate::ports::directory::{
    Account, AccountCreated, AddKeys, ChangeAccount, ChangeKey, ClientCreated, ClientReplaced,
    CreateAccount, DirectoryAnswer, DirectoryVerb, FindAccount, KeySet, StoredKey,
};
use crate::ports::{At, Call};
use crate::token::{Keyring, Revocation, Snapshot};

/// Keys that are published in one go.
const MOST_PUBLICATIONS: u32 = 50;

/// Makes the tables. More shards than before take part from now on; fewer change nothing, since
/// subjects live there.
pub(super) fn open(sql: &Sql, keyring: &Keyring, shards: u16) -> Result<(), Fault> {
    migrations::migrate(sql, migrations::DIRECTORY)?;
    let grown = sql.write(
        "UPDATE settings SET value = ?1 WHERE name = 'shards' AND value < ?1",
        (shards.max(1),),
    )?;
    let clock = Moment::default();
    let mut rows = Records { sql, clock };
    let request = RequestId::parse("open").map_err(|_| Fault::Refused("no request id"))?;
    records::seed(&mut rows, &request)?;
    if grown {
        records::tell_roles(&mut rows)?;
    }
    publish_all_under(sql, &keyring.newest_root())
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
            "INSERT INTO publications (key, version) SELECT ? || client, version FROM clients
             WHERE true ON CONFLICT DO NOTHING",
            (Snapshot::CLIENT,),
        )?;
        let keys = keys(sql)?;
        if keys.version > 0 {
            publish(sql, Snapshot::PUBLIC_KEYS, keys.version)?;
        }
    }
    Ok(())
}

/// Does one verb.
pub(super) fn apply(
    sql: &Sql,
    clock: Moment,
    call: Call<DirectoryVerb>,
) -> Result<DirectoryAnswer, Fault> {
    let at = call.at;
    match call.verb {
        DirectoryVerb::CreateAccount(verb) => {
            create_account(sql, clock, *verb, &at).map(DirectoryAnswer::CreateAccount)
        }
        DirectoryVerb::FindAccount(verb) => {
            find_account(sql, &verb).map(DirectoryAnswer::FindAccount)
        }
        DirectoryVerb::ChangeAccount(verb) => {
            change_account(sql, clock, *verb, &at).map(DirectoryAnswer::ChangeAccount)
        }
        DirectoryVerb::HasAccounts(_) => has_accounts(sql).map(DirectoryAnswer::HasAccounts),
        DirectoryVerb::CreateClient(verb) => {
            create_client(sql, &verb.client, &at).map(DirectoryAnswer::CreateClient)
        }
        DirectoryVerb::FindClient(verb) => {
            let found = client(sql, &verb.id)?;
            Ok(DirectoryAnswer::FindClient(found.map(|row| row.state.0)))
        }
        DirectoryVerb::ReplaceClient(verb) => {
            replace_client(sql, clock, &verb.client, &at).map(DirectoryAnswer::ReplaceClient)
        }
        DirectoryVerb::ReadKeys(_) => keys(sql).map(DirectoryAnswer::ReadKeys),
        DirectoryVerb::AddKeys(verb) => {
            add_keys(sql, clock, &verb, &at).map(DirectoryAnswer::AddKeys)
        }
        DirectoryVerb::ChangeKey(verb) => {
            change_key(sql, clock, &verb, &at).map(DirectoryAnswer::ChangeKey)
        }
        DirectoryVerb::ChangeRecord(verb) => {
            let mut rows = Records { sql, clock };
            records::apply(&mut rows, verb.collection, verb.change, verb.actor, &at)
                .map(DirectoryAnswer::ChangeRecord)
        }
        DirectoryVerb::ReadRecord(verb) => {
            let rows = Records { sql, clock };
            let record = rows.find(verb.collection, verb.id)?;
            let scopes = rows.all(Collection::Scopes)?;
            let view = record.map(|record| records::view(&scopes, &record));
            Ok(DirectoryAnswer::ReadRecord(view))
        }
        DirectoryVerb::ListRecords(verb) => {
            list::list(&Records { sql, clock }, verb.collection, &verb.query)
                .map(DirectoryAnswer::ListRecords)
        }
    }
}

/// Whether the answer speaks of something that others must have heard of before it is given.
pub(super) fn settles(answer: &DirectoryAnswer) -> bool {
    match answer {
        DirectoryAnswer::CreateAccount(_)
        | DirectoryAnswer::ChangeAccount(_)
        | DirectoryAnswer::ReplaceClient(_)
        | DirectoryAnswer::AddKeys(_)
        | DirectoryAnswer::ChangeKey(_)
        | DirectoryAnswer::ChangeRecord(_) => true,
        DirectoryAnswer::FindAccount(_)
        | DirectoryAnswer::HasAccounts(_)
        | DirectoryAnswer::CreateClient(_)
        | DirectoryAnswer::FindClient(_)
        | DirectoryAnswer::ReadKeys(_)
        | DirectoryAnswer::ReadRecord(_)
        | DirectoryAnswer::ListRecords(_) => false,
    }
}

#[derive(Deserialize)]
struct AccountRow {
    facts: Json<SubjectFacts>,
    password_hash: String,
    created_by: String,
    changed_by: Option<String>,
}

fn find_account(sql: &Sql, verb: &FindAccount) -> Result<Option<Account>, Fault> {
    let row: Option<AccountRow> = sql.row(
        "SELECT facts, password_hash, created_by, changed_by FROM accounts WHERE username = ?",
        (&verb.username,),
    )?;
    Ok(row.map(|row| Account {
        facts: row.facts.0,
        password_hash: row.password_hash,
    }))
}

fn has_accounts(sql: &Sql) -> Result<bool, Fault> {
    let any: Option<IgnoredAny> = sql.row("SELECT 1 FROM accounts LIMIT 1", ())?;
    Ok(any.is_some())
}

fn create_account(
    sql: &Sql,
    clock: Moment,
    verb: CreateAccount,
    at: &At,
) -> Result<AccountCreated, Fault> {
    let known: Option<AccountRow> = sql.row(
        "SELECT facts, password_hash, created_by, changed_by FROM accounts WHERE username = ?",
        (&verb.username,),
    )?;
    match known {
        Some(row) if row.created_by == at.request.as_str() => {
            return Ok(AccountCreated::Created(Box::new(row.facts.0)));
        }
        Some(_) if !verb.first_only => return Ok(AccountCreated::NameTaken),
        Some(_) => return Ok(AccountCreated::NotFirst),
        None => {}
    }
    if verb.first_only && has_accounts(sql)? {
        return Ok(AccountCreated::NotFirst);
    }
    let rows = Records { sql, clock };
    let roles = match records::holdings(&rows, &verb.scope, &verb.roles)? {
        Ok(roles) => roles,
        Err(unfit) => return Ok(AccountCreated::Unfit(unfit)),
    };
    let facts = SubjectFacts {
        subject: verb.subject,
        username: verb.username,
        shard: next_shard(sql)?,
        active: true,
        generation: 0,
        version: 1,
        scope: verb.scope,
        roles,
        profile: verb.profile,
    };
    // The constraints of the table have the last word.
    sql.write(
        "INSERT INTO accounts (subject, username, facts, password_hash, created_by)
         VALUES (?, ?, ?, ?, ?)",
        (
            &facts.subject,
            &facts.username,
            Json(&facts),
            &verb.password_hash,
            &at.request,
        ),
    )?;
    outbox::tell_shard(sql, clock, &facts)?;
    Ok(AccountCreated::Created(Box::new(facts)))
}

/// Every shard in turn.
fn next_shard(sql: &Sql) -> Result<Shard, Fault> {
    #[derive(Deserialize)]
    struct Row {
        shard: u16,
    }
    let row: Option<Row> = sql.row(
        "UPDATE settings SET value = value + 1 WHERE name = 'accounts'
         RETURNING (value - 1) % (SELECT value FROM settings WHERE name = 'shards') AS shard",
        (),
    )?;
    row.map(|row| Shard(row.shard))
        .ok_or(Fault::Refused("the directory has no settings"))
}

fn change_account(
    sql: &Sql,
    clock: Moment,
    verb: ChangeAccount,
    at: &At,
) -> Result<Option<SubjectFacts>, Fault> {
    let row: Option<AccountRow> = sql.row(
        "SELECT facts, password_hash, created_by, changed_by FROM accounts WHERE subject = ?",
        (&verb.subject,),
    )?;
    let Some(row) = row else { return Ok(None) };
    let mut facts = row.facts.0;
    if row.changed_by.as_deref() == Some(at.request.as_str()) {
        return Ok(Some(facts));
    }
    let ends = verb.password_hash.is_some() || (verb.active == Some(false) && facts.active);
    facts.generation += u64::from(ends);
    facts.version += 1;
    facts.active = verb.active.unwrap_or(facts.active);
    if let Some(scope) = verb.scope {
        facts.scope = scope;
    }
    let password_hash = verb.password_hash.unwrap_or(row.password_hash);
    sql.write(
        "UPDATE accounts SET facts = ?, password_hash = ?, changed_by = ? WHERE subject = ?",
        (Json(&facts), password_hash, &at.request, &verb.subject),
    )?;
    outbox::tell_shard(sql, clock, &facts)?;
    Ok(Some(facts))
}

#[derive(Deserialize)]
struct ClientRow {
    state: Json<Client>,
    request: String,
}

fn client(sql: &Sql, id: &ClientId) -> Result<Option<ClientRow>, Fault> {
    sql.row("SELECT state, request FROM clients WHERE client = ?", (id,))
}

fn create_client(sql: &Sql, client: &Client, at: &At) -> Result<ClientCreated, Fault> {
    let created = sql.write(
        "INSERT INTO clients (client, version, state, request) VALUES (?, ?, ?, ?)
         ON CONFLICT DO NOTHING",
        (&client.id, client.version, Json(client), &at.request),
    )?;
    if created {
        publish_client(sql, client)?;
        return Ok(ClientCreated::Created);
    }
    let by = self::client(sql, &client.id)?.map(|row| row.request);
    Ok(if by.as_deref() == Some(at.request.as_str()) {
        ClientCreated::Created
    } else {
        ClientCreated::IdTaken
    })
}

fn replace_client(
    sql: &Sql,
    clock: Moment,
    client: &Client,
    at: &At,
) -> Result<ClientReplaced, Fault> {
    let Some(row) = self::client(sql, &client.id)? else {
        return Ok(ClientReplaced::Unknown);
    };
    let before = row.state.0;
    if row.request == at.request.as_str() && before.version == client.version {
        return Ok(ClientReplaced::Replaced);
    }
    if before.version + 1 != client.version {
        return Ok(ClientReplaced::OutOfDate);
    }
    sql.write(
        "UPDATE clients SET version = ?, state = ?, request = ? WHERE client = ?",
        (client.version, Json(client), &at.request, &client.id),
    )?;
    publish_client(sql, client)?;
    let mut entries = vec![Revocation::ClientVersion(client.id.clone(), client.version)];
    if before.generation < client.generation {
        entries.push(Revocation::Client(client.id.clone(), client.generation));
    }
    outbox::revoke(sql, clock, &entries)?;
    Ok(ClientReplaced::Replaced)
}

#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct State<T> {
    state: Json<T>,
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

pub(super) fn publish_client(sql: &Sql, client: &Client) -> Result<(), Fault> {
    publish(sql, &Snapshot::client(&client.id), client.version)
}

/// Marks a key of KV as out of date. What is written is read when it is written, so that several
/// changes make one write and an older one never follows a newer.
fn publish(sql: &Sql, key: &str, version: u64) -> Result<(), Fault> {
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
        | DirectoryAnswer::ChangeRecord(_) => {
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
        | DirectoryAnswer::ListRecords(_) => Ok(false),
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
                .map(|row| serde_json::to_string(&row.state.0))
                .transpose()?,
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
