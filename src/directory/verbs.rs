//! The directory's verbs over rows. What each promises is written at its arguments, in
//! `ports::directory`.

use serde_json::{Value, json};

use super::record::{Actor, Audited, Change, Changed, Fields, Record};
use super::records::{self, repeated};
use super::rows::{Answer, Rows};
use super::schema::Collection;
use super::view::view;
use super::{clients, copy, list, people, scopes};
use crate::model::{Client, ClientId, SubjectFacts};
use crate::ports::At;
use crate::ports::directory::{
    Account, AccountCreated, ChangeAccount, ChangeQuotas, ClientCreated, ClientReplaced,
    CreateAccount, DirectoryAnswer, DirectoryVerb, KeptQuotas, Part,
};
use crate::token::Revocation;

/// What uses a record and is told at most: more than a person reads before deleting it.
const MOST_USES: usize = 100;

/// Does one verb, and answers whether what it wrote is to stay; `None` if it is not about records.
///
/// # Errors
/// Those of the rows; then nothing may stay of what was written.
pub fn apply<R: Rows>(
    rows: &mut R,
    verb: DirectoryVerb,
    at: &At,
) -> Answer<Option<(DirectoryAnswer, bool)>, R> {
    let mut stays = true;
    let answer = match verb {
        DirectoryVerb::CreateAccount(verb) => {
            DirectoryAnswer::CreateAccount(create_account(rows, *verb, at)?)
        }
        DirectoryVerb::FindAccount(verb) => {
            let user = found(rows, Collection::Users, "username", verb.username.as_str())?;
            let account = user.map(|user| {
                Ok(people::facts(rows, &user)?.map(|facts| Account {
                    facts,
                    password_hash: user.text("_password").to_owned(),
                }))
            });
            DirectoryAnswer::FindAccount(account.transpose()?.flatten())
        }
        DirectoryVerb::ChangeAccount(verb) => {
            let changed = change_account(rows, *verb, at)?;
            stays = changed.is_some();
            DirectoryAnswer::ChangeAccount(changed)
        }
        DirectoryVerb::HasAccounts(_) => {
            DirectoryAnswer::HasAccounts(rows.count(Collection::Users)? > 0)
        }
        DirectoryVerb::CreateClient(verb) => {
            DirectoryAnswer::CreateClient(create_client(rows, &verb.client, at)?)
        }
        DirectoryVerb::FindClient(verb) => {
            DirectoryAnswer::FindClient(client(rows, &verb.id)?.map(Box::new))
        }
        DirectoryVerb::ReplaceClient(verb) => {
            DirectoryAnswer::ReplaceClient(replace_client(rows, &verb.client, at)?)
        }
        DirectoryVerb::ChangeRecord(verb) => {
            let changed = records::apply(rows, verb.collection, verb.change, verb.actor, at)?;
            stays = matches!(changed, Changed::Done(_));
            DirectoryAnswer::ChangeRecord(changed)
        }
        DirectoryVerb::ReadRecord(verb) => {
            let record = rows.find(verb.collection.kept(), verb.id)?;
            let told = record.map(|record| part(rows, verb.collection, &record, verb.part));
            DirectoryAnswer::ReadRecord(told.transpose()?)
        }
        DirectoryVerb::ListRecords(verb) => {
            DirectoryAnswer::ListRecords(list::list(rows, verb.collection, &verb.query)?)
        }
        DirectoryVerb::FindRecords(verb) => {
            let mut records = Vec::new();
            for value in &verb.values {
                if let Some(record) = found(rows, verb.collection, &verb.field, value)? {
                    records.push(view(rows, verb.collection, &record)?);
                }
            }
            DirectoryAnswer::FindRecords(records)
        }
        DirectoryVerb::ListAudit(verb) => DirectoryAnswer::ListAudit(rows.history(&verb.query)?),
        DirectoryVerb::ExportRecords(verb) => {
            DirectoryAnswer::ExportRecords(copy::export(rows, verb.after, verb.limit)?)
        }
        DirectoryVerb::ImportRecords(verb) => {
            let imported;
            (imported, stays) = copy::import(rows, verb.copies, &verb.actor, at)?;
            DirectoryAnswer::ImportRecords(imported)
        }
        DirectoryVerb::NoteEvent(verb) => {
            rows.audit_event(&verb.event, verb.actor, at)?;
            DirectoryAnswer::NoteEvent(())
        }
        DirectoryVerb::ReadQuotas(_) => DirectoryAnswer::ReadQuotas(rows.quotas()?),
        DirectoryVerb::ChangeQuotas(verb) => {
            DirectoryAnswer::ChangeQuotas(change_quotas(rows, *verb, at)?)
        }
        DirectoryVerb::ReadKeys(_) | DirectoryVerb::AddKeys(_) | DirectoryVerb::ChangeKey(_) => {
            return Ok(None);
        }
    };
    Ok(Some((answer, stays)))
}

