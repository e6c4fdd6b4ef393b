//! One shard in memory. What a verb promises is written at its arguments, in `ports::ledger`.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::devices::DeviceRow;
use super::tokens::sure;
use crate::directory::list::{ListQuery, page_of};
use crate::directory::records::Actor;
use crate::ledger::tokens::{self, Line};
use crate::model::{
    ClientId, GrantId, Moment, RequestId, RoleFacts, Scope, SessionId, Subject, SubjectFacts,
    TokenKey, UnixTime, public_id,
};
use crate::ports::history::{ListEnds, Noted};
use crate::ports::ledger::{
    AdvanceFamily, Advanced, Authentication, EndCode, EndOwned, GivenConsent, GrantFacts, Issued,
    LedgerAnswer, LedgerVerb, ListGrants, ListIssued, MOST_LISTED, Once, OpenSession, Opened,
    Owned, QuotaSpent, ReadFailures, ReadGrant, RecordFailure, RevokeGrant, RevokeToken, Revoked,
    Row, Session, SpendCode, SpendOnce, SpendQuota, Spent, Standing, TokenRevoked, WithdrawConsent,
    ended, left, withdrawn,
};
use crate::ports::tokens::TokenRow;
use crate::ports::{At, Call};
use crate::token::{Revocation, code};

#[derive(Debug, Clone)]
struct SessionRow {
    subject: Subject,
    subject_generation: u64,
    generation: u64,
    authentication: Authentication,
    created_at: UnixTime,
    expires_at: UnixTime,
    user_agent: Option<String>,
    address: Option<String>,
    by: RequestId,
}

#[derive(Debug, Clone)]
struct GrantRow {
    subject: Subject,
    subject_generation: u64,
    client: ClientId,
    session: SessionId,
    scope: Scope,
    audience: String,
    offline: bool,
    refreshable: bool,
    authentication: Authentication,
    created_at: UnixTime,
    expires_at: UnixTime,
    opened_by: RequestId,
    dead: bool,
    generation: u64,
    advanced_at: UnixTime,
    advanced_by: Option<RequestId>,
    retries: u32,
    retried_by: Option<RequestId>,
    killed_by: Option<RequestId>,
}

#[derive(Debug, Clone)]
struct Spending {
    by: RequestId,
    expires_at: UnixTime,
}

#[derive(Debug, Clone)]
struct Failures {
    count: u32,
    window_ends: UnixTime,
    by: Option<RequestId>,
}

/// The state of one shard.
#[derive(Debug, Default)]
pub struct LedgerState {
    subjects: BTreeMap<Subject, SubjectFacts>,
    /// What each subject holds directly.
    direct: BTreeMap<Subject, Scope>,
    roles: BTreeMap<String, RoleFacts>,
    sessions: BTreeMap<SessionId, SessionRow>,
    grants: BTreeMap<GrantId, GrantRow>,
    consents: BTreeMap<(Subject, ClientId), Scope>,
    spent: BTreeMap<String, Spending>,
    failures: BTreeMap<String, Failures>,
    pub(super) tokens: BTreeMap<TokenKey, TokenRow>,
    pub(super) history: BTreeMap<u64, Line>,
    pub(super) devices: BTreeMap<String, DeviceRow>,
    /// Lines of the history, the oldest first.
    audit: Vec<Row>,
    /// What the feed has not been sent yet.
    pub outbox: Vec<(u64, Revocation)>,
    last_sent: u64,
}

impl LedgerState {
    /// Does one verb.
    pub fn apply(&mut self, call: Call<LedgerVerb>) -> LedgerAnswer {
        let (at, told) = (call.at.clone(), self.last_sent);
        let answer = self.decide(call);
        let entries = self.outbox.iter().filter(|(number, _)| *number > told);
        for (_, entry) in entries.cloned().collect::<Vec<_>>() {
            sure(tokens::follow(self, &entry, &at));
        }
        answer
    }

