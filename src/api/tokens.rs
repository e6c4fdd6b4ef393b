//! Tokens that people and services make for themselves, as seed 001 has them: `/api/v1/token-info`,
//! `user-info`, `users/{username}/tokens` and `tokens`. What a token is, is told once, when it is made.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::actor::{self, Actor, Holder};
use super::{problem, token_history};
use crate::directory::Collection;
use crate::directory::records::{self, Fields};
use crate::error::{Input, Reason};
use crate::gate::{Principal, quota};
use crate::http::{Request, Response};
use crate::jose::parse_strict_object;
use crate::model::scope::{ADMIN, OWN};
use crate::model::{
    Scope, Seconds, SessionId, Shard, Subject, SubjectFacts, TokenKey, TokenType, UnixTime,
    Username,
};
use crate::oauth::session;
use crate::ports::directory::{FindAccount, FindRecords};
use crate::ports::ledger::{EndOwned, ListSessions, Owned, RateLimit, ReadSubject, Revoked, Row};
use crate::ports::tokens::{
    AddToken, ChangeToken, EndToken, Expiry, ListTokens, Owner, ReadToken, TokenAdded,
    TokenChanged, TokenFacts, TokenList,
};
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::TokenHandle;

const USERS: &str = "/api/v1/users/";
/// Whoever asks.
const ME: &str = "me";
/// What the name of a service begins with, and no person's.
const SERVICE: &str = "bot-";
/// A token lives for at least this long: whoever makes one for less has mistaken the unit.
const SHORTEST: Seconds = Seconds(300);
/// What somebody may make for themselves: a script that needs more in an hour should delegate. Whoever
/// made and ended tokens in a loop would fill the memory of every isolate. Ending has no limit.
const MAKING: RateLimit = RateLimit {
    most: 100,
    window: Seconds(3600),
};
/// Characters of a token's name.
const LONGEST_NAME: usize = 64;

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
async fn target<P: Ports>(
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

fn of_service(name: Username) -> Target {
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

fn told(status: u16, members: Map<String, Value>) -> Response {
    Response::json(status, Value::Object(members).to_string())
}

/// What is told of a token: what it does not have is not there.
fn info(token: &Principal) -> Map<String, Value> {
    let mut told = Map::new();
    for (name, value) in [
        ("token", json!(token.key)),
        ("username", json!(token.username)),
        ("token_type", json!(token.token_type)),
        ("scopes", json!(token.scopes.iter().collect::<Vec<_>>())),
        ("created", json!(token.created)),
        ("expires", json!(token.expires)),
        ("token_name", json!(token.token_name)),
        ("service", json!(token.service)),
        ("parent", json!(token.parent)),
    ] {
        if !value.is_null() {
            told.insert(name.to_owned(), value);
        }
    }
    told
}

fn info_of(facts: &TokenFacts, shard: Shard) -> Map<String, Value> {
    info(&crate::gate::principal::of_row(facts, shard))
}

/// A session, as a token.
fn info_of_session(row: &Row, person: &SubjectFacts) -> Option<(UnixTime, Map<String, Value>)> {
    let time = |name: &str| row.get(name).and_then(Value::as_u64);
    let created = time("created_at")
        .or_else(|| time("auth_time"))
        .unwrap_or_default();
    let scopes = person.own_scope();
    let mut told = Map::new();
    for (name, value) in [
        ("token", json!(TokenKey::of(row.get("session")?.as_str()?))),
        ("username", json!(person.username)),
        ("token_type", json!(TokenType::Session)),
        ("scopes", json!(scopes.iter().collect::<Vec<_>>())),
        ("created", json!(created)),
        ("expires", json!(time("expires_at"))),
    ] {
        told.insert(name.to_owned(), value);
    }
    Some((UnixTime(created), told))
}

async fn user_info<P: Ports>(
    server: &Server<P>,
    holder: &Holder,
    at: &At,
) -> Result<Response, Reason> {
    let mut told = Map::new();
    told.insert("username".to_owned(), json!(holder.username));
    let mut groups = Vec::new();
    let mut counted = BTreeSet::new();
    if let Some((subject, shard)) = holder.person.clone() {
        let read = ReadSubject { subject };
        let facts = server.ports.ledger(shard, at, read).await?;
        let facts = facts
            .filter(|facts| facts.active)
            .ok_or(Reason::TokenRevoked)?;
        let posix = |name: &str| {
            facts
                .attributes
                .get(name)
                .filter(|id| id.as_u64() > Some(0))
        };
        for (name, value) in [
            ("name", json!(facts.profile.name())),
            ("email", json!(facts.profile.email)),
            ("uid", json!(posix("uid"))),
            ("gid", json!(posix("gid"))),
        ] {
            if !value.is_null() {
                told.insert(name.to_owned(), value);
            }
        }
        let username = facts.username.to_string();
        let found = records_of(server, Collection::Users, "username", vec![username], at).await?;
        let of = found.first().and_then(|user| user.get("groups_obj"));
        for group in of.and_then(Value::as_array).into_iter().flatten() {
            groups.push(json!({ "name": group["name"], "id": group["num_pk"] }));
        }
        groups.sort_by_key(|group| group["name"].to_string());
        counted = facts.groups;
    }
    told.insert("groups".to_owned(), json!(groups));
    if let Some(quota) = quota::of(server, &counted, at).await? {
        told.insert("quota".to_owned(), quota.print());
    }
    Ok(self::told(200, told))
}

async fn records_of<P: Ports>(
    server: &Server<P>,
    collection: Collection,
    field: &str,
    values: Vec<String>,
    at: &At,
) -> Result<Vec<Fields>, Reason> {
    let find = FindRecords {
        collection,
        field: field.to_owned(),
        values,
    };
    Ok(server.ports.directory(at, find).await?)
}

/// The members of a body, which has to be one JSON object: a form is none, so that no page of another
/// origin can post one.
fn members(request: &Request, known: &[&str]) -> Result<Map<String, Value>, Reason> {
    let unfit = |rule, kind| Input::body("", rule, kind).reason();
    let text = request.json().map_err(|reason| match reason {
        Reason::WrongContentType => unfit("has to be one JSON object", "model_attributes_type"),
        other => other,
    })?;
    let members = parse_strict_object(text.as_bytes());
    let members = members.map_err(|_| unfit("has to be one JSON object", "json_invalid"))?;
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(Input::body(name, "is not known here", "extra_forbidden").reason()),
        None => Ok(members),
    }
}

fn name_of(value: &Value) -> Result<String, Reason> {
    let unfit = |rule, kind| Err(Input::body("token_name", rule, kind).reason());
    match value {
        Value::String(name) if name.is_empty() => {
            unfit("has to have a character", "string_too_short")
        }
        Value::String(name) if name.chars().count() > LONGEST_NAME => {
            unfit("has to have 64 characters at most", "string_too_long")
        }
        Value::String(name) => Ok(name.clone()),
        _ => unfit("has to be text", "string_type"),
    }
}

fn expiry_of(value: &Value, now: UnixTime) -> Result<Expiry, Reason> {
    let time = match value {
        Value::Null => return Ok(Expiry::Never),
        Value::Number(number) => match number.as_u64() {
            Some(seconds) => Some(UnixTime(seconds)),
            None if number.is_i64() => Some(UnixTime(0)),
            None => None,
        },
        Value::String(text) => UnixTime::parse_rfc3339(text),
        _ => None,
    };
    let unfit = |rule, kind| Input::body("expires", rule, kind).reason();
    let time = time.ok_or(unfit("has to be a Unix time or RFC 3339", "datetime_type"))?;
    if time < now + SHORTEST || time.0 > LATEST {
        return Err(unfit(
            "has to be at least five minutes ahead",
            "invalid_expires",
        ));
    }
    Ok(Expiry::At(time))
}

/// The last second of the year 9999: no calendar that reads ours knows a later one.
const LATEST: u64 = 253_402_300_799;

struct Asked<'a, P> {
    server: &'a Server<P>,
    request: &'a Request,
    at: &'a At,
    holder: &'a Holder,
    target: Target,
    is_own: bool,
}

