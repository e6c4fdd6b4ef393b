//! Claims about a person by scope, OpenID Connect Core §5.4. ID token and UserInfo share the table, and
//! introspection what mappings add to it.

use serde_json::{Map, Value, json};

use crate::directory::uuid;
use crate::model::{Client, PropertyMapping, Scope, SubjectFacts, SubjectMode};
use crate::server::Server;

/// Every claim that can be told, for metadata.
pub const SUPPORTED: [&str; 19] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "nonce",
    "acr",
    "amr",
    "at_hash",
    "c_hash",
    "sid",
    "name",
    "given_name",
    "family_name",
    "preferred_username",
    "updated_at",
    "email",
    "email_verified",
];

/// What a sign-in by password is as `acr`.
pub const PASSWORD: &str = "urn:edgemint:acr:password";

/// What a sign-in by these methods is as `acr` (OpenID Connect Core §2).
#[must_use]
pub fn acr(methods: &[String]) -> Option<&'static str> {
    let by_password = methods.iter().any(|method| method == "pwd");
    by_password.then_some(PASSWORD)
}

/// The scope that brings a claim about a person to a client.
#[must_use]
pub fn scope_of<'a>(client: &'a Client, claim: &str) -> Option<&'a str> {
    match claim {
        "name" | "given_name" | "family_name" | "preferred_username" | "updated_at" => {
            Some("profile")
        }
        "email" | "email_verified" => Some("email"),
        other => {
            let mut mappings = client.mappings.iter();
            let bringing = mappings.find(|mapping| mapping.claims.contains_key(other));
            bringing.map(|mapping| mapping.scope.as_str())
        }
    }
}

/// The claims that `scope` names, as far as they are known, and those that the client's mappings add.
/// Without `sub`.
#[must_use]
pub fn about(client: &Client, subject: &SubjectFacts, scope: &Scope) -> Map<String, Value> {
    let mut claims = Map::new();
    let profile = &subject.profile;
    if scope.contains("profile") {
        claims.insert("preferred_username".to_owned(), json!(subject.username));
        claims.insert("updated_at".to_owned(), json!(profile.updated_at));
        for (name, value) in [
            ("name", profile.name()),
            ("given_name", profile.given_name.clone()),
            ("family_name", profile.family_name.clone()),
        ] {
            if let Some(value) = value {
                claims.insert(name.to_owned(), json!(value));
            }
        }
    }
    if let Some(email) = profile.email.as_ref().filter(|_| scope.contains("email")) {
        claims.insert("email".to_owned(), json!(email));
        claims.insert("email_verified".to_owned(), json!(false));
    }
    for mapping in mappings(client, scope) {
        for (name, template) in &mapping.claims {
            // What the protocol says of a person, nobody says otherwise.
            if let Some(value) = fill(template, subject)
                && !claims.contains_key(name)
            {
                claims.insert(name.clone(), value);
            }
        }
    }
    claims
}

/// The client's mappings that say something under this scope.
pub fn mappings<'a>(
    client: &'a Client,
    scope: &'a Scope,
) -> impl Iterator<Item = &'a PropertyMapping> {
    let mappings = client.mappings.iter();
    mappings.filter(|mapping| scope.contains(&mapping.scope))
}

/// Of the claims that `scope` names those that the client's mappings say, as ID token and UserInfo have
/// them.
#[must_use]
pub fn mapped(client: &Client, subject: &SubjectFacts, scope: &Scope) -> Map<String, Value> {
    let mut claims = about(client, subject, scope);
    claims
        .retain(|name, _| mappings(client, scope).any(|mapping| mapping.claims.contains_key(name)));
    claims
}

/// The `sub` that a client is told.
#[must_use]
pub fn sub(client: &Client, subject: &SubjectFacts, issuer: &str) -> String {
    sub_in(client.sub_mode, subject, issuer)
}

/// `sub` in a mode (seed 004's six, and our own).
#[must_use]
pub fn sub_in(mode: SubjectMode, subject: &SubjectFacts, issuer: &str) -> String {
    let hashed = || {
        let text = format!("{}-{issuer}", subject.number);
        let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        let hex = digest.as_ref().iter().map(|byte| format!("{byte:02x}"));
        hex.collect::<String>()
    };
    let own = subject.subject.to_string();
    if subject.number == 0 {
        return own;
    }
    match mode {
        SubjectMode::Subject => own,
        SubjectMode::HashedUserId => hashed(),
        SubjectMode::UserId => subject.number.to_string(),
        SubjectMode::UserUuid => uuid::of(subject.number),
        SubjectMode::UserUsername => subject.username.to_string(),
        SubjectMode::UserEmail => subject.profile.email.clone().unwrap_or(own),
        SubjectMode::UserUpn => match subject.attributes.get("upn") {
            // What no line of a token can hold is nobody's name.
            Some(Value::String(upn)) if !upn.is_empty() && !upn.contains(char::is_control) => {
                upn.clone()
            }
            _ => hashed(),
        },
    }
}

/// Whether this is the person whom the client was told as `expected`.
#[must_use]
pub fn is_told_as<P>(
    server: &Server<P>,
    client: &Client,
    subject: &SubjectFacts,
    expected: &str,
) -> bool {
    sub(client, subject, &server.config.issuer) == expected
}

/// A template with the facts in their places; nothing if one is not known. An attribute that is the
/// whole template keeps its kind.
fn fill(template: &str, subject: &SubjectFacts) -> Option<Value> {
    let fact = |name: &str| -> Option<Value> {
        Some(match name {
            "username" => json!(subject.username),
            "name" => json!(subject.profile.name()?),
            "email" => json!(subject.profile.email.as_ref()?),
            "uuid" => json!(uuid::of(subject.number)),
            _ => subject
                .attributes
                .get(name.strip_prefix("attributes.")?)?
                .clone(),
        })
    };
    let mut parts = template.split('{');
    let mut filled = parts.next()?.to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}')?;
        let value = fact(name)?;
        if filled.is_empty() && rest.is_empty() && template.len() == name.len() + 2 {
            return Some(value);
        }
        match value {
            Value::String(text) => filled.push_str(&text),
            other => filled.push_str(&other.to_string()),
        }
        filled.push_str(rest);
    }
    Some(Value::from(filled))
}

/// Whether a template of seed 004's property mappings names only what is known: text in which
/// `{username}`, `{name}`, `{email}`, `{uuid}` and `{attributes.…}` stand for facts about a person.
#[must_use]
pub fn is_template(template: &str) -> bool {
    template.split('{').enumerate().all(|(at, part)| {
        let closed = part.split_once('}');
        match (at, closed) {
            (0, closed) => closed.is_none(),
            (_, Some((name, rest))) => {
                let known = ["username", "name", "email", "uuid"].contains(&name);
                let attribute = name
                    .strip_prefix("attributes.")
                    .is_some_and(|name| !name.is_empty());
                (known || attribute) && !rest.contains('}')
            }
            (_, None) => false,
        }
    })
}
