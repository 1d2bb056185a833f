use tracing::Span;
use tracing::field::Empty;

use super::{Trace, WORK, is_on, sample};
use crate::model::{DeploymentId, Event, PassOutcome, Report, Revision};

/// A pass or a delivery: what is logged within carries what is known of it, and it is a trace of its
/// own or a part of one, where that is wanted.
pub struct Work {
    span: Span,
    trace: Option<Trace>,
}

impl Work {
    /// Nothing.
    #[must_use]
    pub fn none() -> Self {
        Self { span: Span::none(), trace: None }
    }

    /// A pass, and what caused it.
    #[must_use]
    pub fn pass(trigger: &'static str) -> Self {
        let trace = if is_on() { Trace::begin(sample()) } else { None };
        let (id, span) = (trace.map(|t| t.trace_id()), trace.map(|t| t.span_id()));
        let span = tracing::info_span!(
            target: WORK,
            "pass",
            trigger,
            revision = Empty,
            deployment = Empty,
            outcome = Empty,
            error = Empty,
            told = Empty,
            trace_id = id,
            span_id = span,
        );
        Self { span, trace }
    }

    /// What is still said of a pass once it has ended; no trace.
    #[must_use]
    pub fn after(trigger: &'static str, report: &Report) -> Self {
        let revision = report.revision.as_ref().map(tracing::field::display);
        let deployment = report.deployment.map(|id| id.0);
        let span = tracing::info_span!(target: WORK, "told", trigger, revision, deployment);
        Self { span, trace: None }
    }

    /// A delivery of an event to a node; it follows from the pass that recorded the event.
    #[must_use]
    pub fn delivery(node: &str, event: &Event) -> Self {
        let trace = if is_on() { event.trace.as_deref().and_then(Trace::after) } else { None };
        let (id, span) = (trace.map(|t| t.trace_id()), trace.map(|t| t.span_id()));
        let span = tracing::info_span!(
            target: WORK,
            "deliver",
            node,
            event = event.id,
            kind = event.kind.as_str(),
            revision = event.facts.revision.as_ref().map(tracing::field::display),
            deployment = event.facts.deployment.map(|id| id.0),
            status = Empty,
            error = Empty,
            told = trace.map(|_| true),
            trace_id = id,
            span_id = span,
            parent_id = trace.and_then(|t| t.parent_id()),
        );
        Self { span, trace }
    }

    /// The span, for what happens within it.
    #[must_use]
    pub fn span(&self) -> Span {
        self.span.clone()
    }

    /// It is about this revision.
    pub fn revision(&self, revision: &Revision) {
        self.span.record("revision", tracing::field::display(revision));
    }

    /// It makes this deployment.
    pub fn deployment(&self, id: DeploymentId) {
        self.span.record("deployment", id.0);
    }

    /// How the pass ended.
    pub fn ended(&self, report: &Report) {
        if self.span.is_disabled() {
            return;
        }
        let (outcome, _) = report.outcome.words();
        self.span.record("outcome", outcome);
        if let Some(revision) = &report.revision {
            self.revision(revision);
        }
        if let Some(id) = report.deployment {
            self.deployment(id);
        }
        if is_bad(&report.outcome) {
            self.span.record("error", report.message.as_str());
        }
    }

    /// What a node answered; with what went wrong, if something did.
    pub fn answered(&self, status: Option<u16>, error: Option<&str>) {
        if let Some(status) = status {
            self.span.record("status", status);
        }
        if let Some(error) = error {
            self.span.record("error", error);
        }
    }

    /// The header `traceparent` for what follows from this.
    #[must_use]
    pub fn traceparent(&self) -> Option<String> {
        self.trace.as_ref().map(Trace::traceparent)
    }

    /// The same, for something that will be told elsewhere: this is then worth being exported,
    /// though nothing else may have been done.
    #[must_use]
    pub fn told(&self) -> Option<String> {
        if self.trace.is_some() {
            self.span.record("told", true);
        }
        self.traceparent()
    }
}

/// Whether a pass that ended so did not do what it was to do.
const fn is_bad(outcome: &PassOutcome) -> bool {
    matches!(
        outcome,
        PassOutcome::Refused(_)
            | PassOutcome::Unreachable(_)
            | PassOutcome::Failed
            | PassOutcome::Unrecorded
            | PassOutcome::Unhealthy
            | PassOutcome::RolledBack
    )
}
