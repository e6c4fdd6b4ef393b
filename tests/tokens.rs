//! Tokens that people and services make (seed 001): what is told of them, who may see, make, change and
//! end them, and what is refused.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use edgemint::http::{Request, Response};
use edgemint::model::Scope;
use edgemint::server::Endpoint;
use serde_json::{Value, json};
use support::{
    ADDRESS, BOOTSTRAP, Browser, Fixture, Form, NOW, Operations, Outage, Seen as _, Tokens,
};

const TOKENS: &str = "/api/v1/users/ada/tokens";
const BOBS: &str = "/api/v1/users/bob/tokens";
const INFO: &str = "/api/v1/token-info";
const ANY: &str = "/api/v1/tokens";

fn request(method: &str, path: &str, body: &Value) -> Request {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let is_there = !body.is_null();
    Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        body: if is_there {
            body.to_string()
        } else {
            String::new()
        },
        content_type: is_there.then(|| "application/json".to_owned()),
        address: Some(ADDRESS.to_owned()),
        ..Request::default()
    }
}

/// Asks with a token.
fn ask(fixture: &Fixture, token: &str, method: &str, path: &str, body: &Value) -> Response {
    let request = Request {
        authorization: Some(format!("Bearer {token}")),
        ..request(method, path, body)
    };
    fixture.send(Endpoint::Tokens, &request)
}

fn get(fixture: &Fixture, token: &str, path: &str) -> Value {
    let answer = ask(fixture, token, "GET", path, &Value::Null);
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.json()
}

/// Asks with a cookie, as a page of ours does.
fn by_cookie(browser: &Browser<'_>, method: &str, path: &str, body: &Value) -> Response {
    let login = request("GET", "/api/v1/login", &Value::Null);
    let csrf = browser.send(Endpoint::Users, login).json()["csrf"].clone();
    let request = Request {
        csrf_token: csrf.as_str().map(str::to_owned),
        ..request(method, path, body)
    };
    browser.send(Endpoint::Tokens, request)
}

/// A token with everything that its person holds, and the right to speak for itself.
fn all_of(fixture: &Fixture, username: &str) -> String {
    let scopes = match username {
        "bob" => "read user:token",
        _ => "admin:token read user:token write",
    };
    fixture.user_token(username, scopes, None)
}

/// The token that an answer tells, and its key.
#[track_caller]
fn made(answer: &Response) -> (String, String) {
    assert_eq!(answer.status, 201, "{}", answer.body);
    let location = answer.header("location").unwrap();
    let key = location.rsplit('/').next().unwrap().to_owned();
    (answer.json()["token"].as_str().unwrap().to_owned(), key)
}

#[track_caller]
fn refused(answer: &Response, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(answer.json()["code"], code, "{}", answer.body);
    let content_type = answer.header("content-type");
    assert_eq!(content_type, Some("application/problem+json"));
}

/// Stops unless the input is refused at this place and for this.
#[track_caller]
fn unfit(answer: &Response, place: &[&str], kind: &str) {
    refused(answer, 422, "unfit_input");
    let error = &answer.json()["errors"][0];
    assert_eq!(error["loc"], json!(place), "{}", answer.body);
    assert_eq!(error["type"], kind, "{}", answer.body);
    assert!(error["msg"].is_string());
}

#[test]
fn what_an_epoch_ended_is_not_told_of_and_its_name_is_free() {
    let fixture = Fixture::new();
    let before = all_of(&fixture, "bob");
    let body = json!({ "token_name": "laptop", "scopes": ["read"] });
    let (old, key) = made(&ask(&fixture, &before, "POST", BOBS, &body));
    let path = format!("{BOBS}/{key}");
    assert_eq!(get(&fixture, &before, &path)["token"], key);
    let raise = Request {
        authorization: Some(format!("Bearer {BOOTSTRAP}")),
        ..request("POST", "/api/v1/epoch", &Value::Null)
    };
    assert_eq!(fixture.send(Endpoint::Epoch, &raise).status, 200);
    refused(
        &ask(&fixture, &old, "GET", INFO, &Value::Null),
        401,
        "token_revoked",
    );
    let bob = fixture.browser_of("bob");
    let listed = by_cookie(&bob, "GET", BOBS, &Value::Null);
    let types: Vec<_> = listed
        .json()
        .as_array()
        .unwrap()
        .iter()
        .map(|token| token["token_type"].clone())
        .collect();
    assert!(!types.contains(&json!("user")), "{}", listed.body);
    refused(
        &by_cookie(&bob, "GET", &path, &Value::Null),
        404,
        "no_such_record",
    );
    let ada = fixture.browser_of("ada");
    let change = json!({ "token_name": "other" });
    refused(
        &by_cookie(&ada, "PATCH", &path, &change),
        404,
        "no_such_record",
    );
    let (token, again) = made(&by_cookie(&bob, "POST", BOBS, &body));
    assert_eq!(get(&fixture, &token, INFO)["token"], again);
    // What is made now ends what nobody can show any more, and the history says so.
    let history = by_cookie(&bob, "GET", &format!("{path}/change-history"), &Value::Null);
    assert_eq!(history.json()[0]["action"], "revoke", "{}", history.body);
    assert_eq!(history.json()[0]["actor"], "<internal>");
}

