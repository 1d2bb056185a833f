//! The JSON Schema of `kconfigd.yaml`, for editors and for `kconfigd config schema`.

use serde_json::{Map, Value as Json, json};

use super::effective;
use super::reader::default_of;
use super::table::{self, Key, Kind};

/// The JSON Schema (draft 2020-12) of `kconfigd.yaml`.
#[must_use]
pub fn schema() -> Json {
    let mut schema = group("");
    if let Some(object) = schema.as_object_mut() {
        let head = [
            ("$schema", "https://json-schema.org/draft/2020-12/schema"),
            ("title", "kconfigd.yaml"),
            ("description", "Settings of kconfigd. Every key has an environment twin."),
        ];
        for (place, (key, value)) in head.into_iter().enumerate() {
            object.shift_insert(place, key.to_owned(), value.into());
        }
    }
    schema
}

/// An object with the keys right below `prefix`.
fn group(prefix: &str) -> Json {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for name in table::names_below(prefix) {
        let path = format!("{prefix}{name}");
        let value = table::find(&path).map_or_else(|| group(&format!("{path}.")), leaf);
        if table::find(&path).is_some_and(Key::is_required) {
            required.push(name);
        }
        properties.insert(name.to_owned(), value);
    }
    let mut object = json!({"type": ["object", "null"], "additionalProperties": false});
    if let Some(object) = object.as_object_mut() {
        object.insert("properties".to_owned(), properties.into());
        if !required.is_empty() {
            object.insert("required".to_owned(), required.into());
        }
    }
    object
}

fn leaf(key: &Key) -> Json {
    let mut object = Map::new();
    object.insert("description".to_owned(), key.about.replace('`', "").into());
    if let Some(default) = default_of(key.path) {
        object.insert("default".to_owned(), effective::json(&default, key.kind));
    }
    if let Some(shape) = shape(key).as_object() {
        object.extend(shape.clone());
    }
    object.into()
}

fn shape(key: &Key) -> Json {
    const SIZE: &str = "^[0-9]+ *(B|KiB|MiB|GiB)?$";
    match key.kind {
        Kind::Text | Kind::Path | Kind::Owner => json!({"type": ["string", "number", "null"]}),
        Kind::Url => json!({"type": ["string", "null"], "pattern": "^[hH][tT][tT][pP][sS]?://"}),
        Kind::Address => json!({"type": ["string", "null"], "pattern": ":[0-9]+$"}),
        Kind::Bool => json!({"type": ["boolean", "null"]}),
        Kind::Count { min, max } => {
            json!({"type": ["integer", "null"], "minimum": min, "maximum": max})
        }
        Kind::Bytes { min } => {
            json!({"type": ["integer", "string", "null"], "minimum": min, "pattern": SIZE})
        }
        Kind::Duration { .. } => {
            json!({"type": ["string", "null"], "pattern": "^[0-9]+(ms|s|m|h|d)$"})
        }
        Kind::Pause { .. } => {
            json!({"type": ["string", "boolean", "null"], "pattern": "^(off|[0-9]+(ms|s|m|h|d))$"})
        }
        Kind::Percent => {
            json!({"type": ["string", "integer", "null"], "pattern": "^[0-9.]+%$", "maximum": 0})
        }
        Kind::Deletions => {
            json!({"type": ["string", "integer", "null"], "minimum": 0, "pattern": "^[0-9.]+%$"})
        }
        Kind::Word(words) => {
            let words = words.iter().map(|word| Json::from(*word));
            json!({"enum": words.chain([Json::Null]).collect::<Vec<_>>()})
        }
        Kind::Mode => json!({"type": ["string", "integer"], "pattern": "^(0o)?[0-7]{3,4}$"}),
        Kind::Texts => {
            json!({"type": ["array", "null"], "items": {"type": ["string", "number", "boolean"]}})
        }
        Kind::Labels => {
            let label = json!({"type": ["string", "number", "boolean"]});
            json!({"type": ["object", "null"], "additionalProperties": label})
        }
        Kind::Items => {
            let mut item = group(&format!("{}[].", key.path));
            if let Some(object) = item.as_object_mut() {
                object.insert("type".to_owned(), "object".into());
            }
            json!({"type": ["array", "null"], "items": item})
        }
        Kind::AnyMap => json!({"type": ["object", "null"]}),
    }
}
