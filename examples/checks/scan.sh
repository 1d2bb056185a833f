#!/bin/sh
# scan.sh TREE ADVISORIES: fails where the tree names something of the list. A line of the list is
# what is named, and behind a tab why it must not be.
set -eu
found=0
tab=$(printf '\t')
while IFS=$tab read -r name why || [ -n "$name" ]; do
	case $name in '' | '#'*) continue ;; esac
	status=0
	places=$(grep -rnF -- "$name" "$1") || status=$?
	case $status in
	0)
		printf '%s\n' "$places" | while IFS= read -r place; do
			printf '%s: %s\n' "${place#"$1"/}" "$why"
		done
		found=1
		;;
	1) ;;
	*)
		echo "the tree could not be searched for $name" >&2
		exit 2
		;;
	esac
done <"$2"
exit $found
