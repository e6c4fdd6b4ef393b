//! The protocol over `Server<Memory>`: a deployment with people and clients, a browser that follows
//! our pages, and the requests of a client, so that a refusal is as short to test as what it refuses.
#![allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "test support: each test file uses a part, and a broken fixture should stop it"
)]

pub(crate) mod assertion;
mod browser;
mod client;
pub(crate) mod device;
mod form;
pub(crate) mod gate;
mod handles;
pub(crate) mod mac;
pub(crate) mod records;
mod seen;
pub(crate) mod tokens;

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use argon2::password_hash::{PasswordHasher, Salt};
use argon2::{Algorithm as Argon2Variant, Argon2, Params, Version};
use edgemint::config::Config;
use edgemint::directory::record::{Actor, Change, Changed};
use edgemint::directory::{Collection, Reading, schema};
use edgemint::http::{Request, Response};
use edgemint::jose::{Algorithm, base64url};
use edgemint::memory::Memory;
use edgemint::model::{
    Client, ClientId, Moment, Profile, RequestId, Scope, Secret, Subject, SubjectFacts, Username,
};
use edgemint::ports::directory::{
    AccountCreated, ChangeAccount, ChangeRecord, ClientCreated, ClientReplaced, CreateAccount,
    CreateClient, FindClient, ReplaceClient,
};
use edgemint::ports::{At, Directory};
use edgemint::server::{Endpoint, Server};
use edgemint::token::Keyring;

use serde_json::{Value, json};

pub(crate) use browser::{Browser, Page};
pub(crate) use client::{client, redirect_uri, secret};
pub(crate) use edgemint::memory::{Fault, Operations, Outage};
pub(crate) use form::Form;
pub(crate) use seen::{Seen, decoded};

pub(crate) const ISSUER: &str = "https://id.example";
/// 2027-01-15T08:00:00Z, in seconds.
pub(crate) const NOW: u64 = 1_800_000_000;
/// Everybody's password.
pub(crate) const PASSWORD: &str = "correct horse battery staple";
/// RFC 7636 Appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// The resource that the client `api` serves and that `web`, `jwt` and `spa` may name.
pub(crate) const RESOURCE: &str = "https://api.example/v1";
/// The bootstrap token of the fixture.
pub(crate) const BOOTSTRAP: &str = "bootstrap-bootstrap-bootstrap-32";
/// The client's `state` and `nonce` in a good request.
pub(crate) const STATE: &str = "a state/with+odd ~chars=";
pub(crate) const NONCE: &str = "n-0S6_WzA2Mj";

/// Drives a future that never waits: everything here answers at once.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("nothing in memory waits"),
    }
}

/// A deployment with two people, `ada` (scopes `read`, `write`, `admin:token`) and `bob`
/// (`read`), and the clients of [`client`]. Its clock stands still until [`Fixture::later`].
pub(crate) struct Fixture {
    pub(crate) server: Server<Memory>,
    now: Cell<Moment>,
    requests: Cell<u32>,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// With other settings.
    pub(crate) fn with(set: impl FnOnce(&mut Config)) -> Self {
        let fixture = Self::empty("root secret of the tests, 32 bytes", set);
        for scope in ["read", "write"] {
            fixture.create_record(Collection::Scopes, json!({"name": scope, "value": scope}));
        }
        // Somebody else administers: everybody may be disabled.
        fixture.create_account("root", "admin:token");
        fixture.create_account("ada", "read write admin:token");
        fixture.create_account("bob", "read");
        for id in client::ALL {
            fixture.create_client(client(id));
        }
        fixture
    }

    /// Nobody and nothing, under this root.
    pub(crate) fn empty(root: &str, set: impl FnOnce(&mut Config)) -> Self {
        let memory = Memory::default();
        prepare_rsa_keys(&memory);
        let mut config = Config::new(ISSUER)
            .unwrap()
            .with_bootstrap(&Secret::new(BOOTSTRAP))
            .unwrap();
        set(&mut config);
        let keyring = Keyring::new(&config.issuer, &[Secret::new(root)])
            .unwrap()
            .into();
        Self {
            server: Server::new(config, keyring, memory),
            now: Cell::new(Moment(NOW * 1000)),
            requests: Cell::new(0),
        }
    }

    pub(crate) fn memory(&self) -> &Memory {
        &self.server.ports
    }

    // Time and requests.

    /// Lets so many seconds pass.
    pub(crate) fn later(&self, seconds: u64) {
        self.now.set(Moment(self.now.get().0 + seconds * 1000));
    }

