//! The management API's records: scopes and roles (rows S0.1, S0.2 and S0.6), and every refusal.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use edgemint::directory::Collection;
use edgemint::http::Request;
use edgemint::server::Endpoint;
use serde_json::{Value, json};
use support::{Fixture, Seen as _, authorization, client};

const SCOPES: &str = "/api/v1/scopes/";
const ROLES: &str = "/api/v1/roles/";

fn created(fixture: &Fixture, path: &str, body: Value) -> Value {
    let answer = fixture.api("POST", path, &body);
    assert_eq!(answer.status, 201, "{}", answer.body);
    let body: Value = answer.json();
    let location = format!("https://id.example{path}{}/", body["id"]);
    assert_eq!(answer.header("location"), Some(location.as_str()));
    body
}

fn one(path: &str, record: &Value) -> String {
    format!("{path}{}/", record["id"])
}

#[test]
fn s0_1_a_scope_is_created_read_changed_and_deleted() {
    let fixture = Fixture::new();
    let scope = json!({"name": "Reports", "description": "sees reports", "value": "reports"});
    let made = created(&fixture, SCOPES, scope);
    let path = one(SCOPES, &made);
    assert_eq!(fixture.api("GET", &path, &json!({})).json(), made);
    let renamed = fixture
        .api("PATCH", &path, &json!({"name": "All reports"}))
        .json();
    assert_eq!(renamed["name"], "All reports");
    assert_eq!(renamed["description"], "sees reports");
    let replaced = fixture
        .api("PUT", &path, &json!({"name": "Reports"}))
        .json();
    assert_eq!(replaced["description"], "", "what is absent is empty");
    assert_eq!(replaced["value"], "reports");
    let again = fixture.api("PUT", &path, &replaced);
    assert_eq!(
        again.status, 200,
        "what was read can be sent back: {}",
        again.body
    );
    assert_eq!(fixture.api("DELETE", &path, &json!({})).status, 204);
    assert_eq!(fixture.api("GET", &path, &json!({})).status, 404);
    assert_eq!(fixture.api("DELETE", &path, &json!({})).status, 404);
}

#[test]
fn s0_1_the_scopes_of_the_protocol_and_of_this_api_stay() {
    let fixture = Fixture::new();
    let page = fixture
        .api("GET", "/api/v1/scopes/?page_size=100", &json!({}))
        .json();
    for value in [
        "openid",
        "profile",
        "email",
        "address",
        "phone",
        "offline_access",
        "admin:token",
        "user:token",
    ] {
        let mut scopes = page["results"].as_array().unwrap().iter();
        let scope = scopes.find(|scope| scope["value"] == value).unwrap();
        for (method, body) in [("PATCH", json!({"name": "x"})), ("DELETE", json!({}))] {
            let answer = fixture.api(method, &one(SCOPES, scope), &body);
            assert_eq!(answer.status, 403, "{method} {value}");
            assert_eq!(answer.json()["code"], "protected_record");
        }
    }
}

#[test]
fn s0_2_a_role_gives_its_scopes_and_what_it_takes_back_ends() {
    let fixture = Fixture::new();
    let role = created(
        &fixture,
        ROLES,
        json!({"name": "Reader of all", "scopes": ["read"]}),
    );
    assert_eq!(role["scopes"][0]["value"], "read");
    fixture.create_account_with("eve", "", &["Reader of all"]);
    let browser = fixture.browser_of("eve");
    let tokens = fixture.tokens_in(&browser, "web");
    assert!(tokens.scope.contains("read"), "{}", tokens.scope);
    assert!(fixture.is_active(&tokens.access));

    let path = one(ROLES, &role);
    let more = json!({"scopes": "read write"});
    assert_eq!(fixture.api("PATCH", &path, &more).status, 200);
    assert!(fixture.is_active(&tokens.access), "more ends nothing");

    let less = fixture.api("PATCH", &path, &json!({"scopes": []}));
    assert_eq!(less.json()["scopes"], json!([]));
    assert!(!fixture.is_active(&tokens.access));
    let refreshed = fixture.refresh(tokens.refresh());
    assert_eq!(refreshed.status, 200, "{}", refreshed.body);
    assert!(!refreshed.json()["scope"].as_str().unwrap().contains("read"));
    assert!(!fixture.tokens_in(&browser, "web").scope.contains("read"));
}

