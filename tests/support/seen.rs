//! What a test looks at in an answer.

use edgemint::http::Response;
use edgemint::jose::base64url;
use serde_json::Value;

use super::Form;

/// Reads an answer; stops the test where it is not of the kind that is asked for.
pub(crate) trait Seen {
    /// The body as JSON.
    fn json(&self) -> Value;
    /// `error` of a direct answer (the body) or of a redirect (the query).
    fn error(&self) -> String;
    /// `Location`, if there is one.
    fn location(&self) -> Option<&str>;
    /// The parameters of the redirect: those of its fragment, where it has one.
    fn answer(&self) -> Form;
    /// `reason` of a refusal, as the log prints it; empty without one.
    fn label(&self) -> String;
    /// `code` of the redirect.
    fn code(&self) -> String;
    /// Every value of a header.
    fn all(&self, name: &str) -> Vec<&str>;
}

impl Seen for Response {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }

    fn error(&self) -> String {
        if self.location().is_some() {
            return self.answer().value("error").unwrap_or_default().to_owned();
        }
        if self.status == 200 {
            return String::new();
        }
        self.json()["error"].as_str().unwrap_or_default().to_owned()
    }

    fn location(&self) -> Option<&str> {
        self.header("location")
    }

    fn answer(&self) -> Form {
        let location = self.location().unwrap_or_else(|| {
            panic!("no redirect but {} {:?}", self.status, self.reason);
        });
        let parameters = location.split_once('#').or(location.split_once('?'));
        Form::parse(parameters.map_or("", |(_, parameters)| parameters))
    }

    fn label(&self) -> String {
        let reason = self.reason.as_ref();
        reason.map(|reason| reason.label()).unwrap_or_default()
    }

    fn code(&self) -> String {
        let answer = self.answer();
        let code = answer.value("code");
        code.unwrap_or_else(|| panic!("no code: {answer:?}"))
            .to_owned()
    }

    fn all(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(known, _)| *known == name);
        named.map(|(_, value)| &**value).collect()
    }
}

/// A part of a JWT, as JSON.
pub(crate) fn decoded(part: &str) -> Value {
    serde_json::from_slice(&base64url::decode(part).unwrap()).unwrap()
}
