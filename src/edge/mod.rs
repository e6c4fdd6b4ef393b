//! Cloudflare Workers: the only folder that names `worker`. The shim hands a request over as
//! strings, because those cross the boundary a hundred times faster than the platform's objects.

#![allow(
    unreachable_pub,
    reason = "the glue finds exports that are pub, in a module that is not"
)]

mod bindings;
mod log;
mod object;
mod settings;

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::future_to_promise;
use worker::Env;

use crate::error::Reason;
use crate::http::{Request, Response};
use crate::model::{ClientId, Moment, RequestId};
use crate::oauth::rpc;
use crate::ports::At;
use crate::server::{Endpoint, Server};
use crate::token::Keyring;
use bindings::Bindings;
use settings::Settings;

/// An answer, on its way to the shim.
#[wasm_bindgen]
pub struct Answer {
    response: Response,
    refresh: bool,
}

#[wasm_bindgen]
impl Answer {
    /// Status code.
    #[wasm_bindgen(getter)]
    pub fn status(&self) -> u16 {
        self.response.status
    }

    /// `name: value` lines.
    #[wasm_bindgen(getter)]
    pub fn headers(&self) -> String {
        self.response.header_lines()
    }

    /// Body text.
    #[wasm_bindgen(getter)]
    pub fn body(&self) -> String {
        self.response.body.clone()
    }

    /// Whether the copy of the feed is half its age: then [`refresh`] is to be called behind the
    /// answer.
    #[wasm_bindgen(getter)]
    pub fn refresh(&self) -> bool {
        self.refresh
    }
}

/// What the shim read off a request.
#[wasm_bindgen]
#[derive(Default)]
pub struct Incoming {
    request: Request,
}

#[wasm_bindgen]
impl Incoming {
    /// Everything the core looks at. `body` is absent when it was larger than the limit.
    #[wasm_bindgen(constructor)]
    #[expect(
        clippy::too_many_arguments,
        reason = "one call across the boundary, not ten"
    )]
    pub fn new(
        method: String,
        query: String,
        body: Option<String>,
        authorization: Option<String>,
        content_type: Option<String>,
        cookie: Option<String>,
        origin: Option<String>,
        fetch_site: Option<String>,
        address: Option<String>,
    ) -> Self {
        let oversized = body.is_none();
        let body = body.unwrap_or_default();
        Self {
            request: Request {
                method,
                query,
                body,
                oversized,
                authorization,
                content_type,
                cookie,
                origin,
                fetch_site,
                address,
            },
        }
    }
}

struct Edge {
    server: Server<Bindings>,
    settings: Settings,
}

thread_local! {
    static EDGE: RefCell<Option<Rc<Edge>>> = const { RefCell::new(None) };
}

/// The server of this isolate, made from the settings at its first request.
fn edge(env: &Env) -> Result<Rc<Edge>, Reason> {
    if let Some(edge) = EDGE.with_borrow(Option::clone) {
        return Ok(edge);
    }
    match settings::read(env) {
        Ok((settings, config, keyring)) => {
            let keyring = Rc::new(keyring);
            let ports = Bindings::new(env.clone(), Rc::clone(&keyring), &config);
            let server = Server {
                config,
                keyring,
                ports,
            };
            let edge = Rc::new(Edge { server, settings });
            EDGE.with_borrow_mut(|kept| *kept = Some(Rc::clone(&edge)));
            Ok(edge)
        }
        Err(unfit) => {
            log::unfit_setting(&unfit);
            Err(Reason::Unavailable(crate::ports::Unavailable(
                "a setting cannot be served",
            )))
        }
    }
}

/// The keyring of this isolate, for its objects.
fn keyring(env: &Env) -> Result<Rc<Keyring>, object::Fault> {
    let edge = edge(env).map_err(|_| object::Fault::Refused("a setting cannot be served"))?;
    Ok(Rc::clone(&edge.server.keyring))
}

/// Instants before this are a clock that does not run yet (2026-01-01).
const EARLIEST: Moment = Moment(1_767_225_600_000);

fn at(now: f64, request: &str) -> Option<At> {
    let now = Moment(whole(now)?);
    (now >= EARLIEST).then_some(At {
        request: RequestId::parse(request).ok()?,
        now,
    })
}

/// A JavaScript number as whole milliseconds.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked before; there is no lossless conversion from f64"
)]
fn whole(number: f64) -> Option<u64> {
    (number.is_finite() && (0.0..9_007_199_254_740_992.0).contains(&number))
        .then_some(number as u64)
}

/// Answers a request: an [`Answer`] at once when nothing has to be waited for, else a promise of
/// one. `endpoint` is a word of [`Endpoint::parse`].
#[wasm_bindgen]
pub fn answer(env: Env, endpoint: &str, incoming: Incoming, now: f64, request: &str) -> JsValue {
    let refused = |reason| at_once(Response::refusal(reason));
    let edge = match edge(&env) {
        Ok(edge) => edge,
        Err(reason) => return refused(reason),
    };
    let Some(endpoint) = Endpoint::parse(endpoint) else {
        return refused(Reason::Internal(
            "the shim names an endpoint that does not exist",
        ));
    };
    let Some(at) = at(now, request) else {
        return refused(Reason::Internal(
            "the clock or the request id is not usable",
        ));
    };
    let incoming = incoming.request;
    now_or_later(async move {
        let response = edge.server.answer(endpoint, &incoming, &at).await;
        let response = edge.settings.stamp(response, &at);
        log::request(&edge.settings, endpoint, &incoming.method, &response, &at);
        let refresh = edge.server.ports.wants_refresh(&at);
        JsValue::from(Answer { response, refresh })
    })
}

/// Introspects, validates or revokes for a Worker that is bound to us as `client`. Answers a JSON
/// text, or a promise of one.
#[wasm_bindgen]
pub fn call(
    env: Env,
    verb: &str,
    client: Option<String>,
    arguments: &str,
    now: f64,
    request: &str,
) -> JsValue {
    let edge = match edge(&env) {
        Ok(edge) => edge,
        Err(reason) => return JsValue::from(rpc::refusal(&reason)),
    };
    let Some(at) = at(now, request) else {
        return JsValue::from(rpc::refusal(&Reason::Internal("the clock is not usable")));
    };
    let client = client.and_then(|client| ClientId::parse(&client).ok());
    let verb = verb.to_owned();
    let arguments = arguments.to_owned();
    now_or_later(async move {
        let text = rpc::answer(&edge.server, &verb, client, &arguments, &at).await;
        JsValue::from(text)
    })
}

/// Renews the copy of the feed, behind an answer.
#[wasm_bindgen]
pub async fn refresh(env: Env, now: f64, request: String) {
    if let (Ok(edge), Some(at)) = (edge(&env), at(now, &request)) {
        edge.server.ports.refresh(&at).await;
    }
}

fn at_once(response: Response) -> JsValue {
    JsValue::from(Answer {
        response,
        refresh: false,
    })
}

/// Polls once; most answers need nothing from outside and are there already, so that no promise is
/// made for them.
fn now_or_later(future: impl Future<Output = JsValue> + 'static) -> JsValue {
    let mut future: Pin<Box<dyn Future<Output = JsValue>>> = Box::pin(future);
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(value) => value,
        Poll::Pending => future_to_promise(async move { Ok(future.await) }).into(),
    }
}
