use std::time::Duration;

use super::*;
use crate::model::{DeploymentId, EventFacts, EventKind};

const T0: Timestamp = Timestamp(1_000_000);

fn later(seconds: u64) -> Timestamp {
    T0.plus(Duration::from_secs(seconds))
}

fn journal() -> Journal {
    Journal::open_in_memory().unwrap()
}

fn event(number: u64, at: Timestamp) -> Event {
    let facts = EventFacts { deployment: Some(DeploymentId(number)), ..EventFacts::default() };
    Event {
        id: format!("evt_{number:032x}"),
        sequence: 0,
        kind: EventKind::Applied,
        at,
        facts,
        trace: None,
    }
}

fn put(journal: &Journal, number: u64, at: Timestamp, nodes: &[&str]) -> u64 {
    let nodes: Vec<_> = nodes.iter().map(|&n| n.to_owned()).collect();
    journal.record_event(&event(number, at), &nodes).unwrap()
}

fn next(journal: &Journal, node: &str) -> Option<(u64, u64)> {
    let (delivery, event) = journal.next_for(node, T0).unwrap()?;
    Some((delivery.id, event.facts.deployment.unwrap().0))
}

fn due(journal: &Journal, node: &str) -> Option<Timestamp> {
    journal.heads(&[node.to_owned()]).unwrap().first().map(|h| h.next_at)
}

fn errors(journal: &Journal) -> Vec<String> {
    let failed = journal.deliveries(true, 100, None).unwrap();
    failed.into_iter().rev().filter_map(|d| d.last_error).collect()
}

#[test]
fn a_nodes_deliveries_come_in_the_order_of_their_events() {
    let journal = journal();
    assert_eq!([1, 2].map(|n| put(&journal, n, T0, &["a", "b"])), [1, 2]);
    let (first, deployment) = next(&journal, "a").unwrap();
    assert_eq!(deployment, 1);
    journal.failed_attempt(first, Some(500), "no", later(60), None, T0).unwrap();
    assert_eq!(next(&journal, "a"), Some((first, 1)), "what failed is still the next");
    assert_eq!(due(&journal, "a"), Some(later(60)));
    journal.delivered(first, 204, later(60)).unwrap();
    assert_eq!(next(&journal, "a").unwrap().1, 2);
    assert_eq!(next(&journal, "b").unwrap().1, 1, "the other node has its own order");
}

#[test]
fn what_was_recorded_is_read_back() {
    let journal = journal();
    put(&journal, 1, T0, &["a"]);
    let (delivery, read) = journal.next_for("a", T0).unwrap().unwrap();
    assert_eq!(read, Event { sequence: 1, ..event(1, T0) });
    assert_eq!(journal.events_after(0, 10).unwrap(), [read]);
    assert!(journal.events_after(1, 10).unwrap().is_empty());
    let (id, event_id) = (delivery.id, event(1, T0).id);
    assert_eq!(
        delivery,
        Delivery {
            id,
            node: "a".to_owned(),
            event_id,
            kind: EventKind::Applied,
            state: DeliveryState::Pending,
            attempts: 0,
            queued_at: T0,
            next_at: T0,
            finished_at: None,
            last_status: None,
            last_error: None,
        }
    );
}

#[test]
fn a_newer_event_makes_the_oldest_due_but_not_before_its_retry_after() {
    let journal = journal();
    put(&journal, 1, T0, &["a", "b"]);
    for node in ["a", "b"] {
        let (id, _) = next(&journal, node).unwrap();
        let asked = (node == "b").then_some(later(40));
        journal.failed_attempt(id, None, "refused", later(60), asked, T0).unwrap();
    }
    put(&journal, 2, later(5), &["a", "b"]);
    assert_eq!(due(&journal, "a"), Some(later(5)));
    assert_eq!(due(&journal, "b"), Some(later(40)));
    journal.wake_node("b", later(50)).unwrap();
    assert_eq!(due(&journal, "b"), Some(later(40)), "waking puts nothing off");
}

