//! Profiles that extend others are held against the same rules once more, with all that they extend
//! in them: what one file may lack, the whole must have.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::needs::of_profile;
use super::{BuiltIn, PROFILE, Part};
use crate::document::Document;
use crate::gates::references::{Facts, Need, Use, Whole};
use crate::gates::schema::Context;
use crate::gates::sealed::{self, Opened};
use crate::gates::{GateError, Rules};
use crate::model::{FileMode, Finding, Findings, ObjectId, TreePath};
use crate::objects::{ItemKind, Mirror};
use crate::profiles::{self, FOLDER, Piece, ProfileError};

/// Bytes of all profiles that extend others, each with all that it extends: what looking at them costs
/// grows with these.
const LAID_BYTES_MAX: u64 = 128 << 20;
/// Bytes of files that are kept, once they are read, for the next profile that extends them.
const KEPT_BYTES_MAX: u64 = 4 << 20;
/// The rule about what is extended.
const EXTENDS_RULE: &str = "kos.extends";
/// Before what is said of more than one file.
const WITH: &str = "with what it extends: ";

/// What profiles are read from and held against.
pub(in super::super) struct Shelf<'a> {
    pub(in super::super) mirror: &'a Mirror,
    pub(in super::super) tree: ObjectId,
    pub(in super::super) rules: &'a Rules,
    pub(in super::super) built_in: &'a BuiltIn,
}

/// What a profile came to with all that it extends. It is looked at again when one of its files is
/// another.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in super::super) struct Extended {
    /// The files that it is made of, as far as there are any.
    pub(in super::super) members: Vec<Member>,
    /// What only the preset knows to be needed.
    pub(in super::super) needs: Facts,
    /// What is wrong with it alone.
    pub(in super::super) findings: Vec<Finding>,
}

/// A file that a profile is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Member {
    pub(in super::super) file: String,
    /// `None`: it is not there.
    pub(in super::super) blob: Option<ObjectId>,
    pub(in super::super) bytes: u64,
}

/// Looks at every profile that extends another. `known` is what was found in single files, which is
/// not said again; `remembered` is what was found here before, and then what was found now.
pub(in super::super) fn check_extended(
    shelf: &Shelf<'_>,
    whole: &mut Whole<'_>,
    known: &[Finding],
    remembered: &mut BTreeMap<String, Extended>,
    found: &mut Findings,
) -> Result<(), GateError> {
    let said: HashSet<(&str, &str)> = known
        .iter()
        .filter_map(|finding| Some((finding.file.as_deref()?, finding.message.as_str())))
        .collect();
    let mut before = std::mem::take(remembered);
    let mut reader = Reader::new(shelf);
    for (path, facts) in whole.facts {
        let Some((name, extends)) = extending(path, facts) else { continue };
        let Some(extended) = reader.look((path, name), extends, before.remove(path))? else {
            found.push(too_much().in_file(path).at(extends.line, extends.column));
            break;
        };
        let told = |finding: &Finding| {
            let bare = finding.message.strip_prefix(WITH).unwrap_or(&finding.message);
            extended.members.iter().any(|member| said.contains(&(member.file.as_str(), bare)))
        };
        let needed = of_needs(whole, &extended.needs)?;
        let needed = needed.into_iter().map(|finding| placed(finding, path, extends));
        let all = extended.findings.iter().cloned().chain(needed);
        found.extend(all.filter(|finding| !told(finding)));
        remembered.insert(path.clone(), extended);
    }
    Ok(())
}

fn too_much() -> Finding {
    let text = format!(
        "the profiles that extend others come to more than {LAID_BYTES_MAX} bytes, each counted with all that it extends"
    );
    let hint = "let fewer profiles extend large ones, or make those smaller";
    Finding::error(EXTENDS_RULE, text).hint(hint)
}

