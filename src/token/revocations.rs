//! A copy of the revocation feed, and the verdict it gives without asking anybody.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::access::AccessToken;
use crate::model::{
    ClientId, GrantId, Moment, Seconds, SessionId, Subject, TokenId, TokenKey, UnixTime,
};
use crate::ports::tokens::{Origin, TokenFacts, TokenRow};

/// One line of the feed. What was minted below a generation, or is named, is dead.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Revocation {
    /// Everything of this subject below the generation.
    Subject(Subject, u64),
    /// Everything issued to this client below the generation.
    Client(ClientId, u64),
    /// Everything that this role gave below the generation.
    Role(String, u64),
    /// Everything with this scope below the generation.
    Scope(String, u64),
    /// A grant and all its tokens.
    Grant(GrantId),
    /// A session and all that is bound to it.
    Session(SessionId),
    /// One access token, and when it expires: a line that ends nothing any more is not kept.
    Token(TokenId, UnixTime),
    /// Not a death: cookies of this session below the generation no longer count.
    Handle(SessionId, u64),
    /// Not a death: copies of this client below the version are old.
    ClientVersion(ClientId, u64),
    /// Not a death: copies of the signing keys below the version are old.
    KeysVersion(u64),
    /// Not a death: copies of what is known of this subject below the version are old.
    SubjectVersion(Subject, u64),
    /// Not a death: copies of the overrides of quotas below the version are old.
    QuotasVersion(u64),
    /// A token that is a row of the ledger.
    TokenRow(TokenKey),
    /// Not a death: copies of this token's row below the version are old.
    TokenVersion(TokenKey, u64),
}

impl Revocation {
    /// Whether it ends anything; the others say which copies are old.
    #[must_use]
    pub fn is_an_end(&self) -> bool {
        !matches!(
            self,
            Self::Handle(..)
                | Self::ClientVersion(..)
                | Self::KeysVersion(_)
                | Self::SubjectVersion(..)
                | Self::QuotasVersion(_)
                | Self::TokenVersion(..)
        )
    }

    /// Until when the feed and its copies keep a line that was put there at `now`.
    #[must_use]
    pub fn kept_until(&self, now: UnixTime) -> UnixTime {
        let longest = now + KEPT;
        match self {
            Self::Token(_, expires_at) => longest.min(*expires_at),
            _ => longest,
        }
    }
}

/// How long a line is kept. No access token lives longer; whatever does is a handle whose row is
/// read again at least hourly.
pub const KEPT: Seconds = Seconds(24 * 3600);

/// What the feed answers to "what is new since N?".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedAnswer {
    /// Which feed this is; a new one means that the old numbers mean nothing.
    pub feed: String,
    /// Everything sealed in an earlier epoch is dead.
    pub epoch: u32,
    /// The number that the entries follow on from.
    pub after: u64,
    /// The number of the last of them.
    pub head: u64,
    /// Whether the entries begin with the first there is, not with what is new.
    pub full: bool,
    /// Whether there are more behind `head`: an answer has a bounded size.
    pub more: bool,
    /// The entries.
    pub entries: Vec<Revocation>,
}

impl FeedAnswer {
    /// Adds the answer to the question that this one's `head` led to; answers whether they join.
    #[must_use]
    pub fn extend(&mut self, next: Self) -> bool {
        let joins = next.feed == self.feed && !next.full && next.after == self.head;
        if joins {
            self.epoch = next.epoch;
            self.head = next.head;
            self.more = next.more;
            self.entries.extend(next.entries);
        }
        joins
    }
}

/// A copy of the feed.
#[derive(Debug, Clone, Default)]
pub struct Revocations {
    feed: String,
    epoch: u32,
    cursor: u64,
    asked_at: Moment,
    generations: Kinds<Raised>,
    named: Kinds<UnixTime>,
    pruned_at: UnixTime,
}

/// What lines say, by kind and name.
type Kinds<T> = BTreeMap<u8, BTreeMap<String, T>>;

fn retain<T>(kinds: &mut Kinds<T>, keep: impl Fn(&T) -> bool) {
    for names in kinds.values_mut() {
        names.retain(|_, value| keep(value));
    }
}

#[derive(Debug, Clone, Copy)]
struct Raised {
    generation: u64,
    kept_until: UnixTime,
}

/// How often lines that end nothing any more are looked for, which reads the whole copy.
const PRUNED_EVERY: Seconds = Seconds(60);
/// How much older than the newest question a request may be that is still under way: its clock
/// stands where it began, and what expired since is alive for it.
const STILL_ASKED: Seconds = Seconds(60);

