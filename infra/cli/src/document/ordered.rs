//! Reads the description without losing the order of the properties of an object, which `serde_json` sorts.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

/// The member of a schema that lists the names of its `properties` in their order.
pub(super) const ORDER: &str = "x-property-order";

/// A value in which every object with `properties` has an [`ORDER`].
pub(super) struct Ordered {
    pub(super) value: Value,
    /// The names of the members, if it is an object.
    names: Vec<String>,
}

impl<'de> Deserialize<'de> for Ordered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OrderedVisitor)
    }
}

struct OrderedVisitor;

impl<'de> Visitor<'de> for OrderedVisitor {
    type Value = Ordered;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Ordered, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Ordered, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Ordered, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Ordered, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Ordered, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Ordered, E> {
        Ok(Value::Null.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Ordered, A::Error> {
        let mut values = Vec::new();
        while let Some(item) = items.next_element::<Ordered>()? {
            values.push(item.value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Ordered, A::Error> {
        let (mut object, mut names) = (Map::new(), Vec::new());
        while let Some((name, member)) = members.next_entry::<String, Ordered>()? {
            if name == "properties" {
                object.insert(ORDER.to_owned(), member.names.into());
            }
            names.push(name.clone());
            object.insert(name, member.value);
        }
        Ok(Ordered { value: object.into(), names })
    }
}

impl<T: Into<Value>> From<T> for Ordered {
    fn from(value: T) -> Self {
        Self { value: value.into(), names: Vec::new() }
    }
}

/// As the embedded description is read.
#[cfg(test)]
pub(crate) fn ordered(text: &str) -> Value {
    serde_json::from_str::<Ordered>(text).unwrap().value
}
