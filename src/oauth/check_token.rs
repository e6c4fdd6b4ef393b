//! Seed 000's introspection: active, and does it hold these scopes?

use serde::Serialize;

use super::caller::{Caller, Found};
use super::introspect::{INACTIVE, print, refusal};
use super::params::Params;
use crate::error::Reason;
use crate::http::{Request, Response};
use crate::model::{Scope, UnixTime, Username};
use crate::ports::{At, Ports};
use crate::server::Server;

const PARAMETERS: [&str; 6] = [
    "token",
    "scope",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
];

#[derive(Serialize)]
struct TokenIntrospection<'a> {
    active: bool,
    scope: &'a Scope,
    username: &'a Username,
    token_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<UnixTime>,
    iat: UnixTime,
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
    // Nothing is asked to be granted: it is no `invalid_scope`.
    let malformed = Reason::MalformedParameter("the required scope");
    let required = Scope::parse(required).map_err(|_| malformed)?;
    let Some(found) = caller.find(server, text, at).await? else {
        return Ok(INACTIVE.to_owned());
    };
    let held = match &found {
        Found::Access(live) => TokenIntrospection {
            active: true,
            scope: &live.token().scope,
            username: &live.token().username,
            token_type: "access_token",
            exp: Some(live.token().expires_at),
            iat: live.token().issued_at,
        },
        Found::Handle(token) => TokenIntrospection {
            active: true,
            scope: &token.scopes,
            username: &token.username,
            token_type: "access_token",
            exp: token.expires,
            iat: token.created,
        },
        // Whoever asks here goes by `active` alone, and what was shown to them is no bearer token.
        Found::Mac(_) => return Ok(INACTIVE.to_owned()),
        Found::Refresh(grant, _) => TokenIntrospection {
            active: true,
            scope: &grant.granted,
            username: &grant.subject.username,
            token_type: "refresh_token",
            exp: Some(grant.expires_at),
            iat: grant.refreshed_at,
        },
    };
    if !held.scope.satisfies(&required, false) {
        return Ok(INACTIVE.to_owned());
    }
    let scope = if required.is_empty() {
        held.scope
    } else {
        &required
    };
    print(&TokenIntrospection { scope, ..held })
}
