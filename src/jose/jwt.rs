//! JWT claims (RFC 7519 §4.1) under a policy (RFC 8725 §3).

use serde::Serialize;
use serde_json::{Map, Value};

use super::jws::Family;
use super::{
    Algorithm, JoseError, KeySet, Signer, SigningKeyRef, UnverifiedJws, Verified, VerifiedJws,
    Verifier, jws, parse_strict_object,
};

/// What a token must say to be accepted.
///
/// Issuer, audience and expiry are required unless a method with a long name lifts one.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The one accepted `iss`, compared octet for octet (RFC 8725 §3.8).
    pub issuer: String,
    /// Whom `aud` must name.
    pub audience: Audience,
    /// The accepted `typ`.
    pub typ: ExpectedTyp,
    /// The accepted algorithms; every one in the table by default.
    pub algorithms: Vec<Algorithm>,
    /// Seconds by which clocks may differ: for `exp` at most this (up to 60), for `nbf` and `iat`
    /// at least 10 and at most 60 (FAPI 2.0 §5.3.2.1). 10 by default.
    pub leeway: u64,
    /// Seconds since `iat` after which a token is refused; then `iat` is required.
    pub max_age: Option<u64>,
    accepts_expired: bool,
}

/// Whom a token must be for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// `aud` must contain one of these, compared octet for octet.
    AnyOf(Vec<String>),
    /// `aud` is read but not compared; see [`Policy::danger_accept_any_audience`].
    Any,
}

/// The accepted `typ` header values. They are media types: case does not matter, and
/// `application/` may stand before them (RFC 7515 §4.1.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExpectedTyp {
    /// This one, present.
    Exactly(String),
    /// `JWT` or none: ID tokens and assertions of those who do not type their tokens. Refuses every
    /// explicitly typed token (RFC 8725 §3.12).
    Plain,
}

/// The claims of a token that passed its policy. Only [`Policy::check`] makes one.
#[derive(Clone, Debug)]
pub struct Claims {
    members: Map<String, Value>,
    audience: Vec<String>,
    expires_at: Option<u64>,
    not_before: Option<u64>,
    issued_at: Option<u64>,
}

impl Policy {
    /// Tokens of `issuer` for `audience`, of type `typ`.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>, typ: ExpectedTyp) -> Self {
        Self {
            issuer: issuer.into(),
            audience: Audience::AnyOf(vec![audience.into()]),
            typ,
            algorithms: Algorithm::ALL.to_vec(),
            leeway: LEEWAY_MIN,
            max_age: None,
            accepts_expired: false,
        }
    }

    /// Accepts tokens for anybody, for callers that compare `aud` themselves.
    pub fn danger_accept_any_audience(mut self) -> Self {
        self.audience = Audience::Any;
        self
    }

    /// Accepts tokens that have expired, for an `id_token_hint` (OpenID Connect RP-Initiated
    /// Logout §4), which identifies a session and grants nothing.
    pub fn danger_accept_expired(mut self) -> Self {
        self.accepts_expired = true;
        self
    }

    /// Verifies a compact token with the key of `keys` it names, and checks its claims: the whole
    /// line from text to [`Claims`]. `now` is in seconds since 1970.
    pub async fn verify(
        &self,
        compact: &str,
        keys: &KeySet,
        verifier: &impl Verifier,
        now: u64,
    ) -> Result<Claims, JoseError> {
        self.check(&self.authenticate(compact, keys, verifier).await?, now)
    }

    /// The first half of [`Self::verify`]: the signature, by the key of `keys` that the token names.
    pub async fn authenticate(
        &self,
        compact: &str,
        keys: &KeySet,
        verifier: &impl Verifier,
    ) -> Result<VerifiedJws, JoseError> {
        let token = UnverifiedJws::parse(compact)?;
        if !self.algorithms.contains(&token.algorithm()) {
            return Err(JoseError::AlgorithmUnsupported);
        }
        let key = keys.select_for(&token)?;
        token.verify(key, verifier).await
    }

    /// Checks the claims of a verified token. `now` is in seconds since 1970.
    pub fn check<A: Family>(&self, token: &Verified<A>, now: u64) -> Result<Claims, JoseError> {
        if !token.algorithm().is_accepted(&self.algorithms) {
            return Err(JoseError::AlgorithmUnsupported);
        }
        if !self.typ.admits(token.typ()) {
            return Err(JoseError::TypMismatch);
        }
        let claims = Claims::parse(token.payload())?;
        match claims.issuer() {
            None => return Err(JoseError::ClaimMissing),
            Some(issuer) if issuer != self.issuer => return Err(JoseError::IssuerMismatch),
            Some(_) => {}
        }
        if !self.audience.admits(&claims)? {
            return Err(JoseError::AudienceMismatch);
        }
        self.check_times(&claims, now)?;
        Ok(claims)
    }

    fn check_times(&self, claims: &Claims, now: u64) -> Result<(), JoseError> {
        let future = now.saturating_add(self.leeway.clamp(LEEWAY_MIN, LEEWAY_MAX));
        let leeway = self.leeway.min(LEEWAY_MAX);
        match claims.expires_at {
            _ if self.accepts_expired => {}
            None => return Err(JoseError::ClaimMissing),
            Some(exp) if now >= exp.saturating_add(leeway) => return Err(JoseError::Expired),
            Some(_) => {}
        }
        if claims.not_before.is_some_and(|nbf| nbf > future)
            || claims.issued_at.is_some_and(|iat| iat > future)
        {
            return Err(JoseError::NotYetValid);
        }
        let Some(max_age) = self.max_age else {
            return Ok(());
        };
        let issued_at = claims.issued_at.ok_or(JoseError::ClaimMissing)?;
        let oldest = issued_at.saturating_add(max_age).saturating_add(leeway);
        if now > oldest {
            return Err(JoseError::TooOld);
        }
        Ok(())
    }
}

