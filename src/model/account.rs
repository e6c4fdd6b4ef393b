//! People: what the directory publishes of one to the ledger shard that answers for them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::scope::OWN;
use super::{Scope, Shard, Subject, Username};

/// Claims about a person (OpenID Connect Core §5.1), by scope `profile` and `email`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Profile {
    /// What people see, where it is not first and last names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// First names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_name: Option<String>,
    /// Last names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family_name: Option<String>,
    /// Mail address, unverified until something verifies it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// When any of these last changed, in epoch seconds.
    #[serde(default)]
    pub updated_at: u64,
}

impl Profile {
    /// What people see: the name, or first and last names as one.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        if self.name.is_some() {
            return self.name.clone();
        }
        let parts: Vec<&str> = [&self.given_name, &self.family_name]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    }
}

/// What a role gives, as the directory tells every shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleFacts {
    /// Which; never reused.
    pub role: String,
    /// Raised with every change; an older one never replaces a newer.
    pub version: u64,
    /// Raised when it gives less than before.
    pub generation: u64,
    /// What it gives.
    pub scope: Scope,
}

/// What a shard knows of its subject, so that exchange and refresh need ask nobody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubjectFacts {
    /// Who.
    pub subject: Subject,
    /// The login name.
    pub username: Username,
    /// The shard that keeps this row.
    pub shard: Shard,
    /// Whether the account may do anything at all.
    pub active: bool,
    /// Raised when everything issued before must end: password change, disabling.
    pub generation: u64,
    /// Raised with every change of this row; an older one never replaces a newer.
    pub version: u64,
    /// Scopes held directly or through roles.
    pub scope: Scope,
    /// Roles that contributed, with the generation each had then.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub roles: BTreeMap<String, u64>,
    /// Names of the groups that they are in, and of those that these lie in: what quotas go by.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub groups: BTreeSet<String>,
    /// Claims.
    #[serde(default)]
    pub profile: Profile,
    /// The number the management API calls it by; 0 where it has none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub number: u64,
    /// Whatever else is known; what clients' property mappings may tell.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub attributes: serde_json::Map<String, serde_json::Value>,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands out a reference; where a pointer is smaller, the lint says nothing"
)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl SubjectFacts {
    /// What the person may do for themselves: everybody speaks for themselves.
    #[must_use]
    pub fn own_scope(&self) -> Scope {
        self.scope.with(OWN)
    }

    /// These facts, whose scope is what is held directly, with what the roles give besides.
    #[must_use]
    pub fn with_roles<'a>(mut self, known: impl Fn(&str) -> Option<&'a RoleFacts>) -> Self {
        for (role, generation) in &mut self.roles {
            if let Some(facts) = known(role) {
                self.scope = self.scope.union(&facts.scope);
                *generation = facts.generation;
            }
        }
        self
    }
}
