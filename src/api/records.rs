//! `/api/v1/{collection}/` and `/api/v1/{collection}/{id}/`: list, create, retrieve, replace, patch
//! and delete, for every collection alike.

use serde_json::{Map, Value, json};

use super::actor::{self, Administrator};
use super::{body, problem};
use crate::directory::list::{ListQuery, Page};
use crate::directory::records::{Actor, Change, Changed, Fields};
use crate::directory::schema::{self, Form};
use crate::directory::{Collection, Reading};
use crate::error::Reason;
use crate::http::{Request, Response};
use crate::ports::directory::{ChangeRecord, ListRecords, ReadRecord};
use crate::ports::{At, Ports};
use crate::server::Server;

/// Where the API is, under the issuer.
const BASE: &str = "/api/v1/";
/// Records of a page, if the question does not say.
const PAGE_SIZE: u64 = 20;
/// Records of a page at most: an answer of some hundred kilobytes.
const LARGEST_PAGE: u64 = 100;

/// What may be done to a collection, and to a record.
const TO_ALL: &str = "GET, HEAD, POST";
const TO_ONE: &str = "GET, HEAD, PUT, PATCH, DELETE";

/// Answers everything below `/api/v1/` that has no route of its own.
pub async fn answer<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Response {
    let answer = async {
        let administrator = actor::administrator(server, request, at).await?;
        let (collection, id) = target(&request.path).ok_or(Reason::NoSuchRecord)?;
        let asked = Asked {
            server,
            request,
            at,
            administrator,
            collection,
        };
        match (request.method.as_str(), id) {
            ("GET", None) => asked.list().await,
            ("POST", None) => asked.create().await,
            (_, None) => Err(Reason::MethodNotAllowed(TO_ALL)),
            ("GET", Some(id)) => asked.retrieve(id).await,
            ("PUT", Some(id)) => asked.set(id, Reading::Replace).await,
            ("PATCH", Some(id)) => asked.set(id, Reading::Patch).await,
            ("DELETE", Some(id)) => asked.delete(id).await,
            (_, Some(_)) => Err(Reason::MethodNotAllowed(TO_ONE)),
        }
    };
    answer.await.unwrap_or_else(problem::refusal)
}

/// The collection and the record that a path names.
fn target(path: &str) -> Option<(Collection, Option<u64>)> {
    let mut parts = path.strip_prefix(BASE)?.strip_suffix('/')?.split('/');
    let collection = Collection::parse(parts.next()?)?;
    let id = match parts.next() {
        // One spelling for each: no sign, no leading zero.
        Some(text) => Some(
            text.parse()
                .ok()
                .filter(|id: &u64| id.to_string() == text)?,
        ),
        None => None,
    };
    parts.next().is_none().then_some((collection, id))
}

struct Asked<'a, P> {
    server: &'a Server<P>,
    request: &'a Request,
    at: &'a At,
    administrator: Administrator,
    collection: Collection,
}

impl<P: Ports> Asked<'_, P> {
    async fn list(&self) -> Result<Response, Reason> {
        let query = query(&self.request.query, &|name| {
            let mut fields = self.collection.fields().iter();
            fields.any(|field| field.name == name && field.form != Form::Scope)
        })?;
        let list = ListRecords {
            collection: self.collection,
            query: query.clone(),
        };
        let page = self.server.ports.directory(self.at, list).await?;
        envelope(&query, page)
    }

    async fn create(&self) -> Result<Response, Reason> {
        let fields = self.fields(Reading::Create)?;
        let made = self.change(Change::Create(fields)).await?;
        let id = made.get("id").and_then(Value::as_u64).unwrap_or_default();
        let path = format!("{BASE}{}/{id}/", self.collection.path());
        let location = self.server.config.url(&path);
        Ok(shown(201, made).with("location", location))
    }

    async fn retrieve(&self, id: u64) -> Result<Response, Reason> {
        let collection = self.collection;
        let read = ReadRecord { collection, id };
        let record = self.server.ports.directory(self.at, read).await?;
        Ok(shown(200, record.ok_or(Reason::NoSuchRecord)?))
    }

    async fn set(&self, id: u64, reading: Reading) -> Result<Response, Reason> {
        let fields = self.fields(reading)?;
        Ok(shown(200, self.change(Change::Set(id, fields)).await?))
    }

    async fn delete(&self, id: u64) -> Result<Response, Reason> {
        self.change(Change::Delete(id)).await?;
        Ok(Response::empty(204))
    }

    fn fields(&self, reading: Reading) -> Result<Fields, Reason> {
        let members: Map<String, Value> = body::object(self.request)?;
        schema::read(self.collection.fields(), &members, reading).map_err(Reason::UnfitField)
    }

    async fn change(&self, change: Change) -> Result<Fields, Reason> {
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
        }
    }
}

