//! Lines of a file that leaves the deployment, sealed under a key that was stretched from a
//! passphrase. As in [`super::seal`] each has a key of its own, HMAC(key, id), and the nonce is constant.
//!
//! ```text
//! {"a":1,"b":2,"sealed":"base64url(id(24) ‖ ciphertext ‖ tag(16))"}
//! └─ associated data ─┘
//! ```
//! So whatever of a line is in clear cannot be changed without the passphrase, either: it is taken as the
//! bytes that it is, and nobody has to agree on how JSON is printed.

use ring::{aead, hmac};
use serde_json::{Map, Value};

use super::seal::ID;
use crate::jose::{base64url, parse_strict_object};

/// What every line's key is derived with, besides its id.
const LABEL: &[u8] = b"edgemint/1 line";
/// What stands between the clear members and the sealed ones, and behind them.
const SEALED: &str = ",\"sealed\":";
const END: &str = "\"}";

/// A key that seals lines.
pub struct LineKey(hmac::Key);

impl LineKey {
    /// Takes 32 bytes that a passphrase was stretched to.
    #[must_use]
    pub fn new(stretched: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, stretched))
    }

    /// A line: the clear members, at least one, and `sealed`. `id` is fresh randomness.
    #[must_use]
    pub fn seal(&self, clear: Map<String, Value>, secret: Value, id: [u8; ID]) -> Option<String> {
        let mut line = Value::Object(clear).to_string();
        line.pop();
        let mut body = secret.to_string().into_bytes();
        self.own(&id)?
            .seal_in_place_append_tag(nonce(), aead::Aad::from(line.as_bytes()), &mut body)
            .ok()?;
        line.push_str(SEALED);
        line.push('"');
        line.push_str(&base64url::encode([&id[..], &body].concat()));
        line.push_str(END);
        Some(line)
    }

    /// The clear members of a line and the sealed ones, if both are as they were sealed.
    #[must_use]
    pub fn open(&self, line: &str) -> Option<(Map<String, Value>, Map<String, Value>)> {
        let (clear, sealed) = parts(line)?;
        let mut bytes = base64url::decode(sealed).ok()?;
        let (id, body) = bytes.split_first_chunk_mut::<ID>()?;
        let aad = aead::Aad::from(clear.as_bytes());
        let secret = self.own(id)?.open_in_place(nonce(), aad, body).ok()?;
        let secret = parse_strict_object(secret).ok()?;
        Some((read_clear(line)?, secret))
    }

    fn own(&self, id: &[u8; ID]) -> Option<aead::LessSafeKey> {
        let own = hmac::sign(&self.0, &[LABEL, id].concat());
        let key = aead::UnboundKey::new(&aead::CHACHA20_POLY1305, own.as_ref());
        key.ok().map(aead::LessSafeKey::new)
    }
}

/// The clear members of a line, by whomever they were written.
#[must_use]
pub fn read_clear(line: &str) -> Option<Map<String, Value>> {
    let (clear, _) = parts(line)?;
    parse_strict_object([clear, "}"].concat().as_bytes()).ok()
}

/// What is in clear, without the last brace, and what is sealed.
fn parts(line: &str) -> Option<(&str, &str)> {
    let (clear, sealed) = line.strip_suffix(END)?.rsplit_once('"')?;
    Some((clear.strip_suffix(SEALED)?, sealed))
}

fn nonce() -> aead::Nonce {
    aead::Nonce::assume_unique_for_key([0; 12])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(key: &LineKey) -> String {
        let clear = json!({"id": 7, "text": "a,\"sealed\":\"b"});
        let clear = clear.as_object().unwrap().clone();
        key.seal(clear, json!({"_password": "phc"}), [3; ID])
            .unwrap()
    }

    #[test]
    fn a_line_opens_under_its_key_and_says_nothing_of_what_is_sealed() {
        let key = LineKey::new(&[1; 32]);
        let line = line(&key);
        assert!(!line.contains("phc") && !line.contains("_password"));
        let (clear, secret) = key.open(&line).unwrap();
        assert_eq!(
            (&clear["id"], &secret["_password"]),
            (&json!(7), &json!("phc"))
        );
        assert!(LineKey::new(&[2; 32]).open(&line).is_none());
    }

    #[test]
    fn a_line_with_any_other_byte_does_not_open() {
        let key = LineKey::new(&[1; 32]);
        let line = line(&key);
        for at in 0..line.len() {
            for mask in [0x01, 0x20] {
                let mut bent = line.clone().into_bytes();
                bent[at] ^= mask;
                let bent = String::from_utf8_lossy(&bent).into_owned();
                assert!(key.open(&bent).is_none(), "{at}: {bent}");
            }
            assert!(key.open(&line[..at]).is_none());
        }
    }
}
