use super::writer::{ALICE, BOB, age, armored, dotenv, json, yaml};
use super::{done, held, keys, machine, mode, no_keys, pass, refused};
use crate::support::{Agent, Repo, wait_until};

const PASSWORD: &[(&str, &str)] = &[("password", "hunter2"), ("user", "admin")];

#[test]
fn encrypted_files_are_plain_on_disk_and_their_owners_alone() {
    let repo = Repo::new();
    repo.change()
        .write("a.yaml", "a: 1\n")
        .write("db.yaml", yaml(PASSWORD, &[ALICE]))
        .write("db.json", json(PASSWORD, &[BOB, ALICE]))
        .write("prod.env", dotenv(PASSWORD, &[ALICE]))
        .write("certs/tls.key.age", age(b"\x00\xffbytes", &[ALICE]))
        .executable("run.age", armored(&age(b"#!/bin/sh\n", &[ALICE])))
        .commit("secrets");
    let agent = machine(&repo, "  file_modes: [{match: prod.env, mode: \"0640\"}]\n");
    keys(&agent, &[ALICE]);
    assert_eq!(pass(&agent), done());
    let files = agent.live_files();
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(names, ["a.yaml", "certs/tls.key", "db.json", "db.yaml", "prod.env", "run"]);
    assert_eq!(agent.live("db.yaml").unwrap(), "password: \"hunter2\"\nuser: \"admin\"\n");
    let read: serde_json::Value = serde_json::from_str(&agent.live("db.json").unwrap()).unwrap();
    assert_eq!(read, serde_json::json!({"password": "hunter2", "user": "admin"}));
    assert_eq!(agent.live("prod.env").unwrap(), "password=hunter2\nuser=admin\n");
    assert_eq!(files["certs/tls.key"], b"\x00\xffbytes");
    for (path, bits) in [
        ("a.yaml", 0o644),
        ("db.yaml", 0o600),
        ("db.json", 0o600),
        ("prod.env", 0o640),
        ("certs/tls.key", 0o600),
        ("run", 0o700),
    ] {
        assert_eq!(mode(&agent, path), bits, "{path}");
    }
    // The next passes have nothing to do, and find nothing wrong.
    assert_eq!(pass(&agent), done());
    assert_eq!(agent.run(&["drift", "--detailed-exitcode"]).code, 0);
    assert_eq!(agent.json(&["history"])["items"].as_array().unwrap().len(), 1);
}

#[test]
fn a_file_of_the_original_sops_goes_live() {
    let repo = Repo::new();
    let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/secrets");
    let text = std::fs::read_to_string(fixtures.join("secrets.yaml")).unwrap();
    repo.commit(&[("secrets.yaml", &text)]);
    let agent = machine(&repo, "");
    std::fs::copy(fixtures.join("key.txt"), agent.folder().join("age.key")).unwrap();
    assert_eq!(pass(&agent), done());
    assert!(agent.live("secrets.yaml").unwrap().starts_with("test_key: \"test_value\"\n"));
}

#[test]
fn a_credential_of_systemd_is_as_good_as_a_file() {
    let repo = Repo::new();
    repo.commit(&[("db.yaml", &yaml(PASSWORD, &[ALICE]))]);
    let agent = machine(&repo, "");
    let text = std::fs::read_to_string(agent.settings_file()).unwrap();
    agent.settings(&text.replace("age_identities_file: age.key", "age_credential: kos.age"));
    assert_eq!(pass(&agent), held(), "there are no credentials");
    let folder = agent.folder().join("credentials");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("kos.age"), ALICE.identity).unwrap();
    let agent = agent.variable("CREDENTIALS_DIRECTORY", &folder.display().to_string());
    assert_eq!(pass(&agent), done());
    assert!(agent.live("db.yaml").unwrap().contains("hunter2"));
}

#[test]
fn keys_that_are_missing_hold_and_it_goes_live_when_they_come() {
    let repo = Repo::new();
    let first = repo.commit(&[("db.yaml", &yaml(PASSWORD, &[ALICE]))]);
    let agent = machine(&repo, "");
    assert_eq!(pass(&agent), held());
    keys(&agent, &[BOB]);
    let ran = agent.once();
    assert_eq!(ran.code, 17, "{ran:#?}");
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(said.contains("db.yaml cannot be decrypted: none of our identities"), "{said}");
    assert!(said.contains(ALICE.recipient) && !said.contains("SECRET-KEY"), "{said}");
    assert_eq!(agent.json(&["status"])["quarantine"], serde_json::json!([]));
    let sync = agent.start_sync();
    wait_until("it is held", || agent.json(&["status"])["reason"] == "secrets_unavailable");
    assert_eq!(agent.live("db.yaml"), None);
    keys(&agent, &[BOB, ALICE]);
    agent.wait_until_live(&first);
    assert_eq!(sync.stop().code, 0);
}

#[test]
fn without_identities_set_nothing_encrypted_goes_live_unless_it_is_to_stay_so() {
    let repo = Repo::new();
    let sealed = yaml(PASSWORD, &[ALICE]);
    repo.change().write("db.yaml", &sealed).write("x.age", age(b"x", &[ALICE])).commit("secrets");
    let agent = Agent::of(&repo);
    assert_eq!(pass(&agent), held());
    let text = std::fs::read_to_string(agent.settings_file()).unwrap();
    agent.settings(&format!("{text}secrets: {{decrypt: false}}\n"));
    assert_eq!(pass(&agent), done());
    assert_eq!(agent.live("db.yaml").as_ref(), Some(&sealed));
    assert_eq!(mode(&agent, "x.age"), 0o644);
    // And back: the same content is staged again.
    agent.settings(&format!("{text}secrets: {{age_identities_file: age.key}}\n"));
    keys(&agent, &[ALICE]);
    assert_eq!(pass(&agent), done());
    assert_eq!(agent.live("x").as_deref(), Some("x"));
    assert_eq!(agent.live("x.age"), None);
    assert_eq!(mode(&agent, "db.yaml"), 0o600);
}

