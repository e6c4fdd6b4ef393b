//! Proof Key for Code Exchange (PK), through both endpoints.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use edgemint::http::Response;
use edgemint::jose::base64url;
use edgemint::server::Endpoint;
use serde_json::{Value, json};
use support::records::{PROVIDERS, at, made, patched, read};
use support::tokens::json_post;
use support::{
    CHALLENGE, Fixture, Form, Seen, VERIFIER, authorization, exchange_form, redirect_uri,
};

const CLIENTS: [&str; 7] = ["web", "other", "post", "jwt", "spa", "native", "stranger"];

/// The error that a signed-in browser is answered with.
fn refused(fixture: &Fixture, form: &Form) -> String {
    let answer = fixture.signed_in_browser().allow(form).response;
    assert_eq!(answer.answer().value("code"), None);
    answer.error()
}

#[test]
fn pk_1_and_2_and_6_no_client_gets_a_code_without_a_challenge() {
    let fixture = Fixture::new();
    for id in CLIENTS {
        let form = authorization(id).without("code_challenge");
        assert_eq!(refused(&fixture, &form), "invalid_request", "{id}");
        let form = form.without("code_challenge_method");
        assert_eq!(refused(&fixture, &form), "invalid_request", "{id}");
    }
    // So a verifier never meets a code without a challenge (the downgrade of CVE-2024-22258).
    assert_eq!(fixture.memory().code_records(), []);
}

#[test]
fn pk_3_a_method_other_than_s256_is_refused_and_none_means_plain() {
    let fixture = Fixture::new();
    for method in ["plain", "s256", "S512", "S256 ", "", "none"] {
        for id in ["web", "spa"] {
            let form = authorization(id).with("code_challenge_method", method);
            assert_eq!(refused(&fixture, &form), "invalid_request", "{method:?}");
        }
    }
    // A plain challenge under the name of S256 is no help to who knows it.
    let form = authorization("web").with("code_challenge", VERIFIER);
    let code = fixture.signed_in_browser().code(&form);
    assert_eq!(fixture.exchange(&code).error(), "invalid_grant");
}

#[test]
fn pk_4_a_challenge_of_another_length_or_alphabet_is_refused() {
    let fixture = Fixture::new();
    for challenge in [
        "x".repeat(42),
        "x".repeat(129),
        format!("{CHALLENGE}="),
        format!("{}+", &CHALLENGE[..42]),
        format!("{} ", &CHALLENGE[..42]),
        format!("{}é", &CHALLENGE[..42]),
    ] {
        let form = authorization("web").with("code_challenge", &challenge);
        assert_eq!(refused(&fixture, &form), "invalid_request", "{challenge}");
    }
}

#[test]
fn pk_5_a_missing_or_wrong_or_malformed_verifier_is_refused_and_spends_nothing() {
    let fixture = Fixture::new();
    for id in ["web", "spa"] {
        let code = fixture.code_for(id);
        let good = exchange_form(id, &code);
        let mut wrong = VERIFIER.to_owned();
        wrong.replace_range(..1, "e");
        for verifier in [
            String::new(),
            wrong,
            VERIFIER[..42].to_owned(),
            format!("{VERIFIER}k"),
            "x".repeat(129),
            "x".repeat(100_000),
            format!("{VERIFIER}="),
            format!("{VERIFIER} "),
            format!("{}%", &VERIFIER[..42]),
            CHALLENGE.to_owned(),
            VERIFIER.to_uppercase(),
        ] {
            let form = good.clone().with("code_verifier", &verifier);
            let response = fixture.token_as(id, &form);
            let seen = (response.status, response.error());
            assert_eq!(seen, (400, "invalid_grant".to_owned()), "{verifier:.60}");
        }
        let response = fixture.token_as(id, &good.clone().without("code_verifier"));
        assert_eq!(response.error(), "invalid_grant");
        assert_eq!(fixture.token_as(id, &good).status, 200);
    }
}

