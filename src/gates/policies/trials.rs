//! The policies' own tests, for who writes policies.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value as Json};

use super::of_node::files_of;
use super::{Kind, RULE_FILE_BYTES_MAX, data, findings};
use crate::gates::GateError;
use crate::model::{Finding, Limits};
use crate::rego::{Bounds, Evaluator, SetText, SourceText, Trial};

/// What tests came to.
#[derive(Debug, Default)]
pub struct Tried {
    /// Files with rules and tests.
    pub files: usize,
    /// What is wrong with them; then no test was run.
    pub broken: Vec<Finding>,
    /// The tests, by their packages and names.
    pub trials: Vec<Trial>,
}

/// Runs the tests of the rules in these files and folders, with the data that is there too.
///
/// # Errors
/// When a file cannot be read, or there can be no process that evaluates them.
pub fn run_tests(paths: &[PathBuf], limits: &Limits) -> Result<Tried, GateError> {
    let mut tried = Tried::default();
    let mut set = SetText { files: read(paths, Kind::RulesAndTests)?, data: String::new() };
    tried.files = set.files.len();
    let mut data = Map::new();
    for file in read(paths, Kind::Data)? {
        if let Err(found) = data::add(&mut data, &file, limits) {
            tried.broken.extend(found);
        }
    }
    set.data = Json::from(data).to_string();
    let bounds = Bounds {
        time_max: Duration::from_millis(limits.policy_time_max_ms),
        memory_bytes_max: limits.policy_memory_bytes_max,
    };
    let mut evaluator = Evaluator::start(&[set], bounds)?;
    tried.broken.extend(evaluator.broken().iter().map(findings::broken));
    if tried.broken.is_empty() {
        tried.trials = evaluator.trials()?;
    }
    Ok(tried)
}

fn read(paths: &[PathBuf], kind: Kind) -> Result<Vec<SourceText>, GateError> {
    let mut files = Vec::new();
    for path in paths {
        let unread = |path: PathBuf, source: std::io::Error| GateError::NodeFile {
            what: kind.word(),
            setting: "the path",
            path,
            source: source.into(),
        };
        let found = files_of(&path.to_string_lossy(), kind);
        for path in found.map_err(|source| unread(path.clone(), source))? {
            let text = bounded(&path).map_err(|source| unread(path.clone(), source))?;
            files.push(SourceText { name: path.display().to_string(), text });
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files.dedup_by(|a, b| a.name == b.name);
    Ok(files)
}

fn bounded(path: &std::path::Path) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(path)?.take(RULE_FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > RULE_FILE_BYTES_MAX {
        let message = format!("it has more than {RULE_FILE_BYTES_MAX} bytes");
        return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, message));
    }
    Ok(text)
}
