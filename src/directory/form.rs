//! What the value of a field is, and how it is read from what somebody sent.

use serde_json::{Map, Value};

use super::schema::Collection;
use super::uuid;
use crate::jose::{Algorithm, KeySet};
use crate::model::target::may_be_fetched;
use crate::model::{ClientId, RedirectUri, Scope, Subject, Username, parse_duration};

/// Bytes of a text (seed 000's and seed 004's columns).
pub(crate) const LONGEST: usize = 255;
/// Bytes of a mail address (seed 004's column; RFC 5321 §4.5.3.1).
pub(crate) const LONGEST_MAIL: usize = 254;
/// Bytes of an object: with everything else a record stays far below a row of 2 MB, and what a token
/// may carry of it below a page.
const LARGEST_OBJECT: usize = 4096;
/// Things in a list; one that is longer is a pattern in disguise.
pub(crate) const MOST_LISTED: usize = 64;
/// Bytes of a resource or another URI.
pub(crate) const LONGEST_URI: usize = 2000;

/// Where we send no request of ours.
pub(crate) const UNFETCHABLE: &str =
    "has to be an https URI without port, fragment and credentials, on a host with a public name";

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A number of ours.
    Number,
    /// Another name of a number of ours, RFC 9562 version 8.
    Uuid,
    /// Characters, without control characters.
    Text,
    /// What an answer alone has.
    Shown,
    /// Seconds, as RFC 3339 in answers.
    Time,
    /// Yes or no.
    Flag,
    /// One of these.
    Choice(&'static [&'static str]),
    /// Some of these.
    Choices(&'static [&'static str]),
    /// Seed 004's `hours=1;minutes=2;seconds=3`, from a second to so many.
    Duration(u64),
    /// The same, or nothing.
    DurationOrNone(u64),
    /// A JSON object.
    Object,
    /// A JSON object of texts.
    Texts,
    /// One scope token (RFC 6749 §3.3).
    ScopeToken,
    /// A scope string, or a list of scope tokens; kept as the string.
    Scope,
    /// A login name.
    Username,
    /// A password; the caller hashes it.
    Password,
    /// A client's secret; the caller keeps its digest.
    Secret,
    /// A mail address.
    Mail,
    /// Letters, digits, `-` and `_`.
    Slug,
    /// RFC 6749 §2.2.
    ClientId,
    /// A signature algorithm.
    Algorithm,
    /// Redirect URIs: a list, or a text with one a line, which is how they are kept.
    RedirectUris,
    /// An https URI that people or we are led to, or nothing.
    WebUri,
    /// A resource indicator (RFC 8707), or nothing.
    Resource,
    /// Resource indicators.
    Resources,
    /// Texts that are compared exactly with `sub` of what a source signs.
    Subjects,
    /// Another record, or none.
    Ref(Collection),
    /// Other records.
    Refs(Collection),
    /// Other records, by their names.
    Named(Collection),
    /// A signing key by its uuid, or none.
    Key,
    /// Where a request of ours goes, or nothing. Whether we may send one there depends on the deployment.
    Target,
    /// A JSON Web Key Set (RFC 7517 §5) of public keys, or nothing.
    Jwks,
}

impl Form {
    /// What it is when nothing is said.
    #[must_use]
    pub fn empty(self) -> Value {
        match self {
            Self::Flag => Value::Bool(false),
            Self::Object | Self::Texts => Value::Object(Map::new()),
            Self::Choices(_)
            | Self::Resources
            | Self::Subjects
            | Self::Refs(_)
            | Self::Named(_) => Value::Array(Vec::new()),
            Self::Ref(_) | Self::Key | Self::Number | Self::Time | Self::Jwks => Value::Null,
            _ => Value::from(""),
        }
    }

    /// Whether lists can be narrowed to a value of it, and ordered by it.
    #[must_use]
    pub fn is_plain(self) -> bool {
        !matches!(
            self,
            Self::Object
                | Self::Texts
                | Self::Scope
                | Self::Shown
                | Self::Time
                | Self::Password
                | Self::Secret
                | Self::Jwks
                | Self::Choices(_)
                | Self::Resources
                | Self::Subjects
                | Self::Refs(_)
                | Self::Named(_)
        )
    }

