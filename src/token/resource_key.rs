//! The key of one resource: what its owner needs to open the access tokens that are for it, without
//! asking anybody.
//!
//! It is the kind key of access tokens for that resource (see [`super::seal`]): whoever has it can also
//! make what looks like tokens to that resource, and to nobody else: the resource is in the derivation and
//! in the sealed text, and without our mark it is none of ours. Roots stay where they are.

use ring::hmac;
use serde_json::{Map, Value, json};

use super::opened::Opened;
use super::seal::{KIND_KEY, Sealed, resource_tag};
use super::{AccessToken, Keyring, Kind, SealRefused, Unsealed};
use crate::jose::base64url;

/// The keys of a resource, one for each root: while a root is being replaced there are two.
#[derive(Clone)]
pub struct ResourceKeys {
    issuer: String,
    resource: String,
    epoch: u32,
    /// By the name of the root.
    keys: Vec<(String, [u8; KIND_KEY])>,
}

/// The text is not what [`ResourceKeys::to_json`] wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MalformedKeys;

impl Keyring {
    /// The keys of a resource.
    ///
    /// # Errors
    /// [`SealRefused::Broken`] if one cannot be derived.
    pub fn resource_keys(&self, resource: &str, epoch: u32) -> Result<ResourceKeys, SealRefused> {
        Ok(ResourceKeys {
            issuer: self.issuer().to_owned(),
            resource: resource.to_owned(),
            epoch,
            keys: self.kind_keys_of(resource, epoch)?,
        })
    }
}

