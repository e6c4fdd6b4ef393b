//! Operations (OPS): what leaks, what is refused to start, one instant per request.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::cell::RefCell;
use std::rc::Rc;

use edgemint::config::Config;
use edgemint::http::{Request, Response};
use edgemint::jose::{Algorithm, JoseError, PrivateJwk, PublicKey, Verifier};
use edgemint::memory::Memory;
use edgemint::model::{Client, ClientId, Quotas, Secret, Shard, Subject, SubjectFacts};
use edgemint::ports::courier::{CourierAnswer, CourierVerb, RemoteKeys};
use edgemint::ports::directory::{DirectoryAnswer, DirectoryVerb, KeySet, StoredKey};
use edgemint::ports::feed::{FeedObjectAnswer, FeedVerb};
use edgemint::ports::ledger::{LedgerAnswer, LedgerVerb, Row, Session};
use edgemint::ports::tokens::KnownToken;
use edgemint::ports::{
    At, Call, Clients, CodeRecord, Codes, Courier, Directory, Entropy, Feed, Keys, Ledger, Limits,
    Sessions, Unavailable,
};
use edgemint::server::{Endpoint, Server};
use edgemint::token::{Keyring, Revocations, SessionHandle};
use serde_json::json;
use support::tokens::{FORMS, json_post, online};
use support::{
    BOOTSTRAP, Fixture, Form, ISSUER, Outage, PASSWORD, Seen, Tokens, authorization, basic,
    block_on, decoded, get, post, secret,
};

/// The fixture's store, with a note of everything that is carried to it.
struct Noting<'a> {
    memory: &'a Memory,
    notes: RefCell<String>,
}

impl Noting<'_> {
    fn note(&self, what: &impl serde::Serialize) {
        let text = serde_json::to_string(what).unwrap();
        self.notes.borrow_mut().push_str(&text);
    }
}

impl Ledger for Noting<'_> {
    async fn call_ledger(
        &self,
        shard: Shard,
        call: Call<LedgerVerb>,
    ) -> Result<LedgerAnswer, Unavailable> {
        self.note(&call);
        self.memory.call_ledger(shard, call).await
    }
}

impl Directory for Noting<'_> {
    async fn call_directory(
        &self,
        call: Call<DirectoryVerb>,
    ) -> Result<DirectoryAnswer, Unavailable> {
        self.note(&call);
        self.memory.call_directory(call).await
    }
}

impl Feed for Noting<'_> {
    async fn revocations(&self, at: &At) -> Result<Rc<Revocations>, Unavailable> {
        self.memory.revocations(at).await
    }

    async fn call_feed(&self, call: Call<FeedVerb>) -> Result<FeedObjectAnswer, Unavailable> {
        self.note(&call);
        self.memory.call_feed(call).await
    }
}

impl Clients for Noting<'_> {
    async fn client(&self, id: &ClientId, at: &At) -> Result<Option<Rc<Client>>, Unavailable> {
        self.memory.client(id, at).await
    }
}

impl Sessions for Noting<'_> {
    fn kept_session(&self, handle: &SessionHandle, at: &At) -> Option<Rc<Session>> {
        self.memory.kept_session(handle, at)
    }

    fn keep_session(&self, handle: &SessionHandle, row: &Rc<Session>, at: &At) {
        self.memory.keep_session(handle, row, at);
    }

    async fn session(
        &self,
        handle: &SessionHandle,
        at: &At,
    ) -> Result<Option<Rc<Session>>, Unavailable> {
        self.memory.session(handle, at).await
    }
}

impl edgemint::ports::Tokens for Noting<'_> {
    fn kept(&self, name: &str, at: &At, oldest: u64) -> Option<Rc<KnownToken>> {
        edgemint::ports::Tokens::kept(self.memory, name, at, oldest)
    }

    fn keep(&self, name: &str, facts: &Rc<KnownToken>, at: &At) {
        edgemint::ports::Tokens::keep(self.memory, name, facts, at);
    }

    fn is_gone(&self, name: &str, at: &At) -> bool {
        edgemint::ports::Tokens::is_gone(self.memory, name, at)
    }

    fn keep_gone(&self, name: String, at: &At) {
        edgemint::ports::Tokens::keep_gone(self.memory, name, at);
    }
}

