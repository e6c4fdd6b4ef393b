//! Users and accounts of the management API (rows S0.3, S0.6 and S4.3).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use serde_json::{Value, json};
use support::records::{USERS, at, made, patched, read, refused, user_path};
use support::{Fixture, PASSWORD, Seen as _, authorization};

const ACCOUNTS: &str = "/api/v1/accounts/";
const GROUPS: &str = "/api/v1/groups/";
const ROLES: &str = "/api/v1/roles/";

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
fn what_does_not_fit_a_user_is_refused_by_name_and_nothing_is_written() {
    let fixture = Fixture::new();
    let bob = user_path(&fixture, "bob");
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
        let answer = fixture.api(method, &user_path(&fixture, "bob"), &body);
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
    let before = read(&fixture, &user_path(&fixture, "bob"));
    assert_eq!(
        fixture
            .api("DELETE", &user_path(&fixture, "bob"), &json!({}))
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
