//! Prints a random but reproducible sequence of calls to the objects, with what the store in
//! memory answers and what it tells the feed: `store_trace SEED STEPS`. The test
//! `tests/worker/differential.test.js` replays it on the Durable Objects.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a tool of the tests"
)]

#[path = "mod.rs"]
mod contract_support;
#[path = "trace_records.rs"]
mod records;
#[path = "trace_tokens.rs"]
mod tokens;

use contract_support::World;
use edgemint::model::public_id;
use serde_json::{Value, json};

/// As many as `LEDGER_SHARDS` says where it is replayed.
const SHARDS: u16 = 2;

fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .map(|text| text.parse::<u64>().unwrap());
    let seed = arguments.next().unwrap_or(1);
    let steps = arguments.next().unwrap_or(2000);
    let mut trace = Trace {
        world: World::new(SHARDS),
        random: seed,
        now: 4_000_000_000_000,
        requests: 0,
        said: Vec::new(),
        opened: Vec::new(),
        made: Vec::new(),
    };
    for name in ["ann", "bob", "cy"] {
        trace.say("directory", create_account(name));
    }
    while u64::try_from(trace.said.len()).unwrap() < steps {
        trace.step();
    }
    println!("{}", json!(trace.said));
}

fn create_account(name: &str) -> Value {
    json!({ "create_account": {
        "subject": format!("u_{name}"), "username": name, "password_hash": "phc",
        "scope": "openid", "profile": {}, "first_only": false,
    }})
}

struct Trace {
    world: World,
    random: u64,
    now: u64,
    requests: u64,
    said: Vec<Value>,
    opened: Vec<(String, String, String)>,
    /// Keys of tokens, by shard and owner.
    made: Vec<(String, Value, String)>,
}

impl Trace {
    /// SplitMix64: a number below `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        let end = u64::try_from(choices.len()).unwrap();
        choices[usize::try_from(self.below(end)).unwrap()]
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn at(&mut self) -> Value {
        self.requests += 1;
        json!({ "request": format!("r{}", self.requests), "now": self.now })
    }

    fn say(&mut self, object: &str, verb: Value) {
        let call = json!({ "at": self.at(), "verb": verb });
        self.send(object, call);
    }

    fn send(&mut self, object: &str, call: Value) {
        let (answer, feed) = self.world.call(object, call.clone());
        let courier = self.world.posted();
        if answer["spend_code"].get("first").is_some() {
            let spent = &call["verb"]["spend_code"];
            let [grant, client] =
                [&spent["grant"], &spent["client"]].map(|id| id.as_str().unwrap().to_owned());
            self.opened.push((object.to_owned(), grant, client));
        }
        if let Some(row) = tokens::made(&answer) {
            let owner = match row["subject"].as_str() {
                Some(subject) => json!({ "person": subject }),
                None => json!({ "service": row["username"] }),
            };
            let key = row["key"].as_str().unwrap().to_owned();
            self.made.push((object.to_owned(), owner, key));
        }
        self.said
            .push(json!({ "object": object, "call": call, "answer": answer, "feed": feed, "courier": courier }));
    }

    /// Asks without saying so.
    fn peek(&mut self, object: &str, verb: Value) -> Value {
        let at = json!({ "request": "peek", "now": self.now });
        self.world.call(object, json!({ "at": at, "verb": verb })).0
    }

    fn seconds(&self) -> u64 {
        self.now / 1000
    }

    fn step(&mut self) {
        self.now += match self.below(40) {
            0 => self.below(100_000),
            1..=3 => 15_000,
            _ => self.below(2_000),
        };
        if self.chance(12) {
            // A repeated request: the very same call, a little later or long after.
            let said = u64::try_from(self.said.len()).unwrap();
            let back = if self.chance(70) {
                self.below(said.min(8))
            } else {
                self.below(said)
            };
            let again = self.said[usize::try_from(said - 1 - back).unwrap()].clone();
            let mut call = again["call"].clone();
            call["at"]["now"] = json!(self.now);
            return self.send(again["object"].as_str().unwrap(), call);
        }
        match self.below(24) {
            0..=1 => self.directory(),
            2..=7 => self.records(),
            8 => self.feed(),
            9..=12 => self.tokens(),
            _ => self.ledger(),
        }
    }

