#!/usr/bin/env bash
# What the command says when it cannot do what it was asked: one sentence
# that names the cause, and a status that tells the kinds apart.
. "$(dirname "$0")/tap.sh"

# refuses STATUS PATTERN WORDS...
refuses() {
	local want=$1 pattern=$2
	shift 2
	vmmu "$@"
	is "vmmu $*: status" "$status" "$want"
	like "vmmu $*: sentence" "$sentence" "$pattern"
}

hello=$BUILD/guest/hello.elf

vmmu --version
like "--version" "$output" '^vmmu [0-9]+\.[0-9]+\.[0-9]+$'
vmmu --help
is "--help succeeds" "$status" 0
like "--help lists run" "$output" 'run +boot a guest'
vmmu run --help
is "run --help succeeds" "$status" 0
like "run --help lists --kernel" "$output" '--kernel=FILE'

# The manual has all options, and no other; and all commands of the monitor.
in_manual() {
	tr -d '\\' <doc/vmmu.1 | awk 'last == ".TP" { print } { last = $1 }' |
		grep -oE -- '^\.B[IR]? --[a-z-]+' | sed 's/.* //' | sort -u
}
is "the manual's options" "$(in_manual)" "$(grep -oE '^ +--[a-z-]+' \
	<<<"$output" | tr -d ' ' | grep -v -e --help -e --usage | sort -u)"
echo help >"$scratch/commands"
echo quit >>"$scratch/commands"
vmmu run --kernel "$BUILD/guest/spin.elf" --monitor "$scratch/commands"
while read -r command; do
	ok "the manual has the monitor's '$command'" \
		grep -qE "^\.B.*$command" doc/vmmu.1
done < <(sed -nE 's/^((info )?[a-z0-9]+)( .*)? -- .*/\1/p' <<<"$sentence")

refuses 2 "^vmmu: no command"
refuses 2 "^vmmu: 'fly' is not a command" fly
refuses 2 "unrecognized option '--fly'" run --kernel "$hello" --fly
refuses 2 "option '--memory' requires an argument" run --memory
refuses 2 "^vmmu: 'word' is not an option" run --kernel "$hello" word
refuses 2 "^vmmu: --kernel FILE is missing" run
refuses 2 "^vmmu: --memory lots is not a size" run --memory lots
refuses 2 "^vmmu: --memory 512 lacks a unit" run --memory 512
refuses 2 "^vmmu: --memory 5X has a unit" run --memory 5X
refuses 2 "^vmmu: --memory 5MB has a unit" run --memory 5MB
refuses 2 "^vmmu: --memory -5M is not a size" run --memory -5M
refuses 2 "^vmmu: --memory 1M is out of range" run --memory 1M
refuses 2 "^vmmu: --memory 99999999T is more" run --memory 99999999T
refuses 2 "^vmmu: --memory 65537K is not a whole" run --memory 65537K
refuses 2 "^vmmu: --cpus two is not a whole number" run --cpus two
refuses 2 "^vmmu: --cpus 0 is out of range" run --cpus 0
refuses 2 "^vmmu: --cpus 2 is not offered" run --cpus 2
refuses 2 "^vmmu: --timeout 1.5 is not a whole" run --timeout 1.5
refuses 2 "^vmmu: --machine pdp11 is not a machine" run --machine pdp11
refuses 2 "^vmmu: --mmu magic is not a scheme" run --mmu magic
refuses 2 "^vmmu: --mmu nested,none is not a scheme" run --mmu nested,none
refuses 2 "^vmmu: --mmu nested, is not a scheme" run --mmu nested,
refuses 2 "^vmmu: --switch-every 0 is out of range" run --switch-every 0
refuses 2 "^vmmu: --switch-every 2001s is out of range" run --switch-every 2001s
refuses 2 "^vmmu: --switch-every 2m is not a whole number of milliseconds" \
	run --switch-every 2m
refuses 4 "switch-every= needs more than one scheme" run --switch-every 1s \
	--kernel "$BUILD/guest/hello.elf"
