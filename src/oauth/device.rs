//! The page where somebody types a device's user code and agrees (RFC 8628 §3.3). Three steps: sign in,
//! type the code (or see it there already), and answer. Nothing is looked up before it was posted, and
//! nothing is agreed to by a link.

use std::rc::Rc;

use super::device_authorization::{key_of, read};
use super::page::{self, Browser};
use super::params::Params;
use super::{client_authentication, consent, grantable, password, session};
use crate::error::Reason;
use crate::http::{Request, Response};
use crate::model::scope::OFFLINE_ACCESS;
use crate::model::{Client, ClientId, GrantType, Seconds, Shard, Subject};
use crate::pages::{self, Device, DeviceCode, field};
use crate::ports::device::{Approval, DecideDevice, ReadDevice};
use crate::ports::ledger::{RateLimit, ReadConsent, RememberConsent, Session};
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::{DeviceQuestion, Intent};

const PARAMETERS: [&str; 4] = [
    field::REQUEST,
    field::CSRF,
    field::DECISION,
    field::USER_CODE,
];

/// What is typed is at most this long; a code is nine.
const LONGEST_TYPED: usize = 64;

/// Wrong codes of one person while a code lives (RFC 8628 §5.1): of every session, so that signing in
/// again gives no more.
const PER_PERSON: RateLimit = RateLimit {
    most: 5,
    window: Seconds(600),
};
/// Wrong codes from one address: people behind one address mistype, too.
const PER_ADDRESS: RateLimit = RateLimit {
    most: 30,
    window: Seconds(600),
};

/// `GET` and `POST /device`.
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
    let session = session::current(server, request, at).await?;
    let Some(sealed) = params.optional(field::REQUEST)? else {
        let typed = params.within(field::USER_CODE, LONGEST_TYPED)?;
        let typed = typed.unwrap_or_default();
        return match session {
            Some(session) => ask_for_code(server, &browser, &session, typed, None, at).await,
            None => sign_in(server, &browser, typed, at).await,
        };
    };
    let pending = page::unseal(server, &browser, sealed, at).await?;
    let Intent::Approve(question, asked) = pending.into_value().intent else {
        return Err(Reason::PageFromElsewhere);
    };
    let client = asking(server, &question.client, at)
        .await?
        .ok_or(Reason::PageExpired)?;
    let Some(session) = answering(session, &client, &asked, at) else {
        return sign_in(server, &browser, &question.user_code, at).await;
    };
    let read = ReadConsent {
        subject: asked,
        client: client.id.clone(),
    };
    let agreed = server.ports.ledger(session.subject.shard, at, read).await?;
    let device = Device {
        title: client.title("authorization"),
        client_name: &client.name,
        client_uri: client.client_uri.as_deref(),
        username: session.subject.username.as_str(),
        user_code: &question.user_code,
        scopes: &consent::lines(&question.scope, &agreed.unwrap_or_default()),
        offline: question.scope.contains(OFFLINE_ACCESS),
        action: &server.config.path("/device"),
        request: sealed,
        csrf: &page::csrf(server, &browser, sealed)?,
    };
    Ok(browser.remember(server, page::html(200, pages::device(&device), None)))
}

async fn submit<P: Ports>(
    server: &Server<P>,
    request: &Request,
    at: &At,
) -> Result<Response, Reason> {
    let (browser, params) = page::posted(server, request, &PARAMETERS)?;
    let sealed = params.required(field::REQUEST)?;
    let pending = page::unseal(server, &browser, sealed, at).await?;
    let session = session::current(server, request, at).await?;
    match pending.into_value().intent {
        Intent::Device(_) => {
            let typed = params.within(field::USER_CODE, LONGEST_TYPED)?;
            let typed = typed.unwrap_or_default();
            let Some(session) = session else {
                return sign_in(server, &browser, typed, at).await;
            };
            find(server, request, &browser, session, typed, at).await
        }
        Intent::Approve(question, asked) => {
            let allowed = match params.required(field::DECISION)? {
                field::ALLOW => true,
                field::DENY => false,
                _ => return Err(Reason::MalformedParameter(field::DECISION)),
            };
            decide(server, &browser, session, *question, asked, allowed, at).await
        }
        _ => Err(Reason::PageFromElsewhere),
    }
}

/// Looks for the device whose code was typed. Unknown, expired and used codes are one.
async fn find<P: Ports>(
    server: &Server<P>,
    request: &Request,
    browser: &Browser,
    session: Rc<Session>,
    typed: &str,
    at: &At,
) -> Result<Response, Reason> {
    let subject = &session.subject.subject;
    let mut keys = vec![(format!("device:{subject}"), PER_PERSON)];
    if let Some(network) = request.network() {
        keys.push((format!("device:{network}"), PER_ADDRESS));
    }
    let found = async {
        password::refuse_throttled(server, &keys, at).await?;
        let Some((question, client)) = look_up(server, &session, typed, at).await? else {
            password::record_failure(server, keys.clone(), at).await?;
            return Err(Reason::UserCodeUnknown);
        };
        // Guesses that were sent together all passed the first look.
        password::refuse_throttled(server, &keys, at).await?;
        Ok((question, client))
    };
    match found.await {
        Ok((question, client)) => {
            let asked = subject.clone();
            if answering(Some(session), &client, &asked, at).is_none() {
                return sign_in(server, browser, &question.user_code, at).await;
            }
            let intent = Intent::Approve(Box::new(question), asked);
            page::lead_to(server, browser, "/device", intent, at).await
        }
        Err(reason @ (Reason::UserCodeUnknown | Reason::TooManyFailures(_))) => {
            ask_for_code(server, browser, &session, typed, Some(reason), at).await
        }
        Err(other) => Err(other),
    }
}

