//! Redirect URIs: strict when registered, compared byte for byte when used (RFC 9700 §2.1).

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use fluent_uri::Uri;
use serde::{Deserialize, Serialize};

/// Longer ones do not survive every browser and log.
const LONGEST: usize = 2000;

/// Schemes that run code or read local things wherever a URI is opened.
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

/// Members of an authorization answer; a registered URI that already holds one could be made to
/// look like an answer (CVE-2026-9689, CVE-2026-18209).
const ANSWER_MEMBERS: [&str; 9] = [
    "code",
    "state",
    "iss",
    "error",
    "response",
    "access_token",
    "id_token",
    "token_type",
    "expires_in",
];

/// A URI that passed every registration rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RedirectUri(String);

/// Why a URI cannot be registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnfitUri {
    /// Not an absolute RFC 3986 URI, too long, or with characters that parsers disagree about.
    Malformed,
    /// A scheme that runs code or reads local files.
    DangerousScheme,
    /// `http` is for loopback addresses only.
    InsecureHttp,
    /// Fragments never reach a server.
    Fragment,
    /// User information in the authority.
    UserInfo,
    /// Encoded or plain dot segments, or an encoded slash or percent sign.
    AmbiguousPath,
    /// A query parameter that an authorization answer would add.
    AnswerMember,
}

impl RedirectUri {
    /// Checks a URI for registration.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn register(text: &str) -> Result<Self, UnfitUri> {
        if text.len() > LONGEST || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(UnfitUri::Malformed);
        }
        if text.contains(['\\', '<', '>', '"', '{', '}', '|', '^', '`']) {
            return Err(UnfitUri::Malformed);
        }
        let uri = Uri::parse(text).map_err(|_| UnfitUri::Malformed)?;
        if uri.fragment().is_some() {
            return Err(UnfitUri::Fragment);
        }
        let scheme = uri.scheme().as_str().to_ascii_lowercase();
        if DANGEROUS.contains(&scheme.as_str()) {
            return Err(UnfitUri::DangerousScheme);
        }
        if is_ambiguous(uri.path().as_str()) {
            return Err(UnfitUri::AmbiguousPath);
        }
        if let Some(query) = uri.query() {
            let named = form_urlencoded::parse(query.as_str().as_bytes());
            for (name, _) in named {
                if ANSWER_MEMBERS.contains(&name.as_ref()) {
                    return Err(UnfitUri::AnswerMember);
                }
            }
        }
        match uri.authority() {
            Some(authority) => {
                if authority.userinfo().is_some() {
                    return Err(UnfitUri::UserInfo);
                }
                let host = authority.host();
                if !is_plain_host(host) || authority.port_to_u16().is_err() {
                    return Err(UnfitUri::Malformed);
                }
                if scheme == "http" && !is_loopback(host) {
                    return Err(UnfitUri::InsecureHttp);
                }
            }
            // A private-use scheme (RFC 8252 §7.1) is a reversed domain name: it has a dot.
            None if scheme.contains('.') && uri.path().as_str().len() > 1 => {}
            None => return Err(UnfitUri::Malformed),
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether a request's `redirect_uri` is this one: byte for byte, but for the port of a
    /// loopback address (RFC 8252 §7.3). The strings are compared, never their re-parsed parts.
    #[must_use]
    pub fn matches(&self, requested: &str) -> bool {
        if self.0 == requested {
            return true;
        }
        match (loopback_parts(&self.0), loopback_parts(requested)) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => false,
        }
    }

    /// The text as it was registered.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Host and port as a person should see them before they are sent there.
#[must_use]
pub fn display_host(uri: &str) -> &str {
    let Some((scheme, rest)) = uri.split_once("://") else {
        return uri.split(':').next().unwrap_or(uri);
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    if host.is_empty() { scheme } else { host }
}

/// Whether a host is read as it stands by RFC 3986 and by browsers, which take one that ends in a
/// number for an IPv4 address in any spelling: `1`, `0x7f.1` (WHATWG URL §3.5).
pub(crate) fn is_plain_host(host: &str) -> bool {
    if let Some(literal) = host.strip_prefix('[') {
        let address = literal.strip_suffix(']');
        return address.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok());
    }
    if host.is_empty() || host.contains('%') {
        return false;
    }
    let last = host.strip_suffix('.').unwrap_or(host).rsplit('.').next();
    let last = last.unwrap_or_default();
    let digits = last.strip_prefix("0x").or(last.strip_prefix("0X"));
    let is_number = match digits {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()),
    };
    !is_number || host.parse::<Ipv4Addr>().is_ok()
}

fn is_loopback(host: &str) -> bool {
    matches!(host, "127.0.0.1" | "[::1]" | "localhost")
}

/// Whether somebody on the way may read the path as another one.
pub(crate) fn is_ambiguous(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let encoded = ["%2e", "%2f", "%5c", "%25", "%00", "%0a", "%0d", "%09"];
    let dotted = path
        .split(['/', ';'])
        .any(|segment| segment == "." || segment == "..");
    dotted || encoded.iter().any(|bad| lower.contains(bad))
}

/// `(host, everything after the port)` of `http://127.0.0.1[:port]…` and `http://[::1][:port]…`.
/// `localhost` is not among them: it may resolve elsewhere (RFC 8252 §8.3).
fn loopback_parts(uri: &str) -> Option<(&'static str, &str)> {
    for host in ["127.0.0.1", "[::1]"] {
        let rest = uri
            .strip_prefix("http://")
            .and_then(|rest| rest.strip_prefix(host));
        let Some(rest) = rest else { continue };
        let Some(port) = rest.strip_prefix(':') else {
            return after_port(rest).map(|tail| (host, tail));
        };
        let digits = port.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = port.split_at_checked(digits)?;
        let canonical = !number.starts_with('0') && number.parse::<u16>().is_ok();
        return if canonical {
            after_port(tail).map(|tail| (host, tail))
        } else {
            None
        };
    }
    None
}

