//! Values and expectations of a schema in words.

use jsonschema::JsonType;
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use serde_json::Value as Json;

/// Characters of a value that are shown.
const CHARS_MAX: usize = 60;
/// Choices that are listed.
const CHOICES_MAX: usize = 12;

/// A value as a message shows it; of a secret, only what kind of value it is.
pub(super) fn found(value: &Json, is_secret: bool) -> String {
    match value {
        Json::Null => "nothing".to_owned(),
        Json::Bool(_) | Json::Number(_) | Json::String(_) if is_secret => {
            format!("{} (hidden)", kind_of(value))
        }
        Json::Bool(value) => format!("`{value}`"),
        Json::Number(value) => format!("the number {value}"),
        Json::String(text) if text.is_empty() => "an empty text".to_owned(),
        Json::String(text) => format!("`{}`", cut(text)),
        Json::Array(items) if items.is_empty() => "an empty list".to_owned(),
        Json::Array(items) if items.len() == 1 => "a list of one item".to_owned(),
        Json::Array(items) => format!("a list of {} items", items.len()),
        Json::Object(_) => "a mapping".to_owned(),
    }
}

fn kind_of(value: &Json) -> &'static str {
    match value {
        Json::Null => "nothing",
        Json::Bool(_) => "true or false",
        Json::Number(_) => "a number",
        Json::String(_) => "a text",
        Json::Array(_) => "a list",
        Json::Object(_) => "a mapping",
    }
}

/// A text as a message shows it, on one line.
pub(super) fn cut(text: &str) -> String {
    let mut shown: String = text.chars().take(CHARS_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown.replace(char::is_control, "�")
}

/// A value of the schema.
fn written(value: &Json) -> String {
    match value {
        Json::String(text) => format!("`{}`", cut(text)),
        other => format!("`{}`", cut(&other.to_string())),
    }
}

/// What a keyword wants, in words that follow "expected"; `None` for those that say it otherwise.
pub(super) fn expected(kind: &Kind) -> Option<String> {
    Some(match kind {
        Kind::Type { kind: TypeKind::Single(one) } => type_name(*one).to_owned(),
        Kind::Type { kind: TypeKind::Multiple(set) } => {
            alternatives(set.into_iter().map(|one| type_name(one).to_owned()).collect())
        }
        Kind::Enum { options } => match options.as_array() {
            Some(options) => choices(options),
            None => return None,
        },
        Kind::Constant { expected_value } => written(expected_value),
        Kind::Pattern { pattern } => format!("a text that matches the pattern `{}`", cut(pattern)),
        Kind::Format { format } => format!("a text of the format `{}`", cut(format)),
        Kind::Minimum { limit } => format!("at least {limit}"),
        Kind::Maximum { limit } => format!("at most {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("more than {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("less than {limit}"),
        Kind::MultipleOf { multiple_of } => format!("a multiple of {multiple_of}"),
        Kind::MinLength { limit: 1 } => "a text that is not empty".to_owned(),
        Kind::MinLength { limit } => format!("at least {limit} characters"),
        Kind::MaxLength { limit } => format!("at most {limit} characters"),
        Kind::MinItems { limit: 1 } => "at least one item".to_owned(),
        Kind::MinItems { limit } => format!("at least {limit} items"),
        Kind::MaxItems { limit } => format!("at most {limit} items"),
        Kind::AdditionalItems { limit } => format!("at most {limit} items"),
        Kind::MinProperties { limit: 1 } => "at least one key".to_owned(),
        Kind::MinProperties { limit } => format!("at least {limit} keys"),
        Kind::MaxProperties { limit } => format!("at most {limit} keys"),
        _ => return None,
    })
}

fn type_name(one: JsonType) -> &'static str {
    match one {
        JsonType::Null => "nothing (null)",
        JsonType::Boolean => "true or false",
        JsonType::Integer => "a whole number",
        JsonType::Number => "a number",
        JsonType::String => "a text",
        JsonType::Array => "a list",
        JsonType::Object => "a mapping",
    }
}

fn choices(options: &[Json]) -> String {
    let mut shown: Vec<String> = options.iter().take(CHOICES_MAX).map(written).collect();
    if options.len() > CHOICES_MAX {
        shown.push(format!("{} others", options.len() - CHOICES_MAX));
    }
    if let [one] = shown.as_slice() { one.clone() } else { alternatives(shown) }
}

/// `a, b or c`
pub(super) fn alternatives(mut parts: Vec<String>) -> String {
    match parts.pop() {
        Some(last) if !parts.is_empty() => format!("{} or {last}", parts.join(", ")),
        Some(last) => last,
        None => "nothing".to_owned(),
    }
}

/// The rule that a finding about a keyword belongs to.
pub(super) fn rule(kind: &Kind) -> &'static str {
    match kind {
        Kind::AdditionalProperties { .. } | Kind::UnevaluatedProperties { .. } => {
            "schema.unknown_key"
        }
        Kind::PropertyNames { .. } => "schema.key",
        Kind::Required { .. } => "schema.required",
        Kind::Type { .. } => "schema.type",
        Kind::Enum { .. } | Kind::Constant { .. } => "schema.value",
        Kind::Pattern { .. } | Kind::Format { .. } => "schema.format",
        Kind::Minimum { .. }
        | Kind::Maximum { .. }
        | Kind::ExclusiveMinimum { .. }
        | Kind::ExclusiveMaximum { .. }
        | Kind::MultipleOf { .. } => "schema.range",
        Kind::MinLength { .. } | Kind::MaxLength { .. } => "schema.length",
        Kind::MinItems { .. }
        | Kind::MaxItems { .. }
        | Kind::AdditionalItems { .. }
        | Kind::UnevaluatedItems { .. }
        | Kind::MinProperties { .. }
        | Kind::MaxProperties { .. } => "schema.count",
        Kind::UniqueItems => "schema.unique",
        Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } | Kind::OneOfMultipleValid { .. } => {
            "schema.choice"
        }
        _ => "schema.rule",
    }
}