#[test]
fn s1_2_a_token_is_made_and_told_once_and_is_what_was_asked_for() {
    let fixture = Fixture::new();
    let browser = fixture.browser_of("bob");
    let body =
        json!({ "token_name": "laptop", "scopes": ["user:token", "read"], "expires": NOW + 3600 });
    let answer = by_cookie(&browser, "POST", BOBS, &body);
    let (token, key) = made(&answer);
    assert_eq!(
        answer.header("location"),
        Some(format!("https://id.example{BOBS}/{key}").as_str())
    );
    let told = json!({
        "token": key, "username": "bob", "token_type": "user", "token_name": "laptop",
        "scopes": ["read", "user:token"], "created": NOW, "expires": NOW + 3600,
    });
    assert_eq!(get(&fixture, &token, INFO), told);
    assert_eq!(get(&fixture, &token, &format!("{BOBS}/{key}")), told);
    assert_eq!(
        get(&fixture, &token, &format!("/api/v1/users/me/tokens/{key}")),
        told
    );
    let secret = token.trim_start_matches("emt_");
    assert!(!get(&fixture, &token, BOBS).to_string().contains(secret));
    assert!(!fixture.memory().everything_stored().contains(secret));
    fixture.later(3600);
    refused(
        &ask(&fixture, &token, "GET", INFO, &Value::Null),
        401,
        "token_revoked",
    );
}

#[test]
fn s1_1_every_kind_of_credential_says_what_it_is() {
    let fixture = Fixture::with(|config| config.ledger_shards = 16);
    let browser = fixture.browser_of("bob");
    let session = by_cookie(&browser, "GET", INFO, &Value::Null).json();
    assert_eq!(session["token_type"], "session");
    assert_eq!(session["scopes"], json!(["read", "user:token"]));
    assert_eq!(session["expires"], json!(NOW + 24 * 3600));
    assert_eq!(session["token"].as_str().unwrap().len(), 22);
    let body = json!({ "username": "bot-ci", "token_type": "service", "scopes": ["read"] });
    let (service, _) = made(&ask(&fixture, BOOTSTRAP, "POST", ANY, &body));
    let told = get(&fixture, &service, INFO);
    let members: Vec<&String> = told.as_object().unwrap().keys().collect();
    assert_eq!(
        members,
        ["created", "scopes", "token", "token_type", "username"]
    );
    assert_eq!(
        (&told["username"], &told["token_type"]),
        (&json!("bot-ci"), &json!("service"))
    );
    // A token for another audience is nobody's here.
    let tokens = Tokens::of(&fixture.client_credentials("web"));
    let answer = ask(&fixture, &tokens.access, "GET", INFO, &Value::Null);
    refused(&answer, 401, "token_for_other_audience");
}

#[test]
fn s1_2_a_list_has_sessions_and_tokens_the_newest_first() {
    let fixture = Fixture::new();
    let browser = fixture.browser_of("bob");
    fixture.later(10);
    let (_, one) = made(&by_cookie(
        &browser,
        "POST",
        BOBS,
        &json!({ "token_name": "one" }),
    ));
    fixture.later(10);
    let (_, two) = made(&by_cookie(
        &browser,
        "POST",
        BOBS,
        &json!({ "token_name": "two" }),
    ));
    let list = by_cookie(&browser, "GET", BOBS, &Value::Null).json();
    let keys: Vec<&Value> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["token"])
        .collect();
    let session = by_cookie(&browser, "GET", INFO, &Value::Null).json();
    assert_eq!(keys, [&json!(two), &json!(one), &session["token"]]);
    assert_eq!(list[2], session);
    let path = format!("{BOBS}/{}", session["token"].as_str().unwrap());
    assert_eq!(
        by_cookie(&browser, "GET", &path, &Value::Null).json(),
        session
    );
    let ended = by_cookie(&browser, "DELETE", &path, &Value::Null);
    assert_eq!(ended.status, 204);
    assert_eq!(by_cookie(&browser, "GET", INFO, &Value::Null).status, 401);
}

