//! `POST /api/v1/import`: lines that [`super::export`] wrote, its first line before them. All of a batch
//! is written or none of it, and what is here already is passed over; so a batch may come again. Signing
//! keys come after the records of their batch.

use serde_json::{Map, Value};

use super::export::{FORMAT, NAMED, READABLE, passphrase, unfit};
use super::{actor, problem};
use crate::directory::keys::{KeyChange, KeyChanged};
use crate::directory::record::{Actor, Changed, Fields};
use crate::directory::secrets;
use crate::error::Reason;
use crate::http::{Request, Response};
use crate::jose::{PublicKey, base64url};
use crate::message;
use crate::model::Secret;
use crate::oauth::password;
use crate::ports::directory::{ChangeKey, ImportRecords, StoredKey};
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::client_secret::ClientSecret;
use crate::token::passphrase::read_clear;

/// Lines of one batch: subjects and roles are told to shards before they are acknowledged.
const MOST_LINES: usize = 200;

/// What came of a batch: `{"imported": …, "skipped": …, "conflicts": […]}`; 409 with the same members
/// where something stands in the way, by its line in the body.
pub async fn answer<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Response {
    match import(server, request, at).await {
        Ok(told) => {
            let clear = matches!(told.get("conflicts"), Some(Value::Array(all)) if all.is_empty());
            let told = Value::Object(told).to_string();
            if clear {
                return Response::json(200, told);
            }
            let refusal = problem::refusal(Reason::ValueTaken("field".to_owned()));
            let (problem, told) = (refusal.body.strip_suffix('}'), told.strip_prefix('{'));
            let body = [problem.unwrap_or_default(), ",", told.unwrap_or_default()].concat();
            refusal.with_body(body)
        }
        Err(reason) => problem::refusal(reason),
    }
}

async fn import<P: Ports>(
    server: &Server<P>,
    request: &Request,
    at: &At,
) -> Result<Fields, Reason> {
    let who = actor::token_administrator(server, request, at).await?;
    let actor = Actor {
        name: who.name,
        address: request.address.clone(),
    };
    let lines = request.lines()?;
    let mut batch = read(passphrase(request)?, lines)?;
    for copy in &mut batch.copies {
        reseal(server, copy)?;
    }
    let verb = ImportRecords {
        copies: batch.copies,
        actor: actor.clone(),
    };
    let mut told = match server.ports.directory(at, verb).await? {
        Changed::Done(told) => told,
        Changed::LastAdministrator => return Err(Reason::LastAdministrator),
        _ => return Err(Reason::CollectionFull),
    };
    let conflicts = told.get("conflicts") != Some(&Value::Array(Vec::new()));
    if conflicts || batch.keys.is_empty() {
        return Ok(told);
    }
    let mut keys = Vec::new();
    for (key, public, private) in batch.keys {
        keys.push(match private {
            // Under our own root.
            Some(private) => StoredKey {
                wrapped: server.ports.rewrap(&public, &private).await?.wrapped,
                ..key
            },
            None => key,
        });
    }
    let all = keys.len();
    let change = KeyChange::Restore(keys);
    let change = ChangeKey { change, actor };
    let KeyChanged::Restored(restored) = server.ports.directory(at, change).await? else {
        return Err(Reason::TooManyKeys);
    };
    for (name, more) in [
        ("imported", restored),
        ("skipped", all.saturating_sub(restored)),
    ] {
        let more = u64::try_from(more).unwrap_or_default();
        let before = told.get(name).and_then(Value::as_u64).unwrap_or_default();
        told.insert(name.to_owned(), Value::from(before + more));
    }
    Ok(told)
}

/// Puts a client's readable secrets under our own root.
fn reseal<P: Ports>(server: &Server<P>, copy: &mut Fields) -> Result<(), Reason> {
    let fields = copy.get_mut("fields").and_then(Value::as_object_mut);
    let secrets = fields.and_then(|fields| fields.get_mut(secrets::FIELD)?.as_array_mut());
    for kept in secrets.into_iter().flatten() {
        let Some(kept) = kept.as_object_mut() else {
            continue;
        };
        // Under whose root that was, nobody says.
        kept.remove(secrets::SEALED);
        if let Some(Value::String(secret)) = kept.remove(READABLE) {
            let id = server.fresh_id()?;
            let sealed = ClientSecret::seal(&Secret::new(secret), &server.keyring, id)?;
            kept.insert(secrets::SEALED.to_owned(), Value::from(sealed));
        }
    }
    Ok(())
}

/// What the lines of a body hold.
#[derive(Default)]
struct Batch {
    copies: Vec<Fields>,
    keys: Vec<(StoredKey, PublicKey, Option<String>)>,
}

fn read(passphrase: &Secret, body: &str) -> Result<Batch, Reason> {
    let mut lines = body.lines();
    let first = lines.next().unwrap_or_default();
    let salt = salt(first).ok_or(Reason::MalformedBody(
        "the first line of an export and some of its lines",
    ))?;
    let key = password::stretch(passphrase, &salt)?;
    if key.open(first).is_none() {
        return Err(unfit(
            "is not the passphrase of this export, or its first line was changed",
        ));
    }
    let mut batch = Batch::default();
    for (at, line) in lines.enumerate() {
        if at >= MOST_LINES {
            return Err(Reason::TooLarge);
        }
        let number = at + 2;
        let added = key
            .open(line)
            .and_then(|(clear, secret)| batch.add(number, clear, secret));
        added.ok_or(Reason::unfit(
            &format!("line_{number}"),
            "is not a line of this export, or was changed",
        ))?;
    }
    Ok(batch)
}

/// The salt in the first line of an export of this format. Another setting than ours would let a file
/// say how much memory we take.
fn salt(first: &str) -> Option<[u8; 16]> {
    let first = read_clear(first)?;
    let kdf = first.get("kdf")?.as_str()?;
    let salt = base64url::decode(kdf.strip_prefix(password::SETTING)?).ok()?;
    let known = first.get(NAMED)?.as_u64() == Some(FORMAT);
    salt.try_into().ok().filter(|_| known)
}

impl Batch {
    fn add(
        &mut self,
        line: usize,
        mut clear: Map<String, Value>,
        secret: Map<String, Value>,
    ) -> Option<()> {
        let Some(collection) = clear.get("collection") else {
            // Where the export goes on, or that it is complete.
            return Some(());
        };
        if collection == "keys" {
            let key: StoredKey = message::read_value(clear.get("fields")?).ok()?;
            let public = PublicKey::parse(key.public.as_bytes()).ok()?;
            let private = secret.get("private").and_then(Value::as_str);
            let private = private.map(str::to_owned);
            let known = public.thumbprint() == key.kid;
            self.keys.push((known.then_some(key)?, public, private));
        } else {
            let line = u64::try_from(line).ok()?;
            clear.get_mut("fields")?.as_object_mut()?.extend(secret);
            clear.insert("line".to_owned(), Value::from(line));
            self.copies.push(clear);
        }
        Some(())
    }
}
