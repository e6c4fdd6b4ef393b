//! What a resource calls in a Worker, in Node or in a browser: [`crate::validator`], with the copies that
//! JavaScript fetches for it (`browser/package/validating.js`). A module of its own, because a page that
//! signs people in opens nothing.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use serde_json::{Value, json};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;

use crate::jose::{KeySet, parse_strict_object};
use crate::model::{Moment, Scope, Seconds};
use crate::token::mac::{Body, MacHeader, MacRefused, SignedRequest};
use crate::token::{ResourceKeys, Revocations};
use crate::validator::{Known, Needed, Reading, Refused, Validator};
use crate::web::WebVerifier;

/// One resource, and its copies. Verdicts are JSON; what is thrown is the name of what does not fit.
#[wasm_bindgen]
pub struct Validation {
    validator: Rc<Validator>,
    keys: RefCell<Option<Rc<KeySet>>>,
    revocations: RefCell<Rc<Revocations>>,
    /// How old they may be; without one they are not asked.
    bound: Option<u64>,
    reading: RefCell<Option<Reading>>,
}

#[wasm_bindgen]
impl Validation {
    /// `resource_keys` is what `POST /api/v1/resource-keys` answered, `bound` in milliseconds.
    #[wasm_bindgen(constructor)]
    pub fn new(
        issuer: &str,
        audience: &str,
        resource_keys: Option<String>,
        bound: Option<f64>,
    ) -> Result<Self, JsValue> {
        let mut validator = Validator::new(issuer, audience);
        if let Some(text) = resource_keys {
            let keys = parse_strict_object(text.as_bytes())
                .ok()
                .and_then(|members| ResourceKeys::from_json(&members).ok());
            let keyed = keys.and_then(|keys| validator.with_resource_keys(keys).ok());
            validator = keyed.ok_or("resourceKeys")?;
        }
        Ok(Self {
            validator: Rc::new(validator),
            keys: RefCell::default(),
            revocations: RefCell::default(),
            bound: bound.map(whole),
            reading: RefCell::default(),
        })
    }

    /// Takes the issuer's public keys.
    #[wasm_bindgen(js_name = takeKeys)]
    pub fn take_keys(&self, jwks: &str) -> Result<(), JsValue> {
        let keys = KeySet::parse(jwks.as_bytes()).map_err(|_| "keys")?;
        self.keys.replace(Some(Rc::new(keys)));
        Ok(())
    }

    /// Forgets them: they are too old to be believed.
    #[wasm_bindgen(js_name = forgetKeys)]
    pub fn forget_keys(&self) {
        self.keys.replace(None);
    }

    /// Milliseconds since the revocations were asked for.
    #[wasm_bindgen(js_name = revocationsAge)]
    pub fn revocations_age(&self, now: f64) -> f64 {
        decimal(self.revocations.borrow().age(Moment(whole(now))))
    }

    /// Begins to read what was revoked: the `since` to ask for first.
    #[wasm_bindgen(js_name = beginReading)]
    pub fn begin_reading(&self, now: f64) -> Option<String> {
        let reading = Reading::begin(&self.revocations.borrow(), Moment(whole(now)));
        let since = reading.since().map(str::to_owned);
        self.reading.replace(Some(reading));
        since
    }

    /// Takes an answer: the `since` to ask for next, or nothing when that was all.
    #[wasm_bindgen(js_name = takeRevocations)]
    pub fn take_revocations(&self, answer: &str) -> Result<Option<String>, JsValue> {
        let unfit = "revocations";
        let mut reading = self.reading.take().ok_or(unfit)?;
        if reading.take(answer.as_bytes()).map_err(|_| unfit)? {
            let since = reading.since().map(str::to_owned);
            self.reading.replace(Some(reading));
            return Ok(since);
        }
        let mut copy = self.revocations.borrow_mut();
        reading.finish(Rc::make_mut(&mut copy)).map_err(|_| unfit)?;
        Ok(None)
    }

    /// The verdict on a request; a promise of it where a signature has to be verified.
    #[wasm_bindgen(unchecked_return_type = "string | Promise<string>")]
    pub fn validate(
        &self,
        authorization: Option<String>,
        scopes: &str,
        any: bool,
        now: f64,
    ) -> Result<JsValue, JsValue> {
        let needed = needed(scopes, any)?;
        let validator = Rc::clone(&self.validator);
        let keys = self.keys.borrow().clone();
        let revocations = Rc::clone(&self.revocations.borrow());
        let bound = self.bound;
        Ok(now_or_later(async move {
            let known = Known {
                keys: keys.as_deref(),
                revocations: bound.map(|bound| (&*revocations, bound)),
            };
            let now = Moment(whole(now));
            let verdict = validator
                .validate(authorization.as_deref(), &needed, known, &WebVerifier, now)
                .await;
            printed(verdict.map(|principal| principal.to_json().unwrap_or_default()))
        }))
    }

