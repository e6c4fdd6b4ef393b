//! `/api/v1/keys/` and `/api/v1/keys/{kid}/`: signing keys, their public facts and no others. To list,
//! make, import and retire them; and `POST /api/v1/keys/rotate`: a successor for every one, published
//! before its first use; with `{"at_once": true}` it signs at once and what the keys of before signed is
//! refused.

use serde_json::{Value, json};

use super::actor::{self, Administrator};
use super::{body, problem, records};
use crate::directory::keys::{KeyChange, KeyChanged, KeyState};
use crate::directory::list::page_of;
use crate::directory::record::{Actor, Fields};
use crate::error::Reason;
use crate::http::{Request, Response};
use crate::jose::{Algorithm, JoseError, PrivateJwk, parse_strict_object};
use crate::model::UnixTime;
use crate::ports::directory::{AddKeys, ChangeKey, KeySet, ReadKeys, StoredKey};
use crate::ports::{At, Ports};
use crate::server::Server;

/// Where keys are, under the issuer.
pub const BASE: &str = "/api/v1/keys/";

/// What may be done to all of them, and to one.
const TO_ALL: &str = "GET, HEAD, POST";
const TO_ONE: &str = "GET, HEAD, DELETE";

/// The members of a new key.
const ALG: &str = "alg";
const PRIVATE_JWK: &str = "private_jwk";

/// What a list is ordered and filtered by.
const LISTED: [&str; 7] = [
    "pk",
    "kid",
    "name",
    ALG,
    "signs_from",
    "published_until",
    "state",
];

/// Answers everything below [`BASE`] that has no route of its own.
pub async fn answer<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Response {
    let answer = async {
        let who = actor::administrator(server, request, at).await?;
        let now = at.now.unix();
        let name = name(&request.path).ok_or(Reason::NoSuchRecord)?;
        let change = match (request.method.as_str(), name) {
            ("GET", name) => {
                let keys = server.ports.directory(at, ReadKeys {}).await?;
                let mut published = keys.published(now);
                let Some(name) = name else {
                    let known = |name: &str| LISTED.into_iter().find(|listed| *listed == name);
                    let read = |_: &str, value: &str| Some(value.to_owned());
                    let query = records::parse_query(&request.query, &known, &read)?;
                    let all = published.map(|key| view(key, keys.state(key, now)));
                    let page = page_of(all.collect(), &query);
                    return records::envelope(&query, page.count, json!(page.results));
                };
                let key = published.find(|key| key.is_called(name));
                let key = key.ok_or(Reason::NoSuchRecord)?;
                return Ok(records::shown(200, view(key, keys.state(key, now))));
            }
            ("POST", None) => KeyChange::Add(wanted(server, request).await?),
            ("DELETE", Some(name)) => KeyChange::Retire(name.to_owned()),
            (_, None) => return Err(Reason::MethodNotAllowed(TO_ALL)),
            (_, Some(_)) => return Err(Reason::MethodNotAllowed(TO_ONE)),
        };
        let actor = actor_of(request, who);
        let added = change.adds();
        let changed = server.ports.directory(at, ChangeKey { change, actor });
        let key = match changed.await? {
            KeyChanged::Done(key) if added => key,
            KeyChanged::Done(_) => return Ok(Response::empty(204)),
            KeyChanged::Known => return Err(Reason::ValueTaken("kid".to_owned())),
            KeyChanged::Full => return Err(Reason::TooManyKeys),
            KeyChanged::Signs => return Err(Reason::KeySigns),
            KeyChanged::Unknown | KeyChanged::Restored(_) => return Err(Reason::NoSuchRecord),
        };
        let state = if key.signs_from > now {
            KeyState::Waiting
        } else {
            KeyState::Signing
        };
        let location = server.config.url(&[BASE, &key.kid, "/"].concat());
        Ok(records::shown(201, view(&key, state)).with("location", location))
    };
    answer.await.unwrap_or_else(problem::refusal)
}

/// The key that a path names, if it names one at all; nothing where it is no path of keys.
fn name(path: &str) -> Option<Option<&str>> {
    let rest = path.strip_prefix(BASE)?;
    if rest.is_empty() {
        return Some(None);
    }
    let name = rest.strip_suffix('/')?;
    (!name.is_empty() && !name.contains('/')).then_some(Some(name))
}

/// The key that a body describes: a new one, or one from elsewhere.
async fn wanted<P: Ports>(server: &Server<P>, request: &Request) -> Result<StoredKey, Reason> {
    let members = body::object(request)?;
    let unknown = |name: &&String| ![ALG, PRIVATE_JWK].contains(&name.as_str());
    if let Some(name) = members.keys().find(unknown) {
        return Err(Reason::unfit(name, "is not a field here"));
    }
    let algorithm = Algorithm::parse(body::required(&members, ALG)?)
        .map_err(|_| Reason::unfit(ALG, "has to be an algorithm that the metadata names"))?;
    let unfit = |rule| Reason::unfit(PRIVATE_JWK, rule);
    let jwk = match members.get(PRIVATE_JWK) {
        None | Some(Value::Null) => return Ok(server.ports.generate(algorithm).await?),
        Some(Value::Object(jwk)) => PrivateJwk::read(algorithm, jwk).map_err(unfit)?,
        Some(_) => return Err(unfit("has to be a JWK")),
    };
    match server.ports.import(&jwk).await {
        Err(JoseError::KeyInvalid) => Err(unfit(
            "has private and public parts that do not belong together",
        )),
        imported => Ok(imported?),
    }
}

fn actor_of(request: &Request, who: Administrator) -> Actor {
    Actor {
        name: who.name,
        address: request.address.clone(),
    }
}

/// A key as it is answered. Times are RFC 3339 in UTC.
fn view(key: &StoredKey, state: KeyState) -> Fields {
    let public = parse_strict_object(key.public.as_bytes()).unwrap_or_default();
    let until = key.published_until.map(UnixTime::rfc3339);
    let mut fields = Fields::new();
    let mut put = |name: &str, value| {
        fields.insert(name.to_owned(), value);
    };
    put("pk", Value::from(key.pk()));
    put("kid", Value::from(key.kid.as_str()));
    put("name", Value::from(key.kid.as_str()));
    put(ALG, Value::from(key.algorithm.name()));
    put("use", Value::from("sig"));
    put("public_jwk", Value::Object(public));
    put("signs_from", Value::from(key.signs_from.rfc3339()));
    put("published_until", Value::from(until));
    put("state", Value::from(state.as_str()));
    fields
}

/// Rotates; answers with the public facts of every key.
pub async fn rotate<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Response {
    match add(server, request, at).await {
        Ok(keys) => Response::json(200, rotated(&keys)),
        Err(reason) => problem::refusal(reason),
    }
}

async fn add<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Result<KeySet, Reason> {
    let who = actor::administrator(server, request, at).await?;
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
        actor: Some(actor_of(request, who)),
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

fn rotated(keys: &KeySet) -> String {
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
