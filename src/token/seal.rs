//! Sealing: ChaCha20-Poly1305 under a key of the thing's own.
//!
//! ```text
//! version kind root(4) epoch(4) [resource(16)] id(24) ‖ ciphertext ‖ tag(16)
//! └──────────── clear header ────────────────┘
//! ```
//! base64url of that, behind a prefix that names the kind. Kind key = HKDF(root, `edgemint/1` ‖
//! kind ‖ epoch ‖ resource); the thing's key = HMAC(kind key, id). No key seals twice, so the nonce
//! is constant and isolates need not agree on one. Header and issuer are associated data. What
//! is opened as one kind can never be another: [`Keyring::unseal`] is the only door.
//!
//! What is for a resource has a mark inside, behind what it says: 16 bytes of an HMAC over id and text
//! under a key that never leaves. Whoever was given the resource's kind key opens it without looking at
//! the mark, and can seal what they like, but nothing that we take for our own.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::opened::OpenedTexts;
use crate::jose::base64url;
use crate::model::{Secret, TokenId};
use ring::{aead, hkdf, hmac};
use subtle::ConstantTimeEq as _;

/// The layout above.
const VERSION: u8 = 1;
/// The issue of the key schedule; part of every derivation.
const LABEL: &[u8] = b"edgemint/1";
/// Bytes that name a root: enough to tell a handful apart, too few to say anything about it.
const ROOT_ID: usize = 4;
/// Bytes of the digest that stands for a resource: no two meet by chance.
const RESOURCE_TAG: usize = 16;
/// Bytes of our mark on what is for a resource.
const MARK: usize = 16;
/// Stands where a kind's letter does in the derivation of its key; no kind has it.
const MARKED: u8 = b'!';
/// Likewise, for what is derived beside a sealed thing; and the kind is the resource.
const COMPANION: u8 = b'+';
/// Bytes of a kind key.
pub(super) const KIND_KEY: usize = 32;
/// Bytes of a sealed thing's id: 192 bits, so that 2^64 of them hold no pair.
pub const ID: usize = 24;
/// The longest sealed text that is looked at: a pending request with its longest parameters.
const LONGEST: usize = 24 * 1024;
/// The longest snapshot: a client with all its redirect URIs at their longest, twice escaped.
const LONGEST_SNAPSHOT: usize = 512 * 1024;
/// Kind keys kept: every kind under two roots, and a thousand resources.
const MOST_KEYS: usize = 1100;

/// What can be sealed. One letter each, in the prefix and in the clear header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// An access token.
    Access,
    /// An authorization code.
    Code,
    /// A device code.
    Device,
    /// A refresh token.
    Refresh,
    /// A session cookie.
    Session,
    /// A request that waits for a page: authorization, login, logout.
    Pending,
    /// The private part of a signing key.
    SigningKey,
    /// A copy that the directory publishes.
    Snapshot,
    /// A token that is a row of the ledger.
    Token,
    /// An access token that names the key by which requests are signed.
    Mac,
    /// A client's secret, where it has to be read again.
    ClientSecret,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::Access,
        Self::Code,
        Self::Device,
        Self::Refresh,
        Self::Session,
        Self::Pending,
        Self::SigningKey,
        Self::Snapshot,
        Self::Token,
        Self::Mac,
        Self::ClientSecret,
    ];

    /// What the sealed text begins with.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Access => "ema_",
            Self::Code => "emc_",
            Self::Device => "emd_",
            Self::Refresh => "emr_",
            Self::Session => "ems_",
            Self::Pending => "emp_",
            Self::SigningKey => "emk_",
            Self::Snapshot => "emx_",
            Self::Token => "emt_",
            Self::Mac => "emm_",
            Self::ClientSecret => "emh_",
        }
    }

    fn byte(self) -> u8 {
        match self {
            Self::Access => b'a',
            Self::Code => b'c',
            Self::Device => b'd',
            Self::Refresh => b'r',
            Self::Session => b's',
            Self::Pending => b'p',
            Self::SigningKey => b'k',
            Self::Snapshot => b'x',
            Self::Token => b't',
            Self::Mac => b'm',
            Self::ClientSecret => b'h',
        }
    }

    /// What is longer is not even decoded.
    fn longest(self) -> usize {
        match self {
            Self::Snapshot => LONGEST_SNAPSHOT,
            _ => LONGEST,
        }
    }

    /// Only access tokens are made for one resource, whose key may be handed to its owner.
    fn is_for_resource(self) -> bool {
        self == Self::Access
    }
}

