/*
 * tools/kernel.c: kinds of kernel files, and files that lie. Under
 * AddressSanitizer, a header that is believed shows as a crash.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "tools/kernel.h"

#define NOTE_AT (sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr))
#define SIZE	256

static const uint32_t note[] = { 4, 4, 18, 0x006e6558, 0x1000850 };

/* A small vmlinux with its PVH note, in a block of exactly its size. */
static struct bytes vmlinux(void)
{
	struct bytes image = { calloc(1, SIZE), SIZE };
	Elf64_Ehdr eh = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64,
				       ELFDATA2LSB, 1 },
			  .e_type = ET_EXEC,
			  .e_machine = EM_X86_64,
			  .e_phoff = sizeof(Elf64_Ehdr),
			  .e_phentsize = sizeof(Elf64_Phdr),
			  .e_phnum = 1 };
	Elf64_Phdr ph = { .p_type = PT_NOTE,
			  .p_offset = NOTE_AT,
			  .p_filesz = sizeof(note) };

	assert_non_null(image.data);
	memcpy(image.data, &eh, sizeof(eh));
	memcpy(image.data + sizeof(eh), &ph, sizeof(ph));
	memcpy(image.data + NOTE_AT, note, sizeof(note));
	return image;
}

static void put32(struct bytes *image, size_t at, uint32_t value)
{
	memcpy(image->data + at, &value, sizeof(value));
}

static void a_vmlinux_is_known(void **state)
{
	struct bytes image = vmlinux();

	(void)state;
	assert_true(kernel_is_elf64(&image));
	assert_int_equal(kernel_pvh_entry(&image), 0x1000850);
	assert_int_equal(kernel_kind(&image), KERNEL_VMLINUX);
	bytes_free(&image);
}

static void the_note_must_be_the_one(void **state)
{
	static const struct {
		size_t word;
		uint32_t value;
	} wrong[] = { { 0, 5 },	      { 0, 0xffffffff }, { 1, 2 },
		      { 1, 1 << 30 }, { 2, 17 },	 { 3, 0x00554e47 } };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct bytes image = vmlinux();

		put32(&image, NOTE_AT + 4 * wrong[i].word, wrong[i].value);
		assert_int_equal(kernel_pvh_entry(&image), 0);
		assert_int_equal(kernel_kind(&image), KERNEL_NONE);
		bytes_free(&image);
	}
}

/* Another note before it, of odd sizes, is stepped over. */
static void a_second_note_is_found(void **state)
{
	static const uint32_t first[] = { 3, 5, 1, 0x00554e47, 1, 2 };
	struct bytes image = vmlinux();
	Elf64_Phdr ph;

	(void)state;
	memcpy(&ph, image.data + sizeof(Elf64_Ehdr), sizeof(ph));
	ph.p_filesz = sizeof(first) + sizeof(note);
	memcpy(image.data + sizeof(Elf64_Ehdr), &ph, sizeof(ph));
	memcpy(image.data + NOTE_AT, first, sizeof(first));
	memcpy(image.data + NOTE_AT + sizeof(first), note, sizeof(note));
	assert_int_equal(kernel_pvh_entry(&image), 0x1000850);
	bytes_free(&image);
}

static void a_multiboot_image_is_known(void **state)
{
	struct bytes image = { calloc(1, SIZE), SIZE };

	(void)state;
	assert_non_null(image.data);
	memcpy(image.data, ELFMAG, SELFMAG);
	image.data[EI_CLASS] = ELFCLASS32;
	put32(&image, SIZE - 12, 0x1badb002);
	put32(&image, SIZE - 8, 3);
	put32(&image, SIZE - 4, 0u - (0x1badb002 + 3));
	assert_int_equal(kernel_kind(&image), KERNEL_MULTIBOOT);
	put32(&image, SIZE - 4, 0);
	assert_int_equal(kernel_kind(&image), KERNEL_NONE);
	bytes_free(&image);
}

/* Every size that cuts it short, and random bytes anywhere: no crash. */
static void lies_are_survived(void **state)
{
	unsigned int seed = 7;

	(void)state;
	for (size_t size = 0; size < SIZE; size++) {
		struct bytes whole = vmlinux();
		struct bytes image = { malloc(size + 1), size };

		memcpy(image.data, whole.data, size);
		image.data = realloc(image.data, size ? size : 1);
		kernel_kind(&image);
		bytes_free(&image);
		bytes_free(&whole);
	}
	for (int round = 0; round < 20000; round++) {
		struct bytes image = vmlinux();

		for (int i = 0; i < 3; i++)
			image.data[(unsigned int)rand_r(&seed) % SIZE] =
				(uint8_t)rand_r(&seed);
		kernel_kind(&image);
		bytes_free(&image);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vmlinux_is_known),
		cmocka_unit_test(the_note_must_be_the_one),
		cmocka_unit_test(a_second_note_is_found),
		cmocka_unit_test(a_multiboot_image_is_known),
		cmocka_unit_test(lies_are_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
