use std::path::{Path, PathBuf};

use git2::build::TreeUpdateBuilder;
use git2::{FileMode, ObjectType, Oid, Repository, RepositoryInitOptions, Signature, Time};
use tempfile::TempDir;

use super::git::{git, succeed};

/// The time of a repository's first commit: 2026-01-01T00:00:00Z. Each one after it is a minute
/// later, so that the same changes give the same commit ids in every run.
const FIRST_COMMIT: i64 = 1_767_225_600;

/// A bare repository in a folder of its own, gone when dropped. Its branch is `main`.
///
/// ```ignore
/// let repo = Repo::new();
/// let first = repo.commit(&[("a.yaml", "a: 1\n"), ("sub/b.txt", "b\n")]);
/// let second = repo.change().remove("sub/b.txt").executable("run", "#!/bin/sh\n").commit("less");
/// repo.branch("production", &first); // a new branch, or an old one moved by force
/// ```
pub(crate) struct Repo {
    root: TempDir,
    repository: Repository,
}

impl Repo {
    /// An empty one.
    pub(crate) fn new() -> Self {
        let root = TempDir::with_prefix("repo-").expect("a temporary folder");
        let mut options = RepositoryInitOptions::new();
        options.bare(true).initial_head("main").external_template(false);
        let repository =
            Repository::init_opts(root.path().join("config.git"), &options).expect("a repository");
        Self { root, repository }
    }

    /// One whose first commit has `count` YAML files of some 100 bytes, in folders of 100, packed.
    pub(crate) fn with_files(count: usize) -> Self {
        let repo = Self::new();
        let mut change = repo.change();
        for number in 0..count {
            let text = format!("name: file-{number}\nvalue: {number}\n{:#<64}\n", "");
            change = change.write(&format!("d{:04}/f{:02}.yaml", number / 100, number % 100), text);
        }
        change.commit("many files");
        succeed(repo.git().args(["repack", "-a", "-d", "-q"]));
        repo
    }

    /// The folder that holds it: what a [`GitServer`](super::GitServer) serves.
    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    /// The repository's own folder, `<root>/config.git`.
    pub(crate) fn path(&self) -> PathBuf {
        self.root.path().join("config.git")
    }

    /// A sealed `git` in it, for what has no verb here.
    pub(crate) fn git(&self) -> std::process::Command {
        git(&self.path())
    }

    /// A commit on `main` that writes these files over what is there.
    pub(crate) fn commit(&self, files: &[(&str, &str)]) -> String {
        let mut change = self.change();
        for (path, text) in files {
            change = change.write(path, *text);
        }
        change.commit("a change")
    }

    /// Begins a commit, on `main` unless told otherwise.
    pub(crate) fn change(&self) -> Change<'_> {
        Change {
            repo: self,
            branch: "main".to_owned(),
            orphan: false,
            tree: TreeUpdateBuilder::new(),
        }
    }

    /// Makes a branch at a revision, or moves it there, whatever it held: a forced push.
    pub(crate) fn branch(&self, name: &str, revision: &str) {
        self.reference(&format!("refs/heads/{name}"), revision);
    }

    /// Makes any reference, or moves it.
    pub(crate) fn reference(&self, name: &str, revision: &str) {
        self.repository.reference(name, oid(revision), true, "moved").expect("a reference");
    }

    /// Removes a branch.
    pub(crate) fn delete_branch(&self, name: &str) {
        let name = format!("refs/heads/{name}");
        self.repository.find_reference(&name).expect("the branch").delete().expect("its end");
    }

    /// Makes a light tag, or moves it.
    pub(crate) fn tag(&self, name: &str, revision: &str) {
        self.reference(&format!("refs/tags/{name}"), revision);
    }

    /// Makes an annotated tag, or moves it.
    pub(crate) fn annotated_tag(&self, name: &str, revision: &str) {
        let object = self.repository.find_object(oid(revision), None).expect("the commit");
        let tagger = signature(FIRST_COMMIT);
        self.repository.tag(name, &object, &tagger, "a tag", true).expect("a tag");
    }

    /// Which branch HEAD names.
    pub(crate) fn head_is(&self, branch: &str) {
        self.repository.set_head(&format!("refs/heads/{branch}")).expect("HEAD");
    }

    /// The commit that a branch is at.
    pub(crate) fn tip(&self, branch: &str) -> String {
        let name = format!("refs/heads/{branch}");
        self.repository.refname_to_id(&name).expect("the branch").to_string()
    }

    /// Writes a blob; gives its id, for [`Repo::raw_tree`].
    pub(crate) fn blob(&self, bytes: &[u8]) -> String {
        self.object(ObjectType::Blob, bytes)
    }

    /// Writes a tree with entries that git itself would not make: `(mode, name, id)`, as they are.
    pub(crate) fn raw_tree(&self, entries: &[(&str, &[u8], &str)]) -> String {
        let mut bytes = Vec::new();
        for (mode, name, id) in entries {
            bytes.extend_from_slice(mode.as_bytes());
            bytes.push(b' ');
            bytes.extend_from_slice(name);
            bytes.push(0);
            bytes.extend_from_slice(oid(id).as_bytes());
        }
        self.object(ObjectType::Tree, &bytes)
    }

    /// Commits a tree to a branch, on top of what it holds, without looking at it.
    pub(crate) fn commit_raw(&self, branch: &str, tree: &str) -> String {
        let parent = self.repository.refname_to_id(&format!("refs/heads/{branch}")).ok();
        let parents = parent.map(|id| format!("parent {id}\n")).unwrap_or_default();
        let who = format!("Author <author@example.com> {} +0000", self.next_time(parent));
        let text = format!("tree {tree}\n{parents}author {who}\ncommitter {who}\n\nraw\n");
        let commit = self.object(ObjectType::Commit, text.as_bytes());
        self.branch(branch, &commit);
        commit
    }

    /// Any object's bytes.
    pub(crate) fn bytes(&self, id: &str) -> Vec<u8> {
        let odb = self.repository.odb().expect("the object store");
        odb.read(oid(id)).expect("the object").data().to_vec()
    }

    /// Writes a commit as it is; nothing names it yet.
    pub(crate) fn write_commit(&self, bytes: &[u8]) -> String {
        self.object(ObjectType::Commit, bytes)
    }

    /// Writes a tag as it is, and lets a reference name it.
    pub(crate) fn write_tag(&self, reference: &str, bytes: &[u8]) -> String {
        let tag = self.object(ObjectType::Tag, bytes);
        self.reference(reference, &tag);
        tag
    }

    fn object(&self, kind: ObjectType, bytes: &[u8]) -> String {
        let odb = self.repository.odb().expect("the object store");
        odb.write(kind, bytes).expect("an object").to_string()
    }

    fn next_time(&self, parent: Option<Oid>) -> i64 {
        parent.map_or(FIRST_COMMIT, |parent| {
            self.repository.find_commit(parent).expect("the parent").time().seconds() + 60
        })
    }
}

