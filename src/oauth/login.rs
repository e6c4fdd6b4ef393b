//! The sign-in page.

use std::rc::Rc;

use super::page::{self, Browser};
use super::params::Params;
use super::{authorize, claims, consent, password, session};
use crate::error::Reason;
use crate::http::{Request, Response, with_query};
use crate::model::redirect::display_host;
use crate::model::{Client, Secret};
use crate::pages::{self, Account, Application, Login, LoginMessage, field};
use crate::ports::directory::HasAccounts;
use crate::ports::ledger::{ListConsents, Session};
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::{AuthorizationRequest, Departure, Intent, Pending};

const PARAMETERS: [&str; 4] = [
    field::REQUEST,
    field::CSRF,
    field::USERNAME,
    field::PASSWORD,
];

/// What is shown of a name that was typed; a longer one is nobody's.
const LONGEST_SHOWN: usize = 64;

/// `GET` and `POST /login`.
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
    let Some(sealed) = params.optional(field::REQUEST)? else {
        return show_account(server, request, &browser, at).await;
    };
    let pending = page::unseal(server, &browser, sealed, at).await?;
    if !server.ports.directory(at, HasAccounts {}).await? {
        return Ok(not_ready(server));
    }
    let asks_again = match &pending.value().intent {
        Intent::Authorize(request) => {
            let client = authorize::registered(server, request, at).await?;
            request.prompt.login || request.max_age.or(client.max_session_age).is_some()
        }
        // Who is signed in comes here only when that is too long ago.
        Intent::Device(_) => true,
        _ => false,
    };
    let signed_in = session::current(server, request, at).await?.is_some();
    let message = (asks_again && signed_in).then_some(LoginMessage::ConfirmIdentity);
    let form = Form {
        sealed,
        pending: pending.value(),
        username: None,
        message,
    };
    form.show(server, &browser, 200, at).await
}

/// The page of a deployment without accounts; it names what makes the first administrator.
fn not_ready<P>(server: &Server<P>) -> Response {
    let command = format!(
        "curl {} \\\n  -H \"Authorization: Bearer $BOOTSTRAP_TOKEN\" \\\n  \
         -H \"Content-Type: application/json\" \\\n  \
         -d '{{\"username\": \"admin\", \"password\": \"…\"}}'",
        server.config.url("/api/v1/first-run")
    );
    page::html(503, pages::not_ready(&command), None)
}

/// `/login` by itself: who is signed in, or the form for it.
async fn show_account<P: Ports>(
    server: &Server<P>,
    request: &Request,
    browser: &Browser,
    at: &At,
) -> Result<Response, Reason> {
    if !server.ports.directory(at, HasAccounts {}).await? {
        return Ok(not_ready(server));
    }
    if let Some(session) = session::current(server, request, at).await? {
        return account(server, browser, &session, at).await;
    }
    let sealed = page::seal(server, browser, Intent::Login, at).await?;
    let pending = page::unseal(server, browser, sealed.expose(), at).await?;
    let form = Form {
        sealed: sealed.expose(),
        pending: pending.value(),
        username: None,
        message: None,
    };
    form.show(server, browser, 200, at).await
}

/// Who is signed in, and which applications have a lasting permission.
async fn account<P: Ports>(
    server: &Server<P>,
    browser: &Browser,
    session: &Session,
    at: &At,
) -> Result<Response, Reason> {
    let subject = session.subject.subject.clone();
    let list = ListConsents {
        subject: subject.clone(),
    };
    let given = server.ports.ledger(session.subject.shard, at, list).await?;
    let mut applications = Vec::new();
    for given in given {
        let name = consent::client_name(server, &given.client, at).await?;
        applications.push((given.client, name, given.scope.to_string()));
    }
    let lines: Vec<Application<'_>> = applications
        .iter()
        .map(|(id, name, scope)| Application {
            id: id.as_str(),
            name,
            scope,
        })
        .collect();
    let leave = page::seal(server, browser, Intent::Logout(Departure::default()), at).await?;
    let own = page::seal(server, browser, Intent::Account(subject), at).await?;
    let page = pages::account(&Account {
        username: session.subject.username.as_str(),
        applications: &lines,
        action: &server.config.path("/logout"),
        request: leave.expose(),
        csrf: &page::csrf(server, browser, leave.expose())?,
        withdraw_action: &server.config.path("/consent"),
        withdraw_request: own.expose(),
        withdraw_csrf: &page::csrf(server, browser, own.expose())?,
    });
    Ok(browser.remember(server, page::html(200, page, None)))
}

