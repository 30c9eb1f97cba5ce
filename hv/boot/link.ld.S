/*
 * The image: linked at its virtual base, loaded at 1 MiB. Each part starts on
 * a page of its own, because each gets its own permissions in paging.c.
 * Symbols that C reads are declared in hv/mm/image.h.
 */
#include "mm/layout.h"

ENTRY(start)
SECTIONS
{
	. = 0x100000;
	.boot : { KEEP(*(.boot)) }

	. = ALIGN(4096);
	. += HV_IMAGE_BASE;
	image_start = .;
	.text : AT(ADDR(.text) - HV_IMAGE_BASE) {
		image_text = .;
		*(.text .text.*)
		. = ALIGN(4096);
		image_text_end = .;
	}
	.rodata : AT(ADDR(.rodata) - HV_IMAGE_BASE) {
		*(.rodata .rodata.*)
		*(.got .got.* .igot.*)
		. = ALIGN(16);
		fixup_table = .;
		KEEP(*(.fixup_table))
		fixup_table_end = .;
		*(.symbols)
		. = ALIGN(4096);
		image_rodata_end = .;
	}
	.data : AT(ADDR(.data) - HV_IMAGE_BASE) {
		*(.data .data.*)
	}
	.bss : AT(ADDR(.bss) - HV_IMAGE_BASE) {
		*(.bss .bss.* COMMON)
		. = ALIGN(4096);
		image_end = .;
	}
	/DISCARD/ : { *(.note .note.* .comment .eh_frame .eh_frame_hdr) }
}
