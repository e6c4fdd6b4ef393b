//! Where a credential is found: the session's cookie first, then `Authorization`.

use super::ours::{is_credential, pair, values};
use super::principal::{self, Principal};
use crate::error::Reason;
use crate::http::{Original, Request};
use crate::model::{Secret, secret};
use crate::oauth::access_token::LiveToken;
use crate::oauth::{bearer, mac};
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::mac::{Body, VerifiedMac, is_mac};

/// The longest token that is looked at.
const LONGEST: usize = 16 * 1024;

/// Who stands behind a request, as far as what costs nothing can tell.
pub enum Shown {
    /// Whoever it is.
    Proven(Principal),
    /// Whoever it is once the nonce is spent that the request was signed with.
    Signed(Box<Signed>),
}

/// A signed request.
pub struct Signed {
    principal: Principal,
    verified: VerifiedMac<LiveToken>,
}

impl Shown {
    /// Whom to refuse by, before anything is spent.
    #[must_use]
    pub fn unspent(&self) -> &Principal {
        match self {
            Self::Proven(principal) => principal,
            Self::Signed(signed) => &signed.principal,
        }
    }
}

impl Signed {
    /// Spends the nonce: who it is, and what the body has to hash to, where that was signed.
    ///
    /// # Errors
    /// As [`mac::spend`].
    pub async fn spend<P: Ports>(
        self,
        server: &Server<P>,
        at: &At,
    ) -> Result<(Principal, Option<String>), Reason> {
        let body = self.verified.body_to_check();
        mac::spend(server, self.verified, at).await?;
        Ok((self.principal, body))
    }
}

/// Who stands behind the request, which `original` describes.
///
/// # Errors
/// [`Reason::NoToken`] where nothing of ours was shown, [`Reason::MalformedCredential`] or
/// [`Reason::SeveralCredentials`] where that cannot be told, and why the token does not do.
pub async fn prove<P: Ports>(
    server: &Server<P>,
    request: &Request,
    original: &Original,
    cookies: bool,
    at: &At,
) -> Result<Shown, Reason> {
    if cookies
        && request.cookie.is_some()
        && let Some(principal) = principal::by_session(server, request, at).await?
    {
        return Ok(Shown::Proven(principal));
    }
    let authorization = request.authorization.as_deref().unwrap_or_default();
    if let Some(token) = bearer::alone(authorization, &server.keyring) {
        let principal = principal::by_token(server, token, at).await?;
        return Ok(Shown::Proven(principal));
    }
    match presented(authorization, &server.config.issuer) {
        Ok(token) => {
            let principal = principal::by_token(server, token.expose(), at).await?;
            Ok(Shown::Proven(principal))
        }
        Err(_) if is_mac(Some(authorization)) => signed(server, authorization, original, at).await,
        Err(reason) => Err(reason),
    }
}

/// A proxy has no body when it asks: who is behind it is told what the body has to be.
async fn signed<P: Ports>(
    server: &Server<P>,
    authorization: &str,
    original: &Original,
    at: &At,
) -> Result<Shown, Reason> {
    let asked = mac::Asked {
        method: original.method.as_deref().unwrap_or_default(),
        url: original.url.as_deref().unwrap_or_default(),
        body: Body::Elsewhere,
    };
    let verified = mac::verify(server, authorization, &asked, at).await?;
    let principal = principal::of_access_token(verified.unspent());
    Ok(Shown::Signed(Box::new(Signed {
        principal,
        verified,
    })))
}

/// The one token in the values of `Authorization`. Of several values those of ours count, and where
/// none is, the first.
///
/// # Errors
/// As [`prove`].
fn presented(authorization: &str, issuer: &str) -> Result<Secret, Reason> {
    let mut ours: Option<Secret> = None;
    for value in values(authorization) {
        let Ok(token) = presented_by(value, issuer) else {
            continue;
        };
        if !is_credential(token.expose(), issuer) {
            continue;
        }
        let other = |known: &Secret| {
            let (known, token) = (known.expose().as_bytes(), token.expose().as_bytes());
            !secret::equal(known, token)
        };
        if ours.as_ref().is_some_and(other) {
            return Err(Reason::SeveralCredentials);
        }
        ours = Some(token);
    }
    match ours {
        Some(token) => Ok(token),
        None => presented_by(values(authorization).next().unwrap_or_default(), issuer),
    }
}

fn presented_by(value: &str, issuer: &str) -> Result<Secret, Reason> {
    let mut words = value.split_ascii_whitespace();
    let Some(scheme) = words.next() else {
        return Err(Reason::NoToken);
    };
    let credential = words.next().filter(|_| words.next().is_none());
    let credential = credential.ok_or(Reason::MalformedCredential)?;
    if credential.len() > LONGEST {
        return Err(Reason::TokenUnknown);
    }
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Secret::new(credential));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(Reason::MalformedCredential);
    }
    let (user, password) = pair(credential).ok_or(Reason::MalformedCredential)?;
    let parts = [user, password].into_iter();
    let ours = parts.filter(|part| is_credential(part, issuer));
    let mut ours = ours.map(Secret::new);
    match (ours.next(), ours.next()) {
        (Some(one), Some(other))
            if !secret::equal(one.expose().as_bytes(), other.expose().as_bytes()) =>
        {
            Err(Reason::SeveralCredentials)
        }
        (Some(token), _) => Ok(token),
        (None, _) => Err(Reason::NoToken),
    }
}
