//! A proxy in front of a service, which asks the gate about each request.

use edgemint::http::{Original, Request, Response};
use edgemint::model::Secret;
use edgemint::server::Endpoint;

use super::{Browser, Fixture};

/// What the proxy proves itself by.
pub(crate) const PROXY: &str = "proxy-proxy-proxy-proxy-proxy-32";
/// What is asked for, unless a test says otherwise.
pub(crate) const URL: &str = "https://app.id.example/data?x=1";

/// A deployment with a proxy.
pub(crate) fn fixture() -> Fixture {
    Fixture::with(|config| {
        *config = config.clone().with_proxies(PROXY).unwrap();
    })
}

/// What the proxy asks about a request for [`URL`] that brings nothing.
pub(crate) fn asked(query: &str) -> Request {
    Request {
        method: "GET".to_owned(),
        path: "/ingress/auth".to_owned(),
        query: query.to_owned(),
        original: Some(Box::new(Original {
            proxy: Some(Secret::new(PROXY)),
            url: Some(URL.to_owned()),
            method: Some("GET".to_owned()),
            ..Original::default()
        })),
        ..Request::default()
    }
}

/// The same, of one with this `Authorization`.
pub(crate) fn with(query: &str, authorization: &str) -> Request {
    Request {
        authorization: Some(authorization.to_owned()),
        ..asked(query)
    }
}

/// The same, of one with this token.
pub(crate) fn bearing(query: &str, token: &str) -> Request {
    with(query, &format!("Bearer {token}"))
}

/// The same, of one of this browser.
pub(crate) fn browsing(query: &str, browser: &Browser<'_>) -> Request {
    let cookies = browser.cookies();
    let cookies = cookies
        .iter()
        .map(|(name, value)| format!("{name}={value}"));
    Request {
        cookie: Some(cookies.collect::<Vec<_>>().join("; ")),
        ..asked(query)
    }
}

impl Fixture {
    /// What the gate answers.
    pub(crate) fn gate(&self, request: &Request) -> Response {
        self.send(Endpoint::IngressAuth, request)
    }
}

/// The token of a good `Authorization: Basic …`.
pub(crate) fn basic(user: &str, password: &str) -> String {
    use base64::Engine as _;
    let pair = format!("{user}:{password}");
    let pair = base64::engine::general_purpose::STANDARD.encode(pair);
    format!("Basic {pair}")
}
