//! What a person has of their own, and who may see and end it: sessions, grants and consents.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use edgemint::http::{Request, Response};
use edgemint::model::{ClientId, Scope};
use edgemint::server::Endpoint;
use serde_json::{Value, json};
use support::tokens::{FORMS, api_token, assert_unavailable, online, online_tokens};
use support::{
    ADDRESS, BOOTSTRAP, Browser, Fault, Fixture, ISSUER, PASSWORD, Seen, Tokens, authorization,
    client, secret,
};

const SESSIONS: &str = "/api/v1/users/me/sessions";
const GRANTS: &str = "/api/v1/users/me/grants";
const CONSENTS: &str = "/api/v1/users/me/consents";
const LOGIN: &str = "/api/v1/login";

/// The application with which people look after what is theirs.
const CONSOLE: &str = "console";

/// A deployment whose `eve` holds `user:token`, and a client that may ask for it.
fn deployment() -> Fixture {
    let fixture = Fixture::new();
    fixture.create_account("eve", "read user:token");
    let mut console = client("web");
    console.id = ClientId::parse(CONSOLE).unwrap();
    console.name = "Console".to_owned();
    console.scope = Scope::parse("openid offline_access read user:token admin:token").unwrap();
    console.resources = vec![audience()];
    console.danger_allow_management_scopes = true;
    fixture.create_client(console);
    fixture
}

fn audience() -> String {
    format!("{ISSUER}/api/v1")
}

/// The tokens of a person for the API.
fn api_tokens(fixture: &Fixture, browser: &Browser<'_>, scope: &str) -> Tokens {
    let form = authorization("web")
        .with("client_id", CONSOLE)
        .with("scope", scope)
        .with("resource", &audience());
    let code = browser.code(&form);
    let form = support::exchange_form("web", &code);
    let request = Request {
        authorization: Some(support::basic(CONSOLE, &secret("web"))),
        ..support::post(&form)
    };
    Tokens::of(&fixture.send(Endpoint::Token, &request))
}

fn token(fixture: &Fixture, username: &str, scope: &str) -> String {
    api_tokens(fixture, &fixture.browser_of(username), scope).access
}

fn request(method: &str, path: &str) -> Request {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        address: Some(ADDRESS.to_owned()),
        ..Request::default()
    }
}

/// Asks with a token.
fn by_token(fixture: &Fixture, token: &str, method: &str, path: &str) -> Response {
    let request = Request {
        authorization: Some(format!("Bearer {token}")),
        ..request(method, path)
    };
    fixture.send(Endpoint::Users, &request)
}

/// Asks with a browser's cookie, as a page of ours does.
fn by_cookie(browser: &Browser<'_>, method: &str, path: &str) -> Response {
    let csrf = browser.send(Endpoint::Users, request("GET", LOGIN));
    let csrf = csrf.json()["csrf"].as_str().map(str::to_owned);
    let request = Request {
        csrf_token: csrf.filter(|_| method != "GET"),
        fetch_site: Some("same-origin".to_owned()),
        ..request(method, path)
    };
    browser.send(Endpoint::Users, request)
}

#[track_caller]
fn results(answer: &Response) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["results"].as_array().unwrap().clone()
}

#[track_caller]
fn assert_refused(answer: &Response, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(answer.json()["code"], code);
    let content_type = answer.header("content-type");
    assert_eq!(content_type, Some("application/problem+json"));
    assert_eq!(
        answer.header("www-authenticate").is_some(),
        matches!(status, 401 | 403)
    );
}

fn id(row: &Value) -> &str {
    row["id"].as_str().unwrap()
}

