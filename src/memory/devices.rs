//! Devices that wait for somebody to type their user code. What a verb promises is written at its
//! arguments, in `ports::device`.

use super::ledger::LedgerState;
use crate::model::{ClientId, GrantId, RequestId, Scope, Seconds, UnixTime};
use crate::ports::At;
use crate::ports::device::{
    Approval, BeginDevice, DecideDevice, DeviceRequest, PollDevice, Polled, ReadDevice,
};
use crate::ports::ledger::Once;
use crate::token::device::{EARLY, INTERVAL};

#[derive(Debug, Clone)]
pub(super) struct DeviceRow {
    grant: GrantId,
    client: ClientId,
    scope: Scope,
    pub(super) expires_at: UnixTime,
    begun_by: RequestId,
    interval: Seconds,
    polled_at: Option<UnixTime>,
    polled_by: Option<RequestId>,
    slowed: bool,
    decided_by: Option<RequestId>,
    approval: Option<Approval>,
}

impl LedgerState {
    pub(super) fn begin_device(&mut self, verb: BeginDevice, at: &At) -> Once {
        let known = self.devices.get(&verb.key);
        if let Some(known) = known.filter(|row| at.now.unix() < row.expires_at) {
            return if known.begun_by == at.request {
                Once::First
            } else {
                Once::Again
            };
        }
        let row = DeviceRow {
            grant: verb.grant,
            client: verb.client,
            scope: verb.scope,
            expires_at: verb.expires_at,
            begun_by: at.request.clone(),
            interval: INTERVAL,
            polled_at: None,
            polled_by: None,
            slowed: false,
            decided_by: None,
            approval: None,
        };
        self.devices.insert(verb.key, row);
        Once::First
    }

    pub(super) fn read_device(&self, verb: &ReadDevice, at: &At) -> Option<DeviceRequest> {
        let known = self.devices.get(&verb.key);
        known
            .filter(|row| at.now.unix() < row.expires_at && row.decided_by.is_none())
            .map(|row| DeviceRequest {
                grant: row.grant.clone(),
                client: row.client.clone(),
                scope: row.scope.clone(),
            })
    }

    /// The request, if it has not expired.
    fn device(&mut self, key: &str, grant: &GrantId, at: &At) -> Option<&mut DeviceRow> {
        let known = self.devices.get_mut(key);
        known.filter(|row| row.grant == *grant && at.now.unix() < row.expires_at)
    }

    pub(super) fn decide_device(&mut self, verb: DecideDevice, at: &At) -> bool {
        let Some(row) = self.device(&verb.key, &verb.grant, at) else {
            return false;
        };
        if row.decided_by.is_none() {
            row.decided_by = Some(at.request.clone());
            row.approval = verb.approval;
        }
        row.decided_by.as_ref() == Some(&at.request)
    }

    pub(super) fn poll_device(&mut self, verb: &PollDevice, at: &At) -> Polled {
        let now = at.now.unix();
        let Some(row) = self.device(&verb.key, &verb.grant, at) else {
            return Polled::Unknown;
        };
        match (&row.approval, &row.decided_by) {
            (Some(approval), _) => return Polled::Approved(Box::new(approval.clone())),
            (None, Some(_)) => return Polled::Denied,
            (None, None) => {}
        }
        if row.polled_by.as_ref() != Some(&at.request) {
            let before = row.polled_at;
            row.slowed = before.is_some_and(|before| now + EARLY < before + row.interval);
            if row.slowed {
                row.interval = Seconds(row.interval.0 + INTERVAL.0);
            }
            row.polled_at = Some(now);
            row.polled_by = Some(at.request.clone());
        }
        if row.slowed {
            Polled::SlowDown
        } else {
            Polled::Pending
        }
    }
}