/// Something that is sealed, and as which kind.
pub trait Sealable: Sized {
    /// Its kind; no two types share one.
    const KIND: Kind;

    /// The bytes that are sealed, if it can be written.
    fn write(&self) -> Option<Vec<u8>>;

    /// Reads what [`Self::write`] wrote.
    fn read(plain: &[u8]) -> Option<Self>;

    /// The resource it is made for, where its kind has one.
    fn resource(&self) -> Option<&str> {
        None
    }
}

/// Writes and reads a sealed thing as JSON.
macro_rules! sealed_as_json {
    () => {
        fn write(&self) -> Option<Vec<u8>> {
            serde_json::to_vec(self).ok()
        }

        fn read(plain: &[u8]) -> Option<Self> {
            $crate::message::read(plain).ok()
        }
    };
}
pub(crate) use sealed_as_json;

/// Why a text was not unsealed. Told apart by us, never by the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealRefused {
    /// Not the prefix of this kind.
    OtherKind,
    /// Not the layout: too short or long, not base64url, another version.
    Malformed,
    /// A root that is not in the list.
    UnknownRoot,
    /// The seal does not hold, or what is inside does not parse.
    Broken,
}

/// A value whose seal held. Only [`Keyring::unseal`] makes one.
#[derive(Debug)]
pub struct Unsealed<T> {
    value: T,
    id: TokenId,
    epoch: u32,
}

impl<T> Unsealed<T> {
    /// The value.
    #[must_use]
    pub fn value(&self) -> &T {
        &self.value
    }

    /// The value, by itself.
    #[must_use]
    pub fn into_value(self) -> T {
        self.value
    }

    /// The sealed thing's own id.
    #[must_use]
    pub fn id(&self) -> &TokenId {
        &self.id
    }

    /// The epoch it was sealed in.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Id, epoch and value.
    #[must_use]
    pub fn into_parts(self) -> (TokenId, u32, T) {
        (self.id, self.epoch, self.value)
    }
}

struct Root {
    id: [u8; ROOT_ID],
    prk: hkdf::Prk,
}

impl Root {
    /// The bytes of a key: of a kind, by its letter, or of marks.
    fn derive(
        &self,
        letter: u8,
        epoch: u32,
        tag: [u8; RESOURCE_TAG],
    ) -> Result<[u8; KIND_KEY], SealRefused> {
        let info = [LABEL, &[letter], &epoch.to_be_bytes(), &tag];
        let mut key = [0; KIND_KEY];
        self.prk
            .expand(&info, hmac::HMAC_SHA256)
            .and_then(|okm| okm.fill(&mut key))
            .map_err(|_| SealRefused::Broken)?;
        Ok(key)
    }
}

type KindKeyName = ([u8; ROOT_ID], u8, u32, [u8; RESOURCE_TAG]);

/// The roots, newest first, and what was made with them so far: kind keys, and opened tokens.
pub struct Keyring {
    issuer: String,
    newest: Root,
    older: Vec<Root>,
    derived: RefCell<BTreeMap<KindKeyName, hmac::Key>>,
    pub(super) opened: OpenedTexts,
}

/// The list of roots is empty, or one is shorter than 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnfitRoots;

