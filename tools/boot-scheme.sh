#!/usr/bin/env bash
# Boots the guest image once under one scheme, counting instructions, and
# leaves DIR/SCHEME.console, .json (statistics) and .rows (the guest's own
# lines, as JSON). Shows what it is at when standard error is a terminal.
# Usage: boot-scheme.sh SCHEME DIR BUILD KERNEL
# The scheme shadow-pv is shadow for a paravirtual guest.
# The environment's TIMEOUT (seconds) bounds it; ROOTS is how many roots shadow
# keeps; MACHINE is what executes, as vmmu run takes it.
set -uo pipefail

scheme=$1 dir=$2 build=$3 kernel=$4
out=$dir/$scheme
mkdir -p "$dir"
rm -f "$out".*
: >"$out.rows"

progress() {
	[ ! -t 2 ] || printf '\r\033[K%s' "$1" >&2
}

# A paravirtual guest has no UART.
console=ttyS0
case $scheme in direct | *-pv) console=hvc0 ;; esac
guest=()
[ "$scheme" = "${scheme%-pv}" ] || guest=(--guest pv)

progress "$scheme: booting"
"$build/vmmu" run --machine "${MACHINE:-tcg}" --mmu "${scheme%-pv}" \
	"${guest[@]}" --icount \
	--kernel "$kernel" \
	--initrd "$build/guest/initrd.cpio.gz" \
	--append "console=$console ${APPEND-quiet}" --timeout "${TIMEOUT:-300}" \
	${ROOTS:+--roots "$ROOTS"} \
	--stats "$out.json" --log "$out.log" </dev/null 2>"$out.errors" |
	tr -d '\r' | tee "$out.console" | sed -un 's/^@vmmu //p' |
	while read -r line; do
		echo "$line" >>"$out.rows"
		progress "$scheme: $line"
	done
status=${PIPESTATUS[0]}
progress ""
cat "$out.errors" >&2
exit "$status"
