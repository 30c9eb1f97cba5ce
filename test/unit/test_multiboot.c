/* hv/boot/multiboot.c on information structures in a pretend memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "boot/multiboot.h"

#define MAGIC 0x2badb002
#define BASE  0x10000u /* machine address of memory[0] */
#define SIZE  0x4000u

/* Where each part is put. */
#define INFO	BASE
#define MODS	(BASE + 0x100)
#define MMAP	(BASE + 0x200)
#define CMDLINE (BASE + 0x2000)

struct machine {
	uint8_t memory[SIZE];
	struct boot_reader reader;
	struct boot_info out;
};

static const void *at(void *ctx, uint64_t hpa, uint64_t size)
{
	struct machine *m = ctx;

	if (hpa < BASE || hpa >= BASE + SIZE || size > BASE + SIZE - hpa)
		return NULL;
	return m->memory + (hpa - BASE);
}

static void put32(struct machine *m, uint32_t hpa, uint32_t value)
{
	memcpy(m->memory + (hpa - BASE), &value, 4);
}

static void put_line(struct machine *m, unsigned i, uint64_t base,
		     uint64_t size, uint32_t type)
{
	uint32_t line = MMAP + 24 * i;

	put32(m, line, 20);
	put32(m, line + 4, (uint32_t)base);
	put32(m, line + 8, (uint32_t)(base >> 32));
	put32(m, line + 12, (uint32_t)size);
	put32(m, line + 16, (uint32_t)(size >> 32));
	put32(m, line + 20, type);
}

/* Two modules, three lines of memory map, a command line. */
static struct machine *good(const char *cmdline)
{
	struct machine *m = calloc(1, sizeof(*m));

	m->reader = (struct boot_reader){ .at = at, .ctx = m };
	put32(m, INFO, 1u << 2 | 1u << 3 | 1u << 6);
	put32(m, INFO + 16, CMDLINE);
	put32(m, INFO + 20, 2);
	put32(m, INFO + 24, MODS);
	put32(m, INFO + 44, 3 * 24);
	put32(m, INFO + 48, MMAP);
	put32(m, MODS, 0x200000);
	put32(m, MODS + 4, 0x200123);
	put32(m, MODS + 16, 0x300000);
	put32(m, MODS + 20, 0x300000);
	put_line(m, 0, 0, 0x9fc00, 1);
	put_line(m, 1, 0x100000, 0x27ee0000, 1);
	put_line(m, 2, 0x100000000, 0x80000000, 2);
	strcpy((char *)m->memory + (CMDLINE - BASE), cmdline);
	return m;
}

static const char *parse(struct machine *m)
{
	return multiboot_parse(MAGIC, INFO, &m->reader, &m->out);
}

