//! `client_credentials`, RFC 6749 §4.4: the client acts for itself. No storage is touched.

use std::collections::BTreeMap;

use super::TokenResponse;
use crate::error::Reason;
use crate::model::{Client, Shard, Username};
use crate::oauth::params::Params;
use crate::oauth::{access_token, grantable};
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::{AccessToken, Generations, Revocations, seal};

/// The parameters this reads.
pub const PARAMETERS: [&str; 2] = ["scope", "resource"];

/// Mints a token for the client itself; never a refresh token (§4.4.3).
///
/// # Errors
/// [`Reason::GrantNotAllowed`] for a public client, and why scope or resource are refused.
pub async fn issue<P: Ports>(
    server: &Server<P>,
    client: &Client,
    params: &Params,
    id: [u8; seal::ID],
    revocations: &Revocations,
    at: &At,
) -> Result<TokenResponse, Reason> {
    if client.is_public() {
        return Err(Reason::GrantNotAllowed);
    }
    let requested = match params.scope()? {
        Some(asked) if grantable::for_client(client, &asked) != asked => {
            return Err(Reason::ScopeExceeded);
        }
        Some(asked) => asked,
        None => grantable::for_client(client, &client.scope),
    };
    let now = at.now.unix();
    let username = Username::parse(&client.id.acts_as())
        .map_err(|_| Reason::Internal("a client id makes no username"))?;
    let token = AccessToken {
        sub: client.id.to_string(),
        told_as: None,
        application: client.application.clone(),
        client: client.id.clone(),
        scope: requested.clone(),
        audience: grantable::audience(client, params.optional("resource")?)?,
        issued_at: now,
        expires_at: now + client.access_token_lifetime,
        grant: None,
        session: None,
        shard: Shard::of_service(&username),
        username,
        generations: Generations {
            subject: 0,
            client: client.generation,
            roles: BTreeMap::new(),
            scopes: revocations.scope_generations(requested.iter()),
        },
        // They speak of people.
        mapped: false,
    };
    let minted = access_token::mint(server, client, token, id, revocations, at).await?;
    Ok(TokenResponse::of(client, &minted, requested))
}
