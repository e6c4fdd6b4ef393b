//! Requests that are signed with a MAC (draft-ietf-oauth-v2-http-mac-00 and -01): what stands in
//! `Authorization`, the text that is signed, and what has to hold before it counts.
//!
//! ```text
//! 00: nonce ⏎ METHOD ⏎ URI ⏎ host ⏎ port ⏎ [body hash] ⏎ [ext] ⏎     nonce = AGE:RANDOM
//! 01: ts ⏎ nonce ⏎ METHOD ⏎ URI ⏎ host ⏎ port ⏎ [ext] ⏎
//! ```
//! No text of one draft is one of the other: an age has a colon behind it, and a time has none.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::{digest, hmac};

use crate::model::{Seconds, Secret, TokenId, UnixTime, secret};

/// The longest header that is looked at: a token at its longest, and what stands beside it.
const LONGEST: usize = 20 * 1024;
/// The longest nonce: twice what a random one needs.
const LONGEST_NONCE: usize = 128;
/// The longest `ext`, which informs nobody here.
const LONGEST_EXT: usize = 1024;
/// By how much a deployment may let the time of a signed request differ: what other clocks are given at the very most.
pub const LONGEST_WINDOW: Seconds = Seconds(300);
/// Digits of a time: until the year 33658.
const LONGEST_TIME: usize = 12;
/// Bytes of the longest code or hash in base64.
const LONGEST_CODE: usize = 44;

/// `mac_algorithm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MacAlgorithm {
    /// HMAC-SHA-256.
    HmacSha256,
    /// HMAC-SHA-1: for clients that know no other, by a name of its own.
    HmacSha1,
}

impl MacAlgorithm {
    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HmacSha256 => "hmac-sha-256",
            Self::HmacSha1 => "hmac-sha-1",
        }
    }

    /// The name of its hash in `X-Auth-Request-Body-Hash`.
    #[must_use]
    pub fn hash_name(self) -> &'static str {
        match self {
            Self::HmacSha256 => "sha-256",
            Self::HmacSha1 => "sha-1",
        }
    }

    /// Reads the name on the wire.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let all = [Self::HmacSha256, Self::HmacSha1];
        all.into_iter().find(|algorithm| algorithm.as_str() == text)
    }

    /// `bodyhash` of a body.
    #[must_use]
    pub fn hash(self, body: &[u8]) -> String {
        let algorithm = match self {
            Self::HmacSha256 => &digest::SHA256,
            Self::HmacSha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        };
        BASE64.encode(digest::digest(algorithm, body))
    }

    fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::HmacSha256 => hmac::HMAC_SHA256,
            Self::HmacSha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        }
    }
}

/// What a client signs with: the text of the key is the key, as the drafts' examples have it.
#[derive(Debug, Clone)]
pub struct MacKey {
    /// `mac_key`.
    pub key: Secret,
    /// `mac_algorithm`.
    pub algorithm: MacAlgorithm,
}

/// The request, as it has to have been signed. Host and port are not what the request says of itself.
#[derive(Debug, Clone, Copy)]
pub struct SignedRequest<'a> {
    /// In any case; what is signed is in upper case.
    pub method: &'a str,
    /// Path and query, byte for byte.
    pub uri: &'a str,
    /// In any case; what is signed is in lower case.
    pub host: &'a str,
    /// With it, whatever the scheme.
    pub port: u16,
    /// What came with it.
    pub body: Body<'a>,
}

/// What is known of a request's body where its MAC is looked at.
#[derive(Debug, Clone, Copy)]
pub enum Body<'a> {
    /// Its hash, as [`MacAlgorithm::hash`] has it.
    Hash(&'a str),
    /// Nothing, and nobody here will see it: whoever asks is told which hash it has to have.
    Elsewhere,
    /// Nothing; then a request that signs its body is refused.
    Unknown,
}

/// Why a signed request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MacRefused {
    /// Not what either draft says.
    Malformed,
    /// The code is not that of this request under this key.
    Mismatch,
    /// Too old, or ahead of every clock.
    OutOfTime,
    /// The body is another one.
    OtherBody,
    /// It signs its body, which nobody handed over.
    BodyUnknown,
    /// Its nonce was used before.
    Replayed,
}

