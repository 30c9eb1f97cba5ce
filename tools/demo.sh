#!/usr/bin/env bash
# Boots the stock kernel under each scheme and prints a table: a row for each
# boot as it finishes, then the guest's workload under all of them.
# Usage: demo.sh BUILD KERNEL SCHEME...
# The environment's MACHINE is what executes: tcg (an AMD processor), or bochs
# (an Intel one), where there are fewer rows because it is slower.
set -uo pipefail

build=$1 kernel=$2
shift 2
machine=${MACHINE:-tcg}
dir=$build/demo/$machine
failed=0

# Millions with one decimal, and thousands parted by commas.
million() {
	awk -v n="$1" 'BEGIN { printf "%.1f", n / 1e6 }'
}

# A part of one, in per cent with one decimal.
percent() {
	if [ "$1" = - ]; then echo -; else
		awk -v n="$1" 'BEGIN { printf "%.1f%%", n * 100 }'
	fi
}

# The value at a jq path of the statistics, or "-" where there is none.
stat() {
	jq -r "if .mmu == \"none\" then \"-\" else (try ($2)) // \"-\" end" \
		"$dir/$1.json" 2>/dev/null || echo -
}

verdict() {
	jq -rs 'map(select(.row)) as $rows |
		([$rows[] | select(.ok)] | length) as $good |
		if (map(select(.done)) | length) == 0 then "cut short"
		else "\($good) of \($rows | length) rows ok" end' \
		"$dir/$1.rows" 2>/dev/null || echo "never began"
}

head_format='%-9s %8s %8s %10s %6s %6s %4s %9s %6s %7s  %s\n'

boot_row() {
	local scheme=$1 result=$2 boot
	boot=$(jq -rs 'map(.boot_tsc // empty)[0] // empty' \
		"$dir/$scheme.rows" 2>/dev/null)
	printf "$head_format" "$scheme" "$([ -z "$boot" ] && echo - ||
		million "$boot")" "$(stat "$scheme" .exits.total)" \
		"$(stat "$scheme" .memory.violations)" \
		"$(stat "$scheme" '.mapped["4k"] // "-"')" \
		"$(stat "$scheme" '.mapped["2m"] // "-"')" \
		"$(stat "$scheme" '.mapped["1g"] // "-"')" \
		"$(stat "$scheme" '.table_pages_peak * 4')" \
		"$(percent "$(stat "$scheme" .memory.root_reuse)")" \
		"$(stat "$scheme" '.memory.exits_per_fault * 10 | round / 10')" \
		"$result"
}

good_rows() {
	jq -es 'any(.[]; .done and .failures == 0)' "$dir/$1.rows" \
		>/dev/null 2>&1
}

linux="Stock Linux ($(basename "$(readlink -f "$kernel")")), 512 MiB"
if [ "$machine" = bochs ]; then
	# AMD processors need no KPTI; without it the blocks compare.
	export APPEND="quiet nopti vmmu.rows=$(echo touch mprotect1 filemap \
		fork cow exec switch2 syscall | tr ' ' ,)"
	echo "$linux, on an Intel processor (Bochs), nopti, fewer rows:"
else
	echo "$linux, one processor (AMD, QEMU), instructions counted:"
fi
echo
printf "$head_format" scheme "boot (M)" exits violations "4K" "2M" "1G" \
	"table KiB" reuse "x/fault" workload
for scheme in "$@"; do
	if tools/boot-scheme.sh "$scheme" "$dir" "$build" "$kernel" &&
		good_rows "$scheme"; then
		boot_row "$scheme" "$(verdict "$scheme")"
	else
		failed=$((failed + 1))
		boot_row "$scheme" "FAILED: $(verdict "$scheme")"
	fi
done

# One line a row of the workload, one column a scheme.
echo
printf '%-12s' "workload"
printf '%14s' "$@"
echo "   (instructions per operation)"
for row in $(jq -r '.row // empty' "$dir/$1.rows" 2>/dev/null); do
	printf '%-12s' "$row"
	for scheme in "$@"; do
		printf '%14s' "$(jq -rs --arg row "$row" \
			'map(select(.row == $row))[0] | if . == null then "-"
			 elif .ok then .per_op else "WRONG" end' \
			"$dir/$scheme.rows" 2>/dev/null || echo -)"
	done
	echo
done
echo
if [ "$failed" != 0 ]; then
	echo "$failed of $# boots failed; their consoles are in $dir"
	exit 1
fi
cat <<END
boot: millions of instructions until the guest's init began. 4K, 2M, 1G: pages
mapped at the end. reuse: loads of CR3 that found their tables ready. x/fault:
exits for the guest's paging, for each page fault that the guest takes itself.
END
