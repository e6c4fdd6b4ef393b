//! The authorization endpoint, RFC 6749 §3.1 and OpenID Connect Core §3.1.2.
//!
//! A refusal stays on our own page until the redirect URI is proven: `ProvenRedirect` is the
//! only thing that redirects, and only the client's own registration makes one.

use std::rc::Rc;

use super::page::{self, Browser};
use super::params::Params;
use super::{claims, client_authentication, grantable, pkce, session, signing};
use crate::error::Reason;
use crate::http::{Request, Response, with_query};
use crate::jose::Policy;
use crate::jose::id_token;
use crate::model::scope::OFFLINE_ACCESS;
use crate::model::{Client, ClientId, GrantType, Scope, Seconds, TokenId};
use crate::ports::ledger::{ReadConsent, Session};
use crate::ports::{At, CodeRecord, Ports};
use crate::server::Server;
use crate::token::{AuthorizationCode, AuthorizationRequest, Intent, Prompt, code};

const PARAMETERS: [&str; 22] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "resource",
    "code_challenge",
    "code_challenge_method",
    "nonce",
    "prompt",
    "max_age",
    "login_hint",
    "id_token_hint",
    "response_mode",
    "request",
    "request_uri",
    "continue",
    "display",
    "ui_locales",
    "claims_locales",
    "acr_values",
    "claims",
];

/// `state` and `nonce` come back byte for byte, or not at all: longer ones are refused, because a
/// URL that carries them does not survive every proxy.
pub(super) const LONGEST_STATE: usize = 4096;
const LONGEST_NONCE: usize = 1024;
const LONGEST_HINT: usize = 256;

/// Where an answer may go: a URI that the client registered, and the `state` to return.
struct ProvenRedirect {
    uri: String,
    state: Option<String>,
    /// What the answer says it is of (RFC 9207).
    issuer: String,
}

