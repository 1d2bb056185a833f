//! What the profiles in use make of the other files of a kOS configuration, and so what a change of
//! one needs.

use std::collections::BTreeSet;

use super::layout::{FEDERATION, Part, stem};
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
    /// Whether it takes part in a federation; `None`: it cannot be told.
    is_federated: Option<bool>,
    /// Whether what it runs takes changes without a restart (`plugins.hot_reload`); `None`: it
    /// cannot be told.
    hot_reload: Option<bool>,
    /// A part of what it uses is encrypted.
    is_sealed: bool,
}

/// What SOPS writes in place of a value.
const SEALED: &str = "ENC[";

impl Usage {
    /// Reads a resolved profile: its name, the files that it is made of, what it says.
    #[must_use]
    pub fn of(name: &str, files: &[String], root: &Node) -> Self {
        let (services, plugins) = (root.get("services"), root.get("plugins"));
        let says = |key: &str, text: &str| says(root, key, text);
        let federations =
            [says("federation.klp.enabled", "true"), says("message_bus.federation_bridge", "klp")];
        let is_federated = match federations {
            [Some(true), _] | [_, Some(true)] => Some(true),
            [Some(false), Some(false)] => Some(false),
            _ => None,
        };
        let hot_reload = says("plugins.hot_reload", "true");
        let mut lists = [services, plugins].into_iter().flatten();
        let is_sealed = is_federated.is_none() || lists.any(is_sealed_list);
        Self {
            name: name.to_owned(),
            files: files.to_vec(),
            services: services.and_then(names),
            plugins: plugins.and_then(names),
            is_federated,
            hot_reload,
            is_sealed,
        }
    }

    /// Whether a part of what it uses is encrypted, so that it cannot be told here.
    #[must_use]
    pub const fn is_sealed(&self) -> bool {
        self.is_sealed
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
            let hot = own.or(self.hot_reload)?;
            Some((if hot { Needs::Reload } else { Needs::Restart }, because))
        };
        let unused = |because: String| Some((Needs::Nothing, because));
        let listed = |list: &Option<BTreeSet<String>>, what: &str| match list {
            Some(list) if list.contains(id) => used(format!("{what} of the profile {name}")),
            Some(_) => unused(format!("no {what} of the profile {name}")),
            None => None,
        };
        let is_of_federation = |rest: &str| rest.starts_with('/');
        if path.as_str().strip_prefix(FEDERATION).is_some_and(is_of_federation) {
            return match self.is_federated? {
                true => used(format!("the profile {name} is federated over klp")),
                false => unused(format!("the profile {name} is not federated")),
            };
        }
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
            Part::Peers | Part::KlpSettings | Part::Theme | Part::Blocks => None,
        }
    }
}

/// The names of a list; `None` where it is none, or has something else in it than names.
fn names(node: &Node) -> Option<BTreeSet<String>> {
    let Value::Sequence(items) = &node.value else { return None };
    let name = |item: &Node| {
        let text = item.text().filter(|_| !item.is_null() && !is_sealed(item));
        text.map(str::to_owned)
    };
    items.iter().map(name).collect()
}

/// Whether a key has a value; `None` where that is encrypted.
fn says(root: &Node, key: &str, text: &str) -> Option<bool> {
    let mut node = Some(root);
    for key in key.split('.') {
        node = node.and_then(|node| node.get(key));
    }
    match node {
        Some(node) if is_sealed(node) => None,
        node => Some(node.and_then(Node::text) == Some(text)),
    }
}

fn is_sealed(node: &Node) -> bool {
    node.text().is_some_and(|text| text.starts_with(SEALED))
}

fn is_sealed_list(node: &Node) -> bool {
    match &node.value {
        Value::Sequence(items) => items.iter().any(is_sealed),
        _ => is_sealed(node),
    }
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
            assert_eq!(word(&usage(yaml), "klp/keys/one.pub"), Some("restart"));
        }
        assert_eq!(word(&usage("mode: full\n"), "klp/keys/one.pub"), Some("nothing"));
    }

    #[test]
    fn a_list_with_something_else_than_names_does_not_say_what_is_used() {
        for yaml in ["services: [{name: bus}]\n", "services: [bus, [x]]\n", "services: [bus, ~]\n"]
        {
            assert_eq!(word(&usage(yaml), "agents/bus.yaml"), None, "{yaml}");
            assert_eq!(word(&usage(yaml), "agents/other.yaml"), None, "{yaml}");
            assert!(!usage(yaml).is_sealed(), "{yaml}");
        }
        assert_eq!(word(&usage("services: []\n"), "agents/bus.yaml"), Some("nothing"));
    }

    #[test]
    fn what_is_encrypted_in_a_profile_is_not_taken_for_what_it_says() {
        let sealed = "ENC[AES256_GCM,data:x,iv:x,tag:x,type:str]";
        let list = usage(&format!("services: [\"{sealed}\"]\nplugins: [audit]\n"));
        assert!(list.is_sealed());
        assert_eq!(word(&list, "agents/bus.yaml"), None);
        assert_eq!(word(&list, "plugins/audit.yaml"), Some("restart"));
        let federation = usage(&format!("federation: {{klp: {{enabled: \"{sealed}\"}}}}\n"));
        assert!(federation.is_sealed());
        assert_eq!(word(&federation, "klp/peers.list"), None);
        let hot = usage(&format!("services: [bus]\nplugins: {{hot_reload: \"{sealed}\"}}\n"));
        assert!(!hot.is_sealed(), "it says what it uses");
        assert_eq!(word(&hot, "agents/bus.yaml"), None);
        assert_eq!(word(&hot, "agents/other.yaml"), Some("nothing"));
        // What is encrypted elsewhere is not asked for.
        assert!(!usage(&format!("services: [bus]\ntoken: \"{sealed}\"\n")).is_sealed());
    }
}
