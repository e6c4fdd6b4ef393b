//! Response types and modes, OAuth 2.0 Multiple Response Type Encoding Practices.

use serde::{Deserialize, Serialize};

use super::GrantType;

/// What the authorization endpoint is asked to answer with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseType {
    /// RFC 6749 §4.1.
    #[default]
    Code,
    /// Multiple Response Types §4: that a request would be granted, and nothing else.
    None,
    /// OpenID Connect Core §3.2.
    IdToken,
    /// OpenID Connect Core §3.3.
    CodeIdToken,
    /// RFC 6749 §4.2.
    Token,
    /// OpenID Connect Core §3.2.
    IdTokenToken,
    /// OpenID Connect Core §3.3.
    CodeToken,
    /// OpenID Connect Core §3.3.
    CodeIdTokenToken,
}

impl ResponseType {
    /// Every type, in the order in which metadata lists them.
    pub const ALL: [Self; 8] = [
        Self::Code,
        Self::None,
        Self::IdToken,
        Self::CodeIdToken,
        Self::Token,
        Self::IdTokenToken,
        Self::CodeToken,
        Self::CodeIdTokenToken,
    ];

    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::None => "none",
            Self::IdToken => "id_token",
            Self::CodeIdToken => "code id_token",
            Self::Token => "token",
            Self::IdTokenToken => "id_token token",
            Self::CodeToken => "code token",
            Self::CodeIdTokenToken => "code id_token token",
        }
    }

    /// Reads the name on the wire; the order of its words means nothing (RFC 6749 §3.1.1).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let sorted = |text: &str| {
            let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
            words.sort_unstable();
            words
        };
        let words = sorted(text);
        let mut all = Self::ALL.into_iter();
        all.find(|kind| sorted(kind.as_str()) == words)
    }

    fn has(self, word: &str) -> bool {
        self.as_str().split(' ').any(|part| part == word)
    }

    /// Whether a code is issued.
    #[must_use]
    pub fn has_code(self) -> bool {
        self.has("code")
    }

    /// Whether an access token is issued without a code.
    #[must_use]
    pub fn has_token(self) -> bool {
        self.has("token")
    }

    /// Whether an ID token is issued without a code.
    #[must_use]
    pub fn has_id_token(self) -> bool {
        self.has("id_token")
    }

    /// Whether something is issued that may not be in a query (Multiple Response Types §3 and §5).
    #[must_use]
    pub fn has_any_token(self) -> bool {
        self.has_token() || self.has_id_token()
    }

    /// Whether a client with this grant may be answered so, as far as this grant goes (OpenID Connect
    /// Registration §2).
    #[must_use]
    pub fn needs(self, grant: GrantType) -> bool {
        match grant {
            GrantType::AuthorizationCode => self.has_code() || self == Self::None,
            GrantType::Implicit => self.has_any_token(),
            _ => false,
        }
    }

    /// How it is answered when nobody says otherwise.
    #[must_use]
    pub fn default_mode(self) -> ResponseMode {
        if self.has_any_token() {
            ResponseMode::Fragment
        } else {
            ResponseMode::Query
        }
    }
}

/// Where in an answer its parameters are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseMode {
    /// In the query of the redirect.
    #[default]
    Query,
    /// In its fragment.
    Fragment,
    /// In a form that the browser posts, OAuth 2.0 Form Post Response Mode.
    FormPost,
}

impl ResponseMode {
    /// Every mode, in the order in which metadata lists them.
    pub const ALL: [Self; 3] = [Self::Query, Self::Fragment, Self::FormPost];

    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Fragment => "fragment",
            Self::FormPost => "form_post",
        }
    }

    /// Reads the name on the wire.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == text)
    }

    /// Whether an answer of this type may go to this URI so. Tokens are never in a query, which servers
    /// log and browsers send on; and no form is posted to what is no web server.
    #[must_use]
    pub fn fits(self, kind: ResponseType, redirect_uri: &str) -> bool {
        match self {
            Self::Query => !kind.has_any_token(),
            Self::Fragment => true,
            Self::FormPost => ["https://", "http://"]
                .iter()
                .any(|scheme| redirect_uri.starts_with(scheme)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_and_mode_reads_back_from_its_name() {
        for kind in ResponseType::ALL {
            assert_eq!(ResponseType::parse(kind.as_str()), Some(kind));
        }
        for mode in ResponseMode::ALL {
            assert_eq!(ResponseMode::parse(mode.as_str()), Some(mode));
        }
    }

    #[test]
    fn the_order_of_words_means_nothing_and_their_number_does() {
        let all = Some(ResponseType::CodeIdTokenToken);
        for text in ["token id_token code", "id_token code token"] {
            assert_eq!(ResponseType::parse(text), all);
        }
        for text in ["code code", "code  token", "", " code", "code none", "CODE"] {
            assert_eq!(ResponseType::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn no_token_is_ever_in_a_query() {
        for kind in ResponseType::ALL {
            let tokens = kind.has_token() || kind.has_id_token();
            let https = "https://web.example/cb";
            assert_eq!(ResponseMode::Query.fits(kind, https), !tokens, "{kind:?}");
            assert!(kind.default_mode().fits(kind, "com.example:/cb"));
        }
    }
}
