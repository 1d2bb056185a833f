//! What comes with the program: the configuration repository of `init`, the gallery of broken
//! files, the examples.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use kconfigd::document::{self, Format};
use kconfigd::model::Limits;
use serde_yaml::Value;

use crate::support::{Agent, Repo, git, succeed};

pub(crate) fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below a folder of the project, by its path in it.
pub(crate) fn files(folder: &str) -> BTreeMap<String, Vec<u8>> {
    let found = read_all(&top().join(folder));
    assert!(!found.is_empty(), "{folder} is empty");
    found
}

/// Every file below a folder, by its path in it.
fn read_all(root: &Path) -> BTreeMap<String, Vec<u8>> {
    fn collect(root: &Path, folder: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        for path in std::fs::read_dir(folder).expect("a folder").flatten().map(|one| one.path()) {
            if path.is_dir() {
                collect(root, &path, found);
            } else {
                let name = path.strip_prefix(root).expect("below it").display().to_string();
                found.insert(name, std::fs::read(&path).expect("a file"));
            }
        }
    }
    let mut found = BTreeMap::new();
    collect(root, root, &mut found);
    found
}

pub(crate) fn documents(path: &str, bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_yaml::Deserializer::from_str(text)
        .map(|document| {
            use serde::Deserialize as _;
            Value::deserialize(document).unwrap_or_else(|error| panic!("{path}: {error}"))
        })
        .collect()
}

#[test]
fn init_writes_the_example_whole_and_it_goes_live_as_it_is() {
    let agent = Agent::new();
    let ran = agent.run(&["init", "first"]);
    assert_eq!(ran.code, 0, "{ran:#?}");
    let folder = agent.folder().join("first");
    let tracked = succeed(git(&folder.join("kos-config")).args(["ls-files"]));
    let example = files("fixtures/kos-config");
    assert!(tracked.lines().eq(example.keys()), "{tracked}");

    let settings = folder.join("kconfigd.yaml").display().to_string();
    let ran = agent.run(&["sync", "--once", "--config", &settings]);
    assert_eq!(ran.code, 0, "{ran:#?}");
    assert_eq!(read_all(&folder.join("live/config")), example);
}

#[test]
fn the_repository_of_init_is_consistent() {
    let files = files("fixtures/kos-config");
    let mut profiles = BTreeSet::new();
    let mut named: Vec<(String, String)> = Vec::new();
    for (path, bytes) in files.iter().filter(|(path, _)| path.ends_with(".yaml")) {
        let document = documents(path, bytes).remove(0);
        let stem = Path::new(path).file_stem().unwrap().to_str().unwrap();
        if path.starts_with("profiles/") {
            assert_eq!(document["profile"], stem, "{path} is named after its profile");
            profiles.insert(stem.to_owned());
            for (key, folder) in [("services", "agents"), ("plugins", "plugins")] {
                for name in document[key].as_sequence().into_iter().flatten() {
                    named.push((path.clone(), format!("{folder}/{}.yaml", name.as_str().unwrap())));
                }
            }
        } else if path.starts_with("agents/") || path.starts_with("plugins/") {
            assert_eq!(document["name"], stem, "{path} is named after what it sets");
        }
    }
    let all = ["developer_node", "enterprise", "federation_node", "standalone"];
    assert_eq!(profiles, all.map(str::to_owned).into());
    assert_eq!(named.len(), 8);
    for (profile, file) in named {
        assert!(files.contains_key(&file), "{profile} names {file}, which is missing");
    }
}

#[test]
fn no_secret_comes_with_the_program() {
    let files = files("fixtures/kos-config");
    let secrets = String::from_utf8(files["secrets.env"].clone()).unwrap();
    let values = secrets.lines().filter(|line| !line.starts_with('#'));
    assert!(values.clone().count() > 0);
    assert!(values.clone().all(|line| line.ends_with('=')), "{secrets}");
}

/// The files of the gallery that are meant to be refused.
fn gallery() -> BTreeMap<String, Vec<u8>> {
    let mut files = files("fixtures/invalid");
    files.remove("README.md");
    files
}

#[test]
fn every_broken_file_is_refused_with_its_place_and_advice() {
    let mut told = String::new();
    for (path, bytes) in gallery() {
        let format = Format::of_path(&path).expect("YAML or JSON");
        let findings = document::parse(&bytes, format, &Limits::default())
            .map(|_| ())
            .expect_err("a file of the gallery is refused");
        for finding in findings {
            let place = (finding.line.unwrap_or(0), finding.column.unwrap_or(0));
            let hint = finding.hint.as_deref().unwrap_or("");
            let (rule, message) = (&finding.rule, &finding.message);
            told += &format!("{path}:{}:{}: {message} [{rule}]\n  {hint}\n", place.0, place.1);
        }
    }
    insta::assert_snapshot!(told);
}

