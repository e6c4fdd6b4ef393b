//! The ledger's verbs about tokens that are rows of it: those that people and services made, and those
//! that were delegated from whatever somebody showed.

use std::cell::OnceCell;
use std::ops::Deref;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::ledger::{RateLimit, Row, SpendQuota};
use crate::directory::record::Actor;
use crate::model::{
    ClientId, GrantId, RequestId, Scope, Seconds, SessionId, Shard, Subject, SubjectFacts, TokenId,
    TokenKey, TokenType, UnixTime, Username,
};
use crate::token::Identity;

/// How long the history is kept.
pub const HISTORY: Seconds = Seconds(365 * 24 * 3600);
/// Tokens that somebody may have made at once: more than anybody tells apart.
pub const MOST_TOKENS: usize = 1_000;
/// Tokens that somebody may have delegated at once, over all that they showed: thirty services for each of
/// thirty sessions, notebooks and tokens. It also bounds what an end has to go through, and the lines of the
/// feed that ending one token writes.
pub const MOST_DELEGATED: u64 = 1_000;
/// How often a token may be delegated from what was delegated: a notebook, what it calls, and what that
/// calls in turn are a few. Each step of one that is made is read.
pub const DEEPEST: usize = 16;
/// Who acts where nobody does: a token that expires, or that ends with what it rests on.
pub const INTERNAL: &str = "<internal>";

/// A row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRow {
    /// What it is called by.
    pub key: TokenKey,
    /// What it is: `user`, `service`, `notebook` or `internal`.
    pub token_type: TokenType,
    /// Of what acts for itself, its name; of a person, what it was when it was made.
    pub username: Username,
    /// The person; `None` for what acts for itself.
    pub subject: Option<Subject>,
    /// The person's generation then.
    pub generation: u64,
    /// What the person calls it.
    pub token_name: Option<String>,
    /// What it allows at most.
    pub scopes: Scope,
    /// The service that it was delegated to.
    pub service: Option<String>,
    /// Made at.
    pub created: UnixTime,
    /// Not valid from here on; `None` is never.
    pub expires: Option<UnixTime>,
    /// The epoch that its text is sealed in. Once it is over, there is no such token any more.
    #[serde(default, skip_serializing_if = "is_none")]
    pub epoch: u32,
    /// What it was delegated from.
    pub parent: Option<TokenKey>,
    /// What it rests on besides.
    pub origin: Origin,
    /// Counts changes; a copy of an older one is old.
    pub version: u64,
    /// The request that made it.
    pub made_by: RequestId,
    /// The request that changed it last.
    pub changed_by: Option<RequestId>,
}

/// Whether an epoch was not written down: a row of before it was lives as it did.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_none(epoch: &u32) -> bool {
    *epoch == 0
}

/// What an access token or a session, from which something was delegated, rests on: the feed is asked
/// about all of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Origin {
    /// The access token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenId>,
    /// Its grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantId>,
    /// The session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The client that it was issued to, and its generation then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<(ClientId, u64)>,
    /// What the access token is for, and so whatever is delegated from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
}

/// A row that lives, and the person it is of, now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenFacts {
    /// The row.
    pub row: TokenRow,
    /// The person.
    pub person: Option<SubjectFacts>,
}

impl TokenFacts {
    /// What it allows now: of a person no more than they hold.
    #[must_use]
    pub fn scopes(&self) -> Scope {
        match &self.person {
            Some(person) => self.row.scopes.intersection(&person.own_scope()),
            None => self.row.scopes.clone(),
        }
    }
}

/// A row as it is kept, and whom it names: put together once.
#[derive(Debug)]
pub struct KnownToken {
    facts: TokenFacts,
    shard: Shard,
    identity: OnceCell<Rc<Identity>>,
}

impl KnownToken {
    /// What was read at a shard.
    #[must_use]
    pub fn new(facts: TokenFacts, shard: Shard) -> Self {
        Self {
            facts,
            shard,
            identity: OnceCell::new(),
        }
    }

    /// Whom it names.
    #[must_use]
    pub fn identity(&self) -> &Rc<Identity> {
        let named = || Rc::new(Identity::of_row(&self.facts, self.shard));
        self.identity.get_or_init(named)
    }
}

