//! JOSE: base64url, JWK, JWS and JWT (RFC 7515, 7517, 7518, 7519, 8037). Knows nothing of OAuth,
//! no clock and no network; the one file with a random source is `ring.rs`.
//!
//! ```text
//! text ─► UnverifiedJws ─(PublicKey, Verifier)─► VerifiedJws ─(Policy, now)─► Claims
//! ```
//! Each type on that line can only be made from the one before it. Beside it stands [`hs256`], for what clients
//! say of themselves.

mod alg;
pub mod base64url;
mod curve;
mod error;
pub mod hs256;
pub mod id_token;
mod json;
mod jwk;
pub mod jws;
pub mod jwt;
mod keyset;
mod ports;
mod private;
mod ring;

pub use alg::{Algorithm, HalfHash};
pub use error::JoseError;
pub use hs256::Hs256;
pub use json::{parse_strict_json, parse_strict_object};
pub use jwk::{KeyMaterial, PublicKey};
pub use jws::{Unverified, UnverifiedJws, Verified, VerifiedJws};
pub use jwt::{Audience, Claims, ExpectedTyp, Policy};
pub use keyset::KeySet;
pub use ports::{Signer, SigningKeyRef, Verifier};
pub use private::PrivateJwk;
pub use ring::{RingSigner, RingVerifier, generate_pkcs8};
