//! What an isolate keeps of what others decided. Everything here may vanish and be read again.

use std::borrow::Borrow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::model::Moment;

/// Copies kept of each kind; a forgotten one is read again.
const MOST_COPIES: usize = 1_000;
/// Milliseconds after which a copy is read again whatever the feed says.
const OLDEST_COPY: u64 = 3_600_000;

/// A copy, and when it was read.
struct Copy<T> {
    value: Rc<T>,
    read_at: Moment,
}

/// A capped set of copies.
pub(super) struct Copies<K, T>(RefCell<BTreeMap<K, Copy<T>>>);

impl<K: Ord + Clone, T> Copies<K, T> {
    pub(super) fn new() -> Self {
        Self(RefCell::new(BTreeMap::new()))
    }

    pub(super) fn get(&self, key: &K, now: Moment) -> Option<Rc<T>> {
        self.get_within(key, now, OLDEST_COPY)
    }

    pub(super) fn get_within<Q>(&self, key: &Q, now: Moment, oldest: u64) -> Option<Rc<T>>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        let copies = self.0.borrow();
        let copy = copies
            .get(key)
            .filter(|copy| now.since(copy.read_at) < oldest)?;
        Some(Rc::clone(&copy.value))
    }

    /// A copy however old, for those that tell their own age.
    pub(super) fn newest<Q: Ord + ?Sized>(&self, key: &Q) -> Option<Rc<T>>
    where
        K: Borrow<Q>,
    {
        let copies = self.0.borrow();
        copies.get(key).map(|copy| Rc::clone(&copy.value))
    }

    pub(super) fn keep(&self, key: K, value: &Rc<T>, now: Moment) {
        let mut copies = self.0.borrow_mut();
        if copies.len() >= MOST_COPIES {
            copies.clear();
        }
        copies.insert(
            key,
            Copy {
                value: Rc::clone(value),
                read_at: now,
            },
        );
    }
}
