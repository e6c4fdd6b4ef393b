//! Bearer tokens at our own resources, RFC 6750: the `Authorization` header and nothing else.

use super::access_token::{self, LiveToken};
use crate::error::Reason;
use crate::http::Response;
use crate::model::Secret;
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::Keyring;
use crate::validator::{self, challenge};

/// The token in the `Authorization` header.
///
/// # Errors
/// As [`validator::presented`].
pub fn presented(authorization: Option<&str>) -> Result<Secret, Reason> {
    Ok(validator::presented(authorization)?)
}

/// The token, where there is nothing but one that was opened before: then nothing has to be looked for in it.
#[must_use]
pub fn alone<'a>(authorization: &'a str, keyring: &Keyring) -> Option<&'a str> {
    let token = authorization.strip_prefix("Bearer ")?;
    keyring.knows(token).then_some(token)
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
        Reason::NoToken => Some(challenge(None)),
        Reason::InsufficientScope(scope) => Some(challenge(Some((code.as_str(), "scope", scope)))),
        other if matches!(code.status(), 401 | 403) => {
            let description = other.description();
            Some(challenge(Some((
                code.as_str(),
                "error_description",
                &description,
            ))))
        }
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
