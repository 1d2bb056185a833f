use std::fmt;

use sha2::{Digest as _, Sha256};

use super::FileMode;

/// The digest of a tree or of a file: equal content gives an equal digest on every machine.
///
/// The bytes are specified, with test vectors, in `docs/on-disk-format.md`:
/// ```text
/// file  = SHA-256("kconfigd file 1\0" bytes)            a link's bytes are its target
/// tree  = SHA-256("kconfigd tree 1\0" entry*)           entries sorted by the bytes of their names
/// entry = mode " " name "\0" digest                     mode: 100644 100755 120000 40000; digest: 32 bytes
/// ```
/// Folders without files are left out, as git does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

/// One entry of a folder, ready to be digested.
#[derive(Clone, Debug)]
pub struct EntryDigest<'a> {
    /// The name as the repository has it.
    pub name: &'a [u8],
    /// `None` for a folder.
    pub mode: Option<FileMode>,
    /// What is behind the name.
    pub digest: Digest,
}

/// A text that should have been a digest and is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a digest (`sha256:` and 64 hexadecimal digits)")]
pub struct InvalidDigest(pub String);

/// The digest of a file's bytes, or of a link's target.
#[must_use]
pub fn blob_digest(bytes: &[u8]) -> Digest {
    let mut hash = Sha256::new_with_prefix(b"kconfigd file 1\0");
    hash.update(bytes);
    Digest(hash.finalize().into())
}

/// The digest of a folder; the order of `entries` does not matter.
#[must_use]
pub fn tree_digest(entries: &mut [EntryDigest<'_>]) -> Digest {
    entries.sort_unstable_by(|a, b| a.name.cmp(b.name));
    let mut hash = Sha256::new_with_prefix(b"kconfigd tree 1\0");
    for entry in entries.iter() {
        hash.update(entry.mode.map_or("40000", FileMode::as_git));
        hash.update(b" ");
        hash.update(entry.name);
        hash.update(b"\0");
        hash.update(entry.digest.0);
    }
    Digest(hash.finalize().into())
}

impl Digest {
    /// Reads `sha256:` and 64 hexadecimal digits.
    ///
    /// # Errors
    /// When `text` is anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidDigest> {
        let invalid = || InvalidDigest(text.to_owned());
        let digits = text.strip_prefix("sha256:").filter(|d| d.len() == 64).ok_or_else(invalid)?;
        let mut digest = [0; 32];
        for (out, pair) in digest.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| invalid())?;
            *out = u8::from_str_radix(pair, 16).map_err(|_| invalid())?;
        }
        Ok(Self(digest))
    }

    /// The first 8 hexadecimal digits, as in a tree's folder name.
    #[must_use]
    pub fn short(&self) -> String {
        self.0[..4].iter().map(|b| format!("{b:02x}")).collect()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of `docs/on-disk-format.md`, computed there without this code.
    #[test]
    fn test_vectors_of_the_documented_format() {
        let file =
            |name, mode, bytes| EntryDigest { name, mode: Some(mode), digest: blob_digest(bytes) };
        let settings = || file(b"settings.yaml", FileMode::Regular, b"interval: 30s\n");
        let hooks = tree_digest(&mut [
            file(b"run", FileMode::Executable, b"#!/bin/sh\nexit 0\n"),
            file(b"current", FileMode::Link, b"../settings.yaml"),
        ]);
        let folder = EntryDigest { name: b"hooks", mode: None, digest: hooks };
        for (found, documented) in [
            (
                tree_digest(&mut []),
                "1c80c7d48d378d6aef47b12748e68d1e8cfc39de568cf48b902ae2ae2917efcb",
            ),
            (settings().digest, "213edd67179d4e6a379aaa5a3ab3bef156f18ef0045dd73e6a44b668451827c7"),
            (
                tree_digest(&mut [settings()]),
                "71b12de425e945a35dc383748d7536d1071a50a18082573ffe58c10cd72e43d5",
            ),
            (hooks, "de2a9e856c9100d9d32afb284033bc23abb78f27ea60879b751c4fcc30bd5450"),
            (
                tree_digest(&mut [settings(), folder]),
                "f408bd29cc836cad0ceaf1e08f75bf565b9b9ab35936a8304997b57dd22342fb",
            ),
        ] {
            assert_eq!(found.to_string(), format!("sha256:{documented}"));
        }
    }

    #[test]
    fn order_does_not_matter() {
        let entry = |name| EntryDigest { name, mode: None, digest: blob_digest(name) };
        let forward = tree_digest(&mut [entry(b"a"), entry(b"a.b"), entry(b"b")]);
        let backward = tree_digest(&mut [entry(b"b"), entry(b"a.b"), entry(b"a")]);
        assert_eq!(forward, backward);
    }

    #[test]
    fn text_round_trips() {
        let digest = blob_digest(b"x");
        assert_eq!(Digest::parse(&digest.to_string()), Ok(digest));
        assert!(Digest::parse("sha256:00").is_err());
        assert!(Digest::parse(&format!("sha256:{}", "é".repeat(32))).is_err());
    }
}