impl Keyring {
    /// Takes the root secrets, newest first.
    ///
    /// # Errors
    /// [`UnfitRoots`].
    pub fn new(issuer: &str, roots: &[Secret]) -> Result<Self, UnfitRoots> {
        let mut read = Vec::new();
        for root in roots {
            if root.expose().len() < 32 {
                return Err(UnfitRoots);
            }
            let bytes = root.expose().as_bytes();
            let mut id = [0; ROOT_ID];
            let name = hmac::sign(
                &hmac::Key::new(hmac::HMAC_SHA256, bytes),
                b"edgemint/1 root",
            );
            id.copy_from_slice(name.as_ref().get(..ROOT_ID).ok_or(UnfitRoots)?);
            let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, LABEL);
            read.push(Root {
                id,
                prk: salt.extract(bytes),
            });
        }
        if read.is_empty() {
            return Err(UnfitRoots);
        }
        let newest = read.remove(0);
        Ok(Self {
            issuer: issuer.to_owned(),
            newest,
            older: read,
            derived: RefCell::default(),
            opened: OpenedTexts::default(),
        })
    }

    /// The name of the root that seals now.
    #[must_use]
    pub fn newest_root(&self) -> String {
        base64url::encode(self.newest.id)
    }

    /// Seals under the newest root. `id` must be fresh randomness, or derived so that the same id
    /// always comes with the same value.
    ///
    /// # Errors
    /// [`SealRefused::Broken`] if the value does not serialise.
    pub fn seal<T: Sealable>(
        &self,
        value: &T,
        epoch: u32,
        id: [u8; ID],
    ) -> Result<Secret, SealRefused> {
        let tag = value.resource().map(resource_tag).unwrap_or_default();
        let mut text = header(T::KIND, self.newest.id, epoch, tag);
        let key = own_key(&self.kind_key(&self.newest, T::KIND, epoch, tag)?, &id)?;
        let mut body = value.write().ok_or(SealRefused::Broken)?;
        if T::KIND.is_for_resource() {
            let mark = mark(&self.mark_key(&self.newest, epoch)?, &id, &body);
            body.extend_from_slice(&mark);
        }
        let aad = aead::Aad::from(associated(&text, &self.issuer));
        key.seal_in_place_append_tag(aead::Nonce::assume_unique_for_key([0; 12]), aad, &mut body)
            .map_err(|_| SealRefused::Broken)?;
        text.extend_from_slice(&id);
        text.extend_from_slice(&body);
        let mut sealed = String::from(T::KIND.prefix());
        sealed.push_str(&base64url::encode(&text));
        Ok(Secret::new(sealed))
    }

    /// Opens a sealed text as `T`. Whether it has expired or was revoked is for others to say.
    ///
    /// # Errors
    /// Why the text is not a `T` that this deployment sealed.
    pub fn unseal<T: Sealable>(&self, text: &str) -> Result<Unsealed<T>, SealRefused> {
        let mut sealed = Sealed::read(T::KIND, text)?;
        let Header {
            root,
            epoch,
            resource,
        } = sealed.header;
        let root = self
            .roots()
            .find(|known| known.id == root)
            .ok_or(SealRefused::UnknownRoot)?;
        let key = self.kind_key(root, T::KIND, epoch, resource)?;
        sealed.open(&key, Some(&self.mark_key(root, epoch)?), &self.issuer)
    }

    /// What only we can mark: no resource's key is derived this way, whatever the resource is called.
    fn mark_key(&self, root: &Root, epoch: u32) -> Result<hmac::Key, SealRefused> {
        self.derived_key(root, MARKED, epoch, Default::default())
    }

    /// The kind keys of access tokens for a resource, each with the name of its root.
    ///
    /// # Errors
    /// [`SealRefused::Broken`] if one cannot be derived.
    pub(super) fn kind_keys_of(
        &self,
        resource: &str,
        epoch: u32,
    ) -> Result<Vec<(String, [u8; KIND_KEY])>, SealRefused> {
        let tag = resource_tag(resource);
        let keys = self.roots().map(|root| {
            let key = root.derive(Kind::Access.byte(), epoch, tag)?;
            Ok((base64url::encode(root.id), key))
        });
        keys.collect()
    }

    /// The roots, newest first.
    fn roots(&self) -> impl Iterator<Item = &Root> {
        std::iter::once(&self.newest).chain(&self.older)
    }

    /// Whose seal it is.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// An id that is always the same for `name`, so that what is sealed under it can be made again.
    ///
    /// # Errors
    /// [`SealRefused::Broken`] if the key cannot be derived.
    pub fn derived_id(&self, kind: Kind, epoch: u32, name: &str) -> Result<[u8; ID], SealRefused> {
        let key = self.kind_key(&self.newest, kind, epoch, Default::default())?;
        let digest = hmac::sign(&key, format!("id {name}").as_bytes());
        Ok(beginning(digest.as_ref()))
    }

    /// A secret of 256 bits beside a sealed thing, for whoever that was issued to: derived from its id, under
    /// the root that sealed it, so that it need not be kept. Whether the seal holds is not asked.
    ///
    /// # Errors
    /// [`SealRefused`] for what is no such text.
    pub fn companion(&self, kind: Kind, text: &str) -> Result<Secret, SealRefused> {
        let sealed = Sealed::read(kind, text)?;
        let Header { root, epoch, .. } = sealed.header;
        let mut roots = self.roots();
        let root = roots.find(|known| known.id == root);
        let root = root.ok_or(SealRefused::UnknownRoot)?;
        let tag = resource_tag(kind.prefix());
        let key = self.derived_key(root, COMPANION, epoch, tag)?;
        let id = sealed.bytes.get(header_length(kind)..);
        let id = id.and_then(|rest| rest.first_chunk::<ID>());
        let id = id.ok_or(SealRefused::Malformed)?;
        Ok(Secret::new(base64url::encode(hmac::sign(&key, id))))
    }

    /// A tag over `message` that only this deployment can make, for a purpose of its own.
    ///
    /// # Errors
    /// [`SealRefused::Broken`] if the key cannot be derived.
    pub fn authenticate(&self, purpose: &str, message: &str) -> Result<String, SealRefused> {
        let key = self.kind_key(&self.newest, Kind::Pending, 0, resource_tag(purpose))?;
        Ok(base64url::encode(
            hmac::sign(&key, message.as_bytes()).as_ref(),
        ))
    }

    fn kind_key(
        &self,
        root: &Root,
        kind: Kind,
        epoch: u32,
        tag: [u8; RESOURCE_TAG],
    ) -> Result<hmac::Key, SealRefused> {
        self.derived_key(root, kind.byte(), epoch, tag)
    }

    fn derived_key(
        &self,
        root: &Root,
        letter: u8,
        epoch: u32,
        tag: [u8; RESOURCE_TAG],
    ) -> Result<hmac::Key, SealRefused> {
        let name = (root.id, letter, epoch, tag);
        if let Some(key) = self.derived.borrow().get(&name) {
            return Ok(key.clone());
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, &root.derive(letter, epoch, tag)?);
        let mut derived = self.derived.borrow_mut();
        if derived.len() >= MOST_KEYS {
            derived.clear();
        }
        derived.insert(name, key.clone());
        Ok(key)
    }
}

