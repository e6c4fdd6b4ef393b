//! MAC key identifiers: what a client that signs its requests has for an access token.
//!
//! A kind of its own, so that none is ever taken for a bearer token: where one of those is opened, this
//! has another prefix, another letter and another key. What is signed with is derived, and kept nowhere.

use super::access::AccessToken;
use super::mac::{MacAlgorithm, MacKey};
use super::seal::{ID, Keyring, Kind, SealRefused, Sealable, Unsealed};
use crate::model::Secret;

/// What an access token says, for requests that are signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MacToken {
    /// By what its requests are signed.
    pub algorithm: MacAlgorithm,
    /// All else.
    pub token: AccessToken,
}

impl Sealable for MacToken {
    const KIND: Kind = Kind::Mac;

    fn write(&self) -> Option<Vec<u8>> {
        let mut plain = format!("{}\n", self.algorithm.as_str()).into_bytes();
        plain.extend(self.token.write()?);
        Some(plain)
    }

    fn read(plain: &[u8]) -> Option<Self> {
        let end = plain.iter().position(|byte| *byte == b'\n')?;
        let (name, rest) = plain.split_at_checked(end)?;
        Some(Self {
            algorithm: MacAlgorithm::parse(std::str::from_utf8(name).ok()?)?,
            token: AccessToken::read(rest.get(1..)?)?,
        })
    }
}

impl MacToken {
    /// Its text, and the key that its requests are signed with; `id` is fresh randomness.
    ///
    /// # Errors
    /// [`SealRefused::Broken`] if it cannot be sealed.
    pub fn mint(
        &self,
        keyring: &Keyring,
        epoch: u32,
        id: [u8; ID],
    ) -> Result<(Secret, MacKey), SealRefused> {
        let text = keyring.seal(self, epoch, id)?;
        let key = self.key(keyring, text.expose())?;
        Ok((text, key))
    }

    /// Opens one, with its key.
    ///
    /// # Errors
    /// As [`Keyring::unseal`].
    pub fn open(keyring: &Keyring, text: &str) -> Result<(Unsealed<Self>, MacKey), SealRefused> {
        let unsealed: Unsealed<Self> = keyring.unseal(text)?;
        let key = unsealed.value().key(keyring, text)?;
        Ok((unsealed, key))
    }

    fn key(&self, keyring: &Keyring, text: &str) -> Result<MacKey, SealRefused> {
        Ok(MacKey {
            key: keyring.companion(Kind::Mac, text)?,
            algorithm: self.algorithm,
        })
    }
}
