//! The directory's verbs: names are unique here, and what it commits it publishes.

use serde::{Deserialize, Serialize};

use serde_json::{Value, json};

use super::logouts::Waiting;
use super::verbs;
use crate::directory::keys::{KeyChange, KeyChanged};
use crate::directory::list::{ListQuery, Page};
use crate::directory::record::{Actor, Change, Changed, Fields};
use crate::directory::{Collection, Unfit};
use crate::jose::Algorithm;
use crate::model::{
    Client, ClientId, Profile, Scope, Seconds, Subject, SubjectFacts, UnixTime, Username, public_id,
};

/// How long a JWKS may be cached, and so how long a key is published before its first use.
pub const JWKS_CACHE: Seconds = Seconds(15 * 60);
/// The longest life of anything signed; a key is published this long after its last use.
pub const LONGEST_SIGNED: Seconds = Seconds(24 * 3600);

verbs! {
    /// What can be asked of the directory.
    DirectoryVerb,
    /// What it answers.
    DirectoryAnswer:
    CreateAccount => AccountCreated,
    FindAccount => Option<Account>,
    ChangeAccount => Option<SubjectFacts>,
    HasAccounts => bool,
    CreateClient => ClientCreated,
    FindClient => Option<Box<Client>>,
    ReplaceClient => ClientReplaced,
    ReadKeys => KeySet,
    AddKeys => KeySet,
    ChangeKey => KeyChanged,
    ChangeRecord => Changed,
    ReadRecord => Option<Fields>,
    ListRecords => Page,
    FindRecords => Vec<Fields>,
    ListAudit => Page,
    ExportRecords => Page,
    ImportRecords => Changed,
    NoteEvent => (),
    ReadQuotas => KeptQuotas,
    ChangeQuotas => bool,
}

/// Whether a verb may put something into the feed.
#[must_use]
pub fn changes_what_is_published(verb: &DirectoryVerb) -> bool {
    match verb {
        DirectoryVerb::ChangeAccount(_)
        | DirectoryVerb::ReplaceClient(_)
        | DirectoryVerb::AddKeys(_)
        | DirectoryVerb::ChangeKey(_)
        | DirectoryVerb::ChangeRecord(_)
        | DirectoryVerb::ImportRecords(_)
        | DirectoryVerb::ChangeQuotas(_) => true,
        DirectoryVerb::CreateAccount(_)
        | DirectoryVerb::FindAccount(_)
        | DirectoryVerb::HasAccounts(_)
        | DirectoryVerb::CreateClient(_)
        | DirectoryVerb::FindClient(_)
        | DirectoryVerb::ReadKeys(_)
        | DirectoryVerb::ReadRecord(_)
        | DirectoryVerb::ListRecords(_)
        | DirectoryVerb::FindRecords(_)
        | DirectoryVerb::ListAudit(_)
        | DirectoryVerb::ExportRecords(_)
        | DirectoryVerb::NoteEvent(_)
        | DirectoryVerb::ReadQuotas(_) => false,
    }
}

/// A person with a password.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// What the shard knows, too.
    pub facts: SubjectFacts,
    /// Argon2id, PHC string.
    pub password_hash: String,
}

/// Creates an account, chooses its shard and publishes it there.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CreateAccount {
    /// The name for good.
    pub subject: Subject,
    /// The login name.
    pub username: Username,
    /// Argon2id, PHC string.
    pub password_hash: String,
    /// Scopes held directly.
    pub scope: Scope,
    /// Names of roles.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Claims.
    pub profile: Profile,
    /// Only if there is no account at all: the first administrator.
    pub first_only: bool,
}

/// What creating did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountCreated {
    /// The account. Also the answer to the same request repeated.
    Created(Box<SubjectFacts>),
    /// Somebody has the username.
    NameTaken,
    /// It was to be the first, and is not.
    NotFirst,
    /// It names a scope or a role that does not exist.
    Unfit(Unfit),
}

/// The account of a username.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FindAccount {
    /// Whose.
    pub username: Username,
}

/// Whether there is any account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HasAccounts {}

