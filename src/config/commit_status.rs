//! `gitops.commit_status`: where commits get their statuses.

use std::path::PathBuf;

use reqwest::Url;

use super::location::http_url;
use super::reader::Reader;
use super::settings::Location;
use super::values::{self, Read, shown};
use crate::document::Node;

/// Where commits get their statuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitStatusSettings {
    /// Whose API it is.
    pub forge: Forge,
    /// Its address, without a slash at the end.
    pub api_url: String,
    /// The repository as the forge names it: `owner/name`.
    pub project: String,
    /// The file with the access token.
    pub token_file: PathBuf,
    /// The name of the status; `None`: `kconfigd/` and this machine's.
    pub context: Option<String>,
    /// Where the status leads; `{revision}` is the commit.
    pub target_url: Option<String>,
}

/// The APIs that are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forge {
    /// GitHub, also on a host of its own.
    GitHub,
    /// GitLab.
    GitLab,
    /// Gitea and Forgejo.
    Gitea,
}

impl Forge {
    /// As the settings have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GitHub => "github",
            Self::GitLab => "gitlab",
            Self::Gitea => "gitea",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::GitHub, Self::GitLab, Self::Gitea].into_iter().find(|f| f.as_str() == word)
    }

    /// The forge that is known to be at a host.
    fn at(host: &str) -> Option<Self> {
        match host {
            "github.com" => Some(Self::GitHub),
            "gitlab.com" => Some(Self::GitLab),
            "codeberg.org" => Some(Self::Gitea),
            _ => None,
        }
    }

    /// Where its API is, when its pages are at `origin`.
    fn api_of(self, origin: &str, host: &str) -> String {
        match self {
            Self::GitHub if host == "github.com" => "https://api.github.com".to_owned(),
            Self::GitHub => format!("{origin}/api/v3"),
            Self::GitLab => format!("{origin}/api/v4"),
            Self::Gitea => format!("{origin}/api/v1"),
        }
    }
}

/// What the queue of a forge begins with.
const QUEUE_PREFIX: &str = "forge:";

impl CommitStatusSettings {
    /// What deliveries call it; no node can have such a name.
    #[must_use]
    pub fn queue(&self) -> String {
        format!("{QUEUE_PREFIX}{}", self.forge.as_str())
    }

    /// Whether a queue is a forge's.
    #[must_use]
    pub fn is_queue(name: &str) -> bool {
        name.starts_with(QUEUE_PREFIX)
    }
}

const FORGE: &str = "gitops.commit_status.forge";
const API: &str = "gitops.commit_status.api_url";
const PROJECT: &str = "gitops.commit_status.project";
const TOKEN: &str = "gitops.commit_status.token_file";
const CONTEXT: &str = "gitops.commit_status.context";
const TARGET: &str = "gitops.commit_status.target_url";
/// Bytes of a context: what the forges take.
const CONTEXT_BYTES_MAX: usize = 255;

/// Reads the group; `None`: nobody is told, or something was found wrong.
pub(super) fn read(
    reader: &mut Reader<'_>,
    location: Option<&Location>,
) -> Option<CommitStatusSettings> {
    let named = [FORGE, API, PROJECT, CONTEXT, TARGET];
    if reader.setting(TOKEN).is_none() {
        if let Some(key) = named.into_iter().find(|key| reader.setting(key).is_some()) {
            let hint = "set gitops.commit_status.token_file, or take the group out";
            reader.advise(key, "needs a token beside it", hint);
        }
        return None;
    }
    let token_file = reader.path(TOKEN);
    let known = location.and_then(place);
    let given = reader.optional(FORGE, |node| values::word(node, &["github", "gitlab", "gitea"]));
    let forge = given
        .and_then(Forge::from_word)
        .or_else(|| known.as_ref().and_then(|place| Forge::at(&place.host)));
    let api = reader.optional(API, |node| http_url(&values::text(node)?));
    let api = api.map(|url| url.as_str().trim_end_matches('/').to_owned());
    let project = reader.optional(PROJECT, project);
    let context = reader.optional(CONTEXT, context);
    let target_url = reader.optional(TARGET, target);
    let Some(forge) = forge else {
        let hint = "github, gitlab, or gitea (Forgejo too)";
        reader.advise(FORGE, "cannot be told from the repository's address", hint);
        return None;
    };
    let api = api.or_else(|| Some(forge.api_of(&known.as_ref()?.origin, &known.as_ref()?.host)));
    let project = project.or_else(|| known.as_ref().map(|place| place.project.clone()));
    if api.is_none() && reader.setting(API).is_none() {
        let hint = "set it: https://git.example.com/api/v1";
        reader.advise(API, "cannot be told from the repository's address", hint);
    }
    if project.is_none() && reader.setting(PROJECT).is_none() {
        reader.advise(
            PROJECT,
            "cannot be told from the repository's address",
            "set it: owner/name",
        );
    }
    Some(CommitStatusSettings {
        forge,
        api_url: api?,
        project: project?,
        token_file: token_file?,
        context,
        target_url,
    })
}

