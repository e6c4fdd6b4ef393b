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
    /// In the order of [`members`].
    secrets: Vec<Vec<u8>>,
}

impl PrivateJwk {
    /// Reads a JWK for this algorithm. It may say nothing that contradicts signing with it, and has no
    /// member that such a key does not have; its `kid` is passed over, because ours are thumbprints.
    ///
    /// # Errors
    /// What it would have to be.
    pub fn read(algorithm: Algorithm, jwk: &Map<String, Value>) -> Result<Self, &'static str> {
        // What is no text is none that could be meant.
        let text = |name: &str| jwk.get(name).map(|text| text.as_str().unwrap_or_default());
        let (kty, crv) = (algorithm.kty(), algorithm.crv());
        if text("kty") != Some(kty) || text("crv") != crv {
            return Err("has to have the kty and crv of alg");
        }
        let (numbers, secrets) = members(algorithm);
        if !secrets.iter().all(|name| jwk.contains_key(*name)) {
            return Err("has to be a private key, with d, and for RSA p, q, dp, dq and qi");
        }
        // RFC 9864 calls Ed25519 keys by their curve.
        let own_name = |alg| alg == algorithm.name() || (kty == "OKP" && Some(alg) == crv);
        if !text("alg").is_none_or(own_name) {
            return Err("is for another alg");
        }
        let may_sign = |operations: &Value| {
            let operations = operations.as_array();
            operations.is_some_and(|operations| operations.iter().any(|name| name == "sign"))
        };
        if text("use").is_some_and(|purpose| purpose != "sig")
            || !jwk.get("key_ops").is_none_or(may_sign)
        {
            return Err("is not for signatures");
        }
        let belongs = |name: &String| {
            let mut known = BESIDES.iter().chain(numbers).chain(secrets);
            known.any(|known| known == name)
        };
        if !jwk.keys().all(belongs) {
            return Err("has a member that such a key does not have");
        }
        let mut public = jwk.clone();
        for name in BESIDES.iter().chain(secrets) {
            public.remove(*name);
        }
        public.insert("kty".to_owned(), Value::from(kty));
        if let Some(crv) = crv {
            public.insert("crv".to_owned(), Value::from(crv));
        }
        let public = PublicKey::from_members(&public)
            .map_err(|_| "has to have a sound public part, of RSA at least 2048 bits")?;
        if let KeyMaterial::Rsa { n, e } = public.material()
            && (n.len() > RSA_OCTETS_MAX || e.len() < RSA_EXPONENT_OCTETS_MIN)
        {
            return Err("has to be of 2048 to 4096 bits, with an exponent from 65537");
        }
        let mut private = Vec::new();
        for name in secrets {
            let octets = base64url::decode(text(name).unwrap_or_default()).unwrap_or_default();
            let fits = match crv {
                Some(_) => octets.len() == CURVE_OCTETS,
                None => (1..=RSA_OCTETS_MAX).contains(&octets.len()),
            };
            if !fits {
                return Err("has a private part that is no number of its size");
            }
            private.push(octets);
        }
        Ok(Self {
            public,
            secrets: private,
        })
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
        let (_, secrets) = members(self.public.algorithm());
        // Names from our table and base64url: nothing to escape.
        text.pop();
        for (name, octets) in secrets.iter().zip(&self.secrets) {
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

/// Names of the public and of the private numbers. RFC 7518 §6.3.2 lets an RSA key come without what
/// speeds it up; no backend takes it so.
fn members(algorithm: Algorithm) -> (&'static [&'static str], &'static [&'static str]) {
    match algorithm {
        Algorithm::EdDsa => (&["x"], &["d"]),
        Algorithm::Es256 => (&["x", "y"], &["d"]),
        Algorithm::Rs256 => (&["n", "e"], &["d", "p", "q", "dp", "dq", "qi"]),
    }
}

/// What a key may have beside its numbers (RFC 7517 §4; `ext` is WebCrypto's).
const BESIDES: &[&str] = &["kty", "crv", "alg", "use", "key_ops", "kid", "ext"];
/// A scalar of P-256, a seed of Ed25519.
const CURVE_OCTETS: usize = 32;
/// 4096 bits: what every backend signs with, and more costs every signature.
const RSA_OCTETS_MAX: usize = 512;
/// FIPS 186-5 §A.1.1: above 2^16. An odd number of three octets is.
const RSA_EXPONENT_OCTETS_MIN: usize = 3;
