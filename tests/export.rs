//! A deployment on its way out and in: what is there afterwards, what a file tells, and what of it is
//! refused. With another issuer, over HTTP: `tests/worker/admin.test.js`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use edgemint::directory::Collection;
use edgemint::http::{Request, Response};
use edgemint::model::Secret;
use edgemint::server::Endpoint;
use serde_json::{Value, json};
use support::tokens::{kid, kids};
use support::{BOOTSTRAP, Fixture, PASSWORD, Seen as _};

const PASSPHRASE: &str = "a passphrase of the tests";
const OTHER_ROOT: &str = "another root secret, also 32 bytes long";

fn request(method: &str, query: &str, body: &str, passphrase: &str) -> Request {
    Request {
        method: method.to_owned(),
        path: "/api/v1/".to_owned(),
        query: query.to_owned(),
        body: body.to_owned(),
        content_type: Some("application/x-ndjson".to_owned()),
        authorization: Some(format!("Bearer {BOOTSTRAP}")),
        passphrase: Some(Secret::new(passphrase)),
        ..Request::default()
    }
}

fn export_page(fixture: &Fixture, query: &str) -> Response {
    fixture.send(Endpoint::Export, &request("GET", query, "", PASSPHRASE))
}

/// Every page, each a batch for an import.
fn export(fixture: &Fixture, limit: u64) -> Vec<String> {
    let mut pages = Vec::new();
    let mut query = format!("limit={limit}");
    loop {
        let answer = export_page(fixture, &query);
        assert_eq!(answer.status, 200, "{}", answer.body);
        let end = members(answer.body.lines().last().unwrap());
        pages.push(answer.body);
        match end.get("next") {
            Some(next) => query = format!("limit={limit}&after={}", next.as_str().unwrap()),
            None => return pages,
        }
    }
}

fn members(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

fn import_with(fixture: &Fixture, body: &str, passphrase: &str) -> Response {
    fixture.send(Endpoint::Import, &request("POST", "", body, passphrase))
}

/// How many lines were imported, and how many passed over.
#[track_caller]
fn import(fixture: &Fixture, pages: &[String]) -> (u64, u64) {
    let mut sum = (0, 0);
    for page in pages {
        let answer = import_with(fixture, page, PASSPHRASE);
        assert_eq!(answer.status, 200, "{}", answer.body);
        let told = answer.json();
        assert_eq!(told["conflicts"], json!([]));
        sum.0 += told["imported"].as_u64().unwrap();
        sum.1 += told["skipped"].as_u64().unwrap();
    }
    sum
}

#[track_caller]
fn refused(answer: &Response, status: u16, code: &str, told: &str) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(answer.json()["code"], code);
    assert!(answer.body.contains(told), "{}", answer.body);
}

/// With something of every kind, and keys that have signed.
fn source() -> Fixture {
    let fixture = Fixture::new();
    fixture.create_record(
        Collection::Roles,
        json!({"name": "Reader", "scopes": "read"}),
    );
    let post = |path: &str, body: Value| {
        let answer = fixture.api("POST", &format!("/api/v1/{path}/"), &body);
        assert_eq!(answer.status, 201, "{path}: {}", answer.body);
        answer.json()
    };
    let parent = post("groups", json!({"name": "all", "is_superuser": true}));
    let child = post("groups", json!({"name": "some"}));
    // The parent is the younger one.
    let path = format!("/api/v1/groups/{}/", parent["pk"].as_str().unwrap());
    let younger = json!({"is_superuser": false, "parent": child["pk"]});
    assert_eq!(fixture.api("PATCH", &path, &younger).status, 200);
    let path = format!("/api/v1/groups/{}/", child["pk"].as_str().unwrap());
    fixture.api("PATCH", &path, &json!({"is_superuser": true}));
    post(
        "users",
        json!({"username": "eve", "password": PASSWORD, "roles": ["Reader"], "groups": [parent["pk"]], "attributes": {"room": 7}}),
    );
    let mapping = post(
        "property_mappings",
        json!({"name": "room", "scope_name": "profile", "claims": {"room": "{attributes.room}"}}),
    );
    post(
        "sources",
        json!({"name": "Other", "slug": "other", "issuer": "https://other.example"}),
    );
    let path = "/api/v1/providers/oauth2/?client_id=web";
    let web = fixture.api("GET", path, &json!({})).json()["results"][0]["pk"].clone();
    let path = format!("/api/v1/providers/oauth2/{web}/");
    let mapped = fixture.api(
        "PATCH",
        &path,
        &json!({"property_mappings": [mapping["pk"]]}),
    );
    assert_eq!(mapped.status, 200, "{}", mapped.body);
    post(
        "applications",
        json!({"name": "Web", "slug": "web", "provider": web}),
    );
    fixture.tokens();
    fixture
}

