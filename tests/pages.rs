//! Pages and consent (UI).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use edgemint::http::Response;
use edgemint::model::{Client, RedirectUri, Scope};
use edgemint::server::Endpoint;
use support::tokens::online;
use support::{
    Fixture, Form, Outage, Seen, Tokens, authorization, client, exchange_form, get, post,
};

/// Every kind of page, and every refusal that is one.
fn pages(fixture: &Fixture) -> Vec<(&'static str, Response)> {
    let nobody = fixture.browser();
    let browser = fixture.signed_in_browser();
    let login = nobody.authorize(&online("web"));
    let consent = browser.authorize(&online("spa"));
    let logout = browser.open("/logout");
    let wrong = [("username", "ada"), ("password", "wrong")];
    let mut pages = vec![
        ("refused login", nobody.submit_only(&login, &wrong)),
        (
            "forged form",
            fixture.post(
                Endpoint::Consent,
                &consent.hidden_fields().with("decision", "allow"),
            ),
        ),
        (
            "unknown client",
            fixture.get(
                Endpoint::Authorize,
                &authorization("web").with("client_id", "x"),
            ),
        ),
        (
            "foreign page",
            fixture.get(Endpoint::Login, &Form::new(&[("request", "emp_x")])),
        ),
        (
            "no request",
            fixture.get(Endpoint::Consent, &Form::default()),
        ),
        (
            "foreign uri",
            fixture.get(
                Endpoint::Authorize,
                &authorization("web").with("redirect_uri", "https://evil.example"),
            ),
        ),
        ("account", browser.open("/login").response),
        ("login", login.response),
        ("consent", consent.response),
        ("logout", logout.response.clone()),
        ("logged out", browser.submit(&logout, &[]).response),
    ];
    fixture.memory().fail(Outage::Feed);
    pages.push(("outage", fixture.get(Endpoint::Login, &Form::default())));
    fixture.memory().restore();
    pages
}

#[test]
fn ui_1_no_page_can_be_framed() {
    for (name, page) in pages(&Fixture::new()) {
        assert!(
            page.body.starts_with("<!DOCTYPE html>"),
            "{name}: {}",
            page.body
        );
        assert_eq!(page.header("x-frame-options"), Some("DENY"), "{name}");
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains("frame-ancestors 'none'"), "{name}");
        assert_eq!(page.all("content-security-policy").len(), 1, "{name}");
    }
}

#[test]
fn ui_2_no_page_runs_loads_tells_or_is_kept() {
    for (name, page) in pages(&Fixture::new()) {
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none';"), "{name}");
        for never in ["unsafe", "script-src", "http:", "*"] {
            assert!(!policy.contains(never), "{name}: {policy}");
        }
        assert_eq!(
            page.header("x-content-type-options"),
            Some("nosniff"),
            "{name}"
        );
        assert_eq!(
            page.header("referrer-policy"),
            Some("no-referrer"),
            "{name}"
        );
        assert_eq!(page.header("cache-control"), Some("no-store"), "{name}");
        assert_eq!(
            page.header("content-type"),
            Some("text/html; charset=utf-8"),
            "{name}"
        );
        assert!(
            !page.body.contains("<script") && !page.body.contains("javascript:"),
            "{name}"
        );
    }
}

