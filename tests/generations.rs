//! What ends many things at once: the end of a person, a client, a session or an epoch.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use edgemint::model::{Moment, Scope, TokenId, UnixTime};
use edgemint::ports::directory::ChangeAccount;
use edgemint::ports::{At, Directory};
use edgemint::server::Endpoint;
use edgemint::token::{FeedAnswer, Revocation, Revocations};
use support::tokens::{
    FORMS, api_token, assert_inactive, assert_unavailable, facts, json_post, online, online_tokens,
    raise_epoch,
};
use support::{
    Fixture, Form, Outage, Seen, Tokens, authorization, block_on, get, keyring, quick_hash, subject,
};

/// Something that ends whatever `ada` had.
type Ending = fn(&Fixture);

const ENDINGS: [(&str, Ending); 2] = [
    ("disabled", |fixture| fixture.disable_account("ada")),
    ("new password", |fixture| {
        fixture.change_password("ada", "another correct horse");
    }),
];

/// Every ending with either form of token, each in a deployment of its own.
fn each(test: impl Fn(&Fixture, &str, Ending)) {
    for (_, end) in ENDINGS {
        for form in FORMS {
            test(&Fixture::new(), form, end);
        }
    }
}

#[test]
fn the_end_of_a_person_ends_their_access_tokens_and_nobody_elses() {
    each(|fixture, form, end| {
        let browser = fixture.signed_in_browser();
        let offline = fixture.tokens_in(&browser, form);
        let online = online_tokens(fixture, &browser, form);
        let bob = fixture.tokens_in(&fixture.browser_of("bob"), form);
        let machine = Tokens::of(&fixture.client_credentials(form));
        end(fixture);
        for token in [&offline.access, &online.access] {
            assert_inactive(&fixture.introspect_as(form, token));
            assert_eq!(fixture.userinfo(token).label(), "token_revoked");
        }
        assert!(fixture.is_active_for(form, &bob.access));
        assert!(fixture.is_active_for(form, &machine.access));
    });
}

#[test]
fn the_end_of_a_person_ends_their_families_also_the_offline_ones() {
    each(|fixture, form, end| {
        let browser = fixture.signed_in_browser();
        let offline = fixture.tokens_in(&browser, form);
        let online = online_tokens(fixture, &browser, form);
        end(fixture);
        for tokens in [&offline, &online] {
            assert_inactive(&fixture.introspect_as(form, tokens.refresh()));
            let answer = fixture.refresh_as(form, tokens.refresh());
            assert_eq!(
                (answer.status, answer.error().as_str()),
                (400, "invalid_grant")
            );
        }
    });
}

#[test]
fn the_end_of_a_person_ends_their_sessions_in_every_browser() {
    each(|fixture, form, end| {
        let browsers = [fixture.signed_in_browser(), fixture.signed_in_browser()];
        for browser in &browsers {
            let silent = online(form).with("prompt", "none");
            assert!(browser.authorize(&silent).response.error().is_empty());
        }
        end(fixture);
        for browser in &browsers {
            let silent = online(form).with("prompt", "none");
            assert_eq!(
                browser.authorize(&silent).response.error(),
                "login_required"
            );
        }
    });
}

#[test]
fn the_end_of_a_person_ends_the_codes_that_are_under_way() {
    each(|fixture, form, end| {
        let code = fixture.code_for(form);
        end(fixture);
        let answer = fixture.exchange_as(form, &code);
        assert_eq!(
            (answer.error().as_str(), answer.label().as_str()),
            ("invalid_grant", "code_ended")
        );
    });
}

#[test]
fn a_person_who_comes_back_gets_nothing_of_before_back() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let tokens = fixture.tokens_in(&browser, "web");
    fixture.disable_account("ada");
    fixture.change_account("ada", |account| account.active = Some(true));
    assert_inactive(&fixture.introspect(&tokens.access));
    assert_eq!(fixture.refresh(tokens.refresh()).error(), "invalid_grant");
    let silent = online("web").with("prompt", "none");
    assert_eq!(
        browser.authorize(&silent).response.error(),
        "login_required"
    );
    assert!(fixture.is_active(&fixture.tokens().access));
}

