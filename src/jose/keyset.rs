//! JWK Sets (RFC 7517 §5): parse, publish, select.

use serde_json::{Map, Value};

use super::{Algorithm, JoseError, PublicKey, UnverifiedJws, parse_strict_object};

/// The public keys of one issuer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySet {
    keys: Vec<PublicKey>,
}

impl KeySet {
    /// Reads a JWK Set.
    ///
    /// A key we cannot use (another type, another purpose, out of range) is skipped, as RFC 7517 §5
    /// asks. A document that publishes a private or symmetric key is refused whole: who wrote it
    /// cannot be trusted to have kept the others.
    pub fn parse(text: &[u8]) -> Result<Self, JoseError> {
        if text.len() > SIZE_LIMIT {
            return Err(JoseError::KeySetInvalid);
        }
        Self::from_members(&parse_strict_object(text)?)
    }

    /// Reads a JWK Set that was parsed by [`parse_strict_object`].
    pub fn from_members(document: &Map<String, Value>) -> Result<Self, JoseError> {
        let Some(Value::Array(entries)) = document.get("keys") else {
            return Err(JoseError::KeySetInvalid);
        };
        if entries.len() > KEYS_LIMIT {
            return Err(JoseError::KeySetInvalid);
        }
        let mut keys = Vec::new();
        for entry in entries {
            let Value::Object(jwk) = entry else {
                return Err(JoseError::KeySetInvalid);
            };
            match PublicKey::from_members(jwk) {
                Ok(key) => keys.push(key),
                Err(JoseError::KeyPrivate) => return Err(JoseError::KeyPrivate),
                Err(_) => {}
            }
        }
        Ok(Self { keys })
    }

    /// The document, as published at `jwks_uri`.
    pub fn to_members(&self) -> Map<String, Value> {
        let keys = self.keys.iter().map(|key| Value::Object(key.to_members()));
        Map::from_iter([("keys".to_owned(), Value::Array(keys.collect()))])
    }

    /// The keys, in the order of the document.
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// The key a token was signed with. Its `kid` is compared as an opaque text, together with its
    /// algorithm; without a `kid`, only the one key of that algorithm will do. Never a trial of
    /// several keys: which key checks a token must not depend on their order.
    pub fn select(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<&PublicKey, JoseError> {
        let mut fitting = self
            .keys
            .iter()
            .filter(|key| key.algorithm() == algorithm && (kid.is_none() || key.kid() == kid));
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key),
            (Some(_), Some(_)) => Err(JoseError::KeyAmbiguous),
            (None, _) => Err(self.absence(kid)),
        }
    }

    /// [`Self::select`] by the header of a token.
    pub fn select_for(&self, token: &UnverifiedJws) -> Result<&PublicKey, JoseError> {
        self.select(token.kid(), token.algorithm())
    }

    /// A known `kid` with another algorithm is told apart: reloading the set would not help.
    fn absence(&self, kid: Option<&str>) -> JoseError {
        if kid.is_some() && self.keys.iter().any(|key| key.kid() == kid) {
            JoseError::AlgorithmMismatch
        } else {
            JoseError::KeyUnknown
        }
    }
}

impl FromIterator<PublicKey> for KeySet {
    fn from_iter<I: IntoIterator<Item = PublicKey>>(keys: I) -> Self {
        Self {
            keys: keys.into_iter().collect(),
        }
    }
}

/// 64 KiB: a hundred RSA-4096 keys with certificates fit in none of the sets we know of.
const SIZE_LIMIT: usize = 64 * 1024;
/// 100 keys: large providers publish five to ten.
const KEYS_LIMIT: usize = 100;
