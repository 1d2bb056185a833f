//! kconfigd keeps a machine's live configuration equal to a git repository.
//!
//! A commit takes one way, the same for a timer, a webhook, a command, a restart, a rollback and a
//! repair: ask the source, observe, decide, fetch, render, plan, gates, stage, publish (one rename:
//! the commit point), complete. [`sync`] shows the whole of it. `ARCHITECTURE.md` has the map.
//!
//! The modules in reading order: the nouns ([`model`]), every choice ([`decide`]), the object
//! store and the documents in it ([`objects`], [`document`]), one room for each outside party, and
//! the places that know the order ([`sync`], [`app`], [`cli`]).

pub mod decide;
pub mod model;

pub mod document;
pub mod objects;

pub mod programs;
pub mod rego;
pub mod secrets;

pub mod board;
pub mod clock;
pub mod config;
pub mod gates;
pub mod journal;
pub mod memory;
pub mod meters;
pub mod notify;
pub mod parts;
pub mod profiles;
pub mod progress;
pub mod render;
pub mod source;
pub mod telemetry;
pub mod trees;
pub mod trust;

pub mod app;
pub mod cli;
pub mod diff;
pub mod http;
pub mod sync;
pub mod triggers;
pub mod view;

#[doc(hidden)]
pub mod fuzzing;
