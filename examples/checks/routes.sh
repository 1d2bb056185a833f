#!/bin/sh
# routes.sh ROUTES REQUESTS: where would each request go? A line of ROUTES is a prefix and a backend;
# a line of REQUESTS is a path and the backend that it must reach. The longest prefix counts.
set -eu
awk -v routes="$1" '
	BEGIN { while ((getline line < routes) > 0) { split(line, at); if (at[2] != "" && line !~ /^#/) backend[at[1]] = at[2] } }
	/^#/ || NF == 0 { next }
	{
		best = ""
		for (prefix in backend)
			if (index($1, prefix) == 1 && length(prefix) > length(best)) best = prefix
		goes = best == "" ? "nowhere" : backend[best]
		if (goes != $2) { print $1 " goes to " goes ", and has to go to " $2; failed = 1 }
	}
	END { exit failed }' "$2"