    fn decide(&mut self, call: Call<LedgerVerb>) -> LedgerAnswer {
        let at = call.at;
        match call.verb {
            LedgerVerb::PutSubject(verb) => {
                self.put_subject(verb.facts);
                LedgerAnswer::PutSubject(())
            }
            LedgerVerb::PutRoles(verb) => {
                verb.roles.into_iter().for_each(|role| self.put_role(role));
                LedgerAnswer::PutRoles(())
            }
            LedgerVerb::SpendCode(verb) => LedgerAnswer::SpendCode(self.spend_code(*verb, &at)),
            LedgerVerb::AdvanceFamily(verb) => {
                LedgerAnswer::AdvanceFamily(self.advance_family(&verb, &at))
            }
            LedgerVerb::RevokeGrant(verb) => {
                LedgerAnswer::RevokeGrant(self.revoke_grant(*verb, &at))
            }
            LedgerVerb::ReadGrant(verb) => {
                LedgerAnswer::ReadGrant(self.read_grant(&verb, at.now.unix()))
            }
            LedgerVerb::RevokeToken(verb) => {
                LedgerAnswer::RevokeToken(self.revoke_token(*verb, &at))
            }
            LedgerVerb::OpenSession(verb) => {
                LedgerAnswer::OpenSession(self.open_session(*verb, &at))
            }
            LedgerVerb::ReadSession(verb) => {
                LedgerAnswer::ReadSession(self.session(&verb.session, at.now.unix()))
            }
            LedgerVerb::EndSession(verb) => {
                match verb.client {
                    Some(client) => self.leave_session(&verb.session, &client, &at),
                    None => self.end_session(&verb.session),
                }
                LedgerAnswer::EndSession(())
            }
            LedgerVerb::ListSessions(verb) => {
                LedgerAnswer::ListSessions(self.list_sessions(&verb.subject, at.now.unix()))
            }
            LedgerVerb::ListGrants(verb) => {
                LedgerAnswer::ListGrants(self.list_grants(&verb, at.now.unix()))
            }
            LedgerVerb::EndOwned(verb) => LedgerAnswer::EndOwned(self.end_owned(*verb, &at)),
            LedgerVerb::ListIssued(verb) => {
                LedgerAnswer::ListIssued(self.list_issued(&verb, at.now.unix()))
            }
            LedgerVerb::ReadCode(verb) => {
                LedgerAnswer::ReadCode(!self.grants.contains_key(&verb.grant))
            }
            LedgerVerb::EndCode(verb) => LedgerAnswer::EndCode(self.end_code(*verb, &at)),
            LedgerVerb::ListEnds(verb) => LedgerAnswer::ListEnds(self.list_ends(&verb)),
            LedgerVerb::ReadSubject(verb) => {
                LedgerAnswer::ReadSubject(self.subjects.get(&verb.subject).cloned())
            }
            LedgerVerb::ReadConsent(verb) => {
                LedgerAnswer::ReadConsent(self.consents.get(&(verb.subject, verb.client)).cloned())
            }
            LedgerVerb::ListConsents(verb) => {
                LedgerAnswer::ListConsents(self.list_consents(&verb.subject))
            }
            LedgerVerb::RememberConsent(verb) => {
                let known = self
                    .consents
                    .entry((verb.subject, verb.client))
                    .or_default();
                *known = known.union(&verb.scope);
                LedgerAnswer::RememberConsent(())
            }
            LedgerVerb::WithdrawConsent(verb) => {
                self.withdraw_consent(*verb, &at);
                LedgerAnswer::WithdrawConsent(())
            }
            LedgerVerb::SpendOnce(verb) => LedgerAnswer::SpendOnce(self.spend_once(*verb, &at)),
            LedgerVerb::ReadFailures(verb) => {
                LedgerAnswer::ReadFailures(self.refused_until(&verb, at.now.unix()))
            }
            LedgerVerb::RecordFailure(verb) => {
                LedgerAnswer::RecordFailure(self.record_failure(*verb, &at))
            }
            LedgerVerb::SpendQuota(verb) => LedgerAnswer::SpendQuota(self.spend_quota(*verb, &at)),
            LedgerVerb::AddToken(verb) => {
                LedgerAnswer::AddToken(sure(tokens::add(self, *verb, &at)))
            }
            LedgerVerb::ReadToken(verb) => {
                let read = sure(tokens::read(self, &verb.key, at.now.unix()));
                LedgerAnswer::ReadToken(read.map(Box::new))
            }
            LedgerVerb::ListTokens(verb) => {
                LedgerAnswer::ListTokens(sure(tokens::list(self, &verb, at.now.unix())))
            }
            LedgerVerb::ChangeToken(verb) => {
                LedgerAnswer::ChangeToken(sure(tokens::change(self, *verb, &at)))
            }
            LedgerVerb::EndToken(verb) => {
                LedgerAnswer::EndToken(sure(tokens::end(self, &verb, &at)))
            }
            LedgerVerb::Delegate(verb) => {
                let child = sure(tokens::delegate(self, *verb, &at));
                LedgerAnswer::Delegate(child.map(Box::new))
            }
            LedgerVerb::DropScope(verb) => {
                sure(tokens::drop_scope(self, &verb.scope, &at));
                LedgerAnswer::DropScope(())
            }
            LedgerVerb::ReadTokenHistory(verb) => {
                LedgerAnswer::ReadTokenHistory(self.token_history(&verb))
            }
            LedgerVerb::BeginDevice(verb) => {
                LedgerAnswer::BeginDevice(self.begin_device(*verb, &at))
            }
            LedgerVerb::ReadDevice(verb) => LedgerAnswer::ReadDevice(self.read_device(&verb, &at)),
            LedgerVerb::DecideDevice(verb) => {
                LedgerAnswer::DecideDevice(self.decide_device(*verb, &at))
            }
            LedgerVerb::PollDevice(verb) => LedgerAnswer::PollDevice(self.poll_device(&verb, &at)),
        }
    }

