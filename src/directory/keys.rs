//! The rules by which one signing key is added or retired: what signs has a successor before it goes,
//! and what is published is published long enough.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::record::Actor;
use crate::jose::{PublicKey, base64url};
use crate::model::UnixTime;
use crate::ports::directory::{AddKeys, KeySet, LONGEST_SIGNED, StoredKey};

/// Keys that are published at once, when one more is to be made or imported: every check of a signature
/// of ours reads them all, and so does whoever fetches the JWKS. Rotating goes on beyond it, because
/// after a leak it has to.
const MOST: usize = 32;

/// What is done to a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyChange {
    /// One more: the first of its algorithm signs at once, another takes over when every cache of the
    /// JWKS has it.
    Add(StoredKey),
    /// No more, by its `kid` or its `pk`: it leaves the JWKS, and nothing that it signed is accepted.
    Retire(String),
    /// Those of another deployment, or of this one before: as they are where there is none of their
    /// algorithm; else each that has no successor becomes one, and the others are published.
    Restore(Vec<StoredKey>),
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyChanged {
    /// The key as it is now, or as it was before it went; its public facts. Also the answer to the
    /// same request repeated.
    Done(StoredKey),
    /// So many were restored; the others are there already, or their time is over.
    Restored(usize),
    /// It is there already.
    Known,
    /// There are as many as there may be.
    Full,
    /// It is the one that signs now.
    Signs,
    /// There is no such key.
    Unknown,
}

/// What a key is there for at some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It is in the JWKS, and signs when caches have it.
    Waiting,
    /// It signs.
    Signing,
    /// It signs no more, and is in the JWKS while something that it signed may live.
    Published,
}

impl KeyState {
    /// Its word in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Signing => "signing",
            Self::Published => "published",
        }
    }
}

/// A line of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyAudited<'a> {
    /// Who; nobody, where keys were made on first need.
    pub actor: Option<&'a Actor>,
    /// What it was, its public facts; nothing when it is new.
    pub before: Option<StoredKey>,
    /// What it is; nothing when it is gone.
    pub after: Option<StoredKey>,
}

impl KeyChange {
    /// Whether it adds a key; else it takes one away.
    #[must_use]
    pub fn adds(&self) -> bool {
        !matches!(self, Self::Retire(_))
    }

    /// The answer to a request that did this before. The keys are those that it added, or took away.
    #[must_use]
    pub fn done_by(&self, keys: Vec<StoredKey>) -> Option<KeyChanged> {
        let asked = match self {
            Self::Add(key) => &key.kid,
            Self::Retire(name) => name,
            Self::Restore(asked) => {
                let asked = |key: &&StoredKey| asked.iter().any(|asked| asked.kid == key.kid);
                let restored = keys.iter().filter(asked).count();
                return (restored > 0).then_some(KeyChanged::Restored(restored));
            }
        };
        let mut keys = keys.into_iter();
        keys.find(|key| key.is_called(asked)).map(KeyChanged::Done)
    }
}

impl StoredKey {
    /// A key with its private part sealed, not in any set yet. The public half has a name.
    #[must_use]
    pub fn new(public: &PublicKey, wrapped: String) -> Self {
        Self {
            kid: public.kid().unwrap_or_default().to_owned(),
            algorithm: public.algorithm(),
            public: Value::Object(public.to_members()).to_string(),
            wrapped,
            signs_from: UnixTime(0),
            published_until: None,
        }
    }

    /// What others refer to it by: a UUID (RFC 9562 §5.8) of the first octets of its thumbprint.
    /// Empty if its `kid` is no thumbprint, which no key of ours has.
    #[must_use]
    pub fn pk(&self) -> String {
        let thumbprint = base64url::decode(&self.kid).unwrap_or_default();
        let Some(octets) = thumbprint.first_chunk::<16>() else {
            return String::new();
        };
        let number = u128::from_be_bytes(*octets);
        let (rest, node) = (number >> 48, number & 0xffff_ffff_ffff);
        let version = 0x8000 | (rest >> 16 & 0x0fff);
        let variant = 0x8000 | (rest & 0x3fff);
        let (high, middle) = (rest >> 48, rest >> 32 & 0xffff);
        format!("{high:08x}-{middle:04x}-{version:04x}-{variant:04x}-{node:012x}")
    }

