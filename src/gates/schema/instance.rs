//! A document as JSON: what a schema sees.

use serde_json::{Map, Number, Value as Json};

use crate::document::{Document, Node, Scalar, Style, Value};

/// What SOPS puts in place of a value.
pub(super) const SOPS_VALUE: &str = "ENC[AES256_GCM,";

/// A document as a schema sees it: without what SOPS adds to it.
pub(super) fn of(document: &Document) -> Json {
    let mut instance = json(&document.root);
    if is_sops(&document.root)
        && let Some(object) = instance.as_object_mut()
    {
        object.shift_remove("sops");
    }
    instance
}

/// Whether SOPS encrypted values of it, so that what is there says little of them.
pub(super) fn is_sops(root: &Node) -> bool {
    root.get("sops").is_some_and(|sops| sops.get("mac").is_some())
}

/// A node as JSON, by the core schema of YAML 1.2 (10.3.2).
pub(in super::super) fn json(node: &Node) -> Json {
    match &node.value {
        Value::Scalar(scalar) => match node.tag.as_deref() {
            None if scalar.style == Style::Plain => plain(scalar),
            Some("!!int" | "!!float" | "!!bool" | "!!null") => plain(scalar),
            _ => scalar.text.as_ref().into(),
        },
        Value::Sequence(items) => items.iter().map(json).collect(),
        Value::Mapping(pairs) => {
            let pairs = pairs.iter().map(|(key, value)| (name(key), json(value)));
            pairs.collect::<Map<_, _>>().into()
        }
    }
}

/// What a key is called: its text, or all of it where it is no scalar.
pub(super) fn name(key: &Node) -> String {
    crate::document::key_name(key).into_owned()
}

fn plain(scalar: &Scalar) -> Json {
    let text = &*scalar.text;
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Json::Null,
        "true" | "True" | "TRUE" => true.into(),
        "false" | "False" | "FALSE" => false.into(),
        _ => number(text).map_or_else(|| text.into(), Json::Number),
    }
}

/// A number; the infinite ones and `.nan` are none in JSON, and stay texts.
fn number(text: &str) -> Option<Number> {
    let first = text.bytes().next()?;
    if !(first.is_ascii_digit() || matches!(first, b'-' | b'+' | b'.')) {
        return None;
    }
    let of_radix = |digits: &str, radix| {
        let plain = digits.bytes().all(|b| b.is_ascii_alphanumeric());
        u64::from_str_radix(digits, radix).ok().filter(|_| plain).map(Number::from)
    };
    if let Some(digits) = text.strip_prefix("0x") {
        return of_radix(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return of_radix(digits, 8);
    }
    let bare = text.strip_prefix('+').unwrap_or(text);
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if unsigned.bytes().all(|b| b.is_ascii_digit()) {
        if let Ok(whole) = bare.parse::<u64>() {
            return Some(whole.into());
        }
        if let Ok(whole) = bare.parse::<i64>() {
            return Some(whole.into());
        }
        return (!unsigned.is_empty()).then(|| bare.parse().ok().and_then(Number::from_f64))?;
    }
    is_float(unsigned).then(|| bare.parse().ok().and_then(Number::from_f64))?
}

/// `(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let mantissa = digits(whole) && digits(part) && !(whole.is_empty() && part.is_empty());
    let exponent = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    mantissa && exponent
}

/// The node at a JSON pointer, and the key that it stands under.
pub(super) fn at<'n>(root: &'n Node, pointer: &str) -> Option<(Option<&'n Node>, &'n Node)> {
    let (mut key, mut node) = (None, root);
    for part in pointer.split('/').skip(1) {
        (key, node) = match &node.value {
            Value::Mapping(pairs) => {
                let wanted = unescape(part);
                let (key, value) = pairs.iter().find(|(key, _)| name(key) == wanted)?;
                (Some(key), value)
            }
            Value::Sequence(items) => (None, items.get(part.parse::<usize>().ok()?)?),
            Value::Scalar(_) => return None,
        };
    }
    Some((key, node))
}

/// A part of a JSON pointer as it is called (RFC 6901, 4).
pub(super) fn unescape(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

/// A JSON pointer as people write it: `/services/1/name` is `services[1].name`.
pub(super) fn shown(root: &Node, pointer: &str) -> String {
    let mut text = String::new();
    let mut node = Some(root);
    for part in pointer.split('/').skip(1) {
        let name = unescape(part);
        let is_item = matches!(node.map(|n| &n.value), Some(Value::Sequence(_)));
        if is_item {
            text.push_str(&format!("[{name}]"));
        } else {
            let plain = !name.is_empty() && !name.contains(['.', '[', ']', ' ', '"']);
            let dot = if text.is_empty() || !plain { "" } else { "." };
            let name = if plain { name } else { format!("[{name:?}]") };
            text.push_str(&format!("{dot}{name}"));
        }
        node = node.and_then(|node| at(node, &format!("/{part}"))).map(|(_, node)| node);
    }
    text
}
