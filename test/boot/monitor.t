#!/usr/bin/env bash
# The monitor: its commands on a small guest whose tables are known, and on the
# stock kernel; a guest is moved from scheme to scheme and sees nothing of it.
. "$(dirname "$0")/tap.sh"

answers=$scratch/answers

# answer COMMAND: what was answered to the first such command in $answers.
answer() {
	awk -v line="(vmmu) $1" '$0 == line { on = 1; next }
		/^\(vmmu\) / { if (on) exit } on' "$answers"
}

# says COMMAND PATTERN
says() {
	like "$label: $1" "$(answer "$1")" "$2"
}

# Where a walk shows an entry of the hardware's table, it leads to the hpa that
# slot and host have given; one at least does. An entry may not be there yet.
one_place() {
	awk '/^hpa / { hpa = $2 }
		/ maps hpa / { print $0 ", want " hpa; seen++
			if ($NF != hpa) wrong++ }
		END { exit wrong || !seen }' FS='[ ,]+' "$answers"
}

# 1. A guest in PAE paging that works until it is told to end, which it is when
# the commands are through: guest/multiboot/moved.c.
run_moved() {
	label=$1
	cat >"$scratch/commands"
	: >"$answers"
	mkfifo "$scratch/keys" 2>/dev/null
	"$BUILD/vmmu" run --mmu "$1" --memory 64M --timeout 60 \
		--kernel "$BUILD/guest/moved.elf" --stats "$scratch/stats" \
		--monitor "$scratch/commands" <"$scratch/keys" \
		>"$scratch/output" 2>"$answers" &
	exec 3<>"$scratch/keys"
	for _ in $(seq 600); do
		grep -q "^there is no command 'end'" "$answers" && break
		kill -0 $! 2>/dev/null || break
		sleep 0.1
	done
	echo >&3
	wait $!
	status=$?
	exec 3>&-
	output=$(tr -d '\r\0' <"$scratch/output")
}

for scheme in nested vtlb shadow; do
	run_moved $scheme <<-'END'
		expect ready
		help
		help walk
		info mtree
		info registers
		gva2gpa 0x100000
		gva2gpa 0xd0041000
		gva2gpa 0x123456789
		gpa2hva 0x1234
		gpa2hpa 0x1234
		gpa2hpa 0xa0000
		walk 0x100000
		walk 0xd0040000
		walk 0xd0041000
		walk 0xfee00020
		info mem 0xd0040000
		info tlb 0xd0040000
		stats
		audit
		scheme
		scheme vtlb
		walk 0x100000
		scheme shadow
		audit
		scheme nested
		sleep 200
		scheme vtlb
		sleep 200
		scheme shadow
		sleep 200
		scheme nested
		sleep 200
		scheme shadow
		sleep 200
		scheme direct
		scheme magic
		gva2gpa 12z
		end
	END
	is "$label: status" "$status" 1
	like "$label: the guest is content" "$output" "tables say: ok"
	says "help" "scheme \[NAME\] -- "
	says "help walk" "^walk GVA -- one translation[a-z, ]*$"
	says "info mtree" "0+-0+9ffff \(ram\): slot 0.*0+c0000-0+3ffffff \(ram\): slot 1.*fee00000-.*local APIC"
	says "info registers" "CR0=80010011 .* CR4=00000020"
	says "gva2gpa 0x100000" "^gpa: 0x100000$"
	says "gva2gpa 0xd0041000" "^Unmapped$"
	says "gpa2hva 0x1234" "^Host virtual address for 0x1234 \(slot 0\) is 0xffff8[0-9a-f]+234$"
	says "gpa2hpa 0x1234" "^Host physical address for 0x1234 \(slot 0\) is 0x[0-9a-f]+234$"
	says "gpa2hpa 0xa0000" "^No memory is mapped at address 0xa0000$"
	says "walk 0x100000" "gva 0x100000, x86-pae, CR3 .*guest +level 3 .*guest +level 2 .* rwx- A .*page of 2 MiB.*gpa 0x100000 rwx- write-back.*slot 1.*hva 0xffff8.*hpa 0x[0-9a-f]+00000, in a run.*maps hpa"
	says "walk 0xd0040000" "guest +level 1 .* r-x-.* page of 4 KiB.*gpa 0x[0-9a-f]+000 r-x- write-back"
	says "walk 0xd0041000" "guest +level 2 .* table.*guest +level 1 .* absent.*nothing is mapped there: #PF$"
	says "walk 0xfee00020" "gpa 0xfee00020 .*no slot has it"
	says "info mem 0xd0040000" "^00000000d0040000-00000000d0041000 0000000000001000 -r-"
	says "info tlb 0xd0040000" "^00000000d0040000: 0000000000[0-9a-f]+000 -----[A-][^D]*-"
	ok "$label: stats is an object" jq -e --arg scheme $scheme \
		'.vmmu == 1 and .end.how == "running" and
		 .scheme == $scheme and .exits.total > 0' \
		<<<"$(answer stats)"
	says "audit" "^[1-9][0-9]* entries looked at, 0 breaches$"
	says "scheme" "^$scheme$"
	for to in nested vtlb shadow; do
		says "scheme $to" "^$to$"
	done
	says "scheme direct" "a guest under direct knows of it"
	says "scheme magic" "scheme magic: there is no such scheme"
	says "gva2gpa 12z" "'12z' is no address"
	says "end" "there is no command 'end'"
	ok "$label: it was moved" jq -e '.switches >= 6' "$scratch/stats"
	is "$label: it ended under" "$(stat .scheme)" shadow
	ok "$label: the audit at its end" jq -e '.audit.breaches == 0' \
		"$scratch/stats"
	ok "$label: hardware's table leads where the walk does" one_place
