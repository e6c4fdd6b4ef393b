//! Whole requests, several in a row, to a server on the memory store.
//!
//! An input is text, so that a person can read and write it:
//!
//! ```text
//! POST token [query]
//! authorization: {basic:web}
//!
//! grant_type=authorization_code&code={code}
//! ===
//! GET userinfo
//! authorization: Bearer {access}
//! ```
//! `{…}` stands for something that was issued (see [`Script::issued`]). Cookies come back of
//! themselves unless the request says `cookie`. `later` lets seconds pass and `outage` takes a
//! dependency away, before the request.

use std::collections::{BTreeMap, BTreeSet};

use edgemint::http::{Request, Response};
use edgemint::jose::{Algorithm, parse_strict_json};
use edgemint::model::{ClientId, Secret};
use edgemint::oauth::rpc::{self, Question};
use edgemint::server::Endpoint;
use serde_json::Value;

use crate::support::{
    ADDRESS, BOOTSTRAP, CHALLENGE, FORM, Fixture, Form, ISSUER, Outage, Page, Seen, VERIFIER,
    authorization, basic, block_on, gate, redirect_uri, secret,
};

/// Requests in one input.
const MOST: usize = 6;
/// Things issued for one input: each takes a flow of its own.
const MOST_ISSUED: usize = 12;
const CLIENTS: [&str; 7] = ["web", "other", "post", "jwt", "spa", "native", "stranger"];
const STATUSES: [u16; 15] = [
    200, 201, 204, 303, 400, 401, 403, 404, 405, 409, 411, 413, 415, 422, 429,
];

/// Every answer is well formed, no failure of ours, and leads only where a client is registered.
pub(crate) fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut script = Script {
        fixture: gate::fixture(),
        cookies: BTreeMap::new(),
        issued: BTreeMap::new(),
        last: None,
        registered: registered(),
        // What has no place for a credential cannot have one.
        entitled: text.contains('{'),
        outage: false,
    };
    script.issue(&text);
    for request in text.split("\n===\n").take(MOST) {
        script.send(request);
    }
}

fn registered() -> BTreeSet<String> {
    let bye = |id: &&str| format!("https://{id}.example/bye");
    let callbacks = CLIENTS.iter().map(|id| redirect_uri(id).to_owned());
    callbacks.chain(CLIENTS.iter().map(bye)).collect()
}

struct Script {
    fixture: Fixture,
    cookies: BTreeMap<String, String>,
    issued: BTreeMap<String, String>,
    last: Option<Response>,
    /// Where redirects may lead.
    registered: BTreeSet<String>,
    entitled: bool,
    outage: bool,
}

