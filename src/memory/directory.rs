//! The directory in memory. What a verb promises is written at its arguments, in
//! `ports::directory`.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use serde_json::{Value, json};

use crate::directory::keys::KeyChanged;
use crate::directory::list::{ListQuery, Page, page_of, printed};
use crate::directory::record::{Actor, Audited, Fields, Record};
use crate::directory::rows::{Index, Rows};
use crate::directory::{self, Collection};
use crate::model::{ClientId, Moment, RequestId, RoleFacts, Shard, SubjectFacts};
use crate::ports::At;
use crate::ports::directory::{
    ChangeKey, DirectoryAnswer, DirectoryVerb, Event, KeptQuotas, KeySet, StoredKey,
};
use crate::ports::ledger::{LedgerVerb, PutRoles, PutSubject};
use crate::ports::tokens::DropScope;
use crate::ports::{Call, Verb};
use crate::token::Revocation;

#[derive(Debug, Clone)]
#[expect(dead_code, reason = "the actor is for people to read")]
struct KeyLine {
    actor: Option<Actor>,
    request: RequestId,
    before: Option<StoredKey>,
    after: Option<StoredKey>,
}

/// The state of the directory, and what it has to publish.
#[derive(Debug, Clone, Default)]
pub struct DirectoryState {
    shards: u16,
    accounts: u16,
    keys: KeySet,
    records: BTreeMap<(Collection, u64), (Record, Index)>,
    unique: BTreeMap<(Collection, String, String), u64>,
    links: BTreeSet<(String, u64, Collection, u64)>,
    audit: Vec<(Moment, Audited)>,
    clock: Moment,
    key_audit: Vec<KeyLine>,
    events: Vec<(RequestId, Event, Actor)>,
    quotas: KeptQuotas,
    quota_changes: Vec<(RequestId, Actor)>,
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
        let Ok(()) = directory::seed(&mut directory);
        directory
    }

    /// Does one verb.
    pub fn apply(&mut self, call: Call<DirectoryVerb>) -> DirectoryAnswer {
        self.clock = call.at.now;
        match call.verb {
            DirectoryVerb::ReadKeys(_) => DirectoryAnswer::ReadKeys(self.keys.clone()),
            DirectoryVerb::AddKeys(verb) => {
                let mut set = self.keys.clone();
                set.add(&verb, call.at.now.unix());
                self.replace_keys(set, verb.actor.as_ref(), &call.at);
                DirectoryAnswer::AddKeys(self.keys.clone())
            }
            DirectoryVerb::ChangeKey(verb) => {
                DirectoryAnswer::ChangeKey(self.change_key(&verb, &call.at))
            }
            verb => {
                let before = self.clone();
                let Ok(done) = directory::apply(self, verb, &call.at);
                match done {
                    Some((answer, true)) => answer,
                    Some((answer, false)) => {
                        *self = before;
                        answer
                    }
                    // Only keys are not about records.
                    None => DirectoryAnswer::ReadKeys(self.keys.clone()),
                }
            }
        }
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

    fn of(&self, collection: Collection) -> impl Iterator<Item = &(Record, Index)> {
        self.records
            .range((collection, 0)..=(collection, u64::MAX))
            .map(|(_, record)| record)
    }

    fn forget(&mut self, collection: Collection, id: u64) {
        self.unique
            .retain(|(of, ..), holder| *of != collection || *holder != id);
        self.links
            .retain(|(_, _, of, referring)| *of != collection || *referring != id);
    }
}

impl Rows for DirectoryState {
    type Fault = Infallible;

    fn find(&self, collection: Collection, id: u64) -> Result<Option<Record>, Infallible> {
        Ok(self
            .records
            .get(&(collection, id))
            .map(|(record, _)| record.clone()))
    }

    fn holder(
        &self,
        collection: Collection,
        field: &str,
        value: &str,
    ) -> Result<Option<u64>, Infallible> {
        let key = (collection, field.to_owned(), value.to_owned());
        Ok(self.unique.get(&key).copied())
    }

    fn after(&self, collection: Collection, id: u64, most: u64) -> Result<Vec<Record>, Infallible> {
        let later = self.of(collection).filter(|(record, _)| record.id > id);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        Ok(later.take(most).map(|(record, _)| record.clone()).collect())
    }

    fn count(&self, collection: Collection) -> Result<u64, Infallible> {
        Ok(u64::try_from(self.of(collection).count()).unwrap_or(u64::MAX))
    }

    fn page(
        &self,
        collection: Collection,
        query: &ListQuery,
    ) -> Result<(u64, Vec<u64>), Infallible> {
        let search = query.search.to_ascii_lowercase();
        let fits = |record: &Record| {
            let mut filters = query.filters.iter();
            filters.all(|(field, value)| printed(record, field) == *value)
        };
        let mut found: Vec<&Record> = self
            .of(collection)
            .filter(|(record, index)| index.words.contains(&search) && fits(record))
            .map(|(record, _)| record)
            .collect();
        let (field, descending) = query.order();
        if !field.is_empty() {
            found.sort_by_key(|record| printed(record, field));
        }
        if descending {
            found.reverse();
        }
        let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let page = found
            .iter()
            .skip(number(query.offset()))
            .take(number(query.page_size));
        let count = u64::try_from(found.len()).unwrap_or(u64::MAX);
        Ok((count, page.map(|record| record.id).collect()))
    }

