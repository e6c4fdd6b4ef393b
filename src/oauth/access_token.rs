//! Minting access tokens in either form, and the one validation that every endpoint asks.

use std::rc::Rc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{introspect, signing};
use crate::error::Reason;
use crate::jose::{Claims, ExpectedTyp, Policy};
use crate::message;
use crate::model::{
    AccessTokenFormat, Client, ClientId, GrantId, Scope, Secret, SessionId, Shard, TokenId,
    UnixTime, Username,
};
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::access::JWT_TYPE;
use crate::token::{AccessToken, Generations, Opened, Revocations, SealRefused, seal};

/// Seconds by which an edge's clock may be ahead of ours (FAPI 2.0 §5.3.2.1 asks for up to 60).
const SKEW: u64 = 60;

/// The private claim that carries what the feed is asked about.
const PRIVATE: &str = "edgemint";

/// What it holds.
#[derive(Deserialize)]
struct Private {
    epoch: u32,
    shard: Shard,
    grant: Option<GrantId>,
    session: Option<SessionId>,
    generations: Generations,
}

/// A token whose seal or signature held, that has not expired and was not revoked within the
/// published bound. Only [`validate`] makes one. For whom it is, the caller checks.
#[derive(Debug)]
pub struct LiveToken(Rc<Opened>);

impl LiveToken {
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

    /// What other Workers are told of it, as JSON: printed once.
    ///
    /// # Errors
    /// [`Reason::Internal`].
    pub fn principal(&self) -> Result<&str, Reason> {
        let Opened {
            token, principal, ..
        } = &*self.0;
        if let Some(printed) = principal.get() {
            return Ok(printed);
        }
        let printed = introspect::print(&Principal {
            active: true,
            sub: &token.sub,
            username: &token.username,
            client_id: &token.client,
            scope: &token.scope,
            aud: &token.audience,
            exp: token.expires_at,
        })?;
        Ok(principal.get_or_init(|| printed))
    }
}

/// Whose token it is, and what it allows.
#[derive(Serialize)]
struct Principal<'a> {
    active: bool,
    sub: &'a str,
    username: &'a Username,
    client_id: &'a ClientId,
    scope: &'a Scope,
    aud: &'a str,
    exp: UnixTime,
}

/// Mints the text of a token in the client's form; `id` is fresh randomness.
///
/// # Errors
/// [`Reason::Unavailable`] or [`Reason::Internal`].
pub async fn mint<P: Ports>(
    server: &Server<P>,
    client: &Client,
    token: &AccessToken,
    id: [u8; seal::ID],
    revocations: &Revocations,
    at: &At,
) -> Result<Secret, Reason> {
    match client.access_token_format {
        AccessTokenFormat::Sealed => Ok(server.keyring.seal(token, revocations.epoch(), id)?),
        AccessTokenFormat::Jwt => {
            let jti = TokenId::from(id);
            let claims = to_claims(&server.config.issuer, token, &jti, revocations.epoch());
            let text = signing::sign(server, client, JWT_TYPE, &claims, at).await?;
            Ok(Secret::new(text))
        }
    }
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
    let now = at.now.unix();
    if opened.token.expires_at <= now {
        return Err(Reason::TokenExpired);
    }
    if opened.token.issued_at.0 > now.0 + SKEW {
        return Err(Reason::TokenUnknown);
    }
    let revocations = server.ports.revocations(at).await?;
    if revocations.ends_token(&opened.id, opened.epoch, &opened.token) {
        return Err(Reason::TokenRevoked);
    }
    Ok(LiveToken(opened))
}

/// Opens a text as an access token of ours, expired or not.
///
/// # Errors
/// [`Reason::TokenUnknown`], or [`Reason::Unavailable`] when keys cannot be read.
pub async fn open<P: Ports>(server: &Server<P>, text: &str, at: &At) -> Result<Rc<Opened>, Reason> {
    match server.keyring.open(text) {
        Ok(opened) => Ok(opened),
        Err(SealRefused::OtherKind) if text.bytes().filter(|byte| *byte == b'.').count() == 2 => {
            let mut policy = Policy::new(
                server.config.issuer.clone(),
                "",
                ExpectedTyp::exactly(JWT_TYPE),
            )
            .danger_accept_any_audience()
            .danger_accept_expired();
            policy.leeway = SKEW;
            match signing::verify_own(server, text, &policy, at).await {
                Ok(claims) => from_claims(&claims)
                    .map(Rc::new)
                    .ok_or(Reason::TokenUnknown),
                Err(Some(reason)) => Err(reason),
                Err(None) => Err(Reason::TokenUnknown),
            }
        }
        Err(_) => Err(Reason::TokenUnknown),
    }
}

/// RFC 9068 §2.2.
fn to_claims(issuer: &str, token: &AccessToken, jti: &TokenId, epoch: u32) -> Map<String, Value> {
    let mut claims = Map::new();
    claims.insert("iss".to_owned(), json!(issuer));
    claims.insert("sub".to_owned(), json!(token.sub));
    claims.insert("aud".to_owned(), json!(token.audience));
    claims.insert("client_id".to_owned(), json!(token.client));
    claims.insert("iat".to_owned(), json!(token.issued_at));
    claims.insert("exp".to_owned(), json!(token.expires_at));
    claims.insert("jti".to_owned(), json!(jti));
    claims.insert("scope".to_owned(), json!(token.scope));
    claims.insert("username".to_owned(), json!(token.username));
    claims.insert(
        PRIVATE.to_owned(),
        json!({
            "epoch": epoch,
            "shard": token.shard,
            "grant": token.grant,
            "session": token.session,
            "generations": token.generations,
        }),
    );
    claims
}

fn from_claims(claims: &Claims) -> Option<Opened> {
    let text = |name| claims.text(name).ok().flatten();
    let private: Private = message::read_value(claims.claim(PRIVATE)?).ok()?;
    let [audience] = claims.audience() else {
        return None;
    };
    let token = AccessToken {
        sub: claims.subject()?.to_owned(),
        username: Username::parse(text("username")?).ok()?,
        client: ClientId::parse(text("client_id")?).ok()?,
        scope: Scope::parse(text("scope").unwrap_or_default()).ok()?,
        audience: audience.clone(),
        issued_at: UnixTime(claims.issued_at()?),
        expires_at: UnixTime(claims.expires_at()?),
        grant: private.grant,
        session: private.session,
        shard: private.shard,
        generations: private.generations,
    };
    let id = TokenId::parse(claims.id()?).ok()?;
    Some(Opened::new(id, private.epoch, token))
}
