//! The reference store: every port, in memory. It is the test double, and what the objects in
//! SQLite are compared with.

mod consents;
mod devices;
mod directory;
mod feed;
mod grants;
mod ledger;
mod limits;
mod logouts;
mod sessions;
mod tokens;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::json;

pub use directory::DirectoryState;
pub use feed::FeedState;
pub use ledger::LedgerState;
pub use logouts::{LogoutsState, NoticeKey};

use crate::jose::{
    Algorithm, JoseError, PrivateJwk, PublicKey, RingSigner, RingVerifier, Signer, SigningKeyRef,
    Verifier, base64url, generate_pkcs8,
};
use crate::model::{Client, ClientId, Moment, Quotas, Shard, Subject, SubjectFacts, UnixTime};
use crate::ports::courier::{CourierAnswer, CourierVerb, Known, RemoteKeys};
use crate::ports::directory::{
    AddKeys, DirectoryAnswer, DirectoryVerb, FindClient, KeySet, ReadKeys, ReadQuotas, StoredKey,
};
use crate::ports::feed::{Append, FeedObjectAnswer, FeedVerb, Since};
use crate::ports::ledger::{
    LedgerAnswer, LedgerVerb, ReadSession, ReadSubject, Row, Session, tells_an_end,
};
use crate::ports::logouts::{Notice, SendLogouts};
use crate::ports::tokens::TokenFacts;
use crate::ports::{
    At, Call, Clients, CodeRecord, Codes, Courier, Directory, Entropy, Feed, Keys, Ledger, Limits,
    OLDEST_ROW, Sessions, Tokens, Unavailable,
};
use crate::token::{Revocation, Revocations, SessionHandle};

/// How long a copy may go unchecked, in milliseconds: what a deployment has unless it says otherwise.
const REVOCATION_MAX_AGE: u64 = 5_000;
/// Seconds by which a Worker's clock may be behind a shard's: nothing is swept that a Worker still takes
/// for alive.
const SKEW: u64 = 60;
/// Subjects are spread over so many shards.
const SHARDS: u16 = 16;

/// How often each port was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Operations {
    /// Verbs carried to a ledger shard.
    pub ledger: u32,
    /// Verbs carried to the directory.
    pub directory: u32,
    /// Questions to the feed.
    pub feed: u32,
    /// Writes to KV.
    pub kv_puts: u32,
    /// Verbs carried to the courier.
    pub courier: u32,
    /// Requests that the courier sent.
    pub fetches: u32,
}

/// Which dependency is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outage {
    /// Every ledger shard.
    Ledger,
    /// The directory.
    Directory,
    /// The feed.
    Feed,
    /// KV.
    Kv,
    /// Randomness.
    Entropy,
    /// The courier.
    Courier,
}

/// How one operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It never arrives: nothing happens.
    Unreached,
    /// It takes effect, and its answer is lost.
    AnswerLost,
}

