//! Tokens that people and services make for themselves, as seed 001 has them: `/api/v1/token-info`,
//! `user-info`, `users/{username}/tokens` and `tokens`. What a token is, is told once, when it is made.

use serde_json::{Map, Value};

use super::actor::{self, Actor, Holder};
use super::token_facts::{info, info_of, info_of_session, opens, told, user_info};
use super::token_fields::{expires_of, expiry_of, members, name_of, scopes_of};
use super::token_making::{add, by, create_for_anybody};
use super::{problem, token_history};
use crate::error::{Input, Reason};
use crate::http::{Request, Response};
use crate::model::scope::{ADMIN, OWN};
use crate::model::{Scope, Seconds, SessionId, Shard, Subject, TokenKey, UnixTime, Username};
use crate::oauth::session;
use crate::ports::directory::FindAccount;
use crate::ports::ledger::{EndOwned, ListSessions, Owned, RateLimit, ReadSubject, Revoked, Row};
use crate::ports::tokens::{
    AddToken, ChangeToken, EndToken, ListTokens, Owner, ReadToken, TokenChanged, TokenFacts,
    TokenList,
};
use crate::ports::{At, Ports};
use crate::server::Server;

pub(super) const USERS: &str = "/api/v1/users/";
/// Whoever asks.
const ME: &str = "me";
/// What the name of a service begins with, and no person's.
pub(super) const SERVICE: &str = "bot-";
/// What somebody may make for themselves: a script that needs more in an hour should delegate. Whoever
/// made and ended tokens in a loop would fill the memory of every isolate. Ending has no limit.
const MAKING: RateLimit = RateLimit {
    most: 100,
    window: Seconds(3600),
};
/// Whose tokens are asked for.
pub(super) struct Target {
    pub(super) owner: Owner,
    pub(super) shard: Shard,
}

/// Answers the routes above, and those of the history.
pub async fn answer<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Response {
    let answer = respond(server, request, at).await;
    answer.unwrap_or_else(problem::refusal)
}

async fn respond<P: Ports>(
    server: &Server<P>,
    request: &Request,
    at: &At,
) -> Result<Response, Reason> {
    let method = request.method.as_str();
    match request.path.as_str() {
        "/api/v1/token-info" => {
            let holder = actor::holder(server, request, at).await?;
            let holder = holder.ok_or(Reason::TokenUnknown)?;
            return Ok(told(200, info(&holder.principal)));
        }
        "/api/v1/user-info" => {
            let holder = actor::holder(server, request, at).await?;
            return user_info(server, &holder.ok_or(Reason::TokenUnknown)?, at).await;
        }
        "/api/v1/tokens" => return create_for_anybody(server, request, at).await,
        "/api/v1/history/token-changes" => {
            actor::administrator(server, request, at).await?;
            return token_history::answer(server, request, None, at).await;
        }
        _ => {}
    }
    let actor = actor::prove(server, request, OWN, at).await?;
    let (holder, administers) = match &actor {
        Actor::Bootstrap => return Err(Reason::TokenUnknown),
        Actor::Administrator(holder) => (holder, true),
        Actor::Person(holder) => (holder, false),
    };
    let mut parts = request
        .path
        .strip_prefix(USERS)
        .unwrap_or_default()
        .split('/');
    let username = parts.next().unwrap_or_default();
    let username = username.replace("%40", "@").replace("%2B", "+");
    let is_own = username == ME || username == holder.username;
    let target = target(server, holder, &username, is_own, administers, at).await?;
    let (what, key, more) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    if parts.next().is_some() {
        return Err(Reason::NoSuchRecord);
    }
    let asked = Asked {
        server,
        request,
        at,
        holder,
        target,
        is_own,
    };
    match (method, what, key, more) {
        ("GET", "tokens", None, None) => asked.list().await,
        ("POST", "tokens", None, None) => asked.create().await,
        ("GET", "tokens", Some(key), None) => asked.show(key).await,
        ("PATCH", "tokens", Some(key), None) => asked.change(key, administers).await,
        ("DELETE", "tokens", Some(key), None) => asked.end(key).await,
        ("GET", "tokens", Some(key), Some("change-history")) => {
            let key = parse_key(key)?;
            token_history::of_key(server, asked.target, key, at).await
        }
        ("GET", "token-change-history", None, None) => {
            token_history::answer(server, request, Some((asked.target, administers)), at).await
        }
        (_, "tokens", None, None) => Err(Reason::MethodNotAllowed("GET, HEAD, POST")),
        (_, "tokens", Some(_), None) => Err(Reason::MethodNotAllowed("GET, HEAD, PATCH, DELETE")),
        (_, "tokens", Some(_), Some("change-history"))
        | (_, "token-change-history", None, None) => Err(Reason::MethodNotAllowed("GET, HEAD")),
        _ => Err(Reason::NoSuchRecord),
    }
}

