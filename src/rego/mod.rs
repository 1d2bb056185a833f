//! Rego, the language of Open Policy Agent, evaluated where it can do no harm: in a child process of
//! ourselves, under limits of time and memory, without an environment and without files.
//!
//! [`Evaluator`] is our side of it, [`serve`] the child's; they talk in frames of bounded length over
//! one socket. May start that child and nothing else. Never decides what a result means for a
//! revision, and never evaluates a policy in the agent's own process: a policy that recurses for ever
//! or takes all memory ends the child, and is named.

mod child;
mod compile;
mod error;
mod evaluate;
mod evaluator;
mod older;
mod serve;
mod trial;
mod wire;

pub use compile::{is_combined, is_of_tests};
pub use error::RegoError;
pub use evaluator::{Bounds, Evaluator};
pub use serve::serve_process;
pub use wire::{
    Broken, Held, Outrun, Place, Said, SetText, SourceText, Told, Trial, Unit, Verdict,
};

/// The hidden verb under which the program is a child that evaluates policies.
pub const VERB: &str = "evaluate-policies";

#[cfg(test)]
mod tests;
