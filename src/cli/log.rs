use tracing::level_filters::LevelFilter;

use super::args::{Global, LogFormat};

/// Sets up the log: to stderr, as much as was asked for.
pub(super) fn set_up(global: &Global) -> Result<(), String> {
    let level = match (global.quiet, global.verbose) {
        (true, _) => LevelFilter::ERROR,
        (false, 0) => LevelFilter::INFO,
        (false, 1) => LevelFilter::DEBUG,
        (false, _) => LevelFilter::TRACE,
    };
    let builder = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(super::render::colours(global.color, &std::io::stderr()));
    let set = match global.log_format {
        LogFormat::Text => builder.compact().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    set.map_err(|error| format!("cannot set up the log: {error}"))
}
