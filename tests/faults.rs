//! Storage that fails, at every operation of every flow (TE-16): the answer says so, nothing is
//! half done, and a later try works.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::cell::Cell;

use edgemint::http::{Request, Response};
use edgemint::server::Endpoint;
use support::{
    Browser, Fault, Fixture, Form, ISSUER, Outage, PASSWORD, Page, Seen, Tokens, authenticated,
    authorization, exchange_form, get, redirect_uri, refresh_form,
};

const OUTAGES: [Outage; 5] = [
    Outage::Ledger,
    Outage::Directory,
    Outage::Feed,
    Outage::Kv,
    Outage::Entropy,
];

/// More operations than any step has.
const MOST_OPERATIONS: u32 = 60;

/// One request of a flow, in the state that everything before has left.
struct Step {
    fixture: Fixture,
    cookies: Vec<(String, String)>,
    endpoint: Endpoint,
    request: Request,
}

/// How a flow is prepared up to its last request.
type Prepare = fn() -> Step;

const STEPS: [(&str, Prepare); 12] = [
    ("authorize without a session", || {
        step(Fixture::new(), |_, _| {
            (Endpoint::Authorize, get(&authorization("web")))
        })
    }),
    ("authorize by post", || {
        step(Fixture::new(), |_, _| {
            (Endpoint::Authorize, support::post(&authorization("web")))
        })
    }),
    ("authorize with a session", || {
        step(Fixture::new(), |_, browser| {
            browser.sign_in("ada");
            (Endpoint::Authorize, get(&authorization("web")))
        })
    }),
    ("authorize where consent is asked", || {
        step(Fixture::new(), |_, browser| {
            browser.sign_in("ada");
            (Endpoint::Authorize, get(&authorization("post")))
        })
    }),
    ("authorize where consent is remembered", || {
        step(Fixture::new(), |_, browser| {
            browser.code(&authorization("post"));
            (Endpoint::Authorize, get(&authorization("post")))
        })
    }),
    ("show the sign-in page", || {
        step(Fixture::new(), |_, browser| {
            let page = browser.authorize(&authorization("web"));
            (Endpoint::Login, get(&request_of(&page)))
        })
    }),
    ("sign in", || {
        step(Fixture::new(), |_, browser| {
            let page = browser.authorize(&authorization("web"));
            (Endpoint::Login, sign_in_form(browser, &page, "ada"))
        })
    }),
    ("sign in where consent is asked", || {
        step(Fixture::new(), |_, browser| {
            let page = browser.authorize(&authorization("post"));
            (Endpoint::Login, sign_in_form(browser, &page, "ada"))
        })
    }),
    ("show the consent page", || {
        step(Fixture::new(), |_, browser| {
            browser.sign_in("ada");
            let page = browser.authorize(&authorization("post"));
            (Endpoint::Consent, get(&request_of(&page)))
        })
    }),
    ("exchange", || {
        step(Fixture::new(), |fixture, _| {
            let form = exchange_form("web", &fixture.code());
            (Endpoint::Token, authenticated("web", &form))
        })
    }),
    ("refresh", || {
        step(Fixture::new(), |fixture, _| {
            let form = refresh_form(fixture.tokens().refresh());
            (Endpoint::Token, authenticated("web", &form))
        })
    }),
    ("client credentials", || {
        step(Fixture::new(), |_, _| {
            let form = Form::new(&[("grant_type", "client_credentials")]);
            (Endpoint::Token, authenticated("jwt", &form))
        })
    }),
];

/// A person proves again who they are.
const RENEWING: (&str, Prepare) = ("sign in again over the own session", || {
    step(Fixture::new(), |_, browser| {
        browser.sign_in("ada");
        let page = browser.authorize(&authorization("web").with("prompt", "login"));
        (Endpoint::Login, sign_in_form(browser, &page, "ada"))
    })
});

/// One person takes over a browser from another.
const SWITCHING: (&str, Prepare) = ("sign in over somebody else's session", || {
    step(Fixture::new(), |_, browser| {
        browser.sign_in("bob");
        let page = browser.authorize(&authorization("web").with("prompt", "login"));
        (Endpoint::Login, sign_in_form(browser, &page, "ada"))
    })
});

