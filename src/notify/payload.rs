//! The body of a notification: CloudEvents 1.0 in structured JSON, always within its limit.
//!
//! The wire structs are a promise to the nodes, see `docs/notifications.md`.

use serde::Serialize;

use super::NotifyError;
use crate::decide::problems::{Step, sentences};
use crate::model::{ChangeLists, Event, EventFacts, EventKind, Finding};

/// The media type of the body.
pub const CONTENT_TYPE: &str = "application/cloudevents+json";
/// Entries in one list of a body.
pub const LIST_MAX: usize = 200;
/// The smallest limit that every event fits; smaller ones are taken as this.
pub const BODY_BYTES_MIN: usize = 2048;
/// Characters that are kept of a free text, tried in this order until the body fits.
const TEXT_MAX: [usize; 3] = [1000, 200, 40];
/// Characters of the name in a `source`.
const SOURCE_NAME_MAX: usize = 128;

/// What a `source` begins with.
pub(super) const SOURCE_PREFIX: &str = "urn:kconfigd:";

/// The CloudEvents `source` of the machine or profile called `name`: `urn:kconfigd:<name>`, with
/// what a URI does not allow percent-encoded.
#[must_use]
pub fn source_of(name: &str) -> String {
    let mut source = SOURCE_PREFIX.to_owned();
    for byte in name.chars().take(SOURCE_NAME_MAX).collect::<String>().bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            source.push(char::from(byte));
        } else {
            source.push_str(&format!("%{byte:02X}"));
        }
    }
    source
}

/// Writes the body of `event`, at most `limit` bytes (or [`BODY_BYTES_MIN`], if that is more).
///
/// Lists end after [`LIST_MAX`] entries, and earlier when the body would not fit; long texts are
/// shortened. Either way `data.truncated` is `true`. A path is whole or left out.
///
/// # Errors
/// When it does not fit whatever is left out, which only an event with an id, a profile or a
/// source of hundreds of characters can bring about.
pub fn body(event: &Event, source: &str, limit: usize) -> Result<Vec<u8>, NotifyError> {
    let limit = limit.max(BODY_BYTES_MIN);
    let write = |cut: Cut| {
        serde_json::to_vec(&envelope(event, source, cut))
            .map_err(|source| NotifyError::Body { event: event.id.clone(), source })
    };
    for text in TEXT_MAX {
        let whole = write(Cut { list: LIST_MAX, text })?;
        if whole.len() <= limit {
            return Ok(whole);
        }
        let mut best = write(Cut { list: 0, text })?;
        if best.len() > limit {
            continue;
        }
        // The body grows with the lists: the longest that fits is found by halving.
        let (mut fits, mut too_long) = (0, LIST_MAX);
        while too_long - fits > 1 {
            let list = fits.midpoint(too_long);
            let body = write(Cut { list, text })?;
            if body.len() <= limit {
                (fits, best) = (list, body);
            } else {
                too_long = list;
            }
        }
        return Ok(best);
    }
    Err(NotifyError::BodyLimit { event: event.id.clone(), limit })
}

/// How much is kept: entries of a list, characters of a text.
#[derive(Clone, Copy)]
struct Cut {
    list: usize,
    text: usize,
}

#[derive(Serialize)]
struct Envelope<'a> {
    specversion: &'static str,
    id: &'a str,
    source: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    time: String,
    datacontenttype: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    data: Data<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Data<'a> {
    Deployed(Deployed<'a>),
    Told(Told<'a>),
}

/// A tree became live: every key is always there, `null` where there is nothing to say.
#[derive(Serialize)]
struct Deployed<'a> {
    deployment: Option<u64>,
    revision: Option<String>,
    previous_revision: Option<String>,
    digest: Option<String>,
    previous_digest: Option<String>,
    origin: Option<&'static str>,
    profile: Option<String>,
    changes: Changes<'a>,
    touches: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
}

/// Everything else: keys that do not apply are left out.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    deployment: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_revision: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<Changes<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    touches: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    findings: Option<Vec<WireFinding<'a>>>,
    #[serde(flatten)]
    problem: Option<WireProblem>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
}

/// A problem: what alerts are told.
#[derive(Serialize)]
struct WireProblem {
    problem: &'static str,
    severity: &'static str,
    since: Option<String>,
    title: String,
    what_to_do: String,
}

#[derive(Default, Serialize)]
struct Changes<'a> {
    added: &'a [String],
    modified: &'a [String],
    removed: &'a [String],
}

