//! Private keys as JWK (RFC 7517, RFC 7518 §6, RFC 8037 §2), to be imported.

use core::fmt;

use serde_json::{Map, Value};

use super::jwk::KeyMaterial;
use super::{Algorithm, PublicKey, base64url};

/// A private key whose members are all there and of the right size. That its private and public parts
/// belong together is for the backend to prove.
#[derive(Clone, PartialEq, Eq)]
pub struct PrivateJwk {
    public: PublicKey,
    /// In the order of [`secrets`].
    secrets: Vec<Vec<u8>>,
}

impl PrivateJwk {
    /// Reads a JWK for this algorithm. It may say nothing that contradicts signing with it, and has no
    /// member that such a key does not have; its `kid` is passed over, because ours are thumbprints.
    ///
    /// # Errors
    /// What it would have to be.
    pub fn read(algorithm: Algorithm, jwk: &Map<String, Value>) -> Result<Self, &'static str> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let is_text = |name: &str| jwk.get(name).is_none_or(Value::is_string);
        let (kty, crv) = (Some(algorithm.kty()), algorithm.crv());
        if text("kty") != kty || !is_text("crv") || text("crv") != crv {
            return Err("has to have the kty and crv of alg");
        }
        let names = secrets(algorithm);
        if !names.iter().all(|name| jwk.contains_key(*name)) {
            return Err("has to be a private key, with d, and for RSA p, q, dp, dq and qi");
        }
        // RFC 9864 calls Ed25519 keys by their curve.
        let own_name = |alg| alg == algorithm.name() || (kty == Some("OKP") && Some(alg) == crv);
        if !is_text("alg") || !text("alg").is_none_or(own_name) {
            return Err("is for another alg");
        }
        let may_sign = match jwk.get("key_ops") {
            None => true,
            Some(Value::Array(operations)) => operations.iter().any(|name| name == "sign"),
            Some(_) => false,
        };
        if !may_sign || !is_text("use") || text("use").is_some_and(|purpose| purpose != "sig") {
            return Err("is not for signatures");
        }
        let mut public = Map::new();
        for (name, value) in jwk {
            match name.as_str() {
                "kty" | "crv" => _ = public.insert(name.clone(), value.clone()),
                "alg" | "use" | "key_ops" | "kid" | "ext" => {}
                name if numbers(algorithm).contains(&name) => {
                    public.insert(name.to_owned(), value.clone());
                }
                name if names.contains(&name) => {}
                _ => return Err("has a member that such a key does not have"),
            }
        }
        let public = PublicKey::from_members(&public)
            .map_err(|_| "has to have a sound public part, of RSA at least 2048 bits")?;
        if let KeyMaterial::Rsa { n, e } = public.material()
            && (n.len() > RSA_OCTETS_MAX || e.len() < RSA_EXPONENT_OCTETS_MIN)
        {
            return Err("has to be of 2048 to 4096 bits, with an exponent from 65537");
        }
        let read = |name: &&str| base64url::decode(text(name)?).ok();
        let secrets: Option<Vec<_>> = names.iter().map(read).collect();
        let fits = |octets: &Vec<u8>| match algorithm.crv() {
            Some(_) => octets.len() == CURVE_OCTETS,
            None => !octets.is_empty() && octets.len() <= RSA_OCTETS_MAX,
        };
        let secrets = secrets.filter(|secrets| secrets.iter().all(fits));
        let secrets = secrets.ok_or("has a private part that is no number of its size")?;
        Ok(Self { public, secrets })
    }

    /// Its public half, named by its thumbprint.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        let kid = self.public.thumbprint();
        self.public.clone().with_kid(kid)
    }

    /// Its private numbers: d alone, or of RSA d, p, q, dp, dq and qi.
    #[must_use]
    pub fn secrets(&self) -> &[Vec<u8>] {
        &self.secrets
    }

    /// The JWK as text with the members of RFC 7518 §6 and no others, to be handed to a backend. It is the
    /// secret itself.
    #[must_use]
    pub fn danger_expose(&self) -> String {
        let mut text = self.public.thumbprint_input();
        // Names from our table and base64url: nothing to escape.
        text.pop();
        for (name, octets) in secrets(self.public.algorithm()).iter().zip(&self.secrets) {
            for part in [",\"", name, "\":\"", &base64url::encode(octets), "\""] {
                text.push_str(part);
            }
        }
        text.push('}');
        text
    }
}

impl fmt::Debug for PrivateJwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateJwk(…)")
    }
}

fn numbers(algorithm: Algorithm) -> &'static [&'static str] {
    match algorithm {
        Algorithm::EdDsa => &["x"],
        Algorithm::Es256 => &["x", "y"],
        Algorithm::Rs256 => &["n", "e"],
    }
}

/// RFC 7518 §6.3.2 lets an RSA key come without what speeds it up; no backend takes it so.
fn secrets(algorithm: Algorithm) -> &'static [&'static str] {
    match algorithm {
        Algorithm::EdDsa | Algorithm::Es256 => &["d"],
        Algorithm::Rs256 => &["d", "p", "q", "dp", "dq", "qi"],
    }
}

/// A scalar of P-256, a seed of Ed25519.
const CURVE_OCTETS: usize = 32;
/// 4096 bits: what every backend signs with, and more costs every signature.
const RSA_OCTETS_MAX: usize = 512;
/// FIPS 186-5 §A.1.1: above 2^16. An odd number of three octets is.
const RSA_EXPONENT_OCTETS_MIN: usize = 3;
