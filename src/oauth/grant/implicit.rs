//! What the authorization endpoint issues by itself, without a code: RFC 6749 §4.2, and OpenID Connect
//! Core §3.2 and §3.3. Only clients that were switched to it get here.

use super::{Approved, Beside, access, id_token};
use crate::error::Reason;
use crate::model::scope::OFFLINE_ACCESS;
use crate::model::{Client, GrantId, Secret, TokenId};
use crate::oauth::{backchannel, grantable};
use crate::ports::ledger::{Session, SpendCode};
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::{AuthorizationRequest, Revocations};

/// The parameters of an answer that has tokens; `code` is the one beside them.
///
/// An access token has a grant of its own, which the same verb opens that spends a code: it ends with the
/// session, the consent or the account like any other, and UserInfo knows it. A code beside it opens
/// another grant, so that who steals one has nothing of the other.
///
/// # Errors
/// [`Reason::Unavailable`]; [`Reason::LoginRequired`] when nobody stands behind the session any more.
pub async fn issue<P: Ports>(
    server: &Server<P>,
    client: &Client,
    authorization: &AuthorizationRequest,
    session: &Session,
    code: Option<&Secret>,
    revocations: &Revocations,
    at: &At,
) -> Result<Vec<(&'static str, String)>, Reason> {
    let now = at.now.unix();
    let asked = authorization.response_type;
    let id = server.fresh_id()?;
    let grant: GrantId = TokenId::from(id).into();
    // Nothing from here outlives the session.
    let scope = authorization.scope.filter(|token| token != OFFLINE_ACCESS);
    let mut approved = Approved {
        subject: session.subject.clone(),
        grant: grant.clone(),
        shard: session.subject.shard,
        session: Some(session.id.clone()),
        sid: Some(session.id.clone()),
        granted: scope.clone(),
        scope,
        audience: authorization.audience.clone(),
        authentication: session.authentication.clone(),
        nonce: authorization.nonce.clone(),
        claims: authorization.claims.clone(),
        refresh: None,
        again: false,
    };
    let mut parameters = Vec::new();
    let mut shown = None;
    // A client that wants to hear when the session ends is noted with it, though it got no more than an ID token.
    let joins = backchannel::joining(server, client, &approved.granted);
    let joins = joins.filter(|_| asked.has_id_token());
    if asked.has_token() || joins.is_some() {
        let spend = SpendCode {
            joins,
            grant,
            subject: approved.subject.subject.clone(),
            generation: approved.subject.generation,
            client: client.id.clone(),
            session: session.id.clone(),
            scope: approved.scope.clone(),
            audience: approved.audience.clone(),
            offline: false,
            refreshable: false,
            authentication: approved.authentication.clone(),
            issued_at: now,
            polled: false,
            alone: false,
            expires_at: now + client.access_token_lifetime,
        };
        let ended = |reason| match reason {
            Reason::CodeEnded => Reason::LoginRequired,
            other => other,
        };
        let opened = super::open(
            server,
            approved.shard,
            spend,
            None,
            Reason::Internal("a fresh grant is known"),
            at,
        );
        approved.subject = opened.await.map_err(ended)?.subject;
    }
    if asked.has_token() {
        let id = server.fresh_id()?;
        let (minted, scope) = access(server, client, &approved, id, revocations, at).await?;
        // No client is switched to both; else its key would be in the browser's history.
        if minted.mac.is_some() {
            return Err(Reason::ResponseTypeNotAllowed);
        }
        let token = minted.text;
        parameters.extend([
            ("access_token", token.expose().to_owned()),
            ("token_type", "Bearer".to_owned()),
            ("expires_in", client.access_token_lifetime.0.to_string()),
            ("scope", scope.to_string()),
        ]);
        shown = Some(token);
    }
    if asked.has_id_token() {
        let granted = grantable::for_subject(client, &approved.granted, &approved.subject);
        let beside = Beside {
            access_token: shown.as_ref(),
            code,
        };
        let token = id_token(server, client, &approved, &granted, beside, at).await?;
        parameters.push(("id_token", token));
    }
    Ok(parameters)
}
