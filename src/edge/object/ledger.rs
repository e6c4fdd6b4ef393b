//! One shard of the ledger in SQLite. What a verb promises is written at its arguments, in
//! `ports::ledger`.

use std::cell::RefCell;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::sql::{Fault, Json, Sql};
use super::{migrations, outbox};
use crate::ledger::tokens;
use crate::model::{Moment, UnixTime};
use crate::ports::ledger::{LedgerAnswer, LedgerVerb, Row};
use crate::ports::{At, Call};
use crate::token::Revocation;

/// Rows that one sweep takes from a table: a fraction of a second's work.
const MOST_SWEPT: u32 = 2000;

/// Makes the tables.
pub(super) fn open(sql: &Sql) -> Result<(), Fault> {
    migrations::migrate(sql, migrations::LEDGER).map(drop)
}

/// Does one verb. `clock` is the object's own and numbers the outbox; whatever is compared with
/// a time is compared with the call's.
pub(super) fn apply(
    sql: &Sql,
    clock: Moment,
    call: Call<LedgerVerb>,
) -> Result<LedgerAnswer, Fault> {
    let at = call.at;
    let mut shard = Shard::new(sql, clock);
    let answer = decide(&mut shard, call.verb, &at)?;
    for entry in shard.told.take() {
        tokens::follow(&mut shard, &entry, &at)?;
    }
    Ok(answer)
}

fn decide(shard: &mut Shard<'_>, verb: LedgerVerb, at: &At) -> Result<LedgerAnswer, Fault> {
    let now = at.now.unix();
    match verb {
        LedgerVerb::PutSubject(verb) => shard
            .put_subject(&verb.facts, at)
            .map(LedgerAnswer::PutSubject),
        LedgerVerb::PutRoles(verb) => verb
            .roles
            .iter()
            .try_for_each(|role| shard.put_role(role))
            .map(LedgerAnswer::PutRoles),
        LedgerVerb::SpendCode(verb) => shard.spend_code(&verb, at).map(LedgerAnswer::SpendCode),
        LedgerVerb::AdvanceFamily(verb) => shard
            .advance_family(&verb, at)
            .map(LedgerAnswer::AdvanceFamily),
        LedgerVerb::RevokeGrant(verb) => {
            shard.revoke_grant(*verb, at).map(LedgerAnswer::RevokeGrant)
        }
        LedgerVerb::ReadGrant(verb) => shard.read_grant(verb, now).map(LedgerAnswer::ReadGrant),
        LedgerVerb::RevokeToken(verb) => {
            shard.revoke_token(*verb, at).map(LedgerAnswer::RevokeToken)
        }
        LedgerVerb::OpenSession(verb) => {
            shard.open_session(*verb, at).map(LedgerAnswer::OpenSession)
        }
        LedgerVerb::ReadSession(verb) => shard
            .session(&verb.session, now)
            .map(LedgerAnswer::ReadSession),
        LedgerVerb::EndSession(verb) => shard
            .end_session(&verb.session, verb.client.as_ref(), at)
            .map(LedgerAnswer::EndSession),
        LedgerVerb::ListSessions(verb) => shard
            .sessions(&verb.subject, now)
            .map(LedgerAnswer::ListSessions),
        LedgerVerb::ListGrants(verb) => shard.grants(&verb, now).map(LedgerAnswer::ListGrants),
        LedgerVerb::EndOwned(verb) => shard.end_owned(*verb, at).map(LedgerAnswer::EndOwned),
        LedgerVerb::ListIssued(verb) => shard.issued(&verb, now).map(LedgerAnswer::ListIssued),
        LedgerVerb::ReadCode(verb) => shard.code(&verb).map(LedgerAnswer::ReadCode),
        LedgerVerb::EndCode(verb) => shard.end_code(*verb, at).map(LedgerAnswer::EndCode),
        LedgerVerb::ListEnds(verb) => shard.ends(&verb).map(LedgerAnswer::ListEnds),
        LedgerVerb::ReadSubject(verb) => {
            shard.subject(&verb.subject).map(LedgerAnswer::ReadSubject)
        }
        LedgerVerb::ReadConsent(verb) => shard.consent(&verb).map(LedgerAnswer::ReadConsent),
        LedgerVerb::ListConsents(verb) => shard
            .consents(&verb.subject)
            .map(LedgerAnswer::ListConsents),
        LedgerVerb::RememberConsent(verb) => shard
            .remember_consent(*verb)
            .map(LedgerAnswer::RememberConsent),
        LedgerVerb::WithdrawConsent(verb) => shard
            .withdraw_consent(*verb, at)
            .map(LedgerAnswer::WithdrawConsent),
        LedgerVerb::SpendOnce(verb) => shard.spend_once(&verb, at).map(LedgerAnswer::SpendOnce),
        LedgerVerb::SpendNonce(verb) => shard.spend_nonce(&verb, at).map(LedgerAnswer::SpendNonce),
        LedgerVerb::ReadFailures(verb) => shard
            .refused_until(&verb.key, verb.limit, now)
            .map(LedgerAnswer::ReadFailures),
        LedgerVerb::RecordFailure(verb) => shard
            .record_failure(&verb, at)
            .map(LedgerAnswer::RecordFailure),
        LedgerVerb::SpendQuota(verb) => shard.spend_quota(&verb, at).map(LedgerAnswer::SpendQuota),
        verb @ (LedgerVerb::AddToken(_)
        | LedgerVerb::ReadToken(_)
        | LedgerVerb::ListTokens(_)
        | LedgerVerb::ChangeToken(_)
        | LedgerVerb::EndToken(_)
        | LedgerVerb::Delegate(_)
        | LedgerVerb::DropScope(_)
        | LedgerVerb::ReadTokenHistory(_)) => shard.with_tokens(verb, at),
        LedgerVerb::BeginDevice(verb) => {
            shard.begin_device(&verb, at).map(LedgerAnswer::BeginDevice)
        }
        LedgerVerb::ReadDevice(verb) => shard.read_device(&verb, now).map(LedgerAnswer::ReadDevice),
        LedgerVerb::DecideDevice(verb) => shard
            .decide_device(&verb, at)
            .map(LedgerAnswer::DecideDevice),
        LedgerVerb::PollDevice(verb) => shard.poll_device(&verb, at).map(LedgerAnswer::PollDevice),
    }
}