/// Everything, in memory. Randomness is a seeded counter, so that a test repeats exactly.
pub struct Memory {
    ledgers: RefCell<BTreeMap<Shard, LedgerState>>,
    directory: RefCell<DirectoryState>,
    feed: RefCell<FeedState>,
    codes: RefCell<Vec<CodeRecord>>,
    copy: RefCell<Rc<Revocations>>,
    clients: RefCell<BTreeMap<ClientId, Rc<Client>>>,
    nobodies: RefCell<BTreeMap<ClientId, Moment>>,
    sessions: RefCell<BTreeMap<(String, u64), Rc<Session>>>,
    subjects: RefCell<BTreeMap<Subject, Rc<SubjectFacts>>>,
    quotas: RefCell<Option<(u64, Option<Rc<Quotas>>)>>,
    tokens: RefCell<BTreeMap<String, (Moment, Rc<TokenFacts>)>>,
    gone: RefCell<BTreeMap<String, Moment>>,
    documents: RefCell<BTreeMap<String, String>>,
    fetched: RefCell<BTreeMap<String, Known>>,
    logouts: RefCell<LogoutsState>,
    remote: RefCell<BTreeMap<String, Rc<RemoteKeys>>>,
    signing: RefCell<Option<Rc<KeySet>>>,
    signer: RefCell<RingSigner>,
    prepared: RefCell<Vec<(Algorithm, Vec<u8>)>>,
    private: RefCell<BTreeMap<String, Vec<u8>>>,
    outages: RefCell<Vec<Outage>>,
    operations: Cell<Operations>,
    fault: Cell<Option<(u32, Fault)>>,
    seed: Cell<u64>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            ledgers: RefCell::default(),
            directory: RefCell::new(DirectoryState::new(SHARDS)),
            feed: RefCell::new(FeedState::new("memory")),
            codes: RefCell::default(),
            copy: RefCell::default(),
            clients: RefCell::default(),
            nobodies: RefCell::default(),
            sessions: RefCell::default(),
            subjects: RefCell::default(),
            quotas: RefCell::default(),
            tokens: RefCell::default(),
            gone: RefCell::default(),
            documents: RefCell::default(),
            fetched: RefCell::default(),
            logouts: RefCell::default(),
            remote: RefCell::default(),
            signing: RefCell::default(),
            signer: RefCell::default(),
            prepared: RefCell::default(),
            private: RefCell::default(),
            outages: RefCell::default(),
            operations: Cell::default(),
            fault: Cell::default(),
            seed: Cell::new(0),
        }
    }
}

impl Memory {
    /// Gives the next key of this algorithm instead of making one: ring makes no RSA keys.
    pub fn prepare_key(&self, algorithm: Algorithm, pkcs8: &[u8]) {
        self.prepared.borrow_mut().push((algorithm, pkcs8.to_vec()));
    }

    /// Has others answer this at a URL; nothing where they do not answer.
    pub fn publish_at(&self, url: &str, document: Option<&str>) {
        let mut documents = self.documents.borrow_mut();
        match document {
            Some(document) => documents.insert(url.to_owned(), document.to_owned()),
            None => documents.remove(url),
        };
    }

    /// What the courier has to tell clients.
    pub fn logouts(&self) -> &RefCell<LogoutsState> {
        &self.logouts
    }

    /// Hands the courier what clients are to be told. What cannot be handed over stays and goes with
    /// the next; nobody waits for it.
    async fn post(&self, source: String, outbox: &mut Vec<(u64, Notice)>, at: &At) {
        if outbox.is_empty() {
            return;
        }
        let verb = SendLogouts {
            source,
            notices: outbox.clone(),
        };
        if self.courier(at, verb).await.is_ok() {
            outbox.clear();
        }
    }

    fn hold(&self, algorithm: Algorithm, pkcs8: &[u8]) -> Result<StoredKey, JoseError> {
        let mut signer = self.signer.borrow_mut();
        let kid = signer.insert("new", algorithm, pkcs8)?.thumbprint();
        let public = signer.insert(&kid, algorithm, pkcs8)?;
        self.private.borrow_mut().insert(kid, pkcs8.to_vec());
        Ok(StoredKey::new(&public, "in memory".to_owned()))
    }

    /// How often each port was called so far.
    pub fn operations(&self) -> Operations {
        self.operations.get()
    }

    /// What was remembered of codes.
    pub fn code_records(&self) -> Vec<CodeRecord> {
        self.codes.borrow().clone()
    }

    /// Everything that is stored anywhere, printed: to look for what must not be in it.
    pub fn everything_stored(&self) -> String {
        format!(
            "{:?} {:?} {:?} {:?}",
            self.ledgers.borrow(),
            self.directory.borrow(),
            self.feed.borrow(),
            self.codes.borrow()
        )
    }

    /// Makes a dependency fail until [`Memory::restore`].
    pub fn fail(&self, outage: Outage) {
        self.outages.borrow_mut().push(outage);
    }

    /// Makes the one operation fail that comes after so many others.
    pub fn fail_after(&self, others: u32, fault: Fault) {
        self.fault.set(Some((others, fault)));
    }

    /// Whether the operation that was to fail is still to come.
    pub fn fault_is_ahead(&self) -> bool {
        self.fault.get().is_some()
    }

