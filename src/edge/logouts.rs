//! What the courier sends to clients: tokens are made here, where signing keys can be used, and nothing is
//! sent. `sending.js` calls this between two transactions.

use wasm_bindgen::prelude::wasm_bindgen;
use worker::Env;

use super::entry::{at, edge};
use super::object::logouts::Due;
use crate::directory::record::Actor;
use crate::message;
use crate::model::public_id;
use crate::oauth::backchannel::{self, Prepared};
use crate::ports::Directory as _;
use crate::ports::directory::{Event, NoteEvent};

/// Makes the token for a logout that is due: the URI and the token, a line each, or a word of
/// [`Outcome`](crate::ports::logouts::Outcome).
#[wasm_bindgen]
pub async fn courier_prepare(env: Env, now: f64, due: String) -> String {
    prepare(&env, now, &due)
        .await
        .unwrap_or_else(|| "postponed".to_owned())
}

async fn prepare(env: &Env, now: f64, due: &str) -> Option<String> {
    let due: Due = message::read(due.as_bytes()).ok()?;
    // Another each time, also for one whose answer was lost in a crash: a client may refuse what it knows.
    let at = at(now, &name(&format!("{}:{now}", attempt(&due))))?;
    let edge = edge(env).ok()?;
    let id = at.request.as_str();
    let prepared = backchannel::prepare(&edge.server, &due.waiting.notice, id, &at).await;
    Some(match prepared.ok()? {
        Prepared::Send { uri, token } => format!("{uri}\n{token}"),
        Prepared::Unwanted => "unwanted".to_owned(),
        Prepared::Refused => "refused".to_owned(),
    })
}

/// Tells the history of one that was given up; answers whether it has heard.
#[wasm_bindgen]
pub async fn courier_note(env: Env, now: f64, due: String) -> bool {
    note(&env, now, &due).await.is_some()
}

async fn note(env: &Env, now: f64, due: &str) -> Option<()> {
    let due: Due = message::read(due.as_bytes()).ok()?;
    // The same for the same one, so that the history has it once.
    let at = at(now, &name(&attempt(&due)))?;
    let verb = NoteEvent {
        event: Event::LogoutUndelivered(Box::new(due.waiting)),
        actor: Actor {
            name: "<courier>".to_owned(),
            address: None,
        },
    };
    let ports = &edge(env).ok()?.server.ports;
    ports.directory(&at, verb).await.ok()
}

/// Which attempt of which logout.
fn attempt(due: &Due) -> String {
    format!("{}:{}:{}", due.source, due.number, due.waiting.attempts)
}

fn name(of: &str) -> String {
    format!("logout-{}", public_id(of))
}
