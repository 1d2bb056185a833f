//! JUnit's XML, which GitLab, Jenkins and others show as tests: one for each file with findings.

use std::collections::BTreeMap;

use crate::model::Finding;

/// A suite with a test for each file that has findings, or one that says that there are none.
pub(super) fn write(findings: &[Finding], refused: bool) -> String {
    let mut files: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        files.entry(finding.file.as_deref().unwrap_or("the tree")).or_default().push(finding);
    }
    let fails = |found: &[&Finding]| refused && found.iter().any(|f| f.is_error());
    let none_is_an_error = !findings.iter().any(Finding::is_error);
    let fails = |found: &[&Finding]| fails(found) || (refused && none_is_an_error);
    let failures = files.values().filter(|found| fails(found)).count();
    let tests = files.len().max(1);
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"kconfigd validate\" tests=\"{tests}\" failures=\"{failures}\">\n"
    );
    if files.is_empty() {
        text.push_str("    <testcase name=\"all files\" classname=\"kconfigd\"/>\n");
    }
    for (file, found) in &files {
        let name = escape(file);
        text.push_str(&format!("    <testcase name=\"{name}\" classname=\"kconfigd\">\n"));
        let lines: String = found.iter().map(|finding| line(finding)).collect();
        let element = if fails(found) { "failure" } else { "system-out" };
        let first = found.first().map(|f| escape(&f.message)).unwrap_or_default();
        match element {
            "failure" => text.push_str(&format!("      <failure message=\"{first}\">")),
            _ => text.push_str("      <system-out>"),
        }
        text.push_str(&format!("{}</{element}>\n    </testcase>\n", escape(&lines)));
    }
    text.push_str("  </testsuite>\n</testsuites>\n");
    text
}

fn line(finding: &Finding) -> String {
    match &finding.hint {
        Some(hint) => format!("{finding}\n  hint: {hint}\n"),
        None => format!("{finding}\n"),
    }
}

/// Text for XML 1.0, which has no way to write most control characters.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push('\n'),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
