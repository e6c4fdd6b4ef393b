//! The directory in memory. What a verb promises is written at its arguments, in
//! `ports::directory`.

use std::collections::BTreeMap;
use std::convert::Infallible;

use crate::directory::keys::KeyChanged;
use crate::directory::records::{self, Actor, Audited, Record, Rows};
use crate::directory::{Collection, list};
use crate::model::{Client, ClientId, Moment, RequestId, RoleFacts, Shard, SubjectFacts, Username};
use crate::ports::directory::{
    Account, AccountCreated, ChangeAccount, ChangeKey, ClientCreated, ClientReplaced,
    CreateAccount, DirectoryAnswer, DirectoryVerb, KeySet, StoredKey,
};
use crate::ports::ledger::{LedgerVerb, PutRoles, PutSubject};
use crate::ports::{At, Call, Verb};
use crate::token::Revocation;

#[derive(Debug)]
struct AccountRow {
    account: Account,
    created_by: RequestId,
    changed_by: Option<RequestId>,
}

#[derive(Debug)]
#[expect(dead_code, reason = "the actor is for people to read")]
struct KeyLine {
    actor: Option<Actor>,
    request: RequestId,
    before: Option<StoredKey>,
    after: Option<StoredKey>,
}

/// The state of the directory, and what it has to publish.
#[derive(Debug, Default)]
pub struct DirectoryState {
    shards: u16,
    accounts: BTreeMap<Username, AccountRow>,
    clients: BTreeMap<ClientId, (Client, RequestId)>,
    keys: KeySet,
    records: BTreeMap<(Collection, u64), Record>,
    audit: Vec<Audited>,
    key_audit: Vec<KeyLine>,
    last_number: u64,
    /// What shards have not been told yet.
    pub shards_out: Vec<(Shard, LedgerVerb)>,
    /// What the feed has not been sent yet.
    pub outbox: Vec<(u64, Revocation)>,
    last_sent: u64,
}

impl DirectoryState {
    /// An empty directory that spreads subjects over so many shards.
    #[must_use]
    pub fn new(shards: u16) -> Self {
        let mut directory = Self {
            shards: shards.max(1),
            ..Self::default()
        };
        if let Ok(request) = RequestId::parse("open") {
            let Ok(()) = records::seed(&mut directory, &request);
        }
        directory
    }

    /// Does one verb.
    pub fn apply(&mut self, call: Call<DirectoryVerb>) -> DirectoryAnswer {
        let at = call.at;
        match call.verb {
            DirectoryVerb::CreateAccount(verb) => {
                DirectoryAnswer::CreateAccount(self.create_account(*verb, &at))
            }
            DirectoryVerb::FindAccount(verb) => DirectoryAnswer::FindAccount(
                self.accounts
                    .get(&verb.username)
                    .map(|row| row.account.clone()),
            ),
            DirectoryVerb::ChangeAccount(verb) => {
                DirectoryAnswer::ChangeAccount(self.change_account(*verb, &at))
            }
            DirectoryVerb::HasAccounts(_) => {
                DirectoryAnswer::HasAccounts(!self.accounts.is_empty())
            }
            DirectoryVerb::CreateClient(verb) => {
                DirectoryAnswer::CreateClient(self.create_client(verb.client, &at))
            }
            DirectoryVerb::FindClient(verb) => DirectoryAnswer::FindClient(
                self.clients.get(&verb.id).map(|(client, _)| client.clone()),
            ),
            DirectoryVerb::ReplaceClient(verb) => {
                DirectoryAnswer::ReplaceClient(self.replace_client(verb.client, &at))
            }
            DirectoryVerb::ReadKeys(_) => DirectoryAnswer::ReadKeys(self.keys.clone()),
            DirectoryVerb::AddKeys(verb) => {
                let mut set = self.keys.clone();
                set.add(&verb, at.now.unix());
                self.replace_keys(set, verb.actor.as_ref(), &at);
                DirectoryAnswer::AddKeys(self.keys.clone())
            }
            DirectoryVerb::ChangeKey(verb) => {
                DirectoryAnswer::ChangeKey(self.change_key(&verb, &at))
            }
            DirectoryVerb::ChangeRecord(verb) => {
                let Ok(changed) =
                    records::apply(self, verb.collection, verb.change, verb.actor, &at);
                DirectoryAnswer::ChangeRecord(changed)
            }
            DirectoryVerb::ReadRecord(verb) => {
                let Ok(scopes) = self.all(Collection::Scopes);
                let record = self.records.get(&(verb.collection, verb.id));
                DirectoryAnswer::ReadRecord(record.map(|record| records::view(&scopes, record)))
            }
            DirectoryVerb::ListRecords(verb) => {
                let Ok(page) = list::list(self, verb.collection, &verb.query);
                DirectoryAnswer::ListRecords(page)
            }
        }
    }

