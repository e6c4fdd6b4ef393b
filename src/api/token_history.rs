//! What happened to tokens: of one, of somebody's, of all. The newest first, from all shards as one.

use serde_json::Value;

use super::tokens::Target;
use crate::error::{Input, Reason};
use crate::http::{Request, Response};
use crate::model::{Shard, TokenKey, TokenType, UnixTime, network_bits};
use crate::ports::ledger::Row;
use crate::ports::tokens::{Position, ReadTokenHistory, TokenHistory};
use crate::ports::{At, Ports};
use crate::server::Server;

/// Lines of an answer: where more are asked for, or no limit is said, the rest is linked to.
const MOST: u64 = 1_000;
/// A line's id is its number in its shard, times this, and the shard.
const SHARDS: u64 = 256;

/// A place in the history of all shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cursor {
    time: UnixTime,
    id: u64,
    backwards: bool,
}

impl Cursor {
    /// `<epoch>_<id>`, with a `p` before it for what is newer.
    fn parse(text: &str) -> Option<Self> {
        let (backwards, rest) = match text.strip_prefix('p') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            digits
                .then(|| text.parse().ok().filter(|number| *number < 1 << 53))
                .flatten()
        };
        let (time, id) = rest.split_once('_')?;
        Some(Self {
            time: UnixTime(number(time)?),
            id: number(id)?,
            backwards,
        })
    }

    fn print(self) -> String {
        let sign = if self.backwards { "p" } else { "" };
        format!("{sign}{}_{}", self.time.0, self.id)
    }

    /// Where that is in one shard: from the line itself on, or right before it.
    fn within(self, Shard(shard): Shard) -> Position {
        let below = match self.id.checked_sub(u64::from(shard)) {
            Some(rest) => rest / SHARDS + 1,
            None => 0,
        };
        Position {
            time: self.time,
            below,
            backwards: self.backwards,
        }
    }
}

/// A line, and where it is.
struct Placed {
    at: Cursor,
    told: Row,
}

struct Asked {
    verb: ReadTokenHistory,
    cursor: Option<Cursor>,
    /// As it was asked for.
    limit: Option<u64>,
}

/// `…/tokens/{key}/change-history`.
pub(super) async fn of_key<P: Ports>(
    server: &Server<P>,
    target: Target,
    key: TokenKey,
    at: &At,
) -> Result<Response, Reason> {
    let verb = ReadTokenHistory {
        owner: Some(target.owner),
        key: Some(key),
        alone: true,
        ..all()
    };
    let history = server.ports.ledger(target.shard, at, verb).await?;
    let lines: Vec<_> = history.lines.into_iter().filter_map(told).collect();
    if lines.is_empty() {
        return Err(Reason::NoSuchRecord);
    }
    Ok(listed(lines))
}

/// The history of somebody, or of everybody.
pub(super) async fn answer<P: Ports>(
    server: &Server<P>,
    request: &Request,
    of: Option<(Target, bool)>,
    at: &At,
) -> Result<Response, Reason> {
    if request.method != "GET" {
        return Err(Reason::MethodNotAllowed("GET, HEAD"));
    }
    let administers = of.as_ref().is_none_or(|(_, administers)| *administers);
    let mut asked = read(&request.query, of.is_none(), administers)?;
    let limit = asked.limit.unwrap_or(MOST).min(MOST);
    asked.verb.most = limit + 1;
    let shards: Vec<Shard> = match of {
        Some((target, _)) => {
            asked.verb.owner = Some(target.owner);
            vec![target.shard]
        }
        None => Shard::all(server.config.ledger_shards).collect(),
    };
    let backwards = asked.cursor.is_some_and(|cursor| cursor.backwards);
    // One more is asked for, to know whether there is more.
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let (mut count, mut lines) = (0, Vec::new());
    for shard in shards {
        let verb = ReadTokenHistory {
            from: asked.cursor.map(|cursor| cursor.within(shard)),
            ..asked.verb.clone()
        };
        let TokenHistory {
            count: more,
            lines: some,
        } = server.ports.ledger(shard, at, verb).await?;
        count += more;
        let some = some.into_iter().filter_map(|line| placed(line, shard));
        nearest(&mut lines, some, backwards, most + 1);
    }
    let rest = lines.get(most).map(|line| line.at);
    lines.truncate(most);
    if backwards {
        lines.reverse();
    }
    let first = lines.first().map(|line| line.at);
    let (next, previous) = match asked.cursor {
        Some(cursor) if cursor.backwards => {
            let here = Cursor {
                backwards: false,
                ..cursor
            };
            (Some(here), rest.and(first))
        }
        Some(cursor) => (rest, Some(first.unwrap_or(cursor))),
        None => (rest, None),
    };
    let answer = listed(lines.into_iter().map(|line| line.told).collect());
    if asked.limit.is_none() && asked.cursor.is_none() && rest.is_none() {
        return Ok(answer);
    }
    let previous = previous.map(|at| Cursor {
        backwards: true,
        ..at
    });
    let mut links = vec![link(server, request, None, "first")];
    links.extend(next.map(|at| link(server, request, Some(at), "next")));
    links.extend(previous.map(|at| link(server, request, Some(at), "prev")));
    Ok(answer
        .with("link", links.join(", "))
        .with("x-total-count", count.to_string()))
}

/// Adds the lines of a shard and keeps the nearest, so that never more is held than twice an answer.
fn nearest(
    lines: &mut Vec<Placed>,
    more: impl Iterator<Item = Placed>,
    backwards: bool,
    most: usize,
) {
    lines.extend(more);
    lines.sort_by_key(|line| (line.at.time, line.at.id));
    if !backwards {
        lines.reverse();
    }
    lines.truncate(most);
}