impl Script {
    fn send(&mut self, text: &str) {
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let mut lines = head.lines();
        let mut first = lines.next().unwrap_or_default().splitn(3, ' ');
        let mut word = || first.next().unwrap_or_default().to_owned();
        let (method, endpoint, query) = (word(), word(), word());
        let mut request = Request {
            method,
            query: self.filled(&query),
            body: self.filled(body.trim_end_matches('\n')),
            content_type: Some(FORM.to_owned()),
            cookie: self.jar(),
            address: Some(ADDRESS.to_owned()),
            // A proxy of ours asks, unless the input says otherwise.
            original: gate::asked("").original,
            ..Request::default()
        };
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap_or((line, ""));
            let value = self.filled(value);
            match name {
                "authorization" => request.authorization = Some(value),
                "content-type" => request.content_type = Some(value),
                "cookie" => request.cookie = Some(value),
                "origin" => request.origin = Some(value),
                "sec-fetch-site" => request.fetch_site = Some(value),
                "path" => request.path = value,
                name if request.original.is_some()
                    && name.starts_with("x-")
                    && name != "x-csrf-token" =>
                {
                    let original = request.original.as_mut().expect("it is there");
                    match name {
                        "x-edgemint-proxy" => original.proxy = Some(Secret::new(value)),
                        "x-original-url" => original.url = Some(value),
                        "x-original-method" => original.method = Some(value),
                        "x-requested-with" => original.requested_with = Some(value),
                        "x-forwarded-for" => original.forwarded_for = Some(value),
                        "x-preflight" => original.preflight = Some(value),
                        _ => {}
                    }
                }
                "x-csrf-token" => request.csrf_token = Some(value),
                "user-agent" => request.user_agent = Some(value),
                "address" => request.address = Some(value),
                "oversized" => request.oversized = true,
                "later" => self.fixture.later(value.parse::<u32>().unwrap_or(0).into()),
                "outage" => self.take_away(&value),
                _ => {}
            }
        }
        if endpoint == "rpc" {
            return self.call(&request);
        }
        let Some(endpoint) = Endpoint::parse(&endpoint) else {
            return;
        };
        // WebCrypto makes RSA keys, and ring none: here there are two, and who rotates twice would want a third.
        let by_path = endpoint == Endpoint::Records && request.path.starts_with("/api/v1/keys");
        let makes = request.is_post() && (endpoint == Endpoint::RotateKeys || by_path);
        if makes && !self.fixture.memory().has_next_key(Algorithm::Rs256) {
            return;
        }
        let response = self.fixture.send(endpoint, &request);
        if !endpoint.is_for_proxies() {
            request.original = None;
        }
        self.judge(endpoint, &request, &response);
        self.take_cookies(&response);
        self.last = Some(response);
    }

    fn take_away(&mut self, dependency: &str) {
        let outage = match dependency {
            "ledger" => Outage::Ledger,
            "directory" => Outage::Directory,
            "feed" => Outage::Feed,
            "kv" => Outage::Kv,
            "entropy" => Outage::Entropy,
            _ => {
                self.fixture.memory().restore();
                self.outage = false;
                return;
            }
        };
        self.fixture.memory().fail(outage);
        self.outage = true;
    }

    /// A call of another Worker: the method is the verb, the query the client.
    fn call(&mut self, request: &Request) {
        // The shim knows no others.
        if !["introspect", "validate", "revoke"].contains(&request.method.as_str()) {
            return;
        }
        let client = ClientId::parse(&request.query).ok();
        let at = self.fixture.at();
        let server = &self.fixture.server;
        let question = Question::read(&request.method, &request.body);
        let answer = rpc::answer(server, client, question, &at);
        let answer: Value = serde_json::from_str(&block_on(answer)).expect("JSON");
        assert!(answer.is_object() || answer.is_null(), "{answer}");
        let status = answer.get("status").and_then(Value::as_u64).unwrap_or(200);
        let ours = status == 503 && self.outage;
        assert!(status < 500 || ours, "{answer}");
        assert!(self.entitled || answer["active"] != true, "{answer}");
    }

    fn judge(&mut self, endpoint: Endpoint, request: &Request, response: &Response) {
        let status = response.status;
        let ours = status == 503 && self.outage;
        assert!(STATUSES.contains(&status) || ours, "{response:?}");
        let mut names = BTreeSet::new();
        for (name, value) in &response.headers {
            let plain = |byte: u8| (0x20..0x7F).contains(&byte);
            assert!(value.bytes().all(plain), "{name}: {value:?}");
            assert!(names.insert(name) || *name == "set-cookie", "{name} twice");
            if *name == "set-cookie" {
                assert!(value.starts_with("__Host-edgemint-"), "{value}");
                assert!(value.contains("; Path=/; HttpOnly; SameSite=Lax; Max-Age="));
                assert!(value.ends_with("; Secure"));
            }
        }
        match response.header("content-type") {
            _ if response.body.is_empty() => {}
            Some("application/json" | "application/problem+json") => {
                let body = parse_strict_json(response.body.as_bytes()).expect("strict JSON");
                if let Endpoint::Register = endpoint
                    && status == 201
                {
                    self.learn(&body);
                }
                self.assert_entitled(endpoint, request, status, &body);
            }
            Some("text/html; charset=utf-8") => {
                assert!(response.body.starts_with("<!DOCTYPE html>"));
                assert!(!response.body.to_ascii_lowercase().contains("<script"));
                let policy = response
                    .header("content-security-policy")
                    .expect("a policy");
                assert!(policy.contains("default-src 'none'"), "{policy}");
            }
            other => panic!("{other:?}: {}", response.body),
        }
        if status == 303 {
            let location = response.location().expect("a location");
            assert!(self.is_known(location), "{location} {request:?}");
        } else {
            assert_eq!(response.location(), None);
        }
        if status >= 400 {
            assert!(response.reason.is_some(), "{response:?}");
        }
    }

    /// A client that was just registered may be led to.
    fn learn(&mut self, metadata: &Value) {
        for name in ["redirect_uris", "post_logout_redirect_uris"] {
            for uri in metadata[name].as_array().into_iter().flatten() {
                self.registered.extend(uri.as_str().map(str::to_owned));
            }
        }
    }

    /// Without a credential nothing is given that needs one.
    fn assert_entitled(&self, endpoint: Endpoint, request: &Request, status: u16, body: &Value) {
        if self.entitled {
            return;
        }
        let public = match endpoint {
            Endpoint::OpenidConfiguration
            | Endpoint::AuthorizationServer
            | Endpoint::Jwks
            | Endpoint::ProtectedResource
            | Endpoint::Health
            | Endpoint::Ready => true,
            Endpoint::IngressAnonymous => true,
            Endpoint::IngressAuth => {
                let original = request.original.as_deref();
                original.is_some_and(|original| original.method.as_deref() == Some("OPTIONS"))
            }
            // A public client may begin: it gets nothing before somebody agrees.
            Endpoint::DeviceAuthorization => body["device_code"].is_string(),
            // The public clients may ask about what they do not have.
            Endpoint::Introspect => body["active"] == false,
            _ => false,
        };
        assert!(status >= 400 || public, "{endpoint:?} {body}");
    }

    /// Whether a redirect leads to a page of ours or to a registered URI, of whose answer it has
    /// only what we may add.
    fn is_known(&self, location: &str) -> bool {
        let pages = [
            "/login",
            "/consent",
            "/device",
            "/logout",
            "/oauth/logout",
            "/oauth/authorize",
        ];
        let at_ours = |rest: &str| {
            let path = rest.split('?').next().unwrap_or_default();
            pages.contains(&path)
        };
        if location.strip_prefix(ISSUER).is_some_and(at_ours) {
            return true;
        }
        let leads = |uri: &String| {
            let joined = if uri.contains('?') { '&' } else { '?' };
            let rest = location.strip_prefix(uri.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(joined))
        };
        self.registered
            .iter()
            .any(|uri| leads(uri) || leads(&at_port(uri, location)))
    }

    fn jar(&self) -> Option<String> {
        let pair = |(name, value): (&String, &String)| format!("{name}={value}");
        let pairs: Vec<String> = self.cookies.iter().map(pair).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    fn take_cookies(&mut self, response: &Response) {
        for set in response.all("set-cookie") {
            let (pair, _) = set.split_once(';').expect("attributes");
            let (name, value) = pair.split_once('=').expect("a pair");
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }

    /// The text with what its `{…}` stand for.
    fn filled(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            match after.split_once('}') {
                Some((name, behind)) if self.known(name).is_some() => {
                    filled.push_str(&self.known(name).unwrap_or_default());
                    rest = behind;
                }
                _ => {
                    filled.push('{');
                    rest = after;
                }
            }
        }
        filled.push_str(rest);
        filled
    }

    /// Makes what the whole text has a place for, while nothing is away and nothing was taken back.
    fn issue(&mut self, text: &str) {
        let names = text.split('{').skip(1);
        for name in names.filter_map(|rest| rest.split('}').next()) {
            if self.issued.len() == MOST_ISSUED || self.issued.contains_key(name) {
                continue;
            }
            if let Some(issued) = self.issued(name) {
                self.issued.insert(name.to_owned(), issued);
            }
        }
    }

    fn known(&self, name: &str) -> Option<String> {
        // What the last answer said is another thing after the next one.
        let issued = self.issued.get(name).cloned();
        issued.or_else(|| self.said(name))
    }

    fn issued(&self, name: &str) -> Option<String> {
        let (what, whose) = name.split_once(':').unwrap_or((name, "web"));
        let client = CLIENTS.contains(&whose) || whose == "api";
        let by_code = client && whose != "api";
        Some(match what {
            "bootstrap" => BOOTSTRAP.to_owned(),
            "challenge" => CHALLENGE.to_owned(),
            "verifier" => VERIFIER.to_owned(),
            "secret" if client => Form::new(&[("x", &secret(whose))]).encode()[2..].to_owned(),
            "basic" if client => basic(whose, &secret(whose)),
            "uri" if by_code => redirect_uri(whose).to_owned(),
            "authorization" if by_code => authorization(whose).encode(),
            "code" if by_code => self.fixture.code_for(whose),
            "access" if by_code => self.fixture.tokens_of(whose).access,
            "refresh" if by_code => self.fixture.tokens_of(whose).refresh?,
            "id_token" if by_code => self.fixture.tokens_of(whose).id_token?,
            "session" => {
                let browser = self.fixture.signed_in_browser();
                let pair = |(name, value): (String, String)| format!("{name}={value}");
                let pairs: Vec<String> = browser.cookies().into_iter().map(pair).collect();
                pairs.join("; ")
            }
            _ => return None,
        })
    }

    /// Of the answer before: a parameter of its redirect, or the hidden fields of its page.
    fn said(&self, name: &str) -> Option<String> {
        let last = self.last.as_ref()?;
        if name == "last_page" {
            let page = Page {
                path: String::new(),
                response: last.clone(),
            };
            return Some(page.hidden_fields().encode());
        }
        if name == "last_csrf" {
            let body = parse_strict_json(last.body.as_bytes()).ok()?;
            return body["csrf"].as_str().map(str::to_owned);
        }
        let (_, query) = last.location()?.split_once('?')?;
        let value = Form::parse(query);
        value.value(name.strip_prefix("last:")?).map(str::to_owned)
    }
}

/// A loopback URI at the port that was asked for.
fn at_port(uri: &str, location: &str) -> String {
    let ported = || {
        let host = ["http://127.0.0.1", "http://[::1]"]
            .into_iter()
            .find(|host| uri.starts_with(host))?;
        let port = location.strip_prefix(host)?.strip_prefix(':')?;
        let digits = port.bytes().take_while(u8::is_ascii_digit).count();
        let path = uri.strip_prefix(host)?.trim_start_matches(':');
        let path = path.trim_start_matches(|letter: char| letter.is_ascii_digit());
        Some(format!("{host}:{}{path}", port.get(..digits)?))
    };
    ported().unwrap_or_else(|| uri.to_owned())
}
