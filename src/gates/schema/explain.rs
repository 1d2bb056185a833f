//! What a schema refused, in words for who wrote the document, with the place in its file.

use std::collections::{HashSet, VecDeque};

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::Value as Json;

use super::FINDINGS_MAX;
use super::instance::{self, SOPS_VALUE, unescape};
use super::text::{self, cut};
use crate::document::{Document, Masker, Node, nearest};
use crate::model::{Finding, TreePath};

/// Forms inside each other that are looked into for what was meant.
const FORMS_DEPTH_MAX: usize = 8;
/// Keys that are listed as those that are known.
const KNOWN_MAX: usize = 12;

/// Characters of what the validator says by itself.
const SAID_CHARS_MAX: usize = 200;

/// What a message must not show.
#[derive(Clone, Copy)]
pub(in super::super) struct Context<'a> {
    masker: Option<&'a Masker>,
    /// Whether all of the file is secret.
    is_secret: bool,
}

impl<'a> Context<'a> {
    pub(in super::super) fn new(path: &TreePath, masker: Option<&'a Masker>) -> Self {
        Self { masker, is_secret: masker.is_some_and(|masker| masker.hides_file(path)) }
    }

    /// Whether the value at a pointer is secret.
    fn hides(&self, pointer: &str) -> bool {
        let by_key = |masker: &Masker| {
            pointer.split('/').skip(1).any(|part| masker.hides_key(&unescape(part)))
        };
        self.is_secret || self.masker.is_some_and(by_key)
    }
}

/// Tells of one document what one schema says.
pub(super) struct Teller<'a> {
    root: &'a Node,
    schema: &'a Json,
    context: &'a Context<'a>,
    is_sops: bool,
    findings: Vec<Finding>,
    /// What was said of which pointer.
    told: HashSet<(&'static str, String)>,
}

impl<'a> Teller<'a> {
    pub(super) fn new(root: &'a Node, schema: &'a Json, context: &'a Context<'a>) -> Self {
        let is_sops = instance::is_sops(root);
        Self { root, schema, context, is_sops, findings: Vec::new(), told: HashSet::new() }
    }

    pub(super) fn into_findings(self) -> Vec<Finding> {
        self.findings
    }

    pub(super) fn tell(&mut self, error: &ValidationError<'_>) {
        self.tell_form(error, 0);
    }