#[test]
fn a_commit_with_broken_files_never_goes_live() {
    let repo = Repo::new();
    let good = repo.commit(&[("good.yaml", "a: 1\n")]);
    let agent = Agent::of(&repo);
    assert_eq!(agent.once().code, 0);
    let mut change = repo.change();
    for (path, bytes) in gallery() {
        change = change.write(&path, bytes);
    }
    change.write("good.yaml", "a: 2\n").commit("all of them");
    let ran = agent.once();
    assert_eq!(ran.code, 13, "{ran:#?}");
    for path in gallery().keys() {
        assert!(ran.stdout.contains(path.as_str()), "{path} is not told: {}", ran.stdout);
    }
    assert_eq!(agent.live("good.yaml").as_deref(), Some("a: 1\n"));
    assert_eq!(agent.json(&["status"])["live"]["revision"], good);
}

#[test]
fn settings_that_come_with_the_program_are_valid() {
    let agent = Agent::new();
    agent.settings(&String::from_utf8(files("fixtures")["kconfigd.yaml"].clone()).unwrap());
    let ran = agent.run(&["config", "check"]);
    assert_eq!(ran.code, 0, "{ran:#?}");

    let path = "kubernetes/sidecar.yaml";
    let manifests = documents(path, &files("examples")[path]);
    agent.settings(manifests[0]["data"]["kconfigd.yaml"].as_str().unwrap());
    let ran = agent.run(&["config", "check"]);
    assert_eq!(ran.code, 0, "{ran:#?}");

    let path = "compose/compose.yaml";
    let compose = documents(path, &files("examples")[path]).remove(0);
    let mut agent = Agent::new();
    for (name, value) in compose["services"]["kconfigd"]["environment"].as_mapping().unwrap() {
        agent = agent.variable(name.as_str().unwrap(), value.as_str().unwrap());
    }
    let ran = agent.run(&["config", "check"]);
    assert_eq!(ran.code, 0, "{ran:#?}");
}

#[test]
fn examples_are_what_their_programs_read() {
    let files = files("examples");
    let mut read = 0;
    for (path, bytes) in &files {
        let text =
            String::from_utf8(bytes.clone()).unwrap_or_else(|error| panic!("{path}: {error}"));
        if path.ends_with(".yaml") {
            assert!(!documents(path, bytes).is_empty(), "{path}");
            read += 1;
        } else if [".service", ".timer"].iter().any(|end| path.ends_with(end)) {
            unit(path, &text);
            read += 1;
        }
        assert!(
            path.starts_with("receivers/")
                || text.starts_with('#')
                || path.ends_with(".md")
                || path.ends_with(".json"),
            "{path} begins with what it is for"
        );
    }
    assert!(read >= 5, "only {read} examples were read");
}

