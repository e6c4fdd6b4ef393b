//! `/api/v1/{collection}/` and `/api/v1/{collection}/{id}/`: list, create, retrieve, replace, patch
//! and delete, for every collection alike.

use serde_json::{Map, Value, json};

use super::actor::{self, Administrator};
use super::{audit, body, issued, problem, providers};
use crate::directory::form::{Form, UNFETCHABLE};
use crate::directory::list::ListQuery;
use crate::directory::record::{Actor, Change, Changed, Fields};
use crate::directory::{Collection, Reading, schema, secrets, uuid};
use crate::error::Reason;
use crate::http::{Request, Response};
use crate::model::target::may_be_fetched;
use crate::model::{Secret, Subject};
use crate::oauth::password;
use crate::ports::directory::{ChangeRecord, ListRecords, Part, ReadRecord};
use crate::ports::{At, Ports};
use crate::server::Server;

/// Where the API is, under the issuer.
const BASE: &str = "/api/v1/";
/// Records of a page, if the question does not say.
pub(crate) const PAGE_SIZE: u64 = 20;
/// Records of a page at most: an answer of some hundred kilobytes.
const LARGEST_PAGE: u64 = 100;

/// What may be done to a collection, to a record, and to what is told of one.
const TO_ALL: &str = "GET, HEAD, POST";
const TO_ONE: &str = "GET, HEAD, PUT, PATCH, DELETE";
const TO_READ: &str = "GET, HEAD";

/// Answers everything below `/api/v1/` that has no route of its own.
pub async fn answer<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Response {
    let answer = async {
        let administrator = actor::administrator(server, request, at).await?;
        if let Some(path) = request.path.strip_prefix(issued::BASE) {
            let actor = Actor {
                name: administrator.name,
                address: request.address.clone(),
            };
            return issued::answer(server, request, path, &actor, at).await;
        }
        if request.path == audit::PATH {
            return audit::answer(server, request, at).await;
        }
        let target = Target::parse(&request.path).ok_or(Reason::NoSuchRecord)?;
        let asked = Asked {
            server,
            request,
            at,
            administrator,
            collection: target.collection,
        };
        match (request.method.as_str(), target.id, target.part.as_str()) {
            ("GET", None, _) => asked.list().await,
            ("POST", None, _) => asked.create().await,
            (_, None, _) => Err(Reason::MethodNotAllowed(TO_ALL)),
            ("GET", Some(id), "") => asked.retrieve(id).await,
            ("PUT", Some(id), "") => asked.set(id, Reading::Replace).await,
            ("PATCH", Some(id), "") => asked.set(id, Reading::Patch).await,
            ("DELETE", Some(id), "") => asked.delete(id).await,
            (_, Some(_), "") => Err(Reason::MethodNotAllowed(TO_ONE)),
            ("GET", Some(id), "used_by") => {
                let used = asked.read(id, Part::UsedBy).await?;
                let used = used.get("used_by").cloned().unwrap_or_default();
                Ok(Response::json(200, used.to_string()))
            }
            (_, Some(_), "used_by") => Err(Reason::MethodNotAllowed(TO_READ)),
            (_, Some(id), part) if asked.collection == Collection::Providers => {
                providers::answer(&asked, id, part).await
            }
            _ => Err(Reason::NoSuchRecord),
        }
    };
    answer.await.unwrap_or_else(problem::refusal)
}

/// What a path names.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    collection: Collection,
    id: Option<u64>,
    part: String,
}

impl Target {
    fn parse(path: &str) -> Option<Self> {
        let path = path.strip_prefix(BASE)?.strip_suffix('/')?;
        let of = |collection: &Collection| {
            let rest = path.strip_prefix(collection.path())?;
            let rest = match rest.strip_prefix('/') {
                Some(rest) => rest,
                None if rest.is_empty() => "",
                None => return None,
            };
            Some((*collection, rest))
        };
        let (collection, rest) = Collection::ALL.iter().find_map(of)?;
        let (id, part) = rest.split_once('/').unwrap_or((rest, ""));
        let whole = path.len() == collection.path().len();
        if rest.is_empty() != whole || (part.is_empty() && rest.contains('/')) {
            return None;
        }
        Some(Self {
            collection,
            id: if whole { None } else { Some(number(id)?) },
            part: part.to_owned(),
        })
    }
}

