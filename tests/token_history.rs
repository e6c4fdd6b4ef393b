//! What happened to tokens (seed 001): by whom, from where, in which order, and page by page.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use edgemint::gate::delegate::LIFETIME;
use edgemint::http::{Request, Response};
use edgemint::server::Endpoint;
use serde_json::{Value, json};
use support::{BOOTSTRAP, Fixture, NOW, Seen as _, gate};

const ALL: &str = "/api/v1/history/token-changes";
const OWN: &str = "/api/v1/users/bob/token-change-history";
const TOKENS: &str = "/api/v1/users/bob/tokens";
const ANY: &str = "/api/v1/tokens";

/// Asks with a token, from an address.
fn from(
    fixture: &Fixture,
    address: &str,
    token: &str,
    method: &str,
    path: &str,
    body: &Value,
) -> Response {
    let path = path.strip_prefix("https://id.example").unwrap_or(path);
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let request = Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        body: body.to_string(),
        content_type: Some("application/json".to_owned()),
        authorization: Some(format!("Bearer {token}")),
        address: Some(address.to_owned()),
        ..Request::default()
    };
    fixture.send(Endpoint::Tokens, &request)
}

fn ask(fixture: &Fixture, token: &str, path: &str) -> Response {
    from(fixture, support::ADDRESS, token, "GET", path, &Value::Null)
}

#[track_caller]
fn lines(answer: &Response) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json().as_array().unwrap().clone()
}

fn link(answer: &Response, rel: &str) -> Option<String> {
    let links = answer.header("link")?;
    let wanted = format!("; rel=\"{rel}\"");
    let link = links
        .split(", ")
        .find_map(|link| link.strip_suffix(&wanted))?;
    Some(link.trim_matches(['<', '>']).to_owned())
}

fn actions(lines: &[Value]) -> Vec<&str> {
    lines
        .iter()
        .map(|line| line["action"].as_str().unwrap())
        .collect()
}

/// `bob`, his token and its key after it was made, changed by `ada` and ended.
fn story(fixture: &Fixture) -> (String, String, String) {
    let bob = fixture.user_token("bob", "read user:token", None);
    let ada = fixture.user_token("ada", "admin:token", None);
    fixture.later(1);
    let body = json!({ "token_name": "one", "scopes": ["read"], "expires": NOW + 4000 });
    let made = from(fixture, "192.0.2.7", &bob, "POST", TOKENS, &body);
    let key = made
        .header("location")
        .unwrap()
        .rsplit('/')
        .next()
        .unwrap()
        .to_owned();
    let path = format!("{TOKENS}/{key}");
    fixture.later(1);
    let change = json!({ "token_name": "two", "scopes": [], "expires": null });
    assert_eq!(
        from(fixture, "2001:db8::7", &ada, "PATCH", &path, &change).status,
        200
    );
    fixture.later(1);
    assert_eq!(
        from(fixture, "192.0.2.8", &bob, "DELETE", &path, &Value::Null).status,
        204
    );
    (bob, ada, key)
}

#[test]
fn s1_7_a_token_has_a_history_with_actor_and_address_and_what_was_before_an_edit_alone() {
    let fixture = Fixture::new();
    let (bob, ada, key) = story(&fixture);
    let path = format!("{TOKENS}/{key}/change-history");
    let told = json!([
        {
            "token": key, "username": "bob", "token_type": "user", "token_name": "two", "scopes": [],
            "expires": null, "actor": "bob", "action": "revoke", "ip_address": "192.0.2.8",
            "event_time": NOW + 3,
        },
        {
            "token": key, "username": "bob", "token_type": "user", "token_name": "two", "scopes": [],
            "expires": null, "actor": "ada", "action": "edit", "ip_address": "2001:db8::7",
            "event_time": NOW + 2, "old_token_name": "one", "old_scopes": ["read"],
            "old_expires": NOW + 4000,
        },
        {
            "token": key, "username": "bob", "token_type": "user", "token_name": "one",
            "scopes": ["read"], "expires": NOW + 4000, "actor": "bob", "action": "create",
            "ip_address": "192.0.2.7", "event_time": NOW + 1,
        },
    ]);
    for who in [&bob, &ada] {
        assert_eq!(ask(&fixture, who, &path).json(), told);
    }
    let none = format!("{TOKENS}/AAAAAAAAAAAAAAAAAAAAAA/change-history");
    assert_eq!(ask(&fixture, &bob, &none).status, 404);
}