#[test]
fn s1_9_who_is_signed_in_is_told_with_what_changes_need() {
    let fixture = deployment();
    let browser = fixture.browser_of("eve");
    let told = browser.send(Endpoint::Users, request("GET", LOGIN));
    assert_eq!(told.status, 200, "{}", told.body);
    assert_eq!(told.header("cache-control"), Some("no-store"));
    assert_eq!(told.header("access-control-allow-origin"), None);
    let told = told.json();
    assert_eq!(told["username"], "eve");
    assert_eq!(told["scopes"], json!(["read", "user:token"]));
    let scopes = told["config"]["scopes"].as_array().unwrap();
    let read = scopes.iter().find(|scope| scope["name"] == "read").unwrap();
    assert_eq!(read["description"], "");
    let again = browser.send(Endpoint::Users, request("GET", LOGIN)).json();
    assert_eq!(again["csrf"], told["csrf"], "one value for one session");
    let elsewhere = fixture.browser_of("eve");
    let other = elsewhere.send(Endpoint::Users, request("GET", LOGIN));
    assert_ne!(other.json()["csrf"], told["csrf"]);
    let session = browser.cookie("edgemint-session").unwrap();
    assert!(!session.contains(told["csrf"].as_str().unwrap()));
}

#[test]
fn s1_9_nobody_is_told_who_is_not_signed_in_by_a_cookie() {
    let fixture = deployment();
    let nobody = fixture
        .browser()
        .send(Endpoint::Users, request("GET", LOGIN));
    assert_refused(&nobody, 401, "no_token");
    let token = token(&fixture, "eve", "user:token");
    assert_refused(&by_token(&fixture, &token, "GET", LOGIN), 401, "no_token");
    let bootstrap = by_token(&fixture, BOOTSTRAP, "GET", LOGIN);
    assert_refused(&bootstrap, 401, "token_unknown");
    let browser = fixture.browser_of("eve");
    browser.submit(&browser.open("/logout"), &[]);
    let left = browser.send(Endpoint::Users, request("GET", LOGIN));
    assert_refused(&left, 401, "no_token");
}

#[test]
fn own_sessions_are_listed_newest_first_as_people_know_them() {
    let fixture = deployment();
    let phone = fixture.browser();
    let page = phone.open("/login");
    let fields = [("username", "eve"), ("password", PASSWORD)];
    let long = format!("Phone\u{7}/1 {}", "x".repeat(300));
    let sign_in = Request {
        user_agent: Some(long),
        ..phone.form_post(&page, &fields)
    };
    assert_eq!(phone.send(Endpoint::Login, sign_in).status, 303);
    fixture.later(60);
    let desk = fixture.browser_of("eve");
    let now = fixture.now();
    let rows = results(&by_cookie(&desk, "GET", SESSIONS));
    assert_eq!(rows.len(), 2);
    let (newest, oldest) = (&rows[0], &rows[1]);
    assert_eq!(newest["created_at"], now);
    assert_eq!(newest["auth_time"], now);
    assert_eq!(newest["expires_at"], now + 24 * 3600);
    assert_eq!(newest["amr"], json!(["pwd"]));
    assert_eq!(newest["user_agent"], Value::Null);
    assert_eq!(newest["address"], ADDRESS);
    assert_eq!(
        (&newest["current"], &oldest["current"]),
        (&json!(true), &json!(false))
    );
    let shown = oldest["user_agent"].as_str().unwrap();
    assert!(shown.starts_with("Phone/1 xxx"), "{shown}");
    assert_eq!(shown.chars().count(), 200);
    let by_name = by_cookie(&desk, "GET", "/api/v1/users/eve/sessions");
    assert_eq!(results(&by_name), rows);
}

#[test]
fn a_session_that_is_renewed_is_as_old_as_it_was() {
    let fixture = deployment();
    let browser = fixture.browser_of("eve");
    let began = fixture.now();
    fixture.later(600);
    let page = browser.authorize(&online("web").with("prompt", "login"));
    browser.fill_in(&page, "eve");
    let rows = results(&by_cookie(&browser, "GET", SESSIONS));
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["created_at"], began);
    assert_eq!(rows[0]["auth_time"], began + 600);
}

