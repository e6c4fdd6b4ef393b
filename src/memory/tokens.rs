//! Tokens that are rows, in memory. How they change, `crate::ledger::tokens` says.

use std::cmp::Reverse;
use std::convert::Infallible;

use serde_json::{Value, json};

use super::ledger::LedgerState;
use crate::ledger::token_history::{self, Line};
use crate::ledger::tokens::{self, Index, Rows};
use crate::model::{GrantId, RequestId, SessionId, Subject, SubjectFacts, TokenKey, UnixTime};
use crate::ports::At;
use crate::ports::ledger::{QuotaSpent, Row, Session, SpendQuota};
use crate::ports::tokens::{HISTORY, ReadTokenHistory, TokenHistory, TokenRow};
use crate::token::Revocation;

/// What [`Infallible`] rows answer.
pub(super) fn sure<T>(answer: Result<T, Infallible>) -> T {
    match answer {
        Ok(value) => value,
        Err(never) => match never {},
    }
}

impl Rows for LedgerState {
    type Error = Infallible;

    fn token(&self, key: &TokenKey) -> Result<Option<TokenRow>, Infallible> {
        Ok(self.tokens.get(key).cloned())
    }

    fn tokens(&self, by: Index<'_>) -> Result<Vec<TokenRow>, Infallible> {
        let has = |row: &&TokenRow| match by {
            Index::Key(key) => row.key == *key,
            Index::Owner(name) => row.owner().name() == name,
            Index::Parent(key) => row.parent.as_ref() == Some(key),
            Index::Session(id) => row.origin.session.as_ref() == Some(id),
            Index::Grant(id) => row.origin.grant.as_ref() == Some(id),
            Index::Token(id) => row.origin.token.as_ref() == Some(id),
            Index::Scope(scope) => row.subject.is_none() && row.scopes.contains(scope),
        };
        Ok(self.tokens.values().filter(has).cloned().collect())
    }

    fn put_token(&mut self, row: &TokenRow) -> Result<(), Infallible> {
        self.tokens.insert(row.key.clone(), row.clone());
        Ok(())
    }

    fn remove_token(&mut self, key: &TokenKey) -> Result<(), Infallible> {
        self.tokens.remove(key);
        Ok(())
    }

    fn note_token(&mut self, line: Line) -> Result<(), Infallible> {
        let number = self.history.keys().next_back().map_or(1, |last| last + 1);
        self.history.insert(number, line);
        Ok(())
    }

    fn was_ended_by(&self, key: &TokenKey, request: &RequestId) -> Result<bool, Infallible> {
        let mut lines = self.history.values();
        Ok(lines.any(|line| {
            line.request.as_ref() == Some(request)
                && line.told.get("action") == Some(&json!("revoke"))
                && line.told.get("token") == Some(&json!(key))
        }))
    }

    fn person(&self, subject: &Subject) -> Result<Option<SubjectFacts>, Infallible> {
        Ok(self.subject(subject))
    }

    fn standing_session(
        &self,
        session: &SessionId,
        now: UnixTime,
    ) -> Result<Option<Session>, Infallible> {
        Ok(self.session(session, now))
    }

    fn grant_stands(&self, grant: &GrantId) -> Result<bool, Infallible> {
        Ok(self.has_live_grant(grant))
    }

    fn spend(&mut self, verb: SpendQuota, at: &At) -> Result<QuotaSpent, Infallible> {
        Ok(self.spend_quota(verb, at))
    }

    fn tell_feed(&mut self, entries: Vec<Revocation>) -> Result<(), Infallible> {
        for entry in entries {
            self.publish(entry);
        }
        Ok(())
    }
}

impl LedgerState {
    pub(super) fn token_history(&self, verb: &ReadTokenHistory) -> TokenHistory {
        let mut lines: Vec<_> = self
            .history
            .iter()
            .filter(|(_, line)| token_history::fits(line, verb))
            .map(|(number, line)| (line.time, *number, line))
            .collect();
        let count = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        lines.sort_by_key(|(time, number, _)| Reverse((*time, *number)));
        if let Some(from) = verb.from {
            let behind = |time: UnixTime, number: u64| (time, number) < (from.time, from.below);
            lines.retain(|(time, number, _)| behind(*time, *number) != from.backwards);
            if from.backwards {
                lines.reverse();
            }
        }
        lines.truncate(usize::try_from(verb.most).unwrap_or(usize::MAX));
        let told = |(time, number, line): (UnixTime, u64, &Line)| {
            let members = [
                ("number", json!(number)),
                ("time", json!(time)),
                ("line", Value::Object(line.told.clone())),
            ];
            Row::from_iter(members.map(|(name, value)| (name.to_owned(), value)))
        };
        let lines = lines.into_iter().map(told).collect();
        TokenHistory { count, lines }
    }

    pub(super) fn sweep_tokens(&mut self, now: UnixTime) {
        let over = |row: &&TokenRow| row.expires.is_some_and(|expires| expires <= now);
        let expired: Vec<TokenRow> = self.tokens.values().filter(over).cloned().collect();
        for row in expired {
            sure(tokens::expire(self, &row));
        }
        self.history.retain(|_, line| now < line.time + HISTORY);
    }
}
