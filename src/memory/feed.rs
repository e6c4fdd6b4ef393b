//! The feed in memory.

use std::collections::BTreeMap;

use crate::model::{Moment, RequestId, UnixTime};
use crate::ports::Call;
use crate::ports::feed::{Append, FeedObjectAnswer, FeedVerb, MOST_ENTRIES};
use crate::token::{FeedAnswer, Revocation};

/// The state of the feed.
#[derive(Debug)]
pub struct FeedState {
    id: String,
    epoch: u32,
    raised_by: Option<RequestId>,
    head: u64,
    low: u64,
    entries: BTreeMap<u64, (Revocation, UnixTime)>,
    sources: BTreeMap<String, u64>,
}

impl FeedState {
    /// An empty feed of this name.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            epoch: 1,
            raised_by: None,
            head: 0,
            low: 0,
            entries: BTreeMap::new(),
            sources: BTreeMap::new(),
        }
    }

    /// Does one verb.
    pub fn apply(&mut self, call: Call<FeedVerb>) -> FeedObjectAnswer {
        match call.verb {
            FeedVerb::Append(verb) => FeedObjectAnswer::Append(self.append(*verb, call.at.now)),
            FeedVerb::Since(verb) => FeedObjectAnswer::Since(self.since(&verb.feed, verb.cursor)),
            FeedVerb::RaiseEpoch(_) => {
                if self.raised_by.as_ref() != Some(&call.at.request) {
                    self.epoch += 1;
                    self.raised_by = Some(call.at.request);
                }
                FeedObjectAnswer::RaiseEpoch(self.epoch)
            }
        }
    }

    fn append(&mut self, verb: Append, now: Moment) -> u64 {
        let last = self.sources.entry(verb.source).or_default();
        for (number, entry) in verb.entries {
            if number <= *last {
                continue;
            }
            *last = number;
            self.head += 1;
            let kept_until = entry.kept_until(now.unix());
            self.entries.insert(self.head, (entry, kept_until));
        }
        self.head
    }

    fn since(&self, feed: &str, cursor: u64) -> FeedAnswer {
        let full = feed != self.id || cursor < self.low || cursor > self.head;
        let after = if full { 0 } else { cursor };
        let mut rest = self.entries.range(after + 1..);
        let page: Vec<_> = rest.by_ref().take(MOST_ENTRIES).collect();
        let more = rest.next().is_some();
        let last = page.last().filter(|_| more).map(|(number, _)| **number);
        FeedAnswer {
            feed: self.id.clone(),
            epoch: self.epoch,
            after,
            head: last.unwrap_or(self.head),
            full,
            more,
            entries: page
                .into_iter()
                .map(|(_, (entry, _))| entry.clone())
                .collect(),
        }
    }

    /// Forgets what is older than anything it could end; the newest stays.
    pub fn sweep(&mut self, now: UnixTime) {
        let head = self.head;
        self.entries
            .retain(|number, (_, kept_until)| now < *kept_until || *number == head);
        if let Some((oldest, _)) = self.entries.first_key_value() {
            self.low = oldest - 1;
        }
    }
}
