//! `GET /api/v1/audit/`: who changed which record, when, from where; what it was and what it is. The
//! newest first. A line never has a secret.

use serde_json::{Value, json};

use super::records::{envelope, parse_query};
use crate::error::Reason;
use crate::http::{Request, Response};
use crate::model::UnixTime;
use crate::ports::directory::ListAudit;
use crate::ports::{At, Ports};
use crate::server::Server;

/// Where it is, under the issuer.
pub(super) const PATH: &str = "/api/v1/audit/";

/// What a list can be narrowed to.
const FILTERS: [&str; 4] = ["actor", "collection", "record", "request"];

pub(super) async fn answer<P: Ports>(
    server: &Server<P>,
    request: &Request,
    at: &At,
) -> Result<Response, Reason> {
    if request.method != "GET" {
        return Err(Reason::MethodNotAllowed("GET, HEAD"));
    }
    let known = |name: &str| FILTERS.into_iter().find(|filter| *filter == name);
    let value = |_: &str, value: &str| Some(value.to_owned());
    let query = parse_query(&request.query, &known, &value)?;
    for (given, name) in [(&query.search, "search"), (&query.ordering, "ordering")] {
        if !given.is_empty() {
            return Err(Reason::unfit(name, "is not known here"));
        }
    }
    let list = ListAudit {
        query: query.clone(),
    };
    let mut page = server.ports.directory(at, list).await?;
    for line in &mut page.results {
        let time = line.get("time").and_then(Value::as_u64).unwrap_or_default();
        line.insert("time".to_owned(), json!(UnixTime(time / 1000).rfc3339()));
        let there = |side: &str| line.get(side).is_some_and(|side| !side.is_null());
        let action = match (there("before"), there("after")) {
            (false, _) => "created",
            (true, true) => "updated",
            (true, false) => "deleted",
        };
        line.insert("action".to_owned(), json!(action));
    }
    envelope(&query, page.count, json!(page.results))
}
