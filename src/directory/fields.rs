//! The fields of each kind of record. The first one names it.

use super::form::Form;
use super::schema::{Collection, Field, Given};
use crate::ports::directory::LONGEST_SIGNED;
use crate::token::{code, refresh, session};

const fn number(name: &'static str, about: &'static str) -> Field {
    Field::new(name, Form::Number, about).given(Given::ReadOnly)
}

const fn uuid() -> Field {
    Field::new("pk", Form::Uuid, "names the record").given(Given::ReadOnly)
}

const fn shown(name: &'static str, about: &'static str) -> Field {
    Field::new(name, Form::Shown, about).given(Given::ReadOnly)
}

const fn text(name: &'static str, about: &'static str) -> Field {
    Field::new(name, Form::Text, about)
}

const fn flag(name: &'static str, about: &'static str) -> Field {
    Field::new(name, Form::Flag, about)
}

pub(super) static SCOPE: &[Field] = &[
    number("id", "names the scope").alias("scope_id"),
    text("name", "what people call it")
        .alias("scope_name")
        .given(Given::Required)
        .unique(),
    text("description", "what it allows").alias("scope_description"),
    Field::new("value", Form::ScopeToken, "the token in a scope string")
        .alias("scope_value")
        .given(Given::Once)
        .unique(),
];

pub(super) static ROLE: &[Field] = &[
    number("id", "names the role").alias("role_id"),
    text("name", "what people call it")
        .alias("role_name")
        .given(Given::Required)
        .unique(),
    text("description", "what it is for").alias("role_description"),
    Field::new("scopes", Form::Scope, "what its holders may be granted").alias("role_scopes"),
];

const USERNAME: Field = Field::new("username", Form::Username, "the login name")
    .given(Given::Required)
    .unique();
const SCOPES: Field = Field::new("scopes", Form::Scope, "scopes that are held directly");
const ROLES: Field = Field::new("roles", Form::Named(Collection::Roles), "roles, by name");
const ACTIVE: Field = flag("is_active", "whether it may do anything at all").or("true");
const PASSWORD: Field = Field::new("password", Form::Password, "signs in; never shown");

pub(super) static ACCOUNT: &[Field] = &[
    number("id", "names the account").alias("account_id"),
    text("first_name", "first names")
        .alias("firstName")
        .given(Given::Required),
    text("last_name", "last names")
        .alias("lastName")
        .given(Given::Required),
    USERNAME,
    PASSWORD.given(Given::HiddenRequired),
    ACTIVE.alias("active"),
    SCOPES,
    ROLES,
    shown(
        "subject",
        "the `sub` of its tokens where the client does not say otherwise",
    ),
];

pub(super) static USER: &[Field] = &[
    number("pk", "names the user").alias("num_pk"),
    USERNAME,
    text("name", "what people see; else first and last names"),
    text("first_name", "first names"),
    text("last_name", "last names"),
    ACTIVE,
    Field::new("last_login", Form::Time, "not kept: sessions say it").given(Given::ReadOnly),
    shown("is_superuser", "whether a group makes it an administrator"),
    Field::new("groups", Form::Refs(Collection::Groups), "groups it is in"),
    shown("groups_obj", "the groups themselves"),
    Field::new("email", Form::Mail, "mail address, unverified"),
    shown("avatar", "a picture, as a data URI"),
    Field::new("attributes", Form::Object, "whatever else is known"),
    shown("uid", "a stable name that says nothing"),
    text("path", "a folder for people to sort by").or("\"users\""),
    Field::new(
        "type",
        Form::Choice(&[
            "internal",
            "external",
            "service_account",
            "internal_service_account",
        ]),
        "what kind of user it is",
    )
    .or("\"internal\""),
    shown("uuid", "another name of it"),
    SCOPES,
    ROLES,
    PASSWORD.given(Given::Hidden),
    shown(
        "subject",
        "the `sub` of its tokens where the client does not say otherwise",
    ),
];

pub(super) static GROUP: &[Field] = &[
    uuid(),
    number("num_pk", "a number of 31 bits, for those who expect one"),
    text("name", "what people call it")
        .given(Given::Required)
        .unique(),
    flag(
        "is_superuser",
        "whether its members, and those of groups in it, administer",
    ),
    Field::new(
        "parent",
        Form::Ref(Collection::Groups),
        "the group it is in",
    ),
    shown("parent_name", "the name of that"),
    Field::new("attributes", Form::Object, "whatever else is known"),
];