fn target() -> Fixture {
    Fixture::empty(OTHER_ROOT, |_| {})
}

/// All that the management API shows.
fn shown(fixture: &Fixture) -> Vec<Value> {
    let mut all = Vec::new();
    for collection in Collection::ALL {
        let path = format!("/api/v1/{}/?page_size=100", collection.path());
        let page = fixture.api("GET", &path, &json!({}));
        all.push(page.json()["results"].clone());
    }
    all
}

#[test]
fn a_copy_has_all_that_the_api_shows_and_people_and_clients_find_nothing_changed() {
    let (source, target) = (source(), target());
    let claims = source.tokens().claims();
    for limit in [1, 7, 500] {
        let pages = export(&source, limit);
        assert_eq!(pages.len() > 1, limit < 500);
        let (imported, skipped) = import(&target, &pages);
        if limit == 1 {
            assert!(imported > 20 && skipped == 13, "{imported} {skipped}");
        } else {
            assert_eq!((imported, skipped > 30), (0, true));
        }
    }
    assert_eq!(shown(&target), shown(&source));
    assert_eq!(kids(&target), kids(&source));
    let tokens = target.tokens();
    let (ours, theirs) = (source.tokens().id_token.unwrap(), tokens.id_token.clone());
    assert_eq!(kid(&theirs.unwrap()), kid(&ours));
    assert_eq!(tokens.claims()["sub"], claims["sub"]);
    assert!(target.is_active(&tokens.access));
    target.browser_of("eve");
    // What is made from here on has a number of its own.
    let made = target.create_record(Collection::Roles, json!({"name": "New"}));
    assert!(
        !source
            .memory()
            .everything_stored()
            .contains(&made.to_string())
    );
}

#[test]
fn nothing_secret_is_in_clear() {
    let source = source();
    let text = export(&source, 500).concat();
    assert!(text.contains("eve"));
    // The name of a switch has the name of a secret in it.
    let text = text.replace("danger_allow_password_grant", "");
    for secret in [
        "c29tZSBzYWx0",
        "digest",
        "_password",
        "_secrets",
        "in memory",
        PASSPHRASE,
    ] {
        assert!(!text.contains(secret), "{secret}");
    }
    // The same passphrase and the same records make other bytes.
    let again = export(&source, 500).concat();
    let sealed = |text: &str| -> Vec<String> {
        let lines = text.lines().map(members);
        lines.map(|line| line["sealed"].to_string()).collect()
    };
    let (one, two) = (sealed(&text), sealed(&again));
    assert!(one.iter().all(|sealed| !two.contains(sealed)));
}

#[test]
fn the_first_and_the_last_line_say_what_there_is() {
    let source = source();
    let page = export_page(&source, "");
    assert_eq!(page.header("content-type"), Some("application/x-ndjson"));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let first = members(page.body.lines().next().unwrap());
    assert_eq!(first["edgemint_export"], 1);
    assert_eq!(first["issuer"], support::ISSUER);
    assert_eq!(first["exported_at"], "2027-01-15T08:00:00Z");
    let kdf = first["kdf"].as_str().unwrap();
    assert!(kdf.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kdf}");
    let last = members(page.body.lines().last().unwrap());
    assert_eq!(
        (&last["complete"], &last["counts"]["users"]),
        (&json!(true), &json!(4))
    );
}

