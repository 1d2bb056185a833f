//! Telling the nodes: events from the journal's outbox become signed webhooks.
//!
//! May touch the nodes (over HTTP), the files with their secrets, and the journal's outbox. Never
//! decides whether a node is told (that is `decide::subscribe`, before the event is recorded),
//! never sends anything unsigned, follows no redirect, and never touches the live tree.
//!
//! [`sign`] and [`verify`] are the two ends of Standard Webhooks; [`payload`] makes the body;
//! [`delivery`] is the loop over the outbox, one attempt at a time for each node.

mod attempt;
mod client;
pub mod delivery;
mod error;
pub mod payload;
mod secrets;
pub mod sign;
pub mod verify;

pub use delivery::{Audience, Deliverer, DeliveryReport, Handle};
pub use error::NotifyError;
pub use sign::SigningKeys;
pub use verify::{Unverified, VerifyingKeys};

#[cfg(test)]
mod receivers_tests;
