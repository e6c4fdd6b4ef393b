//! Delegation (seed 001): a child has no more than its parent, no longer, and is one for all who ask alike.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use edgemint::error::Reason;
use edgemint::gate::delegate::{self, Delegated, Delegation, LIFETIME, Recipient};
use edgemint::gate::{Principal, principal};
use edgemint::http::Request;
use edgemint::model::{Client, GrantType, Scope, Seconds, TokenType};
use edgemint::server::Endpoint;
use support::tokens::get_with;
use support::{
    Browser, Fixture, Form, NOW, Operations, Outage, Seen as _, Tokens, authenticated, block_on,
    get,
};

fn scope(text: &str) -> Scope {
    Scope::parse(text).unwrap()
}

fn notebook() -> Delegation {
    Delegation {
        to: Recipient::Notebook,
        minimum_lifetime: None,
        address: Some("192.0.2.1".to_owned()),
    }
}

fn internal(service: &str, scopes: &str) -> Delegation {
    Delegation {
        to: Recipient::Internal {
            service: service.to_owned(),
            scopes: scope(scopes),
        },
        ..notebook()
    }
}

fn lasting(seconds: u64, delegation: Delegation) -> Delegation {
    Delegation {
        minimum_lifetime: Some(Seconds(seconds)),
        ..delegation
    }
}

/// Somebody, by what they have in this browser.
fn session(fixture: &Fixture, browser: &Browser<'_>) -> Principal {
    let request = browser.with_cookies(get(&Form::default()));
    let found = block_on(principal::by_session(
        &fixture.server,
        &request,
        &fixture.at(),
    ));
    found.unwrap().unwrap()
}

fn shown(fixture: &Fixture, token: &str) -> Result<Principal, Reason> {
    block_on(principal::by_token(&fixture.server, token, &fixture.at()))
}

fn ask(fixture: &Fixture, parent: &Principal, what: Delegation) -> Result<Delegated, Reason> {
    block_on(delegate::delegate(
        &fixture.server,
        parent,
        what,
        &fixture.at(),
    ))
}

/// The child's text.
fn child(fixture: &Fixture, parent: &Principal, what: Delegation) -> String {
    ask(fixture, parent, what)
        .unwrap()
        .token
        .expose()
        .to_owned()
}

#[test]
fn s1_4_a_notebook_has_all_that_was_shown_and_no_longer() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let parent = session(&fixture, &browser);
    fixture.later(60);
    let token = shown(&fixture, &child(&fixture, &parent, notebook())).unwrap();
    assert_eq!(token.token_type, TokenType::Notebook);
    assert_eq!(token.scopes, scope("admin:token read user:token write"));
    assert_eq!(token.expires, parent.expires);
    assert_eq!(token.parent, Some(parent.key.clone()));
    assert_eq!(token.username.as_str(), "ada");
    assert_eq!(token.created.0, NOW + 60);
    assert_eq!(token.service, None);
}

#[test]
fn s1_4_a_service_gets_what_was_asked_for_and_shown_perhaps_nothing() {
    let fixture = Fixture::new();
    let parent = session(&fixture, &fixture.browser_of("bob"));
    for (asked, given) in [("read write", "read"), ("write", ""), ("", "")] {
        let token = child(&fixture, &parent, internal("svc", asked));
        let token = shown(&fixture, &token).unwrap();
        assert_eq!(token.token_type, TokenType::Internal);
        assert_eq!(token.service.as_deref(), Some("svc"));
        assert_eq!(token.scopes, scope(given), "{asked}");
    }
}

#[test]
fn s1_4_who_asks_alike_gets_one_and_the_same_letter_for_letter() {
    let fixture = Fixture::new();
    let parent = session(&fixture, &fixture.signed_in_browser());
    let first = child(&fixture, &parent, internal("svc", "read write"));
    for _ in 0..100 {
        let again = child(&fixture, &parent, internal("svc", "write read"));
        assert_eq!(again, first);
    }
    for other in [
        notebook(),
        internal("svc", "read"),
        internal("another", "read write"),
    ] {
        assert_ne!(child(&fixture, &parent, other), first);
    }
    let somebody_else = session(&fixture, &fixture.signed_in_browser());
    assert_ne!(
        child(&fixture, &somebody_else, internal("svc", "read write")),
        first
    );
}

#[test]
fn s1_4_a_child_that_is_known_costs_nothing_for_half_its_life() {
    let fixture = Fixture::new();
    let user = fixture.user_token("ada", "read", None);
    let parent = shown(&fixture, &user).unwrap();
    let first = child(&fixture, &parent, internal("svc", "read"));
    for _ in 0..11 {
        fixture.later(3600);
        let parent = shown(&fixture, &user).unwrap();
        let cost = fixture.cost(|| {
            assert_eq!(child(&fixture, &parent, internal("svc", "read")), first);
        });
        assert_eq!(Operations { feed: 0, ..cost }, Operations::default());
    }
    fixture.later(3601);
    let next = child(&fixture, &parent, internal("svc", "read"));
    assert_ne!(next, first);
    // The one before goes on until it ends by itself.
    assert!(shown(&fixture, &first).is_ok());
    fixture.later(LIFETIME.0 / 2);
    assert!(shown(&fixture, &first).is_err());
    assert!(shown(&fixture, &next).is_ok());
}

