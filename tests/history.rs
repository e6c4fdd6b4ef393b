//! The history of what was ended: codes and tokens by administrators, sessions, grants and consents by
//! whose they are. Each end has one line, and nothing has one that did not end.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use edgemint::http::{Request, Response};
use edgemint::memory::LedgerState;
use edgemint::model::{Moment, SessionId, Subject};
use edgemint::ports::Call;
use edgemint::ports::ledger::{LedgerAnswer, LedgerVerb};
use edgemint::server::Endpoint;
use serde_json::{Value, json};
use support::records::{read, refused};
use support::{ADDRESS, BOOTSTRAP, Browser, Fault, Fixture, Outage, Seen as _, authorization};

const AUDIT: &str = "/api/v1/audit/";
const OAUTH2: &str = "/api/v1/oauth2/";

/// The lines of the history that a question finds, the newest first.
fn lines(fixture: &Fixture, query: &str) -> Vec<Value> {
    let page = read(fixture, &format!("{AUDIT}{query}"));
    let lines = page["results"].as_array().unwrap().clone();
    let count = page["pagination"]["count"].as_u64().unwrap();
    assert!(count >= u64::try_from(lines.len()).unwrap(), "{page}");
    lines
}

/// The request of an administrator who ends something, from an address.
fn delete(path: &str) -> Request {
    Request {
        method: "DELETE".to_owned(),
        path: path.to_owned(),
        authorization: Some(format!("Bearer {BOOTSTRAP}")),
        address: Some(ADDRESS.to_owned()),
        ..Request::default()
    }
}

/// Asks for what is one's own with a browser's cookie, as a page of ours does.
fn own(browser: &Browser<'_>, method: &str, path: &str) -> Response {
    let ask = |method: &str, path: &str, csrf: Option<String>| {
        let request = Request {
            method: method.to_owned(),
            path: format!("/api/v1/{path}"),
            address: Some(ADDRESS.to_owned()),
            csrf_token: csrf,
            fetch_site: Some("same-origin".to_owned()),
            ..Request::default()
        };
        browser.send(Endpoint::Users, request)
    };
    let csrf = ask("GET", "login", None).json()["csrf"]
        .as_str()
        .map(str::to_owned);
    ask(method, path, csrf.filter(|_| method != "GET"))
}

fn id(browser: &Browser<'_>, what: &str) -> String {
    let listed = own(browser, "GET", &format!("users/me/{what}")).json();
    listed["results"][0]["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_code_or_token_that_an_administrator_ends_is_in_the_history_by_kind_and_number() {
    let fixture = Fixture::new();
    for (kind, refreshable) in [
        ("authorization_codes", false),
        ("access_tokens", true),
        ("refresh_tokens", true),
    ] {
        let code = fixture.code();
        if refreshable {
            fixture.exchange(&code);
        }
        let listed = read(&fixture, &format!("{OAUTH2}{kind}/"));
        let pk = listed["results"][0]["pk"].as_u64().unwrap();
        let request = delete(&format!("{OAUTH2}{kind}/{pk}/"));
        assert_eq!(fixture.send(Endpoint::Records, &request).status, 204);
        let lines = lines(&fixture, &format!("?collection={kind}"));
        assert_eq!(lines.len(), 1, "{kind}");
        let line = &lines[0];
        assert_eq!(line["actor"], "<bootstrap>");
        assert_eq!(line["address"], ADDRESS);
        assert_eq!(line["record"], pk.to_string());
        assert_eq!(line["action"], "deleted");
        assert_eq!(
            line["before"],
            json!({"subject": "u_ada", "client_id": "web"})
        );
        assert_eq!(line["after"], Value::Null);
        assert!(line["time"].as_str().unwrap().starts_with("2027-01-15T08:"));
        assert!(!line.to_string().contains(&code), "never its value");
    }
}

#[test]
fn what_is_not_there_has_no_line() {
    let fixture = Fixture::new();
    let code = fixture.code();
    let listed = read(&fixture, &format!("{OAUTH2}authorization_codes/"));
    let path = format!(
        "{OAUTH2}authorization_codes/{}/",
        listed["results"][0]["pk"]
    );
    fixture.exchange(&code);
    let spent = fixture.send(Endpoint::Records, &delete(&path));
    assert_eq!(spent.status, 404);
    assert!(lines(&fixture, "?collection=authorization_codes").is_empty());
    let browser = fixture.signed_in_browser();
    assert_eq!(own(&browser, "DELETE", "users/me/consents/spa").status, 204);
    assert_eq!(own(&browser, "DELETE", "users/me/grants/x").status, 404);
    assert!(lines(&fixture, "?actor=ada").is_empty());
}

#[test]
fn who_ends_a_session_a_grant_or_a_consent_is_in_the_history() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let phone = fixture.signed_in_browser();
    fixture.tokens_in(&browser, "spa");
    let grant = id(&browser, "grants");
    let session = id(&phone, "sessions");
    for (collection, record) in [
        ("grants", grant),
        ("consents", "spa".to_owned()),
        ("sessions", session),
    ] {
        let path = format!("users/me/{collection}/{record}");
        assert_eq!(own(&browser, "DELETE", &path).status, 204, "{path}");
        let lines = lines(&fixture, &format!("?collection={collection}"));
        assert_eq!(lines.len(), 1, "{path}");
        assert_eq!(
            (&lines[0]["actor"], &lines[0]["record"]),
            (&json!("ada"), &json!(record))
        );
        assert_eq!(lines[0]["address"], ADDRESS);
        assert_eq!(lines[0]["before"]["subject"], "u_ada");
    }
}

