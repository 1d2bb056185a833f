use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::references::Facts;
use crate::model::{Finding, ObjectId, Severity, TreePath};
use crate::objects::Mirror;

/// The kind under which it is remembered.
const KIND: &str = "gates";
/// Findings that are remembered; of a tree with more nothing is, and all of it is read again.
const FINDINGS_MAX: usize = 1000;

/// What a tree came to under some rules, file by file: the next tree is looked at where it differs
/// from this one, whether it was refused or not. There is one for each set of rules.
#[derive(Default)]
pub(super) struct Record {
    pub(super) tree: Option<ObjectId>,
    /// The blobs of the schemas in the tree.
    pub(super) schemas: Vec<Option<ObjectId>>,
    /// What was found in single files.
    pub(super) findings: Vec<Finding>,
    /// What single files say of others.
    pub(super) facts: BTreeMap<TreePath, Facts>,
}

#[derive(Deserialize, Serialize)]
struct Stored {
    schemas: Vec<Option<String>>,
    findings: Vec<StoredFinding>,
    facts: Vec<(String, Facts)>,
}

#[derive(Deserialize, Serialize)]
struct StoredFinding {
    error: bool,
    rule: String,
    file: Option<String>,
    line: Option<u32>,
    column: Option<u32>,
    message: String,
    hint: Option<String>,
}

impl Record {
    /// What was remembered last under these rules, where the mirror still has the tree.
    pub(super) fn recall(mirror: &Mirror, rules: &str) -> Option<Self> {
        let (tree, text) = mirror.recall_text(KIND, &key(rules))?;
        let stored: Stored = serde_json::from_str(&text).ok()?;
        let id = |hex: Option<String>| match hex {
            Some(hex) => ObjectId::parse(&hex).ok().map(Some),
            None => Some(None),
        };
        Some(Self {
            tree: Some(tree),
            schemas: stored.schemas.into_iter().map(id).collect::<Option<_>>()?,
            findings: stored.findings.into_iter().map(StoredFinding::restored).collect(),
            facts: stored
                .facts
                .into_iter()
                .map(|(path, facts)| Some((TreePath::parse(&path).ok()?, facts)))
                .collect::<Option<_>>()?,
        })
    }

    /// Remembers it in place of what was remembered under these rules.
    pub(super) fn remember(self, mirror: &Mirror, rules: &str) {
        let Some(tree) = self.tree.filter(|_| self.findings.len() <= FINDINGS_MAX) else { return };
        let stored = Stored {
            schemas: self.schemas.iter().map(|id| id.map(|id| id.to_string())).collect(),
            findings: self.findings.into_iter().map(StoredFinding::of).collect(),
            facts: self
                .facts
                .into_iter()
                .map(|(path, facts)| (path.as_str().to_owned(), facts))
                .collect(),
        };
        match serde_json::to_string(&stored) {
            Ok(text) => mirror.remember_text(KIND, &key(rules), tree, &text),
            Err(error) => tracing::debug!(error = %error, "findings are not remembered"),
        }
    }
}

fn key(rules: &str) -> [u8; 32] {
    Sha256::digest(format!("gates 1 {rules}")).into()
}

impl StoredFinding {
    fn of(finding: Finding) -> Self {
        let error = finding.is_error();
        let Finding { severity: _, rule, file, line, column, message, hint } = finding;
        Self { error, rule, file, line, column, message, hint }
    }

    fn restored(self) -> Finding {
        let Self { error, rule, file, line, column, message, hint } = self;
        let severity = if error { Severity::Error } else { Severity::Warning };
        Finding { severity, rule, file, line, column, message, hint }
    }
}
