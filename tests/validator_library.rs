//! The library that a resource checks tokens with (S1): the verdicts of the issuer, from copies.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use edgemint::http::Request;
use edgemint::jose::{KeySet, RingVerifier};
use edgemint::model::{Moment, Scope, Seconds, Secret, UnixTime};
use edgemint::server::Endpoint;
use edgemint::token::mac::{Body, MacHeader, MacRefused, SignedRequest};
use edgemint::token::{AccessToken, Keyring, ResourceKeys, Revocations};
use edgemint::validator::{Known, Missing, Needed, Reading, Refused, Validator, presented};
use serde_json::{Value, json};
use support::tokens::{
    FORMS, altered, call_rpc, facts, get_with, json_post, kids, raise_epoch, resigned, sealed,
    signed_by_stranger, unsigned,
};
use support::{
    BOOTSTRAP, Fixture, Form, ISSUER, RESOURCE, Seen, Tokens, authorization, block_on,
    exchange_form, get, mac,
};

/// How old a copy of the revocations may be here, in milliseconds.
const BOUND: u64 = 60_000;

/// The resource, with all that it may have a copy of.
struct Resource<'a> {
    fixture: &'a Fixture,
    validator: Validator,
    keys: KeySet,
    copy: Revocations,
}

impl<'a> Resource<'a> {
    fn of(fixture: &'a Fixture) -> Self {
        let mut resource = Self {
            fixture,
            validator: Validator::new(ISSUER, RESOURCE)
                .with_resource_keys(resource_keys(fixture, RESOURCE))
                .unwrap(),
            keys: jwks(fixture),
            copy: Revocations::default(),
        };
        resource.poll();
        resource
    }

    fn poll(&mut self) {
        let mut reading = Reading::begin(&self.copy, self.fixture.at().now);
        loop {
            let answer = news(self.fixture, reading.since());
            if !reading.take(answer.as_bytes()).unwrap() {
                break;
            }
        }
        reading.finish(&mut self.copy).unwrap();
    }

    fn judge(&self, authorization: Option<&str>, needed: &Needed) -> Result<Value, Refused> {
        let known = Known {
            keys: Some(&self.keys),
            revocations: Some((&self.copy, BOUND)),
        };
        self.judge_with(authorization, needed, known)
    }

    fn judge_with(
        &self,
        authorization: Option<&str>,
        needed: &Needed,
        known: Known<'_>,
    ) -> Result<Value, Refused> {
        let now = self.fixture.at().now;
        let verdict = self
            .validator
            .validate(authorization, needed, known, &RingVerifier, now);
        let principal = block_on(verdict)?;
        Ok(serde_json::from_str(&principal.to_json().unwrap()).unwrap())
    }

    fn token(&self, token: &str) -> Result<Value, Refused> {
        self.judge(Some(&format!("Bearer {token}")), &Needed::default())
    }

    /// The verdict by introspection.
    fn introspected(&self, authorization: Option<&str>, needed: &Needed) -> Result<Value, Refused> {
        let token = presented(authorization)?;
        let answer = self.fixture.introspect_as("api", token.expose());
        let now = self.fixture.at().now;
        let verdict = self
            .validator
            .introspected(answer.body.as_bytes(), needed, now)?;
        Ok(serde_json::from_str(&verdict).unwrap())
    }

    /// That the library, the binding and introspection give the same verdict; answers it.
    #[track_caller]
    fn agreed(&self, what: &str, authorization: Option<&str>, scopes: &str, any: bool) -> Value {
        let needed = needed(scopes, any);
        let here = self.judge(authorization, &needed);
        let code = here.as_ref().err().map(Refused::cause);
        let here = printed(here);
        let there = printed(self.introspected(authorization, &needed));
        assert_eq!(here, there, "{what}: introspection");
        let mut arguments = json!({ "scopes": scopes, "satisfy": if any { "any" } else { "all" } });
        if let Some(authorization) = authorization {
            arguments["authorization"] = json!(authorization);
        }
        let bound = call_rpc(self.fixture, "validate", Some("api"), &arguments);
        assert_eq!(here, bound, "{what}: the binding");
        match code {
            Some(cause) => json!(cause),
            None => here,
        }
    }
}

fn needed(scopes: &str, any: bool) -> Needed {
    let scopes = Scope::parse(scopes).unwrap();
    Needed { scopes, any }
}

