//! `/api/v1/oauth2/`: codes, access tokens and refresh tokens that somebody has, as seed 004 lists them;
//! never their values. Codes are known from KV, up to a minute late; whether one can still be redeemed
//! the ledger says. Tokens are told by their grants, which the ledger has.

use serde_json::{Value, json};

use super::records::{envelope, parse_query, shown};
use crate::directory::Collection;
use crate::directory::list::{ListQuery, page_of};
use crate::directory::record::{Actor, Fields};
use crate::error::Reason;
use crate::http::{Request, Response};
use crate::jose::base64url;
use crate::model::{ClientId, GrantId, Shard, Subject, UnixTime, parse_duration};
use crate::ports::directory::{FindRecords, Part, ReadRecord};
use crate::ports::history::Noted;
use crate::ports::ledger::{EndCode, ListIssued, ReadCode, RevokeGrant, Revoked};
use crate::ports::{At, CodeRecord, Ports};
use crate::server::Server;
use crate::token::refresh::IDLE;

/// Where they are, under the issuer.
pub(super) const BASE: &str = "/api/v1/oauth2/";
/// Rows that every shard is asked for at most: who looks further narrows the list first.
const DEEPEST: u64 = 5_000;

/// What somebody has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    AccessToken,
    RefreshToken,
}

impl Kind {
    fn path(self) -> &'static str {
        match self {
            Self::Code => "authorization_codes",
            Self::AccessToken => "access_tokens",
            Self::RefreshToken => "refresh_tokens",
        }
    }
}

/// One of them, before it is told with its provider and user.
struct Held {
    pk: u64,
    grant: GrantId,
    shard: Shard,
    subject: String,
    client: ClientId,
    scope: String,
    /// When it ends; of an access token, when it was minted.
    time: UnixTime,
}

pub(super) async fn answer<P: Ports>(
    server: &Server<P>,
    request: &Request,
    path: &str,
    actor: &Actor,
    at: &At,
) -> Result<Response, Reason> {
    let (kind, rest) = path.split_once('/').ok_or(Reason::NoSuchRecord)?;
    let mut kinds = [Kind::Code, Kind::AccessToken, Kind::RefreshToken].into_iter();
    let kind = kinds.find(|known| known.path() == kind);
    let kind = kind.ok_or(Reason::NoSuchRecord)?;
    let asked = Asked { server, at, kind };
    if rest.is_empty() {
        return match request.method.as_str() {
            "GET" => asked.list(&request.query).await,
            _ => Err(Reason::MethodNotAllowed("GET, HEAD")),
        };
    }
    let (pk, part) = rest.split_once('/').ok_or(Reason::NoSuchRecord)?;
    let pk = pk
        .parse::<u64>()
        .map_err(|_| Reason::unfit("id", "has to be a number"))?;
    match (request.method.as_str(), part) {
        ("GET", "") => {
            let held = asked.find(pk).await?.ok_or(Reason::NoSuchRecord)?;
            let told = asked.tell(vec![held]).await?.pop();
            Ok(shown(200, told.ok_or(Reason::NoSuchRecord)?))
        }
        ("DELETE", "") => {
            asked.end(pk, actor).await?;
            Ok(Response::empty(204))
        }
        ("GET", "used_by/") => {
            asked.find(pk).await?.ok_or(Reason::NoSuchRecord)?;
            Ok(Response::json(200, "[]".to_owned()))
        }
        (_, "") => Err(Reason::MethodNotAllowed("GET, HEAD, DELETE")),
        (_, "used_by/") => Err(Reason::MethodNotAllowed("GET, HEAD")),
        _ => Err(Reason::NoSuchRecord),
    }
}

struct Asked<'a, P> {
    server: &'a Server<P>,
    at: &'a At,
    kind: Kind,
}

