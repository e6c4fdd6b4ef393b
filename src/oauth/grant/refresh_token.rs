//! `refresh_token`, RFC 6749 §6, with rotation that survives a lost answer and tells a thief.

use super::Approved;
use crate::error::Reason;
use crate::model::Client;
use crate::oauth::params::Params;
use crate::ports::ledger::{AdvanceFamily, Advanced};
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::refresh::{GRACE, IDLE, MOST_RETRIES};
use crate::token::{RefreshToken, Revocations, Unsealed};

/// The parameters this reads.
pub const PARAMETERS: [&str; 3] = ["refresh_token", "scope", "resource"];

/// The longest refresh token that is looked at.
const LONGEST: usize = 4096;

/// Advances the family of the presented token.
///
/// # Errors
/// Why it is not advanced; a token that was rotated out ends its family.
pub async fn refresh<P: Ports>(
    server: &Server<P>,
    client: &Client,
    params: &Params,
    revocations: &Revocations,
    at: &At,
) -> Result<Approved, Reason> {
    let text = params.within("refresh_token", LONGEST)?;
    let text = text.ok_or(Reason::MissingParameter("refresh_token"))?;
    let unsealed: Unsealed<RefreshToken> = server
        .keyring
        .unseal(text)
        .map_err(Reason::RefreshTokenUnknown)?;
    let from_before = revocations.ends_epoch(unsealed.epoch());
    let token = unsealed.into_value();
    if token.client != client.id {
        return Err(Reason::RefreshTokenForOtherClient);
    }
    if from_before || token.client_generation != client.generation {
        return Err(Reason::FamilyEnded);
    }
    let scope = params.scope()?;
    // What the client lost since then has dropped out (RFC 9700 §4.14.2).
    let resource = params.optional("resource")?;
    let audiences = client
        .audiences()
        .filter(|audience| resource.is_none_or(|named| named == *audience));
    let advance = AdvanceFamily {
        grant: token.grant.clone(),
        client: client.id.clone(),
        generation: token.generation,
        scope,
        audiences: audiences.map(str::to_owned).collect(),
        idle: client.refresh_idle.unwrap_or(IDLE),
        grace: GRACE,
        most_retries: MOST_RETRIES,
    };
    match server.ports.ledger(token.shard, at, advance).await? {
        Advanced::To(standing) => Ok(Approved {
            subject: standing.subject,
            grant: token.grant,
            shard: token.shard,
            sid: standing.session.clone(),
            session: standing.session,
            scope: standing.scope,
            granted: standing.granted,
            audience: standing.audience,
            authentication: standing.authentication,
            nonce: None,
            claims: Vec::new(),
            refresh: Some((standing.generation, standing.refreshable_until)),
            again: standing.retry,
        }),
        Advanced::ScopeExceeded => Err(Reason::ScopeExceeded),
        Advanced::OtherAudience => Err(Reason::UnknownResource),
        Advanced::Reused => Err(Reason::RefreshTokenReused),
        Advanced::Ended => Err(Reason::FamilyEnded),
    }
}
