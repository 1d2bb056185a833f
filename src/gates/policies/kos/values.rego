# What the other rules of the preset share.
package kos.values

import rego.v1

# Words that switch something off.
off := {"none", "off", "no", "disabled", "false", "plain", "plaintext", "unencrypted", false}

is_off(value) if value in off

is_off(value) if lower(value) in off

is_on(value) if value in {"enabled", "required", true}

# Whether a document is a profile.
is_profile if is_string(input.profile)

# Whether a document is a profile as a whole, and not a change of another one.
is_whole_profile if {
	is_profile
	not input.extends
}

# A time in seconds: 30s, 24h, 90d, 7y, 7_years.
seconds(text) := number * size if {
	parts := regex.find_all_string_submatch_n(`^([0-9]+)_?([a-z]+?)s?$`, text, 1)[0]
	number := to_number(parts[1])
	size := sizes[parts[2]]
}

seconds(text) := 0 if regex.match(`^[0-9]+ms$`, text)

# `30s` is taken by the `s` that a plural has, so a number alone means seconds.
seconds(text) := to_number(trim_suffix(text, "s")) if regex.match(`^[0-9]+s$`, text)

sizes := {
	"m": 60,
	"h": 3600,
	"hour": 3600,
	"d": 86400,
	"day": 86400,
	"w": 604800,
	"week": 604800,
	"month": 2592000,
	"y": 31536000,
	"year": 31536000,
}
