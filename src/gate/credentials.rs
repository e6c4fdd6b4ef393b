//! Where a credential is found: the session's cookie first, then `Authorization`.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::principal::{self, Principal};
use crate::config::Config;
use crate::error::Reason;
use crate::http::{Original, Request};
use crate::jose::{base64url, parse_strict_object};
use crate::model::{Secret, secret};
use crate::oauth::access_token::LiveToken;
use crate::oauth::{bearer, mac};
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::Kind;
use crate::token::mac::{Body, VerifiedMac, is_mac};

/// The longest token that is looked at.
const LONGEST: usize = 16 * 1024;
/// Characters behind its prefix from which on a text is taken for a token of ours, sealed or broken.
const SHORTEST: usize = 22;
/// Between the values of a header that was sent more than once, as Workers join them (RFC 9110 §5.3).
/// Neither a token nor base64 has a comma: where one stands in a value, for instance in `Digest`,
/// nothing of ours is taken apart.
pub(super) const JOIN: &str = ", ";

/// The values of a header, as [`JOIN`] has them. Looking for one byte takes a fraction of the time of looking for two,
/// and hardly any header has it.
pub(super) fn values(header: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(header);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut commas = text.match_indices(',');
        let joined = commas.find_map(|(at, _)| text.get(at..)?.strip_prefix(JOIN));
        rest = joined;
        let length = joined.map_or(text.len(), |joined| text.len() - joined.len() - JOIN.len());
        text.get(..length)
    })
}

/// What user agents send as `Basic`: with padding or, by hand, without.
const BASIC: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Who stands behind a request, as far as what costs nothing can tell.
pub enum Shown {
    /// Whoever it is.
    Proven(Principal),
    /// Whoever it is once the nonce is spent that the request was signed with.
    Signed(Box<Signed>),
}

/// A signed request.
pub struct Signed {
    principal: Principal,
    verified: VerifiedMac<LiveToken>,
}

impl Shown {
    /// Whom to refuse by, before anything is spent.
    #[must_use]
    pub fn unspent(&self) -> &Principal {
        match self {
            Self::Proven(principal) => principal,
            Self::Signed(signed) => &signed.principal,
        }
    }
}

impl Signed {
    /// Spends the nonce: who it is, and what the body has to hash to, where that was signed.
    ///
    /// # Errors
    /// As [`mac::spend`].
    pub async fn spend<P: Ports>(
        self,
        server: &Server<P>,
        at: &At,
    ) -> Result<(Principal, Option<String>), Reason> {
        let body = self.verified.body_to_check();
        mac::spend(server, self.verified, at).await?;
        Ok((self.principal, body))
    }
}

/// Who stands behind the request, which `original` describes.
///
/// # Errors
/// [`Reason::NoToken`] where nothing of ours was shown, [`Reason::MalformedCredential`] or
/// [`Reason::SeveralCredentials`] where that cannot be told, and why the token does not do.
pub async fn prove<P: Ports>(
    server: &Server<P>,
    request: &Request,
    original: &Original,
    cookies: bool,
    at: &At,
) -> Result<Shown, Reason> {
    if cookies
        && request.cookie.is_some()
        && let Some(principal) = principal::by_session(server, request, at).await?
    {
        return Ok(Shown::Proven(principal));
    }
    let authorization = request.authorization.as_deref().unwrap_or_default();
    if let Some(token) = bearer::alone(authorization, &server.keyring) {
        let principal = principal::by_token(server, token, at).await?;
        return Ok(Shown::Proven(principal));
    }
    match presented(authorization, &server.config.issuer) {
        Ok(token) => {
            let principal = principal::by_token(server, token.expose(), at).await?;
            Ok(Shown::Proven(principal))
        }
        Err(_) if is_mac(Some(authorization)) => signed(server, authorization, original, at).await,
        Err(reason) => Err(reason),
    }
}

/// A proxy has no body when it asks: who is behind it is told what the body has to be.
async fn signed<P: Ports>(
    server: &Server<P>,
    authorization: &str,
    original: &Original,
    at: &At,
) -> Result<Shown, Reason> {
    let asked = mac::Asked {
        method: original.method.as_deref().unwrap_or_default(),
        url: original.url.as_deref().unwrap_or_default(),
        body: Body::Elsewhere,
    };
    let verified = mac::verify(server, authorization, &asked, at).await?;
    let principal = principal::of_access_token(verified.unspent());
    Ok(Shown::Signed(Box::new(Signed {
        principal,
        verified,
    })))
}

