use std::fmt;

use serde_json::{Map, Value};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields as _, FormattedFields};
use tracing_subscriber::layer::{Context, Filter};
use tracing_subscriber::registry::LookupSpan;

use super::WORK;

/// One JSON object a line: when, how bad, what, the line's own fields, and those of the pass or the
/// delivery that it belongs to beside them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lines;

impl<S> FormatEvent<S, JsonFields> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Map::new();
        let mut text = String::new();
        SystemTime.format_time(&mut Writer::new(&mut text))?;
        line.insert("timestamp".to_owned(), text.into());
        line.insert("level".to_owned(), event.metadata().level().as_str().into());
        // It has its place, wherever among the fields it comes.
        line.insert("message".to_owned(), Value::Null);
        let mut own = String::new();
        JsonFields::new().format_fields(Writer::new(&mut own), event)?;
        add(&mut line, &own);
        line.retain(|name, value| name != "message" || !value.is_null());
        for span in context.event_scope().into_iter().flatten() {
            if let Some(fields) = span.extensions().get::<FormattedFields<JsonFields>>() {
                add(&mut line, &fields.fields);
            }
        }
        // Of use to a collector alone.
        for only in ["parent_id", "told"] {
            line.remove(only);
        }
        let line = serde_json::to_string(&line).map_err(|_| fmt::Error)?;
        writeln!(writer, "{line}")
    }
}

/// Adds fields, unless they are there.
fn add(line: &mut Map<String, Value>, fields: &str) {
    let Ok(Value::Object(fields)) = serde_json::from_str(fields) else { return };
    for (name, value) in fields {
        let told = line.entry(name).or_insert(Value::Null);
        if told.is_null() {
            *told = value;
        }
    }
}

/// What the log shows: lines up to a level, and what they belong to where that is part of a line.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    /// The level.
    pub level: LevelFilter,
    /// Whether a line tells what it belongs to.
    pub belongings: bool,
}

impl Shown {
    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        if metadata.is_span() {
            return self.belongings && metadata.target() == WORK;
        }
        *metadata.level() <= self.level
    }
}

impl<S> Filter<S> for Shown {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        self.wants(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.wants(metadata) { Interest::always() } else { Interest::never() }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        // The spans are of this level.
        Some(if self.belongings { self.level.max(LevelFilter::INFO) } else { self.level })
    }
}
