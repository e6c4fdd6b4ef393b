//! The one error shape of the API: RFC 9457 with seed 001's `errors` and seed 004's field lists.

use serde_json::{Map, Value, json};

use crate::directory::Unfit;
use crate::error::Reason;
use crate::http::Response;
use crate::oauth::bearer;

/// Members of the shape itself; a field of such a name appears in `errors` only.
const OWN_MEMBERS: [&str; 7] = [
    "type",
    "title",
    "status",
    "detail",
    "code",
    "errors",
    "non_field_errors",
];

/// The answer to a refused API request.
#[must_use]
pub fn refusal(reason: Reason) -> Response {
    let status = reason.status();
    refused(reason, status)
}

/// The same for routes of seed 001, where what is invalid is 422 and never 400.
#[must_use]
pub fn unprocessable(reason: Reason) -> Response {
    let status = match reason.status() {
        400 => 422,
        other => other,
    };
    refused(reason, status)
}

fn refused(reason: Reason, status: u16) -> Response {
    let mut body = Map::new();
    body.insert("type".to_owned(), json!("about:blank"));
    body.insert("title".to_owned(), json!(title(status)));
    body.insert("status".to_owned(), json!(status));
    body.insert("detail".to_owned(), json!(reason.description()));
    body.insert("code".to_owned(), json!(reason.label()));
    if let Reason::UnfitField(fields) = &reason {
        let mut errors = Vec::new();
        body.insert("non_field_errors".to_owned(), json!([]));
        for Unfit { field, rule } in fields {
            errors.push(json!({ "loc": ["body", field], "msg": rule, "type": "value_error" }));
            if !OWN_MEMBERS.contains(&field.as_str()) {
                body.insert(field.clone(), json!([rule]));
            }
        }
        body.insert("errors".to_owned(), Value::Array(errors));
    }
    let told = match &reason {
        Reason::UnfitInput(input) if input.name.is_empty() => {
            Some((vec![input.within], input.rule, input.kind))
        }
        Reason::UnfitInput(input) => {
            let place = vec![input.within, input.name.as_str()];
            Some((place, input.rule, input.kind))
        }
        Reason::DuplicateTokenName => {
            let rule = "is another token's";
            Some((vec!["body", "token_name"], rule, "duplicate_token_name"))
        }
        Reason::InvalidCsrf => {
            let rule = "has to be what GET /api/v1/login says";
            Some((vec!["header", "X-CSRF-Token"], rule, "invalid_csrf"))
        }
        _ => None,
    };
    if let Some((place, rule, kind)) = told {
        let error = json!({ "loc": place, "msg": rule, "type": kind });
        body.insert("errors".to_owned(), json!([error]));
    }
    // The challenge, and when or how to try again, are the same everywhere.
    let mut response = bearer::refusal(reason).with_body(Value::Object(body).to_string());
    response.status = status;
    if let Some((_, value)) = response
        .headers
        .iter_mut()
        .find(|(name, _)| *name == "content-type")
    {
        *value = "application/problem+json".into();
    }
    response
}

fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        413 => "Content Too Large",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    }
}
