//! A repository made of any bytes, rendered and held against the gates.

use std::cell::RefCell;
use std::collections::BTreeMap;

use git2::{ObjectType, Oid};

use super::Reached;
use crate::config::RenderSettings;
use crate::gates::{self, Rules};
use crate::model::{FileMode, Finding, Limits, ObjectId, Revision};
use crate::objects::{Mirror, ObjectsError};
use crate::render::{self, Input};

/// Folders inside each other.
const DEPTH_MAX: usize = 6;
/// Objects of one input.
const OBJECTS_MAX: usize = 200;
/// Inputs for which one mirror, whose objects are in memory, is used.
const INPUTS_A_MIRROR: u32 = 200;
/// Objects that its memory may hold; more are written to disk.
const MEMORY_PRIORITY: i32 = 1_000;
/// Names that somebody may mean harm with, and some that meet in layers.
const NAMES: [&[u8]; 16] = [
    b"a.yaml",
    b"b.yaml",
    b"A.YAML",
    b"a.json",
    b"base",
    b"site",
    b".git",
    b"..",
    b".",
    b"",
    b".GIT ",
    b"git~1",
    b".git::$INDEX_ALLOCATION",
    b"a/b",
    b".g\xe2\x80\x8cit",
    b"\x1b[31m",
];

struct Store {
    mirror: Mirror,
    _folder: tempfile::TempDir,
    used: u32,
}

thread_local! {
    static STORE: RefCell<Option<Store>> = const { RefCell::new(None) };
}

/// A repository and how it is rendered: a byte of choices, then a folder's entries, each with its
/// kind, its name, and its content behind it.
#[must_use]
pub fn tree(bytes: &[u8]) -> Reached {
    STORE.with_borrow_mut(|store| {
        if store.as_ref().is_none_or(|store| store.used >= INPUTS_A_MIRROR) {
            *store = new_store();
        }
        let Some(store) = store else { return Reached::Refused };
        store.used += 1;
        let mut writer =
            Writer { mirror: &store.mirror, rest: bytes, objects: 0, submodules: BTreeMap::new() };
        let reached = writer.try_all().unwrap_or(Reached::Refused);
        // What one input leaves must not help the next.
        drop(store.mirror.drop_digests());
        reached
    })
}

fn new_store() -> Option<Store> {
    let folder = tempfile::tempdir().ok()?;
    let mirror = Mirror::open_or_create(&folder.path().join("repo.git")).ok()?;
    mirror.repository().odb().ok()?.add_new_mempack_backend(MEMORY_PRIORITY).ok()?;
    Some(Store { mirror, _folder: folder, used: 0 })
}

/// Writes objects as the input says.
struct Writer<'a> {
    mirror: &'a Mirror,
    rest: &'a [u8],
    objects: usize,
    submodules: BTreeMap<String, ObjectId>,
}

impl<'a> Writer<'a> {
    /// `None` where the input describes nothing that git's store takes.
    fn try_all(&mut self) -> Option<Reached> {
        let choices = self.byte()?;
        let settings = settings(choices);
        let limits = if choices & 16 == 0 {
            Limits::default()
        } else {
            Limits { files_max: 5, depth_max: 2, file_bytes_max: 64, ..Limits::default() }
        };
        let tree = self.folder(0, "")?;
        let commit = self.commit(tree)?;
        let input = Input {
            commit: &commit,
            settings: &settings,
            submodules: &self.submodules,
            limits: &limits,
            hint: None,
        };
        // A damaged store is an error and not a finding; both are answers.
        let rendered = render::render(self.mirror, &input).ok()?;
        bounded(&rendered.findings);
        let again = render::render(self.mirror, &input).ok()?;
        assert_eq!(rendered.tree, again.tree, "rendered again it is another tree");
        let Some(tree) = rendered.tree.filter(|_| !rendered.findings.iter().any(Finding::is_error))
        else {
            assert!(!rendered.findings.is_empty(), "refused without a finding");
            return Some(Reached::Refused);
        };
        let found = gates::check(self.mirror, tree, None, &Rules::new(&limits)).ok()?;
        bounded(&found);
        if found.iter().any(Finding::is_error) {
            return Some(Reached::Refused);
        }
        self.look_through(tree, &limits)?;
        Some(Reached::Taken)
    }

