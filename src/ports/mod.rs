//! What we ask of the world. Everything that may happen once, or must be unique or fresh, is one
//! verb of an object, carries the id of its request, and is answered alike when it is repeated.

pub mod courier;
pub mod device;
pub mod directory;
pub mod feed;
pub mod history;
pub mod ledger;
pub mod logouts;
pub mod tokens;

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::jose::{Algorithm, JoseError, PrivateJwk, PublicKey, Verifier};
use crate::model::{
    Client, ClientId, GrantId, Moment, Quotas, RequestId, Scope, SessionId, Shard, Subject,
    SubjectFacts, UnixTime, Username,
};
use crate::token::{FeedAnswer, Revocations, SessionHandle, TokenHandle};
use courier::{CourierAnswer, CourierVerb, RemoteKeys};
use directory::{DirectoryAnswer, DirectoryVerb, KeySet, StoredKey};
use feed::{FeedObjectAnswer, FeedVerb, Since};
use ledger::{LedgerAnswer, LedgerVerb, ReadSession, Row, Session};
use tokens::{KnownToken, ReadToken};

/// A store or an object did not answer. The request fails closed; nothing is half done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unavailable(pub &'static str);

/// When and for which request something is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct At {
    /// The request; the same id and verb get the same answer.
    pub request: RequestId,
    /// The one instant of the request.
    pub now: Moment,
}

/// A verb on its way to an object.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Call<V> {
    /// When, and for which request.
    pub at: At,
    /// What to do.
    pub verb: V,
}

/// Binds a verb's arguments to its answer and to the object that knows it.
pub trait Verb: Sized {
    /// All verbs of the object.
    type Verbs;
    /// All answers of the object.
    type Answers;
    /// This verb's answer.
    type Answer;
    /// Puts it among the object's verbs.
    fn into_verb(self) -> Self::Verbs;
    /// Takes its own answer out; `None` when the object answered something else.
    fn from_answer(answer: Self::Answers) -> Option<Self::Answer>;
}

/// Declares the verbs of one object: an enum of arguments, an enum of answers, and the binding of
/// each pair, so that an object that forgets a verb does not compile.
macro_rules! verbs {
    ($(#[$verbs_doc:meta])* $verbs:ident, $(#[$answers_doc:meta])* $answers:ident:
     $($name:ident => $answer:ty),+ $(,)?) => {
        $(#[$verbs_doc])*
        #[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[expect(missing_docs, reason = "each variant is documented at its argument type")]
        pub enum $verbs { $($name(Box<$name>)),+ }

        $(#[$answers_doc])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[expect(missing_docs, reason = "each variant is documented at its answer type")]
        pub enum $answers { $($name($answer)),+ }

        $(impl $crate::ports::Verb for $name {
            type Verbs = $verbs;
            type Answers = $answers;
            type Answer = $answer;

            fn into_verb(self) -> $verbs {
                $verbs::$name(Box::new(self))
            }

            fn from_answer(answer: $answers) -> Option<$answer> {
                match answer {
                    $answers::$name(answer) => Some(answer),
                    #[allow(unreachable_patterns, reason = "an object may have one verb")]
                    _ => None,
                }
            }
        })+
    };
}
pub(crate) use verbs;

/// The ledger's shards: what may happen once, and what must be fresh about a subject.
#[expect(
    async_fn_in_trait,
    reason = "one thread per isolate: the futures are never Send"
)]
pub trait Ledger {
    /// Carries a verb to a shard.
    ///
    /// # Errors
    /// [`Unavailable`] when it cannot be told whether the verb took effect; asking again with the
    /// same request id is safe.
    async fn call_ledger(
        &self,
        shard: Shard,
        call: Call<LedgerVerb>,
    ) -> Result<LedgerAnswer, Unavailable>;

    /// Asks one shard one thing.
    ///
    /// # Errors
    /// As [`Ledger::call_ledger`].
    async fn ledger<V>(&self, shard: Shard, at: &At, verb: V) -> Result<V::Answer, Unavailable>
    where
        V: Verb<Verbs = LedgerVerb, Answers = LedgerAnswer>,
    {
        let call = Call {
            at: at.clone(),
            verb: verb.into_verb(),
        };
        let answer = self.call_ledger(shard, call).await?;
        V::from_answer(answer).ok_or(Unavailable("ledger answered another verb"))
    }
}

/// The directory: users, clients and keys, unique by constraint.
#[expect(
    async_fn_in_trait,
    reason = "one thread per isolate: the futures are never Send"
)]
pub trait Directory {
    /// Carries a verb to the directory.
    ///
    /// # Errors
    /// As [`Ledger::call_ledger`].
    async fn call_directory(
        &self,
        call: Call<DirectoryVerb>,
    ) -> Result<DirectoryAnswer, Unavailable>;

