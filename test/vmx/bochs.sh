# Guests on Bochs. Sourced, after tap.sh.

# Runs leave nothing here: the last test of a file looks.
mkdir "$scratch/tmp"
export TMPDIR=$scratch/tmp

# True, with a reason in $missing, where Bochs cannot be run.
bochs_missing() {
	missing=
	local program
	for program in bochs grub-mkrescue xorriso mformat; do
		command -v $program >/dev/null || missing="no $program"
	done
	[ -n "$missing" ]
}

# run SCHEME GUEST [APPEND [OPTION...]]
run() {
	label="bochs $*"
	local scheme=$1 guest=$2 append=${3:-}
	shift $(($# < 3 ? $# : 3))
	: >"$scratch/log"
	vmmu run --machine bochs --mmu "$scheme" --icount --memory 64M \
		--timeout 120 --kernel "$BUILD/guest/$guest.elf" \
		--append "$append" --stats "$scratch/stats" \
		--log "$scratch/log" "$@"
	ok "$label: nothing is left or wrong" came_back
}

# The hypervisor's last words: how the guest ended. No frame is missing, and
# the audit has found nothing.
came_back() {
	cat "$scratch/log"
	[ -s "$scratch/log" ] &&
		! grep -E "did not come back|^vmmu: I[0-9]:" "$scratch/log"
}

# ends STATUS HOW [CODE]
ends() {
	is "$label: status" "$status" "$1"
	is "$label: how" "$(stat .end.how)" "$2"
	[ -z "${3:-}" ] || is "$label: code" "$(stat .end.code)" "$3"
}

no_failed_line() {
	! grep -n FAILED <<<"$output"
}

at_most() {
	echo "$1 at most $2"
	[ "$1" -le "$2" ]
}

append= # more words for the kernel

# linux SCHEME ROWS [OPTION...]: the stock kernel, to the end of these rows of
# its workload.
linux() {
	local scheme=$1 rows=$2
	shift 2
	label="bochs $scheme linux"
	vmmu run --machine bochs --mmu "$scheme" --icount --timeout 600 \
		--kernel "$KERNEL" --initrd "$BUILD/guest/initrd.cpio.gz" \
		--append "console=ttyS0 quiet $append${rows:+ vmmu.rows=$rows}" \
		--stats "$scratch/stats" --log "$scratch/log" "$@"
	ends 0 poweroff
	like "$label: the workload's checksums hold" "$output" \
		'"done":true,"failures":0'
	is "$label: the engine" "$(stat .engine)" vmx
	ok "$label: nothing is left or wrong" came_back
	ok "$label: exits add up" test "$(stat \
		'(.exits | del(.total) | add) == .exits.total')" = true
}
