//! What a value may be that is sent, and what it is in an answer: [`Form`] as JSON Schema 2020-12.

use serde_json::{Value, json};

use super::shared::{list, schema};
use crate::directory::Collection;
use crate::directory::form::{Form, LONGEST, LONGEST_MAIL, LONGEST_URI, MOST_LISTED};
use crate::jose::Algorithm;
use crate::oauth::password;

/// RFC 6749 §3.3.
const SCOPE_TOKEN: &str = r"[\x21\x23-\x5B\x5D-\x7E]{1,255}";
/// One part of a duration, in the spelling of answers.
const DURATION: &str =
    r"(microseconds|milliseconds|seconds|minutes|hours|days|weeks)=[0-9]{1,12}(\.[0-9]{1,6})?";
/// One of ours, RFC 9562 version 8.
const UUID: &str = "[0-9a-f]{8}-0000-8000-8000-[0-9a-f]{12}";
/// No control characters.
const PLAIN: &str = r"^[^\u0000-\u001F\u007F-\u009F]*$";

/// What is accepted. `empty` says whether nothing is a value, too.
pub(super) fn request(form: Form, empty: bool) -> Value {
    let text = |pattern: &str, longest: usize| {
        let pattern = if empty {
            format!("^({pattern})?$")
        } else {
            format!("^{pattern}$")
        };
        json!({ "type": "string", "maxLength": longest, "pattern": pattern })
    };
    match form {
        Form::Number | Form::Uuid | Form::Shown | Form::Time => json!({}),
        Form::Text => json!({
            "type": "string",
            "minLength": if empty { 0 } else { 1 },
            "maxLength": LONGEST,
            "pattern": PLAIN,
        }),
        Form::Flag => json!({ "type": "boolean" }),
        Form::Choice(known) => json!({ "type": "string", "enum": known }),
        Form::Choices(known) => listed(json!({ "type": "string", "enum": known })),
        Form::Duration(most) => json!({
            "type": "string",
            "pattern": format!("^{DURATION}(;{DURATION})*$"),
            "description": format!("from one second to {most}; each unit once"),
            "examples": ["hours=1;minutes=2;seconds=3"],
        }),
        Form::DurationOrNone(most) => json!({
            "type": "string",
            "pattern": format!("^({DURATION}(;{DURATION})*)?$"),
            "description": format!("from one second to {most}; each unit once; or nothing"),
            "examples": ["hours=1"],
        }),
        Form::Object => json!({ "type": "object", "description": "at most 4096 bytes of JSON" }),
        Form::Texts => json!({
            "type": "object",
            "additionalProperties": { "type": "string" },
            "description": "at most 4096 bytes of JSON",
        }),
        Form::ScopeToken => text(SCOPE_TOKEN, 255),
        Form::Scope => json!({ "oneOf": [
            { "type": "string", "pattern": format!("^({SCOPE_TOKEN}( {SCOPE_TOKEN})*)?$") },
            listed(json!({ "oneOf": [
                { "type": "string", "pattern": format!("^{SCOPE_TOKEN}$") },
                object_with("value"),
            ] })),
        ] }),
        Form::Username => text("(?!bot-|me$)[a-z0-9_.@+-]{1,64}", 64),
        Form::Password => json!({
            "type": "string",
            "format": "password",
            "minLength": password::SHORTEST,
            "maxLength": password::LONGEST,
        }),
        Form::Secret => text(r"[\x21-\x7E]{32,255}", LONGEST),
        Form::Mail => text(
            r"[^\s@\u0000-\u001F\u007F-\u009F]+@[^\s@\u0000-\u001F\u007F-\u009F]+",
            LONGEST_MAIL,
        ),
        Form::Slug => text("[A-Za-z0-9_-]{1,50}", 50),
        Form::ClientId => text("(?!u_)[A-Za-z0-9._~-]{1,60}", 60),
        Form::Algorithm => algorithm(),
        Form::RedirectUris => {
            let uri = json!({ "type": "string", "maxLength": LONGEST_URI });
            let lines = json!({ "type": "string", "description": "one a line" });
            json!({ "oneOf": [lines, listed(uri)] })
        }
        Form::WebUri => text(r"https://[\x21-\x7E]+", LONGEST_URI),
        Form::Target => json!({
            "type": "string",
            "maxLength": LONGEST_URI,
            "description": form.rule(),
            "examples": ["https://app.example/path"],
        }),
        Form::Resource => text(r"[A-Za-z][A-Za-z0-9+.-]*:[\x21\x23-\x7E]*", LONGEST_URI),
        Form::Resources => {
            let uri = r"^[A-Za-z][A-Za-z0-9+.-]*:[\x21\x23-\x7E]*$";
            listed(json!({ "type": "string", "maxLength": LONGEST_URI, "pattern": uri }))
        }
        Form::Subjects => listed(json!({
            "type": "string",
            "minLength": 1,
            "maxLength": LONGEST,
            "pattern": PLAIN,
        })),
        Form::Ref(_) => or_null(reference()),
        Form::Refs(_) => listed(reference()),
        Form::Named(_) => listed(json!({ "oneOf": [{ "type": "string" }, object_with("name")] })),
        Form::Key => or_null(json!({ "type": "string", "format": "uuid" })),
        Form::Jwks => or_null(key_set()),
    }
}

