#!/usr/bin/env bash
# The small bare-metal guests on VMX, under each scheme: each ends as its
# header says.
. "$(dirname "$0")/../boot/tap.sh"
. test/vmx/bochs.sh

for scheme in nested vtlb shadow; do
	for guest in cpuidloop mmio msrports unmapped "corner parts=7" \
		"regs strict=1"; do
		run $scheme $guest
		ends 1 exit 0
		ok "$label: nothing failed" no_failed_line
	done
	run $scheme scribble
	ends 6 triple-fault
	is "$label: console" "$output" "scribble: paging is on"
	for guest in "garbage seed=1" "garbage seed=2" wildroot mmioidt; do
		run $scheme $guest
		is "$label: status" "$status" 6
		like "$label: how" "$(stat .end.how)" '^(triple-fault|killed)$'
	done
done
# The monitor's input is an interrupt, which this guest keeps off for ever.
printf '%s\n' 'expect on' 'info mtree' quit >"$scratch/commands"
for scheme in vtlb shadow; do
	run $scheme spin "" --monitor "$scratch/commands"
	is "$label: status" "$status" 12
	like "$label: the monitor answers" "$sentence" "i/o.: local APIC"
done

# Every switch of tasks makes an exit on VMX, and none is carried out.
for scheme in nested vtlb shadow; do
	run $scheme task
	ends 6 killed
	like "$label: sentence" "$sentence" \
		"the guest switches tasks by hardware at rip 0x10"
done

# Real mode is for unrestricted guests, which have EPT.
run nested real
ends 1 exit 0
for scheme in vtlb shadow; do
	run $scheme real
	ends 6 killed
	like "$label: sentence" "$sentence" \
		"is in real mode at rip 0x80[0-9a-f]{2}, which this processor"
done

for scheme in nested vtlb shadow; do
	for levels in 2 3 4; do
		run $scheme permute levels=$levels
		ends 1 exit 0
		like "$label: nothing is wrong" "$output" \
			'permute: [0-9]{6} cases, 0 wrong'
	done
done
run vtlb touch order=1 --table-memory 64 --set fault-around=4
ends 1 exit 0
is "nothing is left behind" "$(ls "$scratch/tmp")" ""
finish
