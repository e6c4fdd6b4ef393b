//! The last administrator stays, by whichever way they would go (row S0.7).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use serde_json::{Value, json};
use support::records::{USERS, at, made, patched, read, user_path};
use support::{Fixture, Seen as _};

const GROUPS: &str = "/api/v1/groups/";
const ROLES: &str = "/api/v1/roles/";

/// Leaves only what `body` makes of `eve` to administer; answers where she is.
fn alone(fixture: &Fixture, body: Value) -> String {
    let eve = at(USERS, &made(fixture, USERS, json!({"username": "eve"})));
    patched(fixture, &eve, body);
    for username in ["root", "ada"] {
        patched(
            fixture,
            &user_path(fixture, username),
            json!({"scopes": []}),
        );
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
        &user_path(&fixture, "bob"),
        json!({"scopes": "admin:token"}),
    );
    assert_eq!(fixture.api("DELETE", &eve, &json!({})).status, 204);
    refused_as_last(&fixture, "DELETE", &user_path(&fixture, "bob"), json!({}));
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
        &user_path(&fixture, "bob"),
        json!({"roles": ["Chief"], "is_active": false}),
    );
    refused_as_last(&fixture, "DELETE", &eve, json!({}));
    patched(
        &fixture,
        &user_path(&fixture, "bob"),
        json!({"is_active": true}),
    );
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
