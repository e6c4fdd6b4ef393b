//! Minting access tokens in either form, and the one validation that every endpoint asks.

use std::cell::OnceCell;
use std::rc::Rc;

use super::signing;
use crate::error::Reason;
use crate::model::{AccessTokenFormat, Client, Secret, TokenId};
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::access::JWT_TYPE;
use crate::token::mac::{MacAlgorithm, MacKey};
use crate::token::{
    AccessToken, Identity, MacToken, Opened, Revocations, SealRefused, access_jwt, seal,
};
use crate::validator;

/// A token whose seal or signature held, that has not expired and was not revoked within the
/// published bound, and that was shown as it has to be: [`validate`] makes one of a bearer token, and
/// [`super::mac`] of what a request was signed with. For whom it is, the caller checks.
#[derive(Debug)]
pub struct LiveToken(Rc<Opened>);

impl LiveToken {
    /// What a request was signed with, as [`super::mac`] proves it.
    pub(super) fn proven(opened: Rc<Opened>) -> Self {
        Self(opened)
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &TokenId {
        &self.0.id
    }

    /// What it says.
    #[must_use]
    pub fn token(&self) -> &AccessToken {
        &self.0.token
    }

    /// Whom it names.
    #[must_use]
    pub fn identity(&self) -> &Rc<Identity> {
        self.0.identity()
    }

    /// What other Workers are told of it, as JSON: printed once.
    ///
    /// # Errors
    /// [`Reason::Internal`].
    pub fn told(&self) -> Result<&str, Reason> {
        let print = || {
            let told = validator::told(self.token());
            told.map_err(|_| Reason::Internal("an answer does not serialise"))
        };
        once(&self.0.told, print)
    }

    /// What introspection tells of it, as JSON: printed once, so that nothing may have a say in it but the token and
    /// the issuer, of which a keyring has one.
    ///
    /// # Errors
    /// Those of `print`.
    pub(super) fn introspected(
        &self,
        print: impl FnOnce() -> Result<String, Reason>,
    ) -> Result<&str, Reason> {
        once(&self.0.introspected, print)
    }
}

fn once(
    kept: &OnceCell<String>,
    print: impl FnOnce() -> Result<String, Reason>,
) -> Result<&str, Reason> {
    if let Some(printed) = kept.get() {
        return Ok(printed);
    }
    let printed = print()?;
    Ok(kept.get_or_init(|| printed))
}

/// A token's text, and the key to sign requests with where it is no bearer token.
pub struct Minted {
    /// `access_token`.
    pub text: Secret,
    /// What stands beside it.
    pub mac: Option<MacKey>,
}

/// Mints the text of a token in the client's form; `id` is fresh randomness.
///
/// # Errors
/// [`Reason::Unavailable`] or [`Reason::Internal`].
pub async fn mint<P: Ports>(
    server: &Server<P>,
    client: &Client,
    token: AccessToken,
    id: [u8; seal::ID],
    revocations: &Revocations,
    at: &At,
) -> Result<Minted, Reason> {
    if client.danger_issue_mac_tokens {
        let algorithm = if client.danger_issue_mac_tokens_with_hmac_sha_1 {
            MacAlgorithm::HmacSha1
        } else {
            MacAlgorithm::HmacSha256
        };
        let token = MacToken { algorithm, token };
        let (text, key) = token.mint(&server.keyring, revocations.epoch(), id)?;
        return Ok(Minted {
            text,
            mac: Some(key),
        });
    }
    let text = match client.access_token_format {
        AccessTokenFormat::Sealed => server.keyring.seal(&token, revocations.epoch(), id)?,
        AccessTokenFormat::Jwt => {
            let jti = TokenId::from(id);
            let claims =
                access_jwt::to_claims(&server.config.issuer, &token, &jti, revocations.epoch());
            Secret::new(signing::sign(server, client, JWT_TYPE, &claims, at).await?)
        }
    };
    Ok(Minted { text, mac: None })
}

/// Says whether a text is a live access token of ours.
///
/// # Errors
/// [`Reason::TokenUnknown`], [`Reason::TokenExpired`] or [`Reason::TokenRevoked`];
/// [`Reason::Unavailable`] when that could not be found out, which is no verdict.
pub async fn validate<P: Ports>(
    server: &Server<P>,
    text: &str,
    at: &At,
) -> Result<LiveToken, Reason> {
    let opened = open(server, text, at).await?;
    lives(server, &opened, at).await?;
    Ok(LiveToken(opened))
}

/// Whether a token that was opened has not expired and was not revoked within the published bound.
///
/// # Errors
/// [`Reason::TokenExpired`] or [`Reason::TokenRevoked`]; [`Reason::Unavailable`].
pub(super) async fn lives<P: Ports>(
    server: &Server<P>,
    opened: &Opened,
    at: &At,
) -> Result<(), Reason> {
    validator::in_time(&opened.token, at.now.unix())?;
    let revocations = server.ports.revocations(at).await?;
    if revocations.ends_token(&opened.id, opened.epoch, &opened.token) {
        return Err(Reason::TokenRevoked);
    }
    Ok(())
}

/// What was found, where a verdict that a token is dead means that there is nothing. Whatever else failed is no
/// verdict, and stays a failure.
///
/// # Errors
/// Any but [`Reason::TokenUnknown`], [`Reason::TokenExpired`] and [`Reason::TokenRevoked`].
pub(super) fn living<T>(verdict: Result<T, Reason>) -> Result<Option<T>, Reason> {
    match verdict {
        Ok(found) => Ok(Some(found)),
        Err(Reason::TokenUnknown | Reason::TokenExpired | Reason::TokenRevoked) => Ok(None),
        Err(other) => Err(other),
    }
}

/// Opens a text as an access token of ours, expired or not.
///
/// # Errors
/// [`Reason::TokenUnknown`], or [`Reason::Unavailable`] when keys cannot be read.
pub async fn open<P: Ports>(server: &Server<P>, text: &str, at: &At) -> Result<Rc<Opened>, Reason> {
    match server.keyring.open(text) {
        Ok(opened) => Ok(opened),
        Err(SealRefused::OtherKind) if text.bytes().filter(|byte| *byte == b'.').count() == 2 => {
            let issuer = &server.config.issuer;
            let policy = access_jwt::policy(issuer, text);
            match signing::verify_own(server, text, &policy, at).await {
                Ok(claims) => access_jwt::from_claims(issuer, &claims)
                    .map(Rc::new)
                    .ok_or(Reason::TokenUnknown),
                Err(Some(reason)) => Err(reason),
                Err(None) => Err(Reason::TokenUnknown),
            }
        }
        Err(_) => Err(Reason::TokenUnknown),
    }
}
