//! Who acts: the bootstrap token, or a person's token with `admin:token` for this API.

use crate::error::Reason;
use crate::http::Request;
use crate::model::scope::ADMIN;
use crate::oauth::{access_token, bearer};
use crate::ports::{At, Ports};
use crate::server::Server;

/// Somebody who may administer. Only [`administrator`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Administrator {
    /// The username, or `<bootstrap>`.
    pub name: String,
}

/// Proves that the request comes from an administrator.
///
/// # Errors
/// [`Reason::NoToken`] without a token, or why the token does not do.
pub async fn administrator<P: Ports>(
    server: &Server<P>,
    request: &Request,
    at: &At,
) -> Result<Administrator, Reason> {
    let token = bearer::presented(request.authorization.as_deref())?;
    if server
        .config
        .bootstrap
        .as_ref()
        .is_some_and(|bootstrap| bootstrap.matches(&token))
    {
        return Ok(Administrator {
            name: "<bootstrap>".to_owned(),
        });
    }
    let live = access_token::validate(server, token.expose(), at).await?;
    let token = live.token();
    if token.audience != server.config.api_audience() {
        return Err(Reason::TokenForOtherAudience);
    }
    if !token.scope.contains(ADMIN) {
        return Err(Reason::InsufficientScope(ADMIN.to_owned()));
    }
    Ok(Administrator {
        name: token.username.to_string(),
    })
}
