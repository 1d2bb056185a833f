use super::args::{DiffArgs, Global, SourceArgs};
use super::exit::{Exit, Failure};
use super::render::Output;
use super::show;
use crate::app::journal_file;
use crate::config::Settings;
use crate::diff;
use crate::http::wire::{FORMAT_VERSION, PlanBody};
use crate::journal::Journal;
use crate::model::{Deployment, DeploymentId, ObjectId, Plan};
use crate::objects::Mirror;
use crate::trees::{Layout, Manifest, RealDisk};

#[derive(serde::Serialize)]
struct Body {
    format_version: u32,
    #[serde(flatten)]
    plan: PlanBody,
}

/// `diff A B`: what differs between two trees that were live, as their manifests tell them.
pub(super) async fn run(global: &Global, args: DiffArgs, output: &Output) -> Result<Exit, Failure> {
    let settings = super::sync::settings(global, &SourceArgs::default())?;
    let journal = Journal::open_to_read(&journal_file(&settings.state_dir))?;
    let Some(journal) = journal else {
        return Err(Failure::new(Exit::Error, "there is no history here to compare"));
    };
    let from = side(&settings, &journal, &args.from)?;
    let to = side(&settings, &journal, &args.to)?;
    let mirror = Mirror::open_or_create(&settings.state_dir.join("repo.git")).map_err(damaged)?;
    let plan = Plan {
        from: Some(from.digest),
        to: to.digest,
        changes: mirror.changes(Some(from.tree), to.tree).map_err(damaged)?,
        files_before: from.files,
        files_after: to.files,
    };
    let past = journal.durations(crate::decide::cost::PAST_MAX)?;
    let told =
        diff::tell(&mirror, &plan, &past, &settings.mask, &settings.limits).map_err(damaged)?;
    let body = Body { format_version: FORMAT_VERSION, plan: PlanBody::new(&plan, &told) };
    output.result(&body, |page| show::plan(page, &body.plan))?;
    Ok(Exit::Done)
}

pub(super) struct Side {
    pub(super) tree: ObjectId,
    digest: crate::model::Digest,
    files: u64,
}

/// A side as people give it: `live`, a deployment's number, or a revision that was live.
pub(super) fn side(settings: &Settings, journal: &Journal, text: &str) -> Result<Side, Failure> {
    let row = find(journal, text)?;
    let unknown = || {
        Failure::new(Exit::Error, format!("`{text}` names no deployment with a tree"))
            .hint("give `live`, a number of `kconfigd history`, or a revision in it")
    };
    let row = row.ok_or_else(unknown)?;
    let layout = Layout::new(&settings.live.path, settings.live.mode)
        .map_err(|error| Failure::new(Exit::Configuration, error.to_string()))?;
    let manifest = Manifest::read(&RealDisk::default(), &layout, &row.tree)
        .map_err(|error| Failure::new(Exit::Error, super::exit::chain(&error)))?;
    let manifest = manifest.ok_or_else(|| {
        Failure::new(Exit::Error, format!("the tree of deployment {} is not kept any more", row.id))
            .hint("gitops.rollback_limit says how many are")
    })?;
    Ok(Side { tree: manifest.tree, digest: manifest.digest, files: manifest.files })
}

fn find(journal: &Journal, text: &str) -> Result<Option<Deployment>, Failure> {
    const SEARCHED_MAX: usize = 1000;
    if text == "live" {
        let live = journal.standing()?.live;
        return Ok(match live {
            Some(live) => journal.deployment(live.deployment)?,
            None => None,
        });
    }
    if let Some(number) = text.parse::<u64>().ok().filter(|_| text.len() < 12) {
        return Ok(journal.deployment(DeploymentId(number))?);
    }
    let rows = journal.returnable(SEARCHED_MAX)?;
    let begins = |d: &Deployment| text.len() >= 4 && d.revision.to_string().starts_with(text);
    Ok(rows.into_iter().find(begins))
}

pub(super) fn damaged(error: crate::objects::ObjectsError) -> Failure {
    Failure::new(Exit::Error, super::exit::chain(&error))
        .hint("the mirror is a cache: the next pass of the agent makes it whole again")
}
