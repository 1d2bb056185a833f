//! Against the real git: what is asked, what it costs, and what is known of history afterwards.

mod backend;
mod damage;
mod histories;
mod modules;
mod over_http;
mod over_paths;
mod over_ssh;
mod over_tls;
mod sshd;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::{Head, Remote, Source};
use crate::config::{Auth, HistoryRewrite, Location, Reference, SourceSettings, Tls};
use crate::model::{Limits, Revision};
use crate::objects::Mirror;

/// A bare repository, a working copy of it, a state folder.
pub(super) struct Place {
    pub folder: TempDir,
    pub work: PathBuf,
    pub bare: PathBuf,
}

impl Place {
    pub(super) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let (work, bare) = (folder.path().join("work"), folder.path().join("served/config.git"));
        run(folder.path(), &["init", "-q", "-b", "main", "work"]);
        run(folder.path(), &["init", "-q", "--bare", "-b", "main", "served/config.git"]);
        Self { folder, work, bare }
    }

    /// Runs git in the working copy.
    pub(super) fn git(&self, arguments: &[&str]) -> String {
        run(&self.work, arguments)
    }

    /// Commits one file and gives the commit.
    pub(super) fn commit(&self, file: &str, text: &str) -> Revision {
        let path = self.work.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", &format!("change {file}")]);
        self.head()
    }

    pub(super) fn head(&self) -> Revision {
        Revision::parse(self.git(&["rev-parse", "HEAD"]).trim()).unwrap()
    }

    /// Pushes everything as it is here.
    pub(super) fn push(&self) {
        let bare = self.bare.to_str().unwrap();
        self.git(&["push", "-q", "--mirror", bare]);
    }

    pub(super) fn mirror(&self) -> Mirror {
        Mirror::open_or_create(&self.folder.path().join("state/repo.git")).unwrap()
    }

    pub(super) fn remote(&self, location: Location, reference: Reference) -> Remote {
        self.remote_with(&settings(location, reference))
    }

    pub(super) fn remote_with(&self, settings: &SourceSettings) -> Remote {
        let state = self.folder.path().join("state");
        Remote::new(settings, &Limits::default(), &state).unwrap()
    }
}

pub(super) fn settings(location: Location, reference: Reference) -> SourceSettings {
    SourceSettings {
        location,
        reference,
        interval: Duration::from_secs(300),
        jitter: 0.0,
        timeout: Duration::from_secs(60),
        auth: Auth::default(),
        tls: Tls::default(),
        proxy: None,
        submodules: false,
        history_rewrite: HistoryRewrite::Refuse,
        verify: crate::config::Verify::default(),
        write_back: crate::config::WriteBack::Push,
        webhook_secret_file: None,
        commit_status: None,
    }
}

pub(super) fn run(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"])
        .args(["-c", "protocol.file.allow=always", "-c", "commit.gpgsign=false"])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Asks, and takes what is there.
pub(super) fn ask(remote: &mut Remote) -> Head {
    remote.ask().unwrap()
}
