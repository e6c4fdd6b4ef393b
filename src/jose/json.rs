//! JSON without its ambiguities (RFC 8259 §4, RFC 8725 §3.7): two parsers never read one text
//! differently, because a repeated member name is refused at every level.

use core::cell::Cell;
use core::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::JoseError;

/// Levels of nesting: 32. Tokens, key sets and our API need six; a recursive reader of 32 levels
/// stays within 10 kB of stack, and a wasm stack is 1 MB.
const DEPTH_LIMIT: usize = 32;

/// Parses one JSON value. Refuses repeated member names and more than 32 levels, on top of what
/// RFC 8259 refuses: a byte-order mark, lone surrogates, bytes after the value, numbers that no
/// double holds.
pub fn parse_strict_json(text: &[u8]) -> Result<Value, JoseError> {
    let reason = Cell::new(JoseError::JsonInvalid);
    let strict = Strict {
        depth: DEPTH_LIMIT,
        reason: &reason,
    };
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = strict.deserialize(&mut deserializer);
    match value.and_then(|value| deserializer.end().map(|()| value)) {
        Ok(value) => Ok(value),
        Err(_) => Err(reason.get()),
    }
}

/// Parses one JSON object as [`parse_strict_json`] does; any other value is [`JoseError::JsonInvalid`].
pub fn parse_strict_object(text: &[u8]) -> Result<Map<String, Value>, JoseError> {
    match parse_strict_json(text)? {
        Value::Object(members) => Ok(members),
        _ => Err(JoseError::JsonInvalid),
    }
}

#[derive(Clone, Copy)]
struct Strict<'a> {
    depth: usize,
    /// serde's errors carry only text, so ours waits here.
    reason: &'a Cell<JoseError>,
}

impl Strict<'_> {
    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { depth, ..self }),
            None => Err(self.refuse(JoseError::JsonTooDeep)),
        }
    }

    fn refuse<E: de::Error>(self, reason: JoseError) -> E {
        self.reason.set(reason);
        E::custom("")
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(inner)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut members = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            if members.contains_key(&name) {
                return Err(self.refuse(JoseError::JsonDuplicateMember));
            }
            let value = entries.next_value_seed(inner)?;
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_name_is_refused_at_every_level() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"[{"b":{"a":null,"a":null}}]"#,
        ] {
            let refusal = parse_strict_json(text.as_bytes());
            assert_eq!(refusal, Err(JoseError::JsonDuplicateMember), "{text}");
        }
        assert!(parse_strict_json(br#"{"a":{"a":1},"A":2}"#).is_ok());
    }

    #[test]
    fn thirty_two_levels_are_read_and_one_more_is_not() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(parse_strict_json(nested(32).as_bytes()).is_ok());
        let refusal = parse_strict_json(nested(33).as_bytes());
        assert_eq!(refusal, Err(JoseError::JsonTooDeep));
    }

    #[test]
    fn an_object_is_an_object() {
        assert_eq!(parse_strict_object(b"[]"), Err(JoseError::JsonInvalid));
        assert_eq!(parse_strict_object(b"{} {}"), Err(JoseError::JsonInvalid));
    }
}
