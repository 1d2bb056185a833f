use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::kos::{Extended, Member, PresetNeed};
use super::references::{Facts, Need, Use};
use crate::model::{Change, Finding, ObjectId, Severity};
use crate::objects::Mirror;

/// The kind under which it is remembered.
const KIND: &str = "gates";
/// Findings that are remembered; of a tree with more nothing is, and all of it is read again.
const FINDINGS_MAX: usize = 10_000;

/// What a tree came to under some rules, file by file: the next tree is looked at where it differs
/// from this one, whether it was refused or not. There is one for each set of rules.
///
/// As text: a line for the schemas, one for the findings (JSON), then the facts, line by line: `@`
/// and a path, and below it what that file says; then the profiles that extend others: `+` and a
/// path, and below it the files that it is made of and what was found. Ten thousand files are read in a few milliseconds.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Record {
    pub(super) tree: Option<ObjectId>,
    /// The blobs of the schemas in the tree.
    pub(super) schemas: Vec<Option<ObjectId>>,
    /// What was found in single files.
    pub(super) findings: Vec<Finding>,
    /// What single files say of others, by their paths.
    pub(super) facts: BTreeMap<String, Facts>,
    /// What profiles came to with all that they extend, by their paths.
    pub(super) extended: BTreeMap<String, Extended>,
}

#[derive(Deserialize, Serialize)]
struct Stored {
    error: bool,
    rule: String,
    file: Option<String>,
    line: Option<u32>,
    column: Option<u32>,
    message: String,
    hint: Option<String>,
}

impl Record {
    /// Forgets what was found in these files, and what is about no file.
    pub(super) fn forget(&mut self, files: &[Change]) {
        if self.findings.is_empty() && self.facts.is_empty() {
            return;
        }
        let forgotten: HashSet<&str> = files.iter().map(|change| change.path.as_str()).collect();
        let is_kept = |path: &str| !forgotten.contains(path);
        self.findings.retain(|finding| finding.file.as_deref().is_some_and(is_kept));
        for path in &forgotten {
            self.facts.remove(*path);
        }
    }

    /// What was remembered last under these rules, where the mirror still has the tree.
    pub(super) fn recall(mirror: &Mirror, rules: &str) -> Option<Self> {
        let (tree, text) = mirror.recall_text(KIND, &key(rules))?;
        Some(Self { tree: Some(tree), ..Self::read(&text)? })
    }

    /// Remembers it in place of what was remembered under these rules.
    pub(super) fn remember(&self, mirror: &Mirror, rules: &str) {
        let Some(tree) = self.tree.filter(|_| self.findings.len() <= FINDINGS_MAX) else { return };
        match self.write() {
            Ok(text) => mirror.remember_text(KIND, &key(rules), tree, &text),
            Err(error) => tracing::debug!(error = %error, "findings are not remembered"),
        }
    }

    fn write(&self) -> Result<String, serde_json::Error> {
        let mut text = String::with_capacity(100 + self.facts.len() * 80);
        for schema in &self.schemas {
            match schema {
                Some(id) => append(&mut text, format_args!("{id} ")),
                None => text.push_str("- "),
            }
        }
        text.push('\n');
        let findings: Vec<Stored> = self.findings.iter().map(Stored::of).collect();
        text.push_str(&serde_json::to_string(&findings)?);
        text.push('\n');
        for (path, facts) in &self.facts {
            append(&mut text, format_args!("@{path}\n"));
            write_facts(facts, &mut text);
        }
        let told: usize = self.extended.values().map(|extended| extended.findings.len()).sum();
        for (path, extended) in self.extended.iter().filter(|_| told <= FINDINGS_MAX) {
            append(&mut text, format_args!("+{path}\n"));
            write_extended(extended, &mut text)?;
        }
        Ok(text)
    }

    fn read(text: &str) -> Option<Self> {
        let (schemas, rest) = text.split_once('\n')?;
        let (findings, rest) = rest.split_once('\n')?;
        let id = |hex: &str| match hex {
            "-" => Some(None),
            hex => ObjectId::parse(hex).ok().map(Some),
        };
        let findings: Vec<Stored> = serde_json::from_str(findings).ok()?;
        let mut facts: Vec<(String, Facts)> = Vec::new();
        let mut extended: Vec<(String, Extended)> = Vec::new();
        for line in rest.lines() {
            if let Some(path) = line.strip_prefix('@') {
                facts.push((path.to_owned(), Facts::default()));
            } else if let Some(path) = line.strip_prefix('+') {
                extended.push((path.to_owned(), Extended::default()));
            } else if let Some((_, extended)) = extended.last_mut() {
                read_extended(line, extended)?;
            } else {
                read_fact(line, &mut facts.last_mut()?.1)?;
            }
        }
        Some(Self {
            tree: None,
            schemas: schemas.split_whitespace().map(id).collect::<Option<_>>()?,
            findings: findings.into_iter().map(Stored::restored).collect(),
            facts: facts.into_iter().collect(),
            extended: extended.into_iter().collect(),
        })
    }
}

fn key(rules: &str) -> [u8; 32] {
    Sha256::digest(format!("gates 3 {rules}")).into()
}

/// One line for each fact: what it is, and its parts with tabs between them.
fn write_facts(facts: &Facts, text: &mut String) {
    for Use { need, key, line, column } in &facts.uses {
        match need {
            Need::File { target, name } => append(text, format_args!("f{target}\t{}", one(name))),
            Need::Variable(name) => append(text, format_args!("v\t{}", one(name))),
            Need::Preset(need) => append(text, format_args!("p\t{}", need.word())),
        }
        append(text, format_args!("\t{line}\t{column}\t{}\n", one(key)));
    }
    for name in &facts.variables {
        append(text, format_args!("d\t{}\n", one(name)));
    }
    if facts.peers > 0 {
        append(text, format_args!("n\t{}\n", facts.peers));
    }
}

