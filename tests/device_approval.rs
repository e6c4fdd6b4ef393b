//! Who answers a device: how often they may try, for whom, and what their session has to do with what
//! it is given (RFC 8628 §3.3, §5).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use edgemint::http::Request;
use edgemint::server::Endpoint;
use support::device::{assert_told, began, began_with, decided, devices, poll, typed};
use support::tokens::{online, raise_epoch};
use support::{Browser, Fixture, Seen, Tokens};

#[test]
fn rfc_8628_5_1_guessing_user_codes_is_throttled_for_the_person() {
    let fixture = devices();
    let device = began(&fixture, "native");
    let wrong = |browser: &Browser<'_>| typed(browser, "BBBB-BBBB").response.status;
    let browser = fixture.signed_in_browser();
    for _ in 0..5 {
        assert_eq!(wrong(&browser), 400);
    }
    // The right one is not looked at, nor in another session of the same person.
    for browser in [browser, fixture.signed_in_browser()] {
        let page = typed(&browser, &device.user_code);
        assert_eq!(page.response.status, 429);
        assert!(page.response.body.contains("Too many attempts"));
    }
    let bob = fixture.browser_of("bob");
    assert!(
        typed(&bob, &device.user_code)
            .response
            .body
            .contains("The native client")
    );
}

#[test]
fn rfc_8628_5_1_guessing_user_codes_is_throttled_for_the_address() {
    let fixture = devices();
    let device = began(&fixture, "native");
    for person in ["p1", "p2", "p3", "p4", "p5", "p6", "p7"] {
        fixture.create_account(person, "read");
    }
    for person in ["p1", "p2", "p3", "p4", "p5", "p6"] {
        let browser = fixture.browser_of(person);
        for _ in 0..5 {
            let page = typed(&browser, "BBBB-BBBB");
            assert_eq!(page.response.label(), "user_code_unknown");
        }
    }
    // Who never mistyped is not heard there either; elsewhere the same person is.
    let browser = fixture.browser_of("p7");
    let page = typed(&browser, &device.user_code);
    assert_eq!(page.response.status, 429);
    assert!(page.response.body.contains("Too many attempts"));
    let form = browser.open("/device");
    let elsewhere = Request {
        address: Some("192.0.2.2".to_owned()),
        ..browser.form_post(&form, &[("user_code", &device.user_code)])
    };
    let answer = browser.send(Endpoint::Device, elsewhere);
    let page = browser.follow("/device", answer);
    assert!(page.response.body.contains("The native client"));
    fixture.later(600);
    let page = typed(
        &fixture.browser_of("p1"),
        &began(&fixture, "native").user_code,
    );
    assert!(page.response.body.contains("The native client"));
}

#[test]
fn s4_6_the_answer_needs_the_browser_that_was_asked_and_its_form() {
    let fixture = devices();
    let device = began(&fixture, "native");
    let browser = fixture.signed_in_browser();
    let page = typed(&browser, &device.user_code);
    let request = browser.form_post(&page, &[("decision", "allow")]);
    let elsewhere = fixture
        .browser_of("bob")
        .send(Endpoint::Device, request.clone());
    assert_eq!(elsewhere.label(), "page_from_elsewhere");
    let forged = Request {
        fetch_site: Some("cross-site".to_owned()),
        ..request
    };
    let forged = browser.send(Endpoint::Device, forged);
    assert_eq!(forged.label(), "page_from_elsewhere");
    let without = browser.submit_only(&page, &[("decision", "allow"), ("csrf", "x")]);
    assert_eq!(without.label(), "page_from_elsewhere");
    assert_told(&poll(&fixture, "native", &device), "authorization_pending");
}

#[test]
fn ui_6_another_person_in_the_same_browser_cannot_answer_for_the_one_who_was_asked() {
    let fixture = devices();
    let device = began(&fixture, "native");
    let browser = fixture.signed_in_browser();
    let page = typed(&browser, &device.user_code);
    assert!(page.response.body.contains(">ada<"));
    let login = browser.authorize(&online("web").with("prompt", "login"));
    browser.fill_in(&login, "bob");
    for decision in ["allow", "deny"] {
        let asked = browser.submit(&page, &[("decision", decision)]);
        assert!(asked.is_page_at("/login"), "{:?}", asked.response);
    }
    assert_told(&poll(&fixture, "native", &device), "authorization_pending");
    // For himself he may.
    let own = decided(&browser, &device, "allow");
    assert!(own.response.body.contains("is connected"));
    let tokens = Tokens::of(&poll(&fixture, "native", &device));
    assert_eq!(tokens.claims()["sub"], "u_bob");
}

