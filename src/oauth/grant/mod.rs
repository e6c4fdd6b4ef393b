//! Grants: each proves something and answers with what may be minted for it.

pub mod authorization_code;
pub mod client_credentials;
pub mod device_code;
pub mod implicit;
pub mod password;
pub mod refresh_token;

use serde::Serialize;
use serde_json::{Value, json};

use super::access_token::{self, Minted};
use super::{claims, grantable, signing};
use crate::error::Reason;
use crate::model::{
    Client, GrantId, Scope, Seconds, Secret, SessionId, Shard, SubjectFacts, UnixTime,
};
use crate::ports::ledger::{Authentication, SpendCode, Spent};
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::{AccessToken, Generations, RefreshToken, Revocations, refresh, seal};

/// RFC 6749 §5.1 and OpenID Connect Core §3.1.3.3; seed 000's TokenSet by its RFC names.
#[derive(Debug, Clone, Serialize)]
pub struct TokenResponse {
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
    scope: Scope,
    #[serde(skip_serializing_if = "Option::is_none")]
    mac_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mac_algorithm: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    /// Seed 002's: seconds until that is good for nothing more unless it is used. Absent where it ends with a session.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token_expires_in: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
}

impl TokenResponse {
    /// What is told of an access token.
    fn of(client: &Client, minted: &Minted, scope: Scope) -> Self {
        let mac = minted.mac.as_ref();
        Self {
            access_token: minted.text.expose().to_owned(),
            token_type: if mac.is_some() { "mac" } else { "Bearer" },
            expires_in: client.access_token_lifetime.0,
            scope,
            mac_key: mac.map(|mac| mac.key.expose().to_owned()),
            mac_algorithm: mac.map(|mac| mac.algorithm.as_str()),
            refresh_token: None,
            refresh_token_expires_in: None,
            id_token: None,
        }
    }
}

/// Until when the row of a grant is kept: as long as its family may be refreshed, or else as its code could
/// be shown again, and then what was issued for it lives.
fn needed_until(now: UnixTime, client: &Client, refreshable: bool, code: Seconds) -> UnixTime {
    if refreshable {
        now + refresh::ABSOLUTE
    } else {
        now + code + client.access_token_lifetime
    }
}

/// What may be minted for a person: proven by a code, a family, a password or a session that stands. Only the
/// grants make one; only this module mints of it.
pub struct Approved {
    subject: SubjectFacts,
    grant: GrantId,
    shard: Shard,
    /// Present when the grant dies with it.
    session: Option<SessionId>,
    sid: Option<SessionId>,
    scope: Scope,
    granted: Scope,
    audience: String,
    authentication: Authentication,
    nonce: Option<String>,
    /// Claims that the ID token is asked to have by name.
    claims: Vec<String>,
    /// The generation of the refresh token to hand out, if one is, and until when that is good for anything.
    refresh: Option<(u64, Option<UnixTime>)>,
    /// Whether an answer that was lost is given again.
    again: bool,
}

/// Spends a code that passed every check, which opens its grant in the person's shard; `again` is why
/// not, where somebody has.
async fn open<P: Ports>(
    server: &Server<P>,
    shard: Shard,
    spend: SpendCode,
    nonce: Option<String>,
    again: Reason,
    at: &At,
) -> Result<Approved, Reason> {
    match server.ports.ledger(shard, at, spend.clone()).await? {
        Spent::First(subject) => Ok(Approved {
            subject: *subject,
            grant: spend.grant,
            shard,
            session: (!spend.offline).then(|| spend.session.clone()),
            sid: (!spend.alone).then_some(spend.session),
            granted: spend.scope.clone(),
            scope: spend.scope,
            audience: spend.audience,
            authentication: spend.authentication,
            nonce,
            claims: Vec::new(),
            refresh: spend.refreshable.then_some((0, Some(spend.expires_at))),
            again: false,
        }),
        Spent::Again => Err(again),
        Spent::Never => Err(Reason::CodeEnded),
    }
}

impl Approved {
    /// What an auditor should know of it.
    #[must_use]
    pub fn event(&self) -> Option<&'static str> {
        self.again.then_some("refresh_retried")
    }
}

