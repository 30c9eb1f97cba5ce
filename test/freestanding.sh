#!/bin/sh
# freestanding.sh MERGED.o... : each is the whole library, merged by `ld -r`.
# It may need memcpy, memset and memcmp from outside and nothing else, and it
# has no writable data: all state is the client's.
set -u
bad=0

complain()
{
	echo "freestanding: $1" >&2
	bad=1
}

for object in "$@"; do
	undefined=$(nm -u "$object" | awk '{ print $2 }' |
		grep -vxE 'memcpy|memset|memcmp|_GLOBAL_OFFSET_TABLE_')
	for symbol in $undefined; do
		complain "$object needs $symbol"
	done
	# .data.rel.ro is constant once the image is linked.
	written=$(size -A "$object" | awk '$2 > 0 &&
		/^\.(data|bss|tdata|tbss|sdata|sbss)/ &&
		!/^\.data\.rel\.ro/ { print $1 }')
	for section in $written; do
		complain "$object has writable data in $section"
	done
	common=$(nm "$object" | awk '$2 == "C" { print $3 }')
	for symbol in $common; do
		complain "$object has the writable global $symbol"
	done
done
[ "$bad" -eq 0 ] && echo "freestanding: $# builds need memcpy, memset," \
	"memcmp at most and have no writable data"
exit "$bad"