/// As the binding prints it.
fn printed(verdict: Result<Value, Refused>) -> Value {
    verdict.unwrap_or_else(|refused| {
        json!({
            "error": refused.error(),
            "status": refused.status(),
            "challenge": refused.challenge(),
        })
    })
}

fn resource_keys(fixture: &Fixture, resource: &str) -> ResourceKeys {
    let body = json!({ "resource": resource }).to_string();
    let answer = fixture.send(Endpoint::ResourceKeys, &json_post(Some(BOOTSTRAP), &body));
    ResourceKeys::from_json(answer.json().as_object().unwrap()).unwrap()
}

fn jwks(fixture: &Fixture) -> KeySet {
    let answer = fixture.send(Endpoint::Jwks, &get(&Form::default()));
    KeySet::parse(answer.body.as_bytes()).unwrap()
}

fn news(fixture: &Fixture, since: Option<&str>) -> String {
    let query = since.map(|since| Form::new(&[("since", since)]).encode());
    // Of no epoch.
    let bearer = format!("Bearer {BOOTSTRAP}");
    let request = Request {
        path: "/api/v1/revocations".to_owned(),
        query: query.unwrap_or_default(),
        ..get_with(&bearer)
    };
    fixture.send(Endpoint::Revocations, &request).body
}

/// A token of `ada` for the resource, in the form of this client's.
fn token_of(fixture: &Fixture, client: &str) -> String {
    let form = authorization(client).with("resource", RESOURCE);
    let code = fixture.signed_in_browser().code(&form);
    Tokens::of(&fixture.token_as(client, &exchange_form(client, &code))).access
}

/// The facts of a good token for the resource.
fn for_resource(fixture: &Fixture) -> AccessToken {
    AccessToken {
        audience: RESOURCE.to_owned(),
        ..facts(fixture)
    }
}

#[test]
fn s1_7_a_good_token_gets_the_same_principal_everywhere() {
    let fixture = Fixture::new();
    for form in FORMS {
        let token = token_of(&fixture, form);
        let resource = Resource::of(&fixture);
        let bearer = format!("bEaReR {token}");
        for (scopes, any) in [
            ("", false),
            ("read", false),
            ("read missing", true),
            ("", true),
        ] {
            let told = resource.agreed(form, Some(&bearer), scopes, any);
            assert_eq!(told["active"], true, "{told}");
            assert_eq!(
                (&told["sub"], &told["aud"]),
                (&json!("u_ada"), &json!(RESOURCE))
            );
            assert_eq!(told["client_id"], form);
        }
        let little = resource.agreed(form, Some(&bearer), "missing read", false);
        assert_eq!(little, "insufficient_scope");
    }
}

#[test]
fn s1_7_a_level_is_held_by_the_star_of_its_service() {
    let fixture = Fixture::new();
    let resource = Resource::of(&fixture);
    let token = AccessToken {
        scope: Scope::parse("bill:* openid").unwrap(),
        ..for_resource(&fixture)
    };
    let bearer = format!("Bearer {}", sealed(&fixture, &token));
    let held = resource.agreed("star", Some(&bearer), "bill:read bill:write", false);
    assert_eq!(held["active"], true);
    for scopes in ["mail:read", "admin:token", "bill"] {
        let refused = resource.agreed("star", Some(&bearer), scopes, true);
        assert_eq!(refused, "insufficient_scope");
    }
}

