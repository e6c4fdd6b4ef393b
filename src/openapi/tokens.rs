//! Tokens that people and services make for themselves, and what happened to them.

use serde_json::{Map, Value, json};

use super::operation::Operation;
use super::shared::{closed, header, in_path, in_query, list, object, schema, with};
use crate::model::TokenType;

/// What the tag is about.
pub(super) const TAG: (&str, &str) = (
    "tokens",
    "tokens that people and services make for themselves, and what was delegated from them; the bootstrap \
     token is nobody where somebody is spoken of",
);

const KEY: &str = "^[A-Za-z0-9_-]{22}$";

pub(super) fn operations() -> Vec<Operation> {
    let new = |method, path: &str, id: &str, summary: &str| {
        let path = format!("v1/{path}");
        Operation::new(method, &path, TAG.0, &format!("tokens_{id}"), summary)
    };
    let of = |method, path: &str, id: &str, summary: &str| {
        let path = format!("users/{{username}}/{path}");
        new(method, &path, id, summary).refuses(&[404, 422])
    };
    let username = || {
        let text = json!({ "type": "string", "minLength": 1, "maxLength": 64 });
        let about = "whose; `me` is who asks. A person who names another one is refused";
        with(in_path("username", about, text), "example", "me")
    };
    let key = || in_path("key", "its `token` in the list", key());
    let info = || schema("TokenInfo");
    let list_of = |name: &str| list(schema(name));
    vec![
        new("get", "token-info", "info", "What the token is that asks")
            .about("Any that lives, or the session.")
            .answers(200, "What is known of it.", info()),
        new("get", "user-info", "user_info", "Who the token is of")
            .about("Whatever the token allows; what is not known is not there.")
            .answers(200, "The user.", schema("TokenUser")),
        of("get", "tokens", "list", "List tokens that live")
            .about("Sessions, too; without `parent`. The newest first.")
            .parameters(vec![username()])
            .answers(200, "All of them.", list_of("TokenInfo")),
        of("post", "tokens", "create", "Make a token of one's own")
            .about("With scopes that who asks holds, and a name that no other one has; a hundred in an hour.")
            .parameters(vec![username()])
            .body(
                closed(&["token_name"], json!({
                    "token_name": name(), "scopes": scopes(), "expires": expires(),
                })),
                json!({ "token_name": "laptop", "scopes": [], "expires": null }),
                true,
            )
            .refuses(&[409, 429])
            .answer(201, made()),
        of("get", "tokens/{key}", "retrieve", "Read a token")
            .parameters(vec![username(), key()])
            .answers(200, "What is known of it.", info()),
        of("patch", "tokens/{key}", "partial_update", "Change a token")
            .about(
                "Administrators alone, and tokens of users alone. What is absent stays, and an end of `null` is \
                 none. What was delegated from it never has more, nor longer.",
            )
            .parameters(vec![username(), key()])
            .body(
                closed(&[], json!({
                    "token_name": name(), "scopes": scopes(), "expires": expires(),
                })),
                json!({ "token_name": "old laptop" }),
                true,
            )
            .refuses(&[409])
            .answers(200, "What it is now.", info()),
        of("delete", "tokens/{key}", "destroy", "End a token")
            .about("And whatever was delegated from it; or a session.")
            .parameters(vec![username(), key()])
            .done("It is over."),
        of("get", "tokens/{key}/change-history", "history_of_one", "What happened to a token")
            .parameters(vec![username(), key()])
            .answers(200, "The newest first.", list_of("TokenChange")),
        with_filters(
            of("get", "token-change-history", "history", "What happened to somebody's tokens"),
            vec![username()],
            false,
        ),
        with_filters(
            new("get", "history/token-changes", "history_of_all", "What happened to all tokens")
                .refuses(&[422]),
            Vec::new(),
            true,
        ),
        new("post", "tokens", "create_for", "Make a token for a service or a user")
            .about(
                "Administrators alone. The name of a service begins with `bot-`; its token has no `token_name`, \
                 and that of a user has one, and allows never more than the user holds.",
            )
            .body(
                closed(&["username", "token_type"], json!({
                    "username": { "type": "string", "maxLength": 64 },
                    "token_type": { "type": "string", "enum": ["service", "user"] },
                    "token_name": with(name(), "type", json!(["string", "null"])),
                    "scopes": scopes(),
                    "expires": expires(),
                })),
                json!({ "username": "bot-ci", "token_type": "service", "scopes": [] }),
                true,
            )
            .refuses(&[404, 409, 422])
            .answer(201, made()),
    ]
}

