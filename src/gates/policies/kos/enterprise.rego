# What an enterprise has to keep.
package kos.enterprise

import data.kos.values
import rego.v1

shortest := "30d"

deny_audit contains {"msg": msg, "path": ["auth", "audit_logging"]} if {
	input.profile == "enterprise"
	level := input.auth.audit_logging
	level in {"none", "basic"}
	msg := sprintf("an enterprise logs who did what: `audit_logging: %s` is not enough, write standard or comprehensive", [level])
}

deny_audit contains {"msg": "an enterprise logs who did what: `auth.audit_logging` is missing", "path": ["auth"]} if {
	input.profile == "enterprise"
	values.is_whole_profile
	not input.auth.audit_logging
}

deny_rbac contains {"msg": "an enterprise gives rights by role: `auth.rbac` has to be enabled", "path": ["auth", "rbac"]} if {
	input.profile == "enterprise"
	rbac := input.auth.rbac
	not values.is_on(rbac)
}

deny_rbac contains {"msg": "an enterprise gives rights by role: `auth.rbac` is missing", "path": ["auth"]} if {
	input.profile == "enterprise"
	values.is_whole_profile
	not has_rbac
}

has_rbac if input.auth.rbac == input.auth.rbac

deny_backup contains {"msg": "an enterprise keeps backups: `backup` is missing", "path": []} if {
	input.profile == "enterprise"
	values.is_whole_profile
	not input.backup
}

deny_retention contains {"msg": msg, "path": ["backup", "retention"]} if {
	values.is_profile
	retention := input.backup.retention
	values.seconds(retention) < values.seconds(shortest)
	msg := sprintf("backups are kept for %s, and at least %s are needed: damage is often found later", [retention, shortest])
}
