//! The documentation and the schema say what the table says.

use crate::config::{Key, keys, schema};

fn file(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A key's entry in `docs/configuration.md`.
fn entry(key: &Key) -> String {
    let default = match key.default {
        _ if key.is_required() => "required".to_owned(),
        "null" => "default none".to_owned(),
        default => format!("default {}", code(default)),
    };
    let twin = key.twin().map(|twin| format!("`{twin}`: "));
    format!(
        "#### `{}`\n\n{}\n\n{}{}; {default}; example {}\n",
        key.path,
        key.about,
        twin.unwrap_or_default(),
        key.kind.words(),
        code(key.example),
    )
}

fn code(yaml: &str) -> String {
    format!("`{yaml}`")
}

#[test]
fn every_key_is_documented_with_its_twin_kind_default_and_example() {
    let docs = file("docs/configuration.md");
    let missing: Vec<String> = keys().iter().map(entry).filter(|e| !docs.contains(e)).collect();
    assert!(missing.is_empty(), "docs/configuration.md lacks:\n{}", missing.join("\n"));
}

#[test]
fn every_documented_key_and_twin_is_one() {
    let docs = file("docs/configuration.md");
    for line in docs.lines() {
        let heading = line.strip_prefix("#### `").or(line.strip_prefix("| `"));
        if let Some(path) = heading.and_then(|rest| rest.split('`').next()) {
            assert!(keys().iter().any(|key| key.path == path), "{path} is no key");
        }
    }
    let twins: Vec<String> = keys().iter().filter_map(Key::twin).collect();
    for word in docs.split(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')) {
        if word.starts_with("KCONFIGD_") && word.contains("__") {
            let group = format!("{word}__");
            let known = |twin: &String| twin == word || twin.starts_with(&group);
            assert!(twins.iter().any(known), "{word} is no twin");
        }
    }
}

#[test]
fn the_schema_in_the_documentation_is_the_programs() {
    let expected = format!("{:#}\n", schema());
    assert!(
        file("docs/kconfigd.schema.json") == expected,
        "write it anew: kconfigd config schema >docs/kconfigd.schema.json"
    );
}
