//! Reading `GET /api/v1/revocations` into a copy, whoever fetches it.

use crate::message;
use crate::model::Moment;
use crate::token::{FeedAnswer, Revocations};

/// Answers that one reading takes at most: a feed of half a million lines.
const MOST_ANSWERS: usize = 100;

/// One reading of the feed: a question, and as many more as the answers ask for. Nothing is used before
/// it is whole.
#[derive(Debug)]
pub struct Reading {
    asked_at: Moment,
    since: Option<String>,
    read: Option<FeedAnswer>,
    answers: usize,
}

/// An answer is not the feed's, or does not join what was read before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfit;

impl Reading {
    /// What follows on from `copy`, asked for at `now`.
    #[must_use]
    pub fn begin(copy: &Revocations, now: Moment) -> Self {
        let (feed, cursor) = copy.position();
        Self {
            asked_at: now,
            since: (!feed.is_empty()).then(|| format!("{feed}:{cursor}")),
            read: None,
            answers: 0,
        }
    }

    /// The value of `since` in the next question; without one, everything is asked for.
    #[must_use]
    pub fn since(&self) -> Option<&str> {
        self.since.as_deref()
    }

    /// Takes an answer; says whether there is more to ask for. A line of a kind that is not known makes
    /// an answer unfit: it might be the end of a token.
    ///
    /// # Errors
    /// [`Unfit`]; the copy stays as it is.
    pub fn take(&mut self, answer: &[u8]) -> Result<bool, Unfit> {
        let answer: FeedAnswer = message::read(answer).map_err(|_| Unfit)?;
        self.answers += 1;
        self.since = Some(format!("{}:{}", answer.feed, answer.head));
        match &mut self.read {
            None => self.read = Some(answer),
            Some(read) => {
                if !read.extend(answer) {
                    return Err(Unfit);
                }
            }
        }
        let more = self.read.as_ref().is_some_and(|read| read.more);
        if more && self.answers == MOST_ANSWERS {
            return Err(Unfit);
        }
        Ok(more)
    }

    /// Puts what was read into the copy.
    ///
    /// # Errors
    /// [`Unfit`] when it does not join what is there.
    pub fn finish(self, copy: &mut Revocations) -> Result<(), Unfit> {
        let whole = self.read.filter(|read| !read.more).ok_or(Unfit)?;
        if copy.learn(whole, self.asked_at) {
            Ok(())
        } else {
            Err(Unfit)
        }
    }
}
