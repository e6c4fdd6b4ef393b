//! Users, accounts and groups of the management API (rows S0.3, S0.6, S0.7 and S4.3).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use edgemint::http::Response;
use edgemint::model::Scope;
use serde_json::{Value, json};
use support::{Browser, Fixture, PASSWORD, Seen as _, Tokens, authorization};

const USERS: &str = "/api/v1/users/";
const ACCOUNTS: &str = "/api/v1/accounts/";
const GROUPS: &str = "/api/v1/groups/";
const ROLES: &str = "/api/v1/roles/";

fn made(fixture: &Fixture, path: &str, body: Value) -> Value {
    let answer = fixture.api("POST", path, &body);
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.json()
}

/// The path of a record.
fn at(collection: &str, record: &Value) -> String {
    let key = match &record["pk"] {
        Value::Null => &record["id"],
        key => key,
    };
    let key = key.as_str().map_or(key.to_string(), str::to_owned);
    format!("{collection}{key}/")
}

fn read(fixture: &Fixture, path: &str) -> Value {
    let answer = fixture.api("GET", path, &json!({}));
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.json()
}

fn patched(fixture: &Fixture, path: &str, body: Value) -> Value {
    let answer = fixture.api("PATCH", path, &body);
    assert_eq!(answer.status, 200, "{path} {body}: {}", answer.body);
    answer.json()
}

/// Where the user of a name is.
fn user(fixture: &Fixture, username: &str) -> String {
    let page = read(fixture, &format!("{USERS}?username={username}"));
    at(USERS, &page["results"][0])
}

fn refused(answer: &Response, status: u16, field: &str) {
    assert_eq!(answer.status, status, "{field}: {}", answer.body);
    let problem = answer.json();
    // `type` is a member of the shape itself.
    assert!(
        field == "type" || problem[field].is_array(),
        "{field}: {problem}"
    );
    assert_eq!(problem["errors"][0]["loc"][1], field, "{problem}");
}

/// The names of a page, in its order.
fn usernames(page: &Value) -> Vec<&str> {
    let users = page["results"].as_array().unwrap().iter();
    users
        .map(|user| user["username"].as_str().unwrap())
        .collect()
}

fn signs_in(fixture: &Fixture, username: &str, password: &str) -> bool {
    let browser = fixture.browser();
    let page = browser.open("/login");
    browser.submit(&page, &[("username", username), ("password", password)]);
    browser.cookie("edgemint-session").is_some()
}

#[test]
fn s4_3_a_user_is_created_read_changed_and_deleted() {
    let fixture = Fixture::new();
    let eve = made(
        &fixture,
        USERS,
        json!({"username": "eve", "name": "Eve Ōe", "email": "eve@example.org"}),
    );
    let path = at(USERS, &eve);
    assert_eq!(read(&fixture, &path), eve);
    for (field, value) in [
        ("name", json!("Eve Ōe")),
        ("is_active", json!(true)),
        ("last_login", json!(null)),
        ("is_superuser", json!(false)),
        ("groups", json!([])),
        ("groups_obj", json!([])),
        ("attributes", json!({})),
        ("path", json!("users")),
        ("type", json!("internal")),
        ("scopes", json!([])),
        ("roles", json!([])),
    ] {
        assert_eq!(eve[field], value, "{field}");
    }
    assert!(eve.get("password").is_none());
    let attributes = json!({"upn": "eve@corp", "nested": {"a": [1, null, true]}});
    let now = patched(&fixture, &path, json!({"attributes": attributes}));
    assert_eq!(
        (&now["attributes"], &now["name"]),
        (&attributes, &eve["name"])
    );
    let replaced = fixture
        .api("PUT", &path, &json!({"username": "eve"}))
        .json();
    assert_eq!(
        (&replaced["name"], &replaced["attributes"]),
        (&json!(""), &json!({})),
        "what is absent is empty"
    );
    assert_eq!(fixture.api("DELETE", &path, &json!({})).status, 204);
    for method in ["GET", "PATCH", "DELETE"] {
        assert_eq!(fixture.api(method, &path, &json!({})).status, 404);
    }
    assert_eq!(
        read(&fixture, &format!("{USERS}?username=eve"))["results"],
        json!([])
    );
}