    fn directory(&mut self) {
        let name = self.pick(&["ann", "bob", "cy", "dee", "eve"]);
        let client = self.pick(&["app", "web", "ghost"]);
        let known = self.peek("directory", json!({ "find_client": { "id": client } }));
        let version = known["find_client"]["version"].as_u64().unwrap_or(0);
        let generation = known["find_client"]["generation"].as_u64().unwrap_or(0);
        let client = json!({
            "id": client,
            "version": if self.chance(80) { version + 1 } else { self.below(4) },
            "generation": generation + u64::from(self.chance(30)),
            "enabled": true,
            "name": format!("Client {}", self.requests),
            "authentication": "none",
            "grant_types": ["authorization_code"],
            "scope": "openid",
            "access_token_lifetime": 600,
            "signing": "ES256",
        });
        let kid = format!("k{}", self.below(40));
        let key = json!({
            "kid": kid, "algorithm": self.pick(&["ES256", "RS256"]), "public": "{}",
            "wrapped": "w", "signs_from": 0, "published_until": null,
        });
        let actor = json!({ "name": "trace", "address": null });
        let verb = match self.below(16) {
            0 => json!({ "has_accounts": {} }),
            1 => json!({ "find_account": { "username": name } }),
            2 => create_account(name),
            3 => {
                let mut verb = create_account(name);
                verb["create_account"]["first_only"] = json!(true);
                verb
            }
            4 | 5 => json!({ "change_account": {
                "subject": format!("u_{name}"),
                "password_hash": if self.chance(20) { json!("new") } else { Value::Null },
                "active": match self.below(12) { 0 => json!(false), 1..=8 => json!(true), _ => Value::Null },
                "scope": if self.chance(50) { json!(self.scope()) } else { Value::Null },
            }}),
            6 => json!({ "create_client": { "client": client } }),
            7 | 8 => json!({ "replace_client": { "client": client } }),
            9 => json!({ "find_client": { "id": client["id"] } }),
            10 => json!({ "read_keys": {} }),
            11 => json!({ "change_key": { "change": { "add": key }, "actor": actor } }),
            12 => json!({ "change_key": { "change": { "retire": kid }, "actor": actor } }),
            13 => json!({ "read_quotas": {} }),
            14 => json!({ "change_quotas": { "actor": actor, "overrides": match self.below(3) {
                0 => Value::Null,
                most => json!({ "default": { "api": { "app": most } } }),
            }}}),
            _ => json!({ "add_keys": { "keys": [key], "rotate": self.chance(40) } }),
        };
        self.say("directory", verb);
    }

    fn feed(&mut self) {
        let verb = match self.below(5) {
            0 | 1 => json!({ "append": {
                "source": self.pick(&["x", "y"]),
                "entries": [
                    [self.below(60), { "grant": format!("f{}", self.below(9)) }],
                    [self.below(60), { "role": ["r", self.below(9)] }],
                ],
            }}),
            2 | 3 => json!({ "since": {
                "feed": self.pick(&[World::FEED, World::FEED, "another"]), "cursor": self.below(200),
            }}),
            _ => json!({ "raise_epoch": {} }),
        };
        self.say("feed", verb);
    }

