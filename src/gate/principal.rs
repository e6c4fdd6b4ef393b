//! Who a credential stands for, whatever kind of credential it is.

use std::collections::BTreeSet;

use crate::error::Reason;
use crate::http::Request;
use crate::model::{
    ClientId, GrantId, Scope, SessionId, Shard, Subject, TokenId, TokenKey, TokenType, UnixTime,
    Username,
};
use crate::oauth::access_token::{self, LiveToken};
use crate::oauth::session;
use crate::ports::ledger::Session;
use crate::ports::tokens::TokenFacts;
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::{Kind, TokenHandle, Unsealed};

/// Whoever stands behind a credential that is ours, lives, and was not revoked within the published
/// bound. Only [`by_token`] and [`by_session`] make one. Whether it is for whom it was shown to, the
/// caller checks: see [`Principal::audience`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// What the credential is called by.
    pub key: TokenKey,
    /// What it is.
    pub token_type: TokenType,
    /// The username; of what acts for itself, one that begins with `bot-`.
    pub username: Username,
    /// The person; `None` for what acts for itself.
    pub person: Option<Subject>,
    /// Where its ledger rows are.
    pub shard: Shard,
    /// What it allows.
    pub scopes: Scope,
    /// Made at.
    pub created: UnixTime,
    /// Not valid from here on; `None` is never.
    pub expires: Option<UnixTime>,
    /// The service that it was delegated to.
    pub service: Option<String>,
    /// What the person calls it.
    pub token_name: Option<String>,
    /// What it was delegated from.
    pub parent: Option<TokenKey>,
    /// The one resource that an access token is for, and all that was delegated from it. Every other
    /// credential is for whatever is behind the gate, and for our own API.
    pub audience: Option<String>,
    /// Whom an access token was issued to.
    pub client: Option<ClientId>,
    /// The grant that an access token comes from.
    pub grant: Option<GrantId>,
    /// The session it dies with.
    pub session: Option<SessionId>,
    /// The access token that this is, or that it was delegated from.
    pub token: Option<TokenId>,
    /// The person's generation, and the client's, that it was made under.
    pub generations: (u64, u64),
    /// The mail address, where it is known without asking for it.
    pub email: Option<String>,
    /// The groups of the person, likewise.
    pub groups: Option<BTreeSet<String>>,
}

impl Principal {
    /// Whether it was delegated to somebody: then it is a row of the ledger.
    #[must_use]
    pub fn is_delegated(&self) -> bool {
        matches!(self.token_type, TokenType::Notebook | TokenType::Internal)
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
    Ok(of_row(&facts, handle.value().shard))
}

/// What a row says, which somebody else has found to live.
pub(crate) fn of_row(facts: &TokenFacts, shard: Shard) -> Principal {
    let (row, person) = (&facts.row, facts.person.as_ref());
    let origin = row.origin.clone();
    let (client, minted) = origin.client.unzip();
    Principal {
        key: row.key.clone(),
        token_type: row.token_type,
        username: person
            .map_or(&row.username, |person| &person.username)
            .clone(),
        person: row.subject.clone(),
        shard,
        scopes: facts.scopes(),
        created: row.created,
        expires: row.expires,
        service: row.service.clone(),
        token_name: row.token_name.clone(),
        parent: row.parent.clone(),
        audience: origin.audience,
        client,
        grant: origin.grant,
        session: origin.session,
        token: origin.token,
        generations: (row.generation, minted.unwrap_or_default()),
        email: person.and_then(|person| person.profile.email.clone()),
        groups: person.map(|person| person.groups.clone()),
    }
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

pub(super) fn of_access_token(live: &LiveToken) -> Principal {
    let token = live.token();
    let person = Subject::parse(&token.sub)
        .ok()
        .filter(|_| token.sub.starts_with(Subject::PREFIX));
    Principal {
        key: live.key().clone(),
        token_type: match person {
            Some(_) => TokenType::Oidc,
            None => TokenType::Service,
        },
        username: token.username.clone(),
        person,
        shard: token.shard,
        scopes: token.scope.clone(),
        created: token.issued_at,
        expires: Some(token.expires_at),
        service: None,
        token_name: None,
        parent: live.session_key().cloned(),
        audience: Some(token.audience.clone()),
        client: Some(token.client.clone()),
        grant: token.grant.clone(),
        session: token.session.clone(),
        token: Some(live.id().clone()),
        generations: (token.generations.subject, token.generations.client),
        email: None,
        groups: None,
    }
}

/// A session always holds `user:token`.
pub(crate) fn of_session(session: &Session) -> Principal {
    let subject = &session.subject;
    Principal {
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
    }
}
