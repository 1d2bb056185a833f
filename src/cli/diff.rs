use super::args::{DiffArgs, Global, SourceArgs};
use super::exit::{Exit, Failure};
use super::render::Output;
use super::{looking, show, sync};
use crate::http::wire::{FORMAT_VERSION, PlanBody};

#[derive(serde::Serialize)]
struct Body {
    format_version: u32,
    #[serde(flatten)]
    plan: PlanBody,
}

/// `diff A B`: what differs between two trees, each a deployment's or a fetched revision's.
pub(super) async fn run(global: &Global, args: DiffArgs, output: &Output) -> Result<Exit, Failure> {
    let view = looking::open(&sync::settings(global, &SourceArgs::default())?)?;
    let (plan, told) = view.between(&view.point(&args.from)?, &view.point(&args.to)?)?;
    let body = Body { format_version: FORMAT_VERSION, plan: PlanBody::new(&plan, &told) };
    output.result(&body, |page| show::plan(page, &body.plan))?;
    Ok(Exit::Done)
}
