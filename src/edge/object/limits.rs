//! What is used once, and what has a limit.

use serde::Deserialize;

use super::ledger::Shard;
use super::sql::Fault;
use crate::model::{RequestId, UnixTime};
use crate::ports::At;
use crate::ports::ledger::{
    NonceSpent, Once, QuotaSpent, RateLimit, RecordFailure, RevokeToken, SpendNonce, SpendOnce,
    SpendQuota, TokenRevoked,
};
use crate::token::Revocation;

impl Shard<'_> {
    pub(super) fn spend_once(&self, verb: &SpendOnce, at: &At) -> Result<Once, Fault> {
        let first = self.sql.write(
            "INSERT INTO spent (key, request, expires_at) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET request = excluded.request,
                expires_at = excluded.expires_at
             WHERE expires_at <= ?4",
            (&verb.key, &at.request, verb.expires_at, at.now.unix()),
        )?;
        if first {
            return Ok(Once::First);
        }
        let repeated = self.spent_by(&verb.key, at)?.as_ref() == Some(&at.request);
        Ok(if repeated { Once::First } else { Once::Again })
    }

    /// Which request spent this, if that has to be remembered still.
    fn spent_by(&self, key: &str, at: &At) -> Result<Option<RequestId>, Fault> {
        #[derive(Deserialize)]
        struct Row {
            request: RequestId,
        }
        let row: Option<Row> = self.sql.row(
            "SELECT request FROM spent WHERE key = ? AND expires_at > ?",
            (key, at.now.unix()),
        )?;
        Ok(row.map(|row| row.request))
    }

    pub(super) fn spend_nonce(&self, verb: &SpendNonce, at: &At) -> Result<NonceSpent, Fault> {
        let spending = verb.spending();
        if let Some(by) = self.spent_by(&spending.key, at)? {
            let repeated = by == at.request;
            return Ok(if repeated {
                NonceSpent::First
            } else {
                NonceSpent::Again
            });
        }
        let counted = self.spend_quota(&verb.counted(), at)?;
        if !counted.granted {
            return Ok(NonceSpent::TooMany(counted.resets_at));
        }
        self.spend_once(&spending, at)?;
        Ok(NonceSpent::First)
    }

    pub(super) fn refused_until(
        &self,
        key: &str,
        limit: RateLimit,
        now: UnixTime,
    ) -> Result<Option<UnixTime>, Fault> {
        #[derive(Deserialize)]
        struct Row {
            window_ends: UnixTime,
        }
        let row: Option<Row> = self.sql.row(
            "SELECT window_ends FROM failures WHERE key = ? AND window_ends > ? AND count >= ?",
            (key, now, limit.most),
        )?;
        Ok(row.map(|row| row.window_ends))
    }

    pub(super) fn revoke_token(&self, verb: RevokeToken, at: &At) -> Result<TokenRevoked, Fault> {
        if let Some(until) = self.record_failure(&verb.counted(), at)? {
            return Ok(TokenRevoked::TooMany(until));
        }
        self.revoke(&[Revocation::Token(verb.token, verb.expires_at)])?;
        Ok(TokenRevoked::Done)
    }

    pub(super) fn spend_quota(&self, verb: &SpendQuota, at: &At) -> Result<QuotaSpent, Fault> {
        #[derive(Deserialize)]
        struct Row {
            used: u32,
            resets_at: UnixTime,
        }
        let now = at.now.unix();
        let granted: Option<Row> = self.sql.row(
            "INSERT INTO failures (key, count, window_ends, request) VALUES (?1, 1, ?2, ?3)
             ON CONFLICT DO UPDATE SET
                count = CASE WHEN window_ends <= ?4 THEN 1
                             WHEN request = ?3 THEN count ELSE count + 1 END,
                window_ends = CASE WHEN window_ends <= ?4 THEN ?2 ELSE window_ends END,
                request = ?3
             WHERE window_ends <= ?4 OR request = ?3 OR count < ?5
             RETURNING count AS used, window_ends AS resets_at",
            (
                &verb.key,
                now + verb.limit.window,
                &at.request,
                now,
                verb.limit.most,
            ),
        )?;
        let spent = |granted, row: Row| QuotaSpent {
            granted,
            used: row.used,
            resets_at: row.resets_at,
        };
        if let Some(row) = granted {
            return Ok(spent(true, row));
        }
        let row: Option<Row> = self.sql.row(
            "SELECT count AS used, window_ends AS resets_at FROM failures WHERE key = ?",
            (&verb.key,),
        )?;
        row.map(|row| spent(false, row))
            .ok_or(Fault::Shape("a quota was counted and is not there"))
    }

    pub(super) fn record_failure(
        &self,
        verb: &RecordFailure,
        at: &At,
    ) -> Result<Option<UnixTime>, Fault> {
        let now = at.now.unix();
        self.sql.write(
            "INSERT INTO failures (key, count, window_ends, request) VALUES (?1, 1, ?2, ?3)
             ON CONFLICT DO UPDATE SET
                count = CASE WHEN window_ends <= ?4 THEN 1
                             WHEN request = excluded.request THEN count ELSE count + 1 END,
                window_ends = CASE WHEN window_ends <= ?4 THEN excluded.window_ends
                                   ELSE window_ends END,
                request = excluded.request",
            (&verb.key, now + verb.limit.window, &at.request, now),
        )?;
        self.refused_until(&verb.key, verb.limit, now)
    }
}
