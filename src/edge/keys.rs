//! Signing keys: read from the directory or from KV, made by WebCrypto, wrapped by us.

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::bindings::Bindings;
use super::seal_at_rest;
use crate::jose::{
    Algorithm, JoseError, PrivateJwk, PublicKey, Signer as _, SigningKeyRef, Verifier, base64url,
};
use crate::ports::directory::{AddKeys, KeySet, ReadKeys, StoredKey};
use crate::ports::{At, Directory as _, Feed as _, Keys, Unavailable};
use crate::token::seal::sealed_as_json;
use crate::token::{Kind, Sealable, Snapshot};
use crate::web::{WebSigner, WebVerifier, generate, import, prove};

/// The private part of a signing key.
#[derive(Serialize, Deserialize)]
struct PrivateKey {
    pkcs8: String,
}

impl Sealable for PrivateKey {
    const KIND: Kind = Kind::SigningKey;
    sealed_as_json!();
}

impl Keys for Bindings {
    async fn keys(&self, at: &At) -> Result<Rc<KeySet>, Unavailable> {
        let newest = self.revocations(at).await?.keys_version();
        if let Some(kept) = self
            .keys
            .get(&(), at.now)
            .filter(|kept| kept.version >= newest)
        {
            return Ok(kept);
        }
        let mut read = self.directory(at, ReadKeys {}).await?;
        let lacks = |algorithm| !read.keys.iter().any(|key| key.algorithm == algorithm);
        let missing: Vec<Algorithm> = Algorithm::ALL
            .into_iter()
            .filter(|algorithm| lacks(*algorithm))
            .collect();
        if !missing.is_empty() {
            let mut keys = Vec::new();
            for algorithm in missing {
                let made = self.generate(algorithm).await;
                keys.push(made.map_err(|_| Unavailable("WebCrypto made no key"))?);
            }
            // Isolates may race; the directory keeps the first of each algorithm and tells all.
            read = self
                .directory(
                    at,
                    AddKeys {
                        keys,
                        rotate: false,
                        at_once: false,
                        actor: None,
                    },
                )
                .await?;
        }
        let read = Rc::new(read);
        self.keys.keep((), &read, at.now);
        Ok(read)
    }

    async fn public_keys(&self, at: &At) -> Result<Rc<KeySet>, Unavailable> {
        // Public keys are told even while the feed is away: an old set is better than none.
        let newest = self
            .revocations(at)
            .await
            .map(|feed| feed.keys_version())
            .unwrap_or_default();
        let kept = self
            .keys
            .get(&(), at.now)
            .or_else(|| self.public.get(&(), at.now));
        if let Some(kept) = kept.filter(|kept| kept.version >= newest && !kept.keys.is_empty()) {
            return Ok(kept);
        }
        let published: Option<KeySet> = self.read_kv(Snapshot::PUBLIC_KEYS).await;
        let current = published.filter(|keys| keys.version >= newest && !keys.keys.is_empty());
        if let Some(keys) = current.map(Rc::new) {
            self.public.keep((), &keys, at.now);
            return Ok(keys);
        }
        self.keys(at).await
    }

    async fn generate(&self, algorithm: Algorithm) -> Result<StoredKey, JoseError> {
        let (pkcs8, public) = generate(algorithm).await?;
        let kid = public.thumbprint();
        self.wrap(pkcs8, &public.with_kid(kid))
    }

    async fn import(&self, jwk: &PrivateJwk) -> Result<StoredKey, JoseError> {
        self.wrap(import(jwk).await?, &jwk.public())
    }

    fn danger_reveal(&self, key: &StoredKey) -> Result<String, JoseError> {
        let private = self.keyring.unseal::<PrivateKey>(&key.wrapped);
        let private = private.map_err(|_| JoseError::KeyUnknown)?;
        Ok(private.into_value().pkcs8)
    }

    async fn rewrap(&self, public: &PublicKey, private: &str) -> Result<StoredKey, JoseError> {
        let pkcs8 = base64url::decode(private)?;
        prove(public, &pkcs8).await?;
        self.wrap(pkcs8, public)
    }

    async fn sign_with(&self, key: &StoredKey, message: &[u8]) -> Result<Vec<u8>, JoseError> {
        let name = SigningKeyRef {
            kid: key.kid.clone(),
            algorithm: key.algorithm,
        };
        if !WebSigner.holds(&name) {
            let private = base64url::decode(self.danger_reveal(key)?)?;
            WebSigner.import(name.clone(), &private).await?;
        }
        WebSigner.sign(&name, message).await
    }
}

impl Bindings {
    fn wrap(&self, pkcs8: Vec<u8>, public: &PublicKey) -> Result<StoredKey, JoseError> {
        let private = PrivateKey {
            pkcs8: base64url::encode(pkcs8),
        };
        let wrapped = seal_at_rest(&self.keyring, &private).ok_or(JoseError::BackendUnavailable)?;
        Ok(StoredKey::new(public, wrapped))
    }
}

impl Verifier for Bindings {
    async fn verify(
        &self,
        key: &PublicKey,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), JoseError> {
        WebVerifier.verify(key, message, signature).await
    }
}