struct Form<'a> {
    sealed: &'a str,
    pending: &'a Pending,
    username: Option<&'a str>,
    message: Option<LoginMessage>,
}

impl Form<'_> {
    async fn show<P: Ports>(
        &self,
        server: &Server<P>,
        browser: &Browser,
        status: u16,
        at: &At,
    ) -> Result<Response, Reason> {
        let authorization = match &self.pending.intent {
            Intent::Authorize(authorization) => Some(authorization),
            Intent::Login | Intent::Device(_) => None,
            Intent::Account(_) | Intent::Consent(..) | Intent::Logout(_) | Intent::Approve(..) => {
                return Err(Reason::PageFromElsewhere);
            }
        };
        let client = match authorization {
            Some(authorization) => Some(authorize::registered(server, authorization, at).await?),
            None => None,
        };
        let leads_to = authorization.map(|authorization| authorization.redirect_uri.as_str());
        let hint = authorization.and_then(|authorization| authorization.login_hint.as_deref());
        let csrf = page::csrf(server, browser, self.sealed)?;
        let login = Login {
            title: client
                .as_ref()
                .and_then(|client| client.title("authentication")),
            client_name: client.as_ref().map(|client| client.name.as_str()),
            redirect_host: leads_to.map(display_host),
            action: &server.config.path("/login"),
            request: Some(self.sealed),
            csrf: &csrf,
            username: self.username.or(hint).unwrap_or_default(),
            message: self.message,
        };
        let page = page::html(status, pages::login(&login), leads_to);
        Ok(browser.remember(server, page))
    }
}

async fn submit<P: Ports>(
    server: &Server<P>,
    request: &Request,
    at: &At,
) -> Result<Response, Reason> {
    let (browser, params) = page::posted(server, request, &PARAMETERS)?;
    let sealed = params.required(field::REQUEST)?;
    let pending = page::unseal(server, &browser, sealed, at).await?;
    let username = params.typed(field::USERNAME)?;
    let secret = Secret::new(params.typed(field::PASSWORD)?);
    let network = request.network();

    let account = match password::check(server, username, &secret, network.as_deref(), at).await {
        Ok(account) => account,
        Err(reason @ (Reason::WrongCredentials | Reason::TooManyFailures(_))) => {
            let message = match reason {
                Reason::TooManyFailures(seconds) => LoginMessage::TooManyAttempts { seconds },
                _ => LoginMessage::WrongCredentials,
            };
            let status = reason.status();
            let shown = username.get(..LONGEST_SHOWN).unwrap_or(username);
            let shown = (shown.len() <= LONGEST_SHOWN).then_some(shown);
            let form = Form {
                sealed,
                pending: pending.value(),
                username: shown,
                message: Some(message),
            };
            let page = form.show(server, &browser, status, at).await?;
            return Ok(page.because_of(reason));
        }
        Err(other) => return Err(other),
    };
    let once = page::spending(&pending);
    let mut afterwards = server.config.url("/login");
    let goes_on = match pending.into_value().intent {
        Intent::Authorize(authorization) => {
            let client = authorize::registered(server, &authorization, at).await?;
            Some((*authorization, client))
        }
        Intent::Device(typed) => {
            afterwards = with_query(&server.config.url("/device"), &[(field::USER_CODE, &typed)]);
            None
        }
        Intent::Login
        | Intent::Account(_)
        | Intent::Consent(..)
        | Intent::Logout(_)
        | Intent::Approve(..) => None,
    };
    let (session, cookie) =
        session::open(server, request, once, &account.facts, &["pwd"], at).await?;
    let session = Rc::new(session);
    let answer = match goes_on {
        Some((authorization, client)) => {
            signed_in(server, request, &client, authorization, session, at).await
        }
        None => Response::see_other(afterwards),
    };
    Ok(answer.with("set-cookie", cookie))
}

/// Goes on with the request that the person signed in for.
async fn signed_in<P: Ports>(
    server: &Server<P>,
    request: &Request,
    client: &Client,
    mut authorization: AuthorizationRequest,
    session: Rc<Session>,
    at: &At,
) -> Response {
    let expected = authorization.expected_subject.as_deref();
    let other = |expected| !claims::is_told_as(server, client, &session.subject, expected);
    if expected.is_some_and(other) {
        return authorize::refuse(server, client, &authorization, Reason::LoginRequired);
    }
    authorization.prompt.login = false;
    let for_refusal = authorization.clone();
    authorize::next(server, request, client, authorization, Some(session), at)
        .await
        .unwrap_or_else(|reason| authorize::refuse(server, client, &for_refusal, reason))
}
