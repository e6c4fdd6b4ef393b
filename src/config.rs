//! Every policy knob, its default and the reason for it. Parsed once; wrong ones refuse to serve.

use fluent_uri::Uri;

use crate::error::ErrorCode;
use crate::gate::origin::Url;
use crate::model::Client;
use crate::model::redirect::{is_ambiguous, is_plain_host};
use crate::model::{Digest, Quotas, Seconds, Secret};
use crate::token::access_jwt;

/// The management API's own audience is `{issuer}/api/v1`; no token has it by default.
pub const API_PATH: &str = "/api/v1";

/// What a deployment may set.
#[derive(Debug, Clone)]
pub struct Config {
    /// `iss`: scheme, host and path, without a trailing slash. It never comes from a request
    /// (CVE-2026-33495).
    pub issuer: String,
    /// Scheme and host of the issuer.
    pub origin: String,
    /// Whether cookies are `__Host-` and `Secure`: everywhere but on plain loopback.
    pub secure_cookies: bool,
    /// The bootstrap token, digested; without one, administration needs a token of a person.
    pub bootstrap: Option<Digest>,
    /// The secret of a local run, digested: lets `npm start` make the first administrator.
    pub local_run: Option<Digest>,
    /// Whether anybody may register a client (RFC 7591). Off: a stranger's client can bear any
    /// name (CVE-2026-9705).
    pub danger_open_registration: bool,
    /// How old a copy of the feed may be, in milliseconds. 5 s: the polls of an isolate stay under
    /// one a second whatever its traffic, and a revocation is seen before a person has told anybody.
    pub revocation_max_age: u64,
    /// For how many milliseconds beyond that a copy still serves while the feed is away. 0: what
    /// was revoked meanwhile would be taken for good.
    pub danger_accept_unchecked_revocation: u64,
    /// Whether key sets are fetched from addresses, ports and hosts of one's own, and without TLS: for a
    /// development machine. Off: whoever may write a URL could have us ask what only we can reach.
    pub danger_allow_private_fetch_targets: bool,
    /// How long access tokens live unless the client says otherwise: RFC 9700 asks for short, seed
    /// 000 for an hour.
    pub access_token_lifetime: Seconds,
    /// Over how many shards subjects may be spread: whom a list of everything asks.
    pub ledger_shards: u16,
    /// What proxies prove themselves by; without one there is no gate. Not digested: they come from the settings, where
    /// they are in clear, and a digest for every request would cost more than all else that is looked at.
    pub proxies: Vec<Secret>,
    /// Whether pages of hosts below the issuer's may ask services behind the gate, too. Off: whoever
    /// has such a host need not be whoever has the issuer.
    pub gate_subdomains: bool,
    /// How much of the services behind the gate people may use; nothing is without limit.
    pub quotas: Option<Quotas>,
    /// Whether everything is answered, or only what resources live by: seed 002's `AVAILABLE`.
    pub available: bool,
    /// Origins at which requests are signed by MAC, besides those that resources are called by: what a
    /// request says of its own host proves nothing.
    pub mac_origins: Vec<String>,
    /// How far the time of a signed request may be from ours. 60 s: what other clocks are given here; as
    /// long, and as long again, its nonce is a row.
    pub mac_window: Seconds,
    /// What an error's code is put behind, to be told as `error_uri` (RFC 6749 §5.2); none unless said.
    pub error_uri: Option<String>,
}

/// How long the history of changes is kept, unless `EDGEMINT_HISTORY_DAYS` says otherwise. 400 days:
/// whoever looks through a year's changes after it has ended still finds the first of them, and
/// nobody's name and address stay there for good.
pub const HISTORY_KEPT: Seconds = Seconds(400 * 24 * 3600);

/// Where applications have their issuers, under the deployment's.
pub const APPLICATIONS: &str = "/application/o/";

/// Why a deployment's settings cannot be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfitSetting {
    /// Which.
    pub name: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

