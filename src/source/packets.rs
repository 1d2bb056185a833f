//! pkt-lines: git's framing (gitprotocol-common). Four hexadecimal digits of length, then bytes.

use std::io::Read;

use super::SourceError;
use super::error::words;

/// Bytes in one pkt-line, its length digits included.
const PACKET_BYTES_MAX: usize = 65_520;

/// One pkt-line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Packet<'a> {
    /// Bytes.
    Data(&'a [u8]),
    /// The end of a message.
    Flush,
    /// The end of a section.
    Delimiter,
}

/// Appends one line of text; the newline is ours to add.
pub(super) fn line(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(format!("{:04x}{text}\n", text.len() + 5).as_bytes());
}

/// Appends the end of a message.
pub(super) fn flush(out: &mut Vec<u8>) {
    out.extend_from_slice(b"0000");
}

/// Appends the end of a section.
pub(super) fn delimiter(out: &mut Vec<u8>) {
    out.extend_from_slice(b"0001");
}

/// Reads pkt-lines, at most so many bytes of them.
pub(super) struct Packets<R> {
    from: R,
    place: String,
    buffer: Vec<u8>,
    left: u64,
    limit: (&'static str, u64),
}

impl<R: Read> Packets<R> {
    /// Reads from `from`, at most `max` bytes, a limit called `limit`.
    pub(super) fn new(from: R, place: &str, limit: &'static str, max: u64) -> Self {
        let place = place.to_owned();
        Self { from, place, buffer: Vec::new(), left: max, limit: (limit, max) }
    }

    /// The next line. A line that starts with `ERR ` is what the server says.
    pub(super) fn next(&mut self) -> Result<Packet<'_>, SourceError> {
        let mut digits = [0; 4];
        self.fill(&mut digits)?;
        let length = std::str::from_utf8(&digits)
            .ok()
            .filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|text| usize::from_str_radix(text, 16).ok());
        let length = match length {
            Some(0) => return Ok(Packet::Flush),
            Some(1) => return Ok(Packet::Delimiter),
            Some(length @ 4..=PACKET_BYTES_MAX) => length - 4,
            _ => return Err(self.damaged("a line has no proper length")),
        };
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(length, 0);
        self.fill(&mut buffer)?;
        self.buffer = buffer;
        if let Some(message) = self.buffer.strip_prefix(b"ERR ") {
            return Err(self.said(message));
        }
        Ok(Packet::Data(&self.buffer))
    }

    /// The next line as text without its newline; `None` at the end of a message or section.
    pub(super) fn text(&mut self) -> Result<Option<&str>, SourceError> {
        let place = self.place.clone();
        match self.next()? {
            Packet::Flush | Packet::Delimiter => Ok(None),
            Packet::Data(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Ok(Some(text.strip_suffix('\n').unwrap_or(text))),
                Err(_) => {
                    Err(SourceError::Damaged { place, problem: "a line is not text".to_owned() })
                }
            },
        }
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), SourceError> {
        let Some(left) = self.left.checked_sub(buffer.len() as u64) else {
            let (limit, max) = self.limit;
            return Err(SourceError::Limit { place: self.place.clone(), limit, max });
        };
        self.left = left;
        self.from
            .read_exact(buffer)
            .map_err(|error| SourceError::from_read(error, &self.place, "reading the answer"))
    }

    /// An error about what was read.
    pub(super) fn damaged(&self, problem: &str) -> SourceError {
        SourceError::Damaged { place: self.place.clone(), problem: problem.to_owned() }
    }

    /// An error about something that we do not speak.
    pub(super) fn unsupported(&self, problem: &str) -> SourceError {
        SourceError::NotGit { place: self.place.clone(), problem: problem.to_owned() }
    }

    /// What the server says.
    pub(super) fn said(&self, message: &[u8]) -> SourceError {
        SourceError::Remote { place: self.place.clone(), message: words(message) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn over(bytes: &[u8], max: u64) -> Packets<&[u8]> {
        Packets::new(bytes, "here", "test_max", max)
    }

    #[test]
    fn what_is_written_is_read() {
        let mut out = Vec::new();
        line(&mut out, "command=ls-refs");
        delimiter(&mut out);
        line(&mut out, "");
        flush(&mut out);
        let mut packets = over(&out, 1000);
        assert_eq!(packets.next().unwrap(), Packet::Data(b"command=ls-refs\n"));
        assert_eq!(packets.next().unwrap(), Packet::Delimiter);
        assert_eq!(packets.next().unwrap(), Packet::Data(b"\n"));
        assert_eq!(packets.next().unwrap(), Packet::Flush);
        assert!(matches!(packets.next(), Err(SourceError::Damaged { .. })));
    }

    #[test]
    fn a_limit_is_named() {
        let error = over(b"000cabcdefgh", 8).next().unwrap_err();
        assert!(matches!(error, SourceError::Limit { limit: "test_max", max: 8, .. }));
    }

    #[test]
    fn what_the_server_says_is_its_error() {
        let error = over(b"000cERR no\n\x07", 80).next().unwrap_err();
        assert_eq!(error.to_string(), "here says: no");
    }

    #[test]
    fn lengths_that_are_none_are_refused() {
        for bad in ["0002", "0003", "fff1", "+004", "-001", " 004", "zzzz", "00"] {
            assert!(over(bad.as_bytes(), 1 << 20).next().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut packets = over(&bytes, 1 << 20);
            while packets.next().is_ok() {}
        }
    }
}