#[test]
fn ending_a_session_ends_what_is_bound_to_it_and_nothing_else() {
    for form in FORMS {
        let fixture = deployment();
        let lost = fixture.browser_of("eve");
        let of_lost = online_tokens(&fixture, &lost, form);
        fixture.later(1);
        let kept = fixture.browser_of("eve");
        let of_kept = online_tokens(&fixture, &kept, form);
        let rows = results(&by_cookie(&kept, "GET", SESSIONS));
        let path = format!("{SESSIONS}/{}", id(&rows[1]));
        let ended = by_cookie(&kept, "DELETE", &path);
        assert_eq!((ended.status, ended.body.as_str()), (204, ""));
        assert_eq!(ended.header("set-cookie"), None, "one's own goes on");
        assert!(!fixture.is_active_for(form, &of_lost.access));
        assert_eq!(fixture.refresh_as(form, of_lost.refresh()).status, 400);
        assert!(fixture.is_active_for(form, &of_kept.access));
        let left = lost.send(Endpoint::Users, request("GET", LOGIN));
        assert_refused(&left, 401, "no_token");
        assert_eq!(results(&by_cookie(&kept, "GET", SESSIONS)).len(), 1);
        assert_eq!(by_cookie(&kept, "DELETE", &path).status, 204, "done before");
    }
}

#[test]
fn all_sessions_are_ended_or_all_but_the_own() {
    let fixture = deployment();
    let browsers = ["eve", "eve", "eve"].map(|name| fixture.browser_of(name));
    let bobs = fixture.browser_of("bob");
    let own = &browsers[0];
    let others = format!("{SESSIONS}?except_current=true");
    assert_eq!(by_cookie(own, "DELETE", &others).status, 204);
    let rows = results(&by_cookie(own, "GET", SESSIONS));
    assert_eq!((rows.len(), &rows[0]["current"]), (1, &json!(true)));
    let all = by_cookie(own, "DELETE", &format!("{SESSIONS}?except_current=false"));
    assert_eq!(all.status, 204);
    assert!(all.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert!(own.cookie("edgemint-session").is_none());
    assert_eq!(results(&by_cookie(&bobs, "GET", SESSIONS)).len(), 1);
}

#[test]
fn the_own_session_can_be_ended_and_its_cookie_is_forgotten() {
    let fixture = deployment();
    let browser = fixture.browser_of("eve");
    let rows = results(&by_cookie(&browser, "GET", SESSIONS));
    let ended = by_cookie(&browser, "DELETE", &format!("{SESSIONS}/{}", id(&rows[0])));
    assert_eq!(ended.status, 204);
    assert!(browser.cookie("edgemint-session").is_none());
}

#[test]
fn own_grants_are_listed_by_application_and_ended_one_by_one() {
    let fixture = deployment();
    let browser = fixture.browser_of("eve");
    let offline = fixture.tokens_in(&browser, "web");
    fixture.later(1);
    let bound = online_tokens(&fixture, &browser, "other");
    let rows = results(&by_cookie(&browser, "GET", GRANTS));
    let sessions = results(&by_cookie(&browser, "GET", SESSIONS));
    let now = fixture.now();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["client_id"], "other");
    assert_eq!(rows[0]["client_name"], "The other client");
    assert_eq!(rows[0]["created_at"], now);
    assert_eq!(rows[0]["offline"], false);
    assert_eq!(rows[0]["session"], sessions[0]["id"]);
    assert_eq!(rows[0]["scope"], json!(["openid", "profile", "read"]));
    assert_eq!(rows[1]["offline"], true);
    assert_eq!(rows[1]["session"], Value::Null);
    assert_eq!(rows[1]["expires_at"], now - 1 + 14 * 24 * 3600);
    let of_web = by_cookie(&browser, "GET", &format!("{GRANTS}?client_id=web"));
    assert_eq!(results(&of_web), [rows[1].clone()]);

    let path = format!("{GRANTS}/{}", id(&rows[1]));
    assert_eq!(by_cookie(&browser, "DELETE", &path).status, 204);
    assert!(!fixture.is_active(&offline.access));
    assert_eq!(fixture.refresh(offline.refresh()).status, 400);
    assert!(fixture.is_active_for("other", &bound.access));
    assert_eq!(
        results(&by_cookie(&browser, "GET", GRANTS)),
        [rows[0].clone()]
    );
    assert_eq!(
        by_cookie(&browser, "DELETE", &path).status,
        204,
        "done before"
    );
}

