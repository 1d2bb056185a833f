mod docs;
mod telling;
mod verify;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::document::{Format, parse};
use crate::model::{EventKind, Limits};

/// A folder with a settings file, and what is loaded with it.
struct Setup {
    folder: tempfile::TempDir,
    sources: Sources,
}

fn setup(yaml: &str) -> Setup {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kconfigd.yaml");
    std::fs::write(&file, yaml).unwrap();
    let environment = vec![("HOME".to_owned(), "/home/kim".to_owned())];
    Setup { folder, sources: Sources { file: Some(file), environment, flags: Flags::default() } }
}

impl Setup {
    fn variable(mut self, name: &str, value: &str) -> Self {
        self.sources.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    fn loaded(&self) -> Loaded {
        load(&self.sources).unwrap_or_else(|error| panic!("{error}"))
    }

    fn settings(&self) -> Settings {
        self.loaded().settings
    }

    fn said(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.folder.path().display()), "")
    }

    fn refusal(&self) -> String {
        self.said(&load(&self.sources).unwrap_err().to_string())
    }

    fn warnings(&self) -> String {
        self.said(&Listed(&self.loaded().warnings).to_string())
    }
}

fn refusal(yaml: &str) -> String {
    setup(yaml).refusal()
}

const SEED: &str = "gitops:
  repository: https://git.example.com/kos-config
  branch: production
  sync_interval: 5m
  auto_sync: true
  rollback_limit: 10
";

#[test]
fn the_seeds_block_is_valid_as_it_stands() {
    let settings = setup(SEED).settings();
    assert_eq!(
        settings.source.location,
        Location::Http("https://git.example.com/kos-config".into())
    );
    assert_eq!(settings.source.reference, Reference::Branch("production".into()));
    assert_eq!(settings.source.interval, Duration::from_secs(300));
    assert_eq!(settings.live.path, Path::new("/etc/kos/config"));
    assert_eq!(settings.live.file_modes.len(), 1);
    assert_eq!(settings.api.listen, "127.0.0.1:8740".parse::<SocketAddr>().unwrap());
    assert_eq!(settings.shutdown_grace, Duration::from_secs(10));
}

#[test]
fn the_defaults_of_the_table_are_those_of_the_limits() {
    assert_eq!(setup(SEED).settings().limits, Limits::default());
}

#[test]
fn every_default_and_every_example_can_be_read() {
    for key in keys().iter().filter(|key| !key.path.contains("[]")) {
        for value in [key.default, key.example] {
            let (group, name) = key.path.rsplit_once('.').unwrap_or(("", key.path));
            let mut line = format!("{name}: {value}");
            for group in group.rsplit('.').filter(|group| !group.is_empty()) {
                line = format!("{group}: {{{line}}}");
            }
            let mut setup = setup(&format!("{line}\n"));
            if key.path != "gitops.repository" {
                setup = setup.variable("KCONFIGD_GITOPS__REPOSITORY", "ssh://git@h/x");
            }
            let of_a_pair = [
                "username",
                "password_file",
                "passphrase_file",
                "client_cert_file",
                "client_key_file",
                "needs",
                "cert_file",
                "key_file",
                "client_ca_file",
                "clients",
            ];
            match load(&setup.sources) {
                Ok(_) => {}
                // there is no such account on the machine that runs the tests, and half a pair
                Err(_) if key.path == "live.owner" || of_a_pair.contains(&name) => {}
                Err(_) if key.path == "gitops.repository" && value == "null" => {}
                // it says of an issuer what counts with the rest of it
                Err(_) if key.path.starts_with("api.jwt.") => {}
                // it needs keys
                Err(_) if key.path == "gitops.verify.mode" => {}
                // and these a token
                Err(_) if key.path.starts_with("gitops.commit_status.") => {}
                Err(error) => panic!("{line}: {error}"),
            }
        }
    }
}

