//! What a relying party's code is told.

use js_sys::Error;
use wasm_bindgen::JsValue;

use super::options::set;
use crate::jose::JoseError;

/// Why a call was refused. `code` is stable: callers branch on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BrowserError {
    /// A token or key was refused.
    Jose(JoseError),
    /// An argument is missing, of the wrong type, or contradicts another; the argument's name.
    OptionsInvalid(&'static str),
    /// The server's metadata says that it cannot do S256 (RFC 7636 §4.2).
    PkceUnsupported,
    /// A parameter came twice, or two answers came at once (RFC 6749 §3.1).
    ResponseMalformed,
    /// `state` is missing or not the one sent (RFC 6749 §10.12).
    StateMismatch,
    /// `iss` is missing although the server promises it (RFC 9207 §2.4).
    IssuerMissing,
    /// `iss` names another server: a mix-up attack (RFC 9207 §2.4).
    ResponseIssuerMismatch,
    /// The server refused, with these words (RFC 6749 §4.1.2.1).
    AuthorizationRefused {
        /// `error`.
        error: String,
        /// `error_description`.
        description: Option<String>,
    },
}

impl BrowserError {
    /// The stable name.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Jose(reason) => reason.as_str(),
            Self::OptionsInvalid(_) => "options_invalid",
            Self::PkceUnsupported => "pkce_unsupported",
            Self::ResponseMalformed => "response_malformed",
            Self::StateMismatch => "state_mismatch",
            Self::IssuerMissing => "response_issuer_missing",
            Self::ResponseIssuerMismatch => "response_issuer_mismatch",
            Self::AuthorizationRefused { .. } => "authorization_refused",
        }
    }
}

impl From<JoseError> for BrowserError {
    fn from(reason: JoseError) -> Self {
        Self::Jose(reason)
    }
}

/// An `Error` with `code`, and with the server's `error` where it gave one.
impl From<BrowserError> for JsValue {
    fn from(refusal: BrowserError) -> Self {
        let message = match &refusal {
            BrowserError::OptionsInvalid(name) => format!("{}: {name}", refusal.code()),
            BrowserError::AuthorizationRefused { error, .. } => {
                format!("{}: {error}", refusal.code())
            }
            _ => refusal.code().to_owned(),
        };
        let thrown = Error::new(&message);
        thrown.set_name("EdgemintError");
        set(&thrown, "code", &refusal.code().into());
        if let BrowserError::AuthorizationRefused { error, description } = &refusal {
            set(&thrown, "error", &error.into());
            if let Some(description) = description {
                set(&thrown, "error_description", &description.into());
            }
        }
        thrown.into()
    }
}
