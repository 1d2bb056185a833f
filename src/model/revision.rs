use std::fmt;

/// A git object's id (SHA-1, 20 bytes): how this machine's mirror names blobs and trees.
///
/// Never shown to people and never compared between machines: that is what [`super::Digest`] is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(pub [u8; 20]);

/// One git commit, by its full hexadecimal id.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(ObjectId);

/// A text that should have been a full commit id and is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a full commit id (40 hexadecimal digits)")]
pub struct InvalidRevision(pub String);

impl ObjectId {
    /// Reads 40 hexadecimal digits.
    ///
    /// # Errors
    /// When `text` is anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidRevision> {
        let bytes = text.as_bytes();
        let mut id = [0; 20];
        if bytes.len() != 40 {
            return Err(InvalidRevision(text.to_owned()));
        }
        for (out, pair) in id.iter_mut().zip(bytes.chunks_exact(2)) {
            match (hex(pair[0]), hex(pair[1])) {
                (Some(high), Some(low)) => *out = high << 4 | low,
                _ => return Err(InvalidRevision(text.to_owned())),
            }
        }
        Ok(Self(id))
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Revision {
    /// Reads a full commit id.
    ///
    /// # Errors
    /// When `text` is not 40 hexadecimal digits.
    pub fn parse(text: &str) -> Result<Self, InvalidRevision> {
        ObjectId::parse(text).map(Self)
    }

    /// The commit's object id.
    #[must_use]
    pub const fn id(&self) -> ObjectId {
        self.0
    }

    /// The 12 digits that people read.
    #[must_use]
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate(12);
        text
    }
}

impl From<ObjectId> for Revision {
    fn from(id: ObjectId) -> Self {
        Self(id)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_id_reads_and_prints_the_same() {
        let text = "00ff1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b";
        let revision = Revision::parse(text).unwrap();
        assert_eq!(revision.to_string(), text);
        assert_eq!(revision.short(), "00ff1a2b3c4d");
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in ["", "00ff", "zz".repeat(20).as_str(), "é".repeat(20).as_str(), &"a".repeat(41)]
        {
            assert!(Revision::parse(bad).is_err(), "{bad}");
        }
    }
}
