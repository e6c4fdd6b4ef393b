//! The feed stays small: a line is kept while it can end something, and answers have a bounded size.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use edgemint::memory::FeedState;
use edgemint::model::{GrantId, Moment, RequestId, TokenId, UnixTime};
use edgemint::ports::feed::{Append, FeedObjectAnswer, MOST_ENTRIES, Since};
use edgemint::ports::ledger::{LedgerAnswer, TokenRevoked, ends_something, tells_an_end};
use edgemint::ports::{At, Call, Feed as _, Verb as _};
use edgemint::token::{FeedAnswer, Revocation, Revocations};
use support::{Fixture, Seen as _, Tokens, block_on};

const NOW: u64 = 4_000_000_000;

fn at(now: u64) -> At {
    At {
        request: RequestId::parse("r").unwrap(),
        now: Moment(now * 1000),
    }
}

fn token(number: usize, expires_at: u64) -> Revocation {
    let id = TokenId::parse(&format!("t{number}")).unwrap();
    Revocation::Token(id, UnixTime(expires_at))
}

fn grant(number: usize) -> Revocation {
    Revocation::Grant(GrantId::parse(&format!("g{number}")).unwrap())
}

fn append(feed: &mut FeedState, entries: Vec<Revocation>) {
    let verb = Append {
        source: "x".to_owned(),
        entries: (1..).zip(entries).collect(),
    };
    feed.apply(Call {
        at: at(NOW),
        verb: verb.into_verb(),
    });
}

fn since(feed: &mut FeedState, name: &str, cursor: u64) -> FeedAnswer {
    let verb = Since {
        feed: name.to_owned(),
        cursor,
    };
    match feed.apply(Call {
        at: at(NOW),
        verb: verb.into_verb(),
    }) {
        FeedObjectAnswer::Since(answer) => answer,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_line_about_a_token_is_kept_as_long_as_the_token() {
    let mut feed = FeedState::new("f");
    let entries = vec![token(1, NOW + 60), grant(1), token(2, NOW + 60), grant(2)];
    append(&mut feed, entries);
    feed.sweep(UnixTime(NOW + 59));
    assert_eq!(since(&mut feed, "", 0).entries.len(), 4);
    feed.sweep(UnixTime(NOW + 60));
    assert_eq!(since(&mut feed, "", 0).entries, [grant(1), grant(2)]);
    // Who had read up to the second line missed nothing but what is over.
    let news = since(&mut feed, "f", 2);
    assert_eq!((news.full, news.entries), (false, vec![grant(2)]));
}

#[test]
fn no_line_is_kept_longer_than_a_day_but_the_newest_whose_number_must_not_come_again() {
    let mut feed = FeedState::new("f");
    append(&mut feed, vec![token(1, u64::MAX), grant(1), token(2, NOW)]);
    feed.sweep(UnixTime(NOW + 24 * 3600));
    let all = since(&mut feed, "", 0);
    assert_eq!((all.head, all.entries), (3, vec![token(2, NOW)]));
}

#[test]
fn a_copy_forgets_what_ends_nothing_any_more() {
    let mut feed = FeedState::new("f");
    append(&mut feed, vec![token(1, NOW + 600), grant(1)]);
    let mut copy = Revocations::default();
    assert!(copy.learn(since(&mut feed, "", 0), Moment(NOW * 1000)));
    assert_eq!(copy.len(), 2);
    for (later, lines) in [
        (599, 2),
        (600, 2),
        // A request that began before the end may still be under way.
        (660, 2),
        (720, 1),
        (24 * 3600 - 1, 1),
        (25 * 3600, 0),
    ] {
        let nothing_new = since(&mut feed, "f", 2);
        assert!(copy.learn(nothing_new, Moment((NOW + later) * 1000)));
        assert_eq!(copy.len(), lines, "after {later} s");
    }
}

#[test]
fn a_late_answer_takes_no_epoch_back() {
    let mut feed = FeedState::new("f");
    let first = since(&mut feed, "", 0);
    let mut second = first.clone();
    second.epoch += 1;
    let epoch = second.epoch;
    let mut copy = Revocations::default();
    assert!(copy.learn(second, Moment(NOW * 1000 + 1)));
    assert!(copy.learn(first, Moment(NOW * 1000)));
    assert_eq!(copy.epoch(), epoch);
}

#[test]
fn a_long_answer_comes_in_pages_and_is_learned_as_one() {
    let mut feed = FeedState::new("f");
    let count = 2 * MOST_ENTRIES + 1;
    append(&mut feed, (0..count).map(grant).collect());
    let mut whole = since(&mut feed, "", 0);
    let mut pages = 1;
    while whole.more {
        assert_eq!(whole.entries.len(), pages * MOST_ENTRIES);
        let next = since(&mut feed, "f", whole.head);
        assert!(whole.extend(next));
        pages += 1;
    }
    assert_eq!((pages, whole.entries.len(), whole.full), (3, count, true));
    let mut copy = Revocations::default();
    assert!(copy.learn(whole, Moment(NOW * 1000)));
    assert_eq!(
        (copy.len(), copy.position()),
        (count, ("f", u64::try_from(count).unwrap()))
    );
}

#[test]
fn pages_of_two_feeds_are_not_put_together() {
    let mut feed = FeedState::new("f");
    append(&mut feed, (0..=MOST_ENTRIES).map(grant).collect());
    let mut whole = since(&mut feed, "", 0);
    let mut another = FeedState::new("g");
    append(&mut another, vec![grant(1)]);
    assert!(!whole.extend(since(&mut another, "f", whole.head)));
    // Nor is one that begins elsewhere: the lines between would be missing for good.
    assert!(!whole.extend(since(&mut feed, "f", whole.head + 1)));
}

#[test]
fn a_client_that_mints_and_revokes_in_a_loop_is_told_to_wait_and_nobody_else_is() {
    let fixture = Fixture::new();
    let revoke = |client: &str| {
        let token = Tokens::of(&fixture.client_credentials(client)).access;
        fixture.revoke_as(client, &token)
    };
    let lines = || {
        let at = fixture.at();
        block_on(fixture.memory().revocations(&at)).unwrap().len()
    };
    assert_eq!(revoke("post").status, 200);
    let before = lines();
    let mut done = 0;
    let refused = loop {
        let answer = revoke("post");
        if answer.status != 200 {
            break answer;
        }
        done += 1;
    };
    assert_eq!(refused.label(), "too_many_revocations");
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (503, Some("600"))
    );
    assert_eq!((done, lines() - before), (998, 998));
    assert_eq!(revoke("web").status, 200);
}

#[test]
fn who_is_told_to_wait_makes_nobody_ask_the_feed() {
    let done = LedgerAnswer::RevokeToken(TokenRevoked::Done);
    let refused = LedgerAnswer::RevokeToken(TokenRevoked::TooMany(UnixTime(NOW)));
    assert_eq!((tells_an_end(&done), tells_an_end(&refused)), (true, false));
    assert_eq!(
        (ends_something(&done), ends_something(&refused)),
        (true, false)
    );
    // The feed has to have heard of what was found dead; nobody has to ask it once more for that.
    let found = LedgerAnswer::ReadSession(None);
    assert_eq!(
        (tells_an_end(&found), ends_something(&found)),
        (true, false)
    );
}