#[test]
fn s1_2_an_end_is_for_good_and_asked_again_it_is_not_there() {
    let fixture = Fixture::new();
    let bob = all_of(&fixture, "bob");
    let (token, key) = made(&ask(
        &fixture,
        &bob,
        "POST",
        BOBS,
        &json!({ "token_name": "x" }),
    ));
    let path = format!("{BOBS}/{key}");
    assert_eq!(
        ask(&fixture, &bob, "DELETE", &path, &Value::Null).status,
        204
    );
    for method in ["DELETE", "GET"] {
        refused(
            &ask(&fixture, &bob, method, &path, &Value::Null),
            404,
            "no_such_record",
        );
    }
    refused(
        &ask(&fixture, &token, "GET", INFO, &Value::Null),
        401,
        "token_revoked",
    );
    // Its name is free again.
    made(&ask(
        &fixture,
        &bob,
        "POST",
        BOBS,
        &json!({ "token_name": "x" }),
    ));
}

#[test]
fn s1_2_who_makes_tokens_in_a_loop_has_to_wait_and_may_end_them_meanwhile() {
    let fixture = Fixture::new();
    let token = fixture.user_token("ada", "user:token", None);
    let make = |name: String| {
        let body = json!({"token_name": name, "scopes": []});
        ask(&fixture, &token, "POST", TOKENS, &body)
    };
    let end = |answer: &Response| {
        let path = answer.header("location").unwrap();
        let path = path.strip_prefix("https://id.example").unwrap().to_owned();
        ask(&fixture, &token, "DELETE", &path, &Value::Null).status
    };
    let first = make("first".to_owned());
    for number in 1..100 {
        assert_eq!(end(&make(format!("{number}"))), 204, "{number}");
    }
    let refused = make("one more".to_owned());
    assert_eq!(refused.status, 429, "{}", refused.body);
    assert_eq!(refused.reason.as_ref().unwrap().label(), "too_many_tokens");
    assert_eq!(refused.header("retry-after"), Some("3600"));
    // Others are none of it, nor is what an administrator makes.
    let bobs = fixture.user_token("bob", "user:token", None);
    let body = json!({"token_name": "bobs", "scopes": []});
    assert_eq!(ask(&fixture, &bobs, "POST", BOBS, &body).status, 201);
    let body = json!({"username": "ada", "token_type": "user", "token_name": "given"});
    assert_eq!(ask(&fixture, BOOTSTRAP, "POST", ANY, &body).status, 201);
    assert_eq!(end(&first), 204);
    fixture.later(3600);
    assert_eq!(make("one more".to_owned()).status, 201);
}

#[test]
fn s1_2_only_an_administrator_changes_a_token_and_only_one_that_somebody_named() {
    let fixture = Fixture::new();
    let (ada, bob) = (all_of(&fixture, "ada"), all_of(&fixture, "bob"));
    let body = json!({ "token_name": "x", "scopes": ["read"], "expires": NOW + 3600 });
    let (token, key) = made(&ask(&fixture, &bob, "POST", BOBS, &body));
    let path = format!("{BOBS}/{key}");
    let change = json!({ "token_name": "y", "scopes": ["user:token"], "expires": null });
    refused(
        &ask(&fixture, &bob, "PATCH", &path, &change),
        403,
        "permission_denied",
    );
    let answer = ask(&fixture, &ada, "PATCH", &path, &change);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let told = json!({
        "token": key, "username": "bob", "token_type": "user", "token_name": "y",
        "scopes": ["user:token"], "created": NOW,
    });
    assert_eq!(answer.json(), told);
    assert_eq!(get(&fixture, &token, INFO), told);
    // What is absent stays; what is empty is emptied.
    let answer = ask(&fixture, &ada, "PATCH", &path, &json!({ "scopes": [] }));
    assert_eq!(answer.json()["scopes"], json!([]));
    assert_eq!(answer.json()["token_name"], "y");
    refused(
        &ask(&fixture, &token, "GET", BOBS, &Value::Null),
        403,
        "insufficient_scope",
    );
    let none = "AAAAAAAAAAAAAAAAAAAAAA";
    let missing = ask(&fixture, &ada, "PATCH", &format!("{BOBS}/{none}"), &change);
    refused(&missing, 404, "no_such_record");
    let body = json!({ "username": "bot-ci", "token_type": "service" });
    let (_, key) = made(&ask(&fixture, &ada, "POST", ANY, &body));
    let path = format!("/api/v1/users/bot-ci/tokens/{key}");
    refused(
        &ask(&fixture, &ada, "PATCH", &path, &change),
        403,
        "permission_denied",
    );
    let browser = fixture.browser_of("bob");
    let session = by_cookie(&browser, "GET", INFO, &Value::Null).json();
    let path = format!("{BOBS}/{}", session["token"].as_str().unwrap());
    refused(
        &ask(&fixture, &ada, "PATCH", &path, &change),
        403,
        "permission_denied",
    );
}

