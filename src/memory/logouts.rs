//! What the courier has to tell clients, in memory. What a verb promises is written at its arguments, in
//! `ports::logouts`.

use std::collections::BTreeMap;

use crate::model::{ClientId, Moment};
use crate::ports::logouts::{
    MOST_AT_ONCE, MOST_OF_ONE, Next, Outcome, SendLogouts, TOO_MANY, Waiting,
};

/// Which notice: of whom, and its number there.
pub type NoticeKey = (String, u64);

/// The notices that wait, and when each is due.
#[derive(Debug, Default)]
pub struct LogoutsState {
    waiting: BTreeMap<NoticeKey, (Moment, Waiting)>,
    sources: BTreeMap<String, u64>,
}

impl LogoutsState {
    /// Takes notices; answers how many wait.
    pub fn take(&mut self, verb: SendLogouts, now: Moment) -> u64 {
        let last = self.sources.entry(verb.source.clone()).or_default();
        for (number, notice) in verb.notices {
            if number <= *last {
                continue;
            }
            *last = number;
            let of_client = || {
                let all = self.waiting.values().map(|(_, waiting)| waiting);
                all.filter(|waiting| waiting.notice.client == notice.client)
            };
            let is_known = of_client().any(|one| one.failed.as_deref() == Some(TOO_MANY));
            let of_client = count(of_client().count());
            let of_all = count(self.waiting.len());
            if let Some(waiting) = Waiting::new(notice, of_client, of_all, || is_known) {
                let key = (verb.source.clone(), number);
                self.waiting.insert(key, (now, waiting));
            }
        }
        count(self.waiting.len())
    }

    /// What is to be sent now. Clients take turns: the first of each comes before the second of any.
    #[must_use]
    pub fn due(&self, now: Moment) -> Vec<(NoticeKey, Waiting)> {
        let due = self.waiting.iter().filter(|(_, (due, _))| *due <= now);
        let mut due: Vec<_> = due.collect();
        due.sort_by_key(|(key, (due, _))| (*due, (*key).clone()));
        let mut of_one: BTreeMap<&ClientId, u64> = BTreeMap::new();
        let due = due.into_iter().map(|(key, (_, waiting))| {
            let place = of_one.entry(&waiting.notice.client).or_default();
            *place += 1;
            (*place, key, waiting)
        });
        let mut due: Vec<_> = due.filter(|(place, ..)| *place <= MOST_OF_ONE).collect();
        due.sort_by_key(|(place, ..)| *place);
        due.truncate(usize::try_from(MOST_AT_ONCE).unwrap_or(usize::MAX));
        let due = due.into_iter();
        due.map(|(_, key, waiting)| (key.clone(), waiting.clone()))
            .collect()
    }

    /// Takes what became of an attempt; answers what was given up. That is gone here: nothing in memory
    /// survives anyway.
    pub fn sent(&mut self, key: &NoticeKey, outcome: Outcome, now: Moment) -> Option<Waiting> {
        let (due, waiting) = self.waiting.get_mut(key)?;
        match waiting.sent(outcome, now) {
            Next::Again(then) => {
                *due = then;
                None
            }
            Next::Done => {
                self.waiting.remove(key);
                None
            }
            Next::GivenUp => self.waiting.remove(key).map(|(_, waiting)| waiting),
        }
    }
}

fn count(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}
