//! Handle: a token that is a row of the ledger, sealed under a derived id.
//!
//! Nothing in it is random but the key, so the text can be made again from the row, and no store
//! keeps it: that is how everybody who asks for the same delegated token gets the same one.

use super::seal::{Keyring, Kind, SealRefused, Sealable};
use crate::model::{Secret, Shard, TokenKey};

/// Names a row. Who may what, and until when, the row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenHandle {
    /// Where it is.
    pub shard: Shard,
    /// Which.
    pub key: TokenKey,
    /// The service that it was delegated to: whose business it is, nobody has to be asked.
    pub service: Option<String>,
}

impl Sealable for TokenHandle {
    const KIND: Kind = Kind::Token;

    fn write(&self) -> Option<Vec<u8>> {
        Some(self.name().into_bytes())
    }

    fn read(plain: &[u8]) -> Option<Self> {
        let (shard, rest) = std::str::from_utf8(plain).ok()?.split_once(' ')?;
        let (key, service) = match rest.split_once(' ') {
            Some((key, service)) => (key, Some(service.to_owned())),
            None => (rest, None),
        };
        Some(Self {
            shard: Shard(shard.parse().ok()?),
            key: TokenKey::parse_whole(key).ok()?,
            service,
        })
    }
}

impl TokenHandle {
    /// The token's text; the same every time.
    ///
    /// # Errors
    /// [`SealRefused::Broken`] if it cannot be sealed.
    pub fn mint(&self, keyring: &Keyring, epoch: u32) -> Result<Secret, SealRefused> {
        let id = keyring.derived_id(Kind::Token, epoch, &self.name())?;
        keyring.seal(self, epoch, id)
    }

    fn name(&self) -> String {
        let service = self.service.as_deref();
        let (space, service) = service.map_or(("", ""), |service| (" ", service));
        format!("{} {}{space}{service}", self.shard.0, self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_made_again_letter_for_letter_and_opens_as_what_it_was() {
        let root = Secret::new("root secret of the tests, 32 bytes");
        let keyring = Keyring::new("https://id.example", &[root]).unwrap();
        let handle = |shard, key: &str| TokenHandle {
            shard: Shard(shard),
            key: TokenKey::parse_whole(key).unwrap(),
            service: None,
        };
        let one = handle(3, "AAAAAAAAAAAAAAAAAAAAAA");
        let to_somebody = TokenHandle {
            service: Some("a service".to_owned()),
            ..one.clone()
        };
        let text = one.mint(&keyring, 1).unwrap();
        assert!(text.expose().starts_with("emt_"));
        assert_eq!(text.expose(), one.mint(&keyring, 1).unwrap().expose());
        let opened = keyring.unseal::<TokenHandle>(text.expose()).unwrap();
        assert_eq!(opened.into_value(), one);
        let delegated = to_somebody.mint(&keyring, 1).unwrap();
        let opened = keyring.unseal::<TokenHandle>(delegated.expose()).unwrap();
        assert_eq!(opened.into_value(), to_somebody);
        for other in [
            to_somebody,
            handle(4, "AAAAAAAAAAAAAAAAAAAAAA"),
            handle(3, "AAAAAAAAAAAAAAAAAAAAAQ"),
        ] {
            assert_ne!(text.expose(), other.mint(&keyring, 1).unwrap().expose());
        }
        assert_ne!(text.expose(), one.mint(&keyring, 2).unwrap().expose());
    }
}
