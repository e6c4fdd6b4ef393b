//! The ports over KV, Durable Objects and WebCrypto. What is kept in an isolate is a copy with a
//! bound; what decides is always asked.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use worker::Env;

use super::copies::Copies;
use crate::config::Config;
use crate::message;
use crate::model::{
    Client, ClientId, Moment, Quotas, SessionId, Shard, Subject, SubjectFacts, UnixTime,
};
use crate::ports::courier::{CourierAnswer, CourierVerb, RemoteKeys};
use crate::ports::directory::{
    self, DirectoryAnswer, DirectoryVerb, FindClient, KeptQuotas, KeySet, ReadQuotas,
};
use crate::ports::feed::{FeedObjectAnswer, FeedVerb, Since};
use crate::ports::ledger::{self, LedgerAnswer, LedgerVerb, ReadSubject, Row, Session};
use crate::ports::tokens::KnownToken;
use crate::ports::{
    At, Call, Clients, CodeRecord, Codes, Courier, Directory, Entropy, Feed, Ledger, Limits,
    OLDEST_ROW, Sessions, Tokens, Unavailable,
};
use crate::token::{Keyring, Revocations, SessionHandle, Snapshot};

/// Seconds a code's record is kept: the outer bound of RFC 6749 §4.1.2.
const CODE_RECORD_LIFETIME: u64 = 600;
/// What begins the key of a code's record.
const CODE: &str = "code:";
/// Times that the feed is asked for one request.
const MOST_QUESTIONS: u32 = 3;
/// Milliseconds after which a refresh that never came back is given up.
const REFRESH_GIVEN_UP: u64 = 10_000;
/// Milliseconds that KV or an object may take: ten times what a cold object on another continent
/// needs, and less than the patience of a person or of a client's library.
const LONGEST_WAIT: u32 = 5_000;

#[wasm_bindgen(module = "/src/edge/within.js")]
extern "C" {
    #[wasm_bindgen(catch)]
    async fn within(promise: &JsValue, limit: u32) -> Result<JsValue, JsValue>;
}

#[wasm_bindgen]
extern "C" {
    /// A stub of one of `objects.js`'s classes.
    type Object;

    #[wasm_bindgen(method, catch)]
    fn call(this: &Object, call: &str) -> Result<JsValue, JsValue>;

    /// KV. The crate's own wrapper gives no promise that could be waited for within a limit.
    type Kv;

    #[wasm_bindgen(method, catch)]
    fn get(this: &Kv, key: &str) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn put(this: &Kv, key: &str, value: &str, options: &JsValue) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn list(this: &Kv, options: &JsValue) -> Result<JsValue, JsValue>;
}

/// Waits for what was asked, if it could be asked, as long as anything is waited for.
async fn answered(asked: Result<JsValue, JsValue>) -> Result<JsValue, JsValue> {
    within(&asked?, LONGEST_WAIT).await
}

/// What was asked did not answer within [`LONGEST_WAIT`]. It is not asked again: who waits has
/// waited long enough.
const LATE: Unavailable = Unavailable("no answer in time");

/// Whether an error of the platform, or of [`within`], says this of itself.
fn says(error: &JsValue, name: &str) -> bool {
    js_sys::Reflect::get(error, &JsValue::from_str(name)).is_ok_and(|value| value.is_truthy())
}

/// The clock itself: only for how long somebody was waited for.
fn clock() -> Moment {
    super::entry::whole(js_sys::Date::now())
        .map(Moment)
        .unwrap_or_default()
}

/// The answer of an object to a call, or the reason why there is none: `{"refused": …}` when the
/// call is not understood, `{"unavailable": …}` when asking again may help.
///
/// # Errors
/// [`Unavailable`] for either, and for what is no answer of its kind.
fn read_answer<A: DeserializeOwned>(text: &str) -> Result<A, Unavailable> {
    message::read(text.as_bytes()).map_err(|_| Unavailable("the object gave no answer to the call"))
}