/// Where a repository is, as far as its forge can be told from that.
struct Place {
    host: String,
    origin: String,
    project: String,
}

fn place(location: &Location) -> Option<Place> {
    let (host, origin, path) = match location {
        Location::Http(url) => {
            let url = Url::parse(url).ok()?;
            let origin = url.origin().ascii_serialization();
            (url.host_str()?.to_owned(), origin, url.path().to_owned())
        }
        Location::Ssh { host, path, .. } => (host.clone(), format!("https://{host}"), path.clone()),
        Location::Path(_) | Location::Embedded => return None,
    };
    let path = path.trim_matches('/');
    let project = path.strip_suffix(".git").unwrap_or(path).to_owned();
    is_project(&project).then_some(Place { host, origin, project })
}

/// Groups and a name, none of which could be something else in a path.
fn is_project(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '~' | '+');
    let part =
        |part: &str| !part.is_empty() && !matches!(part, "." | "..") && part.chars().all(plain);
    text.contains('/') && text.len() <= 512 && text.split('/').all(part)
}

fn project(node: &Node) -> Read<String> {
    let text = values::text(node)?;
    if is_project(&text) {
        return Ok(text);
    }
    Err(format!("{} is not a repository such as owner/name", shown(&text)))
}

fn context(node: &Node) -> Read<String> {
    let text = values::text(node)?;
    let is_one = !text.trim().is_empty()
        && text.len() <= CONTEXT_BYTES_MAX
        && !text.contains(char::is_control);
    if is_one { Ok(text) } else { Err(format!("{} is not the name of a status", shown(&text))) }
}

fn target(node: &Node) -> Read<String> {
    let text = values::text(node)?;
    http_url(&text.replace("{revision}", "0")).map(|_| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(location: &Location) -> Option<(String, String, String)> {
        let place = place(location)?;
        let forge = Forge::at(&place.host).unwrap_or(Forge::Gitea);
        let api = forge.api_of(&place.origin, &place.host);
        Some((forge.as_str().to_owned(), api, place.project))
    }

    fn told(forge: &str, api: &str, project: &str) -> Option<(String, String, String)> {
        Some((forge.to_owned(), api.to_owned(), project.to_owned()))
    }

    #[test]
    fn the_forge_is_told_from_the_address_where_that_is_plain() {
        let http = |url: &str| known(&Location::Http(url.to_owned()));
        let github = told("github", "https://api.github.com", "kos/config");
        assert_eq!(http("https://github.com/kos/config.git"), github);
        let gitlab = told("gitlab", "https://gitlab.com/api/v4", "a/b/c");
        assert_eq!(http("https://gitlab.com/a/b/c/"), gitlab);
        let own = told("gitea", "http://git.example.com:3000/api/v1", "kos/config");
        assert_eq!(http("http://git.example.com:3000/kos/config.git"), own);
        assert_eq!(http("https://git.example.com/config.git"), None);
        assert_eq!(http("https://git.example.com/a/..%2f/b"), None);
        let ssh = Location::Ssh {
            user: Some("git".to_owned()),
            host: "github.com".to_owned(),
            port: None,
            path: "kos/config.git".to_owned(),
        };
        assert_eq!(known(&ssh), github);
        assert_eq!(known(&Location::Embedded), None);
    }
}