/// What is told of a record.
fn part<R: Rows>(
    rows: &R,
    collection: Collection,
    record: &Record,
    part: Part,
) -> Answer<Fields, R> {
    let (name, told) = match part {
        Part::Record => return view(rows, collection, record),
        Part::UsedBy => ("used_by", used_by(rows, collection, record)?),
        Part::Secrets => ("secrets", super::secrets::told(record)),
    };
    Ok(Fields::from_iter([(name.to_owned(), told)]))
}

/// Seed 004's list of what refers to a record, and what becomes of that when the record goes.
fn used_by<R: Rows>(rows: &R, collection: Collection, record: &Record) -> Answer<Value, R> {
    let mut used = Vec::new();
    let uses = match collection {
        Collection::Scopes => scopes::holders(rows, record.text("value"))?,
        _ => rows.links_to((collection.kept().path(), record.id), MOST_USES)?,
    };
    for (of, id) in uses.into_iter().take(MOST_USES) {
        if let Some(user) = rows.find(of, id)? {
            let seen = view(rows, of, &user)?;
            let name = [user.text("name"), user.text("username")];
            used.push(json!({
                "app": "edgemint",
                "model_name": of.noun().to_ascii_lowercase(),
                "pk": seen.get(of.key()).map(|pk| pk.as_str().map_or(pk.to_string(), str::to_owned)),
                "name": name.into_iter().find(|name| !name.is_empty()),
                "action": "set_null",
            }));
        }
    }
    Ok(Value::Array(used))
}

/// The record with this value of a unique field.
fn found<R: Rows>(
    rows: &R,
    collection: Collection,
    field: &str,
    value: &str,
) -> Answer<Option<Record>, R> {
    match rows.holder(collection, field, value)? {
        Some(id) => rows.find(collection, id),
        None => Ok(None),
    }
}

/// The client of an id.
///
/// # Errors
/// Those of the rows.
pub fn client<R: Rows>(rows: &R, id: &ClientId) -> Answer<Option<Client>, R> {
    let provider = found(rows, Collection::Providers, "client_id", id.as_str())?;
    let client = provider.map(|provider| clients::client(rows, &provider));
    Ok(client.transpose()?.flatten())
}

/// Who acts where no person does.
fn system(name: &str) -> Actor {
    Actor {
        name: name.to_owned(),
        address: None,
    }
}

/// The fields of an account that was described as such.
fn account_fields(verb: &CreateAccount) -> Fields {
    let profile = &verb.profile;
    let text = |text: &Option<String>| json!(text.as_deref().unwrap_or_default());
    Collection::Users.described(json!({
        "username": verb.username,
        "is_active": true,
        "name": text(&profile.name),
        "first_name": text(&profile.given_name),
        "last_name": text(&profile.family_name),
        "email": text(&profile.email),
        "scopes": verb.scope,
        "roles": verb.roles,
        "_subject": verb.subject,
        "_password": verb.password_hash,
        "_updated_at": profile.updated_at,
    }))
}

fn create_account<R: Rows>(
    rows: &mut R,
    verb: CreateAccount,
    at: &At,
) -> Answer<AccountCreated, R> {
    let holder = found(rows, Collection::Users, "username", verb.username.as_str())?;
    let made = repeated(rows, Collection::Users, None, at)?;
    if let Some(user) = &holder
        && made.is_some_and(|line| line.id == user.id)
        && let Some(facts) = people::facts(rows, user)?
    {
        return Ok(AccountCreated::Created(Box::new(facts)));
    }
    if verb.first_only && rows.count(Collection::Users)? > 0 {
        return Ok(AccountCreated::NotFirst);
    }
    // Whoever has it may be called otherwise by now.
    let subject = verb.subject.as_str();
    if rows
        .holder(Collection::Users, "subject", subject)?
        .is_some()
    {
        return Ok(AccountCreated::NameTaken);
    }
    let change = Change::Create(account_fields(&verb));
    let by = system(if verb.first_only {
        "<first-run>"
    } else {
        "<system>"
    });
    match records::apply(rows, Collection::Users, change, by, at)? {
        Changed::Done(_) => {
            let user = found(rows, Collection::Users, "subject", subject)?;
            let facts = user.map(|user| people::facts(rows, &user)).transpose()?;
            Ok(facts.flatten().map_or(AccountCreated::NameTaken, |facts| {
                AccountCreated::Created(Box::new(facts))
            }))
        }
        Changed::Unfit(mut unfit) if !unfit.is_empty() => {
            Ok(AccountCreated::Unfit(unfit.remove(0)))
        }
        _ => Ok(AccountCreated::NameTaken),
    }
}

