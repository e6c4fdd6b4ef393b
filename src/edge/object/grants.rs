//! Spent codes, their grants and their refresh families.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::ledger::Shard;
use super::sql::{Fault, Flag, Json};
use crate::model::{ClientId, GrantId, RequestId, Scope, SessionId, SubjectFacts, UnixTime};
use crate::ports::At;
use crate::ports::ledger::{
    AdvanceFamily, Advanced, Authentication, GrantFacts, ListGrants, MOST_LISTED, ReadGrant,
    RevokeGrant, Revoked, Row, SpendCode, Spent, Standing, left, withdrawn,
};
use crate::token::{Revocation, code};

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

impl Shard<'_> {
    pub(super) fn spend_code(&self, verb: &SpendCode, at: &At) -> Result<Spent, Fault> {
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

    pub(super) fn advance_family(&self, verb: &AdvanceFamily, at: &At) -> Result<Advanced, Fault> {
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
        let advanced_at = if retry { row.advanced_at } else { now };
        Ok(Advanced::To(Box::new(Standing {
            generation: row.generation + u64::from(!retry),
            retry,
            scope,
            granted: terms.scope,
            audience: terms.audience,
            session: bound.then_some(row.session),
            authentication: terms.authentication,
            refreshable_until: Some(row.expires_at.min(advanced_at + verb.idle)),
            subject: facts.0,
        })))
    }

    pub(super) fn revoke_grant(&self, verb: RevokeGrant, at: &At) -> Result<Revoked, Fault> {
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

    pub(super) fn read_grant(
        &self,
        verb: Box<ReadGrant>,
        now: UnixTime,
    ) -> Result<Option<GrantFacts>, Fault> {
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

    /// Ends grants, and says so; answers whether there was one.
    pub(super) fn end_grants(
        &self,
        statement: &str,
        values: impl Serialize,
    ) -> Result<bool, Fault> {
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

    pub(super) fn grants(&self, verb: &ListGrants, now: UnixTime) -> Result<Vec<Row>, Fault> {
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
}