/// Reads profiles of a tree.
struct Reader<'a> {
    shelf: &'a Shelf<'a>,
    /// The files of the folder of profiles, by their paths; read when the first one is asked for.
    blobs: Option<HashMap<String, ObjectId>>,
    /// Files that were read already.
    kept: HashMap<String, Arc<Piece>>,
    kept_bytes: u64,
    /// What of [`LAID_BYTES_MAX`] is left.
    left: u64,
}

/// What was met on the way down.
#[derive(Default)]
struct Chain {
    members: Vec<Member>,
    /// A part of it was decrypted.
    is_sealed: bool,
    /// A part of it cannot be decrypted here.
    is_closed: bool,
    is_too_much: bool,
}

impl<'a> Reader<'a> {
    fn new(shelf: &'a Shelf<'a>) -> Self {
        let (kept, left) = (HashMap::new(), LAID_BYTES_MAX);
        Self { shelf, blobs: None, kept, kept_bytes: 0, left }
    }

    /// What a profile comes to, as it was found before where its files are the same; `None` where
    /// there are too many bytes.
    fn look(
        &mut self,
        (path, name): (&str, &str),
        extends: &Use,
        before: Option<Extended>,
    ) -> Result<Option<Extended>, GateError> {
        if let Some(before) = before
            && self.are_the_same(&before.members)?
        {
            let bytes = before.members.iter().map(|member| member.bytes).sum();
            let left = self.left.checked_sub(bytes);
            self.left = left.unwrap_or(0);
            return Ok(left.map(|_| before));
        }
        let mut chain = Chain::default();
        let profile = profiles::assemble(name, |file| self.piece(file, &mut chain))?;
        if chain.is_too_much {
            return Ok(None);
        }
        let mut extended = Extended { members: chain.members, ..Extended::default() };
        match profile {
            // Whether it can be staged is found out later.
            _ if chain.is_closed => {}
            Ok(profile) => {
                extended.findings = of_schema(self.shelf, path, &profile.document);
                // It is remembered in the mirror's folder: what values say is left out.
                if !chain.is_sealed {
                    of_profile(&profile.document.root, &mut extended.needs);
                    extended.needs.uses.retain(|one| matches!(one.need, Need::Preset(_)));
                }
            }
            // References and the syntax say these, where they are.
            Err(ProfileError::Missing { .. } | ProfileError::Unreadable { .. }) => {}
            Err(error @ ProfileError::NotOneMapping { .. }) => {
                tracing::debug!(%error, "told by the file's own schema");
            }
            Err(error) => {
                let text = format!("what it extends cannot be laid below it: {error}");
                let hint = "let each profile extend one that stands without it";
                extended.findings.push(Finding::error(EXTENDS_RULE, text).hint(hint));
            }
        }
        let placed = |finding| placed(finding, path, extends);
        extended.findings = extended
            .findings
            .into_iter()
            .map(|finding| if chain.is_sealed { untold(finding) } else { finding })
            .map(placed)
            .collect();
        Ok(Some(extended))
    }

