//! Requests that are signed with a MAC key of ours: http-mac drafts 00 and 01, for clients that were switched
//! to them. Nothing here is on the way of a bearer token.

use std::rc::Rc;

use super::access_token::{self, LiveToken};
use crate::config::Config;
use crate::error::Reason;
use crate::gate::origin::Url;
use crate::model::{Seconds, UnixTime};
use crate::ports::ledger::{NonceSpent, RateLimit, SpendNonce};
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::mac::{Body, MacHeader, MacKey, MacNonce, SignedRequest, VerifiedMac, challenge};
use crate::token::{MacToken, Opened};

/// Of all keys that one client has for one person, or for itself: a key is had for the asking. Ten a second is what
/// a client signs for its own person; the rows of a minute stay until the next sweep, an hour away at most, and
/// 36,000 of a hundred bytes are as many as a shard should have of them.
const NONCES: RateLimit = RateLimit {
    most: 600,
    window: Seconds(60),
};

/// A MAC key identifier whose seal held, that has not expired and was not revoked within the published
/// bound, and its key. Whoever shows it without a signature has shown nothing.
pub struct LiveMac {
    opened: Rc<Opened>,
    /// What requests are signed with.
    pub key: MacKey,
}

impl LiveMac {
    /// What it says.
    #[must_use]
    pub fn opened(&self) -> &Opened {
        &self.opened
    }
}

/// A request that somebody asks about.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its URL as text, whose path and query are as they were sent.
    pub url: &'a str,
    /// What is known of its body.
    pub body: Body<'a>,
}

/// Opens a text as a MAC key identifier of ours, expired or not.
///
/// # Errors
/// [`Reason::TokenUnknown`].
pub fn open<P>(server: &Server<P>, text: &str) -> Result<(Rc<Opened>, MacKey), Reason> {
    let (unsealed, key) =
        MacToken::open(&server.keyring, text).map_err(|_| Reason::TokenUnknown)?;
    let (id, epoch, token) = unsealed.into_parts();
    Ok((Rc::new(Opened::new(id, epoch, token.token)), key))
}

/// Says whether a text is a live MAC key identifier.
///
/// # Errors
/// As [`super::access_token::validate`].
pub async fn live<P: Ports>(server: &Server<P>, text: &str, at: &At) -> Result<LiveMac, Reason> {
    let (opened, key) = open(server, text)?;
    access_token::lives(server, &opened, at).await?;
    Ok(LiveMac { opened, key })
}

/// Whether the request was signed with a key that lives. Its nonce is not spent yet: see [`spend`].
///
/// # Errors
/// Why not.
pub async fn verify<P: Ports>(
    server: &Server<P>,
    authorization: &str,
    asked: &Asked<'_>,
    at: &At,
) -> Result<VerifiedMac<LiveToken>, Reason> {
    let config = &server.config;
    let header = MacHeader::parse(authorization).ok_or(Reason::MacMalformed)?;
    let LiveMac { opened, key } = live(server, header.id, at).await?;
    // What stands behind `#` is not signed, and whoever hears the request may take it for more of the path.
    let url = Url::parse(asked.url).filter(|_| !asked.url.contains('#'));
    let url = url.ok_or(Reason::MacForUnknownOrigin)?;
    let (host, port) = origin(config, &url, &opened.token.audience)?;
    let request = SignedRequest {
        method: asked.method,
        uri: &request_uri(asked.url),
        host,
        port,
        body: asked.body,
    };
    let issued = (&opened.id, opened.token.issued_at);
    let window = (at.now.unix(), config.mac_window);
    let held = LiveToken::proven(Rc::clone(&opened));
    Ok(header.verify(&request, &key, issued, window, held)?)
}

/// The host and port that have to be signed: never only what the request says of itself. They are those of
/// a configured origin, or of the resource that the token is for.
fn origin<'a>(
    config: &Config,
    claimed: &Url<'a>,
    audience: &'a str,
) -> Result<(&'a str, u16), Reason> {
    let known = config.mac_origins.iter();
    let mut known = known.filter_map(|origin| Url::parse(origin));
    let found = match known.any(|origin| origin.is_of_origin(claimed)) {
        true => Some(*claimed),
        false => Url::parse(audience),
    };
    let found = found.ok_or(Reason::MacForUnknownOrigin)?;
    let usual = if found.secure { 443 } else { 80 };
    Ok((found.host, found.port.unwrap_or(usual)))
}

