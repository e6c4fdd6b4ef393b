//! Introspection, RFC 7662: unseal, look at the feed, answer. No storage in the steady state.

use std::rc::Rc;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::access_token::{self, LiveToken, living};
use super::bearer;
use super::client_authentication::{self, AuthenticatedClient};
use super::mac::{self, LiveMac};
use super::params::Params;
use super::token::client_refusal;
use super::{claims, signing};
use crate::error::Reason;
use crate::gate::{Principal, principal};
use crate::http::{Request, Response};
use crate::jose::parse_strict_object;
use crate::model::scope::OWN;
use crate::model::{Client, ClientId, Scope, Subject, TokenId, UnixTime, Username};
use crate::ports::ledger::{GrantFacts, ReadGrant};
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::{
    AccessToken, Kind, Opened, RefreshToken, TokenHandle, Unsealed, access_jwt, refresh,
};

/// What introspection and revocation read: both specifications ask for the same.
pub(super) const PARAMETERS: [&str; 6] = [
    "token",
    "token_type_hint",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
];

/// What a signed answer is, in `Accept` and `Content-Type` (RFC 9701 §4).
const MEDIA_TYPE: &str = "application/token-introspection+jwt";
/// And in its header.
const JWT_TYPE: &str = "token-introspection+jwt";

/// Exactly this for every token that is not active or not the caller's (§2.2).
pub const INACTIVE: &str = r#"{"active":false}"#;

/// Who asks.
pub enum Caller {
    /// A client that authenticated as one.
    Client(AuthenticatedClient),
    /// Somebody with an access token: may ask about tokens of the same client and the same subject.
    Bearer(LiveToken),
    /// Somebody with a token of their own: may ask about their own.
    Owner(Principal),
}

/// Whether the text is a MAC key identifier, or nothing of ours.
fn is_mac(text: &str) -> bool {
    text.starts_with(Kind::Mac.prefix())
}

/// Whether the text is a handle, or nothing of ours.
fn is_handle(text: &str) -> bool {
    text.starts_with(Kind::Token.prefix())
}

impl Caller {
    /// Authenticates the caller (§2.1): a confidential client, or a bearer token.
    ///
    /// # Errors
    /// Why not; a public client's bare id is no authentication.
    pub async fn authenticate<P: Ports>(
        server: &Server<P>,
        request: &Request,
        params: &Params,
        at: &At,
    ) -> Result<Self, Reason> {
        match bearer::presented(request.authorization.as_deref()) {
            Err(Reason::NoToken) => {}
            Err(reason) => return Err(reason),
            Ok(token) if is_handle(token.expose()) => {
                let owner = principal::by_token(server, token.expose(), at).await?;
                return Ok(Self::Owner(owner));
            }
            Ok(token) => {
                let live = access_token::validate(server, token.expose(), at).await?;
                return Ok(Self::Bearer(live));
            }
        }
        let client = client_authentication::authenticate(server, request, params, at).await?;
        if client.client().is_public() {
            return Err(Reason::NoClientAuthentication);
        }
        Ok(Self::Client(client))
    }

    /// What a text is, if it is a live token and the caller may learn about it.
    ///
    /// # Errors
    /// [`Reason::Unavailable`].
    pub async fn find<P: Ports>(
        &self,
        server: &Server<P>,
        text: &str,
        at: &At,
    ) -> Result<Option<Found>, Reason> {
        if is_handle(text) {
            // Whose business it is not, costs nobody a question.
            let handle = server.keyring.open_handle(text).ok();
            let Some(handle) = handle.filter(|handle| self.may_look_up(handle.value())) else {
                return Ok(None);
            };
            let token = living(principal::of_handle(server, &handle, at).await)?;
            let token = token.filter(|token| self.may_ask_about(token));
            return Ok(token.map(Found::Handle));
        }
        if let Some(live) = living(access_token::validate(server, text, at).await)?
            && self.may_ask_about_access(live.token())
        {
            return Ok(Some(Found::Access(live)));
        }
        if is_mac(text) {
            let live = living(mac::live(server, text, at).await)?;
            let live = live.filter(|live| self.may_ask_about_access(&live.opened().token));
            return Ok(live.map(|live| Found::Mac(Box::new(live))));
        }
        // A refresh token is nobody's business but its client's: nobody else has a shard asked for it.
        let token: Option<Unsealed<RefreshToken>> = server.keyring.unseal(text).ok();
        let Some(token) = token.filter(|token| self.is(&token.value().client)) else {
            return Ok(None);
        };
        let grant = refreshable(server, token, at).await?;
        let known = grant.filter(|(grant, _)| {
            let subject = grant.subject.subject.as_str();
            self.may_ask(&grant.client, None, subject)
        });
        Ok(known.map(|(grant, client)| Found::Refresh(Box::new(grant), client)))
    }

