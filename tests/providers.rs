//! Providers: what they are made of, and the flows and applications that belong to them (rows S4.2 and
//! S4.5).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use serde_json::json;
use support::records::{App, CALLBACK, FLOWS, PROVIDERS, at, made, patched, read, refused, user};
use support::{Fixture, ISSUER, Seen as _};

const APPLICATIONS: &str = "/api/v1/applications/";

#[test]
fn s4_2_a_provider_has_every_field_of_the_seed_and_of_the_other_clients() {
    let fixture = Fixture::new();
    let made = made(
        &fixture,
        PROVIDERS,
        json!({"name": "App", "redirect_uris": CALLBACK}),
    );
    for (field, value) in [
        ("name", json!("App")),
        ("authentication_flow", json!(null)),
        ("authorization_flow", json!(null)),
        ("invalidation_flow", json!(null)),
        ("property_mappings", json!([])),
        ("component", json!("ak-provider-oauth2-form")),
        ("assigned_application_slug", json!("")),
        ("assigned_application_name", json!("")),
        ("assigned_backchannel_application_slug", json!("")),
        ("verbose_name", json!("OAuth2/OpenID Provider")),
        (
            "meta_model_name",
            json!("authentik_providers_oauth2.oauth2provider"),
        ),
        ("client_type", json!("confidential")),
        ("access_code_validity", json!("minutes=1")),
        ("access_token_validity", json!("hours=1")),
        ("refresh_token_validity", json!("days=14")),
        ("include_claims_in_id_token", json!(true)),
        ("signing_key", json!(null)),
        ("redirect_uris", json!(CALLBACK)),
        ("sub_mode", json!("hashed_user_id")),
        ("issuer_mode", json!("global")),
        ("jwks_sources", json!([])),
        ("jwks_subjects", json!([])),
        (
            "grant_types",
            json!(["authorization_code", "refresh_token"]),
        ),
        ("response_types", json!(["code"])),
        ("scope", json!("email openid profile")),
        ("owner", json!(null)),
        ("description", json!("")),
        ("enabled", json!(true)),
    ] {
        assert_eq!(made[field], value, "{field}");
    }
    assert!(made["client_secret"].as_str().unwrap().len() >= 43);
    let path = at(PROVIDERS, &made);
    let mut shown = read(&fixture, &path);
    assert!(shown.get("client_secret").is_none(), "shown once");
    let again = fixture.api("PUT", &path, &shown);
    assert_eq!((again.status, again.json()), (200, shown.clone()));
    let ada = user(&fixture, "ada")["pk"].clone();
    for (field, value) in [
        ("name", json!("Another")),
        ("owner", ada),
        ("description", json!("of the seed")),
        ("client_type", json!("public")),
        ("access_code_validity", json!("seconds=100")),
        ("access_token_validity", json!("Minutes = 2; seconds=3")),
        ("refresh_token_validity", json!("weeks=1")),
        ("include_claims_in_id_token", json!(false)),
        (
            "redirect_uris",
            json!("http://127.0.0.1/cb\ncom.example.app:/cb"),
        ),
        (
            "post_logout_redirect_uris",
            json!("https://app.example/bye"),
        ),
        ("sub_mode", json!("user_upn")),
        ("issuer_mode", json!("per_provider")),
        ("grant_types", json!(["authorization_code"])),
        ("response_types", json!([])),
        ("scope", json!("openid")),
        ("token_endpoint_auth_method", json!("client_secret_post")),
        ("client_uri", json!("https://app.example/")),
        ("default_resource", json!("https://api.example/")),
        ("resources", json!(["urn:a:b"])),
        ("serves", json!(["https://api.example/"])),
        ("access_token_format", json!("jwt")),
        ("id_token_signed_response_alg", json!("RS256")),
        ("enabled", json!(false)),
        ("danger_allow_management_scopes", json!(true)),
    ] {
        let now = patched(&fixture, &path, json!({field: value}));
        shown[field] = value;
        shown["redirect_uri_list"] = now["redirect_uri_list"].clone();
        assert_eq!(now, shown, "{field}");
        assert_eq!(read(&fixture, &path), shown);
    }
    assert_eq!(
        shown["redirect_uri_list"],
        json!(["http://127.0.0.1/cb", "com.example.app:/cb"])
    );
}

