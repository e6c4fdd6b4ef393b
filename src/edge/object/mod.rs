//! The Durable Objects: what the JavaScript classes of `src/objects.js` call, synchronously and
//! inside one `transactionSync`. A fault is thrown, so that the transaction rolls back.

#![allow(
    unreachable_pub,
    reason = "wasm-bindgen exports only what is `pub`, wherever it is"
)]

mod consents;
mod courier;
mod devices;
mod directory;
mod feed;
mod grants;
mod history;
mod issued;
mod ledger;
mod limits;
pub(super) mod logouts;
mod migrations;
mod outbox;
mod records;
mod sessions;
mod sql;
mod subjects;
mod tokens;

use std::cell::RefCell;
use std::rc::Rc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::message;
use crate::model::{Moment, Seconds, UnixTime};
use crate::ports::Call;
use crate::ports::ledger::tells_an_end;
use crate::ports::logouts::Outcome as Sent;
use crate::token::Keyring;
use sql::{Fault, Sql};

/// How far a Worker's clock may be behind the object's: nothing is swept that a Worker still
/// takes for alive.
const SKEW: u64 = 60;

/// What a verb did.
#[wasm_bindgen(getter_with_clone)]
pub struct Outcome {
    /// The answer, as JSON.
    pub answer: String,
    /// The outbox must be empty up to this number before the answer is given; 0 when it need not.
    pub owes: u64,
    /// Whether clients are to be told of an end and the courier has not heard of it.
    pub posts: bool,
    /// Whether KV is behind.
    pub publishes: bool,
    /// Whether nothing of what was written may stay: it was a refusal.
    pub undone: bool,
}

/// Makes the tables of a shard.
///
/// # Errors
/// Throws what the database throws.
#[wasm_bindgen]
pub fn ledger_open(sql: &Sql) -> Result<(), JsValue> {
    Ok(ledger::open(sql)?)
}

/// Does one verb of a shard.
///
/// # Errors
/// Throws a string when the call is not understood, else what the database throws.
#[wasm_bindgen]
pub fn ledger_call(sql: &Sql, now: u64, call: &str) -> Result<Outcome, JsValue> {
    let answer = ledger::apply(sql, Moment(now), read_call(call)?)?;
    let ends = tells_an_end(&answer);
    Ok(Outcome {
        // No other verb puts any there.
        posts: ends && outbox::notices_wait(sql)?,
        ..outcome(sql, &answer, ends, false)?
    })
}

/// Forgets what has expired, and what the history no longer tells; answers whether there is more.
///
/// # Errors
/// Throws what the database throws, or a string when the settings cannot be served.
#[wasm_bindgen]
pub fn ledger_sweep(sql: &Sql, env: JsValue, now: u64) -> Result<bool, JsValue> {
    let more = ledger::sweep(sql, swept_until(now))?;
    Ok(sweep_history(sql, &env, now)? | more)
}

/// Makes the tables of the directory, which spreads subjects over so many shards.
///
/// # Errors
/// Throws what the database throws, or a string when the settings cannot be served.
#[wasm_bindgen]
pub fn directory_open(sql: &Sql, env: JsValue, shards: u16) -> Result<(), JsValue> {
    let keyring = keyring(&env)?;
    Ok(directory::open(sql, &keyring, shards)?)
}

/// Does one verb of the directory.
///
/// # Errors
/// As [`ledger_call`].
#[wasm_bindgen]
pub fn directory_call(sql: &Sql, now: u64, call: &str) -> Result<Outcome, JsValue> {
    // Also a refusal may speak of what an earlier call decided and could not tell.
    let owed = outbox::newest(sql)?;
    let (answer, stays) = directory::apply(sql, Moment(now), read_call(call)?)?;
    let publishes = stays && directory::publishes(sql, &answer)?;
    let outcome = outcome(sql, &answer, directory::settles(&answer), publishes)?;
    Ok(if stays {
        outcome
    } else {
        Outcome {
            owes: owed.min(outcome.owes),
            undone: true,
            ..outcome
        }
    })
}

/// Forgets what the history no longer tells; answers whether there is more.
///
/// # Errors
/// As [`directory_open`].
#[wasm_bindgen]
pub fn directory_sweep(sql: &Sql, env: JsValue, now: u64) -> Result<bool, JsValue> {
    Ok(sweep_history(sql, &env, now)?)
}

