//! Tokens that are rows, in SQLite. How they change, `crate::ledger::tokens` says.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::ledger::Shard;
use super::sql::{Fault, Json};
use crate::ledger::delegation;
use crate::ledger::token_history::Line;
use crate::ledger::tokens::{self, Index, Rows};
use crate::message;
use crate::model::{
    GrantId, RequestId, SessionId, Subject, SubjectFacts, TokenKey, UnixTime, address_bits,
};
use crate::ports::At;
use crate::ports::ledger::{LedgerAnswer, LedgerVerb, QuotaSpent, Session, SpendQuota};
use crate::ports::tokens::{HISTORY, ReadTokenHistory, TokenHistory, TokenRow};
use crate::token::Revocation;

/// Rows that one sweep takes: each is a line of the history, too.
const MOST_SWEPT: u32 = 500;

#[derive(Deserialize)]
struct Kept {
    row: Json<TokenRow>,
}

/// What [`Found`] is read from.
const FOUND: &str = "SELECT key, owner, name, parent, expires_at, row FROM tokens";

/// A row, and what it is found by.
#[derive(Deserialize)]
struct Found {
    key: TokenKey,
    owner: String,
    name: Option<String>,
    parent: Option<TokenKey>,
    expires_at: Option<UnixTime>,
    row: String,
}

impl Found {
    fn read(self) -> Result<TokenRow, Fault> {
        match message::read(self.row.as_bytes()) {
            Ok(row) => Ok(row),
            Err(_) => {
                let (name, parent) = (self.name, self.parent);
                TokenRow::unreadable(self.key, &self.owner, name, parent, self.expires_at)
                    .ok_or(Fault::Shape("a token's owner"))
            }
        }
    }
}

impl Rows for Shard<'_> {
    type Error = Fault;

    fn token(&self, key: &TokenKey) -> Result<Option<TokenRow>, Fault> {
        let statement = "SELECT row FROM tokens WHERE key = ?";
        let kept: Option<Kept> = self.sql.row(statement, (key,))?;
        Ok(kept.map(|kept| kept.row.0))
    }

    fn tokens(&self, by: Index<'_>) -> Result<Vec<TokenRow>, Fault> {
        let (column, value) = match by {
            Index::Key(key) => ("key", key.as_str()),
            Index::Owner(name) => ("owner", name),
            Index::Parent(key) => ("parent", key.as_str()),
            Index::Session(id) => ("session", id.as_str()),
            Index::Grant(id) => ("grant_id", id.as_str()),
            Index::Token(id) => ("token", id.as_str()),
            // Whoever acts for itself, and of its scopes the one; nothing is found by this often.
            Index::Scope(scope) => (
                "json_valid(row) AND row ->> 'subject' IS NULL AND instr(' ' || (row ->> 'scopes') || ' ', ' ' || ?1 || ' ') > 0
                    AND ?1",
                scope,
            ),
        };
        let statement = format!("{FOUND} WHERE {column} = ?1 ORDER BY key");
        let found: Vec<Found> = self.sql.rows(&statement, (value,))?;
        found.into_iter().map(Found::read).collect()
    }

    fn put_token(&mut self, row: &TokenRow) -> Result<(), Fault> {
        let origin = &row.origin;
        self.sql.write(
            "INSERT OR REPLACE INTO tokens
                (key, owner, name, parent, session, grant_id, token, expires_at, row)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                &row.key,
                row.owner().name(),
                &row.token_name,
                &row.parent,
                &origin.session,
                &origin.grant,
                &origin.token,
                row.expires,
                Json(row),
            ),
        )?;
        Ok(())
    }

    fn remove_token(&mut self, key: &TokenKey) -> Result<(), Fault> {
        self.sql.write("DELETE FROM tokens WHERE key = ?", (key,))?;
        Ok(())
    }

    fn note_token(&mut self, line: Line) -> Result<(), Fault> {
        let address = line.told.get("ip_address").and_then(|value| value.as_str());
        self.sql.write(
            "INSERT INTO token_history (time, owner, bits, request, line) VALUES (?, ?, ?, ?, ?)",
            (
                line.time,
                line.owner.name(),
                address.and_then(address_bits),
                &line.request,
                Json(&line.told),
            ),
        )?;
        Ok(())
    }

    fn was_ended_by(&self, key: &TokenKey, request: &RequestId) -> Result<bool, Fault> {
        let row: Option<IgnoredAny> = self.sql.row(
            "SELECT 1 FROM token_history WHERE request = ?
                AND line ->> 'token' = ? AND line ->> 'action' = 'revoke'",
            (request, key),
        )?;
        Ok(row.is_some())
    }

    fn person(&self, subject: &Subject) -> Result<Option<SubjectFacts>, Fault> {
        self.subject(subject)
    }

    fn standing_session(
        &self,
        session: &SessionId,
        now: UnixTime,
    ) -> Result<Option<Session>, Fault> {
        self.session(session, now)
    }

    fn grant_stands(&self, grant: &GrantId) -> Result<bool, Fault> {
        let statement = "SELECT 1 FROM grants WHERE grant_id = ? AND dead = 0";
        let row: Option<IgnoredAny> = self.sql.row(statement, (grant,))?;
        Ok(row.is_some())
    }

    fn spend(&mut self, verb: SpendQuota, at: &At) -> Result<QuotaSpent, Fault> {
        self.spend_quota(&verb, at)
    }

    fn tell_feed(&mut self, entries: Vec<Revocation>) -> Result<(), Fault> {
        self.revoke(&entries)
    }
}