#[test]
fn s4_3_absent_null_and_empty_are_three_things() {
    let fixture = Fixture::new();
    let group = made(&fixture, GROUPS, json!({"name": "G"}));
    let inner = made(
        &fixture,
        GROUPS,
        json!({"name": "H", "parent": group["pk"]}),
    );
    assert_eq!(inner["parent_name"], "G");
    let path = at(GROUPS, &inner);
    assert_eq!(patched(&fixture, &path, json!({}))["parent"], group["pk"]);
    refused(
        &fixture.api("PATCH", &path, &json!({"parent": ""})),
        400,
        "parent",
    );
    refused(
        &fixture.api("PATCH", &path, &json!({"name": null})),
        400,
        "name",
    );
    refused(
        &fixture.api("PATCH", &path, &json!({"attributes": null})),
        400,
        "attributes",
    );
    assert_eq!(
        patched(&fixture, &path, json!({"parent": null}))["parent"],
        json!(null)
    );
    let bob = user(&fixture, "bob");
    refused(
        &fixture.api("PATCH", &bob, &json!({"email": null})),
        400,
        "email",
    );
    patched(&fixture, &bob, json!({"email": "b@example.org"}));
    assert_eq!(patched(&fixture, &bob, json!({"email": ""}))["email"], "");
}

#[test]
fn what_was_read_of_anybody_can_be_sent_back() {
    let fixture = Fixture::new();
    let group = made(&fixture, GROUPS, json!({"name": "G", "is_superuser": true}));
    let inner = made(
        &fixture,
        GROUPS,
        json!({"name": "H", "parent": group["pk"]}),
    );
    made(&fixture, ROLES, json!({"name": "Reader", "scopes": "read"}));
    let account = json!({
        "firstName": "E", "lastName": "V", "username": "eve", "password": PASSWORD,
        "scopes": "write", "roles": ["Reader"],
    });
    let account = made(&fixture, ACCOUNTS, account);
    let eve = format!("{USERS}{}/", account["id"]);
    patched(
        &fixture,
        &eve,
        json!({"groups": [inner["pk"]], "attributes": {"a": 1}}),
    );
    for path in [at(GROUPS, &inner), eve, at(ACCOUNTS, &account)] {
        let record = read(&fixture, &path);
        let again = fixture.api("PUT", &path, &record);
        assert_eq!((again.status, again.json()), (200, record), "{path}");
    }
}

#[test]
fn what_does_not_fit_a_user_is_refused_by_name_and_nothing_is_written() {
    let fixture = Fixture::new();
    let bob = user(&fixture, "bob");
    let before = read(&fixture, USERS);
    for (field, value) in [
        ("username", json!("Bob")),
        ("username", json!("bot-bob")),
        ("username", json!("")),
        ("username", json!("x".repeat(65))),
        ("name", json!(7)),
        ("name", json!("x".repeat(256))),
        ("name", json!("a\u{0}b")),
        ("first_name", json!(["a"])),
        ("is_active", json!("true")),
        ("is_active", json!(1)),
        ("is_active", json!(null)),
        ("email", json!("nobody")),
        ("email", json!("a b@example.org")),
        ("email", json!(format!("{}@example.org", "x".repeat(250)))),
        ("attributes", json!([])),
        ("attributes", json!({"a": "x".repeat(4096)})),
        ("type", json!("robot")),
        ("groups", json!("Admins")),
        ("groups", json!([99])),
        ("groups", json!(["00000000-0000-8000-8000-000000000063"])),
        ("groups", json!([1.5])),
        ("groups", json!([null])),
        ("scopes", json!("ghost")),
        ("scopes", json!("read  write")),
        ("roles", json!(["Ghost"])),
        ("password", json!("short")),
        ("password", json!("")),
        ("password", json!(null)),
        ("password", json!("x".repeat(129))),
        ("_password", json!("x")),
        ("_subject", json!("u_x")),
        ("_held", json!(0)),
        ("_shard", json!(1)),
    ] {
        refused(
            &fixture.api("PATCH", &bob, &json!({field: value})),
            400,
            field,
        );
        let mut whole = json!({"username": "eve"});
        whole[field] = value;
        refused(&fixture.api("POST", USERS, &whole), 400, field);
    }
    let taken = fixture.api("POST", USERS, &json!({"username": "bob"}));
    assert_eq!(
        (taken.status, taken.json()["code"].clone()),
        (409, json!("value_taken"))
    );
    assert!(taken.body.contains("username"), "{}", taken.body);
    assert_eq!(
        fixture
            .api("PATCH", &bob, &json!({"username": "ada"}))
            .status,
        409
    );
    assert_eq!(read(&fixture, USERS), before);
}

