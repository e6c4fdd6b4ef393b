//! What a route asks of whoever comes: the query with which its proxy calls `/ingress/auth`.
//!
//! It is configuration, written by hand. What is misspelled or has no value is refused: passed over,
//! it would open the route.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::delegate::{LEAST, LIFETIME, Recipient};
use crate::directory::Unfit;
use crate::error::Reason;
use crate::model::{Scope, Seconds, Username};

/// Characters of the name of a service.
const LONGEST_SERVICE: usize = 64;
/// Services in one list: more are no configuration that somebody wrote.
const MOST_SERVICES: usize = 64;

/// Queries that are kept, read. A proxy has one for each of its routes.
const MOST_ROUTES: usize = 64;
/// Characters of one that is.
const LONGEST_ROUTE: usize = 1_024;

const NOT_TWICE: &str = "must not be repeated";
const A_FLAG: &str = "has to be true or false";
const A_SERVICE: &str = "has to be the name of a service: 1 to 64 characters without blanks";

/// What a route asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirements {
    /// `scope`: what the token has to allow.
    pub scopes: Scope,
    /// `satisfy=any`: whether one of them is enough. It is, too, where there is none.
    pub any: bool,
    /// `auth_type=basic`: how a browser is asked for a credential.
    pub basic: bool,
    /// `service`, or `delegate_to`: what the route leads to.
    pub service: Option<String>,
    /// `only_service`: who alone may come, with a token that was delegated to them.
    pub only_services: Vec<String>,
    /// `username`: who alone may come.
    pub username: Option<Username>,
    /// `user_domain`: whether the host is the user's own.
    pub user_domain: bool,
    /// `allow_cookies`: whether a session does.
    pub allow_cookies: bool,
    /// `allow_options`: whether every `OPTIONS` passes.
    pub allow_options: bool,
    /// `use_authorization`: whether the delegated token is passed on as `Authorization`, too.
    pub use_authorization: bool,
    /// `minimum_lifetime`: how much of its life the token, or the delegated one, must have left.
    pub minimum_lifetime: Option<Seconds>,
    /// To whom something is delegated, if it is: `notebook`, or `delegate_to` with `delegate_scope`.
    pub delegation: Option<Recipient>,
}

impl Default for Requirements {
    fn default() -> Self {
        Self {
            scopes: Scope::default(),
            any: false,
            basic: false,
            service: None,
            only_services: Vec::new(),
            username: None,
            user_domain: false,
            allow_cookies: true,
            allow_options: false,
            use_authorization: false,
            minimum_lifetime: None,
            delegation: None,
        }
    }
}

/// What is read before it is known to fit together.
#[derive(Default)]
struct Read {
    seen: Vec<String>,
    delegate_to: Option<String>,
    delegate_scopes: Scope,
    notebook: bool,
    unfit: Vec<Unfit>,
}

/// What routes ask, each read once: reading is a function of the query alone.
#[derive(Debug, Default)]
pub struct KnownRequirements(RefCell<BTreeMap<String, Rc<Requirements>>>);

impl KnownRequirements {
    /// Reads a query, as [`Requirements::parse`] does, once.
    ///
    /// # Errors
    /// As [`Requirements::parse`].
    pub fn read(&self, query: &str) -> Result<Rc<Requirements>, Reason> {
        if let Some(known) = self.0.borrow().get(query) {
            return Ok(Rc::clone(known));
        }
        let asked = Rc::new(Requirements::parse(query)?);
        if query.len() <= LONGEST_ROUTE {
            let mut kept = self.0.borrow_mut();
            if kept.len() >= MOST_ROUTES {
                kept.clear();
            }
            kept.insert(query.to_owned(), Rc::clone(&asked));
        }
        Ok(asked)
    }
}

