//! Quotas (S1.8): so many requests a minute of a person to a service; what overrides them; and that who
//! has none pays nothing.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use edgemint::http::{Request, Response};
use edgemint::model::{Quotas, Scope, Shard, UnixTime, Username};
use edgemint::server::Endpoint;
use edgemint::token::AccessToken;
use serde_json::{Value, json};
use support::gate::{PROXY, bearing, browsing};
use support::tokens::{api_token, facts, sealed};
use support::{BOOTSTRAP, Fixture, Operations, Outage, Seen};

const NOTHING: Operations = Operations {
    ledger: 0,
    directory: 0,
    feed: 0,
    kv_puts: 0,
    courier: 0,
    fetches: 0,
};

/// A deployment with these quotas.
fn limited(quotas: &Value) -> Fixture {
    Fixture::with(|config| {
        *config = config.clone().with_proxies(PROXY).unwrap();
        config.quotas = Some(Quotas::parse(&quotas.to_string()).unwrap());
    })
}

/// The seed's: one for everybody, and one more for who is in `foo`.
fn seeds() -> Fixture {
    let fixture = limited(&json!({
        "default": {"api": {"app": 1, "closed": 0}},
        "groups": {"foo": {"api": {"app": 1}}},
        "bypass": ["staff"],
    }));
    for name in ["foo", "staff"] {
        let made = fixture.api("POST", "/api/v1/groups/", &json!({"name": name}));
        assert_eq!(made.status, 201, "{}", made.body);
    }
    fixture
}

/// Puts somebody into groups, by name.
fn join(fixture: &Fixture, username: &str, groups: &[&str]) {
    let found = fixture.api("GET", "/api/v1/groups/", &json!({})).json();
    let found = found["results"].as_array().unwrap();
    let groups = groups.iter().map(|name| {
        let group = found.iter().find(|group| group["name"] == *name).unwrap();
        group["pk"].clone()
    });
    let groups: Vec<Value> = groups.collect();
    let users = fixture.api(
        "GET",
        &format!("/api/v1/users/?username={username}"),
        &json!({}),
    );
    let pk = users.json()["results"][0]["pk"].clone();
    let patched = fixture.api(
        "PATCH",
        &format!("/api/v1/users/{pk}/"),
        &json!({"groups": groups}),
    );
    assert_eq!(patched.status, 200, "{}", patched.body);
}

/// A request of `ada` to a service, with an access token for it.
fn ask(fixture: &Fixture, service: &str) -> Response {
    let token = AccessToken {
        audience: service.to_owned(),
        // The second account that the fixture makes.
        shard: Shard(1),
        ..facts(fixture)
    };
    let token = sealed(fixture, &token);
    fixture.gate(&bearing(&format!("service={service}"), &token))
}

fn number(answer: &Response, name: &str) -> Option<u64> {
    answer.header(name).map(|value| value.parse().unwrap())
}

fn overrides(fixture: &Fixture, method: &str, token: Option<&str>, body: &str) -> Response {
    let request = Request {
        method: method.to_owned(),
        path: "/api/v1/quota-overrides".to_owned(),
        body: body.to_owned(),
        content_type: Some("application/json".to_owned()),
        authorization: token.map(|token| format!("Bearer {token}")),
        ..Request::default()
    };
    fixture.send(Endpoint::QuotaOverrides, &request)
}

#[test]
fn s1_8_each_request_is_one_of_those_that_there_are() {
    let fixture = seeds();
    join(&fixture, "ada", &["foo"]);
    for (used, left) in [(1, 1), (2, 0)] {
        let answer = ask(&fixture, "app");
        assert_eq!(answer.status, 200);
        assert_eq!(number(&answer, "x-ratelimit-limit"), Some(2));
        assert_eq!(number(&answer, "x-ratelimit-used"), Some(used));
        assert_eq!(number(&answer, "x-ratelimit-remaining"), Some(left));
        assert_eq!(
            number(&answer, "x-ratelimit-reset"),
            Some(fixture.now() + 60)
        );
        assert_eq!(answer.header("x-ratelimit-resource"), Some("app"));
    }
    fixture.later(10);
    let refused = ask(&fixture, "app");
    assert_eq!(
        (refused.status, refused.header("x-error-status")),
        (403, Some("429"))
    );
    assert_eq!(refused.header("x-error-body"), Some(refused.body.as_str()));
    assert_eq!(refused.json()["errors"][0]["type"], "rate_limited");
    assert_eq!(number(&refused, "x-ratelimit-remaining"), Some(0));
    assert_eq!(number(&refused, "x-ratelimit-used"), Some(2));
    let resets_at = UnixTime(fixture.now() + 50).http_date();
    assert_eq!(refused.header("retry-after"), Some(resets_at.as_str()));
    assert!(refused.header("www-authenticate").is_none());
    assert!(refused.header("x-auth-request-user").is_none());
    fixture.later(50);
    assert_eq!(number(&ask(&fixture, "app"), "x-ratelimit-used"), Some(1));
}

