use std::fmt;
use std::path::PathBuf;

use crate::model::Finding;

/// Why there are no settings (exit code 10).
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The settings file is not there or cannot be read.
    #[error("cannot read the settings file {path}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A relative path could not be made absolute.
    #[error("cannot tell which folder {path} is relative to")]
    WorkingFolder {
        /// The relative path.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The settings are wrong; every finding has a line, and its advice one more.
    #[error("{}", Listed(findings))]
    Invalid {
        /// The file that was read, if any was.
        file: Option<PathBuf>,
        /// What is wrong, at least one; warnings may be among them.
        findings: Vec<Finding>,
    },
}

/// Findings as the settings show them: `file:line:column: message`, advice below.
pub struct Listed<'a>(pub &'a [Finding]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, finding) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            if let Some(file) = &finding.file {
                write!(f, "{file}:")?;
                if let (Some(line), Some(column)) = (finding.line, finding.column) {
                    write!(f, "{line}:{column}:")?;
                }
                f.write_str(" ")?;
            }
            if !finding.is_error() {
                f.write_str("warning: ")?;
            }
            f.write_str(&finding.message)?;
            if let Some(hint) = &finding.hint {
                write!(f, "\n  hint: {hint}")?;
            }
        }
        Ok(())
    }
}
