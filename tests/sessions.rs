//! Sessions, sign-in and sign-out (SE).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::time::Duration;

use edgemint::http::{Request, Response};
use edgemint::model::Secret;
use edgemint::oauth::password;
use edgemint::server::Endpoint;
use serde_json::json;
use support::tokens::{FORMS, altered, online, online_tokens, resigned, unsigned};
use support::{Browser, Fixture, Form, PASSWORD, Page, Seen, Tokens, authorization, get};

const SESSION: &str = "edgemint-session";
const BYE: &str = "https://web.example/bye";

/// Whether somebody is signed in.
fn is_signed_in(browser: &Browser<'_>) -> bool {
    let silent = online("web").with("prompt", "none");
    let error = browser.copy().authorize(&silent).response.error();
    assert!(error.is_empty() || error == "login_required", "{error}");
    error.is_empty()
}

fn try_to_sign_in(browser: &Browser<'_>, username: &str, password: &str) -> Response {
    let page = browser.open("/login");
    browser.submit_only(&page, &[("username", username), ("password", password)])
}

/// A logout link as an application makes it.
fn logout(browser: &Browser<'_>, form: &Form) -> Page {
    browser.open(&format!("/logout?{}", form.encode()))
}

/// What a page says, without what is different in every one of them.
fn text(page: &Response, username: &str) -> String {
    let mut text = page.body.replace(username, "NAME");
    for hidden in text.clone().split("value=\"").skip(1) {
        let value = hidden.split('"').next().unwrap();
        if value.len() > 30 {
            text = text.replace(value, "VALUE");
        }
    }
    text
}

#[test]
fn se_1_only_a_registered_uri_is_led_to() {
    let fixture = Fixture::new();
    for uri in [
        "https://web.example/bye?x=1",
        "https://web.example/bye/",
        "https://web.example/BYE",
        "https://web.example/cb",
        "https://other.example/bye",
        "https://evil.example/bye",
        "https://web.example/bye#x",
        "//web.example/bye",
        "javascript:alert(1)",
    ] {
        let browser = fixture.signed_in_browser();
        let form = Form::new(&[("client_id", "web"), ("post_logout_redirect_uri", uri)]);
        let page = logout(&browser, &form);
        assert_eq!(
            (page.response.status, page.response.location()),
            (400, None),
            "{uri}"
        );
        assert!(is_signed_in(&browser), "{uri}");
    }
}

#[test]
fn se_1_without_a_uri_or_a_client_it_ends_on_our_own_page() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let nobody = Form::new(&[("post_logout_redirect_uri", BYE)]);
    assert_eq!(logout(&browser, &nobody).response.status, 400);
    let unknown = Form::new(&[("client_id", "nobody"), ("post_logout_redirect_uri", BYE)]);
    assert_eq!(logout(&browser, &unknown).response.location(), None);
    let page = logout(
        &browser,
        &Form::new(&[("client_id", "web"), ("state", "x")]),
    );
    let after = browser.submit(&page, &[]);
    assert_eq!(
        (after.response.status, after.response.location()),
        (200, None)
    );
    assert!(!is_signed_in(&browser));
}

#[test]
fn se_1_a_registered_uri_is_led_to_with_the_state() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let form = Form::new(&[
        ("client_id", "web"),
        ("post_logout_redirect_uri", BYE),
        ("state", "a b&c"),
    ]);
    let page = logout(&browser, &form);
    assert!(page.is_page_at("/logout"), "a link alone asks");
    assert!(is_signed_in(&browser));
    let after = browser.submit(&page, &[]);
    assert_eq!(
        after.response.location(),
        Some("https://web.example/bye?state=a+b%26c")
    );
    assert!(!is_signed_in(&browser));
}

