//! The description of the management API is whole: it refers to nothing that it does not have, leaves out no
//! field and no route, and says of answers what answers are.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use edgemint::directory::Collection;
use edgemint::directory::schema::{Given, Reading, read};
use edgemint::openapi::document;
use serde_json::{Map, Value, json};

/// Calls for every object in a value.
fn each_object(value: &Value, call: &mut dyn FnMut(&Map<String, Value>)) {
    match value {
        Value::Object(members) => {
            call(members);
            members.values().for_each(|value| each_object(value, call));
        }
        Value::Array(items) => items.iter().for_each(|value| each_object(value, call)),
        _ => {}
    }
}

/// Every operation with its path and method.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let of = |(path, methods): (&String, &Value)| {
        let methods = methods.as_object().unwrap().clone();
        let path = path.clone();
        methods
            .into_iter()
            .map(move |(method, operation)| (path.clone(), method, operation))
    };
    paths.iter().flat_map(of).collect()
}

#[test]
fn every_reference_leads_somewhere_and_every_component_is_referred_to() {
    let document = document();
    let mut referred = Vec::new();
    each_object(&document, &mut |members| {
        if let Some(Value::String(to)) = members.get("$ref") {
            referred.push(to.clone());
        }
    });
    assert!(!referred.is_empty());
    for to in &referred {
        let pointer = to.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{to}");
    }
    for kind in ["schemas", "responses", "headers"] {
        for name in document["components"][kind].as_object().unwrap().keys() {
            let path = format!("#/components/{kind}/{name}");
            assert!(referred.contains(&path), "{path} is not used");
        }
    }
}

