//! What records are made of: one table, read by validation and by answers alike.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::model::Scope;

/// A kind of record, and the path it has below `/api/v1/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Collection {
    /// Seed 000's Scope.
    Scopes,
    /// Seed 000's Role.
    Roles,
}

impl Collection {
    /// Every collection.
    pub const ALL: [Self; 2] = [Self::Scopes, Self::Roles];

    /// Its part of the path, and its name in the store.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Scopes => "scopes",
            Self::Roles => "roles",
        }
    }

    /// Reads the part of a path.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|collection| collection.path() == path)
    }

    /// What its records are made of.
    #[must_use]
    pub fn fields(self) -> &'static [Field] {
        match self {
            Self::Scopes => SCOPE,
            Self::Roles => ROLE,
        }
    }
}

/// One field.
#[derive(Debug)]
pub struct Field {
    /// Its name, in and out.
    pub name: &'static str,
    /// Another name that is understood: seed 000's documents name a field in two ways.
    pub alias: &'static str,
    /// What its value is.
    pub form: Form,
    /// Whether and when it is given.
    pub given: Given,
    /// Whether no two records have the same.
    pub unique: bool,
}

impl Field {
    fn is_called(&self, name: &str) -> bool {
        self.name == name || self.alias == name
    }
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A number of ours.
    Number,
    /// Characters, without control characters.
    Text,
    /// One scope token (RFC 6749 §3.3).
    ScopeToken,
    /// A scope string, or a list of scope tokens; kept as the string.
    Scope,
}

/// Whether and when a field is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// Never; what comes in is passed over, so that what was read can be sent back.
    ReadOnly,
    /// Always, but for a patch.
    Required,
    /// Always, and never another one: others refer to it.
    Once,
    /// Or empty.
    Optional,
}

/// Unknown fields that are named in a refusal: enough to see what is wrong.
const MOST_UNKNOWN: usize = 20;
/// Bytes of a text (seed 000's columns).
const LONGEST: usize = 255;

static SCOPE: &[Field] = &[
    Field {
        name: "id",
        alias: "scope_id",
        form: Form::Number,
        given: Given::ReadOnly,
        unique: false,
    },
    Field {
        name: "name",
        alias: "scope_name",
        form: Form::Text,
        given: Given::Required,
        unique: true,
    },
    Field {
        name: "description",
        alias: "scope_description",
        form: Form::Text,
        given: Given::Optional,
        unique: false,
    },
    Field {
        name: "value",
        alias: "scope_value",
        form: Form::ScopeToken,
        given: Given::Once,
        unique: true,
    },
];

static ROLE: &[Field] = &[
    Field {
        name: "id",
        alias: "role_id",
        form: Form::Number,
        given: Given::ReadOnly,
        unique: false,
    },
    Field {
        name: "name",
        alias: "role_name",
        form: Form::Text,
        given: Given::Required,
        unique: true,
    },
    Field {
        name: "description",
        alias: "role_description",
        form: Form::Text,
        given: Given::Optional,
        unique: false,
    },
    Field {
        name: "scopes",
        alias: "role_scopes",
        form: Form::Scope,
        given: Given::Optional,
        unique: false,
    },
];

/// Why a field cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfit {
    /// Its name.
    pub field: String,
    /// What it would have to be.
    pub rule: String,
}

impl Unfit {
    /// A field and its rule.
    #[must_use]
    pub fn new(field: &str, rule: &str) -> Self {
        Self {
            field: field.to_owned(),
            rule: rule.to_owned(),
        }
    }
}

/// What a body is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// A new record: what is absent is empty.
    Create,
    /// A record as it is to be: what is absent is empty from now on.
    Replace,
    /// What changes: what is absent stays.
    Patch,
}

/// Reads the fields of a body; answers those that were given, or are empty now.
///
/// # Errors
/// Every field that cannot be taken, and each that is not known.
pub fn read(
    fields: &'static [Field],
    body: &Map<String, Value>,
    reading: Reading,
) -> Result<Map<String, Value>, Vec<Unfit>> {
    let mut unfit: Vec<Unfit> = body
        .keys()
        .filter(|name| !fields.iter().any(|field| field.is_called(name)))
        .take(MOST_UNKNOWN)
        .map(|name| Unfit::new(name, "is not a field here"))
        .collect();
    let mut taken = Map::new();
    for field in fields {
        let (named, aliased) = (body.get(field.name), body.get(field.alias));
        let value = match (named.or(aliased), field.given) {
            (_, Given::ReadOnly) => continue,
            (Some(_), _) if named.is_some() && aliased.is_some() => {
                Err("is there in both spellings")
            }
            (Some(value), _) => field.form.read(value),
            (None, _) if reading == Reading::Patch => continue,
            (None, Given::Optional) => Ok(Value::from("")),
            (None, Given::Once) if reading == Reading::Replace => continue,
            (None, _) => Err("is required"),
        };
        match value {
            Ok(value) if value == "" && field.given != Given::Optional => {
                unfit.push(Unfit::new(field.name, "must not be empty"));
            }
            Ok(value) => {
                taken.insert(field.name.to_owned(), value);
            }
            Err(rule) => unfit.push(Unfit::new(field.name, rule)),
        }
    }
    if unfit.is_empty() {
        Ok(taken)
    } else {
        Err(unfit)
    }
}

