//! Browser sessions of a shard in memory, and what people end of their own.

use serde_json::json;

use super::ledger::{LedgerState, SessionRow, Spending, newest};
use crate::directory::record::Actor;
use crate::model::{ClientId, SessionId, Subject, UnixTime, public_id};
use crate::ports::At;
use crate::ports::history::Noted;
use crate::ports::ledger::{
    EndOwned, Once, OpenSession, Opened, Owned, RevokeGrant, Revoked, Row, Session, ended, left,
};
use crate::token::{Revocation, code};

impl LedgerState {
    pub(super) fn open_session(&mut self, verb: OpenSession, at: &At) -> Opened {
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

    pub(super) fn end_session(&mut self, id: &SessionId, at: &At) {
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
        self.depart(|session, _| session == id, at);
    }

    pub(super) fn leave_session(&mut self, session: &SessionId, client: &ClientId, at: &At) {
        let spending = Spending {
            by: at.request.clone(),
            expires_at: at.now.unix() + code::LONGEST,
        };
        self.spent.insert(left(session, client), spending);
        self.end_grants(|row| row.session == *session && row.client == *client && !row.offline);
        self.depart(|of, left| of == session && left == client, at);
    }

    pub(super) fn list_sessions(&self, subject: &Subject, now: UnixTime) -> Vec<Row> {
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

    pub(super) fn end_owned(&mut self, verb: EndOwned, at: &At) -> Revoked {
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
                        self.end_session(&id, at);
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
                        self.end_session(&id, at);
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
}
