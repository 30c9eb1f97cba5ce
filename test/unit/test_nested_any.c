/*
 * Everything at once: random guest accesses while slots come, go, move and
 * change flags, backing is withdrawn, moved and shared, the log is read, and
 * a vCPU changes sides. After each step the audit must be clean and a TLB
 * with perfect memory must hold nothing that is untrue.
 *
 * Then the same story is told again and again with the n-th request for a
 * table page refused, for every n; and with the n-th resolve answering "not
 * now".
 */
#include "vm_rig.h"

#define STEPS	   400u
#define SLOT_PAGES 1024u

struct story {
	struct vm_rig *r;
	uint64_t seed;
	uint64_t bitmap[VM_RIG_SLOTS][SLOT_PAGES / 64];
	uint64_t out[SLOT_PAGES / 64];
};

static unsigned pick(struct story *s, unsigned below)
{
	return (unsigned)(vm_rig_random(&s->seed) % below);
}

static const struct vmmu_slot *any_slot(struct story *s)
{
	const struct vmmu_slots *slots = &s->r->vm.slots;

	return slots->count ? &slots->slot[pick(s, slots->count)] : NULL;
}

static void do_access(struct story *s)
{
	static const unsigned access[] = { VMMU_R, VMMU_W, VMMU_X };
	const struct vmmu_slot *slot = any_slot(s);
	unsigned a = access[pick(s, 3)];
	enum vmmu_verdict v;
	uint64_t gpa;

	if (!slot)
		return;
	gpa = slot->gpa.v +
	      pick(s, (unsigned)(slot->size / VMMU_PAGE_SIZE) + 2) *
		      VMMU_PAGE_SIZE;
	slot = vmmu_slots_find(&s->r->vm.slots, gpa_gfn(mk_gpa(gpa)));
	v = vm_rig_touch(s->r, gpa, a, NULL);
	if (!slot || (a == VMMU_W && slot->flags & VMMU_SLOT_READ_ONLY))
		assert_int_equal(v, VMMU_MMIO);
	else if (v != VMMU_RETRY)
		assert_int_equal(v, VMMU_RESUME);
}

/* Adds, moves or re-flags; the answer may be a refusal. */
static void do_slot(struct story *s)
{
	unsigned id = pick(s, 8);
	const struct vmmu_slot *old = vmmu_slots_by_id(&s->r->vm.slots, id);
	struct vmmu_slot want = {
		.id = id,
		.flags = pick(s, 4),
		.gpa = mk_gpa(pick(s, 64) * MIB / 2),
		.size = (1 + pick(s, SLOT_PAGES)) * VMMU_PAGE_SIZE,
		.hva = vm_rig_hva(s->r, pick(s, 32) * MIB / 2),
	};

	if (pick(s, 3) == 0)
		want.size = 2 * MIB;
	if (old) {
		want.size = old->size;
		want.hva = old->hva;
		if (pick(s, 2))
			want.gpa = old->gpa;
	}
	if (want.flags & VMMU_SLOT_LOG_DIRTY)
		want.dirty = s->bitmap[id];
	vmmu_vm_set_slot(&s->r->vm, &want);
}

static void do_delete(struct story *s)
{
	const struct vmmu_slot *slot = any_slot(s);
	struct vmmu_slot want;

	if (!slot || pick(s, 3))
		return;
	want = *slot;
	want.size = 0;
	memset(s->bitmap[want.id], 0, sizeof(s->bitmap[0]));
	assert_int_equal(vmmu_vm_set_slot(&s->r->vm, &want), VMMU_SLOT_OK);
}

static void do_backing(struct story *s)
{
	hva_t hva = vm_rig_hva(s->r, pick(s, 4000) * VMMU_PAGE_SIZE);
	uint64_t size = (1 + pick(s, 20)) * VMMU_PAGE_SIZE;

	switch (pick(s, 3)) {
	case 0:
		lab_host_withdraw(&s->r->lab, hva, size);
		break;
	case 1:
		lab_host_move(&s->r->lab, hva, size);
		break;
	default:
		lab_host_share(&s->r->lab, hva, size);
		break;
	}
}

static void do_log(struct story *s)
{
	const struct vmmu_slot *slot = any_slot(s);

	if (slot)
		vmmu_vm_get_dirty_log(&s->r->vm, slot->id, s->out);
}

/* vCPU 1 leaves the scheme and comes back; vCPU 0 keeps the table. */
static void do_switch(struct story *s)
{
	vmmu_cpu_fini(&s->r->cpu[1]);
	assert_true(vmmu_cpu_init(&s->r->cpu[1], &s->r->vm, &vmmu_nested));
}

static void step(struct story *s)
{
	unsigned what = pick(s, 20);

	if (what < 13)
		do_access(s);
	else if (what < 15)
		do_slot(s);
	else if (what < 16)
		do_delete(s);
	else if (what < 18)
		do_backing(s);
	else if (what < 19)
		do_log(s);
	else
		do_switch(s);
}

static void begin(struct story *s, const struct pt_format *f, uint64_t seed,
		  uint32_t limit)
{
	struct vm_rig_config c = vm_rig_default(f);

	memset(s, 0, sizeof(*s));
	c.lab.memory = 32 * MIB;
	c.lab.extent = seed % 2 ? 32 * MIB : 64 * 1024;
	c.lab.shuffle = seed % 3 == 0;
	c.fault_around = seed % 5 ? 4 * MIB : 0;
	c.table_limit = limit;
	s->r = vm_rig_make(&c);
	s->seed = seed * UINT64_C(0x9e3779b97f4a7c15);
}

static void tell(struct story *s, bool audit_each)
{
	for (unsigned i = 0; i < STEPS; i++) {
		step(s);
		if (audit_each)
			vm_rig_audit(s->r);
	}
	vm_rig_audit(s->r);
}

static const struct pt_format *const formats[] = { &pt_npt, &pt_ept,
						   &pt_madeup };

static void nothing_untrue_is_ever_reached(void **state)
{
	struct story *s = calloc(1, sizeof(*s));

	(void)state;
	for (uint64_t seed = 1; seed <= 18; seed++) {
		begin(s, formats[seed % 3], seed, seed % 4 ? 256 : 16);
		tell(s, true);
		vm_rig_free(s->r);
	}
	free(s);
}

static void no_refused_page_does_harm(void **state)
{
	struct story *s = calloc(1, sizeof(*s));
	uint64_t asked;

	(void)state;
	for (uint64_t n = 1, more = 1; more; n++) {
		/* The first vCPU's own pages: test_vm refuses those. */
		begin(s, formats[n % 3], 1 + n % 6, 256);
		asked = s->r->lab.count.table_allocs;
		s->r->lab.fail_table_at = n;
		s->r->lab.fail_all_after = n % 2;
		tell(s, false);
		more = s->r->lab.count.table_allocs - asked >= n;
		vm_rig_free(s->r);
	}
	free(s);
}

static void no_late_backing_does_harm(void **state)
{
	struct story *s = calloc(1, sizeof(*s));

	(void)state;
	for (uint64_t n = 1; n < 60; n++) {
		begin(s, formats[n % 3], 1 + n % 6, 256);
		s->r->lab.odd_resolve_at = n;
		s->r->lab.odd_resolve = VMMU_RESOLVE_NOT_NOW;
		tell(s, false);
		vm_rig_free(s->r);
	}
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_untrue_is_ever_reached),
		cmocka_unit_test(no_refused_page_does_harm),
		cmocka_unit_test(no_late_backing_does_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
