//! Metadata, RFC 8414 and OpenID Connect Discovery §3, derived from what is switched on.

use serde_json::{Value, json};

use super::{claims, logout, pkce, signing};
use crate::config::{APPLICATIONS, Config};
use crate::directory::Collection;
use crate::error::Reason;
use crate::http::{Request, Response};
use crate::jose::Algorithm;
use crate::model::scope::{ADMIN, OFFLINE_ACCESS, OWN, REVOCATIONS};
use crate::model::{AuthenticationMethod, ClientId, GrantType, ResponseMode, ResponseType};
use crate::ports::directory::{FindRecords, JWKS_CACHE, Part, ReadRecord};
use crate::ports::{At, Ports};
use crate::server::Server;

/// Seconds a copy of the metadata may be kept: a setting that changed is seen within minutes.
const METADATA_CACHE: u64 = 300;

/// Seconds a copy of the JWKS may be kept: a minute less than a key is published before its first
/// use, for the copies that stand before it.
const JWKS_MAX_AGE: u64 = JWKS_CACHE.0 - 60;

/// Where OpenID Connect Discovery §4 looks, below an issuer.
const OPENID: &str = ".well-known/openid-configuration";

/// Scopes that every deployment has.
const SCOPES: [&str; 4] = ["openid", "profile", "email", OFFLINE_ACCESS];

/// Both documents; they agree on everything they share.
#[must_use]
pub fn metadata(config: &Config) -> Response {
    let jwks = config.url("/.well-known/jwks.json");
    document(config, &config.issuer, &jwks, &config.url(logout::PATH))
}

/// The issuer of an application whose client has one of its own (seed 004's `per_provider`): its
/// discovery document at itself and at its well-known path, and its `jwks/`, which is everybody's.
pub async fn application<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Response {
    let found = async {
        let path = request.path.strip_prefix(APPLICATIONS);
        let (slug, rest) = path
            .and_then(|path| path.split_once('/'))
            .filter(|(_, rest)| ["", OPENID, "jwks/"].contains(rest))
            .ok_or(Reason::NoSuchRecord)?;
        client_of_application(server, slug, at).await?;
        if rest == "jwks/" {
            return Ok(jwks(server, at).await);
        }
        let issuer = server.config.url(&format!("{APPLICATIONS}{slug}/"));
        let [jwks, logout] = ["jwks/", logout::END_SESSION].map(|part| format!("{issuer}{part}"));
        Ok(document(&server.config, &issuer, &jwks, &logout))
    };
    let answer = found.await;
    answer.unwrap_or_else(|reason| Response::refusal(reason).for_any_origin())
}

/// The client of an application that is an issuer.
///
/// # Errors
/// [`Reason::NoSuchRecord`] when there is none, or it is none; [`Reason::Unavailable`].
pub async fn client_of_application<P: Ports>(
    server: &Server<P>,
    slug: &str,
    at: &At,
) -> Result<ClientId, Reason> {
    let find = FindRecords {
        collection: Collection::Applications,
        field: "slug".to_owned(),
        values: vec![slug.to_owned()],
    };
    let found = server.ports.directory(at, find).await?;
    let provider = found
        .first()
        .and_then(|found| found.get("provider")?.as_u64());
    let read = ReadRecord {
        collection: Collection::Providers,
        id: provider.ok_or(Reason::NoSuchRecord)?,
        part: Part::Record,
    };
    let provider = server.ports.directory(at, read).await?;
    let provider = provider.ok_or(Reason::NoSuchRecord)?;
    let text = |field: &str| provider.get(field).and_then(Value::as_str);
    if text("issuer_mode") != Some("per_provider") {
        return Err(Reason::NoSuchRecord);
    }
    let id = text("client_id").unwrap_or_default();
    ClientId::parse(id).map_err(|_| Reason::NoSuchRecord)
}

fn document(config: &Config, issuer: &str, jwks: &str, logout: &str) -> Response {
    // What a client may be switched to is here; what is dangerous nobody is invited to.
    let methods: Vec<&str> = AuthenticationMethod::ALL
        .into_iter()
        .filter(|method| *method != AuthenticationMethod::ClientSecretJwt)
        .map(AuthenticationMethod::as_str)
        .collect();
    // A public client introspects with its own token, never with its bare id (RFC 7662 §2.1).
    let confidential: Vec<&str> = methods
        .iter()
        .copied()
        .filter(|method| *method != "none")
        .collect();
    let algorithms: Vec<&str> = Algorithm::ALL.into_iter().map(Algorithm::name).collect();
    // Nobody is invited to take passwords, either.
    let grants: Vec<&str> = GrantType::ALL
        .into_iter()
        .filter(|grant| *grant != GrantType::Password)
        .map(GrantType::as_str)
        .collect();
    let types: Vec<&str> = ResponseType::ALL
        .into_iter()
        .filter(|kind| !kind.has_token())
        .map(ResponseType::as_str)
        .collect();
    let modes: Vec<&str> = ResponseMode::ALL
        .into_iter()
        .map(ResponseMode::as_str)
        .collect();
    let mut document = json!({
        "issuer": issuer,
        "authorization_endpoint": config.url("/oauth/authorize"),
        "token_endpoint": config.url("/oauth/token"),
        "device_authorization_endpoint": config.url("/oauth/device_authorization"),
        "introspection_endpoint": config.url("/oauth/introspect"),
        "revocation_endpoint": config.url("/oauth/revoke"),
        "userinfo_endpoint": config.url("/oauth/userinfo"),
        "end_session_endpoint": logout,
        "jwks_uri": jwks,
        "scopes_supported": SCOPES,
        "response_types_supported": types,
        "response_modes_supported": modes,
        "grant_types_supported": grants,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": algorithms,
        "token_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_methods_supported": confidential,
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_signing_alg_values_supported": algorithms,
        "code_challenge_methods_supported": pkce::METHODS,
        "claims_supported": claims::SUPPORTED,
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
        "claim_types_supported": ["normal"],
        "claims_parameter_supported": true,
        "acr_values_supported": [claims::PASSWORD],
        "display_values_supported": ["page"],
        "ui_locales_supported": ["en"],
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "authorization_response_iss_parameter_supported": true,
        "edgemint_revocation_max_age_ms": config.revocation_max_age,
    });
    if let (true, Value::Object(members)) = (config.danger_open_registration, &mut document) {
        let endpoint = config.url("/oauth/register");
        members.insert("registration_endpoint".to_owned(), Value::String(endpoint));
    }
    Response::document(document.to_string(), METADATA_CACHE).for_any_origin()
}

/// Our own API as a protected resource, RFC 9728.
#[must_use]
pub fn protected_resource(config: &Config) -> Response {
    let document = json!({
        "resource": config.api_audience(),
        "authorization_servers": [config.issuer],
        "bearer_methods_supported": ["header"],
        "scopes_supported": [ADMIN, OWN, REVOCATIONS],
    });
    Response::document(document.to_string(), METADATA_CACHE).for_any_origin()
}

/// The JWKS, RFC 7517 §5.
pub async fn jwks<P: Ports>(server: &Server<P>, at: &At) -> Response {
    let document = async {
        let keys = server.ports.public_keys(at).await?;
        signing::jwks(&keys, at).map_err(|_| Reason::Internal("a stored key does not parse"))
    };
    match document.await {
        Ok(document) => {
            Response::document(Value::Object(document).to_string(), JWKS_MAX_AGE).for_any_origin()
        }
        Err(reason) => Response::refusal(reason).for_any_origin(),
    }
}
