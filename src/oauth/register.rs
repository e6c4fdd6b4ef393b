//! Dynamic client registration, RFC 7591: with an administrator's token, or open by setting.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::bearer;
use crate::api::{actor, body};
use crate::directory::form::{Form, is_resource, is_web_uri};
use crate::error::Reason;
use crate::http::{Request, Response};
use crate::jose::{Algorithm, Hs256};
use crate::model::redirect::UnfitUri;
use crate::model::scope::OFFLINE_ACCESS;
use crate::model::target::may_be_fetched;
use crate::model::{
    AccessTokenFormat, AuthenticationMethod, Client, ClientId, GrantType, KeySource, RedirectUri,
    ResponseType, Scope, Seconds, Secret, Shard, Subject,
};
use crate::ports::directory::{ClientCreated, CreateClient};
use crate::ports::ledger::{RateLimit, ReadFailures, RecordFailure};
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::KEPT;
use crate::token::client_secret::ClientSecret;

/// Clients that one address may register in an hour without a token: a developer's morning, not a
/// flood of records that nobody uses (CVE-2026-9705).
const STRANGERS: RateLimit = RateLimit {
    most: 20,
    window: Seconds(3600),
};
/// Redirect URIs a client may have; an exact list longer than this is a pattern in disguise.
const MOST_URIS: usize = 32;
/// Characters of a name that a page shows.
const LONGEST_NAME: usize = 120;
/// The longest an access token may live: as long as the feed remembers its end.
const LONGEST_ACCESS: u64 = KEPT.0;

/// `POST /oauth/register`.
pub async fn answer<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Response {
    match register(server, request, at).await {
        Ok(body) => Response::json(201, body).for_any_origin(),
        Err(reason) => bearer::refusal(reason).for_any_origin(),
    }
}

async fn register<P: Ports>(
    server: &Server<P>,
    request: &Request,
    at: &At,
) -> Result<String, Reason> {
    let vouched = match actor::administrator(server, request, at).await {
        Ok(_) => true,
        // Nobody who shows a bad token is taken for somebody who shows none.
        Err(Reason::NoToken) if server.config.danger_open_registration => false,
        Err(reason) => return Err(reason),
    };
    if !vouched {
        limit(server, request, at).await?;
    }
    let metadata = body::object(request)?;
    let (mut client, secret) = read(server, &metadata, vouched)?;
    client.access_token_lifetime = lifetime(server, &metadata, vouched)?;
    let create = CreateClient {
        client: client.clone(),
    };
    match server.ports.directory(at, create).await? {
        ClientCreated::Created => Ok(response(&client, secret.as_ref(), at)),
        ClientCreated::IdTaken => Err(Reason::UnfitMetadata("client_id")),
    }
}

/// Counts a registration that nobody vouches for, and refuses too many from one place.
async fn limit<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Result<(), Reason> {
    let network = request.network();
    let key = format!("registration:{}", network.as_deref().unwrap_or("unknown"));
    let shard = Shard::of_key(&key);
    let known = ReadFailures {
        key: key.clone(),
        limit: STRANGERS,
    };
    if let Some(until) = server.ports.ledger(shard, at, known).await? {
        return Err(Reason::TooManyFailures(at.now.unix().until(until).0));
    }
    let count = RecordFailure {
        key,
        limit: STRANGERS,
    };
    server.ports.ledger(shard, at, count).await?;
    Ok(())
}

fn lifetime<P>(
    server: &Server<P>,
    metadata: &Map<String, Value>,
    vouched: bool,
) -> Result<Seconds, Reason> {
    match metadata.get("access_token_lifetime").filter(|_| vouched) {
        None => Ok(server.config.access_token_lifetime),
        Some(value) => value
            .as_u64()
            .filter(|seconds| (1..=LONGEST_ACCESS).contains(seconds))
            .map(Seconds)
            .ok_or(Reason::UnfitMetadata("access_token_lifetime")),
    }
}