/// The world, as this isolate sees it.
pub(super) struct Bindings {
    env: Env,
    pub(super) keyring: Rc<Keyring>,
    revocation_max_age: u64,
    danger_accept_unchecked_revocation: u64,
    feed: RefCell<Option<Rc<Revocations>>>,
    /// Ends that this isolate was told of, and how many of them its copy must have.
    ends_told: Cell<u64>,
    ends_learned: Cell<u64>,
    /// How many of them the shim was told of, for the isolate's other module.
    ends_said: Cell<u64>,
    refreshing_since: Cell<Option<Moment>>,
    /// Whether there is an account: once there is one, there is always one.
    has_accounts: Cell<bool>,
    /// When the feed last left a question unanswered: a request of before that need not wait, too.
    feed_was_silent: Cell<Moment>,
    clients: Copies<ClientId, Client>,
    nobodies: Copies<ClientId, ()>,
    sessions: Copies<(SessionId, u64), Session>,
    subjects: Copies<Subject, SubjectFacts>,
    quotas: Copies<(), (u64, Option<Rc<Quotas>>)>,
    tokens: Copies<String, KnownToken>,
    /// Keys of tokens, and cookies of sessions, that are dead and come back never: whoever shows one
    /// again asks no shard for it.
    gone: Copies<String, ()>,
    remote: Copies<String, RemoteKeys>,
    pub(super) keys: Copies<(), KeySet>,
    pub(super) public: Copies<(), KeySet>,
}

impl Bindings {
    pub(super) fn new(env: Env, keyring: Rc<Keyring>, config: &Config) -> Self {
        Self {
            env,
            keyring,
            revocation_max_age: config.revocation_max_age,
            danger_accept_unchecked_revocation: config.danger_accept_unchecked_revocation,
            feed: RefCell::new(None),
            ends_told: Cell::new(0),
            ends_learned: Cell::new(0),
            ends_said: Cell::new(0),
            refreshing_since: Cell::new(None),
            has_accounts: Cell::new(false),
            feed_was_silent: Cell::new(Moment::default()),
            clients: Copies::new(),
            nobodies: Copies::new(),
            sessions: Copies::new(),
            subjects: Copies::new(),
            quotas: Copies::new(),
            tokens: Copies::new(),
            gone: Copies::new(),
            remote: Copies::new(),
            keys: Copies::new(),
            public: Copies::new(),
        }
    }

    /// Whether the copy of the feed is half its age, and nobody is renewing it.
    pub(super) fn wants_refresh(&self, at: &At) -> bool {
        let half = self.revocation_max_age / 2;
        let old = self
            .feed
            .borrow()
            .as_ref()
            .is_some_and(|copy| copy.age(at.now) >= half);
        let under_way = self
            .refreshing_since
            .get()
            .is_some_and(|since| at.now.since(since) < REFRESH_GIVEN_UP);
        let wants = old && !under_way && self.revocation_max_age > 0;
        if wants {
            self.refreshing_since.set(Some(at.now));
        }
        wants
    }

    /// Whether there is something that the other module of this isolate has not been told.
    pub(super) fn says_what_was_told(&self) -> bool {
        self.ends_said.replace(self.ends_told.get()) != self.ends_told.get()
    }

    /// Takes note that there is something new, which the other module knows already.
    pub(super) fn hear(&self) {
        self.ends_told.set(self.ends_told.get() + 1);
        self.ends_said.set(self.ends_said.get() + 1);
    }

    /// Renews the copy of the feed. A failure leaves the old copy, which still has its bound.
    pub(super) async fn refresh(&self, at: &At) {
        let _ = self.ask_feed(at).await;
        self.refreshing_since.set(None);
    }

    /// Asks the feed what is new. An answer that does not join the copy, because another one came
    /// in between, is asked for again.
    async fn ask_feed(&self, at: &At) -> Result<Rc<Revocations>, Unavailable> {
        for _ in 0..MOST_QUESTIONS {
            let (feed, cursor) = match self.feed.borrow().as_ref() {
                Some(copy) => (copy.position().0.to_owned(), copy.position().1),
                None => (String::new(), 0),
            };
            // The answer has what was told before the question; later ends it may lack. The request may
            // be older than the question, which says nothing about which answer is newer.
            let (told, asked_at) = (self.ends_told.get(), clock());
            let Some(answer) = self.news(at, Since { feed, cursor }).await? else {
                continue;
            };
            // Another request may have learned something meanwhile: add to what is there now.
            let mut kept = self.feed.borrow_mut();
            let copy = kept.get_or_insert_default();
            if Rc::make_mut(copy).learn(answer, asked_at) {
                self.ends_learned.set(self.ends_learned.get().max(told));
                return Ok(Rc::clone(copy));
            }
        }
        Err(Unavailable("the feed's answers do not join"))
    }