    pub(super) fn subject(&self, subject: &Subject) -> Option<SubjectFacts> {
        self.subjects.get(subject).cloned()
    }

    pub(super) fn has_live_grant(&self, grant: &GrantId) -> bool {
        self.grants.get(grant).is_some_and(|row| !row.dead)
    }

    pub(super) fn publish(&mut self, entry: Revocation) {
        self.last_sent += 1;
        self.outbox.push((self.last_sent, entry));
    }

    fn put_subject(&mut self, facts: SubjectFacts) {
        let before = self.subjects.get(&facts.subject);
        if before.is_some_and(|before| before.version >= facts.version) {
            return;
        }
        let raised = before.is_some_and(|before| before.generation < facts.generation);
        let regrouped = before.is_some_and(|before| before.groups != facts.groups);
        let entry = Revocation::Subject(facts.subject.clone(), facts.generation);
        let changed = Revocation::SubjectVersion(facts.subject.clone(), facts.version);
        self.direct
            .insert(facts.subject.clone(), facts.scope.clone());
        let facts = facts.with_roles(|role| self.roles.get(role));
        self.subjects.insert(facts.subject.clone(), facts);
        if raised {
            self.publish(entry);
        }
        if regrouped {
            self.publish(changed);
        }
    }

    fn put_role(&mut self, facts: RoleFacts) {
        let before = self.roles.get(&facts.role);
        if before.is_some_and(|before| before.version >= facts.version) {
            return;
        }
        let role = facts.role.clone();
        self.roles.insert(role.clone(), facts);
        for (subject, facts) in &mut self.subjects {
            if let Some(direct) = self.direct.get(subject)
                && facts.roles.contains_key(&role)
            {
                facts.scope = direct.clone();
                *facts = facts.clone().with_roles(|role| self.roles.get(role));
            }
        }
    }

    /// The subject, if it is active and still of this generation.
    fn standing(&self, subject: &Subject, generation: u64) -> Option<&SubjectFacts> {
        self.subjects
            .get(subject)
            .filter(|facts| facts.active && facts.generation == generation)
    }

