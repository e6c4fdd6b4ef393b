//! The JWT form of an access token (RFC 9068).

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::access::{AccessToken, Generations, JWT_TYPE};
use super::opened::Opened;
use crate::jose::{Claims, ExpectedTyp, Policy};
use crate::message;
use crate::model::{ClientId, GrantId, Scope, SessionId, Shard, TokenId, UnixTime, Username};

/// Seconds by which an edge's clock may be ahead of ours (FAPI 2.0 §5.3.2.1 asks for up to 60).
pub const SKEW: u64 = 60;

/// The private claim that carries what the feed is asked about.
const PRIVATE: &str = "edgemint";

/// What it holds.
#[derive(Deserialize)]
struct Private {
    epoch: u32,
    shard: Shard,
    grant: Option<GrantId>,
    session: Option<SessionId>,
    generations: Generations,
}

/// What every access token of `issuer` keeps to, whomever it is for and whether or not it has expired:
/// that is asked of what it says, as of a sealed one.
#[must_use]
pub fn policy(issuer: &str) -> Policy {
    let mut policy = Policy::new(issuer, "", ExpectedTyp::exactly(JWT_TYPE))
        .danger_accept_any_audience()
        .danger_accept_expired();
    policy.leeway = SKEW;
    policy
}

/// RFC 9068 §2.2.
#[must_use]
pub fn to_claims(
    issuer: &str,
    token: &AccessToken,
    jti: &TokenId,
    epoch: u32,
) -> Map<String, Value> {
    let mut claims = Map::new();
    claims.insert("iss".to_owned(), json!(issuer));
    claims.insert("sub".to_owned(), json!(token.sub));
    claims.insert("aud".to_owned(), json!(token.audience));
    claims.insert("client_id".to_owned(), json!(token.client));
    claims.insert("iat".to_owned(), json!(token.issued_at));
    claims.insert("exp".to_owned(), json!(token.expires_at));
    claims.insert("jti".to_owned(), json!(jti));
    claims.insert("scope".to_owned(), json!(token.scope));
    claims.insert("username".to_owned(), json!(token.username));
    claims.insert(
        PRIVATE.to_owned(),
        json!({
            "epoch": epoch,
            "shard": token.shard,
            "grant": token.grant,
            "session": token.session,
            "generations": token.generations,
        }),
    );
    claims
}

/// Reads what [`to_claims`] wrote, if it is that.
#[must_use]
pub fn from_claims(claims: &Claims) -> Option<Opened> {
    let text = |name| claims.text(name).ok().flatten();
    let private: Private = message::read_value(claims.claim(PRIVATE)?).ok()?;
    let [audience] = claims.audience() else {
        return None;
    };
    let token = AccessToken {
        sub: claims.subject()?.to_owned(),
        username: Username::parse(text("username")?).ok()?,
        client: ClientId::parse(text("client_id")?).ok()?,
        scope: Scope::parse(text("scope").unwrap_or_default()).ok()?,
        audience: audience.clone(),
        issued_at: UnixTime(claims.issued_at()?),
        expires_at: UnixTime(claims.expires_at()?),
        grant: private.grant,
        session: private.session,
        shard: private.shard,
        generations: private.generations,
    };
    let id = TokenId::parse(claims.id()?).ok()?;
    Some(Opened::new(id, private.epoch, token))
}
