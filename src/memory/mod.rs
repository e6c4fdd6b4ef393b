//! The reference store: every port, in memory. It is the test double, and what the objects in
//! SQLite are compared with.

mod codes;
mod consents;
mod copies;
mod courier;
mod devices;
mod directory;
mod feed;
mod grants;
mod keys;
mod ledger;
mod limits;
mod logouts;
mod sessions;
mod tokens;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

pub use directory::DirectoryState;
pub use feed::FeedState;
pub use ledger::LedgerState;
pub use logouts::{LogoutsState, NoticeKey};

use crate::jose::{Algorithm, RingSigner};
use crate::model::{Client, ClientId, Moment, Quotas, Shard, Subject, SubjectFacts, UnixTime};
use crate::ports::courier::{Known, RemoteKeys};
use crate::ports::directory::{DirectoryAnswer, DirectoryVerb, KeySet};
use crate::ports::feed::{Append, FeedObjectAnswer, FeedVerb, Since};
use crate::ports::ledger::{LedgerAnswer, LedgerVerb, Session, tells_an_end};
use crate::ports::logouts::{Notice, SendLogouts};
use crate::ports::tokens::KnownToken;
use crate::ports::{At, Call, CodeRecord, Courier, Directory, Entropy, Feed, Ledger, Unavailable};
use crate::token::{Revocation, Revocations};

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
    tokens: RefCell<BTreeMap<String, (Moment, Rc<KnownToken>)>>,
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

    /// Whether there is a next key of an algorithm that was given some.
    #[must_use]
    pub fn has_next_key(&self, algorithm: Algorithm) -> bool {
        let prepared = self.prepared.borrow();
        prepared.iter().any(|(known, _)| *known == algorithm)
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