    fn spend_code(&mut self, verb: SpendCode, at: &At) -> Spent {
        let known = self.grants.get_mut(&verb.grant);
        if let Some(row) = known.filter(|row| row.opened_by != at.request) {
            if !row.dead && !verb.polled {
                row.dead = true;
                self.publish(Revocation::Grant(verb.grant));
            }
            return Spent::Again;
        }
        let now = at.now.unix();
        let session = self.session(&verb.session, now);
        let facts = self.standing(&verb.subject, verb.generation).cloned();
        let over = [
            withdrawn(&verb.subject, &verb.client),
            left(&verb.session, &verb.client),
        ];
        let agreed = over
            .iter()
            .filter_map(|key| self.spent.get(key))
            .all(|row| row.expires_at <= now || row.expires_at < verb.issued_at + code::LONGEST);
        let (Some(facts), Some(_), true) = (facts, session, agreed) else {
            return Spent::Never;
        };
        self.grants.entry(verb.grant).or_insert(GrantRow {
            subject: verb.subject,
            subject_generation: verb.generation,
            client: verb.client,
            session: verb.session,
            scope: verb.scope,
            audience: verb.audience,
            offline: verb.offline,
            refreshable: verb.refreshable,
            authentication: verb.authentication,
            created_at: now,
            expires_at: verb.expires_at,
            opened_by: at.request.clone(),
            dead: false,
            generation: 0,
            advanced_at: now,
            advanced_by: None,
            retries: 0,
            retried_by: None,
            killed_by: None,
        });
        Spent::First(Box::new(facts))
    }

    fn advance_family(&mut self, verb: &AdvanceFamily, at: &At) -> Advanced {
        let now = at.now.unix();
        let Some(row) = self.grants.get(&verb.grant) else {
            return Advanced::Ended;
        };
        if row.killed_by.as_ref() == Some(&at.request) {
            return Advanced::Reused;
        }
        let bound = !row.offline;
        let live = row.refreshable
            && !row.dead
            && row.client == verb.client
            && now < row.expires_at
            && now < row.advanced_at + verb.idle
            && verb.generation <= row.generation
            && (!bound || self.session(&row.session, now).is_some());
        let facts = self.standing(&row.subject, row.subject_generation).cloned();
        let Some(facts) = facts.filter(|_| live) else {
            return Advanced::Ended;
        };
        let Some(row) = self.grants.get_mut(&verb.grant) else {
            return Advanced::Ended;
        };
        let retry = verb.generation < row.generation;
        let repeated = [&row.advanced_by, &row.retried_by]
            .into_iter()
            .any(|by| by.as_ref() == Some(&at.request));
        let previous = verb.generation + 1 == row.generation;
        let in_time = now <= row.advanced_at + verb.grace && row.retries < verb.most_retries;
        // First of all: what else a thief asks for does not hide the theft.
        if retry && !(previous && (repeated || in_time)) {
            row.dead = true;
            row.killed_by = Some(at.request.clone());
            self.publish(Revocation::Grant(verb.grant.clone()));
            return Advanced::Reused;
        }
        let scope = match &verb.scope {
            Some(asked) if !asked.is_subset(&row.scope) => return Advanced::ScopeExceeded,
            Some(asked) => asked.clone(),
            None => row.scope.clone(),
        };
        if !verb.audiences.contains(&row.audience) {
            return Advanced::OtherAudience;
        }
        if !retry {
            row.generation += 1;
            row.advanced_at = now;
            row.advanced_by = Some(at.request.clone());
            row.retries = 0;
            row.retried_by = None;
        } else if !repeated {
            row.retries += 1;
            row.retried_by = Some(at.request.clone());
        }
        Advanced::To(Box::new(Standing {
            generation: row.generation,
            retry,
            scope,
            granted: row.scope.clone(),
            audience: row.audience.clone(),
            session: bound.then(|| row.session.clone()),
            authentication: row.authentication.clone(),
            subject: facts,
        }))
    }

