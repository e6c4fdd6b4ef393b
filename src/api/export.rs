//! `GET /api/v1/export`: the deployment, a page at a time, as lines of JSON. What is private is sealed
//! under a passphrase, and no line can be changed without it; [`super::import`] takes them.
//!
//! ```text
//! {"edgemint_export":1,"exported_at":…,"issuer":…,"kdf":{"name":…,"m":…,"t":…,"p":…,"salt":…},"version":…,"sealed":…}
//! {"collection":"users","fields":{…},"id":…,"version":…,"sealed":…}      as many as there are
//! {"next":"users:4000000000001","sealed":…}    or    {"complete":true,"counts":{…},"sealed":…}
//! ```

use serde_json::{Map, Value, json};

use super::{actor, problem};
use crate::directory::Collection;
use crate::error::Reason;
use crate::http::{Request, Response};
use crate::jose::{base64url, parse_strict_object};
use crate::message;
use crate::model::Secret;
use crate::oauth::password;
use crate::ports::directory::{ExportRecords, ReadKeys, StoredKey};
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::passphrase::LineKey;

/// The number of this format. What an older release wrote is understood.
pub(super) const FORMAT: u64 = 1;
/// The member that says so.
pub(super) const NAMED: &str = "edgemint_export";
/// The header with the passphrase.
const PASSPHRASE: &str = "X-Export-Passphrase";
/// Characters of a passphrase. The file may be tried at leisure by whoever has it.
const SHORTEST: usize = 12;
const LONGEST: usize = 1024;
/// Records of a page.
const LARGEST_PAGE: u64 = 500;

/// Answers a page, or why there is none.
pub async fn answer<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Response {
    match page(server, request, at).await {
        Ok(lines) => {
            let mut response = Response::json(200, lines);
            let mut headers = response.headers.iter_mut();
            if let Some((_, value)) = headers.find(|(name, _)| *name == "content-type") {
                *value = "application/x-ndjson".to_owned();
            }
            response
        }
        Err(reason) => problem::refusal(reason),
    }
}

async fn page<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Result<String, Reason> {
    actor::token_administrator(server, request, at).await?;
    let passphrase = passphrase(request)?;
    let (after, limit) = asked(&request.query)?;
    let keys = match after {
        None => server.ports.directory(at, ReadKeys {}).await?,
        Some(_) => crate::ports::directory::KeySet::default(),
    };
    let records = ExportRecords { after, limit };
    let exported = server.ports.directory(at, records).await?;
    let mut salt = [0; 16];
    server.ports.fill(&mut salt)?;
    let mut kdf = password::setting();
    if let Value::Object(kdf) = &mut kdf {
        kdf.insert("salt".to_owned(), json!(base64url::encode(salt)));
    }
    let mut lines = Lines {
        server,
        key: password::stretch(passphrase, &salt)?,
        text: String::new(),
    };
    let now = at.now.unix();
    lines.add(
        json!({
            NAMED: FORMAT,
            "version": env!("CARGO_PKG_VERSION"),
            "issuer": server.config.issuer,
            "exported_at": now.rfc3339(),
            "kdf": kdf,
        }),
        json!({}),
    )?;
    for key in keys.published(now) {
        let (clear, secret) = of_key(server, key);
        lines.add(clear, secret)?;
    }
    let last = exported.records.last();
    let next = last.map(|(collection, record)| cursor(*collection, record.id));
    for (collection, record) in exported.records {
        let (secret, fields): (Map<String, Value>, Map<String, Value>) = record
            .fields
            .into_iter()
            .partition(|(name, _)| name.starts_with('_'));
        lines.add(
            json!({
                "collection": collection,
                "id": record.id,
                "version": record.version,
                "fields": fields,
            }),
            Value::Object(secret),
        )?;
    }
    let end = match next.filter(|_| exported.more) {
        Some(next) => json!({ "next": next }),
        None => {
            let word = |collection| json!(collection).as_str().unwrap_or_default().to_owned();
            let counts = exported.counts.into_iter();
            let counts: Map<String, Value> = counts
                .map(|(collection, count)| (word(collection), json!(count)))
                .collect();
            json!({"complete": true, "counts": counts})
        }
    };
    lines.add(end, json!({}))?;
    Ok(lines.text)
}

/// Lines under one key.
struct Lines<'a, P> {
    server: &'a Server<P>,
    key: LineKey,
    text: String,
}

impl<P: Ports> Lines<'_, P> {
    fn add(&mut self, clear: Value, secret: Value) -> Result<(), Reason> {
        let id = self.server.fresh_id()?;
        let line = match clear {
            Value::Object(clear) => self.key.seal(clear, secret, id),
            _ => None,
        };
        self.text
            .push_str(&line.ok_or(Reason::Internal("a line does not seal"))?);
        self.text.push('\n');
        Ok(())
    }
}

/// A signing key. One whose root is gone has no private part any more, and can only be published.
fn of_key<P: Ports>(server: &Server<P>, key: &StoredKey) -> (Value, Value) {
    let public = parse_strict_object(key.public.as_bytes()).unwrap_or_default();
    let clear = json!({
        "collection": "keys",
        "id": key.kid,
        "fields": {
            "alg": key.algorithm.name(),
            "public_jwk": public,
            "signs_from": key.signs_from,
            "published_until": key.published_until,
        },
    });
    let secret = match server.ports.danger_reveal(key) {
        Ok(private) => json!({ "private": private }),
        Err(_) => json!({}),
    };
    (clear, secret)
}

/// The passphrase of a request.
///
/// # Errors
/// [`Reason::UnfitField`], naming the header.
pub(super) fn passphrase(request: &Request) -> Result<&Secret, Reason> {
    let fits = |passphrase: &&Secret| {
        let text = passphrase.expose();
        let printable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        (SHORTEST..=LONGEST).contains(&text.len()) && printable
    };
    let passphrase = request.passphrase.as_ref().filter(fits);
    passphrase.ok_or(unfit("has to be 12 to 1024 printable ASCII characters"))
}

pub(super) fn unfit(rule: &str) -> Reason {
    Reason::unfit(PASSPHRASE, rule)
}

/// Where a page ends, for the next question.
fn cursor(collection: Collection, id: u64) -> String {
    format!("{}:{id}", json!(collection).as_str().unwrap_or_default())
}

/// Which page is asked for: after which record, and how many.
fn asked(query: &str) -> Result<(Option<(Collection, u64)>, u64), Reason> {
    let (mut after, mut limit) = (None, None);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "after" if after.is_none() => {
                let read = value.split_once(':').and_then(|(collection, id)| {
                    let collection = message::read_value(&json!(collection)).ok()?;
                    Some((collection, id.parse().ok()?))
                });
                let rule = "has to be the next of another page";
                after = Some(read.ok_or(Reason::unfit("after", rule))?);
            }
            "limit" if limit.is_none() => {
                let read = value.parse().ok().filter(|limit| *limit > 0);
                let rule = "has to be a number from 1";
                limit = Some(read.ok_or(Reason::unfit("limit", rule))?);
            }
            "after" | "limit" => return Err(Reason::unfit(&name, "is there more than once")),
            _ => return Err(Reason::unfit(&name, "is not known here")),
        }
    }
    Ok((after, limit.unwrap_or(LARGEST_PAGE).min(LARGEST_PAGE)))
}
