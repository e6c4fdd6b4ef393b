//! The feed in SQLite. What a verb promises is written at its arguments, in `ports::feed`.

use serde::Deserialize;

use super::migrations;
use super::sql::{Fault, Json, Sql};
use crate::model::{Moment, RequestId, UnixTime};
use crate::ports::Call;
use crate::ports::feed::{Append, FeedObjectAnswer, FeedVerb, MOST_ENTRIES};
use crate::token::{FeedAnswer, Revocation};

/// Makes the tables, and at first run the feed's name.
pub(super) fn open(sql: &Sql, id: &str) -> Result<(), Fault> {
    migrations::migrate(sql, migrations::FEED)?;
    sql.write(
        "INSERT INTO settings (name, value) VALUES ('id', ?) ON CONFLICT DO NOTHING",
        (id,),
    )?;
    Ok(())
}

/// Does one verb.
pub(super) fn apply(sql: &Sql, call: Call<FeedVerb>) -> Result<FeedObjectAnswer, Fault> {
    match call.verb {
        FeedVerb::Append(verb) => append(sql, *verb, call.at.now).map(FeedObjectAnswer::Append),
        FeedVerb::Since(verb) => since(sql, &verb.feed, verb.cursor).map(FeedObjectAnswer::Since),
        FeedVerb::RaiseEpoch(_) => {
            raise_epoch(sql, &call.at.request).map(FeedObjectAnswer::RaiseEpoch)
        }
    }
}

#[derive(Deserialize)]
struct Head {
    id: String,
    epoch: u32,
    low: u64,
    newest: u64,
}

fn head(sql: &Sql) -> Result<Head, Fault> {
    let row: Option<Head> = sql.row(
        "SELECT
            (SELECT value FROM settings WHERE name = 'id') AS id,
            (SELECT value FROM settings WHERE name = 'epoch') AS epoch,
            low.value AS low,
            max(low.value, coalesce((SELECT max(number) FROM entries), 0)) AS newest
         FROM settings AS low WHERE low.name = 'low'",
        (),
    )?;
    row.ok_or(Fault::Refused("the feed has no settings"))
}

fn append(sql: &Sql, verb: Append, now: Moment) -> Result<u64, Fault> {
    #[derive(Deserialize)]
    struct Row {
        last: u64,
    }
    let newest = head(sql)?.newest;
    let row: Option<Row> = sql.row("SELECT last FROM sources WHERE source = ?", (&verb.source,))?;
    let known = row.map_or(0, |row| row.last);
    let mut last = known;
    let mut entries: Vec<Revocation> = Vec::new();
    for (number, entry) in verb.entries {
        if number > last {
            last = number;
            entries.push(entry);
        }
    }
    if entries.is_empty() {
        return Ok(newest);
    }
    sql.write(
        "INSERT INTO sources (source, last) VALUES (?1, ?2)
         ON CONFLICT DO UPDATE SET last = excluded.last",
        (&verb.source, last),
    )?;
    let kept: Vec<UnixTime> = entries
        .iter()
        .map(|entry| entry.kept_until(now.unix()))
        .collect();
    sql.write(
        "INSERT INTO entries (number, entry, expires_at)
         SELECT ?1 + 1 + entry.key, entry.value, kept.value
         FROM json_each(?2) AS entry JOIN json_each(?3) AS kept ON kept.key = entry.key",
        (newest, Json(&entries), Json(&kept)),
    )?;
    Ok(newest + u64::try_from(entries.len()).unwrap_or_default())
}

fn since(sql: &Sql, feed: &str, cursor: u64) -> Result<FeedAnswer, Fault> {
    #[derive(Deserialize)]
    struct Row {
        number: u64,
        entry: Json<Revocation>,
    }
    let head = head(sql)?;
    let full = feed != head.id || cursor < head.low || cursor > head.newest;
    let after = if full { 0 } else { cursor };
    let mut rows: Vec<Row> = if after == head.newest {
        Vec::new()
    } else {
        sql.rows(
            "SELECT number, entry FROM entries WHERE number > ? ORDER BY number LIMIT ?",
            (after, MOST_ENTRIES + 1),
        )?
    };
    let more = rows.len() > MOST_ENTRIES;
    rows.truncate(MOST_ENTRIES);
    let last = rows.last().filter(|_| more).map(|row| row.number);
    Ok(FeedAnswer {
        feed: head.id,
        epoch: head.epoch,
        after,
        head: last.unwrap_or(head.newest),
        full,
        more,
        entries: rows.into_iter().map(|row| row.entry.0).collect(),
    })
}

fn raise_epoch(sql: &Sql, request: &RequestId) -> Result<u32, Fault> {
    let fresh = sql.write(
        "INSERT INTO settings (name, value) VALUES ('raised_by', ?)
         ON CONFLICT DO UPDATE SET value = excluded.value WHERE value <> excluded.value",
        (request,),
    )?;
    if fresh {
        sql.write(
            "UPDATE settings SET value = value + 1 WHERE name = 'epoch'",
            (),
        )?;
    }
    Ok(head(sql)?.epoch)
}

/// Forgets what is older than anything it could end, wherever it stands: who has not read it yet
/// misses nothing. The newest stays, because numbers must not repeat. A reader from before the
/// oldest that is kept has to read anew.
pub(super) fn sweep(sql: &Sql, until: UnixTime) -> Result<bool, Fault> {
    #[derive(Deserialize)]
    struct Row {
        low: u64,
    }
    let newest = head(sql)?.newest;
    let swept = sql.write(
        "DELETE FROM entries WHERE expires_at <= ? AND number < ?",
        (until, newest),
    )?;
    let oldest: Option<Row> = sql.row(
        "SELECT number - 1 AS low FROM entries ORDER BY number LIMIT 1",
        (),
    )?;
    if let Some(Row { low }) = oldest.filter(|_| swept) {
        sql.write("UPDATE settings SET value = ? WHERE name = 'low'", (low,))?;
    }
    Ok(false)
}