#[test]
fn an_endpoint_that_is_gone_gets_nothing_until_its_address_changes_or_redelivery() {
    let journal = journal();
    let nodes = |address: &str| [("a".to_owned(), address.to_owned())];
    put(&journal, 1, T0, &["a"]);
    journal.endpoint_gone("a", "one", T0).unwrap();
    put(&journal, 2, T0, &["a"]);
    journal.set_nodes(&nodes("one"), T0).unwrap();
    assert_eq!(next(&journal, "a"), None);
    assert_eq!(errors(&journal), [GONE, GONE]);

    journal.set_nodes(&nodes("two"), T0).unwrap();
    put(&journal, 3, T0, &["a"]);
    assert_eq!(next(&journal, "a").unwrap().1, 3);

    journal.endpoint_gone("a", "two", T0).unwrap();
    let first = journal.deliveries(true, 100, None).unwrap().last().unwrap().id;
    assert_eq!(
        journal.redeliver(first, crate::model::By::agent(), T0).unwrap(),
        Some(DeliveryState::Failed)
    );
    put(&journal, 4, T0, &["a"]);
    assert_eq!(next(&journal, "a").unwrap().1, 1, "and the order is that of the events");
    assert_eq!(journal.outbox_counts().unwrap().pending, 2);
}

#[test]
fn deliveries_to_a_node_that_left_the_settings_are_failed_and_visible() {
    let journal = journal();
    put(&journal, 1, T0, &["a", "b"]);
    journal.set_nodes(&[("b".to_owned(), "x".to_owned())], T0).unwrap();
    assert_eq!(errors(&journal), ["node is no longer configured"]);
    assert!(next(&journal, "b").is_some());
}

#[test]
fn redelivery_of_what_was_delivered_starts_anew_and_unknown_numbers_are_told() {
    let journal = journal();
    put(&journal, 1, T0, &["a"]);
    let (id, _) = next(&journal, "a").unwrap();
    assert_eq!(
        journal.redeliver(id, crate::model::By::agent(), T0).unwrap(),
        Some(DeliveryState::Pending)
    );
    journal.delivered(id, 200, later(1)).unwrap();
    assert_eq!(next(&journal, "a"), None);
    assert_eq!(
        journal.redeliver(id, crate::model::By::agent(), later(9)).unwrap(),
        Some(DeliveryState::Delivered)
    );
    let (again, _) = journal.next_for("a", T0).unwrap().unwrap();
    assert_eq!((again.id, again.attempts, again.queued_at), (id, 0, later(9)));
    assert_eq!(journal.redeliver(999, crate::model::By::agent(), T0).unwrap(), None);
}