#[test]
fn every_operation_has_a_name_of_its_own_a_known_tag_and_the_parameters_of_its_path() {
    let document = document();
    let tags: Vec<&Value> = document["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| &tag["name"])
        .collect();
    let mut names = Vec::new();
    for (path, method, operation) in operations(&document) {
        let name = operation["operationId"].as_str().unwrap().to_owned();
        assert!(!names.contains(&name), "{name} is there twice");
        names.push(name.clone());
        assert!(tags.contains(&&operation["tags"][0]), "{name}");
        assert!(
            operation["summary"]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{name}"
        );
        let parameters = operation["parameters"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let in_path = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "path");
        let mut in_path: Vec<String> = in_path
            .map(|parameter| format!("{{{}}}", parameter["name"].as_str().unwrap()))
            .collect();
        let mut templates: Vec<&str> = path
            .split('/')
            .filter(|part| part.starts_with('{'))
            .collect();
        in_path.sort();
        templates.sort();
        assert_eq!(in_path, templates, "{method} {path}");
        assert!(
            operation
                .pointer("/responses")
                .is_some_and(|answers| !answers.as_object().unwrap().is_empty())
        );
    }
    let mut linked = Vec::new();
    each_object(&document, &mut |members| {
        if members.contains_key("parameters") && !members.contains_key("responses") {
            linked.extend(members.get("operationId").cloned());
        }
    });
    assert!(!linked.is_empty());
    for name in linked {
        assert!(names.contains(&name.as_str().unwrap().to_owned()), "{name}");
    }
}

#[test]
fn every_field_is_described_in_either_spelling_and_where_it_is_seen() {
    let document = document();
    let schema = |name: String| document["components"]["schemas"][&name].clone();
    for collection in Collection::ALL {
        let noun = collection.noun();
        let answered = schema(noun.to_owned());
        let fields = collection.fields();
        for field in fields {
            let hidden = matches!(field.given, Given::Hidden | Given::HiddenRequired);
            let about = answered["properties"][field.name]["description"].as_str();
            assert_eq!(about.is_none(), hidden, "{noun} {}", field.name);
            assert!(
                about.is_none_or(|about| about.starts_with(field.about)),
                "{noun} {}",
                field.name
            );
            let required = answered["required"].as_array().unwrap();
            assert_eq!(
                required.contains(&json!(field.name)),
                !hidden,
                "{noun} {}",
                field.name
            );
            for how in ["Create", "Replace", "Patch"] {
                let asked = schema(format!("{noun}{how}"));
                for name in [field.name, field.alias] {
                    let property = &asked["properties"][name];
                    assert!(property.is_object(), "{noun}{how} {name}");
                    assert_eq!(property["readOnly"] == true, field.given == Given::ReadOnly);
                    assert_eq!(property["writeOnly"] == true, hidden, "{noun}{how} {name}");
                }
                assert_eq!(asked["additionalProperties"], false);
            }
        }
        let patch = schema(format!("{noun}Patch"));
        assert_eq!(
            patch["required"],
            json!([]),
            "a patch of {noun} needs nothing"
        );
    }
    let user = schema("UserAccountCreate".to_owned());
    assert_eq!(user["required"], json!(["username", "password"]));
    let either =
        json!({ "oneOf": [{ "required": ["first_name"] }, { "required": ["firstName"] }] });
    assert!(user["allOf"].as_array().unwrap().contains(&either));
}

#[test]
fn every_example_of_a_record_is_one_that_is_read() {
    let document = document();
    for collection in Collection::ALL {
        let all = format!("/api/v1/{}/", collection.path());
        let one = format!("{all}{{id}}/");
        for (path, method, reading) in [
            (&all, "post", Reading::Create),
            (&one, "put", Reading::Replace),
            (&one, "patch", Reading::Patch),
        ] {
            let body = &document["paths"][path][method]["requestBody"];
            let example = body["content"]["application/json"]["example"]
                .as_object()
                .unwrap();
            assert!(!example.is_empty());
            let taken = read(collection.fields(), example, reading);
            assert!(taken.is_ok(), "{method} {path}: {taken:?}");
        }
    }
}

#[test]
fn a_list_is_narrowed_by_every_field_that_the_api_narrows_it_by() {
    let document = document();
    for collection in Collection::ALL {
        let path = format!("/api/v1/{}/", collection.path());
        let parameters = document["paths"][&path]["get"]["parameters"]
            .as_array()
            .unwrap()
            .clone();
        let names: Vec<&str> = parameters
            .iter()
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        let plain = collection
            .fields()
            .iter()
            .filter(|field| field.form.is_plain());
        let fields: Vec<&str> = plain.map(|field| field.name).collect();
        assert_eq!(names[..4], ["page", "page_size", "ordering", "search"]);
        assert_eq!(names[4..], fields, "{path}");
    }
}

/// The rows of `routes.js` under `/api/`: a path, and its methods in lower case.
fn routes() -> Vec<(&'static str, Vec<String>)> {
    let rows = include_str!("../src/routes.js").lines();
    let rows = rows.filter_map(|line| line.trim().strip_prefix("\"/api/"));
    let read = |row: &'static str| {
        let (path, rest) = row.split_once('"').unwrap();
        let methods = rest.split(['{', ',', '}']).filter_map(|part| {
            let (method, _) = part.trim().split_once(": ")?;
            let is_method = method.chars().all(|letter| letter.is_ascii_uppercase());
            is_method.then(|| method.to_ascii_lowercase())
        });
        (path, methods.collect())
    };
    rows.map(read).collect()
}

#[test]
fn every_route_of_the_api_is_described() {
    let document = document();
    let described = operations(&document);
    let routes = routes();
    assert!(routes.len() > 3);
    for (path, methods) in routes {
        assert!(!methods.is_empty(), "{path}");
        for method in methods {
            let fits = |known: &str| match path.strip_suffix('*') {
                Some(below) => known.starts_with(&format!("/api/{below}")),
                None => known == format!("/api/{path}"),
            };
            assert!(
                described
                    .iter()
                    .any(|(known, by, _)| fits(known) && *by == method),
                "{method} {path}"
            );
        }
    }
}

#[test]
fn whatever_is_refused_is_a_problem_and_whatever_needs_a_right_says_so() {
    let document = document();
    for (path, method, operation) in operations(&document) {
        let public = operation["security"] == json!([]);
        let answers = operation["responses"].as_object().unwrap();
        for status in ["401", "403", "503"] {
            assert_eq!(
                answers.contains_key(status),
                !public,
                "{method} {path} {status}"
            );
        }
        for status in ["400", "413"] {
            let with_body = operation.get("requestBody").is_some();
            assert!(
                !with_body || answers.contains_key(status),
                "{method} {path} {status}"
            );
        }
    }
    for answer in document["components"]["responses"]
        .as_object()
        .unwrap()
        .values()
    {
        let schema = &answer["content"]["application/problem+json"]["schema"]["$ref"];
        assert_eq!(schema, "#/components/schemas/Problem");
    }
}
