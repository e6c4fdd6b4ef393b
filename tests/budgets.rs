//! What each flow costs in storage. Questions to the feed are not counted here: an isolate asks
//! them by the clock, not by the request.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod jose_support;
mod support;

use edgemint::http::Request;
use edgemint::jose::Algorithm;
use edgemint::model::ClientId;
use edgemint::server::Endpoint;
use jose_support::Owner;
use serde_json::json;
use support::{
    Fixture, Form, Operations, Tokens, authenticated, authorization, client, exchange_form, gate,
    mac, refresh_form, tokens,
};

/// What an action costs besides questions to the feed.
fn cost(fixture: &Fixture, action: impl FnOnce()) -> Operations {
    Operations {
        feed: 0,
        ..fixture.cost(action)
    }
}

const NOTHING: Operations = Operations {
    ledger: 0,
    directory: 0,
    feed: 0,
    kv_puts: 0,
    courier: 0,
    fetches: 0,
};

const ONE_LEDGER_CALL: Operations = Operations {
    ledger: 1,
    ..NOTHING
};

const ONE_KV_PUT: Operations = Operations {
    kv_puts: 1,
    ..NOTHING
};

#[test]
fn a_sign_in_with_a_warm_session_costs_one_kv_put_and_one_ledger_call() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    for id in ["web", "other"] {
        fixture.tokens_in(&browser, id);
        let mut code = String::new();
        let form = authorization(id);
        let authorize = cost(&fixture, || code = browser.code(&form));
        let request = fixture.token_request(id, &exchange_form(id, &code));
        let exchange = cost(&fixture, || {
            assert_eq!(fixture.send(Endpoint::Token, &request).status, 200);
        });
        assert_eq!((authorize, exchange), (ONE_KV_PUT, ONE_LEDGER_CALL), "{id}");
    }
    // The key of `web` signs in memory; that of `jwt` is RSA and costs no more.
    fixture.tokens_in(&browser, "jwt");
    let whole = cost(&fixture, || drop(fixture.tokens_in(&browser, "jwt")));
    let expected = Operations {
        ledger: 1,
        ..ONE_KV_PUT
    };
    assert_eq!(whole, expected);
}

#[test]
fn a_remembered_consent_costs_one_ledger_read_more() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    for id in ["post", "spa"] {
        fixture.tokens_in(&browser, id);
        let whole = cost(&fixture, || drop(fixture.tokens_in(&browser, id)));
        let expected = Operations {
            ledger: 2,
            ..ONE_KV_PUT
        };
        assert_eq!(whole, expected, "{id}");
    }
}

#[test]
fn a_session_is_read_once_and_then_known() {
    let fixture = Fixture::new();
    let browser = fixture.browser();
    let form = authorization("web");
    browser.code(&form);
    let cold = cost(&fixture, || drop(browser.code(&form)));
    assert_eq!((cold.ledger, cold.kv_puts), (1, 1));
    let warm = cost(&fixture, || drop(browser.code(&form)));
    assert_eq!(warm, ONE_KV_PUT);
}

#[test]
fn a_refresh_costs_one_ledger_call_and_no_kv() {
    let fixture = Fixture::new();
    for id in ["web", "post", "spa", "jwt"] {
        let tokens = fixture.tokens_of(id);
        let request = fixture.token_request(id, &refresh_form(tokens.refresh()));
        for round in ["first", "retry"] {
            let refresh = cost(&fixture, || {
                Tokens::of(&fixture.send(Endpoint::Token, &request));
            });
            assert_eq!(refresh, ONE_LEDGER_CALL, "{id} {round}");
        }
    }
}

#[test]
fn introspection_and_validation_cost_nothing_whatever_the_verdict() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens();
    let jwt = fixture.tokens_of("jwt");
    let own = Tokens::of(&fixture.client_credentials("web"));
    fixture.client_credentials("api");
    fixture.client_credentials("other");
    let dead = fixture.tokens();
    assert_eq!(fixture.revoke(&dead.access).status, 200);
    for (id, token) in [
        ("web", &tokens.access),
        ("web", &own.access),
        ("web", &dead.access),
        ("jwt", &jwt.access),
        ("api", &tokens.access),
        ("other", &"no token of ours".to_owned()),
    ] {
        let form = Form::new(&[("token", token)]);
        let request = authenticated(id, &form);
        for endpoint in [Endpoint::Introspect, Endpoint::CheckToken] {
            let steady = cost(&fixture, || {
                assert_eq!(fixture.send(endpoint, &request).status, 200);
            });
            assert_eq!(steady, NOTHING, "{id} {endpoint:?}");
        }
    }
}

