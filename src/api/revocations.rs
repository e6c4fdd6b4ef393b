//! `GET /api/v1/revocations?since=`: what was revoked, for resources that open tokens by themselves. They
//! keep a copy as an isolate does, and ask for what is new.

use serde_json::json;

use super::{actor, problem};
use crate::error::Reason;
use crate::http::{Request, Response};
use crate::model::scope::REVOCATIONS;
use crate::ports::feed::Since;
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::Revocation;

/// The feed's answer without what concerns our own copies, and as `next` what `since` is to be the next time. Without `since`, or with
/// one that is of another feed or too old, it is all there is, and `full` says so; with `more` there is
/// more to ask for at once.
pub async fn answer<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Response {
    match read(server, request, at).await {
        Ok(body) => Response::json(200, body),
        Err(reason) => problem::refusal(reason),
    }
}

async fn read<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Result<String, Reason> {
    actor::prove(server, request, REVOCATIONS, at).await?;
    let since = since(&request.query)?;
    let mut news = server.ports.feed(at, since).await?;
    news.entries.retain(Revocation::is_an_end);
    let next = format!("{}:{}", news.feed, news.head);
    let mut answer = json!(news);
    if let Some(members) = answer.as_object_mut() {
        members.insert("next".to_owned(), json!(next));
    }
    Ok(answer.to_string())
}

/// Characters of a position: a feed's name is a uuid.
const LONGEST: usize = 100;

/// What was read before.
fn since(query: &str) -> Result<Since, Reason> {
    let mut since = Since {
        feed: String::new(),
        cursor: 0,
    };
    let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    match pairs.as_slice() {
        [] => Ok(since),
        [(name, position)] if name == "since" && position.len() <= LONGEST => {
            let (feed, cursor) = position
                .rsplit_once(':')
                .and_then(|(feed, cursor)| Some((feed, cursor.parse().ok()?)))
                .ok_or(Reason::unfit("since", "has to be what `next` was"))?;
            since.feed = feed.to_owned();
            since.cursor = cursor;
            Ok(since)
        }
        [(name, _), ..] if name == "since" => Err(Reason::unfit(
            "since",
            "has to be what `next` was, and there once",
        )),
        _ => Err(Reason::MalformedBody("a parameter that is not known here")),
    }
}
