//! A body is read within a size, a time, and what all bodies together may hold.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use futures_util::StreamExt as _;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::problem::Problem;

/// How long a body may take to arrive.
pub(super) const BODY_TIME_MAX: Duration = Duration::from_secs(10);
/// KiB that all bodies together hold while they arrive. What forges send is some ten KiB, a profile less.
const BODIES_KIB_MAX: usize = 32 * 1024;

static BODIES_KIB: Semaphore = Semaphore::const_new(BODIES_KIB_MAX);

/// Reads a body of at most `bytes_max` that arrives within `time_max`. One that says it is larger is
/// refused before it is read.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    bytes_max: u64,
    time_max: Duration,
) -> Result<Vec<u8>, Problem> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if announced.and_then(|text| text.parse::<u64>().ok()).is_some_and(|bytes| bytes > bytes_max) {
        return Err(too_large(bytes_max));
    }
    let read = tokio::time::timeout(time_max, collect(body, bytes_max));
    read.await.unwrap_or_else(|_| {
        let seconds = time_max.as_secs();
        let detail = format!("the body did not arrive within {seconds} s");
        Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", detail))
    })
}

async fn collect(body: Body, bytes_max: u64) -> Result<Vec<u8>, Problem> {
    let mut stream = body.into_data_stream();
    let mut held: Option<SemaphorePermit<'static>> = None;
    let mut bytes = Vec::new();
    while let Some(part) = stream.next().await {
        let part = part.map_err(|_| Problem::bad_request("the body broke off"))?;
        if (bytes.len() as u64).saturating_add(part.len() as u64) > bytes_max {
            return Err(too_large(bytes_max));
        }
        let kib = u32::try_from(part.len().div_ceil(1024)).unwrap_or(u32::MAX);
        let more = BODIES_KIB.try_acquire_many(kib).map_err(|_| {
            let detail = "too much arrives at once; send it again";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail)
        })?;
        match &mut held {
            Some(held) => held.merge(more),
            None => held = Some(more),
        }
        bytes.extend_from_slice(&part);
    }
    Ok(bytes)
}

fn too_large(bytes_max: u64) -> Problem {
    let detail =
        format!("the body is larger than {bytes_max} bytes, which limits.http_body_bytes_max says");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
}
