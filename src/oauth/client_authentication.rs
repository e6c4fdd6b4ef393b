//! Client authentication, RFC 6749 §2.3: exactly one way, and the one it is registered for.

use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::assertion::{self, Assertion, Proof};
use super::params::Params;
use crate::error::Reason;
use crate::http::Request;
use crate::jose::JoseError;
use crate::model::{AuthenticationMethod, Client, ClientId, Seconds, Secret, Shard};
use crate::ports::ledger::{Once, RateLimit, RecordFailure};
use crate::ports::{At, Ports};
use crate::server::Server;

/// The parameters this reads.
pub const PARAMETERS: [&str; 4] = [
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
];

/// Failures of one client from one address in ten minutes before the answer says to wait. Our
/// secrets have 256 bits, so this hinders nobody who guesses; it keeps a broken client's loop
/// from filling logs, and success never asks for it.
const FAILURES: RateLimit = RateLimit {
    most: 20,
    window: Seconds(600),
};

/// A client that proved who it is; a public one by having nothing to prove with.
/// Only [`ProvenClient::settle`] and [`bound`] make one.
pub struct AuthenticatedClient(Rc<Client>);

impl AuthenticatedClient {
    /// The client.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.0
    }
}

/// The client that a service binding names: the deployment's own configuration vouches for it.
///
/// # Errors
/// [`Reason::UnknownClient`] or [`Reason::Unavailable`].
pub async fn bound<P: Ports>(
    server: &Server<P>,
    id: &ClientId,
    at: &At,
) -> Result<AuthenticatedClient, Reason> {
    named(server, id, at).await.map(AuthenticatedClient)
}

/// The client of this id, if it is switched on. It has proven nothing.
///
/// # Errors
/// [`Reason::UnknownClient`] or [`Reason::Unavailable`].
pub async fn named<P: Ports>(
    server: &Server<P>,
    id: &ClientId,
    at: &At,
) -> Result<Rc<Client>, Reason> {
    let client = server.ports.client(id, at).await?;
    client
        .filter(|client| client.enabled)
        .ok_or(Reason::UnknownClient)
}

/// A client that proved who it is, if what it showed was not used before.
pub struct ProvenClient {
    client: Rc<Client>,
    /// What it showed that may be shown once, and what its failures are counted by.
    proof: Option<(Proof, String)>,
}

impl ProvenClient {
    /// The client.
    #[must_use]
    pub fn client(&self) -> Rc<Client> {
        Rc::clone(&self.client)
    }

    /// Who acts as the client, where somebody else vouched for them.
    #[must_use]
    pub fn actor(&self) -> Option<String> {
        self.proof.as_ref().map(|(proof, _)| proof.subject.clone())
    }

    /// Spends what may be shown once. It comes after every check that costs nothing, and before
    /// anything else is spent or handed out.
    ///
    /// # Errors
    /// [`Reason::AssertionReplayed`] or [`Reason::Unavailable`].
    pub async fn settle<P: Ports>(
        self,
        server: &Server<P>,
        at: &At,
    ) -> Result<AuthenticatedClient, Reason> {
        if let Some((Proof { spends, .. }, counted)) = self.proof {
            let shard = Shard::of_key(&spends.key);
            match server.ports.ledger(shard, at, spends).await? {
                Once::First => {}
                Once::Again => {
                    return Err(failed(server, counted, Reason::AssertionReplayed, at).await);
                }
            }
        }
        Ok(AuthenticatedClient(self.client))
    }
}

struct Presented {
    id: ClientId,
    method: AuthenticationMethod,
    secret: Option<Secret>,
    assertion: Option<Result<Assertion, JoseError>>,
    /// Whether it asks for a token for itself. Only the token endpoint knows the parameter.
    acts_for_itself: bool,
}

