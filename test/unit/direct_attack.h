/*
 * What the tests of attacks share. An attack is made by VM 0. It is answered by
 * a refusal, of one kind; afterwards the audit is clean, the model of hardware
 * finds nothing, and VM 1 has neither a byte nor a count changed.
 */
#ifndef TEST_UNIT_DIRECT_ATTACK_H
#define TEST_UNIT_DIRECT_ATTACK_H

#include "test/unit/direct_test.h"

#define OK	VMMU_DIRECT_OK
#define AGAIN	VMMU_DIRECT_AGAIN
#define FOREIGN VMMU_DIRECT_FOREIGN
#define TYPE	VMMU_DIRECT_TYPE
#define BITS	VMMU_DIRECT_BITS
#define SLOT	VMMU_DIRECT_SLOT
#define ADDRESS VMMU_DIRECT_ADDRESS
#define ABSENT	VMMU_DIRECT_ABSENT
#define COUNT	VMMU_DIRECT_COUNT
#define STATE	VMMU_DIRECT_STATE

/* Tables that the guest may make: mapped read-only, of no type yet. */
#define SPARE 5u

struct attack {
	struct direct_rig *r;
	uint8_t memory[RIG_GFNS * VMMU_PAGE_SIZE]; /* VM 1's, before */
	struct vmmu_frame frame[RIG_GFNS];
};

static inline const uint64_t *attack_others(const struct attack *a)
{
	return rig_page(a->r, rig_hfn(1, RIG_GFNS - 1));
}

static inline struct attack *attack_begin(void)
{
	struct attack *a = malloc(sizeof(*a));

	a->r = direct_rig();
	for (unsigned gfn = RIG_TABLES; gfn < RIG_GFNS; gfn++)
		memset(rig_page(a->r, rig_hfn(1, gfn)), 0xa5, VMMU_PAGE_SIZE);
	memcpy(a->memory, attack_others(a), sizeof(a->memory));
	memcpy(a->frame, rig_frame(a->r, 1, RIG_GFNS - 1), sizeof(a->frame));
	return a;
}

static inline void attack_end(struct attack *a)
{
	assert_memory_equal(a->memory, attack_others(a), sizeof(a->memory));
	assert_memory_equal(a->frame, rig_frame(a->r, 1, RIG_GFNS - 1),
			    sizeof(a->frame));
	direct_rig_free(a->r);
	free(a);
}

/* The guest fills one of its tables that it has not pinned yet. */
static inline void attack_fill(struct attack *a, uint64_t gfn, unsigned index,
			       uint64_t value)
{
	assert_int_equal(rig_update(a->r, 0, rig_at(0, gfn, index), value), OK);
}

/* 64 links to one table, so that a small budget does not last for all. */
static inline void attack_fill_links(struct attack *a, uint64_t gfn,
				     uint64_t to)
{
	for (unsigned i = 8; i < 72; i++)
		attack_fill(a, gfn, i, rig_to(0, to, P | W));
}

/* A pin with a budget, as often as it asks for more. */
static inline enum vmmu_direct_status attack_pin_slowly(struct attack *a,
							uint64_t gfn,
							unsigned level,
							uint32_t each,
							unsigned times)
{
	enum vmmu_direct_status s = AGAIN;

	for (unsigned i = 0; i < times && s == AGAIN; i++) {
		uint32_t budget = each;

		s = vmmu_direct_pin(&a->r->vm[0].cpu[0],
				    mk_hfn(rig_hfn(0, gfn)), level, &budget);
		rig_audit(a->r);
	}
	return s;
}

#endif
