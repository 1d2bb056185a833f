//! What rules said, as findings: with the place in the document, and without secrets.

use super::asking::Asked;
use super::{Policies, Rules};
use crate::document::{Document, Node, Value, key_name};
use crate::model::{Finding, Severity};
use crate::rego::{Broken, Outrun, Said, Unit, Verdict};

/// What a finding is about.
pub(super) struct About<'a> {
    file: Option<&'a str>,
    document: Option<&'a Document>,
    /// Whether nothing of it may be told.
    is_sealed: bool,
    /// Texts that may not be told.
    secrets: Vec<&'a str>,
    rules: &'a Rules,
}

impl<'a> About<'a> {
    pub(super) fn new(file: &'a Asked, document: Option<&'a Document>, rules: &'a Rules) -> Self {
        let documents = document.map(std::slice::from_ref).unwrap_or_default();
        let secrets = match &rules.masker {
            Some(masker) if masker.hides_file(&file.shown) => texts(documents),
            Some(masker) => masker.secrets(documents),
            None => Vec::new(),
        };
        let (file, is_sealed) = (Some(file.path.as_str()), file.is_sealed);
        Self { file, document, is_sealed, secrets, rules }
    }

    /// All documents together; `secrets` are texts that may not be told.
    pub(super) const fn all(secrets: Vec<&'a str>, rules: &'a Rules) -> Self {
        Self { file: None, document: None, is_sealed: false, secrets, rules }
    }

    /// One file of all of them.
    pub(super) fn named(
        &self,
        file: &'a str,
        is_sealed: bool,
        document: Option<&'a Document>,
    ) -> Self {
        Self {
            file: Some(file),
            document,
            is_sealed,
            secrets: self.secrets.clone(),
            rules: self.rules,
        }
    }

    /// A message of a rule, without secrets.
    fn hidden(&self, message: &str) -> String {
        let mut message = match &self.rules.masker {
            Some(masker) => masker.text(message),
            None => message.to_owned(),
        };
        // The longest first: one may be a part of another.
        let mut secrets = self.secrets.clone();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        for secret in secrets {
            if secret.chars().count() >= SECRET_CHARS_MIN && message.contains(secret) {
                message = message.replace(secret, "(hidden)");
            }
        }
        message.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
    }

    fn finished(&self, finding: Finding, place: Option<(u32, u32)>) -> Finding {
        let finding = match self.file {
            Some(file) => finding.in_file(file),
            None => finding,
        };
        match place {
            Some((line, column)) => finding.at(line, column),
            None => finding,
        }
    }

    /// The place of a value; of the whole document where it is not said, or not there.
    fn place(&self, path: &[String]) -> Option<(u32, u32)> {
        let root = &self.document.filter(|_| !self.is_sealed)?.root;
        let mut place = (root.line, root.column);
        let mut node = root;
        for step in path {
            let below: Option<(&Node, &Node)> = match &node.value {
                Value::Mapping(pairs) => pairs
                    .iter()
                    .find(|(key, _)| key_name(key) == *step)
                    .map(|(key, value)| (key, value)),
                Value::Sequence(items) => {
                    step.parse::<usize>().ok().and_then(|n| items.get(n)).map(|n| (n, n))
                }
                Value::Scalar(_) => None,
            };
            let Some((at, value)) = below else { break };
            place = (at.line, at.column);
            node = value;
        }
        Some(place)
    }
}

/// Characters that a secret has at least to be looked for in messages: shorter ones are parts of
/// words.
const SECRET_CHARS_MIN: usize = 4;

/// All texts of documents; what most documents have is left out.
pub(super) fn texts(documents: &[Document]) -> Vec<&str> {
    fn add<'d>(node: &'d Node, into: &mut Vec<&'d str>) {
        match &node.value {
            Value::Scalar(scalar) if !matches!(&*scalar.text, "true" | "false" | "null") => {
                into.push(&scalar.text);
            }
            Value::Scalar(_) => {}
            Value::Sequence(items) => items.iter().for_each(|item| add(item, into)),
            Value::Mapping(pairs) => pairs.iter().for_each(|(_, value)| add(value, into)),
        }
    }
    let mut found = Vec::new();
    documents.iter().for_each(|document| add(&document.root, &mut found));
    found
}

/// What a rule came to.
pub(super) fn of(
    about: &About<'_>,
    unit: &Unit,
    verdict: &Verdict,
    policies: &Policies<'_>,
) -> Finding {
    let name = format!("{}.{}", unit.package, unit.rule);
    let rule = format!("policy.{name}");
    let from = policies.called(unit.set, &unit.place.file);
    let asked_by = format!("asked by {from}:{}", unit.place.line);
    match verdict {
        Verdict::Said(said) => result(about, unit, said, &rule, &asked_by),
        Verdict::More(more) => {
            let text = format!("the rule `{name}` says {more} more things");
            about.finished(finding(unit, &rule, text).hint(asked_by), about.place(&[]))
        }
        Verdict::Failed { place, message } => {
            let at = place.as_ref().map_or_else(
                || format!("{from}:{}", unit.place.line),
                |place| format!("{from}:{}:{}", place.line, place.column),
            );
            let why = if about.is_sealed {
                String::new()
            } else {
                format!(": {}", about.hidden(message))
            };
            let text = format!("the rule `{name}` cannot be evaluated{why}");
            let hint = format!("mend it at {at}, or let it pass over such documents");
            about.finished(Finding::error("policy.failed", text).hint(hint), about.place(&[]))
        }
        Verdict::Outran(how) => {
            let limits = &about.rules.limits;
            let (text, hint) = match how {
                Outrun::Time => (
                    format!(
                        "the rule `{name}` takes more than {} ms of a processor",
                        limits.policy_time_max_ms
                    ),
                    "limits.policy_time_max",
                ),
                Outrun::Space(how) => (
                    format!(
                        "the rule `{name}` takes more memory, or more calls inside each other, than it may ({how})"
                    ),
                    "limits.policy_memory_bytes_max",
                ),
            };
            let hint = format!("{asked_by}: make it cheaper, or raise {hint}");
            about.finished(Finding::error("policy.limits", text).hint(hint), about.place(&[]))
        }
    }
}

fn finding(unit: &Unit, rule: &str, text: String) -> Finding {
    let severity = if unit.warns { Severity::Warning } else { Severity::Error };
    Finding { severity, ..Finding::error(rule, text) }
}

fn result(about: &About<'_>, unit: &Unit, said: &Said, rule: &str, asked_by: &str) -> Finding {
    if about.is_sealed {
        let text =
            "what is decrypted of this file breaks the rule; more is not told of it".to_owned();
        return about.finished(finding(unit, rule, text).hint(asked_by), None);
    }
    let text = about.hidden(&said.message);
    let text = text.trim().trim_end_matches('.').to_owned();
    about.finished(finding(unit, rule, text).hint(asked_by), about.place(&said.path))
}

/// Of a document that cannot be held against the rules at all.
pub(super) fn too_large(about: &About<'_>) -> Finding {
    let text = "the document is too large to be held against the policies";
    let hint = "split it, or raise limits.policy_memory_bytes_max";
    about.finished(Finding::error("policy.limits", text).hint(hint), about.place(&[]))
}

/// Of rules that cannot be used.
pub(super) fn broken(broken: &Broken) -> Finding {
    let hint = "policies are written in Rego: `kconfigd policy test` tries them";
    Finding::error("policy.broken", broken.message.clone())
        .in_file(&broken.place.file)
        .at(broken.place.line, broken.place.column)
        .hint(hint)
}
