//! What clients show that sign (RFC 7523), and how they are refused.

use edgemint::error::Reason;
use edgemint::http::Response;
use edgemint::jose::JoseError;
use edgemint::memory::Fault;
use serde_json::{Value, json};

use super::{Fixture, Form, Seen as _};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The form, with an assertion of its client.
pub(crate) fn with_assertion(form: Form, assertion: &str) -> Form {
    form.with("client_assertion_type", TYPE)
        .with("client_assertion", assertion)
}

/// Members, and others instead; without those that are `null`, but for keys that are taken away.
pub(crate) fn merged(mut base: Value, more: Value) -> Value {
    let members = base.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    members.retain(|name, value| !value.is_null() || name == "jwks");
    base
}

/// One answer for every failure, and the reason in the log alone.
#[track_caller]
pub(crate) fn assert_refused(answer: &Response, reason: Reason) {
    assert_eq!(answer.reason, Some(reason), "{}", answer.body);
    assert_eq!(answer.status, 401);
    let one =
        json!({"error": "invalid_client", "error_description": "client authentication failed"});
    assert_eq!(answer.json(), one);
}

pub(crate) fn jose(why: JoseError) -> Reason {
    Reason::AssertionRefused(why)
}

/// Stops unless a good assertion gets a token or a 503, whichever call fails on the way, and the next one works.
pub(crate) fn survives_every_fault<W>(
    calls: u32,
    world: impl Fn() -> W,
    fixture: impl Fn(&W) -> &Fixture,
    show: impl Fn(&W) -> Response,
    works: impl Fn(&W),
) {
    for others in 0..calls {
        for fault in [Fault::Unreached, Fault::AnswerLost] {
            let world = world();
            fixture(&world).memory().fail_after(others, fault);
            let answer = show(&world);
            fixture(&world).memory().restore();
            let said = (answer.status, answer.json().get("access_token").is_some());
            assert!(
                [(200, true), (503, false)].contains(&said),
                "{fault:?} after {others}: {said:?}"
            );
            works(&world);
        }
    }
}
