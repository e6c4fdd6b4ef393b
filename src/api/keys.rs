//! `POST /api/v1/keys/rotate`: a successor for every signing key, published before its first use;
//! with `{"at_once": true}` it signs at once and what the keys of before signed is refused.

use serde_json::{Value, json};

use super::{actor, body, problem};
use crate::error::Reason;
use crate::http::{Request, Response};
use crate::jose::Algorithm;
use crate::ports::directory::{AddKeys, KeySet};
use crate::ports::{At, Ports};
use crate::server::Server;

/// Rotates; answers with the public facts of every key.
pub async fn rotate<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Response {
    match add(server, request, at).await {
        Ok(keys) => Response::json(200, view(&keys)),
        Err(reason) => problem::refusal(reason),
    }
}

async fn add<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Result<KeySet, Reason> {
    actor::administrator(server, request, at).await?;
    let at_once = at_once(request)?;
    server.ports.keys(at).await?;
    let mut keys = Vec::new();
    for algorithm in Algorithm::ALL {
        keys.push(server.ports.generate(algorithm).await?);
    }
    let add = AddKeys {
        keys,
        rotate: true,
        at_once,
    };
    Ok(server.ports.directory(at, add).await?)
}

/// A request without a body asks for nothing special.
fn at_once(request: &Request) -> Result<bool, Reason> {
    if request.body.is_empty() && !request.oversized {
        return Ok(false);
    }
    match body::object_of(request, &["at_once"])?.get("at_once") {
        None => Ok(false),
        Some(Value::Bool(at_once)) => Ok(*at_once),
        Some(_) => Err(Reason::unfit("at_once", "has to be true or false")),
    }
}

fn view(keys: &KeySet) -> String {
    let keys: Vec<_> = keys
        .keys
        .iter()
        .map(|key| {
            json!({
                "kid": key.kid,
                "algorithm": key.algorithm,
                "signs_from": key.signs_from,
                "published_until": key.published_until,
            })
        })
        .collect();
    json!({ "keys": keys }).to_string()
}
