//! What the directory asks of whatever keeps it: SQLite or memory.

use super::list::{ListQuery, Page};
use super::record::{Actor, Audited, Record};
use super::schema::Collection;
use crate::model::{ClientId, Moment, RequestId, RoleFacts, Shard, SubjectFacts};
use crate::ports::At;
use crate::ports::directory::{Event, KeptQuotas};
use crate::token::Revocation;

/// As many as there are: SQLite counts in 64 bits with a sign.
const ALL: u64 = 1 << 53;
/// What a record is found by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Index {
    /// What a search looks through: its texts, ASCII letters in lower case.
    pub words: String,
    /// Fields whose value no other record has.
    pub unique: Vec<(&'static str, String)>,
    /// What it refers to: a collection's path and a number.
    pub links: Vec<(&'static str, u64)>,
}

/// The rows, inside one transaction.
pub trait Rows {
    /// Why they cannot be read or written.
    type Fault;

    /// One record.
    fn find(&self, collection: Collection, id: u64) -> Result<Option<Record>, Self::Fault>;
    /// The record with this value of a unique field.
    fn holder(
        &self,
        collection: Collection,
        field: &str,
        value: &str,
    ) -> Result<Option<u64>, Self::Fault>;
    /// Those of a collection whose ids are above this one, by id; at most so many.
    fn after(&self, collection: Collection, id: u64, most: u64)
    -> Result<Vec<Record>, Self::Fault>;
    /// All of a collection, by id. Never of one that has no limit.
    fn all(&self, collection: Collection) -> Result<Vec<Record>, Self::Fault> {
        self.after(collection, 0, ALL)
    }
    /// How many there are.
    fn count(&self, collection: Collection) -> Result<u64, Self::Fault>;
    /// How many a question finds, and the ids of the page that it asks for.
    fn page(
        &self,
        collection: Collection,
        query: &ListQuery,
    ) -> Result<(u64, Vec<u64>), Self::Fault>;
    /// Whose scope field has this token, by id.
    fn holding(
        &self,
        collection: Collection,
        field: &str,
        token: &str,
    ) -> Result<Vec<u64>, Self::Fault>;
    /// What refers to this, in order; at most so many.
    fn links_to(
        &self,
        target: (&str, u64),
        most: usize,
    ) -> Result<Vec<(Collection, u64)>, Self::Fault>;
    /// A number that was never given before, not even by a database that was since restored to an
    /// earlier day: it is above `now`. Shards and the feed would take another thing of the same number
    /// for one that they know.
    fn next_number(&mut self, now: Moment) -> Result<u64, Self::Fault>;
    /// Where the next subject lives: every shard in turn.
    fn next_shard(&mut self) -> Result<Shard, Self::Fault>;
    /// Over how many shards subjects are spread.
    fn shards(&self) -> Result<u16, Self::Fault>;
    /// Writes one.
    fn put(
        &mut self,
        collection: Collection,
        record: &Record,
        index: &Index,
    ) -> Result<(), Self::Fault>;
    /// Takes one away.
    fn erase(&mut self, collection: Collection, id: u64) -> Result<(), Self::Fault>;
    /// Notes a change.
    fn audit(&mut self, line: Audited) -> Result<(), Self::Fault>;
    /// Notes what changes no record, unless this request did so already.
    fn audit_event(&mut self, event: &Event, actor: Actor, at: &At) -> Result<(), Self::Fault>;
    /// What this request did to the collection.
    fn audited(
        &self,
        collection: Collection,
        request: &RequestId,
    ) -> Result<Vec<Audited>, Self::Fault>;
    /// The newest lines first. A line has `pk`, `time` (milliseconds), `actor`, `address`, `request`,
    /// `collection`, `record`, `before` and `after`.
    fn history(&self, query: &ListQuery) -> Result<Page, Self::Fault>;
    /// Tells a subject's shard what it must know.
    fn tell_subject(&mut self, facts: &SubjectFacts) -> Result<(), Self::Fault>;
    /// Tells every shard what roles give.
    fn tell_roles(&mut self, roles: Vec<RoleFacts>) -> Result<(), Self::Fault>;
    /// Tells every shard that there is a scope no more.
    ///
    /// # Errors
    /// When the rows cannot be written.
    fn tell_no_scope(&mut self, scope: &str) -> Result<(), Self::Fault>;
    /// Puts a line into the feed.
    fn revoke(&mut self, line: Revocation) -> Result<(), Self::Fault>;
    /// What overrides quotas.
    fn quotas(&self) -> Result<KeptQuotas, Self::Fault>;
    /// Whether this request changed that.
    fn changed_quotas(&self, request: &RequestId) -> Result<bool, Self::Fault>;
    /// Writes that and has its copy in KV written anew, and notes who changed what into it.
    fn put_quotas(
        &mut self,
        before: &KeptQuotas,
        after: &KeptQuotas,
        actor: Actor,
        at: &At,
    ) -> Result<(), Self::Fault>;
    /// Has a client's copy in KV written anew, or taken away.
    fn publish_client(&mut self, client: &ClientId, version: u64) -> Result<(), Self::Fault>;
}

/// Every answer to a verb may be that rows could not be read.
pub type Answer<T, R> = Result<T, <R as Rows>::Fault>;
