//! The gate (S1.6): what a proxy is answered about a request, for every parameter and every credential.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use edgemint::http::{Original, Request, Response};
use edgemint::model::{Scope, Secret, UnixTime};
use edgemint::server::Endpoint;
use edgemint::token::{AccessToken, Keyring};
use serde_json::json;
use support::gate::{PROXY, asked, basic, bearing, browsing, fixture, with};
use support::tokens::{assert_unavailable, facts, resigned, sealed, unsigned};
use support::{Fixture, Outage, Seen};

/// A token of `ada` for the service `app`, with these scopes.
fn token(fixture: &Fixture, scopes: &str) -> String {
    let token = AccessToken {
        scope: Scope::parse(scopes).unwrap(),
        audience: "app".to_owned(),
        ..facts(fixture)
    };
    sealed(fixture, &token)
}

/// Status, and the challenge.
fn verdict(answer: &Response) -> (u16, &str) {
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    (answer.status, challenge)
}

/// Whether it is refused in one of the ways that a credential is.
#[track_caller]
fn assert_refused(answer: &Response, what: &str) {
    let status = (answer.status, answer.header("x-error-status"));
    let expected = [(401, None), (403, Some("400"))];
    assert!(expected.contains(&status), "{what}: {answer:?}");
    assert_eq!(answer.header("x-auth-request-user"), None, "{what}");
}

const SERVICE: &str = "service=app&scope=read";
const PLAIN: &str = "Bearer realm=\"id.example\"";

#[test]
fn s1_6_whoever_is_no_proxy_finds_nothing() {
    let fixture = fixture();
    let token = token(&fixture, "read");
    let good = bearing(SERVICE, &token);
    assert_eq!(fixture.gate(&good).status, 200);
    let closed = Fixture::new();
    for proxy in [
        None,
        Some(""),
        Some("x"),
        Some(&PROXY[1..]),
        Some(&PROXY.to_uppercase()),
    ] {
        for endpoint in [Endpoint::IngressAuth, Endpoint::IngressAnonymous] {
            let mut request = good.clone();
            request.original.as_mut().unwrap().proxy = proxy.map(Secret::new);
            let answer = fixture.send(endpoint, &request);
            assert_eq!(answer.status, 404);
            assert_eq!(answer.json()["error"], "not_found");
            assert_eq!(closed.send(endpoint, &request).status, 404);
        }
    }
    assert_eq!(closed.gate(&good).status, 404, "a gate without a secret");
    let direct = Request {
        original: None,
        ..good
    };
    assert_eq!(fixture.gate(&direct).status, 404);
}

#[test]
fn s1_6_any_secret_of_the_list_is_a_proxys() {
    let other = "other-other-other-other-other-32";
    let fixture = Fixture::with(|config| {
        let both = format!("{other}, {PROXY}");
        *config = config.clone().with_proxies(&both).unwrap();
    });
    let mut request = asked("");
    assert_eq!(fixture.gate(&request).status, 401);
    request.original.as_mut().unwrap().proxy = Some(Secret::new(other));
    assert_eq!(fixture.gate(&request).status, 401);
}

#[test]
fn s1_6_a_token_that_suffices_passes_and_says_who_it_is() {
    let fixture = fixture();
    let answer = fixture.gate(&bearing(SERVICE, &token(&fixture, "read")));
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, r#"{"status":"ok"}"#)
    );
    assert_eq!(answer.header("x-auth-request-user"), Some("ada"));
    for absent in [
        "authorization",
        "cookie",
        "x-auth-request-token",
        "x-auth-request-service",
        "x-ratelimit-limit",
    ] {
        assert_eq!(answer.header(absent), None, "{absent}");
    }
}

#[test]
fn s1_6_a_session_passes_by_its_cookie_where_cookies_do() {
    let fixture = fixture();
    let browser = fixture.signed_in_browser();
    let answer = fixture.gate(&browsing("scope=read", &browser));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-auth-request-user"), Some("ada"));
    // A session always holds `user:token`.
    assert_eq!(
        fixture.gate(&browsing("scope=user:token", &browser)).status,
        200
    );
    let refused = fixture.gate(&browsing("allow_cookies=false", &browser));
    assert_eq!(verdict(&refused), (401, PLAIN));
}

