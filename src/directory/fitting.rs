//! What a provider, a mapping and a flow have to be before they are written: what a single field's form
//! does not say.

use serde_json::Value;

use super::clients::{FLOWS, MOST_SOURCES, claims};
use super::record::Record;
use super::rows::{Answer, Rows};
use super::schema::{Collection, Unfit};
use super::secrets;
use crate::model::{AuthenticationMethod, GrantType, ResponseType};

/// What flows that are for one thing say of it, and what others say there.
const OF_FLOWS: [(&str, &str, &str); 3] = [
    ("authentication", "max_session_age", ""),
    ("authorization", "consent", "explicit"),
    ("invalidation", "ends", "session"),
];
/// Claims that are the protocol's: a mapping never says them (authentik's #25235).
const OWN_CLAIMS: [&str; 23] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "nbf",
    "jti",
    "azp",
    "auth_time",
    "nonce",
    "acr",
    "amr",
    "at_hash",
    "c_hash",
    "sid",
    "scope",
    "client_id",
    "cnf",
    "act",
    "active",
    "token_type",
    "mac_key",
    "mac_algorithm",
];

/// What a provider's fields have to be together.
pub(super) fn fit<R: Rows>(
    rows: &R,
    before: Option<&Record>,
    record: &Record,
    unfit: &mut Vec<Unfit>,
) -> Answer<(), R> {
    let grants = record.list("grant_types");
    let has = |grant: &str| grants.iter().any(|name| name == grant);
    let answered = has("authorization_code") || has("implicit");
    if answered && record.text("redirect_uris").is_empty() {
        unfit.push(Unfit::new(
            "redirect_uris",
            "must not be empty where codes are granted",
        ));
    }
    fit_response_types(record, unfit);
    let for_people = [
        "authorization_code",
        GrantType::DeviceCode.as_str(),
        "password",
    ];
    let for_people = for_people.into_iter().any(has);
    if has("refresh_token") && !for_people {
        unfit.push(Unfit::new(
            "grant_types",
            "refreshes nothing without authorization_code, device_code or password",
        ));
    }
    if has("client_credentials") && record.text("client_type") == "public" {
        unfit.push(Unfit::new(
            "grant_types",
            "of a public client must not have client_credentials",
        ));
    }
    if has("password") {
        let own = record.text("client_type") != "public" && !record.flag("self_registered");
        if !own || !record.flag("danger_allow_password_grant") {
            let rule = "with password need danger_allow_password_grant, and a confidential client of one's own";
            unfit.push(Unfit::new("grant_types", rule));
        }
    }
    if grants.is_empty() {
        unfit.push(Unfit::new("grant_types", "must not be empty"));
    }
    fit_mac(record, unfit);
    secrets::fit(record, unfit);
    fit_keys(record, unfit);
    let own = !record.fields.get("jwks").is_none_or(Value::is_null)
        || !record.text("jwks_uri").is_empty();
    let by_key = AuthenticationMethod::PrivateKeyJwt.as_str();
    let public = record.text("client_type") == "public";
    if record.text("token_endpoint_auth_method") == by_key && !public && !own {
        let rule =
            "must not be empty where private_key_jwt is used, unless jwks_uri says where they are";
        unfit.push(Unfit::new("jwks", rule));
    }
    let mut issuers = Vec::new();
    for source in record.numbers("jwks_sources") {
        let source = rows.find(Collection::Sources, source)?;
        issuers.extend(source.map(|source| source.text("issuer").to_owned()));
    }
    let named = issuers.len();
    issuers.sort_unstable();
    issuers.dedup();
    if named > MOST_SOURCES {
        unfit.push(Unfit::new("jwks_sources", "must not be more than 8"));
    } else if issuers.len() < named {
        let rule =
            "names two of the same issuer: which one's keys count would depend on their order";
        unfit.push(Unfit::new("jwks_sources", rule));
    }
    // A client from before there were subjects can be changed otherwise: switched off, say.
    let stays = |field: &str| before.is_some_and(|before| before.list(field) == record.list(field));
    if named > 0
        && record.list("jwks_subjects").is_empty()
        && !(stays("jwks_sources") && stays("jwks_subjects"))
    {
        let rule = "must not be empty where there are jwks_sources: they sign for others, too";
        unfit.push(Unfit::new("jwks_subjects", rule));
    }
    for (field, designation) in FLOWS {
        let flow = record
            .number(field)
            .map(|flow| rows.find(Collection::Flows, flow));
        let flow = flow.transpose()?.flatten();
        if flow.is_some_and(|flow| flow.text("designation") != designation) {
            unfit.push(Unfit::new(field, "names a flow that is for something else"));
        }
    }
    Ok(())
}