/// Advice on a value of another kind than was expected. `has_form`: the text that is expected has to
/// have a form too, so that quotes alone do not help.
pub(super) fn advice(kind: &Kind, value: &Json, has_form: bool) -> Option<&'static str> {
    let Kind::Type { kind } = kind else { return None };
    let wants = |one: JsonType| match kind {
        TypeKind::Single(only) => *only == one,
        TypeKind::Multiple(set) => set.contains(one),
    };
    match value {
        Json::String(text) if wants(JsonType::Boolean) => {
            let word = text.to_ascii_lowercase();
            match word.as_str() {
                "true" | "false" => Some("leave the quotes out"),
                "yes" | "on" | "y" => Some("write `true`: in YAML 1.2 this is a text"),
                "no" | "off" | "n" => Some("write `false`: in YAML 1.2 this is a text"),
                _ => None,
            }
        }
        Json::String(text) if wants(JsonType::Integer) || wants(JsonType::Number) => {
            text.parse::<f64>().is_ok().then_some("leave the quotes out")
        }
        Json::Number(_) | Json::Bool(_) if wants(JsonType::String) && !has_form => {
            Some("put it in quotes")
        }
        Json::Null => Some("write a value, or take the key out"),
        _ if wants(JsonType::Array) => Some("write it as a list: one `- ` for each item"),
        _ if wants(JsonType::Object) => Some("write keys and values, indented below it"),
        _ => None,
    }
}

/// Advice where nothing better is known.
pub(super) fn fallback(kind: &Kind) -> &'static str {
    match kind {
        Kind::Enum { .. } | Kind::Constant { .. } | Kind::Type { .. } => {
            "write what is expected, or take it out"
        }
        Kind::Pattern { .. } | Kind::Format { .. } => "write it in the form that is expected",
        Kind::Minimum { .. } | Kind::ExclusiveMinimum { .. } => "take a larger number",
        Kind::Maximum { .. } | Kind::ExclusiveMaximum { .. } => "take a smaller number",
        Kind::MinLength { .. } => "write a longer text",
        Kind::MaxLength { .. } => "write a shorter text",
        Kind::MinItems { .. } | Kind::MinProperties { .. } | Kind::Contains => {
            "add what is missing"
        }
        Kind::FalseSchema
        | Kind::Not { .. }
        | Kind::MaxItems { .. }
        | Kind::AdditionalItems { .. }
        | Kind::UnevaluatedItems { .. }
        | Kind::MaxProperties { .. } => "take out what is too much",
        Kind::UniqueItems => "take out what is there twice",
        _ => "look at the schema for what is expected here",
    }
}
