#!/bin/sh
# mkiso.sh IMAGE ISO ARGUMENTS [MODULE...]: an ISO on which GRUB boots the
# image by Multiboot, with these modules in this order. The arguments are
# words without single quotes. A module that is a Linux bzImage is unpacked, by
# the vmmu command beside the image: GRUB hands over an ELF file.
set -eu
image=$1 iso=$2 arguments=$3
shift 3
command -v grub-mkrescue >/dev/null || {
	echo "mkiso: grub-mkrescue is missing:" \
	     "apt-get install grub-pc-bin xorriso mtools" >&2
	exit 1
}
put()
{
	# The boot protocol's magic, at 0x202.
	if [ "$(dd if="$1" bs=1 skip=514 count=4 2>/dev/null)" = HdrS ]; then
		"$(dirname "$image")/vmmu" extract "$1" "$2"
	else
		cp "$1" "$2"
	fi
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
root=$scratch/root
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
		put "$module" "$root/boot/module$n"
		echo "  module /boot/module$n"
		n=$((n + 1))
	done
	echo "}"
} >"$root/boot/grub/grub.cfg"
grub-mkrescue -o "$iso" "$root" >"$scratch/log" 2>&1 || {
	cat "$scratch/log" >&2
	exit 1
}
