use std::path::{Path, PathBuf};

use git2::build::CheckoutBuilder;
use git2::{Index, IndexEntry, IndexTime, Oid, RepositoryInitOptions, Signature};

use super::super::exit::{Exit, Failure, chain};
use crate::model::{FileMode, ObjectId, Revision, TreePath};
use crate::objects::Mirror;

/// A repository that has no commit yet.
pub(super) struct Repository {
    repository: git2::Repository,
    index: Index,
    folder: PathBuf,
}

/// A repository with its one commit, checked out.
pub(super) struct Committed {
    /// Its folder.
    pub(super) folder: PathBuf,
    /// The commit.
    pub(super) revision: Revision,
    /// The commit's tree.
    pub(super) tree: ObjectId,
}

impl Repository {
    /// An empty one, on the branch `main`.
    pub(super) fn new(folder: &Path) -> Result<Self, Failure> {
        let mut options = RepositoryInitOptions::new();
        options.initial_head("main").external_template(false).no_reinit(true).mkpath(true);
        let failed = failed("make a repository in", folder);
        let repository = git2::Repository::init_opts(folder, &options).map_err(&failed)?;
        let index = repository.index().map_err(&failed)?;
        Ok(Self { repository, index, folder: folder.to_owned() })
    }

    /// Adds a file by its bytes; no filter of git's (line ends, attributes) changes them.
    pub(super) fn add(
        &mut self,
        path: &TreePath,
        mode: FileMode,
        bytes: &[u8],
    ) -> Result<(), Failure> {
        let entry = IndexEntry {
            ctime: IndexTime::new(0, 0),
            mtime: IndexTime::new(0, 0),
            dev: 0,
            ino: 0,
            mode: match mode {
                FileMode::Regular => 0o100_644,
                FileMode::Executable => 0o100_755,
                FileMode::Link => 0o120_000,
            },
            uid: 0,
            gid: 0,
            file_size: 0,
            id: Oid::ZERO_SHA1,
            flags: 0,
            flags_extended: 0,
            path: path.as_str().as_bytes().to_vec(),
        };
        self.index
            .add_frombuffer(&entry, bytes)
            .map_err(failed(&format!("add {path} to"), &self.folder))
    }

    /// Commits what was added, and checks it out.
    pub(super) fn commit(mut self, adopted: Option<&Path>) -> Result<Committed, Failure> {
        let failed = failed("commit to", &self.folder);
        let message = match adopted {
            Some(folder) => format!("Configuration as it was in {}\n", folder.display()),
            None => "Configuration to start from\n".to_owned(),
        };
        let tree = self.index.write_tree().map_err(&failed)?;
        self.index.write().map_err(&failed)?;
        let author = match self.repository.signature() {
            Ok(user) => user,
            Err(_) => Signature::now("kconfigd", "kconfigd@localhost").map_err(&failed)?,
        };
        let found = self.repository.find_tree(tree).map_err(&failed)?;
        let commit = self
            .repository
            .commit(Some("HEAD"), &author, &author, &message, &found, &[])
            .map_err(&failed)?;
        let mut checkout = CheckoutBuilder::new();
        checkout.force().disable_filters(true);
        self.repository.checkout_head(Some(&mut checkout)).map_err(&failed)?;
        let read = |text: String| {
            ObjectId::parse(&text)
                .map_err(|error| Failure::new(Exit::Error, format!("git gave {error}")))
        };
        let tree = read(tree.to_string())?;
        let revision = Revision::parse(&commit.to_string())
            .map_err(|error| Failure::new(Exit::Error, format!("git gave {error}")))?;
        Ok(Committed { folder: self.folder, revision, tree })
    }
}

impl Committed {
    /// Its objects, as the gates read them.
    pub(super) fn store(&self) -> Result<Mirror, Failure> {
        Mirror::open_or_create(&self.folder.join(".git"))
            .map_err(|error| Failure::new(Exit::Error, chain(&error)))
    }
}

fn failed(verb: &str, folder: &Path) -> impl Fn(git2::Error) -> Failure + use<> {
    let what = format!("cannot {verb} {}", folder.display());
    move |error| Failure::new(Exit::Error, format!("{what}: {}", error.message()))
}