impl Requirements {
    /// Reads a query.
    ///
    /// # Errors
    /// [`Reason::UnfitRequirement`] with everything that does not fit.
    pub fn parse(query: &str) -> Result<Self, Reason> {
        let mut asked = Self::default();
        let mut read = Read::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let repeatable = matches!(&*name, "scope" | "delegate_scope" | "only_service");
            let rule = if !repeatable && read.seen.iter().any(|seen| *seen == name) {
                Err(NOT_TWICE)
            } else {
                asked.take(&mut read, &name, &value)
            };
            if let Err(rule) = rule {
                read.unfit.push(Unfit::new(&name, rule));
            }
            read.seen.push(name.into_owned());
        }
        asked.fit_together(read)
    }

    fn take(&mut self, read: &mut Read, name: &str, value: &str) -> Result<(), &'static str> {
        match name {
            "scope" => self.scopes = self.scopes.union(&scope(value)?),
            "satisfy" => self.any = one_of(value, "all", "any").ok_or("has to be all or any")?,
            "auth_type" => {
                let basic = one_of(value, "bearer", "basic");
                self.basic = basic.ok_or("has to be bearer or basic")?;
            }
            "service" => self.service = Some(service(value)?),
            "only_service" => {
                self.only_services.push(service(value)?);
                if self.only_services.len() > MOST_SERVICES {
                    return Err("is repeated more than 64 times");
                }
            }
            "username" => {
                let username = Username::parse(value);
                self.username = Some(username.map_err(|_| "has to be a username")?);
            }
            "user_domain" => self.user_domain = flag(value)?,
            "allow_cookies" => self.allow_cookies = flag(value)?,
            "allow_options" => self.allow_options = flag(value)?,
            "use_authorization" => self.use_authorization = flag(value)?,
            "minimum_lifetime" => self.minimum_lifetime = Some(lifetime(value)?),
            "notebook" => read.notebook = flag(value)?,
            "delegate_to" => read.delegate_to = Some(service(value)?),
            "delegate_scope" => read.delegate_scopes = read.delegate_scopes.union(&scope(value)?),
            _ => return Err("is not known here"),
        }
        Ok(())
    }

    fn fit_together(mut self, mut read: Read) -> Result<Self, Reason> {
        let delegated = read.delegate_to.is_some();
        let names_scopes = read.seen.iter().any(|seen| seen == "delegate_scope");
        let mut unless = |fits: bool, name: &str, rule: &str| {
            if !fits {
                read.unfit.push(Unfit::new(name, rule));
            }
        };
        unless(
            !(read.notebook && delegated),
            "delegate_to",
            "must not be there beside notebook",
        );
        unless(
            delegated || !names_scopes,
            "delegate_scope",
            "has to be there with delegate_to alone",
        );
        let same = self.service.is_none() || !delegated || self.service == read.delegate_to;
        unless(same, "service", "has to be the same as delegate_to");
        if !read.unfit.is_empty() {
            return Err(Reason::UnfitRequirement(read.unfit));
        }
        self.delegation = match read.delegate_to {
            Some(service) => {
                self.service = Some(service.clone());
                let scopes = read.delegate_scopes;
                Some(Recipient::Internal { service, scopes })
            }
            None => read.notebook.then_some(Recipient::Notebook),
        };
        Ok(self)
    }

    /// How much of its life what is shown must have left.
    #[must_use]
    pub fn least(&self) -> Option<Seconds> {
        let delegated = self.delegation.is_some().then_some(LEAST);
        self.minimum_lifetime.or(delegated)
    }

    /// Whether a token with these scopes does.
    #[must_use]
    pub fn suffices(&self, scopes: &Scope) -> bool {
        scopes.satisfies(&self.scopes, self.any)
    }
}

/// Whether the value is the second of the two words.
fn one_of(value: &str, first: &str, second: &str) -> Option<bool> {
    (value == first || value == second).then(|| value == second)
}

fn flag(value: &str) -> Result<bool, &'static str> {
    one_of(value, "false", "true").ok_or(A_FLAG)
}

/// One scope, or several with blanks between them.
fn scope(value: &str) -> Result<Scope, &'static str> {
    let scope = Scope::parse(value).ok().filter(|scope| !scope.is_empty());
    scope.ok_or("has to be a scope")
}

fn service(value: &str) -> Result<String, &'static str> {
    let fits = !value.is_empty()
        && value.len() <= LONGEST_SERVICE
        && value.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| value.to_owned()).ok_or(A_SERVICE)
}

