//! What `init` writes: the files of `fixtures/kos-config` and `fixtures/kconfigd.yaml`, kept in the
//! program so that it needs nothing else.

/// A commented `kconfigd.yaml` to start from.
pub(super) const SETTINGS: &str = include_str!("../../../fixtures/kconfigd.yaml");

/// The configuration repository to start from: paths and texts, sorted by path.
pub(super) const FILES: &[(&str, &str)] = &[
    ("README.md", include_str!("../../../fixtures/kos-config/README.md")),
    (
        "agents/moderatorAgent.yaml",
        include_str!("../../../fixtures/kos-config/agents/moderatorAgent.yaml"),
    ),
    (
        "agents/schedulerAgent.yaml",
        include_str!("../../../fixtures/kos-config/agents/schedulerAgent.yaml"),
    ),
    (
        "agents/synthesizerAgent.yaml",
        include_str!("../../../fixtures/kos-config/agents/synthesizerAgent.yaml"),
    ),
    (
        "agents/translatorAgent.yaml",
        include_str!("../../../fixtures/kos-config/agents/translatorAgent.yaml"),
    ),
    ("klp/klp_settings.yaml", include_str!("../../../fixtures/kos-config/klp/klp_settings.yaml")),
    ("klp/peers.list", include_str!("../../../fixtures/kos-config/klp/peers.list")),
    ("plugins/audit_log.yaml", include_str!("../../../fixtures/kos-config/plugins/audit_log.yaml")),
    (
        "plugins/compliance_checker.yaml",
        include_str!("../../../fixtures/kos-config/plugins/compliance_checker.yaml"),
    ),
    (
        "plugins/data_governance.yaml",
        include_str!("../../../fixtures/kos-config/plugins/data_governance.yaml"),
    ),
    ("plugins/logger.yaml", include_str!("../../../fixtures/kos-config/plugins/logger.yaml")),
    (
        "plugins/security_scanner.yaml",
        include_str!("../../../fixtures/kos-config/plugins/security_scanner.yaml"),
    ),
    (
        "profiles/developer_node.yaml",
        include_str!("../../../fixtures/kos-config/profiles/developer_node.yaml"),
    ),
    (
        "profiles/enterprise.yaml",
        include_str!("../../../fixtures/kos-config/profiles/enterprise.yaml"),
    ),
    (
        "profiles/federation_node.yaml",
        include_str!("../../../fixtures/kos-config/profiles/federation_node.yaml"),
    ),
    (
        "profiles/standalone.yaml",
        include_str!("../../../fixtures/kos-config/profiles/standalone.yaml"),
    ),
    ("secrets.env", include_str!("../../../fixtures/kos-config/secrets.env")),
    ("system.env", include_str!("../../../fixtures/kos-config/system.env")),
    (
        "themes/ui_theme_dark.yaml",
        include_str!("../../../fixtures/kos-config/themes/ui_theme_dark.yaml"),
    ),
];