#[test]
fn se_2_a_hint_that_proves_nothing_leads_nowhere_and_the_person_is_asked() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let tokens = fixture.tokens_in(&browser, "web");
    let hint = tokens.id_token.clone().unwrap();
    let others = fixture.tokens_in(&browser, "other").id_token.unwrap();
    let access = fixture.tokens_in(&browser, "jwt").access;
    for bad in [
        altered(&hint, "sub", &json!("u_bob")),
        altered(&hint, "aud", &json!("other")),
        unsigned(&hint),
        resigned(&hint, None),
        others,
        access,
        tokens.access.clone(),
        "nonsense".to_owned(),
    ] {
        let form = Form::new(&[
            ("client_id", "web"),
            ("id_token_hint", &bad),
            ("post_logout_redirect_uri", BYE),
        ]);
        let page = logout(&browser, &form);
        assert!(page.is_page_at("/logout"), "{:?}", page.response);
        assert!(page.response.body.contains("Sign out?"));
        assert!(is_signed_in(&browser));
        let nobody = fixture.browser();
        let page = logout(&nobody, &form);
        assert_eq!(
            (page.response.status, page.response.location()),
            (200, None)
        );
    }
    let form = Form::new(&[
        ("client_id", "web"),
        ("id_token_hint", &unsigned(&hint)),
        ("post_logout_redirect_uri", BYE),
    ]);
    let after = browser.submit(&logout(&browser, &form), &[]);
    assert_eq!(
        (after.response.status, after.response.location()),
        (200, None)
    );
    assert!(!is_signed_in(&browser));
}

#[test]
fn se_2_a_hint_for_the_person_who_is_there_signs_out_without_asking() {
    let fixture = Fixture::new();
    for named in [true, false] {
        let browser = fixture.signed_in_browser();
        let hint = fixture.tokens_in(&browser, "web").id_token.unwrap();
        fixture.later(700); // expired: it identifies, and grants nothing
        let mut form = Form::new(&[
            ("id_token_hint", &hint),
            ("post_logout_redirect_uri", BYE),
            ("state", "s"),
        ]);
        if named {
            form = form.with("client_id", "web");
        }
        let page = logout(&browser, &form);
        assert_eq!(
            page.response.location(),
            Some("https://web.example/bye?state=s")
        );
        assert!(!is_signed_in(&browser));
    }
}

#[test]
fn se_2_a_hint_for_another_person_asks_the_one_who_is_there() {
    let fixture = Fixture::new();
    let hint = fixture
        .tokens_in(&fixture.browser_of("bob"), "web")
        .id_token
        .unwrap();
    let browser = fixture.signed_in_browser();
    let form = Form::new(&[("client_id", "web"), ("id_token_hint", &hint)]);
    assert!(logout(&browser, &form).is_page_at("/logout"));
    assert!(is_signed_in(&browser));
}

#[test]
fn se_2_a_hint_from_a_session_that_is_over_signs_nobody_out_of_the_next_one() {
    let fixture = Fixture::new();
    let before = fixture.signed_in_browser();
    let hint = fixture.tokens_in(&before, "web").id_token.unwrap();
    let browser = fixture.signed_in_browser();
    let form = Form::new(&[
        ("id_token_hint", &hint),
        ("post_logout_redirect_uri", BYE),
        ("state", "s"),
    ]);
    let page = logout(&browser, &form);
    assert!(page.is_page_at("/logout"), "{:?}", page.response);
    assert!(is_signed_in(&browser));
    let after = browser.submit(&page, &[]);
    assert_eq!(
        after.response.location(),
        Some("https://web.example/bye?state=s")
    );
    assert!(!is_signed_in(&browser));
}

#[test]
fn se_2_a_client_that_nobody_vouches_for_bounces_nobody_who_was_not_asked() {
    let fixture = Fixture::new();
    fixture.change_client("web", |client| client.self_registered = true);
    let hint = fixture.tokens().id_token.unwrap();
    let plain = Form::new(&[("client_id", "web"), ("post_logout_redirect_uri", BYE)]);
    for form in [plain.clone(), plain.with("id_token_hint", &hint)] {
        let page = logout(&fixture.browser(), &form);
        assert_eq!(
            (page.response.status, page.response.location()),
            (200, None)
        );
        let browser = fixture.signed_in_browser();
        let asked = logout(&browser, &form);
        assert!(asked.is_page_at("/logout"), "{:?}", asked.response);
        assert_eq!(browser.submit(&asked, &[]).response.location(), Some(BYE));
    }
}