    /// Whether this is its `kid` or its `pk`.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        !name.is_empty() && (self.kid == name || self.pk() == name)
    }

    /// The key without its private part.
    #[must_use]
    pub fn told(&self) -> Self {
        Self {
            wrapped: String::new(),
            ..self.clone()
        }
    }
}

impl KeySet {
    /// What a key of this set is there for.
    #[must_use]
    pub fn state(&self, key: &StoredKey, now: UnixTime) -> KeyState {
        match self.signing(key.algorithm, now) {
            Some(signing) if signing.kid == key.kid => KeyState::Signing,
            _ if key.signs_from > now => KeyState::Waiting,
            _ => KeyState::Published,
        }
    }

    /// Adds or retires one key. The set is of another version if that changed what is published.
    pub fn change(&mut self, change: &KeyChange, now: UnixTime) -> KeyChanged {
        self.keys
            .retain(|key| key.published_until.is_none_or(|end| now < end));
        match change {
            KeyChange::Add(key) => self.add_one(key, now),
            KeyChange::Retire(name) => self.retire(name, now),
            KeyChange::Restore(keys) => self.restore(keys, now),
        }
    }

    /// The lines that the history gets for what changed since `before`.
    #[must_use]
    pub fn audit<'a>(&self, before: &Self, actor: Option<&'a Actor>) -> Vec<KeyAudited<'a>> {
        let mut lines: Vec<KeyAudited<'a>> = Vec::new();
        for key in &self.keys {
            lines.push(KeyAudited {
                actor,
                before: None,
                after: Some(key.told()),
            });
        }
        for key in &before.keys {
            let key = Some(key.told());
            let is_it = |line: &&mut KeyAudited<'a>| kid(line.after.as_ref()) == kid(key.as_ref());
            match lines.iter_mut().find(is_it) {
                Some(line) => line.before = key,
                None => lines.push(KeyAudited {
                    actor,
                    before: key,
                    after: None,
                }),
            }
        }
        lines.retain(|line| line.before != line.after);
        lines
    }

    fn add_one(&mut self, key: &StoredKey, now: UnixTime) -> KeyChanged {
        if self.keys.iter().any(|known| known.kid == key.kid) {
            return KeyChanged::Known;
        }
        if self.keys.len() >= MOST {
            return KeyChanged::Full;
        }
        let add = AddKeys {
            keys: vec![key.clone()],
            rotate: true,
            at_once: false,
            actor: None,
        };
        self.add(&add, now);
        let added = self.keys.last().unwrap_or(key);
        KeyChanged::Done(added.told())
    }

    fn restore(&mut self, keys: &[StoredKey], now: UnixTime) -> KeyChanged {
        let known = self.keys.clone();
        let is_new = |key: &&StoredKey| {
            // Without its private part it cannot sign, and has nothing to wait for.
            let signs = key.published_until.is_none() && !key.wrapped.is_empty();
            let lives = signs || key.published_until.is_some_and(|end| now < end);
            lives && !known.iter().any(|known| known.kid == key.kid)
        };
        let new: Vec<StoredKey> = keys.iter().filter(is_new).cloned().collect();
        if known.len() + new.len() > MOST {
            return KeyChanged::Full;
        }
        let mut successors = Vec::new();
        for mut key in new.iter().cloned() {
            let first = !known.iter().any(|known| known.algorithm == key.algorithm);
            match key.published_until {
                None if !first => successors.push(key),
                until => {
                    if until.is_some() && !first {
                        // What signs is the newest: this one never is.
                        key.signs_from = UnixTime(0);
                    }
                    self.keys.push(key);
                }
            }
        }
        let add = AddKeys {
            keys: successors,
            rotate: true,
            at_once: false,
            actor: None,
        };
        let version = self.version;
        self.add(&add, now);
        self.version = version + u64::from(!new.is_empty());
        KeyChanged::Restored(new.len())
    }

    fn retire(&mut self, name: &str, now: UnixTime) -> KeyChanged {
        let position = self.keys.iter().position(|key| key.is_called(name));
        let Some((position, key)) = position.and_then(|at| Some((at, self.keys.get(at)?))) else {
            return KeyChanged::Unknown;
        };
        if self.state(key, now) == KeyState::Signing {
            return KeyChanged::Signs;
        }
        let gone = self.keys.remove(position);
        // Those that it was to succeed sign on, and are published for as long as that asks.
        let would_have_ended = Some(gone.signs_from + LONGEST_SIGNED);
        let waited = gone.signs_from > now;
        let mut end = None;
        for key in self.keys.iter_mut().rev() {
            if key.algorithm != gone.algorithm {
                continue;
            }
            if waited && key.published_until == would_have_ended {
                key.published_until = end;
            }
            let successor = key.signs_from + LONGEST_SIGNED;
            end = Some(end.map_or(successor, |end| successor.min(end)));
        }
        self.version += 1;
        KeyChanged::Done(gone.told())
    }
}

