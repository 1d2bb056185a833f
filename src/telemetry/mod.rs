//! What the process tells of its own work while it does it: which deployment a line of the log
//! belongs to, and traces for an OpenTelemetry collector.
//!
//! Both hang on the same spans: one for each pass and each delivery ([`Work`]), and in a pass one for
//! each step ([`step`]). Who is not asked for them does not pay: unless the log is JSON or
//! `telemetry.otlp_endpoint` is set, no span is made. May touch the collector's address and the file of
//! headers for it; never delays what it tells of, and drops what it cannot get rid of, counted.

mod collect;
mod context;
mod export;
mod lines;
mod otlp;
mod work;

pub use collect::Collect;
pub use context::Trace;
pub use export::Exporter;
pub use lines::{Lines, Shown};
pub use work::Work;

use std::sync::atomic::{AtomicU64, Ordering};

use tracing::span::EnteredSpan;

use crate::config::Telemetry;

/// The target of spans of passes and deliveries.
const WORK: &str = "kconfigd::work";
/// The target of spans of steps.
const STEP: &str = "kconfigd::step";

/// The part of all passes that are traced, as the bits of a number from 0 to 1; 0: none.
static SAMPLE: AtomicU64 = AtomicU64::new(0);

/// From now on passes and deliveries are traced as the settings say.
pub fn switch(settings: Option<&Telemetry>) {
    let sample = settings.map_or(0.0, |settings| settings.sample);
    let before = SAMPLE.swap(sample.to_bits(), Ordering::Relaxed);
    if before != sample.to_bits() {
        // What nobody wanted before may be wanted now.
        tracing::callsite::rebuild_interest_cache();
    }
}

/// The part of all passes that are traced.
fn sample() -> f64 {
    f64::from_bits(SAMPLE.load(Ordering::Relaxed))
}

/// Whether anything is traced.
fn is_on() -> bool {
    SAMPLE.load(Ordering::Relaxed) != 0
}

/// A step of a pass begins, and ends when this is dropped.
pub fn step(name: &'static str) -> EnteredSpan {
    tracing::info_span!(target: STEP, "step", step = name).entered()
}
