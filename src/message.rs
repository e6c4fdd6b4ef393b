//! What our own parts tell each other as JSON: sealed payloads, verbs and answers, stored rows.
//!
//! Read into a tree first, and from there into the type. The parser is then compiled once, not once
//! per type, and a struct is read from an object only, not from a list of its fields as well: this
//! is half the code that `serde_json::from_str` makes of the same types. What comes from outside is
//! read by [`crate::jose::parse_strict_json`].

use std::borrow::Cow;
use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess,
    SeqAccess, VariantAccess, Visitor,
};
use serde::{Deserialize, forward_to_deserialize_any};
use serde_json::Value;

/// The text is no JSON, or not of that type. What exactly is wrong is not said: nobody but us
/// writes these texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not of the expected shape")
    }
}

impl std::error::Error for Unreadable {}

impl de::Error for Unreadable {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

/// Reads a message. Members that the type does not know are passed over, repeated ones refused.
///
/// # Errors
/// [`Unreadable`].
pub fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, Unreadable> {
    T::deserialize(parse(text)?)
}

/// Reads a message that stands in a larger document.
///
/// # Errors
/// [`Unreadable`].
pub fn read_value<T: DeserializeOwned>(value: &Value) -> Result<T, Unreadable> {
    T::deserialize(Node::from(value))
}

#[inline(never)]
fn parse(text: &[u8]) -> Result<Node<'_>, Unreadable> {
    serde_json::from_slice(text).map_err(|_| Unreadable)
}

/// Any JSON value. Objects keep their order and their repetitions, for the type to judge.
enum Node<'de> {
    Null,
    Bool(bool),
    Natural(u64),
    Negative(i64),
    Real(f64),
    Text(Cow<'de, str>),
    List(Vec<Self>),
    Object(Vec<(Cow<'de, str>, Self)>),
}

impl<'de> From<&'de Value> for Node<'de> {
    fn from(value: &'de Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(natural), _) => Self::Natural(natural),
                (None, Some(negative)) => Self::Negative(negative),
                (None, None) => number.as_f64().map_or(Self::Null, Self::Real),
            },
            Value::String(text) => Self::Text(Cow::Borrowed(text)),
            Value::Array(items) => Self::List(items.iter().map(Self::from).collect()),
            Value::Object(members) => Self::Object(
                members
                    .iter()
                    .map(|(name, value)| (Cow::Borrowed(name.as_str()), Self::from(value)))
                    .collect(),
            ),
        }
    }
}

impl<'de> Deserialize<'de> for Node<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Planter)
    }
}

/// Makes a [`Node`] of what the parser finds.
struct Planter;

