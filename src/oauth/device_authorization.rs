//! The device authorization endpoint, RFC 8628 §3.1, and user codes.

use serde_json::json;

use super::params::Params;
use super::token::client_refusal;
use super::{client_authentication, grantable};
use crate::error::Reason;
use crate::http::{Request, Response, with_query};
use crate::model::scope::OFFLINE_ACCESS;
use crate::model::{GrantId, GrantType, Seconds, Shard, TokenId};
use crate::pages::field;
use crate::ports::device::BeginDevice;
use crate::ports::ledger::{Once, RateLimit, RecordFailure};
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::{DeviceCode, device};

const PARAMETERS: [&str; 6] = [
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "scope",
    "resource",
];

/// Letters that make no words and are hard to take for one another (RFC 8628 §6.1). Eight of them are
/// 34.5 bits: who may guess five times while a code lives finds a certain one with a chance of 2^-32.
const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const LETTERS: usize = 8;

/// Requests of clients that prove nothing, from one address in ten minutes: each is a row of ours. A
/// hundred sets behind one address begin once each.
const PER_ADDRESS: RateLimit = RateLimit {
    most: 100,
    window: Seconds(600),
};

/// Codes that somebody has already are drawn again; one in a billion is.
const DRAWS: usize = 3;

/// `POST /oauth/device_authorization`.
pub async fn answer<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Response {
    match begin(server, request, at).await {
        Ok(body) => Response::json(200, body)
            .with("pragma", "no-cache")
            .for_any_origin(),
        Err(reason) => client_refusal(request, reason).for_any_origin(),
    }
}

async fn begin<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Result<String, Reason> {
    let params = Params::parse(request.form()?, &PARAMETERS);
    params.refuse_repeated()?;
    let proven = client_authentication::prove(server, request, &params, at).await?;
    let client = proven.client();
    if !client.check_grant_type(GrantType::DeviceCode) {
        return Err(Reason::GrantNotAllowed);
    }
    // Access that outlives the session is never a default.
    let usual = || client.scope.filter(|token| token != OFFLINE_ACCESS);
    let scope = params.scope()?.unwrap_or_else(usual);
    if !scope.is_subset(&client.scope) {
        return Err(Reason::ScopeExceeded);
    }
    let audience = grantable::audience(&client, params.optional("resource")?)?;
    let epoch = server.ports.revocations(at).await?.epoch();
    let id = server.fresh_id()?;
    proven.settle(server, at).await?;
    if client.is_public() {
        let network = request.network();
        let began = RecordFailure {
            key: format!("devices:{}", network.as_deref().unwrap_or("unknown")),
            limit: PER_ADDRESS,
        };
        let shard = Shard::of_key(&began.key);
        if let Some(until) = server.ports.ledger(shard, at, began).await? {
            return Err(Reason::TooManyFailures(at.now.unix().until(until).0));
        }
    }
    let expires_at = at.now.unix() + device::LIFETIME;
    for _ in 0..DRAWS {
        let user_code = draw(server)?;
        let key = key_of(server, &user_code)?;
        let begin = BeginDevice {
            key: key.clone(),
            grant: GrantId::from(TokenId::from(id)),
            client: client.id.clone(),
            scope: scope.clone(),
            expires_at,
        };
        if server.ports.ledger(Shard::of_key(&key), at, begin).await? == Once::Again {
            continue;
        }
        let code = DeviceCode {
            key,
            client: client.id.clone(),
            client_generation: client.generation,
            audience,
            expires_at,
        };
        let sealed = server.keyring.seal(&code, epoch, id)?;
        let page = server.config.url("/device");
        let body = json!({
            "device_code": sealed.expose(),
            "user_code": user_code,
            "verification_uri": page,
            "verification_uri_complete": with_query(&page, &[(field::USER_CODE, &user_code)]),
            "expires_in": device::LIFETIME,
            "interval": device::INTERVAL,
        });
        return Ok(body.to_string());
    }
    Err(Reason::Internal("no user code is free"))
}

/// A user code, as it is shown: two groups.
fn draw<P: Ports>(server: &Server<P>) -> Result<String, Reason> {
    let mut bytes = [0; 4 * LETTERS];
    server.ports.fill(&mut bytes)?;
    // What is beyond the last whole twenty would make the first letters likelier.
    let fair = bytes.iter().filter(|byte| **byte < 240);
    let letters: Vec<u8> = fair
        .filter_map(|byte| ALPHABET.get(usize::from(byte % 20)).copied())
        .take(LETTERS)
        .collect();
    grouped(&letters).ok_or(Reason::Internal("randomness that is not random"))
}

fn grouped(letters: &[u8]) -> Option<String> {
    let (left, right) = letters.split_at_checked(LETTERS / 2)?;
    let [left, right] = [left, right].map(|half| String::from_utf8(half.to_vec()).ok());
    (letters.len() == LETTERS)
        .then_some(())
        .and(Some(format!("{}-{}", left?, right?)))
}

/// Reads a user code as somebody typed it: whatever the case, and whatever is between the letters.
#[must_use]
pub fn read(typed: &str) -> Option<String> {
    let letters: Vec<u8> = typed
        .bytes()
        .filter(u8::is_ascii_alphanumeric)
        .map(|byte| byte.to_ascii_uppercase())
        .collect();
    let known = letters.iter().all(|letter| ALPHABET.contains(letter));
    grouped(&letters).filter(|_| known)
}

/// What a user code is found by. A plain digest of so few letters could be undone by trying them all.
///
/// # Errors
/// [`Reason::Internal`] when no key can be derived.
pub fn key_of<P>(server: &Server<P>, user_code: &str) -> Result<String, Reason> {
    Ok(server.keyring.authenticate("user code", user_code)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_8628_6_1_case_and_punctuation_are_ignored() {
        for typed in [
            "WDJB-MJHT",
            "wdjbmjht",
            " wdjb mjht ",
            "W.D.J.B_M-J-H-T",
            "wdjb\u{2013}mjht",
        ] {
            assert_eq!(read(typed).as_deref(), Some("WDJB-MJHT"), "{typed}");
        }
    }

    #[test]
    fn what_is_no_user_code_is_not_read() {
        for typed in [
            "",
            "WDJB",
            "WDJB-MJHTX",
            "WDJB-MJHA",
            "WDJB-MJH7",
            "ＷDJB-MJHT",
        ] {
            assert_eq!(read(typed), None, "{typed}");
        }
    }
}
