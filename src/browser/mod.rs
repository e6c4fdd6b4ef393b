//! What a single-page application, a Node program or somebody else's Worker calls: PKCE, the
//! authorization request and its answer, and the same token verdicts as the issuer's.
//!
//! Every call is asynchronous, every refusal is an `Error` with a stable `code`, and tokens are
//! never kept.

mod error;
mod options;
mod request;
mod response;

pub use error::BrowserError;

use wasm_bindgen::prelude::*;

use crate::jose::{
    ExpectedTyp, HalfHash, JoseError, KeySet, Policy, UnverifiedJws, base64url, id_token,
};
use crate::web::{WebVerifier, digest, random_bytes};
use options::Options;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = include_str!("types.d.ts");

/// A fresh PKCE pair (RFC 7636 §4.1, §4.2), always S256.
#[wasm_bindgen(js_name = pkcePair, unchecked_return_type = "PkcePair")]
pub async fn pkce_pair() -> Result<JsValue, BrowserError> {
    let (verifier, challenge) = fresh_pkce().await?;
    Ok(options::texts([
        ("verifier", &verifier),
        ("challenge", &challenge),
        ("method", "S256"),
    ]))
}

/// The address to send the user to, and what to remember until the answer comes.
#[wasm_bindgen(js_name = authorizationRequest, unchecked_return_type = "AuthorizationRequest")]
pub async fn authorization_request(
    #[wasm_bindgen(unchecked_param_type = "AuthorizationRequestOptions")] options: JsValue,
) -> Result<JsValue, BrowserError> {
    let options = Options::read(&options)?;
    let (verifier, challenge) = fresh_pkce().await?;
    let given_or_fresh = |name| match options.text(name)? {
        Some(text) => Ok(text.to_owned()),
        None => fresh_text(),
    };
    let fresh = request::Fresh {
        state: given_or_fresh("state")?,
        nonce: given_or_fresh("nonce")?,
        challenge,
    };
    let url = request::url(&options, &fresh)?;
    Ok(options::texts([
        ("url", &url),
        ("state", &fresh.state),
        ("nonce", &fresh.nonce),
        ("verifier", &verifier),
    ]))
}

/// The code from the callback's address, or from its parameters.
#[wasm_bindgen(js_name = authorizationResponse)]
pub async fn authorization_response(
    #[wasm_bindgen(unchecked_param_type = "string | Record<string, string>")] callback: JsValue,
    #[wasm_bindgen(unchecked_param_type = "ExpectedResponse")] expected: JsValue,
) -> Result<String, BrowserError> {
    let expected = Options::read(&expected)?;
    let parameters = match callback.as_string() {
        Some(callback) => response::parameters(&callback)?,
        None => {
            let members = Options::read(&callback)?.0.into_iter();
            members
                .map(|(name, value)| Some((name, value.as_str()?.to_owned())))
                .collect::<Option<_>>()
                .ok_or(BrowserError::ResponseMalformed)?
        }
    };
    let expected = response::Expected {
        issuer: expected.required("issuer")?,
        state: expected.required("state")?,
        iss_required: expected.flag("iss_required")?,
    };
    response::code(&parameters, &expected)
}

/// The claims of an ID token (OpenID Connect Core §3.1.3.7).
#[wasm_bindgen(js_name = verifyIdToken, unchecked_return_type = "IdTokenClaims")]
pub async fn verify_id_token(
    jwt: String,
    #[wasm_bindgen(unchecked_param_type = "string | JwkSet")] jwks: JsValue,
    #[wasm_bindgen(unchecked_param_type = "ExpectedIdToken")] expected: JsValue,
) -> Result<JsValue, BrowserError> {
    let options = Options::read(&expected)?;
    let keys = key_set(&jwks)?;
    let (now, client_id) = (now(&options)?, options.required("client_id")?);
    let mut policy = id_token::policy(options.required("issuer")?, client_id);
    policy.leeway = options.seconds("leeway")?.unwrap_or(policy.leeway);
    let at_hash = match options.text("access_token")? {
        None => None,
        Some(token) => {
            let hash = UnverifiedJws::parse(&jwt)?.algorithm().half_hash();
            Some(HalfHash::of_digest(&digest(hash, token.as_bytes()).await?))
        }
    };
    let expected = id_token::Expected {
        nonce: options.text("nonce")?.map(str::to_owned),
        max_age: options.seconds("max_age")?,
        at_hash,
    };
    let token = policy.authenticate(&jwt, &keys, &WebVerifier).await?;
    let claims = policy.check(&token, now)?;
    id_token::check(&claims, client_id, &expected, now)?;
    Ok(options::json_value(token.payload()))
}

