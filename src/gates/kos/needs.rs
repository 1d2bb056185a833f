//! What the documents of a kOS configuration need of each other.

use super::{AGENT, BESIDE_KLP, PLUGIN, PROFILE};
use crate::config::KeyPath;
use crate::document::{Node, Value, key_name};
use crate::gates::references::{Facts, Need, Use, Whole, at_key};
use crate::gates::{AtHand, GateError};
use crate::model::Finding;
use crate::profiles::Part;

/// Where redis may be told of, beside the profile.
const REDIS_VARIABLES: [&str; 4] = ["REDIS_URL", "REDIS_HOST", "REDIS_ADDR", "REDIS_NODES"];
const KLP_SETTINGS: [&str; 2] = ["klp/klp_settings.yaml", "klp/klp_settings.yml"];
const PEERS: &str = "klp/peers.list";

/// What only the preset knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum PresetNeed {
    /// A redis that the bus can use.
    Redis,
    /// The settings of the federation's protocol.
    KlpSettings,
    /// At least one approved peer.
    Peers,
}

impl PresetNeed {
    const ALL: [Self; 3] = [Self::Redis, Self::KlpSettings, Self::Peers];

    /// What it is remembered by.
    pub(in super::super) const fn word(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::KlpSettings => "klp",
            Self::Peers => "peers",
        }
    }

    /// The one of a word.
    pub(in super::super) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|need| need.word() == word)
    }
}

/// What a document needs.
pub(super) fn facts(file: &AtHand<'_>, part: Part) -> Facts {
    let mut facts = Facts::default();
    for document in file.readable() {
        if part == Part::Profile {
            of_profile(&document.root, &mut facts);
        }
        if part == Part::KlpSettings {
            for (key, node) in values(&document.root, "peers_file") {
                facts.uses_name(BESIDE_KLP, &key, node);
            }
        }
        variables(&document.root, &mut String::new(), &mut facts);
    }
    facts
}

pub(super) fn of_profile(root: &Node, facts: &mut Facts) {
    let lists = [("services[]", AGENT), ("plugins[]", PLUGIN), ("extends", PROFILE)];
    for (path, target) in lists {
        for (key, node) in values(root, path) {
            facts.uses_name(target, &key, node);
        }
    }
    if let Some(bridge) = value(root, "message_bus.federation_bridge", "klp") {
        let key = "message_bus.federation_bridge";
        facts.needs(Need::Preset(PresetNeed::KlpSettings), key, bridge);
        facts.needs(Need::Preset(PresetNeed::Peers), key, bridge);
    }
    // What the profile that it extends says is not known here.
    let has_redis = root.get("extends").is_some()
        || value(root, "storage.cache", "redis").is_some()
        || value(root, "message_bus.redis_cluster", "true").is_some();
    for key in ["messaging.bus", "messaging.type", "message_bus.pubsub"] {
        if let Some(node) = value(root, key, "redis").filter(|_| !has_redis) {
            facts.needs(Need::Preset(PresetNeed::Redis), key, node);
        }
    }
}

fn values<'n>(root: &'n Node, path: &str) -> Vec<(String, &'n Node)> {
    KeyPath::parse(path).map(|path| at_key(root, &path)).unwrap_or_default()
}

/// The node at a key, where it says `text`.
fn value<'n>(root: &'n Node, path: &str, text: &str) -> Option<&'n Node> {
    let mut node = root;
    for key in path.split('.') {
        node = node.get(key)?;
    }
    (node.text() == Some(text)).then_some(node)
}

/// Each variable that a document's values use.
fn variables(node: &Node, key: &mut String, facts: &mut Facts) {
    match &node.value {
        Value::Scalar(scalar) => {
            for name in variables_in(&scalar.text) {
                facts.needs(Need::Variable(name.to_owned()), key, node);
            }
        }
        Value::Sequence(items) => {
            let length = key.len();
            for (n, item) in items.iter().enumerate() {
                key.push_str(&format!("[{n}]"));
                variables(item, key, facts);
                key.truncate(length);
            }
        }
        Value::Mapping(pairs) => {
            let length = key.len();
            for (name, value) in pairs {
                if length > 0 {
                    key.push('.');
                }
                key.push_str(&key_name(name));
                variables(value, key, facts);
                key.truncate(length);
            }
        }
    }
}

/// The variables that a text needs: `${NAME}`, and not `${NAME:-default}`, `$${NAME}`, `$NAME`.
pub(super) fn variables_in(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, after) = rest.split_at(at);
        let after = after.get(2..).unwrap_or_default();
        rest = after;
        if before.ends_with('$') {
            continue;
        }
        let Some((inside, behind)) = after.split_once('}') else { break };
        let end = inside.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let (name, operator) = inside.split_at(end.unwrap_or(inside.len()));
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        // `${NAME:?message}` needs it too; any other operator brings something in its place.
        let needs = matches!(operator.trim_start_matches(':').chars().next(), None | Some('?'));
        if is_name && needs {
            found.push(name);
        }
        rest = behind;
    }
    found
}

/// Whether something that only the preset knows is there.
pub(in super::super) fn judge(
    whole: &mut Whole<'_>,
    one: &Use,
    need: PresetNeed,
) -> Result<Option<Finding>, GateError> {
    let key = &one.key;
    let missing = |text: String, hint: &str| Some(Finding::error("kos.needs", text).hint(hint));
    Ok(match need {
        PresetNeed::Redis => {
            let defined = REDIS_VARIABLES.iter().any(|name| whole.variables.contains(name));
            let text = format!("`{key}` is redis, and nothing says where a redis is");
            let hint = "set `storage.cache: redis` or `message_bus.redis_cluster: true`, or define REDIS_URL in system.env";
            if defined { None } else { missing(text, hint) }
        }
        PresetNeed::KlpSettings => {
            for path in KLP_SETTINGS {
                if whole.files.has(path)? {
                    return Ok(None);
                }
            }
            let text = format!("`{key}` is klp, and klp/klp_settings.yaml is not in the tree");
            missing(text, "add klp/klp_settings.yaml, or take the bridge out")
        }
        PresetNeed::Peers => {
            let listed = whole.facts.get(PEERS).is_some_and(|facts| facts.peers > 0);
            let text = if whole.files.has(PEERS)? {
                format!("`{key}` is klp, and klp/peers.list has no peer")
            } else {
                format!("`{key}` is klp, and klp/peers.list is not in the tree")
            };
            if listed {
                None
            } else {
                missing(
                    text,
                    "list at least one approved peer: `peer-a klp://peer-a.example.com:7443`",
                )
            }
        }
    })
}