    /// Whether the caller checks requests that are signed with this token's key: a client that is the
    /// resource, and nobody else. Its own client was given the key with the token.
    fn checks(&self, audience: &str) -> bool {
        match self {
            Self::Client(caller) => caller.client().is_or_serves(audience),
            Self::Bearer(_) | Self::Owner(_) => false,
        }
    }

    /// Whether the caller is this client, or has a token of its.
    fn is(&self, client: &ClientId) -> bool {
        match self {
            Self::Client(caller) => caller.client().id == *client,
            Self::Bearer(live) => live.token().client == *client,
            Self::Owner(_) => false,
        }
    }

    /// Whether the caller may learn about such a token (§4).
    fn may_ask(&self, issued_to: &ClientId, audience: Option<&str>, subject: &str) -> bool {
        match self {
            Self::Client(caller) => {
                let client = caller.client();
                client.id == *issued_to
                    || audience.is_some_and(|audience| client.may_introspect(issued_to, audience))
            }
            Self::Bearer(live) => live.token().client == *issued_to && live.token().sub == subject,
            Self::Owner(_) => false,
        }
    }

    /// The same, of what an access token says.
    fn may_ask_about_access(&self, token: &AccessToken) -> bool {
        self.may_ask(&token.client, Some(&token.audience), &token.sub)
    }

    /// Whether the caller may learn about whatever this names, as far as it tells by itself.
    fn may_look_up(&self, handle: &TokenHandle) -> bool {
        match self {
            Self::Client(caller) => serves(caller.client(), handle.service.as_ref()),
            Self::Bearer(_) => false,
            Self::Owner(owner) => {
                owner.key == handle.key || (owner.shard == handle.shard && is_own(owner))
            }
        }
    }

    /// Whether the caller may learn about a handle. One that was delegated to a service is that
    /// service's; any other is for everything behind the gate: for clients that an administrator has
    /// given a resource to serve.
    fn may_ask_about(&self, token: &Principal) -> bool {
        match self {
            Self::Client(caller) => {
                let client = caller.client();
                serves(client, token.service.as_ref()) && is_in(client, token)
            }
            Self::Bearer(_) => false,
            Self::Owner(owner) => {
                owner.key == token.key || (owner.username == token.username && is_own(owner))
            }
        }
    }
}

/// Whether whoever shows this may ask about all that is theirs: what is for one resource may not.
fn is_own(owner: &Principal) -> bool {
    owner.scopes.contains(OWN) && owner.audience.is_none()
}

/// Whether a handle that was delegated from an access token is for this resource.
#[must_use]
pub fn is_in(resource: &Client, token: &Principal) -> bool {
    let audience = token.audience.as_deref();
    audience.is_none_or(|audience| resource.is_or_serves(audience))
}

/// Whether a handle is for this resource, which was delegated to that service or to none.
#[must_use]
pub fn serves(resource: &Client, service: Option<&String>) -> bool {
    match service {
        Some(service) => resource.is_or_serves(service),
        None => !resource.serves.is_empty(),
    }
}

/// What is told of a handle: what never ends has no `exp`.
#[must_use]
pub fn told(token: &Principal) -> Map<String, Value> {
    let sub = token
        .person
        .as_ref()
        .map_or(token.username.as_str(), Subject::as_str);
    let mut told = Map::new();
    for (name, value) in [
        ("active", json!(true)),
        ("sub", json!(sub)),
        ("username", json!(token.username)),
        ("scope", json!(token.scopes)),
        ("exp", json!(token.expires)),
        ("aud", json!(token.audience)),
    ] {
        if !value.is_null() {
            told.insert(name.to_owned(), value);
        }
    }
    told
}

/// A live token.
pub enum Found {
    /// A token that is a row of the ledger.
    Handle(Principal),
    /// An access token.
    Access(LiveToken),
    /// A MAC key identifier.
    Mac(Box<LiveMac>),
    /// The newest refresh token of this grant, and whose it is.
    Refresh(Box<GrantFacts>, Rc<Client>),
}

#[derive(Serialize)]
struct Introspection<'a> {
    active: bool,
    scope: &'a Scope,
    client_id: &'a ClientId,
    username: &'a Username,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mac_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mac_algorithm: Option<&'a str>,
    exp: UnixTime,
    iat: UnixTime,
    nbf: UnixTime,
    sub: &'a str,
    aud: &'a str,
    iss: &'a str,
    jti: &'a str,
}

impl<'a> Introspection<'a> {
    /// What is told of an access token, whatever its type.
    fn of(token: &'a AccessToken, id: &'a TokenId, iss: &'a str) -> Self {
        Self {
            active: true,
            scope: &token.scope,
            client_id: &token.client,
            username: &token.username,
            token_type: None,
            mac_key: None,
            mac_algorithm: None,
            exp: token.expires_at,
            iat: token.issued_at,
            nbf: token.issued_at,
            sub: token.told_sub(),
            aud: &token.audience,
            iss,
            jti: id.as_str(),
        }
    }
}

