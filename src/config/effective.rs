//! What counts and where it came from, for `kconfigd config check`.

use serde_json::Value as Json;

use super::gather::{Given, Origin};
use super::reader::default_of;
use super::settings::Settings;
use super::table::{self, Kind};
use crate::document::{Node, Style, Value};

/// A key with the value that counts.
#[derive(Clone, Debug)]
pub struct Effective {
    /// Its way from the top.
    pub key: &'static str,
    /// The value as it was given, or the default.
    pub value: Json,
    /// Who gave it.
    pub origin: Origin,
}

/// Every key but those of list items, in the order of the documentation.
pub(super) fn list(given: &Given, settings: &Settings) -> Vec<Effective> {
    let keys = table::keys().iter().filter(|key| key.twin().is_some());
    let effective = keys.map(|key| {
        let setting = given.settings.get(key.path).filter(|setting| !setting.node.is_null());
        let origin = setting.map_or(Origin::Default, |setting| setting.origin.clone());
        let value = match key.path {
            // what these say depends on where it was said
            "state_dir" => settings.state_dir.to_string_lossy().into(),
            "live.path" => settings.live.path.to_string_lossy().into(),
            _ => match setting {
                Some(setting) => json(&setting.node, key.kind),
                None => default_of(key.path).map_or(Json::Null, |node| json(&node, key.kind)),
            },
        };
        Effective { key: key.path, value, origin }
    });
    effective.collect()
}

/// A value as JSON: what the key's kind makes of it, at the top; as YAML reads it, below.
pub(super) fn json(node: &Node, kind: Kind) -> Json {
    match (&node.value, kind) {
        (Value::Scalar(scalar), Kind::Bool) => match &*scalar.text {
            "true" => true.into(),
            "false" => false.into(),
            other => other.into(),
        },
        (Value::Scalar(scalar), Kind::Count { .. } | Kind::Bytes { .. } | Kind::Deletions) => {
            scalar.text.parse::<u64>().map_or_else(|_| scalar.text.as_ref().into(), Json::from)
        }
        (Value::Scalar(scalar), _) if scalar.is_null() => Json::Null,
        (Value::Scalar(scalar), Kind::AnyMap | Kind::Items) if scalar.style == Style::Plain => {
            serde_json::from_str(&scalar.text)
                .ok()
                .filter(|value: &Json| value.is_boolean() || value.is_u64())
                .unwrap_or_else(|| scalar.text.as_ref().into())
        }
        (Value::Scalar(scalar), _) => scalar.text.as_ref().into(),
        (Value::Sequence(items), _) => items.iter().map(|item| json(item, kind)).collect(),
        (Value::Mapping(pairs), _) => pairs
            .iter()
            .map(|(key, value)| (key.text().unwrap_or_default().to_owned(), json(value, kind)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}