refuses 4 "switch-every= needs more than one scheme" run --switch-every 40 \
	--kernel "$BUILD/guest/hello.elf"
refuses 2 "^vmmu: --set word is not of the form" run --set word
refuses 2 "^vmmu: --set a=b c holds a blank" run --set "a=b c"
refuses 2 "^vmmu: --set a/b=c is not of the form" run --set a/b=c
refuses 2 "^vmmu: --set a='b holds a quote" run --set "a='b"
refuses 2 "^vmmu: --icount needs --machine tcg" \
	run --kernel "$hello" --icount --machine kvm
long=$(head -c 2048 /dev/zero | tr '\0' x)
vmmu run --kernel "$hello" --append "$long"
is "a command line that is too long: status" "$status" 2
like "a command line that is too long: sentence" "$sentence" \
	"^vmmu: --append is too long: .* 2047 bytes"
vmmu run --kernel "$hello" --set "a=$long"
is "a word that is too long: status" "$status" 2
like "a word that is too long: sentence" "$sentence" "^vmmu: --set is too long"
refuses 2 "^vmmu: vmmu extract needs two files" extract one

bare=(run --mmu none --kernel "$hello")
refuses 4 "^vmmu: /no/such: no such file$" run --mmu none --kernel /no/such
refuses 4 "^vmmu: /: not a regular file$" run --mmu none --kernel /
refuses 4 "^vmmu: /etc/passwd: not a kernel" \
	run --mmu none --kernel /etc/passwd
refuses 4 "^vmmu: /no/such: no such file$" "${bare[@]}" --initrd /no/such
refuses 4 "^vmmu: no-qemu is not installed: .*apt-get install qemu" \
	"${bare[@]}" --qemu no-qemu
refuses 4 "^vmmu: not enough memory: the guest needs [0-9]+ MiB" \
	"${bare[@]}" --memory 1T
refuses 4 "^vmmu: /no/such: no such file$" \
	run --kernel "$hello" --hypervisor /no/such
refuses 4 "^vmmu: /etc/passwd: not a hypervisor's image" \
	run --kernel "$hello" --hypervisor /etc/passwd
refuses 4 "^vmmu: QEMU did not start: " "${bare[@]}" --qemu /bin/false
# QEMU up to 8 says nothing of a write to the exit port, later ones that it is a
# shutdown; the status is the same. And a power-off is 0.
stand_in() {
	cat >"$scratch/qemu" <<-END
		#!/usr/bin/env bash
		fd=\$(printf '%s\n' "\$@" | sed -n 's/^socket,id=control,fd=//p')
		echo '{"QMP":{}}' >&"\$fd"
		read -r capabilities <&"\$fd"
		read -r cont <&"\$fd"
		echo '{"event":"RESUME"}' >&"\$fd"
		$1
		exit $2
	END
	chmod +x "$scratch/qemu"
	vmmu "${bare[@]}" --qemu "$scratch/qemu"
}
shutdown='echo "{\"event\":\"SHUTDOWN\",\"data\":{\"reason\":\"guest-shutdown\"}}" >&"$fd"'
stand_in : 7
is "the exit port, QEMU 8" "$status" 7
stand_in "$shutdown" 7
is "the exit port, QEMU 10" "$status" 7
stand_in "$shutdown" 0
is "a power-off" "$status" 0
refuses 4 "^vmmu: QEMU did not start: .*no-such' not found" \
	"${bare[@]}" --features +no-such
refuses 4 "^vmmu: /: is a directory" run --kernel "$hello" --monitor /
refuses 4 "^vmmu: /no/dir/log: cannot be written" \
	"${bare[@]}" --log /no/dir/log
refuses 4 "^vmmu: /no/dir/stats: cannot be written" \
	"${bare[@]}" --stats /no/dir/stats
like "... before the guest begins" "$output" '^$'
# A disk that is full afterwards is told of, and the guest's own code stays.
refuses 1 "^vmmu: /dev/full: cannot be written: No space" \
	"${bare[@]}" --stats /dev/full