#[test]
fn own_consents_are_listed_and_taken_back_with_what_rests_on_them() {
    let fixture = deployment();
    let browser = fixture.browser_of("eve");
    let tokens = fixture.tokens_in(&browser, "post");
    assert!(fixture.is_active_for("post", &tokens.access));
    let rows = results(&by_cookie(&browser, "GET", CONSENTS));
    assert_eq!(
        rows,
        [json!({
            "client_id": "post", "client_name": "The post client",
            "scope": ["offline_access", "openid", "profile", "read"],
        })]
    );
    let path = format!("{CONSENTS}/post");
    assert_eq!(by_cookie(&browser, "DELETE", &path).status, 204);
    assert!(!fixture.is_active_for("post", &tokens.access));
    assert!(results(&by_cookie(&browser, "GET", CONSENTS)).is_empty());
    assert!(results(&by_cookie(&browser, "GET", GRANTS)).is_empty());
    assert_eq!(
        by_cookie(&browser, "DELETE", &path).status,
        204,
        "done before"
    );
    assert!(
        browser
            .authorize(&authorization("post"))
            .is_page_at("/consent")
    );
}

#[test]
fn a_token_with_user_token_does_all_that_without_a_csrf_value() {
    let fixture = deployment();
    let browser = fixture.browser_of("eve");
    let tokens = api_tokens(&fixture, &browser, "user:token");
    let rows = results(&by_token(&fixture, &tokens.access, "GET", SESSIONS));
    assert_eq!(rows[0]["current"], true, "the one that the token dies with");
    let grants = results(&by_token(&fixture, &tokens.access, "GET", GRANTS));
    assert_eq!(grants[0]["client_id"], CONSOLE);
    let path = format!("{SESSIONS}/{}", id(&rows[0]));
    let ended = by_token(&fixture, &tokens.access, "DELETE", &path);
    assert_eq!((ended.status, ended.header("set-cookie")), (204, None));
    let after = by_token(&fixture, &tokens.access, "GET", SESSIONS);
    assert_refused(&after, 401, "token_revoked");
}

#[test]
fn a_token_for_others_or_with_less_is_refused() {
    let fixture = deployment();
    let browser = fixture.browser_of("eve");
    let elsewhere = fixture.tokens_in(&browser, "web").access;
    let little = api_tokens(&fixture, &browser, "read").access;
    for (method, path) in [
        ("GET", SESSIONS),
        ("DELETE", SESSIONS),
        ("GET", GRANTS),
        ("DELETE", "/api/v1/users/me/consents/web"),
    ] {
        let refused = by_token(&fixture, &elsewhere, method, path);
        assert_refused(&refused, 401, "token_for_other_audience");
        let refused = by_token(&fixture, &little, method, path);
        assert_refused(&refused, 403, "insufficient_scope");
        let challenge = refused.header("www-authenticate").unwrap();
        assert!(challenge.contains("scope=\"user:token\""), "{challenge}");
        assert_refused(
            &by_token(&fixture, "nonsense", method, path),
            401,
            "token_unknown",
        );
        let nothing = fixture.send(Endpoint::Users, &request(method, path));
        assert_refused(&nothing, 401, "no_token");
    }
    assert_eq!(results(&by_cookie(&browser, "GET", SESSIONS)).len(), 1);
}

#[test]
fn a_bad_token_is_not_mended_by_a_good_cookie() {
    let fixture = deployment();
    let browser = fixture.browser_of("eve");
    for header in ["Bearer nonsense", "Basic ZXZlOng=", "Bearer"] {
        let request = Request {
            authorization: Some(header.to_owned()),
            ..request("GET", SESSIONS)
        };
        assert_eq!(
            browser.send(Endpoint::Users, request).status,
            401,
            "{header}"
        );
    }
}

