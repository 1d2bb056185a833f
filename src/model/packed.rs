use std::sync::Arc;

use super::Finding;
use super::finding::Severity;

/// Findings that are kept for long: in few pieces of memory, which clones share. Hundreds of small
/// texts that stay would each keep a page of the heap from being given back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackedFindings(Arc<Packed>);

#[derive(Debug, Default, PartialEq, Eq)]
struct Packed {
    /// The texts of all findings, one behind the other.
    texts: Box<str>,
    lengths: Box<[Lengths]>,
}

/// A finding without its texts: their lengths, in the order in which they are kept.
#[derive(Debug, PartialEq, Eq)]
struct Lengths {
    severity: Severity,
    line: Option<u32>,
    column: Option<u32>,
    rule: usize,
    message: usize,
    file: Option<usize>,
    hint: Option<usize>,
}

impl PackedFindings {
    /// Packs them.
    #[must_use]
    pub fn pack(findings: &[Finding]) -> Self {
        let mut texts = String::new();
        let lengths = findings.iter().map(|finding| Lengths::add(finding, &mut texts)).collect();
        Self(Arc::new(Packed { texts: texts.into(), lengths }))
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = Finding> {
        let mut rest: &str = &self.0.texts;
        self.0.lengths.iter().map(move |lengths| lengths.take(&mut rest))
    }
}

impl Lengths {
    fn add(finding: &Finding, texts: &mut String) -> Self {
        let mut length = |text: &str| {
            texts.push_str(text);
            text.len()
        };
        Self {
            severity: finding.severity,
            line: finding.line,
            column: finding.column,
            rule: length(&finding.rule),
            message: length(&finding.message),
            file: finding.file.as_deref().map(&mut length),
            hint: finding.hint.as_deref().map(&mut length),
        }
    }

    fn take(&self, texts: &mut &str) -> Finding {
        let mut text = |length: usize| {
            let (text, rest) = texts.split_at_checked(length).unwrap_or((texts, ""));
            *texts = rest;
            text.to_owned()
        };
        Finding {
            severity: self.severity,
            line: self.line,
            column: self.column,
            rule: text(self.rule),
            message: text(self.message),
            file: self.file.map(&mut text),
            hint: self.hint.map(&mut text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_back_as_it_was() {
        let findings = [
            Finding::error("yaml.syntax", "größer").in_file("ä.yaml").at(3, 7).hint("ändern"),
            Finding::warning("", ""),
            Finding::warning("leaks.token", "a token").in_file(""),
            Finding::error("limits.files_max", "too many").hint("leave some out"),
        ];
        let packed = PackedFindings::pack(&findings);
        assert_eq!(packed.iter().collect::<Vec<_>>(), findings);
        assert_eq!(packed.clone(), packed);
        assert_ne!(packed, PackedFindings::pack(&findings[..3]));
        assert_eq!(PackedFindings::default().iter().count(), 0);
    }
}