#[test]
fn se_3_after_logout_a_silent_request_needs_a_login() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let thief = browser.copy();
    assert!(is_signed_in(&thief));
    browser.submit(&browser.open("/logout"), &[]);
    assert_eq!(browser.cookie(SESSION), None);
    assert!(!is_signed_in(&browser));
    assert!(!is_signed_in(&thief), "nor does a copy of the cookie");
}

#[test]
fn se_3_logout_ends_what_is_bound_to_the_session_and_nothing_else() {
    for form in FORMS {
        let fixture = Fixture::new();
        let browser = fixture.signed_in_browser();
        let elsewhere = fixture.signed_in_browser();
        let bound = online_tokens(&fixture, &browser, form);
        let free = fixture.tokens_in(&browser, form);
        let other = online_tokens(&fixture, &elsewhere, form);
        let code = browser.code(&online(form));
        browser.submit(&browser.open("/logout"), &[]);

        assert!(!fixture.is_active_for(form, &bound.access));
        assert!(!fixture.is_active_for(form, bound.refresh()));
        assert_eq!(
            fixture.refresh_as(form, bound.refresh()).error(),
            "invalid_grant"
        );
        assert_eq!(fixture.exchange_as(form, &code).error(), "invalid_grant");
        for tokens in [&free, &other] {
            assert!(fixture.is_active_for(form, &tokens.access));
            assert_eq!(fixture.refresh_as(form, tokens.refresh()).status, 200);
        }
        assert!(is_signed_in(&elsewhere));
    }
}

#[test]
fn se_3_the_account_page_signs_out() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let page = browser.open("/login");
    assert!(page.response.body.contains("You are signed in as"));
    let after = browser.submit(&page, &[]);
    assert_eq!(after.response.status, 200, "{:?}", after.response.reason);
    assert!(!is_signed_in(&browser));
}

#[test]
fn se_3_a_session_ends_after_a_day_however_it_is_used() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    fixture.later(24 * 3600 - 1);
    assert!(is_signed_in(&browser));
    fixture.later(1);
    assert!(!is_signed_in(&browser));
}

#[test]
fn se_4_every_sign_in_gives_another_cookie_and_ends_the_one_before() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let before = browser.copy();
    let bound = online_tokens(&fixture, &browser, "web");
    let page = browser.authorize(&online("web").with("prompt", "login"));
    browser.fill_in(&page, "ada");
    assert_ne!(browser.cookie(SESSION), before.cookie(SESSION));
    assert!(is_signed_in(&browser));
    assert!(!is_signed_in(&before), "the cookie of before is dead");
    assert!(
        fixture.is_active(&bound.access),
        "the session is the same, only renewed"
    );
}

#[test]
fn se_4_a_cookie_that_somebody_planted_is_not_taken_over() {
    let fixture = Fixture::new();
    let planted = fixture.browser_of("bob").cookie(SESSION).unwrap();
    let browser = fixture.browser();
    browser.set_cookie(SESSION, &planted);
    let page = browser.authorize(&online("web").with("prompt", "login"));
    browser.fill_in(&page, "ada");
    assert_ne!(browser.cookie(SESSION).unwrap(), planted);
    let claims = Tokens::of(&fixture.exchange(&browser.code(&online("web")))).claims();
    assert_eq!(claims["sub"], "u_ada");
}

