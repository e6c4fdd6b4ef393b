//! Assertions that authenticate clients (row S4.4; RFC 7523, OpenID Connect Core §9): by a source that
//! an administrator trusts, and by a key of the client's own.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod jose_support;
mod support;

use std::cell::Cell;

use edgemint::directory::Collection;
use edgemint::directory::record::{Actor, Changed};
use edgemint::error::Reason;
use edgemint::http::Response;
use edgemint::jose::{Algorithm, JoseError};
use edgemint::ports::Directory as _;
use edgemint::ports::directory::{ExportRecords, ImportRecords};
use edgemint::server::Endpoint;
use jose_support::Owner;
use serde_json::{Value, json};
use support::assertion::{assert_refused, jose, merged, survives_every_fault, with_assertion};
use support::records::{PROVIDERS, at, made, patched, read, refused};
use support::{
    Fixture, Form, ISSUER, Outage, Seen as _, Tokens, block_on, exchange_form, refresh_form,
};

const SOURCES: &str = "/api/v1/sources/";
const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Who issues what the workloads show.
const CLUSTER: &str = "https://cluster.example";
const AUDIENCE: &str = "edgemint-of-the-tests";
/// Of whom what the workload shows speaks.
const JOB: &str = "system:serviceaccount:default:job";
/// Where its keys are, if they are somewhere.
const KEYS: &str = "https://cluster.example/openid/v1/jwks";

/// A deployment with a cluster and a workload in it, whose client trusts the cluster.
struct World {
    fixture: Fixture,
    cluster: Owner,
    source: String,
    provider: String,
    shown: Cell<u32>,
}

impl World {
    fn new() -> Self {
        Self::with(json!({}), json!({}))
    }

    /// With other fields of the source and of the provider.
    fn with(source: Value, provider: Value) -> Self {
        let fixture = Fixture::new();
        let cluster = Owner::new("issuer");
        let source = merged(
            json!({"name": "Cluster", "slug": "cluster", "issuer": CLUSTER, "audience": AUDIENCE,
                   "jwks": cluster.keys.to_members()}),
            source,
        );
        let source = made(&fixture, SOURCES, source);
        let provider = merged(
            json!({"name": "Job", "client_id": "job", "grant_types": ["client_credentials"],
                   "scope": "read", "jwks_sources": [source["pk"]], "jwks_subjects": [JOB]}),
            provider,
        );
        let provider = made(&fixture, PROVIDERS, provider);
        Self {
            source: at(SOURCES, &source),
            provider: at(PROVIDERS, &provider),
            fixture,
            cluster,
            shown: Cell::new(0),
        }
    }

    /// A source whose keys are somewhere.
    fn by_url() -> Self {
        let world = Self::with(json!({"jwks": null, "jwks_uri": KEYS}), json!({}));
        world.publish(&world.cluster);
        world
    }

    fn publish(&self, owner: &Owner) {
        let keys = Value::Object(owner.keys.to_members()).to_string();
        self.fixture.memory().publish_at(KEYS, Some(&keys));
    }

    /// What a good assertion says, each time another.
    fn claims(&self) -> Value {
        self.shown.set(self.shown.get() + 1);
        let now = self.fixture.now();
        json!({"iss": CLUSTER, "sub": JOB, "aud": AUDIENCE,
               "exp": now + 600, "iat": now, "jti": format!("{}", self.shown.get())})
    }

    /// An assertion with these claims instead, or without those that are `null`.
    fn assertion(&self, change: Value) -> String {
        let claims = merged(self.claims(), change).to_string();
        let header = self.cluster.header(Algorithm::Es256, "JWT");
        self.cluster.craft(Algorithm::Es256, &header, &claims)
    }

    fn show(&self, assertion: &str) -> Response {
        self.fixture.post(Endpoint::Token, &shown("job", assertion))
    }

    /// Stops unless an assertion so changed gets a token.
    #[track_caller]
    fn works_with(&self, change: Value) {
        let answer = self.show(&self.assertion(change));
        assert_eq!(answer.status, 200, "{} {:?}", answer.body, answer.reason);
    }

    /// Stops unless an assertion so changed is refused for this.
    fn refuses(&self, change: Value, reason: Reason) {
        let answer = self.show(&self.assertion(change));
        assert_refused(&answer, reason);
        self.works();
    }

    /// Stops unless a good assertion gets a token.
    fn works(&self) {
        self.works_with(json!({}));
    }
}

fn shown(id: &str, assertion: &str) -> Form {
    let form = Form::new(&[("grant_type", "client_credentials"), ("client_id", id)]);
    with_assertion(form, assertion)
}

// By a source.

#[test]
fn s4_4_an_assertion_of_a_source_gets_a_token_of_the_client() {
    let world = World::new();
    let answer = world.show(&world.assertion(json!({})));
    let tokens = Tokens::of(&answer);
    assert_eq!(tokens.refresh, None);
    assert_eq!(
        answer.actor.as_deref(),
        Some("system:serviceaccount:default:job")
    );
    let told = world.fixture.introspect_as("api", &tokens.access).json();
    assert_eq!(told, json!({"active": false}));
    let own = World::with(json!({}), json!({"default_resource": support::RESOURCE}));
    let token = Tokens::of(&own.show(&own.assertion(json!({})))).access;
    let told = own.fixture.introspect_as("api", &token).json();
    assert_eq!(
        (&told["sub"], &told["username"]),
        (&json!("job"), &json!("bot-job"))
    );
}