impl Config {
    /// The defaults for an issuer.
    ///
    /// # Errors
    /// [`UnfitSetting`] when the issuer is not an https URL (http on loopback) without query,
    /// fragment and trailing slash (RFC 8414 §2), spelled as browsers spell it.
    pub fn new(issuer: &str) -> Result<Self, UnfitSetting> {
        let unfit = UnfitSetting {
            name: "ISSUER",
            remedy: "set it to an https URL in lower case, without usual port, query, fragment or trailing slash",
        };
        let uri = Uri::parse(issuer).map_err(|_| unfit.clone())?;
        let scheme = uri.scheme().as_str();
        let authority = uri.authority().ok_or(unfit.clone())?;
        let (host, port) = (authority.host(), authority.port());
        let loopback = matches!(host, "127.0.0.1" | "[::1]" | "localhost");
        let secure = scheme == "https";
        let usual = if secure { "443" } else { "80" };
        let clean = is_plain_host(host)
            && port.is_none_or(|port| is_port(port.as_str()) && port.as_str() != usual)
            && authority.userinfo().is_none()
            && uri.query().is_none()
            && uri.fragment().is_none()
            && !is_ambiguous(uri.path().as_str())
            && !issuer.ends_with('/');
        // A browser says in `Origin` how it spells it; another spelling would never be equal. Of IPv6
        // there are many, and nobody serves people under one but on their own machine.
        let spelled = !host.bytes().any(|byte| byte.is_ascii_uppercase())
            && (!host.starts_with('[') || loopback);
        if !clean || !spelled || !(secure || (scheme == "http" && loopback)) {
            return Err(unfit);
        }
        Ok(Self {
            issuer: issuer.to_owned(),
            origin: format!("{scheme}://{}", authority.as_str()),
            secure_cookies: secure,
            bootstrap: None,
            local_run: None,
            danger_open_registration: false,
            revocation_max_age: 5_000,
            danger_accept_unchecked_revocation: 0,
            danger_allow_private_fetch_targets: false,
            access_token_lifetime: Seconds(3600),
            ledger_shards: 16,
            proxies: Vec::new(),
            gate_subdomains: false,
            quotas: None,
            available: true,
            mac_origins: Vec::new(),
            mac_window: Seconds(60),
            error_uri: None,
        })
    }

    /// Takes the bootstrap token.
    ///
    /// # Errors
    /// [`UnfitSetting`] when it is shorter than 32 characters.
    pub fn with_bootstrap(mut self, token: &Secret) -> Result<Self, UnfitSetting> {
        if token.expose().len() < 32 {
            return Err(UnfitSetting {
                name: "BOOTSTRAP_TOKEN",
                remedy: "use at least 32 random characters",
            });
        }
        self.bootstrap = Some(token.digest());
        Ok(self)
    }

    /// Takes where errors are explained: what is there plus the code is the `error_uri`.
    ///
    /// # Errors
    /// [`UnfitSetting`] when that makes no web address, or the code would be part of a host or a port.
    pub fn with_error_uri(mut self, base: &str) -> Result<Self, UnfitSetting> {
        let whole = format!("{base}{}", ErrorCode::InvalidRequest.as_str());
        let web = Uri::parse(whole.as_str()).is_ok_and(|uri| {
            let host = uri.authority().map_or("", |authority| authority.host());
            matches!(uri.scheme().as_str(), "https" | "http") && !host.is_empty()
        });
        let (_, behind) = base.split_once("://").unwrap_or_default();
        let web = web && behind.contains(['/', '?', '#']);
        if !web {
            return Err(UnfitSetting {
                name: "ERROR_URI",
                remedy: "set it to a URL with a path behind which a code may be put, as https://docs.example/errors#",
            });
        }
        self.error_uri = Some(base.to_owned());
        Ok(self)
    }

