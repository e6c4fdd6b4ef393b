//! The `claims` parameter, OpenID Connect Core §5.5. What is not understood of it is ignored, as it says.

use serde_json::{Map, Value};

use super::claims;
use super::params::Params;
use crate::error::Reason;
use crate::jose::parse_strict_object;

/// It is part of an address; nobody's fits less.
const LONGEST: usize = 4096;

/// It is not what §5.5 describes, or contradicts another parameter.
pub const UNFIT: Reason = Reason::MalformedParameter("claims");

/// Which claims are asked for by name, and about whom.
#[derive(Debug, Default)]
pub struct ClaimsRequest {
    /// To be in the ID token.
    pub id_token: Vec<String>,
    /// To be told by UserInfo.
    pub userinfo: Vec<String>,
    /// The only `sub` that will do.
    pub subject: Option<String>,
}

impl ClaimsRequest {
    /// Reads the parameter of a request.
    ///
    /// # Errors
    /// [`UNFIT`]; [`Reason::UnmetAuthentication`] when a sign-in is essential of a kind that there is none
    /// of here (§5.5.1.1).
    pub fn of(params: &Params) -> Result<Self, Reason> {
        // Line breaks mean nothing in JSON, and nothing of this is sent back.
        let text = params.typed("claims")?;
        if text.is_empty() {
            return Ok(Self::default());
        }
        if text.len() > LONGEST {
            return Err(UNFIT);
        }
        let request = parse_strict_object(text.as_bytes()).map_err(|_| UNFIT)?;
        let id_token = member(&request, "id_token")?;
        if id_token.get("acr").is_some_and(is_unmet) {
            return Err(Reason::UnmetAuthentication);
        }
        let subject = id_token.get("sub").and_then(|sub| sub.get("value"));
        Ok(Self {
            id_token: id_token.keys().cloned().collect(),
            userinfo: member(&request, "userinfo")?.keys().cloned().collect(),
            subject: subject.and_then(Value::as_str).map(str::to_owned),
        })
    }
}

/// Which claims are asked for of one place, and how.
fn member(request: &Map<String, Value>, name: &str) -> Result<Map<String, Value>, Reason> {
    let members = match request.get(name) {
        None | Some(Value::Null) => return Ok(Map::new()),
        Some(Value::Object(members)) => members.clone(),
        Some(_) => return Err(UNFIT),
    };
    let asked = |how: &Value| how.is_null() || how.is_object();
    if members.values().all(asked) {
        Ok(members)
    } else {
        Err(UNFIT)
    }
}

/// Whether a kind of sign-in is essential that no sign-in of ours is of.
fn is_unmet(acr: &Value) -> bool {
    let essential = acr.get("essential").and_then(Value::as_bool) == Some(true);
    let ours = |value: &Value| value.as_str().is_some_and(|acr| acr == claims::PASSWORD);
    let met = match (acr.get("value"), acr.get("values")) {
        (None, None) => true,
        (Some(value), _) => ours(value),
        (None, Some(values)) => values.as_array().is_some_and(|all| all.iter().any(ours)),
    };
    essential && !met
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ClaimsRequest, Reason> {
        let encoded: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
        ClaimsRequest::of(&Params::parse(&format!("claims={encoded}"), &["claims"]))
    }

    #[test]
    fn names_are_read_and_what_is_not_understood_is_ignored() {
        let read = read(
            r#"{"userinfo":{"email":null,"x":{"essential":true}},"other":7,
                "id_token":{"name":{"essential":true,"vendor":1},"sub":{"value":"u_1"}}}"#,
        )
        .unwrap();
        assert_eq!(read.id_token, ["name", "sub"]);
        assert_eq!(read.userinfo, ["email", "x"]);
        assert_eq!(read.subject.as_deref(), Some("u_1"));
    }

    #[test]
    fn what_is_not_such_an_object_is_refused() {
        for text in [
            "[]",
            "x",
            "{",
            r#"{"id_token":[]}"#,
            r#"{"userinfo":{"email":"ada@web.example"}}"#,
            r#"{"id_token":{"a":null,"a":null}}"#,
        ] {
            assert_eq!(read(text).unwrap_err(), UNFIT, "{text}");
        }
    }

    #[test]
    fn only_an_essential_sign_in_of_another_kind_is_refused() {
        let acr = |acr: &str| read(&format!("{{\"id_token\":{{\"acr\":{acr}}}}}")).map(|_| ());
        for met in [
            "null",
            r#"{"essential":true}"#,
            r#"{"values":["urn:x"]}"#,
            r#"{"essential":false,"value":"urn:x"}"#,
            r#"{"essential":true,"values":["urn:x","urn:edgemint:acr:password"]}"#,
        ] {
            assert_eq!(acr(met), Ok(()), "{met}");
        }
        for unmet in [
            r#"{"essential":true,"value":"urn:x"}"#,
            r#"{"essential":true,"values":["urn:x"]}"#,
            r#"{"essential":true,"values":[]}"#,
        ] {
            assert_eq!(acr(unmet), Err(Reason::UnmetAuthentication), "{unmet}");
        }
    }
}
