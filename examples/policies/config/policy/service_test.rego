# Tests of the rules beside it: `kconfigd policy test`.
package main

import rego.v1

good := {"owner": "payments", "ports": [8080], "alerts": ["pager"]}

test_a_good_service_passes if {
	count(deny) == 0 with input as good
	count(warn) == 0 with input as good
}

test_low_ports_are_refused if {
	some one in violation_port with input as object.union(good, {"ports": [8080, 80]})
	one.details.path == ["ports", 1]
}

test_owners_are_teams if {
	count(deny) == 1 with input as object.union(good, {"owner": "nobody"})
}
