//! Who acts: the one function that every verb of the API asks first.

use std::rc::Rc;

use crate::config::API_PATH;
use crate::error::Reason;
use crate::http::Request;
use crate::model::scope::{ADMIN, OWN};
use crate::model::{Scope, Secret, SessionId, Shard, Subject, secret};
use crate::oauth::{access_token, bearer, session};
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
    let holder = match request.authorization.as_deref() {
        Some(header) => {
            let presented = bearer::presented(Some(header))?;
            let bootstrap = server.config.bootstrap.as_ref();
            if bootstrap.is_some_and(|bootstrap| bootstrap.matches(&presented)) {
                return Ok(Actor::Bootstrap);
            }
            by_token(server, &presented, at).await?
        }
        // What is elsewhere and asks for administrators, pages of any origin may call.
        None if !request.path.starts_with(API_PATH) => return Err(Reason::NoToken),
        None => {
            let session = session::current(server, request, at).await?;
            by_cookie(server, request, session)?
        }
    };
    if holder.scopes.contains(ADMIN) {
        Ok(Actor::Administrator(holder))
    } else if holder.scopes.contains(scope) {
        Ok(Actor::Person(holder))
    } else {
        Err(Reason::InsufficientScope(scope.to_owned()))
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
    let live = access_token::validate(server, presented.expose(), at).await?;
    let token = live.token();
    if token.audience != server.config.api_audience() {
        return Err(Reason::TokenForOtherAudience);
    }
    let of_person = token.sub.starts_with(Subject::PREFIX);
    let subject = Subject::parse(&token.sub).ok().filter(|_| of_person);
    Ok(Holder {
        username: token.username.to_string(),
        scopes: token.scope.clone(),
        person: subject.map(|subject| (subject, token.shard)),
        session: token.session.clone(),
        csrf: None,
    })
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
    let subject = &session.subject;
    Ok(Holder {
        username: subject.username.to_string(),
        scopes: subject.scope.with(OWN),
        person: Some((subject.subject.clone(), subject.shard)),
        session: Some(session.id.clone()),
        csrf: Some(csrf),
    })
}
