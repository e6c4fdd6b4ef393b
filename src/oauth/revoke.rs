//! Revocation, RFC 7009. An access token ends alone, but for what was delegated from it; so does what
//! was delegated to the client's service; a refresh token ends its grant and all that came from it. Answered only when the feed has it.

use std::rc::Rc;

use super::caller::serves;
use super::introspect::PARAMETERS;
use super::params::Params;
use super::token::client_refusal;
use super::{access_token, client_authentication, mac};
use crate::directory::record::Actor;
use crate::error::Reason;
use crate::gate::principal;
use crate::http::{Request, Response};
use crate::model::{Client, Seconds};
use crate::ports::ledger::{
    RateLimit, RecordFailure, RevokeGrant, RevokeToken, Revoked, TokenRevoked, revocations_of,
};
use crate::ports::tokens::EndToken;
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::{Kind, Opened, RefreshToken, Unsealed};

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
    let address = request.address.clone();
    end(
        server,
        client.client(),
        params.required("token")?,
        address,
        at,
    )
    .await
}

/// Ends a token of this client, whichever it is. The history of what is a row tells the address.
///
/// # Errors
/// [`Reason::TokenForOtherClient`], [`Reason::UnrevocableToken`], [`Reason::TooManyRevocations`] or
/// [`Reason::Unavailable`].
pub async fn end<P: Ports>(
    server: &Server<P>,
    client: &Client,
    text: &str,
    address: Option<String>,
    at: &At,
) -> Result<(), Reason> {
    if text.starts_with(Kind::Token.prefix()) {
        return handle(server, client, text, address, at).await;
    }
    if refresh_token(server, client, text, at).await? {
        return Ok(());
    }
    let opened = match opened(server, text, at).await {
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

/// What is ended by itself: an access token, whatever its type.
async fn opened<P: Ports>(server: &Server<P>, text: &str, at: &At) -> Result<Rc<Opened>, Reason> {
    if text.starts_with(Kind::Mac.prefix()) {
        return mac::open(server, text).map(|(opened, _)| opened);
    }
    access_token::open(server, text, at).await
}

/// A handle was issued to the service that it was delegated to, and to no other client (§2.1). What no
/// client was given, whoever made it ends at the management API.
async fn handle<P: Ports>(
    server: &Server<P>,
    client: &Client,
    text: &str,
    address: Option<String>,
    at: &At,
) -> Result<(), Reason> {
    let Ok(handle) = server.keyring.open_handle(text) else {
        return Ok(());
    };
    match &handle.value().service {
        None => return Err(Reason::UnrevocableToken),
        service if !serves(client, service.as_ref()) => {
            return Err(Reason::TokenForOtherClient);
        }
        Some(_) => {}
    }
    if access_token::living(principal::of_handle(server, &handle, at).await)?.is_none() {
        return Ok(());
    }
    let (shard, key) = (handle.value().shard, handle.value().key.clone());
    let Some(facts) = server.ports.token(handle.value(), at).await? else {
        return Ok(());
    };
    let counted = RecordFailure {
        key: revocations_of(&client.id),
        limit: SINGLE_TOKENS,
    };
    if let Some(until) = server.ports.ledger(shard, at, counted).await? {
        return Err(Reason::TooManyRevocations(at.now.unix().until(until).0));
    }
    let end = EndToken {
        key,
        owner: facts.row.owner(),
        by: Actor {
            name: client.id.acts_as(),
            address,
        },
    };
    // Whether it was there or not: it is over.
    server.ports.ledger(shard, at, end).await?;
    Ok(())
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
