use std::time::Duration;

use tokio::time::Instant;

use super::client::Client;
use super::exit::Failure;
use crate::app::{self, AppError, Engine};
use crate::config::Settings;
use crate::trees::LockError;

/// How long a verb waits for one that starts, or that works without an agent, before it says who
/// holds the state folder.
const PATIENCE: Duration = Duration::from_secs(5);
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// Who does the work of a verb.
pub(super) enum Reached {
    /// The running agent.
    Agent(Client),
    /// This process; the state folder is ours.
    Here(Box<Engine>),
}

/// Finds the running agent, or takes the state folder. An agent holds the folder a moment before
/// it listens, so a held folder that nobody answers for is looked at again.
pub(super) async fn reach(settings: &Settings, verb: &str) -> Result<Reached, Failure> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(client) = Client::connect(&settings.state_dir).await? {
            return Ok(Reached::Agent(client));
        }
        match app::open(settings.clone(), verb) {
            Ok(engine) => return Ok(Reached::Here(Box::new(engine))),
            Err(AppError::Lock(LockError::Held { .. })) if Instant::now() < deadline => {
                tokio::time::sleep(BETWEEN_LOOKS).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}
