//! The browser session: the cookie holds a sealed handle, the facts are a ledger row.

use std::rc::Rc;

use crate::error::Reason;
use crate::http::Request;
use crate::model::{ClientId, Seconds, SubjectFacts};
use crate::ports::ledger::{Authentication, EndSession, OpenSession, Opened, Session, SpendOnce};
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::session::LIFETIME;
use crate::token::{SessionHandle, Unsealed};

/// The name of its cookie, before its prefix.
pub(crate) const COOKIE: &str = "edgemint-session";

/// Characters of a `User-Agent` that are kept: those of today have 120.
const LONGEST_USER_AGENT: usize = 200;

/// The session of the request's cookie, if it stands: the handle's seal holds, nothing ended it
/// within the published bound, and its subject is active.
///
/// # Errors
/// [`Reason::Unavailable`] when that cannot be found out; that is not the same as no session.
pub async fn current<P: Ports>(
    server: &Server<P>,
    request: &Request,
    at: &At,
) -> Result<Option<Rc<Session>>, Reason> {
    let Some(handle) = handle(server, request) else {
        return Ok(None);
    };
    let now = at.now.unix();
    let revocations = server.ports.revocations(at).await?;
    let ended = revocations.ends_epoch(handle.epoch())
        || revocations.ends_session(&handle.value().session, handle.value().generation);
    if ended || handle.value().expires_at <= now {
        return Ok(None);
    }
    let session = server.ports.session(handle.value(), at).await?;
    Ok(session.filter(|session| {
        let subject = &session.subject;
        let ended = revocations.ends_subject(&subject.subject, subject.generation);
        subject.active && !ended && now < session.expires_at
    }))
}

/// The handle of the request's cookie, alive or not.
#[must_use]
pub fn handle<P>(server: &Server<P>, request: &Request) -> Option<Unsealed<SessionHandle>> {
    let name = server.config.cookie_name(COOKIE);
    server.keyring.unseal(request.cookie(&name)?).ok()
}

/// Opens a session for somebody who proved who they are on this page, or renews the one that the
/// same person had in this browser; either way the cookie of before is dead. Answers with the
/// cookie.
///
/// # Errors
/// [`Reason::WrongCredentials`] when the account is not active; [`Reason::PageSpent`];
/// [`Reason::Unavailable`].
pub async fn open<P: Ports>(
    server: &Server<P>,
    request: &Request,
    page: SpendOnce,
    subject: &SubjectFacts,
    methods: &[&str],
    at: &At,
) -> Result<(Session, String), Reason> {
    let now = at.now.unix();
    // Whatever can fail does so before the page is spent: a page that fails can be sent again.
    let epoch = server.ports.revocations(at).await?.epoch();
    let id = server.fresh_id()?;
    let before = current(server, request, at).await?;
    let same_person = |session: &Rc<Session>| session.subject.subject == subject.subject;
    let renew = before
        .as_ref()
        .filter(|session| same_person(session))
        .map(|old| old.id.clone());
    let open = OpenSession {
        page,
        session: server.fresh_name("", 24)?,
        renew: renew.clone(),
        subject: subject.subject.clone(),
        authentication: Authentication {
            time: now,
            methods: methods.iter().map(|method| (*method).to_owned()).collect(),
        },
        expires_at: now + LIFETIME,
        user_agent: request.user_agent.as_deref().map(shown),
        address: request.address.clone(),
    };
    let session = match server.ports.ledger(subject.shard, at, open).await? {
        Opened::Session(session) => *session,
        Opened::Refused => return Err(Reason::WrongCredentials),
        Opened::PageSpent => return Err(Reason::PageSpent),
    };
    // Somebody else's session in this browser ends; not before the new one stands.
    if let Some(old) = before.filter(|_| renew.is_none()) {
        end(server, &old, None, at).await?;
    }
    let handle = SessionHandle {
        shard: subject.shard,
        session: session.id.clone(),
        generation: session.generation,
        expires_at: session.expires_at,
    };
    let sealed = server.keyring.seal(&handle, epoch, id)?;
    let cookie = server.config.set_cookie(COOKIE, sealed.expose(), LIFETIME);
    Ok((session, cookie))
}

/// A browser's word for itself, as people can read it later.
fn shown(user_agent: &str) -> String {
    let printable = user_agent.chars().filter(|letter| !letter.is_control());
    printable.take(LONGEST_USER_AGENT).collect()
}

/// Ends a session, or what a client has of it; answered only when the feed has it.
///
/// # Errors
/// [`Reason::Unavailable`].
pub async fn end<P: Ports>(
    server: &Server<P>,
    session: &Session,
    client: Option<ClientId>,
    at: &At,
) -> Result<(), Reason> {
    let end = EndSession {
        session: session.id.clone(),
        client,
    };
    Ok(server.ports.ledger(session.subject.shard, at, end).await?)
}

/// The `Set-Cookie` value that makes the browser forget its session.
#[must_use]
pub fn forget<P>(server: &Server<P>) -> String {
    server.config.set_cookie(COOKIE, "", Seconds(0))
}
