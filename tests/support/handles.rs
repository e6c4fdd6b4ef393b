//! Tokens that are rows of the ledger, made and changed right there.

use edgemint::directory::record::Actor;
use edgemint::gate::principal;
use edgemint::model::{Scope, TokenKey, UnixTime, Username};
use edgemint::ports::Directory;
use edgemint::ports::Ledger;
use edgemint::ports::directory::FindAccount;
use edgemint::ports::tokens::{AddToken, ChangeToken, Expiry, Owner, TokenAdded, TokenChanged};
use edgemint::token::TokenHandle;
use serde_json::Value;

use super::{Fixture, block_on, subject};

fn by() -> Actor {
    Actor {
        name: "fixture".to_owned(),
        address: None,
    }
}

impl Fixture {
    /// A token that somebody made; `expires` in so many seconds, or never.
    pub(crate) fn user_token(&self, username: &str, scopes: &str, expires: Option<u64>) -> String {
        let at = self.at();
        let find = FindAccount {
            username: Username::parse(username).unwrap(),
        };
        let account = block_on(self.memory().directory(&at, find))
            .unwrap()
            .unwrap();
        let add = AddToken {
            key: self.server.fresh_name("", 16).unwrap(),
            owner: Owner::Person(subject(username)),
            token_name: Some(format!("made by {}", at.request)),
            scopes: Scope::parse(scopes).unwrap(),
            expires: expires.map(|seconds| UnixTime(self.now() + seconds)),
            epoch: 1,
            by: by(),
            limit: None,
        };
        let shard = account.facts.shard;
        let added = block_on(self.memory().ledger(shard, &at, add)).unwrap();
        let TokenAdded::Added(made) = added else {
            panic!("{added:?}");
        };
        let handle = TokenHandle {
            shard,
            key: made.row.key.clone(),
            service: None,
        };
        let text = handle.mint(&self.server.keyring, 1).unwrap();
        text.expose().to_owned()
    }

    /// The key of a token that lives.
    pub(crate) fn key_of(&self, token: &str) -> TokenKey {
        let shown = block_on(principal::by_token(&self.server, token, &self.at()));
        shown.unwrap().key.clone()
    }

    /// Changes a token of a person.
    pub(crate) fn change_token(&self, username: &str, token: &str, change: &Value) {
        let at = self.at();
        let shown = block_on(principal::by_token(&self.server, token, &at)).unwrap();
        let change = ChangeToken {
            key: shown.key.clone(),
            owner: Owner::Person(subject(username)),
            token_name: None,
            scopes: change["scopes"]
                .as_str()
                .map(|text| Scope::parse(text).unwrap()),
            expires: match &change["expires"] {
                Value::Null => None,
                Value::Number(then) => Some(Expiry::At(UnixTime(then.as_u64().unwrap()))),
                _ => Some(Expiry::Never),
            },
            epoch: 1,
            by: by(),
        };
        let changed = block_on(self.memory().ledger(shown.shard, &at, change)).unwrap();
        assert!(matches!(changed, TokenChanged::Changed(_)), "{changed:?}");
    }
}