#[test]
fn what_does_not_fit_a_provider_is_refused_by_name_and_nothing_is_written() {
    let fixture = Fixture::new();
    let app = App::new(&fixture, json!({}));
    let before = read(&fixture, PROVIDERS);
    let authentication = read(&fixture, &format!("{FLOWS}?designation=authentication"));
    for (field, value) in [
        ("name", json!("")),
        ("name", json!("x".repeat(256))),
        ("client_type", json!("secret")),
        ("client_id", json!("another")),
        ("client_id", json!("")),
        ("client_id", json!("u_ada")),
        ("client_secret", json!("too short")),
        ("client_secret", json!("x".repeat(256))),
        ("client_secret", json!("é".repeat(32))),
        ("client_secret", json!(null)),
        ("access_code_validity", json!("minutes=11")),
        ("access_code_validity", json!("seconds=0")),
        ("access_token_validity", json!("minute=3")),
        ("access_token_validity", json!("hours=-1")),
        ("access_token_validity", json!("hours=25")),
        ("access_token_validity", json!("hours=1;hours=2")),
        ("access_token_validity", json!("3600")),
        ("access_token_validity", json!(3600)),
        ("access_token_validity", json!("")),
        ("refresh_token_validity", json!("days=91")),
        (
            "refresh_token_validity",
            json!("hours=99999999999999999999"),
        ),
        ("include_claims_in_id_token", json!("yes")),
        ("signing_key", json!("default")),
        ("redirect_uris", json!("https://app.example/.*")),
        ("redirect_uris", json!("^https://app.example/cb$")),
        ("redirect_uris", json!("https://app[.]example/cb")),
        ("redirect_uris", json!("**")),
        ("redirect_uris", json!("http://app.example/cb")),
        ("redirect_uris", json!("JavaScript:alert(1)")),
        ("redirect_uris", json!("https://app.example/cb#x")),
        ("redirect_uris", json!("https://user@app.example/cb")),
        ("redirect_uris", json!("https://app.example/cb?code=1")),
        (
            "redirect_uris",
            json!([{"matching_mode": "regex", "url": ".*"}]),
        ),
        ("redirect_uris", json!("")),
        ("redirect_uris", json!(vec![CALLBACK; 65])),
        ("sub_mode", json!("user_name")),
        ("issuer_mode", json!("mine")),
        ("grant_types", json!(["password"])),
        ("grant_types", json!("authorization_code")),
        ("grant_types", json!([])),
        ("grant_types", json!(["refresh_token"])),
        ("response_types", json!(["token"])),
        ("scope", json!("a  b")),
        ("scope", json!("openid nowhere")),
        ("owner", json!(99)),
        ("owner", json!("ada")),
        ("authorization_flow", json!("explicit")),
        (
            "authorization_flow",
            authentication["results"][0]["pk"].clone(),
        ),
        ("property_mappings", json!([99])),
        (
            "jwks_sources",
            json!(["00000000-0000-8000-8000-000000000001"]),
        ),
        ("client_uri", json!("http://app.example")),
        ("default_resource", json!("https://api.example/#a")),
        ("resources", json!(["api"])),
        ("access_token_format", json!("opaque")),
        ("id_token_signed_response_alg", json!("none")),
        ("id_token_signed_response_alg", json!("HS256")),
        ("token_endpoint_auth_method", json!("none")),
        ("self_registered_by", json!(true)),
        ("_secrets", json!([])),
        ("_add_secret", json!({"digest": "x"})),
        ("_drop_secret", json!("x")),
        ("_implicit_consent", json!(true)),
    ] {
        refused(
            &fixture.api("PATCH", &app.path, &json!({field: value})),
            400,
            field,
        );
        let mut body = json!({"name": "B", "redirect_uris": CALLBACK});
        body[field] = value;
        if field != "client_id" || body[field] != "another" {
            refused(&fixture.api("POST", PROVIDERS, &body), 400, field);
        }
    }
    let public = json!({"client_type": "public", "grant_types": ["client_credentials"]});
    refused(
        &fixture.api("PATCH", &app.path, &public),
        400,
        "grant_types",
    );
    let taken = json!({"name": "B", "redirect_uris": CALLBACK, "client_id": app.id});
    let taken = fixture.api("POST", PROVIDERS, &taken);
    assert_eq!(
        (taken.status, taken.body.contains("client_id")),
        (409, true)
    );
    assert_eq!(read(&fixture, PROVIDERS), before);
}

