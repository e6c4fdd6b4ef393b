//! What records are made of: tables, read by validation, by answers and by the API's description
//! alike.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::fields;
use super::form::Form;

/// A kind of record, and the path it has below `/api/v1/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Collection {
    /// Seed 000's Scope.
    Scopes,
    /// Seed 000's Role.
    Roles,
    /// Seed 004's User.
    Users,
    /// Seed 000's UserAccount: the same records, seen in another way.
    Accounts,
    /// Seed 004's Group.
    Groups,
    /// Seed 004's OAuth2Provider: a client.
    Providers,
    /// What people know a client as.
    Applications,
    /// Claims that a scope brings, as templates.
    PropertyMappings,
    /// Which login and consent a client gets.
    Flows,
    /// Issuers whose tokens clients may show.
    Sources,
}

impl Collection {
    /// Every collection.
    pub const ALL: [Self; 10] = [
        Self::Scopes,
        Self::Roles,
        Self::Users,
        Self::Accounts,
        Self::Groups,
        Self::Providers,
        Self::Applications,
        Self::PropertyMappings,
        Self::Flows,
        Self::Sources,
    ];

    /// Its path.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Scopes => "scopes",
            Self::Roles => "roles",
            Self::Users => "users",
            Self::Accounts => "accounts",
            Self::Groups => "groups",
            Self::Providers => "providers/oauth2",
            Self::Applications => "applications",
            Self::PropertyMappings => "property_mappings",
            Self::Flows => "flows",
            Self::Sources => "sources",
        }
    }

    /// What one of it is called.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::Scopes => "Scope",
            Self::Roles => "Role",
            Self::Users => "User",
            Self::Accounts => "UserAccount",
            Self::Groups => "Group",
            Self::Providers => "OAuth2Provider",
            Self::Applications => "Application",
            Self::PropertyMappings => "PropertyMapping",
            Self::Flows => "Flow",
            Self::Sources => "Source",
        }
    }

    /// Under which kind its records are kept.
    #[must_use]
    pub fn kept(self) -> Self {
        match self {
            Self::Accounts => Self::Users,
            other => other,
        }
    }

    /// The field that names a record in a path and in an answer.
    #[must_use]
    pub fn key(self) -> &'static str {
        self.fields().first().map_or("id", |field| field.name)
    }

    /// How many there may be. Kinds that checks read whole have a limit.
    #[must_use]
    pub fn most(self) -> u64 {
        match self.kept() {
            Self::Users => u64::MAX,
            Self::Providers => 100_000,
            _ => 1_000,
        }
    }

    /// What its records are made of.
    #[must_use]
    pub fn fields(self) -> &'static [Field] {
        match self {
            Self::Scopes => fields::SCOPE,
            Self::Roles => fields::ROLE,
            Self::Users => fields::USER,
            Self::Accounts => fields::ACCOUNT,
            Self::Groups => fields::GROUP,
            Self::Providers => fields::PROVIDER,
            Self::Applications => fields::APPLICATION,
            Self::PropertyMappings => fields::PROPERTY_MAPPING,
            Self::Flows => fields::FLOW,
            Self::Sources => fields::SOURCE,
        }
    }

    /// The fields of a record that something of ours describes; what it does not speak of is as it is
    /// for anybody.
    #[must_use]
    pub fn described(self, described: Value) -> Map<String, Value> {
        let optional = self.fields().iter();
        let optional = optional.filter(|field| field.given == Given::Optional);
        let mut fields: Map<String, Value> = optional
            .map(|field| (field.name.to_owned(), field.absent()))
            .collect();
        if let Value::Object(described) = described {
            fields.extend(described);
        }
        fields
    }

    /// The field of a name.
    #[must_use]
    pub fn field(self, name: &str) -> Option<&'static Field> {
        self.fields().iter().find(|field| field.name == name)
    }
}

/// One field.
#[derive(Debug, Clone, Copy)]
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
    /// What it is when it is absent, as JSON; nothing where its form says it.
    pub default: &'static str,
    /// What it is for. The Worker does without: the API's description is written when it is built.
    #[cfg(not(target_arch = "wasm32"))]
    pub about: &'static str,
}

impl Field {
    /// A field that may be left out.
    pub(super) const fn new(name: &'static str, form: Form, about: &'static str) -> Self {
        #[cfg(target_arch = "wasm32")]
        let _ = about;
        Self {
            name,
            alias: name,
            form,
            given: Given::Optional,
            unique: false,
            default: "",
            #[cfg(not(target_arch = "wasm32"))]
            about,
        }
    }

    pub(super) const fn given(mut self, given: Given) -> Self {
        self.given = given;
        self
    }

    pub(super) const fn alias(mut self, alias: &'static str) -> Self {
        self.alias = alias;
        self
    }

    pub(super) const fn unique(mut self) -> Self {
        self.unique = true;
        self
    }

    pub(super) const fn or(mut self, default: &'static str) -> Self {
        self.default = default;
        self
    }

    fn is_called(&self, name: &str) -> bool {
        self.name == name || self.alias == name
    }

    /// What it is when it is absent.
    #[must_use]
    pub fn absent(&self) -> Value {
        if self.default.is_empty() {
            self.form.empty()
        } else {
            serde_json::from_str(self.default).unwrap_or_default()
        }
    }
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
    /// Or its default.
    Optional,
    /// At most; it is never shown, and what is absent stays.
    Hidden,
    /// When the record is made; it is never shown, and stays when it is absent.
    HiddenRequired,
    /// Or one is made; and never another one.
    Made,
}

/// Unknown fields that are named in a refusal: enough to see what is wrong.
const MOST_UNKNOWN: usize = 20;

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
        let twice = named.is_some() && aliased.is_some() && field.alias != field.name;
        let value = match (named.or(aliased), field.given) {
            (_, Given::ReadOnly) => continue,
            _ if twice => Err("is there in both spellings"),
            (Some(value), _) => field.form.read(value),
            (None, _) if reading == Reading::Patch => continue,
            (None, Given::Optional) => Ok(field.absent()),
            (None, Given::Hidden | Given::Made) => continue,
            (None, Given::Once | Given::HiddenRequired) if reading == Reading::Replace => continue,
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read_role(body: Value, reading: Reading) -> Result<Value, Vec<String>> {
        let read = read(fields::ROLE, body.as_object().unwrap(), reading);
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
        let long = "x".repeat(256);
        assert!(read_role(json!({"name": long}), Reading::Create).is_err());
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

    #[test]
    fn every_default_is_a_value_of_its_form() {
        for collection in Collection::ALL {
            for field in collection.fields() {
                let absent = field.absent();
                let kept = field.given == Given::Optional && absent != "" && !absent.is_null();
                if kept {
                    let read = field.form.read(&absent);
                    assert_eq!(read, Ok(absent), "{collection:?} {}", field.name);
                }
            }
        }
    }
}
