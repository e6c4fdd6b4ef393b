//! ring as the cryptographic backend: natively and in tests. In wasm its hashes serve the Worker;
//! its signatures are ten times slower there than WebCrypto's.

use std::collections::BTreeMap;

use ring::digest;
use ring::rand::{self, SystemRandom};
use ring::rsa;
use ring::signature::{self, KeyPair as _};

use super::{
    Algorithm, HalfHash, JoseError, KeyMaterial, PrivateJwk, PublicKey, Signer, SigningKeyRef,
    Verifier, base64url,
};

/// Verifies with ring.
#[derive(Clone, Copy, Debug, Default)]
pub struct RingVerifier;

impl Verifier for RingVerifier {
    async fn verify(
        &self,
        key: &PublicKey,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), JoseError> {
        match key.material() {
            KeyMaterial::Ed25519(point) => {
                signature::UnparsedPublicKey::new(&signature::ED25519, point)
                    .verify(message, signature)
            }
            KeyMaterial::P256 { x, y } => {
                let verification = &signature::ECDSA_P256_SHA256_FIXED;
                signature::UnparsedPublicKey::new(verification, uncompressed(x, y))
                    .verify(message, signature)
            }
            KeyMaterial::Rsa { n, e } => signature::RsaPublicKeyComponents { n, e }.verify(
                &signature::RSA_PKCS1_2048_8192_SHA256,
                message,
                signature,
            ),
        }
        .map_err(|_| JoseError::SignatureInvalid)
    }
}

/// Signs with private keys held in memory. ECDSA nonces are hedged: ring mixes the key and the
/// message into its randomness, so that a weak random source cannot repeat one (RFC 8725 §3.2).
#[derive(Debug, Default)]
pub struct RingSigner {
    keys: BTreeMap<SigningKeyRef, PrivateKey>,
    random: Random,
}

impl RingSigner {
    /// Holds no key yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a private key in PKCS#8 (RFC 5958) and returns its public half, named `kid`. Ed25519
    /// keys may come without their public half, as WebCrypto exports them; RSA needs 2048 bits.
    pub fn insert(
        &mut self,
        kid: &str,
        algorithm: Algorithm,
        pkcs8: &[u8],
    ) -> Result<PublicKey, JoseError> {
        let private = PrivateKey::parse(algorithm, pkcs8)?;
        let public = private.public_key(kid)?;
        let key = SigningKeyRef {
            kid: kid.to_owned(),
            algorithm,
        };
        self.keys.insert(key, private);
        Ok(public)
    }

    /// Takes a private key as JWK under its own `kid`. [`JoseError::KeyInvalid`] when its parts do not
    /// belong together.
    pub fn import(&mut self, jwk: &PrivateJwk) -> Result<(), JoseError> {
        let public = jwk.public();
        let key = SigningKeyRef {
            kid: public.thumbprint(),
            algorithm: public.algorithm(),
        };
        self.keys.insert(key, PrivateKey::import(&public, jwk)?);
        Ok(())
    }

    /// The public half of a key it holds, for the JWK Set.
    pub fn public_key(&self, key: &SigningKeyRef) -> Result<PublicKey, JoseError> {
        let private = self.keys.get(key).ok_or(JoseError::KeyUnknown)?;
        private.public_key(&key.kid)
    }
}

impl Signer for RingSigner {
    async fn sign(&self, key: &SigningKeyRef, message: &[u8]) -> Result<Vec<u8>, JoseError> {
        match self.keys.get(key).ok_or(JoseError::KeyUnknown)? {
            PrivateKey::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            PrivateKey::P256(pair) => pair
                .sign(&self.random.0, message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| JoseError::BackendUnavailable),
            PrivateKey::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                let padding = &signature::RSA_PKCS1_SHA256;
                pair.sign(padding, &self.random.0, message, &mut signature)
                    .map_err(|_| JoseError::BackendUnavailable)?;
                Ok(signature)
            }
        }
    }
}

/// A new private key in PKCS#8, in the form that WebCrypto imports too: Ed25519 without its public
/// half (RFC 8410 §7). ring makes no RSA keys: [`JoseError::KeyUnsupported`].
pub fn generate_pkcs8(algorithm: Algorithm) -> Result<Vec<u8>, JoseError> {
    let random = SystemRandom::new();
    let document = match algorithm {
        Algorithm::EdDsa => rand::generate::<[u8; 32]>(&random)
            .map(|seed| [&ED25519_PKCS8_HEAD[..], &seed.expose()].concat()),
        Algorithm::Es256 => signature::EcdsaKeyPair::generate_pkcs8(ES256_SIGNING, &random)
            .map(|document| document.as_ref().to_vec()),
        Algorithm::Rs256 => return Err(JoseError::KeyUnsupported),
    };
    document.map_err(|_| JoseError::BackendUnavailable)
}

