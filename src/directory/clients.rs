//! Providers, which are clients: what of a record everybody reads as a [`Client`], and what ends when
//! one may do less than before.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::record::{Fields, Record};
use super::records::{put as put_record, unlink};
use super::rows::{Answer, Rows};
use super::schema::Collection;
use super::scopes::IMPLICIT;
use super::secrets;
use crate::jose::Algorithm;
use crate::message;
use crate::model::{
    AccessTokenFormat, AuthenticationMethod, Client, ClientId, GrantType, KeySource,
    PropertyMapping, RedirectUri, ResponseType, Seconds, parse_duration, print_duration,
};
use crate::ports::At;
use crate::token::Revocation;

/// Sources that a client may have. With its keys each is up to 8 kB of the copy that every isolate keeps;
/// nobody's builds and clusters come from more issuers than that.
pub(super) const MOST_SOURCES: usize = 8;
/// Under which name it is kept that no two clients act by one name.
pub(super) const ACTS_AS: &str = "acts_as";
/// The flows of a client, and what each has to be for.
pub(super) const FLOWS: [(&str, &str); 3] = [
    ("authentication_flow", "authentication"),
    ("authorization_flow", "authorization"),
    ("invalidation_flow", "invalidation"),
];
/// What a deployment says for every client that says nothing else.
const CODE_VALIDITY: &str = "minutes=1";
const REFRESH_VALIDITY: &str = "days=14";

