//! `GET /api/v1/export`: the deployment, a page at a time, as lines of JSON. What is private is sealed
//! under a passphrase, and no line can be changed without it; [`super::import`] takes them.
//!
//! ```text
//! {"edgemint_export":1,"exported_at":…,"issuer":…,"kdf":"$argon2id$…$SALT","version":…,"sealed":…}
//! {"collection":"users","fields":{…},"id":…,"version":…,"sealed":…}      as many as there are
//! {"next":"users:4000000000001","sealed":…}    or    {"complete":true,"counts":{…},"sealed":…}
//! ```

use serde_json::{Map, Value, json};

use super::{actor, problem, records};
use crate::directory::{Collection, copy, secrets};
use crate::error::Reason;
use crate::http::{Request, Response};
use crate::jose::{base64url, parse_strict_object};
use crate::message;
use crate::model::Secret;
use crate::oauth::password;
use crate::ports::directory::{ExportRecords, ReadKeys, ReadQuotas, StoredKey};
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::client_secret::ClientSecret;
use crate::token::passphrase::LineKey;
use crate::token::seal::ID;

/// The member of the first line that has the number of the format. What an older release wrote is
/// understood.
pub(super) const NAMED: &str = "edgemint_export";
/// The member with the text of a client's secret that can be read: its line is sealed as a whole.
pub(super) const READABLE: &str = "readable";
/// The number.
pub(super) const FORMAT: u64 = 1;
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
            if let Some((_, content_type)) = response.headers.first_mut() {
                *content_type = "application/x-ndjson".into();
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
    let mut lines = Vec::new();
    if after == copy::first() {
        let keys = server.ports.directory(at, ReadKeys {}).await?;
        for key in keys.published(at.now.unix()) {
            lines.push(of_key(key, server.ports.danger_reveal(key).ok()));
        }
        let quotas = server.ports.directory(at, ReadQuotas {}).await?;
        lines.extend(copy::of_quotas(quotas).map(|copy| of_record(server, copy)));
    }
    let verb = ExportRecords { after, limit };
    let page = server.ports.directory(at, verb).await?;
    let more = page.count > 0;
    let ends = usize::from(!more);
    let records = page.results.len().saturating_sub(ends);
    let mut end = Map::new();
    for (number, record) in page.results.into_iter().enumerate() {
        if number < records {
            let word = record.get("collection").and_then(Value::as_str);
            let id = record.get("id").and_then(Value::as_u64);
            let next = format!("{}:{}", word.unwrap_or_default(), id.unwrap_or_default());
            end.insert("next".to_owned(), Value::from(next));
            lines.push(of_record(server, record));
        } else {
            end = Map::new();
            end.insert("complete".to_owned(), Value::from(true));
            end.insert("counts".to_owned(), Value::Object(record));
        }
    }
    lines.push((end, Map::new()));
    let mut salt = [0; 16];
    server.ports.fill(&mut salt)?;
    let key = password::stretch(passphrase, &salt)?;
    let first = Map::from_iter([
        (NAMED.to_owned(), Value::from(FORMAT)),
        ("version".to_owned(), Value::from(env!("CARGO_PKG_VERSION"))),
        (
            "issuer".to_owned(),
            Value::from(server.config.issuer.as_str()),
        ),
        (
            "exported_at".to_owned(),
            Value::from(at.now.unix().rfc3339()),
        ),
        (
            "kdf".to_owned(),
            Value::from([password::SETTING, &base64url::encode(salt)].concat()),
        ),
    ]);
    lines.insert(0, (first, Map::new()));
    let mut ids = vec![0; lines.len() * ID];
    server.ports.fill(&mut ids)?;
    seal(&key, lines, &ids).ok_or(Reason::Internal("a line does not seal"))
}

/// The clear members of a line, and the sealed ones.
type Line = (Map<String, Value>, Map<String, Value>);

fn seal(key: &LineKey, lines: Vec<Line>, ids: &[u8]) -> Option<String> {
    let mut text = String::new();
    for ((clear, secret), id) in lines.into_iter().zip(ids.chunks_exact(ID)) {
        let id = id.first_chunk::<ID>()?;
        text.push_str(&key.seal(clear, Value::Object(secret), *id)?);
        text.push('\n');
    }
    Some(text)
}

/// A record, whose private members are sealed.
fn of_record<P>(server: &Server<P>, mut clear: Map<String, Value>) -> Line {
    let (mut shown, mut secret) = (Map::new(), Map::new());
    if let Some(Value::Object(fields)) = clear.remove("fields") {
        for (name, value) in fields {
            let private = name.starts_with('_');
            let members = if private { &mut secret } else { &mut shown };
            members.insert(name, value);
        }
    }
    clear.insert("fields".to_owned(), Value::Object(shown));
    if let Some(Value::Array(secrets)) = secret.get_mut(secrets::FIELD) {
        for kept in secrets.iter_mut().filter_map(Value::as_object_mut) {
            reveal(server, kept);
        }
    }
    (clear, secret)
}

/// A client's secret that is kept readable leaves our roots for the passphrase. One whose root is gone is
/// a digest from here on.
fn reveal<P>(server: &Server<P>, kept: &mut Map<String, Value>) {
    if let Some(Value::String(sealed)) = kept.remove(secrets::SEALED)
        && let Ok(secret) = ClientSecret::open(&server.keyring, &sealed)
    {
        kept.insert(READABLE.to_owned(), Value::from(secret.expose()));
    }
}

/// A signing key. One whose root is gone has no private part any more, and can only be published.
fn of_key(key: &StoredKey, private: Option<String>) -> Line {
    let fields = serde_json::to_string(&key.told()).unwrap_or_default();
    let fields = parse_strict_object(fields.as_bytes()).unwrap_or_default();
    let clear = Map::from_iter([
        ("collection".to_owned(), Value::from("keys")),
        ("fields".to_owned(), Value::Object(fields)),
        ("id".to_owned(), Value::from(key.kid.as_str())),
    ]);
    let private = private.map(|private| ("private".to_owned(), Value::from(private)));
    (clear, private.into_iter().collect())
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

/// Which page is asked for: after which record, and how many.
fn asked(query: &str) -> Result<((Collection, u64), u64), Reason> {
    let known = |name: &str| ["after", "limit"].into_iter().find(|known| *known == name);
    let value = |name: &str, value: &str| {
        let fits = match name {
            "limit" => value.parse().is_ok_and(|limit: u64| limit > 0),
            _ => cursor(value).is_some(),
        };
        fits.then(|| value.to_owned())
    };
    let (mut after, mut limit) = (copy::first(), LARGEST_PAGE);
    for (name, value) in records::parse_query(query, &known, &value)?.filters {
        match cursor(&value) {
            Some(cursor) if name == "after" => after = cursor,
            _ => limit = value.parse().unwrap_or(limit).min(LARGEST_PAGE),
        }
    }
    Ok((after, limit))
}

fn cursor(next: &str) -> Option<(Collection, u64)> {
    let (collection, id) = next.split_once(':')?;
    let collection = message::read_value(&json!(collection)).ok()?;
    Some((collection, id.parse().ok()?))
}
