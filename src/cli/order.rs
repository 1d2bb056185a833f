use std::sync::Arc;

use super::args::{ApplyArgs, DriftArgs, Global, PlanArgs, RollbackArgs};
use super::client::actor;
use super::exit::{Exit, Failure, of_report};
use super::reach::{Reached, reach};
use super::render::Output;
use super::{progress, show, sync};
use crate::app::{self, Deliveries};
use crate::config::Settings;
use crate::http::orders::{OrderBody, full};
use crate::http::wire::ReportBody;
use crate::journal::Journal;
use crate::model::{DeploymentId, Revision, Sought, WishKind};

pub(super) async fn plan(
    global: &Global,
    args: PlanArgs,
    output: &Output,
) -> Result<Exit, Failure> {
    let settings = sync::settings(global, &args.source)?;
    let sought = args.revision.as_deref().map(Sought::of);
    let body = OrderBody {
        revision: sought.as_ref().map(ToString::to_string),
        dry_run: true,
        ..OrderBody::default()
    };
    let order = (WishKind::Plan(sought), None);
    let report = give(settings, "apply", &body, order, Deliveries::None).await?;
    let exit = of_report(&report);
    show::report(output, &report)?;
    let differs = report.plan.as_ref().is_some_and(|p| !p.files.is_empty());
    // A plan that waits is a plan all the same: nothing was to be done here.
    let exit = if exit == Exit::Waiting && report.plan.is_some() { Exit::Done } else { exit };
    Ok(if args.detailed_exitcode && exit == Exit::Done && differs {
        Exit::Differences
    } else {
        exit
    })
}

pub(super) async fn apply(
    global: &Global,
    args: ApplyArgs,
    output: &Output,
) -> Result<Exit, Failure> {
    let settings = sync::settings(global, &args.source)?;
    let revision = revision_of(&settings, args.revision.as_deref())?;
    let body = OrderBody {
        revision: revision.as_ref().map(ToString::to_string),
        reason: args.reason.clone(),
        ..OrderBody::default()
    };
    let order = (WishKind::Apply(revision), args.reason);
    let deliveries = Deliveries::Within(args.deliver_timeout);
    let report = give(settings, "apply", &body, order, deliveries).await?;
    show::report(output, &report)?;
    Ok(of_report(&report))
}

pub(super) async fn rollback(
    global: &Global,
    args: RollbackArgs,
    output: &Output,
) -> Result<Exit, Failure> {
    let settings = sync::settings(global, &super::args::SourceArgs::default())?;
    let to = match &args.to {
        Some(text) => Some(deployment_of(&settings, text)?),
        None => None,
    };
    let body = OrderBody {
        to: to.map(|id| id.0),
        hold: args.hold,
        reason: args.reason.clone(),
        ..OrderBody::default()
    };
    let order = (WishKind::Rollback { to, hold: args.hold }, args.reason);
    let deliveries = Deliveries::Within(args.deliver_timeout);
    let report = give(settings, "rollback", &body, order, deliveries).await?;
    show::report(output, &report)?;
    Ok(of_report(&report))
}

pub(super) async fn drift(
    global: &Global,
    args: DriftArgs,
    output: &Output,
) -> Result<Exit, Failure> {
    let settings = sync::settings(global, &super::args::SourceArgs::default())?;
    let kind = if args.repair { WishKind::Repair } else { WishKind::Compare };
    let body = OrderBody { repair: args.repair, ..OrderBody::default() };
    let deliveries = Deliveries::Within(std::time::Duration::from_secs(10));
    let report = give(settings, "drift", &body, (kind, None), deliveries).await?;
    show::report(output, &report)?;
    let exit = match (report.outcome.as_str(), args.detailed_exitcode) {
        ("held", true) => Exit::Differences,
        ("held", false) => Exit::Done,
        _ => of_report(&report),
    };
    Ok(exit)
}

/// Gives an order to the running agent; where none runs, does the work here, by the same pass.
async fn give(
    settings: Settings,
    verb: &str,
    body: &OrderBody,
    order: (WishKind, Option<String>),
    deliveries: Deliveries,
) -> Result<ReportBody, Failure> {
    let engine = match reach(&settings, verb).await? {
        Reached::Agent(client) => {
            return client.order(&format!("/api/config/{verb}"), body).await;
        }
        Reached::Here(engine) => *engine,
    };
    let order = (order.0, actor(), order.1);
    let watched = engine.agent.progress();
    let once = progress::watch(watched, false, app::once(engine, Some(order), deliveries)).await?;
    Ok(full(&once.report, Arc::new(settings), once.journal))
}

/// A revision as people give it: a full id, or the beginning of one that the history knows.
fn revision_of(settings: &Settings, text: Option<&str>) -> Result<Option<Revision>, Failure> {
    let Some(text) = text else { return Ok(None) };
    let known = known_as(settings, text)?;
    known.map(Some).ok_or_else(|| {
        Failure::new(Exit::Source, format!("`{text}` is not a revision that is known here"))
            .hint("give a full commit id (40 digits), or one of `kconfigd history`")
    })
}

/// The revision of which a text is the id, or the beginning of it.
fn known_as(settings: &Settings, text: &str) -> Result<Option<Revision>, Failure> {
    if let Ok(revision) = Revision::parse(text) {
        return Ok(Some(revision));
    }
    const DIGITS_MIN: usize = 4;
    if text.len() < DIGITS_MIN || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(None);
    }
    let known = known_revisions(settings)?;
    let mut hits: Vec<Revision> =
        known.into_iter().filter(|r| r.to_string().starts_with(text)).collect();
    hits.sort();
    hits.dedup();
    match hits.len() {
        0 | 1 => Ok(hits.pop()),
        n => Err(Failure::new(Exit::Source, format!("`{text}` is the beginning of {n} revisions"))
            .hint("give more digits")),
    }
}

fn known_revisions(settings: &Settings) -> Result<Vec<Revision>, Failure> {
    const KNOWN_MAX: usize = 1000;
    let journal = Journal::open_to_read(&app::journal_file(&settings.state_dir))?;
    let Some(journal) = journal else { return Ok(Vec::new()) };
    let history = journal.history(KNOWN_MAX, None)?.items.into_iter().map(|d| d.revision);
    let desired = journal.standing()?.desired.map(|d| d.revision);
    Ok(history.chain(desired).collect())
}

/// A deployment as people give it: its number, or the revision that it made live.
fn deployment_of(settings: &Settings, text: &str) -> Result<DeploymentId, Failure> {
    let number = text.parse::<u64>().ok().filter(|_| text.len() < 12);
    if let Some(number) = number {
        return Ok(DeploymentId(number));
    }
    let Some(revision) = revision_of(settings, Some(text))? else {
        return Err(Failure::new(Exit::Usage, "no deployment was named"));
    };
    const SEARCHED_MAX: usize = 1000;
    let journal = Journal::open_to_read(&app::journal_file(&settings.state_dir))?;
    let rows = match journal {
        Some(journal) => journal.returnable(SEARCHED_MAX)?,
        None => Vec::new(),
    };
    let found = rows.iter().find(|d| d.revision == revision).map(|d| d.id);
    found.ok_or_else(|| {
        Failure::new(Exit::Error, format!("{} was never live here", revision.short()))
            .hint("see `kconfigd history`")
    })
}