fn step(
    fixture: Fixture,
    prepare: impl FnOnce(&Fixture, &Browser<'_>) -> (Endpoint, Request),
) -> Step {
    let browser = fixture.browser();
    let (endpoint, request) = prepare(&fixture, &browser);
    let cookies = browser.cookies();
    Step {
        fixture,
        cookies,
        endpoint,
        request,
    }
}

fn request_of(page: &Page) -> Form {
    let request = page.hidden_fields().value("request").unwrap().to_owned();
    Form::new(&[("request", &request)])
}

fn sign_in_form(browser: &Browser<'_>, page: &Page, username: &str) -> Request {
    browser.form_post(page, &[("username", username), ("password", PASSWORD)])
}

impl Step {
    /// The browser as it was before the request.
    fn browser(&self) -> Browser<'_> {
        let browser = self.fixture.browser();
        for (name, value) in &self.cookies {
            browser.set_cookie(name.strip_prefix("__Host-").unwrap(), value);
        }
        browser
    }

    /// Sends the request.
    fn send(&self, browser: &Browser<'_>, id: &str) -> Response {
        browser.send_as(self.endpoint, self.request.clone(), id)
    }

    /// Tries again what led to `before`: from where the browser is then, which may be the client.
    #[track_caller]
    fn works_again(&self, browser: &Browser<'_>, before: &Response, name: &str) {
        if let Some(id) = client_of(before) {
            let code = browser.code(&authorization(id));
            assert_eq!(self.fixture.exchange_as(id, &code).status, 200, "{name}");
            return;
        }
        let response = self.send(browser, "another-try");
        assert!(is_done(&response), "{name}: {:?}", response.reason);
    }
}

/// The client at whose URI the browser is after this answer.
fn client_of(response: &Response) -> Option<&'static str> {
    let location = response.location()?;
    let mut clients = ["web", "post"].into_iter();
    clients.find(|id| location.starts_with(redirect_uri(id)))
}

/// Whether the request did what it is for.
fn is_done(response: &Response) -> bool {
    let to_client =
        response.location().is_some() && !response.location().unwrap().starts_with(ISSUER);
    if to_client {
        return response.answer().value("code").is_some();
    }
    matches!(response.status, 200 | 303)
}

/// A refusal that says that trying again makes sense: 503 with `Retry-After`, or the client's own
/// URI with RFC 6749 §4.1.2.1's word for it.
#[track_caller]
fn assert_unavailable(response: &Response, step: &str) {
    if let Some(location) = response.location() {
        let registered = ["web", "post"].map(redirect_uri);
        assert!(
            registered.iter().any(|uri| location.starts_with(uri)),
            "{step}"
        );
        assert_eq!(response.status, 303, "{step}");
        assert_eq!(response.error(), "temporarily_unavailable", "{step}");
        assert_eq!(response.answer().value("iss"), Some(ISSUER), "{step}");
        return;
    }
    assert_eq!(
        (response.status, response.label().as_str()),
        (503, "unavailable"),
        "{step}"
    );
    assert_eq!(response.header("retry-after"), Some("1"), "{step}");
    if response.header("content-type") == Some("application/json") {
        assert_eq!(response.error(), "temporarily_unavailable", "{step}");
        assert_eq!(response.json().get("access_token"), None, "{step}");
    }
}

#[test]
fn te_16_while_a_store_is_away_the_answer_says_so_and_afterwards_another_try_works() {
    for (name, prepare) in STEPS.into_iter().chain([RENEWING, SWITCHING]) {
        for outage in OUTAGES {
            let step = prepare();
            let name = format!("{name}, {outage:?}");
            step.fixture.memory().fail(outage);
            let browser = step.browser();
            let response = step.send(&browser, "the-request");
            step.fixture.memory().restore();
            if is_done(&response) {
                // It did not need the store.
                continue;
            }
            assert_unavailable(&response, &name);
            step.works_again(&browser, &response, &name);
        }
    }
}

#[test]
fn te_16_after_any_operation_that_never_arrived_another_try_works() {
    for (name, prepare) in STEPS {
        let each = |step: &Step, response: &Response, browser: &Browser<'_>, name: &str| {
            step.works_again(browser, response, name);
        };
        let operations = each_operation(name, prepare, Fault::Unreached, each);
        assert!(operations > 0, "{name}");
    }
}

#[test]
fn te_16_where_the_end_of_an_older_cookie_or_session_is_not_told_the_person_begins_again() {
    // The new session stood, and the page was spent on it, before that end was to be told (to the
    // feed; somebody else's session has to be ended first).
    for ((name, prepare), times) in [(RENEWING, 1), (SWITCHING, 2)] {
        let begun_again = Cell::new(0);
        each_operation(
            name,
            prepare,
            Fault::Unreached,
            |step, before, browser, name| {
                let again = step.send(browser, "another-try");
                if client_of(before).is_some() || is_done(&again) {
                    return;
                }
                assert_eq!(again.label(), "page_spent", "{name}");
                browser.code(&authorization("web"));
                begun_again.set(begun_again.get() + 1);
            },
        );
        assert_eq!(begun_again.get(), times, "{name}");
    }
}

#[test]
fn te_16_after_any_failure_the_same_request_works() {
    for (name, prepare) in STEPS.into_iter().chain([RENEWING, SWITCHING]) {
        for fault in [Fault::Unreached, Fault::AnswerLost] {
            each_operation(name, prepare, fault, |step, _, _, name| {
                let response = step.send(&step.browser(), "the-request");
                assert!(is_done(&response), "{name}: {:?}", response.reason);
                if step.endpoint == Endpoint::Token {
                    let token = Tokens::of(&response).access;
                    let clients = ["web", "jwt"].into_iter();
                    let mut active = clients.map(|id| step.fixture.is_active_for(id, &token));
                    assert!(active.any(|active| active), "{name}");
                }
            });
        }
    }
}