#[test]
fn s1_4_a_child_of_what_never_ends_ends_and_follows_another_end_of_its_parent() {
    let fixture = Fixture::new();
    let user = fixture.user_token("ada", "read", None);
    let parent = || shown(&fixture, &user).unwrap();
    let first = ask(&fixture, &parent(), notebook()).unwrap();
    assert_eq!(first.expires.unwrap().0, NOW + LIFETIME.0);
    fixture.change_token("ada", &user, &serde_json::json!({ "expires": NOW + 3600 }));
    let short = ask(&fixture, &parent(), notebook()).unwrap();
    assert_eq!(short.token.expose(), first.token.expose());
    assert_eq!(short.expires.unwrap().0, NOW + 3600);
    fixture.change_token(
        "ada",
        &user,
        &serde_json::json!({ "expires": NOW + 36_000 }),
    );
    let longer = ask(&fixture, &parent(), notebook()).unwrap();
    assert_ne!(longer.token.expose(), first.token.expose());
    assert_eq!(longer.expires.unwrap().0, NOW + 36_000);
}

#[test]
fn s1_4_what_ends_too_soon_is_delegated_nothing() {
    let fixture = Fixture::new();
    let parent = session(&fixture, &fixture.signed_in_browser());
    fixture.later(LIFETIME.0 - 3600);
    let too_short = |seconds| ask(&fixture, &parent, lasting(seconds, notebook())).err();
    assert_eq!(too_short(4000), Some(Reason::LifetimeTooShort));
    assert_eq!(too_short(3000), None);
    fixture.later(3540);
    let refused = ask(&fixture, &parent, notebook()).err();
    assert_eq!(refused, Some(Reason::LifetimeTooShort));
}

#[test]
fn s1_4_a_child_that_has_less_left_than_is_asked_for_is_replaced() {
    let fixture = Fixture::new();
    let user = fixture.user_token("ada", "read", None);
    let parent = shown(&fixture, &user).unwrap();
    let first = child(&fixture, &parent, notebook());
    fixture.later(600);
    let long = lasting(LIFETIME.0 - 300, notebook());
    let other = child(&fixture, &parent, long);
    assert_ne!(other, first);
    // With less asked for, everybody takes whichever they know of: it lives long enough.
    let cold = child(&fixture, &parent, lasting(300, notebook()));
    assert!([&first, &other].contains(&&cold));
}

#[test]
fn s1_4_a_child_is_a_parent_itself() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let parent = session(&fixture, &browser);
    let notebook = child(&fixture, &parent, notebook());
    let notebook = shown(&fixture, &notebook).unwrap();
    let one = child(&fixture, &notebook, internal("one", "read write"));
    let one = shown(&fixture, &one).unwrap();
    let two = child(&fixture, &one, internal("two", "read admin:token"));
    let two_shown = shown(&fixture, &two).unwrap();
    assert_eq!(two_shown.scopes, scope("read"));
    assert_eq!(two_shown.parent, Some(one.key.clone()));
    browser.sign_out();
    assert_eq!(shown(&fixture, &two), Err(Reason::TokenRevoked));
}

#[test]
fn s1_5_whatever_ends_a_parent_ends_its_children() {
    type End = fn(&Fixture, &Browser<'_>, &Tokens);
    let ends: [(&str, End); 5] = [
        ("sign-out", |_, browser, _| browser.sign_out()),
        ("password", |fixture, _, _| {
            fixture.change_password("ada", "another long password")
        }),
        ("disabling", |fixture, _, _| fixture.disable_account("ada")),
        ("the grant", |fixture, _, tokens| {
            assert_eq!(fixture.revoke(tokens.refresh()).status, 200);
        }),
        ("the token", |fixture, _, tokens| {
            assert_eq!(fixture.revoke(&tokens.access).status, 200);
        }),
    ];
    for (name, end) in ends {
        let fixture = Fixture::new();
        let browser = fixture.signed_in_browser();
        let tokens = fixture.tokens_in(&browser, "web");
        let of_session = session(&fixture, &browser);
        let of_access = shown(&fixture, &tokens.access).unwrap();
        let session_child = child(&fixture, &of_session, notebook());
        let access_child = child(&fixture, &of_access, internal("svc", "read"));
        let deep = shown(&fixture, &access_child).unwrap();
        let deep = child(&fixture, &deep, internal("deep", "read"));
        end(&fixture, &browser, &tokens);
        let dead = |token: &str| shown(&fixture, token) == Err(Reason::TokenRevoked);
        // The grant of `web` is offline: it outlives the session.
        let signed_out = name == "sign-out";
        let by_person = ["password", "disabling"].contains(&name);
        assert_eq!(dead(&session_child), signed_out || by_person, "{name}");
        assert_eq!(dead(&access_child), !signed_out, "{name}");
        assert_eq!(dead(&deep), !signed_out, "{name}");
        if !signed_out {
            let again = ask(&fixture, &of_access, internal("svc", "read")).err();
            assert!(again.is_some() || name == "the token", "{name}");
        }
    }
}

#[test]
fn s1_5_a_child_that_was_asked_for_too_late_dies_with_its_token() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens();
    let parent = shown(&fixture, &tokens.access).unwrap();
    assert_eq!(fixture.revoke(&tokens.access).status, 200);
    // Somewhere else it is not known yet that the token was revoked.
    if let Ok(late) = ask(&fixture, &parent, internal("svc", "read")) {
        assert_eq!(
            shown(&fixture, late.token.expose()),
            Err(Reason::TokenRevoked)
        );
    }
}

