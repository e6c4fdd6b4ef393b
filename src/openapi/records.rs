//! What may be done to the records of every collection, and what they are, read off the tables.

use serde_json::{Map, Value, json};

use super::forms;
use super::operation::Operation;
use super::shared::{self, closed, in_path, list, object, of_list, page, schema, with};
use crate::directory::form::Form;
use crate::directory::schema::{Collection, Field, Given, Reading};

/// What a body is read for, and what its schema is called after.
const READINGS: [(Reading, &str); 3] = [
    (Reading::Create, "Create"),
    (Reading::Replace, "Replace"),
    (Reading::Patch, "Patch"),
];

/// A tag and what it is about, for every collection.
pub(super) fn tags() -> impl Iterator<Item = (&'static str, &'static str)> {
    let about = |collection| match collection {
        Collection::Scopes => {
            "what tokens may allow; those of the protocol are there from the start"
        }
        Collection::Roles => "scopes that several people hold",
        Collection::Users => "people and services",
        Collection::Accounts => {
            "the same records as users, as accounts: with their roles and scopes"
        }
        Collection::Groups => "users and what they are in; a group can make administrators",
        Collection::Providers => "OAuth clients",
        Collection::Applications => "what people know a client as",
        Collection::PropertyMappings => "claims that a scope brings",
        Collection::Flows => "how people sign in, agree and sign out",
        Collection::Sources => "other issuers, whose tokens clients may show",
    };
    Collection::ALL
        .into_iter()
        .map(move |collection| (collection.path(), about(collection)))
}

/// The parameter that names a record.
pub(super) fn id() -> Value {
    in_path(
        "id",
        "names the record, by its number or its uuid",
        forms::reference(),
    )
}

/// The path of a record, below `/api/`.
pub(super) fn one(collection: Collection) -> String {
    format!("v1/{}/{{id}}/", collection.path())
}

/// The name of an operation.
pub(super) fn named(collection: Collection, what: &str) -> String {
    format!("{}_{what}", collection.path().replace('/', "_"))
}

pub(super) fn operations() -> Vec<Operation> {
    Collection::ALL.into_iter().flat_map(of).collect()
}

fn of(collection: Collection) -> [Operation; 7] {
    let noun = collection.noun();
    let record = || schema(noun);
    let sent = |how: &str| schema(&format!("{noun}{how}"));
    let new = |method, path: &str, what: &str, summary: &str| {
        let id = named(collection, what);
        Operation::new(
            method,
            path,
            collection.path(),
            &id,
            &format!("{summary} {noun}"),
        )
    };
    let (all, one) = (format!("v1/{}/", collection.path()), one(collection));
    let filters: Vec<(&str, Value)> = collection
        .fields()
        .iter()
        .filter(|field| field.form.is_plain())
        .map(|field| (field.name, forms::filter(field.form)))
        .collect();
    let created = json!({
        "description": "The new record.",
        "headers": { "Location": shared::header("Location") },
        "content": { "application/json": { "schema": made(collection) } },
        "links": links(collection),
    });
    let list_of = page(noun);
    [
        new("get", &all, "list", "List records:")
            .parameters(of_list(&filters))
            .answers(200, "A page of them.", list_of)
            .refuses(&[400, 404]),
        new("post", &all, "create", "Make a new")
            .about("What is absent is its default.")
            .body(sent("Create"), example(collection, Reading::Create), true)
            .answer(201, created)
            .refuses(&[409]),
        new("get", &one, "retrieve", "Read one")
            .parameters(vec![id()])
            .answers(200, "The record.", record())
            .refuses(&[404]),
        new("put", &one, "update", "Replace one")
            .about("What is absent is its default from now on, but for what is never shown.")
            .parameters(vec![id()])
            .body(sent("Replace"), example(collection, Reading::Replace), true)
            .answers(200, "The record as it is now.", record())
            .refuses(&[404, 409]),
        new("patch", &one, "partial_update", "Change one")
            .about("What is absent stays as it is.")
            .parameters(vec![id()])
            .body(sent("Patch"), example(collection, Reading::Patch), true)
            .answers(200, "The record as it is now.", record())
            .refuses(&[404, 409]),
        new("delete", &one, "destroy", "Delete one")
            .about("What refers to it does so no more, and what rests on it ends.")
            .parameters(vec![id()])
            .done("It is gone.")
            .refuses(&[404, 409]),
        new(
            "get",
            &format!("{one}used_by/"),
            "used_by_list",
            "What refers to one",
        )
        .parameters(vec![id()])
        .answers(200, "What does.", list(schema("UsedBy")))
        .refuses(&[404]),
    ]
}

/// Where one can go from a record that was just made.
fn links(collection: Collection) -> Value {
    let key = format!("$response.body#/{}", collection.key());
    let link = |what: &str| {
        let to = json!({ "operationId": named(collection, what), "parameters": { "id": key } });
        (what.to_owned(), to)
    };
    let common = [
        "retrieve",
        "update",
        "partial_update",
        "destroy",
        "used_by_list",
    ];
    let more: &[&str] = match collection {
        Collection::Providers => &super::providers::LINKED,
        _ => &[],
    };
    let links = common.iter().chain(more).map(|what| link(what));
    Value::Object(links.collect())
}

