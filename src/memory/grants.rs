//! Grants of a shard in memory: a spent code, and the refresh family that it opens.

use serde_json::{Value, json};

use super::ledger::{GrantRow, LedgerState, newest};
use crate::model::{GrantId, Scope, UnixTime};
use crate::oauth::claims;
use crate::ports::At;
use crate::ports::ledger::{
    AdvanceFamily, Advanced, Authentication, EndCode, GrantFacts, Issued, ListGrants, ListIssued,
    ReadGrant, RevokeGrant, Revoked, Row, SpendCode, Spent, Standing, left, withdrawn,
};
use crate::token::{Revocation, code};

impl LedgerState {
    pub(super) fn spend_code(&mut self, verb: SpendCode, at: &At) -> Spent {
        let known = self.grants.get_mut(&verb.grant);
        if let Some(row) = known.filter(|row| row.opened_by != at.request) {
            if !row.dead && !verb.polled {
                row.dead = true;
                self.publish(Revocation::Grant(verb.grant));
            }
            return Spent::Again;
        }
        let now = at.now.unix();
        let session = verb.alone || self.session(&verb.session, now).is_some();
        let facts = self.standing(&verb.subject, verb.generation).cloned();
        let over = [
            withdrawn(&verb.subject, &verb.client),
            left(&verb.session, &verb.client),
        ];
        let agreed = over
            .iter()
            .filter_map(|key| self.spent.get(key))
            .all(|row| row.expires_at <= now || row.expires_at < verb.issued_at + code::LONGEST);
        let (Some(facts), true, true) = (facts, session, agreed) else {
            return Spent::Never;
        };
        if let Some(joins) = &verb.joins {
            let key = (verb.session.clone(), verb.client.clone());
            let sub = claims::sub_in(joins.sub_mode, &facts, &joins.issuer);
            self.participants.insert(key, sub);
        }
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

    pub(super) fn advance_family(&mut self, verb: &AdvanceFamily, at: &At) -> Advanced {
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
            refreshable_until: Some(row.expires_at.min(row.advanced_at + verb.idle)),
            subject: facts,
        }))
    }

    pub(super) fn revoke_grant(&mut self, verb: RevokeGrant, at: &At) -> Revoked {
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

    pub(super) fn read_grant(&self, verb: &ReadGrant, now: UnixTime) -> Option<GrantFacts> {
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

    /// Ends the grants that are such and live; answers whether there was one.
    pub(super) fn end_grants(&mut self, such: impl Fn(&GrantRow) -> bool) -> bool {
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

    pub(super) fn list_grants(&self, verb: &ListGrants, now: UnixTime) -> Vec<Row> {
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

    pub(super) fn list_issued(&self, verb: &ListIssued, now: UnixTime) -> Issued {
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

    pub(super) fn end_code(&mut self, verb: EndCode, at: &At) -> bool {
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

    pub(super) fn has_live_grant(&self, grant: &GrantId) -> bool {
        self.grants.get(grant).is_some_and(|row| !row.dead)
    }
}
