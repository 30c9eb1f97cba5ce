/*
 * What is granted under WP=0, where SMAP and protection keys bind beside it:
 * an entry where one can say it, EMULATE where none can, under both schemes
 * that ask.
 */
#include "vtlb_rig.h"

#define VA   0x1000
#define DATA (2 * MIB)
#define KEY1 (UINT64_C(1) << 59)
#define WD   UINT32_C(0x8) /* of key 1 */

static const struct vmmu_scheme *const schemes[] = { &vmmu_vtlb, &vmmu_shadow };

/* A write by the supervisor, with AC, to a page of key 1. */
static enum vmmu_verdict write_of(const struct vmmu_scheme *scheme,
				  uint64_t flags, uint64_t cr4, uint32_t rights)
{
	struct guest *g = guest(LEVEL4);
	enum vmmu_verdict verdict;

	assert_true(vmmu_cpu_switch(&g->cpu, scheme));
	g->regs.cr0 &= ~VMMU_CR0_WP;
	g->regs.cr4 |= cr4;
	g->regs.pkru = g->regs.pkrs = rights;
	set_regs(g);
	map(g, VA, DATA | P | A | D | KEY1 | flags);
	verdict = touch(g, VA, VMMU_W | VMMU_AC);
	if (verdict == VMMU_RESUME)
		assert_int_equal(g->hpa, hpa_of(g, DATA));
	assert_int_equal(g->vm.stats.pf_emulate, verdict == VMMU_EMULATE);
	end(g);
	return verdict;
}

struct row {
	uint64_t flags, cr4;
	uint32_t rights;
	enum vmmu_verdict want;
};

