//! Claims about a person by scope, OpenID Connect Core §5.4. ID token and UserInfo share the table.

use serde_json::{Map, Value, json};

use crate::model::{Scope, SubjectFacts};

/// Every claim that can be told, for metadata.
pub const SUPPORTED: [&str; 17] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "nonce",
    "amr",
    "at_hash",
    "sid",
    "name",
    "given_name",
    "family_name",
    "preferred_username",
    "updated_at",
    "email",
    "email_verified",
];

/// The claims that `scope` names, as far as they are known. Without `sub`.
#[must_use]
pub fn about(subject: &SubjectFacts, scope: &Scope) -> Map<String, Value> {
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
    if scope.contains("email") {
        if let Some(email) = &profile.email {
            claims.insert("email".to_owned(), json!(email));
            claims.insert("email_verified".to_owned(), json!(false));
        }
    }
    claims
}
