//! File by file: what changed is read, parsed once, and shown to every rule family.

use std::collections::HashSet;

use super::policies::{self, Asked, Asking, Policies};
use super::record::Record;
use super::references::{self, Facts};
use super::schema::{self, Context, Source};
use super::{
    AtHand, Candidate, FILES_SHARED_FROM, Gate, GateError, Rules, kos, leaks, limits, sealed,
};
use crate::model::{Change, Entry, FileMode, Finding, Findings, ObjectId, TreePath};
use crate::objects::Mirror;
use crate::progress::Stage;

/// All schemas that files are held against.
pub(super) struct Schemas<'a> {
    of_settings: Vec<Source<'a>>,
    pub(super) built_in: kos::BuiltIn,
}

impl<'a> Schemas<'a> {
    fn open(mirror: &Mirror, tree: ObjectId, rules: &'a Rules) -> Result<Self, GateError> {
        let of_settings = schema::sources(mirror, tree, rules)?;
        Ok(Self { of_settings, built_in: kos::BuiltIn::default() })
    }

    /// None, for who looks at one file for something else.
    pub(super) fn none() -> Self {
        Self { of_settings: Vec::new(), built_in: kos::BuiltIn::default() }
    }

    /// Holds a file's documents against the schemas of the settings that are for it.
    pub(super) fn check(file: &AtHand<'_>) -> Vec<Finding> {
        let mut found = Vec::new();
        let path = file.path.as_str();
        let context = Context::new(file.path, file.rules.masker.as_ref());
        for (source, patterns) in file.schemas.of_settings.iter().zip(&file.rules.schema_files) {
            if patterns.mean_file(path) {
                let documents = file.readable().iter();
                found.extend(documents.flat_map(|document| source.check(document, &context)));
            }
        }
        found
    }
}

/// Names that all files together may use or define.
const NAMES_MAX: usize = 500_000;

/// What some files came to.
#[derive(Default)]
struct Part {
    findings: Findings,
    facts: Vec<(String, Facts)>,
    names: usize,
}

/// Looks at every file that is not known, and then at what all of them say together.
pub(super) fn check(
    candidate: &Candidate<'_>,
    live: Option<ObjectId>,
    found: &mut Findings,
) -> Result<(), GateError> {
    let Candidate { mirror, tree, changes, rules } = *candidate;
    let schemas = Schemas::open(mirror, tree, rules)?;
    let policies = Policies::open(mirror, tree, rules)?;
    let blobs = blobs(mirror, tree, rules)?;
    let remembers = rules.are_of_settings();
    let key = if remembers { rules.key() } else { String::new() };
    let before = match remembers {
        true => Record::recall(mirror, &key).filter(|record| record.schemas == blobs),
        false => None,
    };
    // What passed other schemas of the repository has to pass these.
    let passed = match live {
        Some(live) if self::blobs(mirror, live, rules)? == blobs => Some(live),
        _ => None,
    };
    if passed.is_none() {
        // Those that were passed by can be used.
        schemas.of_settings.iter().try_for_each(|schema| schema.judge(found))?;
        policies.judge(found)?;
    }
    let whole_set = references::are_asked_for(rules);
    let since = before.as_ref().and_then(|record| record.tree);
    let differing;
    let looked_at = match (since, passed) {
        (None, Some(_)) if !whole_set => changes,
        (None, None) if live.is_none() => changes,
        (since, _) => {
            differing = mirror.changes(since, tree)?;
            differing.as_slice()
        }
    };
    if looked_at.len() >= FILES_SHARED_FROM {
        rules.progress.begin(Stage::Checking, looked_at.len() as u64);
    }
    let parts = mirror.share_out(looked_at, FILES_SHARED_FROM, |mirror, part| {
        look(mirror, part, rules, &schemas, &policies)
    });
    rules.progress.begin(Stage::Idle, 0);
    let parts = parts?;

    let mut record = before.unwrap_or_default();
    record.forget(looked_at);
    let mut fresh = Findings::default();
    for part in parts {
        fresh.append(part.findings);
        record.facts.extend(part.facts);
    }
    // What passed the same rules is not told again.
    let told: Option<HashSet<&str>> =
        passed.map(|_| changes.iter().map(|change| change.path.as_str()).collect());
    let is_told = |finding: &Finding| match (&told, &finding.file) {
        (Some(told), Some(file)) => told.contains(file.as_str()),
        _ => true,
    };
    found.extend(record.findings.iter().filter(|f| is_told(f)).cloned());
    let is_whole = fresh.are_all_kept();
    if told.is_none() {
        found.append(fresh.clone());
    }
    let of_files = fresh.into_sorted();
    if told.is_some() {
        found.extend(of_files.iter().filter(|f| is_told(f)).cloned());
    }
    record.findings.extend(of_files);
    let names: usize = record.facts.values().map(Facts::count).sum();
    if names > NAMES_MAX {
        let text = format!("the files name or define more than {NAMES_MAX} things");
        let hint = "let `validation.references` ask for fewer of them";
        found.push(Finding::error("references.many", text).hint(hint));
        return Ok(());
    }
    if whole_set {
        let known = (&schemas.built_in, record.findings.as_slice());
        let (facts, extended) = (&record.facts, &mut record.extended);
        references::check(mirror, tree, rules, facts, known, extended, found)?;
    }
    policies.judge_all(mirror, tree, found)?;
    if remembers && is_whole {
        Record { tree: Some(tree), schemas: blobs, ..record }.remember(mirror, &key);
    }
    Ok(())
}