#[test]
fn s4_4_every_algorithm_of_the_table_is_taken_and_an_assertion_may_name_its_kind() {
    let world = World::new();
    for algorithm in Algorithm::ALL {
        for typ in [
            "JWT",
            "jwt",
            "client-authentication+jwt",
            "application/client-authentication+jwt",
        ] {
            let header = world.cluster.header(algorithm, typ);
            let assertion = world
                .cluster
                .craft(algorithm, &header, &world.claims().to_string());
            assert_eq!(world.show(&assertion).status, 200, "{typ}");
        }
    }
}

#[test]
fn s4_4_the_source_has_to_be_one_of_the_clients() {
    let world = World::new();
    let reason = Reason::AssertionIssuerUnknown;
    world.refuses(json!({"iss": "https://other.example"}), reason.clone());
    patched(&world.fixture, &world.provider, json!({"jwks_sources": []}));
    let assertion = world.assertion(json!({}));
    assert_refused(&world.show(&assertion), Reason::OtherAuthenticationMethod);
    // A client of the fixture that trusts nobody, and one that does not exist.
    let other = world
        .fixture
        .post(Endpoint::Token, &shown("web", &assertion));
    assert_refused(&other, Reason::OtherAuthenticationMethod);
    let nobody = world
        .fixture
        .post(Endpoint::Token, &shown("nobody", &assertion));
    assert_refused(&nobody, Reason::UnknownClient);
    let public = world
        .fixture
        .post(Endpoint::Token, &shown("spa", &assertion));
    assert_refused(&public, Reason::OtherAuthenticationMethod);
}

#[test]
fn s4_4_a_source_that_is_switched_off_or_deleted_speaks_for_nobody() {
    let world = World::new();
    world.works();
    patched(&world.fixture, &world.source, json!({"enabled": false}));
    let answer = world.show(&world.assertion(json!({})));
    assert_refused(&answer, Reason::OtherAuthenticationMethod);
    patched(&world.fixture, &world.source, json!({"enabled": true}));
    world.works();
    assert_eq!(
        world
            .fixture
            .api("DELETE", &world.source, &json!({}))
            .status,
        204
    );
    let answer = world.show(&world.assertion(json!({})));
    assert_refused(&answer, Reason::OtherAuthenticationMethod);
}

#[test]
fn s4_4_a_source_that_is_taken_away_takes_what_it_got_with_it() {
    let world = World::with(json!({}), json!({"default_resource": support::RESOURCE}));
    let token = Tokens::of(&world.show(&world.assertion(json!({})))).access;
    assert!(world.fixture.is_active_for("api", &token));
    patched(&world.fixture, &world.provider, json!({"jwks_sources": []}));
    assert!(!world.fixture.is_active_for("api", &token));
}

#[test]
fn s4_4_a_source_that_is_switched_off_or_deleted_takes_what_it_got_with_it() {
    for off in ["PATCH", "DELETE"] {
        let world = World::with(json!({}), json!({"default_resource": support::RESOURCE}));
        let token = Tokens::of(&world.show(&world.assertion(json!({})))).access;
        assert!(world.fixture.is_active_for("api", &token));
        let answer = world
            .fixture
            .api(off, &world.source, &json!({"enabled": false}));
        assert!(answer.status < 300, "{off} {}", answer.body);
        assert!(!world.fixture.is_active_for("api", &token), "{off}");
    }
}

#[test]
fn s4_4_a_change_of_the_source_reaches_the_client() {
    let world = World::new();
    world.works();
    patched(
        &world.fixture,
        &world.source,
        json!({"audience": "another"}),
    );
    let old = world.show(&world.assertion(json!({})));
    assert_refused(&old, jose(JoseError::AudienceMismatch));
    assert_eq!(
        world
            .show(&world.assertion(json!({"aud": "another"})))
            .status,
        200
    );
    let stranger = Owner::new("stranger");
    let keys = json!({"jwks": stranger.keys.to_members(), "audience": AUDIENCE});
    patched(&world.fixture, &world.source, keys);
    let old = world.show(&world.assertion(json!({})));
    assert_refused(&old, jose(JoseError::KeyUnknown));
}

#[test]
fn s4_4_the_audience_is_the_sources_or_ourselves() {
    let world = World::new();
    for aud in [json!("https://elsewhere.example"), json!([]), json!(ISSUER)] {
        world.refuses(json!({"aud": aud}), jose(JoseError::AudienceMismatch));
    }
    world.refuses(json!({"aud": null}), jose(JoseError::ClaimMissing));
    world.refuses(json!({"aud": 7}), jose(JoseError::ClaimInvalid));
    let several = world.assertion(json!({"aud": ["other", AUDIENCE]}));
    assert_eq!(world.show(&several).status, 200);

    let world = World::with(json!({"audience": ""}), json!({}));
    world.works_with(json!({"aud": ISSUER}));
    for aud in [
        "",
        // CVE-2025-27370: whoever poses as a server may say that an endpoint of ours is its own.
        &format!("{ISSUER}/oauth/token"),
        "job",
        &format!("{ISSUER}/"),
        &format!("{ISSUER}/api/v1"),
    ] {
        let answer = world.show(&world.assertion(json!({"aud": aud})));
        assert_refused(&answer, jose(JoseError::AudienceMismatch));
    }
}

#[test]
fn s4_4_an_assertion_expires_and_within_an_hour() {
    let world = World::new();
    let now = world.fixture.now();
    world.refuses(json!({"exp": null}), jose(JoseError::ClaimMissing));
    world.refuses(json!({"exp": "soon"}), jose(JoseError::ClaimInvalid));
    world.refuses(json!({"exp": now - 10}), jose(JoseError::Expired));
    let reason = Reason::AssertionLivesTooLong;
    world.refuses(json!({"exp": now + 3661}), reason.clone());
    world.refuses(json!({"exp": 9_007_199_254_740_991_u64}), reason);
    for good in [now - 9, now + 3660] {
        assert_eq!(
            world.show(&world.assertion(json!({"exp": good}))).status,
            200
        );
    }
}

