/* See lib.h. */
#include "lib.h"

uint8_t spare[SPARE_PAGES][4096] __attribute__((aligned(4096)));

extern const uint8_t stubs[];
void on_event(void);
void on_failsafe(void);
void on_syscall(void);

static unsigned failures;

uint64_t mfn_of(const volatile void *p)
{
	const uint64_t *p2m = (const void *)start_info->mfn_list;

	return p2m[gfn_of(p)];
}

static size_t length(const char *text)
{
	size_t n = 0;

	while (text[n])
		n++;
	return n;
}

void say(const char *text)
{
	call(console_io, CONSOLEIO_write, length(text), text);
}

void say_number(uint64_t n)
{
	char text[19] = "0x";

	for (unsigned i = 0; i < 16; i++)
		text[2 + i] = "0123456789abcdef"[n >> (60 - 4 * i) & 15];
	text[18] = 0;
	say(text);
}

void check(const char *name, bool good)
{
	say(good ? "ok " : "FAILED ");
	say(name);
	say("\n");
	failures += !good;
}

_Noreturn void finish(void)
{
	for (;;)
		__asm__ volatile("outl %0, $0xf4" : : "a"(failures));
}

bool told(const char *word)
{
	const char *line = (const char *)start_info->cmd_line;
	size_t n = length(word);

	while (*line) {
		size_t i = 0;

		while (i < n && line[i] == word[i])
			i++;
		if (i == n && (line[n] == ' ' || !line[n]))
			return true;
		while (*line && *line != ' ')
			line++;
		while (*line == ' ')
			line++;
	}
	return false;
}

/* What came when no test was waiting for anything. */
void unexpected(void)
{
	say("FAILED vector ");
	say_number(arrival.vector);
	say(" at ");
	say_number(arrival.rip);
	say("\n");
	failures++;
	finish();
}

static void set_callback(uint16_t type, void (*to)(void))
{
	const struct callback_register r = { .type = type,
					     .address = (uintptr_t)to };

	call(callback_op, CALLBACKOP_register, &r);
}

/* In pieces: the table has an end of its own. */
void handlers_init(void)
{
	struct trap_info t[2] = { { 0 } };

	for (unsigned i = 0; i < 256; i++) {
		t[0].vector = (uint8_t)i;
		t[0].flags = i == 3 || i == 0x80 ? 3 : 0;
		t[0].cs = FLAT_KERNEL_CS;
		t[0].address = (uintptr_t)stubs + 16 * i;
		call(set_trap_table, t);
	}
	set_callback(CALLBACKTYPE_event, on_event);
	set_callback(CALLBACKTYPE_failsafe, on_failsafe);
	set_callback(CALLBACKTYPE_syscall, on_syscall);
}

/* The tables of the start are where pt_base says, one after another, and are
 * seen at VIRT_BASE like all else. */
uint64_t *entry_at(uint64_t va, unsigned level, uint64_t *machine)
{
	const uint64_t *m2p;
	struct xen_machphys_mapping map;
	uint64_t *table = (void *)start_info->pt_base;

	call(memory_op, XENMEM_machphys_mapping, &map);
	m2p = (const void *)map.v_start;
	for (unsigned l = 4;; l--) {
		uint64_t *e = &table[va >> (12 + 9 * (l - 1)) & 511];

		if (l == level) {
			*machine = mfn_of(table) * PAGE +
				   ((uintptr_t)e & (PAGE - 1));
			return e;
		}
		table = (void *)(VIRT_BASE +
				 m2p[(*e & 0x000ffffffffff000) / PAGE] * PAGE);
	}
}

long update(uint64_t machine, uint64_t value)
{
	const struct mmu_update u = { .ptr = machine, .val = value };

	return call(mmu_update, &u, 1, 0, DOMID_SELF);
}

long map_at(const void *va, uint64_t entry)
{
	return call(update_va_mapping, va, entry, UVMF_INVLPG);
}

long mmuext2(unsigned cmd, uint64_t mfn, uint64_t source)
{
	const struct mmuext_op op = { .cmd = cmd,
				      .arg1.mfn = mfn,
				      .arg2.src_mfn = source };

	return call(mmuext_op, &op, 1, 0, DOMID_SELF);
}

long mmuext(unsigned cmd, uint64_t mfn)
{
	return mmuext2(cmd, mfn, 0);
}
