//! Scopes, and the roles that give them: what a deployment begins with, and what ends when one is
//! taken away.

use serde_json::{Value, json};

use super::record::Record;
use super::records::put;
use super::rows::{Answer, Rows};
use super::schema::Collection;
use super::{clients, people};
use crate::model::scope::{ADMIN, OFFLINE_ACCESS, OPENID_CONNECT, OWN, REVOCATIONS};
use crate::model::{Moment, RoleFacts, Scope};
use crate::ports::At;
use crate::token::Revocation;

/// Scopes that are there from the beginning and stay: the protocol's own, and those that the
/// management API asks for.
const SCOPES: [(&str, &str); 8] = [
    ("Sign-in", OPENID_CONNECT[0]),
    ("Profile", OPENID_CONNECT[1]),
    ("Mail address", OPENID_CONNECT[2]),
    ("Postal address", OPENID_CONNECT[3]),
    ("Telephone number", OPENID_CONNECT[4]),
    ("Access without being signed in", OFFLINE_ACCESS),
    ("Administration", ADMIN),
    ("Own account and tokens", OWN),
];
/// Those that came later: what was there before keeps its number.
const LATER_SCOPES: [(&str, &str); 1] = [("What was revoked", REVOCATIONS)];

/// The flow of clients for which an administrator has answered the consent question.
pub(super) const IMPLICIT: &str = "default-provider-authorization-implicit-consent";
/// Flows that are there from the beginning and stay.
const FLOWS: [(&str, &str, &str); 4] = [
    ("default-authentication-flow", "authentication", "explicit"),
    (
        "default-provider-authorization-explicit-consent",
        "authorization",
        "explicit",
    ),
    (IMPLICIT, "authorization", "implicit"),
    ("default-invalidation-flow", "invalidation", "explicit"),
];

/// Whether a scope may neither be changed nor deleted.
pub(super) fn is_protected(scope: &str) -> bool {
    let mut known = SCOPES.iter().chain(&LATER_SCOPES);
    known.any(|(_, value)| *value == scope)
}

/// Whether a flow may neither be changed nor deleted.
pub(super) fn is_first_flow(slug: &str) -> bool {
    FLOWS.iter().any(|(known, ..)| *known == slug)
}

/// Makes what every deployment has, where it is missing. A name that somebody else has by now is
/// left to them.
///
/// # Errors
/// Those of the rows.
pub fn seed<R: Rows>(rows: &mut R) -> Answer<(), R> {
    seed_scopes(rows, &SCOPES)?;
    for (slug, designation, consent) in FLOWS {
        let fields = json!({
            "name": slug, "slug": slug, "title": "", "designation": designation, "consent": consent,
        });
        seed_one(rows, Collection::Flows, "slug", fields)?;
    }
    seed_scopes(rows, &LATER_SCOPES)
}

fn seed_scopes<R: Rows>(rows: &mut R, scopes: &[(&str, &str)]) -> Answer<(), R> {
    for (name, value) in scopes {
        let fields = json!({"name": name, "description": "", "value": value});
        seed_one(rows, Collection::Scopes, "value", fields)?;
    }
    Ok(())
}

fn seed_one<R: Rows>(
    rows: &mut R,
    collection: Collection,
    field: &str,
    fields: Value,
) -> Answer<(), R> {
    let Value::Object(fields) = fields else {
        return Ok(());
    };
    let mut record = Record {
        version: 1,
        fields,
        ..Record::default()
    };
    if rows
        .holder(collection, field, record.text(field))?
        .is_some()
    {
        return Ok(());
    }
    // The same in every deployment, whenever it began.
    record.id = rows.next_number(Moment::default())?;
    let name = record.text("name").to_owned();
    if rows.holder(collection, "name", &name)?.is_some() {
        let other = format!("{name} ({})", record.id);
        record.fields.insert("name".to_owned(), Value::from(other));
    }
    put(rows, collection, &record)
}

