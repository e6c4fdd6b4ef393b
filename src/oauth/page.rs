//! What all pages share: headers, the browser's own cookie, the form's own value.

use super::params::Params;
use crate::error::Reason;
use crate::http::{MAINTENANCE, Request, Response, with_query};
use crate::jose::base64url;
use crate::model::{Digest, Seconds, Secret, Shard};
use crate::pages::{self, ErrorPage, Problem, field};
use crate::ports::ledger::{Once, SpendOnce};
use crate::ports::{At, Ports, Unavailable};
use crate::server::Server;
use crate::token::{Intent, Pending, SealRefused, Unsealed, pending};

/// Binds pages to the browser that began them.
pub(crate) const BROWSER_COOKIE: &str = "edgemint-browser";
/// As long as browsers keep a cookie; it identifies nobody and is renewed with every page.
const BROWSER_LIFETIME: Seconds = Seconds(400 * 24 * 3600);

/// A browser that holds this binding cookie.
pub struct Browser {
    value: Secret,
    fresh: bool,
}

impl Browser {
    /// The browser of the request; one without a cookie gets one with the answer.
    ///
    /// # Errors
    /// [`Unavailable`] without randomness.
    pub fn of<P: Ports>(server: &Server<P>, request: &Request) -> Result<Self, Unavailable> {
        let name = server.config.cookie_name(BROWSER_COOKIE);
        let fits = |value: &&str| value.len() == 32 && value.bytes().all(base64url::is_digit);
        match request.cookie(&name).filter(fits) {
            Some(value) => Ok(Self {
                value: Secret::new(value),
                fresh: false,
            }),
            None => Ok(Self {
                value: Secret::new(server.fresh_text(24)?),
                fresh: true,
            }),
        }
    }

    /// What a pending request keeps of it.
    #[must_use]
    pub fn digest(&self) -> String {
        self.value.digest().as_str().to_owned()
    }

    /// Adds the cookie to an answer, where the browser has none.
    #[must_use]
    pub fn remember<P>(&self, server: &Server<P>, response: Response) -> Response {
        if !self.fresh {
            return response;
        }
        let value = self.value.expose();
        response.with(
            "set-cookie",
            server
                .config
                .set_cookie(BROWSER_COOKIE, value, BROWSER_LIFETIME),
        )
    }
}

/// Seals an intent for this browser, so that a page can carry it.
///
/// # Errors
/// [`Reason::Unavailable`] without feed or randomness.
pub async fn seal<P: Ports>(
    server: &Server<P>,
    browser: &Browser,
    intent: Intent,
    at: &At,
) -> Result<Secret, Reason> {
    seal_for(server, browser.digest(), intent, at).await
}

/// Seals an intent for nobody: it is worth what the same request by GET is, and only
/// the endpoint that made it takes it.
///
/// # Errors
/// As [`seal`].
pub async fn seal_unbound<P: Ports>(
    server: &Server<P>,
    intent: Intent,
    at: &At,
) -> Result<Secret, Reason> {
    seal_for(server, String::new(), intent, at).await
}

async fn seal_for<P: Ports>(
    server: &Server<P>,
    browser: String,
    intent: Intent,
    at: &At,
) -> Result<Secret, Reason> {
    let epoch = server.ports.revocations(at).await?.epoch();
    let now = at.now.unix();
    let pending = Pending {
        browser,
        began_at: now,
        expires_at: now + pending::LIFETIME,
        intent,
    };
    Ok(server.keyring.seal(&pending, epoch, server.fresh_id()?)?)
}

/// Opens what a page carried, for the browser that began it.
///
/// # Errors
/// [`Reason::PageExpired`] or [`Reason::PageFromElsewhere`]; [`Reason::Unavailable`] without the
/// feed, which knows the epoch.
pub async fn unseal<P: Ports>(
    server: &Server<P>,
    browser: &Browser,
    text: &str,
    at: &At,
) -> Result<Unsealed<Pending>, Reason> {
    let pending = unseal_any(server, text, at).await?;
    let bound = Digest::of(pending.value().browser.as_bytes());
    if bound != Digest::of(browser.digest().as_bytes()) {
        return Err(Reason::PageFromElsewhere);
    }
    Ok(pending)
}