/// What KV has not been told yet: `[{key, version, value}]`, sealed.
///
/// # Errors
/// As [`directory_open`].
#[wasm_bindgen]
pub fn directory_publications(sql: &Sql, env: JsValue) -> Result<String, JsValue> {
    let keyring = keyring(&env)?;
    Ok(directory::publications(sql, &keyring)?)
}

/// Notes that KV was told.
///
/// # Errors
/// Throws what the database throws.
#[wasm_bindgen]
pub fn directory_published(sql: &Sql, key: &str, version: u64) -> Result<(), JsValue> {
    Ok(directory::published(sql, key, version)?)
}

/// Makes the tables of the feed; `id` names it if it has no name yet.
///
/// # Errors
/// Throws what the database throws.
#[wasm_bindgen]
pub fn feed_open(sql: &Sql, id: &str) -> Result<(), JsValue> {
    Ok(feed::open(sql, id)?)
}

/// Does one verb of the feed.
///
/// # Errors
/// As [`ledger_call`].
#[wasm_bindgen]
pub fn feed_call(sql: &Sql, call: &str) -> Result<String, JsValue> {
    let answer = feed::apply(sql, read_call(call)?)?;
    Ok(serde_json::to_string(&answer).map_err(Fault::from)?)
}

/// Forgets what is too old; answers whether there is more.
///
/// # Errors
/// Throws what the database throws.
#[wasm_bindgen]
pub fn feed_sweep(sql: &Sql, now: u64) -> Result<bool, JsValue> {
    Ok(feed::sweep(sql, swept_until(now))?)
}

/// Makes the tables of the courier.
///
/// # Errors
/// Throws what the database throws.
#[wasm_bindgen]
pub fn courier_open(sql: &Sql) -> Result<(), JsValue> {
    Ok(courier::open(sql)?)
}

/// Does one verb of the courier; answers `fetch` and a URL where that has to be fetched first.
///
/// # Errors
/// As [`ledger_call`].
#[wasm_bindgen]
pub fn courier_call(sql: &Sql, env: JsValue, call: &str) -> Result<String, JsValue> {
    let private = super::settings::fetches_private(&env);
    match courier::apply(sql, read_call(call)?, private)? {
        courier::Next::Fetch(url) => Ok(format!("fetch {url}")),
        courier::Next::Answer(answer) => Ok(serde_json::to_string(&answer).map_err(Fault::from)?),
    }
}

/// Takes what was fetched for a call; nothing where that failed.
///
/// # Errors
/// As [`ledger_call`].
#[wasm_bindgen]
pub fn courier_fetched(sql: &Sql, call: &str, document: Option<String>) -> Result<(), JsValue> {
    Ok(courier::learn(sql, read_call(call)?, document.as_deref())?)
}

/// Forgets what nobody asks for; answers whether there is more.
///
/// # Errors
/// Throws what the database throws.
#[wasm_bindgen]
pub fn courier_sweep(sql: &Sql, now: u64) -> Result<bool, JsValue> {
    Ok(courier::sweep(sql, Moment(now))?)
}

/// The second in which the next logout is to be sent, in milliseconds; nothing when none waits.
///
/// # Errors
/// Throws what the database throws.
#[wasm_bindgen]
pub fn courier_next(sql: &Sql) -> Result<Option<f64>, JsValue> {
    // Times are far below the first number that this type lacks.
    let next = logouts::next(sql)?.map(|due| u32::try_from(due / 1000));
    Ok(next.map(|due| f64::from(due.unwrap_or(u32::MAX)) * 1000.0))
}

/// The logouts that are due, as JSON.
///
/// # Errors
/// Throws what the database throws.
#[wasm_bindgen]
pub fn courier_due(sql: &Sql, now: u64) -> Result<String, JsValue> {
    let due = logouts::due(sql, Moment(now))?;
    Ok(serde_json::to_string(&due).map_err(Fault::from)?)
}

/// Takes what became of one that was due; answers it as it is now, if it is given up.
///
/// # Errors
/// Throws what the database throws.
#[wasm_bindgen]
pub fn courier_sent(
    sql: &Sql,
    now: u64,
    due: &str,
    outcome: &str,
) -> Result<Option<String>, JsValue> {
    let mut due: logouts::Due = read_due(due)?;
    let given_up = logouts::sent(sql, &mut due, Sent::read(outcome), Moment(now))?;
    let text = serde_json::to_string(&due).map_err(Fault::from)?;
    Ok(given_up.then_some(text))
}

