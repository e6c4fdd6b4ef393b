//! The URL that somebody asked a proxy for, as far as it decides something: whose host it is, and
//! which resource it lies in. Its path comes from whoever asks, as it was typed.

use crate::model::redirect::is_ambiguous;

/// A URL in its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Url<'a> {
    /// Whether it is `https`.
    pub secure: bool,
    /// The host, in any case.
    pub host: &'a str,
    /// The port, where it is not the usual one.
    pub port: Option<u16>,
    /// The path; without query and fragment, perhaps empty.
    pub path: &'a str,
    /// Whether there is nothing behind the path.
    pub bare: bool,
}

impl<'a> Url<'a> {
    /// Takes an absolute `http` or `https` URL apart.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        // Byte by byte: a search for one of several texts costs more to set up than it saves here.
        let before = |text: &str, ends: &[u8]| {
            let found = text.bytes().position(|byte| ends.contains(&byte));
            found.unwrap_or(text.len())
        };
        let (scheme, rest) = text.split_at(before(text, b":"));
        let rest = rest.strip_prefix("://")?;
        let secure = scheme.eq_ignore_ascii_case("https");
        if !secure && !scheme.eq_ignore_ascii_case("http") {
            return None;
        }
        let (authority, path) = rest.split_at(before(rest, b"/?#"));
        let (path, behind) = path.split_at(before(path, b"?#"));
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => {
                let digits = port.bytes().all(|byte| byte.is_ascii_digit());
                (host, Some(port.parse().ok().filter(|_| digits)?))
            }
            _ => (authority, None),
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let bracketed = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let fits = match bracketed {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !host.is_empty() && host.bytes().all(plain),
        };
        let usual = if secure { 443 } else { 80 };
        fits.then_some(Self {
            secure,
            host,
            port: port.filter(|port| *port != usual),
            path,
            bare: behind.is_empty(),
        })
    }

    /// Whether it lies at or below a resource: of the same origin, and beginning with the same
    /// segments of the path. A path that somebody on the way may read as another one lies below nothing
    /// but a whole origin.
    #[must_use]
    pub fn is_in(&self, resource: &str) -> bool {
        let Some(resource) = Url::parse(resource).filter(|resource| resource.bare) else {
            return false;
        };
        let same_origin = self.is_of_origin(&resource);
        let above = resource.path.strip_suffix('/').unwrap_or(resource.path);
        let below = self.path.strip_prefix(above);
        let plain = |path: &str| {
            let odd = |byte: u8| !byte.is_ascii_graphic() || byte == b'\\';
            !path.contains("//") && !path.bytes().any(odd) && !is_ambiguous(path)
        };
        same_origin
            && (above.is_empty()
                || below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                    && plain(self.path))
    }

    /// Whether both have the same scheme, host and port.
    #[must_use]
    pub fn is_of_origin(&self, other: &Url<'_>) -> bool {
        self.secure == other.secure
            && self.host.eq_ignore_ascii_case(other.host)
            && self.port == other.port
    }

    /// Whether the host is a user's own below `base`: the name first, `base` last, and anything
    /// between them.
    #[must_use]
    pub fn is_of(&self, user: &str, base: &str) -> bool {
        let Some(rest) = below(self.host, base) else {
            return false;
        };
        let first = rest.split('.').next().unwrap_or_default();
        first.eq_ignore_ascii_case(user)
    }

    /// Whether the host is `base`, or lies below it where that is asked.
    #[must_use]
    pub fn is_at(&self, base: &str, or_below: bool) -> bool {
        self.host.eq_ignore_ascii_case(base) || (or_below && below(self.host, base).is_some())
    }
}

/// What stands before `.base` in a host, if something does.
fn below<'a>(host: &'a str, base: &str) -> Option<&'a str> {
    let at = host.len().checked_sub(base.len())?;
    let (rest, end) = (host.get(..at)?, host.get(at..)?);
    let rest = rest.strip_suffix('.')?;
    (end.eq_ignore_ascii_case(base) && !rest.is_empty()).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_or_refused() {
        let url = Url::parse("HTTPS://A.example:8443/b?c#d").unwrap();
        assert_eq!(
            (url.host, url.port, url.path),
            ("A.example", Some(8443), "/b")
        );
        assert!(!url.bare);
        let bare = Url::parse("http://[::1]:80").unwrap();
        assert_eq!((bare.host, bare.port, bare.path), ("[::1]", None, ""));
        for bad in [
            "",
            "/a",
            "a.example/b",
            "ftp://a.example/",
            "https:///b",
            "https://u@a.example/",
            "https://a.example:x/",
            "https://a.example:/",
            "https://a.example:+1/",
            "https://a.example:65536/",
            "https://a b/",
            "https://[::1/",
            "https://é.example/",
        ] {
            assert_eq!(Url::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn s1_6_a_url_lies_in_a_resource_by_whole_segments_of_its_path() {
        let is_in = |url: &str, resource: &str| Url::parse(url).unwrap().is_in(resource);
        for (url, resource) in [
            ("https://a.example/v1", "https://a.example/v1"),
            ("https://a.example/v1/", "https://a.example/v1"),
            ("https://a.example/v1", "https://a.example/v1/"),
            ("https://A.example:443/v1/x?q=//..", "https://a.example/v1"),
            ("https://a.example/any/../thing", "https://a.example"),
            ("https://a.example", "https://a.example/"),
        ] {
            assert!(is_in(url, resource), "{url} {resource}");
        }
        for (url, resource) in [
            ("https://a.example/v10", "https://a.example/v1"),
            ("https://a.example/V1", "https://a.example/v1"),
            ("https://a.example/", "https://a.example/v1"),
            ("http://a.example/v1", "https://a.example/v1"),
            ("https://a.example:8443/v1", "https://a.example/v1"),
            ("https://b.a.example/v1", "https://a.example/v1"),
            ("https://a.example/v1/../v2", "https://a.example/v1"),
            ("https://a.example/v1/%2e%2e/v2", "https://a.example/v1"),
            ("https://a.example/v1/..%2Fv2", "https://a.example/v1"),
            ("https://a.example/v1//x", "https://a.example/v1"),
            ("https://a.example/v1/\\x", "https://a.example/v1"),
            ("https://a.example/v1", "https://a.example/v1?x"),
            ("https://a.example/v1", "a.example"),
            ("https://a.example/v1", ""),
        ] {
            assert!(!is_in(url, resource), "{url} {resource}");
        }
    }

    #[test]
    fn s1_6_a_users_host_begins_with_the_name_and_ends_with_the_base() {
        let is_of = |host: &str| {
            let url = format!("https://{host}/");
            Url::parse(&url).unwrap().is_of("ada", "example.com")
        };
        for host in [
            "ada.example.com",
            "ada.nb.example.com",
            "ADA.Example.COM:8443",
        ] {
            assert!(is_of(host), "{host}");
        }
        for host in [
            "example.com",
            "ada",
            "ada.example.org",
            "nb.ada.example.com",
            "ada.example.com.evil.org",
            "adaexample.com",
            "bob.example.com",
            "ada.notexample.com",
            ".example.com",
        ] {
            assert!(!is_of(host), "{host}");
        }
    }
}