#[test]
fn s4_4_an_assertion_from_the_future_is_refused() {
    let world = World::new();
    let now = world.fixture.now();
    for name in ["nbf", "iat"] {
        world.refuses(json!({name: now + 11}), jose(JoseError::NotYetValid));
        world.refuses(json!({name: "now"}), jose(JoseError::ClaimInvalid));
        assert_eq!(
            world.show(&world.assertion(json!({name: now + 10}))).status,
            200
        );
    }
}

#[test]
fn s4_4_a_claim_of_another_type_or_size_or_twice_is_refused() {
    let world = World::new();
    let craft = |claims: &str| {
        let header = world.cluster.header(Algorithm::Es256, "JWT");
        world.cluster.craft(Algorithm::Es256, &header, claims)
    };
    let mut good = world.claims();
    let now = world.fixture.now();
    for (name, odd) in [
        ("exp", "-1"),
        ("exp", "1e400"),
        ("exp", "18446744073709551616"),
        ("exp", "9007199254740992"),
        ("exp", "9007199254740991"),
        ("exp", "\"9999999999\""),
        ("exp", "[1]"),
        ("exp", "null"),
        ("exp", "true"),
        ("nbf", "1e18"),
        ("nbf", "-0.5"),
        ("iat", "{}"),
        ("iat", "9007199254740991"),
        ("iss", "[\"https://cluster.example\"]"),
        ("sub", "7"),
        ("sub", "\"\""),
        ("jti", "[]"),
        ("jti", "\"\""),
        ("aud", "[[\"edgemint-of-the-tests\"]]"),
        ("aud", "{\"edgemint-of-the-tests\": 1}"),
    ] {
        let kept = good.as_object_mut().unwrap().remove(name);
        let rest = good.to_string();
        // Another one each time, or the failures are too many.
        let world = World::new();
        let answer = world.show(&craft(&format!("{{\"{name}\":{odd},{}", &rest[1..])));
        assert_eq!(answer.status, 401, "{name}: {odd}");
        if let Some(kept) = kept {
            good[name] = kept;
        }
    }
    for twice in [
        format!("{{\"exp\":{},{}", now + 600, &good.to_string()[1..]),
        format!("{{\"\\u0069ss\":\"x\",{}", &good.to_string()[1..]),
        format!("{}{{}}", good),
        format!("[{good}]"),
    ] {
        let world = World::new();
        assert_eq!(world.show(&craft(&twice)).status, 401, "{twice}");
    }
    world.works();
}

#[test]
fn s4_4_an_assertion_says_whom_it_speaks_of() {
    let world = World::new();
    for sub in [Value::Null, json!(""), json!("x".repeat(256))] {
        world.refuses(json!({"sub": sub}), Reason::AssertionLacks("sub"));
    }
    world.refuses(json!({"sub": 7}), jose(JoseError::ClaimInvalid));
}

#[test]
fn s4_4_a_source_that_signs_for_many_speaks_for_a_client_by_its_subjects_alone() {
    const OTHER: &str = "system:serviceaccount:default:other-job";
    let world = World::new();
    let provider = json!({"name": "Other", "client_id": "other-job", "scope": "read",
                          "grant_types": ["client_credentials"], "jwks_subjects": [OTHER],
                          "jwks_sources": read(&world.fixture, &world.provider)["jwks_sources"]});
    made(&world.fixture, PROVIDERS, provider);
    let show = |id: &str, sub: &str| {
        let assertion = world.assertion(json!({"sub": sub}));
        world.fixture.post(Endpoint::Token, &shown(id, &assertion))
    };
    for (id, sub) in [("job", JOB), ("other-job", OTHER)] {
        assert_eq!(show(id, sub).status, 200, "{id}");
    }
    let prefixed = format!("{JOB}:ref:refs/heads/main");
    let cut = JOB.get(..JOB.len() - 1).unwrap();
    for (id, sub) in [
        ("job", OTHER),
        ("other-job", JOB),
        ("job", "job"),
        ("job", &prefixed),
        ("job", cut),
        ("job", &JOB.to_uppercase()),
        ("job", "*"),
    ] {
        assert_refused(&show(id, sub), Reason::AssertionSubjectNotAllowed);
    }
}

#[test]
fn s4_4_a_client_that_says_no_subject_takes_nobodys_assertion() {
    // As it was stored before there were subjects: the log says what is missing.
    let world = World::new();
    let (fixture, after) = (&world.fixture, (Collection::Providers, 0));
    let verb = ExportRecords { after, limit: 100 };
    let mut copies = block_on(fixture.memory().directory(&fixture.at(), verb))
        .unwrap()
        .results;
    copies.retain(|copy| {
        copy.get("fields")
            .is_some_and(|fields| fields["client_id"] == "job")
    });
    let copy = copies.first_mut().unwrap();
    let version = copy["version"].as_u64().unwrap();
    copy.insert("version".to_owned(), json!(version + 1));
    copy["fields"]
        .as_object_mut()
        .unwrap()
        .remove("jwks_subjects");
    let actor = Actor {
        name: "fixture".to_owned(),
        address: None,
    };
    let verb = ImportRecords { copies, actor };
    let imported = block_on(fixture.memory().directory(&fixture.at(), verb)).unwrap();
    assert!(matches!(imported, Changed::Done(told) if told["imported"] == 1));
    let answer = world.show(&world.assertion(json!({})));
    assert_refused(&answer, Reason::AssertionWithoutJwksSubjects);
    let label = answer.reason.unwrap().label();
    assert_eq!(label, "assertion_without_jwks_subjects");
    // It can be switched off and on, and has to say them where it says its sources anew.
    patched(fixture, &world.provider, json!({"enabled": false}));
    patched(fixture, &world.provider, json!({"enabled": true}));
    patched(fixture, &world.provider, json!({"jwks_subjects": [JOB]}));
    world.works();
}

