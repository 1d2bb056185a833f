//! Rules and data that are files of the node.

use std::io;
use std::path::{Path, PathBuf};

use super::{FILES_MAX, GateError, Kind, RulePattern, Rules};
use crate::decide::patterns::Patterns;
use crate::rego::SourceText;

/// Folders inside each other that are looked through.
const DEPTH_MAX: usize = 16;
/// Names in all folders that are looked through.
const NAMES_MAX: usize = 20_000;

/// The files of the node that patterns mean, as they were listed last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct OfNode {
    rules: Vec<PathBuf>,
    data: Vec<PathBuf>,
    /// Patterns that mean nothing.
    empty: Vec<(Kind, String)>,
}

impl OfNode {
    /// Lists them. A folder that cannot be read has no files.
    pub(in super::super) fn list(policies: &[RulePattern], data: &[RulePattern]) -> Self {
        let mut found = Self::default();
        for (kind, patterns) in [(Kind::Rules, policies), (Kind::Data, data)] {
            for pattern in patterns {
                let RulePattern::Node(pattern) = pattern else { continue };
                let mut files = files_of(pattern, kind).unwrap_or_default();
                if files.is_empty() {
                    found.empty.push((kind, pattern.clone()));
                }
                match kind {
                    Kind::Rules | Kind::RulesAndTests => found.rules.append(&mut files),
                    Kind::Data => found.data.append(&mut files),
                }
            }
        }
        for list in [&mut found.rules, &mut found.data] {
            list.sort_unstable();
            list.dedup();
        }
        found
    }

    /// All of them.
    pub(in super::super) fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.rules.iter().chain(&self.data)
    }

    /// The texts of the files of a kind.
    ///
    /// # Errors
    /// When a pattern means no file, or one cannot be read: no revision can put that right.
    pub(super) fn sources(&self, rules: &Rules, kind: Kind) -> Result<Vec<SourceText>, GateError> {
        let unread = |path: PathBuf, source: io::Error| GateError::NodeFile {
            what: kind.word(),
            setting: kind.setting(),
            path,
            source: source.into(),
        };
        if let Some((_, pattern)) = self.empty.iter().find(|(of, _)| *of == kind) {
            return Err(unread(pattern.into(), io::ErrorKind::NotFound.into()));
        }
        let paths = match kind {
            Kind::Rules | Kind::RulesAndTests => &self.rules,
            Kind::Data => &self.data,
        };
        let mut files = Vec::new();
        for path in paths {
            let bytes = rules.node_file(path, kind.word(), kind.setting())?;
            let text = std::str::from_utf8(bytes).map_err(|_| {
                unread(path.clone(), io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
            })?;
            files.push(SourceText { name: path.display().to_string(), text: text.to_owned() });
        }
        Ok(files)
    }
}

/// The files that a path means: itself, all of a kind in a folder, or what fits a pattern.
pub(super) fn files_of(pattern: &str, kind: Kind) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let wild = pattern.find(['*', '?', '[']);
    let Some(wild) = wild else {
        let path = Path::new(pattern);
        if path.metadata()?.is_dir() {
            walk(path, 0, &mut 0, &mut |file| files.push(file))?;
        } else {
            // One that is named is taken; the tests among them are not asked.
            files.push(path.to_owned());
        }
        files.retain(|file| kind.takes(&file.to_string_lossy()));
        return Ok(files);
    };
    let plain = pattern.get(..wild).unwrap_or_default();
    let base =
        plain.rsplit_once('/').map_or("/", |(base, _)| if base.is_empty() { "/" } else { base });
    let rest = pattern.strip_prefix(base).unwrap_or(pattern).trim_start_matches('/');
    let rest = format!("/{rest}");
    let patterns = Patterns::new([rest.as_str()]).map_err(io::Error::other)?;
    walk(Path::new(base), 0, &mut 0, &mut |file| {
        let inside = file.strip_prefix(base).map(Path::to_string_lossy).unwrap_or_default();
        if kind.takes(&inside) && patterns.mean_file(&inside) {
            files.push(file);
        }
    })?;
    Ok(files)
}

fn walk(
    folder: &Path,
    depth: usize,
    names: &mut usize,
    take: &mut dyn FnMut(PathBuf),
) -> io::Result<()> {
    if depth > DEPTH_MAX {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        *names += 1;
        if *names > NAMES_MAX.max(FILES_MAX) {
            return Err(io::Error::other(format!("there are more than {NAMES_MAX} files")));
        }
        let path = entry.path();
        // Mounted settings are links to files; folders that are links are not followed.
        if entry.file_type()?.is_dir() {
            walk(&path, depth + 1, names, take)?;
        } else if path.is_file() {
            take(path);
        }
    }
    Ok(())
}
