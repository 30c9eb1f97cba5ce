#!/usr/bin/env bash
# The small bare-metal guests, bare and under each scheme: each ends as its
# header says.
#
# Where QEMU's own machine differs from a real one (it reads zeros where no
# memory answers, and knows no unknown MSR), the bare run is left out.
. "$(dirname "$0")/tap.sh"

# run SCHEME GUEST [APPEND [OPTION...]]
run() {
	label="$*"
	local scheme=$1 guest=$2 append=${3:-}
	shift $(($# < 3 ? $# : 3))
	: >"$scratch/log"
	vmmu run --mmu "$scheme" --icount --memory 64M --timeout 60 \
		--kernel "$BUILD/guest/$guest.elf" --append "$append" \
		--stats "$scratch/stats" --log "$scratch/log" "$@"
	[ "$scheme" = none ] || ok "$label: nothing is left or wrong" came_back
}

# The hypervisor's last words: how the guest ended. No frame is missing, and
# the audit has found nothing.
came_back() {
	cat "$scratch/log"
	[ -s "$scratch/log" ] &&
		! grep -E "did not come back|^vmmu: I[0-9]:" "$scratch/log"
}

# ends STATUS HOW CODE
ends() {
	is "$label: status" "$status" "$1"
	is "$label: how" "$(stat .end.how)" "$2"
	[ -z "${3:-}" ] || is "$label: code" "$(stat .end.code)" "$3"
}

no_failed_line() {
	! grep -n FAILED <<<"$output"
}

schemes="nested vtlb shadow"

for scheme in none $schemes; do
	run $scheme hello
	ends 1 exit 0
	is "$label: console" "$output" "hello from a Multiboot guest"
	for code in 0 5 100; do
		run $scheme exitcode "code=$code"
		ends $((code << 1 | 1)) exit $code
	done
	run $scheme triple
	ends 6 triple-fault
	is "$label: console" "$output" "triple: going"
	like "$label: sentence" "$sentence" "^vmmu: the guest stopped: .*triple"
	run $scheme scribble
	ends 6 triple-fault
	is "$label: console" "$output" "scribble: paging is on"
	run $scheme cpuidloop
	ends 1 exit 0
	like "$label: row" "$output" '"row":"cpuid","per_op":[0-9]+'
	run $scheme mmio
	ends 1 exit 0
	ok "$label: nothing failed" no_failed_line
done

# stops: a triple fault, as on a real machine, or the hypervisor by name.
stops() {
	is "$label: status" "$status" 6
	like "$label: how" "$(stat .end.how)" '^(triple-fault|killed)$'
	like "$label: sentence" "$sentence" "^vmmu: the guest stopped: .+"
}

# These seeds come to a triple fault on the bare machine. On the way there
# they touch what no memory backs with instructions of every kind.
for seed in 1 2 5 6 7 9 10 11; do
	run none garbage "seed=$seed"
	ends 6 triple-fault
	for scheme in $schemes; do
		run $scheme garbage "seed=$seed"
		stops
	done
done

for guest in wildroot mmioidt; do
	run none $guest
	ends 6 triple-fault
	for scheme in $schemes; do
		run $scheme $guest
		stops
	done
done
like "$label: the vector is named" "$sentence" "takes vector 64 by way of gpa"

# QEMU's own machine does not end HLT by a single step (part 2).
for part in 1 3 4; do
	run none corner "only=$part"
	ends 1 exit 0
done
for scheme in $schemes; do
	run $scheme corner
	ends 1 exit 0
	ok "$label: nothing failed" no_failed_line
done

run none regs
ends 1 exit 0
for scheme in $schemes; do
	run $scheme regs strict=1
	ends 1 exit 0
	ok "$label: nothing failed" no_failed_line
done

# As much memory as the machine has: refused, or there to the last page.
run nested touch
ends 1 exit 0
free=$(sed -n 's/^vmmu: \([0-9]*\) MiB free.*/\1/p' "$scratch/log")
run nested touch order=1 --set "memory=$((free << 20))"
ends 1 exit 0
run nested touch "" --set "memory=$(((free + 1) << 20))"
ends 4 refused
for scheme in nested vtlb; do
	run $scheme touch order=1 --table-memory 64 --set fault-around=4
	ends 1 exit 0
done
run shadow touch order=1 --table-memory 256
ends 1 exit 0
run shadow hello "" --table-memory 64
ends 4 refused
run nested hello "" --memory 5G
ends 1 exit 0

# Refused when the VM is half made.
truncate -s 20M "$scratch/module"
run nested hello "" --memory 16M --initrd "$scratch/module"
ends 4 refused

for scheme in $schemes; do
	for guest in real unmapped msrports settsc; do
		run $scheme $guest
		ends 1 exit 0
		ok "$label: nothing failed" no_failed_line
	done
done
# SVM's nested paging leaves a switch of tasks to the processor.
for scheme in none nested; do
	run $scheme task
	ends 1 exit 0
	ok "$label: nothing failed" no_failed_line
done
finish
