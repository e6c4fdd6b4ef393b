//! One shard in memory. What a verb promises is written at its arguments, in `ports::ledger`.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::devices::DeviceRow;
use super::tokens::sure;
use crate::directory::list::{ListQuery, page_of};
use crate::ledger::token_history::Line;
use crate::ledger::{delegation, tokens};
use crate::model::{
    ClientId, GrantId, Moment, RequestId, RoleFacts, Scope, SessionId, Subject, SubjectFacts,
    TokenKey, UnixTime,
};
use crate::ports::history::{ListEnds, Noted};
use crate::ports::ledger::{Authentication, Issued, LedgerAnswer, LedgerVerb, MOST_LISTED, Row};
use crate::ports::logouts::Notice;
use crate::ports::tokens::TokenRow;
use crate::ports::{At, Call};
use crate::token::Revocation;

#[derive(Debug, Clone)]
pub(super) struct SessionRow {
    pub(super) subject: Subject,
    pub(super) subject_generation: u64,
    pub(super) generation: u64,
    pub(super) authentication: Authentication,
    pub(super) created_at: UnixTime,
    pub(super) expires_at: UnixTime,
    pub(super) user_agent: Option<String>,
    pub(super) address: Option<String>,
    pub(super) by: RequestId,
}

#[derive(Debug, Clone)]
pub(super) struct GrantRow {
    pub(super) subject: Subject,
    pub(super) subject_generation: u64,
    pub(super) client: ClientId,
    pub(super) session: SessionId,
    pub(super) scope: Scope,
    pub(super) audience: String,
    pub(super) offline: bool,
    pub(super) refreshable: bool,
    pub(super) authentication: Authentication,
    pub(super) created_at: UnixTime,
    pub(super) expires_at: UnixTime,
    pub(super) opened_by: RequestId,
    pub(super) dead: bool,
    pub(super) generation: u64,
    pub(super) advanced_at: UnixTime,
    pub(super) advanced_by: Option<RequestId>,
    pub(super) retries: u32,
    pub(super) retried_by: Option<RequestId>,
    pub(super) killed_by: Option<RequestId>,
}

#[derive(Debug, Clone)]
pub(super) struct Spending {
    pub(super) by: RequestId,
    pub(super) expires_at: UnixTime,
}

#[derive(Debug, Clone)]
pub(super) struct Failures {
    pub(super) count: u32,
    pub(super) window_ends: UnixTime,
    pub(super) by: Option<RequestId>,
}

/// The state of one shard.
#[derive(Debug, Default)]
pub struct LedgerState {
    pub(super) subjects: BTreeMap<Subject, SubjectFacts>,
    /// What each subject holds directly.
    pub(super) direct: BTreeMap<Subject, Scope>,
    pub(super) roles: BTreeMap<String, RoleFacts>,
    pub(super) sessions: BTreeMap<SessionId, SessionRow>,
    pub(super) grants: BTreeMap<GrantId, GrantRow>,
    /// Who is to be told when a session ends, and by which `sub`.
    pub(super) participants: BTreeMap<(SessionId, ClientId), String>,
    pub(super) consents: BTreeMap<(Subject, ClientId), Scope>,
    pub(super) spent: BTreeMap<String, Spending>,
    pub(super) failures: BTreeMap<String, Failures>,
    pub(super) tokens: BTreeMap<TokenKey, TokenRow>,
    pub(super) history: BTreeMap<u64, Line>,
    pub(super) devices: BTreeMap<String, DeviceRow>,
    /// Lines of the history, the oldest first.
    pub(super) audit: Vec<Row>,
    /// What the feed has not been sent yet.
    pub outbox: Vec<(u64, Revocation)>,
    /// What the courier has not been sent yet.
    pub notices: Vec<(u64, Notice)>,
    pub(super) last_sent: u64,
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
                self.put_subject(verb.facts, &at);
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
                    None => self.end_session(&verb.session, &at),
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
            LedgerVerb::SpendNonce(verb) => LedgerAnswer::SpendNonce(self.spend_nonce(&verb, &at)),
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
                LedgerAnswer::Delegate(sure(delegation::delegate(self, *verb, &at)))
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

    pub(super) fn publish(&mut self, entry: Revocation) {
        self.last_sent += 1;
        self.outbox.push((self.last_sent, entry));
    }

    /// Has clients told that this session has ended for them.
    pub(super) fn depart(&mut self, such: impl Fn(&SessionId, &ClientId) -> bool, at: &At) {
        let told = self.participants.iter();
        let told = told.filter(|((session, client), _)| such(session, client));
        let told: Vec<(SessionId, ClientId)> = told.map(|(key, _)| key.clone()).collect();
        for (session, client) in told {
            let key = (session.clone(), client.clone());
            if let Some(sub) = self.participants.remove(&key) {
                self.last_sent += 1;
                let notice = Notice {
                    client,
                    session,
                    sub,
                    ended_at: at.now.unix(),
                };
                self.notices.push((self.last_sent, notice));
            }
        }
    }

    fn put_subject(&mut self, facts: SubjectFacts, at: &At) {
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
        let subject = facts.subject.clone();
        let facts = facts.with_roles(|role| self.roles.get(role));
        self.subjects.insert(subject.clone(), facts);
        if raised {
            self.publish(entry);
            let own = self
                .sessions
                .iter()
                .filter(|(_, row)| row.subject == subject);
            let own: Vec<SessionId> = own.map(|(id, _)| id.clone()).collect();
            self.depart(|session, _| own.contains(session), at);
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
    pub(super) fn standing(&self, subject: &Subject, generation: u64) -> Option<&SubjectFacts> {
        self.subjects
            .get(subject)
            .filter(|facts| facts.active && facts.generation == generation)
    }

    /// Adds a line to the history, if somebody is to be named.
    pub(super) fn note(&mut self, noted: Option<Noted>, before: &Value, at: &At) {
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

    /// Forgets what has expired.
    pub fn sweep(&mut self, now: UnixTime) {
        self.sessions.retain(|_, row| now < row.expires_at);
        let sessions = &self.sessions;
        self.participants
            .retain(|(session, _), _| sessions.contains_key(session));
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
pub(super) fn newest(rows: impl Iterator<Item = (UnixTime, Value)>) -> Vec<Row> {
    let mut rows: Vec<_> = rows.collect();
    rows.sort_by_key(|(created_at, _)| Reverse(*created_at));
    rows.truncate(MOST_LISTED);
    let columns = rows.into_iter().map(|(_, columns)| columns);
    columns
        .filter_map(|columns| columns.as_object().cloned())
        .collect()
}
