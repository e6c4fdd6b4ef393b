//! Refresh token, RFC 6749 §1.5: a grant and a generation number, sealed under a derived id.
//!
//! Nothing in it is random, so the successor of a generation can be made again: a retry gets the
//! very same token, and the ledger stores one number.

use serde::{Deserialize, Serialize};

use super::seal::{Keyring, Kind, SealRefused, Sealable, sealed_as_json};
use crate::model::{ClientId, GrantId, Seconds, Secret, Shard};

/// A family that nobody used for this long has ended: two weeks span a holiday.
pub const IDLE: Seconds = Seconds(14 * 24 * 3600);
/// A family ends here however often it is used; then the person is asked again.
pub const ABSOLUTE: Seconds = Seconds(90 * 24 * 3600);
/// How long the previous token still gets the same answer: a lost answer is retried within
/// seconds, a thief rarely comes so soon.
pub const GRACE: Seconds = Seconds(30);
/// How often it does: a client's own retries, not a fleet's.
pub const MOST_RETRIES: u32 = 3;

/// What a refresh token names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshToken {
    /// Where the grant's row is.
    #[serde(rename = "h")]
    pub shard: Shard,
    /// The grant; one has at most one family.
    #[serde(rename = "g")]
    pub grant: GrantId,
    /// Counts rotations; the ledger keeps the newest.
    #[serde(rename = "n")]
    pub generation: u64,
    /// Only this client.
    #[serde(rename = "c")]
    pub client: ClientId,
    /// The client's generation when the grant was opened; a higher one ends the family.
    #[serde(rename = "k", default)]
    pub client_generation: u64,
}

impl Sealable for RefreshToken {
    const KIND: Kind = Kind::Refresh;
    sealed_as_json!();
}

impl RefreshToken {
    /// The token's text; the same every time.
    ///
    /// # Errors
    /// [`SealRefused::Broken`] if it cannot be sealed.
    pub fn mint(&self, keyring: &Keyring, epoch: u32) -> Result<Secret, SealRefused> {
        let name = format!("{} {} {}", self.grant, self.generation, self.client);
        keyring.seal(
            self,
            epoch,
            keyring.derived_id(Kind::Refresh, epoch, &name)?,
        )
    }
}