    /// Reads a value into the form in which it is kept.
    ///
    /// # Errors
    /// What it would have to be.
    pub fn read(self, value: &Value) -> Result<Value, &'static str> {
        match value {
            Value::String(text) => self.read_text(text),
            Value::Array(items) if items.len() > MOST_LISTED => Err("has to be at most 64 long"),
            Value::Array(items) => self.read_list(items),
            Value::Bool(_) if self == Self::Flag => Ok(value.clone()),
            Value::Null => match self {
                Self::Ref(_) | Self::Key | Self::Jwks => Ok(Value::Null),
                _ => Err(self.rule()),
            },
            Value::Number(_) if matches!(self, Self::Ref(_)) => self.read_reference(value),
            Value::Object(members) => {
                let fits = match self {
                    Self::Object => true,
                    Self::Texts => members.values().all(Value::is_string),
                    Self::Jwks => is_key_set(members),
                    _ => false,
                };
                if !fits {
                    Err(self.rule())
                } else if value.to_string().len() > LARGEST_OBJECT {
                    Err("has to be at most 4096 bytes of JSON")
                } else {
                    Ok(value.clone())
                }
            }
            _ => Err(self.rule()),
        }
    }

    fn read_text(self, text: &str) -> Result<Value, &'static str> {
        let uri = |fits: fn(&str) -> bool| text.is_empty() || fits(text);
        let fits = match self {
            Self::Text => text.len() <= LONGEST && !text.chars().any(char::is_control),
            Self::Choice(known) => known.contains(&text),
            Self::DurationOrNone(_) if text.is_empty() => true,
            Self::Duration(most) | Self::DurationOrNone(most) => {
                parse_duration(text).is_some_and(|seconds| (1..=most).contains(&seconds.0))
            }
            Self::ScopeToken => Scope::parse(text).is_ok_and(|scope| scope.iter().count() == 1),
            Self::Scope => {
                let scope = Scope::parse(text).map_err(|_| "is not a scope string")?;
                return Ok(Value::from(scope.to_string()));
            }
            // `me` is whoever asks.
            Self::Username => {
                Username::parse(text).is_ok() && !text.starts_with("bot-") && text != "me"
            }
            Self::Password => {
                text.len() <= crate::oauth::password::LONGEST
                    && text.chars().count() >= crate::oauth::password::SHORTEST
            }
            Self::Secret => {
                // Whoever guesses one guesses 128 bits, if it is random.
                (32..=LONGEST).contains(&text.len())
                    && text.bytes().all(|byte| byte.is_ascii_graphic())
            }
            Self::Mail => text.is_empty() || is_mail(text),
            Self::Slug => {
                let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
                text.len() <= 50 && text.bytes().all(known)
            }
            Self::ClientId => ClientId::parse(text).is_ok() && !text.starts_with(Subject::PREFIX),
            Self::Algorithm => Algorithm::parse(text).is_ok(),
            Self::RedirectUris => {
                let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
                return redirect_uris(&lines.collect::<Vec<_>>());
            }
            Self::WebUri => uri(is_web_uri),
            Self::Resource => uri(is_resource),
            Self::Target => uri(|text| may_be_fetched(text, true)),
            Self::Ref(_) => return self.read_reference(&Value::from(text)),
            Self::Key => uuid::parse(text).is_some() || is_uuid(text),
            _ => false,
        };
        if fits {
            Ok(Value::from(text))
        } else {
            Err(self.rule())
        }
    }

    fn read_list<'a>(self, items: &'a [Value]) -> Result<Value, &'static str> {
        // Answers show the things themselves; they may be sent back.
        let member = if self == Self::Scope { "value" } else { "name" };
        let text = |item: &'a Value| item.as_str().or_else(|| item.get(member)?.as_str());
        let texts: Option<Vec<&str>> = items.iter().map(text).collect();
        match (self, texts) {
            (Self::Scope, Some(tokens))
                if tokens
                    .iter()
                    .all(|token| !token.is_empty() && !token.contains(' ')) =>
            {
                self.read_text(&tokens.join(" "))
            }
            (Self::RedirectUris, Some(uris)) => redirect_uris(&uris),
            (Self::Choices(known), Some(chosen))
                if chosen.iter().all(|text| known.contains(text)) =>
            {
                let mut sorted: Vec<&str> = chosen;
                sorted.sort_unstable();
                sorted.dedup();
                Ok(Value::from(sorted))
            }
            (Self::Resources, Some(uris)) if uris.iter().all(|uri| is_resource(uri)) => {
                Ok(Value::from(uris))
            }
            (Self::Subjects, Some(subjects)) if subjects.iter().all(|text| is_subject(text)) => {
                Ok(Value::from(subjects))
            }
            (Self::Named(_), Some(names)) => Ok(Value::from(names)),
            (Self::Refs(_), _) => {
                let mut ids = Vec::new();
                for item in items {
                    let id = self.read_reference(item)?;
                    if !ids.contains(&id) {
                        ids.push(id);
                    }
                }
                Ok(Value::Array(ids))
            }
            _ => Err(self.rule()),
        }
    }

    /// By number or by uuid; kept as the number.
    fn read_reference(self, value: &Value) -> Result<Value, &'static str> {
        let id = match value {
            Value::String(text) => uuid::parse(text),
            other => other.as_u64(),
        };
        id.map(Value::from).ok_or_else(|| self.rule())
    }

    /// What a value has to be.
    #[must_use]
    pub fn rule(self) -> &'static str {
        match self {
            Self::Number => "has to be a number",
            Self::Uuid | Self::Key => "has to be a uuid",
            Self::Text => "has to be text of at most 255 bytes without control characters",
            Self::Shown | Self::Time => "is not given",
            Self::Flag => "has to be true or false",
            Self::Choice(_) => "has to be one of the values that are known",
            Self::Choices(_) => "has to be a list of values that are known",
            Self::Duration(_) | Self::DurationOrNone(_) => {
                "has to be a duration such as hours=1;minutes=2;seconds=3 within its limit"
            }
            Self::Object => "has to be an object",
            Self::Texts => "has to be an object whose values are text",
            Self::ScopeToken => "has to be one scope token",
            Self::Scope => "has to be a scope string or a list of scope tokens",
            Self::Username => {
                "has to be 1 to 64 lower-case letters, digits or -_.@+, not to begin with bot-, and not me"
            }
            Self::Password => "has to be 8 to 128 characters long",
            Self::Secret => "has to be 32 to 255 visible ASCII characters",
            Self::Mail => "has to be a mail address of at most 254 bytes",
            Self::Slug => "has to be 1 to 50 letters, digits, - or _",
            Self::ClientId => "has to be 1 to 60 letters, digits or -._~, and not to begin with u_",
            Self::Algorithm => "has to name an algorithm that the metadata lists",
            Self::RedirectUris => {
                "has to be a list of exact redirect URIs: https, loopback or a scheme of the app's \
                 own, without fragment or pattern"
            }
            Self::WebUri => "has to be an https URI",
            Self::Target => UNFETCHABLE,
            Self::Resource | Self::Resources => "has to name absolute URIs without a fragment",
            Self::Subjects => {
                "has to be a list of texts of 1 to 255 bytes without control characters"
            }
            Self::Ref(_) => "has to be the uuid or the number of a record",
            Self::Refs(_) => "has to be a list of uuids or numbers of records",
            Self::Named(_) => "has to be a list of names",
            Self::Jwks => "has to be a JSON Web Key Set of public keys",
        }
    }
}

