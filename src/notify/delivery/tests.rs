use tokio::sync::oneshot;

use super::*;
use crate::clock::SystemClock;
use crate::model::DeliveryState;

mod house;
mod node;
use house::{House, KEY, OTHER_KEY, T0, attempts, audience, set_key, verified_by, while_running};
use node::{Node, Reply};

/// Less than a minute, so that what is tried each minute is tried once; never waited for.
const LIMIT: Duration = Duration::from_secs(40);

#[tokio::test]
async fn the_order_is_kept_across_failures_and_every_attempt_has_the_same_id() {
    let house = House::new();
    let mut node = Node::start([Reply::Status(500, ""), Reply::Status(503, "")]).await;
    (1..=3).for_each(|n| house.event(n, &["a"]));
    let deliverer = house.deliverer(&[house.settings("a", &node.url)]);
    let handle = deliverer.handle();
    while_running(deliverer, async {
        let first = node.request().await;
        attempts(&handle, 1).await;
        let wait = house.due_in("a").as_millis();
        assert!((800..=1200).contains(&wait), "{wait}");
        house.pass(2);
        handle.wake();
        let again = node.request().await;
        assert_eq!(first.headers["webhook-id"], again.headers["webhook-id"]);
        assert_eq!(first.headers["content-type"], "application/cloudevents+json");
        assert_ne!(first.headers["webhook-timestamp"], again.headers["webhook-timestamp"]);
        assert!(verified_by(&first, KEY) && verified_by(&again, KEY));
        attempts(&handle, 2).await;
        let wait = house.due_in("a").as_millis();
        assert!((4000..=6000).contains(&wait), "{wait}");
        assert_eq!(house.states()[0].1, "the node answered 503 Service Unavailable");
        house.pass(7);
        handle.wake();
        for expected in 1..=3 {
            assert_eq!(node.deployment().await, expected);
        }
        attempts(&handle, 5).await;
        assert_eq!(house.journal.outbox_counts().unwrap(), OutboxCounts::default());
    })
    .await;
}

#[tokio::test]
async fn a_slow_node_does_not_delay_another() {
    let house = House::new();
    let (mut slow, mut fast) = (Node::start([Reply::Hang]).await, Node::start([]).await);
    (1..=3).for_each(|n| house.event(n, &["slow", "fast"]));
    let nodes = [house.settings("slow", &slow.url), house.settings("fast", &fast.url)];
    while_running(house.deliverer(&nodes), async {
        assert_eq!(slow.deployment().await, 1);
        for expected in 1..=3 {
            assert_eq!(fast.deployment().await, expected);
        }
        assert!(slow.has_no_request(), "one in flight");
    })
    .await;
}

