//! The directory in memory. What a verb promises is written at its arguments, in
//! `ports::directory`.

use std::collections::BTreeMap;

use crate::model::{Client, ClientId, RequestId, Shard, SubjectFacts, Username};
use crate::ports::directory::{
    Account, AccountCreated, ChangeAccount, ClientCreated, ClientReplaced, CreateAccount,
    DirectoryAnswer, DirectoryVerb, KeySet,
};
use crate::ports::{At, Call};
use crate::token::Revocation;

#[derive(Debug)]
struct AccountRow {
    account: Account,
    created_by: RequestId,
    changed_by: Option<RequestId>,
}

/// The state of the directory, and what it has to publish.
#[derive(Debug, Default)]
pub struct DirectoryState {
    shards: u16,
    accounts: BTreeMap<Username, AccountRow>,
    clients: BTreeMap<ClientId, (Client, RequestId)>,
    keys: KeySet,
    /// Subjects whose shard has not taken the newest row yet.
    pub subjects_out: Vec<SubjectFacts>,
    /// What the feed has not been sent yet.
    pub outbox: Vec<(u64, Revocation)>,
    last_sent: u64,
}

impl DirectoryState {
    /// An empty directory that spreads subjects over so many shards.
    #[must_use]
    pub fn new(shards: u16) -> Self {
        Self {
            shards: shards.max(1),
            ..Self::default()
        }
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
                if self.keys.add(&verb, at.now.unix()) {
                    self.publish(Revocation::KeysVersion(self.keys.version));
                }
                DirectoryAnswer::AddKeys(self.keys.clone())
            }
        }
    }

    fn publish(&mut self, entry: Revocation) {
        self.last_sent += 1;
        self.outbox.push((self.last_sent, entry));
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
        let spread = u16::try_from(self.accounts.len() % usize::from(self.shards));
        let facts = SubjectFacts {
            subject: verb.subject,
            username: verb.username.clone(),
            shard: Shard(spread.unwrap_or_default()),
            active: true,
            generation: 0,
            version: 1,
            scope: verb.scope,
            roles: BTreeMap::new(),
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
        self.subjects_out.push(facts.clone());
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
        self.subjects_out.push(account.facts.clone());
        Some(account.facts.clone())
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