#[test]
fn s1_6_the_cookie_comes_first_and_one_that_is_dead_is_none() {
    let fixture = fixture();
    let browser = fixture.browser_of("bob");
    let token = token(&fixture, "read");
    let both = |query: &str| Request {
        authorization: Some(format!("Bearer {token}")),
        ..browsing(query, &browser)
    };
    let user = |query: &str| {
        let answer = fixture.gate(&both(query));
        answer.header("x-auth-request-user").map(str::to_owned)
    };
    assert_eq!(user("service=app").as_deref(), Some("bob"));
    assert_eq!(
        user("service=app&allow_cookies=false").as_deref(),
        Some("ada")
    );
    fixture.disable_account("bob");
    assert_eq!(user("service=app").as_deref(), Some("ada"));
    assert_eq!(fixture.gate(&browsing("", &browser)).status, 401);
}

#[test]
fn s1_6_a_cookie_that_is_no_session_is_none() {
    let fixture = fixture();
    let name = fixture.server.config.cookie_name("edgemint-session");
    let refresh = fixture.tokens();
    for value in [
        "",
        "x",
        "ems_",
        "ems_AAAA",
        &refresh.access,
        refresh.refresh(),
    ] {
        let request = Request {
            cookie: Some(format!("{name}={value}")),
            ..asked("")
        };
        assert_eq!(verdict(&fixture.gate(&request)), (401, PLAIN), "{value}");
    }
}

#[test]
fn s1_6_without_a_credential_the_challenge_is_plain_and_nobody_keeps_it() {
    let fixture = fixture();
    for request in [asked(""), with("", ""), with("", "  ")] {
        let answer = fixture.gate(&request);
        assert_eq!(verdict(&answer), (401, PLAIN));
        assert_eq!(answer.header("cache-control"), Some("no-cache, no-store"));
        assert_eq!(answer.json()["errors"][0]["type"], "no_authorization");
    }
    let basic = fixture.gate(&asked("auth_type=basic"));
    assert_eq!(verdict(&basic), (401, "Basic realm=\"id.example\""));
}

#[test]
fn s1_6_what_is_no_credential_is_a_bad_request_behind_a_403() {
    let fixture = fixture();
    for odd in [
        "Bearer",
        " Bearer",
        "Bearer ",
        "token foo",
        "Bearer a b",
        "Basic",
        "Basic !",
        "Basic Ym9ndXMtc3RyaW5n",
        "x",
    ] {
        let answer = fixture.gate(&with("", odd));
        assert_eq!(answer.status, 403, "{odd}");
        assert_eq!(answer.header("x-error-status"), Some("400"), "{odd}");
        assert_eq!(answer.header("x-error-body"), Some(answer.body.as_str()));
        assert_eq!(answer.json()["errors"][0]["type"], "invalid_request");
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.contains("error=\"invalid_request\""), "{odd}");
    }
}

#[test]
fn s1_6_an_unknown_token_is_invalid() {
    let fixture = fixture();
    let unknown = format!("ema_{}", "A".repeat(120));
    for odd in [
        "token",
        &unknown,
        "eyJ.eyJ.x",
        "bootstrap-bootstrap-bootstrap-32",
    ] {
        let answer = fixture.gate(&bearing("", odd));
        assert_eq!(answer.status, 401, "{odd}");
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.starts_with(PLAIN), "{odd}");
        assert!(challenge.contains("error=\"invalid_token\""), "{odd}");
    }
}

#[test]
fn s1_6_a_missing_scope_is_told_sorted() {
    let fixture = fixture();
    let token = token(&fixture, "read");
    let ask = |query: &str| fixture.gate(&bearing(&format!("service=app&{query}"), &token));
    let answer = ask("scope=exec:test&scope=exec:admin");
    assert_eq!(answer.status, 403);
    assert_eq!(answer.header("x-error-status"), None);
    let challenge = answer.header("www-authenticate").unwrap();
    assert!(challenge.contains("error=\"insufficient_scope\""));
    assert!(
        challenge.ends_with(", scope=\"exec:admin exec:test\""),
        "{challenge}"
    );
    assert_eq!(ask("scope=read&scope=write").status, 403);
    assert_eq!(ask("scope=read&scope=write&satisfy=any").status, 200);
    assert_eq!(ask("scope=write&satisfy=any").status, 403);
    assert_eq!(ask("satisfy=any").status, 200);
    assert_eq!(ask("").status, 200);
    let basic = ask("scope=write&auth_type=basic");
    assert_eq!(verdict(&basic), (403, "Basic realm=\"id.example\""));
}

