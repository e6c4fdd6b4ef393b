//! What the courier has to tell clients, in SQLite. When it is sent is decided in `ports::logouts`; the
//! request itself is sent by `src/edge/fetching.js`.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::{Deserialize, Serialize};

use super::sql::{Fault, Json, Sql};
use crate::message;
use crate::model::{ClientId, Moment};
use crate::ports::logouts::{
    MOST_AT_ONCE, MOST_OF_ONE, Next, Outcome, SendLogouts, TOO_MANY, Waiting,
};

/// Milliseconds until the history is told again that one was given up, where it could not hear.
const NOTE_PAUSE: u64 = 30_000;
/// Milliseconds for which one that cannot be read is put off: a day, in which somebody may have looked at it.
const UNREADABLE: u64 = 86_400_000;

/// A notice that is due, as it crosses to what sends it and back.
#[derive(Serialize, Deserialize)]
pub(crate) struct Due {
    pub(crate) source: String,
    pub(crate) number: u64,
    pub(crate) waiting: Waiting,
}

/// Takes notices; answers how many wait.
pub(super) fn take(sql: &Sql, verb: SendLogouts, now: Moment) -> Result<u64, Fault> {
    let last = sql.number(
        "SELECT last AS number FROM sources WHERE source = ?",
        (&verb.source,),
    )?;
    let last = last.unwrap_or_default();
    let of_all = sql.number("SELECT count(*) AS number FROM logouts", ())?;
    let mut of_all = of_all.unwrap_or_default();
    let new = verb
        .notices
        .into_iter()
        .filter(|(number, _)| *number > last);
    let mut newest = last;
    let mut of_clients: BTreeMap<ClientId, Queue> = BTreeMap::new();
    for (number, notice) in new {
        newest = newest.max(number);
        let client = notice.client.clone();
        let queue = match of_clients.entry(client.clone()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(queue(sql, &client)?),
        };
        let Some(waiting) = Waiting::new(notice, queue.rows, of_all, || queue.too_many > 0) else {
            continue;
        };
        queue.rows += 1;
        queue.too_many += u64::from(waiting.failed.is_some());
        of_all += 1;
        sql.write(
            "INSERT INTO logouts (source, number, client, waiting, due) VALUES (?, ?, ?, ?, ?)",
            (&verb.source, number, client, Json(waiting), now),
        )?;
    }
    if newest > last {
        sql.write(
            "INSERT INTO sources (source, last) VALUES (?, ?)
             ON CONFLICT DO UPDATE SET last = excluded.last",
            (&verb.source, newest),
        )?;
    }
    Ok(of_all)
}

/// What waits of one client; how many of it say that too many do.
#[derive(Deserialize)]
struct Queue {
    rows: u64,
    too_many: u64,
}

fn queue(sql: &Sql, client: &ClientId) -> Result<Queue, Fault> {
    let queue: Option<Queue> = sql.row(
        "SELECT count(*) AS rows, count(CASE WHEN json_valid(waiting) THEN nullif(waiting ->> '$.failed' = ?2, 0) END) AS too_many
         FROM logouts WHERE client = ?1",
        (client, TOO_MANY),
    )?;
    Ok(queue.unwrap_or(Queue {
        rows: 0,
        too_many: 0,
    }))
}

/// When the next is due, in milliseconds; nothing when none waits.
pub(super) fn next(sql: &Sql) -> Result<Option<u64>, Fault> {
    sql.number("SELECT due AS number FROM logouts ORDER BY due LIMIT 1", ())
}

/// What is due. Clients take turns: the first of each comes before the second of any.
pub(super) fn due(sql: &Sql, now: Moment) -> Result<Vec<Due>, Fault> {
    #[derive(Deserialize)]
    struct Row {
        source: String,
        number: u64,
        waiting: String,
    }
    let rows: Vec<Row> = sql.rows(
        "WITH places AS (
            SELECT source, number,
                row_number() OVER (PARTITION BY client ORDER BY due, source, number) AS place
            FROM logouts WHERE due <= ?1)
         SELECT source, number, waiting FROM places JOIN logouts USING (source, number)
         WHERE place <= ?2 ORDER BY place, due, source, number LIMIT ?3",
        (now, MOST_OF_ONE, MOST_AT_ONCE),
    )?;
    let mut due = Vec::new();
    for row in rows {
        match message::read(row.waiting.as_bytes()) {
            Ok(waiting) => due.push(Due {
                source: row.source,
                number: row.number,
                waiting,
            }),
            // Nobody can be told by it, and nobody else waits for it.
            Err(_) => {
                sql.write(
                    "UPDATE logouts SET due = ? WHERE source = ? AND number = ?",
                    (
                        Moment(now.0.saturating_add(UNREADABLE)),
                        &row.source,
                        row.number,
                    ),
                )?;
            }
        }
    }
    Ok(due)
}

/// Takes what became of an attempt; answers whether it was given up. One that was stays until the history
/// has heard of it.
pub(super) fn sent(sql: &Sql, due: &mut Due, outcome: Outcome, now: Moment) -> Result<bool, Fault> {
    match due.waiting.sent(outcome, now) {
        Next::Done => forget(sql, due)?,
        Next::Again(then) => keep(sql, due, then)?,
        Next::GivenUp => {
            keep(sql, due, Moment(now.0.saturating_add(NOTE_PAUSE)))?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// The history could not hear of it: it is told later.
pub(super) fn later(sql: &Sql, due: &Due, now: Moment) -> Result<(), Fault> {
    keep(sql, due, Moment(now.0.saturating_add(NOTE_PAUSE)))
}

/// It is done with.
pub(super) fn forget(sql: &Sql, due: &Due) -> Result<(), Fault> {
    sql.write(
        "DELETE FROM logouts WHERE source = ? AND number = ?",
        (&due.source, due.number),
    )?;
    Ok(())
}

fn keep(sql: &Sql, row: &Due, due: Moment) -> Result<(), Fault> {
    sql.write(
        "UPDATE logouts SET waiting = ?, due = ? WHERE source = ? AND number = ?",
        (Json(&row.waiting), due, &row.source, row.number),
    )?;
    Ok(())
}
