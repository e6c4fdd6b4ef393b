//! The rules by which records change: names are unique, what is referred to exists, somebody always
//! administers, and who must hear of a change is told before it is acknowledged.

use serde_json::Value;

use super::form::Form;
use super::record::{Actor, Audited, Change, Changed, Record};
use super::rows::{Answer, Index, Rows};
use super::schema::{Collection, Field, Given, Unfit};
use super::view::view;
use super::{clients, fitting, people, scopes, secrets};
use crate::model::Scope;
use crate::ports::At;

/// How deep groups may lie in each other.
pub(super) const DEEPEST: usize = 16;
/// What a user who may administer is linked to.
pub(super) const ADMINISTRATORS: (&str, u64) = ("administrators", 0);

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
            secrets::change(after, &mut unfit);
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
