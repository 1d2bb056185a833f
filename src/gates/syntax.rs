use std::collections::HashSet;

use super::AtHand;
use crate::document::{Document, Format, Node, Scalar, Style, Value};
use crate::model::Finding;

/// Warnings told about one file; those after it are left out.
const WARNINGS_MAX: usize = 1_000;

/// What is to say about a file's YAML or JSON; nothing about files of other kinds.
///
/// Errors: `yaml.encoding`, `yaml.syntax`, `yaml.duplicate_key`, `yaml.aliases`, `yaml.depth`,
/// `yaml.documents`, `yaml.nodes`, and the same for `json` where it can happen. Warnings:
/// `yaml.number` and `json.number`, for integers that most readers turn into another number.
#[must_use]
pub(super) fn check(file: &AtHand<'_>) -> Vec<Finding> {
    file.format.map_or_else(Vec::new, |format| judge(format, &file.documents))
}

fn judge(format: Format, documents: &Result<Vec<Document>, Vec<Finding>>) -> Vec<Finding> {
    match documents {
        Ok(documents) => large_numbers(documents, format),
        Err(findings) => findings.clone(),
    }
}

fn large_numbers(documents: &[Document], format: Format) -> Vec<Finding> {
    let mut found = Numbers { format, told: HashSet::new(), findings: Vec::new() };
    for document in documents {
        found.look_at(&document.root);
    }
    found.findings
}

struct Numbers {
    format: Format,
    /// Where a warning stands already: aliases bring the same place again.
    told: HashSet<(u32, u32)>,
    findings: Vec<Finding>,
}

impl Numbers {
    fn look_at(&mut self, node: &Node) {
        match &node.value {
            Value::Scalar(scalar) => {
                let plain = scalar.style == Style::Plain && node.tag.is_none();
                if plain && is_beyond_64_bits(scalar) {
                    self.tell(node);
                }
            }
            Value::Sequence(items) => items.iter().for_each(|item| self.look_at(item)),
            Value::Mapping(pairs) => pairs.iter().for_each(|(_, value)| self.look_at(value)),
        }
    }

    fn tell(&mut self, node: &Node) {
        if self.findings.len() >= WARNINGS_MAX || !self.told.insert((node.line, node.column)) {
            return;
        }
        let rule = match self.format {
            Format::Yaml => "yaml.number",
            Format::Json => "json.number",
        };
        let message = "this integer does not fit into 64 bits: \
                       most programs silently read another number";
        self.findings.push(
            Finding::warning(rule, message)
                .at(node.line, node.column)
                .hint("put it in quotes if it is an identifier"),
        );
    }
}

/// Whether it is an integer (YAML 1.2 core schema) below -2^63 or from 2^64.
fn is_beyond_64_bits(scalar: &Scalar) -> bool {
    let (negative, digits) = match scalar.text.as_bytes() {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    let (radix, digits) = match digits {
        [b'0', b'x', digits @ ..] => (16, digits),
        [b'0', b'o', digits @ ..] => (8, digits),
        digits => (10, digits),
    };
    let integer = !digits.is_empty()
        && digits.iter().all(|b| char::from(*b).is_digit(radix) && !b.is_ascii_whitespace());
    if !integer {
        return false;
    }
    let text = std::str::from_utf8(digits).unwrap_or_default();
    match u64::from_str_radix(text, radix) {
        Ok(n) => negative && n > i64::MIN.unsigned_abs(),
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests;