/// What is answered. What depends on more than the form is said in `records.rs`.
pub(super) fn answer(form: Form) -> Value {
    match form {
        Form::Number => json!({ "type": "integer", "minimum": 0 }),
        Form::Uuid => uuid(),
        Form::Flag => json!({ "type": "boolean" }),
        Form::Choice(known) => json!({ "type": "string", "enum": known }),
        Form::Choices(known) => list(json!({ "type": "string", "enum": known })),
        Form::Duration(_) | Form::DurationOrNone(_) => {
            json!({ "type": "string", "examples": ["hours=1"] })
        }
        Form::Object => json!({ "type": "object" }),
        Form::Texts => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        Form::Time => json!({ "type": ["string", "null"], "format": "date-time" }),
        Form::Algorithm => algorithm(),
        Form::Resources | Form::Subjects => list(json!({ "type": "string" })),
        Form::Ref(to) => or_null(key(to)),
        Form::Refs(to) => list(key(to)),
        Form::Named(_) => list(json!({ "type": "string" })),
        Form::Key => json!({ "type": ["string", "null"], "format": "uuid" }),
        Form::Jwks => or_null(key_set()),
        Form::Text
        | Form::Shown
        | Form::ScopeToken
        | Form::Scope
        | Form::Username
        | Form::Password
        | Form::Secret
        | Form::Mail
        | Form::Slug
        | Form::ClientId
        | Form::RedirectUris
        | Form::WebUri
        | Form::Target
        | Form::Resource => json!({ "type": "string" }),
    }
}

/// A value for people to begin with, where it is not the default.
pub(super) fn example(form: Form) -> Option<Value> {
    Some(match form {
        Form::Text => json!("Books"),
        Form::ScopeToken => json!("books:read"),
        Form::Username => json!("ada"),
        Form::Password => json!("correct horse battery staple"),
        Form::Slug => json!("books"),
        Form::WebUri => json!("https://books.example"),
        Form::RedirectUris => json!(["https://books.example/callback"]),
        _ => return None,
    })
}

/// What a list can be narrowed to.
pub(super) fn filter(form: Form) -> Value {
    match form {
        Form::Number | Form::Uuid | Form::Ref(_) => reference(),
        Form::Flag => json!({ "type": "boolean" }),
        _ => json!({ "type": "string" }),
    }
}

/// What names a record of a collection.
pub(super) fn key(of: Collection) -> Value {
    let first = of.fields().first();
    first.map_or(json!({}), |field| answer(field.form))
}

/// A record by its number or by its uuid, wherever one is asked for.
pub(super) fn reference() -> Value {
    let number = json!({ "type": "integer", "minimum": 0, "maximum": u64::MAX });
    json!({ "oneOf": [number, uuid()] })
}

/// The records that a list of references shows.
pub(super) fn shown(of: Collection) -> Value {
    list(schema(of.noun()))
}

pub(super) fn uuid() -> Value {
    json!({ "type": "string", "format": "uuid", "pattern": format!("^{UUID}$") })
}

fn algorithm() -> Value {
    json!({ "type": "string", "enum": Algorithm::ALL.map(Algorithm::name) })
}

fn listed(items: Value) -> Value {
    json!({ "type": "array", "maxItems": MOST_LISTED, "items": items })
}

/// A record that was read, sent back: one of its members counts.
fn object_with(member: &str) -> Value {
    json!({ "type": "object", "required": [member], "properties": { member: { "type": "string" } } })
}

fn key_set() -> Value {
    let public = json!({
        "type": "object",
        "required": ["kty"],
        "properties": { "kty": { "type": "string", "not": { "const": "oct" } }, "d": false },
    });
    let keys = json!({ "type": "array", "minItems": 1, "items": public });
    json!({ "type": "object", "required": ["keys"], "properties": { "keys": keys } })
}

fn or_null(schema: Value) -> Value {
    json!({ "oneOf": [schema, { "type": "null" }] })
}