impl Shard<'_> {
    /// Does a verb about tokens.
    pub(super) fn with_tokens(&mut self, verb: LedgerVerb, at: &At) -> Result<LedgerAnswer, Fault> {
        let now = at.now.unix();
        Ok(match verb {
            LedgerVerb::AddToken(verb) => LedgerAnswer::AddToken(tokens::add(self, *verb, at)?),
            LedgerVerb::ReadToken(verb) => {
                LedgerAnswer::ReadToken(tokens::read(self, &verb.key, now)?.map(Box::new))
            }
            LedgerVerb::ListTokens(verb) => {
                LedgerAnswer::ListTokens(tokens::list(self, &verb, now)?)
            }
            LedgerVerb::ChangeToken(verb) => {
                LedgerAnswer::ChangeToken(tokens::change(self, *verb, at)?)
            }
            LedgerVerb::EndToken(verb) => LedgerAnswer::EndToken(tokens::end(self, &verb, at)?),
            LedgerVerb::Delegate(verb) => {
                LedgerAnswer::Delegate(delegation::delegate(self, *verb, at)?.map(Box::new))
            }
            LedgerVerb::DropScope(verb) => {
                tokens::drop_scope(self, &verb.scope, at)?;
                LedgerAnswer::DropScope(())
            }
            LedgerVerb::ReadTokenHistory(verb) => {
                LedgerAnswer::ReadTokenHistory(self.token_history(&verb)?)
            }
            _ => return Err(Fault::Refused("this is no verb about tokens")),
        })
    }

    fn token_history(&self, verb: &ReadTokenHistory) -> Result<TokenHistory, Fault> {
        let addresses = verb.addresses.as_ref();
        let values = (
            verb.owner.as_ref().map(|owner| owner.name()),
            &verb.username,
            &verb.key,
            verb.token_type,
            &verb.actor,
            verb.since,
            verb.until,
            addresses.map(|(first, _)| first),
            addresses.map(|(_, last)| last),
        );
        let from = verb.from.unwrap_or_default();
        let place = (from.time, from.below, verb.most);
        let of_children = if verb.alone {
            ""
        } else {
            "OR line ->> 'parent' = ?3"
        };
        let fits = format!(
            "FROM token_history WHERE (?1 IS NULL OR owner = ?1)
                AND (?2 IS NULL OR line ->> 'username' = ?2)
                AND (?3 IS NULL OR line ->> 'token' = ?3 {of_children})
                AND (?4 IS NULL OR line ->> 'token_type' = ?4)
                AND (?5 IS NULL OR line ->> 'actor' = ?5)
                AND (?6 IS NULL OR time >= ?6) AND (?7 IS NULL OR time <= ?7)
                AND (?8 IS NULL OR bits BETWEEN ?8 AND ?9)"
        );
        let count = format!("SELECT count(*) AS number {fits}");
        let count = self.sql.number(&count, values)?;
        let (behind, order) = match verb.from {
            None => ("", "DESC"),
            Some(from) if from.backwards => ("AND (time, number) >= (?10, ?11)", "ASC"),
            Some(_) => ("AND (time, number) < (?10, ?11)", "DESC"),
        };
        // The place is bound wherever one begins, so that the limit always has the same number.
        let statement = format!(
            "SELECT json_object('number', number, 'time', time, 'line', json(line)) AS columns
             {fits} {behind} AND ?10 + ?11 >= 0 ORDER BY time {order}, number {order} LIMIT ?12"
        );
        let (a, b, c, d, e, f, g, h, i) = values;
        let (time, below, most) = place;
        let values = (a, b, c, d, e, f, g, h, i, time, below, most);
        Ok(TokenHistory {
            count: count.unwrap_or_default(),
            lines: self.list(&statement, values)?,
        })
    }

    /// Forgets tokens and lines that are over; answers whether there is more.
    pub(super) fn sweep_tokens(&mut self, until: UnixTime) -> Result<bool, Fault> {
        let expired = format!("{FOUND} WHERE expires_at <= ? ORDER BY key LIMIT ?");
        let rows: Vec<Found> = self.sql.rows(&expired, (until, MOST_SWEPT))?;
        let full = usize::try_from(MOST_SWEPT).is_ok_and(|most| rows.len() == most);
        for found in rows {
            tokens::expire(self, &found.read()?)?;
        }
        let old = UnixTime(HISTORY.0).until(until);
        let swept = self.sql.write(
            "DELETE FROM token_history WHERE number IN
                (SELECT number FROM token_history WHERE time <= ? ORDER BY time LIMIT ?)",
            (old, MOST_SWEPT),
        )?;
        Ok(swept || full)
    }
}
