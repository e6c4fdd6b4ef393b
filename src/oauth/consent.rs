//! The consent page: the person agrees to exactly what it shows, or does not.

use std::rc::Rc;

use super::page::{self, Browser};
use super::params::Params;
use super::{authorization_response, authorize, grantable, session};
use crate::directory::record::Actor;
use crate::error::Reason;
use crate::http::{Request, Response};
use crate::model::redirect::display_host;
use crate::model::scope::{OFFLINE_ACCESS, OWN};
use crate::model::{ClientId, Scope, Subject};
use crate::pages::{self, Consent, ScopeLine, field};
use crate::ports::ledger::{ReadConsent, RememberConsent, Session, WithdrawConsent};
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::{AuthorizationRequest, Intent};

const PARAMETERS: [&str; 4] = [field::REQUEST, field::CSRF, field::DECISION, field::CLIENT];

/// `GET` and `POST /consent`.
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
    let browser = Browser::of(server, request)?;
    let sealed = params.required(field::REQUEST)?;
    let pending = page::unseal(server, &browser, sealed, at)
        .await?
        .into_value();
    let Intent::Consent(authorization, asked) = pending.intent else {
        return Err(Reason::PageFromElsewhere);
    };
    let Some(session) = of_subject(server, request, &asked, at).await? else {
        return sign_in_again(server, &browser, *authorization, at).await;
    };
    let client = authorize::registered(server, &authorization, at).await?;
    let read = ReadConsent {
        subject: asked,
        client: client.id.clone(),
    };
    let agreed = server.ports.ledger(session.subject.shard, at, read).await?;
    let agreed = agreed.unwrap_or_default();
    let lines = lines(&authorization.scope, &agreed);
    let csrf = page::csrf(server, &browser, sealed)?;
    let consent = Consent {
        title: client.title("authorization"),
        client_name: &client.name,
        client_uri: client.client_uri.as_deref(),
        redirect_host: display_host(&authorization.redirect_uri),
        username: session.subject.username.as_str(),
        scopes: &lines,
        offline: authorization.scope.contains(OFFLINE_ACCESS),
        remembered: authorize::is_remembered(&client, &authorization.redirect_uri),
        action: &server.config.path("/consent"),
        request: sealed,
        csrf: &csrf,
    };
    let page = page::html(
        200,
        pages::consent(&consent),
        Some(&authorization.redirect_uri),
    );
    Ok(browser.remember(server, page))
}

/// What is asked, line by line.
pub(super) fn lines<'a>(scope: &'a Scope, agreed: &Scope) -> Vec<ScopeLine<'a>> {
    let asked = scope.iter().filter(|scope| *scope != OFFLINE_ACCESS);
    asked
        .map(|name| ScopeLine {
            name,
            description: description(name),
            granted: agreed.contains(name),
        })
        .collect()
}

async fn submit<P: Ports>(
    server: &Server<P>,
    request: &Request,
    at: &At,
) -> Result<Response, Reason> {
    let (browser, params) = page::posted(server, request, &PARAMETERS)?;
    let sealed = params.required(field::REQUEST)?;
    let allowed = match params.required(field::DECISION)? {
        field::ALLOW => true,
        field::DENY => false,
        field::WITHDRAW => return withdraw(server, request, &browser, &params, at).await,
        _ => return Err(Reason::MalformedParameter(field::DECISION)),
    };
    let pending = page::unseal(server, &browser, sealed, at).await?;
    let Intent::Consent(authorization, asked) = pending.value().intent.clone() else {
        return Err(Reason::PageFromElsewhere);
    };
    let client = authorize::registered(server, &authorization, at).await?;
    let Some(session) = of_subject(server, request, &asked, at).await? else {
        return sign_in_again(server, &browser, *authorization, at).await;
    };
    page::spend(server, &pending, at).await?;
    if !allowed {
        return Ok(authorize::refuse(
            server,
            &client,
            &authorization,
            Reason::Denied,
        ));
    }
    // What the person or the client lost since the page was shown is not granted silently less:
    // the page is asked again, with what is left.
    let now = grantable::for_subject(&client, &authorization.scope, &session.subject);
    if now != authorization.scope {
        return ask_again(server, &browser, *authorization, now, asked, at).await;
    }
    let answer = async {
        // Kept even where the next request asks again: the account page lists it, and takes it back.
        let remember = RememberConsent {
            subject: asked,
            client: client.id.clone(),
            scope: authorization.scope.clone(),
        };
        server
            .ports
            .ledger(session.subject.shard, at, remember)
            .await?;
        authorization_response::issue(server, &client, &authorization, &session, at).await
    };
    let answer: Result<Response, Reason> = answer.await;
    Ok(answer.unwrap_or_else(|reason| authorize::refuse(server, &client, &authorization, reason)))
}

/// Takes a consent back from the account page; what rests on it ends. Doing it twice is once.
async fn withdraw<P: Ports>(
    server: &Server<P>,
    request: &Request,
    browser: &Browser,
    params: &Params,
    at: &At,
) -> Result<Response, Reason> {
    let sealed = params.required(field::REQUEST)?;
    let Intent::Account(owner) = page::unseal(server, browser, sealed, at)
        .await?
        .into_value()
        .intent
    else {
        return Err(Reason::PageFromElsewhere);
    };
    let client = ClientId::parse(params.required(field::CLIENT)?)
        .map_err(|_| Reason::MalformedParameter(field::CLIENT))?;
    if let Some(session) = of_subject(server, request, &owner, at).await? {
        let withdraw = WithdrawConsent {
            subject: owner,
            client,
            actor: Some(Actor {
                name: session.subject.username.to_string(),
                address: request.address.clone(),
            }),
        };
        server
            .ports
            .ledger(session.subject.shard, at, withdraw)
            .await?;
    }
    Ok(Response::see_other(server.config.url("/login")))
}

/// The session, if it is still of the person who was asked.
async fn of_subject<P: Ports>(
    server: &Server<P>,
    request: &Request,
    asked: &Subject,
    at: &At,
) -> Result<Option<Rc<Session>>, Reason> {
    let session = session::current(server, request, at).await?;
    Ok(session.filter(|session| session.subject.subject == *asked))
}

async fn sign_in_again<P: Ports>(
    server: &Server<P>,
    browser: &Browser,
    authorization: AuthorizationRequest,
    at: &At,
) -> Result<Response, Reason> {
    let intent = Intent::Authorize(Box::new(authorization));
    page::lead_to(server, browser, "/login", intent, at).await
}

async fn ask_again<P: Ports>(
    server: &Server<P>,
    browser: &Browser,
    authorization: AuthorizationRequest,
    scope: Scope,
    asked: Subject,
    at: &At,
) -> Result<Response, Reason> {
    let narrowed = AuthorizationRequest {
        scope,
        ..authorization
    };
    let intent = Intent::Consent(Box::new(narrowed), asked);
    page::lead_to(server, browser, "/consent", intent, at).await
}

/// What people know a client as; its id, when it is registered no more.
///
/// # Errors
/// [`Reason::Unavailable`].
pub async fn client_name<P: Ports>(
    server: &Server<P>,
    id: &ClientId,
    at: &At,
) -> Result<String, Reason> {
    let client = server.ports.client(id, at).await?;
    Ok(client.map_or(id.to_string(), |client| client.name.clone()))
}

/// What a scope means to its owner; the directory will say it of others.
fn description(scope: &str) -> &'static str {
    match scope {
        "openid" => "Know who you are",
        "profile" => "See your name and username",
        "email" => "See your mail address",
        "admin:token" => "Administer this deployment",
        OWN => "Create and delete your tokens",
        _ => "",
    }
}
