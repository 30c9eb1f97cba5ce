/* hv/vm/stats.c: the JSON object of a VM, and the figures worked out in it. */
#include "vcpu_rig.h"

#include "vm/stats.h"

static char text[8192];
static size_t used;

static void put(void *ctx, const char *s, size_t n)
{
	(void)ctx;
	assert_true(used + n < sizeof(text));
	memcpy(text + used, s, n);
	used += n;
	text[used] = 0;
}

static const struct fmt_sink sink = { .put = put };

static void print(bool audited)
{
	used = 0;
	stats_put(&rig.vm, audited, &sink);
}

static void has(const char *part)
{
	if (!strstr(text, part))
		fail_msg("no %s in %s", part, text);
}

/* Braces match, and the line is one. */
static void is_one_object(void)
{
	int depth = 0;

	for (const char *s = text; *s; s++) {
		depth += *s == '{';
		depth -= *s == '}';
		assert_true(depth > 0 || !s[1]);
		assert_true(*s != '\n');
	}
	assert_int_equal(depth, 0);
}

static void the_object(void **state)
{
	(void)state;
	rig.v->exits[EXIT_CPUID] = 3;
	rig.v->exits[EXIT_IO] = 4;
	rig.vm.mmu.stats.pf_dirty = 17;
	print(false);
	is_one_object();
	has("{\"vmmu\":1,\"mmu\":\"nested\",\"engine\":\"rig\","
	    "\"format\":\"npt\",\"end\":{\"how\":\"running\"");
	has("\"scheme\":\"nested\",\"switches\":0");
	has("\"exits\":{\"total\":7,");
	has("\"cpuid\":3,");
	has("\"pf_dirty\":17,");
	has("\"mapped\":{\"4k\":0,\"2m\":0,\"1g\":0}");
	has("\"memory_given\":1048576");
	assert_null(strstr(text, "audit"));
}

static void with_an_audit(void **state)
{
	(void)state;
	rig.vm.audited_entries = 12;
	rig.vm.audit_breaches = 1;
	print(true);
	is_one_object();
	has("\"audit\":{\"entries\":12,\"breaches\":1}");
}

static void figures(void **state)
{
	struct vmmu_stats *s = &rig.vm.mmu.stats;

	(void)state;
	print(false);
	has("\"root_reuse\":null,\"exits_per_fault\":null");
	s->root_hits = 2;
	s->root_misses = 1;
	s->pf_guest = 1000;
	rig.v->exits[EXIT_PAGE_FAULT] = 2000;
	rig.v->exits[EXIT_CR] = 30;
	rig.v->exits[EXIT_INVLPG] = 7;
	rig.v->exits[EXIT_IO] = 999999;
	print(false);
	has("\"root_reuse\":0.6667,\"exits_per_fault\":2.0370");
}

static void mapped_by_size(void **state)
{
	const struct vmmu_fault f = { .gpa = mk_gpa(0x3000), .access = VMMU_R };
	struct vmmu_answer a;

	(void)state;
	vmmu_cpu_fault(&rig.v->mmu, &f, &a);
	print(false);
	has("\"mapped\":{\"4k\":1,\"2m\":0,\"1g\":0}");
	has("\"violations\":1,");
	has("\"pf_fixed\":1,");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(the_object),
		RIG_TEST(with_an_audit),
		RIG_TEST(figures),
		RIG_TEST(mapped_by_size),
	};

	return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}