    /// Calls an object. An answer that was lost on the way is asked for again, once, under the
    /// same request id, so that it is the same answer; an overloaded object is left alone.
    async fn call<V: Serialize, A: DeserializeOwned>(
        &self,
        binding: &'static str,
        name: &str,
        call: &Call<V>,
    ) -> Result<A, Unavailable> {
        let text =
            serde_json::to_string(call).map_err(|_| Unavailable("a call does not serialise"))?;
        let mut tries = 0;
        loop {
            tries += 1;
            let asked = self.object(binding, name)?.call(&text);
            let failed = match answered(asked).await {
                Ok(answer) => {
                    let answer = answer.as_string();
                    let answer = answer.ok_or(Unavailable("an object answered no text"))?;
                    return read_answer(&answer);
                }
                Err(failed) => failed,
            };
            if says(&failed, "late") {
                return Err(LATE);
            }
            if tries > 1 || !says(&failed, "retryable") || says(&failed, "overloaded") {
                return Err(Unavailable(binding));
            }
        }
    }

    /// A stub, made anew for every call: a stub that failed stays broken, and none may be shared
    /// between requests.
    fn object(&self, binding: &'static str, name: &str) -> Result<Object, Unavailable> {
        let stub = self
            .env
            .durable_object(binding)
            .and_then(|objects| objects.get_by_name(name));
        stub.map(|stub| stub.into_rpc::<Object>())
            .map_err(|_| Unavailable(binding))
    }

    fn kv(&self) -> Result<Kv, Unavailable> {
        js_sys::Reflect::get(&self.env, &JsValue::from_str("KV"))
            .ok()
            .filter(JsValue::is_object)
            .map(JsCast::unchecked_into)
            .ok_or(Unavailable("KV"))
    }

    /// A copy that the directory published. One whose seal does not hold is as good as none: the
    /// directory is asked.
    pub(super) async fn read_kv<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        let read = answered(self.kv().ok()?.get(key)).await;
        let text = read.ok()?.as_string()?;
        let snapshot = self.keyring.unseal::<Snapshot>(&text).ok()?.into_value();
        (snapshot.key == key)
            .then(|| message::read(snapshot.state.as_bytes()).ok())
            .flatten()
    }
}

impl Ledger for Bindings {
    async fn call_ledger(
        &self,
        shard: Shard,
        call: Call<LedgerVerb>,
    ) -> Result<LedgerAnswer, Unavailable> {
        let name = format!("shard-{}", shard.0);
        let answer = self.call("LEDGER", &name, &call).await?;
        if ledger::ends_something(&answer) {
            self.ends_told.set(self.ends_told.get() + 1);
        }
        Ok(answer)
    }
}

impl Directory for Bindings {
    async fn call_directory(
        &self,
        call: Call<DirectoryVerb>,
    ) -> Result<DirectoryAnswer, Unavailable> {
        let asks_for_any = matches!(call.verb, DirectoryVerb::HasAccounts(_));
        if asks_for_any && self.has_accounts.get() {
            return Ok(DirectoryAnswer::HasAccounts(true));
        }
        let changes = directory::changes_what_is_published(&call.verb);
        let answer = self.call("DIRECTORY", "directory", &call).await?;
        if changes {
            self.ends_told.set(self.ends_told.get() + 1);
        }
        if answer == DirectoryAnswer::HasAccounts(true) {
            self.has_accounts.set(true);
        }
        Ok(answer)
    }
}

