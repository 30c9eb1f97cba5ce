#!/usr/bin/env bash
# What virtualization costs a guest, in counted instructions: the workload's
# rows under each scheme against the bare machine, the price of an exit, and
# the violations of a boot. Each against what it must reach.
# Usage: bench-guest.sh BUILD KERNEL SCHEME...
# Fails when a must is missed.
set -uo pipefail

build=$1 kernel=$2
shift 2
dir=$build/bench
missed=0

# Each row runs five times and its median counts: the guest's scheduler makes
# a single run differ by a per cent or two, though each repeats exactly.
# Addresses are not random: where the areas of a process fall decides how many
# page tables a fork copies, at some 2,000 instructions each.
export APPEND="quiet norandmaps nokaslr vmmu.repeat=5"

boot() {
	tools/boot-scheme.sh "$1" "$dir" "$build" "$kernel" && return
	echo "$1: the boot failed" >&2
	exit 1
}

# ticks FILE ROW: the median; nothing when the row is not there or has failed.
ticks() {
	jq -rs --arg row "$2" 'map(select(.row == $row)) |
		select(length > 0 and all(.ok)) |
		map(.ticks) | sort | .[length / 2 | floor]' "$1"
}

# per_op FILE ROW: the same for one operation.
per_op() {
	jq -rs --arg row "$2" 'map(select(.row == $row)) |
		select(length > 0 and all(.ok)) |
		map(.per_op) | sort | .[length / 2 | floor]' "$1"
}

# verdict NAME VALUE MUST UNIT [AIM]: one line, and a count of what is missed.
verdict() {
	local word=ok
	if [ "$3" = - ]; then
		word=
	elif ! awk -v value="$2" -v must="$3" \
		'BEGIN { exit !(value != "" && value + 0 <= must + 0) }'; then
		word=MISSED
		missed=$((missed + 1))
	fi
	printf '%-24s %10s %-13s must %5s%s  %s\n' "$1" "${2:--}" "$4" "$3" \
		"${5:+ aim $5}" "$word"
}

overheads() {
	local scheme=$1 row bare here must
	for row in $(jq -rs 'map(.row // empty) | reduce .[] as $r ([];
			if index($r) then . else . + [$r] end) | .[]' \
			"$dir/none.rows"); do
		bare=$(ticks "$dir/none.rows" "$row")
		here=$(ticks "$dir/$scheme.rows" "$row")
		must=1
		[ "$row" != exec ] || must=3
		verdict "$scheme $row" "$(awk -v a="$bare" -v b="$here" \
			'BEGIN { if (a > 0 && b > 0)
				printf "%.2f", (b - a) * 100 / a }')" \
			$must "% more"
	done
}

# What a row costs when the guest is told not to use kvmclock: its kernel reads
# that clock several times in a task switch, in more instructions than it takes
# to read the TSC. The rest is ours.
without_kvmclock() {
	local scheme=$1 row
	shift
	APPEND="$APPEND no-kvmclock" tools/boot-scheme.sh "$scheme" \
		"$dir/no-kvmclock" "$build" "$kernel" || return
	for row; do
		printf '%-24s %10s %s\n' "  $row, no-kvmclock" \
			"$(awk -v a="$(ticks "$dir/none.rows" "$row")" \
			-v b="$(ticks "$dir/no-kvmclock/$scheme.rows" "$row")" \
			'BEGIN { printf "%.2f", (b - a) * 100 / a }')" "% more"
	done
}

