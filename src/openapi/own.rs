//! What users have of their own: sessions, grants and consents, to list and to end; and who is signed in.

use serde_json::{Map, Value, json};

use super::forms;
use super::operation::Operation;
use super::shared::{closed, in_path, in_query, list, object, schema, with};
use crate::directory::form::Form;

/// What the tag is about.
pub(super) const TAG: (&str, &str) = (
    "own",
    "what users have of their own; a person who names another one is told that there is nobody, and the \
     bootstrap token is nobody",
);

pub(super) fn operations() -> Vec<Operation> {
    let of = |method, path: &str, what: &str, summary: &str| {
        let path = format!("v1/users/{{username}}/{path}");
        let id = format!("own_{what}");
        Operation::new(method, &path, TAG.0, &id, summary).refuses(&[400, 404])
    };
    let text = || json!({ "type": "string", "minLength": 1 });
    let username = || {
        with(
            in_path("username", "whose; `me` is who asks", text()),
            "example",
            "me",
        )
    };
    let id = || in_path("id", "its `id` in the list", text());
    let client = || {
        in_path(
            "client_id",
            "the application",
            forms::request(Form::ClientId, false),
        )
    };
    let except = in_query(
        "except_current",
        "whether the one that asks goes on",
        json!({ "type": "boolean", "default": false }),
    );
    let narrowed = in_query(
        "client_id",
        "only those of this application",
        forms::request(Form::ClientId, false),
    );
    let password = || forms::request(Form::Password, false);
    let passwords = closed(
        &["old_password", "new_password"],
        json!({ "old_password": password(), "new_password": password() }),
    );
    let login = Operation::new("get", "v1/login", TAG.0, "login", "Who is signed in")
        .about("For pages of the issuer's own origin; a token is nobody here.")
        .security(json!([{ "session": [] }]))
        .answers(200, "The person of the session.", schema("Login"));
    vec![
        login,
        of(
            "get",
            "sessions",
            "sessions_list",
            "List sessions that stand",
        )
        .parameters(vec![username()])
        .answers(
            200,
            "The newest first, a hundred at most.",
            schema("OwnSessions"),
        ),
        of(
            "delete",
            "sessions",
            "sessions_destroy_all",
            "End all sessions",
        )
        .parameters(vec![username(), except])
        .done("They are over, and what rests on them."),
        of(
            "delete",
            "sessions/{id}",
            "sessions_destroy",
            "End a session",
        )
        .parameters(vec![username(), id()])
        .done("It is over, and what rests on it."),
        of(
            "get",
            "grants",
            "grants_list",
            "List what applications hold",
        )
        .parameters(vec![username(), narrowed])
        .answers(
            200,
            "The newest first, a hundred at most.",
            schema("OwnGrants"),
        ),
        of("delete", "grants/{id}", "grants_destroy", "End a grant")
            .parameters(vec![username(), id()])
            .done("Its tokens are over."),
        of(
            "get",
            "consents",
            "consents_list",
            "List what was agreed to",
        )
        .parameters(vec![username()])
        .answers(
            200,
            "One for each application, a hundred at most.",
            schema("OwnConsents"),
        ),
        of(
            "delete",
            "consents/{client_id}",
            "consents_destroy",
            "Take an agreement back",
        )
        .about("It is taken back whether there was one or not.")
        .parameters(vec![username(), client()])
        .done("The application has to ask again, and what it held is over."),
        of(
            "put",
            "password",
            "password_update",
            "Choose a new password",
        )
        .about(
            "One's own alone; every session and token of before ends. Wrong guesses are counted.",
        )
        .parameters(vec![username()])
        .body(
            passwords,
            json!({ "old_password": "a long password", "new_password": "another long one" }),
            true,
        )
        .done("It is changed, and whoever was signed in is no more."),
    ]
}

pub(super) fn schemas() -> Map<String, Value> {
    let text = |about: &str| json!({ "type": "string", "description": about });
    let known = |about: &str| json!({ "type": ["string", "null"], "description": about });
    let time = |about: &str| json!({ "type": ["integer", "null"], "description": format!("{about}, as a Unix time") });
    let texts = |about: &str| with(list(json!({ "type": "string" })), "description", about);
    let session = json!({
        "id": text("names it here, and nowhere else"),
        "created_at": time("when it began"),
        "expires_at": time("when it ends"),
        "auth_time": time("when the person proved who they are"),
        "amr": texts("how (RFC 8176)"),
        "user_agent": known("the browser, as it calls itself"),
        "address": known("from where"),
        "current": { "type": "boolean", "description": "whether it is the one that asks" },
    });
    let grant = json!({
        "id": text("names it here, and nowhere else"),
        "client_id": text("the application"),
        "client_name": text("what people see"),
        "scope": texts("what it may do"),
        "created_at": time("when it was given"),
        "expires_at": time("when it ends if nobody uses it"),
        "offline": { "type": "boolean", "description": "whether it outlives the session" },
        "session": known("the session that it ends with"),
    });
    let consent = json!({
        "client_id": text("the application"),
        "client_name": text("what people see"),
        "scope": texts("what was agreed to"),
    });
    let scope =
        members(json!({ "name": text("its token"), "description": text("what it allows") }));
    let config = members(json!({ "scopes": list(scope) }));
    let login = members(json!({
        "csrf": text("what `X-CSRF-Token` has to have"),
        "username": text("who it is"),
        "scopes": texts("what they hold"),
        "config": with(config, "description", "which scopes there are"),
    }));
    let results = |row| members(json!({ "results": list(members(row)) }));
    Map::from_iter([
        ("Login".to_owned(), login),
        ("OwnConsents".to_owned(), results(consent)),
        ("OwnGrants".to_owned(), results(grant)),
        ("OwnSessions".to_owned(), results(session)),
    ])
}

/// An object that has all of these.
fn members(properties: Value) -> Value {
    let names = properties.as_object().into_iter().flat_map(Map::keys);
    let names: Vec<String> = names.cloned().collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    object(&names, properties)
}
