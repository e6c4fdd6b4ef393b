//! The ledger's verbs. Each is one transaction of one shard.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::device::{BeginDevice, DecideDevice, DeviceRequest, PollDevice, Polled, ReadDevice};
use super::history::{ListEnds, Noted};
use super::logouts::Joining;
use super::tokens::{
    AddToken, ChangeToken, Delegate, DropScope, EndToken, ListTokens, ReadToken, ReadTokenHistory,
    TokenAdded, TokenChanged, TokenDelegated, TokenFacts, TokenHistory, TokenList,
};
use super::verbs;
use crate::directory::record::Actor;
use crate::model::{
    ClientId, GrantId, RoleFacts, Scope, Seconds, SessionId, Subject, SubjectFacts, TokenId,
    UnixTime,
};

verbs! {
    /// What can be asked of a shard.
    LedgerVerb,
    /// What it answers.
    LedgerAnswer:
    PutSubject => (),
    PutRoles => (),
    SpendCode => Spent,
    AdvanceFamily => Advanced,
    RevokeGrant => Revoked,
    ReadGrant => Option<GrantFacts>,
    RevokeToken => TokenRevoked,
    OpenSession => Opened,
    ReadSession => Option<Session>,
    EndSession => (),
    ListSessions => Vec<Row>,
    ListGrants => Vec<Row>,
    EndOwned => Revoked,
    ListIssued => Issued,
    ReadCode => bool,
    EndCode => bool,
    ListEnds => Issued,
    ReadSubject => Option<SubjectFacts>,
    ReadConsent => Option<Scope>,
    ListConsents => Vec<GivenConsent>,
    RememberConsent => (),
    WithdrawConsent => (),
    SpendOnce => Once,
    SpendNonce => NonceSpent,
    ReadFailures => Option<UnixTime>,
    RecordFailure => Option<UnixTime>,
    SpendQuota => QuotaSpent,
    AddToken => TokenAdded,
    ReadToken => Option<Box<TokenFacts>>,
    ListTokens => TokenList,
    ChangeToken => TokenChanged,
    EndToken => bool,
    Delegate => TokenDelegated,
    DropScope => (),
    ReadTokenHistory => TokenHistory,
    BeginDevice => Once,
    ReadDevice => Option<DeviceRequest>,
    DecideDevice => bool,
    PollDevice => Polled,
}

/// Whether an answer says that something was ended by this call, as the asker's copy of the feed may not
/// know yet. What only finds something dead says nothing new: else whoever shows it again and again
/// would have everybody of an isolate wait for the feed.
#[must_use]
pub fn ends_something(answer: &LedgerAnswer) -> bool {
    let finds_it_dead = matches!(
        answer,
        LedgerAnswer::ReadSession(_)
            | LedgerAnswer::SpendCode(Spent::Never)
            | LedgerAnswer::AdvanceFamily(Advanced::Ended)
            | LedgerAnswer::RevokeGrant(Revoked::Unknown)
            | LedgerAnswer::EndOwned(Revoked::Unknown)
            | LedgerAnswer::EndToken(false)
            | LedgerAnswer::ChangeToken(
                TokenChanged::Unknown | TokenChanged::Fixed | TokenChanged::NameTaken
            )
    );
    tells_an_end(answer) && !finds_it_dead
}

