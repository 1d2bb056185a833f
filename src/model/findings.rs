use super::Finding;

/// Findings that people are shown of one revision, and that the journal keeps.
pub const FINDINGS_SHOWN_MAX: usize = 200;

/// Errors that are kept, and warnings that are kept, for programs that want all of them: a
/// repository must not decide how much memory they take.
const KEPT_MAX: usize = 5_000;

/// The rule of the line that says how many there are beside those that are told.
const MORE: &str = "findings.more";

/// Puts what several rule families found in order, each thing once: errors first, each severity by
/// file and place.
pub fn sort_findings(findings: &mut Vec<Finding>) {
    findings.sort_by(|a, b| {
        let weight = |finding: &Finding| (!finding.is_error(), finding.rule == MORE);
        let place = |a: &Finding, b: &Finding| {
            (&a.file, a.line, a.column, &a.rule).cmp(&(&b.file, b.line, b.column, &b.rule))
        };
        weight(a).cmp(&weight(b)).then_with(|| place(a, b))
    });
    findings.dedup();
}

/// The first of them that people are shown, and a line that says how many more there are.
#[must_use]
pub fn first_findings(findings: &[Finding]) -> Vec<Finding> {
    let mut first: Vec<Finding> = findings.iter().take(FINDINGS_SHOWN_MAX).cloned().collect();
    let more = findings.len().saturating_sub(FINDINGS_SHOWN_MAX);
    if more > 0 {
        first.push(left_out(more as u64));
    }
    first
}

fn left_out(count: u64) -> Finding {
    Finding::warning(MORE, format!("{count} more findings are not shown"))
}

/// What was found so far: all is counted, and the first of each severity are kept.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    errors: Vec<Finding>,
    warnings: Vec<Finding>,
    left_out: u64,
}

impl Findings {
    /// Adds one. Warnings never keep an error out.
    pub fn push(&mut self, finding: Finding) {
        let kept = if finding.is_error() { &mut self.errors } else { &mut self.warnings };
        if kept.len() < KEPT_MAX {
            kept.push(finding);
        } else {
            self.left_out = self.left_out.saturating_add(1);
        }
    }

    /// Adds what was found elsewhere, after what was found here.
    pub fn append(&mut self, others: Self) {
        self.left_out = self.left_out.saturating_add(others.left_out);
        others.errors.into_iter().chain(others.warnings).for_each(|finding| self.push(finding));
    }

    /// Whether an error is among them.
    #[must_use]
    pub const fn refuse(&self) -> bool {
        !self.errors.is_empty()
    }

    /// Whether no more errors are kept, so that looking for others is in vain.
    #[must_use]
    pub const fn are_enough(&self) -> bool {
        self.errors.len() >= KEPT_MAX
    }

    /// Whether none was left out.
    #[must_use]
    pub const fn are_all_kept(&self) -> bool {
        self.left_out == 0
    }

    /// How many there were, those that are not kept among them.
    #[must_use]
    pub const fn count(&self) -> u64 {
        (self.errors.len() + self.warnings.len()) as u64 + self.left_out
    }

    /// All that are kept, in order; one more says how many are left out.
    #[must_use]
    pub fn into_sorted(mut self) -> Vec<Finding> {
        let mut all = self.errors;
        all.append(&mut self.warnings);
        sort_findings(&mut all);
        if self.left_out > 0 {
            all.push(left_out(self.left_out));
        }
        all
    }
}

impl Extend<Finding> for Findings {
    fn extend<T: IntoIterator<Item = Finding>>(&mut self, findings: T) {
        findings.into_iter().for_each(|finding| self.push(finding));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_warnings_hide_no_error_and_all_are_counted() {
        let mut found = Findings::default();
        found.extend((0..6000).map(|n| Finding::warning("w", n.to_string())));
        assert!(!found.refuse() && !found.are_enough());
        found.push(Finding::error("e", "late").in_file("z"));
        found.push(Finding::error("e", "later").in_file("a"));
        assert!(found.refuse());
        assert_eq!(found.count(), 6002);
        let all = found.into_sorted();
        assert_eq!(all.len(), KEPT_MAX + 3);
        assert_eq!((all[0].message.as_str(), all[1].message.as_str()), ("later", "late"));
        assert_eq!(all.last().unwrap().message, "1000 more findings are not shown");
    }

    #[test]
    fn the_first_are_shown_and_the_others_counted() {
        let mut all: Vec<Finding> =
            (0..300).map(|n| Finding::error("e", n.to_string()).at(n + 1, 1)).collect();
        assert_eq!(first_findings(&all[..200]), all[..200]);
        all.push(Finding::warning(MORE, "of one of the families"));
        all.push(Finding::warning("w", "last of all but that"));
        all.reverse();
        sort_findings(&mut all);
        assert_eq!(all.last().unwrap().rule, MORE);
        let first = first_findings(&all);
        assert_eq!(first.len(), 201);
        assert_eq!(first[199].message, "199");
        assert_eq!(first[200].message, "102 more findings are not shown");
    }
}