#[test]
fn the_example_of_validation_is_told_as_the_documentation_has_it() {
    let docs = std::fs::read_to_string(top().join("docs/validation.md")).unwrap();
    let settings = "examples/validation/kconfigd.yaml";
    let validated = |folder: &str| {
        let agent = Agent::new();
        let mut command = agent.command(&["validate", folder, "--config", settings]);
        let output = command.current_dir(top()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, said) = validated("examples/validation/config");
    assert_eq!((code, said.as_str()), (Some(0), "valid: 4 files, 0 errors, 0 warnings\n"));
    let (code, said) = validated("examples/validation/broken");
    assert_eq!(code, Some(13));
    assert!(docs.contains(&said), "docs/validation.md lacks:\n{said}");
    // Blocks of the page are parts of the example's files.
    for (block, file) in
        [("references:", "kconfigd.yaml"), ("image:", "config/schemas/service.yaml")]
    {
        let text = std::fs::read_to_string(top().join("examples/validation").join(file)).unwrap();
        let part = docs.split("```yaml\n").skip(1).filter_map(|part| part.split("```").next());
        let lines = part.filter(|part| part.contains(block)).flat_map(str::lines);
        let missing: Vec<&str> = lines.filter(|line| !text.contains(line)).collect();
        assert_eq!(missing, [""; 0], "{file}");
    }
}

#[test]
fn the_example_of_policies_is_told_as_the_documentation_has_it() {
    let docs = std::fs::read_to_string(top().join("docs/policies.md")).unwrap();
    let settings = "examples/policies/kconfigd.yaml";
    let ran = |arguments: &[&str]| {
        let agent = Agent::new();
        let output = agent.command(arguments).current_dir(top()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let validated = |folder: &str| ran(&["validate", folder, "--config", settings]);
    let (code, said) = validated("examples/policies/config");
    assert_eq!((code, said.as_str()), (Some(0), "valid: 6 files, 0 errors, 0 warnings\n"));
    let (code, said) = validated("examples/policies/broken");
    assert_eq!(code, Some(13));
    assert!(docs.contains(&said), "docs/policies.md lacks:\n{said}");
    let (code, said) = ran(&["policy", "test", "examples/policies/config/policy"]);
    assert_eq!((code, said.lines().last()), (Some(0), Some("3 passed, 0 failed")));
}

/// The first example of a page that runs.
fn shown(page: &str, begins: &str) -> String {
    let text = std::fs::read_to_string(top().join("docs").join(page)).expect("a page");
    let mut blocks = text.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.find(|block| block.starts_with(begins)).expect("the example").to_owned()
}

#[test]
fn the_example_of_secrets_runs_as_the_documentation_has_it() {
    let agent = Agent::new();
    let folder = agent.folder();
    std::fs::create_dir_all(folder.join("fixtures")).unwrap();
    std::os::unix::fs::symlink(top().join("fixtures/secrets"), folder.join("fixtures/secrets"))
        .unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_kconfigd")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let mut shell = git(folder);
    let git_only: Vec<_> = shell
        .get_envs()
        .filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned())))
        .collect();
    shell = std::process::Command::new("sh");
    shell.args(["-eu", "-c", &shown("secrets.md", "mkdir try")]).current_dir(folder);
    shell.env_clear().envs(git_only).env("PATH", path).env("HOME", folder.join("home"));
    let said = succeed(&mut shell);
    assert!(said.contains("test_key: \"test_value\""), "{said}");
}

/// The blocks of the kOS specification, byte for byte: none may be changed to make it pass.
#[test]
fn the_blocks_of_the_specification_are_as_it_gives_them() {
    use sha2::{Digest as _, Sha256};
    let files = files("fixtures");
    for (path, sum) in [
        (
            "kos-config/profiles/standalone.yaml",
            "beef2212e35d2b8b9ea35eee42a53d303454a684b74bac7522d01c056cfb82f3",
        ),
        (
            "kos-config/profiles/developer_node.yaml",
            "0a896258fd9df96610ec45627b819d71348a8e8cfd452585b21f1f15cf448284",
        ),
        (
            "kos-config/profiles/federation_node.yaml",
            "36ee05771d9e78757a7550db693e8eccd043840d8d3322c8652e28d589075171",
        ),
        (
            "kos-config/profiles/enterprise.yaml",
            "109f8222558ebd2413284ff30aad7ea7b9c6bece2012cb20ff40401bb70294a9",
        ),
        (
            "kos-blocks/bootstrap.yaml",
            "99fcda81d109aa825bcdcc9f10ca47bfec70f9c7a4ff6f690c8da9a1c4fa1888",
        ),
        (
            "kos-blocks/gitops.yaml",
            "b17eb49a6e8951233d02963a2c8f7d2928a86333897065f95785a30d11e669a3",
        ),
    ] {
        let found =
            Sha256::digest(&files[path]).iter().map(|b| format!("{b:02x}")).collect::<String>();
        assert_eq!(found, sum, "{path}");
    }
    // They pass the preset, and the block `gitops` is settings as it stands.
    let agent = Agent::new();
    let config = agent.folder().join("config");
    let of = |path: &str| {
        path.strip_prefix("kos-config/")
            .or_else(|| path.strip_prefix("kos-blocks/"))
            .map(str::to_owned)
    };
    for (path, bytes) in files.iter().filter_map(|(path, bytes)| Some((of(path)?, bytes))) {
        let path = config.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let ran = agent.run(&["validate", &config.display().to_string(), "--preset", "kos"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "valid: 21 files, 0 errors, 0 warnings\n"));
    let block = String::from_utf8(files["kos-blocks/gitops.yaml"].clone()).unwrap();
    agent.settings(&block);
    let ran = agent.run(&["config", "check"]);
    assert_eq!(ran.code, 0, "{ran:#?}");
}

#[test]
fn the_hook_before_a_commit_looks_at_what_is_staged() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    succeed(git(at).args(["init", "-q", "."]));
    for (path, bytes) in files("fixtures/kos-config") {
        std::fs::create_dir_all(at.join(&path).parent().unwrap()).unwrap();
        std::fs::write(at.join(path), bytes).unwrap();
    }
    std::fs::copy(top().join("examples/ci/pre-commit"), at.join(".git/hooks/pre-commit")).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_kconfigd")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let commit = || {
        let mut command = git(at);
        command.args(["commit", "-q", "-m", "change"]).env("PATH", &path).output().unwrap()
    };
    let profile = at.join("profiles/standalone.yaml");
    let good = std::fs::read_to_string(&profile).unwrap();
    std::fs::write(&profile, good.replace("auto_lock: true", "auto_lock: maybe")).unwrap();
    succeed(git(at).args(["add", "."]));
    std::fs::write(&profile, &good).unwrap();
    let refused = commit();
    assert!(!refused.status.success());
    let said =
        String::from_utf8(refused.stdout).unwrap() + &String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("profiles/standalone.yaml:15:14: error: `security.auto_lock`"), "{said}");
    succeed(git(at).args(["add", "."]));
    let taken = commit();
    assert!(taken.status.success(), "{taken:?}");
}

