#!/usr/bin/env bash
# Paravirtual guests: the stock kernel by its Xen entry, and small ones that
# attack. No machine here has SVM or VMX to offer them.
. "$(dirname "$0")/tap.sh"

dir=$scratch/boot

at_least() {
	echo "$1 at least $2"
	[ "$1" -ge "$2" ]
}

# The stock kernel.
export APPEND="loglevel=5"
tools/boot-scheme.sh direct "$dir" "$BUILD" "$KERNEL" >/dev/null \
	2>"$scratch/errors"
is "linux: status" "$?" 0
is "linux: no sentence" "$(cat "$scratch/errors")" ""
json=$dir/direct.json
is "linux: how" "$(jq -r .end.how "$json")" poweroff
is "linux: the engine" "$(jq -r .engine "$json")" pv
is "linux: the workload is done" \
	"$(jq -c 'select(.done)' "$dir/direct.rows")" \
	'{"done":true,"failures":0}'
is "linux: rows" "$(jq -r 'select(.row and .ok) | .row' "$dir/direct.rows" |
	wc -l)" 16
ok "linux: the audit finds nothing" jq -e \
	'.audit.breaches == 0 and .audit.entries > 10000' "$json"
ok "linux: the hypervisor says nothing of it" \
	eval "! grep -E '^vmmu: I[0-9]|did not come back' '$dir/direct.log'"
ok "linux: nothing is nested, nothing shadowed" jq -e \
	'.exits.violation == 0 and .memory.pf_taken == 0' "$json"
ok "linux: exits add up" jq -e \
	'(.exits | del(.total) | add) == .exits.total' "$json"
ok "linux: hypercalls by number" jq -e \
	'.pv.hypercalls.mmu_update > 1000 and .pv.hypercalls.iret > 1000 and
	 .pv.mmuext_op.new_baseptr > 100' "$json"
ok "linux: each root is the engine's and the library's" jq -e \
	'.pv.mmuext_op.new_baseptr <= .direct.roots and
	 .pv.mmuext_op.new_user_baseptr == .direct.user_roots' "$json"
ok "linux: trapped writes" jq -e \
	'.pv.trapped_writes > 1000 and
	 .direct.trapped_writes >= .pv.trapped_writes' "$json"
ok "linux: page faults and system calls go to its kernel" jq -e \
	'.pv.bounced["14"] > 1000 and .pv.syscalls > 1000' "$json"
ok "linux: it has all of its memory" jq -e '.pv.pages == 131072' "$json"

# The same kernel, with tables of its own numbers that shadow follows.
tools/boot-scheme.sh shadow-pv "$dir" "$BUILD" "$KERNEL" >/dev/null \
	2>"$scratch/errors"
is "shadow: status" "$?" 0
is "shadow: no sentence" "$(cat "$scratch/errors")" ""
json=$dir/shadow-pv.json
is "shadow: how" "$(jq -r .end.how "$json")" poweroff
is "shadow: the engine" "$(jq -r '"\(.mmu) \(.engine)"' "$json")" "shadow pv"
is "shadow: the workload is done" \
	"$(jq -c 'select(.done)' "$dir/shadow-pv.rows")" \
	'{"done":true,"failures":0}'
is "shadow: rows" \
	"$(jq -r 'select(.row and .ok) | .row' "$dir/shadow-pv.rows" | wc -l)" 16
ok "shadow: the audit finds nothing" jq -e \
	'.audit.breaches == 0 and .audit.entries > 10000' "$json"
ok "shadow: the hypervisor says nothing of it" \
	eval "! grep -E '^vmmu: I[0-9]|did not come back' '$dir/shadow-pv.log'"
ok "shadow: tables follow its notices" jq -e \
	'.memory.mmu_pte_write > 10000 and .memory.pf_fixed > 10000 and
	 .pv.mmuext_op.new_baseptr > 1000 and .pv.trapped_writes > 1000 and
	 .direct == null' "$json"
ok "shadow: four roots are used again" jq -e '.memory.root_reuse > 0.8' \
	"$json"

# One root, made anew all the time, and few tables.
vmmu run --mmu shadow --guest pv --kernel "$KERNEL" --timeout 200 \
	--roots 1 --table-memory 1024 --stats "$scratch/stats" \
	--log "$scratch/log" --initrd "$BUILD/guest/initrd.cpio.gz" \
	--append "console=hvc0 loglevel=5 vmmu.rows=fork,exec,pipeline"
