//! GitHub's workflow commands, which Forgejo and Gitea Actions read too.

use crate::model::Finding;

/// `::error file=…,line=…,col=…,title=…::message`, one a line.
pub(super) fn write(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let mut properties = Vec::new();
        if let Some(file) = &finding.file {
            properties.push(format!("file={}", property(file)));
        }
        if let Some(line) = finding.line {
            properties.push(format!("line={line}"));
        }
        if let Some(column) = finding.column {
            properties.push(format!("col={column}"));
        }
        properties.push(format!("title={}", property(&finding.rule)));
        let message = match &finding.hint {
            Some(hint) => format!("{}\n{hint}", finding.message),
            None => finding.message.clone(),
        };
        let level = finding.severity.as_str();
        text.push_str(&format!("::{level} {}::{}\n", properties.join(","), data(&message)));
    }
    text
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
