//! Clocks that differ, and one that stands still. A request goes by the clock of the Worker that has it,
//! and Workers' clocks differ by up to half a minute from the shard's, in either direction: nothing fails for that,
//! and nothing is valid for longer than the clocks differ.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use edgemint::http::{Request, Response};
use edgemint::model::{Quotas, UnixTime};
use edgemint::server::Endpoint;
use serde_json::json;
use support::gate::{PROXY, bearing, browsing};
use support::{Fixture, Seen as _, Tokens, authorization, gate};

/// Seconds by which the clock of a Worker differs.
const CLOCKS: [i64; 3] = [-30, 0, 30];
const HALF_A_DAY: u64 = 12 * 3600;

/// Every pair of clocks.
fn pairs() -> impl Iterator<Item = (i64, i64)> {
    let pairs = |one| CLOCKS.into_iter().map(move |other| (one, other));
    CLOCKS.into_iter().flat_map(pairs)
}

/// What a token is by every way of asking: at the gate, of introspection, and of `token-info`.
fn verdicts(fixture: &Fixture, token: &str) -> [bool; 3] {
    let gate = fixture.gate(&bearing("service=web", token));
    let info = Request {
        method: "GET".to_owned(),
        path: "/api/v1/token-info".to_owned(),
        authorization: Some(format!("Bearer {token}")),
        ..Request::default()
    };
    let info = fixture.send(Endpoint::Tokens, &info);
    for answer in [&gate, &info] {
        assert!([200, 401].contains(&answer.status), "{}", answer.body);
    }
    let introspects = if token.starts_with("emt_") {
        "api"
    } else {
        "web"
    };
    let active = fixture.is_active_for(introspects, token);
    [gate.status == 200, active, info.status == 200]
}

/// For the service `web`, whose tokens are not for our own API.
fn is_alive(fixture: &Fixture, token: &str) -> bool {
    let [gate, active, info] = verdicts(fixture, token);
    assert_eq!(gate, active);
    assert_eq!(info, gate && token.starts_with("emt_"));
    gate
}

fn child(answer: &Response) -> String {
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.header("x-auth-request-token").unwrap().to_owned()
}

#[test]
fn what_one_clock_issues_every_other_one_takes() {
    for (here, there) in pairs() {
        let fixture = gate::fixture();
        let browser = fixture.skewed(here, || fixture.signed_in_browser());
        let session = browsing("service=web", &browser);
        assert_eq!(fixture.skewed(there, || fixture.gate(&session).status), 200);
        let code = fixture.skewed(here, || browser.code(&authorization("web")));
        // A code lives for a minute: where clocks differ by all of it, it is over, and says so.
        if there - here == 60 {
            let over = fixture.skewed(there, || fixture.exchange(&code));
            assert_eq!(over.json()["error"], "invalid_grant");
        }
        let there = there.min(here + 59);
        let tokens = fixture.skewed(there, || Tokens::of(&fixture.exchange(&code)));
        for clock in CLOCKS {
            fixture.skewed(clock, || assert!(is_alive(&fixture, &tokens.access)));
        }
        let refreshed = fixture.skewed(here, || fixture.refresh(tokens.refresh()));
        assert_eq!(refreshed.status, 200, "{here} {there}: {}", refreshed.body);
        // The same answer lost, and asked for elsewhere, within the half minute that there is for it.
        let soon = there.min(here + 29);
        let again = fixture.skewed(soon, || fixture.refresh(tokens.refresh()));
        assert_eq!(again.status, 200, "{here} {there}: {}", again.body);
        let made = fixture.skewed(here, || fixture.user_token("ada", "read", Some(600)));
        fixture.skewed(there, || assert!(is_alive(&fixture, &made)));
        // Signed out is signed out, whoever has the later clock.
        fixture.skewed(here, || fixture.disable_account("ada"));
        for clock in CLOCKS {
            fixture.skewed(clock, || {
                assert!(!is_alive(&fixture, &tokens.access));
                assert!(!is_alive(&fixture, &made));
                assert_eq!(fixture.gate(&session).status, 401);
            });
        }
    }
}

#[test]
fn what_has_expired_lives_on_for_as_long_as_a_clock_is_behind_and_no_longer() {
    for (maker, shard) in pairs() {
        let fixture = gate::fixture();
        let made = fixture.skewed(maker, || fixture.user_token("ada", "read", Some(600)));
        let ends = (600 + maker).unsigned_abs();
        let parent = bearing("notebook=true", &made);
        let notebook = child(&fixture.gate(&parent));
        let dead = |clock: i64| {
            fixture.skewed(clock, || {
                [&made, &notebook].map(|token| !is_alive(&fixture, token))
            })
        };
        fixture.later(ends - 31);
        for clock in CLOCKS {
            assert_eq!(dead(clock), [false; 2], "{maker} {clock}");
        }
        // To the second, by each one's own clock; and the shard forgets nothing before the last.
        for passed in 0..62_i64 {
            let now = UnixTime(fixture.now().checked_add_signed(shard).unwrap());
            fixture.memory().sweep(now);
            for clock in CLOCKS {
                let over = passed + clock >= 31;
                assert_eq!(dead(clock), [over; 2], "{maker} {shard} {clock} {passed}");
            }
            fixture.later(1);
        }
        fixture.later(60);
        fixture.memory().sweep(UnixTime(fixture.now()));
        for clock in CLOCKS {
            assert_eq!(dead(clock), [true; 2]);
        }
    }
}