/// Whether an answer acknowledges an end, now or of before, so that the feed has to have heard of it.
#[must_use]
pub fn tells_an_end(answer: &LedgerAnswer) -> bool {
    match answer {
        LedgerAnswer::PutSubject(())
        | LedgerAnswer::PutRoles(())
        | LedgerAnswer::RevokeGrant(_)
        | LedgerAnswer::RevokeToken(TokenRevoked::Done)
        | LedgerAnswer::OpenSession(_)
        | LedgerAnswer::EndSession(())
        | LedgerAnswer::EndOwned(_)
        | LedgerAnswer::ChangeToken(_)
        | LedgerAnswer::EndToken(_)
        | LedgerAnswer::DropScope(())
        | LedgerAnswer::WithdrawConsent(()) => true,
        LedgerAnswer::SpendCode(spent) => !matches!(spent, Spent::First(_)),
        LedgerAnswer::AdvanceFamily(advanced) => {
            matches!(advanced, Advanced::Reused | Advanced::Ended)
        }
        // Whoever signs out and finds no session is told that it is over: perhaps it ended just
        // before a crash, and the feed has not heard of it.
        LedgerAnswer::ReadSession(session) => session.is_none(),
        LedgerAnswer::RevokeToken(TokenRevoked::TooMany(_))
        | LedgerAnswer::ReadGrant(_)
        | LedgerAnswer::ReadSubject(_)
        | LedgerAnswer::ListSessions(_)
        | LedgerAnswer::ListGrants(_)
        | LedgerAnswer::ListIssued(_)
        | LedgerAnswer::ReadCode(_)
        | LedgerAnswer::EndCode(_)
        | LedgerAnswer::ListEnds(_)
        | LedgerAnswer::ReadConsent(_)
        | LedgerAnswer::ListConsents(_)
        | LedgerAnswer::RememberConsent(())
        | LedgerAnswer::SpendOnce(_)
        | LedgerAnswer::SpendNonce(_)
        | LedgerAnswer::ReadFailures(_)
        | LedgerAnswer::RecordFailure(_)
        | LedgerAnswer::SpendQuota(_)
        | LedgerAnswer::AddToken(_)
        | LedgerAnswer::ReadToken(_)
        | LedgerAnswer::ListTokens(_)
        | LedgerAnswer::Delegate(_)
        | LedgerAnswer::ReadTokenHistory(_)
        | LedgerAnswer::BeginDevice(_)
        | LedgerAnswer::ReadDevice(_)
        | LedgerAnswer::DecideDevice(_)
        | LedgerAnswer::PollDevice(_) => false,
    }
}

/// The directory publishes a subject. An older version never replaces a newer one; a raised
/// generation, which every end of activity brings, is put into the feed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PutSubject {
    /// The row.
    pub facts: SubjectFacts,
}

/// The directory says what roles give, to every shard: those who have one get that from now on. An
/// older version never replaces a newer one. What a role no longer gives, the directory puts into
/// the feed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PutRoles {
    /// Them.
    pub roles: Vec<RoleFacts>,
}

/// Opens a grant and spends the code that it comes of, if nobody did before; where there is none (a password, the
/// authorization endpoint) its id is fresh. Notes its client beside the session, where
/// that is to be told of its end. Whatever ends the session, or what the client has of it, tells the
/// courier in the same transaction.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SpendCode {
    /// The code's id, which names the grant.
    pub grant: GrantId,
    /// Who agreed.
    pub subject: Subject,
    /// The subject's generation then.
    pub generation: u64,
    /// To what client.
    pub client: ClientId,
    /// In which session.
    pub session: SessionId,
    /// To what.
    pub scope: Scope,
    /// For which resource.
    pub audience: String,
    /// Whether the grant outlives the session.
    pub offline: bool,
    /// Whether a refresh family is opened.
    pub refreshable: bool,
    /// OpenID Connect's facts about the sign-in, repeated on refresh (OIDC Core §12.2).
    pub authentication: Authentication,
    /// When the code was issued: a consent that was withdrawn since then opens nothing. Unknown
    /// is before all.
    #[serde(default)]
    pub issued_at: UnixTime,
    /// Whether its client asks again and again: then a second redemption is nobody's theft, and ends
    /// nothing.
    #[serde(default)]
    pub polled: bool,
    /// Where its client gets an ID token and is to be told when the session ends: as whom it knows the
    /// person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joins: Option<Joining>,
    /// Whether no session is behind it, since the client showed the password itself: then none has to
    /// stand, and `session` names none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub alone: bool,
    /// Until when the row is needed: as long as the code, the tokens or the family can live.
    pub expires_at: UnixTime,
}

/// How and when a person proved who they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authentication {
    /// `auth_time`.
    pub time: UnixTime,
    /// `amr`, RFC 8176.
    pub methods: Vec<String>,
}

/// What spending a code did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spent {
    /// Nobody had; the grant is open. Also the answer to the same request repeated.
    First(Box<SubjectFacts>),
    /// Somebody had; what they got is dead now, unless they poll.
    Again,
    /// Its subject, session or consent has ended; nothing was opened.
    Never,
}

