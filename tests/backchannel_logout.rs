//! OpenID Connect Back-Channel Logout 1.0: who is told that a session has ended, what, and how often.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::cell::RefCell;

use edgemint::jose::{ExpectedTyp, KeySet, Policy};
use edgemint::memory::Memory;
use edgemint::model::{Moment, Username, public_id};
use edgemint::oauth::backchannel::{self, Prepared};
use edgemint::ports::directory::FindAccount;
use edgemint::ports::ledger::{EndOwned, Owned, Revoked};
use edgemint::ports::logouts::{Outcome, Waiting};
use edgemint::ports::{Directory as _, Ledger as _};
use edgemint::server::Endpoint;
use serde_json::{Value, json};
use support::device::{Began, GRANT, decided, poll_form};
use support::records::{App, FLOWS, PROVIDERS, USERS, at, made, patched, read, refused, user};
use support::tokens::json_post;
use support::{
    BOOTSTRAP, Browser, Fixture, Form, ISSUER, Operations, Outage, PASSWORD, Seen as _, Tokens,
    block_on, decoded, subject,
};

const URI: &str = "https://app.example/backchannel";
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// A client that wants to be told.
fn told(fixture: &Fixture) -> App<'_> {
    told_with(fixture, json!({}))
}

fn told_with(fixture: &Fixture, more: Value) -> App<'_> {
    let mut body = json!({"backchannel_logout_uri": URI});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    App::new(fixture, body)
}

fn memory(fixture: &Fixture) -> &Memory {
    fixture.memory()
}

/// Has the courier send what is due to somebody who answers so; gives the tokens and where they went.
fn deliver(fixture: &Fixture, status: u16) -> Vec<(String, String)> {
    let sent = RefCell::new(Vec::new());
    let now = Moment(fixture.now() * 1000);
    let due = memory(fixture).logouts().borrow().due(now);
    for (key, waiting) in due {
        let id = format!("{}-{}", key.1, waiting.attempts);
        let at = fixture.at();
        let prepared = backchannel::prepare(&fixture.server, &waiting.notice, &id, &at);
        let outcome = match block_on(prepared) {
            Ok(Prepared::Send { uri, token }) => {
                sent.borrow_mut().push((uri, token));
                Outcome::Answered(status)
            }
            Ok(Prepared::Unwanted) => Outcome::Unwanted,
            Ok(Prepared::Refused) => Outcome::Refused,
            Err(_) => Outcome::Postponed,
        };
        let mut logouts = memory(fixture).logouts().borrow_mut();
        let _: Option<Waiting> = logouts.sent(&key, outcome, now);
    }
    sent.into_inner()
}

/// The claims of the one token that is due now, as its client verifies them.
fn delivered(fixture: &Fixture, app: &App<'_>) -> Value {
    let sent = deliver(fixture, 200);
    let [(uri, token)] = sent.as_slice() else {
        panic!("{} tokens were sent", sent.len());
    };
    assert_eq!(uri, URI);
    verified(fixture, app, token)
}

fn verified(fixture: &Fixture, app: &App<'_>, token: &str) -> Value {
    let jwks = fixture.get(Endpoint::Jwks, &Form::default()).body;
    let keys = KeySet::parse(jwks.as_bytes()).unwrap();
    let claims: Value = decoded(token.split('.').nth(1).unwrap());
    let issuer = claims["iss"].as_str().unwrap();
    let policy = Policy::new(issuer, &app.id, ExpectedTyp::exactly("logout+jwt"));
    let verified = policy.verify(token, &keys, fixture.memory(), fixture.now());
    block_on(verified).unwrap();
    claims
}

/// Ends what is Bob's, as people and administrators do.
fn owned(fixture: &Fixture, what: Owned) {
    let verb = EndOwned {
        subject: subject("bob"),
        what,
        actor: None,
    };
    let find = FindAccount {
        username: Username::parse("bob").unwrap(),
    };
    let bob = block_on(fixture.memory().directory(&fixture.at(), find)).unwrap();
    let shard = bob.unwrap().facts.shard;
    let ended = block_on(fixture.memory().ledger(shard, &fixture.at(), verb));
    assert_eq!(ended.unwrap(), Revoked::Done);
}

fn logout(browser: &Browser<'_>) {
    let page = browser.open("/logout");
    let page = browser.submit(&page, &[]);
    assert_eq!(page.response.status, 200, "{}", page.response.body);
}

