//! What a provider's client is told of people: subjects, mappings and the preview (rows S4.2 and S4.5).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use support::records::{App, PROVIDERS, USERS, at, made, patched, read, refused, user};
use support::{Fixture, ISSUER, Seen as _, decoded};

const MAPPINGS: &str = "/api/v1/property_mappings/";

/// The claims of an ID token, and those of UserInfo.
fn told(app: &App<'_>, username: &str) -> (Value, Value) {
    let tokens = app.tokens_of(username);
    let userinfo = app.fixture.userinfo(&tokens.access);
    assert_eq!(userinfo.status, 200, "{}", userinfo.body);
    (tokens.claims(), userinfo.json())
}

#[test]
fn s4_2_the_six_subject_modes_are_exact_and_alike_wherever_sub_is_told() {
    let fixture = Fixture::new();
    let bob = user(&fixture, "bob");
    let path = at(USERS, &bob);
    patched(
        &fixture,
        &path,
        json!({"email": "bob@example.org", "attributes": {"upn": "bob@corp"}}),
    );
    let number = bob["pk"].as_u64().unwrap();
    let hash = digest(&SHA256, format!("{number}-{ISSUER}").as_bytes());
    let hash: String = hash
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let app = App::new(&fixture, json!({}));
    let sub = |mode: &str| {
        let mut subs = Vec::new();
        for format in ["sealed", "jwt"] {
            app.patch(json!({"sub_mode": mode, "access_token_format": format}));
            let tokens = app.tokens_of("bob");
            subs.push(tokens.claims()["sub"].clone());
            subs.push(fixture.userinfo(&tokens.access).json()["sub"].clone());
            subs.push(app.introspect(&tokens.access)["sub"].clone());
            subs.push(app.introspect(tokens.refresh())["sub"].clone());
            if format == "jwt" {
                subs.push(decoded(tokens.access.split('.').nth(1).unwrap())["sub"].clone());
            }
        }
        assert!(subs.iter().all(|sub| *sub == subs[0]), "{mode}: {subs:?}");
        subs[0].clone()
    };
    for (mode, expected) in [
        ("hashed_user_id", hash.clone()),
        ("user_id", number.to_string()),
        ("user_uuid", bob["uuid"].as_str().unwrap().to_owned()),
        ("user_username", "bob".to_owned()),
        ("user_email", "bob@example.org".to_owned()),
        ("user_upn", "bob@corp".to_owned()),
        ("subject", bob["subject"].as_str().unwrap().to_owned()),
    ] {
        assert_eq!(sub(mode), expected, "{mode}");
    }
    for attributes in [json!({}), json!({"upn": 7})] {
        patched(&fixture, &path, json!({"attributes": attributes}));
        assert_eq!(
            sub("user_upn"),
            hash.as_str(),
            "without a upn it is the hash"
        );
    }
}

#[test]
fn s4_2_whoever_is_told_as_something_else_is_still_found_and_ended() {
    let fixture = Fixture::new();
    for format in ["sealed", "jwt"] {
        let app = App::new(
            &fixture,
            json!({"sub_mode": "user_username", "access_token_format": format}),
        );
        let tokens = app.tokens_of("bob");
        assert_eq!(app.introspect(&tokens.access)["sub"], "bob");
        let bob = at(USERS, &user(&fixture, "bob"));
        patched(&fixture, &bob, json!({"is_active": false}));
        assert!(!app.is_active(&tokens.access), "{format}: by our own name");
        assert!(!app.is_active(tokens.refresh()));
        patched(&fixture, &bob, json!({"is_active": true}));
    }
}

#[test]
fn s4_2_a_name_that_no_token_can_hold_is_told_as_the_hash() {
    let fixture = Fixture::new();
    let app = App::new(&fixture, json!({"sub_mode": "hashed_user_id"}));
    let hash = app.tokens_of("bob").claims()["sub"].clone();
    app.patch(json!({"sub_mode": "user_upn"}));
    for upn in ["", "bob\nscope", "\u{0}"] {
        let attributes = json!({"attributes": {"upn": upn}});
        patched(&fixture, &at(USERS, &user(&fixture, "bob")), attributes);
        assert_eq!(app.tokens_of("bob").claims()["sub"], hash, "{upn:?}");
    }
}

