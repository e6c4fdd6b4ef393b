//! All objects in memory, connected as in production: what a shard or the directory decides is
//! told before it is answered.

use std::collections::BTreeMap;

use edgemint::memory::{DirectoryState, FeedState, LedgerState, LogoutsState};
use edgemint::model::{Moment, RequestId};
use edgemint::ports::courier::CourierVerb;
use edgemint::ports::directory::DirectoryVerb;
use edgemint::ports::feed::{Append, FeedObjectAnswer, FeedVerb, Since};
use edgemint::ports::ledger::LedgerVerb;
use edgemint::ports::logouts::Notice;
use edgemint::ports::{At, Call, Verb};
use edgemint::token::Revocation;
use serde_json::{Value, json};

/// The objects.
pub(crate) struct World {
    shards: BTreeMap<String, LedgerState>,
    directory: DirectoryState,
    feed: FeedState,
    courier: LogoutsState,
    posted: Vec<Value>,
    told: u64,
}

impl World {
    /// The name of the feed.
    pub(crate) const FEED: &str = "feed-in-memory";

    pub(crate) fn new(shards: u16) -> Self {
        Self {
            shards: BTreeMap::new(),
            directory: DirectoryState::new(shards),
            feed: FeedState::new(Self::FEED),
            courier: LogoutsState::default(),
            posted: Vec::new(),
            told: 0,
        }
    }

    /// Does one verb; answers, and says what the feed has heard since the last one.
    pub(crate) fn call(&mut self, object: &str, call: Value) -> (Value, Vec<Revocation>) {
        let at: At = serde_json::from_value(call["at"].clone()).unwrap();
        let answer = match object {
            "directory" => {
                let call: Call<DirectoryVerb> = serde_json::from_value(call).unwrap();
                let answer = json!(self.directory.apply(call));
                // The directory's own lines get there before those of a shard that it told.
                let entries = std::mem::take(&mut self.directory.outbox);
                self.tell("directory", entries, at.now);
                for (shard, verb) in std::mem::take(&mut self.directory.shards_out) {
                    let shard = format!("shard-{}", shard.0);
                    // A shard hears it by the directory's own clock, which nothing here tells.
                    let hears = At {
                        now: Moment(0),
                        ..at.clone()
                    };
                    self.ledger(&shard, Call { at: hears, verb }, at.now);
                }
                answer
            }
            "feed" => {
                let call: Call<FeedVerb> = serde_json::from_value(call).unwrap();
                json!(self.feed.apply(call))
            }
            "courier" if call["verb"] == "due" => {
                let due = self.courier.due(at.now).into_iter();
                json!(due.map(|(key, _)| key).collect::<Vec<_>>())
            }
            "courier" => {
                let call: Call<CourierVerb> = serde_json::from_value(call).unwrap();
                let CourierVerb::SendLogouts(verb) = call.verb else {
                    panic!("the contract has no word of what is fetched");
                };
                json!({ "send_logouts": self.courier.take(*verb, call.at.now) })
            }
            shard => {
                let call: Call<LedgerVerb> = serde_json::from_value(call).unwrap();
                let now = call.at.now;
                self.ledger(shard, call, now)
            }
        };
        (answer, self.heard(at))
    }

    fn ledger(&mut self, shard: &str, call: Call<LedgerVerb>, now: Moment) -> Value {
        let state = self.shards.entry(shard.to_owned()).or_default();
        let answer = json!(state.apply(call));
        let entries = std::mem::take(&mut state.outbox);
        for (_, notice) in std::mem::take(&mut state.notices) {
            // When it ended, a shard that is told by the directory reads off its own clock.
            let Notice {
                client,
                session,
                sub,
                ..
            } = notice;
            self.posted
                .push(json!({ "client": client, "session": session, "sub": sub }));
        }
        self.tell(shard, entries, now);
        answer
    }

    /// What the courier was sent by shards since the last time.
    pub(crate) fn posted(&mut self) -> Value {
        json!(std::mem::take(&mut self.posted))
    }

    fn tell(&mut self, source: &str, entries: Vec<(u64, Revocation)>, now: Moment) {
        if entries.is_empty() {
            return;
        }
        let at = At {
            request: RequestId::parse("outbox").unwrap(),
            now,
        };
        let verb = Append {
            source: source.to_owned(),
            entries,
        }
        .into_verb();
        self.feed.apply(Call { at, verb });
    }

    fn heard(&mut self, at: At) -> Vec<Revocation> {
        let verb = Since {
            feed: Self::FEED.to_owned(),
            cursor: self.told,
        }
        .into_verb();
        let FeedObjectAnswer::Since(answer) = self.feed.apply(Call { at, verb }) else {
            panic!("the feed answered another verb");
        };
        self.told = answer.head;
        answer.entries
    }
}
