//! `POST /api/v1/accounts/`: seed 000's new account, by field name or camelCase alias.

use serde_json::{Map, Value, json};

use super::{actor, body, problem};
use crate::error::Reason;
use crate::http::{Request, Response};
use crate::model::{Profile, Scope, Secret, Subject, SubjectFacts, Username};
use crate::oauth::password;
use crate::ports::directory::{AccountCreated, CreateAccount};
use crate::ports::{At, Ports};
use crate::server::Server;

/// Longest first or last names (seed 000's column).
const LONGEST_NAME: usize = 255;

/// Reserved for services.
const SERVICE_PREFIX: &str = "bot-";

/// Creates an account.
pub async fn answer<P: Ports>(server: &Server<P>, request: &Request, at: &At) -> Response {
    match create(server, request, at).await {
        Ok(facts) => {
            let location = server
                .config
                .url(&format!("/api/v1/accounts/{}", facts.subject));
            Response::json(201, view(&facts).to_string()).with("location", location)
        }
        Err(reason) => problem::refusal(reason),
    }
}

async fn create<P: Ports>(
    server: &Server<P>,
    request: &Request,
    at: &At,
) -> Result<SubjectFacts, Reason> {
    actor::administrator(server, request, at).await?;
    let new = NewAccount::read(request)?;
    create_account(server, new, false, at).await
}

/// What an account is made of.
pub struct NewAccount {
    /// The login name.
    pub username: Username,
    /// The chosen password.
    pub password: Secret,
    /// Scopes held directly.
    pub scope: Scope,
    /// Names of roles.
    pub roles: Vec<String>,
    /// Claims.
    pub profile: Profile,
}

impl NewAccount {
    fn read(request: &Request) -> Result<Self, Reason> {
        let members = body::object_of(
            request,
            &[
                "first_name",
                "firstName",
                "last_name",
                "lastName",
                "username",
                "password",
                "scopes",
                "roles",
            ],
        )?;
        let first =
            alias(&members, "first_name", "firstName")?.ok_or(body::missing("first_name"))?;
        let last = alias(&members, "last_name", "lastName")?.ok_or(body::missing("last_name"))?;
        let username = body::required(&members, "username")?;
        let password = body::required(&members, "password")?;
        let scope = body::text(&members, "scopes")?.unwrap_or_default();
        let roles = match members.get("roles") {
            None => Some(Vec::new()),
            Some(Value::Array(roles)) => {
                let names = roles.iter().map(Value::as_str);
                names.map(|name| name.map(str::to_owned)).collect()
            }
            Some(_) => None,
        };
        Ok(Self {
            username: chosen_username(username)?,
            password: chosen_password(password)?,
            scope: Scope::parse(scope)
                .map_err(|_| Reason::unfit("scopes", "is not a scope string"))?,
            roles: roles.ok_or(Reason::unfit("roles", "has to be a list of names"))?,
            profile: Profile {
                given_name: Some(person_name("first_name", first)?),
                family_name: Some(person_name("last_name", last)?),
                email: None,
                updated_at: 0,
            },
        })
    }
}

/// A username that somebody chose.
///
/// # Errors
/// [`Reason::UnfitField`].
pub fn chosen_username(text: &str) -> Result<Username, Reason> {
    let rule = "has to be 1 to 64 lower-case letters, digits or -_.@+";
    let username = Username::parse(text).map_err(|_| Reason::unfit("username", rule))?;
    if text.starts_with(SERVICE_PREFIX) {
        return Err(Reason::unfit("username", "must not begin with bot-"));
    }
    Ok(username)
}

/// A password that somebody chose.
///
/// # Errors
/// [`Reason::UnfitField`].
pub fn chosen_password(text: &str) -> Result<Secret, Reason> {
    if text.len() > password::LONGEST || text.chars().count() < password::SHORTEST {
        return Err(Reason::unfit(
            "password",
            "has to be 8 to 128 characters long",
        ));
    }
    Ok(Secret::new(text))
}

fn person_name(field: &'static str, text: &str) -> Result<String, Reason> {
    if text.is_empty() || text.len() > LONGEST_NAME || text.chars().any(char::is_control) {
        return Err(Reason::unfit(field, "has to be 1 to 255 characters long"));
    }
    Ok(text.to_owned())
}

/// Creates an account; the first of all, if `first_only`.
///
/// # Errors
/// [`Reason::NameTaken`], [`Reason::NotFirst`] or [`Reason::Unavailable`].
pub async fn create_account<P: Ports>(
    server: &Server<P>,
    new: NewAccount,
    first_only: bool,
    at: &At,
) -> Result<SubjectFacts, Reason> {
    let create = CreateAccount {
        subject: server.fresh_name(Subject::PREFIX, 16)?,
        username: new.username,
        password_hash: password::hash(server, &new.password)?,
        scope: new.scope,
        roles: new.roles,
        profile: Profile {
            updated_at: at.now.unix().0,
            ..new.profile
        },
        first_only,
    };
    match server.ports.directory(at, create).await? {
        AccountCreated::Created(facts) => Ok(*facts),
        AccountCreated::NameTaken => Err(Reason::NameTaken),
        AccountCreated::NotFirst => Err(Reason::NotFirst),
        AccountCreated::Unfit(unfit) => Err(Reason::UnfitField(vec![unfit])),
    }
}

fn alias<'a>(
    members: &'a Map<String, Value>,
    name: &'static str,
    alias: &'static str,
) -> Result<Option<&'a str>, Reason> {
    match (body::text(members, name)?, body::text(members, alias)?) {
        (Some(_), Some(_)) => Err(Reason::unfit(name, "is there in both spellings")),
        (one, other) => Ok(one.or(other)),
    }
}

/// Seed 000's UserAccount. Its `id` is our subject.
fn view(facts: &SubjectFacts) -> Value {
    json!({
        "id": facts.subject,
        "first_name": facts.profile.given_name,
        "last_name": facts.profile.family_name,
        "username": facts.username,
        "is_active": facts.active,
        "scopes": facts.scope.iter().collect::<Vec<_>>(),
        "roles": facts.roles.keys().collect::<Vec<_>>(),
    })
}
