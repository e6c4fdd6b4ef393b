//! ID token rules (OpenID Connect Core §3.1.3.7) on top of [`Policy`]; pure, so that a browser,
//! a Worker and a native program reach the same verdict.

use super::jwt::LEEWAY_MIN;
use super::{Claims, ExpectedTyp, JoseError, Policy};

/// What the relying party knows of its own request.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// The `nonce` it sent; `None` refuses a token that carries one.
    pub nonce: Option<String>,
    /// The `max_age` it sent, in seconds; then `auth_time` is required.
    pub max_age: Option<u64>,
    /// The half hash of the access token beside it; then `at_hash` is required.
    pub at_hash: Option<String>,
}

/// The policy for ID tokens of `issuer` for `client_id`.
pub fn policy(issuer: &str, client_id: &str) -> Policy {
    Policy::new(issuer, client_id, ExpectedTyp::Plain)
}

/// Checks what an ID token says beyond its [`Policy`]. `now` is in seconds since 1970.
pub fn check(
    claims: &Claims,
    client_id: &str,
    expected: &Expected,
    now: u64,
) -> Result<(), JoseError> {
    // OpenID Connect Core §2: `sub` and `iat` are required.
    if claims.subject().is_none() || claims.issued_at().is_none() {
        return Err(JoseError::ClaimMissing);
    }
    if claims.text("nonce")? != expected.nonce.as_deref() {
        return Err(JoseError::NonceMismatch);
    }
    match claims.text("azp")? {
        Some(party) if party != client_id => return Err(JoseError::AuthorizedPartyMismatch),
        None if claims.audience().len() > 1 => return Err(JoseError::AuthorizedPartyMismatch),
        _ => {}
    }
    let auth_time = claims.seconds("auth_time")?;
    if let Some(max_age) = expected.max_age {
        let auth_time = auth_time.ok_or(JoseError::ClaimMissing)?;
        if now > auth_time.saturating_add(max_age).saturating_add(LEEWAY_MIN) {
            return Err(JoseError::AuthenticationTooOld);
        }
    }
    let at_hash = claims.text("at_hash")?;
    match (&expected.at_hash, at_hash) {
        (None, _) => Ok(()),
        (Some(_), None) => Err(JoseError::ClaimMissing),
        (Some(expected), Some(at_hash)) if expected == at_hash => Ok(()),
        (Some(_), Some(_)) => Err(JoseError::AccessTokenMismatch),
    }
}