    /// Forgets what has expired by the clock of the shards, as they do once an hour.
    pub fn sweep(&self, clock: UnixTime) {
        let until = UnixTime(clock.0.saturating_sub(SKEW));
        for state in self.ledgers.borrow_mut().values_mut() {
            state.sweep(until);
        }
    }

    /// Everything answers again.
    pub fn restore(&self) {
        self.outages.borrow_mut().clear();
        self.fault.set(None);
    }

    fn count(&self, add: impl Fn(&mut Operations)) {
        let mut operations = self.operations.get();
        add(&mut operations);
        self.operations.set(operations);
    }

    /// Reaches a dependency. What it answers goes through [`Reached::answer`].
    fn reach(&self, dependency: Outage) -> Result<Reached, Unavailable> {
        let away = Unavailable("switched off by a test");
        if self.outages.borrow().contains(&dependency) {
            return Err(away);
        }
        match self.fault.get() {
            Some((0, fault)) => {
                self.fault.set(None);
                match fault {
                    Fault::Unreached => Err(away),
                    Fault::AnswerLost => Ok(Reached { answers: false }),
                }
            }
            Some((others, fault)) => {
                self.fault.set(Some((others - 1, fault)));
                Ok(Reached { answers: true })
            }
            None => Ok(Reached { answers: true }),
        }
    }

    /// Sends an outbox to the feed. What cannot be sent stays and goes with the next; until then
    /// nothing is acknowledged.
    fn publish(
        &self,
        source: String,
        outbox: &mut Vec<(u64, Revocation)>,
        at: &At,
    ) -> Result<(), Unavailable> {
        if outbox.is_empty() {
            return Ok(());
        }
        let reached = self.reach(Outage::Feed)?;
        let entries = std::mem::take(outbox);
        let verb = FeedVerb::Append(Box::new(Append { source, entries }));
        self.feed.borrow_mut().apply(Call {
            at: at.clone(),
            verb,
        });
        reached.answer(())
    }
}

/// An operation that took effect, and whose answer may still be lost.
struct Reached {
    answers: bool,
}

impl Reached {
    fn answer<T>(self, answer: T) -> Result<T, Unavailable> {
        if self.answers {
            Ok(answer)
        } else {
            Err(Unavailable("its answer was lost by a test"))
        }
    }
}

impl Ledger for Memory {
    async fn call_ledger(
        &self,
        shard: Shard,
        call: Call<LedgerVerb>,
    ) -> Result<LedgerAnswer, Unavailable> {
        self.count(|operations| operations.ledger += 1);
        let reached = self.reach(Outage::Ledger)?;
        let at = call.at.clone();
        let source = format!("ledger-{}", shard.0);
        let (ends, answer, mut notices, told) = {
            let mut ledgers = self.ledgers.borrow_mut();
            let state = ledgers.entry(shard).or_default();
            let answer = state.apply(call);
            let notices = std::mem::take(&mut state.notices);
            let told = self.publish(source.clone(), &mut state.outbox, &at);
            (tells_an_end(&answer), answer, notices, told)
        };
        // As in SQLite, where looking for them costs a statement.
        if ends {
            self.post(source, &mut notices, &at).await;
        }
        if let Some(state) = self.ledgers.borrow_mut().get_mut(&shard) {
            notices.append(&mut state.notices);
            state.notices = notices;
        }
        told?;
        reached.answer(answer)
    }
}

impl Directory for Memory {
    async fn call_directory(
        &self,
        call: Call<DirectoryVerb>,
    ) -> Result<DirectoryAnswer, Unavailable> {
        self.count(|operations| operations.directory += 1);
        let reached = self.reach(Outage::Directory)?;
        let at = call.at.clone();
        let answer = self.directory.borrow_mut().apply(call);
        loop {
            let next = self.directory.borrow().shards_out.first().cloned();
            let Some((shard, verb)) = next else {
                break;
            };
            self.call_ledger(
                shard,
                Call {
                    at: at.clone(),
                    verb,
                },
            )
            .await?;
            self.directory.borrow_mut().shards_out.remove(0);
        }
        let outbox = &mut self.directory.borrow_mut().outbox;
        self.publish("directory".to_owned(), outbox, &at)?;
        reached.answer(answer)
    }
}

