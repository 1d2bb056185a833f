//! An OpenTelemetry collector: takes traces over HTTP, in JSON, and believes only what is well made.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::http::{Handler, HttpServer, Next, Request, header, write_whole};
use super::wait_for;

/// A span as it came.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) trace: String,
    pub(crate) id: String,
    pub(crate) parent: Option<String>,
    pub(crate) name: String,
    pub(crate) kind: u64,
    pub(crate) began: u64,
    pub(crate) ended: u64,
    pub(crate) attributes: Vec<(String, Value)>,
    pub(crate) is_error: bool,
}

impl Span {
    pub(crate) fn attribute(&self, name: &str) -> Option<String> {
        let (_, value) = self.attributes.iter().find(|(key, _)| key == name)?;
        let value = value.as_object()?.values().next()?;
        Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    }
}

/// Listens on a free port. Stops when dropped.
pub(crate) struct Collector {
    seen: Arc<Seen>,
    server: HttpServer,
}

#[derive(Default)]
struct Seen {
    spans: Mutex<Vec<Span>>,
    requests: Mutex<Vec<Request>>,
}

impl Collector {
    pub(crate) fn start() -> Self {
        let seen = Arc::<Seen>::default();
        let handler: Arc<dyn Handler> = Arc::<Seen>::clone(&seen);
        let server = HttpServer::start(0, None, Arc::default(), handler);
        Self { seen, server }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port())
    }

    /// All spans so far.
    pub(crate) fn spans(&self) -> Vec<Span> {
        self.seen.spans.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.seen.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The spans of the first trace that has enough of them by this measure.
    #[track_caller]
    pub(crate) fn wait_for(&self, what: &str, enough: impl Fn(&[Span]) -> bool) -> Vec<Span> {
        wait_for(what, || {
            let spans = self.spans();
            let traces: std::collections::BTreeSet<_> = spans.iter().map(|s| &s.trace).collect();
            traces.into_iter().find_map(|trace| {
                let of: Vec<Span> = spans.iter().filter(|s| s.trace == *trace).cloned().collect();
                enough(&of).then_some(of)
            })
        })
    }
}

impl Handler for Seen {
    fn answer(&self, request: &Request, out: &mut dyn Write) -> io::Result<Next> {
        let is_traces = request.method == "POST" && request.target == "/v1/traces";
        let is_json = request.header("content-type") == Some("application/json");
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let status =
            if is_traces && is_json && body["resourceSpans"].is_array() { 200 } else { 400 };
        if status == 200 {
            let spans = body["resourceSpans"].as_array().into_iter().flatten();
            let spans = spans.flat_map(|r| r["scopeSpans"].as_array().into_iter().flatten());
            let spans = spans.flat_map(|s| s["spans"].as_array().into_iter().flatten());
            let mut kept = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
            kept.extend(spans.map(span));
        }
        let json = [header("content-type", "application/json")];
        write_whole(out, status, &json, b"{}")?;
        Ok(Next::Keep)
    }
}

fn span(told: &Value) -> Span {
    let text = |key: &str| told[key].as_str().unwrap_or_default().to_owned();
    let number = |key: &str| told[key].as_str().and_then(|text| text.parse().ok());
    let (trace, id) = (text("traceId"), text("spanId"));
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    assert!(trace.len() == 32 && is_hex(&trace) && id.len() == 16 && is_hex(&id), "{told:#}");
    let attributes = told["attributes"].as_array().cloned().unwrap_or_default();
    Span {
        trace,
        id,
        parent: told["parentSpanId"].as_str().map(str::to_owned),
        name: text("name"),
        kind: told["kind"].as_u64().expect("a kind"),
        began: number("startTimeUnixNano").expect("a beginning"),
        ended: number("endTimeUnixNano").expect("an end"),
        attributes: attributes
            .iter()
            .map(|a| (a["key"].as_str().unwrap_or_default().to_owned(), a["value"].clone()))
            .collect(),
        is_error: told["status"]["code"] == 2,
    }
}
