//! Keys, tokens and vectors for the JOSE tests.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test support: each test file uses a part, and a broken fixture should stop it"
)]

pub(crate) mod verdict;

use edgemint::jose::{
    Algorithm, Claims, ExpectedTyp, JoseError, KeySet, Policy, PublicKey, RingSigner, RingVerifier,
    Signer, SigningKeyRef, UnverifiedJws, VerifiedJws, base64url,
};
use serde_json::Value;
pub(crate) use verdict::block_on;

pub(crate) const NOW: u64 = 1_800_000_000;
pub(crate) const ISSUER: &str = "https://issuer.example";
pub(crate) const AUDIENCE: &str = "https://api.example";

/// A holder of one key per algorithm; each `kid` is `<owner>-<alg>`.
pub(crate) struct Owner {
    name: &'static str,
    pub(crate) signer: RingSigner,
    pub(crate) keys: KeySet,
}

impl Owner {
    pub(crate) fn new(name: &'static str) -> Self {
        let mut signer = RingSigner::new();
        let file: Value = serde_json::from_str(include_str!("../vectors/keys.json")).unwrap();
        let keys = file["keys"].as_array().unwrap().iter();
        let keys = keys.filter(|key| key["owner"] == name).map(|key| {
            let algorithm = Algorithm::parse(key["alg"].as_str().unwrap()).unwrap();
            let pkcs8 = base64url::decode(key["pkcs8"].as_str().unwrap()).unwrap();
            signer
                .insert(&format!("{name}-{}", algorithm.name()), algorithm, &pkcs8)
                .unwrap()
        });
        let keys = keys.collect();
        Self { name, signer, keys }
    }

    pub(crate) fn key(&self, algorithm: Algorithm) -> SigningKeyRef {
        SigningKeyRef {
            kid: format!("{}-{}", self.name, algorithm.name()),
            algorithm,
        }
    }

    pub(crate) fn public(&self, algorithm: Algorithm) -> &PublicKey {
        let kid = self.key(algorithm).kid;
        self.keys.select(Some(&kid), algorithm).unwrap()
    }

    /// A well-formed token over any header and payload text.
    pub(crate) fn craft(&self, algorithm: Algorithm, header: &str, payload: &str) -> String {
        let input = format!(
            "{}.{}",
            base64url::encode(header),
            base64url::encode(payload)
        );
        let key = self.key(algorithm);
        let signature = block_on(self.signer.sign(&key, input.as_bytes())).unwrap();
        let signature = base64url::encode(signature);
        format!("{input}.{signature}")
    }

    /// An access token over any payload text.
    pub(crate) fn token(&self, algorithm: Algorithm, payload: &str) -> String {
        self.craft(algorithm, &self.header(algorithm, "at+jwt"), payload)
    }

    pub(crate) fn header(&self, algorithm: Algorithm, typ: &str) -> String {
        let (name, kid) = (algorithm.name(), self.key(algorithm).kid);
        format!(r#"{{"alg":"{name}","kid":"{kid}","typ":"{typ}"}}"#)
    }
}

pub(crate) fn policy() -> Policy {
    Policy::new(ISSUER, AUDIENCE, ExpectedTyp::exactly("at+jwt"))
}

/// Claims that [`policy`] accepts at [`NOW`], with `more` members in front.
pub(crate) fn claims_with(more: &str) -> String {
    let exp = NOW + 300;
    format!(r#"{{{more}"iss":"{ISSUER}","aud":"{AUDIENCE}","exp":{exp},"iat":{NOW}}}"#)
}

pub(crate) fn check(owner: &Owner, token: &str) -> Result<Claims, JoseError> {
    block_on(policy().verify(token, &owner.keys, &RingVerifier, NOW))
}

pub(crate) fn refusal(owner: &Owner, token: &str) -> JoseError {
    check(owner, token).unwrap_err()
}

pub(crate) fn verify(token: &str, key: &PublicKey) -> Result<VerifiedJws, JoseError> {
    block_on(UnverifiedJws::parse(token)?.verify(key, &RingVerifier))
}