#[test]
fn s1_2_an_end_is_five_minutes_ahead_at_least() {
    let fixture = Fixture::new();
    let ada = all_of(&fixture, "ada");
    let (_, key) = made(&ask(
        &fixture,
        &ada,
        "POST",
        TOKENS,
        &json!({ "token_name": "x" }),
    ));
    let now = i64::try_from(NOW).unwrap();
    for expires in [-now, -1, 0, now, now + 299] {
        let body = json!({ "token_name": "y", "expires": expires });
        let answer = ask(&fixture, &ada, "POST", TOKENS, &body);
        unfit(&answer, &["body", "expires"], "invalid_expires");
        let answer = ask(
            &fixture,
            &ada,
            "PATCH",
            &format!("{TOKENS}/{key}"),
            &json!({ "expires": expires }),
        );
        unfit(&answer, &["body", "expires"], "invalid_expires");
        let body = json!({ "username": "bot-x", "token_type": "service", "expires": expires });
        unfit(
            &ask(&fixture, BOOTSTRAP, "POST", ANY, &body),
            &["body", "expires"],
            "invalid_expires",
        );
    }
    for (expires, read) in [
        (json!(NOW + 300), NOW + 300),
        (json!("2027-01-15T08:05:00Z"), NOW + 300),
        (json!("2027-01-15T08:05:00.999999Z"), NOW + 300),
        (json!("2027-01-15T10:05:01+02:00"), NOW + 301),
    ] {
        let body = json!({ "expires": expires });
        let answer = ask(&fixture, &ada, "PATCH", &format!("{TOKENS}/{key}"), &body);
        assert_eq!(answer.json()["expires"], read, "{}", answer.body);
    }
    for expires in [
        json!("soon"),
        json!(1.5),
        json!([]),
        json!("2027-02-30T00:00:00Z"),
    ] {
        let body = json!({ "token_name": "y", "expires": expires });
        unfit(
            &ask(&fixture, &ada, "POST", TOKENS, &body),
            &["body", "expires"],
            "datetime_type",
        );
    }
}

#[test]
fn s1_2_scopes_exist_and_are_held_by_who_gives_them() {
    let fixture = Fixture::new();
    let (ada, bob) = (all_of(&fixture, "ada"), all_of(&fixture, "bob"));
    let (_, key) = made(&ask(
        &fixture,
        &ada,
        "POST",
        TOKENS,
        &json!({ "token_name": "x" }),
    ));
    for scopes in [
        json!(["nothing"]),
        json!(["read", "nothing"]),
        json!(["a b"]),
        json!([""]),
    ] {
        let body = json!({ "token_name": "y", "scopes": scopes });
        for (who, path) in [(&ada, TOKENS), (&bob, BOBS)] {
            unfit(
                &ask(&fixture, who, "POST", path, &body),
                &["body", "scopes"],
                "invalid_scopes",
            );
        }
        let answer = ask(
            &fixture,
            &ada,
            "PATCH",
            &format!("{TOKENS}/{key}"),
            &json!({ "scopes": scopes }),
        );
        unfit(&answer, &["body", "scopes"], "invalid_scopes");
    }
    for scopes in [["write"], ["admin:token"]] {
        let body = json!({ "token_name": "y", "scopes": scopes });
        unfit(
            &ask(&fixture, &bob, "POST", BOBS, &body),
            &["body", "scopes"],
            "invalid_scopes",
        );
    }
    // Less than its person has, a token cannot pass on what it has not.
    let little = fixture.user_token("ada", "user:token", None);
    let body = json!({ "token_name": "y", "scopes": ["read"] });
    unfit(
        &ask(&fixture, &little, "POST", TOKENS, &body),
        &["body", "scopes"],
        "invalid_scopes",
    );
    for scopes in [json!("read"), json!({}), json!([1])] {
        let body = json!({ "token_name": "y", "scopes": scopes });
        unfit(
            &ask(&fixture, &ada, "POST", TOKENS, &body),
            &["body", "scopes"],
            "set_type",
        );
    }
}