    fn scope(&mut self) -> &'static str {
        self.pick(&[
            "openid",
            "email openid",
            "email openid profile",
            "email",
            "",
        ])
    }

    /// A grant of the shard and its client: mostly one of the newest.
    fn grant(&mut self, shard: &str) -> (String, String) {
        let here: Vec<_> = self
            .opened
            .iter()
            .rev()
            .filter(|(at, ..)| at == shard)
            .cloned()
            .collect();
        let most = if self.chance(85) { 4 } else { 30 };
        let Some(end) = u64::try_from(here.len().min(most))
            .ok()
            .filter(|end| *end > 0)
        else {
            return ("g0".to_owned(), "app".to_owned());
        };
        let (_, grant, client) = here[usize::try_from(self.below(end)).unwrap()].clone();
        (
            grant,
            if self.chance(95) {
                client
            } else {
                "ghost".to_owned()
            },
        )
    }

    fn ledger(&mut self) {
        let (subject, shard) = [
            ("u_ann", "shard-0"),
            ("u_bob", "shard-1"),
            ("u_cy", "shard-0"),
            ("u_no", "shard-1"),
        ][usize::try_from(self.below(13) / 4).unwrap()];
        let facts = self.peek(shard, json!({ "read_subject": { "subject": subject } }));
        let facts = facts["read_subject"].clone();
        let current = facts["generation"].as_u64().unwrap_or(0);
        let now = self.seconds();
        // Ids of a shard are its own; a few of them, so that calls meet.
        let session = format!("s{subject}{}", self.below(3));
        let other = format!("s{subject}{}", self.below(3));
        let (grant, holder) = self.grant(shard);
        let client = self.pick(&["app", "app", "web"]);
        let authentication = json!({ "time": now, "methods": [self.pick(&["pwd", "otp"])] });
        let key = format!("key:{}", self.below(12));
        let limit = json!({ "most": 1 + self.below(4), "window": 30 + self.below(90) });
        let verb = match self.below(38) {
            0 => json!({ "put_subject": { "facts": {
                "subject": subject, "username": "renamed", "shard": 0,
                "active": self.chance(95),
                "generation": current + u64::from(self.chance(10)),
                "version": facts["version"].as_u64().unwrap_or(0) + self.below(2),
                "scope": self.scope(), "roles": { "r": 1 },
                "groups": if self.chance(50) { json!(["g"]) } else { json!([]) },
            }}}),
            1..=5 => {
                let grant = if self.chance(15) {
                    grant
                } else {
                    format!("g{}", self.requests)
                };
                json!({ "spend_code": {
                    "grant": grant, "subject": subject,
                    "generation": if self.chance(90) { current } else { self.below(3) },
                    "client": client, "session": session, "scope": "email openid",
                    "audience": "https://api.example", "offline": self.chance(40),
                    "refreshable": self.chance(85), "authentication": authentication,
                    "expires_at": now + 600 + self.below(3000),
                    "joins": if self.chance(50) {
                        json!({ "sub_mode": "user_username", "issuer": "https://id.example" })
                    } else {
                        Value::Null
                    },
                }})
            }
            6..=16 => {
                let row = self.peek(
                    shard,
                    json!({ "read_grant": { "grant": grant, "idle": 100_000 } }),
                );
                let newest = row["read_grant"]["refresh_generation"]
                    .as_u64()
                    .unwrap_or(0);
                let generation = match self.below(10) {
                    0..=7 => newest,
                    8 => newest.saturating_sub(1),
                    _ => self.below(4),
                };
                json!({ "advance_family": {
                    "grant": grant, "client": holder, "generation": generation,
                    "scope": if self.chance(20) { json!(self.scope()) } else { Value::Null },
                    "audiences": match self.below(20) {
                        0 => json!(["https://other.example"]),
                        1 => json!([]),
                        _ => json!(["https://other.example", "https://api.example"]),
                    },
                    "idle": 1500, "grace": 30, "most_retries": 2,
                }})
            }
            17 if self.chance(40) => {
                json!({ "revoke_grant": { "grant": grant, "client": holder } })
            }
            17 | 18 => json!({ "read_grant": { "grant": grant, "idle": 400 } }),
            19 => json!({ "revoke_token": {
                "token": format!("t{}", self.below(9)),
                "expires_at": self.seconds() + self.below(9000),
                "client": format!("c{}", self.below(3)),
                "limit": { "most": 5, "window": 60 },
            } }),
            20..=22 => json!({ "open_session": {
                "page": { "key": format!("page:{}", self.below(300)), "expires_at": now + 900 },
                "session": session,
                "renew": if self.chance(40) { json!(other) } else { Value::Null },
                "subject": subject, "authentication": authentication,
                "expires_at": now + if self.chance(10) { 0 } else { 1500 + self.below(3000) },
                "user_agent": if self.chance(50) { json!("A browser") } else { Value::Null },
                "address": if self.chance(50) { json!("192.0.2.1") } else { Value::Null },
            }}),
            23 => json!({ "read_session": { "session": session } }),
            24 if self.chance(25) => json!({ "end_session": { "session": session } }),
            24 => json!({ "read_subject": { "subject": subject } }),
            25 => json!({ "read_consent": { "subject": subject, "client": client } }),
            26 => json!({ "remember_consent": {
                "subject": subject, "client": client, "scope": self.scope(),
            }}),
            27 if self.chance(15) => json!({ "withdraw_consent": {
                "subject": subject, "client": client,
            }}),
            27 => json!({ "spend_once": { "key": key, "expires_at": now + self.below(90) } }),
            28 => json!({ "spend_nonce": {
                "key": client, "holder": subject, "nonce": key, "expires_at": now + self.below(90), "limit": limit,
            }}),
            29 => json!({ "read_failures": { "key": key, "limit": limit } }),
            30 | 31 => json!({ "list_sessions": { "subject": subject } }),
            32 => json!({ "list_grants": {
                "subject": subject, "idle": 400,
                "client": if self.chance(30) { json!(client) } else { Value::Null },
            }}),
            33 => json!({ "end_owned": { "subject": subject, "what": match self.below(8) {
                0 => json!({ "sessions": Value::Null }),
                1 => json!({ "sessions": session }),
                2..=4 => json!({ "session": public_id(&session) }),
                _ => json!({ "grant": public_id(&grant) }),
            }}}),
            34 | 35 => json!({ "spend_quota": { "key": key, "limit": limit } }),
            _ => json!({ "record_failure": { "key": key, "limit": limit } }),
        };
        self.say(shard, verb);
    }
}
