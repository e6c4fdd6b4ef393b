//! Who asks about a token (RFC 7662 §2.1), and what they may learn about (§4): alike for introspection,
//! `check_token` and the service binding; what a resource is served, revocation asks, too.

use std::rc::Rc;

use super::access_token::{self, LiveToken, living};
use super::bearer;
use super::client_authentication::{self, AuthenticatedClient};
use super::mac::{self, LiveMac};
use super::params::Params;
use crate::error::Reason;
use crate::gate::{Principal, principal};
use crate::http::Request;
use crate::model::scope::OWN;
use crate::model::{Client, ClientId};
use crate::ports::ledger::{GrantFacts, ReadGrant};
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::{AccessToken, Kind, RefreshToken, TokenHandle, Unsealed, refresh};

/// Who asks.
pub enum Caller {
    /// A client that authenticated as one.
    Client(AuthenticatedClient),
    /// Somebody with an access token: may ask about tokens of the same client and the same subject.
    Bearer(LiveToken),
    /// Somebody with a token of their own: may ask about their own.
    Owner(Principal),
}

/// Whether the text is a MAC key identifier, or nothing of ours.
fn is_mac(text: &str) -> bool {
    text.starts_with(Kind::Mac.prefix())
}

/// Whether the text is a handle, or nothing of ours.
fn is_handle(text: &str) -> bool {
    text.starts_with(Kind::Token.prefix())
}

impl Caller {
    /// Authenticates the caller (§2.1): a confidential client, or a bearer token.
    ///
    /// # Errors
    /// Why not; a public client's bare id is no authentication.
    pub async fn authenticate<P: Ports>(
        server: &Server<P>,
        request: &Request,
        params: &Params,
        at: &At,
    ) -> Result<Self, Reason> {
        match bearer::presented(request.authorization.as_deref()) {
            Err(Reason::NoToken) => {}
            Err(reason) => return Err(reason),
            Ok(token) if is_handle(token.expose()) => {
                let owner = principal::by_token(server, token.expose(), at).await?;
                return Ok(Self::Owner(owner));
            }
            Ok(token) => {
                let live = access_token::validate(server, token.expose(), at).await?;
                return Ok(Self::Bearer(live));
            }
        }
        let client = client_authentication::authenticate(server, request, params, at).await?;
        if client.client().is_public() {
            return Err(Reason::NoClientAuthentication);
        }
        Ok(Self::Client(client))
    }

    /// What a text is, if it is a live token and the caller may learn about it.
    ///
    /// # Errors
    /// [`Reason::Unavailable`].
    pub async fn find<P: Ports>(
        &self,
        server: &Server<P>,
        text: &str,
        at: &At,
    ) -> Result<Option<Found>, Reason> {
        if is_handle(text) {
            // Whose business it is not, costs nobody a question.
            let handle = server.keyring.open_handle(text).ok();
            let Some(handle) = handle.filter(|handle| self.may_look_up(handle.value())) else {
                return Ok(None);
            };
            let token = living(principal::of_handle(server, &handle, at).await)?;
            let token = token.filter(|token| self.may_ask_about(token));
            return Ok(token.map(Found::Handle));
        }
        if let Some(live) = living(access_token::validate(server, text, at).await)?
            && self.may_ask_about_access(live.token())
        {
            return Ok(Some(Found::Access(live)));
        }
        if is_mac(text) {
            let live = living(mac::live(server, text, at).await)?;
            let live = live.filter(|live| self.may_ask_about_access(&live.opened().token));
            return Ok(live.map(|live| Found::Mac(Box::new(live))));
        }
        // A refresh token is nobody's business but its client's: nobody else has a shard asked for it.
        let token: Option<Unsealed<RefreshToken>> = server.keyring.unseal(text).ok();
        let Some(token) = token.filter(|token| self.is(&token.value().client)) else {
            return Ok(None);
        };
        let grant = refreshable(server, token, at).await?;
        let known = grant.filter(|(grant, _)| {
            let subject = grant.subject.subject.as_str();
            self.may_ask(&grant.client, None, subject)
        });
        Ok(known.map(|(grant, client)| Found::Refresh(Box::new(grant), client)))
    }

