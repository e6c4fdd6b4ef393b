//! What may happen once, or so often, in memory.

use super::ledger::{Failures, LedgerState, Spending};
use crate::model::{RequestId, UnixTime};
use crate::ports::At;
use crate::ports::ledger::{
    NonceSpent, Once, QuotaSpent, RateLimit, ReadFailures, RecordFailure, RevokeToken, SpendNonce,
    SpendOnce, SpendQuota, TokenRevoked,
};
use crate::token::Revocation;

impl LedgerState {
    pub(super) fn spend_once(&mut self, verb: SpendOnce, at: &At) -> Once {
        let spending = Spending {
            by: at.request.clone(),
            expires_at: verb.expires_at,
        };
        match self.spent_by(&verb.key, at.now.unix()) {
            Some(known) if *known == at.request => Once::First,
            Some(_) => Once::Again,
            None => {
                self.spent.insert(verb.key, spending);
                Once::First
            }
        }
    }

    fn spent_by(&self, key: &str, now: UnixTime) -> Option<&RequestId> {
        let known = self.spent.get(key);
        let known = known.filter(|known| now < known.expires_at);
        known.map(|known| &known.by)
    }

    pub(super) fn spend_nonce(&mut self, verb: &SpendNonce, at: &At) -> NonceSpent {
        let spending = verb.spending();
        match self.spent_by(&spending.key, at.now.unix()) {
            Some(known) if *known == at.request => return NonceSpent::First,
            Some(_) => return NonceSpent::Again,
            None => {}
        }
        let counted = self.spend_quota(verb.counted(), at);
        if !counted.granted {
            return NonceSpent::TooMany(counted.resets_at);
        }
        self.spend_once(spending, at);
        NonceSpent::First
    }

    /// What was counted in the window that is open now.
    fn window(&mut self, key: String, limit: RateLimit, now: UnixTime) -> &mut Failures {
        let fresh = Failures {
            count: 0,
            window_ends: now + limit.window,
            by: None,
        };
        let row = self.failures.entry(key).or_insert_with(|| fresh.clone());
        if row.window_ends <= now {
            *row = fresh;
        }
        row
    }

    pub(super) fn refused_until(&self, verb: &ReadFailures, now: UnixTime) -> Option<UnixTime> {
        self.failures
            .get(&verb.key)
            .filter(|row| now < row.window_ends && row.count >= verb.limit.most)
            .map(|row| row.window_ends)
    }

    pub(super) fn revoke_token(&mut self, verb: RevokeToken, at: &At) -> TokenRevoked {
        if let Some(until) = self.record_failure(verb.counted(), at) {
            return TokenRevoked::TooMany(until);
        }
        self.publish(Revocation::Token(verb.token, verb.expires_at));
        TokenRevoked::Done
    }

    pub(super) fn record_failure(&mut self, verb: RecordFailure, at: &At) -> Option<UnixTime> {
        let now = at.now.unix();
        let row = self.window(verb.key.clone(), verb.limit, now);
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
        let row = self.window(verb.key, verb.limit, now);
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
}
