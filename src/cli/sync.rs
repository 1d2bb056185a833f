use std::sync::Arc;

use super::args::{Global, SourceArgs, SyncArgs};
use super::exit::{Exit, Failure, of_report};
use super::reach::{Reached, reach};
use super::render::Output;
use super::{progress, show};
use crate::app::{self, Deliveries, Mode, Reloads};
use crate::config::{self, Flags, Settings, Sources};
use crate::http::orders::{OrderBody, full};
use crate::http::wire::ReportBody;

pub(super) async fn sync(
    global: &Global,
    args: SyncArgs,
    output: &Output,
) -> Result<Exit, Failure> {
    let sources = sources(global, &args.source);
    if args.once {
        return once(load(&sources)?, &args, global.quiet, output).await;
    }
    run(sources, Mode::Sync, args.dry_run).await
}

pub(super) async fn serve(global: &Global, args: SourceArgs) -> Result<Exit, Failure> {
    run(sources(global, &args), Mode::Serve, false).await
}

/// The agent, until it is told to stop.
async fn run(sources: Sources, mode: Mode, dry: bool) -> Result<Exit, Failure> {
    let reloads = Reloads::listen()?;
    let settings = load(&sources)?;
    app::run(sources, settings, reloads, mode, dry).await?;
    Ok(Exit::Done)
}

/// One pass: asked of the running agent, or made here.
async fn once(
    settings: Settings,
    args: &SyncArgs,
    quiet: bool,
    output: &Output,
) -> Result<Exit, Failure> {
    let mut engine = match reach(&settings, "sync --once").await? {
        Reached::Here(engine) => *engine,
        Reached::Agent(client) => {
            let (path, body) = if args.dry_run {
                ("/api/config/apply", OrderBody { dry_run: true, ..OrderBody::default() })
            } else {
                ("/api/config/sync", OrderBody::default())
            };
            let report: ReportBody = client.order(path, &body).await?;
            show::report(output, &report)?;
            return Ok(of_report(&report));
        }
    };
    let deliveries = if args.dry_run {
        engine.agent = engine.agent.dry();
        Deliveries::None
    } else {
        Deliveries::Within(args.deliver_timeout)
    };
    let watched = engine.agent.progress();
    let once = progress::watch(watched, quiet, app::once(engine, None, deliveries)).await?;
    let report = full(&once.report, Arc::new(settings), once.journal);
    show::report(output, &report)?;
    let exit = of_report(&report);
    match once.deliveries {
        Some(deliveries) if exit == Exit::Done && !deliveries.is_complete() => {
            for (node, problem) in &deliveries.problems {
                output.note(&format!("{node}: {problem}"));
            }
            output.note(&format!(
                "{} notifications wait for the next run and {} were given up: see `kconfigd deliveries`",
                deliveries.left.pending, deliveries.given_up
            ));
            Ok(Exit::Undelivered)
        }
        _ => Ok(exit),
    }
}

/// The settings of a verb.
pub(super) fn settings(global: &Global, source: &SourceArgs) -> Result<Settings, Failure> {
    load(&sources(global, source))
}

fn load(sources: &Sources) -> Result<Settings, Failure> {
    let loaded = config::load(sources)?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    Ok(loaded.settings)
}

/// The state folder alone, for verbs that only look: no other key has to be right for that.
pub(super) fn state_dir(global: &Global) -> Result<std::path::PathBuf, Failure> {
    Ok(config::load_state_dir(&sources(global, &SourceArgs::default()))?)
}

/// Where settings come from: flags, the environment, a file.
pub(super) fn sources(global: &Global, source: &SourceArgs) -> Sources {
    Sources {
        file: global.config.clone(),
        environment: std::env::vars_os()
            .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
        flags: Flags {
            state_dir: global.state_dir.clone(),
            repository: source.repository.clone(),
            branch: source.branch.clone(),
            live: source.live.clone(),
        },
    }
}