#[test]
fn se_4_another_person_in_the_same_browser_ends_the_first_ones_session() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let before = browser.copy();
    let bound = online_tokens(&fixture, &browser, "web");
    let page = browser.authorize(&online("web").with("prompt", "login"));
    browser.fill_in(&page, "bob");
    assert!(is_signed_in(&browser));
    assert!(!is_signed_in(&before));
    assert!(!fixture.is_active(&bound.access));
}

#[test]
fn se_4_session_ids_never_repeat() {
    let fixture = Fixture::new();
    let mut seen = Vec::new();
    for _ in 0..10 {
        let browser = fixture.signed_in_browser();
        let sid = online_tokens(&fixture, &browser, "web").claims()["sid"].clone();
        assert!(!seen.contains(&sid));
        seen.push(sid);
        browser.submit(&browser.open("/logout"), &[]);
    }
}

#[test]
fn se_5_a_page_that_another_browser_began_is_useless() {
    let fixture = Fixture::new();
    let victim = fixture.signed_in_browser();
    let attacker = fixture.browser();
    for (path, begun) in [
        ("/login", attacker.authorize(&online("web"))),
        (
            "/consent",
            fixture.signed_in_browser().authorize(&online("spa")),
        ),
        ("/logout", fixture.signed_in_browser().open("/logout")),
    ] {
        assert!(begun.is_page_at(path));
        let sealed = begun.hidden_fields().value("request").unwrap().to_owned();
        let link = Form::new(&[("request", &sealed)]);
        if path != "/logout" {
            let page = victim.open(&format!("{path}?{}", link.encode()));
            assert_eq!(
                (page.response.status, page.response.label().as_str()),
                (400, "page_from_elsewhere")
            );
        }
        let fields = [
            ("username", "ada"),
            ("password", PASSWORD),
            ("decision", "allow"),
        ];
        let posted = victim.submit_only(&begun, &fields);
        assert_eq!(
            (posted.status, posted.label().as_str()),
            (400, "page_from_elsewhere")
        );
    }
    assert!(is_signed_in(&victim));
}

#[test]
fn se_5_a_page_works_once() {
    let fixture = Fixture::new();
    let browser = fixture.browser();
    let page = browser.authorize(&online("spa"));
    let fields = [("username", "ada"), ("password", PASSWORD)];
    let copy = browser.copy();
    assert_eq!(browser.submit_only(&page, &fields).status, 303);
    let again = copy.submit_only(&page, &fields);
    assert_eq!((again.status, again.label().as_str()), (400, "page_spent"));
    let consent = browser.authorize(&online("spa"));
    assert_eq!(browser.decide(&consent, "allow").response.status, 303);
    let again = browser.submit_only(&consent, &[("decision", "allow")]);
    assert_eq!(again.label(), "page_spent");
}

#[test]
fn se_5_a_page_left_open_expires() {
    let fixture = Fixture::new();
    let browser = fixture.browser();
    let page = browser.authorize(&online("spa"));
    fixture.later(15 * 60);
    let after = browser.submit_only(&page, &[("username", "ada"), ("password", PASSWORD)]);
    assert_eq!(
        (after.status, after.label().as_str()),
        (400, "page_expired")
    );
}