    fn holding(
        &self,
        collection: Collection,
        field: &str,
        token: &str,
    ) -> Result<Vec<u64>, Infallible> {
        let holds = |record: &&Record| record.scope(field).contains(token);
        let records = self.of(collection).map(|(record, _)| record);
        Ok(records.filter(holds).map(|record| record.id).collect())
    }

    fn links_to(
        &self,
        target: (&str, u64),
        most: usize,
    ) -> Result<Vec<(Collection, u64)>, Infallible> {
        let (to, id) = target;
        let linked = self
            .links
            .iter()
            .filter(|(path, number, ..)| path == to && *number == id);
        Ok(linked
            .take(most)
            .map(|(_, _, of, referring)| (*of, *referring))
            .collect())
    }

    fn next_number(&mut self, now: Moment) -> Result<u64, Infallible> {
        self.last_number = self.last_number.max(now.0) + 1;
        Ok(self.last_number)
    }

    fn next_shard(&mut self) -> Result<Shard, Infallible> {
        let shard = self.accounts % self.shards;
        self.accounts = self.accounts.wrapping_add(1);
        Ok(Shard(shard))
    }

    fn shards(&self) -> Result<u16, Infallible> {
        Ok(self.shards)
    }

    fn put(
        &mut self,
        collection: Collection,
        record: &Record,
        index: &Index,
    ) -> Result<(), Infallible> {
        self.forget(collection, record.id);
        for (field, value) in &index.unique {
            let key = (collection, (*field).to_owned(), value.clone());
            self.unique.insert(key, record.id);
        }
        for (to, id) in &index.links {
            let link = ((*to).to_owned(), *id, collection, record.id);
            self.links.insert(link);
        }
        let row = (record.clone(), index.clone());
        self.records.insert((collection, record.id), row);
        Ok(())
    }

    fn erase(&mut self, collection: Collection, id: u64) -> Result<(), Infallible> {
        self.forget(collection, id);
        self.records.remove(&(collection, id));
        Ok(())
    }

    fn audit(&mut self, line: Audited) -> Result<(), Infallible> {
        self.audit.push((self.clock, line));
        Ok(())
    }

    fn audit_event(&mut self, event: &Event, actor: Actor, at: &At) -> Result<(), Infallible> {
        let noted = (at.request.clone(), event.clone(), actor);
        if !self.events.iter().any(|(by, ..)| *by == at.request) {
            self.events.push(noted);
        }
        Ok(())
    }

    fn audited(
        &self,
        collection: Collection,
        request: &RequestId,
    ) -> Result<Vec<Audited>, Infallible> {
        let ours = |line: &&Audited| line.collection == collection && line.request == *request;
        let lines = self.audit.iter().map(|(_, line)| line);
        Ok(lines.filter(ours).cloned().collect())
    }

    /// Keys have lines of their own, which only SQLite tells.
    fn history(&self, query: &ListQuery) -> Result<Page, Infallible> {
        let lines = self
            .audit
            .iter()
            .enumerate()
            .rev()
            .map(|(at, (time, line))| {
                let pk = u64::try_from(at).unwrap_or(u64::MAX).saturating_add(1);
                let line = json!({
                    "pk": pk,
                    "time": time,
                    "actor": line.actor.name,
                    "address": line.actor.address,
                    "request": line.request,
                    "collection": line.collection,
                    "record": line.id,
                    "before": line.before,
                    "after": line.after,
                });
                match line {
                    Value::Object(line) => line,
                    _ => Fields::new(),
                }
            });
        Ok(page_of(lines.collect(), query))
    }

    fn tell_subject(&mut self, facts: &SubjectFacts) -> Result<(), Infallible> {
        let facts = facts.clone();
        self.shards_out
            .push((facts.shard, PutSubject { facts }.into_verb()));
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

    fn tell_no_scope(&mut self, scope: &str) -> Result<(), Infallible> {
        for shard in Shard::all(self.shards) {
            let scope = scope.to_owned();
            self.shards_out
                .push((shard, DropScope { scope }.into_verb()));
        }
        Ok(())
    }

    fn revoke(&mut self, line: Revocation) -> Result<(), Infallible> {
        self.publish(line);
        Ok(())
    }

    fn quotas(&self) -> Result<KeptQuotas, Infallible> {
        Ok(self.quotas.clone())
    }

    fn changed_quotas(&self, request: &RequestId) -> Result<bool, Infallible> {
        Ok(self.quota_changes.iter().any(|(by, _)| by == request))
    }

    fn put_quotas(
        &mut self,
        _before: &KeptQuotas,
        after: &KeptQuotas,
        actor: Actor,
        at: &At,
    ) -> Result<(), Infallible> {
        self.quotas = after.clone();
        self.quota_changes.push((at.request.clone(), actor));
        Ok(())
    }

    /// There is no KV in memory: every copy is asked for here.
    fn publish_client(&mut self, _client: &ClientId, _version: u64) -> Result<(), Infallible> {
        Ok(())
    }
}
