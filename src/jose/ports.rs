//! What JOSE asks of a cryptographic backend: `ring.rs` natively, WebCrypto elsewhere.
//!
//! The futures need not be `Send`: every runtime of ours drives them on one thread.

use super::{Algorithm, JoseError, PublicKey};

/// Names a private key without holding it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SigningKeyRef {
    /// Its `kid`; written into every header it signs.
    pub kid: String,
    /// Its algorithm.
    pub algorithm: Algorithm,
}

/// Checks signatures.
#[expect(
    async_fn_in_trait,
    reason = "single-threaded runtimes; callers are generic over it"
)]
pub trait Verifier {
    /// Whether `signature` over `message` was made by the owner of `key`.
    /// [`JoseError::SignatureInvalid`] is a verdict, [`JoseError::BackendUnavailable`] is none.
    async fn verify(
        &self,
        key: &PublicKey,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), JoseError>;
}

/// Makes signatures with private keys that it holds.
#[expect(
    async_fn_in_trait,
    reason = "single-threaded runtimes; callers are generic over it"
)]
pub trait Signer {
    /// Signs with the private key of this `kid` and algorithm; ECDSA answers r ‖ s
    /// (RFC 7518 §3.4). [`JoseError::KeyUnknown`] when it does not hold the key.
    async fn sign(&self, key: &SigningKeyRef, message: &[u8]) -> Result<Vec<u8>, JoseError>;
}