#[test]
fn what_does_not_fit_a_group_is_refused_by_name() {
    let fixture = Fixture::new();
    let group = made(&fixture, GROUPS, json!({"name": "G"}));
    let path = at(GROUPS, &group);
    for (field, value) in [
        ("name", json!("")),
        ("is_superuser", json!("yes")),
        ("parent", json!("G")),
        ("parent", json!(99)),
        ("parent", group["pk"].clone()),
        ("attributes", json!("x")),
        ("members", json!([])),
    ] {
        refused(
            &fixture.api("PATCH", &path, &json!({field: value})),
            400,
            field,
        );
    }
    assert_eq!(
        fixture.api("POST", GROUPS, &json!({"name": "G"})).status,
        409
    );
    assert_eq!(read(&fixture, &path), group);
}

#[test]
fn s4_3_no_cycle_of_groups_is_ever_made_and_none_lies_too_deep() {
    let fixture = Fixture::new();
    let chain = |prefix: &str, length: usize| {
        let mut groups = vec![made(
            &fixture,
            GROUPS,
            json!({"name": format!("{prefix}0")}),
        )];
        for number in 1..length {
            let parent = &groups[number - 1]["pk"];
            let body = json!({"name": format!("{prefix}{number}"), "parent": parent});
            groups.push(made(&fixture, GROUPS, body));
        }
        groups
    };
    let groups = chain("a", 16);
    for last in [1, 7, 15] {
        let body = json!({"parent": groups[last]["pk"]});
        refused(
            &fixture.api("PATCH", &at(GROUPS, &groups[0]), &body),
            400,
            "parent",
        );
    }
    let deeper = json!({"name": "deeper", "parent": groups[15]["pk"]});
    refused(&fixture.api("POST", GROUPS, &deeper), 400, "parent");
    // Nor by hanging what is deep itself below something.
    let top = made(
        &fixture,
        GROUPS,
        json!({"name": "top", "is_superuser": true}),
    );
    let body = json!({"parent": top["pk"]});
    refused(
        &fixture.api("PATCH", &at(GROUPS, &groups[0]), &body),
        400,
        "parent",
    );
    assert_eq!(
        fixture.api("PATCH", &at(GROUPS, &groups[1]), &body).status,
        200
    );
    let eve = made(
        &fixture,
        USERS,
        json!({"username": "eve", "groups": [groups[15]["pk"]]}),
    );
    assert_eq!(eve["is_superuser"], true, "through sixteen groups");
}

/// `web` may be granted what administers.
fn trusted(fixture: &Fixture) {
    fixture.change_client("web", |client| {
        client.danger_allow_management_scopes = true;
        client.scope = Scope::parse("openid offline_access read admin:token").unwrap();
    });
}

/// Asks for everything that `web` may ask for then.
fn tokens(fixture: &Fixture, browser: &Browser<'_>) -> Tokens {
    let form = authorization("web").with("scope", "openid offline_access read admin:token");
    Tokens::of(&fixture.exchange(&browser.code(&form)))
}