fn associated(head: &[u8], issuer: &str) -> Vec<u8> {
    let mut data = Vec::with_capacity(head.len() + issuer.len());
    data.extend_from_slice(head);
    data.extend_from_slice(issuer.as_bytes());
    data
}

/// What says that we sealed it, and not somebody who was given the resource's key.
fn mark(key: &hmac::Key, id: &[u8; ID], plain: &[u8]) -> [u8; MARK] {
    let mut context = hmac::Context::with_key(key);
    context.update(id);
    context.update(plain);
    beginning(context.sign().as_ref())
}

/// The first bytes of a digest, which is longer.
fn beginning<const LENGTH: usize>(digest: &[u8]) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    bytes
        .iter_mut()
        .zip(digest)
        .for_each(|(to, from)| *to = *from);
    bytes
}

/// The key of one sealed thing, by its id.
fn own_key(kind_key: &hmac::Key, id: &[u8]) -> Result<aead::LessSafeKey, SealRefused> {
    let own = hmac::sign(kind_key, id);
    aead::UnboundKey::new(&aead::CHACHA20_POLY1305, own.as_ref())
        .map(aead::LessSafeKey::new)
        .map_err(|_| SealRefused::Broken)
}

/// A text of the right layout, before anybody has looked whether its seal holds.
pub(super) struct Sealed {
    pub(super) header: Header,
    kind: Kind,
    bytes: Vec<u8>,
}

