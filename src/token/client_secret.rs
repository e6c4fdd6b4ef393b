//! A client's secret that can be read again, for clients that sign with theirs (`client_secret_jwt`): whoever
//! checks an HMAC has to have what it was made with. All others have a digest alone.

use serde::{Deserialize, Serialize};

use super::seal::{ID, Keyring, Kind, SealRefused, Sealable, sealed_as_json};
use crate::model::Secret;

/// Its text, sealed wherever it is kept.
#[derive(Serialize, Deserialize)]
pub struct ClientSecret {
    secret: String,
}

impl Sealable for ClientSecret {
    const KIND: Kind = Kind::ClientSecret;
    sealed_as_json!();
}

impl ClientSecret {
    /// Seals a secret; `id` is fresh randomness. No epoch ends it: it was issued to nobody.
    ///
    /// # Errors
    /// As [`Keyring::seal`].
    pub fn seal(secret: &Secret, keyring: &Keyring, id: [u8; ID]) -> Result<String, SealRefused> {
        let secret = secret.expose().to_owned();
        let sealed = keyring.seal(&Self { secret }, 0, id)?;
        Ok(sealed.expose().to_owned())
    }

    /// Opens one.
    ///
    /// # Errors
    /// As [`Keyring::unseal`]: a root that is gone takes it along.
    pub fn open(keyring: &Keyring, text: &str) -> Result<Secret, SealRefused> {
        let unsealed = keyring.unseal::<Self>(text)?;
        Ok(Secret::new(unsealed.into_value().secret))
    }
}
