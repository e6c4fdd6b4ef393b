//! Requests signed by MAC, at a resource that does not ask the issuer about each: what the key is, the issuer's
//! introspection says; that a nonce was not used before, whoever keeps them for the resource.

use serde_json::Value;

use super::{Missing, Needed, Principal, Refused, Validator};
use crate::jose::parse_strict_object;
use crate::model::{Moment, Seconds, Secret, TokenId};
use crate::token::mac::{MacAlgorithm, MacHeader, MacKey, SignedRequest, VerifiedMac};

impl Validator {
    /// The verdict on a signed request by an answer of the issuer's introspection about its `id`, which has the
    /// key for who serves the audience. It is none before its nonce is spent: [`VerifiedMac::spent`].
    ///
    /// # Errors
    /// Why it is refused; [`Missing::ResourceKeys`] when it is no such answer.
    pub fn signed(
        &self,
        header: &MacHeader<'_>,
        request: &SignedRequest<'_>,
        introspection: &[u8],
        needed: &Needed,
        (now, window): (Moment, Seconds),
    ) -> Result<VerifiedMac<Principal>, Refused> {
        let unfit = || Refused::Missing(Missing::ResourceKeys);
        let members = parse_strict_object(introspection).map_err(|_| unfit())?;
        let token = self.active(&members, "mac")?;
        let text = |name| members.get(name).and_then(Value::as_str);
        let key = text("mac_key").filter(|key| !key.is_empty());
        let algorithm = text("mac_algorithm").and_then(MacAlgorithm::parse);
        let id = text("jti").and_then(|id| TokenId::parse(id).ok());
        let (Some(key), Some(algorithm), Some(id)) = (key, algorithm, id) else {
            return Err(unfit());
        };
        let key = MacKey {
            key: Secret::new(key),
            algorithm,
        };
        let issued_at = token.issued_at;
        let principal = Principal {
            id: id.clone(),
            token,
        };
        let now = now.unix();
        let verified = header.verify(request, &key, (&id, issued_at), (now, window), principal)?;
        self.suits(&verified.unspent().token, needed, now)?;
        Ok(verified)
    }
}
