/// The named limits on what a repository may hold. Defaults are in [`Limits::default`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Files in a tree.
    pub files_max: u64,
    /// Bytes in one file.
    pub file_bytes_max: u64,
    /// Bytes in all files of a tree.
    pub tree_bytes_max: u64,
    /// Bytes that one fetch may bring.
    pub fetch_bytes_max: u64,
    /// Bytes in one path.
    pub path_bytes_max: u64,
    /// Folders above a file.
    pub depth_max: u64,
    /// Aliases that one YAML file may expand.
    pub yaml_aliases_max: u64,
    /// Mappings and lists inside each other in one YAML or JSON document.
    pub yaml_depth_max: u64,
    /// Documents in one YAML file.
    pub yaml_documents_max: u64,
    /// Seconds are not whole here: milliseconds one rule set may take (used by policies).
    pub policy_time_max_ms: u64,
    /// Bytes of memory that one policy evaluation may take.
    pub policy_memory_bytes_max: u64,
    /// Bytes in the body of one webhook that we send.
    pub webhook_body_bytes_max: u64,
    /// Bytes in the body of one request that we are sent.
    pub http_body_bytes_max: u64,
    /// Bytes kept of what one program prints.
    pub exec_output_bytes_max: u64,
    /// Packs in the mirror before it is packed anew, at the next rest.
    pub mirror_packs_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        const KIB: u64 = 1024;
        const MIB: u64 = 1024 * KIB;
        const GIB: u64 = 1024 * MIB;
        Self {
            files_max: 200_000,
            file_bytes_max: 16 * MIB,
            tree_bytes_max: GIB,
            fetch_bytes_max: 2 * GIB,
            path_bytes_max: 4096,
            depth_max: 64,
            yaml_aliases_max: 10_000,
            yaml_depth_max: 64,
            yaml_documents_max: 1000,
            policy_time_max_ms: 1000,
            policy_memory_bytes_max: 512 * MIB,
            webhook_body_bytes_max: 20 * KIB,
            http_body_bytes_max: 3 * MIB,
            exec_output_bytes_max: 64 * KIB,
            mirror_packs_max: 50,
        }
    }
}
