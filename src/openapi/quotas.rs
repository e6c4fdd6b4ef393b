//! What overrides quotas: to read, replace and take away.

use serde_json::{Map, Value, json};

use super::operation::Operation;
use super::shared::{closed, list, schema};

/// What the tag is about.
pub(super) const TAG: (&str, &str) = (
    "quotas",
    "what replaces the quotas of the configuration, service by service, until it is taken away",
);

pub(super) fn operations() -> Vec<Operation> {
    let of = |method, what: &str, summary: &str| {
        let id = format!("quota_overrides_{what}");
        Operation::new(method, "v1/quota-overrides", TAG.0, &id, summary)
    };
    let example = json!({
        "default": { "api": { "portal": 100 } },
        "groups": { "staff": { "api": { "portal": 500 } } },
        "bypass": ["operators"],
    });
    vec![
        of("get", "retrieve", "Read them")
            .about("Whoever has a credential may.")
            .answers(200, "What replaces the configuration.", schema("Quotas"))
            .refuses(&[404]),
        of("put", "update", "Replace them")
            .body(schema("Quotas"), example, true)
            .answers(
                200,
                "What replaces the configuration now.",
                schema("Quotas"),
            )
            .refuses(&[422]),
        of("delete", "destroy", "Take them away")
            .done("The configuration holds again.")
            .refuses(&[404]),
    ]
}

pub(super) fn schemas() -> Map<String, Value> {
    // At most a thousand names of 1 to 255 characters.
    let named = |about: &str, of: Value| {
        json!({
            "type": "object",
            "description": about,
            "propertyNames": { "minLength": 1, "maxLength": 255, "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]+$" },
            "maxProperties": 1000,
            "additionalProperties": of,
        })
    };
    let count = json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX });
    let bytes = json!({ "type": "integer", "minimum": 0, "maximum": (1_u64 << 53) - 1 });
    let size = json!({ "type": "number", "minimum": 0, "exclusiveMaximum": 1_000_000_000 });
    let notebook = closed(
        &["cpu", "memory"],
        json!({ "cpu": size, "memory": size, "spawn": { "type": "boolean", "default": true } }),
    );
    let tap = closed(&["concurrent"], json!({ "concurrent": count }));
    let quota = closed(
        &[],
        json!({
            "api": named("requests a minute, by service; nought is none at all", count),
            "disk": named("bytes, by mount", bytes),
            "notebook": notebook,
            "tap": named("queries at a time, by service", tap),
        }),
    );
    let name = json!({ "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]+$" });
    let quotas = closed(
        &[],
        json!({
            "default": schema("Quota"),
            "groups": named("what members of a group have besides", schema("Quota")),
            "bypass": list(name),
        }),
    );
    Map::from_iter([("Quota".to_owned(), quota), ("Quotas".to_owned(), quotas)])
}