    /// Adds a line to the history, if somebody is to be named.
    fn note(&mut self, noted: Option<Noted>, before: &Value, at: &At) {
        let Some(noted) = noted else {
            return;
        };
        let last = self.audit.last().and_then(|line| line.get("number"));
        let next = last.and_then(Value::as_u64).map_or(0, |last| last + 1);
        let mut line = noted.line(before, at);
        line.insert("number".to_owned(), json!(next.max(at.now.0)));
        self.audit.push(line);
    }

    fn list_ends(&self, verb: &ListEnds) -> Issued {
        let query = ListQuery {
            page: 1,
            page_size: verb.most,
            filters: verb.filters.clone(),
            ..ListQuery::default()
        };
        let page = page_of(self.audit.iter().rev().cloned().collect(), &query);
        Issued {
            count: page.count,
            rows: page.results,
        }
    }

    fn revoke_grant(&mut self, verb: RevokeGrant, at: &At) -> Revoked {
        let Some(row) = self
            .grants
            .get_mut(&verb.grant)
            .filter(|row| row.client == verb.client)
        else {
            return Revoked::Unknown;
        };
        if !row.dead {
            row.dead = true;
            let before = json!({"subject": row.subject, "client_id": row.client});
            self.publish(Revocation::Grant(verb.grant));
            self.note(verb.noted, &before, at);
        }
        Revoked::Done
    }

    fn read_grant(&self, verb: &ReadGrant, now: UnixTime) -> Option<GrantFacts> {
        let row = self.grants.get(&verb.grant)?;
        let expires_at = row.expires_at.min(row.advanced_at + verb.idle);
        let session_ended = !row.offline && self.session(&row.session, now).is_none();
        if row.dead || session_ended || expires_at <= now {
            return None;
        }
        Some(GrantFacts {
            grant: verb.grant.clone(),
            subject: self.standing(&row.subject, row.subject_generation)?.clone(),
            client: row.client.clone(),
            granted: row.scope.clone(),
            refresh_generation: row.refreshable.then_some(row.generation),
            refreshed_at: row.advanced_at,
            expires_at,
        })
    }

    fn open_session(&mut self, verb: OpenSession, at: &At) -> Opened {
        let now = at.now.unix();
        let Some(facts) = self
            .subjects
            .get(&verb.subject)
            .filter(|facts| facts.active)
            .cloned()
        else {
            return Opened::Refused;
        };
        if self.spend_once(verb.page, at) == Once::Again {
            return Opened::PageSpent;
        }
        let renewed = verb.renew.filter(|id| {
            self.session(id, now)
                .is_some_and(|session| session.subject.subject == facts.subject)
        });
        let id = renewed.clone().unwrap_or(verb.session);
        let before = self.sessions.get(&id);
        let repeated = before.is_some_and(|row| row.by == at.request);
        let generation = before.map_or(0, |row| row.generation + u64::from(!repeated));
        let created_at = before
            .filter(|_| repeated || renewed.is_some())
            .map_or(now, |row| row.created_at);
        self.sessions.insert(
            id.clone(),
            SessionRow {
                subject: verb.subject,
                subject_generation: facts.generation,
                generation,
                authentication: verb.authentication,
                created_at,
                expires_at: verb.expires_at,
                user_agent: verb.user_agent,
                address: verb.address,
                by: at.request.clone(),
            },
        );
        if renewed.is_some() && !repeated {
            self.publish(Revocation::Handle(id.clone(), generation));
        }
        match self.session(&id, now) {
            Some(session) => Opened::Session(Box::new(session)),
            None => Opened::Refused,
        }
    }

    pub(super) fn session(&self, id: &SessionId, now: UnixTime) -> Option<Session> {
        let row = self.sessions.get(id).filter(|row| now < row.expires_at)?;
        let subject = self.standing(&row.subject, row.subject_generation)?;
        Some(Session {
            id: id.clone(),
            generation: row.generation,
            authentication: row.authentication.clone(),
            expires_at: row.expires_at,
            subject: subject.clone(),
        })
    }