impl<P: Ports> Asked<'_, P> {
    async fn list(&self, query: &str) -> Result<Response, Reason> {
        let known = |name: &str| match name {
            "user" => Some("user"),
            "provider" => Some("provider"),
            "pk" => Some(""),
            _ => None,
        };
        let number = |_: &str, value: &str| value.parse().ok().map(|pk: u64| pk.to_string());
        let query = parse_query(query, &known, &number)?;
        if !query.search.is_empty() {
            return Err(Reason::unfit("search", "is not known here"));
        }
        let (count, held) = match self.kind {
            Kind::Code => self.codes(&query).await?,
            Kind::AccessToken | Kind::RefreshToken => self.grants(&query).await?,
        };
        envelope(&query, count, json!(self.tell(held).await?))
    }

    /// Codes of a page. Which ones there are, KV says; the page itself is read from it.
    async fn codes(&self, query: &ListQuery) -> Result<(u64, Vec<Held>), Reason> {
        let mut filters = Vec::new();
        for (field, pk) in &query.filters {
            filters.push(match field.as_str() {
                "user" => (
                    "username".to_owned(),
                    self.name(Collection::Users, "username", pk).await?,
                ),
                "provider" => (
                    "client".to_owned(),
                    self.name(Collection::Providers, "client_id", pk).await?,
                ),
                _ => ("pk".to_owned(), pk.clone()),
            });
        }
        let query = ListQuery {
            filters,
            ordering: query
                .ordering
                .replace("user", "username")
                .replace("provider", "client"),
            ..query.clone()
        };
        let page = page_of(self.server.ports.recent().await?, &query);
        let mut held = Vec::new();
        for code in page.results {
            let pk = code.get("pk").and_then(Value::as_u64).unwrap_or_default();
            held.extend(self.server.ports.recall(pk).await?.map(of_code));
        }
        Ok((page.count, held))
    }

    /// Grants of a page, in the order of their ids: every shard is asked for all up to its end.
    async fn grants(&self, query: &ListQuery) -> Result<(u64, Vec<Held>), Reason> {
        let most = query.offset().saturating_add(query.page_size);
        if most > DEEPEST || query.order() != ("", false) {
            let rule = "goes no further than 5000 and has no order: narrow it by user or provider";
            return Err(Reason::unfit("page", rule));
        }
        let mut list = ListIssued {
            refreshable: self.kind == Kind::RefreshToken,
            subject: None,
            client: None,
            prefix: String::new(),
            idle: IDLE,
            most,
        };
        for (field, pk) in &query.filters {
            let unknown = |_| Reason::NoSuchRecord;
            match field.as_str() {
                "user" => {
                    let subject = self.name(Collection::Users, "subject", pk).await?;
                    list.subject = Some(Subject::parse(&subject).map_err(unknown)?);
                }
                "provider" => {
                    let client = self.name(Collection::Providers, "client_id", pk).await?;
                    list.client = Some(ClientId::parse(&client).map_err(unknown)?);
                }
                _ => list.prefix = pk.parse().map(prefix).unwrap_or_default(),
            }
        }
        let (mut count, mut rows) = (0, Vec::new());
        for shard in (0..self.server.config.ledger_shards).map(Shard) {
            let issued = self
                .server
                .ports
                .ledger(shard, self.at, list.clone())
                .await?;
            count += issued.count;
            rows.extend(
                issued
                    .rows
                    .iter()
                    .filter_map(|row| self.of_grant(row, shard)),
            );
        }
        rows.sort_by(|one, other| one.grant.cmp(&other.grant));
        let skip = usize::try_from(query.offset()).unwrap_or(usize::MAX);
        let take = usize::try_from(query.page_size).unwrap_or(usize::MAX);
        Ok((count, rows.into_iter().skip(skip).take(take).collect()))
    }

    /// A field of the record that a filter names by its number.
    async fn name(&self, collection: Collection, field: &str, pk: &str) -> Result<String, Reason> {
        let read = ReadRecord {
            collection,
            id: pk.parse().unwrap_or_default(),
            part: Part::Record,
        };
        let record = self.server.ports.directory(self.at, read).await?;
        let name = record.and_then(|record| Some(record.get(field)?.as_str()?.to_owned()));
        name.ok_or(Reason::unfit(collection.noun(), "does not exist"))
    }

    async fn find(&self, pk: u64) -> Result<Option<Held>, Reason> {
        if self.kind == Kind::Code {
            let Some(code) = self.server.ports.recall(pk).await? else {
                return Ok(None);
            };
            let read = ReadCode {
                grant: code.grant.clone(),
            };
            let there = self.server.ports.ledger(code.shard, self.at, read).await?;
            return Ok(there.then(|| of_code(code)));
        }
        let shard = Shard(u16::try_from(pk % 256).unwrap_or_default());
        if shard.0 >= self.server.config.ledger_shards || pk >> 50 != 0 {
            return Ok(None);
        }
        let list = ListIssued {
            refreshable: self.kind == Kind::RefreshToken,
            subject: None,
            client: None,
            prefix: prefix(pk),
            idle: IDLE,
            most: 1,
        };
        let issued = self.server.ports.ledger(shard, self.at, list).await?;
        Ok(issued
            .rows
            .first()
            .and_then(|row| self.of_grant(row, shard)))
    }

    /// Ends a code, or the grant that a token is of: nothing that came from it is accepted any more.
    async fn end(&self, pk: u64, actor: &Actor) -> Result<(), Reason> {
        if self.kind == Kind::Code {
            let code = self.server.ports.recall(pk).await?;
            let code = code.ok_or(Reason::NoSuchRecord)?;
            let shard = code.shard;
            let end = EndCode {
                grant: code.grant,
                subject: code.subject,
                client: code.client,
                session: code.session,
                expires_at: code.expires_at,
                noted: Some(Noted::new(actor, self.kind.path(), pk)),
            };
            // One that was spent or ended is not there, and the verb says so itself.
            return match self.server.ports.ledger(shard, self.at, end).await? {
                true => Ok(()),
                false => Err(Reason::NoSuchRecord),
            };
        }
        let held = self.find(pk).await?.ok_or(Reason::NoSuchRecord)?;
        let revoke = RevokeGrant {
            grant: held.grant,
            client: held.client,
            noted: Some(Noted::new(actor, self.kind.path(), pk)),
        };
        match self
            .server
            .ports
            .ledger(held.shard, self.at, revoke)
            .await?
        {
            Revoked::Done => Ok(()),
            Revoked::Unknown => Err(Reason::NoSuchRecord),
        }
    }

    fn of_grant(&self, row: &Fields, shard: Shard) -> Option<Held> {
        let text = |field: &str| row.get(field).and_then(Value::as_str);
        let time = match self.kind {
            Kind::AccessToken => "advanced_at",
            Kind::Code | Kind::RefreshToken => "expires_at",
        };
        let grant = GrantId::parse(text("grant")?).ok()?;
        Some(Held {
            pk: pk(&grant, shard)?,
            grant,
            shard,
            subject: text("subject")?.to_owned(),
            client: ClientId::parse(text("client")?).ok()?,
            scope: text("scope")?.to_owned(),
            time: UnixTime(row.get(time)?.as_u64()?),
        })
    }

    /// As seed 004 answers them: with provider and user whole.
    async fn tell(&self, held: Vec<Held>) -> Result<Vec<Fields>, Reason> {
        let clients = held.iter().map(|held| held.client.to_string()).collect();
        let providers = self
            .records(Collection::Providers, "client_id", clients)
            .await?;
        let subjects = held.iter().map(|held| held.subject.clone()).collect();
        let users = self.records(Collection::Users, "subject", subjects).await?;
        let named = |records: &[Fields], field: &str, value: &str| {
            let mut records = records.iter();
            let record =
                records.find(|record| record.get(field).is_some_and(|other| other == value));
            record.map_or(Value::Null, |record| Value::Object(record.clone()))
        };
        let now = self.at.now.unix();
        let tell = |held: Held| {
            let provider = named(&providers, "client_id", held.client.as_str());
            let mut expires = held.time;
            if self.kind == Kind::AccessToken {
                let validity = provider
                    .get("access_token_validity")
                    .and_then(Value::as_str);
                expires = expires + validity.and_then(parse_duration).unwrap_or_default();
            }
            let mut told = Fields::new();
            let scope: Vec<&str> = held.scope.split_whitespace().collect();
            for (name, value) in [
                ("pk", json!(held.pk)),
                ("provider", provider),
                ("user", named(&users, "subject", &held.subject)),
                ("is_expired", json!(expires <= now)),
                ("expires", json!(expires.rfc3339())),
                ("scope", json!(scope)),
            ] {
                told.insert(name.to_owned(), value);
            }
            if self.kind != Kind::Code {
                // What was said to the client is not kept.
                told.insert("id_token".to_owned(), json!(""));
                told.insert("revoked".to_owned(), json!(false));
            }
            told
        };
        Ok(held.into_iter().map(tell).collect())
    }

    async fn records(
        &self,
        collection: Collection,
        field: &str,
        mut values: Vec<String>,
    ) -> Result<Vec<Fields>, Reason> {
        values.sort_unstable();
        values.dedup();
        let find = FindRecords {
            collection,
            field: field.to_owned(),
            values,
        };
        Ok(self.server.ports.directory(self.at, find).await?)
    }
}

