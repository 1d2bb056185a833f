# A version says what runs: one that moves by itself does not.
package kos.versions

import rego.v1

floating := {"latest", "stable", "edge", "nightly", "main", "master", "dev", "canary", "*"}

deny_floating contains {"msg": msg, "path": path} if {
	walk(input, [path, value])
	is_string(value)
	count(path) > 0
	key := lower(sprintf("%v", [path[count(path) - 1]]))
	key in {"version", "tag", "image_tag", "chart_version"}
	lower(value) in floating
	msg := sprintf("`%s: %s` is another version tomorrow: write the one that was tried", [key, value])
}

deny_floating contains {"msg": msg, "path": path} if {
	walk(input, [path, value])
	is_string(value)
	count(path) > 0
	key := lower(sprintf("%v", [path[count(path) - 1]]))
	key in {"image", "container", "container_image"}
	not contains(value, "@sha256:")
	parts := split(value, "/")
	name := parts[count(parts) - 1]
	lower(tag_of(name)) in floating
	msg := sprintf("the image `%s` has no version, or one that moves: write the one that was tried", [value])
}

tag_of(name) := split(name, ":")[1]

tag_of(name) := "latest" if not contains(name, ":")