#[test]
fn the_gate_costs_nothing_whatever_the_verdict() {
    let fixture = gate::fixture();
    let tokens = fixture.tokens();
    let browser = fixture.signed_in_browser();
    let dead = fixture.tokens();
    let made = fixture.user_token("ada", "read", None);
    assert_eq!(fixture.revoke(&dead.access).status, 200);
    for (request, status) in [
        (gate::bearing("service=app&scope=read", &made), 200),
        (gate::bearing("notebook=true", &made), 200),
        (
            gate::browsing("delegate_to=tap&delegate_scope=read", &browser),
            200,
        ),
        (gate::bearing("service=web&scope=read", &tokens.access), 200),
        (
            gate::bearing("service=web&scope=write", &tokens.access),
            403,
        ),
        (gate::bearing("service=web", &dead.access), 401),
        (gate::bearing("service=web", "no token of ours"), 403),
        (gate::browsing("service=app&scope=read", &browser), 200),
        (gate::asked("service=app"), 401),
    ] {
        fixture.gate(&request);
        let steady = cost(&fixture, || {
            assert_eq!(fixture.gate(&request).status, status);
        });
        assert_eq!(steady, NOTHING, "{}", request.query);
    }
}

#[test]
fn s3_6_a_signed_request_costs_one_ledger_call_and_one_that_is_refused_before_none() {
    let fixture = mac::fixture();
    let own = mac::own(&fixture);
    let at = |nonce: &str| own.sign(&mac::Signing::at(mac::Draft::Zero(0), nonce));
    let bent = at("bent").replace("0:bent", "0:lent");
    fixture.gate(&mac::signed("", &at("warm")));
    for (query, header, status, expected) in [
        ("scope=read", at("first"), 200, ONE_LEDGER_CALL),
        ("", at("first"), 401, ONE_LEDGER_CALL),
        ("", bent, 401, NOTHING),
        ("scope=admin:token", at("lacking"), 403, NOTHING),
        ("minimum_lifetime=3601", at("short"), 401, NOTHING),
        ("username=bob", at("other"), 403, NOTHING),
    ] {
        let request = mac::signed(query, &header);
        let spent = cost(&fixture, || {
            assert_eq!(fixture.gate(&request).status, status, "{query}");
        });
        assert_eq!(spent, expected, "{query}");
    }
    let minted = cost(&fixture, || drop(mac::own(&fixture)));
    assert_eq!(minted, NOTHING);
    fixture.introspect_as("web", &own.id);
    let told = cost(&fixture, || assert!(fixture.is_active(&own.id)));
    assert_eq!(told, NOTHING);
    let resource = mac::for_resource(&fixture);
    let signing = mac::Signing {
        uri: "/v1",
        host: "api.example",
        ..mac::Signing::at(mac::Draft::Zero(0), "n")
    };
    let question = json!({
        "authorization": resource.sign(&signing), "method": "GET", "url": "https://api.example/v1",
    });
    for (client, expected) in [("other", NOTHING), ("api", ONE_LEDGER_CALL)] {
        tokens::call_rpc(&fixture, "introspect", Some(client), &json!({"token": "x"}));
        let asked = cost(&fixture, || {
            let verdict = tokens::call_rpc(&fixture, "validate_mac", Some(client), &question);
            assert_eq!(verdict["active"] == true, client == "api", "{verdict}");
        });
        assert_eq!(asked, expected, "{client}");
    }
}

#[test]
fn what_is_dead_costs_one_ledger_call_and_then_nothing() {
    // Neither cookie nor token is named by the feed: the password ended them all at once.
    let fixture = gate::fixture();
    let browser = fixture.signed_in_browser();
    let cookie = gate::browsing("service=app", &browser);
    let token = gate::bearing("service=app", &fixture.user_token("ada", "read", None));
    for request in [&cookie, &token] {
        assert_eq!(fixture.gate(request).status, 200);
    }
    fixture.change_password("ada", "another long password");
    fixture.gate(&gate::asked("service=app"));
    // The token's row is known, with what ends it. After an hour everything is read anew.
    for (wait, of_token) in [(0, NOTHING), (3600, ONE_LEDGER_CALL)] {
        fixture.later(wait);
        for (request, first) in [(&cookie, ONE_LEDGER_CALL), (&token, of_token)] {
            for costs in [first, NOTHING, NOTHING] {
                let spent = cost(&fixture, || {
                    assert_eq!(fixture.gate(request).status, 401);
                });
                assert_eq!(spent, costs, "{wait}");
            }
        }
    }
}

#[test]
fn a_stranger_who_asks_about_handles_costs_nothing() {
    let fixture = gate::fixture();
    let tokens = fixture.tokens();
    let bob = fixture.user_token("bob", "read", None);
    let other = fixture.user_token("bob", "read user:token", None);
    fixture.client_credentials("other");
    // Nobody has looked these up here yet.
    let made: Vec<String> = (0..23)
        .map(|_| fixture.user_token("ada", "read", None))
        .collect();
    let delegating = gate::bearing("delegate_to=svc&delegate_scope=read", &made[0]);
    let child = fixture.gate(&delegating);
    let child = child.header("x-auth-request-token").unwrap();
    let texts: Vec<&str> = made.iter().map(String::as_str).chain([child]).collect();
    let batch = |mut request: Request| {
        request.body = json!({ "tokens": texts }).to_string();
        request.content_type = Some("application/json".to_owned());
        request
    };
    let bearing = |token: &str| Request {
        method: "POST".to_owned(),
        authorization: Some(format!("Bearer {token}")),
        ..Request::default()
    };
    let by_client = |id| batch(authenticated(id, &Form::default()));
    for (who, request) in [
        ("a client that serves nothing", by_client("other")),
        ("an access token", batch(bearing(&tokens.access))),
        (
            "a token that is for nothing of one's own",
            batch(bearing(&bob)),
        ),
    ] {
        fixture.gate(&gate::bearing("", &bob));
        let asked = cost(&fixture, || {
            let answer = fixture.send(Endpoint::Introspect, &request);
            assert_eq!(answer.status, 200, "{who}: {}", answer.body);
            assert!(!answer.body.contains("\"active\":true"), "{who}");
        });
        assert_eq!(asked, NOTHING, "{who}");
    }
    // Of somebody else, who may live in the same shard.
    let answer = fixture.send(Endpoint::Introspect, &batch(bearing(&other)));
    assert!(!answer.body.contains("\"active\":true"));
    // And whose business it is, is told.
    let answer = fixture.send(Endpoint::Introspect, &by_client("api"));
    assert_eq!(answer.body.matches("\"active\":true").count(), 23);
}

