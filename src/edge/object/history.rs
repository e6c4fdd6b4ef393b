//! The history of what was ended in a shard, and what sweeps any history. What a verb promises is
//! written at its arguments, in `ports::history`.

use serde_json::{Value, json};

use super::ledger::Shard;
use super::sql::{Fault, Json, Sql};
use crate::model::Moment;
use crate::ports::At;
use crate::ports::history::{ListEnds, Noted};
use crate::ports::ledger::Issued;

/// Lines that one sweep looks at: a fraction of a second's work.
const MOST_SWEPT: u32 = 2000;

impl Shard<'_> {
    /// Adds a line, if somebody is to be named. Its number follows the clock, so that one of a shard that
    /// was restored to an earlier day names no other line than before.
    pub(super) fn note(&self, noted: Option<Noted>, before: &Value, at: &At) -> Result<(), Fault> {
        let Some(noted) = noted else {
            return Ok(());
        };
        let (collection, record) = (noted.collection.clone(), noted.record.clone());
        self.sql.write(
            "INSERT INTO audit (number, time, request, collection, record, line)
             VALUES (max(?1, coalesce((SELECT max(number) FROM audit) + 1, 0)), ?1, ?2, ?3, ?4, ?5)",
            (
                at.now,
                &at.request,
                collection,
                record,
                Json(noted.line(before, at)),
            ),
        )?;
        Ok(())
    }

    pub(super) fn ends(&self, verb: &ListEnds) -> Result<Issued, Fault> {
        let mut asked = "FROM audit WHERE true".to_owned();
        let mut values = Vec::new();
        for (field, value) in &verb.filters {
            asked.push_str(match field.as_str() {
                "actor" => " AND line ->> '$.actor' = ?",
                "collection" => " AND collection = ?",
                "record" => " AND record = ?",
                _ => " AND request = ?",
            });
            values.push(json!(value));
        }
        let count = format!("SELECT count(*) AS number {asked}");
        let count = self.sql.number(&count, &values)?.unwrap_or_default();
        values.push(json!(verb.most));
        let page = format!(
            "SELECT json_set(line, '$.number', number) AS columns
             {asked} ORDER BY number DESC LIMIT ?"
        );
        Ok(Issued {
            count,
            rows: self.list(&page, &values)?,
        })
    }
}

/// Forgets what the history says of the time before `before`; answers whether there may be more. The
/// oldest are looked at alone, so that a long history is not read to find that all of it stays.
pub(super) fn sweep(sql: &Sql, before: Moment) -> Result<bool, Fault> {
    let swept = sql.number(
        "SELECT count(*) AS number FROM (SELECT time FROM audit ORDER BY number LIMIT ?2)
         WHERE time < ?1",
        (before, MOST_SWEPT),
    )?;
    sql.write(
        "DELETE FROM audit WHERE time < ?1
            AND number IN (SELECT number FROM audit ORDER BY number LIMIT ?2)",
        (before, MOST_SWEPT),
    )?;
    Ok(swept == Some(u64::from(MOST_SWEPT)))
}
