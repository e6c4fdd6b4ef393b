//! What users have of their own, under `/api/v1/users/{username}/`: sessions, grants and consents, to
//! list and to end, and the password; and `GET /api/v1/login`, which tells a page of ours who is signed in (seed 001).

use serde_json::{Value, json};

use super::actor::{self, Actor, Holder};
use super::{body, problem};
use crate::directory::list::ListQuery;
use crate::directory::record::{self, Change, Changed, Fields};
use crate::directory::{Collection, Reading, fields, schema};
use crate::error::Reason;
use crate::http::{Request, Response};
use crate::model::scope::OWN;
use crate::model::{ClientId, Secret, SessionId, Shard, Subject, Username, public_id};
use crate::oauth::{consent, password, session};
use crate::ports::directory::{ChangeRecord, FindAccount, ListRecords};
use crate::ports::ledger::{
    EndOwned, ListConsents, ListGrants, ListSessions, Owned, Revoked, Row, WithdrawConsent,
};
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::refresh;

const LOGIN: &str = "/api/v1/login";
const BASE: &str = "/api/v1/users/";
/// Whoever asks.
const ME: &str = "me";
/// Their password.
const PASSWORD: &str = "password";
/// Scopes that are told: as many as there may be.
const MOST_SCOPES: u64 = 1000;

/// Answers the routes above.
pub async fn answer<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Response {
    let answer = respond(server, request, at).await;
    answer.unwrap_or_else(problem::refusal)
}

async fn respond<P: Ports>(
    server: &Server<P>,
    request: &Request,
    at: &At,
) -> Result<Response, Reason> {
    let (holder, administers) = match actor::prove(server, request, OWN, at).await? {
        // It is nobody's: there is nothing of its own, and it is no way into what others have.
        Actor::Bootstrap => return Err(Reason::TokenUnknown),
        Actor::Administrator(holder) => (holder, true),
        Actor::Person(holder) => (holder, false),
    };
    if request.path == LOGIN {
        return login(server, &holder, at).await;
    }
    let (username, collection, id) = target(&request.path).ok_or(Reason::NoSuchRecord)?;
    let is_own = username == ME || username == holder.username;
    if collection == PASSWORD && is_own && id.is_none() && holder.person.is_some() {
        return match request.method.as_str() {
            "PUT" => change_password(server, request, &holder, at).await,
            _ => Err(Reason::MethodNotAllowed("PUT")),
        };
    }
    let owner = match &holder.person {
        Some(own) if is_own => own.clone(),
        // Nobody is looked for, so that nothing tells who is there.
        _ if !administers || username == ME => return Err(Reason::NoSuchRecord),
        _ => find(server, &username, at).await?,
    };
    let asked = Asked {
        server,
        at,
        actor: Some(record::Actor {
            name: holder.username,
            address: request.address.clone(),
        }),
        // The caller's own, if it can be among the owner's.
        session: holder.session.filter(|_| is_own),
        by_cookie: holder.csrf.is_some(),
        owner: owner.0,
        shard: owner.1,
    };
    let name = match (request.method.as_str(), collection, id) {
        ("GET", "grants", None) => "client_id",
        ("DELETE", "sessions", None) => "except_current",
        _ => "",
    };
    let parameter = parameter(&request.query, name)?;
    match (request.method.as_str(), collection, id) {
        ("GET", "sessions", None) => asked.sessions().await,
        ("GET", "grants", None) => asked.grants(parameter).await,
        ("GET", "consents", None) => asked.consents().await,
        ("DELETE", "sessions", None) => {
            let except = match parameter.as_deref() {
                Some("true") => asked.session.clone(),
                None | Some("false") => None,
                Some(_) => return Err(Reason::unfit(name, "has to be true or false")),
            };
            asked.end(Owned::Sessions(except)).await
        }
        ("DELETE", "sessions", Some(id)) => asked.end(Owned::Session(id.to_owned())).await,
        ("DELETE", "grants", Some(id)) => asked.end(Owned::Grant(id.to_owned())).await,
        ("DELETE", "consents", Some(id)) => asked.withdraw(id).await,
        (_, "sessions", None) => Err(Reason::MethodNotAllowed("GET, HEAD, DELETE")),
        (_, "grants" | "consents", None) => Err(Reason::MethodNotAllowed("GET, HEAD")),
        (_, "sessions" | "grants" | "consents", _) => Err(Reason::MethodNotAllowed("DELETE")),
        _ => Err(Reason::NoSuchRecord),
    }
}