impl Form {
    fn read(self, value: &Value) -> Result<Value, &'static str> {
        match (self, value) {
            (Self::Text, Value::String(text)) => {
                if text.len() > LONGEST || text.chars().any(char::is_control) {
                    return Err("has to be at most 255 bytes without control characters");
                }
                Ok(value.clone())
            }
            (Self::ScopeToken, Value::String(text)) => {
                let parsed = Scope::parse(text).is_ok_and(|scope| scope.iter().count() == 1);
                parsed
                    .then(|| value.clone())
                    .ok_or("has to be one scope token")
            }
            (Self::Scope, Value::String(text)) => scope(text),
            (Self::Scope, Value::Array(tokens)) => {
                let tokens: Option<Vec<&str>> = tokens.iter().map(Value::as_str).collect();
                match tokens {
                    Some(tokens) if tokens.iter().all(|token| !token.contains(' ')) => {
                        scope(&tokens.join(" "))
                    }
                    _ => Err("has to be a list of scope tokens"),
                }
            }
            (Self::Number, _) => Err("has to be a number"),
            (Self::Text | Self::ScopeToken, _) => Err("has to be text"),
            (Self::Scope, _) => Err("has to be a scope string or a list of scope tokens"),
        }
    }
}

fn scope(text: &str) -> Result<Value, &'static str> {
    let scope = Scope::parse(text).map_err(|_| "is not a scope string")?;
    Ok(Value::from(scope.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read_role(body: Value, reading: Reading) -> Result<Value, Vec<String>> {
        let read = read(ROLE, body.as_object().unwrap(), reading);
        let names = |unfit: Vec<Unfit>| unfit.into_iter().map(|unfit| unfit.field).collect();
        read.map(Value::Object).map_err(names)
    }

    #[test]
    fn what_is_absent_is_empty_in_a_new_record_and_untouched_by_a_patch() {
        let body = json!({"name": "Reader"});
        let empty = json!({"name": "Reader", "description": "", "scopes": ""});
        assert_eq!(read_role(body.clone(), Reading::Create), Ok(empty.clone()));
        assert_eq!(read_role(body.clone(), Reading::Replace), Ok(empty));
        assert_eq!(read_role(body.clone(), Reading::Patch), Ok(body));
        assert_eq!(read_role(json!({}), Reading::Patch), Ok(json!({})));
    }

    #[test]
    fn every_field_that_does_not_fit_is_named() {
        let bad = json!({"name": 1, "description": "a\nb", "scopes": ["a b"], "colour": "red"});
        assert_eq!(
            read_role(bad, Reading::Patch),
            Err(["colour", "name", "description", "scopes"]
                .map(str::to_owned)
                .to_vec())
        );
        for bad in [json!({}), json!({"name": null}), json!({"name": ""})] {
            assert_eq!(
                read_role(bad, Reading::Create),
                Err(vec!["name".to_owned()])
            );
        }
        let long = "x".repeat(LONGEST + 1);
        assert!(read_role(json!({"name": long}), Reading::Create).is_err());
    }

    #[test]
    fn scopes_come_as_a_string_or_as_a_list() {
        for given in [json!("b a"), json!(["a", "b", "a"])] {
            let read = read_role(json!({"scopes": given}), Reading::Patch);
            assert_eq!(read, Ok(json!({"scopes": "a b"})));
        }
        for bad in [
            json!(null),
            json!("a  b"),
            json!([1]),
            json!({"a": 1}),
            json!("\u{e9}"),
        ] {
            assert!(read_role(json!({"scopes": bad}), Reading::Patch).is_err());
        }
    }

    #[test]
    fn s0_6_either_spelling_is_understood_and_not_both() {
        let body = json!({"role_name": "Reader", "description": "d", "role_scopes": "a"});
        let known = json!({"name": "Reader", "description": "d", "scopes": "a"});
        assert_eq!(read_role(body, Reading::Create), Ok(known));
        let both = json!({"role_name": "Reader", "name": "Reader"});
        assert_eq!(
            read_role(both, Reading::Create),
            Err(vec!["name".to_owned()])
        );
    }

    #[test]
    fn what_was_read_can_be_sent_back() {
        let body = json!({"id": 7, "name": "Reader", "description": "", "scopes": "a"});
        assert!(read_role(body, Reading::Replace).is_ok());
    }
}
