//! Who a credential names, whatever kind of credential it is.

use std::collections::BTreeSet;

use super::access::AccessToken;
use crate::model::{
    ClientId, GrantId, Scope, SessionId, Shard, Subject, TokenId, TokenKey, TokenType, UnixTime,
    Username,
};
use crate::ports::tokens::TokenFacts;

/// Whom a credential of ours names, and what it allows. That it lives is not said here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// What the credential is called by.
    pub key: TokenKey,
    /// What it is.
    pub token_type: TokenType,
    /// The username; of what acts for itself, one that begins with `bot-`.
    pub username: Username,
    /// The person; `None` for what acts for itself.
    pub person: Option<Subject>,
    /// Where its ledger rows are.
    pub shard: Shard,
    /// What it allows.
    pub scopes: Scope,
    /// Made at.
    pub created: UnixTime,
    /// Not valid from here on; `None` is never.
    pub expires: Option<UnixTime>,
    /// The service that it was delegated to.
    pub service: Option<String>,
    /// What the person calls it.
    pub token_name: Option<String>,
    /// What it was delegated from.
    pub parent: Option<TokenKey>,
    /// The one resource that an access token is for, and all that was delegated from it. Every other
    /// credential is for whatever is behind the gate, and for our own API.
    pub audience: Option<String>,
    /// Whom an access token was issued to.
    pub client: Option<ClientId>,
    /// The grant that an access token comes from.
    pub grant: Option<GrantId>,
    /// The session it dies with.
    pub session: Option<SessionId>,
    /// The access token that this is, or that it was delegated from.
    pub token: Option<TokenId>,
    /// The person's generation, and the client's, that it was made under.
    pub generations: (u64, u64),
    /// The mail address, where it is known without asking for it.
    pub email: Option<String>,
    /// The groups of the person, likewise.
    pub groups: Option<BTreeSet<String>>,
}

impl Identity {
    /// What an access token says of it.
    #[must_use]
    pub fn of_access_token(id: &TokenId, token: &AccessToken) -> Self {
        let person = Subject::parse(&token.sub).ok();
        let person = person.filter(|_| token.sub.starts_with(Subject::PREFIX));
        let session = token.session.as_ref();
        Self {
            key: TokenKey::of(id.as_str()),
            token_type: match person {
                Some(_) => TokenType::Oidc,
                None => TokenType::Service,
            },
            username: token.username.clone(),
            person,
            shard: token.shard,
            scopes: token.scope.clone(),
            created: token.issued_at,
            expires: Some(token.expires_at),
            service: None,
            token_name: None,
            parent: session.map(|session| TokenKey::of(session.as_str())),
            audience: Some(token.audience.clone()),
            client: Some(token.client.clone()),
            grant: token.grant.clone(),
            session: token.session.clone(),
            token: Some(id.clone()),
            generations: (token.generations.subject, token.generations.client),
            email: None,
            groups: None,
        }
    }

    /// Whom a row names, alive or not.
    #[must_use]
    pub fn of_row(facts: &TokenFacts, shard: Shard) -> Self {
        let (row, person) = (&facts.row, facts.person.as_ref());
        let origin = row.origin.clone();
        let (client, minted) = origin.client.unzip();
        Self {
            key: row.key.clone(),
            token_type: row.token_type,
            username: person
                .map_or(&row.username, |person| &person.username)
                .clone(),
            person: row.subject.clone(),
            shard,
            scopes: facts.scopes(),
            created: row.created,
            expires: row.expires,
            service: row.service.clone(),
            token_name: row.token_name.clone(),
            parent: row.parent.clone(),
            audience: origin.audience,
            client,
            grant: origin.grant,
            session: origin.session,
            token: origin.token,
            generations: (row.generation, minted.unwrap_or_default()),
            email: person.and_then(|person| person.profile.email.clone()),
            groups: person.map(|person| person.groups.clone()),
        }
    }

    /// Whether it was delegated to somebody: then it is a row of the ledger.
    #[must_use]
    pub fn is_delegated(&self) -> bool {
        matches!(self.token_type, TokenType::Notebook | TokenType::Internal)
    }
}
