//! A browser: it keeps cookies, follows redirects as far as our own pages, and posts their forms.

use std::cell::RefCell;
use std::collections::BTreeMap;

use edgemint::http::{Request, Response};
use edgemint::server::Endpoint;

use super::{Fixture, Form, ISSUER, PASSWORD, Seen, get, post};

/// Redirects in a row that no flow of ours needs.
const MOST_REDIRECTS: u32 = 10;

/// A browser and its cookies.
pub(crate) struct Browser<'a> {
    fixture: &'a Fixture,
    cookies: RefCell<BTreeMap<String, String>>,
}

/// Where a browser has stopped: on a page of ours, at a refusal, or at a redirect to a client.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    /// The path of the last request.
    pub(crate) path: String,
    /// Its answer.
    pub(crate) response: Response,
}

impl<'a> Browser<'a> {
    pub(super) fn new(fixture: &'a Fixture) -> Self {
        Self {
            fixture,
            cookies: RefCell::default(),
        }
    }

    /// Opens a path of ours, for instance `/login`, and follows redirects to ours.
    pub(crate) fn open(&self, path_and_query: &str) -> Page {
        let (path, query) = path_and_query
            .split_once('?')
            .unwrap_or((path_and_query, ""));
        let request = get(&Form::parse(query));
        let response = self.send(endpoint(path), request);
        self.follow(path, response)
    }

    /// Opens the authorization endpoint by GET, and follows redirects to ours.
    pub(crate) fn authorize(&self, form: &Form) -> Page {
        self.open(&format!("/oauth/authorize?{}", form.encode()))
    }

    /// As [`Browser::authorize`], by POST.
    pub(crate) fn authorize_by_post(&self, form: &Form) -> Page {
        let response = self.send(Endpoint::Authorize, post(form));
        self.follow("/oauth/authorize", response)
    }

    /// Posts the form of a page, with these fields filled in, and follows redirects to ours.
    pub(crate) fn submit(&self, page: &Page, fields: &[(&str, &str)]) -> Page {
        let response = self.submit_only(page, fields);
        self.follow(&page.path, response)
    }

    /// Posts the form of a page and follows nothing.
    pub(crate) fn submit_only(&self, page: &Page, fields: &[(&str, &str)]) -> Response {
        self.send(endpoint(&page.action()), self.form_post(page, fields))
    }

    /// The request that posting the form of a page is.
    pub(crate) fn form_post(&self, page: &Page, fields: &[(&str, &str)]) -> Request {
        let mut form = page.hidden_fields();
        for (name, value) in fields {
            form = form.with(name, value);
        }
        Request {
            origin: Some("null".to_owned()),
            fetch_site: Some("same-origin".to_owned()),
            ..post(&form)
        }
    }

    /// Sends a request with the cookies, and takes those of the answer.
    pub(crate) fn send(&self, endpoint: Endpoint, request: Request) -> Response {
        let request = self.with_cookies(request);
        self.take(self.fixture.send(endpoint, &request))
    }

    /// As [`Browser::send`], under a request id of one's own.
    pub(crate) fn send_as(&self, endpoint: Endpoint, request: Request, id: &str) -> Response {
        let request = self.with_cookies(request);
        let at = self.fixture.at_request(id);
        self.take(self.fixture.send_at(endpoint, &request, &at))
    }

    /// Signs in at `/login`.
    pub(crate) fn sign_in(&self, username: &str) {
        let page = self.open("/login");
        let after = self.fill_in(&page, username);
        assert_eq!(after.response.status, 200, "{:?}", after.response.reason);
        assert!(self.cookie("edgemint-session").is_some());
    }

    /// Fills in a sign-in page.
    pub(crate) fn fill_in(&self, page: &Page, username: &str) -> Page {
        assert_eq!(page.path, "/login", "{:?}", page.response);
        self.submit(page, &[("username", username), ("password", PASSWORD)])
    }

    /// Answers a consent page.
    pub(crate) fn decide(&self, page: &Page, decision: &str) -> Page {
        assert_eq!(page.path, "/consent", "{:?}", page.response);
        self.submit(page, &[("decision", decision)])
    }

    /// Authorizes, as `ada` if somebody has to sign in, and agrees if that is asked.
    pub(crate) fn allow(&self, form: &Form) -> Page {
        let mut page = self.authorize(form);
        if page.is_page_at("/login") {
            page = self.fill_in(&page, "ada");
        }
        if page.is_page_at("/consent") {
            page = self.decide(&page, "allow");
        }
        page
    }

