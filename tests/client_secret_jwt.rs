//! Clients that sign with their secret (OpenID Connect Core §9, `client_secret_jwt`): only those that an
//! administrator let, with secrets that are kept readable from then on.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod jose_support;
mod support;

use std::cell::Cell;

use edgemint::directory::Collection;
use edgemint::directory::record::{Actor, Change, Fields};
use edgemint::error::Reason;
use edgemint::http::{Request, Response};
use edgemint::jose::{Algorithm, JoseError, base64url};
use edgemint::model::Secret;
use edgemint::oauth::password;
use edgemint::ports::Directory as _;
use edgemint::ports::directory::ChangeRecord;
use edgemint::server::Endpoint;
use jose_support::Owner;
use ring::hmac;
use serde_json::{Value, json};
use support::assertion::{assert_refused, jose, merged, survives_every_fault, with_assertion};
use support::records::{PROVIDERS, at, made, patched, read, refused};
use support::{
    BOOTSTRAP, Fixture, Form, ISSUER, PASSWORD, Seen as _, Tokens, block_on, exchange_form,
    keyring, refresh_form,
};

const METHOD: &str = "token_endpoint_auth_method";
const SWITCH: &str = "danger_keep_client_secret_readable";
const ROOT: &str = "root secret of the tests, 32 bytes";
const NEWER: &str = "a newer root of the tests, 32 bytes";
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const PASSPHRASE: &str = "a passphrase of the tests";

/// A client that signs with its secret.
struct Signs {
    fixture: Fixture,
    path: String,
    secret: String,
    shown: Cell<u32>,
}

impl Signs {
    fn new() -> Self {
        Self::with(json!({METHOD: "client_secret_jwt", SWITCH: true}))
    }