    /// Does something where the clock differs by so many seconds.
    pub(crate) fn skewed<T>(&self, seconds: i64, act: impl FnOnce() -> T) -> T {
        let now = self.now.get();
        self.now
            .set(Moment(now.0.checked_add_signed(seconds * 1000).unwrap()));
        let done = act();
        self.now.set(now);
        done
    }

    /// The time on the clock, in seconds.
    pub(crate) fn now(&self) -> u64 {
        self.now.get().unix().0
    }

    /// The next request's id and instant.
    pub(crate) fn at(&self) -> At {
        self.requests.set(self.requests.get() + 1);
        self.at_request(&format!("request-{}", self.requests.get()))
    }

    /// A request's id and instant, where the id is to be repeated.
    pub(crate) fn at_request(&self, id: &str) -> At {
        At {
            request: RequestId::parse(id).unwrap(),
            now: self.now.get(),
        }
    }

    /// Sends a request.
    pub(crate) fn send(&self, endpoint: Endpoint, request: &Request) -> Response {
        self.send_at(endpoint, request, &self.at())
    }

    /// Sends a request under an id of one's own.
    pub(crate) fn send_at(&self, endpoint: Endpoint, request: &Request, at: &At) -> Response {
        block_on(self.server.answer(endpoint, request, at))
    }

    /// GET without cookies.
    pub(crate) fn get(&self, endpoint: Endpoint, query: &Form) -> Response {
        self.send(endpoint, &get(query))
    }

    /// POST of a form, without cookies and credentials.
    pub(crate) fn post(&self, endpoint: Endpoint, form: &Form) -> Response {
        self.send(endpoint, &post(form))
    }

    /// What `action` costs.
    pub(crate) fn cost(&self, action: impl FnOnce()) -> Operations {
        let before = self.memory().operations();
        action();
        let after = self.memory().operations();
        Operations {
            ledger: after.ledger - before.ledger,
            directory: after.directory - before.directory,
            feed: after.feed - before.feed,
            kv_puts: after.kv_puts - before.kv_puts,
            courier: after.courier - before.courier,
            fetches: after.fetches - before.fetches,
        }
    }

    // People and clients.

    pub(crate) fn create_account(&self, username: &str, scope: &str) -> SubjectFacts {
        self.create_account_with(username, scope, &[])
    }

    pub(crate) fn create_account_with(
        &self,
        username: &str,
        scope: &str,
        roles: &[&str],
    ) -> SubjectFacts {
        let create = CreateAccount {
            subject: subject(username),
            username: Username::parse(username).unwrap(),
            password_hash: quick_hash(PASSWORD),
            scope: Scope::parse(scope).unwrap(),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            profile: Profile {
                given_name: Some(username.to_owned()),
                ..Profile::default()
            },
            first_only: false,
        };
        match block_on(self.memory().directory(&self.at(), create)).unwrap() {
            AccountCreated::Created(facts) => *facts,
            other => panic!("{username}: {other:?}"),
        }
    }

    /// Makes a record as an administrator would; answers its id.
    pub(crate) fn create_record(&self, collection: Collection, fields: Value) -> u64 {
        let Value::Object(fields) = fields else {
            panic!("fields are an object");
        };
        let fields = schema::read(collection.fields(), &fields, Reading::Create).unwrap();
        let verb = ChangeRecord {
            collection,
            change: Change::Create(fields),
            actor: Actor {
                name: "fixture".to_owned(),
                address: None,
            },
        };
        match block_on(self.memory().directory(&self.at(), verb)).unwrap() {
            Changed::Done(made) => made["id"].as_u64().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// A request to the management API, with the bootstrap token.
    pub(crate) fn api(&self, method: &str, path: &str, body: &Value) -> Response {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let request = Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            body: body.to_string(),
            content_type: Some("application/json".to_owned()),
            authorization: Some(format!("Bearer {BOOTSTRAP}")),
            ..Request::default()
        };
        self.send(Endpoint::Records, &request)
    }

    /// Changes an account as an administrator would.
    pub(crate) fn change_account(&self, username: &str, change: impl FnOnce(&mut ChangeAccount)) {
        let mut verb = ChangeAccount {
            subject: subject(username),
            password_hash: None,
            active: None,
            scope: None,
        };
        change(&mut verb);
        let changed = block_on(self.memory().directory(&self.at(), verb)).unwrap();
        changed.expect("the account is there");
    }

    pub(crate) fn change_password(&self, username: &str, password: &str) {
        self.change_account(username, |account| {
            account.password_hash = Some(quick_hash(password));
        });
    }

    pub(crate) fn disable_account(&self, username: &str) {
        self.change_account(username, |account| account.active = Some(false));
    }

    pub(crate) fn create_client(&self, client: Client) {
        let created = block_on(self.memory().directory(&self.at(), CreateClient { client }));
        assert_eq!(created, Ok(ClientCreated::Created));
    }

    /// Registers a client by its metadata, as the administrator.
    pub(crate) fn register(&self, metadata: &Value) -> Response {
        let request = Request {
            method: "POST".to_owned(),
            body: metadata.to_string(),
            content_type: Some("application/json".to_owned()),
            authorization: Some(format!("Bearer {BOOTSTRAP}")),
            address: Some(ADDRESS.to_owned()),
            ..Request::default()
        };
        self.send(Endpoint::Register, &request)
    }

    /// Changes a client as an administrator would.
    pub(crate) fn change_client(&self, id: &str, change: impl FnOnce(&mut Client)) {
        let find = FindClient {
            id: ClientId::parse(id).unwrap(),
        };
        let found = block_on(self.memory().directory(&self.at(), find)).unwrap();
        let mut client = found.expect("the client is there");
        client.version += 1;
        change(&mut client);
        let replaced = block_on(
            self.memory()
                .directory(&self.at(), ReplaceClient { client: *client }),
        );
        assert_eq!(replaced, Ok(ClientReplaced::Replaced));
    }

    // A browser and what it gets.

    /// A browser with no cookies.
    pub(crate) fn browser(&self) -> Browser<'_> {
        Browser::new(self)
    }