async fn look_up<P: Ports>(
    server: &Server<P>,
    session: &Session,
    typed: &str,
    at: &At,
) -> Result<Option<(DeviceQuestion, Rc<Client>)>, Reason> {
    let Some(user_code) = read(typed) else {
        return Ok(None);
    };
    let key = key_of(server, &user_code)?;
    let look = ReadDevice { key: key.clone() };
    let Some(waiting) = server.ports.ledger(Shard::of_key(&key), at, look).await? else {
        return Ok(None);
    };
    let Some(client) = asking(server, &waiting.client, at).await? else {
        return Ok(None);
    };
    let question = DeviceQuestion {
        user_code,
        key,
        grant: waiting.grant,
        client: waiting.client,
        scope: grantable::for_subject(&client, &waiting.scope, &session.subject),
    };
    Ok(Some((question, client)))
}

async fn decide<P: Ports>(
    server: &Server<P>,
    browser: &Browser,
    session: Option<Rc<Session>>,
    question: DeviceQuestion,
    asked: Subject,
    allowed: bool,
    at: &At,
) -> Result<Response, Reason> {
    let client = asking(server, &question.client, at)
        .await?
        .ok_or(Reason::PageExpired)?;
    let Some(session) = answering(session, &client, &asked, at) else {
        return sign_in(server, browser, &question.user_code, at).await;
    };
    let mut approval = None;
    if allowed {
        // What the person or the client lost since the page was shown is not granted silently less.
        let now = grantable::for_subject(&client, &question.scope, &session.subject);
        if now != question.scope {
            let narrowed = DeviceQuestion {
                scope: now,
                ..question
            };
            let intent = Intent::Approve(Box::new(narrowed), asked);
            return page::lead_to(server, browser, "/device", intent, at).await;
        }
        // The account page lists it, and takes it back; a device asks again all the same.
        let remember = RememberConsent {
            subject: asked.clone(),
            client: client.id.clone(),
            scope: question.scope.clone(),
        };
        server
            .ports
            .ledger(session.subject.shard, at, remember)
            .await?;
        approval = Some(Approval {
            subject: asked,
            shard: session.subject.shard,
            generation: session.subject.generation,
            session: session.id.clone(),
            scope: question.scope,
            authentication: session.authentication.clone(),
            agreed_at: at.now.unix(),
        });
    }
    let shard = Shard::of_key(&question.key);
    let decide = DecideDevice {
        key: question.key,
        grant: question.grant,
        approval,
    };
    if !server.ports.ledger(shard, at, decide).await? {
        return Err(Reason::PageSpent);
    }
    let page = pages::device_answered(&client.name, allowed);
    Ok(browser.remember(server, page::html(200, page, None)))
}

/// The client, if it may still ask so.
async fn asking<P: Ports>(
    server: &Server<P>,
    id: &ClientId,
    at: &At,
) -> Result<Option<Rc<Client>>, Reason> {
    match client_authentication::named(server, id, at).await {
        Ok(client) => Ok(Some(client).filter(|it| it.check_grant_type(GrantType::DeviceCode))),
        Err(Reason::UnknownClient) => Ok(None),
        Err(other) => Err(other),
    }
}

/// The session, if it is of the person who was asked, and young enough for the client.
fn answering(
    session: Option<Rc<Session>>,
    client: &Client,
    asked: &Subject,
    at: &At,
) -> Option<Rc<Session>> {
    session.filter(|session| {
        let age = session.authentication.time.until(at.now.unix());
        session.subject.subject == *asked && client.max_session_age.is_none_or(|most| age <= most)
    })
}

async fn sign_in<P: Ports>(
    server: &Server<P>,
    browser: &Browser,
    typed: &str,
    at: &At,
) -> Result<Response, Reason> {
    let intent = Intent::Device(typed.to_owned());
    page::lead_to(server, browser, "/login", intent, at).await
}

/// The form for the code, with what was typed and what was wrong with it.
async fn ask_for_code<P: Ports>(
    server: &Server<P>,
    browser: &Browser,
    session: &Session,
    typed: &str,
    refused: Option<Reason>,
    at: &At,
) -> Result<Response, Reason> {
    let sealed = page::seal(server, browser, Intent::Device(String::new()), at).await?;
    let wait = match refused {
        Some(Reason::TooManyFailures(seconds)) => Some(seconds),
        _ => None,
    };
    let form = DeviceCode {
        username: session.subject.username.as_str(),
        user_code: typed,
        refused: refused.is_some(),
        wait,
        action: &server.config.path("/device"),
        request: sealed.expose(),
        csrf: &page::csrf(server, browser, sealed.expose())?,
    };
    let status = refused.as_ref().map_or(200, Reason::status);
    let page = page::html(status, pages::device_code(&form), None);
    let page = browser.remember(server, page);
    Ok(match refused {
        Some(reason) => page.because_of(reason),
        None => page,
    })
}
