//! Records as they are answered: with what they refer to, and without what nobody may see.

use serde_json::{Value, json};

use super::form::Form;
use super::record::{Fields, Record};
use super::rows::{Answer, Rows};
use super::schema::{Collection, Given};
use super::{clients, people, uuid};
use crate::model::Digest;

/// A record as it is answered.
///
/// # Errors
/// Those of the rows.
pub fn view<R: Rows>(rows: &R, collection: Collection, record: &Record) -> Answer<Fields, R> {
    let mut fields = Fields::new();
    for field in collection.fields() {
        let value = record.fields.get(field.name);
        let shown = match (field.form, value) {
            _ if matches!(field.given, Given::Hidden | Given::HiddenRequired) => continue,
            (Form::Number, _) if field.name == "num_pk" => json!(record.id & 0x7fff_ffff),
            (Form::Number, _) => json!(record.id),
            (Form::Uuid, _) => json!(uuid::of(record.id)),
            (Form::Shown, _) => shown(rows, collection, record, field.name)?,
            (Form::Scope, _) if matches!(collection, Collection::Roles | Collection::Accounts) => {
                scopes(rows, record, field.name)?
            }
            (Form::Scope, Some(Value::String(text))) if field.name == "scopes" => {
                json!(
                    text.split(' ')
                        .filter(|token| !token.is_empty())
                        .collect::<Vec<_>>()
                )
            }
            (Form::Ref(to), Some(id)) => id.as_u64().map_or(Value::Null, |id| name(to, id)),
            (Form::Refs(to), Some(_)) => {
                record.numbers(field.name).map(|id| name(to, id)).collect()
            }
            (Form::Named(to), Some(_)) => {
                let mut named = Vec::new();
                for id in record.numbers(field.name) {
                    if let Some(other) = rows.find(to, id)? {
                        named.push(if collection == Collection::Accounts {
                            Value::Object(view(rows, to, &other)?)
                        } else {
                            json!(other.text("name"))
                        });
                    }
                }
                Value::Array(named)
            }
            (_, Some(value)) => value.clone(),
            (_, None) => field.absent(),
        };
        fields.insert(field.name.to_owned(), shown);
    }
    Ok(fields)
}

/// What another record is called: as it calls itself.
fn name(collection: Collection, id: u64) -> Value {
    match collection.fields().first().map(|field| field.form) {
        Some(Form::Uuid) => json!(uuid::of(id)),
        _ => json!(id),
    }
}

/// The scopes that a field names, as records.
fn scopes<R: Rows>(rows: &R, record: &Record, field: &str) -> Answer<Value, R> {
    let mut named = Vec::new();
    for token in record.scope(field).iter() {
        let id = rows.holder(Collection::Scopes, "value", token)?;
        let scope = id.map(|id| rows.find(Collection::Scopes, id));
        if let Some(scope) = scope.transpose()?.flatten() {
            named.push(Value::Object(view(rows, Collection::Scopes, &scope)?));
        }
    }
    // In the order in which they were made.
    named.sort_by_key(|scope| scope.get("id").and_then(Value::as_u64));
    Ok(Value::Array(named))
}

/// A picture of nobody.
const AVATAR: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' \
    viewBox='0 0 8 8'%3E%3Ccircle cx='4' cy='3' r='2'/%3E%3Cpath d='M0 8a4 3 0 0 1 8 0'/%3E%3C/svg%3E";

/// What only answers have.
fn shown<R: Rows>(
    rows: &R,
    collection: Collection,
    record: &Record,
    field: &str,
) -> Answer<Value, R> {
    let application = |field: &str| {
        let application = clients::application(rows, record.id)?;
        Ok(application.map_or(Value::Null, |application| json!(application.text(field))))
    };
    Ok(match field {
        "uuid" => json!(uuid::of(record.id)),
        "uid" => json!(Digest::of(record.text("_subject").as_bytes()).as_str()),
        "subject" => json!(record.text("_subject")),
        "avatar" => json!(AVATAR),
        "is_superuser" => json!(people::is_superuser(rows, record)?),
        "groups_obj" => {
            let mut groups = Vec::new();
            for group in record.numbers("groups") {
                if let Some(group) = rows.find(Collection::Groups, group)? {
                    groups.push(Value::Object(view(rows, Collection::Groups, &group)?));
                }
            }
            Value::Array(groups)
        }
        "parent_name" => {
            let parent = record.number("parent");
            let parent = parent.map(|parent| rows.find(collection, parent));
            let parent = parent.transpose()?.flatten();
            parent.map_or(Value::Null, |parent| json!(parent.text("name")))
        }
        "component" => json!("ak-provider-oauth2-form"),
        "verbose_name" => json!("OAuth2/OpenID Provider"),
        "verbose_name_plural" => json!("OAuth2/OpenID Providers"),
        "meta_model_name" => json!("authentik_providers_oauth2.oauth2provider"),
        "assigned_application_slug" => text(application("slug")?),
        "assigned_application_name" => text(application("name")?),
        "redirect_uri_list" => json!(record.text("redirect_uris").lines().collect::<Vec<_>>()),
        _ => json!(""),
    })
}

fn text(value: Value) -> Value {
    if value.is_null() { json!("") } else { value }
}
