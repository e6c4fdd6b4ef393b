//! Bearer tokens at our own resources, RFC 6750: the `Authorization` header and nothing else.

use super::access_token::{self, LiveToken};
use crate::error::Reason;
use crate::http::Response;
use crate::model::Secret;
use crate::ports::{At, Ports};
use crate::server::Server;

/// The longest token that is looked at.
const LONGEST: usize = 16 * 1024;

/// The token in the `Authorization` header.
///
/// # Errors
/// [`Reason::NoToken`] without the header or with another scheme; [`Reason::TokenUnknown`] when
/// what follows is not one b64token (RFC 6750 §2.1).
pub fn presented(authorization: Option<&str>) -> Result<Secret, Reason> {
    let header = authorization.ok_or(Reason::NoToken)?;
    let (scheme, token) = header.split_once(' ').ok_or(Reason::NoToken)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Reason::NoToken);
    }
    let fits = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-'..=b'/' | b'=' | b'_' | b'~')
    };
    if token.is_empty() || token.len() > LONGEST || !token.bytes().all(fits) {
        return Err(Reason::TokenUnknown);
    }
    Ok(Secret::new(token))
}

/// Validates the presented token.
///
/// # Errors
/// As [`presented`] and [`access_token::validate`].
pub async fn authenticate<P: Ports>(
    server: &Server<P>,
    authorization: Option<&str>,
    at: &At,
) -> Result<LiveToken, Reason> {
    let token = presented(authorization)?;
    access_token::validate(server, token.expose(), at).await
}

/// The answer to a refused bearer request: a quoted challenge (RFC 6750 §3) that never echoes the
/// token, and no error code where no token was sent (§3.1).
#[must_use]
pub fn refusal(reason: Reason) -> Response {
    let code = reason.code();
    let challenge = match &reason {
        Reason::NoToken => Some("Bearer realm=\"edgemint\"".to_owned()),
        Reason::InsufficientScope(scope) => Some(format!(
            "Bearer realm=\"edgemint\", error=\"{}\", scope=\"{scope}\"",
            code.as_str()
        )),
        other if matches!(code.status(), 401 | 403) => Some(format!(
            "Bearer realm=\"edgemint\", error=\"{}\", error_description=\"{}\"",
            code.as_str(),
            other.description()
        )),
        _ => None,
    };
    let response = Response::refusal(reason);
    match challenge {
        Some(challenge) => response.with("www-authenticate", challenge),
        None => response,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(header: &str) -> Result<Secret, Reason> {
        presented(Some(header))
    }

    #[test]
    fn rs_2_the_scheme_has_any_case_and_the_token_no_other_character() {
        for scheme in ["bearer", "BEARER", "bEaReR"] {
            assert_eq!(with(&format!("{scheme} abc")).unwrap().expose(), "abc");
        }
        for odd in [
            "Bearer  abc",
            "Bearer a b",
            "Bearer abc ",
            "Bearer é",
            "Bearer a,Bearer b",
        ] {
            assert_eq!(with(odd).unwrap_err(), Reason::TokenUnknown, "{odd}");
        }
        assert_eq!(with("Bearer ").unwrap_err(), Reason::TokenUnknown);
        for none in ["", "Bearer", "Basic abc", "Bearers abc"] {
            assert_eq!(with(none).unwrap_err(), Reason::NoToken, "{none}");
        }
    }

    #[test]
    fn rs_3_no_token_gets_a_bare_challenge_and_a_bad_one_a_code() {
        let bare = refusal(Reason::NoToken);
        assert_eq!(bare.status, 401);
        assert_eq!(
            bare.header("www-authenticate"),
            Some("Bearer realm=\"edgemint\"")
        );
        let bad = refusal(Reason::TokenRevoked);
        assert_eq!(bad.status, 401);
        assert!(
            bad.header("www-authenticate")
                .unwrap()
                .contains("error=\"invalid_token\"")
        );
        let little = refusal(Reason::InsufficientScope("openid".to_owned()));
        assert_eq!(little.status, 403);
        let challenge = little.header("www-authenticate").unwrap();
        assert!(challenge.contains("error=\"insufficient_scope\", scope=\"openid\""));
    }
}
