//! Public keys as JWK (RFC 7517, RFC 7518 §6, RFC 8037 §2).

use serde_json::{Map, Value};

use super::curve::{self, Octets};
use super::{Algorithm, JoseError, base64url, parse_strict_object};

/// A public key that passed every check there is on it. Only this module makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    kid: Option<String>,
    algorithm: Algorithm,
    material: KeyMaterial,
}

/// The numbers of a public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyMaterial {
    /// The encoded point (RFC 8032 §5.1.2).
    Ed25519([u8; 32]),
    /// The affine coordinates.
    P256 {
        /// x, big-endian.
        x: [u8; 32],
        /// y, big-endian.
        y: [u8; 32],
    },
    /// Modulus and exponent, big-endian without leading zeros.
    Rsa {
        /// The modulus.
        n: Vec<u8>,
        /// The public exponent.
        e: Vec<u8>,
    },
}

impl PublicKey {
    /// Checks the numbers: an RSA modulus of 2048 to 8192 bits and an odd exponent above one, a
    /// point on P-256, a canonical Ed25519 key that is not of small order.
    pub fn new(kid: Option<String>, material: KeyMaterial) -> Result<Self, JoseError> {
        let algorithm = match &material {
            KeyMaterial::Ed25519(key) => {
                if !curve::is_sound_ed25519(key) {
                    return Err(JoseError::KeyInvalid);
                }
                Algorithm::EdDsa
            }
            KeyMaterial::P256 { x, y } => {
                if !curve::is_on_p256(x, y) {
                    return Err(JoseError::KeyInvalid);
                }
                Algorithm::Es256
            }
            KeyMaterial::Rsa { n, e } => {
                check_rsa(n, e)?;
                Algorithm::Rs256
            }
        };
        Ok(Self {
            kid,
            algorithm,
            material,
        })
    }

    /// Reads a JWK from its text.
    pub fn parse(text: &[u8]) -> Result<Self, JoseError> {
        Self::from_members(&parse_strict_object(text)?)
    }

    /// Reads a JWK that was parsed by [`parse_strict_object`]. Refuses what is private, what is not
    /// for signatures, and what contradicts itself; ignores unknown members (RFC 7517 §4).
    pub fn from_members(jwk: &Map<String, Value>) -> Result<Self, JoseError> {
        if PRIVATE_MEMBERS.iter().any(|name| jwk.contains_key(*name)) {
            return Err(JoseError::KeyPrivate);
        }
        if !is_for_signatures(jwk)? {
            return Err(JoseError::KeyNotForSignatures);
        }
        let kid = text(jwk, "kid")?.map(str::to_owned);
        let kty = text(jwk, "kty")?.ok_or(JoseError::KeyInvalid)?;
        let crv = text(jwk, "crv")?;
        let algorithm = Algorithm::ALL
            .into_iter()
            .find(|row| row.kty() == kty && row.crv().is_none_or(|curve| crv == Some(curve)))
            .ok_or(JoseError::KeyUnsupported)?;
        if text(jwk, "alg")?.is_some_and(|alg| alg != algorithm.name()) {
            return Err(JoseError::KeyUnsupported);
        }
        let material = match algorithm {
            Algorithm::EdDsa => KeyMaterial::Ed25519(octets(jwk, "x")?),
            Algorithm::Es256 => KeyMaterial::P256 {
                x: octets(jwk, "x")?,
                y: octets(jwk, "y")?,
            },
            Algorithm::Rs256 => KeyMaterial::Rsa {
                n: bytes(jwk, "n")?,
                e: bytes(jwk, "e")?,
            },
        };
        Self::new(kid, material)
    }

    /// The JWK, as published: `kty`, the numbers, `use`, `alg` and `kid`.
    pub fn to_members(&self) -> Map<String, Value> {
        let mut jwk = Map::new();
        let mut put = |name: &str, text: &str| jwk.insert(name.into(), text.into());
        for (name, text) in self.required_members() {
            put(name, &text);
        }
        put("alg", self.algorithm.name());
        put("use", "sig");
        if let Some(kid) = &self.kid {
            put("kid", kid);
        }
        jwk
    }

    /// The text whose SHA-256 is the thumbprint: the required members in the order of their names,
    /// without whitespace (RFC 7638 §3.2). Itself a valid JWK, and equal for equal keys only.
    pub fn thumbprint_input(&self) -> String {
        let mut text = String::new();
        for (name, value) in self.required_members() {
            text.push(if text.is_empty() { '{' } else { ',' });
            // Names from our table and base64url: nothing to escape.
            for part in ["\"", name, "\":\"", &value, "\""] {
                text.push_str(part);
            }
        }
        text.push('}');
        text
    }

