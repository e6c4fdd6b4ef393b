//! Bodies of API requests: one JSON object, and its members by name.

use serde_json::{Map, Value};

use crate::error::Reason;
use crate::http::Request;
use crate::jose::parse_strict_object;

/// Reads one JSON object.
///
/// # Errors
/// [`Reason::TooLarge`], [`Reason::WrongContentType`] or [`Reason::MalformedBody`].
pub fn object(request: &Request) -> Result<Map<String, Value>, Reason> {
    parse_strict_object(request.json()?.as_bytes())
        .map_err(|_| Reason::MalformedBody("one JSON object without repeated members"))
}

/// Reads one JSON object with these members and no others.
///
/// # Errors
/// As [`object`].
pub fn object_of(request: &Request, known: &[&str]) -> Result<Map<String, Value>, Reason> {
    let members = object(request)?;
    if members.keys().all(|name| known.contains(&name.as_str())) {
        Ok(members)
    } else {
        Err(Reason::MalformedBody(
            "there is a member that is not known here",
        ))
    }
}

/// A text member; `null` counts as absent.
///
/// # Errors
/// [`Reason::UnfitField`] when it is not text.
pub fn text<'a>(
    body: &'a Map<String, Value>,
    name: &'static str,
) -> Result<Option<&'a str>, Reason> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Reason::unfit(name, "has to be text")),
    }
}

/// A text member that must be there.
///
/// # Errors
/// As [`text`].
pub fn required<'a>(body: &'a Map<String, Value>, name: &'static str) -> Result<&'a str, Reason> {
    text(body, name)?.ok_or(missing(name))
}

/// Why a body without this member is refused.
#[must_use]
pub fn missing(name: &'static str) -> Reason {
    Reason::unfit(name, "is required")
}
