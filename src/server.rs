//! The server: settings, keys and ports; an endpoint and a request in, a response out.

use std::rc::Rc;

use crate::api;
use crate::config::Config;
use crate::error::Reason;
use crate::gate::{self, KnownRequirements};
use crate::http::{Request, Response};
use crate::jose::base64url;
use crate::oauth;
use crate::ports::{At, Ports, Unavailable};
use crate::token::{Keyring, seal};

/// Everything a request needs but the request.
pub struct Server<P> {
    /// Policy.
    pub config: Config,
    /// What seals and opens.
    pub keyring: Rc<Keyring>,
    /// The world.
    pub ports: P,
    /// What the routes of proxies ask, as they were read.
    pub requirements: KnownRequirements,
}

impl<P> Server<P> {
    /// A server that was asked nothing yet.
    #[must_use]
    pub fn new(config: Config, keyring: Rc<Keyring>, ports: P) -> Self {
        Self {
            config,
            keyring,
            ports,
            requirements: KnownRequirements::default(),
        }
    }
}

/// Where a request goes. The routes in `shim.js` name them by [`Endpoint::parse`]'s words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is documented in its module")]
pub enum Endpoint {
    OpenidConfiguration,
    AuthorizationServer,
    Jwks,
    Application,
    ProtectedResource,
    Authorize,
    Token,
    DeviceAuthorization,
    Introspect,
    CheckToken,
    Revoke,
    Userinfo,
    Register,
    Login,
    Consent,
    Device,
    Logout,
    FirstRun,
    RotateKeys,
    Export,
    Import,
    Epoch,
    Revocations,
    ResourceKeys,
    Records,
    Users,
    Tokens,
    QuotaOverrides,
    IngressAuth,
    IngressAnonymous,
    Health,
    Ready,
}

impl Endpoint {
    /// Every endpoint with the word that `shim.js` uses for it.
    pub const ALL: [(&'static str, Self); 32] = [
        ("openid_configuration", Self::OpenidConfiguration),
        ("authorization_server", Self::AuthorizationServer),
        ("jwks", Self::Jwks),
        ("application", Self::Application),
        ("protected_resource", Self::ProtectedResource),
        ("authorize", Self::Authorize),
        ("token", Self::Token),
        ("device_authorization", Self::DeviceAuthorization),
        ("introspect", Self::Introspect),
        ("check_token", Self::CheckToken),
        ("revoke", Self::Revoke),
        ("userinfo", Self::Userinfo),
        ("register", Self::Register),
        ("login", Self::Login),
        ("consent", Self::Consent),
        ("device", Self::Device),
        ("logout", Self::Logout),
        ("first_run", Self::FirstRun),
        ("rotate_keys", Self::RotateKeys),
        ("export", Self::Export),
        ("import", Self::Import),
        ("epoch", Self::Epoch),
        ("revocations", Self::Revocations),
        ("resource_keys", Self::ResourceKeys),
        ("records", Self::Records),
        ("users", Self::Users),
        ("tokens", Self::Tokens),
        ("quota_overrides", Self::QuotaOverrides),
        ("ingress_auth", Self::IngressAuth),
        ("ingress_anonymous", Self::IngressAnonymous),
        ("health", Self::Health),
        ("ready", Self::Ready),
    ];

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|(known, _)| *known == word)
            .map(|(_, endpoint)| endpoint)
    }

    /// Whether it is asked by proxies, which say more than others.
    #[must_use]
    pub fn is_for_proxies(self) -> bool {
        matches!(self, Self::IngressAuth | Self::IngressAnonymous)
    }

    /// Whether it is answered while the deployment is switched off: what resources check tokens by, and
    /// what says that anything is here.
    #[must_use]
    pub fn serves_resources(self) -> bool {
        matches!(
            self,
            Self::OpenidConfiguration
                | Self::AuthorizationServer
                | Self::ProtectedResource
                | Self::Application
                | Self::Jwks
                | Self::Health
                | Self::Introspect
                | Self::CheckToken
                | Self::IngressAuth
                | Self::IngressAnonymous
                | Self::Revocations
        )
    }

    /// Whether a person is in front of it.
    fn is_a_page(self) -> bool {
        matches!(
            self,
            Self::Authorize | Self::Login | Self::Consent | Self::Device | Self::Logout
        )
    }

    /// Whether it is of the management API, which is compiled apart from the protocol.
    #[must_use]
    pub fn is_management(self) -> bool {
        match self {
            Self::FirstRun
            | Self::RotateKeys
            | Self::Export
            | Self::Import
            | Self::Epoch
            | Self::Revocations
            | Self::ResourceKeys
            | Self::Records
            | Self::Users
            | Self::Tokens
            | Self::QuotaOverrides => true,
            Self::OpenidConfiguration
            | Self::AuthorizationServer
            | Self::Jwks
            | Self::Application
            | Self::ProtectedResource
            | Self::Authorize
            | Self::Token
            | Self::DeviceAuthorization
            | Self::Introspect
            | Self::CheckToken
            | Self::Revoke
            | Self::Userinfo
            | Self::Register
            | Self::Login
            | Self::Consent
            | Self::Device
            | Self::Logout
            | Self::IngressAuth
            | Self::IngressAnonymous
            | Self::Health
            | Self::Ready => false,
        }
    }

    /// The word, for logs.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::ALL
            .into_iter()
            .find(|(_, known)| *known == self)
            .map_or("unknown", |(word, _)| word)
    }
}