#[test]
fn s1_9_a_change_by_cookie_without_the_sessions_own_value_is_refused() {
    let fixture = deployment();
    let browser = fixture.browser_of("eve");
    let other = fixture
        .browser_of("eve")
        .send(Endpoint::Users, request("GET", LOGIN));
    let told = browser.send(Endpoint::Users, request("GET", LOGIN)).json();
    let own = told["csrf"].as_str().unwrap();
    let page = browser.authorize(&online("spa"));
    let of_page = page.hidden_fields().value("csrf").unwrap().to_owned();
    let others = other.json()["csrf"].as_str().unwrap().to_owned();
    for value in [
        None,
        Some(""),
        Some("wrong"),
        Some(others.as_str()),
        Some(&of_page),
    ] {
        for path in [
            SESSIONS,
            "/api/v1/users/me/consents/web",
            "/api/v1/users/bob/sessions",
        ] {
            let request = Request {
                csrf_token: value.map(str::to_owned),
                ..request("DELETE", path)
            };
            let refused = browser.send(Endpoint::Users, request);
            assert_refused(&refused, 403, "invalid_csrf");
        }
    }
    let renewing = browser.authorize(&online("web").with("prompt", "login"));
    browser.fill_in(&renewing, "eve");
    let old = Request {
        csrf_token: Some(own.to_owned()),
        ..request("DELETE", SESSIONS)
    };
    assert_refused(&browser.send(Endpoint::Users, old), 403, "invalid_csrf");
    assert_eq!(results(&by_cookie(&browser, "GET", SESSIONS)).len(), 2);
}

#[test]
fn a_cookie_that_another_origin_sends_along_proves_nothing() {
    let fixture = deployment();
    let browser = fixture.browser_of("eve");
    let told = browser.send(Endpoint::Users, request("GET", LOGIN)).json();
    for (origin, site) in [
        (Some("https://evil.example"), None),
        (Some("https://evil.example"), Some("same-origin")),
        (Some("null"), None),
        (None, Some("cross-site")),
        (None, Some("same-site")),
    ] {
        for (method, path) in [("GET", LOGIN), ("GET", SESSIONS), ("DELETE", SESSIONS)] {
            let request = Request {
                origin: origin.map(str::to_owned),
                fetch_site: site.map(str::to_owned),
                csrf_token: told["csrf"].as_str().map(str::to_owned),
                ..request(method, path)
            };
            let refused = browser.send(Endpoint::Users, request);
            assert_refused(&refused, 403, "invalid_csrf");
        }
    }
    let typed = Request {
        fetch_site: Some("none".to_owned()),
        ..request("GET", SESSIONS)
    };
    assert_eq!(browser.send(Endpoint::Users, typed).status, 200);
}

#[test]
fn somebody_elses_is_not_there_exactly_as_nobodys_is() {
    let fixture = deployment();
    let eve = fixture.browser_of("eve");
    let bob = fixture.browser_of("bob");
    fixture.tokens_in(&bob, "post");
    let token = api_tokens(&fixture, &eve, "user:token").access;
    let session = results(&by_cookie(&bob, "GET", SESSIONS))[0].clone();
    let grant = results(&by_cookie(&bob, "GET", GRANTS))[0].clone();
    for (method, rest) in [
        ("GET", "sessions".to_owned()),
        ("DELETE", "sessions".to_owned()),
        ("DELETE", format!("sessions/{}", id(&session))),
        ("GET", "grants".to_owned()),
        ("DELETE", format!("grants/{}", id(&grant))),
        ("GET", "consents".to_owned()),
        ("DELETE", "consents/post".to_owned()),
        ("DELETE", "grants".to_owned()),
        ("GET", "nothing".to_owned()),
    ] {
        let [foreign, unknown] = ["bob", "nobody"].map(|name| {
            let path = format!("/api/v1/users/{name}/{rest}");
            let cost = fixture.memory().operations();
            let answer = by_token(&fixture, &token, method, &path);
            let after = fixture.memory().operations();
            assert_eq!(
                (cost.ledger, cost.directory),
                (after.ledger, after.directory)
            );
            assert_refused(&answer, 404, "no_such_record");
            let by_cookie = by_cookie(&eve, method, &path);
            assert_eq!(by_cookie.body, answer.body);
            answer
        });
        assert_eq!(foreign, unknown, "{method} {rest}");
    }
    // Nor by its id among one's own.
    for path in [
        format!("{SESSIONS}/{}", id(&session)),
        format!("{GRANTS}/{}", id(&grant)),
        format!("{SESSIONS}/nothing"),
        format!("{GRANTS}/nothing"),
        format!("{CONSENTS}/no%20client"),
        "/api/v1/users/me/nothing".to_owned(),
        format!("{SESSIONS}/a/b"),
    ] {
        let answer = by_token(&fixture, &token, "DELETE", &path);
        assert_refused(&answer, 404, "no_such_record");
    }
    assert_eq!(results(&by_cookie(&bob, "GET", SESSIONS)), [session]);
    assert_eq!(results(&by_cookie(&bob, "GET", GRANTS)), [grant]);
}

