//! Every choice, as pure functions: what to do next, what to hold, what to keep, when to try again.
//!
//! Time and chance are arguments. No I/O, no clock, no randomness, no environment.

pub mod admit;
pub mod bake;
pub mod commit_status;
pub mod cost;
pub mod drift;
pub mod impact;
pub mod issuer;
pub mod next;
pub mod parties;
pub mod patterns;
pub mod problems;
pub mod rate;
pub mod recover;
pub mod retry;
pub mod schedule;
pub mod subscribe;
pub mod words;
