//! A client's secrets, as its record keeps them: `{digest, created_at, sealed}`, the last where the client has
//! the switch by which we can read them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::record::Record;
use super::schema::Unfit;
use crate::message;
use crate::model::{AuthenticationMethod, Digest, UnixTime};

/// The field.
pub const FIELD: &str = "_secrets";
/// The member with the digest.
const DIGEST: &str = "digest";
/// The member with the text, sealed.
pub const SEALED: &str = "sealed";
/// When it was made, if it is known.
const CREATED_AT: &str = "created_at";
/// Secrets that a client may have at a time: the one in use, and those that are being rolled out.
const MOST: usize = 4;
/// The switch.
const SWITCH: &str = "danger_keep_client_secret_readable";

/// A secret as it is kept. From the API it comes sealed whosever it is: which client has the switch is known where it
/// is written, and there it is forgotten of all others.
#[must_use]
pub fn kept(digest: &Digest, sealed: Option<&str>, created_at: Option<UnixTime>) -> Value {
    let mut kept = Map::new();
    kept.insert(DIGEST.to_owned(), json!(digest));
    if let Some(sealed) = sealed {
        kept.insert(SEALED.to_owned(), json!(sealed));
    }
    if let Some(created_at) = created_at {
        kept.insert(CREATED_AT.to_owned(), json!(created_at));
    }
    Value::Object(kept)
}

/// What a secret is called.
#[must_use]
pub fn id(digest: &Digest) -> Option<&str> {
    digest.as_str().get(..8)
}

/// The digests of a record's secrets.
pub(super) fn digests(record: &Record) -> Vec<Digest> {
    let kept = record.list(FIELD).iter();
    kept.filter_map(|secret| message::read_value(secret.get(DIGEST)?).ok())
        .collect()
}

/// Those that can be read, sealed, by their digests.
pub(super) fn sealed(record: &Record) -> BTreeMap<String, String> {
    let text = |secret: &Value, member: &str| secret.get(member)?.as_str().map(str::to_owned);
    let kept = record.list(FIELD).iter();
    kept.filter_map(|secret| Some((text(secret, DIGEST)?, text(secret, SEALED)?)))
        .collect()
}

/// What is told of them: when each was made, what it is called, and whether it can be read; never what it is.
pub(super) fn told(record: &Record) -> Value {
    let told = record.list(FIELD).iter().map(|secret| {
        let digest = secret.get(DIGEST).and_then(Value::as_str);
        let created = secret.get(CREATED_AT).and_then(Value::as_u64);
        json!({
            "id": digest.and_then(|digest| digest.get(..8)),
            "created": created.map(|created| UnixTime(created).rfc3339()),
            "readable": is_readable(secret),
        })
    });
    told.collect()
}

/// Whether two are one: a secret is what it was, whether it can be read or not.
pub(super) fn is_same(one: &Value, other: &Value) -> bool {
    one.get(DIGEST) == other.get(DIGEST)
}

/// Forgets what a record may not have of its secrets: the text without the switch, and whatever else an import
/// brought besides.
pub(super) fn forget_unfit(record: &mut Record) {
    let may = record.flag(SWITCH) && record.text("client_type") != "public";
    let secrets = record.fields.get_mut(FIELD).and_then(Value::as_array_mut);
    for secret in secrets.into_iter().flatten() {
        if let Some(secret) = secret.as_object_mut() {
            secret
                .retain(|name, _| name == DIGEST || name == CREATED_AT || (may && name == SEALED));
        }
    }
}

/// Who signs with a secret has one that we can read. Where an export lost that, the client can still be switched
/// off.
pub(super) fn fit(record: &Record, unfit: &mut Vec<Unfit>) {
    const METHOD: &str = "token_endpoint_auth_method";
    let public = record.text("client_type") == "public";
    if record.text(METHOD) != AuthenticationMethod::ClientSecretJwt.as_str() || public {
        return;
    }
    if !record.flag(SWITCH) {
        let rule = "client_secret_jwt needs danger_keep_client_secret_readable to be true, and a secret \
                    that was made since";
        unfit.push(Unfit::new(METHOD, rule));
    } else if record.flag("enabled") && !record.list(FIELD).iter().any(is_readable) {
        let rule = "client_secret_jwt needs a secret that was made while \
                    danger_keep_client_secret_readable is true: nothing was changed, so set that alone, \
                    then make a secret (POST secrets/), then set this";
        unfit.push(Unfit::new(METHOD, rule));
    }
}

fn is_readable(secret: &Value) -> bool {
    secret.get(SEALED).is_some_and(Value::is_string)
}

/// Adds a secret or takes one away, as the API asks in fields of their own.
pub(super) fn change(record: &mut Record, unfit: &mut Vec<Unfit>) {
    let added = record.fields.remove("_add_secret");
    let dropped = record.fields.remove("_drop_secret");
    let mut secrets = record.list(FIELD).to_vec();
    let before = secrets.len();
    if let Some(Value::String(id)) = &dropped {
        secrets.retain(|secret| {
            let digest = secret.get(DIGEST).and_then(Value::as_str);
            digest.and_then(|digest| digest.get(..8)) != Some(id)
        });
        if secrets.len() == before {
            unfit.push(Unfit::new("secret", "names a secret that does not exist"));
        } else if secrets.is_empty() {
            unfit.push(Unfit::new("secret", "is the last one: make another first"));
        }
    }
    if let Some(secret) = added {
        if before >= MOST {
            unfit.push(Unfit::new(
                "secret",
                "would be the fifth: take one away first",
            ));
        } else if record.text("client_type") == "public" {
            unfit.push(Unfit::new(
                "secret",
                "is nothing that a public client can keep",
            ));
        } else {
            secrets.push(secret);
        }
    }
    record
        .fields
        .insert(FIELD.to_owned(), Value::Array(secrets));
}