/// Reads RFC 7591 §2's metadata. What only an administrator may say is ignored from others, as §2
/// asks for what a server does not understand.
fn read<P: Ports>(
    server: &Server<P>,
    metadata: &Map<String, Value>,
    vouched: bool,
) -> Result<(Client, Option<Secret>), Reason> {
    let authentication = match text(metadata, "token_endpoint_auth_method")? {
        None => AuthenticationMethod::ClientSecretBasic,
        Some(method) => AuthenticationMethod::parse(method)
            .ok_or(Reason::UnfitMetadata("token_endpoint_auth_method"))?,
    };
    let public = authentication == AuthenticationMethod::None;
    let grant_types = grant_types(metadata, public)?;
    let redirect_uris = uris(metadata, "redirect_uris")?;
    let by_code = grant_types.contains(&GrantType::AuthorizationCode);
    let implicit = grant_types.contains(&GrantType::Implicit);
    if (by_code || implicit) && redirect_uris.is_empty() {
        return Err(Reason::UnfitRedirectUri);
    }
    let scope = match text(metadata, "scope")? {
        Some(scope) => Scope::parse(scope).map_err(|_| Reason::UnfitMetadata("scope"))?,
        None if by_code
            || implicit
            || [GrantType::DeviceCode, GrantType::Password]
                .iter()
                .any(|grant| grant_types.contains(grant)) =>
        {
            default_scope()
        }
        None => Scope::default(),
    };
    if !vouched && scope.iter().any(crate::model::scope::is_management) {
        return Err(Reason::UnfitMetadata("scope"));
    }
    let signing = match text(metadata, "id_token_signed_response_alg")? {
        // OpenID Connect Registration §2 says RS256 when nothing is said; a server may register
        // another value and tell it. ES256 signs 25 times as fast and every library reads it.
        None => Algorithm::Es256,
        Some(name) => Algorithm::parse(name)
            .map_err(|_| Reason::UnfitMetadata("id_token_signed_response_alg"))?,
    };
    let id = match text(metadata, "client_id")?.filter(|_| vouched) {
        Some(id) if !id.starts_with(Subject::PREFIX) => {
            ClientId::parse(id).map_err(|_| Reason::UnfitMetadata("client_id"))?
        }
        Some(_) => return Err(Reason::UnfitMetadata("client_id")),
        None => server.fresh_name("c_", 16)?,
    };
    let keys = keys(server, metadata, authentication, &id, vouched)?;
    let secret = if public || keys.is_some() {
        None
    } else {
        Some(Secret::new(server.fresh_text(32)?))
    };
    let flag = |name: &'static str| match metadata.get(name).filter(|_| vouched) {
        None => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(Reason::UnfitMetadata(name)),
    };
    let danger_allow_password_grant = flag("danger_allow_password_grant")?;
    if grant_types.contains(&GrantType::Password) && (public || !danger_allow_password_grant) {
        return Err(Reason::UnfitMetadata("grant_types"));
    }
    let danger_allow_front_channel_access_tokens =
        flag("danger_allow_front_channel_access_tokens")?;
    let by_address = danger_allow_front_channel_access_tokens;
    let danger_issue_mac_tokens = flag("danger_issue_mac_tokens")?;
    let sha_1 = "danger_issue_mac_tokens_with_hmac_sha_1";
    let danger_issue_mac_tokens_with_hmac_sha_1 = flag(sha_1)?;
    if danger_issue_mac_tokens_with_hmac_sha_1 && !danger_issue_mac_tokens {
        return Err(Reason::UnfitMetadata(sha_1));
    }
    let by_address = by_address && !danger_issue_mac_tokens;
    let danger_keep_client_secret_readable = flag("danger_keep_client_secret_readable")?;
    let by_secret = authentication == AuthenticationMethod::ClientSecretJwt;
    // Which algorithm counts, the keys say; one that never does would be a client that is refused for good.
    let algorithm = text(metadata, "token_endpoint_auth_signing_alg")?;
    let counts = |name: &str| match authentication {
        AuthenticationMethod::ClientSecretJwt => name == Hs256::NAME,
        AuthenticationMethod::PrivateKeyJwt => Algorithm::parse(name).is_ok(),
        _ => true,
    };
    if !algorithm.is_none_or(counts) {
        return Err(Reason::UnfitMetadata("token_endpoint_auth_signing_alg"));
    }
    if by_secret && !danger_keep_client_secret_readable {
        return Err(Reason::UnfitMetadata("token_endpoint_auth_method"));
    }
    let mut sealed_secrets = BTreeMap::new();
    if let Some(secret) = secret
        .as_ref()
        .filter(|_| danger_keep_client_secret_readable)
    {
        let sealed = ClientSecret::seal(secret, &server.keyring, server.fresh_id()?)?;
        sealed_secrets.insert(secret.digest().as_str().to_owned(), sealed);
    }
    let name = name(metadata, &id)?;
    let client = Client {
        client_uri: web_uri(metadata, "client_uri")?,
        authentication,
        secrets: secret.iter().map(Secret::digest).collect(),
        sealed_secrets,
        redirect_uris,
        post_logout_redirect_uris: uris(metadata, "post_logout_redirect_uris")?,
        backchannel_logout_uri: target(server, metadata, "backchannel_logout_uri", vouched)?,
        backchannel_logout_session_required: flag("backchannel_logout_session_required")?,
        response_types: response_types(metadata, &grant_types, by_address)?,
        grant_types,
        scope,
        default_resource: resource(metadata, "default_resource", vouched)?,
        resources: resources(metadata, "resources", vouched)?,
        serves: resources(metadata, "serves", vouched)?,
        access_token_format: match text(metadata, "access_token_format")?.filter(|_| vouched) {
            None | Some("sealed") => AccessTokenFormat::Sealed,
            // Whoever verified one would take it for a bearer token.
            Some("jwt") if !danger_issue_mac_tokens => AccessTokenFormat::Jwt,
            Some(_) => return Err(Reason::UnfitMetadata("access_token_format")),
        },
        signing,
        keys,
        implicit_consent: flag("implicit_consent")?,
        self_registered: !vouched,
        danger_allow_management_scopes: flag("danger_allow_management_scopes")?,
        danger_allow_front_channel_access_tokens,
        danger_allow_plain_code_challenge: flag("danger_allow_plain_code_challenge")?,
        danger_allow_password_grant,
        danger_issue_mac_tokens,
        danger_issue_mac_tokens_with_hmac_sha_1,
        danger_keep_client_secret_readable,
        ..Client::named(id, name, server.config.access_token_lifetime)
    };
    Ok((client, secret))
}

