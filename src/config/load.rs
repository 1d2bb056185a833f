use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::effective::{self, Effective};
use super::error::ConfigError;
use super::gather::Given;
use super::reader::{Folders, Reader};
use super::settings::{Mask, RenderSettings, Settings};
use super::validation::Validation;
use super::{decode, git, validation};
use crate::model::{Finding, Limits};

/// Bytes of a settings file.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Where the settings file is looked for, in this order.
const PLACES: [&str; 2] = ["./kconfigd.yaml", "/etc/kconfigd/kconfigd.yaml"];

/// What settings are made of.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// `--config`; `None`: `./kconfigd.yaml`, then `/etc/kconfigd/kconfigd.yaml`, then none.
    pub file: Option<PathBuf>,
    /// The environment.
    pub environment: Vec<(String, String)>,
    /// The flags that set keys.
    pub flags: Flags,
}

/// Flags that set keys of the file.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--state-dir`
    pub state_dir: Option<PathBuf>,
    /// `--repository`
    pub repository: Option<String>,
    /// `--branch`
    pub branch: Option<String>,
    /// `--live`
    pub live: Option<PathBuf>,
}

/// Settings, and how they came to be.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// What is odd about them.
    pub warnings: Vec<Finding>,
    /// Every key with the value that counts and where it came from.
    pub keys: Vec<Effective>,
}

/// Reads the file, the environment and the flags.
///
/// # Errors
/// See [`ConfigError`]; everything that is wrong is told at once.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
    load_in(sources, &PLACES.map(Path::new))
}

/// The same, with a file looked for in `places` when none is named.
pub(super) fn load_in(sources: &Sources, places: &[&Path]) -> Result<Loaded, ConfigError> {
    decode(gather(sources, places)?, &sources.environment)
}

/// Settings of these bytes, as if they stood in a file, and this environment.
pub(crate) fn load_bytes(
    bytes: &[u8],
    environment: Vec<(String, String)>,
) -> Result<Loaded, ConfigError> {
    let mut gathered = Gathered { given: Given::default(), folders: folders()?, file: None };
    gathered.given.add_file("kconfigd.yaml", bytes);
    if gathered.given.is_broken {
        return Err(ConfigError::Invalid { file: None, findings: gathered.given.findings });
    }
    let sources = Sources { environment, ..Sources::default() };
    add_rest(&mut gathered.given, &sources);
    decode(gathered, &sources.environment)
}

fn decode(gathered: Gathered, environment: &[(String, String)]) -> Result<Loaded, ConfigError> {
    let Gathered { given, folders, file } = gathered;
    let mut reader = Reader::new(given, &folders);
    let settings = decode::settings(&mut reader, file.clone(), environment);
    let mut given = reader.into_given();
    let findings = std::mem::take(&mut given.findings);
    match settings {
        Some(settings) if !findings.iter().any(Finding::is_error) => {
            let keys = effective::list(&given, &settings);
            Ok(Loaded { settings, warnings: findings, keys })
        }
        _ => Err(ConfigError::Invalid { file, findings: in_order(findings) }),
    }
}

/// The state folder alone, for verbs that only look at what is there: other keys may be missing or
/// wrong, and a file that cannot be read does not matter where a flag or a variable names it.
///
/// # Errors
/// See [`ConfigError`].
pub fn load_state_dir(sources: &Sources) -> Result<PathBuf, ConfigError> {
    let named = sources.flags.state_dir.is_some()
        || sources.environment.iter().any(|(k, v)| k == "KCONFIGD_STATE_DIR" && !v.is_empty());
    let Gathered { mut given, folders, file } = if named {
        gather_without_file(sources)?
    } else {
        gather(sources, &PLACES.map(Path::new))?
    };
    // what is wrong with other keys is not our matter
    given.findings.clear();
    let mut reader = Reader::new(given, &folders);
    let state_dir = decode::state_dir(&mut reader, &sources.environment);
    let findings = reader.into_given().findings;
    match state_dir {
        Some(state_dir) if findings.is_empty() => Ok(state_dir),
        _ => Err(ConfigError::Invalid { file, findings }),
    }
}

/// What a tree is made and tested by, without the machine that it is for.
#[derive(Clone, Debug)]
pub struct Tested {
    /// Which part of the repository is the tree.
    pub render: RenderSettings,
    /// What it is held against.
    pub validation: Validation,
    /// The named limits.
    pub limits: Limits,
    /// What is hidden in messages.
    pub mask: Mask,
}