fn of_code(code: CodeRecord) -> Held {
    Held {
        pk: code.pk,
        grant: code.grant,
        shard: code.shard,
        subject: code.subject.to_string(),
        client: code.client,
        scope: code.scope.to_string(),
        time: code.expires_at,
    }
}

/// Characters of a grant's id that its number has: 42 bits, so that with its shard it is a number that
/// JSON carries exactly, and two grants of a shard never share one.
const NUMBERED: usize = 7;

/// The number of what a grant gave.
fn pk(grant: &GrantId, Shard(shard): Shard) -> Option<u64> {
    let prefix = grant.as_str().get(..NUMBERED)?;
    let octets = base64url::decode(format!("{prefix}A")).ok()?;
    let octets: [u8; 6] = octets.try_into().ok()?;
    let number = octets
        .iter()
        .fold(0, |number, octet| number << 8 | u64::from(*octet));
    Some((number >> 6) << 8 | u64::from(shard))
}

/// What the id of a grant of that number begins with.
fn prefix(pk: u64) -> String {
    let [_, _, octets @ ..] = ((pk >> 8) << 6).to_be_bytes();
    let mut prefix = base64url::encode(octets);
    prefix.truncate(NUMBERED);
    prefix
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_names_the_grant_and_its_shard() {
        for id in ["AAAAAAAAAAAAAAAA", "_-9zZ0aBcDeFgHiJ", "________________"] {
            let grant = GrantId::parse(id).unwrap();
            let pk = pk(&grant, Shard(255)).unwrap();
            assert!(pk < 1 << 50 && pk % 256 == 255);
            assert_eq!(prefix(pk), id[..NUMBERED]);
        }
    }
}