/// Opens what [`seal_unbound`] sealed.
///
/// # Errors
/// As [`unseal`].
pub async fn unseal_unbound<P: Ports>(
    server: &Server<P>,
    text: &str,
    at: &At,
) -> Result<Unsealed<Pending>, Reason> {
    let pending = unseal_any(server, text, at).await?;
    if !pending.value().browser.is_empty() {
        return Err(Reason::PageFromElsewhere);
    }
    Ok(pending)
}

async fn unseal_any<P: Ports>(
    server: &Server<P>,
    text: &str,
    at: &At,
) -> Result<Unsealed<Pending>, Reason> {
    let pending: Unsealed<Pending> = match server.keyring.unseal(text) {
        Ok(pending) => pending,
        // A root that was taken out: the page is simply too old.
        Err(SealRefused::UnknownRoot) => return Err(Reason::PageExpired),
        Err(_) => return Err(Reason::PageFromElsewhere),
    };
    if pending.value().expires_at <= at.now.unix() {
        return Err(Reason::PageExpired);
    }
    // A restore may have forgotten that this page was used.
    if server
        .ports
        .revocations(at)
        .await?
        .ends_epoch(pending.epoch())
    {
        return Err(Reason::PageExpired);
    }
    Ok(pending)
}

/// Sends the browser to one of our pages, which goes on with the intent.
///
/// # Errors
/// As [`seal`].
pub async fn lead_to<P: Ports>(
    server: &Server<P>,
    browser: &Browser,
    path: &str,
    intent: Intent,
    at: &At,
) -> Result<Response, Reason> {
    let sealed = seal(server, browser, intent, at).await?;
    let parameters = [(field::REQUEST, sealed.expose())];
    let location = with_query(&server.config.url(path), &parameters);
    Ok(browser.remember(server, Response::see_other(location)))
}

/// Spends a page: it does what it is for once.
///
/// # Errors
/// [`Reason::PageSpent`] or [`Reason::Unavailable`].
pub async fn spend<P: Ports>(
    server: &Server<P>,
    pending: &Unsealed<Pending>,
    at: &At,
) -> Result<(), Reason> {
    let once = spending(pending);
    let shard = Shard::of_key(&once.key);
    match server.ports.ledger(shard, at, once).await? {
        Once::First => Ok(()),
        Once::Again => Err(Reason::PageSpent),
    }
}

/// What spends a page.
#[must_use]
pub fn spending(pending: &Unsealed<Pending>) -> SpendOnce {
    SpendOnce {
        key: format!("page:{}", pending.id()),
        expires_at: pending.value().expires_at,
    }
}

/// The form value of this browser for a sealed request: another site can neither read nor make it.
///
/// # Errors
/// [`Reason::Internal`] when no key can be derived.
pub fn csrf<P>(server: &Server<P>, browser: &Browser, sealed: &str) -> Result<String, Reason> {
    let message = format!(
        "{} {}",
        browser.value.expose(),
        Digest::of(sealed.as_bytes()).as_str()
    );
    Ok(server.keyring.authenticate("csrf", &message)?)
}

