//! The parts of every verdict on an access token, at the issuer as at a resource.

use serde::Serialize;

use super::Refused;
use crate::message::Unreadable;
use crate::model::{ClientId, Scope, UnixTime, Username};
use crate::token::AccessToken;
use crate::token::access_jwt::SKEW;

/// What a request needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needed {
    /// The scopes; none are needed if there are none.
    pub scopes: Scope,
    /// Whether one of them is enough.
    pub any: bool,
}

impl Needed {
    /// Whether `held` allows it.
    ///
    /// # Errors
    /// [`Refused::InsufficientScope`].
    pub fn of(&self, held: &Scope) -> Result<(), Refused> {
        if held.satisfies(&self.scopes, self.any) {
            Ok(())
        } else {
            Err(Refused::InsufficientScope(self.scopes.clone()))
        }
    }
}

/// Whether the token is valid at `now`: not from the second on that it names, nor if it is dated ahead
/// of any clock of ours.
///
/// # Errors
/// [`Refused::TokenExpired`], [`Refused::TokenUnknown`].
pub fn in_time(token: &AccessToken, now: UnixTime) -> Result<(), Refused> {
    if token.expires_at <= now {
        return Err(Refused::TokenExpired);
    }
    if token.issued_at.0 > now.0 + SKEW {
        return Err(Refused::TokenUnknown);
    }
    Ok(())
}

/// Whose token it is and what it allows, as the resource is told.
#[derive(Serialize)]
struct Told<'a> {
    active: bool,
    sub: &'a str,
    username: &'a Username,
    client_id: &'a ClientId,
    scope: &'a Scope,
    aud: &'a str,
    exp: UnixTime,
}

/// What a resource is told of a token that lives, as JSON.
///
/// # Errors
/// [`Unreadable`] if it does not serialise.
pub fn told(token: &AccessToken) -> Result<String, Unreadable> {
    serde_json::to_string(&Told {
        active: true,
        sub: token.told_sub(),
        username: &token.username,
        client_id: &token.client,
        scope: &token.scope,
        aud: &token.audience,
        exp: token.expires_at,
    })
    .map_err(|_| Unreadable)
}
