//! Signing keys, in memory: ring signs.

use std::rc::Rc;

use super::Memory;
use crate::jose::{
    Algorithm, JoseError, PrivateJwk, PublicKey, RingVerifier, Signer as _, SigningKeyRef,
    Verifier, base64url, generate_pkcs8,
};
use crate::ports::directory::{AddKeys, KeySet, ReadKeys, StoredKey};
use crate::ports::{At, Directory as _, Feed as _, Keys, Unavailable};

impl Memory {
    fn hold(&self, algorithm: Algorithm, pkcs8: &[u8]) -> Result<StoredKey, JoseError> {
        let mut signer = self.signer.borrow_mut();
        let kid = signer.insert("new", algorithm, pkcs8)?.thumbprint();
        let public = signer.insert(&kid, algorithm, pkcs8)?;
        self.private.borrow_mut().insert(kid, pkcs8.to_vec());
        Ok(StoredKey::new(&public, "in memory".to_owned()))
    }
}

impl Keys for Memory {
    async fn keys(&self, at: &At) -> Result<Rc<KeySet>, Unavailable> {
        let known = self.signing.borrow().clone();
        let newest = self.copy.borrow().keys_version();
        if let Some(known) = known.filter(|known| known.version >= newest) {
            return Ok(known);
        }
        let read = self.directory(at, ReadKeys {}).await?;
        let lacks = |algorithm| !read.keys.iter().any(|key| key.algorithm == algorithm);
        let mut made = Vec::new();
        for algorithm in Algorithm::ALL.into_iter().filter(|row| lacks(*row)) {
            if let Ok(key) = self.generate(algorithm).await {
                made.push(key);
            }
        }
        if made.is_empty() {
            let read = Rc::new(read);
            *self.signing.borrow_mut() = Some(Rc::clone(&read));
            return Ok(read);
        }
        let add = AddKeys {
            keys: made,
            rotate: false,
            at_once: false,
            actor: None,
        };
        let added = Rc::new(self.directory(at, add).await?);
        *self.signing.borrow_mut() = Some(Rc::clone(&added));
        Ok(added)
    }

    async fn public_keys(&self, at: &At) -> Result<Rc<KeySet>, Unavailable> {
        // Public keys are told even while the feed is away: an old set is better than none.
        let _ = self.revocations(at).await;
        self.keys(at).await
    }

    async fn generate(&self, algorithm: Algorithm) -> Result<StoredKey, JoseError> {
        let position = self
            .prepared
            .borrow()
            .iter()
            .position(|(known, _)| *known == algorithm);
        let pkcs8 = match position {
            Some(position) => self.prepared.borrow_mut().remove(position).1,
            None => generate_pkcs8(algorithm)?,
        };
        self.hold(algorithm, &pkcs8)
    }

    async fn import(&self, jwk: &PrivateJwk) -> Result<StoredKey, JoseError> {
        self.signer.borrow_mut().import(jwk)?;
        Ok(StoredKey::new(&jwk.public(), "in memory".to_owned()))
    }

    /// Of an imported JWK nothing is kept that could be told: ring gives no private key back.
    fn danger_reveal(&self, key: &StoredKey) -> Result<String, JoseError> {
        let private = self.private.borrow();
        let pkcs8 = private.get(&key.kid).ok_or(JoseError::KeyUnknown)?;
        Ok(base64url::encode(pkcs8))
    }

    async fn rewrap(&self, public: &PublicKey, private: &str) -> Result<StoredKey, JoseError> {
        let key = self.hold(public.algorithm(), &base64url::decode(private)?)?;
        let same = Some(key.kid.as_str()) == public.kid();
        same.then_some(key).ok_or(JoseError::KeyInvalid)
    }

    #[expect(
        clippy::await_holding_refcell_ref,
        reason = "ring answers at once: nothing runs in between"
    )]
    async fn sign_with(&self, key: &StoredKey, message: &[u8]) -> Result<Vec<u8>, JoseError> {
        let name = SigningKeyRef {
            kid: key.kid.clone(),
            algorithm: key.algorithm,
        };
        self.signer.borrow().sign(&name, message).await
    }
}

impl Verifier for Memory {
    async fn verify(
        &self,
        key: &PublicKey,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), JoseError> {
        RingVerifier.verify(key, message, signature).await
    }
}