impl Deref for KnownToken {
    type Target = TokenFacts;

    fn deref(&self) -> &TokenFacts {
        &self.facts
    }
}

/// Makes a token of a person or of a service.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AddToken {
    /// The key.
    pub key: TokenKey,
    /// The person, or the name of a service.
    pub owner: Owner,
    /// What the person calls it; no two tokens of a person have one name.
    pub token_name: Option<String>,
    /// What it allows.
    pub scopes: Scope,
    /// Not valid from here on; `None` is never.
    pub expires: Option<UnixTime>,
    /// The epoch that its text is sealed in. What is theirs of an earlier one ends with this.
    #[serde(default)]
    pub epoch: u32,
    /// Who makes it.
    pub by: Actor,
    /// How often tokens may be made for the owner: each that is ended is a line in every isolate.
    #[serde(default)]
    pub limit: Option<RateLimit>,
}

impl AddToken {
    /// What is counted of its owner, where something is.
    #[must_use]
    pub fn counted(&self) -> Option<SpendQuota> {
        let limit = self.limit?;
        let key = format!("tokens:{}", self.owner.name());
        Some(SpendQuota { key, limit })
    }
}

/// Whose tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// A person's.
    Person(Subject),
    /// Of a service that acts for itself.
    Service(Username),
}

impl Owner {
    /// The text that rows are found by.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Person(subject) => subject.as_str(),
            Self::Service(name) => name.as_str(),
        }
    }
}

impl TokenRow {
    /// Stands for a row that cannot be read: what is known of it is what it is found by. It is alive for
    /// nobody, and can be ended.
    #[must_use]
    pub fn unreadable(
        key: TokenKey,
        owner: &str,
        name: Option<String>,
        parent: Option<TokenKey>,
        expires: Option<UnixTime>,
    ) -> Option<Self> {
        let person = owner.starts_with(Subject::PREFIX);
        let subject = person.then(|| Subject::parse(owner).ok()).flatten();
        Some(Self {
            key,
            token_type: match (&parent, person) {
                (Some(_), _) => TokenType::Internal,
                (None, true) => TokenType::User,
                (None, false) => TokenType::Service,
            },
            // No subject is a username, and what the person is called stands nowhere else.
            username: Username::parse(owner)
                .or_else(|_| Username::parse("unreadable"))
                .ok()?,
            subject,
            generation: 0,
            token_name: name,
            scopes: Scope::default(),
            service: None,
            created: UnixTime(0),
            expires,
            epoch: 0,
            parent,
            origin: Origin::default(),
            version: 0,
            made_by: RequestId::parse("unreadable").ok()?,
            changed_by: None,
        })
    }

    /// Whether it could be read.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        self.version > 0
    }

    /// Whether it is of an epoch before this one.
    #[must_use]
    pub fn is_before(&self, epoch: u32) -> bool {
        (1..epoch).contains(&self.epoch)
    }

    /// Whose it is.
    #[must_use]
    pub fn owner(&self) -> Owner {
        match &self.subject {
            Some(subject) => Owner::Person(subject.clone()),
            None => Owner::Service(self.username.clone()),
        }
    }
}

/// What making did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenAdded {
    /// It is there. Also the answer to the same request repeated.
    Added(Box<TokenFacts>),
    /// Another token of theirs has this name.
    NameTaken,
    /// They have as many as anybody may.
    Full,
    /// The person is not there or not active.
    NoPerson,
    /// As many were made as may be until then.
    TooMany(UnixTime),
}

/// The row of a token that lives.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReadToken {
    /// Which.
    pub key: TokenKey,
}

/// The tokens of somebody that live, the newest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListTokens {
    /// Whose.
    pub owner: Owner,
}

/// Tokens, and the person they are of, now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenList {
    /// The person.
    pub person: Option<SubjectFacts>,
    /// Their rows.
    pub rows: Vec<TokenRow>,
}

/// Changes a `user` token. What is delegated from it never has more than it, nor longer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChangeToken {
    /// Which.
    pub key: TokenKey,
    /// Only if it is theirs.
    pub owner: Owner,
    /// Another name.
    pub token_name: Option<String>,
    /// Other scopes; none at all is an empty scope.
    pub scopes: Option<Scope>,
    /// Another end.
    pub expires: Option<Expiry>,
    /// The epoch of now: one of before is none any more.
    #[serde(default)]
    pub epoch: u32,
    /// Who changes it.
    pub by: Actor,
}