/// Seed 000's own account: who knows the old password chooses a new one, and every session and token of
/// before ends, this one's, too. Wrong guesses are counted as at `/login`.
async fn change_password<P: Ports>(
    server: &Server<P>,
    request: &Request,
    holder: &Holder,
    at: &At,
) -> Result<Response, Reason> {
    let members = body::object(request)?;
    let fields = schema::read(fields::PASSWORDS, &members, Reading::Create);
    let fields = fields.map_err(Reason::UnfitField)?;
    let text =
        |name: &str| Secret::new(fields.get(name).and_then(Value::as_str).unwrap_or_default());
    let network = request.network();
    let old = text("old_password");
    let checked = password::check(server, &holder.username, &old, network.as_deref(), at).await;
    let account = checked.map_err(|reason| match reason {
        Reason::WrongCredentials => Reason::unfit("old_password", "is not the password"),
        other => other,
    })?;
    let hash = password::hash(server, &text("new_password"))?;
    let change = ChangeRecord {
        collection: Collection::Users,
        change: Change::Set(
            account.facts.number,
            Fields::from_iter([("_password".to_owned(), json!(hash))]),
        ),
        actor: record::Actor {
            name: holder.username.clone(),
            address: request.address.clone(),
        },
    };
    match server.ports.directory(at, change).await? {
        Changed::Done(_) => Ok(Response::empty(204).with("set-cookie", session::forget(server))),
        _ => Err(Reason::NoSuchRecord),
    }
}

/// The username, what is asked of it, and which one. `@` and `+` may be there as they are, or encoded.
fn target(path: &str) -> Option<(String, &str, Option<&str>)> {
    let mut parts = path.strip_prefix(BASE)?.split('/');
    let username = parts.next()?.replace("%40", "@").replace("%2B", "+");
    let target = (username, parts.next()?, parts.next());
    parts.next().is_none().then_some(target)
}

/// The value of the one parameter that is known here.
fn parameter(query: &str, known: &str) -> Result<Option<String>, Reason> {
    let mut found = None;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if name != known {
            return Err(Reason::unfit(&name, "is not known here"));
        }
        if found.replace(value.into_owned()).is_some() {
            return Err(Reason::unfit(&name, "is there more than once"));
        }
    }
    Ok(found)
}

/// Where somebody is whom an administrator names.
async fn find<P: Ports>(
    server: &Server<P>,
    username: &str,
    at: &At,
) -> Result<(Subject, Shard), Reason> {
    let username = Username::parse(username).map_err(|_| Reason::NoSuchRecord)?;
    let account = server.ports.directory(at, FindAccount { username }).await?;
    let facts = account.ok_or(Reason::NoSuchRecord)?.facts;
    Ok((facts.subject, facts.shard))
}

/// What a page needs to act for who is signed in.
async fn login<P: Ports>(server: &Server<P>, holder: &Holder, at: &At) -> Result<Response, Reason> {
    let csrf = holder.csrf.as_ref().ok_or(Reason::NoToken)?;
    let list = ListRecords {
        collection: Collection::Scopes,
        query: ListQuery {
            page: 1,
            page_size: MOST_SCOPES,
            ..ListQuery::default()
        },
    };
    let known = server.ports.directory(at, list).await?;
    let scopes: Vec<Value> = known
        .results
        .iter()
        .map(|scope| json!({ "name": scope.get("value"), "description": scope.get("description") }))
        .collect();
    let body = json!({
        "csrf": csrf,
        "username": holder.username,
        "scopes": holder.scopes.iter().collect::<Vec<_>>(),
        "config": { "scopes": scopes },
    });
    Ok(Response::json(200, body.to_string()))
}

struct Asked<'a, P> {
    server: &'a Server<P>,
    at: &'a At,
    actor: Option<record::Actor>,
    session: Option<SessionId>,
    by_cookie: bool,
    owner: Subject,
    shard: Shard,
}

