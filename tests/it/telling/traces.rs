use std::collections::{BTreeMap, BTreeSet};

use super::{add, edge};
use crate::support::api::Api;
use crate::support::{Agent, Collector, Key, Mood, Receiver, Repo, Span, wait_until};

/// The names of spans, each behind those that it is within.
fn tree(spans: &[Span]) -> BTreeSet<String> {
    let by_id: BTreeMap<&str, &Span> = spans.iter().map(|span| (span.id.as_str(), span)).collect();
    let way = |span: &Span| {
        let mut way = vec![span.name.clone()];
        let mut at = span;
        while let Some(parent) = &at.parent {
            at = by_id.get(parent.as_str()).unwrap_or_else(|| panic!("no parent of {at:#?}"));
            way.push(at.name.clone());
        }
        way.reverse();
        way.join(" > ")
    };
    spans.iter().map(way).collect()
}

fn is_delivered(spans: &[Span]) -> bool {
    spans.iter().any(|span| span.name == "deliver") && spans.iter().any(|span| span.name == "pass")
}

fn traced(repo: &Repo, collector: &Collector, node: &Receiver) -> Agent {
    let agent = Agent::of(repo);
    add(&agent, &edge(&agent, node));
    std::fs::write(agent.folder().join("otlp.headers"), "x-key: of the collector\n")
        .expect("headers");
    add(
        &agent,
        &format!(
            "telemetry: {{otlp_endpoint: \"{}\", headers_file: otlp.headers, service_name: edge-1}}\n\
             checks: [{{name: fine, run: [\"true\"]}}]\n",
            collector.url()
        ),
    );
    agent
}

#[test]
fn one_trace_leads_from_the_poll_to_the_delivery() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let (collector, node) = (Collector::start(), Receiver::start(Key::hmac()));
    let agent = traced(&repo, &collector, &node);
    let sync = agent.start_sync();
    let spans = collector.wait_for("a trace has its delivery", is_delivered);
    let tree = tree(&spans);
    for way in [
        "pass",
        "pass > ask",
        "pass > fetch",
        "pass > trust",
        "pass > render",
        "pass > plan",
        "pass > gates",
        "pass > apply",
        "pass > apply > stage",
        "pass > apply > checks",
        "pass > apply > publish",
        "pass > apply > complete",
        "pass > deliver",
    ] {
        assert!(tree.contains(way), "{way} is not in {tree:#?}");
    }
    let named = |name: &str| spans.iter().find(|span| span.name == name).expect("a span");
    let (pass, deliver) = (named("pass"), named("deliver"));
    let told = |span: &Span, key: &str| span.attribute(key).unwrap_or_default();
    assert_eq!(told(pass, "kconfigd.trigger"), "start");
    assert_eq!(told(pass, "kconfigd.outcome"), "applied");
    assert_eq!(
        (told(pass, "kconfigd.deployment"), told(pass, "kconfigd.revision")),
        ("1".to_owned(), first)
    );
    assert_eq!(told(deliver, "kconfigd.node"), "edge");
    assert_eq!(told(deliver, "http.response.status_code"), "204");
    assert_eq!((pass.kind, deliver.kind), (1, 3));
    for span in &spans {
        assert!(span.began <= span.ended && !span.is_error, "{span:#?}");
        let within =
            span.name == "deliver" || (pass.began <= span.began && span.ended <= pass.ended);
        assert!(within, "{span:#?} is not within {pass:#?}");
    }
    // The node is told where it is in the trace.
    let header = node.wait_for(1)[0].headers.clone();
    let header = header.iter().find(|(name, _)| name == "traceparent").map(|(_, value)| value);
    assert_eq!(header, Some(&format!("00-{}-{}-01", deliver.trace, deliver.id)));
    let request = &collector.requests()[0];
    assert_eq!(request.header("x-key"), Some("of the collector"));
    assert!(String::from_utf8_lossy(&request.body).contains("edge-1"));
    assert_eq!(sync.stop().code, 0);
}

