//! Delegation (seed 001): a token for somebody's notebook, or for a service that acts for them, with no
//! more than they showed and no longer. Who asks alike gets one and the same, wherever.

use std::rc::Rc;

use super::Principal;
use crate::error::Reason;
use crate::model::{Scope, Seconds, Secret, TokenKey, UnixTime};
use crate::ports::tokens::{AccessParent, Delegate, Origin, Parent, TokenFacts};
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

/// The child that these ask for, found or made.
///
/// # Errors
/// [`Reason::LifetimeTooShort`] when what was shown ends too soon, [`Reason::TokenRevoked`] when the ledger
/// knows that it is over, [`Reason::Unavailable`].
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
        Recipient::Notebook => (None, shown.scopes.clone()),
        Recipient::Internal { service, scopes } => {
            (Some(service), scopes.intersection(&shown.scopes))
        }
    };
    // The service comes last: it alone may have a character that is between others. It is never empty.
    let to = service.as_deref().unwrap_or_default();
    let question = format!("{} {} {scopes}\n{to}", shown.key, ends.0);
    let feed = server.ports.revocations(at).await?;
    let oldest = half.0.saturating_mul(1000);
    let kept = server.ports.kept(&question, at, oldest).filter(|kept| {
        let expires = kept.row.expires.unwrap_or(ends);
        let over = feed.ends_row(&kept.row) || feed.outdates(kept);
        !over && now < expires && (now + remaining).min(ends) <= expires
    });
    if let Some(child) = kept {
        return hand_out(server, shown, &child, &feed);
    }
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
    let child = server.ports.ledger(shown.shard, at, verb).await?;
    let child = Rc::new(*child.ok_or(Reason::TokenRevoked)?);
    if !feed.outdates(&child) {
        server.ports.keep(&question, &child, at);
    }
    hand_out(server, shown, &child, &feed)
}

/// A child lives where its parent does.
fn hand_out<P: Ports>(
    server: &Server<P>,
    shown: &Principal,
    child: &TokenFacts,
    feed: &Revocations,
) -> Result<Delegated, Reason> {
    let handle = TokenHandle {
        shard: shown.shard,
        key: child.row.key.clone(),
        service: child.row.service.clone(),
    };
    Ok(Delegated {
        token: handle.mint(&server.keyring, feed.epoch())?,
        key: handle.key,
        scopes: child.scopes(),
        expires: child.row.expires,
    })
}

/// What the ledger is told of what was shown: as little as it can look up itself.
fn parent(shown: &Principal) -> Result<Parent, Reason> {
    match (&shown.audience, &shown.session, shown.expires) {
        (Some(_), _, Some(expires)) => {
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
