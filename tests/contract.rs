//! The store contract (`tests/contract/*.json`) against the store in memory. The very same files
//! run against the Durable Objects in workerd: `tests/worker/contract.test.js`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod contract_support;

use std::path::Path;

use contract_support::World;
use serde_json::{Map, Value, json};

#[test]
fn memory_keeps_the_store_contract() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract");
    let mut failures = Vec::new();
    let mut steps = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let file: Value = serde_json::from_str(&text).unwrap();
        let mut world = World::new(16);
        let mut fragments = file["fragments"].as_object().unwrap().clone();
        fragments.insert("feed".to_owned(), json!(World::FEED));
        for scenario in file["scenarios"].as_array().unwrap() {
            for step in scenario["steps"].as_array().unwrap().iter().flat_map(turns) {
                steps += 1;
                let step = expand(&step, &fragments);
                let call = json!({
                    "at": {
                        "request": step["request"],
                        "now": step["now"].as_u64().unwrap() * 1000,
                    },
                    "verb": step["verb"],
                });
                let object = step["object"].as_str().unwrap();
                let (answer, entries) = world.call(object, call);
                let told = step.get("feed").cloned().unwrap_or(json!([]));
                let posted = world.posted();
                let posts = step.get("courier").cloned().unwrap_or(json!([]));
                if answer != step["answer"] || json!(entries) != told || posted != posts {
                    failures.push(format!(
                        "{}: {}: {}\n  expected {}, {told} and {posts}\n  answered {answer}, {} and {posted}",
                        path.file_name().unwrap().display(),
                        scenario["name"],
                        step["request"],
                        step["answer"],
                        json!(entries),
                    ));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(steps > 200, "only {steps} steps were found");
}

/// A step with `times` is done so often; `{n}` and `{n+1}` in it count from nought, and `"{=n+1}"` is the number.
fn turns(step: &Value) -> Vec<Value> {
    let Some(times) = step["times"].as_u64() else {
        return vec![step.clone()];
    };
    let text = step.to_string();
    let turn = |n: u64| {
        let text = text.replace("{n}", &n.to_string());
        let text = text.replace("\"{=n+1}\"", &(n + 1).to_string());
        serde_json::from_str(&text.replace("{n+1}", &(n + 1).to_string())).unwrap()
    };
    (0..times).map(turn).collect()
}

/// Puts in the fragments: `"$name"` is one, `{"$": "name", …}` is one with other members. In a list,
/// `{"times": …, "each": …}` stands for so many.
fn expand(value: &Value, fragments: &Map<String, Value>) -> Value {
    match value {
        Value::String(text) => match text.strip_prefix('$') {
            Some(name) => expand(&fragments[name], fragments),
            None => value.clone(),
        },
        Value::Array(items) => items
            .iter()
            .flat_map(|item| match item.get("each") {
                Some(_) => turns(item)
                    .into_iter()
                    .map(|turn| turn["each"].clone())
                    .collect(),
                None => vec![item.clone()],
            })
            .map(|item| expand(&item, fragments))
            .collect(),
        Value::Object(members) => {
            let mut whole = match members.get("$") {
                Some(name) => fragments[name.as_str().unwrap()]
                    .as_object()
                    .unwrap()
                    .clone(),
                None => Map::new(),
            };
            for (name, member) in members.iter().filter(|(name, _)| *name != "$") {
                whole.insert(name.clone(), expand(member, fragments));
            }
            Value::Object(whole)
        }
        _ => value.clone(),
    }
}
