#!/usr/bin/env bash
# Installs the Debian packages of tools/deps.txt that are missing.
# Usage: install-deps.sh demo|check
set -euo pipefail
cd "$(dirname "$0")"

wanted=$(awk -v what="$1" \
	'/^#/ { next } $1 == "demo" || $1 == what { print $2 }' deps.txt)

die() {
	echo "install-deps: $1" >&2
	exit 1
}

installed() {
	[ "$(dpkg-query -W -f '${Status}' "$1" 2>/dev/null)" = \
		"install ok installed" ]
}

command -v dpkg-query >/dev/null || {
	echo "install-deps: this is no Debian; it needs what Debian calls:" \
		$wanted >&2
	exit 0
}

missing=
for package in $wanted; do
	installed "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

[ "$(id -u)" = 0 ] || die "as root, please: apt-get install$missing"
command -v apt-get >/dev/null || die "no apt-get here; missing:$missing"
echo "install-deps: installing$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get install -qq -y --no-install-recommends $missing >/dev/null 2>&1 || {
	# The lists of packages may be old, or not there at all.
	apt-get update -qq
	apt-get install -qq -y --no-install-recommends $missing >/dev/null
} || die "apt-get could not install:$missing"
