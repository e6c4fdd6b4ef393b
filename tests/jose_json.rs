//! JSONTestSuite against the strict parser.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod jose_support;

use edgemint::jose::{JoseError, parse_strict_json};
use jose_support::shared_vectors;

#[test]
fn json_test_suite_cases_are_read_or_refused_as_they_say() {
    let Some(folder) = shared_vectors("json") else {
        return;
    };
    let exceptions: serde_json::Value =
        serde_json::from_str(include_str!("vectors/exceptions.json")).unwrap();
    let exceptions = exceptions["json"].as_object().unwrap();
    let mut wrong = Vec::new();
    let mut cases = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let verdict = parse_strict_json(&std::fs::read(&path).unwrap());
        let as_it_says = match name.split('_').next() {
            Some("y") => verdict.is_ok(),
            Some("n") => verdict.is_err(),
            _ => true, // either, but never a crash
        };
        cases += 1;
        if as_it_says == exceptions.contains_key(&name) {
            wrong.push((name, verdict.err().map(JoseError::as_str)));
        }
    }
    println!("{cases} cases, {} exceptions", exceptions.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}