#[test]
fn s4_4_where_there_are_sources_there_are_subjects() {
    let world = World::new();
    let set = |subjects: Value| {
        let body = json!({"jwks_subjects": subjects});
        world.fixture.api("PATCH", &world.provider, &body)
    };
    let long = "x".repeat(256);
    let many: Vec<String> = (0..65).map(|number| number.to_string()).collect();
    for unfit in [
        json!([]),
        json!([""]),
        json!(["a\nb"]),
        json!([7]),
        json!(JOB),
        json!([long]),
        json!(many),
    ] {
        refused(&set(unfit), 400, "jwks_subjects");
    }
    let source = read(&world.fixture, &world.provider)["jwks_sources"].clone();
    let body = json!({"name": "Second", "client_id": "second-job", "jwks_sources": source,
                      "grant_types": ["client_credentials"]});
    let answer = world.fixture.api("POST", PROVIDERS, &body);
    refused(&answer, 400, "jwks_subjects");
    assert_eq!(set(json!(many[..64])).status, 200);
}

#[test]
fn s4_4_a_subject_that_is_taken_away_takes_what_it_got_with_it() {
    let world = World::with(json!({}), json!({"default_resource": support::RESOURCE}));
    let token = Tokens::of(&world.show(&world.assertion(json!({})))).access;
    let more = json!({"jwks_subjects": [JOB, "another"]});
    patched(&world.fixture, &world.provider, more);
    assert!(world.fixture.is_active_for("api", &token));
    let other = json!({"jwks_subjects": ["another"]});
    patched(&world.fixture, &world.provider, other);
    assert!(!world.fixture.is_active_for("api", &token));
}

#[test]
fn s4_4_an_assertion_is_used_once() {
    let world = World::new();
    for jti in [Value::Null, json!(""), json!("x".repeat(256))] {
        world.refuses(json!({"jti": jti}), Reason::AssertionLacks("jti"));
    }
    let assertion = world.assertion(json!({}));
    assert_eq!(world.show(&assertion).status, 200);
    assert_refused(&world.show(&assertion), Reason::AssertionReplayed);
    // Signed anew with the same id it is the same one, until it would have expired.
    let again = json!({"jti": "again", "exp": world.fixture.now() + 100});
    assert_eq!(world.show(&world.assertion(again.clone())).status, 200);
    assert_refused(
        &world.show(&world.assertion(again)),
        Reason::AssertionReplayed,
    );
    world.fixture.later(99);
    let again = world.assertion(json!({"jti": "again"}));
    assert_refused(&world.show(&again), Reason::AssertionReplayed);
}

#[test]
fn s4_4_an_assertion_is_remembered_as_long_as_it_could_be_used() {
    let world = World::new();
    let assertion = world.assertion(json!({"exp": world.fixture.now() + 100}));
    assert_eq!(world.show(&assertion).status, 200);
    for _ in 0..12 {
        world.fixture.later(10);
        assert_eq!(world.show(&assertion).status, 401);
    }
}

#[test]
fn s4_4_the_same_key_in_two_sources_makes_no_second_use() {
    let world = World::new();
    let twin = json!({"name": "Twin", "slug": "twin", "issuer": CLUSTER, "audience": AUDIENCE,
                      "jwks": world.cluster.keys.to_members()});
    let twin = made(&world.fixture, SOURCES, twin);
    let provider = json!({"name": "Other", "client_id": "other-job", "scope": "read",
                          "grant_types": ["client_credentials"], "jwks_sources": [twin["pk"]],
                          "jwks_subjects": [JOB]});
    made(&world.fixture, PROVIDERS, provider);
    let assertion = world.assertion(json!({}));
    assert_eq!(world.show(&assertion).status, 200);
    let other = world
        .fixture
        .post(Endpoint::Token, &shown("other-job", &assertion));
    assert_refused(&other, Reason::AssertionReplayed);
}

#[test]
fn s4_4_the_same_request_that_is_repeated_gets_a_token_again() {
    let world = World::new();
    let request = support::post(&shown("job", &world.assertion(json!({}))));
    let at = world.fixture.at_request("repeated");
    for _ in 0..2 {
        let answer = world.fixture.send_at(Endpoint::Token, &request, &at);
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
}

#[test]
fn s4_4_the_key_fixes_the_algorithm_and_its_name_the_key() {
    let world = World::new();
    let claims = world.claims().to_string();
    let es256 = world.cluster.key(Algorithm::Es256).kid;
    let with = |header: Value| {
        let assertion = world
            .cluster
            .craft(Algorithm::Es256, &header.to_string(), &claims);
        world.show(&assertion).reason
    };
    let reason = |header| with(header).unwrap();
    let unsupported = jose(JoseError::AlgorithmUnsupported);
    for alg in ["none", "HS256", "PS256", "ES384", "es256", ""] {
        assert_eq!(
            reason(json!({"alg": alg, "kid": es256})),
            unsupported,
            "{alg}"
        );
    }
    let other = reason(json!({"alg": "RS256", "kid": es256}));
    assert_eq!(other, jose(JoseError::AlgorithmMismatch));
    let unknown = reason(json!({"alg": "ES256", "kid": "nobody's"}));
    assert_eq!(unknown, jose(JoseError::KeyUnknown));
    let brought = json!({"alg": "ES256", "kid": "mine", "jku": KEYS, "jwk": Owner::new("stranger").public(Algorithm::Es256).to_members()});
    assert_eq!(reason(brought), jose(JoseError::KeyUnknown));
    assert_eq!(
        reason(json!({"alg": "ES256", "crit": ["exp"]})),
        jose(JoseError::HeaderUnsupported)
    );
    // Without a name the one key of the algorithm does.
    assert_eq!(with(json!({"alg": "ES256"})), None);
}

#[test]
fn s4_4_a_strangers_signature_is_refused() {
    let world = World::new();
    let stranger = Owner::new("stranger");
    let header = world.cluster.header(Algorithm::Es256, "JWT");
    let forged = stranger.craft(Algorithm::Es256, &header, &world.claims().to_string());
    assert_refused(&world.show(&forged), jose(JoseError::SignatureInvalid));
    let good = world.assertion(json!({}));
    let (signed, _) = good.rsplit_once('.').unwrap();
    for bent in [
        signed.to_owned(),
        format!("{signed}."),
        format!("{good}."),
        "a.b.c".to_owned(),
        "x".to_owned(),
    ] {
        let answer = world.show(&bent);
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (401, "invalid_client"),
            "{bent}"
        );
        assert!(
            matches!(answer.reason, Some(Reason::AssertionRefused(_))),
            "{bent}"
        );
    }
    assert_eq!(world.show(&good).status, 200);
}