#[test]
fn s1_2_a_name_is_there_unique_and_no_longer_than_64() {
    let fixture = Fixture::new();
    let (ada, bob) = (all_of(&fixture, "ada"), all_of(&fixture, "bob"));
    let named = |name: Value| json!({ "token_name": name });
    let (_, key) = made(&ask(&fixture, &bob, "POST", BOBS, &named(json!("x"))));
    made(&ask(
        &fixture,
        &bob,
        "POST",
        BOBS,
        &named(json!("ü".repeat(64))),
    ));
    let clash = |answer: &Response| {
        refused(answer, 409, "duplicate_token_name");
        assert_eq!(
            answer.json()["errors"][0]["loc"],
            json!(["body", "token_name"])
        );
    };
    clash(&ask(&fixture, &bob, "POST", BOBS, &named(json!("x"))));
    let other = named(json!("ü".repeat(64)));
    clash(&ask(
        &fixture,
        &ada,
        "PATCH",
        &format!("{BOBS}/{key}"),
        &other,
    ));
    let body = json!({ "username": "bob", "token_type": "user", "token_name": "x" });
    clash(&ask(&fixture, BOOTSTRAP, "POST", ANY, &body));
    // Somebody else's may be called so.
    made(&ask(&fixture, &ada, "POST", TOKENS, &named(json!("x"))));
    for (name, kind) in [
        (json!(""), "string_too_short"),
        (json!("x".repeat(65)), "string_too_long"),
        (json!(null), "string_type"),
        (json!(1), "string_type"),
    ] {
        for (who, method, path) in [
            (&bob, "POST", BOBS.to_owned()),
            (&ada, "PATCH", format!("{BOBS}/{key}")),
        ] {
            let answer = ask(&fixture, who, method, &path, &named(name.clone()));
            unfit(&answer, &["body", "token_name"], kind);
        }
    }
    unfit(
        &ask(&fixture, &bob, "POST", BOBS, &json!({})),
        &["body", "token_name"],
        "missing",
    );
    let body = json!({ "token_name": "z", "colour": 1 });
    unfit(
        &ask(&fixture, &bob, "POST", BOBS, &body),
        &["body", "colour"],
        "extra_forbidden",
    );
}

#[test]
fn s1_3_an_administrator_makes_tokens_for_services_and_for_people() {
    let fixture = Fixture::new();
    let ada = all_of(&fixture, "ada");
    for who in [BOOTSTRAP, &ada] {
        let body =
            json!({ "username": "bot-some.service", "token_type": "service", "scopes": ["read"] });
        let answer = ask(&fixture, who, "POST", ANY, &body);
        let (token, key) = made(&answer);
        let path = format!("/api/v1/users/bot-some.service/tokens/{key}");
        assert!(answer.header("location").unwrap().ends_with(&path));
        assert_eq!(get(&fixture, &ada, &path), get(&fixture, &token, INFO));
    }
    let body = json!({ "username": "bob", "token_type": "user", "token_name": "x", "scopes": ["read", "write"] });
    let (token, _) = made(&ask(&fixture, BOOTSTRAP, "POST", ANY, &body));
    // It never allows more than its person.
    assert_eq!(get(&fixture, &token, INFO)["scopes"], json!(["read"]));
    refused(
        &ask(&fixture, &all_of(&fixture, "bob"), "POST", ANY, &body),
        403,
        "insufficient_scope",
    );
    let with = |name: &str, value: Value| {
        let mut changed = body.clone();
        changed[name] = value;
        ask(&fixture, BOOTSTRAP, "POST", ANY, &changed)
    };
    unfit(
        &with("token_type", json!("session")),
        &["body", "token_type"],
        "enum",
    );
    unfit(
        &with("token_name", json!(null)),
        &["body", "token_name"],
        "missing",
    );
    unfit(
        &with("scopes", json!(["bogus"])),
        &["body", "scopes"],
        "invalid_scopes",
    );
    unfit(
        &with("username", json!("invalid(user)")),
        &["body", "username"],
        "string_pattern_mismatch",
    );
    unfit(
        &with("username", json!("nobody")),
        &["body", "username"],
        "value_error",
    );
    unfit(
        &with("username", json!(null)),
        &["body", "username"],
        "missing",
    );
    for name in ["some-user", "bot", "botuser", "bot-"] {
        let body = json!({ "username": name, "token_type": "service" });
        refused(
            &ask(&fixture, BOOTSTRAP, "POST", ANY, &body),
            403,
            "permission_denied",
        );
    }
    refused(&with("username", json!("bot-x")), 403, "permission_denied");
    let body = json!({ "username": "bot-x", "token_type": "service", "token_name": "x" });
    unfit(
        &ask(&fixture, BOOTSTRAP, "POST", ANY, &body),
        &["body", "token_name"],
        "value_error",
    );
}

