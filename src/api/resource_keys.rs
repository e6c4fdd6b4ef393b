//! `POST /api/v1/resource-keys`: hands the key of one resource to its owner, by an administrator.

use super::{actor, body, problem};
use crate::directory::record::Actor;
use crate::error::Reason;
use crate::http::{Request, Response};
use crate::ports::directory::{Event, NoteEvent};
use crate::ports::{At, Ports};
use crate::server::Server;

/// Characters of a resource: the longest that a token can have as its audience.
const LONGEST: usize = 2048;

/// Answers [`crate::token::ResourceKeys::to_json`] for `{"resource": …}`. Whoever has the key opens that
/// resource's tokens and can make some: it is told once it is in the history, and never to a page.
pub async fn answer<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Response {
    match export(server, request, at).await {
        Ok(body) => Response::json(200, body),
        Err(reason) => problem::refusal(reason),
    }
}

async fn export<P: Ports>(
    server: &Server<P>,
    request: &Request,
    at: &At,
) -> Result<String, Reason> {
    let who = actor::token_administrator(server, request, at).await?;
    let members = body::object_of(request, &["resource"])?;
    let resource = body::required(&members, "resource")?;
    let control = resource.chars().any(char::is_control);
    if resource.is_empty() || resource.len() > LONGEST || control {
        return Err(Reason::unfit("resource", "has to be 1 to 2048 characters"));
    }
    // Its tokens administer this deployment.
    if resource == server.config.api_audience() {
        return Err(Reason::unfit(
            "resource",
            "is our own, whose key nobody gets",
        ));
    }
    let epoch = server.ports.revocations(at).await?.epoch();
    let keys = server.keyring.resource_keys(resource, epoch)?;
    let event = Event::ResourceKey(resource.to_owned());
    let actor = Actor {
        name: who.name,
        address: request.address.clone(),
    };
    server
        .ports
        .directory(at, NoteEvent { event, actor })
        .await?;
    Ok(keys.to_json().to_string())
}