#[test]
fn s1_6_a_route_that_is_configured_wrong_is_422_whoever_asks() {
    let fixture = fixture();
    let token = token(&fixture, "read");
    for (query, name) in [
        ("auth_type=bogus", "auth_type"),
        ("satisfy=foo", "satisfy"),
        ("scope=", "scope"),
        ("unknown=1", "unknown"),
        ("notebook=true&delegate_to=a", "delegate_to"),
        ("service=a&delegate_to=b", "service"),
    ] {
        for request in [asked(query), bearing(query, &token)] {
            let answer = fixture.gate(&request);
            assert_eq!(answer.status, 422, "{query}");
            assert_eq!(answer.json()["errors"][0]["loc"], json!(["query", name]));
            assert!(answer.header("www-authenticate").is_none());
        }
    }
}

#[test]
fn s1_6_a_proxy_says_what_it_was_asked_for() {
    let fixture = fixture();
    for (url, method, name) in [
        (None, Some("GET"), "X-Original-URL"),
        (Some("/data"), Some("GET"), "X-Original-URL"),
        (Some("https://app.id.example/"), None, "X-Original-Method"),
        (
            Some("https://app.id.example/"),
            Some(""),
            "X-Original-Method",
        ),
    ] {
        let mut request = asked("");
        let original = request.original.as_mut().unwrap();
        original.url = url.map(str::to_owned);
        original.method = method.map(str::to_owned);
        let answer = fixture.gate(&request);
        assert_eq!(answer.status, 422);
        assert_eq!(answer.json()["errors"][0]["loc"], json!(["header", name]));
    }
}

#[test]
fn s1_6_a_proxy_that_forwards_says_it_otherwise() {
    let fixture = fixture();
    let token = AccessToken {
        audience: "https://app.example/v1".to_owned(),
        ..facts(&fixture)
    };
    let token = sealed(&fixture, &token);
    let status = |host: &str| {
        let lines = format!("={PROXY}\n\n\n\n=192.0.2.9\n\n=GET\n=https\n={host}\n=/v1/x");
        let request = Request {
            original: Some(Box::new(Original::read(&lines))),
            ..bearing("", &token)
        };
        fixture.gate(&request).status
    };
    assert_eq!(status("app.example"), 200);
    assert_eq!(status("other.example"), 401);
    assert_eq!(status("a b"), 422);
}

#[test]
fn s1_6_a_script_is_never_sent_to_sign_in() {
    let fixture = fixture();
    let mut request = asked("");
    for by in ["XMLHttpRequest", "xmlhttprequest"] {
        request.original.as_mut().unwrap().requested_with = Some(by.to_owned());
        assert_eq!(verdict(&fixture.gate(&request)), (403, PLAIN));
    }
    request.original.as_mut().unwrap().requested_with = Some("other".to_owned());
    assert_eq!(fixture.gate(&request).status, 401);
}

#[test]
fn s1_6_basic_has_the_token_on_either_side() {
    let fixture = fixture();
    let (token, other) = (token(&fixture, "read"), token(&fixture, "read"));
    for (user, password) in [
        (token.as_str(), ""),
        ("x-oauth-basic", &token),
        (&token, &token),
        (&token, "x:y"),
    ] {
        let answer = fixture.gate(&with(SERVICE, &basic(user, password)));
        assert_eq!(answer.status, 200, "{user}:{password}");
    }
    let two = fixture.gate(&with(SERVICE, &basic(&token, &other)));
    assert_eq!(
        (two.status, two.header("x-error-status")),
        (403, Some("400"))
    );
    assert_eq!(two.label(), "several_credentials");
    for (user, password) in [("foo", "foo"), ("x-oauth-basic", "foo")] {
        let answer = fixture.gate(&with("auth_type=basic", &basic(user, password)));
        assert_eq!(verdict(&answer), (401, "Basic realm=\"id.example\""));
    }
    let bare = basic(&token, "").trim_end_matches('=').to_owned();
    assert_eq!(fixture.gate(&with(SERVICE, &bare)).status, 200);
    let lower = basic(&token, "").replacen("Basic", "bAsIc \t", 1);
    assert_eq!(fixture.gate(&with(SERVICE, &lower)).status, 200);
}

