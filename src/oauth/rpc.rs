//! What a Worker with a service binding asks: introspect, validate, revoke. Who it is, its binding
//! says (`ctx.props.client`); without one every verb refuses.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::client_authentication::{self, AuthenticatedClient};
use super::introspect::{self, Caller};
use super::{bearer, revoke};
use crate::error::Reason;
use crate::http::Request;
use crate::message;
use crate::model::{ClientId, Scope, UnixTime, Username};
use crate::ports::{At, Ports};
use crate::server::Server;

#[derive(Deserialize)]
struct Token {
    token: String,
}

#[derive(Deserialize)]
struct Validation {
    #[serde(default)]
    authorization: Option<String>,
    #[serde(default)]
    scopes: String,
    #[serde(default)]
    satisfy: Satisfy,
}

/// Whether all of the scopes are needed, or one of them.
#[derive(Deserialize, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Satisfy {
    #[default]
    All,
    Any,
}

/// Does a verb; answers JSON, for a refusal, too: `{"error", "status", "challenge"}`.
pub async fn answer<P: Ports>(
    server: &Server<P>,
    verb: &str,
    client: Option<ClientId>,
    arguments: &str,
    at: &At,
) -> String {
    let answer = async {
        let client = client.ok_or(Reason::NoClientAuthentication)?;
        let caller = client_authentication::bound(server, &client, at).await?;
        match verb {
            "introspect" => {
                let Token { token } = read(arguments)?;
                introspect::introspect(server, &Caller::Client(caller), &token, at).await
            }
            "revoke" => {
                let Token { token } = read(arguments)?;
                revoke::end(server, caller.client(), &token, at).await?;
                Ok(json!({ "revoked": true }).to_string())
            }
            "validate" => validate(server, &caller, read(arguments)?, at).await,
            _ => Err(Reason::Internal(
                "the shim names a verb that does not exist",
            )),
        }
    };
    let answer: Result<String, Reason> = answer.await;
    answer.unwrap_or_else(|reason| refusal(&reason))
}

/// A refusal as JSON. `unavailable` is its own word: it is no verdict about a token.
#[must_use]
pub fn refusal(reason: &Reason) -> String {
    let error = match reason {
        Reason::Unavailable(_) => "unavailable",
        other => other.code().as_str(),
    };
    let response = bearer::refusal(reason.clone());
    json!({
        "error": error,
        "status": response.status,
        "challenge": response.header("www-authenticate"),
    })
    .to_string()
}

/// Whether the request's token is live, for this resource, and has the scopes.
async fn validate<P: Ports>(
    server: &Server<P>,
    caller: &AuthenticatedClient,
    validation: Validation,
    at: &At,
) -> Result<String, Reason> {
    let request = Request {
        authorization: validation.authorization,
        ..Request::default()
    };
    let live = bearer::authenticate(server, &request, at).await?;
    let token = live.token();
    let resource = caller.client();
    // Where its own tokens go says nothing about who it is: `default_resource` does not count.
    let own = resource.id.as_str() == token.audience || resource.serves.contains(&token.audience);
    if !own {
        return Err(Reason::TokenForOtherAudience);
    }
    let needed = Scope::parse(&validation.scopes)
        .map_err(|_| Reason::Internal("the scopes to require are no scope"))?;
    let enough = match validation.satisfy {
        Satisfy::All => needed.is_subset(&token.scope),
        Satisfy::Any => needed.is_empty() || !needed.intersection(&token.scope).is_empty(),
    };
    if !enough {
        return Err(Reason::InsufficientScope(needed.to_string()));
    }
    introspect::print(&Principal {
        active: true,
        sub: &token.sub,
        username: &token.username,
        client_id: &token.client,
        scope: &token.scope,
        aud: &token.audience,
        exp: token.expires_at,
    })
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

fn read<T: DeserializeOwned>(arguments: &str) -> Result<T, Reason> {
    message::read(arguments.as_bytes()).map_err(|_| Reason::MalformedBody("the verb's arguments"))
}
