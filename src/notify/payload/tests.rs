use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::model::{DeploymentId, Digest, Origin, Problem, Revision, Severity, Timestamp};

fn applied() -> Event {
    Event {
        id: "evt_0123456789abcdef0123456789abcdef".to_owned(),
        sequence: 7,
        kind: EventKind::Applied,
        at: Timestamp(1_700_000_000_123),
        facts: EventFacts {
            deployment: Some(DeploymentId(42)),
            revision: Revision::parse(&"ab".repeat(20)).ok(),
            digest: Some(Digest([1; 32])),
            origin: Some(Origin::Sync),
            changes: Some(ChangeLists {
                modified: vec!["agents/x.yaml".to_owned()],
                ..ChangeLists::default()
            }),
            touches: vec!["agents/x".to_owned()],
            ..EventFacts::default()
        },
        trace: None,
    }
}

fn json_of(event: &Event, limit: usize) -> Value {
    let body = body(event, "urn:kconfigd:edge-1", limit).unwrap();
    assert!(body.len() <= limit.max(BODY_BYTES_MIN));
    serde_json::from_slice(&body).unwrap()
}

#[test]
fn config_applied_has_exactly_the_keys_of_the_contract() {
    assert_eq!(
        json_of(&applied(), 20 * 1024),
        json!({
            "specversion": "1.0",
            "id": "evt_0123456789abcdef0123456789abcdef",
            "source": "urn:kconfigd:edge-1",
            "type": "config.applied",
            "time": "2023-11-14T22:13:20.123Z",
            "datacontenttype": "application/json",
            "subject": "deployment/42",
            "data": {
                "deployment": 42,
                "revision": "ab".repeat(20),
                "previous_revision": null,
                "digest": format!("sha256:{}", "01".repeat(32)),
                "previous_digest": null,
                "origin": "sync",
                "profile": null,
                "changes": {"added": [], "modified": ["agents/x.yaml"], "removed": []},
                "touches": ["agents/x"],
            },
        })
    );
}

#[test]
fn config_refused_always_has_findings_and_leaves_out_what_does_not_apply() {
    let mut event = applied();
    event.kind = EventKind::Refused;
    event.facts = EventFacts {
        revision: event.facts.revision,
        reason: Some("validation_refused".to_owned()),
        findings: vec![Finding::error("yaml.syntax", "bad").in_file("a.yaml").at(3, 7)],
        ..EventFacts::default()
    };
    assert_eq!(
        json_of(&event, 20 * 1024)["data"],
        json!({
            "revision": "ab".repeat(20),
            "reason": "validation_refused",
            "findings": [{"severity": "error", "rule": "yaml.syntax", "file": "a.yaml",
                "line": 3, "column": 7, "message": "bad", "hint": null}],
        })
    );
}

#[test]
fn lists_end_at_200_entries_and_earlier_when_the_body_would_not_fit() {
    let mut event = applied();
    let short = (0..1000).map(|n| format!("{n}")).collect();
    event.facts.changes = Some(ChangeLists { added: short, ..ChangeLists::default() });
    let data = &json_of(&event, 20 * 1024)["data"];
    assert_eq!(data["changes"]["added"].as_array().unwrap().len(), 200);
    assert_eq!(data["truncated"], json!(true));

    let long = (0..200).map(|n| format!("{n:0>1000}")).collect();
    event.facts.changes = Some(ChangeLists { added: long, ..ChangeLists::default() });
    let data = &json_of(&event, 20 * 1024)["data"];
    let kept = data["changes"]["added"].as_array().unwrap();
    assert_eq!(kept.len(), 19, "as many as fit, each of them whole");
    assert_eq!(kept[18].as_str().unwrap().len(), 1000);
    assert_eq!(data["truncated"], json!(true));
}

#[test]
fn what_the_recording_cut_is_told_as_cut() {
    let mut event = applied();
    event.facts.changes = Some(ChangeLists { truncated: true, ..ChangeLists::default() });
    assert_eq!(json_of(&event, 20 * 1024)["data"]["truncated"], json!(true));
}

#[test]
fn the_source_is_a_uri_whatever_the_name() {
    assert_eq!(source_of("edge-1.example"), "urn:kconfigd:edge-1.example");
    assert_eq!(source_of("é /"), "urn:kconfigd:%C3%A9%20%2F");
    assert!(source_of(&"é".repeat(10_000)).len() < 1000);
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z/\\.]{0,40}", "\\PC{0,20}", "[\"\\\\\u{1}\u{7f}é𝄞]{0,300}"]
}

fn finding() -> impl Strategy<Value = Finding> {
    (any::<bool>(), text(), proptest::option::of(text()), text(), proptest::option::of(text()))
        .prop_map(|(error, rule, file, message, hint)| Finding {
            severity: if error { Severity::Error } else { Severity::Warning },
            rule,
            file,
            line: Some(u32::MAX),
            column: None,
            message,
            hint,
        })
}

prop_compose! {
    fn event()(
        kind in proptest::sample::select(EventKind::ALL),
        at in any::<i64>(),
        deployment in proptest::option::of(any::<u64>()),
        profile in proptest::option::of(text()),
        added in proptest::collection::vec(text(), 0..220),
        removed in proptest::collection::vec(text(), 0..20),
        touches in proptest::collection::vec(text(), 0..20),
        message in proptest::option::of(text()),
        findings in proptest::collection::vec(finding(), 0..20),
    ) -> Event {
        let changes = ChangeLists { added, removed, ..ChangeLists::default() };
        let facts = EventFacts {
            deployment: deployment.map(DeploymentId),
            profile,
            changes: Some(changes),
            touches,
            message,
            findings,
            revision: Revision::parse(&"ab".repeat(20)).ok(),
            previous_revision: Revision::parse(&"cd".repeat(20)).ok(),
            digest: Some(Digest([1; 32])),
            previous_digest: Some(Digest([2; 32])),
            origin: Some(Origin::Rollback),
            reason: Some("validation_refused".to_owned()),
            problem: Some(Problem::Held),
            since: Some(Timestamp(at)),
        };
        Event { kind, at: Timestamp(at), facts, ..applied() }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_event_fits_the_limit_and_is_json(event in event(), limit in 0_usize..40_000) {
        let json = json_of(&event, limit);
        prop_assert_eq!(&json["id"], &json!(event.id));
        prop_assert_eq!(&json["type"], &json!(event.kind.as_str()));
    }
}