#[test]
fn s1_6_of_several_values_those_of_ours_count() {
    let fixture = fixture();
    let (one, other) = (token(&fixture, "read"), token(&fixture, "read"));
    let status = |values: &str| fixture.gate(&with(SERVICE, values)).status;
    assert_eq!(status(&format!("some broken stuff, Bearer {one}")), 200);
    assert_eq!(
        status(&format!("Bearer {one}, Basic bm90OnVz, BEARER {one}")),
        200
    );
    let two = fixture.gate(&with(SERVICE, &format!("Bearer {one}, Bearer {other}")));
    assert_eq!(
        (two.status, two.label().as_str()),
        (403, "several_credentials")
    );
    assert_eq!(status("Bearer x, Bearer y"), 401);
}

#[test]
fn s1_6_other_peoples_credentials_go_on_and_ours_never() {
    let fixture = fixture();
    let browser = fixture.signed_in_browser();
    let sealed = token(&fixture, "read");
    let jwt = fixture.tokens_of("jwt").access;
    let session = browser.cookie("edgemint-session").unwrap();
    let made = fixture.user_token("ada", "read", None);
    let bootstrap = support::BOOTSTRAP.to_owned();
    for ours in [&sealed, &jwt, &session, &made, &bootstrap] {
        let foreign = [
            "some broken stuff",
            "basic",
            "basic notreally:base64",
            "token some-other-token",
            "Digest username=\"a\", realm=\"b\"",
            "Basic Zm9vOmJhcg==",
        ];
        let mut values: Vec<String> = foreign.iter().map(|value| (*value).to_owned()).collect();
        values.insert(1, format!("bEaReR   {ours}"));
        values.insert(0, basic(ours, "x-oauth-basic"));
        values.push(basic("x", ours));
        values.push(format!("token {ours}"));
        // Nobody has the bootstrap token in a cookie.
        let in_cookie = if *ours == bootstrap { &session } else { ours };
        let request = Request {
            authorization: Some(values.join(", ")),
            cookie: Some(format!(
                "foo=bar; __Host-edgemint-session={session}; __Host-edgemint-sessionblah=blah; malformed; t={in_cookie}"
            )),
            ..asked("")
        };
        for endpoint in [Endpoint::IngressAuth, Endpoint::IngressAnonymous] {
            let answer = fixture.send(endpoint, &request);
            assert_eq!(answer.status, 200);
            let kept = answer.header("authorization");
            assert_eq!(kept, Some(foreign.join(", ").as_str()));
            assert_eq!(
                answer.header("cookie"),
                Some("foo=bar; __Host-edgemint-sessionblah=blah; malformed")
            );
        }
    }
}

#[test]
fn s1_6_a_stranger_with_their_own_credential_passes_the_anonymous_route_with_it() {
    let fixture = fixture();
    let request = Request {
        cookie: Some("a=1".to_owned()),
        ..with("", "Bearer of-the-service")
    };
    let answer = fixture.send(Endpoint::IngressAnonymous, &request);
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("authorization"),
        Some("Bearer of-the-service")
    );
    assert_eq!(answer.header("cookie"), Some("a=1"));
    assert_eq!(answer.header("x-auth-request-user"), None);
}

#[test]
fn s1_6_a_route_may_be_one_users_own() {
    let fixture = fixture();
    let token = token(&fixture, "read");
    let ask = |query: &str| fixture.gate(&bearing(&format!("service=app&{query}"), &token));
    assert_eq!(ask("username=ada").status, 200);
    let other = ask("username=bob&scope=read");
    assert_eq!(other.status, 403);
    let challenge = other.header("www-authenticate").unwrap();
    assert!(challenge.contains("insufficient_scope") && !challenge.contains("scope=\"read"));
}

