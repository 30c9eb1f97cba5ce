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

for scheme in nested vtlb shadow; do
	linux $scheme ""
done
linux nested,vtlb,shadow touch,cow,exec --switch-every 200
ok "$label: it was moved" test "$(stat '.switches > 20')" = true
is "nothing is left behind" "$(ls "$scratch/tmp")" ""
finish