#[test]
fn no_two_clients_act_by_one_name() {
    let fixture = Fixture::new();
    let create = |id: &str| {
        let body = json!({"name": "B", "redirect_uris": CALLBACK, "client_id": id});
        fixture.api("POST", PROVIDERS, &body)
    };
    let first = create("Portal.x");
    assert_eq!(first.status, 201, "{}", first.body);
    for id in ["portal~x", "portal.x", "PORTAL~X", "Portal.x"] {
        let taken = create(id);
        assert_eq!(taken.status, 409, "{id}: {}", taken.body);
        assert!(taken.body.contains("client_id"), "{id}: {}", taken.body);
    }
    assert_eq!(create("portal-x").status, 201);
    // The one that has the name changes as it likes, and gives it back when it goes.
    let path = at(PROVIDERS, &first.json());
    patched(&fixture, &path, json!({"name": "Renamed"}));
    assert_eq!(create("portal~x").status, 409);
    assert_eq!(fixture.api("DELETE", &path, &json!({})).status, 204);
    assert_eq!(create("portal~x").status, 201);
}

#[test]
fn s4_2_a_flow_says_whether_people_are_asked() {
    let fixture = Fixture::new();
    let app = App::new(&fixture, json!({"authorization_flow": null}));
    let asked = || {
        let browser = fixture.browser_of("bob");
        browser
            .authorize(&app.authorization())
            .is_page_at("/consent")
    };
    assert!(asked());
    let flow = json!({"name": "Own", "slug": "own", "consent": "implicit"});
    let flow = made(&fixture, FLOWS, flow);
    app.patch(json!({"authorization_flow": flow["pk"]}));
    assert!(!asked());
    let path = at(FLOWS, &flow);
    patched(&fixture, &path, json!({"consent": "explicit"}));
    assert!(asked());
    patched(&fixture, &path, json!({"consent": "implicit"}));
    assert!(!asked());
    assert_eq!(fixture.api("DELETE", &path, &json!({})).status, 204);
    assert!(asked(), "without a flow they are asked");
    assert_eq!(read(&fixture, &app.path)["authorization_flow"], json!(null));
    for flow in read(&fixture, FLOWS)["results"].as_array().unwrap() {
        for method in ["PATCH", "DELETE"] {
            assert_eq!(
                fixture.api(method, &at(FLOWS, flow), &json!({})).status,
                403
            );
        }
    }
}

#[test]
fn s4_2_a_flow_in_use_stays_what_it_is_for() {
    let fixture = Fixture::new();
    let flow = made(
        &fixture,
        FLOWS,
        json!({"name": "Own", "slug": "own", "consent": "implicit"}),
    );
    let app = App::new(&fixture, json!({"authorization_flow": flow["pk"]}));
    let path = at(FLOWS, &flow);
    refused(
        &fixture.api("PATCH", &path, &json!({"designation": "invalidation"})),
        400,
        "designation",
    );
    assert_eq!(read(&fixture, &path), flow);
    app.patch(json!({"authorization_flow": null}));
    let alone = fixture.api("PATCH", &path, &json!({"designation": "invalidation"}));
    refused(&alone, 400, "consent");
    let whole = json!({"designation": "invalidation", "consent": "explicit"});
    patched(&fixture, &path, whole);
}

