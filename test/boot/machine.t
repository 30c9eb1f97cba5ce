#!/usr/bin/env bash
# The hypervisor's machine layer, without a guest, on several emulated
# machines: its self-test passes on each, a fault ends in a dump with names,
# and a machine that it cannot run on is refused by a sentence.
. "$(dirname "$0")/tap.sh"

passed="selftest: [1-9][0-9]* passed, 0 failed"
crashed=107 # 0x35 << 1 | 1

# machine NAME ARGUMENTS QEMU-OPTIONS...: leaves $status and $report.
machine() {
	local arguments=$2
	label=$1
	shift 2
	timeout 60 qemu-system-x86_64 -nodefaults -display none -accel tcg \
		-kernel "$BUILD/vmmu.elf" -append "$arguments" \
		-serial null -serial "file:$scratch/report" \
		-device isa-debug-exit,iobase=0xf4,iosize=4 "$@" 2>/dev/null
	status=$?
	report=$(cat "$scratch/report")
}

# says STATUS PATTERN...: how it ended, and what the report must have.
says() {
	is "$label: status" "$status" "$1"
	shift
	for pattern in "$@"; do
		like "$label: $pattern" "$report" "$pattern"
	done
}

machine "EPYC, 640 MiB" selftest -m 640M -cpu EPYC,+svm,+npt
says 1 "$passed"
machine "q35, no XSAVE, no 1 GiB pages" selftest -m 640M -cpu qemu64 -M q35
says 1 "$passed"
machine "memory above 4 GiB" selftest -m 5G -cpu max
says 1 "$passed"
machine "16 MiB" selftest -m 16M -cpu max
says 1 "$passed"
machine "instructions as time" selftest -m 128M -cpu EPYC \
	-icount shift=0,sleep=off
says 1 "$passed" "TSC 1000000 kHz"

machine "crash=ud" crash=ud -m 64M -cpu max
says $crashed "panic: #UD" " rip ffff8000" " at .* crash_ud\+0x" \
	" by .* main_on_stack\+0x"
machine "crash=pf" crash=pf -m 64M -cpu max
says $crashed "panic: #PF page fault, error code 0x2" \
	"cr2 00000deadbeef000" " at .* crash_pf\+0x"
machine "crash=stack" crash=stack -m 64M -cpu max
says $crashed "panic: #DF" "guard page" "times more" " by .* main_on_stack\+0x"

# A guest is refused, and what would work is named.
cp "$BUILD/guest/hello.elf" "$scratch/hello"
machine "neither SVM nor VMX" "mmu=nested memory=33554432" -m 128M \
	-cpu max,-svm -initrd "$scratch/hello"
says 1 "has neither AMD SVM nor Intel VMX, which mmu=nested, vtlb and shadow" \
	"a paravirtual Linux needs neither, under mmu=direct or under guest=pv" \
	'"how":"refused"'

machine "no long mode" "" -m 64M -cpu qemu32
says $crashed "no long mode"
machine "no NX" "" -m 64M -cpu qemu64,-nx
says $crashed "no long mode with no-execute"
m=$BUILD/vmmu.elf
machine "nine modules" "" -m 64M -cpu max -initrd "$m,$m,$m,$m,$m,$m,$m,$m,$m"
says $crashed "panic: too many modules"

finish