/// Advances a refresh family by one generation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AdvanceFamily {
    /// The family's grant.
    pub grant: GrantId,
    /// To whom it belongs.
    pub client: ClientId,
    /// The generation of the token that was presented.
    pub generation: u64,
    /// A narrower scope for this one access token.
    pub scope: Option<Scope>,
    /// The resources that will do now; the grant's must be among them.
    pub audiences: Vec<String>,
    /// How long it may lie idle.
    pub idle: Seconds,
    /// How long, and how often, the previous token still gets the same answer.
    pub grace: Seconds,
    /// See [`AdvanceFamily::grace`].
    pub most_retries: u32,
}

/// What advancing did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Advanced {
    /// The family is at `generation` now; or was already, and this is a retry in good time.
    To(Box<Standing>),
    /// More scope than the grant has; nothing changed.
    ScopeExceeded,
    /// Another resource than the grant's; nothing changed.
    OtherAudience,
    /// A token that was rotated out; the family is dead now.
    Reused,
    /// No such family, or it, its subject, session or client has ended.
    Ended,
}

/// A family that may be used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// The newest generation.
    pub generation: u64,
    /// Whether an earlier answer was lost and this is the same one.
    pub retry: bool,
    /// The scope of the access token to mint.
    pub scope: Scope,
    /// The scope of the grant.
    pub granted: Scope,
    /// The grant's resource.
    pub audience: String,
    /// The session, where the grant is bound to one.
    pub session: Option<SessionId>,
    /// The sign-in.
    pub authentication: Authentication,
    /// When its refresh token is good for nothing more, unless that is used or ended before. Absent from an object
    /// that runs older code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refreshable_until: Option<UnixTime>,
    /// The subject now.
    pub subject: SubjectFacts,
}

/// Ends a grant and everything issued from it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RevokeGrant {
    /// Which.
    pub grant: GrantId,
    /// Only if it is this client's.
    pub client: ClientId,
    /// What the history says of it, if it lived until now; nothing where a client does it.
    #[serde(default)]
    pub noted: Option<Noted>,
}

/// What revoking did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Revoked {
    /// The grant is dead, now or before.
    Done,
    /// There is no such grant of this client.
    Unknown,
}

/// The facts of a grant that has not ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReadGrant {
    /// Which.
    pub grant: GrantId,
    /// How long its family may lie idle.
    pub idle: Seconds,
}

/// A grant that has not ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GrantFacts {
    /// Which.
    pub grant: GrantId,
    /// Whose, now.
    pub subject: SubjectFacts,
    /// To whom.
    pub client: ClientId,
    /// What was agreed to.
    pub granted: Scope,
    /// The newest generation of its family, if it has one.
    pub refresh_generation: Option<u64>,
    /// When the family was last advanced, or opened.
    pub refreshed_at: UnixTime,
    /// When it ends if nobody uses it.
    pub expires_at: UnixTime,
}

/// Ends one access token.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RevokeToken {
    /// Which.
    pub token: TokenId,
    /// When it would end by itself.
    pub expires_at: UnixTime,
    /// Who asks.
    pub client: ClientId,
    /// How often it may: each token that is ended is a line in every isolate.
    pub limit: RateLimit,
}

/// What ending a token did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenRevoked {
    /// It is dead.
    Done,
    /// Nothing: too many were ended before it. Asking again helps from then on.
    TooMany(UnixTime),
}

impl RevokeToken {
    /// What is counted of who asks.
    #[must_use]
    pub fn counted(&self) -> RecordFailure {
        RecordFailure {
            key: revocations_of(&self.client),
            limit: self.limit,
        }
    }
}

/// What a client's revocations of single tokens are counted by.
#[must_use]
pub fn revocations_of(client: &ClientId) -> String {
    format!("revocations:{client}")
}

/// Opens a session after a sign-in, or renews the one the browser had. Spends the page it came
/// from in the same transaction, so that a page is never spent on nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OpenSession {
    /// The page.
    pub page: SpendOnce,
    /// The id, if a new one is opened.
    pub session: SessionId,
    /// The session of this subject to renew instead.
    pub renew: Option<SessionId>,
    /// Who signed in.
    pub subject: Subject,
    /// How.
    pub authentication: Authentication,
    /// Ends here.
    pub expires_at: UnixTime,
    /// From which browser, in its own words; for people to read.
    #[serde(default)]
    pub user_agent: Option<String>,
    /// From which address, where one can be trusted; for people to read.
    #[serde(default)]
    pub address: Option<String>,
}

