#!/usr/bin/env bash
# What is counted of paravirtual guests: a guest does a known number of
# everything (guest/pv/pvcount.c), and the report says those numbers, under
# direct as under shadow. On the stock kernel the sums agree.
. "$(dirname "$0")/tap.sh"

# counts WHAT WANTED
counts() {
	is "$label: $1" "$(jq -c "$1" "$scratch/stats")" "$2"
}

# run SCHEME
run() {
	label=$1
	vmmu run --mmu "$1" --guest pv --memory 64M --timeout 60 \
		--kernel "$BUILD/guest/pvcount.elf" --stats "$scratch/stats"
	is "$label: status" "$status" 1
	counts .pv.mmu_update \
		'{"single":7,"lists":2,"batched":7,"refused":1}'
	counts .pv.hypercalls.mmu_update 8
	counts .pv.hypercalls.update_va_mapping 8
	counts .pv.hypercalls.iret 11
	counts .pv.hypercalls.multicall 1
	counts .pv.multicalls '{"mmu_update":2,"update_va_mapping":1}'
	counts .pv.mmuext_op "{$(echo '"pin_l1":7,"pin_l3":1,"unpin":6,
		"tlb_local":2,"invlpg_local":1,"new_user_baseptr":1,"31":1,
		"beyond":2' | tr -d '\n\t')}"
	counts .pv.vcpu_op '{"is_up":2,"beyond":1}'
	counts .pv.event_op '{"close":1,"bind_ipi":2}'
	counts .pv.sched_op '{"yield":2}'
	counts .pv.version_op '{"version":3,"extraversion":1}'
	counts .pv.segment_op '{"fs":1,"gs_user":2}'
	counts .pv.callback_op '{"register":3}'
	counts .pv.console_op '{}'
	counts .pv.trapped_writes 9
	counts .pv.bounced '{"0":1,"3":3,"6":2,"14":10}'
	counts .pv.software_interrupts 2
	counts .pv.syscalls 5
	counts '.pv | [.rdmsr, .wrmsr, .cr, .cpuid]' '[2,0,1,0]'
	sums "$scratch/stats"
}

# Each call is one of some operation, and each exit of some kind.
sums() {
	ok "$label: operations add up to their calls" jq -e '
		def calls($n): (.hypercalls[$n] // 0) + (.multicalls[$n] // 0);
		def all: add // 0;
		.pv | calls("vcpu_op") == (.vcpu_op | all) and
		calls("event_channel_op") == (.event_op | all) and
		calls("memory_op") == (.memory_op | all) and
		calls("sched_op") == (.sched_op | all) and
		calls("xen_version") == (.version_op | all) and
		calls("callback_op") == (.callback_op | all) and
		calls("set_segment_base") == (.segment_op | all) and
		calls("console_io") == (.console_op | all) and
		calls("physdev_op") == (.physdev_op | all) and
		calls("vm_assist") == (.assist_op | all) and
		calls("mmuext_op") <= (.mmuext_op | all) and
		calls("mmu_update") == (.mmu_update |
			.single + .lists + .refused)' "$1"
	ok "$label: exits of each kind" jq -e '
		.exits.hypercall == (.pv.hypercalls | add) and
		.exits.page_fault == (.pv.bounced["14"] // 0) +
			.pv.trapped_writes and
		.exits.rdmsr == .pv.rdmsr' "$1"
}

run direct
# Of the tables two of level 1 and one of each other are the builder's.
counts .direct.promoted '{"l1":9,"l2":2,"l3":2,"l4":1}'
counts .direct.demoted '{"l1":6}'
counts .direct.pin '{"l1":7,"l3":1,"l4":1}'
counts .direct.update_level '{"data":1,"l1":12}'
counts '.direct | [.updates, .preserve_ad, .machphys, .update_va]' '[14,1,1,9]'
counts '.direct | [.trapped_writes, .unpin, .user_roots]' '[9,6,1]'
counts .direct.refused '{}'
run shadow

# The stock kernel's boot.
label=linux
vmmu run --mmu direct --memory 192M --kernel "$KERNEL" --timeout 120 \
	--initrd "$BUILD/guest/initrd.cpio.gz" --stats "$scratch/stats" \
	--append "console=hvc0 quiet vmmu.rows=fork"
is "$label: status" "$status" 0
sums "$scratch/stats"
ok "$label: the library counts what the engine does" jq -e '
	.direct.trapped_writes == .pv.trapped_writes and
	.direct.unpin == .pv.mmuext_op.unpin and
	.direct.updates == .pv.mmu_update.single + .pv.mmu_update.batched and
	.direct.pin.l1 == .pv.mmuext_op.pin_l1' "$scratch/stats"

# For people.
vmmu show "$scratch/stats"
is "shown: status" "$status" 0
is "shown: its first table of hypercalls" \
	"$(grep -A1 '^pv hypercalls' <<<"$output" | tail -1 | tr -s ' ')" \
	" $(stat '.pv.hypercalls | to_entries | max_by(.value) |
		"\(.value) \(.key)"')"
like "shown: page faults" "$output" "[0-9]+  #PF page fault"
vmmu show /nowhere
is "shown: what is not there" "$status" 4
finish