#[test]
fn s4_4_a_token_of_another_kind_is_no_assertion() {
    let world = World::new();
    for typ in ["at+jwt", "application/at+jwt", "dpop+jwt", "logout+jwt", ""] {
        let header = world.cluster.header(Algorithm::Es256, typ);
        let assertion = world
            .cluster
            .craft(Algorithm::Es256, &header, &world.claims().to_string());
        assert_refused(&world.show(&assertion), jose(JoseError::TypMismatch));
    }
}

#[test]
fn s4_4_a_token_of_our_own_is_no_assertion_even_if_an_administrator_says_so() {
    // An ID token of `web`, whose audience is `web`, by a source that is ourselves.
    let fixture = Fixture::new();
    let id_token = fixture.tokens().id_token.unwrap();
    let request = support::get(&Form::default());
    let keys = fixture.send(Endpoint::Jwks, &request).json();
    let source =
        json!({"name": "Self", "slug": "self", "issuer": ISSUER, "audience": "web", "jwks": keys});
    let source = made(&fixture, SOURCES, source);
    let provider = json!({"name": "Job", "client_id": "job", "grant_types": ["client_credentials"],
                          "scope": "read", "jwks_sources": [source["pk"]], "jwks_subjects": [JOB]});
    made(&fixture, PROVIDERS, provider);
    let answer = fixture.post(Endpoint::Token, &shown("job", &id_token));
    assert_refused(&answer, Reason::AssertionIssuerUnknown);
}

#[test]
fn s4_4_a_source_speaks_for_nothing_but_the_clients_own_token() {
    let world = World::with(
        json!({}),
        json!({"grant_types": ["authorization_code", "refresh_token", "client_credentials"],
               "redirect_uris": "https://web.example/cb"}),
    );
    let assertion = world.assertion(json!({}));
    let shown = |form: Form| {
        form.with("client_id", "job")
            .with("client_assertion_type", TYPE)
            .with("client_assertion", &assertion)
    };
    let code = world.fixture.code();
    let tokens = world.fixture.tokens();
    let token = Form::new(&[("token", &tokens.access)]);
    for (endpoint, form) in [
        (Endpoint::Token, exchange_form("web", &code)),
        (Endpoint::Token, refresh_form(tokens.refresh())),
        (Endpoint::Token, Form::default()),
        (Endpoint::Introspect, token.clone()),
        (Endpoint::CheckToken, token.clone()),
        (Endpoint::Revoke, token.clone()),
        // Only the token endpoint knows this parameter.
        (
            Endpoint::Revoke,
            token.with("grant_type", "client_credentials"),
        ),
    ] {
        let answer = world.fixture.post(endpoint, &shown(form));
        assert_refused(&answer, Reason::AssertionNotForThisGrant);
    }
    // None of them spent it.
    assert_eq!(world.show(&assertion).status, 200);
}

#[test]
fn s4_4_what_is_refused_for_another_reason_spends_nothing() {
    let world = World::new();
    let assertion = world.assertion(json!({}));
    let form = shown("job", &assertion);
    for (form, error) in [
        (form.clone().with("scope", "read write"), "invalid_scope"),
        (
            form.clone().with("resource", "https://no.example"),
            "invalid_target",
        ),
    ] {
        assert_eq!(world.fixture.post(Endpoint::Token, &form).error(), error);
    }
    world.fixture.memory().fail(Outage::Feed);
    assert_eq!(world.show(&assertion).status, 503);
    world.fixture.memory().restore();
    world.fixture.memory().fail(Outage::Ledger);
    assert_eq!(world.show(&assertion).status, 503);
    world.fixture.memory().restore();
    assert_eq!(world.show(&assertion).status, 200);
}

#[test]
fn s4_4_whatever_fails_on_the_way_nothing_is_said_of_the_client() {
    survives_every_fault(
        6,
        World::by_url,
        |world| &world.fixture,
        |world| world.show(&world.assertion(json!({}))),
        World::works,
    );
}