/// `POST /oauth/introspect`: of one token in a form, or of several in JSON, `{"tokens": […]}`, which is
/// answered by `{"introspections": […]}` in their order. Whoever accepts it gets the answer for one
/// signed (RFC 9701).
pub async fn answer<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Response {
    let answered = match request.content_type.as_deref() {
        Some(media) if media.starts_with("application/json") => several(server, request, at).await,
        _ => read(server, request, at).await,
    };
    answered
        .unwrap_or_else(|reason| refusal(request, reason))
        .for_any_origin()
}

/// A refusal to a caller: in the words of the way it tried.
#[must_use]
pub fn refusal(request: &Request, reason: Reason) -> Response {
    match reason {
        Reason::TokenUnknown
        | Reason::TokenExpired
        | Reason::TokenRevoked
        | Reason::InsufficientScope(_) => bearer::refusal(reason),
        other => client_refusal(request, other),
    }
}

async fn read<P: Ports>(
    server: &Server<P>,
    request: &Request,
    at: &At,
) -> Result<Response, Reason> {
    let params = Params::parse(request.form()?, &PARAMETERS);
    params.refuse_repeated()?;
    let caller = Caller::authenticate(server, request, &params, at).await?;
    let body = introspect(server, &caller, params.required("token")?, at).await?;
    match &caller {
        Caller::Client(client) if request.accepts(MEDIA_TYPE) => {
            signed(server, client, &body, at).await
        }
        _ => Ok(Response::json(200, body)),
    }
}

/// RFC 9701 §5: the answer as a JWT for who asked, which it can show as evidence.
async fn signed<P: Ports>(
    server: &Server<P>,
    caller: &AuthenticatedClient,
    introspection: &str,
    at: &At,
) -> Result<Response, Reason> {
    let client = caller.client();
    let mut introspection: Value = serde_json::from_str(introspection)
        .map_err(|_| Reason::Internal("an answer does not parse"))?;
    // It is made to be shown to others.
    if let Value::Object(members) = &mut introspection {
        members.remove("mac_key");
    }
    let claims = [
        ("iss", json!(server.config.issuer)),
        ("aud", json!(client.id)),
        ("iat", json!(at.now.unix())),
        ("token_introspection", introspection),
    ];
    let claims = claims.map(|(name, value)| (name.to_owned(), value));
    let claims = Map::from_iter(claims);
    let jwt = signing::sign(server, client, JWT_TYPE, &claims, at).await?;
    Ok(Response::empty(200)
        .with("content-type", MEDIA_TYPE)
        .with("x-content-type-options", "nosniff")
        .with_body(jwt))
}

/// Tokens in one question. Each refresh token among them is a call to the ledger, and a Worker may make
/// fifty for a request.
const MOST_TOKENS: usize = 24;

async fn several<P: Ports>(
    server: &Server<P>,
    request: &Request,
    at: &At,
) -> Result<Response, Reason> {
    let malformed = Reason::MalformedBody("{\"tokens\": […]}, of 1 to 24 texts");
    // The caller says who it is in the header.
    let caller = Caller::authenticate(server, request, &Params::parse("", &PARAMETERS), at).await?;
    let members = parse_strict_object(request.json()?.as_bytes()).map_err(|_| malformed.clone())?;
    let tokens = match members.get("tokens") {
        Some(Value::Array(tokens))
            if members.len() == 1 && (1..=MOST_TOKENS).contains(&tokens.len()) =>
        {
            tokens
        }
        _ => return Err(malformed),
    };
    let texts: Option<Vec<&str>> = tokens.iter().map(Value::as_str).collect();
    let mut answers = Vec::new();
    for text in texts.ok_or(malformed)? {
        answers.push(introspect(server, &caller, text, at).await?);
    }
    let body = format!("{{\"introspections\":[{}]}}", answers.join(","));
    Ok(Response::json(200, body))
}

