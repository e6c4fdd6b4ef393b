//! Signing out, OpenID Connect RP-Initiated Logout §2. A link never signs anybody out: the page
//! asks, unless the application proves by an ID token that it is this person's. What ends is the
//! session, or what the application has of it, as the client's invalidation flow says.

use serde_json::Value;

use super::authorization_request::LONGEST_STATE;
use super::page::{self, Browser};
use super::params::Params;
use super::{claims, client_authentication, discovery, session, signing};
use crate::config::APPLICATIONS;
use crate::error::Reason;
use crate::http::{Request, Response, with_query};
use crate::jose::{ExpectedTyp, Policy, UnverifiedJws, parse_strict_object};
use crate::model::{Client, ClientId};
use crate::pages::{self, Logout, field};
use crate::ports::ledger::Session;
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::{Departure, Intent};

/// Where applications send people, under the issuer; `/logout` is people's own.
pub const PATH: &str = "/oauth/logout";
/// The same of an application that is an issuer (seed 004), under that.
pub const END_SESSION: &str = "end-session/";

const PARAMETERS: [&str; 9] = [
    "client_id",
    "id_token_hint",
    "post_logout_redirect_uri",
    "state",
    "logout_hint",
    "ui_locales",
    "continue",
    field::REQUEST,
    field::CSRF,
];

/// `GET` and `POST` of `/logout`, `/oauth/logout` and an application's `end-session/`.
pub async fn answer<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Response {
    let answer = if request.is_post() {
        post(server, request, at).await
    } else {
        show(server, request, at).await
    };
    answer.unwrap_or_else(|reason| page::refusal(reason, at))
}

async fn show<P: Ports>(
    server: &Server<P>,
    request: &Request,
    at: &At,
) -> Result<Response, Reason> {
    let params = Params::parse(&request.query, &PARAMETERS);
    let departure = match params.optional("continue")? {
        Some(sealed) => {
            let pending = page::unseal_unbound(server, sealed, at).await?.into_value();
            let Intent::Logout(departure) = pending.intent else {
                return Err(Reason::PageFromElsewhere);
            };
            departure
        }
        None => read(server, request, &params, at).await?,
    };
    proceed(server, request, departure, at).await
}

/// The answer of our own page, or an application's request: a post from another site comes without
/// the session cookie; the GET that it leads to has it.
async fn post<P: Ports>(
    server: &Server<P>,
    request: &Request,
    at: &At,
) -> Result<Response, Reason> {
    let params = Params::parse(request.form()?, &PARAMETERS);
    let given = |name| !matches!(params.optional(name), Ok(None));
    if given(field::REQUEST) || given(field::CSRF) {
        return submit(server, request, at).await;
    }
    let departure = read(server, request, &params, at).await?;
    let sealed = page::seal_unbound(server, Intent::Logout(departure), at).await?;
    let path = with_query(&server.config.url(PATH), &[("continue", sealed.expose())]);
    Ok(Response::see_other(path))
}

/// Reads what is asked and by whom. A hint that proves nothing takes everything with it that came with
/// it (§2): the person is asked, and led nowhere.
async fn read<P: Ports>(
    server: &Server<P>,
    request: &Request,
    params: &Params,
    at: &At,
) -> Result<Departure, Reason> {
    params.refuse_repeated()?;
    let mut named = match params.optional("client_id")? {
        Some(id) => Some(ClientId::parse(id).map_err(|_| Reason::UnknownClient)?),
        None => None,
    };
    if let Some(slug) = application(&request.path) {
        let own = discovery::client_of_application(server, slug, at).await?;
        if named.is_some_and(|named| named != own) {
            return Err(Reason::MalformedParameter("client_id"));
        }
        named = Some(own);
    }
    let mut departure = Departure::default();
    if let Some(hint) = params.optional("id_token_hint")? {
        departure = match hinted(server, named.as_ref(), hint, at).await? {
            Some(hinted) => hinted,
            None => return Ok(Departure::default()),
        };
    }
    departure.client = departure.client.or(named);
    let client = match &departure.client {
        Some(id) => Some(client_authentication::named(server, id, at).await?),
        None => None,
    };
    let uri = params.optional("post_logout_redirect_uri")?;
    check_uri(client.as_deref(), uri)?;
    departure.redirect_uri = uri.map(str::to_owned);
    departure.state = params.within("state", LONGEST_STATE)?.map(str::to_owned);
    Ok(departure)
}

/// The slug of the application whose `end-session/` this is.
fn application(path: &str) -> Option<&str> {
    let path = path.strip_prefix(APPLICATIONS)?;
    path.strip_suffix(END_SESSION)?.strip_suffix('/')
}

/// To whom, about whom and in which session an ID token of ours was issued, expired or not; `None`
/// when it is none, or another client's than the one that is named.
async fn hinted<P: Ports>(
    server: &Server<P>,
    named: Option<&ClientId>,
    hint: &str,
    at: &At,
) -> Result<Option<Departure>, Reason> {
    // Whom it says it is for chooses the issuer that it has to be of, and nothing else.
    let Some(id) = audience(hint).filter(|id| named.is_none_or(|named| named == id)) else {
        return Ok(None);
    };
    let client = server.ports.client(&id, at).await?;
    let Some(client) = client.filter(|client| client.enabled) else {
        return Ok(None);
    };
    let issuer = server.config.issuer_of(&client);
    let policy = Policy::new(&issuer, id.as_str(), ExpectedTyp::Plain).danger_accept_expired();
    let claims = match signing::verify_own(server, hint, &policy, at).await {
        Ok(claims) => claims,
        Err(Some(reason)) => return Err(reason),
        Err(None) => return Ok(None),
    };
    let Some(subject) = claims.subject().map(str::to_owned) else {
        return Ok(None);
    };
    Ok(Some(Departure {
        client: Some(id),
        subject: Some(subject),
        session: claims.text("sid").ok().flatten().map(str::to_owned),
        ..Departure::default()
    }))
}