#[test]
fn s4_4_two_ways_at_once_are_refused_and_the_type_has_to_be_named() {
    let world = World::new();
    let assertion = world.assertion(json!({}));
    let form = shown("job", &assertion);
    let post = |form: &Form| world.fixture.post(Endpoint::Token, form);
    let secret = post(&form.clone().with("client_secret", "secret"));
    assert_eq!(secret.reason, Some(Reason::SeveralCredentials));
    let request = edgemint::http::Request {
        authorization: Some(support::basic("job", "secret")),
        ..support::post(&form)
    };
    let header = world.fixture.send(Endpoint::Token, &request);
    assert_eq!(header.reason, Some(Reason::SeveralCredentials));
    for kind in [
        "",
        "jwt-bearer",
        "urn:ietf:params:oauth:client-assertion-type:saml2-bearer",
    ] {
        let answer = post(&form.clone().with("client_assertion_type", kind));
        assert_refused(&answer, Reason::AssertionTypeUnknown);
    }
    let alone = post(&form.clone().with("client_assertion", ""));
    assert_refused(&alone, Reason::NoClientAuthentication);
    let unnamed = post(&form.clone().with("client_id", ""));
    assert_refused(&unnamed, Reason::UnknownClient);
    assert_eq!(post(&form).status, 200);
}

#[test]
fn s4_4_failures_are_counted_as_those_of_a_secret_are() {
    let world = World::new();
    for _ in 0..19 {
        let answer = world.show(&world.assertion(json!({"aud": "other"})));
        assert_eq!(answer.status, 401);
    }
    let assertion = world.assertion(json!({}));
    assert_eq!(world.show(&assertion).status, 200);
    // A replay is a failure, too; and who is in the right is never refused.
    assert_eq!(world.show(&assertion).status, 429);
    world.works();
}

// By a key of its own.

/// A client with keys of its own.
fn keyed(world: &World, more: Value) -> Response {
    let keys = Owner::new("stranger").keys.to_members();
    let body = json!({"name": "Keyed", "client_id": "keyed", "scope": "openid read offline_access",
                      "token_endpoint_auth_method": "private_key_jwt", "jwks": keys,
                      "redirect_uris": "https://web.example/cb",
                      "grant_types": ["authorization_code", "refresh_token", "client_credentials"]});
    world.fixture.api("POST", PROVIDERS, &merged(body, more))
}

/// An assertion of it.
fn own(world: &World, change: Value) -> String {
    let mut claims = world.claims();
    claims = merged(
        claims,
        json!({"iss": "keyed", "sub": "keyed", "aud": ISSUER}),
    );
    let owner = Owner::new("stranger");
    let header = owner.header(Algorithm::EdDsa, "JWT");
    owner.craft(
        Algorithm::EdDsa,
        &header,
        &merged(claims, change).to_string(),
    )
}