#[test]
fn a_logout_token_is_what_the_specification_asks_for() {
    let fixture = Fixture::new();
    let app = told(&fixture);
    let browser = fixture.browser_of("bob");
    let tokens = app.exchange(&app.code(&browser)).json();
    let id_token: Value = decoded(
        tokens["id_token"]
            .as_str()
            .unwrap()
            .split('.')
            .nth(1)
            .unwrap(),
    );
    assert!(deliver(&fixture, 200).is_empty());
    logout(&browser);
    let claims = delivered(&fixture, &app);
    assert_eq!(claims["iss"], ISSUER);
    assert_eq!(claims["aud"], app.id);
    assert_eq!(claims["sid"], id_token["sid"]);
    assert_eq!(claims["sub"], id_token["sub"]);
    assert_eq!(claims["iat"], fixture.now());
    assert_eq!(claims["exp"], fixture.now() + 120);
    assert_eq!(claims["events"], json!({ EVENT: {} }));
    assert!(claims["jti"].is_string());
    assert!(claims.get("nonce").is_none(), "§2.4: it is no ID token");
    assert!(deliver(&fixture, 200).is_empty(), "once");
}

#[test]
fn s4_2_a_logout_token_names_whom_the_client_knows_and_tells_nothing_of_them() {
    let fixture = Fixture::new();
    let mapping =
        json!({"name": "Staff", "scope_name": "openid", "claims": {"login": "{username}"}});
    let mapping = made(&fixture, "/api/v1/property_mappings/", mapping);
    let app = told_with(
        &fixture,
        json!({"property_mappings": [mapping["pk"]], "sub_mode": "user_username"}),
    );
    let browser = fixture.browser_of("bob");
    assert_eq!(app.exchange(&app.code(&browser)).status, 200);
    logout(&browser);
    let claims = delivered(&fixture, &app);
    assert_eq!(claims["sub"], "bob");
    let names: Vec<&String> = claims.as_object().unwrap().keys().collect();
    // A mapping speaks under a scope, and a session's end has none.
    let expected = ["aud", "events", "exp", "iat", "iss", "jti", "sid", "sub"];
    assert_eq!(names, expected);
}

/// Signs Bob in for an answer of this type, and out again; tells whether an ID token was in it.
fn left_after<'a>(fixture: &'a Fixture, response_type: &str) -> (App<'a>, bool) {
    let app = told_with(
        fixture,
        json!({
            "grant_types": ["authorization_code", "implicit"],
            "response_types": [response_type],
            "danger_allow_front_channel_access_tokens": true,
        }),
    );
    let browser = fixture.browser_of("bob");
    let asked = app.authorization().with("response_type", response_type);
    let answer = browser.allow(&asked).response.answer();
    let asked_for_token = response_type.split(' ').any(|name| name == "token");
    assert_eq!(answer.value("access_token").is_some(), asked_for_token);
    logout(&browser);
    (app, answer.value("id_token").is_some())
}

#[test]
fn who_got_an_id_token_without_a_code_is_told_as_well() {
    for response_type in [
        "id_token",
        "id_token token",
        "code id_token",
        "code id_token token",
    ] {
        let fixture = Fixture::new();
        let (app, given) = left_after(&fixture, response_type);
        assert!(given, "{response_type}");
        assert!(delivered(&fixture, &app)["sid"].is_string());
    }
}

#[test]
fn who_got_an_access_token_alone_is_not_told() {
    for response_type in ["token", "code token"] {
        let fixture = Fixture::new();
        let (_, given) = left_after(&fixture, response_type);
        assert!(!given, "{response_type}");
        assert!(deliver(&fixture, 200).is_empty(), "{response_type}");
    }
}

#[test]
fn who_got_an_id_token_by_a_device_is_told_as_well() {
    let fixture = Fixture::new();
    let app = told_with(&fixture, json!({ "grant_types": [GRANT] }));
    let browser = fixture.browser_of("bob");
    let given = |scope: &str| {
        let form = Form::new(&[("scope", scope)]);
        let device = Began::of(&app.ask(Endpoint::DeviceAuthorization, &form));
        decided(&browser, &device, "allow");
        Tokens::of(&app.ask(Endpoint::Token, &poll_form(&device.device_code)))
    };
    assert!(given("read").id_token.is_none());
    logout(&browser);
    assert!(deliver(&fixture, 200).is_empty(), "it knows of no session");
    browser.sign_in("bob");
    let claims = given("openid").claims();
    logout(&browser);
    let told = delivered(&fixture, &app);
    assert_eq!(
        (&told["sid"], &told["sub"]),
        (&claims["sid"], &claims["sub"])
    );
}