impl Sealed {
    pub(super) fn read(kind: Kind, text: &str) -> Result<Self, SealRefused> {
        let body = text
            .strip_prefix(kind.prefix())
            .ok_or(SealRefused::OtherKind)?;
        if body.len() > kind.longest() {
            return Err(SealRefused::Malformed);
        }
        let bytes = base64url::decode(body).map_err(|_| SealRefused::Malformed)?;
        let head = bytes.get(..header_length(kind));
        let header = head.and_then(|head| Header::read(kind, head));
        Ok(Self {
            header: header.ok_or(SealRefused::Malformed)?,
            kind,
            bytes,
        })
    }

    /// Opens it with the kind's key, and looks at our mark if the key of marks is known.
    pub(super) fn open<T: Sealable>(
        &mut self,
        kind_key: &hmac::Key,
        mark_key: Option<&hmac::Key>,
        issuer: &str,
    ) -> Result<Unsealed<T>, SealRefused> {
        let (head, rest) = self
            .bytes
            .split_at_mut_checked(header_length(self.kind))
            .ok_or(SealRefused::Malformed)?;
        let (id, sealed) = rest
            .split_first_chunk_mut::<ID>()
            .ok_or(SealRefused::Malformed)?;
        let aad = aead::Aad::from(associated(head, issuer));
        let plain = own_key(kind_key, id.as_slice())?
            .open_in_place(aead::Nonce::assume_unique_for_key([0; 12]), aad, sealed)
            .map_err(|_| SealRefused::Broken)?;
        let plain = match plain.split_last_chunk::<MARK>() {
            _ if !self.kind.is_for_resource() => &*plain,
            Some((plain, shown)) => {
                let right = |key| bool::from(mark(key, id, plain).ct_eq(shown));
                if !mark_key.is_none_or(right) {
                    return Err(SealRefused::Broken);
                }
                plain
            }
            None => return Err(SealRefused::Broken),
        };
        let value = T::read(plain).ok_or(SealRefused::Broken)?;
        if value.resource().map(resource_tag).unwrap_or_default() != self.header.resource {
            return Err(SealRefused::Broken);
        }
        Ok(Unsealed {
            value,
            id: TokenId::from(*id),
            epoch: self.header.epoch,
        })
    }
}

#[derive(Clone, Copy)]
pub(super) struct Header {
    pub(super) root: [u8; ROOT_ID],
    pub(super) epoch: u32,
    pub(super) resource: [u8; RESOURCE_TAG],
}

impl Header {
    fn read(kind: Kind, bytes: &[u8]) -> Option<Self> {
        let (start, rest) = bytes.split_at_checked(2)?;
        if start != [VERSION, kind.byte()] {
            return None;
        }
        let (root, rest) = rest.split_at_checked(ROOT_ID)?;
        let (epoch, rest) = rest.split_at_checked(4)?;
        Some(Self {
            root: root.try_into().ok()?,
            epoch: u32::from_be_bytes(epoch.try_into().ok()?),
            resource: if rest.is_empty() {
                Default::default()
            } else {
                rest.try_into().ok()?
            },
        })
    }
}

fn header(kind: Kind, root: [u8; ROOT_ID], epoch: u32, resource: [u8; RESOURCE_TAG]) -> Vec<u8> {
    let mut bytes = vec![VERSION, kind.byte()];
    bytes.extend_from_slice(&root);
    bytes.extend_from_slice(&epoch.to_be_bytes());
    if kind.is_for_resource() {
        bytes.extend_from_slice(&resource);
    }
    bytes
}