    /// A browser in which `ada` has signed in.
    pub(crate) fn signed_in_browser(&self) -> Browser<'_> {
        self.browser_of("ada")
    }

    /// A browser in which somebody has signed in.
    pub(crate) fn browser_of(&self, username: &str) -> Browser<'_> {
        let browser = self.browser();
        browser.sign_in(username);
        browser
    }

    /// A code for `web`, agreed to by `ada`.
    pub(crate) fn code(&self) -> String {
        self.code_for("web")
    }

    /// A code for a client, agreed to by `ada`.
    pub(crate) fn code_for(&self, id: &str) -> String {
        self.signed_in_browser().code(&authorization(id))
    }

    // What a client sends.

    /// The request of `id` to the token endpoint, authenticated as `id` does.
    pub(crate) fn token_request(&self, id: &str, form: &Form) -> Request {
        authenticated(id, form)
    }

    /// Asks the token endpoint as `id`.
    pub(crate) fn token_as(&self, id: &str, form: &Form) -> Response {
        self.send(Endpoint::Token, &authenticated(id, form))
    }

    /// Redeems a code of `web`.
    pub(crate) fn exchange(&self, code: &str) -> Response {
        self.exchange_as("web", code)
    }

    /// Redeems a code.
    pub(crate) fn exchange_as(&self, id: &str, code: &str) -> Response {
        self.token_as(id, &exchange_form(id, code))
    }

    /// The tokens of a fresh code for `web` with `offline_access`.
    pub(crate) fn tokens(&self) -> Tokens {
        self.tokens_of("web")
    }

    /// The tokens of a fresh code for a client, agreed to by `ada`.
    pub(crate) fn tokens_of(&self, id: &str) -> Tokens {
        Tokens::of(&self.exchange_as(id, &self.code_for(id)))
    }

    /// The tokens of a fresh code of this browser.
    pub(crate) fn tokens_in(&self, browser: &Browser<'_>, id: &str) -> Tokens {
        Tokens::of(&self.exchange_as(id, &browser.code(&authorization(id))))
    }

    /// Uses a refresh token of `web`.
    pub(crate) fn refresh(&self, token: &str) -> Response {
        self.refresh_as("web", token)
    }

    /// Uses a refresh token.
    pub(crate) fn refresh_as(&self, id: &str, token: &str) -> Response {
        self.token_as(id, &refresh_form(token))
    }

    /// A token of `id` for itself.
    pub(crate) fn client_credentials(&self, id: &str) -> Response {
        self.token_as(id, &Form::new(&[("grant_type", "client_credentials")]))
    }

    /// Introspects as `web`.
    pub(crate) fn introspect(&self, token: &str) -> Response {
        self.introspect_as("web", token)
    }

    /// Introspects as a client.
    pub(crate) fn introspect_as(&self, id: &str, token: &str) -> Response {
        let form = Form::new(&[("token", token)]);
        self.send(Endpoint::Introspect, &authenticated(id, &form))
    }

    /// Whether `web` is told that its token is active.
    pub(crate) fn is_active(&self, token: &str) -> bool {
        self.is_active_for("web", token)
    }

    /// Whether a client is told that a token is active.
    pub(crate) fn is_active_for(&self, id: &str, token: &str) -> bool {
        let answer = self.introspect_as(id, token);
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()["active"].as_bool().unwrap()
    }

    /// Revokes as `web`.
    pub(crate) fn revoke(&self, token: &str) -> Response {
        self.revoke_as("web", token)
    }

    /// Revokes as a client.
    pub(crate) fn revoke_as(&self, id: &str, token: &str) -> Response {
        let form = Form::new(&[("token", token)]);
        self.send(Endpoint::Revoke, &authenticated(id, &form))
    }

    /// Asks UserInfo with a bearer token.
    pub(crate) fn userinfo(&self, token: &str) -> Response {
        let request = Request {
            method: "GET".to_owned(),
            authorization: Some(format!("Bearer {token}")),
            ..Request::default()
        };
        self.send(Endpoint::Userinfo, &request)
    }
}