#[test]
fn te_13_a_client_authenticates_by_its_own_key_wherever_clients_do() {
    let world = World::new();
    let made = keyed(&world, json!({}));
    assert_eq!(made.status, 201, "{}", made.body);
    // It has no secret that could be stolen.
    assert_eq!(made.json().get("client_secret"), None);
    let ask = |endpoint, form: Form| {
        let form = form
            .with("client_assertion_type", TYPE)
            .with("client_assertion", &own(&world, json!({})));
        world.fixture.post(endpoint, &form)
    };
    let itself = Form::new(&[("grant_type", "client_credentials"), ("client_id", "keyed")]);
    let token = Tokens::of(&ask(Endpoint::Token, itself)).access;
    let token = Form::new(&[("token", &token)]);
    // RFC 7521 §4.2: `client_id` need not be there.
    let told = ask(Endpoint::Introspect, token.clone()).json();
    assert_eq!(told["client_id"], "keyed");
    assert_eq!(ask(Endpoint::CheckToken, token.clone()).status, 200);
    assert_eq!(ask(Endpoint::Revoke, token.clone()).status, 200);
    assert_eq!(
        ask(Endpoint::Introspect, token).json(),
        json!({"active": false})
    );

    let browser = world.fixture.signed_in_browser();
    let form = support::authorization("web")
        .with("client_id", "keyed")
        .with("scope", "openid read offline_access");
    let code = browser.code(&form);
    let tokens = Tokens::of(&ask(Endpoint::Token, exchange_form("web", &code)));
    let answer = ask(Endpoint::Token, refresh_form(tokens.refresh()));
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[test]
fn te_13_its_own_assertion_names_it_twice_and_us() {
    let world = World::new();
    keyed(&world, json!({}));
    let show = |change| {
        let form = shown("keyed", &own(&world, change));
        world.fixture.post(Endpoint::Token, &form)
    };
    assert_refused(
        &show(json!({"sub": "job"})),
        Reason::AssertionForOtherClient,
    );
    assert_refused(&show(json!({"iss": "job"})), Reason::AssertionIssuerUnknown);
    assert_refused(&show(json!({"sub": null})), Reason::AssertionLacks("sub"));
    assert_refused(&show(json!({"jti": null})), Reason::AssertionLacks("jti"));
    assert_refused(
        &show(json!({"aud": AUDIENCE})),
        jose(JoseError::AudienceMismatch),
    );
    let late = json!({"exp": world.fixture.now() + 3661});
    assert_refused(&show(late), Reason::AssertionLivesTooLong);
    for aud in [json!(ISSUER), json!([ISSUER])] {
        assert_eq!(show(json!({"aud": aud})).status, 200);
    }
    // CVE-2025-27370: whoever poses as its server may say that an endpoint of ours is its own.
    assert_refused(
        &show(json!({"aud": format!("{ISSUER}/oauth/token")})),
        jose(JoseError::AudienceMismatch),
    );
    // One that is for somebody else as well, they could bring here.
    assert_refused(
        &show(json!({"aud": [ISSUER, "https://elsewhere.example"]})),
        jose(JoseError::AudienceMismatch),
    );
    let assertion = own(&world, json!({}));
    let twice = || {
        world
            .fixture
            .post(Endpoint::Token, &shown("keyed", &assertion))
    };
    assert_eq!(twice().status, 200);
    assert_refused(&twice(), Reason::AssertionReplayed);
    let named = world
        .fixture
        .post(Endpoint::Token, &shown("job", &own(&world, json!({}))));
    assert_refused(&named, Reason::AssertionIssuerUnknown);
}

#[test]
fn te_14_a_client_with_a_key_has_no_secret_and_one_with_a_secret_no_key() {
    let world = World::new();
    keyed(
        &world,
        json!({"client_secret": "a-secret-of-thirty-two-characters"}),
    );
    let request = edgemint::http::Request {
        authorization: Some(support::basic("keyed", "a-secret-of-thirty-two-characters")),
        ..support::post(&Form::new(&[("grant_type", "client_credentials")]))
    };
    let answer = world.fixture.send(Endpoint::Token, &request);
    assert_eq!(answer.reason, Some(Reason::OtherAuthenticationMethod));
    let path = at(
        PROVIDERS,
        &read(&world.fixture, &format!("{PROVIDERS}?client_id=keyed"))["results"][0],
    );
    patched(
        &world.fixture,
        &path,
        json!({"token_endpoint_auth_method": "client_secret_basic"}),
    );
    let answer = world
        .fixture
        .post(Endpoint::Token, &shown("keyed", &own(&world, json!({}))));
    assert_refused(&answer, Reason::OtherAuthenticationMethod);
}

#[test]
fn s4_4_a_client_with_keys_of_its_own_has_its_sources_besides() {
    let world = World::with(
        json!({}),
        json!({"token_endpoint_auth_method": "private_key_jwt",
               "jwks": Owner::new("stranger").keys.to_members()}),
    );
    world.works();
    // Each signs for itself.
    let stranger = Owner::new("stranger");
    let by = |owner: &Owner, change: Value| {
        let claims = merged(world.claims(), change).to_string();
        let header = owner.header(Algorithm::Es256, "JWT");
        world.show(&owner.craft(Algorithm::Es256, &header, &claims))
    };
    let itself = json!({"iss": "job", "sub": "job", "aud": ISSUER});
    assert_eq!(by(&stranger, itself.clone()).status, 200);
    let unknown = || jose(JoseError::KeyUnknown);
    assert_refused(&by(&stranger, json!({})), unknown());
    assert_refused(&by(&world.cluster, itself), unknown());
}

#[test]
fn te_13_a_client_registers_its_keys() {
    let world = World::new();
    let keys = Owner::new("stranger").keys.to_members();
    let metadata = |more: Value| {
        merged(
            json!({"client_id": "keyed", "token_endpoint_auth_method": "private_key_jwt",
               "grant_types": ["client_credentials"], "scope": "read"}),
            more,
        )
    };
    for bad in [
        json!({}),
        json!({"jwks": {"keys": []}}),
        json!({"jwks": {"keys": [{"kty": "oct", "k": "AAAA"}]}}),
        json!({"jwks": keys, "jwks_uri": KEYS}),
        json!({"jwks_uri": "http://cluster.example/jwks"}),
        json!({"jwks_uri": "https://169.254.169.254/jwks"}),
        json!({"jwks_uri": 7}),
    ] {
        let answer = world.fixture.register(&metadata(bad.clone()));
        assert_eq!(answer.error(), "invalid_client_metadata", "{bad}");
    }
    let answer = world.fixture.register(&metadata(json!({"jwks": keys})));
    assert_eq!(answer.status, 201, "{}", answer.body);
    let registered = answer.json();
    assert_eq!(registered["jwks"], Value::Object(keys));
    assert_eq!(registered.get("client_secret"), None);
    let answer = world
        .fixture
        .post(Endpoint::Token, &shown("keyed", &own(&world, json!({}))));
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[test]
fn cr_3_a_stranger_has_us_fetch_nothing() {
    let fixture = Fixture::with(|config| config.danger_open_registration = true);
    let metadata = json!({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": KEYS,
                          "redirect_uris": ["https://a.example/cb"]});
    let request = edgemint::http::Request {
        method: "POST".to_owned(),
        body: metadata.to_string(),
        content_type: Some("application/json".to_owned()),
        ..Default::default()
    };
    let answer = fixture.send(Endpoint::Register, &request);
    assert_eq!(answer.error(), "invalid_client_metadata");
}

// Keys that are somewhere.

#[test]
fn s4_4_keys_by_url_are_fetched_once_and_a_steady_flow_asks_nobody() {
    let world = World::by_url();
    let cost = world.fixture.cost(|| world.works());
    assert_eq!((cost.courier, cost.fetches), (1, 1));
    for _ in 0..5 {
        world.fixture.later(59);
        let cost = world.fixture.cost(|| world.works());
        assert_eq!((cost.courier, cost.fetches, cost.ledger), (0, 0, 1));
    }
    world.fixture.later(59);
    let cost = world.fixture.cost(|| world.works());
    assert_eq!((cost.courier, cost.fetches), (1, 1));
}

#[test]
fn s4_4_a_key_that_is_new_is_found_and_one_that_is_nobodys_is_looked_for_once_a_minute() {
    let world = World::by_url();
    world.works();
    let stranger = Owner::new("stranger");
    let new = |world: &World| {
        let header = stranger.header(Algorithm::Es256, "JWT");
        world.show(&stranger.craft(Algorithm::Es256, &header, &world.claims().to_string()))
    };
    let unknown = jose(JoseError::KeyUnknown);
    let mut fetches = 0;
    for _ in 0..60 {
        world.fixture.later(2);
        fetches += world
            .fixture
            .cost(|| assert_eq!(new(&world).status / 100, 4))
            .fetches;
    }
    assert_eq!(fetches, 2);
    world.publish(&stranger);
    world.fixture.later(59);
    assert_eq!(new(&world).reason, Some(Reason::TooManyFailures(423)));
    world.fixture.later(600);
    assert_eq!(new(&world).status, 200);
    let old = world.show(&world.assertion(json!({})));
    assert_refused(&old, unknown);
}

#[test]
fn s4_4_keys_that_cannot_be_fetched_serve_on_for_six_hours_and_then_nothing_is_said_of_the_client()
{
    let world = World::by_url();
    world.works();
    world.fixture.memory().publish_at(KEYS, None);
    for _ in 0..5 {
        world.fixture.later(3600);
        world.works();
    }
    world.fixture.later(3600);
    let answer = world.show(&world.assertion(json!({})));
    assert_eq!(
        (answer.status, answer.error().as_str()),
        (503, "temporarily_unavailable")
    );
    assert_eq!(answer.header("retry-after"), Some("1"));
    world.publish(&world.cluster);
    world.fixture.later(300);
    world.works();
}

#[test]
fn s4_4_what_is_no_key_set_is_as_none() {
    let world = World::by_url();
    let private = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}]}"#;
    for document in ["", "<html>", "[]", "{}", r#"{"keys":{}}"#, private] {
        world.fixture.memory().publish_at(KEYS, Some(document));
        let answer = world.show(&world.assertion(json!({})));
        assert_eq!(answer.status, 503, "{document}");
        world.fixture.later(300);
    }
}

