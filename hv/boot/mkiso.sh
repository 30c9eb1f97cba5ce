#!/bin/sh
# mkiso.sh IMAGE ISO ARGUMENTS [MODULE...]: an ISO on which GRUB boots the
# image by Multiboot, with these modules in this order. The arguments are
# words without single quotes.
set -eu
image=$1 iso=$2 arguments=$3
shift 3
command -v grub-mkrescue >/dev/null || {
	echo "mkiso: grub-mkrescue is missing:" \
	     "apt-get install grub-pc-bin xorriso mtools" >&2
	exit 1
}
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/boot/grub"
cp "$image" "$root/boot/vmmu.elf"
{
	echo "set timeout=0"
	echo "menuentry vmmu {"
	printf "  multiboot /boot/vmmu.elf"
	set -f # words as they are, and quoted from GRUB's shell
	for word in $arguments; do
		printf " '%s'" "$word"
	done
	set +f
	echo
	n=0
	for module in "$@"; do
		cp "$module" "$root/boot/module$n"
		echo "  module /boot/module$n"
		n=$((n + 1))
	done
	echo "}"
} >"$root/boot/grub/grub.cfg"
grub-mkrescue -o "$iso" "$root" >"$root/log" 2>&1 || {
	cat "$root/log" >&2
	exit 1
}
