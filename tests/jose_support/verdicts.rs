//! Reads cases in the form of `tests/vectors/verdicts.json` and prints what ring says about each:
//! for `tests/browser/jose.test.js`.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "test support"
)]

mod verdict;

use serde_json::Value;

fn main() {
    let file: Value = serde_json::from_reader(std::io::stdin()).unwrap();
    let cases = file["cases"].as_array().unwrap().iter();
    let verdicts: Vec<&str> = cases
        .map(|case| verdict::verdict(case, &file["key_sets"]))
        .collect();
    println!("{}", serde_json::to_string(&verdicts).unwrap());
}