/// Reads a form that was posted from our own page, in the browser that was shown it.
///
/// # Errors
/// [`Reason::PageFromElsewhere`], and what keeps a form from being read.
pub fn posted<P: Ports>(
    server: &Server<P>,
    request: &Request,
    known: &[&'static str],
) -> Result<(Browser, Params), Reason> {
    let params = Params::parse(request.form()?, known);
    let browser = Browser::of(server, request)?;
    let sealed = params.required(field::REQUEST)?;
    let presented = params.typed(field::CSRF)?;
    check_form(server, request, &browser, sealed, presented)?;
    Ok((browser, params))
}

/// Our pages send no referrer, and then browsers send `Origin: null` with a form; so
/// `Sec-Fetch-Site` is asked first, and the form's own value always.
fn check_form<P>(
    server: &Server<P>,
    request: &Request,
    browser: &Browser,
    sealed: &str,
    presented: &str,
) -> Result<(), Reason> {
    let foreign_site = request
        .fetch_site
        .as_deref()
        .is_some_and(|site| site != "same-origin");
    let foreign_origin = request
        .origin
        .as_deref()
        .is_some_and(|origin| origin != "null" && origin != server.config.origin);
    let expected = csrf(server, browser, sealed)?;
    let matches = crate::model::secret::equal(expected.as_bytes(), presented.as_bytes());
    if foreign_site || foreign_origin || browser.fresh || !matches {
        return Err(Reason::PageFromElsewhere);
    }
    Ok(())
}

/// A page, with the headers that keep it from being framed, scripted or kept. `leads_to` is where
/// its form's answer may redirect; browsers hold `form-action` against that, too.
#[must_use]
pub fn html(status: u16, body: String, leads_to: Option<&str>) -> Response {
    guarded(status, body, leads_to, None)
}

/// A page whose form is an answer to a client, and posts itself by this script alone.
#[must_use]
pub fn posting(body: String, leads_to: &str, script: &str) -> Response {
    guarded(200, body, Some(leads_to), Some(script))
}

fn guarded(status: u16, body: String, leads_to: Option<&str>, script: Option<&str>) -> Response {
    let target = leads_to
        .and_then(source)
        .map(|source| format!(" {source}"))
        .unwrap_or_default();
    let script = script.map(|script| format!("script-src {script}; "));
    let script = script.unwrap_or_default();
    let policy = format!(
        "default-src 'none'; {script}style-src {}; img-src 'self'; form-action 'self'{target}; \
         frame-ancestors 'none'; base-uri 'none'",
        pages::style_source()
    );
    Response::empty(status)
        .with("content-type", "text/html; charset=utf-8")
        .with("content-security-policy", policy)
        .with("x-frame-options", "DENY")
        .with("x-content-type-options", "nosniff")
        .with("referrer-policy", "no-referrer")
        .with("cross-origin-opener-policy", "same-origin")
        .with_body(body)
}

/// The CSP source of where a form may lead that ends at this URI: everywhere by its scheme. Chromium holds
/// `form-action` against every redirect that comes of a form, also those by which the client leads on after
/// it had the answer, to wherever it likes (CSP3 §6.4.1.1); and no source can name `[::1]` (§2.3.1).
fn source(uri: &str) -> Option<String> {
    let (scheme, _) = uri.split_once(':')?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    scheme.bytes().all(plain).then(|| format!("{scheme}:"))
}

/// The page of a refusal that no client may be told of. It never redirects.
#[must_use]
pub fn refusal(reason: Reason, at: &At) -> Response {
    let page = ErrorPage {
        problem: problem(&reason),
        request_id: at.request.as_str(),
    };
    // A page has no challenge for a browser to answer, and 401 needs one (RFC 9110 §15.5.2).
    let status = match reason.status() {
        401 => 400,
        status => status,
    };
    html(status, pages::error(&page), None).because_of(reason)
}

fn problem(reason: &Reason) -> Problem {
    match reason {
        Reason::UnknownClient => Problem::UnknownClient,
        Reason::UnregisteredRedirectUri => Problem::UnregisteredRedirectUri,
        Reason::PageExpired | Reason::PageSpent => Problem::ExpiredRequest,
        Reason::PageFromElsewhere => Problem::ForgedForm,
        Reason::TooLarge => Problem::TooLarge,
        Reason::TooManyFailures(seconds) => Problem::TooManyRequests { seconds: *seconds },
        Reason::Unavailable(_) => Problem::Unavailable { seconds: 1 },
        Reason::Maintenance => Problem::Maintenance {
            seconds: MAINTENANCE,
        },
        Reason::Internal(_) => Problem::Internal,
        Reason::Denied | Reason::WrongCredentials => Problem::Forbidden,
        _ => Problem::BadRequest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_leads_by_the_scheme_of_where_it_ends() {
        for (uri, expected) in [
            ("https://a.example:1/cb", Some("https:")),
            ("http://[::1]:4711/cb", Some("http:")),
            ("com.example.app:/cb", Some("com.example.app:")),
            ("https;script-src://a.example/cb", None),
            ("/cb", None),
        ] {
            assert_eq!(source(uri).as_deref(), expected, "{uri}");
        }
    }

    #[test]
    fn ui_1_and_2_every_page_forbids_frames_scripts_and_keeping() {
        let page = html(200, String::new(), None);
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'"));
        assert!(policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe-inline") && !policy.contains("script-src"));
        assert_eq!(page.header("x-frame-options"), Some("DENY"));
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(page.header("cache-control"), Some("no-store"));
    }
}
