# A session ends within a day.
package kos.session

import data.kos.values
import rego.v1

longest := "24h"

deny_lifetime contains {"msg": msg, "path": ["auth", "session_timeout"]} if {
	values.is_profile
	timeout := input.auth.session_timeout
	values.seconds(timeout) > values.seconds(longest)
	msg := sprintf("a session lasts %s, and at most %s is allowed: a stolen one works that long", [timeout, longest])
}

deny_lifetime contains {"msg": "a session that never ends is never taken from who stole it: write a time up to 24h", "path": ["auth", "session_timeout"]} if {
	values.is_profile
	values.seconds(input.auth.session_timeout) == 0
	not endswith(input.auth.session_timeout, "ms")
}
