//! Client, RFC 6749 §2 and RFC 7591 §2.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ClientId, Digest, RedirectUri, ResponseType, Scope, Seconds, Secret};
use crate::jose::Algorithm;

/// How a client proves who it is (RFC 7591 §2, `token_endpoint_auth_method`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthenticationMethod {
    /// It cannot: a public client, known by its redirect URI and PKCE.
    None,
    /// RFC 6749 §2.3.1, in the `Authorization` header.
    ClientSecretBasic,
    /// RFC 6749 §2.3.1, in the body.
    ClientSecretPost,
    /// RFC 7523 §2.2, by a key of its own.
    PrivateKeyJwt,
    /// RFC 7523 §2.2, by its secret (OpenID Connect Core §9).
    ClientSecretJwt,
}

impl AuthenticationMethod {
    /// Every method, in the order in which metadata lists them.
    pub const ALL: [Self; 5] = [
        Self::ClientSecretBasic,
        Self::ClientSecretPost,
        Self::PrivateKeyJwt,
        Self::ClientSecretJwt,
        Self::None,
    ];

    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
            Self::ClientSecretJwt => "client_secret_jwt",
        }
    }

    /// Reads the name on the wire.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == text)
    }
}

/// Grants that a client may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    /// RFC 6749 §4.1 with RFC 7636.
    AuthorizationCode,
    /// RFC 6749 §6.
    RefreshToken,
    /// RFC 6749 §4.4.
    ClientCredentials,
    /// RFC 8628.
    DeviceCode,
    /// RFC 6749 §4.2 and OpenID Connect Core §3.2: what the authorization endpoint issues without a code.
    /// The token endpoint does not know it.
    Implicit,
    /// RFC 6749 §4.3.
    Password,
}

impl GrantType {
    /// Every grant, in the order in which metadata lists them.
    pub const ALL: [Self; 6] = [
        Self::AuthorizationCode,
        Self::RefreshToken,
        Self::ClientCredentials,
        Self::DeviceCode,
        Self::Implicit,
        Self::Password,
    ];

    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
            Self::Implicit => "implicit",
            Self::Password => "password",
        }
    }

    /// Reads the name on the wire.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant| grant.as_str() == text)
    }
}

/// Which form a client's access tokens have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessTokenFormat {
    /// Opaque to all but us: checked without a look-up, says nothing to who steals it.
    #[default]
    Sealed,
    /// RFC 9068 `at+jwt`, for resource servers that check by themselves.
    Jwt,
}