#[test]
fn s1_6_a_host_may_be_one_users_own() {
    let fixture = fixture();
    let token = token(&fixture, "read");
    let status = |host: &str| {
        let mut request = bearing("service=app&user_domain=true", &token);
        request.original.as_mut().unwrap().url = Some(format!("https://{host}/x"));
        fixture.gate(&request).status
    };
    for host in ["ada.id.example", "ada.nb.id.example", "ADA.id.example:8443"] {
        assert_eq!(status(host), 200, "{host}");
    }
    for host in [
        "id.example",
        "ada",
        "ada.example.org",
        "nb.ada.id.example",
        "ada.id.example.com",
        "bob.id.example",
    ] {
        assert_eq!(status(host), 403, "{host}");
    }
}

/// The token that is delegated where a route asks so.
fn delegated(fixture: &Fixture, query: &str, shown: &str) -> String {
    let answer = fixture.gate(&bearing(query, shown));
    assert_eq!(answer.status, 200, "{}", answer.body);
    let token = answer.header("x-auth-request-token");
    token.unwrap().to_owned()
}

/// What the gate says of a token: its scopes are those that it is let through for.
fn allows(fixture: &Fixture, token: &str, scope: &str) -> bool {
    let answer = fixture.gate(&bearing(&format!("scope={scope}"), token));
    answer.status == 200
}

#[test]
fn s1_6_only_a_service_that_is_named_comes_and_nobody_directly() {
    let fixture = fixture();
    let shown = fixture.user_token("ada", "read", None);
    let status = |query: &str, token: &str| fixture.gate(&bearing(query, token)).status;
    let only = "only_service=tap&only_service=portal";
    assert_eq!(status(only, &shown), 403);
    assert_eq!(
        status(&format!("service=app&{only}"), &token(&fixture, "read")),
        403
    );
    let child = delegated(&fixture, "delegate_to=tap", &shown);
    assert_eq!(status(only, &child), 200);
    assert_eq!(status("only_service=portal", &child), 403);
    let notebook = delegated(&fixture, "notebook=true", &shown);
    assert_eq!(status(only, &notebook), 403);
}

#[test]
fn s1_6_tokens_that_people_made_are_for_everything_behind_the_gate() {
    let fixture = fixture();
    let forever = fixture.user_token("ada", "read", None);
    let answer = fixture.gate(&bearing(
        "service=anything&scope=read&minimum_lifetime=86000",
        &forever,
    ));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-auth-request-user"), Some("ada"));
    assert_eq!(
        fixture
            .gate(&with("scope=read", &basic(&forever, "")))
            .status,
        200
    );
    assert_eq!(fixture.gate(&bearing("scope=write", &forever)).status, 403);
    // An edit counts from the next request on.
    fixture.change_token("ada", &forever, &json!({"scopes": "write"}));
    assert_eq!(fixture.gate(&bearing("scope=write", &forever)).status, 200);
    assert_eq!(fixture.gate(&bearing("scope=read", &forever)).status, 403);
    fixture.disable_account("ada");
    assert_eq!(fixture.gate(&bearing("", &forever)).status, 401);
}

#[test]
fn s1_6_what_is_delegated_has_what_was_shown_and_is_the_same_every_time() {
    let fixture = fixture();
    let shown = fixture.user_token("ada", "read write", Some(3600));
    let notebook = delegated(&fixture, "notebook=true", &shown);
    assert!(allows(&fixture, &notebook, "read") && allows(&fixture, &notebook, "write"));
    for _ in 0..100 {
        assert_eq!(delegated(&fixture, "notebook=true", &shown), notebook);
    }
    let tap = "delegate_to=tap&delegate_scope=read&delegate_scope=exec:admin";
    let internal = delegated(&fixture, tap, &shown);
    assert!(allows(&fixture, &internal, "read") && !allows(&fixture, &internal, "write"));
    let turned = "delegate_scope=exec:admin&delegate_to=tap&delegate_scope=read";
    assert_eq!(delegated(&fixture, turned, &shown), internal);
    let other = delegated(&fixture, "delegate_to=tap&delegate_scope=write", &shown);
    assert_ne!(other, internal);
    let bare = delegated(&fixture, "delegate_to=tap", &shown);
    assert!(!allows(&fixture, &bare, "read"));
    let answer = fixture.gate(&bearing("service=app", &internal));
    assert_eq!(answer.header("x-auth-request-service"), Some("tap"));
    assert_eq!(answer.header("x-auth-request-user"), Some("ada"));
    // From a child there is a child in turn.
    let nested = delegated(
        &fixture,
        "delegate_to=portal&delegate_scope=read",
        &notebook,
    );
    assert!(allows(&fixture, &nested, "read"));
}