#[test]
fn s4_3_a_group_gives_administration_to_its_members_and_to_those_of_groups_in_it() {
    let fixture = Fixture::new();
    trusted(&fixture);
    fixture.create_account("eve", "read");
    let eve = user(&fixture, "eve");
    let browser = fixture.browser_of("eve");
    let outer = made(&fixture, GROUPS, json!({"name": "Outer"}));
    let inner = made(
        &fixture,
        GROUPS,
        json!({"name": "Inner", "parent": outer["pk"]}),
    );
    patched(&fixture, &eve, json!({"groups": [inner["pk"]]}));
    assert_eq!(read(&fixture, &eve)["is_superuser"], false);
    assert!(!tokens(&fixture, &browser).scope.contains("admin:token"));

    let (group, inside) = (at(GROUPS, &outer), at(GROUPS, &inner));
    for (path, end) in [
        (&group, json!({"is_superuser": false})),
        (&inside, json!({"parent": null})),
        (&eve, json!({"groups": []})),
        (&eve, json!({"is_active": false})),
    ] {
        patched(&fixture, &group, json!({"is_superuser": true}));
        patched(&fixture, &inside, json!({"parent": outer["pk"]}));
        patched(&fixture, &eve, json!({"groups": [inner["pk"]]}));
        assert_eq!(read(&fixture, &eve)["is_superuser"], true);
        let held = tokens(&fixture, &fixture.browser_of("eve"));
        assert!(held.scope.contains("admin:token"), "{}", held.scope);
        assert!(fixture.is_active(&held.access));
        patched(&fixture, path, end.clone());
        assert!(!fixture.is_active(&held.access), "{path} {end}");
    }
    assert_eq!(fixture.api("DELETE", &group, &json!({})).status, 204);
    assert_eq!(read(&fixture, &inside)["parent"], json!(null));
    assert_eq!(read(&fixture, &eve)["is_superuser"], false);
}

#[test]
fn s4_3_a_group_that_is_renamed_ends_nothing() {
    let fixture = Fixture::new();
    trusted(&fixture);
    let group = made(&fixture, GROUPS, json!({"name": "G", "is_superuser": true}));
    patched(
        &fixture,
        &user(&fixture, "bob"),
        json!({"groups": [group["pk"]]}),
    );
    let held = tokens(&fixture, &fixture.browser_of("bob"));
    patched(
        &fixture,
        &at(GROUPS, &group),
        json!({"name": "H", "attributes": {"a": 1}}),
    );
    assert!(fixture.is_active(&held.access) && held.scope.contains("admin:token"));
    assert_eq!(
        read(&fixture, &user(&fixture, "bob"))["groups_obj"][0]["name"],
        "H"
    );
}

#[test]
fn s4_3_what_uses_a_group_is_told_before_it_is_deleted() {
    let fixture = Fixture::new();
    let group = made(&fixture, GROUPS, json!({"name": "G"}));
    let inner = made(
        &fixture,
        GROUPS,
        json!({"name": "H", "parent": group["pk"]}),
    );
    let bob = user(&fixture, "bob");
    let pk = patched(&fixture, &bob, json!({"groups": [group["pk"]]}))["pk"].clone();
    let path = at(GROUPS, &group);
    let used = read(&fixture, &format!("{path}used_by/"));
    let line = |model: &str, pk: Value, name: &str| json!({"app": "edgemint", "model_name": model, "pk": pk, "name": name, "action": "set_null"});
    let user = line("user", json!(pk.to_string()), "bob");
    assert_eq!(used, json!([user, line("group", inner["pk"].clone(), "H")]));
    assert_eq!(fixture.api("DELETE", &path, &json!({})).status, 204);
    assert_eq!(read(&fixture, &bob)["groups"], json!([]));
    assert_eq!(
        fixture
            .api("GET", &format!("{path}used_by/"), &json!({}))
            .status,
        404
    );
}