#[test]
fn a_queue_is_bounded_and_what_falls_off_stays_visible() {
    let journal = journal();
    (1..=3).for_each(|n| assert_eq!(put(&journal, n, T0, &["a"]), n));
    let fill = "INSERT INTO deliveries (event_sequence, node, state, queued_at, next_at)
        WITH RECURSIVE n (n) AS (SELECT 4 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
        SELECT 3, 'a', 'pending', 0, 0 FROM n";
    journal.lock().execute(fill, [PENDING_MAX]).unwrap();
    (4..=5).for_each(|n| assert_eq!(put(&journal, n, T0, &["a"]), n));
    assert_eq!(next(&journal, "a").unwrap().1, 3);
    assert_eq!(errors(&journal), ["queue full", "queue full"]);
    let counts = journal.outbox_counts().unwrap();
    assert_eq!((counts.pending, counts.failed), (10_000, 2));
}

#[test]
fn listing_is_newest_first_in_pages() {
    let journal = journal();
    (1..=5).for_each(|n| assert_eq!(put(&journal, n, T0, &["a"]), n));
    journal.give_up(2, Some(500), &"x".repeat(9999), T0).unwrap();
    let ids = |failed, limit, before| -> Vec<u64> {
        journal.deliveries(failed, limit, before).unwrap().iter().map(|d| d.id).collect()
    };
    assert_eq!(ids(false, 2, None), [5, 4]);
    assert_eq!(ids(false, 100, Some(4)), [3, 2, 1]);
    assert_eq!(ids(true, 100, None), [2]);
    assert_eq!(errors(&journal)[0].len(), ERROR_CHARS_MAX);
}

#[test]
fn retention_keeps_what_is_pending_failed_or_recent() {
    let journal = journal();
    for n in 1..=3 {
        put(&journal, n, T0, &["a"]);
    }
    put(&journal, 4, later(10), &[]);
    journal.delivered(1, 200, T0).unwrap();
    journal.give_up(2, None, "no", T0).unwrap();
    assert_eq!(journal.prune_outbox(T0).unwrap(), 0);
    assert_eq!(journal.prune_outbox(later(5)).unwrap(), 2, "a delivery and its event");
    let left: Vec<_> = journal.events_after(0, 9).unwrap().iter().map(|e| e.sequence).collect();
    assert_eq!(left, [2, 3, 4]);
    journal.prune_outbox(later(99)).unwrap();
    assert_eq!(put(&journal, 5, T0, &[]), 5, "places in the order are never given twice");
}

#[test]
fn a_record_that_cannot_be_read_does_not_hold_up_those_behind_it() {
    let journal = journal();
    put(&journal, 1, T0, &["a"]);
    put(&journal, 2, T0, &["a"]);
    journal.lock().execute("UPDATE events SET facts = '{' WHERE sequence = 1", []).unwrap();
    assert_eq!(next(&journal, "a").unwrap().1, 2);
    assert_eq!(errors(&journal), ["its record cannot be read"]);
}

#[test]
fn the_queries_of_the_loop_use_their_index() {
    let journal = journal();
    let connection = journal.lock();
    for sql in [
        "SELECT next_at FROM deliveries WHERE state = 'pending' AND node = ?1
         ORDER BY event_sequence, id LIMIT 1",
        "SELECT count(*) FROM deliveries WHERE state = 'pending'",
    ] {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let count = statement.parameter_count();
        let parameters = rusqlite::params_from_iter(std::iter::repeat_n("a", count));
        let plan: String = statement.query_row(parameters, |row| row.get(3)).unwrap();
        assert!(plan.contains("deliveries_pending"), "{plan}");
    }
}

#[test]
fn the_deliveries_of_a_deployment_and_of_a_node_are_found_by_an_index_and_past_a_damaged_record() {
    let journal = journal();
    for n in 1..=3 {
        put(&journal, n, T0, &["a"]);
    }
    let facts = [(1, "{"), (2, r#"{"deployment": 7}"#)];
    for (sequence, facts) in facts {
        journal
            .lock()
            .execute("UPDATE events SET facts = ?2 WHERE sequence = ?1", params![sequence, facts])
            .unwrap();
    }
    let found = journal.deliveries_of(DeploymentId(7)).unwrap();
    assert_eq!(found.iter().map(|delivery| delivery.id).collect::<Vec<_>>(), [2]);
    let connection = journal.lock();
    for (sql, index) in [
        (
            format!("{DELIVERY} WHERE {} ORDER BY d.id LIMIT 9", looking::OF_DEPLOYMENT),
            "events_deployment",
        ),
        (format!("{DELIVERY} WHERE d.node = ?1 ORDER BY d.id DESC LIMIT 1"), "deliveries_node"),
    ] {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let plan: Vec<String> =
            statement.query_map(["7"], |row| row.get(3)).unwrap().map(Result::unwrap).collect();
        assert!(plan.iter().any(|step| step.contains(index)), "{plan:?}");
        assert!(!plan.iter().any(|step| step.starts_with("SCAN")), "{plan:?}");
    }
}
