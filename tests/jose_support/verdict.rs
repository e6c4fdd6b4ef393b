//! One case of a file of verdicts, reached with ring.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test support: a broken fixture should stop it"
)]

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use edgemint::jose::{
    ExpectedTyp, JoseError, KeySet, Policy, RingVerifier, UnverifiedJws, id_token,
};
use serde_json::Value;

/// What the call that `case` names says about its token, as the browser package's does.
pub(crate) fn verdict(case: &Value, key_sets: &Value) -> &'static str {
    match check(case, key_sets) {
        Ok(()) => "accepted",
        Err(reason) => reason.as_str(),
    }
}

fn check(case: &Value, key_sets: &Value) -> Result<(), JoseError> {
    let token = case["token"].as_str().unwrap();
    let expected = &case["expected"];
    let text = |name: &str| expected[name].as_str().map(str::to_owned);
    let now = expected["now"].as_u64().unwrap();
    let keys = key_sets[case["keys"].as_str().unwrap()].to_string();
    let keys = KeySet::parse(keys.as_bytes())?;
    let issuer = text("issuer").unwrap();
    if case["call"] == "verifyJwt" {
        let typ = match text("typ").unwrap().as_str() {
            "JWT" => ExpectedTyp::Plain,
            typ => ExpectedTyp::exactly(typ),
        };
        let mut policy = Policy::new(issuer, text("audience").unwrap(), typ);
        policy.max_age = expected["max_age"].as_u64();
        return block_on(policy.verify(token, &keys, &RingVerifier, now)).map(drop);
    }
    let client_id = text("client_id").unwrap();
    let at_hash = match text("access_token") {
        None => None,
        Some(other) => Some(UnverifiedJws::parse(token)?.algorithm().at_hash(&other)),
    };
    let beyond = id_token::Expected {
        nonce: text("nonce"),
        max_age: expected["max_age"].as_u64(),
        at_hash,
    };
    let policy = id_token::policy(&issuer, &client_id);
    let claims = block_on(policy.verify(token, &keys, &RingVerifier, now))?;
    id_token::check(&claims, &client_id, &beyond, now)
}

/// Drives a future that never waits: ring answers at once.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("ring does not wait"),
    }
}