/// The keys of a client that authenticates by one (RFC 7591 §2): a stranger says the keys themselves.
fn keys<P>(
    server: &Server<P>,
    metadata: &Map<String, Value>,
    authentication: AuthenticationMethod,
    id: &ClientId,
    vouched: bool,
) -> Result<Option<Box<KeySource>>, Reason> {
    if authentication != AuthenticationMethod::PrivateKeyJwt {
        return Ok(None);
    }
    let jwks_uri = target(server, metadata, "jwks_uri", vouched)?.unwrap_or_default();
    let jwks = match metadata.get("jwks") {
        None if !jwks_uri.is_empty() => Map::new(),
        Some(jwks) if jwks_uri.is_empty() => match Form::Jwks.read(jwks) {
            Ok(Value::Object(members)) => members,
            _ => return Err(Reason::UnfitMetadata("jwks")),
        },
        // Neither, or both (RFC 7591 §2).
        _ => return Err(Reason::UnfitMetadata("jwks")),
    };
    Ok(Some(Box::new(KeySource {
        issuer: id.to_string(),
        audience: String::new(),
        jwks,
        jwks_uri,
    })))
}

/// Where a request of ours is to go. Nobody has us send one to an address of their choice without an
/// administrator's word.
fn target<P>(
    server: &Server<P>,
    metadata: &Map<String, Value>,
    name: &'static str,
    vouched: bool,
) -> Result<Option<String>, Reason> {
    let private = server.config.danger_allow_private_fetch_targets;
    match text(metadata, name)?.filter(|uri| !uri.is_empty()) {
        None => Ok(None),
        Some(uri) if vouched && may_be_fetched(uri, private) => Ok(Some(uri.to_owned())),
        Some(_) => Err(Reason::UnfitMetadata(name)),
    }
}

fn default_scope() -> Scope {
    Scope::parse("openid profile email").unwrap_or_default()
}

fn grant_types(metadata: &Map<String, Value>, public: bool) -> Result<Vec<GrantType>, Reason> {
    if metadata.get("grant_types").is_none() {
        return Ok(vec![GrantType::AuthorizationCode]);
    }
    let mut grants = Vec::new();
    for name in list(metadata, "grant_types")? {
        let grant = GrantType::parse(name).ok_or(Reason::UnfitMetadata("grant_types"))?;
        if public && grant == GrantType::ClientCredentials {
            return Err(Reason::UnfitMetadata("grant_types"));
        }
        if !grants.contains(&grant) {
            grants.push(grant);
        }
    }
    if grants.is_empty() {
        Err(Reason::UnfitMetadata("grant_types"))
    } else {
        Ok(grants)
    }
}

/// The response types, which fit the grants (RFC 7591 §2.1); where none are named, those of before there
/// was a choice. Those with an access token are for whom an administrator has said so by the long name.
fn response_types(
    metadata: &Map<String, Value>,
    grants: &[GrantType],
    by_address: bool,
) -> Result<Vec<ResponseType>, Reason> {
    const UNFIT: Reason = Reason::UnfitMetadata("response_types");
    let mut types = Vec::new();
    for name in list(metadata, "response_types")? {
        let kind = ResponseType::parse(name).ok_or(UNFIT)?;
        if !types.contains(&kind) {
            types.push(kind);
        }
    }
    if types.is_empty() {
        types.push(ResponseType::Code);
    }
    let implicit = GrantType::Implicit;
    let refused = |kind: &ResponseType| {
        (kind.needs(implicit) && !grants.contains(&implicit)) || (kind.has_token() && !by_address)
    };
    if types.iter().any(refused) {
        return Err(UNFIT);
    }
    if grants.contains(&implicit) && !types.iter().any(|kind| kind.needs(implicit)) {
        return Err(Reason::UnfitMetadata("grant_types"));
    }
    Ok(types)
}

