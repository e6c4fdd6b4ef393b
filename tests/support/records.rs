//! The management API as an administrator uses it, and a provider as its client does.

use edgemint::http::{Request, Response};
use edgemint::server::Endpoint;
use serde_json::{Value, json};

use super::{Browser, Fixture, Form, Seen as _, Tokens, VERIFIER, authorization, basic, post};

pub(crate) const USERS: &str = "/api/v1/users/";
pub(crate) const PROVIDERS: &str = "/api/v1/providers/oauth2/";
pub(crate) const FLOWS: &str = "/api/v1/flows/";
/// Where the client of [`App`] is.
pub(crate) const CALLBACK: &str = "https://app.example/cb";

/// A new record, as it is answered.
pub(crate) fn made(fixture: &Fixture, path: &str, body: Value) -> Value {
    let answer = fixture.api("POST", path, &body);
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.json()
}

/// The path of a record.
pub(crate) fn at(collection: &str, record: &Value) -> String {
    let key = match &record["pk"] {
        Value::Null => &record["id"],
        key => key,
    };
    let key = key.as_str().map_or(key.to_string(), str::to_owned);
    format!("{collection}{key}/")
}

/// What is there.
pub(crate) fn read(fixture: &Fixture, path: &str) -> Value {
    let answer = fixture.api("GET", path, &json!({}));
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.json()
}

/// A record after a change.
pub(crate) fn patched(fixture: &Fixture, path: &str, body: Value) -> Value {
    let answer = fixture.api("PATCH", path, &body);
    assert_eq!(answer.status, 200, "{path} {body}: {}", answer.body);
    answer.json()
}

/// Stops unless the answer names the field.
pub(crate) fn refused(answer: &Response, status: u16, field: &str) {
    assert_eq!(answer.status, status, "{field}: {}", answer.body);
    let problem = answer.json();
    // `type` is a member of the shape itself.
    assert!(
        field == "type" || problem[field].is_array(),
        "{field}: {problem}"
    );
    assert_eq!(problem["errors"][0]["loc"][1], field, "{problem}");
}

/// The user of a name.
pub(crate) fn user(fixture: &Fixture, username: &str) -> Value {
    read(fixture, &format!("{USERS}?username={username}"))["results"][0].clone()
}

/// Where the user of a name is.
pub(crate) fn user_path(fixture: &Fixture, username: &str) -> String {
    at(USERS, &user(fixture, username))
}

/// A provider, as its client uses it.
pub(crate) struct App<'a> {
    pub(crate) fixture: &'a Fixture,
    pub(crate) path: String,
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl<'a> App<'a> {
    /// One for which an administrator has answered the consent question.
    pub(crate) fn new(fixture: &'a Fixture, more: Value) -> Self {
        let flow = "default-provider-authorization-implicit-consent";
        let flow = read(fixture, &format!("{FLOWS}?slug={flow}"))["results"][0]["pk"].clone();
        let mut body = json!({
            "name": "App", "redirect_uris": CALLBACK, "authorization_flow": flow,
            "scope": "openid profile email offline_access read",
        });
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let provider = made(fixture, PROVIDERS, body);
        let text = |field: &str| provider[field].as_str().unwrap_or_default().to_owned();
        Self {
            fixture,
            path: at(PROVIDERS, &provider),
            id: text("client_id"),
            secret: text("client_secret"),
        }
    }

    pub(crate) fn ask(&self, endpoint: Endpoint, form: &Form) -> Response {
        self.ask_by(endpoint, form, &self.secret)
    }

    pub(crate) fn ask_by(&self, endpoint: Endpoint, form: &Form, secret: &str) -> Response {
        let request = Request {
            authorization: Some(basic(&self.id, secret)),
            ..post(form)
        };
        self.fixture.send(endpoint, &request)
    }

    pub(crate) fn authorization(&self) -> Form {
        let form = authorization("web").with("client_id", &self.id);
        form.with("redirect_uri", CALLBACK)
            .with("scope", "openid profile email offline_access read")
    }

    pub(crate) fn code(&self, browser: &Browser<'_>) -> String {
        browser.code(&self.authorization())
    }

    pub(crate) fn exchange(&self, code: &str) -> Response {
        let form = Form::new(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ]);
        self.ask(Endpoint::Token, &form)
    }

    /// What it learns of a token.
    pub(crate) fn introspect(&self, token: &str) -> Value {
        let form = Form::new(&[("token", token)]);
        self.ask(Endpoint::Introspect, &form).json()
    }

    pub(crate) fn tokens(&self) -> Tokens {
        self.tokens_of("bob")
    }

    pub(crate) fn tokens_of(&self, username: &str) -> Tokens {
        Tokens::of(&self.exchange(&self.code(&self.fixture.browser_of(username))))
    }

    pub(crate) fn refresh(&self, token: &str) -> Response {
        let form = Form::new(&[("grant_type", "refresh_token"), ("refresh_token", token)]);
        self.ask(Endpoint::Token, &form)
    }

    pub(crate) fn is_active(&self, token: &str) -> bool {
        let answer = self.ask(Endpoint::Introspect, &Form::new(&[("token", token)]));
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()["active"].as_bool().unwrap()
    }

    /// Whether a secret proves who it is.
    pub(crate) fn opens(&self, secret: &str) -> bool {
        let form = Form::new(&[("token", "nothing")]);
        self.ask_by(Endpoint::Introspect, &form, secret).status == 200
    }

    pub(crate) fn patch(&self, body: Value) -> Value {
        patched(self.fixture, &self.path, body)
    }
}
