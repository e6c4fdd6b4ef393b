//! A client that signs its requests by http-mac, written for itself: it shares no line with what checks them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use edgemint::error::Reason;
use edgemint::http::{Request, Response};
use ring::{digest, hmac};

use super::gate::asked;
use super::{Fixture, RESOURCE, Seen};

/// What the token endpoint gave a client to sign with.
#[derive(Debug, Clone)]
pub(crate) struct Credentials {
    pub(crate) id: String,
    pub(crate) key: String,
    pub(crate) algorithm: String,
    pub(crate) issued: u64,
}

/// Which draft it goes by, and its time or age.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Draft {
    Zero(u64),
    One(u64),
}

/// A request, and how it is signed.
#[derive(Debug, Clone)]
pub(crate) struct Signing<'a> {
    pub(crate) draft: Draft,
    pub(crate) nonce: &'a str,
    pub(crate) method: &'a str,
    pub(crate) uri: &'a str,
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) body: Option<&'a [u8]>,
    pub(crate) ext: Option<&'a str>,
}

impl Signing<'_> {
    /// A request for [`super::gate::URL`].
    pub(crate) fn at(draft: Draft, nonce: &str) -> Signing<'_> {
        Signing {
            draft,
            nonce,
            method: "GET",
            uri: "/data?x=1",
            host: "app.id.example",
            port: 443,
            body: None,
            ext: None,
        }
    }
}

/// `bodyhash` of a body.
pub(crate) fn body_hash(algorithm: &str, body: &[u8]) -> String {
    let algorithm = match algorithm {
        "hmac-sha-1" => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        _ => &digest::SHA256,
    };
    STANDARD.encode(digest::digest(algorithm, body))
}

impl Credentials {
    /// Of an answer of the token endpoint.
    pub(crate) fn of(fixture: &Fixture, answer: &Response) -> Self {
        assert_eq!(answer.status, 200, "{}", answer.body);
        let body = answer.json();
        assert_eq!(body["token_type"], "mac", "{body}");
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        Self {
            id: text("access_token"),
            key: text("mac_key"),
            algorithm: text("mac_algorithm"),
            issued: fixture.now(),
        }
    }

    /// The value of `Authorization`.
    pub(crate) fn sign(&self, signing: &Signing<'_>) -> String {
        let Signing {
            draft,
            nonce,
            method,
            uri,
            host,
            port,
            body,
            ext,
        } = signing;
        let hash = body.map(|body| body_hash(&self.algorithm, body));
        let (hash_line, ext_line) = (hash.clone().unwrap_or_default(), ext.unwrap_or_default());
        let of_request = format!("{method}\n{uri}\n{host}\n{port}\n");
        let (text, mut header) = match draft {
            Draft::Zero(age) => (
                format!("{age}:{nonce}\n{of_request}{hash_line}\n{ext_line}\n"),
                format!("MAC id=\"{}\", nonce=\"{age}:{nonce}\"", self.id),
            ),
            Draft::One(ts) => (
                format!("{ts}\n{nonce}\n{of_request}{ext_line}\n"),
                format!("MAC id=\"{}\", ts=\"{ts}\", nonce=\"{nonce}\"", self.id),
            ),
        };
        if let (Some(hash), Draft::Zero(_)) = (hash, draft) {
            header += &format!(", bodyhash=\"{hash}\"");
        }
        if let Some(ext) = ext {
            header += &format!(", ext=\"{ext}\"");
        }
        let algorithm = match self.algorithm.as_str() {
            "hmac-sha-1" => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            _ => hmac::HMAC_SHA256,
        };
        let key = hmac::Key::new(algorithm, self.key.as_bytes());
        let mac = STANDARD.encode(hmac::sign(&key, text.as_bytes()));
        format!("{header}, mac=\"{mac}\"")
    }
}

/// What a proxy asks about a signed request for [`super::gate::URL`] of the service `web`.
pub(crate) fn signed(query: &str, authorization: &str) -> Request {
    Request {
        authorization: Some(authorization.to_owned()),
        ..asked(&format!("service=web&{query}"))
    }
}

/// A deployment with a proxy, whose `web` signs requests, and which knows where.
pub(crate) fn fixture() -> Fixture {
    let fixture = Fixture::with(|config| {
        let config_ = config.clone().with_proxies(super::gate::PROXY).unwrap();
        *config = config_.with_mac_origins("https://app.id.example").unwrap();
    });
    for id in ["web", "spa"] {
        fixture.change_client(id, |client| client.danger_issue_mac_tokens = true);
    }
    fixture
}

/// What `web` signs with for itself.
pub(crate) fn own(fixture: &Fixture) -> Credentials {
    Credentials::of(fixture, &fixture.client_credentials("web"))
}

/// The same, for [`RESOURCE`].
pub(crate) fn for_resource(fixture: &Fixture) -> Credentials {
    let form = super::Form::new(&[("grant_type", "client_credentials"), ("resource", RESOURCE)]);
    Credentials::of(fixture, &fixture.token_as("web", &form))
}

/// The gate's verdict: status, who it is, and the challenge.
pub(crate) fn told(answer: &Response) -> (u16, Option<&str>, Option<&str>) {
    let user = answer.header("x-auth-request-user");
    (answer.status, user, answer.header("www-authenticate"))
}

pub(crate) const PASSES: (u16, Option<&str>, Option<&str>) = (200, Some("bot-web"), None);
pub(crate) const INVALID: &str =
    "MAC error=\"the token is invalid, expired, revoked or for others\"";

/// Whether the gate refuses, and for this reason.
#[track_caller]
pub(crate) fn assert_refused(answer: &Response, reason: &Reason) {
    assert_eq!(answer.reason.as_ref(), Some(reason), "{answer:?}");
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("x-auth-request-user"), None);
    assert!(
        answer
            .header("www-authenticate")
            .unwrap()
            .starts_with("MAC error=\"")
    );
    assert_eq!(answer.json()["code"], reason.label());
}