#[test]
fn s1_8_another_service_and_another_person_are_counted_apart() {
    let fixture = limited(&json!({"default": {"api": {"app": 1, "other": 1}}}));
    assert_eq!(ask(&fixture, "app").status, 200);
    assert_eq!(ask(&fixture, "app").status, 403);
    assert_eq!(ask(&fixture, "other").status, 200);
    let bob = fixture.browser_of("bob");
    assert_eq!(fixture.gate(&browsing("service=app", &bob)).status, 200);
    // It is the person who is counted, whatever they show.
    let ada = fixture.signed_in_browser();
    assert_eq!(fixture.gate(&browsing("service=app", &ada)).status, 403);
}

#[test]
fn s1_8_whoever_has_no_limit_hears_of_none_and_pays_nothing() {
    let fixture = seeds();
    for service in ["app", "unknown"] {
        join(&fixture, "ada", &["staff"]);
        let first = ask(&fixture, service);
        assert_eq!(first.status, 200);
        assert_eq!(first.header("x-ratelimit-limit"), None);
        let cost = fixture.cost(|| assert_eq!(ask(&fixture, service).status, 200));
        assert_eq!(Operations { feed: 0, ..cost }, NOTHING, "{service}");
    }
    let free = support::gate::fixture();
    ask(&free, "app");
    let cost = free.cost(|| assert_eq!(ask(&free, "app").status, 200));
    assert_eq!(Operations { feed: 0, ..cost }, NOTHING);
}

#[test]
fn s1_8_a_limit_costs_one_ledger_call() {
    let fixture = limited(&json!({"default": {"api": {"app": 10}}}));
    let browser = fixture.signed_in_browser();
    let request = browsing("service=app", &browser);
    fixture.gate(&request);
    let cost = fixture.cost(|| assert_eq!(fixture.gate(&request).status, 200));
    assert_eq!(cost.ledger, 1);
    assert_eq!((cost.directory, cost.kv_puts), (0, 0));
}

#[test]
fn s1_8_nought_is_no_access_and_costs_nothing() {
    let fixture = seeds();
    join(&fixture, "ada", &["foo"]);
    ask(&fixture, "closed");
    let cost = fixture.cost(|| {
        let answer = ask(&fixture, "closed");
        assert_eq!(
            (answer.status, answer.header("x-error-status")),
            (403, None)
        );
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.contains("insufficient_scope") && !challenge.contains("scope=\""));
        assert_eq!(answer.header("x-ratelimit-limit"), None);
    });
    assert_eq!(Operations { feed: 0, ..cost }, NOTHING);
}

#[test]
fn s1_8_what_could_not_be_counted_is_let_in_and_noted() {
    let fixture = seeds();
    join(&fixture, "ada", &["foo"]);
    ask(&fixture, "app");
    fixture.memory().fail(Outage::Ledger);
    for _ in 0..5 {
        let answer = ask(&fixture, "app");
        assert_eq!((answer.status, answer.event), (200, Some("quota_unknown")));
        assert_eq!(answer.header("x-ratelimit-limit"), None);
    }
    let cold = seeds();
    cold.memory().fail(Outage::Directory);
    assert_eq!(ask(&cold, "app").event, Some("quota_unknown"));
}

#[test]
fn s1_8_a_repeated_request_is_counted_once() {
    let fixture = limited(&json!({"default": {"api": {"app": 1}}}));
    let browser = fixture.signed_in_browser();
    let request = browsing("service=app", &browser);
    let at = fixture.at_request("the-same");
    for _ in 0..3 {
        assert_eq!(
            fixture.send_at(Endpoint::IngressAuth, &request, &at).status,
            200
        );
    }
    assert_eq!(fixture.gate(&request).status, 403);
}

