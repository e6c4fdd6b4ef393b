//! Tokens as a deployment makes them and as others bend them, and the answers about them.

use edgemint::http::{Request, Response};
use edgemint::jose::{Algorithm, RingSigner, SigningKeyRef, base64url, jwt};
use edgemint::model::{ClientId, Scope, Shard, UnixTime, Username};
use edgemint::oauth::rpc::{self, Question};
use edgemint::ports::feed::{FeedVerb, RaiseEpoch};
use edgemint::ports::{Call, Feed};
use edgemint::server::Endpoint;
use edgemint::token::{AccessToken, Generations};
use serde_json::{Map, Value};

use super::{Browser, Fixture, Form, Seen, Tokens, authorization, block_on, decoded, get};

/// Clients with either form of access tokens.
pub(crate) const FORMS: [&str; 2] = ["web", "jwt"];

/// A good authorization request whose grant dies with the session.
pub(crate) fn online(id: &str) -> Form {
    authorization(id).with("scope", "openid profile read")
}

/// The tokens of a grant that is bound to the browser's session.
pub(crate) fn online_tokens(fixture: &Fixture, browser: &Browser<'_>, id: &str) -> Tokens {
    Tokens::of(&fixture.exchange_as(id, &browser.code(&online(id))))
}

/// Something did not answer, and that is all that is said: it is no verdict (RFC 9110 §15.6.4).
#[track_caller]
pub(crate) fn assert_unavailable(answer: &Response) {
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert!(answer.header("retry-after").is_some());
    assert!(answer.header("www-authenticate").is_none());
    assert!(!answer.body.contains("active\""), "{}", answer.body);
}

/// The exact answer about a token that is nobody's business (RFC 7662 §2.2).
#[track_caller]
pub(crate) fn assert_inactive(answer: &Response) {
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.body, r#"{"active":false}"#);
}

/// GET with an `Authorization` header.
pub(crate) fn get_with(authorization: &str) -> Request {
    Request {
        authorization: Some(authorization.to_owned()),
        ..get(&Form::default())
    }
}

/// POST of JSON, with a bearer token if there is one.
pub(crate) fn json_post(token: Option<&str>, body: &str) -> Request {
    Request {
        method: "POST".to_owned(),
        body: body.to_owned(),
        content_type: Some("application/json".to_owned()),
        authorization: token.map(|token| format!("Bearer {token}")),
        address: Some("192.0.2.1".to_owned()),
        ..Request::default()
    }
}

/// `POST /api/v1/accounts/`.
pub(crate) fn account_post(token: Option<&str>, json: &str) -> Request {
    Request {
        path: "/api/v1/accounts/".to_owned(),
        ..json_post(token, json)
    }
}

/// What a Worker with a service binding gets.
pub(crate) fn call_rpc(
    fixture: &Fixture,
    verb: &str,
    client: Option<&str>,
    arguments: &Value,
) -> Value {
    let client = client.map(|id| ClientId::parse(id).unwrap());
    let at = fixture.at();
    let line = |name: &str| match arguments.get(name).and_then(Value::as_str) {
        Some(text) => format!("={text}"),
        None => String::new(),
    };
    let lines = if verb.starts_with("validate") {
        let satisfy = arguments.get("satisfy").and_then(Value::as_str);
        let scopes = arguments.get("scopes").and_then(Value::as_str);
        let mut lines = vec![
            satisfy.unwrap_or("all").to_owned(),
            line("authorization"),
            format!("={}", scopes.unwrap_or_default()),
        ];
        if verb == "validate_mac" {
            lines.extend(["method", "url", "body_hash"].map(line));
        }
        lines.join("\n")
    } else {
        line("token")
    };
    let question = Question::read(verb, &lines);
    let answer = rpc::answer(&fixture.server, client, question, &at);
    serde_json::from_str(&block_on(answer)).unwrap()
}

/// Ends every earlier epoch, as an administrator does after a restore.
pub(crate) fn raise_epoch(fixture: &Fixture) {
    let call = Call {
        at: fixture.at(),
        verb: FeedVerb::RaiseEpoch(Box::new(RaiseEpoch {})),
    };
    block_on(fixture.memory().call_feed(call)).unwrap();
}