fn with_filters(operation: Operation, mut parameters: Vec<Value>, everybody: bool) -> Operation {
    let text = || json!({ "type": "string" });
    let time = || {
        json!({ "oneOf": [
            { "type": "integer", "minimum": 0, "maximum": 1_u64 << 52 },
            { "type": "string", "format": "date-time" },
        ]})
    };
    let mut filters = vec![
        ("since", "not before, as a Unix time or RFC 3339", time()),
        ("until", "not after", time()),
        (
            "key",
            "this token, and what was delegated from it directly",
            key(),
        ),
        ("token_type", "of this type", token_type()),
        (
            "ip_address",
            "from this address or network, `192.0.2.0/24`",
            text(),
        ),
        (
            "cursor",
            "where to begin: as the header `Link` says",
            json!({
                "type": "string", "pattern": "^p?[0-9]{1,15}_[0-9]{1,15}$",
            }),
        ),
        (
            "limit",
            "lines at most; more than 1000 are taken for 1000",
            json!({
                "type": "integer", "minimum": 1, "maximum": 1_u64 << 52,
            }),
        ),
    ];
    if everybody {
        filters.push(("username", "of this user or service", text()));
        filters.push(("actor", "by whom", text()));
    }
    let filters = filters.into_iter();
    parameters.extend(filters.map(|(name, about, schema)| in_query(name, about, schema)));
    let content = json!({ "application/json": { "schema": list(schema("TokenChange")) } });
    operation
        .about(
            "The newest first. With a limit, or where there are more than a thousand, the rest is linked to.",
        )
        .parameters(parameters)
        .answer(200, json!({
            "description": "Lines of it.",
            "content": content,
            "headers": { "Link": header("Link"), "X-Total-Count": header("TotalCount") },
        }))
}

fn key() -> Value {
    json!({ "type": "string", "pattern": KEY })
}

fn name() -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": 64, "description": "what its user calls it" })
}

fn scopes() -> Value {
    let about = "what it allows: scopes that exist";
    with(
        list(json!({ "type": "string", "minLength": 1 })),
        "description",
        about,
    )
}

fn expires() -> Value {
    json!({
        "description": "when it ends, five minutes from now at least; `null` is never",
        "oneOf": [
            { "type": "integer" },
            { "type": "string", "format": "date-time" },
            { "type": "null" },
        ],
    })
}

fn token_type() -> Value {
    json!({ "type": "string", "enum": TokenType::ALL.map(TokenType::as_str) })
}

fn made() -> Value {
    let token =
        json!({ "type": "string", "description": "the token itself: it is told this once" });
    let schema = object(&["token"], json!({ "token": token }));
    json!({
        "description": "It is made.",
        "content": { "application/json": { "schema": schema } },
        "headers": { "Location": header("Location") },
    })
}

pub(super) fn schemas() -> Map<String, Value> {
    let text = |about: &str| json!({ "type": "string", "description": about });
    let time = |about: &str| json!({ "type": "integer", "description": format!("{about}, as a Unix time") });
    let names = || list(json!({ "type": "string" }));
    let or_null = |value: Value| json!({ "oneOf": [value, { "type": "null" }] });
    let info = object(
        &["token", "username", "token_type", "scopes", "created"],
        json!({
            "token": with(key(), "description", "names it here; it opens nothing"),
            "username": text("whose it is"),
            "token_type": token_type(),
            "scopes": names(),
            "created": time("when it was made"),
            "expires": time("when it ends; never, where it is not there"),
            "token_name": name(),
            "service": text("to which it was delegated"),
            "parent": with(key(), "description", "what it was delegated from"),
        }),
    );
    let group = object(
        &["name", "id"],
        json!({ "name": text("what it is called"), "id": { "type": "integer" } }),
    );
    let user = object(
        &["username", "groups"],
        json!({
            "username": text("who it is"),
            "name": text("what people see"),
            "email": text("the mail address"),
            "uid": { "type": "integer", "minimum": 1 },
            "gid": { "type": "integer", "minimum": 1 },
            "groups": list(group),
            "quota": schema("Quota"),
        }),
    );
    let change = object(
        &[
            "token",
            "username",
            "token_type",
            "scopes",
            "expires",
            "actor",
            "action",
            "ip_address",
            "event_time",
        ],
        json!({
            "token": key(),
            "username": text("whose it was"),
            "token_type": token_type(),
            "token_name": text("what it was called"),
            "parent": key(),
            "scopes": names(),
            "service": text("to which it was delegated"),
            "expires": or_null(time("when it was to end")),
            "actor": text("a username, or a name in angle brackets for who has none"),
            "action": { "type": "string", "enum": ["create", "revoke", "expire", "edit"] },
            "old_token_name": text("what it was called before"),
            "old_scopes": names(),
            "old_expires": or_null(time("when it was to end before")),
            "ip_address": or_null(text("from where, if it is known")),
            "event_time": time("when"),
        }),
    );
    Map::from_iter([
        ("TokenInfo".to_owned(), info),
        ("TokenUser".to_owned(), user),
        ("TokenChange".to_owned(), change),
    ])
}