/// A record's number, by itself or as a uuid. One spelling for each: no sign, no leading zero.
fn number(text: &str) -> Option<u64> {
    let number = text.parse().ok();
    number
        .filter(|id: &u64| id.to_string() == text)
        .or_else(|| uuid::parse(text))
}

/// A request of an administrator.
pub(super) struct Asked<'a, P> {
    pub(super) server: &'a Server<P>,
    pub(super) request: &'a Request,
    pub(super) at: &'a At,
    administrator: Administrator,
    collection: Collection,
}

impl<P: Ports> Asked<'_, P> {
    async fn list(&self) -> Result<Response, Reason> {
        let query = query(&self.request.query, self.collection)?;
        let list = ListRecords {
            collection: self.collection,
            query: query.clone(),
        };
        let page = self.server.ports.directory(self.at, list).await?;
        envelope(&query, page.count, json!(page.results))
    }

    async fn create(&self) -> Result<Response, Reason> {
        let mut fields = self.fields(Reading::Create).await?;
        let mut secret = None;
        match self.collection.kept() {
            Collection::Users => {
                let subject: Subject = self.server.fresh_name(Subject::PREFIX, 16)?;
                fields.insert("_subject".to_owned(), json!(subject));
            }
            Collection::Providers => secret = providers::complete(self, &mut fields)?,
            _ => {}
        }
        let mut made = self.change(Change::Create(fields)).await?;
        let key = made.get(self.collection.key()).cloned().unwrap_or_default();
        let key = key.as_str().map_or(key.to_string(), str::to_owned);
        if let Some(secret) = secret {
            made.insert("client_secret".to_owned(), json!(secret.expose()));
        }
        let path = format!("{BASE}{}/{key}/", self.collection.path());
        let location = self.server.config.url(&path);
        Ok(shown(201, made).with("location", location))
    }

    async fn retrieve(&self, id: u64) -> Result<Response, Reason> {
        Ok(shown(200, self.read(id, Part::Record).await?))
    }

    /// What is told of a record.
    pub(super) async fn read(&self, id: u64, part: Part) -> Result<Fields, Reason> {
        let read = ReadRecord {
            collection: self.collection,
            id,
            part,
        };
        let told = self.server.ports.directory(self.at, read).await?;
        told.ok_or(Reason::NoSuchRecord)
    }

    async fn set(&self, id: u64, reading: Reading) -> Result<Response, Reason> {
        let fields = self.fields(reading).await?;
        Ok(shown(200, self.change(Change::Set(id, fields)).await?))
    }

    async fn delete(&self, id: u64) -> Result<Response, Reason> {
        self.change(Change::Delete(id)).await?;
        Ok(Response::empty(204))
    }

    /// Reads the fields of the body. A password becomes its hash, a client's secret its digest.
    async fn fields(&self, reading: Reading) -> Result<Fields, Reason> {
        let members: Map<String, Value> = body::object(self.request)?;
        let fields = schema::read(self.collection.fields(), &members, reading);
        let mut fields = fields.map_err(Reason::UnfitField)?;
        let now = self.at.now.unix();
        if let Some(Value::String(password)) = fields.remove("password") {
            let hash = password::hash(self.server, &Secret::new(password))?;
            fields.insert("_password".to_owned(), json!(hash));
        }
        if let Some(Value::String(secret)) = fields.remove("client_secret") {
            let kept = providers::kept(self, &Secret::new(secret))?;
            fields.insert(secrets::FIELD.to_owned(), json!([kept]));
        }
        let private = self.server.config.danger_allow_private_fetch_targets;
        for name in ["jwks_uri", "backchannel_logout_uri"] {
            if let Some(Value::String(uri)) = fields.get(name)
                && !uri.is_empty()
                && !may_be_fetched(uri, private)
            {
                return Err(Reason::unfit(name, UNFETCHABLE));
            }
        }
        if self.collection == Collection::Providers {
            providers::name_key(self, &members, &mut fields).await?;
        }
        if self.collection.kept() == Collection::Users {
            fields.insert("_updated_at".to_owned(), json!(now));
        }
        Ok(fields)
    }

    /// Changes a record.
    pub(super) async fn change(&self, change: Change) -> Result<Fields, Reason> {
        let change = ChangeRecord {
            collection: self.collection,
            change,
            actor: Actor {
                name: self.administrator.name.clone(),
                address: self.request.address.clone(),
            },
        };
        match self.server.ports.directory(self.at, change).await? {
            Changed::Done(fields) => Ok(fields),
            Changed::Unknown => Err(Reason::NoSuchRecord),
            Changed::Protected => Err(Reason::ProtectedRecord),
            Changed::Taken(field) => Err(Reason::ValueTaken(field)),
            Changed::Unfit(fields) => Err(Reason::UnfitField(fields)),
            Changed::Full => Err(Reason::CollectionFull),
            Changed::LastAdministrator => Err(Reason::LastAdministrator),
        }
    }
}

