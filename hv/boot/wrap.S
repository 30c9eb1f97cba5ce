/*
 * The 64-bit image as one segment of a 32-bit ELF file: QEMU's -kernel takes
 * no other, and GRUB takes it too. The Multiboot header is at its beginning.
 */
	.section .image, "ax"
	.globl	_start
	.set	_start, . + 12		/* after the Multiboot header */
	.incbin	HV_FLAT
	.section .note.GNU-stack, "", @progbits
