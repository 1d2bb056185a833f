use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::GateError;
use super::policies::OfNode;
use super::sealed::Opening;
use crate::config::{LeakPolicy, Mask, Preset, RuleFile, Secrets, Settings, Validation};
use crate::decide::patterns::Patterns;
use crate::document::Masker;
use crate::model::{Finding, Limits, Severity};
use crate::progress::Progress;

/// Bytes of a file of rules, on the node or in the tree.
pub(super) const RULE_FILE_BYTES_MAX: u64 = 1 << 20;

/// What the gates go by.
#[derive(Clone, Debug)]
pub struct Rules {
    pub(super) limits: Limits,
    recipe: String,
    pub(super) validation: Validation,
    /// Which files each schema, and then each reference, is about.
    pub(super) schema_files: Vec<Patterns>,
    pub(super) reference_files: Vec<Patterns>,
    /// The files in which each leak that is allowed is.
    pub(super) leak_files: Vec<Patterns>,
    /// What hides the values of secrets in messages.
    pub(super) masker: Option<Masker>,
    mask: Mask,
    /// The files of the node with policies, and with data for them.
    pub(super) policy_files: OfNode,
    /// How encrypted files are looked at.
    pub(super) opening: Opening,
    /// The rules that are files of the node, as they were read last.
    node_files: BTreeMap<PathBuf, NodeFile>,
    /// Who is told how many files were looked at.
    pub(super) progress: Progress,
}

/// A file of the node with rules in it.
#[derive(Clone, Debug)]
struct NodeFile {
    bytes: Result<Arc<[u8]>, Arc<io::Error>>,
    stamp: Option<Stamp>,
}

/// What tells that a file was written again.
type Stamp = (u64, u64, u64, i64, i64);

