//! One shard of the ledger in SQLite. What a verb promises is written at its arguments, in
//! `ports::ledger`.

use std::cell::RefCell;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::sql::{Fault, Flag, Json, Sql};
use super::{migrations, outbox};
use crate::ledger::tokens;
use crate::model::{
    ClientId, GrantId, Moment, RequestId, RoleFacts, Scope, SessionId, Subject, SubjectFacts,
    UnixTime, public_id,
};
use crate::oauth::claims;
use crate::ports::history::Noted;
use crate::ports::ledger::{
    AdvanceFamily, Advanced, Authentication, EndOwned, GivenConsent, GrantFacts, LedgerAnswer,
    LedgerVerb, ListGrants, MOST_LISTED, NonceSpent, Once, OpenSession, Opened, Owned, QuotaSpent,
    RateLimit, ReadConsent, ReadGrant, RecordFailure, RememberConsent, RevokeGrant, RevokeToken,
    Revoked, Row, Session, SpendCode, SpendNonce, SpendOnce, SpendQuota, Spent, Standing,
    TokenRevoked, WithdrawConsent, ended, left, withdrawn,
};
use crate::ports::logouts::Notice;
use crate::ports::{At, Call};
use crate::token::{Revocation, code};

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
fn known<T: TryFrom<String>>(id: String) -> Result<T, Fault> {
    T::try_from(id).map_err(|_| Fault::Shape("an id"))
}

/// What was agreed to, which nothing selects by.
#[derive(Serialize, Deserialize)]
struct Terms {
    scope: Scope,
    audience: String,
    authentication: Authentication,
}

#[derive(Deserialize)]
struct GrantRow {
    client: ClientId,
    session: SessionId,
    offline: Flag,
    refreshable: Flag,
    terms: Json<Terms>,
    expires_at: UnixTime,
    dead: Flag,
    killed_by: Option<RequestId>,
    generation: u64,
    advanced_at: UnixTime,
    advanced_by: Option<RequestId>,
    retries: u32,
    retried_by: Option<RequestId>,
    /// The subject, if it is active and still of the grant's generation.
    facts: Option<Json<SubjectFacts>>,
}

#[derive(Deserialize)]
struct FactsRow {
    facts: Json<SubjectFacts>,
}

