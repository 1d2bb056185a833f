use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::model::{ObjectId, Reason};
use crate::objects::ObjectsError;

/// Why the source could not be asked or fetched from. Places are shown without credentials.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// No connection, or it broke.
    #[error("cannot reach {place}: {doing} failed; check the address, the network and the proxy")]
    Unreachable {
        /// Where.
        place: String,
        /// What was being done.
        doing: &'static str,
        /// What the network says.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// It took too long.
    #[error(
        "{place} gave no answer within {} s ({doing}); is it up? `gitops.timeout` sets the limit",
        limit.as_secs_f32()
    )]
    TimedOut {
        /// Where.
        place: String,
        /// What was being done.
        doing: &'static str,
        /// The limit that was passed.
        limit: Duration,
    },
    /// The server says that it cannot answer now.
    #[error("{place} answers {status}: it cannot serve now; it is asked again later")]
    Busy {
        /// Where.
        place: String,
        /// The HTTP status.
        status: u16,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// There is no repository at that address, or not for us.
    #[error(
        "{place} has no repository there, or hides it; check the address, and whether the \
         credentials may read it"
    )]
    NoRepository {
        /// Where.
        place: String,
    },
    /// The server refused who we are.
    #[error("{place} refuses our credentials ({answer}); {advice}")]
    Refused {
        /// Where.
        place: String,
        /// What it answered.
        answer: String,
        /// What to do.
        advice: &'static str,
    },
    /// A credential could not be had.
    #[error("cannot read {what} {path}; check that it exists and that this user may read it")]
    CredentialFile {
        /// `the token file`, `the SSH key` …
        what: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A credential file holds something else than it should.
    #[error("{what} {path} {problem}")]
    CredentialShape {
        /// `the token file`, `the SSH key` …
        what: &'static str,
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The TLS settings cannot be used.
    #[error("cannot use the TLS or proxy settings for {place}")]
    Tls {
        /// Where.
        place: String,
        /// What the TLS library says.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// Nobody vouches for the SSH host's key.
    #[error(
        "the host key of {host} is not known; get its fingerprint from whoever runs the host, \
         compare it with `ssh-keyscan {scan} | ssh-keygen -lf -`, then add the lines of \
         `ssh-keyscan {scan}` to {known_hosts}"
    )]
    HostKeyUnknown {
        /// The host, as it stands in known_hosts.
        host: String,
        /// The host, as `ssh-keyscan` takes it.
        scan: String,
        /// Where known keys are.
        known_hosts: String,
    },
    /// The SSH host's key is another than the known one.
    #[error(
        "the host key of {host} has changed: the host was set up anew, or somebody is in between; \
         nothing was sent. Ask whoever runs the host; if the change is right, \
         `ssh-keygen -R '{host}' -f {known_hosts}` and add the new key"
    )]
    HostKeyChanged {
        /// The host.
        host: String,
        /// Where known keys are.
        known_hosts: String,
    },
    /// The repository does not have what is followed.
    #[error("{place} has no {reference}{hint}")]
    ReferenceNotFound {
        /// Where.
        place: String,
        /// ``branch `production` `` …
        reference: String,
        /// What it has instead; starts with a separator, or is empty.
        hint: String,
    },
    /// The repository has no commits.
    #[error("{place} is empty; push a first commit to it")]
    Empty {
        /// Where.
        place: String,
    },
    /// What answers does not speak git, or nothing that we speak.
    #[error("{place} {problem}")]
    NotGit {
        /// Where.
        place: String,
        /// What is wrong, as a predicate.
        problem: String,
    },
    /// The answer is damaged, cut off, or not what was asked for.
    #[error("{place} sent a damaged answer: {problem}")]
    Damaged {
        /// Where.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// An object that was asked for did not come.
    #[error(
        "{place} did not send object {id}, which the commit needs; `git fsck` there tells more"
    )]
    Incomplete {
        /// Where.
        place: String,
        /// The first object missing.
        id: ObjectId,
    },
    /// The server said why it refuses.
    #[error("{place} says: {message}")]
    Remote {
        /// Where.
        place: String,
        /// Its words, cut and without control characters.
        message: String,
    },
    /// More was sent than is allowed.
    #[error("{place} sent more than {limit} ({max}) allows; raise it if that is right")]
    Limit {
        /// Where.
        place: String,
        /// The limit's name.
        limit: &'static str,
        /// Its value.
        max: u64,
    },
    /// The server sends us elsewhere.
    #[error(
        "{place} redirects to {to}, which is not followed: credentials stay with the host they \
         are for; if that is the right address, set `gitops.repository` to it"
    )]
    RedirectRefused {
        /// Where.
        place: String,
        /// Where to, without credentials.
        to: String,
    },
    /// A submodule cannot be had.
    #[error("submodule `{name}`: {problem}")]
    Submodule {
        /// Its path in the repository.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// A program could not be started.
    #[error("cannot start `{program}`; is it installed and on the PATH?")]
    Program {
        /// Which.
        program: &'static str,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A local repository could not be read.
    #[error("cannot read the repository {path}; is it a git repository that this user may read?")]
    Local {
        /// Its folder.
        path: PathBuf,
        /// What libgit2 says.
        #[source]
        source: git2::Error,
    },
    /// A file or folder of our own could not be made.
    #[error("cannot {operation} {path}")]
    File {
        /// `create`, `sync` …
        operation: &'static str,
        /// Which.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// What was received could not be stored.
    #[error("cannot store what was fetched in {path}; is there space, and may this user write?")]
    Store {
        /// The mirror's folder.
        path: PathBuf,
        /// What libgit2 says.
        #[source]
        source: git2::Error,
    },
    /// The mirror.
    #[error(transparent)]
    Mirror(#[from] ObjectsError),
}

impl SourceError {
    /// The stable code for `status` and the events.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Refused { .. }
            | Self::CredentialFile { .. }
            | Self::CredentialShape { .. }
            | Self::HostKeyUnknown { .. }
            | Self::HostKeyChanged { .. } => Reason::CredentialsRefused,
            Self::ReferenceNotFound { .. } => Reason::ReferenceNotFound,
            Self::Empty { .. } => Reason::RepositoryEmpty,
            Self::NotGit { .. }
            | Self::Damaged { .. }
            | Self::Incomplete { .. }
            | Self::Limit { .. }
            | Self::Submodule { .. }
            | Self::Mirror(_) => Reason::SourceDamaged,
            Self::File { .. } | Self::Store { .. } => Reason::ApplyFailed,
            Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::Busy { .. }
            | Self::NoRepository { .. }
            | Self::Tls { .. }
            | Self::Remote { .. }
            | Self::RedirectRefused { .. }
            | Self::Program { .. }
            | Self::Local { .. } => Reason::SourceUnreachable,
        }
    }

    /// When the server wants to be asked again; at most a day.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether the mirror is damaged, so that it is to be rebuilt and the fetch tried again.
    #[must_use]
    pub const fn mirror_damaged(&self) -> bool {
        matches!(self, Self::Mirror(error) if error.is_damage())
    }

    /// Takes an error out of the reader that carried it.
    pub(super) fn from_read(error: io::Error, place: &str, doing: &'static str) -> Self {
        match error.downcast::<Self>() {
            Ok(own) => own,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Self::Damaged { place: place.to_owned(), problem: "it ends early".to_owned() }
            }
            Err(error) => {
                Self::Unreachable { place: place.to_owned(), doing, source: error.into() }
            }
        }
    }
}

/// A server's words, fit for a message: one line, without control characters, at most 300 of them.
pub(super) fn words(text: &[u8]) -> String {
    const WORDS_MAX: usize = 300;
    let text = String::from_utf8_lossy(text);
    let plain: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(WORDS_MAX).collect();
    plain.trim().to_owned()
}