impl<P: Ports> Server<P> {
    /// Answers a request. It never fails: every refusal is an answer of the endpoint's own kind.
    pub async fn answer(&self, endpoint: Endpoint, request: &Request, at: &At) -> Response {
        if endpoint.is_management() {
            api::answer(self, endpoint, request, at).await
        } else {
            self.serve(endpoint, request, at).await
        }
    }

    /// Answers a request of the protocol: to anything but the management API, which [`api::answer`] does.
    pub async fn serve(&self, endpoint: Endpoint, request: &Request, at: &At) -> Response {
        let response = if self.config.available || endpoint.serves_resources() {
            self.protocol(endpoint, request, at).await
        } else if endpoint.is_a_page() {
            oauth::page::refusal(Reason::Maintenance, at)
        } else {
            Response::refusal(Reason::Maintenance).for_any_origin()
        };
        match &response.reason {
            None => response,
            Some(reason) => match self.config.explained_at(reason.code()) {
                None => response,
                Some(uri) => response.explained(&uri),
            },
        }
    }

    async fn protocol(&self, endpoint: Endpoint, request: &Request, at: &At) -> Response {
        match endpoint {
            Endpoint::OpenidConfiguration | Endpoint::AuthorizationServer => {
                oauth::discovery::metadata(&self.config)
            }
            Endpoint::ProtectedResource => oauth::discovery::protected_resource(&self.config),
            Endpoint::Jwks => oauth::discovery::jwks(self, at).await,
            Endpoint::Application => oauth::discovery::application(self, request, at).await,
            Endpoint::Authorize => oauth::authorize::answer(self, request, at).await,
            Endpoint::Token => oauth::token::answer(self, request, at).await,
            Endpoint::DeviceAuthorization => {
                oauth::device_authorization::answer(self, request, at).await
            }
            Endpoint::Introspect => oauth::introspect::answer(self, request, at).await,
            Endpoint::CheckToken => oauth::check_token::answer(self, request, at).await,
            Endpoint::Revoke => oauth::revoke::answer(self, request, at).await,
            Endpoint::Userinfo => oauth::userinfo::answer(self, request, at).await,
            Endpoint::Register => oauth::register::answer(self, request, at).await,
            Endpoint::Login => oauth::login::answer(self, request, at).await,
            Endpoint::Consent => oauth::consent::answer(self, request, at).await,
            Endpoint::Device => oauth::device::answer(self, request, at).await,
            Endpoint::Logout => oauth::logout::answer(self, request, at).await,
            Endpoint::IngressAuth => gate::ingress::auth(self, request, at).await,
            Endpoint::IngressAnonymous => gate::ingress::anonymous(self, request),
            Endpoint::Health => Response::json(200, r#"{"status":"ok"}"#.to_owned()),
            Endpoint::Ready => self.ready(at).await,
            _ => Response::refusal(Reason::Internal("this endpoint is of the management API")),
        }
    }

    /// A fresh random id for something sealed.
    ///
    /// # Errors
    /// [`Unavailable`] when there is no randomness.
    pub fn fresh_id(&self) -> Result<[u8; seal::ID], Unavailable> {
        let mut id = [0; seal::ID];
        self.ports.fill(&mut id)?;
        Ok(id)
    }

    /// A fresh random text of so many bytes, base64url.
    ///
    /// # Errors
    /// As [`Server::fresh_id`].
    pub fn fresh_text(&self, bytes: usize) -> Result<String, Unavailable> {
        let mut buffer = vec![0; bytes];
        self.ports.fill(&mut buffer)?;
        Ok(base64url::encode(&buffer))
    }

    /// A fresh name: a prefix and so many random bytes.
    ///
    /// # Errors
    /// [`Reason::Unavailable`] when there is no randomness.
    pub fn fresh_name<T: TryFrom<String>>(&self, prefix: &str, bytes: usize) -> Result<T, Reason> {
        let text = format!("{prefix}{}", self.fresh_text(bytes)?);
        T::try_from(text).map_err(|_| Reason::Internal("a random text makes no name of its kind"))
    }

    /// Whether signing keys can be read and the feed answers.
    async fn ready(&self, at: &At) -> Response {
        let ready = async {
            self.ports.keys(at).await?;
            self.ports.revocations(at).await?;
            Ok::<(), Reason>(())
        };
        match ready.await {
            Ok(()) => Response::json(200, r#"{"status":"ready"}"#.to_owned()),
            Err(reason) => Response::refusal(reason),
        }
    }
}
