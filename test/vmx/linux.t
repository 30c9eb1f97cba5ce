#!/usr/bin/env bash
# The stock kernel on VMX to the end of its workload: bare, under each scheme,
# and moved from one to the next while it runs.
. "$(dirname "$0")/../boot/tap.sh"
. test/vmx/bochs.sh

vmmu run --machine bochs --mmu none --icount --timeout 600 \
	--kernel "$KERNEL" --initrd "$BUILD/guest/initrd.cpio.gz" \
	--append "console=ttyS0 quiet vmmu.rows=touch" --stats "$scratch/stats"
label="bochs none linux"
ends 0 poweroff
like "$label: its workload is done" "$output" '"done":true,"failures":0'

linux nested ""
linux shadow ""
is "$label: roots are found again" "$(stat '.memory.root_reuse > 0.9')" true
ok "$label: true faults go to the guest" \
	test "$(stat '.memory.pf_direct > .memory.pf_guest / 2')" = true
# Each of KPTI's many loads of CR3 empties its one table.
append=nopti
linux vtlb ""
append=
linux nested,vtlb,shadow touch,cow,exec --switch-every 200
ok "$label: it was moved" test "$(stat '.switches > 20')" = true
is "nothing is left behind" "$(ls "$scratch/tmp")" ""
finish