fn facts(role: &Record) -> RoleFacts {
    RoleFacts {
        role: role.id.to_string(),
        version: role.version,
        generation: role.generation,
        scope: role.scope("scopes"),
    }
}

/// Tells every shard what every role gives: there may be new shards.
///
/// # Errors
/// Those of the rows.
pub fn tell_roles<R: Rows>(rows: &mut R) -> Answer<(), R> {
    let roles = rows.all(Collection::Roles)?;
    rows.tell_roles(roles.iter().map(facts).collect())
}

/// Writes roles and tells every shard. What one gives no longer ends where it was minted under it.
pub(super) fn put_roles<R: Rows>(
    rows: &mut R,
    roles: Vec<(Option<Record>, Record)>,
) -> Answer<(), R> {
    let mut told = Vec::new();
    for (before, mut after) in roles {
        let (gave, gives) = (
            before
                .map(|before| before.scope("scopes"))
                .unwrap_or_default(),
            after.scope("scopes"),
        );
        let less = !gave.is_subset(&gives);
        if less {
            after.generation = after.version;
        }
        put(rows, Collection::Roles, &after)?;
        if less {
            rows.revoke(Revocation::Role(after.id.to_string(), after.generation))?;
        }
        told.push(facts(&after));
        if gave.contains(ADMIN) != gives.contains(ADMIN) {
            people::index_holders(rows, after.id)?;
        }
    }
    rows.tell_roles(told)
}

/// Takes a role away. Who still has it has nothing of it.
pub(super) fn delete_role<R: Rows>(rows: &mut R, role: &Record, at: &At) -> Answer<(), R> {
    rows.erase(Collection::Roles, role.id)?;
    if role.scope("scopes").contains(ADMIN) {
        people::index_holders(rows, role.id)?;
    }
    let number = rows.next_number(at.now)?;
    rows.tell_roles(vec![RoleFacts {
        role: role.id.to_string(),
        version: number,
        generation: number,
        scope: Scope::default(),
    }])?;
    rows.revoke(Revocation::Role(role.id.to_string(), number))
}

/// Where the records of a collection say scopes.
fn field(collection: Collection) -> &'static str {
    match collection {
        Collection::Providers => "scope",
        _ => "scopes",
    }
}

/// What says a scope.
pub(super) fn holders<R: Rows>(rows: &R, value: &str) -> Answer<Vec<(Collection, u64)>, R> {
    let mut holders = Vec::new();
    for collection in [Collection::Roles, Collection::Users, Collection::Providers] {
        let ids = rows.holding(collection, field(collection), value)?;
        holders.extend(ids.into_iter().map(|id| (collection, id)));
    }
    Ok(holders)
}

/// Takes a scope away from whoever has it, and ends the tokens that carry it.
pub(super) fn delete_scope<R: Rows>(rows: &mut R, scope: &Record, at: &At) -> Answer<(), R> {
    let value = scope.text("value");
    rows.erase(Collection::Scopes, scope.id)?;
    let mut roles = Vec::new();
    for (collection, id) in holders(rows, value)? {
        let field = field(collection);
        let Some(before) = rows.find(collection, id)? else {
            continue;
        };
        let mut after = before.clone();
        let left = before.scope(field).filter(|token| token != value);
        after.version = rows.next_number(at.now)?;
        after
            .fields
            .insert(field.to_owned(), Value::from(left.to_string()));
        match collection {
            Collection::Roles => roles.push((Some(before), after)),
            // The line about the scope ends what carries it, and no more.
            Collection::Users => people::put(rows, Some(&before), after, None)?,
            _ => clients::put_quietly(rows, &after)?,
        }
    }
    put_roles(rows, roles)?;
    rows.tell_no_scope(value)?;
    let generation = rows.next_number(at.now)?;
    rows.revoke(Revocation::Scope(value.to_owned(), generation))
}