    /// The same key under another name.
    pub fn with_kid(self, kid: impl Into<String>) -> Self {
        Self {
            kid: Some(kid.into()),
            ..self
        }
    }

    /// Its name, if it has one.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The one algorithm it is for.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Its numbers.
    pub fn material(&self) -> &KeyMaterial {
        &self.material
    }

    /// Whether a signature could be one of this key's at all: its length, and r and s in range
    /// (FIPS 186-5 §6.4.2). Backends differ here; this does not.
    pub(super) fn admits(&self, signature: &[u8]) -> bool {
        match &self.material {
            KeyMaterial::Ed25519(_) => Some(signature.len()) == self.algorithm.signature_length(),
            KeyMaterial::P256 { .. } => {
                Some(signature.len()) == self.algorithm.signature_length()
                    && signature.chunks(32).all(curve::is_p256_scalar)
            }
            KeyMaterial::Rsa { n, .. } => signature.len() == n.len(),
        }
    }

    /// In the order of their names.
    fn required_members(&self) -> Vec<(&'static str, String)> {
        let kty = ("kty", self.algorithm.kty().to_owned());
        let crv = || ("crv", self.algorithm.crv().unwrap_or_default().to_owned());
        let number = |name, bytes: &[u8]| (name, base64url::encode(bytes));
        match &self.material {
            KeyMaterial::Ed25519(key) => vec![crv(), kty, number("x", key)],
            KeyMaterial::P256 { x, y } => vec![crv(), kty, number("x", x), number("y", y)],
            KeyMaterial::Rsa { n, e } => vec![number("e", e), kty, number("n", n)],
        }
    }
}

/// Whether `use` and `key_ops` allow verifying; absent members allow it (RFC 7517 §4.2, §4.3).
fn is_for_signatures(jwk: &Map<String, Value>) -> Result<bool, JoseError> {
    if text(jwk, "use")?.is_some_and(|purpose| purpose != "sig") {
        return Ok(false);
    }
    match jwk.get("key_ops") {
        None => Ok(true),
        Some(Value::Array(operations)) => Ok(operations.iter().any(|name| name == "verify")),
        Some(_) => Err(JoseError::KeyInvalid),
    }
}

fn check_rsa(n: &[u8], e: &[u8]) -> Result<(), JoseError> {
    let (Some(n_high), Some(n_low)) = (n.first(), n.last()) else {
        return Err(JoseError::KeyInvalid);
    };
    let (Some(e_high), Some(e_low)) = (e.first(), e.last()) else {
        return Err(JoseError::KeyInvalid);
    };
    // RFC 7518 §2: the fewest octets that hold the number.
    if *n_high == 0 || *e_high == 0 || n_low & 1 == 0 {
        return Err(JoseError::KeyInvalid);
    }
    let octets = u32::try_from(n.len()).map_err(|_| JoseError::KeyInvalid)?;
    let bits = octets.saturating_mul(8) - n_high.leading_zeros();
    if bits < RSA_BITS_MIN || e_low & 1 == 0 || e == [1] {
        return Err(JoseError::KeyWeak);
    }
    if bits > RSA_BITS_MAX || e.len() > RSA_EXPONENT_OCTETS_MAX {
        return Err(JoseError::KeyInvalid);
    }
    Ok(())
}

/// An optional text member; another type is a malformed key, never an absent member.
fn text<'a>(jwk: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, JoseError> {
    match jwk.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(JoseError::KeyInvalid),
    }
}

fn bytes(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, JoseError> {
    let text = text(jwk, name)?.ok_or(JoseError::KeyInvalid)?;
    base64url::decode(text).map_err(|_| JoseError::KeyInvalid)
}

fn octets(jwk: &Map<String, Value>, name: &str) -> Result<Octets, JoseError> {
    Octets::try_from(bytes(jwk, name)?).map_err(|_| JoseError::KeyInvalid)
}

/// The secret members of RFC 7518 §6.2.2, §6.3.2 and §6.4.
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
/// RFC 7518 §3.3.
const RSA_BITS_MIN: u32 = 2048;
/// The most that every backend verifies.
const RSA_BITS_MAX: u32 = 8192;
/// Every backend reads exponents of 32 bits; larger ones cost a signature check per bit.
const RSA_EXPONENT_OCTETS_MAX: usize = 4;
