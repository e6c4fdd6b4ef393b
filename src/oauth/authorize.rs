//! The authorization endpoint, RFC 6749 §3.1 and OpenID Connect Core §3.1.2.
//!
//! A refusal stays on our own page until the redirect URI is proven: [`Destination`] is the only
//! thing that leads to a client, and only the client's own registration makes one. What a request
//! says is read in `authorization_request.rs`.

use std::rc::Rc;

use super::authorization_request::{self, LONGEST_STATE, PARAMETERS};
use super::authorization_response::{self, Destination};
use super::page::{self, Browser};
use super::params::Params;
use super::{claims, client_authentication, grantable, session};
use crate::error::Reason;
use crate::http::{Request, Response, with_query};
use crate::model::{Client, ClientId};
use crate::ports::ledger::{ReadConsent, Session};
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::{AuthorizationRequest, Intent};

/// Why a request is not granted, and who may be told.
enum Refusal {
    /// Only the person in front of the browser.
    Local(Reason),
    /// The client, at its own URI.
    Redirect(Destination, Reason),
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self::Local(reason)
    }
}

/// `GET` and `POST /oauth/authorize`.
pub async fn answer<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Response {
    match authorize(server, request, at).await {
        Ok(response) => response,
        Err(Refusal::Local(reason)) => page::refusal(reason, at),
        Err(Refusal::Redirect(to, reason)) => to.refuse(&server.config, reason),
    }
}

async fn authorize<P: Ports>(
    server: &Server<P>,
    request: &Request,
    at: &At,
) -> Result<Response, Refusal> {
    if request.oversized {
        return Err(Reason::TooLarge.into());
    }
    let text = if request.is_post() {
        request.form()?
    } else {
        &request.query
    };
    let params = Params::parse(text, &PARAMETERS);
    if let Some(sealed) = params.optional("continue")?.filter(|_| !request.is_post()) {
        let pending = page::unseal_unbound(server, sealed, at).await?.into_value();
        let Intent::Authorize(authorization) = pending.intent else {
            return Err(Reason::PageFromElsewhere.into());
        };
        return proceed(server, request, *authorization, at).await;
    }
    let authorization = parse(server, request, &params, at).await?;
    if request.is_post() {
        // A post from another site comes without the session cookie; the GET it leads to has it.
        let sealed = page::seal_unbound(server, Intent::Authorize(Box::new(authorization)), at);
        let sealed = sealed.await?;
        let path = with_query(
            &server.config.url("/oauth/authorize"),
            &[("continue", sealed.expose())],
        );
        return Ok(Response::see_other(path));
    }
    proceed(server, request, authorization, at).await
}

/// Proves the client and its redirect URI, then reads the rest.
async fn parse<P: Ports>(
    server: &Server<P>,
    request: &Request,
    params: &Params,
    at: &At,
) -> Result<AuthorizationRequest, Refusal> {
    let id = params.required("client_id")?;
    let id = ClientId::parse(id).map_err(|_| Reason::UnknownClient)?;
    let client = client_authentication::named(server, &id, at).await?;
    let redirect_uri = authorization_request::redirect_uri(&client, params)?;
    // A `state` that cannot be returned unchanged is not returned at all.
    let state = params.within("state", LONGEST_STATE);
    let proven = Destination {
        uri: redirect_uri.clone(),
        mode: authorization_request::response_mode(params, &redirect_uri),
        state: state.clone().ok().flatten().map(str::to_owned),
        issuer: server.config.issuer_of(&client),
    };
    let read = async {
        state?;
        let mut read = authorization_request::read(&client, redirect_uri, params)?;
        let wanted = read.expected_subject.take();
        read.expected_subject =
            authorization_request::expected_subject(server, &client, wanted, params, at).await?;
        Ok::<_, Reason>(read)
    };
    match read.await {
        Ok(authorization) => Ok(authorization),
        Err(reason) => {
            // Nobody vouches for who registered itself: without a person signed in, its URI is not
            // a place to bounce a browser to (RFC 9700 §4.11.2).
            if client.self_registered && session::current(server, request, at).await?.is_none() {
                return Err(Refusal::Local(reason));
            }
            Err(Refusal::Redirect(proven, reason))
        }
    }
}