    fn end_session(&mut self, id: &SessionId) {
        if self.sessions.remove(id).is_none() {
            return;
        }
        for row in self
            .grants
            .values_mut()
            .filter(|row| row.session == *id && !row.offline)
        {
            row.dead = true;
        }
        // The session's own entry ends the tokens of the grants bound to it.
        self.publish(Revocation::Session(id.clone()));
    }

    fn leave_session(&mut self, session: &SessionId, client: &ClientId, at: &At) {
        let spending = Spending {
            by: at.request.clone(),
            expires_at: at.now.unix() + code::LONGEST,
        };
        self.spent.insert(left(session, client), spending);
        self.end_grants(|row| row.session == *session && row.client == *client && !row.offline);
    }

    /// Ends the grants that are such and live; answers whether there was one.
    fn end_grants(&mut self, such: impl Fn(&GrantRow) -> bool) -> bool {
        let mut ended = Vec::new();
        for (id, row) in &mut self.grants {
            if !row.dead && such(row) {
                row.dead = true;
                ended.push(id.clone());
            }
        }
        let any = !ended.is_empty();
        for grant in ended {
            self.publish(Revocation::Grant(grant));
        }
        any
    }

    fn list_sessions(&self, subject: &Subject, now: UnixTime) -> Vec<Row> {
        let own = self
            .sessions
            .iter()
            .filter(|(id, row)| row.subject == *subject && self.session(id, now).is_some());
        newest(own.map(|(id, row)| {
            let columns = json!({
                "session": id,
                "created_at": row.created_at,
                "expires_at": row.expires_at,
                "auth_time": row.authentication.time,
                "amr": row.authentication.methods,
                "user_agent": row.user_agent,
                "address": row.address,
            });
            (row.created_at, columns)
        }))
    }

    fn list_grants(&self, verb: &ListGrants, now: UnixTime) -> Vec<Row> {
        let own = self.grants.iter().filter(|(_, row)| {
            row.subject == verb.subject
                && verb
                    .client
                    .as_ref()
                    .is_none_or(|client| *client == row.client)
        });
        newest(own.filter_map(|(id, row)| {
            let read = ReadGrant {
                grant: id.clone(),
                idle: verb.idle,
            };
            let facts = self.read_grant(&read, now)?;
            let columns = json!({
                "grant": id,
                "client_id": row.client,
                "scope": row.scope,
                "created_at": row.created_at,
                "expires_at": facts.expires_at,
                "session": (!row.offline).then_some(&row.session),
            });
            Some((row.created_at, columns))
        }))
    }

    fn list_issued(&self, verb: &ListIssued, now: UnixTime) -> Issued {
        let mut rows = Vec::new();
        for (id, row) in &self.grants {
            let of = verb.subject.as_ref().is_none_or(|one| *one == row.subject);
            let to = verb.client.as_ref().is_none_or(|one| *one == row.client);
            let kind = row.refreshable || !verb.refreshable;
            if !of || !to || !kind || !id.as_str().starts_with(&verb.prefix) {
                continue;
            }
            let read = ReadGrant {
                grant: id.clone(),
                idle: verb.idle,
            };
            let Some(facts) = self.read_grant(&read, now) else {
                continue;
            };
            let columns = json!({
                "grant": id,
                "subject": row.subject,
                "client": row.client,
                "scope": row.scope,
                "advanced_at": row.advanced_at,
                "expires_at": facts.expires_at,
            });
            if let Value::Object(columns) = columns {
                rows.push(columns);
            }
        }
        let count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        rows.truncate(usize::try_from(verb.most).unwrap_or(usize::MAX));
        Issued { count, rows }
    }