/// Who does something, for the history.
fn by(name: &str, request: &Request) -> records::Actor {
    records::Actor {
        name: name.to_owned(),
        address: request.address.clone(),
    }
}

/// Scopes that exist, and that whoever gives them holds: who administers gives any.
async fn scopes_of<P: Ports>(
    server: &Server<P>,
    value: &Value,
    held: Option<&Scope>,
    at: &At,
) -> Result<Scope, Reason> {
    let unfit = |rule, kind| Input::body("scopes", rule, kind).reason();
    let names: Option<Vec<&str>> = match value {
        Value::Array(items) => items.iter().map(Value::as_str).collect(),
        _ => None,
    };
    let names = names.ok_or(unfit("has to be a list of text", "set_type"))?;
    let invalid = unfit(
        "has to be scopes that exist and that you hold",
        "invalid_scopes",
    );
    if names
        .iter()
        .any(|name| name.is_empty() || name.contains(' '))
    {
        return Err(invalid);
    }
    let scope = Scope::parse(&names.join(" ")).map_err(|_| invalid.clone())?;
    if held.is_some_and(|held| !scope.is_subset(held)) {
        return Err(invalid);
    }
    let values: Vec<String> = scope.iter().map(str::to_owned).collect();
    let wanted = values.len();
    if wanted > 0 {
        let known = records_of(server, Collection::Scopes, "value", values, at).await?;
        if known.len() != wanted {
            return Err(invalid);
        }
    }
    Ok(scope)
}