pub(super) fn shown(status: u16, fields: Fields) -> Response {
    Response::json(status, Value::Object(fields).to_string())
}

/// A page of a list in seed 004's envelope.
///
/// # Errors
/// [`Reason::NoSuchRecord`] for a page behind the last one.
pub fn envelope(query: &ListQuery, count: u64, results: Value) -> Result<Response, Reason> {
    let pages = count.div_ceil(query.page_size).max(1);
    if query.page > pages {
        return Err(Reason::NoSuchRecord);
    }
    let before = query.offset();
    let shown = results.as_array().map_or(0, Vec::len);
    let shown = u64::try_from(shown).unwrap_or_default();
    let next = if query.page < pages {
        query.page + 1
    } else {
        0
    };
    let envelope = json!({
        "pagination": {
            "next": next,
            "previous": query.page - 1,
            "count": count,
            "current": query.page,
            "total_pages": pages,
            "start_index": if shown == 0 { 0 } else { before + 1 },
            "end_index": before + shown,
        },
        "results": results,
    });
    Ok(Response::json(200, envelope.to_string()))
}

/// Reads which page is asked for, in which order, and of what.
fn query(text: &str, collection: Collection) -> Result<ListQuery, Reason> {
    let known = |name: &str| {
        let field = collection.field(name).filter(|field| field.form.is_plain());
        field.map(|field| match field.form {
            // The first of all, by which they are numbered.
            Form::Number | Form::Uuid => "",
            _ => field.name,
        })
    };
    let value = |name: &str, value: &str| -> Option<String> {
        match collection.field(name)?.form {
            Form::Number | Form::Uuid | Form::Ref(_) => number(value).map(|id| id.to_string()),
            Form::Flag => match value {
                "true" => Some("1".to_owned()),
                "false" => Some("0".to_owned()),
                _ => None,
            },
            _ => Some(value.to_owned()),
        }
    };
    parse_query(text, &known, &value)
}