fn change_account<R: Rows>(
    rows: &mut R,
    verb: ChangeAccount,
    at: &At,
) -> Answer<Option<SubjectFacts>, R> {
    let Some(user) = found(rows, Collection::Users, "subject", verb.subject.as_str())? else {
        return Ok(None);
    };
    let mut fields = Fields::new();
    for (name, value) in [
        ("_password", verb.password_hash.map(Value::from)),
        ("is_active", verb.active.map(Value::from)),
        ("scopes", verb.scope.map(|scope| json!(scope))),
    ] {
        fields.extend(value.map(|value| (name.to_owned(), value)));
    }
    let change = Change::Set(user.id, fields);
    let changed = records::apply(rows, Collection::Users, change, system("<system>"), at)?;
    match rows.find(Collection::Users, user.id)? {
        Some(user) if matches!(changed, Changed::Done(_)) => people::facts(rows, &user),
        _ => Ok(None),
    }
}

fn create_client<R: Rows>(rows: &mut R, client: &Client, at: &At) -> Answer<ClientCreated, R> {
    if let Some(holder) = rows.holder(Collection::Providers, "client_id", client.id.as_str())? {
        let made = repeated(rows, Collection::Providers, None, at)?;
        return Ok(if made.is_some_and(|line| line.id == holder) {
            ClientCreated::Created
        } else {
            ClientCreated::IdTaken
        });
    }
    if rows
        .holder(
            Collection::Providers,
            clients::ACTS_AS,
            &client.id.acts_as(),
        )?
        .is_some()
    {
        return Ok(ClientCreated::IdTaken);
    }
    let record = new_client(rows, client, at)?;
    let after = view(rows, Collection::Providers, &record)?;
    rows.audit(Audited {
        actor: system("<registration>"),
        request: at.request.clone(),
        collection: Collection::Providers,
        id: record.id,
        before: None,
        after: Some(after),
    })?;
    Ok(ClientCreated::Created)
}

fn replace_client<R: Rows>(rows: &mut R, client: &Client, at: &At) -> Answer<ClientReplaced, R> {
    let Some(provider) = found(rows, Collection::Providers, "client_id", client.id.as_str())?
    else {
        return Ok(ClientReplaced::Unknown);
    };
    let done = repeated(rows, Collection::Providers, Some(provider.id), at)?;
    if done.is_some() && provider.version == client.version {
        return Ok(ClientReplaced::Replaced);
    }
    if provider.version + 1 != client.version {
        return Ok(ClientReplaced::OutOfDate);
    }
    let before = view(rows, Collection::Providers, &provider)?;
    let mut after = provider.clone();
    after.fields.extend(clients::fields(rows, client)?);
    after.version = client.version;
    let ends = provider.generation < client.generation;
    after.generation = client.generation.max(provider.generation);
    clients::put_quietly(rows, &after)?;
    if ends {
        rows.revoke(Revocation::Client(client.id.clone(), after.generation))?;
    }
    let shown = view(rows, Collection::Providers, &after)?;
    rows.audit(Audited {
        actor: system("<system>"),
        request: at.request.clone(),
        collection: Collection::Providers,
        id: after.id,
        before: Some(before),
        after: Some(shown),
    })?;
    Ok(ClientReplaced::Replaced)
}

fn change_quotas<R: Rows>(rows: &mut R, verb: ChangeQuotas, at: &At) -> Answer<bool, R> {
    if rows.changed_quotas(&at.request)? {
        return Ok(true);
    }
    let before = rows.quotas()?;
    if before.overrides.is_none() && verb.overrides.is_none() {
        return Ok(false);
    }
    let after = KeptQuotas {
        version: rows.next_number(at.now)?,
        overrides: verb.overrides,
        imported: before.imported,
    };
    rows.put_quotas(&before, &after, verb.actor, at)?;
    rows.revoke(Revocation::QuotasVersion(after.version))?;
    Ok(true)
}

/// Writes a client of which there is no record yet.
fn new_client<R: Rows>(rows: &mut R, client: &Client, at: &At) -> Answer<Record, R> {
    let record = Record {
        id: rows.next_number(at.now)?,
        version: client.version,
        generation: client.generation,
        fields: clients::fields(rows, client)?,
    };
    clients::put(rows, None, record.clone())?;
    Ok(record)
}