/// The claims of any other token: an access token (RFC 9068 §4), a logout token.
#[wasm_bindgen(js_name = verifyJwt, unchecked_return_type = "JwtClaims")]
pub async fn verify_jwt(
    jwt: String,
    #[wasm_bindgen(unchecked_param_type = "string | JwkSet")] jwks: JsValue,
    #[wasm_bindgen(unchecked_param_type = "ExpectedJwt")] expected: JsValue,
) -> Result<JsValue, BrowserError> {
    let options = Options::read(&expected)?;
    let keys = key_set(&jwks)?;
    let typ = match options.required("typ")? {
        "JWT" => ExpectedTyp::Plain,
        typ => ExpectedTyp::exactly(typ),
    };
    let (issuer, audience) = (options.required("issuer")?, options.required("audience")?);
    let mut policy = Policy::new(issuer, audience, typ);
    policy.leeway = options.seconds("leeway")?.unwrap_or(policy.leeway);
    policy.max_age = options.seconds("max_age")?;
    let now = now(&options)?;
    let token = policy.authenticate(&jwt, &keys, &WebVerifier).await?;
    policy.check(&token, now)?;
    Ok(options::json_value(token.payload()))
}

/// Header and claims of a token that anybody may have written: for display and debugging only.
#[wasm_bindgen(js_name = decodeUnverified, unchecked_return_type = "UnverifiedToken")]
pub async fn decode_unverified(jwt: String) -> Result<JsValue, BrowserError> {
    let token = UnverifiedJws::parse(&jwt)?;
    let header = jwt.split('.').next().unwrap_or_default();
    let answer = options::texts([]);
    let header = options::json_value(&base64url::decode(header)?);
    options::set(&answer, "header", &header);
    let claims = options::json_value(token.danger_unverified_payload());
    options::set(&answer, "claims", &claims);
    Ok(answer)
}

/// 256 bits each, the most RFC 7636 §4.1 has room for in 43 characters.
async fn fresh_pkce() -> Result<(String, String), BrowserError> {
    let verifier = fresh_text()?;
    let challenge = digest(HalfHash::Sha256, verifier.as_bytes()).await?;
    Ok((verifier, base64url::encode(challenge)))
}

fn fresh_text() -> Result<String, BrowserError> {
    Ok(base64url::encode(random_bytes::<32>()?))
}

fn key_set(jwks: &JsValue) -> Result<KeySet, BrowserError> {
    let text = options::json_text(jwks, "jwks")?;
    Ok(KeySet::parse(text.as_bytes())?)
}

/// The caller's `now`, else the platform's clock, in seconds since 1970.
fn now(options: &Options) -> Result<u64, BrowserError> {
    match options.seconds("now")? {
        Some(now) => Ok(now),
        None => {
            seconds(js_sys::Date::now()).ok_or(BrowserError::Jose(JoseError::BackendUnavailable))
        }
    }
}

#[expect(
    clippy::as_conversions,
    reason = "the cast cuts off the fraction and saturates; a negative clock is refused before it"
)]
fn seconds(milliseconds: f64) -> Option<u64> {
    (milliseconds >= 0.0).then_some((milliseconds / 1000.0) as u64)
}