    fn tell_shard(&mut self, facts: &SubjectFacts) {
        let facts = facts.clone();
        self.shards_out
            .push((facts.shard, PutSubject { facts }.into_verb()));
    }

    fn publish(&mut self, entry: Revocation) {
        self.last_sent += 1;
        self.outbox.push((self.last_sent, entry));
    }

    fn change_key(&mut self, verb: &ChangeKey, at: &At) -> KeyChanged {
        let adds = verb.change.adds();
        let of_it = self.key_audit.iter();
        let done = of_it.filter_map(|line| match (&line.before, &line.after) {
            (None, Some(key)) if adds && line.request == at.request => Some(key.clone()),
            (Some(key), None) if !adds && line.request == at.request => Some(key.clone()),
            _ => None,
        });
        let done = verb.change.done_by(done.collect());
        done.unwrap_or_else(|| {
            let mut set = self.keys.clone();
            let changed = set.change(&verb.change, at.now.unix());
            self.replace_keys(set, Some(&verb.actor), at);
            changed
        })
    }

    fn replace_keys(&mut self, set: KeySet, actor: Option<&Actor>, at: &At) {
        let before = std::mem::replace(&mut self.keys, set);
        for line in self.keys.audit(&before, actor) {
            self.key_audit.push(KeyLine {
                actor: actor.cloned(),
                request: at.request.clone(),
                before: line.before,
                after: line.after,
            });
        }
        if self.keys.version != before.version {
            self.publish(Revocation::KeysVersion(self.keys.version));
        }
    }

    fn create_account(&mut self, verb: CreateAccount, at: &At) -> AccountCreated {
        if let Some(row) = self.accounts.get(&verb.username) {
            return if row.created_by == at.request {
                AccountCreated::Created(Box::new(row.account.facts.clone()))
            } else if verb.first_only {
                AccountCreated::NotFirst
            } else {
                AccountCreated::NameTaken
            };
        }
        if verb.first_only && !self.accounts.is_empty() {
            return AccountCreated::NotFirst;
        }
        let Ok(roles) = records::holdings(self, &verb.scope, &verb.roles);
        let roles = match roles {
            Ok(roles) => roles,
            Err(unfit) => return AccountCreated::Unfit(unfit),
        };
        let spread = u16::try_from(self.accounts.len() % usize::from(self.shards));
        let facts = SubjectFacts {
            subject: verb.subject,
            username: verb.username.clone(),
            shard: Shard(spread.unwrap_or_default()),
            active: true,
            generation: 0,
            version: 1,
            scope: verb.scope,
            roles,
            profile: verb.profile,
        };
        let account = Account {
            facts: facts.clone(),
            password_hash: verb.password_hash,
        };
        let row = AccountRow {
            account,
            created_by: at.request.clone(),
            changed_by: None,
        };
        self.accounts.insert(verb.username, row);
        self.tell_shard(&facts);
        AccountCreated::Created(Box::new(facts))
    }

