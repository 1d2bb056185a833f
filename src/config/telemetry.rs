//! `telemetry`: who is told what passes and deliveries do, and how long that takes.

use std::path::PathBuf;

use super::location::http_url;
use super::reader::Reader;
use super::values;

/// Where traces go.
#[derive(Clone, Debug, PartialEq)]
pub struct Telemetry {
    /// A collector that takes OTLP over HTTP.
    pub otlp_endpoint: String,
    /// Headers for it, one a line.
    pub headers_file: Option<PathBuf>,
    /// What it knows us by.
    pub service_name: String,
    /// The part of all passes that are traced, 0 to 1.
    pub sample: f64,
}

const ENDPOINT: &str = "telemetry.otlp_endpoint";
const HEADERS: &str = "telemetry.headers_file";

/// Reads the group; `None`: nothing is traced.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<Telemetry> {
    let headers_file = reader.path(HEADERS);
    let service_name = reader.text("telemetry.service_name")?;
    let sample = reader.optional("telemetry.sample", values::percent)?;
    let endpoint = reader.optional(ENDPOINT, |node| {
        let text = values::text(node)?;
        http_url(&text).map(|_| text)
    });
    if endpoint.is_none() && headers_file.is_some() {
        reader.warn(HEADERS, "is not used: telemetry.otlp_endpoint is not set");
    }
    Some(Telemetry { otlp_endpoint: endpoint?, headers_file, service_name, sample })
}
