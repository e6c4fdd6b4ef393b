//! Codes and tokens as administrators see them (row S4.1), and the history of what they changed.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use serde_json::{Value, json};
use support::{Fixture, Seen as _};

const CODES: &str = "/api/v1/oauth2/authorization_codes/";
const ACCESS: &str = "/api/v1/oauth2/access_tokens/";
const REFRESH: &str = "/api/v1/oauth2/refresh_tokens/";

fn get(fixture: &Fixture, path: &str) -> Value {
    let answer = fixture.api("GET", path, &json!({}));
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.json()
}

fn results(fixture: &Fixture, path: &str) -> Vec<Value> {
    get(fixture, path)["results"].as_array().unwrap().clone()
}

fn status(fixture: &Fixture, method: &str, path: &str) -> u16 {
    fixture.api(method, path, &json!({})).status
}

fn pk(fixture: &Fixture, path: &str) -> u64 {
    results(fixture, path)[0]["pk"].as_u64().unwrap()
}

#[test]
fn s4_1_a_code_is_told_with_the_fields_of_the_seed_and_never_itself() {
    let fixture = Fixture::new();
    let code = fixture.code();
    let listed = results(&fixture, CODES);
    assert_eq!(listed.len(), 1);
    let path = format!("{CODES}{}/", listed[0]["pk"]);
    let told = get(&fixture, &path);
    assert_eq!(told, listed[0]);
    assert_eq!(told["is_expired"], false);
    assert!(told["expires"].as_str().unwrap().ends_with('Z'));
    assert!(told["scope"].as_array().unwrap().contains(&json!("openid")));
    for field in [
        "pk",
        "name",
        "authorization_flow",
        "property_mappings",
        "component",
        "assigned_application_slug",
        "assigned_application_name",
        "assigned_backchannel_application_slug",
        "assigned_backchannel_application_name",
        "verbose_name",
        "verbose_name_plural",
        "meta_model_name",
        "client_type",
        "client_id",
        "access_code_validity",
        "access_token_validity",
        "refresh_token_validity",
        "include_claims_in_id_token",
        "signing_key",
        "redirect_uris",
        "sub_mode",
        "issuer_mode",
        "jwks_sources",
    ] {
        assert!(told["provider"].get(field).is_some(), "provider.{field}");
    }
    assert_eq!(told["provider"]["client_id"], "web");
    for field in [
        "pk",
        "username",
        "name",
        "is_active",
        "last_login",
        "is_superuser",
        "groups",
        "groups_obj",
        "email",
        "avatar",
        "attributes",
        "uid",
        "path",
        "type",
        "uuid",
    ] {
        assert!(told["user"].get(field).is_some(), "user.{field}");
    }
    assert_eq!(told["user"]["username"], "ada");
    let text = told.to_string();
    assert!(!text.contains(&code) && !text.contains("argon2") && !text.contains("_secrets"));
    assert_eq!(get(&fixture, &format!("{path}used_by/")), json!([]));
}

#[test]
fn s4_1_a_deleted_code_is_redeemed_by_nobody() {
    let fixture = Fixture::new();
    let code = fixture.code();
    let path = format!("{CODES}{}/", pk(&fixture, CODES));
    assert_eq!(status(&fixture, "DELETE", &path), 204);
    assert_eq!(fixture.exchange(&code).error(), "invalid_grant");
    assert_eq!(status(&fixture, "GET", &path), 404);
    assert_eq!(status(&fixture, "DELETE", &path), 404);
}

#[test]
fn s4_1_a_spent_code_is_gone_and_deleting_it_ends_nothing() {
    let fixture = Fixture::new();
    let code = fixture.code();
    let path = format!("{CODES}{}/", pk(&fixture, CODES));
    let tokens = fixture.exchange(&code).json();
    assert_eq!(status(&fixture, "GET", &path), 404);
    assert_eq!(status(&fixture, "DELETE", &path), 404);
    assert!(fixture.is_active(tokens["access_token"].as_str().unwrap()));
}

#[test]
fn s4_1_codes_are_listed_by_user_and_provider() {
    let fixture = Fixture::new();
    fixture.code();
    fixture.code_for("spa");
    let all = results(&fixture, CODES);
    assert_eq!(all.len(), 2);
    let of = |record: &str, name: &str| {
        let one = all
            .iter()
            .find(|code| code["provider"]["client_id"] == name);
        one.unwrap()[record]["pk"].clone()
    };
    let (user, provider) = (of("user", "web"), of("provider", "spa"));
    assert_eq!(results(&fixture, &format!("{CODES}?user={user}")).len(), 2);
    let narrowed = results(
        &fixture,
        &format!("{CODES}?user={user}&provider={provider}"),
    );
    assert_eq!(narrowed.len(), 1);
    assert_eq!(narrowed[0]["provider"]["client_id"], "spa");
    let page = get(&fixture, &format!("{CODES}?page_size=1&page=2"));
    assert_eq!(page["pagination"]["previous"], 1);
    for bad in ["?user=x", "?provider=999", "?x=1", "?search=a", "?page=3"] {
        let refused = status(&fixture, "GET", &format!("{CODES}{bad}"));
        assert!(refused == 400 || refused == 404, "{bad}: {refused}");
    }
}

