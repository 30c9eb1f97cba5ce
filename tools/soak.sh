#!/usr/bin/env bash
# Boots the stock kernel N times in each variant, to the end of its workload,
# in real time: timer interrupts fall elsewhere in each boot. A boot is good
# when the guest's checksums hold and the audit at its end has found nothing.
# Usage: soak.sh BUILD KERNEL N [VARIANT...]
set -uo pipefail

build=$1 kernel=$2 count=$3
shift 3
dir=$build/soak
mkdir -p "$dir"
bad=0

# A name, and the options that it stands for.
declare -A options=(
	[nested]="--mmu nested"
	[vtlb]="--mmu vtlb"
	[vtlb-256k]="--mmu vtlb --table-memory 256"
	[shadow]="--mmu shadow"
	[shadow-256k]="--mmu shadow --table-memory 256"
	[shadow-roots1]="--mmu shadow --roots 1"
	[shadow-roots4]="--mmu shadow --roots 4"
	[shadow-roots32]="--mmu shadow --roots 32"
	[shadow-pv]="--mmu shadow --guest pv"
	[shadow-pv-1m]="--mmu shadow --guest pv --roots 1 --table-memory 1024"
	[direct]="--mmu direct"
	[switching]="--mmu nested,vtlb,shadow --switch-every 200ms"
)
if [ $# = 0 ]; then
	set -- nested vtlb vtlb-256k shadow shadow-256k shadow-roots{1,4,32} \
		shadow-pv shadow-pv-1m direct switching
fi

progress() {
	[ ! -t 2 ] || printf '\r\033[K%s' "$1" >&2
}

# run VARIANT OUT: shows the rows as they come.
run() {
	local console=ttyS0

	# A paravirtual guest has no UART.
	case $1 in direct | shadow-pv*) console=hvc0 ;; esac
	# The options are words.
	"$build/vmmu" run ${options[$1]} --kernel "$kernel" \
		--initrd "$build/guest/initrd.cpio.gz" \
		--append "console=$console" --timeout "${TIMEOUT:-180}" \
		--stats "$2.json" --log "$2.log" </dev/null 2>"$2.errors" |
		tee "$2.console" | sed -un 's/^@vmmu //p' |
		while read -r line; do
			progress "${2##*/}: $line"
		done
	return "${PIPESTATUS[0]}"
}

# What is wrong with a boot; nothing when it is good.
judge() {
	run "$1" "$2" || echo "the run ended with status $?"
	grep -q '^@vmmu {"done":true,"failures":0}' "$2.console" ||
		echo "the workload is not done"
	jq -e '.audit.breaches == 0 and .audit.entries > 0' "$2.json" \
		>/dev/null || echo "the audit is not clean"
	[ "$1" != switching ] || jq -e '.switches > 0' "$2.json" >/dev/null ||
		echo "it was not moved"
}

for variant; do
	if [ -z "${options[$variant]:-}" ]; then
		echo "soak: there is no variant $variant, but ${!options[*]}" >&2
		exit 2
	fi
	good=0
	for i in $(seq "$count"); do
		out=$dir/$variant-$i
		rm -f "$out".*
		wrong=$(judge "$variant" "$out")
		progress ""
		if [ -z "$wrong" ]; then
			good=$((good + 1))
			continue
		fi
		bad=$((bad + 1))
		echo "$variant: boot $i: ${wrong//$'\n'/, }: $out.*"
		cat "$out.errors"
	done
	echo "$variant: $good of $count boots good"
done
exit $((bad != 0))