/// Authenticates the client of a request to the introspection or revocation endpoint.
///
/// # Errors
/// Why it could not be; all of them look alike outside.
pub async fn authenticate<P: Ports>(
    server: &Server<P>,
    request: &Request,
    params: &Params,
    at: &At,
) -> Result<AuthenticatedClient, Reason> {
    let proven = prove(server, request, params, at).await?;
    proven.settle(server, at).await
}

/// Authenticates the client of a request, and spends nothing.
///
/// # Errors
/// As [`authenticate`].
pub async fn prove<P: Ports>(
    server: &Server<P>,
    request: &Request,
    params: &Params,
    at: &At,
) -> Result<ProvenClient, Reason> {
    let mut presented = presented(request, params)?;
    let client = server.ports.client(&presented.id, at).await?;
    let proven = match presented.assertion.take() {
        None => check(client, &presented).map(|client| (client, None)),
        Some(assertion) => asserted(server, client, assertion, presented.acts_for_itself, at).await,
    };
    let counted = || {
        let network = request.network();
        let network = network.as_deref().unwrap_or("unknown");
        format!("client:{}:{network}", presented.id)
    };
    match proven {
        Ok((client, proof)) => Ok(ProvenClient {
            client,
            proof: proof.map(|proof| (proof, counted())),
        }),
        Err(Reason::Unavailable(away)) => Err(Reason::Unavailable(away)),
        Err(reason) => Err(failed(server, counted(), reason, at).await),
    }
}

/// Counts a failure; answers what it is, or that there were too many.
async fn failed<P: Ports>(server: &Server<P>, key: String, reason: Reason, at: &At) -> Reason {
    let failure = RecordFailure {
        key,
        limit: FAILURES,
    };
    let shard = Shard::of_key(&failure.key);
    match server.ports.ledger(shard, at, failure).await {
        Ok(None) => reason,
        Ok(Some(until)) => Reason::TooManyFailures(at.now.unix().until(until).0),
        Err(away) => Reason::Unavailable(away),
    }
}

/// Checks an assertion, of whichever kind the client may show.
async fn asserted<P: Ports>(
    server: &Server<P>,
    client: Option<Rc<Client>>,
    assertion: Result<Assertion, JoseError>,
    acts_for_itself: bool,
    at: &At,
) -> Result<(Rc<Client>, Option<Proof>), Reason> {
    let known = client.filter(|client| client.enabled);
    let client = known.ok_or(Reason::UnknownClient)?;
    let signs = matches!(
        client.authentication,
        AuthenticationMethod::PrivateKeyJwt | AuthenticationMethod::ClientSecretJwt
    );
    if client.is_public() || (!signs && client.sources.is_empty()) {
        return Err(Reason::OtherAuthenticationMethod);
    }
    let assertion = assertion.map_err(Reason::AssertionRefused)?;
    let proof = assertion::check(server, &client, assertion, acts_for_itself, at).await?;
    Ok((client, Some(proof)))
}

/// Compares whatever is there, so that an unknown client costs what a wrong secret does.
fn check(client: Option<Rc<Client>>, presented: &Presented) -> Result<Rc<Client>, Reason> {
    let known = client.filter(|client| client.enabled);
    let Some(client) = known else {
        let decoy = Secret::new("no client has this secret").digest();
        let _ = presented
            .secret
            .as_ref()
            .map(|secret| decoy.matches(secret));
        return Err(Reason::UnknownClient);
    };
    let matches = presented
        .secret
        .as_ref()
        .is_some_and(|secret| client.check_secret(secret));
    if client.is_public() {
        // A secret from a public client gives no extra trust, and none was issued to it.
        return match presented.method {
            AuthenticationMethod::None => Ok(client),
            _ => Err(Reason::OtherAuthenticationMethod),
        };
    }
    match presented.method {
        AuthenticationMethod::None => Err(Reason::NoClientAuthentication),
        method if method != client.authentication => Err(Reason::OtherAuthenticationMethod),
        _ if matches => Ok(client),
        _ => Err(Reason::WrongSecret),
    }
}