#[test]
fn s1_4_a_client_delegates_what_it_has_for_itself() {
    let fixture = Fixture::new();
    let tokens = Tokens::of(&fixture.client_credentials("web"));
    let parent = shown(&fixture, &tokens.access).unwrap();
    let token = shown(&fixture, &child(&fixture, &parent, internal("svc", "read"))).unwrap();
    assert_eq!(token.username.as_str(), "bot-web");
    assert_eq!(token.person, None);
    assert_eq!(token.expires, parent.expires);
    fixture.change_client("web", |client| client.generation += 1);
    let text = child(&fixture, &parent, internal("svc", "read"));
    assert_eq!(shown(&fixture, &text), Err(Reason::TokenRevoked));
}

#[test]
fn s1_4_what_a_client_delegated_is_found_and_ended_by_its_name() {
    let fixture = Fixture::new();
    let administrator = fixture.user_token("ada", "admin:token", None);
    for id in ["web", "api", "jwt"] {
        let acts = |client: &mut Client| client.grant_types.push(GrantType::ClientCredentials);
        fixture.change_client(id, acts);
        let tokens = Tokens::of(&fixture.client_credentials(id));
        let parent = shown(&fixture, &tokens.access).unwrap();
        let text = child(&fixture, &parent, internal("svc", "read"));
        let key = fixture.key_of(&text).to_string();
        let ask = |method: &str, path: &str| {
            let request = Request {
                method: method.to_owned(),
                path: format!("/api/v1/users/bot-{id}/{path}"),
                ..get_with(&format!("Bearer {administrator}"))
            };
            fixture.send(Endpoint::Tokens, &request)
        };
        assert_eq!(ask("GET", "tokens").json()[0]["token"], key.as_str());
        let history = ask("GET", "token-change-history").json();
        assert_eq!(history[0]["token"], key.as_str());
        assert_eq!(ask("DELETE", &format!("tokens/{key}")).status, 204);
        assert_eq!(shown(&fixture, &text), Err(Reason::TokenRevoked));
    }
}

#[test]
fn s1_4_what_a_person_loses_its_tokens_lose() {
    let fixture = Fixture::new();
    let user = fixture.user_token("ada", "read write", None);
    let parent = shown(&fixture, &user).unwrap();
    let token = child(&fixture, &parent, notebook());
    assert_eq!(shown(&fixture, &token).unwrap().scopes, scope("read write"));
    fixture.change_account("ada", |account| account.scope = Some(scope("read")));
    assert_eq!(shown(&fixture, &token).unwrap().scopes, scope("read"));
    assert_eq!(shown(&fixture, &user).unwrap().scopes, scope("read"));
    fixture.change_account("ada", |account| account.scope = Some(scope("read write")));
    fixture.later(3600);
    assert_eq!(shown(&fixture, &user).unwrap().scopes, scope("read write"));
}

#[test]
fn a_handle_is_introspected_by_its_service_and_by_who_serves_something() {
    let fixture = Fixture::new();
    let user = fixture.user_token("ada", "read", None);
    let parent = shown(&fixture, &user).unwrap();
    let for_web = child(&fixture, &parent, internal("web", "read"));
    assert!(fixture.is_active_for("web", &for_web));
    assert!(!fixture.is_active_for("api", &for_web));
    assert!(fixture.is_active_for("api", &user));
    assert!(!fixture.is_active_for("web", &user));
    let told = fixture.introspect_as("api", &user).json();
    assert_eq!(told["token_type"], "Bearer");
    assert_eq!(told["sub"], "u_ada");
    assert_eq!(told["scope"], "read");
    assert!(told.get("exp").is_none());
    let form = Form::new(&[("token", &user)]);
    let checked = fixture.send(Endpoint::CheckToken, &authenticated("api", &form));
    assert_eq!(checked.json()["username"], "ada");
    assert_eq!(fixture.userinfo(&user).status, 401);
}

#[test]
fn while_the_ledger_is_away_no_child_is_made_and_a_known_one_serves() {
    let fixture = Fixture::new();
    let parent = session(&fixture, &fixture.signed_in_browser());
    let known = child(&fixture, &parent, notebook());
    assert!(shown(&fixture, &known).is_ok());
    fixture.memory().fail(Outage::Ledger);
    assert_eq!(child(&fixture, &parent, notebook()), known);
    assert!(shown(&fixture, &known).is_ok());
    let refused = ask(&fixture, &parent, internal("svc", "read")).err();
    assert!(matches!(refused, Some(Reason::Unavailable(_))));
}