fn read_fact(line: &str, facts: &mut Facts) -> Option<()> {
    let mut parts = line.split('\t');
    let (kind, first) = (parts.next()?, parts.next()?);
    match kind {
        "d" => facts.variables.push(many(first)),
        "n" => facts.peers = first.parse().ok()?,
        _ => {
            let need = match kind {
                "v" => Need::Variable(many(first)),
                "p" => Need::Preset(PresetNeed::from_word(first)?),
                _ => {
                    let target = kind.strip_prefix('f')?.parse().ok()?;
                    Need::File { target, name: many(first) }
                }
            };
            let (line, column) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            facts.uses.push(Use { need, key: many(parts.next()?), line, column });
        }
    }
    Some(())
}

fn write_extended(extended: &Extended, text: &mut String) -> Result<(), serde_json::Error> {
    for Member { file, blob, bytes } in &extended.members {
        let blob = blob.map_or_else(|| "-".to_owned(), |id| id.to_string());
        append(text, format_args!("m{bytes}\t{blob}\t{}\n", one(file)));
    }
    for finding in &extended.findings {
        append(text, format_args!("!{}\n", serde_json::to_string(&Stored::of(finding))?));
    }
    write_facts(&extended.needs, text);
    Ok(())
}

fn read_extended(line: &str, extended: &mut Extended) -> Option<()> {
    if let Some(json) = line.strip_prefix('!') {
        let finding: Stored = serde_json::from_str(json).ok()?;
        extended.findings.push(finding.restored());
    } else if let Some(member) = line.strip_prefix('m') {
        let mut parts = member.split('\t');
        let (bytes, blob, file) = (parts.next()?, parts.next()?, parts.next()?);
        let blob = (blob != "-").then(|| ObjectId::parse(blob)).transpose().ok()?;
        extended.members.push(Member { file: many(file), blob, bytes: bytes.parse().ok()? });
    } else {
        read_fact(line, &mut extended.needs)?;
    }
    Some(())
}

fn append(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // A string takes all that is written to it.
    let _: std::fmt::Result = text.write_fmt(arguments);
}

/// A text without tabs and line breaks, from which [`many`] makes the same again.
fn one(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains(['\\', '\t', '\n', '\r']) {
        let text = text.replace('\\', "\\\\").replace('\t', "\\t");
        text.replace('\n', "\\n").replace('\r', "\\r").into()
    } else {
        text.into()
    }
}

fn many(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match (c, if c == '\\' { characters.next() } else { None }) {
            ('\\', Some('t')) => out.push('\t'),
            ('\\', Some('n')) => out.push('\n'),
            ('\\', Some('r')) => out.push('\r'),
            ('\\', Some(other)) => out.push(other),
            (c, _) => out.push(c),
        }
    }
    out
}

impl Stored {
    fn of(finding: &Finding) -> Self {
        let error = finding.is_error();
        let Finding { severity: _, rule, file, line, column, message, hint } = finding.clone();
        Self { error, rule, file, line, column, message, hint }
    }

    fn restored(self) -> Finding {
        let Self { error, rule, file, line, column, message, hint } = self;
        let severity = if error { Severity::Error } else { Severity::Warning };
        Finding { severity, rule, file, line, column, message, hint }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn facts() -> impl Strategy<Value = Facts> {
        let text = || "[a-z\\\\\t\n\r@ü]{0,5}";
        let need = prop_oneof![
            (0..9_usize, text()).prop_map(|(target, name)| Need::File { target, name }),
            text().prop_map(Need::Variable),
            Just(Need::Preset(PresetNeed::Peers)),
        ];
        let one = (need, text(), 1..9_u32, 1..9_u32).prop_map(|(need, key, line, column)| Use {
            need,
            key,
            line,
            column,
        });
        let uses = proptest::collection::vec(one, 0..3);
        let variables = proptest::collection::vec(text(), 0..3);
        (uses, variables, 0..2_u32).prop_map(|(uses, variables, peers)| Facts {
            uses,
            variables,
            peers,
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_the_same(
            facts in proptest::collection::btree_map("[a-z@/]{1,4}", facts(), 0..4),
            files in proptest::collection::vec(("[a-z./]{1,4}", proptest::bool::ANY), 0..4),
            needs in facts(),
            message in ".{0,9}",
        ) {
            let member = |(file, is_there): (String, bool)| Member {
                file,
                blob: is_there.then_some(ObjectId([8; 20])),
                bytes: u64::from(is_there),
            };
            let one = Extended {
                members: files.into_iter().map(member).collect(),
                needs,
                findings: vec![Finding::error("r", message.clone()).in_file("f").at(3, 4)],
            };
            let extended = [("profiles/a.yaml".to_owned(), one)].into();
            let findings = vec![
                Finding::error("r", message).in_file("f").at(1, 2).hint("h"),
                Finding::warning("w", "without a place"),
            ];
            let schemas = vec![None, Some(ObjectId([7; 20]))];
            let record = Record { tree: None, schemas, findings, facts, extended };
            prop_assert_eq!(Record::read(&record.write().unwrap()), Some(record));
        }

        #[test]
        fn what_is_no_record_is_none(text in "(.|\n|\t){0,40}") {
            drop(Record::read(&text));
        }
    }
}