#[test]
fn s0_2_roles_together_may_give_more_than_one_request_may_name() {
    let fixture = Fixture::new();
    let mut roles = Vec::new();
    for half in ["a", "b"] {
        let scopes: Vec<String> = (0..40).map(|number| format!("{half}{number}")).collect();
        for scope in &scopes {
            fixture.create_record(Collection::Scopes, json!({"name": scope, "value": scope}));
        }
        let mut role = json!({"name": half, "scopes": scopes});
        role["scopes"].as_array_mut().unwrap().push(json!("read"));
        roles.push(created(&fixture, ROLES, role));
    }
    fixture.create_account_with("eve", "", &["a", "b"]);
    let tokens = fixture.tokens_in(&fixture.browser_of("eve"), "web");
    assert!(tokens.scope.contains("read"));
    let less = fixture.api("PATCH", &one(ROLES, &roles[0]), &json!({"scopes": []}));
    assert_eq!(less.status, 200);
    assert!(!fixture.is_active(&tokens.access));
}

#[test]
fn s0_2_a_deleted_role_gives_nothing_any_more() {
    let fixture = Fixture::new();
    let role = created(&fixture, ROLES, json!({"name": "Reader", "scopes": "read"}));
    fixture.create_account_with("eve", "", &["Reader"]);
    let browser = fixture.browser_of("eve");
    let tokens = fixture.tokens_in(&browser, "web");
    assert_eq!(
        fixture.api("DELETE", &one(ROLES, &role), &json!({})).status,
        204
    );
    assert!(!fixture.is_active(&tokens.access));
    assert!(!fixture.tokens_in(&browser, "web").scope.contains("read"));
    // Another role of that name is another role.
    created(&fixture, ROLES, json!({"name": "Reader", "scopes": "read"}));
    assert!(!fixture.tokens_in(&browser, "web").scope.contains("read"));
}

#[test]
fn s0_1_a_deleted_scope_is_taken_from_whoever_had_it() {
    let fixture = Fixture::new();
    created(
        &fixture,
        ROLES,
        json!({"name": "Reader", "scopes": "read write"}),
    );
    fixture.create_account_with("eve", "", &["Reader"]);
    let eve = fixture.browser_of("eve");
    let ada = fixture.browser_of("ada");
    let (of_eve, of_ada) = (
        fixture.tokens_in(&eve, "web"),
        fixture.tokens_in(&ada, "web"),
    );
    assert!(of_ada.scope.contains("read"));
    let found = fixture
        .api("GET", "/api/v1/scopes/?value=read", &json!({}))
        .json();
    let path = one(SCOPES, &found["results"][0]);
    assert_eq!(fixture.api("DELETE", &path, &json!({})).status, 204);
    let with_read = client("web").scope;
    for (browser, tokens) in [(&eve, of_eve), (&ada, of_ada)] {
        assert!(!fixture.is_active(&tokens.access));
        let refused = browser.authorize(&authorization("web")).response;
        assert_eq!(
            refused.error(),
            "invalid_scope",
            "the client has it no more"
        );
    }
    // Made again, it is held by nobody, even if a client may ask for it.
    let roles = fixture.api("GET", ROLES, &json!({})).json();
    assert_eq!(roles["results"][0]["scopes"].as_array().unwrap().len(), 1);
    created(&fixture, SCOPES, json!({"name": "read", "value": "read"}));
    fixture.change_client("web", |client| client.scope = with_read);
    for browser in [&eve, &ada] {
        assert!(!fixture.tokens_in(browser, "web").scope.contains("read"));
    }
}