    /// The code that [`Browser::allow`] leads to.
    pub(crate) fn code(&self, form: &Form) -> String {
        self.allow(form).response.code()
    }

    /// The value of a cookie, by its name without `__Host-`.
    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        self.cookies
            .borrow()
            .get(&format!("__Host-{name}"))
            .cloned()
    }

    /// Every cookie, by its whole name.
    pub(crate) fn cookies(&self) -> Vec<(String, String)> {
        self.cookies.borrow().clone().into_iter().collect()
    }

    /// Puts a cookie into the jar, by its name without `__Host-`.
    pub(crate) fn set_cookie(&self, name: &str, value: &str) {
        let name = format!("__Host-{name}");
        self.cookies.borrow_mut().insert(name, value.to_owned());
    }

    /// A copy of this browser with the same cookies.
    pub(crate) fn copy(&self) -> Self {
        Self {
            fixture: self.fixture,
            cookies: self.cookies.clone(),
        }
    }

    /// Goes on from an answer: follows redirects to ours.
    pub(crate) fn follow(&self, path: &str, response: Response) -> Page {
        let mut page = Page {
            path: path.to_owned(),
            response,
        };
        for _ in 0..MOST_REDIRECTS {
            let ours = page.response.location();
            let ours = ours.and_then(|location| location.strip_prefix(ISSUER));
            let Some(next) = ours.filter(|rest| rest.starts_with('/')) else {
                return page;
            };
            assert_eq!(page.response.status, 303);
            let (path, query) = next.split_once('?').unwrap_or((next, ""));
            let request = Request {
                query: query.to_owned(),
                ..get(&Form::default())
            };
            page = Page {
                path: path.to_owned(),
                response: self.send(endpoint(path), request),
            };
        }
        panic!("redirects without end, at {}", page.path);
    }

    /// The session ends, as by `/logout`.
    pub(crate) fn sign_out(&self) {
        let page = self.open("/logout");
        self.submit(&page, &[]);
        assert!(self.cookie("edgemint-session").is_none());
    }

    /// A request with the cookies.
    pub(crate) fn with_cookies(&self, request: Request) -> Request {
        let cookies = self.cookies.borrow();
        let pairs: Vec<String> = cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        Request {
            cookie: (!pairs.is_empty()).then(|| pairs.join("; ")),
            ..request
        }
    }

    fn take(&self, response: Response) -> Response {
        let mut cookies = self.cookies.borrow_mut();
        for set in response.all("set-cookie") {
            let (pair, attributes) = set.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.contains("Max-Age=0") {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        drop(cookies);
        response
    }
}

impl Page {
    /// Whether it is a page of ours that was shown at this path.
    pub(crate) fn is_page_at(&self, path: &str) -> bool {
        self.path == path && self.response.status == 200
    }

    /// The `action` of its form.
    pub(crate) fn action(&self) -> String {
        attribute(&self.response.body, "<form", "action")
            .unwrap_or_else(|| panic!("no form: {}", self.response.body))
    }

    /// The hidden fields of its form.
    pub(crate) fn hidden_fields(&self) -> Form {
        let mut form = Form::default();
        for tag in self.response.body.split("<input").skip(1) {
            let tag = format!("<input{tag}");
            if attribute(&tag, "<input", "type").as_deref() == Some("hidden") {
                let name = attribute(&tag, "<input", "name").unwrap();
                let value = attribute(&tag, "<input", "value").unwrap_or_default();
                form = form.and(&name, &value);
            }
        }
        form
    }
}

/// The value of an attribute of the first such tag.
fn attribute(html: &str, tag: &str, name: &str) -> Option<String> {
    let (_, rest) = html.split_once(tag)?;
    let tag = rest.split('>').next()?;
    let (_, value) = tag.split_once(&format!(" {name}=\""))?;
    let value = value.split('"').next()?;
    let plain = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&amp;", "&"),
    ];
    let unescape = |text: String, (from, to): &(&str, &str)| text.replace(from, to);
    Some(plain.iter().fold(value.to_owned(), unescape))
}

fn endpoint(path: &str) -> Endpoint {
    match path {
        "/oauth/authorize" => Endpoint::Authorize,
        "/login" => Endpoint::Login,
        "/consent" => Endpoint::Consent,
        "/device" => Endpoint::Device,
        "/logout" | "/oauth/logout" => Endpoint::Logout,
        other => panic!("{other} is no page"),
    }
}
