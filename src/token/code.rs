//! Authorization code, RFC 6749 §4.1.2: everything that was agreed, sealed.

use serde::{Deserialize, Serialize};

use super::seal::{Kind, Sealable, sealed_as_json};
use crate::model::{ClientId, Scope, Seconds, SessionId, Shard, Subject, UnixTime};

/// How long a code lives. RFC 6749 §4.1.2 allows ten minutes; machines redeem ours at once, and
/// FAPI 2.0 §5.3.2.1 asks for 60 seconds.
pub const LIFETIME: Seconds = Seconds(60);
/// How long a client's codes may live that says otherwise: the outer bound of RFC 6749.
pub const LONGEST: Seconds = Seconds(600);

/// What the holder of the code may redeem, if it is the right client with the right verifier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationCode {
    /// Only this client.
    pub client: ClientId,
    /// The URI of the request, to be repeated (RFC 6749 §4.1.3).
    pub redirect_uri: String,
    /// RFC 7636 §4.2, S256; of a plain one its hash.
    pub challenge: String,
    /// Who agreed.
    pub subject: Subject,
    /// Where that person's rows are.
    pub shard: Shard,
    /// The subject's generation then.
    pub generation: u64,
    /// The client's generation then.
    pub client_generation: u64,
    /// In which session.
    pub session: SessionId,
    /// What was agreed to.
    pub scope: Scope,
    /// For which resource.
    pub audience: String,
    /// OpenID Connect Core §3.1.2.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// Claims that the ID token is asked to have by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<String>,
    /// When the person last proved who they are.
    pub auth_time: UnixTime,
    /// How (RFC 8176).
    pub amr: Vec<String>,
    /// Issued at.
    pub issued_at: UnixTime,
    /// Not redeemable from here on.
    pub expires_at: UnixTime,
}

impl AuthorizationCode {
    /// Seed 002's `is_expired`.
    #[must_use]
    pub fn is_expired(&self, now: UnixTime) -> bool {
        self.expires_at <= now
    }
}

impl Sealable for AuthorizationCode {
    const KIND: Kind = Kind::Code;
    sealed_as_json!();
}
