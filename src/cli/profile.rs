use super::args::{Global, ProfileArgs, SourceArgs};
use super::diff::{damaged, side};
use super::exit::{Exit, Failure};
use super::render::{DIM, Output, Page};
use crate::app::journal_file;
use crate::config::Settings;
use crate::document::{Masker, emit};
use crate::http::wire::FORMAT_VERSION;
use crate::journal::Journal;
use crate::model::{ObjectId, TreePath};
use crate::objects::{Mirror, ObjectsError};
use crate::profiles::{self, Explained, FOLDER, Profile, ProfileError};

#[derive(serde::Serialize)]
struct Body {
    format_version: u32,
    name: String,
    /// The files that it is made of, its own first.
    files: Vec<String>,
    /// The whole of it, as YAML.
    yaml: String,
    values: Vec<ValueBody>,
}

#[derive(serde::Serialize)]
struct ValueBody {
    key: Vec<String>,
    value: String,
    file: String,
    line: u32,
}

impl From<Explained> for ValueBody {
    fn from(Explained { key, value, file, line }: Explained) -> Self {
        Self { key, value, file, line }
    }
}

/// `profile [NAME]`: a profile of the live tree with all that it extends in it.
pub(super) async fn run(
    global: &Global,
    args: ProfileArgs,
    output: &Output,
) -> Result<Exit, Failure> {
    let settings = super::sync::settings(global, &SourceArgs::default())?;
    let mirror = Mirror::open_or_create(&settings.state_dir.join("repo.git")).map_err(damaged)?;
    let tree = live_tree(&settings)?;
    let name = args.name.or_else(|| settings.profile.clone()).ok_or_else(|| {
        Failure::new(Exit::Usage, "which profile?").hint(format!(
            "set `profile` in the settings, or give one of: {}",
            names(&mirror, tree).unwrap_or_default().join(", ")
        ))
    })?;
    let profile = read(&settings, &mirror, tree, &name)?;
    let body = Body {
        format_version: FORMAT_VERSION,
        name: profile.name.clone(),
        files: profile.files.clone(),
        yaml: emit(&profile.document),
        values: profile.explain().into_iter().map(Into::into).collect(),
    };
    output.result(&body, |page| match args.explain {
        true => explained(page, &body.values),
        false => body.yaml.lines().for_each(|line| page.line(line)),
    })?;
    Ok(Exit::Done)
}

fn live_tree(settings: &Settings) -> Result<ObjectId, Failure> {
    let nothing = || {
        Failure::new(Exit::Error, "nothing is live here that has profiles").hint(format!(
            "this looked in {}; give another folder with --state-dir, or use sudo",
            settings.state_dir.display()
        ))
    };
    let journal = Journal::open_to_read(&journal_file(&settings.state_dir))?;
    let journal = journal.ok_or_else(nothing)?;
    if journal.standing()?.live.is_none() {
        return Err(nothing());
    }
    Ok(side(settings, &journal, "live")?.tree)
}

fn read(
    settings: &Settings,
    mirror: &Mirror,
    tree: ObjectId,
    name: &str,
) -> Result<Profile, Failure> {
    let limit = settings.limits.file_bytes_max;
    let file = |path: &str| -> Result<Option<Vec<u8>>, ObjectsError> {
        let Ok(path) = TreePath::parse(path) else { return Ok(None) };
        match mirror.entry(tree, &path)? {
            Some(entry) if mirror.blob_size(entry.id)? <= limit => mirror.blob(entry.id).map(Some),
            _ => Ok(None),
        }
    };
    let resolved = profiles::resolve(name, &settings.limits, file).map_err(damaged)?;
    let profile = resolved.map_err(|error| {
        let failure = Failure::new(Exit::Error, error.to_string());
        match error {
            ProfileError::Missing { .. } => failure.hint(format!(
                "the live tree has: {}",
                names(mirror, tree).unwrap_or_default().join(", ")
            )),
            _ => failure,
        }
    })?;
    let masker = Masker::new(&settings.mask.files, &settings.mask.keys)
        .map_err(|error| Failure::new(Exit::Configuration, error.to_string()))?;
    Ok(profile.masked(&masker))
}

/// The profiles of a tree, in its order.
fn names(mirror: &Mirror, tree: ObjectId) -> Result<Vec<String>, ObjectsError> {
    const NAMES_MAX: usize = 50;
    let Some(folder) = mirror.find(tree, FOLDER)? else { return Ok(Vec::new()) };
    let items = mirror.items(folder.id)?;
    let name = |name: &[u8]| {
        let name = std::str::from_utf8(name).ok()?.strip_suffix(".yaml")?;
        profiles::is_name(name).then(|| name.to_owned())
    };
    Ok(items.iter().filter_map(|item| name(&item.name)).take(NAMES_MAX).collect())
}

/// `key: value  # file:line`, the places below each other.
fn explained(page: &mut Page, values: &[ValueBody]) {
    const VALUE_COLUMN_MAX: usize = 60;
    let lines: Vec<String> =
        values.iter().map(|value| format!("{}: {}", value.key.join("."), value.value)).collect();
    let width = lines.iter().map(|line| line.chars().count()).filter(|w| *w <= VALUE_COLUMN_MAX);
    let width = width.max().unwrap_or(0);
    for (line, value) in lines.iter().zip(values) {
        let place = page.styled(DIM, format!("# {}:{}", value.file, value.line));
        page.line(format!("{line:width$}  {place}"));
    }
}