#[test]
fn s1_6_what_is_delegated_may_be_the_services_authorization() {
    let fixture = fixture();
    let browser = fixture.signed_in_browser();
    let query = "delegate_to=tap&delegate_scope=read&use_authorization=true";
    let request = Request {
        authorization: Some("Basic Zm9vOmJhcg==".to_owned()),
        ..browsing(query, &browser)
    };
    let answer = fixture.gate(&request);
    let token = answer.header("x-auth-request-token").unwrap();
    let expected = format!("Bearer {token}");
    assert_eq!(answer.all("authorization"), [expected.as_str()]);
    assert_eq!(answer.header("cookie"), None);
    let without = fixture.gate(&browsing("use_authorization=true", &browser));
    assert_eq!(without.header("authorization"), None);
}

#[test]
fn s1_6_what_ends_soon_is_delegated_nothing() {
    let fixture = fixture();
    let soon = fixture.user_token("ada", "read", Some(60));
    assert_eq!(fixture.gate(&bearing("", &soon)).status, 200);
    for query in ["notebook=true", "delegate_to=tap"] {
        assert_eq!(fixture.gate(&bearing(query, &soon)).status, 401, "{query}");
        // That comes before what it allows.
        let query = format!("{query}&scope=exec:admin");
        assert_eq!(fixture.gate(&bearing(&query, &soon)).status, 401, "{query}");
    }
    let hour = fixture.user_token("ada", "read", Some(3600));
    let status = |query: &str| fixture.gate(&bearing(query, &hour)).status;
    assert_eq!(status("notebook=true&minimum_lifetime=4000"), 401);
    assert_eq!(status("notebook=true&minimum_lifetime=3000"), 200);
    let mut script = bearing("notebook=true&minimum_lifetime=4000", &hour);
    script.original.as_mut().unwrap().requested_with = Some("XMLHttpRequest".to_owned());
    assert_eq!(fixture.gate(&script).status, 403);
}

#[test]
fn s1_6_an_access_token_and_a_session_delegate_too() {
    let fixture = fixture();
    let browser = fixture.signed_in_browser();
    let access = fixture.tokens_in(&browser, "web").access;
    let child = delegated(&fixture, "service=web&notebook=true", &access);
    let there = "read&service=web";
    assert!(allows(&fixture, &child, there));
    let answer = fixture.gate(&browsing("notebook=true", &browser));
    let of_session = answer.header("x-auth-request-token").unwrap().to_owned();
    assert!(allows(&fixture, &of_session, "user:token"));
    assert_eq!(fixture.revoke(&access).status, 200);
    assert!(!allows(&fixture, &child, there) && allows(&fixture, &of_session, "read"));
    fixture.disable_account("ada");
    assert!(!allows(&fixture, &of_session, "read"));
}

#[test]
fn s1_6_a_token_has_to_live_as_long_as_the_route_asks() {
    let fixture = fixture();
    let token = |left: u64| {
        let token = AccessToken {
            audience: "app".to_owned(),
            expires_at: UnixTime(fixture.now() + left),
            ..facts(&fixture)
        };
        sealed(&fixture, &token)
    };
    let ask =
        |query: &str, token: &str| fixture.gate(&bearing(&format!("service=app&{query}"), token));
    assert_eq!(ask("minimum_lifetime=86399", &token(3600)).status, 422);
    let short = ask("minimum_lifetime=4000", &token(3600));
    assert_eq!(short.status, 401);
    assert!(
        short
            .header("www-authenticate")
            .unwrap()
            .contains("invalid_token")
    );
    assert_eq!(ask("minimum_lifetime=3600", &token(3600)).status, 200);
    assert_eq!(ask("", &token(60)).status, 200);
    let mut script = bearing("service=app&minimum_lifetime=4000", &token(3600));
    script.original.as_mut().unwrap().requested_with = Some("XMLHttpRequest".to_owned());
    assert_eq!(fixture.gate(&script).status, 403);
}

