//! `POST /api/v1/first-run`: the first administrator and the demo's client, once.
//! The client only in a local run.

use serde_json::json;

use super::accounts::{NewAccount, chosen_password, chosen_username, create_account};
use super::{actor, body, problem};
use crate::directory::Collection;
use crate::directory::records::{Actor, Change, scope_fields};
use crate::error::Reason;
use crate::http::{Request, Response};
use crate::jose::Algorithm;
use crate::model::{
    AccessTokenFormat, AuthenticationMethod, Client, ClientId, GrantType, Profile, RedirectUri,
    Scope,
};
use crate::oauth::bearer;
use crate::ports::directory::{ChangeRecord, CreateClient};
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
    let new = NewAccount {
        username: chosen_username(username)?,
        password: chosen_password(password)?,
        scope: Scope::parse(&held).unwrap_or_default(),
        roles: Vec::new(),
        profile: Profile {
            given_name: Some("Administrator".to_owned()),
            ..Profile::default()
        },
    };
    // Production gets nothing that nobody asked for. The account last: should it fail, the next try
    // finds the rest and goes on.
    if let Some(client) = demo(server).filter(|_| local) {
        server.ports.directory(at, CreateClient { client }).await?;
        server.ports.directory(at, demo_scope()).await?;
    }
    let facts = create_account(server, new, true, at).await?;
    Ok(facts.username.to_string())
}

fn demo_scope() -> ChangeRecord {
    ChangeRecord {
        collection: Collection::Scopes,
        change: Change::Create(scope_fields("Demo", DEMO_SCOPE)),
        actor: Actor {
            name: "<first run>".to_owned(),
            address: None,
        },
    }
}

/// The demo SPA, served from the issuer's own origin.
fn demo<P>(server: &Server<P>) -> Option<Client> {
    let origin = &server.config.origin;
    Some(Client {
        id: ClientId::parse("edgemint-demo").ok()?,
        version: 1,
        generation: 0,
        enabled: true,
        name: "Edgemint demo".to_owned(),
        client_uri: None,
        authentication: AuthenticationMethod::None,
        secrets: Vec::new(),
        redirect_uris: vec![RedirectUri::register(&format!("{origin}/callback")).ok()?],
        post_logout_redirect_uris: vec![RedirectUri::register(&format!("{origin}/")).ok()?],
        grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        scope: Scope::parse(DEMO).ok()?,
        default_resource: None,
        resources: Vec::new(),
        serves: Vec::new(),
        access_token_format: AccessTokenFormat::Sealed,
        access_token_lifetime: server.config.access_token_lifetime,
        signing: Algorithm::Es256,
        implicit_consent: false,
        self_registered: false,
        danger_allow_management_scopes: false,
    })
}