#[test]
fn s0_3_disabling_or_deleting_somebody_or_another_password_ends_all_they_had() {
    for (method, body) in [
        ("PATCH", json!({"is_active": false})),
        ("PATCH", json!({"password": "another long password"})),
        ("DELETE", json!({})),
    ] {
        let fixture = Fixture::new();
        let browser = fixture.browser_of("bob");
        let held = fixture.tokens_in(&browser, "web");
        let code = browser.code(&authorization("web"));
        assert!(fixture.is_active(&held.access));
        let answer = fixture.api(method, &user(&fixture, "bob"), &body);
        assert!(answer.status < 300, "{}", answer.body);
        assert!(!fixture.is_active(&held.access), "{method} {body}");
        assert!(!fixture.is_active(held.refresh()), "{method} {body}");
        assert_eq!(fixture.refresh(held.refresh()).error(), "invalid_grant");
        assert_eq!(fixture.exchange(&code).error(), "invalid_grant");
        assert_eq!(fixture.userinfo(&held.access).status, 401);
        assert!(
            browser
                .authorize(&authorization("web"))
                .is_page_at("/login")
        );
        assert!(!signs_in(&fixture, "bob", PASSWORD));
    }
}

#[test]
fn s0_3_somebody_of_the_same_name_is_somebody_else() {
    let fixture = Fixture::new();
    let held = fixture.tokens_in(&fixture.browser_of("bob"), "web");
    let before = read(&fixture, &user(&fixture, "bob"));
    assert_eq!(
        fixture
            .api("DELETE", &user(&fixture, "bob"), &json!({}))
            .status,
        204
    );
    let after = made(
        &fixture,
        USERS,
        json!({"username": "bob", "scopes": "read"}),
    );
    assert_ne!(before["subject"], after["subject"]);
    assert!(before["pk"].as_u64() < after["pk"].as_u64());
    assert!(!fixture.is_active(&held.access));
    assert_eq!(fixture.refresh(held.refresh()).error(), "invalid_grant");
}

#[test]
fn s0_3_who_has_no_password_cannot_sign_in() {
    let fixture = Fixture::new();
    made(&fixture, USERS, json!({"username": "eve"}));
    for password in ["", "password", " "] {
        assert!(!signs_in(&fixture, "eve", password), "{password:?}");
    }
}

#[test]
fn s0_6_accounts_are_users_in_the_words_of_the_seed() {
    let fixture = Fixture::new();
    let role = made(
        &fixture,
        ROLES,
        json!({"name": "Reader of all", "scopes": "read"}),
    );
    let body = json!({
        "firstName": "Eve", "lastName": "Ōe", "username": "eve", "password": PASSWORD,
        "active": false, "roles": ["Reader of all", "Reader of all"],
    });
    let account = made(&fixture, ACCOUNTS, body);
    assert_eq!(
        (
            &account["first_name"],
            &account["is_active"],
            &account["roles"]
        ),
        (&json!("Eve"), &json!(false), &json!([role]))
    );
    let path = at(ACCOUNTS, &account);
    let same = read(&fixture, &format!("{USERS}{}/", account["id"]));
    assert_eq!(
        (&same["last_name"], &same["roles"], &same["scopes"]),
        (&json!("Ōe"), &json!(["Reader of all"]), &json!([]))
    );
    let now = patched(
        &fixture,
        &path,
        json!({"active": true, "scopes": ["write"]}),
    );
    assert_eq!(
        (&now["is_active"], &now["scopes"][0]["value"]),
        (&json!(true), &json!("write"))
    );
    assert_eq!(now["roles"], json!([role]));
    for (body, field) in [
        (json!({"active": true, "is_active": true}), "is_active"),
        (json!({"firstName": "", "last_name": "b"}), "first_name"),
        (json!({"email": "a@example.org"}), "email"),
        (json!({"roles": [role["id"]]}), "roles"),
    ] {
        refused(&fixture.api("PATCH", &path, &body), 400, field);
    }
    for absent in ["first_name", "last_name", "username", "password"] {
        let mut body =
            json!({"first_name": "E", "last_name": "V", "username": "eva", "password": PASSWORD});
        body.as_object_mut().unwrap().remove(absent);
        refused(&fixture.api("POST", ACCOUNTS, &body), 400, absent);
    }
    assert_eq!(fixture.api("DELETE", &path, &json!({})).status, 204);
    assert_eq!(fixture.api("GET", &path, &json!({})).status, 404);
}

