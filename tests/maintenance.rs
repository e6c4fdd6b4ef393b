//! Seed 002's `AVAILABLE` and `ERROR_URI`: a deployment that is closed, and errors that are explained.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use edgemint::http::{Request, Response};
use edgemint::model::ClientId;
use edgemint::oauth::rpc::{self, Question};
use edgemint::server::Endpoint;
use serde_json::json;
use support::{
    BOOTSTRAP, CHALLENGE, Fixture, Form, Seen, authenticated, authorization, block_on,
    exchange_form, get, post, redirect_uri, refresh_form,
};

const DOCS: &str = "https://docs.example/errors#";

/// What is answered though the deployment is closed.
const OPEN: [Endpoint; 11] = [
    Endpoint::OpenidConfiguration,
    Endpoint::AuthorizationServer,
    Endpoint::ProtectedResource,
    Endpoint::Application,
    Endpoint::Jwks,
    Endpoint::Health,
    Endpoint::Introspect,
    Endpoint::CheckToken,
    Endpoint::IngressAuth,
    Endpoint::IngressAnonymous,
    Endpoint::Revocations,
];

const PAGES: [Endpoint; 5] = [
    Endpoint::Authorize,
    Endpoint::Login,
    Endpoint::Consent,
    Endpoint::Device,
    Endpoint::Logout,
];

fn close(fixture: &mut Fixture) {
    fixture.server.config.available = false;
}

fn refused_for_maintenance(response: &Response) -> bool {
    let maintenance = response.label() == "maintenance";
    assert_eq!(maintenance, response.status == 503, "{response:?}");
    assert_eq!(maintenance, response.header("retry-after") == Some("60"));
    maintenance
}

#[test]
fn s2_8_while_it_is_closed_everything_is_temporarily_unavailable_but_what_resources_live_by() {
    let mut fixture = Fixture::new();
    close(&mut fixture);
    for (word, endpoint) in Endpoint::ALL {
        for request in [
            get(&authorization("web")),
            post(&authorization("web")),
            authenticated("web", &Form::new(&[("grant_type", "client_credentials")])),
        ] {
            let response = fixture.send(endpoint, &request);
            assert_eq!(
                refused_for_maintenance(&response),
                !OPEN.contains(&endpoint),
                "{word}"
            );
            assert_eq!(response.location(), None, "{word}");
            if OPEN.contains(&endpoint) || PAGES.contains(&endpoint) {
                continue;
            }
            if endpoint.is_management() {
                assert_eq!(response.json()["code"], "maintenance", "{word}");
            } else {
                assert_eq!(
                    response.json()["error"],
                    "temporarily_unavailable",
                    "{word}"
                );
                let any = response.header("access-control-allow-origin");
                assert_eq!(any, Some("*"), "{word}: a page's script has to read it");
            }
        }
    }
}

