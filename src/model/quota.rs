//! Quotas (seed 001): how much of a service a person may use. The gate holds people to `api`, requests a
//! minute; the rest is for services to read.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Number, Value, json};

/// Names of services, mounts and groups in one quota: more are no configuration that somebody wrote.
const MOST_NAMES: usize = 1_000;
/// Characters of one of them.
const LONGEST_NAME: usize = 255;

/// What one may use.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Quota {
    /// Requests a minute, by service. Nought: none at all.
    pub api: BTreeMap<String, u32>,
    /// Bytes, by mount.
    pub disk: BTreeMap<String, u64>,
    /// A notebook's size.
    pub notebook: Option<Notebook>,
    /// Queries at a time, by service.
    pub tap: BTreeMap<String, u32>,
}

/// How large a notebook may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Notebook {
    /// Processors.
    pub cpu: f64,
    /// GiB.
    pub memory: f64,
    /// Whether one may be started.
    pub spawn: bool,
}

/// Quotas by group: everybody has the default and what their groups add, or no limit at all.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Quotas {
    /// Everybody's.
    pub default: Quota,
    /// What a group adds.
    pub groups: BTreeMap<String, Quota>,
    /// Groups whose members have no limit.
    pub bypass: BTreeSet<String>,
}

/// Why a document is none of quotas: where, and what would have to be there.
pub type UnfitQuotas = Vec<(String, &'static str)>;

impl Quotas {
    /// Reads a document. A member that is not known is refused: a limit that was misspelled is none.
    ///
    /// # Errors
    /// Everything that does not fit.
    pub fn read(document: &Map<String, Value>) -> Result<Self, UnfitQuotas> {
        let mut reading = Reading::default();
        let quotas = reading.quotas(document);
        if reading.unfit.is_empty() {
            Ok(quotas)
        } else {
            Err(reading.unfit)
        }
    }

    /// Reads text.
    ///
    /// # Errors
    /// As [`Quotas::read`].
    pub fn parse(text: &str) -> Result<Self, UnfitQuotas> {
        match serde_json::from_str(text) {
            Ok(Value::Object(document)) => Self::read(&document),
            _ => Err(vec![(String::new(), "has to be a JSON object")]),
        }
    }

    /// The document.
    #[must_use]
    pub fn print(&self) -> Map<String, Value> {
        let groups = self.groups.iter();
        let groups = groups.map(|(name, quota)| (name.clone(), quota.print()));
        Map::from_iter([
            ("bypass".to_owned(), json!(self.bypass)),
            ("default".to_owned(), self.default.print()),
            ("groups".to_owned(), Value::Object(groups.collect())),
        ])
    }

    /// Whether anything is said of a service.
    #[must_use]
    pub fn limits(&self, service: &str) -> bool {
        self.default.api.contains_key(service) || self.limits_by_group(service)
    }

    /// Whether what is said of a service depends on groups.
    #[must_use]
    pub fn limits_by_group(&self, service: &str) -> bool {
        let mut groups = self.groups.values();
        groups.any(|quota| quota.api.contains_key(service))
    }

    /// Whether a member of these groups has no limit.
    #[must_use]
    pub fn bypasses(&self, groups: &BTreeSet<String>) -> bool {
        !self.bypass.is_disjoint(groups)
    }

    /// What somebody in these groups has: the default, and what each group adds.
    #[must_use]
    pub fn of(&self, groups: &BTreeSet<String>) -> Quota {
        let mut quota = self.default.clone();
        for added in groups.iter().filter_map(|group| self.groups.get(group)) {
            quota.add(added);
        }
        quota
    }
}

/// What somebody in these groups has by a configuration and what overrides it; nothing where neither
/// says anything of anybody. Who bypasses either has no limit.
#[must_use]
pub fn effective(
    configured: Option<&Quotas>,
    overrides: Option<&Quotas>,
    groups: &BTreeSet<String>,
) -> Option<Quota> {
    let both = [configured, overrides];
    let mut said = both.into_iter().flatten();
    said.clone().next()?;
    if said.any(|quotas| quotas.bypasses(groups)) {
        return Some(Quota::default());
    }
    let mut quota = configured
        .map(|quotas| quotas.of(groups))
        .unwrap_or_default();
    if let Some(overrides) = overrides {
        quota.replace(overrides.of(groups));
    }
    Some(quota)
}

impl Quota {
    fn add(&mut self, more: &Self) {
        for (name, added) in &more.api {
            let has = self.api.entry(name.clone()).or_default();
            *has = has.saturating_add(*added);
        }
        for (name, added) in &more.disk {
            let has = self.disk.entry(name.clone()).or_default();
            *has = has.saturating_add(*added);
        }
        for (name, added) in &more.tap {
            let has = self.tap.entry(name.clone()).or_default();
            *has = has.saturating_add(*added);
        }
        self.notebook = match (self.notebook, more.notebook) {
            (Some(has), Some(added)) => Some(Notebook {
                cpu: has.cpu + added.cpu,
                memory: has.memory + added.memory,
                spawn: has.spawn && added.spawn,
            }),
            (has, added) => has.or(added),
        };
    }

    /// What is said anew replaces what was: of services and mounts one by one, of notebooks and of `tap`
    /// as a whole.
    fn replace(&mut self, by: Self) {
        self.api.extend(by.api);
        self.disk.extend(by.disk);
        self.notebook = by.notebook.or(self.notebook);
        if !by.tap.is_empty() {
            self.tap = by.tap;
        }
    }

    /// The document.
    #[must_use]
    pub fn print(&self) -> Value {
        let tap = self.tap.iter();
        let tap = tap.map(|(name, most)| (name.clone(), json!({ "concurrent": most })));
        let mut document = json!({
            "api": self.api,
            "disk": self.disk,
            "tap": Map::from_iter(tap),
        });
        if let (Some(Notebook { cpu, memory, spawn }), Value::Object(members)) =
            (self.notebook, &mut document)
        {
            let notebook = json!({ "cpu": cpu, "memory": memory, "spawn": spawn });
            members.insert("notebook".to_owned(), notebook);
        }
        document
    }
}

#[derive(Default)]
struct Reading {
    unfit: UnfitQuotas,
}

impl Reading {
    fn refuse(&mut self, at: &str, rule: &'static str) {
        self.unfit.push((at.to_owned(), rule));
    }

    fn quotas(&mut self, document: &Map<String, Value>) -> Quotas {
        let mut quotas = Quotas::default();
        for (name, value) in document {
            match (name.as_str(), value) {
                ("default", _) => quotas.default = self.quota(name, value),
                ("groups", _) => {
                    for (group, value) in self.names(name, value) {
                        let quota = self.quota(&format!("groups.{group}"), value);
                        quotas.groups.insert(group.clone(), quota);
                    }
                }
                ("bypass", Value::Array(groups)) => {
                    for group in groups {
                        match group.as_str().filter(|group| is_name(group)) {
                            Some(group) => drop(quotas.bypass.insert(group.to_owned())),
                            None => self.refuse(name, "has to be a list of names of groups"),
                        }
                    }
                }
                ("bypass", _) => self.refuse(name, "has to be a list of names of groups"),
                _ => self.refuse(name, "is not known here"),
            }
        }
        quotas
    }

    fn quota(&mut self, at: &str, value: &Value) -> Quota {
        let mut quota = Quota::default();
        let Value::Object(members) = value else {
            self.refuse(at, "has to be an object");
            return quota;
        };
        for (name, value) in members {
            let at = format!("{at}.{name}");
            match name.as_str() {
                "api" => {
                    for (name, value) in self.names(&at, value) {
                        let most = self.count(&format!("{at}.{name}"), value);
                        quota.api.insert(name.clone(), most);
                    }
                }
                "disk" => {
                    for (name, value) in self.names(&at, value) {
                        match value.as_u64().filter(|bytes| *bytes < 1 << 53) {
                            Some(bytes) => drop(quota.disk.insert(name.clone(), bytes)),
                            None => self.refuse(&at, "has to have whole numbers of bytes"),
                        }
                    }
                }
                "tap" => {
                    for (name, value) in self.names(&at, value) {
                        let at = format!("{at}.{name}");
                        let members = value.as_object().filter(|members| members.len() == 1);
                        match members.and_then(|members| members.get("concurrent")) {
                            Some(most) => {
                                let most = self.count(&at, most);
                                quota.tap.insert(name.clone(), most);
                            }
                            None => self.refuse(&at, "has to have `concurrent` and nothing else"),
                        }
                    }
                }
                "notebook" => quota.notebook = self.notebook(&at, value),
                _ => self.refuse(&at, "is not known here"),
            }
        }
        quota
    }

    fn notebook(&mut self, at: &str, value: &Value) -> Option<Notebook> {
        let members = value.as_object();
        let size = |name: &str| {
            let number = members?.get(name)?.as_number().and_then(Number::as_f64)?;
            (0.0..1e9).contains(&number).then_some(number)
        };
        let known = |name: &String| matches!(name.as_str(), "cpu" | "memory" | "spawn");
        let spawn = match members.and_then(|members| members.get("spawn")) {
            None => Some(true),
            Some(value) => value.as_bool(),
        };
        let read = match (size("cpu"), size("memory"), spawn) {
            (Some(cpu), Some(memory), Some(spawn)) => Some(Notebook { cpu, memory, spawn }),
            _ => None,
        };
        let read = read.filter(|_| members.is_some_and(|members| members.keys().all(known)));
        if read.is_none() {
            self.refuse(
                at,
                "has to have numbers `cpu` and `memory`, and may have a flag `spawn`",
            );
        }
        read
    }

    fn count(&mut self, at: &str, value: &Value) -> u32 {
        let count = value.as_u64().and_then(|count| count.try_into().ok());
        if count.is_none() {
            self.refuse(at, "has to be a whole number");
        }
        count.unwrap_or_default()
    }

    fn names<'a>(&mut self, at: &str, value: &'a Value) -> Vec<(&'a String, &'a Value)> {
        let members = value.as_object();
        let members = members.filter(|members| {
            members.len() <= MOST_NAMES && members.keys().all(|name| is_name(name))
        });
        if members.is_none() {
            self.refuse(at, "has to be an object of names of 1 to 255 characters");
        }
        members.into_iter().flatten().collect()
    }
}