#[test]
fn ui_2_a_redirect_tells_no_referrer_either() {
    let fixture = Fixture::new();
    let page = fixture.signed_in_browser().authorize(&online("web"));
    assert_eq!(page.response.status, 303);
    assert_eq!(page.response.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(page.response.header("cache-control"), Some("no-store"));
}

#[test]
fn ui_2_a_form_leads_away_only_where_a_client_waits_and_by_its_scheme() {
    let fixture = Fixture::new();
    let page = fixture.signed_in_browser().authorize(&online("spa"));
    let policy = page.response.header("content-security-policy").unwrap();
    assert!(policy.contains("form-action 'self' https:;"), "{policy}");
    let page = fixture.signed_in_browser().open("/logout");
    let policy = page.response.header("content-security-policy").unwrap();
    assert!(policy.contains("form-action 'self';"), "{policy}");
}

const MARKUP: &str = "<img src=x onerror=alert(1)>\"'";

#[test]
fn ui_3_no_parameter_is_ever_markup() {
    let fixture = Fixture::new();
    for endpoint in [
        Endpoint::Authorize,
        Endpoint::Login,
        Endpoint::Consent,
        Endpoint::Logout,
    ] {
        for name in [
            "client_id",
            "redirect_uri",
            "post_logout_redirect_uri",
            "state",
            "scope",
            "request",
            "continue",
            "id_token_hint",
            "error",
            "error_description",
            "username",
            "csrf",
            "login_hint",
        ] {
            let form = Form::new(&[(name, MARKUP)]);
            for request in [get(&form), post(&form)] {
                let answer = fixture.send(endpoint, &request);
                assert!(!answer.body.contains("<img"), "{endpoint:?} {name}");
                assert!(
                    !answer.body.contains("onerror=alert(1)>"),
                    "{endpoint:?} {name}"
                );
            }
        }
    }
}

#[test]
fn ui_3_an_error_text_from_the_url_is_never_shown() {
    let fixture = Fixture::new();
    let form = Form::new(&[
        ("error", "canary_error"),
        (
            "error_description",
            "Call 555 canary to unlock your account",
        ),
        ("error_uri", "https://canary.example"),
    ]);
    for endpoint in [
        Endpoint::Authorize,
        Endpoint::Login,
        Endpoint::Consent,
        Endpoint::Logout,
    ] {
        let answer = fixture.get(endpoint, &form);
        assert!(!answer.body.contains("canary"), "{endpoint:?}");
    }
}

#[test]
fn ui_3_a_client_name_and_a_typed_name_are_shown_as_text() {
    let fixture = Fixture::new();
    fixture.change_client("spa", |client| client.name = MARKUP.to_owned());
    let browser = fixture.browser();
    let login = browser.authorize(&online("spa"));
    let wrong = browser.submit(&login, &[("username", MARKUP), ("password", "x")]);
    let consent = fixture.signed_in_browser().authorize(&online("spa"));
    for page in [login, wrong, consent] {
        assert!(!page.response.body.contains("<img"));
        assert!(page.response.body.contains("&lt;img src=x"));
    }
}

#[test]
fn ui_3_a_password_never_comes_back() {
    let fixture = Fixture::new();
    let browser = fixture.browser();
    let page = browser.authorize(&online("spa"));
    let wrong = browser.submit_only(&page, &[("username", "ada"), ("password", "canary-pass")]);
    assert!(!wrong.body.contains("canary-pass"));
    assert!(wrong.body.contains("ada"));
}

#[test]
fn ui_4_a_consent_page_shows_client_host_person_and_every_scope() {
    let fixture = Fixture::new();
    let page = fixture.signed_in_browser().authorize(&authorization("spa"));
    let body = &page.response.body;
    for shown in [
        "The spa client",
        "spa.example",
        "ada",
        "read",
        "Know who you are",
    ] {
        assert!(body.contains(shown), "{shown}");
    }
    assert!(body.contains("Keep this access while you are away"));
    assert!(
        !body.contains("write"),
        "what is not asked for is not shown"
    );
}

#[test]
fn ui_4_direction_and_control_characters_are_not_shown_raw() {
    let fixture = Fixture::new();
    let name = "Bank\u{202E}moc.live\u{200B}\u{7}";
    fixture.change_client("spa", |client| client.name = name.to_owned());
    let page = fixture.signed_in_browser().authorize(&online("spa"));
    assert!(page.is_page_at("/consent"));
    for letter in ['\u{202E}', '\u{200B}', '\u{7}'] {
        assert!(!page.response.body.contains(letter), "{letter:?}");
    }
}

#[test]
fn ui_5_a_public_client_on_an_unproven_uri_is_asked_about_every_time() {
    let fixture = Fixture::new();
    let scheme = Client {
        redirect_uris: vec![RedirectUri::register("com.example.app:/cb").unwrap()],
        id: edgemint::model::ClientId::parse("app").unwrap(),
        ..client("native")
    };
    fixture.create_client(scheme);
    let app = authorization("native")
        .with("client_id", "app")
        .with("redirect_uri", "com.example.app:/cb")
        .with("scope", "openid");
    let loopback = online("native").with("redirect_uri", "http://127.0.0.1:50123/cb");
    let browser = fixture.signed_in_browser();
    for form in [app, loopback] {
        for _ in 0..3 {
            let page = browser.authorize(&form);
            assert!(page.is_page_at("/consent"));
            let after = browser.decide(&page, "allow");
            assert!(after.response.answer().value("code").is_some());
        }
        let silent = browser.authorize(&form.with("prompt", "none"));
        assert_eq!(silent.response.error(), "consent_required");
    }
}

#[test]
fn ui_5_where_the_uri_proves_the_client_the_answer_is_remembered_for_what_it_was_about() {
    let fixture = Fixture::new();
    for client in ["spa", "post", "stranger"] {
        let browser = fixture.signed_in_browser();
        browser.code(&online(client));
        assert!(
            browser
                .authorize(&online(client))
                .response
                .error()
                .is_empty(),
            "{client}"
        );
        let more = browser.authorize(&authorization(client));
        assert!(more.is_page_at("/consent"), "{client}");
    }
    let bob = fixture.browser_of("bob");
    assert!(
        bob.authorize(&online("spa")).is_page_at("/consent"),
        "another person is asked"
    );
}

#[test]
fn ui_6_the_grant_is_what_was_shown() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let page = browser.authorize(&online("spa"));
    let allowed = browser.decide(&page, "allow");
    assert_eq!(
        allowed.response.answer().value("state"),
        Some(support::STATE)
    );
    let form = exchange_form("spa", &allowed.response.code());
    let tokens = Tokens::of(&fixture.token_as("spa", &form));
    assert_eq!(tokens.scope, "openid profile read");
    assert_eq!(tokens.claims()["nonce"], support::NONCE);
}