impl Feed for Memory {
    async fn revocations(&self, at: &At) -> Result<Rc<Revocations>, Unavailable> {
        let mut copy = Revocations::clone(&self.copy.borrow());
        let (feed, cursor) = copy.position();
        let since = Since {
            feed: feed.to_owned(),
            cursor,
        };
        if let Some(answer) = self.news(at, since).await? {
            // Nothing else asks meanwhile: the answer always joins.
            let _ = copy.learn(answer, at.now);
        }
        let copy = Rc::new(copy);
        *self.copy.borrow_mut() = Rc::clone(&copy);
        Ok(copy)
    }

    async fn call_feed(&self, call: Call<FeedVerb>) -> Result<FeedObjectAnswer, Unavailable> {
        self.count(|operations| operations.feed += 1);
        let reached = self.reach(Outage::Feed)?;
        reached.answer(self.feed.borrow_mut().apply(call))
    }
}

impl Clients for Memory {
    async fn client(&self, id: &ClientId, at: &At) -> Result<Option<Rc<Client>>, Unavailable> {
        // Without the feed nothing tells an old copy from a new one; then only the directory does.
        if let Ok(feed) = self.revocations(at).await {
            let newest = feed.client_version(id);
            let copy = self.clients.borrow().get(id).cloned();
            if let Some(copy) = copy.filter(|copy| copy.version >= newest) {
                return Ok(Some(copy));
            }
        }
        let found = self
            .directory(at, FindClient { id: id.clone() })
            .await?
            .map(|client| Rc::new(*client));
        if let Some(client) = &found {
            self.clients
                .borrow_mut()
                .insert(id.clone(), Rc::clone(client));
        }
        Ok(found)
    }

    fn is_nobody(&self, id: &ClientId, at: &At) -> bool {
        let nobodies = self.nobodies.borrow();
        let asked = nobodies.get(id);
        asked.is_some_and(|asked| at.now.since(*asked) < REVOCATION_MAX_AGE)
    }

    fn note_nobody(&self, id: &ClientId, at: &At) {
        self.nobodies.borrow_mut().insert(id.clone(), at.now);
    }
}

impl Sessions for Memory {
    async fn session(
        &self,
        handle: &SessionHandle,
        at: &At,
    ) -> Result<Option<Rc<Session>>, Unavailable> {
        let key = (handle.session.to_string(), handle.generation);
        let feed = self.revocations(at).await?;
        if feed.ends_session(&handle.session, handle.generation) {
            return Ok(None);
        }
        let cached = self.sessions.borrow().get(&key).cloned();
        let cached = cached.filter(|kept| {
            let subject = &kept.subject;
            !feed.ends_subject(&subject.subject, subject.generation)
                && subject.version >= feed.subject_version(&subject.subject)
        });
        if cached.is_some() {
            return Ok(cached);
        }
        let cookie = format!("{}:{}", handle.session, handle.generation);
        if self.is_gone(&cookie, at) {
            return Ok(None);
        }
        let read = ReadSession {
            session: handle.session.clone(),
        };
        let row = self.ledger(handle.shard, at, read).await?;
        let row = row
            .filter(|row| row.generation == handle.generation)
            .map(Rc::new);
        if let Some(row) = &row {
            self.sessions.borrow_mut().insert(key, Rc::clone(row));
        } else {
            self.keep_gone(cookie, at);
        }
        Ok(row)
    }
}

impl Limits for Memory {
    async fn quota_overrides(&self, at: &At) -> Result<Option<Rc<Quotas>>, Unavailable> {
        let newest = self.revocations(at).await?.quotas_version();
        let known = self.quotas.borrow().clone();
        if let Some((_, known)) = known.filter(|(version, _)| *version >= newest) {
            return Ok(known);
        }
        let read = self.directory(at, ReadQuotas {}).await?;
        let overrides = read.overrides.and_then(|read| Quotas::read(&read).ok());
        let overrides = overrides.map(Rc::new);
        *self.quotas.borrow_mut() = Some((read.version, overrides.clone()));
        Ok(overrides)
    }

