//! Signing with WebCrypto, and making keys.

use std::cell::RefCell;
use std::collections::BTreeMap;

use js_sys::{JSON, Reflect, Uint8Array};
use wasm_bindgen::{JsCast as _, JsValue};

use super::WebVerifier;
use super::subtle::{self, ReadyKey};
use crate::jose::{
    Algorithm, JoseError, PrivateJwk, PublicKey, Signer, SigningKeyRef, Verifier as _,
    parse_strict_object,
};

/// Signs with private keys that this isolate has imported and nobody can export again.
#[derive(Clone, Copy, Debug, Default)]
pub struct WebSigner;

impl WebSigner {
    /// Whether the key was imported into this isolate.
    pub fn holds(&self, key: &SigningKeyRef) -> bool {
        KEYS.with_borrow(|keys| keys.contains_key(key))
    }

    /// Imports a private key in PKCS#8 (RFC 5958), for as long as the isolate lives. Nothing is kept
    /// when the platform refuses it.
    pub async fn import(&self, key: SigningKeyRef, pkcs8: &[u8]) -> Result<(), JoseError> {
        let ready = ready(key.algorithm, pkcs8).await?;
        KEYS.with_borrow_mut(|keys| {
            if keys.len() == KEYS_LIMIT && !keys.contains_key(&key) {
                keys.clear();
            }
            keys.insert(key, ready);
        });
        Ok(())
    }
}

impl Signer for WebSigner {
    async fn sign(&self, key: &SigningKeyRef, message: &[u8]) -> Result<Vec<u8>, JoseError> {
        let ready = KEYS.with_borrow(|keys| keys.get(key).cloned());
        let ready = ready.ok_or(JoseError::KeyUnknown)?;
        let signature = subtle::sign(&ready.parameters, &ready.key, message).await;
        signature.map(subtle::bytes).map_err(subtle::failure)
    }
}

async fn ready(algorithm: Algorithm, pkcs8: &[u8]) -> Result<ReadyKey, JoseError> {
    let parameters = subtle::parameters(algorithm);
    let document = Uint8Array::from(pkcs8);
    let usages = subtle::parse(r#"["sign"]"#);
    let imported = subtle::import_key("pkcs8", &document, &parameters, false, &usages).await;
    document.fill(0, 0, document.length());
    Ok(ReadyKey {
        key: imported.map_err(|_| JoseError::KeyInvalid)?,
        parameters,
    })
}

/// The PKCS#8 of a private key from elsewhere, to be wrapped and stored. Platforms differ in what they
/// notice when its parts do not belong together, so what it signs in that form is verified.
pub async fn import(jwk: &PrivateJwk) -> Result<Vec<u8>, JoseError> {
    let public = jwk.public();
    let parameters = subtle::parameters(public.algorithm());
    let document = subtle::parse(&jwk.danger_expose());
    let usages = subtle::parse(r#"["sign"]"#);
    let key = subtle::import_key("jwk", &document, &parameters, true, &usages).await;
    let key = key.map_err(|_| JoseError::KeyInvalid)?;
    let pkcs8 = subtle::export_key("pkcs8", &key).await;
    let pkcs8 = subtle::bytes(pkcs8.map_err(subtle::failure)?);
    prove(&public, &pkcs8).await?;
    Ok(pkcs8)
}

/// Proves that the halves of a key belong together: what the private one signs is verified.
pub async fn prove(public: &PublicKey, pkcs8: &[u8]) -> Result<(), JoseError> {
    let kept = ready(public.algorithm(), pkcs8).await?;
    let message = b"edgemint import";
    let signature = subtle::sign(&kept.parameters, &kept.key, message).await;
    let signature = subtle::bytes(signature.map_err(|_| JoseError::KeyInvalid)?);
    let verified = WebVerifier.verify(public, message, &signature).await;
    verified.map_err(|_| JoseError::KeyInvalid)
}

/// Makes a key pair: the private half in PKCS#8, to be wrapped and stored, and the public half
/// without a name. RSA keys have 2048 bits and the exponent 65537.
pub async fn generate(algorithm: Algorithm) -> Result<(Vec<u8>, PublicKey), JoseError> {
    let parameters = subtle::parameters(algorithm);
    if algorithm == Algorithm::Rs256 {
        let set = |name: &str, value: JsValue| {
            Reflect::set(&parameters, &name.into(), &value).map_err(subtle::failure)
        };
        set("modulusLength", RSA_BITS.into())?;
        set("publicExponent", Uint8Array::from(RSA_EXPONENT).into())?;
    }
    let usages = subtle::parse(r#"["sign","verify"]"#);
    let pair = subtle::generate_key(&parameters, true, &usages).await;
    let pair = pair.map_err(subtle::failure)?;
    let pair = pair.unchecked_ref::<subtle::KeyPair>();
    let pkcs8 = subtle::export_key("pkcs8", &pair.private_key()).await;
    let pkcs8 = subtle::bytes(pkcs8.map_err(subtle::failure)?);
    let jwk = subtle::export_key("jwk", &pair.public_key()).await;
    let jwk = JSON::stringify(&jwk.map_err(subtle::failure)?).map_err(subtle::failure)?;
    let mut jwk = parse_strict_object(String::from(jwk).as_bytes())?;
    // Platforms disagree on what to call Ed25519 here (RFC 9864 renamed it); the curve says it all.
    jwk.remove("alg");
    Ok((pkcs8, PublicKey::from_members(&jwk)?))
}

/// RFC 7518 §3.3 asks for 2048 at least; more costs every signature, and our keys rotate.
const RSA_BITS: u32 = 2048;
/// 65537.
const RSA_EXPONENT: &[u8] = &[1, 0, 1];
/// 16 keys: three algorithms, each with an active, a next and a retiring one, and room. Overflowing
/// costs one import per key.
const KEYS_LIMIT: usize = 16;

thread_local! {
    static KEYS: RefCell<BTreeMap<SigningKeyRef, ReadyKey>> = const { RefCell::new(BTreeMap::new()) };
}