/// Where the tokens are that a path speaks of. Who may not see them learns nothing about who is there.
pub(super) async fn target<P: Ports>(
    server: &Server<P>,
    holder: &Holder,
    username: &str,
    is_own: bool,
    administers: bool,
    at: &At,
) -> Result<Target, Reason> {
    if let Some((subject, shard)) = holder.person.clone().filter(|_| is_own) {
        let owner = Owner::Person(subject);
        return Ok(Target { owner, shard });
    }
    let name = if is_own { &holder.username } else { username };
    let invalid = |_| Input::path("username", "is no username", "string_pattern_mismatch").reason();
    let name = Username::parse(name).map_err(invalid)?;
    if !is_own && !administers {
        return Err(Reason::PermissionDenied);
    }
    if is_own || name.as_str().starts_with(SERVICE) {
        return Ok(of_service(name));
    }
    let find = FindAccount { username: name };
    let account = server.ports.directory(at, find).await?;
    let facts = account.ok_or(Reason::NoSuchRecord)?.facts;
    Ok(Target {
        owner: Owner::Person(facts.subject),
        shard: facts.shard,
    })
}

pub(super) fn of_service(name: Username) -> Target {
    Target {
        shard: Shard::of_key(&format!("service:{name}")),
        owner: Owner::Service(name),
    }
}

fn parse_key(text: &str) -> Result<TokenKey, Reason> {
    let rule = "has to be the 22 characters of a token's key";
    TokenKey::parse_whole(text)
        .map_err(|_| Input::path("key", rule, "string_pattern_mismatch").reason())
}

struct Asked<'a, P> {
    server: &'a Server<P>,
    request: &'a Request,
    at: &'a At,
    holder: &'a Holder,
    target: Target,
    is_own: bool,
}

