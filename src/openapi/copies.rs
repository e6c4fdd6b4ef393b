//! The deployment on its way out and in, and the epoch.

use serde_json::{Value, json};

use super::operation::Operation;
use super::service::TAG;
use super::shared::{in_query, object};

pub(super) fn operations() -> Vec<Operation> {
    let passphrase = json!({
        "in": "header", "name": "X-Export-Passphrase", "required": true,
        "description": "What private parts are sealed under, and no line can be changed without.",
        "schema": { "type": "string", "minLength": 12, "maxLength": 1024 },
    });
    let lines = |about: &str| -> Value {
        json!({
            "description": about,
            "content": { "application/x-ndjson": { "schema": { "type": "string" } } },
        })
    };
    let export = Operation::new("get", "v1/export", TAG.0, "export", "Copy the deployment")
        .about("A page of lines. The last one says what the next page comes `after`, or that it is complete.")
        .parameters(vec![
            passphrase.clone(),
            in_query("after", "the `next` of the page before", json!({ "type": "string" })),
            in_query(
                "limit",
                "records of the page",
                json!({ "type": "integer", "minimum": 1, "maximum": 500 }),
            ),
        ])
        .answer(200, lines("Lines of JSON."))
        .refuses(&[400]);
    let told = json!({
        "imported": { "type": "integer" },
        "skipped": { "type": "integer" },
        "conflicts": { "type": "array", "items": { "type": "object" } },
    });
    let import = Operation::new("post", "v1/import", TAG.0, "import", "Take a copy")
        .about("The first line of a copy and at most 200 others, all or none; what is here already is passed over.")
        .parameters(vec![passphrase])
        .lines()
        .answers(200, "What came of it.", object(&["imported", "skipped", "conflicts"], told))
        .refuses(&[409]);
    let epoch = object(&["epoch"], json!({ "epoch": { "type": "integer" } }));
    let raise = Operation::new(
        "post",
        "v1/epoch",
        TAG.0,
        "raise_epoch",
        "End everything of before",
    )
    .about("Tokens, codes, sessions and pages; signing keys and records stay. After a restore.")
    .answers(200, "The epoch that has begun.", epoch);
    vec![export, import, raise]
}
