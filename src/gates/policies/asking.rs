//! Documents one by one: gathered until it is worth asking, then held against the rules.

use serde_json::Value as Json;

use super::findings::{self, About};
use super::{GateError, Policies};
use crate::document::Document;
use crate::gates::schema::json;
use crate::model::{Finding, TreePath};
use crate::rego::{Evaluator, Held, Told};

/// Documents that are asked about together.
const TOGETHER_MAX: usize = 500;
/// Bytes of their files.
const BYTES_MAX: usize = 4 << 20;

/// A file whose documents are asked about.
pub(in super::super) struct Asked {
    /// Its path in the tree.
    pub(in super::super) path: TreePath,
    /// The path of what it becomes when it is decrypted, which says what it is.
    pub(in super::super) shown: TreePath,
    /// What is in it.
    pub(in super::super) documents: Vec<Document>,
    /// Bytes that it has.
    pub(in super::super) bytes: usize,
    /// Whether it is encrypted in the repository, and nothing of it may be told.
    pub(in super::super) is_sealed: bool,
}

/// Who asks: each thread has one, with a child of its own when there is something to ask.
pub(in super::super) struct Asking<'p> {
    policies: &'p Policies<'p>,
    evaluator: Option<Evaluator>,
    files: Vec<Asked>,
    /// For each document, its file's number and its own in that.
    at: Vec<(usize, usize)>,
    held: Vec<Held<Json>>,
    bytes: usize,
    found: Vec<Finding>,
}

impl<'p> Asking<'p> {
    pub(in super::super) fn new(policies: &'p Policies<'p>) -> Self {
        let (files, at, held, found) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { policies, evaluator: None, files, at, held, bytes: 0, found }
    }

    /// Whether the documents of a file are asked about.
    pub(in super::super) fn wants(&self, shown: &TreePath) -> bool {
        self.policies.single_for(shown)
    }

    /// Takes a file; what is said of it comes now or later.
    ///
    /// # Errors
    /// When rules cannot be asked.
    pub(in super::super) fn take(&mut self, file: Asked) -> Result<(), GateError> {
        let not_for = self.policies.not_for(&file.shown);
        let number = self.files.len();
        let path = file.shown.as_str();
        for (n, content) in contents(&file.documents) {
            self.at.push((number, n));
            self.held.push(Held { path: path.to_owned(), content, not_for: not_for.clone() });
        }
        self.bytes += file.bytes;
        self.files.push(file);
        if self.held.len() >= TOGETHER_MAX || self.bytes >= BYTES_MAX {
            self.ask()?;
        }
        Ok(())
    }

    /// What was said of all that was taken.
    ///
    /// # Errors
    /// When rules cannot be asked.
    pub(in super::super) fn finish(mut self) -> Result<Vec<Finding>, GateError> {
        self.ask()?;
        Ok(self.found)
    }

    fn ask(&mut self) -> Result<(), GateError> {
        let (files, at) = (std::mem::take(&mut self.files), std::mem::take(&mut self.at));
        let held = std::mem::take(&mut self.held);
        self.bytes = 0;
        if held.is_empty() {
            return Ok(());
        }
        let evaluator = match &mut self.evaluator {
            Some(evaluator) => evaluator,
            none => none.insert(self.policies.start()?),
        };
        let mut told = Vec::new();
        let mut too_large = Vec::new();
        match evaluator.documents(&held) {
            Ok(all) => told = all,
            Err(error) if error.is_of_what_is_asked() => {
                // One of them is too large: the others are asked about without it.
                for (n, one) in held.iter().enumerate() {
                    match evaluator.documents(std::slice::from_ref(one)) {
                        Ok(said) => {
                            told.extend(said.into_iter().map(|t| Told { document: n, ..t }));
                        }
                        Err(error) if error.is_of_what_is_asked() => too_large.push(n),
                        Err(error) => return Err(error.into()),
                    }
                }
            }
            Err(error) => return Err(error.into()),
        }
        let about = |document: usize| {
            let (file, n) = at.get(document)?;
            let file = files.get(*file)?;
            Some(About::new(file, file.documents.get(*n), self.policies.rules))
        };
        for one in &told {
            if let (Some(about), Some(unit)) =
                (about(one.document), evaluator.units().get(one.unit))
            {
                self.found.push(findings::of(&about, unit, &one.verdict, self.policies));
            }
        }
        let faults = too_large.into_iter().filter_map(|n| Some(findings::too_large(&about(n)?)));
        self.found.extend(faults);
        // What is told of an encrypted file says little, and says it once.
        let mut known = std::collections::HashSet::new();
        self.found.retain(|finding| known.insert(finding.clone()));
        Ok(())
    }
}

/// What rules see of a file: each document, and of a document that is a list each item, as conftest
/// has it.
pub(super) fn contents(documents: &[Document]) -> Vec<(usize, Json)> {
    let mut contents = Vec::new();
    for (n, document) in documents.iter().enumerate() {
        match json(&document.root) {
            Json::Array(items) => contents.extend(items.into_iter().map(|item| (n, item))),
            one => contents.push((n, one)),
        }
    }
    contents
}