#[test]
fn s1_8_groups_count_from_the_next_request_on_for_tokens_and_sessions() {
    let fixture = seeds();
    let browser = fixture.signed_in_browser();
    let limit = |answer: &Response| number(answer, "x-ratelimit-limit");
    let session = || limit(&fixture.gate(&browsing("service=app", &browser)));
    let made = fixture.user_token("ada", "read", None);
    let of_row = || limit(&fixture.gate(&bearing("service=app", &made)));
    assert_eq!(
        (limit(&ask(&fixture, "app")), session(), of_row()),
        (Some(1), Some(1), Some(1))
    );
    join(&fixture, "ada", &["foo"]);
    assert_eq!(of_row(), Some(2));
    assert_eq!(
        (limit(&ask(&fixture, "app")), session()),
        (Some(2), Some(2))
    );
    let groups = fixture
        .api("GET", "/api/v1/groups/?name=foo", &json!({}))
        .json();
    let pk = groups["results"][0]["pk"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/groups/{pk}/");
    assert_eq!(
        fixture.api("PATCH", &path, &json!({"name": "bar"})).status,
        200
    );
    assert_eq!(
        (limit(&ask(&fixture, "app")), session()),
        (Some(1), Some(1))
    );
    assert_eq!(
        fixture.api("PATCH", &path, &json!({"name": "foo"})).status,
        200
    );
    assert_eq!(limit(&ask(&fixture, "app")), Some(2));
    assert_eq!(fixture.api("DELETE", &path, &json!({})).status, 204);
    assert_eq!(
        (limit(&ask(&fixture, "app")), session()),
        (Some(1), Some(1))
    );
}

#[test]
fn s1_8_a_group_brings_what_the_groups_bring_that_it_lies_in() {
    let fixture = seeds();
    let groups = fixture
        .api("GET", "/api/v1/groups/?name=foo", &json!({}))
        .json();
    let outer = groups["results"][0]["pk"].as_str().unwrap().to_owned();
    let inner = fixture.api(
        "POST",
        "/api/v1/groups/",
        &json!({"name": "inner", "parent": outer}),
    );
    assert_eq!(inner.status, 201, "{}", inner.body);
    join(&fixture, "ada", &["inner"]);
    assert_eq!(number(&ask(&fixture, "app"), "x-ratelimit-limit"), Some(2));
    let path = format!("/api/v1/groups/{}/", inner.json()["pk"].as_str().unwrap());
    assert_eq!(
        fixture.api("PATCH", &path, &json!({"parent": null})).status,
        200
    );
    assert_eq!(number(&ask(&fixture, "app"), "x-ratelimit-limit"), Some(1));
}

#[test]
fn s1_8_what_acts_for_itself_has_the_default() {
    let fixture = seeds();
    let token = AccessToken {
        sub: "web".to_owned(),
        username: Username::parse("bot-web").unwrap(),
        audience: "app".to_owned(),
        scope: Scope::default(),
        ..facts(&fixture)
    };
    let answer = fixture.gate(&bearing("service=app", &sealed(&fixture, &token)));
    assert_eq!(number(&answer, "x-ratelimit-limit"), Some(1));
}

#[test]
fn s1_8_overrides_hold_as_soon_as_they_are_acknowledged_and_as_long_as_they_are_there() {
    let fixture = seeds();
    let limit = || number(&ask(&fixture, "app"), "x-ratelimit-limit");
    assert_eq!(limit(), Some(1));
    assert_eq!(overrides(&fixture, "GET", Some(BOOTSTRAP), "").status, 404);
    let body = r#"{"default":{"api":{"app":10}},"bypass":[]}"#;
    let put = overrides(&fixture, "PUT", Some(BOOTSTRAP), body);
    let whole = json!({
        "bypass": [], "groups": {},
        "default": {"api": {"app": 10}, "disk": {}, "tap": {}},
    });
    assert_eq!((put.status, put.json()), (200, whole.clone()));
    assert_eq!(
        overrides(&fixture, "GET", Some(BOOTSTRAP), "").json(),
        whole
    );
    assert_eq!(limit(), Some(10));
    assert_eq!(
        overrides(&fixture, "PUT", Some(BOOTSTRAP), "{}").status,
        200
    );
    assert_eq!(limit(), Some(1));
    assert_eq!(
        overrides(&fixture, "DELETE", Some(BOOTSTRAP), "").status,
        204
    );
    assert_eq!(
        overrides(&fixture, "DELETE", Some(BOOTSTRAP), "").status,
        404
    );
    assert_eq!(overrides(&fixture, "GET", Some(BOOTSTRAP), "").status, 404);
}

#[test]
fn s1_8_everybody_is_told_their_own() {
    let fixture = seeds();
    join(&fixture, "bob", &["foo"]);
    let ask = |fixture: &Fixture, username: &str| {
        let browser = fixture.browser_of(username);
        let request = Request {
            path: "/api/v1/user-info".to_owned(),
            original: None,
            ..browsing("", &browser)
        };
        fixture.send(Endpoint::Tokens, &request).json()
    };
    let of = |username| ask(&fixture, username)["quota"]["api"].clone();
    assert_eq!(of("ada"), json!({"app": 1, "closed": 0}));
    assert_eq!(of("bob"), json!({"app": 2, "closed": 0}));
    let told = ask(&Fixture::new(), "ada");
    assert_eq!(
        (&told["username"], told.get("quota")),
        (&json!("ada"), None)
    );
}

#[test]
fn s1_8_overrides_alone_are_quotas_too() {
    let fixture = support::gate::fixture();
    assert_eq!(ask(&fixture, "app").header("x-ratelimit-limit"), None);
    let body = r#"{"default":{"api":{"app":1}}}"#;
    assert_eq!(
        overrides(&fixture, "PUT", Some(BOOTSTRAP), body).status,
        200
    );
    assert_eq!(number(&ask(&fixture, "app"), "x-ratelimit-limit"), Some(1));
    let cost = fixture.cost(|| drop(ask(&fixture, "other")));
    assert_eq!(Operations { feed: 0, ..cost }, NOTHING);
}

#[test]
fn s1_8_everybody_reads_overrides_and_administrators_write_them() {
    let fixture = support::gate::fixture();
    let body = r#"{"default":{}}"#;
    let [admin, own, other] =
        ["admin:token", "user:token", "read"].map(|scope| api_token(&fixture, scope));
    for method in ["GET", "PUT", "DELETE"] {
        assert_eq!(
            overrides(&fixture, method, None, body).status,
            401,
            "{method}"
        );
    }
    for token in [&own, &other] {
        assert_eq!(overrides(&fixture, "PUT", Some(token), body).status, 403);
        assert_eq!(overrides(&fixture, "DELETE", Some(token), body).status, 403);
        assert_eq!(overrides(&fixture, "GET", Some(token), "").status, 404);
    }
    assert_eq!(overrides(&fixture, "PUT", Some(&admin), body).status, 200);
    for token in [&own, &other, &admin] {
        assert_eq!(overrides(&fixture, "GET", Some(token), "").status, 200);
    }
    let elsewhere = sealed(&fixture, &facts(&fixture));
    assert_eq!(overrides(&fixture, "GET", Some(&elsewhere), "").status, 401);
}

#[test]
fn s1_8_overrides_that_do_not_fit_are_422_and_change_nothing() {
    let fixture = support::gate::fixture();
    let body = r#"{"default":{"api":{"app":1}}}"#;
    assert_eq!(
        overrides(&fixture, "PUT", Some(BOOTSTRAP), body).status,
        200
    );
    let before = overrides(&fixture, "GET", Some(BOOTSTRAP), "").body;
    for (body, field) in [
        (r#"{"defaults":{}}"#, Some("defaults")),
        (r#"{"default":{"api":{"app":-1}}}"#, Some("default.api.app")),
        (
            r#"{"groups":{"g":{"api":{"app":"1"}}}}"#,
            Some("groups.g.api.app"),
        ),
        (r#"{"default":{},"default":{}}"#, None),
        ("[]", None),
        ("", None),
        ("{", None),
    ] {
        let answer = overrides(&fixture, "PUT", Some(BOOTSTRAP), body);
        assert_eq!(answer.status, 422, "{body}");
        assert_eq!(answer.json()["status"], 422);
        if let Some(field) = field {
            assert_eq!(answer.json()["errors"][0]["loc"], json!(["body", field]));
        }
    }
    assert_eq!(overrides(&fixture, "GET", Some(BOOTSTRAP), "").body, before);
}
