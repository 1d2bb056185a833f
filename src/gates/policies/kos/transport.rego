# What leaves the machine is encrypted.
package kos.transport

import rego.v1

plain := {"http": "https", "ws": "wss", "ftp": "sftp", "mqtt": "mqtts", "amqp": "amqps", "ldap": "ldaps", "redis": "rediss", "smtp": "smtps"}

deny_plain contains {"msg": msg, "path": path} if {
	walk(input, [path, value])
	is_string(value)
	parts := regex.find_all_string_submatch_n(`^([a-z]+)://([^/@ ]*@)?(\[[0-9A-Fa-f:]+\]|[^/:?# ]+)`, value, 1)[0]
	better := plain[parts[1]]
	not is_inside(parts[3])
	msg := sprintf("`%s://` goes to %s unencrypted: use %s://", [parts[1], parts[3], better])
}

# This machine, and names that only its own network knows.
is_inside(host) if host in {"localhost", "127.0.0.1", "[::1]", "0.0.0.0", "host.docker.internal"}

is_inside(host) if startswith(host, "127.")

is_inside(host) if not contains(trim_suffix(host, "."), ".")

is_inside(host) if {
	some ending in {".localhost", ".local", ".internal", ".svc", ".svc.cluster.local"}
	endswith(host, ending)
}

is_inside(host) if {
	some range in ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"]
	regex.match(`^[0-9.]+$`, host)
	net.cidr_contains(range, host)
}
