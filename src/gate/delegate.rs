//! Delegation (seed 001): a token for somebody's notebook, or for a service that acts for them, with no
//! more than they showed and no longer. Who asks alike gets one and the same, wherever.

use std::rc::Rc;

use super::Principal;
use crate::error::Reason;
use crate::model::{Scope, Seconds, Secret, TokenKey, UnixTime};
use crate::ports::tokens::{AccessParent, Delegate, KnownToken, Origin, Parent, TokenDelegated};
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::{Revocations, TokenHandle, session};

/// A child lives as long as a session, which is what most are delegated from; none needs the feed to
/// remember for longer than it does.
pub const LIFETIME: Seconds = session::LIFETIME;
/// What has less left than this is delegated nothing: it would be over before it is of use.
pub const LEAST: Seconds = Seconds(300);

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Delegation {
    /// To whom.
    pub to: Recipient,
    /// How long it has to live on, unless what was shown ends sooner; else half of its life.
    pub minimum_lifetime: Option<Seconds>,
    /// From which address it is asked for; for the history.
    pub address: Option<String>,
}

/// Who gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipient {
    /// The person's notebook: all that was shown.
    Notebook,
    /// A service, for one person.
    Internal {
        /// Its name.
        service: String,
        /// What it may, as far as what was shown may.
        scopes: Scope,
    },
}

/// What was delegated.
#[derive(Debug)]
pub struct Delegated {
    /// The token.
    pub token: Secret,
    /// What it is called by.
    pub key: TokenKey,
    /// What it allows.
    pub scopes: Scope,
    /// Not valid from here on.
    pub expires: Option<UnixTime>,
}

/// The child that these ask for, found or made; or what was shown, if it is that.
///
/// # Errors
/// [`Reason::LifetimeTooShort`] when what was shown ends too soon, [`Reason::TokenRevoked`] when the ledger
/// knows that it is over, [`Reason::DelegatedTooOften`] and [`Reason::TooManyDelegated`] where there are
/// bounds, [`Reason::Unavailable`].
pub async fn delegate<P: Ports>(
    server: &Server<P>,
    shown: &Principal,
    asked: Delegation,
    at: &At,
) -> Result<Delegated, Reason> {
    let now = at.now.unix();
    let least = asked.minimum_lifetime.unwrap_or(LEAST);
    let ends = shown.expires.unwrap_or(UnixTime(u64::MAX));
    if ends < now + least {
        return Err(Reason::LifetimeTooShort);
    }
    let half = Seconds(LIFETIME.0 / 2);
    let remaining = asked.minimum_lifetime.unwrap_or(half).min(LIFETIME);
    let (service, scopes) = match asked.to {
        // What was delegated to a service stays that service's, in its notebook, too.
        Recipient::Notebook => (shown.service.clone(), shown.scopes.clone()),
        Recipient::Internal { service, scopes } => {
            (Some(service), scopes.intersection(&shown.scopes))
        }
    };
    let feed = server.ports.revocations(at).await?;
    if shown.is_delegated() && service == shown.service && scopes == shown.scopes {
        // It is what is asked for: a child could do no more, and live no longer.
        let handle = TokenHandle {
            shard: shown.shard,
            key: shown.key.clone(),
            service,
        };
        return hand_out(server, handle, scopes, shown.expires, &feed);
    }
    // The service comes last: it alone may have a character that is between others. It is never empty.
    let to = service.as_deref().unwrap_or_default();
    let question = format!("{} {} {scopes}\n{to}", shown.key, ends.0);
    let oldest = half.0.saturating_mul(1000);
    let kept = server.ports.kept(&question, at, oldest).filter(|kept| {
        let expires = kept.row.expires.unwrap_or(ends);
        let over = feed.ends_row(&kept.row) || feed.outdates(kept);
        !over && now < expires && (now + remaining).min(ends) <= expires
    });
    let child = match kept {
        Some(child) => child,
        None => {
            let verb = Delegate {
                key: server.fresh_name("", 16)?,
                parent: parent(shown)?,
                service,
                scopes,
                lifetime: LIFETIME,
                remaining,
                epoch: feed.epoch(),
                address: asked.address,
            };
            let child = match server.ports.ledger(shown.shard, at, verb).await? {
                TokenDelegated::Given(child) => Rc::new(KnownToken::new(*child, shown.shard)),
                TokenDelegated::Over => return Err(Reason::TokenRevoked),
                TokenDelegated::TooDeep => return Err(Reason::DelegatedTooOften),
                TokenDelegated::Full(until) => {
                    return Err(Reason::TooManyDelegated(now.until(until).0));
                }
            };
            if !feed.outdates(&child) {
                server.ports.keep(&question, &child, at);
            }
            child
        }
    };
    // A child lives where its parent does.
    let handle = TokenHandle {
        shard: shown.shard,
        key: child.row.key.clone(),
        service: child.row.service.clone(),
    };
    hand_out(server, handle, child.scopes(), child.row.expires, &feed)
}

fn hand_out<P: Ports>(
    server: &Server<P>,
    handle: TokenHandle,
    scopes: Scope,
    expires: Option<UnixTime>,
    feed: &Revocations,
) -> Result<Delegated, Reason> {
    Ok(Delegated {
        token: handle.mint(&server.keyring, feed.epoch())?,
        key: handle.key,
        scopes,
        expires,
    })
}

/// What the ledger is told of what was shown: as little as it can look up itself.
fn parent(shown: &Principal) -> Result<Parent, Reason> {
    if shown.is_delegated() {
        return Ok(Parent::Token(shown.key.clone()));
    }
    match (&shown.audience, &shown.session, shown.expires) {
        (Some(audience), _, Some(expires)) => {
            let generations = shown.generations;
            let person = shown.person.clone().map(|person| (person, generations.0));
            let client = shown.client.clone().map(|client| (client, generations.1));
            Ok(Parent::Access(Box::new(AccessParent {
                key: shown.key.clone(),
                person,
                username: shown.username.clone(),
                scopes: shown.scopes.clone(),
                expires,
                origin: Origin {
                    token: shown.token.clone(),
                    grant: shown.grant.clone(),
                    session: shown.session.clone(),
                    client,
                    audience: Some(audience.clone()),
                },
            })))
        }
        (Some(_), _, None) => Err(Reason::Internal("an access token without an end")),
        (None, Some(session), _) if shown.key == TokenKey::of(session.as_str()) => {
            Ok(Parent::Session(session.clone()))
        }
        (None, _, _) => Ok(Parent::Token(shown.key.clone())),
    }
}