/// The facts of a good token of `web` for itself, to be changed and sealed.
pub(crate) fn facts(fixture: &Fixture) -> AccessToken {
    AccessToken {
        sub: "u_ada".to_owned(),
        told_as: None,
        application: None,
        username: Username::parse("ada").unwrap(),
        client: ClientId::parse("web").unwrap(),
        scope: Scope::parse("openid read").unwrap(),
        audience: "web".to_owned(),
        issued_at: UnixTime(fixture.now()),
        expires_at: UnixTime(fixture.now() + 600),
        grant: None,
        session: None,
        shard: Shard(0),
        generations: Generations::default(),
        mapped: false,
    }
}

/// Seals facts as the deployment would.
pub(crate) fn sealed(fixture: &Fixture, token: &AccessToken) -> String {
    let id = fixture.server.fresh_id().unwrap();
    let sealed = fixture.server.keyring.seal(token, 1, id).unwrap();
    sealed.expose().to_owned()
}

/// A JWT with another member in its payload, and the old signature.
pub(crate) fn altered(token: &str, name: &str, value: &Value) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let mut claims = decoded(parts[1]);
    claims[name] = value.clone();
    let payload = base64url::encode(claims.to_string());
    format!("{}.{payload}.{}", parts[0], parts[2])
}

/// A JWT's payload under `alg: none`.
pub(crate) fn unsigned(token: &str) -> String {
    let payload = token.split('.').nth(1).unwrap();
    let typ = decoded(token.split('.').next().unwrap())["typ"].clone();
    let header = serde_json::json!({ "alg": "none", "typ": typ });
    format!("{}.{payload}.", base64url::encode(header.to_string()))
}

/// A JWT's payload under the same `typ` and `kid`, signed by a stranger.
pub(crate) fn resigned(token: &str, claims: Option<&Value>) -> String {
    let header = decoded(token.split('.').next().unwrap());
    let kid = header["kid"].as_str().unwrap();
    signed_by_stranger(
        kid,
        header["typ"].as_str().unwrap(),
        claims.unwrap_or(&decoded(token.split('.').nth(1).unwrap())),
    )
}

/// A JWT under any `kid`, signed with ES256 by a stranger.
pub(crate) fn signed_by_stranger(kid: &str, typ: &str, claims: &Value) -> String {
    let file: Value = serde_json::from_str(include_str!("../vectors/keys.json")).unwrap();
    let mut keys = file["keys"].as_array().unwrap().iter();
    let key = keys
        .find(|key| key["owner"] == "stranger" && key["alg"] == "ES256")
        .unwrap();
    let pkcs8 = base64url::decode(key["pkcs8"].as_str().unwrap()).unwrap();
    let mut signer = RingSigner::new();
    signer.insert(kid, Algorithm::Es256, &pkcs8).unwrap();
    let name = SigningKeyRef {
        kid: kid.to_owned(),
        algorithm: Algorithm::Es256,
    };
    let claims: Map<String, Value> = claims.as_object().unwrap().clone();
    block_on(jwt::sign(&name, typ, &claims, &signer)).unwrap()
}

/// The metadata document.
pub(crate) fn metadata(fixture: &Fixture) -> Value {
    let answer = fixture.get(Endpoint::AuthorizationServer, &Form::default());
    answer.json()
}

/// The published keys' ids.
pub(crate) fn kids(fixture: &Fixture) -> Vec<String> {
    let answer = fixture.get(Endpoint::Jwks, &Form::default());
    assert_eq!(answer.status, 200);
    let keys = answer.json();
    let keys = keys["keys"].as_array().unwrap().iter();
    keys.map(|key| key["kid"].as_str().unwrap().to_owned())
        .collect()
}

/// The `kid` of a JWT.
pub(crate) fn kid(token: &str) -> String {
    let header = decoded(token.split('.').next().unwrap());
    header["kid"].as_str().unwrap().to_owned()
}

/// A token of `ada` for the management API.
pub(crate) fn api_token(fixture: &Fixture, scope: &str) -> String {
    let token = AccessToken {
        scope: Scope::parse(scope).unwrap(),
        audience: fixture.server.config.api_audience(),
        ..facts(fixture)
    };
    sealed(fixture, &token)
}