/// When something ends, where it may be that it never does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expiry {
    /// Never.
    Never,
    /// Then.
    At(UnixTime),
}

/// What changing did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenChanged {
    /// It is so now. Also the answer to the same request repeated.
    Changed(Box<TokenFacts>),
    /// There is no such token of theirs.
    Unknown,
    /// It is of a type that nobody changes.
    Fixed,
    /// Another token of theirs has this name.
    NameTaken,
}

/// Ends a token and all that was delegated from it, the deepest first. Answers whether there was one.
/// Also the answer to the same request repeated.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EndToken {
    /// Which.
    pub key: TokenKey,
    /// Only if it is theirs.
    pub owner: Owner,
    /// Who ends it.
    pub by: Actor,
}

/// Finds the child of a token, or makes it: whoever asks alike gets one and the same. A child is for no more
/// than its parent: to a service if that was, and for the same resource.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Delegate {
    /// The key, if one is made.
    pub key: TokenKey,
    /// From what.
    pub parent: Parent,
    /// To a service; without one, to the person's notebook, or to whom the parent was.
    pub service: Option<String>,
    /// What it may, if the parent may.
    pub scopes: Scope,
    /// How long a new one lives, unless the parent ends sooner.
    pub lifetime: Seconds,
    /// How long one that is found has to live on, unless the parent ends sooner.
    pub remaining: Seconds,
    /// The epoch that its text is sealed in.
    #[serde(default)]
    pub epoch: u32,
    /// From where it is asked for, if that is known.
    pub address: Option<String>,
}

/// What delegating did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenDelegated {
    /// It is there: found, made, or what was shown, if that is already what was asked for.
    Given(Box<TokenFacts>),
    /// What was shown is over.
    Over,
    /// What was shown was itself delegated as often as may be.
    TooDeep,
    /// They have as many as anybody may, until then at least.
    Full(UnixTime),
}

/// What is delegated from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parent {
    /// A row here.
    Token(TokenKey),
    /// A session here.
    Session(SessionId),
    /// An access token, which only the feed knows more about.
    Access(Box<AccessParent>),
}

/// What an access token says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccessParent {
    /// Its key.
    pub key: TokenKey,
    /// The person and their generation; `None` for a client that acts for itself.
    pub person: Option<(Subject, u64)>,
    /// The username.
    pub username: Username,
    /// What it allows.
    pub scopes: Scope,
    /// Not valid from here on.
    pub expires: UnixTime,
    /// What it rests on.
    pub origin: Origin,
}

/// There is a scope no more: what acts for itself has it no more. People lose it where it was given
/// to them, and their tokens with them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DropScope {
    /// Which.
    pub scope: String,
}

/// All changes that fit, the newest first: of a second, by number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReadTokenHistory {
    /// Whose.
    pub owner: Option<Owner>,
    /// Of this username, as it was then.
    pub username: Option<String>,
    /// Of this token and what was delegated from it directly.
    pub key: Option<TokenKey>,
    /// Of this token alone.
    #[serde(default)]
    pub alone: bool,
    /// Of this type.
    pub token_type: Option<TokenType>,
    /// By whom.
    pub actor: Option<String>,
    /// From an address between these, as [`crate::model::address_bits`] writes them.
    pub addresses: Option<(String, String)>,
    /// Not before.
    pub since: Option<UnixTime>,
    /// Not after.
    pub until: Option<UnixTime>,
    /// From this one on, or before it.
    pub from: Option<Position>,
    /// Lines at most.
    pub most: u64,
}

/// A place in the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Position {
    /// The second.
    pub time: UnixTime,
    /// The number in it that is too large; every smaller one is behind.
    pub below: u64,
    /// Whether those before it are asked for, the nearest first: newer ones.
    pub backwards: bool,
}

/// Some of it. A line has `number`, what it says in `line`, and its `time`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenHistory {
    /// How many there are, wherever one begins.
    pub count: u64,
    /// The first of them.
    pub lines: Vec<Row>,
}
