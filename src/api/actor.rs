//! Who acts: the one function that every verb of the API asks first.

use std::rc::Rc;

use crate::config::API_PATH;
use crate::error::Reason;
use crate::gate::{Principal, principal};
use crate::http::Request;
use crate::model::scope::ADMIN;
use crate::model::{Scope, Secret, SessionId, Shard, Subject, secret};
use crate::oauth::{bearer, session};
use crate::ports::ledger::Session;
use crate::ports::{At, Ports};
use crate::server::Server;

/// Somebody whose right to act was proven. Only [`prove`] makes one.
#[derive(Debug)]
pub enum Actor {
    /// Whoever has the bootstrap token: administers, and has nothing of its own.
    Bootstrap,
    /// Holds `admin:token`: acts on what is anybody's.
    Administrator(Holder),
    /// Holds the scope that was asked for: acts on its own.
    Person(Holder),
}

/// Whose token or session it is.
#[derive(Debug)]
pub struct Holder {
    /// The username; of a client that acts for itself, `bot-` and its id.
    pub username: String,
    /// What it holds: the most that it may pass on.
    pub scopes: Scope,
    /// The person; `None` when a client acts for itself.
    pub person: Option<(Subject, Shard)>,
    /// The session of the cookie, or the one that the token dies with.
    pub session: Option<SessionId>,
    /// The value that `X-CSRF-Token` has to have; `None` when a token was sent, not a cookie.
    pub csrf: Option<String>,
    /// All that is known of it.
    pub principal: Principal,
}

/// Somebody who may administer. Only [`administrator`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Administrator {
    /// The username, or `<bootstrap>`.
    pub name: String,
}

/// Proves who acts: by the bootstrap token; by a token for this API that has `scope` or
/// `admin:token`; or, without an `Authorization` header, by the browser's session, whose person
/// holds either. A session always holds `user:token`. With a cookie, whatever changes something
/// needs `X-CSRF-Token`, and a request from another origin proves nothing.
///
/// # Errors
/// [`Reason::NoToken`] without any of them, [`Reason::InvalidCsrf`], or why the token does not do.
pub async fn prove<P: Ports>(
    server: &Server<P>,
    request: &Request,
    scope: &str,
    at: &At,
) -> Result<Actor, Reason> {
    let Some(holder) = holder(server, request, at).await? else {
        return Ok(Actor::Bootstrap);
    };
    if holder.scopes.contains(ADMIN) {
        Ok(Actor::Administrator(holder))
    } else if holder.scopes.contains(scope) {
        Ok(Actor::Person(holder))
    } else {
        Err(Reason::InsufficientScope(scope.to_owned()))
    }
}

/// Whoever asks, whatever they hold; `None` with the bootstrap token.
///
/// # Errors
/// As [`prove`].
pub async fn holder<P: Ports>(
    server: &Server<P>,
    request: &Request,
    at: &At,
) -> Result<Option<Holder>, Reason> {
    match request.authorization.as_deref() {
        Some(header) => {
            let presented = bearer::presented(Some(header))?;
            let bootstrap = server.config.bootstrap.as_ref();
            if bootstrap.is_some_and(|bootstrap| bootstrap.matches(&presented)) {
                return Ok(None);
            }
            by_token(server, &presented, at).await.map(Some)
        }
        // What is elsewhere and asks for administrators, pages of any origin may call.
        None if !request.path.starts_with(API_PATH) => Err(Reason::NoToken),
        None => {
            let session = session::current(server, request, at).await?;
            by_cookie(server, request, session).map(Some)
        }
    }
}

/// Proves that the request comes from an administrator.
///
/// # Errors
/// As [`prove`].
pub async fn administrator<P: Ports>(
    server: &Server<P>,
    request: &Request,
    at: &At,
) -> Result<Administrator, Reason> {
    let name = match prove(server, request, ADMIN, at).await? {
        Actor::Bootstrap => "<bootstrap>".to_owned(),
        Actor::Administrator(holder) => holder.username,
        Actor::Person(_) => return Err(Reason::InsufficientScope(ADMIN.to_owned())),
    };
    Ok(Administrator { name })
}

/// Proves the same, and by a token alone: what is for no page does not look at its cookie.
///
/// # Errors
/// As [`prove`].
pub async fn token_administrator<P: Ports>(
    server: &Server<P>,
    request: &Request,
    at: &At,
) -> Result<Administrator, Reason> {
    if request.authorization.is_none() {
        return Err(Reason::NoToken);
    }
    administrator(server, request, at).await
}

async fn by_token<P: Ports>(
    server: &Server<P>,
    presented: &Secret,
    at: &At,
) -> Result<Holder, Reason> {
    let principal = principal::by_token(server, presented.expose(), at).await?;
    let audience = principal.audience.as_ref();
    if audience.is_some_and(|audience| *audience != server.config.api_audience()) {
        return Err(Reason::TokenForOtherAudience);
    }
    Ok(Holder::of(principal, None))
}

impl Holder {
    fn of(principal: Principal, csrf: Option<String>) -> Self {
        let person = principal.person.clone();
        Self {
            username: principal.username.to_string(),
            scopes: principal.scopes.clone(),
            person: person.map(|person| (person, principal.shard)),
            session: principal.session.clone(),
            csrf,
            principal,
        }
    }
}

/// Browsers send the cookie along with what other sites ask for; those can neither read the value
/// nor set the header.
fn by_cookie<P>(
    server: &Server<P>,
    request: &Request,
    session: Option<Rc<Session>>,
) -> Result<Holder, Reason> {
    let session = session.ok_or(Reason::NoToken)?;
    let from_here = |site: &str| matches!(site, "same-origin" | "none");
    let foreign_site = !request.fetch_site.as_deref().is_none_or(from_here);
    let origin = request.origin.as_ref();
    let foreign = foreign_site || origin.is_some_and(|origin| *origin != server.config.origin);
    let message = format!("{} {}", session.id, session.generation);
    let csrf = server.keyring.authenticate("session csrf", &message)?;
    let sent = request.csrf_token.as_deref().unwrap_or_default();
    let matches = request.method == "GET" || secret::equal(csrf.as_bytes(), sent.as_bytes());
    if foreign || !matches {
        return Err(Reason::InvalidCsrf);
    }
    Ok(Holder::of(principal::of_session(&session), Some(csrf)))
}
