//! What a Worker with a service binding asks: introspect, validate, revoke. Who it is, its binding
//! says (`ctx.props.client`); without one every verb refuses.

use serde_json::{Value, json};

use super::caller::{self, Caller};
use super::client_authentication::{self, AuthenticatedClient};
use super::introspect;
use super::{access_token, bearer, mac, revoke};
use crate::error::Reason;
use crate::gate::principal;
use crate::model::{Client, ClientId, Scope};
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::mac::Body;
use crate::token::{AccessToken, Kind};
use crate::validator::Needed;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// What is this token?
    Introspect(String),
    /// End this token.
    Revoke(String),
    /// Is the token of this `Authorization` header for me, and does it allow this?
    Validate {
        /// The header, if there is one.
        authorization: Option<String>,
        /// What is needed.
        needed: Needed,
    },
    /// The same, of a header that says how the request was signed.
    ValidateMac(Box<SignedQuestion>),
}

/// A signed request, as the Worker that got it tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedQuestion {
    authorization: String,
    needed: Needed,
    method: String,
    url: String,
    /// The hash of the body, if anybody looked at it.
    body_hash: Option<String>,
}

impl SignedQuestion {
    /// Behind the lines of `validate`: method, URL and the hash of the body.
    fn read(arguments: &str) -> Option<Self> {
        let mut lines = arguments.rsplitn(4, '\n');
        let mut line = || lines.next().unwrap_or_default().strip_prefix('=');
        let (body_hash, url, method) = (line(), line(), line());
        let (url, method) = (url?.to_owned(), method?.to_owned());
        let body_hash = body_hash.map(str::to_owned);
        match Question::read("validate", lines.next()?) {
            Ok(Question::Validate {
                authorization: Some(authorization),
                needed,
            }) => Some(Self {
                authorization,
                needed,
                method,
                url,
                body_hash,
            }),
            _ => None,
        }
    }
}

impl Question {
    /// Reads a verb and its arguments, a line each. What may be absent begins with `=` if it is not.
    /// A token is one line; `validate` has `all` or `any`, the header, and the scopes; `validate_mac` has
    /// method, URL and the hash of the body besides.
    ///
    /// # Errors
    /// [`Reason::MalformedBody`]; [`Reason::Internal`] for a verb that the shim does not have.
    pub fn read(verb: &str, arguments: &str) -> Result<Self, Reason> {
        let malformed = Reason::MalformedBody("the verb's arguments");
        let given = |text: &str| text.strip_prefix('=').map(str::to_owned);
        match verb {
            "introspect" => given(arguments).map(Self::Introspect).ok_or(malformed),
            "revoke" => given(arguments).map(Self::Revoke).ok_or(malformed),
            "validate" => {
                let mut lines = arguments.splitn(3, '\n');
                let mut line = || lines.next().unwrap_or_default();
                let any = match line() {
                    "all" => false,
                    "any" => true,
                    _ => return Err(malformed),
                };
                let authorization = given(line());
                let scopes = line().strip_prefix('=').map(Scope::parse);
                let Some(Ok(scopes)) = scopes else {
                    return Err(malformed);
                };
                let needed = Needed { scopes, any };
                Ok(Self::Validate {
                    authorization,
                    needed,
                })
            }
            "validate_mac" => {
                let question = SignedQuestion::read(arguments).ok_or(malformed)?;
                Ok(Self::ValidateMac(Box::new(question)))
            }
            _ => Err(Reason::Internal(
                "the shim names a verb that does not exist",
            )),
        }
    }
}

