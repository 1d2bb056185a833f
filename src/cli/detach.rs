use std::sync::Arc;

use super::args::{Global, SourceArgs};
use super::client::actor;
use super::exit::{Exit, Failure};
use super::render::Output;
use crate::app::{AppError, open_journal};
use crate::clock::{Clock as _, SystemClock};
use crate::model::By;
use crate::trees::{Lock, RealDisk, Trees};

/// `detach`: the live path becomes a plain folder with the same files, and everything else of ours
/// beside it goes.
pub(super) async fn run(global: &Global, output: &Output) -> Result<Exit, Failure> {
    let settings = super::sync::settings(global, &SourceArgs::default())?;
    let holder = format!("kconfigd detach, process {}", std::process::id());
    let state_lock = settings.state_dir.join("lock");
    let _lock = if settings.state_dir.exists() {
        Some(Lock::take(&state_lock, &holder).map_err(AppError::from)?)
    } else {
        None
    };
    let limit = settings.policy.rollback_limit;
    let trees = Trees::open(&settings.live, limit, Arc::new(RealDisk::default()), Some(&holder))
        .map_err(AppError::from)?;
    trees.detach().map_err(AppError::from)?;
    if crate::app::journal_file(&settings.state_dir).exists() {
        let now = SystemClock.now();
        let (journal, _) = open_journal(&settings.state_dir, now)?;
        journal.follow_link(None, None, By::operator(actor()), now)?;
    }
    let path = settings.live.path.display();
    output
        .words(|page| page.line(format!("{path} is a plain folder now; kconfigd let go of it")))?;
    Ok(Exit::Done)
}
