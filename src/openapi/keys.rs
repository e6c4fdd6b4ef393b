//! Signing keys: to list, make, import, retire and rotate.

use serde_json::{Map, Value, json};

use super::operation::Operation;
use super::shared::{self, closed, in_path, list, object, of_list, page, schema, with};
use crate::jose::Algorithm;

/// What the tag is about.
pub(super) const TAG: (&str, &str) = ("keys", "signing keys, and their public facts alone");

/// What lists of them are narrowed and ordered by.
const LISTED: [&str; 7] = [
    "pk",
    "kid",
    "name",
    "alg",
    "signs_from",
    "published_until",
    "state",
];

pub(super) fn operations() -> Vec<Operation> {
    let of = |method, path: &str, what: &str, summary: &str| {
        Operation::new(
            method,
            &format!("v1/keys/{path}"),
            TAG.0,
            &format!("keys_{what}"),
            summary,
        )
    };
    let filters = LISTED.map(|name| (name, json!({ "type": "string" })));
    let kid = || {
        in_path(
            "kid",
            "its `kid` or its `pk`",
            json!({ "type": "string", "minLength": 1 }),
        )
    };
    let made = json!({
        "description": "The new key. The first of its algorithm signs at once, another one when every \
            cache of the JWKS has it.",
        "headers": { "Location": shared::header("Location") },
        "content": { "application/json": { "schema": schema("SigningKey") } },
        "links": {
            "retrieve": { "operationId": "keys_retrieve", "parameters": { "kid": "$response.body#/kid" } },
            "destroy": { "operationId": "keys_destroy", "parameters": { "kid": "$response.body#/pk" } },
        },
    });
    vec![
        of("get", "", "list", "List the keys that are published")
            .parameters(of_list(&filters))
            .answers(
                200,
                "A page of them, the oldest first if nothing else is asked for.",
                page("SigningKey"),
            )
            .refuses(&[400, 404]),
        of("post", "", "create", "Make a key, or import one")
            .body(schema("SigningKeyCreate"), json!({ "alg": "ES256" }), true)
            .answer(201, made)
            .refuses(&[409]),
        of("get", "{kid}/", "retrieve", "Read one")
            .parameters(vec![kid()])
            .answers(200, "The key.", schema("SigningKey"))
            .refuses(&[404]),
        of("delete", "{kid}/", "destroy", "Retire one")
            .about(
                "It leaves the JWKS, and nothing that it signed is accepted. One that signs stays.",
            )
            .parameters(vec![kid()])
            .done("It is gone.")
            .refuses(&[404, 409]),
        of("post", "rotate", "rotate", "A successor for every key")
            .body(schema("Rotate"), json!({ "at_once": false }), false)
            .answers(200, "Every key.", schema("Rotated")),
    ]
}

pub(super) fn schemas() -> Map<String, Value> {
    let algorithm = json!({ "type": "string", "enum": Algorithm::ALL.map(Algorithm::name) });
    let text = |about: &str| json!({ "type": "string", "description": about });
    let time =
        |about: &str| json!({ "type": "string", "format": "date-time", "description": about });
    let seconds = |about: &str| json!({ "type": "integer", "description": about });
    let until = time("when it leaves the JWKS; null while no successor is known");
    let until = with(until, "type", json!(["string", "null"]));
    let key = object(
        &[
            "pk",
            "kid",
            "name",
            "alg",
            "use",
            "public_jwk",
            "signs_from",
            "published_until",
            "state",
        ],
        json!({
            "pk": { "type": "string", "format": "uuid", "description": "what `signing_key` of a provider names" },
            "kid": text("its name in the JWKS: its thumbprint (RFC 7638)"),
            "name": text("the same"),
            "alg": algorithm,
            "use": { "const": "sig" },
            "public_jwk": { "type": "object", "description": "RFC 7517", "additionalProperties": true },
            "signs_from": time("when it begins to sign"),
            "published_until": until,
            "state": { "type": "string", "enum": ["waiting", "signing", "published"] },
        }),
    );
    let create = closed(
        &["alg"],
        json!({
            "alg": algorithm,
            "private_jwk": {
                "type": ["object", "null"],
                "description": "a key from elsewhere (RFC 7517); else one is made. It is never shown",
                "writeOnly": true,
                "additionalProperties": true,
            },
        }),
    );
    let rotate = closed(
        &[],
        json!({ "at_once": {
            "type": "boolean",
            "default": false,
            "description": "whether the new keys sign at once and the old ones are withdrawn",
        } }),
    );
    let ends = seconds("when it leaves the JWKS, as a Unix time; null while no successor is known");
    let ends = with(ends, "type", json!(["integer", "null"]));
    let rotated = object(
        &["kid", "algorithm", "signs_from", "published_until"],
        json!({
            "kid": text("its name in the JWKS"),
            "algorithm": algorithm,
            "signs_from": seconds("when it begins to sign, as a Unix time"),
            "published_until": ends,
        }),
    );
    Map::from_iter([
        ("SigningKey".to_owned(), key),
        ("SigningKeyCreate".to_owned(), create),
        ("Rotate".to_owned(), rotate),
        (
            "Rotated".to_owned(),
            object(&["keys"], json!({ "keys": list(rotated) })),
        ),
    ])
}