done

# 2. The stock kernel, moved in the middle of its workload.
cat >"$scratch/commands" <<'END'
# The rows are those of guest/rows.h.
expect "boot_tsc"
walk 0xffffffff81000000
info mem
scheme vtlb
expect "row":"mmap1m"
scheme shadow
walk 0xffffffff81000000
audit
expect "row":"fork16m"
scheme nested
expect "row":"cow"
scheme shadow
stats
END
label=linux
vmmu run --mmu nested --kernel "$KERNEL" --timeout 120 \
	--initrd "$BUILD/guest/initrd.cpio.gz" --append "console=ttyS0 quiet" \
	--monitor "$scratch/commands" --stats "$scratch/stats"
cp "$scratch/sentence" "$answers"
is "$label: status" "$status" 0
like "$label: the workload's checksums hold" "$output" '"done":true,"failures":0'
says "walk 0xffffffff81000000" "x86-64.*level 4 .*level 2 .* page of 2 MiB.*npt +maps hpa"
ok "$label: hardware's tables lead where the walks do" one_place
says "info mem" "ffffffff81[0-9a-f]{6}-.* -r-"
says "scheme vtlb" "^vtlb$"
says "audit" " 0 breaches$"
ok "$label: stats is an object" jq -e \
	'.scheme == "shadow" and .memory.pf_guest > 0' <<<"$(answer stats)"
is "$label: moved" "$(stat .switches)" 4
is "$label: the audit at its end" "$(stat .audit.breaches)" 0

# The stock kernel as a paravirtual guest.
cat >"$scratch/commands" <<'END'
expect "boot_tsc"
audit
scheme
walk 0
walk 0xffffffff81000123
expect "row":"fork16m"
audit
scheme nested
info mtree
END
label=direct
vmmu run --mmu direct --kernel "$KERNEL" --timeout 120 \
	--initrd "$BUILD/guest/initrd.cpio.gz" --append "console=hvc0 quiet" \
	--monitor "$scratch/commands" --stats "$scratch/stats"
cp "$scratch/sentence" "$answers"
is "$label: status" "$status" 0
like "$label: the workload's checksums hold" "$output" '"done":true,"failures":0'
is "$label: audits" "$(grep -c " looked at, 0 breaches" "$answers")" 2
says "scheme" "^direct$"
says "scheme nested" "a guest under direct knows of it"
says "walk 0" "level 4 .*nothing is mapped there: #PF$"
says "walk 0xffffffff81000123" "own table at hpa .*level 4 .*level 1 .* page of 4 KiB.*hpa 0x[0-9a-f]+123.*gpa 0x1000123 by m2p$"
says "info mtree" "\(ram\): slot 0"

# 3. A pipe for commands, and their end of the guest.
mkfifo "$scratch/pipe"
"$BUILD/vmmu" run --kernel "$BUILD/guest/moved.elf" --memory 64M --timeout 60 \
	--monitor "$scratch/pipe" </dev/null >/dev/null 2>"$answers" &
echo scheme >"$scratch/pipe"
echo quit >"$scratch/pipe"
wait $!
is "a pipe: status" "$?" 12
label="a pipe"
says scheme "^nested$"
like "a pipe: sentence" "$(cat "$answers")" "the monitor ended the guest"

# 4. A reader that stays away for a while: more is said than all buffers on the
# way can hold, and nothing of it is lost.
printf '%s\n' 'sleep 300' 'info tlb' 'info tlb' quit >"$scratch/commands"
"$BUILD/vmmu" run --kernel "$BUILD/guest/moved.elf" --memory 64M --timeout 60 \
	--monitor "$scratch/commands" </dev/null 2>&1 >/dev/null |
	(sleep 3 && cat) >"$answers"
says_whole_lines() {
	grep -vE '^(\(vmmu\) .*|[0-9a-f]{16}: [0-9a-f]{16} [-A-Z]{9}|vmmu: .*)$' \
		"$answers"
	[ $? = 1 ] && [ "$(wc -l <"$answers")" -gt 4000 ]
}
ok "late: nothing is lost" says_whole_lines

# 5. What cannot be.
vmmu run --mmu none --kernel "$BUILD/guest/hello.elf" --monitor /dev/null
is "bare: status" "$status" 2
like "bare: sentence" "$sentence" "^vmmu: --monitor needs the hypervisor: --mmu none has none"
vmmu run --kernel "$BUILD/guest/hello.elf" --monitor /no/such
is "no such file: status" "$status" 4
like "no such file: sentence" "$sentence" "^vmmu: /no/such: cannot be read: No"
echo "expect never" >"$scratch/commands"
vmmu run --kernel "$BUILD/guest/hello.elf" --monitor "$scratch/commands"
is "never: status" "$status" 1
like "never: sentence" "$sentence" "the guest ended before that was done"
finish
