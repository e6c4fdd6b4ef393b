//! `POST /api/v1/epoch`: begins an epoch. Whatever was sealed before ends, but for signing keys.

use serde_json::json;

use super::{actor, body, problem};
use crate::directory::record::Actor;
use crate::error::Reason;
use crate::http::{Request, Response};
use crate::ports::directory::{Event, NoteEvent};
use crate::ports::feed::RaiseEpoch;
use crate::ports::{At, Ports};
use crate::server::Server;

/// Raises the epoch; answers `{"epoch": …}`, alike where the same request comes again. Where the
/// history cannot be written the answer is 503 and the epoch has begun all the same.
pub async fn answer<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Response {
    match raise(server, request, at).await {
        Ok(epoch) => Response::json(200, json!({ "epoch": epoch }).to_string()),
        Err(reason) => problem::refusal(reason),
    }
}

async fn raise<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Result<u32, Reason> {
    let who = actor::token_administrator(server, request, at).await?;
    // There is nothing to say; who says something else meant something else.
    if request.oversized || !request.body.is_empty() {
        body::object_of(request, &[])?;
    }
    let epoch = server.ports.feed(at, RaiseEpoch {}).await?;
    let actor = Actor {
        name: who.name,
        address: request.address.clone(),
    };
    let event = Event::Epoch(epoch);
    server
        .ports
        .directory(at, NoteEvent { event, actor })
        .await?;
    Ok(epoch)
}
