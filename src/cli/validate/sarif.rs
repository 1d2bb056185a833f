//! SARIF 2.1.0, which code scanning shows beside the lines.

use serde_json::{Value as Json, json};

use super::super::exit::{Exit, Failure};
use crate::model::Finding;

/// One run with a result for each finding.
pub(super) fn write(findings: &[Finding]) -> Result<String, Failure> {
    let mut rules: Vec<&str> = findings.iter().map(|finding| finding.rule.as_str()).collect();
    rules.sort_unstable();
    rules.dedup();
    let results: Vec<Json> = findings.iter().map(|finding| result(finding, &rules)).collect();
    let rules: Vec<Json> = rules.iter().map(|rule| json!({"id": rule})).collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "kconfigd",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    serde_json::to_string_pretty(&log)
        .map(|text| text + "\n")
        .map_err(|error| Failure::new(Exit::Error, error.to_string()))
}

fn result(finding: &Finding, rules: &[&str]) -> Json {
    let text = match &finding.hint {
        Some(hint) => format!("{} ({hint})", finding.message),
        None => finding.message.clone(),
    };
    let mut result = json!({
        "ruleId": finding.rule,
        "ruleIndex": rules.iter().position(|rule| *rule == finding.rule),
        "level": finding.severity.as_str(),
        "message": {"text": text},
    });
    if let Some(file) = &finding.file {
        let mut place = json!({"artifactLocation": {"uri": uri(file)}});
        if let (Some(line), Some(column)) = (finding.line, finding.column) {
            place["region"] = json!({"startLine": line, "startColumn": column});
        } else if let Some(line) = finding.line {
            place["region"] = json!({"startLine": line});
        }
        result["locations"] = json!([{"physicalLocation": place}]);
    }
    result
}

/// A path as a relative URI reference (RFC 3986).
fn uri(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte));
            }
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri
}
