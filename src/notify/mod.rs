//! Telling others: events from the journal's outbox become signed webhooks to nodes, alerts to
//! people, and the statuses of commits at the forge.
//!
//! May touch those (over HTTP), the files with their secrets, and the journal's outbox. Never
//! decides whether somebody is told (that is `decide::subscribe`, `decide::problems` and
//! `decide::commit_status`, before the event is recorded), never sends a webhook unsigned, follows no
//! redirect, and never touches the live tree.
//!
//! [`sign`] and [`verify`] are the two ends of Standard Webhooks; [`payload`] makes their body, and
//! [`request`] what others are told instead; [`delivery`] is the loop over the outbox, one attempt at
//! a time for each [`Endpoint`].

mod attempt;
mod client;
pub mod delivery;
mod endpoint;
mod error;
mod pagerduty;
pub mod payload;
mod request;
mod secrets;
pub mod sign;
mod slack;
pub mod verify;

pub use delivery::{Audience, Deliverer, DeliveryReport, Handle};
pub use endpoint::{Endpoint, Way};
pub use error::NotifyError;
pub use sign::SigningKeys;
pub use verify::{Unverified, VerifyingKeys};

#[cfg(test)]
mod receivers_tests;