#[test]
fn only_an_administrator_with_a_token_and_a_passphrase_copies() {
    let fixture = source();
    let good = request("GET", "", "", PASSPHRASE);
    let with = |bend: &dyn Fn(&mut Request)| {
        let mut request = good.clone();
        bend(&mut request);
        fixture.send(Endpoint::Export, &request)
    };
    for passphrase in [None, Some("eleven char"), Some("a passphrase with an ü")] {
        let answer = with(&|request| request.passphrase = passphrase.map(Secret::new));
        refused(&answer, 400, "unfit_field", "X-Export-Passphrase");
    }
    refused(
        &with(&|request| request.authorization = None),
        401,
        "no_token",
        "",
    );
    for query in [
        "after=users",
        "after=x:1",
        "limit=0",
        "limit=1&limit=1",
        "x=1",
    ] {
        refused(
            &with(&|request| query.clone_into(&mut request.query)),
            400,
            "unfit_field",
            "",
        );
    }
    let token = fixture.tokens().access;
    let bearer = format!("Bearer {token}");
    for endpoint in [Endpoint::Export, Endpoint::Import, Endpoint::Epoch] {
        let mut request = good.clone();
        request.authorization = Some(bearer.clone());
        assert_eq!(
            fixture.send(endpoint, &request).status,
            401,
            "of another audience"
        );
        // A session is a page's: what copies a deployment is for none.
        request.authorization = None;
        let browser = fixture.signed_in_browser();
        assert_eq!(browser.send(endpoint, request).status, 401);
    }
}

#[test]
fn another_passphrase_is_named_and_writes_nothing() {
    let (source, target) = (source(), target());
    let page = export(&source, 500).remove(0);
    let before = shown(&target);
    let answer = import_with(&target, &page, "not the passphrase");
    refused(&answer, 400, "unfit_field", "X-Export-Passphrase");
    assert_eq!(shown(&target), before);
}

#[test]
fn a_line_that_was_changed_or_cut_is_named_and_writes_nothing() {
    let (source, target) = (source(), target());
    let page = export(&source, 500).remove(0);
    let before = shown(&target);
    let lines: Vec<&str> = page.lines().collect();
    // Argon2id each time: every seventh line will do.
    for (at, line) in lines.iter().enumerate().step_by(7) {
        let mut bents = vec![
            line[..line.len() - 1].to_owned(),
            line[..line.len() / 2].to_owned(),
        ];
        for flipped in [2, line.len() / 3, line.len() - 20] {
            let mut bytes = line.as_bytes().to_vec();
            bytes[flipped] ^= 1;
            bents.push(String::from_utf8_lossy(&bytes).into_owned());
        }
        if at == 0 {
            bents.truncate(3);
        } else {
            bents.push(line.replace("\"id\":", "\"id\":1"));
            // Of the same file, but another line's seal.
            let other = lines[1 + at % (lines.len() - 1)];
            let (clear, _) = line.split_once(",\"sealed\":").unwrap();
            let (_, sealed) = other.split_once(",\"sealed\":").unwrap();
            bents.push(format!("{clear},\"sealed\":{sealed}"));
        }
        for bent in bents.into_iter().filter(|bent| bent != line) {
            let mut changed = lines.clone();
            changed[at] = &bent;
            let answer = import_with(&target, &changed.join("\n"), PASSPHRASE);
            assert_eq!(answer.status, 400, "{at}: {bent}\n{}", answer.body);
            if at > 0 {
                let named = format!("line_{}", at + 1);
                assert!(answer.body.contains(&named), "{}", answer.body);
            }
        }
    }
    assert_eq!(shown(&target), before);
    for body in ["", "\n", "{}", "x", lines[1]] {
        let answer = import_with(&target, body, PASSPHRASE);
        refused(&answer, 400, "malformed_body", "");
    }
    let mut json = request("POST", "", &page, PASSPHRASE);
    json.content_type = Some("application/json".to_owned());
    let answer = target.send(Endpoint::Import, &json);
    assert_eq!(answer.label(), "wrong_content_type");
}