/// What opening did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Opened {
    /// The session.
    Session(Box<Session>),
    /// The account is not active.
    Refused,
    /// The page was used before.
    PageSpent,
}

/// A session row, with what is known of its subject.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Which.
    pub id: SessionId,
    /// Which cookie of it counts.
    pub generation: u64,
    /// The sign-in.
    pub authentication: Authentication,
    /// Ends here.
    pub expires_at: UnixTime,
    /// Whose.
    pub subject: SubjectFacts,
}

/// The row of a session that has not ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReadSession {
    /// Which.
    pub session: SessionId,
}

/// Ends a session, and the families bound to it; or of these only a client's, while the session
/// stands, and codes that the client has from it until now open nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EndSession {
    /// Which.
    pub session: SessionId,
    /// Whose families alone; everything, where nobody is named.
    #[serde(default)]
    pub client: Option<ClientId>,
}

/// What is spent when a session is ended for a client alone, for as long as a code from before may be
/// redeemed.
#[must_use]
pub fn left(session: &SessionId, client: &ClientId) -> String {
    format!("left:{session}:{client}")
}

/// The sessions of a subject that stand, the newest first; at most [`MOST_LISTED`]. A row has
/// `session`, `created_at`, `expires_at`, `auth_time`, `amr`, `user_agent` and `address`. A session
/// that was renewed is as old as it was; `null` is what was not kept yet, or is not known.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListSessions {
    /// Whose.
    pub subject: Subject,
}

/// The grants of a subject that have not ended, the newest first; at most [`MOST_LISTED`]. A row has
/// `grant`, `client_id`, `scope`, `created_at` (`null` where it was not kept yet), `expires_at` (if
/// nobody uses it) and the `session` that it dies with (`null` when it is offline).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListGrants {
    /// Whose.
    pub subject: Subject,
    /// Only those of this client.
    pub client: Option<ClientId>,
    /// How long a family may lie idle.
    pub idle: Seconds,
}

/// The grants of a shard that have not ended, by id: what their access and refresh tokens are told by.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListIssued {
    /// Only those that have a refresh family.
    pub refreshable: bool,
    /// Only those of this subject.
    pub subject: Option<Subject>,
    /// Only those to this client.
    pub client: Option<ClientId>,
    /// Only those whose id begins so; every one if it is empty.
    pub prefix: String,
    /// How long a family may lie idle.
    pub idle: Seconds,
    /// Rows at most.
    pub most: u64,
}

/// Some of them. A row has `grant`, `subject`, `client`, `scope`, `advanced_at`, `expires_at` (if nobody
/// uses it); one of [`ListEnds`] has `number` and the members of [`Noted::line`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Issued {
    /// How many there are.
    pub count: u64,
    /// The first of them.
    pub rows: Vec<Row>,
}

/// Whether nobody has spent or ended the code of this grant.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReadCode {
    /// Which.
    pub grant: GrantId,
}

/// Ends a code, if nobody has spent it; answers whether it did. Also the answer to the same request
/// repeated.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EndCode {
    /// The grant that it would open.
    pub grant: GrantId,
    /// Whose.
    pub subject: Subject,
    /// For which client.
    pub client: ClientId,
    /// In which session.
    pub session: SessionId,
    /// When it would end by itself.
    pub expires_at: UnixTime,
    /// What the history says of it.
    #[serde(default)]
    pub noted: Option<Noted>,
}

/// A row of a list for people, by column: nothing of ours looks at most of them, and a type each
/// would cost the module kilobytes.
pub type Row = Map<String, Value>;

/// Ends what is a subject's own, and nobody else's. One that ended before, by this verb, is done
/// as well: whoever heard no answer asks again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EndOwned {
    /// Whose.
    pub subject: Subject,
    /// What.
    pub what: Owned,
    /// Who wants it, for the history: it has a line for each thing that lived until now.
    #[serde(default)]
    pub actor: Option<Actor>,
}

/// Something that a person can end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owned {
    /// One session, by its [`crate::model::public_id`], as by [`EndSession`].
    Session(String),
    /// All sessions, but for this one. There may be none.
    Sessions(Option<SessionId>),
    /// One grant, by its [`crate::model::public_id`], as by [`RevokeGrant`].
    Grant(String),
}

