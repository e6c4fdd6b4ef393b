//! Client authentication, RFC 6749 §2.3: exactly one way, and the one it is registered for.

use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::params::Params;
use crate::error::Reason;
use crate::http::Request;
use crate::model::{AuthenticationMethod, Client, ClientId, Seconds, Secret, Shard};
use crate::ports::ledger::{RateLimit, RecordFailure};
use crate::ports::{At, Ports};
use crate::server::Server;

/// The parameters this reads.
pub const PARAMETERS: [&str; 3] = ["client_id", "client_secret", "client_assertion"];

/// Failures of one client from one address in ten minutes before the answer says to wait. Our
/// secrets have 256 bits, so this hinders nobody who guesses; it keeps a broken client's loop
/// from filling logs, and success never asks for it.
const FAILURES: RateLimit = RateLimit {
    most: 20,
    window: Seconds(600),
};

/// A client that proved who it is; a public one by having nothing to prove with.
/// Only [`authenticate`] and [`bound`] make one.
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

struct Presented {
    id: ClientId,
    method: AuthenticationMethod,
    secret: Option<Secret>,
}

/// Authenticates the client of a request to the token, introspection or revocation endpoint.
///
/// # Errors
/// Why it could not be; all of them look alike outside.
pub async fn authenticate<P: Ports>(
    server: &Server<P>,
    request: &Request,
    params: &Params,
    at: &At,
) -> Result<AuthenticatedClient, Reason> {
    let presented = presented(request, params)?;
    let client = server.ports.client(&presented.id, at).await?;
    match check(client, &presented) {
        Ok(client) => Ok(AuthenticatedClient(client)),
        Err(reason) => {
            let network = request.network();
            let network = network.as_deref().unwrap_or("unknown");
            let key = format!("client:{}:{network}", presented.id);
            let failure = RecordFailure {
                key: key.clone(),
                limit: FAILURES,
            };
            match server
                .ports
                .ledger(Shard::of_key(&key), at, failure)
                .await?
            {
                Some(until) => Err(Reason::TooManyFailures(at.now.unix().until(until).0)),
                None => Err(reason),
            }
        }
    }
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
    if params.optional("client_assertion")?.is_some() {
        return Err(Reason::OtherAuthenticationMethod);
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
    if !text.contains(['%', '+']) {
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