impl<P: Ports> Asked<'_, P> {
    async fn sessions(&self) -> Result<Response, Reason> {
        let subject = self.owner.clone();
        let list = ListSessions { subject };
        let mut rows = self.server.ports.ledger(self.shard, self.at, list).await?;
        for row in &mut rows {
            let session = self.session.as_ref().map(SessionId::as_str);
            let current =
                session.is_some() && session == row.get("session").and_then(Value::as_str);
            row.insert("current".to_owned(), json!(current));
            name_publicly(row, "session", "id");
        }
        Ok(listed(json!(rows)))
    }

    async fn grants(&self, client: Option<String>) -> Result<Response, Reason> {
        let client = client.map(ClientId::try_from).transpose();
        let list = ListGrants {
            subject: self.owner.clone(),
            client: client.map_err(|_| Reason::unfit("client_id", "is not a client id"))?,
            idle: refresh::IDLE,
        };
        let mut rows = self.server.ports.ledger(self.shard, self.at, list).await?;
        for row in &mut rows {
            let offline = row.get("session").is_none_or(Value::is_null);
            row.insert("offline".to_owned(), json!(offline));
            name_publicly(row, "session", "session");
            name_publicly(row, "grant", "id");
            self.describe(row).await?;
        }
        Ok(listed(json!(rows)))
    }

    /// Says what the client is called, and lists the scope.
    async fn describe(&self, row: &mut Row) -> Result<(), Reason> {
        let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
        let scopes: Vec<&str> = text("scope").split_ascii_whitespace().collect();
        let scopes = json!(scopes);
        let client = ClientId::parse(text("client_id"));
        let client = client.map_err(|_| Reason::Internal("a row names no client"))?;
        let name = consent::client_name(self.server, &client, self.at).await?;
        row.insert("scope".to_owned(), scopes);
        row.insert("client_name".to_owned(), json!(name));
        Ok(())
    }

    async fn consents(&self) -> Result<Response, Reason> {
        let subject = self.owner.clone();
        let list = ListConsents { subject };
        let mut rows = Vec::new();
        for given in self.server.ports.ledger(self.shard, self.at, list).await? {
            let mut row = Row::new();
            row.insert("client_id".to_owned(), json!(given.client));
            row.insert("scope".to_owned(), json!(given.scope));
            self.describe(&mut row).await?;
            rows.push(row);
        }
        Ok(listed(json!(rows)))
    }

    async fn end(&self, what: Owned) -> Result<Response, Reason> {
        let own = self.session.as_ref().filter(|_| self.by_cookie);
        let over = own.is_some_and(|own| match &what {
            Owned::Session(id) => *id == public_id(own.as_str()),
            Owned::Sessions(except) => except.is_none(),
            Owned::Grant(_) => false,
        });
        let subject = self.owner.clone();
        let end = EndOwned {
            subject,
            what,
            actor: self.actor.clone(),
        };
        match self.server.ports.ledger(self.shard, self.at, end).await? {
            Revoked::Done if over => {
                Ok(Response::empty(204).with("set-cookie", session::forget(self.server)))
            }
            Revoked::Done => Ok(Response::empty(204)),
            Revoked::Unknown => Err(Reason::NoSuchRecord),
        }
    }

    /// Whether there was a consent or not: what is not there is taken back already.
    async fn withdraw(&self, client: &str) -> Result<Response, Reason> {
        let withdraw = WithdrawConsent {
            subject: self.owner.clone(),
            client: ClientId::parse(client).map_err(|_| Reason::NoSuchRecord)?,
            actor: self.actor.clone(),
        };
        let ledger = &self.server.ports;
        ledger.ledger(self.shard, self.at, withdraw).await?;
        Ok(Response::empty(204))
    }
}

fn listed(rows: Value) -> Response {
    Response::json(200, json!({ "results": rows }).to_string())
}

/// What opens or names something elsewhere is not shown.
fn name_publicly(row: &mut Row, column: &str, name: &str) {
    if let Some(Value::String(id)) = row.remove(column) {
        row.insert(name.to_owned(), json!(public_id(&id)));
    } else {
        row.insert(name.to_owned(), Value::Null);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_user_a_collection_and_perhaps_one_of_it() {
        let of = |path: &str| {
            target(path).map(|(name, what, id)| (name, what.to_owned(), id.map(str::to_owned)))
        };
        let named = |name: &str, id: Option<&str>| {
            Some((
                name.to_owned(),
                "sessions".to_owned(),
                id.map(str::to_owned),
            ))
        };
        assert_eq!(of("/api/v1/users/me/sessions"), named("me", None));
        assert_eq!(
            of("/api/v1/users/a%40b%2Bc/sessions/x"),
            named("a@b+c", Some("x"))
        );
        for path in [
            "/api/v1/users/me",
            "/api/v1/users/me/a/b/c",
            "/api/v1/roles/me/a",
        ] {
            assert_eq!(of(path), None, "{path}");
        }
    }

    #[test]
    fn a_parameter_is_known_and_there_once() {
        assert_eq!(parameter("", "a"), Ok(None));
        assert_eq!(parameter("a=1", "a"), Ok(Some("1".to_owned())));
        assert!(parameter("a=1&a=1", "a").is_err());
        assert!(parameter("b=1", "a").is_err());
        assert!(parameter("a=1", "").is_err());
    }
}
