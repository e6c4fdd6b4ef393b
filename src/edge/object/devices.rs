//! Devices that wait for somebody to type their user code. What a verb promises is written at its
//! arguments, in `ports::device`.

use serde::Deserialize;
use serde_json::Value;

use super::ledger::Shard;
use super::sql::{Fault, Flag, Json};
use crate::model::{ClientId, GrantId, RequestId, Scope, Seconds, UnixTime};
use crate::ports::At;
use crate::ports::device::{
    Approval, BeginDevice, DecideDevice, DeviceRequest, PollDevice, Polled, ReadDevice,
};
use crate::ports::ledger::Once;
use crate::token::device::{EARLY, INTERVAL};

impl Shard<'_> {
    pub(super) fn begin_device(&self, verb: &BeginDevice, at: &At) -> Result<Once, Fault> {
        let first = self.sql.write(
            "INSERT INTO devices (key, grant_id, client, scope, expires_at, begun_by, interval)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT DO UPDATE SET grant_id = excluded.grant_id, client = excluded.client,
                scope = excluded.scope, expires_at = excluded.expires_at,
                begun_by = excluded.begun_by, interval = excluded.interval, polled_at = NULL,
                polled_by = NULL, slowed = 0, decided_by = NULL, approval = NULL
             WHERE expires_at <= ?8",
            (
                &verb.key,
                &verb.grant,
                &verb.client,
                &verb.scope,
                verb.expires_at,
                &at.request,
                INTERVAL,
                at.now.unix(),
            ),
        )?;
        let ours: Option<Value> = self.sql.row(
            "SELECT 1 FROM devices WHERE key = ? AND begun_by = ?",
            (&verb.key, &at.request),
        )?;
        Ok(if first || ours.is_some() {
            Once::First
        } else {
            Once::Again
        })
    }

    pub(super) fn read_device(
        &self,
        verb: &ReadDevice,
        now: UnixTime,
    ) -> Result<Option<DeviceRequest>, Fault> {
        #[derive(Deserialize)]
        struct Row {
            grant_id: GrantId,
            client: ClientId,
            scope: Scope,
        }
        let row: Option<Row> = self.sql.row(
            "SELECT grant_id, client, scope FROM devices
             WHERE key = ? AND expires_at > ? AND decided_by IS NULL",
            (&verb.key, now),
        )?;
        Ok(row.map(|row| DeviceRequest {
            grant: row.grant_id,
            client: row.client,
            scope: row.scope,
        }))
    }

    pub(super) fn decide_device(&self, verb: &DecideDevice, at: &At) -> Result<bool, Fault> {
        let now = at.now.unix();
        self.sql.write(
            "UPDATE devices SET decided_by = ?, approval = ?
             WHERE key = ? AND grant_id = ? AND expires_at > ? AND decided_by IS NULL",
            (
                &at.request,
                verb.approval.as_ref().map(Json),
                &verb.key,
                &verb.grant,
                now,
            ),
        )?;
        let ours: Option<Value> = self.sql.row(
            "SELECT 1 FROM devices
             WHERE key = ? AND grant_id = ? AND expires_at > ? AND decided_by = ?",
            (&verb.key, &verb.grant, now, &at.request),
        )?;
        Ok(ours.is_some())
    }

    pub(super) fn poll_device(&self, verb: &PollDevice, at: &At) -> Result<Polled, Fault> {
        #[derive(Deserialize)]
        struct Row {
            interval: Seconds,
            polled_at: Option<UnixTime>,
            polled_by: Option<RequestId>,
            slowed: Flag,
            decided_by: Option<RequestId>,
            approval: Option<Json<Approval>>,
        }
        let now = at.now.unix();
        let row: Option<Row> = self.sql.row(
            "SELECT interval, polled_at, polled_by, slowed, decided_by, approval FROM devices
             WHERE key = ? AND grant_id = ? AND expires_at > ?",
            (&verb.key, &verb.grant, now),
        )?;
        let Some(row) = row else {
            return Ok(Polled::Unknown);
        };
        if let Some(Json(approval)) = row.approval {
            return Ok(Polled::Approved(Box::new(approval)));
        }
        if row.decided_by.is_some() {
            return Ok(Polled::Denied);
        }
        let mut slowed = row.slowed.0;
        if row.polled_by.as_ref() != Some(&at.request) {
            let before = row.polled_at;
            slowed = before.is_some_and(|before| now + EARLY < before + row.interval);
            let more = if slowed { INTERVAL } else { Seconds(0) };
            self.sql.write(
                "UPDATE devices SET interval = interval + ?, polled_at = ?, polled_by = ?,
                    slowed = ? WHERE key = ?",
                (more, now, &at.request, Flag(slowed), &verb.key),
            )?;
        }
        Ok(if slowed {
            Polled::SlowDown
        } else {
            Polled::Pending
        })
    }
}
