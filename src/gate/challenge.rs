//! How the gate refuses. A proxy understands 401 and 403 and takes everything else for a failure, so
//! what a client has to hear otherwise is told beside a 403: `X-Error-Status` and `X-Error-Body`.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::json;

use crate::config::Config;
use crate::directory::Unfit;
use crate::error::{ErrorCode, Reason};
use crate::http::Response;
use crate::model::UnixTime;

/// The answer to a request that may not pass. `basic` is how a browser is to ask; `script` is whether
/// a page's script asked, which no sign-in page helps.
#[must_use]
pub fn refusal(config: &Config, basic: bool, script: bool, reason: Reason) -> Response {
    let status = reason.status();
    let told = match status {
        401 if script => 403,
        401 | 403 | 422 | 500.. => status,
        _ => 403,
    };
    let body = body(&reason);
    let mut answer = Response::json(told, body.clone());
    set(&mut answer, "content-type", "application/problem+json");
    if matches!(told, 401 | 403) {
        // A proxy may keep what it was answered; not this.
        set(&mut answer, "cache-control", "no-cache, no-store");
    }
    if told == 403 && status != 401 && status != 403 {
        answer = answer
            .with("x-error-status", status.to_string())
            .with("x-error-body", body);
    }
    if let Some(challenge) = challenge(config, basic, &reason) {
        answer = answer.with("www-authenticate", challenge);
    }
    if let Reason::QuotaExceeded(_, resets_at) = reason {
        answer = answer.with("retry-after", UnixTime(resets_at).http_date());
    }
    answer.because_of(reason)
}

/// The same, to who signs requests.
#[must_use]
pub fn by_mac(mut refused: Response, challenge: Option<String>) -> Response {
    if let Some(challenge) = challenge {
        set(&mut refused, "www-authenticate", challenge);
    }
    refused
}

fn set(answer: &mut Response, name: &str, value: impl Into<Cow<'static, str>>) {
    if let Some((_, old)) = answer.headers.iter_mut().find(|(known, _)| *known == name) {
        *old = value.into();
    }
}

/// RFC 6750 §3, where a credential is what is missing or wrong. To whom a route is not open by name no
/// scope is told: none would help.
fn challenge(config: &Config, basic: bool, reason: &Reason) -> Option<String> {
    let of_credential = matches!(
        reason,
        Reason::MalformedCredential | Reason::SeveralCredentials
    );
    let code = reason.code();
    let known = matches!(code, ErrorCode::InvalidToken | ErrorCode::InsufficientScope);
    if !known && !of_credential {
        return None;
    }
    let realm = config.host();
    if basic {
        return Some(format!("Basic realm=\"{realm}\""));
    }
    let mut challenge = format!("Bearer realm=\"{realm}\"");
    if *reason == Reason::NoToken {
        return Some(challenge);
    }
    let description = reason.description();
    // Neither has a quote or a backslash; writing to a text cannot fail.
    let _ = write!(
        challenge,
        ", error=\"{}\", error_description=\"{description}\"",
        code.as_str()
    );
    if let Reason::InsufficientScope(scope) = reason {
        let _ = write!(challenge, ", scope=\"{scope}\"");
    }
    Some(challenge)
}

/// The API's shape, in ASCII: it may have to stand in a header.
fn body(reason: &Reason) -> String {
    let description = reason.description();
    let errors = match reason {
        Reason::UnfitRequirement(unfit) => unfit.iter().map(misplaced).collect(),
        _ => vec![json!({ "msg": description, "type": kind(reason) })],
    };
    let body = json!({
        "type": "about:blank",
        "status": reason.status(),
        "detail": description,
        "code": reason.label(),
        "errors": errors,
    });
    let mut text = String::new();
    for letter in body.to_string().chars() {
        if letter.is_ascii() {
            text.push(letter);
        } else {
            let mut units = [0; 2];
            for unit in letter.encode_utf16(&mut units) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
    text
}

fn misplaced(Unfit { field, rule }: &Unfit) -> serde_json::Value {
    let place = if field.starts_with("X-") {
        "header"
    } else {
        "query"
    };
    json!({ "loc": [place, field], "msg": rule, "type": "value_error" })
}

/// Seed 001's word for it.
fn kind(reason: &Reason) -> &'static str {
    match reason {
        Reason::NoToken => "no_authorization",
        Reason::QuotaExceeded(..) | Reason::TooManyDelegated(_) => "rate_limited",
        Reason::PreflightRejected => "cors_preflight_rejected",
        Reason::OptionsNotSupported => "options_not_supported",
        other => other.code().as_str(),
    }
}