fn redirect_uris(uris: &[&str]) -> Result<Value, &'static str> {
    // Seed 004 once took patterns (CVE-2024-52289); ours are compared exactly.
    let exact = |uri: &&str| {
        RedirectUri::register(uri).is_ok() && !uri.contains(['*', '^', '$', '(', '+', '\\'])
    };
    if uris.iter().all(exact) && uris.len() <= MOST_LISTED {
        Ok(Value::from(uris.join("\n")))
    } else {
        Err(Form::RedirectUris.rule())
    }
}

fn is_mail(text: &str) -> bool {
    let fits = |part: &str| {
        !part.is_empty()
            && !part
                .chars()
                .any(|letter| letter.is_whitespace() || letter.is_control())
    };
    text.len() <= LONGEST_MAIL
        && text
            .rsplit_once('@')
            .is_some_and(|(local, domain)| fits(local) && fits(domain) && !local.contains('@'))
}

/// RFC 8707 §2: an absolute URI without a fragment.
#[must_use]
pub fn is_resource(text: &str) -> bool {
    text.len() <= LONGEST_URI
        && fluent_uri::Uri::parse(text).is_ok_and(|uri| uri.fragment().is_none())
}

fn is_subject(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// A page that people are shown a link to: https, and nothing a redirect URI may not be.
#[must_use]
pub fn is_web_uri(text: &str) -> bool {
    text.starts_with("https://") && RedirectUri::register(text).is_ok()
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Public keys alone: nobody's private key belongs here.
fn is_key_set(members: &Map<String, Value>) -> bool {
    let public = |key: &Value| key.get("kty").is_some_and(|kty| kty != "oct");
    let keys = members.get("keys").and_then(Value::as_array);
    keys.is_some_and(|keys| !keys.is_empty() && keys.iter().all(public))
        && KeySet::from_members(members).is_ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn scopes_come_as_a_string_or_as_a_list() {
        for given in [json!("b a"), json!(["a", "b", "a"])] {
            assert_eq!(Form::Scope.read(&given), Ok(json!("a b")));
        }
        for bad in [
            json!(null),
            json!("a  b"),
            json!([1]),
            json!([""]),
            json!(["a b"]),
            json!({"a": 1}),
            json!("\u{e9}"),
        ] {
            assert!(Form::Scope.read(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn redirect_uris_are_exact_in_either_form() {
        let kept = json!("https://a.example/b\nhttp://127.0.0.1/c");
        let list = json!(["https://a.example/b", "http://127.0.0.1/c"]);
        let lines = json!("https://a.example/b\r\n\n http://127.0.0.1/c \n");
        assert_eq!(Form::RedirectUris.read(&list), Ok(kept.clone()));
        assert_eq!(Form::RedirectUris.read(&lines), Ok(kept.clone()));
        assert_eq!(Form::RedirectUris.read(&kept), Ok(kept));
        for bad in [
            "https://a.example/.*",
            "https://(a|b).example/",
            "^https://a.example$",
            "javascript:alert(1)",
            "data:text/html,x",
            "https://a.example/#b",
            "https://a.example/\nnot a uri",
            "*",
        ] {
            assert!(Form::RedirectUris.read(&json!(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_record_is_named_by_its_number_or_its_uuid() {
        let form = Form::Ref(Collection::Groups);
        assert_eq!(form.read(&json!(7)), Ok(json!(7)));
        assert_eq!(form.read(&json!(uuid::of(7))), Ok(json!(7)));
        assert_eq!(form.read(&json!(null)), Ok(json!(null)));
        for bad in [json!("7"), json!(-1), json!(1.5), json!([]), json!("")] {
            assert!(form.read(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn mail_addresses_have_two_parts() {
        for good in ["", "a@b", "first.last+tag@mail.example"] {
            assert!(Form::Mail.read(&json!(good)).is_ok(), "{good}");
        }
        for bad in ["a", "@b", "a@", "a b@c", "a@b@c", "a@b\n"] {
            assert!(Form::Mail.read(&json!(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_key_set_has_no_private_part() {
        let public = json!({"keys": [{"kty": "EC", "crv": "P-256", "x": "a", "y": "b"}]});
        assert_eq!(Form::Jwks.read(&public), Ok(public.clone()));
        for bad in [
            json!({}),
            json!({"keys": []}),
            json!({"keys": [{"kty": "oct", "k": "a"}]}),
            json!({"keys": [{"kty": "EC", "d": "a"}]}),
            json!({"keys": [{"kty": "RSA", "n": "a", "e": "b", "p": "c"}]}),
            json!({"keys": ["a"]}),
        ] {
            assert!(Form::Jwks.read(&bad).is_err(), "{bad}");
        }
    }
}
