//! HS256 (RFC 7518 §3.2), for the one thing that is signed so here: what a client says of itself
//! (`client_secret_jwt`). It is no [`Algorithm`]: no token of ours is made with what
//! checks it.

use ring::hmac;

use super::jws::{Family, Unverified, Verified};
use super::{Algorithm, JoseError};

/// HMAC with SHA-256, and nothing else of its family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hs256;

/// Octets of the shortest secret (RFC 7518 §3.2): as many as the hash has.
pub const SHORTEST: usize = 32;

impl Hs256 {
    /// The `alg` value.
    pub const NAME: &'static str = "HS256";
}

impl Family for Hs256 {
    fn parse(name: &str) -> Result<Self, JoseError> {
        match name {
            Self::NAME => Ok(Self),
            _ => Err(JoseError::AlgorithmUnsupported),
        }
    }

    /// Whoever verified by a secret chose to.
    fn is_accepted(&self, _: &[Algorithm]) -> bool {
        true
    }
}

impl Unverified<Hs256> {
    /// Checks the MAC by every one of these secrets, so that the time does not say which it was.
    ///
    /// # Errors
    /// [`JoseError::KeyUnknown`] where there is none, else [`JoseError::SignatureInvalid`].
    pub fn verify<'a>(
        self,
        secrets: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Verified<Hs256>, JoseError> {
        let message = self.signing_input.as_bytes();
        let fits = |secret: &[u8]| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
            hmac::verify(&key, message, &self.signature).is_ok()
        };
        let long_enough = secrets.into_iter().filter(|one| one.len() >= SHORTEST);
        match long_enough.map(fits).reduce(|found, fits| found | fits) {
            None => Err(JoseError::KeyUnknown),
            Some(false) => Err(JoseError::SignatureInvalid),
            Some(true) => Ok(self.verified()),
        }
    }
}