fn look(
    mirror: &Mirror,
    changes: &[Change],
    rules: &Rules,
    schemas: &Schemas<'_>,
    policies: &Policies<'_>,
) -> Result<Part, GateError> {
    let mut part = Part::default();
    let mut asking = Asking::new(policies);
    for change in changes {
        rules.progress.step();
        let Some(entry) = change.new else { continue };
        let looked = check_file(mirror, &change.path, entry, rules, schemas, &asking)?;
        part.findings.extend(looked.findings);
        if let Some(asked) = looked.asked {
            asking.take(asked)?;
        }
        let facts = looked.facts;
        part.names += facts.count();
        // What is beyond the bound is refused as a whole.
        if facts.count() > 0 && part.names - facts.count() <= NAMES_MAX {
            part.facts.push((change.path.as_str().to_owned(), facts));
        }
    }
    part.findings.extend(asking.finish()?);
    Ok(part)
}

/// What one file came to.
#[derive(Default)]
pub(super) struct Looked {
    pub(super) findings: Vec<Finding>,
    pub(super) facts: Facts,
    /// What policies are asked about.
    pub(super) asked: Option<Asked>,
}

fn check_file(
    mirror: &Mirror,
    path: &TreePath,
    entry: Entry,
    rules: &Rules,
    schemas: &Schemas<'_>,
    asking: &Asking<'_>,
) -> Result<Looked, GateError> {
    if let Some(finding) = limits::check_size(path, mirror.blob_size(entry.id)?, rules) {
        // What breaks a limit is not read: that is what the limit is for.
        return Ok(Looked { findings: vec![finding], ..Looked::default() });
    }
    if entry.mode == FileMode::Link {
        return Ok(Looked::default());
    }
    let mut looked = mirror.with_blob(entry.id, |bytes| {
        let file = AtHand::new(path, bytes, rules, schemas);
        if let Some(mut looked) = sealed::look(path, bytes, rules, schemas) {
            looked.findings.extend(leaks::check(&file));
            return looked;
        }
        let families = Gate::ALL.iter().filter_map(|gate| match gate {
            Gate::File(check) => Some(check(&file)),
            Gate::Tree(_) => None,
        });
        let findings: Vec<_> = families.flatten().chain(leaks::check(&file)).collect();
        Looked { findings, facts: references::facts(&file), asked: file.into_asked(path, false) }
    })?;
    looked.asked = looked.asked.filter(|asked| asking.wants(&asked.shown));
    for finding in &mut looked.findings {
        finding.file.get_or_insert_with(|| path.as_str().to_owned());
    }
    Ok(looked)
}

/// The blobs of the rules that are in a tree: schemas, policies and their data.
fn blobs(
    mirror: &Mirror,
    tree: ObjectId,
    rules: &Rules,
) -> Result<Vec<Option<ObjectId>>, GateError> {
    Ok([schema::blobs(mirror, tree, rules)?, policies::blobs(mirror, tree, rules)?].concat())
}
