//! Signing out, OpenID Connect RP-Initiated Logout §2. A link never signs anybody out: the page
//! asks, unless the application proves by an ID token that it is this person's.

use super::login::spend;
use super::page::{self, Browser};
use super::params::Params;
use super::{authorize, session};
use crate::error::Reason;
use crate::http::{Request, Response, with_query};
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

/// As long as the authorization endpoint's.
const LONGEST_STATE: usize = 4096;

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
    let client = client(server, &params, at).await?;
    let hinted = match (&client, params.optional("id_token_hint")?) {
        (Some(client), Some(hint)) => {
            Some(authorize::hinted_subject(server, &client.id, hint, at).await?)
        }
        (None, Some(_)) => return Err(Reason::MissingParameter("client_id")),
        (_, None) => None,
    };
    let departure = Departure {
        redirect_uri: departure(
            client.as_deref(),
            params.optional("post_logout_redirect_uri")?,
        )?,
        state: params.within("state", LONGEST_STATE)?.map(str::to_owned),
    };
    let Some(session) = session::current(server, request, at).await? else {
        return Ok(leave(server, departure));
    };
    if let Some(hinted) = hinted {
        // The hint proves that the application knows whom it signs out.
        if session.subject.subject.as_str() == hinted {
            session::end(server, &session, at).await?;
            return Ok(leave(server, departure));
        }
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
    let params = Params::parse(request.form()?, &PARAMETERS);
    let browser = Browser::of(server, request)?;
    let sealed = params.required(field::REQUEST)?;
    page::check_form(
        server,
        request,
        &browser,
        sealed,
        params.typed(field::CSRF)?,
    )?;
    let pending = page::unseal(server, &browser, sealed, at).await?;
    let Intent::Logout(departure) = pending.value().intent.clone() else {
        return Err(Reason::PageFromElsewhere);
    };
    spend(server, &pending, at).await?;
    if let Some(session) = session::current(server, request, at).await? {
        session::end(server, &session, at).await?;
    }
    Ok(leave(server, departure))
}

async fn client<P: Ports>(
    server: &Server<P>,
    params: &Params,
    at: &At,
) -> Result<Option<std::rc::Rc<Client>>, Reason> {
    let Some(id) = params.optional("client_id")? else {
        return Ok(None);
    };
    let id = ClientId::parse(id).map_err(|_| Reason::UnknownClient)?;
    let client = server.ports.client(&id, at).await?;
    client
        .filter(|client| client.enabled)
        .map(Some)
        .ok_or(Reason::UnknownClient)
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