fn name(metadata: &Map<String, Value>, id: &ClientId) -> Result<String, Reason> {
    match text(metadata, "client_name")? {
        None | Some("") => Ok(id.to_string()),
        Some(name) if name.chars().count() <= LONGEST_NAME => Ok(name.to_owned()),
        Some(_) => Err(Reason::UnfitMetadata("client_name")),
    }
}

fn text<'a>(
    metadata: &'a Map<String, Value>,
    name: &'static str,
) -> Result<Option<&'a str>, Reason> {
    match metadata.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Reason::UnfitMetadata(name)),
    }
}

fn list<'a>(metadata: &'a Map<String, Value>, name: &'static str) -> Result<Vec<&'a str>, Reason> {
    let values = match metadata.get(name) {
        None => return Ok(Vec::new()),
        Some(Value::Array(values)) if values.len() <= MOST_URIS => values,
        Some(_) => return Err(Reason::UnfitMetadata(name)),
    };
    values
        .iter()
        .map(|value| value.as_str().ok_or(Reason::UnfitMetadata(name)))
        .collect()
}

fn uris(metadata: &Map<String, Value>, name: &'static str) -> Result<Vec<RedirectUri>, Reason> {
    list(metadata, name)?
        .into_iter()
        .map(|uri| RedirectUri::register(uri).map_err(|_: UnfitUri| Reason::UnfitRedirectUri))
        .collect()
}

/// A page that people are shown a link to: https, and nothing a redirect URI may not be.
fn web_uri(metadata: &Map<String, Value>, name: &'static str) -> Result<Option<String>, Reason> {
    let Some(uri) = text(metadata, name)? else {
        return Ok(None);
    };
    if is_web_uri(uri) {
        return Ok(Some(uri.to_owned()));
    }
    Err(Reason::UnfitMetadata(name))
}

fn resource(
    metadata: &Map<String, Value>,
    name: &'static str,
    vouched: bool,
) -> Result<Option<String>, Reason> {
    match text(metadata, name)?.filter(|_| vouched) {
        None => Ok(None),
        Some(resource) if is_resource(resource) => Ok(Some(resource.to_owned())),
        Some(_) => Err(Reason::UnfitMetadata(name)),
    }
}

fn resources(
    metadata: &Map<String, Value>,
    name: &'static str,
    vouched: bool,
) -> Result<Vec<String>, Reason> {
    if !vouched {
        return Ok(Vec::new());
    }
    let named = list(metadata, name)?;
    if !named.iter().all(|resource| is_resource(resource)) {
        return Err(Reason::UnfitMetadata(name));
    }
    Ok(named.into_iter().map(str::to_owned).collect())
}

/// RFC 7591 §3.2.1: all that was registered, and the secret this once.
fn response(client: &Client, secret: Option<&Secret>, at: &At) -> String {
    let grants: Vec<&str> = client
        .grant_types
        .iter()
        .map(|grant| grant.as_str())
        .collect();
    let types = client.response_types.iter();
    let types = types.filter(|kind| client.grant_types.iter().any(|grant| kind.needs(*grant)));
    let types: Vec<&str> = types.map(|kind| kind.as_str()).collect();
    let mut body = json!({
        "client_id": client.id,
        "client_id_issued_at": at.now.unix(),
        "client_name": client.name,
        "token_endpoint_auth_method": client.authentication.as_str(),
        "grant_types": grants,
        "response_types": types,
        "redirect_uris": client.redirect_uris,
        "post_logout_redirect_uris": client.post_logout_redirect_uris,
        "scope": client.scope,
        "id_token_signed_response_alg": client.signing,
        "access_token_format": client.access_token_format,
        "access_token_lifetime": client.access_token_lifetime,
        "default_resource": client.default_audience(),
        "offline_access": client.scope.contains(OFFLINE_ACCESS),
    });
    if let (Value::Object(members), Some(keys)) = (&mut body, &client.keys) {
        if keys.jwks.is_empty() {
            members.insert("jwks_uri".to_owned(), json!(keys.jwks_uri));
        } else {
            members.insert("jwks".to_owned(), json!(keys.jwks));
        }
    }
    if let (Value::Object(members), Some(uri)) = (&mut body, &client.backchannel_logout_uri) {
        members.insert("backchannel_logout_uri".to_owned(), json!(uri));
        let required = json!(client.backchannel_logout_session_required);
        members.insert("backchannel_logout_session_required".to_owned(), required);
    }
    if let (Value::Object(members), Some(secret)) = (&mut body, secret) {
        members.insert("client_secret".to_owned(), json!(secret.expose()));
        members.insert("client_secret_expires_at".to_owned(), json!(0));
    }
    body.to_string()
}
