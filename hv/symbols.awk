# nm -n | awk -f symbols.awk: the functions' addresses and names as the table
# that hv/cpu/symbols.c reads. The last row ends the search.
BEGIN {
	print "\t.section .symbols, \"a\""
	print "\t.balign 4"
	print "\t.globl symbol_table, symbol_names"
	print "symbol_table:"
}
# Boot code lies low and is gone when a backtrace is printed.
$2 ~ /^[tT]$/ && $1 ~ /^ffff8/ && $3 !~ /^(image_|\.L)/ && $1 != last {
	last = $1
	printf "\t.long 0x%s, %d\n", substr($1, 9), at
	names = names "\t.asciz \"" $3 "\"\n"
	at += length($3) + 1
}
END {
	print "\t.long 0xffffffff, 0"
	print "symbol_names:"
	printf "%s\t.byte 0\n", names
	print "\t.section .note.GNU-stack, \"\", @progbits"
}