/// The client that a record describes.
///
/// # Errors
/// Those of the rows; inside, nothing when the record is no client's.
pub fn client<R: Rows>(rows: &R, record: &Record) -> Answer<Option<Client>, R> {
    let Ok(id) = ClientId::parse(record.text("client_id")) else {
        return Ok(None);
    };
    let text = |field: &str| Some(record.text(field).to_owned()).filter(|text| !text.is_empty());
    let texts = |field: &str| {
        let texts = record.list(field).iter().filter_map(Value::as_str);
        texts.map(str::to_owned).collect::<Vec<String>>()
    };
    let uris = |field: &str| {
        let lines = record.text(field).lines();
        lines
            .filter_map(|line| RedirectUri::register(line).ok())
            .collect()
    };
    let seconds = |field: &str| parse_duration(record.text(field)).unwrap_or_default();
    let unless =
        |field: &str, usual: &str| Some(seconds(field)).filter(|_| record.text(field) != usual);
    let public = record.text("client_type") == "public";
    let mut flows = Vec::new();
    for (field, designation) in FLOWS {
        if let Some(flow) = record.number(field)
            && let Some(flow) = rows.find(Collection::Flows, flow)?
        {
            flows.push((designation, flow));
        }
    }
    let said = |designation: &str, field: &str| {
        let flow = flows.iter().find(|(of, _)| *of == designation);
        flow.map(|(_, flow)| flow.text(field))
    };
    let titles = flows.iter().map(|(of, flow)| (*of, flow.text("title")));
    let titles = titles.filter(|(_, title)| !title.is_empty());
    let mut mappings = Vec::new();
    for mapping in record.numbers("property_mappings") {
        if let Some(mapping) = rows.find(Collection::PropertyMappings, mapping)? {
            mappings.push(PropertyMapping {
                scope: mapping.text("scope_name").to_owned(),
                claims: claims(&mapping),
            });
        }
    }
    let mut sources = Vec::new();
    for source in record.numbers("jwks_sources").take(MOST_SOURCES) {
        if let Some(source) = rows.find(Collection::Sources, source)?
            && source.flag("enabled")
        {
            sources.push(key_source(&source, source.text("issuer")));
        }
    }
    let application = application(rows, record.id)?;
    let authentication =
        match AuthenticationMethod::parse(record.text("token_endpoint_auth_method")) {
            _ if public => AuthenticationMethod::None,
            Some(method) if method != AuthenticationMethod::None => method,
            // One whose way to prove itself is not known here is no client, and not one that proves nothing.
            _ => return Ok(None),
        };
    let keys = (authentication == AuthenticationMethod::PrivateKeyJwt)
        .then(|| Box::new(key_source(record, id.as_str())));
    Ok(Some(Client {
        id,
        version: record.version,
        generation: record.generation,
        enabled: record.flag("enabled"),
        name: record.text("name").to_owned(),
        client_uri: text("client_uri"),
        authentication,
        secrets: secrets::digests(record),
        sealed_secrets: secrets::sealed(record),
        redirect_uris: uris("redirect_uris"),
        post_logout_redirect_uris: uris("post_logout_redirect_uris"),
        grant_types: texts("grant_types")
            .iter()
            .filter_map(|name| GrantType::parse(name))
            .collect(),
        response_types: texts("response_types")
            .iter()
            .filter_map(|name| ResponseType::parse(name))
            .collect(),
        scope: record.scope("scope"),
        default_resource: text("default_resource"),
        resources: texts("resources"),
        serves: texts("serves"),
        access_token_format: match record.text("access_token_format") {
            "jwt" => AccessTokenFormat::Jwt,
            _ => AccessTokenFormat::Sealed,
        },
        access_token_lifetime: seconds("access_token_validity"),
        signing: Algorithm::parse(record.text("id_token_signed_response_alg"))
            .unwrap_or(Algorithm::Es256),
        signing_key: text("signing_key"),
        // Where no flow is named, it may have been said before there were any.
        implicit_consent: said("authorization", "consent")
            .map_or(record.flag("_implicit_consent"), |consent| {
                consent == "implicit"
            }),
        backchannel_logout_uri: text("backchannel_logout_uri"),
        backchannel_logout_session_required: record.flag("backchannel_logout_session_required"),
        self_registered: record.flag("self_registered"),
        danger_allow_management_scopes: record.flag("danger_allow_management_scopes"),
        danger_allow_front_channel_access_tokens: record
            .flag("danger_allow_front_channel_access_tokens"),
        danger_allow_plain_code_challenge: record.flag("danger_allow_plain_code_challenge"),
        danger_allow_password_grant: record.flag("danger_allow_password_grant"),
        danger_issue_mac_tokens: record.flag("danger_issue_mac_tokens"),
        danger_issue_mac_tokens_with_hmac_sha_1: record
            .flag("danger_issue_mac_tokens_with_hmac_sha_1"),
        danger_keep_client_secret_readable: record.flag("danger_keep_client_secret_readable"),
        code_lifetime: unless("access_code_validity", CODE_VALIDITY),
        refresh_idle: unless("refresh_token_validity", REFRESH_VALIDITY),
        sub_mode: message::read_value(&json!(record.text("sub_mode"))).unwrap_or_default(),
        claims_in_userinfo_only: !record.flag("include_claims_in_id_token"),
        application: application
            .filter(|_| record.text("issuer_mode") == "per_provider")
            .map(|application| application.text("slug").to_owned()),
        titles: titles
            .map(|(of, title)| (of.to_owned(), title.to_owned()))
            .collect(),
        max_session_age: said("authentication", "max_session_age").and_then(parse_duration),
        leaves_session: said("invalidation", "ends") == Some("client"),
        mappings,
        keys,
        sources,
        subjects: texts("jwks_subjects"),
    }))
}

/// The keys that a provider or a source names. A client's own assertions are for us alone.
fn key_source(record: &Record, issuer: &str) -> KeySource {
    let jwks = record.fields.get("jwks").and_then(Value::as_object);
    KeySource {
        issuer: issuer.to_owned(),
        audience: record.text("audience").to_owned(),
        jwks: jwks.cloned().unwrap_or_default(),
        jwks_uri: record.text("jwks_uri").to_owned(),
    }
}

pub(super) fn claims(mapping: &Record) -> BTreeMap<String, String> {
    let claims = mapping.fields.get("claims").and_then(Value::as_object);
    let text = |(name, claim): (&String, &Value)| Some((name.clone(), claim.as_str()?.to_owned()));
    claims.into_iter().flatten().filter_map(text).collect()
}

/// The application that a provider is of.
pub(super) fn application<R: Rows>(rows: &R, provider: u64) -> Answer<Option<Record>, R> {
    for (collection, id) in rows.links_to((Collection::Providers.path(), provider), 8)? {
        if collection == Collection::Applications {
            return rows.find(collection, id);
        }
    }
    Ok(None)
}

/// Whether another client acts by the name of this one.
///
/// # Errors
/// Those of the rows.
pub(super) fn name_is_taken<R: Rows>(rows: &R, record: &Record) -> Answer<bool, R> {
    let Some(name) = acts_as(Collection::Providers, record) else {
        return Ok(false);
    };
    let holder = rows.holder(Collection::Providers, ACTS_AS, &name)?;
    Ok(holder.is_some_and(|holder| holder != record.id))
}

