//! `authorization_code`, RFC 6749 §4.1.3 with RFC 7636.
//!
//! Everything that the sealed code itself allows is checked first and spends nothing; so a request
//! that is merely wrong leaves the code to the right one. Then one verb spends it.

use super::Approved;
use crate::error::Reason;
use crate::model::scope::OFFLINE_ACCESS;
use crate::model::{Client, GrantId, GrantType, UnixTime};
use crate::oauth::params::Params;
use crate::oauth::{backchannel, grantable, pkce};
use crate::ports::ledger::{Authentication, SpendCode};
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::{AuthorizationCode, Revocations, Unsealed, code as code_token};

/// The parameters this reads.
pub const PARAMETERS: [&str; 4] = ["code", "redirect_uri", "code_verifier", "resource"];

/// The longest code that is looked at.
const LONGEST_CODE: usize = 8192;

/// A code that passed every check that costs nothing.
struct Redeemable(AuthorizationCode, GrantId);

/// Redeems a code.
///
/// # Errors
/// Why it is not redeemed; a second redemption that passed every check ends what the first got.
pub async fn redeem<P: Ports>(
    server: &Server<P>,
    client: &Client,
    params: &Params,
    revocations: &Revocations,
    at: &At,
) -> Result<Approved, Reason> {
    let now = at.now.unix();
    let Redeemable(code, grant) = check(server, client, params, revocations, now)?;
    let refreshable = client.check_grant_type(GrantType::RefreshToken);
    let offline = code.scope.contains(OFFLINE_ACCESS);
    let authentication = Authentication {
        time: code.auth_time,
        methods: code.amr,
    };
    let joins = backchannel::joining(server, client, &code.scope);
    let lifetime = client.code_lifetime.unwrap_or(code_token::LIFETIME);
    let spend = SpendCode {
        joins,
        grant,
        subject: code.subject,
        generation: code.generation,
        client: client.id.clone(),
        session: code.session,
        scope: code.scope,
        audience: code.audience,
        offline,
        refreshable,
        authentication,
        issued_at: code.issued_at,
        polled: false,
        alone: false,
        expires_at: super::needed_until(now, client, refreshable, lifetime),
    };
    let replayed = Reason::CodeReplayed;
    let approved = super::open(server, code.shard, spend, code.nonce, replayed, at).await?;
    Ok(Approved {
        claims: code.claims,
        ..approved
    })
}

fn check<P: Ports>(
    server: &Server<P>,
    client: &Client,
    params: &Params,
    revocations: &Revocations,
    now: UnixTime,
) -> Result<Redeemable, Reason> {
    let text = params
        .within("code", LONGEST_CODE)?
        .ok_or(Reason::MissingParameter("code"))?;
    let unsealed: Unsealed<AuthorizationCode> =
        server.keyring.unseal(text).map_err(Reason::CodeUnknown)?;
    let grant = GrantId::from(unsealed.id().clone());
    let from_before = revocations.ends_epoch(unsealed.epoch());
    let code = unsealed.into_value();
    if code.client != client.id {
        return Err(Reason::CodeForOtherClient);
    }
    if from_before || code.is_expired(now) || code.client_generation != client.generation {
        return Err(Reason::CodeExpired);
    }
    // OAuth 2.1 §10.2: a client of 2.1 does not repeat it; a client of 2.0 must repeat it exactly.
    let repeated = params.optional("redirect_uri")?;
    if repeated.is_some_and(|repeated| repeated != code.redirect_uri) {
        return Err(Reason::CodeForOtherRedirectUri);
    }
    pkce::verify(params.optional("code_verifier")?, &code.challenge)?;
    let resource = params.optional("resource")?.unwrap_or(&code.audience);
    if grantable::audience(client, Some(resource))? != code.audience {
        return Err(Reason::UnknownResource);
    }
    Ok(Redeemable(code, grant))
}