#[test]
fn pk_5_the_longest_verifier_is_as_good_as_the_shortest() {
    let fixture = Fixture::new();
    for length in [43, 128] {
        let verifier = "~".repeat(length);
        let digest = ring::digest::digest(&ring::digest::SHA256, verifier.as_bytes());
        let challenge = base64url::encode(digest.as_ref());
        let form = authorization("web").with("code_challenge", &challenge);
        let code = fixture.signed_in_browser().code(&form);
        let form = exchange_form("web", &code).with("code_verifier", &verifier);
        assert_eq!(fixture.token_as("web", &form).status, 200, "{length}");
    }
}

/// A deployment in which `web` and `spa` may send plain challenges.
fn plain() -> Fixture {
    let fixture = Fixture::new();
    for id in ["web", "spa"] {
        fixture.change_client(id, |client| client.danger_allow_plain_code_challenge = true);
    }
    fixture
}

#[test]
fn s2_4_a_client_with_the_long_named_switch_may_send_its_verifier_as_the_challenge() {
    let fixture = plain();
    for id in ["web", "spa"] {
        for verifier in [VERIFIER.to_owned(), "~".repeat(43), "a".repeat(128)] {
            let form = authorization(id).with("code_challenge", &verifier);
            // RFC 7636 §4.3: no method means plain.
            for form in [
                form.clone().with("code_challenge_method", "plain"),
                form.without("code_challenge_method"),
            ] {
                let code = fixture.signed_in_browser().code(&form);
                let good = exchange_form(id, &code).with("code_verifier", &verifier);
                for wrong in [CHALLENGE, &verifier[1..], &format!("{}!", &verifier[..42])] {
                    let bad = good.clone().with("code_verifier", wrong);
                    assert_eq!(
                        fixture.token_as(id, &bad).error(),
                        "invalid_grant",
                        "{wrong}"
                    );
                }
                assert_eq!(fixture.token_as(id, &good).status, 200, "{id} {verifier}");
            }
        }
    }
}

#[test]
fn s2_4_the_switch_lets_nothing_else_through() {
    let fixture = plain();
    let form = authorization("web").with("code_challenge_method", "plain");
    for challenge in [
        "",
        "x",
        &"x".repeat(42),
        &"x".repeat(129),
        &format!("{CHALLENGE}="),
    ] {
        let bad = form.clone().with("code_challenge", challenge);
        assert_eq!(refused(&fixture, &bad), "invalid_request", "{challenge}");
    }
    for method in ["Plain", "PLAIN", "s256", "none", "plain "] {
        let bad = form.clone().with("code_challenge_method", method);
        assert_eq!(refused(&fixture, &bad), "invalid_request", "{method}");
    }
    // A method without a challenge, and nothing at all.
    let bare = form.without("code_challenge");
    assert_eq!(refused(&fixture, &bare), "invalid_request");
    let bare = bare.without("code_challenge_method");
    assert_eq!(refused(&fixture, &bare), "invalid_request");
    // A client beside it is where it was.
    for id in ["other", "native"] {
        let form = authorization(id).with("code_challenge_method", "plain");
        assert_eq!(refused(&fixture, &form), "invalid_request", "{id}");
    }
}

#[test]
fn s2_4_a_client_that_may_use_plain_is_held_to_the_s256_that_it_used() {
    let fixture = plain();
    let code = fixture.code();
    let form = exchange_form("web", &code);
    let as_plain = form.clone().with("code_verifier", CHALLENGE);
    assert_eq!(fixture.token_as("web", &as_plain).error(), "invalid_grant");
    let none = form.clone().without("code_verifier");
    assert_eq!(fixture.token_as("web", &none).error(), "invalid_grant");
    assert_eq!(fixture.token_as("web", &form).status, 200);
}

#[test]
fn s2_4_a_plain_challenge_is_nowhere_where_it_could_be_read() {
    let fixture = plain();
    let form = authorization("web")
        .with("code_challenge", VERIFIER)
        .with("code_challenge_method", "plain");
    let answer = fixture.signed_in_browser().allow(&form).response;
    assert!(!answer.location().unwrap().contains(VERIFIER));
    assert!(!fixture.memory().everything_stored().contains(VERIFIER));
}

const DANGER: &str = "danger_allow_plain_code_challenge";

