//! What comes with the program: the configuration repository of `init`, the gallery of broken
//! files, the examples.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_yaml::Value;

#[path = "../../src/cli/init/files.rs"]
mod template;

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below a folder of the project, by its path in it.
fn files(folder: &str) -> BTreeMap<String, Vec<u8>> {
    fn collect(root: &Path, folder: PathBuf, found: &mut BTreeMap<String, Vec<u8>>) {
        for path in std::fs::read_dir(folder).expect("a folder").flatten().map(|one| one.path()) {
            if path.is_dir() {
                collect(root, path, found);
            } else {
                let name = path.strip_prefix(root).expect("below it").display().to_string();
                found.insert(name, std::fs::read(&path).expect("a file"));
            }
        }
    }
    let mut found = BTreeMap::new();
    collect(&top().join(folder), top().join(folder), &mut found);
    assert!(!found.is_empty(), "{folder} is empty");
    found
}

fn documents(path: &str, bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_yaml::Deserializer::from_str(text)
        .map(|document| {
            use serde::Deserialize as _;
            Value::deserialize(document).unwrap_or_else(|error| panic!("{path}: {error}"))
        })
        .collect()
}

#[test]
fn init_has_every_file_of_the_repository_it_writes() {
    let written: BTreeMap<String, Vec<u8>> = template::FILES
        .iter()
        .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()))
        .collect();
    assert_eq!(written, files("fixtures/kos-config"));
    assert!(template::FILES.is_sorted());
    assert!(!template::SETTINGS.is_empty());
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
            path.starts_with("receivers/") || text.starts_with('#') || path.ends_with(".md"),
            "{path} begins with what it is for"
        );
    }
    assert!(read >= 5, "only {read} examples were read");
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
