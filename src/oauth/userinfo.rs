//! UserInfo, OpenID Connect Core §5.3.

use serde_json::{Value, json};

use super::params::Params;
use super::{bearer, claims};
use crate::error::Reason;
use crate::http::{Request, Response};
use crate::model::Subject;
use crate::ports::ledger::ReadSubject;
use crate::ports::{At, Ports};
use crate::server::Server;

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
    let subject = Subject::parse(&token.sub).map_err(|_| Reason::TokenUnknown)?;
    let facts = server
        .ports
        .ledger(token.shard, at, ReadSubject { subject })
        .await?;
    let facts = facts
        .filter(|facts| facts.active)
        .ok_or(Reason::TokenRevoked)?;
    let client = server.ports.client(&token.client, at).await?;
    let client = client.ok_or(Reason::TokenRevoked)?;
    let mut members = claims::about(&client, &facts, &token.scope);
    let sub = claims::sub(&client, &facts, &server.config.issuer);
    members.insert("sub".to_owned(), json!(sub));
    Ok(Response::json(200, Value::Object(members).to_string()))
}