#[test]
fn signing_out_everywhere_has_a_line_for_each_session_that_ended() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let _phone = fixture.signed_in_browser();
    let _tablet = fixture.signed_in_browser();
    assert_eq!(own(&browser, "DELETE", "users/me/sessions").status, 204);
    let lines = lines(&fixture, "?collection=sessions&actor=ada");
    assert_eq!(lines.len(), 3);
    let mut records: Vec<_> = lines
        .iter()
        .map(|line| line["record"].to_string())
        .collect();
    records.dedup();
    assert_eq!(records.len(), 3);
}

#[test]
fn a_consent_that_is_taken_back_on_the_account_page_is_in_the_history() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    fixture.tokens_in(&browser, "spa");
    let page = browser.open("/login");
    let (_, form) = page
        .response
        .body
        .split_once("action=\"/consent\"")
        .unwrap();
    let value = |name: &str| {
        let (_, rest) = form
            .split_once(&format!("name=\"{name}\" value=\""))
            .unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let form = support::Form::new(&[
        ("request", &value("request")),
        ("csrf", &value("csrf")),
        ("decision", "withdraw"),
        ("client", "spa"),
    ]);
    let request = Request {
        address: Some(ADDRESS.to_owned()),
        ..support::post(&form)
    };
    assert_eq!(browser.send(Endpoint::Consent, request).status, 303);
    let lines = lines(&fixture, "?collection=consents");
    assert_eq!(
        (&lines[0]["actor"], &lines[0]["record"]),
        (&json!("ada"), &json!("spa"))
    );
}

#[test]
fn a_line_is_there_when_the_end_stood_and_its_answer_was_lost_and_there_once() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    fixture.tokens_in(&browser, "web");
    let grant = id(&browser, "grants");
    // The line is part of the verb that ends: whether the feed can be told makes no difference to it.
    fixture.memory().fail(Outage::Feed);
    let listed = read(&fixture, &format!("{OAUTH2}access_tokens/"));
    let path = format!("{OAUTH2}access_tokens/{}/", listed["results"][0]["pk"]);
    let request = delete(&path);
    assert_eq!(fixture.send(Endpoint::Records, &request).status, 503);
    fixture.memory().restore();
    let before = lines(&fixture, "?collection=access_tokens");
    assert_eq!(before.len(), 1, "{before:?}");
    assert_eq!(fixture.send(Endpoint::Records, &request).status, 404);
    // Asked again as its owner: it is done, and was done by somebody else.
    assert_eq!(
        own(&browser, "DELETE", &format!("users/me/grants/{grant}")).status,
        204
    );
    assert_eq!(lines(&fixture, "?collection=access_tokens"), before);
    assert!(lines(&fixture, "?collection=grants").is_empty());
}