/// A commit in the making.
#[must_use = "nothing happens until `commit`"]
pub(crate) struct Change<'a> {
    repo: &'a Repo,
    branch: String,
    orphan: bool,
    tree: TreeUpdateBuilder,
}

impl Change<'_> {
    /// The branch that gets it; it is made when there is none.
    pub(crate) fn on(mut self, branch: &str) -> Self {
        branch.clone_into(&mut self.branch);
        self
    }

    /// Without a parent and with no files but those of this change: a history of its own.
    pub(crate) fn orphan(mut self) -> Self {
        self.orphan = true;
        self
    }

    pub(crate) fn write(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.put(path, content.as_ref(), FileMode::Blob)
    }

    pub(crate) fn executable(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.put(path, content.as_ref(), FileMode::BlobExecutable)
    }

    /// A symbolic link.
    pub(crate) fn link(self, path: &str, target: &str) -> Self {
        self.put(path, target.as_bytes(), FileMode::Link)
    }

    /// A submodule at a commit; `.gitmodules` is written like any file.
    pub(crate) fn submodule(mut self, path: &str, revision: &str) -> Self {
        self.tree.upsert(path, oid(revision), FileMode::Commit);
        self
    }

    /// Removes a file or a folder.
    pub(crate) fn remove(mut self, path: &str) -> Self {
        self.tree.remove(path);
        self
    }

    fn put(mut self, path: &str, content: &[u8], mode: FileMode) -> Self {
        let blob = self.repo.repository.blob(content).expect("a blob");
        self.tree.upsert(path, blob, mode);
        self
    }

    /// Writes the commit, moves the branch to it, and gives its id.
    pub(crate) fn commit(mut self, message: &str) -> String {
        let repository = &self.repo.repository;
        let name = format!("refs/heads/{}", self.branch);
        let parent = match repository.refname_to_id(&name) {
            Ok(id) if !self.orphan => Some(repository.find_commit(id).expect("the parent")),
            _ => None,
        };
        let base = match &parent {
            Some(parent) => parent.tree().expect("its tree"),
            None => {
                let empty = repository.treebuilder(None).and_then(|new| new.write());
                repository.find_tree(empty.expect("an empty tree")).expect("the empty tree")
            }
        };
        let tree = self.tree.create_updated(repository, &base).expect("a tree");
        let tree = repository.find_tree(tree).expect("the new tree");
        let author = signature(self.repo.next_time(parent.as_ref().map(git2::Commit::id)));
        let parents: Vec<_> = parent.iter().collect();
        let commit = repository
            .commit(None, &author, &author, message, &tree, &parents)
            .expect("a commit")
            .to_string();
        self.repo.branch(&self.branch, &commit);
        commit
    }
}

fn signature(seconds: i64) -> Signature<'static> {
    Signature::new("Author", "author@example.com", &Time::new(seconds, 0)).expect("an author")
}

fn oid(hex: &str) -> Oid {
    Oid::from_str(hex).expect("a full object id")
}
