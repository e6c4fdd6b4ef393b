//! What the shim calls: a question comes as one text, which crosses the boundary a hundred times
//! faster than the platform's objects.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::future_to_promise;
use worker::Env;

use super::bindings::Bindings;
use super::log;
use super::settings::{self, Settings};
use crate::error::Reason;
use crate::http::{Original, Request, Response};
#[cfg(feature = "edge")]
use crate::model::ClientId;
use crate::model::{Moment, RequestId, Secret};
#[cfg(feature = "edge")]
use crate::oauth::rpc::{self, Question};
use crate::ports::{At, Unavailable};
use crate::server::{Endpoint, Server};

/// What the shim read off a request, as one text: the request's id, the endpoint's word, the method,
/// the path and the query, then headers, then the body, a line each. A header or body that is there begins
/// with `=`; a body that was larger than the limit is not there. A proxy asks by GET: in the place of the
/// body is what it says of the request that it asks about. One text is copied into the core's memory in a
/// fraction of the time of ten.
fn read_request(text: &str) -> Option<(&str, Endpoint, Request)> {
    let mut lines = text.splitn(16, '\n');
    let id = lines.next()?;
    let endpoint = Endpoint::parse(lines.next()?)?;
    let method = lines.next()?.to_owned();
    let path = lines.next()?.to_owned();
    let query = lines.next()?.to_owned();
    let mut given = || Some(lines.next()?.strip_prefix('=').map(str::to_owned));
    let mut request = Request {
        method,
        path,
        query,
        authorization: given()?,
        content_type: given()?,
        cookie: given()?,
        origin: given()?,
        fetch_site: given()?,
        csrf_token: given()?,
        user_agent: given()?,
        passphrase: given()?.map(Secret::new),
        accept: given()?,
        address: given()?,
        ..Request::default()
    };
    if endpoint.is_for_proxies() {
        request.original = Some(Box::new(Original::read(lines.next()?)));
        return Some((id, endpoint, request));
    }
    match given()? {
        Some(body) => request.body = body,
        None => request.oversized = true,
    }
    Some((id, endpoint, request))
}

/// What the shim is to do behind an answer.
#[derive(Clone, Copy)]
enum Behind {
    /// Nothing.
    Nothing,
    /// The copy of the feed is half its age: call [`refresh`].
    Refresh,
    /// The feed has something new: call [`told`] of the other module.
    Tell,
}

impl Behind {
    fn of(ports: &Bindings, at: &At) -> Self {
        if ports.says_what_was_told() {
            Self::Tell
        } else if ports.wants_refresh(at) {
            Self::Refresh
        } else {
            Self::Nothing
        }
    }

    fn sign(self) -> char {
        match self {
            Self::Nothing => ' ',
            Self::Refresh => '+',
            Self::Tell => '!',
        }
    }
}

/// An answer for the shim, as one text: the status, the sign of what is to be done behind it,
/// `name: value` lines, an empty line, the body.
fn print_answer(response: &Response, behind: Behind) -> JsValue {
    let mut text = String::with_capacity(512 + response.body.len());
    let sign = behind.sign();
    // Writing to a text cannot fail.
    let _ = writeln!(text, "{}{sign}", response.status);
    response.print_headers(&mut text);
    text.push('\n');
    text.push_str(&response.body);
    JsValue::from_str(&text)
}

pub(super) struct Edge {
    pub(super) server: Server<Bindings>,
    settings: Settings,
}

thread_local! {
    static EDGE: RefCell<Option<Rc<Edge>>> = const { RefCell::new(None) };
}

