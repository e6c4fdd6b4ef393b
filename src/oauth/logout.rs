//! Signing out, OpenID Connect RP-Initiated Logout §2. A link never signs anybody out: the page
//! asks, unless the application proves by an ID token that it is this person's.

use super::authorize::LONGEST_STATE;
use super::page::{self, Browser};
use super::params::Params;
use super::{claims, client_authentication, session, signing};
use crate::error::Reason;
use crate::http::{Request, Response, with_query};
use crate::jose::{ExpectedTyp, Policy};
use crate::model::{Client, ClientId};
use crate::pages::{self, Logout, field};
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::{Departure, Intent};

const PARAMETERS: [&str; 7] = [
    "client_id",
    "id_token_hint",
    "post_logout_redirect_uri",
    "state",
    "logout_hint",
    field::REQUEST,
    field::CSRF,
];

/// `GET` and `POST /logout`.
pub async fn answer<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Response {
    let answer = if request.is_post() {
        submit(server, request, at).await
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
    params.refuse_repeated()?;
    let browser = Browser::of(server, request)?;
    let asked = asked(server, &params, at).await?;
    let client = match &asked.client {
        Some(id) => Some(client_authentication::named(server, id, at).await?),
        None => None,
    };
    let mut departure = if asked.distrusted {
        Departure::default()
    } else {
        Departure {
            redirect_uri: departure(
                client.as_deref(),
                params.optional("post_logout_redirect_uri")?,
            )?,
            state: params.within("state", LONGEST_STATE)?.map(str::to_owned),
        }
    };
    let Some(session) = session::current(server, request, at).await? else {
        // Nobody vouches for who registered itself: its URI is not a place to bounce a browser to
        // of which nobody was asked (RFC 9700 §4.11.2).
        if client.is_some_and(|client| client.self_registered) {
            departure = Departure::default();
        }
        return Ok(leave(server, departure));
    };
    // The hint proves that the application knows which session it ends. One from a session that
    // is over is suspect (§4): the person is asked.
    let hinted = asked.subject.as_deref().zip(client.as_deref());
    if asked.session.as_deref() == Some(session.id.as_str())
        && hinted.is_some_and(|(subject, client)| {
            claims::is_told_as(server, client, &session.subject, subject)
        })
    {
        session::end(server, &session, at).await?;
        return Ok(leave(server, departure));
    }
    let leads_to = departure.redirect_uri.clone();
    let sealed = page::seal(server, &browser, Intent::Logout(departure), at).await?;
    let csrf = page::csrf(server, &browser, sealed.expose())?;
    let logout = Logout {
        username: session.subject.username.as_str(),
        client_name: client.as_ref().map(|client| client.name.as_str()),
        action: &server.config.path("/logout"),
        request: Some(sealed.expose()),
        csrf: &csrf,
        stay: &server.config.path("/login"),
    };
    let page = page::html(200, pages::logout(&logout), leads_to.as_deref());
    Ok(browser.remember(server, page))
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
        session::end(server, &session, at).await?;
    }
    Ok(leave(server, departure))
}

/// Who asks for the logout, and of whom.
#[derive(Default)]
struct Asked {
    client: Option<ClientId>,
    subject: Option<String>,
    session: Option<String>,
    /// The hint is not an ID token of ours, or another client's: nothing that came with it counts,
    /// and the person is asked (§2).
    distrusted: bool,
}

async fn asked<P: Ports>(server: &Server<P>, params: &Params, at: &At) -> Result<Asked, Reason> {
    let named = match params.optional("client_id")? {
        Some(id) => Some(ClientId::parse(id).map_err(|_| Reason::UnknownClient)?),
        None => None,
    };
    let Some(hint) = params.optional("id_token_hint")? else {
        return Ok(Asked {
            client: named,
            ..Asked::default()
        });
    };
    // The issuer of an application is tried where its client is named.
    let own = match &named {
        Some(id) => server.ports.client(id, at).await?,
        None => None,
    };
    let issuer = own.map_or_else(
        || server.config.issuer.clone(),
        |client| server.config.issuer_of(&client),
    );
    match hinted(server, &issuer, hint, at).await? {
        Some(hinted) if named.is_none() || named == hinted.client => Ok(hinted),
        _ => Ok(Asked {
            distrusted: true,
            ..Asked::default()
        }),
    }
}

/// To whom, about whom and in which session an ID token of ours was issued, expired or not; `None`
/// when it is none.
async fn hinted<P: Ports>(
    server: &Server<P>,
    issuer: &str,
    hint: &str,
    at: &At,
) -> Result<Option<Asked>, Reason> {
    let policy = Policy::new(issuer, "", ExpectedTyp::Plain)
        .danger_accept_any_audience()
        .danger_accept_expired();
    let claims = match signing::verify_own(server, hint, &policy, at).await {
        Ok(claims) => claims,
        Err(Some(reason)) => return Err(reason),
        Err(None) => return Ok(None),
    };
    let ([audience], Some(subject)) = (claims.audience(), claims.subject()) else {
        return Ok(None);
    };
    let session = claims.text("sid").ok().flatten();
    Ok(ClientId::parse(audience).ok().map(|client| Asked {
        client: Some(client),
        subject: Some(subject.to_owned()),
        session: session.map(str::to_owned),
        distrusted: false,
    }))
}

/// Only a URI that the named client registered for this (§3).
fn departure(client: Option<&Client>, requested: Option<&str>) -> Result<Option<String>, Reason> {
    let Some(requested) = requested else {
        return Ok(None);
    };
    let client = client.ok_or(Reason::MissingParameter("client_id"))?;
    if client
        .post_logout_redirect_uris
        .iter()
        .any(|uri| uri.matches(requested))
    {
        return Ok(Some(requested.to_owned()));
    }
    Err(Reason::UnregisteredRedirectUri)
}

fn leave<P>(server: &Server<P>, departure: Departure) -> Response {
    let answer = match departure.redirect_uri {
        Some(uri) => {
            let location = match departure.state {
                Some(state) => with_query(&uri, &[("state", &state)]),
                None => uri,
            };
            Response::see_other(location)
        }
        None => page::html(200, pages::logged_out(), None),
    };
    answer.with("set-cookie", session::forget(server))
}