#[test]
fn s1_7_a_bad_header_or_token_gets_the_same_refusal_everywhere() {
    let fixture = Fixture::new();
    let good = for_resource(&fixture);
    let (token, jwt) = (sealed(&fixture, &good), token_of(&fixture, "jwt"));
    let own = fixture.tokens();
    let now = fixture.now();
    let at = |issued, expires| {
        let token = AccessToken {
            issued_at: UnixTime(issued),
            expires_at: UnixTime(expires),
            ..good.clone()
        };
        sealed(&fixture, &token)
    };
    let stranger = Keyring::new(ISSUER, &[Secret::new("another root, of 32 bytes or more")]);
    let foreign = stranger.unwrap().seal(&good, 1, [7; 24]).unwrap();
    let resource = Resource::of(&fixture);
    let (unknown, other) = ("token_unknown", "token_for_other_audience");
    let kid = &kids(&fixture)[0];
    for (what, text, cause) in [
        ("a word", "nonsense", unknown),
        ("a bare prefix", "ema_", unknown),
        ("three empty parts", "..", unknown),
        ("another character", "a b", unknown),
        ("two tokens", &format!("{token},Bearer {token}"), unknown),
        ("truncated", &token[..token.len() - 1], unknown),
        ("extended", &format!("{token}A"), unknown),
        ("expired by nothing", &at(now - 60, now), "token_expired"),
        ("dated ahead", &at(now + 61, now + 600), unknown),
        ("of another root", foreign.expose(), unknown),
        ("a refresh token", own.refresh(), unknown),
        ("an ID token", own.id_token.as_ref().unwrap(), unknown),
        ("sealed for another", &own.access, unknown),
        ("a JWT for another", &fixture.tokens_of("jwt").access, other),
        ("altered", &altered(&jwt, "sub", &json!("u_bob")), unknown),
        ("unsigned", &unsigned(&jwt), unknown),
        ("resigned", &resigned(&jwt, None), unknown),
        (
            "by a stranger",
            &signed_by_stranger("other", "at+jwt", &json!({})),
            "key_unknown",
        ),
        (
            "by a stranger in our name",
            &signed_by_stranger(kid, "JWT", &json!({})),
            unknown,
        ),
    ] {
        let bearer = format!("Bearer {text}");
        let found = resource.agreed(what, Some(&bearer), "", false);
        assert_eq!(found, cause, "{what}");
    }
    for (header, cause) in [
        (None, "no_token"),
        (Some(""), "no_token"),
        (Some("Bearer"), "no_token"),
        (Some("Basic eDp5"), "no_token"),
        (Some("Bearer "), unknown),
    ] {
        assert_eq!(
            resource.agreed("header", header, "", false),
            cause,
            "{header:?}"
        );
    }
    // The edge's clock may be ahead of ours by this much.
    assert_eq!(
        resource.token(&at(now + 60, now + 600)).unwrap()["active"],
        true
    );
}

#[test]
fn s1_7_no_flipped_bit_makes_a_yes() {
    let fixture = Fixture::new();
    let resource = Resource::of(&fixture);
    let token = sealed(&fixture, &for_resource(&fixture));
    assert!(resource.token(&token).is_ok());
    for at in 0..token.len() {
        for bit in 0..7 {
            let mut bent = token.clone().into_bytes();
            bent[at] ^= 1 << bit;
            let bent = String::from_utf8(bent).unwrap();
            // One that names a later epoch gets no verdict, the others a no.
            assert!(resource.token(&bent).is_err(), "{bent}");
        }
    }
}

#[test]
fn s1_7_what_was_revoked_is_refused_once_the_copy_knows() {
    let fixture = Fixture::new();
    for form in FORMS {
        let token = token_of(&fixture, form);
        let mut resource = Resource::of(&fixture);
        assert!(resource.token(&token).is_ok());
        assert_eq!(fixture.revoke_as(form, &token).status, 200);
        resource.poll();
        let bearer = format!("Bearer {token}");
        assert_eq!(
            resource.agreed(form, Some(&bearer), "", false),
            "token_revoked"
        );
    }
}

#[test]
fn s1_7_a_copy_beyond_its_bound_gives_no_verdict_and_no_copy_asks_nothing() {
    let fixture = Fixture::new();
    for form in FORMS {
        let token = token_of(&fixture, form);
        let mut resource = Resource::of(&fixture);
        fixture.later(BOUND / 1000);
        assert!(resource.token(&token).is_ok());
        fixture.later(1);
        let refused = resource.token(&token).unwrap_err();
        assert_eq!(refused, Refused::Missing(Missing::Revocations));
        assert_eq!((refused.error(), refused.status()), ("unavailable", 503));
        assert_eq!((refused.challenge(), refused.scope()), (None, None));
        // What needs no copy is said without one.
        assert_eq!(resource.token("ema_x").unwrap_err(), Refused::TokenUnknown);

        let unasked = Known {
            keys: Some(&resource.keys),
            revocations: None,
        };
        let bearer = format!("Bearer {token}");
        let verdict = resource.judge_with(Some(&bearer), &Needed::default(), unasked);
        assert!(verdict.is_ok());
        let never = Revocations::default();
        let never = Known {
            revocations: Some((&never, BOUND)),
            ..unasked
        };
        let verdict = resource.judge_with(Some(&bearer), &Needed::default(), never);
        assert_eq!(verdict, Err(Refused::Missing(Missing::Revocations)));
        resource.poll();
        assert!(resource.token(&token).is_ok());
    }
}