#[test]
fn ui_6_a_no_issues_nothing() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let denied = browser.decide(&browser.authorize(&online("spa")), "deny");
    assert_eq!(denied.response.error(), "access_denied");
    assert!(fixture.memory().code_records().is_empty());
    assert!(
        browser.authorize(&online("spa")).is_page_at("/consent"),
        "nor is it remembered"
    );
}

#[test]
fn ui_6_an_answer_that_is_neither_yes_nor_no_is_none() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let page = browser.authorize(&online("spa"));
    for decision in ["", "yes", "ALLOW", "allow "] {
        let answer = browser.submit_only(&page, &[("decision", decision)]);
        assert_eq!(
            (answer.status, answer.location()),
            (400, None),
            "{decision:?}"
        );
    }
    let twice = page
        .hidden_fields()
        .and("decision", "deny")
        .and("decision", "allow");
    let request = edgemint::http::Request {
        body: twice.encode(),
        ..browser.form_post(&page, &[])
    };
    assert_eq!(browser.send(Endpoint::Consent, request).status, 400);
    assert_eq!(
        browser.decide(&page, "allow").response.status,
        303,
        "the page still stands"
    );
}

#[test]
fn ui_6_a_changed_request_voids_the_approval() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let page = browser.authorize(&online("spa"));
    let shown = page.hidden_fields().value("request").unwrap().to_owned();
    let other = browser.authorize(&authorization("spa"));
    let wider = other.hidden_fields().value("request").unwrap().to_owned();
    let flipped = format!(
        "{}{}",
        &shown[..shown.len() - 1],
        if shown.ends_with('A') { 'B' } else { 'A' }
    );
    for request in [wider.as_str(), &flipped, ""] {
        let answer = browser.submit_only(&page, &[("request", request), ("decision", "allow")]);
        assert_eq!((answer.status, answer.location()), (400, None));
    }
    let extra = browser.submit(
        &page,
        &[
            ("decision", "allow"),
            ("scope", "openid write"),
            ("redirect_uri", "https://evil.example"),
        ],
    );
    assert!(
        extra
            .response
            .location()
            .unwrap()
            .starts_with("https://spa.example/cb?")
    );
    let form = exchange_form("spa", &extra.response.code());
    assert_eq!(
        Tokens::of(&fixture.token_as("spa", &form)).scope,
        "openid profile read"
    );
}

#[test]
fn ui_6_what_was_lost_since_the_page_was_shown_is_asked_about_again() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let page = browser.authorize(&online("spa"));
    fixture.change_account("ada", |account| account.scope = Some(Scope::default()));
    // The session's facts are a copy that stands until its next sign-in; the client's are not.
    fixture.change_client("spa", |client| {
        client.scope = Scope::parse("openid profile").unwrap()
    });
    let again = browser.decide(&page, "allow");
    assert!(again.is_page_at("/consent"));
    let allowed = browser.decide(&again, "allow");
    let form = exchange_form("spa", &allowed.response.code());
    assert_eq!(
        Tokens::of(&fixture.token_as("spa", &form)).scope,
        "openid profile"
    );
}