#[test]
fn s0_1_what_says_a_scope_is_told_before_it_is_deleted() {
    let fixture = Fixture::new();
    created(&fixture, ROLES, json!({"name": "Reader", "scopes": "read"}));
    let found = fixture.api("GET", "/api/v1/scopes/?value=write", &json!({}));
    let path = format!("{}used_by/", one(SCOPES, &found.json()["results"][0]));
    let used = fixture.api("GET", &path, &json!({})).json();
    let mut models: Vec<_> = used.as_array().unwrap().iter().collect();
    models.dedup_by_key(|line| line["model_name"].clone());
    assert_eq!(models[0]["name"], "ada");
    assert_eq!(models[1]["model_name"], "oauth2provider");
    let found = fixture.api("GET", "/api/v1/scopes/?value=read", &json!({}));
    let path = format!("{}used_by/", one(SCOPES, &found.json()["results"][0]));
    let used = fixture.api("GET", &path, &json!({})).json();
    assert_eq!(
        (&used[0]["model_name"], &used[0]["name"]),
        (&json!("role"), &json!("Reader"))
    );
}

#[test]
fn there_are_no_more_of_a_kind_than_checks_can_read() {
    let fixture = Fixture::new();
    let first = fixture.api("GET", SCOPES, &json!({})).json()["pagination"]["count"]
        .as_u64()
        .unwrap();
    for number in first..1000 {
        let value = format!("s{number}");
        fixture.create_record(Collection::Scopes, json!({"name": value, "value": value}));
    }
    let full = fixture.api("POST", SCOPES, &json!({"name": "one", "value": "one"}));
    assert_eq!(
        (full.status, full.json()["code"].clone()),
        (409, json!("collection_full"))
    );
}

#[test]
fn s0_6_the_seeds_field_names_are_understood_as_well() {
    let fixture = Fixture::new();
    let body = json!({"scope_name": "Reports", "scope_description": "d", "scope_value": "reports"});
    let scope = created(&fixture, SCOPES, body);
    assert_eq!(
        (&scope["name"], &scope["value"]),
        (&json!("Reports"), &json!("reports"))
    );
    let body = json!({"role_name": "R", "role_scopes": "reports"});
    assert_eq!(created(&fixture, ROLES, body)["scopes"][0], scope);
}

#[test]
fn lists_are_paged_searched_ordered_and_filtered() {
    let fixture = Fixture::new();
    for number in 0..25 {
        created(
            &fixture,
            ROLES,
            json!({"name": format!("Role {:02}", 24 - number)}),
        );
    }
    let list = |query: &str| {
        fixture
            .api("GET", &format!("{ROLES}?{query}"), &json!({}))
            .json()
    };
    let second = list("page=2&ordering=name");
    assert_eq!(
        second["pagination"],
        json!({"next": 0, "previous": 1, "count": 25, "current": 2, "total_pages": 2, "start_index": 21, "end_index": 25})
    );
    assert_eq!(second["results"][0]["name"], "Role 20");
    assert_eq!(
        list("ordering=-name&page_size=1")["results"][0]["name"],
        "Role 24"
    );
    assert_eq!(list("search=ROLE%2013")["pagination"]["count"], 1);
    assert_eq!(list("name=Role+07")["results"][0]["name"], "Role 07");
    let none = list("name=nobody");
    assert_eq!(
        (&none["results"], &none["pagination"]["start_index"]),
        (&json!([]), &json!(0))
    );
    assert_eq!(
        fixture
            .api("GET", "/api/v1/roles/?page=3", &json!({}))
            .status,
        404
    );
}