#[test]
fn s4_1_refusals_have_the_shapes_of_the_seed() {
    let fixture = Fixture::new();
    let bad = fixture.api("GET", &format!("{CODES}x/"), &json!({}));
    assert_eq!(bad.status, 400);
    assert_eq!(bad.json()["id"], json!(["has to be a number"]));
    assert_eq!(bad.json()["non_field_errors"], json!([]));
    assert!(bad.json()["code"].is_string());
    for path in [CODES, ACCESS, REFRESH] {
        assert_eq!(status(&fixture, "POST", path), 405);
        assert_eq!(status(&fixture, "PATCH", &format!("{path}1/")), 405);
        assert_eq!(status(&fixture, "GET", &format!("{path}1/")), 404);
        assert_eq!(status(&fixture, "GET", &format!("{path}1/x/")), 404);
        assert_eq!(
            status(&fixture, "GET", &format!("{path}18446744073709551615/")),
            404
        );
    }
    assert_eq!(status(&fixture, "GET", "/api/v1/oauth2/tokens/"), 404);
}

#[test]
fn s4_1_tokens_are_told_by_their_grants_and_end_with_them() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens();
    for path in [ACCESS, REFRESH] {
        let told = results(&fixture, path);
        assert_eq!(told.len(), 1, "{path}");
        assert_eq!(told[0]["user"]["username"], "ada");
        assert_eq!(told[0]["provider"]["client_id"], "web");
        assert_eq!(
            (&told[0]["revoked"], &told[0]["is_expired"]),
            (&json!(false), &json!(false))
        );
        let one = format!("{path}{}/", told[0]["pk"]);
        assert_eq!(get(&fixture, &one), told[0]);
        assert!(!told[0].to_string().contains(&tokens.access));
    }
    let path = format!("{REFRESH}{}/", pk(&fixture, REFRESH));
    assert_eq!(status(&fixture, "DELETE", &path), 204);
    assert!(!fixture.is_active(&tokens.access));
    assert_eq!(fixture.refresh(tokens.refresh()).error(), "invalid_grant");
    assert_eq!(status(&fixture, "GET", &path), 404);
    assert!(results(&fixture, ACCESS).is_empty() && results(&fixture, REFRESH).is_empty());
}

#[test]
fn s4_1_lists_of_tokens_have_an_end() {
    let fixture = Fixture::new();
    fixture.tokens();
    let user = &results(&fixture, ACCESS)[0]["user"]["pk"];
    assert_eq!(results(&fixture, &format!("{ACCESS}?user={user}")).len(), 1);
    for bad in ["?page=51&page_size=100", "?ordering=user", "?user=1"] {
        assert_eq!(
            status(&fixture, "GET", &format!("{ACCESS}{bad}")),
            400,
            "{bad}"
        );
    }
}

#[test]
fn every_change_of_a_record_is_in_the_history_with_who_and_what() {
    let fixture = Fixture::new();
    let made = fixture.api(
        "POST",
        "/api/v1/roles/",
        &json!({"name": "Reader", "scopes": "read"}),
    );
    let path = format!("/api/v1/roles/{}/", made.json()["id"]);
    fixture.api("PATCH", &path, &json!({"name": "Readers"}));
    fixture.api("PATCH", &path, &json!({"name": 1}));
    fixture.api("DELETE", &path, &json!({}));
    let history = get(&fixture, "/api/v1/audit/?collection=roles");
    let lines = history["results"].as_array().unwrap();
    let actions: Vec<&Value> = lines.iter().map(|line| &line["action"]).collect();
    assert_eq!(actions, ["deleted", "updated", "created"]);
    assert_eq!(lines[1]["before"]["name"], "Reader");
    assert_eq!(lines[1]["after"]["name"], "Readers");
    assert_eq!(lines[1]["actor"], "<bootstrap>");
    let one = format!("/api/v1/audit/?record={}", made.json()["id"]);
    assert_eq!(get(&fixture, &one)["pagination"]["count"], 3);
    assert_eq!(
        get(&fixture, "/api/v1/audit/?actor=nobody")["pagination"]["count"],
        0
    );
    for bad in ["?x=1", "?search=a", "?ordering=actor", "?page=0"] {
        assert_eq!(
            status(&fixture, "GET", &format!("/api/v1/audit/{bad}")),
            400,
            "{bad}"
        );
    }
    assert_eq!(status(&fixture, "POST", "/api/v1/audit/"), 405);
}

#[test]
fn the_history_has_no_secret() {
    let fixture = Fixture::new();
    let provider = json!({"name": "App", "redirect_uris": "https://app.example/cb"});
    let made = fixture
        .api("POST", "/api/v1/providers/oauth2/", &provider)
        .json();
    let secret = made["client_secret"].as_str().unwrap().to_owned();
    let user = json!({"username": "eve", "password": "a long password"});
    assert_eq!(fixture.api("POST", "/api/v1/users/", &user).status, 201);
    let history = get(&fixture, "/api/v1/audit/?page_size=100").to_string();
    for hidden in [
        secret.as_str(),
        "a long password",
        "argon2",
        "_secrets",
        "digest",
    ] {
        assert!(!history.contains(hidden), "{hidden}");
    }
}