#[test]
fn s1_7_without_keys_there_is_no_verdict() {
    let fixture = Fixture::new();
    let none = Validator::new(ISSUER, RESOURCE);
    for (form, missing) in [("web", Missing::ResourceKeys), ("jwt", Missing::Keys)] {
        let bearer = format!("Bearer {}", token_of(&fixture, form));
        let needed = Needed::default();
        let verdict = none.validate(
            Some(&bearer),
            &needed,
            Known::default(),
            &RingVerifier,
            Moment(fixture.now() * 1000),
        );
        assert_eq!(block_on(verdict).unwrap_err(), Refused::Missing(missing));
    }
}

#[test]
fn s1_7_keys_of_another_resource_or_issuer_are_not_taken() {
    let fixture = Fixture::new();
    let keys = resource_keys(&fixture, RESOURCE);
    for (issuer, audience) in [
        (ISSUER, "https://other.example"),
        ("https://other.example", RESOURCE),
        (ISSUER, ""),
    ] {
        let validator = Validator::new(issuer, audience).with_resource_keys(keys.clone());
        assert!(validator.is_err(), "{issuer} {audience}");
    }
}

#[test]
fn s1_7_after_a_new_epoch_the_keys_have_to_be_fetched_anew() {
    let fixture = Fixture::new();
    let old = token_of(&fixture, "web");
    let mut resource = Resource::of(&fixture);
    raise_epoch(&fixture);
    fixture.later(10);
    resource.poll();
    assert_eq!(resource.token(&old).unwrap_err(), Refused::TokenRevoked);
    let new = token_of(&fixture, "web");
    let refused = resource.token(&new).unwrap_err();
    assert_eq!(refused, Refused::Missing(Missing::NewerResourceKeys));
    assert_eq!(
        (refused.status(), refused.cause()),
        (503, "resource_keys_outdated")
    );
    let resource = Resource::of(&fixture);
    assert!(resource.token(&new).is_ok());
    // JWTs need no such key, and their epoch is asked all the same.
    assert!(resource.token(&token_of(&fixture, "jwt")).is_ok());
    assert_eq!(resource.token(&old).unwrap_err(), Refused::TokenUnknown);
}

#[test]
fn s1_7_an_introspection_that_says_something_else_is_no_yes() {
    let fixture = Fixture::new();
    let resource = Resource::of(&fixture);
    let token = sealed(&fixture, &for_resource(&fixture));
    let good = fixture.introspect_as("api", &token).json();
    let verdict = |answer: &str| {
        let now = fixture.at().now;
        resource
            .validator
            .introspected(answer.as_bytes(), &Needed::default(), now)
    };
    assert!(verdict(&good.to_string()).is_ok());
    for (name, value, cause) in [
        ("token_type", json!(null), "token_unknown"),
        ("iss", json!("https://other.example"), "token_unknown"),
        (
            "aud",
            json!("https://other.example"),
            "token_for_other_audience",
        ),
        ("exp", json!(fixture.now()), "token_expired"),
        ("active", json!(false), "token_unknown"),
        ("active", json!("true"), "no_resource_keys"),
        ("sub", json!(7), "no_resource_keys"),
        ("scope", json!("a  b"), "no_resource_keys"),
    ] {
        let mut answer = good.clone();
        answer[name] = value;
        let refused = verdict(&answer.to_string()).unwrap_err();
        assert_eq!(refused.cause(), cause, "{name}");
    }
    for answer in [
        "",
        "[]",
        "{}",
        "{\"active\":true,\"active\":true}",
        "<html>",
    ] {
        assert_eq!(verdict(answer).unwrap_err().status(), 503, "{answer}");
    }
}

