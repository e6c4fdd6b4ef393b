//! The management API as OpenAPI 3.1 describes it, generated from the tables that the API itself reads.
//!
//! It is written when the Worker is built and is no part of its module, which has a limit: this module
//! exists natively only, as the texts about fields do.

use serde_json::{Map, Value, json};

mod copies;
mod forms;
mod issued;
mod keys;
mod operation;
mod own;
mod providers;
mod quotas;
mod records;
mod resources;
mod service;
mod shared;
mod tokens;

use operation::Operation;

/// The server in the document as it is built; the Worker puts its issuer there.
const SERVER: &str = "/";

const ABOUT: &str = "\
What an administrator does with Edgemint: records of every kind, clients and their secrets, signing \
keys; and what people have of their own.\n\n\
Who asks shows the bootstrap token, or an access token with the scope `admin:token` and the audience \
`ISSUER/api/v1`; pages of the issuer's own origin may show the session instead, and what changes \
something then needs the `csrf` of `/api/v1/login`. People reach with the scope `user:token` what is \
their own. Bodies are one JSON object of at most 64 KiB. Refusals are RFC 9457's, with a `code` \
that does not change. Every answer carries `X-Request-Id`, under which the log says more. Answers may \
get more members; who reads them passes over what it does not know.";

/// The whole document.
#[must_use]
pub fn document() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Edgemint",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "The management API",
            "description": ABOUT,
            "license": { "name": "MIT OR Apache-2.0", "identifier": env!("CARGO_PKG_LICENSE") },
        },
        "servers": [{ "url": SERVER, "description": "the issuer" }],
        "security": [{ shared::BEARER: [] }, { shared::SESSION: [], shared::CSRF: [] }],
        "tags": tags(),
        "paths": paths(),
        "components": {
            "schemas": schemas(),
            "responses": shared::responses(),
            "headers": shared::headers(),
            "securitySchemes": shared::security_schemes(),
        },
    })
}

/// Everything that is described, in the order of its tags. What gets routes of its own is added here.
fn operations() -> Vec<Operation> {
    let parts = [
        records::operations(),
        providers::operations(),
        keys::operations(),
        issued::operations(),
        own::operations(),
        tokens::operations(),
        quotas::operations(),
        service::operations(),
        resources::operations(),
        copies::operations(),
    ];
    parts.into_iter().flatten().collect()
}

/// What each tag is about, likewise.
fn tags() -> Vec<Value> {
    let more = [
        keys::TAG,
        own::TAG,
        tokens::TAG,
        quotas::TAG,
        service::TAG,
        resources::TAG,
    ];
    let described = records::tags().chain(issued::TAGS).chain(more);
    let tag = |(name, about)| json!({ "name": name, "description": about });
    described.map(tag).collect()
}

fn schemas() -> Map<String, Value> {
    let parts = [
        records::schemas(),
        providers::schemas(),
        keys::schemas(),
        issued::schemas(),
        own::schemas(),
        tokens::schemas(),
        quotas::schemas(),
        shared::schemas(),
    ];
    parts.into_iter().flatten().collect()
}

fn paths() -> Map<String, Value> {
    let mut paths: Map<String, Value> = Map::new();
    for operation in operations() {
        let (path, method, described) = operation.described();
        let at = paths.entry(path).or_insert_with(|| json!({}));
        if let Value::Object(methods) = at {
            methods.insert(method.to_owned(), described);
        }
    }
    paths
}
