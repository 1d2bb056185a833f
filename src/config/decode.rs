//! From values to [`Settings`]: each function reads one group of keys.

use std::path::PathBuf;

use super::location::http_url;
use super::paths::{check_live, default_state_dir, group_id, user_id};
use super::reader::{Reader, shortest};
use super::settings::{
    DriftPolicy, FileModeRule, LiveMode, LiveSettings, Mask, NodeSettings, Settings,
};
use super::table::nearest;
use super::values::{self, shown};
use super::{git, programs, secrets, validation};
use crate::model::{EventKind, Limits, TreePath};

/// Bytes of a node's name.
pub(super) const NAME_BYTES_MAX: usize = 63;

/// Reads everything. `None`: something that has no default is missing or wrong, and found.
pub(super) fn settings(
    reader: &mut Reader<'_>,
    file: Option<PathBuf>,
    environment: &[(String, String)],
) -> Option<Settings> {
    let profile = profile(reader);
    let state_dir = state_dir(reader, environment);
    let source = git::source(reader);
    let render = git::render(reader);
    let policy = git::policy(reader);
    let live = live(reader);
    let secrets = secrets::secrets(reader);
    let validation = validation::read(reader);
    let limits = limits(reader);
    let mask = mask(reader);
    let checks = programs::checks(reader);
    let reload = programs::reload(reader);
    let health = programs::health(reader);
    let nodes = nodes(reader);
    let alerts = super::alerts::read(reader);
    let api = super::api::read(reader);
    let audit = super::audit::read(reader);
    let telemetry = super::telemetry::read(reader);
    let shutdown_grace = reader.duration("shutdown_grace");
    let (state_dir, live) = (state_dir?, live?);
    if let Err(message) = check_live(&live.path, &state_dir) {
        reader.wrong("live.path", &message);
    }
    Some(Settings {
        file,
        profile,
        state_dir,
        source: source?,
        render,
        policy,
        live,
        secrets,
        validation,
        limits,
        mask,
        checks,
        reload,
        health,
        nodes,
        alerts,
        api: api?,
        audit,
        telemetry,
        shutdown_grace,
    })
}

fn profile(reader: &mut Reader<'_>) -> Option<String> {
    let name = reader.text("profile")?;
    if name.contains('/') || TreePath::parse(&name).is_err() {
        reader.wrong("profile", &format!("{} is not the name of a profile", shown(&name)));
    }
    Some(name)
}

/// The state folder; a place where there is always an answer, or a finding.
pub(super) fn state_dir(
    reader: &mut Reader<'_>,
    environment: &[(String, String)],
) -> Option<PathBuf> {
    if reader.setting("state_dir").is_some() {
        return reader.path("state_dir");
    }
    let found = default_state_dir(environment, rustix::process::geteuid().is_root());
    if found.is_none() {
        let hint = "set state_dir, --state-dir, KCONFIGD_STATE_DIR or HOME";
        reader.advise("state_dir", "there is no home folder to keep state in", hint);
    }
    found
}

fn live(reader: &mut Reader<'_>) -> Option<LiveSettings> {
    let mode = reader.word("live.mode");
    let drift = reader.word("live.drift");
    let owner = reader
        .optional("live.owner", |node| values::owner(&values::text(node)?, user_id, group_id));
    let file_modes = reader.items("live.file_modes", "live.file_modes[]", |item| {
        let pattern = item.required("live.file_modes[].match", glob);
        let mode = item.required("live.file_modes[].mode", values::mode);
        Some(FileModeRule { pattern: pattern?, mode: mode? })
    });
    Some(LiveSettings {
        mode: if mode == "exchange" { LiveMode::Exchange } else { LiveMode::Symlink },
        drift: match drift {
            "off" => DriftPolicy::Off,
            "report" => DriftPolicy::Report,
            _ => DriftPolicy::Repair,
        },
        drift_interval: reader.duration("live.drift_interval"),
        adopt: reader.boolean("live.adopt"),
        max_deletions: reader.optional("live.max_deletions", values::deletions)?,
        reuse_after: reader.duration("live.reuse_after"),
        owner,
        file_modes,
        path: reader.path("live.path")?,
    })
}

/// A gitignore-style pattern.
pub(super) fn glob(node: &crate::document::Node) -> values::Read<String> {
    let pattern = values::text(node)?;
    let mut builder = ignore::gitignore::GitignoreBuilder::new("/");
    match builder.add_line(None, &pattern) {
        Ok(_) if pattern.trim().is_empty() => Err("an empty pattern matches nothing".to_owned()),
        Ok(_) => Ok(pattern),
        Err(_) => Err(format!("{} is not a gitignore-style pattern", shown(&pattern))),
    }
}

