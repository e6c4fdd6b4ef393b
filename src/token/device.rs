//! Device code, RFC 8628 §3.2: what its device asked for, sealed. Whether somebody has agreed is in the
//! ledger, under `key`.

use serde::{Deserialize, Serialize};

use super::seal::{Kind, Sealable, sealed_as_json};
use crate::model::{ClientId, Seconds, UnixTime};

/// How long a person has to find a browser and to sign in.
pub const LIFETIME: Seconds = Seconds(600);
/// How long a device waits before it asks again (§3.2), and how much longer after each time that it
/// did not (§3.5).
pub const INTERVAL: Seconds = Seconds(5);
/// What comes so much too early was sent in time: one question was slower than the next.
pub const EARLY: Seconds = Seconds(1);

/// What the device may ask about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceCode {
    /// Where the ledger has it: made of the user code, which nobody can tell from it.
    pub key: String,
    /// Only this client.
    pub client: ClientId,
    /// The client's generation then.
    pub client_generation: u64,
    /// For which resource.
    pub audience: String,
    /// Not redeemable from here on.
    pub expires_at: UnixTime,
}

impl Sealable for DeviceCode {
    const KIND: Kind = Kind::Device;
    sealed_as_json!();
}