    fn end_code(&mut self, verb: EndCode, at: &At) -> bool {
        if !self.grants.contains_key(&verb.grant) {
            let before = json!({"subject": verb.subject, "client_id": verb.client});
            self.note(verb.noted, &before, at);
        }
        let row = self.grants.entry(verb.grant).or_insert(GrantRow {
            subject: verb.subject,
            subject_generation: 0,
            client: verb.client,
            session: verb.session,
            scope: Scope::default(),
            audience: String::new(),
            offline: false,
            refreshable: false,
            authentication: Authentication {
                time: UnixTime(0),
                methods: Vec::new(),
            },
            created_at: at.now.unix(),
            expires_at: verb.expires_at,
            opened_by: at.request.clone(),
            dead: true,
            generation: 0,
            advanced_at: at.now.unix(),
            advanced_by: None,
            retries: 0,
            retried_by: None,
            killed_by: None,
        });
        row.opened_by == at.request && row.dead
    }

    fn end_owned(&mut self, verb: EndOwned, at: &At) -> Revoked {
        let now = at.now.unix();
        match verb.what {
            Owned::Grant(public) => {
                let own = self
                    .grants
                    .iter()
                    .filter(|(_, row)| row.subject == verb.subject && now < row.expires_at);
                let found = own
                    .map(|(id, row)| (id.clone(), row.client.clone()))
                    .find(|(id, _)| public_id(id.as_str()) == public);
                let Some((grant, client)) = found else {
                    return Revoked::Unknown;
                };
                let noted = verb.actor.map(|actor| Noted::new(&actor, "grants", public));
                let revoke = RevokeGrant {
                    grant,
                    client,
                    noted,
                };
                self.revoke_grant(revoke, at)
            }
            Owned::Sessions(except) => {
                for (id, _) in self.own_sessions(&verb.subject, now) {
                    if except.as_ref() != Some(&id) {
                        let public = public_id(id.as_str());
                        self.end_session(&id);
                        self.note_session(verb.actor.as_ref(), &public, &verb.subject, at);
                    }
                }
                Revoked::Done
            }
            Owned::Session(public) => {
                let own = self.own_sessions(&verb.subject, now);
                let found = own
                    .into_iter()
                    .find(|(id, _)| public_id(id.as_str()) == public);
                let key = ended(&verb.subject, &public);
                match found {
                    Some((id, expires_at)) => {
                        let by = at.request.clone();
                        self.spent.insert(key, Spending { by, expires_at });
                        self.end_session(&id);
                        self.note_session(verb.actor.as_ref(), &public, &verb.subject, at);
                        Revoked::Done
                    }
                    None if self.spent.get(&key).is_some_and(|row| now < row.expires_at) => {
                        Revoked::Done
                    }
                    None => Revoked::Unknown,
                }
            }
        }
    }

    fn note_session(&mut self, actor: Option<&Actor>, public: &str, subject: &Subject, at: &At) {
        let noted = actor.map(|actor| Noted::new(actor, "sessions", public));
        self.note(noted, &json!({ "subject": subject }), at);
    }

    /// The sessions of a subject that have not expired, and when they will.
    fn own_sessions(&self, subject: &Subject, now: UnixTime) -> Vec<(SessionId, UnixTime)> {
        let own = self.sessions.iter();
        own.filter(|(_, row)| row.subject == *subject && now < row.expires_at)
            .map(|(id, row)| (id.clone(), row.expires_at))
            .collect()
    }

    fn list_consents(&self, subject: &Subject) -> Vec<GivenConsent> {
        let own = self.consents.iter().filter(|((of, _), _)| of == subject);
        own.take(MOST_LISTED)
            .map(|((_, client), scope)| GivenConsent {
                client: client.clone(),
                scope: scope.clone(),
            })
            .collect()
    }

    fn withdraw_consent(&mut self, verb: WithdrawConsent, at: &At) {
        let WithdrawConsent {
            subject,
            client,
            actor,
        } = verb;
        let spending = Spending {
            by: at.request.clone(),
            expires_at: at.now.unix() + code::LONGEST,
        };
        self.spent.insert(withdrawn(&subject, &client), spending);
        let mut there = self.end_grants(|row| row.subject == subject && row.client == client);
        let before = json!({"subject": subject, "client_id": client});
        let noted = actor.map(|actor| Noted::new(&actor, "consents", &client));
        there |= self.consents.remove(&(subject, client)).is_some();
        self.note(noted.filter(|_| there), &before, at);
    }

