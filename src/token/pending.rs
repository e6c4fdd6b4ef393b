//! A request that waits for a page. It is sealed into the page, so that any isolate can go on with
//! it; bound to the browser that began it, so that a link to it is useless elsewhere (CVE-2026-7507).

use serde::{Deserialize, Serialize};

use super::seal::{Kind, Sealable, sealed_as_json};
use crate::model::{
    ClientId, GrantId, ResponseMode, ResponseType, Scope, Seconds, Subject, UnixTime,
};

/// A page left open for longer asks to begin again.
pub const LIFETIME: Seconds = Seconds(15 * 60);

/// What waits, for which browser, until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Digest of the browser's binding cookie.
    pub browser: String,
    /// Begun at.
    pub began_at: UnixTime,
    /// Not continued from here on.
    pub expires_at: UnixTime,
    /// What it is.
    pub intent: Intent,
}

impl Sealable for Pending {
    const KIND: Kind = Kind::Pending;
    sealed_as_json!();
}

/// What a page is there for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// An authorization request, whose client and redirect URI are proven.
    Authorize(Box<AuthorizationRequest>),
    /// An authorization request that this person is asked to agree to, exactly as shown.
    Consent(Box<AuthorizationRequest>, Subject),
    /// Signing in for its own sake.
    Login,
    /// This person's own page, from which a consent can be taken back.
    Account(Subject),
    /// Signing out, and where to go then.
    Logout(Departure),
    /// Typing a device's user code; what was typed so far.
    Device(String),
    /// A device's request that this person is asked to agree to, exactly as shown.
    Approve(Box<DeviceQuestion>, Subject),
}

/// An authorization request that passed every check that needs nobody's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    /// Who asks.
    pub client: ClientId,
    /// Where the answer goes; it is one of the client's.
    pub redirect_uri: String,
    /// What is asked for in answer.
    #[serde(default)]
    pub response_type: ResponseType,
    /// Where in the answer it is.
    #[serde(default)]
    pub response_mode: ResponseMode,
    /// `state`, byte for byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// What is asked for; within the client's.
    pub scope: Scope,
    /// For which resource.
    pub audience: String,
    /// RFC 7636, S256; empty where no code is asked for.
    pub challenge: String,
    /// OpenID Connect Core §3.1.2.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// `prompt`, as far as it is still open.
    #[serde(default)]
    pub prompt: Prompt,
    /// The oldest authentication that will do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Seconds>,
    /// Whom the client expects; shown, never trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_hint: Option<String>,
    /// `sub` of a verified `id_token_hint`, or the one that `claims` wants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_subject: Option<String>,
    /// Claims that the ID token is asked to have by name, besides those that scopes bring into it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<String>,
}

/// OpenID Connect Core §3.1.2.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Prompt {
    /// No page may be shown.
    #[serde(default)]
    pub none: bool,
    /// The person must prove who they are again.
    #[serde(default)]
    pub login: bool,
    /// The person must be asked again.
    #[serde(default)]
    pub consent: bool,
}

/// Who asks for a logout, and where it leads.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Departure {
    /// A registered post-logout URI of the client that asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_uri: Option<String>,
    /// `state`, to be returned there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The application that asks. With `subject` its ID token has proven it; else anybody may have
    /// named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientId>,
    /// Whom its ID token is about, as the application knows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// In which session its ID token was issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Whose part of the session ends; all of it, where nobody is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<ClientId>,
}

/// What a device asks for (RFC 8628 §3.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceQuestion {
    /// The user code, as the device shows it.
    pub user_code: String,
    /// Where the ledger has it.
    pub key: String,
    /// The request that was found there.
    pub grant: GrantId,
    /// Who asks.
    pub client: ClientId,
    /// For what; within the client's and what the person holds.
    pub scope: Scope,
}