#[test]
fn s1_7_what_was_delegated_from_a_token_crowds_nothing_out_of_its_own_history() {
    let fixture = gate::fixture();
    let bob = fixture.user_token("bob", "read user:token", None);
    let key = fixture.key_of(&bob);
    for service in 0..1_001 {
        if service == 1_000 {
            // So many are delegated at once, and no more.
            fixture.later(LIFETIME.0);
        }
        let delegating = gate::bearing(&format!("delegate_to=s{service}"), &bob);
        assert_eq!(fixture.gate(&delegating).status, 200);
    }
    let history = ask(&fixture, &bob, &format!("{TOKENS}/{key}/change-history"));
    assert_eq!(actions(&lines(&history)), ["create"]);
    // Who asks for all without a limit gets a thousand, and where the rest is.
    let whole = ask(&fixture, &bob, OWN);
    assert_eq!(lines(&whole).len(), 1_000);
    assert_eq!(whole.header("x-total-count"), Some("1002"));
    let rest = ask(&fixture, &bob, &link(&whole, "next").unwrap());
    assert_eq!(lines(&rest).len(), 2);
    // Where that is all, nothing is linked to.
    let one = ask(&fixture, &bob, &format!("{OWN}?token_type=user"));
    assert_eq!((one.header("link"), lines(&one).len()), (None, 1));
}

#[test]
fn s1_7_a_history_is_narrowed_by_every_filter() {
    let fixture = Fixture::new();
    let (bob, ada, key) = story(&fixture);
    fixture.later(1);
    let body = json!({ "username": "bot-ci", "token_type": "service" });
    assert_eq!(
        from(&fixture, "2001:db8:1::1", BOOTSTRAP, "POST", ANY, &body).status,
        201
    );
    let whole = lines(&ask(&fixture, &ada, ALL));
    assert_eq!(whole.len(), 6);
    assert_eq!(whole[0]["actor"], "<bootstrap>");
    let since = NOW + 2;
    for (filter, expected) in [
        (
            String::new(),
            vec!["create", "revoke", "edit", "create", "create", "create"],
        ),
        (format!("since={since}"), vec!["create", "revoke", "edit"]),
        (
            "since=2027-01-15T08:00:02Z".to_owned(),
            vec!["create", "revoke", "edit"],
        ),
        (
            format!("until={}", NOW + 1),
            vec!["create", "create", "create"],
        ),
        (format!("since={since}&until={since}"), vec!["edit"]),
        (format!("key={key}"), vec!["revoke", "edit", "create"]),
        ("username=bot-ci".to_owned(), vec!["create"]),
        ("token_type=service".to_owned(), vec!["create"]),
        ("token_type=notebook".to_owned(), vec![]),
        ("actor=ada".to_owned(), vec!["edit"]),
        ("actor=%3Cbootstrap%3E".to_owned(), vec!["create"]),
        ("ip_address=192.0.2.7".to_owned(), vec!["create"]),
        (
            "ip_address=192.0.2.0/24".to_owned(),
            vec!["revoke", "create"],
        ),
        (
            "ip_address=2001:db8::/32".to_owned(),
            vec!["create", "edit"],
        ),
        ("ip_address=198.51.100.0%2F24&actor=ada".to_owned(), vec![]),
    ] {
        let found = lines(&ask(&fixture, &ada, &format!("{ALL}?{filter}")));
        assert_eq!(actions(&found), expected, "{filter}");
    }
    let own = lines(&ask(
        &fixture,
        &bob,
        &format!("{OWN}?key={key}&ip_address=192.0.2.0/24"),
    ));
    assert_eq!(actions(&own), ["revoke", "create"]);
    assert_eq!(lines(&ask(&fixture, &ada, OWN)).len(), 4);
    assert_eq!(
        lines(&ask(
            &fixture,
            &ada,
            "/api/v1/users/bot-ci/token-change-history"
        ))
        .len(),
        1
    );
}

#[test]
fn s1_7_a_filter_that_does_not_fit_is_named() {
    let fixture = Fixture::new();
    let bob = fixture.user_token("bob", "user:token", None);
    for (path, token) in [(ALL, BOOTSTRAP), (OWN, bob.as_str())] {
        for (query, kind) in [
            ("since=soon", "datetime_type"),
            ("until=", "datetime_type"),
            ("key=short", "string_pattern_mismatch"),
            ("token_type=bogus", "enum"),
            ("ip_address=192.0.2.256", "invalid_ip_address"),
            ("ip_address=192.0.2.1/24", "invalid_ip_address"),
            ("limit=0", "greater_than_equal"),
            ("limit=-1", "greater_than_equal"),
            ("limit=x", "greater_than_equal"),
            ("cursor=x", "invalid_cursor"),
            ("cursor=1614985055-4234", "invalid_cursor"),
            ("colour=red", "extra_forbidden"),
            ("limit=1&limit=2", "value_error"),
        ] {
            let answer = ask(&fixture, token, &format!("{path}?{query}"));
            assert_eq!(answer.status, 422, "{query}");
            let error = &answer.json()["errors"][0];
            let name = query.split('=').next().unwrap();
            assert_eq!(error["loc"], json!(["query", name]), "{query}");
            assert_eq!(error["type"], kind, "{query}");
        }
    }
    // Whom a path speaks of is no filter.
    for query in ["username=ada", "actor=ada"] {
        assert_eq!(ask(&fixture, &bob, &format!("{OWN}?{query}")).status, 422);
    }
    assert_eq!(ask(&fixture, &bob, ALL).status, 403);
}

