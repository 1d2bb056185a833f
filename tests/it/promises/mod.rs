//! What kconfigd promises, held against the real program: killed, without its remote, without
//! its state, without room, and counted from outside.
//!
//! Tests that repeat something make a few rounds, so that all of them together stay quick. The long
//! form sets the number of rounds of each:
//!
//! ```sh
//! KCONFIGD_TEST_ROUNDS=300 cargo nextest run promises::
//! ```
//!
//! Chance comes from `KCONFIGD_TEST_SEED`, a number, which each test that uses it prints.

#![expect(clippy::print_stderr, reason = "what a run counted is told beside its result")]

mod backups;
mod chance;
mod costs;
mod crash;
mod events;
mod losses;
mod many;
mod orders;
mod outage;
mod polls;
mod readers;
mod secrecy;
mod signals;
mod trace;
mod volume;

pub(crate) use chance::Chance;

use std::env;

/// How many rounds a repeating test makes: `few`, unless the long form is asked for.
pub(crate) fn rounds(few: usize) -> usize {
    env::var("KCONFIGD_TEST_ROUNDS").map_or(few, |text| {
        text.parse().unwrap_or_else(|_| panic!("KCONFIGD_TEST_ROUNDS={text} is no number"))
    })
}
