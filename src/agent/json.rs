//! A line's JSON as a tree of bounded size, and lenient looks into it.
//!
//! `serde_json::Value` of a hostile line of a mebibyte takes a hundred times that. Here lists and objects are cut after
//! their first elements, and the whole after a number of nodes: what a CLI says of itself is small, and what is cut is
//! payload nobody looks at.

use chrono::{DateTime, Utc};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// Elements kept of one list or object.
const WIDTH: usize = 256;
/// Nodes kept of one line.
const NODES: usize = 4096;

/// The objects on one line: one, or several where a line's end was lost. What comes after garbage is left out.
pub(super) fn objects(line: &str) -> Vec<Value> {
    let mut found = Vec::new();
    // Anything else is a message for people.
    if !line.trim_start().starts_with('{') {
        return found;
    }
    let mut reader = serde_json::Deserializer::from_str(line);
    let mut nodes = NODES;
    while found.len() < WIDTH && reader.end().is_err() {
        match (Bounded { nodes: &mut nodes }).deserialize(&mut reader) {
            Ok(value @ Value::Object(_)) => found.push(value),
            Ok(_) => {}
            Err(_) => break,
        }
    }
    found
}

struct Bounded<'a> {
    nodes: &'a mut usize,
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if *self.nodes == 0 {
            return IgnoredAny.deserialize_ignored(deserializer);
        }
        *self.nodes -= 1;
        deserializer.deserialize_any(self)
    }
}

/// Skips a value.
trait Ignore {
    fn deserialize_ignored<'de, D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error>;
}

impl Ignore for IgnoredAny {
    fn deserialize_ignored<'de, D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_ignored_any(self).map(|_| Value::Null)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while list.len() < WIDTH && *self.nodes > 0 {
            match elements.next_element_seed(Bounded { nodes: &mut *self.nodes })? {
                Some(element) => list.push(element),
                None => return Ok(Value::Array(list)),
            }
        }
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while object.len() < WIDTH && *self.nodes > 0 {
            let Some(key) = entries.next_key::<String>()? else { return Ok(Value::Object(object)) };
            let value = entries.next_value_seed(Bounded { nodes: &mut *self.nodes })?;
            object.insert(key, value);
        }
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Object(object))
    }
}

/// Looks that take a wrong type for an absent value.
pub(super) trait Look {
    /// The value under a path of keys.
    fn at(&self, path: &[&str]) -> &Value;
    /// A text that is not blank.
    fn text(&self, key: &str) -> Option<&str>;
    /// A whole number that is not below zero; a fraction is cut, what is too large is the largest.
    fn whole(&self, key: &str) -> Option<u64>;
    /// A finite number that is not below zero.
    fn number(&self, key: &str) -> Option<f64>;
    /// A time: seconds or milliseconds since 1970.
    fn epoch(&self, key: &str) -> Option<DateTime<Utc>>;
    /// The elements of a list; none of anything else.
    fn list(&self, key: &str) -> &[Value];
    /// Whether it is there and true.
    fn is(&self, key: &str) -> bool;
}

impl Look for Value {
    fn at(&self, path: &[&str]) -> &Value {
        path.iter().fold(self, |value, key| value.get(key).unwrap_or(&Value::Null))
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_str().filter(|text| !text.trim().is_empty())
    }

    fn whole(&self, key: &str) -> Option<u64> {
        let value = self.get(key)?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is finite and not below zero")]
        value.as_u64().or_else(|| self.number(key).map(|number| number as u64))
    }

    fn number(&self, key: &str) -> Option<f64> {
        self.get(key)?.as_f64().filter(|number| number.is_finite() && *number >= 0.0)
    }

    fn epoch(&self, key: &str) -> Option<DateTime<Utc>> {
        epoch(self.whole(key)?)
    }

    fn list(&self, key: &str) -> &[Value] {
        self.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    fn is(&self, key: &str) -> bool {
        self.get(key).and_then(Value::as_bool) == Some(true)
    }
}

/// A time from seconds since 1970, or from milliseconds where the number is too large for seconds; none before 2001 and
/// after 2286, which nobody means.
pub(super) fn epoch(number: u64) -> Option<DateTime<Utc>> {
    let seconds = if number >= 100_000_000_000 { number / 1000 } else { number };
    let seconds = i64::try_from(seconds).ok().filter(|s| (1_000_000_000..10_000_000_000).contains(s))?;
    DateTime::from_timestamp(seconds, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lines_objects_are_found_and_garbage_is_not() {
        assert_eq!(objects(r#"{"a":1}{"b":[true,null,"x",2.5,-1]} trailing"#).len(), 2);
        for garbage in ["", "Error: no", "[1]", "{", "{\"a\":}", "\u{0}", "42", "{\"a\":1e999}"] {
            assert!(objects(garbage).is_empty(), "{garbage}");
        }
        assert!(objects(&"{\"a\":".repeat(100_000)).is_empty(), "too deep");
    }

    #[test]
    fn a_tree_is_cut_and_the_rest_of_its_line_still_read() {
        let wide = format!("{{\"list\":[{}],\"after\":7}}", vec!["[1]"; 100_000].join(","));
        let tree = objects(&wide);
        assert_eq!((tree[0].list("list").len(), tree[0].whole("after")), (WIDTH, Some(7)));
        let many =
            format!("{{{}}}", (0..1000).map(|n| format!("\"k{n}\":[1,2,3,4,5,6,7,8]")).collect::<Vec<_>>().join(","));
        assert_eq!(objects(&many)[0].as_object().unwrap().len(), WIDTH);
        assert_eq!(objects(&"{\"a\":{}}".repeat(100_000)).len(), WIDTH);
    }

    #[test]
    fn wrong_types_are_absent() {
        let value = &objects(r#"{"n":-1,"t":7,"f":1e30,"s":"x","e":1795382347,"ms":1795375743713,"l":{},"b":1}"#)[0];
        assert_eq!(
            (value.whole("n"), value.text("t"), value.whole("s"), value.whole("f")),
            (None, None, None, Some(u64::MAX))
        );
        assert_eq!(value.epoch("e").unwrap().to_rfc3339(), "2026-11-22T21:19:07+00:00");
        assert_eq!(value.epoch("ms").unwrap().to_rfc3339(), "2026-11-22T19:29:03+00:00");
        assert_eq!((value.epoch("f"), value.epoch("n"), value.list("l").len(), value.is("b")), (None, None, 0, false));
        assert_eq!(value.at(&["s", "deeper"]), &Value::Null);
    }
}
