//! Tokens that are rows: how one is made, changed, delegated from and ended, and what the history
//! says of it. What a verb promises is written at its arguments, in `ports::tokens`.

use std::collections::BTreeSet;

use super::token_history::{Line, expired, line, nobody};
use crate::directory::record::Actor;
use crate::model::{
    GrantId, RequestId, SessionId, Subject, SubjectFacts, TokenId, TokenKey, TokenType, UnixTime,
};
use crate::ports::At;
use crate::ports::ledger::{QuotaSpent, Session, SpendQuota};
use crate::ports::tokens::{
    AddToken, ChangeToken, EndToken, Expiry, ListTokens, MOST_TOKENS, Origin, Owner, TokenAdded,
    TokenChanged, TokenFacts, TokenList, TokenRow,
};
use crate::token::Revocation;

/// What the rows answer, or why they cannot.
pub(super) type Answer<T, R> = Result<T, <R as Rows>::Error>;

/// What rows are found by.
#[derive(Debug, Clone, Copy)]
pub enum Index<'a> {
    /// What one is called by.
    Key(&'a TokenKey),
    /// Whose they are.
    Owner(&'a str),
    /// What they were delegated from.
    Parent(&'a TokenKey),
    /// The session that they rest on.
    Session(&'a SessionId),
    /// The grant.
    Grant(&'a GrantId),
    /// The access token.
    Token(&'a TokenId),
    /// A scope that what acts for itself has.
    Scope(&'a str),
}

/// The rows of one shard, inside one transaction.
#[expect(
    clippy::missing_errors_doc,
    reason = "each fails when the rows cannot be asked"
)]
pub trait Rows {
    /// Why the rows cannot be asked.
    type Error;
    /// The row of a key, whether it lives or not. Fails where it cannot be read, which is no verdict.
    fn token(&self, key: &TokenKey) -> Result<Option<TokenRow>, Self::Error>;
    /// Rows by something that many have, in the order of their keys. One that cannot be read must keep
    /// nobody from the others, nor from ending it: see [`TokenRow::unreadable`].
    fn tokens(&self, by: Index<'_>) -> Result<Vec<TokenRow>, Self::Error>;
    /// Writes a row.
    fn put_token(&mut self, row: &TokenRow) -> Result<(), Self::Error>;
    /// Takes a row away.
    fn remove_token(&mut self, key: &TokenKey) -> Result<(), Self::Error>;
    /// Adds a line to the history.
    fn note_token(&mut self, line: Line) -> Result<(), Self::Error>;
    /// Whether the history says that this request ended this token.
    fn was_ended_by(&self, key: &TokenKey, request: &RequestId) -> Result<bool, Self::Error>;
    /// Whoever lives here.
    fn person(&self, subject: &Subject) -> Result<Option<SubjectFacts>, Self::Error>;
    /// A session that stands.
    fn standing_session(
        &self,
        session: &SessionId,
        now: UnixTime,
    ) -> Result<Option<Session>, Self::Error>;
    /// How many tokens of somebody live that were delegated, and when the first of them ends.
    fn delegated(
        &self,
        owner: &Owner,
        now: UnixTime,
    ) -> Result<(u64, Option<UnixTime>), Self::Error>;
    /// Whether a grant has not ended.
    fn grant_stands(&self, grant: &GrantId) -> Result<bool, Self::Error>;
    /// Counts one use of something, if there is one left.
    fn spend(&mut self, verb: SpendQuota, at: &At) -> Result<QuotaSpent, Self::Error>;
    /// Puts entries out to the feed.
    fn tell_feed(&mut self, entries: Vec<Revocation>) -> Result<(), Self::Error>;
}

pub(super) fn lives(row: &TokenRow, now: UnixTime) -> bool {
    row.is_readable() && row.expires.is_none_or(|expires| now < expires)
}

/// A row that lives, whose person may do anything at all, and has not been set back since.
pub(crate) fn read<R: Rows>(
    rows: &R,
    key: &TokenKey,
    now: UnixTime,
) -> Answer<Option<TokenFacts>, R> {
    match rows.token(key)? {
        Some(row) if lives(&row, now) => facts(rows, row),
        _ => Ok(None),
    }
}

pub(super) fn facts<R: Rows>(rows: &R, row: TokenRow) -> Answer<Option<TokenFacts>, R> {
    let Some(subject) = &row.subject else {
        return Ok(Some(TokenFacts { row, person: None }));
    };
    let person = standing(rows, subject, row.generation)?;
    Ok(person.map(|person| TokenFacts {
        row,
        person: Some(person),
    }))
}

pub(super) fn standing<R: Rows>(
    rows: &R,
    subject: &Subject,
    generation: u64,
) -> Answer<Option<SubjectFacts>, R> {
    let person = rows.person(subject)?;
    Ok(person.filter(|person| person.active && person.generation == generation))
}

pub(super) fn of<R: Rows>(rows: &R, owner: &Owner) -> Answer<Vec<TokenRow>, R> {
    let mut all = rows.tokens(Index::Owner(owner.name()))?;
    all.retain(|row| row.owner() == *owner);
    Ok(all)
}

pub(crate) fn list<R: Rows>(rows: &R, verb: &ListTokens, now: UnixTime) -> Answer<TokenList, R> {
    let person = match &verb.owner {
        Owner::Person(subject) => rows.person(subject)?,
        Owner::Service(_) => None,
    };
    let stands = |row: &TokenRow| match &person {
        Some(person) => person.active && person.generation == row.generation,
        None => row.subject.is_none(),
    };
    let mut list = of(rows, &verb.owner)?;
    list.retain(|row| lives(row, now) && stands(row));
    list.sort_by(|one, other| {
        let newest = other.created.cmp(&one.created);
        newest.then_with(|| one.key.cmp(&other.key))
    });
    Ok(TokenList { person, rows: list })
}

pub(crate) fn add<R: Rows>(rows: &mut R, verb: AddToken, at: &At) -> Answer<TokenAdded, R> {
    let now = at.now.unix();
    let person = match &verb.owner {
        Owner::Person(subject) => match rows.person(subject)?.filter(|person| person.active) {
            Some(person) => Some(person),
            None => return Ok(TokenAdded::NoPerson),
        },
        Owner::Service(_) => None,
    };
    let mut made = of(rows, &verb.owner)?;
    if let Some(row) = made.iter().find(|row| row.made_by == at.request) {
        let row = row.clone();
        return Ok(TokenAdded::Added(Box::new(TokenFacts { row, person })));
    }
    end_before(rows, &mut made, verb.epoch, at)?;
    let of_ones_own = |row: &&TokenRow| row.parent.is_none() && lives(row, now);
    if made.iter().filter(of_ones_own).count() >= MOST_TOKENS {
        return Ok(TokenAdded::Full);
    }
    if let Some(name) = &verb.token_name
        && !free_name(rows, &made, name, None, now)?
    {
        return Ok(TokenAdded::NameTaken);
    }
    if let Some(counted) = verb.counted() {
        let spent = rows.spend(counted, at)?;
        if !spent.granted {
            return Ok(TokenAdded::TooMany(spent.resets_at));
        }
    }
    let row = TokenRow {
        key: verb.key,
        token_type: match &verb.owner {
            Owner::Person(_) => TokenType::User,
            Owner::Service(_) => TokenType::Service,
        },
        username: match (&verb.owner, &person) {
            (Owner::Service(name), _) => name.clone(),
            (Owner::Person(_), Some(person)) => person.username.clone(),
            (Owner::Person(_), None) => return Ok(TokenAdded::NoPerson),
        },
        subject: person.as_ref().map(|person| person.subject.clone()),
        generation: person.as_ref().map_or(0, |person| person.generation),
        token_name: verb.token_name,
        scopes: verb.scopes,
        service: None,
        created: now,
        expires: verb.expires,
        epoch: verb.epoch,
        parent: None,
        origin: Origin::default(),
        version: 1,
        made_by: at.request.clone(),
        changed_by: None,
    };
    make(rows, &row, &verb.by, at)?;
    Ok(TokenAdded::Added(Box::new(TokenFacts { row, person })))
}

/// Ends what is of an earlier epoch: nobody can show it any more, and its name is free.
fn end_before<R: Rows>(
    rows: &mut R,
    made: &mut Vec<TokenRow>,
    epoch: u32,
    at: &At,
) -> Answer<(), R> {
    let over = made.extract_if(.., |row| row.is_before(epoch)).collect();
    end_all(rows, over, &nobody(), at).map(drop)
}

pub(super) fn make<R: Rows>(rows: &mut R, row: &TokenRow, by: &Actor, at: &At) -> Answer<(), R> {
    rows.put_token(row)?;
    let when = (at.now.unix(), Some(&at.request));
    rows.note_token(line(row, None, "create", by, when))
}

/// Whether no other token that lives has the name. One that has expired gives it back.
fn free_name<R: Rows>(
    rows: &mut R,
    made: &[TokenRow],
    name: &str,
    except: Option<&TokenKey>,
    now: UnixTime,
) -> Answer<bool, R> {
    let mut named = made
        .iter()
        .filter(|row| row.token_name.as_deref() == Some(name));
    let Some(row) = named.find(|row| except != Some(&row.key)) else {
        return Ok(true);
    };
    if lives(row, now) || !row.is_readable() {
        return Ok(false);
    }
    expire(rows, row)?;
    Ok(true)
}

/// Takes away a row that has expired.
pub(crate) fn expire<R: Rows>(rows: &mut R, row: &TokenRow) -> Answer<(), R> {
    rows.remove_token(&row.key)?;
    rows.note_token(expired(row))
}

pub(crate) fn change<R: Rows>(rows: &mut R, verb: ChangeToken, at: &At) -> Answer<TokenChanged, R> {
    let now = at.now.unix();
    let known = read(rows, &verb.key, now)?;
    let theirs =
        |known: &TokenFacts| known.row.owner() == verb.owner && !known.row.is_before(verb.epoch);
    let Some(known) = known.filter(theirs) else {
        return Ok(TokenChanged::Unknown);
    };
    let before = &known.row;
    if before.changed_by.as_ref() == Some(&at.request) {
        return Ok(TokenChanged::Changed(Box::new(known)));
    }
    if before.token_type != TokenType::User {
        return Ok(TokenChanged::Fixed);
    }
    let mut after = before.clone();
    if let Some(name) = verb.token_name {
        let mut made = of(rows, &verb.owner)?;
        end_before(rows, &mut made, verb.epoch, at)?;
        if !free_name(rows, &made, &name, Some(&before.key), now)? {
            return Ok(TokenChanged::NameTaken);
        }
        after.token_name = Some(name);
    }
    if let Some(scopes) = verb.scopes {
        after.scopes = scopes;
    }
    match verb.expires {
        Some(Expiry::Never) => after.expires = None,
        Some(Expiry::At(then)) => after.expires = Some(then),
        None => {}
    }
    if after != *before {
        write(rows, before, &mut after, &verb.by, at)?;
        for mut child in descendants(rows, &[after.clone()], &mut BTreeSet::new())? {
            let before = child.clone();
            child.bound(&after);
            if child.is_readable() && child != before {
                write(rows, &before, &mut child, &verb.by, at)?;
            }
        }
    }
    let person = known.person;
    Ok(TokenChanged::Changed(Box::new(TokenFacts {
        row: after,
        person,
    })))
}

fn write<R: Rows>(
    rows: &mut R,
    before: &TokenRow,
    after: &mut TokenRow,
    by: &Actor,
    at: &At,
) -> Answer<(), R> {
    after.version += 1;
    after.changed_by = Some(at.request.clone());
    rows.put_token(after)?;
    let when = (at.now.unix(), Some(&at.request));
    rows.note_token(line(after, Some(before), "edit", by, when))?;
    rows.tell_feed(vec![Revocation::TokenVersion(
        after.key.clone(),
        after.version,
    )])
}

/// Takes a scope from what acts for itself.
pub(crate) fn drop_scope<R: Rows>(rows: &mut R, scope: &str, at: &At) -> Answer<(), R> {
    let mut holders = rows.tokens(Index::Scope(scope))?;
    holders.retain(TokenRow::is_readable);
    for before in holders {
        let mut after = before.clone();
        after.scopes = before.scopes.filter(|token| token != scope);
        write(rows, &before, &mut after, &nobody(), at)?;
    }
    Ok(())
}

/// What was delegated from these, and from that; the deepest first. Nothing is asked about twice, and
/// what was seen before is not told again.
fn descendants<R: Rows>(
    rows: &R,
    roots: &[TokenRow],
    seen: &mut BTreeSet<TokenKey>,
) -> Answer<Vec<TokenRow>, R> {
    let mut above: Vec<TokenKey> = roots.iter().map(|row| row.key.clone()).collect();
    seen.extend(above.iter().cloned());
    let mut levels = Vec::new();
    while !above.is_empty() {
        let mut level = Vec::new();
        for key in &above {
            level.extend(rows.tokens(Index::Parent(key))?);
        }
        level.retain(|row| seen.insert(row.key.clone()));
        level.sort_by(|one, other| one.key.cmp(&other.key));
        above = level.iter().map(|row| row.key.clone()).collect();
        levels.push(level);
    }
    Ok(levels.into_iter().rev().flatten().collect())
}

pub(crate) fn end<R: Rows>(rows: &mut R, verb: &EndToken, at: &At) -> Answer<bool, R> {
    let stands = |row: &TokenRow| lives(row, at.now.unix()) || !row.is_readable();
    let known = rows.tokens(Index::Key(&verb.key))?.pop();
    let known = known.filter(|row| stands(row) && row.owner() == verb.owner);
    let Some(row) = known else {
        return rows.was_ended_by(&verb.key, &at.request);
    };
    let ended = end_all(rows, vec![row], &verb.by, at)?;
    rows.tell_feed(ended.into_iter().map(Revocation::TokenRow).collect())?;
    Ok(true)
}

/// Ends what rests on something that the feed was just told has ended. It needs no line of its own there.
pub(crate) fn follow<R: Rows>(rows: &mut R, entry: &Revocation, at: &At) -> Answer<(), R> {
    let resting = match entry {
        Revocation::Session(session) => rows.tokens(Index::Session(session))?,
        Revocation::Grant(grant) => rows.tokens(Index::Grant(grant))?,
        Revocation::Token(token, _) => rows.tokens(Index::Token(token))?,
        Revocation::Subject(subject, generation) => {
            let mut all = rows.tokens(Index::Owner(subject.as_str()))?;
            all.retain(|row| row.generation < *generation);
            all
        }
        _ => return Ok(()),
    };
    end_all(rows, resting, &nobody(), at).map(drop)
}

/// Ends these and all that was delegated from them, and asks about each of them once.
pub(super) fn end_all<R: Rows>(
    rows: &mut R,
    roots: Vec<TokenRow>,
    by: &Actor,
    at: &At,
) -> Answer<Vec<TokenKey>, R> {
    // What lies below another one of them is found there.
    let keys: BTreeSet<TokenKey> = roots.iter().map(|row| row.key.clone()).collect();
    let (mut lower, top): (Vec<_>, Vec<_>) = roots
        .into_iter()
        .partition(|row| row.parent.as_ref().is_some_and(|key| keys.contains(key)));
    let mut seen = BTreeSet::new();
    let mut all = descendants(rows, &top, &mut seen)?;
    // But for rows that name each other, which nothing makes: no way leads down to them.
    lower.retain(|row| !seen.contains(&row.key));
    all.extend(descendants(rows, &lower, &mut seen)?);
    all.extend(lower);
    all.extend(top);
    let mut ended = Vec::new();
    for row in &all {
        rows.remove_token(&row.key)?;
        let when = (at.now.unix(), Some(&at.request));
        rows.note_token(line(row, None, "revoke", by, when))?;
        ended.push(row.key.clone());
    }
    Ok(ended)
}
