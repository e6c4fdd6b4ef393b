//! What a verb decided and others must hear. The rows are committed with the decision; the object
//! sends them before it acknowledges, and its alarm sends what a crash or an outage left over.

use serde::{Deserialize, Serialize};

use super::sql::{Fault, Json, Sql};
use crate::message;
use crate::model::{Moment, RequestId, RoleFacts, Shard, SubjectFacts};
use crate::ports::courier::CourierVerb;
use crate::ports::feed::{Append, FeedVerb};
use crate::ports::ledger::{LedgerVerb, PutRoles, PutSubject};
use crate::ports::logouts::{Notice, SendLogouts};
use crate::ports::tokens::DropScope;
use crate::ports::{At, Call, Verb};
use crate::token::Revocation;

/// The target of rows that go into the feed.
const FEED: &str = "feed";
/// What begins the target of rows that go to a shard of the ledger.
const SHARD: &str = "shard-";
/// Roles in one message: less than a row of 2 MB may hold, with all their scopes at their longest.
const MOST_ROLES: usize = 50;
/// Rows sent at once: a message of some 100 kB.
const MOST_ROWS: u32 = 500;

/// One message: which object, up to which row of its it tells, and the call as text.
#[derive(Serialize)]
struct Delivery {
    to: String,
    through: u64,
    call: String,
}

/// Puts entries out to the feed.
pub(super) fn revoke(sql: &Sql, clock: Moment, entries: &[Revocation]) -> Result<(), Fault> {
    if entries.is_empty() {
        return Ok(());
    }
    put(sql, clock, FEED, entries)
}

/// Puts a subject's row out to its shard.
pub(super) fn tell_shard(sql: &Sql, clock: Moment, facts: &SubjectFacts) -> Result<(), Fault> {
    let facts = facts.clone();
    put_verb(sql, clock, facts.shard, &PutSubject { facts }.into_verb())
}

/// Puts roles out to so many shards.
pub(super) fn tell_roles(
    sql: &Sql,
    clock: Moment,
    roles: &[RoleFacts],
    shards: u16,
) -> Result<(), Fault> {
    for some in roles.chunks(MOST_ROLES) {
        let roles = some.to_vec();
        let verb = PutRoles { roles }.into_verb();
        (0..shards).try_for_each(|shard| put_verb(sql, clock, Shard(shard), &verb))?;
    }
    Ok(())
}

/// Puts out to all shards that there is a scope no more.
pub(super) fn tell_no_scope(
    sql: &Sql,
    clock: Moment,
    scope: &str,
    shards: u16,
) -> Result<(), Fault> {
    let scope = scope.to_owned();
    let verb = DropScope { scope }.into_verb();
    Shard::all(shards).try_for_each(|shard| put_verb(sql, clock, shard, &verb))
}

fn put_verb(sql: &Sql, clock: Moment, shard: Shard, verb: &LedgerVerb) -> Result<(), Fault> {
    put(sql, clock, &format!("{SHARD}{}", shard.0), &[verb])
}

/// Numbers never repeat, not even after the object was restored to an earlier day: they follow
/// the clock. The feed would pass over a number that it has seen, and lose a revocation.
fn put(sql: &Sql, clock: Moment, to: &str, bodies: &[impl Serialize]) -> Result<(), Fault> {
    let first = numbers(sql, clock, bodies.len())?;
    sql.write(
        "INSERT INTO outbox (number, target, body)
         SELECT ?1 + key, ?2, value FROM json_each(?3)",
        (first, to, Json(bodies)),
    )?;
    Ok(())
}

/// The first of so many numbers.
fn numbers(sql: &Sql, clock: Moment, count: usize) -> Result<u64, Fault> {
    #[derive(Deserialize)]
    struct Row {
        first: u64,
    }
    let row: Option<Row> = sql.row(
        "UPDATE settings SET value = max(value, ?1) + ?2 WHERE name = 'last_sent'
         RETURNING value - ?2 + 1 AS first",
        (clock, count),
    )?;
    Ok(row
        .ok_or(Fault::Refused("the outbox has no counter"))?
        .first)
}

/// Puts notices out to the courier, in a table of their own: no acknowledgement waits for them.
pub(super) fn notify(sql: &Sql, clock: Moment, notices: &[Notice]) -> Result<(), Fault> {
    if notices.is_empty() {
        return Ok(());
    }
    let first = numbers(sql, clock, notices.len())?;
    sql.write(
        "INSERT INTO notices (number, notice) SELECT ?1 + key, value FROM json_each(?2)",
        (first, Json(notices)),
    )?;
    Ok(())
}

