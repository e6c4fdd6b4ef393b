//! What seed 004's providers have besides: `setup_urls/`, `preview_user/`, and secrets that overlap.

use serde_json::{Value, json};

use super::records::{Asked, shown};
use crate::directory::record::{Change, Fields};
use crate::directory::{Collection, secrets};
use crate::error::Reason;
use crate::http::Response;
use crate::model::{AuthenticationMethod, ClientId, Secret, Username};
use crate::oauth::{claims, logout};
use crate::ports::Ports;
use crate::ports::directory::{FindAccount, FindClient, Part, ReadKeys, ReadRecord};
use crate::token::client_secret::ClientSecret;

/// Answers `/api/v1/providers/oauth2/{id}/{part}/`.
pub(super) async fn answer<P: Ports>(
    asked: &Asked<'_, P>,
    id: u64,
    part: &str,
) -> Result<Response, Reason> {
    let (part, secret) = part.split_once('/').unwrap_or((part, ""));
    match (asked.request.method.as_str(), part, secret) {
        ("GET", "setup_urls", "") => {
            let provider = asked.read(id, Part::Record).await?;
            Ok(shown(200, setup_urls(asked, &provider)))
        }
        ("GET", "preview_user", "") => {
            let preview = preview(asked, id).await?;
            Ok(shown(
                200,
                Fields::from_iter([("preview".to_owned(), Value::Object(preview))]),
            ))
        }
        ("GET", "secrets", "") => Ok(shown(200, asked.read(id, Part::Secrets).await?)),
        ("POST", "secrets", "") => {
            let secret = fresh(asked)?;
            let kept = kept(asked, &secret)?;
            let fields = Fields::from_iter([("_add_secret".to_owned(), kept)]);
            asked.change(Change::Set(id, fields)).await?;
            let told =
                json!({"id": secrets::id(&secret.digest()), "client_secret": secret.expose()});
            Ok(Response::json(201, told.to_string()))
        }
        ("DELETE", "secrets", secret) if !secret.is_empty() => {
            let fields = Fields::from_iter([("_drop_secret".to_owned(), json!(secret))]);
            asked.change(Change::Set(id, fields)).await?;
            Ok(Response::empty(204))
        }
        (_, "setup_urls" | "preview_user", "") => Err(Reason::MethodNotAllowed("GET, HEAD")),
        (_, "secrets", "") => Err(Reason::MethodNotAllowed("GET, HEAD, POST")),
        (_, "secrets", _) => Err(Reason::MethodNotAllowed("DELETE")),
        _ => Err(Reason::NoSuchRecord),
    }
}

/// Makes what a new provider lacks: an id, and a secret, which is answered this once.
pub(super) fn complete<P: Ports>(
    asked: &Asked<'_, P>,
    fields: &mut Fields,
) -> Result<Option<Secret>, Reason> {
    if !fields.contains_key("client_id") {
        let id: ClientId = asked.server.fresh_name("c_", 16)?;
        fields.insert("client_id".to_owned(), json!(id));
    }
    let public = fields
        .get("client_type")
        .is_some_and(|kind| kind == "public");
    let by_key = fields
        .get("token_endpoint_auth_method")
        .is_some_and(|method| method == AuthenticationMethod::PrivateKeyJwt.as_str());
    if public || by_key || fields.contains_key(secrets::FIELD) {
        return Ok(None);
    }
    let secret = fresh(asked)?;
    let kept = kept(asked, &secret)?;
    fields.insert(secrets::FIELD.to_owned(), json!([kept]));
    Ok(Some(secret))
}

/// A key that is named has to be there; with it the algorithm is said, and may not be said otherwise.
pub(super) async fn name_key<P: Ports>(
    asked: &Asked<'_, P>,
    body: &Fields,
    fields: &mut Fields,
) -> Result<(), Reason> {
    const ALGORITHM: &str = "id_token_signed_response_alg";
    let Some(Value::String(pk)) = fields.get("signing_key") else {
        return Ok(());
    };
    let keys = asked.server.ports.directory(asked.at, ReadKeys {}).await?;
    let unfit = |rule| Reason::unfit("signing_key", rule);
    let key = keys.keys.iter().find(|key| key.pk() == *pk);
    let algorithm = json!(
        key.ok_or(unfit("names a key that does not exist"))?
            .algorithm
    );
    if body.get(ALGORITHM).is_some_and(|said| *said != algorithm) {
        return Err(unfit(
            "is of another algorithm than id_token_signed_response_alg",
        ));
    }
    fields.insert(ALGORITHM.to_owned(), algorithm);
    Ok(())
}

