//! What was issued to people, and the history of changes: to list, and of the first to end.

use serde_json::{Map, Value, json};

use super::operation::Operation;
use super::shared::{in_path, list, object, ordering, page, pages, schema, with};

/// What the tags are about.
pub(super) const TAGS: [(&str, &str); 2] = [
    (
        "oauth2",
        "codes, access tokens and refresh tokens that somebody has; never their values",
    ),
    ("audit", "who changed what, when and from where"),
];

/// Each kind: its path, what one is called, and whether the order of a list can be chosen.
const KINDS: [(&str, &str, bool); 3] = [
    ("authorization_codes", "AuthorizationCode", true),
    ("access_tokens", "AccessToken", false),
    ("refresh_tokens", "RefreshToken", false),
];

pub(super) fn operations() -> Vec<Operation> {
    let kinds = KINDS
        .into_iter()
        .flat_map(|(path, noun, ordered)| of(path, noun, ordered));
    let text = || json!({ "type": "string" });
    let filters = ["actor", "collection", "record", "request"].map(|name| (name, text()));
    let history = Operation::new(
        "get",
        "v1/audit/",
        "audit",
        "audit_list",
        "The history of changes",
    )
    .about(
        "The newest first. A line never has a secret. What people have and somebody ended (codes, tokens, \
         sessions, grants, consents) is told by every shard: unless `collection` names a kind of record, \
         a list goes no further than 2000 lines.",
    )
    .parameters(pages(&filters))
    .answers(200, "A page of it.", page("AuditLine"))
    .refuses(&[400, 404]);
    kinds.chain([history]).collect()
}

fn of(path: &str, noun: &str, ordered: bool) -> [Operation; 4] {
    let new = |method, part: &str, what: &str, summary: &str| {
        let id = format!("oauth2_{path}_{what}");
        let path = format!("v1/oauth2/{path}/{part}");
        Operation::new(method, &path, "oauth2", &id, &format!("{summary} {noun}"))
    };
    let number = || json!({ "type": "integer", "minimum": 0, "maximum": u64::MAX });
    let id = || in_path("id", "its `pk`", number());
    let mut parameters = pages(&[("user", number()), ("provider", number()), ("pk", number())]);
    if ordered {
        let orders = ["pk", "-pk", "user", "-user", "provider", "-provider"];
        parameters.push(ordering(&orders.map(str::to_owned)));
    }
    [
        new("get", "", "list", "List what somebody has:")
            .parameters(parameters)
            .answers(200, "A page of them.", page(noun))
            .refuses(&[400, 404]),
        new("get", "{id}/", "retrieve", "Read one")
            .parameters(vec![id()])
            .answers(200, "What is told of it.", schema(noun))
            .refuses(&[400, 404]),
        new("delete", "{id}/", "destroy", "End one")
            .about("Nothing that came from it is accepted any more.")
            .parameters(vec![id()])
            .done("It is over.")
            .refuses(&[400, 404]),
        new("get", "{id}/used_by/", "used_by_list", "What refers to one")
            .about("Nothing ever does.")
            .parameters(vec![id()])
            .answers(200, "Nothing.", list(schema("UsedBy")))
            .refuses(&[400, 404]),
    ]
}

pub(super) fn schemas() -> Map<String, Value> {
    let or_null = |of: &str| json!({ "oneOf": [schema(of), { "type": "null" }] });
    let told = |token: bool| {
        let mut names = vec!["pk", "provider", "user", "is_expired", "expires", "scope"];
        let mut properties = json!({
            "pk": { "type": "integer", "minimum": 0, "description": "names it here" },
            "provider": or_null("OAuth2Provider"),
            "user": or_null("User"),
            "is_expired": { "type": "boolean" },
            "expires": { "type": "string", "format": "date-time" },
            "scope": list(json!({ "type": "string" })),
        });
        if token {
            names.extend(["id_token", "revoked"]);
            let id_token = json!({ "type": "string", "description": "empty: it is not kept" });
            properties = with(properties, "id_token", id_token);
            properties = with(properties, "revoked", json!({ "type": "boolean" }));
        }
        object(&names, properties)
    };
    let kinds = KINDS.map(|(_, noun, code)| (noun.to_owned(), told(!code)));
    Map::from_iter(kinds.into_iter().chain([("AuditLine".to_owned(), line())]))
}

fn line() -> Value {
    let known = |about: &str| json!({ "type": ["string", "null"], "description": about });
    let record = |about: &str| json!({ "type": ["object", "null"], "description": about, "additionalProperties": true });
    object(
        &LINE,
        json!({
            "pk": { "type": "integer", "minimum": 1, "description": "names the line; of the same kind, the later, the larger" },
            "time": { "type": "string", "format": "date-time" },
            "actor": known("a username, or a name in angle brackets for who has none"),
            "address": known("from where, if it is known"),
            "request": { "type": "string", "description": "the `X-Request-Id` of the answer" },
            "collection": { "type": "string", "description": "of what kind" },
            "record": { "type": ["integer", "string", "null"], "description": "which" },
            "before": record("what it was"),
            "after": record("what it is"),
            "action": { "type": "string", "enum": ["created", "updated", "deleted"] },
        }),
    )
}

/// What every line of the history has.
const LINE: [&str; 10] = [
    "pk",
    "time",
    "actor",
    "address",
    "request",
    "collection",
    "record",
    "before",
    "after",
    "action",
];
