#!/usr/bin/env bash
# Intel VMX, as Bochs emulates it: the same command, the same image. One guest
# of each kind here; `make check-vmx` has the others.
. "$(dirname "$0")/tap.sh"
. test/vmx/bochs.sh

bochs_missing && {
	echo "1..0 # SKIP $missing"
	exit 0
}

for scheme in nested vtlb shadow; do
	run $scheme hello
	ends 1 exit 0
	is "$label: console" "$output" "hello from a Multiboot guest"
	is "$label: the machine" "$(stat .machine)" bochs
	is "$label: the engine" "$(stat .engine)" vmx
done
run nested exitcode code=100
ends 201 exit 100
run nested triple
ends 6 triple-fault
like "$label: sentence" "$sentence" "^vmmu: the guest stopped: .*triple"

# Paravirtual guests need neither VMX nor SVM, and attack where the processor
# matters: this one does what QEMU's is not particular about, as refusing an
# IRET to an address that is none.
for guest in pvframes pvpriv pvquick pvrings; do
	run direct $guest count=5000
	ends 1 exit 0
	is "$label: the engine" "$(stat .engine)" pv
	is "$label: what went wrong" "$(grep -a FAILED <<<"$output")" ""
	is "$label: the audit" "$(stat .audit.breaches)" 0
done

# The same without the hypervisor, to compare: the exit port is told of by
# Bochs's own last words.
vmmu run --machine bochs --mmu none --kernel "$BUILD/guest/exitcode.elf" \
	--memory 64M --append code=100 --timeout 60 --stats "$scratch/stats"
label="bochs none exitcode"
ends 201 exit 100
vmmu run --machine bochs --mmu none --kernel "$BUILD/guest/permute.elf" \
	--memory 64M --append "levels=4 part=1" --timeout 60 \
	--stats "$scratch/stats"
label="bochs none permute"
ends 1 exit 0
like "$label: nothing is wrong" "$output" 'permute: 2[0-9]{5} cases, 0 wrong$'

vmmu run --machine bochs --kernel "$BUILD/guest/hello.elf" --append "a='b c'"
is "a quote: status" "$status" 2
like "a quote: sentence" "$sentence" "^vmmu: --append holds a quote"

# A part of GRUB that nothing but the disc would miss, and a file system with
# no room for one: for this run alone, where the kernel lets us.
if unshare -rm true 2>"$scratch/ok.out"; then
	unshare -rm sh -c 'mount -t tmpfs -o size=2M none "$TMPDIR" && exec "$@"' \
		sh "$BUILD/vmmu" run --machine bochs --timeout 30 \
		--kernel "$BUILD/guest/hello.elf" 2>"$scratch/sentence"
	is "no room for the disc: status" "$?" 4
	like "no room for the disc: sentence" "$(cat "$scratch/sentence")" \
		"^vmmu: no disc for Bochs: .*No space left on device"
	unshare -rm sh -c 'mount -t tmpfs none /usr/lib/grub && exec "$@"' sh \
		"$BUILD/vmmu" run --machine bochs --timeout 30 \
		--kernel "$BUILD/guest/hello.elf" 2>"$scratch/sentence"
	is "no grub-pc-bin: status" "$?" 4
	like "no grub-pc-bin: sentence" "$(cat "$scratch/sentence")" \
		"^vmmu: Bochs is not all installed: .*grub-pc-bin"
fi

# Nothing of a directory's name is said to Bochs.
mkdir "$scratch/a name, of words"
TMPDIR="$scratch/a name, of words" vmmu run --machine bochs --timeout 60 \
	--kernel "$BUILD/guest/hello.elf" --memory 64M
is "a directory's name: status" "$status" 1
is "a directory's name: nothing is left" "$(ls "$scratch/a name, of words")" ""
vmmu run --machine bochs --kernel "$BUILD/guest/hello.elf" --memory 2G
is "more than Bochs has: status" "$status" 4
like "more than Bochs has: sentence" "$sentence" \
	"^vmmu: --machine bochs has 2048 MiB at most"