    /// The MAC key identifier of a request that is signed, if it is.
    #[wasm_bindgen(js_name = macKeyId)]
    pub fn mac_key_id(&self, authorization: &str) -> Option<String> {
        MacHeader::parse(authorization).map(|header| header.id.to_owned())
    }

    /// A signed request, by an answer of the issuer's introspection about its key: `request` has `method`, `uri`,
    /// `host`, `port`, `window` in seconds, and `bodyHash` where that is known. Answers what nonce has to be spent,
    /// or a refusal; and the verdict to whoever says whether it was spent by this request.
    #[expect(clippy::too_many_arguments, reason = "JavaScript has them apart")]
    pub fn signed(
        &self,
        authorization: &str,
        answer: &str,
        request: &str,
        scopes: &str,
        any: bool,
        now: f64,
        spent: Option<bool>,
    ) -> Result<String, JsValue> {
        let needed = needed(scopes, any)?;
        let members = parse_strict_object(request.as_bytes()).map_err(|_| "request")?;
        let text = |name| members.get(name).and_then(Value::as_str);
        let number = |name| members.get(name).and_then(Value::as_u64).ok_or("request");
        let asked = SignedRequest {
            method: text("method").ok_or("request")?,
            uri: text("uri").ok_or("request")?,
            host: text("host").ok_or("request")?,
            port: number("port")?.try_into().map_err(|_| "request")?,
            body: text("bodyHash").map_or(Body::Unknown, Body::Hash),
        };
        let at = (Moment(whole(now)), Seconds(number("window")?));
        let judge = || {
            let header = MacHeader::parse(authorization).ok_or(MacRefused::Malformed)?;
            let answer = answer.as_bytes();
            let verified = self
                .validator
                .signed(&header, &asked, answer, &needed, at)?;
            let Some(first) = spent else {
                let nonce = verified.nonce();
                return Ok(format!("{{\"nonce\":\"{}:{}\"}}", nonce.key, nonce.name));
            };
            let principal = verified.spent(first)?;
            Ok(principal.to_json().unwrap_or_default())
        };
        let verdict: Result<String, Refused> = judge();
        Ok(verdict.unwrap_or_else(|refused| print_refusal(&refused, refused.mac_challenge())))
    }

    /// The verdict by an answer of the issuer's introspection.
    pub fn introspected(
        &self,
        answer: &str,
        scopes: &str,
        any: bool,
        now: f64,
    ) -> Result<String, JsValue> {
        let now = Moment(whole(now));
        let needed = needed(scopes, any)?;
        let verdict = self.validator.introspected(answer.as_bytes(), &needed, now);
        Ok(printed(verdict))
    }
}

fn needed(scopes: &str, any: bool) -> Result<Needed, JsValue> {
    let scopes = Scope::parse(scopes).map_err(|_| JsValue::from("scopes"))?;
    Ok(Needed { scopes, any })
}

fn printed(verdict: Result<String, Refused>) -> String {
    verdict.unwrap_or_else(|refused| print_refusal(&refused, refused.challenge()))
}

fn print_refusal(refused: &Refused, challenge: Option<String>) -> String {
    json!({
        "active": false,
        "error": refused.error(),
        "status": refused.status(),
        "challenge": challenge,
        "scope": refused.scope(),
        "cause": refused.cause(),
    })
    .to_string()
}

/// Polls once: what is sealed is opened without waiting, and no promise is made for it.
fn now_or_later(future: impl Future<Output = String> + 'static) -> JsValue {
    let mut future: Pin<Box<dyn Future<Output = String>>> = Box::pin(future);
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(value) => value.into(),
        Poll::Pending => future_to_promise(async move { Ok(future.await.into()) }).into(),
    }
}

#[expect(
    clippy::as_conversions,
    reason = "milliseconds of a clock: the cast saturates and cuts off the fraction"
)]
fn whole(milliseconds: f64) -> u64 {
    milliseconds as u64
}

#[expect(
    clippy::as_conversions,
    reason = "an age is compared, and is exact below 2^53"
)]
fn decimal(milliseconds: u64) -> f64 {
    milliseconds as f64
}