/// What is answered to who made one: a secret is told this once.
fn made(collection: Collection) -> Value {
    match collection {
        Collection::Providers => schema("OAuth2ProviderMade"),
        other => schema(other.noun()),
    }
}

pub(super) fn schemas() -> Map<String, Value> {
    let mut schemas = Map::new();
    for collection in Collection::ALL {
        let noun = collection.noun();
        schemas.insert(noun.to_owned(), answered(collection));
        for (reading, how) in READINGS {
            schemas.insert(format!("{noun}{how}"), asked(collection.fields(), reading));
        }
    }
    let provider = answered(Collection::Providers);
    let secret = json!({
        "type": "string",
        "description": "the secret that was made, if none was given; it is not shown again",
    });
    let properties = provider.get("properties").cloned().unwrap_or_default();
    let properties = with(properties, "client_secret", secret);
    schemas.insert(
        "OAuth2ProviderMade".to_owned(),
        with(provider, "properties", properties),
    );
    schemas
}

/// What a record is in an answer.
fn answered(collection: Collection) -> Value {
    let is_shown = |field: &&Field| !matches!(field.given, Given::Hidden | Given::HiddenRequired);
    let fields = collection.fields().iter().filter(is_shown);
    let names: Vec<&str> = fields.clone().map(|field| field.name).collect();
    let property = |field: &Field| {
        let schema = described(seen(collection, field), field.about);
        (field.name.to_owned(), schema)
    };
    object(&names, Value::Object(fields.map(property).collect()))
}

/// What `view.rs` makes of a field.
fn seen(collection: Collection, field: &Field) -> Value {
    let whole = matches!(collection, Collection::Accounts | Collection::Roles);
    match (field.form, field.name) {
        (_, "num_pk") => json!({ "type": "integer", "minimum": 0, "maximum": i32::MAX }),
        (Form::Shown, "is_superuser") => forms::answer(Form::Flag),
        (Form::Shown, "uuid") => forms::uuid(),
        (Form::Shown, "groups_obj") => forms::shown(Collection::Groups),
        (Form::Shown, "parent_name") => json!({ "type": ["string", "null"] }),
        (Form::Shown, "redirect_uri_list") => list(json!({ "type": "string" })),
        (Form::Scope, _) if whole => forms::shown(Collection::Scopes),
        (Form::Scope, "scopes") => list(json!({ "type": "string" })),
        (Form::Named(to), _) if collection == Collection::Accounts => forms::shown(to),
        (form, _) => forms::answer(form),
    }
}

/// What a body may be.
fn asked(fields: &'static [Field], reading: Reading) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    let mut rules = Vec::new();
    for field in fields {
        let schema = forms::request(field.form, field.given == Given::Optional);
        let schema = described(schema, field.about);
        let schema = match field.given {
            Given::ReadOnly => with(schema, "readOnly", true),
            Given::Hidden | Given::HiddenRequired => with(schema, "writeOnly", true),
            Given::Optional if reading != Reading::Patch => with(schema, "default", field.absent()),
            _ => schema,
        };
        let needed = match field.given {
            Given::Required => reading != Reading::Patch,
            Given::Once | Given::HiddenRequired => reading == Reading::Create,
            _ => false,
        };
        let twice = field.alias != field.name && field.given != Given::ReadOnly;
        match (needed, twice) {
            (true, false) => required.push(field.name),
            (true, true) => rules.push(json!({
                "oneOf": [{ "required": [field.name] }, { "required": [field.alias] }],
            })),
            (false, true) => {
                rules.push(json!({ "not": { "required": [field.name, field.alias] } }));
            }
            (false, false) => {}
        }
        if field.alias != field.name {
            let other = format!("another spelling of `{}`", field.name);
            let other = with(schema.clone(), "description", other);
            properties.insert(field.alias.to_owned(), other);
        }
        properties.insert(field.name.to_owned(), schema);
    }
    let schema = closed(&required, Value::Object(properties));
    if rules.is_empty() {
        schema
    } else {
        with(schema, "allOf", rules)
    }
}

/// A body for people to begin with: every field in its own spelling, or of a patch the first that can be
/// changed.
fn example(collection: Collection, reading: Reading) -> Value {
    let given = |field: &&Field| match field.given {
        Given::ReadOnly | Given::Hidden | Given::Made => false,
        Given::HiddenRequired | Given::Once => reading == Reading::Create,
        Given::Required | Given::Optional => true,
    };
    let value = |field: &Field| {
        let needed = field.given != Given::Optional || field.name == "redirect_uris";
        let value = forms::example(field.form).filter(|_| needed);
        (
            field.name.to_owned(),
            value.unwrap_or_else(|| field.absent()),
        )
    };
    let most = if reading == Reading::Patch {
        1
    } else {
        usize::MAX
    };
    let fields = collection.fields().iter().filter(given).take(most);
    Value::Object(fields.map(value).collect())
}

/// A schema with what it is about before what limits it.
fn described(schema: Value, about: &str) -> Value {
    let text = match schema.get("description").and_then(Value::as_str) {
        Some(limit) => format!("{about}; {limit}"),
        None => about.to_owned(),
    };
    with(schema, "description", text)
}