impl<'de> Visitor<'de> for Planter {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node<'de>, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node<'de>, E> {
        Ok(Node::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node<'de>, E> {
        Ok(Node::Natural(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node<'de>, E> {
        Ok(Node::Negative(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node<'de>, E> {
        Ok(Node::Real(value))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node<'de>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node<'de>, A::Error> {
        let mut members = Vec::with_capacity(8);
        while let Some(name) = entries.next_key::<Node<'de>>()? {
            let Node::Text(name) = name else {
                return Err(de::Error::custom(Unreadable));
            };
            members.push((name, entries.next_value()?));
        }
        Ok(Node::Object(members))
    }
}

impl<'de> Deserializer<'de> for Node<'de> {
    type Error = Unreadable;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self {
            Self::Null => visitor.visit_unit(),
            Self::Bool(value) => visitor.visit_bool(value),
            Self::Natural(value) => visitor.visit_u64(value),
            Self::Negative(value) => visitor.visit_i64(value),
            Self::Real(value) => visitor.visit_f64(value),
            Self::Text(text) => visitor.visit_string(text.into_owned()),
            Self::List(_) => self.deserialize_seq(visitor),
            Self::Object(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self {
            Self::Bool(value) => visitor.visit_bool(value),
            _ => Err(Unreadable),
        }
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self {
            Self::Natural(value) => visitor.visit_u64(value),
            _ => Err(Unreadable),
        }
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self {
            Self::Text(text) => visitor.visit_str(&text),
            _ => Err(Unreadable),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self {
            Self::Text(text) => visitor.visit_string(text.into_owned()),
            _ => Err(Unreadable),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self {
            Self::Null => visitor.visit_none(),
            some => visitor.visit_some(some),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self {
            Self::Null => visitor.visit_unit(),
            _ => Err(Unreadable),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        let Self::List(items) = self else {
            return Err(Unreadable);
        };
        let mut items = Items(items.into_iter());
        let value = visitor.visit_seq(&mut items)?;
        match items.0.next() {
            None => Ok(value),
            Some(_) => Err(Unreadable),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self {
            Self::Object(members) => visitor.visit_map(Members {
                rest: members.into_iter(),
                value: Self::Null,
            }),
            _ => Err(Unreadable),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        visitor.visit_enum(self.into_variant()?)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 f32 f64 char bytes byte_buf unit_struct tuple_struct identifier
    }
}

impl<'de> Node<'de> {
    /// `"name"`, or `{"name": content}`.
    fn into_variant(self) -> Result<Variant<'de>, Unreadable> {
        match self {
            Self::Text(name) => Ok(Variant {
                name,
                content: None,
            }),
            Self::Object(members) => {
                let mut members = members.into_iter();
                let (name, content) = members.next().ok_or(Unreadable)?;
                match members.next() {
                    None => Ok(Variant {
                        name,
                        content: Some(content),
                    }),
                    Some(_) => Err(Unreadable),
                }
            }
            _ => Err(Unreadable),
        }
    }
}

struct Items<'de>(std::vec::IntoIter<Node<'de>>);

impl<'de> SeqAccess<'de> for &mut Items<'de> {
    type Error = Unreadable;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Unreadable> {
        match self.0.next() {
            Some(item) => seed.deserialize(item).map(Some),
            None => Ok(None),
        }
    }
}

struct Members<'de> {
    rest: std::vec::IntoIter<(Cow<'de, str>, Node<'de>)>,
    /// Of the name that was read last.
    value: Node<'de>,
}

impl<'de> MapAccess<'de> for Members<'de> {
    type Error = Unreadable;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Unreadable> {
        match self.rest.next() {
            Some((name, value)) => {
                self.value = value;
                let name: StrDeserializer<'_, Unreadable> = name.as_ref().into_deserializer();
                seed.deserialize(name).map(Some)
            }
            None => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, Unreadable> {
        seed.deserialize(std::mem::replace(&mut self.value, Node::Null))
    }
}

struct Variant<'de> {
    name: Cow<'de, str>,
    content: Option<Node<'de>>,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Unreadable;
    type Variant = Content<'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Content<'de>), Unreadable> {
        let name: StrDeserializer<'_, Unreadable> = self.name.as_ref().into_deserializer();
        Ok((seed.deserialize(name)?, Content(self.content)))
    }
}

/// What a variant holds; nothing when it was a bare name.
struct Content<'de>(Option<Node<'de>>);

impl<'de> VariantAccess<'de> for Content<'de> {
    type Error = Unreadable;

    fn unit_variant(self) -> Result<(), Unreadable> {
        match self.0 {
            None | Some(Node::Null) => Ok(()),
            Some(_) => Err(Unreadable),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, Unreadable> {
        seed.deserialize(self.0.ok_or(Unreadable)?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Unreadable> {
        self.0.ok_or(Unreadable)?.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        self.0.ok_or(Unreadable)?.deserialize_map(visitor)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Serialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    struct Small(u16);

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Choice {
        Bare,
        One(Box<Small>),
        Nothing(()),
        Two(String, u64),
        Named { flag: bool },
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Whole {
        text: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        maybe: Option<String>,
        small: Small,
        signed: i64,
        real: f64,
        choices: Vec<Choice>,
        map: BTreeMap<String, u64>,
        pair: (u64, bool),
        any: Value,
    }

    fn whole() -> Whole {
        Whole {
            text: "\"é\n\u{1F980}".to_owned(),
            maybe: None,
            small: Small(7),
            signed: -9,
            real: 0.5,
            choices: vec![
                Choice::Bare,
                Choice::One(Box::new(Small(1))),
                Choice::Nothing(()),
                Choice::Two("x".to_owned(), u64::MAX),
                Choice::Named { flag: true },
            ],
            map: BTreeMap::from([("a\\b".to_owned(), 1), ("c".to_owned(), 2)]),
            pair: (3, false),
            any: json!({ "list": [null, 1, -1, 1.5, "s", {}] }),
        }
    }

    #[test]
    fn what_serde_json_writes_is_read_as_it_was() {
        let text = serde_json::to_string(&whole()).unwrap();
        assert_eq!(read(text.as_bytes()), Ok(whole()));
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read_value(&value), Ok(whole()));
        assert_eq!(read(text.as_bytes()), Ok(value));
    }

    #[test]
    fn what_is_read_is_what_serde_json_reads() {
        let texts = [
            "1",
            "65535",
            "65536",
            "-1",
            "1.0",
            "1e3",
            "\"1\"",
            "null",
            "true",
            "[1]",
            "{}",
            "",
            "1 2",
            "\"bare\"",
            r#"{"bare":null}"#,
            r#"{"bare":1}"#,
            r#"{"one":5}"#,
            r#""one""#,
            r#"{"one":5,"bare":null}"#,
            r#"{"nothing":null}"#,
            r#""nothing""#,
            r#"{"two":["x",1]}"#,
            r#"{"two":["x"]}"#,
            r#"{"two":["x",1,2]}"#,
            r#"{"two":null}"#,
            r#"{"named":{"flag":true}}"#,
            r#"{"named":{"flag":1}}"#,
            r#"{"named":{"flag":true,"flag":true}}"#,
            r#"{"named":{"flag":true,"other":[{"x":1}]}}"#,
            r#"{"other":1}"#,
            r#""other""#,
            "[\"\\ud800\"]",
            "[1,]",
            "\u{feff}1",
            "[1,true]",
            "[1,true,1]",
            "[1]",
            r#"{"a":1,"b":"x"}"#,
        ];
        for text in texts {
            fn agree<T: DeserializeOwned + PartialEq + fmt::Debug>(text: &str) {
                let expected: Option<T> = serde_json::from_str(text).ok();
                assert_eq!(read::<T>(text.as_bytes()).ok(), expected, "{text}");
            }
            agree::<Small>(text);
            agree::<Choice>(text);
            agree::<Option<u64>>(text);
            agree::<(u64, bool)>(text);
            agree::<BTreeMap<String, Value>>(text);
            agree::<Vec<Choice>>(text);
            agree::<()>(text);
            agree::<bool>(text);
            agree::<String>(text);
        }
    }

    #[test]
    fn a_member_that_is_not_known_is_passed_over_and_a_repeated_one_refused() {
        #[derive(Debug, PartialEq, Deserialize)]
        struct One {
            a: u64,
        }
        assert_eq!(read(br#"{"b":[{}],"a":1,"b":2}"#), Ok(One { a: 1 }));
        assert_eq!(read::<One>(br#"{"a":1,"\u0061":1}"#), Err(Unreadable));
        assert_eq!(read::<One>(br#"{"b":1}"#), Err(Unreadable));
    }

    #[test]
    fn a_struct_is_an_object() {
        #[derive(Debug, PartialEq, Deserialize)]
        struct One {
            a: u64,
        }
        assert_eq!(read::<One>(b"[1]"), Err(Unreadable));
    }

    #[test]
    fn nesting_without_end_is_refused() {
        let deep = "[".repeat(100_000);
        assert_eq!(read::<Value>(deep.as_bytes()), Err(Unreadable));
    }
}
