//! Why a request is refused (ours, logged) and what the peer learns of it. One mapping,
//! [`Reason::code`], has no wildcard: a new reason does not compile until somebody decided what it
//! says outside.

use crate::directory::Unfit;
use crate::jose::JoseError;
use crate::ports::Unavailable;
use crate::token::SealRefused;
use crate::token::mac::MacRefused;
use crate::validator::{INVALID_TOKEN, Refused};

/// Why. Printed in snake case in logs and metrics; renaming one is a changelog line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// A known parameter came twice (OAuth 2.1 §3.1).
    RepeatedParameter(&'static str),
    /// A parameter that must be there is not.
    MissingParameter(&'static str),
    /// A parameter whose value does not fit its grammar or limit.
    MalformedParameter(&'static str),
    /// The body is not `application/x-www-form-urlencoded` (or JSON, where that is asked for).
    WrongContentType,
    /// The body or the URL is larger than anything we take.
    TooLarge,
    /// The body is not the JSON that was asked for.
    MalformedBody(&'static str),
    /// Two ways of client authentication at once, or two tokens.
    SeveralCredentials,
    /// No such client, or it is switched off.
    UnknownClient,
    /// The secret is not one of the client's.
    WrongSecret,
    /// Authenticated in another way than it is registered for.
    OtherAuthenticationMethod,
    /// A confidential client that did not authenticate.
    NoClientAuthentication,
    /// `client_assertion_type` is missing, or names what is no JWT (RFC 7523 §2.2).
    AssertionTypeUnknown,
    /// An assertion by nobody who may speak for the client.
    AssertionIssuerUnknown,
    /// An assertion that is malformed, not signed by its issuer, not for us, or not for now.
    AssertionRefused(JoseError),
    /// An assertion without a claim that it needs.
    AssertionLacks(&'static str),
    /// An assertion that expires later than anything we remember.
    AssertionLivesTooLong,
    /// A client's own assertion that speaks of somebody else.
    AssertionForOtherClient,
    /// A source's assertion that speaks of nobody who is among the client's `jwks_subjects`.
    AssertionSubjectNotAllowed,
    /// A source's assertion for a client whose `jwks_subjects` is empty: an administrator has to say
    /// who may be this client.
    AssertionWithoutJwksSubjects,
    /// A source's assertion where the client does not act for itself.
    AssertionNotForThisGrant,
    /// An assertion that was used before.
    AssertionReplayed,
    /// Not one of the client's redirect URIs.
    UnregisteredRedirectUri,
    /// The client may not use this grant.
    GrantNotAllowed,
    /// No such grant.
    UnknownGrantType,
    /// No such response type, or not one we answer.
    UnknownResponseType,
    /// The client may not be answered so.
    ResponseTypeNotAllowed,
    /// The client describes itself in the request (OpenID Connect Core §7.2.1).
    RegistrationParameter,
    /// No sign-in of ours is of a kind that the request needs.
    UnmetAuthentication,
    /// Request objects are not supported.
    RequestObject,
    /// Request objects by reference are not supported.
    RequestUri,
    /// No `code_challenge`, or not by S256.
    NoCodeChallenge,
    /// More scope than the client, or the grant, has.
    ScopeExceeded,
    /// A resource the client may not name, or that was not agreed to.
    UnknownResource,
    /// The code's seal does not hold.
    CodeUnknown(SealRefused),
    /// The code is older than its minute, or from before a restore.
    CodeExpired,
    /// The code is another client's.
    CodeForOtherClient,
    /// The redirect URI is not the one of the request.
    CodeForOtherRedirectUri,
    /// The verifier does not fit the challenge.
    VerifierMismatch,
    /// The code was spent before.
    CodeReplayed,
    /// The code's subject or session has ended.
    CodeEnded,
    /// The device code's seal does not hold.
    DeviceCodeUnknown(SealRefused),
    /// The device code is another client's.
    DeviceCodeForOtherClient,
    /// The device code is older than its ten minutes, or from before a restore or a change of its client.
    DeviceCodeExpired,
    /// The device code was redeemed before.
    DeviceCodeSpent,
    /// Nobody has answered the device yet.
    DevicePending,
    /// The device asks too often.
    DeviceTooEarly,
    /// The person said no to the device.
    DeviceDenied,
    /// No device shows that user code, or no longer.
    UserCodeUnknown,
    /// The refresh token's seal does not hold.
    RefreshTokenUnknown(SealRefused),
    /// The refresh token is another client's.
    RefreshTokenForOtherClient,
    /// A refresh token that was rotated out; its family is dead.
    RefreshTokenReused,
    /// The family has ended.
    FamilyEnded,
    /// The access token is not one of ours.
    TokenUnknown,
    /// The access token has expired.
    TokenExpired,
    /// The access token was revoked.
    TokenRevoked,
    /// What was shown ends too soon for what was asked for.
    LifetimeTooShort,
    /// What was shown was delegated from what was delegated, as often as may be.
    DelegatedTooOften,
    /// As many tokens are delegated for somebody as may be; seconds until one of them ends.
    TooManyDelegated(u64),
    /// The access token is for another resource.
    TokenForOtherAudience,
    /// Another client's token was to be revoked.
    TokenForOtherClient,
    /// A token that no client has, a person's own for one, was to be revoked by one (RFC 7009 §2.2.1).
    UnrevocableToken,
    /// No token at all.
    NoToken,
    /// The token lacks a scope.
    InsufficientScope(String),
    /// `Authorization: MAC` that is not as either draft has it.
    MacMalformed,
    /// The code is not that of this request: its key, method, URL, host or port is another.
    MacMismatch,
    /// The request was signed too long ago, or by a clock that is ahead.
    MacOutOfTime,
    /// The body is not the one that was signed.
    MacForOtherBody,
    /// The body was signed, and whoever asks said nothing of it.
    MacBodyUnknown,
    /// The request was signed for a host that neither settings nor the token's resource name.
    MacForUnknownOrigin,
    /// The request's nonce was used before.
    MacReplayed,
    /// Too many requests signed with one key; seconds to wait.
    TooManyMacRequests(u64),
    /// What a proxy asks for cannot be asked for: its configuration is wrong, each part with its rule.
    UnfitRequirement(Vec<Unfit>),
    /// An `Authorization` that holds no credential of a kind that is taken.
    MalformedCredential,
    /// The route is for somebody else: another user, other services, another user's host.
    NotForThisUser,
    /// The quota of this minute is used up: how many there are, and when the next ones are.
    QuotaExceeded(u32, u64),
    /// The quota is nought.
    QuotaBlocked,
    /// A preflight from an origin that is not the gate's.
    PreflightRejected,
    /// An `OPTIONS` that is no preflight.
    OptionsNotSupported,
    /// `prompt=none`, and nobody is signed in.
    LoginRequired,
    /// `prompt=none`, and the person was not asked yet.
    ConsentRequired,
    /// The person said no.
    Denied,
    /// A page that has expired, or that is not ours.
    PageExpired,
    /// A page that was used before.
    PageSpent,
    /// A page that another browser began, or a form that another site posted.
    PageFromElsewhere,
    /// A change by cookie without the session's own `X-CSRF-Token`, or anything by cookie that
    /// another origin asks for.
    InvalidCsrf,
    /// Unknown user, wrong password or disabled account; told apart by nobody outside.
    WrongCredentials,
    /// The client showed credentials that are not a person's who may be spoken for; why is told to nobody.
    PasswordRefused,
    /// Too many failures; seconds to wait.
    TooManyFailures(u64),
    /// Too many access tokens revoked one by one; seconds to wait.
    TooManyRevocations(u64),
    /// Too many tokens made by somebody for themselves; seconds to wait.
    TooManyTokens(u64),
    /// Nobody would administer any more.
    LastAdministrator,
    /// There is an account already.
    NotFirst,
    /// A redirect URI that cannot be registered.
    UnfitRedirectUri,
    /// Client metadata that cannot be registered.
    UnfitMetadata(&'static str),
    /// Fields of an API request, each with its rule.
    UnfitField(Vec<Unfit>),
    /// Something in a request that does not fit, where seed 001's words are spoken.
    UnfitInput(Box<Input>),
    /// It is another one's, or not to be changed by who asks.
    PermissionDenied,
    /// Another token of the same person has the name.
    DuplicateTokenName,
    /// There is no such record, page or collection.
    NoSuchRecord,
    /// Not what can be done there; what can.
    MethodNotAllowed(&'static str),
    /// The record belongs to the system.
    ProtectedRecord,
    /// Another record has the value of this field.
    ValueTaken(String),
    /// There are as many records as there may be.
    CollectionFull,
    /// There are as many signing keys as there may be.
    TooManyKeys,
    /// The key that was to be retired signs.
    KeySigns,
    /// The deployment is switched off for maintenance.
    Maintenance,
    /// Something we depend on did not answer.
    Unavailable(Unavailable),
    /// A failure of ours.
    Internal(&'static str),
}

/// What does not fit in a request, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// `body`, `query` or `path`.
    pub within: &'static str,
    /// Its name; empty for the whole.
    pub name: String,
    /// What it would have to be.
    pub rule: &'static str,
    /// The word for the mistake.
    pub kind: &'static str,
}

impl Input {
    /// In the body.
    #[must_use]
    pub fn body(name: &str, rule: &'static str, kind: &'static str) -> Self {
        Self::within("body", name, rule, kind)
    }

    /// In the query.
    #[must_use]
    pub fn query(name: &str, rule: &'static str, kind: &'static str) -> Self {
        Self::within("query", name, rule, kind)
    }

    /// In the path.
    #[must_use]
    pub fn path(name: &str, rule: &'static str, kind: &'static str) -> Self {
        Self::within("path", name, rule, kind)
    }

    fn within(within: &'static str, name: &str, rule: &'static str, kind: &'static str) -> Self {
        Self {
            within,
            name: name.to_owned(),
            rule,
            kind,
        }
    }

    /// The reason to refuse the request.
    #[must_use]
    pub fn reason(self) -> Reason {
        Reason::UnfitInput(Box::new(self))
    }
}

/// What the peer learns: the codes of RFC 6749 §4.1.2.1 and §5.2, RFC 6750 §3.1, RFC 7591 §3.2.2,
/// RFC 7009 §2.2.1, RFC 8628 §3.5, RFC 8707 §2, OpenID Connect Core §3.1.2.6 and OpenID Connect Core
/// Error Code unmet_authentication_requirements 1.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the wire's")]
pub enum ErrorCode {
    AccessDenied,
    AuthorizationPending,
    ConsentRequired,
    ExpiredToken,
    InsufficientScope,
    InvalidClient,
    InvalidClientMetadata,
    InvalidGrant,
    InvalidRedirectUri,
    InvalidRequest,
    InvalidScope,
    InvalidTarget,
    InvalidToken,
    LoginRequired,
    RegistrationNotSupported,
    RequestNotSupported,
    RequestUriNotSupported,
    ServerError,
    SlowDown,
    TemporarilyUnavailable,
    UnauthorizedClient,
    UnmetAuthenticationRequirements,
    UnsupportedGrantType,
    UnsupportedResponseType,
    UnsupportedTokenType,
}

impl ErrorCode {
    /// The code on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::AuthorizationPending => "authorization_pending",
            Self::ConsentRequired => "consent_required",
            Self::ExpiredToken => "expired_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::InvalidClient => "invalid_client",
            Self::InvalidClientMetadata => "invalid_client_metadata",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidRedirectUri => "invalid_redirect_uri",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::InvalidToken => "invalid_token",
            Self::LoginRequired => "login_required",
            Self::RegistrationNotSupported => "registration_not_supported",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::ServerError => "server_error",
            Self::SlowDown => "slow_down",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnmetAuthenticationRequirements => "unmet_authentication_requirements",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::UnsupportedTokenType => "unsupported_token_type",
        }
    }

    /// The status of a direct answer.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::InvalidClient | Self::InvalidToken => 401,
            Self::AccessDenied | Self::InsufficientScope => 403,
            Self::ServerError => 500,
            Self::TemporarilyUnavailable => 503,
            Self::AuthorizationPending
            | Self::ConsentRequired
            | Self::ExpiredToken
            | Self::SlowDown
            | Self::InvalidClientMetadata
            | Self::InvalidGrant
            | Self::InvalidRedirectUri
            | Self::InvalidRequest
            | Self::InvalidScope
            | Self::InvalidTarget
            | Self::LoginRequired
            | Self::RegistrationNotSupported
            | Self::RequestNotSupported
            | Self::RequestUriNotSupported
            | Self::UnauthorizedClient
            | Self::UnmetAuthenticationRequirements
            | Self::UnsupportedGrantType
            | Self::UnsupportedResponseType
            | Self::UnsupportedTokenType => 400,
        }
    }
}

impl Reason {
    /// A field of an API request, and what it would have to be.
    #[must_use]
    pub fn unfit(field: &str, rule: &str) -> Self {
        Self::UnfitField(vec![Unfit::new(field, rule)])
    }

    /// What the peer learns.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            // RFC 6749 §4.1.2.1 and §5.2 have the malformed one beside the one that is too much.
            Self::MalformedParameter("scope") => ErrorCode::InvalidScope,
            Self::RepeatedParameter(_)
            | Self::MissingParameter(_)
            | Self::MalformedParameter(_)
            | Self::WrongContentType
            | Self::TooLarge
            | Self::MalformedBody(_)
            | Self::SeveralCredentials
            | Self::UnregisteredRedirectUri
            | Self::NoCodeChallenge
            | Self::PageExpired
            | Self::PageSpent
            | Self::PageFromElsewhere
            | Self::UserCodeUnknown
            | Self::LastAdministrator
            | Self::NotFirst
            | Self::UnfitField(_)
            | Self::UnfitInput(_)
            | Self::DuplicateTokenName
            | Self::NoSuchRecord
            | Self::MethodNotAllowed(_)
            | Self::ValueTaken(_)
            | Self::CollectionFull
            | Self::TooManyKeys
            | Self::KeySigns
            | Self::UnfitRequirement(_)
            | Self::MalformedCredential
            | Self::OptionsNotSupported
            | Self::TokenForOtherClient => ErrorCode::InvalidRequest,
            Self::UnknownClient
            | Self::WrongSecret
            | Self::OtherAuthenticationMethod
            | Self::NoClientAuthentication
            | Self::AssertionTypeUnknown
            | Self::AssertionIssuerUnknown
            | Self::AssertionRefused(_)
            | Self::AssertionLacks(_)
            | Self::AssertionLivesTooLong
            | Self::AssertionForOtherClient
            | Self::AssertionSubjectNotAllowed
            | Self::AssertionWithoutJwksSubjects
            | Self::AssertionNotForThisGrant
            | Self::AssertionReplayed => ErrorCode::InvalidClient,
            Self::GrantNotAllowed | Self::ResponseTypeNotAllowed => ErrorCode::UnauthorizedClient,
            Self::RegistrationParameter => ErrorCode::RegistrationNotSupported,
            Self::UnmetAuthentication => ErrorCode::UnmetAuthenticationRequirements,
            Self::UnknownGrantType => ErrorCode::UnsupportedGrantType,
            Self::UnknownResponseType => ErrorCode::UnsupportedResponseType,
            Self::UnrevocableToken => ErrorCode::UnsupportedTokenType,
            Self::RequestObject => ErrorCode::RequestNotSupported,
            Self::RequestUri => ErrorCode::RequestUriNotSupported,
            Self::ScopeExceeded => ErrorCode::InvalidScope,
            Self::UnknownResource => ErrorCode::InvalidTarget,
            Self::CodeUnknown(_)
            | Self::CodeExpired
            | Self::CodeForOtherClient
            | Self::CodeForOtherRedirectUri
            | Self::VerifierMismatch
            | Self::CodeReplayed
            | Self::CodeEnded
            | Self::DeviceCodeUnknown(_)
            | Self::DeviceCodeForOtherClient
            | Self::DeviceCodeSpent
            | Self::RefreshTokenUnknown(_)
            | Self::RefreshTokenForOtherClient
            | Self::RefreshTokenReused
            | Self::FamilyEnded
            | Self::PasswordRefused => ErrorCode::InvalidGrant,
            Self::DevicePending => ErrorCode::AuthorizationPending,
            Self::DeviceTooEarly => ErrorCode::SlowDown,
            Self::DeviceCodeExpired => ErrorCode::ExpiredToken,
            Self::TokenUnknown
            | Self::TokenExpired
            | Self::TokenRevoked
            | Self::LifetimeTooShort
            | Self::TokenForOtherAudience
            | Self::MacMalformed
            | Self::MacMismatch
            | Self::MacOutOfTime
            | Self::MacForOtherBody
            | Self::MacBodyUnknown
            | Self::MacForUnknownOrigin
            | Self::MacReplayed
            | Self::NoToken => ErrorCode::InvalidToken,
            Self::InsufficientScope(_) | Self::NotForThisUser | Self::QuotaBlocked => {
                ErrorCode::InsufficientScope
            }
            Self::LoginRequired => ErrorCode::LoginRequired,
            Self::ConsentRequired => ErrorCode::ConsentRequired,
            Self::Denied
            | Self::DeviceDenied
            | Self::InvalidCsrf
            | Self::WrongCredentials
            | Self::TooManyFailures(_)
            | Self::TooManyTokens(_)
            | Self::TooManyMacRequests(_)
            | Self::PermissionDenied
            | Self::QuotaExceeded(..)
            | Self::DelegatedTooOften
            | Self::TooManyDelegated(_)
            | Self::PreflightRejected
            | Self::ProtectedRecord => ErrorCode::AccessDenied,
            Self::UnfitRedirectUri => ErrorCode::InvalidRedirectUri,
            Self::UnfitMetadata(_) => ErrorCode::InvalidClientMetadata,
            // RFC 7009 §2.2.1 has no other answer for a revocation that did not happen.
            Self::TooManyRevocations(_) | Self::Maintenance | Self::Unavailable(_) => {
                ErrorCode::TemporarilyUnavailable
            }
            Self::Internal(_) => ErrorCode::ServerError,
        }
    }

    /// The status of a direct answer, where it says more than the code does.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            // What the token endpoint refuses (RFC 8628 §3.5, RFC 6749 §5.2).
            Self::DeviceDenied => 400,
            Self::TooLarge => 413,
            Self::TooManyFailures(_)
            | Self::TooManyTokens(_)
            | Self::TooManyMacRequests(_)
            | Self::TooManyDelegated(_)
            | Self::QuotaExceeded(..) => 429,
            Self::NoSuchRecord | Self::OptionsNotSupported => 404,
            Self::UnfitRequirement(_) => 422,
            Self::MethodNotAllowed(_) => 405,
            Self::UnfitInput(_) => 422,
            Self::LastAdministrator
            | Self::NotFirst
            | Self::ValueTaken(_)
            | Self::DuplicateTokenName
            | Self::CollectionFull
            | Self::TooManyKeys
            | Self::KeySigns => 409,
            _ => self.code().status(),
        }
    }

    /// One sentence that helps an honest caller and tells an attacker nothing: our own words, in the
    /// characters that RFC 6749 §5.2 allows.
    #[must_use]
    pub fn description(&self) -> String {
        match self {
            Self::RepeatedParameter(name) => format!("{name} was sent more than once"),
            Self::MissingParameter(name) => format!("{name} is missing"),
            Self::MalformedParameter(name) => format!("{name} has a value that is not allowed"),
            Self::UnfitMetadata(name) => format!("{name} has a value that cannot be registered"),
            Self::MalformedBody(what) => format!("the body is not as expected, {what}"),
            Self::InsufficientScope(scope) => format!("the token lacks the scope {scope}"),
            Self::TooManyFailures(seconds) => format!("too many failures, wait {seconds} seconds"),
            Self::TooManyDelegated(seconds) => {
                format!("too many tokens are delegated for this user, wait {seconds} seconds")
            }
            Self::TooManyTokens(seconds) => {
                format!("too many tokens made, wait {seconds} seconds")
            }
            Self::TooManyMacRequests(seconds) => {
                format!("too many requests signed with this key, wait {seconds} seconds")
            }
            Self::QuotaExceeded(limit, _) => format!("more than {limit} requests in a minute"),
            Self::UnfitField(fields) | Self::UnfitRequirement(fields) => match fields.first() {
                Some(unfit) => format!("{} {}", printable(&unfit.field), unfit.rule),
                None => self.fixed_description().to_owned(),
            },
            Self::UnfitInput(input) => {
                let name = match input.name.as_str() {
                    "" => input.within.to_owned(),
                    name => printable(name),
                };
                format!("{name} {}", input.rule)
            }
            Self::ValueTaken(field) => format!("another record has this {field}"),
            Self::TooManyRevocations(seconds) => {
                format!("too many tokens revoked one by one, wait {seconds} seconds")
            }
            other => other.fixed_description().to_owned(),
        }
    }

    fn fixed_description(&self) -> &'static str {
        match self.code() {
            ErrorCode::AccessDenied if *self == Self::ProtectedRecord => {
                "the record belongs to the system and stays as it is"
            }
            ErrorCode::AccessDenied if *self == Self::PermissionDenied => {
                "this is not yours to see or to change"
            }
            ErrorCode::AccessDenied if *self == Self::InvalidCsrf => {
                "with a cookie, X-CSRF-Token has to be what GET /api/v1/login says"
            }
            ErrorCode::AccessDenied if *self == Self::PreflightRejected => {
                "pages of that origin may not ask"
            }
            ErrorCode::AccessDenied if *self == Self::DelegatedTooOften => {
                "the token was delegated from one to the next too often"
            }
            ErrorCode::AccessDenied => "the request was denied",
            ErrorCode::AuthorizationPending => "nobody has answered yet, ask again",
            ErrorCode::ConsentRequired => "the person has to agree first, without prompt=none",
            ErrorCode::ExpiredToken => "the device code has expired, begin again",
            ErrorCode::InsufficientScope => match self {
                Self::NotForThisUser => "this user or token is not among those that it is for",
                Self::QuotaBlocked => "this user may not use the service",
                _ => "the token lacks a scope",
            },
            ErrorCode::InvalidClient => "client authentication failed",
            ErrorCode::InvalidClientMetadata => "the metadata cannot be registered",
            ErrorCode::InvalidGrant => "the grant is invalid, expired, revoked or not yours",
            ErrorCode::InvalidRedirectUri => "a redirect URI cannot be registered",
            ErrorCode::InvalidScope => "more scope than this client may have",
            ErrorCode::InvalidTarget => "this client may not name that resource",
            ErrorCode::InvalidToken if *self == Self::LifetimeTooShort => {
                "the token ends too soon for what it is needed for"
            }
            ErrorCode::InvalidToken if *self == Self::NoToken => "a token has to be sent",
            // Told where the code is right: to who has the key, or has overheard who has it.
            ErrorCode::InvalidToken if *self == Self::MacOutOfTime => {
                "the request is too old, or from a clock ahead"
            }
            ErrorCode::InvalidToken if *self == Self::MacReplayed => "the nonce was used before",
            ErrorCode::InvalidToken => INVALID_TOKEN,
            ErrorCode::LoginRequired => "the person has to sign in first, without prompt=none",
            ErrorCode::RegistrationNotSupported => "clients do not describe themselves here",
            ErrorCode::RequestNotSupported => "request objects are not supported",
            ErrorCode::RequestUriNotSupported => "request objects by reference are not supported",
            ErrorCode::ServerError => "something failed on our side",
            ErrorCode::SlowDown => "nobody has answered yet, wait five seconds longer each time",
            ErrorCode::TemporarilyUnavailable if *self == Self::Maintenance => {
                "switched off for maintenance, try again later"
            }
            ErrorCode::TemporarilyUnavailable => "a store did not answer, try again",
            ErrorCode::UnauthorizedClient if *self == Self::ResponseTypeNotAllowed => {
                "this client may not ask for that response type"
            }
            ErrorCode::UnauthorizedClient => "this client may not use that grant",
            ErrorCode::UnmetAuthenticationRequirements => {
                "nobody can sign in here in a way that the request needs"
            }
            ErrorCode::UnsupportedGrantType => "no such grant type here",
            ErrorCode::UnsupportedResponseType => "no such response type here",
            ErrorCode::UnsupportedTokenType => {
                "the token is no client's, whoever made it ends it at /api/v1"
            }
            ErrorCode::InvalidRequest => match self {
                Self::WrongContentType => "the body has a content type that is not expected here",
                Self::TooLarge => "the request is larger than anything expected here",
                Self::SeveralCredentials => "credentials were sent in more than one way",
                Self::UnregisteredRedirectUri => "the redirect URI is not registered",
                Self::NoCodeChallenge => "code_challenge with code_challenge_method=S256 is needed",
                Self::LastAdministrator => {
                    "nobody would administer any more: give admin:token to somebody else first"
                }
                Self::NoSuchRecord => "there is nothing at this path",
                Self::MethodNotAllowed(_) => "the method is not allowed here",
                Self::CollectionFull => "there are as many of these as there may be",
                Self::TooManyKeys => "there are as many keys as may be kept, retire one first",
                Self::KeySigns => {
                    "this key signs, rotate first and retire it when its successor signs"
                }
                Self::DuplicateTokenName => "another token has this name",
                Self::NotFirst => "there is an account already",
                Self::MalformedCredential => "the credential is not of a kind that is taken here",
                Self::OptionsNotSupported => "OPTIONS is for preflights alone",
                Self::TokenForOtherClient => "the token was issued to another client",
                _ => "the request is not valid here",
            },
        }
    }

    /// The label of logs and metrics: the variant in snake case, without its payload.
    #[must_use]
    pub fn label(&self) -> String {
        let debug = format!("{self:?}");
        let name = debug.split(['(', ' ', '{']).next().unwrap_or_default();
        let mut label = String::new();
        for letter in name.chars() {
            if letter.is_ascii_uppercase() && !label.is_empty() {
                label.push('_');
            }
            label.push(letter.to_ascii_lowercase());
        }
        label
    }
}

