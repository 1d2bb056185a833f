//! A thousand edits of an audit database, each of which has to be found out.

use rusqlite::Connection;

use super::tests::trail;
use super::*;

const RECORDS: u64 = 40;
const EDITS: usize = 1000;

/// The same numbers in every run (xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, max: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 8) % max
    }

    fn id(&mut self) -> u64 {
        1 + self.below(RECORDS)
    }
}

/// Another byte somewhere in what a column of a row holds.
fn flip(connection: &Connection, column: &str, table: &str, id: u64, chance: &mut Chance) {
    let kind = if column == "body" { "TEXT" } else { "BLOB" };
    let read = format!("SELECT CAST({column} AS BLOB) FROM {table} WHERE id = ?1");
    let mut bytes: Vec<u8> = connection.query_row(&read, [id], |row| row.get(0)).unwrap();
    let at = usize::try_from(chance.below(bytes.len() as u64)).unwrap();
    // Among the signs of ASCII, so that a text stays one.
    bytes[at] ^= 1 << chance.below(6);
    let write = format!("UPDATE {table} SET {column} = CAST(?1 AS {kind}) WHERE id = ?2");
    connection.execute(&write, params![bytes, id]).unwrap();
}

fn swap(connection: &Connection, column: &str, one: u64, other: u64) {
    let sql = format!(
        "UPDATE audit SET {column} = (SELECT {column} FROM audit AS o
           WHERE o.id = CASE audit.id WHEN ?1 THEN ?2 ELSE ?1 END)
         WHERE id IN (?1, ?2)"
    );
    connection.execute(&sql, params![one, other]).unwrap();
}

/// A record that nobody wrote, with the hash that it would have.
fn insert(connection: &Connection, id: u64, body: &str) {
    let before: Hash = connection
        .query_row("SELECT hash FROM audit WHERE id = ?1", [id - 1], |row| row.get(0))
        .unwrap_or(START);
    let hash = chain::next(&before, id, body);
    connection
        .execute(
            "INSERT OR REPLACE INTO audit (id, body, hash) VALUES (?1, ?2, ?3)",
            params![id, body, &hash[..]],
        )
        .unwrap();
}

/// One edit; in words.
fn edit(connection: &Connection, chance: &mut Chance) -> String {
    let id = chance.id();
    let other = 1 + (id + chance.below(RECORDS - 1)) % RECORDS;
    let run = |sql: &str| connection.execute(sql, []).unwrap();
    match chance.below(14) {
        0 => {
            flip(connection, "body", "audit", id, chance);
            format!("a byte of the text of {id}")
        }
        1 => {
            flip(connection, "hash", "audit", id, chance);
            format!("a byte of the hash of {id}")
        }
        2 => {
            run(&format!("DELETE FROM audit WHERE id = {id}"));
            format!("{id} is removed")
        }
        3 => {
            // And those behind it close up.
            run(&format!("DELETE FROM audit WHERE id = {id}"));
            for next in id + 1..=RECORDS {
                run(&format!("UPDATE audit SET id = {} WHERE id = {next}", next - 1));
            }
            format!("{id} is removed and the gap closed")
        }
        4 => {
            swap(connection, "body", id, other);
            format!("the texts of {id} and {other} change places")
        }
        5 => {
            swap(connection, "body", id, other);
            swap(connection, "hash", id, other);
            format!("{id} and {other} change places")
        }
        6 => {
            run(&format!("DELETE FROM audit WHERE id > {}", id - 1));
            format!("cut off behind {}", id - 1)
        }
        7 => {
            run(&format!("DELETE FROM audit WHERE id > {}", id - 1));
            run("DELETE FROM checkpoints");
            format!("cut off behind {}, with the checkpoints", id - 1)
        }
        8 => {
            insert(connection, RECORDS + 1, "{\"action\":\"nothing\"}");
            "one more at the end".to_owned()
        }
        9 => {
            insert(connection, id, "{\"action\":\"nothing\"}");
            format!("another one in the place of {id}")
        }
        10 => {
            let far = RECORDS + 2 + chance.below(1_000_000);
            run(&format!("UPDATE audit SET id = {far} WHERE id = {id}"));
            format!("{id} is put at {far}")
        }
        11 => {
            flip(connection, "signature", "checkpoints", RECORDS, chance);
            "a byte of the signature".to_owned()
        }
        12 => {
            flip(connection, "hash", "checkpoints", RECORDS, chance);
            "a byte of a checkpoint's hash".to_owned()
        }
        _ => {
            let sql = match chance.below(4) {
                0 => "DELETE FROM checkpoints".to_owned(),
                1 => "UPDATE checkpoints SET at = at + 1".to_owned(),
                2 => format!("UPDATE checkpoints SET id = {}", RECORDS + id),
                _ => format!(
                    "INSERT INTO checkpoints SELECT {}, hash, at, signature FROM checkpoints",
                    RECORDS + id
                ),
            };
            run(&sql);
            sql
        }
    }
}

#[test]
fn every_one_of_a_thousand_edits_is_found_out() {
    let (journal, key) = trail(RECORDS);
    let kept = [journal.checkpoint().unwrap().unwrap()];
    let mut chance = Chance(0x2545_f491_4f6c_dd1d);
    for _ in 0..EDITS {
        let sql = |text: &str| journal.lock().execute_batch(text).unwrap();
        sql("SAVEPOINT before");
        let what = edit(&journal.lock(), &mut chance);
        let verdict = journal.verify_audit(&key, &kept).unwrap();
        sql("ROLLBACK TO before; RELEASE before");
        assert!(verdict.is_err(), "not found out: {what}");
    }
    journal.verify_audit(&key, &kept).unwrap().unwrap();
}

#[test]
fn a_checkpoint_of_every_thousand_records_has_to_be_there() {
    let (journal, key) = trail(CHECKPOINT_EVERY + 20);
    let kept = [journal.checkpoint().unwrap().unwrap()];
    let sql = format!("DELETE FROM checkpoints WHERE id = {CHECKPOINT_EVERY}");
    journal.lock().execute_batch(&sql).unwrap();
    let judged = journal.verify_audit(&key, &kept).unwrap();
    assert_eq!(judged, Err(AuditFault::Unwitnessed { id: CHECKPOINT_EVERY }));
}

#[test]
fn what_is_cut_off_at_a_checkpoint_that_is_stored_is_found_by_one_that_is_kept() {
    let (journal, key) = trail(CHECKPOINT_EVERY + 20);
    let kept = [journal.checkpoint().unwrap().unwrap()];
    let cut = format!(
        "DELETE FROM audit WHERE id > {CHECKPOINT_EVERY};
         DELETE FROM checkpoints WHERE id > {CHECKPOINT_EVERY};"
    );
    journal.lock().execute_batch(&cut).unwrap();
    journal.verify_audit(&key, &[]).unwrap().expect("nobody can tell");
    let judged = journal.verify_audit(&key, &kept).unwrap();
    let fault = AuditFault::CutOff { last: CHECKPOINT_EVERY, checkpoint: CHECKPOINT_EVERY + 20 };
    assert_eq!(judged, Err(fault));
}