is "shadow, little: status" "$status" 0
like "shadow, little: the workload is done" "$output" \
	'"done":true,"failures":0'
ok "shadow, little: the audit finds nothing" jq -e \
	'.audit.breaches == 0' "$scratch/stats"

# Memory that the guest is not promised makes no difference to it.
vmmu run --mmu direct --memory 192M --kernel "$KERNEL" --timeout 120 \
	--initrd "$BUILD/guest/initrd.cpio.gz" --stats "$scratch/stats" \
	--append "console=hvc0 loglevel=5 vmmu.rows=fork,exec,pipeline"
is "linux, 192M: status" "$status" 0
like "linux, 192M: the workload is done" "$output" '"done":true,"failures":0'

# What comes in on the console reaches the guest's shell.
typed() {
	(
		for _ in $(seq 60); do
			grep -q '^/ #' "$scratch/typed" && break
			sleep 0.5
		done
		echo 'echo it is $((6 * 7))'
		sleep 2
		echo exit
		sleep 2
	) | timeout 90 "$BUILD/vmmu" run --mmu direct --kernel "$KERNEL" \
		--initrd "$BUILD/guest/initrd.cpio.gz" --timeout 80 \
		--append "console=hvc0 quiet vmmu.shell" >"$scratch/typed" 2>&1
	grep "it is 42" "$scratch/typed"
}
ok "linux: its shell answers" typed

# run GUEST [APPEND], under what $under says. A second VM stands by.
under=(--mmu direct)
run() {
	label="${under[*]:2} $*"
	vmmu run "${under[@]}" --memory 64M --timeout 60 \
		--kernel "$BUILD/guest/$1.elf" --append "${2:-}" \
		--set bystander=16 --set bystander-flaw="${3:-off}" \
		--stats "$scratch/stats" --log "$scratch/log"
}

came_back() {
	cat "$scratch/log"
	[ -s "$scratch/log" ] &&
		! grep -E "did not come back|^vmmu: (I[0-9]|bystander):" \
			"$scratch/log" &&
		jq -e '.bystander | .pages == 4097 and .tables >= 5 and
			.entries > 0 and .changed == 0 and .breaches == 0' \
			"$scratch/stats"
}

# Guests that attack, each with many checks of its own.
attack() {
	run "$1"
	is "$1: status" "$status" 1
	is "$1: what went wrong" "$(grep -a FAILED <<<"$output")" ""
	ok "$1: checks" at_least "$(grep -ac '^ok' <<<"$output")" "$2"
	ok "$1: nothing is left or wrong" came_back
	ok "$1: the audit finds nothing" jq -e '.audit.breaches == 0' \
		"$scratch/stats"
}
attack pvlife 33
attack pvhandles 34
attack pvframes 25
attack pvpriv 69
attack pvtables 77
attack pvquick 8
attack pvcalls 36
attack pvforeign 28

# Protection keys, which the hypervisor uses for other guests.
vmmu run --mmu direct --memory 64M --timeout 60 --features=+pku,+fsgsbase \
	--kernel "$BUILD/guest/pvpriv.elf" --stats "$scratch/stats"
is "with keys: status" "$status" 1
is "with keys: what went wrong" "$(grep -a FAILED <<<"$output")" ""

# A flaw that is planted: the frame table says that one of the bystander's
# frames is the guest's. The guest gets at it, and the bystander shows it.
run pvforeign "" on
like "a flaw: the guest gets at the frame" "$output" "FAILED mapped writable"
ok "a flaw: the bystander shows it" jq -e \
	'.bystander | .changed == 1 and .breaches > 0' "$scratch/stats"
ok "a flaw: and says where" grep "bystander: the memory of its frame" \
	"$scratch/log"
ok "a flaw: it is not the guest's alone" eval "! came_back"

# Guests that cannot go on are stopped with a sentence.
stopped() {
	run pvkill "$1"
	is "$label: status" "$status" 6
	like "$label: sentence" "$sentence" "$2"
	is "$label: how" "$(stat .end.how)" killed
	ok "$label: nothing is left or wrong" came_back
}
stopped frame "returns by a frame at 0xffff800000100000"
stopped stack "stack at 0xffff810000007fc8 cannot be written"
stopped table "stack at 0xffffffff80[0-9a-f]+ cannot be written"
stopped nowhere "stack at 0x7fffffffffc8 cannot be written"
stopped handler "no handler for exception 6"
stopped user "no page table for it"
stopped root "cannot be written"
stopped crash "says that it has crashed"

