/*
 * What one change of a direct-paging guest's tables costs.
 *
 *   update, batch   an L1 entry made for another page than it was for: one
 *                   call each, and 32 in a call
 *   same            the same page with other rights: no count moves
 *   data            an entry of a page that is no table yet
 *   va              by address, which walks to the entry
 *   trapped         a write to a read-only table: found, read, written
 *   exchanged       the same in one, as XCHG has it
 *   pin             an L1 whose 512 entries map pages: promoted and demoted
 *   pin4            an L4 with 80 links, as a new process's
 *   root            an L4 loaded that is pinned
 *   loop            the same without an operation, for callgrind.py to
 *                   subtract
 */
#include <string.h>

#include <vmmu/vmmu.h>

#include "bench.h"

#define FIRST  UINT64_C(0x1000)
#define FRAMES 1024u
#define GFNS   1000u
#define DATA   64u /* gfns from here on are pages */
#define BATCH  32u

#define P  UINT64_C(1)
#define RW UINT64_C(0x63)

static struct vmmu_frame frame[FRAMES];
static uint64_t m2p[FRAMES], p2m[GFNS], template[16];
static uint8_t memory[(FRAMES + 1) * VMMU_PAGE_SIZE]
	__attribute__((aligned(4096)));
static struct vmmu_frames frames = { frame, m2p,    memory,
				     FIRST, FRAMES, VMMU_FRAME_COUNT_MAX };
static struct vmmu_slot slot[1];
static struct vmmu_vm vm;
static struct vmmu_direct_vm direct;
static struct vmmu_cpu cpu;

static bool table_alloc(void *cookie, hpa_t *page)
{
	(void)cookie;
	*page = mk_hpa((FIRST + FRAMES) << VMMU_PAGE_SHIFT);
	return true;
}

static void table_free(void *cookie, hpa_t page)
{
	(void)cookie;
	(void)page;
}

static void *ptr(void *cookie, hpa_t hpa)
{
	(void)cookie;
	return memory + (hpa.v - (FIRST << VMMU_PAGE_SHIFT));
}

static void flush_all(void *cookie)
{
	(void)cookie;
}

static const struct vmmu_host_ops ops = {
	.table_alloc = table_alloc,
	.table_free = table_free,
	.ptr = ptr,
	.flush_all = flush_all,
};

static uint64_t *page(uint64_t gfn)
{
	return (uint64_t *)(void *)(memory + gfn * VMMU_PAGE_SIZE);
}

static uint64_t to(uint64_t gfn, uint64_t bits)
{
	return (FIRST + gfn) << VMMU_PAGE_SHIFT | bits;
}

static void expect(bool good)
{
	if (!good)
		abort();
}

/* gfn 0 L4, 1 L3, 2 L2, 3 L1; 4 and 6 more L4s, 5 another L1. */
static void build(void)
{
	const struct vmmu_vm_config vc = { .host = { .ops = &ops },
					   .slot_storage = slot,
					   .slot_capacity = 1,
					   .table_limit = 16 };
	const struct vmmu_direct_config dc = { .frames = &frames,
					       .owner = 1,
					       .p2m = p2m,
					       .p2m_count = GFNS,
					       .template = template,
					       .slot_first = 256,
					       .slot_count = 16,
					       .maxphyaddr = 40 };

	vmmu_frames_init(&frames);
	expect(vmmu_vm_init(&vm, &vc) &&
	       vmmu_direct_vm_init(&direct, &vm, &dc));
	for (uint64_t i = 0; i < GFNS; i++)
		expect(!vmmu_direct_give(&vm, mk_gfn(i), mk_hfn(FIRST + i)));
	expect(vmmu_cpu_init(&cpu, &vm, &vmmu_direct));
	for (uint64_t l4 = 0; l4 <= 4; l4 += 4)
		page(l4)[0] = to(1, RW);
	for (unsigned i = 0; i < 80; i++)
		page(6)[i < 10 ? i : 390 + i] = to(1, RW);
	page(1)[0] = to(2, RW);
	page(2)[0] = to(3, RW);
	page(3)[3] = to(3, P);
	page(3)[4] = to(DATA, RW);
	for (unsigned i = 0; i < 512; i++)
		page(5)[i] = to(DATA + i, RW);
	expect(!vmmu_direct_pin(&cpu, mk_hfn(FIRST), 4, NULL));
	expect(!vmmu_direct_pin(&cpu, mk_hfn(FIRST + 4), 4, NULL));
	expect(!vmmu_direct_set_root(&cpu, mk_hfn(FIRST), NULL));
}