#[test]
fn s2_8_a_page_says_that_it_is_closed_and_until_when() {
    let mut fixture = Fixture::new();
    close(&mut fixture);
    for endpoint in PAGES {
        let page = fixture.send(endpoint, &get(&authorization("web")));
        assert!(refused_for_maintenance(&page));
        assert_eq!(
            page.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        assert!(page.body.contains("Closed for maintenance"));
        assert!(page.body.contains("then reload this page"));
        assert!(page.header("content-security-policy").is_some());
    }
}

#[test]
fn s2_8_tokens_are_judged_as_ever_while_it_is_closed_and_nothing_is_spent() {
    let mut fixture = Fixture::new();
    let code = fixture.code();
    let tokens = fixture.tokens();
    let ended = fixture.tokens();
    assert_eq!(fixture.revoke(&ended.access).status, 200);
    close(&mut fixture);
    assert!(fixture.is_active(&tokens.access));
    assert!(!fixture.is_active(&ended.access));
    let form = Form::new(&[("token", &tokens.access)]);
    let checked = fixture.send(Endpoint::CheckToken, &authenticated("web", &form));
    assert_eq!(checked.json()["active"], true);

    let refused = [
        fixture.exchange(&code),
        fixture.refresh(tokens.refresh()),
        fixture.revoke(&tokens.access),
        fixture.userinfo(&tokens.access),
        fixture.register(&json!({"redirect_uris": [redirect_uri("web")]})),
    ];
    assert!(refused.iter().all(refused_for_maintenance));
    assert!(fixture.is_active(&tokens.access));

    fixture.server.config.available = true;
    assert_eq!(fixture.exchange(&code).status, 200);
    assert_eq!(fixture.refresh(tokens.refresh()).status, 200);
}

#[test]
fn s2_8_a_bound_worker_may_ask_and_end_nothing_while_it_is_closed() {
    let mut fixture = Fixture::new();
    let tokens = fixture.tokens();
    close(&mut fixture);
    let call = |question| {
        let client = ClientId::parse("web").ok();
        block_on(rpc::answer(
            &fixture.server,
            client,
            Ok(question),
            &fixture.at(),
        ))
    };
    let told = call(Question::Introspect(tokens.access.clone()));
    assert!(told.contains("\"active\":true"), "{told}");
    let told = call(Question::Revoke(tokens.access.clone()));
    assert!(told.contains("\"error\":\"unavailable\""), "{told}");
    assert!(told.contains("503"), "{told}");
}

#[test]
fn s2_8_the_management_api_is_closed_too_but_for_what_was_revoked() {
    let mut fixture = Fixture::new();
    close(&mut fixture);
    assert!(refused_for_maintenance(&fixture.api(
        "GET",
        "/api/v1/scopes/",
        &json!({})
    )));
    let request = Request {
        method: "GET".to_owned(),
        authorization: Some(format!("Bearer {BOOTSTRAP}")),
        ..Request::default()
    };
    assert_eq!(fixture.send(Endpoint::Revocations, &request).status, 200);
}

#[test]
fn s2_8_without_the_setting_no_error_has_a_uri() {
    let fixture = Fixture::new();
    let answer = fixture.exchange("nothing");
    assert_eq!(answer.json().get("error_uri"), None);
    let form = authorization("web").with("scope", "nothing");
    let answer = fixture.signed_in_browser().authorize(&form).response;
    assert_eq!(answer.answer().value("error_uri"), None);
}

#[test]
fn s2_8_an_error_says_where_it_is_explained_in_bodies_challenges_and_redirects() {
    let mut fixture = Fixture::with(|config| config.error_uri = Some(DOCS.to_owned()));
    let uri = |code: &str| format!("{DOCS}{code}");
    let bodies = [
        fixture.exchange("nothing"),
        fixture.post(Endpoint::Token, &exchange_form("web", "nothing")),
        fixture.post(Endpoint::Introspect, &Form::default()),
        fixture.post(Endpoint::CheckToken, &Form::default()),
        fixture.post(Endpoint::Revoke, &Form::default()),
        fixture.post(Endpoint::DeviceAuthorization, &Form::default()),
        fixture.userinfo("nothing"),
        fixture.register(&json!({"redirect_uris": ["nothing"]})),
        fixture.token_as("web", &refresh_form("nothing").with("scope", "\"")),
    ];
    for response in bodies {
        let body = response.json();
        assert!(response.status >= 400, "{body}");
        assert_eq!(body["error_uri"], uri(&response.error()), "{body}");
        assert_eq!(body.as_object().unwrap().len(), 3, "{body}");
    }
    let challenge = fixture.userinfo("nothing");
    let challenge = challenge.header("www-authenticate").unwrap();
    let said = format!("error_uri=\"{}\"", uri("invalid_token"));
    assert!(challenge.ends_with(&said), "{challenge}");
    let bare = fixture.send(Endpoint::Userinfo, &get(&Form::default()));
    assert_eq!(
        bare.header("www-authenticate"),
        Some("Bearer realm=\"edgemint\"")
    );

    let browser = fixture.signed_in_browser();
    for (form, code) in [
        (
            authorization("web").with("scope", "nothing"),
            "invalid_scope",
        ),
        (
            authorization("web").with("response_type", "x"),
            "unsupported_response_type",
        ),
        (
            authorization("web")
                .with("code_challenge", CHALLENGE)
                .and("state", "2"),
            "invalid_request",
        ),
    ] {
        for mode in ["query", "fragment", "form_post"] {
            let page = browser.authorize(&form.clone().with("response_mode", mode));
            let answer = match page.response.location() {
                Some(_) => page.response.answer(),
                None => page.hidden_fields(),
            };
            assert_eq!(page.response.location().is_none(), mode == "form_post");
            assert_eq!(answer.value("error"), Some(code), "{mode}");
            let said = answer.value("error_uri");
            assert_eq!(said, Some(uri(code).as_str()), "{mode}");
        }
    }
    drop(browser);

    // What was granted, and what is not RFC 6749's shape, is as it was.
    assert!(!fixture.client_credentials("web").body.contains(DOCS));
    assert!(
        !fixture
            .api("GET", "/api/v1/scopes/77/", &json!({}))
            .body
            .contains(DOCS)
    );
    close(&mut fixture);
    let closed = fixture.exchange("nothing").json();
    assert_eq!(closed["error_uri"], uri("temporarily_unavailable"));
}
