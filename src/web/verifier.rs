//! Verifying with WebCrypto.

use std::cell::RefCell;
use std::collections::VecDeque;

use wasm_bindgen::JsValue;

use super::subtle::{self, ReadyKey};
use crate::jose::{JoseError, KeyMaterial, PublicKey, Verifier};

/// Verifies with WebCrypto, and remembers the keys it imported.
#[derive(Clone, Copy, Debug, Default)]
pub struct WebVerifier;

impl Verifier for WebVerifier {
    async fn verify(
        &self,
        key: &PublicKey,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), JoseError> {
        let ready = match remembered(key.material()) {
            Some(ready) => ready,
            None => {
                let ready = import(key).await?;
                remember(key.material().clone(), ready.clone());
                ready
            }
        };
        let fits = subtle::verify(&ready.parameters, &ready.key, signature, message)
            .await
            .map_err(subtle::failure)?;
        if fits.is_truthy() {
            Ok(())
        } else {
            Err(JoseError::SignatureInvalid)
        }
    }
}

/// A key whose numbers we accept and the platform does not (an Ed25519 text that is no point) is
/// one that no signature fits, which is what the other backends say about it.
async fn import(key: &PublicKey) -> Result<ReadyKey, JoseError> {
    let parameters = subtle::parameters(key.algorithm());
    let jwk = subtle::parse(&key.thumbprint_input());
    let usages = subtle::parse(r#"["verify"]"#);
    let imported = subtle::import_key("jwk", &jwk, &parameters, true, &usages).await;
    match imported {
        Ok(key) => Ok(ReadyKey { key, parameters }),
        Err(error) => Err(refusal(&error)),
    }
}

fn refusal(error: &JsValue) -> JoseError {
    if subtle::is_unsupported(error) {
        JoseError::BackendUnavailable
    } else {
        JoseError::SignatureInvalid
    }
}

fn remembered(material: &KeyMaterial) -> Option<ReadyKey> {
    KEYS.with_borrow(|keys| {
        let mut known = keys.iter();
        known
            .find(|(other, _)| other == material)
            .map(|(_, ready)| ready.clone())
    })
}

fn remember(material: KeyMaterial, ready: ReadyKey) {
    KEYS.with_borrow_mut(|keys| {
        if keys.len() == KEYS_LIMIT {
            keys.pop_front();
        }
        keys.push_back((material, ready));
    });
}

/// 32 keys: an issuer has a handful; more come only with federated sources, and are looked through
/// one by one.
const KEYS_LIMIT: usize = 32;

thread_local! {
    static KEYS: RefCell<VecDeque<(KeyMaterial, ReadyKey)>> = const { RefCell::new(VecDeque::new()) };
}
