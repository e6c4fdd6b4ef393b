//! What the directory publishes in KV: sealed, because whoever can write the namespace could
//! otherwise add a key or a redirect URI, and whoever can read it could guess at secrets.

use serde::{Deserialize, Serialize};

use super::seal::{Kind, Sealable, sealed_as_json};
use crate::model::ClientId;

/// A copy of what the directory holds, with the key it was published under, so that one copy never
/// passes for another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The key in KV.
    pub key: String,
    /// The state, as JSON text.
    pub state: String,
}

impl Snapshot {
    /// What begins the key of a client.
    pub const CLIENT: &str = "client:";
    /// The key of the public keys.
    pub const PUBLIC_KEYS: &str = "keys:public";
    /// The key of what overrides quotas.
    pub const QUOTAS: &str = "quotas";

    /// The key of this client.
    #[must_use]
    pub fn client(id: &ClientId) -> String {
        format!("{}{id}", Self::CLIENT)
    }
}

impl Sealable for Snapshot {
    const KIND: Kind = Kind::Snapshot;
    sealed_as_json!();
}
