//! What people agreed to.

use serde::Deserialize;
use serde_json::json;

use super::ledger::Shard;
use super::sql::Fault;
use crate::model::{Scope, Subject};
use crate::ports::At;
use crate::ports::history::Noted;
use crate::ports::ledger::{
    GivenConsent, MOST_LISTED, ReadConsent, RememberConsent, WithdrawConsent, withdrawn,
};

impl Shard<'_> {
    pub(super) fn consent(&self, verb: &ReadConsent) -> Result<Option<Scope>, Fault> {
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

    pub(super) fn consents(&self, subject: &Subject) -> Result<Vec<GivenConsent>, Fault> {
        self.sql.rows(
            "SELECT client, scope FROM consents WHERE subject = ? ORDER BY client LIMIT ?",
            (subject, MOST_LISTED),
        )
    }

    pub(super) fn remember_consent(&self, verb: RememberConsent) -> Result<(), Fault> {
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

    pub(super) fn withdraw_consent(&self, verb: WithdrawConsent, at: &At) -> Result<(), Fault> {
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
}
