//! What providers have besides: where their clients find everything, what those are told of people,
//! and secrets that overlap.

use serde_json::{Map, Value, json};

use super::operation::Operation;
use super::records::{id, named, one};
use super::shared::{in_path, in_query, list, object, schema, with};
use crate::directory::Collection;

/// Where one can go from a provider that was just made.
pub(super) const LINKED: [&str; 3] = ["setup_urls_retrieve", "secrets_list", "secrets_create"];

pub(super) fn operations() -> Vec<Operation> {
    let of = |method, path: &str, what: &str, summary: &str| {
        let path = format!("{}{path}", one(Collection::Providers));
        let name = named(Collection::Providers, what);
        Operation::new(method, &path, Collection::Providers.path(), &name, summary)
    };
    let user = in_query(
        "for_user",
        "the number of a user",
        json!({ "type": "integer", "minimum": 0, "maximum": u64::MAX }),
    );
    let user = with(user, "required", true);
    let secret = in_path(
        "secret",
        "the `id` of the secret",
        json!({ "type": "string", "minLength": 1 }),
    );
    vec![
        of(
            "get",
            "setup_urls/",
            "setup_urls_retrieve",
            "Where its client finds everything",
        )
        .parameters(vec![id()])
        .answers(200, "The URLs.", schema("SetupUrls"))
        .refuses(&[404]),
        of(
            "get",
            "preview_user/",
            "preview_user_retrieve",
            "What its client is told of a user",
        )
        .about("Claims as they are if every scope of the client is granted.")
        .parameters(vec![id(), user])
        .answers(200, "The claims.", schema("PreviewUser"))
        .refuses(&[400, 404]),
        of(
            "get",
            "secrets/",
            "secrets_list",
            "Its secrets, but not what they are",
        )
        .parameters(vec![id()])
        .leads(
                200,
                "What they are called, and when they were made.",
                schema("ClientSecrets"),
                json!({ "secrets_destroy": {
                    "operationId": named(Collection::Providers, "secrets_destroy"),
                    "parameters": { "id": "$request.path.id", "secret": "$response.body#/secrets/0/id" },
                } }),
            )
        .refuses(&[404]),
        of("post", "secrets/", "secrets_create", "Make one more secret")
            .about(
                "It is valid beside those that are there, four at most. A public client has none.",
            )
            .parameters(vec![id()])
            .answers(201, "The secret, this once.", schema("ClientSecret"))
            .refuses(&[400, 404, 409]),
        of(
            "delete",
            "secrets/{secret}/",
            "secrets_destroy",
            "Take a secret away",
        )
        .about("What was issued to the client ends. The last secret stays.")
        .parameters(vec![id(), secret])
        .done("It is gone.")
        .refuses(&[400, 404, 409]),
    ]
}

pub(super) fn schemas() -> Map<String, Value> {
    let url =
        |about: &str| json!({ "type": ["string", "null"], "format": "uri", "description": about });
    let urls = [
        ("issuer", "the `iss` of its tokens"),
        ("authorize", "where people are sent"),
        ("token", "where tokens are"),
        ("user_info", "where claims are"),
        ("provider_info", "where its metadata is"),
        ("logout", "where people are signed out"),
        ("jwks", "where the public keys are"),
    ];
    let names = urls.map(|(name, _)| name);
    let urls: Map<String, Value> = urls
        .map(|(name, about)| (name.to_owned(), url(about)))
        .into_iter()
        .collect();
    let secret = object(
        &["id", "created", "readable"],
        json!({
            "id": { "type": "string", "description": "names the secret; it is made of its digest" },
            "created": { "type": ["string", "null"], "format": "date-time", "description": "if it is known" },
            "readable": { "type": "boolean", "description": "whether it is kept readable, as `client_secret_jwt` needs, under whichever root" },
        }),
    );
    let setup_urls = object(&names, Value::Object(urls));
    let about = "what is the application's is null without one";
    let setup_urls = with(setup_urls, "description", about);
    Map::from_iter([
        ("SetupUrls".to_owned(), setup_urls),
        (
            "PreviewUser".to_owned(),
            object(
                &["preview"],
                json!({ "preview": { "type": "object", "additionalProperties": true } }),
            ),
        ),
        (
            "ClientSecrets".to_owned(),
            object(&["secrets"], json!({ "secrets": list(secret) })),
        ),
        (
            "ClientSecret".to_owned(),
            object(
                &["id", "client_secret"],
                json!({
                    "id": { "type": "string", "description": "names the secret" },
                    "client_secret": { "type": "string", "description": "it is not shown again" },
                }),
            ),
        ),
    ])
}