fn lifetime(value: &str) -> Result<Seconds, &'static str> {
    let longest = LIFETIME.0 - LEAST.0;
    let seconds = value.parse().ok().filter(|_| !value.starts_with('+'));
    let fits = seconds.filter(|seconds| (LEAST.0..=longest).contains(seconds));
    fits.map(Seconds)
        .ok_or("has to be 300 seconds or more, and 300 less than the longest token lives or fewer")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unfit(query: &str) -> Vec<String> {
        match Requirements::parse(query) {
            Err(Reason::UnfitRequirement(unfit)) => {
                unfit.into_iter().map(|unfit| unfit.field).collect()
            }
            other => panic!("{query}: {other:?}"),
        }
    }

    #[test]
    fn a_route_is_read_once_and_what_does_not_fit_each_time() {
        let routes = KnownRequirements::default();
        let read = |query: &str| routes.read(query);
        let first = read("scope=a").unwrap();
        assert!(Rc::ptr_eq(&first, &read("scope=a").unwrap()));
        assert_ne!(read("scope=b").unwrap(), first);
        assert!(read("scopes=a").is_err());
        assert!(read("scopes=a").is_err());
        for query in 0..=2 * MOST_ROUTES {
            assert!(read(&format!("scope={query}")).is_ok());
            assert!(routes.0.borrow().len() <= MOST_ROUTES);
        }
        let long = format!("scope={}", "a+".repeat(LONGEST_ROUTE).trim_end_matches('+'));
        let long = read(&long).unwrap();
        assert_eq!(long.scopes, first.scopes);
    }

    #[test]
    fn s1_6_what_is_not_asked_is_as_the_seed_has_it() {
        let asked = Requirements::parse("").unwrap();
        assert_eq!(asked, Requirements::default());
        assert!(asked.allow_cookies && !asked.allow_options && !asked.any);
        assert!(asked.suffices(&Scope::default()));
    }

    #[test]
    fn s1_6_lists_are_repeated_and_all_else_is_not() {
        let asked = Requirements::parse("scope=b&scope=a&only_service=x&only_service=y").unwrap();
        assert_eq!(asked.scopes.to_string(), "a b");
        assert_eq!(asked.only_services, ["x", "y"]);
        for name in ["satisfy=any", "service=a", "notebook=true", "username=ada"] {
            let repeated = unfit(&format!("{name}&{name}"));
            assert_eq!(repeated, [name.split('=').next().unwrap()]);
        }
    }

    #[test]
    fn s1_6_what_would_open_a_route_by_a_slip_is_refused() {
        for (query, name) in [
            ("scope=", "scope"),
            ("scopes=read", "scopes"),
            ("scope=a++b", "scope"),
            ("satisfy=foo", "satisfy"),
            ("satisfy=", "satisfy"),
            ("auth_type=bogus", "auth_type"),
            ("user_domain=1", "user_domain"),
            ("user_domain", "user_domain"),
            ("username=", "username"),
            ("only_service=", "only_service"),
            ("only_service=a+b", "only_service"),
            ("service=%C3%A9", "service"),
            ("minimum_lifetime=299", "minimum_lifetime"),
            ("minimum_lifetime=86101", "minimum_lifetime"),
            ("minimum_lifetime=%2B300", "minimum_lifetime"),
            ("minimum_lifetime=1e3", "minimum_lifetime"),
            ("notebook=true&delegate_to=a", "delegate_to"),
            ("delegate_scope=read", "delegate_scope"),
            ("service=a&delegate_to=b", "service"),
        ] {
            assert_eq!(unfit(query), [name], "{query}");
        }
        assert_eq!(unfit("a=1&b=2"), ["a", "b"]);
    }

    #[test]
    fn s1_6_what_is_delegated_names_the_service_and_wants_five_minutes() {
        let asked = Requirements::parse("delegate_to=x&delegate_scope=b&delegate_scope=a");
        let asked = asked.unwrap();
        let scopes = Scope::parse("a b").unwrap();
        let service = "x".to_owned();
        let delegated = Recipient::Internal { service, scopes };
        assert_eq!(asked.delegation, Some(delegated));
        assert_eq!(asked.service.as_deref(), Some("x"));
        assert_eq!((asked.minimum_lifetime, asked.least()), (None, Some(LEAST)));
        let notebook = Requirements::parse("notebook=true&minimum_lifetime=600").unwrap();
        assert_eq!(notebook.delegation, Some(Recipient::Notebook));
        assert_eq!(notebook.least(), Some(Seconds(600)));
        let none = Requirements::parse("notebook=false").unwrap();
        assert_eq!((none.least(), none.delegation), (None, None));
    }

    #[test]
    fn s1_6_one_of_no_scopes_is_enough() {
        let any = Requirements::parse("satisfy=any").unwrap();
        assert!(any.suffices(&Scope::default()));
        let one = Requirements::parse("satisfy=any&scope=a&scope=b").unwrap();
        assert!(one.suffices(&Scope::parse("b c").unwrap()));
        assert!(!one.suffices(&Scope::parse("c").unwrap()));
    }
}