#[test]
fn s1_7_a_walk_forward_and_back_meets_everything_once() {
    let fixture = Fixture::new();
    // Of several shards, two in each second.
    for number in 0..23 {
        let body = json!({ "username": format!("bot-{}", number % 7), "token_type": "service" });
        assert_eq!(
            from(&fixture, "192.0.2.1", BOOTSTRAP, "POST", ANY, &body).status,
            201
        );
        fixture.later(number % 2);
    }
    let whole = lines(&ask(&fixture, BOOTSTRAP, ALL));
    assert_eq!(whole.len(), 23);
    assert!(ask(&fixture, BOOTSTRAP, ALL).header("link").is_none());
    assert!(
        ask(&fixture, BOOTSTRAP, ALL)
            .header("x-total-count")
            .is_none()
    );
    for size in [1, 5, 22, 23, 24] {
        let mut answer = ask(&fixture, BOOTSTRAP, &format!("{ALL}?limit={size}"));
        assert_eq!(link(&answer, "prev"), None);
        let first = link(&answer, "first").unwrap();
        let mut pages = Vec::new();
        loop {
            assert_eq!(answer.header("x-total-count"), Some("23"));
            assert_eq!(link(&answer, "first").unwrap(), first);
            pages.push(lines(&answer));
            let Some(next) = link(&answer, "next") else {
                break;
            };
            answer = ask(&fixture, BOOTSTRAP, &next);
        }
        assert_eq!(pages.concat(), whole, "{size}");
        for page in pages.iter().rev().skip(1) {
            let previous = link(&answer, "prev").unwrap();
            assert!(previous.contains("cursor=p"));
            answer = ask(&fixture, BOOTSTRAP, &previous);
            assert_eq!(&lines(&answer), page, "{size}");
            assert!(link(&answer, "next").is_some());
        }
        if pages.len() > 1 {
            assert_eq!(link(&answer, "prev"), None, "{size}");
        }
    }
}

#[test]
fn s1_7_what_was_made_meanwhile_moves_nothing_on_a_walk() {
    let fixture = Fixture::new();
    let make = |name: &str| {
        let body = json!({ "username": name, "token_type": "service" });
        assert_eq!(
            from(&fixture, "192.0.2.1", BOOTSTRAP, "POST", ANY, &body).status,
            201
        );
        fixture.later(1);
    };
    ["bot-1", "bot-2", "bot-3", "bot-4"]
        .into_iter()
        .for_each(make);
    let first = ask(&fixture, BOOTSTRAP, &format!("{ALL}?limit=2"));
    make("bot-5");
    let second = ask(&fixture, BOOTSTRAP, &link(&first, "next").unwrap());
    let names = |answer: &Response| -> Vec<String> {
        let lines = lines(answer);
        lines
            .iter()
            .map(|line| line["username"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&first), ["bot-4", "bot-3"]);
    assert_eq!(names(&second), ["bot-2", "bot-1"]);
    let back = ask(&fixture, BOOTSTRAP, &link(&second, "prev").unwrap());
    assert_eq!(names(&back), ["bot-4", "bot-3"]);
    let back = ask(&fixture, BOOTSTRAP, &link(&back, "prev").unwrap());
    assert_eq!(names(&back), ["bot-5"]);
}

#[test]
fn s1_7_what_ends_by_itself_or_with_its_person_is_in_the_history() {
    let fixture = Fixture::new();
    let ada = fixture.user_token("ada", "admin:token", None);
    let token = fixture.user_token("bob", "read", None);
    fixture.disable_account("bob");
    let found = lines(&ask(&fixture, &ada, &format!("{ALL}?username=bob")));
    assert_eq!(actions(&found), ["revoke", "create"]);
    assert_eq!(found[0]["actor"], "<internal>");
    assert!(
        !found[0]
            .to_string()
            .contains(token.trim_start_matches("emt_"))
    );
}
