# About one service at a time.
package main

import rego.v1

deny contains {"msg": msg, "path": ["owner"]} if {
	not input.owner in data.teams
	msg := sprintf("the team `%v` is not one of %v", [input.owner, concat(", ", data.teams)])
}

violation_port contains {"msg": msg, "details": {"path": ["ports", i]}} if {
	some i, port in input.ports
	port < 1024
	msg := sprintf("port %d needs a process with more rights than a service should have", [port])
}

warn contains "nobody is told when it is down: add `alerts`" if not input.alerts