#[test]
fn a_scope_that_is_taken_away_ends_access_tokens_and_narrows_what_comes_next() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens();
    fixture.change_account("ada", |account| account.scope = Some(Scope::default()));
    assert!(!fixture.is_active(&tokens.access));
    let next = Tokens::of(&fixture.refresh(tokens.refresh()));
    assert_eq!(next.scope, "offline_access openid profile");
    fixture.change_account("ada", |account| account.scope = Scope::parse("read").ok());
    assert!(fixture.is_active(&next.access), "more ends nothing");
}

#[test]
fn the_end_of_a_person_is_acknowledged_when_shard_and_feed_have_it() {
    for outage in [Outage::Ledger, Outage::Feed] {
        let fixture = Fixture::new();
        let tokens = fixture.tokens();
        let disable = |at: &At| {
            let change = ChangeAccount {
                subject: subject("ada"),
                password_hash: None,
                active: Some(false),
                scope: None,
            };
            block_on(fixture.memory().directory(at, change))
        };
        fixture.memory().fail(outage);
        assert!(disable(&fixture.at_request("disable")).is_err());
        fixture.memory().restore();
        assert!(disable(&fixture.at_request("disable")).is_ok(), "repeated");
        assert_inactive(&fixture.introspect(&tokens.access));
        assert_eq!(fixture.refresh(tokens.refresh()).error(), "invalid_grant");
    }
}

#[test]
fn a_raised_client_generation_ends_all_that_the_client_was_given() {
    for form in FORMS {
        let fixture = Fixture::new();
        let browser = fixture.signed_in_browser();
        let tokens = fixture.tokens_in(&browser, form);
        let machine = Tokens::of(&fixture.client_credentials(form));
        let other = fixture.tokens_of("other");
        let code = browser.code(&authorization(form));
        fixture.change_client(form, |client| client.generation += 1);
        for token in [&tokens.access, &machine.access] {
            assert_inactive(&fixture.introspect_as(form, token));
        }
        assert_inactive(&fixture.introspect_as(form, tokens.refresh()));
        assert_eq!(
            fixture.refresh_as(form, tokens.refresh()).error(),
            "invalid_grant"
        );
        assert_eq!(fixture.exchange_as(form, &code).error(), "invalid_grant");
        assert!(fixture.is_active_for("other", &other.access));
        assert!(fixture.is_active_for(form, &fixture.tokens_of(form).access));
    }
}

#[test]
fn a_changed_client_is_seen_by_the_next_request() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens();
    fixture.change_client("web", |client| {
        client.scope = Scope::parse("openid").unwrap();
    });
    let refused = fixture.signed_in_browser().authorize(&authorization("web"));
    assert_eq!(refused.response.error(), "invalid_scope");
    let next = Tokens::of(&fixture.refresh(tokens.refresh()));
    assert_eq!(next.scope, "openid");
}

#[test]
fn a_disabled_client_can_do_nothing() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens();
    let code = fixture.code();
    fixture.change_client("web", |client| client.enabled = false);
    for answer in [
        fixture.introspect(&tokens.access),
        fixture.exchange(&code),
        fixture.refresh(tokens.refresh()),
        fixture.client_credentials("web"),
        fixture.revoke(&tokens.access),
    ] {
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (401, "invalid_client")
        );
    }
    let page = fixture.signed_in_browser().authorize(&authorization("web"));
    assert_eq!(
        (page.response.status, page.response.location()),
        (400, None)
    );
}

#[test]
fn ops_5_a_raised_epoch_ends_everything_that_was_sealed_before() {
    for form in FORMS {
        let fixture = Fixture::new();
        let browser = fixture.signed_in_browser();
        let tokens = fixture.tokens_in(&browser, form);
        let machine = Tokens::of(&fixture.client_credentials(form));
        let code = browser.code(&authorization(form));
        let admin = api_token(&fixture, "admin:token");
        raise_epoch(&fixture);
        for token in [&tokens.access, &machine.access] {
            assert_inactive(&fixture.introspect_as(form, token));
            assert_eq!(fixture.userinfo(token).status, 401);
        }
        assert_inactive(&fixture.introspect_as(form, tokens.refresh()));
        assert_eq!(
            fixture.refresh_as(form, tokens.refresh()).error(),
            "invalid_grant"
        );
        assert_eq!(fixture.exchange_as(form, &code).error(), "invalid_grant");
        let silent = online(form).with("prompt", "none");
        assert_eq!(
            browser.authorize(&silent).response.error(),
            "login_required"
        );
        let answer = fixture.send(Endpoint::Records, &json_post(Some(&admin), "{}"));
        assert_eq!(answer.status, 401);
        assert!(fixture.is_active_for(form, &fixture.tokens_of(form).access));
    }
}

