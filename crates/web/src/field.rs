//! A field of a body that distinguishes `null` from absence, as `PATCH` needs it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, de::DeserializeOwned, de::Error as _};
use serde_json::Value;

/// A field of a body: `#[serde(default)] name: Field<String>`.
///
/// It reads through [`Value`], so that a struct without `#[serde(default)]` refuses a body without the field, instead of
/// taking absence for `null`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Field<T> {
    /// The body does not have it: the named value stays as it is.
    #[default]
    Absent,
    /// It is `null`: the named value is cleared.
    Null,
    /// It has a value.
    Value(T),
}

impl<T> Field<T> {
    /// Returns true if the body does not have it.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// Returns the requested change: none, to nothing, or to a value.
    pub fn change(self) -> Option<Option<T>> {
        match self {
            Self::Absent => None,
            Self::Null => Some(None),
            Self::Value(value) => Some(Some(value)),
        }
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Null => Ok(Self::Null),
            value => T::deserialize(value).map(Self::Value).map_err(D::Error::custom),
        }
    }
}

/// The schema of its value, or `null`. The derived schema of a struct does not require it, because of its default.
impl<T: JsonSchema> JsonSchema for Field<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Option::<T>::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Option::<T>::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use schemars::generate::SchemaSettings;
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    struct Change {
        #[serde(default)]
        name: Field<String>,
        #[serde(default)]
        size: Field<u8>,
    }

    #[derive(Debug, Deserialize)]
    struct Careless {
        #[expect(dead_code, reason = "the test only checks if it is absent")]
        name: Field<String>,
    }

    #[test]
    fn null_is_told_from_absence() {
        let read = |body: Value| serde_json::from_value::<Change>(body).map_err(|e| e.to_string());
        for (body, name, size) in [
            (json!({}), Field::Absent, Field::Absent),
            (json!({ "name": null }), Field::Null, Field::Absent),
            (json!({ "name": "a", "size": 3 }), Field::Value("a".to_owned()), Field::Value(3)),
        ] {
            assert_eq!(read(body), Ok(Change { name, size }));
        }
        assert!(read(json!({ "size": 300 })).unwrap_err().contains("300"));
        let careless = serde_json::from_value::<Careless>(json!({})).unwrap_err();
        assert!(careless.to_string().contains("missing field"), "{careless}");
        assert_eq!(Field::<u8>::Absent.change(), None);
        assert_eq!(Field::<u8>::Null.change(), Some(None));
        assert_eq!(Field::Value(1).change(), Some(Some(1)));
        assert!(Field::<u8>::Absent.is_absent() && !Field::<u8>::Null.is_absent());
    }

    #[test]
    fn its_schema_allows_both() {
        let generator = SchemaSettings::draft2020_12().for_deserialize().into_generator();
        let schema = generator.into_root_schema_for::<Change>().to_value();
        assert_eq!(schema["properties"]["name"]["type"], json!(["string", "null"]));
        assert!(
            schema["properties"]["size"]["type"].as_array().unwrap().contains(&json!("null")),
            "{schema}"
        );
        assert!(schema["required"].is_null(), "{schema}");
        assert!(schema["properties"]["name"]["default"].is_null(), "{schema}");
    }
}