impl Limits for Noting<'_> {
    async fn quota_overrides(&self, at: &At) -> Result<Option<Rc<Quotas>>, Unavailable> {
        self.memory.quota_overrides(at).await
    }

    async fn subject(
        &self,
        subject: &Subject,
        shard: Shard,
        at: &At,
    ) -> Result<Option<Rc<SubjectFacts>>, Unavailable> {
        self.memory.subject(subject, shard, at).await
    }
}

impl Codes for Noting<'_> {
    async fn remember(&self, record: &CodeRecord) -> Result<(), Unavailable> {
        self.note(record);
        self.memory.remember(record).await
    }

    async fn recall(&self, pk: u64) -> Result<Option<CodeRecord>, Unavailable> {
        self.memory.recall(pk).await
    }

    async fn recent(&self) -> Result<Vec<Row>, Unavailable> {
        self.memory.recent().await
    }
}

impl Courier for Noting<'_> {
    async fn call_courier(&self, call: Call<CourierVerb>) -> Result<CourierAnswer, Unavailable> {
        self.note(&call);
        self.memory.call_courier(call).await
    }

    fn kept_keys(&self, url: &str) -> Option<Rc<RemoteKeys>> {
        self.memory.kept_keys(url)
    }

    fn keep_keys(&self, url: &str, keys: &Rc<RemoteKeys>, at: &At) {
        self.memory.keep_keys(url, keys, at);
    }
}

impl Keys for Noting<'_> {
    async fn keys(&self, at: &At) -> Result<Rc<KeySet>, Unavailable> {
        self.memory.keys(at).await
    }

    async fn public_keys(&self, at: &At) -> Result<Rc<KeySet>, Unavailable> {
        self.memory.public_keys(at).await
    }

    async fn generate(&self, algorithm: Algorithm) -> Result<StoredKey, JoseError> {
        self.memory.generate(algorithm).await
    }

    async fn import(&self, jwk: &PrivateJwk) -> Result<StoredKey, JoseError> {
        self.memory.import(jwk).await
    }

    fn danger_reveal(&self, key: &StoredKey) -> Result<String, JoseError> {
        self.memory.danger_reveal(key)
    }

    async fn rewrap(&self, public: &PublicKey, private: &str) -> Result<StoredKey, JoseError> {
        self.memory.rewrap(public, private).await
    }

    async fn sign_with(&self, key: &StoredKey, message: &[u8]) -> Result<Vec<u8>, JoseError> {
        self.memory.sign_with(key, message).await
    }
}

impl Verifier for Noting<'_> {
    async fn verify(
        &self,
        key: &PublicKey,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), JoseError> {
        self.memory.verify(key, message, signature).await
    }
}

impl Entropy for Noting<'_> {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), Unavailable> {
        self.memory.fill(buffer)
    }
}

/// Sends a request to the fixture's server and notes what it carries to its stores.
fn noted(fixture: &Fixture, endpoint: Endpoint, request: &Request) -> (Response, String) {
    let server = Server::new(
        fixture.server.config.clone(),
        Rc::clone(&fixture.server.keyring),
        Noting {
            memory: fixture.memory(),
            notes: RefCell::default(),
        },
    );
    let answer = block_on(server.answer(endpoint, request, &fixture.at()));
    (answer, server.ports.notes.into_inner())
}

