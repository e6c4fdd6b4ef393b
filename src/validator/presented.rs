//! The token of a request, RFC 6750 §2.1: the `Authorization` header and nothing else.

use super::Refused;
use crate::model::Secret;

/// The longest token that is looked at.
const LONGEST: usize = 16 * 1024;

/// The token in the `Authorization` header.
///
/// # Errors
/// [`Refused::NoToken`] without the header or with another scheme; [`Refused::TokenUnknown`] when
/// what follows is not one b64token.
pub fn presented(authorization: Option<&str>) -> Result<Secret, Refused> {
    let header = authorization.ok_or(Refused::NoToken)?;
    let (scheme, token) = header.split_once(' ').ok_or(Refused::NoToken)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Refused::NoToken);
    }
    let fits = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-'..=b'/' | b'=' | b'_' | b'~')
    };
    if token.is_empty() || token.len() > LONGEST || !token.bytes().all(fits) {
        return Err(Refused::TokenUnknown);
    }
    Ok(Secret::new(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(header: &str) -> Result<Secret, Refused> {
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
            assert_eq!(with(odd).unwrap_err(), Refused::TokenUnknown, "{odd}");
        }
        assert_eq!(with("Bearer ").unwrap_err(), Refused::TokenUnknown);
        for none in ["", "Bearer", "Basic abc", "Bearers abc"] {
            assert_eq!(with(none).unwrap_err(), Refused::NoToken, "{none}");
        }
    }
}
