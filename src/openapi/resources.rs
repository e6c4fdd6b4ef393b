//! What resources are given that check tokens by themselves.

use serde_json::json;

use super::operation::Operation;
use super::shared::{closed, in_query, list, object};

/// What the tag is about.
pub(super) const TAG: (&str, &str) = (
    "resources",
    "for resources that open tokens by themselves: their key, and what was revoked",
);

pub(super) fn operations() -> Vec<Operation> {
    let text = || json!({ "type": "string" });
    let number = || json!({ "type": "integer", "minimum": 0 });
    let flag = || json!({ "type": "boolean" });
    let since = in_query(
        "since",
        "the `next` of the answer before; all there is without it",
        json!({ "type": "string", "pattern": "^[^:]*:[0-9]{1,15}$", "maxLength": 100 }),
    );
    let line = json!({
        "type": "object",
        "description": "One member, which says what ended: `subject`, `client`, `role` and `scope` with a name \
            and a generation, below which everything of it is dead; `grant` and `session` with an id; `token` \
            with an id and when it would have ended.",
    });
    let members = [
        "feed", "epoch", "after", "head", "full", "more", "entries", "next",
    ];
    let news = object(
        &members,
        json!({
            "feed": text(), "epoch": number(), "after": number(), "head": number(),
            "full": flag(), "more": flag(), "entries": list(line), "next": text(),
        }),
    );
    let asked = closed(
        &["resource"],
        json!({ "resource": { "type": "string", "minLength": 1, "maxLength": 2048 } }),
    );
    let key = object(&["root", "key"], json!({ "root": text(), "key": text() }));
    let keys = object(
        &["issuer", "resource", "epoch", "keys"],
        json!({ "issuer": text(), "resource": text(), "epoch": number(), "keys": list(key) }),
    );
    vec![
        Operation::new("get", "v1/revocations", TAG.0, "revocations", "What was revoked")
            .about("For tokens with the scope `revocation:read`. Lines are kept for a day, which no token outlives.")
            .parameters(vec![since])
            .answers(200, "What is new.", news)
            .refuses(&[400]),
        Operation::new(
            "post",
            "v1/resource-keys",
            TAG.0,
            "export_resource_key",
            "Hand out the key of a resource",
        )
        .about("It opens the sealed access tokens with that audience, and can make some. It is noted in the history.")
        .body(asked, json!({ "resource": "https://api.example" }), true)
        .answers(200, "The key.", keys),
    ]
}
