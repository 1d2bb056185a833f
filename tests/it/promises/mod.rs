//! What CONTRACT.md promises, held against the real program: killed, without its remote, without
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

mod events;
