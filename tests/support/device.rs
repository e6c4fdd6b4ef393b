//! A device that begins and asks (RFC 8628), and somebody who answers it.

use edgemint::http::Response;
use edgemint::model::GrantType;
use edgemint::server::Endpoint;

use super::{Browser, Fixture, Form, Page, Seen as _, authenticated};

pub(crate) const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A deployment in which `web` (confidential) and `native` (public) may begin so.
pub(crate) fn devices() -> Fixture {
    let fixture = Fixture::new();
    for id in ["web", "native", "other"] {
        fixture.change_client(id, |client| client.grant_types.push(GrantType::DeviceCode));
    }
    fixture
}

/// Asks for codes as a client.
pub(crate) fn begin(fixture: &Fixture, id: &str, form: &Form) -> Response {
    fixture.send(Endpoint::DeviceAuthorization, &authenticated(id, form))
}

/// What a device was given.
pub(crate) struct Began {
    pub(crate) device_code: String,
    pub(crate) user_code: String,
    pub(crate) complete: String,
}

impl Began {
    pub(crate) fn of(answer: &Response) -> Self {
        assert_eq!(answer.status, 200, "{}", answer.body);
        let body = answer.json();
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        Self {
            device_code: text("device_code"),
            user_code: text("user_code"),
            complete: text("verification_uri_complete"),
        }
    }
}

pub(crate) fn began_with(fixture: &Fixture, id: &str, scope: &str) -> Began {
    Began::of(&begin(fixture, id, &Form::new(&[("scope", scope)])))
}

pub(crate) fn began(fixture: &Fixture, id: &str) -> Began {
    began_with(fixture, id, "openid offline_access read")
}

pub(crate) fn poll_form(code: &str) -> Form {
    Form::new(&[("grant_type", GRANT), ("device_code", code)])
}

pub(crate) fn poll(fixture: &Fixture, id: &str, device: &Began) -> Response {
    fixture.token_as(id, &poll_form(&device.device_code))
}

#[track_caller]
pub(crate) fn assert_told(answer: &Response, error: &str) {
    assert_eq!((answer.status, answer.error()), (400, error.to_owned()));
}

/// The page that asks, for a code that was typed.
pub(crate) fn typed(browser: &Browser<'_>, code: &str) -> Page {
    let page = browser.open("/device");
    assert!(page.is_page_at("/device"), "{:?}", page.response);
    browser.submit(&page, &[("user_code", code)])
}

pub(crate) fn decided(browser: &Browser<'_>, device: &Began, decision: &str) -> Page {
    let page = typed(browser, &device.user_code);
    assert!(page.response.body.contains(&device.user_code));
    browser.submit(&page, &[("decision", decision)])
}