fn kid(key: Option<&StoredKey>) -> Option<&str> {
    key.map(|key| key.kid.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::Algorithm;
    use crate::ports::directory::JWKS_CACHE;

    fn key(kid: &str) -> StoredKey {
        StoredKey {
            kid: kid.to_owned(),
            algorithm: Algorithm::EdDsa,
            public: "{}".to_owned(),
            wrapped: "sealed".to_owned(),
            signs_from: UnixTime(0),
            published_until: None,
        }
    }

    fn set(kids: &[&str]) -> KeySet {
        let mut set = KeySet::default();
        for kid in kids {
            set.change(&KeyChange::Add(key(kid)), UnixTime(1_000));
        }
        set
    }

    fn end(set: &KeySet, kid: &str) -> Option<UnixTime> {
        let mut keys = set.keys.iter();
        keys.find(|key| key.kid == kid).unwrap().published_until
    }

    #[test]
    fn a_pk_is_a_uuid_of_version_8_made_of_the_thumbprint() {
        let named = |octets: [u8; 32]| key(&base64url::encode(octets)).pk();
        assert_eq!(named([0; 32]), "00000000-0000-8000-8000-000000000000");
        assert_eq!(named([0xff; 32]), "ffffffff-ffff-8fff-bfff-ffffffffffff");
        let counted = core::array::from_fn(|at| u8::try_from(at).unwrap());
        assert_eq!(named(counted), "00010203-0405-8607-8809-0a0b0c0d0e0f");
        assert!(!key("no thumbprint").is_called(""));
    }

    #[test]
    fn who_was_to_have_a_successor_and_has_none_is_published_on() {
        let mut set = set(&["a", "b", "c"]);
        let first = UnixTime(1_000) + JWKS_CACHE + LONGEST_SIGNED;
        assert_eq!((end(&set, "a"), end(&set, "b")), (Some(first), Some(first)));
        let retire = |set: &mut KeySet, kid: &str| {
            let done = set.change(&KeyChange::Retire(kid.to_owned()), UnixTime(1_001));
            assert!(matches!(done, KeyChanged::Done(_)), "{kid}: {done:?}");
        };
        retire(&mut set, "b");
        assert_eq!((end(&set, "a"), end(&set, "c")), (Some(first), None));
        retire(&mut set, "c");
        assert_eq!(end(&set, "a"), None, "it signs for as long as it is alone");
    }

    #[test]
    fn retiring_one_that_is_published_changes_no_other() {
        let mut set = set(&["a", "b"]);
        let now = UnixTime(1_000) + JWKS_CACHE;
        set.change(&KeyChange::Add(key("c")), now);
        let before = set.clone();
        set.change(&KeyChange::Retire("a".to_owned()), now);
        assert_eq!(set.keys, before.keys.get(1..).unwrap());
    }

    #[test]
    fn where_there_is_none_keys_are_restored_as_they_were() {
        let source = set(&["a", "b"]);
        let mut here = KeySet::default();
        let restore = KeyChange::Restore(source.keys.clone());
        let now = UnixTime(1_000);
        assert_eq!(here.change(&restore, now), KeyChanged::Restored(2));
        assert_eq!((&here.keys, here.version), (&source.keys, 1));
        assert_eq!(here.change(&restore, now), KeyChanged::Restored(0));
        assert_eq!(here.version, 1, "nothing was published anew");
    }

    #[test]
    fn beside_others_a_restored_key_waits_and_one_that_had_a_successor_never_signs() {
        let source = set(&["a", "b"]);
        let later = UnixTime(1_000) + JWKS_CACHE;
        let mut here = KeySet::default();
        here.change(&KeyChange::Add(key("own")), UnixTime(10));
        here.change(&KeyChange::Restore(source.keys.clone()), later);
        let state = |now, kid| {
            let mut keys = here.keys.iter();
            here.state(keys.find(|key| key.kid == kid).unwrap(), now)
        };
        assert_eq!(state(later, "own"), KeyState::Signing);
        assert_eq!(state(later, "a"), KeyState::Published);
        assert_eq!(state(later, "b"), KeyState::Waiting);
        assert_eq!(state(later + JWKS_CACHE, "b"), KeyState::Signing);
        // Its time is over, or its private part is lost with a root.
        let mut empty = KeySet::default();
        let mut lost = source.keys.clone();
        lost.iter_mut().for_each(|key| key.wrapped.clear());
        let much_later = later + LONGEST_SIGNED;
        let restored = empty.change(&KeyChange::Restore(lost), much_later);
        assert_eq!(restored, KeyChanged::Restored(0));
    }

    #[test]
    fn there_is_a_limit_and_it_counts_what_is_published() {
        let kids: Vec<String> = (0..=MOST).map(|number| number.to_string()).collect();
        let mut set = set(&[]);
        let add = |set: &mut KeySet, kid: &String, now| set.change(&KeyChange::Add(key(kid)), now);
        let (last, fitting) = kids.split_last().unwrap();
        for kid in fitting {
            assert!(matches!(
                add(&mut set, kid, UnixTime(1_000)),
                KeyChanged::Done(_)
            ));
        }
        assert_eq!(add(&mut set, last, UnixTime(1_000)), KeyChanged::Full);
        let later = UnixTime(1_000) + JWKS_CACHE + LONGEST_SIGNED;
        assert!(matches!(add(&mut set, last, later), KeyChanged::Done(_)));
    }

    #[test]
    fn the_history_says_who_did_what_and_has_no_private_part() {
        let before = set(&["a"]);
        let mut after = before.clone();
        let added = after.change(&KeyChange::Add(key("b")), UnixTime(1_001));
        let actor = Actor {
            name: "ada".to_owned(),
            address: None,
        };
        let lines = after.audit(&before, Some(&actor));
        let kids: Vec<_> = lines.iter().map(|line| kid(line.after.as_ref())).collect();
        assert_eq!(
            kids,
            [Some("a"), Some("b")],
            "who is succeeded changes, too"
        );
        assert!(!format!("{lines:?}").contains("sealed"));
        let keys: Vec<StoredKey> = lines.into_iter().filter_map(|line| line.after).collect();
        let add = |kid| KeyChange::Add(key(kid));
        assert_eq!(add("b").done_by(keys.clone()), Some(added));
        assert_eq!(add("c").done_by(keys), None);
        let gone = before.audit(&after, None);
        assert!(gone.iter().any(|line| line.after.is_none()));
    }
}
