//! Spans as the OpenTelemetry Protocol has them, in JSON (opentelemetry-proto 1.x, "JSON Protobuf
//! Encoding": ids in hexadecimal, numbers of 64 bits as texts).

use serde_json::{Value, json};

use super::collect::{Ended, Told};

/// `SPAN_KIND_INTERNAL` and `SPAN_KIND_CLIENT`.
const KINDS: [u8; 2] = [1, 3];
/// `STATUS_CODE_ERROR`.
const ERROR: u8 = 2;

/// A request that tells these spans in the name of this service on this host.
pub(super) fn request(service: &str, host: &str, spans: &[Ended]) -> Value {
    let attributes = [("service.name", service), ("host.name", host)];
    let version = env!("CARGO_PKG_VERSION");
    let resource: Vec<Value> = attributes
        .into_iter()
        .chain([("service.version", version)])
        .map(|(key, text)| json!({"key": key, "value": {"stringValue": text}}))
        .collect();
    json!({"resourceSpans": [{
        "resource": {"attributes": resource},
        "scopeSpans": [{
            "scope": {"name": "kconfigd", "version": version},
            "spans": spans.iter().map(span).collect::<Vec<_>>(),
        }],
    }]})
}

fn span(span: &Ended) -> Value {
    let mut told = json!({
        "traceId": span.trace,
        "spanId": span.span,
        "name": span.name,
        "kind": KINDS[usize::from(span.is_client)],
        "startTimeUnixNano": span.began.to_string(),
        "endTimeUnixNano": span.ended.to_string(),
        "attributes": span.attributes.iter().map(attribute).collect::<Vec<_>>(),
    });
    if let Some(parent) = &span.parent {
        told["parentSpanId"] = parent.as_str().into();
    }
    if let Some(error) = &span.error {
        told["status"] = json!({"code": ERROR, "message": error});
    }
    told
}

fn attribute((name, told): &(&'static str, Told)) -> Value {
    let key = match *name {
        "status" => "http.response.status_code".to_owned(),
        name => format!("kconfigd.{name}"),
    };
    let value = match told {
        Told::Text(text) => json!({"stringValue": text}),
        Told::Number(number) => json!({"intValue": number.to_string()}),
        Told::Yes(yes) => json!({"boolValue": yes}),
    };
    json!({"key": key, "value": value})
}