#[test]
fn a_delivery_that_comes_later_belongs_to_the_trace_of_its_pass() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 1\n")]);
    let (collector, node) = (Collector::start(), Receiver::start(Key::hmac()));
    node.mood(Mood::Status(503, None));
    let agent = traced(&repo, &collector, &node);
    let sync = agent.start_sync();
    let spans = collector.wait_for("a delivery has failed", is_delivered);
    let pass = spans.iter().find(|span| span.name == "pass").expect("a pass").clone();
    assert!(spans.iter().any(|span| span.name == "deliver" && span.is_error), "{spans:#?}");
    drop(sync.kill());
    node.mood(Mood::Accept);
    // Another process delivers it.
    let sync = agent.start_sync();
    let spans = collector.wait_for("it is delivered", |spans| {
        spans.iter().any(|span| span.name == "deliver" && !span.is_error)
    });
    let delivered = spans.iter().find(|span| span.name == "deliver" && !span.is_error);
    let delivered = delivered.expect("a delivery");
    assert_eq!((&delivered.trace, delivered.parent.as_ref()), (&pass.trace, Some(&pass.id)));
    drop(sync);
}

#[test]
fn polls_that_find_nothing_are_not_told_and_failures_are() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let (collector, node) = (Collector::start(), Receiver::start(Key::hmac()));
    let agent = traced(&repo, &collector, &node);
    let (serve, api) = Api::serve(&agent);
    agent.wait_until_live(&first);
    collector.wait_for("it is traced", is_delivered);
    let polls = || {
        let text = api.get("/metrics").text;
        let line = text.lines().find(|line| {
            line.starts_with("kconfigd_passes{} ") || line.starts_with("kconfigd_passes ")
        });
        line.and_then(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).unwrap_or_default()
    };
    let before = polls();
    wait_until("twenty polls found nothing", || polls() >= before + 20);
    let passes = |spans: &[Span]| spans.iter().filter(|span| span.name == "pass").count();
    assert_eq!(passes(&collector.spans()), 1, "{:#?}", collector.spans());
    repo.commit(&[("a.yaml", "a: [\n")]);
    let refused = collector.wait_for("a refusal is traced", |spans| {
        spans.iter().any(|span| span.name == "pass" && span.is_error)
    });
    let pass = refused.iter().find(|span| span.name == "pass").expect("a pass");
    assert_eq!(pass.attribute("kconfigd.outcome").as_deref(), Some("refused"));
    assert_eq!(pass.attribute("kconfigd.trigger").as_deref(), Some("interval"));
    drop(serve);
}

#[test]
fn a_collector_that_is_not_there_delays_nothing_and_is_counted() {
    let repo = Repo::new();
    let first = repo.commit(&[("a.yaml", "a: 1\n")]);
    let (collector, node) = (Collector::start(), Receiver::start(Key::hmac()));
    let agent = traced(&repo, &collector, &node);
    // The address stays, and nobody listens there any more.
    drop(collector);
    let (serve, api) = Api::serve(&agent);
    agent.wait_until_live(&first);
    assert_eq!(node.wait_for(1).len(), 1);
    let second = repo.commit(&[("a.yaml", "a: 2\n")]);
    agent.wait_until_live(&second);
    wait_until("what was dropped is counted", || {
        api.get("/metrics")
            .text
            .contains("kconfigd_trace_spans_dropped_total{reason=\"not_taken\"}")
    });
    wait_until("it is said once", || serve.stderr().contains("traces are dropped"));
    assert_eq!(serve.stop().code, 0);
}

#[test]
fn one_pass_by_hand_is_traced_too_and_nothing_is_without_a_collector() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 1\n")]);
    let (collector, node) = (Collector::start(), Receiver::start(Key::hmac()));
    let agent = Agent::of(&repo);
    add(&agent, &edge(&agent, &node));
    assert_eq!(agent.once().code, 0);
    let untraced = node.wait_for(1)[0].headers.clone();
    assert!(untraced.iter().all(|(name, _)| name != "traceparent"), "{untraced:#?}");
    add(&agent, &format!("telemetry: {{otlp_endpoint: \"{}\"}}\n", collector.url()));
    repo.commit(&[("a.yaml", "a: 2\n")]);
    assert_eq!(agent.once().code, 0);
    let spans = collector.wait_for("it is traced", is_delivered);
    assert!(tree(&spans).contains("pass > deliver"));
}
