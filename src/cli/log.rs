use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, fmt};

use super::args::{Global, LogFormat};
use crate::telemetry::{Collect, Lines, Shown};

/// Sets up the log: to stderr, as much as was asked for; and traces, which nobody wants yet.
pub(super) fn set_up(global: &Global) -> Result<(), String> {
    let level = match (global.quiet, global.verbose) {
        (true, _) => LevelFilter::ERROR,
        (false, 0) => LevelFilter::INFO,
        (false, 1) => LevelFilter::DEBUG,
        (false, _) => LevelFilter::TRACE,
    };
    let shown = |belongings| Shown { level, belongings };
    let log = match global.log_format {
        LogFormat::Text => fmt::layer()
            .compact()
            .with_writer(std::io::stderr)
            .with_target(false)
            .with_ansi(super::render::colours(global.color, &std::io::stderr()))
            .with_filter(shown(false))
            .boxed(),
        LogFormat::Json => fmt::layer()
            .json()
            .event_format(Lines)
            .with_writer(std::io::stderr)
            .with_ansi(false)
            .with_filter(shown(true))
            .boxed(),
    };
    let set = Registry::default().with(log).with(Collect::new().layer()).try_init();
    set.map_err(|error| format!("cannot set up the log: {error}"))
}
