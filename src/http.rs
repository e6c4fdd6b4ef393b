//! Request and response as plain data.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

use crate::error::Reason;
use crate::model::Secret;

/// What a request says, as far as anything here looks at it.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path below the issuer's own, raw.
    pub path: String,
    /// Everything after `?`, raw.
    pub query: String,
    /// The body; empty when there is none.
    pub body: String,
    /// Whether the body was larger than the limit, so that it was not read.
    pub oversized: bool,
    /// `Authorization`.
    pub authorization: Option<String>,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Cookie`.
    pub cookie: Option<String>,
    /// `Origin`.
    pub origin: Option<String>,
    /// `Sec-Fetch-Site`.
    pub fetch_site: Option<String>,
    /// `X-CSRF-Token`.
    pub csrf_token: Option<String>,
    /// `Accept`, where there is a choice.
    pub accept: Option<String>,
    /// `X-Export-Passphrase`, where a deployment is copied.
    pub passphrase: Option<Secret>,
    /// `User-Agent`, where somebody signs in.
    pub user_agent: Option<String>,
    /// The peer's address, from a source that can be trusted.
    pub address: Option<String>,
    /// What a proxy says of the request that it asks about.
    pub original: Option<Box<Original>>,
}

/// What a proxy says of the request that it asks about. Nothing of it counts before the proxy has
/// proven that it is one.
#[derive(Debug, Clone, Default)]
pub struct Original {
    /// `X-Edgemint-Proxy`: that it is a proxy of ours.
    pub proxy: Option<Secret>,
    /// `X-Original-URL`.
    pub url: Option<String>,
    /// `X-Original-Method`.
    pub method: Option<String>,
    /// `X-Requested-With`.
    pub requested_with: Option<String>,
    /// `X-Forwarded-For`.
    pub forwarded_for: Option<String>,
    /// `Access-Control-Request-Method`.
    pub preflight: Option<String>,
}

impl Original {
    /// Reads the lines in which the shim tells it; one that is there begins with `=`.
    #[must_use]
    pub fn read(lines: &str) -> Self {
        let mut lines = lines.split('\n');
        let mut given = || Some(lines.next()?.strip_prefix('=')?.to_owned());
        let mut original = Self {
            proxy: given().map(Secret::new),
            url: given(),
            method: given(),
            requested_with: given(),
            forwarded_for: given(),
            preflight: given(),
        };
        // Proxies that forward a request say it so.
        if let (Some(method), Some(scheme), Some(host), Some(uri)) =
            (given(), given(), given(), given())
        {
            original.url = Some(format!("{scheme}://{host}{uri}"));
            original.method = Some(method);
        }
        original
    }

    /// Whose request it is, by address. What a proxy adds it adds behind what it was told.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        let newest = self.forwarded_for.as_deref()?.rsplit(',').next()?.trim();
        newest.parse::<IpAddr>().is_ok().then_some(newest)
    }
}

impl Request {
    /// Whether the method is POST.
    #[must_use]
    pub fn is_post(&self) -> bool {
        self.method == "POST"
    }

    /// The body of a form post.
    ///
    /// # Errors
    /// [`Reason::TooLarge`] or [`Reason::WrongContentType`].
    pub fn form(&self) -> Result<&str, Reason> {
        self.body_of("application/x-www-form-urlencoded")
    }

    /// The body of a JSON post.
    ///
    /// # Errors
    /// As [`Request::form`].
    pub fn json(&self) -> Result<&str, Reason> {
        self.body_of("application/json")
    }

    /// The value of a cookie; the first of that name. Only what browsers put between cookies is
    /// taken off: a name behind another kind of space is another name, and not bound to the host
    /// as `__Host-` would make it.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookie
            .as_deref()?
            .split(';')
            .filter_map(|pair| pair.trim_matches([' ', '\t']).split_once('='))
            .find_map(|(found, value)| (found == name).then_some(value))
    }

    /// Whom failures are counted against, as text: the peer's address, or of IPv6 the network of 64
    /// bits, which is the least that one subscriber is given.
    #[must_use]
    pub fn network(&self) -> Option<String> {
        let address = self.address.as_deref()?;
        let Ok(parsed) = address.parse::<IpAddr>() else {
            return Some(address.to_owned());
        };
        Some(match parsed.to_canonical() {
            IpAddr::V4(host) => host.to_string(),
            IpAddr::V6(host) => {
                let network = host.to_bits() & !u128::from(u64::MAX);
                format!("{}/64", Ipv6Addr::from_bits(network))
            }
        })
    }

    /// Whether it asks for this media type by name.
    #[must_use]
    pub fn accepts(&self, media: &str) -> bool {
        let ranges = self.accept.as_deref().unwrap_or_default().split(',');
        ranges
            .filter_map(|range| range.split(';').next())
            .any(|range| range.trim().eq_ignore_ascii_case(media))
    }

    /// The body of a post of lines.
    ///
    /// # Errors
    /// As [`Request::form`].
    pub fn lines(&self) -> Result<&str, Reason> {
        self.body_of("application/x-ndjson")
    }

    fn body_of(&self, expected: &str) -> Result<&str, Reason> {
        if self.oversized {
            return Err(Reason::TooLarge);
        }
        let content_type = self.content_type.as_deref().unwrap_or_default();
        let media = content_type.split(';').next().unwrap_or_default().trim();
        if media.eq_ignore_ascii_case(expected) {
            Ok(&self.body)
        } else {
            Err(Reason::WrongContentType)
        }
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Names in lower case; `set-cookie` may repeat.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// Body text.
    pub body: String,
    /// Why it is a refusal, for the log.
    pub reason: Option<Reason>,
    /// Something worth knowing about a request that was granted, for the log.
    pub event: Option<&'static str>,
    /// Who was shown to act as the client, in the words of who vouches for them, for the log.
    pub actor: Option<String>,
}

impl Response {
    /// A JSON answer that nobody may keep.
    #[must_use]
    pub fn json(status: u16, body: String) -> Self {
        Self {
            headers: vec![
                ("content-type", "application/json".into()),
                ("cache-control", "no-store".into()),
                ("x-content-type-options", "nosniff".into()),
            ],
            body,
            ..Self::empty(status)
        }
    }

    /// A JSON document that anybody may keep for so many seconds.
    #[must_use]
    pub fn document(body: String, seconds: u64) -> Self {
        Self {
            headers: vec![
                ("content-type", "application/json".into()),
                ("cache-control", format!("public, max-age={seconds}").into()),
            ],
            body,
            ..Self::empty(200)
        }
    }

    /// An answer without a body.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self {
            status,
            headers: vec![("cache-control", "no-store".into())],
            body: String::new(),
            reason: None,
            event: None,
            actor: None,
        }
    }

    /// 303: the next request is a GET, whatever this one was (RFC 9700 §4.12).
    #[must_use]
    pub fn see_other(location: String) -> Self {
        Self::empty(303)
            .with("location", location)
            .with("referrer-policy", "no-referrer")
    }

    /// Adds a header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Replaces the body.
    #[must_use]
    pub fn with_body(mut self, body: String) -> Self {
        self.body = body;
        self
    }

    /// Lets any origin read the answer. Never on an answer that a cookie has a say in.
    #[must_use]
    pub fn for_any_origin(self) -> Self {
        self.with("access-control-allow-origin", "*").with(
            "access-control-expose-headers",
            "www-authenticate, retry-after, x-request-id",
        )
    }

    /// The RFC 6749 §5.2 answer to a refusal.
    #[must_use]
    pub fn refusal(reason: Reason) -> Self {
        let body = serde_json::json!({
            "error": reason.code().as_str(),
            "error_description": reason.description(),
        });
        Self::json(reason.status(), body.to_string()).because_of(reason)
    }

    /// Says where the error is explained, in a body of RFC 6749 §5.2 and in a challenge of RFC 6750 §3.
    #[must_use]
    pub fn explained(mut self, uri: &str) -> Self {
        if self.body.starts_with("{\"error\":") && self.body.ends_with('}') {
            self.body.pop();
            // It is a URI: nothing in it needs to be escaped.
            self.body += &format!(",\"error_uri\":\"{uri}\"}}");
        }
        for (name, value) in &mut self.headers {
            if *name == "www-authenticate" && value.contains(" error=\"") {
                value.to_mut().push_str(&format!(", error_uri=\"{uri}\""));
            }
        }
        self
    }

    /// Makes it a refusal: the log is told why, and the peer when trying again makes sense, or how.
    #[must_use]
    pub fn because_of(mut self, reason: Reason) -> Self {
        if let Some(seconds) = retry_after(&reason) {
            self = self.with("retry-after", seconds.to_string());
        }
        if let Reason::MethodNotAllowed(allowed) = &reason {
            self = self.with("allow", *allowed);
        }
        self.reason = Some(reason);
        self
    }

    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| *found == name)
            .map(|(_, value)| &**value)
    }

    /// Appends the headers: `name: value` lines.
    pub fn print_headers(&self, lines: &mut String) {
        for (name, value) in &self.headers {
            // A value never holds a line break: what comes from outside is encoded before.
            for part in [*name, ": ", value, "\n"] {
                lines.push_str(part);
            }
        }
    }
}

/// Maintenance is done in minutes; whoever waits for it asks once in one.
pub const MAINTENANCE: u64 = 60;

/// Seconds after which trying again makes sense, where it does.
fn retry_after(reason: &Reason) -> Option<u64> {
    match reason {
        Reason::Unavailable(_) => Some(1),
        Reason::Maintenance => Some(MAINTENANCE),
        Reason::TooManyFailures(seconds)
        | Reason::TooManyRevocations(seconds)
        | Reason::TooManyTokens(seconds)
        | Reason::TooManyMacRequests(seconds)
        | Reason::TooManyDelegated(seconds) => Some(*seconds),
        _ => None,
    }
}

/// Appends form-encoded parameters to a URI that may have a query already.
#[must_use]
pub fn with_query(uri: &str, parameters: &[(&str, &str)]) -> String {
    let encoded = form(parameters);
    let separator = match uri.split_once('?') {
        None => "?",
        Some((_, "")) => "",
        Some(_) => "&",
    };
    format!("{uri}{separator}{encoded}")
}

/// Appends form-encoded parameters to a URI as its fragment; none that is registered has one.
#[must_use]
pub fn with_fragment(uri: &str, parameters: &[(&str, &str)]) -> String {
    format!("{uri}#{}", form(parameters))
}

fn form(parameters: &[(&str, &str)]) -> String {
    let mut encoded = form_urlencoded::Serializer::new(String::new());
    for (name, value) in parameters {
        encoded.append_pair(name, value);
    }
    encoded.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s1_6_a_proxy_says_what_it_was_asked_for_in_one_way_or_another() {
        let own = Original::read("=s\n=https://a.example/b\n=PUT\n\n=1.2.3.4, 192.0.2.1\n=");
        assert_eq!(own.proxy.as_ref().map(Secret::expose), Some("s"));
        assert_eq!(own.url.as_deref(), Some("https://a.example/b"));
        assert_eq!(own.method.as_deref(), Some("PUT"));
        assert_eq!(
            (own.requested_with.as_deref(), own.preflight.as_deref()),
            (None, Some(""))
        );
        assert_eq!(own.address(), Some("192.0.2.1"));
        let forwarded = Original::read("=s\n\n\n\n=::1\n\n=GET\n=https\n=a.example:8443\n=/b?c");
        assert_eq!(forwarded.url.as_deref(), Some("https://a.example:8443/b?c"));
        assert_eq!(forwarded.method.as_deref(), Some("GET"));
        assert_eq!(forwarded.address(), Some("::1"));
        for partly in ["=s\n\n\n\n=x\n\n=GET\n=https\n\n=/b", "=s", ""] {
            let partly = Original::read(partly);
            assert_eq!((partly.url.as_deref(), partly.address()), (None, None));
        }
    }

    #[test]
    fn te_1_only_the_one_content_type_is_a_form() {
        let with = |content_type: &str| Request {
            content_type: Some(content_type.to_owned()),
            ..Request::default()
        };
        assert!(
            with("application/x-www-form-urlencoded; charset=utf-8")
                .form()
                .is_ok()
        );
        assert!(with("APPLICATION/X-WWW-FORM-URLENCODED").form().is_ok());
        for other in [
            "",
            "text/plain",
            "application/json, application/x-www-form-urlencoded",
            ";",
        ] {
            assert_eq!(with(other).form(), Err(Reason::WrongContentType), "{other}");
        }
    }

    #[test]
    fn parameters_join_a_query_that_is_there() {
        assert_eq!(
            with_query("https://a/cb", &[("x", "1 2")]),
            "https://a/cb?x=1+2"
        );
        assert_eq!(
            with_query("https://a/cb?t=1", &[("x", "&")]),
            "https://a/cb?t=1&x=%26"
        );
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let request = Request {
            cookie: Some("ab=1; b=2; c=a=b".to_owned()),
            ..Request::default()
        };
        assert_eq!(request.cookie("b"), Some("2"));
        assert_eq!(request.cookie("c"), Some("a=b"));
        assert_eq!(request.cookie("d"), None);
    }
}