#[test]
fn s4_2_sub_issuer_and_algorithm_are_those_of_the_id_token() {
    let fixture = Fixture::new();
    let bob = user(&fixture, "bob");
    let facts = json!({"email": "bob@example.org", "attributes": {"upn": "bob@corp"}});
    patched(&fixture, &at(USERS, &bob), facts);
    let app = told_with(&fixture, json!({"issuer_mode": "per_provider"}));
    let provider = read(&fixture, &app.path)["pk"].clone();
    let application = json!({"name": "Shop", "slug": "shop", "provider": provider});
    made(&fixture, "/api/v1/applications/", application);
    for mode in [
        "hashed_user_id",
        "user_id",
        "user_uuid",
        "user_username",
        "user_email",
        "user_upn",
        "subject",
    ] {
        for algorithm in ["ES256", "EdDSA", "RS256"] {
            app.patch(json!({"sub_mode": mode, "id_token_signed_response_alg": algorithm}));
            let browser = fixture.browser_of("bob");
            let tokens = app.exchange(&app.code(&browser)).json();
            let id_token = tokens["id_token"].as_str().unwrap();
            let claims: Value = decoded(id_token.split('.').nth(1).unwrap());
            logout(&browser);
            let sent = deliver(&fixture, 200);
            let logout = verified(&fixture, &app, &sent[0].1);
            for name in ["iss", "sub", "sid", "aud"] {
                assert_eq!(logout[name], claims[name], "{mode} {name}");
            }
            let header: Value = decoded(sent[0].1.split('.').next().unwrap());
            assert_eq!(header["alg"], algorithm);
        }
    }
}

#[test]
fn who_is_told_by_a_name_that_changed_is_told_the_one_it_knows() {
    let fixture = Fixture::new();
    let app = told_with(&fixture, json!({"sub_mode": "user_email"}));
    let bob = at(USERS, &user(&fixture, "bob"));
    patched(&fixture, &bob, json!({"email": "bob@example.org"}));
    let browser = fixture.browser_of("bob");
    app.exchange(&app.code(&browser)).json();
    patched(&fixture, &bob, json!({"email": "bob@example.com"}));
    logout(&browser);
    assert_eq!(delivered(&fixture, &app)["sub"], "bob@example.org");
}

#[test]
fn every_way_in_which_a_session_ends_is_told() {
    type End<'a> = (&'a str, &'a dyn Fn(&Fixture, &Browser<'_>, &str));
    let ends: [End<'_>; 5] = [
        ("the page", &|_, browser, _| logout(browser)),
        ("it is ended from elsewhere", &|fixture, _, sid| {
            owned(fixture, Owned::Session(public_id(sid)));
        }),
        ("all are ended", &|fixture, _, _| {
            owned(fixture, Owned::Sessions(None))
        }),
        ("another password", &|fixture, _, _| {
            let bob = at(USERS, &user(fixture, "bob"));
            patched(fixture, &bob, json!({"password": PASSWORD}));
        }),
        ("disabled", &|fixture, _, _| {
            let bob = at(USERS, &user(fixture, "bob"));
            patched(fixture, &bob, json!({"is_active": false}));
        }),
    ];
    for (what, end) in ends {
        let fixture = Fixture::new();
        let app = told(&fixture);
        let browser = fixture.browser_of("bob");
        let tokens = app.exchange(&app.code(&browser)).json();
        let access = tokens["access_token"].as_str().unwrap().to_owned();
        assert!(app.is_active(&access));
        let id_token = tokens["id_token"].as_str().unwrap();
        let claims: Value = decoded(id_token.split('.').nth(1).unwrap());
        end(&fixture, &browser, claims["sid"].as_str().unwrap());
        let sent = deliver(&fixture, 200);
        assert_eq!(sent.len(), 1, "{what}");
        verified(&fixture, &app, &sent[0].1);
    }
}

