//! Authorization requests and their answers (AZ).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use edgemint::http::{Request, Response};
use edgemint::server::Endpoint;
use support::{Fixture, Form, ISSUER, STATE, Seen, authorization, get, redirect_uri};

/// Every way in which a request can be wrong that its client is told of, with the error.
fn wrong_requests() -> Vec<(Form, &'static str)> {
    let good = authorization("web");
    vec![
        (good.clone().without("response_type"), "invalid_request"),
        (
            good.clone().with("response_type", "code toke"),
            "unsupported_response_type",
        ),
        (
            good.clone()
                .with("response_type", "none")
                .with("max_age", "x"),
            "invalid_request",
        ),
        (good.clone().with("scope", "openid\u{7}"), "invalid_scope"),
        (good.clone().with("scope", "a  b"), "invalid_scope"),
        (good.clone().with("scope", "admin:token"), "invalid_scope"),
        (good.clone().without("code_challenge"), "invalid_request"),
        (good.clone().with("prompt", "none login"), "invalid_request"),
        (good.clone().with("prompt", "create"), "invalid_request"),
        (good.clone().with("max_age", "-1"), "invalid_request"),
        (good.clone().with("max_age", "+1"), "invalid_request"),
        (
            good.clone().with("resource", "https://else.example"),
            "invalid_target",
        ),
        (
            good.clone().with("response_mode", "web_message"),
            "invalid_request",
        ),
        (good.clone().with("request", "eyJ"), "request_not_supported"),
        (
            good.clone().with("request_uri", "https://web.example/r"),
            "request_uri_not_supported",
        ),
        (
            good.clone().with("id_token_hint", "x.y.z"),
            "invalid_request",
        ),
        (good.clone().and("scope", "openid"), "invalid_request"),
        (good.with("prompt", "none"), "login_required"),
    ]
}

/// The parameters of a redirect to the client's own URI.
fn answer_at(id: &str, response: &Response) -> Form {
    let location = response.location().unwrap();
    let parameters = location.strip_prefix(redirect_uri(id)).unwrap();
    assert!(parameters.starts_with(['?', '&']), "{location}");
    assert_eq!(response.status, 303);
    response.answer()
}

#[test]
fn az_1_a_request_by_post_is_processed_as_one_by_get() {
    let fixture = Fixture::new();
    for browser in [fixture.browser(), fixture.signed_in_browser()] {
        for id in ["web", "post", "spa"] {
            let by_get = browser.authorize(&authorization(id));
            let by_post = browser.authorize_by_post(&authorization(id));
            assert_eq!(by_get.path, by_post.path);
            assert_eq!(by_get.response.status, by_post.response.status);
        }
    }
    let browser = fixture.signed_in_browser();
    let code = browser
        .authorize_by_post(&authorization("web"))
        .response
        .code();
    assert_eq!(fixture.exchange(&code).status, 200);
    for (form, error) in wrong_requests() {
        let browser = fixture.browser();
        assert_eq!(browser.authorize(&form).response.error(), error);
        assert_eq!(browser.authorize_by_post(&form).response.error(), error);
    }
}

#[test]
fn az_1_a_post_leads_to_a_get_before_the_session_is_looked_at() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    // Another site's form comes without the session cookie (SameSite=Lax).
    let from_elsewhere = fixture.post(Endpoint::Authorize, &authorization("web"));
    assert_eq!(from_elsewhere.status, 303);
    let page = browser.follow("/oauth/authorize", from_elsewhere);
    assert!(page.response.code().starts_with("emc_"));
}

#[test]
fn az_2_an_unknown_parameter_is_ignored_also_when_it_is_repeated() {
    let fixture = Fixture::new();
    let form = authorization("web")
        .and("unknown", "1")
        .and("unknown", "2")
        .and("vendor[]", "\u{0}");
    fixture.signed_in_browser().code(&form);
}

#[test]
fn az_2_a_repeated_parameter_is_refused_and_an_empty_one_is_absent() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    for name in authorization("web").names() {
        let value = authorization("web").value(&name).unwrap().to_owned();
        let response = browser
            .authorize(&authorization("web").and(&name, &value))
            .response;
        if matches!(name.as_str(), "client_id" | "redirect_uri") {
            assert_eq!((response.status, response.location()), (400, None));
        } else {
            assert_eq!(response.error(), "invalid_request", "{name}");
            assert_eq!(response.label(), "repeated_parameter", "{name}");
        }
        let empty = browser.authorize(&authorization("web").with(&name, ""));
        let absent = browser.authorize(&authorization("web").without(&name));
        assert_eq!(empty.response.status, absent.response.status, "{name}");
        assert_eq!(empty.response.label(), absent.response.label(), "{name}");
        if absent.response.location().is_some() {
            let names = |page: &support::Page| page.response.answer().names();
            assert_eq!(names(&empty), names(&absent), "{name}");
        }
    }
}