#[test]
fn se_6_a_form_without_its_value_or_from_elsewhere_does_nothing() {
    let fixture = Fixture::new();
    let signed_in = fixture.signed_in_browser();
    let nobody = fixture.browser();
    let login = nobody.authorize(&online("web"));
    let consent = signed_in.authorize(&online("spa"));
    let logout = signed_in.open("/logout");
    let fields = [
        ("username", "ada"),
        ("password", PASSWORD),
        ("decision", "allow"),
    ];
    for (browser, page, endpoint) in [
        (&nobody, &login, Endpoint::Login),
        (&signed_in, &consent, Endpoint::Consent),
        (&signed_in, &logout, Endpoint::Logout),
    ] {
        let good = browser.form_post(page, &fields);
        let value = page.hidden_fields().value("csrf").unwrap().to_owned();
        let with_body = |body: String| Request {
            body,
            ..good.clone()
        };
        let from = |origin: &str, site: &str| Request {
            origin: Some(origin.to_owned()),
            fetch_site: Some(site.to_owned()),
            ..good.clone()
        };
        let request = page.hidden_fields().value("request").unwrap().to_owned();
        let others = match endpoint {
            Endpoint::Login => consent.hidden_fields(),
            _ => login.hidden_fields(),
        };
        let swapped = Form::new(&[
            ("request", &request),
            ("csrf", others.value("csrf").unwrap()),
            ("username", "ada"),
            ("password", PASSWORD),
            ("decision", "allow"),
        ]);
        for bad in [
            with_body(good.body.replace(&value, "")),
            with_body(good.body.replace(&value, "wrong")),
            with_body(swapped.encode()),
            from("https://evil.example", "same-origin"),
            from("null", "cross-site"),
            from("null", "same-site"),
            from("null", "none"),
        ] {
            let answer = browser.copy().send(endpoint, bad);
            assert_eq!(
                (answer.status, answer.label().as_str()),
                (400, "page_from_elsewhere"),
                "{endpoint:?}"
            );
            assert_eq!(answer.location(), None);
        }
        let cookieless = fixture.send(endpoint, &good);
        assert_eq!(cookieless.label(), "page_from_elsewhere");
    }
    assert!(is_signed_in(&signed_in));
    assert_eq!(
        nobody.submit_only(&login, &fields).status,
        303,
        "the good one works"
    );
}

#[test]
fn se_6_no_page_acts_on_a_get() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let consent = browser.authorize(&online("spa"));
    let query = consent.hidden_fields().with("decision", "allow");
    let page = browser.send(Endpoint::Consent, get(&query));
    assert_eq!((page.status, page.location()), (200, None));
    let logout = browser.open("/logout").hidden_fields();
    browser.send(Endpoint::Logout, get(&logout));
    assert!(is_signed_in(&browser));
}

#[test]
fn se_7_every_cookie_is_host_bound_secure_and_out_of_reach_of_scripts() {
    let fixture = Fixture::new();
    let browser = fixture.browser();
    let page = browser.authorize(&online("web"));
    let first = browser.send(Endpoint::Authorize, get(&online("web")));
    let fresh = fixture.get(Endpoint::Login, &Form::default());
    let signed_in = browser.submit_only(&page, &[("username", "ada"), ("password", PASSWORD)]);
    let signed_out = browser.submit_only(&browser.open("/logout"), &[]);
    let all = [&first, &fresh, &signed_in, &signed_out];
    let cookies: Vec<&str> = all
        .iter()
        .flat_map(|answer| answer.all("set-cookie"))
        .collect();
    assert!(cookies.len() >= 3, "{cookies:?}");
    for cookie in cookies {
        assert!(cookie.starts_with("__Host-edgemint-"), "{cookie}");
        let (_, attributes) = cookie.split_once("; ").unwrap();
        let attributes: Vec<&str> = attributes.split("; ").collect();
        for attribute in ["Path=/", "HttpOnly", "SameSite=Lax", "Secure"] {
            assert!(attributes.contains(&attribute), "{cookie}");
        }
        assert!(!cookie.contains("Domain"));
    }
}

#[test]
fn se_7_a_name_that_only_looks_like_a_host_bound_one_is_another_cookie() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let session = browser.cookie(SESSION).unwrap();
    let own = browser.cookie("edgemint-browser").unwrap();
    // What a browser does not know for a `__Host-` name, a neighbouring host may set.
    for space in ["\u{a0}", "\u{85}", "\u{2000}", "\u{3000}", "\u{b}", "\u{c}"] {
        let request = Request {
            cookie: Some(format!(
                "a=1; {space}__Host-{SESSION}={session}; {space}__Host-edgemint-browser={own}"
            )),
            ..get(&Form::default())
        };
        let answer = fixture.send(Endpoint::Login, &request);
        assert!(answer.body.contains("password"), "{space:?}");
        assert_eq!(answer.all("set-cookie").len(), 1, "{space:?}");
    }
}

