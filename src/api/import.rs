//! `POST /api/v1/import`: lines that [`super::export`] wrote, its first line before them. All of a batch
//! is written or none of it, and what is here already is passed over; so a batch may come again.

use serde_json::{Map, Value, json};

use super::export::{FORMAT, NAMED, passphrase, unfit};
use super::{actor, problem};
use crate::directory::copy::{Conflict, Copied, Imported};
use crate::directory::keys::{KeyChange, KeyChanged};
use crate::directory::records::{Actor, Record};
use crate::error::Reason;
use crate::http::{Request, Response};
use crate::jose::{PublicKey, base64url};
use crate::message;
use crate::model::UnixTime;
use crate::oauth::password;
use crate::ports::directory::{ChangeKey, ImportRecords, StoredKey};
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::passphrase::read_clear;

/// Lines of one batch: subjects and roles are told to shards before they are acknowledged.
const MOST_LINES: usize = 200;

/// What came of a batch: `{"imported": …, "skipped": …, "conflicts": […]}`.
pub async fn answer<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Response {
    match import(server, request, at).await {
        Ok((imported, skipped, conflicts)) if conflicts.is_empty() => {
            let told = json!({"imported": imported, "skipped": skipped, "conflicts": []});
            Response::json(200, told.to_string())
        }
        Ok((.., conflicts)) => conflicting(&conflicts),
        Err(reason) => problem::refusal(reason),
    }
}

type Told = (u64, u64, Vec<Conflict>);

async fn import<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Result<Told, Reason> {
    let who = actor::token_administrator(server, request, at).await?;
    let actor = Actor {
        name: who.name,
        address: request.address.clone(),
    };
    let passphrase = passphrase(request)?;
    let lines = request.lines()?.lines().zip(1..);
    let mut lines = lines.filter(|(line, _)| !line.is_empty());
    let no_export = Reason::MalformedBody("the first line of an export and some of its lines");
    let (first, _) = lines.next().ok_or(no_export.clone())?;
    let salt = salt(first).ok_or(no_export)?;
    let key = password::stretch(passphrase, &salt)?;
    if key.open(first).is_none() {
        return Err(unfit(
            "is not the passphrase of this export, or its first line was changed",
        ));
    }
    let mut batch = Batch::default();
    for (line, number) in lines {
        if batch.lines >= MOST_LINES {
            return Err(Reason::TooLarge);
        }
        let bad = |rule| Reason::unfit(&format!("line_{number}"), rule);
        let (clear, secret) = key
            .open(line)
            .ok_or(bad("is not a line of this export, or was changed"))?;
        batch
            .add(server, number, &clear, secret)
            .await
            .ok_or(bad("has not the shape of a line of an export"))?;
    }
    let Batch { records, keys, .. } = batch;
    let (mut imported, mut skipped) = (0, 0);
    if !records.is_empty() {
        let actor = actor.clone();
        let verb = ImportRecords { records, actor };
        match server.ports.directory(at, verb).await? {
            Imported::Done(written, passed) => (imported, skipped) = (written, passed),
            Imported::Conflicts(conflicts) => return Ok((0, 0, conflicts)),
            Imported::Full => return Err(Reason::CollectionFull),
            Imported::LastAdministrator => return Err(Reason::LastAdministrator),
        }
    }
    if !keys.is_empty() {
        let all = count(keys.len());
        let change = KeyChange::Restore(keys);
        match server
            .ports
            .directory(at, ChangeKey { change, actor })
            .await?
        {
            KeyChanged::Restored(restored) => {
                imported += count(restored);
                skipped += all.saturating_sub(count(restored));
            }
            _ => return Err(Reason::TooManyKeys),
        }
    }
    Ok((imported, skipped, Vec::new()))
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// The salt in the first line of an export of this format.
fn salt(first: &str) -> Option<[u8; 16]> {
    let first = read_clear(first)?;
    let Some(Value::Object(kdf)) = first.get("kdf") else {
        return None;
    };
    let mut setting = password::setting();
    let salt = kdf.get("salt")?;
    setting
        .as_object_mut()?
        .insert("salt".to_owned(), salt.clone());
    // Another setting than ours would let a file say how much memory we take.
    let known = first.get(NAMED) == Some(&json!(FORMAT)) && setting == Value::Object(kdf.clone());
    let salt = base64url::decode(salt.as_str()?).ok()?;
    salt.try_into().ok().filter(|_| known)
}

#[derive(Default)]
struct Batch {
    lines: usize,
    records: Vec<Copied>,
    keys: Vec<StoredKey>,
}

impl Batch {
    async fn add<P: Ports>(
        &mut self,
        server: &Server<P>,
        line: u64,
        clear: &Map<String, Value>,
        secret: Map<String, Value>,
    ) -> Option<()> {
        self.lines += 1;
        let Some(collection) = clear.get("collection") else {
            // Where the export goes on, or that it is complete.
            return Some(());
        };
        let Some(Value::Object(fields)) = clear.get("fields") else {
            return None;
        };
        if collection == "keys" {
            let key = restored(server, fields, &secret).await?;
            self.keys.push(key);
            return Some(());
        }
        let mut fields = fields.clone();
        fields.retain(|name, _| !name.starts_with('_'));
        fields.extend(secret);
        self.records.push(Copied {
            line,
            collection: message::read_value(collection).ok()?,
            record: Record {
                id: clear.get("id")?.as_u64()?,
                version: clear.get("version")?.as_u64()?,
                generation: 0,
                fields,
            },
        });
        Some(())
    }
}

/// A signing key, its private part under our own root.
async fn restored<P: Ports>(
    server: &Server<P>,
    fields: &Map<String, Value>,
    secret: &Map<String, Value>,
) -> Option<StoredKey> {
    let public = fields.get("public_jwk")?.to_string();
    let public = PublicKey::parse(public.as_bytes()).ok()?;
    let kid = public.thumbprint();
    let public = public.with_kid(kid);
    let mut key = match secret.get("private").and_then(Value::as_str) {
        Some(private) => server.ports.restore(&public, private).await.ok()?,
        None => StoredKey::new(&public, String::new()),
    };
    key.signs_from = UnixTime(fields.get("signs_from")?.as_u64()?);
    let until = fields.get("published_until").and_then(Value::as_u64);
    key.published_until = until.map(UnixTime);
    Some(key)
}

/// 409 with what stands in the way, by its line in the body.
fn conflicting(conflicts: &[Conflict]) -> Response {
    let field = conflicts.first().map(|conflict| conflict.field.clone());
    let response = problem::refusal(Reason::ValueTaken(field.unwrap_or_default()));
    let mut body = crate::jose::parse_strict_object(response.body.as_bytes()).unwrap_or_default();
    body.insert("imported".to_owned(), json!(0));
    body.insert("skipped".to_owned(), json!(0));
    body.insert("conflicts".to_owned(), json!(conflicts));
    response.with_body(Value::Object(body).to_string())
}
