//! Paths of the settings: what they are relative to, where state is kept, who files are given to.

use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use super::values::{Read, shown};

/// Bytes of `/etc/passwd` and `/etc/group` that are read.
const ACCOUNTS_BYTES_MAX: u64 = 16 << 20;

/// What secrets begin with that somebody may put where the name of their file belongs.
const SECRETS: &[&str] =
    &["whsec_", "whsk_", "ghp_", "gho_", "ghs_", "github_pat_", "glpat-", "-----BEGIN "];

/// `text` as an absolute path without `.` and `..`, relative to `folder`, which is absolute.
pub(super) fn resolve(folder: &Path, text: &str) -> Read<PathBuf> {
    if text.is_empty() {
        return Err("an empty path is no path".to_owned());
    }
    // As a path it would be told in every message about a file that is not there.
    if SECRETS.iter().any(|secret| text.starts_with(secret)) {
        let advice = "write it into a file, and the name of that here";
        return Err(format!("this is a secret itself, not the name of its file; {advice}"));
    }
    if text == "~" || text.starts_with("~/") {
        return Err(format!("{} is not expanded here; write the whole path", shown(text)));
    }
    Ok(without_dots(&folder.join(text)))
}

fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

/// `path` with the links in those of its folders that are there followed.
pub(super) fn followed(path: &Path) -> PathBuf {
    for ancestor in path.ancestors() {
        if let (Ok(real), Ok(rest)) = (ancestor.canonicalize(), path.strip_prefix(ancestor)) {
            return if rest.as_os_str().is_empty() { real } else { real.join(rest) };
        }
    }
    path.to_owned()
}

/// Whether the live path can be where it is, beside the state folder.
pub(super) fn check_live(live: &Path, state: &Path) -> Result<(), String> {
    let (Some(parent), Some(name)) = (live.parent(), live.file_name()) else {
        return Err("`/` cannot be the live path".to_owned());
    };
    // the live path itself may be our link, so only the folder that holds it is followed
    let (parent, state_at) = (followed(parent), followed(state));
    let live_at = parent.join(name);
    let trees = parent.join(format!(".{}.trees", name.to_string_lossy()));
    let conflict = if live_at.starts_with(&state_at) {
        "is inside the state folder"
    } else if state_at.starts_with(&live_at) || state_at.starts_with(&trees) {
        "has the state folder inside"
    } else {
        return Ok(());
    };
    Err(format!("{} {conflict} {}; keep the two apart", live.display(), state.display()))
}

/// The state folder where nothing names one.
pub(super) fn default_state_dir(
    environment: &[(String, String)],
    is_root: bool,
) -> Option<PathBuf> {
    let absolute = |name: &str| {
        let (_, value) = environment.iter().rev().find(|(key, _)| key == name)?;
        Some(value.as_str()).filter(|value| value.starts_with('/'))
    };
    // systemd gives a list with colons when a unit has several
    if let Some(first) = absolute("STATE_DIRECTORY").and_then(|list| list.split(':').next()) {
        return Some(PathBuf::from(first));
    }
    if is_root {
        return Some(PathBuf::from("/var/lib/kconfigd"));
    }
    let home = || absolute("HOME").map(|home| Path::new(home).join(".local/state"));
    absolute("XDG_STATE_HOME").map(PathBuf::from).or_else(home).map(|base| base.join("kconfigd"))
}

/// The number of a user, from `/etc/passwd`.
pub(super) fn user_id(name: &str) -> Read<u32> {
    id_in("/etc/passwd", "user", name)
}

/// The name of a user, from `/etc/passwd`; `None` where it is not there.
#[must_use]
pub fn user_name(id: u32) -> Option<String> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open("/etc/passwd").ok()?;
    file.take(ACCOUNTS_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    name_of(&String::from_utf8_lossy(&bytes), id)
}

/// The first field of the line whose third is `id`.
fn name_of(accounts: &str, id: u32) -> Option<String> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(id)).then(|| name.to_owned())
    })
}