#[test]
fn se_8_unknown_wrong_and_disabled_are_told_apart_by_nobody() {
    let fixture = Fixture::new();
    fixture.create_account("eve", "read");
    fixture.disable_account("eve");
    let cases = [
        ("ada", "wrong"),
        ("nobody", "wrong"),
        ("eve", PASSWORD),
        ("eve", "wrong"),
        ("Not A Name", "wrong"),
        ("ada", ""),
    ];
    let answers: Vec<(u16, String, Vec<&str>)> = cases
        .iter()
        .map(|(username, password)| {
            let answer = try_to_sign_in(&fixture.browser(), username, password);
            assert_eq!(answer.label(), "wrong_credentials", "{username}");
            let names = answer.headers.iter().map(|(name, _)| *name).collect();
            (answer.status, text(&answer, username), names)
        })
        .collect();
    for (answer, case) in answers.iter().zip(cases) {
        assert_eq!(answer, &answers[0], "{case:?}");
    }
}

#[test]
fn se_8_unknown_and_known_names_cost_the_same_operations() {
    let fixture = Fixture::new();
    fixture.create_account("eve", "read");
    fixture.disable_account("eve");
    let browser = fixture.browser();
    let page = browser.open("/login");
    let cost = |username: &str| {
        fixture.cost(|| {
            let fields = [("username", username), ("password", "wrong")];
            browser.submit_only(&page, &fields);
        })
    };
    assert_eq!(cost("ada"), cost("nobody"));
    assert_eq!(cost("ada"), cost("eve"));
}

#[test]
fn se_8_an_unknown_name_takes_the_time_of_a_hash() {
    let fixture = Fixture::new();
    let at = fixture.at();
    let time = |username: &str| {
        let started = Clock::start();
        let secret = Secret::new("wrong");
        let check = password::check(&fixture.server, username, &secret, None, &at);
        assert!(support::block_on(check).is_err());
        started.elapsed()
    };
    let floor = Duration::from_millis(2);
    assert!(time("nobody") > floor, "no decoy was hashed");
    assert!(time("Not A Name") > floor, "no decoy was hashed");
}

/// A clock for one test; the product has none.
struct Clock(std::time::Instant);

