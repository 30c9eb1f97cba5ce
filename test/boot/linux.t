#!/usr/bin/env bash
# The stock Debian kernel, bare and under each scheme: boots without a complaint that
# the bare machine does not bring out, does its work, powers off.
. "$(dirname "$0")/tap.sh"

# Warnings and worse reach the console, and nothing else does.
APPEND="console=ttyS0 loglevel=5"
export APPEND
dir=$scratch/boot

boot() {
	tools/boot-scheme.sh "$1" "$dir" "$BUILD" "$KERNEL" \
		>/dev/null 2>"$scratch/errors"
	is "$1: status" "$?" 0
	is "$1: no sentence" "$(cat "$scratch/errors")" ""
	is "$1: how" "$(jq -r .end.how "$dir/$1.json")" poweroff
	is "$1: the workload is done" \
		"$(jq -c 'select(.done)' "$dir/$1.rows")" \
		'{"done":true,"failures":0}'
	is "$1: rows" "$(jq -r 'select(.row and .ok) | .row' "$dir/$1.rows" |
		wc -l)" 16
	[ "$1" = none ] || ok "$1: the audit finds nothing" jq -e \
		'.audit.breaches == 0 and .audit.entries > 100' "$dir/$1.json"
	ok "$1: the kernel powers down" grep -q "reboot: Power down" \
		"$dir/$1.console"
}

# What the kernel said, without times and numbers.
complaints() {
	sed -n 's/^\[ *[0-9.]*\] //p' "$dir/$1.console" |
		grep -v "reboot: Power down" | sed 's/[0-9]\+/N/g' | sort -u
}

new_complaints() {
	comm -13 <(complaints none) <(complaints "$1")
}

no_new_complaints() {
	new_complaints "$1" >"$scratch/new"
	cat "$scratch/new"
	[ ! -s "$scratch/new" ]
}

at_most() {
	echo "$1 at most $2"
	[ "$1" -le "$2" ]
}

boot none
boot nested
ok "nested: no complaint that none has not" no_new_complaints nested

# The comparison hears what is said before the console is there.
provoked() {
	local dir=$scratch/provoked
	mkdir "$dir"
	cp "$1/none.console" "$dir"
	APPEND="$APPEND mem=x vmmu.rows=syscall" \
		tools/boot-scheme.sh nested "$dir" "$BUILD" "$KERNEL"
	new_complaints nested | grep "Malformed early option 'mem'"
}
ok "nested: a complaint would be found" provoked "$dir"

# accounted EXITS FAULTS FILE: as many exits as faults, and as many of these as
# there are of all kinds together.
accounted() {
	jq -e "$1 == $2 and $2 == (.memory | .pf_guest + .pf_fixed +
		.pf_spurious + .pf_dirty + .pf_mmio + .pf_emulate +
		.pf_retry)" "$3"
}

for scheme in vtlb shadow; do
	boot $scheme
	ok "$scheme: no complaint that none has not" no_new_complaints $scheme
	json=$dir/$scheme.json
	is "$scheme: the scheme" "$(jq -r .mmu "$json")" $scheme
	ok "$scheme: nothing is nested" jq -e \
		'.exits.violation == 0 and .memory.violations == 0' "$json"
	ok "$scheme: exits add up" jq -e \
		'(.exits | del(.total) | add) == .exits.total' "$json"
	ok "$scheme: each #PF exit is one of the kinds" accounted \
		.exits.page_fault .memory.pf_taken "$json"
	ok "$scheme: pages are mapped by size" jq -e \
		'.mapped["4k"] > 100 and .mapped["2m"] > 0' "$json"
	ok "$scheme: exits for each fault of the guest" jq -e \
		'.memory.exits_per_fault | . > 1 and . < 20' "$json"
done
ok "shadow: the reuse of roots as a figure" jq -e '.memory |
	.root_reuse > 0.9 and .root_reuse < 1' "$dir/shadow.json"
ok "shadow: roots are found again" jq -e '.memory |
	.root_hits > 10 * .root_misses' "$dir/shadow.json"

# A guest that is moved from scheme to scheme while it runs sees nothing of it.
moved=$scratch/moved
run_moved() {
	vmmu run --mmu nested,vtlb,shadow --switch-every 40ms --kernel "$KERNEL" \
		--initrd "$BUILD/guest/initrd.cpio.gz" --append "$APPEND" \
		--timeout 180 --stats "$moved.json"
}
run_moved
is "nested,vtlb,shadow: status" "$status" 0
like "nested,vtlb,shadow: the workload's checksums hold" "$output" \
	'"done":true,"failures":0'
ok "nested,vtlb,shadow: it was moved" jq -e '.switches > 20' "$moved.json"
ok "nested,vtlb,shadow: all did their work" jq -e \
	'.exits.violation > 0 and .exits.page_fault > 0' "$moved.json"
ok "nested,vtlb,shadow: the audit finds nothing" jq -e \
	'.audit.breaches == 0 and .audit.entries > 100 * .switches' \
	"$moved.json"

json=$dir/nested.json
is "nested: the scheme" "$(jq -r .mmu "$json")" nested
is "nested: the format" "$(jq -r .format "$json")" npt
is "nested: the engine" "$(jq -r .engine "$json")" svm
ok "nested: faults that map" at_most "$(jq .memory.pf_fixed "$json")" 128
ok "nested: exits add up" jq -e \
	'(.exits | del(.total) | add) == .exits.total' "$json"
ok "nested: each violation is one of the kinds" accounted \
	.exits.violation .memory.violations "$json"
ok "nested: exits there are" jq -e '.exits.total > 0' "$json"
ok "nested: the workload's memory is mapped" jq -e \
	'.mapped["4k"] * 4096 + .mapped["2m"] * 2097152 +
	 .mapped["1g"] * 1073741824 | . > 64 * 1048576' "$json"
ok "nested: nothing is mapped that was not given" jq -e \
	'.mapped["4k"] * 4096 + .mapped["2m"] * 2097152 +
	 .mapped["1g"] * 1073741824 <= .memory_given' "$json"
ok "nested: no more memory than was asked" jq -e \
	'.memory_given <= 536870912' "$json"

# Counted instructions repeat to the last one.
again() {
	cp "$dir/nested.rows" "$scratch/first"
	tools/boot-scheme.sh nested "$dir" "$BUILD" "$KERNEL" >/dev/null 2>&1
	diff "$scratch/first" "$dir/nested.rows"
}
ok "nested: a second run counts the same" again
finish
