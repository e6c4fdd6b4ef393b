//! What is asked for in a token: its name, its scopes, its end.

use serde_json::{Map, Value};

use super::token_facts::records_of;
use crate::directory::Collection;
use crate::error::{Input, Reason};
use crate::http::Request;
use crate::jose::parse_strict_object;
use crate::model::{Scope, Seconds, UnixTime};
use crate::ports::tokens::Expiry;
use crate::ports::{At, Ports};
use crate::server::Server;

/// A token lives for at least this long: whoever makes one for less has mistaken the unit.
const SHORTEST: Seconds = Seconds(300);

/// Characters of a token's name.
const LONGEST_NAME: usize = 64;

/// The last second of the year 9999: no calendar that reads ours knows a later one.
const LATEST: u64 = 253_402_300_799;

/// The members of a body, which has to be one JSON object: a form is none, so that no page of another
/// origin can post one.
pub(super) fn members(request: &Request, known: &[&str]) -> Result<Map<String, Value>, Reason> {
    let unfit = |rule, kind| Input::body("", rule, kind).reason();
    let text = request.json().map_err(|reason| match reason {
        Reason::WrongContentType => unfit("has to be one JSON object", "model_attributes_type"),
        other => other,
    })?;
    let members = parse_strict_object(text.as_bytes());
    let members = members.map_err(|_| unfit("has to be one JSON object", "json_invalid"))?;
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(Input::body(name, "is not known here", "extra_forbidden").reason()),
        None => Ok(members),
    }
}

pub(super) fn name_of(value: &Value) -> Result<String, Reason> {
    let unfit = |rule, kind| Err(Input::body("token_name", rule, kind).reason());
    match value {
        Value::String(name) if name.is_empty() => {
            unfit("has to have a character", "string_too_short")
        }
        Value::String(name) if name.chars().count() > LONGEST_NAME => {
            unfit("has to have 64 characters at most", "string_too_long")
        }
        Value::String(name) => Ok(name.clone()),
        _ => unfit("has to be text", "string_type"),
    }
}

pub(super) fn expiry_of(value: &Value, now: UnixTime) -> Result<Expiry, Reason> {
    let time = match value {
        Value::Null => return Ok(Expiry::Never),
        Value::Number(number) => match number.as_u64() {
            Some(seconds) => Some(UnixTime(seconds)),
            None if number.is_i64() => Some(UnixTime(0)),
            None => None,
        },
        Value::String(text) => UnixTime::parse_rfc3339(text),
        _ => None,
    };
    let unfit = |rule, kind| Input::body("expires", rule, kind).reason();
    let time = time.ok_or(unfit("has to be a Unix time or RFC 3339", "datetime_type"))?;
    if time < now + SHORTEST || time.0 > LATEST {
        return Err(unfit(
            "has to be at least five minutes ahead",
            "invalid_expires",
        ));
    }
    Ok(Expiry::At(time))
}

pub(super) fn expires_of(
    body: &Map<String, Value>,
    now: UnixTime,
) -> Result<Option<UnixTime>, Reason> {
    match body.get("expires").map(|value| expiry_of(value, now)) {
        Some(Ok(Expiry::At(time))) => Ok(Some(time)),
        Some(Ok(Expiry::Never)) | None => Ok(None),
        Some(Err(reason)) => Err(reason),
    }
}

/// Scopes that exist, and that whoever gives them holds: who administers gives any.
pub(super) async fn scopes_of<P: Ports>(
    server: &Server<P>,
    value: &Value,
    held: Option<&Scope>,
    at: &At,
) -> Result<Scope, Reason> {
    let unfit = |rule, kind| Input::body("scopes", rule, kind).reason();
    let names: Option<Vec<&str>> = match value {
        Value::Array(items) => items.iter().map(Value::as_str).collect(),
        _ => None,
    };
    let names = names.ok_or(unfit("has to be a list of text", "set_type"))?;
    let invalid = unfit(
        "has to be scopes that exist and that you hold",
        "invalid_scopes",
    );
    if names
        .iter()
        .any(|name| name.is_empty() || name.contains(' '))
    {
        return Err(invalid);
    }
    let scope = Scope::parse(&names.join(" ")).map_err(|_| invalid.clone())?;
    if held.is_some_and(|held| !scope.is_subset(held)) {
        return Err(invalid);
    }
    let values: Vec<String> = scope.iter().map(str::to_owned).collect();
    let wanted = values.len();
    if wanted > 0 {
        let known = records_of(server, Collection::Scopes, "value", values, at).await?;
        if known.len() != wanted {
            return Err(invalid);
        }
    }
    Ok(scope)
}