#[test]
fn ops_1_no_store_is_told_a_password_a_secret_or_a_bearer_string() {
    let fixture = Fixture::new();
    for client in FORMS {
        let browser = fixture.browser();
        let page = browser.authorize(&authorization(client));
        let csrf = page.hidden_fields().value("csrf").unwrap().to_owned();
        let login = browser.form_post(&page, &[("username", "ada"), ("password", PASSWORD)]);
        let login = Request {
            cookie: Some(format!(
                "__Host-edgemint-browser={}",
                browser.cookie("edgemint-browser").unwrap()
            )),
            ..login
        };
        let (signed_in, mut told) = noted(&fixture, Endpoint::Login, &login);
        let code = signed_in.code();
        let session = signed_in.all("set-cookie")[0].to_owned();
        let session = session.split(['=', ';']).nth(1).unwrap().to_owned();

        let exchange = support::exchange_form(client, &code);
        let exchange = fixture.token_request(client, &exchange);
        let (answer, notes) = noted(&fixture, Endpoint::Token, &exchange);
        told.push_str(&notes);
        let first = Tokens::of(&answer);
        let refresh = support::refresh_form(first.refresh());
        let refresh = fixture.token_request(client, &refresh);
        let (answer, notes) = noted(&fixture, Endpoint::Token, &refresh);
        told.push_str(&notes);
        let next = Tokens::of(&answer);
        for token in [&next.access, next.refresh()] {
            let form = fixture.token_request(client, &Form::new(&[("token", token)]));
            for endpoint in [Endpoint::Introspect, Endpoint::Revoke] {
                told.push_str(&noted(&fixture, endpoint, &form).1);
            }
        }
        let wrong = browser.form_post(&page, &[("username", "ada"), ("password", "canary-wrong")]);
        told.push_str(&noted(&fixture, Endpoint::Login, &wrong).1);
        let typed_wrong = Request {
            authorization: Some(basic("web", "canary-secret")),
            ..post(&Form::new(&[("token", "x")]))
        };
        told.push_str(&noted(&fixture, Endpoint::Introspect, &typed_wrong).1);

        assert!(told.contains("spend_code") && told.contains("advance_family"));
        assert!(told.contains("revoke_token") && told.contains("record_failure"));
        for canary in [
            PASSWORD,
            "canary",
            &secret(client),
            &code,
            &session,
            &first.access,
            first.refresh(),
            &next.access,
            next.refresh(),
            &csrf,
            support::VERIFIER,
        ] {
            assert!(!told.contains(canary), "{canary}");
        }
    }
}

#[test]
fn ops_1_a_name_that_may_be_a_mistyped_password_is_stored_as_a_digest_only() {
    let fixture = Fixture::new();
    let browser = fixture.browser();
    let page = browser.open("/login");
    let mistake = browser.form_post(&page, &[("username", "canary"), ("password", "x")]);
    let cookie = browser.cookie("edgemint-browser").unwrap();
    let mistake = Request {
        cookie: Some(format!("__Host-edgemint-browser={cookie}")),
        ..mistake
    };
    let (answer, told) = noted(&fixture, Endpoint::Login, &mistake);
    assert_eq!(answer.label(), "wrong_credentials");
    let throttle = told.split("record_failure").nth(1).unwrap();
    assert!(!throttle.contains("canary"));
}

#[test]
fn ops_1_what_is_remembered_of_a_code_does_not_redeem_it() {
    let fixture = Fixture::new();
    let code = fixture.code();
    let record = &fixture.memory().code_records()[0];
    let text = serde_json::to_string(record).unwrap();
    assert!(!text.contains(&code));
    for part in [
        record.grant.as_str(),
        &record.pk.to_string(),
        &format!("emc_{}", record.grant),
    ] {
        assert_eq!(fixture.exchange(part).error(), "invalid_grant");
    }
    assert_eq!(fixture.exchange(&code).status, 200);
}

#[test]
fn ops_1_no_refusal_says_what_was_sent() {
    let fixture = Fixture::new();
    let canary = "canary-3f9a";
    for endpoint in [
        Endpoint::Token,
        Endpoint::Introspect,
        Endpoint::CheckToken,
        Endpoint::Revoke,
        Endpoint::Userinfo,
        Endpoint::Register,
        Endpoint::Login,
        Endpoint::Consent,
        Endpoint::Logout,
        Endpoint::Authorize,
        Endpoint::FirstRun,
        Endpoint::RotateKeys,
    ] {
        let form = Form::new(&[
            ("client_id", canary),
            ("client_secret", canary),
            ("code", canary),
            ("code_verifier", canary),
            ("refresh_token", canary),
            ("token", canary),
            ("request", canary),
            ("csrf", canary),
            ("password", canary),
            ("grant_type", canary),
            ("id_token_hint", canary),
            ("redirect_uri", canary),
        ]);
        let json = json!({ canary: canary, "password": canary, "scope": canary }).to_string();
        for request in [
            post(&form),
            get(&form),
            json_post(Some(canary), &json),
            json_post(Some(BOOTSTRAP), &json),
            Request {
                authorization: Some(basic(canary, canary)),
                ..post(&form)
            },
        ] {
            let answer = fixture.send(endpoint, &request);
            let reason = format!("{:?} {}", answer.reason, answer.label());
            assert!(!reason.contains(canary), "{endpoint:?}: {reason}");
            if answer.status >= 400 {
                assert!(
                    !answer.body.contains(canary),
                    "{endpoint:?}: {}",
                    answer.body
                );
                assert!(
                    !answer
                        .headers
                        .iter()
                        .any(|(_, value)| value.contains(canary)),
                    "{endpoint:?}"
                );
            }
        }
    }
}

