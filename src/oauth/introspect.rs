//! Introspection, RFC 7662: unseal, look at the feed, answer. No storage in the steady state.

use serde::Serialize;

use super::access_token::{self, LiveToken};
use super::client_authentication;
use super::params::Params;
use super::token::client_refusal;
use super::{bearer, client_authentication::AuthenticatedClient};
use crate::error::Reason;
use crate::http::{Request, Response};
use crate::model::ClientId;
use crate::ports::ledger::ReadGrant;
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::{RefreshToken, Unsealed};

const PARAMETERS: [&str; 5] = [
    "token",
    "token_type_hint",
    "client_id",
    "client_secret",
    "client_assertion",
];

/// Exactly this for every token that is not active or not the caller's (§2.2).
pub const INACTIVE: &str = r#"{"active":false}"#;

/// Who asks.
pub enum Caller {
    /// A client that authenticated as one.
    Client(AuthenticatedClient),
    /// Somebody with a token: may ask about tokens of the same client and the same subject.
    Bearer(Box<LiveToken>),
}

impl Caller {
    /// Authenticates the caller (§2.1): a confidential client, or a bearer token.
    ///
    /// # Errors
    /// Why not; a public client's bare id is no authentication.
    pub async fn authenticate<P: Ports>(
        server: &Server<P>,
        request: &Request,
        params: &Params,
        at: &At,
    ) -> Result<Self, Reason> {
        if !matches!(bearer::presented(request), Err(Reason::NoToken)) {
            let live = bearer::authenticate(server, request, at).await?;
            return Ok(Self::Bearer(Box::new(live)));
        }
        let client = client_authentication::authenticate(server, request, params, at).await?;
        if client.client().is_public() {
            return Err(Reason::NoClientAuthentication);
        }
        Ok(Self::Client(client))
    }

    /// Whether the caller may learn about such a token (§4).
    #[must_use]
    pub fn may_ask(&self, issued_to: &ClientId, audience: Option<&str>, subject: &str) -> bool {
        match self {
            Self::Client(caller) => {
                let client = caller.client();
                client.id == *issued_to
                    || audience.is_some_and(|audience| client.may_introspect(issued_to, audience))
            }
            Self::Bearer(live) => live.token().client == *issued_to && live.token().sub == subject,
        }
    }
}

#[derive(Serialize)]
struct Introspection<'a> {
    active: bool,
    scope: &'a crate::model::Scope,
    client_id: &'a ClientId,
    username: &'a crate::model::Username,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'a str>,
    exp: u64,
    iat: u64,
    nbf: u64,
    sub: &'a str,
    aud: &'a str,
    iss: &'a str,
    jti: &'a str,
}

/// `POST /oauth/introspect`.
pub async fn answer<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Response {
    match read(server, request, at).await {
        Ok(body) => Response::json(200, body).for_any_origin(),
        Err(reason) => refusal(request, reason).for_any_origin(),
    }
}

/// A refusal to a caller: in the words of the way it tried.
#[must_use]
pub fn refusal(request: &Request, reason: Reason) -> Response {
    match reason {
        Reason::TokenUnknown
        | Reason::TokenExpired
        | Reason::TokenRevoked
        | Reason::InsufficientScope(_) => bearer::refusal(reason),
        other => client_refusal(request, other),
    }
}

async fn read<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Result<String, Reason> {
    let params = Params::parse(request.form()?, &PARAMETERS);
    params.refuse_repeated()?;
    let caller = Caller::authenticate(server, request, &params, at).await?;
    introspect(server, &caller, params.required("token")?, at).await
}

/// What the caller may learn about the token, as JSON.
///
/// # Errors
/// [`Reason::Unavailable`]; that is not the same as inactive.
pub async fn introspect<P: Ports>(
    server: &Server<P>,
    caller: &Caller,
    text: &str,
    at: &At,
) -> Result<String, Reason> {
    if let Some(body) = access(server, caller, text, at).await? {
        return Ok(body);
    }
    if let Some(body) = refresh(server, caller, text, at).await? {
        return Ok(body);
    }
    Ok(INACTIVE.to_owned())
}

async fn access<P: Ports>(
    server: &Server<P>,
    caller: &Caller,
    text: &str,
    at: &At,
) -> Result<Option<String>, Reason> {
    let live = match access_token::validate(server, text, at).await {
        Ok(live) => live,
        Err(Reason::TokenUnknown | Reason::TokenExpired | Reason::TokenRevoked) => return Ok(None),
        Err(other) => return Err(other),
    };
    let token = live.token();
    if !caller.may_ask(&token.client, Some(&token.audience), &token.sub) {
        return Ok(None);
    }
    print(&Introspection {
        active: true,
        scope: &token.scope,
        client_id: &token.client,
        username: &token.username,
        token_type: Some("Bearer"),
        exp: token.expires_at.0,
        iat: token.issued_at.0,
        nbf: token.issued_at.0,
        sub: &token.sub,
        aud: &token.audience,
        iss: &server.config.issuer,
        jti: live.id().as_str(),
    })
}

async fn refresh<P: Ports>(
    server: &Server<P>,
    caller: &Caller,
    text: &str,
    at: &At,
) -> Result<Option<String>, Reason> {
    let Some(found) = live_refresh_token(server, text, at).await? else {
        return Ok(None);
    };
    let LiveRefreshToken { token, facts } = found;
    // A refresh token is nobody's business but its client's.
    if !caller.may_ask(&token.client, None, facts.subject.subject.as_str()) {
        return Ok(None);
    }
    print(&Introspection {
        active: true,
        scope: &facts.granted,
        client_id: &token.client,
        username: &facts.subject.username,
        token_type: None,
        exp: facts.expires_at.0,
        iat: facts.refreshed_at.0,
        nbf: facts.refreshed_at.0,
        sub: facts.subject.subject.as_str(),
        aud: &server.config.issuer,
        iss: &server.config.issuer,
        jti: facts.grant.as_str(),
    })
}

/// A refresh token that could be used now.
pub struct LiveRefreshToken {
    /// What it names.
    pub token: RefreshToken,
    /// The grant it belongs to.
    pub facts: crate::ports::ledger::GrantFacts,
}

/// Says whether a text is the newest refresh token of a family that may be used.
///
/// # Errors
/// [`Reason::Unavailable`].
pub async fn live_refresh_token<P: Ports>(
    server: &Server<P>,
    text: &str,
    at: &At,
) -> Result<Option<LiveRefreshToken>, Reason> {
    let Ok(unsealed): Result<Unsealed<RefreshToken>, _> = server.keyring.unseal(text) else {
        return Ok(None);
    };
    let revocations = server.ports.revocations(at).await?;
    if revocations.ends_epoch(unsealed.epoch()) {
        return Ok(None);
    }
    let token = unsealed.into_value();
    let client = server.ports.client(&token.client, at).await?;
    let current =
        client.is_some_and(|client| client.enabled && client.generation == token.client_generation);
    let read = ReadGrant {
        grant: token.grant.clone(),
        idle: crate::token::refresh::IDLE,
    };
    let facts = server.ports.ledger(token.shard, at, read).await?;
    Ok(facts
        .filter(|facts| current && facts.refresh_generation == Some(token.generation))
        .map(|facts| LiveRefreshToken { token, facts }))
}

fn print(introspection: &Introspection<'_>) -> Result<Option<String>, Reason> {
    serde_json::to_string(introspection)
        .map(Some)
        .map_err(|_| Reason::Internal("an answer does not serialise"))
}
