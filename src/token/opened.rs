//! Access tokens and handles that were opened before. Opening is a function of text and keys alone, so its
//! result may be kept; whether the token still lives is asked anew each time.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use super::access::AccessToken;
use super::handle::TokenHandle;
use super::identity::Identity;
use super::seal::{Keyring, SealRefused, Unsealed};
use crate::model::{TokenId, secret};

/// Places for tokens, and as many for handles: two megabytes when both of all are taken by usual ones, ten at most. A token's
/// place is in its id; of those that have the same, two are kept.
const PLACES: usize = 512;
/// Bytes of a text that is kept: the usual one has 400. A place has a bound, and so has memory.
const LONGEST: usize = 2_048;
/// Where in the text of an access token characters of the id are: behind prefix and clear header.
const ID_AT: usize = 40;
/// And in that of a handle, whose header names no resource.
const HANDLE_ID_AT: usize = 20;

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
    pub(crate) told: OnceCell<String>,
    /// What introspection tells of it while it lives, likewise.
    pub(crate) introspected: OnceCell<String>,
    identity: OnceCell<Rc<Identity>>,
}

impl Opened {
    /// A token by its parts.
    #[must_use]
    pub fn new(id: TokenId, epoch: u32, token: AccessToken) -> Self {
        Self {
            id,
            epoch,
            token,
            told: OnceCell::new(),
            introspected: OnceCell::new(),
            identity: OnceCell::new(),
        }
    }

    /// Whom it names; put together once.
    #[must_use]
    pub fn identity(&self) -> &Rc<Identity> {
        self.identity
            .get_or_init(|| Rc::new(Identity::of_access_token(&self.id, &self.token)))
    }
}

/// What one keyring opened last.
#[derive(Default)]
pub(super) struct OpenedTexts {
    tokens: Texts<Opened, ID_AT>,
    handles: Texts<Unsealed<TokenHandle>, HANDLE_ID_AT>,
}

/// Opened texts of one kind, whose ids begin before the character `AT`.
struct Texts<T, const AT: usize>(RefCell<Vec<[Option<Kept<T>>; 2]>>);

struct Kept<T> {
    text: String,
    opened: Rc<T>,
}

impl Keyring {
    /// Opens an access token, as [`Keyring::unseal`] does, once.
    ///
    /// # Errors
    /// As [`Keyring::unseal`].
    pub fn open(&self, text: &str) -> Result<Rc<Opened>, SealRefused> {
        if let Some(known) = self.opened.tokens.get(text) {
            return Ok(known);
        }
        let (id, epoch, token) = self.unseal(text)?.into_parts();
        let opened = Rc::new(Opened::new(id, epoch, token));
        self.opened.tokens.keep(text, &opened);
        Ok(opened)
    }

    /// Whether this very text was opened before, so that it is one of ours and nothing besides.
    #[must_use]
    pub fn knows(&self, text: &str) -> bool {
        self.opened.tokens.get(text).is_some() || self.opened.handles.get(text).is_some()
    }

    /// Opens a handle, as [`Keyring::unseal`] does, once.
    ///
    /// # Errors
    /// As [`Keyring::unseal`].
    pub fn open_handle(&self, text: &str) -> Result<Rc<Unsealed<TokenHandle>>, SealRefused> {
        if let Some(known) = self.opened.handles.get(text) {
            return Ok(known);
        }
        let opened = Rc::new(self.unseal(text)?);
        self.opened.handles.keep(text, &opened);
        Ok(opened)
    }
}

impl<T, const AT: usize> Default for Texts<T, AT> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<T, const AT: usize> Texts<T, AT> {
    fn get(&self, text: &str) -> Option<Rc<T>> {
        let kept = self.0.borrow();
        let mut both = kept.get(place(text, AT)?)?.iter().flatten();
        // In constant time: this is what proves that the seal holds.
        let same = |kept: &&Kept<T>| secret::equal(kept.text.as_bytes(), text.as_bytes());
        both.find(same).map(|found| Rc::clone(&found.opened))
    }

    fn keep(&self, text: &str, opened: &Rc<T>) {
        if text.len() > LONGEST {
            return;
        }
        let mut kept = self.0.borrow_mut();
        kept.resize_with(PLACES, || [None, None]);
        if let Some([newest, other]) = place(text, AT).and_then(|place| kept.get_mut(place)) {
            let opened = Rc::clone(opened);
            let text = text.to_owned();
            *other = newest.replace(Kept { text, opened });
        }
    }
}

/// The place of a text, by three characters of its id, which are random.
fn place(text: &str, at: usize) -> Option<usize> {
    let of_id: [u8; 3] = *text.as_bytes().get(at..)?.first_chunk()?;
    let spread = of_id
        .iter()
        .fold(0, |sum, byte| sum * 31 + usize::from(*byte));
    Some(spread % PLACES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Secret, TokenKey};
    use crate::token::access::tests::token;

    fn keyring() -> Keyring {
        let roots = [Secret::new("a root secret of at least 32 bytes")];
        Keyring::new("https://issuer.example", &roots).unwrap()
    }

    fn sealed(keyring: &Keyring, id: u8) -> String {
        let text = keyring.seal(&token(), 0, [id; 24]).unwrap();
        text.expose().to_owned()
    }

    /// The text with one character of it changed, for each, and where that is.
    fn bent(text: &str) -> impl Iterator<Item = (usize, String)> {
        text.char_indices().map(|(at, letter)| {
            let mut bent = text.to_owned();
            bent.replace_range(at..=at, if letter == 'A' { "B" } else { "A" });
            (at, bent)
        })
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
        for (at, bent) in bent(&text) {
            assert!(keyring.open(&bent).is_err(), "character {at}");
        }
        for bent in [&text[..text.len() - 1], &text[..ID_AT], &text[..4], ""] {
            assert!(keyring.open(bent).is_err());
        }
        assert!(keyring.open(&format!("{text}A")).is_err());
    }

    #[test]
    fn of_the_tokens_of_one_place_two_are_kept() {
        let keyring = keyring();
        let texts: Vec<String> = (0..=255).map(|id| sealed(&keyring, id)).collect();
        for text in texts.iter().chain(&texts) {
            assert_eq!(&*keyring.open(text).unwrap().token.sub, "u_1");
        }
        let mut of_places = std::collections::BTreeMap::<usize, usize>::new();
        for text in &texts {
            *of_places.entry(place(text, ID_AT).unwrap()).or_default() += 1;
        }
        let fit: usize = of_places.values().map(|tokens| *tokens.min(&2)).sum();
        assert!(of_places.len() > 1 && fit < texts.len());
        let kept = keyring.opened.tokens.0.borrow();
        assert_eq!(kept.iter().flatten().flatten().count(), fit);
        assert_eq!(kept.len(), PLACES);
        drop(kept);
        assert!(keyring.knows(&texts[255]));
        assert!(!keyring.knows(&texts[255].to_lowercase()));
    }

    #[test]
    fn a_handle_is_opened_once_and_no_other_text_for_it() {
        let keyring = keyring();
        let handle = TokenHandle {
            shard: crate::model::Shard(3),
            key: TokenKey::of("any"),
            service: None,
        };
        let text = handle.mint(&keyring, 0).unwrap().expose().to_owned();
        let first = keyring.open_handle(&text).unwrap();
        assert_eq!(first.value(), &handle);
        assert!(Rc::ptr_eq(&first, &keyring.open_handle(&text).unwrap()));
        for (at, bent) in bent(&text) {
            assert!(keyring.open_handle(&bent).is_err(), "character {at}");
        }
    }
}
