//! The courier's verbs: it alone sends requests to others. And when it does: the rules are here, so
//! that every store of what it fetched keeps to the same ones.

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::logouts::SendLogouts;
use super::{At, Courier, Unavailable, verbs};
use crate::jose;
use crate::model::Moment;

verbs! {
    /// What can be asked of the courier.
    CourierVerb,
    /// What it answers.
    CourierAnswer:
    FetchKeys => Option<FetchedKeys>,
    SendLogouts => u64,
}

/// The key set at a URL, from a copy that is young enough; nothing when there is none and it cannot
/// be fetched.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FetchKeys {
    /// Where. It may be fetched (see [`crate::model::target`]).
    pub url: String,
    /// A copy that was fetched then lacks the key that is looked for.
    pub lacking: Option<Moment>,
}

/// A key set as it was fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchedKeys {
    /// The JWK Set: public keys that we can use, and nothing else of what was sent.
    pub jwks: String,
    /// When.
    pub fetched_at: Moment,
}

/// Milliseconds for which a copy is not asked about again: a key that its owner took away is refused
/// after that, and a client that shows an assertion a second costs its issuer twelve requests an hour.
const YOUNG: u64 = 5 * 60_000;
/// Milliseconds between two fetches for a key that a copy lacks: anybody can name a key that nobody
/// has.
const PAUSE: u64 = 60_000;
/// Milliseconds until somebody of whom nothing is known is asked again, after the first failure.
const FIRST_PAUSE: u64 = 5_000;
/// The longest pause, however often it failed.
const LONGEST_PAUSE: u64 = 5 * 60_000;
/// Milliseconds for which a copy serves while its URL cannot be fetched: longer than most outages, and
/// a key that was taken away meanwhile lives no longer than that.
const OLDEST: u64 = 6 * 3_600_000;
/// What is known of a URL.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Known {
    /// The newest key set that came.
    pub keys: Option<FetchedKeys>,
    /// When it was asked last, with whatever success.
    pub tried_at: Moment,
    /// How often it failed since it last succeeded.
    pub failures: u32,
}

impl Known {
    /// Milliseconds after which a URL that nobody asks for is forgotten: who uses it, asks again and
    /// again.
    pub const FORGOTTEN: u64 = 24 * 3_600_000;

    /// Whether the URL has to be fetched before this can be answered.
    #[must_use]
    pub fn wants(&self, verb: &FetchKeys, now: Moment) -> bool {
        let first = if self.keys.is_some() {
            PAUSE
        } else {
            FIRST_PAUSE
        };
        let doubled = first << self.failures.saturating_sub(1).min(6);
        if self.tried_at > Moment(0) && now.since(self.tried_at) < doubled.min(LONGEST_PAUSE) {
            return false;
        }
        self.keys.as_ref().is_none_or(|keys| {
            let lacks = verb.lacking.is_some_and(|then| then >= keys.fetched_at);
            lacks || now.since(keys.fetched_at) >= YOUNG
        })
    }

    /// What can be told now.
    #[must_use]
    pub fn answer(&self, now: Moment) -> Option<FetchedKeys> {
        let keys = self.keys.as_ref();
        keys.filter(|keys| now.since(keys.fetched_at) < OLDEST)
            .cloned()
    }

    /// Takes what was fetched; nothing where that failed. What is no key set, or tells a private key,
    /// is a failure as well: the keys of before stay.
    pub fn learn(&mut self, document: Option<&str>, now: Moment) {
        self.tried_at = now;
        let parsed = document.and_then(|text| jose::KeySet::parse(text.as_bytes()).ok());
        match parsed {
            Some(keys) => {
                self.failures = 0;
                self.keys = Some(FetchedKeys {
                    jwks: serde_json::Value::Object(keys.to_members()).to_string(),
                    fetched_at: now,
                });
            }
            None => self.failures = self.failures.saturating_add(1),
        }
    }

    /// Whether nobody asked for it in a long time.
    #[must_use]
    pub fn is_forgotten(&self, now: Moment) -> bool {
        now.since(self.tried_at) >= Self::FORGOTTEN
    }
}

/// A copy of somebody's keys, ready to be used.
#[derive(Debug, Clone)]
pub struct RemoteKeys {
    /// Them.
    pub keys: jose::KeySet,
    /// When the courier fetched them.
    pub fetched_at: Moment,
    /// When the courier was asked for them last.
    pub asked_at: Moment,
}

