use super::Finding;

/// Errors that are kept, and warnings that are kept: more help nobody, and a repository must not
/// decide how much memory they take.
const KEPT_MAX: usize = 200;

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

    /// Errors first, each severity by file and place; one more says how many are left out.
    #[must_use]
    pub fn into_sorted(mut self) -> Vec<Finding> {
        for kept in [&mut self.errors, &mut self.warnings] {
            kept.sort_by(|a, b| {
                (&a.file, a.line, a.column, &a.rule).cmp(&(&b.file, b.line, b.column, &b.rule))
            });
        }
        let mut all = self.errors;
        all.append(&mut self.warnings);
        if self.left_out > 0 {
            let text = format!("{} more findings are not shown", self.left_out);
            all.push(Finding::warning("findings.more", text));
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
        found.extend((0..1000).map(|n| Finding::warning("w", n.to_string())));
        assert!(!found.refuse() && !found.are_enough());
        found.push(Finding::error("e", "late").in_file("z"));
        found.push(Finding::error("e", "later").in_file("a"));
        assert!(found.refuse());
        assert_eq!(found.count(), 1002);
        let all = found.into_sorted();
        assert_eq!(all.len(), KEPT_MAX + 3);
        assert_eq!((all[0].message.as_str(), all[1].message.as_str()), ("later", "late"));
        assert_eq!(all.last().unwrap().message, "800 more findings are not shown");
    }
}