/// Changes an account; answers its new facts. A new password or an end of activity raises the
/// generation, which ends every session and token of before.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChangeAccount {
    /// Whose.
    pub subject: Subject,
    /// A new Argon2id hash.
    pub password_hash: Option<String>,
    /// Whether it may do anything.
    pub active: Option<bool>,
    /// Scopes held directly.
    pub scope: Option<Scope>,
}

/// Registers a client, version 1.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CreateClient {
    /// It.
    pub client: Client,
}

/// What registering did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientCreated {
    /// It is registered. Also the answer to the same request repeated.
    Created,
    /// The id is taken.
    IdTaken,
}

/// The client of an id.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FindClient {
    /// Which.
    pub id: ClientId,
}

/// Replaces a client, if `client.version` is one more than the stored one. A raised generation
/// ends everything issued to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReplaceClient {
    /// The new state.
    pub client: Client,
}

/// What replacing did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientReplaced {
    /// Done. Also the answer to the same request repeated.
    Replaced,
    /// Somebody else changed it in between.
    OutOfDate,
    /// There is no such client.
    Unknown,
}

/// Makes, changes or deletes a record, as the rules of [`crate::directory::records`] say.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChangeRecord {
    /// Of which kind.
    pub collection: Collection,
    /// What is to be.
    pub change: Change,
    /// Who wants it.
    pub actor: Actor,
}

/// One record, or something that is told of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReadRecord {
    /// Of which kind.
    pub collection: Collection,
    /// Which.
    pub id: u64,
    /// What of it.
    #[serde(default)]
    pub part: Part,
}

/// What is told of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Itself.
    #[default]
    Record,
    /// What refers to it, as `used_by`.
    UsedBy,
    /// A provider's secrets, but not what they are, as `secrets`.
    Secrets,
}

/// Some records.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListRecords {
    /// Of which kind.
    pub collection: Collection,
    /// Which, in which order.
    pub query: ListQuery,
}

/// The records with these values of a unique field, as they are answered; those that there are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FindRecords {
    /// Of which kind.
    pub collection: Collection,
    /// The field.
    pub field: String,
    /// Values of it.
    pub values: Vec<String>,
}

/// Lines of the history, the newest first. Filters are `actor`, `collection`, `record` and `request`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListAudit {
    /// Which.
    pub query: ListQuery,
}

/// Copies of records, as [`crate::directory::copy`] says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExportRecords {
    /// Those that follow this one.
    pub after: (Collection, u64),
    /// At most so many.
    pub limit: u64,
}

/// Writes copies of records, as the rules of [`crate::directory::copy`] say: all or none.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ImportRecords {
    /// The copies, in order.
    pub copies: Vec<Fields>,
    /// Who wants it.
    pub actor: Actor,
}

/// Notes something in the history that changes no record; once for a request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NoteEvent {
    /// What.
    pub event: Event,
    /// Who did it.
    pub actor: Actor,
}

/// What overrides quotas.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReadQuotas {}

/// What overrides quotas, as it is kept.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct KeptQuotas {
    /// Raised with every change; 0 as long as there was none.
    pub version: u64,
    /// The document of [`crate::model::Quotas`], if there is one.
    pub overrides: Option<Fields>,
    /// The version that it had where it was exported, if it came by an import.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<u64>,
}

/// Overrides quotas by this document from now on, or by none; answers whether there is or was one. Also
/// the answer to the same request repeated.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChangeQuotas {
    /// The document, which was read before.
    pub overrides: Option<Fields>,
    /// Who wants it.
    pub actor: Actor,
}

/// What happens to a deployment and is no change of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// This epoch has begun.
    Epoch(u32),
    /// The key of this resource was handed out.
    ResourceKey(String),
    /// A client was not told that a session has ended, for good.
    LogoutUndelivered(Box<Waiting>),
}

