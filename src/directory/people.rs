//! Users and the groups they are in: what a shard is told of somebody, and what ends when somebody
//! may do less than before.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::record::{Fields, Record};
use super::records::{DEEPEST, put as put_record, unlink};
use super::rows::{Answer, Rows};
use super::schema::{Collection, Unfit};
use crate::model::scope::ADMIN;
use crate::model::{Profile, Scope, Shard, Subject, SubjectFacts, Username};
use crate::ports::At;
use crate::token::Revocation;

/// Scopes that somebody holds directly, or by being in a group of superusers.
fn direct<R: Rows>(rows: &R, user: &Record) -> Answer<Scope, R> {
    let scope = user.scope("scopes");
    Ok(match Scope::parse(ADMIN) {
        Ok(admin) if is_superuser(rows, user)? => scope.union(&admin),
        _ => scope,
    })
}

/// The groups that somebody is in, and those that these lie in, as often as they do.
fn groups<R: Rows>(rows: &R, user: &Record) -> Answer<Vec<Record>, R> {
    let mut groups = Vec::new();
    for group in user.numbers("groups") {
        let mut group = rows.find(Collection::Groups, group)?;
        for _ in 0..DEEPEST {
            let Some(record) = group else { break };
            let parent = record.number("parent");
            groups.push(record);
            let parent = parent.map(|parent| rows.find(Collection::Groups, parent));
            group = parent.transpose()?.flatten();
        }
    }
    Ok(groups)
}

/// Their names.
fn group_names<R: Rows>(rows: &R, user: &Record) -> Answer<BTreeSet<String>, R> {
    let groups = groups(rows, user)?;
    Ok(groups
        .iter()
        .map(|group| group.text("name").to_owned())
        .collect())
}

/// Whether a group that somebody is in, or one that it is in, makes superusers.
pub(super) fn is_superuser<R: Rows>(rows: &R, user: &Record) -> Answer<bool, R> {
    let groups = groups(rows, user)?;
    Ok(groups.iter().any(|group| group.flag("is_superuser")))
}

/// Roles that somebody has and that exist.
fn roles<R: Rows>(rows: &R, user: &Record) -> Answer<Vec<Record>, R> {
    let mut roles = Vec::new();
    for role in user.numbers("roles") {
        roles.extend(rows.find(Collection::Roles, role)?);
    }
    Ok(roles)
}

/// Everything that somebody may be granted.
pub(super) fn held<R: Rows>(rows: &R, user: &Record) -> Answer<Scope, R> {
    let mut scope = direct(rows, user)?;
    for role in roles(rows, user)? {
        scope = scope.union(&role.scope("scopes"));
    }
    Ok(scope)
}

/// Whether somebody can administer now.
pub(super) fn administers<R: Rows>(rows: &R, user: &Record) -> Answer<bool, R> {
    Ok(user.flag("is_active") && held(rows, user)?.contains(ADMIN))
}

/// What somebody holds counts as a role of their own. Its generation is raised when they lose some of
/// it, which ends access tokens of before and neither sessions nor families.
fn own_role(user: &Record) -> String {
    format!("u{}", user.id)
}

/// What the shard is told.
pub(super) fn facts<R: Rows>(rows: &R, user: &Record) -> Answer<Option<SubjectFacts>, R> {
    let text = |field: &str| Some(user.text(field).to_owned()).filter(|text| !text.is_empty());
    let (Ok(subject), Ok(username)) = (
        Subject::parse(user.text("_subject")),
        Username::parse(user.text("username")),
    ) else {
        return Ok(None);
    };
    let mut generations = BTreeMap::new();
    for role in roles(rows, user)? {
        generations.insert(role.id.to_string(), role.generation);
    }
    let scope = direct(rows, user)?;
    if !scope.is_empty() || !generations.is_empty() {
        let held = user.number("_held").unwrap_or_default();
        generations.insert(own_role(user), held);
    }
    let shard = user
        .number("_shard")
        .and_then(|shard| shard.try_into().ok());
    Ok(Some(SubjectFacts {
        subject,
        username,
        shard: Shard(shard.unwrap_or_default()),
        active: user.flag("is_active"),
        generation: user.generation,
        version: user.version,
        scope,
        roles: generations,
        groups: group_names(rows, user)?,
        profile: Profile {
            name: text("name"),
            given_name: text("first_name"),
            family_name: text("last_name"),
            email: text("email"),
            updated_at: user.number("_updated_at").unwrap_or_default(),
        },
        number: user.id,
        attributes: match user.fields.get("attributes") {
            Some(Value::Object(attributes)) => attributes.clone(),
            _ => Fields::new(),
        },
    }))
}

/// Writes somebody, and tells the shard. Who has another password or may do nothing now loses every
/// session and token; who had more before, the access tokens.
pub(super) fn put<R: Rows>(
    rows: &mut R,
    before: Option<&Record>,
    mut after: Record,
    held_before: Option<Scope>,
) -> Answer<(), R> {
    if before.is_none() && after.number("_shard").is_none() {
        let Shard(shard) = rows.next_shard()?;
        after.fields.insert("_shard".to_owned(), Value::from(shard));
    }
    if let Some(before) = before {
        let other = |field: &str| before.fields.get(field) != after.fields.get(field);
        if other("_password") || (other("is_active") && !after.flag("is_active")) {
            after.generation = after.version;
        }
        if let Some(held_before) = held_before
            && !held_before.is_subset(&held(rows, &after)?)
        {
            let generation = Value::from(after.version);
            after.fields.insert("_held".to_owned(), generation);
            rows.revoke(Revocation::Role(own_role(&after), after.version))?;
        }
    }
    put_record(rows, Collection::Users, &after)?;
    match facts(rows, &after)? {
        Some(facts) => rows.tell_subject(&facts),
        None => Ok(()),
    }
}

