//! Submodules: `.gitmodules` is read by us, since libgit2 refuses submodules in a bare repository.
//! Each recorded commit is fetched alone, into the same mirror.

use std::collections::BTreeMap;
use std::path::Path;

use crate::config::{self, Location};
use crate::model::{ObjectId, Revision};
use crate::objects::{ItemKind, Mirror};

use super::SourceError;
use super::gitmodules::{self, Module};
use super::reach::Reach;
use super::repository::Into;

/// Submodules in submodules.
const DEPTH_MAX: usize = 8;

/// Submodules in all.
const COUNT_MAX: usize = 64;

/// Folders above a submodule.
const FOLDERS_MAX: usize = 64;

/// Where a `.gitmodules` is.
struct Above<'a> {
    /// The path of its tree in the main repository; empty, or with a `/` behind.
    prefix: &'a str,
    tree: ObjectId,
    location: &'a Location,
    depth: usize,
}

/// Brings the submodules of a commit's tree, nested ones too. Gives their trees by path, and the
/// bytes received.
pub(super) fn bring(
    reach: &Reach,
    tree: ObjectId,
    into: Into<'_>,
) -> Result<(BTreeMap<String, ObjectId>, u64), SourceError> {
    let mut found = BTreeMap::new();
    let location = &reach.settings.location;
    let bytes = descend(reach, &Above { prefix: "", tree, location, depth: 0 }, into, &mut found)?;
    Ok((found, bytes))
}

fn descend(
    reach: &Reach,
    above: &Above<'_>,
    into: Into<'_>,
    found: &mut BTreeMap<String, ObjectId>,
) -> Result<u64, SourceError> {
    let mut bytes = 0;
    for module in listed(into.mirror, above)? {
        let Some(path) = &module.path else { continue };
        let Some(commit) = recorded(into.mirror, above.tree, path)? else { continue };
        let name = format!("{}{path}", above.prefix);
        let refused = |problem: &str| SourceError::Submodule {
            name: name.clone(),
            problem: problem.to_owned(),
        };
        if above.depth >= DEPTH_MAX || found.len() >= COUNT_MAX {
            return Err(refused(&format!(
                "more than {COUNT_MAX} submodules, or more than {DEPTH_MAX} inside each other"
            )));
        }
        let location = locate(&module, above.location).map_err(|problem| refused(&problem))?;
        let mut repository = reach.other(&location)?;
        let revision = Revision::from(commit);
        bytes += repository.files((&revision, commit), false, None, into)?;
        let tree = into.mirror.commit_tree(&revision)?;
        found.insert(name.clone(), tree);
        let prefix = format!("{name}/");
        let depth = above.depth + 1;
        let inner = Above { prefix: &prefix, tree, location: &location, depth };
        bytes += descend(reach, &inner, into, found)?;
    }
    Ok(bytes)
}

/// The entries of the tree's `.gitmodules`.
fn listed(mirror: &Mirror, above: &Above<'_>) -> Result<Vec<Module>, SourceError> {
    let file = format!("{}.gitmodules", above.prefix);
    let refused = |problem: String| SourceError::Submodule { name: file.clone(), problem };
    let items = mirror.items(above.tree)?;
    let Some(item) = items.iter().find(|item| item.name == b".gitmodules") else {
        return Ok(Vec::new());
    };
    if !matches!(item.kind, ItemKind::File(mode) if mode != crate::model::FileMode::Link) {
        return Err(refused("it is not a file".to_owned()));
    }
    if mirror.blob_size(item.id)? > gitmodules::BYTES_MAX {
        return Err(refused(format!("it is larger than {} bytes", gitmodules::BYTES_MAX)));
    }
    let text = String::from_utf8(mirror.blob(item.id)?)
        .map_err(|_| refused("it is not UTF-8".to_owned()))?;
    gitmodules::parse(&text).map_err(|line| refused(format!("line {line} cannot be read")))
}

/// The commit that the tree records at `path`; `None` where it records none.
fn recorded(mirror: &Mirror, tree: ObjectId, path: &str) -> Result<Option<ObjectId>, SourceError> {
    let mut tree = tree;
    let mut names = path.split('/').take(FOLDERS_MAX).peekable();
    while let Some(name) = names.next() {
        let items = mirror.items(tree)?;
        match items.iter().find(|item| item.name == name.as_bytes()) {
            Some(item) if item.kind == ItemKind::Folder => tree = item.id,
            Some(item) if item.kind == ItemKind::Submodule && names.peek().is_none() => {
                return Ok(Some(item.id));
            }
            _ => return Ok(None),
        }
    }
    Ok(None)
}

