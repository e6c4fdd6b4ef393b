//! Making a token, for oneself or for anybody. Its text is told this once.

use serde_json::{Value, json};

use super::actor::{self};
use super::token_fields::{expires_of, members, name_of, scopes_of};
use super::tokens::{SERVICE, Target, USERS, of_service};
use crate::directory::record::Actor;
use crate::error::{Input, Reason};
use crate::http::{Request, Response};
use crate::model::{Scope, Username};
use crate::ports::directory::FindAccount;
use crate::ports::tokens::{AddToken, Owner, TokenAdded};
use crate::ports::{At, Ports};
use crate::server::Server;
use crate::token::TokenHandle;

/// Who does something, for the history.
pub(super) fn by(name: &str, request: &Request) -> Actor {
    Actor {
        name: name.to_owned(),
        address: request.address.clone(),
    }
}

/// Makes a token, and tells it this once.
pub(super) async fn add<P: Ports>(
    server: &Server<P>,
    target: Target,
    username: &str,
    mut verb: AddToken,
    at: &At,
) -> Result<Response, Reason> {
    let epoch = server.ports.revocations(at).await?.epoch();
    verb.epoch = epoch;
    let handle = TokenHandle {
        shard: target.shard,
        key: verb.key.clone(),
        service: None,
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
pub(super) async fn create_for_anybody<P: Ports>(
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
        epoch: 0,
        by: by(&administrator.name, request),
        limit: None,
    };
    add(server, target, username, verb, at).await
}