/// Reads a query whose fields are known by `known`, which says what they are kept as, and have values
/// that `value` reads.
///
/// # Errors
/// [`Reason::UnfitField`], naming the parameter.
pub fn parse_query(
    text: &str,
    known: &dyn Fn(&str) -> Option<&'static str>,
    value: &dyn Fn(&str, &str) -> Option<String>,
) -> Result<ListQuery, Reason> {
    let mut query = ListQuery {
        page: 1,
        page_size: PAGE_SIZE,
        ..ListQuery::default()
    };
    let mut seen = Vec::new();
    for (name, given) in form_urlencoded::parse(text.as_bytes()) {
        let unfit = |rule| Err(Reason::unfit(&name, rule));
        if seen.contains(&name) {
            return unfit("is there more than once");
        }
        let number = given.parse().ok().filter(|number| *number > 0);
        match (name.as_ref(), number) {
            ("page", Some(page)) => query.page = page,
            ("page_size", Some(size)) => query.page_size = u64::min(size, LARGEST_PAGE),
            ("page" | "page_size", None) => return unfit("has to be a number from 1"),
            ("search", _) => query.search = given.into_owned(),
            ("ordering", _) => {
                let (sign, field) = match given.strip_prefix('-') {
                    Some(field) => ("-", field),
                    None => ("", given.as_ref()),
                };
                let Some(field) = known(field) else {
                    return unfit("has to name a field");
                };
                query.ordering = format!("{sign}{field}");
            }
            (name, _) => match (known(name), value(name, &given)) {
                (Some(field), Some(value)) => query.filters.push((field.to_owned(), value)),
                (Some(_), None) => return unfit("has a value that it cannot have"),
                (None, _) => return unfit("is not known here"),
            },
        }
        seen.push(name);
    }
    Ok(query)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_collection_or_a_record_in_one_spelling() {
        let target = |collection, id, part: &str| {
            Some(Target {
                collection,
                id,
                part: part.to_owned(),
            })
        };
        for (path, named) in [
            ("/api/v1/roles/", target(Collection::Roles, None, "")),
            (
                "/api/v1/scopes/12/",
                target(Collection::Scopes, Some(12), ""),
            ),
            (
                "/api/v1/groups/00000000-0000-8000-8000-00000000000c/",
                target(Collection::Groups, Some(12), ""),
            ),
            (
                "/api/v1/providers/oauth2/",
                target(Collection::Providers, None, ""),
            ),
            (
                "/api/v1/providers/oauth2/7/setup_urls/",
                target(Collection::Providers, Some(7), "setup_urls"),
            ),
        ] {
            assert_eq!(Target::parse(path), named, "{path}");
        }
        for path in [
            "/api/v1/",
            "/api/v1/roles",
            "/api/v1/roles//",
            "/api/v1/roles/1",
            "/api/v1/roles/1//",
            "/api/v1/roles/01/",
            "/api/v1/roles/+1/",
            "/api/v1/rolesx/",
            "/api/v1/roles/x/",
            "/api/v1/groups/00000000-0000-8000-8000-00000000000C/",
            "/api/v1/Roles/",
            "/api/v2/roles/",
        ] {
            assert_eq!(Target::parse(path), None, "{path}");
        }
    }

    #[test]
    fn a_list_is_asked_for_by_known_names_once() {
        let asked = query(
            "page=2&page_size=1000&ordering=-name&value=a+b&id=7",
            Collection::Scopes,
        );
        let asked = asked.unwrap();
        assert_eq!((asked.page, asked.page_size), (2, LARGEST_PAGE));
        assert_eq!(asked.ordering, "-name");
        let filters = [("value", "a b"), ("", "7")];
        let filters = filters.map(|(field, value)| (field.to_owned(), value.to_owned()));
        assert_eq!(asked.filters, filters);
        for bad in [
            "page=0",
            "page=x",
            "page=1&page=1",
            "ordering=x",
            "x=1",
            "page_size=-1",
        ] {
            assert!(query(bad, Collection::Scopes).is_err(), "{bad}");
        }
        let flags = query("is_active=false", Collection::Users).unwrap();
        assert_eq!(flags.filters, [("is_active".to_owned(), "0".to_owned())]);
        for bad in ["is_active=no", "groups=1", "password=x", "attributes=x"] {
            assert!(query(bad, Collection::Users).is_err(), "{bad}");
        }
    }
}
