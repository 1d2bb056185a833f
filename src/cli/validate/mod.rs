//! `kconfigd validate`: the gates alone, for the configuration repository's own CI.
//!
//! A folder is looked at as a commit of it would be: rendered by the settings, then held against the
//! gates. Needs no agent, no state folder and no repository; makes a mirror aside and leaves nothing.

mod folder;
mod github;
mod junit;
mod sarif;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tokio::task::spawn_blocking;

use super::args::{Format, Global, PlanArgs, SourceArgs};
use super::exit::{Exit, Failure, chain};
use super::render::{BAD, GOOD, Output, Page, WARN};
use super::{order, progress, show};
use crate::config::{self, Preset, Sources, Tested};
use crate::gates::{self, Rules};
use crate::http::wire::{FORMAT_VERSION, FindingBody};
use crate::model::{Finding, sort_findings};
use crate::objects::Mirror;
use crate::progress::Progress;
use crate::render::{Input, render};

/// What `kconfigd validate` can be told.
#[derive(Debug, clap::Args)]
pub(super) struct ValidateArgs {
    /// The folder of the configuration repository [default: the one that you are in]
    #[arg(value_name = "DIR", conflicts_with = "revision")]
    pub(super) dir: Option<PathBuf>,
    /// A revision of the repository that the settings follow
    #[arg(long, value_name = "REV")]
    pub(super) revision: Option<String>,
    /// Rules that come with kconfigd, in place of the settings' own choice
    #[arg(long, value_enum)]
    pub(super) preset: Option<PresetArg>,
}

impl ValidateArgs {
    /// Whether what is found can be printed as a report for a forge.
    pub(super) const fn takes_reports(&self) -> bool {
        self.revision.is_none()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum PresetArg {
    /// Those that always count
    None,
    /// Those of a kOS configuration
    Kos,
}

/// What was found.
#[derive(Debug, Serialize)]
struct Body {
    format_version: u32,
    valid: bool,
    files: u64,
    findings: Vec<FindingBody>,
}

/// Holds a folder or a revision against the gates.
pub(super) async fn run(
    global: &Global,
    args: ValidateArgs,
    output: &Output,
) -> Result<Exit, Failure> {
    if let Some(revision) = args.revision {
        let plan = PlanArgs {
            source: SourceArgs::default(),
            revision: Some(revision),
            detailed_exitcode: false,
        };
        return order::plan(global, plan, output).await;
    }
    let folder = args.dir.unwrap_or_else(|| PathBuf::from("."));
    let sources = Sources {
        file: global.config.clone(),
        environment: std::env::vars().collect(),
        flags: config::Flags::default(),
    };
    let mut tested = config::load_tested(&sources)?;
    match args.preset {
        Some(PresetArg::None) => tested.validation.preset = Preset::None,
        Some(PresetArg::Kos) => tested.validation.preset = Preset::Kos,
        None => {}
    }
    let watched = Progress::default();
    let looked = spawn_blocking({
        let (folder, tested, progress) = (folder.clone(), tested.clone(), watched.clone());
        move || look(&folder, &tested, progress)
    });
    let looked = progress::watch(watched, global.quiet, looked).await;
    let (files, mut findings, refused) =
        looked.map_err(|error| Failure::new(Exit::Error, chain(&error)))??;
    let is_for_programs = matches!(global.output, Format::Json | Format::Yaml);
    if !is_for_programs {
        as_seen_from_here(&mut findings, &folder, &tested);
    }
    let body = Body {
        format_version: FORMAT_VERSION,
        valid: !refused,
        files,
        findings: findings.iter().map(FindingBody::from).collect(),
    };
    match global.output {
        Format::Sarif => output.text(&sarif::write(&findings)?)?,
        Format::Junit => output.text(&junit::write(&findings, refused))?,
        Format::Github => output.text(&github::write(&findings))?,
        Format::Human | Format::Json | Format::Yaml => {
            output.result(&body, |page| words(page, &body))?;
        }
    }
    Ok(if refused { Exit::Gate } else { Exit::Done })
}

/// Names files from where the user is, so that an editor and a forge find them. What layers made is
/// in no single file; it keeps its path in the tree.
fn as_seen_from_here(findings: &mut [Finding], folder: &Path, tested: &Tested) {
    if !tested.render.layers.is_empty() {
        return;
    }
    let folder: PathBuf = folder.join(&tested.render.path).components().collect();
    let prefix = folder.strip_prefix(".").unwrap_or(&folder);
    for file in findings.iter_mut().filter_map(|finding| finding.file.as_mut()) {
        if !file.starts_with('/') {
            *file = prefix.join(&*file).to_string_lossy().into_owned();
        }
    }
}

/// The files, what was found in them, and whether that refuses them.
fn look(
    folder: &Path,
    tested: &Tested,
    progress: Progress,
) -> Result<(u64, Vec<Finding>, bool), Failure> {
    let failed = |error: &dyn std::error::Error| Failure::new(Exit::Error, chain(error));
    let rules = Rules::new(&tested.limits)
        .watched(progress)
        .with(&tested.validation, &tested.mask)
        .map_err(|error| Failure::new(Exit::Configuration, chain(&error)))?;
    let aside = tempfile::Builder::new()
        .prefix("kconfigd-validate-")
        .tempdir()
        .map_err(|error| Failure::io("make", "a folder for what is looked at", error))?;
    let path = aside.path().join("repo.git");
    let mirror = Mirror::open_or_create(&path).map_err(|error| failed(&error))?;
    let (commit, mut findings) = folder::commit(folder, &path, &mirror, &tested.limits)?;
    let Some(commit) = commit else { return Ok((0, findings, true)) };
    let input = Input {
        commit: &commit,
        settings: &tested.render,
        submodules: &BTreeMap::new(),
        limits: &tested.limits,
        hint: None,
    };
    let rendered = render(&mirror, &input).map_err(|error| failed(&error))?;
    let makes_no_tree = rendered.tree.is_none() || !findings.is_empty();
    findings.extend(rendered.findings);
    let Some(tree) = rendered.tree.or(rendered.rest) else { return Ok((0, findings, true)) };
    let found = gates::check(&mirror, tree, None, &rules).map_err(|error| {
        let is_ours = error.is_of_this_node();
        Failure::new(if is_ours { Exit::Configuration } else { Exit::Error }, chain(&error))
    })?;
    findings.extend(found);
    sort_findings(&mut findings);
    let files = mirror.summary(tree, None).map_err(|error| failed(&error))?.files;
    let refused = makes_no_tree || rules.refuse(&findings);
    Ok((files, findings, refused))
}

fn words(page: &mut Page, body: &Body) {
    show::findings(page, &body.findings);
    let errors = body.findings.iter().filter(|f| f.severity == "error").count();
    let warnings = body.findings.len() - errors;
    let counts = format!("{} files, {errors} errors, {warnings} warnings", body.files);
    let verdict = match (body.valid, warnings) {
        (true, 0) => page.styled(GOOD.bold(), "valid"),
        (true, _) => page.styled(WARN.bold(), "valid, with warnings"),
        (false, _) => page.styled(BAD.bold(), "refused"),
    };
    page.line(format!("{verdict}: {counts}"));
}
