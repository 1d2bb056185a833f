//! The file with a node's secrets: one key a line, read again at every use.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use super::NotifyError;
use crate::model::Secret;

/// Bytes in a secret file.
const FILE_BYTES_MAX: usize = 64 * 1024;
/// Keys in a secret file: during a change there are two, so eight is generous.
const KEYS_MAX: usize = 8;
/// Bytes in an HMAC key: the range that Standard Webhooks asks for.
const HMAC_KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// One key as its line gives it; wiped when it is dropped.
pub(super) enum Material {
    /// `whsec_…`: shared by both ends, HMAC-SHA256.
    Hmac(Zeroizing<Vec<u8>>),
    /// `whsk_…`: an Ed25519 seed, with its public key when the line had one.
    Ed25519 { seed: Zeroizing<Vec<u8>>, public: Option<Vec<u8>> },
    /// `whpk_…`: an Ed25519 public key, 32 bytes.
    Ed25519Public(Vec<u8>),
}

/// Characters of a credential that is not a key of ours: a token, an address.
const TEXT_CHARS_MAX: usize = 4096;

/// Reads the one credential in `path`: a token, a routing key, an address. White space around it
/// does not count.
///
/// Blocks on the file system. Errors name the file, never what stands there.
pub(super) fn read_text(path: &Path) -> Result<Secret, NotifyError> {
    let shape = |problem| NotifyError::SecretFileShape { path: path.to_owned(), problem };
    let bytes = read_bytes(path)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| shape("is not text"))?.trim();
    match text {
        "" => Err(shape("is empty; it holds one line, the credential")),
        _ if text.len() > TEXT_CHARS_MAX || !text.bytes().all(|b| b.is_ascii_graphic()) => {
            Err(shape("holds more than one line or word; it holds the credential alone"))
        }
        _ => Ok(Secret::new(text.to_owned())),
    }
}

/// Reads the keys in `path`. Blank lines and lines that start with `#` do not count.
///
/// Blocks on the file system. Errors name the file and the line, never what stands there.
pub(super) fn read(path: &Path) -> Result<Vec<Material>, NotifyError> {
    let shape = |problem| NotifyError::SecretFileShape { path: path.to_owned(), problem };
    let bytes = read_bytes(path)?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| shape("is not text; it holds one key a line, whsec_… or whsk_…"))?;
    let mut keys = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if keys.len() == KEYS_MAX {
            return Err(shape("holds more than 8 keys; remove those that are no longer used"));
        }
        keys.push(parse(line).map_err(|problem| NotifyError::SecretLine {
            path: path.to_owned(),
            line: number + 1,
            problem,
        })?);
    }
    if keys.is_empty() {
        return Err(shape("holds no key; write one line: `whsec_` and `openssl rand -base64 32`"));
    }
    Ok(keys)
}

/// Reads a file with credentials, bounded, into memory that is wiped.
fn read_bytes(path: &Path) -> Result<Zeroizing<Vec<u8>>, NotifyError> {
    let failed = |source| NotifyError::SecretFile { path: path.to_owned(), source };
    // Looked at before it is opened: opening a pipe that nobody writes to would wait for ever.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")));
    }
    // Allocated once: a vector that grows would leave copies behind that nobody wipes.
    let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_BYTES_MAX + 1));
    let limit = u64::try_from(FILE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path).and_then(|f| f.take(limit).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(NotifyError::SecretFileShape {
            path: path.to_owned(),
            problem: "is larger than 64 KiB; it holds one key a line",
        });
    }
    Ok(bytes)
}

/// Reads one line; the error says what is wrong without repeating any of it.
fn parse(line: &str) -> Result<Material, &'static str> {
    let (prefix, encoded) = match line.split_once('_') {
        Some(parts @ ("whsec" | "whsk" | "whpk", _)) => parts,
        _ => return Err("a key starts with whsec_ (HMAC-SHA256), whsk_ or whpk_ (Ed25519)"),
    };
    // Sized for the whole result, so that decoding never grows it.
    let mut key = Zeroizing::new(Vec::with_capacity(encoded.len()));
    LENIENT
        .decode_vec(encoded, &mut key)
        .map_err(|_| "what follows the prefix is not base64; was the key copied whole?")?;
    match (prefix, key.len()) {
        ("whsec", length) if HMAC_KEY_BYTES.contains(&length) => Ok(Material::Hmac(key)),
        ("whsec", _) => Err("a whsec_ key has 24 to 64 bytes; make one: openssl rand -base64 32"),
        ("whsk", 32) => Ok(Material::Ed25519 { seed: key, public: None }),
        ("whsk", 64) => {
            let (seed, public) = key.split_at(32);
            let (seed, public) = (Zeroizing::new(seed.to_vec()), Some(public.to_vec()));
            Ok(Material::Ed25519 { seed, public })
        }
        ("whsk", _) => Err("a whsk_ key has 32 bytes (the seed) or 64 (seed and public key)"),
        (_, 32) => Ok(Material::Ed25519Public(key.to_vec())),
        _ => Err("a whpk_ key has 32 bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &[u8]) -> Result<Vec<Material>, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        read(file.path()).map_err(|e| e.to_string())
    }

    #[test]
    fn comments_blank_lines_and_missing_padding_are_fine() {
        let key = "A".repeat(43);
        let text = format!("# edge-1\r\n\r\n  whsec_{key}=  \nwhsk_{key}\nwhpk_{key}=\n");
        assert_eq!(read_text(text.as_bytes()).unwrap().len(), 3);
    }

    #[test]
    fn errors_name_the_line_and_never_what_stands_there() {
        for line in [
            "hunter2hunter2",
            "whsec_hunter2!!",
            "whsec_aHVudGVyMg==",
            "whsk_aHVudGVyMg==",
            "whpk_aHVudGVyMg==",
            "whsec_",
        ] {
            let error = read_text(format!("# x\n{line}\n").as_bytes()).err().unwrap();
            assert!(error.contains(":2: "), "{error}");
            assert!(!error.contains("hunter2") && !error.contains("aHVudGVyMg"), "{error}");
        }
    }

    #[test]
    fn the_file_is_bounded_and_must_hold_a_key() {
        assert!(read_text(b"# nothing\n").err().unwrap().contains("holds no key"));
        assert!(read_text(&[0xff, 0xfe]).err().unwrap().contains("not text"));
        let big = "#".repeat(FILE_BYTES_MAX + 1);
        assert!(read_text(big.as_bytes()).err().unwrap().contains("64 KiB"));
        let many = format!("whsec_{}\n", "A".repeat(43)).repeat(9);
        assert!(read_text(many.as_bytes()).err().unwrap().contains("more than 8 keys"));
        assert!(read(Path::new("/")).err().unwrap().to_string().contains("cannot read"));
    }
}
