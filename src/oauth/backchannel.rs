//! Logout tokens, OpenID Connect Back-Channel Logout 1.0 §2.4: how a client is told that a session has
//! ended in which it got an ID token. Who is told is noted by the ledger, and sent by the courier; the
//! token is made when it is sent, so that it is young and of the key that signs then.

use serde_json::{Map, json};

use super::signing;
use crate::error::Reason;
use crate::model::target::may_be_fetched;
use crate::model::{Client, Scope, Seconds};
use crate::ports::logouts::{Joining, Notice};
use crate::ports::{At, Ports};
use crate::server::Server;

/// `typ` of its header.
pub const JWT_TYPE: &str = "logout+jwt";
/// The member of `events` that makes it one.
pub const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// How long it is to be accepted: two minutes are the most that §4 prefers.
const LIFETIME: Seconds = Seconds(120);

/// What there is to send.
#[derive(Debug, PartialEq, Eq)]
pub enum Prepared {
    /// This, to there.
    Send {
        /// Where.
        uri: String,
        /// The token.
        token: String,
    },
    /// Nothing: the client does not want to hear of it any more, or is none.
    Unwanted,
    /// Nothing: we do not send to where it wants to hear of it.
    Refused,
}

/// What the ledger notes of a client that is to be told when the session ends: nothing of one that is
/// not, or gets no ID token.
#[must_use]
pub fn joining<P>(server: &Server<P>, client: &Client, scope: &Scope) -> Option<Joining> {
    let told = client.backchannel_logout_uri.is_some() && scope.contains("openid");
    told.then(|| Joining {
        sub_mode: client.sub_mode,
        issuer: server.config.issuer.clone(),
    })
}

/// Makes the token for a notice; `id` is another one for every attempt, because a client may refuse one
/// that it has seen (§2.6).
///
/// # Errors
/// [`Reason::Unavailable`] or [`Reason::Internal`].
pub async fn prepare<P: Ports>(
    server: &Server<P>,
    notice: &Notice,
    id: &str,
    at: &At,
) -> Result<Prepared, Reason> {
    let client = server.ports.client(&notice.client, at).await?;
    let Some(client) = client.filter(|client| client.enabled) else {
        return Ok(Prepared::Unwanted);
    };
    let Some(uri) = client.backchannel_logout_uri.clone() else {
        return Ok(Prepared::Unwanted);
    };
    // A record may be older than the rule, or than the switch.
    if !may_be_fetched(&uri, server.config.danger_allow_private_fetch_targets) {
        return Ok(Prepared::Refused);
    }
    let now = at.now.unix();
    let mut members = Map::new();
    for (name, value) in [
        ("iss", json!(server.config.issuer_of(&client))),
        ("aud", json!(client.id)),
        ("iat", json!(now)),
        ("exp", json!(now + LIFETIME)),
        ("jti", json!(id)),
        ("sub", json!(notice.sub)),
        ("sid", json!(notice.session)),
        ("events", json!({ EVENT: {} })),
    ] {
        members.insert(name.to_owned(), value);
    }
    let token = signing::sign(server, &client, JWT_TYPE, &members, at).await?;
    Ok(Prepared::Send { uri, token })
}
