//! What is asked of others, in memory.

use std::rc::Rc;

use super::{Memory, Outage};
use crate::ports::courier::{CourierAnswer, CourierVerb, RemoteKeys};
use crate::ports::{At, Call, Courier, Unavailable};

impl Courier for Memory {
    async fn call_courier(&self, call: Call<CourierVerb>) -> Result<CourierAnswer, Unavailable> {
        self.count(|operations| operations.courier += 1);
        let reached = self.reach(Outage::Courier)?;
        let now = call.at.now;
        let verb = match call.verb {
            CourierVerb::FetchKeys(verb) => verb,
            CourierVerb::SendLogouts(verb) => {
                let waiting = self.logouts.borrow_mut().take(*verb, now);
                return reached.answer(CourierAnswer::SendLogouts(waiting));
            }
        };
        let mut fetched = self.fetched.borrow_mut();
        fetched.retain(|_, known| !known.is_forgotten(now));
        let known = fetched.entry(verb.url.clone()).or_default();
        if known.wants(&verb, now) {
            self.count(|operations| operations.fetches += 1);
            let documents = self.documents.borrow();
            known.learn(documents.get(&verb.url).map(String::as_str), now);
        }
        reached.answer(CourierAnswer::FetchKeys(known.answer(now)))
    }

    fn kept_keys(&self, url: &str) -> Option<Rc<RemoteKeys>> {
        self.remote.borrow().get(url).cloned()
    }

    fn keep_keys(&self, url: &str, keys: &Rc<RemoteKeys>, _: &At) {
        let mut remote = self.remote.borrow_mut();
        remote.insert(url.to_owned(), Rc::clone(keys));
    }
}