#[test]
fn ids_that_are_shown_are_nothing_that_opens_or_names_anything_elsewhere() {
    let fixture = deployment();
    let browser = fixture.browser_of("eve");
    let tokens = online_tokens(&fixture, &browser, "web");
    let sid = tokens.claims()["sid"].as_str().unwrap().to_owned();
    let sessions = by_cookie(&browser, "GET", SESSIONS);
    let grants = by_cookie(&browser, "GET", GRANTS);
    for answer in [&sessions, &grants] {
        assert!(!answer.body.contains(&sid));
        for row in results(answer) {
            assert_eq!(id(&row).len(), 22);
            assert!(!fixture.memory().everything_stored().contains(id(&row)));
        }
    }
    let raw = by_cookie(&browser, "DELETE", &format!("{SESSIONS}/{sid}"));
    assert_refused(&raw, 404, "no_such_record");
}

#[test]
fn an_administrator_sees_and_ends_what_anybody_has() {
    let fixture = deployment();
    let bob = fixture.browser_of("bob");
    let tokens = online_tokens(&fixture, &bob, "web");
    let admin = token(&fixture, "ada", "admin:token");
    let path = "/api/v1/users/bob/sessions";
    let rows = results(&by_token(&fixture, &admin, "GET", path));
    assert_eq!((rows.len(), &rows[0]["current"]), (1, &json!(false)));
    let by_session = by_cookie(&fixture.browser_of("ada"), "GET", path);
    assert_eq!(results(&by_session), rows);
    assert_eq!(
        results(&by_token(&fixture, &admin, "GET", SESSIONS)).len(),
        2
    );
    let one = format!("{path}/{}", id(&rows[0]));
    let ended = by_token(&fixture, &admin, "DELETE", &one);
    assert_eq!(ended.status, 204);
    assert!(!fixture.is_active(&tokens.access));
    let all = format!("{path}?except_current=true");
    assert_eq!(by_token(&fixture, &admin, "DELETE", &all).status, 204);
    let unknown = by_token(&fixture, &admin, "GET", "/api/v1/users/nobody/sessions");
    assert_refused(&unknown, 404, "no_such_record");
    let unfit = by_token(&fixture, &admin, "GET", "/api/v1/users/No%20Body/sessions");
    assert_refused(&unfit, 404, "no_such_record");
}

#[test]
fn the_bootstrap_token_is_nobody_here() {
    let fixture = deployment();
    for (method, path) in [
        ("GET", SESSIONS),
        ("GET", "/api/v1/users/eve/grants"),
        ("DELETE", "/api/v1/users/eve/sessions"),
    ] {
        let refused = by_token(&fixture, BOOTSTRAP, method, path);
        assert_refused(&refused, 401, "token_unknown");
    }
}

#[test]
fn a_client_that_acts_for_itself_has_nothing_of_its_own() {
    let fixture = deployment();
    let form = support::Form::new(&[
        ("grant_type", "client_credentials"),
        ("scope", "user:token"),
        ("resource", &audience()),
    ]);
    let request = Request {
        authorization: Some(support::basic(CONSOLE, &secret("web"))),
        ..support::post(&form)
    };
    let token = Tokens::of(&fixture.send(Endpoint::Token, &request)).access;
    for path in [SESSIONS, "/api/v1/users/bot-console/sessions"] {
        let answer = by_token(&fixture, &token, "GET", path);
        assert_refused(&answer, 404, "no_such_record");
    }
}

#[test]
fn an_administrator_who_is_signed_in_administers_by_cookie_with_the_csrf_value() {
    let fixture = deployment();
    let ada = fixture.browser_of("ada");
    let ask = |browser: &Browser<'_>, method: &str, path: &str, csrf: Option<&str>| {
        let request = Request {
            csrf_token: csrf.map(str::to_owned),
            content_type: Some("application/json".to_owned()),
            body: json!({"name": "Reader"}).to_string(),
            ..request(method, path)
        };
        browser.send(Endpoint::Records, request)
    };
    let roles = "/api/v1/roles/";
    assert_eq!(ask(&ada, "GET", roles, None).status, 200);
    assert_refused(&ask(&ada, "POST", roles, None), 403, "invalid_csrf");
    let told = ada.send(Endpoint::Users, request("GET", LOGIN)).json();
    let csrf = told["csrf"].as_str().unwrap();
    assert_eq!(ask(&ada, "POST", roles, Some(csrf)).status, 201);
    let bob = fixture.browser_of("bob");
    assert_refused(&ask(&bob, "GET", roles, None), 403, "insufficient_scope");
}