impl Clock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the time that hashing takes is the subject"
    )]
    fn start() -> Self {
        Self(std::time::Instant::now())
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

#[test]
fn se_8_the_throttle_counts_known_and_unknown_names_alike() {
    let fixture = Fixture::new();
    fixture.create_account("eve", "read");
    fixture.disable_account("eve");
    for username in ["ada", "nobody", "eve", "Not A Name"] {
        let browser = fixture.browser();
        for _ in 0..10 {
            let answer = try_to_sign_in(&browser, username, "wrong");
            assert_eq!(answer.label(), "wrong_credentials", "{username}");
        }
        let answer = try_to_sign_in(&browser, username, "wrong");
        assert_eq!(answer.status, 429, "{username}");
        assert_eq!(answer.header("retry-after"), Some("900"));
    }
}

#[test]
fn se_8_a_throttled_name_is_refused_with_the_right_password_until_the_window_ends() {
    let fixture = Fixture::new();
    let browser = fixture.browser();
    for _ in 0..10 {
        try_to_sign_in(&browser, "ada", "wrong");
    }
    assert_eq!(try_to_sign_in(&browser, "ada", PASSWORD).status, 429);
    assert_eq!(
        try_to_sign_in(&browser, "bob", PASSWORD).status,
        303,
        "others go on"
    );
    fixture.later(899);
    assert_eq!(
        try_to_sign_in(&fixture.browser(), "ada", PASSWORD).status,
        429
    );
    fixture.later(1);
    assert_eq!(
        try_to_sign_in(&fixture.browser(), "ada", PASSWORD).status,
        303
    );
}

#[test]
fn se_8_success_is_not_counted() {
    let fixture = Fixture::new();
    for _ in 0..30 {
        fixture.browser_of("ada");
    }
}

#[test]
fn se_8_many_names_from_one_address_are_throttled_together() {
    let fixture = Fixture::new();
    let browser = fixture.browser();
    let page = browser.open("/login");
    let attempt = |name: &str, address: &str| {
        let mut request = browser.form_post(&page, &[("username", name), ("password", "x")]);
        request.address = Some(address.to_owned());
        browser.send(Endpoint::Login, request).status
    };
    for number in 0..10 {
        let name = format!("name-{number}");
        fixture.create_account(&name, "read");
        for _ in 0..10 {
            assert_eq!(attempt(&name, "198.51.100.7"), 403);
        }
    }
    assert_eq!(attempt("one-more", "198.51.100.7"), 429);
    assert_eq!(attempt("one-more", "198.51.100.8"), 403);
}

#[test]
fn se_8_all_addresses_that_one_subscriber_gets_are_one() {
    let fixture = Fixture::new();
    let browser = fixture.browser();
    let page = browser.open("/login");
    let attempt = |number: u32, address: &str| {
        let name = format!("name-{number}");
        let mut request = browser.form_post(&page, &[("username", &name), ("password", "x")]);
        request.address = Some(address.to_owned());
        browser.send(Endpoint::Login, request).status
    };
    for number in 0..100 {
        let address = format!("2001:db8:0:1:{number:x}::{number:x}");
        assert_eq!(attempt(number, &address), 403);
    }
    assert_eq!(attempt(100, "2001:db8:0:1:ffff::1"), 429);
    assert_eq!(attempt(100, "2001:DB8::1:0:0:0:9"), 429, "however written");
    assert_eq!(attempt(100, "2001:db8:0:2::1"), 403, "the next subscriber");
    assert_eq!(attempt(100, "::ffff:198.51.100.7"), 403, "and IPv4");
}

#[test]
fn se_8_without_the_ledger_nobody_gets_in_and_nobody_is_told_that_they_are_wrong() {
    let fixture = Fixture::new();
    let browser = fixture.browser();
    let page = browser.open("/login");
    fixture.memory().fail(support::Outage::Ledger);
    for password in [PASSWORD, "wrong"] {
        let answer = browser.submit_only(&page, &[("username", "ada"), ("password", password)]);
        assert_eq!(answer.status, 503);
        assert!(answer.header("retry-after").is_some());
    }
    fixture.memory().restore();
    let answer = browser.submit_only(&page, &[("username", "ada"), ("password", PASSWORD)]);
    assert_eq!(answer.status, 303);
}

#[test]
fn se_9_a_login_that_was_begun_and_left_changes_nothing() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let cookie = browser.cookie(SESSION);
    let signed_in = fixture.now();
    let bound = online_tokens(&fixture, &browser, "web");
    fixture.later(60);
    let page = browser.authorize(&online("web").with("prompt", "login"));
    let wrong = browser.submit_only(&page, &[("username", "ada"), ("password", "wrong")]);
    assert_eq!(wrong.label(), "wrong_credentials");
    assert_eq!(browser.cookie(SESSION), cookie);
    assert!(fixture.is_active(&bound.access));
    let claims = Tokens::of(&fixture.exchange(&browser.code(&online("web")))).claims();
    assert_eq!(claims["auth_time"], signed_in);
}

#[test]
fn se_9_a_logout_that_was_begun_and_left_changes_nothing() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    browser.open("/logout");
    assert!(is_signed_in(&browser));
}

#[test]
fn a_sign_in_without_an_application_ends_at_the_account() {
    let fixture = Fixture::new();
    let browser = fixture.browser();
    browser.sign_in("ada");
    assert!(
        browser
            .open("/login")
            .response
            .body
            .contains("You are signed in as")
    );
    let page = browser.authorize(&authorization("web"));
    assert!(page.response.error().is_empty());
}
