//! JSONTestSuite against the strict parser.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use std::collections::BTreeMap;

use base64::Engine as _;
use edgemint::jose::{JoseError, parse_strict_json};

#[test]
fn json_test_suite_cases_are_read_or_refused_as_they_say() {
    let packed = include_bytes!("vectors/json/test_parsing.json.gz");
    let files: BTreeMap<String, String> =
        serde_json::from_reader(flate2::read::GzDecoder::new(&packed[..])).unwrap();
    let exceptions: serde_json::Value =
        serde_json::from_str(include_str!("vectors/exceptions.json")).unwrap();
    let exceptions = exceptions["json"].as_object().unwrap();
    let mut wrong = Vec::new();
    for (name, text) in &files {
        let text = base64::prelude::BASE64_STANDARD.decode(text).unwrap();
        let verdict = parse_strict_json(&text);
        let as_it_says = match name.split('_').next() {
            Some("y") => verdict.is_ok(),
            Some("n") => verdict.is_err(),
            _ => true, // either, but never a crash
        };
        if as_it_says == exceptions.contains_key(name) {
            wrong.push((name, verdict.err().map(JoseError::as_str)));
        }
    }
    println!("{} cases, {} exceptions", files.len(), exceptions.len());
    assert_eq!(files.len(), 318);
    assert!(wrong.is_empty(), "{wrong:#?}");
}
