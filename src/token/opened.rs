//! Access tokens that were opened before. Opening is a function of text and keys alone, so its result
//! may be kept; whether the token still lives is asked anew each time.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use subtle::ConstantTimeEq as _;

use super::access::AccessToken;
use super::seal::{Keyring, SealRefused};
use crate::model::TokenId;

/// Tokens kept: a megabyte and a half. What is forgotten is opened again.
const MOST: usize = 1_000;
/// How much of a text finds it: prefix, clear header and 176 bits of the id, none of which is secret.
const HEAD: usize = 68;

/// An access token that is ours; whether it lives is not said.
#[derive(Debug)]
pub struct Opened {
    /// Its id.
    pub id: TokenId,
    /// The epoch it was made in.
    pub epoch: u32,
    /// What it says.
    pub token: AccessToken,
}

/// A capped set of tokens that one keyring opened.
#[derive(Default)]
pub(super) struct OpenedTokens(RefCell<BTreeMap<String, Kept>>);

struct Kept {
    rest: String,
    token: Rc<Opened>,
}

impl Keyring {
    /// Opens an access token, as [`Keyring::unseal`] does, once.
    ///
    /// # Errors
    /// As [`Keyring::unseal`].
    pub fn open(&self, text: &str) -> Result<Rc<Opened>, SealRefused> {
        if let Some(known) = self.opened.get(text) {
            return Ok(known);
        }
        let (id, epoch, token) = self.unseal(text)?.into_parts();
        let opened = Rc::new(Opened { id, epoch, token });
        self.opened.keep(text, &opened);
        Ok(opened)
    }
}

impl OpenedTokens {
    fn get(&self, text: &str) -> Option<Rc<Opened>> {
        let (head, rest) = text.split_at_checked(HEAD)?;
        let kept = self.0.borrow();
        let found = kept.get(head)?;
        // In constant time: this is what proves that the seal holds.
        let same = bool::from(found.rest.as_bytes().ct_eq(rest.as_bytes()));
        same.then(|| Rc::clone(&found.token))
    }

    fn keep(&self, text: &str, token: &Rc<Opened>) {
        let Some((head, rest)) = text.split_at_checked(HEAD) else {
            return;
        };
        let mut kept = self.0.borrow_mut();
        if kept.len() >= MOST {
            kept.clear();
        }
        let token = Rc::clone(token);
        let rest = rest.to_owned();
        kept.insert(head.to_owned(), Kept { rest, token });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ClientId, Scope, Secret, Shard, UnixTime, Username};
    use crate::token::Generations;

    fn keyring() -> Keyring {
        let roots = [Secret::new("a root secret of at least 32 bytes")];
        Keyring::new("https://issuer.example", &roots).unwrap()
    }

    fn sealed(keyring: &Keyring, id: u8) -> String {
        let token = AccessToken {
            sub: "u_1".to_owned(),
            username: Username::parse("ada").unwrap(),
            client: ClientId::parse("c").unwrap(),
            scope: Scope::default(),
            audience: "https://api.example/".to_owned(),
            issued_at: UnixTime(1),
            expires_at: UnixTime(2),
            grant: None,
            session: None,
            shard: Shard(3),
            generations: Generations::default(),
        };
        let text = keyring.seal(&token, 0, [id; 24]).unwrap();
        text.expose().to_owned()
    }

    #[test]
    fn the_same_text_is_opened_once() {
        let keyring = keyring();
        let text = sealed(&keyring, 1);
        let first = keyring.open(&text).unwrap();
        let again = keyring.open(&text).unwrap();
        assert!(Rc::ptr_eq(&first, &again));
    }

    #[test]
    fn a_text_that_differs_in_one_character_is_not_the_one_that_was_opened() {
        let keyring = keyring();
        let text = sealed(&keyring, 1);
        keyring.open(&text).unwrap();
        for at in 0..text.len() {
            let other = if text.as_bytes()[at] == b'A' {
                "B"
            } else {
                "A"
            };
            let mut bent = text.clone();
            bent.replace_range(at..=at, other);
            assert!(keyring.open(&bent).is_err(), "character {at}");
        }
        for bent in [&text[..text.len() - 1], &text[..HEAD], &text[..4], ""] {
            assert!(keyring.open(bent).is_err());
        }
        assert!(keyring.open(&format!("{text}A")).is_err());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let keyring = keyring();
        let texts: Vec<String> = (0..3).map(|id| sealed(&keyring, id)).collect();
        for text in &texts {
            keyring.open(text).unwrap();
        }
        assert_eq!(keyring.opened.0.borrow().len(), 3);
        let token = keyring.open(&texts[0]).unwrap();
        for number in 0..MOST {
            keyring.opened.keep(&format!("{number:0HEAD$}"), &token);
            assert!(keyring.opened.0.borrow().len() <= MOST);
        }
    }
}