/// What the caller may learn about the token, as JSON.
///
/// # Errors
/// [`Reason::Unavailable`]; that is not the same as inactive.
pub async fn introspect<P: Ports>(
    server: &Server<P>,
    caller: &Caller,
    text: &str,
    at: &At,
) -> Result<String, Reason> {
    let issuer = &server.config.issuer;
    match caller.find(server, text, at).await? {
        None => Ok(INACTIVE.to_owned()),
        Some(Found::Access(live)) => {
            let answer = live.introspected(|| told_of(&live, issuer))?;
            if live.token().mapped {
                return and(answer, mapped(server, live.token(), at).await?);
            }
            Ok(answer.to_owned())
        }
        Some(Found::Mac(live)) => {
            let Opened { id, token, .. } = live.opened();
            let checks = caller.checks(&token.audience);
            let iss = access_jwt::issuer_of(issuer, token.application.as_deref());
            let answer = print(&Introspection {
                token_type: Some("mac"),
                mac_key: checks.then(|| live.key.key.expose()),
                mac_algorithm: Some(live.key.algorithm.as_str()),
                ..Introspection::of(token, id, &iss)
            })?;
            if token.mapped {
                return and(&answer, mapped(server, token, at).await?);
            }
            Ok(answer)
        }
        Some(Found::Handle(token)) => {
            let mut told = told(&token);
            for (name, value) in [
                ("token_type", json!("Bearer")),
                ("iat", json!(token.created)),
                ("nbf", json!(token.created)),
                ("iss", json!(issuer)),
                ("jti", json!(token.key)),
            ] {
                told.insert(name.to_owned(), value);
            }
            Ok(Value::Object(told).to_string())
        }
        Some(Found::Refresh(grant, client)) => {
            let answer = print(&Introspection {
                active: true,
                scope: &grant.granted,
                client_id: &grant.client,
                username: &grant.subject.username,
                token_type: None,
                mac_key: None,
                mac_algorithm: None,
                exp: grant.expires_at,
                iat: grant.refreshed_at,
                nbf: grant.refreshed_at,
                sub: &claims::sub(&client, &grant.subject, issuer),
                aud: issuer,
                iss: &server.config.issuer_of(&client),
                jti: grant.grant.as_str(),
            })?;
            if client.mappings.is_empty() {
                return Ok(answer);
            }
            and(
                &answer,
                claims::mapped(&client, &grant.subject, &grant.granted),
            )
        }
    }
}

fn told_of(live: &LiveToken, issuer: &str) -> Result<String, Reason> {
    let token = live.token();
    print(&Introspection {
        token_type: Some("Bearer"),
        ..Introspection::of(
            token,
            live.id(),
            &access_jwt::issuer_of(issuer, token.application.as_deref()),
        )
    })
}

/// What the mappings of its client say of whom a token is about: from the copies of the client and of what
/// is known of that person.
async fn mapped<P: Ports>(
    server: &Server<P>,
    token: &AccessToken,
    at: &At,
) -> Result<Map<String, Value>, Reason> {
    let client = server.ports.client(&token.client, at).await?;
    let subject = Subject::parse(&token.sub).map_err(|_| Reason::Internal("a token of nobody"))?;
    let known = server.ports.subject(&subject, token.shard, at).await?;
    Ok(match (client, known) {
        (Some(client), Some(known)) => claims::mapped(&client, &known, &token.scope),
        _ => Map::new(),
    })
}

/// What an answer leaves out on purpose: a refresh token has no type, by which resources know that it is none of
/// theirs, and a key is not for everybody.
const LEFT_OUT: [&str; 3] = ["token_type", "mac_key", "mac_algorithm"];

/// An answer and what there is to add; what it says already, it says, and what it leaves out stays out.
fn and(answer: &str, more: Map<String, Value>) -> Result<String, Reason> {
    let mut answer = parse_strict_object(answer.as_bytes())
        .map_err(|_| Reason::Internal("an answer does not parse"))?;
    for (name, value) in more {
        if !LEFT_OUT.contains(&name.as_str()) {
            answer.entry(name).or_insert(value);
        }
    }
    print(&answer)
}

/// Prints an answer.
///
/// # Errors
/// [`Reason::Internal`].
pub fn print(answer: &impl Serialize) -> Result<String, Reason> {
    serde_json::to_string(answer).map_err(|_| Reason::Internal("an answer does not serialise"))
}

/// The grant of a refresh token, if it is the newest of its family and may be used.
async fn refreshable<P: Ports>(
    server: &Server<P>,
    unsealed: Unsealed<RefreshToken>,
    at: &At,
) -> Result<Option<(GrantFacts, Rc<Client>)>, Reason> {
    let revocations = server.ports.revocations(at).await?;
    if revocations.ends_epoch(unsealed.epoch()) {
        return Ok(None);
    }
    let token = unsealed.into_value();
    let client = server.ports.client(&token.client, at).await?;
    let current =
        |client: &Rc<Client>| client.enabled && client.generation == token.client_generation;
    let Some(client) = client.filter(current) else {
        return Ok(None);
    };
    let read = ReadGrant {
        grant: token.grant,
        idle: client.refresh_idle.unwrap_or(refresh::IDLE),
    };
    let facts = server.ports.ledger(token.shard, at, read).await?;
    let newest = facts.filter(|facts| facts.refresh_generation == Some(token.generation));
    Ok(newest.map(|facts| (facts, client)))
}
