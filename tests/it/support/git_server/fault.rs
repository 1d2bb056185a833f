use std::io::{self, Write};
use std::time::Duration;

use super::{Shared, backend};
use crate::support::http::{self, Next, Request, header};
use crate::support::wait::PATIENCE;

/// What can go wrong at a server, or between it and the client.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// An answer of its own instead of git's.
    Answer { status: u16, headers: Vec<(String, String)>, body: Vec<u8> },
    /// No answer at all, and the connection stays open, until the fault is another.
    Hang,
    /// The connection is closed after this many bytes of the right answer.
    Truncate(usize),
    /// The right answer, head and body, with some bits of this byte turned over.
    Flip(usize),
    /// The right answer, a few bytes at a time with a pause after each.
    Slow { bytes: usize, pause: Duration },
    /// A success whose body of zeros never ends.
    Endless,
}

impl Fault {
    /// An answer with this status and a page that says nothing.
    pub(crate) fn status(status: u16) -> Self {
        Self::Answer { status, headers: Vec::new(), body: b"<html>not now</html>\n".to_vec() }
    }

    /// Everything is to be found elsewhere.
    pub(crate) fn redirect(to: &str) -> Self {
        Self::Answer { status: 302, headers: vec![header("location", to)], body: Vec::new() }
    }

    /// With `Retry-After`, in seconds.
    pub(crate) fn retry_after(mut self, seconds: u32) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push(header("retry-after", seconds));
        }
        self
    }

    pub(super) fn happen(
        self,
        shared: &Shared,
        generation: u64,
        request: &Request,
        out: &mut dyn Write,
    ) -> io::Result<Next> {
        match self {
            Self::Answer { status, headers, body } => {
                http::write_whole(out, status, &headers, &body)?;
                return Ok(Next::Keep);
            }
            Self::Hang => {
                shared.linger(generation, PATIENCE * 10);
            }
            Self::Truncate(bytes) => {
                let mut answer = Vec::new();
                backend::answer(shared, request, &mut answer)?;
                out.write_all(answer.get(..bytes).unwrap_or(&answer))?;
            }
            Self::Flip(at) => {
                let mut answer = Vec::new();
                backend::answer(shared, request, &mut answer)?;
                if let Some(byte) = answer.get_mut(at) {
                    *byte ^= 0x55;
                }
                out.write_all(&answer)?;
            }
            Self::Slow { bytes, pause } => {
                let mut answer = Vec::new();
                backend::answer(shared, request, &mut answer)?;
                for part in answer.chunks(bytes) {
                    out.write_all(part)?;
                    out.flush()?;
                    if !shared.linger(generation, pause) {
                        break;
                    }
                }
            }
            Self::Endless => {
                let kind = if request.method == "GET" { "advertisement" } else { "result" };
                let kind = format!("application/x-git-upload-pack-{kind}");
                let headers = [header("content-type", kind)];
                out.write_all(&http::head(200, &headers))?;
                out.write_all(b"connection: close\r\n\r\n")?;
                while shared.linger(generation, Duration::ZERO) {
                    out.write_all(&[0; 64 * 1024])?;
                }
            }
        }
        out.flush()?;
        Ok(Next::Close)
    }
}