    /// Asks the directory one thing.
    ///
    /// # Errors
    /// As [`Ledger::call_ledger`].
    async fn directory<V>(&self, at: &At, verb: V) -> Result<V::Answer, Unavailable>
    where
        V: Verb<Verbs = DirectoryVerb, Answers = DirectoryAnswer>,
    {
        let call = Call {
            at: at.clone(),
            verb: verb.into_verb(),
        };
        let answer = self.call_directory(call).await?;
        V::from_answer(answer).ok_or(Unavailable("directory answered another verb"))
    }
}

/// The revocation feed.
#[expect(
    async_fn_in_trait,
    reason = "one thread per isolate: the futures are never Send"
)]
pub trait Feed {
    /// A copy that is no older than the published bound.
    ///
    /// # Errors
    /// [`Unavailable`] when the feed cannot be asked and the copy at hand is too old.
    async fn revocations(&self, at: &At) -> Result<Rc<Revocations>, Unavailable>;

    /// Carries a verb to the feed itself.
    ///
    /// # Errors
    /// As [`Ledger::call_ledger`].
    async fn call_feed(&self, call: Call<FeedVerb>) -> Result<FeedObjectAnswer, Unavailable>;

    /// Does a verb.
    ///
    /// # Errors
    /// As [`Ledger::call_ledger`].
    async fn feed<V>(&self, at: &At, verb: V) -> Result<V::Answer, Unavailable>
    where
        V: Verb<Verbs = FeedVerb, Answers = FeedObjectAnswer>,
    {
        let call = Call {
            at: at.clone(),
            verb: verb.into_verb(),
        };
        let answer = self.call_feed(call).await?;
        V::from_answer(answer).ok_or(Unavailable("feed answered another verb"))
    }

    /// All that is new, put together from as many answers as it takes; `None` when they do not
    /// join, and the question has to be asked anew.
    ///
    /// # Errors
    /// As [`Ledger::call_ledger`].
    async fn news(&self, at: &At, since: Since) -> Result<Option<FeedAnswer>, Unavailable> {
        let mut whole = self.feed(at, since).await?;
        while whole.more {
            let next = Since {
                feed: whole.feed.clone(),
                cursor: whole.head,
            };
            if !whole.extend(self.feed(at, next).await?) {
                return Ok(None);
            }
        }
        Ok(Some(whole))
    }
}

/// Clients, from the nearest copy that is not known to be old.
#[expect(
    async_fn_in_trait,
    reason = "one thread per isolate: the futures are never Send"
)]
pub trait Clients {
    /// The client of this id. A miss in a copy proves nothing; `None` is the directory's word.
    ///
    /// # Errors
    /// [`Unavailable`].
    async fn client(&self, id: &ClientId, at: &At) -> Result<Option<Rc<Client>>, Unavailable>;

    /// Whether nobody had this id when [`Clients::note_nobody`] was told so, less than the published bound
    /// ago.
    fn is_nobody(&self, _id: &ClientId, _at: &At) -> bool {
        false
    }

    /// Keeps that nobody has this id, for as long.
    fn note_nobody(&self, _id: &ClientId, _at: &At) {}

    /// The client that is called as somebody's service is. Most services are no client, which is asked
    /// about once within the bound, and not with every request for them.
    ///
    /// # Errors
    /// [`Unavailable`].
    async fn service(&self, id: &ClientId, at: &At) -> Result<Option<Rc<Client>>, Unavailable> {
        if self.is_nobody(id, at) {
            return Ok(None);
        }
        let client = self.client(id, at).await?;
        if client.is_none() {
            self.note_nobody(id, at);
        }
        Ok(client)
    }
}

/// Session rows, from the nearest copy that the feed has not named.
#[expect(
    async_fn_in_trait,
    reason = "one thread per isolate: the futures are never Send"
)]
pub trait Sessions: Tokens {
    /// A copy that is kept here of the row behind a handle.
    fn kept_session(&self, handle: &SessionHandle, at: &At) -> Option<Rc<Session>>;

    /// Keeps a copy.
    fn keep_session(&self, handle: &SessionHandle, row: &Rc<Session>, at: &At);

