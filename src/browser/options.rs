//! Arguments and answers, as plain JSON objects.

use js_sys::{JSON, Object, Reflect};
use serde_json::{Map, Value};
use wasm_bindgen::JsValue;

use super::BrowserError;
use crate::jose::parse_strict_object;

/// The members of an argument, by name.
pub(super) struct Options(pub(super) Map<String, Value>);

impl Options {
    /// Reads a JavaScript object, as `JSON.stringify` sees it: `undefined` members are absent.
    pub(super) fn read(value: &JsValue) -> Result<Self, BrowserError> {
        let invalid = || BrowserError::OptionsInvalid("options");
        let json = JSON::stringify(value).map_err(|_| invalid())?;
        let json = json.as_string().ok_or_else(invalid)?;
        match parse_strict_object(json.as_bytes()) {
            Ok(members) => Ok(Self(members)),
            Err(_) => Err(invalid()),
        }
    }

    /// A text, when it is there; `null` counts as absent.
    pub(super) fn text(&self, name: &'static str) -> Result<Option<&str>, BrowserError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(BrowserError::OptionsInvalid(name)),
        }
    }

    /// A text that must be there and not be empty.
    pub(super) fn required(&self, name: &'static str) -> Result<&str, BrowserError> {
        match self.text(name)? {
            Some(text) if !text.is_empty() => Ok(text),
            _ => Err(BrowserError::OptionsInvalid(name)),
        }
    }

    /// A number of seconds, when it is there.
    pub(super) fn seconds(&self, name: &'static str) -> Result<Option<u64>, BrowserError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_u64() {
                Some(seconds) => Ok(Some(seconds)),
                None => Err(BrowserError::OptionsInvalid(name)),
            },
        }
    }

    /// A switch; absent is off.
    pub(super) fn flag(&self, name: &'static str) -> Result<bool, BrowserError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(BrowserError::OptionsInvalid(name)),
        }
    }

    /// One text or a list of them; absent is the empty list.
    pub(super) fn texts(&self, name: &'static str) -> Result<Vec<String>, BrowserError> {
        let invalid = || BrowserError::OptionsInvalid(name);
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(vec![text.clone()]),
            Some(Value::Array(texts)) => texts
                .iter()
                .map(|text| text.as_str().map(str::to_owned))
                .collect::<Option<_>>()
                .ok_or_else(invalid),
            Some(_) => Err(invalid()),
        }
    }

    /// An object; absent is the empty one.
    pub(super) fn object(&self, name: &'static str) -> Result<Self, BrowserError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(Self(Map::new())),
            Some(Value::Object(members)) => Ok(Self(members.clone())),
            Some(_) => Err(BrowserError::OptionsInvalid(name)),
        }
    }
}

/// The text of an argument that may also be given as an object, such as a JWK Set.
pub(super) fn json_text(value: &JsValue, name: &'static str) -> Result<String, BrowserError> {
    let invalid = || BrowserError::OptionsInvalid(name);
    if let Some(text) = value.as_string() {
        return Ok(text);
    }
    let json = JSON::stringify(value).map_err(|_| invalid())?;
    json.as_string().ok_or_else(invalid)
}

/// An answer, as a JavaScript object of texts.
pub(super) fn texts<const N: usize>(members: [(&str, &str); N]) -> JsValue {
    let answer = Object::new();
    for (name, text) in members {
        set(&answer, name, &text.into());
    }
    answer.into()
}

/// JSON text as a JavaScript value; `null` when it is none. Claims go back this way, so that their
/// numbers are read by JavaScript itself.
pub(super) fn json_value(text: &[u8]) -> JsValue {
    let text = core::str::from_utf8(text).unwrap_or("null");
    JSON::parse(text).unwrap_or(JsValue::NULL)
}

/// Sets a member of an object made here, which cannot fail.
pub(super) fn set(object: &JsValue, name: &str, value: &JsValue) {
    let _ = Reflect::set(object, &name.into(), value);
}
