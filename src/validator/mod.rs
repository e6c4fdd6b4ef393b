//! Validation at a resource, without asking the issuer: the same verdict as the issuer's, from copies of
//! what it published. Somebody else fetches them; nothing here knows a network or a clock.
//!
//! ```text
//! Authorization ─► presented ─► sealed: the keys of the resource │ JWT: the issuer's public keys
//!               ─► in time ─► not revoked ─► for us ─► scopes ─► Principal
//! ```

mod feed;
mod mac;
mod presented;
mod refused;
mod verdict;

pub use feed::{Reading, Unfit};
pub use presented::presented;
pub use refused::{INVALID_TOKEN, Missing, Refused, challenge};
pub use verdict::{Needed, in_time, told};

use serde_json::{Map, Value};

use crate::jose::{JoseError, KeySet, Verifier, parse_strict_object};
use crate::model::{ClientId, Moment, Scope, Shard, TokenId, UnixTime, Username};
use crate::token::{AccessToken, Generations, Kind, Opened, ResourceKeys, Revocations, access_jwt};

/// A resource, and whose tokens it takes.
#[derive(Clone)]
pub struct Validator {
    issuer: String,
    audience: String,
    resource_keys: Option<ResourceKeys>,
}

/// The keys are another issuer's, or for another resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OtherResource;

/// What is known of the issuer.
#[derive(Clone, Copy, Default)]
pub struct Known<'a> {
    /// A copy of its public keys: JWTs need them.
    pub keys: Option<&'a KeySet>,
    /// A copy of what it revoked, and how many milliseconds old that may be. Without one, a revoked
    /// token is accepted until it expires.
    pub revocations: Option<(&'a Revocations, u64)>,
}

/// Who stands behind a request, and what they may. Only [`Validator::validate`] and, of a
/// request whose nonce is spent, `Validator::signed` give one away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    id: TokenId,
    token: AccessToken,
}

impl Principal {
    /// The token's `jti`.
    #[must_use]
    pub fn id(&self) -> &TokenId {
        &self.id
    }

    /// All that the token says.
    #[must_use]
    pub fn token(&self) -> &AccessToken {
        &self.token
    }

    /// As the issuer's own verdict is printed; `None` cannot happen for what was read.
    #[must_use]
    pub fn to_json(&self) -> Option<String> {
        told(&self.token).ok()
    }
}

