//! The one filter of scopes and audiences. Every grant, page and refresh asks it; nothing else
//! narrows a scope.

use crate::error::Reason;
use crate::model::scope::{OFFLINE_ACCESS, OPENID_CONNECT, is_management};
use crate::model::{Client, Scope, SubjectFacts};

/// What a client may be given for itself.
#[must_use]
pub fn for_client(client: &Client, requested: &Scope) -> Scope {
    let own = requested.intersection(&client.scope);
    own.filter(|token| {
        !OPENID_CONNECT.contains(&token) && token != OFFLINE_ACCESS && allowed(client, token)
    })
}

/// What a client may be given for a person: what it asks for, is registered for, and the person
/// holds. The scopes of OpenID Connect everybody holds.
#[must_use]
pub fn for_subject(client: &Client, requested: &Scope, subject: &SubjectFacts) -> Scope {
    let own = requested.intersection(&client.scope);
    own.filter(|token| {
        let everybodys = OPENID_CONNECT.contains(&token) || token == OFFLINE_ACCESS;
        everybodys || (subject.scope.contains(token) && allowed(client, token))
    })
}

/// The audience of what will be minted (RFC 8707): the resource that is named, if the client may
/// name it; else the client's own default.
///
/// # Errors
/// [`Reason::UnknownResource`].
pub fn audience(client: &Client, resource: Option<&str>) -> Result<String, Reason> {
    match resource {
        None => Ok(client.default_audience().to_owned()),
        Some(named) if client.audiences().any(|audience| audience == named) => Ok(named.to_owned()),
        Some(_) => Err(Reason::UnknownResource),
    }
}

fn allowed(client: &Client, token: &str) -> bool {
    !is_management(token) || client.danger_allow_management_scopes
}