/// Answers JSON, for a refusal, too: `{"error", "status", "challenge"}`.
pub async fn answer<P: Ports>(
    server: &Server<P>,
    client: Option<ClientId>,
    question: Result<Question, Reason>,
    at: &At,
) -> String {
    let answer = async {
        let client = client.ok_or(Reason::NoClientAuthentication)?;
        let caller = client_authentication::bound(server, &client, at).await?;
        match question? {
            Question::Introspect(token) => {
                introspect::introspect(server, &Caller::Client(caller), &token, at).await
            }
            // No verdict on a token, as what resources live by is.
            Question::Revoke(_) if !server.config.available => Err(Reason::Maintenance),
            Question::Revoke(token) => {
                revoke::end(server, caller.client(), &token, None, at).await?;
                Ok(json!({ "revoked": true }).to_string())
            }
            Question::Validate {
                authorization,
                needed,
            } => {
                let authorization = authorization.as_deref();
                validate(server, &caller, authorization, &needed, at).await
            }
            Question::ValidateMac(question) => {
                let verdict = validate_mac(server, &caller, &question, at).await;
                Ok(verdict.unwrap_or_else(|reason| {
                    let challenge = mac::challenged(&reason);
                    refused(&reason, Some(&challenge))
                }))
            }
        }
    };
    let answer: Result<String, Reason> = answer.await;
    answer.unwrap_or_else(|reason| refusal(&reason))
}

/// A refusal as JSON. `unavailable` is its own word: it is no verdict about a token.
#[must_use]
pub fn refusal(reason: &Reason) -> String {
    refused(reason, None)
}

/// The same, with another challenge where there is one.
fn refused(reason: &Reason, other: Option<&str>) -> String {
    let error = match reason {
        Reason::Unavailable(_) | Reason::Maintenance => "unavailable",
        other => other.code().as_str(),
    };
    let response = bearer::refusal(reason.clone());
    json!({
        "error": error,
        "status": response.status,
        "challenge": response.header("www-authenticate").map(|own| other.unwrap_or(own)),
    })
    .to_string()
}

/// Whether the request's token is live, for this resource, and has the scopes.
async fn validate<P: Ports>(
    server: &Server<P>,
    caller: &AuthenticatedClient,
    authorization: Option<&str>,
    needed: &Needed,
    at: &At,
) -> Result<String, Reason> {
    let read;
    let text = match authorization.and_then(|header| bearer::alone(header, &server.keyring)) {
        Some(alone) => alone,
        None => {
            read = bearer::presented(authorization)?;
            read.expose()
        }
    };
    let resource = caller.client();
    if text.starts_with(Kind::Token.prefix()) {
        let shown = principal::by_token(server, text, at).await?;
        // The binding says that it is behind the gate: whatever is not for another service is for it.
        let other = shown.service.is_some() && !caller::serves(resource, shown.service.as_ref());
        if other || !caller::is_in(resource, &shown) {
            return Err(Reason::TokenForOtherAudience);
        }
        needed.of(&shown.scopes)?;
        return Ok(Value::Object(introspect::told(&shown)).to_string());
    }
    let live = access_token::validate(server, text, at).await?;
    suffices(resource, live.token(), needed)?;
    live.told().map(str::to_owned)
}

/// Whether the request was signed with a live token's key, once, for this resource, and the token has the
/// scopes.
async fn validate_mac<P: Ports>(
    server: &Server<P>,
    caller: &AuthenticatedClient,
    question: &SignedQuestion,
    at: &At,
) -> Result<String, Reason> {
    let asked = mac::Asked {
        method: &question.method,
        url: &question.url,
        body: match question.body_hash.as_deref() {
            Some(hash) => Body::Hash(hash),
            None => Body::Unknown,
        },
    };
    let verified = mac::verify(server, &question.authorization, &asked, at).await?;
    suffices(
        caller.client(),
        verified.unspent().token(),
        &question.needed,
    )?;
    let live = mac::spend(server, verified, at).await?;
    live.told().map(str::to_owned)
}

/// Whether a token is for this resource, and has the scopes.
fn suffices(resource: &Client, token: &AccessToken, needed: &Needed) -> Result<(), Reason> {
    if !resource.is_or_serves(&token.audience) {
        return Err(Reason::TokenForOtherAudience);
    }
    Ok(needed.of(&token.scope)?)
}
