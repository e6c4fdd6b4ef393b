//! A resource behind axum that checks tokens by itself: sealed ones with the key of the resource, JWTs with
//! the issuer's public keys, both against a copy of what was revoked. No request waits for the issuer.
//!
//! Environment: `ISSUER`, `AUDIENCE`, `RESOURCE_KEYS` (what `npm run admin -- resource-key AUDIENCE` prints),
//! `REVOCATIONS_TOKEN` (a token with the scope `revocation:read`), `MAX_AGE` (seconds, 60), `PORT` (0 is any).

#![allow(
    clippy::disallowed_methods,
    reason = "a program has a clock; the rule is for what becomes wasm"
)]

mod copies;

use std::env;
use std::sync::Arc;
use std::time::SystemTime;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use edgemint::jose::{RingVerifier, parse_strict_object};
use edgemint::model::{Moment, Scope};
use edgemint::token::ResourceKeys;
use edgemint::validator::{Known, Needed, Principal, Refused, Validator};

use copies::Copies;

/// All that a request is judged by.
struct Resource {
    validator: Validator,
    copies: Arc<Copies>,
    /// Milliseconds.
    max_age: u64,
}

impl Resource {
    async fn validate(&self, headers: &HeaderMap, needed: &Needed) -> Result<Principal, Refused> {
        let mut authorization = headers.get_all(header::AUTHORIZATION).iter();
        let first = authorization.next();
        // What is no text, or comes twice, is no token.
        let text = match (first, authorization.next()) {
            (Some(value), None) => Some(value.to_str().unwrap_or("Bearer ")),
            (Some(_), Some(_)) => Some("Bearer "),
            (None, _) => None,
        };
        let (keys, revocations) = self.copies.now();
        let known = Known {
            keys: keys.as_deref(),
            revocations: Some((&revocations, self.max_age)),
        };
        self.validator
            .validate(text, needed, known, &RingVerifier, now())
            .await
    }
}

/// What every route below needs: a token for this resource with this scope.
async fn authorize(
    State((resource, needed)): State<(Arc<Resource>, Arc<Needed>)>,
    mut request: Request,
    next: Next,
) -> Response {
    match resource.validate(request.headers(), &needed).await {
        Ok(principal) => {
            request.extensions_mut().insert(principal);
            next.run(request).await
        }
        Err(refused) => refusal(&refused),
    }
}

fn refusal(refused: &Refused) -> Response {
    let status = StatusCode::from_u16(refused.status()).unwrap_or(StatusCode::UNAUTHORIZED);
    let body = format!("{{\"error\":\"{}\"}}", refused.error());
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    let mut set = |name, value: String| {
        if let Ok(value) = value.try_into() {
            headers.insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, "application/json".to_owned());
    set(header::CACHE_CONTROL, "no-store".to_owned());
    if let Some(challenge) = refused.challenge() {
        set(header::WWW_AUTHENTICATE, challenge);
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        set(header::RETRY_AFTER, "1".to_owned());
    }
    eprintln!("refused: {}", refused.cause());
    response
}

async fn whoami(axum::Extension(principal): axum::Extension<Principal>) -> Response {
    let json = principal.to_json().unwrap_or_default();
    ([(header::CONTENT_TYPE, "application/json")], json).into_response()
}

fn main() -> Result<(), String> {
    let setting = |name: &str| env::var(name).map_err(|_| format!("{name} is not set"));
    let (issuer, audience) = (setting("ISSUER")?, setting("AUDIENCE")?);
    let keys = parse_strict_object(setting("RESOURCE_KEYS")?.as_bytes())
        .ok()
        .and_then(|members| ResourceKeys::from_json(&members).ok())
        .ok_or("RESOURCE_KEYS is not what resource-key prints")?;
    let max_age = setting("MAX_AGE").unwrap_or_else(|_| "60".to_owned());
    let max_age: u64 = max_age.parse().map_err(|_| "MAX_AGE is no number")?;
    let validator = Validator::new(&issuer, &audience)
        .with_resource_keys(keys)
        .map_err(|_| "RESOURCE_KEYS are of another issuer or resource")?;
    let copies = Copies::follow(issuer, setting("REVOCATIONS_TOKEN")?, max_age)?;
    let resource = Arc::new(Resource {
        validator,
        copies,
        max_age: max_age * 1000,
    });

    let needed = Needed {
        scopes: Scope::parse("read").map_err(|_| "no scope")?,
        any: false,
    };
    let app = Router::new()
        .route("/whoami", get(whoami))
        .layer(middleware::from_fn_with_state(
            (resource, Arc::new(needed)),
            authorize,
        ));
    let port = setting("PORT").unwrap_or_else(|_| "0".to_owned());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let served = runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
        println!("http://{}", listener.local_addr()?);
        axum::serve(listener, app).await
    });
    served.map_err(|error| error.to_string())
}

/// The moment of a request.
fn now() -> Moment {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let milliseconds = since.map_or(0, |since| since.as_millis());
    Moment(u64::try_from(milliseconds).unwrap_or(u64::MAX))
}