vmmu run --machine bochs --kernel "$BUILD/guest/hello.elf" --processor none
is "no processor of Bochs's: status" "$status" 4
like "no processor of Bochs's: sentence" "$sentence" \
	"^vmmu: Bochs has no processor none: "
: >"$scratch/output"
"$BUILD/vmmu" run --machine bochs --kernel "$BUILD/guest/spin.elf" \
	--memory 64M </dev/null >"$scratch/output" 2>"$scratch/sentence" &
pid=$!
await grep -q on "$scratch/output"
kill -KILL $(cat /proc/$pid/task/$pid/children)
wait $pid
is "Bochs killed: status" "$?" 10
like "Bochs killed: sentence" "$(cat "$scratch/sentence")" \
	"vmmu: Bochs died: Killed"
is "Bochs killed: nothing is left behind" "$(ls "$scratch/tmp")" ""
vmmu extract "$KERNEL" "$scratch/vmlinux"
vmmu run --machine bochs --mmu none --kernel "$scratch/vmlinux"
is "a vmlinux and no hypervisor: status" "$status" 4
like "a vmlinux and no hypervisor: sentence" "$sentence" \
	"vmlinux: a vmlinux, which GRUB does not boot bare"

# A signal while the disc is made.
for signal in INT TERM HUP; do
	setsid env --default-signal=INT "$BUILD/vmmu" run --machine bochs \
		--kernel "$KERNEL" </dev/null 2>"$scratch/sentence" &
	pid=$!
	await eval '[ -e "$scratch"/tmp/*/grub.* ]'
	kill -$signal $pid
	wait $pid
	is "SIG$signal while the disc is made: status" "$?" \
		$((128 + $(kill -l $signal)))
	like "SIG$signal while the disc is made: sentence" \
		"$(cat "$scratch/sentence")" \
		"^vmmu: a signal ended the run before the guest began"
	is "SIG$signal: nothing is left behind" "$(ls "$scratch/tmp")" ""
done
vmmu run --machine bochs --kernel "$BUILD/guest/hello.elf" --timeout 1
is "a timeout: status" "$status" 8
is "a timeout: sentence" "$sentence" \
	"vmmu: the guest did not end within 1 seconds"
vmmu run --machine bochs --kernel "$BUILD/guest/hello.elf" \
	--hypervisor "$BUILD/guest/triple.elf"
is "a dead hypervisor: status" "$status" 10
like "a dead hypervisor: sentence" "$sentence" \
	"^vmmu: the hypervisor died without a report: .*no resolution"

# Every permutation of entries and accesses in 4-level paging. Where Bochs's own
# MMU is not as the manual has it the guest finds that out.
run nested permute "levels=4 part=1"
ends 1 exit 0
like "$label: nothing is wrong" "$output" 'permute: 2[0-9]{5} cases, 0 wrong'

# The monitor is heard here too.
printf '%s\n' 'expect ready' 'gva2gpa 0x100000' audit quit >"$scratch/commands"
vmmu run --machine bochs --kernel "$BUILD/guest/moved.elf" --memory 64M \
	--monitor "$scratch/commands" --timeout 60
is "the monitor: status" "$status" 12
like "the monitor: an answer" "$sentence" "gpa: 0x100000"
like "the monitor: nothing is wrong" "$sentence" ", 0 breaches"

# Also of a guest that never lets an interrupt through, nor makes an exit.
printf '%s\n' 'expect on' 'info mtree' quit >"$scratch/commands"
vmmu run --machine bochs --kernel "$BUILD/guest/spin.elf" --memory 64M \
	--monitor "$scratch/commands" --timeout 60
is "a guest that spins: status" "$status" 12
like "a guest that spins: an answer" "$sentence" "i/o.: local APIC"

linux nested "touch,cow,exec,mprotect1"
is "$label: the format" "$(stat .format)" ept
ok "$label: faults that map" at_most "$(stat .memory.pf_fixed)" 128
ok "$label: the guest pages without us" at_most "$(stat .exits.cr)" 32
is "$label: nothing is a page fault" "$(stat .exits.page_fault)" 0

is "nothing is left behind" "$(ls "$scratch/tmp")" ""
finish
