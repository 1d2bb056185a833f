//! What the tests run against, all of it real: git repositories, git over HTTP(S) and over ssh, a
//! webhook receiver, and kconfigd itself on a machine of its own.
//!
//! Everything listens on free ports of 127.0.0.1, lives in temporary folders and ends when dropped.
//! Nothing here sleeps but [`wait`]; a test awaits a condition with it, or with the `wait_for` of
//! what it waits for.

mod agent;
pub(crate) mod api;
pub(crate) mod browser;
mod collector;
pub(crate) mod forge;
mod git;
mod git_server;
mod http;
pub(crate) mod issuer;
mod keys;
pub(crate) mod provider;
mod proxy;
mod receiver;
mod repo;
mod seal;
mod signing;
mod sshd;
pub(crate) mod tls;
mod wait;

pub(crate) use agent::{Agent, Ran, Running};
pub(crate) use collector::{Collector, Span};
pub(crate) use git::{git, refused, succeed};
pub(crate) use git_server::{Fault, GitServer, Options, Seen, Stage};
pub(crate) use keys::Key;
pub(crate) use proxy::Proxy;
pub(crate) use receiver::{Mood, Receiver};
pub(crate) use repo::Repo;
pub(crate) use seal::Sealer;
pub(crate) use signing::{Gpg, SshKey, with_signature};
pub(crate) use sshd::Sshd;
pub(crate) use tls::Authority;
pub(crate) use wait::{wait_for, wait_until};
