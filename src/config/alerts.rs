//! `alerts`: who is told of problems, and of their end.

use std::path::PathBuf;
use std::time::Duration;

use super::decode::NAME_BYTES_MAX;
use super::location::http_url;
use super::reader::Reader;
use super::table::nearest;
use super::values::{self, Read, shown};
use crate::decide::problems::Alert;
use crate::document::Node;
use crate::model::{Problem, Urgency};

/// Alerts at most: what was told to each is kept with every problem.
const ALERTS_MAX: usize = 32;

/// Somebody who is told of problems.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertSettings {
    /// Its name, unique among the alerts.
    pub name: String,
    /// How it is told.
    pub way: AlertWay,
    /// The problems it is told of; empty: all.
    pub problems: Vec<Problem>,
    /// The least urgency.
    pub urgency: Urgency,
    /// How long a problem has to last before it is told.
    pub after: Duration,
    /// How often it is told again; `None`: never.
    pub remind_every: Option<Duration>,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// How long it is tried before it is given up.
    pub deliver_for: Duration,
}

/// How somebody is told of problems.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlertWay {
    /// Slack's incoming webhook, whose address is a credential and in a file.
    Slack {
        /// The file.
        url_file: PathBuf,
    },
    /// PagerDuty's Events API v2.
    PagerDuty {
        /// The file with the routing key.
        routing_key_file: PathBuf,
        /// Where events are sent.
        url: String,
    },
    /// A signed `CloudEvent`, as nodes get them.
    Webhook {
        /// Where to.
        url: String,
        /// The file with its secrets.
        secret_file: PathBuf,
    },
}

/// What the queues of alerts begin with.
const QUEUE_PREFIX: &str = "alert:";

impl AlertSettings {
    /// What deliveries call it; no node can have such a name.
    #[must_use]
    pub fn queue(&self) -> String {
        format!("{QUEUE_PREFIX}{}", self.name)
    }

    /// Whether a queue is an alert's.
    #[must_use]
    pub fn is_queue(name: &str) -> bool {
        name.starts_with(QUEUE_PREFIX)
    }

    /// What decides whether it is told.
    #[must_use]
    pub fn terms(&self) -> Alert<'_> {
        Alert {
            name: &self.name,
            problems: &self.problems,
            urgency: self.urgency,
            after: self.after,
            remind_every: self.remind_every,
        }
    }
}

const SLACK: &str = "alerts[].slack.url_file";
const PAGERDUTY: &str = "alerts[].pagerduty.routing_key_file";
const WEBHOOK: &str = "alerts[].webhook.url";
const WEBHOOK_SECRET: &str = "alerts[].webhook.secret_file";

pub(super) fn read(reader: &mut Reader<'_>) -> Vec<AlertSettings> {
    let mut names: Vec<String> = Vec::new();
    let alerts = reader.items("alerts", "alerts[]", |item| {
        let name = item.required("alerts[].name", name);
        if let Some(name) = &name {
            if names.contains(name) {
                let text = format!("another alert is called {} too", shown(name));
                item.wrong("alerts[].name", &text);
            }
            names.push(name.clone());
        }
        let way = way(item);
        let alert = AlertSettings {
            problems: item.optional("alerts[].problems", problems).unwrap_or_default(),
            urgency: Urgency::from_word(item.word("alerts[].severity")).unwrap_or(Urgency::Warning),
            after: item.duration("alerts[].after"),
            remind_every: item.pause("alerts[].remind_every"),
            timeout: item.duration("alerts[].timeout"),
            deliver_for: item.duration("alerts[].deliver_for"),
            name: name?,
            way: way?,
        };
        Some(alert)
    });
    if alerts.len() > ALERTS_MAX {
        reader.wrong("alerts", &format!("{} are more than {ALERTS_MAX}", alerts.len()));
    }
    alerts
}

fn way(item: &mut Reader<'_>) -> Option<AlertWay> {
    match item.only_one(&[SLACK, PAGERDUTY, WEBHOOK]) {
        Some(SLACK) => item.path(SLACK).map(|url_file| AlertWay::Slack { url_file }),
        Some(PAGERDUTY) => {
            let url = item.optional("alerts[].pagerduty.url", url);
            let routing_key_file = item.path(PAGERDUTY);
            Some(AlertWay::PagerDuty { routing_key_file: routing_key_file?, url: url? })
        }
        Some(_) => {
            let url = item.optional(WEBHOOK, url);
            if item.setting(WEBHOOK_SECRET).is_none() {
                let hint = "alerts are always signed: put a secret in a file, and name that here";
                item.advise(WEBHOOK_SECRET, "is missing", hint);
                return None;
            }
            let secret_file = item.path(WEBHOOK_SECRET);
            Some(AlertWay::Webhook { url: url?, secret_file: secret_file? })
        }
        None => {
            let text = "is missing: one of `slack`, `pagerduty` and `webhook` is needed";
            item.wrong("alerts[].slack", text);
            None
        }
    }
}

fn url(node: &Node) -> Read<String> {
    http_url(&values::text(node)?).map(Into::into)
}

fn name(node: &Node) -> Read<String> {
    let name = values::text(node)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.chars().all(allowed) {
        return Ok(name);
    }
    Err(format!("{} is not a name of letters, digits, `.`, `_` and `-`, at most 63", shown(&name)))
}

fn problems(node: &Node) -> Read<Vec<Problem>> {
    let problem = |word: String| {
        Problem::from_word(&word).ok_or_else(|| {
            let words: Vec<&str> = Problem::ALL.iter().map(|problem| problem.as_str()).collect();
            match nearest(&word, words.iter().copied()) {
                Some(meant) => format!("{} is not a problem; did you mean {meant}?", shown(&word)),
                None => {
                    format!("{} is not a problem; there are {}", shown(&word), words.join(", "))
                }
            }
        })
    };
    values::texts(node)?.into_iter().map(problem).collect()
}
