//! Flows (row S4.2): which sign-in, consent and sign-out a client's people meet. What signing out ends
//! is in `rp_logout.rs`, whether people are asked in `providers.rs`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use serde_json::{Value, json};
use support::records::{App, FLOWS, at, made, patched, read, refused};
use support::{Browser, Fixture, Seen as _};

/// A flow, and an application whose client has it.
fn with_flow<'a>(fixture: &'a Fixture, designation: &str, more: Value) -> (Value, App<'a>) {
    let mut body = json!({"name": "Own", "slug": "own", "designation": designation});
    let more = more.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(more);
    let flow = made(fixture, FLOWS, body);
    let field = format!("{designation}_flow");
    let app = App::new(fixture, json!({ field: flow["pk"] }));
    (flow, app)
}

/// Whether the browser's session does for the client.
fn will_do(browser: &Browser<'_>, app: &App<'_>) -> bool {
    let silent = app.authorization().with("prompt", "none");
    let error = browser.authorize(&silent).response.error();
    assert!(error.is_empty() || error == "login_required", "{error}");
    error.is_empty()
}

#[test]
fn s4_2_a_sign_in_page_is_called_as_the_flow_says() {
    let fixture = Fixture::new();
    let title = json!({"title": "Welcome \u{202e}<b>"});
    let (flow, app) = with_flow(&fixture, "authentication", title);
    let page = |browser: &Browser<'_>| browser.authorize(&app.authorization());
    let shown = page(&fixture.browser());
    assert!(shown.is_page_at("/login"));
    let text = &shown.response.body;
    assert!(
        text.contains("Welcome ") && text.contains("&lt;b&gt;"),
        "{text}"
    );
    assert!(!text.contains('\u{202e}') && !text.contains("<b>"));
    assert!(text.contains("App"), "the client is named all the same");
    patched(&fixture, &at(FLOWS, &flow), json!({"title": "Other"}));
    assert!(page(&fixture.browser()).response.body.contains("Other"));
    patched(&fixture, &at(FLOWS, &flow), json!({"title": ""}));
    assert!(
        page(&fixture.browser())
            .response
            .body
            .contains("<h1>Sign in</h1>")
    );
    let own = fixture.browser().open("/login");
    assert!(
        own.response.body.contains("<h1>Sign in</h1>"),
        "by itself it has our words"
    );
}

#[test]
fn s4_2_a_session_older_than_the_flow_allows_signs_in_again_for_this_client() {
    let fixture = Fixture::new();
    let age = json!({"max_session_age": "minutes=10"});
    let (flow, app) = with_flow(&fixture, "authentication", age);
    let free = App::new(&fixture, json!({}));
    let browser = fixture.browser_of("bob");
    fixture.later(600);
    assert!(will_do(&browser, &app));
    fixture.later(1);
    assert!(!will_do(&browser, &app));
    assert!(will_do(&browser, &free), "the session stands for others");
    let page = browser.authorize(&app.authorization());
    assert!(page.is_page_at("/login"));
    assert!(page.response.body.contains("confirm that it is you"));
    let after = browser.fill_in(&page, "bob");
    let claims = support::Tokens::of(&app.exchange(&after.response.code())).claims();
    assert_eq!(claims["auth_time"], fixture.now());
    fixture.later(700);
    let lenient = app
        .authorization()
        .with("max_age", "1000")
        .with("prompt", "none");
    let answer = browser.authorize(&lenient).response;
    assert_eq!(
        answer.error(),
        "login_required",
        "a client cannot ask for less"
    );
    let strict = app
        .authorization()
        .with("max_age", "5")
        .with("prompt", "none");
    let again = browser.authorize(&app.authorization().with("prompt", "login"));
    browser.fill_in(&again, "bob");
    fixture.later(6);
    assert_eq!(
        browser.authorize(&strict).response.error(),
        "login_required"
    );
    fixture.later(700);
    patched(&fixture, &at(FLOWS, &flow), json!({"max_session_age": ""}));
    assert!(will_do(&browser, &app));
}

#[test]
fn s4_2_a_consent_page_is_called_as_the_flow_says_and_names_who_asks() {
    let fixture = Fixture::new();
    let (_, app) = with_flow(&fixture, "authorization", json!({"title": "May it?"}));
    let page = fixture.browser_of("bob").authorize(&app.authorization());
    assert!(page.is_page_at("/consent"));
    let text = &page.response.body;
    assert!(text.contains("May it?"), "{text}");
    assert!(text.contains("asks for access"));
}

#[test]
fn s4_2_a_flow_says_nothing_of_what_it_is_not_for() {
    let fixture = Fixture::new();
    for (designation, field, value) in [
        ("authentication", "consent", "implicit"),
        ("authentication", "ends", "client"),
        ("authorization", "max_session_age", "hours=1"),
        ("authorization", "ends", "client"),
        ("invalidation", "consent", "implicit"),
        ("invalidation", "max_session_age", "hours=1"),
    ] {
        let body = json!({"name": "X", "slug": "x", "designation": designation, field: value});
        refused(&fixture.api("POST", FLOWS, &body), 400, field);
        let mut plain = body.clone();
        plain.as_object_mut().unwrap().remove(field);
        let flow = made(&fixture, FLOWS, plain);
        let path = at(FLOWS, &flow);
        refused(
            &fixture.api("PATCH", &path, &json!({field: value})),
            400,
            field,
        );
        assert_eq!(read(&fixture, &path), flow, "nothing was written");
        assert_eq!(
            fixture.api("PUT", &path, &flow).status,
            200,
            "what was read can be sent back"
        );
        assert_eq!(fixture.api("DELETE", &path, &json!({})).status, 204);
    }
    for bad in ["seconds=0", "days=2", "1 hour", "hours=1;hours=1"] {
        let body = json!({"name": "X", "slug": "x", "designation": "authentication", "max_session_age": bad});
        refused(&fixture.api("POST", FLOWS, &body), 400, "max_session_age");
    }
    let body =
        json!({"name": "X", "slug": "x", "designation": "invalidation", "ends": "everything"});
    refused(&fixture.api("POST", FLOWS, &body), 400, "ends");
}
