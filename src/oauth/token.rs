//! The token endpoint, RFC 6749 §3.2: parse, authenticate, ask the grant, mint.

use super::client_authentication;
use super::grant::{
    self, authorization_code, client_credentials, device_code, password, refresh_token,
};
use super::params::Params;
use crate::error::Reason;
use crate::http::{Request, Response};
use crate::model::{AccessTokenFormat, GrantType};
use crate::ports::{At, Ports};
use crate::server::Server;

/// The parameters of every grant and of every way to authenticate.
pub const PARAMETERS: [&str; 14] = [
    "grant_type",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "code",
    "redirect_uri",
    "code_verifier",
    "resource",
    "refresh_token",
    "device_code",
    "scope",
    "username",
    "password",
];

/// `POST /oauth/token`.
pub async fn answer<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Response {
    match issue(server, request, at).await {
        Ok(Issued { body, event, actor }) => Response {
            event,
            actor,
            ..Response::json(200, body)
                .with("pragma", "no-cache")
                .for_any_origin()
        },
        Err(reason) => client_refusal(request, reason).for_any_origin(),
    }
}

struct Issued {
    body: String,
    event: Option<&'static str>,
    actor: Option<String>,
}

async fn issue<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Result<Issued, Reason> {
    let params = Params::parse(request.form()?, &PARAMETERS);
    params.refuse_repeated()?;
    // Read before the client is: a token must not carry the generation of a scope that was deleted
    // after the client, who still had it, was read.
    let revocations = server.ports.revocations(at).await;
    let proven = client_authentication::prove(server, request, &params, at).await?;
    let client = &proven.client();
    let named = params.required("grant_type")?;
    let grant = GrantType::parse(named).ok_or(Reason::UnknownGrantType)?;
    // To whom it is not open, it is not there: the metadata does not say it either.
    let hidden = grant == GrantType::Password && !client.check_grant_type(grant);
    if grant == GrantType::Implicit || hidden {
        return Err(Reason::UnknownGrantType);
    }
    if !client.check_grant_type(grant) {
        return Err(Reason::GrantNotAllowed);
    }
    // Before anything is spent: without the feed, randomness and keys nothing can be minted.
    let revocations = revocations?;
    let id = server.fresh_id()?;
    if client.scope.contains("openid") || client.access_token_format == AccessTokenFormat::Jwt {
        server.ports.keys(at).await?;
    }
    let mut event = None;
    let actor = proven.actor();
    let response = match grant {
        GrantType::AuthorizationCode => {
            proven.settle(server, at).await?;
            let approved =
                authorization_code::redeem(server, client, &params, &revocations, at).await?;
            grant::respond(server, client, approved, id, &revocations, at).await?
        }
        GrantType::RefreshToken => {
            proven.settle(server, at).await?;
            let approved =
                refresh_token::refresh(server, client, &params, &revocations, at).await?;
            event = approved.event();
            grant::respond(server, client, approved, id, &revocations, at).await?
        }
        GrantType::DeviceCode => {
            proven.settle(server, at).await?;
            let approved = device_code::redeem(server, client, &params, &revocations, at).await?;
            grant::respond(server, client, approved, id, &revocations, at).await?
        }
        GrantType::Password => {
            proven.settle(server, at).await?;
            let approved = password::redeem(server, client, request, &params, at).await?;
            grant::respond(server, client, approved, id, &revocations, at).await?
        }
        GrantType::Implicit => return Err(Reason::UnknownGrantType),
        GrantType::ClientCredentials => {
            // Minting spends nothing, and what is minted is not handed out before this.
            let minted =
                client_credentials::issue(server, client, &params, id, &revocations, at).await?;
            proven.settle(server, at).await?;
            minted
        }
    };
    let body = serde_json::to_string(&response)
        .map_err(|_| Reason::Internal("an answer does not serialise"))?;
    Ok(Issued { body, event, actor })
}

/// A refusal to a client. One that tried `Authorization` is told how to (RFC 6749 §5.2).
#[must_use]
pub fn client_refusal(request: &Request, reason: Reason) -> Response {
    let challenged = reason.status() == 401 && request.authorization.is_some();
    let response = Response::refusal(reason).with("pragma", "no-cache");
    if challenged {
        response.with(
            "www-authenticate",
            "Basic realm=\"edgemint\", charset=\"UTF-8\"",
        )
    } else {
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_of_every_grant_is_read() {
        let grants = authorization_code::PARAMETERS
            .iter()
            .chain(&refresh_token::PARAMETERS)
            .chain(&client_credentials::PARAMETERS)
            .chain(&device_code::PARAMETERS)
            .chain(&password::PARAMETERS)
            .chain(&client_authentication::PARAMETERS);
        for name in grants {
            assert!(PARAMETERS.contains(name), "{name}");
        }
    }
}
