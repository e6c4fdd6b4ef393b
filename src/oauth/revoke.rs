//! Revocation, RFC 7009. An access token ends alone; a refresh token ends its grant and all that
//! came from it. Answered only when the feed has it.

use super::introspect::PARAMETERS;
use super::params::Params;
use super::token::client_refusal;
use super::{access_token, client_authentication};
use crate::error::Reason;
use crate::http::{Request, Response};
use crate::model::{Client, Seconds};
use crate::ports::ledger::{RateLimit, RevokeGrant, RevokeToken, Revoked, TokenRevoked};
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::{RefreshToken, Unsealed};

/// Per client and shard. Whoever signs people out stays far below; whoever mints and revokes in a
/// loop would fill the memory of every isolate with lines of some 100 bytes.
const SINGLE_TOKENS: RateLimit = RateLimit {
    most: 1000,
    window: Seconds(600),
};

/// `POST /oauth/revoke`.
pub async fn answer<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Response {
    match revoke(server, request, at).await {
        Ok(()) => Response::empty(200).for_any_origin(),
        Err(reason) => client_refusal(request, reason).for_any_origin(),
    }
}

async fn revoke<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Result<(), Reason> {
    let params = Params::parse(request.form()?, &PARAMETERS);
    params.refuse_repeated()?;
    let client = client_authentication::authenticate(server, request, &params, at).await?;
    end(server, client.client(), params.required("token")?, at).await
}

/// Ends a token of this client, whichever it is.
///
/// # Errors
/// [`Reason::TokenForOtherClient`] or [`Reason::Unavailable`].
pub async fn end<P: Ports>(
    server: &Server<P>,
    client: &Client,
    text: &str,
    at: &At,
) -> Result<(), Reason> {
    if refresh_token(server, client, text, at).await? {
        return Ok(());
    }
    let opened = match access_token::open(server, text, at).await {
        Ok(opened) => opened,
        // §2.2: a token that is none is as good as revoked.
        Err(Reason::TokenUnknown) => return Ok(()),
        Err(other) => return Err(other),
    };
    if opened.token.client != client.id {
        return Err(Reason::TokenForOtherClient);
    }
    if opened.token.expires_at <= at.now.unix() {
        return Ok(());
    }
    // A token that the feed names already needs no second line there.
    let revocations = server.ports.revocations(at).await?;
    if revocations.ends_token(&opened.id, opened.epoch, &opened.token) {
        return Ok(());
    }
    let end = RevokeToken {
        token: opened.id.clone(),
        expires_at: opened.token.expires_at,
        client: client.id.clone(),
        limit: SINGLE_TOKENS,
    };
    match server.ports.ledger(opened.token.shard, at, end).await? {
        TokenRevoked::Done => Ok(()),
        TokenRevoked::TooMany(until) => {
            Err(Reason::TooManyRevocations(at.now.unix().until(until).0))
        }
    }
}

async fn refresh_token<P: Ports>(
    server: &Server<P>,
    client: &Client,
    text: &str,
    at: &At,
) -> Result<bool, Reason> {
    let Ok(unsealed): Result<Unsealed<RefreshToken>, _> = server.keyring.unseal(text) else {
        return Ok(false);
    };
    let token = unsealed.into_value();
    if token.client != client.id {
        return Err(Reason::TokenForOtherClient);
    }
    let end = RevokeGrant {
        grant: token.grant,
        client: client.id.clone(),
        noted: None,
    };
    match server.ports.ledger(token.shard, at, end).await? {
        Revoked::Done | Revoked::Unknown => Ok(true),
    }
}