/// Leaves only what `body` makes of `eve` to administer; answers where she is.
fn alone(fixture: &Fixture, body: Value) -> String {
    let eve = at(USERS, &made(fixture, USERS, json!({"username": "eve"})));
    patched(fixture, &eve, body);
    for username in ["root", "ada"] {
        patched(fixture, &user(fixture, username), json!({"scopes": []}));
    }
    eve
}

fn refused_as_last(fixture: &Fixture, method: &str, path: &str, body: Value) {
    let before = read(fixture, &format!("{USERS}?page_size=100"));
    let record = read(fixture, path);
    let answer = fixture.api(method, path, &body);
    assert_eq!(
        answer.status, 409,
        "{method} {path} {body}: {}",
        answer.body
    );
    assert_eq!(answer.json()["code"], "last_administrator");
    assert_eq!(read(fixture, &format!("{USERS}?page_size=100")), before);
    assert_eq!(read(fixture, path), record, "nothing was written");
}

#[test]
fn s0_7_the_last_administrator_is_not_removed_disabled_or_stripped() {
    let fixture = Fixture::new();
    let eve = alone(&fixture, json!({"scopes": "admin:token read"}));
    for (method, body) in [
        ("DELETE", json!({})),
        ("PATCH", json!({"is_active": false})),
        ("PATCH", json!({"scopes": "read"})),
        ("PUT", json!({"username": "eve"})),
    ] {
        refused_as_last(&fixture, method, &eve, body);
    }
    patched(
        &fixture,
        &eve,
        json!({"name": "Eve", "scopes": "admin:token"}),
    );
    // With another one, any may go.
    patched(
        &fixture,
        &user(&fixture, "bob"),
        json!({"scopes": "admin:token"}),
    );
    assert_eq!(fixture.api("DELETE", &eve, &json!({})).status, 204);
    refused_as_last(&fixture, "DELETE", &user(&fixture, "bob"), json!({}));
}

#[test]
fn s0_7_the_last_administrators_role_stays() {
    let fixture = Fixture::new();
    let role = made(
        &fixture,
        ROLES,
        json!({"name": "Boss", "scopes": "admin:token read"}),
    );
    let eve = alone(&fixture, json!({"roles": ["Boss"]}));
    let path = at(ROLES, &role);
    refused_as_last(&fixture, "PATCH", &eve, json!({"roles": []}));
    refused_as_last(&fixture, "PATCH", &eve, json!({"is_active": false}));
    refused_as_last(&fixture, "PATCH", &path, json!({"scopes": "read"}));
    refused_as_last(&fixture, "PUT", &path, json!({"name": "Boss"}));
    refused_as_last(&fixture, "DELETE", &path, json!({}));
    let account = eve.replace("users", "accounts");
    refused_as_last(&fixture, "PATCH", &account, json!({"roles": []}));
    refused_as_last(&fixture, "DELETE", &account, json!({}));
    patched(
        &fixture,
        &path,
        json!({"name": "Chief", "scopes": "admin:token"}),
    );
    // Who is not active does not count.
    patched(
        &fixture,
        &user(&fixture, "bob"),
        json!({"roles": ["Chief"], "is_active": false}),
    );
    refused_as_last(&fixture, "DELETE", &eve, json!({}));
    patched(&fixture, &user(&fixture, "bob"), json!({"is_active": true}));
    assert_eq!(fixture.api("DELETE", &eve, &json!({})).status, 204);
}

