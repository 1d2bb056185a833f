//! Which repository a delivery is about: its addresses in the payload held against the one that is
//! followed, with lenience, since one repository has many addresses.

use serde_json::Value;

use super::push::Push;
use crate::config::Location;

/// Where payloads have addresses of a repository, below `repository` or `project`.
const ADDRESSES: &[&str] = &[
    "/clone_url",
    "/ssh_url",
    "/git_url",
    "/html_url",
    "/git_http_url",
    "/git_ssh_url",
    "/http_url",
    "/web_url",
    "/links/html/href",
];
/// Addresses to clone from that are looked at.
const CLONES_MAX: usize = 8;

/// The address that a delivery names, where it is surely of another repository.
///
/// Host, scheme, user and `.git` do not count: a forge has an address inside and one outside, and
/// whoever knows the secret was told it by us. Where nothing can be said, none.
pub(super) fn other_repository(push: &Push, followed: &Location) -> Option<String> {
    let ours = match followed {
        Location::Http(url) => steps(url)?,
        Location::Ssh { path, .. } => steps_of_path(path)?,
        Location::Path(_) | Location::Embedded => return None,
    };
    let named = addresses(push);
    let first = named.first()?.clone();
    let is_ours = |address: &String| {
        steps(address).is_none_or(|theirs| ours.ends_with(&theirs) || theirs.ends_with(&ours))
    };
    (!named.iter().any(is_ours)).then_some(first)
}

fn addresses(push: &Push) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for place in [&push.repository, &push.project].into_iter().flatten() {
        let direct = ADDRESSES.iter().filter_map(|at| place.pointer(at));
        let clones = place.pointer("/links/clone").and_then(Value::as_array);
        let clones = clones.into_iter().flatten().take(CLONES_MAX).filter_map(|c| c.get("href"));
        let texts = direct.chain(clones).filter_map(Value::as_str);
        found.extend(texts.filter(|text| !text.is_empty()).map(str::to_owned));
    }
    found
}

/// The steps of an address's path; `None`: it cannot be said.
fn steps(address: &str) -> Option<Vec<String>> {
    let path = match address.split_once("://") {
        Some((_, rest)) => rest.split_once('/')?.1,
        // `user@host:path`
        None => address.split_once(':')?.1,
    };
    steps_of_path(path)
}

fn steps_of_path(path: &str) -> Option<Vec<String>> {
    let path = path.split(['?', '#']).next().unwrap_or_default().trim_matches('/');
    // Written in several ways, it is not compared.
    if path.is_empty() || path.contains('%') {
        return None;
    }
    let path = path.strip_suffix(".git").unwrap_or(path).to_lowercase();
    Some(path.split('/').filter(|step| !step.is_empty()).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn other(payload: Value, followed: &Location) -> Option<String> {
        other_repository(&serde_json::from_value(payload).unwrap(), followed)
    }

    fn ssh(path: &str) -> Location {
        Location::Ssh { user: None, host: "forge".to_owned(), port: None, path: path.to_owned() }
    }

    #[test]
    fn the_followed_repository_is_known_by_any_of_its_addresses() {
        let https = Location::Http("https://git.example.com/edge/config.git".to_owned());
        let inside = Location::Http("http://10.0.0.5:3000/gitea/edge/config".to_owned());
        let data_center = Location::Http("https://bb.example.com/scm/EDGE/config.git".to_owned());
        for payload in [
            json!({"repository": {"clone_url": "https://git.example.com/Edge/Config.git"}}),
            json!({"repository": {"ssh_url": "git@git.example.com:edge/config.git"}}),
            json!({"project": {"git_ssh_url": "ssh://git@elsewhere:2222/edge/config.git"}}),
            json!({"repository": {"links": {"html": {"href": "https://bitbucket.org/edge/config"}}}}),
            json!({"repository": {"links": {"clone": [
                {"href": "ssh://git@bb.example.com:7999/edge/config.git"}]}}}),
        ] {
            for followed in [&https, &inside, &data_center, &ssh("/edge/config"), &ssh("config")] {
                assert_eq!(other(payload.clone(), followed), None, "{payload} {followed:?}");
            }
        }
    }

    #[test]
    fn another_repository_is_told_and_what_is_not_sure_is_none() {
        let https = Location::Http("https://git.example.com/edge/config.git".to_owned());
        let url = "https://git.example.com/edge/other.git";
        let payload = json!({"repository": {"clone_url": url, "html_url": "https://git.example.com/edge/other"}});
        assert_eq!(other(payload.clone(), &https).as_deref(), Some(url));
        assert_eq!(other(payload.clone(), &ssh("/edge/config.git")).as_deref(), Some(url));
        assert_eq!(other(payload.clone(), &Location::Embedded), None);
        assert_eq!(other(payload, &Location::Path("/srv/config.git".into())), None);
        for unsure in [
            json!({}),
            json!({"repository": {"full_name": "edge/other"}}),
            json!({"repository": {"clone_url": 7}}),
            json!({"repository": {"clone_url": "https://git.example.com/a%20b"}}),
            json!({"repository": "edge/other"}),
        ] {
            assert_eq!(other(unsure.clone(), &https), None, "{unsure}");
        }
    }
}