/// The one client that a token says it is for.
fn audience(token: &str) -> Option<ClientId> {
    let token = UnverifiedJws::parse(token).ok()?;
    let claims = parse_strict_object(token.danger_unverified_payload()).ok()?;
    let audience = match claims.get("aud")? {
        Value::Array(audiences) => match audiences.as_slice() {
            [only] => only,
            _ => return None,
        },
        only => only,
    };
    ClientId::parse(audience.as_str()?).ok()
}

/// Only a URI that the client registered for this is led to (§3), letter for letter.
fn check_uri(client: Option<&Client>, requested: Option<&str>) -> Result<(), Reason> {
    let Some(requested) = requested else {
        return Ok(());
    };
    let client = client.ok_or(Reason::MissingParameter("client_id"))?;
    let mut registered = client.post_logout_redirect_uris.iter();
    if registered.any(|uri| uri.as_str() == requested) {
        Ok(())
    } else {
        Err(Reason::UnregisteredRedirectUri)
    }
}

async fn proceed<P: Ports>(
    server: &Server<P>,
    request: &Request,
    departure: Departure,
    at: &At,
) -> Result<Response, Reason> {
    let browser = Browser::of(server, request)?;
    let client = match &departure.client {
        Some(id) => Some(client_authentication::named(server, id, at).await?),
        None => None,
    };
    // It may have changed while the request was under way.
    check_uri(client.as_deref(), departure.redirect_uri.as_deref())?;
    let Some(session) = session::current(server, request, at).await? else {
        // Nobody is asked: so a name alone, which anybody may give, leads nowhere, nor does a client
        // that nobody vouches for (RFC 9700 §4.11.2).
        let vouched = client.is_some_and(|client| !client.self_registered);
        let proven = vouched && departure.subject.is_some();
        let departure = if proven {
            departure
        } else {
            Departure::default()
        };
        return Ok(leave(server, departure, None));
    };
    let only = client.as_ref().filter(|client| client.leaves_session);
    let mut departure = Departure {
        only: only.map(|client| client.id.clone()),
        ..departure
    };
    if let Some(client) = &client
        && is_known(server, client, &departure, &session)
    {
        session::end(server, &session, departure.only.clone(), at).await?;
        return Ok(leave(server, departure, Some(client)));
    }
    // What the person is asked is what is done: nothing of the request has a say after the page.
    departure.subject = None;
    departure.session = None;
    let leads_to = departure.redirect_uri.clone();
    let leaves = departure.only.is_some();
    let sealed = page::seal(server, &browser, Intent::Logout(departure), at).await?;
    let csrf = page::csrf(server, &browser, sealed.expose())?;
    let logout = Logout {
        title: client
            .as_ref()
            .and_then(|client| client.title("invalidation")),
        username: session.subject.username.as_str(),
        client_name: client.as_ref().map(|client| client.name.as_str()),
        leaves_session: leaves,
        action: &server.config.path("/logout"),
        request: Some(sealed.expose()),
        csrf: &csrf,
        stay: &server.config.path("/login"),
    };
    let page = page::html(200, pages::logout(&logout), leads_to.as_deref());
    Ok(browser.remember(server, page))
}

/// Whether the application proved by a hint that it knows this session and whose it is. One from a
/// session that is over is suspect (§4).
fn is_known<P>(
    server: &Server<P>,
    client: &Client,
    departure: &Departure,
    session: &Session,
) -> bool {
    let told = |subject: &String| claims::is_told_as(server, client, &session.subject, subject);
    departure.session.as_deref() == Some(session.id.as_str())
        && departure.subject.as_ref().is_some_and(told)
}

async fn submit<P: Ports>(
    server: &Server<P>,
    request: &Request,
    at: &At,
) -> Result<Response, Reason> {
    let (browser, params) = page::posted(server, request, &PARAMETERS)?;
    let sealed = params.required(field::REQUEST)?;
    let pending = page::unseal(server, &browser, sealed, at).await?;
    let Intent::Logout(departure) = pending.value().intent.clone() else {
        return Err(Reason::PageFromElsewhere);
    };
    page::spend(server, &pending, at).await?;
    if let Some(session) = session::current(server, request, at).await? {
        session::end(server, &session, departure.only.clone(), at).await?;
    }
    let client = match &departure.only {
        Some(id) => server.ports.client(id, at).await?,
        None => None,
    };
    Ok(leave(server, departure, client.as_deref()))
}

/// Leads away, or says that it is done. `client` is the one that has been left alone, if only it was.
fn leave<P>(server: &Server<P>, departure: Departure, client: Option<&Client>) -> Response {
    let left = client.filter(|_| departure.only.is_some());
    let answer = match departure.redirect_uri {
        Some(uri) => {
            let location = match departure.state {
                Some(state) => with_query(&uri, &[("state", &state)]),
                None => uri,
            };
            Response::see_other(location)
        }
        None => {
            let left = left.map(|client| client.name.as_str());
            page::html(200, pages::logged_out(left), None)
        }
    };
    if departure.only.is_some() {
        return answer;
    }
    answer.with("set-cookie", session::forget(server))
}
