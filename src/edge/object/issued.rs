//! What a shard tells administrators of codes and tokens. What a verb promises is written at its
//! arguments, in `ports::ledger`.

use serde_json::{Value, json};

use super::ledger::Shard;
use super::sql::Fault;
use crate::model::UnixTime;
use crate::ports::At;
use crate::ports::ledger::{EndCode, Issued, ListIssued, ReadCode};

/// Grants that have not ended and that a question asks for.
const ASKED: &str = "FROM grants AS g JOIN subjects AS u ON u.subject = g.subject
        AND u.active = 1 AND u.generation = g.subject_generation
     WHERE g.dead = 0 AND g.expires_at > ?1 AND g.advanced_at + ?2 > ?1
        AND g.subject = COALESCE(?3, g.subject) AND g.client = COALESCE(?4, g.client)
        AND g.grant_id >= ?5 AND g.grant_id < ?5 || '~' AND (g.refreshable = 1 OR ?6 = 0)
        AND (g.offline = 1 OR EXISTS (
            SELECT 1 FROM sessions AS s JOIN subjects AS v ON v.subject = s.subject
                AND v.active = 1 AND v.generation = s.subject_generation
            WHERE s.session = g.session AND s.expires_at > ?1))";

impl Shard<'_> {
    pub(super) fn issued(&self, verb: &ListIssued, now: UnixTime) -> Result<Issued, Fault> {
        let values = (
            now,
            verb.idle,
            &verb.subject,
            &verb.client,
            &verb.prefix,
            u8::from(verb.refreshable),
        );
        let count = self
            .sql
            .number(&format!("SELECT count(*) AS number {ASKED}"), values)?;
        let page = format!(
            "SELECT json_object('grant', g.grant_id, 'subject', g.subject, 'client', g.client,
                'scope', g.terms -> 'scope', 'advanced_at', g.advanced_at,
                'expires_at', CAST(MIN(g.expires_at, g.advanced_at + ?2) AS INTEGER)) AS columns
             {ASKED} ORDER BY g.grant_id LIMIT ?7"
        );
        let (now, idle, subject, client, prefix, refreshable) = values;
        let values = (now, idle, subject, client, prefix, refreshable, verb.most);
        Ok(Issued {
            count: count.unwrap_or_default(),
            rows: self.list(&page, values)?,
        })
    }

    pub(super) fn code(&self, verb: &ReadCode) -> Result<bool, Fault> {
        let row: Option<Value> = self
            .sql
            .row("SELECT 1 FROM grants WHERE grant_id = ?", (&verb.grant,))?;
        Ok(row.is_none())
    }

    pub(super) fn end_code(&self, verb: EndCode, at: &At) -> Result<bool, Fault> {
        let now = at.now.unix();
        let unspent = self.sql.write(
            "INSERT INTO grants (grant_id, subject, subject_generation, client, session, offline,
                refreshable, terms, expires_at, opened_by, dead, advanced_at, created_at)
             VALUES (?, ?, 0, ?, ?, 0, 0, '{}', ?, ?, 1, ?7, ?7) ON CONFLICT DO NOTHING",
            (
                &verb.grant,
                &verb.subject,
                &verb.client,
                &verb.session,
                verb.expires_at,
                &at.request,
                now,
            ),
        )?;
        if unspent {
            let before = json!({"subject": verb.subject, "client_id": verb.client});
            self.note(verb.noted, &before, at)?;
        }
        let ours: Option<Value> = self.sql.row(
            "SELECT 1 FROM grants WHERE grant_id = ? AND opened_by = ? AND dead = 1",
            (&verb.grant, &at.request),
        )?;
        Ok(ours.is_some())
    }
}