/// Forgets one that was given up, once the history has heard of it; else it is told later.
///
/// # Errors
/// Throws what the database throws.
#[wasm_bindgen]
pub fn courier_noted(sql: &Sql, now: u64, due: &str, noted: bool) -> Result<(), JsValue> {
    let due: logouts::Due = read_due(due)?;
    if noted {
        logouts::forget(sql, &due)?;
    } else {
        logouts::later(sql, &due, Moment(now))?;
    }
    Ok(())
}

fn read_due(text: &str) -> Result<logouts::Due, Fault> {
    message::read(text.as_bytes()).map_err(|_| Fault::Shape("a logout that is due"))
}

/// The next message to the courier, after the number up to which it tells and a line break; nothing when
/// there is none.
///
/// # Errors
/// Throws what the database throws.
#[wasm_bindgen]
pub fn notices(sql: &Sql, now: u64, source: &str) -> Result<Option<String>, JsValue> {
    let next = outbox::notices(sql, Moment(now), source)?;
    Ok(next.map(|(through, call)| format!("{through}\n{call}")))
}

/// Notes that the courier was told.
///
/// # Errors
/// Throws what the database throws.
#[wasm_bindgen]
pub fn noticed(sql: &Sql, through: u64) -> Result<(), JsValue> {
    Ok(outbox::noticed(sql, through)?)
}

/// The newest number in the outbox; 0 when it is empty.
///
/// # Errors
/// Throws what the database throws.
#[wasm_bindgen]
pub fn outbox_newest(sql: &Sql) -> Result<u64, JsValue> {
    Ok(outbox::newest(sql)?)
}

/// Whether anything up to `through` waits in the outbox.
///
/// # Errors
/// Throws what the database throws.
#[wasm_bindgen]
pub fn outbox_owes(sql: &Sql, through: u64) -> Result<bool, JsValue> {
    Ok(outbox::owes(sql, through)?)
}

/// The messages to send next: `[{to, through, call}]`.
///
/// # Errors
/// Throws what the database throws.
#[wasm_bindgen]
pub fn outbox_deliveries(sql: &Sql, now: u64, source: &str) -> Result<String, JsValue> {
    Ok(outbox::deliveries(sql, Moment(now), source)?)
}

/// Notes that a message was taken.
///
/// # Errors
/// Throws what the database throws.
#[wasm_bindgen]
pub fn outbox_delivered(sql: &Sql, to: &str, through: u64) -> Result<(), JsValue> {
    Ok(outbox::delivered(sql, to, through)?)
}

thread_local! {
    static KEYRING: RefCell<Option<Rc<Keyring>>> = const { RefCell::new(None) };
}

/// What seals in this deployment.
fn keyring(env: &JsValue) -> Result<Rc<Keyring>, Fault> {
    if let Some(keyring) = KEYRING.with_borrow(Option::clone) {
        return Ok(keyring);
    }
    let keyring =
        super::settings::keyring(env).map_err(|_| Fault::Refused("a setting cannot be served"))?;
    let keyring = Rc::new(keyring);
    KEYRING.with_borrow_mut(|kept| *kept = Some(Rc::clone(&keyring)));
    Ok(keyring)
}

fn read_call<V: DeserializeOwned>(text: &str) -> Result<Call<V>, Fault> {
    message::read(text.as_bytes()).map_err(|_| Fault::Refused("this is no call that is known here"))
}

fn outcome(
    sql: &Sql,
    answer: &impl Serialize,
    settles: bool,
    publishes: bool,
) -> Result<Outcome, Fault> {
    let owes = if settles { outbox::newest(sql)? } else { 0 };
    Ok(Outcome {
        answer: serde_json::to_string(answer)?,
        owes,
        posts: false,
        publishes,
        undone: false,
    })
}

fn sweep_history(sql: &Sql, env: &JsValue, now: u64) -> Result<bool, Fault> {
    let kept = super::settings::history_kept(env);
    let Seconds(kept) = kept.map_err(|_| Fault::Refused("a setting cannot be served"))?;
    history::sweep(sql, Moment(now.saturating_sub(kept.saturating_mul(1000))))
}

fn swept_until(now: u64) -> UnixTime {
    let Seconds(seconds) = UnixTime(SKEW).until(Moment(now).unix());
    UnixTime(seconds)
}
