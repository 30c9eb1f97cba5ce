#!/usr/bin/env bash
# Fetches Debian's stock cloud kernel by its package and unpacks it, without
# installing it: DIR/vmlinuz. Does nothing when that is there already.
# Usage: fetch-kernel.sh DIR
set -euo pipefail

meta=linux-image-cloud-amd64
mkdir -p "$1"
cd "$1"
[ ! -s vmlinuz ] || exit 0

die() {
	echo "fetch-kernel: $1" >&2
	exit 1
}

command -v apt-get >/dev/null ||
	die "no apt-get here: put a Linux bzImage at $1/vmlinuz"

package() {
	apt-cache depends $meta 2>/dev/null |
		awk '$1 == "Depends:" && $2 ~ /^linux-image-/ { print $2; exit }'
}

name=$(package)
if [ -z "$name" ]; then
	[ "$(id -u)" = 0 ] || die "as root, please: apt-get update"
	apt-get update -qq || die "apt-get update failed"
	name=$(package)
fi
[ -n "$name" ] || die "apt-cache knows no $meta"

echo "fetch-kernel: downloading $name"
# Not the sandbox user: it could not write here.
if ! apt-get -qq -o APT::Sandbox::User=root download "$name"; then
	[ "$(id -u)" = 0 ] || die "$name cannot be downloaded"
	apt-get update -qq
	apt-get -qq -o APT::Sandbox::User=root download "$name" ||
		die "$name cannot be downloaded"
fi
dpkg -x "$name"_*.deb unpacked
rm -f "$name"_*.deb
mv unpacked/boot/vmlinuz-* .
rm -rf unpacked
# The name tells the version; the link is what everything else uses.
ln -sf vmlinuz-* vmlinuz