/// Goes on with a proven request: sign in, ask, or answer.
async fn proceed<P: Ports>(
    server: &Server<P>,
    request: &Request,
    authorization: AuthorizationRequest,
    at: &At,
) -> Result<Response, Refusal> {
    // The client may have changed while the request was under way: nothing leads to a URI that it
    // does not have now.
    let client = registered(server, &authorization, at).await?;
    let proven = Destination::of(&server.config, &client, &authorization);
    let next = async {
        let session = session::current(server, request, at).await?;
        next(server, request, &client, authorization, session, at).await
    };
    next.await
        .map_err(|reason| Refusal::Redirect(proven, reason))
}

/// The client of a request that was proven before, if it still stands as it was.
///
/// # Errors
/// [`Reason::UnknownClient`] or [`Reason::UnregisteredRedirectUri`].
pub async fn registered<P: Ports>(
    server: &Server<P>,
    authorization: &AuthorizationRequest,
    at: &At,
) -> Result<Rc<Client>, Reason> {
    let client = client_authentication::named(server, &authorization.client, at).await?;
    if !client.check_redirect_uri(&authorization.redirect_uri) {
        return Err(Reason::UnregisteredRedirectUri);
    }
    Ok(client)
}

/// What comes next for a proven request and the session there is: the sign-in page, the consent
/// page, or the code.
///
/// # Errors
/// What the client is told.
pub async fn next<P: Ports>(
    server: &Server<P>,
    request: &Request,
    client: &Client,
    authorization: AuthorizationRequest,
    session: Option<Rc<Session>>,
    at: &At,
) -> Result<Response, Reason> {
    let silent = authorization.prompt.none;
    let Some(session) =
        session.filter(|session| will_do(server, client, &authorization, session, at))
    else {
        if silent {
            return Err(Reason::LoginRequired);
        }
        let intent = Intent::Authorize(Box::new(authorization));
        return to_page(server, request, "/login", intent, at).await;
    };
    let mut authorization = authorization;
    authorization.scope = grantable::for_subject(client, &authorization.scope, &session.subject);
    if must_ask(server, client, &authorization, &session, at).await? {
        if silent {
            return Err(Reason::ConsentRequired);
        }
        let intent = Intent::Consent(Box::new(authorization), session.subject.subject.clone());
        return to_page(server, request, "/consent", intent, at).await;
    }
    authorization_response::issue(server, client, &authorization, &session, at).await
}

/// Whether the session is the one, and young enough, that the request wants.
fn will_do<P>(
    server: &Server<P>,
    client: &Client,
    authorization: &AuthorizationRequest,
    session: &Session,
    at: &At,
) -> bool {
    let age = session.authentication.time.until(at.now.unix());
    let mut oldest = [authorization.max_age, client.max_session_age]
        .into_iter()
        .flatten();
    let young = oldest.all(|most| age <= most);
    let expected = authorization
        .expected_subject
        .as_ref()
        .is_none_or(|expected| claims::is_told_as(server, client, &session.subject, expected));
    young && expected && !authorization.prompt.login
}

/// Whether the person has to be asked. A client whose identity its redirect URI cannot prove is
/// always asked about (RFC 8252 §8.6), unless the administrator answers for everybody.
async fn must_ask<P: Ports>(
    server: &Server<P>,
    client: &Client,
    authorization: &AuthorizationRequest,
    session: &Session,
    at: &At,
) -> Result<bool, Reason> {
    if authorization.prompt.consent {
        return Ok(true);
    }
    if client.implicit_consent {
        return Ok(false);
    }
    if !is_remembered(client, &authorization.redirect_uri) {
        return Ok(true);
    }
    let subject = session.subject.subject.clone();
    let read = ReadConsent {
        subject,
        client: client.id.clone(),
    };
    let agreed = server.ports.ledger(session.subject.shard, at, read).await?;
    Ok(!agreed.is_some_and(|agreed| authorization.scope.is_subset(&agreed)))
}

/// Whether an answer to the consent question saves the next request from it.
#[must_use]
pub fn is_remembered(client: &Client, redirect_uri: &str) -> bool {
    !client.is_public() || redirect_uri.starts_with("https://")
}

async fn to_page<P: Ports>(
    server: &Server<P>,
    request: &Request,
    path: &str,
    intent: Intent,
    at: &At,
) -> Result<Response, Reason> {
    let browser = Browser::of(server, request)?;
    page::lead_to(server, &browser, path, intent, at).await
}

/// Tells the client of a proven request why it is refused.
#[must_use]
pub fn refuse<P>(
    server: &Server<P>,
    client: &Client,
    authorization: &AuthorizationRequest,
    reason: Reason,
) -> Response {
    Destination::of(&server.config, client, authorization).refuse(&server.config, reason)
}
