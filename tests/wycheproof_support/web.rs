//! The judge as a module of its own, with WebCrypto below: for `tests/browser/wycheproof.test.js`.
//! Nothing of it is in what we ship.

#[path = "mod.rs"]
mod support;

use edgemint::web::WebVerifier;
use wasm_bindgen::prelude::*;

/// The names of the suites.
#[wasm_bindgen]
pub fn suites() -> Vec<String> {
    support::SUITES
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect()
}

/// What is wrong, a line for each case, after a first line that counts the cases.
#[wasm_bindgen]
pub async fn judge(file: String, backend: String) -> Vec<String> {
    let judgement = support::judge(&file, &backend, &WebVerifier).await;
    let mut lines = vec![format!(
        "{} cases, {} exceptions",
        judgement.cases, judgement.excepted
    )];
    lines.extend(judgement.wrong);
    lines
}
