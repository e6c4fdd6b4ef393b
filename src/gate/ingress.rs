//! `/ingress/auth` and `/ingress/anonymous`: what a proxy asks before it lets a request through.
//!
//! Only a proxy that proves itself is answered. What it says of the request then counts: it has overwritten
//! what the client said of itself.

use super::challenge;
use super::credentials::{self, Shown};
use super::delegate::{Delegation, delegate};
use super::headers;
use super::origin::Url;
use super::principal::Principal;
use super::quota::{self, Counted};
use super::requirements::Requirements;
use crate::config::Config;
use crate::directory::Unfit;
use crate::error::Reason;
use crate::http::{Original, Request, Response};
use crate::model::{ClientId, secret};
use crate::oauth::mac;
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::mac::is_mac;

/// `GET /ingress/auth`.
pub async fn auth<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Response {
    let config = &server.config;
    let Some(original) = from_proxy(config, request) else {
        return nothing();
    };
    let script = original.requested_with.as_deref();
    let script = script.is_some_and(|by| by.eq_ignore_ascii_case("XMLHttpRequest"));
    let asked = match server.requirements.read(&request.query) {
        Ok(asked) => asked,
        Err(reason) => return challenge::refusal(config, false, script, reason),
    };
    let answer = decide(server, request, original, &asked, at).await;
    answer.unwrap_or_else(|reason| {
        let signed = !asked.basic && is_mac(request.authorization.as_deref());
        let challenge = signed.then(|| mac::challenged(&reason));
        let refused = challenge::refusal(config, asked.basic, script, reason);
        challenge::by_mac(refused, challenge)
    })
}

/// `GET /ingress/anonymous`: lets everybody through, and no credential of ours.
#[must_use]
pub fn anonymous<P>(server: &Server<P>, request: &Request) -> Response {
    match from_proxy(&server.config, request) {
        Some(_) => headers::pass_on(server, request, passed()),
        None => nothing(),
    }
}

/// What the request says of another one, if it comes from a proxy of ours.
fn from_proxy<'a>(config: &Config, request: &'a Request) -> Option<&'a Original> {
    let original = request.original.as_deref()?;
    let shown = original.proxy.as_ref()?.expose().as_bytes();
    // All are compared, so that which one it is takes no time.
    let proxies = config.proxies.iter();
    let known = proxies.filter(|proxy| secret::equal(proxy.expose().as_bytes(), shown));
    (known.count() > 0).then_some(original)
}

/// As the shim answers at a path where there is nothing.
fn nothing() -> Response {
    let body = r#"{"error":"not_found","error_description":"there is nothing at this path"}"#;
    Response::json(404, body.to_owned()).because_of(Reason::NoSuchRecord)
}