/// What is spent when a session is ended by its [`crate::model::public_id`], for as long as it would have stood.
#[must_use]
pub fn ended(subject: &Subject, session: &str) -> String {
    format!("ended:{subject}:{session}")
}

/// The subject's row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReadSubject {
    /// Whose.
    pub subject: Subject,
}

/// What the subject agreed to before.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReadConsent {
    /// Whose.
    pub subject: Subject,
    /// For which client.
    pub client: ClientId,
}

/// Everything the subject agreed to, by client id; at most [`MOST_LISTED`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListConsents {
    /// Whose.
    pub subject: Subject,
}

/// More than a page can show a person.
pub const MOST_LISTED: usize = 100;

/// What was agreed to for one client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GivenConsent {
    /// For which client.
    pub client: ClientId,
    /// To what.
    pub scope: Scope,
}

/// Adds to what the subject agreed to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RememberConsent {
    /// Whose.
    pub subject: Subject,
    /// For which client.
    pub client: ClientId,
    /// To what.
    pub scope: Scope,
}

/// Takes a consent back; the grants that rest on it end, and codes issued until now open none.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WithdrawConsent {
    /// Whose.
    pub subject: Subject,
    /// For which client.
    pub client: ClientId,
    /// Who wants it, for the history, if there was anything to take back.
    #[serde(default)]
    pub actor: Option<Actor>,
}

/// What is spent when a consent is withdrawn, for as long as a code from before may be redeemed.
#[must_use]
pub fn withdrawn(subject: &Subject, client: &ClientId) -> String {
    format!("withdrawn:{subject}:{client}")
}

/// Spends a key that may be used once: a page, a nonce, a `jti`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SpendOnce {
    /// Which; it begins with its kind.
    pub key: String,
    /// Until when it must be remembered.
    pub expires_at: UnixTime,
}

/// What spending did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Once {
    /// Nobody had. Also the answer to the same request repeated.
    First,
    /// Somebody had.
    Again,
}

/// Spends a nonce of a key that requests are signed with: once per key, and so many in a window that the
/// rows of a holder have a bound. A nonce that was spent before counts for nothing: who repeats what they
/// overheard must not use up what the holder has.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SpendNonce {
    /// Of which key: the token's id.
    pub key: TokenId,
    /// Who has the key, and maybe others: what is counted together.
    pub holder: String,
    /// Its digest.
    pub nonce: String,
    /// Until when it must be remembered: a request with it is too old from then on.
    pub expires_at: UnixTime,
    /// How many its holder may spend.
    pub limit: RateLimit,
}

/// What spending a nonce did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NonceSpent {
    /// Nobody had. Also the answer to the same request repeated.
    First,
    /// Somebody had.
    Again,
    /// It is not spent: too many were before it. Asking again helps from then on.
    TooMany(UnixTime),
}

impl SpendNonce {
    /// What is spent.
    #[must_use]
    pub fn spending(&self) -> SpendOnce {
        SpendOnce {
            key: format!("mac:{}:{}", self.key, self.nonce),
            expires_at: self.expires_at,
        }
    }

    /// What is counted of who holds the key.
    #[must_use]
    pub fn counted(&self) -> SpendQuota {
        SpendQuota {
            key: format!("mac:{}", self.holder),
            limit: self.limit,
        }
    }
}

/// Until when the key is refused, if it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReadFailures {
    /// Which account, address or client.
    pub key: String,
    /// The limit it is held to.
    pub limit: RateLimit,
}

/// Counts a failure; answers until when the key is refused, if it is now.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RecordFailure {
    /// Which account, address or client.
    pub key: String,
    /// The limit it is held to.
    pub limit: RateLimit,
}

/// Counts one use of something that may be used so often in so long, unless it was used so often already.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SpendQuota {
    /// Whose, of what.
    pub key: String,
    /// How often; at least once.
    pub limit: RateLimit,
}

/// What counting a use did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaSpent {
    /// Whether it was counted, now or when the same request came before; else there was none left.
    pub granted: bool,
    /// How often it was used in this window.
    pub used: u32,
    /// When the next one begins.
    pub resets_at: UnixTime,
}

/// So many in so long, then nothing until the window ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimit {
    /// How many.
    pub most: u32,
    /// In how long.
    pub window: Seconds,
}