#[test]
fn a_whole_file_is_read() {
    let setup = setup(WHOLE);
    let settings = setup.settings();
    let here = |name: &str| setup.folder.path().join(name);
    assert_eq!(settings.profile.as_deref(), Some("developer_node"));
    assert_eq!(settings.state_dir, here("state"));
    assert_eq!(
        settings.source.auth.http,
        HttpAuth::Token { username: "x-access-token".into(), file: here("git.token") }
    );
    assert_eq!(settings.source.jitter, 0.25);
    assert_eq!(settings.render.layers, ["base", "sites/berlin"]);
    assert_eq!(settings.policy.windows[0].kind, WindowKind::Allow);
    assert_eq!(settings.policy.windows[0].timezone, chrono_tz::Europe::Berlin);
    assert!(settings.policy.windows[0].spec().allow);
    assert_eq!(settings.live.mode, LiveMode::Exchange);
    assert_eq!(settings.live.drift, DriftPolicy::Off);
    assert_eq!(settings.live.max_deletions, MaxDeletions::Files(200));
    assert_eq!(settings.live.owner, Some(Owner { uid: Some(0), gid: Some(100) }));
    assert_eq!(settings.live.file_modes[0].mode, 0o640);
    assert_eq!(settings.limits.file_bytes_max, 1 << 20);
    assert_eq!(settings.nodes[0].secret_file, here("edge-1.key"));
    assert_eq!(settings.nodes[0].events, [EventKind::Applied, EventKind::RolledBack]);
    assert_eq!(settings.nodes[0].labels, [("ring".to_owned(), "canary".to_owned())]);
    assert_eq!(settings.nodes[1].deliver_for, Duration::from_secs(12 * 3600));
    assert_eq!(settings.mask.keys, ["pin"]);
}

const WHOLE: &str = r#"
profile: developer_node
state_dir: ./state
gitops:
  repository: https://git.example.com/kos-config
  tag: 1.10
  layers: [base, sites/berlin/]
  jitter: 25%
  auth: {token_file: git.token}
  windows:
    - {kind: allow, schedule: "0 0 2 * * Sat", duration: 2h, timezone: Europe/Berlin}
  verify: {}
  tls:
live:
  path: live/config
  mode: exchange
  drift: off
  max_deletions: 200
  owner: "0:100"
  file_modes: [{match: "*.key", mode: "0640"}]
validation: {leaks: warn}
checks: []
health: {}
limits: {file_bytes_max: 1 MiB}
mask: {keys: [pin]}
nodes:
  - name: edge-1
    url: http://127.0.0.1:9001/hooks/config
    secret_file: edge-1.key
    labels: {ring: canary}
    events: [config.applied, config.rolled_back]
  - {name: edge-2, url: "https://e2.example.com/", secret_file: /keys/e2, deliver_for: 12h}
"#;

#[test]
fn what_is_wrong_is_told_all_at_once_with_its_place_and_advice() {
    insta::assert_snapshot!(refusal(
        r#"gitops:
  repository: https://kim:hunter2@git.example.com/x
  branch: production
  tag: v1
  sync_intervall: 30s
  sync_interval: 5 minutes
  auto_sync: yes
  windows:
    - {kind: alow, schedule: "61 * * * *", duration: 2h, timezone: Europe/Berln}
    - weekly
jitter: 10%
live:
  path: /
  max_deletions: half
  file_modes: [{match: a, mode: "1777", owner: x}]
nodes:
  - {name: a, url: "ftp://x/", events: [config.aplied]}
  - {name: a, url: "http://k:hunter2@x/", secret_file: a.key}
checks: [{name: lint, run: [lint]}, {name: lint, run: []}]
reload: [{name: r}]
alerts: [{slack: x}]
mask: [a]
"#
    ));
}

#[test]
fn broken_yaml_is_told_with_its_place() {
    insta::assert_snapshot!(refusal("gitops:\n  branch: 'x\n"));
    insta::assert_snapshot!(refusal("gitops: {branch: a}\ngitops: {}\n"));
}