    fn change_account(&mut self, verb: ChangeAccount, at: &At) -> Option<SubjectFacts> {
        let row = self
            .accounts
            .values_mut()
            .find(|row| row.account.facts.subject == verb.subject)?;
        let account = &mut row.account;
        if row.changed_by.as_ref() == Some(&at.request) {
            return Some(account.facts.clone());
        }
        row.changed_by = Some(at.request.clone());
        let facts = &mut account.facts;
        let ends = verb.password_hash.is_some() || (verb.active == Some(false) && facts.active);
        facts.generation += u64::from(ends);
        facts.version += 1;
        facts.active = verb.active.unwrap_or(facts.active);
        if let Some(scope) = verb.scope {
            facts.scope = scope;
        }
        if let Some(hash) = verb.password_hash {
            account.password_hash = hash;
        }
        let facts = account.facts.clone();
        self.tell_shard(&facts);
        Some(facts)
    }

    fn create_client(&mut self, client: Client, at: &At) -> ClientCreated {
        match self.clients.get(&client.id) {
            Some((_, by)) if *by == at.request => ClientCreated::Created,
            Some(_) => ClientCreated::IdTaken,
            None => {
                self.clients
                    .insert(client.id.clone(), (client, at.request.clone()));
                ClientCreated::Created
            }
        }
    }

    fn replace_client(&mut self, client: Client, at: &At) -> ClientReplaced {
        let Some((before, by)) = self.clients.get(&client.id) else {
            return ClientReplaced::Unknown;
        };
        if *by == at.request && before.version == client.version {
            return ClientReplaced::Replaced;
        }
        if before.version + 1 != client.version {
            return ClientReplaced::OutOfDate;
        }
        let raised = before.generation < client.generation;
        self.publish(Revocation::ClientVersion(client.id.clone(), client.version));
        if raised {
            self.publish(Revocation::Client(client.id.clone(), client.generation));
        }
        self.clients
            .insert(client.id.clone(), (client, at.request.clone()));
        ClientReplaced::Replaced
    }
}

impl Rows for DirectoryState {
    type Fault = Infallible;

    fn all(&self, collection: Collection) -> Result<Vec<Record>, Infallible> {
        let of_it = self
            .records
            .range((collection, 0)..=(collection, u64::MAX))
            .map(|(_, record)| record.clone());
        Ok(of_it.collect())
    }

    fn next_number(&mut self, now: Moment) -> Result<u64, Infallible> {
        self.last_number = self.last_number.max(now.0) + 1;
        Ok(self.last_number)
    }

    fn put(&mut self, collection: Collection, record: &Record) -> Result<(), Infallible> {
        self.records.insert((collection, record.id), record.clone());
        Ok(())
    }

    fn erase(&mut self, collection: Collection, id: u64) -> Result<(), Infallible> {
        self.records.remove(&(collection, id));
        Ok(())
    }

    fn audit(&mut self, line: Audited) -> Result<(), Infallible> {
        self.audit.push(line);
        Ok(())
    }

    fn audited(
        &self,
        collection: Collection,
        id: u64,
        request: &RequestId,
    ) -> Result<Option<Audited>, Infallible> {
        let line = self.audit.iter().find(|line| {
            line.collection == collection && line.id == id && line.request == *request
        });
        Ok(line.cloned())
    }

    fn strip(&mut self, scope: &str) -> Result<(), Infallible> {
        let mut told = Vec::new();
        for row in self.accounts.values_mut() {
            let facts = &mut row.account.facts;
            if facts.scope.contains(scope) {
                facts.strip(scope);
                told.push(facts.clone());
            }
        }
        for facts in told {
            self.tell_shard(&facts);
        }
        let mut changed = Vec::new();
        for (client, _) in self.clients.values_mut() {
            if client.scope.contains(scope) {
                client.strip(scope);
                changed.push(Revocation::ClientVersion(client.id.clone(), client.version));
            }
        }
        for entry in changed {
            self.publish(entry);
        }
        Ok(())
    }

    fn tell_roles(&mut self, roles: Vec<RoleFacts>) -> Result<(), Infallible> {
        for shard in 0..self.shards {
            let roles = roles.clone();
            self.shards_out
                .push((Shard(shard), PutRoles { roles }.into_verb()));
        }
        Ok(())
    }

    fn revoke(&mut self, line: Revocation) -> Result<(), Infallible> {
        self.publish(line);
        Ok(())
    }
}