#[test]
fn az_3_a_missing_response_type_is_told_apart_from_an_unknown_one() {
    let fixture = Fixture::new();
    let ask = |form: Form| fixture.get(Endpoint::Authorize, &form).error();
    let good = authorization("web");
    assert_eq!(
        ask(good.clone().without("response_type")),
        "invalid_request"
    );
    for unknown in ["x", "CODE", "code code", "code none", "code\u{a0}"] {
        let form = good.clone().with("response_type", unknown);
        assert_eq!(ask(form), "unsupported_response_type", "{unknown}");
    }
}

#[test]
fn az_5_state_comes_back_byte_for_byte_on_success_and_error_and_only_if_it_was_sent() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let odd = [
        STATE,
        "a+b c%20d%2Be",
        "\"<script>&amp;'",
        "é ü 漢 🜚",
        "{\"json\":[1,2]}",
        "a=b&code=forged&iss=https://evil.example",
        "#fragment?query",
        " leading and trailing ",
    ];
    for state in odd {
        for form in [
            authorization("web"),
            authorization("web").without("code_challenge"),
            authorization("web").with("response_type", "token"),
        ] {
            let answer = browser.authorize(&form.with("state", state)).response;
            assert_eq!(answer.answer().value("state"), Some(state));
            assert_eq!(answer.all("location").len(), 1);
        }
    }
    for form in [
        authorization("web"),
        authorization("web").without("code_challenge"),
    ] {
        let answer = browser.authorize(&form.without("state")).response;
        assert_eq!(answer.answer().value("state"), None);
    }
    // Through the sign-in and the consent page, and when the person says no.
    let browser = fixture.browser();
    let form = authorization("post").with("state", odd[2]);
    let page = browser.fill_in(&browser.authorize(&form), "ada");
    let denied = browser.copy().decide(&page, "deny").response;
    assert_eq!(denied.error(), "access_denied");
    assert_eq!(denied.answer().value("state"), Some(odd[2]));
    let page = browser.fill_in(
        &browser.copy().authorize(&form.with("prompt", "login")),
        "ada",
    );
    let allowed = browser.decide(&page, "allow").response;
    assert_eq!(allowed.answer().value("state"), Some(odd[2]));
}

#[test]
fn az_5_a_state_that_cannot_be_sent_back_unchanged_is_refused_and_not_sent_back() {
    let fixture = Fixture::new();
    for state in ["%00", "a%0D%0ASet-Cookie:x", "%ff%fe", "%7f"] {
        let query = format!(
            "{}&state={state}",
            authorization("web").without("state").encode()
        );
        let request = Request {
            query,
            ..get(&Form::default())
        };
        let response = fixture.send(Endpoint::Authorize, &request);
        assert_eq!(response.error(), "invalid_request", "{state}");
        assert_eq!(response.answer().value("state"), None, "{state}");
    }
}

#[test]
fn az_6_every_redirected_answer_has_exactly_one_iss() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let mut answers = vec![
        browser.authorize(&authorization("web")).response,
        browser
            .allow(&authorization("post").with("prompt", "consent"))
            .response,
        fixture.get(
            Endpoint::Authorize,
            &authorization("web").with("prompt", "none"),
        ),
    ];
    let page = browser.authorize(&authorization("spa"));
    answers.push(browser.decide(&page, "deny").response);
    for (form, _) in wrong_requests() {
        answers.push(fixture.get(Endpoint::Authorize, &form));
    }
    for answer in answers {
        let parameters = answer.answer();
        let names = parameters.names();
        assert_eq!(names.iter().filter(|name| *name == "iss").count(), 1);
        assert_eq!(parameters.value("iss"), Some(ISSUER));
    }
    let metadata = fixture.get(Endpoint::AuthorizationServer, &Form::default());
    let announced = &metadata.json()["authorization_response_iss_parameter_supported"];
    assert_eq!(announced, true);
}

#[test]
fn az_7_an_error_answer_has_only_the_characters_of_the_abnf() {
    let fixture = Fixture::new();
    for (form, error) in wrong_requests() {
        // What the request holds never gets into the text.
        let form = form.and("ui_locales", "\"\\\u{e9}").with("state", "\"é\\");
        let answer = fixture.get(Endpoint::Authorize, &form);
        let parameters = answer_at("web", &answer);
        assert_eq!(parameters.value("error"), Some(error));
        for name in ["error", "error_description"] {
            let text = parameters.value(name).unwrap();
            let allowed = |byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5B | 0x5D..=0x7E);
            assert!(!text.is_empty() && text.bytes().all(allowed), "{text}");
        }
    }
}

