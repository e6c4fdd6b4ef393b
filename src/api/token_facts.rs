//! What is told of a token, and of whoever shows one.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::actor::Holder;
use crate::directory::Collection;
use crate::directory::record::Fields;
use crate::error::Reason;
use crate::gate::quota;
use crate::http::Response;
use crate::model::{Shard, SubjectFacts, TokenKey, TokenType, UnixTime};
use crate::ports::directory::FindRecords;
use crate::ports::ledger::{ReadSubject, Row};
use crate::ports::tokens::{TokenFacts, TokenRow};
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::Identity;
use crate::token::Revocations;

pub(super) fn told(status: u16, members: Map<String, Value>) -> Response {
    Response::json(status, Value::Object(members).to_string())
}

/// What is told of a token: what it does not have is not there.
pub(super) fn info(token: &Identity) -> Map<String, Value> {
    let mut told = Map::new();
    for (name, value) in [
        ("token", json!(token.key)),
        ("username", json!(token.username)),
        ("token_type", json!(token.token_type)),
        ("scopes", json!(token.scopes.iter().collect::<Vec<_>>())),
        ("created", json!(token.created)),
        ("expires", json!(token.expires)),
        ("token_name", json!(token.token_name)),
        ("service", json!(token.service)),
        ("parent", json!(token.parent)),
    ] {
        if !value.is_null() {
            told.insert(name.to_owned(), value);
        }
    }
    told
}

pub(super) fn info_of(facts: &TokenFacts, shard: Shard) -> Map<String, Value> {
    info(&Identity::of_row(facts, shard))
}

/// Whether the text of a row still opens: after a raised epoch none of before does.
pub(super) fn opens(row: &TokenRow, feed: &Revocations) -> bool {
    !row.is_before(feed.epoch())
}

/// A session, as a token.
pub(super) fn info_of_session(
    row: &Row,
    person: &SubjectFacts,
) -> Option<(UnixTime, Map<String, Value>)> {
    let time = |name: &str| row.get(name).and_then(Value::as_u64);
    let created = time("created_at")
        .or_else(|| time("auth_time"))
        .unwrap_or_default();
    let scopes = person.own_scope();
    let mut told = Map::new();
    for (name, value) in [
        ("token", json!(TokenKey::of(row.get("session")?.as_str()?))),
        ("username", json!(person.username)),
        ("token_type", json!(TokenType::Session)),
        ("scopes", json!(scopes.iter().collect::<Vec<_>>())),
        ("created", json!(created)),
        ("expires", json!(time("expires_at"))),
    ] {
        told.insert(name.to_owned(), value);
    }
    Some((UnixTime(created), told))
}

pub(super) async fn user_info<P: Ports>(
    server: &Server<P>,
    holder: &Holder,
    at: &At,
) -> Result<Response, Reason> {
    let mut told = Map::new();
    told.insert("username".to_owned(), json!(holder.username));
    let mut groups = Vec::new();
    let mut counted = BTreeSet::new();
    if let Some((subject, shard)) = holder.person.clone() {
        let read = ReadSubject { subject };
        let facts = server.ports.ledger(shard, at, read).await?;
        let facts = facts
            .filter(|facts| facts.active)
            .ok_or(Reason::TokenRevoked)?;
        let posix = |name: &str| {
            facts
                .attributes
                .get(name)
                .filter(|id| id.as_u64() > Some(0))
        };
        for (name, value) in [
            ("name", json!(facts.profile.name())),
            ("email", json!(facts.profile.email)),
            ("uid", json!(posix("uid"))),
            ("gid", json!(posix("gid"))),
        ] {
            if !value.is_null() {
                told.insert(name.to_owned(), value);
            }
        }
        let username = facts.username.to_string();
        let found = records_of(server, Collection::Users, "username", vec![username], at).await?;
        let of = found.first().and_then(|user| user.get("groups_obj"));
        for group in of.and_then(Value::as_array).into_iter().flatten() {
            groups.push(json!({ "name": group["name"], "id": group["num_pk"] }));
        }
        groups.sort_by_key(|group| group["name"].to_string());
        counted = facts.groups;
    }
    told.insert("groups".to_owned(), json!(groups));
    if let Some(quota) = quota::of(server, &counted, at).await? {
        told.insert("quota".to_owned(), quota.print());
    }
    Ok(self::told(200, told))
}

pub(super) async fn records_of<P: Ports>(
    server: &Server<P>,
    collection: Collection,
    field: &str,
    values: Vec<String>,
    at: &At,
) -> Result<Vec<Fields>, Reason> {
    let find = FindRecords {
        collection,
        field: field.to_owned(),
        values,
    };
    Ok(server.ports.directory(at, find).await?)
}