#[test]
fn s4_4_a_logout_at_the_application_tells_the_others_and_spares_what_is_offline() {
    let fixture = Fixture::new();
    let app = told(&fixture);
    let browser = fixture.browser_of("bob");
    let offline = app.exchange(&app.code(&browser)).json();
    let form = app.authorization().with("scope", "openid read");
    let bound = app.exchange(&browser.code(&form)).json();
    let hint = bound["id_token"].as_str().unwrap();
    let form = Form::new(&[("id_token_hint", hint)]);
    let page = browser.open(&format!("/oauth/logout?{}", form.encode()));
    assert_eq!(page.response.status, 200, "{}", page.response.body);
    let text = |tokens: &Value, name: &str| tokens[name].as_str().unwrap().to_owned();
    assert!(!app.is_active(&text(&bound, "access_token")));
    assert!(!app.is_active(&text(&bound, "refresh_token")));
    assert!(app.is_active(&text(&offline, "refresh_token")), "§2.7");
    delivered(&fixture, &app);
}

#[test]
fn a_client_of_which_alone_signing_out_is_asked_is_told_alone() {
    let fixture = Fixture::new();
    let flow =
        json!({"name": "Leave", "slug": "leave", "designation": "invalidation", "ends": "client"});
    let flow = made(&fixture, FLOWS, flow);
    let leaving = told_with(&fixture, json!({"invalidation_flow": flow["pk"]}));
    let staying = told_with(&fixture, json!({"name": "Other"}));
    let browser = fixture.browser_of("bob");
    let tokens = leaving.exchange(&leaving.code(&browser)).json();
    staying.exchange(&staying.code(&browser)).json();
    let hint = tokens["id_token"].as_str().unwrap();
    let form = Form::new(&[("id_token_hint", hint)]);
    browser.open(&format!("/oauth/logout?{}", form.encode()));
    delivered(&fixture, &leaving);
    logout(&browser);
    delivered(&fixture, &staying);
}

#[test]
fn somebody_elses_sign_in_in_the_same_browser_ends_the_first() {
    let fixture = Fixture::new();
    let app = told(&fixture);
    let browser = fixture.browser_of("bob");
    app.exchange(&app.code(&browser)).json();
    let page = browser.authorize(&app.authorization().with("prompt", "login"));
    browser.fill_in(&page, "ada");
    delivered(&fixture, &app);
}

#[test]
fn who_got_no_id_token_or_wants_none_of_it_is_not_told() {
    let fixture = Fixture::new();
    let app = told(&fixture);
    let quiet = App::new(&fixture, json!({}));
    let browser = fixture.browser_of("bob");
    let form = app.authorization().with("scope", "read");
    app.exchange(&browser.code(&form)).json();
    quiet.exchange(&quiet.code(&browser)).json();
    app.code(&browser);
    logout(&browser);
    assert!(deliver(&fixture, 200).is_empty());
}

#[test]
fn a_client_that_changed_its_mind_or_is_gone_is_not_told() {
    for change in [
        json!({"backchannel_logout_uri": ""}),
        json!({"enabled": false}),
        Value::Null,
    ] {
        let fixture = Fixture::new();
        let app = told(&fixture);
        let browser = fixture.browser_of("bob");
        app.exchange(&app.code(&browser)).json();
        logout(&browser);
        if change.is_null() {
            assert_eq!(fixture.api("DELETE", &app.path, &json!({})).status, 204);
        } else {
            app.patch(change);
        }
        assert!(deliver(&fixture, 200).is_empty());
        fixture.later(86_400);
        let now = Moment(fixture.now() * 1000);
        assert!(memory(&fixture).logouts().borrow().due(now).is_empty());
    }
}

#[test]
fn an_attempt_that_failed_is_made_again_with_a_token_of_its_own() {
    let fixture = Fixture::new();
    let app = told(&fixture);
    let browser = fixture.browser_of("bob");
    app.exchange(&app.code(&browser)).json();
    logout(&browser);
    let mut ids = Vec::new();
    for _ in 0..3 {
        let sent = deliver(&fixture, 503);
        ids.push(verified(&fixture, &app, &sent[0].1)["jti"].clone());
        assert!(deliver(&fixture, 503).is_empty(), "not at once");
        fixture.later(60);
    }
    delivered(&fixture, &app);
    ids.dedup();
    assert_eq!(ids.len(), 3);
}

#[test]
fn while_the_courier_is_away_signing_out_works_and_what_is_to_be_told_waits() {
    let fixture = Fixture::new();
    let app = told(&fixture);
    let browser = fixture.browser_of("bob");
    let form = app.authorization().with("scope", "openid read");
    let tokens = app.exchange(&browser.code(&form)).json();
    memory(&fixture).fail(Outage::Courier);
    logout(&browser);
    assert!(deliver(&fixture, 200).is_empty());
    memory(&fixture).restore();
    assert!(
        !app.is_active(tokens["refresh_token"].as_str().unwrap())
            || tokens["scope"].as_str().unwrap().contains("offline_access")
    );
    // Its next word to a shard brings the rest.
    fixture.browser_of("bob");
    delivered(&fixture, &app);
}