impl Validator {
    /// A resource that takes tokens of `issuer` for `audience`.
    #[must_use]
    pub fn new(issuer: &str, audience: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            resource_keys: None,
        }
    }

    /// The same, opening sealed tokens by itself.
    ///
    /// # Errors
    /// [`OtherResource`].
    pub fn with_resource_keys(self, keys: ResourceKeys) -> Result<Self, OtherResource> {
        if keys.issuer() != self.issuer || keys.resource() != self.audience {
            return Err(OtherResource);
        }
        Ok(Self {
            resource_keys: Some(keys),
            ..self
        })
    }

    /// The verdict on a request.
    ///
    /// # Errors
    /// Why it is refused.
    pub async fn validate(
        &self,
        authorization: Option<&str>,
        needed: &Needed,
        known: Known<'_>,
        verifier: &impl Verifier,
        now: Moment,
    ) -> Result<Principal, Refused> {
        let text = presented(authorization)?;
        let text = text.expose();
        let opened = if text.starts_with(Kind::Access.prefix()) {
            self.open(text)?
        } else if text.bytes().filter(|byte| *byte == b'.').count() == 2 {
            self.verify(text, known.keys, verifier, now).await?
        } else {
            return Err(Refused::TokenUnknown);
        };
        self.judge(opened, needed, known, now)
    }

    fn open(&self, text: &str) -> Result<Opened, Refused> {
        let Some(keys) = &self.resource_keys else {
            return Err(Refused::Missing(Missing::ResourceKeys));
        };
        keys.open(text).map_err(|_| {
            if keys.are_older_than(text) {
                Refused::Missing(Missing::NewerResourceKeys)
            } else {
                Refused::TokenUnknown
            }
        })
    }

    async fn verify(
        &self,
        compact: &str,
        keys: Option<&KeySet>,
        verifier: &impl Verifier,
        now: Moment,
    ) -> Result<Opened, Refused> {
        let keys = keys.ok_or(Refused::Missing(Missing::Keys))?;
        let policy = access_jwt::policy(&self.issuer, compact);
        match policy.verify(compact, keys, verifier, now.unix().0).await {
            Ok(claims) => {
                access_jwt::from_claims(&self.issuer, &claims).ok_or(Refused::TokenUnknown)
            }
            Err(JoseError::BackendUnavailable) => Err(Refused::Missing(Missing::Keys)),
            Err(JoseError::KeyUnknown) => Err(Refused::KeyUnknown),
            Err(_) => Err(Refused::TokenUnknown),
        }
    }

    fn judge(
        &self,
        opened: Opened,
        needed: &Needed,
        known: Known<'_>,
        now: Moment,
    ) -> Result<Principal, Refused> {
        in_time(&opened.token, now.unix())?;
        if let Some((copy, bound)) = known.revocations {
            if copy.age(now) > bound {
                return Err(Refused::Missing(Missing::Revocations));
            }
            if copy.ends_token(&opened.id, opened.epoch, &opened.token) {
                return Err(Refused::TokenRevoked);
            }
        }
        if opened.token.audience != self.audience {
            return Err(Refused::OtherAudience);
        }
        needed.of(&opened.token.scope)?;
        Ok(Principal {
            id: opened.id,
            token: opened.token,
        })
    }

    /// The verdict by an answer of the issuer's introspection (RFC 7662 §2.2), as JSON: what is active
    /// there may still be a refresh token, for somebody else, or allow too little.
    ///
    /// # Errors
    /// Why it is refused; [`Missing::ResourceKeys`] when it is no such answer.
    pub fn introspected(
        &self,
        answer: &[u8],
        needed: &Needed,
        now: Moment,
    ) -> Result<String, Refused> {
        let unfit = || Refused::Missing(Missing::ResourceKeys);
        let members = parse_strict_object(answer).map_err(|_| unfit())?;
        let token = self.active(&members, "Bearer")?;
        self.suits(&token, needed, now.unix())?;
        told(&token).map_err(|_| unfit())
    }

    /// The token of an answer that says that one of this type is active.
    fn active(
        &self,
        members: &Map<String, Value>,
        token_type: &str,
    ) -> Result<AccessToken, Refused> {
        let unfit = || Refused::Missing(Missing::ResourceKeys);
        match members.get("active") {
            Some(Value::Bool(true)) => {}
            Some(Value::Bool(false)) => return Err(Refused::TokenUnknown),
            _ => return Err(unfit()),
        }
        let text = |name| members.get(name).and_then(Value::as_str);
        let time = |name| members.get(name).and_then(Value::as_u64).map(UnixTime);
        // Refresh tokens have no type.
        let ours = text("iss").is_some_and(|told| access_jwt::tells(&self.issuer, told));
        if text("token_type") != Some(token_type) || !ours {
            return Err(Refused::TokenUnknown);
        }
        let token = || {
            Some(AccessToken {
                sub: text("sub")?.to_owned(),
                told_as: None,
                application: None,
                username: Username::parse(text("username")?).ok()?,
                client: ClientId::parse(text("client_id")?).ok()?,
                scope: Scope::parse(text("scope")?).ok()?,
                audience: text("aud")?.to_owned(),
                issued_at: time("iat")?,
                expires_at: time("exp")?,
                grant: None,
                session: None,
                shard: Shard(0),
                generations: Generations::default(),
                mapped: false,
            })
        };
        token().ok_or_else(unfit)
    }

    /// Whether a token that lives is for now, for us, and allows it.
    fn suits(&self, token: &AccessToken, needed: &Needed, now: UnixTime) -> Result<(), Refused> {
        in_time(token, now)?;
        if token.audience != self.audience {
            return Err(Refused::OtherAudience);
        }
        needed.of(&token.scope)
    }
}
