//! Compact JWS (RFC 7515 §3.1, §7.1).

use serde_json::{Map, Value};

use super::{
    Algorithm, JoseError, PublicKey, Signer, SigningKeyRef, Verifier, base64url,
    parse_strict_object,
};

/// A compact JWS under one of [`Algorithm`], which nobody has checked.
pub type UnverifiedJws = Unverified<Algorithm>;
/// A JWS whose signature was checked with a key the caller chose.
pub type VerifiedJws = Verified<Algorithm>;

/// The algorithms of one family. A text is read for one of them, so that what is checked by a public key
/// is never checked by a shared secret, nor the reverse (RFC 8725 §2.1).
pub trait Family: Sized {
    /// Reads an `alg` value.
    ///
    /// # Errors
    /// [`JoseError::AlgorithmUnsupported`] for whatever is not of the family.
    fn parse(name: &str) -> Result<Self, JoseError>;

    /// Whether a policy that accepts these accepts it.
    fn is_accepted(&self, among: &[Algorithm]) -> bool;
}

impl Family for Algorithm {
    fn parse(name: &str) -> Result<Self, JoseError> {
        Self::parse(name)
    }

    fn is_accepted(&self, among: &[Algorithm]) -> bool {
        among.contains(self)
    }
}

/// A compact JWS whose form is right and whose signature nobody has checked.
#[derive(Clone, Debug)]
pub struct Unverified<A> {
    header: Header<A>,
    pub(super) signing_input: String,
    payload: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

/// A JWS whose signature was checked. Only `verify` of an [`Unverified`] makes one.
#[derive(Clone, Debug)]
pub struct Verified<A> {
    header: Header<A>,
    payload: Vec<u8>,
}

/// The header parameters we read. `jwk`, `jku`, `x5u` and `x5c` are not among them: a token does not
/// bring its own key (RFC 8725 §3.10).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Header<A> {
    algorithm: A,
    kid: Option<String>,
    typ: Option<String>,
    members: Map<String, Value>,
}

impl<A: Family> Unverified<A> {
    /// Reads the compact form, at most 16 KiB of it.
    pub fn parse(compact: &str) -> Result<Self, JoseError> {
        Self::parse_within(compact, SIZE_LIMIT)
    }

    /// Reads the compact form, at most `size_limit` octets of it. The size is looked at first, then
    /// the form, then the header: nothing is decoded for an algorithm we do not have.
    pub fn parse_within(compact: &str, size_limit: usize) -> Result<Self, JoseError> {
        if compact.len() > size_limit {
            return Err(JoseError::TokenTooLarge);
        }
        let malformed = || JoseError::TokenMalformed;
        let (signing_input, signature) = compact.rsplit_once('.').ok_or_else(malformed)?;
        let (header, payload) = signing_input.split_once('.').ok_or_else(malformed)?;
        if header.is_empty() || payload.contains('.') {
            return Err(JoseError::TokenMalformed);
        }
        Ok(Self {
            header: Header::parse(&base64url::decode(header)?)?,
            payload: base64url::decode(payload)?,
            signature: base64url::decode(signature)?,
            signing_input: signing_input.to_owned(),
        })
    }

    /// The key it names; an opaque text from a stranger.
    pub fn kid(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// The type it claims.
    pub fn typ(&self) -> Option<&str> {
        self.header.typ.as_deref()
    }

    /// Every header parameter, for proofs that carry their own key (RFC 9449 §4.2).
    pub fn header(&self) -> &Map<String, Value> {
        &self.header.members
    }

    /// The payload, which anybody may have written: good for choosing whose key to try.
    pub fn danger_unverified_payload(&self) -> &[u8] {
        &self.payload
    }

    /// What it is, once its signature was checked.
    pub(super) fn verified(self) -> Verified<A> {
        Verified {
            header: self.header,
            payload: self.payload,
        }
    }
}

impl UnverifiedJws {
    /// The algorithm it claims.
    pub fn algorithm(&self) -> Algorithm {
        self.header.algorithm
    }

    /// Checks the signature. The key must be for the algorithm the header names (RFC 8725 §3.1).
    pub async fn verify(
        self,
        key: &PublicKey,
        verifier: &impl Verifier,
    ) -> Result<VerifiedJws, JoseError> {
        if key.algorithm() != self.header.algorithm {
            return Err(JoseError::AlgorithmMismatch);
        }
        if !key.admits(&self.signature) {
            return Err(JoseError::SignatureInvalid);
        }
        verifier
            .verify(key, self.signing_input.as_bytes(), &self.signature)
            .await?;
        Ok(self.verified())
    }
}

impl<A> Verified<A> {
    /// The algorithm it was signed with.
    pub fn algorithm(&self) -> &A {
        &self.header.algorithm
    }

    /// Its type.
    pub fn typ(&self) -> Option<&str> {
        self.header.typ.as_deref()
    }

    /// Every header parameter.
    pub fn header(&self) -> &Map<String, Value> {
        &self.header.members
    }

    /// What was signed.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }
}

/// Signs `payload` under a header of `alg`, `kid` and `typ`, and returns the compact form. `typ` is
/// not optional: every kind of token of ours names itself (RFC 8725 §3.11).
pub async fn sign(
    key: &SigningKeyRef,
    typ: &str,
    payload: &[u8],
    signer: &impl Signer,
) -> Result<String, JoseError> {
    let header = Map::from_iter([
        ("alg".to_owned(), Value::from(key.algorithm.name())),
        ("kid".to_owned(), Value::from(key.kid.as_str())),
        ("typ".to_owned(), Value::from(typ)),
    ]);
    let mut compact = base64url::encode(Value::Object(header).to_string());
    compact.push('.');
    compact.push_str(&base64url::encode(payload));
    let signature = signer.sign(key, compact.as_bytes()).await?;
    // A backend that answers DER, or nothing, would otherwise be found out by our clients.
    let length = key.algorithm.signature_length().unwrap_or(signature.len());
    if signature.len() != length || signature.is_empty() {
        return Err(JoseError::BackendUnavailable);
    }
    compact.push('.');
    compact.push_str(&base64url::encode(signature));
    Ok(compact)
}

impl<A: Family> Header<A> {
    fn parse(text: &[u8]) -> Result<Self, JoseError> {
        let members = parse_strict_object(text)?;
        // We understand no extension, so `crit` can only name what we do not (RFC 7515 §4.1.11);
        // unencoded payloads (RFC 7797) and compression (RFC 7516 §4.1.3) are not for tokens.
        if ["crit", "b64", "zip"]
            .iter()
            .any(|name| members.contains_key(*name))
        {
            return Err(JoseError::HeaderUnsupported);
        }
        let text = |name: &str| match members.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(JoseError::HeaderInvalid),
        };
        let algorithm = A::parse(text("alg")?.ok_or(JoseError::HeaderInvalid)?)?;
        let kid = text("kid")?.map(str::to_owned);
        let typ = text("typ")?.map(str::to_owned);
        text("cty")?;
        Ok(Self {
            algorithm,
            kid,
            typ,
            members,
        })
    }
}

/// 16 KiB: request headers end there in every runtime we serve, and an ID token with a long list of
/// groups is about 4 KiB.
const SIZE_LIMIT: usize = 16 * 1024;