/// What a tree is made and tested by: keys that only matter to a running agent may be missing.
///
/// # Errors
/// See [`ConfigError`].
pub fn load_tested(sources: &Sources) -> Result<Tested, ConfigError> {
    let Gathered { given, folders, file } = gather(sources, &PLACES.map(Path::new))?;
    let mut reader = Reader::new(given, &folders);
    let tested = Tested {
        render: git::render(&mut reader),
        validation: validation::read(&mut reader),
        limits: decode::limits(&mut reader),
        mask: decode::mask(&mut reader),
    };
    let findings = reader.into_given().findings;
    if findings.iter().any(Finding::is_error) {
        return Err(ConfigError::Invalid { file, findings: in_order(findings) });
    }
    Ok(tested)
}

struct Gathered {
    given: Given,
    folders: Folders,
    file: Option<PathBuf>,
}

fn gather(sources: &Sources, places: &[&Path]) -> Result<Gathered, ConfigError> {
    let mut gathered = Gathered { given: Given::default(), folders: folders()?, file: None };
    if let Some((path, bytes)) = read_file(sources.file.as_deref(), places)? {
        let path_at = absolute(&path)?;
        if let Some(parent) = path_at.parent() {
            gathered.folders.file = parent.to_owned();
        }
        gathered.given.add_file(&shown_path(&path), &bytes);
        gathered.file = Some(path_at);
        if gathered.given.is_broken {
            let findings = in_order(gathered.given.findings);
            return Err(ConfigError::Invalid { file: gathered.file, findings });
        }
    }
    add_rest(&mut gathered.given, sources);
    Ok(gathered)
}

fn gather_without_file(sources: &Sources) -> Result<Gathered, ConfigError> {
    let mut gathered = Gathered { given: Given::default(), folders: folders()?, file: None };
    add_rest(&mut gathered.given, sources);
    Ok(gathered)
}

fn folders() -> Result<Folders, ConfigError> {
    let working = absolute(Path::new("."))?;
    Ok(Folders { file: working.clone(), working })
}

fn add_rest(given: &mut Given, sources: &Sources) {
    given.add_environment(&sources.environment);
    let Flags { state_dir, repository, branch, live } = &sources.flags;
    let paths = [("--state-dir", "state_dir", state_dir), ("--live", "live.path", live)];
    for (flag, key, path) in paths {
        match path.as_ref().map(|path| path.to_str()) {
            Some(Some(path)) => given.add_flag(flag, key, path),
            Some(None) => {
                let finding =
                    Finding::error("config.value", "a path has to be UTF-8").in_file(flag);
                given.findings.push(finding);
            }
            None => {}
        }
    }
    let texts =
        [("--repository", "gitops.repository", repository), ("--branch", "gitops.branch", branch)];
    for (flag, key, text) in texts {
        if let Some(text) = text {
            given.add_flag(flag, key, text);
        }
    }
}

fn read_file(
    named: Option<&Path>,
    places: &[&Path],
) -> Result<Option<(PathBuf, Vec<u8>)>, ConfigError> {
    if let Some(path) = named {
        return read(path).map(|bytes| Some((path.to_owned(), bytes)));
    }
    for path in places {
        match read(path) {
            Ok(bytes) => return Ok(Some((path.to_path_buf(), bytes))),
            Err(ConfigError::Read { source, .. })
                if matches!(
                    source.kind(),
                    std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
                ) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

fn read(path: &Path) -> Result<Vec<u8>, ConfigError> {
    let mut bytes = Vec::new();
    let failed = |source| ConfigError::Read { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let message = format!("the settings file has more than {FILE_BYTES_MAX} bytes");
        let finding = Finding::error("config.value", message).in_file(shown_path(path));
        return Err(ConfigError::Invalid { file: Some(path.to_owned()), findings: vec![finding] });
    }
    Ok(bytes)
}

/// The file as messages name it, without the `./` of where it is looked for.
fn shown_path(path: &Path) -> String {
    let shown = path.to_string_lossy();
    shown.strip_prefix("./").unwrap_or(&shown).to_owned()
}

fn absolute(path: &Path) -> Result<PathBuf, ConfigError> {
    let failed = |source| ConfigError::WorkingFolder { path: path.to_owned(), source };
    std::path::absolute(path).map_err(failed)
}

/// What has a place first, in the order of the places.
fn in_order(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by_key(|f| (f.line.is_none(), f.line, f.column));
    findings
}
