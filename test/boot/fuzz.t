#!/usr/bin/env bash
# Random hypercalls on the running hypervisor, by a seed (guest/pv/pvfuzz.c), and
# random ways out of ring 3 and back (guest/pv/pvrings.c),
# beside a second VM: the guest is still there, the hypervisor's audit finds
# nothing, in the middle as at the end, and the other VM is as it was.
# FUZZ_SEED and FUZZ_COUNT for others.
. "$(dirname "$0")/tap.sh"

first=${FUZZ_SEED:-1}
count=${FUZZ_COUNT:-200500}

# Every so often, until the guest ends.
for _ in $(seq 40); do
	echo sleep 100
	echo audit
done >"$scratch/commands"

# fuzz SCHEME SEED [GUEST COUNT CHECKS]
fuzz() {
	label="$1, seed $2${3:+, $3}"
	"$BUILD/vmmu" run --mmu "$1" --guest pv --memory 64M --timeout 120 \
		--kernel "$BUILD/guest/${3:-pvfuzz}.elf" --set bystander=16 \
		--append "seed=$2 count=${4:-$count}" --stats "$scratch/stats" \
		--log "$scratch/log" --monitor "$scratch/commands" \
		</dev/null >"$scratch/output" 2>"$scratch/answers"
	status=$?
	output=$(tr -d '\r\0' <"$scratch/output")
	is "$label: status" "$status" 1
	is "$label: what went wrong" "$(grep -a FAILED <<<"$output")" ""
	is "$label: checks" "$(grep -ac '^ok' <<<"$output")" "${5:-2}"
	ok "$label: audits on the way" jq -n -e --arg n \
		"$(grep -c ', 0 breaches' "$scratch/answers")" \
		'($n | tonumber) > 0'
	ok "$label: they find nothing" eval \
		"! grep -E 'I[0-9]:|, [1-9][0-9]* breaches' '$scratch/answers'"
	ok "$label: nor does the last" jq -e \
		'.audit.breaches == 0 and .audit.entries > 0' "$scratch/stats"
	ok "$label: the other VM is as it was" jq -e '.bystander |
		.pages == 4097 and .changed == 0 and .breaches == 0' \
		"$scratch/stats"
	ok "$label: nothing is left or wrong" eval \
		"! grep -E 'did not come back|bystander:' '$scratch/log'"
}

for seed in $(seq "$first" $((first + 2))); do
	fuzz direct "$seed"
done
ok "direct: all kinds of refusals" jq -e '.direct.refused |
	has("foreign frame") and has("forbidden bits") and has("wrong state") and
	has("frame in use as something else") and has("bad address") and
	has("the hypervisor'"'"'s slot") and has("no table there")' \
	"$scratch/stats"
ok "direct: tables of all levels come and go" jq -e '.direct |
	.promoted.l1 > 500 and .promoted.l2 > 50 and .promoted.l3 > 50 and
	.promoted.l4 > 30 and .promoted.segments > 100 and .demoted.l1 > 500 and
	.released > 20 and .trapped_writes > 500' "$scratch/stats"
for seed in $(seq "$first" $((first + 2))); do
	fuzz direct "$seed" pvrings 50000 3
done
fuzz shadow "$first" pvrings 50000 3
fuzz shadow "$first"
fuzz shadow $((first + 1))
finish
