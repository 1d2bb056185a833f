use std::io::Read;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};

/// What a program printed: the last bytes of it, read beside the wait for its end.
pub(super) struct Output {
    kept: Arc<Mutex<Vec<u8>>>,
    /// Closed once all of it was read.
    pub(super) end: Receiver<()>,
}

impl Output {
    /// Reads to the end, on a thread of its own, and keeps the last `max` bytes.
    pub(super) fn read(mut from: impl Read + Send + 'static, max: usize) -> std::io::Result<Self> {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let (closed_at_the_end, end) = channel::<()>();
        let into = Arc::clone(&kept);
        std::thread::Builder::new().name("output".to_owned()).spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                let mut kept = into.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend_from_slice(buffer.get(..count).unwrap_or_default());
                let over = kept.len().saturating_sub(max);
                kept.drain(..over);
            }
            drop(closed_at_the_end);
        })?;
        Ok(Self { kept, end })
    }

    /// What there is so far, as text without control characters but line breaks.
    pub(super) fn text(&self) -> String {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&kept);
        text.chars().filter(|c| !c.is_control() || *c == '\n').collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_much_output_the_end_is_kept_without_control_characters() {
        let text = format!("{}\u{1b}[31mlast\r\n", "x".repeat(100_000));
        let output = Output::read(std::io::Cursor::new(text.into_bytes()), 10).unwrap();
        assert!(output.end.recv().is_err(), "closed at the end");
        assert_eq!(output.text(), "[31mlast\n");
    }
}