const SUBJECT: u8 = b'u';
const CLIENT: u8 = b'c';
const ROLE: u8 = b'r';
const SCOPE: u8 = b's';
const GRANT: u8 = b'g';
const SESSION: u8 = b'e';
const TOKEN: u8 = b't';
const HANDLE: u8 = b'h';
const CLIENT_VERSION: u8 = b'v';
const KEYS_VERSION: u8 = b'k';
const SUBJECT_VERSION: u8 = b'p';
const QUOTAS_VERSION: u8 = b'q';
const TOKEN_ROW: u8 = b'w';
const TOKEN_VERSION: u8 = b'n';

impl Revocations {
    /// Takes a whole answer to a question that was sent at `asked_at`; answers whether the copy is at
    /// least as new as that now. Several questions can be under way, and their answers come in any
    /// order: the one to an earlier question takes nothing back, and one that does not join what
    /// is here would leave a gap for good.
    #[must_use]
    pub fn learn(&mut self, answer: FeedAnswer, asked_at: Moment) -> bool {
        let same = answer.feed == self.feed;
        if answer.full {
            let late = if same {
                // A raised epoch has no number.
                (answer.head < self.cursor || answer.epoch < self.epoch)
                    && asked_at <= self.asked_at
            } else {
                asked_at < self.asked_at
            };
            if late {
                return true;
            }
            *self = Self::default();
        } else if !same || self.cursor < answer.after {
            return false;
        }
        self.cursor = self.cursor.max(answer.head);
        self.epoch = self.epoch.max(answer.epoch);
        self.asked_at = self.asked_at.max(asked_at);
        self.feed = answer.feed;
        let now = asked_at.unix();
        for entry in answer.entries {
            self.add(entry, now);
        }
        if now >= self.pruned_at + PRUNED_EVERY {
            self.pruned_at = now;
            let over = |kept_until: UnixTime| kept_until + STILL_ASKED < now;
            retain(&mut self.named, |kept_until| !over(*kept_until));
            retain(&mut self.generations, |raised| !over(raised.kept_until));
        }
        true
    }

    /// How many lines the copy has.
    #[must_use]
    pub fn len(&self) -> usize {
        let named = self.named.values().map(BTreeMap::len);
        let generations = self.generations.values().map(BTreeMap::len);
        named.chain(generations).sum()
    }

