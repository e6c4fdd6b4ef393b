//! The authorization request (RFC 6749 §4.1.1, RFC 7636 §4.3). Pure: randomness is an argument.

use form_urlencoded::Serializer;

use super::BrowserError;
use super::options::Options;

/// The values that are made fresh for every request.
pub(super) struct Fresh {
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) challenge: String,
}

/// The address to send the user to.
pub(super) fn url(options: &Options, fresh: &Fresh) -> Result<String, BrowserError> {
    let metadata = options.object("metadata")?;
    if metadata.0.contains_key(METHODS) && !metadata.texts(METHODS)?.iter().any(|m| m == "S256") {
        return Err(BrowserError::PkceUnsupported);
    }
    let endpoint = match options.text("authorization_endpoint")? {
        Some(endpoint) => endpoint,
        None => metadata.required("authorization_endpoint")?,
    };
    if !is_safe(endpoint) {
        return Err(BrowserError::OptionsInvalid("authorization_endpoint"));
    }
    let mut query = Serializer::new(String::new());
    query
        .append_pair("response_type", "code")
        .append_pair("client_id", options.required("client_id")?)
        .append_pair("redirect_uri", options.required("redirect_uri")?)
        .append_pair("state", &fresh.state)
        .append_pair("nonce", &fresh.nonce)
        .append_pair("code_challenge", &fresh.challenge)
        .append_pair("code_challenge_method", "S256");
    if let Some(scope) = options.text("scope")? {
        query.append_pair("scope", scope);
    }
    for resource in options.texts("resource")? {
        query.append_pair("resource", &resource);
    }
    for (name, value) in options.object("extra")?.0 {
        let value = value
            .as_str()
            .ok_or(BrowserError::OptionsInvalid("extra"))?;
        if OURS.contains(&name.as_str()) {
            return Err(BrowserError::OptionsInvalid("extra"));
        }
        query.append_pair(&name, value);
    }
    // The endpoint may have a query of its own, which stays (RFC 6749 §3.1).
    let separator = if endpoint.contains('?') { '&' } else { '?' };
    Ok(format!("{endpoint}{separator}{}", query.finish()))
}

/// https, or http on this machine; no fragment (RFC 6749 §3.1).
fn is_safe(endpoint: &str) -> bool {
    let is_loopback = |rest: &str| {
        ["127.0.0.1", "localhost", "[::1]"].iter().any(|host| {
            let after = rest.strip_prefix(host);
            after.is_some_and(|after| after.is_empty() || after.starts_with([':', '/', '?']))
        })
    };
    !endpoint.contains('#')
        && (endpoint.starts_with("https://")
            || endpoint.strip_prefix("http://").is_some_and(is_loopback))
}

const METHODS: &str = "code_challenge_methods_supported";
/// What `extra` may not say otherwise.
const OURS: [&str; 9] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "resource",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
];

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn request(mut changes: Value) -> Result<String, BrowserError> {
        let mut options = json!({
            "authorization_endpoint": "https://issuer.example/authorize?tenant=1",
            "client_id": "spa",
            "redirect_uri": "https://spa.example/callback",
            "scope": "openid profile",
        });
        let members = options.as_object_mut().unwrap();
        members.append(changes.as_object_mut().unwrap());
        let fresh = Fresh {
            state: "S".into(),
            nonce: "N".into(),
            challenge: "C".into(),
        };
        url(&Options(members.clone()), &fresh)
    }

    #[test]
    fn a_request_carries_state_nonce_and_challenge() {
        assert_eq!(
            request(json!({ "resource": ["https://a.example", "https://b.example"] })).unwrap(),
            "https://issuer.example/authorize?tenant=1&response_type=code&client_id=spa\
             &redirect_uri=https%3A%2F%2Fspa.example%2Fcallback&state=S&nonce=N\
             &code_challenge=C&code_challenge_method=S256&scope=openid+profile\
             &resource=https%3A%2F%2Fa.example&resource=https%3A%2F%2Fb.example"
        );
    }

    #[test]
    fn extra_parameters_cannot_replace_ours() {
        assert!(request(json!({ "extra": { "prompt": "login" } })).is_ok());
        for name in OURS {
            let refusal = request(json!({ "extra": { name: "x" } }));
            assert_eq!(refusal, Err(BrowserError::OptionsInvalid("extra")));
        }
    }

    #[test]
    fn a_server_that_cannot_do_s256_is_refused() {
        let metadata = json!({ "metadata": { METHODS: ["plain"] } });
        assert_eq!(request(metadata), Err(BrowserError::PkceUnsupported));
    }

    #[test]
    fn plain_http_is_for_this_machine_only() {
        let at = |endpoint: &str| request(json!({ "authorization_endpoint": endpoint }));
        assert!(at("http://127.0.0.1:8787/oauth/authorize").is_ok());
        assert!(at("http://localhost/oauth/authorize").is_ok());
        for endpoint in [
            "http://issuer.example/authorize",
            "http://localhost.evil.example/",
            "http://127.0.0.1@evil.example/",
            "javascript:alert(1)",
            "https://issuer.example/#x",
        ] {
            assert!(at(endpoint).is_err(), "{endpoint}");
        }
    }
}
