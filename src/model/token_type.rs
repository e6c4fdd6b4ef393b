//! Kinds of tokens, as seed 001 tells them apart.

use serde::{Deserialize, Serialize};

/// What a token is, for whoever is told about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenType {
    /// A browser session.
    Session,
    /// Named, made by a person for programs of their own.
    User,
    /// Delegated to a person's notebook.
    Notebook,
    /// Delegated to a service, for one person.
    Internal,
    /// A service's own, for itself; also what a client gets by `client_credentials`.
    Service,
    /// An access token of an OpenID Connect client, for a person.
    Oidc,
}

impl TokenType {
    /// Every type.
    pub const ALL: [Self; 6] = [
        Self::Session,
        Self::User,
        Self::Notebook,
        Self::Internal,
        Self::Service,
        Self::Oidc,
    ];

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::User => "user",
            Self::Notebook => "notebook",
            Self::Internal => "internal",
            Self::Service => "service",
            Self::Oidc => "oidc",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}
