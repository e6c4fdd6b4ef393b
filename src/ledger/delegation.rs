//! Delegation: a child is found or made, with no more than its parent, and no longer.

use super::tokens::{Answer, Index, Rows, facts, lives, make, read, standing};
use crate::directory::record::Actor;
use crate::model::{TokenKey, TokenType, UnixTime};
use crate::ports::At;
use crate::ports::tokens::{
    AccessParent, DEEPEST, Delegate, MOST_DELEGATED, Origin, Parent, TokenDelegated, TokenFacts,
    TokenRow,
};

/// What is known of a parent: as a row of its own, whether it is one or not.
pub(super) fn parent<R: Rows>(rows: &R, parent: Parent, at: &At) -> Answer<Option<TokenRow>, R> {
    let now = at.now.unix();
    match parent {
        Parent::Token(key) => Ok(read(rows, &key, now)?.map(|known| TokenRow {
            scopes: known.scopes(),
            ..known.row
        })),
        Parent::Session(id) => Ok(rows.standing_session(&id, now)?.map(|session| {
            let access = AccessParent {
                key: TokenKey::of(id.as_str()),
                scopes: session.subject.own_scope(),
                username: session.subject.username,
                person: Some((session.subject.subject, session.subject.generation)),
                expires: session.expires_at,
                origin: Origin {
                    session: Some(id),
                    ..Origin::default()
                },
            };
            access.into_row(at)
        })),
        Parent::Access(access) => {
            let origin = &access.origin;
            let person = match &access.person {
                Some((subject, generation)) => standing(rows, subject, *generation)?.is_some(),
                None => true,
            };
            let grant = match &origin.grant {
                Some(grant) => rows.grant_stands(grant)?,
                None => true,
            };
            let session = match &origin.session {
                Some(session) => rows.standing_session(session, now)?.is_some(),
                None => true,
            };
            let stands = person && grant && session && now < access.expires;
            Ok(stands.then(|| access.into_row(at)))
        }
    }
}

pub(crate) fn delegate<R: Rows>(
    rows: &mut R,
    verb: Delegate,
    at: &At,
) -> Answer<TokenDelegated, R> {
    let now = at.now.unix();
    let Some(parent) = parent(rows, verb.parent, at)? else {
        return Ok(TokenDelegated::Over);
    };
    let service = verb.service.or_else(|| parent.service.clone());
    let mut child = TokenRow {
        key: verb.key,
        token_type: match service {
            Some(_) => TokenType::Internal,
            None => TokenType::Notebook,
        },
        token_name: None,
        scopes: verb.scopes,
        service,
        created: now,
        expires: Some(now + verb.lifetime),
        epoch: verb.epoch,
        parent: Some(parent.key.clone()),
        version: 1,
        made_by: at.request.clone(),
        changed_by: None,
        ..parent.clone()
    };
    child.bound(&parent);
    let is_it = |known: &TokenRow| {
        known.token_type == child.token_type
            && known.service == child.service
            && known.scopes == child.scopes
    };
    // Nothing below it could be more, or live longer.
    if is_it(&parent) {
        return Ok(given(read(rows, &parent.key, now)?));
    }
    let enough = (now + verb.remaining).min(parent.expires.unwrap_or(UnixTime(u64::MAX)));
    let alike = |known: &TokenRow| {
        let lasts = known.expires.is_none_or(|expires| enough <= expires);
        is_it(known) && lives(known, now) && lasts
    };
    let known = rows.tokens(Index::Parent(&parent.key))?;
    // Of several, everybody takes the one that lives longest.
    let known = known.into_iter().filter(alike);
    if let Some(row) = known.max_by_key(|row| row.expires) {
        return Ok(given(facts(rows, row)?));
    }
    if depth(rows, &parent)? >= DEEPEST {
        return Ok(TokenDelegated::TooDeep);
    }
    let (living, first) = rows.delegated(&child.owner(), now)?;
    if living >= MOST_DELEGATED {
        return Ok(TokenDelegated::Full(first.unwrap_or(now)));
    }
    let by = Actor {
        name: parent.username.to_string(),
        address: verb.address,
    };
    make(rows, &child, &by, at)?;
    Ok(given(facts(rows, child)?))
}

fn given(facts: Option<TokenFacts>) -> TokenDelegated {
    match facts {
        Some(facts) => TokenDelegated::Given(Box::new(facts)),
        None => TokenDelegated::Over,
    }
}

/// How often it was delegated from something that was.
fn depth<R: Rows>(rows: &R, row: &TokenRow) -> Answer<usize, R> {
    let mut depth = 0;
    let mut above = row.parent.clone();
    while let Some(key) = above.filter(|_| depth < DEEPEST) {
        depth += 1;
        // A session and an access token are no rows; an unreadable row has its place all the same.
        let row = rows.tokens(Index::Key(&key))?.pop();
        above = row.and_then(|row| row.parent);
    }
    Ok(depth)
}

impl TokenRow {
    /// No more than another one, and no longer.
    pub(super) fn bound(&mut self, by: &Self) {
        self.scopes = self.scopes.intersection(&by.scopes);
        self.expires = match (self.expires, by.expires) {
            (Some(own), Some(other)) => Some(own.min(other)),
            (own, other) => own.or(other),
        };
    }
}

impl AccessParent {
    fn into_row(self, at: &At) -> TokenRow {
        let (subject, generation) = self.person.unzip();
        TokenRow {
            key: self.key,
            token_type: TokenType::Oidc,
            username: self.username,
            subject,
            generation: generation.unwrap_or_default(),
            token_name: None,
            scopes: self.scopes,
            service: None,
            created: at.now.unix(),
            expires: Some(self.expires),
            epoch: 0,
            parent: None,
            origin: self.origin,
            version: 1,
            made_by: at.request.clone(),
            changed_by: None,
        }
    }
}