#[test]
fn whatever_fails_on_the_way_there_is_a_line_exactly_where_there_is_an_end() {
    for others in 0..8 {
        for fault in [Fault::Unreached, Fault::AnswerLost] {
            let fixture = Fixture::new();
            let browser = fixture.signed_in_browser();
            fixture.memory().fail_after(others, fault);
            own(&browser, "DELETE", "users/me/sessions");
            fixture.memory().restore();
            // What the feed could not be told yet is over in the shard all the same.
            let left = own(&browser.copy(), "GET", "users/me/sessions").json();
            let ended = left["results"].as_array().is_none_or(Vec::is_empty);
            let lines = lines(&fixture, "?collection=sessions").len();
            assert_eq!(lines, usize::from(ended), "{fault:?} after {others}");
        }
    }
}

#[test]
fn what_protocol_and_clients_end_is_no_change_of_anybodys() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let tokens = fixture.tokens_in(&browser, "web");
    fixture.revoke(tokens.refresh());
    browser.code(&authorization("web"));
    browser.submit(&browser.open("/logout"), &[]);
    for collection in [
        "grants",
        "refresh_tokens",
        "sessions",
        "authorization_codes",
    ] {
        assert!(
            lines(&fixture, &format!("?collection={collection}")).is_empty(),
            "{collection}"
        );
    }
}

#[test]
fn one_list_has_the_lines_of_records_and_of_ends_in_the_order_in_which_they_came() {
    let fixture = Fixture::new();
    let path = |n: u64| format!("/api/v1/roles/{n}/");
    let made = fixture
        .api("POST", "/api/v1/roles/", &json!({"name": "A"}))
        .json();
    let role = made["id"].as_u64().unwrap();
    let mut expected = vec!["roles".to_owned()];
    for (second, username) in ["ada", "bob", "root"].into_iter().enumerate() {
        fixture.later(2);
        let browser = fixture.browser_of(username);
        own(&browser, "DELETE", "users/me/sessions");
        expected.push("sessions".to_owned());
        fixture.later(2);
        fixture.api("PATCH", &path(role), &json!({"name": format!("A{second}")}));
        expected.push("roles".to_owned());
    }
    expected.reverse();
    let all = lines(&fixture, "?page_size=7");
    let collections: Vec<&str> = all
        .iter()
        .map(|line| line["collection"].as_str().unwrap())
        .collect();
    assert_eq!(collections, expected);
    let mut numbers: Vec<_> = all
        .iter()
        .map(|line| line["pk"].as_u64().unwrap())
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 7, "each has a number of its own");
    let second = lines(&fixture, "?page_size=3&page=2");
    assert_eq!(second, all[3..6]);
    let refusal = fixture.api("GET", &format!("{AUDIT}?page=21&page_size=100"), &json!({}));
    refused(&refusal, 400, "page");
    assert_eq!(
        lines(&fixture, &format!("?collection=roles&record={role}")).len(),
        4
    );
    let nobody = read(&fixture, &format!("{AUDIT}?collection=sessions&record=x"));
    assert_eq!(nobody["pagination"]["count"], 0);
}

#[test]
fn a_line_is_kept_for_as_long_as_the_setting_says() {
    let mut state = LedgerState::default();
    let end = |state: &mut LedgerState, now: u64, verb: Value| {
        let call = json!({"at": {"request": "r", "now": now}, "verb": verb});
        let call: Call<LedgerVerb> = serde_json::from_value(call).unwrap();
        state.apply(call)
    };
    let code = json!({"end_code": {
        "grant": "g", "subject": Subject::parse("u_ada").unwrap(), "client": "web",
        "session": SessionId::parse("s").unwrap(), "expires_at": 9,
        "noted": {"actor": {"name": "ada", "address": null}, "collection": "authorization_codes", "record": "1"},
    }});
    end(&mut state, 5_000, code);
    let count = |state: &mut LedgerState| {
        let list = json!({"list_ends": {"filters": [], "most": 1}});
        match end(state, 9_000, list) {
            LedgerAnswer::ListEnds(ends) => ends.count,
            other => panic!("{other:?}"),
        }
    };
    state.sweep_history(Moment(5_000));
    assert_eq!(count(&mut state), 1);
    state.sweep_history(Moment(5_001));
    assert_eq!(count(&mut state), 0);
}
