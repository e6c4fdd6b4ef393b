//! What the courier has to tell clients: that a session has ended (OpenID Connect Back-Channel Logout
//! 1.0). When it is sent, and when it is given up, is said here, so that every store keeps to it.

use serde::{Deserialize, Serialize};

use crate::model::{ClientId, Moment, SessionId, SubjectMode, UnixTime};

/// How a client knows the person, where it is to be told of ends: noted beside the session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joining {
    /// What `sub` is to it.
    pub sub_mode: SubjectMode,
    /// The issuer that this rests on.
    pub issuer: String,
}

/// A client that got an ID token of a session which has ended since.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Notice {
    /// Which client.
    pub client: ClientId,
    /// Which session: `sid` of its ID tokens.
    pub session: SessionId,
    /// `sub` of its ID tokens.
    pub sub: String,
    /// When that ended.
    pub ended_at: UnixTime,
}

/// A shard has clients told; answers how many notices wait. Numbers of a source only grow, and one that
/// was taken before is passed over.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SendLogouts {
    /// Which shard.
    pub source: String,
    /// What, by number.
    pub notices: Vec<(u64, Notice)>,
}

/// Notices of one client that wait at a time: a busy day of one that is away. Who is away for longer, or
/// never was there, takes no room from others.
pub const MOST_OF_CLIENT: u64 = 1_000;
/// Notices that wait at a time: a hundred such clients, in a table of some tens of megabytes.
pub const MOST_WAITING: u64 = 100_000;
/// Why a notice is not told that came when so many waited. One of a client is kept, until the history has
/// heard of it; what comes meanwhile is not.
pub const TOO_MANY: &str = "too many wait";
/// Notices that are sent in one go.
pub const MOST_AT_ONCE: u64 = 24;
/// Of these, one client's: who does not answer holds up no others for long.
pub const MOST_OF_ONE: u64 = 4;
/// Times that one is sent: the last two hours and a half after the first.
const MOST_ATTEMPTS: u32 = 10;
/// Milliseconds after the first failure.
const FIRST_PAUSE: u64 = 1_000;
/// The longest pause, however often it failed.
const LONGEST_PAUSE: u64 = 3_600_000;
/// Until we ask ourselves again, when what it takes to send one was away here.
const OWN_PAUSE: u64 = 30_000;
/// Milliseconds after which nobody need be told: no session stands longer, nor what a client has of it.
const OLDEST: u64 = 24 * 3_600_000;

/// A notice that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// It.
    pub notice: Notice,
    /// How often it was sent.
    pub attempts: u32,
    /// Why it was given up: only the history has to hear of it.
    pub failed: Option<String>,
}

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The client answered this; 0 when it did not in time, or could not be reached.
    Answered(u16),
    /// It is no client any more that wants to hear of it.
    Unwanted,
    /// We do not send to where it wants to hear of it.
    Refused,
    /// It could not be sent for a reason of our own.
    Postponed,
}

impl Outcome {
    /// As it crosses from where requests are sent: a status, or a word.
    #[must_use]
    pub fn read(text: &str) -> Self {
        match text {
            "unwanted" => Self::Unwanted,
            "refused" => Self::Refused,
            "postponed" => Self::Postponed,
            status => Self::Answered(status.parse().unwrap_or_default()),
        }
    }
}

/// What is to be done with a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing more.
    Done,
    /// It waits until then.
    Again(Moment),
    /// It is given up; `failed` says why.
    GivenUp,
}

impl Waiting {
    /// One that just came, where so many of its client wait, and so many of all; whether that is known to be
    /// too many is asked of the store. Nothing where it is not to be kept.
    #[must_use]
    pub fn new(
        notice: Notice,
        of_client: u64,
        of_all: u64,
        is_known: impl FnOnce() -> bool,
    ) -> Option<Self> {
        let full = of_client >= MOST_OF_CLIENT || of_all >= MOST_WAITING;
        if full && is_known() {
            return None;
        }
        Some(Self {
            notice,
            attempts: 0,
            failed: full.then(|| TOO_MANY.to_owned()),
        })
    }