/// Path and query of an absolute URL, byte for byte.
fn request_uri(url: &str) -> String {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let rest = rest.split('#').next().unwrap_or_default();
    let uri = rest.find(['/', '?']).and_then(|at| rest.get(at..));
    match uri {
        Some(uri) if uri.starts_with('/') => uri.to_owned(),
        uri => format!("/{}", uri.unwrap_or_default()),
    }
}

/// Spends the nonce of a request, which then counts: one call to the token's shard.
///
/// # Errors
/// [`Reason::MacReplayed`], [`Reason::TooManyMacRequests`] or [`Reason::Unavailable`], which is no
/// verdict: it may have been spent all the same, and what is sent again has to be signed anew.
pub async fn spend<P: Ports>(
    server: &Server<P>,
    verified: VerifiedMac<LiveToken>,
    at: &At,
) -> Result<LiveToken, Reason> {
    let MacNonce {
        key,
        name,
        expires_at,
    } = verified.nonce().clone();
    let shard = verified.unspent().token().shard;
    let token = verified.unspent().token();
    let spend = SpendNonce {
        key,
        holder: format!("{} {}", token.client, token.sub),
        nonce: name,
        expires_at,
        limit: NONCES,
    };
    let spent = server.ports.ledger(shard, at, spend).await?;
    if let NonceSpent::TooMany(until) = spent {
        return Err(Reason::TooManyMacRequests(wait(until, at)));
    }
    Ok(verified.spent(spent == NonceSpent::First)?)
}

fn wait(until: UnixTime, at: &At) -> u64 {
    at.now.unix().until(until).0
}

/// The challenge for who signs requests, where a bearer would get one.
#[must_use]
pub fn challenged(reason: &Reason) -> String {
    let description = (*reason != Reason::NoToken).then(|| reason.description());
    let scope = match reason {
        Reason::InsufficientScope(scope) => Some(scope.as_str()),
        _ => None,
    };
    challenge(description.as_deref(), scope)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_6_what_is_signed_of_a_url_is_what_was_sent() {
        for (url, uri) in [
            ("https://a.example", "/"),
            ("https://a.example?x=1", "/?x=1"),
            ("https://a.example/?", "/?"),
            (
                "https://a.example:8443/b%2Fc//d?c%40=&a2=r%20b&c2#e",
                "/b%2Fc//d?c%40=&a2=r%20b&c2",
            ),
            (
                "https://a.example/?u=https://b.example/",
                "/?u=https://b.example/",
            ),
        ] {
            assert_eq!(request_uri(url), uri, "{url}");
        }
    }

    #[test]
    fn s3_6_host_and_port_are_configured_or_of_the_resource() {
        let mut config = Config::new("https://id.example").unwrap();
        config.mac_origins = vec!["https://app.example:8443".to_owned()];
        let of = |url: &str, audience: &str| {
            let url = Url::parse(url).unwrap();
            origin(&config, &url, audience)
                .map(|(host, port)| format!("{host} {port}"))
                .ok()
        };
        let resource = "https://api.example/v1";
        for (url, audience, expected) in [
            (
                "https://APP.example:8443/x",
                "app",
                Some("APP.example 8443"),
            ),
            (
                "https://app.example:8443/x",
                resource,
                Some("app.example 8443"),
            ),
            ("http://app.example:8443/x", "app", None),
            ("https://app.example/x", "app", None),
            ("https://evil.example/x", "app", None),
            // Whatever a proxy believes: what the resource is called decides.
            ("http://api.example/v1", resource, Some("api.example 443")),
            ("https://evil.example/v1", resource, Some("api.example 443")),
            (
                "https://evil.example/v1",
                "http://[::1]:8080/",
                Some("[::1] 8080"),
            ),
        ] {
            assert_eq!(of(url, audience).as_deref(), expected, "{url} {audience}");
        }
    }
}