pub(super) static PROVIDER: &[Field] = &[
    number("pk", "names the provider"),
    text("name", "what people see").given(Given::Required),
    Field::new(
        "authentication_flow",
        Form::Ref(Collection::Flows),
        "how people sign in for it",
    ),
    Field::new(
        "authorization_flow",
        Form::Ref(Collection::Flows),
        "whether people are asked for consent",
    ),
    Field::new(
        "invalidation_flow",
        Form::Ref(Collection::Flows),
        "what signing out does",
    ),
    Field::new(
        "property_mappings",
        Form::Refs(Collection::PropertyMappings),
        "claims that its scopes bring besides",
    ),
    shown("component", "what edits it"),
    shown("assigned_application_slug", "of the application it is of"),
    shown("assigned_application_name", "of the application it is of"),
    shown("assigned_backchannel_application_slug", "empty"),
    shown("assigned_backchannel_application_name", "empty"),
    shown("verbose_name", "what this kind is called"),
    shown("verbose_name_plural", "what several of it are called"),
    shown("meta_model_name", "what this kind is called inside"),
    Field::new(
        "client_type",
        Form::Choice(&["confidential", "public"]),
        "whether it can keep a secret (RFC 6749 §2.1)",
    )
    .or("\"confidential\""),
    Field::new(
        "client_id",
        Form::ClientId,
        "RFC 6749 §2.2; made when it is absent; no two differ by case alone, or by `~` for `.`",
    )
    .given(Given::Made)
    .unique(),
    Field::new(
        "client_secret",
        Form::Secret,
        "replaces every secret; shown once, when it is made",
    )
    .given(Given::Hidden),
    Field::new(
        "access_code_validity",
        Form::Duration(code::LONGEST.0),
        "how long its codes live",
    )
    .or("\"minutes=1\""),
    Field::new(
        "access_token_validity",
        Form::Duration(LONGEST_SIGNED.0),
        "how long its access tokens live",
    )
    .or("\"hours=1\""),
    Field::new(
        "refresh_token_validity",
        Form::Duration(refresh::ABSOLUTE.0),
        "how long its refresh tokens may lie idle",
    )
    .or("\"days=14\""),
    flag(
        "include_claims_in_id_token",
        "whether ID tokens say what UserInfo says",
    )
    .or("true"),
    Field::new(
        "signing_key",
        Form::Key,
        "what signs its tokens; else the newest of its algorithm",
    ),
    Field::new(
        "id_token_signed_response_alg",
        Form::Algorithm,
        "how its tokens are signed, where no key is named",
    )
    .or("\"ES256\""),
    Field::new(
        "redirect_uris",
        Form::RedirectUris,
        "where answers may go, exactly; one a line",
    ),
    shown("redirect_uri_list", "the same as a list"),
    Field::new(
        "post_logout_redirect_uris",
        Form::RedirectUris,
        "where signing out may lead",
    ),
    Field::new(
        "backchannel_logout_uri",
        Form::Target,
        "where it is told that a session has ended in which it got an ID token",
    ),
    flag(
        "backchannel_logout_session_required",
        "whether that has to say which session; it does in any case",
    ),
    Field::new(
        "sub_mode",
        Form::Choice(&[
            "hashed_user_id",
            "user_id",
            "user_uuid",
            "user_username",
            "user_email",
            "user_upn",
            "subject",
        ]),
        "what `sub` is; `subject` is ours, of clients that were registered by RFC 7591",
    )
    .or("\"hashed_user_id\""),
    Field::new(
        "issuer_mode",
        Form::Choice(&["global", "per_provider"]),
        "what `iss` is",
    )
    .or("\"global\""),
    Field::new(
        "jwks_sources",
        Form::Refs(Collection::Sources),
        "whose tokens it may show for a token of its own; at most eight",
    ),
    Field::new(
        "jwks_subjects",
        Form::Subjects,
        "`sub` of those tokens, each exactly; where there are sources, at least one",
    ),
    Field::new(
        "grant_types",
        Form::Choices(&[
            "authorization_code",
            "refresh_token",
            "client_credentials",
            "urn:ietf:params:oauth:grant-type:device_code",
            "implicit",
            "password",
        ]),
        "grants it may use",
    )
    .or("[\"authorization_code\",\"refresh_token\"]"),
    Field::new(
        "response_types",
        Form::Choices(&[
            "code",
            "none",
            "id_token",
            "code id_token",
            "token",
            "id_token token",
            "code token",
            "code id_token token",
        ]),
        "answers it may ask for; `none` goes with `code`, and what has a token needs the grant `implicit`",
    )
    .or("[\"code\"]"),
    Field::new("scope", Form::Scope, "the most it may ask for").or("\"email openid profile\""),
    Field::new(
        "token_endpoint_auth_method",
        Form::Choice(&[
            "client_secret_basic",
            "client_secret_post",
            "private_key_jwt",
            "client_secret_jwt",
        ]),
        "how it shows who it is",
    )
    .or("\"client_secret_basic\""),
    Field::new(
        "jwks",
        Form::Jwks,
        "its keys, where it signs what shows who it is",
    ),
    Field::new(
        "jwks_uri",
        Form::Target,
        "where they are, if they are not here",
    ),
    Field::new("owner", Form::Ref(Collection::Users), "who answers for it"),
    text("description", "what it is"),
    Field::new("client_uri", Form::WebUri, "its home page"),
    Field::new(
        "default_resource",
        Form::Resource,
        "`aud` when none is asked for; else its id",
    ),
    Field::new(
        "resources",
        Form::Resources,
        "resources it may ask for (RFC 8707)",
    ),
    Field::new(
        "serves",
        Form::Resources,
        "audiences whose tokens it may introspect",
    ),
    Field::new(
        "access_token_format",
        Form::Choice(&["jwt", "sealed"]),
        "what its access tokens are",
    )
    .or("\"sealed\""),
    flag("enabled", "whether it may do anything at all").or("true"),
    flag("self_registered", "whether nobody vouches for it").given(Given::ReadOnly),
    flag(
        "danger_allow_management_scopes",
        "whether it may be granted scopes that administer Edgemint",
    ),
    flag(
        "danger_allow_front_channel_access_tokens",
        "whether access tokens may be in answers of the authorization endpoint, which OAuth 2.1 has none of",
    ),
    flag(
        "danger_allow_plain_code_challenge",
        "whether its code challenges may be `plain`",
    ),
    flag(
        "danger_allow_password_grant",
        "whether it may take people's passwords, by the grant `password`, which OAuth 2.1 has none of",
    ),
    flag(
        "danger_issue_mac_tokens",
        "whether it is given keys to sign its requests with (http-mac drafts 00 and 01) instead of bearer tokens",
    ),
    flag(
        "danger_issue_mac_tokens_with_hmac_sha_1",
        "whether it signs by hmac-sha-1 and not by hmac-sha-256",
    ),
    flag(
        "danger_keep_client_secret_readable",
        "whether secrets that it is given from now on are kept so that we can read them, which `client_secret_jwt` needs",
    ),
];