fn header_length(kind: Kind) -> usize {
    2 + ROOT_ID
        + 4
        + if kind.is_for_resource() {
            RESOURCE_TAG
        } else {
            0
        }
}

pub(super) fn resource_tag(resource: &str) -> [u8; RESOURCE_TAG] {
    let digest = ring::digest::digest(&ring::digest::SHA256, resource.as_bytes());
    beginning(digest.as_ref())
}

#[cfg(test)]
impl Sealed {
    /// What somebody with a kind key can make of whatever they like.
    pub(super) fn forge<T: Sealable>(
        &self,
        kind_key: &hmac::Key,
        value: &T,
        resource: &str,
        issuer: &str,
    ) -> String {
        let Header { root, epoch, .. } = self.header;
        let mut text = header(self.kind, root, epoch, resource_tag(resource));
        let id = [9; ID];
        let mut body = value.write().unwrap();
        body.extend_from_slice(&[7; MARK]);
        let aad = aead::Aad::from(associated(&text, issuer));
        own_key(kind_key, &id)
            .unwrap()
            .seal_in_place_append_tag(aead::Nonce::assume_unique_for_key([0; 12]), aad, &mut body)
            .unwrap();
        text.extend_from_slice(&id);
        text.extend_from_slice(&body);
        format!("{}{}", self.kind.prefix(), base64url::encode(&text))
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Note {
        aud: String,
    }

    impl Sealable for Note {
        const KIND: Kind = Kind::Access;
        sealed_as_json!();

        fn resource(&self) -> Option<&str> {
            Some(&self.aud)
        }
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Other {
        aud: String,
    }

    impl Sealable for Other {
        const KIND: Kind = Kind::Code;
        sealed_as_json!();
    }

    const ISSUER: &str = "https://issuer.example";
    const OLD: &str = "an older root secret of at least 32 bytes";
    const NEW: &str = "the newest root secret of at least 32 bytes";

    fn keyring(issuer: &str, roots: &[&str]) -> Keyring {
        let roots: Vec<Secret> = roots.iter().map(|root| Secret::new(*root)).collect();
        Keyring::new(issuer, &roots).unwrap()
    }

    fn note(resource: &str) -> Note {
        Note {
            aud: resource.to_owned(),
        }
    }

    fn sealed(keyring: &Keyring) -> String {
        keyring
            .seal(&note("https://api.example"), 7, [9; ID])
            .unwrap()
            .expose()
            .to_owned()
    }

    #[test]
    fn what_was_sealed_opens_with_its_id_and_epoch() {
        let keyring = keyring(ISSUER, &[NEW]);
        let opened: Unsealed<Note> = keyring.unseal(&sealed(&keyring)).unwrap();
        assert_eq!(opened.value(), &note("https://api.example"));
        assert_eq!(opened.epoch(), 7);
        assert_eq!(opened.id().as_str(), base64url::encode([9; ID]));
    }

    #[test]
    fn every_flipped_bit_is_refused() {
        let keyring = keyring(ISSUER, &[NEW]);
        let text = sealed(&keyring);
        let body = base64url::decode(text.strip_prefix("ema_").unwrap()).unwrap();
        for position in 0..body.len() * 8 {
            let mut bent = body.clone();
            bent[position / 8] ^= 1 << (position % 8);
            let bent = format!("ema_{}", base64url::encode(&bent));
            assert!(keyring.unseal::<Note>(&bent).is_err(), "bit {position}");
        }
    }

    #[test]
    fn every_truncation_and_extension_is_refused() {
        let keyring = keyring(ISSUER, &[NEW]);
        let text = sealed(&keyring);
        for length in 0..text.len() {
            assert!(
                keyring.unseal::<Note>(text.get(..length).unwrap()).is_err(),
                "{length}"
            );
        }
        for tail in ["A", "AA", "AAA", "AAAA", "=", ".", " "] {
            assert!(keyring.unseal::<Note>(&format!("{text}{tail}")).is_err());
        }
    }

    #[test]
    fn one_kind_is_never_opened_as_another() {
        let keyring = keyring(ISSUER, &[NEW]);
        let text = sealed(&keyring);
        assert_eq!(
            keyring.unseal::<Other>(&text).unwrap_err(),
            SealRefused::OtherKind
        );
        let renamed = text.replacen("ema_", "emc_", 1);
        assert!(keyring.unseal::<Other>(&renamed).is_err());
        // Not even when the header is rewritten to say so.
        let mut bytes = base64url::decode(text.strip_prefix("ema_").unwrap()).unwrap();
        bytes[1] = b'c';
        bytes.drain(10..26);
        let rewritten = format!("emc_{}", base64url::encode(&bytes));
        assert_eq!(
            keyring.unseal::<Other>(&rewritten).unwrap_err(),
            SealRefused::Broken
        );
    }

    #[test]
    fn no_two_kinds_share_a_prefix_or_a_letter() {
        for one in Kind::ALL {
            for other in Kind::ALL {
                assert_eq!(one == other, one.prefix() == other.prefix());
                assert_eq!(one == other, one.byte() == other.byte());
            }
        }
    }

    #[test]
    fn resource_epoch_and_root_cannot_be_swapped() {
        let keyring = keyring(ISSUER, &[NEW, OLD]);
        let text = sealed(&keyring);
        let body = base64url::decode(text.strip_prefix("ema_").unwrap()).unwrap();
        let with = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = body.clone();
            change(&mut bytes);
            keyring
                .unseal::<Note>(&format!("ema_{}", base64url::encode(&bytes)))
                .unwrap_err()
        };
        let old = self::keyring(ISSUER, &[OLD]);
        assert_eq!(
            with(&|bytes| bytes[2..6].copy_from_slice(&old.newest.id)),
            SealRefused::Broken
        );
        assert_eq!(
            with(&|bytes| bytes[6..10].copy_from_slice(&8_u32.to_be_bytes())),
            SealRefused::Broken
        );
        let other = resource_tag("https://other.example");
        assert_eq!(
            with(&|bytes| bytes[10..26].copy_from_slice(&other)),
            SealRefused::Broken
        );
        assert_eq!(with(&|bytes| bytes[0] = 2), SealRefused::Malformed);
    }

    #[test]
    fn another_issuers_seal_is_refused() {
        let text = sealed(&keyring(ISSUER, &[NEW]));
        let other = keyring("https://issuer.example/other", &[NEW]);
        assert_eq!(
            other.unseal::<Note>(&text).unwrap_err(),
            SealRefused::Broken
        );
    }

    #[test]
    fn an_older_root_still_opens_and_never_seals() {
        let before = keyring(ISSUER, &[OLD]);
        let after = keyring(ISSUER, &[NEW, OLD]);
        let done = keyring(ISSUER, &[NEW]);
        assert!(after.unseal::<Note>(&sealed(&before)).is_ok());
        assert_eq!(
            before.unseal::<Note>(&sealed(&after)).unwrap_err(),
            SealRefused::UnknownRoot
        );
        assert_eq!(
            done.unseal::<Note>(&sealed(&before)).unwrap_err(),
            SealRefused::UnknownRoot
        );
    }

    #[test]
    fn short_or_missing_roots_are_refused() {
        assert_eq!(Keyring::new(ISSUER, &[]).err(), Some(UnfitRoots));
        assert_eq!(
            Keyring::new(ISSUER, &[Secret::new("short")]).err(),
            Some(UnfitRoots)
        );
    }

    #[test]
    fn a_derived_id_depends_on_name_kind_and_epoch() {
        let keyring = keyring(ISSUER, &[NEW]);
        let id = keyring.derived_id(Kind::Refresh, 1, "family 1");
        assert_eq!(id, keyring.derived_id(Kind::Refresh, 1, "family 1"));
        assert_ne!(id, keyring.derived_id(Kind::Refresh, 1, "family 2"));
        assert_ne!(id, keyring.derived_id(Kind::Refresh, 2, "family 1"));
        assert_ne!(id, keyring.derived_id(Kind::Code, 1, "family 1"));
    }
}