#[test]
fn a_cookie_registers_no_client() {
    let fixture = deployment();
    let ada = fixture.browser_of("ada");
    let told = ada.send(Endpoint::Users, request("GET", LOGIN)).json();
    let register = Request {
        csrf_token: told["csrf"].as_str().map(str::to_owned),
        content_type: Some("application/json".to_owned()),
        body: json!({"client_name": "x"}).to_string(),
        ..request("POST", "/oauth/register")
    };
    assert_eq!(ada.send(Endpoint::Register, register).status, 401);
}

#[test]
fn what_cannot_be_done_there_is_said_so() {
    let fixture = deployment();
    let browser = fixture.browser_of("eve");
    for (method, path, allow) in [
        ("PUT", SESSIONS.to_owned(), "GET, HEAD, DELETE"),
        ("DELETE", GRANTS.to_owned(), "GET, HEAD"),
        ("DELETE", CONSENTS.to_owned(), "GET, HEAD"),
        ("GET", format!("{GRANTS}/x"), "DELETE"),
    ] {
        let answer = by_cookie(&browser, method, &path);
        assert_refused(&answer, 405, "method_not_allowed");
        assert_eq!(answer.header("allow"), Some(allow));
    }
    for (method, path) in [
        ("GET", format!("{SESSIONS}?page=1")),
        ("GET", format!("{GRANTS}?client_id=web&client_id=web")),
        ("GET", format!("{GRANTS}?client_id=no+client")),
        ("DELETE", format!("{SESSIONS}?except_current=yes")),
        ("DELETE", format!("{SESSIONS}/x?except_current=true")),
    ] {
        assert_refused(&by_cookie(&browser, method, &path), 400, "unfit_field");
    }
    assert_eq!(results(&by_cookie(&browser, "GET", SESSIONS)).len(), 1);
}

#[test]
fn a_list_has_a_hundred_at_most() {
    let fixture = deployment();
    for _ in 0..101 {
        fixture.browser_of("eve");
    }
    fixture.later(1);
    let browser = fixture.browser_of("eve");
    let rows = results(&by_cookie(&browser, "GET", SESSIONS));
    assert_eq!((rows.len(), &rows[0]["current"]), (100, &json!(true)));
    assert_eq!(by_cookie(&browser, "DELETE", SESSIONS).status, 204);
    let later = fixture.browser_of("eve");
    assert_eq!(results(&by_cookie(&later, "GET", SESSIONS)).len(), 1);
}

#[test]
fn te_16_an_end_is_acknowledged_only_when_the_feed_has_it() {
    for fault in [Fault::Unreached, Fault::AnswerLost] {
        for others in 0.. {
            let fixture = deployment();
            let browser = fixture.browser_of("eve");
            let tokens = online_tokens(&fixture, &browser, "web");
            let desk = fixture.browser_of("ada");
            let rows = results(&by_cookie(&desk, "GET", "/api/v1/users/eve/sessions"));
            let told = desk.send(Endpoint::Users, request("GET", LOGIN)).json();
            let path = format!("/api/v1/users/eve/sessions/{}", id(&rows[0]));
            let end = Request {
                csrf_token: told["csrf"].as_str().map(str::to_owned),
                ..request("DELETE", &path)
            };
            fixture.memory().fail_after(others, fault);
            let first = desk.send(Endpoint::Users, end.clone());
            if fixture.memory().fault_is_ahead() {
                assert_eq!(first.status, 204);
                assert!(others > 2, "the feed and the shard were asked");
                break;
            }
            assert_unavailable(&first);
            assert_eq!(desk.send(Endpoint::Users, end).status, 204);
            assert!(!fixture.is_active(&tokens.access));
        }
    }
}

