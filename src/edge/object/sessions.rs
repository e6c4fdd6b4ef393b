//! Sessions, who takes part in them, and what people end of their own.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::ledger::{Shard, known};
use super::outbox;
use super::sql::{Fault, Json};
use crate::model::{ClientId, RequestId, SessionId, Subject, SubjectFacts, UnixTime, public_id};
use crate::oauth::claims;
use crate::ports::At;
use crate::ports::history::Noted;
use crate::ports::ledger::{
    Authentication, EndOwned, MOST_LISTED, Once, OpenSession, Opened, Owned, RevokeGrant, Revoked,
    Row, Session, SpendCode, ended, left,
};
use crate::ports::logouts::Notice;
use crate::token::{Revocation, code};

impl Shard<'_> {
    pub(super) fn open_session(&self, verb: OpenSession, at: &At) -> Result<Opened, Fault> {
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

    pub(super) fn end_session(
        &self,
        id: &SessionId,
        client: Option<&ClientId>,
        at: &At,
    ) -> Result<(), Fault> {
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
    pub(super) fn spend_for_codes(&self, key: &str, at: &At) -> Result<(), Fault> {
        self.sql.write(
            "INSERT OR REPLACE INTO spent (key, request, expires_at) VALUES (?, ?, ?)",
            (key, &at.request, at.now.unix() + code::LONGEST),
        )?;
        Ok(())
    }

    /// Notes a client that is to be told when the session ends. Where that is known nothing is written.
    pub(super) fn join(&self, verb: &SpendCode, facts: &SubjectFacts) -> Result<(), Fault> {
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
    pub(super) fn depart(&self, such: &str, values: impl Serialize, at: &At) -> Result<(), Fault> {
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

    /// A session whose row is damaged is listed, so that it can be ended.
    pub(super) fn sessions(&self, subject: &Subject, now: UnixTime) -> Result<Vec<Row>, Fault> {
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

    pub(super) fn end_owned(&self, verb: EndOwned, at: &At) -> Result<Revoked, Fault> {
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
}