#[test]
fn s4_2_mappings_add_claims_and_never_change_what_the_protocol_says() {
    let fixture = Fixture::new();
    let mapping = made(
        &fixture,
        MAPPINGS,
        json!({"name": "Staff", "scope_name": "read", "claims": {
            "mail": "{email}", "greeting": "Hello {name}, {username}!", "level": "{attributes.level}",
            "groups": "{attributes.groups}", "lost": "{attributes.lost}", "fixed": "yes",
            "preferred_username": "somebody", "constructor": "{attributes.__proto__}",
        }}),
    );
    let app = App::new(&fixture, json!({"property_mappings": [mapping["pk"]]}));
    let bob = at(USERS, &user(&fixture, "bob"));
    let body = json!({
        "email": "bob@example.org", "name": "Bob Ōe",
        "attributes": {"level": 7, "groups": ["a", {"b": null}]},
    });
    patched(&fixture, &bob, body);
    let (token, userinfo) = told(&app, "bob");
    for told in [&token, &userinfo] {
        assert_eq!(told["mail"], "bob@example.org");
        assert_eq!(told["greeting"], "Hello Bob Ōe, bob!");
        assert_eq!(told["level"], 7, "an attribute keeps its kind");
        assert_eq!(told["groups"], json!(["a", {"b": null}]));
        assert_eq!(told["fixed"], "yes");
        assert_eq!(told["preferred_username"], "bob");
        assert!(told.get("lost").is_none() && told.get("constructor").is_none());
    }
    app.patch(json!({"include_claims_in_id_token": false}));
    let (token, userinfo) = told(&app, "bob");
    assert!(token.get("mail").is_none() && token.get("email").is_none());
    assert_eq!(
        (&userinfo["mail"], &userinfo["name"]),
        (&json!("bob@example.org"), &json!("Bob Ōe"))
    );
    // A mapping that changes or goes is followed at once.
    let path = at(MAPPINGS, &mapping);
    patched(&fixture, &path, json!({"claims": {"mail": "none"}}));
    assert_eq!(told(&app, "bob").1["mail"], "none");
    assert_eq!(fixture.api("DELETE", &path, &json!({})).status, 204);
    assert!(told(&app, "bob").1.get("mail").is_none());
    assert_eq!(read(&fixture, &app.path)["property_mappings"], json!([]));
}

#[test]
fn s4_2_mappings_are_told_alike_in_id_token_userinfo_and_introspection() {
    let fixture = Fixture::new();
    let claims =
        json!({"level": "{attributes.level}", "preferred_username": "x", "username": "spy"});
    let mapping = json!({"name": "Staff", "scope_name": "read", "claims": claims});
    let mapping = made(&fixture, MAPPINGS, mapping);
    let other = json!({"name": "Other", "scope_name": "write", "claims": {"secret": "{email}"}});
    let other = made(&fixture, MAPPINGS, other);
    let bob = at(USERS, &user(&fixture, "bob"));
    patched(&fixture, &bob, json!({"attributes": {"level": 7}}));
    for format in ["sealed", "jwt"] {
        let app = App::new(
            &fixture,
            json!({"property_mappings": [mapping["pk"], other["pk"]], "access_token_format": format}),
        );
        let tokens = app.tokens_of("bob");
        let mut answers = vec![tokens.claims(), fixture.userinfo(&tokens.access).json()];
        for token in [&*tokens.access, tokens.refresh()] {
            answers.push(app.introspect(token));
        }
        for told in &answers {
            assert_eq!(told["level"], 7, "{format}: {told}");
            assert_eq!(told["preferred_username"], "bob", "as the protocol says it");
            assert!(told.get("secret").is_none(), "{told}: of another scope");
        }
        // What the token itself says is not anybody's to say otherwise, and its text has none of it.
        let told = app.introspect(&tokens.access);
        assert_eq!(
            (&told["scope"], &told["username"]),
            (&answers[3]["scope"], &json!("bob"))
        );
        if format == "jwt" {
            let payload = decoded(tokens.access.split('.').nth(1).unwrap());
            assert!(payload.get("level").is_none(), "{payload}");
        }
        // What is known of the person is kept as clients are: the ledger is asked once.
        let calls = || fixture.memory().operations().ledger;
        let before = calls();
        app.introspect(&tokens.access);
        assert_eq!(calls(), before);
        // A mapping that changes is followed at once; one that goes, too.
        let path = at(MAPPINGS, &mapping);
        patched(&fixture, &path, json!({"claims": {"level": "none"}}));
        assert_eq!(app.introspect(&tokens.access)["level"], "none");
        patched(&fixture, &path, json!({"claims": claims}));
        app.patch(json!({"property_mappings": []}));
        assert!(app.introspect(&tokens.access).get("level").is_none());
    }
}