/// What a client is called where it acts for itself.
pub(super) fn acts_as(collection: Collection, record: &Record) -> Option<String> {
    let id = ClientId::parse(record.text("client_id")).ok();
    id.filter(|_| collection == Collection::Providers)
        .map(|id| id.acts_as())
}

/// The fields of a client that was described as such (RFC 7591).
///
/// # Errors
/// Those of the rows.
pub fn fields<R: Rows>(rows: &R, client: &Client) -> Answer<Fields, R> {
    let lines = |uris: &[RedirectUri]| {
        let uris: Vec<&str> = uris.iter().map(RedirectUri::as_str).collect();
        uris.join("\n")
    };
    let grants = client.grant_types.iter().map(|grant| grant.as_str());
    // What no grant of it leads to, it cannot ask for.
    let types = client.response_types.iter();
    let types = types.filter(|kind| client.grant_types.iter().any(|grant| kind.needs(*grant)));
    let types = types.map(|kind| kind.as_str());
    let public = client.is_public();
    let flow = if client.implicit_consent {
        rows.holder(Collection::Flows, "slug", IMPLICIT)?
    } else {
        None
    };
    let secrets = client.secrets.iter().map(|digest| {
        let sealed = client.sealed_secrets.get(digest.as_str());
        secrets::kept(digest, sealed.map(String::as_str), None)
    });
    let method = if public {
        AuthenticationMethod::ClientSecretBasic
    } else {
        client.authentication
    };
    let duration = |set: Option<Seconds>, usual: &str| set.map_or(usual.to_owned(), print_duration);
    let keys = client.keys.as_deref();
    let described = json!({
        "name": client.name,
        "client_id": client.id,
        "client_type": if public { "public" } else { "confidential" },
        "enabled": client.enabled,
        "client_uri": client.client_uri.as_deref().unwrap_or_default(),
        "token_endpoint_auth_method": method.as_str(),
        secrets::FIELD: secrets.collect::<Vec<_>>(),
        "redirect_uris": lines(&client.redirect_uris),
        "post_logout_redirect_uris": lines(&client.post_logout_redirect_uris),
        "backchannel_logout_uri": client.backchannel_logout_uri.as_deref().unwrap_or_default(),
        "backchannel_logout_session_required": client.backchannel_logout_session_required,
        "grant_types": grants.collect::<Vec<_>>(),
        "response_types": types.collect::<Vec<_>>(),
        "scope": client.scope,
        "default_resource": client.default_resource.as_deref().unwrap_or_default(),
        "resources": client.resources,
        "serves": client.serves,
        "access_token_format": client.access_token_format,
        "access_token_validity": print_duration(client.access_token_lifetime),
        "access_code_validity": duration(client.code_lifetime, CODE_VALIDITY),
        "refresh_token_validity": duration(client.refresh_idle, REFRESH_VALIDITY),
        "id_token_signed_response_alg": client.signing,
        "signing_key": client.signing_key,
        "authorization_flow": flow,
        "self_registered": client.self_registered,
        "danger_allow_management_scopes": client.danger_allow_management_scopes,
        "danger_allow_front_channel_access_tokens": client.danger_allow_front_channel_access_tokens,
        "danger_allow_plain_code_challenge": client.danger_allow_plain_code_challenge,
        "danger_allow_password_grant": client.danger_allow_password_grant,
        "danger_issue_mac_tokens": client.danger_issue_mac_tokens,
        "danger_issue_mac_tokens_with_hmac_sha_1": client.danger_issue_mac_tokens_with_hmac_sha_1,
        "danger_keep_client_secret_readable": client.danger_keep_client_secret_readable,
        "sub_mode": client.sub_mode,
        "include_claims_in_id_token": !client.claims_in_userinfo_only,
        "jwks": keys.map(|keys| &keys.jwks).filter(|jwks| !jwks.is_empty()),
        "jwks_uri": keys.map_or("", |keys| keys.jwks_uri.as_str()),
    });
    Ok(Collection::Providers.described(described))
}