fn fresh<P: Ports>(asked: &Asked<'_, P>) -> Result<Secret, Reason> {
    Ok(Secret::new(asked.server.fresh_text(32)?))
}

/// A secret as it is kept.
pub(super) fn kept<P: Ports>(asked: &Asked<'_, P>, secret: &Secret) -> Result<Value, Reason> {
    let server = asked.server;
    let sealed = ClientSecret::seal(secret, &server.keyring, server.fresh_id()?)?;
    let created_at = Some(asked.at.now.unix());
    Ok(secrets::kept(&secret.digest(), Some(&sealed), created_at))
}

/// Seed 004's `for_user`.
fn user(query: &str) -> Result<u64, Reason> {
    let mut parameters = form_urlencoded::parse(query.as_bytes());
    let user = parameters.find(|(name, _)| name == "for_user");
    let user = user.and_then(|(_, user)| user.parse().ok());
    user.ok_or(Reason::unfit("for_user", "input must be numerical"))
}

/// What a provider's client would be told of a user in an ID token, if every scope of it were granted.
async fn preview<P: Ports>(asked: &Asked<'_, P>, id: u64) -> Result<Fields, Reason> {
    let ports = &asked.server.ports;
    let provider = asked.read(id, Part::Record).await?;
    let urls = setup_urls(asked, &provider);
    let user = ReadRecord {
        collection: Collection::Users,
        id: user(&asked.request.query)?,
        part: Part::Record,
    };
    let user = ports.directory(asked.at, user).await?;
    let named = |fields: &Fields, name: &str| {
        let text = fields.get(name).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let nobody = || Reason::unfit("for_user", "User not found");
    let username = user.map(|user| named(&user, "username"));
    let username = Username::parse(&username.unwrap_or_default()).map_err(|_| nobody())?;
    let account = ports.directory(asked.at, FindAccount { username }).await?;
    let facts = account.ok_or_else(nobody)?.facts;
    let client = ClientId::parse(&named(&provider, "client_id"));
    let client = client.map_err(|_| Reason::NoSuchRecord)?;
    let client = ports.directory(asked.at, FindClient { id: client }).await?;
    let client = client.ok_or(Reason::NoSuchRecord)?;
    let mut told = claims::about(&client, &facts, &client.scope);
    let issuer = urls.get("issuer").cloned().unwrap_or_default();
    told.insert("iss".to_owned(), issuer);
    let sub = claims::sub(&client, &facts, &asked.server.config.issuer);
    told.insert("sub".to_owned(), json!(sub));
    told.insert("aud".to_owned(), json!(client.id));
    Ok(told)
}

/// Where a client of this provider finds everything; what is its application's, nowhere without one.
fn setup_urls<P: Ports>(asked: &Asked<'_, P>, provider: &Fields) -> Fields {
    let config = &asked.server.config;
    let text = |field: &str| {
        provider
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let own = text("issuer_mode") == "per_provider";
    let slug = text("assigned_application_slug");
    let under = |path: &str| match slug {
        "" => Value::Null,
        slug => json!(config.url(&format!("/application/o/{slug}/{path}"))),
    };
    let issuer = if own { under("") } else { json!(config.issuer) };
    let (information, jwks, leave) = if own {
        (
            under(".well-known/openid-configuration"),
            under("jwks/"),
            under(logout::END_SESSION),
        )
    } else {
        (
            json!(config.url("/.well-known/openid-configuration")),
            json!(config.url("/.well-known/jwks.json")),
            json!(config.url(logout::PATH)),
        )
    };
    let urls = [
        ("issuer", issuer),
        ("authorize", json!(config.url("/oauth/authorize"))),
        ("token", json!(config.url("/oauth/token"))),
        ("user_info", json!(config.url("/oauth/userinfo"))),
        ("provider_info", information),
        ("logout", leave),
        ("jwks", jwks),
    ];
    Fields::from_iter(urls.map(|(name, url)| (name.to_owned(), url)))
}