#[test]
fn s4_2_a_mapping_says_nothing_that_is_the_protocols_and_runs_nothing() {
    let fixture = Fixture::new();
    for claim in [
        "iss",
        "sub",
        "aud",
        "exp",
        "iat",
        "nonce",
        "at_hash",
        "acr",
        "sid",
        "azp",
        "token_type",
        "mac_key",
        "",
    ] {
        let body = json!({"name": "M", "scope_name": "read", "claims": {claim: "x"}});
        refused(&fixture.api("POST", MAPPINGS, &body), 400, "claims");
    }
    for template in [
        "{",
        "}",
        "{}",
        "{password}",
        "{user.email}",
        "{{name}}",
        "{attributes.}",
        "{name",
    ] {
        let body = json!({"name": "M", "scope_name": "read", "claims": {"x": template}});
        refused(&fixture.api("POST", MAPPINGS, &body), 400, "claims");
    }
    for (field, value) in [
        ("claims", json!({"x": 1})),
        ("claims", json!("return {}")),
        ("scope_name", json!("a b")),
        ("scope_name", json!("")),
        ("expression", json!("return {}")),
    ] {
        let mut body = json!({"name": "M", "scope_name": "read"});
        body[field] = value;
        refused(&fixture.api("POST", MAPPINGS, &body), 400, field);
    }
    assert_eq!(read(&fixture, MAPPINGS)["pagination"]["count"], 0);
}

#[test]
fn s4_5_a_preview_is_what_the_client_would_be_told() {
    let fixture = Fixture::new();
    let mapping = json!({"name": "Staff", "scope_name": "read", "claims": {"login": "{username}"}});
    let mapping = made(&fixture, MAPPINGS, mapping);
    let app = App::new(&fixture, json!({"property_mappings": [mapping["pk"]]}));
    let bob = user(&fixture, "bob")["pk"].clone();
    let preview = read(
        &fixture,
        &format!("{}preview_user/?for_user={bob}", app.path),
    );
    let (_, userinfo) = told(&app, "bob");
    for claim in ["sub", "preferred_username", "given_name", "login"] {
        assert_eq!(preview["preview"][claim], userinfo[claim], "{claim}");
    }
    assert_eq!(
        (&preview["preview"]["iss"], &preview["preview"]["aud"]),
        (&json!(ISSUER), &json!(app.id))
    );
    for query in [
        "",
        "?for_user=",
        "?for_user=bob",
        "?for_user=-1",
        "?for_user=99",
    ] {
        let answer = fixture.api(
            "GET",
            &format!("{}preview_user/{query}", app.path),
            &json!({}),
        );
        refused(&answer, 400, "for_user");
    }
    let unknown = fixture.api(
        "GET",
        &format!("{PROVIDERS}99/preview_user/?for_user={bob}"),
        &json!({}),
    );
    assert_eq!(unknown.status, 404);
}