#[derive(Serialize)]
struct WireFinding<'a> {
    severity: &'static str,
    rule: String,
    file: Option<&'a str>,
    line: Option<u32>,
    column: Option<u32>,
    message: String,
    hint: Option<String>,
}

fn envelope<'a>(event: &'a Event, source: &'a str, cut: Cut) -> Envelope<'a> {
    let data = match event.kind {
        EventKind::Applied | EventKind::RolledBack => Data::Deployed(deployed(&event.facts, cut)),
        _ => Data::Told(told(event.kind, source, &event.facts, cut)),
    };
    Envelope {
        specversion: "1.0",
        id: &event.id,
        source,
        kind: event.kind.as_str(),
        time: event.at.to_string(),
        datacontenttype: "application/json",
        subject: event.facts.deployment.map(|id| format!("deployment/{id}")),
        data,
    }
}

fn deployed(facts: &EventFacts, cut: Cut) -> Deployed<'_> {
    let mut scissors = Scissors { cut, used: false };
    Deployed {
        deployment: facts.deployment.map(|d| d.0),
        revision: facts.revision.as_ref().map(ToString::to_string),
        previous_revision: facts.previous_revision.as_ref().map(ToString::to_string),
        digest: facts.digest.map(|d| d.to_string()),
        previous_digest: facts.previous_digest.map(|d| d.to_string()),
        origin: facts.origin.map(crate::model::Origin::as_str),
        profile: facts.profile.as_deref().map(|p| scissors.text(p)),
        changes: facts.changes.as_ref().map(|c| scissors.changes(c)).unwrap_or_default(),
        touches: scissors.list(&facts.touches),
        reason: facts.reason.as_deref(),
        message: facts.message.as_deref().map(|m| scissors.text(m)),
        truncated: scissors.used,
    }
}

fn told<'a>(kind: EventKind, source: &str, facts: &'a EventFacts, cut: Cut) -> Told<'a> {
    let mut scissors = Scissors { cut, used: false };
    let told_always = kind == EventKind::Refused;
    Told {
        deployment: facts.deployment.map(|d| d.0),
        revision: facts.revision.as_ref().map(ToString::to_string),
        previous_revision: facts.previous_revision.as_ref().map(ToString::to_string),
        digest: facts.digest.map(|d| d.to_string()),
        previous_digest: facts.previous_digest.map(|d| d.to_string()),
        origin: facts.origin.map(crate::model::Origin::as_str),
        profile: facts.profile.as_deref().map(|p| scissors.text(p)),
        changes: facts.changes.as_ref().map(|c| scissors.changes(c)),
        touches: scissors.list(&facts.touches),
        reason: facts.reason.as_deref(),
        message: facts.message.as_deref().map(|m| scissors.text(m)),
        findings: (told_always || !facts.findings.is_empty())
            .then(|| scissors.findings(&facts.findings)),
        problem: facts.problem.map(|problem| {
            let machine = source.strip_prefix(SOURCE_PREFIX).unwrap_or(source);
            WireProblem {
                problem: problem.as_str(),
                severity: problem.urgency().as_str(),
                since: facts.since.map(|at| at.to_string()),
                title: sentences::title(machine, Step::of(kind), facts),
                what_to_do: sentences::advice(facts),
            }
        }),
        truncated: scissors.used,
    }
}

/// Cuts lists and texts, and remembers whether anything fell off.
struct Scissors {
    cut: Cut,
    used: bool,
}

impl Scissors {
    fn list<'a, T>(&mut self, list: &'a [T]) -> &'a [T] {
        self.used |= list.len() > self.cut.list;
        list.get(..self.cut.list).unwrap_or(list)
    }

    fn changes<'a>(&mut self, changes: &'a ChangeLists) -> Changes<'a> {
        self.used |= changes.truncated;
        Changes {
            added: self.list(&changes.added),
            modified: self.list(&changes.modified),
            removed: self.list(&changes.removed),
        }
    }

    fn text(&mut self, text: &str) -> String {
        match text.char_indices().nth(self.cut.text) {
            None => text.to_owned(),
            Some((end, _)) => {
                self.used = true;
                format!("{}…", text.get(..end).unwrap_or_default())
            }
        }
    }

    fn findings<'a>(&mut self, findings: &'a [Finding]) -> Vec<WireFinding<'a>> {
        let kept = self.list(findings);
        kept.iter()
            .map(|finding| WireFinding {
                severity: finding.severity.as_str(),
                rule: self.text(&finding.rule),
                file: finding.file.as_deref(),
                line: finding.line,
                column: finding.column,
                message: self.text(&finding.message),
                hint: finding.hint.as_deref().map(|hint| self.text(hint)),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