#[test]
fn ops_5_a_raised_epoch_ends_pages_that_are_open() {
    let fixture = Fixture::new();
    let browser = fixture.browser();
    let login = browser.authorize(&authorization("spa"));
    let signed_in = fixture.signed_in_browser();
    let consent = signed_in.authorize(&authorization("spa"));
    let logout = signed_in.open("/logout");
    raise_epoch(&fixture);
    let password = [("username", "ada"), ("password", support::PASSWORD)];
    let after = browser.submit_only(&login, &password);
    assert_eq!(
        (after.status, after.label().as_str()),
        (400, "page_expired")
    );
    for (page, fields) in [(&consent, vec![("decision", "allow")]), (&logout, vec![])] {
        let after = signed_in.submit_only(page, &fields);
        assert_eq!(
            (after.status, after.label().as_str()),
            (400, "page_expired")
        );
    }
}

#[test]
fn ops_5_a_root_that_is_taken_out_opens_nothing_any_more() {
    let mut fixture = Fixture::new();
    let browser_code = fixture.code();
    let tokens = fixture.tokens();
    let (old, new) = (
        "root secret of the tests, 32 bytes",
        "a newer root of the tests, 32 bytes",
    );
    fixture.server.keyring = keyring(&[new, old]);
    assert!(fixture.is_active(&tokens.access), "while both are there");
    let fresh = fixture.tokens();
    let next = Tokens::of(&fixture.refresh(tokens.refresh()));

    fixture.server.keyring = keyring(&[new]);
    assert_inactive(&fixture.introspect(&tokens.access));
    assert_inactive(&fixture.introspect(tokens.refresh()));
    assert_eq!(fixture.exchange(&browser_code).error(), "invalid_grant");
    for tokens in [&fresh, &next] {
        assert!(fixture.is_active(&tokens.access));
        assert!(fixture.is_active(tokens.refresh()));
    }
}

#[test]
fn nothing_is_minted_while_the_feed_is_away() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens();
    let code = fixture.code();
    fixture.memory().fail(Outage::Feed);
    assert_unavailable(&fixture.exchange(&code));
    assert_unavailable(&fixture.refresh(tokens.refresh()));
    assert_unavailable(&fixture.client_credentials("web"));
    fixture.memory().restore();
    assert_eq!(
        fixture.exchange(&code).status,
        200,
        "the code was not spent"
    );
    assert_eq!(fixture.refresh(tokens.refresh()).status, 200);
}

#[test]
fn nobody_is_sent_to_sign_in_because_the_feed_is_away() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    fixture.memory().fail(Outage::Feed);
    let page = browser.authorize(&online("web"));
    assert_eq!(page.response.error(), "temporarily_unavailable");
    for path in ["/login", "/logout"] {
        let page = browser.open(path);
        assert_eq!(page.response.status, 503, "{path}");
        assert!(page.response.header("retry-after").is_some());
        assert!(
            page.response.all("set-cookie").is_empty(),
            "the session stays"
        );
    }
    fixture.memory().restore();
    let page = browser.authorize(&online("web").with("prompt", "none"));
    assert!(page.response.error().is_empty());
}

#[test]
fn ready_says_whether_keys_and_feed_can_be_reached_and_health_does_not_ask() {
    let fixture = Fixture::new();
    let ask = |endpoint| fixture.send(endpoint, &get(&Form::default())).status;
    assert_eq!((ask(Endpoint::Ready), ask(Endpoint::Health)), (200, 200));
    fixture.memory().fail(Outage::Feed);
    assert_eq!((ask(Endpoint::Ready), ask(Endpoint::Health)), (503, 200));
    let cost = fixture.cost(|| {
        ask(Endpoint::Health);
    });
    assert_eq!(cost, support::Operations::default());
}