#[test]
fn what_does_not_decrypt_whole_is_refused_and_what_is_live_stays() {
    let good = yaml(PASSWORD, &[ALICE]);
    let lines: Vec<&str> = good.lines().collect();
    let left_out = good.replacen(&format!("{}\n", lines[1]), "", 1);
    let moved = good.replacen("user:", "other:", 1);
    let cut = age(b"whole", &[ALICE]);
    let cut = armored(&cut[..cut.len() - 1]);
    for (path, text, rule, key) in [
        ("db.yaml", &left_out, "secrets.mac", "MAC"),
        ("db.yaml", &moved, "secrets.value", "`other`"),
        (
            "prod.env",
            &dotenv(PASSWORD, &[ALICE]).replacen("user=", "root=", 1),
            "secrets.value",
            "`root`",
        ),
        ("x.age", &cut, "secrets.age", "cut off"),
        ("a.yaml.age", &armored(&age(b"a: 2\n", &[ALICE])), "secrets.name", "`a.yaml`"),
    ] {
        let repo = Repo::new();
        let first = repo.commit(&[("a.yaml", "a: 1\n"), ("db.yaml", &good)]);
        let agent = machine(&repo, "");
        keys(&agent, &[ALICE]);
        assert_eq!(pass(&agent), done());
        let before = agent.live_files();
        repo.commit(&[(path, text), ("b.yaml", "b: 1\n")]);
        let report = agent.json(&["sync", "--once"]);
        let finding = &report["findings"][0];
        assert_eq!(
            (&finding["rule"], &finding["file"]),
            (&rule.into(), &path.into()),
            "{report:#}"
        );
        assert!(finding["message"].as_str().unwrap().contains(key), "{finding:#}");
        assert_eq!(pass(&agent).0, 17, "it is in quarantine");
        assert_eq!(agent.live_files(), before, "{path}");
        assert_eq!(agent.json(&["status"])["live"]["revision"], first.as_str());
    }
}

#[test]
fn a_wrong_mac_is_a_refusal_of_its_own_exit_code_also_in_a_dry_run() {
    let repo = Repo::new();
    let good = yaml(PASSWORD, &[ALICE]);
    repo.commit(&[("db.yaml", &good.replacen("password:", "passwort:", 1))]);
    let agent = machine(&repo, "");
    keys(&agent, &[ALICE]);
    assert_eq!(agent.run(&["sync", "--once", "--dry-run"]).code, 13);
    assert_eq!(pass(&agent), refused());
    assert_eq!(agent.live("db.yaml"), None);
}

#[test]
fn keys_change_while_files_are_encrypted_to_both() {
    let repo = Repo::new();
    repo.commit(&[("db.yaml", &yaml(PASSWORD, &[ALICE]))]);
    let agent = machine(&repo, "");
    keys(&agent, &[ALICE]);
    assert_eq!(pass(&agent), done());
    repo.commit(&[("db.yaml", &yaml(&[("password", "second")], &[ALICE, BOB]))]);
    assert_eq!(pass(&agent), done());
    keys(&agent, &[BOB]);
    assert_eq!(pass(&agent), done());
    assert_eq!(agent.live("db.yaml").as_deref(), Some("password: \"second\"\n"));
    // The new key alone, and a file that is for the old one alone: held, and what is live stays.
    repo.commit(&[("db.yaml", &yaml(&[("password", "third")], &[ALICE]))]);
    assert_eq!(pass(&agent), held());
    assert_eq!(agent.live("db.yaml").as_deref(), Some("password: \"second\"\n"));
    no_keys(&agent);
    assert_eq!(pass(&agent), held());
    keys(&agent, &[ALICE]);
    assert_eq!(pass(&agent), done());
    assert_eq!(agent.live("db.yaml").as_deref(), Some("password: \"third\"\n"));
}

#[test]
fn an_encrypted_file_takes_the_place_of_a_plain_one_and_gives_it_back() {
    let repo = Repo::new();
    let agent = machine(&repo, "  reuse_after: 0s\n");
    keys(&agent, &[ALICE]);
    repo.commit(&[("a.yaml", "a: 1\n"), ("key", "plain\n")]);
    let sync = agent.start_sync();
    let sealed = armored(&age(b"sealed", &[ALICE]));
    let change = |write: &[(&str, &str)], remove: &[&str], live: &str| {
        let mut change = repo.change();
        for (path, text) in write {
            change = change.write(path, text);
        }
        for path in remove {
            change = change.remove(path);
        }
        agent.wait_until_live(&change.commit("a change"));
        let files = agent.live_files();
        let names: Vec<&str> = files.keys().map(String::as_str).collect();
        assert_eq!(
            (names.join(" "), agent.live("key").unwrap_or_default()),
            ("a.yaml key".to_owned(), live.to_owned())
        );
    };
    for n in 0..3 {
        change(&[("key.age", &sealed)], &["key"], "sealed");
        change(&[("a.yaml", &format!("a: {}\n", n + 2))], &[], "sealed");
        change(&[("key", "plain\n")], &["key.age"], "plain\n");
    }
    assert_eq!(sync.stop().code, 0);
}
