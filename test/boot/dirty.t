#!/usr/bin/env bash
# The dirty log, as the monitor's `dirty` reads it: a guest dirties known pages
# between marks (guest/multiboot/dirty.c), and each is told of, once, whichever
# scheme and whichever hardware logs.
. "$(dirname "$0")/tap.sh"
. test/vmx/bochs.sh

answers=$scratch/answers
mkfifo "$scratch/keys"
cat >"$scratch/commands" <<'END'
expect mark 1.
dirty list
dirty
dirty on
dirty on
dirty count
info mtree
go 1
expect mark 2.
dirty list
audit
go 2
expect mark 3.
dirty list
go 3
expect mark 4.
audit
dirty count
dirty count
dirty off
audit
go 4
expect mark 5.
dirty list
dirty some
dirty on
go 5
END

at_least() {
	echo "$1 at least $2"
	[ "$1" -ge "$2" ]
}

# When the monitor has come that far the guest is told to go on.
press_keys() {
	local n
	for n in 1 2 3 4 5; do
		for _ in $(seq 600); do
			grep -q "^there is no command 'go $n'" "$answers" &&
				break
			kill -0 "$1" 2>/dev/null || return
			sleep 0.05
		done
		printf x >&3
	done
}

# run_dirty LABEL OPTION...: the monitor's answers are in $answers.
run_dirty() {
	label=$1
	shift
	: >"$answers"
	"$BUILD/vmmu" run --memory 64M --timeout 60 \
		--kernel "$BUILD/guest/dirty.elf" --stats "$scratch/stats" \
		--monitor "$scratch/commands" "$@" <"$scratch/keys" \
		>"$scratch/output" 2>"$answers" &
	exec 3<>"$scratch/keys"
	press_keys $!
	wait $!
	status=$?
	exec 3>&-
	output=$(tr -d '\r\0' <"$scratch/output")
}

# The ranges that the Nth `dirty list` told of, from 2 MiB on: below lies the
# guest's own image, with its stack.
list() {
	awk -v n="$1" '/^slot 0: [0-9]+ of/ { round++ }
		/^[0-9a-f]+-[0-9a-f]+$/ && $0 >= "0000000000200000" &&
			round == n' "$answers"
}

# All that the monitor answered, without the commands.
told() {
	grep -v "^(vmmu) " "$answers"
}

# Two pages of the image in the first round, and one in each other.
counts() {
	printf 'slot 1: %u of 16192 pages dirtied\n' 0 702 603 301 0
}

# ranges FIRST STEP COUNT PAGES: so many ranges of so many pages, STEP apart.
ranges() {
	local n at
	for ((n = 0, at = $1; n < $3; n++, at += $2 * 4096)); do
		printf '%016x-%016x\n' $at $((at + $4 * 4096))
	done
}

checks() {
	is "$label: status" "$status" 1
	like "$label: the guest is content" "$output" "is there: ok"
	is "$label: off at first" "$(told | head -n 2)" \
		$'nothing is logged: dirty on\ndirty logging is off'
	is "$label: on and off" \
		"$(grep -c "^dirty logging is on$" "$answers")" 3
	is "$label: both slots log" "$(grep -c ", dirty logged$" "$answers")" 2
	is "$label: every third page" "$(list 2)" "$(ranges 0x200000 3 700 1)"
	is "$label: one after the other" "$(list 3)" \
		"$(ranges 0x1000000 1 1 600 && ranges 0x1800000 1 1 2)"
	is "$label: again, and each told once" \
		"$(told | grep "^slot 1: .* dirtied$")" "$(counts)"
	ok "$label: no such word" grep "^'some' is none of on," "$answers"
	is "$label: audits" "$(grep -c " looked at, 0 breaches" "$answers")" 3
	is "$label: the audit at its end" "$(stat .audit.breaches)" 0
}

ranges_told() {
	told | grep "^[0-9a-f]*-[0-9a-f]*$"
}

same_lists() {
	ranges_told | diff - "$scratch/lists"
}

# 1. By write-protection, under each scheme: the same pages, of the guest's
# image and stack too.
for scheme in nested vtlb shadow; do
	run_dirty "$scheme" --mmu $scheme
	checks
	ok "$label: each first write is seen" at_least \
		"$(stat .memory.pf_dirty)" 1600
	[ -s "$scratch/lists" ] || ranges_told >"$scratch/lists"
	ok "$label: the same pages" same_lists
done

# ... and while the guest is moved from one to the next.
run_dirty moved --mmu nested,vtlb,shadow --switch-every 3ms
checks
ok "$label: the same pages" same_lists
ok "$label: it was moved" at_least "$(stat .switches)" 5

# 2. Intel, by the processor's own log, which takes 512 pages and is full twice
# so, and without it.
bochs_missing && {
	ok "Bochs # SKIP $missing" true
	finish
}
for pml in on off; do
	run_dirty "bochs pml=$pml" --machine bochs --mmu nested --set pml=$pml
	checks
	ok "$label: the same pages" same_lists
	if [ $pml = on ]; then
		is "$label: full logs" "$(stat .exits.log_full)" 2
		is "$label: no fault for a write" "$(stat .memory.pf_dirty)" 0
	else
		is "$label: no logs" "$(stat .exits.log_full)" 0
		ok "$label: each first write is seen" at_least \
			"$(stat .memory.pf_dirty)" 1600
	fi
done

# 3. The same of a guest that pages and writes to the same pages for ever:
# guest/multiboot/moved.c.
printf '%s\n' 'expect ready' 'dirty on' 'sleep 200' 'dirty count' 'sleep 200' \
	'dirty list' audit 'sleep 200' 'dirty list' stats 'dirty off' audit \
	quit >"$scratch/commands"
for pml in on off; do
	label="bochs pml=$pml"
	vmmu run --machine bochs --kernel "$BUILD/guest/moved.elf" \
		--memory 64M --monitor "$scratch/commands" --timeout 60 \
		--set pml=$pml
	cp "$scratch/sentence" "$answers"
	is "$label: status" "$status" 12
	is "$label: audits" "$(grep -c " looked at, 0 breaches" "$answers")" 2
	ok "$label: its pages are told of" at_least "$(ranges_told | wc -l)" 6
	faults=$(grep '^{"vmmu"' "$answers" | jq .memory.pf_dirty)
	if [ $pml = on ]; then
		ranges_told >"$scratch/lists"
		is "$label: no fault for a write" "$faults" 0
	else
		ok "$label: the same pages" same_lists
		ok "$label: each first write is seen" at_least "$faults" 180
	fi
done
is "nothing is left behind" "$(ls "$scratch/tmp")" ""
finish