/// A registered client, as the directory publishes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Client {
    /// RFC 6749 §2.2.
    pub id: ClientId,
    /// Raised with every change; an older snapshot never replaces a newer one.
    pub version: u64,
    /// Raised when everything issued to this client before must end.
    pub generation: u64,
    /// Whether it may do anything at all.
    pub enabled: bool,
    /// What people are shown.
    pub name: String,
    /// The client's home page, shown as a link on the consent page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_uri: Option<String>,
    /// The only method it may use.
    pub authentication: AuthenticationMethod,
    /// Digests of its secrets; more than one while a new one is being rolled out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<Digest>,
    /// Those that are kept readable, sealed, by their digests.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sealed_secrets: BTreeMap<String, String>,
    /// Where answers may go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redirect_uris: Vec<RedirectUri>,
    /// Where a logout may lead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub post_logout_redirect_uris: Vec<RedirectUri>,
    /// Where it is told that a session has ended in which it got an ID token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backchannel_logout_uri: Option<String>,
    /// Whether that has to say which session; it does in any case.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub backchannel_logout_session_required: bool,
    /// Grants it may use.
    pub grant_types: Vec<GrantType>,
    /// Response types it may ask for; `none` goes with `code`.
    #[serde(default = "code_alone", skip_serializing_if = "is_code_alone")]
    pub response_types: Vec<ResponseType>,
    /// The most it may ask for.
    pub scope: Scope,
    /// `aud` when no `resource` is requested; the client's own id when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_resource: Option<String>,
    /// Resources it may name in `resource` (RFC 8707).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// Audiences whose tokens it may introspect, because it is that resource.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub serves: Vec<String>,
    /// The form of its access tokens.
    #[serde(default)]
    pub access_token_format: AccessTokenFormat,
    /// How long its access tokens live.
    pub access_token_lifetime: Seconds,
    /// How its ID tokens are signed (and its access tokens, where they are JWTs).
    pub signing: Algorithm,
    /// The key that signs them, by its uuid, while it is in force; else the newest of its algorithm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_key: Option<String>,
    /// Whether the administrator answers the consent question for everybody. Never for a client
    /// that registered itself.
    #[serde(default)]
    pub implicit_consent: bool,
    /// Whether it registered itself, so that nobody vouches for its name (RFC 9700 §4.11.2).
    #[serde(default)]
    pub self_registered: bool,
    /// Lets the client be granted scopes that administer Edgemint itself.
    #[serde(default)]
    pub danger_allow_management_scopes: bool,
    /// Lets the client be answered with access tokens by the authorization endpoint, where they pass
    /// through the browser's address. OAuth 2.1 has none of it (RFC 9700 §2.1.2).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub danger_allow_front_channel_access_tokens: bool,
    /// Lets the client send its code verifier as the challenge, where who sees the request has it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub danger_allow_plain_code_challenge: bool,
    /// Lets the client take people's passwords and show them to us. OAuth 2.1 has none of it (RFC 9700 §2.4).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub danger_allow_password_grant: bool,
    /// Gives the client keys to sign its requests with instead of bearer tokens, by drafts that expired
    /// in 2014. RFC 9449 is what came of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub danger_issue_mac_tokens: bool,
    /// Has it sign by HMAC-SHA-1.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub danger_issue_mac_tokens_with_hmac_sha_1: bool,
    /// Keeps its secrets so that we can read them, which `client_secret_jwt` needs. `private_key_jwt` does
    /// the same, and leaves nothing with us that is good for signing in the client's name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub danger_keep_client_secret_readable: bool,
    /// How long its codes live, where it is not as long as everybody's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_lifetime: Option<Seconds>,
    /// How long its refresh tokens may lie idle, where it is not as long as everybody's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_idle: Option<Seconds>,
    /// What `sub` is to it.
    #[serde(default, skip_serializing_if = "SubjectMode::is_own")]
    pub sub_mode: SubjectMode,
    /// Whether its ID tokens lack what UserInfo says.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub claims_in_userinfo_only: bool,
    /// The application whose issuer is its own, where it has one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<String>,
    /// What its pages are called, by what they are for: the titles of its flows.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub titles: BTreeMap<String, String>,
    /// How old a sign-in may be that does for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_session_age: Option<Seconds>,
    /// Whether signing out at it ends what it has of a session, and leaves that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leaves_session: bool,
    /// Claims that its scopes bring besides the protocol's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mappings: Vec<PropertyMapping>,
    /// Whose keys sign its own assertions, where it authenticates so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<Box<KeySource>>,
    /// Whose assertions it may show to act for itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<KeySource>,
    /// Of whom these have to speak: a source signs for many, and this client is one of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<String>,
}

/// Somebody who signs assertions that a client shows (RFC 7523 §2.2), and where the keys are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySource {
    /// `iss` of what it signs.
    pub issuer: String,
    /// `aud` of what it signs; what we are called, where it is empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub audience: String,
    /// The keys themselves, as a JWK Set.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub jwks: Map<String, Value>,
    /// Where they are, if they are not here.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub jwks_uri: String,
}

/// Claims that a scope brings to a client (seed 004), as templates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PropertyMapping {
    /// The scope.
    pub scope: String,
    /// Claim and template.
    pub claims: BTreeMap<String, String>,
}

/// What a client is told as `sub` (seed 004's `sub_mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectMode {
    /// Our own name for the person.
    #[default]
    Subject,
    /// Hex SHA-256 of the person's number and the issuer, with `-` between.
    HashedUserId,
    /// The number.
    UserId,
    /// The uuid.
    UserUuid,
    /// The login name, which may change.
    UserUsername,
    /// The mail address, which may change; our own name where there is none.
    UserEmail,
    /// The attribute `upn`; the hashed number where there is none.
    UserUpn,
}

impl SubjectMode {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde hands out a reference"
    )]
    fn is_own(&self) -> bool {
        *self == Self::Subject
    }
}

fn code_alone() -> Vec<ResponseType> {
    vec![ResponseType::Code]
}

fn is_code_alone(types: &[ResponseType]) -> bool {
    types == [ResponseType::Code]
}

