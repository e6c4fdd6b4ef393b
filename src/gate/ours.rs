//! Which texts hold a credential of ours: none of those goes on to a service.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::config::Config;
use crate::jose::{base64url, parse_strict_object};
use crate::model::Secret;
use crate::token::Kind;

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

/// User and password of `Basic`.
pub(super) fn pair(credential: &str) -> Option<(String, String)> {
    let text = String::from_utf8(BASIC.decode(credential).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// Whether a text has the shape of a token of ours, alive or not.
#[must_use]
pub(super) fn is_credential(text: &str, issuer: &str) -> bool {
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
pub(super) fn holds_credential(text: &str, issuer: &str) -> bool {
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
pub(super) fn is_of_ours(value: &str, config: &Config) -> bool {
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