    /// Takes what became of an attempt. A client that answers that it could not, now, is sent it again
    /// (OpenID Connect Back-Channel Logout §2.8 leaves it to us); one that refuses is not: it would
    /// refuse it again. Nor is a redirect followed: it leads where nobody has looked.
    pub fn sent(&mut self, outcome: Outcome, now: Moment) -> Next {
        if let Outcome::Answered(_) = outcome {
            self.attempts += 1;
        }
        let mut give_up = |why: String| {
            self.failed = Some(why);
            Next::GivenUp
        };
        let ended_at = Moment(self.notice.ended_at.0.saturating_mul(1000));
        let (pause, answer) = match outcome {
            Outcome::Unwanted | Outcome::Answered(200..=299) => return Next::Done,
            Outcome::Refused => return give_up("its URI is none that is sent to".to_owned()),
            Outcome::Postponed => (OWN_PAUSE, "was never sent".to_owned()),
            Outcome::Answered(0 | 408 | 425 | 429 | 500..) => {
                let doublings = self.attempts.saturating_sub(1).min(6);
                let answer = match outcome {
                    Outcome::Answered(status @ 1..) => format!("answered {status}"),
                    _ => "no answer".to_owned(),
                };
                (FIRST_PAUSE << (2 * doublings), answer)
            }
            Outcome::Answered(status) => return give_up(format!("answered {status}")),
        };
        if self.attempts >= MOST_ATTEMPTS {
            return give_up(answer);
        }
        if now.since(ended_at) >= OLDEST {
            return give_up(format!("{answer} for a day"));
        }
        Next::Again(Moment(now.0 + pause.min(LONGEST_PAUSE)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDED: u64 = 1_800_000_000;

    fn waiting() -> Waiting {
        let notice = Notice {
            client: ClientId::parse("app").unwrap(),
            session: SessionId::parse("s").unwrap(),
            sub: "u_1".to_owned(),
            ended_at: UnixTime(ENDED),
        };
        Waiting::new(notice, 0, 0, || false).unwrap()
    }

    #[test]
    fn whoever_took_it_is_not_told_again() {
        let now = Moment(ENDED * 1000);
        for outcome in [200, 204, 299].map(Outcome::Answered) {
            assert_eq!(waiting().sent(outcome, now), Next::Done);
        }
        assert_eq!(waiting().sent(Outcome::Unwanted, now), Next::Done);
    }

    #[test]
    fn a_refusal_and_a_redirect_are_final() {
        for status in [100, 301, 302, 307, 308, 400, 401, 403, 404, 410, 413] {
            let mut waiting = waiting();
            let next = waiting.sent(Outcome::Answered(status), Moment(ENDED * 1000));
            assert_eq!(next, Next::GivenUp, "{status}");
            assert_eq!(waiting.failed, Some(format!("answered {status}")));
        }
        let next = waiting().sent(Outcome::Refused, Moment(ENDED * 1000));
        assert_eq!(next, Next::GivenUp);
    }

    #[test]
    fn who_is_away_is_told_ten_times_ever_more_seldom() {
        for status in [0, 408, 425, 429, 500, 502, 503, 599] {
            let mut waiting = waiting();
            let mut now = Moment(ENDED * 1000);
            let mut pauses = Vec::new();
            while let Next::Again(due) = waiting.sent(Outcome::Answered(status), now) {
                pauses.push(due.since(now) / 1000);
                now = due;
            }
            assert_eq!(pauses, [1, 4, 16, 64, 256, 1024, 3600, 3600, 3600]);
            assert!(waiting.failed.is_some());
        }
    }

    #[test]
    fn what_is_away_here_costs_no_attempt_and_ends_after_a_day() {
        let mut waiting = waiting();
        let mut now = Moment(ENDED * 1000);
        let mut times = 0;
        while let Next::Again(due) = waiting.sent(Outcome::Postponed, now) {
            now = due;
            times += 1;
        }
        assert_eq!((times, waiting.attempts), (2880, 0));
        assert_eq!(waiting.failed.as_deref(), Some("was never sent for a day"));
    }

    #[test]
    fn of_what_comes_when_too_many_wait_one_is_kept_for_the_history() {
        let new = |of_client, of_all, known| {
            let waiting = Waiting::new(waiting().notice, of_client, of_all, || known);
            waiting.map(|waiting| waiting.failed.is_some())
        };
        for known in [false, true] {
            assert_eq!(
                new(MOST_OF_CLIENT - 1, MOST_WAITING - 1, known),
                Some(false)
            );
        }
        for (of_client, of_all) in [(MOST_OF_CLIENT, MOST_OF_CLIENT), (0, MOST_WAITING)] {
            assert_eq!(new(of_client, of_all, false), Some(true));
            assert_eq!(new(of_client, of_all, true), None);
        }
    }

    #[test]
    fn an_outcome_is_a_status_or_a_word() {
        for (text, outcome) in [
            ("204", Outcome::Answered(204)),
            ("0", Outcome::Answered(0)),
            ("?", Outcome::Answered(0)),
            ("unwanted", Outcome::Unwanted),
            ("refused", Outcome::Refused),
            ("postponed", Outcome::Postponed),
        ] {
            assert_eq!(Outcome::read(text), outcome, "{text}");
        }
    }
}
