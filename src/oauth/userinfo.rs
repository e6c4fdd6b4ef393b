//! UserInfo, OpenID Connect Core §5.3.

use serde_json::{Value, json};

use super::params::Params;
use super::{bearer, claims};
use crate::error::Reason;
use crate::http::{Request, Response};
use crate::ports::ledger::ReadGrant;
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::refresh;

/// `GET` and `POST /oauth/userinfo`: what the token's scopes tell about its subject.
pub async fn answer<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Response {
    match read(server, request, at).await {
        Ok(response) => response.for_any_origin(),
        Err(reason) => bearer::refusal(reason).for_any_origin(),
    }
}

async fn read<P: Ports>(
    server: &Server<P>,
    request: &Request,
    at: &At,
) -> Result<Response, Reason> {
    if request.oversized {
        return Err(Reason::TooLarge);
    }
    let body = Params::parse(&request.body, &["access_token"]);
    if request.is_post() && body.optional("access_token")?.is_some() {
        return Err(Reason::SeveralCredentials);
    }
    let live = bearer::authenticate(server, request.authorization.as_deref(), at).await?;
    let token = live.token();
    if !token.scope.contains("openid") {
        return Err(Reason::InsufficientScope("openid".to_owned()));
    }
    // Whoever has a resource's key can make tokens for that resource, and says in them what they like: what
    // a person agreed to is asked of the ledger, and is the most that is told.
    let read = ReadGrant {
        grant: token.grant.clone().ok_or(Reason::TokenUnknown)?,
        idle: refresh::ABSOLUTE,
    };
    let grant = server.ports.ledger(token.shard, at, read).await?;
    let grant = grant
        .filter(|grant| grant.client == token.client)
        .filter(|grant| grant.subject.subject.as_str() == token.sub)
        .ok_or(Reason::TokenRevoked)?;
    let scope = token.scope.intersection(&grant.granted);
    if !scope.contains("openid") {
        return Err(Reason::InsufficientScope("openid".to_owned()));
    }
    let facts = grant.subject;
    let client = server.ports.client(&token.client, at).await?;
    let client = client.ok_or(Reason::TokenRevoked)?;
    let mut members = claims::about(&client, &facts, &scope);
    let sub = claims::sub(&client, &facts, &server.config.issuer);
    members.insert("sub".to_owned(), json!(sub));
    Ok(Response::json(200, Value::Object(members).to_string()))
}