#[test]
fn s0_7_the_last_administrators_group_stays() {
    let fixture = Fixture::new();
    let outer = made(
        &fixture,
        GROUPS,
        json!({"name": "Outer", "is_superuser": true}),
    );
    let inner = made(
        &fixture,
        GROUPS,
        json!({"name": "Inner", "parent": outer["pk"]}),
    );
    let eve = alone(&fixture, json!({"groups": [inner["pk"]]}));
    let (group, inside) = (at(GROUPS, &outer), at(GROUPS, &inner));
    refused_as_last(
        &fixture,
        "PATCH",
        &eve,
        json!({"groups": [outer["pk"]], "is_active": false}),
    );
    refused_as_last(&fixture, "PATCH", &eve, json!({"groups": []}));
    refused_as_last(&fixture, "DELETE", &eve, json!({}));
    refused_as_last(&fixture, "PATCH", &group, json!({"is_superuser": false}));
    refused_as_last(&fixture, "PUT", &group, json!({"name": "Outer"}));
    refused_as_last(&fixture, "PATCH", &inside, json!({"parent": null}));
    for path in [&group, &inside] {
        refused_as_last(&fixture, "DELETE", path, json!({}));
    }
    patched(&fixture, &group, json!({"name": "Other"}));
    patched(
        &fixture,
        &inside,
        json!({"is_superuser": true, "parent": null}),
    );
    assert_eq!(fixture.api("DELETE", &group, &json!({})).status, 204);
    assert_eq!(read(&fixture, &eve)["is_superuser"], true);
}

#[test]
fn users_are_paged_searched_ordered_and_filtered() {
    let fixture = Fixture::new();
    let group = made(&fixture, GROUPS, json!({"name": "G", "is_superuser": true}));
    for (username, name, active) in [
        ("eve", "100% Eve_1", true),
        ("eva", "Éva", false),
        ("evi", "Zoë %_", true),
    ] {
        let body = json!({
            "username": username, "name": name, "is_active": active, "groups": [group["pk"]],
            "attributes": {"secret": "unfindable"},
        });
        made(&fixture, USERS, body);
    }
    let list = |query: &str| read(&fixture, &format!("{USERS}?{query}"));
    for (query, found) in [
        ("search=EV", vec!["eve", "eva", "evi"]),
        ("search=%25", vec!["eve", "evi"]),
        ("search=_", vec!["eve", "evi"]),
        ("search=%C3%89va", vec!["eva"]),
        ("search=ZO%C3%AB", vec!["evi"]),
        ("search=unfindable", vec![]),
        ("search=argon2", vec![]),
        ("search=u_bob", vec![]),
        ("search=%00", vec![]),
        ("search=ev&ordering=-username", vec!["evi", "eve", "eva"]),
        ("search=ev&ordering=name", vec!["eve", "evi", "eva"]),
        ("search=ev&ordering=-pk", vec!["evi", "eva", "eve"]),
        ("search=ev&is_active=false", vec!["eva"]),
        ("is_active=true&search=ev&page_size=1&page=2", vec!["evi"]),
        ("is_active=false", vec!["eva"]),
        ("username=EVE", vec![]),
        ("username=ev", vec![]),
        ("email=&search=evi", vec!["evi"]),
        ("name=%25", vec![]),
    ] {
        assert_eq!(usernames(&list(query)), found, "{query}");
    }
    for bad in [
        "is_active=1",
        "is_active=",
        "ordering=password",
        "ordering=avatar",
        "ordering=groups",
        "ordering=",
        "ordering=_subject",
        "_subject=u_bob",
        "password=x",
        "is_superuser=true",
        "ordering=is_superuser",
        "last_login=x",
        "ordering=last_login",
        "attributes=x",
        "username=a&username=b",
        "page=0",
        "page=-1",
        "page=1.5",
        "page=99999999999999999999",
        "pk=x",
        "pk=-1",
    ] {
        let answer = fixture.api("GET", &format!("{USERS}?{bad}"), &json!({}));
        let name = bad.split('=').next().unwrap();
        refused(&answer, 400, name);
    }
    let far = fixture.api("GET", &format!("{USERS}?page={}", u64::MAX), &json!({}));
    assert_eq!(far.status, 404);
}