fn is_name(name: &str) -> bool {
    let length = name.chars().count();
    (1..=LONGEST_NAME).contains(&length) && !name.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(document: Value) -> Quotas {
        Quotas::read(document.as_object().unwrap()).unwrap()
    }

    fn groups(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// The document of the seed's own arithmetic.
    fn configured() -> Quotas {
        read(json!({
            "default": {
                "api": {"datalinker": 1},
                "disk": {"/home": 10},
                "notebook": {"cpu": 2.0, "memory": 4},
                "tap": {"qserv": {"concurrent": 10}},
            },
            "groups": {
                "foo": {
                    "api": {"test": 1, "datalinker": 1},
                    "disk": {"/home": 30},
                    "notebook": {"cpu": 0.0, "memory": 4.0, "spawn": false},
                    "tap": {"qserv": {"concurrent": 5}, "sso": {"concurrent": 5}},
                },
                "bar": {"api": {"test": 1}},
            },
            "bypass": ["staff"],
        }))
    }

    fn of(overrides: Option<&Quotas>, names: &[&str]) -> Value {
        effective(Some(&configured()), overrides, &groups(names))
            .unwrap()
            .print()
    }

    #[test]
    fn s1_8_groups_add_to_the_default() {
        assert_eq!(of(None, &[])["api"], json!({"datalinker": 1}));
        assert_eq!(
            of(None, &["foo", "bar", "unknown"]),
            json!({
                "api": {"datalinker": 2, "test": 2},
                "disk": {"/home": 40},
                "notebook": {"cpu": 2.0, "memory": 8.0, "spawn": false},
                "tap": {"qserv": {"concurrent": 15}, "sso": {"concurrent": 5}},
            })
        );
    }

    #[test]
    fn s1_8_overrides_replace_what_they_name() {
        let overrides = read(json!({
            "default": {"api": {"datalinker": 10}},
            "groups": {"foo": {"api": {"datalinker": 1}, "tap": {"sso": {"concurrent": 1}}}},
        }));
        assert_eq!(of(Some(&overrides), &[])["api"], json!({"datalinker": 10}));
        let foo = of(Some(&overrides), &["foo"]);
        assert_eq!(foo["api"], json!({"datalinker": 11, "test": 1}));
        assert_eq!(foo["tap"], json!({"sso": {"concurrent": 1}}));
        assert_eq!(foo["disk"], json!({"/home": 40}));
        let alone = effective(None, Some(&overrides), &groups(&[])).unwrap();
        assert_eq!(alone.api["datalinker"], 10);
    }

    #[test]
    fn s1_8_whoever_bypasses_has_no_limit() {
        let empty = json!({"api": {}, "disk": {}, "tap": {}});
        assert_eq!(of(None, &["foo", "staff"]), empty);
        let overrides = read(json!({"default": {"api": {"datalinker": 0}}, "bypass": ["foo"]}));
        assert_eq!(of(Some(&overrides), &["foo"]), empty);
        assert_eq!(of(Some(&overrides), &["staff"]), empty);
        assert!(effective(None, None, &groups(&[])).is_none());
    }

    #[test]
    fn s1_8_a_document_reads_as_it_was_printed() {
        assert_eq!(Quotas::read(&configured().print()), Ok(configured()));
        assert_eq!(Quotas::parse("{}"), Ok(Quotas::default()));
    }

    #[test]
    fn s1_8_what_is_misspelled_or_no_number_is_refused_by_its_place() {
        for (document, place) in [
            (json!({"defaults": {}}), "defaults"),
            (json!({"default": []}), "default"),
            (json!({"default": {"apis": {}}}), "default.apis"),
            (json!({"default": {"api": 1}}), "default.api"),
            (json!({"default": {"api": {"": 1}}}), "default.api"),
            (json!({"default": {"api": {"a": -1}}}), "default.api.a"),
            (json!({"default": {"api": {"a": 1.5}}}), "default.api.a"),
            (
                json!({"default": {"api": {"a": 4_294_967_296_u64}}}),
                "default.api.a",
            ),
            (json!({"default": {"disk": {"a": "1"}}}), "default.disk"),
            (json!({"default": {"tap": {"a": 1}}}), "default.tap.a"),
            (
                json!({"default": {"tap": {"a": {"concurrent": 1, "x": 1}}}}),
                "default.tap.a",
            ),
            (
                json!({"groups": {"g": {"notebook": {"cpu": 1}}}}),
                "groups.g.notebook",
            ),
            (
                json!({"groups": {"g": {"notebook": {"cpu": -1, "memory": 1}}}}),
                "groups.g.notebook",
            ),
            (
                json!({"groups": {"g": {"notebook": {"cpu": 1, "memory": 1, "gpu": 1}}}}),
                "groups.g.notebook",
            ),
            (json!({"groups": []}), "groups"),
            (json!({"bypass": "staff"}), "bypass"),
            (json!({"bypass": [1]}), "bypass"),
        ] {
            let unfit = Quotas::read(document.as_object().unwrap()).unwrap_err();
            assert_eq!(unfit[0].0, place, "{document}");
        }
        assert!(Quotas::parse("[]").is_err() && Quotas::parse("{").is_err());
    }
}