    /// The row behind a handle; `None` when it has ended or the handle is of an earlier cookie.
    ///
    /// # Errors
    /// [`Unavailable`].
    async fn session(
        &self,
        handle: &SessionHandle,
        at: &At,
    ) -> Result<Option<Rc<Session>>, Unavailable> {
        let feed = self.revocations(at).await?;
        if feed.ends_session(&handle.session, handle.generation) {
            return Ok(None);
        }
        let kept = self.kept_session(handle, at).filter(|kept| {
            let subject = &kept.subject;
            !feed.ends_subject(&subject.subject, subject.generation)
                && subject.version >= feed.subject_version(&subject.subject)
        });
        if kept.is_some() {
            return Ok(kept);
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
        match &row {
            Some(row) => self.keep_session(handle, row, at),
            None => self.keep_gone(cookie, at),
        }
        Ok(row)
    }
}

/// What limits people at the gate, from the nearest copy that is not known to be old.
#[expect(
    async_fn_in_trait,
    reason = "one thread per isolate: the futures are never Send"
)]
pub trait Limits {
    /// What overrides the quotas of the configuration, if anything does.
    ///
    /// # Errors
    /// [`Unavailable`].
    async fn quota_overrides(&self, at: &At) -> Result<Option<Rc<Quotas>>, Unavailable>;

    /// What the shard knows of somebody: for who shows a token that does not say their groups.
    ///
    /// # Errors
    /// [`Unavailable`].
    async fn subject(
        &self,
        subject: &Subject,
        shard: Shard,
        at: &At,
    ) -> Result<Option<Rc<SubjectFacts>>, Unavailable>;
}

/// Rows of tokens, from the nearest copy that the feed has not outdated.
#[expect(
    async_fn_in_trait,
    reason = "one thread per isolate: the futures are never Send"
)]
pub trait Tokens: Feed + Ledger {
    /// A copy that is kept here under this name, if it is no older than so many milliseconds.
    fn kept(&self, name: &str, at: &At, oldest: u64) -> Option<Rc<KnownToken>>;

    /// Keeps a copy.
    fn keep(&self, name: &str, token: &Rc<KnownToken>, at: &At);

    /// Whether something of this name was found dead here, and is not worth a question.
    fn is_gone(&self, name: &str, at: &At) -> bool;

    /// Notes that something is dead for good: a row that has ended or expired is never made again, nor
    /// does a generation go back. After an hour it is asked for again all the same.
    fn keep_gone(&self, name: String, at: &At);

    /// The row behind a handle; `None` when there is none. Whether it is over, the feed says.
    ///
    /// # Errors
    /// [`Unavailable`].
    async fn token(
        &self,
        handle: &TokenHandle,
        at: &At,
    ) -> Result<Option<Rc<KnownToken>>, Unavailable> {
        let feed = self.revocations(at).await?;
        if feed.ends_key(&handle.key) {
            return Ok(None);
        }
        let kept = self.kept(handle.key.as_str(), at, OLDEST_ROW);
        let kept = kept.filter(|kept| !feed.outdates(kept));
        if kept.is_some() {
            return Ok(kept);
        }
        if self.is_gone(handle.key.as_str(), at) {
            return Ok(None);
        }
        let key = handle.key.clone();
        let read = self.ledger(handle.shard, at, ReadToken { key }).await?;
        let read = read.map(|read| Rc::new(KnownToken::new(*read, handle.shard)));
        if read.is_none() {
            self.keep_gone(handle.key.as_str().to_owned(), at);
        }
        // What the feed outdates, the shard may not have heard of yet.
        if let Some(row) = read.as_ref().filter(|row| !feed.outdates(row)) {
            self.keep(handle.key.as_str(), row, at);
        }
        Ok(read)
    }
}

/// Milliseconds after which a row is read again whatever the feed says: it forgets.
pub(crate) const OLDEST_ROW: u64 = 3_600_000;

/// What is remembered of a code; never the code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeRecord {
    /// 53 random bits: a number that JSON carries exactly.
    pub pk: u64,
    /// The grant that the code opens; the ledger is asked by it.
    pub grant: GrantId,
    /// Where.
    pub shard: Shard,
    /// Issued to.
    pub client: ClientId,
    /// By whom.
    pub subject: Subject,
    /// By whom, to read.
    pub username: Username,
    /// In which session.
    pub session: SessionId,
    /// For what.
    pub scope: Scope,
    /// Issued at.
    pub issued_at: UnixTime,
    /// Not redeemable from here on.
    pub expires_at: UnixTime,
}

