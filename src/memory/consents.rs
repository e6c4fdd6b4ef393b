//! What people agreed to, in memory.

use serde_json::json;

use super::ledger::{LedgerState, Spending};
use crate::model::Subject;
use crate::ports::At;
use crate::ports::history::Noted;
use crate::ports::ledger::{GivenConsent, MOST_LISTED, WithdrawConsent, withdrawn};
use crate::token::code;

impl LedgerState {
    pub(super) fn list_consents(&self, subject: &Subject) -> Vec<GivenConsent> {
        let own = self.consents.iter().filter(|((of, _), _)| of == subject);
        own.take(MOST_LISTED)
            .map(|((_, client), scope)| GivenConsent {
                client: client.clone(),
                scope: scope.clone(),
            })
            .collect()
    }

    pub(super) fn withdraw_consent(&mut self, verb: WithdrawConsent, at: &At) {
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
}
