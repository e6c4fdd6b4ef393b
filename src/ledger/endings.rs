//! What it costs to end everything that somebody may have: counted, as time says little of it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::convert::Infallible;

use super::token_history::Line;
use super::tokens::{Index, Rows, end_all, follow};
use crate::directory::record::Actor;
use crate::model::{
    GrantId, Moment, RequestId, Scope, SessionId, Subject, SubjectFacts, TokenKey, TokenType,
    UnixTime, Username,
};
use crate::ports::At;
use crate::ports::ledger::{QuotaSpent, Session, SpendQuota};
use crate::ports::tokens::{DEEPEST, MOST_DELEGATED, MOST_TOKENS, Origin, Owner, TokenRow};
use crate::token::Revocation;

/// Rows that count what is asked of them, and what they answer.
#[derive(Default)]
struct Counted {
    rows: BTreeMap<TokenKey, TokenRow>,
    ended: Vec<TokenKey>,
    questions: Cell<usize>,
    answered: Cell<usize>,
}

impl Rows for Counted {
    type Error = Infallible;

    fn token(&self, key: &TokenKey) -> Result<Option<TokenRow>, Infallible> {
        self.questions.update(|count| count + 1);
        Ok(self.rows.get(key).cloned())
    }

    fn tokens(&self, by: Index<'_>) -> Result<Vec<TokenRow>, Infallible> {
        let has = |row: &&TokenRow| match by {
            Index::Parent(key) => row.parent.as_ref() == Some(key),
            Index::Owner(name) => row.owner().name() == name,
            Index::Session(id) => row.origin.session.as_ref() == Some(id),
            _ => false,
        };
        let found: Vec<_> = self.rows.values().filter(has).cloned().collect();
        self.questions.update(|count| count + 1);
        self.answered.update(|count| count + found.len());
        Ok(found)
    }

    fn put_token(&mut self, row: &TokenRow) -> Result<(), Infallible> {
        self.rows.insert(row.key.clone(), row.clone());
        Ok(())
    }

    fn remove_token(&mut self, key: &TokenKey) -> Result<(), Infallible> {
        assert!(self.rows.remove(key).is_some(), "{key} is ended once");
        self.ended.push(key.clone());
        Ok(())
    }

    fn note_token(&mut self, _: Line) -> Result<(), Infallible> {
        Ok(())
    }

    fn was_ended_by(&self, _: &TokenKey, _: &RequestId) -> Result<bool, Infallible> {
        Ok(false)
    }

    fn person(&self, _: &Subject) -> Result<Option<SubjectFacts>, Infallible> {
        Ok(None)
    }

    fn standing_session(&self, _: &SessionId, _: UnixTime) -> Result<Option<Session>, Infallible> {
        Ok(None)
    }

    fn delegated(&self, _: &Owner, _: UnixTime) -> Result<(u64, Option<UnixTime>), Infallible> {
        Ok((0, None))
    }

    fn grant_stands(&self, _: &GrantId) -> Result<bool, Infallible> {
        Ok(true)
    }

    fn spend(&mut self, _: SpendQuota, _: &At) -> Result<QuotaSpent, Infallible> {
        Ok(QuotaSpent {
            granted: true,
            used: 1,
            resets_at: UnixTime(0),
        })
    }

    fn tell_feed(&mut self, _: Vec<Revocation>) -> Result<(), Infallible> {
        Ok(())
    }
}

fn key(number: usize) -> TokenKey {
    TokenKey::of(&number.to_string())
}

/// A token of `u_ann`, which rests on a session of hers.
fn row(number: usize, parent: Option<usize>) -> TokenRow {
    TokenRow {
        key: key(number),
        token_type: TokenType::Internal,
        username: Username::parse("ann").unwrap(),
        subject: Some(Subject::parse("u_ann").unwrap()),
        generation: 0,
        token_name: None,
        scopes: Scope::default(),
        service: None,
        created: UnixTime(1),
        expires: None,
        epoch: 0,
        parent: parent.map(key),
        origin: Origin {
            session: Some(SessionId::parse("s1").unwrap()),
            ..Origin::default()
        },
        version: 1,
        made_by: RequestId::parse("r").unwrap(),
        changed_by: None,
    }
}

fn of(rows: impl Iterator<Item = TokenRow>) -> Counted {
    let rows = rows.map(|row| (row.key.clone(), row)).collect();
    Counted {
        rows,
        ..Counted::default()
    }
}

fn at() -> At {
    At {
        request: RequestId::parse("end").unwrap(),
        now: Moment(5000),
    }
}

/// All that somebody may have: what they made, and what was delegated, each from what this says.
fn everything(parent: impl Fn(usize) -> Option<usize>) -> Counted {
    let delegated = usize::try_from(MOST_DELEGATED).unwrap();
    let made = (0..MOST_TOKENS).map(|number| row(number, None));
    let delegated =
        (MOST_TOKENS..MOST_TOKENS + delegated).map(|number| row(number, parent(number)));
    of(made.chain(delegated))
}

/// What each row costs, at most: it is asked below, and found twice.
#[track_caller]
fn assert_linear(counted: &Counted, rows: usize) {
    assert!(counted.rows.is_empty());
    assert_eq!(counted.ended.len(), rows);
    let (questions, answered) = (counted.questions.get(), counted.answered.get());
    assert!(questions <= rows + 1, "{questions} questions for {rows}");
    assert!(answered <= 2 * rows, "{answered} answers for {rows}");
}

#[test]
fn s1_5_whoever_has_all_that_can_be_is_ended_row_by_row_and_each_is_read_twice_at_most() {
    let ends = [
        Revocation::Subject(Subject::parse("u_ann").unwrap(), 1),
        Revocation::Session(SessionId::parse("s1").unwrap()),
    ];
    let deep = |number: usize| match (number - MOST_TOKENS) % DEEPEST {
        0 => Some(0),
        _ => Some(number - 1),
    };
    // The last is what could be made before there was a bound.
    let shapes: [&dyn Fn(usize) -> Option<usize>; 3] =
        [&|_| Some(0), &deep, &|number| Some(number - 1)];
    for end in &ends {
        for shape in shapes {
            let mut counted = everything(shape);
            let rows = counted.rows.len();
            follow(&mut counted, end, &at()).unwrap();
            assert_linear(&counted, rows);
        }
    }
}

#[test]
fn s1_5_the_deepest_end_first() {
    let mut counted = of((0..20).map(|number| row(number, number.checked_sub(1))));
    let end = Revocation::Session(SessionId::parse("s1").unwrap());
    follow(&mut counted, &end, &at()).unwrap();
    let order: Vec<_> = (0..20).rev().map(key).collect();
    assert_eq!(counted.ended, order);
}

#[test]
fn rows_that_name_each_other_are_ended_once() {
    let ring = [row(0, Some(1)), row(1, Some(0)), row(2, Some(1))];
    let by = Actor {
        name: "ann".to_owned(),
        address: None,
    };
    for roots in [&ring[..], &ring[..1], &ring[..2]] {
        let mut counted = of(ring.iter().cloned());
        end_all(&mut counted, roots.to_vec(), &by, &at()).unwrap();
        assert_linear(&counted, 3);
    }
}
