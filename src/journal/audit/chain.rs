use sha2::{Digest as _, Sha256};

/// The hash of a record and of all before it.
pub(super) type Hash = [u8; 32];

/// What stands for the record before the first.
pub(super) const START: Hash = [0; 32];

/// The hash of record `id`, whose text is `body`, behind one whose hash is `before`: SHA-256 over a
/// line that names the format, `before`, the number (8 bytes, big-endian), and the text.
pub(super) fn next(before: &Hash, id: u64, body: &str) -> Hash {
    let mut hash = Sha256::new_with_prefix("kconfigd audit v1\n");
    hash.update(before);
    hash.update(id.to_be_bytes());
    hash.update(body);
    hash.finalize().into()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(super) fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