impl Feed for Bindings {
    async fn revocations(&self, at: &At) -> Result<Rc<Revocations>, Unavailable> {
        let copy = self.feed.borrow().clone();
        match copy {
            Some(copy)
                if copy.age(at.now) < self.revocation_max_age
                    && self.ends_learned.get() == self.ends_told.get() =>
            {
                Ok(copy)
            }
            Some(copy) => {
                let relaxed = self.revocation_max_age + self.danger_accept_unchecked_revocation;
                match self.ask_feed(at).await {
                    Err(_) if copy.age(at.now) < relaxed => Ok(copy),
                    asked => asked,
                }
            }
            None => self.ask_feed(at).await,
        }
    }

    async fn call_feed(&self, call: Call<FeedVerb>) -> Result<FeedObjectAnswer, Unavailable> {
        // A request needs the feed for several things, and waits for it once.
        if call.at.now < self.feed_was_silent.get() {
            return Err(LATE);
        }
        let raises = matches!(call.verb, FeedVerb::RaiseEpoch(_));
        let answer = self.call("FEED", "feed", &call).await;
        if raises {
            self.ends_told.set(self.ends_told.get() + 1);
        }
        if matches!(&answer, Err(failed) if *failed == LATE) {
            self.feed_was_silent.set(clock());
        }
        answer
    }
}

impl Clients for Bindings {
    async fn client(&self, id: &ClientId, at: &At) -> Result<Option<Rc<Client>>, Unavailable> {
        // Without the feed nothing tells an old copy from a new one; then only the directory does.
        let newest = self
            .revocations(at)
            .await
            .ok()
            .map(|feed| feed.client_version(id));
        if let Some(newest) = newest {
            let kept = self
                .clients
                .get(id, at.now)
                .filter(|client| client.version >= newest);
            if let Some(client) = kept {
                return Ok(Some(client));
            }
            let published: Option<Client> = self.read_kv(&Snapshot::client(id)).await;
            let current = published.filter(|client| client.version >= newest && client.id == *id);
            if let Some(client) = current.map(Rc::new) {
                self.clients.keep(id.clone(), &client, at.now);
                return Ok(Some(client));
            }
        }
        let found = self
            .directory(at, FindClient { id: id.clone() })
            .await?
            .map(|client| Rc::new(*client));
        if let Some(client) = &found {
            self.clients.keep(id.clone(), client, at.now);
        }
        Ok(found)
    }

    fn is_nobody(&self, id: &ClientId, at: &At) -> bool {
        let bound = self.revocation_max_age;
        self.nobodies.get_within(id, at.now, bound).is_some()
    }

    fn note_nobody(&self, id: &ClientId, at: &At) {
        self.nobodies.keep(id.clone(), &Rc::new(()), at.now);
    }
}

impl Sessions for Bindings {
    fn kept_session(&self, handle: &SessionHandle, at: &At) -> Option<Rc<Session>> {
        let key = (handle.session.clone(), handle.generation);
        self.sessions.get(&key, at.now)
    }

    fn keep_session(&self, handle: &SessionHandle, row: &Rc<Session>, at: &At) {
        let key = (handle.session.clone(), handle.generation);
        self.sessions.keep(key, row, at.now);
    }
}

impl Limits for Bindings {
    async fn quota_overrides(&self, at: &At) -> Result<Option<Rc<Quotas>>, Unavailable> {
        let newest = self.revocations(at).await?.quotas_version();
        if let Some(kept) = self.quotas.get(&(), at.now)
            && kept.0 >= newest
        {
            return Ok(kept.1.clone());
        }
        let published: Option<KeptQuotas> = self.read_kv(Snapshot::QUOTAS).await;
        let current = published.filter(|published| published.version >= newest);
        let current = match current {
            Some(current) => current,
            None => self.directory(at, ReadQuotas {}).await?,
        };
        // What cannot be read, because a newer release wrote it, overrides nothing.
        let overrides = current.overrides.and_then(|read| Quotas::read(&read).ok());
        let overrides = overrides.map(Rc::new);
        let kept = Rc::new((current.version, overrides.clone()));
        self.quotas.keep((), &kept, at.now);
        Ok(overrides)
    }

