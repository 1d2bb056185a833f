//! Functions that people's rules call and the evaluator lacks: those that the language deprecated
//! after many had used them, and the one of conftest's own that needs no file.

use std::collections::BTreeSet;
use std::io;

use regex_automata::meta::Regex;
use regorus::{Engine, Value};

/// Bytes of a compiled pattern.
const PATTERN_BYTES_MAX: usize = 1 << 20;
/// Documents of a text that a test of rules parses.
const DOCUMENTS_MAX: usize = 1_000;

/// The function that tests of rules make their input with.
const PARSE: &str = "parse_config";

type Function = fn(&[Value]) -> io::Result<Value>;

/// Names, how many arguments they take, and what they do. Where a rule set defines a function of one
/// of these names, that counts.
const FUNCTIONS: [(&str, u8, Function); 10] = [
    ("any", 1, |given| Ok(items(given.first())?.contains(&Value::Bool(true)).into())),
    ("all", 1, |given| {
        Ok(items(given.first())?.iter().all(|item| *item == Value::Bool(true)).into())
    }),
    ("re_match", 2, re_match),
    ("set_diff", 2, |given| {
        let (from, without) = (items(given.first())?, items(given.get(1))?);
        Ok(from.difference(&without).cloned().collect::<BTreeSet<_>>().into())
    }),
    ("cast_set", 1, |given| Ok(items(given.first())?.into())),
    ("cast_array", 1, |given| match given.first() {
        Some(array @ Value::Array(_)) => Ok(array.clone()),
        other => Ok(items(other)?.into_iter().collect::<Vec<_>>().into()),
    }),
    ("cast_string", 1, |given| only(given, |value| matches!(value, Value::String(_)))),
    ("cast_boolean", 1, |given| only(given, |value| matches!(value, Value::Bool(_)))),
    ("cast_object", 1, |given| only(given, |value| matches!(value, Value::Object(_)))),
    (PARSE, 2, parse_config),
];

/// Lets the rules of an engine call them.
pub(super) fn add(engine: &mut Engine) {
    for (name, count, function) in FUNCTIONS {
        // A value of the wrong type makes a rule undefined, as the language has it; a test is told.
        let call = move |given: Vec<Value>| match function(&given) {
            Err(error) if name == PARSE => Err(error.into()),
            called => Ok(called.unwrap_or(Value::Undefined)),
        };
        if engine.add_extension(name.to_owned(), count, Box::new(call)).is_err() {
            tracing::debug!(name, "a function of policies is there already");
        }
    }
}

fn wrong(what: &str) -> io::Error {
    io::Error::other(what.to_owned())
}

/// The items of a list or a set.
fn items(value: Option<&Value>) -> io::Result<BTreeSet<Value>> {
    match value {
        Some(Value::Array(items)) => Ok(items.iter().cloned().collect()),
        Some(Value::Set(items)) => Ok(items.iter().cloned().collect()),
        _ => Err(wrong("it takes a list or a set")),
    }
}

fn only(given: &[Value], fits: fn(&Value) -> bool) -> io::Result<Value> {
    let fitting = given.first().filter(|value| fits(value)).cloned();
    fitting.ok_or_else(|| wrong("the value is of another type"))
}

fn text(value: Option<&Value>) -> io::Result<&str> {
    match value {
        Some(Value::String(text)) => Ok(text),
        _ => Err(wrong("it takes texts")),
    }
}

fn re_match(given: &[Value]) -> io::Result<Value> {
    let (pattern, text) = (text(given.first())?, text(given.get(1))?);
    let config = Regex::config().nfa_size_limit(Some(PATTERN_BYTES_MAX));
    let regex = Regex::builder().configure(config).build(pattern).map_err(io::Error::other)?;
    Ok(regex.is_match(text).into())
}

/// `parse_config("yaml", text)`: a document, or a list of them where there are several.
fn parse_config(given: &[Value]) -> io::Result<Value> {
    use serde::Deserialize as _;
    let (parser, text) = (text(given.first())?, text(given.get(1))?);
    if !matches!(parser, "yaml" | "json") {
        return Err(wrong("only YAML and JSON are parsed here"));
    }
    let mut documents = Vec::new();
    for document in serde_yaml::Deserializer::from_str(text).take(DOCUMENTS_MAX) {
        let document = serde_json::Value::deserialize(document).map_err(io::Error::other)?;
        documents.push(Value::from(document));
    }
    match documents.len() {
        1 => documents.pop().ok_or_else(|| wrong("there is no document")),
        _ => Ok(documents.into()),
    }
}
