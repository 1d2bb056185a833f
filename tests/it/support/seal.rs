/// Makes a program's output the same in every run: what differs by nature becomes a word.
///
/// Ports of 127.0.0.1, RFC 3339 times, event ids, UUIDs, times taken (`12 ms`, `"duration_ms": 12`), and what
/// is told by [`Sealer::known`]. Commit ids stay: [`Repo`](super::Repo) makes the same ones always.
#[derive(Default)]
pub(crate) struct Sealer {
    known: Vec<(String, String)>,
}

impl Sealer {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A text and its word, such as a temporary folder.
    pub(crate) fn known(mut self, text: impl ToString, word: &str) -> Self {
        self.known.push((text.to_string(), word.to_owned()));
        // The longest first: a folder before the one that holds it.
        self.known.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        self
    }

    pub(crate) fn seal(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (known, word) in &self.known {
            text = text.replace(known, word);
        }
        let mut sealed = String::new();
        let mut rest = text.as_str();
        while let Some(next) = rest.chars().next() {
            let fresh = !sealed.ends_with(|last: char| last.is_ascii_alphanumeric() || last == '.');
            if let Some((word, length)) = found(rest, &sealed).filter(|_| fresh) {
                sealed.push_str(word);
                rest = rest.get(length..).unwrap_or_default();
            } else {
                sealed.push(next);
                rest = rest.get(next.len_utf8()..).unwrap_or_default();
            }
        }
        sealed
    }
}

/// The word for what `text` begins with, and its length; `before` is what stands before it.
fn found(text: &str, before: &str) -> Option<(&'static str, usize)> {
    let bytes = text.as_bytes();
    if !bytes.first()?.is_ascii_hexdigit() {
        return None;
    }
    if before.ends_with("evt_") && shaped(bytes, &"h".repeat(32)) {
        return Some(("<event>", 32));
    }
    if shaped(bytes, "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh") {
        return Some(("<uuid>", 36));
    }
    if shaped(bytes, "dddd-dd-ddTdd:dd:dd") {
        let fraction = bytes.get(19) == Some(&b'.');
        let fraction = if fraction { 1 + digits(bytes.get(20..)?) } else { 0 };
        let zone = bytes.get(19 + fraction..)?;
        let zone = if zone.first() == Some(&b'Z') {
            1
        } else if shaped(zone, "+dd:dd") {
            6
        } else {
            0
        };
        return Some(("<time>", 19 + fraction + zone));
    }
    let count = digits(bytes);
    if count == 0 {
        return None;
    }
    if before.ends_with("127.0.0.1:") {
        return Some(("<port>", count));
    }
    if before.ends_with("_ms\": ") || before.ends_with("_seconds\": ") {
        return Some(("0", count));
    }
    let fraction = bytes.get(count) == Some(&b'.');
    let fraction = if fraction { 1 + digits(bytes.get(count + 1..)?) } else { 0 };
    let after = text.get(count + fraction..)?;
    let unit =
        [" ms", " µs", " seconds ago", " s ago"].iter().find(|unit| after.starts_with(**unit));
    unit.map(|unit| ("<duration>", count + fraction + unit.len()))
}

fn digits(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// `d` is a digit, `h` a hexadecimal one, everything else itself.
fn shaped(bytes: &[u8], shape: &str) -> bool {
    bytes.len() >= shape.len()
        && shape.bytes().zip(bytes).all(|(shape, byte)| match shape {
            b'd' => byte.is_ascii_digit(),
            b'h' => byte.is_ascii_hexdigit(),
            other => *byte == other,
        })
}
