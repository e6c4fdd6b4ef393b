//! Random changes of records and questions about them.

use serde_json::{Map, Value, json};

use super::Trace;

/// Collections, and how often each is asked for.
const COLLECTIONS: [&str; 14] = [
    "users",
    "users",
    "users",
    "users",
    "groups",
    "groups",
    "groups",
    "roles",
    "roles",
    "scopes",
    "providers",
    "providers",
    "applications",
    "flows",
];
const NAMES: [&str; 6] = ["a", "B", "Zoë", "100%", "x_y", ""];

impl Trace {
    /// A change of a record, or a question.
    pub(crate) fn records(&mut self) {
        let collection = self.pick(&COLLECTIONS);
        let verb = match self.below(10) {
            0..=2 => {
                let fields = self.whole(collection);
                change(collection, json!({ "create": fields }))
            }
            3..=5 => {
                let id = self.one_of(collection);
                let mut fields = self.whole(collection);
                // Who is called what stays, mostly; of the rest some is said.
                let mut said = Map::new();
                for (name, value) in std::mem::take(&mut fields) {
                    let fixed = name.starts_with('_') && name != "_password";
                    if !fixed && self.chance(if name == "client_id" { 2 } else { 30 }) {
                        said.insert(name, value);
                    }
                }
                change(collection, json!({ "set": [id, said] }))
            }
            6 if self.chance(70) => {
                let id = self.one_of(collection);
                change(collection, json!({ "delete": id }))
            }
            6 | 7 => {
                let part = self.pick(&["record", "record", "used_by", "secrets"]);
                json!({ "read_record": {
                    "collection": collection, "id": self.one_of(collection), "part": part,
                }})
            }
            _ => self.list(collection),
        };
        self.say("directory", verb);
    }

    fn list(&mut self, collection: &str) -> Value {
        let fields = match collection {
            "users" => ["username", "name", "is_active", "email"],
            "providers" => ["client_id", "name", "enabled", "owner"],
            "applications" => ["slug", "name", "provider", "group"],
            "groups" => ["name", "is_superuser", "parent", ""],
            _ => ["name", "description", "", "slug"],
        };
        let field = self.pick(&fields);
        let mut filters = Vec::new();
        for _ in 0..self.below(4).saturating_sub(1) {
            let field = self.pick(&fields);
            let id = self.one_of(collection).to_string();
            filters.push(json!([
                field,
                self.pick(&["", "0", "1", "a", "Zoë", "u1", &id])
            ]));
        }
        let sign = self.pick(&["", "-"]);
        json!({ "list_records": {
            // Accounts are users in other words.
            "collection": if collection == "users" && self.chance(30) { "accounts" } else { collection },
            "query": {
                "page": 1 + self.below(4) / 3, "page_size": 1 + self.below(6),
                "ordering": format!("{sign}{field}"),
                "search": self.pick(&["", "", "", "", "", "ZO", "ë", "%", "_", "'", "u1"]),
                "filters": filters,
            },
        }})
    }

    /// The id of a record of a collection; now and then of one that there is not.
    fn one_of(&mut self, collection: &str) -> u64 {
        let query = json!({
            "page": 1, "page_size": 100, "ordering": "", "search": "", "filters": [],
        });
        let list = json!({ "list_records": { "collection": collection, "query": query } });
        let page = self.peek("directory", list);
        let found = page["list_records"]["results"].as_array().unwrap().clone();
        let end = u64::try_from(found.len()).unwrap();
        if end == 0 || self.chance(5) {
            return self.below(3) * 1000;
        }
        let record = &found[usize::try_from(self.below(end)).unwrap()];
        let key = if record["pk"].is_null() {
            &record["id"]
        } else {
            &record["pk"]
        };
        match key.as_str() {
            Some(uuid) => edgemint::directory::uuid::parse(uuid).unwrap(),
            None => key.as_u64().unwrap(),
        }
    }

    fn some_of(&mut self, collection: &str, percent: u64) -> Value {
        if self.chance(percent) {
            json!(self.one_of(collection))
        } else {
            Value::Null
        }
    }

    fn held(&mut self) -> &'static str {
        self.pick(&[
            "",
            "openid",
            "admin:token",
            "admin:token",
            "s0",
            "s0 s1",
            "s9",
        ])
    }

    /// Every field of a record.
    fn whole(&mut self, collection: &str) -> Map<String, Value> {
        let number = self.below(6);
        let name = self.pick(&NAMES);
        let flag = self.chance(80);
        let fields = match collection {
            "users" => {
                let groups: Vec<Value> = (0..self.below(3))
                    .map(|_| json!(self.one_of("groups")))
                    .collect();
                let roles: Vec<String> = (0..self.below(3))
                    .map(|_| format!("r{}", self.below(5)))
                    .collect();
                json!({
                    "username": format!("u{number}"), "name": name, "first_name": "", "last_name": name,
                    "is_active": flag, "groups": groups, "email": self.pick(&["", "a@b", "é@b"]),
                    "attributes": { "n": self.below(3), "é": [null, flag] }, "path": "users",
                    "type": "internal", "scopes": self.held(), "roles": roles,
                    "_subject": format!("u_r{}", self.requests), "_updated_at": 7,
                    "_password": self.pick(&["phc", "other"]),
                })
            }
            "groups" => json!({
                "name": format!("g{number}"), "is_superuser": self.chance(30),
                "parent": self.some_of("groups", 50), "attributes": {},
            }),
            "roles" => json!({
                "name": format!("r{}", self.below(5)), "description": name, "scopes": self.held(),
            }),
            "scopes" => json!({
                "name": format!("S{}", self.below(4)), "description": name,
                "value": format!("s{}", self.below(3)),
            }),
            "providers" => json!({
                "name": name, "client_id": self.pick(&["app", "web", "p0", "p1", "p2", "p3"]),
                "client_type": self.pick(&["confidential", "confidential", "public"]),
                "authorization_flow": self.some_of("flows", 30),
                "grant_types": self.pick(&["authorization_code", "client_credentials"]).split(' ').collect::<Vec<_>>(),
                "redirect_uris": self.pick(&["https://a.example/", "https://a.example/\nhttps://b.example/", ""]),
                "scope": self.pick(&["openid", "openid s0", "s0 s1", "email openid"]),
                "owner": self.some_of("users", 30), "enabled": flag, "self_registered": false,
                "issuer_mode": self.pick(&["global", "per_provider"]), "sub_mode": "user_id",
                "access_token_validity": self.pick(&["hours=1", "seconds=90"]),
                "include_claims_in_id_token": flag, "property_mappings": [], "jwks_sources": [], "jwks_subjects": [],
                "token_endpoint_auth_method": "client_secret_basic",
                "_secrets": [{ "digest": DIGEST, "created_at": self.seconds() }],
            }),
            "applications" => json!({
                "name": name, "slug": format!("a{number}"), "group": "",
                "provider": self.some_of("providers", 60),
            }),
            _ => json!({
                "name": name, "slug": format!("f{}", self.below(3)), "title": "",
                "designation": self.pick(&["authorization", "authorization", "invalidation"]),
                "consent": self.pick(&["explicit", "implicit"]),
            }),
        };
        fields.as_object().unwrap().clone()
    }
}

const DIGEST: &str = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";

fn change(collection: &str, change: Value) -> Value {
    let actor = json!({ "name": "admin", "address": null });
    json!({ "change_record": { "collection": collection, "change": change, "actor": actor } })
}