    fn tell_form(&mut self, error: &ValidationError<'_>, depth: usize) {
        let pointer = error.instance_path().as_str();
        if self.is_sops && error.instance().as_str().is_some_and(|t| t.starts_with(SOPS_VALUE)) {
            // Its value is not here, only its ciphertext.
            return;
        }
        match error.kind() {
            Kind::AdditionalProperties { unexpected }
            | Kind::UnevaluatedProperties { unexpected } => {
                for name in unexpected.iter().take(FINDINGS_MAX) {
                    self.unknown_key(error, pointer, name);
                }
            }
            Kind::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                self.missing(error, pointer, name);
            }
            Kind::PropertyNames { error: inner } => self.bad_key(error, inner, pointer),
            Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
                match meant(context, pointer).filter(|_| depth < FORMS_DEPTH_MAX) {
                    Some(errors) => errors.iter().for_each(|e| self.tell_form(e, depth + 1)),
                    None => self.value(error, pointer, Some(forms(context))),
                }
            }
            _ => self.value(error, pointer, None),
        }
    }

    fn unknown_key(&mut self, error: &ValidationError<'_>, pointer: &str, name: &str) {
        let known = self.parent(error).map_or_else(Vec::new, |parent| self.keys_of(parent));
        let at = format!("{pointer}/{}", escape(name));
        let elsewhere = self.elsewhere(name);
        let hint = match nearest(name, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if elsewhere.is_some() => {
                format!("did you mean `{}`?", elsewhere.unwrap_or_default())
            }
            None if known.is_empty() => "take it out".to_owned(),
            None if known.len() > KNOWN_MAX => {
                format!("the keys here are {} and others", known[..KNOWN_MAX].join(", "))
            }
            None => format!("the keys here are {}", known.join(", ")),
        };
        let message = format!("`{}` is not a key that is known here", self.shown(&at));
        let place = self.key_place(&at);
        self.push(error.kind(), &at, message, place, hint);
    }

    fn missing(&mut self, error: &ValidationError<'_>, pointer: &str, name: &str) {
        let parent = self.parent(error);
        let own = parent.and_then(|parent| parent.get("properties")?.get(name));
        let title = own.and_then(|own| says(self.resolved(own), "title"));
        let hint = match (parent.and_then(|parent| says(parent, "description")), title) {
            (Some(description), _) => description.to_owned(),
            (None, Some(title)) => format!("add it: {title}"),
            (None, None) => "add it".to_owned(),
        };
        let at = format!("{pointer}/{}", escape(name));
        let message = format!("`{}` is missing", self.shown(&at));
        let place = self.key_place(pointer);
        self.push(error.kind(), &at, message, place, hint);
    }

    fn bad_key(&mut self, error: &ValidationError<'_>, inner: &ValidationError<'_>, pointer: &str) {
        let name = inner.instance().as_str().unwrap_or_default().to_owned();
        let at = format!("{pointer}/{}", escape(&name));
        let said = text::expected(inner.kind());
        let title = self.parent(inner).and_then(|parent| says(parent, "title"));
        let wanted = title.map(str::to_owned).or(said).unwrap_or_else(|| "another name".to_owned());
        let message = format!("`{}` cannot be a key here: expected {wanted}", self.shown(&at));
        let place = self.key_place(&at);
        self.push(error.kind(), &at, message, place, "rename it".to_owned());
    }

    /// Something is wrong with a value.
    fn value(&mut self, error: &ValidationError<'_>, pointer: &str, forms: Option<String>) {
        let (kind, instance) = (error.kind(), error.instance().as_ref());
        let parent = self.parent(error);
        let title = parent.and_then(|parent| says(parent, "title")).map(str::to_owned);
        let is_secret = self.context.hides(pointer);
        let found = match (kind, instance) {
            // What looks like a number or a truth may have been meant as one.
            (Kind::Type { .. }, Json::String(text)) if !is_secret && !text.is_empty() => {
                format!("the text {}", text::found(instance, false))
            }
            _ => text::found(instance, is_secret),
        };
        // What a title says is about the value as a whole, not about this.
        let title = title.filter(|_| !matches!(kind, Kind::UniqueItems));
        let what = match title.or(forms).or_else(|| text::expected(kind)) {
            Some(expected) => format!("expected {expected}, found {found}"),
            None => match kind {
                Kind::UniqueItems => "this item is there twice".to_owned(),
                Kind::FalseSchema => "is not allowed here".to_owned(),
                Kind::Not { .. } => format!("{found} is not allowed here"),
                Kind::OneOfMultipleValid { .. } => {
                    "fits more than one of the forms of which it may be one".to_owned()
                }
                Kind::Contains => "lacks an item that has to be in it".to_owned(),
                _ => format!("does not fit the schema's `{}`", kind.keyword()),
            },
        };
        let near = match (kind, instance) {
            (Kind::Enum { options }, Json::String(text)) if !self.context.hides(pointer) => {
                let options = options.as_array().into_iter().flatten();
                let meant = nearest(text, options.filter_map(Json::as_str));
                meant.map(|meant| format!("did you mean `{meant}`?"))
            }
            _ => None,
        };
        let has_form = parent.is_some_and(|p| p.get("pattern").or(p.get("format")).is_some());
        let hint = near
            .or_else(|| text::advice(kind, instance, has_form).map(str::to_owned))
            .or_else(|| parent.and_then(|p| says(p, "description")).map(str::to_owned))
            .unwrap_or_else(|| text::fallback(kind).to_owned());
        let name = self.shown(pointer);
        let subject = if name.is_empty() { "the document".to_owned() } else { format!("`{name}`") };
        let place = match (kind, instance) {
            (Kind::UniqueItems, Json::Array(items)) => {
                self.value_place(&format!("{pointer}/{}", repeated(items)))
            }
            _ => self.value_place(pointer),
        };
        self.push(kind, pointer, format!("{subject}: {what}"), place, hint);
    }

    /// Tells it, where the same was not said of the same key already.
    fn push(
        &mut self,
        kind: &Kind,
        pointer: &str,
        message: String,
        at: Option<&Node>,
        hint: String,
    ) {
        let rule = text::rule(kind);
        if self.findings.len() >= FINDINGS_MAX || !self.told.insert((rule, pointer.to_owned())) {
            return;
        }
        let mut finding = Finding::error(rule, message).hint(hint);
        if let Some(node) = at {
            finding = finding.at(node.line, node.column);
        }
        self.findings.push(finding);
    }

    /// The part of the schema that a keyword stands in.
    fn parent(&self, error: &ValidationError<'_>) -> Option<&'a Json> {
        let (parent, _) = error.schema_path().as_str().rsplit_once('/')?;
        self.schema.pointer(parent)
    }

    /// What a part of the schema refers to, where it refers to another part of it.
    fn resolved(&self, part: &'a Json) -> &'a Json {
        let reference = part.get("$ref").and_then(Json::as_str);
        let target = reference.and_then(|r| self.schema.pointer(r.strip_prefix('#')?));
        target.unwrap_or(part)
    }

    /// The keys that a part of the schema knows, those of its forms among them.
    fn keys_of(&self, part: &'a Json) -> Vec<&'a str> {
        let mut keys = Vec::new();
        let mut seen = HashSet::new();
        let mut ahead = vec![part];
        while let Some(part) = ahead.pop() {
            if !seen.insert(std::ptr::from_ref(part)) {
                continue;
            }
            let names = part.get("properties").and_then(Json::as_object);
            for name in names.into_iter().flat_map(|names| names.keys()) {
                if !keys.contains(&name.as_str()) {
                    keys.push(name);
                }
            }
            for word in ["allOf", "anyOf", "oneOf"] {
                ahead.extend(part.get(word).and_then(Json::as_array).into_iter().flatten());
            }
            ahead.extend(["then", "else"].iter().filter_map(|word| part.get(*word)));
            ahead.push(self.resolved(part));
        }
        keys
    }

    /// Where else in a document the schema knows a key of this very name: as near to the top as can be.
    fn elsewhere(&self, name: &str) -> Option<String> {
        let mut seen = HashSet::new();
        let mut ahead = VecDeque::from([(self.schema, String::new())]);
        while let Some((part, way)) = ahead.pop_front() {
            let part = self.resolved(part);
            let properties = part.get("properties").and_then(Json::as_object);
            let Some(properties) = properties.filter(|_| seen.insert(std::ptr::from_ref(part)))
            else {
                continue;
            };
            if properties.contains_key(name) {
                return Some(format!("{way}{name}"));
            }
            for (key, inner) in properties {
                ahead.push_back((inner, format!("{way}{key}.")));
            }
        }
        None
    }

    fn shown(&self, pointer: &str) -> String {
        cut(&instance::shown(self.root, pointer))
    }

    fn value_place(&self, pointer: &str) -> Option<&'a Node> {
        instance::at(self.root, pointer).map(|(_, value)| value)
    }

    /// Where the key stands that leads to a value; the value itself, where none does.
    fn key_place(&self, pointer: &str) -> Option<&'a Node> {
        instance::at(self.root, pointer).map(|(key, value)| key.unwrap_or(value))
    }
}