fn passed() -> Response {
    Response::json(200, r#"{"status":"ok"}"#.to_owned())
}

/// The order is the seed's: what is wrong with the route, with the credential, with what it allows, with
/// who it is; and only then what counts or costs something.
async fn decide<P: Ports>(
    server: &Server<P>,
    request: &Request,
    original: &Original,
    asked: &Requirements,
    at: &At,
) -> Result<Response, Reason> {
    let config = &server.config;
    let (url, method) = described(original)?;
    if method == "OPTIONS" {
        preflight(config, request, original, asked)?;
        return Ok(headers::pass_on(server, request, passed()));
    }
    let shown = credentials::prove(server, request, original, asked.allow_cookies, at).await?;
    let unspent = shown.unspent();
    is_for(server, unspent, asked, &url, at).await?;
    lives_on(unspent, asked, at)?;
    if !asked.suffices(&unspent.scopes) {
        return Err(Reason::InsufficientScope(asked.scopes.to_string()));
    }
    admits(config, unspent, asked, &url)?;
    let mut answer = passed();
    let principal = match shown {
        Shown::Proven(principal) => principal,
        Shown::Signed(signed) => {
            let (principal, body) = signed.spend(server, at).await?;
            answer = headers::signed_body(answer, body);
            principal
        }
    };
    if let Some(service) = &asked.service {
        match quota::count(server, &principal, service, at).await {
            Counted::Unlimited => {}
            Counted::Unknown => answer.event = Some("quota_unknown"),
            Counted::Within(window) => answer = window.told(service, answer),
            Counted::Blocked => return Err(Reason::QuotaBlocked),
            Counted::Exceeded(window) => {
                let reason = Reason::QuotaExceeded(window.limit, window.resets_at.0);
                let refused = challenge::refusal(config, asked.basic, false, reason);
                return Ok(window.told(service, refused));
            }
        }
    }
    let delegated = match &asked.delegation {
        None => None,
        Some(to) => {
            let delegation = Delegation {
                to: to.clone(),
                minimum_lifetime: asked.minimum_lifetime,
                address: original.address().map(str::to_owned),
            };
            let delegated = delegate(server, &principal, delegation, at).await?;
            Some(delegated.token)
        }
    };
    Ok(headers::identify(
        server,
        request,
        &principal,
        delegated.as_ref(),
        asked.use_authorization,
        answer,
    ))
}

/// URL and method of the request, which every proxy has to say.
fn described(original: &Original) -> Result<(Url<'_>, &str), Reason> {
    let url = original.url.as_deref().and_then(Url::parse);
    let method = original
        .method
        .as_deref()
        .filter(|method| !method.is_empty());
    match (url, method) {
        (Some(url), Some(method)) => Ok((url, method)),
        (url, method) => {
            let mut unfit = Vec::new();
            if url.is_none() {
                unfit.push(Unfit::new("X-Original-URL", "has to be an absolute URL"));
            }
            if method.is_none() {
                unfit.push(Unfit::new("X-Original-Method", "has to be a method"));
            }
            Err(Reason::UnfitRequirement(unfit))
        }
    }
}

/// `OPTIONS` comes without credentials (Fetch §3.3.5), and nobody is asked for any. What is half a preflight
/// is none.
fn preflight(
    config: &Config,
    request: &Request,
    original: &Original,
    asked: &Requirements,
) -> Result<(), Reason> {
    match (&request.origin, &original.preflight) {
        (Some(origin), Some(_)) => {
            let here = Url::parse(origin).is_some_and(|origin| {
                let below = config.gate_subdomains;
                origin.secure == config.secure_cookies && origin.is_at(config.host(), below)
            });
            here.then_some(()).ok_or(Reason::PreflightRejected)
        }
        (None, None) if asked.allow_options => Ok(()),
        _ => Err(Reason::OptionsNotSupported),
    }
}

/// An access token is for one resource, and the service has to be it, by name or by URL. What a person or
/// a service has of its own is for everything behind the gate.
async fn is_for<P: Ports>(
    server: &Server<P>,
    principal: &Principal,
    asked: &Requirements,
    url: &Url<'_>,
    at: &At,
) -> Result<(), Reason> {
    let Some(audience) = principal.audience.as_deref() else {
        return Ok(());
    };
    if asked.service.as_deref() == Some(audience) || url.is_in(audience) {
        return Ok(());
    }
    let service = asked.service.as_deref();
    let service = service.and_then(|service| ClientId::parse(service).ok());
    let client = match service {
        Some(service) => server.ports.service(&service, at).await?,
        None => None,
    };
    let serves = client.is_some_and(|client| {
        client.enabled && client.serves.iter().any(|served| served == audience)
    });
    serves.then_some(()).ok_or(Reason::TokenForOtherAudience)
}

/// Whether enough of the token's life is left.
fn lives_on(principal: &Principal, asked: &Requirements, at: &At) -> Result<(), Reason> {
    match (principal.expires, asked.least()) {
        (Some(expires), Some(least)) if expires < at.now.unix() + least => {
            Err(Reason::LifetimeTooShort)
        }
        _ => Ok(()),
    }
}

/// Whether the route is for this one.
fn admits(
    config: &Config,
    principal: &Principal,
    asked: &Requirements,
    url: &Url<'_>,
) -> Result<(), Reason> {
    let services = &asked.only_services;
    let service = principal.service.as_ref();
    let of_service = services.is_empty() || service.is_some_and(|by| services.contains(by));
    let username = &principal.username;
    let of_user = asked.username.as_ref().is_none_or(|only| only == username);
    let at_home = !asked.user_domain || url.is_of(username.as_str(), config.host());
    (of_service && of_user && at_home)
        .then_some(())
        .ok_or(Reason::NotForThisUser)
}