    /// What passed may go live: it holds nothing that the gates promise to keep out.
    fn look_through(&self, tree: ObjectId, limits: &Limits) -> Option<()> {
        let mut files = 0_u64;
        let seen = self.mirror.each_file::<ObjectsError>(tree, &mut |path, entry| {
            files += 1;
            for name in path.as_str().split('/') {
                let plain = name.trim_end_matches([' ', '.']).to_lowercase();
                assert!(!matches!(plain.as_str(), ".git" | "git~1"), "{path} passed");
                assert!(!matches!(name, "" | "." | ".."), "{path} passed");
                assert!(!name.contains(|c: char| c.is_control()), "{path} passed");
            }
            if entry.mode == FileMode::Link {
                let target = self.mirror.blob(entry.id)?;
                let inside =
                    !target.is_empty() && !target.starts_with(b"/") && !target.contains(&0);
                assert!(inside, "{path} leads to {:?}", String::from_utf8_lossy(&target));
            }
            Ok(())
        });
        seen.ok()?;
        assert!(files <= limits.files_max, "{files} files passed");
        let summary = self.mirror.summary(tree, None).ok()?;
        assert_eq!(summary.files, files, "counted twice");
        drop(self.mirror.drop_digests());
        assert_eq!(self.mirror.summary(tree, None).ok()?.digest, summary.digest, "another digest");
        Some(())
    }

    fn folder(&mut self, depth: usize, at: &str) -> Option<ObjectId> {
        let mut bytes = Vec::new();
        for _ in 0..self.byte()? % 12 {
            let Some(kind) = self.byte() else { break };
            self.objects += 1;
            if self.objects > OBJECTS_MAX {
                break;
            }
            let name = self.name()?;
            let path = format!("{at}{}", String::from_utf8_lossy(&name));
            let (mode, id) = self.entry(kind, depth, &path)?;
            bytes.extend_from_slice(mode);
            bytes.push(b' ');
            bytes.extend_from_slice(&name);
            bytes.push(0);
            bytes.extend_from_slice(&id.0);
        }
        self.write(ObjectType::Tree, &bytes)
    }

    fn entry(&mut self, kind: u8, depth: usize, path: &str) -> Option<(&'static [u8], ObjectId)> {
        Some(match kind % 8 {
            0 | 1 if depth < DEPTH_MAX => (b"40000", self.folder(depth + 1, &format!("{path}/"))?),
            2 => (b"100755", self.blob()?),
            3 => (b"120000", self.blob()?),
            4 => {
                let tree = self.folder(DEPTH_MAX, "")?;
                self.submodules.insert(path.to_owned(), tree);
                (b"160000", tree)
            }
            5 => (b"100644", ObjectId([kind; 20])),
            6 => (b"7", self.blob()?),
            _ => (b"100644", self.blob()?),
        })
    }

    /// A name from the list, or any bytes.
    fn name(&mut self) -> Option<Vec<u8>> {
        let first = self.byte()?;
        match NAMES.get(usize::from(first)) {
            Some(name) => Some(name.to_vec()),
            None => Some(self.take(usize::from(first % 32)).to_vec()),
        }
    }

    fn blob(&mut self) -> Option<ObjectId> {
        let length = usize::from(self.byte()?);
        let bytes = self.take(length);
        self.write(ObjectType::Blob, bytes)
    }

    fn commit(&self, tree: ObjectId) -> Option<Revision> {
        let text = format!("tree {tree}\nauthor a <a@b> 0 +0000\ncommitter a <a@b> 0 +0000\n\nm\n");
        let id = self.write(ObjectType::Commit, text.as_bytes())?;
        Revision::parse(&id.to_string()).ok()
    }

    fn write(&self, kind: ObjectType, bytes: &[u8]) -> Option<ObjectId> {
        let odb = self.mirror.repository().odb().ok()?;
        let id: Oid = odb.write(kind, bytes).ok()?;
        ObjectId::parse(&id.to_string()).ok()
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.rest = rest;
        taken
    }
}

fn settings(choices: u8) -> RenderSettings {
    let texts = |wanted: bool, texts: &[&str]| -> Vec<String> {
        texts.iter().filter(|_| wanted).map(|text| (*text).to_owned()).collect()
    };
    let include = if choices & 4 == 0 { "**" } else { "*.yaml" };
    RenderSettings {
        path: if choices & 1 == 0 { String::new() } else { "base".to_owned() },
        include: vec![include.to_owned()],
        exclude: texts(choices & 8 != 0, &["b.*", "site/"]),
        layers: texts(choices & 2 != 0, &["base", "site"]),
        only_for: (choices & 16 != 0).then(|| "a".to_owned()),
    }
}

/// More findings than anybody reads are not kept.
fn bounded(findings: &[Finding]) {
    assert!(findings.len() <= 1_000, "{} findings", findings.len());
    for finding in findings {
        let length = finding.message.chars().count();
        assert!(length <= super::MESSAGE_CHARS_MAX, "{length} characters in a message");
        let control = finding.message.contains(|c: char| c.is_control());
        assert!(!control, "a control character in {:?}", finding.message);
    }
}