#[test]
fn what_somebody_else_has_is_a_conflict_and_nothing_of_the_batch_is_written() {
    let (source, target) = (source(), target());
    target.create_account("bob", "");
    target.later(1);
    target.create_record(Collection::Roles, json!({"name": "Reader"}));
    let page = export(&source, 500).remove(0);
    let before = shown(&target);
    let answer = import_with(&target, &page, PASSPHRASE);
    refused(&answer, 409, "value_taken", "");
    let told = answer.json();
    assert_eq!(
        (&told["imported"], &told["skipped"]),
        (&json!(0), &json!(0))
    );
    let conflicts = told["conflicts"].as_array().unwrap();
    let fields: Vec<_> = conflicts
        .iter()
        .map(|conflict| (&conflict["collection"], &conflict["field"]))
        .collect();
    assert!(
        fields.contains(&(&json!("roles"), &json!("name"))),
        "{told}"
    );
    assert!(
        fields.contains(&(&json!("users"), &json!("username"))),
        "{told}"
    );
    for conflict in conflicts {
        let line = conflict["line"].as_u64().unwrap();
        let line = members(
            page.lines()
                .nth(usize::try_from(line).unwrap() - 1)
                .unwrap(),
        );
        assert_eq!(line["id"], conflict["id"]);
    }
    assert_eq!(shown(&target), before);
    assert_eq!(
        kids(&target).len(),
        3,
        "none was restored: it makes its own"
    );
}

#[test]
fn a_batch_may_come_again_and_the_same_request_is_answered_alike() {
    let (source, target) = (source(), target());
    let page = export(&source, 500).remove(0);
    let send = |id: &str| {
        let request = request("POST", "", &page, PASSPHRASE);
        let answer = target.send_at(Endpoint::Import, &request, &target.at_request(id));
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    };
    let first = send("import-1");
    let stored = target.memory().everything_stored();
    assert_eq!(send("import-1"), first);
    let again = send("import-2");
    assert_eq!(again["imported"], 0);
    assert_eq!(
        target.memory().everything_stored(),
        stored,
        "nothing changed"
    );
}

#[test]
fn what_changed_since_follows_and_what_changed_here_stays() {
    let (source, target) = (source(), target());
    let old = export(&source, 500);
    import(&target, &old);
    let path = |fixture: &Fixture, name: &str| {
        let path = format!("/api/v1/users/?username={name}");
        let user = fixture.api("GET", &path, &json!({})).json();
        format!("/api/v1/users/{}/", user["results"][0]["pk"])
    };
    source.later(60);
    target.later(3600);
    let changed = json!({"email": "bob@example.com"});
    assert_eq!(
        source.api("PATCH", &path(&source, "bob"), &changed).status,
        200
    );
    let here = json!({"email": "ada@example.com"});
    assert_eq!(
        target.api("PATCH", &path(&target, "ada"), &here).status,
        200
    );
    assert_eq!(import(&target, &export(&source, 500)).0, 1);
    for name in ["ada", "bob"] {
        let user = target.api("GET", &path(&target, name), &json!({})).json();
        assert_eq!(user["email"], format!("{name}@example.com"));
    }
    assert_eq!(import(&target, &old).0, 0);
}

#[test]
fn what_overrides_quotas_follows_and_what_was_overridden_here_since_stays() {
    let (source, target) = (source(), target());
    let path = "/api/v1/quota-overrides";
    let ask = |fixture: &Fixture, method: &str, body: &Value| {
        let request = Request {
            method: method.to_owned(),
            path: path.to_owned(),
            body: body.to_string(),
            content_type: Some("application/json".to_owned()),
            authorization: Some(format!("Bearer {BOOTSTRAP}")),
            ..Request::default()
        };
        fixture.send(Endpoint::QuotaOverrides, &request)
    };
    let calls = |calls: u64| json!({"default": {"api": {"app": calls}}});
    let there =
        |fixture: &Fixture| ask(fixture, "GET", &json!({})).json()["default"]["api"]["app"].clone();
    let without = export(&source, 500).concat();
    assert!(!without.contains("\"collection\":\"quotas\""));
    assert_eq!(ask(&source, "PUT", &calls(10)).status, 200);
    let old = export(&source, 500);
    for limit in [1, 500] {
        import(&target, &export(&source, limit));
        assert_eq!(there(&target), 10);
    }
    target.later(3600);
    source.later(60);
    assert_eq!(ask(&target, "PUT", &calls(20)).status, 200);
    assert_eq!(import(&target, &old).0, 0);
    assert_eq!(there(&target), 20, "what was written here stays");
    assert_eq!(ask(&source, "PUT", &calls(30)).status, 200);
    let page = export(&source, 500).remove(0);
    let send = |id: &str| {
        let request = request("POST", "", &page, PASSPHRASE);
        let answer = target.send_at(Endpoint::Import, &request, &target.at_request(id));
        answer.json()["imported"].clone()
    };
    assert_eq!(
        (send("one"), send("one"), send("two")),
        (json!(1), json!(1), json!(0))
    );
    assert_eq!(there(&target), 30, "what was written there since is newer");
    assert_eq!(ask(&target, "DELETE", &json!({})).status, 204);
    assert_eq!(
        import(&target, &[page]).0,
        0,
        "and what was taken away stays away"
    );
    assert_eq!(ask(&target, "GET", &json!({})).status, 404);
}