/// The server of this isolate, made from the settings at its first request.
pub(super) fn edge(env: &Env) -> Result<Rc<Edge>, Reason> {
    if let Some(edge) = EDGE.with_borrow(Option::clone) {
        return Ok(edge);
    }
    match settings::read(env) {
        Ok((settings, config, keyring)) => {
            let keyring = Rc::new(keyring);
            let ports = Bindings::new(env.clone(), Rc::clone(&keyring), &config);
            let server = Server::new(config, keyring, ports);
            let edge = Rc::new(Edge { server, settings });
            EDGE.with_borrow_mut(|kept| *kept = Some(Rc::clone(&edge)));
            Ok(edge)
        }
        Err(unfit) => {
            log::unfit_setting(&unfit);
            Err(Reason::Unavailable(Unavailable(
                "a setting cannot be served",
            )))
        }
    }
}

/// Instants before this are a clock that does not run yet (2026-01-01).
const EARLIEST: Moment = Moment(1_767_225_600_000);

pub(super) fn at(now: f64, request: &str) -> Option<At> {
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
pub(super) fn whole(number: f64) -> Option<u64> {
    (number.is_finite() && (0.0..9_007_199_254_740_992.0).contains(&number))
        .then_some(number as u64)
}

/// What this module answers.
#[cfg(not(feature = "objects"))]
async fn served(
    server: &Server<Bindings>,
    endpoint: Endpoint,
    request: &Request,
    at: &At,
) -> Response {
    server.serve(endpoint, request, at).await
}

/// What this module answers.
#[cfg(feature = "objects")]
async fn served(
    server: &Server<Bindings>,
    endpoint: Endpoint,
    request: &Request,
    at: &At,
) -> Response {
    crate::api::answer(server, endpoint, request, at).await
}

/// Answers a request, see [`read_request`] and [`print_answer`]: at once when nothing has to be
/// waited for, else by a promise.
#[wasm_bindgen]
pub fn answer(env: Env, request: &str, now: f64) -> JsValue {
    let refused = |reason| print_answer(&Response::refusal(reason), Behind::Nothing);
    let edge = match edge(&env) {
        Ok(edge) => edge,
        Err(reason) => return refused(reason),
    };
    let Some((request_id, endpoint, request)) = read_request(request) else {
        return refused(Reason::Internal(
            "the shim names an endpoint that does not exist",
        ));
    };
    let Some(at) = at(now, request_id) else {
        return refused(Reason::Internal(
            "the clock or the request id is not usable",
        ));
    };
    now_or_later(async move {
        let response = served(&edge.server, endpoint, &request, &at).await;
        log::request(&edge.settings, endpoint, &request.method, &response, &at);
        print_answer(&response, Behind::of(&edge.server.ports, &at))
    })
}

/// Takes note that the other module of this isolate changed something: the feed is asked before it is
/// relied on again.
#[wasm_bindgen]
pub fn told() {
    EDGE.with_borrow(|edge| {
        if let Some(edge) = edge {
            edge.server.ports.hear();
        }
    });
}

/// Introspects, validates or revokes for a Worker that is bound to us as a client. The question is
/// one text: the request's id, the verb, the client (empty where the binding names none), and the
/// arguments as [`Question::read`] takes them, a line each. Answers a JSON text, or a promise of
/// one; before it what [`Behind`] has a sign for, unless it is nothing.
#[cfg(feature = "edge")]
#[wasm_bindgen]
pub fn call(env: Env, question: &str, now: f64) -> JsValue {
    let refused = |reason| JsValue::from(rpc::refusal(&reason));
    let edge = match edge(&env) {
        Ok(edge) => edge,
        Err(reason) => return refused(reason),
    };
    let mut lines = question.splitn(4, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let Some(at) = at(now, line()) else {
        return refused(Reason::Internal("the clock is not usable"));
    };
    let verb = line();
    let client = ClientId::parse(line()).ok();
    let question = Question::read(verb, line());
    now_or_later(async move {
        let mut text = rpc::answer(&edge.server, client, question, &at).await;
        match Behind::of(&edge.server.ports, &at) {
            Behind::Nothing => {}
            behind => text.insert(0, behind.sign()),
        }
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