# QEMU 7.2 makes two exceptions of a single step over a breakpoint, of which the
# second comes at the handler's first instruction; others make one.
one_or_the_end() {
	echo "status $status, $sentence"
	[ "$status" = 1 ] ||
		[[ $status = 6 && $sentence =~ "two debug exceptions at once" ]]
}
for way in step int1; do
	run pvkill $way
	ok "$label: one debug exception, or the guest's end" one_or_the_end
	ok "$label: nothing is left or wrong" came_back
done

# A system call, a page fault, one with DF set, and an event, where nothing but
# that event comes back to the hypervisor.
for way in call fault down event; do
	run pvquick $way
	is "$label: status" "$status" 6
	like "$label: sentence" "$sentence" "stack at 0x[0-9a-f]+ cannot be wr"
	ok "$label: nothing is left or wrong" came_back
done

# One request that goes on for ever: the monitor is heard in the midst of it.
endless() {
	label="${under[*]:2} one request without an end"
	printf '%s\n' 'expect ok a long list' 'sleep 200' stats 'sleep 500' \
		stats audit >"$scratch/commands"
	vmmu run "${under[@]}" --memory 64M --timeout 10 --append endless \
		--kernel "$BUILD/guest/pvkill.elf" \
		--monitor "$scratch/commands"
	is "$label: status" "$status" 8
	ok "$label: the host goes on beside it" jq -se 'length == 2 and
		.[0].pv.multicalls.xen_version > 0 and
		.[1].pv.multicalls.xen_version > .[0].pv.multicalls.xen_version
		and .[1].pv.hypercalls.multicall == 1' \
		<(grep -a '^{' "$scratch/sentence")
	like "$label: an audit in its midst" "$sentence" \
		"entries looked at, 0 breaches"
}
endless

# The same under shadow. A guest may have there what it likes in its tables and
# in its own copy of the GDT, which pvtables and pvpriv take for granted that it
# may not, so that pvtables comes to grief by its own tables; they get no
# further by that. What all this leads to pvshadow looks at.
under=(--mmu shadow --guest pv)
attack pvlife 33
attack pvhandles 34
attack pvframes 25
attack pvquick 8
attack pvshadow 40
stopped frame "returns by a frame at 0xffff800000100000"
stopped stack "stack at 0xffff810000007fc8 cannot be written"
stopped nowhere "stack at 0x7fffffffffc8 cannot be written"
stopped root "cannot be written"
stopped user "no page table for it"
endless
for guest in pvpriv pvtables; do
	run $guest
	is "$label: how" "$(stat .end.how)" exit
	ok "$label: the audit finds nothing" jq -e '.audit.breaches == 0' \
		"$scratch/stats"
	ok "$label: nothing is left or wrong" came_back
done
run pvpriv
is "shadow: what differs" \
	"$(tr -d '\r' <<<"$output" | sed -n 's/^FAILED //p' | tr '\n' ,)" \
	"a GDT that can be written,its ring 0 has become ring 3,none of the\
 hypervisor's,it cannot be made writable again,"

# What cannot be is refused before it starts.
refused() {
	local name=$1 pattern=$2
	shift 2
	vmmu run --timeout 30 "$@"
	ok "$name: status" at_least "$status" 2
	like "$name: sentence" "$sentence" "$pattern"
}
refused "with another scheme" "direct,nested is not a scheme" \
	--mmu direct,nested --kernel "$KERNEL"
refused "as a whole machine" "cannot be: under --mmu direct" \
	--mmu direct --guest hvm --kernel "$KERNEL"
refused "under nested" "needs --mmu direct or shadow" \
	--guest pv --kernel "$KERNEL"
refused "under several" "needs --mmu direct or shadow" \
	--mmu shadow,vtlb --guest pv --kernel "$KERNEL"
refused "another kind" "there are pv and hvm" --guest pvh --kernel "$KERNEL"
refused "a Multiboot guest" "no entry for paravirtual guests" \
	--mmu direct --memory 64M --kernel "$BUILD/guest/hello.elf"
refused "too little memory" "does not fit into guest memory" \
	--mmu direct --memory 64M --kernel "$KERNEL"
refused "a paravirtual guest as a machine" "no PVH entry" \
	--mmu nested --memory 64M --kernel "$BUILD/guest/pvlife.elf"
finish
