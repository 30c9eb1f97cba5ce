# TAP for shell tests. Sourced, from the top of the tree.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

BUILD=${BUILD:-build}
KERNEL=${KERNEL:-$BUILD/kernel/vmlinuz}
tap_count=0
tap_failed=0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# ok NAME COMMAND...: a test that passes when the command succeeds.
ok() {
	local name=$1
	shift
	tap_count=$((tap_count + 1))
	if "$@" >"$scratch/ok.out" 2>&1; then
		echo "ok $tap_count - $name"
		return 0
	fi
	echo "not ok $tap_count - $name"
	sed 's/^/# /' "$scratch/ok.out"
	tap_failed=$((tap_failed + 1))
	return 1
}

same() {
	[ "$1" = "$2" ] || { echo "got:  $1"; echo "want: $2"; return 1; }
}

# is NAME GOT WANT: a test that passes when the two are the same.
is() {
	ok "$1" same "$2" "$3"
}

matches() {
	[[ $1 =~ $2 ]] || { echo "got:  $1"; echo "want: $2"; return 1; }
}

# like NAME GOT PATTERN: a test that passes when the pattern is found.
like() {
	ok "$1" matches "$2" "$3"
}

# vmmu WORDS...: runs the command. Leaves $status, $output (standard output)
# and $sentence (standard error).
vmmu() {
	"$BUILD/vmmu" "$@" </dev/null >"$scratch/output" 2>"$scratch/sentence"
	status=$?
	output=$(tr -d '\r\0' <"$scratch/output")
	sentence=$(cat "$scratch/sentence")
}

# await COMMAND...: until it succeeds, a minute at most.
await() {
	local i
	for i in {1..1200}; do
		"$@" && return
		sleep 0.05
	done
}

# stat PATH: of the statistics that --stats "$scratch/stats" left.
stat() {
	jq -r "$1" "$scratch/stats"
}

finish() {
	echo "1..$tap_count"
	exit $((tap_failed != 0))
}
