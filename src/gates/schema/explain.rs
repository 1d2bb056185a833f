//! What a schema refused, in words for who wrote the document, with the place in its file.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::Value as Json;

use super::instance::{self, SOPS_VALUE, unescape};
use super::text::{self, cut};
use super::FINDINGS_MAX;
use crate::document::{Document, Masker, Node, nearest};
use crate::model::{Finding, TreePath};

/// Forms inside each other that are looked into for what was meant.
const FORMS_DEPTH_MAX: usize = 8;
/// Keys that are listed as those that are known.
const KNOWN_MAX: usize = 12;

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
}

impl<'a> Teller<'a> {
    pub(super) fn new(root: &'a Node, schema: &'a Json, context: &'a Context<'a>) -> Self {
        Self { root, schema, context, is_sops: instance::is_sops(root), findings: Vec::new() }
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
        let hint = match nearest(name, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if known.is_empty() => "take it out".to_owned(),
            None if known.len() > KNOWN_MAX => {
                format!("the keys here are {} and others", known[..KNOWN_MAX].join(", "))
            }
            None => format!("the keys here are {}", known.join(", ")),
        };
        let message = format!("`{}` is not a key that is known here", self.shown(&at));
        let place = self.key_place(&at);
        self.push(error.kind(), message, place, Some(hint));
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
        self.push(error.kind(), message, place, Some(hint));
    }

    fn bad_key(
        &mut self,
        error: &ValidationError<'_>,
        inner: &ValidationError<'_>,
        pointer: &str,
    ) {
        let name = inner.instance().as_str().unwrap_or_default().to_owned();
        let at = format!("{pointer}/{}", escape(&name));
        let said = text::expected(inner.kind());
        let title = self.parent(inner).and_then(|parent| says(parent, "title"));
        let wanted = title.map(str::to_owned).or(said).unwrap_or_else(|| "another name".to_owned());
        let message = format!("`{}` cannot be a key here: expected {wanted}", self.shown(&at));
        let place = self.key_place(&at);
        self.push(error.kind(), message, place, None);
    }

    /// Something is wrong with a value.
    fn value(&mut self, error: &ValidationError<'_>, pointer: &str, forms: Option<String>) {
        let (kind, instance) = (error.kind(), error.instance().as_ref());
        let parent = self.parent(error);
        let title = parent.and_then(|parent| says(parent, "title")).map(str::to_owned);
        let found = text::found(instance, self.context.hides(pointer));
        let what = match title.or(forms).or_else(|| text::expected(kind)) {
            Some(expected) => format!("expected {expected}, found {found}"),
            None => match kind {
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
        let described = || parent.and_then(|parent| says(parent, "description")).map(str::to_owned);
        let hint =
            near.or_else(|| text::advice(kind, instance).map(str::to_owned)).or_else(described);
        let name = self.shown(pointer);
        let subject = if name.is_empty() { "the document".to_owned() } else { format!("`{name}`") };
        let place = self.value_place(pointer);
        self.push(kind, format!("{subject}: {what}"), place, hint);
    }

    fn push(&mut self, kind: &Kind, message: String, at: Option<&Node>, hint: Option<String>) {
        if self.findings.len() >= FINDINGS_MAX {
            return;
        }
        let mut finding = Finding::error(text::rule(kind), message);
        if let Some(node) = at {
            finding = finding.at(node.line, node.column);
        }
        finding.hint = hint;
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
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

    /// The keys that a part of the schema knows.
    fn keys_of(&self, part: &'a Json) -> Vec<&'a str> {
        let mut keys = Vec::new();
        self.collect_keys(part, 0, &mut keys);
        keys
    }

    fn collect_keys(&self, part: &'a Json, depth: usize, keys: &mut Vec<&'a str>) {
        if depth > FORMS_DEPTH_MAX {
            return;
        }
        let names = part.get("properties").and_then(Json::as_object);
        for name in names.into_iter().flat_map(|names| names.keys()) {
            if !keys.contains(&name.as_str()) {
                keys.push(name);
            }
        }
        for word in ["allOf", "anyOf", "oneOf"] {
            for form in part.get(word).and_then(Json::as_array).into_iter().flatten() {
                self.collect_keys(form, depth + 1, keys);
            }
        }
        for word in ["then", "else"] {
            if let Some(form) = part.get(word) {
                self.collect_keys(form, depth + 1, keys);
            }
        }
        let target = self.resolved(part);
        if !std::ptr::eq(target, part) {
            self.collect_keys(target, depth + 1, keys);
        }
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

/// What a part of a schema says to people.
fn says<'s>(part: &'s Json, word: &str) -> Option<&'s str> {
    part.get(word).and_then(Json::as_str).filter(|text| !text.trim().is_empty())
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// What is wrong with a schema.
pub(super) fn broken(error: &ValidationError<'_>, schema: &Document) -> Finding {
    let pointer = error.instance_path().as_str();
    let name = cut(&instance::shown(&schema.root, pointer));
    let subject = if name.is_empty() { "the schema".to_owned() } else { format!("`{name}`") };
    let what = match (text::expected(error.kind()), error.kind()) {
        (Some(expected), _) => {
            format!("expected {expected}, found {}", text::found(error.instance(), false))
        }
        (None, Kind::Referencing(_)) => {
            format!("{}; `$ref` leads to parts of the same file alone", cut_long(&error.to_string()))
        }
        (None, _) => cut_long(&error.to_string()),
    };
    let message = format!("this is not a JSON Schema: {subject}: {what}");
    let mut finding = Finding::error("schema.broken", message)
        .hint("put the schema right: https://json-schema.org/draft/2020-12");
    let place = match error.kind() {
        Kind::Referencing(_) => reference(&schema.root, &error.to_string()),
        _ => None,
    };
    let place = place.or_else(|| instance::at(&schema.root, pointer).map(|(_, value)| value));
    if let Some(node) = place {
        finding = finding.at(node.line, node.column);
    }
    finding
}

/// The `$ref` that an error speaks of.
fn reference<'n>(node: &'n Node, said: &str) -> Option<&'n Node> {
    use crate::document::Value;
    match &node.value {
        Value::Mapping(pairs) => pairs.iter().find_map(|(key, value)| {
            let target = value.text().filter(|_| key.text() == Some("$ref"));
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

fn cut_long(text: &str) -> String {
    const CHARS_MAX: usize = 200;
    let text: String = text.chars().take(CHARS_MAX).collect();
    text.replace(char::is_control, " ")
}