#[test]
fn ops_1_tokens_are_in_no_url_and_codes_in_no_other_than_the_clients() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let page = browser.authorize(&online("web"));
    let location = page.response.location().unwrap();
    assert!(location.starts_with("https://web.example/cb?code=emc_"));
    for token in ["ema_", "emr_", "ems_", PASSWORD] {
        assert!(!location.contains(token));
    }
}

#[test]
fn ops_1_secrets_do_not_print() {
    let secret = Secret::new("canary");
    assert!(!format!("{secret:?}").contains("canary"));
    let config = Config::new(ISSUER).unwrap();
    let config = config
        .with_bootstrap(&Secret::new("canary".repeat(6)))
        .unwrap();
    assert!(!format!("{config:?}").contains("canary"));
}

#[test]
fn ops_2_without_a_fit_secret_or_issuer_there_is_nothing_to_serve_with() {
    assert!(Keyring::new(ISSUER, &[]).is_err());
    for short in ["", "x", "thirty-one characters, no more."] {
        assert!(
            Keyring::new(ISSUER, &[Secret::new(short)]).is_err(),
            "{short}"
        );
    }
    let good = Secret::new("root secret of the tests, 32 bytes");
    assert!(
        Keyring::new(ISSUER, &[good, Secret::new("short")]).is_err(),
        "also a later one"
    );
    assert!(Config::new("").is_err());
}

#[test]
fn ops_2_nobody_is_an_administrator_of_a_deployment_without_a_bootstrap_token() {
    let fixture = Fixture::with(|config| config.bootstrap = None);
    for token in ["", "bootstrap", BOOTSTRAP, "admin", "null", "undefined"] {
        let answer = fixture.send(Endpoint::RotateKeys, &json_post(Some(token), ""));
        assert_eq!(answer.status, 401, "{token}");
    }
}

#[test]
fn ops_3_a_failure_of_ours_is_said_without_detail_and_the_next_request_works() {
    let fixture = Fixture::new();
    let code = fixture.code();
    for outage in [Outage::Ledger, Outage::Directory, Outage::Feed, Outage::Kv] {
        fixture.memory().fail(outage);
        for answer in [
            fixture.exchange("emc_x"),
            fixture.introspect("x"),
            fixture.userinfo("x"),
            fixture.get(Endpoint::Login, &Form::default()),
        ] {
            assert!(answer.status < 600);
            for detail in ["switched off", "Memory", "panicked", "src/", "Unavailable("] {
                assert!(!answer.body.contains(detail), "{outage:?}: {}", answer.body);
            }
        }
        fixture.memory().restore();
    }
    assert_eq!(fixture.exchange(&code).status, 200);
}

#[test]
fn ops_4_one_request_knows_one_instant() {
    let fixture = Fixture::new();
    for client in FORMS {
        let before = fixture.memory().code_records().len();
        let code = fixture.code_for(client);
        let record = fixture.memory().code_records()[before].clone();
        assert_eq!(record.issued_at.0, fixture.now());
        assert_eq!(record.expires_at.0, fixture.now() + 60, "absolute");
        fixture.later(30);
        let answer = fixture.exchange_as(client, &code);
        let tokens = Tokens::of(&answer);
        let told = fixture.introspect_as(client, &tokens.access).json();
        let claims = tokens.claims();
        for iat in [&told["iat"], &claims["iat"]] {
            assert_eq!(*iat, fixture.now());
        }
        assert_eq!(
            told["exp"],
            fixture.now() + answer.json()["expires_in"].as_u64().unwrap()
        );
        assert_eq!(claims["auth_time"], fixture.now() - 30);
    }
}

#[test]
fn ops_4_both_forms_of_a_token_say_the_same() {
    let fixture = Fixture::new();
    let jwt = fixture.tokens_of("jwt").access;
    let claims = decoded(jwt.split('.').nth(1).unwrap());
    let told = fixture.introspect_as("jwt", &jwt).json();
    for name in [
        "iss",
        "sub",
        "aud",
        "client_id",
        "iat",
        "exp",
        "jti",
        "scope",
        "username",
    ] {
        assert_eq!(claims[name], told[name], "{name}");
    }
}
