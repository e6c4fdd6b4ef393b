//! Cloudflare Workers: the only folder that names `worker`. It is compiled twice: with the feature
//! `edge` for what answers requests of the protocol, with `objects` for what the Durable Objects decide by
//! and for the management API, which speaks of the same records. An isolate may run both; each then has
//! its own copies, and is told when the other changed something.

#![allow(
    unreachable_pub,
    reason = "the glue finds exports that are pub, in a module that is not"
)]

mod bindings;
mod copies;
mod entry;
mod keys;
mod log;
#[cfg(feature = "objects")]
mod logouts;
#[cfg(feature = "objects")]
mod object;
mod settings;

use crate::token::{Keyring, Sealable, seal};

/// Seals what is kept at rest, under a fresh id. In epoch 0: a restore does not end it.
fn seal_at_rest<T: Sealable>(keyring: &Keyring, value: &T) -> Option<String> {
    let mut id = [0; seal::ID];
    getrandom::fill(&mut id).ok()?;
    let sealed = keyring.seal(value, 0, id).ok()?;
    Some(sealed.expose().to_owned())
}

/// Traps, so that a test can see what a trap leaves behind. Nothing else calls it.
#[cfg(target_arch = "wasm32")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn trap() {
    core::arch::wasm32::unreachable()
}
