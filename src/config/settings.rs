use std::path::PathBuf;
use std::time::Duration;

use chrono_tz::Tz;

use super::secrets::Secrets;
use super::validation::Validation;
use super::verify::Verify;
use crate::decide::schedule::WindowSpec;
use crate::model::{EventKind, Limits, Revision};

/// Settings that are valid: parsed, completed with defaults, relative paths resolved.
///
/// Only this is handed on; nothing behind it checks a setting again. Credentials are file names
/// here and are read at each use.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The file they came from; `None`: flags and environment alone.
    pub file: Option<PathBuf>,
    /// The profile that this node runs.
    pub profile: Option<String>,
    /// Where the mirror, the journal, the socket and the lock are.
    pub state_dir: PathBuf,
    /// What is followed, and how.
    pub source: SourceSettings,
    /// Which part of the repository becomes this node's tree.
    pub render: RenderSettings,
    /// When a new revision is applied.
    pub policy: SyncPolicy,
    /// Where the tree goes live.
    pub live: LiveSettings,
    /// What encrypted files are decrypted with.
    pub secrets: Secrets,
    /// What a revision is held against before it is live.
    pub validation: Validation,
    /// The named limits.
    pub limits: Limits,
    /// What else to hide.
    pub mask: Mask,
    /// Programs that may veto a staged tree, in order.
    pub checks: Vec<super::programs::Check>,
    /// What is told once a tree is live, in order.
    pub reload: Vec<super::programs::Reload>,
    /// What has to be well after that.
    pub health: super::programs::Health,
    /// Who is told.
    pub nodes: Vec<NodeSettings>,
    /// Who is told of problems.
    pub alerts: Vec<super::alerts::AlertSettings>,
    /// Where the API listens, and who may do what there.
    pub api: super::api::ApiSettings,
    /// The audit trail.
    pub audit: super::audit::AuditSettings,
    /// Where traces go; `None`: nothing is traced.
    pub telemetry: Option<super::telemetry::Telemetry>,
    /// How long a pass may still take after SIGTERM.
    pub shutdown_grace: Duration,
}

impl Settings {
    /// Names all settings that decide which tree a commit gives.
    #[must_use]
    pub fn recipe(&self) -> String {
        format!("{:?};submodules={}", self.render, self.source.submodules)
    }
}

/// Which repository is followed, and how it is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceSettings {
    /// The repository.
    pub location: Location,
    /// Which commit of it.
    pub reference: Reference,
    /// How often it is asked; at least 10 ms.
    pub interval: Duration,
    /// The part of the interval by which it varies, 0 to 1.
    pub jitter: f64,
    /// How long asking or fetching may take in all; connecting and silence have a part of it.
    pub timeout: Duration,
    /// Credentials.
    pub auth: Auth,
    /// TLS.
    pub tls: Tls,
    /// HTTP proxy; `None`: the environment's.
    pub proxy: Option<String>,
    /// Whether submodules are part of the tree.
    pub submodules: bool,
    /// Whether a head that does not descend from the last accepted one is taken.
    pub history_rewrite: HistoryRewrite,
    /// Whose signatures a revision needs.
    pub verify: Verify,
    /// Where commits of ours go.
    pub write_back: WriteBack,
    /// The secret of push webhooks.
    pub webhook_secret_file: Option<PathBuf>,
    /// Where commits get their statuses.
    pub commit_status: Option<super::commit_status::CommitStatusSettings>,
}

/// Where a commit goes that is made over the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WriteBack {
    /// To the branch that is followed.
    Push,
    /// To a branch of its own, for review.
    Branch,
    /// Nowhere: the repository is only read.
    Off,
}

/// Where a repository is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Location {
    /// `http://` or `https://`, without credentials.
    Http(String),
    /// `ssh://` or `user@host:path`.
    Ssh {
        /// The user; `None`: what ssh's own configuration says.
        user: Option<String>,
        /// The host.
        host: String,
        /// The port; `None`: what ssh's own configuration says.
        port: Option<u16>,
        /// The path as the server is to see it.
        path: String,
    },
    /// A folder on this machine.
    Path(PathBuf),
    /// The bare repository in the state folder.
    Embedded,
}

/// Which commit of the repository is followed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reference {
    /// The remote's HEAD.
    Head,
    /// A branch, by its short name.
    Branch(String),
    /// A tag, by its short name; it may move.
    Tag(String),
    /// The highest tag in a semver range; a leading `v` of the tag does not count.
    Semver(semver::VersionReq),
    /// One commit, for ever.
    Commit(Revision),
    /// A full reference name.
    Ref(String),
}

/// Whether a rewritten history is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryRewrite {
    /// It is refused until an operator applies it.
    Refuse,
    /// It is taken.
    Allow,
}

/// Credentials, by the files that hold them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Auth {
    /// HTTP, one of the ways.
    pub http: HttpAuth,
    /// A private key for SSH.
    pub ssh_key_file: Option<PathBuf>,
    /// Its passphrase.
    pub passphrase_file: Option<PathBuf>,
    /// The host keys that are accepted; `None`: the user's and the system's.
    pub known_hosts_file: Option<PathBuf>,
}