/// Writes a provider. Who may do less than before loses everything that was issued to it.
pub(super) fn put<R: Rows>(
    rows: &mut R,
    before: Option<&Record>,
    mut after: Record,
) -> Answer<(), R> {
    let Some(before) = before else {
        return put_published(rows, &after);
    };
    // Whose secret, source or subject is taken away loses what somebody may have got by it.
    let fewer = |field: &str| {
        let left = after.list(field);
        let is_same = |one: &Value, other: &Value| match field {
            secrets::FIELD => secrets::is_same(one, other),
            _ => one == other,
        };
        let is_left = |one| left.iter().any(|other| is_same(one, other));
        !before.list(field).iter().all(is_left)
    };
    let gone = |field: &str| before.flag(field) && !after.flag(field);
    if gone("enabled")
        || gone("danger_allow_management_scopes")
        || gone("danger_allow_front_channel_access_tokens")
        || !before.scope("scope").is_subset(&after.scope("scope"))
        || [
            "grant_types",
            "response_types",
            secrets::FIELD,
            "jwks_sources",
            "jwks_subjects",
        ]
        .into_iter()
        .any(fewer)
    {
        after.generation = after.version;
    }
    put_ending(rows, before, &after)
}

/// Writes a provider, and ends what is below its generation where that was raised.
fn put_ending<R: Rows>(rows: &mut R, before: &Record, after: &Record) -> Answer<(), R> {
    put_quietly(rows, after)?;
    if before.generation < after.generation
        && let Ok(id) = ClientId::parse(after.text("client_id"))
    {
        rows.revoke(Revocation::Client(id, after.generation))?;
    }
    Ok(())
}

/// Writes a provider and its copy: whichever way it comes, through here.
fn put_published<R: Rows>(rows: &mut R, after: &Record) -> Answer<(), R> {
    let mut after = after.clone();
    secrets::forget_unfit(&mut after);
    put_record(rows, Collection::Providers, &after)?;
    publish(rows, &after)
}

/// Writes a provider, and ends nothing.
pub(super) fn put_quietly<R: Rows>(rows: &mut R, after: &Record) -> Answer<(), R> {
    put_published(rows, after)?;
    match ClientId::parse(after.text("client_id")) {
        Ok(id) => rows.revoke(Revocation::ClientVersion(id, after.version)),
        Err(_) => Ok(()),
    }
}

/// Takes a provider away, with everything that was issued to it.
pub(super) fn delete<R: Rows>(rows: &mut R, before: &Record, at: &At) -> Answer<(), R> {
    unlink(rows, Collection::Providers, before.id, at)?;
    rows.erase(Collection::Providers, before.id)?;
    let number = rows.next_number(at.now)?;
    let Ok(id) = ClientId::parse(before.text("client_id")) else {
        return Ok(());
    };
    rows.publish_client(&id, number)?;
    rows.revoke(Revocation::ClientVersion(id.clone(), number))?;
    rows.revoke(Revocation::Client(id, number))
}

/// Has the clients published anew that read something of this record, and the one that did before. Those
/// for whom a source spoke that is switched off lose what they got, as if it had been taken from them.
pub(super) fn touch_of<R: Rows>(
    rows: &mut R,
    collection: Collection,
    before: Option<&Record>,
    record: &Record,
    at: &At,
) -> Answer<(), R> {
    let now = record.number("provider");
    // An application may have gone from one provider to another.
    let was = before.and_then(|before| before.number("provider"));
    let off = collection == Collection::Sources
        && before.is_some_and(|before| before.flag("enabled"))
        && !record.flag("enabled");
    let mut providers: Vec<u64> = now.into_iter().chain(was.filter(|_| was != now)).collect();
    for (of, id) in rows.links_to((collection.path(), record.id), usize::MAX)? {
        if of == Collection::Providers {
            providers.push(id);
        }
    }
    for id in providers {
        if let Some(before) = rows.find(Collection::Providers, id)? {
            let mut provider = before.clone();
            provider.version = rows.next_number(at.now)?;
            if off {
                provider.generation = provider.version;
            }
            put_ending(rows, &before, &provider)?;
        }
    }
    Ok(())
}

fn publish<R: Rows>(rows: &mut R, record: &Record) -> Answer<(), R> {
    match ClientId::parse(record.text("client_id")) {
        Ok(id) => rows.publish_client(&id, record.version),
        Err(_) => Ok(()),
    }
}