    fn spend_once(&mut self, verb: SpendOnce, at: &At) -> Once {
        let spending = Spending {
            by: at.request.clone(),
            expires_at: verb.expires_at,
        };
        let known = self
            .spent
            .get(&verb.key)
            .filter(|known| at.now.unix() < known.expires_at);
        match known {
            Some(known) if known.by == at.request => Once::First,
            Some(_) => Once::Again,
            None => {
                self.spent.insert(verb.key, spending);
                Once::First
            }
        }
    }

    fn refused_until(&self, verb: &ReadFailures, now: UnixTime) -> Option<UnixTime> {
        self.failures
            .get(&verb.key)
            .filter(|row| now < row.window_ends && row.count >= verb.limit.most)
            .map(|row| row.window_ends)
    }

    fn revoke_token(&mut self, verb: RevokeToken, at: &At) -> TokenRevoked {
        if let Some(until) = self.record_failure(verb.counted(), at) {
            return TokenRevoked::TooMany(until);
        }
        self.publish(Revocation::Token(verb.token, verb.expires_at));
        TokenRevoked::Done
    }

    fn record_failure(&mut self, verb: RecordFailure, at: &At) -> Option<UnixTime> {
        let now = at.now.unix();
        let fresh = Failures {
            count: 0,
            window_ends: now + verb.limit.window,
            by: None,
        };
        let row = self
            .failures
            .entry(verb.key.clone())
            .or_insert_with(|| fresh.clone());
        if row.window_ends <= now {
            *row = fresh;
        }
        if row.by.as_ref() != Some(&at.request) {
            row.count += 1;
            row.by = Some(at.request.clone());
        }
        self.refused_until(
            &ReadFailures {
                key: verb.key,
                limit: verb.limit,
            },
            now,
        )
    }

    pub(super) fn spend_quota(&mut self, verb: SpendQuota, at: &At) -> QuotaSpent {
        let now = at.now.unix();
        let fresh = Failures {
            count: 0,
            window_ends: now + verb.limit.window,
            by: None,
        };
        let row = self
            .failures
            .entry(verb.key)
            .or_insert_with(|| fresh.clone());
        if row.window_ends <= now {
            *row = fresh;
        }
        let repeated = row.by.as_ref() == Some(&at.request);
        let granted = repeated || row.count < verb.limit.most;
        if granted && !repeated {
            row.count += 1;
            row.by = Some(at.request.clone());
        }
        QuotaSpent {
            granted,
            used: row.count,
            resets_at: row.window_ends,
        }
    }

    /// Forgets what has expired.
    pub fn sweep(&mut self, now: UnixTime) {
        self.sessions.retain(|_, row| now < row.expires_at);
        self.grants.retain(|_, row| now < row.expires_at);
        self.spent.retain(|_, row| now < row.expires_at);
        self.failures.retain(|_, row| now < row.window_ends);
        self.sweep_tokens(now);
        self.devices.retain(|_, row| now < row.expires_at);
    }

    /// Forgets the history from before this.
    pub fn sweep_history(&mut self, before: Moment) {
        let later = |time: &Value| time.as_u64().is_some_and(|time| before.0 <= time);
        self.audit
            .retain(|line| line.get("time").is_some_and(later));
    }
}

/// The newest rows, of one second by id.
fn newest(rows: impl Iterator<Item = (UnixTime, Value)>) -> Vec<Row> {
    let mut rows: Vec<_> = rows.collect();
    rows.sort_by_key(|(created_at, _)| Reverse(*created_at));
    rows.truncate(MOST_LISTED);
    let columns = rows.into_iter().map(|(_, columns)| columns);
    columns
        .filter_map(|columns| columns.as_object().cloned())
        .collect()
}
