//! `POST /api/v1/first-run`: the first administrator and the demo's client, once.
//! The client only in a local run.

use serde_json::json;

use super::{actor, body, problem};
use crate::directory::Collection;
use crate::directory::form::Form;
use crate::directory::record::{Actor, Change, Fields};
use crate::error::Reason;
use crate::http::{Request, Response};
use crate::model::{
    Client, ClientId, GrantType, Profile, RedirectUri, Scope, Secret, Subject, Username,
};
use crate::oauth::{bearer, password};
use crate::ports::directory::{AccountCreated, ChangeRecord, CreateAccount, CreateClient};
use crate::ports::{At, Ports};
use crate::server::Server;

/// What an administrator holds.
const ADMINISTRATOR: &str = "admin:token user:token";
/// What the administrator of a local run holds besides, and the demo reads.
const DEMO_SCOPE: &str = "demo:read";
/// What the demo may ask for.
const DEMO: &str = "demo:read offline_access openid profile";

/// Creates the administrator if there is no account, and with them the demo's client.
pub async fn answer<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Response {
    match first_run(server, request, at).await {
        Ok(username) => Response::json(201, json!({ "username": username }).to_string()),
        Err(reason) => problem::refusal(reason),
    }
}

async fn first_run<P: Ports>(
    server: &Server<P>,
    request: &Request,
    at: &At,
) -> Result<String, Reason> {
    let presented = bearer::presented(request.authorization.as_deref())?;
    if !server
        .config
        .local_run
        .as_ref()
        .is_some_and(|local| local.matches(&presented))
    {
        actor::administrator(server, request, at).await?;
    }
    let members = body::object_of(request, &["username", "password"])?;
    let username = body::required(&members, "username")?;
    let password = body::required(&members, "password")?;
    let local = server.config.local_run.is_some();
    let held = if local {
        format!("{ADMINISTRATOR} {DEMO_SCOPE}")
    } else {
        ADMINISTRATOR.to_owned()
    };
    for (field, form, text) in [
        ("username", Form::Username, username),
        ("password", Form::Password, password),
    ] {
        let read = form.read(&json!(text));
        read.map_err(|rule| Reason::unfit(field, rule))?;
    }
    let unfit = |_| Reason::unfit("username", Form::Username.rule());
    let create = CreateAccount {
        subject: server.fresh_name(Subject::PREFIX, 16)?,
        username: Username::parse(username).map_err(unfit)?,
        password_hash: password::hash(server, &Secret::new(password))?,
        scope: Scope::parse(&held).unwrap_or_default(),
        roles: Vec::new(),
        profile: Profile {
            given_name: Some("Administrator".to_owned()),
            updated_at: at.now.unix().0,
            ..Profile::default()
        },
        first_only: true,
    };
    // Production gets nothing that nobody asked for. The account last: should it fail, the next try
    // finds the rest and goes on.
    if let Some(client) = demo(server).filter(|_| local) {
        server.ports.directory(at, CreateClient { client }).await?;
        server.ports.directory(at, demo_scope()).await?;
    }
    match server.ports.directory(at, create).await? {
        AccountCreated::Created(facts) => Ok(facts.username.to_string()),
        AccountCreated::NameTaken => Err(Reason::ValueTaken("username".to_owned())),
        AccountCreated::NotFirst => Err(Reason::NotFirst),
        AccountCreated::Unfit(unfit) => Err(Reason::UnfitField(vec![unfit])),
    }
}

fn demo_scope() -> ChangeRecord {
    let fields = [("name", "Demo"), ("description", ""), ("value", DEMO_SCOPE)];
    let fields = fields.map(|(field, text)| (field.to_owned(), json!(text)));
    let fields: Fields = fields.into_iter().collect();
    ChangeRecord {
        collection: Collection::Scopes,
        change: Change::Create(fields),
        actor: Actor {
            name: "<first-run>".to_owned(),
            address: None,
        },
    }
}

/// The demo SPA, served from the issuer's own origin.
fn demo<P>(server: &Server<P>) -> Option<Client> {
    let origin = &server.config.origin;
    let id = ClientId::parse("edgemint-demo").ok()?;
    let name = "Edgemint demo".to_owned();
    Some(Client {
        redirect_uris: vec![RedirectUri::register(&format!("{origin}/callback")).ok()?],
        post_logout_redirect_uris: vec![RedirectUri::register(&format!("{origin}/")).ok()?],
        grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        scope: Scope::parse(DEMO).ok()?,
        ..Client::named(id, name, server.config.access_token_lifetime)
    })
}
