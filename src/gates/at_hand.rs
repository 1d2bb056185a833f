use crate::document::{self, Document, Format};
use crate::model::{Finding, TreePath};

use super::policies::Asked;
use super::{Rules, Schemas};

/// A file that is looked at: read and parsed once for all that have something to say of it.
pub(super) struct AtHand<'a> {
    pub(super) path: &'a TreePath,
    pub(super) bytes: &'a [u8],
    pub(super) rules: &'a Rules,
    pub(super) schemas: &'a Schemas<'a>,
    /// Its format, by its name.
    pub(super) format: Option<Format>,
    /// Its documents, or why there are none; no documents for a file of another format.
    pub(super) documents: Result<Vec<Document>, Vec<Finding>>,
}

impl<'a> AtHand<'a> {
    pub(super) fn new(
        path: &'a TreePath,
        bytes: &'a [u8],
        rules: &'a Rules,
        schemas: &'a Schemas<'a>,
    ) -> Self {
        let format = Format::of_path(path.as_str());
        let documents = match format {
            Some(format) => document::parse(bytes, format, &rules.limits),
            None => Ok(Vec::new()),
        };
        Self { path, bytes, rules, schemas, format, documents }
    }

    /// Its documents; none where it has none that can be read.
    pub(super) fn readable(&self) -> &[Document] {
        self.documents.as_deref().unwrap_or_default()
    }

    /// What policies are asked about: `path` is the file in the tree that this is, or is decrypted of.
    pub(super) fn into_asked(self, path: &TreePath, is_sealed: bool) -> Option<Asked> {
        let documents = self.documents.ok().filter(|documents| !documents.is_empty())?;
        let (path, shown) = (path.clone(), self.path.clone());
        Some(Asked { path, shown, documents, bytes: self.bytes.len(), is_sealed })
    }

    /// Its lines with their numbers, where it is text.
    pub(super) fn lines(&self) -> impl Iterator<Item = (u32, &'a str)> + use<'a> {
        let text = std::str::from_utf8(self.bytes).unwrap_or_default();
        (1..).zip(text.strip_prefix('\u{feff}').unwrap_or(text).lines())
    }
}