#[test]
fn an_end_whose_answer_was_lost_is_done_when_it_is_asked_for_again() {
    let fixture = deployment();
    let browser = fixture.browser_of("eve");
    fixture.browser_of("eve");
    fixture.tokens_in(&browser, "web");
    let sessions = results(&by_cookie(&browser, "GET", SESSIONS));
    let other = sessions.iter().find(|row| row["current"] == false).unwrap();
    let grants = results(&by_cookie(&browser, "GET", GRANTS));
    let told = browser.send(Endpoint::Users, request("GET", LOGIN)).json();
    for path in [
        format!("{SESSIONS}/{}", id(other)),
        format!("{GRANTS}/{}", id(&grants[0])),
        format!("{CONSENTS}/web"),
    ] {
        let end = Request {
            csrf_token: told["csrf"].as_str().map(str::to_owned),
            ..request("DELETE", &path)
        };
        for _ in 0..2 {
            let answer = browser.send_as(Endpoint::Users, end.clone(), "the-same");
            assert_eq!(answer.status, 204, "{path}");
        }
        assert_eq!(browser.send(Endpoint::Users, end).status, 204, "{path}");
    }
}

#[test]
fn s0_8_who_knows_the_old_password_chooses_a_new_one_and_everything_of_before_ends() {
    let fixture = Fixture::new();
    let browser = fixture.browser_of("bob");
    let tokens = fixture.tokens_in(&browser, "web");
    let told = browser.send(Endpoint::Users, request("GET", LOGIN)).json();
    let ask = |body: Value| {
        let change = Request {
            csrf_token: told["csrf"].as_str().map(str::to_owned),
            body: body.to_string(),
            content_type: Some("application/json".to_owned()),
            ..request("PUT", "/api/v1/users/me/password")
        };
        browser.send(Endpoint::Users, change)
    };
    let new = "a password that is new";
    for (body, field) in [
        (
            json!({"old_password": "not the password", "new_password": new}),
            "old_password",
        ),
        (
            json!({"old_password": PASSWORD, "new_password": "short"}),
            "new_password",
        ),
        (json!({"new_password": new}), "old_password"),
        (
            json!({"old_password": PASSWORD, "new_password": new, "x": 1}),
            "x",
        ),
        (
            json!({"old_password": PASSWORD, "oldPassword": PASSWORD, "new_password": new}),
            "old_password",
        ),
    ] {
        let refused = ask(body);
        assert_eq!(refused.status, 400, "{}", refused.body);
        assert!(refused.json()[field].is_array(), "{}", refused.body);
    }
    assert!(fixture.is_active(&tokens.access), "nothing was changed");
    let done = ask(json!({"oldPassword": PASSWORD, "newPassword": new}));
    assert_eq!(done.status, 204, "{}", done.body);
    assert!(!fixture.is_active(&tokens.access));
    assert_eq!(
        browser.send(Endpoint::Users, request("GET", LOGIN)).status,
        401
    );
    let again = fixture.browser();
    let page = again.open("/login");
    let fields = [("username", "bob"), ("password", new)];
    assert_eq!(again.submit_only(&page, &fields).status, 303);
}

#[test]
fn s0_8_nobody_changes_the_password_of_another_there() {
    let fixture = Fixture::new();
    let body = json!({"old_password": PASSWORD, "new_password": "a password that is new"});
    let change = |authorization: String, path: &str| {
        let change = Request {
            body: body.to_string(),
            content_type: Some("application/json".to_owned()),
            authorization: Some(authorization),
            ..request("PUT", path)
        };
        fixture.send(Endpoint::Users, &change).status
    };
    let ada = format!("Bearer {}", api_token(&fixture, "admin:token user:token"));
    assert_eq!(change(ada.clone(), "/api/v1/users/bob/password"), 404);
    let own = format!("Bearer {}", api_token(&fixture, "user:token"));
    assert_eq!(change(own, "/api/v1/users/bob/password"), 404);
    assert_eq!(
        change(format!("Bearer {BOOTSTRAP}"), "/api/v1/users/ada/password"),
        401
    );
    assert_eq!(change(ada, "/api/v1/users/me/password"), 204);
}