/// Every line of a unit is a comment, a section or a setting.
fn unit(path: &str, text: &str) {
    let mut section = "";
    for (number, line) in text.lines().enumerate() {
        let place = format!("{path}:{}", number + 1);
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name;
        } else if !line.is_empty() && !line.starts_with('#') {
            assert!(!section.is_empty(), "{place}: before any section");
            let (name, _) = line.split_once('=').unwrap_or_else(|| panic!("{place}: no setting"));
            assert!(name.chars().all(char::is_alphanumeric), "{place}: {name}");
        }
    }
}

#[test]
fn the_example_of_checks_runs_as_the_documentation_has_it() {
    let example = files("examples/checks");
    let docs = std::fs::read_to_string(top().join("docs/checks.md")).unwrap();
    let repo = Repo::new();
    let commit = |folder: &str| {
        let of_folder = example.iter().filter_map(|(path, bytes)| {
            Some((path.strip_prefix(folder)?.strip_prefix('/')?, bytes))
        });
        of_folder
            .fold(repo.change(), |change, (path, bytes)| change.write(path, bytes))
            .commit("it")
    };
    commit("config");
    let agent = Agent::new();
    let mut text = String::from_utf8(example["kconfigd.yaml"].clone()).unwrap();
    for (from, to) in [
        ("https://git.example.com/edge.git", repo.path().display().to_string()),
        ("/etc/edge", agent.live_path().display().to_string()),
        ("/etc/kconfigd/checks", top().join("examples/checks").display().to_string()),
    ] {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, &to);
    }
    if !rustix::process::geteuid().is_root() {
        // nginx looks at folders of the system even for a test.
        text = text
            .lines()
            .filter(|line| !line.contains("name: nginx"))
            .collect::<Vec<_>>()
            .join("\n");
    }
    agent.settings(&format!("{text}\nstate_dir: {}\n", agent.state_dir().display()));
    let ran = agent.run(&["sync", "--once"]);
    assert_eq!(ran.code, 0, "{ran:#?}");
    commit("broken");
    let ran = agent.run(&["plan"]);
    assert_eq!(ran.code, 13, "{ran:#?}");
    let finding: Vec<&str> =
        ran.stdout.lines().filter(|line| line.starts_with("  error: ")).map(str::trim).collect();
    assert!(docs.contains(finding[0]), "docs/checks.md lacks: {}", ran.stdout);
    repo.commit(&[
        ("routes.conf", "/ web\n"),
        ("web.yaml", "image: registry.example.com/web:1.4.0\n"),
    ]);
    let ran = agent.run(&["plan"]);
    assert_eq!(ran.code, 13, "{ran:#?}");
    assert!(
        ran.stdout.contains("CVE-2026-0001") && ran.stdout.contains("check.scanner"),
        "{ran:#?}"
    );
}

#[test]
fn the_scanner_of_the_examples_misses_no_last_line_and_says_when_it_cannot_look() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("tree")).unwrap();
    std::fs::write(at("tree/a.yaml"), "image: web:1.4.0\n").unwrap();
    let scan = |list: &str, tree: &str| {
        std::fs::write(at("list"), list).unwrap();
        let mut command = std::process::Command::new(top().join("examples/checks/scan.sh"));
        let output = command.arg(at(tree)).arg(at("list")).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let told = "a.yaml:1:image: web:1.4.0: old | bad & known\n";
    assert_eq!(scan("web:1.4.0\told | bad & known", "tree"), (Some(1), told.to_owned()));
    assert_eq!(scan("# none\n\nweb:2\tnot there", "tree"), (Some(0), String::new()));
    assert_eq!(scan("web:1.4.0\told\n", "gone").0, Some(2));
}
