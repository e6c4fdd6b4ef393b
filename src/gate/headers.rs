//! What goes on to the service: who it is, and whatever of the request's own credentials is not ours.
//! Ours never do, wherever they stand; other people's always do.

use super::ours::{JOIN, holds_credential, is_of_ours, values};
use super::principal::Principal;
use crate::config::Config;
use crate::http::{Request, Response};
use crate::model::Secret;
use crate::oauth::bearer;
use crate::oauth::page::BROWSER_COOKIE;
use crate::oauth::session;
use crate::server::Server;
use crate::token::mac::is_mac;

/// Passes on what a request brought, without what is ours.
#[must_use]
pub fn pass_on<P>(server: &Server<P>, request: &Request, answer: Response) -> Response {
    let kept = request.authorization.as_deref();
    let kept = kept.filter(|values| bearer::alone(values, &server.keyring).is_none());
    let kept = kept.and_then(|values| authorization(values, &server.config));
    let answer = add(answer, "authorization", kept.as_deref());
    without_authorization(&server.config, request, answer)
}

/// The same, where `Authorization` is said otherwise.
fn without_authorization(config: &Config, request: &Request, answer: Response) -> Response {
    let kept = request.cookie.as_deref();
    let kept = kept.and_then(|cookie| cookies(cookie, config));
    add(answer, "cookie", kept.as_deref())
}

/// Says who it is, besides.
#[must_use]
pub fn identify<P>(
    server: &Server<P>,
    request: &Request,
    principal: &Principal,
    delegated: Option<&Secret>,
    use_authorization: bool,
    answer: Response,
) -> Response {
    let answer = answer.with("x-auth-request-user", principal.username.to_string());
    let answer = add(answer, "x-auth-request-email", principal.email.as_deref());
    let answer = add(
        answer,
        "x-auth-request-service",
        principal.service.as_deref(),
    );
    let delegated = delegated.map(Secret::expose);
    let answer = add(answer, "x-auth-request-token", delegated);
    match delegated.filter(|_| use_authorization) {
        Some(token) => {
            let answer = answer.with("authorization", format!("Bearer {token}"));
            without_authorization(&server.config, request, answer)
        }
        None => pass_on(server, request, answer),
    }
}

/// Says what the body has to hash to, which nobody has looked at yet.
#[must_use]
pub fn signed_body(answer: Response, hash: Option<String>) -> Response {
    match hash {
        Some(hash) => answer.with("x-auth-request-body-hash", hash),
        None => answer,
    }
}

/// Adds a header if there is a value that a header can have: nobody's mail address may break an answer.
fn add(answer: Response, name: &'static str, value: Option<&str>) -> Response {
    let fits = |value: &&str| {
        !value.is_empty()
            && value
                .bytes()
                .all(|byte| matches!(byte, 0x20..=0x7E | b'\t'))
    };
    match value.filter(fits) {
        Some(value) => answer.with(name, value.to_owned()),
        None => answer,
    }
}

/// The values of `Authorization` that hold nothing of ours.
fn authorization(header: &str, config: &Config) -> Option<String> {
    let theirs = values(header);
    let theirs = theirs.filter(|value| !is_of_ours(value, config));
    let theirs: Vec<&str> = theirs.collect();
    // What is left of a signature of ours are its attributes: commas are between them, too.
    let theirs = Some(theirs.join(JOIN)).filter(|theirs| !theirs.is_empty())?;
    let some_was_ours = || theirs.len() < header.len();
    let signed = values(header).any(|value| is_mac(Some(value)));
    (!signed || !some_was_ours()).then_some(theirs)
}

/// The cookies that are not ours, neither by name nor by value. What is no cookie stays, too; where
/// there is nothing to take out, all stays as it is.
fn cookies(header: &str, config: &Config) -> Option<String> {
    let names = [session::COOKIE, BROWSER_COOKIE].map(|name| config.cookie_name(name));
    let is_ours = |cookie: &&str| {
        let named = |cookie: &str| {
            let name = cookie.split('=').next().unwrap_or_default();
            names
                .iter()
                .any(|ours| ours == name.trim_matches([' ', '\t']))
        };
        // A header that came in several lines may have been joined by commas on its way.
        values(cookie).any(named) || holds_credential(cookie, &config.issuer)
    };
    let all: Vec<&str> = header.split(';').collect();
    let kept: Vec<&str> = all
        .iter()
        .copied()
        .filter(|cookie| !is_ours(cookie))
        .collect();
    let header = if kept.len() == all.len() {
        header.to_owned()
    } else {
        let kept: Vec<&str> = kept
            .iter()
            .map(|cookie| cookie.trim_matches([' ', '\t']))
            .collect();
        kept.join("; ")
    };
    Some(header).filter(|header| !header.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s1_6_cookies_go_by_whole_names_and_by_what_they_hold() {
        let config = Config::new("http://127.0.0.1:1").unwrap();
        let token = format!("ema_{}", "x".repeat(80));
        let theirs = |header: &str| cookies(header, &config).unwrap_or_default();
        for (header, kept) in [
            (
                "foo=bar; edgemint-session=blah; edgemint-sessionblah=blah",
                "foo=bar; edgemint-sessionblah=blah",
            ),
            ("edgemint-session=a", ""),
            ("edgemint-session", ""),
            (" edgemint-session =a", ""),
            ("edgemint-browser=a;b", "b"),
            ("foo=bar;;=; =x;malformed", "foo=bar;;=; =x;malformed"),
            ("a=1, edgemint-session=b; c=2", "c=2"),
            (&format!("a={token}; b=1"), "b=1"),
            (&format!("a=\"{token}\"; b=1"), "b=1"),
            (
                &format!("a=Bearer%20{token}; items_{}=1", "x".repeat(30)),
                &format!("a=Bearer%20{token}; items_{}=1", "x".repeat(30)),
            ),
            ("", ""),
        ] {
            assert_eq!(theirs(header), kept, "{header}");
        }
        let secure = Config::new("https://id.example").unwrap();
        let header = "edgemint-session=theirs; __Host-edgemint-session=ours";
        let kept = cookies(header, &secure);
        assert_eq!(kept.as_deref(), Some("edgemint-session=theirs"));
    }
}