/// The keys at a URL: the copy at hand while it is young, else the courier's. `lacks` says whether a
/// copy does not do.
///
/// # Errors
/// [`Unavailable`] when there are none that are young enough.
pub async fn remote_keys<C: Courier>(
    courier: &C,
    url: &str,
    lacks: &dyn Fn(&jose::KeySet) -> bool,
    at: &At,
) -> Result<Rc<RemoteKeys>, Unavailable> {
    let kept = courier.kept_keys(url);
    let mut lacking = None;
    if let Some(kept) = &kept {
        lacking = lacks(&kept.keys).then_some(kept.fetched_at);
        let young = lacking.is_none() && at.now.since(kept.fetched_at) < YOUNG;
        if young || at.now.since(kept.asked_at) < PAUSE {
            return Ok(Rc::clone(kept));
        }
    }
    let fetch = FetchKeys {
        url: url.to_owned(),
        lacking,
    };
    let told = match courier.courier(at, fetch).await {
        Ok(told) => told.ok_or(Unavailable("a key set cannot be fetched"))?,
        // The courier is away: a copy serves as long as the courier's own would, and who asked once
        // does not wait for it at every request.
        Err(away) => {
            let old = kept.filter(|kept| at.now.since(kept.fetched_at) < OLDEST);
            let mut copy = RemoteKeys::clone(old.ok_or(away)?.as_ref());
            copy.asked_at = at.now;
            let copy = Rc::new(copy);
            courier.keep_keys(url, &copy, at);
            return Ok(copy);
        }
    };
    let keys = jose::KeySet::parse(told.jwks.as_bytes());
    let copy = Rc::new(RemoteKeys {
        keys: keys.map_err(|_| Unavailable("the courier told no key set"))?,
        fetched_at: told.fetched_at,
        asked_at: at.now,
    });
    courier.keep_keys(url, &copy, at);
    Ok(copy)
}

#[cfg(test)]
mod tests {
    use super::*;

    const JWKS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

    fn at(seconds: u64) -> Moment {
        Moment(1_800_000_000_000 + seconds * 1000)
    }

    fn asked(lacking: Option<Moment>) -> FetchKeys {
        FetchKeys {
            url: "https://id.example/jwks".to_owned(),
            lacking,
        }
    }

    #[test]
    fn a_copy_is_young_for_five_minutes() {
        let mut known = Known::default();
        assert!(known.wants(&asked(None), at(0)));
        assert_eq!(known.answer(at(0)), None);
        known.learn(Some(JWKS), at(0));
        assert!(!known.wants(&asked(None), at(299)));
        assert!(known.answer(at(299)).is_some());
        assert!(known.wants(&asked(None), at(300)));
    }

    #[test]
    fn cr_3_a_key_that_nobody_has_is_looked_for_once_a_minute() {
        let mut known = Known::default();
        known.learn(Some(JWKS), at(0));
        let mut fetches = 0;
        for second in 0..600 {
            let fetched_at = known.answer(at(second)).unwrap().fetched_at;
            if known.wants(&asked(Some(fetched_at)), at(second)) {
                known.learn(Some(JWKS), at(second));
                fetches += 1;
            }
        }
        assert_eq!(fetches, 9);
    }

    #[test]
    fn who_lacks_a_key_of_an_older_copy_gets_the_newer_one() {
        let mut known = Known::default();
        known.learn(Some(JWKS), at(0));
        known.learn(Some(JWKS), at(100));
        assert!(!known.wants(&asked(Some(at(0))), at(200)));
        assert!(known.wants(&asked(Some(at(100))), at(200)));
    }

    #[test]
    fn a_failure_keeps_the_old_keys_for_six_hours() {
        let mut known = Known::default();
        known.learn(Some(JWKS), at(0));
        for bad in [
            None,
            Some("<html>"),
            Some("{}"),
            Some(r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#),
        ] {
            known.learn(bad, at(300));
            assert_eq!(known.answer(at(300)).unwrap().fetched_at, at(0), "{bad:?}");
        }
        assert!(known.answer(at(6 * 3600 - 1)).is_some());
        assert!(known.answer(at(6 * 3600)).is_none());
        known.learn(Some(JWKS), at(6 * 3600));
        assert_eq!(known.failures, 0);
        assert!(known.answer(at(6 * 3600)).is_some());
    }

    #[test]
    fn failures_are_tried_again_ever_more_seldom() {
        let mut known = Known::default();
        let mut tries = Vec::new();
        for second in 0..1000 {
            if known.wants(&asked(None), at(second)) {
                known.learn(None, at(second));
                tries.push(second);
            }
        }
        assert_eq!(tries, [0, 5, 15, 35, 75, 155, 315, 615, 915]);
    }

    #[test]
    fn a_url_that_nobody_asks_for_is_forgotten_after_a_day() {
        let mut known = Known::default();
        known.learn(Some(JWKS), at(0));
        assert!(!known.is_forgotten(at(24 * 3600 - 1)));
        assert!(known.is_forgotten(at(24 * 3600)));
    }
}
