use std::fmt;

/// How much a finding weighs: an error refuses the revision, a warning is only told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Told, not refused.
    Warning,
    /// The revision is refused.
    Error,
}

impl Severity {
    /// `error` or `warning`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One thing that a gate has to say about a revision: what, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Finding {
    /// Whether it refuses the revision.
    pub severity: Severity,
    /// The rule's stable name, family first: `yaml.syntax`, `path.git`, `limits.file_bytes_max`.
    pub rule: String,
    /// The file in the rendered tree (or in the repository, where it never got into one).
    pub file: Option<String>,
    /// Line, from 1.
    pub line: Option<u32>,
    /// Column in characters, from 1.
    pub column: Option<u32>,
    /// One sentence, without a full stop, that holds no value of a secret.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Finding {
    /// An error of `rule`, without a place.
    #[must_use]
    pub fn error(rule: &str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            rule: rule.to_owned(),
            file: None,
            line: None,
            column: None,
            message: message.into(),
            hint: None,
        }
    }

    /// A warning of `rule`, without a place.
    #[must_use]
    pub fn warning(rule: &str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(rule, message) }
    }

    /// An error of a limit, named as in the settings (`limits.files_max`): `what` says what was
    /// found, `allowed` is its value.
    #[must_use]
    pub fn over_limit(limit: &str, what: impl fmt::Display, allowed: u64) -> Self {
        Self::error(limit, format!("{what}, and {allowed} are allowed")).hint(format!(
            "leave out what this node does not need (gitops.exclude), or raise {limit}"
        ))
    }

    /// The same finding, in `file`.
    #[must_use]
    pub fn in_file(mut self, file: impl Into<String>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// The same finding, at a line and a column, both from 1.
    #[must_use]
    pub fn at(mut self, line: u32, column: u32) -> Self {
        self.line = Some(line);
        self.column = Some(column);
        self
    }

    /// The same finding, with advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Whether it refuses the revision.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// `agents/x.yaml:3:7: error: message [rule]`, the hint left out.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}:")?;
            if let Some(line) = self.line {
                write!(f, "{line}:")?;
            }
            if let Some(column) = self.column {
                write!(f, "{column}:")?;
            }
            f.write_str(" ")?;
        }
        write!(f, "{}: {} [{}]", self.severity.as_str(), self.message, self.rule)
    }
}