/// When a request was made, in the words of its draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made<'a> {
    /// Seconds since the credentials were issued; draft 00 has it in the nonce.
    Age(u64),
    /// Draft 01.
    At(&'a str, u64),
}

/// `Authorization: MAC …`, read and not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MacHeader<'a> {
    /// The MAC key identifier: the access token.
    pub id: &'a str,
    made: Made<'a>,
    nonce: &'a str,
    bodyhash: &'a str,
    ext: &'a str,
    mac: &'a str,
}

/// Whether an `Authorization` is one of these.
#[must_use]
pub fn is_mac(authorization: Option<&str>) -> bool {
    let scheme = authorization.and_then(|header| header.get(..4));
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("mac "))
}

impl<'a> MacHeader<'a> {
    /// Reads the header of either draft: every attribute once, none that it does not have.
    #[must_use]
    pub fn parse(header: &'a str) -> Option<Self> {
        if header.len() > LONGEST || !is_mac(Some(header)) {
            return None;
        }
        let mut found: [Option<&str>; NAMES.len()] = [None; NAMES.len()];
        let mut rest = trimmed(header.get(4..)?);
        loop {
            let (name, quoted) = rest.split_once('=')?;
            let (value, behind) = quoted.strip_prefix('"')?.split_once('"')?;
            let place = NAMES.iter().position(|known| *known == name)?;
            let slot = found.get_mut(place)?;
            let fits = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'\\';
            if slot.is_some() || value.is_empty() || !value.bytes().all(fits) {
                return None;
            }
            *slot = Some(value);
            match trimmed(behind) {
                "" => break,
                more => rest = trimmed(more.strip_prefix(',')?),
            }
        }
        let [id, ts, nonce, bodyhash, ext, mac] = found;
        let made = match (ts, bodyhash) {
            (Some(ts), None) => Made::At(ts, whole(ts)?),
            (None, _) => {
                let (age, random) = nonce?.split_once(':')?;
                let age = whole(age).filter(|_| !random.is_empty())?;
                Made::Age(age)
            }
            (Some(_), Some(_)) => return None,
        };
        let read = Self {
            id: id?,
            made,
            nonce: nonce?,
            bodyhash: bodyhash.unwrap_or_default(),
            ext: ext.unwrap_or_default(),
            mac: mac?,
        };
        let short = read.nonce.len() <= LONGEST_NONCE
            && read.ext.len() <= LONGEST_EXT
            && [read.bodyhash, read.mac]
                .iter()
                .all(|code| code.len() <= LONGEST_CODE);
        short.then_some(read)
    }