/// What is answered without a code has to be granted so, and an access token by the long name, too.
fn fit_response_types(record: &Record, unfit: &mut Vec<Unfit>) {
    let types = record.list("response_types").iter();
    let types: Vec<ResponseType> = types
        .filter_map(|name| ResponseType::parse(name.as_str()?))
        .collect();
    let grants = record.list("grant_types");
    let implicit = grants.iter().any(|name| name == "implicit");
    let any_token = types.iter().any(|kind| kind.has_any_token());
    if any_token && !implicit {
        let rule = "without a code need the grant type implicit";
        unfit.push(Unfit::new("response_types", rule));
    } else if implicit && !any_token {
        let rule = "with implicit need a response type that has a token";
        unfit.push(Unfit::new("grant_types", rule));
    }
    let by_address = types.iter().any(|kind| kind.has_token());
    if by_address && !record.flag("danger_allow_front_channel_access_tokens") {
        let rule = "with token need danger_allow_front_channel_access_tokens";
        unfit.push(Unfit::new("response_types", rule));
    }
}

/// A MAC key identifier is sealed, as whoever verified a JWT would take it for a bearer token; and its
/// key is never in a browser's address.
fn fit_mac(record: &Record, unfit: &mut Vec<Unfit>) {
    let signs = record.flag("danger_issue_mac_tokens");
    let types = record.list("response_types").iter();
    let mut types = types.filter_map(|name| ResponseType::parse(name.as_str()?));
    let rules = [
        (
            signs && record.text("access_token_format") == "jwt",
            "access_token_format",
            "must be sealed with danger_issue_mac_tokens",
        ),
        (
            signs && types.any(ResponseType::has_token),
            "response_types",
            "must not have token with danger_issue_mac_tokens",
        ),
        (
            !signs && record.flag("danger_issue_mac_tokens_with_hmac_sha_1"),
            "danger_issue_mac_tokens_with_hmac_sha_1",
            "needs danger_issue_mac_tokens",
        ),
    ];
    let broken = rules.into_iter().filter(|(broken, ..)| *broken);
    unfit.extend(broken.map(|(_, field, rule)| Unfit::new(field, rule)));
}

/// Keys are in one place.
pub(super) fn fit_keys(record: &Record, unfit: &mut Vec<Unfit>) {
    let here = !record.fields.get("jwks").is_none_or(Value::is_null);
    if here && !record.text("jwks_uri").is_empty() {
        let rule = "must be empty where jwks says the keys themselves";
        unfit.push(Unfit::new("jwks_uri", rule));
    }
}

/// A mapping says nothing that is the protocol's.
pub(super) fn fit_mapping(mapping: &Record, unfit: &mut Vec<Unfit>) {
    for (claim, template) in claims(mapping) {
        if OWN_CLAIMS.contains(&claim.as_str()) || claim.is_empty() {
            let rule = format!("must not say {claim}: it is the protocol's");
            unfit.push(Unfit::new("claims", &rule));
        } else if !crate::oauth::claims::is_template(&template) {
            let rule = format!("has in {claim} what stands for nothing that is known");
            unfit.push(Unfit::new("claims", &rule));
        }
    }
}

/// What uses a flow found it to be for this; and it says nothing of what it is not for.
pub(super) fn fit_flow<R: Rows>(
    rows: &R,
    before: Option<&Record>,
    flow: &Record,
    unfit: &mut Vec<Unfit>,
) -> Answer<(), R> {
    let of = flow.text("designation");
    if before.is_some_and(|before| before.text("designation") != of)
        && !rows
            .links_to((Collection::Flows.path(), flow.id), 1)?
            .is_empty()
    {
        unfit.push(Unfit::new(
            "designation",
            "cannot be changed while it is used",
        ));
        return Ok(());
    }
    for (designation, field, usual) in OF_FLOWS {
        let said = flow.text(field);
        // One from before this was looked at stays as it is until somebody changes that.
        let as_before =
            before.is_some_and(|old| old.text("designation") == of && old.text(field) == said);
        if of != designation && !as_before && !["", usual].contains(&said) {
            let rule = format!("is for flows whose designation is {designation}");
            unfit.push(Unfit::new(field, &rule));
        }
    }
    Ok(())
}
