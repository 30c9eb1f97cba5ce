/*
 * What one change of a leaf table costs a paravirtual guest, in TSC ticks, from
 * its own instruction to the next: asked for alone, asked for with others, and
 * just written. Each time the entry becomes that of another page than it was,
 * so that one page's uses are counted down and another's up. Expected: a row
 * for each, exit code 0.
 */
#include "lib.h"

#define P_RW   UINT64_C(0x63)
#define ROUNDS 3200u
#define BATCH  32u

static struct mmu_update request[BATCH];
static uint64_t value[2]; /* of the entries, in turn */

static uint64_t read_tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static void say_decimal(uint64_t n)
{
	char text[21];
	unsigned at = sizeof(text) - 1;

	text[at] = 0;
	do
		text[--at] = (char)('0' + n % 10);
	while (n /= 10);
	say(&text[at]);
}

static void row(const char *name, uint64_t ticks, bool good)
{
	say("@vmmu {\"row\":\"");
	say(name);
	say("\",\"per_op\":");
	say_decimal(ticks / ROUNDS);
	say(",\"ops\":");
	say_decimal(ROUNDS);
	say(",\"ticks\":");
	say_decimal(ticks);
	say(good ? ",\"ok\":true}\n" : ",\"ok\":false}\n");
	check(name, good);
}

/* The entries of `count` pages, in lists of that many. */
static void measure(const char *name, unsigned count)
{
	uint64_t begin, last = 0, *entry = NULL;
	long wrong = 0;

	begin = read_tsc();
	for (unsigned i = 0; i < ROUNDS / count; i++) {
		for (unsigned j = 0; j < count; j++)
			request[j].val = value[i & 1];
		wrong |= call(mmu_update, request, count, 0, DOMID_SELF);
		last = value[i & 1];
	}
	begin = read_tsc() - begin;
	entry = entry_at((uintptr_t)spare[2], 1, &(uint64_t){ 0 });
	row(name, begin, !wrong && ((*entry ^ last) & ~UINT64_C(0x64)) == 0);
}

static void measure_written(const char *name)
{
	volatile uint64_t *entry =
		entry_at((uintptr_t)spare[2], 1, &(uint64_t){ 0 });
	uint64_t begin, last = 0, was;

	begin = read_tsc();
	for (unsigned i = 0; i < ROUNDS; i++) {
		was = last = value[i & 1];
		__asm__ volatile("xchgq %0, %1" : "+r"(was), "+m"(*entry));
	}
	begin = read_tsc() - begin;
	row(name, begin, ((*entry ^ last) & ~UINT64_C(0x64)) == 0);
}

void guest_main(void)
{
	uint64_t at;

	handlers_init();
	entry_at((uintptr_t)spare[2], 1, &at);
	for (unsigned i = 0; i < BATCH; i++)
		request[i].ptr = at;
	value[0] = mfn_of(spare[0]) * PAGE | P_RW;
	value[1] = mfn_of(spare[1]) * PAGE | P_RW;
	measure("mmu_update", 1);
	measure("mmu_update_batched", BATCH);
	measure_written("trapped_write");
	finish();
}