/// A name from outside, in the characters that may be in a description.
fn printable(name: &str) -> String {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
    let some = name.chars().take(64);
    some.map(|letter| if allowed(letter) { letter } else { '?' })
        .collect()
}

impl From<Unavailable> for Reason {
    fn from(unavailable: Unavailable) -> Self {
        Self::Unavailable(unavailable)
    }
}

impl From<JoseError> for Reason {
    fn from(_: JoseError) -> Self {
        Self::Internal("signing failed")
    }
}

impl From<MacRefused> for Reason {
    fn from(refused: MacRefused) -> Self {
        match refused {
            MacRefused::Malformed => Self::MacMalformed,
            MacRefused::Mismatch => Self::MacMismatch,
            MacRefused::OutOfTime => Self::MacOutOfTime,
            MacRefused::OtherBody => Self::MacForOtherBody,
            MacRefused::BodyUnknown => Self::MacBodyUnknown,
            MacRefused::Replayed => Self::MacReplayed,
        }
    }
}

/// The verdicts that a resource gives by itself, too.
impl From<Refused> for Reason {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NoToken => Self::NoToken,
            Refused::TokenUnknown | Refused::KeyUnknown => Self::TokenUnknown,
            Refused::TokenExpired => Self::TokenExpired,
            Refused::TokenRevoked => Self::TokenRevoked,
            Refused::OtherAudience => Self::TokenForOtherAudience,
            Refused::InsufficientScope(scope) => Self::InsufficientScope(scope.to_string()),
            Refused::Mac(refused) => refused.into(),
            Refused::Missing(_) => Self::Internal("the issuer lacks nothing that it judges by"),
        }
    }
}

/// For what we seal ourselves; what we open is mapped where it is opened.
impl From<SealRefused> for Reason {
    fn from(_: SealRefused) -> Self {
        Self::Internal("sealing failed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_the_variant_in_snake_case() {
        assert_eq!(Reason::MissingParameter("x").label(), "missing_parameter");
        assert_eq!(
            Reason::CodeUnknown(SealRefused::Broken).label(),
            "code_unknown"
        );
    }

    #[test]
    fn az_7_descriptions_keep_to_the_allowed_characters() {
        for reason in [
            Reason::MissingParameter("code"),
            Reason::unfit("username", "is too long"),
            Reason::TooManyFailures(3),
            Reason::TooManyRevocations(3),
            Reason::TooManyTokens(3),
            Reason::NoCodeChallenge,
            Reason::Internal("x"),
            Reason::Denied,
        ] {
            let text = reason.description();
            let allowed = |byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5B | 0x5D..=0x7E);
            assert!(text.bytes().all(allowed), "{text}");
        }
    }
}
