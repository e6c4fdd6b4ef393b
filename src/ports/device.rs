//! The ledger's verbs for the device authorization grant (RFC 8628). A request is in the shard of its
//! key; who agrees to it is in a shard of their own, where [`super::ledger::SpendCode`] opens the grant.

use serde::{Deserialize, Serialize};

use super::ledger::Authentication;
use crate::model::{ClientId, GrantId, Scope, SessionId, Shard, Subject, UnixTime};

/// A device begins to wait for somebody to type its user code. The key is taken until then.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BeginDevice {
    /// What the user code is found by; the code itself is not kept.
    pub key: String,
    /// What its grant will be called; the id of the device code.
    pub grant: GrantId,
    /// Who asks.
    pub client: ClientId,
    /// For what, at most.
    pub scope: Scope,
    /// Nobody can agree, and nothing is handed out, from here on.
    pub expires_at: UnixTime,
}

/// What a user code stands for, while nobody has answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReadDevice {
    /// Its key.
    pub key: String,
}

/// A request of a device that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRequest {
    /// See [`BeginDevice::grant`].
    pub grant: GrantId,
    /// Who asks.
    pub client: ClientId,
    /// For what, at most.
    pub scope: Scope,
}

/// Answers a device, if nobody has; says whether it did. Also the answer to the same request repeated.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DecideDevice {
    /// Its key.
    pub key: String,
    /// The request that was looked at: the key may have gone to another since.
    pub grant: GrantId,
    /// What was agreed to; nothing is a no.
    pub approval: Option<Approval>,
}

/// What a person agreed to for a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Who.
    pub subject: Subject,
    /// Where that person's rows are.
    pub shard: Shard,
    /// The subject's generation then.
    pub generation: u64,
    /// In which session.
    pub session: SessionId,
    /// To what.
    pub scope: Scope,
    /// The sign-in.
    pub authentication: Authentication,
    /// When: a consent that was withdrawn since then opens nothing.
    pub agreed_at: UnixTime,
}

/// A device asks whether somebody has answered. Nothing is spent by it: what opens the grant once is
/// [`super::ledger::SpendCode`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PollDevice {
    /// Its key.
    pub key: String,
    /// See [`BeginDevice::grant`].
    pub grant: GrantId,
}

/// What a device is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Polled {
    /// Nobody has answered.
    Pending,
    /// Nobody has answered, and it asked too early: from now on it waits five seconds longer.
    SlowDown,
    /// Somebody said no.
    Denied,
    /// Somebody agreed.
    Approved(Box<Approval>),
    /// There is no such request, or no longer.
    Unknown,
}