/// Mints what was approved; `id` is fresh randomness, for the access token.
///
/// # Errors
/// [`Reason::Unavailable`] or [`Reason::Internal`].
pub async fn respond<P: Ports>(
    server: &Server<P>,
    client: &Client,
    approved: Approved,
    id: [u8; seal::ID],
    revocations: &Revocations,
    at: &At,
) -> Result<TokenResponse, Reason> {
    let (access, scope) = access(server, client, &approved, id, revocations, at).await?;
    let refresh = match approved.refresh {
        Some((generation, until)) => {
            let refresh = RefreshToken {
                shard: approved.shard,
                grant: approved.grant.clone(),
                generation,
                client: client.id.clone(),
                client_generation: client.generation,
            };
            let secret = refresh.mint(&server.keyring, revocations.epoch())?;
            let idle = client.refresh_idle.unwrap_or(refresh::IDLE);
            let now = at.now.unix();
            // A session ends before, and when is not known here: it may be renewed.
            let until = until.filter(|_| approved.session.is_none());
            let seconds = until.map(|until| now.until(until.min(now + idle)).0);
            Some((secret, seconds))
        }
        None => None,
    };
    let granted = grantable::for_subject(client, &approved.granted, &approved.subject);
    let id_token = if granted.contains("openid") {
        let beside = Beside {
            access_token: Some(&access.text),
            code: None,
        };
        Some(id_token(server, client, &approved, &granted, beside, at).await?)
    } else {
        None
    };
    Ok(TokenResponse {
        refresh_token_expires_in: refresh.as_ref().and_then(|(_, seconds)| *seconds),
        refresh_token: refresh.map(|(secret, _)| secret.expose().to_owned()),
        id_token,
        ..TokenResponse::of(client, &access, scope)
    })
}

/// Mints the access token of what was approved, and says what it allows.
async fn access<P: Ports>(
    server: &Server<P>,
    client: &Client,
    approved: &Approved,
    id: [u8; seal::ID],
    revocations: &Revocations,
    at: &At,
) -> Result<(Minted, Scope), Reason> {
    let now = at.now.unix();
    let scope = grantable::for_subject(client, &approved.scope, &approved.subject);
    let sub = approved.subject.subject.to_string();
    let told = claims::sub(client, &approved.subject, &server.config.issuer);
    let token = AccessToken {
        told_as: (told != sub).then_some(told),
        application: client.application.clone(),
        sub,
        username: approved.subject.username.clone(),
        client: client.id.clone(),
        scope: scope.clone(),
        audience: approved.audience.clone(),
        issued_at: now,
        expires_at: now + client.access_token_lifetime,
        grant: Some(approved.grant.clone()),
        session: approved.session.clone(),
        shard: approved.shard,
        generations: Generations {
            subject: approved.subject.generation,
            client: client.generation,
            roles: approved.subject.roles.clone(),
            scopes: revocations.scope_generations(scope.iter()),
        },
        mapped: claims::mappings(client, &scope).next().is_some(),
    };
    let minted = access_token::mint(server, client, token, id, revocations, at).await?;
    Ok((minted, scope))
}

/// How long an ID token is to be accepted: it is read at once, on arrival.
const ID_TOKEN_LIFETIME: Seconds = Seconds(600);

/// What an ID token is issued beside, and names by its hash (OpenID Connect Core §3.3.2.11).
struct Beside<'a> {
    access_token: Option<&'a Secret>,
    /// Only one that comes in the same answer.
    code: Option<&'a Secret>,
}

/// OpenID Connect Core §2.
async fn id_token<P: Ports>(
    server: &Server<P>,
    client: &Client,
    approved: &Approved,
    granted: &Scope,
    beside: Beside<'_>,
    at: &At,
) -> Result<String, Reason> {
    let now = at.now.unix();
    let subject = &approved.subject;
    let mut members = claims::about(client, subject, granted);
    // Who gets nothing to ask UserInfo with is told here (§5.4).
    let alone = beside.access_token.is_none() && beside.code.is_none();
    if client.claims_in_userinfo_only && !alone {
        members.retain(|name, _| approved.claims.contains(name));
    }
    let mut tell = |name: &str, value: Value| members.insert(name.to_owned(), value);
    tell("iss", json!(server.config.issuer_of(client)));
    tell(
        "sub",
        json!(claims::sub(client, subject, &server.config.issuer)),
    );
    tell("aud", json!(client.id));
    tell("iat", json!(now));
    tell("exp", json!(now + ID_TOKEN_LIFETIME));
    tell("auth_time", json!(approved.authentication.time));
    tell("amr", json!(approved.authentication.methods));
    if let Some(acr) = claims::acr(&approved.authentication.methods) {
        tell("acr", json!(acr));
    }
    for (name, text) in [("at_hash", beside.access_token), ("c_hash", beside.code)] {
        if let Some(text) = text {
            tell(name, json!(client.signing.at_hash(text.expose())));
        }
    }
    if let Some(nonce) = &approved.nonce {
        tell("nonce", json!(nonce));
    }
    if let Some(sid) = &approved.sid {
        tell("sid", json!(sid));
    }
    signing::sign(server, client, "JWT", &members, at).await
}