/* The sentence must hold the word, so that each refusal is the right one. */
static void refused(struct machine *m, const char *word)
{
	const char *wrong = parse(m);

	assert_non_null(wrong);
	if (strstr(wrong, word) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", wrong, word);
	free(m);
}

static void reads_all(void **state)
{
	struct machine *m = good("vmmu.elf mmu=nested -- root=/dev/ram");

	(void)state;
	assert_null(parse(m));
	assert_string_equal(m->out.cmdline,
			    "vmmu.elf mmu=nested -- root=/dev/ram");
	assert_int_equal(m->out.module_count, 2);
	assert_int_equal(m->out.module[0].start.v, 0x200000);
	assert_int_equal(m->out.module[0].size, 0x123);
	assert_int_equal(m->out.module[1].size, 0);
	assert_int_equal(m->out.memory_count, 3);
	assert_int_equal(m->out.memory[1].start.v, 0x100000);
	assert_int_equal(m->out.memory[1].size, 0x27ee0000);
	assert_int_equal(m->out.memory[2].start.v, 0x100000000);
	assert_int_equal(m->out.memory[2].type, 2);
	free(m);
}

static void what_is_absent_is_empty(void **state)
{
	struct machine *m = good("x");

	(void)state;
	put32(m, INFO, 1u << 6);
	assert_null(parse(m));
	assert_string_equal(m->out.cmdline, "");
	assert_int_equal(m->out.module_count, 0);
	free(m);
}

static void refuses(void **state)
{
	struct machine *m = good("");
	struct boot_info out;

	(void)state;
	assert_non_null(multiboot_parse(0, INFO, &m->reader, &out));
	assert_non_null(multiboot_parse(MAGIC, 4, &m->reader, &out));
	put32(m, INFO, 1u << 2);
	refused(m, "no memory map");

	m = good("");
	put32(m, INFO + 20, BOOT_MODULES_MAX + 1);
	refused(m, "too many modules");
	m = good("");
	put32(m, INFO + 24, BASE + SIZE - 20); /* the second is outside */
	refused(m, "list of modules");
	m = good("");
	put32(m, MODS + 4, 0x1fffff);
	refused(m, "ends before");

	m = good("");
	put32(m, INFO + 48, 0xfffffff0);
	refused(m, "map is not in memory");
	m = good("");
	put32(m, INFO + 44, UINT32_MAX);
	refused(m, "map is too long");
	m = good("");
	put32(m, MMAP + 24, 16);
	refused(m, "too short");
	m = good("");
	put_line(m, 1, UINT64_MAX - 10, 12, 1);
	refused(m, "wraps");
}

static void cmdline_is_bounded(void **state)
{
	struct machine *m = good("");
	char *text = (char *)m->memory + (CMDLINE - BASE);

	(void)state;
	memset(text, 'a', BOOT_CMDLINE_MAX - 1);
	assert_null(parse(m));
	assert_int_equal(strlen(m->out.cmdline), BOOT_CMDLINE_MAX - 1);
	text[BOOT_CMDLINE_MAX - 1] = 'a';
	refused(m, "too long");

	m = good("");
	memset(m->memory + SIZE - 4, 'a', 4);
	put32(m, INFO + 16, BASE + SIZE - 4); /* runs out of memory */
	refused(m, "not in memory");
}

static void too_many_lines(void **state)
{
	struct machine *m = good("");
	unsigned i;

	(void)state;
	put32(m, INFO + 44, 24 * BOOT_MEMORY_MAX);
	for (i = 0; i < BOOT_MEMORY_MAX; i++)
		put_line(m, i, (uint64_t)i << 20, 4096, 1);
	assert_null(parse(m));
	assert_int_equal(m->out.memory_count, BOOT_MEMORY_MAX);
	put32(m, INFO + 44, 24 * (BOOT_MEMORY_MAX + 1));
	put_line(m, i, (uint64_t)i << 20, 0, 1); /* empty: does not count */
	assert_null(parse(m));
	put_line(m, i, (uint64_t)i << 20, 1, 1);
	refused(m, "too many lines");
}

/* Whatever the bytes are, nothing outside is read: ASan watches. */
static void random_bytes(void **state)
{
	struct machine *m = good("");
	int step;
	unsigned i;

	(void)state;
	srand(5);
	for (step = 0; step < 20000; step++) {
		for (i = 0; i < 8; i++)
			put32(m, INFO + 4 * ((unsigned)rand() % 160),
			      rand() % 2 ? (uint32_t)rand() % 0x20000
					 : (uint32_t)rand());
		put32(m, INFO, 0xff);
		parse(m);
		assert_true(m->out.module_count <= BOOT_MODULES_MAX);
		assert_true(m->out.memory_count <= BOOT_MEMORY_MAX);
	}
	free(m);
}

static void options(void **state)
{
	struct machine *m = good("  a/b=c vmmu crash=ud  crash=pf x= -- g=1 h");
	char value[8];

	(void)state;
	assert_null(parse(m));
	assert_true(boot_option(&m->out, "crash", value, sizeof(value)));
	assert_string_equal(value, "ud");
	assert_false(boot_option(&m->out, "crash", value, 2));
	assert_true(boot_option(&m->out, "x", value, sizeof(value)));
	assert_string_equal(value, "");
	assert_false(boot_option(&m->out, "b", value, sizeof(value)));
	assert_false(boot_option(&m->out, "g", value, sizeof(value)));
	assert_true(boot_flag(&m->out, "vmmu"));
	assert_false(boot_flag(&m->out, "vmm"));
	assert_false(boot_flag(&m->out, "crash"));
	assert_false(boot_flag(&m->out, "h"));
	free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_all),
		cmocka_unit_test(what_is_absent_is_empty),
		cmocka_unit_test(refuses),
		cmocka_unit_test(cmdline_is_bounded),
		cmocka_unit_test(too_many_lines),
		cmocka_unit_test(random_bytes),
		cmocka_unit_test(options),
	};

	return cmocka_run_group_tests_name("multiboot", tests, NULL, NULL);
}