/// The shard, in one transaction.
pub(super) struct Shard<'a> {
    pub(super) sql: &'a Sql,
    clock: Moment,
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

    pub(super) fn subject(&self, subject: &Subject) -> Result<Option<SubjectFacts>, Fault> {
        let row: Option<FactsRow> = self
            .sql
            .row("SELECT facts FROM subjects WHERE subject = ?", (subject,))?;
        Ok(row.map(|row| row.facts.0))
    }

    /// The subject, if it is active and still of this generation.
    fn standing(&self, subject: &Subject, generation: u64) -> Result<Option<SubjectFacts>, Fault> {
        let facts = self.subject(subject)?;
        Ok(facts.filter(|facts| facts.active && facts.generation == generation))
    }

    fn put_subject(&self, facts: &SubjectFacts, at: &At) -> Result<(), Fault> {
        let before = self.subject(&facts.subject)?;
        let effective = self.with_roles(facts.clone())?;
        let newer = self.sql.write(
            "INSERT INTO subjects (subject, version, generation, active, facts, direct)
             VALUES (?, ?, ?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET version = excluded.version,
                generation = excluded.generation, active = excluded.active,
                facts = excluded.facts, direct = excluded.direct
             WHERE version < excluded.version",
            (
                &facts.subject,
                facts.version,
                facts.generation,
                Flag(facts.active),
                Json(effective),
                &facts.scope,
            ),
        )?;
        let mut lines = Vec::new();
        if let Some(before) = before.filter(|_| newer) {
            if before.generation < facts.generation {
                lines.push(Revocation::Subject(facts.subject.clone(), facts.generation));
                let own = "session IN (SELECT session FROM sessions WHERE subject = ?)";
                self.depart(own, (&facts.subject,), at)?;
            }
            if before.groups != facts.groups {
                let changed = Revocation::SubjectVersion(facts.subject.clone(), facts.version);
                lines.push(changed);
            }
        }
        self.revoke(&lines)
    }

    /// The facts with what their roles give besides.
    fn with_roles(&self, facts: SubjectFacts) -> Result<SubjectFacts, Fault> {
        if facts.roles.is_empty() {
            return Ok(facts);
        }
        let known = self.roles()?;
        Ok(facts.with_roles(|role| known.iter().find(|facts| facts.role == role)))
    }

    fn roles(&self) -> Result<Vec<RoleFacts>, Fault> {
        self.sql
            .rows("SELECT role, version, generation, scope FROM roles", ())
    }

    fn put_role(&self, role: &RoleFacts) -> Result<(), Fault> {
        #[derive(Deserialize)]
        struct Row {
            facts: Json<SubjectFacts>,
            direct: Option<Scope>,
        }
        let newer = self.sql.write(
            "INSERT INTO roles (role, version, generation, scope) VALUES (?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET version = excluded.version,
                generation = excluded.generation, scope = excluded.scope
             WHERE version < excluded.version",
            (&role.role, role.version, role.generation, &role.scope),
        )?;
        if !newer {
            return Ok(());
        }
        let held: Vec<Row> = self.sql.rows(
            "SELECT facts, direct FROM subjects
             WHERE EXISTS (SELECT 1 FROM json_each(facts, '$.roles') WHERE key = ?)",
            (&role.role,),
        )?;
        let known = self.roles()?;
        for row in held {
            let facts = row.facts.0;
            let scope = row.direct.unwrap_or_else(|| facts.scope.clone());
            let facts = SubjectFacts { scope, ..facts };
            let facts = facts.with_roles(|role| known.iter().find(|facts| facts.role == role));
            self.sql.write(
                "UPDATE subjects SET facts = ? WHERE subject = ?",
                (Json(&facts), &facts.subject),
            )?;
        }
        Ok(())
    }

    fn spend_code(&self, verb: &SpendCode, at: &At) -> Result<Spent, Fault> {
        #[derive(Deserialize)]
        struct Row {
            opened_by: RequestId,
        }
        let now = at.now.unix();
        let session = verb.alone || self.session(&verb.session, now)?.is_some();
        let agreed = session && !self.was_withdrawn(verb, now)?;
        let facts = self
            .standing(&verb.subject, verb.generation)?
            .filter(|_| agreed);
        if facts.is_some() {
            let terms = Terms {
                scope: verb.scope.clone(),
                audience: verb.audience.clone(),
                authentication: verb.authentication.clone(),
            };
            self.sql.write(
                "INSERT INTO grants (grant_id, subject, subject_generation, client, session,
                    offline, refreshable, terms, expires_at, opened_by, advanced_at, created_at)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?11, ?11)
                 ON CONFLICT DO NOTHING",
                (
                    &verb.grant,
                    &verb.subject,
                    verb.generation,
                    &verb.client,
                    &verb.session,
                    Flag(verb.offline),
                    Flag(verb.refreshable),
                    Json(terms),
                    verb.expires_at,
                    &at.request,
                    now,
                ),
            )?;
        }
        let row: Option<Row> = self.sql.row(
            "SELECT opened_by FROM grants WHERE grant_id = ?",
            (&verb.grant,),
        )?;
        match (row, facts) {
            (Some(row), _) if row.opened_by != at.request => {
                if !verb.polled {
                    self.kill(&verb.grant, None)?;
                }
                Ok(Spent::Again)
            }
            (_, Some(facts)) => {
                self.join(verb, &facts)?;
                Ok(Spent::First(Box::new(facts)))
            }
            (_, None) => Ok(Spent::Never),
        }
    }

    /// Notes a client that is to be told when the session ends. Where that is known nothing is written.
    fn join(&self, verb: &SpendCode, facts: &SubjectFacts) -> Result<(), Fault> {
        let Some(joins) = &verb.joins else {
            return Ok(());
        };
        let sub = claims::sub_in(joins.sub_mode, facts, &joins.issuer);
        self.sql.write(
            "INSERT INTO participants (session, client, sub) VALUES (?, ?, ?)
             ON CONFLICT DO UPDATE SET sub = excluded.sub WHERE sub <> excluded.sub",
            (&verb.session, &verb.client, sub),
        )?;
        Ok(())
    }

    /// Has clients told that a session has ended for them.
    fn depart(&self, such: &str, values: impl Serialize, at: &At) -> Result<(), Fault> {
        #[derive(Deserialize)]
        struct Told {
            session: SessionId,
            client: ClientId,
            sub: String,
        }
        let statement =
            format!("DELETE FROM participants WHERE {such} RETURNING session, client, sub");
        let mut told: Vec<Told> = self.sql.rows(&statement, values)?;
        told.sort_by(|a, b| (&a.session, &a.client).cmp(&(&b.session, &b.client)));
        let notices: Vec<Notice> = told
            .into_iter()
            .map(|told| Notice {
                client: told.client,
                session: told.session,
                sub: told.sub,
                ended_at: at.now.unix(),
            })
            .collect();
        outbox::notify(self.sql, self.clock, &notices)
    }

    /// Whether the consent that a code rests on was withdrawn after the code was issued, or its client
    /// was signed out.
    fn was_withdrawn(&self, verb: &SpendCode, now: UnixTime) -> Result<bool, Fault> {
        let row: Option<serde_json::Value> = self.sql.row(
            "SELECT 1 FROM spent WHERE key IN (?, ?) AND expires_at > ? AND expires_at >= ?",
            (
                withdrawn(&verb.subject, &verb.client),
                left(&verb.session, &verb.client),
                now,
                verb.issued_at + code::LONGEST,
            ),
        )?;
        Ok(row.is_some())
    }

    /// Ends a grant, and says so unless it had ended before; answers whether it had not.
    fn kill(&self, grant: &GrantId, by: Option<&RequestId>) -> Result<bool, Fault> {
        let lived = self.sql.write(
            "UPDATE grants SET dead = 1, killed_by = ? WHERE grant_id = ? AND dead = 0",
            (by, grant),
        )?;
        if lived {
            self.revoke(&[Revocation::Grant(grant.clone())])?;
        }
        Ok(lived)
    }

    fn grant(&self, grant: &GrantId) -> Result<Option<GrantRow>, Fault> {
        self.sql.row(
            "SELECT g.client, g.session, g.offline, g.refreshable, g.terms, g.expires_at, g.dead,
                g.killed_by, g.generation, g.advanced_at, g.advanced_by, g.retries, g.retried_by,
                u.facts
             FROM grants AS g LEFT JOIN subjects AS u ON u.subject = g.subject
                AND u.active = 1 AND u.generation = g.subject_generation
             WHERE g.grant_id = ?",
            (grant,),
        )
    }

    fn advance_family(&self, verb: &AdvanceFamily, at: &At) -> Result<Advanced, Fault> {
        let now = at.now.unix();
        let Some(row) = self.grant(&verb.grant)? else {
            return Ok(Advanced::Ended);
        };
        if row.killed_by.as_ref() == Some(&at.request) {
            return Ok(Advanced::Reused);
        }
        let bound = !row.offline.0;
        let live = row.refreshable.0
            && !row.dead.0
            && row.client == verb.client
            && now < row.expires_at
            && now < row.advanced_at + verb.idle
            && verb.generation <= row.generation
            && (!bound || self.session(&row.session, now)?.is_some());
        let Some(facts) = row.facts.filter(|_| live) else {
            return Ok(Advanced::Ended);
        };
        let terms = row.terms.0;
        let retry = verb.generation < row.generation;
        let repeated = [&row.advanced_by, &row.retried_by]
            .into_iter()
            .any(|by| by.as_ref() == Some(&at.request));
        let previous = verb.generation + 1 == row.generation;
        let in_time = now <= row.advanced_at + verb.grace && row.retries < verb.most_retries;
        // First of all: what else a thief asks for does not hide the theft.
        if retry && !(previous && (repeated || in_time)) {
            self.kill(&verb.grant, Some(&at.request))?;
            return Ok(Advanced::Reused);
        }
        let scope = match &verb.scope {
            Some(asked) if !asked.is_subset(&terms.scope) => return Ok(Advanced::ScopeExceeded),
            Some(asked) => asked.clone(),
            None => terms.scope.clone(),
        };
        if !verb.audiences.contains(&terms.audience) {
            return Ok(Advanced::OtherAudience);
        }
        if !retry {
            self.sql.write(
                "UPDATE grants SET generation = generation + 1, advanced_at = ?, advanced_by = ?,
                    retries = 0, retried_by = NULL
                 WHERE grant_id = ?",
                (now, &at.request, &verb.grant),
            )?;
        } else if !repeated {
            self.sql.write(
                "UPDATE grants SET retries = retries + 1, retried_by = ? WHERE grant_id = ?",
                (&at.request, &verb.grant),
            )?;
        }
        Ok(Advanced::To(Box::new(Standing {
            generation: row.generation + u64::from(!retry),
            retry,
            scope,
            granted: terms.scope,
            audience: terms.audience,
            session: bound.then_some(row.session),
            authentication: terms.authentication,
            subject: facts.0,
        })))
    }

    fn revoke_grant(&self, verb: RevokeGrant, at: &At) -> Result<Revoked, Fault> {
        #[derive(Deserialize)]
        struct Of {
            subject: String,
        }
        let known: Option<Of> = self.sql.row(
            "SELECT subject FROM grants WHERE grant_id = ? AND client = ?",
            (&verb.grant, &verb.client),
        )?;
        let Some(Of { subject }) = known else {
            return Ok(Revoked::Unknown);
        };
        if self.kill(&verb.grant, None)? {
            let before = json!({"subject": subject, "client_id": verb.client});
            self.note(verb.noted, &before, at)?;
        }
        Ok(Revoked::Done)
    }

    fn read_grant(&self, verb: Box<ReadGrant>, now: UnixTime) -> Result<Option<GrantFacts>, Fault> {
        let Some(row) = self.grant(&verb.grant)? else {
            return Ok(None);
        };
        let expires_at = row.expires_at.min(row.advanced_at + verb.idle);
        let session_ended = !row.offline.0 && self.session(&row.session, now)?.is_none();
        let live = !row.dead.0 && !session_ended && now < expires_at;
        Ok(row.facts.filter(|_| live).map(|facts| GrantFacts {
            grant: verb.grant,
            subject: facts.0,
            client: row.client,
            granted: row.terms.0.scope,
            refresh_generation: row.refreshable.0.then_some(row.generation),
            refreshed_at: row.advanced_at,
            expires_at,
        }))
    }

    fn open_session(&self, verb: OpenSession, at: &At) -> Result<Opened, Fault> {
        #[derive(Deserialize)]
        struct Row {
            generation: u64,
            request: RequestId,
            created_at: UnixTime,
        }
        let now = at.now.unix();
        let facts = self.subject(&verb.subject)?.filter(|facts| facts.active);
        let Some(facts) = facts else {
            return Ok(Opened::Refused);
        };
        if self.spend_once(&verb.page, at)? == Once::Again {
            return Ok(Opened::PageSpent);
        }
        let renewed = match verb.renew {
            Some(id) => self
                .session(&id, now)?
                .filter(|session| session.subject.subject == facts.subject)
                .map(|_| id),
            None => None,
        };
        let renews = renewed.is_some();
        let id = renewed.unwrap_or(verb.session);
        let before: Option<Row> = self.sql.row(
            "SELECT generation, request, created_at FROM sessions WHERE session = ?",
            (&id,),
        )?;
        let repeated = before.as_ref().is_some_and(|row| row.request == at.request);
        let generation = before
            .as_ref()
            .map_or(0, |row| row.generation + u64::from(!repeated));
        let created_at = before
            .filter(|_| repeated || renews)
            .map_or(now, |row| row.created_at);
        self.sql.write(
            "INSERT OR REPLACE INTO sessions (session, subject, subject_generation, generation,
                authentication, expires_at, request, created_at, user_agent, address)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                &id,
                &verb.subject,
                facts.generation,
                generation,
                Json(&verb.authentication),
                verb.expires_at,
                &at.request,
                created_at,
                &verb.user_agent,
                &verb.address,
            ),
        )?;
        if renews && !repeated {
            self.revoke(&[Revocation::Handle(id.clone(), generation)])?;
        }
        Ok(match self.session(&id, now)? {
            Some(session) => Opened::Session(Box::new(session)),
            None => Opened::Refused,
        })
    }

    pub(super) fn session(&self, id: &SessionId, now: UnixTime) -> Result<Option<Session>, Fault> {
        #[derive(Deserialize)]
        struct Row {
            generation: u64,
            authentication: Json<Authentication>,
            expires_at: UnixTime,
            facts: Json<SubjectFacts>,
        }
        let row: Option<Row> = self.sql.row(
            "SELECT s.generation, s.authentication, s.expires_at, u.facts
             FROM sessions AS s JOIN subjects AS u ON u.subject = s.subject
                AND u.active = 1 AND u.generation = s.subject_generation
             WHERE s.session = ? AND s.expires_at > ?",
            (id, now),
        )?;
        Ok(row.map(|row| Session {
            id: id.clone(),
            generation: row.generation,
            authentication: row.authentication.0,
            expires_at: row.expires_at,
            subject: row.facts.0,
        }))
    }

    fn end_session(&self, id: &SessionId, client: Option<&ClientId>, at: &At) -> Result<(), Fault> {
        if let Some(client) = client {
            self.spend_for_codes(&left(id, client), at)?;
            let ended = "UPDATE grants SET dead = 1
                 WHERE session = ? AND client = ? AND offline = 0 AND dead = 0";
            self.end_grants(ended, (id, client))?;
            return self.depart("session = ? AND client = ?", (id, client), at);
        }
        if !self
            .sql
            .write("DELETE FROM sessions WHERE session = ?", (id,))?
        {
            return Ok(());
        }
        self.sql.write(
            "UPDATE grants SET dead = 1 WHERE session = ? AND offline = 0",
            (id,),
        )?;
        // The session's own entry ends the tokens of the grants bound to it.
        self.revoke(&[Revocation::Session(id.clone())])?;
        self.depart("session = ?", (id,), at)
    }

    /// Remembers something for as long as a code from before it may be redeemed.
    fn spend_for_codes(&self, key: &str, at: &At) -> Result<(), Fault> {
        self.sql.write(
            "INSERT OR REPLACE INTO spent (key, request, expires_at) VALUES (?, ?, ?)",
            (key, &at.request, at.now.unix() + code::LONGEST),
        )?;
        Ok(())
    }

    /// Ends grants, and says so; answers whether there was one.
    fn end_grants(&self, statement: &str, values: impl Serialize) -> Result<bool, Fault> {
        #[derive(Deserialize)]
        struct Row {
            grant_id: GrantId,
        }
        let ended: Vec<Row> = self
            .sql
            .rows(&format!("{statement} RETURNING grant_id"), values)?;
        let mut grants: Vec<GrantId> = ended.into_iter().map(|row| row.grant_id).collect();
        grants.sort();
        let entries: Vec<Revocation> = grants.into_iter().map(Revocation::Grant).collect();
        self.revoke(&entries)?;
        Ok(!entries.is_empty())
    }

    /// A session whose row is damaged is listed, so that it can be ended.
    fn sessions(&self, subject: &Subject, now: UnixTime) -> Result<Vec<Row>, Fault> {
        self.list(
            "SELECT json_object('session', s.session, 'created_at', NULLIF(s.created_at, 0),
                'expires_at', s.expires_at,
                'auth_time', iif(json_valid(s.authentication), s.authentication, '{}') -> 'time',
                'amr', iif(json_valid(s.authentication), s.authentication, '{}') -> 'methods',
                'user_agent', s.user_agent,
                'address', s.address) AS columns
             FROM sessions AS s JOIN subjects AS u ON u.subject = s.subject
                AND u.active = 1 AND u.generation = s.subject_generation
             WHERE s.subject = ? AND s.expires_at > ?
             ORDER BY s.created_at DESC, s.session LIMIT ?",
            (subject, now, MOST_LISTED),
        )
    }

    fn grants(&self, verb: &ListGrants, now: UnixTime) -> Result<Vec<Row>, Fault> {
        self.list(
            "SELECT json_object('grant', g.grant_id, 'client_id', g.client,
                'scope', g.terms -> 'scope', 'created_at', NULLIF(g.created_at, 0),
                'expires_at', CAST(MIN(g.expires_at, g.advanced_at + ?3) AS INTEGER),
                'session', CASE g.offline WHEN 0 THEN g.session END) AS columns
             FROM grants AS g JOIN subjects AS u ON u.subject = g.subject
                AND u.active = 1 AND u.generation = g.subject_generation
             WHERE g.subject = ?1 AND g.dead = 0 AND g.client = COALESCE(?4, g.client)
                AND g.expires_at > ?2 AND g.advanced_at + ?3 > ?2
                AND (g.offline = 1 OR EXISTS (
                    SELECT 1 FROM sessions AS s JOIN subjects AS v ON v.subject = s.subject
                        AND v.active = 1 AND v.generation = s.subject_generation
                    WHERE s.session = g.session AND s.expires_at > ?2))
             ORDER BY g.created_at DESC, g.grant_id LIMIT ?5",
            (&verb.subject, now, verb.idle, &verb.client, MOST_LISTED),
        )
    }

    pub(super) fn list(&self, statement: &str, values: impl Serialize) -> Result<Vec<Row>, Fault> {
        #[derive(Deserialize)]
        struct Listed {
            columns: Json<Row>,
        }
        let rows: Vec<Listed> = self.sql.rows(statement, values)?;
        Ok(rows.into_iter().map(|row| row.columns.0).collect())
    }

    fn end_owned(&self, verb: EndOwned, at: &At) -> Result<Revoked, Fault> {
        #[derive(Deserialize)]
        struct Own {
            id: String,
            expires_at: UnixTime,
            client: ClientId,
        }
        let now = at.now.unix();
        let rows = |statement: &str| -> Result<Vec<Own>, Fault> {
            self.sql.rows(statement, (&verb.subject, now))
        };
        let named = |rows: Vec<Own>, public: &str| {
            let mut rows = rows.into_iter();
            rows.find(|row| public_id(&row.id) == public)
        };
        let sessions = "SELECT session AS id, expires_at, 'none' AS client FROM sessions
             WHERE subject = ? AND expires_at > ? ORDER BY session";
        let noted = |collection: &str, public: &str| {
            let actor = verb.actor.as_ref();
            actor.map(|actor| Noted::new(actor, collection, public))
        };
        let end = |id: String| {
            let public = public_id(&id);
            self.end_session(&known(id)?, None, at)?;
            let before = json!({ "subject": verb.subject });
            self.note(noted("sessions", &public), &before, at)
        };
        match &verb.what {
            Owned::Grant(public) => {
                let grants = "SELECT grant_id AS id, expires_at, client FROM grants
                     WHERE subject = ? AND expires_at > ?";
                let Some(row) = named(rows(grants)?, public) else {
                    return Ok(Revoked::Unknown);
                };
                let revoke = RevokeGrant {
                    grant: known(row.id)?,
                    client: row.client,
                    noted: noted("grants", public),
                };
                return self.revoke_grant(revoke, at);
            }
            Owned::Sessions(except) => {
                let except = except.as_ref().map(SessionId::as_str);
                for row in rows(sessions)? {
                    if except != Some(row.id.as_str()) {
                        end(row.id)?;
                    }
                }
            }
            Owned::Session(public) => {
                let key = ended(&verb.subject, public);
                let Some(row) = named(rows(sessions)?, public) else {
                    let before: Option<IgnoredAny> = self.sql.row(
                        "SELECT 1 FROM spent WHERE key = ? AND expires_at > ?",
                        (key, now),
                    )?;
                    return Ok(before.map_or(Revoked::Unknown, |_| Revoked::Done));
                };
                self.sql.write(
                    "INSERT OR REPLACE INTO spent (key, request, expires_at) VALUES (?, ?, ?)",
                    (key, &at.request, row.expires_at),
                )?;
                end(row.id)?;
            }
        }
        Ok(Revoked::Done)
    }

    fn consent(&self, verb: &ReadConsent) -> Result<Option<Scope>, Fault> {
        #[derive(Deserialize)]
        struct Row {
            scope: Scope,
        }
        let row: Option<Row> = self.sql.row(
            "SELECT scope FROM consents WHERE subject = ? AND client = ?",
            (&verb.subject, &verb.client),
        )?;
        Ok(row.map(|row| row.scope))
    }

    fn consents(&self, subject: &Subject) -> Result<Vec<GivenConsent>, Fault> {
        self.sql.rows(
            "SELECT client, scope FROM consents WHERE subject = ? ORDER BY client LIMIT ?",
            (subject, MOST_LISTED),
        )
    }

    fn remember_consent(&self, verb: RememberConsent) -> Result<(), Fault> {
        let RememberConsent {
            subject,
            client,
            scope,
        } = verb;
        let question = ReadConsent { subject, client };
        let known = self.consent(&question)?;
        let scope = known.map_or(scope.clone(), |known| known.union(&scope));
        self.sql.write(
            "INSERT INTO consents (subject, client, scope) VALUES (?, ?, ?)
             ON CONFLICT DO UPDATE SET scope = excluded.scope",
            (&question.subject, &question.client, scope),
        )?;
        Ok(())
    }

    fn withdraw_consent(&self, verb: WithdrawConsent, at: &At) -> Result<(), Fault> {
        self.spend_for_codes(&withdrawn(&verb.subject, &verb.client), at)?;
        let ended = "UPDATE grants SET dead = 1 WHERE subject = ? AND client = ? AND dead = 0";
        let ended = self.end_grants(ended, (&verb.subject, &verb.client))?;
        let remembered = self.sql.write(
            "DELETE FROM consents WHERE subject = ? AND client = ?",
            (&verb.subject, &verb.client),
        )?;
        let there = remembered || ended;
        let noted = verb.actor.filter(|_| there);
        let noted = noted.map(|actor| Noted::new(&actor, "consents", &verb.client));
        let before = json!({"subject": verb.subject, "client_id": verb.client});
        self.note(noted, &before, at)
    }

    fn spend_once(&self, verb: &SpendOnce, at: &At) -> Result<Once, Fault> {
        let first = self.sql.write(
            "INSERT INTO spent (key, request, expires_at) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET request = excluded.request,
                expires_at = excluded.expires_at
             WHERE expires_at <= ?4",
            (&verb.key, &at.request, verb.expires_at, at.now.unix()),
        )?;
        if first {
            return Ok(Once::First);
        }
        let repeated = self.spent_by(&verb.key, at)?.as_ref() == Some(&at.request);
        Ok(if repeated { Once::First } else { Once::Again })
    }

    /// Which request spent this, if that has to be remembered still.
    fn spent_by(&self, key: &str, at: &At) -> Result<Option<RequestId>, Fault> {
        #[derive(Deserialize)]
        struct Row {
            request: RequestId,
        }
        let row: Option<Row> = self.sql.row(
            "SELECT request FROM spent WHERE key = ? AND expires_at > ?",
            (key, at.now.unix()),
        )?;
        Ok(row.map(|row| row.request))
    }

    fn spend_nonce(&self, verb: &SpendNonce, at: &At) -> Result<NonceSpent, Fault> {
        let spending = verb.spending();
        if let Some(by) = self.spent_by(&spending.key, at)? {
            let repeated = by == at.request;
            return Ok(if repeated {
                NonceSpent::First
            } else {
                NonceSpent::Again
            });
        }
        let counted = self.spend_quota(&verb.counted(), at)?;
        if !counted.granted {
            return Ok(NonceSpent::TooMany(counted.resets_at));
        }
        self.spend_once(&spending, at)?;
        Ok(NonceSpent::First)
    }

    fn refused_until(
        &self,
        key: &str,
        limit: RateLimit,
        now: UnixTime,
    ) -> Result<Option<UnixTime>, Fault> {
        #[derive(Deserialize)]
        struct Row {
            window_ends: UnixTime,
        }
        let row: Option<Row> = self.sql.row(
            "SELECT window_ends FROM failures WHERE key = ? AND window_ends > ? AND count >= ?",
            (key, now, limit.most),
        )?;
        Ok(row.map(|row| row.window_ends))
    }

    fn revoke_token(&self, verb: RevokeToken, at: &At) -> Result<TokenRevoked, Fault> {
        if let Some(until) = self.record_failure(&verb.counted(), at)? {
            return Ok(TokenRevoked::TooMany(until));
        }
        self.revoke(&[Revocation::Token(verb.token, verb.expires_at)])?;
        Ok(TokenRevoked::Done)
    }

    pub(super) fn spend_quota(&self, verb: &SpendQuota, at: &At) -> Result<QuotaSpent, Fault> {
        #[derive(Deserialize)]
        struct Row {
            used: u32,
            resets_at: UnixTime,
        }
        let now = at.now.unix();
        let granted: Option<Row> = self.sql.row(
            "INSERT INTO failures (key, count, window_ends, request) VALUES (?1, 1, ?2, ?3)
             ON CONFLICT DO UPDATE SET
                count = CASE WHEN window_ends <= ?4 THEN 1
                             WHEN request = ?3 THEN count ELSE count + 1 END,
                window_ends = CASE WHEN window_ends <= ?4 THEN ?2 ELSE window_ends END,
                request = ?3
             WHERE window_ends <= ?4 OR request = ?3 OR count < ?5
             RETURNING count AS used, window_ends AS resets_at",
            (
                &verb.key,
                now + verb.limit.window,
                &at.request,
                now,
                verb.limit.most,
            ),
        )?;
        let spent = |granted, row: Row| QuotaSpent {
            granted,
            used: row.used,
            resets_at: row.resets_at,
        };
        if let Some(row) = granted {
            return Ok(spent(true, row));
        }
        let row: Option<Row> = self.sql.row(
            "SELECT count AS used, window_ends AS resets_at FROM failures WHERE key = ?",
            (&verb.key,),
        )?;
        row.map(|row| spent(false, row))
            .ok_or(Fault::Shape("a quota was counted and is not there"))
    }

    fn record_failure(&self, verb: &RecordFailure, at: &At) -> Result<Option<UnixTime>, Fault> {
        let now = at.now.unix();
        self.sql.write(
            "INSERT INTO failures (key, count, window_ends, request) VALUES (?1, 1, ?2, ?3)
             ON CONFLICT DO UPDATE SET
                count = CASE WHEN window_ends <= ?4 THEN 1
                             WHEN request = excluded.request THEN count ELSE count + 1 END,
                window_ends = CASE WHEN window_ends <= ?4 THEN excluded.window_ends
                                   ELSE window_ends END,
                request = excluded.request",
            (&verb.key, now + verb.limit.window, &at.request, now),
        )?;
        self.refused_until(&verb.key, verb.limit, now)
    }
}
