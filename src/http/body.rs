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

/// The most that a body may have, and who says so.
#[derive(Clone, Copy, Debug)]
pub(super) struct BytesMax {
    pub(super) bytes: u64,
    /// What it is, behind "which".
    pub(super) which: &'static str,
}

/// Reads a body of at most `bytes_max`, which the settings say; see [`read_at_most`].
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    bytes_max: u64,
    time_max: Duration,
) -> Result<Vec<u8>, Problem> {
    let max = BytesMax { bytes: bytes_max, which: "limits.http_body_bytes_max says" };
    read_at_most(headers, body, max, time_max).await
}

/// Reads a body of at most `max` that arrives within `time_max`. One that says it is larger is
/// refused before it is read.
pub(super) async fn read_at_most(
    headers: &HeaderMap,
    body: Body,
    max: BytesMax,
    time_max: Duration,
) -> Result<Vec<u8>, Problem> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if announced.and_then(|text| text.parse::<u64>().ok()).is_some_and(|bytes| bytes > max.bytes) {
        return Err(too_large(max));
    }
    let read = tokio::time::timeout(time_max, collect(body, max));
    read.await.unwrap_or_else(|_| {
        let seconds = time_max.as_secs();
        let detail = format!("the body did not arrive within {seconds} s");
        Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", detail))
    })
}

async fn collect(body: Body, max: BytesMax) -> Result<Vec<u8>, Problem> {
    let mut stream = body.into_data_stream();
    let mut held: Option<SemaphorePermit<'static>> = None;
    let mut bytes = Vec::new();
    while let Some(part) = stream.next().await {
        let part = part.map_err(|_| Problem::bad_request("the body broke off"))?;
        if (bytes.len() as u64).saturating_add(part.len() as u64) > max.bytes {
            return Err(too_large(max));
        }
        // By the whole body, not by its parts: those can be of one byte each.
        let kib = bytes.len().saturating_add(part.len()).div_ceil(1024);
        let more = kib.saturating_sub(held.as_ref().map_or(0, SemaphorePermit::num_permits));
        if more > 0 {
            let more = BODIES_KIB.try_acquire_many(u32::try_from(more).unwrap_or(u32::MAX));
            let more = more.map_err(|_| {
                let detail = "too much arrives at once; send it again";
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail)
            })?;
            match &mut held {
                Some(held) => held.merge(more),
                None => held = Some(more),
            }
        }
        bytes.extend_from_slice(&part);
    }
    Ok(bytes)
}

fn too_large(BytesMax { bytes, which }: BytesMax) -> Problem {
    let detail = format!("the body is larger than {bytes} bytes, which {which}");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[tokio::test]
    async fn a_body_in_parts_of_a_byte_takes_no_more_room_than_its_bytes() {
        let parts = (0..BODIES_KIB_MAX * 2).map(|_| Ok::<_, Infallible>("a"));
        let body = Body::from_stream(futures_util::stream::iter(parts));
        let read = read(&HeaderMap::new(), body, 1024 * 1024, BODY_TIME_MAX).await.unwrap();
        assert_eq!(read.len(), BODIES_KIB_MAX * 2);
        assert_eq!(BODIES_KIB.available_permits(), BODIES_KIB_MAX, "all room is given back");
    }
}