/// Whether notices wait.
pub(super) fn notices_wait(sql: &Sql) -> Result<bool, Fault> {
    let number = sql.number("SELECT EXISTS (SELECT 1 FROM notices) AS number", ())?;
    Ok(number == Some(1))
}

/// The next message to the courier, and up to which number it tells; nothing when there is none.
pub(super) fn notices(
    sql: &Sql,
    clock: Moment,
    source: &str,
) -> Result<Option<(u64, String)>, Fault> {
    #[derive(Deserialize)]
    struct Row {
        number: u64,
        notice: Json<Notice>,
    }
    let rows: Vec<Row> = sql.rows(
        "SELECT number, notice FROM notices ORDER BY number LIMIT ?",
        (MOST_ROWS,),
    )?;
    let Some(through) = rows.last().map(|row| row.number) else {
        return Ok(None);
    };
    let rows = rows.into_iter();
    let verb: CourierVerb = SendLogouts {
        source: source.to_owned(),
        notices: rows.map(|row| (row.number, row.notice.0)).collect(),
    }
    .into_verb();
    Ok(Some((through, call(clock, through, verb)?)))
}

/// Forgets what the courier has taken.
pub(super) fn noticed(sql: &Sql, through: u64) -> Result<(), Fault> {
    sql.write("DELETE FROM notices WHERE number <= ?", (through,))?;
    Ok(())
}

/// The newest number that waits; 0 when nothing does.
pub(super) fn newest(sql: &Sql) -> Result<u64, Fault> {
    edge_of(sql, "SELECT coalesce(max(number), 0) AS number FROM outbox")
}

/// Whether anything up to `through` still waits.
pub(super) fn owes(sql: &Sql, through: u64) -> Result<bool, Fault> {
    let oldest = edge_of(sql, "SELECT coalesce(min(number), 0) AS number FROM outbox")?;
    Ok(oldest != 0 && oldest <= through)
}

fn edge_of(sql: &Sql, statement: &str) -> Result<u64, Fault> {
    #[derive(Deserialize)]
    struct Row {
        number: u64,
    }
    Ok(sql.row::<Row>(statement, ())?.map_or(0, |row| row.number))
}

/// The messages to send next, as JSON. `source` names this object for good.
pub(super) fn deliveries(sql: &Sql, clock: Moment, source: &str) -> Result<String, Fault> {
    #[derive(Deserialize)]
    struct Row {
        number: u64,
        target: String,
        body: String,
    }
    let rows: Vec<Row> = sql.rows(
        "SELECT number, target, body FROM outbox ORDER BY number LIMIT ?",
        (MOST_ROWS,),
    )?;
    let mut entries = Vec::new();
    let mut deliveries = Vec::new();
    for row in rows {
        if row.target == FEED {
            entries.push((row.number, message::read(row.body.as_bytes())?));
            continue;
        }
        let verb: LedgerVerb = message::read(row.body.as_bytes())?;
        let call = call(clock, row.number, verb)?;
        deliveries.push(Delivery {
            to: row.target,
            through: row.number,
            call,
        });
    }
    if let Some((through, _)) = entries.last() {
        let through = *through;
        let verb: FeedVerb = Append {
            source: source.to_owned(),
            entries,
        }
        .into_verb();
        let call = call(clock, through, verb)?;
        deliveries.push(Delivery {
            to: FEED.to_owned(),
            through,
            call,
        });
    }
    Ok(serde_json::to_string(&deliveries)?)
}

fn call(clock: Moment, number: u64, verb: impl Serialize) -> Result<String, Fault> {
    let request = RequestId::parse(&format!("outbox-{number}"))
        .map_err(|_| Fault::Refused("the outbox made no request id"))?;
    Ok(serde_json::to_string(&Call {
        at: At {
            request,
            now: clock,
        },
        verb,
    })?)
}

/// Forgets what `to` has taken.
pub(super) fn delivered(sql: &Sql, to: &str, through: u64) -> Result<(), Fault> {
    sql.write(
        "DELETE FROM outbox WHERE target = ? AND number <= ?",
        (to, through),
    )?;
    Ok(())
}