#[test]
fn s1_7_answers_of_the_feed_that_do_not_join_or_are_not_known_change_nothing() {
    let fixture = Fixture::new();
    let first = news(&fixture, None);
    let mut read: Value = serde_json::from_str(&first).unwrap();
    let copy = Revocations::default();
    let take = |answer: &Value| {
        let mut reading = Reading::begin(&copy, fixture.at().now);
        reading.take(answer.to_string().as_bytes())
    };
    assert_eq!(take(&read), Ok(false));
    read["entries"] = json!([{ "of_a_later_release": "x" }]);
    assert!(take(&read).is_err());
    read["entries"] = json!([]);
    read["more"] = json!(true);
    let mut reading = Reading::begin(&copy, fixture.at().now);
    let part = read.to_string();
    assert_eq!(reading.take(part.as_bytes()), Ok(true));
    // Not what follows on from it, but the beginning again.
    assert!(reading.take(part.as_bytes()).is_err());
    let mut reading = Reading::begin(&copy, fixture.at().now);
    assert_eq!(reading.take(part.as_bytes()), Ok(true));
    assert!(reading.finish(&mut Revocations::default()).is_err());
}

#[test]
fn s3_6_a_signed_request_is_judged_by_what_introspection_says_and_counts_when_its_nonce_is_spent() {
    let fixture = mac::fixture();
    let credentials = mac::for_resource(&fixture);
    let told = fixture.introspect_as("api", &credentials.id).body;
    let validator = Validator::new(ISSUER, RESOURCE);
    let signing = mac::Signing {
        uri: "/v1",
        host: "api.example",
        ..mac::Signing::at(mac::Draft::Zero(0), "n")
    };
    let authorization = credentials.sign(&signing);
    let header = MacHeader::parse(&authorization).unwrap();
    assert_eq!(header.id, credentials.id);
    let judge = |validator: &Validator, told: &str, host: &str, scope: &str, later: u64| {
        let request = SignedRequest {
            method: "GET",
            uri: "/v1",
            host,
            port: 443,
            body: Body::Unknown,
        };
        let needed = Needed {
            scopes: Scope::parse(scope).unwrap(),
            any: false,
        };
        let now = Moment((fixture.now() + later) * 1000);
        validator.signed(
            &header,
            &request,
            told.as_bytes(),
            &needed,
            (now, Seconds(60)),
        )
    };
    let good = || judge(&validator, &told, "api.example", "read", 0).unwrap();
    assert_eq!(good().nonce(), good().nonce());
    // By the widest window that can be set, so that a wider one makes nothing fresh again.
    assert_eq!(good().nonce().expires_at.0, fixture.now() + 301);
    assert_eq!(good().spent(false).unwrap_err(), MacRefused::Replayed);
    let principal = good().spent(true).unwrap();
    assert_eq!(principal.token().client.as_str(), "web");

    let without_key = fixture.introspect_as("web", &credentials.id).body;
    let bearer = told.replace("\"mac\"", "\"Bearer\"");
    let other = Validator::new(ISSUER, "https://other.example/");
    let unfit = Refused::Missing(Missing::ResourceKeys);
    let lacking = Refused::InsufficientScope(Scope::parse("admin:token").unwrap());
    for (verdict, refused) in [
        (
            judge(&validator, &told, "evil.example", "", 0),
            Refused::Mac(MacRefused::Mismatch),
        ),
        (
            judge(&validator, &told, "api.example", "", 61),
            Refused::Mac(MacRefused::OutOfTime),
        ),
        (
            judge(&validator, &told, "api.example", "admin:token", 0),
            lacking,
        ),
        (
            judge(&validator, &without_key, "api.example", "", 0),
            unfit.clone(),
        ),
        (judge(&validator, "{}", "api.example", "", 0), unfit),
        (
            judge(&validator, r#"{"active":false}"#, "api.example", "", 0),
            Refused::TokenUnknown,
        ),
        (
            judge(&validator, &bearer, "api.example", "", 0),
            Refused::TokenUnknown,
        ),
        (
            judge(&other, &told, "api.example", "", 0),
            Refused::OtherAudience,
        ),
    ] {
        let seen = verdict.unwrap_err();
        assert_eq!(seen, refused);
        assert_eq!(seen.mac_challenge().is_none(), seen.status() == 503);
    }
    // What says of a key identifier that it lives does not make a bearer token of it.
    let verdict = validator.introspected(told.as_bytes(), &Needed::default(), fixture.at().now);
    assert_eq!(verdict.unwrap_err(), Refused::TokenUnknown);
    let resource = Resource::of(&fixture);
    assert_eq!(resource.token(&credentials.id), Err(Refused::TokenUnknown));
}
