//! Seed 000's introspection: active, and does it hold these scopes?

use serde::Serialize;

use super::access_token;
use super::introspect::{Caller, INACTIVE, live_refresh_token, refusal};
use super::params::Params;
use crate::error::Reason;
use crate::http::{Request, Response};
use crate::model::{Scope, Username};
use crate::ports::{At, Ports};
use crate::server::Server;

const PARAMETERS: [&str; 5] = [
    "token",
    "scope",
    "client_id",
    "client_secret",
    "client_assertion",
];

#[derive(Serialize)]
struct TokenIntrospection<'a> {
    active: bool,
    scope: &'a Scope,
    username: &'a Username,
    token_type: &'static str,
    exp: u64,
    iat: u64,
}

/// `POST /oauth/check_token`. With `scope`, a token that lacks one of them is not active, and only
/// those are told.
pub async fn answer<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Response {
    match read(server, request, at).await {
        Ok(body) => Response::json(200, body).for_any_origin(),
        Err(reason) => refusal(request, reason).for_any_origin(),
    }
}

async fn read<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Result<String, Reason> {
    let params = Params::parse(request.form()?, &PARAMETERS);
    params.refuse_repeated()?;
    let caller = Caller::authenticate(server, request, &params, at).await?;
    let text = params.required("token")?;
    let required = params.optional("scope")?.unwrap_or_default();
    let required = Scope::parse(required).map_err(|_| Reason::MalformedParameter("scope"))?;

    match access_token::validate(server, text, at).await {
        Ok(live) => {
            let token = live.token();
            if caller.may_ask(&token.client, Some(&token.audience), &token.sub) {
                return print(
                    &required,
                    TokenIntrospection {
                        active: true,
                        scope: &token.scope,
                        username: &token.username,
                        token_type: "access_token",
                        exp: token.expires_at.0,
                        iat: token.issued_at.0,
                    },
                );
            }
        }
        Err(Reason::TokenUnknown | Reason::TokenExpired | Reason::TokenRevoked) => {}
        Err(other) => return Err(other),
    }
    if let Some(found) = live_refresh_token(server, text, at).await? {
        let subject = &found.facts.subject;
        if caller.may_ask(&found.token.client, None, subject.subject.as_str()) {
            return print(
                &required,
                TokenIntrospection {
                    active: true,
                    scope: &found.facts.granted,
                    username: &subject.username,
                    token_type: "refresh_token",
                    exp: found.facts.expires_at.0,
                    iat: found.facts.refreshed_at.0,
                },
            );
        }
    }
    Ok(INACTIVE.to_owned())
}

fn print(required: &Scope, found: TokenIntrospection<'_>) -> Result<String, Reason> {
    if !required.is_subset(found.scope) {
        return Ok(INACTIVE.to_owned());
    }
    let scope = if required.is_empty() {
        found.scope
    } else {
        required
    };
    serde_json::to_string(&TokenIntrospection { scope, ..found })
        .map_err(|_| Reason::Internal("an answer does not serialise"))
}
