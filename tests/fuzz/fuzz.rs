//! Every parser that meets the outside, under libFuzzer. One program, so that it is linked once;
//! the variable `EDGEMINT_FUZZ` says which target it is. A target panics where what the parser did is
//! wrong, not only where it breaks.
#![no_main]

mod bend;
mod http;
mod jose;
mod json;
mod mac;
mod records;
mod resource;
mod sealed;
mod texts;
mod uris;

#[path = "../jose_support/mod.rs"]
mod jose_support;
#[path = "../support/mod.rs"]
mod support;

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

/// Reads what libFuzzer made up.
type Target = fn(&[u8]);

/// `scripts/fuzz.mjs` finds the names by the folders of seeds.
const TARGETS: [(&str, Target); 17] = [
    ("basic", texts::basic),
    ("cookies", texts::cookies),
    ("fetched", uris::fetched),
    ("form", texts::form),
    ("http", http::run),
    ("json", json::run),
    ("jwk", jose::jwk),
    ("jwks", jose::jwks),
    ("jwt", jose::jwt),
    ("mac", mac::run),
    ("pkce", texts::pkce),
    ("records", records::run),
    ("redirect", uris::redirect),
    ("resource", resource::run),
    ("scope", texts::scope),
    ("sealed", sealed::run),
    ("settings", uris::settings),
];

static TARGET: OnceLock<Target> = OnceLock::new();

fuzz_target!(
    init: {
        let wanted = std::env::var("EDGEMINT_FUZZ").unwrap_or_default();
        let found = TARGETS.into_iter().find(|(name, _)| *name == wanted);
        let (_, target) = found.unwrap_or_else(|| panic!("EDGEMINT_FUZZ names no target"));
        let _ = TARGET.set(target);
    },
    |data: &[u8]| {
        if let Some(target) = TARGET.get() {
            target(data);
        }
    }
);