#[test]
fn the_hash_of_a_new_password_is_what_counts() {
    let fixture = Fixture::new();
    fixture.change_account("ada", |account| {
        account.password_hash = Some(quick_hash("another correct horse"));
    });
    let browser = fixture.browser();
    let page = browser.open("/login");
    let old = [("username", "ada"), ("password", support::PASSWORD)];
    assert_eq!(
        browser.submit_only(&page, &old).label(),
        "wrong_credentials"
    );
    let new = [("username", "ada"), ("password", "another correct horse")];
    assert_eq!(browser.submit_only(&page, &new).status, 303);
}

fn entries(names: &[u64]) -> Vec<Revocation> {
    let token = |name: &u64| {
        let id = TokenId::parse(&format!("t{name}")).unwrap();
        Revocation::Token(id, UnixTime(3600))
    };
    names.iter().map(token).collect()
}

/// An answer with as many entries before its head as it has names.
fn answer(feed: &str, full: bool, head: u64, names: &[u64]) -> FeedAnswer {
    FeedAnswer {
        feed: feed.to_owned(),
        epoch: 1,
        after: head - u64::try_from(names.len()).unwrap(),
        head,
        full,
        more: false,
        entries: entries(names),
    }
}

/// Whether the copy names every one of these tokens.
fn has(copy: &Revocations, fixture: &Fixture, names: &[u64]) -> bool {
    names.iter().all(|name| {
        let id = TokenId::parse(&format!("t{name}")).unwrap();
        copy.ends_token(&id, 1, &facts(fixture))
    })
}

#[test]
fn in_7_an_answer_that_comes_late_takes_nothing_out_of_the_copy() {
    let fixture = Fixture::new();
    for late in [10, 20] {
        let mut copy = Revocations::default();
        // Two questions of an isolate that knows nothing; the earlier one is answered later.
        assert!(copy.learn(answer("f", true, 7, &[1, 2, 3, 4, 5, 6, 7]), Moment(20)));
        assert!(copy.learn(answer("f", true, 5, &[1, 2, 3, 4, 5]), Moment(late)));
        assert!(copy.learn(answer("f", false, 9, &[8, 9]), Moment(30)));
        assert!(has(&copy, &fixture, &[1, 5, 6, 7, 8, 9]), "{late}");
        assert_eq!(copy.position(), ("f", 9));
    }
}

#[test]
fn in_7_an_answer_that_does_not_join_the_copy_is_not_learned() {
    let fixture = Fixture::new();
    let mut copy = Revocations::default();
    assert!(copy.learn(answer("f", true, 2, &[1, 2]), Moment(10)));
    // What it follows on from was lost: the copy has to be asked for again from where it is.
    assert!(!copy.learn(answer("f", false, 5, &[4, 5]), Moment(20)));
    assert_eq!((copy.position(), copy.age(Moment(20))), (("f", 2), 10));
    assert!(copy.learn(answer("f", false, 5, &[3, 4, 5]), Moment(30)));
    assert!(has(&copy, &fixture, &[1, 2, 3, 4, 5]));
    // The feed began anew; what the old one still says is no part of the new one.
    assert!(copy.learn(answer("g", true, 1, &[1]), Moment(40)));
    assert!(!copy.learn(answer("f", false, 6, &[6]), Moment(35)));
    assert!(copy.learn(answer("f", true, 6, &[6]), Moment(35)));
    assert_eq!((copy.position(), copy.age(Moment(40))), (("g", 1), 0));
    assert!(has(&copy, &fixture, &[1]));
}

#[test]
fn in_7_a_feed_that_was_set_back_is_read_anew() {
    let fixture = Fixture::new();
    let mut copy = Revocations::default();
    assert!(copy.learn(answer("f", true, 7, &[1, 2, 3, 4, 5, 6, 7]), Moment(10)));
    assert!(copy.learn(answer("f", true, 3, &[1, 2, 3]), Moment(20)));
    assert_eq!(copy.position(), ("f", 3));
    assert!(!has(&copy, &fixture, &[4]));
}