impl PublicKey {
    /// The RFC 7638 thumbprint: SHA-256, base64url. Our `kid`s are thumbprints.
    pub fn thumbprint(&self) -> String {
        base64url::encode(digest::digest(
            &digest::SHA256,
            self.thumbprint_input().as_bytes(),
        ))
    }
}

impl Algorithm {
    /// The `at_hash` (or `c_hash`) of a token (OpenID Connect Core §3.1.3.6).
    pub fn at_hash(self, token: &str) -> String {
        let hash = match self.half_hash() {
            HalfHash::Sha256 => &digest::SHA256,
            HalfHash::Sha512 => &digest::SHA512,
        };
        HalfHash::of_digest(digest::digest(hash, token.as_bytes()).as_ref())
    }
}

#[derive(Debug)]
enum PrivateKey {
    Ed25519(signature::Ed25519KeyPair),
    P256(signature::EcdsaKeyPair),
    Rsa(Box<signature::RsaKeyPair>),
}

impl PrivateKey {
    fn parse(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self, JoseError> {
        match algorithm {
            Algorithm::EdDsa => {
                signature::Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).map(Self::Ed25519)
            }
            Algorithm::Es256 => {
                signature::EcdsaKeyPair::from_pkcs8(ES256_SIGNING, pkcs8, &SystemRandom::new())
                    .map(Self::P256)
            }
            Algorithm::Rs256 => {
                signature::RsaKeyPair::from_pkcs8(pkcs8).map(|pair| Self::Rsa(Box::new(pair)))
            }
        }
        .map_err(|_| JoseError::KeyInvalid)
    }

    fn import(public: &PublicKey, jwk: &PrivateJwk) -> Result<Self, JoseError> {
        match (public.material(), jwk.secrets()) {
            (KeyMaterial::Ed25519(point), [seed]) => {
                signature::Ed25519KeyPair::from_seed_and_public_key(seed, point).map(Self::Ed25519)
            }
            (KeyMaterial::P256 { x, y }, [d]) => {
                signature::EcdsaKeyPair::from_private_key_and_public_key(
                    ES256_SIGNING,
                    d,
                    &uncompressed(x, y),
                    &SystemRandom::new(),
                )
                .map(Self::P256)
            }
            (KeyMaterial::Rsa { n, e }, [d, p, q, dp, dq, qi]) => {
                let components = rsa::KeyPairComponents {
                    public_key: rsa::PublicKeyComponents { n, e },
                    d,
                    p,
                    q,
                    dP: dp,
                    dQ: dq,
                    qInv: qi,
                };
                signature::RsaKeyPair::from_components(&components)
                    .map(|pair| Self::Rsa(Box::new(pair)))
            }
            _ => return Err(JoseError::KeyInvalid),
        }
        .map_err(|_| JoseError::KeyInvalid)
    }

    fn public_key(&self, kid: &str) -> Result<PublicKey, JoseError> {
        let material = match self {
            Self::Ed25519(pair) => KeyMaterial::Ed25519(octets(pair.public_key().as_ref())?),
            Self::P256(pair) => {
                // 0x04 ‖ x ‖ y, SEC 1 §2.3.3.
                let point = pair.public_key().as_ref().split_first_chunk::<33>();
                let (head, y) = point.ok_or(JoseError::KeyInvalid)?;
                let [_, x @ ..] = head;
                KeyMaterial::P256 {
                    x: *x,
                    y: octets(y)?,
                }
            }
            Self::Rsa(pair) => {
                let components = signature::RsaPublicKeyComponents::<Vec<u8>>::from(pair.public());
                KeyMaterial::Rsa {
                    n: components.n,
                    e: components.e,
                }
            }
        };
        PublicKey::new(Some(kid.to_owned()), material)
    }
}

/// 0x04 ‖ x ‖ y, SEC 1 §2.3.3.
fn uncompressed(x: &[u8; 32], y: &[u8; 32]) -> [u8; 65] {
    let mut point = [0x04; 65];
    for (octet, coordinate) in point.iter_mut().skip(1).zip(x.iter().chain(y)) {
        *octet = *coordinate;
    }
    point
}

fn octets(bytes: &[u8]) -> Result<[u8; 32], JoseError> {
    bytes.try_into().map_err(|_| JoseError::KeyInvalid)
}

/// ring's source of randomness, which has no `Default` of its own.
#[derive(Debug)]
struct Random(SystemRandom);

impl Default for Random {
    fn default() -> Self {
        Self(SystemRandom::new())
    }
}

static ES256_SIGNING: &signature::EcdsaSigningAlgorithm =
    &signature::ECDSA_P256_SHA256_FIXED_SIGNING;

/// `OneAsymmetricKey`, version 1, Ed25519, a seed of 32 octets follows.
const ED25519_PKCS8_HEAD: [u8; 16] = [
    0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
];
