//! The authorization response (RFC 6749 §4.1.2, RFC 9207). Pure.

use super::BrowserError;

/// What the relying party knows of its own request.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) state: &'a str,
    /// The metadata's `authorization_response_iss_parameter_supported`.
    pub(super) iss_required: bool,
}

/// The code, once `state` and `iss` are right. They are looked at before `error` too: a stranger's
/// error is not an answer to us.
pub(super) fn code(
    parameters: &[(String, String)],
    expected: &Expected<'_>,
) -> Result<String, BrowserError> {
    let parameter = |name: &str| {
        let mut named = parameters.iter().filter(|(other, _)| other == name);
        named.next().map(|(_, value)| value.as_str())
    };
    if expected.state.is_empty() || parameter("state") != Some(expected.state) {
        return Err(BrowserError::StateMismatch);
    }
    match parameter("iss") {
        Some(issuer) if issuer != expected.issuer => {
            return Err(BrowserError::ResponseIssuerMismatch);
        }
        None if expected.iss_required => return Err(BrowserError::IssuerMissing),
        _ => {}
    }
    match (parameter("code"), parameter("error")) {
        (Some(code), None) if !code.is_empty() => Ok(code.to_owned()),
        (None, Some(error)) => Err(BrowserError::AuthorizationRefused {
            error: error.to_owned(),
            description: parameter("error_description").map(str::to_owned),
        }),
        _ => Err(BrowserError::ResponseMalformed),
    }
}

/// The parameters of a callback: its address, or only its query. A name that comes twice is refused
/// (RFC 6749 §3.1), because two readers would take different ones.
pub(super) fn parameters(callback: &str) -> Result<Vec<(String, String)>, BrowserError> {
    let (address, fragment) = callback.split_once('#').unwrap_or((callback, ""));
    let query = match address.split_once('?') {
        Some((_, query)) => query,
        None if address.contains('=') => address,
        None => "",
    };
    // `response_mode=fragment` leaves the query empty.
    let text = if query.is_empty() { fragment } else { query };
    let mut parameters: Vec<(String, String)> = Vec::new();
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        if parameters.iter().any(|(other, _)| *other == name) {
            return Err(BrowserError::ResponseMalformed);
        }
        parameters.push((name.into_owned(), value.into_owned()));
    }
    Ok(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(callback: &str) -> Result<String, BrowserError> {
        let expected = Expected {
            issuer: "https://issuer.example",
            state: "S",
            iss_required: true,
        };
        code(&parameters(callback)?, &expected)
    }

    #[test]
    fn an_answer_with_the_right_state_and_issuer_gives_the_code() {
        for callback in [
            "https://spa.example/cb?code=a%2Bb&state=S&iss=https%3A%2F%2Fissuer.example",
            "?code=a%2Bb&state=S&iss=https%3A%2F%2Fissuer.example",
            "code=a%2Bb&state=S&iss=https%3A%2F%2Fissuer.example",
            "https://spa.example/cb#code=a%2Bb&state=S&iss=https%3A%2F%2Fissuer.example",
        ] {
            assert_eq!(answer(callback).as_deref(), Ok("a+b"), "{callback}");
        }
    }

    #[test]
    fn every_other_answer_is_refused_with_its_reason() {
        let cases = [
            ("?code=c&iss=https://issuer.example", "state_mismatch"),
            (
                "?code=c&state=X&iss=https://issuer.example",
                "state_mismatch",
            ),
            ("?error=access_denied&state=X", "state_mismatch"),
            ("?code=c&state=S", "response_issuer_missing"),
            (
                "?code=c&state=S&iss=https://evil.example",
                "response_issuer_mismatch",
            ),
            (
                "?error=x&state=S&iss=https://evil.example",
                "response_issuer_mismatch",
            ),
            (
                "?code=c&code=d&state=S&iss=https://issuer.example",
                "response_malformed",
            ),
            (
                "?code=c&error=x&state=S&iss=https://issuer.example",
                "response_malformed",
            ),
            ("?state=S&iss=https://issuer.example", "response_malformed"),
            (
                "?error=access_denied&state=S&iss=https://issuer.example",
                "authorization_refused",
            ),
        ];
        for (callback, code) in cases {
            assert_eq!(answer(callback).unwrap_err().code(), code, "{callback}");
        }
    }
}
