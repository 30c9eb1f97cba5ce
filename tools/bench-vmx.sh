#!/usr/bin/env bash
# What an exit and a page fault cost on VMX, as Bochs emulates it: it counts
# instructions, and a tick of its time-stamp counter is one.
# Usage: bench-vmx.sh BUILD KERNEL
# Fails when a must is missed.
set -uo pipefail

build=$1 kernel=$2
dir=$build/bench/vmx
missed=0
export MACHINE=bochs

# verdict NAME VALUE MUST UNIT AIM: one line, and a count of what is missed.
verdict() {
	local word=ok
	[ "$3" = - ] || awk -v value="$2" -v must="$3" \
		'BEGIN { exit !(value != "" && value + 0 <= must + 0) }' || {
		word=MISSED
		missed=$((missed + 1))
	}
	printf '%-24s %10s %-13s must %5s aim %5s  %s\n' "$1" "${2:--}" "$4" \
		"$3" "$5" "$word"
}

# One CPUID in a loop, less the loop itself, which QEMU counts.
cpuid() {
	"$build/vmmu" run "$@" --icount --memory 64M --timeout 60 \
		--kernel "$build/guest/cpuidloop.elf" </dev/null |
		sed -n 's/^@vmmu //p' | tr -d '\r'
}
cpuid --mmu none >"$dir.bare"
cpuid --mmu nested --machine bochs >"$dir.cpuid"
for row in cpuid cpuid_paged; do
	verdict "nested $row exit" "$(jq -rs --arg row $row \
		'map(select(.row == $row) | .per_op) | .[1] - .[0]' \
		"$dir.bare" "$dir.cpuid")" 400 instructions 250
done

APPEND="quiet vmmu.rows=touch" tools/boot-scheme.sh nested "$dir" "$build" \
	"$kernel" >/dev/null
verdict "nested faults that map" "$(jq .memory.pf_fixed "$dir/nested.json")" \
	128 "" 16

# Exits for each page fault that the guest takes when it touches fresh memory:
# what more repetitions of that row add. The guest counts the faults: one an
# operation, of which those that hardware gave it are told by nobody else.
# vtlb has no must: it does not watch the guest's tables, so a fault on an entry
# that was absent has to come, and so has the one after it was filled.
for scheme in shadow vtlb; do
	must=1.3 aim=1.1
	[ $scheme = shadow ] || must=- aim=-
	for n in 1 5; do
		APPEND="quiet nopti vmmu.rows=touch vmmu.repeat=$n" \
			tools/boot-scheme.sh $scheme "$dir/touch$n" "$build" \
			"$kernel" >/dev/null
	done
	ops=$(jq -s 'map(select(.row == "touch") | .ops) | add' \
		"$dir/touch5/$scheme.rows")
	first=$(jq -s 'map(select(.row == "touch") | .ops) | add' \
		"$dir/touch1/$scheme.rows")
	verdict "$scheme exits per fault" "$(jq -s --argjson ops \
		$((${ops:-0} - ${first:-0})) '
		((.[1].exits | .page_fault + .cr + .invlpg) -
		 (.[0].exits | .page_fault + .cr + .invlpg)) / $ops * 1000 |
		round / 1000' "$dir/touch1/$scheme.json" \
		"$dir/touch5/$scheme.json")" $must "" $aim
done
echo "$missed missed"
exit $((missed != 0))