    async fn subject(
        &self,
        subject: &Subject,
        shard: Shard,
        at: &At,
    ) -> Result<Option<Rc<SubjectFacts>>, Unavailable> {
        let newest = self.revocations(at).await?.subject_version(subject);
        if let Some(kept) = self.subjects.get(subject, at.now)
            && kept.version >= newest
        {
            return Ok(Some(kept));
        }
        let read = ReadSubject {
            subject: subject.clone(),
        };
        let read = self.ledger(shard, at, read).await?.map(Rc::new);
        if let Some(read) = &read {
            self.subjects.keep(subject.clone(), read, at.now);
        }
        Ok(read)
    }
}

impl Tokens for Bindings {
    fn kept(&self, name: &str, at: &At, oldest: u64) -> Option<Rc<KnownToken>> {
        self.tokens.get_within(name, at.now, oldest)
    }

    fn keep(&self, name: &str, token: &Rc<KnownToken>, at: &At) {
        self.tokens.keep(name.to_owned(), token, at.now);
    }

    fn is_gone(&self, name: &str, at: &At) -> bool {
        self.gone.get_within(name, at.now, OLDEST_ROW).is_some()
    }

    fn keep_gone(&self, name: String, at: &At) {
        self.gone.keep(name, &Rc::new(()), at.now);
    }
}

impl Courier for Bindings {
    async fn call_courier(&self, call: Call<CourierVerb>) -> Result<CourierAnswer, Unavailable> {
        self.call("COURIER", "courier", &call).await
    }

    fn kept_keys(&self, url: &str) -> Option<Rc<RemoteKeys>> {
        self.remote.newest(url)
    }

    fn keep_keys(&self, url: &str, keys: &Rc<RemoteKeys>, at: &At) {
        self.remote.keep(url.to_owned(), keys, at.now);
    }
}

impl Codes for Bindings {
    async fn remember(&self, record: &CodeRecord) -> Result<(), Unavailable> {
        #[derive(Serialize)]
        struct Metadata<'a> {
            client: &'a str,
            username: &'a str,
            expires: UnixTime,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Options<'a> {
            metadata: Metadata<'a>,
            expiration_ttl: u64,
        }
        let unfit = |_| Unavailable("a record does not serialise");
        let text = serde_json::to_string(record).map_err(unfit)?;
        let options = serde_json::to_string(&Options {
            metadata: Metadata {
                client: record.client.as_str(),
                username: record.username.as_str(),
                expires: record.expires_at,
            },
            expiration_ttl: CODE_RECORD_LIFETIME,
        });
        let away = |_| Unavailable("KV");
        let options = js_sys::JSON::parse(&options.map_err(unfit)?).map_err(away)?;
        let key = format!("{CODE}{}", record.pk);
        let put = answered(self.kv()?.put(&key, &text, &options)).await;
        put.map(drop).map_err(away)
    }

    async fn recall(&self, pk: u64) -> Result<Option<CodeRecord>, Unavailable> {
        let read = answered(self.kv()?.get(&format!("{CODE}{pk}"))).await;
        let text = read.map_err(|_| Unavailable("KV"))?.as_string();
        Ok(text.and_then(|text| message::read(text.as_bytes()).ok()))
    }

    async fn recent(&self) -> Result<Vec<Row>, Unavailable> {
        let away = |_| Unavailable("KV");
        let options = js_sys::JSON::parse("{\"prefix\":\"code:\"}").map_err(away)?;
        let listed = answered(self.kv()?.list(&options)).await.map_err(away)?;
        let text = js_sys::JSON::stringify(&listed).map_err(away)?;
        let text = String::from(text);
        let listed: Row = message::read(text.as_bytes()).map_err(|_| Unavailable("KV"))?;
        let mut codes = Vec::new();
        for key in listed
            .get("keys")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let name = key.get("name").and_then(Value::as_str);
            let pk = name.and_then(|name| name.strip_prefix(CODE)?.parse::<u64>().ok());
            if let (Some(pk), Some(Value::Object(metadata))) = (pk, key.get("metadata")) {
                let mut code = metadata.clone();
                code.insert("pk".to_owned(), Value::from(pk));
                codes.push(code);
            }
        }
        Ok(codes)
    }
}

impl Entropy for Bindings {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), Unavailable> {
        getrandom::fill(buffer).map_err(|_| Unavailable("no randomness"))
    }
}
