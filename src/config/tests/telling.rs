//! `alerts` and `gitops.commit_status`.

use std::time::Duration;

use super::{refusal, setup};
use crate::config::{AlertWay, Forge};
use crate::model::{Problem, Urgency};

const REPOSITORY: &str = "gitops: {repository: \"https://git.example.com/kos/config.git\"}\n";

#[test]
fn alerts_are_read_with_their_ways_and_terms() {
    let setup = setup(&format!(
        "{REPOSITORY}alerts:\n\
         - {{name: chat, slack: {{url_file: slack.url}}, remind_every: 4h, after: 10m}}\n\
         - {{name: pager, pagerduty: {{routing_key_file: /keys/p}}, severity: critical}}\n\
         - {{name: own, webhook: {{url: \"http://h/x\", secret_file: k}}, problems: [drift, held], remind_every: off}}\n"
    ));
    let alerts = setup.settings().alerts;
    assert_eq!(alerts.len(), 3);
    let slack = AlertWay::Slack { url_file: setup.folder.path().join("slack.url") };
    assert_eq!((&alerts[0].way, alerts[0].queue().as_str()), (&slack, "alert:chat"));
    assert_eq!(alerts[0].remind_every, Some(Duration::from_secs(4 * 3600)));
    assert_eq!(alerts[0].after, Duration::from_secs(600));
    let AlertWay::PagerDuty { url, .. } = &alerts[1].way else { panic!("{:?}", alerts[1]) };
    assert_eq!(url, "https://events.pagerduty.com/v2/enqueue");
    assert_eq!((alerts[1].urgency, alerts[1].remind_every), (Urgency::Critical, None));
    assert_eq!(alerts[1].after, Duration::from_secs(60));
    assert_eq!(alerts[2].problems, [Problem::Drift, Problem::Held]);
    assert_eq!(alerts[2].remind_every, None);
}

#[test]
fn an_alert_that_could_tell_nobody_is_refused() {
    insta::assert_snapshot!(refusal(&format!(
        "{REPOSITORY}alerts:\n\
         - {{name: a, severity: eror}}\n\
         - {{name: a, slack: {{url_file: s}}, pagerduty: {{routing_key_file: p}}}}\n\
         - {{name: b, webhook: {{url: \"http://k:hunter2@h/\"}}}}\n\
         - {{name: \"c:d\", slack: {{url_file: s}}, problems: [drifts], remind_every: 5ms}}\n\
         nodes: [{{name: n, url: \"http://h/\", secret_file: k, events: [problem.raised]}}]\n"
    )));
}

#[test]
fn a_forge_is_told_from_the_address_or_named() {
    let token = "commit_status: {token_file: t";
    let read = |repository: &str, more: &str| {
        let text = format!("gitops: {{repository: \"{repository}\", {token}{more}}}}}\n");
        setup(&text).settings().source.commit_status.unwrap()
    };
    let github = read("git@github.com:kos/config.git", "");
    assert_eq!((github.forge, github.api_url.as_str()), (Forge::GitHub, "https://api.github.com"));
    assert_eq!((github.project.as_str(), github.queue().as_str()), ("kos/config", "forge:github"));
    let own = read("https://git.example.com/a/b/c", ", forge: gitlab, context: x");
    assert_eq!(
        (own.api_url.as_str(), own.project.as_str()),
        ("https://git.example.com/api/v4", "a/b/c")
    );
    let path = ", forge: gitea, api_url: \"http://h:3000/api/v1/\", project: a/b";
    assert_eq!(read("/srv/x.git", path).api_url, "http://h:3000/api/v1");
    assert_eq!(setup(REPOSITORY).settings().source.commit_status, None);
}

#[test]
fn a_forge_that_cannot_be_told_is_asked_for() {
    let with = |more: &str| {
        refusal(&format!("gitops: {{repository: /srv/x.git, commit_status: {{{more}}}}}\n"))
    };
    insta::assert_snapshot!(with("token_file: t"));
    insta::assert_snapshot!(with("token_file: t, forge: gitea, project: \"../x\""));
    insta::assert_snapshot!(with("forge: github"));
}
