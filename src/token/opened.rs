//! Access tokens that were opened before. Opening is a function of text and keys alone, so its result
//! may be kept; whether the token still lives is asked anew each time.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use subtle::ConstantTimeEq as _;

use super::access::AccessToken;
use super::seal::{Keyring, SealRefused};
use crate::model::TokenId;

/// Places for tokens: a megabyte and a half when all are taken by usual ones, ten at most. A token's
/// place is in its id; another one of the same place takes it.
const PLACES: usize = 1_024;
/// Bytes of a text that is kept: the usual one has 400. A place has a bound, and so has memory.
const LONGEST: usize = 2_048;
/// Where in a text the characters of the id are: behind prefix and clear header.
const ID_AT: usize = 40;

/// An access token that is ours; whether it lives is not said.
#[derive(Debug)]
pub struct Opened {
    /// Its id.
    pub id: TokenId,
    /// The epoch it was made in.
    pub epoch: u32,
    /// What it says.
    pub token: AccessToken,
    /// What other Workers are told of it while it lives, once that was printed.
    pub principal: OnceCell<String>,
}

impl Opened {
    /// A token by its parts.
    #[must_use]
    pub fn new(id: TokenId, epoch: u32, token: AccessToken) -> Self {
        let principal = OnceCell::new();
        Self {
            id,
            epoch,
            token,
            principal,
        }
    }
}

/// The tokens that one keyring opened last.
#[derive(Default)]
pub(super) struct OpenedTokens(RefCell<Vec<Option<Kept>>>);

struct Kept {
    text: String,
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
        let opened = Rc::new(Opened::new(id, epoch, token));
        self.opened.keep(text, &opened);
        Ok(opened)
    }
}

impl OpenedTokens {
    fn get(&self, text: &str) -> Option<Rc<Opened>> {
        let kept = self.0.borrow();
        let found = kept.get(place(text)?)?.as_ref()?;
        // In constant time: this is what proves that the seal holds.
        let same = bool::from(found.text.as_bytes().ct_eq(text.as_bytes()));
        same.then(|| Rc::clone(&found.token))
    }

    fn keep(&self, text: &str, token: &Rc<Opened>) {
        if text.len() > LONGEST {
            return;
        }
        let mut kept = self.0.borrow_mut();
        kept.resize_with(PLACES, || None);
        if let Some(place) = place(text).and_then(|place| kept.get_mut(place)) {
            let token = Rc::clone(token);
            let text = text.to_owned();
            *place = Some(Kept { text, token });
        }
    }
}

/// The place of a text, by two characters of its id, which are random.
fn place(text: &str) -> Option<usize> {
    let [high, low] = *text.as_bytes().get(ID_AT..)?.first_chunk()?;
    Some((usize::from(high) * 64 + usize::from(low)) % PLACES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;
    use crate::token::access::tests::token;

    fn keyring() -> Keyring {
        let roots = [Secret::new("a root secret of at least 32 bytes")];
        Keyring::new("https://issuer.example", &roots).unwrap()
    }

    fn sealed(keyring: &Keyring, id: u8) -> String {
        let text = keyring.seal(&token(), 0, [id; 24]).unwrap();
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
        for bent in [&text[..text.len() - 1], &text[..ID_AT], &text[..4], ""] {
            assert!(keyring.open(bent).is_err());
        }
        assert!(keyring.open(&format!("{text}A")).is_err());
    }

    #[test]
    fn a_token_of_the_same_place_takes_it() {
        let keyring = keyring();
        let texts: Vec<String> = (0..=255).map(|id| sealed(&keyring, id)).collect();
        for text in texts.iter().chain(&texts) {
            assert_eq!(&*keyring.open(text).unwrap().token.sub, "u_1");
        }
        let places = texts.iter().filter_map(|text| place(text));
        let places: std::collections::BTreeSet<usize> = places.collect();
        assert!(places.len() > 1);
        let kept = keyring.opened.0.borrow();
        assert_eq!(kept.iter().flatten().count(), places.len());
        assert_eq!(kept.len(), PLACES);
    }
}
