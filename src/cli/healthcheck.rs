use super::args::Global;
use super::client::Client;
use super::exit::{Exit, Failure};
use super::render::Output;

/// `healthcheck`: 0 while the agent's loop turns and a tree is live.
pub(super) async fn run(global: &Global, output: &Output) -> Result<Exit, Failure> {
    let state_dir = super::sync::state_dir(global)?;
    let Some(client) = Client::connect(&state_dir).await? else {
        let folder = state_dir.display();
        return Err(Failure::new(Exit::Error, format!("no agent runs with {folder}")));
    };
    let body: serde_json::Value = client.get("/api/config/health").await?;
    output.result(&body, |page| {
        page.line(format!("ok: {}", body["state"].as_str().unwrap_or("running")));
    })?;
    Ok(Exit::Done)
}
