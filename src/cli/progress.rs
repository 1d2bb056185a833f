use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::progress::{Progress, Stage};

/// What takes less than this is not shown.
const SHOWN_AFTER: Duration = Duration::from_secs(1);
/// How often the bar is drawn anew.
const DRAWN_EVERY: Duration = Duration::from_millis(100);

/// Awaits `work`, and draws how far it is where somebody sits in front of a terminal and it takes
/// more than a second.
pub(super) async fn watch<T>(progress: Progress, quiet: bool, work: impl Future<Output = T>) -> T {
    if quiet || !std::io::stderr().is_terminal() {
        return work.await;
    }
    let mut work = std::pin::pin!(work);
    tokio::select! {
        done = &mut work => return done,
        () = tokio::time::sleep(SHOWN_AFTER) => {}
    }
    let bar = ProgressBar::new(0);
    let mut ticks = tokio::time::interval(DRAWN_EVERY);
    loop {
        tokio::select! {
            done = &mut work => {
                bar.finish_and_clear();
                return done;
            }
            _ = ticks.tick() => draw(&bar, progress.look()),
        }
    }
}

fn draw(bar: &ProgressBar, (stage, done, total): (Stage, u64, u64)) {
    let (what, template) = match stage {
        Stage::Idle => ("working", "{spinner} {msg} {elapsed}"),
        Stage::Fetching => ("fetching", "{spinner} {msg} {bytes} {elapsed}"),
        Stage::Staging => ("staging", "{spinner} {msg} [{bar:40}] {pos}/{len} files {elapsed}"),
        Stage::Checking => ("checking", "{spinner} {msg} [{bar:40}] {pos}/{len} files {elapsed}"),
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_length(total);
    bar.set_position(done);
    bar.set_message(what);
    bar.tick();
}
