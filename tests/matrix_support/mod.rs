//! What bends a parameter, and the answers in the words of the tables.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test support: a broken fixture should stop it"
)]

pub(crate) mod authorize;
pub(crate) mod token;

use std::collections::BTreeSet;

use edgemint::http::Response;
use edgemint::server::Endpoint;

use crate::support::{Browser, Form, ISSUER, STATE, Seen, redirect_uri};

/// A parameter, a good value, a bad one, and what is answered to each of [`BENDS`]. In an answer `*`
/// stands for the name of the parameter.
pub(crate) type Row = (&'static str, &'static str, &'static str, [&'static str; 5]);

/// As it should be, empty, bad, twice there, and far too long.
pub(crate) const BENDS: [&str; 5] = ["good", "empty", "invalid", "repeated", "oversized"];

// What most tables say; a colon is between `error` and `error_description`.
pub(crate) const MISSING: &str = "invalid_request: * is missing";
pub(crate) const MALFORMED: &str = "invalid_request: * has a value that is not allowed";
pub(crate) const REPEATED: &str = "invalid_request: * was sent more than once";
pub(crate) const SCOPE_EXCEEDED: &str = "invalid_scope: more scope than this client may have";
pub(crate) const SCOPE_MALFORMED: &str = "invalid_scope: * has a value that is not allowed";
pub(crate) const OTHER_TARGET: &str = "invalid_target: this client may not name that resource";

/// The members of a token answer.
const BEARER: [&str; 4] = ["access_token", "expires_in", "scope", "token_type"];
/// Those that come with a refresh token.
const WITH_REFRESH_TOKEN: [&str; 2] = ["refresh_token", "refresh_token_expires_in"];

/// Which of these names a table has rows for.
pub(crate) fn names(tables: &[&[Row]]) -> BTreeSet<&'static str> {
    tables.concat().iter().map(|row| row.0).collect()
}

/// The request with this parameter bent, in the order of [`BENDS`]. A good value that the table cannot
/// know is in the request, or among `values`.
pub(crate) fn bent(good: &Form, values: &Form, row: &Row) -> [Form; 5] {
    let (name, value, invalid, _) = *row;
    let known = good.value(name).or(values.value(name));
    let here = known.unwrap_or(value).to_owned();
    assert!(!here.is_empty(), "{name} has a good value");
    let set = |value: &str| good.clone().with(name, value);
    [
        set(&here),
        set(""),
        set(invalid),
        set(&here).and(name, &here),
        set(&"x".repeat(20_000)),
    ]
}

/// What differs from the table, all of it at once.
pub(crate) fn differences(
    rows: &[Row],
    values: &Form,
    good: impl Fn() -> Form,
    answer: impl Fn(&Form) -> String,
) -> String {
    let mut found = String::new();
    for row in rows {
        for (index, bend) in BENDS.iter().enumerate() {
            let form = &bent(&good(), values, row)[index];
            let (seen, expected) = (answer(form), row.3[index].replace('*', row.0));
            if seen != expected {
                found += &format!("{} {bend}: {seen}, not {expected}\n", row.0);
            }
        }
    }
    found
}

/// The answer in the words of [`authorize::AUTHORIZE`], after everything about it that is always so was
/// checked.
pub(crate) fn at_authorize(browser: &Browser<'_>, form: &Form) -> String {
    let response = browser.authorize(form).response;
    assert_eq!(response.header("cache-control"), Some("no-store"));
    assert_eq!(response.header("www-authenticate"), None);
    let Some(location) = response.location() else {
        assert_eq!(
            response.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        assert!(response.body.starts_with("<!DOCTYPE html>"));
        assert_eq!(response.header("refresh"), None);
        return format!("page {} {}", response.status, response.label());
    };
    assert_eq!((response.status, response.body.as_str()), (303, ""));
    let base = format!("{}?", redirect_uri("web"));
    assert!(location.starts_with(&base), "{location}");
    let answer = response.answer();
    // RFC 9207: in every answer, once, and what it answers for.
    assert_eq!(answer.value("iss"), Some(ISSUER));
    let (mut names, what) = match answer.value("error") {
        None => {
            assert!(answer.value("code").unwrap().starts_with("emc_"));
            (vec!["code"], "code".to_owned())
        }
        Some(error) => {
            let description = answer.value("error_description").unwrap();
            assert_described(description);
            let what = format!("{error}: {description}");
            (vec!["error", "error_description"], what)
        }
    };
    let state = answer.value("state").map(str::to_owned);
    names.extend(state.is_some().then_some("state"));
    names.push("iss");
    assert_eq!(answer.names(), names, "{location}");
    match state {
        None => format!("{what}, stateless"),
        Some(state) => {
            assert_eq!(state, STATE);
            what
        }
    }
}

/// The characters of RFC 6749 §4.1.2.1 and §5.2.
fn assert_described(description: &str) {
    let allowed = |byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5B | 0x5D..=0x7E);
    assert!(!description.is_empty() && description.bytes().all(allowed));
}

/// The answer in the words of [`token`], as [`at_authorize`].
pub(crate) fn at_token(response: &Response, by_header: bool) -> String {
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert_eq!(response.header("cache-control"), Some("no-store"));
    assert_eq!(response.header("pragma"), Some("no-cache"));
    assert_eq!(response.location(), None);
    let body = response.json();
    let challenged = response.header("www-authenticate").is_some();
    assert_eq!(challenged, response.status == 401 && by_header);
    let members: BTreeSet<&str> = body.as_object().unwrap().keys().map(|key| &**key).collect();
    let text = |name: &str| body[name].as_str().unwrap();
    if response.status == 200 {
        let mut expected = BTreeSet::from(BEARER);
        let mut what = "200".to_owned();
        if members.contains("refresh_token") {
            expected.extend(WITH_REFRESH_TOKEN);
            assert!(text("refresh_token").starts_with("emr_"));
            assert_eq!(body["refresh_token_expires_in"], 14 * 24 * 3600);
            what += " refresh";
        }
        if members.contains("id_token") {
            expected.insert("id_token");
            assert_eq!(text("id_token").split('.').count(), 3);
            what += " id";
        }
        assert_eq!(members, expected);
        assert!(text("access_token").starts_with("ema_"));
        assert_eq!(text("token_type"), "Bearer");
        assert_eq!(body["expires_in"], 3600);
        return format!("{what}: {}", text("scope"));
    }
    assert_eq!(members, BTreeSet::from(["error", "error_description"]));
    let (error, description) = (text("error"), text("error_description"));
    assert_described(description);
    // RFC 6749 §5.2.
    let status = if error == "invalid_client" { 401 } else { 400 };
    assert_eq!(response.status, status, "{body}");
    format!("{error}: {description}")
}

/// All of an answer, but for what is another each time: codes, and the numbers of requests.
pub(crate) fn whole(response: &Response) -> String {
    let mut text = format!(
        "{} {:?} {:?} {}",
        response.status, response.headers, response.reason, response.body
    );
    if response.location().is_some()
        && let Some(code) = response.answer().value("code")
    {
        text = text.replace(code, "CODE");
    }
    let mut parts = text.split("request-");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |text, part| {
        let rest = part.trim_start_matches(|letter: char| letter.is_ascii_digit());
        format!("{text}request-{rest}")
    })
}

/// Where `continue` of an authorization request comes from: what it leads to when it is posted.
pub(crate) fn continued(browser: &Browser<'_>, form: &Form) -> String {
    let response = browser.send(Endpoint::Authorize, crate::support::post(form));
    response.answer().value("continue").unwrap().to_owned()
}