fn all() -> ReadTokenHistory {
    ReadTokenHistory {
        owner: None,
        username: None,
        key: None,
        alone: false,
        token_type: None,
        actor: None,
        addresses: None,
        since: None,
        until: None,
        from: None,
        most: MOST,
    }
}

/// Reads the filters. Who is not asked about everybody knows whom they ask about.
fn read(query: &str, everybody: bool, administers: bool) -> Result<Asked, Reason> {
    let mut asked = Asked {
        verb: all(),
        cursor: None,
        limit: None,
    };
    let mut seen = Vec::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let unfit = |kind| Input::query(&name, "has a value that it cannot have", kind).reason();
        if seen.contains(&name) {
            return Err(Input::query(&name, "is there more than once", "value_error").reason());
        }
        let time = || {
            let digits = value.bytes().all(|byte| byte.is_ascii_digit());
            let number = digits.then(|| value.parse().ok().map(UnixTime)).flatten();
            let time = number.or_else(|| UnixTime::parse_rfc3339(&value));
            time.filter(|time| time.0 <= 1 << 52)
        };
        let verb = &mut asked.verb;
        match name.as_ref() {
            "since" => verb.since = Some(time().ok_or(unfit("datetime_type"))?),
            "until" => verb.until = Some(time().ok_or(unfit("datetime_type"))?),
            "key" => {
                let key = TokenKey::parse_whole(&value);
                verb.key = Some(key.map_err(|_| unfit("string_pattern_mismatch"))?);
            }
            "token_type" => verb.token_type = Some(TokenType::parse(&value).ok_or(unfit("enum"))?),
            "ip_address" => {
                let network = network_bits(&value);
                verb.addresses = Some(network.ok_or(unfit("invalid_ip_address"))?);
            }
            "username" if everybody => verb.username = Some(value.clone().into_owned()),
            "actor" if everybody && administers => verb.actor = Some(value.clone().into_owned()),
            "cursor" => asked.cursor = Some(Cursor::parse(&value).ok_or(unfit("invalid_cursor"))?),
            "limit" => {
                let limit = value
                    .parse()
                    .ok()
                    .filter(|limit| (1..=1 << 52).contains(limit));
                asked.limit = Some(limit.ok_or(unfit("greater_than_equal"))?);
            }
            _ => return Err(Input::query(&name, "is not known here", "extra_forbidden").reason()),
        }
        seen.push(name);
    }
    Ok(asked)
}

fn told(mut line: Row) -> Option<Row> {
    let Some(Value::Object(mut told)) = line.remove("line") else {
        return None;
    };
    for name in ["token_name", "parent", "service"] {
        if told.get(name).is_some_and(Value::is_null) {
            told.remove(name);
        }
    }
    Some(told)
}

fn placed(line: Row, Shard(shard): Shard) -> Option<Placed> {
    let number = |name: &str| line.get(name).and_then(Value::as_u64);
    let at = Cursor {
        time: UnixTime(number("time")?),
        id: number("number")? * SHARDS + u64::from(shard),
        backwards: false,
    };
    let told = told(line)?;
    Some(Placed { at, told })
}

fn listed(lines: Vec<Row>) -> Response {
    let lines = lines.into_iter().map(Value::Object).collect();
    Response::json(200, Value::Array(lines).to_string())
}

/// RFC 8288: the same question from elsewhere on.
fn link<P>(server: &Server<P>, request: &Request, at: Option<Cursor>, rel: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    let given = form_urlencoded::parse(request.query.as_bytes());
    query.extend_pairs(given.filter(|(name, _)| name != "cursor"));
    if let Some(cursor) = at {
        query.append_pair("cursor", &cursor.print());
    }
    let (path, query) = (server.config.url(&request.path), query.finish());
    let separator = if query.is_empty() { "" } else { "?" };
    format!("<{path}{separator}{query}>; rel=\"{rel}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_two_numbers_and_perhaps_a_p() {
        for text in ["1614985055_4234", "p1614985055_4234", "0_0"] {
            assert_eq!(Cursor::parse(text).unwrap().print(), text);
        }
        for text in [
            "", "_", "1_", "_1", "p", "q1_1", "1_1_1", "1_-1", "pp1_1", "1 _1",
        ] {
            assert_eq!(Cursor::parse(text), None, "{text}");
        }
        assert_eq!(Cursor::parse("1_9999999999999999999999"), None);
    }

    #[test]
    fn of_many_shards_no_more_is_kept_than_the_nearest_lines() {
        for (backwards, kept) in [(false, [3255, 3254, 3253]), (true, [0, 1, 2])] {
            let mut lines = Vec::new();
            for shard in 0..SHARDS {
                let of_shard = (0..4_u64).map(|number| Placed {
                    at: Cursor {
                        time: UnixTime(number * 1000 + shard),
                        id: number * SHARDS + shard,
                        backwards: false,
                    },
                    told: Row::new(),
                });
                nearest(&mut lines, of_shard, backwards, 3);
                assert_eq!(lines.len(), 3);
            }
            let times: Vec<u64> = lines.iter().map(|line| line.at.time.0).collect();
            assert_eq!(times, kept);
        }
    }

    #[test]
    fn a_place_is_found_in_every_shard() {
        let at = Cursor::parse("9_1027").unwrap();
        for (shard, below) in [(2, 5), (3, 5), (4, 4)] {
            assert_eq!(at.within(Shard(shard)).below, below, "{shard}");
        }
        assert_eq!(Cursor::parse("9_3").unwrap().within(Shard(4)).below, 0);
    }
}