#[test]
fn s4_6_when_and_how_somebody_signed_in_is_told_of_the_session_that_agreed() {
    let fixture = devices();
    let older = fixture.signed_in_browser();
    fixture.later(50);
    let agreeing = fixture.signed_in_browser();
    fixture.later(50);
    let newer = fixture.signed_in_browser();
    let device = began(&fixture, "web");
    fixture.later(50);
    decided(&agreeing, &device, "allow");
    fixture.later(50);
    let told = Tokens::of(&poll(&fixture, "web", &device)).claims();
    let usual = fixture.tokens_in(&agreeing, "web").claims();
    assert_eq!(told["auth_time"], fixture.now() - 150);
    for name in ["auth_time", "amr", "acr", "sid", "sub"] {
        assert!(!told[name].is_null(), "{name}");
        assert_eq!(told[name], usual[name], "{name}");
    }
    for other in [older, newer] {
        let other = fixture.tokens_in(&other, "web").claims();
        assert_ne!(told["auth_time"], other["auth_time"]);
        assert_ne!(told["sid"], other["sid"]);
    }
}

#[test]
fn s4_4_a_sign_out_ends_what_a_device_has_of_the_session_and_spares_what_is_offline() {
    let fixture = devices();
    let browser = fixture.signed_in_browser();
    let given = |scope: &str| {
        let device = began_with(&fixture, "web", scope);
        decided(&browser, &device, "allow");
        Tokens::of(&poll(&fixture, "web", &device))
    };
    let offline = given("openid offline_access read");
    let bound = given("openid read");
    let bound = Tokens::of(&fixture.refresh(bound.refresh()));
    let page = browser.open("/logout");
    browser.submit(&page, &[]);
    assert_told(&fixture.refresh(bound.refresh()), "invalid_grant");
    assert!(!fixture.is_active(&bound.access));
    let newer = Tokens::of(&fixture.refresh(offline.refresh()));
    assert!(fixture.is_active(&newer.access));
}

#[test]
fn s4_6_what_ends_codes_ends_device_codes() {
    type End = fn(&Fixture, &Browser<'_>);
    let ends: [(&str, End, &str); 4] = [
        (
            "disabled",
            |fixture, _| fixture.disable_account("ada"),
            "invalid_grant",
        ),
        (
            "password",
            |fixture, _| fixture.change_password("ada", "another password"),
            "invalid_grant",
        ),
        (
            "signed out",
            |_, browser| {
                let page = browser.open("/logout");
                browser.submit(&page, &[]);
            },
            "invalid_grant",
        ),
        (
            "client",
            |fixture, _| fixture.change_client("web", |client| client.generation += 1),
            "expired_token",
        ),
    ];
    for (name, end, error) in ends {
        let fixture = devices();
        let browser = fixture.signed_in_browser();
        let device = began(&fixture, "web");
        decided(&browser, &device, "allow");
        end(&fixture, &browser);
        let answer = poll(&fixture, "web", &device);
        assert_eq!(answer.error(), error, "{name}");
    }
}

#[test]
fn ops_5_a_raised_epoch_ends_device_codes() {
    let fixture = devices();
    let waiting = began(&fixture, "web");
    let agreed = began(&fixture, "web");
    decided(&fixture.signed_in_browser(), &agreed, "allow");
    let browser = fixture.signed_in_browser();
    let shown = typed(&browser, &waiting.user_code);
    raise_epoch(&fixture);
    for device in [&waiting, &agreed] {
        assert_told(&poll(&fixture, "web", device), "expired_token");
    }
    let late = browser.submit_only(&shown, &[("decision", "allow")]);
    assert_eq!(late.label(), "page_expired");
    // What begins afterwards is as ever.
    let device = began(&fixture, "web");
    decided(&fixture.signed_in_browser(), &device, "allow");
    Tokens::of(&poll(&fixture, "web", &device));
}
