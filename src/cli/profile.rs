use super::args::{Global, ProfileArgs, SourceArgs};
use super::exit::{Exit, Failure};
use super::looking;
use super::render::{DIM, Output, Page};
use crate::document::emit;
use crate::http::wire::FORMAT_VERSION;
use crate::profiles::{Explained, ProfileError};
use crate::view::{Point, View, ViewError};

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
    let view = looking::open(&settings)?;
    let live = view.point("live").map_err(|error| match error {
        ViewError::Unknown { .. } => Failure::new(Exit::Error, "nothing is live here yet"),
        error => error.into(),
    })?;
    let name = args.name.or(settings.profile).ok_or_else(|| {
        Failure::new(Exit::Usage, "which profile?")
            .hint(format!("set `profile` in the settings, or give one of: {}", names(&view, &live)))
    })?;
    let profile = view.profile(&live, &name).map_err(|error| match error {
        ViewError::Profile(ProfileError::Missing { .. }) => {
            Failure::from(error).hint(format!("the live tree has: {}", names(&view, &live)))
        }
        error => error.into(),
    })?;
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

/// The profiles of a tree, in its order.
fn names(view: &View, at: &Point) -> String {
    const NAMES_MAX: usize = 50;
    let files = view.profiles(at).unwrap_or_default();
    let names: Vec<&str> = files.iter().take(NAMES_MAX).map(|file| file.id.as_str()).collect();
    names.join(", ")
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