/// The one token in the values of `Authorization`. Of several values those of ours count, and where
/// none is, the first.
///
/// # Errors
/// As [`prove`].
pub fn presented(authorization: &str, issuer: &str) -> Result<Secret, Reason> {
    let mut ours: Option<Secret> = None;
    for value in values(authorization) {
        let Ok(token) = presented_by(value, issuer) else {
            continue;
        };
        if !is_credential(token.expose(), issuer) {
            continue;
        }
        let other = |known: &Secret| {
            let (known, token) = (known.expose().as_bytes(), token.expose().as_bytes());
            !secret::equal(known, token)
        };
        if ours.as_ref().is_some_and(other) {
            return Err(Reason::SeveralCredentials);
        }
        ours = Some(token);
    }
    match ours {
        Some(token) => Ok(token),
        None => presented_by(values(authorization).next().unwrap_or_default(), issuer),
    }
}

fn presented_by(value: &str, issuer: &str) -> Result<Secret, Reason> {
    let mut words = value.split_ascii_whitespace();
    let Some(scheme) = words.next() else {
        return Err(Reason::NoToken);
    };
    let credential = words.next().filter(|_| words.next().is_none());
    let credential = credential.ok_or(Reason::MalformedCredential)?;
    if credential.len() > LONGEST {
        return Err(Reason::TokenUnknown);
    }
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Secret::new(credential));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(Reason::MalformedCredential);
    }
    let (user, password) = pair(credential).ok_or(Reason::MalformedCredential)?;
    let parts = [user, password].into_iter();
    let ours = parts.filter(|part| is_credential(part, issuer));
    let mut ours = ours.map(Secret::new);
    match (ours.next(), ours.next()) {
        (Some(one), Some(other))
            if !secret::equal(one.expose().as_bytes(), other.expose().as_bytes()) =>
        {
            Err(Reason::SeveralCredentials)
        }
        (Some(token), _) => Ok(token),
        (None, _) => Err(Reason::NoToken),
    }
}

/// User and password of `Basic`.
fn pair(credential: &str) -> Option<(String, String)> {
    let text = String::from_utf8(BASIC.decode(credential).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// Whether a text has the shape of a token of ours, alive or not.
#[must_use]
pub fn is_credential(text: &str, issuer: &str) -> bool {
    is_sealed(text) || is_jwt(text, issuer)
}

fn is_sealed(text: &str) -> bool {
    let kinds = [Kind::Access, Kind::Session, Kind::Token, Kind::Mac];
    let mut kinds = kinds.into_iter();
    kinds.any(|kind| {
        let rest = text.strip_prefix(kind.prefix());
        rest.is_some_and(|rest| {
            let first = rest.as_bytes().get(..SHORTEST);
            first.is_some_and(|first| first.iter().all(|byte| base64url::is_digit(*byte)))
        })
    })
}

/// An access token that says of itself that we issued it.
fn is_jwt(text: &str, issuer: &str) -> bool {
    // Every header is an object, and its base64url begins so.
    if !text.starts_with("eyJ") {
        return false;
    }
    let mut parts = text.split('.');
    let (_, payload) = (parts.next(), parts.next());
    let payload = payload.and_then(|payload| base64url::decode(payload).ok());
    let claims = payload.and_then(|payload| parse_strict_object(&payload).ok());
    claims.is_some_and(|claims| claims.get("iss").is_some_and(|iss| iss == issuer))
}

/// Whether a token of ours stands anywhere in a text.
#[must_use]
pub fn holds_credential(text: &str, issuer: &str) -> bool {
    let inside = text.match_indices("em").any(|(at, _)| {
        let (before, rest) = text.split_at(at);
        !before.ends_with(|letter: char| letter.is_ascii_alphanumeric()) && is_sealed(rest)
    });
    let other =
        |letter: char| !(letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.'));
    inside || text.split(other).any(|word| is_jwt(word, issuer))
}

/// Whether a value of `Authorization` holds a credential of ours: a token, wherever in it and in
/// either part of `Basic`, or the bootstrap token.
#[must_use]
pub fn is_of_ours(value: &str, config: &Config) -> bool {
    let bootstrap = |text: &str| {
        let known = config.bootstrap.as_ref();
        known.is_some_and(|known| known.matches(&Secret::new(text)))
    };
    holds_credential(value, &config.issuer)
        || value.split_ascii_whitespace().any(|word| {
            let parts = pair(word).into_iter();
            let mut parts = parts.flat_map(|(user, password)| [user, password]);
            let ours = |part: String| holds_credential(&part, &config.issuer) || bootstrap(&part);
            bootstrap(word) || parts.any(ours)
        })
}