#[test]
fn az_8_a_wrong_request_of_a_self_registered_client_bounces_nobody_who_is_not_signed_in() {
    let fixture = Fixture::new();
    let signed_in = fixture.signed_in_browser();
    for (form, error) in wrong_requests() {
        if error == "login_required" {
            continue;
        }
        let form = form
            .with("client_id", "stranger")
            .with("redirect_uri", redirect_uri("stranger"));
        let response = fixture.browser().authorize(&form).response;
        assert_eq!(
            (response.status, response.location()),
            (400, None),
            "{error}"
        );
        let told = signed_in.authorize(&form).response;
        assert_eq!(told.error(), error);
        answer_at("stranger", &told);
    }
    // A client that somebody vouches for is told at once.
    let form = authorization("web").without("code_challenge");
    assert_eq!(
        fixture.browser().authorize(&form).response.error(),
        "invalid_request"
    );
}

#[test]
fn az_9_after_a_password_the_browser_is_sent_on_with_303() {
    let fixture = Fixture::new();
    let browser = fixture.browser();
    for id in ["web", "post"] {
        let browser = browser.copy();
        let page = browser.authorize(&authorization(id));
        let fields = [("username", "ada"), ("password", support::PASSWORD)];
        let response = browser.submit_only(&page, &fields);
        assert_eq!(response.status, 303);
    }
    let page = browser.open("/login");
    let fields = [("username", "ada"), ("password", support::PASSWORD)];
    assert_eq!(browser.submit_only(&page, &fields).status, 303);
}

#[test]
fn az_10_no_origin_may_read_what_the_authorization_endpoint_answers() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let good = authorization("web");
    for form in [
        good.clone(),
        good.clone().with("client_id", "nobody"),
        good.without("code_challenge"),
        authorization("spa"),
    ] {
        for origin in ["https://web.example", "null", ISSUER] {
            for endpoint in [Endpoint::Authorize, Endpoint::Login, Endpoint::Consent] {
                let request = Request {
                    origin: Some(origin.to_owned()),
                    ..get(&form)
                };
                let response = browser.send(endpoint, request);
                let cors = |(name, _): &(&str, std::borrow::Cow<'_, str>)| {
                    name.starts_with("access-control-")
                };
                assert!(!response.headers.iter().any(cors), "{endpoint:?}");
            }
        }
    }
}

#[test]
fn az_11_a_request_object_is_refused_by_its_own_error_and_never_ignored() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    for (name, error) in [
        ("request", "request_not_supported"),
        ("request_uri", "request_uri_not_supported"),
    ] {
        for value in [
            "eyJhbGciOiJub25lIn0.e30.",
            "urn:ietf:params:oauth:request_uri:x",
            "x",
        ] {
            let form = authorization("web").with(name, value);
            let answer = browser.authorize(&form).response;
            assert_eq!(answer.error(), error);
            answer_at("web", &answer);
        }
    }
    let metadata = fixture
        .get(Endpoint::OpenidConfiguration, &Form::default())
        .json();
    assert_eq!(metadata["request_parameter_supported"], false);
    assert_eq!(metadata["request_uri_parameter_supported"], false);
    assert_eq!(metadata.get("require_pushed_authorization_requests"), None);
}

#[test]
fn az_13_a_long_state_or_nonce_is_returned_whole_or_refused() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    for length in [1, 512, 1024, 1025, 4096, 4097, 16 * 1024] {
        let text = "s".repeat(length);
        let answer = browser
            .authorize(&authorization("web").with("state", &text))
            .response;
        if length <= 4096 {
            assert_eq!(answer.answer().value("state"), Some(text.as_str()));
            assert!(answer.code().starts_with("emc_"));
        } else {
            assert_eq!(answer.error(), "invalid_request");
            assert_eq!(answer.answer().value("state"), None);
        }
        let answer = browser
            .authorize(&authorization("web").with("nonce", &text))
            .response;
        if length <= 1024 {
            let tokens = support::Tokens::of(&fixture.exchange(&answer.code()));
            assert_eq!(tokens.claims()["nonce"], text);
        } else {
            assert_eq!(answer.error(), "invalid_request");
        }
    }
    // The longest of both survives both pages, in what they carry.
    let browser = fixture.browser();
    let form = authorization("post")
        .with("state", &"s".repeat(4096))
        .with("nonce", &"n".repeat(1024));
    let answer = browser.allow(&form).response;
    assert_eq!(answer.answer().value("state").map(str::len), Some(4096));
}