    /// Takes the origins at which requests are signed by MAC: a list.
    ///
    /// # Errors
    /// [`UnfitSetting`] when one is no origin.
    pub fn with_mac_origins(mut self, origins: &str) -> Result<Self, UnfitSetting> {
        for origin in origins.split(',').map(str::trim) {
            let fits = Url::parse(origin).is_some_and(|url| url.bare && url.path.is_empty());
            if !fits {
                return Err(UnfitSetting {
                    name: "EDGEMINT_MAC_ORIGINS",
                    remedy: "set it to a list of origins, as https://api.example, https://app.example:8443",
                });
            }
            self.mac_origins.push(origin.to_owned());
        }
        Ok(self)
    }

    /// Where an error is explained, if that is anywhere.
    #[must_use]
    pub fn explained_at(&self, code: ErrorCode) -> Option<String> {
        let base = self.error_uri.as_deref()?;
        Some(format!("{base}{}", code.as_str()))
    }

    /// Takes what proxies prove themselves by: a list, so that one can be replaced while both are in use.
    ///
    /// # Errors
    /// [`UnfitSetting`] when one of them is shorter than 32 characters.
    pub fn with_proxies(mut self, secrets: &str) -> Result<Self, UnfitSetting> {
        for secret in secrets.split(',').map(str::trim) {
            if secret.len() < 32 {
                return Err(UnfitSetting {
                    name: "PROXY_SECRET",
                    remedy: "use at least 32 random characters for each in the list",
                });
            }
            self.proxies.push(Secret::new(secret));
        }
        Ok(self)
    }

    /// The issuer's host, without its port.
    #[must_use]
    pub fn host(&self) -> &str {
        let (_, authority) = self.origin.split_once("://").unwrap_or_default();
        match authority.rsplit_once(':') {
            Some((host, port)) if is_port(port) => host,
            _ => authority,
        }
    }

    /// Audience of the management API.
    #[must_use]
    pub fn api_audience(&self) -> String {
        format!("{}{API_PATH}", self.issuer)
    }

    /// The absolute URL of one of our paths.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    /// The issuer that a client is told: its application's own, where it has one (seed 004's
    /// `issuer_mode`), else the deployment's.
    #[must_use]
    pub fn issuer_of(&self, client: &Client) -> String {
        access_jwt::issuer_of(&self.issuer, client.application.as_deref())
    }

    /// One of our paths as a page of ours links it.
    #[must_use]
    pub fn path(&self, path: &str) -> String {
        let base = self.issuer.strip_prefix(&self.origin).unwrap_or_default();
        format!("{base}{path}")
    }

    /// The name of a cookie. `__Host-` keeps it to this host, over TLS, for every path; browsers
    /// refuse that prefix over plain http.
    #[must_use]
    pub fn cookie_name(&self, name: &str) -> String {
        if self.secure_cookies {
            format!("__Host-{name}")
        } else {
            name.to_owned()
        }
    }

    /// A `Set-Cookie` value. `Lax`, because the answer of another site's link must know the
    /// session; forms are protected by their own value.
    #[must_use]
    pub fn set_cookie(&self, name: &str, value: &str, lifetime: Seconds) -> String {
        let secure = if self.secure_cookies { "; Secure" } else { "" };
        format!(
            "{}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={}{secure}",
            self.cookie_name(name),
            lifetime.0
        )
    }
}