/// A list of gitignore-style patterns.
pub(super) fn globs(reader: &mut Reader<'_>, key: &'static str) -> Vec<String> {
    reader.optional(key, |node| values::list(node)?.iter().map(glob).collect()).unwrap_or_default()
}

/// What is hidden beside what is known to be secret.
pub(super) fn mask(reader: &mut Reader<'_>) -> Mask {
    Mask { files: globs(reader, "mask.files"), keys: reader.texts("mask.keys") }
}

/// The named limits.
pub(super) fn limits(reader: &mut Reader<'_>) -> Limits {
    let milliseconds = reader.duration("limits.policy_time_max").as_millis();
    Limits {
        files_max: reader.count("limits.files_max"),
        file_bytes_max: reader.bytes("limits.file_bytes_max"),
        tree_bytes_max: reader.bytes("limits.tree_bytes_max"),
        fetch_bytes_max: reader.bytes("limits.fetch_bytes_max"),
        path_bytes_max: reader.count("limits.path_bytes_max"),
        depth_max: reader.count("limits.depth_max"),
        yaml_aliases_max: reader.count("limits.yaml_aliases_max"),
        yaml_depth_max: reader.count("limits.yaml_depth_max"),
        yaml_documents_max: reader.count("limits.yaml_documents_max"),
        policy_time_max_ms: u64::try_from(milliseconds).unwrap_or(u64::MAX),
        policy_memory_bytes_max: reader.bytes("limits.policy_memory_bytes_max"),
        webhook_body_bytes_max: reader.bytes("limits.webhook_body_bytes_max"),
        http_body_bytes_max: reader.bytes("limits.http_body_bytes_max"),
        exec_output_bytes_max: reader.bytes("limits.exec_output_bytes_max"),
        mirror_packs_max: reader.count("limits.mirror_packs_max"),
    }
}

fn nodes(reader: &mut Reader<'_>) -> Vec<NodeSettings> {
    let mut names: Vec<String> = Vec::new();
    reader.items("nodes", "nodes[]", |item| {
        let name = item.required("nodes[].name", values::text);
        if let Some(name) = &name {
            let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
            if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(allowed) {
                let what = "is not a name of letters, digits, `.`, `_` and `-`, at most 63";
                item.wrong("nodes[].name", &format!("{} {what}", shown(name)));
            }
            if names.contains(name) {
                item.wrong("nodes[].name", &format!("another node is called {} too", shown(name)));
            }
            names.push(name.clone());
        }
        let url = item.required("nodes[].url", |node| http_url(&values::text(node)?));
        if item.setting("nodes[].secret_file").is_none() {
            let hint = "events are always signed: put a secret in a file, and name that here";
            item.advise("nodes[].secret_file", "is missing", hint);
        }
        let secret_file = item.path("nodes[].secret_file");
        let node = NodeSettings {
            timeout: item.duration("nodes[].timeout"),
            labels: item.optional("nodes[].labels", values::labels).unwrap_or_default(),
            events: events(item),
            paths: globs(item, "nodes[].paths"),
            deliver_for: item.duration("nodes[].deliver_for"),
            name: name?,
            url: url?.into(),
            secret_file: secret_file?,
        };
        Some(node)
    })
}

fn events(item: &mut Reader<'_>) -> Vec<EventKind> {
    let event = |word: String| {
        let for_nodes = |kind: &&EventKind| kind.is_for_nodes();
        EventKind::from_word(&word).filter(|kind| kind.is_for_nodes()).ok_or_else(|| {
            let words = EventKind::ALL.iter().filter(for_nodes).map(|kind| kind.as_str());
            let meant = nearest(&word, words);
            let meant = meant.map(|kind| format!("; did you mean {kind}?")).unwrap_or_default();
            format!("{} is not an event that nodes are told of{meant}", shown(&word))
        })
    };
    item.optional("nodes[].events", |node| values::texts(node)?.into_iter().map(event).collect())
        .unwrap_or_default()
}

/// The duration of a list item's key that has no default.
pub(super) fn item_duration(
    item: &mut Reader<'_>,
    key: &'static str,
) -> Option<std::time::Duration> {
    item.required(key, |node| values::duration(node, shortest(key)))
}