/// Takes somebody away. The shard keeps a row that says that this subject may do nothing.
pub(super) fn delete<R: Rows>(rows: &mut R, mut user: Record, at: &At) -> Answer<(), R> {
    unlink(rows, Collection::Users, user.id, at)?;
    rows.erase(Collection::Users, user.id)?;
    user.version = rows.next_number(at.now)?;
    user.generation = user.version;
    user.fields
        .insert("is_active".to_owned(), Value::Bool(false));
    let known = ["username", "_subject", "_shard", "is_active"];
    user.fields
        .retain(|field, _| known.contains(&field.as_str()));
    match facts(rows, &user)? {
        Some(facts) => rows.tell_subject(&facts),
        None => Ok(()),
    }
}

/// Notes anew which holders of a role can administer.
pub(super) fn index_holders<R: Rows>(rows: &mut R, role: u64) -> Answer<(), R> {
    for (collection, id) in rows.links_to((Collection::Roles.path(), role), usize::MAX)? {
        if let Some(record) = rows.find(collection, id)? {
            put_record(rows, collection, &record)?;
        }
    }
    Ok(())
}

/// A group may not lie in itself, nor too deep.
pub(super) fn fit_group<R: Rows>(
    rows: &R,
    group: &Record,
    unfit: &mut Vec<Unfit>,
) -> Answer<(), R> {
    let mut levels = 1;
    let mut above = group.number("parent");
    while let Some(id) = above.filter(|_| levels <= DEEPEST) {
        if id == group.id {
            unfit.push(Unfit::new(
                "parent",
                "must not be the group itself, or one in it",
            ));
            return Ok(());
        }
        levels += 1;
        let record = rows.find(Collection::Groups, id)?;
        above = record.and_then(|record| record.number("parent"));
    }
    // What lies in it comes along.
    let mut below = inside(rows, group.id)?;
    while !below.is_empty() && levels <= DEEPEST {
        levels += 1;
        let mut deeper = Vec::new();
        for id in below {
            deeper.extend(inside(rows, id)?);
        }
        below = deeper;
    }
    if levels > DEEPEST {
        unfit.push(Unfit::new(
            "parent",
            "must not lie more than 16 groups deep",
        ));
    }
    Ok(())
}

/// The groups right in a group.
fn inside<R: Rows>(rows: &R, group: u64) -> Answer<Vec<u64>, R> {
    let linked = rows.links_to((Collection::Groups.path(), group), usize::MAX)?;
    let groups = linked
        .into_iter()
        .filter(|(of, _)| *of == Collection::Groups);
    Ok(groups.map(|(_, id)| id).collect())
}

/// Writes a group or takes it away, and tells of its members what changes for them.
pub(super) fn put_group<R: Rows>(
    rows: &mut R,
    before: Option<Record>,
    after: Option<Record>,
    at: &At,
) -> Answer<(), R> {
    let Some(before) = before else {
        return match after {
            Some(after) => put_record(rows, Collection::Groups, &after),
            None => Ok(()),
        };
    };
    let Some(after) = after else {
        // Its members and the groups in it are written one by one as it is taken out of them.
        unlink(rows, Collection::Groups, before.id, at)?;
        return rows.erase(Collection::Groups, before.id);
    };
    let gives = |group: &Record| {
        let name = group.text("name").to_owned();
        (group.flag("is_superuser"), group.number("parent"), name)
    };
    if gives(&before) == gives(&after) {
        return put_record(rows, Collection::Groups, &after);
    }
    let members = members(rows, before.id)?;
    let mut held_before = Vec::new();
    for member in &members {
        held_before.push((held(rows, member)?, group_names(rows, member)?));
    }
    put_record(rows, Collection::Groups, &after)?;
    for (member, (held_before, names_before)) in members.into_iter().zip(held_before) {
        let Some(mut now) = rows.find(Collection::Users, member.id)? else {
            continue;
        };
        if held(rows, &now)? != held_before || group_names(rows, &now)? != names_before {
            now.version = rows.next_number(at.now)?;
            put(rows, Some(&member), now, Some(held_before))?;
        }
    }
    Ok(())
}

/// The members of a group and of those in it.
fn members<R: Rows>(rows: &R, group: u64) -> Answer<Vec<Record>, R> {
    let mut groups = vec![group];
    let mut members: BTreeMap<u64, Record> = BTreeMap::new();
    let mut seen = 0;
    while let Some(group) = groups.get(seen).copied() {
        seen += 1;
        for (collection, id) in rows.links_to((Collection::Groups.path(), group), usize::MAX)? {
            match collection {
                Collection::Groups if !groups.contains(&id) => groups.push(id),
                Collection::Users if !members.contains_key(&id) => {
                    members.extend(rows.find(collection, id)?.map(|record| (id, record)));
                }
                _ => {}
            }
        }
    }
    Ok(members.into_values().collect())
}