fn is_port(text: &str) -> bool {
    !text.starts_with('0') && text.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn md_1_an_issuer_is_https_or_loopback_and_has_no_extras() {
        for good in [
            "https://id.example",
            "https://id.example/tenant",
            "http://127.0.0.1:8787",
        ] {
            assert!(Config::new(good).is_ok(), "{good}");
        }
        for bad in [
            "http://id.example",
            "https://id.example/",
            "https://id.example?x",
            "https://id.example#x",
            "https://user@id.example",
            "https://",
            "id.example",
            "http://127.0.0.1.evil.example",
            "",
        ] {
            assert!(Config::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn md_1_an_issuer_that_a_browser_spells_otherwise_is_refused() {
        for bad in [
            "https://ID.example",
            "https://id.example:443",
            "http://127.0.0.1:80",
            "https://id.example:0443",
            "https://id.example:x",
            "https://[0:0:0:0:0:0:0:1]",
            "https://id.example:",
            "https://id.example:65536",
            "https://0x7f.1",
            "https://id.example/a/../b",
            "https://id.example/%2e",
            "https://id.example/{a}",
        ] {
            assert!(Config::new(bad).is_err(), "{bad}");
        }
        for good in ["https://192.0.2.1:8443/a", "http://[::1]:8787"] {
            assert!(Config::new(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn se_7_cookies_are_host_bound_and_secure_wherever_there_is_tls() {
        let config = Config::new("https://id.example").unwrap();
        let cookie = config.set_cookie("edgemint-session", "x", Seconds(1));
        assert!(cookie.starts_with("__Host-edgemint-session=x; Path=/; HttpOnly; SameSite=Lax"));
        assert!(cookie.ends_with("; Secure"));
        let local = Config::new("http://127.0.0.1:1").unwrap();
        assert!(!local.set_cookie("s", "x", Seconds(1)).contains("Secure"));
    }

    #[test]
    fn a_short_secret_of_a_proxy_is_refused_wherever_it_stands() {
        let config = Config::new("https://id.example").unwrap();
        let long = "x".repeat(32);
        for short in ["", "x", &format!("{long},"), &format!("{long},x")] {
            assert!(config.clone().with_proxies(short).is_err(), "{short}");
        }
        let both = config.with_proxies(&format!("{long}, {long}")).unwrap();
        assert_eq!(both.proxies.len(), 2);
    }

    #[test]
    fn s3_6_what_is_no_origin_is_no_setting_either() {
        let config = Config::new("https://id.example").unwrap();
        for bad in [
            "",
            "api.example",
            "https://a.example/",
            "https://a.example?",
            "https://a.example,",
        ] {
            assert!(config.clone().with_mac_origins(bad).is_err(), "{bad}");
        }
        let both = config.with_mac_origins("https://a.example, http://b.example:8080");
        assert_eq!(both.unwrap().mac_origins.len(), 2);
    }

    #[test]
    fn s2_8_errors_are_explained_at_a_web_address_alone() {
        let config = Config::new("https://id.example").unwrap();
        for bad in [
            "",
            "docs",
            "/errors/",
            "javascript:",
            "https:",
            "https://a\"b/",
            "https://a/ ",
            "https://docs.example",
            "https://docs.example:",
            "https://docs.example:44",
            "https://me@",
            "https:///errors/",
        ] {
            assert!(config.clone().with_error_uri(bad).is_err(), "{bad}");
        }
        let config = config
            .with_error_uri("https://docs.example/errors#")
            .unwrap();
        assert_eq!(
            config.explained_at(ErrorCode::InvalidGrant).as_deref(),
            Some("https://docs.example/errors#invalid_grant")
        );
        for good in [
            "https://a/",
            "https://a#",
            "http://a:1?code=",
            "https://a/errors/",
        ] {
            assert!(config.clone().with_error_uri(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn the_host_of_an_issuer_has_no_port() {
        for (issuer, host) in [
            ("https://id.example", "id.example"),
            ("https://id.example:8443/a", "id.example"),
            ("http://[::1]", "[::1]"),
            ("http://[::1]:8787", "[::1]"),
        ] {
            assert_eq!(Config::new(issuer).unwrap().host(), host);
        }
    }

    #[test]
    fn a_short_bootstrap_token_is_refused() {
        let config = Config::new("https://id.example").unwrap();
        assert!(
            config
                .clone()
                .with_bootstrap(&Secret::new("x".repeat(31)))
                .is_err()
        );
        assert!(config.with_bootstrap(&Secret::new("x".repeat(32))).is_ok());
    }
}
