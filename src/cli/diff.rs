use std::sync::Arc;

use super::args::{DiffArgs, Global, SourceArgs};
use super::client::actor;
use super::exit::{Exit, Failure, of_report};
use super::reach::{Reached, reach};
use super::render::Output;
use super::{looking, show, sync};
use crate::app::{self, Deliveries, Engine};
use crate::config::Settings;
use crate::http::orders::full;
use crate::http::wire::{DiffBody, FORMAT_VERSION, PlanBody};
use crate::model::{Sought, WishKind};
use crate::view::ViewError;

#[derive(serde::Serialize)]
struct Body {
    format_version: u32,
    #[serde(flatten)]
    plan: PlanBody,
}

/// `diff A B`: what differs between two trees, each a deployment's, a revision's, or that of a branch
/// or a tag of the source.
pub(super) async fn run(global: &Global, args: DiffArgs, output: &Output) -> Result<Exit, Failure> {
    let settings = sync::settings(global, &SourceArgs::default())?;
    let plan = match strangers(&settings, &args)? {
        true => with_source(&settings, args).await?,
        false => here(&settings, &args.from, &args.to)?,
    };
    let body = Body { format_version: FORMAT_VERSION, plan };
    output.result(&body, |page| show::plan(page, &body.plan))?;
    Ok(Exit::Done)
}

fn here(settings: &Settings, from: &str, to: &str) -> Result<PlanBody, Failure> {
    let view = looking::open(settings)?;
    let (plan, told) = view.between(&view.point(from)?, &view.point(to)?)?;
    Ok(PlanBody::new(&plan, &told))
}

/// Whether one of them is nothing that is known here, so that the source has to be asked for it.
fn strangers(settings: &Settings, args: &DiffArgs) -> Result<bool, Failure> {
    Ok(is_stranger(settings, &args.from)? || is_stranger(settings, &args.to)?)
}

fn is_stranger(settings: &Settings, name: &str) -> Result<bool, Failure> {
    Ok(match looking::open(settings)?.point(name) {
        Err(ViewError::NotFetched { .. }) => true,
        Err(ViewError::Unknown { .. }) => {
            !matches!(name, "live" | "desired") && name.parse::<u64>().is_err()
        }
        Ok(_) | Err(_) => false,
    })
}

/// The same by the running agent, which asks its source; where none runs, by passes made here.
async fn with_source(settings: &Settings, args: DiffArgs) -> Result<PlanBody, Failure> {
    let mut names = [args.from, args.to];
    for at in 0..names.len() {
        let Some(name) = names.get_mut(at) else { continue };
        if !is_stranger(settings, name)? {
            continue;
        }
        *name = match reach(settings, "diff").await? {
            Reached::Here(engine) => bring(settings, *engine, name).await?,
            Reached::Agent(client) => {
                let [from, to] = names;
                let query = [("from", from), ("to", to)];
                return Ok(client.look::<DiffBody>("/api/config/diff", &query).await?.plan);
            }
        };
    }
    let [from, to] = names;
    here(settings, &from, &to)
}

async fn bring(settings: &Settings, engine: Engine, name: &str) -> Result<String, Failure> {
    let order = (WishKind::Fetch(Sought::of(name)), actor(), None);
    let once = app::once(engine, Some(order), Deliveries::None).await?;
    let report = full(&once.report, Arc::new(settings.clone()), once.journal);
    match (of_report(&report), report.revision) {
        (Exit::Done, Some(revision)) => Ok(revision),
        (exit, _) => Err(Failure::new(exit, report.message)),
    }
}
