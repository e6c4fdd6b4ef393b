//! What the deployment as a whole has: its first administrator, this description and its viewer.

use serde_json::json;

use super::forms;
use super::operation::Operation;
use super::shared::{self, closed, object};
use crate::directory::form::Form;

/// What the tag is about.
pub(super) const TAG: (&str, &str) = ("service", "the deployment itself");

pub(super) fn operations() -> Vec<Operation> {
    let username = forms::request(Form::Username, false);
    let password = forms::request(Form::Password, false);
    let first = closed(
        &["username", "password"],
        json!({ "username": username, "password": password }),
    );
    let example = json!({ "username": "ada", "password": "correct horse battery staple" });
    let made = object(&["username"], json!({ "username": { "type": "string" } }));
    let document =
        json!({ "type": "object", "description": "OpenAPI 3.1", "additionalProperties": true });
    let page = json!({
        "description": "A page that shows the description.",
        "content": { "text/html": { "schema": { "type": "string" } } },
    });
    vec![
        Operation::new(
            "post",
            "v1/first-run",
            TAG.0,
            "first_run",
            "Make the first administrator",
        )
        .about("Once there is a user, it is refused.")
        .security(json!([{ shared::BEARER: [] }]))
        .body(first, example, true)
        .answers(201, "Who it is.", made)
        .refuses(&[409]),
        Operation::public(
            "get",
            "v1/openapi.json",
            TAG.0,
            "openapi",
            "This description",
        )
        .answers(200, "The document.", document),
        Operation::public(
            "get",
            "docs",
            TAG.0,
            "docs",
            "This description, to look through",
        )
        .answer(200, page),
    ]
}
