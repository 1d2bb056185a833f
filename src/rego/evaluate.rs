use std::io;

use regorus::Value;

use super::compile::{RuleSet, place_in, plain};
use super::wire::{Answer, Said, Told, Unit, Verdict};

/// Results of one rule on one document that are told; those after them are counted.
const RESULTS_MAX: usize = 200;
/// Characters of a message.
const MESSAGE_CHARS_MAX: usize = 1_000;
/// Steps of a way to a value, and characters of one.
const STEPS_MAX: usize = 64;
/// Characters of one step, and of the name of a file.
const STEP_CHARS_MAX: usize = 400;
/// Lists inside each other that are looked into for names of exceptions.
const EXCEPTIONS_DEPTH_MAX: usize = 2;

/// Where answers go.
pub(super) type Tell<'t> = dyn FnMut(&Answer) -> io::Result<()> + 't;

/// Holds what is the input of all sets against the rules in `units`.
pub(super) fn evaluate(
    sets: &mut [RuleSet],
    units: &[(usize, &Unit)],
    document: usize,
    announced: bool,
    tell: &mut Tell<'_>,
) -> io::Result<()> {
    let mut exceptions: Option<(usize, &str, Vec<String>)> = None;
    for &(number, unit) in units {
        let Some(set) = sets.get_mut(unit.set) else { continue };
        if announced {
            tell(&Answer::Begins { document, unit: number })?;
        }
        if exceptions.as_ref().is_none_or(|(set, of, _)| (*set, *of) != (unit.set, &unit.package)) {
            exceptions = Some((unit.set, &unit.package, set.exceptions(&unit.package)));
        }
        let suffix = unit.rule.split_once('_').map_or("", |(_, suffix)| suffix);
        if exceptions.as_ref().is_some_and(|(_, _, names)| names.iter().any(|n| n == suffix)) {
            continue;
        }
        let mut say = |verdict| tell(&Answer::Told(Told { document, unit: number, verdict }));
        match set.engine.eval_rule(format!("data.{}.{}", unit.package, unit.rule)) {
            Ok(value) => results(&value, unit, &mut say)?,
            Err(error) => {
                let message = error.to_string();
                let place = place_in(set.names().iter().map(String::as_str), &message);
                say(Verdict::Failed { place, message: plain(&message) })?;
            }
        }
    }
    Ok(())
}

impl RuleSet {
    pub(super) fn names(&mut self) -> Vec<String> {
        let modules = self.engine.get_modules().iter();
        modules.map(|module| module.package.span.source.get_path().clone()).collect()
    }

    /// The rules, by what is behind their `_`, that are not to be asked about this input.
    fn exceptions(&mut self, package: &str) -> Vec<String> {
        let mut names = Vec::new();
        if self.with_exceptions.iter().any(|with| with == package)
            && let Ok(value) = self.engine.eval_rule(format!("data.{package}.exception"))
        {
            texts(&value, EXCEPTIONS_DEPTH_MAX, &mut names);
        }
        names
    }
}

fn texts(value: &Value, depth: usize, into: &mut Vec<String>) {
    match value {
        Value::String(text) => into.push(text.to_string()),
        Value::Array(items) if depth > 0 => {
            items.iter().for_each(|item| texts(item, depth - 1, into));
        }
        Value::Set(items) if depth > 0 => {
            items.iter().for_each(|item| texts(item, depth - 1, into));
        }
        _ => {}
    }
}

/// Tells what the value of a rule means: each item of a set or a list is a result, so is a text or
/// an object with `msg`, and so is `true`.
fn results(
    value: &Value,
    unit: &Unit,
    say: &mut dyn FnMut(Verdict) -> io::Result<()>,
) -> io::Result<()> {
    let items: Vec<&Value> = match value {
        Value::Set(items) => items.iter_sorted().collect(),
        Value::Array(items) => items.iter().collect(),
        Value::Undefined | Value::Null | Value::Bool(false) => Vec::new(),
        Value::Bool(true) => {
            let message = format!("the rule `{}` holds", unit.rule);
            return say(Verdict::Said(Said { message, ..Said::default() }));
        }
        one => vec![one],
    };
    for item in items.iter().take(RESULTS_MAX) {
        match said(item) {
            Some(said) => say(Verdict::Said(said))?,
            None => {
                let message = format!(
                    "a result of `{}` is neither a text nor an object with a text as `msg`",
                    unit.rule
                );
                say(Verdict::Failed { place: Some(unit.place.clone()), message })?;
            }
        }
    }
    match items.len().checked_sub(RESULTS_MAX) {
        Some(more @ 1..) => say(Verdict::More(more as u64)),
        _ => Ok(()),
    }
}

fn said(value: &Value) -> Option<Said> {
    let text = |value: &Value| value.as_string().ok().map(|text| cut(text, MESSAGE_CHARS_MAX));
    if let Some(message) = text(value) {
        return Some(Said { message, ..Said::default() });
    }
    let message = text(member(value, "msg")?)?;
    // Where it says so: at the top, or in what conftest and others call it.
    let parts = ["metadata", "details"].map(|name| member(value, name));
    let places: Vec<&Value> = std::iter::once(Some(value)).chain(parts).flatten().collect();
    let first = |names: [&str; 2]| {
        places.iter().find_map(|place| names.iter().find_map(|name| member(place, name)))
    };
    let file = first(["file", "filename"]).and_then(|file| file.as_string().ok());
    let path = first(["path", "_loc"]).map(steps).unwrap_or_default();
    Some(Said { message, file: file.map(|file| cut(file, STEP_CHARS_MAX)), path })
}

fn member<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    let object = value.as_object().ok()?;
    let found = object.iter().find(|(key, _)| key.as_string().is_ok_and(|k| **k == *name))?;
    Some(found.1)
}

/// The way to a value, as people write it: a list, a JSON pointer, or `a.b[0].c`.
fn steps(value: &Value) -> Vec<String> {
    let mut steps: Vec<String> = match value {
        Value::Array(items) => items
            .iter()
            .filter_map(|item| match item {
                Value::String(text) => Some(cut(text, STEP_CHARS_MAX)),
                Value::Number(_) => item.to_json_str().ok(),
                _ => None,
            })
            .collect(),
        Value::String(text) => match text.strip_prefix('/') {
            Some(pointer) => {
                let parts = pointer.split('/').take(STEPS_MAX);
                parts.map(|part| part.replace("~1", "/").replace("~0", "~")).collect()
            }
            None => {
                let parts = text.split(['.', '[', ']']).filter(|part| !part.is_empty());
                parts.take(STEPS_MAX).map(|part| cut(part, STEP_CHARS_MAX)).collect()
            }
        },
        _ => Vec::new(),
    };
    steps.truncate(STEPS_MAX);
    steps
}

fn cut(text: &str, chars: usize) -> String {
    text.chars().take(chars).collect()
}
