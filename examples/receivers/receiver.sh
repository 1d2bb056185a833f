#!/bin/sh
# A node in shell: one HTTP request on stdin, the answer on stdout. Needs openssl 3 and od.
#
#   socat TCP-LISTEN:9001,bind=127.0.0.1,reuseaddr,fork EXEC:'./receiver.sh edge-1.key'
#
# or a systemd socket with Accept=yes. Keys, one a line: whsec_ (HMAC-SHA256) and whpk_ (Ed25519).
# Delivery is at least once: act on a webhook-id once (left out here).
set -eu
LC_ALL=C
export LC_ALL
secret_file=${1:?usage: receiver.sh SECRET_FILE < request}
body_bytes_max=1048576
tolerance=300
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM

answer() { # status text
	printf 'HTTP/1.1 %s\r\ncontent-length: %s\r\nconnection: close\r\n\r\n%s' "$1" "${#2}" "$2"
	exit 0
}

# The secret is never an argument of a program, where `ps` would show it: HMAC is written out
# (RFC 2104: H(key ^ opad, H(key ^ ipad, message))), and printf is part of the shell.
bytes() { # numbers
	for number in "$@"; do
		# shellcheck disable=SC2059
		printf "\\$(printf %03o "$number")"
	done
}
hmac() { # key as numbers; the message is $folder/signed
	inner= outer= count=0
	for number in "$@"; do
		inner="$inner $((number ^ 0x36))" outer="$outer $((number ^ 0x5c))" count=$((count + 1))
	done
	while [ "$count" -lt 64 ]; do
		inner="$inner 54" outer="$outer 92" count=$((count + 1))
	done
	# shellcheck disable=SC2086
	{ bytes $inner; cat "$folder/signed"; } | openssl dgst -sha256 -binary >"$folder/inner"
	# shellcheck disable=SC2086
	{ bytes $outer; cat "$folder/inner"; } | openssl dgst -sha256 -binary | openssl base64 -A
}

made_by() { # key line, version, signature
	case "$1 $2" in
	whsec_*\ v1)
		numbers=$(printf %s "${1#whsec_}" | openssl base64 -d -A | od -An -v -tu1)
		# shellcheck disable=SC2086
		[ "$(hmac $numbers)" = "$3" ]
		;;
	whpk_*\ v1a)
		# The fixed head of an Ed25519 public key in DER, RFC 8410.
		{
			printf '\060\052\060\005\006\003\053\145\160\003\041\000'
			printf %s "${1#whpk_}" | openssl base64 -d -A
		} >"$folder/key"
		printf %s "$3" | openssl base64 -d -A >"$folder/signature"
		openssl pkeyutl -verify -rawin -pubin -keyform DER -inkey "$folder/key" \
			-in "$folder/signed" -sigfile "$folder/signature" >/dev/null 2>&1
		;;
	*) false ;;
	esac
}

verified() {
	set -f # signatures are words, never file names
	while read -r key || [ -n "$key" ]; do
		for one in $signature; do
			if made_by "$key" "${one%%,*}" "${one#*,}"; then return 0; fi
		done
	done <"$secret_file"
	return 1
}

carriage_return=$(printf '\r')
length= id= timestamp= signature=
read -r method _
while read -r line; do
	line=${line%"$carriage_return"}
	[ -n "$line" ] || break
	value=${line#*:}
	value=${value# }
	case $(printf %s "${line%%:*}" | tr '[:upper:]' '[:lower:]') in
	content-length) length=$value ;;
	webhook-id) id=$value ;;
	webhook-timestamp) timestamp=$value ;;
	webhook-signature) signature=$value ;;
	esac
done
[ "$method" = POST ] || answer '405 Method Not Allowed' 'events are posted'
case $length in '' | *[!0-9]* | ????????*) answer '413 Content Too Large' 'at most 1 MiB' ;; esac
[ "$length" -le "$body_bytes_max" ] || answer '413 Content Too Large' 'at most 1 MiB'
head -c "$length" >"$folder/body"

case $timestamp in '' | *[!0-9]* | ????????????*) answer '401 Unauthorized' 'no timestamp' ;; esac
age=$(($(date +%s) - timestamp))
[ "$age" -le "$tolerance" ] && [ "$age" -ge "-$tolerance" ] || answer '401 Unauthorized' 'too old'
printf '%s.%s.' "$id" "$timestamp" | cat - "$folder/body" >"$folder/signed"
verified || answer '401 Unauthorized' 'no signature matches'

# What the node does; quick, since the sender waits for the answer.
cat "$folder/body" >&2
echo >&2
answer '204 No Content' ''
