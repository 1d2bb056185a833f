use super::{DeploymentId, Revision, Timestamp};

/// A deployment that is live and not confirmed yet, as the journal keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bake {
    /// The deployment.
    pub deployment: DeploymentId,
    /// Until when its health has to hold.
    pub until: Timestamp,
    /// How often kconfigd was started anew while it baked.
    pub restarts: u32,
    /// Whether it is an automatic way back: from there nothing goes back further.
    pub is_way_back: bool,
    /// The tree that was live before: what changed since is what is reloaded.
    pub previous_tree: Option<String>,
    /// The commit that was live before.
    pub previous_revision: Option<Revision>,
    /// The reloads that are done, by name.
    pub reloaded: Vec<String>,
    /// Why its health is known not to hold: what is left to do is to go back.
    pub failed: Option<String>,
}
