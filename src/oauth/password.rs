//! Passwords: Argon2id, throttled before anything is hashed, one answer for every failure.

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::error::Reason;
use crate::model::{Digest, Seconds, Secret, Shard, Username};
use crate::ports::directory::{Account, FindAccount};
use crate::ports::ledger::{RateLimit, ReadFailures, RecordFailure};
use crate::ports::{At, Ports, Unavailable};
use crate::server::Server;
use crate::token::passphrase::LineKey;

/// Longer input is never hashed: it would be a lever, not a password.
pub const LONGEST: usize = 128;
/// Shorter ones are not accepted when a password is chosen (NIST SP 800-63B-4 §3.1.1.2).
pub const SHORTEST: usize = 8;

// OWASP's Argon2id setting: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Ten wrong passwords for one name in a quarter of an hour: a person has long asked for help.
const PER_ACCOUNT: RateLimit = RateLimit {
    most: 10,
    window: Seconds(900),
};
/// A hundred from one address: an office behind one address stays in business.
const PER_ADDRESS: RateLimit = RateLimit {
    most: 100,
    window: Seconds(900),
};

/// Hashes a chosen password.
///
/// # Errors
/// [`Unavailable`] without randomness or memory.
pub fn hash<P: Ports>(server: &Server<P>, password: &Secret) -> Result<String, Unavailable> {
    let mut salt = [0; 16];
    server.ports.fill(&mut salt)?;
    let failed = Unavailable("Argon2id failed");
    let salt = SaltString::encode_b64(&salt).map_err(|_| failed.clone())?;
    let hash = argon2id().hash_password(password.expose().as_bytes(), &salt);
    hash.map(|hash| hash.to_string()).map_err(|_| failed)
}

/// How [`stretch`] does it, as the first parts of a PHC string; the salt follows.
pub const SETTING: &str = "$argon2id$v=19$m=19456,t=2,p=1$";

/// Stretches a passphrase to a key.
///
/// # Errors
/// [`Unavailable`] without memory.
pub fn stretch(passphrase: &Secret, salt: &[u8; 16]) -> Result<LineKey, Unavailable> {
    let mut stretched = [0; 32];
    argon2id()
        .hash_password_into(passphrase.expose().as_bytes(), salt, &mut stretched)
        .map_err(|_| Unavailable("Argon2id failed"))?;
    Ok(LineKey::new(&stretched))
}

/// Checks a name and a password.
///
/// # Errors
/// [`Reason::WrongCredentials`] for an unknown name, a wrong password and a disabled account
/// alike; [`Reason::TooManyFailures`] before anything is hashed.
pub async fn check<P: Ports>(
    server: &Server<P>,
    username: &str,
    password: &Secret,
    network: Option<&str>,
    at: &At,
) -> Result<Account, Reason> {
    let keys = throttled(username, network);
    refuse_throttled(server, &keys, at).await?;
    let account = match Username::parse(username) {
        Ok(username) => server.ports.directory(at, FindAccount { username }).await?,
        Err(_) => None,
    };
    // Who has no password costs what somebody with one does.
    let hash = account
        .as_ref()
        .map(|account| account.password_hash.as_str())
        .filter(|hash| !hash.is_empty())
        .unwrap_or(DECOY);
    let right = password.expose().len() <= LONGEST && verifies(hash, password);
    match account.filter(|account| right && account.facts.active) {
        Some(account) => {
            // Guesses that were sent together all passed the first look; the right one among them
            // finds here what the others recorded while it was hashed.
            refuse_throttled(server, &keys, at).await?;
            Ok(account)
        }
        None => {
            record_failure(server, keys, at).await?;
            Err(Reason::WrongCredentials)
        }
    }
}

/// Counts a wrong guess.
///
/// # Errors
/// [`Reason::Unavailable`].
pub(super) async fn record_failure<P: Ports>(
    server: &Server<P>,
    keys: Vec<(String, RateLimit)>,
    at: &At,
) -> Result<(), Reason> {
    for (key, limit) in keys {
        let shard = Shard::of_key(&key);
        let record = RecordFailure { key, limit };
        server.ports.ledger(shard, at, record).await?;
    }
    Ok(())
}

/// Refuses who guessed wrong too often.
///
/// # Errors
/// [`Reason::TooManyFailures`] or [`Reason::Unavailable`].
pub(super) async fn refuse_throttled<P: Ports>(
    server: &Server<P>,
    keys: &[(String, RateLimit)],
    at: &At,
) -> Result<(), Reason> {
    for (key, limit) in keys {
        let read = ReadFailures {
            key: key.clone(),
            limit: *limit,
        };
        if let Some(until) = server.ports.ledger(Shard::of_key(key), at, read).await? {
            return Err(Reason::TooManyFailures(at.now.unix().until(until).0));
        }
    }
    Ok(())
}

/// A hash of no password, in the same setting: an unknown name costs what a known one does.
const DECOY: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZSBkZWNveSBzYWx0\
                     $MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA";

/// Names are digested: a throttle's key is stored, and what people type by mistake is a password.
fn throttled(username: &str, network: Option<&str>) -> Vec<(String, RateLimit)> {
    let name = Digest::of(username.as_bytes());
    let mut keys = vec![(format!("account:{}", name.as_str()), PER_ACCOUNT)];
    if let Some(network) = network {
        keys.push((format!("address:{network}"), PER_ADDRESS));
    }
    keys
}

fn verifies(hash: &str, password: &Secret) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| {
        argon2id()
            .verify_password(password.expose().as_bytes(), &hash)
            .is_ok()
    })
}

fn argon2id() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_decoy_is_a_hash_in_the_same_setting() {
        let decoy = PasswordHash::new(DECOY).unwrap();
        let params = Params::try_from(&decoy).unwrap();
        assert_eq!(
            (params.m_cost(), params.t_cost(), params.p_cost()),
            (MEMORY_KIB, PASSES, LANES)
        );
        assert!(DECOY.starts_with(SETTING));
        assert!(!verifies(DECOY, &Secret::new("anything")));
    }
}
