//! The JWT form of an access token (RFC 9068).

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::access::{AccessToken, Generations, JWT_TYPE};
use super::opened::Opened;
use crate::config::APPLICATIONS;
use crate::jose::{Claims, ExpectedTyp, Policy, UnverifiedJws, parse_strict_object};
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
    /// Our own name of the person, where `sub` is another.
    #[serde(default)]
    subject: Option<String>,
    shard: Shard,
    grant: Option<GrantId>,
    session: Option<SessionId>,
    generations: Generations,
    #[serde(default)]
    mapped: bool,
}

/// What every access token of `issuer` keeps to, whomever it is for and whether or not it has expired:
/// that is asked of what it says, as of a sealed one. Where `compact` says that it is of one of the
/// issuer's applications, it has to be of that one: all of them sign with the same keys.
#[must_use]
pub fn policy(issuer: &str, compact: &str) -> Policy {
    let own = application(issuer, &claimed_issuer(compact).unwrap_or_default())
        .map(|slug| issuer_of(issuer, Some(&slug)));
    let named = own.as_deref().unwrap_or(issuer);
    let mut policy = Policy::new(named, "", ExpectedTyp::exactly(JWT_TYPE))
        .danger_accept_any_audience()
        .danger_accept_expired();
    policy.leeway = SKEW;
    policy
}

fn claimed_issuer(compact: &str) -> Option<String> {
    let token = UnverifiedJws::parse(compact).ok()?;
    let claims = parse_strict_object(token.danger_unverified_payload()).ok()?;
    Some(claims.get("iss")?.as_str()?.to_owned())
}

/// The issuer that is told: an application's own, or the deployment's.
#[must_use]
pub fn issuer_of(issuer: &str, application: Option<&str>) -> String {
    match application {
        Some(slug) => format!("{issuer}{APPLICATIONS}{slug}/"),
        None => issuer.to_owned(),
    }
}

/// Whether clients of `issuer` are told this as theirs.
#[must_use]
pub fn tells(issuer: &str, told: &str) -> bool {
    told == issuer || application(issuer, told).is_some()
}

/// The application that tells this as its issuer.
fn application(issuer: &str, told: &str) -> Option<String> {
    let slug = told.strip_prefix(issuer)?.strip_prefix(APPLICATIONS)?;
    let slug = slug.strip_suffix('/')?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (!slug.is_empty() && slug.bytes().all(plain)).then(|| slug.to_owned())
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
    let told = issuer_of(issuer, token.application.as_deref());
    claims.insert("iss".to_owned(), json!(told));
    claims.insert("sub".to_owned(), json!(token.told_sub()));
    claims.insert("aud".to_owned(), json!(token.audience));
    claims.insert("client_id".to_owned(), json!(token.client));
    claims.insert("iat".to_owned(), json!(token.issued_at));
    claims.insert("exp".to_owned(), json!(token.expires_at));
    claims.insert("jti".to_owned(), json!(jti));
    claims.insert("scope".to_owned(), json!(token.scope));
    claims.insert("username".to_owned(), json!(token.username));
    let mut private = json!({
        "epoch": epoch,
        "shard": token.shard,
        "grant": token.grant,
        "session": token.session,
        "generations": token.generations,
    });
    if let (Value::Object(members), Some(_)) = (&mut private, &token.told_as) {
        members.insert("subject".to_owned(), json!(token.sub));
    }
    if let (Value::Object(members), true) = (&mut private, token.mapped) {
        members.insert("mapped".to_owned(), json!(true));
    }
    claims.insert(PRIVATE.to_owned(), private);
    claims
}

/// Reads what [`to_claims`] wrote, if it is that.
#[must_use]
pub fn from_claims(issuer: &str, claims: &Claims) -> Option<Opened> {
    let text = |name| claims.text(name).ok().flatten();
    let private: Private = message::read_value(claims.claim(PRIVATE)?).ok()?;
    let [audience] = claims.audience() else {
        return None;
    };
    let sub = claims.subject()?.to_owned();
    let (sub, told_as) = match private.subject {
        Some(own) => (own, Some(sub)),
        None => (sub, None),
    };
    let token = AccessToken {
        sub,
        told_as,
        application: application(issuer, claims.issuer()?),
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
        mapped: private.mapped,
    };
    let id = TokenId::parse(claims.id()?).ok()?;
    Some(Opened::new(id, private.epoch, token))
}