#[test]
fn s1_3_the_bootstrap_token_is_nobody_where_somebody_is_spoken_of() {
    let fixture = Fixture::new();
    let key = "AAAAAAAAAAAAAAAAAAAAAA";
    for (method, path) in [
        ("GET", INFO.to_owned()),
        ("GET", "/api/v1/user-info".to_owned()),
        ("GET", TOKENS.to_owned()),
        ("POST", TOKENS.to_owned()),
        ("GET", format!("{TOKENS}/{key}")),
        ("PATCH", format!("{TOKENS}/{key}")),
        ("DELETE", format!("{TOKENS}/{key}")),
        ("GET", format!("{TOKENS}/{key}/change-history")),
        ("GET", "/api/v1/users/ada/token-change-history".to_owned()),
    ] {
        let body = json!({ "token_name": "x" });
        refused(
            &ask(&fixture, BOOTSTRAP, method, &path, &body),
            401,
            "token_unknown",
        );
        let nobody = fixture.send(Endpoint::Tokens, &request(method, &path, &body));
        refused(&nobody, 401, "no_token");
    }
    let all = "/api/v1/history/token-changes";
    assert_eq!(get(&fixture, BOOTSTRAP, all), json!([]));
    for (method, path) in [("GET", all), ("POST", ANY)] {
        let nobody = fixture.send(Endpoint::Tokens, &request(method, path, &json!({})));
        refused(&nobody, 401, "no_token");
    }
}

#[test]
fn s1_2_nobody_sees_or_touches_what_is_somebody_elses() {
    let fixture = Fixture::new();
    let (ada, bob) = (all_of(&fixture, "ada"), all_of(&fixture, "bob"));
    let (_, key) = made(&ask(
        &fixture,
        &ada,
        "POST",
        TOKENS,
        &json!({ "token_name": "x" }),
    ));
    let none = "AAAAAAAAAAAAAAAAAAAAAA";
    for username in ["ada", "nobody", "bot-ci"] {
        let tokens = format!("/api/v1/users/{username}/tokens");
        for key in [key.as_str(), none] {
            for (method, path) in [
                ("GET", tokens.clone()),
                ("POST", tokens.clone()),
                ("GET", format!("{tokens}/{key}")),
                ("PATCH", format!("{tokens}/{key}")),
                ("DELETE", format!("{tokens}/{key}")),
                ("GET", format!("{tokens}/{key}/change-history")),
                (
                    "GET",
                    format!("/api/v1/users/{username}/token-change-history"),
                ),
            ] {
                let answer = ask(&fixture, &bob, method, &path, &json!({ "token_name": "y" }));
                refused(&answer, 403, "permission_denied");
            }
        }
    }
    for (who, method, path) in [
        (&bob, "GET", format!("{BOBS}/{key}")),
        (&bob, "DELETE", format!("{BOBS}/{key}")),
        (&bob, "GET", format!("{BOBS}/{key}/change-history")),
        (&ada, "GET", format!("{BOBS}/{key}")),
        (&ada, "DELETE", format!("{BOBS}/{key}")),
        (&ada, "PATCH", format!("{BOBS}/{key}")),
        (&ada, "GET", "/api/v1/users/nobody/tokens".to_owned()),
    ] {
        refused(
            &ask(&fixture, who, method, &path, &json!({})),
            404,
            "no_such_record",
        );
    }
    // Who administers has a path of its own to make tokens of others.
    let answer = ask(&fixture, &ada, "POST", BOBS, &json!({ "token_name": "y" }));
    refused(&answer, 403, "permission_denied");
    assert!(get(&fixture, &ada, BOBS).is_array());
    for path in [format!("{BOBS}/short"), format!("{BOBS}/{none}AA")] {
        unfit(
            &ask(&fixture, &bob, "GET", &path, &Value::Null),
            &["path", "key"],
            "string_pattern_mismatch",
        );
    }
    let path = "/api/v1/users/in(valid)/tokens";
    let answer = ask(&fixture, &ada, "GET", path, &Value::Null);
    unfit(&answer, &["path", "username"], "string_pattern_mismatch");
}

