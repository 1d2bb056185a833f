//! The alerting rules, the Grafana dashboard and the documentation of metrics.

use std::collections::BTreeSet;

use crate::shipped::{documents, files, top};
use crate::support::api::Api;
use crate::support::{Agent, Repo, wait_until};

/// The names of metrics in a text: those that begin with ours.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let begins = text.match_indices("kconfigd_").map(|(at, _)| &text[at..]);
    begins.map(|rest| rest.chars().take_while(|c| is_name(*c)).collect()).collect()
}

#[test]
fn rules_dashboard_and_documentation_name_metrics_that_there_are() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let agent = Agent::new();
    let secret = agent.folder().join("secret");
    std::fs::write(&secret, "it is long enough for one\n").unwrap();
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    agent.settings(&format!(
        "state_dir: {}\nlive: {{path: {}}}\ngitops: {{repository: \"{}\", sync_interval: 50ms}}\n\
         api: {{listen: \"127.0.0.1:0\"}}\n\
         nodes: [{{name: n, url: \"http://127.0.0.1:9/\", secret_file: {}}}]\n",
        agent.state_dir().display(),
        agent.live_path().display(),
        repo.path().display(),
        secret.display(),
    ));
    let (_serve, api) = Api::serve(&agent);
    agent.wait_until_live(&first);
    repo.commit(&[("a.yaml", "a: [\n")]);
    assert_eq!(agent.run(&["drift"]).code, 0);
    let mut told = String::new();
    wait_until("all of it is counted", || {
        api.get("/api/config/status");
        told = api.get("/metrics").text;
        let refused = "refusals_total{family=\"yaml\"}";
        let none = format!("{refused} 0");
        [
            if told.contains(&none) { "a refusal" } else { refused },
            "delivery_attempts_total{",
            "drift_last_check",
            "route=\"/api/config/status\"",
        ]
        .iter()
        .all(|part| told.contains(part))
    });
    let there = metrics_in(&told);
    let example = files("examples/monitoring");
    let text = |name: &str| String::from_utf8(example[name].clone()).unwrap();
    for name in ["rules.yaml", "grafana.json"] {
        let missing: Vec<_> = metrics_in(&text(name)).difference(&there).cloned().collect();
        assert_eq!(missing, [""; 0], "{name} names what there is not: {told}");
    }
    let docs = std::fs::read_to_string(top().join("docs/operations.md")).unwrap();
    let base = |name: &String| {
        let ends = ["_bucket", "_sum", "_count"];
        ends.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name).to_owned()
    };
    for name in there
        .iter()
        .map(base)
        .filter(|name| told.contains(&format!("# TYPE {}", name.trim_end_matches("_total"))))
    {
        let short = name.trim_start_matches("kconfigd_source_").trim_start_matches("kconfigd_");
        let is_told = docs.contains(&name) || name.contains("_last_attempt_");
        assert!(is_told, "docs/operations.md lacks {name} ({short})");
    }
    // Every rule has what Prometheus asks of it.
    let rules =
        &documents("monitoring/rules.yaml", &example["rules.yaml"])[0]["groups"][0]["rules"];
    for rule in rules.as_sequence().expect("rules") {
        for key in ["alert", "expr"] {
            assert!(rule[key].as_str().is_some_and(|text| !text.is_empty()), "{rule:?}");
        }
        assert!(rule["annotations"]["summary"].as_str().is_some(), "{rule:?}");
        for advice in rule["annotations"]["description"].as_str().unwrap_or_default().split('`') {
            let Some(verb) = advice.strip_prefix("kconfigd ") else { continue };
            let is_word = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
            let words = verb.split_whitespace().filter(is_word).chain(["--help"]);
            let ran = agent.run(&words.collect::<Vec<_>>());
            assert_eq!(ran.code, 0, "`kconfigd {verb}`: {ran:#?}");
        }
    }
    let panels: serde_json::Value = serde_json::from_str(&text("grafana.json")).unwrap();
    assert!(panels["panels"].as_array().is_some_and(|panels| panels.len() >= 8));
}
