//! Groups, and what they give (row S4.3).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use edgemint::model::Scope;
use serde_json::{Value, json};
use support::records::{USERS, at, made, patched, read, refused, user_path};
use support::{Browser, Fixture, PASSWORD, Seen as _, Tokens, authorization};

const ACCOUNTS: &str = "/api/v1/accounts/";
const GROUPS: &str = "/api/v1/groups/";
const ROLES: &str = "/api/v1/roles/";

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
    let bob = user_path(&fixture, "bob");
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
    let eve = user_path(&fixture, "eve");
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
        &user_path(&fixture, "bob"),
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
        read(&fixture, &user_path(&fixture, "bob"))["groups_obj"][0]["name"],
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
    let bob = user_path(&fixture, "bob");
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
