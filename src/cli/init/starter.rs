use std::path::Path;

use super::super::exit::{Exit, Failure};
use super::template;

/// What the settings of the example say and those of a first try say otherwise.
const STATE: [&str; 2] = [
    "# state_dir: /var/lib/kconfigd\n",
    "# Without this line: /var/lib/kconfigd, or a folder of the user's own.\nstate_dir: ./state\n",
];
const PROFILE: &str = "profile: standalone\n";
const LIVE: &str = "  path: ./live/config\n";
const FILE_MODES: &str = "    - {match: secrets.env, mode: \"0600\"}\n";

/// The text of `kconfigd.yaml`, for the example or for a folder that is adopted, whose files that
/// others may not read stay so by `modes`.
pub(super) fn settings(adopted: Option<&Path>, modes: &[(String, u32)]) -> Result<String, Failure> {
    let text = replace(template::SETTINGS, STATE[0], STATE[1])?;
    let Some(folder) = adopted else { return Ok(text) };
    let Some(folder) = folder.to_str() else {
        let text = format!("{} is not UTF-8 and cannot be named in settings", folder.display());
        return Err(Failure::new(Exit::Error, text).hint("rename the folder"));
    };
    let live = format!(
        "  path: {}\n  # What is there and not kconfigd's is moved aside once: to <path>.before-kconfigd.\n  adopt: true\n",
        quoted(folder)
    );
    let mut rules = FILE_MODES.to_owned();
    for (path, mode) in modes.iter().filter(|(path, _)| path != "secrets.env") {
        rules.push_str(&format!(
            "    - {{match: {}, mode: \"{mode:04o}\"}}\n",
            quoted(&pattern(path))
        ));
    }
    let text = replace(&text, PROFILE, &format!("# {PROFILE}"))?;
    let text = replace(&text, LIVE, &live)?;
    replace(&text, FILE_MODES, &rules)
}

fn replace(text: &str, old: &str, new: &str) -> Result<String, Failure> {
    if text.matches(old).count() != 1 {
        let text = format!("the settings to start from have no line of their own `{}`", old.trim());
        return Err(Failure::new(Exit::Error, text));
    }
    Ok(text.replacen(old, new, 1))
}

/// A JSON string is a YAML string too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The gitignore-style pattern that names one file.
fn pattern(path: &str) -> String {
    let mut pattern = String::from("/");
    for c in path.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '\\' | '!' | '#' | '{' | '}' | ' ') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}
