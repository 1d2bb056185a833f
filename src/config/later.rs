//! Keys that this version knows and cannot honour.

use super::gather::Setting;
use super::reader::{Reader, default_of};
use super::table::{self, Key, Kind};
use crate::document::Value;

/// Notes every key that asks for something which this version cannot do: a gate that is silently
/// skipped is worse than none.
pub(super) fn refuse(reader: &mut Reader<'_>) {
    for key in table::keys().iter().filter(|key| key.is_later()) {
        if reader.setting(key.path).is_some_and(|setting| asks_for_something(key, setting)) {
            reader.unsupported(key.path);
        }
    }
}

fn asks_for_something(key: &Key, setting: &Setting) -> bool {
    match &setting.node.value {
        Value::Sequence(items) => !items.is_empty(),
        Value::Mapping(pairs) => !pairs.is_empty(),
        Value::Scalar(scalar) if matches!(key.kind, Kind::Word(_)) && &*scalar.text == "off" => {
            false
        }
        Value::Scalar(scalar) => {
            default_of(key.path).is_none_or(|default| default.text() != Some(&*scalar.text))
        }
    }
}