/// Fails each operation of a step in turn, in a world of its own; answers how many there are.
fn each_operation(
    name: &str,
    prepare: Prepare,
    fault: Fault,
    then: impl Fn(&Step, &Response, &Browser<'_>, &str),
) -> u32 {
    for operation in 0..MOST_OPERATIONS {
        let step = prepare();
        let browser = step.browser();
        step.fixture.memory().fail_after(operation, fault);
        let response = step.send(&browser, "the-request");
        if step.fixture.memory().fault_is_ahead() {
            assert!(is_done(&response), "{name}: {:?}", response.reason);
            return operation;
        }
        let name = format!("{name}, operation {operation}, {fault:?}");
        if !is_done(&response) {
            assert_unavailable(&response, &name);
            then(&step, &response, &browser, &name);
        }
    }
    panic!("{name} does not end");
}

#[test]
fn te_16_a_code_whose_answer_was_lost_gives_another_request_nothing_and_leaves_nothing() {
    for operation in 0..MOST_OPERATIONS {
        let fixture = Fixture::new();
        let code = fixture.code();
        fixture.memory().fail_after(operation, Fault::AnswerLost);
        let response = fixture.exchange(&code);
        if fixture.memory().fault_is_ahead() {
            return;
        }
        if response.status != 200 {
            assert_unavailable(&response, "exchange");
            let again = fixture.exchange(&code);
            if again.status != 200 {
                assert_eq!(again.error(), "invalid_grant");
            }
        }
        // The person signs in again, and gets a whole grant.
        let tokens = fixture.tokens();
        assert!(fixture.is_active(&tokens.access) && fixture.is_active(tokens.refresh()));
    }
}

#[test]
fn te_16_a_refresh_whose_answer_was_lost_is_made_good_by_another_request() {
    for operation in 0..MOST_OPERATIONS {
        for fault in [Fault::Unreached, Fault::AnswerLost] {
            let fixture = Fixture::new();
            let tokens = fixture.tokens();
            fixture.memory().fail_after(operation, fault);
            let response = fixture.refresh(tokens.refresh());
            if fixture.memory().fault_is_ahead() {
                return;
            }
            if response.status != 200 {
                assert_unavailable(&response, "refresh");
            }
            let newer = Tokens::of(&fixture.refresh(tokens.refresh()));
            let newest = Tokens::of(&fixture.refresh(newer.refresh()));
            assert!(fixture.is_active(&newest.access));
        }
    }
}

#[test]
fn te_16_introspection_and_revocation_fail_closed_and_never_say_inactive_or_done() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens();
    let jwt = fixture.tokens_of("jwt");
    for outage in OUTAGES {
        for (id, token) in [
            ("web", tokens.access.as_str()),
            ("web", tokens.refresh()),
            ("jwt", &jwt.access),
        ] {
            fixture.memory().fail(outage);
            let answer = fixture.introspect_as(id, token);
            let needs_ledger = token == tokens.refresh() && outage == Outage::Ledger;
            if outage == Outage::Feed || needs_ledger {
                assert_unavailable(&answer, "introspect");
            } else {
                assert_eq!(answer.json()["active"], true, "{outage:?}");
            }
            fixture.memory().restore();
        }
    }
    fixture.memory().fail(Outage::Ledger);
    for token in [&tokens.access, tokens.refresh()] {
        assert_unavailable(&fixture.revoke(token), "revoke");
    }
    fixture.memory().restore();
    assert!(fixture.is_active(&tokens.access));
    for token in [&tokens.access, tokens.refresh()] {
        assert_eq!(fixture.revoke(token).status, 200);
        assert!(!fixture.is_active(token));
    }
}

#[test]
fn te_16_a_consent_that_could_not_be_finished_tells_the_client_to_try_again() {
    for fault in [Fault::Unreached, Fault::AnswerLost] {
        for operation in 0..MOST_OPERATIONS {
            let fixture = Fixture::new();
            let browser = fixture.signed_in_browser();
            let page = browser.authorize(&authorization("post"));
            fixture.memory().fail_after(operation, fault);
            let response = browser.decide(&page, "allow").response;
            if fixture.memory().fault_is_ahead() {
                assert!(is_done(&response));
                break;
            }
            fixture.memory().restore();
            if !is_done(&response) {
                assert_unavailable(&response, "consent");
                assert!(!response.location().unwrap_or_default().contains("code="));
            }
            // The client sends the person again, who is asked again or was heard.
            let code = browser.code(&authorization("post"));
            assert_eq!(fixture.exchange_as("post", &code).status, 200);
        }
    }
}