#[test]
fn s4_5_an_application_gives_a_provider_its_name_and_its_issuer() {
    let fixture = Fixture::new();
    let app = App::new(&fixture, json!({"issuer_mode": "per_provider"}));
    let urls = read(&fixture, &format!("{}setup_urls/", app.path));
    assert_eq!(
        (&urls["issuer"], &urls["jwks"]),
        (&json!(null), &json!(null))
    );
    let pk = read(&fixture, &app.path)["pk"].clone();
    let body = json!({"name": "Test", "slug": "test", "provider": pk});
    let application = made(&fixture, APPLICATIONS, body);
    let urls = read(&fixture, &format!("{}setup_urls/", app.path));
    assert_eq!(urls["issuer"], format!("{ISSUER}/application/o/test/"));
    let shown = read(&fixture, &app.path);
    assert_eq!(
        (
            &shown["assigned_application_slug"],
            &shown["assigned_application_name"]
        ),
        (&json!("test"), &json!("Test"))
    );
    app.patch(json!({"issuer_mode": "global"}));
    let urls = read(&fixture, &format!("{}setup_urls/", app.path));
    assert_eq!(
        urls,
        json!({
            "issuer": ISSUER,
            "authorize": format!("{ISSUER}/oauth/authorize"),
            "token": format!("{ISSUER}/oauth/token"),
            "user_info": format!("{ISSUER}/oauth/userinfo"),
            "provider_info": format!("{ISSUER}/.well-known/openid-configuration"),
            "logout": format!("{ISSUER}/oauth/logout"),
            "jwks": format!("{ISSUER}/.well-known/jwks.json"),
        })
    );
    let used = read(&fixture, &format!("{}used_by/", app.path));
    assert_eq!(
        (&used[0]["model_name"], &used[0]["pk"]),
        (&json!("application"), &application["pk"])
    );
    let path = at(APPLICATIONS, &application);
    for (body, status, field) in [
        (json!({"slug": "Not a slug"}), 400, "slug"),
        (json!({"slug": ""}), 400, "slug"),
        (json!({"slug": "x".repeat(51)}), 400, "slug"),
        (json!({"provider": 99}), 400, "provider"),
        (
            json!({"meta_launch_url": "javascript:alert(1)"}),
            400,
            "meta_launch_url",
        ),
        (json!({"policy": "x"}), 400, "policy"),
    ] {
        refused(&fixture.api("PATCH", &path, &body), status, field);
    }
    let second = json!({"name": "Two", "slug": "test"});
    assert_eq!(fixture.api("POST", APPLICATIONS, &second).status, 409);
    let second = json!({"name": "Two", "slug": "two", "provider": pk});
    let refused = fixture.api("POST", APPLICATIONS, &second);
    assert_eq!(
        refused.status, 409,
        "a provider is of one application: {}",
        refused.body
    );
    assert_eq!(
        patched(&fixture, &path, json!({"name": "Renamed"}))["provider"],
        pk
    );
    assert_eq!(fixture.api("DELETE", &app.path, &json!({})).status, 204);
    assert_eq!(read(&fixture, &path)["provider"], json!(null));
}

#[test]
fn providers_are_filtered_and_ordered_by_what_they_say() {
    let fixture = Fixture::new();
    App::new(
        &fixture,
        json!({"name": "B 100%", "client_id": "two", "sub_mode": "user_id"}),
    );
    App::new(
        &fixture,
        json!({"name": "A_b", "client_id": "one", "enabled": false}),
    );
    let ids = |query: &str| -> Vec<String> {
        let page = read(&fixture, &format!("{PROVIDERS}?{query}"));
        let of = page["results"].as_array().unwrap().iter();
        of.map(|one| one["client_id"].as_str().unwrap().to_owned())
            .collect()
    };
    for (query, expected) in [
        ("search=100%25", vec!["two"]),
        ("search=a_b", vec!["one"]),
        ("client_id=one", vec!["one"]),
        ("sub_mode=user_id", vec!["two"]),
        ("enabled=false", vec!["one"]),
        ("search=app.example&ordering=name", vec!["one", "two"]),
        ("search=app.example&ordering=-client_id", vec!["two", "one"]),
        ("search=app.example&ordering=pk", vec!["two", "one"]),
        ("self_registered=true", vec!["stranger"]),
        ("access_token_validity=hours%3D9", vec![]),
    ] {
        assert_eq!(ids(query), expected, "{query}");
    }
    for bad in [
        "client_secret=x",
        "ordering=client_secret",
        "_secrets=x",
        "owner=ada",
        "enabled=maybe",
    ] {
        let answer = fixture.api("GET", &format!("{PROVIDERS}?{bad}"), &json!({}));
        refused(&answer, 400, bad.split('=').next().unwrap());
    }
}