    /// Whether the caller checks requests that are signed with this token's key: a client that is the
    /// resource, and nobody else. Its own client was given the key with the token.
    pub(super) fn checks(&self, audience: &str) -> bool {
        match self {
            Self::Client(caller) => caller.client().is_or_serves(audience),
            Self::Bearer(_) | Self::Owner(_) => false,
        }
    }

    /// Whether the caller is this client, or has a token of its.
    fn is(&self, client: &ClientId) -> bool {
        match self {
            Self::Client(caller) => caller.client().id == *client,
            Self::Bearer(live) => live.token().client == *client,
            Self::Owner(_) => false,
        }
    }

    /// Whether the caller may learn about such a token (§4).
    fn may_ask(&self, issued_to: &ClientId, audience: Option<&str>, subject: &str) -> bool {
        match self {
            Self::Client(caller) => {
                let client = caller.client();
                client.id == *issued_to
                    || audience.is_some_and(|audience| client.may_introspect(issued_to, audience))
            }
            Self::Bearer(live) => live.token().client == *issued_to && live.token().sub == subject,
            Self::Owner(_) => false,
        }
    }

    /// The same, of what an access token says.
    fn may_ask_about_access(&self, token: &AccessToken) -> bool {
        self.may_ask(&token.client, Some(&token.audience), &token.sub)
    }

    /// Whether the caller may learn about whatever this names, as far as it tells by itself.
    fn may_look_up(&self, handle: &TokenHandle) -> bool {
        match self {
            Self::Client(caller) => serves(caller.client(), handle.service.as_ref()),
            Self::Bearer(_) => false,
            Self::Owner(owner) => {
                owner.key == handle.key || (owner.shard == handle.shard && is_own(owner))
            }
        }
    }

    /// Whether the caller may learn about a handle. One that was delegated to a service is that
    /// service's; any other is for everything behind the gate: for clients that an administrator has
    /// given a resource to serve.
    fn may_ask_about(&self, token: &Principal) -> bool {
        match self {
            Self::Client(caller) => {
                let client = caller.client();
                serves(client, token.service.as_ref()) && is_in(client, token)
            }
            Self::Bearer(_) => false,
            Self::Owner(owner) => {
                owner.key == token.key || (owner.username == token.username && is_own(owner))
            }
        }
    }
}

/// Whether whoever shows this may ask about all that is theirs: what is for one resource may not.
fn is_own(owner: &Principal) -> bool {
    owner.scopes.contains(OWN) && owner.audience.is_none()
}

/// Whether a handle that was delegated from an access token is for this resource.
#[must_use]
pub fn is_in(resource: &Client, token: &Principal) -> bool {
    let audience = token.audience.as_deref();
    audience.is_none_or(|audience| resource.is_or_serves(audience))
}

/// Whether a handle is for this resource, which was delegated to that service or to none.
#[must_use]
pub fn serves(resource: &Client, service: Option<&String>) -> bool {
    match service {
        Some(service) => resource.is_or_serves(service),
        None => !resource.serves.is_empty(),
    }
}

/// A live token.
pub enum Found {
    /// A token that is a row of the ledger.
    Handle(Principal),
    /// An access token.
    Access(LiveToken),
    /// A MAC key identifier.
    Mac(Box<LiveMac>),
    /// The newest refresh token of this grant, and whose it is.
    Refresh(Box<GrantFacts>, Rc<Client>),
}

/// The grant of a refresh token, if it is the newest of its family and may be used.
async fn refreshable<P: Ports>(
    server: &Server<P>,
    unsealed: Unsealed<RefreshToken>,
    at: &At,
) -> Result<Option<(GrantFacts, Rc<Client>)>, Reason> {
    let revocations = server.ports.revocations(at).await?;
    if revocations.ends_epoch(unsealed.epoch()) {
        return Ok(None);
    }
    let token = unsealed.into_value();
    let client = server.ports.client(&token.client, at).await?;
    let current =
        |client: &Rc<Client>| client.enabled && client.generation == token.client_generation;
    let Some(client) = client.filter(current) else {
        return Ok(None);
    };
    let read = ReadGrant {
        grant: token.grant,
        idle: client.refresh_idle.unwrap_or(refresh::IDLE),
    };
    let facts = server.ports.ledger(token.shard, at, read).await?;
    let newest = facts.filter(|facts| facts.refresh_generation == Some(token.generation));
    Ok(newest.map(|facts| (facts, client)))
}