#[test]
fn s1_2_who_lacks_user_token_speaks_for_nobody() {
    let fixture = Fixture::new();
    let little = fixture.user_token("bob", "read", None);
    for (method, path) in [
        ("GET", BOBS),
        ("POST", BOBS),
        ("GET", "/api/v1/users/bob/token-change-history"),
    ] {
        let answer = ask(
            &fixture,
            &little,
            method,
            path,
            &json!({ "token_name": "x" }),
        );
        refused(&answer, 403, "insufficient_scope");
    }
    assert_eq!(get(&fixture, &little, INFO)["scopes"], json!(["read"]));
    assert_eq!(
        get(&fixture, &little, "/api/v1/user-info")["username"],
        "bob"
    );
}

#[test]
fn s1_9_a_change_by_cookie_needs_the_sessions_own_value() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let (_, key) = made(&by_cookie(
        &browser,
        "POST",
        TOKENS,
        &json!({ "token_name": "x" }),
    ));
    let of = |path: &str| format!("{TOKENS}/{path}");
    for (method, path) in [
        ("POST", TOKENS.to_owned()),
        ("PATCH", of(&key)),
        ("DELETE", of(&key)),
        ("POST", ANY.to_owned()),
    ] {
        for csrf in [None, Some("x".to_owned())] {
            let request = Request {
                csrf_token: csrf,
                ..request(method, &path, &json!({ "token_name": "y" }))
            };
            let answer = browser.send(Endpoint::Tokens, request);
            refused(&answer, 403, "invalid_csrf");
            let error = &answer.json()["errors"][0];
            assert_eq!(error["loc"], json!(["header", "X-CSRF-Token"]));
            assert_eq!(error["type"], "invalid_csrf");
        }
    }
    assert_eq!(
        by_cookie(&browser, "DELETE", &of(&key), &Value::Null).status,
        204
    );
}

#[test]
fn s1_2_a_form_makes_nothing() {
    let fixture = Fixture::new();
    let ada = all_of(&fixture, "ada");
    for path in [TOKENS, ANY] {
        let form = Form::new(&[
            ("token_name", "x"),
            ("username", "bot-x"),
            ("token_type", "service"),
        ]);
        let request = Request {
            authorization: Some(format!("Bearer {ada}")),
            path: path.to_owned(),
            ..support::post(&form)
        };
        unfit(
            &fixture.send(Endpoint::Tokens, &request),
            &["body"],
            "model_attributes_type",
        );
    }
    for body in ["", "[]", "{", "{\"token_name\":\"x\",\"token_name\":\"y\"}"] {
        let request = Request {
            authorization: Some(format!("Bearer {ada}")),
            body: body.to_owned(),
            ..request("POST", TOKENS, &json!({}))
        };
        unfit(
            &fixture.send(Endpoint::Tokens, &request),
            &["body"],
            "json_invalid",
        );
    }
}