fn after_port(tail: &str) -> Option<&str> {
    (tail.is_empty() || tail.starts_with(['/', '?'])).then_some(tail)
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for RedirectUri {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::register(&text).map_err(|_| "unfit redirect URI")
    }
}

impl From<RedirectUri> for String {
    fn from(uri: RedirectUri) -> Self {
        uri.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registered(text: &str) -> RedirectUri {
        RedirectUri::register(text).unwrap()
    }

    #[test]
    fn ru_1_a_single_changed_byte_is_another_uri() {
        let uri = registered("https://app.example/cb");
        assert!(uri.matches("https://app.example/cb"));
        for other in [
            "https://app.example/cb/",
            "https://app.example/CB",
            "https://APP.example/cb",
            "https://app.example:443/cb",
            "https://app.example/%63b",
            "https://app.example/cb?x=1",
            "https://app.example/./cb",
            "https://app.example/cb#",
            "http://app.example/cb",
        ] {
            assert!(!uri.matches(other), "{other}");
        }
    }

    #[test]
    fn ru_2_only_the_port_of_a_loopback_address_may_differ() {
        let uri = registered("http://127.0.0.1/cb");
        assert!(uri.matches("http://127.0.0.1:51004/cb"));
        assert!(registered("http://[::1]:1/cb").matches("http://[::1]:2/cb"));
        for other in [
            "http://127.0.0.1:51004/other",
            "http://127.0.0.1:51004/cb?x",
            "http://localhost:51004/cb",
            "https://127.0.0.1:51004/cb",
            "http://127.0.0.1:99999/cb",
            "http://127.0.0.1:080/cb",
            "http://127.0.0.1:80@evil.example/cb",
            "http://127.0.0.1.evil.example/cb",
            "http://127.0.0.1:/cb",
        ] {
            assert!(!uri.matches(other), "{other}");
        }
        assert!(!registered("http://localhost/cb").matches("http://localhost:1/cb"));
    }

    #[test]
    fn ru_3_a_fragment_is_refused_at_registration() {
        assert_eq!(
            RedirectUri::register("https://a.example/#x"),
            Err(UnfitUri::Fragment)
        );
    }

    #[test]
    fn ru_4_http_is_for_loopback_only() {
        assert_eq!(
            RedirectUri::register("http://a.example/cb"),
            Err(UnfitUri::InsecureHttp)
        );
        assert_eq!(
            RedirectUri::register("http://localhost.evil.example/"),
            Err(UnfitUri::InsecureHttp)
        );
    }

    #[test]
    fn ru_5_schemes_that_run_code_are_refused_in_any_spelling() {
        for text in [
            "javascript:alert(1)",
            "JaVaScRiPt://x/%0aalert(1)",
            "data:text/html,x",
            "vbscript:x",
            "file:///etc/passwd",
            "blob:https://a.example/x",
            "about:blank",
            "\u{1}javascript:alert(1)",
            " javascript:alert(1)",
        ] {
            assert!(RedirectUri::register(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn ru_8_uris_that_parsers_disagree_about_are_refused() {
        for text in [
            "https://user@a.example/",
            "https://a.example\\@evil.example/",
            "https://a.example/\tcb",
            "https://a.example/\ncb",
            "https://a.example/%252e%252e/",
            "https://a.example/..;/cb",
            "https://a.example/../cb",
            "https://a.example/%2e%2e/cb",
            "https://a.example/%00",
            "https://ａ.example/",
            "https:///cb",
            "https://",
            "//a.example/cb",
            "/cb",
            "",
            "*",
            "https://a.example/[a",
            "https://1/cb",
            "https://0x7f.1/cb",
            "https://127.1/cb",
            "https://127.0.0.01/cb",
            "https://a.example.9./cb",
            "https://[v1.a]/cb",
            "https://a.example:65536/cb",
        ] {
            assert!(RedirectUri::register(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn ru_8_an_address_that_is_spelled_as_usual_is_a_host() {
        for text in [
            "https://192.0.2.1/cb",
            "https://[2001:db8::1]:8443/cb",
            "https://1.a.example/cb",
            "https://a.example.:65535/cb",
            "https://0x.example:/cb",
        ] {
            assert!(RedirectUri::register(text).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn ru_9_a_uri_that_looks_like_an_answer_is_refused() {
        for name in ANSWER_MEMBERS {
            let text = format!("https://a.example/cb?{name}=x");
            assert_eq!(RedirectUri::register(&text), Err(UnfitUri::AnswerMember));
        }
        assert!(RedirectUri::register("https://a.example/cb?tenant=1").is_ok());
    }

    #[test]
    fn a_private_use_scheme_is_a_reversed_domain_name() {
        assert!(RedirectUri::register("com.example.app:/oauth2redirect").is_ok());
        assert!(RedirectUri::register("myapp:/cb").is_err());
    }

    #[test]
    fn the_host_is_what_a_person_should_read() {
        assert_eq!(
            display_host("https://app.example:8443/cb?x"),
            "app.example:8443"
        );
        assert_eq!(display_host("com.example.app:/cb"), "com.example.app");
    }
}