#[test]
fn what_does_not_fit_is_refused_by_name_and_nothing_is_written() {
    let fixture = Fixture::new();
    created(&fixture, ROLES, json!({"name": "Reader"}));
    let long = "x".repeat(256);
    for (body, status, fields) in [
        (json!({}), 400, vec!["name"]),
        (json!({"name": "Reader"}), 409, vec![]),
        (json!({"name": null}), 400, vec!["name"]),
        (json!({"name": ""}), 400, vec!["name"]),
        (json!({"name": long}), 400, vec!["name"]),
        (json!({"name": "a", "role_name": "a"}), 400, vec!["name"]),
        (
            json!({"name": "a", "colour": 1, "size": 2}),
            400,
            vec!["colour", "size"],
        ),
        (
            json!({"name": "a", "scopes": "nothing"}),
            400,
            vec!["scopes"],
        ),
        (
            json!({"name": "a", "scopes": {"a": 1}}),
            400,
            vec!["scopes"],
        ),
        (json!([]), 400, vec![]),
    ] {
        let answer = fixture.api("POST", ROLES, &body);
        assert_eq!(answer.status, status, "{body}: {}", answer.body);
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json")
        );
        let problem = answer.json();
        for field in &fields {
            assert!(problem[*field].is_array(), "{body}: {problem}");
        }
        assert_eq!(
            problem["errors"].as_array().map_or(0, Vec::len),
            fields.len(),
            "{problem}"
        );
    }
    let page = fixture.api("GET", ROLES, &json!({})).json();
    assert_eq!(page["pagination"]["count"], 1);
    let path = one(ROLES, &page["results"][0]);
    let other = fixture.api("PATCH", &path, &json!({"value": "x"}));
    assert_eq!(other.status, 400);
    let scope = fixture
        .api("GET", "/api/v1/scopes/?value=read", &json!({}))
        .json();
    let path = one(SCOPES, &scope["results"][0]);
    let answer = fixture.api("PATCH", &path, &json!({"value": "other"}));
    assert_eq!(
        (answer.status, answer.json()["value"].is_array()),
        (400, true)
    );
}

#[test]
fn paths_and_methods_that_are_not_there_are_said_so() {
    let fixture = Fixture::new();
    for path in [
        "/api/v1/",
        "/api/v1/nothing/",
        "/api/v1/roles/x/",
        "/api/v1/roles/99/",
        "/api/v1/roles",
    ] {
        let answer = fixture.api("GET", path, &json!({}));
        assert_eq!(
            (answer.status, answer.json()["code"].clone()),
            (404, json!("no_such_record")),
            "{path}"
        );
    }
    for (method, path, allow) in [
        ("DELETE", ROLES, "GET, HEAD, POST"),
        ("POST", "/api/v1/roles/1/", "GET, HEAD, PUT, PATCH, DELETE"),
    ] {
        let answer = fixture.api(method, path, &json!({}));
        assert_eq!((answer.status, answer.header("allow")), (405, Some(allow)));
    }
}

#[test]
fn nobody_but_an_administrator_learns_or_changes_anything() {
    let fixture = Fixture::new();
    let of_bob = fixture.tokens_in(&fixture.browser_of("bob"), "web").access;
    for (token, status) in [
        (None, 401),
        (Some("nonsense".to_owned()), 401),
        (Some(of_bob), 401),
    ] {
        for (method, path) in [
            ("GET", SCOPES),
            ("POST", ROLES),
            ("GET", "/api/v1/nothing/"),
            ("DELETE", "/api/v1/roles/1/"),
        ] {
            let request = Request {
                method: method.to_owned(),
                path: path.to_owned(),
                authorization: token.as_ref().map(|token| format!("Bearer {token}")),
                ..Request::default()
            };
            let answer = fixture.send(Endpoint::Records, &request);
            assert_eq!(answer.status, status, "{method} {path}");
            assert!(answer.header("www-authenticate").is_some());
        }
    }
}

#[test]
fn accounts_hold_only_what_exists() {
    let fixture = Fixture::new();
    let account = |scopes: &str, roles: Value| {
        let body = json!({
            "first_name": "E", "last_name": "V", "username": "eve",
            "password": "a long password", "scopes": scopes, "roles": roles,
        });
        fixture.api("POST", "/api/v1/accounts/", &body)
    };
    for (scopes, roles, field) in [
        ("nothing", json!([]), "scopes"),
        ("read", json!(["Nobody"]), "roles"),
        ("read", json!("Reader"), "roles"),
        ("read", json!([1]), "roles"),
    ] {
        let answer = account(scopes, roles);
        assert_eq!(answer.status, 400, "{}", answer.body);
        assert!(answer.json()[field].is_array(), "{}", answer.body);
    }
    fixture.create_record(
        Collection::Roles,
        json!({"name": "Reader", "scopes": "read"}),
    );
    assert_eq!(account("write", json!(["Reader"])).status, 201);
}
