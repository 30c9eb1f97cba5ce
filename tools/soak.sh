#!/usr/bin/env bash
# Boots the stock kernel N times under each scheme, to the end of its
# workload, in real time: timer interrupts fall elsewhere in each boot.
# Usage: soak.sh BUILD KERNEL N SCHEME...
set -uo pipefail

build=$1 kernel=$2 count=$3
shift 3
dir=$build/soak
mkdir -p "$dir"
failed=0

boot() {
	local out=$dir/$1-$2
	"$build/vmmu" run --mmu "$1" --kernel "$kernel" \
		--initrd "$build/guest/initrd.cpio.gz" \
		--append "console=ttyS0" --timeout 180 --stats "$out.json" \
		--log "$out.log" </dev/null >"$out.console" 2>"$out.errors" &&
		grep -q '^@vmmu {"done":true,"failures":0}' "$out.console"
}

for scheme in "$@"; do
	good=0
	for i in $(seq "$count"); do
		if boot "$scheme" "$i"; then
			good=$((good + 1))
		else
			failed=$((failed + 1))
			echo "$scheme: boot $i failed: $dir/$scheme-$i.*"
			cat "$dir/$scheme-$i.errors"
		fi
		[ ! -t 2 ] || printf '\r%s: %s of %s' "$scheme" "$i" \
			"$count" >&2
	done
	[ ! -t 2 ] || printf '\r\033[K' >&2
	echo "$scheme: $good of $count boots good"
done
exit $((failed != 0))