    /// With these fields of its provider.
    fn with(fields: Value) -> Self {
        let fixture = Fixture::new();
        let made = made(&fixture, PROVIDERS, provider(fields));
        Self {
            path: at(PROVIDERS, &made),
            // Who has keys is given none.
            secret: made["client_secret"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            fixture,
            shown: Cell::new(0),
        }
    }

    /// What a good assertion says, each time another.
    fn claims(&self) -> Value {
        self.shown.set(self.shown.get() + 1);
        let jti = self.shown.get().to_string();
        let exp = self.fixture.now() + 600;
        json!({"iss": "signs", "sub": "signs", "aud": ISSUER, "exp": exp, "jti": jti})
    }

    /// An assertion with these claims instead, or without those that are `null`.
    fn assertion(&self, change: Value) -> String {
        signed(HEADER, &merged(self.claims(), change), &self.secret)
    }

    fn show(&self, assertion: &str) -> Response {
        let form = Form::new(&[("grant_type", "client_credentials")]);
        self.fixture
            .post(Endpoint::Token, &with_assertion(form, assertion))
    }

    #[track_caller]
    fn works(&self) {
        let answer = self.show(&self.assertion(json!({})));
        assert_eq!(answer.status, 200, "{} {:?}", answer.body, answer.reason);
    }

    #[track_caller]
    fn refuses(&self, change: Value, reason: Reason) {
        assert_refused(&self.show(&self.assertion(change)), reason);
    }

    /// One more secret of it.
    fn another(&self) -> String {
        let secrets = format!("{}secrets/", self.path);
        let answer = self.fixture.api("POST", &secrets, &json!({}));
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.json()["client_secret"].as_str().unwrap().to_owned()
    }

    fn by(&self, secret: &str) -> Response {
        self.show(&signed(HEADER, &self.claims(), secret))
    }
}

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

fn provider(fields: Value) -> Value {
    let provider = json!({
        "name": "Signs", "client_id": "signs", "scope": "openid read offline_access",
        "redirect_uris": "https://web.example/cb",
        "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
    });
    merged(provider, fields)
}

/// A JWS by HMAC with SHA-256, whatever its header says.
fn signed(header: &str, claims: &Value, secret: &str) -> String {
    let parts = [header, &claims.to_string()].map(base64url::encode);
    let input = parts.join(".");
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = hmac::sign(&key, input.as_bytes());
    format!("{input}.{}", base64url::encode(signature.as_ref()))
}

#[test]
fn te_13_a_client_signs_with_its_secret_wherever_clients_authenticate() {
    let signs = Signs::new();
    let ask = |endpoint, form: Form| {
        let form = with_assertion(form, &signs.assertion(json!({})));
        signs.fixture.post(endpoint, &form)
    };
    let itself = Form::new(&[
        ("grant_type", "client_credentials"),
        ("client_id", "signs"),
        ("scope", "read"),
    ]);
    let token = Tokens::of(&ask(Endpoint::Token, itself)).access;
    let token = Form::new(&[("token", &token)]);
    // RFC 7521 §4.2: `client_id` need not be there.
    let told = ask(Endpoint::Introspect, token.clone()).json();
    assert_eq!(told["client_id"], "signs");
    assert_eq!(ask(Endpoint::CheckToken, token.clone()).status, 200);
    assert_eq!(ask(Endpoint::Revoke, token.clone()).status, 200);
    let told = ask(Endpoint::Introspect, token).json();
    assert_eq!(told, json!({"active": false}));
    let browser = signs.fixture.signed_in_browser();
    let form = support::authorization("web")
        .with("client_id", "signs")
        .with("scope", "openid read offline_access");
    let code = browser.code(&form);
    let tokens = Tokens::of(&ask(Endpoint::Token, exchange_form("web", &code)));
    let refreshed = ask(Endpoint::Token, refresh_form(tokens.refresh()));
    assert_eq!(refreshed.status, 200, "{}", refreshed.body);
}

#[test]
fn te_13_it_needs_the_long_named_switch_and_nobody_is_invited_to_it() {
    let fixture = Fixture::with(|config| config.danger_open_registration = true);
    let body = provider(json!({METHOD: "client_secret_jwt"}));
    refused(&fixture.api("POST", PROVIDERS, &body), 400, METHOD);
    let metadata = json!({METHOD: "client_secret_jwt", "grant_types": ["client_credentials"]});
    let answer = fixture.register(&metadata);
    assert_eq!(answer.error(), "invalid_client_metadata");
    // A stranger's word for it counts for nothing.
    let stranger = Request {
        method: "POST".to_owned(),
        body: merged(metadata.clone(), json!({SWITCH: true})).to_string(),
        content_type: Some("application/json".to_owned()),
        ..Request::default()
    };
    let answer = fixture.send(Endpoint::Register, &stranger);
    assert_eq!(answer.error(), "invalid_client_metadata");
    for wrong in [json!(1), json!("true"), json!(null)] {
        let answer = fixture.register(&json!({
            METHOD: "client_secret_jwt", SWITCH: wrong, "grant_types": ["client_credentials"],
        }));
        assert_eq!(answer.error(), "invalid_client_metadata", "{wrong}");
    }
    for endpoint in [Endpoint::OpenidConfiguration, Endpoint::AuthorizationServer] {
        let body = fixture.get(endpoint, &Form::default()).body;
        assert!(!body.contains("client_secret_jwt") && !body.contains("HS256"));
    }
}

#[test]
fn te_13_a_client_registers_to_sign_with_the_secret_it_gets() {
    let fixture = Fixture::new();
    let registered = fixture.register(&json!({
        "client_id": "signs", METHOD: "client_secret_jwt", SWITCH: true,
        "grant_types": ["client_credentials"], "scope": "read",
    }));
    assert_eq!(registered.status, 201, "{}", registered.body);
    let told = registered.json();
    assert_eq!(told[METHOD], "client_secret_jwt");
    let secret = told["client_secret"].as_str().unwrap();
    let exp = fixture.now() + 60;
    let claims =
        json!({"iss": "signs", "sub": "signs", "aud": ISSUER, "exp": exp, "jti": "registered"});
    let form = Form::new(&[("grant_type", "client_credentials")]);
    let form = with_assertion(form, &signed(HEADER, &claims, secret));
    assert_eq!(fixture.post(Endpoint::Token, &form).status, 200);
}

#[test]
fn te_13_only_a_secret_that_was_made_since_is_readable() {
    let mut signs = Signs::with(json!({}));
    let old = signs.secret.clone();
    let patch = |body: Value| signs.fixture.api("PATCH", &signs.path, &body);
    assert_refused(&signs.by(&old), Reason::OtherAuthenticationMethod);
    refused(&patch(json!({METHOD: "client_secret_jwt"})), 400, METHOD);
    // Switched on, what was made before is a digest as ever.
    assert_eq!(patch(json!({SWITCH: true})).status, 200);
    let answer = patch(json!({METHOD: "client_secret_jwt"}));
    refused(&answer, 400, METHOD);
    assert!(
        answer.body.contains("then make a secret"),
        "{}",
        answer.body
    );
    let new = signs.another();
    assert_eq!(patch(json!({METHOD: "client_secret_jwt"})).status, 200);
    assert_refused(&signs.by(&old), jose(JoseError::SignatureInvalid));
    signs.secret = new;
    signs.works();
    // One of one's own does, too, and takes the place of all.
    let given = "a secret of one's own, 32 octets".replace([' ', '\'', ','], "-");
    patched(
        &signs.fixture,
        &signs.path,
        json!({"client_secret": &given}),
    );
    assert_refused(&signs.by(&signs.secret), jose(JoseError::SignatureInvalid));
    signs.secret = given;
    signs.works();
}

#[test]
fn te_13_switched_off_again_nothing_readable_is_left_and_nothing_ends() {
    let signs = Signs::new();
    let sealed = |signs: &Signs| {
        let stored = signs.fixture.memory().everything_stored();
        stored.contains("emh_")
    };
    assert!(sealed(&signs));
    let token = Tokens::of(&signs.show(&signs.assertion(json!({})))).access;
    let patch = |body: Value| signs.fixture.api("PATCH", &signs.path, &body);
    refused(&patch(json!({SWITCH: false})), 400, METHOD);
    assert!(sealed(&signs), "what is refused changes nothing");
    let off = json!({METHOD: "client_secret_basic", SWITCH: false});
    assert_eq!(patch(off).status, 200);
    assert!(!sealed(&signs));
    signs.another();
    assert!(!sealed(&signs));
    assert!(told(&signs, &token));
    let on = json!({METHOD: "client_secret_jwt", SWITCH: true});
    refused(&patch(on), 400, METHOD);
}

/// Whether its client is told that the token lives, by the secret itself.
fn told(signs: &Signs, token: &str) -> bool {
    let request = Request {
        authorization: Some(support::basic("signs", &signs.secret)),
        ..support::post(&Form::new(&[("token", token)]))
    };
    let answer = signs.fixture.send(Endpoint::Introspect, &request);
    answer.json()["active"] == true
}

#[test]
fn te_14_the_secret_itself_is_not_shown_by_who_signs_with_it() {
    let signs = Signs::new();
    let grant = Form::new(&[("grant_type", "client_credentials"), ("client_id", "signs")]);
    let header = Request {
        authorization: Some(support::basic("signs", &signs.secret)),
        ..support::post(&Form::new(&[("grant_type", "client_credentials")]))
    };
    let answer = signs.fixture.send(Endpoint::Token, &header);
    assert_refused(&answer, Reason::OtherAuthenticationMethod);
    let post = |form: &Form| signs.fixture.post(Endpoint::Token, form);
    let in_body = grant.clone().with("client_secret", &signs.secret);
    assert_refused(&post(&in_body), Reason::OtherAuthenticationMethod);
    assert_refused(&post(&grant), Reason::NoClientAuthentication);
    let both = with_assertion(in_body, &signs.assertion(json!({})));
    assert_eq!(post(&both).reason, Some(Reason::SeveralCredentials));
    signs.works();
}

#[test]
fn te_13_only_hs256_by_a_secret_of_this_client_counts() {
    let signs = Signs::new();
    let claims = || signs.claims();
    // Whatever the header says, the client is registered for one.
    for (alg, why) in [
        ("none", JoseError::AlgorithmUnsupported),
        ("HS384", JoseError::AlgorithmUnsupported),
        ("HS512", JoseError::AlgorithmUnsupported),
        ("hs256", JoseError::AlgorithmUnsupported),
        ("RS256", JoseError::AlgorithmMismatch),
        ("ES256", JoseError::AlgorithmMismatch),
        ("EdDSA", JoseError::AlgorithmMismatch),
    ] {
        let header = json!({"alg": alg}).to_string();
        let form = Form::new(&[("grant_type", "client_credentials"), ("client_id", "signs")]);
        let form = with_assertion(form, &signed(&header, &claims(), &signs.secret));
        let answer = signs.fixture.post(Endpoint::Token, &form);
        assert_refused(&answer, jose(why));
    }
    let unsigned = signed(r#"{"alg":"HS256"}"#, &claims(), &signs.secret);
    let unsigned = unsigned.rsplit_once('.').unwrap().0.to_owned();
    let invalid = || jose(JoseError::SignatureInvalid);
    assert_refused(&signs.show(&format!("{unsigned}.")), invalid());
    // A secret of 32 octets and more, its digest, what is sealed, and nothing at all.
    let other = made(
        &signs.fixture,
        PROVIDERS,
        json!({"name": "Other", "client_id": "second", METHOD: "client_secret_jwt", SWITCH: true,
               "grant_types": ["client_credentials"], "scope": "read"}),
    );
    let digest = Secret::new(signs.secret.as_str()).digest();
    for wrong in [
        other["client_secret"].as_str().unwrap(),
        digest.as_str(),
        &signs.secret.to_ascii_uppercase(),
        &format!("{}=", signs.secret),
        "",
    ] {
        assert_refused(&signs.by(wrong), invalid());
    }
    let typed = |typ: &str| {
        let header = json!({"alg": "HS256", "typ": typ}).to_string();
        signs.show(&signed(&header, &claims(), &signs.secret))
    };
    for typ in ["JWT", "client-authentication+jwt"] {
        assert_eq!(typed(typ).status, 200, "{typ}");
    }
    assert_refused(&typed("at+jwt"), jose(JoseError::TypMismatch));
    signs.works();
}

#[test]
fn te_13_a_key_is_no_secret_and_a_secret_no_key() {
    let signs = Signs::new();
    let owner = Owner::new("issuer");
    let keyed = json!({
        "name": "Keyed", "client_id": "keyed", METHOD: "private_key_jwt",
        "jwks": owner.keys.to_members(), "grant_types": ["client_credentials"], "scope": "read",
    });
    made(&signs.fixture, PROVIDERS, keyed);
    let as_keyed = json!({"iss": "keyed", "sub": "keyed"});
    let claims = merged(signs.claims(), as_keyed);
    // CVE-2016-5431: the public key, taken for a secret.
    for key in [
        Value::Object(owner.public(Algorithm::Rs256).to_members()).to_string(),
        owner.public(Algorithm::Es256).thumbprint(),
    ] {
        let answer = signs.show(&signed(HEADER, &claims, &key));
        assert_refused(&answer, jose(JoseError::AlgorithmUnsupported));
    }
    let header = owner.header(Algorithm::Es256, "JWT");
    let assertion = |claims: Value| {
        let text = claims.to_string();
        owner.craft(Algorithm::Es256, &header, &text)
    };
    let answer = signs.show(&assertion(signs.claims()));
    assert_refused(&answer, jose(JoseError::AlgorithmMismatch));
    assert_eq!(signs.show(&assertion(claims)).status, 200);
    // Nor does who has both in their record have the choice.
    patched(
        &signs.fixture,
        &signs.path,
        json!({"jwks": owner.keys.to_members()}),
    );
    let answer = signs.show(&assertion(signs.claims()));
    assert_refused(&answer, jose(JoseError::AlgorithmMismatch));
    signs.works();
}

#[test]
fn te_13_a_source_speaks_for_it_by_a_key_alone() {
    let signs = Signs::new();
    let owner = Owner::new("issuer");
    let source = made(
        &signs.fixture,
        "/api/v1/sources/",
        json!({"name": "Cluster", "slug": "cluster", "issuer": "https://cluster.example",
               "jwks": owner.keys.to_members()}),
    );
    let named = json!({"jwks_sources": [source["pk"]], "jwks_subjects": ["job"]});
    patched(&signs.fixture, &signs.path, named);
    let claims = || {
        let of_source = json!({"iss": "https://cluster.example", "sub": "job"});
        merged(signs.claims(), of_source)
    };
    let show = |assertion: &str| {
        let form = Form::new(&[("grant_type", "client_credentials"), ("client_id", "signs")]);
        let form = with_assertion(form, assertion);
        signs.fixture.post(Endpoint::Token, &form)
    };
    let by_secret = show(&signed(HEADER, &claims(), &signs.secret));
    assert_refused(&by_secret, jose(JoseError::AlgorithmUnsupported));
    let header = owner.header(Algorithm::Es256, "JWT");
    let by_key = owner.craft(Algorithm::Es256, &header, &claims().to_string());
    assert_eq!(show(&by_key).status, 200);
    signs.works();
}

#[test]
fn te_13_its_assertion_names_it_twice_and_us_and_ends_within_the_hour() {
    let signs = Signs::new();
    let now = signs.fixture.now();
    for (change, reason) in [
        (json!({"sub": "web"}), Reason::AssertionForOtherClient),
        (json!({"iss": "web"}), Reason::AssertionIssuerUnknown),
        (json!({"iss": null}), jose(JoseError::ClaimMissing)),
        (json!({"sub": null}), Reason::AssertionLacks("sub")),
        (json!({"jti": null}), Reason::AssertionLacks("jti")),
        (json!({"exp": null}), jose(JoseError::ClaimMissing)),
        (json!({"aud": null}), jose(JoseError::ClaimMissing)),
        (json!({"aud": "other"}), jose(JoseError::AudienceMismatch)),
        // CVE-2025-27370: whoever poses as its server may say that an endpoint of ours is its own.
        (
            json!({"aud": format!("{ISSUER}/oauth/token")}),
            jose(JoseError::AudienceMismatch),
        ),
        (
            json!({"aud": [ISSUER, "https://elsewhere.example"]}),
            jose(JoseError::AudienceMismatch),
        ),
        (json!({"exp": now - 60}), jose(JoseError::Expired)),
        (json!({"exp": now + 3661}), Reason::AssertionLivesTooLong),
        (json!({"nbf": now + 61}), jose(JoseError::NotYetValid)),
        (json!({"exp": "soon"}), jose(JoseError::ClaimInvalid)),
    ] {
        let claims = merged(signs.claims(), change.clone());
        let form = Form::new(&[("grant_type", "client_credentials"), ("client_id", "signs")]);
        let form = with_assertion(form, &signed(HEADER, &claims, &signs.secret));
        let answer = signs.fixture.post(Endpoint::Token, &form);
        assert_eq!(answer.reason, Some(reason), "{change}");
    }
    for aud in [json!(ISSUER), json!([ISSUER])] {
        assert_eq!(
            signs.show(&signs.assertion(json!({"aud": aud}))).status,
            200
        );
    }
}

#[test]
fn te_13_what_was_signed_is_used_once_by_whichever_secret() {
    let signs = Signs::new();
    let claims = signs.claims();
    let assertion = signed(HEADER, &claims, &signs.secret);
    assert_eq!(signs.show(&assertion).status, 200);
    assert_refused(&signs.show(&assertion), Reason::AssertionReplayed);
    let again = signed(HEADER, &claims, &signs.another());
    assert_refused(&signs.show(&again), Reason::AssertionReplayed);
    signs.refuses(json!({"jti": "1"}), Reason::AssertionReplayed);
    signs.works();
}

#[test]
fn te_13_secrets_overlap_while_one_is_rolled_out() {
    let signs = Signs::new();
    let token = Tokens::of(&signs.show(&signs.assertion(json!({})))).access;
    let all = [signs.secret.clone(), signs.another(), signs.another()];
    for secret in &all {
        assert_eq!(signs.by(secret).status, 200);
    }
    let secrets = format!("{}secrets/", signs.path);
    let kept = read(&signs.fixture, &secrets);
    assert_eq!(kept["secrets"].as_array().unwrap().len(), 3);
    assert!(!kept.to_string().contains("emh_"));
    let first = Secret::new(signs.secret.as_str()).digest();
    let one = format!("{secrets}{}/", &first.as_str()[..8]);
    assert_eq!(signs.fixture.api("DELETE", &one, &json!({})).status, 204);
    assert_refused(&signs.by(&all[0]), jose(JoseError::SignatureInvalid));
    for secret in &all[1..] {
        assert_eq!(signs.by(secret).status, 200);
    }
    let asked = with_assertion(
        Form::new(&[("token", &token)]),
        &signed(HEADER, &signs.claims(), &all[1]),
    );
    let told = signs.fixture.post(Endpoint::Introspect, &asked).json();
    assert_eq!(told["active"], false, "what the first may have got ends");
}

#[test]
fn te_13_the_secret_is_nowhere_in_clear() {
    let signs = Signs::new();
    signs.works();
    let record = read(&signs.fixture, &signs.path).to_string();
    assert!(!record.contains(&signs.secret) && !record.contains("emh_"));
    let stored = signs.fixture.memory().everything_stored();
    assert!(stored.contains("emh_") && !stored.contains(&signs.secret));
    // Nobody else's is kept so.
    let plain = made(
        &signs.fixture,
        PROVIDERS,
        provider(json!({"client_id": "plain"})),
    );
    assert!(plain["client_secret"].is_string());
    let stored = signs.fixture.memory().everything_stored();
    let count = |text: &str| text.matches("emh_").count();
    patched(
        &signs.fixture,
        &signs.path,
        json!({METHOD: "client_secret_basic", SWITCH: false}),
    );
    let without = signs.fixture.memory().everything_stored();
    assert!(count(&stored) > 0 && count(&without) == 0);
}

#[test]
fn ops_5_a_root_that_is_taken_out_takes_the_secrets_with_it() {
    let mut signs = Signs::new();
    signs.fixture.server.keyring = keyring(&[NEWER, ROOT]);
    signs.works();
    let newer = signs.another();
    signs.fixture.server.keyring = keyring(&[NEWER]);
    signs.refuses(json!({}), jose(JoseError::SignatureInvalid));
    assert_eq!(signs.by(&newer).status, 200);
    signs.fixture.server.keyring = keyring(&["a root of somebody else, 32 bytes"]);
    signs.refuses(json!({}), jose(JoseError::KeyUnknown));
}

/// A request for an export or an import.
fn request(method: &str, body: String) -> Request {
    Request {
        method: method.to_owned(),
        path: "/api/v1/".to_owned(),
        body,
        content_type: Some("application/x-ndjson".to_owned()),
        authorization: Some(format!("Bearer {BOOTSTRAP}")),
        passphrase: Some(Secret::new(PASSPHRASE)),
        ..Request::default()
    }
}

fn exported(fixture: &Fixture) -> String {
    let asked = request("GET", String::new());
    fixture.send(Endpoint::Export, &asked).body
}

#[test]
fn a_copy_of_the_deployment_reads_them_under_its_own_root() {
    let signs = Signs::new();
    let lines = exported(&signs.fixture);
    assert!(!lines.contains("emh_") && !lines.contains(&signs.secret));
    let copy = Fixture::empty(NEWER, |_| {});
    let answer = copy.send(Endpoint::Import, &request("POST", lines));
    assert_eq!(answer.status, 200, "{}", answer.body);
    let stored = copy.memory().everything_stored();
    assert!(stored.contains("emh_") && !stored.contains(&signs.secret));
    let signs = Signs {
        fixture: copy,
        ..signs
    };
    signs.works();
    assert_refused(
        &signs.by("another secret, thirty-two octets"),
        jose(JoseError::SignatureInvalid),
    );
}

#[test]
fn te_13_it_costs_what_an_assertion_by_a_key_costs() {
    let signs = Signs::new();
    signs.works();
    let cost = signs.fixture.cost(|| signs.works());
    assert_eq!((cost.ledger, cost.directory, cost.courier), (1, 0, 0));
    // What is wrong costs no more than a wrong secret.
    let cost = signs.fixture.cost(|| drop(signs.by("")));
    assert_eq!((cost.ledger, cost.directory, cost.courier), (1, 0, 0));
}

#[test]
fn te_13_whatever_fails_on_the_way_nothing_is_said_of_the_client() {
    survives_every_fault(
        4,
        Signs::new,
        |signs| &signs.fixture,
        |signs| signs.show(&signs.assertion(json!({}))),
        Signs::works,
    );
}

#[test]
fn te_13_failures_are_counted_as_those_of_a_secret_are() {
    let signs = Signs::new();
    for _ in 0..19 {
        assert_refused(&signs.by(""), jose(JoseError::SignatureInvalid));
    }
    assert_eq!(signs.by("").status, 429);
    signs.works();
}

#[test]
fn te_13_a_copy_brings_no_readable_secret_to_who_may_have_none() {
    let signs = Signs::new();
    // Whoever has the passphrase can write what they like.
    let import = |change: &dyn Fn(&mut Value, &mut Value)| {
        let copy = Fixture::empty(NEWER, |_| {});
        let lines = bent(&exported(&signs.fixture), change);
        let answer = copy.send(Endpoint::Import, &request("POST", lines));
        assert_eq!(answer.status, 200, "{}", answer.body);
        Signs {
            fixture: copy,
            path: signs.path.clone(),
            secret: signs.secret.clone(),
            shown: Cell::new(0),
        }
    };
    let stored = |copy: &Signs| copy.fixture.memory().everything_stored();
    let off = import(&|fields, _| {
        fields[SWITCH] = json!(false);
        fields[METHOD] = json!("client_secret_basic");
    });
    assert!(!stored(&off).contains("emh_"));
    let foreign = import(&|_, kept| {
        kept["sealed"] = json!("emh_nonsense");
        kept["readable"] = json!(17);
    });
    assert!(!stored(&foreign).contains("nonsense"));
    foreign.refuses(json!({}), jose(JoseError::KeyUnknown));
    let short = "x".repeat(31);
    for (secret, digest) in [
        ("another secret, thirty-two octets", None),
        (&short, Some(&short)),
    ] {
        let copy = import(&|_, kept| {
            kept["readable"] = json!(secret);
            if let Some(digest) = digest {
                kept["digest"] = json!(Secret::new(digest.as_str()).digest());
            }
        });
        assert_refused(&copy.by(secret), jose(JoseError::KeyUnknown));
    }
}

/// An export in which the client's fields and its secret are others.
fn bent(lines: &str, change: &dyn Fn(&mut Value, &mut Value)) -> String {
    let mut lines = lines.lines();
    let first = lines.next().unwrap();
    let kdf = serde_json::from_str::<Value>(first).unwrap()["kdf"].clone();
    let salt = kdf.as_str().unwrap().strip_prefix(password::SETTING);
    let salt: [u8; 16] = base64url::decode(salt.unwrap())
        .unwrap()
        .try_into()
        .unwrap();
    let key = password::stretch(&Secret::new(PASSPHRASE), &salt).unwrap();
    let mut all = vec![first.to_owned()];
    for (number, line) in (0u8..).zip(lines) {
        let (mut clear, mut private) = key.open(line).unwrap();
        if clear
            .get("fields")
            .is_some_and(|fields| fields["client_id"] == "signs")
        {
            let fields = clear.get_mut("fields").unwrap();
            change(fields, &mut private["_secrets"][0]);
        }
        all.push(
            key.seal(clear, Value::Object(private), [number; 24])
                .unwrap(),
        );
    }
    all.join("\n")
}

#[test]
fn a_client_whose_way_is_not_known_is_no_client_and_not_a_public_one() {
    let signs = Signs::new();
    let copy = Fixture::empty(NEWER, |_| {});
    let lines = bent(&exported(&signs.fixture), &|fields, _| {
        fields[METHOD] = json!("tls_client_auth");
    });
    let answer = copy.send(Endpoint::Import, &request("POST", lines));
    assert_eq!(answer.status, 409, "{}", answer.body);
    // A later release may have written it.
    let later = ChangeRecord {
        collection: Collection::Providers,
        change: Change::Set(
            read(&signs.fixture, &signs.path)["pk"].as_u64().unwrap(),
            Fields::from_iter([(METHOD.to_owned(), json!("tls_client_auth"))]),
        ),
        actor: Actor {
            name: "later".to_owned(),
            address: None,
        },
    };
    let memory = signs.fixture.memory();
    block_on(memory.directory(&signs.fixture.at(), later)).unwrap();
    let form = Form::new(&[
        ("grant_type", "refresh_token"),
        ("refresh_token", "emr_x"),
        ("client_id", "signs"),
    ]);
    let answer = signs.fixture.post(Endpoint::Token, &form);
    assert_refused(&answer, Reason::UnknownClient);
}

#[test]
fn a_client_that_lost_its_readable_secret_can_be_switched_off() {
    let mut signs = Signs::new();
    signs.fixture.server.keyring = keyring(&[NEWER]);
    let lines = exported(&signs.fixture);
    let copy = Fixture::empty(NEWER, |_| {});
    let answer = copy.send(Endpoint::Import, &request("POST", lines));
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(!copy.memory().everything_stored().contains("emh_"));
    let patch = |body: Value| copy.api("PATCH", &signs.path, &body);
    refused(&patch(json!({"name": "Other"})), 400, METHOD);
    assert_eq!(patch(json!({"enabled": false})).status, 200);
    refused(&patch(json!({"enabled": true})), 400, METHOD);
}

#[test]
fn te_13_what_registers_without_the_switch_has_a_digest_alone() {
    let fixture = Fixture::new();
    let metadata = json!({"client_id": "signs", "grant_types": ["client_credentials"]});
    let registered = fixture.register(&metadata);
    assert_eq!(registered.status, 201, "{}", registered.body);
    assert!(!fixture.memory().everything_stored().contains("emh_"));
    let list = format!("{PROVIDERS}?client_id=signs");
    let path = at(PROVIDERS, &read(&fixture, &list)["results"][0]);
    let patch = |body: Value| fixture.api("PATCH", &path, &body);
    assert_eq!(patch(json!({SWITCH: true})).status, 200);
    refused(&patch(json!({METHOD: "client_secret_jwt"})), 400, METHOD);
    // What has no secret at all has none to sign with.
    let keys = Owner::new("issuer").keys.to_members();
    let keyed = provider(json!({"client_id": "keyed", METHOD: "private_key_jwt", "jwks": keys}));
    let path = at(PROVIDERS, &made(&fixture, PROVIDERS, keyed));
    let body = json!({METHOD: "client_secret_jwt", SWITCH: true});
    refused(&fixture.api("PATCH", &path, &body), 400, METHOD);
}

#[test]
fn te_13_a_registration_keeps_its_switch_and_names_an_algorithm_that_counts() {
    let fixture = Fixture::new();
    let metadata = |alg: &str| {
        json!({METHOD: "client_secret_jwt", SWITCH: true, "client_id": "signs",
               "grant_types": ["client_credentials"], "scope": "read",
               "token_endpoint_auth_signing_alg": alg})
    };
    for alg in ["HS384", "HS512", "ES256", "none", ""] {
        let answer = fixture.register(&metadata(alg));
        assert_eq!(answer.error(), "invalid_client_metadata", "{alg}");
    }
    let by_key = json!({METHOD: "private_key_jwt", "jwks": Owner::new("issuer").keys.to_members(),
                        "grant_types": ["client_credentials"], "token_endpoint_auth_signing_alg": "HS256"});
    assert_eq!(fixture.register(&by_key).error(), "invalid_client_metadata");
    let registered = fixture.register(&metadata("HS256"));
    assert_eq!(registered.status, 201, "{}", registered.body);
    let signs = Signs {
        path: at(
            PROVIDERS,
            &read(&fixture, &format!("{PROVIDERS}?client_id=signs"))["results"][0],
        ),
        secret: registered.json()["client_secret"]
            .as_str()
            .unwrap()
            .to_owned(),
        fixture,
        shown: Cell::new(0),
    };
    patched(&signs.fixture, &signs.path, json!({"name": "Other"}));
    signs.works();
}

#[test]
fn te_13_a_public_client_keeps_nothing_readable() {
    let signs = Signs::new();
    let patch = |body: Value| signs.fixture.api("PATCH", &signs.path, &body);
    let public = json!({"client_type": "public", "grant_types": ["authorization_code"]});
    assert_eq!(patch(public).status, 200);
    assert!(!signs.fixture.memory().everything_stored().contains("emh_"));
    let answer = signs.show(&signs.assertion(json!({})));
    assert_refused(&answer, Reason::OtherAuthenticationMethod);
    refused(&patch(json!({"client_type": "confidential"})), 400, METHOD);
}

#[test]
fn te_13_which_secrets_are_readable_is_told() {
    let signs = Signs::with(json!({}));
    patched(&signs.fixture, &signs.path, json!({SWITCH: true}));
    signs.another();
    let told = read(&signs.fixture, &format!("{}secrets/", signs.path));
    let told = told["secrets"].as_array().unwrap().iter();
    let readable: Vec<bool> = told.map(|one| one["readable"] == true).collect();
    assert_eq!(readable, [false, true]);
}

#[test]
fn te_13_an_issuer_of_its_own_is_an_audience_and_anothers_is_none() {
    let signs = Signs::new();
    patched(
        &signs.fixture,
        &signs.path,
        json!({"issuer_mode": "per_provider"}),
    );
    let pk = read(&signs.fixture, &signs.path)["pk"].clone();
    let application = json!({"name": "Signs", "slug": "signs", "provider": pk});
    made(&signs.fixture, "/api/v1/applications/", application);
    let own = format!("{ISSUER}/application/o/signs/");
    for aud in [own.as_str(), ISSUER] {
        assert_eq!(
            signs.show(&signs.assertion(json!({"aud": aud}))).status,
            200
        );
    }
    for aud in [
        format!("{ISSUER}/application/o/other/"),
        own[..own.len() - 1].to_owned(),
    ] {
        signs.refuses(json!({"aud": aud}), jose(JoseError::AudienceMismatch));
    }
}

#[test]
fn te_15_an_assertion_is_used_once_wherever_clients_authenticate() {
    let owner = Owner::new("issuer");
    let grants = json!([
        "authorization_code",
        "refresh_token",
        "client_credentials",
        "password",
        DEVICE
    ]);
    let more = json!({"grant_types": grants, "danger_allow_password_grant": true});
    let by_secret = Signs::with(merged(
        json!({METHOD: "client_secret_jwt", SWITCH: true}),
        more.clone(),
    ));
    used_once(&by_secret, &|| by_secret.assertion(json!({})));
    let keys = owner.keys.to_members();
    let fields = merged(json!({METHOD: "private_key_jwt", "jwks": keys}), more);
    let by_key = Signs::with(fields);
    let header = owner.header(Algorithm::Es256, "JWT");
    used_once(&by_key, &|| {
        let claims = by_key.claims().to_string();
        owner.craft(Algorithm::Es256, &header, &claims)
    });
}

/// Stops unless each endpoint and grant refuses an assertion that was used at another, and spends nothing then.
fn used_once(signs: &Signs, assertion: &dyn Fn() -> String) {
    let fixture = &signs.fixture;
    let once = |endpoint, form: Form| {
        let used = assertion();
        let elsewhere = with_assertion(Form::new(&[("token", "ema_x")]), &used);
        assert_eq!(fixture.post(Endpoint::Introspect, &elsewhere).status, 200);
        let replayed = fixture.post(endpoint, &with_assertion(form.clone(), &used));
        assert_refused(&replayed, Reason::AssertionReplayed);
        let answer = fixture.post(endpoint, &with_assertion(form, &assertion()));
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer
    };
    let token = |grant: &str, more: &[(&str, &str)]| {
        let mut form = Form::new(more);
        form = form.with("grant_type", grant);
        once(Endpoint::Token, form)
    };
    let browser = fixture.signed_in_browser();
    let form = support::authorization("web")
        .with("client_id", "signs")
        .with("scope", "openid read offline_access");
    let code = browser.code(&form);
    let tokens = Tokens::of(&once(Endpoint::Token, exchange_form("web", &code)));
    let tokens = Tokens::of(&once(Endpoint::Token, refresh_form(tokens.refresh())));
    token("client_credentials", &[("scope", "read")]);
    token(
        "password",
        &[
            ("username", "ada"),
            ("password", PASSWORD),
            ("scope", "read"),
        ],
    );
    let began = once(
        Endpoint::DeviceAuthorization,
        Form::new(&[("scope", "openid")]),
    )
    .json();
    let code = began["user_code"].as_str().unwrap();
    let page = browser.submit(&browser.open("/device"), &[("user_code", code)]);
    browser.submit(&page, &[("decision", "allow")]);
    token(
        DEVICE,
        &[("device_code", began["device_code"].as_str().unwrap())],
    );
    let of = Form::new(&[("token", &tokens.access)]);
    once(Endpoint::Introspect, of.clone());
    once(Endpoint::CheckToken, of.clone());
    once(Endpoint::Revoke, of);
}
