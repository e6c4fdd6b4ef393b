//! Where we may send a request of our own: the URL of somebody's key set. Whoever names it must not
//! make us speak to what only we can reach (CWE-918).

use fluent_uri::Uri;

/// Names that stand for a machine or a network of somebody's own (RFC 6761, RFC 6762, RFC 9476's
/// sibling `.internal`, RFC 8375).
const OWN: [&str; 5] = ["localhost", "local", "internal", "arpa", "localdomain"];
/// Bytes of a URL (as of every other URI that a record has).
const LONGEST: usize = 2000;

/// Whether we may fetch from there: https, on its usual port, from a host with a public name.
///
/// An address is refused however it is spelled and whatever it is: no list of networks has to be
/// complete then, and nobody's certificate is for one. What a name resolves to is the platform's
/// to look at (`global_fetch_strictly_public`).
///
/// `danger_private` takes http, ports, addresses and names of one's own as well.
#[must_use]
pub fn may_be_fetched(url: &str, danger_private: bool) -> bool {
    // What two parsers could read differently: the platform's cuts control characters out and takes
    // `\` for `/`.
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\\\"<>^`{|}#".contains(&byte);
    if url.len() > LONGEST || !url.bytes().all(plain) {
        return false;
    }
    let Ok(uri) = Uri::parse(url) else {
        return false;
    };
    let Some(authority) = uri.authority().filter(|it| it.userinfo().is_none()) else {
        return false;
    };
    let (scheme, host) = (uri.scheme().as_str(), authority.host());
    let port = authority.port().map_or("", |port| port.as_str());
    if danger_private {
        return matches!(scheme, "http" | "https") && !host.is_empty();
    }
    scheme == "https" && matches!(port, "" | "443") && is_public_name(host)
}

/// Whether a host is a domain name with a dot in it that the whole world reads alike.
fn is_public_name(host: &str) -> bool {
    let letters = |label: &str| {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !label.is_empty() && label.len() <= 63 && label.bytes().all(fits)
    };
    let Some((_, last)) = host.rsplit_once('.') else {
        return false;
    };
    // A last label that begins with a digit makes it an IPv4 address in some spelling (WHATWG URL
    // §3.5); no top-level domain does. A trailing dot, `%`, `_` and `[` fit no label.
    host.len() <= 253
        && host.split('.').all(letters)
        && !last.starts_with(|first: char| first.is_ascii_digit())
        && !OWN.contains(&last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cr_3_a_public_name_over_https_may_be_fetched() {
        for good in [
            "https://id.example/jwks",
            "https://id.example:443/a/b?c=d",
            "https://xn--bcher-kva.example/.well-known/jwks.json",
            "https://10.example",
            "https://127.0.0.1.example/",
        ] {
            assert!(may_be_fetched(good, false), "{good}");
        }
    }

    #[test]
    fn cr_3_another_scheme_port_or_credentials_are_refused() {
        for bad in [
            "http://id.example/jwks",
            "ftp://id.example/jwks",
            "file:///etc/passwd",
            "data:application/json,{}",
            "https:id.example",
            "//id.example/jwks",
            "https://id.example:8443/jwks",
            "https://id.example:80/jwks",
            "https://user@id.example/jwks",
            "https://user:secret@id.example/jwks",
            "https://id.example@127.0.0.1/",
            "https://id.example/jwks#keys",
            "https://id.example\\@127.0.0.1/",
            "https://id.example/\t",
            " https://id.example/",
            "https://",
            "",
        ] {
            assert!(!may_be_fetched(bad, false), "{bad}");
        }
        assert!(!may_be_fetched(
            &format!("https://id.example/{}", "a".repeat(2000)),
            false
        ));
    }

    #[test]
    fn cr_3_an_address_is_refused_in_every_spelling() {
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0x7f.0.0.1",
            "0177.0.0.1",
            "127.0.0.0x1",
            "127.0.0.1.",
            "127.0.0.%31",
            "%31%32%37.0.0.1",
            "0",
            "0.0.0.0",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "8.8.8.8",
            "[::]",
            "[::1]",
            "[fe80::1]",
            "[fe80::1%25eth0]",
            "[fc00::1]",
            "[fd12::1]",
            "[ff02::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "[2001:db8::1]",
            "\u{2460}27.0.0.1",
            "127\u{3002}0\u{3002}0\u{3002}1",
        ] {
            let url = format!("https://{host}/jwks");
            assert!(!may_be_fetched(&url, false), "{url}");
        }
    }

    #[test]
    fn cr_3_names_of_ones_own_network_are_refused() {
        for host in [
            "localhost",
            "localhost.",
            "LOCALHOST",
            "a.localhost",
            "a.localhost.",
            "printer.local",
            "metadata.google.internal",
            "Metadata.Google.Internal",
            "router.home.arpa",
            "1.0.0.127.in-addr.arpa",
            "intranet",
            "a..example",
            ".example",
            "a_b.example",
            "b\u{fc}cher.example",
        ] {
            let url = format!("https://{host}/jwks");
            assert!(!may_be_fetched(&url, false), "{url}");
        }
    }

    #[test]
    fn a_switch_with_a_long_name_takes_what_is_ones_own() {
        for good in [
            "http://127.0.0.1:8080/jwks",
            "http://localhost/jwks",
            "https://[::1]:8443/",
        ] {
            assert!(may_be_fetched(good, true), "{good}");
            assert!(!may_be_fetched(good, false), "{good}");
        }
        for bad in ["file:///etc/passwd", "http://a@127.0.0.1/", "http:///a"] {
            assert!(!may_be_fetched(bad, true), "{bad}");
        }
    }
}
