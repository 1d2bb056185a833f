//! What this process counts for Prometheus: sums since it started, which cannot be worked out when it
//! asks. Everything else is read from the status and the journal then.

use std::sync::LazyLock;
use std::time::Instant;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use tracing::span::EnteredSpan;

use crate::clock::{Clock as _, SystemClock};
use crate::model::{PassOutcome, Report};
use crate::telemetry;

/// Seconds at which histograms are cut: from a poll to a slow fetch.
const SECONDS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0];

macro_rules! labels {
    ($($name:ident { $($label:ident),+ })+) => {
        $(#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
        struct $name { $($label: &'static str),+ })+
    };
}

labels! {
    OfOutcome { outcome }
    OfStep { step }
    OfFamily { family }
    OfRequest { method, route, status }
    OfReason { reason }
    OfWitness { witness }
    OfLimit { limit }
}

/// The counts.
pub struct Meters {
    passes: Family<OfOutcome, Counter>,
    refusals: Family<OfFamily, Counter>,
    steps: Family<OfStep, Histogram>,
    deliveries: Family<OfOutcome, Counter>,
    requests: Family<OfRequest, Counter>,
    request_seconds: Histogram,
    limited: Family<OfLimit, Counter>,
    /// Source asked us to wait.
    throttled: Counter,
    spans_exported: Counter,
    spans_dropped: Family<OfReason, Counter>,
    witnessed: Family<OfWitness, Gauge>,
    witnessed_at: Family<OfWitness, Gauge>,
    unwitnessed: Family<OfWitness, Counter>,
}

static METERS: LazyLock<Meters> = LazyLock::new(Meters::new);

/// Those of this process.
#[must_use]
pub fn meters() -> &'static Meters {
    &METERS
}

/// A step of a pass that is timed until this is dropped.
#[must_use = "the step ends when this is dropped"]
pub struct Timed {
    step: &'static str,
    since: Instant,
    /// Ends with it in the trace too.
    _span: Option<EnteredSpan>,
}

impl Drop for Timed {
    fn drop(&mut self) {
        let seconds = self.since.elapsed().as_secs_f64();
        METERS.steps.get_or_create(&OfStep { step: self.step }).observe(seconds);
    }
}

impl Meters {
    /// All at nought: what grows from nothing to one is no increase to Prometheus.
    fn new() -> Self {
        let meters = Self {
            passes: Family::default(),
            refusals: Family::default(),
            steps: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            deliveries: Family::default(),
            requests: Family::default(),
            request_seconds: Histogram::new(SECONDS),
            limited: Family::default(),
            throttled: Counter::default(),
            spans_exported: Counter::default(),
            spans_dropped: Family::default(),
            witnessed: Family::default(),
            witnessed_at: Family::default(),
            unwitnessed: Family::default(),
        };
        for outcome in PassOutcome::EACH {
            let (outcome, _) = outcome.words();
            drop(meters.passes.get_or_create(&OfOutcome { outcome }));
        }
        for family in FAMILIES.into_iter().chain([OTHER]) {
            drop(meters.refusals.get_or_create(&OfFamily { family }));
        }
        for outcome in DELIVERED {
            drop(meters.deliveries.get_or_create(&OfOutcome { outcome }));
        }
        for limit in LIMITED {
            drop(meters.limited.get_or_create(&OfLimit { limit }));
        }
        meters
    }

    /// A step of a pass begins: one of a few words.
    pub fn time(&self, step: &'static str) -> Timed {
        Timed { step, since: Instant::now(), _span: Some(telemetry::step(step)) }
    }

    /// A pass begins, which is a span of its own already.
    pub fn time_pass(&self) -> Timed {
        Timed { step: "pass", since: Instant::now(), _span: None }
    }

    /// A pass ended.
    pub fn passed(&self, report: &Report) {
        let (outcome, _) = report.outcome.words();
        self.passes.get_or_create(&OfOutcome { outcome }).inc();
    }

    /// A pass that was to make something live ended: counts what refused that.
    pub fn refused(&self, report: &Report) {
        if matches!(report.outcome, PassOutcome::Refused(_)) {
            for finding in report.findings.iter().filter(|finding| finding.is_error()) {
                self.refusals.get_or_create(&OfFamily { family: family(&finding.rule) }).inc();
            }
        }
    }

    /// The source asked us to wait.
    pub fn throttled(&self) {
        self.throttled.inc();
    }

    /// The collector took spans.
    pub fn spans_exported(&self, count: usize) {
        self.spans_exported.inc_by(count as u64);
    }

    /// Spans went nowhere: `queue_full`, `too_many` or `not_taken`.
    pub fn spans_dropped(&self, reason: &'static str, count: usize) {
        if count > 0 {
            self.spans_dropped.get_or_create(&OfReason { reason }).inc_by(count as u64);
        }
    }

    /// A witness has a checkpoint of the audit trail at this record: `file` or `ref`.
    pub fn witnessed(&self, witness: &'static str, record: u64) {
        let record = i64::try_from(record).unwrap_or(i64::MAX);
        self.witnessed.get_or_create(&OfWitness { witness }).set(record);
        let seconds = SystemClock.now().seconds();
        self.witnessed_at.get_or_create(&OfWitness { witness }).set(seconds);
    }

    /// A checkpoint could not be given to it.
    pub fn unwitnessed(&self, witness: &'static str) {
        self.unwitnessed.get_or_create(&OfWitness { witness }).inc();
    }

    /// An attempt to deliver an event ended: `delivered`, `failed` or `given_up`.
    pub fn delivery(&self, outcome: &'static str) {
        self.deliveries.get_or_create(&OfOutcome { outcome }).inc();
    }

    /// A request was answered.
    pub fn request(&self, method: &'static str, route: &'static str, status: u16, since: Instant) {
        let status = match status {
            100..=199 => "1xx",
            200..=299 => "2xx",
            300..=399 => "3xx",
            400..=499 => "4xx",
            _ => "5xx",
        };
        self.requests.get_or_create(&OfRequest { method, route, status }).inc();
        self.request_seconds.observe(since.elapsed().as_secs_f64());
    }

    /// A request was over a limit: `reads`, `looks`, `writes` or `hooks`.
    pub fn limited(&self, limit: &'static str) {
        self.limited.get_or_create(&OfLimit { limit }).inc();
    }

    /// Adds them to what is told.
    pub fn register(&self, to: &mut Registry) {
        to.register("passes_by_outcome", "Passes by how they ended", self.passes.clone());
        let help = "Errors that refused a revision, by the family of their rules";
        to.register("refusals", help, self.refusals.clone());
        let help = "How long the steps of passes took";
        to.register_with_unit("step_duration", help, Unit::Seconds, self.steps.clone());
        let help = "Attempts to deliver an event, by outcome";
        to.register("delivery_attempts", help, self.deliveries.clone());
        to.register("http_requests", "Requests that were answered", self.requests.clone());
        let help = "How long answers took";
        to.register_with_unit(
            "http_request_duration",
            help,
            Unit::Seconds,
            self.request_seconds.clone(),
        );
        let help = "Requests that were over a limit of api.rate_limit";
        to.register("http_rate_limited", help, self.limited.clone());
        let help = "Times that the source asked to be left alone for a while";
        to.register("source_throttled", help, self.throttled.clone());
        let help = "The last record of the audit trail that a witness has a checkpoint of";
        to.register("audit_witnessed_record", help, self.witnessed.clone());
        let help = "When a checkpoint was given to a witness last";
        let name = "audit_witness_last_success_timestamp_seconds";
        to.register(name, help, self.witnessed_at.clone());
        let help = "Times that a checkpoint could not be given to a witness";
        to.register("audit_witness_failures", help, self.unwitnessed.clone());
        let help = "Spans that the collector took";
        to.register("trace_spans_exported", help, self.spans_exported.clone());
        let help = "Spans that went nowhere, by why";
        to.register("trace_spans_dropped", help, self.spans_dropped.clone());
    }
}

/// The families that rules have: a fixed few, whatever a policy calls its own.
const FAMILIES: [&str; 16] = [
    "trust",
    "render",
    "path",
    "limits",
    "links",
    "lfs",
    "yaml",
    "json",
    "schema",
    "kos",
    "references",
    "policy",
    "leak",
    "secrets",
    "check",
    "profile",
];
/// All other families.
const OTHER: &str = "other";
/// How attempts to deliver an event end.
const DELIVERED: [&str; 3] = ["delivered", "failed", "given_up"];
/// The limits of `api.rate_limit`.
const LIMITED: [&str; 4] = ["reads", "looks", "writes", "hooks"];

fn family(rule: &str) -> &'static str {
    let named = rule.split('.').next().unwrap_or_default();
    FAMILIES.into_iter().find(|family| *family == named).unwrap_or(OTHER)
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;
    use crate::model::{Finding, Reason};

    fn told(meters: &Meters) -> String {
        let mut registry = Registry::with_prefix("kconfigd");
        meters.register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        text
    }

    #[test]
    fn what_never_happened_is_told_as_nought_so_that_the_first_time_is_an_increase() {
        let meters = Meters::new();
        let before = told(&meters);
        for line in [
            "kconfigd_refusals_total{family=\"policy\"} 0",
            "kconfigd_refusals_total{family=\"other\"} 0",
            "kconfigd_delivery_attempts_total{outcome=\"given_up\"} 0",
            "kconfigd_passes_by_outcome_total{outcome=\"refused\"} 0",
            "kconfigd_source_throttled_total 0",
        ] {
            assert!(before.contains(line), "{line} is not in {before}");
        }
        let mut report = Report::new(PassOutcome::Refused(Reason::ValidationRefused), "no");
        report.findings = vec![Finding::error("mine.rule", "no")];
        meters.passed(&report);
        meters.refused(&report);
        meters.delivery("given_up");
        let after = told(&meters);
        assert!(after.contains("kconfigd_refusals_total{family=\"other\"} 1"), "{after}");
        let lines = |text: &str| text.lines().count();
        assert_eq!(lines(&before), lines(&after), "{after}");
    }
}