/// Records of codes, for people to list.
#[expect(
    async_fn_in_trait,
    reason = "one thread per isolate: the futures are never Send"
)]
pub trait Codes {
    /// Remembers a code for ten minutes.
    ///
    /// # Errors
    /// [`Unavailable`]; then the code must not be handed out.
    async fn remember(&self, record: &CodeRecord) -> Result<(), Unavailable>;

    /// What is known of a code, if it is known yet and still.
    ///
    /// # Errors
    /// [`Unavailable`].
    async fn recall(&self, pk: u64) -> Result<Option<CodeRecord>, Unavailable>;

    /// Codes that are known by now, at most a thousand: `pk`, `client` and `username` of each.
    ///
    /// # Errors
    /// [`Unavailable`].
    async fn recent(&self) -> Result<Vec<Row>, Unavailable>;
}

/// Signing keys: the set in force, making one, and signing with one.
#[expect(
    async_fn_in_trait,
    reason = "one thread per isolate: the futures are never Send"
)]
pub trait Keys: Verifier {
    /// The keys in force, made on first need.
    ///
    /// # Errors
    /// [`Unavailable`].
    async fn keys(&self, at: &At) -> Result<Rc<KeySet>, Unavailable>;

    /// The public keys, from anywhere at all: also while the directory is away.
    ///
    /// # Errors
    /// [`Unavailable`] when no copy can be found.
    async fn public_keys(&self, at: &At) -> Result<Rc<KeySet>, Unavailable>;

    /// Makes a key and wraps its private part.
    ///
    /// # Errors
    /// [`JoseError`] when the platform cannot make one.
    async fn generate(&self, algorithm: Algorithm) -> Result<StoredKey, JoseError>;

    /// Proves that the parts of a key from elsewhere belong together, and wraps its private part.
    ///
    /// # Errors
    /// [`JoseError::KeyInvalid`] when they do not, or the platform does not take it.
    async fn import(&self, jwk: &PrivateJwk) -> Result<StoredKey, JoseError>;

    /// The private part of a key in a form that only [`Keys::rewrap`] reads. It is the secret itself.
    ///
    /// # Errors
    /// [`JoseError`] when it cannot be unwrapped: its root may be gone.
    fn danger_reveal(&self, key: &StoredKey) -> Result<String, JoseError>;

    /// Wraps what [`Keys::danger_reveal`] told, after it was proven to belong to the public half.
    ///
    /// # Errors
    /// As [`Keys::import`].
    async fn rewrap(&self, public: &PublicKey, private: &str) -> Result<StoredKey, JoseError>;

    /// Signs with the private part of `key`.
    ///
    /// # Errors
    /// [`JoseError`] when it cannot be unwrapped or used.
    async fn sign_with(&self, key: &StoredKey, message: &[u8]) -> Result<Vec<u8>, JoseError>;
}

/// Who sends requests to others, for us.
#[expect(
    async_fn_in_trait,
    reason = "one thread per isolate: the futures are never Send"
)]
pub trait Courier {
    /// Carries a verb to the courier.
    ///
    /// # Errors
    /// As [`Ledger::call_ledger`].
    async fn call_courier(&self, call: Call<CourierVerb>) -> Result<CourierAnswer, Unavailable>;

    /// Asks the courier one thing.
    ///
    /// # Errors
    /// As [`Ledger::call_ledger`].
    async fn courier<V>(&self, at: &At, verb: V) -> Result<V::Answer, Unavailable>
    where
        V: Verb<Verbs = CourierVerb, Answers = CourierAnswer>,
    {
        let call = Call {
            at: at.clone(),
            verb: verb.into_verb(),
        };
        let answer = self.call_courier(call).await?;
        V::from_answer(answer).ok_or(Unavailable("courier answered another verb"))
    }

    /// The copy at hand of the keys at a URL; see [`courier::remote_keys`], which says how long it does.
    fn kept_keys(&self, url: &str) -> Option<Rc<RemoteKeys>>;

    /// Keeps a copy.
    fn keep_keys(&self, url: &str, keys: &Rc<RemoteKeys>, at: &At);
}

/// Randomness.
pub trait Entropy {
    /// Fills the buffer from a CSPRNG.
    ///
    /// # Errors
    /// [`Unavailable`]; there is no weaker source to fall back to.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), Unavailable>;
}

/// Everything at once.
pub trait Ports:
    Clients + Codes + Courier + Directory + Entropy + Feed + Keys + Ledger + Limits + Sessions + Tokens
{
}

impl<T> Ports for T where
    T: Clients
        + Codes
        + Courier
        + Directory
        + Entropy
        + Feed
        + Keys
        + Ledger
        + Limits
        + Sessions
        + Tokens
{
}
