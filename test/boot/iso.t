#!/usr/bin/env bash
# GRUB boots the hypervisor from an ISO, with a stock kernel as it ships.
. "$(dirname "$0")/tap.sh"

make_iso() {
	${MAKE:-make} -s iso O="$BUILD" ISO_KERNEL="$KERNEL" \
		ISO_INITRD="$BUILD/guest/initrd.cpio.gz" \
		ISO_ARGS="mmu=nested memory=268435456 -- $1"
}

ok "make iso" make_iso "console=ttyS0 quiet vmmu.rows=touch,cow,exec"
timeout 120 qemu-system-x86_64 -nodefaults -display none -accel tcg \
	-cpu EPYC,+svm,+npt -m 512M -cdrom "$BUILD/vmmu.iso" \
	-serial "file:$scratch/console" -serial "file:$scratch/report" \
	-device isa-debug-exit,iobase=0xf4,iosize=4 2>/dev/null
is "the machine ends" "$?" 1
like "the guest does its work" "$(cat "$scratch/console")" \
	'@vmmu \{"done":true,"failures":0\}'
tail -n 1 "$scratch/report" >"$scratch/stats"
is "the guest powers off" "$(stat .end.how)" poweroff
is "under nested" "$(stat .mmu)" nested
finish