#[test]
fn s1_2_whatever_ends_a_person_or_narrows_them_reaches_their_tokens() {
    let fixture = Fixture::new();
    let info = |token: &str| ask(&fixture, token, "GET", INFO, &Value::Null);
    let token = fixture.user_token("ada", "read write", None);
    assert_eq!(info(&token).json()["scopes"], json!(["read", "write"]));
    fixture.change_account("ada", |account| {
        account.scope = Some(Scope::parse("write").unwrap())
    });
    assert_eq!(info(&token).json()["scopes"], json!(["write"]));
    fixture.change_password("ada", "another long password");
    refused(&info(&token), 401, "token_revoked");
    let token = fixture.user_token("ada", "write", None);
    assert_eq!(info(&token).status, 200);
    fixture.disable_account("ada");
    refused(&info(&token), 401, "token_revoked");
    fixture.change_account("ada", |account| account.active = Some(true));
    refused(&info(&token), 401, "token_revoked");
    // A token outlives the session that made it.
    let browser = fixture.browser_of("bob");
    let (token, _) = made(&by_cookie(
        &browser,
        "POST",
        BOBS,
        &json!({ "token_name": "x" }),
    ));
    browser.sign_out();
    assert_eq!(info(&token).status, 200);
}

#[test]
fn s1_3_a_scope_that_is_deleted_is_taken_from_services_and_people() {
    let fixture = Fixture::new();
    let body =
        json!({ "username": "bot-ci", "token_type": "service", "scopes": ["read", "write"] });
    let (service, _) = made(&ask(&fixture, BOOTSTRAP, "POST", ANY, &body));
    let person = fixture.user_token("ada", "read write", None);
    let scopes = |token: &str| get(&fixture, token, INFO)["scopes"].clone();
    assert_eq!(
        (scopes(&service), scopes(&person)),
        (json!(["read", "write"]), json!(["read", "write"]))
    );
    let list = support::records::read(&fixture, "/api/v1/scopes/?value=write");
    let path = support::records::at("/api/v1/scopes/", &list["results"][0]);
    assert_eq!(fixture.api("DELETE", &path, &json!({})).status, 204);
    assert_eq!(
        (scopes(&service), scopes(&person)),
        (json!(["read"]), json!(["read"]))
    );
    // Nor does another one of that name give it back.
    fixture.later(25 * 3600);
    support::records::made(
        &fixture,
        "/api/v1/scopes/",
        json!({ "name": "write", "value": "write" }),
    );
    assert_eq!(
        (scopes(&service), scopes(&person)),
        (json!(["read"]), json!(["read"]))
    );
}

#[test]
fn s1_2_what_is_no_token_is_none() {
    let fixture = Fixture::new();
    let token = all_of(&fixture, "bob");
    let (body, last) = token.split_at(token.len() - 1);
    let other = if last == "A" { "B" } else { "A" };
    for text in [
        format!("{body}{other}"),
        body.to_owned(),
        format!("{token}A"),
        token.replace("emt_", "ems_"),
        token.replace("emt_", "ema_"),
        "emt_".to_owned(),
        "emt_AAAA".to_owned(),
        "gt-MLF5MB3Peg79wEC0BY8U8Q.ChbkqEyp3EIJ2e_1Sqff3w".to_owned(),
    ] {
        let answer = ask(&fixture, &text, "GET", INFO, &Value::Null);
        refused(&answer, 401, "token_unknown");
    }
}

#[test]
fn a_token_that_is_known_costs_nothing() {
    let fixture = Fixture::new();
    let token = all_of(&fixture, "bob");
    get(&fixture, &token, INFO);
    let cost = fixture.cost(|| drop(get(&fixture, &token, INFO)));
    assert_eq!(Operations { feed: 0, ..cost }, Operations::default());
    fixture.later(3600);
    let cost = fixture.cost(|| drop(get(&fixture, &token, INFO)));
    assert_eq!(cost.ledger, 1);
}

#[test]
fn while_something_is_away_nothing_is_said_of_a_token() {
    let fixture = Fixture::new();
    let token = all_of(&fixture, "bob");
    fixture.memory().fail(Outage::Ledger);
    let answer = ask(&fixture, &token, "GET", INFO, &Value::Null);
    refused(&answer, 503, "unavailable");
    fixture.memory().restore();
    get(&fixture, &token, INFO);
    fixture.memory().fail(Outage::Ledger);
    assert_eq!(ask(&fixture, &token, "GET", INFO, &Value::Null).status, 200);
    refused(
        &ask(&fixture, &token, "GET", BOBS, &Value::Null),
        503,
        "unavailable",
    );
    fixture.memory().restore();
    fixture.memory().fail(Outage::Feed);
    refused(
        &ask(&fixture, &token, "GET", INFO, &Value::Null),
        503,
        "unavailable",
    );
}
