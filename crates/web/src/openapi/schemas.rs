//! The schemas of all wire types, in answers and in requests.

use schemars::{
    SchemaGenerator,
    generate::{Contract, SchemaSettings},
};
use serde_json::{Map, Value};

use crate::endpoint::SchemaOf;

/// The place of schemas in the document.
const HERE: &str = "#/components/schemas/";
/// The place of schemas of requests until their names are known.
const TAKEN: &str = "#/components/taken/";

/// Gathers the schemas while a document is made.
pub(super) struct Schemas {
    sent: SchemaGenerator,
    taken: SchemaGenerator,
}

impl Schemas {
    pub(super) fn new() -> Self {
        let of = |contract, place: &str| {
            SchemaSettings::draft2020_12()
                .with(|s| {
                    s.definitions_path =
                        place.trim_start_matches('#').trim_end_matches('/').to_owned().into();
                    s.meta_schema = None;
                    s.contract = contract;
                })
                .into_generator()
        };
        Self { sent: of(Contract::Serialize, HERE), taken: of(Contract::Deserialize, TAKEN) }
    }

    /// Returns the schema of a type in answers.
    pub(super) fn sent(&mut self, of: SchemaOf) -> Value {
        of(&mut self.sent).to_value()
    }

    /// Returns the schema of a type in requests.
    pub(super) fn taken(&mut self, of: SchemaOf) -> Value {
        of(&mut self.taken).to_value()
    }

    /// Puts all referenced schemas into a document. A type with requests that differ from its answers has two schemas:
    /// one with its name, and one with `Given` before it.
    pub(super) fn settle(mut self, mut document: Value) -> Value {
        let mut all = self.sent.take_definitions(true);
        let mut names = Vec::new();
        for (name, taken) in self.taken.take_definitions(true) {
            let same = all.get(&name).is_none_or(|sent| *sent == settled(&taken, &[]));
            let known = if same { name.clone() } else { format!("Given{name}") };
            all.insert(known.clone(), taken);
            names.push((name, known));
        }
        document["components"]["schemas"] = Value::Object(all);
        settled(&document, &names)
    }
}

/// Replaces the temporary references by the final names of the schemas.
fn settled(value: &Value, names: &[(String, String)]) -> Value {
    match value {
        Value::String(text) => match text.strip_prefix(TAKEN) {
            Some(name) => {
                let known = names.iter().find(|(from, _)| from == name).map_or(name, |(_, known)| known);
                format!("{HERE}{known}").into()
            }
            None => text.as_str().into(),
        },
        Value::Array(all) => all.iter().map(|value| settled(value, names)).collect(),
        Value::Object(all) => all
            .iter()
            .map(|(name, value)| (name.clone(), settled(value, names)))
            .collect::<Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}