refuses 1 "^vmmu: /dev/full: cannot be written: No space" \
	run --kernel "$hello" --log /dev/full
# The PATH as env has it: the functions here need theirs.
elsewhere() {
	env PATH=/no/such "$BUILD/vmmu" "$@" 2>"$scratch/sentence"
	status=$?
	sentence=$(cat "$scratch/sentence")
}
elsewhere run --kernel "$hello"
like "no QEMU: sentence" "$sentence" \
	"^vmmu: qemu-system-x86_64 is not installed: .*apt-get install qemu"
elsewhere run --kernel "$hello" --machine bochs
is "no Bochs: status" "$status" 4
like "no Bochs: sentence" "$sentence" \
	"^vmmu: Bochs is not all installed: .*apt-get install bochs"
refuses 4 "^vmmu: /etc/passwd: not a bzImage" \
	extract /etc/passwd "$scratch/out"

# A truncated kernel is found out before anything starts.
head -c 2000000 "$KERNEL" >"$scratch/short"
refuses 4 "short: the kernel inside this bzImage is cut short" \
	run --kernel "$scratch/short" --hypervisor "$hello"

# A guest that never ends: Linux without a console or an init to power off.
vmmu run --mmu none --kernel "$KERNEL" --timeout 1 --stats "$scratch/stats"
is "a timeout's status" "$status" 8
is "a timeout's sentence" "$sentence" \
	"vmmu: the guest did not end within 1 seconds"
is "a timeout's report" "$(stat .end.how)" killed

# An image that boots and dies instead of the hypervisor.
vmmu run --kernel "$hello" --hypervisor "$BUILD/guest/triple.elf" \
	--stats "$scratch/stats"
is "a dead hypervisor's report" "$(stat .end.how) $(stat .end.code)" "killed 10"
is "a dead hypervisor's status" "$status" 10
like "a dead hypervisor's sentence" "$sentence" \
	"vmmu: the hypervisor died of a triple fault"
vmmu run --kernel "$hello" --hypervisor "$hello"
is "a silent hypervisor's status" "$status" 10
like "a silent hypervisor's sentence" "$sentence" \
	"vmmu: the hypervisor died without a report"

# Standard output that nobody reads ends the guest.
"$BUILD/vmmu" run --mmu none --kernel "$KERNEL" --append console=ttyS0 \
	--timeout 60 </dev/null 2>"$scratch/sentence" | head -c 100 >/dev/null
like "a closed output's sentence" "$(cat "$scratch/sentence")" \
	"standard output takes no more"

# QEMU ended by somebody else, as by a machine that is out of memory, is no
# death of the hypervisor's.
for mmu in none nested; do
	: >"$scratch/output"
	"$BUILD/vmmu" run --mmu $mmu --kernel "$BUILD/guest/spin.elf" \
		</dev/null >"$scratch/output" 2>"$scratch/sentence" &
	pid=$!
	await grep -q on "$scratch/output"
	kill -KILL $(cat /proc/$pid/task/$pid/children)
	wait $pid
	is "--mmu $mmu, QEMU killed: status" "$?" 10
	like "--mmu $mmu, QEMU killed: sentence" "$(cat "$scratch/sentence")" \
		"vmmu: QEMU died: Killed"
done

# Signals end it too, and QEMU with it.
"$BUILD/vmmu" run --mmu none --kernel "$KERNEL" --append console=ttyS0 \
	</dev/null >/dev/null 2>"$scratch/sentence" &
pid=$!
sleep 1
child=$(cat /proc/$pid/task/$pid/children)
kill -TERM $pid
wait $pid
is "a signal's status" "$?" 143
like "a signal's sentence" "$(cat "$scratch/sentence")" \
	"^vmmu: a signal ended the guest"
sleep 0.2
ok "QEMU is gone after it" test ! -e "/proc/${child// /}"
finish
