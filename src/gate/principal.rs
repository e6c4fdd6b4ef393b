//! Who a credential stands for, whatever kind of credential it is.

use std::ops::Deref;
use std::rc::Rc;

use crate::error::Reason;
use crate::http::Request;
use crate::model::{TokenKey, TokenType};
use crate::oauth::access_token::{self, LiveToken};
use crate::oauth::session;
use crate::ports::ledger::Session;
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::{Identity, Kind, TokenHandle, Unsealed};

/// Whoever stands behind a credential that is ours, lives, and was not revoked within the published
/// bound. Only this module makes one, of a token, a handle or a session that was found to live. Whether it is
/// for whom it was shown to, the caller checks: see [`Identity::audience`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal(Rc<Identity>);

impl Deref for Principal {
    type Target = Identity;

    fn deref(&self) -> &Identity {
        &self.0
    }
}

/// Who the text of a token stands for.
///
/// # Errors
/// [`Reason::TokenUnknown`], [`Reason::TokenExpired`] or [`Reason::TokenRevoked`];
/// [`Reason::Unavailable`] when that could not be found out, which is no verdict.
pub async fn by_token<P: Ports>(
    server: &Server<P>,
    text: &str,
    at: &At,
) -> Result<Principal, Reason> {
    if text.starts_with(Kind::Token.prefix()) {
        return by_handle(server, text, at).await;
    }
    let live = access_token::validate(server, text, at).await?;
    Ok(of_access_token(&live))
}

async fn by_handle<P: Ports>(server: &Server<P>, text: &str, at: &At) -> Result<Principal, Reason> {
    let handle = server.keyring.open_handle(text);
    let handle = handle.map_err(|_| Reason::TokenUnknown)?;
    of_handle(server, &handle, at).await
}

/// Who a handle stands for.
///
/// # Errors
/// As [`by_token`].
pub async fn of_handle<P: Ports>(
    server: &Server<P>,
    handle: &Unsealed<TokenHandle>,
    at: &At,
) -> Result<Principal, Reason> {
    let feed = server.ports.revocations(at).await?;
    if feed.ends_epoch(handle.epoch()) {
        return Err(Reason::TokenRevoked);
    }
    let facts = server.ports.token(handle.value(), at).await?;
    let facts = facts.ok_or(Reason::TokenRevoked)?;
    let row = &facts.row;
    if row.expires.is_some_and(|expires| expires <= at.now.unix()) {
        return Err(Reason::TokenExpired);
    }
    if feed.ends_row(row) {
        return Err(Reason::TokenRevoked);
    }
    Ok(Principal(Rc::clone(facts.identity())))
}

/// Who the session of the request's cookie stands for, if there is one.
///
/// # Errors
/// [`Reason::Unavailable`].
pub async fn by_session<P: Ports>(
    server: &Server<P>,
    request: &Request,
    at: &At,
) -> Result<Option<Principal>, Reason> {
    let session = session::current(server, request, at).await?;
    Ok(session.map(|session| of_session(&session)))
}

/// Who it is whose key a request was signed with.
pub(super) fn of_access_token(live: &LiveToken) -> Principal {
    Principal(Rc::clone(live.identity()))
}

/// A session always holds `user:token`.
pub(crate) fn of_session(session: &Session) -> Principal {
    let subject = &session.subject;
    Principal(Rc::new(Identity {
        key: TokenKey::of(session.id.as_str()),
        token_type: TokenType::Session,
        username: subject.username.clone(),
        person: Some(subject.subject.clone()),
        shard: subject.shard,
        scopes: subject.own_scope(),
        created: session.authentication.time,
        expires: Some(session.expires_at),
        service: None,
        token_name: None,
        parent: None,
        audience: None,
        client: None,
        grant: None,
        session: Some(session.id.clone()),
        token: None,
        generations: (subject.generation, 0),
        email: subject.profile.email.clone(),
        groups: Some(subject.groups.clone()),
    }))
}