/// Why a request is not granted, and who may be told.
enum Refusal {
    /// Only the person in front of the browser.
    Local(Reason),
    /// The client, at its own URI.
    Redirect(ProvenRedirect, Reason),
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
        Err(Refusal::Redirect(to, reason)) => redirect_refusal(&to, reason),
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
    let redirect_uri = redirect_uri(&client, params)?;
    // A `state` that cannot be returned unchanged is not returned at all.
    let state = params.within("state", LONGEST_STATE);
    let proven = ProvenRedirect {
        uri: redirect_uri.clone(),
        state: state.clone().ok().flatten().map(str::to_owned),
        issuer: server.config.issuer_of(&client),
    };
    let read = async {
        state?;
        let mut read = read(&client, redirect_uri, params)?;
        read.expected_subject = expected_subject(server, &client, params, at).await?;
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

fn redirect_uri(client: &Client, params: &Params) -> Result<String, Reason> {
    match params.optional("redirect_uri")? {
        Some(requested) if client.check_redirect_uri(requested) => Ok(requested.to_owned()),
        Some(_) => Err(Reason::UnregisteredRedirectUri),
        None => {
            let openid = params.optional("scope").is_ok_and(|scope| {
                scope.is_some_and(|scope| scope.split(' ').any(|s| s == "openid"))
            });
            match client.redirect_uris.as_slice() {
                [only] if !openid => Ok(only.as_str().to_owned()),
                _ => Err(Reason::MissingParameter("redirect_uri")),
            }
        }
    }
}

fn read(
    client: &Client,
    redirect_uri: String,
    params: &Params,
) -> Result<AuthorizationRequest, Reason> {
    params.refuse_repeated()?;
    if params.optional("request")?.is_some() {
        return Err(Reason::RequestObject);
    }
    if params.optional("request_uri")?.is_some() {
        return Err(Reason::RequestUri);
    }
    match params.required("response_type")? {
        "code" => {}
        _ => return Err(Reason::UnknownResponseType),
    }
    if !client.check_grant_type(GrantType::AuthorizationCode) {
        return Err(Reason::GrantNotAllowed);
    }
    if params
        .optional("response_mode")?
        .is_some_and(|mode| mode != "query")
    {
        return Err(Reason::MalformedParameter("response_mode"));
    }
    let scope = match params.optional("scope")? {
        Some(text) => Scope::parse(text).map_err(|_| Reason::MalformedParameter("scope"))?,
        // Access that outlives the session is never a default.
        None => client.scope.filter(|token| token != OFFLINE_ACCESS),
    };
    if !scope.is_subset(&client.scope) {
        return Err(Reason::ScopeExceeded);
    }
    let max_age = match params.optional("max_age")? {
        None => None,
        Some(text) => match text.parse() {
            Ok(seconds) if text.bytes().all(|byte| byte.is_ascii_digit()) => Some(Seconds(seconds)),
            _ => return Err(Reason::MalformedParameter("max_age")),
        },
    };
    Ok(AuthorizationRequest {
        client: client.id.clone(),
        redirect_uri,
        state: params.optional("state")?.map(str::to_owned),
        scope,
        audience: grantable::audience(client, params.optional("resource")?)?,
        challenge: pkce::challenge(
            params.optional("code_challenge")?,
            params.optional("code_challenge_method")?,
        )?,
        nonce: params.within("nonce", LONGEST_NONCE)?.map(str::to_owned),
        prompt: prompt(params.optional("prompt")?)?,
        max_age,
        login_hint: params
            .within("login_hint", LONGEST_HINT)?
            .map(str::to_owned),
        expected_subject: None,
    })
}

fn prompt(text: Option<&str>) -> Result<Prompt, Reason> {
    let mut prompt = Prompt::default();
    for word in text
        .unwrap_or_default()
        .split(' ')
        .filter(|word| !word.is_empty())
    {
        match word {
            "none" => prompt.none = true,
            "login" | "select_account" => prompt.login = true,
            "consent" => prompt.consent = true,
            _ => return Err(Reason::MalformedParameter("prompt")),
        }
    }
    if prompt.none && (prompt.login || prompt.consent) {
        return Err(Reason::MalformedParameter("prompt"));
    }
    Ok(prompt)
}

/// Whom an `id_token_hint` names: a token of ours for this client, expired or not.
async fn expected_subject<P: Ports>(
    server: &Server<P>,
    client: &Client,
    params: &Params,
    at: &At,
) -> Result<Option<String>, Reason> {
    let Some(hint) = params.optional("id_token_hint")? else {
        return Ok(None);
    };
    hinted_subject(server, client, hint, at).await.map(Some)
}

/// The subject of an ID token that we issued to this client, expired or not.
///
/// # Errors
/// [`Reason::MalformedParameter`] when it is not such a token.
pub async fn hinted_subject<P: Ports>(
    server: &Server<P>,
    client: &Client,
    hint: &str,
    at: &At,
) -> Result<String, Reason> {
    let issuer = server.config.issuer_of(client);
    let policy: Policy = id_token::policy(&issuer, client.id.as_str()).danger_accept_expired();
    match signing::verify_own(server, hint, &policy, at).await {
        Ok(claims) => claims
            .subject()
            .map(str::to_owned)
            .ok_or(Reason::MalformedParameter("id_token_hint")),
        Err(Some(reason)) => Err(reason),
        Err(None) => Err(Reason::MalformedParameter("id_token_hint")),
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
    let proven = ProvenRedirect {
        uri: authorization.redirect_uri.clone(),
        state: authorization.state.clone(),
        issuer: server.config.issuer_of(&client),
    };
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
    issue(server, client, &authorization, &session, at).await
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

/// Issues a code for exactly what the request says, and remembers it.
///
/// # Errors
/// [`Reason::Unavailable`]; then no code has left.
pub async fn issue<P: Ports>(
    server: &Server<P>,
    client: &Client,
    authorization: &AuthorizationRequest,
    session: &Session,
    at: &At,
) -> Result<Response, Reason> {
    let now = at.now.unix();
    let subject = &session.subject;
    let code = AuthorizationCode {
        client: client.id.clone(),
        redirect_uri: authorization.redirect_uri.clone(),
        challenge: authorization.challenge.clone(),
        subject: subject.subject.clone(),
        shard: subject.shard,
        generation: subject.generation,
        client_generation: client.generation,
        session: session.id.clone(),
        scope: authorization.scope.clone(),
        audience: authorization.audience.clone(),
        nonce: authorization.nonce.clone(),
        auth_time: session.authentication.time,
        amr: session.authentication.methods.clone(),
        issued_at: now,
        expires_at: now + client.code_lifetime.unwrap_or(code::LIFETIME),
    };
    let epoch = server.ports.revocations(at).await?.epoch();
    let id = server.fresh_id()?;
    let sealed = server.keyring.seal(&code, epoch, id)?;
    let record = CodeRecord {
        pk: random_pk(server)?,
        grant: TokenId::from(id).into(),
        shard: code.shard,
        client: code.client,
        subject: code.subject,
        username: subject.username.clone(),
        session: code.session,
        scope: code.scope,
        issued_at: code.issued_at,
        expires_at: code.expires_at,
    };
    server.ports.remember(&record).await?;
    let proven = ProvenRedirect {
        uri: authorization.redirect_uri.clone(),
        state: authorization.state.clone(),
        issuer: server.config.issuer_of(client),
    };
    Ok(redirect(&proven, &[("code", sealed.expose())]))
}

/// 53 random bits.
fn random_pk<P: Ports>(server: &Server<P>) -> Result<u64, Reason> {
    let mut bytes = [0; 8];
    server.ports.fill(&mut bytes)?;
    Ok(u64::from_be_bytes(bytes) >> 11)
}

/// The answer to the client: its parameters, `state`, and `iss` (RFC 9207).
fn redirect(to: &ProvenRedirect, parameters: &[(&str, &str)]) -> Response {
    let mut all = parameters.to_vec();
    if let Some(state) = &to.state {
        all.push(("state", state));
    }
    all.push(("iss", &to.issuer));
    Response::see_other(with_query(&to.uri, &all))
}

fn redirect_refusal(to: &ProvenRedirect, reason: Reason) -> Response {
    let description = reason.description();
    let parameters = [
        ("error", reason.code().as_str()),
        ("error_description", description.as_str()),
    ];
    let mut response = redirect(to, &parameters);
    response.reason = Some(reason);
    response
}

/// Tells the client of a proven request why it is refused.
#[must_use]
pub fn refuse<P>(
    server: &Server<P>,
    client: &Client,
    authorization: &AuthorizationRequest,
    reason: Reason,
) -> Response {
    let to = ProvenRedirect {
        uri: authorization.redirect_uri.clone(),
        state: authorization.state.clone(),
        issuer: server.config.issuer_of(client),
    };
    redirect_refusal(&to, reason)
}