# A scheme of software adds work of its own to each operation: instructions
# more than bare, beside what Linux 6.1's KVM adds without nested paging on the
# same machine. That is vtlb's limit in the rows of memory; its switches between
# processes may lose: a TLB has to be filled again. shadow has its own limits.
# direct stands beside Xen. A part of what it adds is the guest's own: its
# kernel translates each entry that it reads, in 25 instructions. So does
# shadow-pv, which must not cost more than Xen; sixteen processes in turn on
# four kept roots find none, which is bench-roots' business.
differences() {
	local scheme=$1 row bare here kvm xen vtlb shadow direct must peer
	while read -r row kvm vtlb shadow xen direct; do
		bare=$(per_op "$dir/none.rows" "$row")
		here=$(per_op "$dir/$scheme.rows" "$row")
		must=$vtlb peer="KVM $kvm"
		case $scheme in
		shadow) must=$shadow ;;
		shadow-pv)
			must=$xen peer="Xen $xen"
			[ "$row" != switch16 ] || must=-
			;;
		direct) must=$direct peer="Xen $xen" ;;
		esac
		[ "$must" != - ] || [ "$kvm" != - ] || continue
		verdict "$scheme $row" "$(awk -v a="$bare" -v b="$here" \
			'BEGIN { if (b > 0) printf "%.0f", b - a }')" \
			"$must" "($peer)"
	done <<-END
		touch      6816    6816  1500   3169    1500
		mmap1m     7396    -     1700   5354    2000
		mmap1      91812   -     12000  82383   12000
		mprotect1  12390   12390 3000   8149    3000
		mprotect1m 1354    1354  600    2363    600
		filemap    2141    -     500    3323    700
		fork       468000  -     120000 452000  150000
		fork16m    860000  -     250000 5410000 1200000
		cow        12348   12348 2500   6951    3000
		exec       1277000 -     250000 1232000 300000
		switch2    3544    -     800    5980    1200
		switch16   4060    -     900    5980    1200
		syscall    -       -     -      748     400
	END
}

# Exits for each page fault that the guest takes, when it touches fresh memory:
# what eight repetitions of that row add to one, all exits of whatever kind.
# KVM without nested paging takes 3.4.
exits_per_fault() {
	local scheme=$1 n
	for n in 1 9; do
		APPEND="${APPEND%vmmu.repeat=*}vmmu.rows=touch vmmu.repeat=$n" \
			tools/boot-scheme.sh "$scheme" "$dir/touch$n" \
			"$build" "$kernel" || return
	done
	verdict "$scheme exits per fault" "$(jq -s '
		((.[1].exits.total - .[0].exits.total) /
		 (.[1].memory.pf_guest - .[0].memory.pf_guest) * 1000 |
		 round) / 1000' "$dir/touch1/$scheme.json" \
		"$dir/touch9/$scheme.json")" 2.3 "(KVM 3.4)" 2.05
}

# The rows of the guest that executes CPUID in a loop, paging off and on.
run_cpuid() {
	"$build/vmmu" run --mmu "$1" --icount --memory 64M --timeout 60 \
		--kernel "$build/guest/cpuidloop.elf" </dev/null |
		sed -n 's/^@vmmu //p' | tr -d '\r' >"$dir/$1.cpuid"
}

# What the exit adds to one CPUID, without the loop around it.
cpuid_costs() {
	local scheme=$1 row bare here
	run_cpuid "$scheme"
	for row in cpuid cpuid_paged; do
		bare=$(ticks "$dir/none.cpuid" $row)
		here=$(ticks "$dir/$scheme.cpuid" $row)
		verdict "$scheme $row exit" "$(awk -v a="$bare" -v b="$here" \
			'BEGIN { if (b > 0) printf "%.0f", (b - a) / 10000 }')" \
			400 instructions 200
	done
}

# One change of a leaf table, all of it: the guest's own instruction, the way in
# and out, and what is done.
update_costs() {
	local scheme=$1
	"$build/vmmu" run --mmu "$scheme" --icount --memory 64M --timeout 60 \
		--kernel "$build/guest/pvcost.elf" </dev/null |
		sed -n 's/^@vmmu //p' | tr -d '\r' >"$dir/$scheme.cost"
	verdict "$scheme mmu_update" \
		"$(per_op "$dir/$scheme.cost" mmu_update)" \
		500 instructions 400
	verdict "$scheme the same, batched" \
		"$(per_op "$dir/$scheme.cost" mmu_update_batched)" \
		200 instructions 150
	verdict "$scheme trapped write" \
		"$(per_op "$dir/$scheme.cost" trapped_write)" - instructions
}

boot none
run_cpuid none
for scheme in "$@"; do
	boot "$scheme"
	echo "$scheme against the bare machine, instructions:"
	case $scheme in
	nested)
		overheads "$scheme"
		without_kvmclock "$scheme" switch2 switch16
		cpuid_costs "$scheme"
		verdict "$scheme faults that map" \
			"$(jq .memory.pf_fixed "$dir/$scheme.json")" 128 "" 16
		;;
	direct)
		differences "$scheme"
		update_costs "$scheme"
		;;
	shadow-pv)
		differences "$scheme"
		;;
	*)
		differences "$scheme"
		exits_per_fault "$scheme"
		;;
	esac
	echo
done
echo "$missed missed"
exit $((missed != 0))
