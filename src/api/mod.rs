//! The management API under `/api/v1`: records of every kind, what users have of their own, the first run,
//! signing keys, the whole of it on its way out and in, the epoch, what was revoked, the keys of resources, and who may act.

pub mod actor;
mod audit;
pub mod body;
pub mod epoch;
pub mod export;
pub mod first_run;
pub mod import;
mod issued;
pub mod keys;
pub mod problem;
mod providers;
pub mod quotas;
pub mod records;
pub mod resource_keys;
pub mod revocations;
mod token_facts;
mod token_fields;
mod token_history;
mod token_making;
pub mod tokens;
pub mod users;

use crate::error::Reason;
use crate::http::{Request, Response};
use crate::ports::{At, Ports};
use crate::server::{Endpoint, Server};

/// Answers a request of the management API. It never fails: every refusal is an answer.
pub async fn answer<P: Ports>(
    server: &Server<P>,
    endpoint: Endpoint,
    request: &Request,
    at: &At,
) -> Response {
    if !server.config.available && !endpoint.serves_resources() {
        return problem::refusal(Reason::Maintenance);
    }
    match endpoint {
        Endpoint::FirstRun => first_run::answer(server, request, at).await,
        Endpoint::RotateKeys => keys::rotate(server, request, at).await,
        Endpoint::Export => export::answer(server, request, at).await,
        Endpoint::Import => import::answer(server, request, at).await,
        Endpoint::Epoch => epoch::answer(server, request, at).await,
        Endpoint::Revocations => revocations::answer(server, request, at).await,
        Endpoint::ResourceKeys => resource_keys::answer(server, request, at).await,
        Endpoint::Records if request.path.starts_with(keys::BASE) => {
            keys::answer(server, request, at).await
        }
        Endpoint::Records => records::answer(server, request, at).await,
        Endpoint::Users => users::answer(server, request, at).await,
        Endpoint::Tokens => tokens::answer(server, request, at).await,
        Endpoint::QuotaOverrides => quotas::answer(server, request, at).await,
        _ => Response::refusal(Reason::Internal(
            "this endpoint is none of the management API",
        )),
    }
}