/// The one of several forms that was meant: the only one whose errors are not about the value as a
/// whole being of another kind.
fn meant<'e>(
    forms: &'e [Vec<ValidationError<'static>>],
    pointer: &str,
) -> Option<&'e [ValidationError<'static>]> {
    let of_another_kind = |error: &ValidationError<'_>| {
        error.instance_path().as_str() == pointer
            && matches!(error.kind(), Kind::Type { .. } | Kind::Enum { .. } | Kind::Constant { .. })
    };
    let mut near = forms.iter().filter(|form| !form.iter().any(of_another_kind));
    match (near.next(), near.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

/// What several forms want, together.
fn forms(context: &[Vec<ValidationError<'static>>]) -> String {
    let mut wanted: Vec<String> = Vec::new();
    for form in context.iter().filter_map(|form| form.first()) {
        let said = text::expected(form.kind()).unwrap_or_else(|| "another form".to_owned());
        if !wanted.contains(&said) {
            wanted.push(said);
        }
    }
    text::alternatives(wanted)
}

/// The first item that is the same as one before it.
fn repeated(items: &[Json]) -> usize {
    let is_repeated = |at: &usize| items.iter().take(*at).any(|item| Some(item) == items.get(*at));
    (0..items.len()).find(is_repeated).unwrap_or_default()
}

/// What a part of a schema says to people.
fn says<'s>(part: &'s Json, word: &str) -> Option<&'s str> {
    part.get(word).and_then(Json::as_str).filter(|text| !text.trim().is_empty())
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// What is wrong with a schema.
pub(super) fn broken(error: &ValidationError<'_>, schema: &Document) -> Finding {
    let error = innermost(error);
    let pointer = error.instance_path().as_str();
    let name = cut(&instance::shown(&schema.root, pointer));
    let subject = if name.is_empty() { String::new() } else { format!("`{name}`: ") };
    let wanted = match error.kind() {
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => Some(forms(context)),
        kind => text::expected(kind),
    };
    let said = error.to_string();
    let of_references = matches!(error.kind(), Kind::Referencing(_));
    let what = match wanted {
        Some(wanted) => {
            format!("expected {wanted}, found {}", text::found(error.instance(), false))
        }
        None => {
            said.chars().take(SAID_CHARS_MAX).collect::<String>().replace(char::is_control, " ")
        }
    };
    let hint = if of_references {
        "`$ref` leads to parts of the same file (`#/$defs/name`), and `$schema` to a draft of JSON Schema: nothing is fetched"
    } else {
        "see https://json-schema.org/draft/2020-12; patterns have no look-around and no back references"
    };
    let message = format!("this is not a JSON Schema that can be used: {subject}{what}");
    let finding = Finding::error("schema.broken", message).hint(hint);
    let place = match of_references {
        true => reference(&schema.root, &said),
        false => instance::at(&schema.root, pointer).map(|(_, value)| value),
    };
    match place {
        Some(node) => finding.at(node.line, node.column),
        None => finding.at(1, 1),
    }
}

/// The error in the one form that was meant, where several were possible.
fn innermost<'e>(error: &'e ValidationError<'e>) -> &'e ValidationError<'e> {
    let mut error = error;
    for _ in 0..FORMS_DEPTH_MAX {
        let (Kind::AnyOf { context } | Kind::OneOfNotValid { context }) = error.kind() else {
            break;
        };
        let Some(inner) = meant(context, error.instance_path().as_str()) else { break };
        let Some(first) = inner.first() else { break };
        error = first;
    }
    error
}

/// The `$ref` that an error speaks of.
fn reference<'n>(node: &'n Node, said: &str) -> Option<&'n Node> {
    use crate::document::Value;
    match &node.value {
        Value::Mapping(pairs) => pairs.iter().find_map(|(key, value)| {
            let target = value.text().filter(|_| matches!(key.text(), Some("$ref" | "$schema")));
            let inside = target.map(|t| t.trim_start_matches('#')).filter(|t| !t.is_empty());
            match inside {
                Some(inside) if said.contains(inside) => Some(value),
                _ => reference(value, said),
            }
        }),
        Value::Sequence(items) => items.iter().find_map(|item| reference(item, said)),
        Value::Scalar(_) => None,
    }
}