pub(super) fn shown(status: u16, fields: Fields) -> Response {
    Response::json(status, Value::Object(fields).to_string())
}

/// A page as it is answered; there is always a first one.
pub(super) fn envelope(query: &ListQuery, page: Page) -> Result<Response, Reason> {
    let pages = page.count.div_ceil(query.page_size).max(1);
    if query.page > pages {
        return Err(Reason::NoSuchRecord);
    }
    let before = (query.page - 1) * query.page_size;
    let shown = u64::try_from(page.results.len()).unwrap_or_default();
    let next = if query.page < pages {
        query.page + 1
    } else {
        0
    };
    let envelope = json!({
        "pagination": {
            "next": next,
            "previous": query.page - 1,
            "count": page.count,
            "current": query.page,
            "total_pages": pages,
            "start_index": if shown == 0 { 0 } else { before + 1 },
            "end_index": before + shown,
        },
        "results": page.results,
    });
    Ok(Response::json(200, envelope.to_string()))
}

/// Reads which page is asked for, in which order, and of what. Fields are those that are `known`.
pub(super) fn query(text: &str, known: &dyn Fn(&str) -> bool) -> Result<ListQuery, Reason> {
    let mut query = ListQuery {
        page: 1,
        page_size: PAGE_SIZE,
        ..ListQuery::default()
    };
    let mut seen = Vec::new();
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        let unfit = |rule| Err(Reason::unfit(&name, rule));
        if seen.contains(&name) {
            return unfit("is there more than once");
        }
        let number = value.parse().ok().filter(|number| *number > 0);
        match (name.as_ref(), number) {
            ("page", Some(page)) => query.page = page,
            ("page_size", Some(size)) => query.page_size = u64::min(size, LARGEST_PAGE),
            ("page" | "page_size", None) => return unfit("has to be a number from 1"),
            ("search", _) => query.search = value.into_owned(),
            ("ordering", _) if known(value.strip_prefix('-').unwrap_or(&value)) => {
                query.ordering = value.into_owned();
            }
            ("ordering", _) => return unfit("has to name a field"),
            (field, _) if known(field) => {
                query.filters.push((field.to_owned(), value.into_owned()));
            }
            _ => return unfit("is not known here"),
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
        assert_eq!(target("/api/v1/roles/"), Some((Collection::Roles, None)));
        assert_eq!(
            target("/api/v1/scopes/12/"),
            Some((Collection::Scopes, Some(12)))
        );
        for path in [
            "/api/v1/",
            "/api/v1/roles",
            "/api/v1/roles//",
            "/api/v1/roles/1",
            "/api/v1/roles/01/",
            "/api/v1/roles/+1/",
            "/api/v1/roles/1/2/",
            "/api/v1/Roles/",
            "/api/v2/roles/",
        ] {
            assert_eq!(target(path), None, "{path}");
        }
    }

    #[test]
    fn a_list_is_asked_for_by_known_names_once() {
        let known = |name: &str| ["name", "value"].contains(&name);
        let asked = query("page=2&page_size=1000&ordering=-name&value=a+b", &known);
        let asked = asked.unwrap();
        assert_eq!((asked.page, asked.page_size), (2, LARGEST_PAGE));
        assert_eq!(asked.ordering, "-name");
        assert_eq!(asked.filters, [("value".to_owned(), "a b".to_owned())]);
        for bad in [
            "page=0",
            "page=x",
            "page=1&page=1",
            "ordering=x",
            "x=1",
            "page_size=-1",
        ] {
            assert!(query(bad, &known).is_err(), "{bad}");
        }
    }
}
