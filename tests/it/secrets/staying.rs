use std::os::unix::fs::MetadataExt as _;

use super::writer::{ALICE, age, armored, yaml};
use super::{done, keys, machine, mode, no_keys, pass};
use crate::support::{Agent, Repo, wait_until};

fn db(password: &str) -> String {
    yaml(&[("password", password)], &[ALICE])
}

/// Two deployments of a machine with two encrypted files.
fn two(live: &str) -> (Repo, Agent) {
    let repo = Repo::new();
    let key = armored(&age(b"the key", &[ALICE]));
    repo.commit(&[("a.yaml", "a: 1\n"), ("db.yaml", &db("first")), ("tls.key.age", &key)]);
    let agent = machine(&repo, live);
    keys(&agent, &[ALICE]);
    assert_eq!(pass(&agent), done());
    repo.commit(&[("a.yaml", "a: 2\n"), ("db.yaml", &db("second"))]);
    assert_eq!(pass(&agent), done());
    (repo, agent)
}

#[test]
fn a_decrypted_file_is_never_shared_between_trees() {
    let (_repo, agent) = two("");
    let links = |path: &str| std::fs::metadata(agent.live_path().join(path)).unwrap().nlink();
    assert_eq!((links("tls.key"), links("db.yaml")), (1, 1));
    for entry in std::fs::read_dir(agent.folder().join("etc/.config.trees")).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let bits = entry.metadata().unwrap().mode() & 0o777;
        assert!(!name.ends_with(".json") || bits == 0o600, "{name} has {bits:o}");
    }
}

#[test]
fn a_live_folder_with_decrypted_files_that_came_back_from_a_backup_is_known_again() {
    let (_repo, agent) = two("  mode: exchange\n");
    no_keys(&agent);
    agent.back_up("etc");
    agent.restore("etc");
    assert_eq!(pass(&agent), done(), "nothing had to be decrypted again");
    let status = agent.json(&["status"]);
    assert_eq!((&status["live"]["deployment"], &status["state"]), (&2.into(), &"in_sync".into()));
    assert!(!agent.folder().join("etc/config.before-kconfigd").exists());
}

#[test]
fn edits_of_decrypted_files_are_found_and_put_right_without_identities() {
    for live in ["", "  mode: exchange\n"] {
        let (_repo, agent) = two(live);
        no_keys(&agent);
        // Another file: the decrypted ones are taken from the live tree.
        std::fs::write(agent.live_path().join("a.yaml"), "a: 3\n").unwrap();
        let ran = agent.run(&["drift", "--repair"]);
        assert_eq!(ran.code, 0, "{ran:#?}");
        assert_eq!(agent.live("a.yaml").as_deref(), Some("a: 2\n"));
        assert_eq!(agent.live("tls.key").as_deref(), Some("the key"));
        assert_eq!(mode(&agent, "tls.key"), 0o600);
        // A decrypted one: it takes an identity, and nothing is removed until there is one.
        std::fs::write(agent.live_path().join("db.yaml"), "password: edited\n").unwrap();
        let report = agent.json(&["drift"]);
        assert!(report.to_string().contains("db.yaml"), "{report:#}");
        let ran = agent.run(&["drift", "--repair"]);
        assert_ne!(ran.code, 0, "{ran:#?}");
        assert!(format!("{ran:?}").contains("db.yaml cannot be decrypted"), "{ran:#?}");
        assert_eq!(agent.live("db.yaml").as_deref(), Some("password: edited\n"));
        keys(&agent, &[ALICE]);
        assert_eq!(agent.run(&["drift", "--repair"]).code, 0);
        assert_eq!(agent.live("db.yaml").as_deref(), Some("password: \"second\"\n"));
        assert!(!agent.state_dir().join("drift").exists() || !kept(&agent).contains("edited"));
    }
}

fn kept(agent: &Agent) -> String {
    let mut text = String::new();
    let mut folders = vec![agent.state_dir().join("drift")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path => text.push_str(&std::fs::read_to_string(path).unwrap_or_default()),
            }
        }
    }
    text
}

#[test]
fn bytes_that_were_changed_behind_the_stamp_are_found() {
    let (_repo, agent) = two("");
    let file = agent.live_path().join("db.yaml");
    let before = std::fs::metadata(&file).unwrap();
    std::fs::write(&file, "password: \"sEcond\"\n").unwrap();
    let times = std::fs::FileTimes::new().set_modified(before.modified().unwrap());
    std::fs::File::options().write(true).open(&file).unwrap().set_times(times).unwrap();
    assert_eq!(agent.run(&["drift", "--detailed-exitcode"]).code, 2);
    std::fs::write(&file, "password: \"second\"\n").unwrap();
    std::fs::File::options().write(true).open(&file).unwrap().set_times(times).unwrap();
    assert_eq!(agent.run(&["drift", "--detailed-exitcode"]).code, 0, "it is what it was");
}

#[test]
fn a_way_back_needs_no_identity_as_long_as_its_tree_is_whole() {
    for (live, lose) in [("", ""), ("  mode: exchange\n", ""), ("", "state")] {
        let (repo, agent) = two(live);
        no_keys(&agent);
        if lose == "state" {
            std::fs::remove_dir_all(agent.state_dir().join("repo.git")).unwrap();
            std::fs::rename(repo.path(), repo.root().join("away")).unwrap();
        }
        let ran = agent.run(&["rollback", "--reason", "x"]);
        assert_eq!(ran.code, 0, "{live} {lose} {ran:#?}");
        assert_eq!(agent.live("db.yaml").as_deref(), Some("password: \"first\"\n"));
        assert_eq!(agent.live("a.yaml").as_deref(), Some("a: 1\n"));
        assert_eq!(mode(&agent, "db.yaml"), 0o600);
    }
}

#[test]
fn an_agent_starts_and_follows_on_without_identities_where_no_secret_changed() {
    let (repo, agent) = two("");
    no_keys(&agent);
    let third = repo.commit(&[("a.yaml", "a: 3\n")]);
    let sync = agent.start_sync();
    agent.wait_until_live(&third);
    assert_eq!(agent.live("db.yaml").as_deref(), Some("password: \"second\"\n"));
    let fourth = repo.commit(&[("db.yaml", &db("third"))]);
    wait_until("it is held", || {
        let status = agent.json(&["status"]);
        status["reason"] == "secrets_unavailable"
            && status["desired"]["revision"] == fourth.as_str()
    });
    keys(&agent, &[ALICE]);
    agent.wait_until_live(&fourth);
    assert_eq!(sync.stop().code, 0);
}

#[test]
fn the_state_folder_and_the_manifests_may_be_lost() {
    let (_repo, agent) = two("");
    std::fs::remove_dir_all(agent.state_dir()).unwrap();
    assert_eq!(pass(&agent), done());
    assert_eq!(agent.run(&["drift", "--detailed-exitcode"]).code, 0);
    for entry in std::fs::read_dir(agent.folder().join("etc/.config.trees")).unwrap().flatten() {
        if entry.path().extension().is_some_and(|it| it == "json") {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
    assert_eq!(pass(&agent), done());
    assert_eq!(agent.live("db.yaml").as_deref(), Some("password: \"second\"\n"));
    assert_eq!(mode(&agent, "db.yaml"), 0o600);
}
