//! Introspection, RFC 7662: unseal, look at the feed, answer. No storage in the steady state.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::access_token::LiveToken;
use super::bearer;
use super::caller::{Caller, Found};
use super::client_authentication::AuthenticatedClient;
use super::params::Params;
use super::token::client_refusal;
use super::{claims, signing};
use crate::error::Reason;
use crate::gate::Principal;
use crate::http::{Request, Response};
use crate::jose::parse_strict_object;
use crate::model::{ClientId, Scope, Subject, TokenId, UnixTime, Username};
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::{AccessToken, Opened, access_jwt};

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
