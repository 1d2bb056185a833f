//! Who is told: nodes, alerts and the forge, each with a queue of its own in the outbox.

use std::path::PathBuf;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::secrets;
use crate::config::{AlertSettings, AlertWay, CommitStatusSettings, Forge, NodeSettings, Settings};

/// How long one attempt to set a commit's status may take.
const FORGE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a status is tried before it is given up.
const FORGE_DELIVER_FOR: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// Somebody with a queue in the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The queue, as deliveries name it.
    pub name: String,
    /// How it is told.
    pub way: Way,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// How long an event is tried before it is given up.
    pub deliver_for: Duration,
}

/// How somebody is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// A signed `CloudEvent`.
    Signed {
        /// Where to.
        url: String,
        /// The file with what it is signed with.
        secret_file: PathBuf,
    },
    /// A message to Slack.
    Slack {
        /// The file with the address.
        url_file: PathBuf,
    },
    /// An event for PagerDuty.
    PagerDuty {
        /// Where to.
        url: String,
        /// The file with the routing key.
        routing_key_file: PathBuf,
    },
    /// A commit's status.
    Forge(CommitStatusSettings),
}

impl Endpoint {
    /// Everybody that the settings name.
    #[must_use]
    pub fn all(settings: &Settings) -> Vec<Self> {
        let nodes = settings.nodes.iter().map(Self::of_node);
        let alerts = settings.alerts.iter().map(Self::of_alert);
        let forge = settings.source.commit_status.iter().map(Self::of_forge);
        nodes.chain(alerts).chain(forge).collect()
    }

    /// A node.
    #[must_use]
    pub fn of_node(node: &NodeSettings) -> Self {
        Self {
            name: node.name.clone(),
            way: Way::Signed { url: node.url.clone(), secret_file: node.secret_file.clone() },
            timeout: node.timeout,
            deliver_for: node.deliver_for,
        }
    }

    /// An alert.
    #[must_use]
    pub fn of_alert(alert: &AlertSettings) -> Self {
        let way = match alert.way.clone() {
            AlertWay::Slack { url_file } => Way::Slack { url_file },
            AlertWay::PagerDuty { routing_key_file, url } => {
                Way::PagerDuty { url, routing_key_file }
            }
            AlertWay::Webhook { url, secret_file } => Way::Signed { url, secret_file },
        };
        let (timeout, deliver_for) = (alert.timeout, alert.deliver_for);
        Self { name: alert.queue(), way, timeout, deliver_for }
    }

    /// Where commits get their statuses.
    #[must_use]
    pub fn of_forge(forge: &CommitStatusSettings) -> Self {
        Self {
            name: forge.queue(),
            way: Way::Forge(forge.clone()),
            timeout: FORGE_TIMEOUT,
            deliver_for: FORGE_DELIVER_FOR,
        }
    }

    /// What stands for its address in the journal: an address may hold a credential, or be one.
    /// Blocks on the file system.
    pub(super) fn fingerprint(&self) -> String {
        let of_file = |path: &PathBuf| match secrets::read_text(path) {
            Ok(secret) => Sha256::digest(secret.expose()),
            Err(_) => Sha256::digest(path.as_os_str().as_encoded_bytes()),
        };
        let digest = match &self.way {
            Way::Signed { url, .. } => Sha256::digest(url),
            Way::Slack { url_file } => of_file(url_file),
            Way::PagerDuty { routing_key_file, .. } => of_file(routing_key_file),
            Way::Forge(forge) => Sha256::digest(format!("{} {}", forge.api_url, forge.project)),
        };
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Way {
    /// What errors call it.
    pub(super) const fn noun(&self) -> &'static str {
        match self {
            Self::Signed { .. } => "the node",
            Self::Slack { .. } => "Slack",
            Self::PagerDuty { .. } => "PagerDuty",
            Self::Forge(forge) => match forge.forge {
                Forge::GitHub => "GitHub",
                Forge::GitLab => "GitLab",
                Forge::Gitea => "the forge",
            },
        }
    }

    /// What an answer that is no success means.
    pub(super) fn meaning(&self, status: u16, body: &str) -> Meaning {
        match (self, status) {
            (Self::Signed { .. } | Self::Slack { .. }, 410) => Meaning::Gone,
            // A commit that has this status already: one that was told twice.
            (Self::Forge(forge), 400)
                if forge.forge == Forge::GitLab && body.contains("Cannot transition status") =>
            {
                Meaning::Known
            }
            (Self::Slack { .. } | Self::PagerDuty { .. } | Self::Forge(_), 400 | 413 | 422) => {
                Meaning::Refused
            }
            _ => Meaning::Failed,
        }
    }
}

/// What an answer that is no success means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// It wants nothing more.
    Gone,
    /// It knows already.
    Known,
    /// This message is wrong, and will be however often it is sent.
    Refused,
    /// It may be taken later.
    Failed,
}
