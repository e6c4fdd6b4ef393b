//! URIs that people are sent to: redirect URIs, and the issuer. Judged by two other readers, that of
//! RFC 3986 and that of browsers.

use std::net::Ipv6Addr;

use edgemint::config::Config;
use edgemint::model::redirect::{RedirectUri, display_host};
use edgemint::model::target::may_be_fetched;
use edgemint::model::{Seconds, Secret};
use edgemint::token::Keyring;
use fluent_uri::Uri;
use url::{Host, ParseError, Url};

const DANGEROUS: [&str; 8] = [
    "javascript",
    "data",
    "vbscript",
    "file",
    "blob",
    "about",
    "filesystem",
    "view-source",
];

/// What is registered leads where it says, whoever reads it; and only itself is taken for it, but
/// for the port of a loopback address.
pub(crate) fn redirect(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (text, other) = text.split_once('\n').unwrap_or((&text, ""));
    let Ok(uri) = RedirectUri::register(text) else {
        return;
    };
    let read = Uri::parse(text).expect("an absolute URI");
    let scheme = read.scheme().as_str().to_ascii_lowercase();
    assert!(!text.contains('#') && !DANGEROUS.contains(&scheme.as_str()));
    let browsers = match Url::parse(text) {
        Ok(browsers) => browsers,
        // It leads nowhere; whether a name is one that could be shown takes all of Unicode to say.
        Err(ParseError::IdnaError) => return,
        Err(refusal) => panic!("browsers refuse it: {refusal}"),
    };
    assert_eq!(browsers.scheme(), scheme);
    assert_eq!(browsers.fragment(), None);
    assert_eq!((browsers.username(), browsers.password()), ("", None));
    if let Some(authority) = read.authority() {
        let host = authority.host().to_ascii_lowercase();
        match browsers.host() {
            // Many spellings, one meaning.
            Some(Host::Ipv6(address)) => assert_eq!(host, format!("[{}]", literal(&host, address))),
            // They keep the case where the scheme is not theirs.
            _ => assert_eq!(
                browsers.host_str().map(str::to_ascii_lowercase),
                Some(host.clone())
            ),
        }
        assert_eq!(display_host(text), authority.as_str());
        let loopback = ["127.0.0.1", "[::1]", "localhost"].contains(&host.as_str());
        assert!(scheme != "http" || loopback);
    }
    assert_eq!(
        browsers.path(),
        match read.path().as_str() {
            "" if ["http", "https", "ws", "wss", "ftp"].contains(&browsers.scheme()) => "/",
            path => path,
        }
    );
    assert!(uri.matches(text));
    assert_eq!(String::from(uri.clone()), text);
    assert_eq!(RedirectUri::try_from(text.to_owned()), Ok(uri.clone()));
    if other != text && uri.matches(other) {
        let other = Url::parse(other).expect("a URL");
        let mut ported = browsers.clone();
        assert_eq!(ported.scheme(), "http");
        assert!(["127.0.0.1", "[::1]"].contains(&ported.host_str().unwrap_or_default()));
        ported.set_port(other.port()).expect("a host with a port");
        assert_eq!(ported, other);
    }
}

/// What we fetch from is a host with a name, as the platform reads it, too.
pub(crate) fn fetched(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if !may_be_fetched(&text, false) {
        return;
    }
    assert!(may_be_fetched(&text, true));
    let read = match Url::parse(&text) {
        Ok(read) => read,
        Err(ParseError::IdnaError) => return,
        Err(refusal) => panic!("the platform refuses it: {refusal}"),
    };
    assert_eq!(
        (read.scheme(), read.port(), read.fragment()),
        ("https", None, None)
    );
    assert_eq!((read.username(), read.password()), ("", None));
    let Some(Host::Domain(name)) = read.host() else {
        panic!("an address");
    };
    let last = name.rsplit_once('.').expect("a name with a dot").1;
    assert!(
        !["", "localhost", "local", "internal", "arpa"].contains(&last),
        "{name}"
    );
    let authority = text.split('/').nth(2).expect("an authority");
    let host = authority.split(['?', ':']).next();
    assert_eq!(host, Some(name));
}

/// The text between the brackets, if it is of this address.
fn literal(host: &str, address: Ipv6Addr) -> &str {
    let text = host.trim_matches(['[', ']']);
    assert_eq!(text.parse(), Ok(address));
    text
}

/// An issuer that is taken is a URL of its origin and a path; the cookies of the deployment are
/// well formed.
pub(crate) fn settings(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (issuer, secrets) = text.split_once('\n').unwrap_or((&text, ""));
    let roots: Vec<Secret> = secrets.split(',').map(Secret::new).collect();
    let long = roots.iter().all(|root| root.expose().len() >= 32);
    assert_eq!(Keyring::new(issuer, &roots).is_ok(), long);
    let Ok(config) = Config::new(issuer) else {
        return;
    };
    let read = match Url::parse(issuer) {
        Ok(read) => read,
        Err(ParseError::IdnaError) => return,
        Err(refusal) => panic!("browsers refuse it: {refusal}"),
    };
    assert_eq!((read.username(), read.password()), ("", None));
    assert_eq!((read.query(), read.fragment()), (None, None));
    let host = read.host_str().expect("a host");
    let loopback = ["127.0.0.1", "[::1]", "localhost"].contains(&host);
    assert!(read.scheme() == "https" || (read.scheme() == "http" && loopback));
    assert_eq!(config.secure_cookies, read.scheme() == "https");
    assert_eq!(config.origin, read.origin().ascii_serialization());
    assert_eq!(format!("{}{}", config.origin, config.path("")), issuer);
    let ours = Url::parse(&config.url("/login?request=a")).expect("a URL");
    assert_eq!(ours.origin(), read.origin());
    assert_eq!(ours.query(), Some("request=a"));
    assert!(ours.path().ends_with("/login"));
    let cookie = config.set_cookie("edgemint-session", "x", Seconds(1));
    assert!(cookie.bytes().all(|byte| (0x20..0x7F).contains(&byte)));
    let bootstrap = config.with_bootstrap(&Secret::new(secrets));
    assert_eq!(bootstrap.is_ok(), secrets.len() >= 32);
}