/// Signs claims as a JWT of type `typ`.
pub async fn sign(
    key: &SigningKeyRef,
    typ: &str,
    claims: &impl Serialize,
    signer: &impl Signer,
) -> Result<String, JoseError> {
    let payload = serde_json::to_vec(claims).map_err(|_| JoseError::JsonInvalid)?;
    jws::sign(key, typ, &payload, signer).await
}

impl ExpectedTyp {
    /// This `typ`, present.
    pub fn exactly(typ: impl Into<String>) -> Self {
        Self::Exactly(typ.into())
    }

    fn admits(&self, typ: Option<&str>) -> bool {
        let same = |expected: &str, typ: &str| {
            let subtype = match typ.split_at_checked(APPLICATION.len()) {
                Some((prefix, rest)) if prefix.eq_ignore_ascii_case(APPLICATION) => rest,
                _ => typ,
            };
            subtype.eq_ignore_ascii_case(expected)
        };
        match (self, typ) {
            (Self::Exactly(expected), Some(typ)) => same(expected, typ),
            (Self::Exactly(_), None) => false,
            (Self::Plain, Some(typ)) => same("JWT", typ),
            (Self::Plain, None) => true,
        }
    }
}

impl Audience {
    fn admits(&self, claims: &Claims) -> Result<bool, JoseError> {
        match self {
            Self::Any => Ok(true),
            Self::AnyOf(_) if claims.claim("aud").is_none() => Err(JoseError::ClaimMissing),
            Self::AnyOf(names) => Ok(names.iter().any(|name| claims.audience.contains(name))),
        }
    }
}

impl Claims {
    fn parse(payload: &[u8]) -> Result<Self, JoseError> {
        let members = parse_strict_object(payload)?;
        let mut claims = Self {
            audience: match members.get("aud") {
                None => Vec::new(),
                Some(Value::String(name)) => vec![name.clone()],
                Some(Value::Array(names)) => names
                    .iter()
                    .map(|name| name.as_str().map(str::to_owned))
                    .collect::<Option<_>>()
                    .ok_or(JoseError::ClaimInvalid)?,
                Some(_) => return Err(JoseError::ClaimInvalid),
            },
            members,
            expires_at: None,
            not_before: None,
            issued_at: None,
        };
        for name in ["iss", "sub", "jti"] {
            claims.text(name)?;
        }
        claims.expires_at = claims.seconds("exp")?;
        claims.not_before = claims.seconds("nbf")?;
        claims.issued_at = claims.seconds("iat")?;
        Ok(claims)
    }

    /// `iss`.
    pub fn issuer(&self) -> Option<&str> {
        self.claim("iss")?.as_str()
    }

    /// `sub`.
    pub fn subject(&self) -> Option<&str> {
        self.claim("sub")?.as_str()
    }

    /// `jti`.
    pub fn id(&self) -> Option<&str> {
        self.claim("jti")?.as_str()
    }

    /// `aud`, as a list.
    pub fn audience(&self) -> &[String] {
        &self.audience
    }

    /// `exp`.
    pub fn expires_at(&self) -> Option<u64> {
        self.expires_at
    }

    /// `nbf`.
    pub fn not_before(&self) -> Option<u64> {
        self.not_before
    }

    /// `iat`.
    pub fn issued_at(&self) -> Option<u64> {
        self.issued_at
    }

    /// Any claim.
    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.members.get(name)
    }

    /// A claim that is a text, when it is there; another type is refused, never taken for absent.
    pub fn text(&self, name: &str) -> Result<Option<&str>, JoseError> {
        match self.claim(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(JoseError::ClaimInvalid),
        }
    }

    /// A claim that is a NumericDate (RFC 7519 §2), when it is there; fractions are cut off.
    pub fn seconds(&self, name: &str) -> Result<Option<u64>, JoseError> {
        let Some(value) = self.claim(name) else {
            return Ok(None);
        };
        let seconds = match (value.as_u64(), value.as_f64()) {
            (Some(whole), _) => Some(whole),
            (None, Some(number)) => whole_seconds(number),
            (None, None) => None,
        };
        match seconds {
            Some(seconds) if seconds <= SECONDS_MAX => Ok(Some(seconds)),
            _ => Err(JoseError::ClaimInvalid),
        }
    }

    /// All claims.
    pub fn members(&self) -> &Map<String, Value> {
        &self.members
    }
}

#[expect(
    clippy::as_conversions,
    reason = "the cast cuts off the fraction and saturates; negative numbers are refused before it"
)]
fn whole_seconds(number: f64) -> Option<u64> {
    (number >= 0.0).then_some(number as u64)
}

/// 2^53 − 1, the last second that JavaScript counts exactly.
const SECONDS_MAX: u64 = (1 << 53) - 1;
/// FAPI 2.0 §5.3.2.1: tokens dated up to 10 s ahead must be accepted …
pub(super) const LEEWAY_MIN: u64 = 10;
/// … and those more than 60 s ahead refused.
const LEEWAY_MAX: u64 = 60;
const APPLICATION: &str = "application/";