    /// Whether nothing has been revoked that could still live.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.named.is_empty() && self.generations.is_empty()
    }

    /// The question to ask: which feed was read, up to where.
    #[must_use]
    pub fn position(&self) -> (&str, u64) {
        (&self.feed, self.cursor)
    }

    /// The epoch to mint in.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// How old the copy is, in milliseconds, from when its question was sent.
    #[must_use]
    pub fn age(&self, now: Moment) -> u64 {
        now.since(self.asked_at)
    }

    /// Whether something sealed in `epoch` is from before a restore.
    #[must_use]
    pub fn ends_epoch(&self, epoch: u32) -> bool {
        epoch < self.epoch
    }

    /// Whether the token is dead.
    #[must_use]
    pub fn ends_token(&self, id: &TokenId, epoch: u32, token: &AccessToken) -> bool {
        if self.ends_epoch(epoch) {
            return true;
        }
        if self.is_empty() {
            return false;
        }
        let generations = &token.generations;
        self.names(TOKEN, id.as_str())
            || token
                .grant
                .as_ref()
                .is_some_and(|grant| self.names(GRANT, grant.as_str()))
            || token
                .session
                .as_ref()
                .is_some_and(|session| self.names(SESSION, session.as_str()))
            || self.raised(SUBJECT, &token.sub) > generations.subject
            || self.raised(CLIENT, token.client.as_str()) > generations.client
            || generations
                .roles
                .iter()
                .any(|(role, minted)| self.raised(ROLE, role) > *minted)
            || token.scope.iter().any(|scope| {
                let minted = generations.scopes.get(scope).copied().unwrap_or_default();
                self.raised(SCOPE, scope) > minted
            })
    }

    /// Whether the cookie of this session and generation is dead.
    #[must_use]
    pub fn ends_session(&self, session: &SessionId, generation: u64) -> bool {
        self.names(SESSION, session.as_str()) || self.raised(HANDLE, session.as_str()) > generation
    }

    /// Whether everything of the subject below `generation` is dead.
    #[must_use]
    pub fn ends_subject(&self, subject: &Subject, generation: u64) -> bool {
        self.raised(SUBJECT, subject.as_str()) > generation
    }

    /// Whether the token of this row was ended.
    #[must_use]
    pub fn ends_key(&self, key: &TokenKey) -> bool {
        self.names(TOKEN_ROW, key.as_str())
    }

    /// Whether the token that a row is about is dead, or what it was delegated from.
    #[must_use]
    pub fn ends_row(&self, row: &TokenRow) -> bool {
        let Origin {
            token,
            grant,
            session,
            client,
            audience: _,
        } = &row.origin;
        let named = |kind, id: Option<&str>| id.is_some_and(|id| self.names(kind, id));
        self.ends_key(&row.key)
            || named(TOKEN, token.as_ref().map(TokenId::as_str))
            || named(GRANT, grant.as_ref().map(GrantId::as_str))
            || named(SESSION, session.as_ref().map(SessionId::as_str))
            || row
                .subject
                .as_ref()
                .is_some_and(|subject| self.ends_subject(subject, row.generation))
            || client
                .as_ref()
                .is_some_and(|(client, minted)| self.raised(CLIENT, client.as_str()) > *minted)
    }

    /// Whether a copy of a row may say more than the ledger does: the row was changed, or what the
    /// person may do. A scope that was taken from everybody is never copied: the line about it does not say
    /// which shards have heard of it.
    #[must_use]
    pub fn outdates(&self, copy: &TokenFacts) -> bool {
        if self.is_empty() {
            return false;
        }
        self.raised(TOKEN_VERSION, copy.row.key.as_str()) > copy.row.version
            || copy.person.as_ref().is_some_and(|person| {
                let mut roles = person.roles.iter();
                roles.any(|(role, known)| self.raised(ROLE, role) > *known)
                    || self.subject_version(&person.subject) > person.version
            })
            || copy
                .row
                .scopes
                .iter()
                .any(|scope| self.raised(SCOPE, scope) > 0)
    }

    /// The oldest version of the client that is not known to be old.
    #[must_use]
    pub fn client_version(&self, client: &ClientId) -> u64 {
        self.raised(CLIENT_VERSION, client.as_str())
    }

    /// The oldest version of the signing keys that is not known to be old.
    #[must_use]
    pub fn keys_version(&self) -> u64 {
        self.raised(KEYS_VERSION, "")
    }

    /// The oldest version of what is known of the subject that is not known to be old.
    #[must_use]
    pub fn subject_version(&self, subject: &Subject) -> u64 {
        self.raised(SUBJECT_VERSION, subject.as_str())
    }

    /// The oldest version of the overrides of quotas that is not known to be old.
    #[must_use]
    pub fn quotas_version(&self) -> u64 {
        self.raised(QUOTAS_VERSION, "")
    }

    /// The generation that what is minted now must carry for these scopes.
    #[must_use]
    pub fn scope_generations<'a>(
        &self,
        scopes: impl Iterator<Item = &'a str>,
    ) -> BTreeMap<String, u64> {
        scopes
            .filter_map(|scope| match self.raised(SCOPE, scope) {
                0 => None,
                generation => Some((scope.to_owned(), generation)),
            })
            .collect()
    }

    fn add(&mut self, entry: Revocation, now: UnixTime) {
        let kept_until = entry.kept_until(now);
        let (kind, name, generation) = match entry {
            Revocation::Grant(id) => return self.name(GRANT, id.into(), kept_until),
            Revocation::Session(id) => return self.name(SESSION, id.into(), kept_until),
            Revocation::Token(id, _) => return self.name(TOKEN, id.into(), kept_until),
            Revocation::TokenRow(key) => return self.name(TOKEN_ROW, key.into(), kept_until),
            Revocation::Subject(id, generation) => (SUBJECT, id.into(), generation),
            Revocation::Client(id, generation) => (CLIENT, id.into(), generation),
            Revocation::Role(role, generation) => (ROLE, role, generation),
            Revocation::Scope(scope, generation) => (SCOPE, scope, generation),
            Revocation::Handle(id, generation) => (HANDLE, id.into(), generation),
            Revocation::ClientVersion(id, version) => (CLIENT_VERSION, id.into(), version),
            Revocation::KeysVersion(version) => (KEYS_VERSION, String::new(), version),
            Revocation::SubjectVersion(id, version) => (SUBJECT_VERSION, id.into(), version),
            Revocation::QuotasVersion(version) => (QUOTAS_VERSION, String::new(), version),
            Revocation::TokenVersion(key, version) => (TOKEN_VERSION, key.into(), version),
        };
        let raised = Raised {
            generation,
            kept_until,
        };
        let names = self.generations.entry(kind).or_default();
        let known = names.entry(name).or_insert(raised);
        known.generation = known.generation.max(generation);
        known.kept_until = kept_until;
    }

    fn name(&mut self, kind: u8, name: String, kept_until: UnixTime) {
        self.named.entry(kind).or_default().insert(name, kept_until);
    }

    fn names(&self, kind: u8, name: &str) -> bool {
        let names = self.named.get(&kind);
        names.is_some_and(|names| names.contains_key(name))
    }

    fn raised(&self, kind: u8, name: &str) -> u64 {
        let names = self.generations.get(&kind);
        let raised = names.and_then(|names| names.get(name));
        raised.map_or(0, |raised| raised.generation)
    }
}