#[test]
fn s1_6_an_access_token_is_for_the_service_by_name_by_client_or_by_url() {
    let fixture = fixture();
    let status = |audience: &str, query: &str, url: &str| {
        let token = AccessToken {
            audience: audience.to_owned(),
            ..facts(&fixture)
        };
        let mut request = bearing(query, &sealed(&fixture, &token));
        request.original.as_mut().unwrap().url = Some(url.to_owned());
        fixture.gate(&request).status
    };
    let elsewhere = "https://elsewhere.example/";
    assert_eq!(status("app", "service=app", elsewhere), 200);
    assert_eq!(status(support::RESOURCE, "service=api", elsewhere), 200);
    assert_eq!(
        status(support::RESOURCE, "", "https://api.example/v1/x"),
        200
    );
    for (audience, query, url) in [
        ("app", "", elsewhere),
        ("app", "service=other", elsewhere),
        (support::RESOURCE, "service=web", elsewhere),
        (support::RESOURCE, "", "https://api.example/v10"),
        (support::RESOURCE, "", "https://api.example/v1/../v2"),
        ("https://id.example/api/v1", "service=app", elsewhere),
    ] {
        assert_eq!(
            status(audience, query, url),
            401,
            "{audience} {query} {url}"
        );
    }
    fixture.change_client("api", |client| client.enabled = false);
    assert_eq!(status(support::RESOURCE, "service=api", elsewhere), 401);
}

#[test]
fn s1_6_a_preflight_passes_by_its_origin_and_asks_nobody_who_they_are() {
    let fixture = fixture();
    let below = Fixture::with(|config| {
        *config = config.clone().with_proxies(PROXY).unwrap();
        config.gate_subdomains = true;
    });
    let ask = |fixture: &Fixture, query: &str, origin: Option<&str>, preflight: Option<&str>| {
        let mut request = Request {
            origin: origin.map(str::to_owned),
            ..asked(query)
        };
        let original = request.original.as_mut().unwrap();
        original.method = Some("OPTIONS".to_owned());
        original.preflight = preflight.map(str::to_owned);
        let answer = fixture.gate(&request);
        let told = answer.header("x-error-status").map(str::to_owned);
        (answer.status, told)
    };
    let here = Some("https://id.example");
    assert_eq!(ask(&fixture, "scope=read", here, Some("PUT")), (200, None));
    assert_eq!(
        ask(&below, "", Some("https://app.id.example"), Some("PUT")),
        (200, None)
    );
    for origin in [
        "https://app.id.example",
        "http://id.example",
        "https://evil.example",
        "https://id.example.evil.example",
        "null",
        "",
        "id.example",
    ] {
        assert_eq!(
            ask(&fixture, "allow_options=true", Some(origin), Some("PUT")),
            (403, None),
            "{origin}"
        );
    }
    let unsupported = (403, Some("404".to_owned()));
    for (origin, preflight) in [(None, None), (here, None), (None, Some("PUT"))] {
        assert_eq!(ask(&fixture, "", origin, preflight), unsupported);
    }
    assert_eq!(ask(&fixture, "allow_options=true", None, None), (200, None));
    for (origin, preflight) in [(here, None), (None, Some("PUT"))] {
        assert_eq!(
            ask(&fixture, "allow_options=true", origin, preflight),
            unsupported
        );
    }
}

#[test]
fn s1_6_no_other_token_passes_whichever_bit_is_turned() {
    let fixture = fixture();
    for good in [
        token(&fixture, "read"),
        fixture.user_token("ada", "read", None),
    ] {
        no_other_token_passes(&fixture, &good);
    }
}

