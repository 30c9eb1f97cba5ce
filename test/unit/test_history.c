/*
 * The allowed set: what a processor may still believe after tables changed,
 * and what it may not after a flush.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lab/history.h"
#include "lab/smmu_regs.h"

/* Index 1 at each of four levels; tables at 1000, 2000, 3000, 4000. */
#define VA UINT64_C(0x8040201000)

static uint64_t memory[16][512];
static struct history history;
static struct smmu_regs regs;

static enum smmu_mem_status load(void *ctx, gpa_t gpa, unsigned size,
				 uint64_t *value)
{
	(void)ctx;
	*value = 0;
	if (gpa.v >= sizeof(memory))
		return SMMU_MEM_NONE;
	memcpy(value, (uint8_t *)memory + gpa.v, size);
	return SMMU_MEM_OK;
}

static void store(uint64_t gpa, uint64_t value)
{
	uint64_t *word = &memory[gpa / 4096][gpa % 4096 / 8];

	history_store(&history, mk_gpa(gpa), *word);
	*word = value;
}

static void begin(void)
{
	memset(memory, 0, sizeof(memory));
	regs = (struct smmu_regs){ .cr0 = SMMU_CR0_PG | SMMU_CR0_WP,
				   .cr3 = 0x1000,
				   .cr4 = SMMU_CR4_PAE | SMMU_CR4_PGE,
				   .efer = SMMU_EFER_LMA,
				   .maxphyaddr = 40 };
	for (unsigned i = 1; i < 4; i++)
		memory[i][1] = 0x1000 * (i + 1) | 7;
	memory[4][1] = 0xa000 | 7;
	history_init(&history, &regs);
}

static bool leads_to(void *ctx, const struct smmu_result *r)
{
	const uint64_t *gpa = ctx;

	return r->outcome == SMMU_OK && r->gpa.v == *gpa;
}

static bool faults(void *ctx, const struct smmu_result *r)
{
	(void)ctx;
	return r->outcome == SMMU_FAULT;
}

static bool allowed(uint64_t gpa)
{
	struct smmu_mem mem = { .load = load };

	return history_allows(&history, &regs, &mem, mk_gva(VA), VMMU_R,
			      leads_to, &gpa);
}

static bool fault_allowed(void)
{
	struct smmu_mem mem = { .load = load };

	return history_allows(&history, &regs, &mem, mk_gva(VA), VMMU_R, faults,
			      NULL);
}

static void stale_until_flushed(void **state)
{
	(void)state;
	begin();
	store(0x4008, 0xb000 | 7);
	store(0x4008, 0);
	assert_true(allowed(0xa000));
	assert_true(allowed(0xb000));
	assert_true(fault_allowed());
	assert_false(allowed(0xc000));
	history_invlpg(&history, mk_gva(VA + 0xfff));
	assert_false(allowed(0xa000));
	assert_false(allowed(0xb000));
	assert_true(fault_allowed());
	store(0x4008, 0xc000 | 7);
	assert_true(allowed(0xc000));
	assert_true(fault_allowed());
}

static void another_page_keeps_its_past(void **state)
{
	(void)state;
	begin();
	store(0x4008, 0xb000 | 7);
	history_invlpg(&history, mk_gva(VA + 0x1000));
	assert_true(allowed(0xa000));
}

/* An old upper entry with the lower one that was below it, or that is there
 * now; never a new upper entry with what lay below before it was read. */
static void times_go_down_the_walk(void **state)
{
	(void)state;
	begin();
	memory[5][1] = 0xc000 | 7;
	store(0x3008, 0x5000 | 7);
	assert_true(allowed(0xa000));
	assert_true(allowed(0xc000));
	/* The old table changes later: still reached through the old entry. */
	store(0x4008, 0xd000 | 7);
	assert_true(allowed(0xd000));
	/* The new table changed before anything referred to it. */
	begin();
	memory[5][1] = 0xe000 | 7;
	store(0x5008, 0xc000 | 7);
	store(0x3008, 0x5000 | 7);
	assert_true(allowed(0xc000));
	assert_false(allowed(0xe000));
}

static void cr3_drops_what_is_not_global(void **state)
{
	(void)state;
	begin();
	memory[9][1] = 0x2000 | 7;
	store(0x4008, 0xb000 | 7);
	regs.cr3 = 0x9000;
	history_load_cr3(&history, &regs);
	assert_false(allowed(0xa000));
	assert_true(allowed(0xb000));
	begin();
	memory[4][1] |= SMMU_G;
	store(0x4008, 0xb000 | 7 | SMMU_G);
	regs.cr3 = 0x9000;
	history_load_cr3(&history, &regs);
	assert_true(allowed(0xa000));
	assert_true(fault_allowed());
	history_flush_all(&history, &regs);
	assert_false(allowed(0xa000));
	assert_false(allowed(0xb000));
}

static void forgotten_memory_is_not_used(void **state)
{
	(void)state;
	begin();
	store(0x4008, 0xb000 | 7);
	history_forget(&history, mk_gpa(0x4000), 0x1000);
	assert_false(allowed(0xa000));
	assert_true(allowed(0xb000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stale_until_flushed),
		cmocka_unit_test(another_page_keeps_its_past),
		cmocka_unit_test(times_go_down_the_walk),
		cmocka_unit_test(cr3_drops_what_is_not_global),
		cmocka_unit_test(forgotten_memory_is_not_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