impl Client {
    /// A client that may do nothing yet: everything else is said with `..`.
    #[must_use]
    pub fn named(id: ClientId, name: String, access_token_lifetime: Seconds) -> Self {
        Self {
            id,
            version: 1,
            generation: 0,
            enabled: true,
            name,
            client_uri: None,
            authentication: AuthenticationMethod::None,
            secrets: Vec::new(),
            sealed_secrets: BTreeMap::new(),
            redirect_uris: Vec::new(),
            post_logout_redirect_uris: Vec::new(),
            backchannel_logout_uri: None,
            backchannel_logout_session_required: false,
            grant_types: Vec::new(),
            response_types: code_alone(),
            scope: Scope::default(),
            default_resource: None,
            resources: Vec::new(),
            serves: Vec::new(),
            access_token_format: AccessTokenFormat::Sealed,
            access_token_lifetime,
            signing: Algorithm::Es256,
            signing_key: None,
            implicit_consent: false,
            self_registered: false,
            danger_allow_management_scopes: false,
            danger_allow_front_channel_access_tokens: false,
            danger_allow_plain_code_challenge: false,
            danger_allow_password_grant: false,
            danger_issue_mac_tokens: false,
            danger_issue_mac_tokens_with_hmac_sha_1: false,
            danger_keep_client_secret_readable: false,
            code_lifetime: None,
            refresh_idle: None,
            sub_mode: SubjectMode::Subject,
            claims_in_userinfo_only: false,
            application: None,
            titles: BTreeMap::new(),
            max_session_age: None,
            leaves_session: false,
            mappings: Vec::new(),
            keys: None,
            sources: Vec::new(),
            subjects: Vec::new(),
        }
    }

    /// Seed 002's `check_redirect_uri`.
    #[must_use]
    pub fn check_redirect_uri(&self, requested: &str) -> bool {
        self.redirect_uris.iter().any(|uri| uri.matches(requested))
    }

    /// Seed 002's `check_grant_type`. People's passwords are for a client of one's own that can keep a
    /// secret, and was given them by the long-named switch.
    #[must_use]
    pub fn check_grant_type(&self, grant: GrantType) -> bool {
        self.grant_types.contains(&grant)
            && (grant != GrantType::Password
                || (self.danger_allow_password_grant && !self.is_public() && !self.self_registered))
    }

    /// Seed 002's `check_response_type`: whether it may be answered so, as far as types go. Without the
    /// long-named switch no type has an access token; nor has one for who signs requests, whose key would
    /// stand in the browser's history.
    #[must_use]
    pub fn check_response_type(&self, asked: ResponseType) -> bool {
        let listed = |kind| self.response_types.contains(&kind);
        let listed = listed(asked) || (asked == ResponseType::None && listed(ResponseType::Code));
        let by_address =
            self.danger_allow_front_channel_access_tokens && !self.danger_issue_mac_tokens;
        listed && (!asked.has_token() || by_address)
    }

    /// What the page for this is called, if somebody has said.
    #[must_use]
    pub fn title(&self, designation: &str) -> Option<&str> {
        self.titles.get(designation).map(String::as_str)
    }

    /// Whether the client can keep a secret.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.authentication == AuthenticationMethod::None
    }

    /// Compares with every secret, in constant time, so that neither their number nor which one
    /// matched shows.
    #[must_use]
    pub fn check_secret(&self, secret: &Secret) -> bool {
        self.secrets
            .iter()
            .fold(false, |found, digest| digest.matches(secret) | found)
    }

    /// The audience of a token for which no resource was requested.
    #[must_use]
    pub fn default_audience(&self) -> &str {
        self.default_resource
            .as_deref()
            .unwrap_or_else(|| self.id.as_str())
    }

    /// Whether tokens that name this resource are for it: by its own name, or as what it serves. Where its own
    /// tokens go says nothing about who it is, so that `default_resource` does not count.
    #[must_use]
    pub fn is_or_serves(&self, resource: &str) -> bool {
        self.id.as_str() == resource || self.serves.iter().any(|served| served == resource)
    }

    /// Every audience it may have tokens for: its default, and what it may name.
    pub fn audiences(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.default_audience()).chain(self.resources.iter().map(String::as_str))
    }

    /// Whether it may learn about tokens of this client and audience (RFC 7662 §4).
    #[must_use]
    pub fn may_introspect(&self, issued_to: &ClientId, audience: &str) -> bool {
        self.id == *issued_to
            || self.id.as_str() == audience
            || self.serves.iter().any(|served| served == audience)
    }
}
