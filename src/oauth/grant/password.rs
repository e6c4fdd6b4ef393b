//! `password`, RFC 6749 §4.3, which OAuth 2.1 has none of: for clients of one's own that were switched to
//! it, while they are moved to something better.
//!
//! Nobody sits in front of a browser of ours, so there is no session: the grant is the person's and the
//! client's, and ends with the password, the account, the client, or the consent.

use super::Approved;
use crate::error::Reason;
use crate::http::Request;
use crate::model::scope::OFFLINE_ACCESS;
use crate::model::{Client, GrantId, GrantType, Seconds, Secret, TokenId};
use crate::oauth::params::Params;
use crate::oauth::{grantable, password};
use crate::ports::ledger::{Authentication, SpendCode};
use crate::ports::{At, Ports};
use crate::server::Server;

/// The parameters this reads.
pub const PARAMETERS: [&str; 4] = ["username", "password", "scope", "resource"];

/// Opens a grant for whose name and password the client shows.
///
/// # Errors
/// [`Reason::PasswordRefused`] for an unknown name, a wrong password and an account that may not sign in
/// alike; [`Reason::TooManyFailures`] as at the sign-in page; what is wrong with the rest of the request
/// is told before anybody's password is looked at.
pub async fn redeem<P: Ports>(
    server: &Server<P>,
    client: &Client,
    request: &Request,
    params: &Params,
    at: &At,
) -> Result<Approved, Reason> {
    let typed = |name| match params.typed(name)? {
        "" => Err(Reason::MissingParameter(name)),
        typed => Ok(typed),
    };
    let username = typed("username")?;
    let secret = Secret::new(typed("password")?);
    let scope = params.scope()?.unwrap_or_else(|| client.scope.clone());
    if !scope.is_subset(&client.scope) {
        return Err(Reason::ScopeExceeded);
    }
    let audience = grantable::audience(client, params.optional("resource")?)?;
    let network = request.network();
    let account = password::check(server, username, &secret, network.as_deref(), at).await;
    let facts = account.map_err(told_alike)?.facts;
    let now = at.now.unix();
    let refreshable = client.check_grant_type(GrantType::RefreshToken);
    let grant = GrantId::from(TokenId::from(server.fresh_id()?));
    let spend = SpendCode {
        joins: None,
        grant,
        subject: facts.subject,
        generation: facts.generation,
        client: client.id.clone(),
        session: server.fresh_name("", 24)?,
        // There is no session that it could outlive, and nobody was asked whether it may.
        scope: scope.filter(|token| token != OFFLINE_ACCESS),
        audience,
        offline: true,
        refreshable,
        authentication: Authentication {
            time: now,
            methods: vec!["pwd".to_owned()],
        },
        issued_at: now,
        polled: false,
        alone: true,
        expires_at: super::needed_until(now, client, refreshable, Seconds(0)),
    };
    let again = Reason::Internal("a fresh grant is known");
    let approved = super::open(server, facts.shard, spend, None, again, at).await;
    approved.map_err(told_alike)
}

/// Who is not there, who is wrong and who may not: one answer.
fn told_alike(reason: Reason) -> Reason {
    match reason {
        Reason::WrongCredentials | Reason::CodeEnded => Reason::PasswordRefused,
        other => other,
    }
}