impl Event {
    /// Its kind, in place of a collection.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Epoch(_) => "epoch",
            Self::ResourceKey(_) => "resource_keys",
            Self::LogoutUndelivered(_) => "backchannel_logouts",
        }
    }

    /// Its number, in place of a record's.
    #[must_use]
    pub fn number(&self) -> u64 {
        match self {
            Self::Epoch(epoch) => u64::from(*epoch),
            Self::ResourceKey(_) | Self::LogoutUndelivered(_) => 0,
        }
    }

    /// What else is to be said of it.
    #[must_use]
    pub fn told(&self) -> Option<Value> {
        match self {
            Self::Epoch(_) => None,
            Self::ResourceKey(resource) => Some(json!({ "resource": resource })),
            Self::LogoutUndelivered(waiting) => Some(json!({
                "client_id": waiting.notice.client,
                "sub": waiting.notice.sub,
                "session": public_id(waiting.notice.session.as_str()),
                "attempts": waiting.attempts,
                "reason": waiting.failed,
            })),
        }
    }
}

/// The signing keys.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReadKeys {}

/// Adds keys: the first of each algorithm, or successors.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AddKeys {
    /// Made by the caller, private parts wrapped.
    pub keys: Vec<StoredKey>,
    /// Whether they take over from those in force; else only what has no key gets one.
    pub rotate: bool,
    /// Whether they do so at once, and the keys of before are published no longer: what those
    /// signed is refused within the revocation bound. For a key that leaked.
    #[serde(default)]
    pub at_once: bool,
    /// Who wants it; nobody, where keys are made on first need.
    #[serde(default)]
    pub actor: Option<Actor>,
}

/// Adds or retires one key, as the rules of [`crate::directory::keys`] say.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChangeKey {
    /// What is to be.
    pub change: KeyChange,
    /// Who wants it.
    pub actor: Actor,
}

/// A signing key at rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredKey {
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// The public JWK, as JSON text.
    pub public: String,
    /// The private part, sealed; empty where only public parts are told.
    pub wrapped: String,
    /// Signs from here on.
    pub signs_from: UnixTime,
    /// Is published until here; `None` while nothing succeeds it.
    pub published_until: Option<UnixTime>,
}

/// The keys in force and the ones still published.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct KeySet {
    /// Raised with every change.
    pub version: u64,
    /// All of them.
    pub keys: Vec<StoredKey>,
}

impl KeySet {
    /// The key that signs now: the newest whose time has come. Where the clock is behind that of whoever
    /// made the first one, nothing has come yet, and the first one signs.
    #[must_use]
    pub fn signing(&self, algorithm: Algorithm, now: UnixTime) -> Option<&StoredKey> {
        let keys = || self.keys.iter().filter(|key| key.algorithm == algorithm);
        keys()
            .filter(|key| key.signs_from <= now)
            .max_by_key(|key| key.signs_from)
            .or_else(|| keys().min_by_key(|key| key.signs_from))
    }

    /// The keys that the JWKS shows now.
    pub fn published(&self, now: UnixTime) -> impl Iterator<Item = &StoredKey> {
        self.keys
            .iter()
            .filter(move |key| key.published_until.is_none_or(|end| now < end))
    }

    /// Adds keys as [`AddKeys`] says. The set is of another version if there are new ones.
    pub fn add(&mut self, added: &AddKeys, now: UnixTime) {
        let mut changed = false;
        for key in &added.keys {
            if self.keys.iter().any(|known| known.kid == key.kid) {
                continue;
            }
            let first = !self
                .keys
                .iter()
                .any(|known| known.algorithm == key.algorithm);
            if !first && !added.rotate {
                continue;
            }
            // The first has no cache to wait for: nobody has read a JWKS without it. After a leak a
            // cache that lacks the new key is the lesser evil.
            let waits = !first && !added.at_once;
            let signs_from = if waits { now + JWKS_CACHE } else { now };
            let retires = if added.at_once {
                now
            } else {
                signs_from + LONGEST_SIGNED
            };
            for old in self
                .keys
                .iter_mut()
                .filter(|old| old.algorithm == key.algorithm)
            {
                let end = old.published_until.get_or_insert(retires);
                *end = retires.min(*end);
            }
            self.keys.push(StoredKey {
                signs_from,
                published_until: None,
                ..key.clone()
            });
            changed = true;
        }
        self.keys
            .retain(|key| key.published_until.is_none_or(|end| now < end));
        self.version += u64::from(changed);
    }
}