impl ResourceKeys {
    /// Who seals.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The audience that the tokens have.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The keys as the owner of the resource is given them: `issuer`, `resource`, the `epoch` that
    /// tokens are sealed in (another one has other keys), and `keys`, each a `root`'s name and a
    /// `key` of 32 bytes in base64url.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let keys = self
            .keys
            .iter()
            .map(|(root, key)| json!({ "root": root, "key": base64url::encode(key) }));
        json!({
            "issuer": self.issuer,
            "resource": self.resource,
            "epoch": self.epoch,
            "keys": keys.collect::<Vec<_>>(),
        })
    }

    /// Reads what [`Self::to_json`] wrote.
    ///
    /// # Errors
    /// [`MalformedKeys`].
    pub fn from_json(members: &Map<String, Value>) -> Result<Self, MalformedKeys> {
        let read = || {
            let text = |members: &Map<String, Value>, name: &str| {
                members.get(name)?.as_str().map(str::to_owned)
            };
            let key = |member: &Value| {
                let member = member.as_object()?;
                let key = base64url::decode(&text(member, "key")?).ok()?;
                Some((text(member, "root")?, key.try_into().ok()?))
            };
            let keys = members.get("keys")?.as_array()?;
            Some(Self {
                issuer: text(members, "issuer")?,
                resource: text(members, "resource")?,
                epoch: members.get("epoch")?.as_u64()?.try_into().ok()?,
                keys: keys.iter().map(key).collect::<Option<_>>()?,
            })
        };
        read().ok_or(MalformedKeys)
    }

    /// Whether a text is sealed for this resource in a later epoch than these keys are of: so it says, and
    /// nothing here can tell whether it is true.
    #[must_use]
    pub fn are_older_than(&self, text: &str) -> bool {
        Sealed::read(Kind::Access, text).is_ok_and(|sealed| {
            sealed.header.epoch > self.epoch
                && sealed.header.resource == resource_tag(&self.resource)
        })
    }

    /// Opens an access token for this resource. Whether it has expired or was revoked is for others to
    /// say.
    ///
    /// # Errors
    /// Why it is none.
    pub fn open(&self, text: &str) -> Result<Opened, SealRefused> {
        let mut sealed = Sealed::read(Kind::Access, text)?;
        // Only the issuer can tell a right one from a wrong one.
        let _ = sealed.take_mark();
        let header = sealed.header;
        if header.resource != resource_tag(&self.resource) {
            return Err(SealRefused::OtherKind);
        }
        let root = base64url::encode(header.root);
        let known = |(name, _): &&(String, [u8; KIND_KEY])| *name == root;
        let (_, key) = self
            .keys
            .iter()
            .find(known)
            .filter(|_| header.epoch == self.epoch)
            .ok_or(SealRefused::UnknownRoot)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        let opened: Unsealed<AccessToken> = sealed.open(&key, &self.issuer)?;
        let (id, epoch, token) = opened.into_parts();
        Ok(Opened::new(id, epoch, token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;
    use crate::token::access::tests::token;
    use crate::token::seal;

    const RESOURCE: &str = "https://api.example";

    fn keyring(root: &str) -> Keyring {
        Keyring::new("https://issuer.example", &[Secret::new(root.repeat(32))]).unwrap()
    }

    fn sealed(keyring: &Keyring, audience: &str, epoch: u32) -> String {
        let token = AccessToken {
            audience: audience.to_owned(),
            ..token()
        };
        let text = keyring.seal(&token, epoch, [7; 24]).unwrap();
        text.expose().to_owned()
    }

    #[test]
    fn the_key_of_a_resource_opens_its_tokens() {
        let keyring = keyring("a");
        let keys = keyring.resource_keys(RESOURCE, 3).unwrap();
        let printed = keys.to_json();
        let read = ResourceKeys::from_json(printed.as_object().unwrap()).unwrap();
        let text = sealed(&keyring, RESOURCE, 3);
        let opened = read.open(&text).unwrap();
        assert_eq!(opened.token, keyring.open(&text).unwrap().token);
        assert_eq!(opened.id, keyring.open(&text).unwrap().id);
    }

    #[test]
    fn it_opens_no_token_of_another_audience_epoch_root_or_kind() {
        let ours = keyring("a");
        let keys = ours.resource_keys(RESOURCE, 3).unwrap();
        for text in [
            sealed(&ours, "https://other.example", 3),
            sealed(&ours, "https://api.example/", 3),
            sealed(&ours, RESOURCE, 4),
            sealed(&keyring("b"), RESOURCE, 3),
            sealed(&ours, RESOURCE, 3).replace("ema_", "ems_"),
            String::new(),
        ] {
            assert!(keys.open(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn it_opens_no_token_with_one_bit_changed() {
        let keyring = keyring("a");
        let keys = keyring.resource_keys(RESOURCE, 3).unwrap();
        let text = sealed(&keyring, RESOURCE, 3);
        let bytes = base64url::decode(&text["ema_".len()..]).unwrap();
        for bit in 0..(bytes.len() - seal::MARK) * 8 {
            let mut bent = bytes.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            let bent = format!("ema_{}", base64url::encode(bent));
            assert!(keys.open(&bent).is_err(), "bit {bit}");
        }
    }

    /// What whoever has the key of one resource can make: tokens under that key, whatever they say.
    #[test]
    fn it_forges_nothing_that_we_or_another_audience_would_take() {
        let keyring = keyring("a");
        let keys = keyring.resource_keys(RESOURCE, 3).unwrap();
        let other = "https://other.example";
        let theirs = keyring.resource_keys(other, 3).unwrap();
        // A token that says another audience, sealed under the key of this one, with either header.
        let good = sealed(&keyring, RESOURCE, 3);
        let kind = hmac::Key::new(hmac::HMAC_SHA256, &keys.keys[0].1);
        for header_of in [RESOURCE, other] {
            for says in [RESOURCE, other] {
                let token = AccessToken {
                    audience: says.to_owned(),
                    ..token()
                };
                let forged = Sealed::read(Kind::Access, &good).unwrap().forge(
                    &kind,
                    &token,
                    header_of,
                    "https://issuer.example",
                );
                let fooled = header_of == RESOURCE && says == RESOURCE;
                assert_eq!(keys.open(&forged).is_ok(), fooled, "{header_of} {says}");
                assert!(keyring.open(&forged).is_err(), "{header_of} {says}");
                assert!(theirs.open(&forged).is_err());
            }
        }
    }
}