pub(super) static APPLICATION: &[Field] = &[
    uuid(),
    text("name", "what people see").given(Given::Required),
    Field::new("slug", Form::Slug, "its part of an issuer")
        .given(Given::Required)
        .unique(),
    Field::new("provider", Form::Ref(Collection::Providers), "its client"),
    text("group", "a folder for people to sort by"),
    Field::new("meta_launch_url", Form::WebUri, "where it is"),
    text("meta_description", "what it is"),
    text("meta_publisher", "whose it is"),
];

pub(super) static PROPERTY_MAPPING: &[Field] = &[
    uuid(),
    text("name", "what people call it")
        .given(Given::Required)
        .unique(),
    Field::new(
        "scope_name",
        Form::ScopeToken,
        "the scope that brings the claims",
    )
    .given(Given::Required),
    text("description", "what it is for"),
    Field::new(
        "claims",
        Form::Texts,
        "claims and what they are: text in which {username}, {name}, {email}, {uuid} and \
         {attributes.…} stand for what is known",
    ),
];

pub(super) static FLOW: &[Field] = &[
    uuid(),
    text("name", "what people call it").given(Given::Required),
    Field::new("slug", Form::Slug, "its name in configurations")
        .given(Given::Required)
        .unique(),
    text(
        "title",
        "what its page is called, instead of what it is called by itself",
    ),
    Field::new(
        "designation",
        Form::Choice(&["authentication", "authorization", "invalidation"]),
        "what it is for",
    )
    .or("\"authorization\""),
    Field::new(
        "consent",
        Form::Choice(&["explicit", "implicit"]),
        "of authorization: whether people are asked, or an administrator has answered for them",
    )
    .or("\"explicit\""),
    Field::new(
        "max_session_age",
        Form::DurationOrNone(session::LIFETIME.0),
        "of authentication: how old a sign-in may be that does",
    ),
    Field::new(
        "ends",
        Form::Choice(&["client", "session"]),
        "of invalidation: what signing out ends, the session with all that is bound to it, or what \
         this client has of it",
    )
    .or("\"session\""),
];

pub(super) static SOURCE: &[Field] = &[
    uuid(),
    text("name", "what people call it").given(Given::Required),
    Field::new("slug", Form::Slug, "its name in configurations")
        .given(Given::Required)
        .unique(),
    Field::new("issuer", Form::WebUri, "the `iss` of its tokens").given(Given::Required),
    text(
        "audience",
        "the `aud` its tokens have to have; else our issuer",
    ),
    Field::new("jwks", Form::Jwks, "its keys"),
    Field::new(
        "jwks_uri",
        Form::Target,
        "where they are, if they are not here",
    ),
    flag("enabled", "whether its tokens are taken").or("true"),
];

/// What a new password of one's own takes.
pub static PASSWORDS: &[Field] = &[
    Field::new("old_password", Form::Password, "the password of now")
        .alias("oldPassword")
        .given(Given::Required),
    Field::new("new_password", Form::Password, "the password from now on")
        .alias("newPassword")
        .given(Given::Required),
];
