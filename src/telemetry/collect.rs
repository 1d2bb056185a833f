use std::sync::{Mutex, OnceLock, PoisonError};

use tokio::sync::mpsc;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, Filter};
use tracing_subscriber::registry::LookupSpan;

use super::context::{hex, span_id};
use super::{STEP, WORK, is_on};
use crate::clock::nanos_since_epoch;
use crate::meters::meters;

/// Spans of one piece of work; a pass makes some ten.
const SPANS_MAX: usize = 128;
/// Pieces of work that wait to be exported.
const QUEUE_MAX: usize = 256;
/// Attributes of one span.
const ATTRIBUTES_MAX: usize = 16;
/// Characters kept of a text.
const TEXT_CHARS_MAX: usize = 500;
/// The step that every pass has, and that alone is worth nothing.
const ASK: &str = "ask";

/// A span that has ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) trace: String,
    pub(super) span: String,
    pub(super) parent: Option<String>,
    pub(super) name: &'static str,
    /// Whether it is a request to somebody else.
    pub(super) is_client: bool,
    pub(super) began: u64,
    pub(super) ended: u64,
    pub(super) attributes: Vec<(&'static str, Told)>,
    pub(super) error: Option<String>,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Told {
    Text(String),
    Number(i64),
    Yes(bool),
}

/// A span that has not ended.
struct Open {
    span: Ended,
    /// Whether it is a pass or a delivery itself.
    is_work: bool,
    /// Whether it is worth being exported.
    is_kept: bool,
    /// What has ended within.
    within: Vec<Ended>,
}

static QUEUE: OnceLock<mpsc::Sender<Vec<Ended>>> = OnceLock::new();
static QUEUED: Mutex<Option<mpsc::Receiver<Vec<Ended>>>> = Mutex::new(None);

/// What is to be exported, for the first who asks.
pub(super) fn queued() -> Option<mpsc::Receiver<Vec<Ended>>> {
    QUEUED.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Collects the spans of passes and deliveries, and hands those on that are worth it.
pub struct Collect;

impl Collect {
    /// With a queue for what it collects, one for the process.
    #[must_use]
    pub fn new() -> Self {
        QUEUE.get_or_init(|| {
            let (sender, receiver) = mpsc::channel(QUEUE_MAX);
            *QUEUED.lock().unwrap_or_else(PoisonError::into_inner) = Some(receiver);
            sender
        });
        Self
    }
}

impl Default for Collect {
    fn default() -> Self {
        Self::new()
    }
}

/// Who wants spans: nobody, unless something is traced.
pub(super) struct Wanted;

fn is_wanted(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && matches!(metadata.target(), WORK | STEP) && is_on()
}

impl<S> Filter<S> for Wanted {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        is_wanted(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if is_wanted(metadata) { Interest::always() } else { Interest::never() }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(if is_on() { LevelFilter::INFO } else { LevelFilter::OFF })
    }
}

impl Collect {
    /// With the filter that belongs to it.
    #[must_use]
    pub fn layer<S>(self) -> impl Layer<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        self.with_filter(Wanted)
    }
}

impl<S> Layer<S> for Collect
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut said = Said::default();
        attributes.record(&mut said);
        let is_work = attributes.metadata().target() == WORK;
        let (trace, span_id, parent) = if is_work {
            let (Some(trace), Some(span)) = (said.trace.take(), said.span.take()) else { return };
            (trace, span, said.parent.take())
        } else {
            let Some(above) = span.parent() else { return };
            let extensions = above.extensions();
            let Some(above) = extensions.get::<Open>() else { return };
            let Some(id) = span_id() else { return };
            (above.span.trace.clone(), hex(&id), Some(above.span.span.clone()))
        };
        let mut open = Open {
            span: Ended {
                trace,
                span: span_id,
                is_client: parent.is_some() && is_work,
                parent,
                name: said.step.unwrap_or(attributes.metadata().name()),
                began: nanos_since_epoch(),
                ended: 0,
                attributes: Vec::new(),
                error: None,
            },
            is_work,
            is_kept: false,
            within: Vec::new(),
        };
        open.hear(said);
        span.extensions_mut().insert(open);
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut extensions = span.extensions_mut();
        let Some(open) = extensions.get_mut::<Open>() else { return };
        let mut said = Said::default();
        record.record(&mut said);
        open.hear(said);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(mut open) = span.extensions_mut().remove::<Open>() else { return };
        open.span.ended = nanos_since_epoch().max(open.span.began);
        if open.is_work {
            if open.is_kept {
                hand_on(open);
            }
            return;
        }
        let Some(above) = span.parent() else { return };
        if let Some(above) = above.extensions_mut().get_mut::<Open>() {
            above.is_kept |= open.is_kept || open.span.name != ASK;
            open.within.push(open.span);
            let room = SPANS_MAX.saturating_sub(above.within.len());
            meters().spans_dropped("too_many", open.within.len().saturating_sub(room));
            above.within.extend(open.within.into_iter().take(room));
        }
    }
}

fn hand_on(open: Open) {
    let mut all = open.within;
    all.push(open.span);
    let Some(queue) = QUEUE.get() else { return };
    if let Err(error) = queue.try_send(all) {
        let (mpsc::error::TrySendError::Full(all) | mpsc::error::TrySendError::Closed(all)) = error;
        meters().spans_dropped("queue_full", all.len());
    }
}

impl Open {
    fn hear(&mut self, said: Said) {
        self.is_kept |= said.is_told;
        if said.error.is_some() {
            self.span.error = said.error;
        }
        let room = ATTRIBUTES_MAX.saturating_sub(self.span.attributes.len());
        for (name, told) in said.attributes.into_iter().take(room) {
            self.span.attributes.retain(|(known, _)| *known != name);
            self.span.attributes.push((name, told));
        }
    }
}

/// What a span says of itself.
#[derive(Default)]
struct Said {
    trace: Option<String>,
    span: Option<String>,
    parent: Option<String>,
    step: Option<&'static str>,
    error: Option<String>,
    is_told: bool,
    attributes: Vec<(&'static str, Told)>,
}

impl Said {
    fn text(&mut self, field: &Field, text: &str) {
        let text: String = text.chars().take(TEXT_CHARS_MAX).collect();
        match field.name() {
            "trace_id" => self.trace = Some(text),
            "span_id" => self.span = Some(text),
            "parent_id" => self.parent = Some(text),
            "error" => self.error = Some(text),
            "step" => self.step = STEPS.into_iter().find(|step| *step == text),
            name => self.attributes.push((name, Told::Text(text))),
        }
    }
}

/// The steps that there are.
const STEPS: [&str; 13] = [
    ASK, "fetch", "trust", "render", "plan", "gates", "unseal", "apply", "stage", "checks",
    "publish", "complete", "bake",
];

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.attributes.push((field.name(), Told::Number(value)));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        self.attributes.push((field.name(), Told::Number(value)));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        match field.name() {
            "told" => self.is_told |= value,
            name => self.attributes.push((name, Told::Yes(value))),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.text(field, &format!("{value:?}"));
    }
}