    /// Whether the files are those that they were.
    fn are_the_same(&mut self, members: &[Member]) -> Result<bool, GateError> {
        for member in members {
            if self.blob(&member.file)? != member.blob {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn blob(&mut self, file: &str) -> Result<Option<ObjectId>, GateError> {
        if self.blobs.is_none() {
            let Shelf { mirror, tree, .. } = *self.shelf;
            let folder = mirror.find(tree, FOLDER)?;
            let folder = folder.filter(|item| item.kind == ItemKind::Folder);
            let items = folder.map_or_else(|| Ok(Vec::new()), |item| mirror.items(item.id))?;
            let files = items.into_iter().filter(|item| {
                matches!(item.kind, ItemKind::File(FileMode::Regular | FileMode::Executable))
            });
            let named = files.filter_map(|item| {
                Some((format!("{FOLDER}/{}", std::str::from_utf8(&item.name).ok()?), item.id))
            });
            self.blobs = Some(named.collect());
        }
        Ok(self.blobs.as_ref().and_then(|blobs| blobs.get(file).copied()))
    }

    /// A file that a profile is made of; `None` where there is none, or it is not to be read.
    fn piece(
        &mut self,
        file: &str,
        chain: &mut Chain,
    ) -> Result<Option<Result<Arc<Piece>, ProfileError>>, GateError> {
        let Shelf { mirror, rules, .. } = *self.shelf;
        let blob = self.blob(file)?;
        let bytes = blob.map_or(Ok(0), |id| mirror.blob_size(id))?;
        // One that is too large is told of, and not read.
        let blob = blob.filter(|_| bytes <= rules.limits.file_bytes_max);
        let bytes = if blob.is_some() { bytes } else { 0 };
        chain.members.push(Member { file: file.to_owned(), blob, bytes });
        let (Some(id), Ok(path)) = (blob, TreePath::parse(file)) else { return Ok(None) };
        let Some(left) = self.left.checked_sub(bytes) else {
            chain.is_too_much = true;
            return Ok(None);
        };
        self.left = left;
        if let Some(kept) = self.kept.get(file) {
            return Ok(Some(Ok(Arc::clone(kept))));
        }
        let raw = mirror.blob(id)?;
        let opened = sealed::open(&path, &raw, rules);
        let piece = match &opened {
            Opened::AsItIs => Piece::read(file, &raw, &rules.limits),
            Opened::Plain(plain) => {
                chain.is_sealed = true;
                Piece::read(file, plain.expose(), &rules.limits)
            }
            Opened::Closed => {
                chain.is_closed = true;
                return Ok(None);
            }
        };
        let piece = piece.map(Arc::new);
        let is_extended = chain.members.len() > 1 && matches!(opened, Opened::AsItIs);
        if let Ok(piece) = &piece
            && is_extended
            && self.kept_bytes + bytes <= KEPT_BYTES_MAX
        {
            self.kept_bytes += bytes;
            self.kept.insert(file.to_owned(), Arc::clone(piece));
        }
        Ok(Some(piece))
    }
}

/// The name of a profile that extends another, and where it says so.
fn extending<'f>(path: &'f str, facts: &'f Facts) -> Option<(&'f str, &'f Use)> {
    let name = path.strip_prefix(FOLDER)?.strip_prefix('/')?.strip_suffix(".yaml")?;
    let is_extends = |one: &&Use| matches!(one.need, Need::File { target: PROFILE, .. });
    Some((name, facts.uses.iter().find(is_extends)?))
}

fn of_schema(shelf: &Shelf<'_>, path: &str, document: &Document) -> Vec<Finding> {
    let Ok(path) = TreePath::parse(path) else { return Vec::new() };
    let context = Context::new(&path, shelf.rules.masker.as_ref());
    let source = shelf.built_in.of(Part::Profile);
    source.map(|source| source.check(document, &context)).unwrap_or_default()
}

/// What only the preset knows to be needed; names are looked for where they are written.
fn of_needs(whole: &mut Whole<'_>, needs: &Facts) -> Result<Vec<Finding>, GateError> {
    let mut findings = Vec::new();
    for one in &needs.uses {
        if let Need::Preset(need) = one.need {
            findings.extend(super::judge(whole, one, need)?);
        }
    }
    Ok(findings)
}

/// The place of a finding about more than one file is the line that brought them together.
fn placed(finding: Finding, path: &str, extends: &Use) -> Finding {
    let message = match finding.rule == EXTENDS_RULE {
        true => finding.message,
        false => format!("{WITH}{}", finding.message),
    };
    Finding { message, ..finding }.in_file(path).at(extends.line, extends.column)
}

/// The same finding without a word of what was decrypted.
fn untold(finding: Finding) -> Finding {
    Finding {
        message: "what is decrypted of it breaks the rule; more is not told".to_owned(),
        hint: Some("look at the decrypted files of the profile: `sops decrypt`".to_owned()),
        ..finding
    }
}