#[test]
fn a_token_of_another_audience_costs_nothing_where_the_service_is_no_client() {
    let fixture = gate::fixture();
    let tokens = fixture.tokens();
    let request = gate::bearing("service=portal&scope=read", &tokens.access);
    let refused = || assert_eq!(fixture.gate(&request).status, 401);
    refused();
    assert_eq!(cost(&fixture, refused), NOTHING);
    // One that is made meanwhile counts within the bound.
    let mut portal = client("api");
    portal.id = ClientId::parse("portal").unwrap();
    portal.serves = ["web".to_owned()].into();
    fixture.create_client(portal);
    fixture.later(5);
    assert_eq!(fixture.gate(&request).status, 200);
}

#[test]
fn a_steady_request_asks_the_feed_and_nobody_else() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens();
    fixture.introspect(&tokens.access);
    let before = fixture.memory().operations();
    fixture.introspect(&tokens.access);
    let after = fixture.memory().operations();
    assert!(after.feed > before.feed);
    assert_eq!(
        Operations {
            feed: before.feed,
            ..after
        },
        before
    );
}

#[test]
fn client_credentials_cost_nothing() {
    let fixture = Fixture::new();
    for id in ["web", "post", "jwt", "api"] {
        fixture.client_credentials(id);
        let steady = cost(&fixture, || {
            assert_eq!(fixture.client_credentials(id).status, 200);
        });
        assert_eq!(steady, NOTHING, "{id}");
    }
}

#[test]
fn a_request_that_is_refused_for_what_it_says_costs_nothing() {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let code = browser.code(&authorization("web"));
    let tokens = fixture.tokens_in(&browser, "web");
    let good = exchange_form("web", &code);
    for form in [
        good.clone().with("code_verifier", &"x".repeat(43)),
        good.clone().with("redirect_uri", "https://evil.example/"),
        good.clone().with("code", "emc_x"),
        good.with("grant_type", "password"),
        refresh_form("emr_x"),
        refresh_form(tokens.refresh()).with("scope", "a  b"),
    ] {
        let refused = cost(&fixture, || {
            assert_eq!(fixture.token_as("web", &form).status, 400);
        });
        assert_eq!(refused, NOTHING, "{form:?}");
    }
    for form in [
        authorization("web").without("code_challenge"),
        authorization("web").with("redirect_uri", "https://evil.example/"),
    ] {
        assert_eq!(cost(&fixture, || drop(browser.authorize(&form))), NOTHING);
    }
}

#[test]
fn discovery_and_keys_cost_nothing() {
    let fixture = Fixture::new();
    fixture.tokens();
    for endpoint in [
        Endpoint::OpenidConfiguration,
        Endpoint::AuthorizationServer,
        Endpoint::Jwks,
        Endpoint::Health,
    ] {
        let asked = cost(&fixture, || drop(fixture.get(endpoint, &Form::default())));
        assert_eq!(asked, NOTHING, "{endpoint:?}");
    }
}

#[test]
fn an_assertion_costs_the_one_ledger_call_that_spends_it() {
    let fixture = Fixture::new();
    let owner = Owner::new("issuer");
    let keys = owner.keys.to_members();
    let metadata = json!({"client_id": "keyed", "token_endpoint_auth_method": "private_key_jwt",
                          "jwks": keys, "grant_types": ["client_credentials"], "scope": "read"});
    assert_eq!(fixture.register(&metadata).status, 201);
    let form = |jti: &str| {
        let claims = json!({"iss": "keyed", "sub": "keyed", "aud": support::ISSUER,
                            "exp": fixture.now() + 60, "jti": jti});
        let header = owner.header(Algorithm::Es256, "JWT");
        let assertion = owner.craft(Algorithm::Es256, &header, &claims.to_string());
        Form::new(&[
            ("grant_type", "client_credentials"),
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
            ("client_assertion", &assertion),
        ])
    };
    let ask = |jti| assert_eq!(fixture.post(Endpoint::Token, &form(jti)).status, 200);
    ask("first");
    assert_eq!(cost(&fixture, || ask("second")), ONE_LEDGER_CALL);
}