/// Where a submodule is. What could be taken for an option, for a program to run, or would let a
/// remote repository name a folder of this machine, is refused.
fn locate(module: &Module, above: &Location) -> Result<Location, String> {
    let option = |text: &str| text.starts_with('-') || text.chars().any(char::is_control);
    if option(&module.name) || module.path.as_deref().is_some_and(option) {
        return Err("its name or path could be taken for an option".to_owned());
    }
    let Some(url) = module.url.as_deref() else { return Err("it has no url".to_owned()) };
    if url.is_empty() || option(url) {
        return Err("its url is empty or could be taken for an option".to_owned());
    }
    if url == "." || url == ".." || url.starts_with("./") || url.starts_with("../") {
        return relative(url, above).ok_or_else(|| "its url leads out of the host".to_owned());
    }
    if url == "embedded" || url.split_once("::").is_some_and(|(way, _)| !way.contains(['/', '['])) {
        return Err("its url names a way that is not taken; use https, http or ssh".to_owned());
    }
    let located = config::location(Path::new("/"), url)?;
    let here = matches!(above, Location::Path(_) | Location::Embedded);
    if matches!(located, Location::Path(_)) && !(here && is_absolute(url)) {
        return Err("its url is a path on this machine".to_owned());
    }
    Ok(located)
}

fn is_absolute(url: &str) -> bool {
    url.starts_with('/') || url.starts_with("file://")
}

/// A url relative to the repository that has the submodule, as git resolves it.
fn relative(url: &str, above: &Location) -> Option<Location> {
    match above {
        Location::Http(text) => {
            let mut base = reqwest::Url::parse(text).ok()?;
            let path = joined(base.path(), url)?;
            base.set_path(&path);
            Some(Location::Http(base.into()))
        }
        Location::Ssh { user, host, port, path } => Some(Location::Ssh {
            user: user.clone(),
            host: host.clone(),
            port: *port,
            path: joined(path, url)?,
        }),
        Location::Path(path) => joined(path.to_str()?, url).map(|path| Location::Path(path.into())),
        Location::Embedded => None,
    }
}

fn joined(base: &str, url: &str) -> Option<String> {
    let mut parts: Vec<&str> = base.trim_end_matches('/').split('/').collect();
    for part in url.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                // the first part is what stands before the first slash: there is nothing above
                let above = parts.pop()?;
                if above.is_empty() || above == "~" || parts.is_empty() && base.starts_with('/') {
                    return None;
                }
            }
            part => parts.push(part),
        }
    }
    let path = parts.join("/");
    (!path.trim_matches('/').is_empty() && !path.starts_with('-')).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(above: &str, url: &str) -> Result<String, String> {
        let above = config::location(Path::new("/"), above).unwrap();
        let module = Module { name: "x".into(), path: Some("x".into()), url: Some(url.to_owned()) };
        locate(&module, &above).map(|location| match location {
            Location::Http(url) => url,
            Location::Ssh { host, path, .. } => format!("{host}:{path}"),
            Location::Path(path) => path.display().to_string(),
            Location::Embedded => "embedded".to_owned(),
        })
    }

    #[test]
    fn relative_urls_are_resolved_as_git_does() {
        for (above, url, located) in [
            ("https://h.example.com/a/b.git", "../c.git", "https://h.example.com/a/c.git"),
            ("https://h.example.com/a/b.git/", "../../c.git", "https://h.example.com/c.git"),
            ("https://h.example.com/a/b", "./c", "https://h.example.com/a/b/c"),
            ("git@h.example.com:a/b.git", "../c.git", "h.example.com:a/c.git"),
            ("/srv/a.git", "../b.git", "/srv/b.git"),
            ("/srv/a.git", "/srv/c.git", "/srv/c.git"),
            ("https://h.example.com/a", "ssh://git@x.example.com/c", "x.example.com:/c"),
        ] {
            assert_eq!(at(above, url).as_deref(), Ok(located), "{above} {url}");
        }
    }

    #[test]
    fn urls_that_could_do_harm_are_refused() {
        for url in [
            "ext::sh -c touch% /tmp/pwned",
            "-u./payload",
            "--upload-pack=x",
            "ssh://-oProxyCommand=x/y",
            "-oProxyCommand=x:y",
            "fd::17",
            "file:///etc",
            "/etc",
            "etc",
            "embedded",
            "../../../../x",
            "git://h.example.com/x",
            "https://user:secret@h.example.com/x",
            "",
            "https://h.example.com/\n",
        ] {
            assert!(at("https://h.example.com/a/b", url).is_err(), "{url}");
        }
        assert!(at("/srv/a.git", "../../../x").is_err());
    }

    #[test]
    fn names_and_paths_made_as_options_are_refused() {
        let above = Location::Http("https://h.example.com/a".to_owned());
        for (name, path) in [("-x", "x"), ("x", "-x"), ("x\n", "x")] {
            let url = Some("https://h.example.com/x".to_owned());
            let module = Module { name: name.into(), path: Some(path.into()), url };
            assert!(locate(&module, &above).is_err());
        }
    }
}
