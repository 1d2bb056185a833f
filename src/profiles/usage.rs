//! What the profiles in use make of the other files of a kOS configuration, and so what a change of
//! one needs.

use std::collections::BTreeSet;

use super::layout::{Part, stem};
use crate::document::{Node, Value};
use crate::model::{Needs, TreePath};

/// What one profile, with all that it extends in it, uses.
#[derive(Clone, Debug)]
pub struct Usage {
    name: String,
    /// The files that it is made of.
    files: Vec<String>,
    /// The agents that it runs; `None`: it does not say.
    services: Option<BTreeSet<String>>,
    /// The plugins that it loads; `None`: it does not say.
    plugins: Option<BTreeSet<String>>,
    /// Whether it takes part in a federation.
    is_federated: bool,
    /// Whether what it runs takes changes without a restart (`plugins.hot_reload`).
    hot_reload: bool,
}

impl Usage {
    /// Reads a resolved profile: its name, the files that it is made of, what it says.
    #[must_use]
    pub fn of(name: &str, files: &[String], root: &Node) -> Self {
        let plugins = root.get("plugins");
        Self {
            name: name.to_owned(),
            files: files.to_vec(),
            services: root.get("services").and_then(names),
            plugins: plugins.and_then(names),
            is_federated: says(root, "federation.klp.enabled", "true")
                || says(root, "message_bus.federation_bridge", "klp"),
            hot_reload: says(root, "plugins.hot_reload", "true"),
        }
    }

    /// Whether a file is one of an agent or a plugin, which may say `hot_reload` for itself.
    #[must_use]
    pub fn may_say(path: &TreePath) -> bool {
        matches!(Part::of(path), Some(Part::Agent | Part::Plugin))
    }

    /// What such a file says of `hot_reload`.
    #[must_use]
    pub fn said(root: &Node) -> Option<bool> {
        match root.get("hot_reload")?.text()? {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    /// What a change of a file needs where this profile runs, and why; `None` where the preset does
    /// not know. `own` is what the file says of `hot_reload` for itself.
    #[must_use]
    pub fn needs(&self, path: &TreePath, own: Option<bool>) -> Option<(Needs, String)> {
        let name = &self.name;
        let id = stem(path.as_str());
        let used = |because: String| {
            let hot = own.unwrap_or(self.hot_reload);
            Some((if hot { Needs::Reload } else { Needs::Restart }, because))
        };
        let unused = |because: String| Some((Needs::Nothing, because));
        let listed = |list: &Option<BTreeSet<String>>, what: &str| match list {
            Some(list) if list.contains(id) => used(format!("{what} of the profile {name}")),
            Some(_) => unused(format!("no {what} of the profile {name}")),
            None => None,
        };
        match Part::of(path)? {
            Part::Profile if self.files.iter().any(|file| file == path.as_str()) => {
                used(format!("the profile {name} is made of it"))
            }
            Part::Profile => unused(format!("the profile {name} is not made of it")),
            Part::Agent => listed(&self.services, "service"),
            Part::Plugin => listed(&self.plugins, "plugin"),
            Part::Environment => {
                Some((Needs::Restart, "variables are read when a process starts".to_owned()))
            }
            Part::Peers | Part::KlpSettings if self.is_federated => {
                used(format!("the profile {name} is federated over klp"))
            }
            Part::Peers | Part::KlpSettings => {
                unused(format!("the profile {name} is not federated"))
            }
            Part::Theme | Part::Blocks => None,
        }
    }
}

/// The names of a list; `None` where it is none.
fn names(node: &Node) -> Option<BTreeSet<String>> {
    let Value::Sequence(items) = &node.value else { return None };
    Some(items.iter().filter_map(|item| item.text().map(str::to_owned)).collect())
}

fn says(root: &Node, key: &str, text: &str) -> bool {
    let mut node = Some(root);
    for key in key.split('.') {
        node = node.and_then(|node| node.get(key));
    }
    node.and_then(Node::text) == Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Format, parse};
    use crate::model::Limits;

    fn usage(yaml: &str) -> Usage {
        let mut documents = parse(yaml.as_bytes(), Format::Yaml, &Limits::default()).unwrap();
        let files = ["profiles/node.yaml".to_owned(), "profiles/base.yaml".to_owned()];
        Usage::of("node", &files, &documents.remove(0).root)
    }

    fn needs(usage: &Usage, path: &str, own: Option<bool>) -> Option<(Needs, String)> {
        usage.needs(&TreePath::parse(path).unwrap(), own)
    }

    fn word(usage: &Usage, path: &str) -> Option<&'static str> {
        needs(usage, path, None).map(|(needs, _)| needs.as_str())
    }

    #[test]
    fn what_a_profile_names_is_restarted_and_the_rest_is_left_alone() {
        let node = usage("services: [one]\nplugins: [audit_log]\n");
        assert_eq!(word(&node, "agents/one.yaml"), Some("restart"));
        assert_eq!(word(&node, "agents/two.yaml"), Some("nothing"));
        assert_eq!(word(&node, "plugins/audit_log.yaml"), Some("restart"));
        assert_eq!(word(&node, "plugins/logger.yaml"), Some("nothing"));
        assert_eq!(word(&node, "profiles/base.yaml"), Some("restart"));
        assert_eq!(word(&node, "profiles/other.yaml"), Some("nothing"));
        assert_eq!(word(&node, "klp/peers.list"), Some("nothing"));
        assert_eq!(word(&node, "system.env"), Some("restart"));
        assert_eq!(word(&node, "docs/x.yaml"), None);
        let because = needs(&node, "agents/one.yaml", None).unwrap().1;
        assert_eq!(because, "service of the profile node");
    }

    #[test]
    fn hot_reload_is_the_profiles_or_the_files_own() {
        let hot = usage("services: [one]\nplugins: {hot_reload: true}\n");
        assert_eq!(word(&hot, "agents/one.yaml"), Some("reload"));
        assert_eq!(needs(&hot, "agents/one.yaml", Some(false)).unwrap().0, Needs::Restart);
        assert_eq!(word(&hot, "plugins/logger.yaml"), None, "it does not say which it loads");
        assert_eq!(word(&hot, "system.env"), Some("restart"));
        let cold = usage("services: [one]\n");
        assert_eq!(needs(&cold, "agents/one.yaml", Some(true)).unwrap().0, Needs::Reload);
    }

    #[test]
    fn a_federated_profile_uses_the_federations_files() {
        for yaml in
            ["federation: {klp: {enabled: true}}\n", "message_bus: {federation_bridge: klp}\n"]
        {
            assert_eq!(word(&usage(yaml), "klp/peers.list"), Some("restart"));
            assert_eq!(word(&usage(yaml), "klp/klp_settings.yaml"), Some("restart"));
        }
    }
}