fn no_other_token_passes(fixture: &Fixture, good: &str) {
    assert_eq!(fixture.gate(&bearing(SERVICE, good)).status, 200);
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bytes = good.as_bytes().to_vec();
            bytes[at] ^= 1 << bit;
            let Ok(text) = String::from_utf8(bytes) else {
                continue;
            };
            // A comma would end the value, a blank or a line break be none of the token.
            assert_refused(&fixture.gate(&bearing(SERVICE, &text)), &text);
        }
    }
    for end in 0..good.len() {
        assert_refused(&fixture.gate(&bearing(SERVICE, &good[..end])), "cut");
        assert_refused(&fixture.gate(&bearing(SERVICE, &good[end + 1..])), "cut");
    }
    for more in ["A", "=", ".", "AAAA", "\u{e9}", "-"] {
        assert_refused(
            &fixture.gate(&bearing(SERVICE, &format!("{good}{more}"))),
            more,
        );
        assert_refused(
            &fixture.gate(&bearing(SERVICE, &format!("{more}{good}"))),
            more,
        );
    }
}

#[test]
fn s1_6_a_token_of_another_deployment_another_time_or_another_kind_is_refused() {
    let fixture = fixture();
    let token = AccessToken {
        audience: "app".to_owned(),
        ..facts(&fixture)
    };
    let foreign = Keyring::new(
        support::ISSUER,
        &[Secret::new("another root of 32 bytes and more!")],
    )
    .unwrap();
    let foreign = foreign
        .seal(&token, 1, [7; 24])
        .unwrap()
        .expose()
        .to_owned();
    let now = fixture.now();
    let at = |issued: u64, expires: u64| {
        let token = AccessToken {
            issued_at: UnixTime(issued),
            expires_at: UnixTime(expires),
            ..token.clone()
        };
        sealed(&fixture, &token)
    };
    let jwt = fixture.tokens_of("jwt").access;
    let tokens = fixture.tokens();
    for (text, what) in [
        (foreign, "another root"),
        (at(now - 10, now), "expired a second ago"),
        (at(now - 10, now - 1), "expired"),
        (at(now + 61, now + 600), "of tomorrow"),
        (unsigned(&jwt), "unsigned"),
        (resigned(&jwt, None), "signed by a stranger"),
        (tokens.refresh().to_owned(), "a refresh token"),
        (tokens.id_token.clone().unwrap(), "an ID token"),
        (fixture.code(), "a code"),
    ] {
        assert_refused(&fixture.gate(&bearing("service=app", &text)), what);
    }
    assert_eq!(
        fixture
            .gate(&bearing("service=app", &at(now - 10, now + 1)))
            .status,
        200
    );
    // Another edge's clock may be a minute ahead.
    assert_eq!(
        fixture
            .gate(&bearing("service=app", &at(now + 30, now + 600)))
            .status,
        200
    );
}

#[test]
fn s1_6_odd_values_of_authorization_are_refused_and_nothing_breaks() {
    let fixture = fixture();
    let good = token(&fixture, "read");
    let long = "x".repeat(100_000);
    for odd in [
        ",",
        ", ",
        ", ,",
        ":",
        "=",
        "Bearer,",
        "Bearer ,",
        "Bearer\t",
        "Basic =",
        "Basic ====",
        "Basic Og==",
        "Basic /w==",
        "Negotiate x",
        "é",
        "Bearer é",
        "\u{0}",
        "Bearer \u{0}",
        "Bearer %00",
        "ema_",
        &long,
        &format!("Bearer {long}"),
        &format!("Basic {long}"),
        &format!("Bearer{good}"),
        &good,
        &format!("Bearer={good}"),
        &format!("Bearer \"{good}\""),
        &format!("{good} Bearer"),
        &", ".repeat(5_000),
    ] {
        assert_refused(
            &fixture.gate(&with(SERVICE, odd)),
            odd.get(..20).unwrap_or(odd),
        );
    }
}

#[test]
fn s1_6_what_could_not_be_found_out_is_no_verdict() {
    let fixture = fixture();
    let request = bearing(SERVICE, &token(&fixture, "read"));
    fixture.memory().fail(Outage::Feed);
    assert_unavailable(&fixture.gate(&request));
    fixture.memory().restore();
    assert_eq!(fixture.gate(&request).status, 200);
}