#[test]
fn s4_4_while_the_courier_is_away_a_copy_serves_and_without_one_nothing_is_said() {
    let world = World::by_url();
    world.fixture.memory().fail(Outage::Courier);
    assert_eq!(world.show(&world.assertion(json!({}))).status, 503);
    world.fixture.memory().restore();
    world.works();
    world.fixture.memory().fail(Outage::Courier);
    world.fixture.later(3600);
    world.works();
    // Who found it away does not wait for it again at once.
    assert_eq!(world.fixture.cost(|| world.works()).courier, 0);
    world.fixture.later(5 * 3600);
    assert_eq!(world.show(&world.assertion(json!({}))).status, 503);
}

#[test]
fn s4_4_an_outage_of_the_keys_is_no_failure_of_the_client() {
    let world = World::by_url();
    world.fixture.memory().publish_at(KEYS, None);
    let cost = world.fixture.cost(|| {
        for _ in 0..30 {
            assert_eq!(world.show(&world.assertion(json!({}))).status, 503);
        }
    });
    assert_eq!((cost.ledger, cost.fetches), (0, 1));
}

#[test]
fn s4_4_a_flow_without_an_assertion_asks_nobody_for_keys() {
    let world = World::by_url();
    let web = world
        .fixture
        .cost(|| drop(Tokens::of(&world.fixture.client_credentials("web"))));
    assert_eq!((web.courier, web.fetches, web.ledger), (0, 0, 0));
}

#[test]
fn cr_3_a_url_that_we_must_not_fetch_is_refused_by_name_where_it_is_written() {
    let world = World::new();
    for bad in [
        "http://cluster.example/jwks",
        "https://127.0.0.1/jwks",
        "https://[::ffff:10.0.0.1]/jwks",
        "https://0x7f000001/jwks",
        "https://localhost/jwks",
        "https://cluster.internal/jwks",
        "https://cluster/jwks",
        "https://cluster.example:8443/jwks",
        "https://a:b@cluster.example/jwks",
        "https://cluster.example/jwks#a",
        "cluster.example",
    ] {
        let body = json!({"name": "Bad", "slug": "bad", "issuer": CLUSTER, "jwks_uri": bad});
        refused(&world.fixture.api("POST", SOURCES, &body), 400, "jwks_uri");
        let body = json!({"jwks": null, "jwks_uri": bad});
        refused(
            &world.fixture.api("PATCH", &world.source, &body),
            400,
            "jwks_uri",
        );
        refused(
            &keyed(&world, json!({"jwks": null, "jwks_uri": bad})),
            400,
            "jwks_uri",
        );
    }
    let local = Fixture::with(|config| config.danger_allow_private_fetch_targets = true);
    let body = json!({"name": "Near", "slug": "near", "issuer": CLUSTER, "jwks_uri": "http://127.0.0.1:8080/jwks"});
    made(&local, SOURCES, body);
}

#[test]
fn keys_are_in_one_place_and_a_client_that_needs_some_has_some() {
    let world = World::new();
    let both = json!({"jwks_uri": KEYS});
    refused(
        &world.fixture.api("PATCH", &world.source, &both),
        400,
        "jwks_uri",
    );
    refused(&keyed(&world, both), 400, "jwks_uri");
    refused(&keyed(&world, json!({"jwks": null})), 400, "jwks");
    assert_eq!(
        keyed(&world, json!({"jwks": null, "jwks_uri": KEYS})).status,
        201
    );
}

#[test]
fn s4_4_a_client_has_eight_sources_at_most_and_no_two_of_one_issuer() {
    let world = World::new();
    let sources: Vec<Value> = (0..9)
        .map(|number| {
            let body = json!({"name": "More", "slug": format!("more-{number}"), "issuer": format!("https://{number}.example")});
            made(&world.fixture, SOURCES, body)["pk"].clone()
        })
        .collect();
    let set = |sources: &[Value]| {
        let body = json!({"jwks_sources": sources, "jwks_subjects": [JOB]});
        world.fixture.api("PATCH", &world.provider, &body)
    };
    refused(&set(&sources), 400, "jwks_sources");
    assert_eq!(set(&sources[..8]).status, 200);
    let twin = json!({"name": "Twin", "slug": "twin", "issuer": "https://0.example"});
    let twin = made(&world.fixture, SOURCES, twin)["pk"].clone();
    refused(&set(&[sources[0].clone(), twin]), 400, "jwks_sources");
}