#[test]
fn a_file_without_a_repository_says_what_to_do() {
    insta::assert_snapshot!(refusal(""), @"
    gitops.repository: no repository is named
      hint: name it in kconfigd.yaml, with --repository, or start with `kconfigd init`
    ");
}

#[test]
fn flags_come_before_the_environment_before_the_file_before_defaults() {
    let mut setup = setup(SEED)
        .variable("KCONFIGD_GITOPS__SYNC_INTERVAL", "30s")
        .variable("KCONFIGD_GITOPS__BRANCH", "staging")
        .variable("KCONFIGD_PROFILE", "edge");
    setup.sources.flags.branch = Some("main".to_owned());
    let loaded = setup.loaded();
    assert_eq!(loaded.settings.source.interval, Duration::from_secs(30));
    assert_eq!(loaded.settings.source.reference, Reference::Branch("main".to_owned()));
    assert_eq!(loaded.settings.profile.as_deref(), Some("edge"));
    let origin = |key| loaded.keys.iter().find(|k| k.key == key).unwrap().origin.to_string();
    assert_eq!(origin("gitops.branch"), "--branch");
    assert_eq!(origin("gitops.sync_interval"), "KCONFIGD_GITOPS__SYNC_INTERVAL");
    assert!(origin("gitops.auto_sync").ends_with("kconfigd.yaml"));
    assert_eq!(origin("gitops.timeout"), "default");
}

#[test]
fn a_branch_flag_puts_the_files_tag_aside() {
    let mut setup = setup("gitops: {repository: /srv/x, tag: v1}");
    setup.sources.flags.branch = Some("main".to_owned());
    let loaded = setup.loaded();
    assert_eq!(loaded.settings.source.reference, Reference::Branch("main".to_owned()));
    let tag = loaded.keys.iter().find(|key| key.key == "gitops.tag").unwrap();
    assert_eq!((&tag.value, &tag.origin), (&serde_json::Value::Null, &Origin::Default));
}

#[test]
fn flags_alone_are_enough() {
    let flags = Flags {
        state_dir: Some("/srv/state".into()),
        repository: Some("/srv/x.git".to_owned()),
        branch: Some("main".to_owned()),
        live: Some("/srv/live".into()),
    };
    let sources = Sources { file: None, environment: Vec::new(), flags };
    let settings = load::load_in(&sources, &[]).unwrap().settings;
    assert_eq!(settings.source.location, Location::Path(PathBuf::from("/srv/x.git")));
    assert_eq!((settings.file, settings.live.path), (None, PathBuf::from("/srv/live")));
}

#[test]
fn the_first_place_with_a_file_counts() {
    let setup = setup(SEED);
    let sources = Sources { file: None, ..setup.sources.clone() };
    let there = setup.folder.path().join("kconfigd.yaml");
    let places = [Path::new("/none/kconfigd.yaml"), there.as_path(), Path::new("/none/x")];
    let settings = load::load_in(&sources, &places).unwrap().settings;
    assert_eq!(settings.file, Some(there));
}

#[test]
fn lists_and_mappings_are_json_in_the_environment() {
    let nodes = r#"[{"name": "n", "url": "http://h/", "secret_file": "/k"}]"#;
    let settings = setup(SEED)
        .variable("KCONFIGD_NODES", nodes)
        .variable("KCONFIGD_GITOPS__INCLUDE", r#"["a/", "b/"]"#)
        .variable("KCONFIGD_GITOPS__AUTH", r#"{"token_file": "/t", "username": "kim"}"#)
        .variable("KCONFIGD_GITOPS__AUTH__USERNAME", "")
        .settings();
    assert_eq!(settings.nodes[0].name, "n");
    assert_eq!(settings.render.include, ["a/", "b/"]);
    let username = "x-access-token".to_owned();
    assert_eq!(settings.source.auth.http, HttpAuth::Token { username, file: "/t".into() });
}

#[test]
fn a_variables_name_is_told_in_plain_characters_and_cut() {
    let long = format!("KCONFIGD_{}", "X".repeat(5_000));
    let setup = setup(SEED).variable("KCONFIGD_LIVE__\u{1b}[31m", "x").variable(&long, "x");
    let refusal = setup.refusal();
    assert!(refusal.contains(r"the twin KCONFIGD_LIVE__\u{1b}[31m"), "{refusal}");
    assert!(refusal.len() < 1_000, "{} bytes", refusal.len());
}

#[test]
fn wrong_variables_are_errors_and_foreign_ones_a_warning() {
    insta::assert_snapshot!(
        setup(SEED)
            .variable("KCONFIGD_GITOPS__SYNC_INTERVALL", "30s")
            .variable("KCONFIGD_GITOPS__INCLUDE", "a/, b/")
            .variable("KCONFIGD_GITOPS__AUTO_SYNC", "no")
            .variable("KCONFIGD_NODES", r#"[{"name": "n", "uri": "http://h/"}]"#)
            .variable("KCONFIGD_SERVICE_PORT", "8740")
            .refusal()
    );
    let setup =
        setup(SEED).variable("KCONFIGD_SERVICE_PORT", "8740").variable("KCONFIGD_REVISION", "x");
    insta::assert_snapshot!(setup.warnings(), @"KCONFIGD_SERVICE_PORT: warning: this variable is not ours and is not used");
}

#[test]
fn what_is_not_used_or_not_safe_is_warned_of() {
    insta::assert_snapshot!(
        setup("gitops: {repository: \"http://h/x\", auth: {token_file: t, ssh_key_file: k}}")
            .warnings()
    );
}

#[test]
fn the_live_path_is_not_in_the_state_folder() {
    let said = refusal("state_dir: s\ngitops: {repository: embedded}\nlive: {path: s/live}\n");
    assert!(said.starts_with("kconfigd.yaml:3:14: live.path: "), "{said}");
}

#[test]
fn the_state_folder_is_found_though_the_rest_is_wrong() {
    let setup = setup("state_dir: s\ngitops: {sync_interval: x}\n");
    assert_eq!(load_state_dir(&setup.sources).unwrap(), setup.folder.path().join("s"));
    let mut broken = self::setup("state_dir: [\n");
    assert!(load_state_dir(&broken.sources).is_err());
    broken.sources.flags.state_dir = Some("/srv/s".into());
    assert_eq!(load_state_dir(&broken.sources).unwrap(), Path::new("/srv/s"));
}

#[test]
fn a_settings_file_that_is_not_there_is_an_error_when_it_was_named() {
    let sources = Sources { file: Some("/none/x.yaml".into()), ..Sources::default() };
    let said = load(&sources).unwrap_err().to_string();
    assert_eq!(said, "cannot read the settings file /none/x.yaml");
}

#[test]
fn only_five_keys_need_a_restart() {
    let old = setup(SEED).settings();
    let mut new = old.clone();
    new.source.interval = Duration::from_secs(1);
    assert!(needs_restart(&old, &new).is_empty());
    new.state_dir = "/x".into();
    new.live.path = "/y".into();
    new.live.mode = LiveMode::Exchange;
    new.api.listen = "127.0.0.1:1".parse().unwrap();
    new.api.tls = Some(crate::config::ServerTls {
        cert_file: "/c".into(),
        key_file: "/k".into(),
        client_ca_file: None,
        clients: Vec::new(),
    });
    assert_eq!(
        needs_restart(&old, &new),
        ["state_dir", "live.path", "live.mode", "api.listen", "api.tls"]
    );
    let mut renewed = new.clone();
    renewed.api.tls.as_mut().unwrap().cert_file = "/d".into();
    assert!(needs_restart(&new, &renewed).is_empty(), "a certificate changes at once");
}

proptest! {
    #[test]
    fn no_file_upsets_the_loader(
        text in prop_oneof![
            "[a-z:{}\\[\\], \n\"'&*!|#%-]{0,80}",
            (0..WHOLE.len(), 0..40usize, "[a-z0-9:{}\\[\\], \n\"-]{0,8}").prop_map(|(at, len, with)| {
                let end = (at + len).min(WHOLE.len());
                format!("{}{with}{}", &WHOLE[..at], &WHOLE[end..])
            }),
        ],
    ) {
        if let Err(ConfigError::Invalid { findings, .. }) = load(&setup(&text).sources) {
            prop_assert!(findings.iter().any(crate::model::Finding::is_error));
        }
    }
}

#[test]
fn the_table_holds_yaml() {
    for key in keys() {
        for yaml in [key.default, key.example] {
            let parsed = parse(yaml.as_bytes(), Format::Yaml, &Limits::default());
            assert!(parsed.is_ok(), "{}: {yaml}", key.path);
        }
    }
}