static void an_entry_says_it_or_none_can(void **state)
{
	static const struct row rows[] = {
		{ 0, 0, 0, VMMU_RESUME },
		{ U, 0, 0, VMMU_RESUME },
		{ U | W, VMMU_CR4_SMAP, 0, VMMU_RESUME },
		{ 0, VMMU_CR4_SMAP, 0, VMMU_RESUME },
		{ U, VMMU_CR4_SMAP, 0, VMMU_EMULATE },
		/* Keys of users' pages. */
		{ 0, VMMU_CR4_PKE, WD, VMMU_RESUME },
		{ W, VMMU_CR4_PKE, WD, VMMU_RESUME },
		{ U | W, VMMU_CR4_PKE, 0, VMMU_RESUME },
		{ U | W, VMMU_CR4_PKE, WD, VMMU_EMULATE },
		{ U, VMMU_CR4_PKE, 0, VMMU_EMULATE },
		/* Keys of supervisors' pages; what was a user's would get one.
		 */
		{ W, VMMU_CR4_PKS, 0, VMMU_RESUME },
		{ 0, VMMU_CR4_PKS, 0, VMMU_RESUME },
		{ W, VMMU_CR4_PKS, WD, VMMU_EMULATE },
		{ 0, VMMU_CR4_PKS, WD, VMMU_EMULATE },
		{ U | W, VMMU_CR4_PKS, WD, VMMU_RESUME },
		{ U, VMMU_CR4_PKS, 0, VMMU_EMULATE },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (unsigned s = 0; s < 2; s++)
			assert_int_equal(write_of(schemes[s], rows[i].flags,
						  rows[i].cr4, rows[i].rights),
					 rows[i].want);
}

/* A key that is closed later binds the supervisor's reads at once, and WP=0
 * excuses none of them. */
static void a_key_binds_what_was_granted(void **state)
{
	(void)state;
	for (unsigned s = 0; s < 2; s++) {
		struct guest *g = guest(LEVEL4);

		assert_true(vmmu_cpu_switch(&g->cpu, schemes[s]));
		g->regs.cr0 &= ~VMMU_CR0_WP;
		g->regs.cr4 |= VMMU_CR4_PKE;
		set_regs(g);
		map(g, VA, DATA | P | W | U | A | D | KEY1);
		assert_int_equal(touch(g, VA, VMMU_W), VMMU_RESUME);
		g->regs.pkru = 4; /* AD */
		set_regs(g);
		assert_int_equal(touch(g, VA, VMMU_R), VMMU_INJECT);
		assert_int_equal(g->answer.error_code, VMMU_PF_P | VMMU_PF_PK);
		end(g);
	}
}

static struct guest *begin_smap(const struct vmmu_scheme *scheme)
{
	struct guest *g = guest(LEVEL4);

	assert_true(vmmu_cpu_switch(&g->cpu, scheme));
	g->regs.cr0 &= ~VMMU_CR0_WP;
	g->regs.cr4 |= VMMU_CR4_SMAP;
	set_regs(g);
	for (unsigned i = 0; i < 3; i++)
		map(g, VA + i * VMMU_PAGE_SIZE,
		    (DATA + i * VMMU_PAGE_SIZE) | P | U | A | D);
	return g;
}

static void expect_emulate(struct guest *g, uint64_t gva)
{
	assert_int_equal(touch(g, gva, VMMU_W | VMMU_AC), VMMU_EMULATE);
	assert_int_equal(g->answer.gpa.v, DATA + gva - VA);
}

/* An instruction that nobody can emulate may write to two pages, and ends;
 * with the guest's next flush all is as it was. */
static void a_loan_ends_with_a_flush(void **state)
{
	const uint64_t second = VA + VMMU_PAGE_SIZE;

	(void)state;
	for (unsigned s = 0; s < 2; s++)
		for (unsigned way = 0; way < 3; way++) {
			struct guest *g = begin_smap(schemes[s]);

			expect_emulate(g, VA);
			assert_true(vmmu_cpu_unshadow(&g->cpu, g->answer.gpa));
			expect_emulate(g, second);
			assert_true(vmmu_cpu_unshadow(&g->cpu, g->answer.gpa));
			assert_int_equal(touch(g, VA, VMMU_W | VMMU_AC),
					 VMMU_RESUME);
			assert_int_equal(g->hpa, hpa_of(g, DATA));
			assert_int_equal(touch(g, second, VMMU_W | VMMU_AC),
					 VMMU_RESUME);
			assert_true(reaches(g, VA, VMMU_W | VMMU_AC));
			if (way == 0)
				vmmu_cpu_flush(&g->cpu, VMMU_FLUSH_NON_GLOBAL);
			else if (way == 1)
				vmmu_cpu_invalidate(&g->cpu, mk_gva(VA));
			else
				vmmu_cpu_load_root(&g->cpu, TABLE);
			assert_int_equal(touch(g, VA, VMMU_R), VMMU_INJECT);
			assert_int_equal(g->answer.error_code, VMMU_PF_P);
			expect_emulate(g, VA);
			end(g);
		}
}

/* A third page ends the loan of both others. */
static void two_pages_are_lent_at_most(void **state)
{
	(void)state;
	for (unsigned s = 0; s < 2; s++) {
		struct guest *g = begin_smap(schemes[s]);

		for (unsigned i = 0; i < 3; i++) {
			expect_emulate(g, VA + i * VMMU_PAGE_SIZE);
			assert_true(vmmu_cpu_unshadow(&g->cpu, g->answer.gpa));
			assert_int_equal(touch(g, VA + i * VMMU_PAGE_SIZE,
					       VMMU_W | VMMU_AC),
					 VMMU_RESUME);
		}
		assert_false(reaches(g, VA, VMMU_R));
		expect_emulate(g, VA);
		end(g);
	}
}

/* With WP, with PKRS, and of what is no memory, nothing is lent. */
static void not_everything_is_lent(void **state)
{
	(void)state;
	for (unsigned s = 0; s < 2; s++) {
		struct guest *g = begin_smap(schemes[s]);

		assert_false(vmmu_cpu_unshadow(&g->cpu, mk_gpa(HOLE)));
		assert_false(vmmu_cpu_unshadow(&g->cpu, mk_gpa(ROM)));
		g->regs.cr4 |= VMMU_CR4_PKS;
		set_regs(g);
		assert_false(vmmu_cpu_unshadow(&g->cpu, mk_gpa(DATA)));
		g->regs.cr4 &= ~VMMU_CR4_PKS;
		g->regs.cr0 |= VMMU_CR0_WP;
		set_regs(g);
		assert_false(vmmu_cpu_unshadow(&g->cpu, mk_gpa(DATA)));
		end(g);
	}
}

static enum vmmu_verdict fault(struct guest *g, uint64_t gva, unsigned access)
{
	const struct vmmu_fault f = { .gva = mk_gva(gva), .access = access };

	vmmu_cpu_fault(&g->cpu, &f, &g->answer);
	return g->answer.verdict;
}

/* The processor reads a segment descriptor in a user's page while AC is set.
 * The engine cannot tell; but the entry is there, and the fault comes again. */
static void smap_binds_the_processor_itself(void **state)
{
	(void)state;
	for (unsigned s = 0; s < 2; s++) {
		struct guest *g = begin_smap(schemes[s]);
		const struct vmmu_stats *stats = &g->vm.stats;

		assert_int_equal(touch(g, VA, VMMU_R | VMMU_AC), VMMU_RESUME);
		assert_false(reaches(g, VA, VMMU_R | VMMU_IMPLICIT));
		/* A stale TLB, as far as one fault says. */
		assert_int_equal(fault(g, VA, VMMU_R | VMMU_AC), VMMU_RESUME);
		assert_int_equal(touch(g, VA + 0x1000, VMMU_R | VMMU_AC),
				 VMMU_RESUME);
		fault(g, VA + 0x1000, VMMU_R | VMMU_AC);
		assert_int_equal(fault(g, VA, VMMU_R | VMMU_AC), VMMU_RESUME);
		assert_int_equal(fault(g, VA, VMMU_R | VMMU_AC), VMMU_INJECT);
		assert_int_equal(g->answer.error_code, VMMU_PF_P);
		assert_int_equal(g->answer.gva.v, VA);
		assert_int_equal(stats->pf_taken, stats->pf_fixed +
							  stats->pf_spurious +
							  stats->pf_guest);
		assert_int_equal(stats->pf_guest, 1);
		/* Again, but the guest has flushed in between. */
		for (unsigned i = 0; i < 3; i++) {
			vmmu_cpu_invalidate(&g->cpu, mk_gva(VA));
			assert_int_equal(fault(g, VA, VMMU_R | VMMU_AC),
					 VMMU_RESUME);
		}
		/* SMAP does not forbid a supervisor's page. */
		map(g, VA, DATA | P | A | D);
		vmmu_cpu_invalidate(&g->cpu, mk_gva(VA));
		assert_int_equal(touch(g, VA, VMMU_R | VMMU_AC), VMMU_RESUME);
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(fault(g, VA, VMMU_R | VMMU_AC),
					 VMMU_RESUME);
		end(g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_entry_says_it_or_none_can),
		cmocka_unit_test(a_key_binds_what_was_granted),
		cmocka_unit_test(a_loan_ends_with_a_flush),
		cmocka_unit_test(two_pages_are_lent_at_most),
		cmocka_unit_test(not_everything_is_lent),
		cmocka_unit_test(smap_binds_the_processor_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
