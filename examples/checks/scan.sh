#!/bin/sh
# scan.sh TREE ADVISORIES: fails where the tree names something of the list. A line of the list is
# what is named, and behind a tab why it must not be.
set -eu
found=0
while IFS="$(printf '\t')" read -r name why; do
	case $name in '' | '#'*) continue ;; esac
	if places=$(grep -rnF -- "$name" "$1"); then
		printf '%s\n' "$places" | sed "s|^$1/||; s|\$|: $why|"
		found=1
	fi
done <"$2"
exit $found
