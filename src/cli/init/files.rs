macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../../fixtures/kos-config/", $path)))),*]
    };
}

/// The example: each file's path in the repository, and its text.
pub(crate) const FILES: &[(&str, &str)] = files![
    "README.md",
    "agents/moderatorAgent.yaml",
    "agents/schedulerAgent.yaml",
    "agents/synthesizerAgent.yaml",
    "agents/translatorAgent.yaml",
    "klp/klp_settings.yaml",
    "klp/peers.list",
    "plugins/audit_log.yaml",
    "plugins/compliance_checker.yaml",
    "plugins/data_governance.yaml",
    "plugins/logger.yaml",
    "plugins/security_scanner.yaml",
    "profiles/developer_node.yaml",
    "profiles/enterprise.yaml",
    "profiles/federation_node.yaml",
    "profiles/standalone.yaml",
    "secrets.env",
    "system.env",
    "themes/ui_theme_dark.yaml",
];

/// The commented settings that belong to it.
pub(crate) const SETTINGS: &str = include_str!("../../../fixtures/kconfigd.yaml");
