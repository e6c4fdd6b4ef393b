//! The part of `crypto.subtle` we call, and its parameters per algorithm.

use js_sys::{JSON, Uint8Array};
use wasm_bindgen::prelude::*;

use crate::jose::{Algorithm, JoseError};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_namespace = ["crypto", "subtle"], js_name = digest)]
    pub(super) async fn digest(hash: &str, message: &[u8]) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_namespace = ["crypto", "subtle"], js_name = importKey)]
    pub(super) async fn import_key(
        format: &str,
        key: &JsValue,
        parameters: &JsValue,
        extractable: bool,
        usages: &JsValue,
    ) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_namespace = ["crypto", "subtle"], js_name = exportKey)]
    pub(super) async fn export_key(format: &str, key: &JsValue) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_namespace = ["crypto", "subtle"], js_name = generateKey)]
    pub(super) async fn generate_key(
        parameters: &JsValue,
        extractable: bool,
        usages: &JsValue,
    ) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_namespace = ["crypto", "subtle"], js_name = sign)]
    pub(super) async fn sign(
        parameters: &JsValue,
        key: &JsValue,
        message: &[u8],
    ) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_namespace = ["crypto", "subtle"], js_name = verify)]
    pub(super) async fn verify(
        parameters: &JsValue,
        key: &JsValue,
        signature: &[u8],
        message: &[u8],
    ) -> Result<JsValue, JsValue>;

    /// A `CryptoKeyPair`.
    pub(super) type KeyPair;

    #[wasm_bindgen(method, getter, js_name = privateKey)]
    pub(super) fn private_key(this: &KeyPair) -> JsValue;

    #[wasm_bindgen(method, getter, js_name = publicKey)]
    pub(super) fn public_key(this: &KeyPair) -> JsValue;

    /// A `DOMException`, or any error.
    type Failure;

    #[wasm_bindgen(method, getter, structural)]
    fn name(this: &Failure) -> JsValue;
}

/// A finished `CryptoKey` beside the parameters it is used with.
#[derive(Clone, Debug)]
pub(super) struct ReadyKey {
    pub(super) key: JsValue,
    pub(super) parameters: JsValue,
}

/// One object serves for generating, importing, signing and verifying: each reads its own members.
pub(super) fn parameters(algorithm: Algorithm) -> JsValue {
    parse(match algorithm {
        Algorithm::EdDsa => r#"{"name":"Ed25519"}"#,
        Algorithm::Es256 => r#"{"name":"ECDSA","namedCurve":"P-256","hash":"SHA-256"}"#,
        Algorithm::Rs256 => r#"{"name":"RSASSA-PKCS1-v1_5","hash":"SHA-256"}"#,
    })
}

/// JSON that we wrote ourselves, as a JavaScript value; `undefined` if it were not JSON, which every
/// call then refuses.
pub(super) fn parse(json: &str) -> JsValue {
    JSON::parse(json).unwrap_or(JsValue::UNDEFINED)
}

/// The octets of an `ArrayBuffer`.
pub(super) fn bytes(buffer: JsValue) -> Vec<u8> {
    Uint8Array::new(&buffer).to_vec()
}

/// A rejected promise says nothing about a token.
pub(super) fn failure(_: JsValue) -> JoseError {
    JoseError::BackendUnavailable
}

/// Whether the platform lacks the algorithm, rather than disliking the key.
pub(super) fn is_unsupported(error: &JsValue) -> bool {
    error.is_object()
        && error
            .unchecked_ref::<Failure>()
            .name()
            .as_string()
            .as_deref()
            != Some("DataError")
}