impl Rules {
    /// The rules that always count, with these limits.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            limits: limits.clone(),
            recipe: String::new(),
            validation: Validation::default(),
            schema_files: Vec::new(),
            reference_files: Vec::new(),
            leak_files: Vec::new(),
            masker: None,
            mask: Mask::default(),
            policy_files: OfNode::default(),
            opening: Opening::default(),
            node_files: BTreeMap::new(),
            progress: Progress::default(),
        }
    }

    /// The same rules; `progress` is told how far looking at many files is.
    #[must_use]
    pub fn watched(self, progress: Progress) -> Self {
        Self { progress, ..self }
    }

    /// The rules of these settings, whole.
    ///
    /// # Errors
    /// As [`Rules::with`].
    pub fn of(settings: &Settings) -> Result<Self, GateError> {
        let mut recipe = settings.recipe();
        if !settings.checks.is_empty() {
            // What a check refused is tried again once the check is another.
            let argvs: Vec<_> = settings.checks.iter().map(|c| (&c.name, &c.run)).collect();
            recipe.push_str(&format!(";checks={argvs:?}"));
        }
        let rules = Self::new(&settings.limits).made_by(recipe).decrypting(&settings.secrets);
        rules.with(&settings.validation, &settings.mask)
    }

    /// The same rules, for trees that `recipe` makes of a commit: rendering has findings of its own,
    /// and a commit that it refused is worth another look once it is rendered in another way.
    #[must_use]
    pub fn made_by(self, recipe: String) -> Self {
        Self { recipe, ..self }
    }

    /// The same rules, for what encrypted files become; without this, rules about what they hold are
    /// not asked.
    #[must_use]
    pub fn decrypting(self, secrets: &Secrets) -> Self {
        Self { opening: Opening::of(secrets), ..self }
    }

    /// The same rules and those of the settings; `mask` says what no message may show. Files of
    /// the node are read now; one that cannot be read is told by [`super::check`].
    ///
    /// # Errors
    /// [`GateError::Pattern`].
    pub fn with(self, validation: &Validation, mask: &Mask) -> Result<Self, GateError> {
        let patterns = |files: &[String]| Patterns::new(files.iter().map(String::as_str));
        let Validation { schemas, references, .. } = validation;
        let mut rules = Self {
            schema_files: schemas.iter().map(|s| patterns(&s.files)).collect::<Result<_, _>>()?,
            reference_files: references
                .iter()
                .map(|r| patterns(&r.files))
                .collect::<Result<_, _>>()?,
            leak_files: validation
                .leak_allow
                .iter()
                .map(|allow| patterns(&allow.files))
                .collect::<Result<_, _>>()?,
            masker: Some(Masker::new(&mask.files, &mask.keys)?),
            mask: mask.clone(),
            policy_files: OfNode::list(&validation.policies, &validation.policy_data),
            validation: validation.clone(),
            ..self
        };
        for path in rules.node_paths() {
            rules.node_files.insert(path.clone(), NodeFile::read(&path));
        }
        Ok(rules)
    }

    fn node_paths(&self) -> Vec<PathBuf> {
        let schemas = self.validation.schemas.iter().filter_map(|rule| match &rule.schema {
            RuleFile::Node(path) => Some(path),
            RuleFile::Tree(_) => None,
        });
        schemas.chain(self.policy_files.paths()).cloned().collect()
    }

    /// Reads the files of the node that changed since they were read. Whether the rules are others
    /// now, so that their key is.
    pub fn refresh(&mut self) -> bool {
        let mut differs = self.opening.refresh();
        let Validation { policies, policy_data, .. } = &self.validation;
        let listed = OfNode::list(policies, policy_data);
        if listed != self.policy_files {
            differs = true;
            self.policy_files = listed;
            let wanted = self.node_paths();
            self.node_files.retain(|path, _| wanted.contains(path));
            for path in wanted {
                self.node_files.entry(path).or_insert_with_key(|path| NodeFile::read(path));
            }
        }
        for (path, file) in &mut self.node_files {
            // One that could not be read may be readable now without having been written.
            let stamp = stamp(std::fs::metadata(path));
            if file.bytes.is_ok() && stamp.is_some() && stamp == file.stamp {
                continue;
            }
            let fresh = NodeFile::read(path);
            differs |= fresh.bytes.as_ref().ok() != file.bytes.as_ref().ok();
            *file = fresh;
        }
        differs
    }

    /// The bytes of a file of the node.
    pub(super) fn node_file(
        &self,
        path: &Path,
        what: &'static str,
        setting: &'static str,
    ) -> Result<&[u8], GateError> {
        let source = match self.node_files.get(path).map(|file| &file.bytes) {
            Some(Ok(bytes)) => return Ok(bytes),
            Some(Err(source)) => Arc::clone(source),
            None => Arc::new(io::ErrorKind::NotFound.into()),
        };
        Err(GateError::NodeFile { what, setting, path: path.to_owned(), source })
    }

    /// Whether what was found refuses the revision. What is doubted of its trust has a setting of its
    /// own (`gitops.verify.mode`), and a refusal for it is not remembered by content.
    #[must_use]
    pub fn refuse(&self, findings: &[Finding]) -> bool {
        let counts = |finding: &Finding| {
            finding.is_error()
                || (self.validation.fail_on == Severity::Warning
                    && !finding.rule.starts_with("trust."))
        };
        findings.iter().any(counts)
    }

    /// Whether there are rules beside those that always count, so that what they come to is worth
    /// remembering.
    pub(super) fn are_of_settings(&self) -> bool {
        let Validation {
            preset,
            schemas,
            references,
            policies,
            policy_data: _,
            fail_on: _,
            leaks: _,
            leak_allow: _,
        } = &self.validation;
        *preset != Preset::None
            || !schemas.is_empty()
            || !references.is_empty()
            || !policies.is_empty()
    }

    /// Whether there are policies.
    fn asks_policies(&self) -> bool {
        self.validation.preset == Preset::Kos || !self.validation.policies.is_empty()
    }

    /// Names everything that findings depend on: when it changes, what was refused is looked at
    /// again. Limits that no gate looks at are no part of it.
    #[must_use]
    pub fn key(&self) -> String {
        /// Grows when a rule family says something else of the same tree.
        const RULES_VERSION: u32 = 7;
        let Limits {
            files_max,
            file_bytes_max,
            tree_bytes_max,
            path_bytes_max,
            depth_max,
            yaml_aliases_max,
            yaml_depth_max,
            yaml_documents_max,
            fetch_bytes_max: _,
            policy_time_max_ms,
            policy_memory_bytes_max,
            webhook_body_bytes_max: _,
            http_body_bytes_max: _,
            exec_output_bytes_max: _,
            mirror_packs_max: _,
        } = self.limits;
        let on_trees = [files_max, file_bytes_max, tree_bytes_max, path_bytes_max, depth_max];
        let on_documents = [yaml_aliases_max, yaml_depth_max, yaml_documents_max];
        let recipe = &self.recipe;
        let mut hash = Sha256::new();
        hash.update(format!("{RULES_VERSION} {on_trees:?} {on_documents:?} {recipe}"));
        if self.are_of_settings() {
            hash.update(format!(" {:?} {:?}", self.validation, self.mask));
            hash.update(super::kos::version(self.validation.preset));
            if self.asks_policies() {
                hash.update(format!(" {policy_time_max_ms} {policy_memory_bytes_max}"));
                super::policies::preset_text().for_each(|text| hash.update(text));
            }
        } else {
            if self.validation.fail_on == Severity::Warning {
                hash.update(" warnings refuse");
            }
            let leaks = (self.validation.leaks, &self.validation.leak_allow);
            if leaks.0 != LeakPolicy::Unsaid || !leaks.1.is_empty() {
                hash.update(format!(" {leaks:?} {:?}", self.mask));
            }
        }
        hash.update(format!(" {}", self.opening.word()));
        for file in self.node_files.values() {
            match &file.bytes {
                Ok(bytes) => hash.update(Sha256::digest(bytes)),
                Err(_) => hash.update("cannot be read"),
            }
        }
        hash.finalize().iter().take(8).map(|b| format!("{b:02x}")).collect()
    }
}

impl NodeFile {
    fn read(path: &Path) -> Self {
        let stamp = stamp(std::fs::metadata(path));
        Self { bytes: read(path).map_err(Arc::new), stamp }
    }
}

fn read(path: &Path) -> io::Result<Arc<[u8]>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(RULE_FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > RULE_FILE_BYTES_MAX {
        let message = format!("it has more than {RULE_FILE_BYTES_MAX} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(bytes.into())
}

fn stamp(metadata: io::Result<Metadata>) -> Option<Stamp> {
    let m = metadata.ok()?;
    Some((m.dev(), m.ino(), m.size(), m.mtime(), m.mtime_nsec()))
}