#[test]
fn who_was_deleted_comes_back_and_nothing_of_before_does() {
    let fixture = source();
    let pages = export(&fixture, 500);
    let browser = fixture.browser_of("bob");
    let before = fixture.tokens_in(&browser, "web");
    let user = fixture
        .api("GET", "/api/v1/users/?username=bob", &json!({}))
        .json();
    let path = format!("/api/v1/users/{}/", user["results"][0]["pk"]);
    assert_eq!(fixture.api("DELETE", &path, &json!({})).status, 204);
    assert!(!fixture.is_active(&before.access));
    fixture.later(1);
    assert_eq!(import(&fixture, &pages).0, 1);
    let again = fixture.tokens_in(&fixture.browser_of("bob"), "web");
    assert!(fixture.is_active(&again.access));
    assert!(!fixture.is_active(&before.access));
    assert_eq!(fixture.refresh(before.refresh()).status, 400);
}

#[test]
fn an_import_leaves_somebody_who_administers() {
    let (source, target) = (source(), target());
    import(&target, &export(&source, 500));
    // Here only ada is left; there she administers no more.
    for name in ["root", "eve"] {
        let user = target.api(
            "GET",
            &format!("/api/v1/users/?username={name}"),
            &json!({}),
        );
        let path = format!("/api/v1/users/{}/", user.json()["results"][0]["pk"]);
        assert_eq!(target.api("DELETE", &path, &json!({})).status, 204);
    }
    source.later(1);
    source.change_account("ada", |account| account.active = Some(false));
    let page = export(&source, 500).remove(0);
    let of_ada = page
        .lines()
        .find(|line| line.contains("\"username\":\"ada\""));
    let body = format!("{}\n{}\n", page.lines().next().unwrap(), of_ada.unwrap());
    let answer = import_with(&target, &body, PASSPHRASE);
    refused(&answer, 409, "last_administrator", "");
    target.browser_of("ada");
}

#[test]
fn keys_of_another_deployment_are_published_and_take_over_when_caches_have_them() {
    let (source, target) = (source(), target());
    let own = kids(&target);
    import(&target, &export(&source, 500));
    let keys = target
        .api("GET", "/api/v1/keys/?page_size=100", &json!({}))
        .json();
    let state = |kid: &String| {
        let mut keys = keys["results"].as_array().unwrap().iter();
        keys.find(|key| key["kid"] == **kid).unwrap()["state"].clone()
    };
    for key in &own {
        assert_eq!(state(key), "signing");
    }
    for key in kids(&source).iter().filter(|kid| !own.contains(kid)) {
        assert_eq!(state(key), "waiting");
    }
}

#[test]
fn an_epoch_ends_what_was_sealed_before_and_is_raised_once_by_a_request() {
    let fixture = source();
    let browser = fixture.signed_in_browser();
    let before = fixture.tokens_in(&browser, "web");
    let raise = |id: &str| {
        let request = request("POST", "", "", PASSPHRASE);
        let answer = fixture.send_at(Endpoint::Epoch, &request, &fixture.at_request(id));
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()["epoch"].as_u64().unwrap()
    };
    assert_eq!(
        (raise("epoch-1"), raise("epoch-1"), raise("epoch-2")),
        (2, 2, 3)
    );
    assert!(!fixture.is_active(&before.access));
    assert_eq!(fixture.refresh(before.refresh()).status, 400);
    let stored = fixture.memory().everything_stored();
    assert!(stored.matches("<bootstrap>").count() > 1);
    assert!(fixture.is_active(&fixture.tokens().access), "life goes on");
}
