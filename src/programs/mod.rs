//! Programs that the node's settings name, run beside a tree.
//!
//! May start processes, and nothing else: an argument list without a shell, in a group of its own,
//! which is ended whole when the program ends, runs out of time, or the agent is told to stop.
//! Programs come from the settings alone, never from a repository. They get a small environment
//! of our making and no descriptor beside standard output.

mod error;
mod output;
mod run;
mod stop;

pub use error::ProgramError;
pub use run::{Ended, Program, run};
pub use stop::Stop;
