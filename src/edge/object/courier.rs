//! The courier's table. What is fetched and when is decided in `ports::courier`; the request itself is
//! sent by `src/edge/fetching.js`.

use crate::model::target::may_be_fetched;
use crate::model::{Moment, UnixTime};
use crate::ports::Call;
use crate::ports::courier::{CourierAnswer, CourierVerb, FetchKeys, Known};

use super::logouts;
use super::migrations::{COURIER, migrate};
use super::sql::{Fault, Json, Sql};

/// What has to be done before a call can be answered, or its answer.
pub(super) enum Next {
    Fetch(String),
    Answer(CourierAnswer),
}

pub(super) fn open(sql: &Sql) -> Result<(), Fault> {
    migrate(sql, COURIER).map(drop)
}

/// Does one verb, as far as it can be done now.
pub(super) fn apply(sql: &Sql, call: Call<CourierVerb>, private: bool) -> Result<Next, Fault> {
    let verb = match call.verb {
        CourierVerb::FetchKeys(verb) => verb,
        CourierVerb::SendLogouts(verb) => {
            let waiting = logouts::take(sql, *verb, call.at.now)?;
            return Ok(Next::Answer(CourierAnswer::SendLogouts(waiting)));
        }
    };
    let known = read(sql, &verb)?;
    // Looked at once more where the request is sent: a record may be older than the rule.
    if known.wants(&verb, call.at.now) && may_be_fetched(&verb.url, private) {
        return Ok(Next::Fetch(verb.url));
    }
    Ok(Next::Answer(CourierAnswer::FetchKeys(
        known.answer(call.at.now),
    )))
}

/// Takes what was fetched for a call.
pub(super) fn learn(
    sql: &Sql,
    call: Call<CourierVerb>,
    document: Option<&str>,
) -> Result<(), Fault> {
    let CourierVerb::FetchKeys(verb) = call.verb else {
        return Err(Fault::Refused("nothing is fetched for this call"));
    };
    let mut known = read(sql, &verb)?;
    known.learn(document, call.at.now);
    let UnixTime(tried_at) = known.tried_at.unix();
    sql.write(
        "INSERT INTO key_sets (url, known, tried_at) VALUES (?, ?, ?)
         ON CONFLICT DO UPDATE SET known = excluded.known, tried_at = excluded.tried_at",
        (&verb.url, Json(known), tried_at),
    )?;
    Ok(())
}

/// Forgets URLs that nobody asks for.
pub(super) fn sweep(sql: &Sql, now: Moment) -> Result<bool, Fault> {
    let before = now.unix().0.saturating_sub(Known::FORGOTTEN / 1000);
    sql.write("DELETE FROM key_sets WHERE tried_at <= ?", (before,))?;
    Ok(false)
}

fn read(sql: &Sql, verb: &FetchKeys) -> Result<Known, Fault> {
    #[derive(serde::Deserialize)]
    struct Row {
        known: Json<Known>,
    }
    let row: Option<Row> = sql.row("SELECT known FROM key_sets WHERE url = ?", (&verb.url,))?;
    Ok(row
        .map(|Row { known: Json(known) }| known)
        .unwrap_or_default())
}
