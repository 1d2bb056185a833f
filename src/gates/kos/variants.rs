//! Configurations that are broken in one way each.

/// One of them: in a file, a text is replaced by another. An empty text stands for the whole file,
/// and `(gone)` in its place for none.
pub(super) struct Variant {
    pub(super) name: &'static str,
    pub(super) path: &'static str,
    pub(super) from: &'static str,
    pub(super) to: &'static str,
}

macro_rules! variants {
    ($($name:literal: $path:literal, $from:literal => $to:literal;)*) => {
        &[$(Variant { name: $name, path: $path, from: $from, to: $to }),*]
    };
}

pub(super) const VARIANTS: &[Variant] = variants! {
    // Keys.
    "a key with a letter too many": "gitops.yaml", "sync_interval" => "sync_intervall";
    "a key with a letter missing": "profiles/standalone.yaml", "media_generation" => "media_generaton";
    "a key of another spelling": "profiles/standalone.yaml", "auto_lock" => "autolock";
    "a key that nobody knows": "profiles/standalone.yaml", "llms:" => "zebra: 1\nllms:";
    "a key at the wrong level": "profiles/enterprise.yaml", "auth:\n" => "rbac: enabled\nauth:\n";
    "a key deep inside": "profiles/federation_node.yaml", "handshake_required" => "handshake_requird";
    "the name of the profile is missing": "profiles/standalone.yaml", "profile: standalone\n" => "";
    "the mode is missing": "profiles/standalone.yaml", "deployment_mode: local_standalone\n" => "";
    "an agent without a name": "agents/schedulerAgent.yaml", "name: schedulerAgent\n" => "";
    "a profile of nothing": "profiles/standalone.yaml", "" => "# nothing yet\n";
    "two documents in a profile": "profiles/standalone.yaml", "# AI" => "---\n# AI";
    "a profile that is a list": "profiles/standalone.yaml", "" => "- profile: standalone\n";
    "a key twice": "profiles/standalone.yaml", "  vault: local\n" => "  vault: local\n  vault: tpm\n";
    // Types.
    "a list in place of a mapping": "profiles/standalone.yaml", "vector:\n  type: chroma\n  storage: local_filesystem" => "vector: [chroma]";
    "a text in place of a list": "profiles/standalone.yaml", "llms:\n  - ollama\n  - a1111" => "llms: ollama";
    "yes in place of true": "profiles/standalone.yaml", "auto_lock: true" => "auto_lock: yes";
    "true in quotes": "gitops.yaml", "auto_sync: true" => "auto_sync: \"true\"";
    "a number in quotes": "gitops.yaml", "rollback_limit: 10" => "rollback_limit: \"10\"";
    "a number in place of a name": "profiles/standalone.yaml", "  - ollama" => "  - 7";
    "nothing in place of a value": "profiles/enterprise.yaml", "autoscale: true" => "autoscale:";
    "a mapping in place of a switch": "profiles/enterprise.yaml", "rbac: enabled" => "rbac: {enabled: true}";
    "a fraction in place of a whole number": "gitops.yaml", "rollback_limit: 10" => "rollback_limit: 1.5";
    // Values.
    "a vector database that nobody knows": "profiles/developer_node.yaml", "vector: qdrant" => "vector: quadrant";
    "a mode that nobody knows": "profiles/developer_node.yaml", "deployment_mode: full_node" => "deployment_mode: fullnode";
    "a switch that nobody knows": "profiles/federation_node.yaml", "jwt: enabled" => "jwt: enable";
    "no encryption at rest": "profiles/standalone.yaml", "encryption: aes256" => "encryption: none";
    "an encryption that is broken": "profiles/standalone.yaml", "encryption: aes256" => "encryption: des";
    "a protocol without a version": "profiles/developer_node.yaml", "protocol: MAPv1" => "protocol: MAP";
    "an audit that nobody knows": "profiles/enterprise.yaml", "audit_logging: comprehensive" => "audit_logging: full";
    "a name with a space": "profiles/enterprise.yaml", "    - grafana" => "    - gra fana";
    "a name twice in a list": "profiles/enterprise.yaml", "    - grafana" => "    - prometheus";
    "a namespace in capitals": "profiles/enterprise.yaml", "namespace: kos-production" => "namespace: KOS";
    "a bucket that cannot be": "profiles/enterprise.yaml", "s3_bucket: kindai-enterprise-backups" => "s3_bucket: Kind_AI";
    "a schedule that is none": "profiles/enterprise.yaml", "schedule: daily" => "schedule: sometimes";
    "a limit below zero": "gitops.yaml", "rollback_limit: 10" => "rollback_limit: -1";
    "a limit beyond all": "gitops.yaml", "rollback_limit: 10" => "rollback_limit: 100000";
    "a threshold above one": "agents/moderatorAgent.yaml", "threshold: 0.8" => "threshold: 8";
    "a language that is none": "agents/translatorAgent.yaml", "  - de" => "  - german";
    "a colour without its sign": "themes/ui_theme_dark.yaml", "accent: \"#4fc3f7\"" => "accent: 4fc3f7";
    "a colour that is a comment": "themes/ui_theme_dark.yaml", "accent: \"#4fc3f7\"" => "accent: #4fc3f7";
    "a colour of five digits": "themes/ui_theme_dark.yaml", "\"#4fc3f7\"" => "\"#4fc3f\"";
    "a font that nobody can read": "themes/ui_theme_dark.yaml", "size: 14" => "size: 1";
    "an empty queue": "agents/schedulerAgent.yaml", "length_max: 1000" => "length_max: 0";
    // Durations.
    "a duration without a unit": "profiles/federation_node.yaml", "session_timeout: 24h" => "session_timeout: 24";
    "a duration of a unit that nobody knows": "gitops.yaml", "sync_interval: 5m" => "sync_interval: 5min";
    "a duration below zero": "agents/schedulerAgent.yaml", "interval: 30s" => "interval: -30s";
    "a duration in words": "klp/klp_settings.yaml", "timeout: 10s" => "timeout: ten seconds";
    "a time to keep without a unit": "profiles/enterprise.yaml", "retention: 7_years" => "retention: 7";
    // Keys that depend on each other.
    "a mode that does not fit the profile": "profiles/standalone.yaml", "deployment_mode: local_standalone" => "deployment_mode: clustered";
    "an enterprise on one machine": "profiles/enterprise.yaml", "deployment_mode: clustered" => "deployment_mode: local_standalone";
    "a cluster of nothing": "profiles/grid.yaml", "" => "profile: grid\ndeployment_mode: clustered\n";
    "a bridge without a federation": "profiles/developer_node.yaml", "messaging:" => "message_bus:\n  federation_bridge: klp\nmessaging:";
    "a bridge to a federation that is off": "profiles/federation_node.yaml", "enabled: true" => "enabled: false";
    "a public node that shakes no hands": "profiles/federation_node.yaml", "handshake_required: true" => "handshake_required: false";
    "replication of sqlite": "profiles/federation_node.yaml", "database: postgresql" => "database: sqlite";
    "sqlite without a place": "profiles/standalone.yaml", "  location: ~/.kai/data/\n" => "";
    "a mesh without an orchestrator": "profiles/developer_node.yaml", "orchestrator:\n  enabled: true" => "orchestrator:\n  enabled: false";
    "a chart without kubernetes": "profiles/enterprise.yaml", "  kubernetes: enabled\n" => "";
    "a backup that is not encrypted": "profiles/enterprise.yaml", "  encryption: kms\n" => "";
    "updates that nothing is trusted by": "bootstrap.yaml", "  trust_anchor: embedded_certificate\n" => "";
    "a code that leads nowhere": "bootstrap.yaml", "  enrollment_server: https://provision.kos.example.com\n" => "";
    "keys handed out in the clear": "bootstrap.yaml", "https://" => "http://";
    "a branch and a tag": "gitops.yaml", "branch: production" => "branch: production\n  tag: v1";
    // Names.
    "an agent that is not there": "profiles/federation_node.yaml", "- moderatorAgent" => "- moderateAgent";
    "an agent that was removed": "agents/schedulerAgent.yaml", "" => "(gone)";
    "a plugin that is not there": "profiles/enterprise.yaml", "- audit_log" => "- audit_logs";
    "a profile that is not there": "profiles/edge.yaml", "" => "profile: edge\nextends: standalon\n";
    "a bridge without settings": "klp/klp_settings.yaml", "" => "(gone)";
    "a bridge without a list of peers": "klp/peers.list", "" => "(gone)";
    "a bridge without peers": "klp/peers.list", "" => "# none yet\n";
    "a list of peers that is not there": "klp/klp_settings.yaml", "peers_file: peers.list" => "peers_file: peer.list";
    "a bus without redis": "profiles/developer_node.yaml", "cache: redis" => "cache: memory";
    "a variable that is not defined": "agents/moderatorAgent.yaml", "threshold: 0.8" => "endpoint: \"http://${KOS_HOST}/\"";
    "a variable that is nearly defined": "plugins/audit_log.yaml", "target: /var/log/kos/audit.log" => "target: \"/${KOS_DATADIR}/audit.log\"";
    "a profile that is called otherwise": "profiles/standalone.yaml", "profile: standalone" => "profile: personal";
    "an agent that is called otherwise": "agents/moderatorAgent.yaml", "name: moderatorAgent" => "name: moderator";
    // Files that are not YAML.
    "a line without a value": "system.env", "KOS_TELEMETRY=off" => "KOS_TELEMETRY";
    "YAML in an env file": "system.env", "KOS_TELEMETRY=off" => "KOS_TELEMETRY: off";
    "a variable twice": "system.env", "KOS_TELEMETRY=off" => "KOS_TIMEZONE=CET";
    "a variable that starts with a digit": "system.env", "KOS_TELEMETRY=off" => "2ND=off";
    "a quote that is not closed": "system.env", "KOS_TELEMETRY=off" => "KOS_TELEMETRY=\"off";
    "a space beside the sign": "system.env", "KOS_TELEMETRY=off" => "KOS_TELEMETRY = off";
    "a variable that uses one that is not there": "system.env", "KOS_TELEMETRY=off" => "KOS_LOG_DIR=${KOS_HOME}/log";
    "a peer without an address": "klp/peers.list", "peer-b klp://peer-b.example.com:7443" => "peer-b";
    "a peer of another protocol": "klp/peers.list", "klp://peer-b.example.com" => "https://peer-b.example.com";
    "a peer at no port": "klp/peers.list", "klp://peer-b.example.com:7443" => "klp://peer-b.example.com:74430";
    "a peer twice": "klp/peers.list", "peer-b klp://peer-b.example.com:7443" => "peer-a klp://peer-c.example.com:7443";
    "a peer with its password": "klp/peers.list", "klp://peer-b" => "klp://user:hunter2@peer-b";
    "a listener without a port": "klp/klp_settings.yaml", "listen: 0.0.0.0:7443" => "listen: 0.0.0.0";
};
