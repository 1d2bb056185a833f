//! Where the parts of a kOS configuration are.

use crate::document::Format;
use crate::model::TreePath;

/// The folders of what profiles use, and of profiles themselves.
pub const FOLDERS: [&str; 4] = ["profiles", "agents", "plugins", FEDERATION];
/// The folder of the federation, all of which only those use that take part in it.
pub const FEDERATION: &str = "klp";

/// What a file is, by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// `profiles/NAME.yaml`
    Profile,
    /// `agents/NAME.yaml`
    Agent,
    /// `plugins/NAME.yaml`
    Plugin,
    /// `themes/NAME.yaml`
    Theme,
    /// `klp/klp_settings.yaml`
    KlpSettings,
    /// `gitops.yaml` and `bootstrap.yaml`
    Blocks,
    /// `system.env` and `secrets.env`
    Environment,
    /// `klp/peers.list`
    Peers,
}

impl Part {
    /// The part that a file is; `None` for one that is none.
    #[must_use]
    pub fn of(path: &TreePath) -> Option<Self> {
        let path = path.as_str();
        let is_document = Format::of_path(path).is_some();
        match path.rsplit_once('/') {
            None => match path {
                "system.env" | "secrets.env" => Some(Self::Environment),
                _ if is_document && matches!(stem(path), "gitops" | "bootstrap") => {
                    Some(Self::Blocks)
                }
                _ => None,
            },
            Some(("klp", "peers.list")) => Some(Self::Peers),
            Some(("klp", name)) if is_document && stem(name) == "klp_settings" => {
                Some(Self::KlpSettings)
            }
            Some((folder, _)) if is_document => match folder {
                "profiles" => Some(Self::Profile),
                "agents" => Some(Self::Agent),
                "plugins" => Some(Self::Plugin),
                "themes" => Some(Self::Theme),
                _ => None,
            },
            Some(_) => None,
        }
    }
}

/// A file's name without folders and ending.
#[must_use]
pub fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}