fn presented(request: &Request, params: &Params) -> Result<Presented, Reason> {
    let named = params.within("client_id", 255)?;
    let in_body = params.within("client_secret", 1024)?;
    let acts_for_itself = params.optional("grant_type")? == Some("client_credentials");
    let kind = params.optional("client_assertion_type")?;
    if let Some(compact) = params.within("client_assertion", assertion::LARGEST)? {
        if request.authorization.is_some() || in_body.is_some() {
            return Err(Reason::SeveralCredentials);
        }
        if kind != Some(assertion::TYPE) {
            return Err(Reason::AssertionTypeUnknown);
        }
        let assertion = Assertion::parse(compact);
        // RFC 7521 §4.2: who is named in the assertion need not be named beside it.
        let id = match (&assertion, named) {
            (_, Some(named)) => named,
            (Ok(assertion), None) => assertion.issuer(),
            (Err(why), None) => return Err(Reason::AssertionRefused(*why)),
        };
        return Ok(Presented {
            id: ClientId::parse(id).map_err(|_| Reason::UnknownClient)?,
            method: AuthenticationMethod::PrivateKeyJwt,
            secret: None,
            assertion: Some(assertion),
            acts_for_itself,
        });
    }
    if kind.is_some() {
        return Err(Reason::NoClientAuthentication);
    }
    if let Some(header) = request.authorization.as_deref() {
        let (id, secret) = basic(header).ok_or(Reason::NoClientAuthentication)?;
        if in_body.is_some() {
            return Err(Reason::SeveralCredentials);
        }
        if named.is_some_and(|named| named != id) {
            return Err(Reason::SeveralCredentials);
        }
        let id = ClientId::parse(&id).map_err(|_| Reason::UnknownClient)?;
        let method = AuthenticationMethod::ClientSecretBasic;
        return Ok(Presented {
            id,
            method,
            secret: Some(Secret::new(secret)),
            assertion: None,
            acts_for_itself,
        });
    }
    let id = named.ok_or(Reason::NoClientAuthentication)?;
    let id = ClientId::parse(id).map_err(|_| Reason::UnknownClient)?;
    let method = match in_body {
        Some(_) => AuthenticationMethod::ClientSecretPost,
        None => AuthenticationMethod::None,
    };
    Ok(Presented {
        id,
        method,
        secret: in_body.map(Secret::new),
        assertion: None,
        acts_for_itself,
    })
}

/// Id and secret of a `Basic` header (RFC 7617), both form-encoded as RFC 6749 §2.3.1 says; nothing
/// when it is none.
#[must_use]
pub fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") || encoded.len() > 2048 {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    Some((form_decoded(id)?, form_decoded(secret)?))
}

fn form_decoded(text: &str) -> Option<String> {
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Some(text.to_owned());
    }
    // `&` and `=` would end the pair; encoded text has neither.
    if text.contains(['&', '=']) {
        return None;
    }
    let pair = format!("x={text}");
    form_urlencoded::parse(pair.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> String {
        format!("Basic {}", STANDARD.encode(text))
    }

    #[test]
    fn te_5_id_and_secret_are_form_decoded() {
        let read = basic(&header("a%2Eb:s%3Ae%25c+r")).unwrap();
        assert_eq!(read, ("a.b".to_owned(), "s:e%c r".to_owned()));
        assert_eq!(
            basic(&header("a:b=c")),
            Some(("a".to_owned(), "b=c".to_owned()))
        );
    }

    #[test]
    fn what_is_not_basic_is_not_read() {
        for text in [
            "",
            "Basic",
            "Basic ",
            "Basic !!!",
            "Bearer YTpi",
            "Basic YQ==",
        ] {
            assert_eq!(basic(text), None, "{text}");
        }
        assert!(basic("bAsIc YTpi").is_some());
    }
}
