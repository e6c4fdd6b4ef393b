//! `GET /api/v1/audit/`: who changed or ended what, when, from where; what it was and what it is. The
//! newest first. A line never has a secret. Changes of records are told by the directory; what people
//! have is ended in shards, and a line is where its end is, since both are one commit.

use std::cmp::Reverse;

use serde_json::{Value, json};

use super::records::{envelope, parse_query};
use crate::directory::list::{ListQuery, Page};
use crate::directory::record::Fields;
use crate::error::Reason;
use crate::http::{Request, Response};
use crate::model::{MOST_SHARDS, Shard, UnixTime};
use crate::ports::directory::ListAudit;
use crate::ports::history::{ENDED, ListEnds};
use crate::ports::{At, Ports};
use crate::server::Server;

/// Where it is, under the issuer.
pub(super) const PATH: &str = "/api/v1/audit/";

/// What a list can be narrowed to.
const FILTERS: [&str; 4] = ["actor", "collection", "record", "request"];
/// How far a list goes that shards are asked for: each answers everything up to its end.
const DEEPEST: u64 = 2_000;

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
    let kind = query.filters.iter().find(|(name, _)| name == "collection");
    let of_shards = kind.map(|(_, kind)| ENDED.contains(&kind.as_str()));
    let mut page = match of_shards {
        Some(false) => {
            let query = query.clone();
            server.ports.directory(at, ListAudit { query }).await?
        }
        _ => merged(server, &query, of_shards.is_none(), at).await?,
    };
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

/// A page of what the shards tell, and the directory, too, where its lines may be among them.
async fn merged<P: Ports>(
    server: &Server<P>,
    query: &ListQuery,
    with_records: bool,
    at: &At,
) -> Result<Page, Reason> {
    let most = query.offset().saturating_add(query.page_size);
    if most > DEEPEST {
        let rule = "goes no further than 2000 lines: narrow it, best by the collection of a record";
        return Err(Reason::unfit("page", rule));
    }
    let (mut count, mut lines) = (0, Vec::new());
    if with_records {
        let query = ListQuery {
            page: 1,
            page_size: most,
            ..query.clone()
        };
        let page = server.ports.directory(at, ListAudit { query }).await?;
        (count, lines) = (page.count, page.results);
    }
    let list = ListEnds {
        filters: query.filters.clone(),
        most,
    };
    for shard in 0..server.config.ledger_shards {
        let ends = server.ports.ledger(Shard(shard), at, list.clone()).await?;
        count += ends.count;
        lines.extend(ends.rows.into_iter().map(|mut line| {
            // Shards number their lines by the clock, far above those of the directory.
            let number = line.remove("number").and_then(|number| number.as_u64());
            let number = number.unwrap_or_default() * u64::from(MOST_SHARDS) + u64::from(shard);
            line.insert("pk".to_owned(), json!(number));
            line
        }));
    }
    let number = |line: &Fields, name: &str| line.get(name).and_then(Value::as_u64);
    lines.sort_by_key(|line| Reverse((number(line, "time"), number(line, "pk"))));
    let skip = usize::try_from(query.offset()).unwrap_or(usize::MAX);
    let take = usize::try_from(query.page_size).unwrap_or(usize::MAX);
    let results = lines.into_iter().skip(skip).take(take).collect();
    Ok(Page { count, results })
}
