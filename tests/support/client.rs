//! The clients of the fixture, one for each thing that clients differ in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use edgemint::http::Request;
use edgemint::jose::Algorithm;
use edgemint::model::{
    AccessTokenFormat, AuthenticationMethod, Client, ClientId, GrantType, RedirectUri, Scope,
    Seconds, Secret,
};

use super::{Form, RESOURCE, post};

/// Their ids.
///
/// - `web`: confidential by Basic, the administrator answers for everybody, every grant
/// - `other`: as `web`, for what must not pass from one client to another
/// - `post`: confidential by the body; people are asked, and their answer is remembered
/// - `jwt`: as `web`, access tokens are JWTs, everything is signed with RS256
/// - `spa`: public, people are asked
/// - `native`: public on a loopback address, people are asked every time
/// - `stranger`: registered itself, public
/// - `api`: the resource server of [`RESOURCE`]; client credentials only
pub(super) const ALL: [&str; 8] = [
    "web", "other", "post", "jwt", "spa", "native", "stranger", "api",
];

/// The redirect URI that the good requests of a client name.
pub(crate) fn redirect_uri(id: &str) -> &'static str {
    match id {
        "web" => "https://web.example/cb",
        "other" => "https://other.example/cb",
        "post" => "https://post.example/cb?tenant=1",
        "jwt" => "https://jwt.example/cb",
        "spa" => "https://spa.example/cb",
        "native" => "http://127.0.0.1/cb",
        "stranger" => "https://stranger.example/cb",
        other => panic!("{other} has no redirect URI"),
    }
}

/// The secret of a confidential client: characters that have to be encoded are among it.
pub(crate) fn secret(id: &str) -> String {
    format!("{id} secret: with % and + and é, 256 bits")
}

/// One of [`ALL`], as it is registered.
pub(crate) fn client(id: &str) -> Client {
    let authentication = match id {
        "post" => AuthenticationMethod::ClientSecretPost,
        "spa" | "native" | "stranger" => AuthenticationMethod::None,
        _ => AuthenticationMethod::ClientSecretBasic,
    };
    let public = authentication == AuthenticationMethod::None;
    let by_code = id != "api";
    let mut grant_types = Vec::new();
    if by_code {
        grant_types.extend([GrantType::AuthorizationCode, GrantType::RefreshToken]);
    }
    if !public {
        grant_types.push(GrantType::ClientCredentials);
    }
    let vouched = matches!(id, "web" | "other" | "jwt");
    Client {
        authentication,
        secrets: if public {
            Vec::new()
        } else {
            vec![Secret::new(secret(id)).digest()]
        },
        redirect_uris: if by_code {
            vec![RedirectUri::register(redirect_uri(id)).unwrap()]
        } else {
            Vec::new()
        },
        post_logout_redirect_uris: if by_code && id != "native" {
            vec![RedirectUri::register(&format!("https://{id}.example/bye")).unwrap()]
        } else {
            Vec::new()
        },
        grant_types,
        scope: Scope::parse("openid profile email offline_access read write").unwrap(),
        resources: if matches!(id, "web" | "jwt" | "spa") {
            vec![RESOURCE.to_owned()]
        } else {
            Vec::new()
        },
        serves: if id == "api" {
            vec![RESOURCE.to_owned()]
        } else {
            Vec::new()
        },
        access_token_format: if id == "jwt" {
            AccessTokenFormat::Jwt
        } else {
            AccessTokenFormat::Sealed
        },
        signing: if id == "jwt" {
            Algorithm::Rs256
        } else {
            Algorithm::Es256
        },
        implicit_consent: vouched,
        self_registered: id == "stranger",
        danger_allow_management_scopes: false,
        ..Client::named(
            ClientId::parse(id).unwrap(),
            format!("The {id} client"),
            Seconds(3600),
        )
    }
}

/// A form post, authenticated in the way the client is registered for.
pub(super) fn authenticate(client: &Client, form: &Form) -> Request {
    let id = client.id.as_str();
    match client.authentication {
        AuthenticationMethod::None => post(&form.clone().with("client_id", id)),
        AuthenticationMethod::ClientSecretPost => post(
            &form
                .clone()
                .with("client_id", id)
                .with("client_secret", &secret(id)),
        ),
        AuthenticationMethod::ClientSecretBasic
        | AuthenticationMethod::PrivateKeyJwt
        | AuthenticationMethod::ClientSecretJwt => Request {
            authorization: Some(basic(id, &secret(id))),
            ..post(form)
        },
    }
}

pub(super) fn basic(id: &str, secret: &str) -> String {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encode(id), encode(secret));
    format!("Basic {}", STANDARD.encode(pair))
}