/// Makes a token, and tells it this once.
async fn add<P: Ports>(
    server: &Server<P>,
    target: Target,
    username: &str,
    verb: AddToken,
    at: &At,
) -> Result<Response, Reason> {
    let epoch = server.ports.revocations(at).await?.epoch();
    let handle = TokenHandle {
        shard: target.shard,
        key: verb.key.clone(),
    };
    let made = match server.ports.ledger(target.shard, at, verb).await? {
        TokenAdded::Added(made) => made,
        TokenAdded::NameTaken => return Err(Reason::DuplicateTokenName),
        TokenAdded::Full => return Err(Reason::CollectionFull),
        TokenAdded::NoPerson => return Err(Reason::NoSuchRecord),
        TokenAdded::TooMany(until) => {
            return Err(Reason::TooManyTokens(at.now.unix().until(until).0));
        }
    };
    let key = made.row.key;
    let token = TokenHandle { key, ..handle };
    let location = format!("{USERS}{username}/tokens/{}", token.key);
    let text = token.mint(&server.keyring, epoch)?;
    let body = json!({ "token": text.expose() });
    let answer = Response::json(201, body.to_string());
    Ok(answer.with("location", server.config.url(&location)))
}

/// `POST /api/v1/tokens`: an administrator makes a token for a service, or for somebody.
async fn create_for_anybody<P: Ports>(
    server: &Server<P>,
    request: &Request,
    at: &At,
) -> Result<Response, Reason> {
    if request.method != "POST" {
        return Err(Reason::MethodNotAllowed("POST"));
    }
    let administrator = actor::administrator(server, request, at).await?;
    let known = ["username", "token_type", "token_name", "scopes", "expires"];
    let body = members(request, &known)?;
    let given = |name: &str| body.get(name).filter(|value| !value.is_null());
    let required = |name: &str| {
        let missing = Input::body(name, "is required", "missing").reason();
        given(name).and_then(Value::as_str).ok_or(missing)
    };
    let unfit = |field: &str, rule, kind| Input::body(field, rule, kind).reason();
    let username = required("username")?;
    let name = Username::parse(username);
    let name = name.map_err(|_| unfit("username", "is no username", "string_pattern_mismatch"))?;
    let service = match required("token_type")? {
        "service" => true,
        "user" => false,
        _ => return Err(unfit("token_type", "has to be service or user", "enum")),
    };
    let token_name = given("token_name").map(name_of).transpose()?;
    if service == token_name.is_some() {
        let rule = "is for tokens of users, which need one";
        let kind = if service { "value_error" } else { "missing" };
        return Err(unfit("token_name", rule, kind));
    }
    if service != (username.starts_with(SERVICE) && username.len() > SERVICE.len()) {
        return Err(Reason::PermissionDenied);
    }
    let expires = expires_of(&body, at.now.unix())?;
    let scopes = match given("scopes") {
        Some(value) => scopes_of(server, value, None, at).await?,
        None => Scope::default(),
    };
    let target = if service {
        of_service(name)
    } else {
        let find = FindAccount { username: name };
        let account = server.ports.directory(at, find).await?;
        let missing = unfit("username", "is nobody's here", "value_error");
        let facts = account.ok_or(missing)?.facts;
        Target {
            owner: Owner::Person(facts.subject),
            shard: facts.shard,
        }
    };
    let verb = AddToken {
        key: server.fresh_name("", 16)?,
        owner: target.owner.clone(),
        token_name,
        scopes,
        expires,
        by: by(&administrator.name, request),
        limit: None,
    };
    add(server, target, username, verb, at).await
}

fn expires_of(body: &Map<String, Value>, now: UnixTime) -> Result<Option<UnixTime>, Reason> {
    match body.get("expires").map(|value| expiry_of(value, now)) {
        Some(Ok(Expiry::At(time))) => Ok(Some(time)),
        Some(Ok(Expiry::Never)) | None => Ok(None),
        Some(Err(reason)) => Err(reason),
    }
}

impl<P: Ports> Asked<'_, P> {
    async fn list(&self) -> Result<Response, Reason> {
        let ledger = &self.server.ports;
        let owner = self.target.owner.clone();
        let list = ListTokens { owner };
        let TokenList { person, rows } = ledger.ledger(self.target.shard, self.at, list).await?;
        let mut all: Vec<(UnixTime, Map<String, Value>)> = Vec::new();
        for row in rows {
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
    async fn find(&self, key: &TokenKey) -> Result<Map<String, Value>, Reason> {
        let (ports, shard) = (&self.server.ports, self.target.shard);
        let read = ReadToken { key: key.clone() };
        let facts = ports.ledger(shard, self.at, read).await?;
        if let Some(facts) = facts.filter(|facts| facts.row.owner() == self.target.owner) {
            return Ok(info_of(&facts, shard));
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

    async fn end(self, key: &str) -> Result<Response, Reason> {
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