/// Forgets what had expired by `until`; answers whether there is more.
pub(super) fn sweep(sql: &Sql, until: UnixTime) -> Result<bool, Fault> {
    let mut more = Shard::new(sql, Moment::default()).sweep_tokens(until)?;
    // Those of the sessions that go next.
    sql.write(
        "DELETE FROM participants WHERE session IN (
            SELECT session FROM sessions WHERE expires_at <= ?1 LIMIT ?2)",
        (until, MOST_SWEPT),
    )?;
    for (table, key, expiry) in [
        ("sessions", "session", "expires_at"),
        ("grants", "grant_id", "expires_at"),
        ("spent", "key", "expires_at"),
        ("failures", "key", "window_ends"),
        ("devices", "key", "expires_at"),
    ] {
        let expired = format!("SELECT {key} FROM {table} WHERE {expiry} <= ?1 LIMIT ?2");
        let swept = sql.write(
            &format!("DELETE FROM {table} WHERE {key} IN ({expired})"),
            (until, MOST_SWEPT),
        )?;
        more |= swept && sql.row::<IgnoredAny>(&expired, (until, 1))?.is_some();
    }
    Ok(more)
}

/// An id of a row of ours.
pub(super) fn known<T: TryFrom<String>>(id: String) -> Result<T, Fault> {
    T::try_from(id).map_err(|_| Fault::Shape("an id"))
}

/// The shard, in one transaction.
pub(super) struct Shard<'a> {
    pub(super) sql: &'a Sql,
    pub(super) clock: Moment,
    /// What the feed is told by this call.
    told: RefCell<Vec<Revocation>>,
}

impl<'a> Shard<'a> {
    fn new(sql: &'a Sql, clock: Moment) -> Self {
        Self {
            sql,
            clock,
            told: RefCell::default(),
        }
    }

    pub(super) fn revoke(&self, entries: &[Revocation]) -> Result<(), Fault> {
        self.told.borrow_mut().extend_from_slice(entries);
        outbox::revoke(self.sql, self.clock, entries)
    }

    pub(super) fn list(&self, statement: &str, values: impl Serialize) -> Result<Vec<Row>, Fault> {
        #[derive(Deserialize)]
        struct Listed {
            columns: Json<Row>,
        }
        let rows: Vec<Listed> = self.sql.rows(statement, values)?;
        Ok(rows.into_iter().map(|row| row.columns.0).collect())
    }
}
