//! The answer to an authorization request, RFC 6749 §4.1.2 and OAuth 2.0 Multiple Response Types: what
//! is issued, and how it gets to the client.

use super::grant;
use super::page;
use crate::config::Config;
use crate::error::Reason;
use crate::http::{Response, with_fragment, with_query};
use crate::model::redirect::display_host;
use crate::model::{AccessTokenFormat, Client, ResponseMode, Secret, TokenId};
use crate::pages;
use crate::ports::ledger::Session;
use crate::ports::{At, CodeRecord, Ports};
use crate::server::Server;
use crate::token::{AuthorizationCode, AuthorizationRequest, Revocations, code};

/// The one script of our pages, which the shim serves.
pub const FORM_POST_SCRIPT: &str = "/oauth/form-post.js";

/// Where an answer may go: a URI that the client registered, how, and the `state` to return.
pub struct Destination {
    /// The URI.
    pub uri: String,
    /// Where in the answer its parameters are.
    pub mode: ResponseMode,
    /// `state`, byte for byte.
    pub state: Option<String>,
    /// What the answer says it is of (RFC 9207).
    pub issuer: String,
}

impl Destination {
    /// Where a proven request is answered.
    #[must_use]
    pub fn of(config: &Config, client: &Client, authorization: &AuthorizationRequest) -> Self {
        Self {
            uri: authorization.redirect_uri.clone(),
            mode: authorization.response_mode,
            state: authorization.state.clone(),
            issuer: config.issuer_of(client),
        }
    }

    /// The answer: these parameters, `state`, and `iss`.
    fn answer(&self, config: &Config, parameters: &[(&str, &str)]) -> Response {
        let mut all = parameters.to_vec();
        if let Some(state) = &self.state {
            all.push(("state", state));
        }
        all.push(("iss", &self.issuer));
        match self.mode {
            ResponseMode::Query => Response::see_other(with_query(&self.uri, &all)),
            ResponseMode::Fragment => Response::see_other(with_fragment(&self.uri, &all)),
            ResponseMode::FormPost => {
                let script = config.url(FORM_POST_SCRIPT);
                let form = pages::FormPost {
                    action: &self.uri,
                    redirect_host: display_host(&self.uri),
                    parameters: &all,
                    script: &script,
                };
                page::posting(pages::form_post(&form), &self.uri, &script)
            }
        }
    }

    /// Tells the client why it is refused, as its success would have been told.
    #[must_use]
    pub fn refuse(&self, config: &Config, reason: Reason) -> Response {
        let description = reason.description();
        let explained = config.explained_at(reason.code());
        let mut parameters = vec![
            ("error", reason.code().as_str()),
            ("error_description", description.as_str()),
        ];
        parameters.extend(explained.iter().map(|uri| ("error_uri", uri.as_str())));
        let mut response = self.answer(config, &parameters);
        response.reason = Some(reason);
        response
    }
}

/// Issues exactly what the request says.
///
/// # Errors
/// [`Reason::Unavailable`]; then nothing has left. [`Reason::ResponseTypeNotAllowed`] when the client may
/// not be answered so any more, and [`Reason::LoginRequired`] when nobody stands behind the session.
pub async fn issue<P: Ports>(
    server: &Server<P>,
    client: &Client,
    authorization: &AuthorizationRequest,
    session: &Session,
    at: &At,
) -> Result<Response, Reason> {
    let asked = authorization.response_type;
    if !client.check_response_type(asked) {
        return Err(Reason::ResponseTypeNotAllowed);
    }
    let revocations = server.ports.revocations(at).await?;
    // Before anything is kept: without keys nothing can be signed.
    let signed = client.access_token_format == AccessTokenFormat::Jwt && asked.has_token();
    if signed || asked.has_id_token() {
        server.ports.keys(at).await?;
    }
    let mut code = None;
    if asked.has_code() {
        code = Some(remember_code(server, client, authorization, session, &revocations, at).await?);
    }
    let mut parameters = Vec::new();
    if let Some(code) = &code {
        parameters.push(("code", code.expose().to_owned()));
    }
    if asked.has_any_token() {
        let issued = grant::implicit::issue(
            server,
            client,
            authorization,
            session,
            code.as_ref(),
            &revocations,
            at,
        );
        parameters.extend(issued.await?);
    }
    let to = Destination::of(&server.config, client, authorization);
    let parameters: Vec<(&str, &str)> = parameters
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    Ok(to.answer(&server.config, &parameters))
}

/// Seals a code for exactly what the request says, and remembers it.
async fn remember_code<P: Ports>(
    server: &Server<P>,
    client: &Client,
    authorization: &AuthorizationRequest,
    session: &Session,
    revocations: &Revocations,
    at: &At,
) -> Result<Secret, Reason> {
    let now = at.now.unix();
    let subject = &session.subject;
    let code = AuthorizationCode {
        client: client.id.clone(),
        redirect_uri: authorization.redirect_uri.clone(),
        challenge: authorization.challenge.clone(),
        subject: subject.subject.clone(),
        shard: subject.shard,
        generation: subject.generation,
        client_generation: client.generation,
        session: session.id.clone(),
        scope: authorization.scope.clone(),
        audience: authorization.audience.clone(),
        nonce: authorization.nonce.clone(),
        claims: authorization.claims.clone(),
        auth_time: session.authentication.time,
        amr: session.authentication.methods.clone(),
        issued_at: now,
        expires_at: now + client.code_lifetime.unwrap_or(code::LIFETIME),
    };
    let id = server.fresh_id()?;
    let sealed = server.keyring.seal(&code, revocations.epoch(), id)?;
    let record = CodeRecord {
        pk: random_pk(server)?,
        grant: TokenId::from(id).into(),
        shard: code.shard,
        client: code.client,
        subject: code.subject,
        username: subject.username.clone(),
        session: code.session,
        scope: code.scope,
        issued_at: code.issued_at,
        expires_at: code.expires_at,
    };
    server.ports.remember(&record).await?;
    Ok(sealed)
}

/// 53 random bits.
fn random_pk<P: Ports>(server: &Server<P>) -> Result<u64, Reason> {
    let mut bytes = [0; 8];
    server.ports.fill(&mut bytes)?;
    Ok(u64::from_be_bytes(bytes) >> 11)
}
