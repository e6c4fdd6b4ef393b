//! Session handle: what the cookie holds. The facts are a ledger row.

use serde::{Deserialize, Serialize};

use super::seal::{Kind, Sealable, sealed_as_json};
use crate::model::{Seconds, SessionId, Shard, UnixTime};

/// A browser session ends here, used or not: a day's work, then the password again.
pub const LIFETIME: Seconds = Seconds(24 * 3600);

/// Names a session. `generation` grows when the person proves who they are again, so that a
/// cookie from before stops working (CVE-2025-12390).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionHandle {
    /// Where its row is.
    pub shard: Shard,
    /// Which row.
    pub session: SessionId,
    /// Which cookie of it.
    pub generation: u64,
    /// Ends here whatever the row says.
    pub expires_at: UnixTime,
}

impl Sealable for SessionHandle {
    const KIND: Kind = Kind::Session;
    sealed_as_json!();
}
