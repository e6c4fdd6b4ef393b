//! `/api/v1/quota-overrides` (seed 001): what replaces the configured quotas until it is taken away again.
//! Everybody may read it, as they are told when they are held to it; administrators write it.

use serde_json::{Map, Value};

use super::{actor, body, problem};
use crate::directory::Unfit;
use crate::directory::record::Actor;
use crate::error::Reason;
use crate::http::{Request, Response};
use crate::model::Quotas;
use crate::model::scope::OWN;
use crate::ports::directory::{ChangeQuotas, ReadQuotas};
use crate::ports::{At, Ports};
use crate::server::Server;

/// Answers it.
pub async fn answer<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Response {
    let answer = respond(server, request, at).await;
    answer.unwrap_or_else(problem::unprocessable)
}

async fn respond<P: Ports>(
    server: &Server<P>,
    request: &Request,
    at: &At,
) -> Result<Response, Reason> {
    if request.method == "GET" {
        // Whatever the credential allows: that it is one was proven before that is asked.
        match actor::prove(server, request, OWN, at).await {
            Ok(_) | Err(Reason::InsufficientScope(_)) => {}
            Err(reason) => return Err(reason),
        }
        let kept = server.ports.directory(at, ReadQuotas {}).await?;
        let overrides = kept.overrides.ok_or(Reason::NoSuchRecord)?;
        return Ok(told(overrides));
    }
    let administrator = actor::administrator(server, request, at).await?;
    let actor = Actor {
        name: administrator.name,
        address: request.address.clone(),
    };
    let overrides = match request.method.as_str() {
        "DELETE" => None,
        _ => Some(read(request)?.print()),
    };
    let change = ChangeQuotas {
        overrides: overrides.clone(),
        actor,
    };
    let known = server.ports.directory(at, change).await?;
    match overrides {
        Some(overrides) => Ok(told(overrides)),
        None if known => Ok(Response::empty(204)),
        None => Err(Reason::NoSuchRecord),
    }
}

fn read(request: &Request) -> Result<Quotas, Reason> {
    Quotas::read(&body::object(request)?).map_err(|unfit| {
        let unfit = unfit.into_iter();
        Reason::UnfitField(
            unfit
                .map(|(place, rule)| Unfit::new(&place, rule))
                .collect(),
        )
    })
}

fn told(overrides: Map<String, Value>) -> Response {
    Response::json(200, Value::Object(overrides).to_string())
}