#[test]
fn ui_6_a_uri_that_was_taken_out_since_is_not_led_to() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let page = browser.authorize(&online("spa"));
    fixture.change_client("spa", |client| {
        client.redirect_uris = vec![RedirectUri::register("https://spa.example/new").unwrap()];
    });
    for decision in ["allow", "deny"] {
        let answer = browser.submit_only(&page, &[("decision", decision)]);
        assert_eq!((answer.status, answer.location()), (400, None));
    }
}

#[test]
fn ui_6_another_person_cannot_answer_for_the_one_who_was_asked() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let page = browser.authorize(&online("spa"));
    let login = browser.authorize(&online("web").with("prompt", "login"));
    browser.fill_in(&login, "bob");
    let after = browser.decide(&page, "allow");
    assert_eq!(after.path, "/login");
    assert!(
        fixture
            .memory()
            .code_records()
            .iter()
            .all(|record| record.client.as_str() == "web")
    );
}

#[test]
fn ui_7_no_grant_gives_more_than_was_agreed_to() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let tokens = Tokens::of(&fixture.exchange_as("spa", &browser.code(&online("spa"))));
    let refresh = support::refresh_form(tokens.refresh());
    let wider = fixture.token_as(
        "spa",
        &refresh.clone().with("scope", "openid profile read write"),
    );
    assert_eq!(wider.error(), "invalid_scope");
    let exchange = exchange_form("spa", &browser.code(&online("spa"))).with("scope", "write");
    assert_eq!(
        Tokens::of(&fixture.token_as("spa", &exchange)).scope,
        "openid profile read"
    );
    assert_eq!(
        Tokens::of(&fixture.token_as("spa", &refresh)).scope,
        "openid profile read"
    );
    for people in ["openid", "offline_access", "profile"] {
        let form = Form::new(&[("grant_type", "client_credentials"), ("scope", people)]);
        assert_eq!(
            fixture.token_as("web", &form).error(),
            "invalid_scope",
            "{people}"
        );
    }
}

#[test]
fn ui_7_administration_is_given_to_no_client_that_was_not_let() {
    let fixture = Fixture::new();
    let wide = |client: &mut Client| {
        client.scope = Scope::parse("openid admin:token user:token").unwrap();
    };
    fixture.change_client("web", wide);
    let form = authorization("web").with("scope", "openid admin:token");
    let code = fixture.signed_in_browser().code(&form);
    assert_eq!(Tokens::of(&fixture.exchange(&code)).scope, "openid");
    fixture.change_client("web", |client| client.danger_allow_management_scopes = true);
    let code = fixture.signed_in_browser().code(&form);
    assert_eq!(
        Tokens::of(&fixture.exchange(&code)).scope,
        "admin:token openid"
    );
}

#[test]
fn a_deployment_without_people_says_so_instead_of_a_form() {
    let fixture = Fixture::new();
    let empty = edgemint::server::Server::new(
        fixture.server.config.clone(),
        fixture.server.keyring.clone(),
        edgemint::memory::Memory::default(),
    );
    let answer =
        support::block_on(empty.answer(Endpoint::Login, &get(&Form::default()), &fixture.at()));
    assert_eq!(answer.status, 503);
    assert!(!answer.body.contains("<form"));
    assert!(answer.body.contains("BOOTSTRAP_TOKEN"));
}

#[test]
fn ui_5_what_a_client_that_is_always_asked_about_was_given_can_be_taken_back() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let tokens = fixture.tokens_in(&browser, "native");
    let mut account = browser.open("/login");
    assert!(account.response.body.contains("The native client"));
    // The first form on the page is the one that takes this client's access away.
    let (form, _) = account.response.body.split_once("</form>").unwrap();
    account.response.body = form.to_owned();
    browser.submit(&account, &[("decision", "withdraw")]);
    assert_eq!(
        fixture.refresh_as("native", tokens.refresh()).status,
        400,
        "what rested on it has ended"
    );
    let after = browser.open("/login").response.body;
    assert!(!after.contains("The native client"));
}