#[test]
fn whoever_has_no_use_for_it_pays_nothing_and_who_has_pays_no_call_more() {
    let fixture = Fixture::new();
    let without = App::new(&fixture, json!({}));
    let with = told(&fixture);
    let browser = fixture.browser_of("bob");
    without.exchange(&without.code(&browser));
    with.exchange(&with.code(&browser));
    let cost = |app: &App<'_>| {
        fixture.cost(|| {
            app.exchange(&app.code(&browser));
        })
    };
    assert_eq!(cost(&without), cost(&with));
    assert_eq!(
        fixture.cost(|| logout(&fixture.browser_of("ada"))).courier,
        0
    );
    let end: Operations = fixture.cost(|| logout(&browser));
    assert_eq!(end.courier, 1);
}

#[test]
fn cr_3_only_a_public_https_uri_is_sent_to() {
    let fixture = Fixture::new();
    for bad in [
        "http://app.example/logout",
        "https://127.0.0.1/logout",
        "https://[::1]/logout",
        "https://localhost/logout",
        "https://app.internal/logout",
        "https://app.example:8443/logout",
        "https://user@app.example/logout",
        "https://app.example/logout#x",
        "app.example",
    ] {
        let body = json!({"name": "Bad", "redirect_uris": "https://app.example/cb", "backchannel_logout_uri": bad});
        refused(
            &fixture.api("POST", PROVIDERS, &body),
            400,
            "backchannel_logout_uri",
        );
        let metadata =
            json!({"redirect_uris": ["https://app.example/cb"], "backchannel_logout_uri": bad});
        let answer = fixture.send(
            Endpoint::Register,
            &json_post(Some(BOOTSTRAP), &metadata.to_string()),
        );
        assert_eq!(answer.error(), "invalid_client_metadata", "{bad}");
    }
    let near = Fixture::with(|config| config.danger_allow_private_fetch_targets = true);
    let app = told_with(
        &near,
        json!({"backchannel_logout_uri": "http://127.0.0.1:8080/logout"}),
    );
    assert_eq!(
        read(&near, &app.path)["backchannel_logout_session_required"],
        false
    );
}

#[test]
fn cr_3_what_was_written_under_the_switch_is_not_sent_to_without_it() {
    let mut fixture = Fixture::with(|config| config.danger_allow_private_fetch_targets = true);
    {
        let near = json!({"backchannel_logout_uri": "http://127.0.0.1:8080/logout"});
        let app = told_with(&fixture, near);
        let browser = fixture.browser_of("bob");
        app.exchange(&app.code(&browser)).json();
        logout(&browser);
    }
    fixture.server.config.danger_allow_private_fetch_targets = false;
    assert!(deliver(&fixture, 200).is_empty());
    fixture.later(3600);
    let now = Moment(fixture.now() * 1000);
    assert!(
        memory(&fixture).logouts().borrow().due(now).is_empty(),
        "given up"
    );
}

#[test]
fn a_registration_says_it_and_a_strangers_may_not() {
    let open = Fixture::with(|config| config.danger_open_registration = true);
    let metadata = json!({
        "redirect_uris": ["https://app.example/cb"], "backchannel_logout_uri": URI,
        "backchannel_logout_session_required": true,
    });
    let by = |token: Option<&str>| {
        open.send(Endpoint::Register, &json_post(token, &metadata.to_string()))
    };
    let answer = by(Some(BOOTSTRAP));
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!(answer.json()["backchannel_logout_uri"], URI);
    assert_eq!(answer.json()["backchannel_logout_session_required"], true);
    let id = answer.json()["client_id"].as_str().unwrap().to_owned();
    let record = read(&open, &format!("{PROVIDERS}?client_id={id}"))["results"][0].clone();
    assert_eq!(record["backchannel_logout_uri"], URI);
    assert_eq!(record["backchannel_logout_session_required"], true);
    assert_eq!(by(None).error(), "invalid_client_metadata");
}

#[test]
fn md_4_metadata_says_so() {
    let fixture = Fixture::new();
    let metadata = fixture
        .get(Endpoint::OpenidConfiguration, &Form::default())
        .json();
    assert_eq!(metadata["backchannel_logout_supported"], true);
    assert_eq!(metadata["backchannel_logout_session_supported"], true);
}
