//! Signs JWTs with the key in force, and checks the ones that we signed.

use serde_json::{Map, Value};

use crate::error::Reason;
use crate::jose::{
    Claims, JoseError, KeySet as VerificationKeys, Policy, PublicKey, Signer, SigningKeyRef, jwt,
    parse_strict_object,
};
use crate::model::Client;
use crate::ports::directory::{KeySet, StoredKey};
use crate::ports::{At, Keys, Ports};
use crate::server::Server;

struct StoredSigner<'a, K> {
    keys: &'a K,
    key: &'a StoredKey,
}

impl<K: Keys> Signer for StoredSigner<'_, K> {
    async fn sign(&self, _: &SigningKeyRef, message: &[u8]) -> Result<Vec<u8>, JoseError> {
        self.keys.sign_with(self.key, message).await
    }
}

/// Signs `claims` as a JWT of this `typ` for a client: with the key that it names, while nothing succeeds
/// that one, else with the newest of its algorithm.
///
/// # Errors
/// [`Reason::Unavailable`] without keys, [`Reason::Internal`] when signing fails.
pub async fn sign<P: Ports>(
    server: &Server<P>,
    client: &Client,
    typ: &str,
    claims: &Map<String, Value>,
    at: &At,
) -> Result<String, Reason> {
    let keys = server.ports.keys(at).await?;
    let (algorithm, now) = (client.signing, at.now.unix());
    let named = client.signing_key.as_deref().and_then(|pk| {
        let mut in_force = keys.keys.iter().filter(|key| {
            key.algorithm == algorithm && key.signs_from <= now && key.published_until.is_none()
        });
        in_force.find(|key| key.pk() == pk)
    });
    let key = named
        .or_else(|| keys.signing(algorithm, now))
        .ok_or(Reason::Internal("no signing key of this algorithm"))?;
    let name = SigningKeyRef {
        kid: key.kid.clone(),
        algorithm,
    };
    let signer = StoredSigner {
        keys: &server.ports,
        key,
    };
    Ok(jwt::sign(&name, typ, claims, &signer).await?)
}

/// Verifies a JWT that we signed, under a policy.
///
/// # Errors
/// `Err(None)` when it is not one of ours or does not keep the policy; `Err(Some(_))` when that
/// could not be found out.
pub async fn verify_own<P: Ports>(
    server: &Server<P>,
    compact: &str,
    policy: &Policy,
    at: &At,
) -> Result<Claims, Option<Reason>> {
    let stored = server
        .ports
        .public_keys(at)
        .await
        .map_err(|away| Some(away.into()))?;
    let keys = verification_keys(&stored, at)
        .map_err(|_| Some(Reason::Internal("a stored key does not parse")))?;
    match policy
        .verify(compact, &keys, &server.ports, at.now.unix().0)
        .await
    {
        Ok(claims) => Ok(claims),
        Err(JoseError::BackendUnavailable) => Err(Some(Reason::Internal("verifying failed"))),
        Err(_) => Err(None),
    }
}

/// The JWKS document: published keys, public parts.
///
/// # Errors
/// [`JoseError`] when a stored key does not parse.
pub fn jwks(stored: &KeySet, at: &At) -> Result<Map<String, Value>, JoseError> {
    let mut keys = Vec::new();
    for key in stored.published(at.now.unix()) {
        keys.push(Value::Object(parse_strict_object(key.public.as_bytes())?));
    }
    let mut document = Map::new();
    document.insert("keys".to_owned(), Value::Array(keys));
    Ok(document)
}

/// Our own set, whole: the limit on a document of somebody else's is not for it.
fn verification_keys(stored: &KeySet, at: &At) -> Result<VerificationKeys, JoseError> {
    stored
        .published(at.now.unix())
        .map(|key| PublicKey::from_members(&parse_strict_object(key.public.as_bytes())?))
        .collect()
}