/* Not inline: every operation and the loop prepare alike. */
static __attribute__((noinline)) const struct vmmu_direct_update *change(
	uint64_t i)
{
	static struct vmmu_direct_update all[BATCH];
	struct vmmu_direct_update *u = &all[i % BATCH];

	u->at.v = (FIRST + 3) << VMMU_PAGE_SHIFT | (64 + i % 256) * 8;
	u->value = to(DATA + i * 7 % 509, RW);
	return u;
}

/* As the engine does it: the short way, or else the long one. */
static void one(const struct vmmu_direct_update *u)
{
	uint32_t budget = 4096;

	expect(vmmu_direct_update_quick(&vm, u->at.v, u->value, false) ||
	       !vmmu_direct_update(&cpu, u, &budget));
}

static void update(uint64_t i)
{
	one(change(i));
}

static void same(uint64_t i)
{
	struct vmmu_direct_update u = { .at = change(i)->at };

	u.at.v = (FIRST + 3) << VMMU_PAGE_SHIFT | 64 * 8;
	u.value = to(DATA, RW) | (i & 1) << 63;
	one(&u);
}

static void data(uint64_t i)
{
	struct vmmu_direct_update u = *change(i);

	u.at.v = (FIRST + DATA) << VMMU_PAGE_SHIFT | i % 512 * 8;
	one(&u);
}

static void batch(uint64_t i)
{
	const struct vmmu_direct_update *u = change(i);
	uint32_t budget = 4096, done;

	if (i % BATCH == BATCH - 1)
		expect(!vmmu_direct_update_batch(&cpu, u + 1 - BATCH, BATCH,
						 &done, &budget));
}

static void va(uint64_t i)
{
	expect(!vmmu_direct_update_va(&cpu,
				      mk_gva((64 + i % 256) * VMMU_PAGE_SIZE),
				      change(i)->value));
}

static void trapped(uint64_t i)
{
	uint64_t was;
	hpa_t at;

	expect(vmmu_direct_is_trapped(
		&cpu, mk_gva(3 * VMMU_PAGE_SIZE + (64 + i % 256) * 8), &at));
	was = vmmu_direct_entry(&cpu, at);
	expect(!vmmu_direct_trapped_write(&cpu, at, 8, change(i)->value, &was));
}

static void exchanged(uint64_t i)
{
	uint64_t gva = 3 * VMMU_PAGE_SIZE + (64 + i % 256) * 8, was;

	if (!vmmu_direct_trapped_quick(&cpu, mk_gva(gva), change(i)->value,
				       &was))
		trapped(i);
}

static void pin(uint64_t i)
{
	uint32_t budget = 4096;

	change(i);
	expect(!vmmu_direct_pin(&cpu, mk_hfn(FIRST + 5), 1, &budget));
	expect(!vmmu_direct_unpin(&cpu, mk_hfn(FIRST + 5), &budget));
}

static void pin4(uint64_t i)
{
	uint32_t budget = 4096;

	change(i);
	expect(!vmmu_direct_pin(&cpu, mk_hfn(FIRST + 6), 4, &budget));
	expect(!vmmu_direct_unpin(&cpu, mk_hfn(FIRST + 6), &budget));
}

static void root(uint64_t i)
{
	uint32_t budget = 4096;

	change(i);
	expect(!vmmu_direct_set_root(&cpu, mk_hfn(FIRST + (i & 1) * 4),
				     &budget));
}

static void loop(uint64_t i)
{
	change(i);
}

static const struct {
	const char *name;
	void (*run)(uint64_t i);
} op[] = {
	{ "update", update },	    { "data", data }, { "same", same },
	{ "batch", batch },	    { "va", va },     { "trapped", trapped },
	{ "exchanged", exchanged }, { "pin", pin },   { "pin4", pin4 },
	{ "root", root },	    { "loop", loop },
};

int main(int argc, char **argv)
{
	uint64_t count = bench_count(argc, argv);

	for (unsigned i = 0; argc > 1 && i < sizeof(op) / sizeof(op[0]); i++) {
		if (strcmp(op[i].name, argv[1]))
			continue;
		build();
		for (uint64_t n = 0; n < count; n++)
			op[i].run(n);
		return bench_done(argv[1], count);
	}
	return bench_usage(
		argv[0],
		"update|same|data|batch|va|trapped|exchanged|pin|pin4|root|loop");
}
