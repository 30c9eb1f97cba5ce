#!/bin/sh
# An installed copy is enough: the example of doc/example is compiled against
# it, outside the source tree, run, and answers what it should. TAP.
cd "$(dirname "$0")/.." || exit 2
source=$PWD
to=$(mktemp -d) || exit 2
trap 'rm -rf "$to"' EXIT
n=0

# ok STATUS NAME
ok()
{
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		sed 's/^/# /' "$to/log"
	fi
}

echo 1..9
make -s install O="${BUILD:-build}" PREFIX="$to/usr" >"$to/log" 2>&1
ok $? "make install PREFIX=..."

missing=0
for header in include/vmmu/*.h; do
	cmp "$header" "$to/usr/$header" || missing=1
done >"$to/log" 2>&1
ok $missing "every public header is installed"

# Each header stands on its own, in C and for a client that warns.
alone=0
for header in "$to"/usr/include/vmmu/*.h; do
	echo "#include <vmmu/$(basename "$header")>" |
		cc -std=c11 -Wall -Wextra -Werror -I "$to/usr/include" \
		-fsyntax-only -x c - || alone=1
done >"$to/log" 2>&1
ok $alone "every public header compiles alone"

flags="-I$to/usr/include -L$to/usr/lib -lvmmu"
if command -v pkg-config >/dev/null; then
	flags=$(PKG_CONFIG_PATH=$to/usr/lib/pkgconfig \
		pkg-config --cflags --libs vmmu 2>"$to/log")
	ok $? "pkg-config finds it"
else
	n=$((n + 1))
	echo "ok $n - pkg-config finds it # SKIP no pkg-config here"
fi

# Unquoted: several words.
(cd "$to" && cc -std=c11 -Wall -Wextra -Werror \
	"$source/doc/example/embed.c" $flags -o embed) >"$to/log" 2>&1
ok $? "the example of embedding compiles"

"$to/embed" >"$to/log" 2>&1 &&
	grep -qx 'gva 0x5678 -> gpa 0x7678' "$to/log"
ok $? "the example translates an address"

[ "$(wc -l <"$source/doc/example/embed.c")" -le 30 ] 2>"$to/log"
ok $? "... in 30 lines"

# The command finds the hypervisor that is installed with it.
"$to/usr/bin/vmmu" run --kernel "${BUILD:-build}/guest/hello.elf" \
	</dev/null >"$to/log" 2>&1
[ $? = 1 ] && grep -q "hello from a Multiboot guest" "$to/log"
ok $? "the command runs a guest from where it is installed"

make -s install O="${BUILD:-build}" DESTDIR="$to/stage" PREFIX=/opt/x \
	>"$to/log" 2>&1 &&
	[ -f "$to/stage/opt/x/lib/libvmmu.a" ] &&
	grep -qx prefix=/opt/x "$to/stage/opt/x/lib/pkgconfig/vmmu.pc"
ok $? "DESTDIR stages without appearing in vmmu.pc"