/// The number of a group, from `/etc/group`.
pub(super) fn group_id(name: &str) -> Read<u32> {
    id_in("/etc/group", "group", name)
}

fn id_in(file: &str, what: &str, name: &str) -> Read<u32> {
    let mut bytes = Vec::new();
    std::fs::File::open(file)
        .and_then(|f| f.take(ACCOUNTS_BYTES_MAX).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot read {file} to find the {what} {name}: {error}"))?;
    id_of(&String::from_utf8_lossy(&bytes), name)
        .ok_or_else(|| format!("{file} has no {what} {}; write its number", shown(name)))
}

/// The third field of the line that `name` starts: both files are alike so far.
fn id_of(accounts: &str, name: &str) -> Option<u32> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn relative_paths_are_relative_to_the_folder_they_are_written_in() {
        let at = |text| resolve(Path::new("/etc/kconfigd"), text).unwrap();
        assert_eq!(at("git.token"), Path::new("/etc/kconfigd/git.token"));
        assert_eq!(at("./a/../b/"), Path::new("/etc/kconfigd/b"));
        assert_eq!(at("../../.."), Path::new("/"));
        assert_eq!(at("/srv/x"), Path::new("/srv/x"));
        assert!(resolve(Path::new("/"), "~/x").is_err());
        assert!(resolve(Path::new("/"), "").is_err());
        let secret = resolve(Path::new("/"), "whsec_hunter2").unwrap_err();
        assert!(!secret.contains("hunter2"), "{secret}");
    }

    #[test]
    fn the_live_path_and_the_state_folder_are_apart() {
        let check = |live: &str, state: &str| check_live(Path::new(live), Path::new(state)).is_ok();
        assert!(check("/none/kos/config", "/none/state"));
        assert!(check("/none/kos/config", "/none/kos/config-state"));
        assert!(check("/none/kos/config", "/none/kos/state"));
        assert!(!check("/none/state/live", "/none/state"));
        assert!(!check("/none/state", "/none/state"));
        assert!(!check("/none/kos/config", "/none/kos/config/state"));
        assert!(!check("/none/kos/config", "/none/kos/.config.trees/state"));
        assert!(!check("/", "/none/state"));
    }

    #[test]
    fn a_link_does_not_hide_that_they_overlap() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("state")).unwrap();
        std::os::unix::fs::symlink("state", folder.path().join("other")).unwrap();
        let (live, state) = (folder.path().join("other/live"), folder.path().join("state"));
        assert!(check_live(&live, &state).is_err());
    }

    #[test]
    fn state_goes_where_the_system_wants_it() {
        let of = |pairs: &[_], root| default_state_dir(&environment(pairs), root);
        let home = ("HOME", "/home/kim");
        assert_eq!(
            of(&[("STATE_DIRECTORY", "/var/lib/a:/var/lib/b"), home], true).unwrap(),
            Path::new("/var/lib/a")
        );
        assert_eq!(of(&[home], true).unwrap(), Path::new("/var/lib/kconfigd"));
        assert_eq!(of(&[home, ("XDG_STATE_HOME", "/x")], false).unwrap(), Path::new("/x/kconfigd"));
        assert_eq!(
            of(&[home, ("XDG_STATE_HOME", "x")], false).unwrap(),
            Path::new("/home/kim/.local/state/kconfigd")
        );
        assert_eq!(of(&[], false), None);
    }

    #[test]
    fn names_are_found_in_the_account_files() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nkos:x:998:997::/:/bin/false\nbroken\n";
        assert_eq!(id_of(passwd, "kos"), Some(998));
        assert_eq!(id_of(passwd, "ko"), None);
        assert_eq!(id_of(passwd, "broken"), None);
        assert_eq!(name_of(passwd, 998).as_deref(), Some("kos"));
        assert_eq!(name_of(passwd, 7), None);
        assert_eq!(user_id("root"), Ok(0));
        assert_eq!(group_id("root"), Ok(0));
    }
}
