#!/usr/bin/env bash
# The permutation guest (guest/permute), bare and under each scheme, in 32-bit,
# PAE, 4-level and 5-level paging: what the manual says of each access is what
# the processor does.
#
# QEMU's own MMU differs from the manual in two things, which the guest finds
# out and prints. It walks the guest's tables on the bare machine and under
# nested; under vtlb and shadow we do, and neither difference may be there.
. "$(dirname "$0")/tap.sh"

# run SCHEME APPEND [OPTION...]
run() {
	label="$1 $2"
	local scheme=$1 append=$2
	shift 2
	vmmu run --mmu "$scheme" --features +la57,+pku --memory 64M \
		--timeout 120 --kernel "$BUILD/guest/permute.elf" \
		--append "$append" --stats "$scratch/stats" \
		--log "$scratch/log" "$@"
	label="$label $*"
	is "$label: status" "$status" 1
	ok "$label: nothing is wrong" all_right
	[ "$scheme" = none ] || ok "$label: nothing is left or wrong" came_back
}

all_right() {
	echo "$output"
	grep -qE '^permute: [0-9]+ cases, 0 wrong$' <<<"$output"
}

came_back() {
	cat "$scratch/log"
	[ -s "$scratch/log" ] &&
		! grep -E "did not come back|^vmmu: I[0-9]:" "$scratch/log"
}

enough() {
	local cases
	cases=$(sed -n 's/^permute: \([0-9]*\) cases.*/\1/p' <<<"$output")
	echo "$cases cases"
	[ "$cases" -gt 100000 ]
}

left_out() {
	sed -n 's/^permute: \(.*\) is not offered.*/\1/p' <<<"$output"
}

for levels in 2 3 4 5; do
	for scheme in none nested vtlb shadow; do
		run $scheme "levels=$levels"
		ok "$label: more than 100,000 cases" enough
		case $scheme in vtlb | shadow)
			like "$label: as the manual says" "$output" "with P"
			is "$label: left out" "$(left_out)" \
				"$([ $levels -lt 4 ] || echo 1 GiB pages)"
			ok "$label: A is not set too early" \
				test "${output/too early/}" = "$output"
			;;
		*)
			is "$label: left out" "$(left_out)" ""
			;;
		esac
	done
done

# Writes under WP=0 cost an exit only where SMAP binds beside it.
ticks() {
	sed -n "s/^permute: WP=0, $1: \([0-9]*\) ticks.*/\1/p" <<<"$output"
}
for scheme in vtlb shadow; do
	run $scheme "levels=4 part=3" --icount
	for page in "a supervisor's page" "a user's page" \
		"SMAP, a supervisor's page"; do
		ok "$label: $page" test "$(ticks "$page")" -lt 200
	done
	ok "$label: by software" test "$(ticks "SMAP, a user's page")" -lt 6000
done

# Little memory, one root, and another scheme every few milliseconds.
run vtlb "levels=5 part=2" --table-memory 64
run shadow "levels=4 part=2" --roots 1
run shadow "levels=2 part=2" --table-memory 256
run vtlb,shadow "levels=4 part=2" --switch-every 3
ok "$label: it was moved" test "$(stat .switches)" -gt 20
finish