    /// The text that is signed.
    fn text(&self, request: &SignedRequest<'_>) -> String {
        let method = request.method.to_ascii_uppercase();
        let host = request.host.to_ascii_lowercase();
        let port = request.port.to_string();
        let (nonce, uri) = (self.nonce, request.uri);
        let lines = match self.made {
            Made::Age(_) => [nonce, &method, uri, &host, &port, self.bodyhash, self.ext],
            Made::At(ts, _) => [ts, nonce, &method, uri, &host, &port, self.ext],
        };
        let mut text = String::new();
        for line in lines {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    /// Whether the request was signed so with the key of `held`, which was issued then and under this id,
    /// less than `window` from now. What is held is handed out when the nonce is spent.
    ///
    /// # Errors
    /// [`MacRefused`], but for [`MacRefused::Malformed`] and [`MacRefused::Replayed`].
    pub fn verify<T>(
        &self,
        request: &SignedRequest<'_>,
        key: &MacKey,
        issued: (&TokenId, UnixTime),
        (now, window): (UnixTime, Seconds),
        held: T,
    ) -> Result<VerifiedMac<T>, MacRefused> {
        let breaks = [request.method, request.uri, request.host];
        if breaks
            .iter()
            .any(|part| part.bytes().any(|byte| byte <= b' '))
        {
            return Err(MacRefused::Mismatch);
        }
        let hmac_key = hmac::Key::new(key.algorithm.hmac(), key.key.expose().as_bytes());
        let code = BASE64.encode(hmac::sign(&hmac_key, self.text(request).as_bytes()));
        if !secret::equal(code.as_bytes(), self.mac.as_bytes()) {
            return Err(MacRefused::Mismatch);
        }
        let (id, issued_at) = issued;
        let made = match self.made {
            Made::Age(age) => issued_at.0.saturating_add(age),
            Made::At(_, time) => time,
        };
        if made.abs_diff(now.0) > window.0 {
            return Err(MacRefused::OutOfTime);
        }
        let body_hash = Some(self.bodyhash).filter(|hash| !hash.is_empty());
        if let Some(signed) = body_hash {
            match request.body {
                Body::Hash(hash) if secret::equal(hash.as_bytes(), signed.as_bytes()) => {}
                Body::Hash(_) => return Err(MacRefused::OtherBody),
                Body::Elsewhere => {}
                Body::Unknown => return Err(MacRefused::BodyUnknown),
            }
        }
        let elsewhere = body_hash.filter(|_| matches!(request.body, Body::Elsewhere));
        // Draft 01 has the time beside the nonce; neither has a space in the other's place.
        let time = match self.made {
            Made::Age(_) => "",
            Made::At(ts, _) => ts,
        };
        let digest = Secret::new(format!("{time} {}", self.nonce)).digest();
        Ok(VerifiedMac {
            held,
            nonce: MacNonce {
                key: id.clone(),
                name: digest.as_str().to_owned(),
                expires_at: UnixTime(made) + LONGEST_WINDOW + Seconds(1),
            },
            body_to_check: elsewhere.map(|hash| (key.algorithm, hash.to_owned())),
        })
    }
}

/// A nonce that has to be spent: once per key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MacNonce {
    /// Of which key: the token's `jti`.
    pub key: TokenId,
    /// What it is called by, whatever it is: 43 characters.
    pub name: String,
    /// From when on the request is refused for its age, whatever the window is set to meanwhile.
    pub expires_at: UnixTime,
}

/// A request whose MAC holds. What it was signed with stays inside until its nonce is spent.
#[derive(Debug)]
pub struct VerifiedMac<T> {
    held: T,
    nonce: MacNonce,
    body_to_check: Option<(MacAlgorithm, String)>,
}

impl<T> VerifiedMac<T> {
    /// What has to be spent.
    #[must_use]
    pub fn nonce(&self) -> &MacNonce {
        &self.nonce
    }

    /// What the body has to hash to, where it is looked at elsewhere: the name of the hash, `=`, and the
    /// hash in base64.
    #[must_use]
    pub fn body_to_check(&self) -> Option<String> {
        let (algorithm, hash) = self.body_to_check.as_ref()?;
        Some(format!("{}={hash}", algorithm.hash_name()))
    }

    /// What it was signed with, to refuse by before anything is spent; never to grant by.
    #[must_use]
    pub fn unspent(&self) -> &T {
        &self.held
    }

    /// What it was signed with, once it is known whether the nonce was spent by this request.
    ///
    /// # Errors
    /// [`MacRefused::Replayed`].
    pub fn spent(self, first: bool) -> Result<T, MacRefused> {
        if first {
            Ok(self.held)
        } else {
            Err(MacRefused::Replayed)
        }
    }
}

/// The value of `WWW-Authenticate`: why, in words, and the scope that would be needed. Neither has a quote.
#[must_use]
pub fn challenge(error: Option<&str>, scope: Option<&str>) -> String {
    let mut challenge = "MAC".to_owned();
    for (before, value) in [(" error=\"", error), (", scope=\"", scope)] {
        if let Some(value) = value {
            challenge = challenge + before + value + "\"";
        }
    }
    challenge
}

/// The attributes of both drafts.
const NAMES: [&str; 6] = ["id", "ts", "nonce", "bodyhash", "ext", "mac"];

fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// A number without leading zeros. An age of 0 is what a client has that asks within its first second.
fn whole(text: &str) -> Option<u64> {
    let plain = text == "0" || !text.starts_with('0');
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    (plain && digits && text.len() <= LONGEST_TIME)
        .then(|| text.parse().ok())
        .flatten()
}
