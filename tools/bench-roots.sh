#!/usr/bin/env bash
# What shadow gains by keeping more roots: the rows in which processes take
# turns, in counted instructions, and how many loads of CR3 found their tables
# ready. With fewer roots than processes each turn makes its root anew. A
# paravirtual guest's are counted by process, of which each has two, and a
# change between its user and its kernel loads none.
# Usage: bench-roots.sh BUILD KERNEL SCHEME ROOTS...
# SCHEME is shadow, or shadow-pv.
set -uo pipefail

build=$1 kernel=$2 scheme=$3
shift 3
rows="switch2 switch16"
format='%-6s %10s %10s %12s %12s %10s %10s\n'

# one ROOTS REPEAT [ROWS]: a boot; leaves its files in $dir.
one() {
	dir=$build/bench/$scheme-roots$1-$2${3:+-$3}
	ROOTS=$1 APPEND="quiet norandmaps nokaslr \
vmmu.rows=${rows/ /,}${3:+,$3} vmmu.repeat=$2" \
		tools/boot-scheme.sh "$scheme" "$dir" "$build" "$kernel" \
		2>"$build/bench/roots.errors" && return
	cat "$build/bench/roots.errors" >&2
	exit 1
}

per_op() {
	jq -rs --arg row "$1" 'map(select(.row == $row and .ok) | .per_op) |
		sort | .[length / 2 | floor]' "$dir/$scheme.rows"
}

# more LESS: what the boot in $dir did beyond the one before: hits, misses, and
# how many in a hundred were hits.
more() {
	jq -rs '(.[1].memory.root_hits - .[0].memory.root_hits) as $h |
		(.[1].memory.root_misses - .[0].memory.root_misses) as $m |
		"\($h) \($m) \($h / ($h + $m) * 1000 | round / 10)%"' \
		"$1" "$dir/$scheme.json"
}

mkdir -p "$build/bench"
echo "$scheme, instructions per switch, its loads of CR3 by roots kept, and"
echo "how many of those of a shell's pipelines found their tables:"
printf "$format" roots ${rows} hits misses reuse pipeline
for roots; do
	one "$roots" 1
	short=$dir/$scheme.json
	one "$roots" 1 pipeline
	pipeline=$(more "$short")
	one "$roots" 4
	# What three more rounds add: the boot is not counted.
	printf "$format" "$roots" $(for row in $rows; do per_op "$row"; done) \
		$(more "$short") "${pipeline##* }"
done
