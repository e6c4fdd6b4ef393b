//! `tests/README.md` names tests that there are.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const README: &str = include_str!("README.md");

/// The functions of a file that holds tests: `tests/PATH.rs`, or units in `src`.
fn functions(path: &str) -> Option<BTreeSet<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let places = [
        format!("tests/{path}.rs"),
        format!("src/{path}.rs"),
        format!("src/{path}/mod.rs"),
    ];
    let text = places
        .iter()
        .find_map(|place| fs::read_to_string(root.join(place)).ok())?;
    let after = text.split("fn ").skip(1);
    let names = after.filter_map(|rest| rest.split_once(['(', '<']));
    Some(names.map(|(name, _)| name.to_owned()).collect())
}

/// File and test of each name in the text; of those that begin with `…`, the file is the one before.
fn named() -> Vec<(String, &'static str)> {
    let is_name = |text: &&str| {
        let letters = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
        text.contains("::") && text.chars().all(|one| letters(one) || "_/:…".contains(one))
    };
    let mut named = Vec::new();
    let mut file = String::new();
    for name in README.split('`').skip(1).step_by(2).filter(is_name) {
        let (path, test) = name.rsplit_once("::").unwrap();
        if path != "…" {
            file = path.replace("::", "/");
        }
        named.push((file.clone(), test));
    }
    // The sentence that says how tests are named.
    named.retain(|name| *name != ("file".to_owned(), "name"));
    named
}

#[test]
fn every_test_that_is_said_to_hold_something_is_there() {
    let mut missing = String::new();
    let named = named();
    assert!(named.len() > 300, "{}", named.len());
    for (file, test) in named {
        let known = functions(&file).unwrap_or_default();
        let found = match test.strip_suffix('…') {
            Some(start) => known.iter().any(|name| name.starts_with(start)),
            None => known.contains(test),
        };
        if !found {
            missing += &format!("{file}::{test}\n");
        }
    }
    assert!(missing.is_empty(), "{missing}");
}
