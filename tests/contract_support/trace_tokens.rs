//! Random verbs about tokens that are rows.

use serde_json::{Value, json};

use super::Trace;

/// The row that an answer made or found.
pub(super) fn made(answer: &Value) -> Option<&Value> {
    let row = match answer.get("delegate") {
        Some(child) => child.get("row"),
        None => answer["add_token"]["added"].get("row"),
    };
    row.filter(|row| row.is_object())
}

impl Trace {
    pub(super) fn tokens(&mut self) {
        let shard = self.pick(&["shard-0", "shard-0", "shard-1"]);
        let subject = match shard {
            "shard-0" => self.pick(&["u_ann", "u_ann", "u_cy"]),
            _ => "u_bob",
        };
        let owner = if self.chance(75) {
            json!({ "person": subject })
        } else {
            json!({ "service": self.pick(&["bot-a", "bot-b"]) })
        };
        let (of, key) = self.token(shard, &owner);
        let now = self.seconds();
        let by = json!({
            "name": self.pick(&["ann", "root"]),
            "address": self.pick(&["192.0.2.1", "2001:db8::7"]),
        });
        let fresh = format!("k{}", self.requests);
        let name = format!("name {}", self.below(6));
        let verb = match self.below(20) {
            0..=4 => json!({ "add_token": {
                "key": fresh, "owner": owner, "by": by, "scopes": self.scope(),
                "token_name": if owner.get("person").is_some() { json!(name) } else { Value::Null },
                "expires": if self.chance(60) { json!(now + 300 + self.below(3000)) } else { Value::Null },
            }}),
            5..=10 => {
                let parent = match self.below(10) {
                    0..=4 => json!({ "token": key }),
                    5..=7 => json!({ "session": format!("s{subject}{}", self.below(3)) }),
                    _ => self.access(shard, subject),
                };
                json!({ "delegate": {
                    "key": fresh, "parent": parent, "scopes": self.scope(),
                    "service": if self.chance(60) { json!(self.pick(&["one", "two"])) } else { Value::Null },
                    "lifetime": 1000, "remaining": 100 + self.below(900),
                    "address": if self.chance(50) { json!("192.0.2.1") } else { Value::Null },
                }})
            }
            11 | 12 => json!({ "read_token": { "key": key } }),
            13 => json!({ "list_tokens": { "owner": owner } }),
            15 if self.chance(20) => json!({ "drop_scope": { "scope": "email" } }),
            14 | 15 => json!({ "change_token": {
                "key": key, "owner": of, "by": by,
                "token_name": if self.chance(30) { json!(name) } else { Value::Null },
                "scopes": if self.chance(50) { json!(self.scope()) } else { Value::Null },
                "expires": match self.below(3) {
                    0 => json!("never"),
                    1 => json!({ "at": now + 300 + self.below(2000) }),
                    _ => Value::Null,
                },
            }}),
            16 => json!({ "end_token": {
                "key": key, "by": by, "owner": if self.chance(90) { of } else { owner },
            }}),
            _ => self.history(subject, &key),
        };
        self.say(shard, verb);
    }

    fn access(&mut self, shard: &str, subject: &str) -> Value {
        let (grant, _) = self.grant(shard);
        let facts = self.peek(shard, json!({ "read_subject": { "subject": subject } }));
        let generation = facts["read_subject"]["generation"].as_u64().unwrap_or(0);
        let jti = format!("t{}", self.below(9));
        json!({ "access": {
            "key": format!("a{jti}"), "username": "ann", "scopes": "email openid",
            "person": if self.chance(80) { json!([subject, generation]) } else { Value::Null },
            "expires": self.seconds() + self.below(3000),
            "origin": {
                "token": jti, "client": ["app", 0],
                "grant": if self.chance(50) { json!(grant) } else { Value::Null },
                "session": if self.chance(30) { json!(format!("s{subject}0")) } else { Value::Null },
            },
        }})
    }

    fn history(&mut self, subject: &str, key: &str) -> Value {
        let now = self.seconds();
        let sometimes = |trace: &mut Self, value: Value| {
            if trace.chance(30) { value } else { Value::Null }
        };
        let since = now - self.below(2000);
        let until = now - self.below(500);
        let below = self.below(20);
        let backwards = self.chance(40);
        json!({ "read_token_history": {
            "owner": sometimes(self, json!({ "person": subject })),
            "username": sometimes(self, json!("ann")),
            "key": sometimes(self, json!(key)),
            "alone": self.chance(50),
            "token_type": sometimes(self, json!("notebook")),
            "actor": sometimes(self, json!("<internal>")),
            "addresses": sometimes(self, json!([
                "00000000000000000000ffffc0000200", "00000000000000000000ffffc00002ff",
            ])),
            // What ended with a person did so by the directory's clock: long before.
            "since": since,
            "until": sometimes(self, json!(until)),
            "from": sometimes(self, json!({
                "time": until, "below": below, "backwards": backwards,
            })),
            "most": 1 + self.below(8),
        }})
    }

    /// A token of the shard and whose it is: mostly one of the newest.
    fn token(&mut self, shard: &str, owner: &Value) -> (Value, String) {
        let here = self.made.iter().rev().filter(|(at, ..)| at == shard);
        let here: Vec<_> = here.take(6).cloned().collect();
        let Some(end) = u64::try_from(here.len()).ok().filter(|end| *end > 0) else {
            return (owner.clone(), "k0".to_owned());
        };
        let (_, of, key) = here[usize::try_from(self.below(end)).unwrap()].clone();
        (of, key)
    }
}
