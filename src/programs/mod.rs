//! Programs that the node's settings name, run beside a tree.
//!
//! May start processes, signal them, and ask addresses for `reload` and `health`, and nothing else.
//! A program is an argument list without a shell, in a group of its own, which is ended whole when
//! it ends, runs out of time, or the agent is told to stop.
//! Programs come from the settings alone, never from a repository. They get a small environment
//! of our making and no descriptor beside standard output. The one other process is a [`Companion`]:
//! this program once more, for work that must not be able to harm the agent.

mod companion;
mod error;
mod group;
mod output;
mod reach;
mod run;
mod stop;

pub use companion::Companion;
pub use error::ProgramError;
pub use reach::{connect, request, signal};
pub use run::{Ended, Program, run};
pub use stop::Stop;
