//! What an authorization request says, RFC 6749 §4.1.1 and OpenID Connect Core §3.1.2.1.

use super::claims_parameter::{self, ClaimsRequest};
use super::params::Params;
use super::{claims, grantable, pkce, signing};
use crate::error::Reason;
use crate::jose::Policy;
use crate::jose::id_token;
use crate::model::scope::OFFLINE_ACCESS;
use crate::model::{Client, GrantType, ResponseMode, ResponseType, Scope, Seconds};
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::{AuthorizationRequest, Prompt};

/// The parameters of a request, and `continue`, by which one that was posted comes again.
pub const PARAMETERS: [&str; 23] = [
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
    "registration",
];

/// `state` and `nonce` come back byte for byte, or not at all: longer ones are refused, because a
/// URL that carries them does not survive every proxy.
pub const LONGEST_STATE: usize = 4096;
const LONGEST_NONCE: usize = 1024;
const LONGEST_HINT: usize = 256;

/// The redirect URI, if it is one of the client's.
///
/// # Errors
/// [`Reason::UnregisteredRedirectUri`] or [`Reason::MissingParameter`].
pub fn redirect_uri(client: &Client, params: &Params) -> Result<String, Reason> {
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

/// How this request is answered, whatever else is wrong with it: as its success would be, if that can
/// be told.
#[must_use]
pub fn response_mode(params: &Params, redirect_uri: &str) -> ResponseMode {
    let said = |name| params.optional(name).ok().flatten();
    let kind = said("response_type").and_then(ResponseType::parse);
    let kind = kind.unwrap_or_default();
    let mode = said("response_mode").and_then(ResponseMode::parse);
    mode.filter(|mode| mode.fits(kind, redirect_uri))
        .unwrap_or(kind.default_mode())
}

/// Reads a request whose redirect URI is proven. Whom it expects, [`expected_subject`] says.
///
/// # Errors
/// What the client is told.
pub fn read(
    client: &Client,
    redirect_uri: String,
    params: &Params,
) -> Result<AuthorizationRequest, Reason> {
    params.refuse_repeated()?;
    for (name, refusal) in [
        ("request", Reason::RequestObject),
        ("request_uri", Reason::RequestUri),
        ("registration", Reason::RegistrationParameter),
    ] {
        if params.optional(name)?.is_some() {
            return Err(refusal);
        }
    }
    let response_type = ResponseType::parse(params.required("response_type")?)
        .ok_or(Reason::UnknownResponseType)?;
    for grant in GrantType::ALL {
        if response_type.needs(grant) && !client.check_grant_type(grant) {
            return Err(Reason::GrantNotAllowed);
        }
    }
    if !client.check_response_type(response_type) {
        return Err(Reason::ResponseTypeNotAllowed);
    }
    let response_mode = match params.optional("response_mode")? {
        None => response_type.default_mode(),
        Some(text) => ResponseMode::parse(text)
            .filter(|mode| mode.fits(response_type, &redirect_uri))
            .ok_or(Reason::MalformedParameter("response_mode"))?,
    };
    let nonce = params.within("nonce", LONGEST_NONCE)?.map(str::to_owned);
    // OpenID Connect Core §3.2.2.1: nothing else ties a token that came by the address to a request.
    if response_type.has_id_token() && nonce.is_none() {
        return Err(Reason::MissingParameter("nonce"));
    }
    let asked = ClaimsRequest::of(params)?;
    let scope = scope(client, response_type, &asked, params)?;
    let max_age = max_age(params)?;
    let mut prompt = prompt(params.optional("prompt")?)?;
    // No sign-in is younger than this; but it is one of this request, not of the same second.
    prompt.login |= max_age == Some(Seconds(0));
    let known = |claim: &String| claims::scope_of(client, claim).is_some();
    Ok(AuthorizationRequest {
        client: client.id.clone(),
        response_type,
        response_mode,
        state: params.optional("state")?.map(str::to_owned),
        audience: grantable::audience(client, params.optional("resource")?)?,
        challenge: if response_type.has_code() {
            pkce::challenge(
                params.optional("code_challenge")?,
                params.optional("code_challenge_method")?,
                client.danger_allow_plain_code_challenge,
            )?
        } else {
            String::new()
        },
        nonce,
        prompt,
        max_age,
        login_hint: params
            .within("login_hint", LONGEST_HINT)?
            .map(str::to_owned),
        expected_subject: asked.subject,
        claims: asked.id_token.into_iter().filter(known).collect(),
        redirect_uri,
        scope,
    })
}

/// What is asked for: scopes, and those of claims that are asked for by name. So the person is asked
/// about every claim, whichever way it was asked for.
fn scope(
    client: &Client,
    response_type: ResponseType,
    asked: &ClaimsRequest,
    params: &Params,
) -> Result<Scope, Reason> {
    // Access that outlives the session is never a default.
    let usual = || client.scope.filter(|token| token != OFFLINE_ACCESS);
    let mut scope = params.scope()?.unwrap_or_else(usual);
    if !scope.is_subset(&client.scope) {
        return Err(Reason::ScopeExceeded);
    }
    if response_type.has_id_token() && !scope.contains("openid") {
        return Err(Reason::MissingParameter("the scope openid"));
    }
    if scope.contains("openid") {
        // UserInfo is asked with an access token (OpenID Connect Core §5.5).
        let told_there = response_type.has_code() || response_type.has_token();
        let userinfo = asked.userinfo.iter().filter(|_| told_there);
        for claim in asked.id_token.iter().chain(userinfo) {
            if let Some(of) = claims::scope_of(client, claim)
                && client.scope.contains(of)
            {
                scope = scope.with(of);
            }
        }
    }
    // Without a code there is no refresh token (OpenID Connect Core §11).
    if !response_type.has_code() {
        scope = scope.filter(|token| token != OFFLINE_ACCESS);
    }
    Ok(scope)
}

fn max_age(params: &Params) -> Result<Option<Seconds>, Reason> {
    match params.optional("max_age")? {
        None => Ok(None),
        Some(text) => match text.parse() {
            Ok(seconds) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                Ok(Some(Seconds(seconds)))
            }
            _ => Err(Reason::MalformedParameter("max_age")),
        },
    }
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

/// Whom a request is about: the subject of its `id_token_hint`, a token of ours for this client, expired
/// or not; else the one that its `claims` want.
///
/// # Errors
/// [`Reason::MalformedParameter`] for a hint that is no such token, and for two that are different.
pub async fn expected_subject<P: Ports>(
    server: &Server<P>,
    client: &Client,
    wanted: Option<String>,
    params: &Params,
    at: &At,
) -> Result<Option<String>, Reason> {
    let Some(hint) = params.optional("id_token_hint")? else {
        return Ok(wanted);
    };
    let hinted = hinted_subject(server, client, hint, at).await?;
    match wanted {
        Some(wanted) if wanted != hinted => Err(claims_parameter::UNFIT),
        _ => Ok(Some(hinted)),
    }
}

/// The subject of an ID token that we issued to this client, expired or not.
async fn hinted_subject<P: Ports>(
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
