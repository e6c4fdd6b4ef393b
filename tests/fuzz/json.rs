//! Bodies: our strict reader against `serde_json`, which is the same grammar with fewer rules.

use std::fmt;

use edgemint::jose::{JoseError, parse_strict_json, parse_strict_object};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// Ours accepts what `serde_json` does, as the same value, unless a name is repeated or it is nested
/// more than 32 levels deep.
pub(crate) fn run(data: &[u8]) {
    let ours = parse_strict_json(data);
    let theirs = serde_json::from_slice::<Value>(data);
    let shape = serde_json::from_slice::<Shape>(data);
    match (&ours, &theirs) {
        (Ok(ours), Ok(theirs)) => {
            assert_eq!(ours, theirs);
            // A fraction is printed as the nearest text and read as a neighbour of it.
            let printed = ours.to_string();
            let again = parse_strict_json(printed.as_bytes());
            assert!(has_fraction(ours) || again.as_ref() == Ok(ours));
        }
        (Ok(_), Err(refusal)) => panic!("accepted, but {refusal}"),
        (Err(JoseError::JsonInvalid), Ok(_)) => panic!("refused for no reason"),
        _ => {}
    }
    if let Ok(shape) = shape {
        let fits = !shape.repeats && shape.depth <= 32;
        assert_eq!(ours.is_ok(), fits, "{shape:?}");
    }
    let object = parse_strict_object(data);
    assert_eq!(object.is_ok(), matches!(ours, Ok(Value::Object(_))));
}

/// What is told about a document without keeping it.
#[derive(Debug, Default)]
struct Shape {
    depth: usize,
    repeats: bool,
}

impl Shape {
    fn within(&mut self, inner: &Self) {
        self.depth = self.depth.max(inner.depth + 1);
        self.repeats |= inner.repeats;
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Look;
        impl<'de> Visitor<'de> for Look {
            type Value = Shape;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }
            fn visit_unit<E>(self) -> Result<Shape, E> {
                Ok(Shape::default())
            }
            fn visit_bool<E>(self, _: bool) -> Result<Shape, E> {
                Ok(Shape::default())
            }
            fn visit_u64<E>(self, _: u64) -> Result<Shape, E> {
                Ok(Shape::default())
            }
            fn visit_i64<E>(self, _: i64) -> Result<Shape, E> {
                Ok(Shape::default())
            }
            fn visit_f64<E>(self, _: f64) -> Result<Shape, E> {
                Ok(Shape::default())
            }
            fn visit_str<E>(self, _: &str) -> Result<Shape, E> {
                Ok(Shape::default())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Shape, A::Error> {
                let mut whole = Shape {
                    depth: 1,
                    repeats: false,
                };
                while let Some(inner) = items.next_element::<Shape>()? {
                    whole.within(&inner);
                }
                Ok(whole)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Shape, A::Error> {
                let mut whole = Shape {
                    depth: 1,
                    repeats: false,
                };
                let mut names = Vec::new();
                while let Some((name, inner)) = members.next_entry::<String, Shape>()? {
                    whole.within(&inner);
                    whole.repeats |= names.contains(&name);
                    names.push(name);
                }
                Ok(whole)
            }
        }
        deserializer.deserialize_any(Look)
    }
}

fn has_fraction(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(items) => items.iter().any(has_fraction),
        Value::Object(members) => members.values().any(has_fraction),
        _ => false,
    }
}

/// Whether the bytes are JSON at all.
pub(crate) fn is_json(data: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(data).is_ok()
}