/// How a git server over HTTP is told who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HttpAuth {
    /// Not at all.
    #[default]
    None,
    /// Basic, with a token as the password.
    Token {
        /// The user name that goes with it.
        username: String,
        /// The token's file.
        file: PathBuf,
    },
    /// `Authorization: Bearer`.
    Bearer(PathBuf),
    /// Basic.
    Password {
        /// The user name.
        username: String,
        /// The password's file.
        file: PathBuf,
    },
    /// The entry for the host in a netrc file.
    Netrc(PathBuf),
}

/// TLS towards the git server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// A private certificate authority, which then is the only one that counts.
    pub ca_file: Option<PathBuf>,
    /// Our certificate.
    pub client_cert_file: Option<PathBuf>,
    /// Our certificate's key.
    pub client_key_file: Option<PathBuf>,
}

/// Which part of the repository becomes the tree.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RenderSettings {
    /// The folder that is the root; empty: the repository's.
    pub path: String,
    /// gitignore-style patterns of what is in.
    pub include: Vec<String>,
    /// gitignore-style patterns of what is out.
    pub exclude: Vec<String>,
    /// Folders below `path` merged in order; empty: no layers.
    pub layers: Vec<String>,
    /// Only what this profile uses; `None`: everything.
    pub only_for: Option<String>,
}

/// When a new revision is applied.
#[derive(Clone, Debug, PartialEq)]
pub struct SyncPolicy {
    /// `false`: a new revision waits for `apply`.
    pub auto_sync: bool,
    /// How many earlier deployments can be returned to.
    pub rollback_limit: u32,
    /// When applying is allowed or denied.
    pub windows: Vec<Window>,
}

/// A time in which applying is allowed or denied.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// Which of the two.
    pub kind: WindowKind,
    /// When it opens: cron, six or seven fields (seconds first), or the five of Unix cron.
    pub schedule: String,
    /// How long it stays open.
    pub duration: Duration,
    /// Where the clock hangs.
    pub timezone: Tz,
}

impl Window {
    /// The window as `decide` takes it.
    #[must_use]
    pub fn spec(&self) -> WindowSpec<'_> {
        WindowSpec {
            allow: self.kind == WindowKind::Allow,
            schedule: &self.schedule,
            duration: self.duration,
            timezone: self.timezone,
        }
    }
}

/// What a window does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowKind {
    /// Applying is allowed inside only.
    Allow,
    /// Applying is denied inside.
    Deny,
}

/// Where the tree goes live.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveSettings {
    /// What consumers open.
    pub path: PathBuf,
    /// A link, or a real folder.
    pub mode: LiveMode,
    /// What is done about drift.
    pub drift: DriftPolicy,
    /// How often the tree is compared.
    pub drift_interval: Duration,
    /// Whether something that is not ours at the path is moved aside.
    pub adopt: bool,
    /// How much a plan may shrink the tree.
    pub max_deletions: MaxDeletions,
    /// How long a tree that left the history is left alone.
    pub reuse_after: Duration,
    /// Who the files are given to.
    pub owner: Option<Owner>,
    /// File modes other than git's.
    pub file_modes: Vec<FileModeRule>,
}

/// How the live path shows the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LiveMode {
    /// A relative link, renamed over the one before.
    Symlink,
    /// A real folder, exchanged with the one before.
    Exchange,
}

/// What is done about drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriftPolicy {
    /// The tree is put right.
    Repair,
    /// It is told.
    Report,
    /// The tree is not looked at.
    Off,
}

/// How much a plan may shrink the tree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MaxDeletions {
    /// A part of the files, 0 to 1.
    Part(f64),
    /// A number of files.
    Files(u64),
}

/// Who files are given to: numbers, resolved when the settings are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// User id; `None`: unchanged.
    pub uid: Option<u32>,
    /// Group id; `None`: unchanged.
    pub gid: Option<u32>,
}

/// The mode of the files that a pattern names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileModeRule {
    /// gitignore-style.
    pub pattern: String,
    /// Permission bits, at most 0777.
    pub mode: u32,
}

/// What to hide beside what is known to be secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mask {
    /// gitignore-style patterns of files.
    pub files: Vec<String>,
    /// Key names, compared without regard to case, as a part of the key.
    pub keys: Vec<String>,
}

/// A machine or process that is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSettings {
    /// Its name, unique.
    pub name: String,
    /// Where it listens: `http` or `https`.
    pub url: String,
    /// The file with its secrets, one a line.
    pub secret_file: PathBuf,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// Its labels.
    pub labels: Vec<(String, String)>,
    /// What it is told of; empty: everything.
    pub events: Vec<EventKind>,
    /// gitignore-style: told only when one of these changed.
    pub paths: Vec<String>,
    /// How long an event is tried before it is given up.
    pub deliver_for: Duration,
}