#[test]
fn an_access_token_expires_by_each_ones_own_clock() {
    let fixture = gate::fixture();
    let tokens = fixture.tokens();
    let claims = fixture.introspect(&tokens.access).json();
    let life = claims["exp"].as_u64().unwrap() - fixture.now();
    fixture.later(life - 31);
    for passed in 0..62_i64 {
        for clock in CLOCKS {
            let alive = fixture.skewed(clock, || is_alive(&fixture, &tokens.access));
            assert_eq!(alive, passed + clock < 31, "{clock} {passed}");
        }
        fixture.later(1);
    }
}

#[test]
fn a_child_is_one_and_the_same_by_every_clock_until_half_of_its_life() {
    for (maker, _) in pairs().filter(|(_, other)| *other == 0) {
        let fixture = gate::fixture();
        let parent = fixture.user_token("ada", "read", None);
        let request = bearing("delegate_to=svc&delegate_scope=read", &parent);
        let ask = |clock| fixture.skewed(clock, || child(&fixture.gate(&request)));
        let first = ask(maker);
        // Nobody makes another one before the foremost clock is past half of it.
        let half = HALF_A_DAY.checked_add_signed(maker).unwrap();
        fixture.later(half - 30);
        for clock in CLOCKS {
            assert_eq!(ask(clock), first, "{maker} {clock}");
        }
        fixture.later(1);
        let second = ask(30);
        assert_ne!(second, first, "{maker}");
        // Whoever is behind may go on with the first until it is past half of it, too.
        fixture.later(60);
        for clock in CLOCKS {
            assert_eq!(ask(clock), second, "{maker} {clock}");
        }
        // None of them ends later than its parent, and what is handed out lives where it is shown.
        for (one, other) in pairs() {
            let handed = ask(one);
            let passed = fixture.skewed(other, || fixture.gate(&bearing("", &handed)));
            assert_eq!(passed.status, 200);
        }
    }
}

#[test]
fn a_child_never_outlives_its_parent_whoever_makes_it() {
    for (maker, asker) in pairs() {
        let fixture = gate::fixture();
        let parent = fixture.skewed(maker, || fixture.user_token("ada", "read", Some(600)));
        let notebook = fixture.skewed(asker, || {
            child(&fixture.gate(&bearing("notebook=true", &parent)))
        });
        let ends = |token: &str| fixture.introspect_as("api", token).json()["exp"].clone();
        assert_eq!(ends(&notebook), ends(&parent), "{maker} {asker}");
    }
}

/// Five requests a minute.
fn limited() -> (Fixture, Request) {
    let fixture = Fixture::with(|config| {
        *config = config.clone().with_proxies(PROXY).unwrap();
        let quotas = json!({"default": {"api": {"web": 5}}});
        config.quotas = Some(Quotas::parse(&quotas.to_string()).unwrap());
    });
    let token = fixture.user_token("ada", "read", None);
    (fixture, bearing("service=web", &token))
}

#[test]
fn s1_8_clocks_that_differ_give_one_window_more_at_most_and_never_close_for_good() {
    for (one, other) in pairs() {
        let (fixture, request) = limited();
        let ask = |clock| fixture.skewed(clock, || fixture.gate(&request));
        let mut granted = 0;
        for second in 0..60 {
            for clock in [one, other] {
                let answer = ask(clock);
                assert!([200, 403].contains(&answer.status), "{}", answer.body);
                let left = answer.header("x-ratelimit-remaining").unwrap();
                assert!(left.parse::<u32>().unwrap() <= 5);
                granted += u32::from(answer.status == 200);
            }
            assert!(granted <= 10, "{one} {other} {second}");
            fixture.later(1);
        }
        assert!(granted >= 5);
        // Whoever is furthest behind waits for the window of who is furthest ahead, and then gets a new one.
        fixture.later(60);
        for clock in [one, other] {
            assert_eq!(ask(clock).status, 200, "{one} {other}");
        }
    }
}

#[test]
fn while_the_clock_stands_still_everything_goes_on_and_ends() {
    let fixture = gate::fixture();
    let browser = fixture.signed_in_browser();
    let parent = fixture.user_token("ada", "read", None);
    let mut all = Vec::new();
    for _ in 0..20 {
        let tokens = fixture.tokens_in(&browser, "web");
        assert_eq!(fixture.refresh(tokens.refresh()).status, 200);
        all.push(tokens.access);
        all.push(fixture.user_token("ada", "read", Some(300)));
        all.push(child(&fixture.gate(&bearing("notebook=true", &parent))));
    }
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 41, "of one child everybody has the same text");
    assert!(all.iter().all(|token| is_alive(&fixture, token)));
    fixture.disable_account("ada");
    assert!(all.iter().all(|token| !is_alive(&fixture, token)));
    let (fixture, request) = limited();
    let statuses: Vec<u16> = (0..20).map(|_| fixture.gate(&request).status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 5);
}
