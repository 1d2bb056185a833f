//! All documents together, for rules that compare files.

use std::collections::BTreeMap;

use super::asking::{Asked, contents};
use super::findings::{self, About, texts};
use super::{GateError, Owner, Policies};
use crate::document::Document;
use crate::gates::{limits, sealed};
use crate::model::{Entry, FileMode, Findings, ObjectId, TreePath};
use crate::objects::Mirror;
use crate::rego::{Evaluator, Held, Verdict};

/// Bytes of files that are handed over together.
const BYTES_MAX: usize = 4 << 20;

/// A file of which a rule said something.
struct Named {
    documents: Vec<Document>,
    is_sealed: bool,
}

/// Holds the whole tree against the combined rules.
///
/// # Errors
/// When the mirror is damaged, or rules cannot be asked.
pub(in super::super) fn check(
    mirror: &Mirror,
    tree: ObjectId,
    policies: &Policies<'_>,
    found: &mut Findings,
) -> Result<(), GateError> {
    let mut evaluator = policies.start()?;
    let mut whole = Whole {
        policies,
        evaluator: &mut evaluator,
        waiting: Vec::new(),
        bytes: 0,
        secrets: Vec::new(),
    };
    mirror.each_file(tree, &mut |path, entry| whole.take(mirror, path, entry))?;
    whole.hand_over()?;
    let secrets = std::mem::take(&mut whole.secrets);
    let told = evaluator.combined()?;
    let mut named: BTreeMap<&str, Option<Named>> = BTreeMap::new();
    for one in &told {
        if let Verdict::Said(said) = &one.verdict
            && let Some(file) = &said.file
        {
            named.entry(file).or_insert(read(mirror, tree, policies, file)?);
        }
    }
    let all = About::all(secrets.iter().map(String::as_str).collect(), policies.rules);
    for one in &told {
        let Some(unit) = evaluator.units().get(one.unit) else { continue };
        let file = match &one.verdict {
            Verdict::Said(said) => said.file.as_deref(),
            _ => None,
        };
        let about = file.and_then(|file| {
            let named = named.get(file)?.as_ref()?;
            Some(all.named(file, named.is_sealed, named.documents.first()))
        });
        found.push(findings::of(about.as_ref().unwrap_or(&all), unit, &one.verdict, policies));
    }
    Ok(())
}

struct Whole<'a> {
    policies: &'a Policies<'a>,
    evaluator: &'a mut Evaluator,
    waiting: Vec<Held<serde_json::Value>>,
    bytes: usize,
    /// Texts that no message may show.
    secrets: Vec<String>,
}

impl Whole<'_> {
    fn take(&mut self, mirror: &Mirror, path: &TreePath, entry: Entry) -> Result<(), GateError> {
        let Some((as_it_is, opened)) = look(mirror, path, entry, self.policies)? else {
            return Ok(());
        };
        let rules = self.policies.rules;
        let secret = match (&opened, &rules.masker) {
            (Some(file), _) => texts(&file.documents),
            (None, Some(masker)) if masker.hides_file(path) => texts(&as_it_is.documents),
            (None, Some(masker)) => masker.secrets(&as_it_is.documents),
            (None, None) => Vec::new(),
        };
        self.secrets.extend(secret.into_iter().map(str::to_owned));
        match &opened {
            // Whoever writes to the repository must not learn by a rule of theirs what is encrypted.
            Some(opened) => {
                self.add(&as_it_is, |owner| owner != Owner::Tree);
                self.add(opened, |owner| owner == Owner::Tree);
            }
            None => self.add(&as_it_is, |_| false),
        }
        self.bytes += as_it_is.bytes;
        if self.bytes >= BYTES_MAX { self.hand_over() } else { Ok(()) }
    }

    fn add(&mut self, file: &Asked, leaves_out: impl Fn(Owner) -> bool) {
        let mut not_for = self.policies.not_for(&file.shown);
        not_for.extend(
            (0..).zip(&self.policies.owners).filter(|(_, o)| leaves_out(**o)).map(|(n, _)| n),
        );
        for (_, content) in contents(&file.documents) {
            let path = file.path.as_str().to_owned();
            self.waiting.push(Held { path, content, not_for: not_for.clone() });
        }
    }

    fn hand_over(&mut self) -> Result<(), GateError> {
        self.bytes = 0;
        let waiting = std::mem::take(&mut self.waiting);
        if !waiting.is_empty() {
            self.evaluator.part(waiting)?;
        }
        Ok(())
    }
}

/// A file as it is in the repository, and as it is decrypted.
fn look(
    mirror: &Mirror,
    path: &TreePath,
    entry: Entry,
    policies: &Policies<'_>,
) -> Result<Option<(Asked, Option<Asked>)>, GateError> {
    let rules = policies.rules;
    let is_meant = entry.mode != FileMode::Link
        && limits::check_size(path, mirror.blob_size(entry.id)?, rules).is_none();
    if !is_meant {
        return Ok(None);
    }
    Ok(mirror.with_blob(entry.id, |bytes| sealed::documents(path, bytes, rules))?)
}

/// A file that a rule named, to find places in it.
fn read(
    mirror: &Mirror,
    tree: ObjectId,
    policies: &Policies<'_>,
    file: &str,
) -> Result<Option<Named>, GateError> {
    let Ok(path) = TreePath::parse(file) else { return Ok(None) };
    let Some(item) = mirror.find(tree, file)? else { return Ok(None) };
    let crate::objects::ItemKind::File(mode) = item.kind else { return Ok(None) };
    let looked = look(mirror, &path, Entry { mode, id: item.id }, policies)?;
    Ok(looked
        .map(|(asked, opened)| Named { documents: asked.documents, is_sealed: opened.is_some() }))
}