/// What a successful token answer holds.
#[derive(Debug, Clone)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: Option<String>,
    pub(crate) id_token: Option<String>,
    pub(crate) scope: String,
}

impl Tokens {
    pub(crate) fn of(answer: &Response) -> Self {
        assert_eq!(answer.status, 200, "{}", answer.body);
        let body = answer.json();
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        Self {
            access: text("access_token").unwrap(),
            refresh: text("refresh_token"),
            id_token: text("id_token"),
            scope: text("scope").unwrap(),
        }
    }

    pub(crate) fn refresh(&self) -> &str {
        self.refresh.as_deref().expect("a refresh token")
    }

    /// The claims of the ID token; the signature is not looked at.
    pub(crate) fn claims(&self) -> Value {
        let token = self.id_token.as_deref().expect("an ID token");
        decoded(token.split('.').nth(1).unwrap())
    }
}

/// A good authorization request of a client: PKCE, state, nonce and every scope it has.
pub(crate) fn authorization(id: &str) -> Form {
    Form::new(&[
        ("response_type", "code"),
        ("client_id", id),
        ("redirect_uri", redirect_uri(id)),
        ("scope", "openid profile offline_access read"),
        ("state", STATE),
        ("nonce", NONCE),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ])
}

/// A good token request for a code.
pub(crate) fn exchange_form(id: &str, code: &str) -> Form {
    Form::new(&[
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect_uri(id)),
        ("code_verifier", VERIFIER),
    ])
}

/// A good token request for a refresh token.
pub(crate) fn refresh_form(token: &str) -> Form {
    Form::new(&[("grant_type", "refresh_token"), ("refresh_token", token)])
}

/// A form post of a client, authenticated in the way it is registered for.
pub(crate) fn authenticated(id: &str, form: &Form) -> Request {
    client::authenticate(&client(id), form)
}

/// `Authorization: Basic …` of these, form-encoded as RFC 6749 §2.3.1 says.
pub(crate) fn basic(id: &str, secret: &str) -> String {
    client::basic(id, secret)
}

pub(crate) fn get(query: &Form) -> Request {
    Request {
        method: "GET".to_owned(),
        query: query.encode(),
        address: Some(ADDRESS.to_owned()),
        ..Request::default()
    }
}

pub(crate) fn post(form: &Form) -> Request {
    Request {
        method: "POST".to_owned(),
        body: form.encode(),
        content_type: Some(FORM.to_owned()),
        address: Some(ADDRESS.to_owned()),
        ..Request::default()
    }
}

/// The content type of a form.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
/// The peer's address, unless a test says otherwise.
pub(crate) const ADDRESS: &str = "192.0.2.1";

/// The `sub` of an account of [`Fixture::create_account`].
/// These roots, the newest first.
pub(crate) fn keyring(roots: &[&str]) -> Rc<Keyring> {
    let roots: Vec<Secret> = roots.iter().map(|root| Secret::new(*root)).collect();
    Keyring::new(ISSUER, &roots).unwrap().into()
}

pub(crate) fn subject(username: &str) -> Subject {
    Subject::parse(&format!("u_{username}")).unwrap()
}

/// An Argon2id hash that costs next to nothing, so that signing in does, too.
pub(crate) fn quick_hash(password: &str) -> String {
    let params = Params::new(8, 1, 1, None).unwrap();
    let salt = Salt::from_b64("c29tZSBzYWx0").unwrap();
    Argon2::new(Argon2Variant::Argon2id, Version::V0x13, params)
        .hash_password(password.as_bytes(), salt)
        .unwrap()
        .to_string()
}

/// Two RSA keys, so that keys can be made and rotated once: ring makes none.
fn prepare_rsa_keys(memory: &Memory) {
    let file: Value = serde_json::from_str(include_str!("../vectors/keys.json")).unwrap();
    for key in file["keys"].as_array().unwrap() {
        if key["alg"] == "RS256" {
            let pkcs8 = base64url::decode(key["pkcs8"].as_str().unwrap()).unwrap();
            memory.prepare_key(Algorithm::Rs256, &pkcs8);
        }
    }
}
