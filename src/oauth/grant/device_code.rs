//! `urn:ietf:params:oauth:grant-type:device_code`, RFC 8628 §3.4: has somebody agreed?
//!
//! What the sealed code itself says is checked first and costs nothing. Then its shard is asked, and
//! when somebody has agreed, one verb in that person's shard opens the grant: of many that ask at once
//! one gets tokens, and an answer that was lost before that verb loses nothing.

use super::Approved;
use crate::error::Reason;
use crate::model::scope::OFFLINE_ACCESS;
use crate::model::{Client, GrantId, GrantType, Shard};
use crate::oauth::params::Params;
use crate::oauth::{backchannel, grantable};
use crate::ports::device::{PollDevice, Polled};
use crate::ports::ledger::SpendCode;
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::{DeviceCode, Revocations, Unsealed, device};

/// The parameters this reads.
pub const PARAMETERS: [&str; 2] = ["device_code", "resource"];

/// The longest code that is looked at.
const LONGEST_CODE: usize = 4096;

/// Redeems a device code, if somebody has agreed.
///
/// # Errors
/// Why it is not redeemed (§3.5).
pub async fn redeem<P: Ports>(
    server: &Server<P>,
    client: &Client,
    params: &Params,
    revocations: &Revocations,
    at: &At,
) -> Result<Approved, Reason> {
    let now = at.now.unix();
    let (code, grant) = check(server, client, params, revocations, at)?;
    let poll = PollDevice {
        key: code.key,
        grant: grant.clone(),
    };
    let shard = Shard::of_key(&poll.key);
    let approval = match server.ports.ledger(shard, at, poll).await? {
        Polled::Approved(approval) => *approval,
        Polled::Pending => return Err(Reason::DevicePending),
        Polled::SlowDown => return Err(Reason::DeviceTooEarly),
        Polled::Denied => return Err(Reason::DeviceDenied),
        Polled::Unknown => return Err(Reason::DeviceCodeExpired),
    };
    let refreshable = client.check_grant_type(GrantType::RefreshToken);
    let offline = approval.scope.contains(OFFLINE_ACCESS);
    let spend = SpendCode {
        joins: backchannel::joining(server, client, &approval.scope),
        grant,
        subject: approval.subject,
        generation: approval.generation,
        client: client.id.clone(),
        session: approval.session,
        scope: approval.scope,
        audience: code.audience,
        offline,
        refreshable,
        authentication: approval.authentication,
        issued_at: approval.agreed_at,
        polled: true,
        alone: false,
        // It also says that the code was used, for as long as that could be asked.
        expires_at: super::needed_until(now, client, refreshable, device::LIFETIME),
    };
    super::open(
        server,
        approval.shard,
        spend,
        None,
        Reason::DeviceCodeSpent,
        at,
    )
    .await
}

fn check<P: Ports>(
    server: &Server<P>,
    client: &Client,
    params: &Params,
    revocations: &Revocations,
    at: &At,
) -> Result<(DeviceCode, GrantId), Reason> {
    let text = params
        .within("device_code", LONGEST_CODE)?
        .ok_or(Reason::MissingParameter("device_code"))?;
    let unsealed: Unsealed<DeviceCode> = server
        .keyring
        .unseal(text)
        .map_err(Reason::DeviceCodeUnknown)?;
    let grant = GrantId::from(unsealed.id().clone());
    let from_before = revocations.ends_epoch(unsealed.epoch());
    let code = unsealed.into_value();
    if code.client != client.id {
        return Err(Reason::DeviceCodeForOtherClient);
    }
    let expired = code.expires_at <= at.now.unix();
    if from_before || expired || code.client_generation != client.generation {
        return Err(Reason::DeviceCodeExpired);
    }
    let resource = params.optional("resource")?.unwrap_or(&code.audience);
    if grantable::audience(client, Some(resource))? != code.audience {
        return Err(Reason::UnknownResource);
    }
    Ok((code, grant))
}