#[tokio::test]
async fn a_newer_event_is_a_reason_to_try_at_once() {
    let house = House::new();
    let mut node = Node::start([Reply::Status(500, "")]).await;
    house.event(1, &["a"]);
    let deliverer = house.deliverer(&[house.settings("a", &node.url)]);
    let handle = deliverer.handle();
    while_running(deliverer, async {
        attempts(&handle, 1).await;
        house.event(2, &["a"]);
        handle.wake();
        for expected in [1, 1, 2] {
            assert_eq!(node.deployment().await, expected);
        }
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_says_410_gets_nothing_more_until_redelivery() {
    let house = House::new();
    let mut node = Node::start([Reply::Status(410, "")]).await;
    (1..=2).for_each(|n| house.event(n, &["a"]));
    let settings = house.settings("a", &node.url);
    let deliverer = house.deliverer(std::slice::from_ref(&settings));
    let handle = deliverer.handle();
    while_running(deliverer, async {
        attempts(&handle, 1).await;
        house.event(3, &["a"]);
        handle.reconfigure(audience(&[settings]));
        let states = house.states();
        assert!(states.iter().all(|(s, e)| *s == DeliveryState::Failed && e.contains("410")));
        assert_eq!(states.len(), 3);
        assert_eq!(node.deployment().await, 1);
        house.journal.redeliver(2, crate::model::By::agent(), T0).unwrap();
        handle.wake();
        assert_eq!(node.deployment().await, 2);
    })
    .await;
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let house = House::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut elsewhere = Node::on(listener, []);
    let location = format!("location: {}\r\n", elsewhere.url).leak();
    let node = Node::start([Reply::Status(307, location)]).await;
    house.event(1, &["a"]);
    let deliverer = house.deliverer(&[house.settings("a", &node.url)]);
    let handle = deliverer.handle();
    while_running(deliverer, async {
        attempts(&handle, 1).await;
        assert!(house.states()[0].1.contains("redirects are not followed"));
        assert!(elsewhere.has_no_request());
    })
    .await;
}

#[tokio::test]
async fn retry_after_is_honoured_even_when_a_newer_event_comes() {
    let house = House::new();
    let mut node = Node::start([Reply::Status(429, "retry-after: 120\r\n")]).await;
    house.event(1, &["a"]);
    let deliverer = house.deliverer(&[house.settings("a", &node.url)]);
    let handle = deliverer.handle();
    while_running(deliverer, async {
        attempts(&handle, 1).await;
        assert_eq!(node.deployment().await, 1);
        house.event(2, &["a"]);
        assert_eq!(house.due_in("a"), Duration::from_secs(120));
        house.pass(120);
        handle.wake();
        assert_eq!(node.deployment().await, 1);
        assert_eq!(node.deployment().await, 2);
    })
    .await;
}

#[tokio::test]
async fn retry_after_is_taken_for_an_hour_at_most() {
    let house = House::new();
    let node = Node::start([Reply::Status(503, "retry-after: 999999\r\n")]).await;
    house.event(1, &["a"]);
    let deliverer = house.deliverer(&[house.settings("a", &node.url)]);
    let handle = deliverer.handle();
    while_running(deliverer, async {
        attempts(&handle, 1).await;
        assert_eq!(house.due_in("a"), Duration::from_secs(3600));
    })
    .await;
}

#[tokio::test]
async fn secrets_are_read_at_every_attempt_and_all_of_them_sign() {
    let house = House::new();
    let mut node = Node::start([]).await;
    set_key(house.folder.path(), &format!("{KEY}{OTHER_KEY}"));
    house.event(1, &["a"]);
    let deliverer = house.deliverer(&[house.settings("a", &node.url)]);
    let handle = deliverer.handle();
    while_running(deliverer, async {
        let both = node.request().await;
        assert!(verified_by(&both, KEY) && verified_by(&both, OTHER_KEY));
        set_key(house.folder.path(), OTHER_KEY);
        house.event(2, &["a"]);
        handle.wake();
        let other = node.request().await;
        assert!(!verified_by(&other, KEY) && verified_by(&other, OTHER_KEY));
    })
    .await;
}

#[tokio::test]
async fn without_a_secret_nothing_is_sent_until_there_is_one() {
    let house = House::new();
    let mut node = Node::start([]).await;
    set_key(house.folder.path(), "whsec_hunter2\n");
    house.event(1, &["a"]);
    let deliverer = house.deliverer(&[house.settings("a", &node.url)]);
    let handle = deliverer.handle();
    while_running(deliverer, async {
        attempts(&handle, 1).await;
        let (state, error) = house.states().remove(0);
        assert_eq!(state, DeliveryState::Pending);
        assert!(error.contains("key:1: ") && !error.contains("hunter2"), "{error}");
        std::fs::remove_file(house.folder.path().join("key")).unwrap();
        house.pass(2);
        handle.wake();
        attempts(&handle, 2).await;
        assert!(house.states()[0].1.starts_with("cannot read the secret file"));
        assert!(node.has_no_request());
        set_key(house.folder.path(), KEY);
        house.pass(10);
        handle.wake();
        assert!(verified_by(&node.request().await, KEY));
    })
    .await;
}

#[tokio::test]
async fn after_deliver_for_it_is_failed_and_visible_and_the_next_goes_out() {
    let house = House::new();
    let mut node = Node::start([Reply::Status(500, ""), Reply::Status(500, "")]).await;
    (1..=2).for_each(|n| house.event(n, &["a"]));
    let deliverer = house.deliverer(&[house.settings("a", &node.url)]);
    let handle = deliverer.handle();
    while_running(deliverer, async {
        attempts(&handle, 1).await;
        house.pass(601);
        handle.wake();
        for expected in [1, 1, 2] {
            assert_eq!(node.deployment().await, expected);
        }
        attempts(&handle, 3).await;
        let states: Vec<_> = house.states().into_iter().map(|(state, _)| state).collect();
        assert_eq!(states, [DeliveryState::Failed, DeliveryState::Delivered]);
    })
    .await;
}

#[tokio::test]
async fn a_reset_before_the_status_is_tried_again_and_one_after_it_is_success() {
    let house = House::new();
    let mut node = Node::start([Reply::CutHead, Reply::CutBody]).await;
    house.event(1, &["a"]);
    let deliverer = house.deliverer(&[house.settings("a", &node.url)]);
    let handle = deliverer.handle();
    while_running(deliverer, async {
        attempts(&handle, 1).await;
        assert!(house.states()[0].1.starts_with("cannot reach the node: "));
        house.pass(2);
        handle.wake();
        attempts(&handle, 2).await;
        assert_eq!(house.states()[0].0, DeliveryState::Delivered);
        drop((node.request().await, node.request().await));
        assert!(node.has_no_request());
    })
    .await;
}

#[tokio::test]
async fn a_node_that_was_down_during_ten_changes_gets_all_ten_in_order_after_a_restart() {
    let house = House::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let settings = [house.settings("a", &format!("http://{address}/hooks/config"))];
    let deliverer = house.deliverer(&settings);
    let handle = deliverer.handle();
    while_running(deliverer, async {
        for number in 1..=10 {
            house.event(number, &["a"]);
            handle.wake();
            attempts(&handle, number).await;
        }
        assert!(house.states()[0].1.contains("refused"), "{:?}", house.states()[0]);
    })
    .await;
    let mut node = Node::on(tokio::net::TcpListener::bind(address).await.unwrap(), []);
    while_running(house.deliverer(&settings), async {
        for expected in 1..=10 {
            assert_eq!(node.deployment().await, expected);
        }
    })
    .await;
}

#[tokio::test]
async fn new_settings_are_taken_over_while_it_runs() {
    let house = House::new();
    let (mut old, mut new) = (Node::start([Reply::Hang]).await, Node::start([]).await);
    house.event(1, &["old", "new"]);
    let deliverer = house.deliverer(&[house.settings("old", &old.url)]);
    let handle = deliverer.handle();
    while_running(deliverer, async {
        old.request().await;
        house.event(2, &["old", "new"]);
        handle.reconfigure(audience(&[house.settings("new", &new.url)]));
        handle.wake();
        assert_eq!(new.deployment().await, 2, "what was for no node was given up at the start");
        let of_old = house.journal.deliveries(true, 9, None).unwrap();
        assert!(
            of_old.iter().any(|d| d.node == "old"
                && d.last_error.as_deref() == Some("node is no longer configured"))
        );
    })
    .await;
}

#[tokio::test]
async fn what_is_in_flight_at_shutdown_has_its_grace_and_stays_in_the_outbox() {
    let house = House::new();
    let mut node = Node::start([Reply::Hang]).await;
    house.event(1, &["a"]);
    let (stop, stopped) = oneshot::channel::<()>();
    let deliverer = house.deliverer(&[house.settings("a", &node.url)]);
    let running = deliverer.run(async { drop(stopped.await) }, Duration::from_millis(1));
    tokio::join!(running, async {
        node.request().await;
        stop.send(()).unwrap();
    });
    assert_eq!(house.states()[0].0, DeliveryState::Pending);
}

#[tokio::test]
async fn once_delivers_what_it_can_and_says_what_is_left() {
    let house = House::new();
    let (good, bad) = (Node::start([]).await, Node::start([]).await);
    bad.say(Reply::Status(503, "retry-after: 3600\r\n"));
    (1..=2).for_each(|n| house.event(n, &["good", "bad"]));
    let nodes = [house.settings("good", &good.url), house.settings("bad", &bad.url)];
    let once = || house.deliverer(&nodes).deliver_once(LIMIT);
    let report = once().await;
    assert_eq!(report.delivered, 2);
    assert_eq!(report.left, OutboxCounts { pending: 2, failed: 0 });
    assert!(!report.is_complete());
    assert_eq!(report.problems["bad"], "the node answered 503 Service Unavailable");
    house.pass(3600);
    let report = once().await;
    assert!(report.is_complete() && report.problems.is_empty(), "{report:?}");
}

#[tokio::test]
async fn once_ends_at_its_limit_whatever_a_node_does() {
    let house = House::new();
    let node = Node::start([Reply::Hang]).await;
    house.event(1, &["a"]);
    let deliverer = house.deliverer(&[house.settings("a", &node.url)]);
    let report = deliverer.deliver_once(Duration::from_millis(100)).await;
    assert_eq!(report.left, OutboxCounts { pending: 1, failed: 0 });
}

#[tokio::test]
async fn the_timer_alone_brings_the_next_try() {
    let house = House::new();
    let mut node = Node::start([Reply::Status(500, "")]).await;
    let nodes = [house.settings("a", &node.url)];
    let clock = Arc::new(SystemClock);
    house.clock.advance(clock.now().since(T0));
    house.event(1, &["a"]);
    let deliverer = Deliverer::new(Arc::clone(&house.journal), clock, audience(&nodes));
    while_running(deliverer, async {
        assert_eq!(node.deployment().await, 1);
        assert_eq!(node.deployment().await, 1, "after a second, without being woken");
    })
    .await;
}

#[tokio::test]
async fn more_nodes_than_may_be_in_flight_are_all_told() {
    let house = House::new();
    let node = Node::start([]).await;
    let names: Vec<String> = (0..IN_FLIGHT_MAX + 50).map(|n| format!("n{n}")).collect();
    let nodes: Vec<_> = names.iter().map(|name| house.settings(name, &node.url)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    house.event(1, &names);
    let report = house.deliverer(&nodes).deliver_once(LIMIT).await;
    assert_eq!((report.delivered, report.is_complete()), (306, true));
}

#[tokio::test]
async fn a_clock_that_was_set_back_does_not_silence_a_node() {
    let house = House::new();
    let mut node = Node::start([]).await;
    house.event(1, &["a"]);
    let day = Duration::from_secs(24 * 60 * 60);
    house.journal.failed_attempt(1, None, "no", T0.plus(day), Some(T0.plus(day)), T0).unwrap();
    while_running(house.deliverer(&[house.settings("a", &node.url)]), async {
        assert_eq!(node.deployment().await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_credential_in_a_url_appears_in_no_error() {
    let house = House::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let plain = format!("http://{}/hooks?token=hunter2", listener.local_addr().unwrap());
    drop(listener);
    house.event(1, &["refused", "invalid", "tls"]);
    [1, 2, 3].into_iter().for_each(|id| house.is_tried_each_minute(id));
    let nodes = [
        house.settings("refused", "http://user:hunter2@127.0.0.1:1/hooks?token=hunter2"),
        house.settings("invalid", "http://user:hunter2@:x/hooks?token=hunter2"),
        house.settings("tls", &plain.replace("http://", "https://user:hunter2@")),
    ];
    let report = house.deliverer(&nodes).deliver_once(LIMIT).await;
    assert_eq!(report.problems.len(), 3);
    assert!(!format!("{report:?}{:?}", house.states()).contains("hunter2"), "{report:?}");
}