    async fn subject(
        &self,
        subject: &Subject,
        shard: Shard,
        at: &At,
    ) -> Result<Option<Rc<SubjectFacts>>, Unavailable> {
        let newest = self.revocations(at).await?.subject_version(subject);
        let known = self.subjects.borrow().get(subject).cloned();
        if let Some(known) = known.filter(|known| known.version >= newest) {
            return Ok(Some(known));
        }
        let read = ReadSubject {
            subject: subject.clone(),
        };
        let read = self.ledger(shard, at, read).await?.map(Rc::new);
        if let Some(read) = &read {
            let mut known = self.subjects.borrow_mut();
            known.insert(subject.clone(), Rc::clone(read));
        }
        Ok(read)
    }
}

impl Tokens for Memory {
    fn kept(&self, name: &str, at: &At, oldest: u64) -> Option<Rc<TokenFacts>> {
        let kept = self.tokens.borrow();
        let (read_at, facts) = kept.get(name)?;
        (at.now.since(*read_at) < oldest).then(|| Rc::clone(facts))
    }

    fn keep(&self, name: &str, facts: &Rc<TokenFacts>, at: &At) {
        let kept = (at.now, Rc::clone(facts));
        self.tokens.borrow_mut().insert(name.to_owned(), kept);
    }

    fn is_gone(&self, name: &str, at: &At) -> bool {
        let gone = self.gone.borrow();
        gone.get(name)
            .is_some_and(|since| at.now.since(*since) < OLDEST_ROW)
    }

    fn keep_gone(&self, name: String, at: &At) {
        self.gone.borrow_mut().insert(name, at.now);
    }
}

impl Courier for Memory {
    async fn call_courier(&self, call: Call<CourierVerb>) -> Result<CourierAnswer, Unavailable> {
        self.count(|operations| operations.courier += 1);
        let reached = self.reach(Outage::Courier)?;
        let now = call.at.now;
        let verb = match call.verb {
            CourierVerb::FetchKeys(verb) => verb,
            CourierVerb::SendLogouts(verb) => {
                let waiting = self.logouts.borrow_mut().take(*verb, now);
                return reached.answer(CourierAnswer::SendLogouts(waiting));
            }
        };
        let mut fetched = self.fetched.borrow_mut();
        fetched.retain(|_, known| !known.is_forgotten(now));
        let known = fetched.entry(verb.url.clone()).or_default();
        if known.wants(&verb, now) {
            self.count(|operations| operations.fetches += 1);
            let documents = self.documents.borrow();
            known.learn(documents.get(&verb.url).map(String::as_str), now);
        }
        reached.answer(CourierAnswer::FetchKeys(known.answer(now)))
    }

    fn kept_keys(&self, url: &str) -> Option<Rc<RemoteKeys>> {
        self.remote.borrow().get(url).cloned()
    }

    fn keep_keys(&self, url: &str, keys: &Rc<RemoteKeys>, _: &At) {
        let mut remote = self.remote.borrow_mut();
        remote.insert(url.to_owned(), Rc::clone(keys));
    }
}

impl Codes for Memory {
    async fn remember(&self, record: &CodeRecord) -> Result<(), Unavailable> {
        self.count(|operations| operations.kv_puts += 1);
        let reached = self.reach(Outage::Kv)?;
        self.codes.borrow_mut().push(record.clone());
        reached.answer(())
    }

    async fn recall(&self, pk: u64) -> Result<Option<CodeRecord>, Unavailable> {
        let reached = self.reach(Outage::Kv)?;
        let codes = self.codes.borrow();
        reached.answer(codes.iter().find(|code| code.pk == pk).cloned())
    }