impl<P: Ports> Asked<'_, P> {
    async fn list(&self) -> Result<Response, Reason> {
        let ledger = &self.server.ports;
        let owner = self.target.owner.clone();
        let list = ListTokens { owner };
        let TokenList { person, rows } = ledger.ledger(self.target.shard, self.at, list).await?;
        let feed = ledger.revocations(self.at).await?;
        let mut all: Vec<(UnixTime, Map<String, Value>)> = Vec::new();
        for row in rows.into_iter().filter(|row| opens(row, &feed)) {
            let created = row.created;
            let person = person.clone();
            let mut told = info_of(&TokenFacts { row, person }, self.target.shard);
            // As in seed 001: who wants to know asks for the one.
            told.remove("parent");
            all.push((created, told));
        }
        if let (Some(person), Owner::Person(subject)) = (&person, &self.target.owner) {
            let sessions = self.sessions(subject).await?;
            all.extend(
                sessions
                    .iter()
                    .filter_map(|row| info_of_session(row, person)),
            );
        }
        all.sort_by(|(one, told), (other, tells)| {
            let newest = other.cmp(one);
            newest.then_with(|| told["token"].to_string().cmp(&tells["token"].to_string()))
        });
        let all: Vec<_> = all
            .into_iter()
            .map(|(_, told)| Value::Object(told))
            .collect();
        Ok(Response::json(200, Value::Array(all).to_string()))
    }

    async fn sessions(&self, subject: &Subject) -> Result<Vec<Row>, Reason> {
        let subject = subject.clone();
        let list = ListSessions { subject };
        Ok(self
            .server
            .ports
            .ledger(self.target.shard, self.at, list)
            .await?)
    }

    /// What is told of the one of this key: a token, or a session.
    pub(super) async fn find(&self, key: &TokenKey) -> Result<Map<String, Value>, Reason> {
        let (ports, shard) = (&self.server.ports, self.target.shard);
        let read = ReadToken { key: key.clone() };
        let facts = ports.ledger(shard, self.at, read).await?;
        if let Some(facts) = facts.filter(|facts| facts.row.owner() == self.target.owner) {
            let feed = ports.revocations(self.at).await?;
            return if opens(&facts.row, &feed) {
                Ok(info_of(&facts, shard))
            } else {
                Err(Reason::NoSuchRecord)
            };
        }
        let Owner::Person(subject) = &self.target.owner else {
            return Err(Reason::NoSuchRecord);
        };
        let sessions = self.sessions(subject).await?;
        let is_it = |row: &&Row| {
            let id = row.get("session").and_then(Value::as_str);
            id.is_some_and(|id| TokenKey::of(id) == *key)
        };
        let session = sessions.iter().find(is_it).ok_or(Reason::NoSuchRecord)?;
        let subject = subject.clone();
        let person = ports
            .ledger(shard, self.at, ReadSubject { subject })
            .await?;
        let found = person.and_then(|person| info_of_session(session, &person));
        Ok(found.ok_or(Reason::NoSuchRecord)?.1)
    }

    async fn show(&self, key: &str) -> Result<Response, Reason> {
        Ok(told(200, self.find(&parse_key(key)?).await?))
    }

    /// One's own alone, for administrators, too: they have a path of their own.
    async fn create(self) -> Result<Response, Reason> {
        if !self.is_own || self.holder.person.is_none() {
            return Err(Reason::PermissionDenied);
        }
        let body = members(self.request, &["token_name", "scopes", "expires"])?;
        let missing = Input::body("token_name", "is required", "missing").reason();
        let token_name = name_of(body.get("token_name").ok_or(missing)?)?;
        let expires = expires_of(&body, self.at.now.unix())?;
        let held = &self.holder.scopes;
        let bound = (!held.contains(ADMIN)).then_some(held);
        let scopes = match body.get("scopes").filter(|value| !value.is_null()) {
            Some(value) => scopes_of(self.server, value, bound, self.at).await?,
            None => Scope::default(),
        };
        let verb = AddToken {
            key: self.server.fresh_name("", 16)?,
            owner: self.target.owner.clone(),
            token_name: Some(token_name),
            scopes,
            expires,
            epoch: 0,
            by: by(&self.holder.username, self.request),
            limit: Some(MAKING),
        };
        let username = &self.holder.username;
        add(self.server, self.target, username, verb, self.at).await
    }

    async fn change(self, key: &str, administers: bool) -> Result<Response, Reason> {
        if !administers {
            return Err(Reason::PermissionDenied);
        }
        let key = parse_key(key)?;
        let body = members(self.request, &["token_name", "scopes", "expires"])?;
        let expires = body.get("expires");
        let expires = expires.map(|value| expiry_of(value, self.at.now.unix()));
        let scopes = match body.get("scopes") {
            Some(value) => Some(scopes_of(self.server, value, None, self.at).await?),
            None => None,
        };
        let verb = ChangeToken {
            key: key.clone(),
            owner: self.target.owner.clone(),
            token_name: body.get("token_name").map(name_of).transpose()?,
            scopes,
            expires: expires.transpose()?,
            epoch: self.server.ports.revocations(self.at).await?.epoch(),
            by: by(&self.holder.username, self.request),
        };
        let shard = self.target.shard;
        match self.server.ports.ledger(shard, self.at, verb).await? {
            TokenChanged::Changed(facts) => Ok(told(200, info_of(&facts, shard))),
            TokenChanged::NameTaken => Err(Reason::DuplicateTokenName),
            TokenChanged::Fixed => Err(Reason::PermissionDenied),
            // A session is as little changed as any other token that nobody named.
            TokenChanged::Unknown => match self.find(&key).await {
                Ok(_) => Err(Reason::PermissionDenied),
                Err(reason) => Err(reason),
            },
        }
    }

    pub(super) async fn end(self, key: &str) -> Result<Response, Reason> {
        let key = parse_key(key)?;
        let (ports, shard) = (&self.server.ports, self.target.shard);
        let end = EndToken {
            key: key.clone(),
            owner: self.target.owner.clone(),
            by: by(&self.holder.username, self.request),
        };
        if ports.ledger(shard, self.at, end).await? {
            return Ok(Response::empty(204));
        }
        let Owner::Person(subject) = self.target.owner else {
            return Err(Reason::NoSuchRecord);
        };
        let what = Owned::Session(key.to_string());
        let actor = by(&self.holder.username, self.request);
        let end = EndOwned {
            subject,
            what,
            actor: Some(actor),
        };
        let own = self.holder.session.as_ref().map(SessionId::as_str);
        let over = self.holder.csrf.is_some() && own.is_some_and(|own| TokenKey::of(own) == key);
        match ports.ledger(shard, self.at, end).await? {
            Revoked::Done if over => {
                Ok(Response::empty(204).with("set-cookie", session::forget(self.server)))
            }
            Revoked::Done => Ok(Response::empty(204)),
            Revoked::Unknown => Err(Reason::NoSuchRecord),
        }
    }
}
