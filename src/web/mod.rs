//! WebCrypto as the cryptographic backend, in Workers, browsers and Node (W3C Web Cryptography
//! Level 2). Shared by the edge and the browser build.
//!
//! Only finished `CryptoKey`s are kept between calls, never a pending promise: a Worker must not
//! wait for what another request started.

mod signer;
mod subtle;
mod verifier;

pub use signer::{WebSigner, generate, import, prove};
pub use verifier::WebVerifier;

use crate::jose::{HalfHash, JoseError};

/// Hashes with WebCrypto.
pub async fn digest(hash: HalfHash, message: &[u8]) -> Result<Vec<u8>, JoseError> {
    let name = match hash {
        HalfHash::Sha256 => "SHA-256",
        HalfHash::Sha512 => "SHA-512",
    };
    let digest = subtle::digest(name, message).await;
    digest.map(subtle::bytes).map_err(subtle::failure)
}

/// Octets from the platform's random source. At the start of a Worker's module it refuses.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], JoseError> {
    let mut octets = [0; N];
    getrandom::fill(&mut octets).map_err(|_| JoseError::BackendUnavailable)?;
    Ok(octets)
}