    async fn recent(&self) -> Result<Vec<Row>, Unavailable> {
        let reached = self.reach(Outage::Kv)?;
        let codes = self.codes.borrow();
        let known = codes.iter().map(|code| {
            let members = [
                ("pk", json!(code.pk)),
                ("client", json!(code.client)),
                ("username", json!(code.username)),
            ];
            Row::from_iter(members.map(|(name, value)| (name.to_owned(), value)))
        });
        reached.answer(known.collect())
    }
}

impl Keys for Memory {
    async fn keys(&self, at: &At) -> Result<Rc<KeySet>, Unavailable> {
        let known = self.signing.borrow().clone();
        let newest = self.copy.borrow().keys_version();
        if let Some(known) = known.filter(|known| known.version >= newest) {
            return Ok(known);
        }
        let read = self.directory(at, ReadKeys {}).await?;
        let lacks = |algorithm| !read.keys.iter().any(|key| key.algorithm == algorithm);
        let mut made = Vec::new();
        for algorithm in Algorithm::ALL.into_iter().filter(|row| lacks(*row)) {
            if let Ok(key) = self.generate(algorithm).await {
                made.push(key);
            }
        }
        if made.is_empty() {
            let read = Rc::new(read);
            *self.signing.borrow_mut() = Some(Rc::clone(&read));
            return Ok(read);
        }
        let add = AddKeys {
            keys: made,
            rotate: false,
            at_once: false,
            actor: None,
        };
        let added = Rc::new(self.directory(at, add).await?);
        *self.signing.borrow_mut() = Some(Rc::clone(&added));
        Ok(added)
    }

    async fn public_keys(&self, at: &At) -> Result<Rc<KeySet>, Unavailable> {
        // Public keys are told even while the feed is away: an old set is better than none.
        let _ = self.revocations(at).await;
        self.keys(at).await
    }

    async fn generate(&self, algorithm: Algorithm) -> Result<StoredKey, JoseError> {
        let position = self
            .prepared
            .borrow()
            .iter()
            .position(|(known, _)| *known == algorithm);
        let pkcs8 = match position {
            Some(position) => self.prepared.borrow_mut().remove(position).1,
            None => generate_pkcs8(algorithm)?,
        };
        self.hold(algorithm, &pkcs8)
    }

    async fn import(&self, jwk: &PrivateJwk) -> Result<StoredKey, JoseError> {
        self.signer.borrow_mut().import(jwk)?;
        Ok(StoredKey::new(&jwk.public(), "in memory".to_owned()))
    }

    /// Of an imported JWK nothing is kept that could be told: ring gives no private key back.
    fn danger_reveal(&self, key: &StoredKey) -> Result<String, JoseError> {
        let private = self.private.borrow();
        let pkcs8 = private.get(&key.kid).ok_or(JoseError::KeyUnknown)?;
        Ok(base64url::encode(pkcs8))
    }

    async fn rewrap(&self, public: &PublicKey, private: &str) -> Result<StoredKey, JoseError> {
        let key = self.hold(public.algorithm(), &base64url::decode(private)?)?;
        let same = Some(key.kid.as_str()) == public.kid();
        same.then_some(key).ok_or(JoseError::KeyInvalid)
    }

    #[expect(
        clippy::await_holding_refcell_ref,
        reason = "ring answers at once: nothing runs in between"
    )]
    async fn sign_with(&self, key: &StoredKey, message: &[u8]) -> Result<Vec<u8>, JoseError> {
        let name = SigningKeyRef {
            kid: key.kid.clone(),
            algorithm: key.algorithm,
        };
        self.signer.borrow().sign(&name, message).await
    }
}

impl Verifier for Memory {
    async fn verify(
        &self,
        key: &PublicKey,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), JoseError> {
        RingVerifier.verify(key, message, signature).await
    }
}

impl Entropy for Memory {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), Unavailable> {
        let reached = self.reach(Outage::Entropy)?;
        let seed = self.seed.get();
        self.seed.set(seed + 1);
        for (block, chunk) in buffer.chunks_mut(32).enumerate() {
            let text = format!("{seed} {block}");
            let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
            chunk
                .iter_mut()
                .zip(digest.as_ref())
                .for_each(|(to, from)| *to = *from);
        }
        reached.answer(())
    }
}