/// Whether a client of `redirect_uri("web")` gets through both endpoints with a plain challenge.
fn goes_plain(fixture: &Fixture, id: &str) -> bool {
    let form = authorization("web")
        .with("client_id", id)
        .with("scope", "openid")
        .with("code_challenge", VERIFIER)
        .with("code_challenge_method", "plain");
    let answer = fixture.signed_in_browser().allow(&form).response;
    if answer.error() == "invalid_request" {
        assert_eq!(answer.label(), "malformed_parameter");
        return false;
    }
    let form = exchange_form("web", &answer.code()).with("client_id", id);
    let tokens = fixture.post(Endpoint::Token, &form);
    assert_eq!(tokens.status, 200, "{}", tokens.body);
    true
}

#[test]
fn s2_4_the_management_api_has_the_switch() {
    let fixture = Fixture::new();
    let provider = |id: &str, danger: Option<bool>| {
        let mut fields = json!({
            "name": id, "client_id": id, "client_type": "public",
            "redirect_uris": redirect_uri("web"), "scope": "openid",
        });
        if let Some(danger) = danger {
            fields[DANGER] = json!(danger);
        }
        made(&fixture, PROVIDERS, fields)
    };
    let without = provider("without", None);
    assert_eq!(without[DANGER], false);
    assert!(!goes_plain(&fixture, "without"));
    let with = provider("with", Some(true));
    assert_eq!(with[DANGER], true);
    assert!(goes_plain(&fixture, "with"));
    for (provider, id) in [(with, "with"), (without, "without")] {
        let path = at(PROVIDERS, &provider);
        for danger in [false, true, false] {
            let changed = patched(&fixture, &path, json!({DANGER: danger}));
            assert_eq!(changed[DANGER], danger);
            assert_eq!(read(&fixture, &path)[DANGER], danger);
            assert_eq!(goes_plain(&fixture, id), danger, "{id}");
        }
    }
}

#[test]
fn s2_4_an_administrator_registers_it_and_a_strangers_word_for_it_counts_for_nothing() {
    let fixture = Fixture::with(|config| config.danger_open_registration = true);
    let metadata = |danger: Value| {
        json!({
            "redirect_uris": [redirect_uri("web")], "token_endpoint_auth_method": "none",
            "scope": "openid", DANGER: danger,
        })
    };
    let id = |answer: &Response| {
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.json()["client_id"].as_str().unwrap().to_owned()
    };
    let vouched = fixture.register(&metadata(json!(true)));
    assert!(goes_plain(&fixture, &id(&vouched)));
    let vouched = fixture.register(&metadata(json!(false)));
    assert!(!goes_plain(&fixture, &id(&vouched)));
    let request = json_post(None, &metadata(json!(true)).to_string());
    let stranger = fixture.send(Endpoint::Register, &request);
    assert!(!goes_plain(&fixture, &id(&stranger)));
}

#[test]
fn pk_7_nobody_can_read_the_challenge_out_of_a_code_or_an_answer() {
    let fixture = Fixture::new();
    let answer = fixture.signed_in_browser().allow(&authorization("web"));
    assert!(!answer.response.location().unwrap().contains(CHALLENGE));
    let code = answer.response.code();
    let bytes = base64url::decode(code.strip_prefix("emc_").unwrap()).unwrap();
    let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    assert!(!holds(CHALLENGE.as_bytes()));
    assert!(!holds(&base64url::decode(CHALLENGE).unwrap()));
    assert!(!holds(b"u_ada") && !holds(b"web.example"));
    // Neither does what is remembered of the code, nor what the client gets for it.
    assert!(!fixture.memory().everything_stored().contains(CHALLENGE));
    let tokens = fixture.exchange(&code);
    assert!(!tokens.body.contains(CHALLENGE));
    assert!(!fixture.memory().everything_stored().contains(CHALLENGE));
}

#[test]
fn pk_8_metadata_lists_the_methods_that_are_enforced_and_no_other() {
    let fixture = Fixture::new();
    for endpoint in [Endpoint::AuthorizationServer, Endpoint::OpenidConfiguration] {
        let metadata = fixture.get(endpoint, &Form::default()).json();
        let methods = metadata["code_challenge_methods_supported"].clone();
        assert_eq!(methods, serde_json::json!(["S256"]));
    }
    assert_eq!(fixture.exchange(&fixture.code()).status, 200);
}
