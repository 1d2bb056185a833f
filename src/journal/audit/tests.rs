use super::*;
use crate::model::{AuditOutcome, Known, Secret, Suspension, WishKind};

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn sealer() -> Sealer {
    Sealer::from_seed(&Secret::new(KEY.to_owned())).unwrap()
}

fn by(name: &str) -> By {
    By { name: name.to_owned(), known: Known::Token, from: Some("192.0.2.7".to_owned()) }
}

pub(super) fn trail(records: u64) -> (Journal, String) {
    let journal = Journal::open_in_memory().unwrap();
    let key = sealer().public_key();
    journal.seal_audit(sealer());
    for n in 0..records {
        let at = Timestamp(i64::try_from(n).unwrap() * 1000);
        let record = AuditRecord::new(at, by("ann"), "access.forbidden", AuditOutcome::Refused);
        journal.audit(&record.of(format!("GET /{n}")).because(Some("a reason"))).unwrap();
    }
    (journal, key)
}

fn judge(journal: &Journal, key: &str) -> Result<Verified, AuditFault> {
    journal.verify_audit(key, &[]).unwrap()
}

#[test]
fn a_trail_that_nobody_touched_is_whole() {
    let (journal, key) = trail(2500);
    let whole = Verified { records: 2500, first: 1, last: 2500, checkpoints: 3 };
    assert_eq!(judge(&journal, &key), Ok(whole));
    let (empty, key) = trail(0);
    assert_eq!(judge(&empty, &key).unwrap().records, 0);
}

#[test]
fn what_is_done_is_audited_in_the_transaction_of_the_change() {
    let (journal, key) = trail(0);
    let now = Timestamp(5);
    journal.wish(&WishKind::Apply(None), &by("bob"), Some("now"), now).unwrap();
    let stop = Suspension { since: now, until: None, actor: "bob".to_owned(), reason: None };
    journal.suspend(&stop, by("bob")).unwrap();
    journal.resume(by("eve"), Some("enough"), now).unwrap();
    // What looks only leaves no record.
    journal.wish(&WishKind::Compare, &by("bob"), None, now).unwrap();
    let told: Vec<String> = journal
        .audited(&AuditFilter::default(), 10)
        .unwrap()
        .into_iter()
        .map(|a| format!("{} {} {} {}", a.id, a.record.by.name, a.record.action, a.record.outcome))
        .collect();
    assert_eq!(
        told,
        ["3 eve agent.resume done", "2 bob agent.suspend done", "1 bob order.apply ordered"]
    );
    assert_eq!(judge(&journal, &key).unwrap().records, 3);
    // A change that fails leaves no record either.
    journal.refuse("meta", true);
    journal.suspend(&stop, by("bob")).unwrap_err();
    assert_eq!(judge(&journal, &key).unwrap().records, 3);
}

#[test]
fn the_trail_is_searched_by_who_what_and_when() {
    let (journal, _) = trail(5);
    journal.resume(by("eve"), None, Timestamp(9000)).unwrap();
    let ids = |filter: AuditFilter| -> Vec<u64> {
        journal.audited(&filter, 10).unwrap().iter().map(|a| a.id).collect()
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(ids(AuditFilter { name: some("eve"), ..AuditFilter::default() }), [6]);
    assert_eq!(ids(AuditFilter { action: some("agent."), ..AuditFilter::default() }), [6]);
    assert_eq!(ids(AuditFilter { action: some("agent"), ..AuditFilter::default() }), [0; 0]);
    assert_eq!(ids(AuditFilter { outcome: some("refused"), ..AuditFilter::default() }).len(), 5);
    let since = Some(Timestamp(3000));
    let until = Some(Timestamp(9000));
    assert_eq!(ids(AuditFilter { since, until, ..AuditFilter::default() }), [5, 4]);
    assert_eq!(ids(AuditFilter { before: Some(3), ..AuditFilter::default() }), [2, 1]);
}

#[test]
fn what_was_cut_off_is_found_by_a_checkpoint_that_was_kept() {
    let (journal, key) = trail(20);
    let kept = journal.checkpoint().unwrap().unwrap();
    let kept = Checkpoint::parse(&kept.to_text()).unwrap();
    edit(&journal, "DELETE FROM audit WHERE id > 15; DELETE FROM checkpoints;");
    assert_eq!(judge(&journal, &key), Err(AuditFault::Unsealed { last: 15 }));
    let judged = journal.verify_audit(&key, std::slice::from_ref(&kept)).unwrap();
    assert_eq!(judged, Err(AuditFault::CutOff { last: 15, checkpoint: 20 }));
    // Whoever has the key can sign what is left, and is found out all the same.
    journal.audit(&AuditRecord::new(Timestamp(1), by("eve"), "x", AuditOutcome::Done)).unwrap();
    judge(&journal, &key).unwrap();
    journal.verify_audit(&key, &[kept]).unwrap().unwrap_err();
}

#[test]
fn what_was_written_anew_is_found_by_its_checkpoint() {
    let (journal, key) = trail(20);
    let kept = journal.checkpoint().unwrap().unwrap();
    let (other, _) = trail(19);
    other.resume(by("eve"), None, Timestamp(1)).unwrap();
    let judged = other.verify_audit(&key, &[kept]).unwrap();
    assert_eq!(judged, Err(AuditFault::Rewritten { id: 20 }));
    let stranger = Sealer::from_seed(&Secret::new(KEY.replace("AAEC", "AAAA"))).unwrap();
    let judged = judge(&journal, &stranger.public_key());
    assert_eq!(judged, Err(AuditFault::Unsigned { id: 20 }));
}

#[test]
fn what_retention_forgets_leaves_a_chain_that_can_be_verified() {
    let (journal, key) = trail(30);
    assert_eq!(journal.prune_audit(Timestamp(10_000), Timestamp(60_000)).unwrap(), 10);
    let whole = judge(&journal, &key).unwrap();
    assert_eq!((whole.first, whole.last), (11, 31));
    assert_eq!(journal.prune_audit(Timestamp(10_000), Timestamp(60_000)).unwrap(), 0);
    // A checkpoint is no permission to forget.
    let checkpoint = journal.checkpoint().unwrap().unwrap().to_text();
    edit(
        &journal,
        &format!(
            "DELETE FROM audit; DELETE FROM checkpoints;
             UPDATE meta SET value = '{checkpoint}' WHERE key = '{BASE}';"
        ),
    );
    journal.resume(by("eve"), None, Timestamp(1)).unwrap();
    let kept = Checkpoint::parse(&checkpoint).unwrap();
    journal.verify_audit(&key, &[kept]).unwrap().unwrap_err();
}

fn edit(journal: &Journal, sql: &str) {
    journal.lock().execute_batch(sql).unwrap();
}
